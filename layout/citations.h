/* Between the files that find call-outs. Private to layout. */
#ifndef LODE_LAYOUT_CITATIONS_H
#define LODE_LAYOUT_CITATIONS_H

#include "layout/document.h"
#include "layout/flow.h"

G_BEGIN_DECLS

typedef struct {
    lode_document d;    /* a view */
    GHashTable *keys;   /* of numbered and labelled entries -> reference index + 1 */
    GHashTable *people; /* last word of the first author's family name, folded -> GArray of guint */
    char *suffixes;     /* per reference: the "a" of "2020a", '\0' where none */
    GArray *found;      /* layout_citation */
} citation_finder;

/* One citation, unless it overlaps one found before that is not of the same stretch. */
void citation_add(citation_finder *f, int block, uint32_t start, uint32_t len, guint reference);

/* ---- citation_names.c ---- */
void citation_names_learn(citation_finder *f);
/* "(Li et al., 2023a; Smith and Wu, 2020)", "Li et al. (2023)" in one block. */
void citation_names_find(citation_finder *f, int block);

G_END_DECLS
#endif
