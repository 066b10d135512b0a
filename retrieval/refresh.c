/* When the vector index is loaded, grown, built anew and written.
 *
 * The database is the truth. vectors.faiss is made from its vectors by retrieval_library_commit and stamped with the
 * database's version. Killed between the two, or put together from two backups, the stamp does not fit and the file
 * is not used: a reader builds its index from the database, the next commit writes the file anew. A stamp that is an
 * earlier state of the same database is good for what has not changed since.
 *
 * When a library has outgrown the kind of its index while documents are still added, the larger one is trained and filled in
 * a thread of its own, from a snapshot on a connection of its own, and the next commit puts it in the place of the one
 * before. That commit comes after so many more passages, not when the thread happens to be done: the file is the same to
 * the byte.
 *
 * A library of many vectors does not keep them twice: once a product-quantised index is safely on disk, the vectors
 * in it leave the database, and the setting compact_through says up to which chunk. From then on the file is the
 * only place that has them; without it they must be embedded again, which retrieval_library_repair prepares. */
#include "retrieval/library.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

#include "retrieval/half.h"

retrieval_index_kind
retrieval_library_kind_for(const retrieval_library *library, uint64_t n)
{
    if (n < library->exact_limit) return RETRIEVAL_INDEX_EXACT;
    return n < library->scalar_limit ? RETRIEVAL_INDEX_SCALAR : RETRIEVAL_INDEX_PRODUCT;
}

/* ---- reading the database's vectors ---- */

typedef gboolean (*vector_func)(int64_t id, const float *values, void *user_data, GError **error);

/* Every vector of a chunk after the given one, by id. cancel: may be NULL. */
static gboolean
for_each_vector(retrieval_store *store, uint32_t n_dims, int64_t after, vector_func each,
                void *user_data, const int *cancel, GError **error)
{
    GError *failure = NULL;
    g_autofree float *values = g_new(float, n_dims);
    sqlite3_stmt *statement = retrieval_store_get(store, STORE_VECTORS_AFTER, error);
    if (!statement) return FALSE;
    sqlite3_bind_int64(statement, 1, after);
    while (!failure && retrieval_store_next(store, statement, &failure)) {
        const void *blob = sqlite3_column_blob(statement, 1);
        if (!blob || (size_t)sqlite3_column_bytes(statement, 1) != n_dims * sizeof(uint16_t)) {
            g_set_error(&failure, RETRIEVAL_ERROR, RETRIEVAL_ERROR_FORMAT,
                        "%s: a vector has the wrong size", store->path);
            break;
        }
        if (cancel && g_atomic_int_get(cancel)) {
            g_set_error_literal(&failure, RETRIEVAL_ERROR, RETRIEVAL_ERROR_CANCELLED, "cancelled");
            break;
        }
        retrieval_unpack_halves(blob, n_dims, values);
        each(sqlite3_column_int64(statement, 0), values, user_data, &failure);
    }
    sqlite3_reset(statement);
    if (!failure) return TRUE;
    g_propagate_error(error, failure);
    return FALSE;
}

/* Vectors on their way into an index, by the thousand: FAISS multiplies matrices. */
typedef struct {
    enum { BATCH = 4096 } batch;
    retrieval_vectors *vectors;
    uint32_t n_dims;
    size_t n;
    int64_t *ids;
    float *values;
} appender;

static gboolean
append_batch(appender *a, GError **error)
{
    const size_t n = a->n;
    a->n = 0;
    return retrieval_vectors_add(a->vectors, a->ids, a->values, n, error);
}

static gboolean
append_one(int64_t id, const float *values, void *user_data, GError **error)
{
    appender *a = user_data;
    a->ids[a->n] = id;
    memcpy(a->values + a->n * a->n_dims, values, a->n_dims * sizeof *values);
    return ++a->n < BATCH || append_batch(a, error);
}

