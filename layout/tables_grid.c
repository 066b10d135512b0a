/* Inside a table region: rows, columns and the cells that span several of them.
 *
 * Columns are what vertical rules separate; without those, the gutters that the body rows leave free.
 * Rows are bands between horizontal rules where the table is fully ruled, else baselines, a wrapped line
 * being put back to its row. A piece of text over several columns spans them. No text is dropped: what
 * fits no column goes to the nearest. */
#include "layout/tables.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CELLS   60000
#define WORD_GAP_EM 0.47F
#define BINS_PER_PT 2

typedef struct {
    float x0, x1, baseline, size;
    uint32_t start, len;
    guint row, col0, col1; /* columns, inclusive */
} piece;

typedef struct {
    float top, bottom, baseline;
    gboolean header;
    guint n_pieces;
} band;

typedef struct {
    const layout_sheet *sheet;
    layout_rect box;
    const layout_table_rules *rules;
    GArray *pieces; /* piece */
    GArray *bands;  /* band: the rows */
    GArray *cuts;   /* float: x between columns */
    gboolean lattice;
    float size;
} grid;

static int
compare_piece(gconstpointer a, gconstpointer b)
{
    const piece *x = a, *y = b;
    if (x->baseline != y->baseline) return x->baseline < y->baseline ? -1 : 1;
    if (x->x0 != y->x0) return x->x0 < y->x0 ? -1 : 1;
    return (x->start > y->start) - (x->start < y->start);
}

static int
compare_cell_order(gconstpointer a, gconstpointer b)
{
    const piece *x = a, *y = b;
    if (x->row != y->row) return x->row < y->row ? -1 : 1;
    if (x->col0 != y->col0) return x->col0 < y->col0 ? -1 : 1;
    if (fabsf(x->baseline - y->baseline) > 0.3F * MIN(x->size, y->size))
        return x->baseline < y->baseline ? -1 : 1;
    if (x->x0 != y->x0) return x->x0 < y->x0 ? -1 : 1;
    return (x->start > y->start) - (x->start < y->start);
}

/* Values that lie within slack become one, their mean. */
static void
snap(GArray *values, float slack)
{
    g_array_sort(values, layout_compare_float);
    guint kept = 0;
    for (guint i = 0; i < values->len;) {
        float first = g_array_index(values, float, i), sum = 0;
        guint n = 0;
        for (; i < values->len && g_array_index(values, float, i) - first <= slack; i++, n++)
            sum += g_array_index(values, float, i);
        g_array_index(values, float, kept++) = sum / (float)n;
    }
    g_array_set_size(values, kept);
}

/* ---- columns ---- */

/* x of vertical rules that together run along most of the region. */
static void
cuts_from_rules(grid *g)
{
    g_autoptr(GArray) xs = g_array_new(FALSE, FALSE, sizeof(float));
    const GArray *rules = g->rules->vertical;
    for (guint i = 0; i < rules->len; i++) {
        const layout_rule *r = &g_array_index(rules, layout_rule, i);
        float x = 0.5F * (r->x0 + r->x1);
        if (x < g->box.x0 - 3 || x > g->box.x1 + 3) continue;
        if (layout_overlap_1d(r->y0, r->y1, g->box.y0, g->box.y1) < 4) continue;
        g_array_append_val(xs, x);
    }
    snap(xs, 3);
    float height = g->box.y1 - g->box.y0;
    for (guint k = 0; k < xs->len; k++) {
        float x = g_array_index(xs, float, k), run = 0;
        for (guint i = 0; i < rules->len; i++) {
            const layout_rule *r = &g_array_index(rules, layout_rule, i);
            if (fabsf(0.5F * (r->x0 + r->x1) - x) > 3) continue;
            run += MAX(0, layout_overlap_1d(r->y0, r->y1, g->box.y0, g->box.y1));
        }
        if (run >= 0.3F * height) g_array_append_val(g->cuts, x);
    }
}

/* A row that says nothing about columns: one piece over most of the width. */
static gboolean
is_spanning(const grid *g, const piece *p)
{
    const band *b = &g_array_index(g->bands, band, p->row);
    return b->n_pieces == 1 && p->x1 - p->x0 > 0.45F * (g->box.x1 - g->box.x0);
}

