/* Figure regions: clusters of graphics, grown to their captions and over the labels between.
 *
 * A cluster counts when it holds an image or enough curves and is not a frame around running text. Clusters
 * of one figure (panels, legends) are joined when no running text stands between them; a caption tells where
 * the figure ends. Text inside becomes the figure's, so that axis labels do not interrupt sentences.
 *
 * After: C. Clark, S. Divvala, PDFFigures 2.0, JCDL 2016, section 3: text that is body text bounds figures. */
#include "layout/analyze.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MIN_SIDE_PT  18.0F
#define MAX_REGIONS  400
#define PANEL_GAP_PT 28.0F

typedef struct {
    layout_rect box;
    gboolean vector;
    gboolean dead;
    float weight; /* graphics area, or how much is drawn */
} region;

typedef struct {
    layout_work *work;
    layout_sheet *sheet;
    GArray *regions; /* region */
    guint *by_y;     /* segments sorted by upper edge */
    guint n_segs;
    GArray *captions; /* guint: segments that start a figure's caption */
    float max_height; /* of a segment */
} search;

static float
width_of(layout_rect r)
{
    return r.x1 - r.x0;
}

static float
height_of(layout_rect r)
{
    return r.y1 - r.y0;
}

/* Running text: set like the body, and long. */
static gboolean
is_body(const search *s, const layout_seg *seg)
{
    if (seg->role != LAYOUT_ROLE_TEXT || seg->turn != 0) return FALSE;
    if (fabsf(seg->size_pt - s->work->body_pt) > 0.12F * s->work->body_pt) return FALSE;
    return seg->n_chars >= 30 && seg->n_words >= 5;
}

static int
compare_top(gconstpointer a, gconstpointer b, gpointer data)
{
    const layout_sheet *sheet = data;
    guint i = *(const guint *)a, j = *(const guint *)b;
    const layout_seg *x = layout_sheet_seg(sheet, i), *y = layout_sheet_seg(sheet, j);
    if (x->box.y0 != y->box.y0) return x->box.y0 < y->box.y0 ? -1 : 1;
    return (i > j) - (i < j);
}

