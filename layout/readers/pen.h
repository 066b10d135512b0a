/* What readers write blocks with: running text with styles and call-outs, and tables. Private to layout. */
#ifndef LODE_LAYOUT_READERS_PEN_H
#define LODE_LAYOUT_READERS_PEN_H

#include "layout/document.h"

G_BEGIN_DECLS

/* The block that is being written. Text collects with the style in force until layout_pen_block makes a block of
 * it. One thread at a time. */
typedef struct {
    layout_builder *builder;
    GStringChunk *strings;  /* targets of spans, keys of call-outs */
    GString *text;          /* of the open block: UTF-8, blanks collapsed, none in front */
    GArray *spans;          /* layout_span */
    guint style;            /* layout_span_flags now in force */
    const char *target;     /* of links; from strings */
    GArray *calls;          /* of the whole document and the open block */
    guint first_call;       /* of the open block */
    GArray *boxes;          /* layout_box: where the open block stands; empty: nowhere */
    GHashTable *references; /* key -> index of a reference + 1 */
    gsize chars;            /* bytes of all blocks so far */
} layout_pen;

void layout_pen_init(layout_pen *pen, layout_builder *builder);
void layout_pen_clear(layout_pen *pen);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(layout_pen, layout_pen_clear)

/* Appends text in the style now in force, blanks and line ends collapsed to one blank. len -1: NUL-terminated. It is
 * made valid UTF-8 and NFC; control, zero-width and bidirectional characters are dropped. */
void layout_pen_text(layout_pen *pen, const char *text, gssize len);
/* Appends inline mathematics: latex without its dollars; text: the glyphs, NULL where unknown (the LaTeX is then the
 * text). */
void layout_pen_math(layout_pen *pen, const char *latex, const char *text);
/* Says that the text from byte start to the end calls the bibliography's entry of this key, added before or later. */
void layout_pen_call(layout_pen *pen, gsize start, const char *key);
/* Where the blocks that follow stand; NULL: nowhere, as at the start. */
void layout_pen_place(layout_pen *pen, const layout_box *box);
/* The open block goes on there, and those behind it stand there. */
void layout_pen_move(layout_pen *pen, const layout_box *box);
/* Makes what was written a block and begins anew; its index, or LAYOUT_NONE where nothing was written. marker: as a
 * layout_block's. */
int layout_pen_block(layout_pen *pen, layout_block_type type, int level, const char *marker);
/* What was written as plain text, its mathematics between dollars; begins anew. Free with g_free. */
char *layout_pen_take_flat(layout_pen *pen);
/* Blocks of their own; what was written before must have been made one. number may be NULL. Code keeps blanks and line
 * ends, but for empty lines around it. LAYOUT_NONE where there is nothing in it. */
int layout_pen_formula(layout_pen *pen, const char *latex, const char *number);
int layout_pen_code(layout_pen *pen, const char *code);
/* A figure's block with what belongs to it. image: see layout_reader's pictures; label, inner_text and image may be
 * NULL. The caption is what was written: its block comes behind the figure's. */
int layout_pen_figure(layout_pen *pen, const char *label, const char *image,
                      const char *inner_text);
/* A bibliography entry of what was written: its block and reference, known from now on by key (NULL: never called).
 * fields: as of layout_builder_add_reference, its block is set here. LAYOUT_NONE where nothing was written. */
int layout_pen_reference(layout_pen *pen, const char *key, const layout_reference *fields,
                         const layout_name *names, guint n_names, const char *marker);
/* The same for an entry of which only its print is known: the fields are read off the text. */
int layout_pen_printed_reference(layout_pen *pen, const char *key, const char *marker);
/* Adds the call-outs to the document. Last of all. */
void layout_pen_finish(layout_pen *pen);

/* ---- numbering.c ---- */

/* n as lists print it: kind '1', 'a' (aa behind z, then bb), 'A', 'i' or 'I'; digits where it has no such number. */
void layout_number_append(GString *out, char kind, gint64 n);

/* ---- grid.c: tables ---- */

typedef struct layout_pen_grid layout_pen_grid;

layout_pen_grid *layout_pen_grid_new(void);
void layout_pen_grid_free(layout_pen_grid *grid);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(layout_pen_grid, layout_pen_grid_free)
/* The cells that follow stand in a new row. header: of a table's head. FALSE: no more rows are taken. */
gboolean layout_pen_grid_row(layout_pen_grid *grid, gboolean header);
/* The next cell of the row: the first column that no cell above reaches into. row_span 0: to the last row. Spans
 * are cut where the next cell begins and at the last row; text is copied. FALSE: no more cells are taken. */
gboolean layout_pen_grid_cell(layout_pen_grid *grid, guint row_span, guint col_span,
                              gboolean header, const char *text);
/* All rows so far are the table's head. */
void layout_pen_grid_head(layout_pen_grid *grid);
/* The next cell of the row stands in this column or behind it. */
void layout_pen_grid_skip(layout_pen_grid *grid, guint col);
/* Has it more than one place, and text in it? */
gboolean layout_pen_grid_is_table(const layout_pen_grid *grid);
/* The table's block, its cells with every place of the grid covered once, and, where something was written with
 * pen, its caption's block behind it. The table's block, or LAYOUT_NONE where no cell has text. */
int layout_pen_grid_write(layout_pen_grid *grid, layout_pen *pen);

/* Cells (layout_cell, row-major) with row spans cut at the last row, and empty cells where the table has holes; free with
 * g_array_unref. */
GArray *layout_cells_cover(const GArray *cells, guint n_rows, guint n_cols);
/* How many of the first rows are a header; one that reaches into the body is none: its span would cross the border. */
guint layout_cells_header_rows(const GArray *cells, guint n_rows, guint n_header_rows);

G_END_DECLS
#endif