/* The middle of the widest stretch of [from, to) with the least ink. */
static float
quietest(const gint32 *ink, guint from, guint to)
{
    gint32 least = G_MAXINT32;
    guint best = from, best_len = 0;
    for (guint i = from; i < to;) {
        guint end = i;
        while (end < to && ink[end] == ink[i])
            end++;
        if (ink[i] < least || (ink[i] == least && end - i > best_len)) {
            least = ink[i];
            best = i;
            best_len = end - i;
        }
        i = end;
    }
    return (float)best + 0.5F * (float)best_len;
}

static void
cuts_from_gutters(grid *g)
{
    guint n = (guint)MIN((g->box.x1 - g->box.x0 + 2) * BINS_PER_PT, 40000);
    g_autofree gint32 *ink = g_new0(gint32, n + 2), *head = g_new0(gint32, n + 2);
    gboolean has_body = FALSE;
    for (guint i = 0; i < g->bands->len; i++)
        has_body = has_body || !g_array_index(g->bands, band, i).header;
    guint rows = 0;
    for (guint i = 0; i < g->bands->len; i++)
        rows += has_body == !g_array_index(g->bands, band, i).header;
    for (guint i = 0; i < g->pieces->len; i++) {
        const piece *p = &g_array_index(g->pieces, piece, i);
        if (is_spanning(g, p)) continue;
        gint32 *into = has_body && g_array_index(g->bands, band, p->row).header ? head : ink;
        int from = (int)((p->x0 - g->box.x0) * BINS_PER_PT);
        int to = (int)ceilf((p->x1 - g->box.x0) * BINS_PER_PT);
        from = CLAMP(from, 0, (int)n);
        to = CLAMP(to, from, (int)n);
        into[from]++;
        into[to]--;
    }
    for (guint b = 1; b <= n; b++)
        head[b] += head[b - 1];
    gint32 allowed = (gint32)(rows / 12), over = 0;
    float least = MAX(0.42F * g->size, 2.5F) * BINS_PER_PT;
    int start = -1;
    gboolean seen = FALSE;
    for (guint b = 0; b <= n; b++) {
        over += ink[b];
        gboolean free = over <= allowed;
        if (!free && start >= 0 && seen) {
            if ((float)b - (float)start >= least) {
                float x = g->box.x0 + quietest(head, (guint)start, b) / BINS_PER_PT;
                g_array_append_val(g->cuts, x);
            }
        }
        if (!free) {
            seen = TRUE;
            start = -1;
        } else if (start < 0) {
            start = (int)b;
        }
    }
}

/* Cut pieces at column borders that fall into one of their wider word gaps. */
static void
pieces_split(grid *g)
{
    guint n = g->pieces->len;
    for (guint i = 0; i < n; i++) {
        piece p = g_array_index(g->pieces, piece, i);
        for (guint c = 0; c < g->cuts->len; c++) {
            float x = g_array_index(g->cuts, float, c);
            if (x <= p.x0 + 1 || x >= p.x1 - 1) continue;
            /* the word gap at x */
            const layout_word *before = NULL, *after = NULL;
            guint lo = 0, hi = g->sheet->words->len;
            while (lo < hi) {
                guint mid = lo + (hi - lo) / 2;
                if (layout_sheet_word(g->sheet, mid)->start < p.start)
                    lo = mid + 1;
                else
                    hi = mid;
            }
            for (guint w = lo; w < g->sheet->words->len; w++) {
                const layout_word *word = layout_sheet_word(g->sheet, w);
                if (word->start >= p.start + p.len) break;
                if (word->x1 <= x + 2)
                    before = word;
                else if (after == NULL)
                    after = word;
            }
            if (before == NULL || after == NULL || after->start < before->start) continue;
            float gap = after->x0 - before->x1;
            if (gap < (g->lattice ? 0.1F : 0.45F) * p.size || after->x0 < x - 2) continue;
            piece right = p;
            right.start = after->start;
            right.len = p.start + p.len - after->start;
            right.x0 = after->x0;
            p.len = before->start + before->len - p.start;
            p.x1 = before->x1;
            g_array_index(g->pieces, piece, i) = p;
            g_array_append_val(g->pieces, right);
            n = g->pieces->len; /* the right part gets its own turn */
            break;
        }
    }
}

