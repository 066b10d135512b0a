/* The cells of a table whose rows and columns are known, and those that span several of them. */
#include "layout/tables_grid.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int
compare_cell_order(gconstpointer a, gconstpointer b)
{
    const layout_piece *x = a, *y = b;
    if (x->row != y->row) return x->row < y->row ? -1 : 1;
    if (x->col0 != y->col0) return x->col0 < y->col0 ? -1 : 1;
    if (fabsf(x->baseline - y->baseline) > 0.3F * MIN(x->size, y->size))
        return x->baseline < y->baseline ? -1 : 1;
    if (x->x0 != y->x0) return x->x0 < y->x0 ? -1 : 1;
    return (x->start > y->start) - (x->start < y->start);
}

/* ---- spans ---- */

/* A rule under a header from x0 to x1 says which columns it is over. */
static void
spans_from_rules(layout_grid *g)
{
    const GArray *rules = g->rules->horizontal;
    float width = g->box.x1 - g->box.x0;
    for (guint i = 0; i < g->pieces->len; i++) {
        layout_piece *p = layout_grid_piece(g, i);
        const layout_band *b = layout_grid_band(g, p->row);
        if (!b->header) continue;
        for (guint k = 0; k < rules->len; k++) {
            const layout_rule *r = &g_array_index(rules, layout_rule, k);
            if (r->y0 < p->baseline || r->y0 > p->baseline + 1.1F * p->size) continue;
            if (r->x1 - r->x0 > 0.8F * width) continue;
            if (p->x0 < r->x0 - 3 || p->x1 > r->x1 + 3) continue;
            guint a = layout_grid_column(g, r->x0 + 3), z = layout_grid_column(g, r->x1 - 3);
            p->col0 = MIN(p->col0, a);
            p->col1 = MAX(p->col1, z);
            break;
        }
    }
}

/* Does another piece stand on its line? The pieces are in the order of compare_place. */
static gboolean
is_alone(const layout_grid *g, guint i)
{
    const layout_piece *p = layout_grid_piece(g, i);
    return (i == 0 || p[-1].row != p->row) && (i + 1 == g->pieces->len || p[1].row != p->row);
}

/* Where the text of each column stands, from pieces within one. */
static void
columns_extent(const layout_grid *g, float *x0, float *x1)
{
    for (guint c = 0; c <= g->cuts->len; c++) {
        x0[c] = G_MAXFLOAT;
        x1[c] = -G_MAXFLOAT;
    }
    for (guint i = 0; i < g->pieces->len; i++) {
        const layout_piece *p = layout_grid_piece(g, i);
        if (p->col0 != p->col1 || is_alone(g, i)) continue;
        x0[p->col0] = MIN(x0[p->col0], p->x0);
        x1[p->col0] = MAX(x1[p->col0], p->x1);
    }
}

/* How far p's middle is from that of columns a..z; G_MAXFLOAT where one of those is empty. */
static float
off_centre(const layout_piece *p, const float *x0, const float *x1, guint a, guint z)
{
    for (guint c = a; c <= z; c++)
        if (x0[c] > x1[c]) return G_MAXFLOAT;
    return 0.5F * fabsf(p->x0 + p->x1 - x0[a] - x1[z]);
}

/* p stands over the middle of some free columns around its own, lo to hi, and not over the middle of its own: it is
 * the heading of all of them. One alone on its line must be too wide for its own. */
static void
centre_span(layout_piece *p, const float *x0, const float *x1, guint lo, guint hi, gboolean alone)
{
    guint best_a = p->col0, best_z = p->col1;
    float slack = MAX(3, 0.4F * p->size), least = G_MAXFLOAT;
    gboolean wide = alone && p->x1 - p->x0 > x1[p->col1] - x0[p->col0] + 2 * p->size;
    /* in line with its column it is one more line of a cell */
    if (p->col0 == p->col1 && fabsf(p->x0 - x0[p->col0]) < 2) return;
    if (!wide && (alone || off_centre(p, x0, x1, p->col0, p->col1) <= slack)) return;
    for (guint a = lo; a <= p->col0; a++)
        for (guint z = p->col1; z <= hi; z++) {
            float off = off_centre(p, x0, x1, a, z);
            if (off >= least || off > MAX(slack, 0.05F * (x1[z] - x0[a]))) continue;
            if (wide && x1[z] - x0[a] < p->x1 - p->x0) continue;
            least = off;
            best_a = a;
            best_z = z;
        }
    p->col0 = best_a;
    p->col1 = best_z;
}

