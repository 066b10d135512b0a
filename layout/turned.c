/* Tables and paragraphs that lie on their side on a page whose other text stands upright are laid upright before the
 * page is read, so that all that is known of tables and lines holds for them.
 *
 *   upright text            upright text         A region is a hull of turned glyphs in which nothing stands upright
 *   upright text            upright text         and nothing but rules and grounds is drawn. It is turned about and, if
 *      +---+                +---------+          it must be, made smaller, so that it fits between what stands around
 *      |   |    ------>     |         |          it. Where its boxes are on the page is told by
 *      |   |                +---------+          layout_turned_undo().
 *      +---+
 *   upright text            upright text
 *
 * Labels of axes and of columns are lines without others beside them, or stand at what is drawn: they stay. */
#include "layout/turned.h"

#include <math.h>
#include <stdlib.h>

#define MAX_REGIONS    8     /* on a page */
#define MAX_TRIES      200   /* on a page: each looks at all that stands upright */
#define LEAST_GLYPHS   8     /* of a region */
#define MAX_SPLITS     4     /* of a region by what stands in it upright */
#define BAND_GAP_PT    40.0F /* along the turned lines: between cells of one region */
#define LINE_GAP_EM    3.0F  /* across them */
#define TABLE_LINES    3     /* of several cells: the numbers and the title of an axis are two */
#define PROSE_LINES    3     /* that make a paragraph */
#define PROSE_GLYPHS   25    /* on each of its lines */
#define MAX_SEGMENTS   8     /* of a path that may be a ground with round corners */
#define MIN_SHRINK     0.2F  /* letters get no smaller than that */
#define REACH_PT       3.0F  /* that rules stand out */
#define LANE_GAP_PT    6.0F  /* from what stands beside */
#define RULES_PT       12.0F /* from the text to the frame around it */
#define LEAST_GLYPH_PT 0.5F

typedef struct {
    layout_rect box; /* in the frame */
    float size;
    guint run;
} piece;

typedef struct {
    const parse_page *page;
    guint turn;                  /* of most text */
    float width, height, x0, x1; /* of the frame; of its upright text */
    GArray *upright, *turned;    /* piece */
    GArray *laid;                /* layout_laid */
    guint n_tries;
} finder;

/* ---- places ---- */

static layout_rect
rect_of(parse_rect r)
{
    return (layout_rect){r.x0, r.y0, r.x1, r.y1};
}

static layout_rect
to_frame(const finder *f, parse_rect r)
{
    return layout_rect_turn(rect_of(r), f->turn, f->page->width_pt, f->page->height_pt);
}

static gboolean
is_within(layout_rect a, layout_rect b, float reach)
{
    return a.x0 >= b.x0 - reach && a.x1 <= b.x1 + reach && a.y0 >= b.y0 - reach &&
           a.y1 <= b.y1 + reach;
}

/* frame -> frame */
static layout_rect
lay(const layout_laid *l, layout_rect r)
{
    const layout_rect local = {r.x0 - l->from.x0, r.y0 - l->from.y0, r.x1 - l->from.x0,
                               r.y1 - l->from.y0};
    const layout_rect u =
        layout_rect_turn(local, l->quarters, l->from.x1 - l->from.x0, l->from.y1 - l->from.y0);
    return (layout_rect){l->to.x0 + l->scale * u.x0, l->to.y0 + l->scale * u.y0,
                         l->to.x0 + l->scale * u.x1, l->to.y0 + l->scale * u.y1};
}

layout_rect
layout_turned_undo(const GArray *laid, layout_rect box, float width, float height)
{
    for (guint i = 0; i < laid->len; i++) {
        const layout_laid *l = &g_array_index(laid, layout_laid, i);
        const layout_rect r = layout_rect_turn(box, l->frame_turn, width, height);
        if (!is_within(r, l->to, REACH_PT)) continue;
        const layout_rect u = {(r.x0 - l->to.x0) / l->scale, (r.y0 - l->to.y0) / l->scale,
                               (r.x1 - l->to.x0) / l->scale, (r.y1 - l->to.y0) / l->scale};
        const layout_rect local =
            layout_rect_unturn(u, l->quarters, l->from.x1 - l->from.x0, l->from.y1 - l->from.y0);
        const layout_rect out = {local.x0 + l->from.x0, local.y0 + l->from.y0,
                                 local.x1 + l->from.x0, local.y1 + l->from.y0};
        return layout_rect_unturn(out, l->frame_turn, width, height);
    }
    return box;
}

