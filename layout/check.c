/* The invariants of a document, see layout_document_check. */
#include "layout/document.h"

#include <math.h>
#include <string.h>

static gboolean
wrong(GError **error, const char *array, guint index, const char *what)
{
    g_set_error(error, LAYOUT_ERROR, LAYOUT_ERROR_FORMAT, "%s[%u]: %s", array, index, what);
    return FALSE;
}

static gboolean
rect_is_ordered(const layout_rect *r)
{
    return isfinite(r->x0) && isfinite(r->y0) && isfinite(r->x1) && isfinite(r->y1) &&
           r->x0 <= r->x1 && r->y0 <= r->y1;
}

static gboolean
box_is_fine(const lode_document *d, const layout_box *box)
{
    return box->page >= 0 && (guint)box->page < d->n_pages && rect_is_ordered(&box->rect);
}

static gboolean
range_is_fine(guint first, guint n, guint total)
{
    return first <= total && n <= total - first;
}

/* Does a character begin (or the text end) at this byte? */
static gboolean
is_border(const layout_block *block, uint32_t at)
{
    return ((guchar)block->text[at] & 0xC0) != 0x80;
}

static gboolean
stretch_is_fine(const layout_block *block, uint32_t start, uint32_t len)
{
    return start <= block->text_len && len <= block->text_len - start && is_border(block, start) &&
           is_border(block, start + len);
}

static gboolean
check_stretches(const lode_document *d, guint b, GError **error)
{
    const layout_block *block = &d->blocks[b];
    uint32_t end = 0;
    for (guint i = 0; i < block->n_spans; i++) {
        const layout_span *span = &d->spans[block->first_span + i];
        if (span->len == 0 || !stretch_is_fine(block, span->start, span->len))
            return wrong(error, "blocks", b,
                         "a span is empty, leaves the text or cuts a character");
        if (span->start < end) return wrong(error, "blocks", b, "spans overlap or are not sorted");
        end = span->start + span->len;
    }
    end = 0;
    for (guint i = 0; i < block->n_lines; i++) {
        const layout_line *line = &d->lines[block->first_line + i];
        if (!stretch_is_fine(block, line->start, line->len))
            return wrong(error, "blocks", b, "a line leaves the text or cuts a character");
        if (line->start < end) return wrong(error, "blocks", b, "lines overlap or are not sorted");
        if (!box_is_fine(d, &line->box)) return wrong(error, "blocks", b, "a line has a bad box");
        end = line->start + line->len;
    }
    return TRUE;
}

/* The item of a block must point back at it. */
static gboolean
item_is_fine(const lode_document *d, guint b)
{
    const layout_block *block = &d->blocks[b];
    if (block->item == LAYOUT_NONE) return TRUE;
    const guint item = (guint)block->item;
    if (block->item < 0) return FALSE;
    switch (block->type) {
    case LAYOUT_BLOCK_TABLE:
        return item < d->n_tables && d->tables[item].block == (int)b;
    case LAYOUT_BLOCK_FIGURE:
        return item < d->n_figures && d->figures[item].block == (int)b;
    case LAYOUT_BLOCK_FORMULA:
        return item < d->n_formulas && d->formulas[item].block == (int)b;
    case LAYOUT_BLOCK_REFERENCE:
        return item < d->n_references && d->references[item].block == (int)b;
    default:
        return FALSE;
    }
}

static gboolean
check_blocks(const lode_document *d, GError **error)
{
    for (guint b = 0; b < d->n_blocks; b++) {
        const layout_block *block = &d->blocks[b];
        layout_document_pass(d, b);
        if ((guint)block->type >= LAYOUT_N_BLOCK_TYPES)
            return wrong(error, "blocks", b, "unknown type");
        if (block->level < 0) return wrong(error, "blocks", b, "negative level");
        if (!block->text || strlen(block->text) != block->text_len)
            return wrong(error, "blocks", b, "text_len is not the length of text");
        if (!g_utf8_validate(block->text, block->text_len, NULL))
            return wrong(error, "blocks", b, "text is not UTF-8");
        if (!range_is_fine(block->first_box, block->n_boxes, d->n_boxes) ||
            !range_is_fine(block->first_span, block->n_spans, d->n_spans) ||
            !range_is_fine(block->first_line, block->n_lines, d->n_lines))
            return wrong(error, "blocks", b, "boxes, spans or lines out of range");
        for (guint i = 0; i < block->n_boxes; i++) {
            if (!box_is_fine(d, &d->boxes[block->first_box + i]))
                return wrong(error, "blocks", b, "bad box");
        }
        if (!check_stretches(d, b, error)) return FALSE;
        if (block->parent != LAYOUT_NONE &&
            (block->parent < 0 || (guint)block->parent >= d->n_blocks || (guint)block->parent == b))
            return wrong(error, "blocks", b, "parent out of range");
        if (!item_is_fine(d, b)) return wrong(error, "blocks", b, "item does not point back");
        if (!isfinite(block->font_size_pt) || block->font_size_pt < 0)
            return wrong(error, "blocks", b, "bad font size");
        if (!(block->confidence >= 0 && block->confidence <= 1))
            return wrong(error, "blocks", b, "confidence is not in 0..1");
    }
    return TRUE;
}

