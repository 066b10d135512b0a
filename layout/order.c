/* Reading order: full-width items cut a page into bands, a band is read column by column.
 *
 * The document as a whole decides where its gutter is; a page where that is empty may still be cut by one of
 * its own. What is left is printed lines from top to bottom, and segments of one baseline in one column
 * become one row again. */
#include "layout/analyze.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DEPTH      4
#define RIGHT_ROWS     5
#define SAME_GUTTER_PT 14.0F

typedef struct {
    layout_work *work;
    layout_sheet *sheet;
    guint region;
} ordering;

static GArray *
items_of_sheet(layout_sheet *sheet)
{
    GArray *items = g_array_new(FALSE, FALSE, sizeof(layout_item));
    for (guint i = 0; i < sheet->segs->len; i++) {
        const layout_seg *seg = layout_sheet_seg(sheet, i);
        if (seg->role != LAYOUT_ROLE_TEXT) continue;
        layout_item item = {seg->box,      (int)i,       LAYOUT_NONE, LAYOUT_NONE,
                            seg->baseline, seg->size_pt, seg->n_words};
        /* A caption's lines stay together, however short its last one. */
        if (seg->caption >= 0) {
            layout_rect whole =
                g_array_index(sheet->captions, layout_caption_region, seg->caption).box;
            item.box.x0 = whole.x0;
            item.box.x1 = whole.x1;
        }
        g_array_append_val(items, item);
    }
    for (guint i = 0; i < sheet->figures->len; i++) {
        layout_rect box = g_array_index(sheet->figures, layout_figure_region, i).box;
        layout_item item = {box, LAYOUT_NONE, (int)i, LAYOUT_NONE, box.y1, 0, 0};
        g_array_append_val(items, item);
    }
    for (guint i = 0; i < sheet->tables->len; i++) {
        layout_rect box = g_array_index(sheet->tables, layout_table_region, i).box;
        layout_item item = {box, LAYOUT_NONE, LAYOUT_NONE, (int)i, box.y1, 0, 0};
        g_array_append_val(items, item);
    }
    return items;
}

void
layout_order_measure(layout_work *work)
{
    g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(layout_gutter));
    guint pages = 0;
    for (guint s = 0; s < work->sheets->len; s++) {
        g_autoptr(GArray) items = items_of_sheet(layout_work_sheet(work, s));
        layout_gutter gutter;
        layout_work_release(work);
        pages += items->len > 8;
        if (!layout_gutter_find((layout_item *)items->data, items->len, &gutter)) continue;
        if (gutter.support < 100 || gutter.support < 0.5F * gutter.crossing) continue;
        if (!layout_gutter_parts_text((layout_item *)items->data, items->len, gutter.x)) continue;
        g_array_append_val(found, gutter);
    }
    work->two_columns = found->len > 0 && found->len * 5 >= pages * 2;
    float best = -1;
    for (guint i = 0; i < found->len && i < 400; i++) {
        float x = g_array_index(found, layout_gutter, i).x, votes = 0;
        for (guint k = 0; k < found->len && k < 400; k++)
            if (fabsf(g_array_index(found, layout_gutter, k).x - x) < SAME_GUTTER_PT)
                votes += g_array_index(found, layout_gutter, k).support;
        if (votes > best) {
            best = votes;
            work->gutter_x = x;
        }
    }
}

/* ---- one column ---- */

static int
compare_reading(gconstpointer a, gconstpointer b)
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

