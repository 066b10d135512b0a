/* A library: opening it, asking about it, and when vectors.faiss is made.
 *
 * The database is the truth. vectors.faiss is a copy of its vectors, made by retrieval_library_commit and
 * stamped with the database's version. Killed between the two, or put together from two backups, the
 * stamp does not fit and the file is not used: a reader builds its index from the database, the next
 * commit writes the file anew. */
#include "retrieval/library.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "retrieval/error.h"
#include "retrieval/fulltext.h"
#include "retrieval/tokens.h"

#define MAX_DIMS 65536

/* An exact search of 384 dimensions takes 10 ms at 30,000 vectors. From 200,000 on, half-precision vectors in the
 * database would take 150 MB and more. */
#define EXACT_LIMIT 30000
#define WORDS_LIMIT                                                                                \
    10000 /* FTS5 takes 2 us for a passage with one of the words, a words file 10 ns */
#define SCALAR_LIMIT 200000
/* Until a commit FTS5 has their words, 550 bytes each, the database their vectors, and the next commit takes them all
 * into memory at once. */
#define MOST_WAITING 50000

/* ---- embedding ---- */

struct retrieval_engine_embedder {
    const engine_model *model;
    engine_pool *pool;
};

static gboolean
embed_with_engine(void *user_data, const char *const *texts, size_t n, float *out,
                  const int *cancel, GError **error)
{
    const struct retrieval_engine_embedder *engine = user_data;
    GError *failure = NULL;
    if (engine_embed(engine->model, engine->pool, texts, n, out, cancel, &failure)) return TRUE;
    retrieval_take_engine_error(error, failure);
    return FALSE;
}

gboolean
retrieval_library_embed(retrieval_library *library, const char *const *texts, size_t n, float *out,
                        const int *cancel, GError **error)
{
    if (!library->embed(library->embed_data, texts, n, out, cancel, error)) return FALSE;
    for (size_t i = 0; i < n; i++) {
        float *row = out + i * library->n_dims;
        double sum = 0.0;
        for (uint32_t j = 0; j < library->n_dims; j++)
            sum += (double)row[j] * (double)row[j];
        if (!isfinite(sum)) {
            g_set_error_literal(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_EMBEDDER,
                                "the embedder's answer is not a number");
            return FALSE;
        }
        const double scale = sum > 0.0 ? 1.0 / sqrt(sum) : 0.0;
        for (uint32_t j = 0; j < library->n_dims; j++)
            row[j] = (float)((double)row[j] * scale);
    }
    return TRUE;
}

/* ---- opening ---- */

static gboolean
take_writer_lock(retrieval_library *library, GError **error)
{
    if (g_mkdir_with_parents(library->dir, 0777) != 0) {
        g_set_error(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_IO, "%s: cannot make the folder: %s",
                    library->dir, g_strerror(errno));
        return FALSE;
    }
    g_autofree char *path = g_build_filename(library->dir, "library.lock", NULL);
    library->lock_fd = g_open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (library->lock_fd < 0) {
        g_set_error(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_IO, "%s: %s", path, g_strerror(errno));
        return FALSE;
    }
    /* the kernel drops it when this process ends, however it ends */
    int failed;
    do
        failed = flock(library->lock_fd, LOCK_EX | LOCK_NB);
    while (failed && errno == EINTR);
    if (!failed) return TRUE;
    if (errno == EWOULDBLOCK)
        g_set_error(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_BUSY,
                    "%s: another process writes to this library", library->dir);
    else
        g_set_error(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_IO, "%s: %s", path, g_strerror(errno));
    return FALSE;
}

gboolean
retrieval_stored_dims(retrieval_store *store, uint32_t *n_dims, GError **error)
{
    GError *failure = NULL;
    g_autofree char *text = retrieval_store_get_setting(store, "n_dims", &failure);
    guint64 value = 0;
    *n_dims = 0;
    if (failure) {
        g_propagate_error(error, failure);
        return FALSE;
    }
    if (text && !g_ascii_string_to_unsigned(text, 10, 1, MAX_DIMS, &value, NULL)) {
        g_set_error(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_FORMAT, "%s: n_dims is '%s'",
                    store->path, text);
        return FALSE;
    }
    *n_dims = (uint32_t)value;
    return TRUE;
}