/* ---- finding ---- */

static gboolean
is_read(const parse_page *page, const parse_run *run)
{
    const guint unseen = PARSE_RUN_OFF_PAGE | PARSE_RUN_CLIPPED;
    if ((run->flags & unseen) || MIN(fabsf(run->dir_x), fabsf(run->dir_y)) > 0.17F) return FALSE;
    if (!isfinite(run->box.x0 + run->box.x1 + run->box.y0 + run->box.y1)) return FALSE;
    if (!(run->size_pt > LEAST_GLYPH_PT) || run->size_pt > 2000) return FALSE;
    for (guint i = 0; i < run->n_glyphs; i++)
        if (page->glyphs[run->first_glyph + i].unicode > ' ') return TRUE;
    return FALSE;
}

static gboolean
pieces_collect(finder *f)
{
    const parse_page *page = f->page;
    guint n[4] = {0};
    for (guint r = 0; r < page->n_runs; r++)
        if (is_read(page, &page->runs[r]))
            n[layout_run_turn(&page->runs[r])] += page->runs[r].n_glyphs;
    for (guint t = 1; t < 4; t++)
        if (n[t] > n[f->turn]) f->turn = t;
    if (n[0] + n[1] + n[2] + n[3] == n[f->turn]) return FALSE;
    f->width = f->turn & 1 ? page->height_pt : page->width_pt;
    f->height = f->turn & 1 ? page->width_pt : page->height_pt;
    f->x0 = f->width, f->x1 = 0;
    for (guint r = 0; r < page->n_runs; r++) {
        const parse_run *run = &page->runs[r];
        if (!is_read(page, run)) continue;
        const piece one = {to_frame(f, run->box), run->size_pt, r};
        const gboolean turned = layout_run_turn(run) != f->turn;
        g_array_append_val(turned ? f->turned : f->upright, one);
        if (turned) continue;
        f->x0 = MIN(f->x0, one.box.x0);
        f->x1 = MAX(f->x1, one.box.x1);
    }
    return TRUE;
}

static int
compare_y(gconstpointer a, gconstpointer b)
{
    const piece *x = a, *y = b;
    if (x->box.y0 != y->box.y0) return x->box.y0 < y->box.y0 ? -1 : 1;
    return (x->run > y->run) - (x->run < y->run);
}

static int
compare_x(gconstpointer a, gconstpointer b)
{
    const piece *x = a, *y = b;
    if (x->box.x0 != y->box.x0) return x->box.x0 < y->box.x0 ? -1 : 1;
    return (x->run > y->run) - (x->run < y->run);
}

static guint
quarters_of(const finder *f, const piece *p)
{
    return (layout_run_turn(&f->page->runs[p->run]) + 4 - f->turn) & 3;
}

typedef struct {
    float x0, x1, y, size; /* upright */
} letter;

static int
compare_letter(gconstpointer a, gconstpointer b)
{
    const letter *x = a, *y = b;
    if (x->y != y->y) return x->y < y->y ? -1 : 1;
    return (x->x0 > y->x0) - (x->x0 < y->x0);
}

static int
compare_letter_x(gconstpointer a, gconstpointer b)
{
    const letter *x = a, *y = b;
    if (x->x0 != y->x0) return x->x0 < y->x0 ? -1 : 1;
    return (x->y > y->y) - (x->y < y->y);
}

/* The letters of the region's pieces [n] as they are once laid, by lines. */
static GArray *
letters_of(const finder *f, const piece *pieces, guint n, const layout_laid *l)
{
    GArray *letters = g_array_new(FALSE, FALSE, sizeof(letter));
    for (guint i = 0; i < n; i++) {
        const parse_run *run = &f->page->runs[pieces[i].run];
        for (guint k = run->first_glyph; k < run->first_glyph + run->n_glyphs; k++) {
            const parse_glyph *g = &f->page->glyphs[k];
            if (g->unicode <= ' ' || g->unicode == 0xA0) continue;
            const layout_rect box = lay(l, to_frame(f, g->box));
            const letter one = {box.x0, box.x1, 0.5F * (box.y0 + box.y1), run->size_pt};
            if (isfinite(one.x0 + one.x1 + one.y)) g_array_append_val(letters, one);
        }
    }
    g_array_sort(letters, compare_letter);
    return letters;
}

