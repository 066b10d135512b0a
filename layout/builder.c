/* Making a document: append-only arrays that are handed over whole.
 *
 * Every string and every array lies in one spill, which becomes the document's own: of a long document, only
 * what was touched since the last layout_builder_rest() is in memory. Geometry is tidied on the way in (a damaged PDF can place things at NaN or inside out),
 * so that everything downstream may do arithmetic with it; wrong indices are a caller's mistake and are
 * asserted in layout_builder_finish. */
#include "layout/document.h"
#include "layout/spill.h"

#include <math.h>
#include <string.h>

/* Far outside any page (PDF's own limit is 14,400 units; UserUnit scales it), yet exact in sums of floats. */
#define MAX_COORDINATE 1e6f

/* Like a GArray, in the spill. */
typedef struct {
    char *data;
    guint len, room;
    guint element; /* bytes */
} rows;

struct layout_builder {
    layout_metadata meta;
    rows *pages, *blocks, *boxes, *spans, *lines, *tables, *cells, *figures, *panels, *formulas,
        *references, *names, *citations, *discards, *warnings;
    guint first_cell; /* of the table in hand */
    layout_spill *spill;
    GStringChunk *text; /* what is added once the document is finished */
};

static rows *
rows_new(layout_builder *builder, guint element)
{
    rows *r = layout_spill_alloc(builder->spill, sizeof *r);
    *r = (rows){.element = element};
    return r;
}

static gpointer
rows_append(layout_builder *builder, rows *r, gconstpointer element)
{
    if (r->len == r->room) {
        g_assert(r->room <= G_MAXUINT / 2);
        guint room = MAX(2 * r->room, 16);
        r->data = layout_spill_grow(builder->spill, r->data, (size_t)r->len * r->element,
                                    (size_t)room * r->element);
        r->room = room;
    }
    return memcpy(r->data + (size_t)r->len++ * r->element, element, r->element);
}

layout_builder *
layout_builder_new(void)
{
    layout_builder *builder = g_new0(layout_builder, 1);
    builder->spill = layout_spill_new();
    builder->pages = rows_new(builder, sizeof(layout_page));
    builder->blocks = rows_new(builder, sizeof(layout_block));
    builder->boxes = rows_new(builder, sizeof(layout_box));
    builder->spans = rows_new(builder, sizeof(layout_span));
    builder->lines = rows_new(builder, sizeof(layout_line));
    builder->tables = rows_new(builder, sizeof(layout_table));
    builder->cells = rows_new(builder, sizeof(layout_cell));
    builder->figures = rows_new(builder, sizeof(layout_figure));
    builder->panels = rows_new(builder, sizeof(layout_panel));
    builder->formulas = rows_new(builder, sizeof(layout_formula));
    builder->references = rows_new(builder, sizeof(layout_reference));
    builder->names = rows_new(builder, sizeof(layout_name));
    builder->citations = rows_new(builder, sizeof(layout_citation));
    builder->discards = rows_new(builder, sizeof(layout_discard));
    builder->warnings = rows_new(builder, sizeof(layout_warning));
    builder->text = g_string_chunk_new(1024);
    return builder;
}

void
layout_builder_free(layout_builder *builder)
{
    if (!builder) return;
    lode_document_free(layout_builder_take(builder));
}

layout_metadata *
layout_builder_meta(layout_builder *builder)
{
    return &builder->meta;
}

const char *
layout_builder_copy(layout_builder *builder, const char *text, gssize len)
{
    if (text == NULL) return NULL;
    const size_t n = len < 0 ? strlen(text) : (size_t)len;
    char *copy = layout_spill_alloc_text(builder->spill, n + 1);
    memcpy(copy, text, n);
    copy[n] = '\0';
    return copy;
}

void
layout_builder_set_authors(layout_builder *builder, const char *const *names, size_t n)
{
    const char **list = g_new0(const char *, n + 1);
    for (size_t i = 0; i < n; i++)
        list[i] = layout_builder_copy(builder, names[i] ? names[i] : "", -1);
    g_free((gpointer)builder->meta.authors);
    builder->meta.authors = list;
}

static float
tidy_number(float value, float low, float high)
{
    return isfinite(value) ? CLAMP(value, low, high) : 0;
}

static layout_rect
tidy_rect(layout_rect r)
{
    const float x0 = tidy_number(r.x0, -MAX_COORDINATE, MAX_COORDINATE);
    const float y0 = tidy_number(r.y0, -MAX_COORDINATE, MAX_COORDINATE);
    const float x1 = tidy_number(r.x1, -MAX_COORDINATE, MAX_COORDINATE);
    const float y1 = tidy_number(r.y1, -MAX_COORDINATE, MAX_COORDINATE);
    return (layout_rect){MIN(x0, x1), MIN(y0, y1), MAX(x0, x1), MAX(y0, y1)};
}