/* ---- rows ---- */

/* Text rows by baseline; header rows stand above the first inner rule. */
static void
bands_from_baselines(grid *g)
{
    g_array_sort(g->pieces, compare_piece);
    for (guint i = 0; i < g->pieces->len; i++) {
        piece *p = &g_array_index(g->pieces, piece, i);
        band *last = g->bands->len > 0 ? &g_array_index(g->bands, band, g->bands->len - 1) : NULL;
        if (last == NULL || p->baseline - last->baseline > 0.42F * p->size) {
            band b = {.top = p->baseline - 0.75F * p->size,
                      .bottom = p->baseline + 0.23F * p->size,
                      .baseline = p->baseline};
            g_array_append_val(g->bands, b);
            last = &g_array_index(g->bands, band, g->bands->len - 1);
        }
        last->top = MIN(last->top, p->baseline - 0.75F * p->size);
        last->bottom = MAX(last->bottom, p->baseline + 0.23F * p->size);
        last->n_pieces++;
        p->row = g->bands->len - 1;
    }
}

static void
header_mark(grid *g)
{
    const GArray *rules = g->rules->horizontal;
    float width = g->box.x1 - g->box.x0, inner = 0;
    float first_text = g->bands->len > 0 ? g_array_index(g->bands, band, 0).bottom : 0;
    for (guint i = 0; i < rules->len && inner == 0; i++) {
        const layout_rule *r = &g_array_index(rules, layout_rule, i);
        if (r->y0 < first_text - 2 || r->y0 > g->box.y1 - 4) continue;
        if (layout_overlap_1d(r->x0, r->x1, g->box.x0, g->box.x1) > 0.85F * width) inner = r->y0;
    }
    guint n_header = 0;
    for (guint i = 0; i < g->bands->len; i++) {
        band *b = &g_array_index(g->bands, band, i);
        b->header = inner > 0 && b->baseline < inner;
        n_header += b->header ? 1 : 0;
    }
    /* a rule that leaves next to nothing below is a foot rule */
    if (n_header * 2 > g->bands->len + 1)
        for (guint i = 0; i < g->bands->len; i++)
            g_array_index(g->bands, band, i).header = FALSE;
}

static gboolean
rule_between(const grid *g, float y0, float y1, float x0, float x1)
{
    const GArray *rules = g->rules->horizontal;
    for (guint i = 0; i < rules->len; i++) {
        const layout_rule *r = &g_array_index(rules, layout_rule, i);
        float y = 0.5F * (r->y0 + r->y1);
        if (y > y0 && y < y1 && layout_overlap_1d(r->x0, r->x1, x0, x1) > 0.5F * (x1 - x0))
            return TRUE;
    }
    return FALSE;
}

