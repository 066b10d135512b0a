/* Glyphs -> segments: what stands on one baseline, with its sub- and superscripts, up to a wide gap.
 *
 *   glyphs --content order--> chunks --baselines--> pieces --scripts, fractions--> segments
 *
 * A chunk is a stretch of glyphs written one after the other. Chunks on one baseline, cut at wide gaps,
 * make a piece. A piece set smaller and a little higher or lower that touches another is its script. Wide
 * gaps separate columns and table cells; what was cut by mistake, such as a stretched word space, is put
 * together again once the columns are known (order.c). Everything is sorting and looking at a bounded
 * number of neighbours, so a page of a million glyphs stays n log n. */
#include "layout/analyze.h"
#include "layout/hidden.h"
#include "layout/lines.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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

guint
layout_run_turn(const parse_run *run)
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
    guint8 *repeated;  /* [n_glyphs]: of a text layer, and there already; NULL: none */
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
    if (layout_work_font(c->work, font)->upright && g_unichar_isalpha(out.ch) && out.ch < 0x80)
        out.flags &= ~(guint)LAYOUT_SPAN_MATH;
    if (run->flags & PARSE_RUN_DOUBTFUL) out.flags |= LAYOUT_SPAN_DOUBTFUL;
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
    guint turn = layout_run_turn(run);
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
        if (reason == LAYOUT_SEEN && c->repeated != NULL && c->repeated[i] != 0) {
            reason = LAYOUT_DISCARD_REPEATED;
        } else if (reason == LAYOUT_SEEN) {
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
    c->repeated = layout_hidden_repeats(c->hidden, page);
    c->fonts = g_new(guint, page->n_fonts + 1);
    for (guint i = 0; i < page->n_fonts; i++)
        c->fonts[i] = layout_font_intern(c->work, &page->fonts[i]);
    for (guint r = 0; r < page->n_runs; r++)
        run_collect(c, &page->runs[r], r + 1 == page->n_runs);
    c->sheet->ledger.n_glyphs = page->n_glyphs + page->n_unplaced + page->n_masked;
    c->sheet->ledger.n_discarded[LAYOUT_DISCARD_INVISIBLE] += page->n_masked;
    c->sheet->ledger.n_discarded[LAYOUT_DISCARD_OFF_PAGE] += page->n_unplaced;
    g_free(c->seen.slots);
    g_free(c->repeated);
    g_free(c->fonts);
}

/* ---- chunks and pieces ---- */

static gboolean
is_radical_part(uint32_t ch)
{
    return ch == 0x221A || ch == 0x23B7 || ch == 0x250C;
}

/* The parts of a large radical, one above the other, stand where the whole of it does: the topmost would else be taken
 * for a part of the line above. Those of brackets stay by the rows that they are beside. */
static void
stacks_join(const GArray *glyphs, GArray *chunks)
{
    for (guint i = 0; i < chunks->len;) {
        const line_chunk *c = &g_array_index(chunks, line_chunk, i);
        const layout_glyph *g = &g_array_index(glyphs, layout_glyph, c->first);
        float top = g->top, bottom = g->bottom;
        guint to = i + 1;
        gboolean radical = is_radical_part(g->ch);
        for (; c->symbol && bottom > top && to < chunks->len; to++) {
            const line_chunk *next = &g_array_index(chunks, line_chunk, to);
            const layout_glyph *h = &g_array_index(glyphs, layout_glyph, next->first);
            if (!next->symbol || fabsf(next->u0 - c->u0) > 0.1F * c->size ||
                h->top > bottom + 0.2F * c->size || h->bottom < top - 0.2F * c->size)
                break;
            radical |= is_radical_part(h->ch);
            top = MIN(top, h->top);
            bottom = MAX(bottom, h->bottom);
        }
        for (guint k = i; radical && k < to && to > i + 1; k++)
            g_array_index(chunks, line_chunk, k).v = 0.5F * (top + bottom) + 0.25F * c->size;
        i = to;
    }
}