static int
compare_place(gconstpointer a, gconstpointer b)
{
    const layout_piece *x = a, *y = b;
    if (x->row != y->row) return x->row < y->row ? -1 : 1;
    if (x->x0 != y->x0) return x->x0 < y->x0 ? -1 : 1;
    return (x->start > y->start) - (x->start < y->start);
}

/* Headings without a rule: in the header above other lines of it, in the body alone on their line. */
static void
spans_from_centres(layout_grid *g)
{
    guint n = g->cuts->len + 1;
    g_autofree float *x0 = g_new(float, n), *x1 = g_new(float, n);
    g_array_sort(g->pieces, compare_place);
    columns_extent(g, x0, x1);
    for (guint i = 0; i < g->pieces->len; i++) {
        layout_piece *p = layout_grid_piece(g, i);
        const layout_piece *before = i > 0 ? p - 1 : NULL;
        const layout_piece *after = i + 1 < g->pieces->len ? p + 1 : NULL;
        if (before != NULL && before->row != p->row) before = NULL;
        if (after != NULL && after->row != p->row) after = NULL;
        gboolean header = layout_grid_band(g, p->row)->header;
        gboolean more = p->row + 1 < g->bands->len && layout_grid_band(g, p->row + 1)->header;
        if (header ? !more : before != NULL || after != NULL || p->col0 == 0) continue;
        guint lo = before != NULL ? before->col1 + 1 : 0, hi = after != NULL ? after->col0 : n;
        if (lo > p->col0 || hi <= p->col1) continue;
        centre_span(p, x0, x1, lo, hi - 1, before == NULL && after == NULL && !header);
    }
}

void
layout_grid_spans(layout_grid *g)
{
    spans_from_rules(g);
    spans_from_centres(g);
}

/* ---- cells ---- */

static gboolean
vertical_between(const layout_grid *g, guint cut, const layout_band *b)
{
    float x = g_array_index(g->cuts, float, cut);
    const GArray *rules = g->rules->vertical;
    float middle = 0.5F * (b->top + b->bottom);
    for (guint i = 0; i < rules->len; i++) {
        const layout_rule *r = &g_array_index(rules, layout_rule, i);
        if (fabsf(0.5F * (r->x0 + r->x1) - x) < 3.5F && r->y0 < middle && r->y1 > middle)
            return TRUE;
    }
    return FALSE;
}

static layout_rect
cell_box(const layout_grid *g, guint row, guint col0, guint col1)
{
    const layout_band *b = layout_grid_band(g, row);
    float x0 = col0 == 0 ? g->box.x0 : g_array_index(g->cuts, float, col0 - 1);
    float x1 = col1 >= g->cuts->len ? g->box.x1 : g_array_index(g->cuts, float, col1);
    return (layout_rect){x0, b->top, MAX(x0, x1), MAX(b->top, b->bottom)};
}

gsize
layout_grid_without_leader(const char *text, gsize len)
{
    gsize end = len;
    guint dots = 0;
    while (end > 0 && (text[end - 1] == '.' || text[end - 1] == ' '))
        dots += text[--end] == '.' ? 1 : 0;
    return dots >= 4 ? end : len;
}

/* A piece of text becomes a part of a cell. */
static void
part_add(const layout_grid *g, layout_grid_cell *cell, const layout_piece *p, gsize len,
         gboolean line)
{
    if (!g->math || len == 0) return;
    if (cell->parts == NULL) cell->parts = g_array_new(FALSE, FALSE, sizeof(layout_cell_part));
    const layout_cell_part part = {p->seg, p->start, (uint32_t)len, line};
    g_array_append_val(cell->parts, part);
}

/* What is drawn in a cell is one picture. */
static void
picture_join(layout_grid_cell *cell, layout_rect picture)
{
    if (picture.x1 <= picture.x0) return;
    const gboolean first = cell->picture.x1 <= cell->picture.x0;
    cell->picture = first ? picture : layout_rect_join(cell->picture, picture);
}

static void
picture_add(const layout_grid *g, layout_grid_cell *cell, const layout_piece *p)
{
    if (p->picture > 0)
        picture_join(cell, g_array_index(g->sheet->pictures, layout_rect, p->picture - 1));
}

