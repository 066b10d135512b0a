/* What the parts of reading a table's grid share: tables_grid.c (pieces and columns), tables_rows.c (rows),
 * tables_cells.c (cells). Private to these. */
#ifndef LODE_LAYOUT_TABLES_GRID_H
#define LODE_LAYOUT_TABLES_GRID_H

#include "layout/tables.h"

G_BEGIN_DECLS

/* Words of one printed line that belong to one cell. */
typedef struct {
    float x0, x1, first_x1; /* and where its first word ends */
    float baseline, size;
    uint32_t start, len;
    guint seg; /* index, and its flags */
    guint flags;
    guint row, col0, col1; /* columns, inclusive */
    gboolean over_two;     /* a cell over two columns, by its middle */
    guint picture;         /* of the sheet's, from 1: it is that, and has no text; 0: it is text */
} layout_piece;

/* A printed line, later a row of the table. */
typedef struct {
    float top, bottom, baseline;
    gboolean header;
    gboolean remark; /* may be a sentence over all columns */
    guint n_pieces;
} layout_band;

typedef struct {
    const layout_sheet *sheet;
    layout_rect box;
    const layout_table_rules *rules;
    GArray *pieces;        /* layout_piece */
    GArray *bands;         /* layout_band: the rows */
    GArray *cuts;          /* float: x between columns */
    gboolean lattice;      /* rows are what horizontal rules separate */
    gboolean header_ruled; /* a rule says which bands are the header */
    gboolean math;         /* some of its text is mathematics */
    float size;
    guint n_drawn; /* glyphs of rules drawn with letters */
} layout_grid;

static inline layout_piece *
layout_grid_piece(const layout_grid *grid, guint i)
{
    return &g_array_index(grid->pieces, layout_piece, i);
}

static inline layout_band *
layout_grid_band(const layout_grid *grid, guint i)
{
    return &g_array_index(grid->bands, layout_band, i);
}

/* The column x falls into. */
guint layout_grid_column(const layout_grid *grid, float x);

/* Is there a horizontal rule over most of x0..x1 at a height within y0..y1? */
gboolean layout_grid_rule_between(const layout_grid *grid, float y0, float y1, float x0, float x1);

/* Is there one right across the table? */
gboolean layout_grid_rule_across(const layout_grid *grid, float y0, float y1);

/* Values that lie within slack become one, their mean. */
void layout_grid_snap(GArray *values, float slack);

/* ---- tables_pictures.c ---- */

/* The pictures that stand in the box among the pieces of text, as pieces without text on the lines beside them. */
void layout_grid_pictures(layout_grid *grid);

/* ---- tables_rows.c ---- */

/* Text lines by baseline; sorts the pieces. */
void layout_grid_bands(layout_grid *grid);

/* The bands above the first rule right across are the header, else, for a first guess, those above the first row
 * of numbers. */
void layout_grid_header(layout_grid *grid);

/* Where no rule tells the header: the bands above the first number in columns of numbers. Needs the columns. */
void layout_grid_header_from_numbers(layout_grid *grid);

/* Bands become rows: lines that go on a cell above are put back to it. Needs columns and spans. */
void layout_grid_rows(layout_grid *grid);

/* The same for a table whose rows are what lies between its horizontal rules; FALSE, and nothing done, where they
 * are not. Needs the columns. */
gboolean layout_grid_ruled_rows(layout_grid *grid);

/* ---- tables_cells.c ---- */

/* Which columns a heading over several of them spans. */
void layout_grid_spans(layout_grid *grid);

/* The length of text without the dots that lead from a label to its numbers. */
gsize layout_grid_without_leader(const char *text, gsize len);

/* Cells of all places, row-major, into table. */
void layout_grid_cells(layout_grid *grid, layout_table_region *table);

/* ---- tables_align.c ---- */

/* How the cells of table, made of the pieces in their order, stand in their columns. */
void layout_grid_align(const layout_grid *grid, layout_table_region *table);

G_END_DECLS
#endif
