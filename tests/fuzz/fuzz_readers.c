/* Any bytes as a document that is not paper: nobody's, an error, or a document that holds its own promises. */
#include "layout/readers/readers.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const layout_source source = {.name = "input", .data = data, .len = size};
    const layout_options options = {0};
    const layout_reader *reader = size > 0 ? layout_reader_find(&source) : NULL;
    if (!reader) return 0;
    g_autoptr(GError) error = NULL;
    g_autoptr(lode_document) document = layout_reader_run(reader, &source, &options, &error);
    if ((document == NULL) == (error == NULL)) abort();
    if (!document) return 0;
    /* a fault of ours, said as the file's */
    g_autofree char *json = layout_document_to_json(document);
    g_autoptr(lode_document) back = layout_document_from_json(json, strlen(json), NULL);
    if (!back) abort();
    return 0;
}
