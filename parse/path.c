/* Vector paths: rules, upright rectangles and the rest.
 *
 * Tables are drawn in every way there is: one path per line, one path of many segments, thin filled
 * rectangles, stroked cells. So each simple subpath becomes an item of its own, and what is not simple is
 * put together into one OTHER item per path. Curves are bounded by their control points. */
#include <math.h>

#include "parse/parse_internal.h"

/* Thicker than this is a bar, not a rule. */
#define MAX_RULE_PT 3.0f
/* Sides off by less are upright: producers round to 0.01 pt, some to 0.1 pt. */
#define UPRIGHT_PT 0.1f
/* A subpath of more segments is a drawing even if all are upright (a step plot, a floor plan). */
#define MAX_SIMPLE 6

typedef struct {
    fz_context *ctx;
    parse_builder *builder;
    fz_matrix ctm;
    fz_rect clip;
    uint32_t color;
    gboolean stroked;
    float width;                 /* line width on the page */
    fz_point points[MAX_SIMPLE]; /* of the open subpath, at most the first MAX_SIMPLE */
    guint n_points;
    gboolean curved, closed;
    fz_point start; /* of the open subpath */
    fz_rect box;    /* of the open subpath */
    fz_rect rest;   /* of the subpaths that are not simple */
    guint n_segments, n_rest;
} path_walk;

static gboolean
is_upright(fz_point a, fz_point b)
{
    return fabsf(a.x - b.x) <= UPRIGHT_PT || fabsf(a.y - b.y) <= UPRIGHT_PT;
}

static parse_path_kind
box_kind(fz_rect box)
{
    float w = box.x1 - box.x0, h = box.y1 - box.y0;
    if (h <= MAX_RULE_PT && w >= 3 * h) return PARSE_PATH_RULE_H;
    if (w <= MAX_RULE_PT && h >= 3 * w) return PARSE_PATH_RULE_V;
    return PARSE_PATH_RECT;
}

static void
add_item(path_walk *walk, parse_path_kind kind, fz_rect box, guint n_segments)
{
    parse_builder *builder = walk->builder;
    box = fz_intersect_rect(box, walk->clip);
    if (!fz_is_valid_rect(box) || !isfinite(box.x0 + box.x1 + box.y0 + box.y1)) return;
    GArray *paths = builder->storage->paths;
    if (paths->len >= builder->file->options.max_paths) {
        parse_builder_stop(builder);
        return;
    }
    float w = box.x1 - box.x0, h = box.y1 - box.y0;
    parse_path item = {
        .kind = kind,
        .stroked = walk->stroked,
        .filled = !walk->stroked,
        .width_pt = kind == PARSE_PATH_RULE_H   ? h
                    : kind == PARSE_PATH_RULE_V ? w
                    : walk->stroked             ? walk->width
                                                : 0,
        .color = walk->color,
        .n_segments = n_segments,
        .opaque = kind == PARSE_PATH_RECT && !walk->stroked && n_segments == 4 &&
                  parse_builder_is_opaque(builder, walk->color),
        .box = {box.x0, box.y0, box.x1, box.y1},
    };
    item.paint = item.opaque ? ++builder->paint : builder->paint;
    g_array_append_val(paths, item);
}

static fz_rect
grown(fz_rect box, float by)
{
    return (fz_rect){box.x0 - by, box.y0 - by, box.x1 + by, box.y1 + by};
}

/* One stroked segment; butt caps, so it grows across only. */
static void
add_segment(path_walk *walk, fz_point a, fz_point b)
{
    fz_rect box = {fminf(a.x, b.x), fminf(a.y, b.y), fmaxf(a.x, b.x), fmaxf(a.y, b.y)};
    float half = walk->width / 2;
    if (box.x1 - box.x0 >= box.y1 - box.y0)
        box.y0 -= half, box.y1 += half;
    else
        box.x0 -= half, box.x1 += half;
    add_item(walk, is_upright(a, b) ? box_kind(box) : PARSE_PATH_OTHER, box, 1);
}

static gboolean
is_polyline_upright(const path_walk *walk)
{
    for (guint i = 1; i < walk->n_points; i++)
        if (!is_upright(walk->points[i - 1], walk->points[i])) return FALSE;
    return TRUE;
}

static gboolean
same_point(fz_point a, fz_point b)
{
    return fabsf(a.x - b.x) <= UPRIGHT_PT && fabsf(a.y - b.y) <= UPRIGHT_PT;
}