/* The first place in by_y whose segment may reach below y. */
static guint
first_at(const search *s, float y)
{
    guint lo = 0, hi = s->n_segs;
    while (lo < hi) {
        guint mid = lo + (hi - lo) / 2;
        if (layout_sheet_seg(s->sheet, s->by_y[mid])->box.y0 < y - s->max_height)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static gboolean
inside(layout_rect outer, layout_rect inner, float slack)
{
    float x = 0.5F * (inner.x0 + inner.x1), y = 0.5F * (inner.y0 + inner.y1);
    return x > outer.x0 - slack && x < outer.x1 + slack && y > outer.y0 - slack &&
           y < outer.y1 + slack;
}

/* Is a body text line in this box? */
static gboolean
has_body_text(const search *s, layout_rect box)
{
    for (guint i = first_at(s, box.y0); i < s->n_segs; i++) {
        const layout_seg *seg = layout_sheet_seg(s->sheet, s->by_y[i]);
        if (seg->box.y0 > box.y1) break;
        if (seg->baseline < box.y0 || seg->baseline > box.y1 + 0.5F * seg->size_pt) continue;
        if (layout_overlap_1d(seg->box.x0, seg->box.x1, box.x0, box.x1) <= 2) continue;
        if (is_body(s, seg)) return TRUE;
    }
    return FALSE;
}

/* A frame around text: most of what is inside are lines of several words. */
static gboolean
is_text_frame(const search *s, const layout_cluster *c)
{
    guint lines = 0, prose = 0;
    float text_area = 0;
    for (guint i = first_at(s, c->box.y0); i < s->n_segs; i++) {
        const layout_seg *seg = layout_sheet_seg(s->sheet, s->by_y[i]);
        if (seg->box.y0 > c->box.y1) break;
        if (seg->turn != 0 || !inside(c->box, seg->box, 0)) continue;
        lines++;
        prose += seg->n_words >= 5 && seg->n_chars >= 22;
        text_area += width_of(seg->box) * height_of(seg->box);
    }
    float area = width_of(c->box) * height_of(c->box);
    /* a border around the page */
    if (area > 0.45F * s->sheet->width * s->sheet->height && prose >= 4 && prose * 3 > lines)
        return TRUE;
    if (c->image_area > 0.3F * area) return FALSE;
    if (c->n_images == 0 && c->n_curves == 0 && lines > 0 && prose * 3 >= lines) return TRUE;
    if (c->n_curves < 4 && text_area > 0.35F * area && lines >= 2) return TRUE;
    return prose >= 4 && prose * 2 > lines && text_area > 0.25F * area && c->n_curves < 40;
}

static gboolean
touches_table(const layout_sheet *sheet, layout_rect box)
{
    for (guint i = 0; i < sheet->tables->len && i < 100; i++) {
        layout_rect table = g_array_index(sheet->tables, layout_table_region, i).box;
        if (layout_rect_overlap(table, box) > 0.5F * MAX(1, width_of(box) * height_of(box)))
            return TRUE;
    }
    return FALSE;
}

static void
regions_seed(search *s)
{
    for (guint i = 0; i < s->sheet->clusters->len && s->regions->len < MAX_REGIONS; i++) {
        const layout_cluster *c = &g_array_index(s->sheet->clusters, layout_cluster, i);
        float w = width_of(c->box), h = height_of(c->box);
        if (c->n_images == 0 && c->n_curves == 0 && c->n_rects < 3 && c->n_rules < 6) continue;
        if (w < MIN_SIDE_PT || h < MIN_SIDE_PT) {
            /* small parts may still be a figure's: markers, arrows */
            if (w * h < 30 || (c->n_images == 0 && c->n_curves == 0)) continue;
        }
        if (touches_table(s->sheet, c->box) || is_text_frame(s, c)) continue;
        region r = {.box = c->box,
                    .vector = c->image_area < 0.5F * w * h,
                    .weight =
                        c->image_area + 20.0F * (float)(c->n_curves + c->n_rects + c->n_rules)};
        g_array_append_val(s->regions, r);
    }
}

/* Regions close to each other, with no running text between, are one figure. */
static void
regions_merge(search *s)
{
    gboolean changed = TRUE;
    for (guint round = 0; round < 8 && changed; round++) {
        changed = FALSE;
        for (guint i = 0; i < s->regions->len; i++) {
            region *a = &g_array_index(s->regions, region, i);
            if (a->dead) continue;
            for (guint k = i + 1; k < s->regions->len; k++) {
                region *b = &g_array_index(s->regions, region, k);
                if (b->dead) continue;
                float dx = -layout_overlap_1d(a->box.x0, a->box.x1, b->box.x0, b->box.x1);
                float dy = -layout_overlap_1d(a->box.y0, a->box.y1, b->box.y0, b->box.y1);
                if (dx > PANEL_GAP_PT || dy > PANEL_GAP_PT || (dx > 0 && dy > 0)) continue;
                layout_rect both = layout_rect_join(a->box, b->box);
                gboolean blocked = FALSE;
                for (guint c = 0; c < s->captions->len && !blocked; c++) {
                    const layout_seg *seg =
                        layout_sheet_seg(s->sheet, g_array_index(s->captions, guint, c));
                    blocked = inside(both, seg->box, 0) && !inside(a->box, seg->box, 0) &&
                              !inside(b->box, seg->box, 0);
                }
                if (dy > 0) {
                    layout_rect between = {both.x0, MIN(a->box.y1, b->box.y1), both.x1,
                                           MAX(a->box.y0, b->box.y0)};
                    blocked = blocked || has_body_text(s, between);
                } else if (dx > 0) {
                    layout_rect between = {MIN(a->box.x1, b->box.x1), both.y0,
                                           MAX(a->box.x0, b->box.x0), both.y1};
                    blocked = blocked || has_body_text(s, between);
                }
                if (blocked) continue;
                a->box = both;
                a->vector = a->vector && b->vector;
                a->weight += b->weight;
                b->dead = TRUE;
                changed = TRUE;
            }
        }
    }
}

/* Take a label next to the region: small, or standing beside the graphics; never running text. */
static gboolean
takes(const search *s, const region *r, const layout_seg *seg)
{
    if (seg->role != LAYOUT_ROLE_TEXT && !(seg->role == LAYOUT_ROLE_MARGIN && seg->turn != 0))
        return FALSE;
    if (inside(r->box, seg->box, 1)) return TRUE;
    if (seg->turn == 0 && is_body(s, seg)) return FALSE;
    float body = s->work->body_pt;
    float dx = -layout_overlap_1d(r->box.x0, r->box.x1, seg->box.x0, seg->box.x1);
    float dy = -layout_overlap_1d(r->box.y0, r->box.y1, seg->box.y0, seg->box.y1);
    float near = 0.9F * seg->size_pt + 2;
    if (dx > near || dy > near || (dx > 0 && dy > 2)) return FALSE;
    gboolean small = seg->size_pt < 0.93F * body;
    gboolean foreign = seg->font != s->work->body_font;
    if (seg->turn != 0) return height_of(seg->box) < 1.3F * height_of(r->box);
    if (seg->n_chars > 60 || width_of(seg->box) > 1.02F * width_of(r->box) + 4) return FALSE;
    if (dy <= 0) return seg->n_chars <= 24 && (small || foreign || seg->n_chars <= 10);
    /* above: titles of panels; below: axis labels, "(a) ..." */
    return small || (foreign && seg->n_chars < 40 && seg->box.y0 > r->box.y1 - 1);
}

static gboolean
is_caption_seg(const search *s, guint index)
{
    for (guint c = 0; c < s->captions->len; c++)
        if (g_array_index(s->captions, guint, c) == index) return TRUE;
    return FALSE;
}

static void
region_grow(search *s, region *r, int owner)
{
    /* never past the captions */
    float top = 0, bottom = s->sheet->height;
    for (guint c = 0; c < s->captions->len; c++) {
        layout_rect box = layout_sheet_seg(s->sheet, g_array_index(s->captions, guint, c))->box;
        if (layout_overlap_1d(box.x0, box.x1, r->box.x0, r->box.x1) <= 0) continue;
        if (box.y0 > 0.5F * (r->box.y0 + r->box.y1))
            bottom = MIN(bottom, box.y0);
        else
            top = MAX(top, box.y1);
    }
    for (guint round = 0; round < 4; round++) {
        gboolean grew = FALSE;
        for (guint i = first_at(s, r->box.y0 - 20); i < s->n_segs; i++) {
            guint index = s->by_y[i];
            layout_seg *seg = layout_sheet_seg(s->sheet, index);
            if (seg->box.y0 > r->box.y1 + 20) break;
            if (seg->box.y1 > bottom + 3 || seg->box.y0 < top - 3) continue;
            if (!takes(s, r, seg) || is_caption_seg(s, index)) continue;
            seg->role = LAYOUT_ROLE_FIGURE;
            seg->owner = owner;
            layout_rect joint = layout_rect_join(r->box, seg->box);
            grew = grew || memcmp(&joint, &r->box, sizeof joint) != 0;
            r->box = joint;
        }
        if (!grew) break;
    }
}

/* The caption this region would have: close below, else close above. */
static gboolean
has_caption(const search *s, const region *r)
{
    for (guint c = 0; c < s->captions->len; c++) {
        const layout_seg *seg = layout_sheet_seg(s->sheet, g_array_index(s->captions, guint, c));
        if (layout_overlap_1d(seg->box.x0, seg->box.x1, r->box.x0 - 40, r->box.x1 + 40) <= 0)
            continue;
        float below = seg->box.y0 - r->box.y1, above = r->box.y0 - seg->box.y1;
        if ((below > -6 && below < 60) || (above > -6 && above < 60)) return TRUE;
    }
    return FALSE;
}

static gboolean
is_figure(const search *s, const region *r)
{
    float w = width_of(r->box), h = height_of(r->box);
    if (has_caption(s, r)) return w > 20 && h > 15;
    if (!r->vector) return w > 36 && h > 30;
    return w > 60 && h > 45 && r->weight > 160;
}

static void
search_init(search *s, layout_work *work, layout_sheet *sheet)
{
    s->work = work;
    s->sheet = sheet;
    s->regions = g_array_new(FALSE, TRUE, sizeof(region));
    s->captions = g_array_new(FALSE, FALSE, sizeof(guint));
    s->n_segs = sheet->segs->len;
    s->by_y = g_new(guint, s->n_segs + 1);
    for (guint i = 0; i < s->n_segs; i++) {
        const layout_seg *seg = layout_sheet_seg(sheet, i);
        s->by_y[i] = i;
        s->max_height = MAX(s->max_height, height_of(seg->box));
        gboolean strong = FALSE;
        layout_caption_kind kind =
            layout_caption_match(sheet->text->str + seg->start, seg->len, NULL, &strong);
        if (seg->role == LAYOUT_ROLE_TEXT && seg->turn == 0 && strong &&
            kind != LAYOUT_CAPTION_NONE && s->captions->len < 200)
            g_array_append_val(s->captions, i);
    }
    s->max_height = MIN(s->max_height, 300);
    g_qsort_with_data(s->by_y, (gint)s->n_segs, sizeof(guint), compare_top, sheet);
}

void
layout_figures_find(layout_work *work, layout_sheet *sheet)
{
    search s = {0};
    search_init(&s, work, sheet);
    regions_seed(&s);
    regions_merge(&s);
    for (guint i = 0; i < s.regions->len; i++) {
        region *r = &g_array_index(s.regions, region, i);
        if (r->dead || !is_figure(&s, r)) continue;
        region_grow(&s, r, (int)sheet->figures->len);
        layout_figure_region figure = {
            .box = r->box, .vector = r->vector, .caption = LAYOUT_NONE, .block = LAYOUT_NONE};
        g_array_append_val(sheet->figures, figure);
    }
    g_array_unref(s.regions);
    g_array_unref(s.captions);
    g_free(s.by_y);
}
