/* A finished document: names of block types, and its one free. */
#include "layout/document.h"

#include <string.h>

/* In the order of layout_block_type; part of the JSON schema, so names are never changed. */
static const char *const type_names[LAYOUT_N_BLOCK_TYPES] = {
    "title",     "author", "abstract", "heading",     "paragraph", "list_item",
    "table",     "figure", "formula",  "code",        "caption",   "footnote",
    "reference", "header", "footer",   "page_number", "watermark",
};

const char *
layout_block_type_name(layout_block_type type)
{
    g_assert((guint)type < LAYOUT_N_BLOCK_TYPES);
    return type_names[type];
}

gboolean
layout_block_type_from_name(const char *name, layout_block_type *type)
{
    for (guint i = 0; i < LAYOUT_N_BLOCK_TYPES; i++) {
        if (strcmp(name, type_names[i]) != 0) continue;
        *type = (layout_block_type)i;
        return TRUE;
    }
    return FALSE;
}

gboolean
layout_block_type_is_furniture(layout_block_type type)
{
    return type == LAYOUT_BLOCK_HEADER || type == LAYOUT_BLOCK_FOOTER ||
           type == LAYOUT_BLOCK_PAGE_NUMBER || type == LAYOUT_BLOCK_WATERMARK;
}

void
lode_document_free(lode_document *document)
{
    if (!document) return;
    g_free(document->pages);
    g_free(document->blocks);
    g_free(document->boxes);
    g_free(document->spans);
    g_free(document->lines);
    g_free(document->tables);
    g_free(document->cells);
    g_free(document->figures);
    g_free(document->panels);
    g_free(document->formulas);
    g_free(document->references);
    g_free(document->warnings);
    g_free((gpointer)document->meta.authors);
    if (document->text) g_string_chunk_free(document->text);
    g_free(document);
}
