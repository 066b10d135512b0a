/* A document -> text without markup: one paragraph per line, an empty line between two. What stands where is as in
 * Markdown: captions with their figure or table, footnotes at the end of their section, no furniture unless asked
 * for. Raised and lowered characters keep their place where Unicode has them ("10⁻³"). */
#include "layout/writers.h"

#include <string.h>

#define COLUMN_GAP 2

typedef struct {
    const lode_document *document;
    const layout_write_options *options;
    GString *out;
    layout_captions captions;
    GArray *waiting; /* guint: footnotes of this section */
    gboolean in_list;
} writer;

static void
begin_block(writer *w, gboolean list_item)
{
    if (w->out->len > 0 && !(list_item && w->in_list)) g_string_append_c(w->out, '\n');
    w->in_list = list_item;
}

static void
append_text(GString *out, const lode_document *d, const layout_block *block)
{
    uint32_t at = 0;
    for (guint i = 0; i < block->n_spans; i++) {
        const layout_span *span = &d->spans[block->first_span + i];
        const guint script = span->flags & (LAYOUT_SPAN_SUPERSCRIPT | LAYOUT_SPAN_SUBSCRIPT);
        if (!script) continue;
        g_string_append_len(out, block->text + at, span->start - at);
        at = span->start + span->len;
        if (!layout_append_script(out, block->text, span->start, at,
                                  (script & LAYOUT_SPAN_SUPERSCRIPT) != 0))
            g_string_append_len(out, block->text + span->start, span->len);
    }
    g_string_append(out, block->text + at);
}

static void
append_paragraph(writer *w, guint index, guint indent, gboolean list_item)
{
    const layout_block *block = &w->document->blocks[index];
    const gboolean marked = block->marker && !g_str_has_prefix(block->text, block->marker);
    if (block->text_len == 0 && !marked) return;
    begin_block(w, list_item);
    for (guint i = 0; i < indent; i++)
        g_string_append_c(w->out, ' ');
    if (marked) g_string_append_printf(w->out, "%s ", block->marker);
    append_text(w->out, w->document, block);
    if (w->out->str[w->out->len - 1] != '\n') g_string_append_c(w->out, '\n');
}

static void
append_list_item(writer *w, guint index)
{
    const layout_block *block = &w->document->blocks[index];
    append_paragraph(w, index, 2 * (guint)(CLAMP(block->level, 1, 20) - 1), TRUE);
}

/* ---- tables ---- */

/* Columns on a screen with fixed pitch. */
static guint
width_of(const char *text)
{
    guint width = 0;
    for (const char *p = text; *p; p = g_utf8_next_char(p)) {
        const gunichar c = g_utf8_get_char(p);
        width += g_unichar_iszerowidth(c) ? 0 : g_unichar_iswide(c) ? 2 : 1;
    }
    return width;
}

/* Cells over one column decide; those over several widen the last of theirs where they must. */
static guint *
column_widths(const lode_document *d, const layout_table *table)
{
    guint *widths = g_new0(guint, table->n_cols + 1);
    for (guint pass = 0; pass < 2; pass++) {
        for (guint i = 0; i < table->n_cells; i++) {
            const layout_cell *cell = &d->cells[table->first_cell + i];
            if ((cell->col_span > 1) != (pass == 1)) continue;
            const guint wanted = width_of(cell->text), last = cell->col + cell->col_span - 1;
            guint have = 0;
            for (guint c = cell->col; c <= last; c++)
                have += widths[c] + (c < last ? COLUMN_GAP : 0);
            if (wanted > have) widths[last] += wanted - have;
        }
    }
    return widths;
}

static void
append_row(GString *out, const layout_cell *cells, guint n, const guint *widths, guint n_cols)
{
    const gsize start = out->len;
    guint c = 0;
    for (guint i = 0; i <= n; i++) {
        const guint col = i < n ? cells[i].col : n_cols;
        for (; c < col; c++) /* under a cell of a row above */
            g_string_append_printf(out, "%*s", (int)(widths[c] + COLUMN_GAP), "");
        if (i == n) break;
        guint width = 0;
        for (guint k = 0; k < cells[i].col_span; k++)
            width += widths[c++] + COLUMN_GAP;
        g_autofree char *text = g_strdelimit(g_strdup(cells[i].text), "\n\t\r", ' ');
        g_string_append_printf(out, "%s%*s", text, (int)(width - MIN(width_of(text), width)), "");
    }
    while (out->len > start && out->str[out->len - 1] == ' ')
        g_string_truncate(out, out->len - 1);
    g_string_append_c(out, '\n');
}