/* Items of one column, read from top to bottom. */
static void
column_emit(ordering *o, layout_item *items, guint n, float col_x0, float col_x1)
{
    layout_sheet *sheet = o->sheet;
    guint first_row = sheet->rows->len;
    qsort(items, n, sizeof *items, compare_reading);
    for (guint i = 0; i < n;) {
        layout_row row = {.col_x0 = col_x0,
                          .col_x1 = col_x1,
                          .region = o->region,
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
        layout_rect box = items[i].box;
        float baseline = items[i].baseline, size = items[i].size_pt;
        while (to < n && items[to].seg >= 0 &&
               fabsf(items[to].baseline - baseline) < 0.42F * MAX(size, items[to].size_pt) &&
               (same_caption(sheet, &items[i], &items[to]) ||
                layout_overlap_1d(box.x0, box.x1, items[to].box.x0, items[to].box.x1) <
                    0.3F * (items[to].box.x1 - items[to].box.x0))) {
            box = layout_rect_join(box, items[to].box);
            size = MAX(size, items[to].size_pt);
            to++;
        }
        for (guint k = i; k < to; k++)
            items[k].box = layout_sheet_seg(sheet, (guint)items[k].seg)->box;
        qsort(items + i, to - i, sizeof *items, compare_left);
        if (reads_leftwards(sheet, items + i, to - i)) items_reverse(items + i, to - i);
        for (guint k = i; k < to; k++) {
            guint index = (guint)items[k].seg;
            g_array_append_val(sheet->row_segs, index);
        }
        row.n_segs = to - i;
        row_describe(sheet, &row);
        g_array_append_val(sheet->rows, row);
        i = to;
    }
    rights_set(sheet, first_row);
    o->region++;
}

/* ---- bands ---- */

static int
compare_float(gconstpointer a, gconstpointer b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Left and right edge of a column, from its longer lines. */
static void
edges_of(const layout_item *items, guint n, float *x0, float *x1)
{
    g_autofree float *left = g_new(float, n + 1), *right = g_new(float, n + 1);
    guint k = 0;
    for (int least = 4; least >= 0 && k < 2; least -= 4) {
        k = 0;
        for (guint i = 0; i < n; i++) {
            if (items[i].seg < 0 || (int)items[i].n_words < least) continue;
            left[k] = items[i].box.x0;
            right[k++] = items[i].box.x1;
        }
    }
    if (k == 0) return;
    qsort(left, k, sizeof *left, compare_float);
    qsort(right, k, sizeof *right, compare_float);
    *x0 = left[k / 20];
    *x1 = right[k - 1 - k / 20];
}

static void region_order(ordering *o, layout_item *items, guint n, float x0, float x1, guint depth);

/* A narrow column of small print beside the text. */
static gboolean
is_aside(const layout_item *items, guint n, float x)
{
    float size[2] = {0, 0}, x0[2] = {G_MAXFLOAT, G_MAXFLOAT}, x1[2] = {0, 0};
    guint count[2] = {0, 0};
    for (guint i = 0; i < n; i++) {
        if (items[i].seg < 0) continue;
        guint side = items[i].box.x0 + items[i].box.x1 > 2 * x;
        size[side] += items[i].size_pt * (float)items[i].n_words;
        count[side] += items[i].n_words;
        x0[side] = MIN(x0[side], items[i].box.x0);
        x1[side] = MAX(x1[side], items[i].box.x1);
    }
    if (count[0] < 8 || count[1] < 40) return FALSE;
    return x1[0] - x0[0] < 0.45F * (x1[1] - x0[1]) &&
           size[0] / (float)count[0] < 0.95F * size[1] / (float)count[1];
}

/* May these items be cut in two at gutter? */
static gboolean
gutter_accept(const ordering *o, const layout_item *items, guint n, const layout_gutter *gutter,
              guint depth)
{
    const layout_work *work = o->work;
    gboolean usual = depth == 0 && work->two_columns &&
                     work->gutter_x > gutter->x0 - SAME_GUTTER_PT &&
                     work->gutter_x < gutter->x1 + SAME_GUTTER_PT;
    if (usual) return gutter->support >= 1.5F * work->body_pt;
    if (gutter->support < 4 * work->body_pt) return FALSE;
    if (depth == 0 && gutter->crossing < 0.7F * gutter->support && is_aside(items, n, gutter->x))
        return TRUE;
    if (gutter->support < (depth == 0 ? 0.4F : 0.8F) * (gutter->support + gutter->crossing))
        return FALSE;
    return layout_gutter_parts_text(items, n, gutter->x);
}

typedef struct {
    layout_item *items[2];
    guint n[2];
} sides;

static void
band_flush(ordering *o, sides *band, const float edges[4], guint depth)
{
    /* Notes in a narrow outer column come after the text beside them. */
    float wide0 = edges[1] - edges[0], wide1 = edges[3] - edges[2];
    gboolean aside = wide0 < 0.45F * wide1 && band->n[0] > 0 && band->n[1] > 0;
    for (guint k = 0; k < 2; k++) {
        guint side = aside ? 1 - k : k;
        if (band->n[side] == 0) continue;
        region_order(o, band->items[side], band->n[side], edges[2 * side], edges[2 * side + 1],
                     depth + 1);
        band->n[side] = 0;
    }
}

/* Is item i the short last line of the paragraph across both columns that ends at across? It begins where that
 * line begins, follows at its line distance, and has nothing beside it. items: in reading order. */
static gboolean
ends_across(const layout_item *across, guint n_across, const layout_item *items, guint n, guint i)
{
    const layout_item *last = &across[n_across - 1], *item = &items[i];
    if (last->seg < 0 || item->seg < 0 || fabsf(last->size_pt - item->size_pt) > 0.3F) return FALSE;
    float x0 = last->box.x0, down = item->baseline - last->baseline;
    for (guint k = n_across; k-- > 0 && fabsf(across[k].baseline - last->baseline) < 1;)
        x0 = MIN(x0, across[k].box.x0);
    if (down <= 0 || down > 1.4F * last->size_pt || fabsf(item->box.x0 - x0) > 1.5F) return FALSE;
    for (guint k = i + 1; k < n && items[k].box.y0 < item->box.y1; k++)
        if (items[k].box.x0 > item->box.x1 + 2 * item->size_pt &&
            layout_overlap_1d(items[k].box.y0, items[k].box.y1, item->box.y0, item->box.y1) >
                0.5F * (item->box.y1 - item->box.y0))
            return FALSE;
    /* the column's own text goes on at the same distance: then it is a line of that */
    for (guint k = i + 1; k < n && items[k].baseline < item->baseline + 1.4F * item->size_pt; k++)
        if (items[k].baseline > item->baseline + 0.5F * item->size_pt &&
            fabsf(items[k].size_pt - item->size_pt) < 0.3F &&
            layout_overlap_1d(items[k].box.x0, items[k].box.x1, item->box.x0, item->box.x1) > 0)
            return FALSE;
    return TRUE;
}

static void
columns_emit(ordering *o, layout_item *items, guint n, float cut, float x0, float x1, guint depth)
{
    g_autofree layout_item *left = g_new(layout_item, n), *right = g_new(layout_item, n);
    g_autofree layout_item *across = g_new(layout_item, n);
    guint n_left = 0, n_right = 0, n_across = 0;
    sides band = {{left, right}, {0, 0}};
    for (guint i = 0; i < n; i++) {
        if (items[i].box.x0 < cut - 3 && items[i].box.x1 > cut + 3) continue;
        if (items[i].box.x0 + items[i].box.x1 < 2 * cut)
            left[n_left++] = items[i];
        else
            right[n_right++] = items[i];
    }
    float edges[4] = {x0, cut, cut, x1};
    edges_of(left, n_left, &edges[0], &edges[1]);
    edges_of(right, n_right, &edges[2], &edges[3]);

    qsort(items, n, sizeof *items, compare_reading);
    for (guint i = 0; i < n; i++) {
        gboolean crosses = items[i].box.x0 < cut - 3 && items[i].box.x1 > cut + 3;
        if (crosses) {
            band_flush(o, &band, edges, depth);
            across[n_across++] = items[i];
            continue;
        }
        /* The rest of a line that crosses belongs to it. */
        if (n_across > 0) {
            const layout_item *last = &across[n_across - 1];
            if (last->seg >= 0 && items[i].seg >= 0 &&
                fabsf(last->baseline - items[i].baseline) < 0.2F * last->size_pt) {
                across[n_across++] = items[i];
                continue;
            }
            if (ends_across(across, n_across, items, n, i)) {
                across[n_across++] = items[i];
                continue;
            }
            column_emit(o, across, n_across, MIN(x0, edges[0]), MAX(x1, edges[3]));
            n_across = 0;
        }
        guint side = items[i].box.x0 + items[i].box.x1 >= 2 * cut;
        band.items[side][band.n[side]++] = items[i];
    }
    if (n_across > 0) column_emit(o, across, n_across, MIN(x0, edges[0]), MAX(x1, edges[3]));
    band_flush(o, &band, edges, depth);
}

static void
region_order(ordering *o, layout_item *items, guint n, float x0, float x1, guint depth)
{
    layout_gutter gutter;
    if (n == 0) return;
    if (depth < MAX_DEPTH && layout_gutter_find(items, n, &gutter) &&
        gutter_accept(o, items, n, &gutter, depth)) {
        float cut = gutter.x;
        const layout_work *work = o->work;
        if (depth == 0 && work->two_columns && work->gutter_x >= gutter.x0 &&
            work->gutter_x <= gutter.x1)
            cut = work->gutter_x;
        columns_emit(o, items, n, cut, x0, x1, depth);
        return;
    }
    if (depth == 0) edges_of(items, n, &x0, &x1);
    column_emit(o, items, n, x0, x1);
}

void
layout_order_rows(layout_work *work, layout_sheet *sheet)
{
    ordering o = {work, sheet, 0};
    g_autoptr(GArray) items = items_of_sheet(sheet);
    g_array_set_size(sheet->rows, 0);
    g_array_set_size(sheet->row_segs, 0);
    region_order(&o, (layout_item *)items->data, items->len, sheet->text_x0, sheet->text_x1, 0);
}