static GArray *
chunks_find(const GArray *glyphs)
{
    GArray *chunks = g_array_new(FALSE, FALSE, sizeof(line_chunk));
    line_chunk *open = NULL;
    for (guint i = 0; i < glyphs->len; i++) {
        const layout_glyph *g = &g_array_index(glyphs, layout_glyph, i);
        /* where a radical sign stands depends on what is below it, in any font */
        gboolean radical = g->ch == 0x221A && (g->flags & LAYOUT_SPAN_MATH);
        gboolean symbol = (g->flags & LAYOUT_STYLE_SYMBOL) != 0 || radical;
        float v = g->y;
        /* Big operators and delimiters hang from their origin, their middle on the axis of the line. */
        if (radical && (g->flags & LAYOUT_STYLE_TEX_SYMBOL))
            v += 0.75F * g->size_pt;
        else if (radical && !(g->flags & LAYOUT_STYLE_SYMBOL))
            v = g->y;
        else if (symbol && !is_wide_accent(g->ch))
            v = g->bottom > g->top ? 0.5F * (g->top + g->bottom) + 0.25F * g->size_pt
                                   : g->y + 0.9F * g->size_pt;
        if (open != NULL && symbol == open->symbol) {
            float gap = g->x - open->u1;
            /* After an accent TeX goes back for the letter. */
            float back = is_spacing_accent(g[-1].ch) ? 0.9F : 0.4F;
            if (fabsf(v - open->v) <= 0.04F * open->size + 0.02F && !symbol &&
                fabsf(g->size_pt - open->size) <= 0.1F * open->size &&
                gap < LINE_WIDE_GAP_EM * open->size && gap > -back * open->size) {
                open->n++;
                open->u0 = MIN(open->u0, g->x);
                open->u1 = MAX(open->u1, g->x1);
                open->accent = FALSE;
                continue;
            }
        }
        line_chunk next = {.first = i,
                           .n = 1,
                           .u0 = g->x,
                           .u1 = g->x1,
                           .v = v,
                           .size = g->size_pt,
                           .symbol = symbol,
                           .accent = is_spacing_accent(g->ch) || is_wide_accent(g->ch)};
        g_array_append_val(chunks, next);
        open = &g_array_index(chunks, line_chunk, chunks->len - 1);
    }
    stacks_join(glyphs, chunks);
    return chunks;
}

static int
compare_chunk_v(gconstpointer a, gconstpointer b)
{
    const line_chunk *x = a, *y = b;
    if (x->v != y->v) return x->v < y->v ? -1 : 1;
    if (x->u0 != y->u0) return x->u0 < y->u0 ? -1 : 1;
    return (x->first > y->first) - (x->first < y->first);
}

static int
compare_chunk_u(gconstpointer a, gconstpointer b)
{
    const line_chunk *x = a, *y = b;
    if (x->u0 != y->u0) return x->u0 < y->u0 ? -1 : 1;
    return (x->first > y->first) - (x->first < y->first);
}

