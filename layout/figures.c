/* Figure regions: what is drawn, put together by the captions.
 *
 * Parts are clusters of graphics that are no table and no frame around text. A caption owns the parts above it
 * (or below, where a page does it so, or beside) up to running text, another caption or a table; all of its
 * parts are one figure with panels. What no caption owns is a figure when it is large enough. Text inside and
 * labels around become the figure's, so that axis labels do not interrupt sentences; running text never does.
 *
 * After: C. Clark, S. Divvala, PDFFigures 2.0, JCDL 2016, section 3: text that is body text bounds figures. */
#include "layout/analyze.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MIN_SIDE_PT  18.0F
#define MAX_PARTS    400
#define PANEL_GAP_PT 28.0F
#define FAR_PT       560.0F /* a caption's topmost panel */
#define SIDE_GAP_PT  60.0F

typedef struct {
    layout_rect box;
    gboolean vector;
    gboolean weak; /* rules and rectangles alone: may be of a figure, are none */
    gboolean dead;
    float weight; /* graphics area, or how much is drawn */
    int caption;  /* that owns it, LAYOUT_NONE */
} part;

typedef struct {
    const layout_caption_region *region;
    float x0, x1; /* where its parts may stand */
    layout_rect box;
    guint n_parts;
    gboolean vector;
} owner;

typedef struct {
    layout_work *work;
    layout_sheet *sheet;
    layout_prose prose;
    GArray *parts;  /* part */
    GArray *owners; /* owner, as the sheet's captions; those of tables stay without parts */
    guint *by_y;    /* segments sorted by upper edge */
    guint n_segs;
    float max_height; /* of a segment */
} search;

typedef enum { CAPTION_BELOW, CAPTION_BESIDE, CAPTION_ABOVE } caption_side;

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

static gboolean
contains(layout_rect outer, layout_rect inner, float slack)
{
    return inner.x0 > outer.x0 - slack && inner.x1 < outer.x1 + slack &&
           inner.y0 > outer.y0 - slack && inner.y1 < outer.y1 + slack;
}

/* Running text that is no part of what is drawn in box. */
static gboolean
is_foreign_prose(const search *s, guint seg, layout_rect box)
{
    int chain = s->prose.chain[seg];
    return chain != LAYOUT_NONE && !contains(box, s->prose.hull[chain], 3);
}

/* Is a line of running text in this box? Not counting what is part of one of the things drawn there. */
static gboolean
has_prose(const search *s, layout_rect box, const layout_rect *drawn, guint n_drawn)
{
    for (guint i = first_at(s, box.y0); i < s->n_segs; i++) {
        guint index = s->by_y[i];
        const layout_seg *seg = layout_sheet_seg(s->sheet, index);
        if (seg->box.y0 > box.y1) break;
        float middle = seg->baseline - 0.3F * seg->size_pt;
        if (middle < box.y0 || middle > box.y1) continue;
        if (layout_overlap_1d(seg->box.x0, seg->box.x1, box.x0, box.x1) <= 2) continue;
        gboolean foreign = s->prose.chain[index] != LAYOUT_NONE;
        for (guint k = 0; k < n_drawn && foreign; k++)
            foreign = is_foreign_prose(s, index, drawn[k]);
        if (foreign) return TRUE;
    }
    return FALSE;
}

/* Text, a table, or a caption other than own in this box, which holds the things drawn [n_drawn]? */
static gboolean
is_blocked(const search *s, layout_rect box, const layout_rect *drawn, guint n_drawn, int own)
{
    if (!(box.y1 > box.y0 && box.x1 > box.x0)) return FALSE;
    for (guint i = 0; i < s->sheet->captions->len; i++) {
        layout_rect c = g_array_index(s->sheet->captions, layout_caption_region, i).box;
        if ((int)i != own && layout_overlap_1d(c.x0, c.x1, box.x0, box.x1) > 4 &&
            layout_overlap_1d(c.y0, c.y1, box.y0, box.y1) > 2)
            return TRUE;
    }
    for (guint i = 0; i < s->sheet->tables->len && i < 100; i++) {
        layout_rect t = g_array_index(s->sheet->tables, layout_table_region, i).box;
        if (layout_overlap_1d(t.x0, t.x1, box.x0, box.x1) > 4 &&
            layout_overlap_1d(t.y0, t.y1, box.y0, box.y1) > 4)
            return TRUE;
    }
    return has_prose(s, box, drawn, n_drawn);
}

