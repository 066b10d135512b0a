/* Which pieces of lines are scripts of others, and which are parts of a fraction in a line. */
#include "layout/lines.h"

#include <math.h>

#define SCRIPT_NEIGHBOURS 24
#define BAND_PT           6.0F

/* ---- scripts ---- */

typedef struct {
    guint *order;  /* pieces by band, then u0 */
    guint *starts; /* band -> first place in order; n_bands + 1 of them */
    guint n_bands;
    float v0;
} bands;

static guint
band_of(const bands *b, float v)
{
    float k = (v - b->v0) / BAND_PT;
    if (!(k > 0)) return 0;
    return k >= (float)b->n_bands ? b->n_bands - 1 : (guint)k;
}

typedef struct {
    const bands *b;
    const GArray *pieces;
} band_order;

static int
compare_band(gconstpointer a, gconstpointer b, gpointer data)
{
    const band_order *o = data;
    const line_piece *x = &g_array_index(o->pieces, line_piece, *(const guint *)a);
    const line_piece *y = &g_array_index(o->pieces, line_piece, *(const guint *)b);
    guint bx = band_of(o->b, x->v), by = band_of(o->b, y->v);
    if (bx != by) return bx < by ? -1 : 1;
    if (x->u0 != y->u0) return x->u0 < y->u0 ? -1 : 1;
    return x < y ? -1 : x > y;
}

static void
bands_make(bands *b, const GArray *pieces)
{
    float v0 = G_MAXFLOAT, v1 = -G_MAXFLOAT;
    for (guint i = 0; i < pieces->len; i++) {
        const line_piece *p = &g_array_index(pieces, line_piece, i);
        v0 = MIN(v0, p->v);
        v1 = MAX(v1, p->v);
    }
    b->v0 = v0;
    b->n_bands = 1 + (guint)CLAMP((v1 - v0) / BAND_PT, 0, 20000);
    b->order = g_new(guint, pieces->len);
    b->starts = g_new0(guint, b->n_bands + 1);
    for (guint i = 0; i < pieces->len; i++) {
        b->order[i] = i;
        b->starts[band_of(b, g_array_index(pieces, line_piece, i).v) + 1]++;
    }
    for (guint k = 0; k < b->n_bands; k++)
        b->starts[k + 1] += b->starts[k];
    band_order order = {b, pieces};
    g_qsort_with_data(b->order, (gint)pieces->len, sizeof(guint), compare_band, &order);
}

/* Does p stand right above or below h, which is hardly wider: a mark in the row above that of another mark? */
static gboolean
is_stacked(const line_piece *p, const line_piece *h)
{
    const float width = p->u1 - p->u0, shared = layout_overlap_1d(p->u0, p->u1, h->u0, h->u1);
    return shared > 0.5F * width && h->u1 - h->u0 < 2 * width;
}

/* How badly p sits as a script of h; negative: not at all. */
static float
script_cost(const line_piece *p, const line_piece *h)
{
    float dv = p->v - h->v, s = h->size;
    if (h->symbol || h->accent) return -1;
    if (p->accent) {
        gboolean over = p->u0 > h->u0 - 0.2F * s && p->u1 < h->u1 + 0.3F * s;
        return over && dv > -0.5F * s && dv < 0.2F * s && p->size > 0.7F * s ? 0 : -1;
    }
    if (p->symbol) {
        if (fabsf(dv) > (is_stacked(p, h) ? 0.6F : 1.1F) * s || p->size > 1.6F * s) return -1;
    } else if (p->size <= 0.88F * s) {
        if (p->size < 0.4F * s || dv < -0.8F * s || dv > 0.45F * s) return -1;
        if (p->n_glyphs > 40 || (p->n_glyphs > 12 && h->n_glyphs <= 2)) return -1;
    } else {
        /* Raised without being made smaller. */
        if (p->size > 1.05F * s || fabsf(dv) < 0.12F * s || fabsf(dv) > 0.5F * s) return -1;
        if (p->n_glyphs > 4 || h->n_glyphs <= 2 * p->n_glyphs) return -1;
    }
    float after = p->u0 - h->u1, before = h->u0 - p->u1;
    float touch = p->symbol ? 0.5F : 0.32F;
    if (after > touch * s || before > touch * s) return -1;
    return after > 0 ? after : before > 0 ? before + 0.05F * s : 0;
}

