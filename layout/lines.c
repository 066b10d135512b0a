/* Glyphs -> segments: what stands on one baseline, with its sub- and superscripts, up to a wide gap.
 *
 *   glyphs --content order--> chunks --baselines--> pieces --scripts--> segments
 *
 * A chunk is a stretch of glyphs written one after the other. Chunks on one baseline, cut at wide gaps,
 * make a piece. A piece set smaller and a little higher or lower that touches another is its script. Wide
 * gaps separate columns and table cells; what was cut by mistake, such as a stretched word space, is put
 * together again once the columns are known (order.c). Everything is sorting and looking at a bounded
 * number of neighbours, so a page of a million glyphs stays n log n. */
#include "layout/analyze.h"
#include "layout/hidden.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WIDE_GAP_EM       0.85F
#define SCRIPT_NEIGHBOURS 24
#define BAND_PT           6.0F

typedef struct {
    guint first, n; /* glyphs */
    float u0, u1, v, size;
    gboolean symbol; /* from a math extension font: v is a guess */
    gboolean accent; /* a lone accent */
    guint piece;
} chunk;

typedef struct {
    guint first, n; /* chunks, in sorted order */
    float u0, u1, v, size;
    float reach0, reach1; /* with scripts */
    guint n_glyphs;
    int host; /* piece this is a script of, or that it was merged into */
    gboolean symbol, accent;
    guint group;
} piece;

/* ---- glyphs ---- */

static gboolean
is_space(uint32_t ch)
{
    return ch == ' ' || ch == '\t' || ch == 0xA0 || (ch >= 0x2000 && ch <= 0x200A) ||
           ch == 0x202F || ch == 0x205F || ch == 0x3000;
}

static gboolean
is_nothing(uint32_t ch)
{
    return ch < 0x20 || (ch >= 0x7F && ch < 0xA0) || ch == 0x200B || ch == 0xFEFF || ch == 0x2060 ||
           (ch >= 0x200E && ch <= 0x200F) || (ch >= 0x202A && ch <= 0x202E) || ch > 0x10FFFF ||
           (ch >= 0xD800 && ch <= 0xDFFF);
}

/* The accents that TeX draws as characters of their own. */
static gboolean
is_spacing_accent(uint32_t ch)
{
    return ch == 0x60 || ch == 0xA8 || ch == 0xAF || ch == 0xB4 || ch == 0xB8 || ch == 0x2C6 ||
           ch == 0x2C7 || (ch >= 0x2D8 && ch <= 0x2DD);
}

/* Those of math extension fonts, which stretch over several letters. */
static gboolean
is_wide_accent(uint32_t ch)
{
    return ch == 0x2C6 || ch == 0x2DC || ch == 0x302 || ch == 0x303 || ch == 0x20D7;
}

static guint
turn_of_run(const parse_run *run)
{
    if (fabsf(run->dir_x) >= fabsf(run->dir_y)) return run->dir_x >= 0 ? 0 : 2;
    return run->dir_y < 0 ? 1 : 3;
}

/* Across the page: a watermark, or a label in a plot. */
static gboolean
is_skewed(const parse_run *run)
{
    return MIN(fabsf(run->dir_x), fabsf(run->dir_y)) > 0.17F;
}

static void
point_turn(guint turn, float w, float h, float x, float y, float *u, float *v)
{
    layout_rect r = layout_rect_turn((layout_rect){x, y, x, y}, turn, w, h);
    *u = r.x0;
    *v = r.y0;
}

/* Text printed twice at (nearly) the same place: a cheap bold, or a shadow. Glyphs by character and cell. */
typedef struct {
    uint64_t key; /* 0: free */
    float x, y;
} twin;

typedef struct {
    twin *slots;
    size_t mask;
} twins;

#define TWIN_CELL_PT    2.0F
#define TWIN_MAX_PROBES 32

static uint64_t
twin_key(uint32_t ch, int x, int y)
{
    uint64_t key = ((uint64_t)ch << 42) ^ ((uint64_t)(uint32_t)(x & 0x1FFFFF) << 21) ^
                   (uint64_t)(uint32_t)(y & 0x1FFFFF);
    return key | (1ULL << 63);
}

/* Is one within reach of x, y in this cell? *slot: where the next of this key goes, NULL where the cell is
 * crowded. */
