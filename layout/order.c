/* Reading order: full-width items cut a page into bands, a band is read column by column.
 *
 * The document as a whole decides where its gutter is; a page where that is empty may still be cut by one of
 * its own. A page may also change its columns on the way down: white space across its whole width parts it into
 * slabs, and slabs that the page's gutter does not fit are ordered by one of their own. Small print beside the
 * text - margin notes, the box of a journal's first page - is read after the text of the page.
 *
 * The idea of cutting at white space by turns is that of the XY-cut (Nagy and Seth 1984); that what crosses a
 * gutter does not forbid it, but cuts the page into bands, is the improvement of XY-Cut++ (arXiv:2504.10258). */
#include "layout/order_cards.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DEPTH      6
#define ASIDE_SHARE    0.5F /* of the text's width, at most, is an aside wide */
#define CROSS_PT       3.0F /* overlap on both sides that makes an item cross a cut */
#define BAND_LINES     6 /* columns at least this high between two things that cross are columns */
#define SAME_GUTTER_PT 14.0F
#define FRAMES_APART   3.0F /* the sides of two frames */

typedef struct {
    layout_work *work;
    layout_sheet *sheet;
    guint region;
    GArray *asides; /* layout_item: small print beside the text, to be read last */
    GArray *cards;  /* layout_card */
    GArray *held;   /* layout_item: what stands in cards */
} ordering;

static GArray *
items_of_sheet(layout_sheet *sheet)
{
    GArray *items = g_array_new(FALSE, FALSE, sizeof(layout_item));
    for (guint i = 0; i < sheet->segs->len; i++) {
        const layout_seg *seg = layout_sheet_seg(sheet, i);
        if (seg->role != LAYOUT_ROLE_TEXT) continue;
        layout_item item = {seg->box,      (int)i,       LAYOUT_NONE,  LAYOUT_NONE,
                            seg->baseline, seg->size_pt, seg->n_words, 0};
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
        layout_item item = {box, LAYOUT_NONE, (int)i, LAYOUT_NONE, box.y1, 0, 0, 0};
        g_array_append_val(items, item);
    }
    for (guint i = 0; i < sheet->tables->len; i++) {
        layout_rect box = g_array_index(sheet->tables, layout_table_region, i).box;
        layout_item item = {box, LAYOUT_NONE, LAYOUT_NONE, (int)i, box.y1, 0, 0, 0};
        g_array_append_val(items, item);
    }
    return items;
}

/* Takes what stands in cards out of items, into held, and puts one item there for each row of cards. */
static void
cards_hold(const GArray *cards, GArray *items, GArray *held)
{
    guint kept = 0;
    if (cards->len == 0) return;
    for (guint i = 0; i < items->len; i++) {
        const layout_item item = g_array_index(items, layout_item, i);
        if (layout_card_at(cards, item.box) > 0)
            g_array_append_val(held, item);
        else
            g_array_index(items, layout_item, kept++) = item;
    }
    g_array_set_size(items, kept);
    for (guint c = 0; c < cards->len; c++) {
        const layout_card *card = &g_array_index(cards, layout_card, c);
        layout_item *last =
            items->len > kept ? &g_array_index(items, layout_item, items->len - 1) : NULL;
        if (last != NULL && last->card_row == card->row) {
            last->box = layout_rect_join(last->box, card->box);
            continue;
        }
        const layout_item row = {card->box,    LAYOUT_NONE, LAYOUT_NONE, LAYOUT_NONE,
                                 card->box.y1, 0,           0,           card->row};
        g_array_append_val(items, row);
    }
}