/* An item belongs to the block of the right type that names it. */
static gboolean
owner_is_fine(const lode_document *d, int block, layout_block_type type, guint index)
{
    return block >= 0 && (guint)block < d->n_blocks && d->blocks[block].type == type &&
           d->blocks[block].item == (int)index;
}

static gboolean
caption_is_fine(const lode_document *d, int caption)
{
    return caption == LAYOUT_NONE || (caption >= 0 && (guint)caption < d->n_blocks &&
                                      d->blocks[caption].type == LAYOUT_BLOCK_CAPTION);
}

/* Every grid place covered exactly once. free_row[c] is the first row of column c not yet covered: in
 * row-major order a cell must land exactly on it, so the memory is one row however tall the table. */
static gboolean
grid_is_covered(const lode_document *d, const layout_table *table)
{
    g_autofree guint *free_row = g_new0(guint, table->n_cols);
    const layout_cell *before = NULL;
    for (guint i = 0; i < table->n_cells; i++) {
        const layout_cell *cell = &d->cells[table->first_cell + i];
        if (cell->row >= table->n_rows || cell->col >= table->n_cols || cell->row_span < 1 ||
            cell->col_span < 1 || cell->row_span > table->n_rows - cell->row ||
            cell->col_span > table->n_cols - cell->col)
            return FALSE;
        if (before &&
            (cell->row < before->row || (cell->row == before->row && cell->col <= before->col)))
            return FALSE;
        for (guint c = cell->col; c < cell->col + cell->col_span; c++) {
            if (free_row[c] != cell->row) return FALSE;
            free_row[c] = cell->row + cell->row_span;
        }
        before = cell;
    }
    for (guint c = 0; c < table->n_cols; c++) {
        if (free_row[c] != table->n_rows) return FALSE;
    }
    return TRUE;
}

static gboolean
check_tables(const lode_document *d, GError **error)
{
    for (guint t = 0; t < d->n_tables; t++) {
        const layout_table *table = &d->tables[t];
        layout_document_pass(d, 8 * t);
        if (!owner_is_fine(d, table->block, LAYOUT_BLOCK_TABLE, t))
            return wrong(error, "tables", t, "its block is none of a table's");
        if (!caption_is_fine(d, table->caption))
            return wrong(error, "tables", t, "caption is none");
        if (table->n_rows > LAYOUT_MAX_TABLE_ROWS || table->n_cols > LAYOUT_MAX_TABLE_COLS ||
            table->n_header_rows > table->n_rows)
            return wrong(error, "tables", t, "too many rows, columns or header rows");
        if (table->align && (strlen(table->align) != table->n_cols ||
                             strspn(table->align, "-lcrd") != table->n_cols))
            return wrong(error, "tables", t, "align is not a letter of \"-lcrd\" for each column");
        if (!range_is_fine(table->first_cell, table->n_cells, d->n_cells))
            return wrong(error, "tables", t, "cells out of range");
        if (!grid_is_covered(d, table))
            return wrong(error, "tables", t,
                         "cells do not cover the grid once, in row-major order");
        for (guint i = 0; i < table->n_cells; i++) {
            const layout_cell *cell = &d->cells[table->first_cell + i];
            if (!cell->text || !g_utf8_validate(cell->text, -1, NULL))
                return wrong(error, "tables", t, "a cell's text is not UTF-8");
            if (cell->n_mark > strlen(cell->text))
                return wrong(error, "tables", t, "a cell's mark is longer than its text");
            const layout_box picture = {cell->box.page, cell->picture};
            if (!box_is_fine(d, &cell->box) || !box_is_fine(d, &picture))
                return wrong(error, "tables", t, "a cell has a bad box");
        }
    }
    return TRUE;
}

