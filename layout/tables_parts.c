/* The parts of a table that goes on over columns and pages: do they have the same columns, does the head of one
 * stand again over the next, and what one of them loses or gets when they become one. */
#include "layout/tables_parts.h"

#include <math.h>
#include <string.h>

#define SAME_EDGE_PT 3.0F
#define MAX_HEADER   6 /* rows */

static layout_grid_cell *
cell_at(const layout_table_region *table, guint i)
{
    return &g_array_index(table->cells, layout_grid_cell, i);
}

static gboolean
holds(layout_rect box, float x, float y)
{
    return x >= box.x0 && x <= box.x1 && y >= box.y0 && y <= box.y1;
}

static gboolean
is_of(const layout_seg *seg, int table)
{
    return seg->role == LAYOUT_ROLE_TABLE && seg->owner == table;
}

/* The middle of what is printed. */
static float
middle_y(const layout_seg *seg)
{
    return seg->turn == 0 ? seg->baseline - 0.3F * seg->size_pt
                          : 0.5F * (seg->box.y0 + seg->box.y1);
}

/* ---- columns ---- */

typedef struct {
    float box0, box1;   /* between its borders */
    float text0, text1; /* what is printed in it; text0 > text1: nothing */
} column;

static void
borders_read(const layout_table_region *table, column *columns)
{
    for (guint c = 0; c < table->n_cols; c++)
        columns[c] = (column){G_MAXFLOAT, -G_MAXFLOAT, G_MAXFLOAT, -G_MAXFLOAT};
    for (guint i = 0; i < table->cells->len; i++) {
        const layout_grid_cell *cell = cell_at(table, i);
        const guint last = cell->col + cell->col_span - 1;
        columns[cell->col].box0 = MIN(columns[cell->col].box0, cell->box.x0);
        columns[last].box1 = MAX(columns[last].box1, cell->box.x1);
    }
}

/* Does a cell over several columns lie here? */
static gboolean
is_spanned(const layout_table_region *table, float x, float y)
{
    for (guint i = 0; i < table->cells->len; i++) {
        const layout_grid_cell *cell = cell_at(table, i);
        if (cell->col_span > 1 && cell->text[0] != '\0' && holds(cell->box, x, y)) return TRUE;
    }
    return FALSE;
}

static column *
columns_read(const layout_sheet *sheet, int index)
{
    const layout_table_region *table = &g_array_index(sheet->tables, layout_table_region, index);
    column *columns = g_new(column, table->n_cols + 1);
    borders_read(table, columns);
    for (guint i = 0; i < sheet->segs->len; i++) {
        const layout_seg *seg = layout_sheet_seg(sheet, i);
        if (!is_of(seg, index) || seg->turn != 0) continue;
        for (guint w = seg->first_word; w < seg->first_word + seg->n_words; w++) {
            const layout_word *word = layout_sheet_word(sheet, w);
            const float x = 0.5F * (word->x0 + word->x1);
            if (is_spanned(table, x, middle_y(seg))) continue;
            for (guint c = 0; c < table->n_cols; c++) {
                if (x < columns[c].box0 || x > columns[c].box1) continue;
                columns[c].text0 = MIN(columns[c].text0, word->x0);
                columns[c].text1 = MAX(columns[c].text1, word->x1);
                break;
            }
        }
    }
    return columns;
}

/* Between the same borders? */
static gboolean
same_borders(const column *a, const column *b, float shift)
{
    return fabsf(a->box0 - b->box0 + shift) < SAME_EDGE_PT &&
           fabsf(a->box1 - b->box1 + shift) < SAME_EDGE_PT;
}

static float
shared_width(const column *a, const column *b, float shift)
{
    if (same_borders(a, b, shift)) return 2 * (a->box1 - a->box0);
    if (a->text0 <= a->text1 && b->text0 <= b->text1)
        return layout_overlap_1d(a->text0, a->text1, b->text0 - shift, b->text1 - shift);
    return layout_overlap_1d(a->box0, a->box1, b->box0 - shift, b->box1 - shift);
}