static gboolean
twin_find(const twins *set, uint64_t key, float x, float y, float reach, twin **slot)
{
    uint64_t hash = key * 0x9E3779B97F4A7C15ULL;
    size_t at = (size_t)(hash >> 20) & set->mask;
    for (guint probe = 0; probe < TWIN_MAX_PROBES; probe++, at = (at + 1) & set->mask) {
        *slot = &set->slots[at];
        if (set->slots[at].key == 0) return FALSE;
        if (set->slots[at].key == key && fabsf(set->slots[at].x - x) <= reach &&
            fabsf(set->slots[at].y - y) <= reach)
            return TRUE;
    }
    *slot = NULL;
    return FALSE;
}

static gboolean
twin_seen(const twins *set, uint32_t ch, float x, float y, float size_pt)
{
    if (set->slots == NULL) return FALSE;
    /* two "l" of small print stand a quarter em apart */
    float reach = CLAMP(0.12F * size_pt, 0.05F, 0.9F);
    float cx = x / TWIN_CELL_PT, cy = y / TWIN_CELL_PT, d = reach / TWIN_CELL_PT;
    int x0 = (int)floorf(cx - d), x1 = (int)floorf(cx + d);
    int y0 = (int)floorf(cy - d), y1 = (int)floorf(cy + d);
    twin *slot;
    for (int i = x0; i <= x1; i++)
        for (int k = y0; k <= y1; k++)
            if (twin_find(set, twin_key(ch, i, k), x, y, reach, &slot)) return TRUE;
    uint64_t key = twin_key(ch, (int)floorf(cx), (int)floorf(cy));
    twin_find(set, key, x, y, -1, &slot);
    if (slot != NULL) *slot = (twin){key, x, y};
    return FALSE;
}

static void
twins_init(twins *set, guint n)
{
    size_t size = 64;
    while (size < (size_t)n * 2)
        size *= 2;
    set->mask = size - 1;
    set->slots = g_try_new0(twin, size);
}

typedef struct {
    layout_work *work;
    layout_sheet *sheet;
    const parse_page *page;
    const layout_hidden *hidden;
    twins seen;
    guint *fonts;      /* the page's -> the document's */
    GArray *glyphs[5]; /* layout_glyph by quarter turns; the last: skewed */
} collector;

static void
glyph_keep(collector *c, const parse_run *run, const parse_glyph *glyph, gboolean space, guint turn,
           GArray *list)
{
    const parse_page *page = c->page;
    guint font = c->fonts[run->font];
    layout_glyph out = {.size_pt = run->size_pt,
                        .ch = glyph->unicode,
                        .flags = layout_work_font(c->work, font)->flags,
                        .font = font,
                        .space = space,
                        .mcid = run->artifact ? LAYOUT_MCID_ARTIFACT : run->mcid,
                        .nth = (uint32_t)(glyph - page->glyphs)};
    layout_rect box = {glyph->box.x0, glyph->box.y0, glyph->box.x1, glyph->box.y1};
    box = layout_rect_turn(box, turn, page->width_pt, page->height_pt);
    point_turn(turn, page->width_pt, page->height_pt, glyph->x, glyph->y, &out.x, &out.y);
    out.x1 = MAX(out.x, box.x1);
    if (out.flags & LAYOUT_STYLE_SYMBOL) {
        out.top = box.y0;
        out.bottom = box.y1;
    }
    g_array_append_val(list, out);
}

/* Why not to take this run, LAYOUT_SEEN or LAYOUT_SEEN_IN_PART. */
static int
verdict_of_run(const collector *c, const parse_run *run)
{
    int verdict = layout_hidden_run(c->hidden, run);
    if (!c->work->keep_hidden || verdict == LAYOUT_DISCARD_OFF_PAGE) return verdict;
    gboolean sane = isfinite(run->size_pt) && run->size_pt > 0.01F && run->size_pt <= 2000;
    return sane && run->font < c->page->n_fonts ? LAYOUT_SEEN : verdict;
}