int
layout_builder_add_page(layout_builder *builder, const layout_page *page)
{
    layout_page copy = *page;
    copy.width_pt = tidy_number(page->width_pt, 0, MAX_COORDINATE);
    copy.height_pt = tidy_number(page->height_pt, 0, MAX_COORDINATE);
    copy.label = layout_builder_copy(builder, page->label, -1);
    copy.failure = layout_builder_copy(builder, page->failure, -1);
    rows_append(builder, builder->pages, &copy);
    return (int)builder->pages->len - 1;
}

int
layout_builder_add_block(layout_builder *builder, const layout_block *block,
                         const layout_box *boxes, guint n_boxes, const layout_span *spans,
                         guint n_spans, const layout_line *lines, guint n_lines)
{
    layout_block copy = *block;
    const char *text = block->text ? block->text : "";
    const size_t len = block->text_len > 0 ? block->text_len : strlen(text);
    g_assert(len <= G_MAXINT32);
    copy.text = layout_builder_copy(builder, text, (gssize)len);
    copy.text_len = (uint32_t)len;
    copy.marker = layout_builder_copy(builder, block->marker, -1);
    copy.item = LAYOUT_NONE;
    copy.font_size_pt = tidy_number(block->font_size_pt, 0, MAX_COORDINATE);
    copy.confidence = tidy_number(block->confidence, 0, 1);

    copy.first_box = builder->boxes->len, copy.n_boxes = n_boxes;
    for (guint i = 0; i < n_boxes; i++) {
        layout_box box = {boxes[i].page, tidy_rect(boxes[i].rect)};
        rows_append(builder, builder->boxes, &box);
    }
    copy.first_span = builder->spans->len, copy.n_spans = n_spans;
    for (guint i = 0; i < n_spans; i++) {
        layout_span span = spans[i];
        span.target = layout_builder_copy(builder, span.target, -1);
        rows_append(builder, builder->spans, &span);
    }
    copy.first_line = builder->lines->len, copy.n_lines = n_lines;
    for (guint i = 0; i < n_lines; i++) {
        layout_line line = lines[i];
        line.box.rect = tidy_rect(line.box.rect);
        rows_append(builder, builder->lines, &line);
    }
    rows_append(builder, builder->blocks, &copy);
    return (int)builder->blocks->len - 1;
}

layout_block *
layout_builder_block(layout_builder *builder, int index)
{
    g_assert(index >= 0 && (guint)index < builder->blocks->len);
    return &g_array_index(builder->blocks, layout_block, index);
}

layout_page *
layout_builder_page(layout_builder *builder, int index)
{
    g_assert(index >= 0 && (guint)index < builder->pages->len);
    return &g_array_index(builder->pages, layout_page, index);
}

void
layout_builder_add_cells(layout_builder *builder, const layout_cell *cells, guint n_cells)
{
    for (guint i = 0; i < n_cells; i++) {
        layout_cell cell = cells[i];
        cell.text = layout_builder_copy(builder, cell.text ? cell.text : "", -1);
        cell.box.rect = tidy_rect(cell.box.rect);
        cell.picture = tidy_rect(cell.picture);
        cell.image = layout_builder_copy(builder, cell.image, -1);
        rows_append(builder, builder->cells, &cell);
    }
}

void
layout_builder_begin_table(layout_builder *builder, const layout_cell *cells, guint n_cells)
{
    builder->first_cell = builder->cells->len;
    layout_builder_add_cells(builder, cells, n_cells);
}

int
layout_builder_end_table(layout_builder *builder, const layout_table *table)
{
    layout_table copy = *table;
    copy.image = layout_builder_copy(builder, table->image, -1);
    copy.align = layout_builder_copy(builder, table->align, -1);
    copy.first_cell = builder->first_cell;
    copy.n_cells = builder->cells->len - builder->first_cell;
    const int index = (int)builder->tables->len;
    rows_append(builder, builder->tables, &copy);
    layout_builder_block(builder, table->block)->item = index;
    return index;
}

int
layout_builder_add_table(layout_builder *builder, const layout_table *table,
                         const layout_cell *cells, guint n_cells)
{
    layout_builder_begin_table(builder, cells, n_cells);
    return layout_builder_end_table(builder, table);
}

