/* Between html_blocks.c and html_table.c: the block that is being written. */
#ifndef LODE_LAYOUT_READERS_HTML_EMIT_H
#define LODE_LAYOUT_READERS_HTML_EMIT_H

#include "layout/readers/html.h"

typedef struct {
    layout_builder *builder;
    const char *base_url; /* may be NULL */
    const char *title;    /* already written; its heading is not repeated; may be NULL */
    GStringChunk *strings;

    GString *text; /* of the open block, blanks collapsed */
    GArray *spans; /* of layout_span, in text */
    guint style;   /* layout_span_flags now in force */
    const char *target;
    gboolean after_br;

    layout_block_type type; /* of the paragraphs here */
    int heading;            /* 1..6 inside of one, else 0 */
    int list_depth;
    char *marker;       /* of the list item whose text comes next; NULL */
    gboolean item_open; /* inside a list item whose text has not been written */
    int ranks[6];       /* of the headings that the next one may stand below, rising */
    guint n_ranks;
    GPtrArray *pending;  /* headings that wait for something to follow */
    const xmlNode *item; /* the list item, for references */
    guint n_references;
    gsize chars;
    const layout_html_emission *how;
} layout_html_emitter;

/* Write what is open as a block. */
void layout_html_emit_flush(layout_html_emitter *e);
/* The headings that waited, before a block of content. */
void layout_html_emit_headings(layout_html_emitter *e);
void layout_html_emit_children(layout_html_emitter *e, const xmlNode *node);
/* caption: a <figcaption> around it, may be NULL. FALSE: not a table of data, nothing was written. */
gboolean layout_html_emit_table(layout_html_emitter *e, const xmlNode *table,
                                const xmlNode *caption);
/* A caption block below parent (a block index). Returns its index, LAYOUT_NONE when there is no text. */
int layout_html_emit_caption(layout_html_emitter *e, const xmlNode *caption, int parent);

/* LaTeX of a formula: <math>, <script type="math/tex">, or a picture of one; NULL where unknown. Free with
 * g_free. */
char *layout_html_math_latex(const xmlNode *node);

#endif