/* Append the database's vectors of chunks newer than the index's last. */
static gboolean
append_newer(retrieval_store *store, retrieval_vectors *vectors, const int *cancel, GError **error)
{
    appender a = {.vectors = vectors, .n_dims = retrieval_vectors_n_dims(vectors)};
    g_autofree int64_t *ids = a.ids = g_new(int64_t, BATCH);
    g_autofree float *values = a.values = g_new(float, (size_t)BATCH *a.n_dims);
    return for_each_vector(store, a.n_dims, retrieval_vectors_last_id(vectors), append_one, &a,
                           cancel, error) &&
           append_batch(&a, error);
}

/* Every step-th vector. */
typedef struct {
    size_t step, seen, n, max;
    uint32_t n_dims;
    float *values;
} sampler;

static gboolean
sample_one(int64_t id, const float *values, void *user_data, GError **error)
{
    sampler *s = user_data;
    (void)id;
    (void)error;
    if (s->seen++ % s->step == 0 && s->n < s->max)
        memcpy(s->values + s->n++ * s->n_dims, values, s->n_dims * sizeof *values);
    return TRUE;
}

/* ---- bringing an index up to date ---- */

static gboolean
is_kept(int64_t id, void *user_data)
{
    const int64_t *last = user_data;
    return id <= *last;
}

typedef struct {
    retrieval_store *store;
    GError *failure;
} chunk_lookup;

static gboolean
is_chunk(int64_t id, void *user_data)
{
    chunk_lookup *lookup = user_data;
    if (lookup->failure) return TRUE;
    sqlite3_stmt *statement = retrieval_store_get(lookup->store, STORE_HAS_CHUNK, &lookup->failure);
    if (!statement) return TRUE;
    sqlite3_bind_int64(statement, 1, id);
    const gboolean has = retrieval_store_next(lookup->store, statement, &lookup->failure);
    sqlite3_reset(statement);
    return has || lookup->failure;
}

/* Make vectors, those of version base, those of the store's snapshot. is_usable: they are. */
static gboolean
bring_forward(retrieval_store *store, retrieval_vectors *vectors, const retrieval_version *base,
              gboolean *is_usable, GError **error)
{
    retrieval_store_change change;
    int64_t through;
    *is_usable = FALSE;
    if (!retrieval_store_get_change(store, base, &change, error) ||
        !retrieval_store_get_compact_through(store, &through, error))
        return FALSE;
    if (change == RETRIEVAL_CHANGE_OTHER) return TRUE;
    if (change == RETRIEVAL_CHANGE_EMBEDDED) {
        if (through == 0) return TRUE; /* the database has them all */
        if (retrieval_vectors_remove(vectors, is_kept, &through, error) < 0) return FALSE;
    }
    if (change != RETRIEVAL_CHANGE_GREW) {
        chunk_lookup lookup = {store, NULL};
        const gssize n = retrieval_vectors_remove(vectors, is_chunk, &lookup, error);
        if (lookup.failure) {
            g_propagate_error(error, lookup.failure);
            return FALSE;
        }
        if (n < 0) return FALSE;
    }
    *is_usable = TRUE;
    return append_newer(store, vectors, NULL, error);
}

/* Keep library->vectors when they can become those of version; else drop them. */
static gboolean
advance_or_drop(retrieval_library *library, retrieval_store *store,
                const retrieval_version *version, GError **error)
{
    gboolean is_usable = FALSE;
    if (!library->vectors || retrieval_version_equal(&library->vectors_version, version))
        return TRUE;
    const gboolean done =
        bring_forward(store, library->vectors, &library->vectors_version, &is_usable, error);
    library->file_is_current = FALSE;
    if (done && is_usable)
        library->vectors_version = *version;
    else
        g_clear_pointer(&library->vectors, retrieval_vectors_free);
    return done;
}

/* With vectors_lock held for writing. A missing, damaged or foreign file is no error: it can be made again. */
static void
load_file(retrieval_library *library, uint32_t n_dims)
{
    library->vectors =
        retrieval_vectors_load(library->vectors_path, n_dims, &library->vectors_version, NULL);
    library->file_is_current = library->vectors != NULL;
}

