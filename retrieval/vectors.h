/* vectors: chunk ids with unit vectors, nearest first by inner product (FAISS IndexFlatIP: exact).
 *
 * One thread at a time for adding; any number may search at once. */
#ifndef LODE_RETRIEVAL_VECTORS_H
#define LODE_RETRIEVAL_VECTORS_H

#include <glib.h>
#include <stdint.h>

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

typedef struct retrieval_vectors retrieval_vectors;

retrieval_vectors *retrieval_vectors_new(uint32_t n_dims, GError **error);
void retrieval_vectors_free(retrieval_vectors *vectors); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(retrieval_vectors, retrieval_vectors_free)

size_t retrieval_vectors_count(const retrieval_vectors *vectors);
uint32_t retrieval_vectors_n_dims(const retrieval_vectors *vectors);
int64_t retrieval_vectors_last_id(const retrieval_vectors *vectors); /* 0 when empty */

/* ids [n] rising and above all earlier ones; values [n, n_dims] row-major. */
gboolean retrieval_vectors_add(retrieval_vectors *vectors, const int64_t *ids, const float *values,
                               size_t n, GError **error);

/* The k best for query [n_dims], appended to matches (GArray of retrieval_match): best first, ties by id,
 * also where a tie straddles the k-th place. */
gboolean retrieval_vectors_search(const retrieval_vectors *vectors, const float *query, size_t k,
                                  GArray *matches, GError **error);

/* Write atomically (path.tmp, fsync, rename). The caller holds the library's writer lock: there is one
 * temporary name. */
gboolean retrieval_vectors_save(const retrieval_vectors *vectors, const char *path,
                                const retrieval_version *version, GError **error);

/* Read what save wrote; every size and a checksum are tested. version receives what it was made from. */
retrieval_vectors *retrieval_vectors_load(const char *path, uint32_t n_dims,
                                          retrieval_version *version, GError **error);

/* ---- half precision, as embeddings are stored in the database (IEEE 754 binary16, little endian) ---- */

uint16_t retrieval_half_from_float(float value); /* round to nearest, ties to even */
float retrieval_half_to_float(uint16_t half);

#endif
