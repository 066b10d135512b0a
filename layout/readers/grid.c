/* Cells with spans -> a grid that every place of is covered once.
 *
 * The column of a cell is the first that no cell above reaches into (HTML Living Standard, 4.9.12, without its
 * overlaps: a span ends where the next cell begins). Rows are of unequal length in real files; the missing
 * places become empty cells. */
#include "layout/readers/pen.h"

#include <string.h>

#define MAX_COLS 1000
#define MAX_AREA 2000000 /* places */

struct layout_pen_grid {
    GArray *cells; /* layout_cell; text in strings */
    GStringChunk *strings;
    GArray *busy; /* guint: the first row where the column is free */
    guint n_rows, n_cols, n_header_rows, col;
    gboolean header; /* of the row */
    gboolean has_text;
};

layout_pen_grid *
layout_pen_grid_new(void)
{
    layout_pen_grid *grid = g_new0(layout_pen_grid, 1);
    grid->cells = g_array_new(FALSE, FALSE, sizeof(layout_cell));
    grid->strings = g_string_chunk_new(1024);
    grid->busy = g_array_new(FALSE, TRUE, sizeof(guint));
    return grid;
}

void
layout_pen_grid_free(layout_pen_grid *grid)
{
    if (grid == NULL) return;
    g_array_unref(grid->cells);
    g_array_unref(grid->busy);
    g_string_chunk_free(grid->strings);
    g_free(grid);
}

gboolean
layout_pen_grid_row(layout_pen_grid *grid, gboolean header)
{
    if ((guint64)(grid->n_rows + 1) * MAX(grid->n_cols, 1) > MAX_AREA) return FALSE;
    if (header && grid->n_header_rows == grid->n_rows) grid->n_header_rows++;
    grid->header = header;
    grid->col = 0;
    grid->n_rows++;
    return TRUE;
}

static guint
busy_until(const layout_pen_grid *grid, guint col)
{
    return col < grid->busy->len ? g_array_index(grid->busy, guint, col) : 0;
}

gboolean
layout_pen_grid_cell(layout_pen_grid *grid, guint row_span, guint col_span, gboolean header,
                     const char *text)
{
    g_assert(grid->n_rows > 0);
    const guint row = grid->n_rows - 1;
    while (busy_until(grid, grid->col) > row)
        grid->col++;
    if (grid->col >= MAX_COLS) return FALSE;
    const guint want = CLAMP(col_span, 1, MAX_COLS - grid->col);
    guint wide = 1;
    while (wide < want && busy_until(grid, grid->col + wide) <= row)
        wide++;
    if ((guint64)grid->n_rows * (grid->col + wide) > MAX_AREA) return FALSE;
    if (row_span == 0 || row_span > MAX_AREA) row_span = MAX_AREA;
    const layout_cell cell = {.row = row,
                              .col = grid->col,
                              .row_span = row_span,
                              .col_span = wide,
                              .header = header || grid->header,
                              .text = g_string_chunk_insert(grid->strings, text)};
    if (grid->busy->len < grid->col + wide) g_array_set_size(grid->busy, grid->col + wide);
    for (guint i = 0; i < wide; i++)
        g_array_index(grid->busy, guint, grid->col + i) = row + row_span;
    grid->col += wide;
    grid->n_cols = MAX(grid->n_cols, grid->col);
    if (*text != '\0') grid->has_text = TRUE;
    g_array_append_val(grid->cells, cell);
    return TRUE;
}

void
layout_pen_grid_head(layout_pen_grid *grid)
{
    grid->n_header_rows = grid->n_rows;
    for (guint i = 0; i < grid->cells->len; i++)
        g_array_index(grid->cells, layout_cell, i).header = TRUE;
}

void
layout_pen_grid_skip(layout_pen_grid *grid, guint col)
{
    grid->col = MAX(grid->col, col);
}

gboolean
layout_pen_grid_is_table(const layout_pen_grid *grid)
{
    return grid->has_text && (grid->n_rows > 1 || grid->n_cols > 1);
}

GArray *
layout_cells_cover(const GArray *cells, guint n_rows, guint n_cols)
{
    GArray *out = g_array_new(FALSE, FALSE, sizeof(layout_cell));
    g_autofree guint *covered = g_new0(guint, n_cols);
    guint next = 0;
    for (guint row = 0; row < n_rows; row++) {
        for (guint col = 0; col < n_cols; col++) {
            if (covered[col] > row) continue;
            layout_cell cell = {.row = row, .col = col, .row_span = 1, .col_span = 1, .text = ""};
            const layout_cell *real =
                next < cells->len ? &g_array_index(cells, layout_cell, next) : NULL;
            if (real != NULL && real->row == row && real->col == col) cell = *real, next++;
            cell.row_span = MIN(cell.row_span, n_rows - row);
            for (guint c = col; c < col + cell.col_span; c++)
                covered[c] = row + cell.row_span;
            g_array_append_val(out, cell);
        }
    }
    return out;
}

guint
layout_cells_header_rows(const GArray *cells, guint n_rows, guint n_header_rows)
{
    guint n = n_header_rows < n_rows ? n_header_rows : 0;
    for (guint i = 0; i < cells->len; i++) {
        const layout_cell *c = &g_array_index(cells, layout_cell, i);
        if (c->row < n && c->row + c->row_span > n) n = c->row;
    }
    return n;
}

/* The cells' words in order, so that a table is found by what stands in it. */
static char *
plain_text(const GArray *cells)
{
    GString *out = g_string_new(NULL);
    for (guint i = 0; i < cells->len; i++) {
        const layout_cell *c = &g_array_index(cells, layout_cell, i);
        if (*c->text == '\0') continue;
        if (out->len > 0) g_string_append_c(out, ' ');
        g_string_append(out, c->text);
    }
    return g_string_free(out, FALSE);
}

int
layout_pen_grid_write(layout_pen_grid *grid, layout_pen *pen)
{
    if (!grid->has_text) return LAYOUT_NONE;
    g_autoptr(GArray) cells = layout_cells_cover(grid->cells, grid->n_rows, grid->n_cols);
    g_autofree char *text = plain_text(cells);
    const layout_block block = {.type = LAYOUT_BLOCK_TABLE,
                                .text = text,
                                .text_len = (uint32_t)strlen(text),
                                .parent = LAYOUT_NONE,
                                .item = LAYOUT_NONE,
                                .confidence = 1};
    pen->chars += block.text_len;
    const int index = layout_builder_add_block(pen->builder, &block,
                                               (const layout_box *)(gpointer)pen->boxes->data,
                                               pen->boxes->len, NULL, 0, NULL, 0);
    layout_table table = {.block = index,
                          .caption = layout_pen_block(pen, LAYOUT_BLOCK_CAPTION, 0, NULL),
                          .n_rows = grid->n_rows,
                          .n_cols = grid->n_cols,
                          .n_header_rows =
                              layout_cells_header_rows(cells, grid->n_rows, grid->n_header_rows)};
    if (table.caption != LAYOUT_NONE)
        layout_builder_block(pen->builder, table.caption)->parent = index;
    layout_builder_add_table(pen->builder, &table, (const layout_cell *)(gpointer)cells->data,
                             cells->len);
    return index;
}