/* With vectors_lock held for writing. */
static gboolean
refresh(retrieval_library *library, retrieval_store *store, const retrieval_version *version,
        GError **error)
{
    uint32_t n_dims;
    if (!advance_or_drop(library, store, version, error)) return FALSE;
    if (library->vectors) return TRUE;
    if (!retrieval_stored_dims(store, &n_dims, error)) return FALSE;
    if (n_dims == 0) return TRUE;

    load_file(library, n_dims);
    if (!advance_or_drop(library, store, version, error)) return FALSE;
    if (library->vectors) return TRUE;

    g_autoptr(retrieval_vectors) vectors = retrieval_vectors_new(n_dims, error);
    if (!vectors || !append_newer(store, vectors, NULL, error)) return FALSE;
    library->vectors = g_steal_pointer(&vectors);
    library->vectors_version = *version;
    library->file_is_current = FALSE;
    return TRUE;
}

/* A search in an older snapshot uses newer vectors: what is not in the snapshot is not found there. */
static gboolean
is_fresh(const retrieval_library *library, const retrieval_version *version)
{
    return library->vectors && (library->vectors_version.generation > version->generation ||
                                retrieval_version_equal(&library->vectors_version, version));
}

/* Where there is a GPU to search with: are the vectors in its memory, or known not to fit? */
static gboolean
is_placed(const retrieval_library *library)
{
    return !library->searcher || !library->vectors || retrieval_vectors_is_placed(library->vectors);
}

gboolean
retrieval_library_lock_vectors(retrieval_library *library, retrieval_store *store, GError **error)
{
    retrieval_version version;
    if (!retrieval_store_get_version(store, &version, error)) return FALSE;
    g_rw_lock_reader_lock(&library->vectors_lock);
    if (is_fresh(library, &version) && is_placed(library)) return TRUE;
    g_rw_lock_reader_unlock(&library->vectors_lock);

    g_rw_lock_writer_lock(&library->vectors_lock);
    const gboolean done = is_fresh(library, &version) || refresh(library, store, &version, error);
    if (done && !is_placed(library))
        retrieval_vectors_use_device(library->vectors, library->searcher);
    g_rw_lock_writer_unlock(&library->vectors_lock);
    if (done) g_rw_lock_reader_lock(&library->vectors_lock);
    return done;
}

char *
retrieval_library_describe_searcher(retrieval_library *library)
{
    g_rw_lock_reader_lock(&library->vectors_lock);
    char *text = library->vectors ? retrieval_vectors_describe_searcher(library->vectors) : NULL;
    g_rw_lock_reader_unlock(&library->vectors_lock);
    return text;
}

/* ---- writing ---- */

/* A larger index on its way. The thread has the rebuild to itself until it is joined. */
struct retrieval_rebuild {
    GThread *thread;
    retrieval_store *store; /* in a read transaction: the snapshot */
    retrieval_version version;
    retrieval_index_kind kind;
    uint32_t n_dims;
    size_t n;
    int is_unwanted;            /* atomic */
    retrieval_vectors *vectors; /* the result, NULL with failure */
    GError *failure;
};

/* An index of the kind that so many vectors deserve, from the snapshot. */
static retrieval_vectors *
build(struct retrieval_rebuild *r, GError **error)
{
    const size_t wanted = retrieval_vectors_sample_size(r->kind, r->n);
    g_autofree float *values = g_try_malloc_n(MAX(wanted, 1) * r->n_dims, sizeof *values);
    if (!values) {
        g_set_error(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_IO, "no memory for %zu vectors",
                    wanted);
        return NULL;
    }
    sampler s = {.step = MAX(r->n / MAX(wanted, 1), 1),
                 .max = wanted,
                 .n_dims = r->n_dims,
                 .values = values};
    if (!for_each_vector(r->store, r->n_dims, 0, sample_one, &s, &r->is_unwanted, error))
        return NULL;
    g_autoptr(retrieval_vectors) vectors =
        retrieval_vectors_new_trained(r->kind, r->n_dims, r->n, values, s.n, error);
    if (!vectors || !append_newer(r->store, vectors, &r->is_unwanted, error)) return NULL;
    return g_steal_pointer(&vectors);
}

static gpointer
run_rebuild(gpointer data)
{
    struct retrieval_rebuild *r = data;
    r->vectors = build(r, &r->failure);
    return NULL;
}

