/* Any bytes as a web page: either an error or a document that holds its own promises. */
#include "layout/layout.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const charsets[] = {NULL, "utf-8", "shift_jis", "iso-8859-1"};
    const char *charset = charsets[size > 0 ? data[size - 1] % G_N_ELEMENTS(charsets) : 0];
    g_autoptr(GError) error = NULL;
    g_autoptr(lode_document) document = layout_document_from_html(
        (const char *)data, size, charset, "https://example.org/dir/page.html", &error);

    if ((document == NULL) == (error == NULL)) abort();
    if (!document) return 0;
    /* the writer walks every index, the reader checks every promise */
    g_autofree char *json = layout_document_to_json(document);
    g_autoptr(lode_document) back = layout_document_from_json(json, strlen(json), NULL);
    if (!back) abort();
    return 0;
}