/* Four corners, one after the other along upright sides, back to the first. */
static gboolean
is_rectangle(const path_walk *walk)
{
    guint n = walk->n_points;
    gboolean ends_at_start = n == 5 && same_point(walk->points[0], walk->points[4]);
    if (!(ends_at_start || (n == 4 && (walk->closed || !walk->stroked)))) return FALSE;
    return is_polyline_upright(walk) && is_upright(walk->points[0], walk->points[3]) &&
           (same_point(walk->points[0], walk->points[2]) ||
            !is_upright(walk->points[0], walk->points[2]) ||
            box_kind(walk->box) != PARSE_PATH_RECT);
}

static void
add_rest(path_walk *walk)
{
    walk->rest = walk->n_rest ? fz_union_rect(walk->rest, walk->box) : walk->box;
    walk->n_rest += walk->n_segments;
}

static void
end_subpath(path_walk *walk)
{
    guint n = walk->n_points;
    if (walk->n_segments == 0) return;
    gboolean simple = !walk->curved && n <= MAX_SIMPLE && walk->n_segments + 1 == n;
    if (simple && is_rectangle(walk)) {
        fz_rect box = walk->stroked ? grown(walk->box, walk->width / 2) : walk->box;
        add_item(walk, box_kind(box), box, 4);
    } else if (simple && walk->stroked && is_polyline_upright(walk)) {
        for (guint i = 1; i < n; i++)
            add_segment(walk, walk->points[i - 1], walk->points[i]);
        if (walk->closed && !same_point(walk->points[n - 1], walk->points[0]))
            add_segment(walk, walk->points[n - 1], walk->points[0]);
    } else if (walk->stroked || n != 2 || walk->curved) {
        add_rest(walk); /* a filled line has no area */
    }
    walk->n_points = walk->n_segments = 0;
    walk->curved = walk->closed = FALSE;
}

static void
add_point(path_walk *walk, fz_point p)
{
    if (walk->n_points < MAX_SIMPLE) walk->points[walk->n_points] = p;
    walk->n_points = MIN(walk->n_points + 1, MAX_SIMPLE + 1);
    walk->box.x0 = fminf(walk->box.x0, p.x), walk->box.x1 = fmaxf(walk->box.x1, p.x);
    walk->box.y0 = fminf(walk->box.y0, p.y), walk->box.y1 = fmaxf(walk->box.y1, p.y);
}

static void
begin_subpath(path_walk *walk, fz_point p)
{
    end_subpath(walk);
    walk->n_points = 0;
    walk->start = p;
    walk->box = (fz_rect){p.x, p.y, p.x, p.y};
    add_point(walk, p);
}

static void
walk_moveto(fz_context *ctx, void *arg, float x, float y)
{
    (void)ctx;
    path_walk *walk = arg;
    begin_subpath(walk, fz_transform_point_xy(x, y, walk->ctm));
}

static void
walk_lineto(fz_context *ctx, void *arg, float x, float y)
{
    (void)ctx;
    path_walk *walk = arg;
    if (walk->n_points == 0) begin_subpath(walk, walk->start); /* goes on after a closepath */
    add_point(walk, fz_transform_point_xy(x, y, walk->ctm));
    walk->n_segments++;
}

static void
walk_curveto(fz_context *ctx, void *arg, float x1, float y1, float x2, float y2, float x3, float y3)
{
    (void)ctx;
    path_walk *walk = arg;
    if (walk->n_points == 0) begin_subpath(walk, walk->start);
    add_point(walk, fz_transform_point_xy(x1, y1, walk->ctm));
    add_point(walk, fz_transform_point_xy(x2, y2, walk->ctm));
    add_point(walk, fz_transform_point_xy(x3, y3, walk->ctm));
    walk->n_segments++;
    walk->curved = TRUE;
}

static void
walk_closepath(fz_context *ctx, void *arg)
{
    (void)ctx;
    path_walk *walk = arg;
    walk->closed = TRUE;
    end_subpath(walk);
    walk->n_points = 0;
}

static const fz_path_walker walker = {walk_moveto, walk_lineto, walk_curveto, walk_closepath,
                                      NULL,        NULL,        NULL,         NULL};

