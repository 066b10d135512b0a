/* What keeps a library sound, and what makes one of two. */
#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

#include "retrieval/library.h"

#include "retrieval/half.h"

/* ---- looking ---- */

typedef struct {
    void (*problem)(const char *line, void *user_data);
    void *user_data;
    guint n;
} examination;

static void
report(examination *e, char *line)
{
    e->n++;
    if (e->problem) e->problem(line, e->user_data);
    g_free(line);
}

static void
report_words(char *line, void *user_data)
{
    report(user_data, line);
}

static gboolean
examine_vectors(retrieval_library *library, retrieval_store *store, examination *e, GError **error)
{
    uint32_t n_dims;
    retrieval_version version, stamp;
    int64_t through, n_missing;
    if (!retrieval_stored_dims(store, &n_dims, error) ||
        !retrieval_store_get_version(store, &version, error) ||
        !retrieval_store_get_compact_through(store, &through, error) ||
        !retrieval_store_count_missing(store, &n_missing, error))
        return FALSE;
    if (n_dims == 0) return TRUE;
    if (n_missing > 0)
        report(e, g_strdup_printf("%" G_GINT64_FORMAT " passages have no vector", n_missing));
    g_autoptr(GError) failure = NULL;
    g_autoptr(retrieval_vectors) vectors =
        retrieval_vectors_load(library->vectors_path, n_dims, &stamp, &failure);
    uint64_t n_wanted = 0;
    if (!retrieval_store_count_vectors(store, through, &n_wanted, error)) return FALSE;
    if (!vectors)
        report(e, g_strdup_printf("%s%s", failure->message,
                                  through > 0 ? "; the vectors in it are lost" : ""));
    else if (!retrieval_version_equal(&stamp, &version))
        report(e, g_strdup_printf("%s: of another state than the database", library->vectors_path));
    else if (retrieval_vectors_count(vectors) != n_wanted)
        report(e, g_strdup_printf("%s: %zu vectors, not %" G_GUINT64_FORMAT, library->vectors_path,
                                  retrieval_vectors_count(vectors), n_wanted));
    return TRUE;
}

static gboolean
examine(retrieval_library *library, retrieval_store *store, examination *e, GError **error)
{
    g_autoptr(GError) failure = NULL;
    if (!retrieval_store_check(store, &failure))
        report(e, g_strdup_printf("database: %s", failure->message));
    return retrieval_library_examine_words(library, report_words, e, error) &&
           examine_vectors(library, store, e, error);
}

gboolean
retrieval_library_verify(retrieval_library *library,
                         void (*problem)(const char *line, void *user_data), void *user_data,
                         guint *n_problems, GError **error)
{
    examination e = {problem, user_data, 0};
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&library->lock);
    (void)locker;
    const gboolean done = examine(library, library->store, &e, error);
    *n_problems = e.n;
    return done;
}

/* ---- mending ---- */

static gboolean
forget_vectors(retrieval_library *library, void *data, GError **error)
{
    (void)data;
    static const char *const settings[] = {"embedder_id", "n_dims", "compact_through"};
    retrieval_store *store = library->store;
    sqlite3_stmt *statement = retrieval_store_get(store, STORE_DROP_VECTORS, error);
    if (!statement) return FALSE;
    sqlite3_bind_int64(statement, 1, G_MAXINT64);
    if (!retrieval_store_run(store, statement, error)) return FALSE;
    for (gsize i = 0; i < G_N_ELEMENTS(settings); i++) {
        statement = retrieval_store_get(store, STORE_UNSET_SETTING, error);
        if (!statement) return FALSE;
        sqlite3_bind_text(statement, 1, settings[i], -1, SQLITE_STATIC);
        if (!retrieval_store_run(store, statement, error)) return FALSE;
    }
    return retrieval_store_append_journal(store, "reembed", "", "", "", error);
}

gboolean
retrieval_library_forget_vectors(retrieval_library *library, GError **error)
{
    return retrieval_library_in_transaction(library, forget_vectors, NULL, error);
}

/* Vectors that were nowhere else are gone with the file. */
static gboolean
vectors_are_lost(retrieval_library *library, gboolean *lost, GError **error)
{
    int64_t through;
    uint32_t n_dims;
    retrieval_version stamp;
    retrieval_store_change change = RETRIEVAL_CHANGE_OTHER;
    *lost = FALSE;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&library->lock);
    (void)locker;
    if (!retrieval_store_get_compact_through(library->store, &through, error) ||
        !retrieval_stored_dims(library->store, &n_dims, error))
        return FALSE;
    if (through == 0) {
        if (g_unlink(library->vectors_path) == 0 || errno == ENOENT) return TRUE;
        g_set_error(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_IO, "%s: %s", library->vectors_path,
                    g_strerror(errno));
        return FALSE;
    }
    g_autoptr(retrieval_vectors) vectors =
        retrieval_vectors_load(library->vectors_path, n_dims, &stamp, NULL);
    if (vectors && !retrieval_store_get_change(library->store, &stamp, &change, error))
        return FALSE;
    *lost = !vectors || change == RETRIEVAL_CHANGE_OTHER;
    return TRUE;
}