static void
append_captions(writer *w, guint owner, gboolean before)
{
    for (int c = w->captions.first[owner]; c != LAYOUT_NONE; c = w->captions.next[c])
        if (((guint)c < owner) == before) append_paragraph(w, (guint)c, 0, FALSE);
}

static void
append_table(writer *w, guint index)
{
    const layout_block *block = &w->document->blocks[index];
    if (block->item == LAYOUT_NONE) {
        append_paragraph(w, index, 0, FALSE);
        return;
    }
    const layout_table *table = &w->document->tables[block->item];
    const layout_cell *cells = w->document->cells + table->first_cell;
    g_autofree guint *widths = column_widths(w->document, table);
    append_captions(w, index, TRUE);
    if (table->n_cells > 0) begin_block(w, FALSE);
    for (guint i = 0, end; i < table->n_cells; i = end) {
        for (end = i; end < table->n_cells && cells[end].row == cells[i].row;)
            end++;
        append_row(w->out, cells + i, end - i, widths, table->n_cols);
    }
    append_captions(w, index, FALSE);
}

/* ---- the whole ---- */

static void
flush_notes(writer *w)
{
    for (guint i = 0; i < w->waiting->len; i++)
        append_paragraph(w, g_array_index(w->waiting, guint, i), 0, FALSE);
    g_array_set_size(w->waiting, 0);
}

static void
append_formula(writer *w, guint index)
{
    const layout_block *block = &w->document->blocks[index];
    const layout_formula *formula =
        block->item != LAYOUT_NONE ? &w->document->formulas[block->item] : NULL;
    const char *number = formula ? formula->number : NULL;
    /* printed over several lines, fractions and limits would come out of order */
    if (formula && formula->latex && block->n_lines > 1) {
        begin_block(w, FALSE);
        g_string_append(w->out, formula->latex);
        if (number) g_string_append_printf(w->out, "  (%s)", number);
        g_string_append_c(w->out, '\n');
        return;
    }
    g_autofree char *printed = number ? g_strdup_printf("(%s)", number) : NULL;
    append_paragraph(w, index, 0, FALSE);
    if (!printed || block->text_len == 0 || g_str_has_suffix(block->text, printed)) return;
    g_string_truncate(w->out, w->out->len - 1);
    g_string_append_printf(w->out, "  %s\n", printed);
}

static void
append_block(writer *w, guint index)
{
    const layout_block *block = &w->document->blocks[index];
    if (layout_block_type_is_furniture(block->type) && !w->options->furniture) return;
    if (w->captions.owner[index] != LAYOUT_NONE) return;
    switch (block->type) {
    case LAYOUT_BLOCK_FOOTNOTE:
        g_array_append_val(w->waiting, index);
        break;
    case LAYOUT_BLOCK_HEADING:
        flush_notes(w);
        append_paragraph(w, index, 0, FALSE);
        break;
    case LAYOUT_BLOCK_LIST_ITEM:
        append_list_item(w, index);
        break;
    case LAYOUT_BLOCK_TABLE:
        append_table(w, index);
        break;
    case LAYOUT_BLOCK_FIGURE:
        append_captions(w, index, TRUE);
        append_captions(w, index, FALSE);
        break;
    case LAYOUT_BLOCK_FORMULA:
        append_formula(w, index);
        break;
    default:
        append_paragraph(w, index, 0, FALSE);
        break;
    }
}

char *
layout_document_to_text(const lode_document *document, const layout_write_options *options)
{
    const layout_write_options defaults = layout_write_options_default();
    writer w = {.document = document,
                .options = options ? options : &defaults,
                .out = g_string_new(NULL),
                .waiting = g_array_new(FALSE, FALSE, sizeof(guint))};
    layout_captions_init(&w.captions, document);
    for (guint b = 0; b < document->n_blocks; b++) {
        layout_document_pass(document, b);
        append_block(&w, b);
    }
    flush_notes(&w);
    layout_captions_clear(&w.captions);
    g_array_unref(w.waiting);
    return g_string_free(w.out, FALSE);
}