/* Rows of a fully ruled table: the bands between its horizontal rules. */
static gboolean
bands_from_rules(grid *g)
{
    g_autoptr(GArray) ys = g_array_new(FALSE, FALSE, sizeof(float));
    const GArray *rules = g->rules->horizontal;
    for (guint i = 0; i < rules->len; i++) {
        const layout_rule *r = &g_array_index(rules, layout_rule, i);
        float y = 0.5F * (r->y0 + r->y1);
        if (y < g->box.y0 - 3 || y > g->box.y1 + 3) continue;
        if (layout_overlap_1d(r->x0, r->x1, g->box.x0, g->box.x1) < 6) continue;
        g_array_append_val(ys, y);
    }
    snap(ys, 3);
    guint text_rows = g->bands->len;
    if (ys->len < 3 || (ys->len - 1) * 4 < text_rows) return FALSE;
    /* Several full rows between two rules are rows, not lines of one cell. */
    guint most = 0, full = 0;
    for (guint i = 0; i < text_rows; i++)
        most = MAX(most, g_array_index(g->bands, band, i).n_pieces);
    for (guint i = 0; i < text_rows; i++)
        full += g_array_index(g->bands, band, i).n_pieces * 5 >= most * 4 ? 1 : 0;
    if (most >= 2 && full * 10 >= text_rows * 7 && text_rows * 10 > (ys->len - 1) * 13)
        return FALSE;
    g_autoptr(GArray) bands = g_array_new(FALSE, FALSE, sizeof(band));
    for (guint i = 0; i + 1 < ys->len; i++) {
        band b = {.top = g_array_index(ys, float, i), .bottom = g_array_index(ys, float, i + 1)};
        b.baseline = 0.5F * (b.top + b.bottom);
        if (b.bottom - b.top < 0.5F * g->size) continue;
        g_array_append_val(bands, b);
    }
    if (bands->len < 2) return FALSE;
    for (guint i = 0; i < g->pieces->len; i++) {
        piece *p = &g_array_index(g->pieces, piece, i);
        float y = p->baseline - 0.3F * p->size;
        guint row = 0;
        while (row + 1 < bands->len && y > g_array_index(bands, band, row).bottom)
            row++;
        p->row = row;
    }
    g_array_set_size(g->bands, 0);
    g_array_append_vals(g->bands, bands->data, bands->len);
    for (guint i = 0; i < g->pieces->len; i++)
        g_array_index(g->bands, band, g_array_index(g->pieces, piece, i).row).n_pieces++;
    return TRUE;
}

/* ---- assigning ---- */

static guint
column_of(const grid *g, float x)
{
    guint c = 0;
    while (c < g->cuts->len && x > g_array_index(g->cuts, float, c))
        c++;
    return c;
}

static void
columns_assign(grid *g)
{
    guint n = g->cuts->len + 1;
    /* Where the text of each column stands, from pieces that are within one. */
    g_autofree float *x0 = g_new(float, n), *x1 = g_new(float, n);
    for (guint c = 0; c < n; c++) {
        x0[c] = G_MAXFLOAT;
        x1[c] = -G_MAXFLOAT;
    }
    for (guint i = 0; i < g->pieces->len; i++) {
        piece *p = &g_array_index(g->pieces, piece, i);
        guint a = column_of(g, p->x0 + 1), b = column_of(g, p->x1 - 1);
        if (a != b) continue;
        x0[a] = MIN(x0[a], p->x0);
        x1[a] = MAX(x1[a], p->x1);
    }
    for (guint i = 0; i < g->pieces->len; i++) {
        piece *p = &g_array_index(g->pieces, piece, i);
        guint a = column_of(g, p->x0 + 1), b = MAX(a, column_of(g, p->x1 - 1));
        /* Reaching a little into a neighbour is not spanning it. */
        while (a < b) {
            float over = layout_overlap_1d(p->x0, p->x1, x0[a], x1[a]);
            if (x0[a] > x1[a] || over > MIN(0.35F * (x1[a] - x0[a]), p->x1 - p->x0)) break;
            a++;
        }
        while (b > a) {
            float over = layout_overlap_1d(p->x0, p->x1, x0[b], x1[b]);
            if (x0[b] > x1[b] || over > MIN(0.35F * (x1[b] - x0[b]), p->x1 - p->x0)) break;
            b--;
        }
        p->col0 = a;
        p->col1 = b;
    }
}

/* A rule under a header from x0 to x1 says which columns it is over. */
static void
headers_span(grid *g)
{
    const GArray *rules = g->rules->horizontal;
    float width = g->box.x1 - g->box.x0;
    for (guint i = 0; i < g->pieces->len; i++) {
        piece *p = &g_array_index(g->pieces, piece, i);
        const band *b = &g_array_index(g->bands, band, p->row);
        if (!b->header) continue;
        for (guint k = 0; k < rules->len; k++) {
            const layout_rule *r = &g_array_index(rules, layout_rule, k);
            if (r->y0 < p->baseline || r->y0 > p->baseline + 1.1F * p->size) continue;
            if (r->x1 - r->x0 > 0.8F * width) continue;
            if (p->x0 < r->x0 - 3 || p->x1 > r->x1 + 3) continue;
            guint a = column_of(g, r->x0 + 3), z = column_of(g, r->x1 - 3);
            p->col0 = MIN(p->col0, a);
            p->col1 = MAX(p->col1, z);
            break;
        }
    }
}