/* Does a region hold lines of several cells, or of prose? */
static gboolean
is_worth_reading(const finder *f, const piece *pieces, guint n, const layout_laid *l)
{
    g_autoptr(GArray) letters = letters_of(f, pieces, n, l);
    guint n_lines = 0, n_multi = 0, n_long = 0;
    for (guint from = 0; from < letters->len;) {
        letter *first = &g_array_index(letters, letter, from);
        guint to = from + 1;
        while (to < letters->len &&
               g_array_index(letters, letter, to).y - first->y < 0.5F * first->size)
            to++;
        qsort(first, to - from, sizeof(letter), compare_letter_x);
        gboolean multi = FALSE;
        for (guint i = 1; i < to - from; i++)
            multi |= first[i].x0 - first[i - 1].x1 > first->size;
        n_lines++;
        n_multi += multi ? 1 : 0;
        n_long += to - from >= PROSE_GLYPHS;
        from = to;
    }
    return (n_multi >= TABLE_LINES && 2 * n_multi >= n_lines) ||
           (n_long + 1 >= PROSE_LINES && n_lines >= PROSE_LINES && 3 * n_long >= 2 * n_lines);
}

/* Grows by the rules and grounds at the region; FALSE where other things are drawn there. */
static gboolean
hull_grow(const finder *f, layout_rect *hull)
{
    const parse_page *page = f->page;
    const layout_rect text = *hull;
    for (guint i = 0; i < page->n_images; i++) {
        const layout_rect box = to_frame(f, page->images[i].box);
        if (layout_rect_overlap(box, text) > 0 && !is_within(text, box, 0)) return FALSE;
    }
    for (guint i = 0; i < page->n_paths; i++) {
        const parse_path *path = &page->paths[i];
        const layout_rect box = to_frame(f, path->box);
        const layout_rect near = {text.x0 - RULES_PT, text.y0 - RULES_PT, text.x1 + RULES_PT,
                                  text.y1 + RULES_PT};
        if (!isfinite(box.x0 + box.x1 + box.y0 + box.y1) || box.x0 > near.x1 || box.x1 < near.x0 ||
            box.y0 > near.y1 || box.y1 < near.y0)
            continue;
        if (is_within(box, near, REACH_PT)) {
            if (path->kind == PARSE_PATH_OTHER && path->n_segments > MAX_SEGMENTS) return FALSE;
            *hull = layout_rect_join(*hull, box);
        } else if (!is_within(text, box, 0) && layout_rect_overlap(box, text) > 0) {
            return FALSE;
        }
    }
    hull->x0 = MAX(hull->x0, 0);
    hull->y0 = MAX(hull->y0, 0);
    hull->x1 = MIN(hull->x1, f->width);
    hull->y1 = MIN(hull->y1, f->height);
    return hull->x1 - hull->x0 > 1 && hull->y1 - hull->y0 > 1;
}

/* What stands beside a region leaves it less room, from x0 to x1. */
static void
lane_narrow(layout_rect from, layout_rect box, float *x0, float *x1)
{
    if (box.y1 <= from.y0 || box.y0 >= from.y1 || is_within(box, from, 0)) return;
    if (box.x1 <= from.x0) *x0 = MAX(*x0, box.x1 + LANE_GAP_PT);
    if (box.x0 >= from.x1) *x1 = MIN(*x1, box.x0 - LANE_GAP_PT);
}

