/* Inside a table region: its pieces of text and its columns.
 *
 * Columns are what vertical rules separate; without those, the gutters that the body rows leave free. Rows
 * (tables_rows.c) are bands between horizontal rules where the table is fully ruled, else lines of text, those that
 * go on a cell being put back to it. A piece of text over several columns spans them (tables_cells.c). No text is
 * dropped: what fits no column goes to the nearest. */
#include "layout/tables_grid.h"
#include "layout/tables_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CELLS    60000
#define WORD_GAP_EM  0.47F
#define MONO_GAP_EM  0.95F /* where a blank is as wide as a letter */
#define BINS_PER_PT  2
#define MAX_COMPARED 1500 /* pieces, each with each */

/* Values that lie within slack become one, their mean. */
void
layout_grid_snap(GArray *values, float slack)
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

/* x of vertical rules that together run along most of the region. */
static void
cuts_from_rules(layout_grid *g)
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
    layout_grid_snap(xs, 3);
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

/* What one place across the table has seen. */
typedef struct {
    gint32 over;    /* rows whose text covers it, blanks between words included */
    gint32 words;   /* the same without */
    gint32 across;  /* rows of few pieces, one of which covers it: headings within the table */
    gint32 between; /* rows with text left and right of it */
    gint32 head;    /* lines of the header that cover it */
    gint32 begin;   /* pieces or words of rows that begin there */
} bin;

/* The middle of the widest stretch of [from, to) that the header covers least. */
static float
quietest(const bin *bins, guint from, guint to)
{
    gint32 least = G_MAXINT32;
    guint best = from, best_len = 0;
    for (guint i = from; i < to;) {
        guint end = i;
        while (end < to && bins[end].head == bins[i].head)
            end++;
        if (bins[i].head < least || (bins[i].head == least && end - i > best_len)) {
            least = bins[i].head;
            best = i;
            best_len = end - i;
        }
        i = end;
    }
    return (float)best + 0.5F * (float)best_len;
}

static guint
bin_at(const layout_grid *g, guint n, float x)
{
    return (guint)CLAMP((x - g->box.x0) * BINS_PER_PT, 0, (float)n);
}

static int
compare_uint(gconstpointer a, gconstpointer b)
{
    const guint x = *(const guint *)a, y = *(const guint *)b;
    return (x > y) - (x < y);
}

