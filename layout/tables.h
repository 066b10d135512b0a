/* Between finding tables and reading them. Private to layout. */
#ifndef LODE_LAYOUT_TABLES_H
#define LODE_LAYOUT_TABLES_H

#include "layout/analyze.h"

#include <math.h>

G_BEGIN_DECLS

/* The rules that matter to one table, broken ones joined, borders of filled cells included. */
typedef struct {
    GArray *horizontal; /* layout_rule, by y0 */
    GArray *vertical;   /* layout_rule, by x0 */
} layout_table_rules;

/* Fills table's cells from the segments (indices) within its box. FALSE: this is no table. */
gboolean layout_grid_build(const layout_sheet *sheet, layout_table_region *table,
                           const layout_table_rules *rules, const GArray *segs);

/* "----------": a rule drawn with a typewriter. */
gboolean layout_table_is_typed_rule(const char *text, gsize len);

/* ---- tables.c: what its finders share ---- */

typedef struct {
    layout_work *work;
    layout_sheet *sheet;
    layout_table_rules rules;
    guint *by_y; /* upright text segments by baseline */
    guint n_segs;
    GArray *cards;  /* layout_card */
    GArray *others; /* layout_rect: algorithms, listings, lists of contents below their headings */
    gboolean
        bibliography; /* entries stand on this page: loosely set lines of theirs look like cells */
} layout_table_finder;

/* Do both stand in one column: left, right or middle in line? */
static inline gboolean
layout_table_in_line(layout_rect x, layout_rect y)
{
    return fabsf(x.x0 - y.x0) < 3 || fabsf(x.x1 - y.x1) < 3 || fabsf(x.x0 + x.x1 - y.x0 - y.x1) < 5;
}

/* Makes a table of what stands in box, if that is one: a grid, filled to some percent, that is nothing else. */
gboolean layout_table_try(layout_table_finder *f, layout_rect box, float confidence,
                          guint least_filled_percent);

/* ---- tables_pictures.c ---- */

/* How many pictures lie in box that may be cells of a table. */
guint layout_table_pictures(const layout_sheet *sheet, layout_rect box);

/* ---- tables_unruled.c ---- */

/* Tables without rules in a column of the page (lane 0 or 1), or across both. */
void layout_tables_find_unruled(layout_table_finder *f, guint lane);

/* ---- tables_refuse.c: what looks like a table and is none ---- */

guint layout_table_filled(const layout_table_region *table);
gboolean layout_table_has_caption(const layout_sheet *sheet, layout_rect box);

/* Long sentences in nearly all cells: text in frames or in columns. */
gboolean layout_table_is_prose(const layout_sheet *sheet, const GArray *segs,
                               const layout_table_region *table);

/* A bibliography whose labels ("[ABC+16]") stand in a column of their own. */
gboolean layout_table_is_bibliography(const layout_table_region *table);

/* The axes of a plot look like a ruled table, its legend like an unruled one: by the caption and by what else is
 * drawn. */
gboolean layout_table_is_drawing(const layout_sheet *sheet, layout_rect box);

/* Do cells of two columns or more hold text? */
gboolean layout_table_has_columns(const layout_table_region *table);
/* Lines over all columns and one of single words: of a narrow box, justified, one was stretched. */
gboolean layout_table_is_stretched(const layout_table_region *table);

/* The legend of a plot: text in one corner of its frame. segs: what stands in box. */
gboolean layout_table_is_legend(const layout_sheet *sheet, const GArray *segs, layout_rect box);

/* A plot by what is written at its axes, within the table or on the line below it: steps of one size. For what has no
 * caption as a table. */
gboolean layout_table_is_plot(const layout_sheet *sheet, const layout_table_region *table);

/* An algorithm or a listing. captioned: as a table, so that a typewriter face proves nothing. */
gboolean layout_table_is_program(layout_work *work, const layout_sheet *sheet, const GArray *segs,
                                 const layout_table_rules *rules, gboolean captioned);

/* Justified text in two or more columns. Sorts segs. */
gboolean layout_table_is_columns(const layout_sheet *sheet, GArray *segs);

G_END_DECLS
#endif