/* Cut the chunks of one baseline, sorted by u, into pieces. */
static void
pieces_of_group(GArray *chunks, guint from, guint to, guint group, GArray *pieces)
{
    line_piece *open = NULL;
    for (guint i = from; i < to; i++) {
        line_chunk *c = &g_array_index(chunks, line_chunk, i);
        if (open == NULL ||
            c->u0 - open->u1 >
                LINE_WIDE_GAP_EM * MIN(c->size, g_array_index(chunks, line_chunk, i - 1).size) ||
            c->u1 < open->u0 || line_is_initial(open->size, open->n_glyphs, c->size, c->n)) {
            line_piece next = {.first = i,
                               .u0 = c->u0,
                               .u1 = c->u1,
                               .v = c->v,
                               .size = 0,
                               .host = LAYOUT_NONE,
                               .symbol = TRUE,
                               .accent = TRUE,
                               .group = group};
            g_array_append_val(pieces, next);
            open = &g_array_index(pieces, line_piece, pieces->len - 1);
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
    GArray *pieces = g_array_new(FALSE, FALSE, sizeof(line_piece));
    g_array_sort(chunks, compare_chunk_v);
    guint group = 0;
    for (guint from = 0; from < chunks->len;) {
        const line_chunk *c = &g_array_index(chunks, line_chunk, from);
        float first_v = c->v, last_v = c->v;
        guint to = from + 1;
        for (; to < chunks->len; to++) {
            const line_chunk *next = &g_array_index(chunks, line_chunk, to);
            float step = 0.08F * MIN(next->size, 30);
            if (next->v - last_v > MAX(step, 0.15F) || next->v - first_v > 0.5F * next->size) break;
            last_v = next->v;
        }
        qsort(&g_array_index(chunks, line_chunk, from), to - from, sizeof(line_chunk),
              compare_chunk_u);
        pieces_of_group(chunks, from, to, group++, pieces);
        from = to;
    }
    for (guint i = 0; i < pieces->len; i++) {
        line_piece *p = &g_array_index(pieces, line_piece, i);
        if (p->size <= 0) p->size = g_array_index(chunks, line_chunk, p->first).size;
        p->reach0 = p->u0;
        p->reach1 = p->u1;
    }
    return pieces;
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

/* Is a, which comes first, a superscript right over the subscript b? */
static gboolean
is_raised_over(const GArray *chunks, const member *a, const member *b)
{
    const line_chunk *up = &g_array_index(chunks, line_chunk, a->chunk);
    const line_chunk *down = &g_array_index(chunks, line_chunk, b->chunk);
    return !up->symbol && !down->symbol && !up->accent && !down->accent && !up->fraction &&
           !down->fraction && fabsf(up->size - down->size) < 0.1F * up->size &&
           down->u0 - up->u0 < 0.15F * up->size && down->v - up->v > 0.5F * up->size &&
           down->v - up->v < 1.3F * up->size;
}

static void
segment_emit(layout_work *work, layout_sheet *sheet, GArray *glyphs, const GArray *chunks,
             const GArray *pieces, member *members, guint n, guint turn, GPtrArray *line)
{
    const line_piece *root = &g_array_index(pieces, line_piece, members[0].root);
    gboolean interleaved = FALSE;
    float end = -G_MAXFLOAT;
    g_ptr_array_set_size(line, 0);
    for (guint m = 0; m < n; m++) {
        /* of a pair of scripts the lower one is said first: "SO42-" */
        if (m + 1 < n && is_raised_over(chunks, &members[m], &members[m + 1])) {
            const member raised = members[m];
            members[m] = members[m + 1];
            members[m + 1] = raised;
        }
        const line_chunk *c = &g_array_index(chunks, line_chunk, members[m].chunk);
        float dv = c->v - root->v;
        guint script = 0;
        if (!c->symbol && !c->accent && dv < -0.1F * root->size) script = LAYOUT_SPAN_SUPERSCRIPT;
        if (!c->symbol && !c->accent && dv > 0.07F * root->size) script = LAYOUT_SPAN_SUBSCRIPT;
        if (c->fraction) script = LAYOUT_SPAN_MATH;
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
segments_make(layout_work *work, layout_sheet *sheet, GArray *glyphs, guint turn,
              const parse_page *page)
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
    line_scripts_attach(pieces);
    line_fractions_attach(chunks, pieces, page, turn);
    line_roots_settle(pieces);

    g_autofree member *members = g_new(member, chunks->len);
    for (guint i = 0; i < chunks->len; i++) {
        const line_chunk *c = &g_array_index(chunks, line_chunk, i);
        members[i] = (member){line_root_of(pieces, c->piece), i, c->u0, c->first};
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
    sheet->whole = (layout_rect){0, 0, page->width_pt, page->height_pt};
    sheet->width = main_turn & 1 ? page->height_pt : page->width_pt;
    sheet->height = main_turn & 1 ? page->width_pt : page->height_pt;
    sheet->rotation = page->rotation;
    sheet->skew = page->skew;
    sheet->recognized = page->n_runs > 0 && (page->runs[0].flags & PARSE_RUN_OCR);
    for (guint k = 0; k < 4; k++) {
        guint t = (main_turn + k) & 3;
        n += glyphs[t]->len;
        segments_make(work, sheet, glyphs[t], t, page);
    }
    layout_dropcaps_join(sheet);
    /* Skewed text is kept, but not as running text. */
    guint upright = sheet->segs->len;
    segments_make(work, sheet, glyphs[4], main_turn, page);
    for (guint i = upright; i < sheet->segs->len; i++) {
        layout_sheet_seg(sheet, i)->turn = 1;
        layout_sheet_seg(sheet, i)->role = LAYOUT_ROLE_MARGIN;
    }
    sheet->source = n == 0 ? LAYOUT_TEXT_NONE : layout_hidden_source(hidden);
    layout_hidden_free(hidden);
    for (guint t = 0; t < 5; t++)
        g_array_unref(glyphs[t]);
}
