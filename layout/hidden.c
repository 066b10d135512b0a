/* Text that is drawn but that no reader sees: invisible, in the colour of what is behind it, too small,
 * painted over.
 *
 * Somebody put it there for machines: keywords, instructions for language models, what a redaction was to
 * hide. It is told from what only looks like it:
 *
 *   the text layer of a scan       invisible or under the picture, but of the same words: kept, as OCR
 *   white on a dark bar            what is behind decides, not the paper
 *   text below a highlight         only opaque paint covers; parse/ knows blending, masks and clips
 *   labels of a shrunk drawing     small, but not against the other text of the page
 *
 * Whatever cannot be decided (an image, a shading, a rounded box behind white text) counts as seen. The
 * candidates are bounded in number, and a page has few of them, so the page path pays a comparison per run. */
#include "layout/hidden.h"

#include <math.h>
#include <string.h>

#define MAX_COVERS    128
#define MAX_BACKDROPS 256
#define TINY_PT       1.5F
#define SAME_COLOR    12   /* of 255, per channel: nobody sees less */
#define SCAN_SHARE    0.3F /* of the page, for an image that may be a scan */
#define MIN_BACKDROP  2.0F /* points, the shorter side */

typedef struct {
    parse_rect box;
    guint paint;
    gboolean scan; /* an image as large as a scanned page */
} cover;

struct layout_hidden {
    const parse_page *page;
    GArray *covers;    /* cover, the largest */
    GArray *backdrops; /* guint: paths that may be behind text, in paint order */
    gboolean crowded;  /* there are more */
    gboolean ocr;      /* invisible text is what the page says */
    float usual_pt;
    guint n_visible, n_layer; /* glyphs, by the two classes */
    guint n_recognized;       /* of the visible ones: read in the pixels by parse */
};

static float
area_of(parse_rect box)
{
    return (box.x1 - box.x0) * (box.y1 - box.y0);
}

static gboolean
holds(parse_rect box, float x, float y)
{
    return x >= box.x0 && x <= box.x1 && y >= box.y0 && y <= box.y1;
}

static gboolean
meets(parse_rect a, parse_rect b)
{
    return a.x0 < b.x1 && b.x0 < a.x1 && a.y0 < b.y1 && b.y0 < a.y1;
}

/* Is the middle of box, a half of it each way, inside of cover? */
static gboolean
hides(parse_rect cover_box, parse_rect box)
{
    float dx = 0.25F * (box.x1 - box.x0), dy = 0.25F * (box.y1 - box.y0);
    return cover_box.x0 <= box.x0 + dx && cover_box.x1 >= box.x1 - dx &&
           cover_box.y0 <= box.y0 + dy && cover_box.y1 >= box.y1 - dy;
}

static gboolean
same_color(uint32_t a, uint32_t b)
{
    for (guint shift = 0; shift < 24; shift += 8) {
        int d = (int)(a >> shift & 0xFF) - (int)(b >> shift & 0xFF);
        if (ABS(d) > SAME_COLOR) return FALSE;
    }
    return TRUE;
}

/* ---- what may hide text ---- */

static int
compare_cover(gconstpointer a, gconstpointer b)
{
    const cover *x = a, *y = b;
    float ax = area_of(x->box), ay = area_of(y->box);
    if (ax != ay) return ax > ay ? -1 : 1;
    return (x->paint > y->paint) - (x->paint < y->paint);
}

static void
cover_add(layout_hidden *h, parse_rect box, guint paint, gboolean image)
{
    float page = h->page->width_pt * h->page->height_pt;
    cover next = {box, paint, image && area_of(box) >= SCAN_SHARE * page};
    g_array_append_val(h->covers, next);
    if (h->covers->len < 4 * MAX_COVERS) return;
    g_array_sort(h->covers, compare_cover);
    g_array_set_size(h->covers, MAX_COVERS);
}

static void
candidates_find(layout_hidden *h)
{
    const parse_page *page = h->page;
    guint last_paint = page->n_runs > 0 ? page->runs[page->n_runs - 1].paint : 0;
    guint first_paint = page->n_runs > 0 ? page->runs[0].paint : 0;
    for (guint i = 0; i < page->n_paths; i++) {
        const parse_path *path = &page->paths[i];
        float w = path->box.x1 - path->box.x0, t = path->box.y1 - path->box.y0;
        if (MIN(w, t) < MIN_BACKDROP) continue;
        if (path->opaque && path->paint > first_paint) cover_add(h, path->box, path->paint, FALSE);
        /* the inside of an outline is empty */
        if (!path->filled && path->n_segments != 1) continue;
        if (path->paint > last_paint) continue;
        if (h->backdrops->len < MAX_BACKDROPS)
            g_array_append_val(h->backdrops, i);
        else
            h->crowded = TRUE;
    }
    for (guint i = 0; i < page->n_images; i++)
        if (page->images[i].opaque && page->images[i].paint > first_paint)
            cover_add(h, page->images[i].box, page->images[i].paint, TRUE);
    g_array_sort(h->covers, compare_cover);
    if (h->covers->len > MAX_COVERS) g_array_set_size(h->covers, MAX_COVERS);
}

