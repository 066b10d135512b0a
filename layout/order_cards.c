/* Boxes of text set side by side, such as the cards of a brochure: each is read as a whole, row by row.
 *
 * White space between them would pass for that between columns, and what stands above and below would be taken apart
 * with them. Boxes make a row of cards where their upper and lower edges are in line and each holds lines of text that
 * do not reach out of it. */
#include "layout/order_cards.h"

#include <math.h>
#include <string.h>

#define IN_LINE_PT  3.0F /* between edges of cards in one row */
#define APART_PT    3.0F /* cards of a row; cells of a form share their borders */
#define LEAST_WORDS 5
#define MAX_FRAMES  400 /* of more the page is a drawing */

typedef struct {
    layout_rect box;
    guint lines, words;
    float last;      /* baseline of the last line seen */
    gboolean broken; /* text reaches out of it */
    gboolean of_row;
} frame;

static gboolean
holds_middle(layout_rect outer, layout_rect inner)
{
    const float x = 0.5F * (inner.x0 + inner.x1), y = 0.5F * (inner.y0 + inner.y1);
    return x > outer.x0 && x < outer.x1 && y > outer.y0 && y < outer.y1;
}

/* Words of running text: of letters, on a line of several. */
static guint
words_of(const layout_sheet *sheet, const layout_seg *seg)
{
    guint letters = 0, signs = 0;
    const char *end = sheet->text->str + seg->start + seg->len;
    if (seg->n_words < 3) return 0;
    for (const char *at = sheet->text->str + seg->start; at < end; at = g_utf8_next_char(at)) {
        letters += g_unichar_isalpha(g_utf8_get_char(at)) ? 1 : 0;
        signs += *at == ' ' ? 0 : 1;
    }
    return 10 * letters > 7 * signs ? seg->n_words : 0;
}

static gboolean
rule_at(const GArray *rules, layout_rect side)
{
    for (guint i = 0; i < rules->len; i++) {
        const layout_rule *r = &g_array_index(rules, layout_rule, i);
        if (fabsf(r->x0 - side.x0) < 1.5F && fabsf(r->x1 - side.x1) < 1.5F &&
            fabsf(r->y0 - side.y0) < 1.5F && fabsf(r->y1 - side.y1) < 1.5F)
            return TRUE;
    }
    return FALSE;
}

/* Four rules that are the border of box. */
static gboolean
is_bordered(const layout_sheet *sheet, layout_rect box)
{
    return rule_at(sheet->hrules, (layout_rect){box.x0, box.y0, box.x1, box.y0}) &&
           rule_at(sheet->hrules, (layout_rect){box.x0, box.y1, box.x1, box.y1}) &&
           rule_at(sheet->vrules, (layout_rect){box.x0, box.y0, box.x0, box.y1}) &&
           rule_at(sheet->vrules, (layout_rect){box.x1, box.y0, box.x1, box.y1});
}

static void
frame_add(GArray *frames, const layout_sheet *sheet, layout_rect box, float body_pt)
{
    frame f = {.box = box, .last = -G_MAXFLOAT};
    if (box.x1 - box.x0 < 6 * body_pt || box.y1 - box.y0 < 2 * body_pt) return;
    for (guint i = 0; i < sheet->segs->len && !f.broken; i++) {
        const layout_seg *seg = layout_sheet_seg(sheet, i);
        if (seg->role != LAYOUT_ROLE_TEXT || !holds_middle(box, seg->box)) continue;
        f.broken = seg->box.x0 < box.x0 - IN_LINE_PT || seg->box.x1 > box.x1 + IN_LINE_PT;
        f.words += words_of(sheet, seg);
        f.lines += fabsf(seg->baseline - f.last) > 0.4F * seg->size_pt ? 1 : 0;
        f.last = seg->baseline;
    }
    if (!f.broken && f.lines >= 2 && f.words >= LEAST_WORDS) g_array_append_val(frames, f);
}

static int
compare_frame(gconstpointer a, gconstpointer b)
{
    const layout_rect x = ((const frame *)a)->box, y = ((const frame *)b)->box;
    if (x.y0 != y.y0) return x.y0 < y.y0 ? -1 : 1;
    if (x.x0 != y.x0) return x.x0 < y.x0 ? -1 : 1;
    if (x.x1 != y.x1) return x.x1 > y.x1 ? -1 : 1;
    return (x.y1 < y.y1) - (x.y1 > y.y1);
}

static gboolean
side_by_side(layout_rect a, layout_rect b)
{
    return fabsf(a.y0 - b.y0) < IN_LINE_PT && fabsf(a.y1 - b.y1) < IN_LINE_PT &&
           -layout_overlap_1d(a.x0, a.x1, b.x0, b.x1) >= APART_PT;
}