static gboolean
check_embedder(retrieval_library *library, gboolean reembed, GError **error)
{
    uint32_t n_dims;
    GError *failure = NULL;
    if (!library->embed) return TRUE;
    g_autofree char *id = retrieval_store_get_setting(library->store, "embedder_id", &failure);
    if (failure) {
        g_propagate_error(error, failure);
        return FALSE;
    }
    if (!retrieval_stored_dims(library->store, &n_dims, error)) return FALSE;
    if (!id || (strcmp(id, library->embedder_id) == 0 && n_dims == library->n_dims)) return TRUE;
    if (library->writable && reembed) return retrieval_library_forget_vectors(library, error);
    g_set_error(
        error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_EMBEDDER,
        "%s: made with the embedder %s (%u dimensions), not with %s (%u); to change to this one: "
        "lode index --reembed -L %s",
        library->dir, id, n_dims, library->embedder_id, library->n_dims, library->dir);
    return FALSE;
}

/* An index of other words would find nothing, without a word. */
static gboolean
check_tokenizer(retrieval_library *library, retrieval_open_mode mode, GError **error)
{
    GError *failure = NULL;
    if (mode == RETRIEVAL_OPEN_REPAIR) return TRUE;
    g_autofree char *version = retrieval_store_get_setting(library->store, "tokenizer", &failure);
    if (failure) {
        g_propagate_error(error, failure);
        return FALSE;
    }
    if (g_strcmp0(version, RETRIEVAL_TOKENIZER_VERSION) == 0) return TRUE;
    g_set_error(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_FORMAT,
                "%s: its full-text index has the words of %s, this program's are %s; make it anew: "
                "lode library repair %s",
                library->dir, version ? version : "an unknown tokenizer",
                RETRIEVAL_TOKENIZER_VERSION, library->dir);
    return FALSE;
}

retrieval_library *
retrieval_library_open_with(const char *dir, retrieval_open_mode mode,
                            const retrieval_embedder *embedder, GError **error)
{
    g_autoptr(retrieval_library) library = g_new0(retrieval_library, 1);
    g_mutex_init(&library->lock);
    g_mutex_init(&library->idle_lock);
    g_rw_lock_init(&library->vectors_lock);
    g_mutex_init(&library->words_lock);
    g_queue_init(&library->idle);
    library->dir = g_strdup(dir);
    library->vectors_path = g_build_filename(dir, "vectors.faiss", NULL);
    library->writable = mode != RETRIEVAL_OPEN_READ;
    library->lock_fd = -1;
    library->max_scored = RETRIEVAL_MAX_SCORED;
    library->words_limit = WORDS_LIMIT;
    library->most_waiting = MOST_WAITING;
    library->exact_limit = EXACT_LIMIT;
    library->scalar_limit = SCALAR_LIMIT;
    library->embed = embedder->embed;
    library->embed_data = embedder->user_data;
    library->searcher = embedder->searcher;
    library->n_dims = embedder->embed ? embedder->n_dims : 0;
    library->embedder_id = g_strdup(embedder->id ? embedder->id : "");
    library->query_prefix = g_strdup(embedder->query_prefix ? embedder->query_prefix : "");

    g_autofree char *path = g_build_filename(dir, "library.db", NULL);
    if (mode == RETRIEVAL_OPEN_REPAIR && !g_file_test(path, G_FILE_TEST_EXISTS)) {
        g_set_error(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_NOT_FOUND, "%s: no library there",
                    path);
        return NULL;
    }
    if (library->writable && !take_writer_lock(library, error)) return NULL;
    library->store = retrieval_store_open(path, library->writable, error);
    if (!library->store || !check_tokenizer(library, mode, error) ||
        !check_embedder(library, embedder->reembed, error))
        return NULL;
    if (library->writable) { /* what a killed writer left */
        g_autofree char *temporary = g_strconcat(library->vectors_path, ".tmp", NULL);
        g_unlink(temporary);
    }
    return g_steal_pointer(&library);
}

