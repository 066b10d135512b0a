/* The text of one block after the other, as it is put together. Private to layout. */
#ifndef LODE_LAYOUT_COMPOSE_H
#define LODE_LAYOUT_COMPOSE_H

#include "layout/analyze.h"

G_BEGIN_DECLS

/* Where a stretch of a block's text stands in the text of a sheet. */
typedef struct {
    uint32_t start, len, from; /* bytes of the block's text, and of the sheet's */
    const layout_sheet *sheet;
} layout_origin;

typedef struct {
    layout_work *work;
    layout_builder *builder;
    GString *text;
    GArray *spans;   /* layout_span */
    GArray *lines;   /* layout_line */
    GArray *boxes;   /* layout_box */
    GArray *uses;    /* layout_link_use */
    GArray *origins; /* layout_origin, in the order of the text */
    guint last_region;
    int last_sheet;
    gsize skip;            /* bytes of the first row still to be left out: its marker */
    gboolean code;         /* keep line breaks and indentation */
    gboolean contents;     /* leave out rows of dots */
    float code_x0;         /* left edge of the block's code */
    GStringChunk *strings; /* targets of spans, until copied */
    GString *latex;        /* of the formula in hand */
    gboolean furniture;    /* the block in hand is none of the text */
} layout_composer;

void layout_composer_init(layout_composer *c, layout_work *work, layout_builder *builder);
void layout_composer_clear(layout_composer *c);
/* Empties it for the next block. */
void layout_compose_reset(layout_composer *c);
/* Appends row as a printed line, which meets the one before it. */
void layout_compose_row(layout_composer *c, layout_sheet *sheet, const layout_row *row);
/* Appends segs [n] of sheet as one printed line with this box, and takes their glyphs. */
void layout_compose_segs(layout_composer *c, layout_sheet *sheet, const guint *segs, guint n,
                         layout_rect frame_box, guint region);
/* The next printed line of a table's cell meets the text, or stays a line of its own where an item of a list begins. */
void layout_compose_cell_line(layout_composer *c, const char *next, gsize next_len);
/* Appends part of a table's cell, which meets the one before it. */
void layout_compose_part(layout_composer *c, const layout_sheet *sheet,
                         const layout_cell_part *part);
/* Enters n_glyphs of a segment into the page's ledger: the block in hand takes them. */
void layout_compose_take(layout_composer *c, layout_sheet *sheet, layout_seg *seg, guint n_glyphs);
/* Adds a box, or extends the last one if it is of the same region of the same sheet. */
void layout_compose_box(layout_composer *c, const layout_sheet *sheet, layout_rect frame_box,
                        guint region);
/* Shortens the text to len bytes, its spans and its last line with it. */
void layout_compose_cut(layout_composer *c, gsize len);

/* Takes the blanks out of addresses that are broken over lines, or stretched to fill one. */
void layout_compose_mend(layout_composer *c);

G_END_DECLS
#endif