/* Where the region is laid: about its middle, between what stands beside it. */
static void
place_find(const finder *f, layout_laid *l)
{
    const layout_rect from = l->from;
    const float middle = 0.5F * (from.x0 + from.x1);
    float x0 = MIN(f->x0, from.x0), x1 = MAX(f->x1, from.x1);
    for (guint i = 0; i < f->upright->len; i++)
        lane_narrow(from, g_array_index(f->upright, piece, i).box, &x0, &x1);
    for (guint i = 0; i < f->turned->len; i++)
        lane_narrow(from, g_array_index(f->turned, piece, i).box, &x0, &x1);
    for (guint i = 0; i < f->page->n_images; i++)
        lane_narrow(from, to_frame(f, f->page->images[i].box), &x0, &x1);
    x0 = MIN(x0, from.x0), x1 = MAX(x1, from.x1);
    const gboolean odd = (l->quarters & 1) != 0;
    const float w = odd ? from.y1 - from.y0 : from.x1 - from.x0;
    const float h = odd ? from.x1 - from.x0 : from.y1 - from.y0;
    l->scale = MIN(1, MIN((x1 - x0) / w, (from.y1 - from.y0) / h));
    const float left = CLAMP(middle - 0.5F * l->scale * w, x0, MAX(x0, x1 - l->scale * w));
    const float top = from.y0 + 0.5F * (from.y1 - from.y0 - l->scale * h);
    l->to = (layout_rect){left, top, left + l->scale * w, top + l->scale * h};
}

static void region_try(finder *f, piece *pieces, guint n, guint splits);

/* Parts a region's pieces at an upright piece that stands in it. */
static void
region_split(finder *f, piece *pieces, guint n, layout_rect at, guint splits)
{
    piece *below = g_new(piece, n), *above = g_new(piece, n);
    guint n_below = 0, n_above = 0;
    for (guint i = 0; i < n; i++) {
        if (pieces[i].box.y1 <= at.y0 + 1)
            above[n_above++] = pieces[i];
        else if (pieces[i].box.y0 >= at.y1 - 1)
            below[n_below++] = pieces[i];
    }
    if (n_above > 0 && n_above < n) region_try(f, above, n_above, splits - 1);
    if (n_below > 0 && n_below < n) region_try(f, below, n_below, splits - 1);
    g_free(above);
    g_free(below);
}

static void
region_try(finder *f, piece *pieces, guint n, guint splits)
{
    guint n_glyphs = 0;
    for (guint i = 0; i < n; i++)
        n_glyphs += f->page->runs[pieces[i].run].n_glyphs;
    if (n_glyphs < LEAST_GLYPHS || f->laid->len >= MAX_REGIONS || f->n_tries++ >= MAX_TRIES) return;
    layout_laid l = {.frame_turn = f->turn, .quarters = quarters_of(f, &pieces[0]), .scale = 1};
    layout_rect hull = pieces[0].box;
    for (guint i = 1; i < n; i++) {
        if (quarters_of(f, &pieces[i]) != l.quarters) return;
        hull = layout_rect_join(hull, pieces[i].box);
    }
    for (guint i = 0; i < f->upright->len; i++) {
        const layout_rect box = g_array_index(f->upright, piece, i).box;
        if (layout_rect_overlap(box, hull) <= 0) continue;
        if (splits > 0) region_split(f, pieces, n, box, splits);
        return;
    }
    /* what stands beside the text is a stamp, or the head of a page whose text lies on its side */
    const float middle = 0.5F * (hull.x0 + hull.x1);
    if (middle < f->x0 || middle > f->x1) return;
    l.from = l.to = hull;
    if (!is_worth_reading(f, pieces, n, &l) || !hull_grow(f, &hull)) return;
    l.from = hull;
    place_find(f, &l);
    if (l.scale >= MIN_SHRINK) g_array_append_val(f->laid, l);
}

/* Those of a band, by their x, up to a gap that no two lines of a region have. */
static void
band_part(finder *f, piece *pieces, guint n)
{
    qsort(pieces, n, sizeof *pieces, compare_x);
    for (guint from = 0; from < n;) {
        float end = pieces[from].box.x1;
        guint to = from + 1;
        for (; to < n && pieces[to].box.x0 - end < LINE_GAP_EM * pieces[to].size; to++)
            end = MAX(end, pieces[to].box.x1);
        region_try(f, pieces + from, to - from, MAX_SPLITS);
        from = to;
    }
}

static void
regions_find(finder *f)
{
    g_array_sort(f->turned, compare_y);
    piece *pieces = g_memdup2(f->turned->data, f->turned->len * sizeof(piece));
    for (guint from = 0; from < f->turned->len;) {
        float end = pieces[from].box.y1;
        guint to = from + 1;
        for (; to < f->turned->len && pieces[to].box.y0 - end < BAND_GAP_PT; to++)
            end = MAX(end, pieces[to].box.y1);
        band_part(f, pieces + from, to - from);
        from = to;
    }
    g_free(pieces);
}