static gboolean
check_items(const lode_document *d, GError **error)
{
    for (guint i = 0; i < d->n_figures; i++) {
        layout_document_pass(d, 8 * i);
        if (!owner_is_fine(d, d->figures[i].block, LAYOUT_BLOCK_FIGURE, i))
            return wrong(error, "figures", i, "its block is none of a figure's");
        if (!caption_is_fine(d, d->figures[i].caption))
            return wrong(error, "figures", i, "caption is none");
        if (!box_is_fine(d, &d->figures[i].box)) return wrong(error, "figures", i, "bad box");
        if (!range_is_fine(d->figures[i].first_panel, d->figures[i].n_panels, d->n_panels))
            return wrong(error, "figures", i, "panels out of range");
    }
    for (guint i = 0; i < d->n_panels; i++) {
        if (!box_is_fine(d, &d->panels[i].box)) return wrong(error, "panels", i, "bad box");
    }
    for (guint i = 0; i < d->n_formulas; i++) {
        layout_document_pass(d, 8 * i);
        if (!owner_is_fine(d, d->formulas[i].block, LAYOUT_BLOCK_FORMULA, i))
            return wrong(error, "formulas", i, "its block is none of a formula's");
        if (!(d->formulas[i].confidence >= 0 && d->formulas[i].confidence <= 1))
            return wrong(error, "formulas", i, "confidence is not in 0..1");
    }
    for (guint i = 0; i < d->n_references; i++) {
        layout_document_pass(d, i);
        if (!owner_is_fine(d, d->references[i].block, LAYOUT_BLOCK_REFERENCE, i))
            return wrong(error, "references", i, "its block is none of a reference's");
        if ((guint)d->references[i].kind >= LAYOUT_N_REFERENCE_KINDS)
            return wrong(error, "references", i, "unknown kind");
        if (!range_is_fine(d->references[i].first_name, d->references[i].n_names, d->n_names))
            return wrong(error, "references", i, "names out of range");
    }
    for (guint i = 0; i < d->n_names; i++) {
        layout_document_pass(d, i);
        if (!d->names[i].family) return wrong(error, "names", i, "no family name");
    }
    return TRUE;
}

static gboolean
check_citations(const lode_document *d, GError **error)
{
    for (guint i = 0; i < d->n_citations; i++) {
        const layout_citation *c = &d->citations[i];
        layout_document_pass(d, i);
        if (c->block < 0 || (guint)c->block >= d->n_blocks)
            return wrong(error, "citations", i, "block out of range");
        if (c->reference < 0 || (guint)c->reference >= d->n_references)
            return wrong(error, "citations", i, "reference out of range");
        if (c->len == 0 || !stretch_is_fine(&d->blocks[c->block], c->start, c->len))
            return wrong(error, "citations", i, "it is empty, leaves the text or cuts a character");
        if (i > 0 && layout_citation_compare(c - 1, c) >= 0)
            return wrong(error, "citations", i, "not sorted");
    }
    return TRUE;
}

gboolean
layout_document_check(const lode_document *document, GError **error)
{
    for (guint p = 0; p < document->n_pages; p++) {
        const layout_page *page = &document->pages[p];
        layout_document_pass(document, p);
        if (!isfinite(page->width_pt) || !isfinite(page->height_pt) || page->width_pt < 0 ||
            page->height_pt < 0)
            return wrong(error, "pages", p, "bad size");
        if (page->rotation != 0 && page->rotation != 90 && page->rotation != 180 &&
            page->rotation != 270)
            return wrong(error, "pages", p, "rotation is not 0, 90, 180 or 270");
        if (page->turn < 0 || page->turn > 270 || page->turn % 90 != 0)
            return wrong(error, "pages", p, "turn is not 0, 90, 180 or 270");
        if ((guint)page->source > LAYOUT_TEXT_NONE)
            return wrong(error, "pages", p, "unknown text source");
    }
    for (guint i = 0; i < document->n_discards; i++) {
        const layout_discard *discard = &document->discards[i];
        layout_document_pass(document, i);
        if ((guint)discard->reason >= LAYOUT_N_DISCARD_REASONS)
            return wrong(error, "discarded", i, "unknown reason");
        if (!box_is_fine(document, &discard->box)) return wrong(error, "discarded", i, "bad box");
        if (!discard->text || !g_utf8_validate(discard->text, -1, NULL))
            return wrong(error, "discarded", i, "text is not UTF-8");
    }
    for (guint w = 0; w < document->n_warnings; w++) {
        const int page = document->warnings[w].page;
        if (page != LAYOUT_NONE && (page < 0 || (guint)page >= document->n_pages))
            return wrong(error, "warnings", w, "page out of range");
    }
    return check_blocks(document, error) && check_tables(document, error) &&
           check_items(document, error) && check_citations(document, error);
}