/* ---- parts ---- */

/* A frame around text: most of what is inside are lines of several words. */
static gboolean
is_text_frame(const search *s, const layout_cluster *c)
{
    guint lines = 0, prose = 0, mono = 0, body = 0;
    float text_area = 0;
    for (guint i = first_at(s, c->box.y0); i < s->n_segs; i++) {
        const layout_seg *seg = layout_sheet_seg(s->sheet, s->by_y[i]);
        if (seg->box.y0 > c->box.y1) break;
        if (seg->turn != 0 || !inside(c->box, seg->box, 0)) continue;
        lines++;
        prose += (seg->n_words >= 5 && seg->n_chars >= 22) ||
                 (seg->n_chars >= 15 && width_of(seg->box) > 0.7F * width_of(c->box));
        mono += seg->flags & LAYOUT_SPAN_MONO ? 1 : 0;
        body += seg->n_words >= 5 && seg->font == s->work->body_font &&
                fabsf(seg->size_pt - s->work->body_pt) < 0.3F;
        text_area += width_of(seg->box) * height_of(seg->box);
    }
    float area = width_of(c->box) * height_of(c->box);
    /* a border around the page */
    if (area > 0.45F * s->sheet->width * s->sheet->height && prose >= 4 && prose * 3 > lines)
        return TRUE;
    if (c->image_area > 0.3F * area) return FALSE;
    if (lines > 1 && mono * 5 >= lines * 4 && c->n_curves < 12 && c->n_images == 0) return TRUE;
    if (c->n_images == 0 && c->n_curves == 0 && lines > 0 && prose * 3 >= lines) return TRUE;
    if (c->n_curves < 4 && c->n_rects < 12 && text_area > 0.35F * area && lines >= 2) return TRUE;
    if (c->n_images == 0 && body >= 2 && body * 4 >= lines && text_area > 0.12F * area &&
        c->n_curves < 40)
        return TRUE;
    return prose >= 4 && prose * 2 > lines && text_area > 0.25F * area && c->n_curves < 40;
}

