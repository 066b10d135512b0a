/* Between the files that read JATS. Private to layout. */
#ifndef LODE_LAYOUT_READERS_JATS_H
#define LODE_LAYOUT_READERS_JATS_H

#include "layout/readers/pen.h"
#include "layout/readers/readers.h"
#include "layout/readers/xml.h"

G_BEGIN_DECLS

typedef struct {
    const layout_source *source;
    layout_pen pen;
    GHashTable *pictures; /* see layout_reader; may be NULL */
    GPtrArray *notes;     /* const xmlNode *: footnotes of the paragraph in hand */
    guint n_figures;
    int list_depth;
    layout_block_type paragraph; /* what a <p> is here */
} jats_reader;

/* ---- jats_blocks.c ---- */
/* Appends the text of a node's children, with its styles, formulas and call-outs, to the open block. What is a block
 * inside of them ends it: the rest is a paragraph. */
void jats_inline(jats_reader *r, const xmlNode *node);
/* The children of a <body>, <sec>, <back>, <app> as blocks; level: of the headings there. */
void jats_blocks(jats_reader *r, const xmlNode *node, int level);
/* A heading of the text of title, behind label; either may be NULL. */
void jats_heading(jats_reader *r, const xmlNode *label, const xmlNode *title, const char *otherwise,
                  int level);
/* The inline text of a node: formulas as "$...$". Free with g_free. */
char *jats_flat_text(const xmlNode *node);
/* LaTeX of an inline-formula, disp-formula, alternatives; NULL where there is none. Free with g_free. */
char *jats_latex(const xmlNode *formula);

/* ---- jats_table.c ---- */
void jats_table_wrap(jats_reader *r, const xmlNode *wrap);

/* ---- jats_references.c ---- */
void jats_ref_list(jats_reader *r, const xmlNode *list, int level);

G_END_DECLS
#endif