/* The first of the sheet's words that begins at byte start or behind. */
static guint
word_at(const layout_sheet *sheet, uint32_t start)
{
    guint lo = 0, hi = sheet->words->len;
    while (lo < hi) {
        guint mid = lo + (hi - lo) / 2;
        if (layout_sheet_word(sheet, mid)->start < start)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static void
bins_add_words(const layout_grid *g, bin *bins, guint n, const layout_piece *p)
{
    for (guint w = word_at(g->sheet, p->start); w < g->sheet->words->len; w++) {
        const layout_word *word = layout_sheet_word(g->sheet, w);
        if (word->start >= p->start + p->len) break;
        bins[bin_at(g, n, word->x0)].begin++;
        bins[bin_at(g, n, word->x0)].words++;
        bins[bin_at(g, n, word->x1 + 0.49F)].words--;
    }
}

/* Cells that p looks like: numbers close to each other are one each. */
static guint
cells_like(const layout_grid *g, const layout_piece *p)
{
    guint numbers = 0;
    for (guint w = word_at(g->sheet, p->start); w < g->sheet->words->len; w++) {
        const layout_word *word = layout_sheet_word(g->sheet, w);
        if (word->start >= p->start + p->len) break;
        const char *text = g->sheet->text->str + word->start;
        if (layout_parts_is_number(text, word->len))
            numbers++;
        else if (layout_grid_without_leader(text, word->len) > 0)
            return 1;
    }
    return MAX(numbers, 1);
}

/* Does p stand in the middle below or above two neighbours, in most rows that have text there? Then it is a cell over
 * both of their columns. The pieces are in the order of their rows. */
static gboolean
is_centred_over_two(const layout_grid *g, const layout_piece *p)
{
    const float middle = 0.5F * (p->x0 + p->x1), slack = 0.35F * p->size;
    guint over = 0, others = 0;
    if (g->pieces->len > MAX_COMPARED) return FALSE;
    for (guint i = 0; i < g->pieces->len; i++) {
        const layout_piece *a = layout_grid_piece(g, i), *b = a + 1;
        if (a->row == p->row || layout_grid_band(g, a->row)->header) continue;
        others += a->x0 < middle - slack && a->x1 > middle + slack ? 1 : 0;
        if (i + 1 == g->pieces->len || b->row != a->row) continue;
        over += a->x0 < p->x0 && b->x1 > p->x1 && p->x0 < a->x1 && p->x1 > b->x0 &&
                fabsf(0.5F * (a->x0 + b->x1) - middle) < slack;
    }
    return over >= 2 && over > others;
}

/* Marks the lines of the body that may be sentences over all columns: from edge to edge, without a blank as wide as one
 * between cells. Where most lines are like that, cells are close to each other. Pieces are in the order of their bands. */
static void
remarks_find(layout_grid *g)
{
    guint body = 0, n = 0;
    for (guint i = 0, end; i < g->pieces->len; i = end) {
        const layout_piece *first = layout_grid_piece(g, i);
        layout_band *band = layout_grid_band(g, first->row);
        gboolean close = !band->header;
        guint numbers = 0;
        for (end = i; end < g->pieces->len && layout_grid_piece(g, end)->row == first->row; end++) {
            const layout_piece *p = layout_grid_piece(g, end);
            numbers += layout_parts_is_number(g->sheet->text->str + p->start, p->len) ? 1 : 0;
            close = close && p->seg == first->seg &&
                    (p == first || (p->x0 - p[-1].x1 < 0.9F * p->size && p->start > p[-1].start));
        }
        const layout_piece *last = layout_grid_piece(g, end - 1);
        body += band->header ? 0 : 1;
        band->remark = close && end - i > 1 && 2 * numbers < end - i &&
                       last->x1 - first->x0 > 0.96F * (g->box.x1 - g->box.x0);
        n += band->remark ? 1 : 0;
    }
    for (guint b = 0; 3 * n > body && b < g->bands->len; b++)
        layout_grid_band(g, b)->remark = FALSE;
}

/* Counts what stands over each bin, as differences first. */
static void
bins_fill(const layout_grid *g, bin *bins, guint n, gboolean has_body)
{
    guint n_bands = g->bands->len;
    g_autofree guint *pieces = g_new0(guint, n_bands);
    g_autofree float *x0 = g_new(float, n_bands), *x1 = g_new(float, n_bands);
    for (guint b = 0; b < n_bands; b++) {
        x0[b] = G_MAXFLOAT;
        x1[b] = -G_MAXFLOAT;
    }
    for (guint i = 0; i < g->pieces->len; i++) {
        const layout_piece *p = layout_grid_piece(g, i);
        pieces[p->row] += cells_like(g, p);
        x0[p->row] = MIN(x0[p->row], p->x0);
        x1[p->row] = MAX(x1[p->row], p->x1);
    }
    g_autofree guint *sorted = g_memdup2(pieces, n_bands * sizeof *pieces);
    qsort(sorted, n_bands, sizeof *sorted, compare_uint);
    guint usual = sorted[n_bands * 3 / 4];
    for (guint i = 0; i < g->pieces->len; i++) {
        layout_piece *p = layout_grid_piece(g, i);
        guint from = bin_at(g, n, p->x0), to = bin_at(g, n, p->x1 + 0.49F);
        p->over_two = is_centred_over_two(g, p);
        gboolean few =
            p->over_two || layout_grid_band(g, p->row)->remark || 2 * pieces[p->row] <= usual;
        gint32 *count = &bins[from].over, *end = &bins[to].over;
        if (has_body && layout_grid_band(g, p->row)->header)
            count = &bins[from].head, end = &bins[to].head;
        else if (few)
            count = &bins[from].across, end = &bins[to].across;
        else
            bins_add_words(g, bins, n, p);
        (*count)++;
        (*end)--;
    }
    for (guint b = 0; b < n_bands; b++) {
        if (x0[b] > x1[b] || (has_body && layout_grid_band(g, b)->header)) continue;
        bins[bin_at(g, n, x0[b])].between++;
        bins[bin_at(g, n, x1[b])].between--;
    }
    for (guint i = 1; i <= n; i++) {
        bins[i].over += bins[i - 1].over;
        bins[i].words += bins[i - 1].words;
        bins[i].across += bins[i - 1].across;
        bins[i].between += bins[i - 1].between;
        bins[i].head += bins[i - 1].head;
    }
}

/* The longest stretch of [from, to) that the least text lies across. */
static void
least_across(const bin *bins, guint from, guint to, guint *first, guint *end)
{
    gint32 least = G_MAXINT32;
    *first = *end = from;
    for (guint i = from; i < to;) {
        gint32 here = 64 * (bins[i].words + bins[i].across) + bins[i].over;
        guint k = i;
        while (k < to && 64 * (bins[k].words + bins[k].across) + bins[k].over == here)
            k++;
        if (here < least || (here == least && k - i > *end - *first)) {
            least = here;
            *first = i;
            *end = k;
        }
        i = k;
    }
}

/* A full cell may all but touch the column to its right, or stretch its blanks so that its last word seems to belong
 * there. Where that column is aligned left, the border is the last stretch without words before it. from, to: a strip
 * that at most a few rows cross; first, end: its emptiest stretch, moved. */
static void
before_aligned(const bin *bins, guint from, guint to, gint32 rows, guint *first, guint *end)
{
    const gint32 across = bins[*first].across;
    guint last = to;
    while (last > from && (bins[last - 1].words > 0 || bins[last - 1].across > across))
        last--;
    guint begin = last;
    while (begin > from && bins[begin - 1].words == 0 && bins[begin - 1].across <= across)
        begin--;
    gint32 aligned = 0;
    for (guint i = last > 0 ? last - 1 : 0; i <= last + 1; i++)
        aligned += bins[i].begin;
    if (begin < *end || begin == last || 2 * aligned < rows) return;
    *first = begin;
    *end = last;
}

/* Does a rule, one of the first n cuts, already divide the strip? */
static gboolean
cut_within(const layout_grid *g, guint n, guint from, guint to)
{
    float x0 = g->box.x0 + (float)from / BINS_PER_PT, x1 = g->box.x0 + (float)to / BINS_PER_PT;
    for (guint i = 0; i < n; i++) {
        float x = g_array_index(g->cuts, float, i);
        if (x > x0 - 1 && x < x1 + 1) return TRUE;
    }
    return FALSE;
}

/* Free strips that enough rows have text on both sides of: where rules already divide, most of them. */
static void
cuts_from_gutters(layout_grid *g)
{
    guint n = (guint)MIN((g->box.x1 - g->box.x0 + 2) * BINS_PER_PT, 40000);
    g_autofree bin *bins = g_new0(bin, n + 2);
    guint body = 0;
    for (guint i = 0; i < g->bands->len; i++)
        body += layout_grid_band(g, i)->header ? 0 : 1;
    gboolean has_body = body > 0;
    guint rows = has_body ? body : g->bands->len, n_ruled = g->cuts->len;
    if (!g->lattice) remarks_find(g);
    bins_fill(g, bins, n, has_body);
    /* a full cell may come close to its neighbour: its blank counts, where most rows have more than that */
    gint32 tight = g->lattice ? 0 : (gint32)(rows / 12),
           allowed = g->lattice ? 0 : (gint32)(rows * 3 / 10);
    gint32 enough = g->lattice ? (gint32)(rows * 7 / 10) + 1 : 1;
    float least = MAX((g->lattice ? 0.9F : 0.42F) * g->size, 2.5F) * BINS_PER_PT;
    for (guint from = 0; from <= n;) {
        if (bins[from].over > allowed || bins[from].between == 0) {
            from++;
            continue;
        }
        guint to = from, a, b;
        gint32 between = 0;
        for (; to <= n && bins[to].over <= allowed && bins[to].between > 0; to++)
            between = MAX(between, bins[to].between - bins[to].over - bins[to].across);
        least_across(bins, from, to, &a, &b);
        /* a heading across does not make a strip narrower, a full cell does */
        guint left = a, right = b;
        while (left > from && bins[left - 1].over <= tight)
            left--;
        while (right < to && bins[right].over <= tight)
            right++;
        gboolean wide = bins[a].over > tight ? (float)(b - a) >= 0.15F * g->size * BINS_PER_PT
                                             : (float)(right - left) >= least;
        if ((float)(to - from) >= least && wide && bins[a].words <= tight && between >= enough &&
            bins[a].across <= 2 * between && !cut_within(g, n_ruled, from, to)) {
            if (bins[a].words == 0) before_aligned(bins, left, right, between, &a, &b);
            float x = g->box.x0 + quietest(bins, a, b) / BINS_PER_PT;
            g_array_append_val(g->cuts, x);
        }
        from = to;
    }
}

/* How many of the borders between columns a word of p lies across. */
static guint
cuts_crossed(const layout_grid *g, const layout_piece *p)
{
    guint n = 0;
    for (guint w = word_at(g->sheet, p->start); w < g->sheet->words->len; w++) {
        const layout_word *word = layout_sheet_word(g->sheet, w);
        if (word->start >= p->start + p->len) break;
        for (guint c = 0; c < g->cuts->len; c++) {
            const float x = g_array_index(g->cuts, float, c);
            n += word->x0 < x - 1 && word->x1 > x + 1 ? 1 : 0;
        }
    }
    return n;
}

/* A remark over all columns may have wide blanks, too, where it is justified: one piece when its words lie across the
 * borders of the columns. Pieces are in the order of their bands. */
static void
remarks_join(layout_grid *g)
{
    guint kept = 0;
    for (guint i = 0, end; i < g->pieces->len; i = end) {
        layout_piece whole = *layout_grid_piece(g, i);
        guint crossed = 0;
        for (end = i; end < g->pieces->len && layout_grid_piece(g, end)->row == whole.row; end++)
            crossed += cuts_crossed(g, layout_grid_piece(g, end));
        const layout_piece *last = layout_grid_piece(g, end - 1);
        layout_band *band = layout_grid_band(g, whole.row);
        if (band->remark && crossed > 0) {
            whole.x1 = last->x1;
            whole.len = last->start + last->len - whole.start;
            band->n_pieces = 1;
            g_array_index(g->pieces, layout_piece, kept++) = whole;
            continue;
        }
        for (guint k = i; k < end; k++)
            g_array_index(g->pieces, layout_piece, kept++) = *layout_grid_piece(g, k);
    }
    g_array_set_size(g->pieces, kept);
}

/* Do most rows of the body have a piece that begins where x0 is, or has its middle in common with x0..x1? */
static gboolean
is_column_head(const layout_grid *g, float x0, float x1)
{
    guint n = 0, body = 0;
    for (guint b = 0; b < g->bands->len; b++)
        body +=
            !layout_grid_band(g, b)->header && 2 * layout_grid_band(g, b)->n_pieces > g->cuts->len;
    for (guint i = 0; i < g->pieces->len; i++) {
        const layout_piece *p = layout_grid_piece(g, i);
        gboolean here = fabsf(p->x0 - x0) < 1 || fabsf(p->x0 + p->x1 - x0 - x1) < 0.6F * p->size;
        n += here && !layout_grid_band(g, p->row)->header ? 1 : 0;
    }
    return n >= 2 && 2 * n > body;
}

/* Cut pieces at column borders that fall into one of their wider word gaps. */
static void
pieces_split(layout_grid *g)
{
    guint n = g->pieces->len;
    for (guint i = 0; i < n; i++) {
        layout_piece p = g_array_index(g->pieces, layout_piece, i);
        for (guint c = 0; c < g->cuts->len; c++) {
            float x = g_array_index(g->cuts, float, c);
            if (x <= p.x0 + 1 || x >= p.x1 - 1) continue;
            /* the word gap at x */
            const layout_word *before = NULL, *after = NULL;
            for (guint w = word_at(g->sheet, p.start); w < g->sheet->words->len; w++) {
                const layout_word *word = layout_sheet_word(g->sheet, w);
                if (word->start >= p.start + p.len) break;
                if (word->x1 <= x + 2)
                    before = word;
                else if (after == NULL)
                    after = word;
            }
            if (before == NULL || after == NULL || after->start < before->start) continue;
            float gap = after->x0 - before->x1;
            /* a row's cells may all but touch; a heading or remark alone on its line is whole */
            const layout_band *band = layout_grid_band(g, p.row);
            gboolean within = before->x1 <= x + 0.5F && after->x0 >= x - 0.5F &&
                              (band->header ? is_column_head(g, p.x0, before->x1) &&
                                                  is_column_head(g, after->x0, p.x1)
                                            : 2 * band->n_pieces > g->cuts->len);
            if (gap < (g->lattice ? 0.1F : within ? 0.15F : 0.45F) * p.size || after->x0 < x - 2)
                continue;
            layout_piece right = p;
            right.start = after->start;
            right.len = p.start + p.len - after->start;
            right.x0 = after->x0;
            right.first_x1 = after->x1;
            p.len = before->start + before->len - p.start;
            p.x1 = before->x1;
            g_array_index(g->pieces, layout_piece, i) = p;
            g_array_append_val(g->pieces, right);
            n = g->pieces->len; /* the right part gets its own turn */
            break;
        }
    }
}

gboolean
layout_grid_rule_between(const layout_grid *g, float y0, float y1, float x0, float x1)
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

gboolean
layout_grid_rule_across(const layout_grid *g, float y0, float y1)
{
    for (guint i = 0; i < g->rules->horizontal->len; i++) {
        const layout_rule *r = &g_array_index(g->rules->horizontal, layout_rule, i);
        if (r->y0 > y0 && r->y0 < y1 &&
            layout_overlap_1d(r->x0, r->x1, g->box.x0, g->box.x1) > 0.85F * (g->box.x1 - g->box.x0))
            return TRUE;
    }
    return FALSE;
}

guint
layout_grid_column(const layout_grid *g, float x)
{
    guint c = 0;
    while (c < g->cuts->len && x > g_array_index(g->cuts, float, c))
        c++;
    return c;
}

static void
columns_assign(layout_grid *g)
{
    guint n = g->cuts->len + 1;
    /* Where the text of each column stands, from pieces that are within one. */
    g_autofree float *x0 = g_new(float, n), *x1 = g_new(float, n);
    for (guint c = 0; c < n; c++) {
        x0[c] = G_MAXFLOAT;
        x1[c] = -G_MAXFLOAT;
    }
    for (guint i = 0; i < g->pieces->len; i++) {
        layout_piece *p = layout_grid_piece(g, i);
        guint a = layout_grid_column(g, p->x0 + 1), b = layout_grid_column(g, p->x1 - 1);
        if (a != b) continue;
        x0[a] = MIN(x0[a], p->x0);
        x1[a] = MAX(x1[a], p->x1);
    }
    for (guint i = 0; i < g->pieces->len; i++) {
        layout_piece *p = layout_grid_piece(g, i);
        guint a = layout_grid_column(g, p->x0 + 1), b = MAX(a, layout_grid_column(g, p->x1 - 1));
        /* Reaching a little into a neighbour is not spanning it. */
        while (a < b && !p->over_two) {
            float over = layout_overlap_1d(p->x0, p->x1, x0[a], x1[a]);
            if (x0[a] > x1[a] || over > MIN(0.35F * (x1[a] - x0[a]), p->x1 - p->x0)) break;
            a++;
        }
        while (b > a && !p->over_two) {
            float over = layout_overlap_1d(p->x0, p->x1, x0[b], x1[b]);
            if (x0[b] > x1[b] || over > MIN(0.35F * (x1[b] - x0[b]), p->x1 - p->x0)) break;
            b--;
        }
        p->col0 = a;
        p->col1 = b;
    }
}

/* Columns that hold nothing, such as the margin between two rules, go. */
static void
empty_columns_drop(layout_grid *g)
{
    guint cols = g->cuts->len + 1;
    g_autofree guint *used = g_new0(guint, cols);
    for (guint i = 0; i < g->pieces->len; i++) {
        const layout_piece *p = layout_grid_piece(g, i);
        used[layout_grid_column(g, 0.5F * (p->x0 + p->x1))]++;
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

gboolean
layout_table_is_typed_rule(const char *text, gsize len)
{
    gsize dashes = 0;
    for (gsize i = 0; i < len; i++)
        dashes += text[i] == '-' || text[i] == '_' || text[i] == '=';
    return dashes >= 5 && dashes == len;
}

/* A piece is a bullet, and the word behind this gap not far from it and none. */
static gboolean
is_item_gap(const layout_grid *g, const layout_piece *p, const layout_word *next, float gap)
{
    const char *text = g->sheet->text->str;
    return gap < 1.6F * p->size &&
           layout_list_bullet(text + p->start, next->start + next->len - p->start) == p->len + 1 &&
           g_unichar_isalnum(g_utf8_get_char(text + next->start));
}

/* A segment, cut where words stand further apart than within a sentence. */
static void
pieces_of_seg(layout_grid *g, guint index)
{
    const layout_seg *seg = layout_sheet_seg(g->sheet, index);
    layout_piece p = {
        .seg = index, .baseline = seg->baseline, .size = seg->size_pt, .flags = seg->flags};
    for (guint i = seg->first_style; i < seg->first_style + seg->n_styles; i++)
        g->math |= (layout_sheet_style(g->sheet, i)->flags & LAYOUT_SPAN_MATH) != 0;
    if (layout_table_is_typed_rule(g->sheet->text->str + seg->start, seg->len)) {
        g->n_drawn += layout_ledger_count(g->sheet, seg->start, seg->len);
        return;
    }
    const float gap = (seg->flags & LAYOUT_SPAN_MONO ? MONO_GAP_EM : WORD_GAP_EM) * seg->size_pt;
    for (guint w = seg->first_word; w < seg->first_word + seg->n_words; w++) {
        const layout_word *word = layout_sheet_word(g->sheet, w);
        if (p.len > 0 && word->x0 - p.x1 > gap && !is_item_gap(g, &p, word, word->x0 - p.x1)) {
            g_array_append_val(g->pieces, p);
            p.len = 0;
        }
        if (p.len == 0) {
            p.x0 = word->x0;
            p.first_x1 = word->x1;
            p.start = word->start;
        }
        p.x1 = p.len == 0 ? word->x1 : MAX(p.x1, word->x1);
        p.len = word->start + word->len - p.start;
    }
    if (p.len > 0) g_array_append_val(g->pieces, p);
}

static float
median_size(const layout_sheet *sheet, const GArray *segs)
{
    g_autoptr(GArray) sizes = g_array_sized_new(FALSE, FALSE, sizeof(float), segs->len);
    for (guint i = 0; i < segs->len; i++) {
        float size = layout_sheet_seg(sheet, g_array_index(segs, guint, i))->size_pt;
        g_array_append_val(sizes, size);
    }
    g_array_sort(sizes, layout_compare_float);
    return sizes->len > 0 ? g_array_index(sizes, float, sizes->len / 2) : 0;
}

static void
columns_find(layout_grid *g)
{
    cuts_from_rules(g);
    /* the outer border is no cut */
    while (g->cuts->len > 0 && g_array_index(g->cuts, float, 0) < g->box.x0 + 4)
        g_array_remove_index(g->cuts, 0);
    while (g->cuts->len > 0 && g_array_index(g->cuts, float, g->cuts->len - 1) > g->box.x1 - 4)
        g_array_set_size(g->cuts, g->cuts->len - 1);
    if (g->cuts->len > 0) {
        g->lattice = TRUE;
        pieces_split(g);
        columns_assign(g);
        g->lattice = layout_grid_ruled_rows(g);
    }
    /* within vertical rules gutters may divide further */
    cuts_from_gutters(g);
    layout_grid_snap(g->cuts, 5);
    if (!g->lattice) remarks_join(g);
    pieces_split(g);
    empty_columns_drop(g);
    columns_assign(g);
}

gboolean
layout_grid_build(const layout_sheet *sheet, layout_table_region *table,
                  const layout_table_rules *rules, const GArray *segs)
{
    layout_grid g = {.sheet = sheet, .box = table->box, .rules = rules};
    g_autoptr(GArray) pieces = g.pieces = g_array_new(FALSE, TRUE, sizeof(layout_piece));
    g_autoptr(GArray) bands = g.bands = g_array_new(FALSE, TRUE, sizeof(layout_band));
    g_autoptr(GArray) cuts = g.cuts = g_array_new(FALSE, FALSE, sizeof(float));
    g.size = median_size(sheet, segs);
    for (guint i = 0; i < segs->len; i++) {
        const layout_seg *seg = layout_sheet_seg(sheet, g_array_index(segs, guint, i));
        pieces_of_seg(&g, g_array_index(segs, guint, i));
        g.box.x0 = MIN(g.box.x0, seg->box.x0 - 1);
        g.box.x1 = MAX(g.box.x1, seg->box.x1 + 1);
    }
    layout_grid_pictures(&g);
    if (pieces->len < 4) return FALSE;
    layout_grid_bands(&g);
    for (guint i = 0; i < pieces->len; i++) {
        const layout_piece *p = layout_grid_piece(&g, i);
        layout_grid_band(&g, p->row)->n_pieces += cells_like(&g, p) - 1;
    }
    layout_grid_header(&g);
    columns_find(&g);
    if (cuts->len == 0) return FALSE;
    if (!g.lattice) {
        layout_grid_header_from_numbers(&g);
        layout_grid_spans(&g);
        layout_grid_rows(&g);
    }
    if (bands->len < 2 || (gsize)bands->len * (cuts->len + 1) > MAX_CELLS) return FALSE;
    layout_grid_cells(&g, table);
    return TRUE;
}
