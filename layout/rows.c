/* The items of one column -> printed rows from top to bottom: segments of one baseline become one row again. */
#include "layout/analyze.h"

#include <math.h>
#include <stdlib.h>

#define RIGHT_ROWS 5

int
layout_item_compare(gconstpointer a, gconstpointer b)
{
    const layout_item *x = a, *y = b;
    float ax = x->seg >= 0 ? x->baseline - 0.3F * x->size_pt : x->box.y0;
    float ay = y->seg >= 0 ? y->baseline - 0.3F * y->size_pt : y->box.y0;
    if (ax != ay) return ax < ay ? -1 : 1;
    if (x->box.x0 != y->box.x0) return x->box.x0 < y->box.x0 ? -1 : 1;
    return (x->seg > y->seg) - (x->seg < y->seg);
}

static int
compare_left(gconstpointer a, gconstpointer b)
{
    const layout_item *x = a, *y = b;
    if (x->box.x0 != y->box.x0) return x->box.x0 < y->box.x0 ? -1 : 1;
    return (x->seg > y->seg) - (x->seg < y->seg);
}

/* Is the row's first and last text bold? */
static void
ends_describe(const layout_sheet *sheet, layout_row *row)
{
    gboolean first = TRUE;
    for (guint i = 0; i < row->n_segs; i++) {
        const layout_seg *seg =
            layout_sheet_seg(sheet, g_array_index(sheet->row_segs, guint, row->first_seg + i));
        for (guint k = seg->first_style; k < seg->first_style + seg->n_styles; k++) {
            guint flags = layout_sheet_style(sheet, k)->flags;
            if (flags & (LAYOUT_SPAN_MATH | LAYOUT_SPAN_SUPERSCRIPT | LAYOUT_SPAN_SUBSCRIPT))
                continue;
            row->bold_end = (flags & LAYOUT_SPAN_BOLD) != 0;
            if (first) row->bold_start = row->bold_end;
            first = FALSE;
        }
    }
}

static void
row_describe(layout_sheet *sheet, layout_row *row)
{
    float math = 0;
    guint bold = 0, italic = 0, mono = 0, caps = 0, most = 0;
    for (guint i = 0; i < row->n_segs; i++) {
        guint index = g_array_index(sheet->row_segs, guint, row->first_seg + i);
        const layout_seg *seg = layout_sheet_seg(sheet, index);
        row->box = i == 0 ? seg->box : layout_rect_join(row->box, seg->box);
        row->n_chars += seg->n_chars;
        math += seg->math * (float)seg->n_chars;
        bold += seg->flags & LAYOUT_SPAN_BOLD ? seg->n_chars : 0;
        italic += seg->flags & LAYOUT_SPAN_ITALIC ? seg->n_chars : 0;
        mono += seg->flags & LAYOUT_SPAN_MONO ? seg->n_chars : 0;
        caps += seg->flags & LAYOUT_STYLE_CAPS ? seg->n_chars : 0;
        if (seg->n_chars > most) {
            most = seg->n_chars;
            row->font = seg->font;
            row->size_pt = seg->size_pt;
            row->baseline = seg->baseline;
        }
    }
    ends_describe(sheet, row);
    guint need = row->n_chars * 7 / 10;
    row->math = row->n_chars > 0 ? math / (float)row->n_chars : 0;
    row->flags |= bold > need ? LAYOUT_SPAN_BOLD : 0;
    row->flags |= italic > need ? LAYOUT_SPAN_ITALIC : 0;
    row->flags |= mono > need ? LAYOUT_SPAN_MONO : 0;
    row->flags |= caps > need ? LAYOUT_STYLE_CAPS : 0;
}

/* An abstract or a quotation is narrower than its column: its lines end where the longest near them does. */
static void
rights_set(layout_sheet *sheet, guint from)
{
    for (guint i = from; i < sheet->rows->len; i++) {
        layout_row *row = layout_sheet_row(sheet, i);
        guint n = 1;
        float right = row->box.x1;
        for (int step = -1; step <= 1; step += 2) {
            const layout_row *last = row;
            for (guint k = 1; k <= RIGHT_ROWS; k++) {
                guint at = step < 0 ? i - k : i + k;
                if (at < from || at >= sheet->rows->len || (step < 0 && k > i)) break;
                const layout_row *next = layout_sheet_row(sheet, at);
                if (next->n_segs == 0 ||
                    fabsf(next->baseline - last->baseline) > 1.7F * row->size_pt ||
                    fabsf(next->size_pt - row->size_pt) > 0.5F)
                    break;
                right = MAX(right, next->box.x1);
                last = next;
                n++;
            }
        }
        row->right = n >= 3 ? MIN(right, row->col_x1) : row->col_x1;
    }
}

