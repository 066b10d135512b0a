/* library: internals shared by library.c (writing) and rank.c (searching), and what tests look at. */
#ifndef LODE_RETRIEVAL_LIBRARY_H
#define LODE_RETRIEVAL_LIBRARY_H

#include "retrieval/retrieval.h"
#include "retrieval/store.h"
#include "retrieval/vectors.h"

/* Texts [n] -> out [n, n_dims]. Same text, same vector. */
typedef gboolean (*retrieval_embed_func)(void *user_data, const char *const *texts, size_t n,
                                         float *out, const int *cancel, GError **error);

typedef struct {
    retrieval_embed_func embed; /* NULL: none */
    void *user_data;
    uint32_t n_dims;
    const char *id;
    const char *query_prefix; /* may be NULL */
} retrieval_embedder;

struct retrieval_library {
    /* immutable once open */
    char *dir, *vectors_path;
    gboolean writable;
    int lock_fd; /* -1 for readers */
    retrieval_embed_func embed;
    void *embed_data;
    uint32_t n_dims; /* of the embedder, 0 without */
    char *embedder_id, *query_prefix;
    struct retrieval_engine_embedder *engine; /* embed_data of the public function, else NULL */

    uint64_t max_scored; /* see retrieval_fulltext_plan; tests lower it */

    GMutex lock; /* guards what follows */
    retrieval_store *store;
    retrieval_vectors *vectors; /* NULL until first needed, and while there are none */
    retrieval_version vectors_version;
    gboolean file_is_current; /* vectors.faiss holds exactly vectors */
};

/* retrieval_library_open with any source of vectors. */
retrieval_library *retrieval_library_open_with(const char *dir, retrieval_open_mode mode,
                                               const retrieval_embedder *embedder, GError **error);

/* Embed and scale to unit length. */
gboolean retrieval_library_embed(retrieval_library *library, const char *const *texts, size_t n,
                                 float *out, const int *cancel, GError **error);

/* With the lock held and inside a transaction: make library->vectors those of the database now. */
gboolean retrieval_library_refresh(retrieval_library *library, GError **error);

/* SHA-256 (hex) over all documents by path and their chunks and vectors in order: equal for libraries of
 * equal content, whatever ids they were given. NULL on error; free with g_free. */
char *retrieval_library_dump_hash(retrieval_library *library, GError **error);

/* The database's own checks: pages, keys, the full-text index against the text. */
gboolean retrieval_library_check(retrieval_library *library, GError **error);

#endif