static void
run_collect(collector *c, const parse_run *run, gboolean last)
{
    guint turn = turn_of_run(run);
    GArray *list = c->glyphs[is_skewed(run) ? 4 : turn];
    int verdict = verdict_of_run(c, run);
    gboolean space = FALSE, twin_head = FALSE;
    for (guint i = run->first_glyph; i < run->first_glyph + run->n_glyphs; i++) {
        const parse_glyph *glyph = &c->page->glyphs[i];
        int reason = verdict;
        if (is_space(glyph->unicode)) {
            space = TRUE;
            reason = LAYOUT_DISCARD_SPACE;
        } else if (is_nothing(glyph->unicode)) {
            reason = LAYOUT_DISCARD_CONTROL;
        } else if (!isfinite(glyph->x) || !isfinite(glyph->y) ||
                   !isfinite(glyph->box.x0 + glyph->box.x1)) {
            reason = LAYOUT_DISCARD_OFF_PAGE;
        } else if (reason == LAYOUT_SEEN_IN_PART) {
            reason = layout_hidden_glyph(c->hidden, run, glyph);
        }
        if (reason == LAYOUT_SEEN) {
            /* the letters of a ligature are one glyph */
            if (glyph->gid >= 0)
                twin_head = twin_seen(&c->seen, glyph->unicode, glyph->x, glyph->y, run->size_pt);
            if (twin_head) reason = LAYOUT_DISCARD_REPEATED;
        }
        if (reason == LAYOUT_SEEN)
            glyph_keep(c, run, glyph, space, turn, list);
        else
            layout_ledger_discard(c->sheet, (layout_discard_reason)reason, glyph, run->size_pt,
                                  space);
        if (reason != LAYOUT_DISCARD_SPACE && reason != LAYOUT_DISCARD_CONTROL) space = FALSE;
    }
    /* A space at a run's end counts for what follows. */
    if (verdict < 0 && space && !last && list->len > 0)
        g_array_index(list, layout_glyph, list->len - 1).flags |= 1U << 30;
}

static void
collect(collector *c)
{
    const parse_page *page = c->page;
    twins_init(&c->seen, page->n_glyphs);
    c->fonts = g_new(guint, page->n_fonts + 1);
    for (guint i = 0; i < page->n_fonts; i++)
        c->fonts[i] = layout_font_intern(c->work, &page->fonts[i]);
    for (guint r = 0; r < page->n_runs; r++)
        run_collect(c, &page->runs[r], r + 1 == page->n_runs);
    c->sheet->ledger.n_glyphs = page->n_glyphs + page->n_unplaced + page->n_masked;
    c->sheet->ledger.n_discarded[LAYOUT_DISCARD_INVISIBLE] += page->n_masked;
    c->sheet->ledger.n_discarded[LAYOUT_DISCARD_OFF_PAGE] += page->n_unplaced;
    g_free(c->seen.slots);
    g_free(c->fonts);
}

/* ---- chunks and pieces ---- */

static GArray *
chunks_find(const GArray *glyphs)
{
    GArray *chunks = g_array_new(FALSE, FALSE, sizeof(chunk));
    chunk *open = NULL;
    for (guint i = 0; i < glyphs->len; i++) {
        const layout_glyph *g = &g_array_index(glyphs, layout_glyph, i);
        gboolean radical = g->ch == 0x221A && (g->flags & LAYOUT_STYLE_TEX_SYMBOL);
        gboolean symbol = (g->flags & LAYOUT_STYLE_SYMBOL) != 0 || radical;
        float v = g->y;
        /* Big operators and delimiters hang from their origin, their middle on the axis of the line. */
        if (radical)
            v += 0.75F * g->size_pt;
        else if (symbol && !is_wide_accent(g->ch))
            v = g->bottom > g->top ? 0.5F * (g->top + g->bottom) + 0.25F * g->size_pt
                                   : g->y + 0.9F * g->size_pt;
        if (open != NULL && symbol == open->symbol) {
            float gap = g->x - open->u1;
            /* After an accent TeX goes back for the letter. */
            float back = is_spacing_accent(g[-1].ch) ? 0.9F : 0.4F;
            if (fabsf(v - open->v) <= 0.04F * open->size + 0.02F && !symbol &&
                fabsf(g->size_pt - open->size) <= 0.1F * open->size &&
                gap < WIDE_GAP_EM * open->size && gap > -back * open->size) {
                open->n++;
                open->u0 = MIN(open->u0, g->x);
                open->u1 = MAX(open->u1, g->x1);
                open->accent = FALSE;
                continue;
            }
        }
        chunk next = {.first = i,
                      .n = 1,
                      .u0 = g->x,
                      .u1 = g->x1,
                      .v = v,
                      .size = g->size_pt,
                      .symbol = symbol,
                      .accent = is_spacing_accent(g->ch) || is_wide_accent(g->ch)};
        g_array_append_val(chunks, next);
        open = &g_array_index(chunks, chunk, chunks->len - 1);
    }
    return chunks;
}

static int
compare_chunk_v(gconstpointer a, gconstpointer b)
{
    const chunk *x = a, *y = b;
    if (x->v != y->v) return x->v < y->v ? -1 : 1;
    if (x->u0 != y->u0) return x->u0 < y->u0 ? -1 : 1;
    return (x->first > y->first) - (x->first < y->first);
}