static void
rebuild_free(retrieval_library *library, struct retrieval_rebuild *r)
{
    if (r->thread) g_thread_join(r->thread);
    retrieval_store_rollback(r->store); /* only read */
    retrieval_library_return(library, r->store);
    retrieval_vectors_free(r->vectors);
    g_clear_error(&r->failure);
    g_free(r);
}

void
retrieval_library_stop_rebuild(retrieval_library *library)
{
    if (!library->rebuild) return;
    g_atomic_int_set(&library->rebuild->is_unwanted, TRUE);
    rebuild_free(library, g_steal_pointer(&library->rebuild));
}

/* Does the database have all vectors, and so many that they deserve another kind of index than there is? */
static gboolean
is_rebuild_due(retrieval_library *library, struct retrieval_rebuild *r, gboolean *is_due,
               GError **error)
{
    retrieval_store *store = library->store;
    int64_t through;
    uint64_t n;
    *is_due = FALSE;
    if (!retrieval_stored_dims(store, &r->n_dims, error) ||
        !retrieval_store_get_compact_through(store, &through, error) ||
        !retrieval_store_count_vectors(store, through, &n, error))
        return FALSE;
    r->n = n;
    r->kind = retrieval_library_kind_for(library, n);
    if (r->n_dims == 0 || through > 0 || r->kind == RETRIEVAL_INDEX_EXACT) return TRUE;
    g_rw_lock_writer_lock(&library->vectors_lock);
    if (!library->vectors) load_file(library, r->n_dims);
    *is_due = !library->vectors || r->kind > retrieval_vectors_kind(library->vectors);
    g_rw_lock_writer_unlock(&library->vectors_lock);
    return TRUE;
}

/* With the lock held, so that the snapshot is the database as it was looked at: where another kind of index is due, begin
 * to build it, and never hold all vectors in the kind that they outgrow. Searches go on with what is there. */
static gboolean
start_rebuild(retrieval_library *library, GError **error)
{
    struct retrieval_rebuild plan = {0};
    gboolean is_due = FALSE;
    if (!is_rebuild_due(library, &plan, &is_due, error)) return FALSE;
    if (!is_due) return TRUE;
    plan.store = retrieval_library_borrow(library, error);
    if (!plan.store) return FALSE;
    struct retrieval_rebuild *r = g_new(struct retrieval_rebuild, 1);
    *r = plan;
    if (!retrieval_store_exec(r->store, STORE_BEGIN_READ, error) ||
        !retrieval_store_get_version(r->store, &r->version, error)) {
        rebuild_free(library, r);
        return FALSE;
    }
    r->thread = g_thread_try_new("lode-rebuild", run_rebuild, r, NULL);
    if (!r->thread) run_rebuild(r); /* the system has no more of them: here and now */
    library->rebuild = r;
    return TRUE;
}

/* With the lock held: wait for what start_rebuild began. It takes the place of what there is, unless its vectors are not
 * those of the database any more, as when chunks that it passed over have vectors now: then it was for nothing. */
static gboolean
finish_rebuild(retrieval_library *library, GError **error)
{
    struct retrieval_rebuild *r = g_steal_pointer(&library->rebuild);
    retrieval_store_change change;
    if (!r) return TRUE;
    if (r->thread) g_thread_join(g_steal_pointer(&r->thread));
    gboolean done = r->vectors != NULL;
    if (!done)
        g_propagate_error(error, g_steal_pointer(&r->failure));
    else
        done = retrieval_store_get_change(library->store, &r->version, &change, error);
    if (done && (change == RETRIEVAL_CHANGE_GREW || change == RETRIEVAL_CHANGE_REMOVED)) {
        g_rw_lock_writer_lock(&library->vectors_lock);
        retrieval_vectors_free(library->vectors);
        library->vectors = g_steal_pointer(&r->vectors);
        library->vectors_version = r->version;
        library->file_is_current = FALSE;
        g_rw_lock_writer_unlock(&library->vectors_lock);
    }
    rebuild_free(library, r);
    return done;
}