int
layout_builder_add_figure(layout_builder *builder, const layout_figure *figure,
                          const layout_panel *panels, guint n_panels)
{
    layout_figure copy = *figure;
    copy.box.rect = tidy_rect(figure->box.rect);
    copy.label = layout_builder_copy(builder, figure->label, -1);
    copy.inner_text = layout_builder_copy(builder, figure->inner_text, -1);
    copy.image = layout_builder_copy(builder, figure->image, -1);
    copy.svg = layout_builder_copy(builder, figure->svg, -1);
    copy.first_panel = builder->panels->len, copy.n_panels = n_panels;
    for (guint i = 0; i < n_panels; i++) {
        const layout_panel panel = {{panels[i].box.page, tidy_rect(panels[i].box.rect)},
                                    layout_builder_copy(builder, panels[i].label, -1)};
        rows_append(builder, builder->panels, &panel);
    }
    const int index = (int)builder->figures->len;
    rows_append(builder, builder->figures, &copy);
    layout_builder_block(builder, figure->block)->item = index;
    return index;
}

int
layout_builder_add_formula(layout_builder *builder, const layout_formula *formula)
{
    layout_formula copy = *formula;
    copy.latex = layout_builder_copy(builder, formula->latex, -1);
    copy.number = layout_builder_copy(builder, formula->number, -1);
    copy.image = layout_builder_copy(builder, formula->image, -1);
    copy.confidence = tidy_number(formula->confidence, 0, 1);
    const int index = (int)builder->formulas->len;
    rows_append(builder, builder->formulas, &copy);
    layout_builder_block(builder, formula->block)->item = index;
    return index;
}

int
layout_builder_add_reference(layout_builder *builder, const layout_reference *reference,
                             const layout_name *names, guint n_names)
{
    layout_reference copy = *reference;
    const char **const texts[] = {&copy.key,       &copy.authors, &copy.title, &copy.venue,
                                  &copy.publisher, &copy.volume,  &copy.issue, &copy.pages,
                                  &copy.year,      &copy.doi,     &copy.arxiv, &copy.url};
    for (guint i = 0; i < G_N_ELEMENTS(texts); i++)
        *texts[i] = layout_builder_copy(builder, *texts[i], -1);
    copy.first_name = builder->names->len, copy.n_names = n_names;
    for (guint i = 0; i < n_names; i++) {
        layout_name name = {
            layout_builder_copy(builder, names[i].family ? names[i].family : "", -1),
            layout_builder_copy(builder, names[i].given, -1)};
        rows_append(builder, builder->names, &name);
    }
    const int index = (int)builder->references->len;
    rows_append(builder, builder->references, &copy);
    layout_builder_block(builder, reference->block)->item = index;
    return index;
}

void
layout_builder_add_citation(layout_builder *builder, const layout_citation *citation)
{
    rows_append(builder, builder->citations, citation);
}

void
layout_builder_add_discard(layout_builder *builder, const layout_discard *discard)
{
    layout_discard copy = *discard;
    copy.box.rect = tidy_rect(discard->box.rect);
    copy.text = layout_builder_copy(builder, discard->text ? discard->text : "", -1);
    rows_append(builder, builder->discards, &copy);
}

void
layout_builder_add_warning(layout_builder *builder, int page, const char *message)
{
    layout_warning warning = {page, layout_builder_copy(builder, message ? message : "", -1)};
    rows_append(builder, builder->warnings, &warning);
}

/* Beside the PNG. */
static const char *
svg_name(layout_builder *builder, const char *image)
{
    g_autofree char *name = g_strdup_printf("%.*s.svg", (int)strlen(image) - 4, image);
    return layout_builder_copy(builder, name, -1);
}

/* "page-3-figure-1.png": counted per page, so that a change on one page renames nothing on another. counts has
 * one element per page. */
static const char *
image_name(layout_builder *builder, GArray *counts, int page, const char *kind)
{
    guint *count = &g_array_index(counts, guint, page);
    char name[64];
    g_snprintf(name, sizeof name, "page-%d-%s-%u.png", page + 1, kind, ++*count);
    return layout_builder_copy(builder, name, -1);
}