/* A frame around the running header or footer: such text, and no other, is inside. */
static gboolean
is_running_frame(const search *s, const layout_cluster *c)
{
    gboolean running = FALSE;
    if (c->n_curves > 0 || height_of(c->box) > 0.2F * s->sheet->height) return FALSE;
    for (guint i = first_at(s, c->box.y0); i < s->n_segs; i++) {
        const layout_seg *seg = layout_sheet_seg(s->sheet, s->by_y[i]);
        if (seg->box.y0 > c->box.y1) break;
        if (!inside(c->box, seg->box, 0)) continue;
        if (seg->role != LAYOUT_ROLE_HEADER && seg->role != LAYOUT_ROLE_FOOTER &&
            seg->role != LAYOUT_ROLE_PAGE_NUMBER)
            return FALSE;
        running = TRUE;
    }
    return running;
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

/* A line across the page or column, as above footnotes and under running headers. */
static gboolean
is_separator(const layout_sheet *sheet, const layout_cluster *c)
{
    return height_of(c->box) < 4 && width_of(c->box) > 0.08F * sheet->width && c->n_images == 0 &&
           c->n_curves == 0;
}

static void
parts_seed(search *s)
{
    for (guint i = 0; i < s->sheet->clusters->len && s->parts->len < MAX_PARTS; i++) {
        const layout_cluster *c = &g_array_index(s->sheet->clusters, layout_cluster, i);
        float w = width_of(c->box), h = height_of(c->box);
        if (is_separator(s->sheet, c)) continue;
        gboolean weak = c->n_images == 0 && c->n_curves == 0 && c->n_rects < 3 && c->n_rules < 6;
        /* small parts may still be a figure's: markers, arrows */
        if ((w < MIN_SIDE_PT || h < MIN_SIDE_PT) && (w * h < 30 || c->n_images + c->n_curves == 0))
            weak = TRUE;
        if (touches_table(s->sheet, c->box) || is_text_frame(s, c) || is_running_frame(s, c))
            continue;
        part p = {.box = c->box,
                  .vector = c->image_area < 0.5F * w * h,
                  .weak = weak,
                  .weight = c->image_area + 20.0F * (float)(c->n_curves + c->n_rects + c->n_rules),
                  .caption = LAYOUT_NONE};
        g_array_append_val(s->parts, p);
    }
}

/* ---- captions and their parts ---- */

/* Where the parts of caption index may stand: its side of the gutter, as far as the next caption's. */
static void
owner_init(const search *s, guint index, owner *o)
{
    const layout_caption_region *c =
        &g_array_index(s->sheet->captions, layout_caption_region, index);
    const layout_work *work = s->work;
    *o = (owner){.region = c, .x0 = 0, .x1 = s->sheet->width, .vector = TRUE};
    if (work->two_columns && c->box.x1 < work->gutter_x + 4) o->x1 = work->gutter_x + 6;
    if (work->two_columns && c->box.x0 > work->gutter_x - 4) o->x0 = work->gutter_x - 6;
    for (guint i = 0; i < s->sheet->captions->len; i++) {
        const layout_caption_region *other =
            &g_array_index(s->sheet->captions, layout_caption_region, i);
        if (i == index || other->kind == LAYOUT_CAPTION_OTHER) continue;
        float near = 6 * c->size_pt;
        if (layout_overlap_1d(c->box.y0 - near, c->box.y1 + near, other->box.y0, other->box.y1) < 0)
            continue;
        if (other->box.x0 >= c->box.x1 - 2)
            o->x1 = MIN(o->x1, 0.5F * (c->box.x1 + other->box.x0) + 2);
        if (other->box.x1 <= c->box.x0 + 2)
            o->x0 = MAX(o->x0, 0.5F * (c->box.x0 + other->box.x1) - 2);
    }
}

/* How far part and caption are from each other on this side; negative where they do not belong. */
static float
distance(const search *s, const part *p, const owner *o, guint index, caption_side side)
{
    layout_rect b = p->box, c = o->region->box;
    if (side == CAPTION_BESIDE) {
        float along = layout_overlap_1d(b.y0, b.y1, c.y0, c.y1);
        float gap = -layout_overlap_1d(b.x0, b.x1, c.x0, c.x1);
        if (along < 0.5F * MIN(height_of(b), height_of(c)) || gap < -4 || gap > SIDE_GAP_PT)
            return -1;
        layout_rect between = {MIN(b.x1, c.x1), MAX(b.y0, c.y0), MAX(b.x0, c.x0), MIN(b.y1, c.y1)};
        return is_blocked(s, between, NULL, 0, (int)index) ? -1 : MAX(0, gap);
    }
    float in_zone = layout_overlap_1d(b.x0, b.x1, o->x0, o->x1);
    if (in_zone < 0.6F * width_of(b)) return -1;
    float gap = side == CAPTION_BELOW ? c.y0 - b.y1 : b.y0 - c.y1;
    if (gap < -10 || gap > FAR_PT) return -1;
    layout_rect between = side == CAPTION_BELOW ? (layout_rect){b.x0, b.y1, b.x1, c.y0 - 1}
                                                : (layout_rect){b.x0, c.y1 + 1, b.x1, b.y0};
    /* what is narrower than the column must see the caption, too */
    if (b.x1 < c.x0) between.x1 = c.x0 + 5;
    if (b.x0 > c.x1) between.x0 = c.x1 - 5;
    return is_blocked(s, between, NULL, 0, (int)index) ? -1 : MAX(0, gap);
}

typedef struct {
    float cost;
    guint part, owner;
} bond;

static int
compare_bond(gconstpointer a, gconstpointer b)
{
    const bond *x = a, *y = b;
    if (x->cost != y->cost) return x->cost < y->cost ? -1 : 1;
    if (x->part != y->part) return x->part < y->part ? -1 : 1;
    return (x->owner > y->owner) - (x->owner < y->owner);
}

/* May part join what owner has? Not with text or a stranger's caption between. */
static gboolean
owner_accepts(const search *s, const owner *o, guint index, const part *p)
{
    const layout_rect drawn[] = {o->box, p->box};
    if (o->n_parts == 0) return TRUE;
    return !is_blocked(s, layout_rect_join(drawn[0], drawn[1]), drawn, 2, (int)index);
}

static void
owner_take(owner *o, guint index, part *p)
{
    o->box = o->n_parts == 0 ? p->box : layout_rect_join(o->box, p->box);
    o->vector = o->vector && (p->vector || p->weak);
    o->n_parts++;
    p->caption = (int)index;
}

/* Give free parts to the captions of figures on this side, nearest first. only_empty: captions that have some
 * get no more. */
static void
parts_assign(search *s, caption_side side, gboolean only_empty)
{
    g_autoptr(GArray) bonds = g_array_new(FALSE, FALSE, sizeof(bond));
    for (guint k = 0; k < s->owners->len; k++) {
        const owner *o = &g_array_index(s->owners, owner, k);
        if (o->region->kind != LAYOUT_CAPTION_FIGURE || (only_empty && o->n_parts > 0)) continue;
        for (guint i = 0; i < s->parts->len; i++) {
            const part *p = &g_array_index(s->parts, part, i);
            if (p->weak || p->caption != LAYOUT_NONE) continue;
            bond b = {distance(s, p, o, k, side), i, k};
            if (b.cost >= 0) g_array_append_val(bonds, b);
        }
    }
    g_array_sort(bonds, compare_bond);
    for (guint i = 0; i < bonds->len; i++) {
        const bond *b = &g_array_index(bonds, bond, i);
        part *p = &g_array_index(s->parts, part, b->part);
        owner *o = &g_array_index(s->owners, owner, b->owner);
        if (p->caption == LAYOUT_NONE && owner_accepts(s, o, b->owner, p))
            owner_take(o, b->owner, p);
    }
}

/* Do this page's figures carry their captions above? */
static gboolean
captions_stand_above(const search *s)
{
    guint above = 0, below = 0;
    for (guint k = 0; k < s->owners->len; k++) {
        const owner *o = &g_array_index(s->owners, owner, k);
        gboolean has_above = FALSE, has_below = FALSE;
        if (o->region->kind != LAYOUT_CAPTION_FIGURE) continue;
        for (guint i = 0; i < s->parts->len; i++) {
            const part *p = &g_array_index(s->parts, part, i);
            if (p->weak) continue;
            has_below = has_below || distance(s, p, o, k, CAPTION_BELOW) >= 0;
            has_above = has_above || distance(s, p, o, k, CAPTION_ABOVE) >= 0;
        }
        above += has_above ? 1 : 0;
        below += has_below ? 1 : 0;
    }
    return above > below;
}

/* Rules and rectangles near a figure are of it: axes, bars, frames. Also what is left inside. */
static void
owner_absorb(search *s, owner *o, guint index)
{
    gboolean grew = TRUE;
    for (guint round = 0; round < 6 && grew; round++) {
        grew = FALSE;
        for (guint i = 0; i < s->parts->len; i++) {
            part *p = &g_array_index(s->parts, part, i);
            if (p->caption != LAYOUT_NONE) continue;
            float dx = -layout_overlap_1d(o->box.x0, o->box.x1, p->box.x0, p->box.x1);
            float dy = -layout_overlap_1d(o->box.y0, o->box.y1, p->box.y0, p->box.y1);
            if (dx > SIDE_GAP_PT || dy > 24 || (dx > 0 && dy > 0)) continue;
            float in_zone = layout_overlap_1d(p->box.x0, p->box.x1, o->x0, o->x1);
            if (in_zone < 0.6F * width_of(p->box) || !owner_accepts(s, o, index, p)) continue;
            /* not past the caption */
            if (layout_rect_overlap(layout_rect_join(o->box, p->box), o->region->box) > 20)
                continue;
            owner_take(o, index, p);
            grew = TRUE;
        }
    }
}

/* ---- without a caption ---- */

/* Parts close to each other, with no running text between, are one figure. */
static void
parts_merge(search *s)
{
    gboolean changed = TRUE;
    for (guint round = 0; round < 8 && changed; round++) {
        changed = FALSE;
        for (guint i = 0; i < s->parts->len; i++) {
            part *a = &g_array_index(s->parts, part, i);
            if (a->dead || a->weak || a->caption != LAYOUT_NONE) continue;
            for (guint k = i + 1; k < s->parts->len; k++) {
                part *b = &g_array_index(s->parts, part, k);
                if (b->dead || b->weak || b->caption != LAYOUT_NONE) continue;
                float dx = -layout_overlap_1d(a->box.x0, a->box.x1, b->box.x0, b->box.x1);
                float dy = -layout_overlap_1d(a->box.y0, a->box.y1, b->box.y0, b->box.y1);
                if (dx > PANEL_GAP_PT || dy > PANEL_GAP_PT || (dx > 0 && dy > 0)) continue;
                const layout_rect drawn[] = {a->box, b->box};
                layout_rect both = layout_rect_join(a->box, b->box);
                if (is_blocked(s, both, drawn, 2, LAYOUT_NONE)) continue;
                a->box = both;
                a->vector = a->vector && b->vector;
                a->weight += b->weight;
                b->dead = TRUE;
                changed = TRUE;
            }
        }
    }
}

/* Icons beside names, badges and bullets are no figures. */
static gboolean
is_figure_alone(const part *p)
{
    float w = width_of(p->box), h = height_of(p->box);
    if (!p->vector) return w > 36 && h > 30;
    return w > 60 && h > 45 && p->weight > 160;
}

/* ---- text of a figure ---- */

/* Take a label next to the region: small, or standing beside the graphics; never running text. */
static gboolean
takes(const search *s, layout_rect box, guint index)
{
    const layout_seg *seg = layout_sheet_seg(s->sheet, index);
    if (seg->role != LAYOUT_ROLE_TEXT && !(seg->role == LAYOUT_ROLE_MARGIN && seg->turn != 0))
        return FALSE;
    if (seg->caption != LAYOUT_NONE || is_foreign_prose(s, index, box)) return FALSE;
    if (inside(box, seg->box, 1)) return TRUE;
    float body = s->work->body_pt;
    float dx = -layout_overlap_1d(box.x0, box.x1, seg->box.x0, seg->box.x1);
    float dy = -layout_overlap_1d(box.y0, box.y1, seg->box.y0, seg->box.y1);
    float near = 0.9F * seg->size_pt + 2;
    /* "(a)" at a corner */
    if (seg->n_chars <= 4 && s->sheet->text->str[seg->start] == '(' && dx < near && dy < near)
        return TRUE;
    if (dx > near || dy > near || (dx > 0 && dy > 2)) return FALSE;
    gboolean small = seg->size_pt < 0.93F * body;
    gboolean foreign = seg->font != s->work->body_font;
    if (seg->turn != 0) return height_of(seg->box) < 1.3F * height_of(box);
    if (seg->n_chars > 60 || width_of(seg->box) > 1.02F * width_of(box) + 4) return FALSE;
    if (dy <= 0) return seg->n_chars <= 24 && (small || foreign || seg->n_chars <= 10);
    /* above: titles of panels; below: axis labels, "(a) ..." */
    return small || (foreign && seg->n_chars < 40 && seg->box.y0 > box.y1 - 1);
}

/* Between what is drawn and its caption stand only labels. */
static layout_rect
label_band(const owner *o)
{
    layout_rect band = o->box;
    layout_rect c = o->region->box;
    if (c.y0 > o->box.y1)
        band.y1 = c.y0;
    else if (c.y1 < o->box.y0)
        band.y0 = c.y1;
    return band;
}

/* Labels may not lead the region into a caption or a table; box is grown to hold them. */
static layout_rect
region_grow(search *s, layout_rect box, const owner *o, int id)
{
    float top = 0, bottom = s->sheet->height;
    for (guint c = 0; c < s->sheet->captions->len; c++) {
        layout_rect b = g_array_index(s->sheet->captions, layout_caption_region, c).box;
        if (layout_overlap_1d(b.x0, b.x1, box.x0, box.x1) <= 0) continue;
        if (b.y0 + b.y1 > box.y0 + box.y1)
            bottom = MIN(bottom, b.y0);
        else
            top = MAX(top, b.y1);
    }
    layout_rect band = o != NULL ? label_band(o) : box;
    for (guint round = 0; round < 4; round++) {
        gboolean grew = FALSE;
        for (guint i = first_at(s, MIN(box.y0, band.y0) - 20); i < s->n_segs; i++) {
            guint index = s->by_y[i];
            layout_seg *seg = layout_sheet_seg(s->sheet, index);
            if (seg->box.y0 > MAX(box.y1, band.y1) + 20) break;
            if (seg->box.y1 > bottom + 3 || seg->box.y0 < top - 3) continue;
            gboolean label = o != NULL && seg->role == LAYOUT_ROLE_TEXT &&
                             seg->caption == LAYOUT_NONE && inside(band, seg->box, 1) &&
                             !is_foreign_prose(s, index, band);
            if (!label && !takes(s, box, index)) continue;
            seg->role = LAYOUT_ROLE_FIGURE;
            seg->owner = id;
            layout_rect joint = layout_rect_join(box, seg->box);
            grew = grew || memcmp(&joint, &box, sizeof joint) != 0;
            box = joint;
        }
        if (!grew) break;
    }
    box.y1 = MIN(box.y1, MAX(bottom - 1, box.y0));
    box.y0 = MAX(box.y0, MIN(top + 1, box.y1));
    return box;
}

/* The white margin of an image may lie over lines of text: the picture ends there. */
static layout_rect
region_trim(const search *s, layout_rect box)
{
    float top = box.y0, bottom = box.y1, height = height_of(box);
    for (guint i = first_at(s, box.y0); i < s->n_segs; i++) {
        guint index = s->by_y[i];
        layout_rect b = layout_sheet_seg(s->sheet, index)->box;
        if (b.y0 > box.y1) break;
        if (layout_overlap_1d(b.x0, b.x1, box.x0, box.x1) <= 4 || b.y1 < box.y0 ||
            !is_foreign_prose(s, index, box))
            continue;
        if (b.y1 < box.y0 + 0.3F * height) top = MAX(top, b.y1);
        if (b.y0 > box.y1 - 0.3F * height) bottom = MIN(bottom, b.y0);
    }
    box.y0 = top;
    box.y1 = bottom;
    return box;
}

static void
figure_add(search *s, layout_rect box, gboolean vector, const owner *o, int caption)
{
    int id = (int)s->sheet->figures->len;
    box = region_grow(s, box, o, id);
    layout_figure_region figure = {
        .box = region_trim(s, box), .vector = vector, .caption = caption, .block = LAYOUT_NONE};
    g_array_append_val(s->sheet->figures, figure);
    if (o == NULL || o->n_parts < 2) return;
    g_autoptr(GArray) boxes = g_array_new(FALSE, FALSE, sizeof(layout_rect));
    for (guint i = 0; i < s->parts->len; i++) {
        const part *p = &g_array_index(s->parts, part, i);
        if (p->caption == caption) g_array_append_val(boxes, p->box);
    }
    layout_panels_find(s->sheet, (guint)id, (layout_rect *)boxes->data, boxes->len);
}

/* ---- the whole ---- */

static void
search_init(search *s, layout_work *work, layout_sheet *sheet)
{
    *s = (search){.work = work, .sheet = sheet};
    s->parts = g_array_new(FALSE, TRUE, sizeof(part));
    s->owners = g_array_new(FALSE, TRUE, sizeof(owner));
    s->n_segs = sheet->segs->len;
    s->by_y = g_new(guint, s->n_segs + 1);
    for (guint i = 0; i < s->n_segs; i++) {
        s->by_y[i] = i;
        s->max_height = MAX(s->max_height, height_of(layout_sheet_seg(sheet, i)->box));
    }
    s->max_height = MIN(s->max_height, 300);
    g_qsort_with_data(s->by_y, (gint)s->n_segs, sizeof(guint), compare_top, sheet);
    layout_prose_find(work, sheet, &s->prose);
    for (guint i = 0; i < sheet->captions->len; i++) {
        owner o;
        owner_init(s, i, &o);
        g_array_append_val(s->owners, o);
    }
}

static void
search_clear(search *s)
{
    g_array_unref(s->parts);
    g_array_unref(s->owners);
    g_free(s->by_y);
    layout_prose_clear(&s->prose);
}

void
layout_figures_find(layout_work *work, layout_sheet *sheet)
{
    search s;
    if (sheet->clusters->len == 0) return;
    search_init(&s, work, sheet);
    parts_seed(&s);
    gboolean above = captions_stand_above(&s);
    parts_assign(&s, above ? CAPTION_ABOVE : CAPTION_BELOW, FALSE);
    parts_assign(&s, CAPTION_BESIDE, TRUE);
    parts_assign(&s, above ? CAPTION_BELOW : CAPTION_ABOVE, TRUE);
    for (guint k = 0; k < s.owners->len; k++) {
        owner *o = &g_array_index(s.owners, owner, k);
        if (o->n_parts > 0) owner_absorb(&s, o, k);
    }
    for (guint k = 0; k < s.owners->len; k++) {
        const owner *o = &g_array_index(s.owners, owner, k);
        if (o->n_parts > 0 && width_of(o->box) > 20 && height_of(o->box) > 15)
            figure_add(&s, o->box, o->vector, o, (int)k);
    }
    parts_merge(&s);
    for (guint i = 0; i < s.parts->len; i++) {
        const part *p = &g_array_index(s.parts, part, i);
        if (!p->dead && !p->weak && p->caption == LAYOUT_NONE && is_figure_alone(p))
            figure_add(&s, p->box, p->vector, NULL, LAYOUT_NONE);
    }
    search_clear(&s);
}