retrieval_library *
retrieval_library_open(const char *dir, retrieval_open_mode mode,
                       const retrieval_library_options *options, GError **error)
{
    retrieval_embedder embedder = {0};
    struct retrieval_engine_embedder *engine = NULL;
    if (options && options->embedder) {
        g_assert(options->pool && options->embedder_id);
        const engine_model_info *info = engine_model_get_info(options->embedder);
        if (info->kind != ENGINE_KIND_ENCODER || info->n_embd == 0 || info->n_embd > MAX_DIMS) {
            g_set_error(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_EMBEDDER,
                        "%s: not an embedding model", info->name);
            return NULL;
        }
        engine = g_new(struct retrieval_engine_embedder, 1);
        *engine = (struct retrieval_engine_embedder){options->embedder, options->pool};
        embedder = (retrieval_embedder){.embed = embed_with_engine,
                                        .user_data = engine,
                                        .n_dims = info->n_embd,
                                        .id = options->embedder_id,
                                        .query_prefix = options->query_prefix,
                                        .reembed = options->reembed};
        if (engine_model_has_device(options->embedder)) embedder.searcher = options->embedder;
    }
    retrieval_library *library = retrieval_library_open_with(dir, mode, &embedder, error);
    if (library)
        library->engine = engine;
    else
        g_free(engine);
    return library;
}

void
retrieval_library_free(retrieval_library *library)
{
    if (!library) return;
    retrieval_library_stop_rebuild(library);
    retrieval_store_free(library->store);
    g_queue_clear_full(&library->idle, (GDestroyNotify)retrieval_store_free);
    retrieval_vectors_free(library->vectors);
    retrieval_words_unref(library->words);
    g_free(library->words_name);
    if (library->lock_fd >= 0) close(library->lock_fd);
    g_free(library->dir);
    g_free(library->vectors_path);
    g_free(library->embedder_id);
    g_free(library->query_prefix);
    g_free(library->engine);
    g_mutex_clear(&library->lock);
    g_mutex_clear(&library->idle_lock);
    g_rw_lock_clear(&library->vectors_lock);
    g_mutex_clear(&library->words_lock);
    g_free(library);
}

/* ---- connections ---- */

retrieval_store *
retrieval_library_borrow(retrieval_library *library, GError **error)
{
    g_mutex_lock(&library->idle_lock);
    retrieval_store *store = g_queue_pop_head(&library->idle);
    g_mutex_unlock(&library->idle_lock);
    return store ? store : retrieval_store_open(library->store->path, FALSE, error);
}

void
retrieval_library_return(retrieval_library *library, retrieval_store *store)
{
    enum { MAX_IDLE = 8 };
    g_mutex_lock(&library->idle_lock);
    const gboolean keep = g_queue_get_length(&library->idle) < MAX_IDLE;
    if (keep) g_queue_push_head(&library->idle, store);
    g_mutex_unlock(&library->idle_lock);
    if (!keep) retrieval_store_free(store);
}

/* ---- asking ---- */