static gboolean
rebuild_fulltext(retrieval_library *library, void *data, GError **error)
{
    (void)data;
    return retrieval_store_rebuild_fulltext(library->store, error);
}

gboolean
retrieval_library_repair(retrieval_library *library, GError **error)
{
    gboolean lost;
    return retrieval_library_in_transaction(library, rebuild_fulltext, NULL, error) &&
           vectors_are_lost(library, &lost, error) &&
           (!lost || retrieval_library_forget_vectors(library, error)) &&
           retrieval_library_commit(library, error);
}

/* ---- two into one ---- */

enum {
    ID_OF_DOCUMENT = 10
}; /* column of STORE_COPY_DOCUMENTS; those before it are what is copied */

typedef struct {
    retrieval_store *from;
    retrieval_vectors *vectors; /* of from; NULL: the database has them */
    sqlite3_stmt *document;     /* a row of STORE_COPY_DOCUMENTS */
    uint32_t n_dims;            /* 0: no vectors */
    const char *embedder_id;
    gboolean is_known;
} merge;

static void
bind_row(sqlite3_stmt *to, sqlite3_stmt *from, int n)
{
    for (int i = 0; i < n; i++)
        sqlite3_bind_value(to, i + 1, sqlite3_column_value(from, i));
}

static gboolean
copy_vector(merge *m, retrieval_store *store, int64_t from_chunk, int64_t chunk, GError **error)
{
    GError *failure = NULL;
    g_autofree uint16_t *halves = g_new(uint16_t, m->n_dims);
    g_autofree float *values = g_new(float, m->n_dims);
    gsize n_bytes = m->n_dims * sizeof *halves;
    sqlite3_stmt *row = retrieval_store_get(m->from, STORE_GET_VECTOR, error);
    if (!row) return FALSE;
    sqlite3_bind_int64(row, 1, from_chunk);
    gboolean found = retrieval_store_next(m->from, row, &failure) &&
                     (gsize)sqlite3_column_bytes(row, 0) == n_bytes;
    if (found) memcpy(halves, sqlite3_column_blob(row, 0), n_bytes);
    sqlite3_reset(row);
    if (!found && !failure && m->vectors &&
        retrieval_vectors_get(m->vectors, from_chunk, values, &failure)) {
        retrieval_pack_halves(values, m->n_dims, halves);
        found = TRUE;
    }
    if (failure) {
        g_propagate_error(error, failure);
        return FALSE;
    }
    if (!found) return TRUE;
    row = retrieval_store_get(store, STORE_INSERT_VECTOR, error);
    if (!row) return FALSE;
    sqlite3_bind_int64(row, 1, chunk);
    sqlite3_bind_blob(row, 2, halves, (int)n_bytes, SQLITE_STATIC);
    return retrieval_store_run(store, row, error);
}

static gboolean
copy_chunks(merge *m, retrieval_store *store, int64_t document, GChecksum *digest, GError **error)
{
    GError *failure = NULL;
    int64_t first = 0;
    guint n = 0;
    sqlite3_stmt *row = retrieval_store_get(m->from, STORE_COPY_CHUNKS, error);
    if (!row) return FALSE;
    sqlite3_bind_int64(row, 1, sqlite3_column_int64(m->document, ID_OF_DOCUMENT));
    while (!failure && retrieval_store_next(m->from, row, &failure)) {
        sqlite3_stmt *insert = retrieval_store_get(store, STORE_INSERT_CHUNK, &failure);
        if (!insert) break;
        bind_row(insert, row, 3);
        const char *text = (const char *)sqlite3_column_text(row, 1);
        g_checksum_update(digest, (const guchar *)(text ? text : ""), -1);
        if (!retrieval_store_run(store, insert, &failure)) break;
        const int64_t chunk = sqlite3_last_insert_rowid(store->db);
        if (n++ == 0) first = chunk;
        if (m->n_dims > 0) copy_vector(m, store, sqlite3_column_int64(row, 3), chunk, &failure);
    }
    sqlite3_reset(row);
    if (!failure) return retrieval_store_set_chunks(store, document, first, n, error);
    g_propagate_error(error, failure);
    return FALSE;
}

static gboolean
copy_entries(merge *m, retrieval_store *store, int64_t document, GError **error)
{
    GError *failure = NULL;
    sqlite3_stmt *row = retrieval_store_get(m->from, STORE_COPY_ENTRIES, error);
    if (!row) return FALSE;
    sqlite3_bind_int64(row, 1, sqlite3_column_int64(m->document, ID_OF_DOCUMENT));
    sqlite3_bind_int64(row, 2, document);
    while (!failure && retrieval_store_next(m->from, row, &failure)) {
        sqlite3_stmt *insert = retrieval_store_get(store, STORE_INSERT_ENTRY, &failure);
        if (!insert) break;
        bind_row(insert, row, 11);
        retrieval_store_run(store, insert, &failure);
    }
    sqlite3_reset(row);
    if (!failure) return TRUE;
    g_propagate_error(error, failure);
    return FALSE;
}

