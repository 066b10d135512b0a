/* hits: chunks read from the database with all that is known of them. */
#ifndef LODE_RETRIEVAL_HITS_H
#define LODE_RETRIEVAL_HITS_H

#include "retrieval/retrieval.h"
#include "retrieval/store.h"

/* A chunk that must be there: RETRIEVAL_ERROR_NOT_FOUND. Score and ranks are 0. */
retrieval_hit *retrieval_load_hit(retrieval_store *store, int64_t chunk_id, GError **error);

#endif