gboolean
retrieval_library_get_stats(retrieval_library *library, retrieval_stats *stats, GError **error)
{
    retrieval_version version;
    GError *failure = NULL;
    memset(stats, 0, sizeof *stats);
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&library->lock);
    (void)locker;
    int64_t through;
    if (!retrieval_store_get_compact_through(library->store, &through, error)) return FALSE;
    sqlite3_stmt *statement = retrieval_store_get(library->store, STORE_COUNT, error);
    if (statement) sqlite3_bind_int64(statement, 1, through);
    if (!statement || !retrieval_store_next(library->store, statement, error)) return FALSE;
    stats->n_documents = (uint64_t)sqlite3_column_int64(statement, 0);
    stats->n_chunks = (uint64_t)sqlite3_column_int64(statement, 1);
    stats->n_vectors = (uint64_t)sqlite3_column_int64(statement, 2);
    sqlite3_reset(statement);
    if (!retrieval_stored_dims(library->store, &stats->n_dims, error) ||
        !retrieval_store_get_version(library->store, &version, error))
        return FALSE;
    stats->generation = version.generation;
    char *id = retrieval_store_get_setting(library->store, "embedder_id", &failure);
    if (failure) {
        g_propagate_error(error, failure);
        return FALSE;
    }
    stats->embedder_id = id ? id : g_strdup("");
    return TRUE;
}

gboolean
retrieval_library_file_state(retrieval_library *library, const char *path, const char *sha256,
                             retrieval_file_state *state, GError **error)
{
    int64_t id;
    g_autofree char *stored = NULL;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&library->lock);
    (void)locker;
    if (!retrieval_store_find_document(library->store, path, &id, &stored, error)) return FALSE;
    if (id == 0)
        *state = RETRIEVAL_FILE_UNKNOWN;
    else
        *state = g_strcmp0(stored, sha256) == 0 ? RETRIEVAL_FILE_UNCHANGED : RETRIEVAL_FILE_CHANGED;
    return TRUE;
}

char **
retrieval_library_list(retrieval_library *library, GError **error)
{
    GError *failure = NULL;
    g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&library->lock);
    (void)locker;
    sqlite3_stmt *statement = retrieval_store_get(library->store, STORE_LIST_DOCUMENTS, error);
    if (!statement) return NULL;
    while (retrieval_store_next(library->store, statement, &failure))
        g_ptr_array_add(paths, g_strdup((const char *)sqlite3_column_text(statement, 0)));
    if (failure) {
        g_propagate_error(error, failure);
        return NULL;
    }
    g_ptr_array_add(paths, NULL);
    return (char **)g_ptr_array_free(g_steal_pointer(&paths), FALSE);
}

/* ---- for tests ---- */

static void
digest_row(GChecksum *digest, sqlite3_stmt *statement, int first_column)
{
    for (int i = first_column; i < sqlite3_column_count(statement); i++) {
        const int type = sqlite3_column_type(statement, i);
        const void *blob = sqlite3_column_blob(statement, i); /* numbers as text */
        const int n = sqlite3_column_bytes(statement, i);
        g_checksum_update(digest, (const guchar *)&type, sizeof type);
        g_checksum_update(digest, (const guchar *)&n, sizeof n);
        if (blob) g_checksum_update(digest, blob, n);
    }
}

char *
retrieval_library_dump_hash(retrieval_library *library, GError **error)
{
    GError *failure = NULL;
    g_autoptr(GChecksum) digest = g_checksum_new(G_CHECKSUM_SHA256);
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&library->lock);
    (void)locker;
    sqlite3_stmt *documents = retrieval_store_get(library->store, STORE_DUMP_DOCUMENTS, error);
    sqlite3_stmt *chunks =
        documents ? retrieval_store_get(library->store, STORE_DUMP_CHUNKS, error) : NULL;
    if (!chunks) return NULL;
    while (!failure && retrieval_store_next(library->store, documents, &failure)) {
        digest_row(digest, documents, 1);
        chunks = retrieval_store_get(library->store, STORE_DUMP_CHUNKS, &failure);
        if (!chunks) break;
        sqlite3_bind_int64(chunks, 1, sqlite3_column_int64(documents, 0));
        while (retrieval_store_next(library->store, chunks, &failure))
            digest_row(digest, chunks, 0);
    }
    sqlite3_reset(documents);
    if (!failure) return g_strdup(g_checksum_get_string(digest));
    g_propagate_error(error, failure);
    return NULL;
}

gboolean
retrieval_library_check(retrieval_library *library, GError **error)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&library->lock);
    (void)locker;
    return retrieval_store_check(library->store, error);
}