/* Are most letters of these segments of a right-to-left script? */
static gboolean
reads_leftwards(const layout_sheet *sheet, const layout_item *items, guint n)
{
    guint rtl = 0, ltr = 0;
    if (n < 2) return FALSE;
    for (guint i = 0; i < n; i++) {
        const layout_seg *seg = layout_sheet_seg(sheet, (guint)items[i].seg);
        const char *at = sheet->text->str + seg->start, *end = at + seg->len;
        for (; at < end; at = g_utf8_next_char(at)) {
            gunichar ch = g_utf8_get_char(at);
            if (ch >= 0x590 && ch <= 0x8FF)
                rtl++;
            else if (g_unichar_isalpha(ch))
                ltr++;
        }
    }
    return rtl > ltr;
}

static void
items_reverse(layout_item *items, guint n)
{
    for (guint i = 0; i < n / 2; i++) {
        layout_item t = items[i];
        items[i] = items[n - 1 - i];
        items[n - 1 - i] = t;
    }
}

/* Parts of one line of one caption? */
static gboolean
same_caption(const layout_sheet *sheet, const layout_item *a, const layout_item *b)
{
    int caption = layout_sheet_seg(sheet, (guint)a->seg)->caption;
    return caption >= 0 && layout_sheet_seg(sheet, (guint)b->seg)->caption == caption;
}

/* Do captions of two floats that stand beside each other meet here? */
static gboolean
other_caption(const layout_sheet *sheet, const layout_item *a, const layout_item *b)
{
    const int x = layout_sheet_seg(sheet, (guint)a->seg)->caption;
    const int y = layout_sheet_seg(sheet, (guint)b->seg)->caption;
    return x >= 0 && y >= 0 && x != y;
}

/* Does one of items [n] stand over or under next, rather than beside it? Not their common box: a raised mark at a
 * line's end, which comes first, would leave no room between itself and the line's start. */
static gboolean
stands_across(const layout_item *items, guint n, const layout_item *next)
{
    const float most = 0.3F * (next->box.x1 - next->box.x0);
    for (guint i = 0; i < n; i++)
        if (layout_overlap_1d(items[i].box.x0, items[i].box.x1, next->box.x0, next->box.x1) >= most)
            return TRUE;
    return FALSE;
}

void
layout_rows_append(layout_sheet *sheet, layout_item *items, guint n, float col_x0, float col_x1,
                   guint region)
{
    guint first_row = sheet->rows->len;
    qsort(items, n, sizeof *items, layout_item_compare);
    for (guint i = 0; i < n;) {
        layout_row row = {.col_x0 = col_x0,
                          .col_x1 = col_x1,
                          .region = region,
                          .first_seg = sheet->row_segs->len,
                          .figure = items[i].figure,
                          .table = items[i].table};
        if (items[i].seg < 0) {
            row.box = items[i].box;
            row.baseline = items[i].box.y1;
            g_array_append_val(sheet->rows, row);
            i++;
            continue;
        }
        guint to = i + 1;
        float baseline = items[i].baseline, size = items[i].size_pt;
        while (to < n && items[to].seg >= 0 &&
               fabsf(items[to].baseline - baseline) < 0.42F * MAX(size, items[to].size_pt) &&
               (same_caption(sheet, &items[i], &items[to]) ||
                !stands_across(items + i, to - i, &items[to]))) {
            size = MAX(size, items[to].size_pt);
            to++;
        }
        for (guint k = i; k < to; k++)
            items[k].box = layout_sheet_seg(sheet, (guint)items[k].seg)->box;
        qsort(items + i, to - i, sizeof *items, compare_left);
        if (reads_leftwards(sheet, items + i, to - i)) items_reverse(items + i, to - i);
        while (i < to) {
            guint end = i + 1;
            while (end < to && !other_caption(sheet, &items[i], &items[end]))
                end++;
            row.first_seg = sheet->row_segs->len;
            row.n_segs = end - i;
            for (; i < end; i++) {
                guint index = (guint)items[i].seg;
                g_array_append_val(sheet->row_segs, index);
            }
            row_describe(sheet, &row);
            g_array_append_val(sheet->rows, row);
        }
    }
    rights_set(sheet, first_row);
}