/* Set to the left, to the right or in the middle at the same place, or between the same borders? */
static gboolean
in_line(const column *a, const column *b, float shift)
{
    const gboolean borders = same_borders(a, b, shift);
    if (borders || a->text0 > a->text1 || b->text0 > b->text1) return borders;
    const float left = a->text0 - b->text0 + shift, right = a->text1 - b->text1 + shift;
    return fabsf(left) < SAME_EDGE_PT || fabsf(right) < SAME_EDGE_PT ||
           fabsf(left + right) < 2 * SAME_EDGE_PT;
}

/* Finds for each column of few the one of many that stands over it: map [n_few], rising. shift: few stands this far
 * to the right. */
static gboolean
columns_map(const column *many, guint n_many, const column *few, guint n_few, float shift,
            gboolean strict, guint *map)
{
    guint n_lined = 0, next = 0;
    for (guint k = 0; k < n_few; k++) {
        float best = 0, second = 0;
        guint at = n_many;
        for (guint i = 0; i < n_many; i++) {
            const float shared = shared_width(&many[i], &few[k], shift);
            if (shared > best) {
                second = best;
                best = shared;
                at = i;
            } else {
                second = MAX(second, shared);
            }
        }
        if (at == n_many || at < next || second > 0.5F * best) return FALSE;
        n_lined += in_line(&many[at], &few[k], shift) ? 1 : 0;
        map[k] = at;
        next = at + 1;
    }
    return strict ? 4 * n_lined >= 3 * n_few : 2 * n_lined >= n_few;
}

layout_parts_fit
layout_parts_compare(const layout_sheet *sheet_a, int a, const layout_sheet *sheet_b, int b,
                     gboolean strict, GArray *map)
{
    const layout_table_region *x = &g_array_index(sheet_a->tables, layout_table_region, a);
    const layout_table_region *y = &g_array_index(sheet_b->tables, layout_table_region, b);
    g_autofree column *left = columns_read(sheet_a, a), *right = columns_read(sheet_b, b);
    const gboolean wider = y->n_cols > x->n_cols;
    const column *many = wider ? right : left, *few = wider ? left : right;
    const guint n_many = MAX(x->n_cols, y->n_cols), n_few = MIN(x->n_cols, y->n_cols);
    /* a column that is empty on one page may be missing there, not half of them */
    if (n_few < 2 || 4 * (n_many - n_few) > n_many) return LAYOUT_PARTS_DIFFER;
    g_array_set_size(map, n_few);
    /* margins change sides from page to page */
    const float moved = wider ? x->box.x0 - y->box.x0 : y->box.x0 - x->box.x0;
    const float width = x->box.x1 - x->box.x0, growth = y->box.x1 - y->box.x0 - width;
    guint *to = (guint *)(gpointer)map->data;
    if (!columns_map(many, n_many, few, n_few, 0, strict, to) &&
        (fabsf(growth) > 12 || !columns_map(many, n_many, few, n_few, moved, strict, to)))
        return LAYOUT_PARTS_DIFFER;
    return n_few == n_many ? LAYOUT_PARTS_SAME : wider ? LAYOUT_PARTS_WIDER : LAYOUT_PARTS_NARROWER;
}

/* An empty cell of a row, between the borders of its neighbours. */
static layout_grid_cell
gap_cell(const layout_grid_cell *beside, guint col, gboolean behind)
{
    layout_grid_cell cell = {.row = beside->row,
                             .col = col,
                             .row_span = beside->row_span,
                             .col_span = 1,
                             .header = beside->header,
                             .text = g_strdup(""),
                             .box = beside->box};
    cell.box.x0 = cell.box.x1 = behind ? beside->box.x1 : beside->box.x0;
    return cell;
}

static int
compare_cell(gconstpointer a, gconstpointer b)
{
    const layout_grid_cell *x = a, *y = b;
    if (x->row != y->row) return x->row < y->row ? -1 : 1;
    return (x->col > y->col) - (x->col < y->col);
}