/* ---- laying ---- */

static const layout_laid *
laid_at(const finder *f, parse_rect r)
{
    const layout_rect box = to_frame(f, r);
    for (guint i = 0; i < f->laid->len; i++) {
        const layout_laid *l = &g_array_index(f->laid, layout_laid, i);
        if (is_within(box, l->from, 0.5F)) return l;
    }
    return NULL;
}

static parse_rect
lay_rect(const finder *f, const layout_laid *l, parse_rect r)
{
    const layout_rect out =
        layout_rect_unturn(lay(l, to_frame(f, r)), f->turn, f->page->width_pt, f->page->height_pt);
    return (parse_rect){out.x0, out.y0, out.x1, out.y1};
}

static void
run_lay(const finder *f, const layout_laid *l, parse_run *run, parse_glyph *glyphs)
{
    for (guint i = run->first_glyph; i < run->first_glyph + run->n_glyphs; i++) {
        parse_glyph *g = &glyphs[i];
        const parse_rect at = lay_rect(f, l, (parse_rect){g->x, g->y, g->x, g->y});
        g->x = at.x0;
        g->y = at.y0;
        g->box = lay_rect(f, l, g->box);
    }
    for (guint q = 0; q < l->quarters; q++) {
        const float x = run->dir_x;
        run->dir_x = -run->dir_y;
        run->dir_y = x;
    }
    run->size_pt *= l->scale;
    run->box = lay_rect(f, l, run->box);
}

static void
page_lay(const finder *f, layout_turned *out)
{
    const parse_page *page = f->page;
    out->page = *page;
    out->page.glyphs = out->glyphs = g_memdup2(page->glyphs, page->n_glyphs * sizeof(parse_glyph));
    out->page.runs = out->runs = g_memdup2(page->runs, page->n_runs * sizeof(parse_run));
    out->page.paths = out->paths = g_memdup2(page->paths, page->n_paths * sizeof(parse_path));
    out->page.links = out->links = g_memdup2(page->links, page->n_links * sizeof(parse_link));
    for (guint i = 0; i < page->n_runs; i++) {
        const layout_laid *l = laid_at(f, page->runs[i].box);
        if (l != NULL) run_lay(f, l, &out->runs[i], out->glyphs);
    }
    for (guint i = 0; i < page->n_paths; i++) {
        parse_path *path = &out->paths[i];
        const layout_laid *l = laid_at(f, path->box);
        if (l == NULL) continue;
        path->box = lay_rect(f, l, path->box);
        path->width_pt *= l->scale;
        if (!(l->quarters & 1)) continue;
        if (path->kind == PARSE_PATH_RULE_H)
            path->kind = PARSE_PATH_RULE_V;
        else if (path->kind == PARSE_PATH_RULE_V)
            path->kind = PARSE_PATH_RULE_H;
    }
    for (guint i = 0; i < page->n_links; i++) {
        const layout_laid *l = laid_at(f, page->links[i].box);
        if (l != NULL) out->links[i].box = lay_rect(f, l, page->links[i].box);
    }
}

const parse_page *
layout_turned_lay(const parse_page *page, layout_turned *out)
{
    *out = (layout_turned){.laid = g_array_new(FALSE, FALSE, sizeof(layout_laid))};
    finder f = {.page = page,
                .upright = g_array_new(FALSE, FALSE, sizeof(piece)),
                .turned = g_array_new(FALSE, FALSE, sizeof(piece)),
                .laid = out->laid};
    if (pieces_collect(&f)) regions_find(&f);
    if (f.laid->len > 0) page_lay(&f, out);
    g_array_unref(f.upright);
    g_array_unref(f.turned);
    return out->laid->len > 0 ? &out->page : page;
}

void
layout_turned_clear(layout_turned *out)
{
    g_clear_pointer(&out->laid, g_array_unref);
    g_clear_pointer(&out->glyphs, g_free);
    g_clear_pointer(&out->runs, g_free);
    g_clear_pointer(&out->paths, g_free);
    g_clear_pointer(&out->links, g_free);
}