void
layout_order_measure(layout_work *work)
{
    g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(layout_gutter));
    guint pages = 0;
    for (guint s = 0; s < work->sheets->len; s++) {
        layout_sheet *sheet = layout_work_sheet(work, s);
        g_autoptr(GArray) items = items_of_sheet(sheet);
        g_autoptr(GArray) cards = layout_cards_find(sheet, work->body_pt);
        g_autoptr(GArray) held = g_array_new(FALSE, FALSE, sizeof(layout_item));
        layout_gutter gutter;
        cards_hold(cards, items, held);
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

static void region_order(ordering *o, layout_item *items, guint n, float x0, float x1, guint depth);

/* The cards of one row, one after the other. */
static void
cards_emit(ordering *o, guint row)
{
    g_autoptr(GArray) inside = g_array_new(FALSE, FALSE, sizeof(layout_item));
    for (guint c = 0; c < o->cards->len; c++) {
        const layout_card *card = &g_array_index(o->cards, layout_card, c);
        if (card->row != row) continue;
        g_array_set_size(inside, 0);
        for (guint i = 0; i < o->held->len; i++) {
            const layout_item *item = &g_array_index(o->held, layout_item, i);
            if (layout_card_at(o->cards, item->box) == c + 1) g_array_append_vals(inside, item, 1);
        }
        region_order(o, (layout_item *)inside->data, inside->len, card->box.x0, card->box.x1, 1);
    }
}

static void
column_emit(ordering *o, layout_item *items, guint n, float col_x0, float col_x1)
{
    guint from = 0;
    qsort(items, n, sizeof *items, layout_item_compare);
    for (guint i = 0; i < n; i++) {
        if (items[i].card_row == 0) continue;
        if (i > from)
            layout_rows_append(o->sheet, items + from, i - from, col_x0, col_x1, o->region++);
        cards_emit(o, items[i].card_row);
        from = i + 1;
    }
    if (n > from) layout_rows_append(o->sheet, items + from, n - from, col_x0, col_x1, o->region++);
}

/* ---- bands ---- */

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
    qsort(left, k, sizeof *left, layout_compare_float);
    qsort(right, k, sizeof *right, layout_compare_float);
    *x0 = left[k / 20];
    *x1 = right[k - 1 - k / 20];
}

/* Parts the asides from each other: they are ordered one by one, later. */
static void
aside_close(ordering *o)
{
    layout_item end = {.seg = LAYOUT_NONE, .figure = LAYOUT_NONE, .table = LAYOUT_NONE};
    g_array_append_val(o->asides, end);
}

static void columns_emit(ordering *o, layout_item *items, guint n, float cut, float x0, float x1,
                         guint depth);

/* Which side of x is a narrow column of small print beside the text? -1 neither. */
static int
aside_of(const layout_item *items, guint n, float x)
{
    float size[2] = {0, 0}, x0[2] = {G_MAXFLOAT, G_MAXFLOAT}, x1[2] = {0, 0};
    guint count[2] = {0, 0};
    for (guint i = 0; i < n; i++) {
        guint side = items[i].box.x0 + items[i].box.x1 > 2 * x;
        if (items[i].seg < 0 || (items[i].box.x0 < x - CROSS_PT && items[i].box.x1 > x + CROSS_PT))
            continue;
        size[side] += items[i].size_pt * (float)items[i].n_words;
        count[side] += items[i].n_words;
        x0[side] = MIN(x0[side], items[i].box.x0);
        x1[side] = MAX(x1[side], items[i].box.x1);
    }
    for (guint side = 0; side < 2; side++)
        if (count[side] >= 8 && count[1 - side] >= 40 &&
            x1[side] - x0[side] < ASIDE_SHARE * (x1[1 - side] - x0[1 - side]) &&
            size[side] / (float)count[side] < 0.95F * size[1 - side] / (float)count[1 - side])
            return (int)side;
    return -1;
}

static gboolean
crosses(const layout_item *item, float cut)
{
    float left = cut - item->box.x0, right = item->box.x1 - cut;
    if (left <= CROSS_PT || right <= CROSS_PT) return FALSE;
    /* a drawing that sticks a little out of its column is still one of that column */
    return item->seg >= 0 || MIN(left, right) > 0.08F * (left + right);
}

/* The highest stretch between two crossing items where text stands on both sides of cut; its items are
 * items[*from, *to). Sorts items. */
static float
widest_band(layout_item *items, guint n, float cut, guint *from, guint *to)
{
    float best = 0, y0[2] = {0, 0}, y1[2] = {0, 0};
    guint count[2] = {0, 0}, first = 0;
    *from = *to = 0;
    qsort(items, n, sizeof *items, layout_item_compare);
    for (guint i = 0; i <= n; i++) {
        if (i == n || crosses(&items[i], cut)) {
            float both =
                count[0] > 0 && count[1] > 0 ? layout_overlap_1d(y0[0], y1[0], y0[1], y1[1]) : 0;
            if (both > best) {
                best = both;
                *from = first;
                *to = i;
            }
            count[0] = count[1] = 0;
            first = i + 1;
            continue;
        }
        if (items[i].seg < 0) continue;
        guint side = items[i].box.x0 + items[i].box.x1 > 2 * cut;
        y0[side] = count[side] == 0 ? items[i].box.y0 : MIN(y0[side], items[i].box.y0);
        y1[side] = count[side] == 0 ? items[i].box.y1 : MAX(y1[side], items[i].box.y1);
        count[side]++;
    }
    return best;
}