void
layout_parts_widen(layout_table_region *table, const guint *map, guint n_cols)
{
    const guint n_old = table->n_cols, n_cells = table->cells->len;
    for (guint i = 0; i < n_cells; i++) {
        layout_grid_cell cell = *cell_at(table, i);
        const guint last = cell.col + cell.col_span - 1;
        const guint from = map[cell.col], to = map[last];
        /* columns that are new before the first, and behind this one */
        const guint before = cell.col == 0 ? from : 0;
        const guint behind = (last + 1 < n_old ? map[last + 1] : n_cols) - to - 1;
        cell_at(table, i)->col = from;
        cell_at(table, i)->col_span = to - from + 1;
        for (guint c = 0; c < before + behind; c++) {
            const gboolean right = c >= before;
            layout_grid_cell gap = gap_cell(&cell, right ? to + 1 + c - before : c, right);
            g_array_append_val(table->cells, gap);
        }
    }
    table->n_cols = n_cols;
    g_array_sort(table->cells, compare_cell);
}

/* ---- rows ---- */

/* What stands in rows [first, end), cell after cell; g_free. */
static char *
rows_text(const layout_table_region *table, guint first, guint end)
{
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < table->cells->len; i++) {
        const layout_grid_cell *cell = cell_at(table, i);
        if (cell->row < first || cell->row >= end) continue;
        for (const char *at = cell->text; *at != '\0'; at = g_utf8_next_char(at)) {
            const gunichar ch = g_utf8_get_char(at);
            if (!g_unichar_isspace(ch)) g_string_append_unichar(text, g_unichar_tolower(ch));
        }
    }
    return g_string_free(text, FALSE);
}

guint
layout_parts_repeated(const layout_table_region *head, const layout_table_region *part, guint first)
{
    const guint most_head = MIN(head->n_rows, MAX_HEADER);
    const guint most = MIN(part->n_rows - first, MAX_HEADER);
    const guint least = MAX(head->n_header_rows, 1);
    guint found = 0;
    for (guint h = least; h <= most_head && (found == 0 || head->n_header_rows == 0); h++) {
        g_autofree char *wanted = rows_text(head, 0, h);
        gboolean here = FALSE;
        for (guint k = 1; k <= most && !here; k++) {
            g_autofree char *text = rows_text(part, first, first + k);
            here = wanted[0] != '\0' && strcmp(wanted, text) == 0;
            if (here) found = k;
        }
        if (!here) break;
    }
    /* all of it again is another table */
    return found + first < part->n_rows ? found : 0;
}

gboolean
layout_parts_is_number(const char *text, gsize len)
{
    guint digits = 0, letters = 0;
    for (const char *at = text; at < text + len; at = g_utf8_next_char(at)) {
        const gunichar ch = g_utf8_get_char(at);
        digits += g_unichar_isdigit(ch) ? 1 : 0;
        letters += g_unichar_isalpha(ch) ? 1 : 0;
    }
    return digits > 0 && letters <= digits;
}

/* Are there numbers in this column, but for rows before first? */
static gboolean
is_number_column(const layout_table_region *table, guint col, guint first)
{
    guint numbers = 0, others = 0;
    for (guint i = 0; i < table->cells->len; i++) {
        const layout_grid_cell *cell = cell_at(table, i);
        if (cell->col != col || cell->row < first || cell->col_span > 1) continue;
        if (layout_parts_is_number(cell->text, strlen(cell->text)))
            numbers++;
        else if (g_utf8_strlen(cell->text, -1) > 3)
            others++;
    }
    return numbers > 1 && numbers > 2 * others;
}

/* Are all the words of a row bold? */
static gboolean
is_bold_row(const layout_sheet *sheet, int index, guint row)
{
    const layout_table_region *table = &g_array_index(sheet->tables, layout_table_region, index);
    guint bold = 0, plain = 0;
    for (guint i = 0; i < sheet->segs->len; i++) {
        const layout_seg *seg = layout_sheet_seg(sheet, i);
        if (!is_of(seg, index)) continue;
        for (guint k = 0; k < table->cells->len; k++) {
            const layout_grid_cell *cell = cell_at(table, k);
            if (cell->row != row ||
                !holds(cell->box, 0.5F * (seg->box.x0 + seg->box.x1), middle_y(seg)))
                continue;
            *(seg->flags & LAYOUT_SPAN_BOLD ? &bold : &plain) += 1;
            break;
        }
    }
    return bold > 0 && plain == 0;
}

