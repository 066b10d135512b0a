/* Between finding tables and reading them. Private to layout. */
#ifndef LODE_LAYOUT_TABLES_H
#define LODE_LAYOUT_TABLES_H

#include "layout/analyze.h"

G_BEGIN_DECLS

/* The rules that matter to one table, broken ones joined, borders of filled cells included. */
typedef struct {
    GArray *horizontal; /* layout_rule, by y0 */
    GArray *vertical;   /* layout_rule, by x0 */
} layout_table_rules;

/* Fills table's cells from the segments (indices) within its box. FALSE: this is no table. */
gboolean layout_grid_build(const layout_sheet *sheet, layout_table_region *table,
                           const layout_table_rules *rules, const GArray *segs);

G_END_DECLS
#endif
