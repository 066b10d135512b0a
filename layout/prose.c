/* Which segments of a page are running text: what bounds figures, and what a figure must not swallow.
 *
 * A segment is running text when it is long and set like the body, or when it stands next to such a line as
 * one of its paragraph: the short last line, the indented first one. Chains of such lines tell text beside a
 * figure from text inside it. Small print counts where long lines of it stand together away from graphics. */
#include "layout/analyze.h"

#include <math.h>
#include <string.h>

#define AHEAD 80

static gboolean
is_body(const layout_work *work, const layout_seg *seg)
{
    if (fabsf(seg->size_pt - work->body_pt) > 0.12F * work->body_pt) return FALSE;
    return seg->n_chars >= 30 && seg->n_words >= 5;
}

static gboolean
on_drawing(const layout_sheet *sheet, const layout_seg *seg)
{
    float x = 0.5F * (seg->box.x0 + seg->box.x1), y = 0.5F * (seg->box.y0 + seg->box.y1);
    for (guint i = 0; i < sheet->clusters->len && i < 400; i++) {
        layout_rect b = g_array_index(sheet->clusters, layout_cluster, i).box;
        if (x > b.x0 && x < b.x1 && y > b.y0 && y < b.y1) return TRUE;
    }
    return FALSE;
}

static int
chain_of(int *chain, int i)
{
    while (chain[i] != i) {
        chain[i] = chain[chain[i]];
        i = chain[i];
    }
    return i;
}

/* May b, below a, be the next line of its paragraph? */
static gboolean
are_neighbours(const layout_work *work, const layout_seg *a, const layout_seg *b)
{
    float step = b->baseline - a->baseline;
    float most = MAX(1.3F * a->size_pt, 1.15F * work->leading_pt * a->size_pt / work->body_pt);
    if (step < 0.6F * a->size_pt || step > most) return FALSE;
    if (fabsf(a->size_pt - b->size_pt) > 0.4F) return FALSE;
    return layout_overlap_1d(a->box.x0, a->box.x1, b->box.x0, b->box.x1) > 0;
}

void
layout_prose_find(const layout_work *work, const layout_sheet *sheet, layout_prose *prose)
{
    guint n = sheet->segs->len, n_text = 0;
    g_autofree guint *order = g_new(guint, n + 1);
    g_autofree guint8 *sure = g_new0(guint8, n + 1);
    prose->chain = g_new(int, n + 1);
    prose->hull = g_new0(layout_rect, n + 1);
    for (guint i = 0; i < n; i++) {
        const layout_seg *seg = layout_sheet_seg(sheet, i);
        prose->chain[i] = (int)i;
        if (seg->role != LAYOUT_ROLE_TEXT || seg->turn != 0 || seg->caption >= 0) continue;
        order[n_text++] = i;
        gboolean small = seg->n_chars >= 45 && seg->n_words >= 8 && !on_drawing(sheet, seg);
        sure[i] = is_body(work, seg) ? 2 : small ? 1 : 0;
    }
    g_qsort_with_data(order, (gint)n_text, sizeof(guint), layout_seg_compare, (gpointer)sheet);
    for (guint k = 0; k < n_text; k++) {
        const layout_seg *a = layout_sheet_seg(sheet, order[k]);
        for (guint m = k + 1; m < n_text && m < k + AHEAD; m++) {
            const layout_seg *b = layout_sheet_seg(sheet, order[m]);
            if (b->baseline - a->baseline > 3 * work->leading_pt) break;
            guint8 x = sure[order[k]], y = sure[order[m]];
            if ((x == 0 && y == 0) || !are_neighbours(work, a, b)) continue;
            /* a line that is not sure itself lies within the other's width */
            const layout_seg *wide = x >= y ? a : b, *other = x >= y ? b : a;
            if ((x == 0 || y == 0) &&
                (other->box.x0 < wide->box.x0 - 3 || other->box.x1 > wide->box.x1 + 3 ||
                 other->font != wide->font || other->box.x0 > wide->box.x0 + 4 * wide->size_pt))
                continue;
            int i = chain_of(prose->chain, (int)order[k]),
                j = chain_of(prose->chain, (int)order[m]);
            prose->chain[MAX(i, j)] = MIN(i, j);
        }
    }
    g_autofree guint *lines = g_new0(guint, n + 1), *best = g_new0(guint, n + 1);
    for (guint k = 0; k < n_text; k++) {
        guint i = order[k];
        int c = chain_of(prose->chain, (int)i);
        layout_rect box = layout_sheet_seg(sheet, i)->box;
        prose->hull[c] = lines[c] == 0 ? box : layout_rect_join(prose->hull[c], box);
        lines[c]++;
        best[c] = MAX(best[c], sure[i]);
    }
    for (guint i = 0; i < n; i++) {
        int c = chain_of(prose->chain, (int)i);
        prose->chain[i] = c;
        /* small print alone on its line may be anything */
        if (lines[c] == 0 || best[c] == 0 || (best[c] == 1 && lines[c] < 2))
            prose->chain[i] = LAYOUT_NONE;
    }
}

void
layout_prose_clear(layout_prose *prose)
{
    g_clear_pointer(&prose->chain, g_free);
    g_clear_pointer(&prose->hull, g_free);
}
