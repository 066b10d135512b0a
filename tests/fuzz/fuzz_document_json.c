/* Any bytes read as lode's own JSON: refused with an error, or a document that every writer can write and that
 * survives being written and read again. */
#include "layout/layout.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(lode_document) document = layout_document_from_json((const char *)data, size, &error);
    if ((document == NULL) == (error == NULL)) abort();
    if (!document) return 0;

    g_autofree char *json = layout_document_to_json(document);
    g_autoptr(lode_document) again = layout_document_from_json(json, strlen(json), NULL);
    if (!again) abort();
    g_autofree char *same = layout_document_to_json(again);
    if (strcmp(json, same) != 0) abort();

    layout_write_options options = layout_write_options_default();
    options.page_breaks = options.furniture = TRUE;
    g_autofree char *markdown = layout_document_to_markdown(document, &options);
    g_autofree char *list = layout_document_to_content_list(document, NULL);
    g_autofree char *middle = layout_document_to_middle(document, &options);
    g_autofree char *html = layout_document_to_html(document, &options);
    g_autofree char *text = layout_document_to_text(document, &options);
    g_autofree char *traced = layout_document_to_traced_json(document, &options);
    if (!g_utf8_validate(markdown, -1, NULL) || !list || !middle || !traced) abort();
    if (!g_utf8_validate(html, -1, NULL) || !g_utf8_validate(text, -1, NULL)) abort();
    return 0;
}
