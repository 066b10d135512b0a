/* where: conditions on documents and chunks, "year >= 2020 and type = table". The notation is in retrieval.h. */
#ifndef LODE_RETRIEVAL_WHERE_H
#define LODE_RETRIEVAL_WHERE_H

#include <glib.h>

#include "retrieval/retrieval.h"

typedef struct retrieval_where retrieval_where;

retrieval_where *retrieval_where_parse(const char *expression, GError **error);
void retrieval_where_free(retrieval_where *where); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(retrieval_where, retrieval_where_free)

/* FALSE: it asks only for what is the same for all chunks of a document. */
gboolean retrieval_where_needs_chunks(const retrieval_where *where);

/* What a condition may ask for; NULL and 0 where not known. */
typedef struct {
    const char *path, *title, *authors /* one a line */, *venue, *doi, *arxiv;
    int year;
    const char *section, *type; /* of the chunk */
    int page;                   /* 1-based */
} retrieval_where_row;

gboolean retrieval_where_holds(const retrieval_where *where, const retrieval_where_row *row);

#endif
