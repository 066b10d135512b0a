/* Where the columns are: the vertical cut that has text on both sides for the greatest height.
 *
 * The page is cut into thin horizontal strips. In each strip the items stand side by side with gaps
 * between them; a gap says "one could cut here", an item says "not here". Adding both up over all strips
 * with difference arrays costs no more than sorting the items. */
#include "layout/analyze.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define STRIP_PT   3.0F
#define BIN_PT     2.0F
#define MAX_STRIPS 4000
#define MAX_BINS   3000
#define EDGE_SHARE 0.12F /* no gutter this close to the text's edges */
#define LEAST_GAP  3.0F

typedef struct {
    guint strip;
    float x0, x1;
} stretch;

static int
compare_stretch(gconstpointer a, gconstpointer b)
{
    const stretch *x = a, *y = b;
    if (x->strip != y->strip) return x->strip < y->strip ? -1 : 1;
    if (x->x0 != y->x0) return x->x0 < y->x0 ? -1 : 1;
    return (x->x1 > y->x1) - (x->x1 < y->x1);
}

static layout_rect
hull(const layout_item *items, guint n)
{
    layout_rect box = items[0].box;
    for (guint i = 1; i < n; i++)
        box = layout_rect_join(box, items[i].box);
    return box;
}

static GArray *
stretches_make(const layout_item *items, guint n, layout_rect box, float strip)
{
    GArray *all = g_array_new(FALSE, FALSE, sizeof(stretch));
    for (guint i = 0; i < n; i++) {
        /* a little less than the item's height: lines set tight must not count twice */
        float y0 = items[i].box.y0 + 1, y1 = MAX(items[i].box.y1 - 1, items[i].box.y0 + 1.5F);
        guint from = (guint)MAX(0, (y0 - box.y0) / strip),
              to = (guint)MAX(0, (y1 - box.y0) / strip);
        for (guint s = from; s <= to && s < MAX_STRIPS; s++) {
            stretch one = {s, items[i].box.x0, items[i].box.x1};
            g_array_append_val(all, one);
        }
    }
    g_array_sort(all, compare_stretch);
    return all;
}

static void
bins_add(gint32 *bins, guint n_bins, float x0, float x1, float origin)
{
    int from = (int)ceilf((x0 - origin) / BIN_PT), to = (int)floorf((x1 - origin) / BIN_PT);
    from = CLAMP(from, 0, (int)n_bins);
    to = CLAMP(to + 1, 0, (int)n_bins);
    if (to <= from) return;
    bins[from]++;
    bins[to]--;
}

gboolean
layout_gutter_find(const layout_item *items, guint n, layout_gutter *gutter)
{
    if (n < 4) return FALSE;
    layout_rect box = hull(items, n);
    float width = box.x1 - box.x0, height = box.y1 - box.y0;
    if (width < 60 || height < 20) return FALSE;
    float strip = MAX(STRIP_PT, height / (MAX_STRIPS - 1));
    guint n_bins = (guint)MIN(width / BIN_PT + 1, MAX_BINS);
    g_autofree gint32 *gaps = g_new0(gint32, n_bins + 1);
    g_autofree gint32 *ink = g_new0(gint32, n_bins + 1);
    g_autoptr(GArray) all = stretches_make(items, n, box, strip);
    for (guint i = 0; i < all->len;) {
        guint at = g_array_index(all, stretch, i).strip;
        float end = -G_MAXFLOAT, start = 0;
        for (; i < all->len && g_array_index(all, stretch, i).strip == at; i++) {
            const stretch *s = &g_array_index(all, stretch, i);
            if (end > -G_MAXFLOAT && s->x0 > end) {
                bins_add(ink, n_bins, start, end, box.x0);
                if (s->x0 - end >= LEAST_GAP) bins_add(gaps, n_bins, end, s->x0, box.x0);
                start = s->x0;
            } else if (end <= -G_MAXFLOAT) {
                start = s->x0;
            }
            end = MAX(end, s->x1);
        }
        bins_add(ink, n_bins, start, end, box.x0);
    }
    gint32 gap = 0, over = 0, best_score = G_MININT32;
    guint best0 = 0, best1 = 0;
    gint32 best_gap = 0, best_over = 0;
    gboolean running = FALSE;
    for (guint b = 0; b < n_bins; b++) {
        gap += gaps[b];
        over += ink[b];
        float x = box.x0 + (float)b * BIN_PT;
        if (x < box.x0 + EDGE_SHARE * width || x > box.x1 - EDGE_SHARE * width) continue;
        gint32 score = gap - over / 4;
        if (score > best_score) {
            best_score = score;
            best_gap = gap;
            best_over = over;
            best0 = best1 = b;
            running = TRUE;
        } else if (running && score >= best_score - MAX(1, best_gap / 16)) {
            best1 = b;
        } else {
            running = FALSE;
        }
    }
    if (best_gap <= 0) return FALSE;
    gutter->x0 = box.x0 + (float)best0 * BIN_PT;
    gutter->x1 = box.x0 + (float)best1 * BIN_PT;
    gutter->x = 0.5F * (gutter->x0 + gutter->x1);
    gutter->support = (float)best_gap * strip;
    gutter->crossing = (float)best_over * strip;
    return TRUE;
}

/* Share of the lines of the side with fewer that stand on a line's baseline of the other: the rows of a table
 * all do. Sorts both. */
static float
share_aligned(GArray *left, GArray *right)
{
    guint same = 0;
    g_array_sort(left, layout_compare_float);
    g_array_sort(right, layout_compare_float);
    for (guint i = 0, k = 0; i < left->len && k < right->len;) {
        float d = g_array_index(left, float, i) - g_array_index(right, float, k);
        same += fabsf(d) < 1 ? 1 : 0;
        i += d < 1 ? 1 : 0;
        k += d > -1 ? 1 : 0;
    }
    guint fewer = MIN(left->len, right->len);
    return fewer > 0 ? (float)same / (float)fewer : 1;
}

gboolean
layout_gutter_parts_text(const layout_item *items, guint n, float x)
{
    layout_rect box = hull(items, n);
    float width[2] = {x - box.x0, box.x1 - x}, sum[2] = {0, 0};
    guint count[2] = {0, 0}, words[2] = {0, 0};
    g_autoptr(GArray) left = g_array_new(FALSE, FALSE, sizeof(float));
    g_autoptr(GArray) right = g_array_new(FALSE, FALSE, sizeof(float));
    for (guint i = 0; i < n; i++) {
        if (items[i].seg < 0) continue;
        guint side = items[i].box.x0 + items[i].box.x1 > 2 * x;
        if (items[i].box.x0 < x - 4 && items[i].box.x1 > x + 4) continue;
        /* a list's marker, a check box */
        if (items[i].n_words < 2 && items[i].box.x1 - items[i].box.x0 < 1.5F * items[i].size_pt)
            continue;
        sum[side] += items[i].box.x1 - items[i].box.x0;
        words[side] += items[i].n_words;
        count[side]++;
        g_array_append_val(side ? right : left, items[i].baseline);
    }
    gboolean filled = TRUE;
    for (guint side = 0; side < 2; side++) {
        if (count[side] < 2 || words[side] < 3 * count[side]) return FALSE;
        filled = filled && sum[side] >= 0.42F * width[side] * (float)count[side];
    }
    return filled || (MIN(count[0], count[1]) >= 12 && share_aligned(left, right) < 0.5F);
}
