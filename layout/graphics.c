/* Paths and images of a page -> rules, rectangles, and clusters of what is drawn close together.
 *
 * Clusters are connected components on a coarse grid. Every box is put on the grid in constant time (a
 * two-dimensional difference array, summed once), so a page of 100,000 paths costs no more than its grid. */
#include "layout/analyze.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CELL_PT   5.0F
#define MAX_CELLS 1000000.0F
#define FAINT     0.12F /* contrast up to which a fill counts as a plain ground, whatever its form */

typedef struct {
    float cell;
    guint cols, rows;
    gint32 *mark;   /* (cols + 1) * (rows + 1) */
    guint32 *label; /* cols * rows, 0: nothing drawn */
} grid;

typedef struct {
    layout_rect box;
    enum { DRAWN_CURVE, DRAWN_RECT, DRAWN_RULE, DRAWN_IMAGE } kind;
} drawn;

static gboolean
grid_init(grid *g, float width, float height)
{
    g->cell = CELL_PT;
    float cells = width * height / (CELL_PT * CELL_PT);
    if (cells > MAX_CELLS) g->cell *= sqrtf(cells / MAX_CELLS);
    g->cols = (guint)ceilf(width / g->cell) + 1;
    g->rows = (guint)ceilf(height / g->cell) + 1;
    g->mark = g_try_new0(gint32, (gsize)(g->cols + 1) * (g->rows + 1));
    g->label = g_try_new0(guint32, (gsize)g->cols * g->rows);
    return g->mark != NULL && g->label != NULL;
}

static guint
cell_of(const grid *g, float at, guint n)
{
    float k = at / g->cell;
    if (!(k > 0)) return 0;
    return k >= (float)n ? n - 1 : (guint)k;
}

static void
grid_put(grid *g, layout_rect box)
{
    guint x0 = cell_of(g, box.x0, g->cols), x1 = cell_of(g, box.x1, g->cols) + 1;
    guint y0 = cell_of(g, box.y0, g->rows), y1 = cell_of(g, box.y1, g->rows) + 1;
    gsize w = g->cols + 1;
    g->mark[y0 * w + x0]++;
    g->mark[y0 * w + x1]--;
    g->mark[y1 * w + x0]--;
    g->mark[y1 * w + x1]++;
}

/* Sum the differences and number the components; returns how many. */
static guint
grid_label(grid *g)
{
    gsize w = g->cols + 1;
    for (guint y = 0; y < g->rows; y++)
        for (guint x = 0; x < g->cols; x++)
            g->mark[y * w + x] += (x > 0 ? g->mark[y * w + x - 1] : 0) +
                                  (y > 0 ? g->mark[(y - 1) * w + x] : 0) -
                                  (x > 0 && y > 0 ? g->mark[(y - 1) * w + x - 1] : 0);
    g_autoptr(GArray) stack = g_array_new(FALSE, FALSE, sizeof(guint32));
    guint n = 0;
    for (guint32 start = 0; start < g->cols * g->rows; start++) {
        if (g->label[start] != 0 || g->mark[start / g->cols * w + start % g->cols] == 0) continue;
        n++;
        g->label[start] = n;
        g_array_append_val(stack, start);
        while (stack->len > 0) {
            guint32 at = g_array_index(stack, guint32, stack->len - 1);
            g_array_set_size(stack, stack->len - 1);
            guint x = at % g->cols, y = at / g->cols;
            for (guint yy = y > 0 ? y - 1 : 0; yy <= y + 1 && yy < g->rows; yy++)
                for (guint xx = x > 0 ? x - 1 : 0; xx <= x + 1 && xx < g->cols; xx++) {
                    guint32 k = yy * g->cols + xx;
                    if (g->label[k] != 0 || g->mark[yy * w + xx] == 0) continue;
                    g->label[k] = n;
                    g_array_append_val(stack, k);
                }
        }
    }
    return n;
}

static gboolean
is_background(const layout_sheet *sheet, layout_rect box)
{
    float w = box.x1 - box.x0, h = box.y1 - box.y0;
    return w * h > 0.6F * sheet->width * sheet->height;
}

