/* Tables without rules: three or more rows whose pieces stand under each other, in one column of the page or across
 * both. What is above them is taken along as their header, what wraps below them as part of their last row. */
#include "layout/order_cards.h"
#include "layout/tables.h"

#include <math.h>

typedef struct {
    float baseline, size, x0, x1;
    guint first, n; /* in by_row */
    guint words, math;
    gboolean taken, caption;
} line;

typedef struct {
    GArray *segs;  /* guint */
    GArray *lines; /* line */
} lines_found;

/* Rows of free segments, per column of the page where it has columns. */
static void
lines_collect(const layout_table_finder *f, guint lane, lines_found *out)
{
    const layout_work *work = f->work;
    for (guint i = 0; i < f->n_segs; i++) {
        const layout_seg *seg = layout_sheet_seg(f->sheet, f->by_y[i]);
        if (seg->role != LAYOUT_ROLE_TEXT) continue;
        if (work->two_columns) {
            guint side = seg->box.x1 < work->gutter_x + 4   ? 0
                         : seg->box.x0 > work->gutter_x - 4 ? 1
                                                            : 2;
            if (side != 2 && side != lane) continue;
        }
        line *last =
            out->lines->len > 0 ? &g_array_index(out->lines, line, out->lines->len - 1) : NULL;
        if (last == NULL || seg->baseline - last->baseline > 0.35F * seg->size_pt) {
            line next = {.baseline = seg->baseline,
                         .size = seg->size_pt,
                         .x0 = seg->box.x0,
                         .x1 = seg->box.x1,
                         .first = out->segs->len};
            g_array_append_val(out->lines, next);
            last = &g_array_index(out->lines, line, out->lines->len - 1);
        }
        last->n++;
        last->words += seg->n_words;
        last->math += seg->math > 0.4F ? 1 : 0;
        last->x0 = MIN(last->x0, seg->box.x0);
        last->x1 = MAX(last->x1, seg->box.x1);
        last->caption = last->caption || seg->caption >= 0;
        g_array_append_val(out->segs, f->by_y[i]);
    }
}

static gboolean
line_is_row(const layout_table_finder *f, const lines_found *found, const line *l)
{
    if (l->n < 2 || l->caption || l->words > 7 * l->n || l->math * 2 > l->n) return FALSE;
    const layout_seg *last =
        layout_sheet_seg(f->sheet, g_array_index(found->segs, guint, l->first + l->n - 1));
    const char *text = f->sheet->text->str + last->start;
    /* equation numbers, dotted leaders */
    if (l->n == 2 && text[0] == '(' && text[last->len - 1] == ')' && last->len < 8) return FALSE;
    for (guint i = l->first; i < l->first + l->n; i++) {
        const layout_seg *seg = layout_sheet_seg(f->sheet, g_array_index(found->segs, guint, i));
        const char *at = f->sheet->text->str + seg->start;
        if (l->n <= 2 && (g_strstr_len(at, seg->len, ". . .") != NULL ||
                          g_strstr_len(at, seg->len, "....") != NULL))
            return FALSE;
    }
    /* a list's marker and its text */
    const layout_seg *first =
        layout_sheet_seg(f->sheet, g_array_index(found->segs, guint, l->first));
    return !(l->n == 2 && first->n_chars <= 3 && last->n_words >= 5);
}

/* How many of b's pieces stand under a piece of a (left, right or middle in line)? */
static guint
aligned(const layout_table_finder *f, const lines_found *found, const line *a, const line *b)
{
    guint n = 0;
    for (guint i = b->first; i < b->first + b->n && i < b->first + 40; i++) {
        layout_rect y = layout_sheet_seg(f->sheet, g_array_index(found->segs, guint, i))->box;
        for (guint k = a->first; k < a->first + a->n && k < a->first + 40; k++) {
            layout_rect x = layout_sheet_seg(f->sheet, g_array_index(found->segs, guint, k))->box;
            if (layout_table_in_line(x, y)) {
                n++;
                break;
            }
        }
    }
    return n;
}

/* A line of the header above the rows of x0..x1: cells of its own, or the heading of some columns. */
static gboolean
is_header_line(const layout_table_finder *f, const lines_found *found, const line *l, float x0,
               float x1)
{
    if (l->caption || l->x0 < x0 - 6 || l->x1 > x1 + 6 || l->words > 5 * l->n) return FALSE;
    const layout_seg *first =
        layout_sheet_seg(f->sheet, g_array_index(found->segs, guint, l->first));
    const char *text = f->sheet->text->str + first->start;
    if (layout_caption_match(text, first->len, NULL, NULL) != LAYOUT_CAPTION_NONE) return FALSE;
    /* one piece at the left edge is a heading of the text, or its last line */
    return l->n >= 2 || l->x0 > x0 + 0.2F * (x1 - x0);
}