/* How many bytes at the end of a piece are raised behind a word: the mark of a note, perhaps. */
static guint
raised_end(const layout_grid *g, const layout_piece *p, gsize len)
{
    const layout_seg *seg = layout_sheet_seg(g->sheet, p->seg);
    const uint32_t end = p->start + (uint32_t)len;
    for (guint i = seg->first_style + seg->n_styles; i-- > seg->first_style;) {
        const layout_style *style = layout_sheet_style(g->sheet, i);
        if (style->start >= end) continue;
        const gboolean raised = (style->flags & LAYOUT_SPAN_SUPERSCRIPT) != 0 &&
                                style->start > p->start && style->start + style->len >= end;
        return raised ? end - style->start : 0;
    }
    return 0;
}

/* text goes on a cell, after what stands between lines or pieces. */
static void
cell_append(layout_grid_cell *cell, const char *text, gsize len, char between)
{
    if (len == 0) return;
    char *joint = *cell->text == '\0'
                      ? g_strndup(text, len)
                      : g_strdup_printf("%s%c%.*s", cell->text, between, (int)len, text);
    g_free(cell->text);
    cell->text = joint;
}

/* owner[place] = index of the cell that covers it, plus one. */
static void
cells_make(layout_grid *g, layout_table_region *table, guint32 *owner)
{
    guint rows = g->bands->len, cols = g->cuts->len + 1;
    g_array_sort(g->pieces, compare_cell_order);
    table->cells = layout_grid_cells_new();
    for (guint i = 0; i < g->pieces->len; i++) {
        const layout_piece *p = layout_grid_piece(g, i);
        const char *text = g->sheet->text->str + p->start;
        const gsize len = layout_grid_without_leader(text, p->len);
        guint32 *place = &owner[p->row * cols + p->col0];
        guint n_glyphs = layout_ledger_count(g->sheet, p->start, p->len);
        if (*place != 0) {
            layout_grid_cell *cell = &g_array_index(table->cells, layout_grid_cell, *place - 1);
            picture_add(g, cell, p);
            if (p->picture > 0) continue;
            const gboolean same_line =
                i > 0 && fabsf(p->baseline - p[-1].baseline) < 0.4F * p->size;
            cell_append(cell, text, len, same_line ? ' ' : '\n');
            part_add(g, cell, p, len, !same_line);
            cell->n_raised = raised_end(g, p, len);
            cell->n_glyphs += n_glyphs;
            continue;
        }
        layout_grid_cell cell = {.row = p->row,
                                 .col = p->col0,
                                 .row_span = 1,
                                 .col_span = 1,
                                 .text = g_strndup(text, len),
                                 .n_glyphs = n_glyphs,
                                 .n_raised = p->picture > 0 ? 0 : raised_end(g, p, len),
                                 .header = g_array_index(g->bands, layout_band, p->row).header};
        guint last = p->col0;
        while (last < p->col1 && last + 1 < cols && owner[p->row * cols + last + 1] == 0)
            last++;
        cell.col_span = last - p->col0 + 1;
        cell.box = cell_box(g, p->row, p->col0, last);
        part_add(g, &cell, p, len, TRUE);
        picture_add(g, &cell, p);
        g_array_append_val(table->cells, cell);
        for (guint c = p->col0; c <= last; c++)
            owner[p->row * cols + c] = table->cells->len;
    }
    table->n_rows = rows;
    table->n_cols = cols;
}

/* In a ruled table a missing border joins an empty place to its neighbour. */
static void
cells_join_lattice(layout_grid *g, layout_table_region *table, guint32 *owner)
{
    guint rows = table->n_rows, cols = table->n_cols;
    for (guint r = 0; r < rows; r++) {
        const layout_band *b = layout_grid_band(g, r);
        for (guint c = 0; c + 1 < cols; c++) {
            guint32 k = owner[r * cols + c];
            if (k == 0 || owner[r * cols + c + 1] != 0 || vertical_between(g, c, b)) continue;
            layout_grid_cell *cell = &g_array_index(table->cells, layout_grid_cell, k - 1);
            cell->col_span++;
            cell->box = cell_box(g, r, cell->col, c + 1);
            owner[r * cols + c + 1] = k;
        }
        for (guint c = cols - 1; c > 0; c--) {
            guint32 k = owner[r * cols + c];
            if (k == 0 || owner[r * cols + c - 1] != 0 || vertical_between(g, c - 1, b)) continue;
            layout_grid_cell *cell = &g_array_index(table->cells, layout_grid_cell, k - 1);
            if (cell->col != c) continue;
            cell->col = c - 1;
            cell->col_span++;
            cell->box = cell_box(g, r, c - 1, c - 1 + cell->col_span - 1);
            owner[r * cols + c - 1] = k;
        }
    }
    for (guint r = 0; r + 1 < rows; r++) {
        const layout_band *above = layout_grid_band(g, r), *below = layout_grid_band(g, r + 1);
        for (guint c = 0; c < cols; c++) {
            guint32 k = owner[r * cols + c];
            if (k == 0) continue;
            layout_grid_cell *cell = &g_array_index(table->cells, layout_grid_cell, k - 1);
            if (cell->col != c || cell->row + cell->row_span != r + 1) continue;
            gboolean free = TRUE;
            for (guint x = c; x < c + cell->col_span; x++)
                free = free && owner[(r + 1) * cols + x] == 0;
            if (!free || layout_grid_rule_between(g, above->bottom - 3, below->top + 3,
                                                  cell->box.x0, cell->box.x1))
                continue;
            cell->row_span++;
            cell->box.y1 = below->bottom;
            for (guint x = c; x < c + cell->col_span; x++)
                owner[(r + 1) * cols + x] = k;
        }
    }
}

