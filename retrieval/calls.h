/* calls: which bibliography entries a chunk calls, and where. */
#ifndef LODE_RETRIEVAL_CALLS_H
#define LODE_RETRIEVAL_CALLS_H

#include "retrieval/retrieval.h"

/* A stretch of a chunk's text that calls an entry of its document. */
typedef struct {
    uint32_t start, len; /* bytes of the chunk's text */
    int entry;           /* number, from 0 */
} retrieval_call;

/* The call-outs of the document that stand in the chunk, in order: GArray of retrieval_call. */
GArray *retrieval_find_calls(const lode_document *document, const retrieval_chunk *chunk);

/* n, then for each: distance of start to the one before, len, distance of entry; zigzag, base 128. NULL where there are
 * none. FALSE for bytes that are none of it. */
GBytes *retrieval_pack_calls(const GArray *calls);
gboolean retrieval_unpack_calls(const void *bytes, size_t n_bytes, GArray *calls);

#endif