void
line_scripts_attach(GArray *pieces)
{
    if (pieces->len == 0) return;
    bands b;
    bands_make(&b, pieces);
    for (guint i = 0; i < pieces->len; i++) {
        line_piece *p = &g_array_index(pieces, line_piece, i);
        float best = G_MAXFLOAT, reach = CLAMP(2 * p->size, 8, 60);
        guint k1 = band_of(&b, p->v + reach);
        for (guint k = band_of(&b, p->v - reach); k <= k1; k++) {
            /* the last piece of this band that starts before p ends */
            guint lo = b.starts[k], hi = b.starts[k + 1];
            while (lo < hi) {
                guint mid = lo + (hi - lo) / 2;
                const line_piece *q = &g_array_index(pieces, line_piece, b.order[mid]);
                if (q->u0 <= p->u1 + reach)
                    lo = mid + 1;
                else
                    hi = mid;
            }
            for (guint n = 0; n < SCRIPT_NEIGHBOURS && lo > b.starts[k]; n++) {
                guint j = b.order[--lo];
                const line_piece *h = &g_array_index(pieces, line_piece, j);
                if (j == i) continue;
                float cost = script_cost(p, h);
                if (cost < 0) continue;
                cost += 0.1F * fabsf(p->v - h->v);
                if (cost < best) {
                    best = cost;
                    p->host = (int)j;
                }
            }
        }
    }
    g_free(b.order);
    g_free(b.starts);
}

/* ---- fractions in lines of text ---- */

#define MAX_BARS      400   /* of a page; on one with more they are the grid of a plot */
#define MAX_PIECES    20000 /* no page of text has more */
#define MAX_BAR_EM    16
#define FRACTION_SIZE 0.8F /* its parts are smaller than that, in sizes of the line */

/* Short rules of a page that may be fraction bars, in the frame of this turn. */
static GArray *
bars_find(const parse_page *page, guint turn)
{
    GArray *bars = g_array_new(FALSE, FALSE, sizeof(layout_rect));
    const parse_path_kind kind = turn & 1 ? PARSE_PATH_RULE_V : PARSE_PATH_RULE_H;
    for (guint i = 0; i < page->n_paths; i++) {
        const parse_path *path = &page->paths[i];
        if (path->kind != kind) continue;
        layout_rect box = {path->box.x0, path->box.y0, path->box.x1, path->box.y1};
        box = layout_rect_turn(box, turn, page->width_pt, page->height_pt);
        if (!(box.x1 - box.x0 > 2 && box.x1 - box.x0 < 200 && box.y1 - box.y0 < 2)) continue;
        g_array_append_val(bars, box);
    }
    if (bars->len > MAX_BARS) g_array_set_size(bars, 0);
    return bars;
}

/* Is c on this side of the bar, close to it? TeX's clearance is a rule's thickness or more (The TeXbook, appendix G,
 * rule 15d); letters may reach down 0.25 em from their baseline. */
static gboolean
is_part(const line_chunk *c, const layout_rect *bar, gboolean above)
{
    const float middle = 0.5F * (c->u0 + c->u1), off = above ? bar->y0 - c->v : c->v - bar->y1;
    if (c->symbol || middle < bar->x0 || middle > bar->x1 || c->u0 < bar->x0 - 0.4F * c->size ||
        c->u1 > bar->x1 + 0.4F * c->size)
        return FALSE;
    return above ? off > 0.02F * c->size && off < 0.75F * c->size
                 : off > 0.5F * c->size && off < 1.3F * c->size;
}

/* Does the piece go on behind the bar, with nothing where the bar is? */
static gboolean
is_open_at(const GArray *chunks, const line_piece *p, const layout_rect *bar)
{
    if (p->u0 > bar->x0 || p->u1 < bar->x1) return FALSE;
    for (guint i = p->first; i < p->first + p->n; i++) {
        const line_chunk *c = &g_array_index(chunks, line_chunk, i);
        if (layout_overlap_1d(c->u0, c->u1, bar->x0, bar->x1) > 0.1F * c->size) return FALSE;
    }
    return TRUE;
}

/* The piece that goes on beside a bar on its axis, which the middle of a minus sign is on: a quarter of an em above the
 * baseline. LAYOUT_NONE: the bar is in no line. */
static int
bar_host(const GArray *chunks, const GArray *pieces, const bands *b, const layout_rect *bar,
         float size)
{
    const float y = 0.5F * (bar->y0 + bar->y1);
    int best = LAYOUT_NONE;
    float least = G_MAXFLOAT;
    const guint k1 = band_of(b, y + 12);
    for (guint k = band_of(b, y); k <= k1; k++)
        for (guint n = b->starts[k]; n < b->starts[k + 1]; n++) {
            const line_piece *h = &g_array_index(pieces, line_piece, b->order[n]);
            if (h->u0 > bar->x1 + h->size) break;
            if (h->symbol || h->accent || size > FRACTION_SIZE * h->size ||
                bar->x1 - bar->x0 > MAX_BAR_EM * h->size ||
                fabsf(h->v - 0.25F * h->size - y) > 0.1F * h->size)
                continue;
            const float after = bar->x0 - h->u1, before = h->u0 - bar->x1;
            const float gap = is_open_at(chunks, h, bar) ? 0 : MAX(after, before);
            if (gap < -0.3F * h->size || gap > 0.9F * h->size || gap >= least) continue;
            least = gap;
            best = (int)b->order[n];
        }
    return best;
}

