/* vectors: chunk ids with unit vectors, nearest first by inner product (FAISS).
 *
 * Three kinds, by the number of vectors: exact; inverted lists (Jégou, Douze and Schmid, Product quantization for
 * nearest neighbor search, 2011) of vectors in 8 bits a dimension; inverted lists of product-quantised vectors,
 * about 75 bytes each, from 200,000 on.
 *
 * One thread at a time for adding and removing, alone; any number may search at once. */
#ifndef LODE_RETRIEVAL_VECTORS_H
#define LODE_RETRIEVAL_VECTORS_H

#include <glib.h>
#include <stdint.h>

#include "engine/engine.h"

typedef struct {
    int64_t id;
    float score; /* inner product */
} retrieval_match;

#define RETRIEVAL_STATE_SIZE 32

/* Which state of the database an index was made from: the number of its last change and the digest of
 * the whole chain of changes up to it. Two databases that agree in both hold the same vectors, even when
 * one of them was restored from an older copy and has gone another way since. */
typedef struct {
    uint64_t generation;
    uint8_t state[RETRIEVAL_STATE_SIZE];
} retrieval_version;

gboolean retrieval_version_equal(const retrieval_version *a, const retrieval_version *b);

typedef enum {
    RETRIEVAL_INDEX_EXACT,
    RETRIEVAL_INDEX_SCALAR,
    RETRIEVAL_INDEX_PRODUCT
} retrieval_index_kind;

const char *retrieval_index_kind_name(retrieval_index_kind kind); /* static */

typedef struct retrieval_vectors retrieval_vectors;

/* An empty exact index. */
retrieval_vectors *retrieval_vectors_new(uint32_t n_dims, GError **error);

/* An empty index of another kind for about n_expected vectors, made from sample [n_sample, n_dims] of them;
 * retrieval_vectors_sample_size says how many it wants. The same sample gives the same index. */
retrieval_vectors *retrieval_vectors_new_trained(retrieval_index_kind kind, uint32_t n_dims,
                                                 size_t n_expected, const float *sample,
                                                 size_t n_sample, GError **error);
size_t retrieval_vectors_sample_size(retrieval_index_kind kind, size_t n_expected);
void retrieval_vectors_free(retrieval_vectors *vectors); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(retrieval_vectors, retrieval_vectors_free)

size_t retrieval_vectors_count(const retrieval_vectors *vectors);
retrieval_index_kind retrieval_vectors_kind(const retrieval_vectors *vectors);
uint32_t retrieval_vectors_n_dims(const retrieval_vectors *vectors);
int64_t retrieval_vectors_last_id(const retrieval_vectors *vectors); /* 0 when empty */

/* ids [n] rising and above all earlier ones; values [n, n_dims] row-major. */
gboolean retrieval_vectors_add(retrieval_vectors *vectors, const int64_t *ids, const float *values,
                               size_t n, GError **error);

/* Forget all vectors whose id keep says FALSE for. Returns how many, or -1 with error. */
gssize retrieval_vectors_remove(retrieval_vectors *vectors,
                                gboolean (*keep)(int64_t id, void *user_data), void *user_data,
                                GError **error);

/* The vector of an id, as exactly as the index knows it, into values [n_dims]. FALSE without an error: not there.
 * Lists make a table for it the first time: not while others search; nothing can be removed from them afterwards. */
gboolean retrieval_vectors_get(retrieval_vectors *vectors, int64_t id, float *values,
                               GError **error);

/* The same for those of ids [n] whose known [n] is FALSE, into the rows of values [n, n_dims]; known becomes TRUE for
 * those that are there. Reads through the lists, without a table: also while others search. */
gboolean retrieval_vectors_get_many(const retrieval_vectors *vectors, const int64_t *ids, size_t n,
                                    float *values, gboolean *known, GError **error);

/* The k best for query [n_dims], appended to matches (GArray of retrieval_match): best first, ties by id,
 * also where a tie straddles the k-th place. An index that is not exact looks at a part of its lists, and its
 * scores are near the true ones. */
gboolean retrieval_vectors_search(const retrieval_vectors *vectors, const float *query, size_t k,
                                  GArray *matches, GError **error);

/* Let the model's GPU search an exact index, from a copy of its vectors there, until it changes; the model outlives that.
 * What is found is the same. Alone, as adding. Nothing fails: what the GPU cannot do is done here. */
void retrieval_vectors_use_device(retrieval_vectors *vectors, const engine_model *model);
/* Has that been asked for since the last change, or is there nothing to ask for (lists, or no vectors)? */
gboolean retrieval_vectors_is_placed(const retrieval_vectors *vectors);
/* Who searches: "GPU", "CPU", or "CPU: " with the reason why the GPU that was asked does not. Free with g_free. */
char *retrieval_vectors_describe_searcher(const retrieval_vectors *vectors);

/* Write atomically (path.tmp, fsync, rename). The caller holds the library's writer lock: there is one
 * temporary name. */
gboolean retrieval_vectors_save(const retrieval_vectors *vectors, const char *path,
                                const retrieval_version *version, GError **error);

/* Read what save wrote; every size and a checksum are tested before FAISS sees it. Lists stay in the file, mapped: it may
 * be renamed or replaced, not written to. version receives what it was made from. */
retrieval_vectors *retrieval_vectors_load(const char *path, uint32_t n_dims,
                                          retrieval_version *version, GError **error);

#endif