static layout_grid_cell *
cell_at(const layout_table_region *table, const guint32 *owner, guint row, guint col)
{
    guint32 k = owner[row * table->n_cols + col];
    return k > 0 ? &g_array_index(table->cells, layout_grid_cell, k - 1) : NULL;
}

/* The cell below goes into the one above, its place too. */
static void
cells_stack(layout_table_region *table, guint32 *owner, layout_grid_cell *above, guint row,
            guint col)
{
    layout_grid_cell *below = cell_at(table, owner, row, col);
    guint32 k = owner[above->row * table->n_cols + above->col];
    if (below != NULL && below != above) {
        cell_append(above, below->text, strlen(below->text), '\n');
        if (above->parts == NULL)
            above->parts = g_steal_pointer(&below->parts);
        else if (below->parts != NULL)
            g_array_append_vals(above->parts, below->parts->data, below->parts->len);
        above->n_glyphs += below->n_glyphs;
        picture_join(above, below->picture);
        if (*below->text != '\0') above->n_raised = below->n_raised;
        above->box = layout_rect_join(above->box, below->box);
        below->row_span = 0; /* dropped by cells_fill */
    }
    above->row_span = row + 1 - above->row;
    owner[row * table->n_cols + col] = k;
}

/* In a header of several rows, the heading of one column reaches over all that no heading of several takes. */
static void
header_cells_join(const layout_grid *g, layout_table_region *table, guint32 *owner)
{
    guint rows = 0;
    gboolean spans = FALSE;
    while (rows < table->n_rows && layout_grid_band(g, rows)->header)
        rows++;
    for (guint r = 0; r < rows; r++)
        for (guint c = 0; c < table->n_cols; c++) {
            const layout_grid_cell *cell = cell_at(table, owner, r, c);
            spans = spans || (cell != NULL && cell->col_span > 1);
        }
    if (rows < 2 || !spans) return;
    for (guint c = 0; c < table->n_cols; c++)
        for (guint r = 0; r + 1 < rows; r++) {
            layout_grid_cell *above = cell_at(table, owner, r, c);
            layout_grid_cell *below = cell_at(table, owner, r + 1, c);
            if ((above != NULL && above->col_span > 1) || (below != NULL && below->col_span > 1))
                continue;
            if (above == NULL && below == NULL) continue;
            float x0 = cell_box(g, r, c, c).x0, x1 = cell_box(g, r, c, c).x1;
            const layout_band *a = layout_grid_band(g, r), *b = layout_grid_band(g, r + 1);
            if (layout_grid_rule_between(g, a->bottom - 0.4F * g->size, b->top + 0.4F * g->size, x0,
                                         x1))
                continue;
            if (above != NULL) {
                cells_stack(table, owner, above, r + 1, c);
                continue;
            }
            below->row = r;
            below->row_span++;
            below->box.y0 = a->top;
            owner[r * table->n_cols + c] = owner[(r + 1) * table->n_cols + c];
        }
}

/* The last row of the group that begins at row: up to the next rule right across. */
static guint
group_end(const layout_grid *g, guint row)
{
    while (row + 1 < g->bands->len &&
           !layout_grid_rule_across(g, layout_grid_band(g, row)->bottom - 0.4F * g->size,
                                    layout_grid_band(g, row + 1)->top + 0.4F * g->size))
        row++;
    return row;
}

/* The first and last baseline of the pieces in rows from..to: of column 0, or of the others. FALSE: there are none. */
static gboolean
extent_of(const layout_grid *g, guint from, guint to, gboolean stub, float *top, float *bottom)
{
    *top = G_MAXFLOAT;
    *bottom = -G_MAXFLOAT;
    for (guint i = 0; i < g->pieces->len; i++) {
        const layout_piece *p = layout_grid_piece(g, i);
        if (p->row < from || p->row > to || (p->col0 == 0) != stub) continue;
        *top = MIN(*top, p->baseline);
        *bottom = MAX(*bottom, p->baseline);
    }
    return *top <= *bottom;
}