static gboolean
record_embedder_of(const merge *m, retrieval_store *store, GError **error)
{
    char n_dims[16];
    g_snprintf(n_dims, sizeof n_dims, "%u", m->n_dims);
    return m->n_dims == 0 ||
           (retrieval_store_set_setting(store, "embedder_id", m->embedder_id, error) &&
            retrieval_store_set_setting(store, "n_dims", n_dims, error));
}

static gboolean
copy_document(retrieval_library *library, void *data, GError **error)
{
    merge *m = data;
    retrieval_store *store = library->store;
    int64_t old;
    const char *path = (const char *)sqlite3_column_text(m->document, 0);
    const char *sha256 = (const char *)sqlite3_column_text(m->document, 1);
    if (!retrieval_store_find_document(store, path, &old, NULL, error)) return FALSE;
    m->is_known = old != 0;
    if (m->is_known) return TRUE;
    sqlite3_stmt *insert = retrieval_store_get(store, STORE_INSERT_DOCUMENT, error);
    if (!insert) return FALSE;
    bind_row(insert, m->document, ID_OF_DOCUMENT);
    if (!retrieval_store_run(store, insert, error)) return FALSE;
    const int64_t id = sqlite3_last_insert_rowid(store->db);
    g_autoptr(GChecksum) digest = g_checksum_new(G_CHECKSUM_SHA256);
    if (!copy_chunks(m, store, id, digest, error) || !copy_entries(m, store, id, error))
        return FALSE;
    sqlite3_stmt *index = retrieval_store_get(store, STORE_REINDEX_DOCUMENT, error);
    if (!index) return FALSE;
    sqlite3_bind_int64(index, 1, id);
    return retrieval_store_run(store, index, error) && record_embedder_of(m, store, error) &&
           retrieval_store_append_journal(store, "add", path, sha256, g_checksum_get_string(digest),
                                          error);
}

static gboolean
copy_documents(retrieval_library *library, merge *m, const int *cancel,
               retrieval_merge_report *counts, GError **error)
{
    GError *failure = NULL;
    m->document = retrieval_store_get(m->from, STORE_COPY_DOCUMENTS, error);
    if (!m->document) return FALSE;
    while (!failure && retrieval_store_next(m->from, m->document, &failure)) {
        if (cancel && g_atomic_int_get(cancel)) {
            g_set_error_literal(&failure, RETRIEVAL_ERROR, RETRIEVAL_ERROR_CANCELLED, "cancelled");
        } else if (retrieval_library_in_transaction(library, copy_document, m, &failure)) {
            if (m->is_known)
                counts->n_known++;
            else
                counts->n_added++;
        }
    }
    sqlite3_reset(m->document);
    if (!failure) return TRUE;
    g_propagate_error(error, failure);
    return FALSE;
}

gboolean
retrieval_library_merge(retrieval_library *library, const char *dir, const int *cancel,
                        retrieval_merge_report *report_out, GError **error)
{
    const retrieval_embedder none = {0};
    retrieval_stats ours, theirs;
    int64_t through;
    *report_out = (retrieval_merge_report){0};
    g_autoptr(retrieval_library) other =
        retrieval_library_open_with(dir, RETRIEVAL_OPEN_READ, &none, error);
    if (!other || !retrieval_library_get_stats(library, &ours, error)) return FALSE;
    g_autofree char *our_embedder = ours.embedder_id;
    if (!retrieval_library_get_stats(other, &theirs, error)) return FALSE;
    g_autofree char *their_embedder = theirs.embedder_id;
    if (ours.n_dims > 0 && theirs.n_dims > 0 &&
        (ours.n_dims != theirs.n_dims || strcmp(our_embedder, their_embedder) != 0)) {
        g_set_error(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_EMBEDDER,
                    "%s: made with the embedder %s, and %s with %s; give them the same one first: "
                    "lode index --reembed -L %s",
                    dir, their_embedder, library->dir, our_embedder, dir);
        return FALSE;
    }
    merge m = {.from = other->store, .n_dims = theirs.n_dims, .embedder_id = their_embedder};
    g_autoptr(retrieval_vectors) vectors = NULL;
    if (!retrieval_store_get_compact_through(other->store, &through, error)) return FALSE;
    if (through > 0) {
        retrieval_version stamp;
        m.vectors = vectors =
            retrieval_vectors_load(other->vectors_path, theirs.n_dims, &stamp, error);
        if (!vectors) return FALSE;
    }
    return copy_documents(library, &m, cancel, report_out, error) &&
           retrieval_library_commit(library, error);
}