/* A line that only goes on a cell above: first column empty, few cells, close below. */
static void
wrapped_merge(grid *g)
{
    guint n = g->bands->len, cols = g->cuts->len + 1;
    if (n < 3 || cols < 2) return;
    g_autofree guint *cells = g_new0(guint, n), *first = g_new0(guint, n), *to = g_new(guint, n);
    g_autoptr(GArray) steps = g_array_new(FALSE, FALSE, sizeof(float));
    for (guint i = 0; i < g->pieces->len; i++) {
        const piece *p = &g_array_index(g->pieces, piece, i);
        cells[p->row]++;
        if (p->col0 == 0) first[p->row]++;
    }
    for (guint r = 1; r < n; r++) {
        float step = g_array_index(g->bands, band, r).baseline -
                     g_array_index(g->bands, band, r - 1).baseline;
        g_array_append_val(steps, step);
    }
    g_array_sort(steps, layout_compare_float);
    float widest = g_array_index(steps, float, steps->len * 3 / 4);
    guint kept = 0;
    for (guint r = 0; r < n; r++) {
        const band *b = &g_array_index(g->bands, band, r);
        gboolean wrapped = FALSE;
        if (r > 0) {
            const band *above = &g_array_index(g->bands, band, r - 1);
            float step = b->baseline - above->baseline;
            wrapped = first[r] == 0 && cells[r] * 2 <= cols && step < 1.35F * g->size &&
                      (step < 0.93F * widest || cells[r] == 1) && cells[r] < cells[r - 1] + 1 &&
                      !rule_between(g, above->baseline, b->baseline, g->box.x0, g->box.x1) &&
                      b->header == above->header;
        }
        if (!wrapped && r > 0) kept++;
        to[r] = kept;
    }
    for (guint i = 0; i < g->pieces->len; i++) {
        piece *p = &g_array_index(g->pieces, piece, i);
        p->row = to[p->row];
    }
    for (guint r = 0; r < n; r++) {
        band b = g_array_index(g->bands, band, r);
        band *target = &g_array_index(g->bands, band, to[r]);
        if (r == 0 || to[r] != to[r - 1]) {
            *target = b;
        } else {
            target->bottom = b.bottom;
            target->n_pieces += b.n_pieces;
        }
    }
    g_array_set_size(g->bands, kept + 1);
}

/* ---- cells ---- */

static gboolean
vertical_between(const grid *g, guint cut, const band *b)
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
cell_box(const grid *g, guint row, guint col0, guint col1)
{
    const band *b = &g_array_index(g->bands, band, row);
    float x0 = col0 == 0 ? g->box.x0 : g_array_index(g->cuts, float, col0 - 1);
    float x1 = col1 >= g->cuts->len ? g->box.x1 : g_array_index(g->cuts, float, col1);
    return (layout_rect){x0, b->top, MAX(x0, x1), MAX(b->top, b->bottom)};
}

/* owner[place] = index of the cell that covers it, plus one. */
static void
cells_make(grid *g, layout_table_region *table, guint32 *owner)
{
    guint rows = g->bands->len, cols = g->cuts->len + 1;
    g_array_sort(g->pieces, compare_cell_order);
    table->cells = layout_grid_cells_new();
    for (guint i = 0; i < g->pieces->len; i++) {
        const piece *p = &g_array_index(g->pieces, piece, i);
        const char *text = g->sheet->text->str + p->start;
        guint32 *place = &owner[p->row * cols + p->col0];
        guint n_glyphs = layout_ledger_count(g->sheet, p->start, p->len);
        if (*place != 0) {
            layout_grid_cell *cell = &g_array_index(table->cells, layout_grid_cell, *place - 1);
            char *joint = g_strdup_printf("%s %.*s", cell->text, (int)p->len, text);
            g_free(cell->text);
            cell->text = joint;
            cell->n_glyphs += n_glyphs;
            continue;
        }
        layout_grid_cell cell = {.row = p->row,
                                 .col = p->col0,
                                 .row_span = 1,
                                 .col_span = 1,
                                 .text = g_strndup(text, p->len),
                                 .n_glyphs = n_glyphs,
                                 .header = g_array_index(g->bands, band, p->row).header};
        guint last = p->col0;
        while (last < p->col1 && last + 1 < cols && owner[p->row * cols + last + 1] == 0)
            last++;
        cell.col_span = last - p->col0 + 1;
        cell.box = cell_box(g, p->row, p->col0, last);
        g_array_append_val(table->cells, cell);
        for (guint c = p->col0; c <= last; c++)
            owner[p->row * cols + c] = table->cells->len;
    }
    table->n_rows = rows;
    table->n_cols = cols;
}