static gboolean
save_file(retrieval_library *library, GError **error)
{
    if (!library->vectors || retrieval_vectors_count(library->vectors) == 0) {
        if (g_unlink(library->vectors_path) == 0 || errno == ENOENT) return TRUE;
        g_set_error(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_IO, "%s: %s", library->vectors_path,
                    g_strerror(errno));
        return FALSE;
    }
    if (library->file_is_current && g_file_test(library->vectors_path, G_FILE_TEST_EXISTS))
        return TRUE;
    if (!retrieval_vectors_save(library->vectors, library->vectors_path, &library->vectors_version,
                                error))
        return FALSE;
    library->file_is_current = TRUE;
    if (retrieval_vectors_kind(library->vectors) == RETRIEVAL_INDEX_EXACT) return TRUE;
    /* what stood in memory is in the file now, and is had from there */
    retrieval_version version;
    retrieval_vectors *mapped = retrieval_vectors_load(
        library->vectors_path, retrieval_vectors_n_dims(library->vectors), &version, error);
    if (!mapped) return FALSE;
    g_rw_lock_writer_lock(&library->vectors_lock);
    retrieval_vectors_free(library->vectors);
    library->vectors = mapped;
    g_rw_lock_writer_unlock(&library->vectors_lock);
    return TRUE;
}

/* Vectors that the file has leave the database. */
static gboolean
drop_saved_vectors(retrieval_library *library, GError **error)
{
    retrieval_store *store = library->store;
    int64_t n_missing;
    if (!library->vectors || retrieval_vectors_kind(library->vectors) != RETRIEVAL_INDEX_PRODUCT)
        return TRUE;
    /* what has no vector yet must be found by what stands behind the last one */
    if (!retrieval_store_count_missing(store, &n_missing, error)) return FALSE;
    if (n_missing > 0) return TRUE;
    const int64_t last = retrieval_vectors_last_id(library->vectors);
    g_autofree char *through = g_strdup_printf("%" G_GINT64_FORMAT, last);
    if (!retrieval_store_exec(store, STORE_BEGIN_WRITE, error)) return FALSE;
    sqlite3_stmt *statement = retrieval_store_get(store, STORE_DROP_VECTORS, error);
    if (statement) {
        sqlite3_bind_int64(statement, 1, last);
        if (retrieval_store_run(store, statement, error) &&
            retrieval_store_set_setting(store, "compact_through", through, error) &&
            retrieval_store_exec(store, STORE_COMMIT, error))
            return retrieval_store_shrink(store, error);
    }
    retrieval_store_rollback(store);
    return FALSE;
}

/* Searches of this process may have got as far already. */
static gboolean
refresh_for_commit(retrieval_library *library, GError **error)
{
    retrieval_version version;
    if (!retrieval_store_exec(library->store, STORE_BEGIN_READ, error)) return FALSE;
    gboolean done = retrieval_store_get_version(library->store, &version, error);
    if (done) {
        g_rw_lock_writer_lock(&library->vectors_lock);
        done = refresh(library, library->store, &version, error);
        g_rw_lock_writer_unlock(&library->vectors_lock);
    }
    retrieval_store_rollback(library->store); /* only read */
    return done;
}

/* With the lock held; nobody else writes: what the index is after that it stays until the lock is given back. */
static gboolean
bring_vectors_up(retrieval_library *library, gboolean wait, GError **error)
{
    if (!finish_rebuild(library, error) || !start_rebuild(library, error)) return FALSE;
    if (library->rebuild && !wait) return TRUE; /* the file stays what it is until then */
    return finish_rebuild(library, error) && refresh_for_commit(library, error) &&
           save_file(library, error) && drop_saved_vectors(library, error);
}

static gboolean
commit(retrieval_library *library, gboolean wait, GError **error)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&library->lock);
    (void)locker;
    if (!retrieval_library_is_writable(library, error)) return FALSE;
    library->n_waiting = 0;
    return bring_vectors_up(library, wait, error) &&
           retrieval_library_compact_words(library, error) &&
           retrieval_store_purge(library->store, error);
}

gboolean
retrieval_library_commit(retrieval_library *library, GError **error)
{
    return commit(library, TRUE, error);
}

gboolean
retrieval_library_commit_some(retrieval_library *library, GError **error)
{
    return commit(library, FALSE, error);
}
