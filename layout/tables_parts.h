/* Between finding what belongs to a table that goes on and making it one. Private to layout. */
#ifndef LODE_LAYOUT_TABLES_PARTS_H
#define LODE_LAYOUT_TABLES_PARTS_H

#include "layout/analyze.h"

G_BEGIN_DECLS

typedef enum {
    LAYOUT_PARTS_DIFFER,
    LAYOUT_PARTS_SAME,     /* column for column */
    LAYOUT_PARTS_NARROWER, /* b lacks some that a has */
    LAYOUT_PARTS_WIDER     /* a lacks some that b has */
} layout_parts_fit;

/* Do tables a and b have their columns at the same places? strict: nearly all in line, not just half. map: GArray of guint, for each column of the one that has
 * fewer the column of the other. */
layout_parts_fit layout_parts_compare(const layout_sheet *sheet_a, int a,
                                      const layout_sheet *sheet_b, int b, gboolean strict,
                                      GArray *map);
/* Gives table n_cols columns: its own become those of map, rising; the others are empty. */
void layout_parts_widen(layout_table_region *table, const guint *map, guint n_cols);

/* How many rows of part, from first on, say what stands at the top of head; 0: none. */
guint layout_parts_repeated(const layout_table_region *head, const layout_table_region *part,
                            guint first);
/* Does the table begin with a header, also one that is not marked as such? */
gboolean layout_parts_has_header(const layout_sheet *sheet, int table);
/* Is the first or last row nothing but "Continued on next page"? */
gboolean layout_parts_has_remark(const layout_table_region *table, gboolean last);
/* Takes rows out of a table: they become furniture of their page. FALSE, and nothing: they hang together with
 * others. */
gboolean layout_parts_drop_rows(layout_sheet *sheet, int table, guint first, guint n);
/* Has the text digits, and no more letters than those? */
gboolean layout_parts_is_number(const char *text, gsize len);

G_END_DECLS
#endif