static gboolean
is_white(const parse_path *path)
{
    guint32 c = path->color;
    return !path->stroked && ((c >> 16) & 0xFF) > 250 && ((c >> 8) & 0xFF) > 250 &&
           (c & 0xFF) > 250;
}

/* How much a fill stands out from white paper, 0 to 1. */
static float
contrast(const parse_path *path)
{
    const guint32 c = path->color, darkest = MIN(MIN((c >> 16) & 0xFF, (c >> 8) & 0xFF), c & 0xFF);
    return (float)(c >> 24) / 255 * (float)(255 - darkest) / 255;
}

/* White shows on what was filled before. */
static gboolean
on_fill(const layout_sheet *sheet, layout_rect box)
{
    float x = 0.5F * (box.x0 + box.x1), y = 0.5F * (box.y0 + box.y1);
    for (guint i = 0; i < sheet->fills->len; i++) {
        const layout_fill *fill = &g_array_index(sheet->fills, layout_fill, i);
        if (fill->outline || x < fill->box.x0 || x > fill->box.x1 || y < fill->box.y0 ||
            y > fill->box.y1)
            continue;
        return TRUE;
    }
    return FALSE;
}

static gboolean
box_is_sane(parse_rect r)
{
    return isfinite(r.x0) && isfinite(r.y0) && isfinite(r.x1) && isfinite(r.y1) && r.x1 >= r.x0 &&
           r.y1 >= r.y0;
}

static layout_rect
box_in_frame(const layout_sheet *sheet, parse_rect r)
{
    layout_rect box = {CLAMP(r.x0, 0, sheet->page_width), CLAMP(r.y0, 0, sheet->page_height),
                       CLAMP(r.x1, 0, sheet->page_width), CLAMP(r.y1, 0, sheet->page_height)};
    return layout_rect_turn(box, sheet->turn, sheet->page_width, sheet->page_height);
}

static void
path_take(layout_sheet *sheet, const parse_path *path, GArray *all)
{
    if (!box_is_sane(path->box) || path->color >> 24 == 0) return;
    layout_rect box = box_in_frame(sheet, path->box);
    float w = box.x1 - box.x0, h = box.y1 - box.y0;
    if (w <= 0 && h <= 0) return;
    parse_path_kind kind = path->kind;
    if ((sheet->turn & 1) && kind == PARSE_PATH_RULE_H)
        kind = PARSE_PATH_RULE_V;
    else if ((sheet->turn & 1) && kind == PARSE_PATH_RULE_V)
        kind = PARSE_PATH_RULE_H;

    drawn item = {.box = box, .kind = DRAWN_CURVE};
    layout_rule rule = {box.x0, box.x1, box.y0, box.y1, path->width_pt};
    switch (kind) {
    case PARSE_PATH_RULE_H:
        if (is_white(path) && !on_fill(sheet, box)) return;
        g_array_append_val(sheet->hrules, rule);
        item.kind = DRAWN_RULE;
        break;
    case PARSE_PATH_RULE_V:
        if (is_white(path) && !on_fill(sheet, box)) return;
        if (sheet->vrules->len <= LAYOUT_MAX_RULES) g_array_append_val(sheet->vrules, rule);
        item.kind = DRAWN_RULE;
        break;
    case PARSE_PATH_RECT:
        if (is_white(path) || is_background(sheet, box)) return;
        if (sheet->fills->len <= LAYOUT_MAX_FILLS) {
            layout_fill fill = {box, path->color, path->stroked};
            g_array_append_val(sheet->fills, fill);
        }
        item.kind = DRAWN_RECT;
        break;
    case PARSE_PATH_OTHER:
        if (is_white(path) || is_background(sheet, box)) return;
        if (w >= 50 && h >= 20 && sheet->shapes->len < LAYOUT_MAX_SHAPES)
            g_array_append_val(sheet->shapes, box);
        /* the ground of a box with round corners, a layer of its soft shadow */
        if (!path->stroked && contrast(path) <= FAINT) item.kind = DRAWN_RECT;
        break;
    }
    g_array_append_val(all, item);
}

