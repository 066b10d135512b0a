/* selection: the chunks that a search may return, as a set of ids. */
#ifndef LODE_RETRIEVAL_SELECTION_H
#define LODE_RETRIEVAL_SELECTION_H

#include "retrieval/store.h"
#include "retrieval/where.h"

typedef struct {
    uint64_t *bits; /* [n_bits / 64], bit i: chunk i */
    int64_t n_bits;
    uint64_t n_chunks; /* bits that are set */
} retrieval_selection;

/* Inside a transaction: the chunks of the database for which where holds. */
retrieval_selection *retrieval_selection_new(retrieval_store *store, const retrieval_where *where,
                                             GError **error);
void retrieval_selection_free(retrieval_selection *selection); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(retrieval_selection, retrieval_selection_free)

/* NULL selects all. */
gboolean retrieval_selection_has(const retrieval_selection *selection, int64_t chunk_id);

#define RETRIEVAL_SELECTION_POINTER                                                                \
    "lode_selection" /* type of the pointer lode_selected is given */

/* Make the SQL function lode_selected(chunk id, selection or NULL) known to a connection. */
gboolean retrieval_selection_register(sqlite3 *db);

#endif