/* Is box painted over after paint? The cover, or NULL. */
static const cover *
cover_of(const layout_hidden *h, parse_rect box, guint paint)
{
    for (guint i = 0; i < h->covers->len; i++) {
        const cover *c = &g_array_index(h->covers, cover, i);
        if (c->paint > paint && hides(c->box, box)) return c;
    }
    return NULL;
}

static gboolean
may_be_covered(const layout_hidden *h, const parse_run *run)
{
    for (guint i = 0; i < h->covers->len; i++) {
        const cover *c = &g_array_index(h->covers, cover, i);
        if (c->paint > run->paint && meets(c->box, run->box)) return TRUE;
    }
    return FALSE;
}

/* ---- behind the text ---- */

/* Is what is behind this point of the run of its colour? */
static gboolean
blends_in(const layout_hidden *h, const parse_run *run, float x, float y)
{
    const parse_page *page = h->page;
    guint image = 0; /* paint of the last image behind */
    gboolean on_image = FALSE;
    for (guint i = 0; i < page->n_images && i < MAX_BACKDROPS; i++) {
        if (page->images[i].paint > run->paint || !holds(page->images[i].box, x, y)) continue;
        on_image = TRUE;
        image = MAX(image, page->images[i].paint);
    }
    for (guint i = h->backdrops->len; i-- > 0;) {
        const parse_path *path = &page->paths[g_array_index(h->backdrops, guint, i)];
        if (path->paint > run->paint || !holds(path->box, x, y)) continue;
        if (on_image && image >= path->paint) return FALSE;
        if (!same_color(path->color, run->color)) return FALSE;
        if (path->opaque) return TRUE;
    }
    return !on_image && same_color(run->color, 0xFFFFFF);
}

static void
middle_of(const parse_glyph *glyph, float *x, float *y)
{
    *x = 0.5F * (glyph->box.x0 + glyph->box.x1);
    *y = 0.5F * (glyph->box.y0 + glyph->box.y1);
}

static gboolean
is_background(const layout_hidden *h, const parse_run *run)
{
    gboolean likely = same_color(run->color, 0xFFFFFF);
    for (guint i = 0; i < h->backdrops->len && !likely; i++) {
        const parse_path *path = &h->page->paths[g_array_index(h->backdrops, guint, i)];
        likely = path->opaque && same_color(path->color, run->color) && meets(path->box, run->box);
    }
    if (!likely || h->crowded || h->page->n_images > MAX_BACKDROPS ||
        (run->flags & PARSE_RUN_STROKED) || run->n_glyphs == 0)
        return FALSE;
    const guint probes[] = {0, run->n_glyphs / 2, run->n_glyphs - 1};
    for (guint i = 0; i < G_N_ELEMENTS(probes); i++) {
        float x, y;
        middle_of(&h->page->glyphs[run->first_glyph + probes[i]], &x, &y);
        if (!blends_in(h, run, x, y)) return FALSE;
    }
    return TRUE;
}

/* ---- the page ---- */

static gboolean
is_layer(const layout_hidden *h, const parse_run *run)
{
    if (run->flags & PARSE_RUN_HIDDEN) return TRUE;
    const cover *c = h->covers->len > 0 ? cover_of(h, run->box, run->paint) : NULL;
    return c != NULL && c->scan;
}

static gboolean
on_image(const parse_page *page, const parse_run *run)
{
    float x = 0.5F * (run->box.x0 + run->box.x1), y = 0.5F * (run->box.y0 + run->box.y1);
    for (guint i = 0; i < page->n_images && i < MAX_BACKDROPS; i++)
        if (holds(page->images[i].box, x, y)) return TRUE;
    return FALSE;
}

/* Invisible text counts where it says what a picture shows, or what was drawn as outlines, and the text that
 * is seen there does not. */
