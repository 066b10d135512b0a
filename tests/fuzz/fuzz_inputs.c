/* Any bytes as a file: by what they seem to be, and as JATS, LaTeX, Markdown and plain text whatever they seem. */
#include "layout/readers/readers.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(lode_document *document, GError *error)
{
    if ((document == NULL) == (error == NULL)) abort();
    if (document == NULL) return;
    /* the writer walks every index, the reader checks every promise */
    g_autofree char *json = layout_document_to_json(document);
    g_autoptr(lode_document) back = layout_document_from_json(json, strlen(json), NULL);
    if (back == NULL) abort();
}

static layout_sniff
always(const layout_source *source)
{
    (void)source;
    return LAYOUT_SNIFF_SURE;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const layout_reader readers[] = {
        {"JATS XML", "", " xml ", always, layout_jats_read},
        {"LaTeX", "", " tex ", always, layout_latex_read},
        {"Markdown", "", " md ", always, layout_markdown_read},
        {"plain text", "", " txt ", always, layout_text_read},
    };
    if (size == 0) return 0; /* readers are not asked about empty files */
    const layout_options options = {0};
    const layout_source source = {.name = "input", .data = data, .len = size};
    const layout_reader *found = layout_reader_find(&source);
    for (gsize i = 0; i <= G_N_ELEMENTS(readers); i++) {
        const layout_reader *reader = i < G_N_ELEMENTS(readers) ? &readers[i] : found;
        if (reader == NULL) continue;
        g_autoptr(GError) error = NULL;
        g_autoptr(lode_document) document = layout_reader_run(reader, &source, &options, &error);
        check(document, error);
    }
    return 0;
}