/* A label set at the middle of its group of rows, between two rules, belongs to all of them. */
static void
stub_cells_join(const layout_grid *g, layout_table_region *table, guint32 *owner)
{
    guint row = 0;
    while (row < table->n_rows && layout_grid_band(g, row)->header)
        row++;
    for (guint end; row < table->n_rows; row = end + 1) {
        guint labels = 0, at = row;
        float y0, y1, top, bottom;
        end = group_end(g, row);
        for (guint r = row; r <= end; r++) {
            const layout_grid_cell *cell = cell_at(table, owner, r, 0);
            if (cell == NULL) continue;
            labels += cell->col_span == 1 ? 1 : 2;
            at = r;
        }
        if (end == row || labels != 1 || !extent_of(g, row, end, TRUE, &y0, &y1) ||
            !extent_of(g, row, end, FALSE, &top, &bottom))
            continue;
        /* the first row's own label stands on its line */
        if (fabsf(y0 + y1 - top - bottom) > g->size || y0 < top + 0.3F * g->size) continue;
        layout_grid_cell *cell = cell_at(table, owner, at, 0);
        for (guint r = row; r <= end; r++)
            owner[r * table->n_cols] = owner[at * table->n_cols];
        cell->row = row;
        cell->row_span = end - row + 1;
        cell->box.y0 = layout_grid_band(g, row)->top;
        cell->box.y1 = layout_grid_band(g, end)->bottom;
    }
}

/* A border between columns that every row's cells reach over is none. */
static void
idle_columns_drop(layout_table_region *table, const guint32 *owner)
{
    guint cols = table->n_cols;
    for (guint c = cols; c-- > 1;) {
        gboolean idle = TRUE;
        for (guint r = 0; r < table->n_rows && idle; r++) {
            guint32 k = owner[r * cols + c];
            idle = k != 0 && k == owner[r * cols + c - 1];
        }
        if (!idle) continue;
        for (guint i = 0; i < table->cells->len; i++) {
            layout_grid_cell *cell = &g_array_index(table->cells, layout_grid_cell, i);
            if (cell->col < c && cell->col + cell->col_span > c)
                cell->col_span--;
            else if (cell->col >= c)
                cell->col--;
        }
        table->n_cols--;
    }
}

static int
compare_grid_cell(gconstpointer a, gconstpointer b)
{
    const layout_grid_cell *x = a, *y = b;
    if (x->row != y->row) return x->row < y->row ? -1 : 1;
    return (x->col > y->col) - (x->col < y->col);
}

static void
cells_fill(layout_grid *g, layout_table_region *table, const guint32 *owner)
{
    for (guint r = 0; r < table->n_rows; r++)
        for (guint c = 0; c < table->n_cols; c++) {
            if (owner[r * table->n_cols + c] != 0) continue;
            layout_grid_cell cell = {.row = r,
                                     .col = c,
                                     .row_span = 1,
                                     .col_span = 1,
                                     .text = g_strdup(""),
                                     .header = g_array_index(g->bands, layout_band, r).header,
                                     .box = cell_box(g, r, c, c)};
            g_array_append_val(table->cells, cell);
        }
    for (guint i = table->cells->len; i-- > 0;)
        if (g_array_index(table->cells, layout_grid_cell, i).row_span == 0)
            g_array_remove_index_fast(table->cells, i);
    g_array_sort(table->cells, compare_grid_cell);
    table->n_header_rows = 0;
    while (table->n_header_rows < table->n_rows &&
           g_array_index(g->bands, layout_band, table->n_header_rows).header)
        table->n_header_rows++;
}

void
layout_grid_cells(layout_grid *g, layout_table_region *table)
{
    g_autofree guint32 *owner = g_new0(guint32, (gsize)g->bands->len * (g->cuts->len + 1));
    cells_make(g, table, owner);
    if (g->lattice)
        cells_join_lattice(g, table, owner);
    else
        header_cells_join(g, table, owner);
    if (!g->lattice) stub_cells_join(g, table, owner);
    layout_grid_align(g, table);
    cells_fill(g, table, owner);
    g_array_index(table->cells, layout_grid_cell, 0).n_glyphs += g->n_drawn;
    idle_columns_drop(table, owner);
}