static int
compare_chunk_u(gconstpointer a, gconstpointer b)
{
    const chunk *x = a, *y = b;
    if (x->u0 != y->u0) return x->u0 < y->u0 ? -1 : 1;
    return (x->first > y->first) - (x->first < y->first);
}

/* A letter that is an initial beside the line after it: they are on one baseline by chance. */
static gboolean
is_initial(float size, guint n_glyphs, float next_size, guint next_glyphs)
{
    return n_glyphs <= 2 && next_glyphs > 3 && size > 1.7F * next_size;
}

/* Cut the chunks of one baseline, sorted by u, into pieces. */
static void
pieces_of_group(GArray *chunks, guint from, guint to, guint group, GArray *pieces)
{
    piece *open = NULL;
    for (guint i = from; i < to; i++) {
        chunk *c = &g_array_index(chunks, chunk, i);
        if (open == NULL ||
            c->u0 - open->u1 >
                WIDE_GAP_EM * MIN(c->size, g_array_index(chunks, chunk, i - 1).size) ||
            c->u1 < open->u0 || is_initial(open->size, open->n_glyphs, c->size, c->n)) {
            piece next = {.first = i,
                          .u0 = c->u0,
                          .u1 = c->u1,
                          .v = c->v,
                          .size = 0,
                          .host = LAYOUT_NONE,
                          .symbol = TRUE,
                          .accent = TRUE,
                          .group = group};
            g_array_append_val(pieces, next);
            open = &g_array_index(pieces, piece, pieces->len - 1);
        }
        open->n++;
        open->n_glyphs += c->n;
        open->u1 = MAX(open->u1, c->u1);
        if (c->size > open->size && !c->symbol) {
            open->size = c->size;
            open->v = c->v;
        }
        open->symbol = open->symbol && c->symbol;
        open->accent = open->accent && c->accent;
        c->piece = pieces->len - 1;
    }
}

static GArray *
pieces_find(GArray *chunks)
{
    GArray *pieces = g_array_new(FALSE, FALSE, sizeof(piece));
    g_array_sort(chunks, compare_chunk_v);
    guint group = 0;
    for (guint from = 0; from < chunks->len;) {
        const chunk *c = &g_array_index(chunks, chunk, from);
        float first_v = c->v, last_v = c->v;
        guint to = from + 1;
        for (; to < chunks->len; to++) {
            const chunk *next = &g_array_index(chunks, chunk, to);
            float step = 0.08F * MIN(next->size, 30);
            if (next->v - last_v > MAX(step, 0.15F) || next->v - first_v > 0.5F * next->size) break;
            last_v = next->v;
        }
        qsort(&g_array_index(chunks, chunk, from), to - from, sizeof(chunk), compare_chunk_u);
        pieces_of_group(chunks, from, to, group++, pieces);
        from = to;
    }
    for (guint i = 0; i < pieces->len; i++) {
        piece *p = &g_array_index(pieces, piece, i);
        if (p->size <= 0) p->size = g_array_index(chunks, chunk, p->first).size;
        p->reach0 = p->u0;
        p->reach1 = p->u1;
    }
    return pieces;
}

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
    const piece *x = &g_array_index(o->pieces, piece, *(const guint *)a);
    const piece *y = &g_array_index(o->pieces, piece, *(const guint *)b);
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
        const piece *p = &g_array_index(pieces, piece, i);
        v0 = MIN(v0, p->v);
        v1 = MAX(v1, p->v);
    }
    b->v0 = v0;
    b->n_bands = 1 + (guint)CLAMP((v1 - v0) / BAND_PT, 0, 20000);
    b->order = g_new(guint, pieces->len);
    b->starts = g_new0(guint, b->n_bands + 1);
    for (guint i = 0; i < pieces->len; i++) {
        b->order[i] = i;
        b->starts[band_of(b, g_array_index(pieces, piece, i).v) + 1]++;
    }
    for (guint k = 0; k < b->n_bands; k++)
        b->starts[k + 1] += b->starts[k];
    band_order order = {b, pieces};
    g_qsort_with_data(b->order, (gint)pieces->len, sizeof(guint), compare_band, &order);
}