void
line_fractions_attach(GArray *chunks, GArray *pieces, const parse_page *page, guint turn)
{
    g_autoptr(GArray) bars = bars_find(page, turn);
    if (pieces->len == 0 || pieces->len > MAX_PIECES || bars->len == 0) return;
    bands b;
    bands_make(&b, pieces);
    for (guint r = 0; r < bars->len; r++) {
        const layout_rect *bar = &g_array_index(bars, layout_rect, r);
        guint n[2] = {0, 0};
        float size = 0;
        int host = LAYOUT_NONE;
        for (guint pass = 0; pass < 2; pass++) {
            if (pass == 1 && (n[0] == 0 || n[1] == 0)) break;
            if (pass == 1 && (host = bar_host(chunks, pieces, &b, bar, size)) < 0) break;
            const guint k1 = band_of(&b, bar->y1 + 14);
            for (guint k = band_of(&b, bar->y0 - 14); k <= k1; k++)
                for (guint at = b.starts[k]; at < b.starts[k + 1]; at++) {
                    line_piece *p = &g_array_index(pieces, line_piece, b.order[at]);
                    if (p->u0 > bar->x1) break;
                    if (p->u1 < bar->x0 || (int)b.order[at] == host) continue;
                    for (guint i = p->first; i < p->first + p->n; i++) {
                        line_chunk *c = &g_array_index(chunks, line_chunk, i);
                        const gboolean above = is_part(c, bar, TRUE);
                        if (!above && !is_part(c, bar, FALSE)) continue;
                        if (pass == 1) {
                            c->fraction = TRUE;
                            p->host = host;
                            continue;
                        }
                        n[above ? 0 : 1]++;
                        size = MAX(size, c->size);
                    }
                }
        }
    }
    g_free(b.order);
    g_free(b.starts);
}

guint
line_root_of(const GArray *pieces, guint i)
{
    for (guint depth = 0; depth < 64; depth++) {
        int host = g_array_index(pieces, line_piece, i).host;
        if (host < 0) return i;
        i = (guint)host;
    }
    return i;
}

/* Rings are broken: two pieces may each look like the other's script. */
void
line_roots_settle(GArray *pieces)
{
    for (guint i = 0; i < pieces->len; i++) {
        guint at = i;
        guint depth = 0;
        while (g_array_index(pieces, line_piece, at).host >= 0 && depth++ < 6) {
            at = (guint)g_array_index(pieces, line_piece, at).host;
            if (at == i) break;
        }
        if (depth > 6 || (at == i && depth > 0))
            g_array_index(pieces, line_piece, i).host = LAYOUT_NONE;
    }
    for (guint i = 0; i < pieces->len; i++) {
        line_piece *p = &g_array_index(pieces, line_piece, i);
        guint root = line_root_of(pieces, i);
        if (root == i) continue;
        line_piece *h = &g_array_index(pieces, line_piece, root);
        h->reach0 = MIN(h->reach0, p->u0);
        h->reach1 = MAX(h->reach1, p->u1);
    }
    /* A gap filled by a script is no gap. Pieces of a group are in order of u. */
    int last = LAYOUT_NONE;
    for (guint i = 0; i < pieces->len; i++) {
        line_piece *p = &g_array_index(pieces, line_piece, i);
        if (p->host >= 0) continue;
        if (last >= 0) {
            line_piece *l = &g_array_index(pieces, line_piece, last);
            if (l->group == p->group &&
                !line_is_initial(l->size, l->n_glyphs, p->size, p->n_glyphs) &&
                p->reach0 - l->reach1 <= LINE_WIDE_GAP_EM * MAX(p->size, l->size)) {
                /* the line is as large as most of it: a bitmap font's bullet does not tell its size */
                if (p->n_glyphs > l->n_glyphs) l->size = p->size;
                l->n_glyphs += p->n_glyphs;
                p->host = last;
                l->reach1 = MAX(l->reach1, p->reach1);
                continue;
            }
        }
        last = (int)i;
    }
}

gboolean
line_is_initial(float size, guint n_glyphs, float next_size, guint next_glyphs)
{
    return n_glyphs <= 2 && next_glyphs > 3 && size > 1.7F * next_size;
}