static void
walk_path(path_walk *walk, const fz_path *path)
{
    walk->builder->run_open = FALSE;
    fz_walk_path(walk->ctx, path, &walker, walk);
    end_subpath(walk);
    if (walk->n_rest == 0) return;
    fz_rect box = walk->stroked ? grown(walk->rest, walk->width / 2) : walk->rest;
    add_item(walk, PARSE_PATH_OTHER, box, walk->n_rest);
}

gboolean
parse_builder_is_opaque(const parse_builder *builder, uint32_t color)
{
    return color >> 24 == 0xff && builder->soft_clip_depth == 0 && builder->soft_group_depth == 0 &&
           builder->mask_depth == 0 && builder->tile_depth == 0;
}

/* ---- clips ---- */

typedef struct {
    fz_matrix ctm;
    fz_point first, last;
    guint n_moves, n_lines;
    gboolean skewed;
} box_walk;

static void
box_moveto(fz_context *ctx, void *arg, float x, float y)
{
    (void)ctx;
    box_walk *walk = arg;
    walk->n_moves++;
    walk->first = walk->last = fz_transform_point_xy(x, y, walk->ctm);
}

static void
box_lineto(fz_context *ctx, void *arg, float x, float y)
{
    (void)ctx;
    box_walk *walk = arg;
    fz_point p = fz_transform_point_xy(x, y, walk->ctm);
    walk->n_lines++;
    if (!is_upright(walk->last, p)) walk->skewed = TRUE;
    walk->last = p;
}

static void
box_curveto(fz_context *ctx, void *arg, float x1, float y1, float x2, float y2, float x3, float y3)
{
    (void)ctx, (void)x1, (void)y1, (void)x2, (void)y2, (void)x3, (void)y3;
    ((box_walk *)arg)->skewed = TRUE;
}

static void
box_closepath(fz_context *ctx, void *arg)
{
    (void)ctx;
    box_walk *walk = arg;
    if (!is_upright(walk->last, walk->first)) walk->skewed = TRUE;
    walk->last = walk->first;
}

gboolean
parse_path_is_box(fz_context *ctx, const fz_path *path, fz_matrix ctm)
{
    static const fz_path_walker box_walker = {box_moveto, box_lineto, box_curveto, box_closepath,
                                              NULL,       NULL,       NULL,        NULL};
    box_walk walk = {.ctm = ctm};
    fz_walk_path(ctx, path, &box_walker, &walk);
    return !walk.skewed && walk.n_moves == 1 && walk.n_lines >= 2 && walk.n_lines <= 4 &&
           is_upright(walk.first, walk.last);
}

void
parse_builder_fill_path(fz_context *ctx, parse_builder *builder, const fz_path *path, fz_matrix ctm,
                        fz_rect clip, uint32_t color)
{
    path_walk walk = {.ctx = ctx, .builder = builder, .ctm = ctm, .clip = clip, .color = color};
    fz_drop_path(ctx, builder->last_path);
    builder->last_path = NULL;
    builder->last_path_item = builder->storage->paths->len;
    walk_path(&walk, path);
    builder->last_path = fz_keep_path(ctx, path);
}

void
parse_builder_stroke_path(fz_context *ctx, parse_builder *builder, const fz_path *path,
                          const fz_stroke_state *stroke, fz_matrix ctm, fz_rect clip,
                          uint32_t color)
{
    float width = stroke->linewidth * fz_matrix_expansion(ctm);
    if (!isfinite(width) || width < 0) width = 0;
    GArray *paths = builder->storage->paths;
    /* "B" fills, then strokes the same path: one item that is both */
    if (builder->last_path == path && builder->last_path_item < paths->len) {
        for (guint i = builder->last_path_item; i < paths->len; i++) {
            parse_path *item = &g_array_index(paths, parse_path, i);
            item->stroked = TRUE;
            item->width_pt = MAX(item->width_pt, width);
        }
        return;
    }
    path_walk walk = {.ctx = ctx,
                      .builder = builder,
                      .ctm = ctm,
                      .clip = clip,
                      .color = color,
                      .stroked = TRUE,
                      .width = width};
    walk_path(&walk, path);
}

void
parse_builder_add_region(fz_context *ctx, parse_builder *builder, fz_rect box, fz_rect clip,
                         uint32_t color)
{
    path_walk walk = {.ctx = ctx, .builder = builder, .clip = clip, .color = color};
    builder->run_open = FALSE;
    add_item(&walk, PARSE_PATH_OTHER, box, 0);
}