int
layout_compare_hrule(gconstpointer a, gconstpointer b)
{
    const layout_rule *x = a, *y = b;
    if (x->y0 != y->y0) return x->y0 < y->y0 ? -1 : 1;
    if (x->x0 != y->x0) return x->x0 < y->x0 ? -1 : 1;
    return (x->x1 > y->x1) - (x->x1 < y->x1);
}

int
layout_compare_vrule(gconstpointer a, gconstpointer b)
{
    const layout_rule *x = a, *y = b;
    if (x->x0 != y->x0) return x->x0 < y->x0 ? -1 : 1;
    if (x->y0 != y->y0) return x->y0 < y->y0 ? -1 : 1;
    return (x->y1 > y->y1) - (x->y1 < y->y1);
}

static void
clusters_make(layout_sheet *sheet, const GArray *all)
{
    grid g = {0};
    if (all->len == 0) return;
    if (grid_init(&g, sheet->width, sheet->height)) {
        for (guint i = 0; i < all->len; i++)
            grid_put(&g, g_array_index(all, drawn, i).box);
        guint n = grid_label(&g);
        g_array_set_size(sheet->clusters, n);
        layout_cluster *clusters = (layout_cluster *)sheet->clusters->data;
        memset(clusters, 0, n * sizeof *clusters);
        for (guint i = 0; i < all->len; i++) {
            const drawn *item = &g_array_index(all, drawn, i);
            guint32 k =
                cell_of(&g, item->box.y0, g.rows) * g.cols + cell_of(&g, item->box.x0, g.cols);
            if (g.label[k] == 0) continue;
            layout_cluster *c = &clusters[g.label[k] - 1];
            gboolean first = c->n_curves + c->n_rects + c->n_rules + c->n_images == 0;
            c->box = first ? item->box : layout_rect_join(c->box, item->box);
            c->n_curves += item->kind == DRAWN_CURVE;
            c->n_rects += item->kind == DRAWN_RECT;
            c->n_rules += item->kind == DRAWN_RULE;
            c->n_images += item->kind == DRAWN_IMAGE;
            if (item->kind == DRAWN_IMAGE)
                c->image_area += (item->box.x1 - item->box.x0) * (item->box.y1 - item->box.y0);
        }
    }
    g_free(g.mark);
    g_free(g.label);
}

void
layout_graphics_find(layout_sheet *sheet, const parse_page *page)
{
    g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(drawn));
    for (guint i = 0; i < page->n_paths; i++)
        path_take(sheet, &page->paths[i], all);
    for (guint i = 0; i < page->n_images; i++) {
        if (!box_is_sane(page->images[i].box)) continue;
        layout_rect box = box_in_frame(sheet, page->images[i].box);
        /* A scan behind its OCR layer, or a background. */
        if (is_background(sheet, box) && sheet->segs->len > 0) continue;
        drawn item = {.box = box, .kind = DRAWN_IMAGE};
        g_array_append_val(all, item);
        if (sheet->pictures->len <= LAYOUT_MAX_PICTURES) g_array_append_val(sheet->pictures, box);
    }
    if (sheet->pictures->len > LAYOUT_MAX_PICTURES) g_array_set_size(sheet->pictures, 0);
    if (sheet->fills->len > LAYOUT_MAX_FILLS) g_array_set_size(sheet->fills, 0);
    g_array_sort(sheet->hrules, layout_compare_hrule);
    g_array_sort(sheet->vrules, layout_compare_vrule);
    clusters_make(sheet, all);

    for (guint i = 0; i < page->n_links; i++) {
        const parse_link *from = &page->links[i];
        if (!box_is_sane(from->box)) continue;
        layout_link link = {.box = box_in_frame(sheet, from->box),
                            .dest = g_strdup(from->dest),
                            .dest_page = from->dest_page,
                            .dest_x = from->dest_x,
                            .dest_y = from->dest_y};
        if (from->uri != NULL)
            link.uri = g_utf8_make_valid(from->uri, -1);
        else if (from->dest_page >= 0)
            link.uri = g_strdup_printf("#page=%d", from->dest_page + 1);
        g_array_append_val(sheet->links, link);
    }
}
