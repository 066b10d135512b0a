/* What is body text in this document: its font size, font, distance of lines and margins. */
#include "layout/analyze.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BINS_PER_PT 4
#define MAX_BINS    400
#define LOOK_AHEAD  16

static void
sizes_count(layout_work *work, guint64 *bins, guint64 *fonts)
{
    for (guint s = 0; s < work->sheets->len; s++) {
        const layout_sheet *sheet = layout_work_sheet(work, s);
        for (guint i = 0; i < sheet->segs->len; i++) {
            const layout_seg *seg = layout_sheet_seg(sheet, i);
            if (seg->role != LAYOUT_ROLE_TEXT || seg->turn != 0) continue;
            long bin = lroundf(seg->size_pt * BINS_PER_PT);
            if (bin <= 0 || bin >= MAX_BINS) continue;
            /* Long lines say more than labels and table cells do. */
            bins[bin] += seg->n_chars * (seg->n_words >= 5 ? 4 : 1);
            if (seg->font < work->fonts->len) fonts[seg->font] += seg->n_chars;
        }
        layout_work_release(work);
    }
}

/* Distances between lines that start at the same place, one under the other. */
static void
leading_count(const layout_work *work, const layout_sheet *sheet, guint64 *bins)
{
    guint n = sheet->segs->len;
    g_autofree guint *order = g_new(guint, n + 1);
    for (guint i = 0; i < n; i++)
        order[i] = i;
    g_qsort_with_data(order, (gint)n, sizeof(guint), layout_seg_compare, (gpointer)sheet);
    for (guint i = 0; i < n; i++) {
        const layout_seg *seg = layout_sheet_seg(sheet, order[i]);
        if (seg->n_words < 4 || fabsf(seg->size_pt - work->body_pt) > 0.3F) continue;
        for (guint j = i + 1; j < n && j < i + LOOK_AHEAD; j++) {
            const layout_seg *next = layout_sheet_seg(sheet, order[j]);
            float step = next->baseline - seg->baseline;
            if (step > 3 * work->body_pt) break;
            if (step < 0.8F * work->body_pt || fabsf(next->box.x0 - seg->box.x0) > 3) continue;
            long bin = lroundf(step * BINS_PER_PT);
            if (bin > 0 && bin < MAX_BINS) bins[bin]++;
            break;
        }
    }
}

static guint
fullest(const guint64 *bins, guint n)
{
    guint best = 0;
    for (guint i = 1; i < n; i++)
        if (bins[i] > bins[best]) best = i;
    return best;
}

static void
margins_measure(const layout_work *work, layout_sheet *sheet)
{
    g_autoptr(GArray) left = g_array_new(FALSE, FALSE, sizeof(float));
    g_autoptr(GArray) right = g_array_new(FALSE, FALSE, sizeof(float));
    for (guint i = 0; i < sheet->segs->len; i++) {
        const layout_seg *seg = layout_sheet_seg(sheet, i);
        if (seg->role != LAYOUT_ROLE_TEXT || seg->turn != 0 || seg->n_words < 4 ||
            fabsf(seg->size_pt - work->body_pt) > 0.15F * work->body_pt)
            continue;
        g_array_append_val(left, seg->box.x0);
        g_array_append_val(right, seg->box.x1);
    }
    sheet->text_x0 = 0;
    sheet->text_x1 = sheet->width;
    if (left->len < 3) return;
    g_array_sort(left, layout_compare_float);
    g_array_sort(right, layout_compare_float);
    sheet->text_x0 = g_array_index(left, float, left->len / 20);
    sheet->text_x1 = g_array_index(right, float, right->len - 1 - right->len / 20);
}

void
layout_style_measure(layout_work *work)
{
    g_autofree guint64 *bins = g_new0(guint64, MAX_BINS);
    g_autofree guint64 *fonts = g_new0(guint64, work->fonts->len + 1);
    sizes_count(work, bins, fonts);
    guint best = fullest(bins, MAX_BINS);
    if (bins[best] > 0) work->body_pt = (float)best / BINS_PER_PT;
    work->body_font = fullest(fonts, work->fonts->len);

    memset(bins, 0, MAX_BINS * sizeof *bins);
    for (guint s = 0; s < work->sheets->len; s++) {
        leading_count(work, layout_work_sheet(work, s), bins);
        layout_work_release(work);
    }
    best = fullest(bins, MAX_BINS);
    work->leading_pt = bins[best] > 2 ? (float)best / BINS_PER_PT : 1.2F * work->body_pt;
    for (guint s = 0; s < work->sheets->len; s++) {
        margins_measure(work, layout_work_sheet(work, s));
        layout_work_release(work);
    }
}
