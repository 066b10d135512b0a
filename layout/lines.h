/* Parts of printed lines in the making. Private to layout. */
#ifndef LODE_LAYOUT_LINES_H
#define LODE_LAYOUT_LINES_H

#include "layout/analyze.h"

G_BEGIN_DECLS

#define LINE_WIDE_GAP_EM 0.85F

typedef struct {
    guint first, n; /* glyphs */
    float u0, u1, v, size;
    gboolean symbol;   /* from a math extension font: v is a guess */
    gboolean accent;   /* a lone accent */
    gboolean fraction; /* over or under the bar of a fraction in the line */
    guint piece;
} line_chunk;

typedef struct {
    guint first, n; /* chunks, in sorted order */
    float u0, u1, v, size;
    float reach0, reach1; /* with scripts */
    guint n_glyphs;
    int host; /* piece this is a script of, or that it was merged into */
    gboolean symbol, accent;
    guint group;
} line_piece;

/* ---- lines_scripts.c ---- */
/* Finds what each piece (line_piece) is a script of. */
void line_scripts_attach(GArray *pieces);
/* What stands over and under a short rule of the page beside a line's text becomes a fraction of that line. */
void line_fractions_attach(GArray *chunks, GArray *pieces, const parse_page *page, guint turn);
/* Follows hosts to their end; pieces of one baseline whose gap scripts fill become one. */
void line_roots_settle(GArray *pieces);
/* The piece at the end of the hosts of i. */
guint line_root_of(const GArray *pieces, guint i);
/* A letter that is an initial beside the line after it: they are on one baseline by chance. */
gboolean line_is_initial(float size, guint n_glyphs, float next_size, guint next_glyphs);

G_END_DECLS
#endif