static gboolean
is_typed_rule(const layout_table_finder *f, const lines_found *found, const line *l)
{
    const layout_seg *seg = layout_sheet_seg(f->sheet, g_array_index(found->segs, guint, l->first));
    return l->n == 1 && layout_table_is_typed_rule(f->sheet->text->str + seg->start, seg->len);
}

/* The first of the lines above row i that belong to the header of the rows from there on. */
static guint
header_above(const layout_table_finder *f, const lines_found *found, guint i, float x0, float x1)
{
    guint first = i;
    for (guint k = i; k-- > 0 && i - k <= 4;) {
        const line *l = &g_array_index(found->lines, line, k);
        const line *below = &g_array_index(found->lines, line, k + 1);
        if (below->baseline - l->baseline > 2.1F * MAX(l->size, below->size)) break;
        if (is_typed_rule(f, found, l)) continue;
        if (!is_header_line(f, found, l, x0, x1)) break;
        first = k;
    }
    return first;
}

/* The last of the lines below row i that go on its cells. */
static guint
wrapped_below(const lines_found *found, guint i, float x0, float x1)
{
    guint last = i;
    for (guint k = i + 1; k < found->lines->len && k - i <= 6; k++) {
        const line *l = &g_array_index(found->lines, line, k);
        const line *above = &g_array_index(found->lines, line, k - 1);
        if (l->caption || l->x0 < x0 + 10 || l->x1 > x1 + 6 || l->words > 8 * l->n ||
            l->baseline - above->baseline > 1.35F * MAX(l->size, above->size))
            break;
        last = k;
    }
    return last;
}

/* How many cards text of the box is in. */
static guint
cards_in(const layout_table_finder *f, layout_rect box)
{
    guint n = 0;
    for (guint i = 0; i < f->cards->len; i++)
        n += layout_rect_overlap(g_array_index(f->cards, layout_card, i).box, box) > 0 ? 1 : 0;
    return n;
}

void
layout_tables_find_unruled(layout_table_finder *f, guint lane)
{
    g_autoptr(GArray) segs = g_array_new(FALSE, FALSE, sizeof(guint));
    g_autoptr(GArray) lines = g_array_new(FALSE, TRUE, sizeof(line));
    lines_found found = {segs, lines};
    lines_collect(f, lane, &found);
    for (guint i = 0; i < lines->len;) {
        const line *first = &g_array_index(lines, line, i);
        if (!line_is_row(f, &found, first)) {
            i++;
            continue;
        }
        guint to = i + 1, rows = 1, last_row = i, good = 0;
        float x0 = first->x0, x1 = first->x1;
        guint pieces = first->n;
        for (; to < lines->len; to++) {
            const line *l = &g_array_index(lines, line, to),
                       *above = &g_array_index(lines, line, to - 1);
            if (l->baseline - above->baseline > 3.2F * MAX(l->size, above->size) || l->caption)
                break;
            if (line_is_row(f, &found, l)) {
                guint in_line = aligned(f, &found, &g_array_index(lines, line, last_row), l);
                if (in_line * 2 < l->n && in_line < 2) break;
                good += in_line >= 2 ? 1 : 0;
                rows++;
                pieces += l->n;
                last_row = to;
                x0 = MIN(x0, l->x0);
                x1 = MAX(x1, l->x1);
            } else if (to - last_row > 2 || l->words > 12) {
                break;
            }
        }
        const line *last = &g_array_index(lines, line, wrapped_below(&found, last_row, x0, x1));
        const line *top = &g_array_index(lines, line, header_above(f, &found, i, x0, x1));
        gboolean front = f->sheet->page == 0 && first->baseline < 0.42F * f->sheet->height;
        guint need = front ? 5 : pieces >= 3 * rows ? 3 : 4;
        const layout_rect box = {x0 - 2, top->baseline - top->size, x1 + 2,
                                 last->baseline + 0.4F * last->size};
        if (rows >= need && good * 2 >= rows && x1 - x0 > 60 && cards_in(f, box) < 2 &&
            (!f->bibliography || layout_table_has_caption(f->sheet, box)))
            layout_table_try(f, box, 0.6F, 45);
        i = MAX(last_row + 1, i + 1);
    }
}