void
layout_builder_name_images(layout_builder *builder)
{
    g_autoptr(GArray) figures = g_array_new(FALSE, TRUE, sizeof(guint));
    g_autoptr(GArray) tables = g_array_new(FALSE, TRUE, sizeof(guint));
    g_autoptr(GArray) formulas = g_array_new(FALSE, TRUE, sizeof(guint));
    g_autoptr(GArray) pictures = g_array_new(FALSE, TRUE, sizeof(guint));
    g_array_set_size(figures, builder->pages->len);
    g_array_set_size(tables, builder->pages->len);
    g_array_set_size(formulas, builder->pages->len);
    g_array_set_size(pictures, builder->pages->len);
    for (guint i = 0; i < builder->figures->len; i++) {
        layout_figure *figure = &g_array_index(builder->figures, layout_figure, i);
        if (i % 256 == 0) layout_builder_rest(builder);
        g_assert(figure->box.page >= 0 && (guint)figure->box.page < figures->len);
        figure->image = image_name(builder, figures, figure->box.page, "figure");
        if (figure->vector) figure->svg = svg_name(builder, figure->image);
    }
    for (guint i = 0; i < builder->tables->len; i++) {
        layout_table *table = &g_array_index(builder->tables, layout_table, i);
        const layout_block *block = layout_builder_block(builder, table->block);
        if (i % 8 == 0) layout_builder_rest(builder);
        if (block->n_boxes == 0) continue;
        const layout_box *box = &g_array_index(builder->boxes, layout_box, block->first_box);
        g_assert(box->page >= 0 && (guint)box->page < tables->len);
        table->image = image_name(builder, tables, box->page, "table");
    }
    for (guint i = 0; i < builder->cells->len; i++) {
        layout_cell *cell = &g_array_index(builder->cells, layout_cell, i);
        if (i % 4096 == 0) layout_builder_rest(builder);
        if (cell->picture.x1 <= cell->picture.x0) continue;
        g_assert(cell->box.page >= 0 && (guint)cell->box.page < pictures->len);
        cell->image = image_name(builder, pictures, cell->box.page, "picture");
    }
    for (guint i = 0; i < builder->formulas->len; i++) {
        layout_formula *formula = &g_array_index(builder->formulas, layout_formula, i);
        const layout_block *block = layout_builder_block(builder, formula->block);
        if (i % 256 == 0) layout_builder_rest(builder);
        if (block->n_boxes == 0) continue;
        const layout_box *box = &g_array_index(builder->boxes, layout_box, block->first_box);
        g_assert(box->page >= 0 && (guint)box->page < formulas->len);
        formula->image = image_name(builder, formulas, box->page, "formula");
    }
}

/* The array's memory and length. */
static gpointer
hand_over(const rows *r, guint *len)
{
    *len = r->len;
    return r->data;
}

void
layout_builder_rest(layout_builder *builder)
{
    layout_spill_rest(builder->spill);
}

void
layout_builder_view(const layout_builder *builder, lode_document *view)
{
    *view = (lode_document){
        .blocks = (layout_block *)(gpointer)builder->blocks->data,
        .n_blocks = builder->blocks->len,
        .boxes = (layout_box *)(gpointer)builder->boxes->data,
        .n_boxes = builder->boxes->len,
        .spans = (layout_span *)(gpointer)builder->spans->data,
        .n_spans = builder->spans->len,
        .formulas = (layout_formula *)(gpointer)builder->formulas->data,
        .n_formulas = builder->formulas->len,
        .references = (layout_reference *)(gpointer)builder->references->data,
        .n_references = builder->references->len,
        .names = (layout_name *)(gpointer)builder->names->data,
        .n_names = builder->names->len,
        .spill = builder->spill,
    };
}

lode_document *
layout_builder_take(layout_builder *builder)
{
    if (!builder->meta.authors) layout_builder_set_authors(builder, NULL, 0);
    if (!builder->meta.source_name) builder->meta.source_name = layout_builder_copy(builder, "", 0);
    if (!builder->meta.source_sha256)
        builder->meta.source_sha256 = layout_builder_copy(builder, "", 0);
    if (!builder->meta.format) builder->meta.format = layout_builder_copy(builder, "", 0);

    lode_document *document = g_new0(lode_document, 1);
    document->meta = builder->meta;
    document->pages = hand_over(builder->pages, &document->n_pages);
    document->blocks = hand_over(builder->blocks, &document->n_blocks);
    document->boxes = hand_over(builder->boxes, &document->n_boxes);
    document->spans = hand_over(builder->spans, &document->n_spans);
    document->lines = hand_over(builder->lines, &document->n_lines);
    document->tables = hand_over(builder->tables, &document->n_tables);
    document->cells = hand_over(builder->cells, &document->n_cells);
    document->figures = hand_over(builder->figures, &document->n_figures);
    document->panels = hand_over(builder->panels, &document->n_panels);
    document->formulas = hand_over(builder->formulas, &document->n_formulas);
    document->references = hand_over(builder->references, &document->n_references);
    document->names = hand_over(builder->names, &document->n_names);
    document->citations = hand_over(builder->citations, &document->n_citations);
    document->discards = hand_over(builder->discards, &document->n_discards);
    document->warnings = hand_over(builder->warnings, &document->n_warnings);
    document->text = builder->text;
    document->spill = builder->spill;
    g_free(builder);
    return document;
}

lode_document *
layout_builder_finish(layout_builder *builder)
{
    lode_document *document = layout_builder_take(builder);
    g_autoptr(GError) error = NULL;
    /* spelled out because g_assert could be compiled away, and the message says which index is wrong */
    if (!layout_document_check(document, &error))
        g_error("layout_builder_finish: %s", error->message);
    return document;
}