/* May these items be cut in two at gutter? Sorts items. */
static gboolean
gutter_accept(const ordering *o, layout_item *items, guint n, const layout_gutter *gutter,
              guint depth)
{
    const layout_work *work = o->work;
    gboolean usual = depth == 0 && work->two_columns &&
                     work->gutter_x > gutter->x0 - SAME_GUTTER_PT &&
                     work->gutter_x < gutter->x1 + SAME_GUTTER_PT;
    if (usual) return gutter->support >= 1.5F * work->body_pt;
    if (gutter->support < 4 * work->body_pt) return FALSE;
    guint from, to;
    float band = widest_band(items, n, gutter->x, &from, &to);
    if (to - from < n && aside_of(items + from, to - from, gutter->x) >= 0 &&
        band >= 4 * work->body_pt)
        return TRUE;
    if (aside_of(items, n, gutter->x) >= 0 && gutter->crossing < 0.7F * gutter->support)
        return TRUE;
    gboolean mostly =
        gutter->support >= (depth == 0 ? 0.4F : 0.8F) * (gutter->support + gutter->crossing);
    if (mostly && layout_gutter_parts_text(items, n, gutter->x)) return TRUE;
    return band >= BAND_LINES * work->leading_pt &&
           gutter->x1 - gutter->x0 >= 0.6F * work->body_pt &&
           layout_gutter_parts_text(items + from, to - from, gutter->x);
}

typedef struct {
    layout_item *items[2];
    guint n[2];
    int aside; /* the side that waits, -1 none */
} sides;

