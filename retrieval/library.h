/* library: internals shared by library.c (writing) and rank.c (searching), and what tests look at. */
#ifndef LODE_RETRIEVAL_LIBRARY_H
#define LODE_RETRIEVAL_LIBRARY_H

#include "retrieval/retrieval.h"
#include "retrieval/store.h"
#include "retrieval/vectors.h"
#include "retrieval/words.h"

/* Texts [n] -> out [n, n_dims]. Same text, same vector. */
typedef gboolean (*retrieval_embed_func)(void *user_data, const char *const *texts, size_t n,
                                         float *out, const int *cancel, GError **error);

typedef struct {
    retrieval_embed_func embed; /* NULL: none */
    void *user_data;
    uint32_t n_dims;
    const char *id;
    const char *query_prefix; /* may be NULL */
    gboolean reembed;
    const engine_model *searcher; /* whose GPU searches too; NULL: none */
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
    const engine_model *searcher;             /* has a GPU; NULL: none */
    struct retrieval_engine_embedder *engine; /* embed_data of the public function, else NULL */

    /* tests lower these */
    uint64_t max_scored;  /* see retrieval_fulltext_plan */
    uint64_t exact_limit; /* vectors from which on the index has lists */
    size_t most_waiting;  /* passages added until there is a commit by itself */
    uint64_t words_limit; /* chunks in FTS5 from which on they go to a words file */
    uint64_t
        scalar_limit; /* vectors from which on it is product-quantised, and vectors leave the database */

    /* Locks are taken in this order. */
    GMutex lock; /* guards the store: what is written, and what is asked for besides searches */
    retrieval_store *store;
    size_t n_waiting;                  /* passages added since the last commit */
    struct retrieval_rebuild *rebuild; /* a larger index on its way; NULL: none */

    GMutex idle_lock; /* connections of searches, none of them in a transaction */
    GQueue idle;      /* of retrieval_store */

    GRWLock vectors_lock;       /* guards what follows; searches read */
    retrieval_vectors *vectors; /* NULL until first needed, and while there are none */
    retrieval_version vectors_version;
    gboolean file_is_current; /* vectors.faiss holds exactly vectors */

    GMutex words_lock; /* guards what follows; taken alone */
    retrieval_words *words;
    char *words_name; /* of its file */
};

/* A connection of one's own for reading; give it back. NULL with error. */
retrieval_store *retrieval_library_borrow(retrieval_library *library, GError **error);
void retrieval_library_return(retrieval_library *library, retrieval_store *store);

/* retrieval_library_open with any source of vectors. */
retrieval_library *retrieval_library_open_with(const char *dir, retrieval_open_mode mode,
                                               const retrieval_embedder *embedder, GError **error);

/* Embed and scale to unit length. */
gboolean retrieval_library_embed(retrieval_library *library, const char *const *texts, size_t n,
                                 float *out, const int *cancel, GError **error);

/* Which index n vectors get. */
retrieval_index_kind retrieval_library_kind_for(const retrieval_library *library, uint64_t n);

/* Inside a transaction of store: make library->vectors those of its snapshot, or of a newer one, and return with
 * vectors_lock held for reading. FALSE: error, and no lock. */
gboolean retrieval_library_lock_vectors(retrieval_library *library, retrieval_store *store,
                                        GError **error);

/* Inside a transaction of store: the words file that its snapshot names, to be unreferenced, or NULL where there is
 * none. NOT_FOUND when it is gone: a later commit may have put another in its place. */
gboolean retrieval_library_borrow_words(retrieval_library *library, retrieval_store *store,
                                        retrieval_words **words, GError **error);

/* With the lock held, outside of a transaction: when FTS5 has many chunks, or what a words file has was removed, put
 * all into a new words file. */
gboolean retrieval_library_compact_words(retrieval_library *library, GError **error);

/* Does the words file have the words of its chunks? Tells problem of each that it finds. */
gboolean retrieval_library_examine_words(retrieval_library *library,
                                         void (*problem)(char *line, void *user_data),
                                         void *user_data, GError **error);

/* retrieval_library_commit on the way: a larger kind of index is begun in a thread of its own, and in use from the next
 * commit of either sort on. */
gboolean retrieval_library_commit_some(retrieval_library *library, GError **error);

/* Leave what that thread does undone; the next commit begins anew. */
void retrieval_library_stop_rebuild(retrieval_library *library);

/* The number of dimensions the stored vectors have; 0 when there never was one. */
gboolean retrieval_stored_dims(retrieval_store *store, uint32_t *n_dims, GError **error);

/* FALSE with error for one that was opened for reading. */
gboolean retrieval_library_is_writable(const retrieval_library *library, GError **error);

/* Run what write does between BEGIN and COMMIT; all of it or nothing. */
gboolean retrieval_library_in_transaction(retrieval_library *library,
                                          gboolean (*write)(retrieval_library *, void *, GError **),
                                          void *data, GError **error);

/* Forget all vectors and whose they were. */
gboolean retrieval_library_forget_vectors(retrieval_library *library, GError **error);

/* SHA-256 (hex) over all documents by path and their chunks and vectors in order: equal for libraries of
 * equal content, whatever ids they were given. NULL on error; free with g_free. */
char *retrieval_library_dump_hash(retrieval_library *library, GError **error);

/* The database's own checks: pages, keys, the full-text index against the text. */
gboolean retrieval_library_check(retrieval_library *library, GError **error);

#endif
