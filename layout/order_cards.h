/* Boxes of text side by side, for the reading order. Private to layout. */
#ifndef LODE_LAYOUT_ORDER_CARDS_H
#define LODE_LAYOUT_ORDER_CARDS_H

#include "layout/analyze.h"

G_BEGIN_DECLS

typedef struct {
    layout_rect box;
    guint row; /* of cards, from 1 */
} layout_card;

/* The cards (layout_card) on a sheet, row by row and each from left to right; none where there are not two side by side.
 * body_pt: the size of running text. For g_array_unref(). */
GArray *layout_cards_find(const layout_sheet *sheet, float body_pt);

/* The card that the middle of box lies in, counted from 1; 0: none. */
guint layout_card_at(const GArray *cards, layout_rect box);

G_END_DECLS
#endif
