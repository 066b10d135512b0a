/* vectors_private: what vectors.c and vectors_file.c share.
 *
 * FAISS's C API is C++ underneath and defines bare names such as OK: these two files alone include it. */
#ifndef LODE_RETRIEVAL_VECTORS_PRIVATE_H
#define LODE_RETRIEVAL_VECTORS_PRIVATE_H

#include <faiss/c_api/IndexFlat_c.h>
#include <faiss/c_api/IndexIVF_c.h>
#include <faiss/c_api/Index_c.h>

#include "retrieval/vectors.h"
#include "retrieval/vectors_device.h"

struct retrieval_vectors {
    FaissIndex *index;
    retrieval_index_kind kind;
    GArray *ids; /* int64_t: FAISS numbers vectors 0.., this tells the chunk; 0: removed */
    size_t n_removed;
    uint32_t n_dims;
    gboolean has_map;                 /* can look up a single vector */
    retrieval_vectors_device *device; /* what a GPU has of them; NULL: not asked since a change */
};

/* An index that FAISS made or read, with no ids yet; takes it over. Sets how many lists a search looks at. */
retrieval_vectors *retrieval_vectors_wrap(FaissIndex *index, retrieval_index_kind kind,
                                          uint32_t n_dims);

static inline int64_t
vectors_id_at(const retrieval_vectors *vectors, guint label)
{
    return g_array_index(vectors->ids, int64_t, label);
}

#endif