gboolean
layout_parts_has_header(const layout_sheet *sheet, int index)
{
    const layout_table_region *table = &g_array_index(sheet->tables, layout_table_region, index);
    const guint body = MAX(table->n_header_rows, 1);
    guint words = 0, numbers = 0, over_numbers = 0, as_numbers = 0;
    for (guint i = 0; i < table->cells->len; i++) {
        const layout_grid_cell *cell = cell_at(table, i);
        if (cell->row >= body || cell->col == 0 || cell->text[0] == '\0') continue;
        const gboolean number = layout_parts_is_number(cell->text, strlen(cell->text));
        *(number ? &numbers : &words) += 1;
        if (cell->col_span == 1 && is_number_column(table, cell->col, body))
            *(number ? &as_numbers : &over_numbers) += 1;
    }
    /* a number over numbers is one of them, whatever the row was taken for */
    if (table->n_header_rows > 0) return words > numbers && as_numbers <= over_numbers;
    if (over_numbers > 0 && over_numbers >= numbers) return TRUE;
    return words > 0 && table->n_rows > 2 && is_bold_row(sheet, index, 0) &&
           !is_bold_row(sheet, index, 1);
}

/* Does nothing stand in the row but that the table goes on? */
static gboolean
is_remark(const layout_table_region *table, guint row)
{
    const char *only = NULL;
    for (guint i = 0; i < table->cells->len; i++) {
        const layout_grid_cell *cell = cell_at(table, i);
        if (cell->row != row || cell->text[0] == '\0') continue;
        if (only != NULL) return FALSE;
        only = cell->text;
    }
    return only != NULL && layout_text_is_continued(only, strlen(only));
}

gboolean
layout_parts_has_remark(const layout_table_region *table, gboolean last)
{
    return table->n_rows > 1 && is_remark(table, last ? table->n_rows - 1 : 0);
}

gboolean
layout_parts_drop_rows(layout_sheet *sheet, int index, guint first, guint n)
{
    layout_table_region *table = &g_array_index(sheet->tables, layout_table_region, index);
    guint in_cells = 0, in_segs = 0;
    if (n == 0 || n >= table->n_rows) return FALSE;
    for (guint i = 0; i < table->cells->len; i++) {
        const layout_grid_cell *cell = cell_at(table, i);
        const guint end = cell->row + cell->row_span;
        const gboolean inside = cell->row >= first && end <= first + n;
        if (!inside && cell->row < first + n && end > first) return FALSE;
        if (inside) in_cells += cell->n_glyphs;
    }
    g_autoptr(GArray) segs = g_array_new(FALSE, FALSE, sizeof(guint));
    for (guint i = 0; i < sheet->segs->len; i++) {
        const layout_seg *seg = layout_sheet_seg(sheet, i);
        if (!is_of(seg, index)) continue;
        const float x = 0.5F * (seg->box.x0 + seg->box.x1), y = middle_y(seg);
        for (guint k = 0; k < table->cells->len; k++) {
            const layout_grid_cell *cell = cell_at(table, k);
            if (cell->row < first || cell->row >= first + n || !holds(cell->box, x, y)) continue;
            in_segs += layout_ledger_count(sheet, seg->start, seg->len);
            g_array_append_val(segs, i);
            break;
        }
    }
    /* a segment that reaches into another row stays, and its row with it: every glyph is in one place */
    if (in_segs != in_cells) return FALSE;
    for (guint i = 0; i < segs->len; i++)
        layout_sheet_seg(sheet, g_array_index(segs, guint, i))->role = LAYOUT_ROLE_HEADER;
    for (guint i = table->cells->len; i-- > 0;) {
        layout_grid_cell *cell = cell_at(table, i);
        if (cell->row >= first + n)
            cell->row -= n;
        else if (cell->row >= first)
            g_array_remove_index(table->cells, i);
    }
    table->n_rows -= n;
    table->n_header_rows -= MIN(table->n_header_rows, first == 0 ? n : 0);
    return TRUE;
}