static void
band_flush(ordering *o, sides *band, const float edges[4], guint depth)
{
    for (guint side = 0; side < 2; side++) {
        if (band->n[side] == 0) continue;
        if ((int)side == band->aside) {
            g_array_append_vals(o->asides, band->items[side], band->n[side]);
            aside_close(o);
        } else {
            region_order(o, band->items[side], band->n[side], edges[2 * side], edges[2 * side + 1],
                         depth + 1);
        }
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
    sides band = {{left, right}, {0, 0}, aside_of(items, n, cut)};
    for (guint i = 0; i < n; i++) {
        if (crosses(&items[i], cut)) continue;
        if (items[i].box.x0 + items[i].box.x1 < 2 * cut)
            left[n_left++] = items[i];
        else
            right[n_right++] = items[i];
    }
    float edges[4] = {x0, cut, cut, x1};
    edges_of(left, n_left, &edges[0], &edges[1]);
    edges_of(right, n_right, &edges[2], &edges[3]);

    qsort(items, n, sizeof *items, layout_item_compare);
    for (guint i = 0; i < n; i++) {
        if (crosses(&items[i], cut)) {
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

/* ---- slabs: stretches of the page between white space over its whole width ---- */

typedef struct {
    guint from, to; /* items */
    gboolean own;   /* to be ordered by itself */
    float cut;      /* where its columns part; 0 none */
} slab;

/* items: sorted */
static GArray *
slabs_find(const ordering *o, const layout_item *items, guint n)
{
    GArray *slabs = g_array_new(FALSE, TRUE, sizeof(slab));
    float least = 0.5F * o->work->body_pt, end = 0;
    /* Sorted by where lines stand, which is not where their boxes begin: a tall box may reach up into what
     * was a gap. So first the gaps from the top, then those that hold from the bottom, too. */
    g_autofree float *top = g_new(float, n + 1);
    top[n] = G_MAXFLOAT;
    for (guint i = n; i-- > 0;)
        top[i] = MIN(top[i + 1], items[i].box.y0);
    slab one = {0, 0, FALSE, 0};
    for (guint i = 0; i < n; i++) {
        if (i > 0 && top[i] - end >= least) {
            one.to = i;
            g_array_append_val(slabs, one);
            one.from = i;
        }
        end = i == 0 ? items[i].box.y1 : MAX(end, items[i].box.y1);
    }
    one.to = n;
    g_array_append_val(slabs, one);
    return slabs;
}

/* Does this slab have columns, but others than those at cut? */
static gboolean
slab_differs(const ordering *o, layout_item *items, guint n, float cut)
{
    guint across = 0, beside = 0, from, to;
    for (guint i = 0; i < n; i++) {
        if (items[i].seg < 0 || items[i].n_words < 3) continue;
        if (crosses(&items[i], cut))
            across++;
        else
            beside++;
    }
    if (across < 3 || beside < 3) return FALSE;
    return widest_band(items, n, cut, &from, &to) < 0.5F * BAND_LINES * o->work->leading_pt;
}

/* The items of one gutter, apart from slabs that have another. */
static void
slabs_emit(ordering *o, layout_item *items, guint n, float cut, float x0, float x1, guint depth)
{
    qsort(items, n, sizeof *items, layout_item_compare);
    g_autoptr(GArray) slabs = slabs_find(o, items, n);
    for (guint i = 0; i < slabs->len && slabs->len > 1; i++) {
        slab *one = &g_array_index(slabs, slab, i);
        one->own = slab_differs(o, items + one->from, one->to - one->from, cut);
    }
    for (guint i = 0; i < slabs->len;) {
        const slab *first = &g_array_index(slabs, slab, i);
        guint from = first->from, to = first->to;
        gboolean own = first->own;
        for (i++; i < slabs->len && g_array_index(slabs, slab, i).own == own; i++)
            to = g_array_index(slabs, slab, i).to;
        if (own && to - from < n) {
            float own_x0 = x0, own_x1 = x1;
            edges_of(items + from, to - from, &own_x0, &own_x1);
            region_order(o, items + from, to - from, own_x0, own_x1, depth + 1);
        } else {
            columns_emit(o, items + from, to - from, cut, x0, x1, depth);
        }
    }
}

/* What stands between two columns of text. */
typedef struct {
    float x0, x1, y0, y1;
    float first; /* the side of a frame found first, negative: none */
    gboolean both;
} frame_sides;

static void
side_note(frame_sides *s, float x, float y0, float y1)
{
    const float height = s->y1 - s->y0;
    if (x < s->x0 - 1 || x > s->x1 + 1 || layout_overlap_1d(y0, y1, s->y0, s->y1) < 0.8F * height)
        return;
    if (s->first < 0)
        s->first = x;
    else
        s->both = s->both || fabsf(x - s->first) > FRAMES_APART;
}

/* Do two frames side by side, as high as the text, part these items at the gutter? However few lines they hold. */
static gboolean
frames_part(const ordering *o, const layout_item *items, guint n, const layout_gutter *gutter)
{
    const layout_sheet *sheet = o->sheet;
    frame_sides s = {-G_MAXFLOAT, G_MAXFLOAT, G_MAXFLOAT, -G_MAXFLOAT, -1, FALSE};
    for (guint i = 0; i < n; i++) {
        if (crosses(&items[i], gutter->x)) return FALSE;
        if (items[i].box.x0 + items[i].box.x1 < 2 * gutter->x)
            s.x0 = MAX(s.x0, items[i].box.x1);
        else
            s.x1 = MIN(s.x1, items[i].box.x0);
        s.y0 = MIN(s.y0, items[i].box.y0);
        s.y1 = MAX(s.y1, items[i].box.y1);
    }
    for (guint i = 0; i < sheet->vrules->len && !s.both; i++) {
        const layout_rule *r = &g_array_index(sheet->vrules, layout_rule, i);
        side_note(&s, r->x0, r->y0, r->y1);
    }
    for (guint i = 0; i < sheet->fills->len && !s.both; i++) {
        const layout_rect r = g_array_index(sheet->fills, layout_fill, i).box;
        side_note(&s, r.x0, r.y0, r.y1);
        side_note(&s, r.x1, r.y0, r.y1);
    }
    return s.both;
}

/* Do references begin at the left edges of both columns? */
static gboolean
references_part(const ordering *o, const layout_item *items, guint n, const layout_gutter *gutter)
{
    float x0[2] = {G_MAXFLOAT, G_MAXFLOAT};
    gboolean found[2] = {FALSE, FALSE};
    for (guint i = 0; i < n; i++) {
        const guint side = items[i].box.x0 > gutter->x;
        x0[side] = MIN(x0[side], items[i].box.x0);
    }
    for (guint i = 0; i < n; i++) {
        const guint side = items[i].box.x0 > gutter->x;
        const layout_seg *seg = layout_sheet_seg(o->sheet, (guint)items[i].seg);
        g_autofree char *text = g_strndup(o->sheet->text->str + seg->start, seg->len);
        found[side] |=
            seg->box.x0 < x0[side] + 2 && *text == '[' && layout_reference_marker(text, NULL) > 0;
    }
    return found[0] && found[1];
}

/* May a slab be cut at gutter that is too low to have columns by itself? Where the document has its gutter, or where
 * references begin on both sides: the last ones of a paper, above an appendix across the page. */
static gboolean
is_low_slab(const ordering *o, const layout_item *items, guint n, const layout_gutter *gutter)
{
    const layout_work *work = o->work;
    const gboolean usual = work->two_columns && work->gutter_x > gutter->x0 - SAME_GUTTER_PT &&
                           work->gutter_x < gutter->x1 + SAME_GUTTER_PT;
    for (guint i = 0; i < n; i++)
        if (items[i].seg < 0 || crosses(&items[i], gutter->x)) return FALSE;
    return layout_gutter_parts_text(items, n, gutter->x) &&
           (usual || references_part(o, items, n, gutter));
}

/* No gutter fits the whole: slabs may still have one each. FALSE when none has. */
static gboolean
slabs_alone(ordering *o, layout_item *items, guint n, float x0, float x1, guint depth)
{
    gboolean any = FALSE;
    qsort(items, n, sizeof *items, layout_item_compare);
    g_autoptr(GArray) slabs = slabs_find(o, items, n);
    if (slabs->len < 2) return FALSE;
    for (guint i = 0; i < slabs->len; i++) {
        slab *one = &g_array_index(slabs, slab, i);
        layout_gutter gutter;
        guint n_items = one->to - one->from;
        if (!layout_gutter_find(items + one->from, n_items, &gutter) ||
            (!frames_part(o, items + one->from, n_items, &gutter) &&
             !is_low_slab(o, items + one->from, n_items, &gutter) &&
             (n_items < 2 * BAND_LINES ||
              !gutter_accept(o, items + one->from, n_items, &gutter, depth + 1))))
            continue;
        one->cut = gutter.x;
        any = TRUE;
    }
    if (!any) return FALSE;
    for (guint i = 0; i < slabs->len;) {
        const slab *first = &g_array_index(slabs, slab, i);
        guint from = first->from, to = first->to;
        float cut = first->cut;
        for (i++; i < slabs->len; i++) {
            const slab *next = &g_array_index(slabs, slab, i);
            if ((cut > 0) != (next->cut > 0) || fabsf(next->cut - cut) > SAME_GUTTER_PT) break;
            to = next->to;
        }
        if (cut > 0)
            columns_emit(o, items + from, to - from, cut, x0, x1, depth);
        else
            column_emit(o, items + from, to - from, x0, x1);
    }
    return TRUE;
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
        slabs_emit(o, items, n, cut, x0, x1, depth);
        return;
    }
    if (depth == 0) edges_of(items, n, &x0, &x1);
    if (depth < MAX_DEPTH && slabs_alone(o, items, n, x0, x1, depth)) return;
    column_emit(o, items, n, x0, x1);
}

static void
asides_emit(ordering *o)
{
    g_autoptr(GArray) asides = g_steal_pointer(&o->asides);
    o->asides = g_array_new(FALSE, FALSE, sizeof(layout_item));
    for (guint from = 0, to = 0; to < asides->len; to++) {
        const layout_item *end = &g_array_index(asides, layout_item, to);
        if (end->seg >= 0 || end->figure >= 0 || end->table >= 0) continue;
        layout_item *first = &g_array_index(asides, layout_item, from);
        if (to > from) {
            float x0 = first->box.x0, x1 = first->box.x1;
            edges_of(first, to - from, &x0, &x1);
            column_emit(o, first, to - from, x0, x1);
        }
        from = to + 1;
    }
}

void
layout_order_rows(layout_work *work, layout_sheet *sheet)
{
    ordering o = {.work = work,
                  .sheet = sheet,
                  .asides = g_array_new(FALSE, FALSE, sizeof(layout_item)),
                  .held = g_array_new(FALSE, FALSE, sizeof(layout_item))};
    g_autoptr(GArray) items = items_of_sheet(sheet);
    o.cards = layout_cards_find(sheet, work->body_pt);
    cards_hold(o.cards, items, o.held);
    g_array_set_size(sheet->rows, 0);
    g_array_set_size(sheet->row_segs, 0);
    region_order(&o, (layout_item *)items->data, items->len, sheet->text_x0, sheet->text_x1, 0);
    asides_emit(&o);
    g_array_unref(o.asides);
    g_array_unref(o.cards);
    g_array_unref(o.held);
}
