/* A finished document: names of block types, and its one free. */
#include "layout/document.h"
#include "layout/spill.h"
#include "layout/writers.h"

#include <math.h>
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

const char *
layout_reference_kind_name(layout_reference_kind kind)
{
    static const char *const names[LAYOUT_N_REFERENCE_KINDS] = {
        "other", "article", "conference", "chapter", "book", "thesis", "masters_thesis", "report",
    };
    g_assert((guint)kind < LAYOUT_N_REFERENCE_KINDS);
    return names[kind];
}

int
layout_citation_compare(gconstpointer a, gconstpointer b)
{
    const layout_citation *x = a, *y = b;
    if (x->block != y->block) return x->block < y->block ? -1 : 1;
    if (x->start != y->start) return x->start < y->start ? -1 : 1;
    return (x->reference > y->reference) - (x->reference < y->reference);
}

gboolean
layout_block_type_is_furniture(layout_block_type type)
{
    return type == LAYOUT_BLOCK_HEADER || type == LAYOUT_BLOCK_FOOTER ||
           type == LAYOUT_BLOCK_PAGE_NUMBER || type == LAYOUT_BLOCK_WATERMARK;
}

layout_write_options
layout_write_options_default(void)
{
    return (layout_write_options){.images = LAYOUT_IMAGES_ALL};
}

double
layout_hundredths(float value)
{
    return (double)llround((double)value * 100) / 100;
}

gboolean
layout_has_figure_image(const layout_write_options *options, const char *image)
{
    return image && (!options || options->images != LAYOUT_IMAGES_NONE);
}

gboolean
layout_has_crop(const layout_write_options *options, const char *image)
{
    return image && (!options || options->images == LAYOUT_IMAGES_ALL);
}

const char *
layout_formula_crop(const layout_formula *formula, layout_images images, layout_formulas formulas)
{
    if (images != LAYOUT_IMAGES_ALL || formulas == LAYOUT_FORMULAS_LATEX) return NULL;
    const gboolean sure = formula->latex && formula->confidence >= LAYOUT_FORMULA_SURE;
    return formulas == LAYOUT_FORMULAS_AUTO && sure ? NULL : formula->image;
}

const char *
layout_formula_picture(const layout_write_options *options, const layout_formula *formula)
{
    return options ? layout_formula_crop(formula, options->images, options->formulas)
                   : formula->image;
}

const char *
layout_formula_shown(const layout_write_options *options, const layout_formula *formula)
{
    const gboolean picture = options && options->formulas == LAYOUT_FORMULAS_IMAGE &&
                             layout_formula_picture(options, formula);
    return picture ? NULL : formula->latex;
}

void
layout_document_rest(const lode_document *document)
{
    layout_spill_rest(document->spill);
}

gboolean
layout_document_has_title(const lode_document *document)
{
    for (guint b = 0; b < document->n_blocks; b++) {
        layout_document_pass(document, b);
        if (document->blocks[b].type == LAYOUT_BLOCK_TITLE) return TRUE;
    }
    return FALSE;
}

void
lode_document_free(lode_document *document)
{
    if (!document) return;
    g_free((gpointer)document->meta.authors);
    if (document->text) g_string_chunk_free(document->text);
    layout_spill_free(document->spill);
    g_free(document);
}