static void
layer_judge(layout_hidden *h)
{
    const parse_page *page = h->page;
    guint64 pictured = 0, over = 0;
    for (guint i = 0; i < page->n_runs; i++) {
        const parse_run *run = &page->runs[i];
        if (run->flags & (PARSE_RUN_OFF_PAGE | PARSE_RUN_CLIPPED)) continue;
        gboolean layer = is_layer(h, run);
        if (layer)
            h->n_layer += run->n_glyphs;
        else
            h->n_visible += run->n_glyphs;
        if (run->flags & PARSE_RUN_OCR) h->n_recognized += run->n_glyphs;
        if (page->n_images > 0 && on_image(page, run))
            *(layer ? &pictured : &over) += run->n_glyphs;
    }
    gboolean scanned = pictured * 2 >= h->n_layer && pictured > over;
    guint64 drawn = 0; /* strokes of handwriting, letters as outlines */
    for (guint i = 0; i < page->n_paths; i++)
        if (page->paths[i].kind == PARSE_PATH_OTHER) drawn += page->paths[i].n_segments;
    gboolean outlined = drawn >= 2 * (guint64)h->n_layer && h->n_layer > 4 * (guint64)h->n_visible;
    h->ocr = h->n_layer > 0 && (scanned || outlined);
}

static void
usual_size_measure(layout_hidden *h)
{
    double sum = 0, n = 0;
    for (guint i = 0; i < h->page->n_runs; i++) {
        const parse_run *run = &h->page->runs[i];
        if (!isfinite(run->size_pt) || run->size_pt > 200 || run->size_pt < TINY_PT) continue;
        sum += (double)run->size_pt * run->n_glyphs;
        n += run->n_glyphs;
    }
    h->usual_pt = n > 0 ? (float)(sum / n) : 0;
}

layout_hidden *
layout_hidden_new(const parse_page *page)
{
    layout_hidden *h = g_new0(layout_hidden, 1);
    h->page = page;
    h->covers = g_array_new(FALSE, FALSE, sizeof(cover));
    h->backdrops = g_array_new(FALSE, FALSE, sizeof(guint));
    candidates_find(h);
    layer_judge(h);
    usual_size_measure(h);
    return h;
}

void
layout_hidden_free(layout_hidden *h)
{
    g_array_unref(h->covers);
    g_array_unref(h->backdrops);
    g_free(h);
}

layout_text_source
layout_hidden_source(const layout_hidden *h)
{
    if (h->n_recognized > 0)
        return h->n_recognized == h->n_visible ? LAYOUT_TEXT_OCR : LAYOUT_TEXT_MIXED;
    if (!h->ocr) return h->n_visible > 0 ? LAYOUT_TEXT_NATIVE : LAYOUT_TEXT_NONE;
    return h->n_visible * 10 > h->n_layer ? LAYOUT_TEXT_MIXED : LAYOUT_TEXT_OCR;
}

gboolean
layout_hidden_has_layer(const layout_hidden *h)
{
    return h->ocr;
}

gboolean
layout_hidden_is_layer(const layout_hidden *h, const parse_run *run)
{
    return is_layer(h, run);
}

static gboolean
is_tiny(const layout_hidden *h, const parse_run *run)
{
    return run->size_pt < 0.5F || (run->size_pt < TINY_PT && h->usual_pt > 3 * run->size_pt);
}

int
layout_hidden_run(const layout_hidden *h, const parse_run *run)
{
    if (run->flags & PARSE_RUN_OFF_PAGE) return LAYOUT_DISCARD_OFF_PAGE;
    if ((run->flags & PARSE_RUN_CLIPPED) || run->color >> 24 < SAME_COLOR)
        return LAYOUT_DISCARD_INVISIBLE;
    if (!isfinite(run->size_pt) || run->size_pt > 2000 || run->font >= h->page->n_fonts)
        return LAYOUT_DISCARD_INVISIBLE;
    if (run->flags & PARSE_RUN_HIDDEN) return h->ocr ? LAYOUT_SEEN : LAYOUT_DISCARD_INVISIBLE;
    if (is_tiny(h, run)) return LAYOUT_DISCARD_TINY;
    if (h->covers->len > 0 && may_be_covered(h, run)) {
        if (h->ocr && is_layer(h, run)) return LAYOUT_SEEN;
        return LAYOUT_SEEN_IN_PART;
    }
    return is_background(h, run) ? LAYOUT_DISCARD_BACKGROUND : LAYOUT_SEEN;
}

int
layout_hidden_glyph(const layout_hidden *h, const parse_run *run, const parse_glyph *glyph)
{
    if (cover_of(h, glyph->box, run->paint) != NULL) return LAYOUT_DISCARD_COVERED;
    return LAYOUT_SEEN;
}