/* In a ruled table a missing border joins an empty place to its neighbour. */
static void
cells_join_lattice(grid *g, layout_table_region *table, guint32 *owner)
{
    guint rows = table->n_rows, cols = table->n_cols;
    for (guint r = 0; r < rows; r++) {
        const band *b = &g_array_index(g->bands, band, r);
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
        const band *above = &g_array_index(g->bands, band, r),
                   *below = &g_array_index(g->bands, band, r + 1);
        for (guint c = 0; c < cols; c++) {
            guint32 k = owner[r * cols + c];
            if (k == 0) continue;
            layout_grid_cell *cell = &g_array_index(table->cells, layout_grid_cell, k - 1);
            if (cell->col != c || cell->row + cell->row_span != r + 1) continue;
            gboolean free = TRUE;
            for (guint x = c; x < c + cell->col_span; x++)
                free = free && owner[(r + 1) * cols + x] == 0;
            if (!free ||
                rule_between(g, above->bottom - 3, below->top + 3, cell->box.x0, cell->box.x1))
                continue;
            cell->row_span++;
            cell->box.y1 = below->bottom;
            for (guint x = c; x < c + cell->col_span; x++)
                owner[(r + 1) * cols + x] = k;
        }
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
cells_fill(grid *g, layout_table_region *table, const guint32 *owner)
{
    for (guint r = 0; r < table->n_rows; r++)
        for (guint c = 0; c < table->n_cols; c++) {
            if (owner[r * table->n_cols + c] != 0) continue;
            layout_grid_cell cell = {.row = r,
                                     .col = c,
                                     .row_span = 1,
                                     .col_span = 1,
                                     .text = g_strdup(""),
                                     .header = g_array_index(g->bands, band, r).header,
                                     .box = cell_box(g, r, c, c)};
            g_array_append_val(table->cells, cell);
        }
    g_array_sort(table->cells, compare_grid_cell);
    table->n_header_rows = 0;
    while (table->n_header_rows < table->n_rows &&
           g_array_index(g->bands, band, table->n_header_rows).header)
        table->n_header_rows++;
}

/* Columns that hold nothing, such as the margin between two rules, go. */
static void
empty_columns_drop(grid *g)
{
    guint cols = g->cuts->len + 1;
    g_autofree guint *used = g_new0(guint, cols);
    for (guint i = 0; i < g->pieces->len; i++) {
        const piece *p = &g_array_index(g->pieces, piece, i);
        used[column_of(g, 0.5F * (p->x0 + p->x1))]++;
    }
    float widest = 1.2F * g->size;
    for (guint c = cols; c-- > 0;) {
        float x0 = c == 0 ? g->box.x0 : g_array_index(g->cuts, float, c - 1);
        float x1 = c == g->cuts->len ? g->box.x1 : g_array_index(g->cuts, float, c);
        gboolean outer = c == 0 || c == g->cuts->len;
        if (used[c] > 0 || g->cuts->len == 0) continue;
        if (!outer && x1 - x0 > widest) continue;
        if (outer && g->lattice && x1 - x0 > widest) continue;
        g_array_remove_index(g->cuts, c == 0 ? 0 : c - 1);
    }
}

static void
empty_bands_drop(grid *g)
{
    guint kept = 0;
    g_autofree guint *to = g_new0(guint, g->bands->len + 1);
    for (guint i = 0; i < g->bands->len; i++) {
        band b = g_array_index(g->bands, band, i);
        to[i] = kept;
        if (b.n_pieces == 0) continue;
        g_array_index(g->bands, band, kept++) = b;
    }
    for (guint i = 0; i < g->pieces->len; i++) {
        piece *p = &g_array_index(g->pieces, piece, i);
        p->row = to[p->row];
    }
    g_array_set_size(g->bands, kept);
}

/* A segment, cut where words stand further apart than within a sentence. */
static void
pieces_of_seg(grid *g, const layout_seg *seg)
{
    piece p = {.baseline = seg->baseline, .size = seg->size_pt};
    for (guint w = seg->first_word; w < seg->first_word + seg->n_words; w++) {
        const layout_word *word = layout_sheet_word(g->sheet, w);
        if (p.len > 0 && word->x0 - p.x1 > WORD_GAP_EM * seg->size_pt) {
            g_array_append_val(g->pieces, p);
            p.len = 0;
        }
        if (p.len == 0) {
            p.x0 = word->x0;
            p.start = word->start;
        }
        p.x1 = p.len == 0 ? word->x1 : MAX(p.x1, word->x1);
        p.len = word->start + word->len - p.start;
    }
    if (p.len > 0) g_array_append_val(g->pieces, p);
}

gboolean
layout_grid_build(const layout_sheet *sheet, layout_table_region *table,
                  const layout_table_rules *rules, const GArray *segs)
{
    grid g = {.sheet = sheet, .box = table->box, .rules = rules};
    g_autoptr(GArray) pieces = g.pieces = g_array_new(FALSE, TRUE, sizeof(piece));
    g_autoptr(GArray) bands = g.bands = g_array_new(FALSE, TRUE, sizeof(band));
    g_autoptr(GArray) cuts = g.cuts = g_array_new(FALSE, FALSE, sizeof(float));
    for (guint i = 0; i < segs->len; i++) {
        const layout_seg *seg = layout_sheet_seg(sheet, g_array_index(segs, guint, i));
        pieces_of_seg(&g, seg);
        g.size = MAX(g.size, seg->size_pt);
        g.box.x0 = MIN(g.box.x0, seg->box.x0 - 1);
        g.box.x1 = MAX(g.box.x1, seg->box.x1 + 1);
    }
    if (pieces->len < 4) return FALSE;
    bands_from_baselines(&g);
    header_mark(&g);
    cuts_from_rules(&g);
    /* the outer border is no cut */
    while (cuts->len > 0 && g_array_index(cuts, float, 0) < g.box.x0 + 4)
        g_array_remove_index(cuts, 0);
    while (cuts->len > 0 && g_array_index(cuts, float, cuts->len - 1) > g.box.x1 - 4)
        g_array_set_size(cuts, cuts->len - 1);
    g.lattice = cuts->len >= 1 && bands_from_rules(&g);
    if (!g.lattice && cuts->len > 0) {
        /* Vertical rules but rows by baselines: gutters may divide further. */
        g_array_set_size(cuts, 0);
        cuts_from_rules(&g);
        cuts_from_gutters(&g);
        snap(cuts, 5);
    } else if (!g.lattice) {
        cuts_from_gutters(&g);
    }
    pieces_split(&g);
    empty_columns_drop(&g);
    guint n_cols = cuts->len + 1;
    if (n_cols < 2) return FALSE;
    columns_assign(&g);
    if (!g.lattice) {
        headers_span(&g);
        wrapped_merge(&g);
    } else {
        empty_bands_drop(&g);
    }
    guint rows = g.bands->len;
    if (rows < 2 || (gsize)rows * n_cols > MAX_CELLS) return FALSE;
    g_autofree guint32 *owner = g_new0(guint32, (gsize)rows * n_cols);
    cells_make(&g, table, owner);
    if (g.lattice) cells_join_lattice(&g, table, owner);
    cells_fill(&g, table, owner);
    return TRUE;
}