/* How badly p sits as a script of h; negative: not at all. */
static float
script_cost(const piece *p, const piece *h)
{
    float dv = p->v - h->v, s = h->size;
    if (h->symbol || h->accent) return -1;
    if (p->accent) {
        gboolean over = p->u0 > h->u0 - 0.2F * s && p->u1 < h->u1 + 0.3F * s;
        return over && dv > -0.5F * s && dv < 0.2F * s && p->size > 0.7F * s ? 0 : -1;
    }
    if (p->symbol) {
        if (fabsf(dv) > 1.1F * s || p->size > 1.6F * s) return -1;
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

static void
scripts_attach(GArray *pieces)
{
    if (pieces->len == 0) return;
    bands b;
    bands_make(&b, pieces);
    for (guint i = 0; i < pieces->len; i++) {
        piece *p = &g_array_index(pieces, piece, i);
        float best = G_MAXFLOAT, reach = CLAMP(2 * p->size, 8, 60);
        guint k1 = band_of(&b, p->v + reach);
        for (guint k = band_of(&b, p->v - reach); k <= k1; k++) {
            /* the last piece of this band that starts before p ends */
            guint lo = b.starts[k], hi = b.starts[k + 1];
            while (lo < hi) {
                guint mid = lo + (hi - lo) / 2;
                const piece *q = &g_array_index(pieces, piece, b.order[mid]);
                if (q->u0 <= p->u1 + reach)
                    lo = mid + 1;
                else
                    hi = mid;
            }
            for (guint n = 0; n < SCRIPT_NEIGHBOURS && lo > b.starts[k]; n++) {
                guint j = b.order[--lo];
                const piece *h = &g_array_index(pieces, piece, j);
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

static guint
root_of(const GArray *pieces, guint i)
{
    for (guint depth = 0; depth < 64; depth++) {
        int host = g_array_index(pieces, piece, i).host;
        if (host < 0) return i;
        i = (guint)host;
    }
    return i;
}

/* Follow hosts to the end once, breaking rings (two pieces may each look like the other's script). */
static void
roots_settle(GArray *pieces)
{
    for (guint i = 0; i < pieces->len; i++) {
        guint at = i;
        guint depth = 0;
        while (g_array_index(pieces, piece, at).host >= 0 && depth++ < 6) {
            at = (guint)g_array_index(pieces, piece, at).host;
            if (at == i) break;
        }
        if (depth > 6 || (at == i && depth > 0)) g_array_index(pieces, piece, i).host = LAYOUT_NONE;
    }
    for (guint i = 0; i < pieces->len; i++) {
        piece *p = &g_array_index(pieces, piece, i);
        guint root = root_of(pieces, i);
        if (root == i) continue;
        piece *h = &g_array_index(pieces, piece, root);
        h->reach0 = MIN(h->reach0, p->u0);
        h->reach1 = MAX(h->reach1, p->u1);
    }
    /* A gap filled by a script is no gap. Pieces of a group are in order of u. */
    int last = LAYOUT_NONE;
    for (guint i = 0; i < pieces->len; i++) {
        piece *p = &g_array_index(pieces, piece, i);
        if (p->host >= 0) continue;
        if (last >= 0) {
            piece *l = &g_array_index(pieces, piece, last);
            if (l->group == p->group && !is_initial(l->size, l->n_glyphs, p->size, p->n_glyphs) &&
                p->reach0 - l->reach1 <= WIDE_GAP_EM * MAX(p->size, l->size)) {
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

/* ---- segments ---- */

typedef struct {
    guint root, chunk;
    float u0;
    guint first;
} member;

static int
compare_member(gconstpointer a, gconstpointer b)
{
    const member *x = a, *y = b;
    if (x->root != y->root) return x->root < y->root ? -1 : 1;
    if (x->u0 != y->u0) return x->u0 < y->u0 ? -1 : 1;
    return (x->first > y->first) - (x->first < y->first);
}

static int
compare_glyph_x(gconstpointer a, gconstpointer b)
{
    const layout_glyph *x = *(const layout_glyph *const *)a, *y = *(const layout_glyph *const *)b;
    if (x->x != y->x) return x->x < y->x ? -1 : 1;
    return x < y ? -1 : x > y;
}

static void
segment_emit(layout_work *work, layout_sheet *sheet, GArray *glyphs, const GArray *chunks,
             const GArray *pieces, const member *members, guint n, guint turn, GPtrArray *line)
{
    const piece *root = &g_array_index(pieces, piece, members[0].root);
    gboolean interleaved = FALSE;
    float end = -G_MAXFLOAT;
    g_ptr_array_set_size(line, 0);
    for (guint m = 0; m < n; m++) {
        const chunk *c = &g_array_index(chunks, chunk, members[m].chunk);
        float dv = c->v - root->v;
        guint script = 0;
        if (!c->symbol && !c->accent && dv < -0.1F * root->size) script = LAYOUT_SPAN_SUPERSCRIPT;
        if (!c->symbol && !c->accent && dv > 0.07F * root->size) script = LAYOUT_SPAN_SUBSCRIPT;
        if (script == 0 && c->u0 < end - 0.5F * c->size) interleaved = TRUE;
        if (c->accent && m > 0 && c->u0 < end) interleaved = TRUE;
        if (script != 0 && m > 0 && c->u1 < end - 0.5F * c->size) interleaved = TRUE;
        if (script == 0) end = MAX(end, c->u1);
        for (guint i = c->first; i < c->first + c->n; i++) {
            layout_glyph *g = &g_array_index(glyphs, layout_glyph, i);
            g->flags |= script;
            g_ptr_array_add(line, g);
        }
    }
    if (interleaved) qsort(line->pdata, line->len, sizeof(gpointer), compare_glyph_x);
    layout_words_append(work, sheet, (const layout_glyph *const *)line->pdata, line->len, root->v,
                        root->size, turn);
}

static void
segments_make(layout_work *work, layout_sheet *sheet, GArray *glyphs, guint turn)
{
    if (glyphs->len == 0) return;
    /* the mark left by collect(): a space stood behind this glyph */
    for (guint i = 0; i + 1 < glyphs->len; i++) {
        layout_glyph *g = &g_array_index(glyphs, layout_glyph, i);
        if (g->flags >> 30) g_array_index(glyphs, layout_glyph, i + 1).space = TRUE;
        g->flags &= (1U << 30) - 1;
    }
    g_array_index(glyphs, layout_glyph, glyphs->len - 1).flags &= (1U << 30) - 1;

    g_autoptr(GArray) chunks = chunks_find(glyphs);
    g_autoptr(GArray) pieces = pieces_find(chunks);
    scripts_attach(pieces);
    roots_settle(pieces);

    g_autofree member *members = g_new(member, chunks->len);
    for (guint i = 0; i < chunks->len; i++) {
        const chunk *c = &g_array_index(chunks, chunk, i);
        members[i] = (member){root_of(pieces, c->piece), i, c->u0, c->first};
    }
    qsort(members, chunks->len, sizeof(member), compare_member);
    g_autoptr(GPtrArray) line = g_ptr_array_new();
    for (guint from = 0; from < chunks->len;) {
        guint to = from + 1;
        while (to < chunks->len && members[to].root == members[from].root)
            to++;
        segment_emit(work, sheet, glyphs, chunks, pieces, members + from, to - from, turn, line);
        from = to;
    }
}

void
layout_lines_find(layout_work *work, layout_sheet *sheet, const parse_page *page)
{
    layout_hidden *hidden = layout_hidden_new(page);
    collector c = {.work = work, .sheet = sheet, .page = page, .hidden = hidden};
    for (guint t = 0; t < 5; t++)
        c.glyphs[t] = g_array_new(FALSE, FALSE, sizeof(layout_glyph));
    collect(&c);
    GArray *const *glyphs = c.glyphs;

    guint main_turn = 0, n = glyphs[4]->len;
    for (guint t = 1; t < 4; t++)
        if (glyphs[t]->len > glyphs[main_turn]->len) main_turn = t;
    sheet->turn = main_turn;
    sheet->page_width = page->width_pt;
    sheet->page_height = page->height_pt;
    sheet->width = main_turn & 1 ? page->height_pt : page->width_pt;
    sheet->height = main_turn & 1 ? page->width_pt : page->height_pt;
    sheet->rotation = page->rotation;
    for (guint k = 0; k < 4; k++) {
        guint t = (main_turn + k) & 3;
        n += glyphs[t]->len;
        segments_make(work, sheet, glyphs[t], t);
    }
    layout_dropcaps_join(sheet);
    /* Skewed text is kept, but not as running text. */
    guint upright = sheet->segs->len;
    segments_make(work, sheet, glyphs[4], main_turn);
    for (guint i = upright; i < sheet->segs->len; i++) {
        layout_sheet_seg(sheet, i)->turn = 1;
        layout_sheet_seg(sheet, i)->role = LAYOUT_ROLE_MARGIN;
    }
    sheet->source = n == 0 ? LAYOUT_TEXT_NONE : layout_hidden_source(hidden);
    layout_hidden_free(hidden);
    for (guint t = 0; t < 5; t++)
        g_array_unref(glyphs[t]);
}