/* Do columns of text part where a and b do? Then they are no row, even where they begin and end at one height. */
static gboolean
columns_between(const layout_sheet *sheet, const GArray *frames, layout_rect a, layout_rect b)
{
    const float x = 0.5F * (MIN(a.x1, b.x1) + MAX(a.x0, b.x0));
    guint beside[2] = {0, 0}, across = 0;
    for (guint i = 0; i < sheet->segs->len; i++) {
        const layout_seg *seg = layout_sheet_seg(sheet, i);
        if (seg->role != LAYOUT_ROLE_TEXT || seg->n_words < 4) continue;
        gboolean framed = FALSE;
        for (guint k = 0; k < frames->len && !framed; k++)
            framed = holds_middle(g_array_index(frames, frame, k).box, seg->box);
        if (framed) continue;
        if (seg->box.x0 < x && seg->box.x1 > x)
            across++;
        else
            beside[seg->box.x0 > x]++;
    }
    return MIN(beside[0], beside[1]) > across + 2;
}

static int
compare_card(gconstpointer a, gconstpointer b)
{
    const layout_card *x = a, *y = b;
    if (x->row != y->row) return x->row < y->row ? -1 : 1;
    return (x->box.x0 > y->box.x0) - (x->box.x0 < y->box.x0);
}

/* Does frame i hold frames that stand beside each other? Then it is what they stand in, or they were taken for one. */
static gboolean
holds_row(const GArray *frames, guint i)
{
    const layout_rect outer = g_array_index(frames, frame, i).box;
    for (guint k = 0; k < frames->len; k++) {
        const layout_rect a = g_array_index(frames, frame, k).box;
        if (k == i || !holds_middle(outer, a)) continue;
        for (guint j = k + 1; j < frames->len; j++) {
            const layout_rect b = g_array_index(frames, frame, j).box;
            if (j != i && holds_middle(outer, b) &&
                -layout_overlap_1d(a.x0, a.x1, b.x0, b.x1) >= APART_PT &&
                layout_overlap_1d(a.y0, a.y1, b.y0, b.y1) > 0.5F * MIN(a.y1 - a.y0, b.y1 - b.y0))
                return TRUE;
        }
    }
    return FALSE;
}

/* The cards beside frame i, itself included. A ground within a frame, or the border around it, is no second card. */
static void
row_add(const layout_sheet *sheet, GArray *frames, guint i, GArray *cards)
{
    frame *first = &g_array_index(frames, frame, i);
    const guint from = cards->len,
                row = from > 0 ? g_array_index(cards, layout_card, from - 1).row + 1 : 1;
    layout_card card = {first->box, row};
    if (first->of_row || holds_row(frames, i)) return;
    g_array_append_val(cards, card);
    for (guint k = i + 1; k < frames->len; k++) {
        frame *f = &g_array_index(frames, frame, k);
        if (f->box.y0 > first->box.y0 + IN_LINE_PT) break;
        gboolean apart = !f->of_row && !holds_row(frames, k);
        for (guint c = from; c < cards->len && apart; c++) {
            const layout_rect box = g_array_index(cards, layout_card, c).box;
            apart = side_by_side(box, f->box) && !columns_between(sheet, frames, box, f->box);
        }
        if (!apart) continue;
        card.box = f->box;
        g_array_append_val(cards, card);
    }
    if (cards->len - from < 2) {
        g_array_set_size(cards, from);
        return;
    }
    for (guint k = 0; k < frames->len; k++)
        for (guint c = from; c < cards->len; c++) {
            frame *f = &g_array_index(frames, frame, k);
            f->of_row |= layout_rect_overlap(g_array_index(cards, layout_card, c).box, f->box) > 0;
        }
}

GArray *
layout_cards_find(const layout_sheet *sheet, float body_pt)
{
    GArray *cards = g_array_new(FALSE, FALSE, sizeof(layout_card));
    g_autoptr(GArray) frames = g_array_new(FALSE, FALSE, sizeof(frame));
    if (sheet->clusters->len > MAX_FRAMES || sheet->fills->len > MAX_FRAMES) return cards;
    for (guint i = 0; i < sheet->clusters->len; i++) {
        const layout_rect box = g_array_index(sheet->clusters, layout_cluster, i).box;
        if (is_bordered(sheet, box)) frame_add(frames, sheet, box, body_pt);
    }
    for (guint i = 0; i < sheet->fills->len; i++)
        frame_add(frames, sheet, g_array_index(sheet->fills, layout_fill, i).box, body_pt);
    for (guint i = 0; i < sheet->shapes->len; i++)
        frame_add(frames, sheet, g_array_index(sheet->shapes, layout_rect, i), body_pt);
    g_array_sort(frames, compare_frame);
    for (guint i = 0; i < frames->len; i++)
        row_add(sheet, frames, i, cards);
    g_array_sort(cards, compare_card);
    return cards;
}

guint
layout_card_at(const GArray *cards, layout_rect box)
{
    for (guint i = 0; i < cards->len; i++)
        if (holds_middle(g_array_index(cards, layout_card, i).box, box)) return i + 1;
    return 0;
}
