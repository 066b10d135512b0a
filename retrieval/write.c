/* What goes into a library and out of it: embedded first, then written in one transaction, so that the
 * database is locked for milliseconds and a kill leaves all of a document or nothing of it. */
#include "retrieval/library.h"

#include <string.h>

#include "retrieval/about.h"
#include "retrieval/calls.h"
#include "retrieval/chunk.h"
#include "retrieval/half.h"

static gboolean
is_cancelled(const int *cancel, GError **error)
{
    if (!cancel || !g_atomic_int_get(cancel)) return FALSE;
    g_set_error_literal(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_CANCELLED, "cancelled");
    return TRUE;
}

/* One document on its way in. */
typedef struct {
    const char *path, *sha256, *title;
    int n_pages;
    const retrieval_metadata *metadata; /* but its title; NULL: nothing is known */
    const lode_document *document;      /* for page labels; NULL: none */
    GPtrArray *chunks;                  /* of retrieval_chunk */
    const float *vectors;               /* [chunks->len, n_dims], NULL: none */
} record;

static gboolean
insert_vector(retrieval_library *library, int64_t chunk, const float *vector, GChecksum *digest,
              GError **error)
{
    const uint32_t n = library->n_dims;
    g_autofree uint16_t *halves = g_new(uint16_t, n);
    retrieval_pack_halves(vector, n, halves);
    if (digest) g_checksum_update(digest, (const guchar *)halves, (gssize)(n * sizeof *halves));
    sqlite3_stmt *statement = retrieval_store_get(library->store, STORE_INSERT_VECTOR, error);
    if (!statement) return FALSE;
    sqlite3_bind_int64(statement, 1, chunk);
    sqlite3_bind_blob(statement, 2, halves, (int)(n * sizeof *halves), SQLITE_STATIC);
    return retrieval_store_run(library->store, statement, error);
}

static void
digest_string(GChecksum *digest, const char *text)
{
    g_checksum_update(digest, (const guchar *)text, (gssize)strlen(text) + 1);
}

static gboolean
insert_chunk(retrieval_library *library, const record *r, const retrieval_frame *frame, guint index,
             GChecksum *digest, int64_t *chunk_id, GError **error)
{
    const retrieval_chunk *chunk = r->chunks->pdata[index];
    retrieval_store *store = library->store;
    const char *label = NULL;
    if (r->document && chunk->first_page >= 0 && (guint)chunk->first_page < r->document->n_pages)
        label = r->document->pages[chunk->first_page].label;
    g_autoptr(GArray) found = r->document ? retrieval_find_calls(r->document, chunk) : NULL;
    g_autoptr(GBytes) calls = found ? retrieval_pack_calls(found) : NULL;
    const retrieval_about about = {.type = chunk->type,
                                   .first_block = chunk->first_block,
                                   .last_block = chunk->last_block,
                                   .first_page = chunk->first_page,
                                   .last_page = chunk->last_page,
                                   .page_label = (char *)label, /* lent, as the rest */
                                   .calls = calls,
                                   .places = chunk->places};
    g_autoptr(GBytes) packed = retrieval_pack_about(&about, frame, strlen(chunk->text));

    sqlite3_stmt *statement = retrieval_store_get(store, STORE_INSERT_CHUNK, error);
    if (!statement) return FALSE;
    sqlite3_bind_text(statement, 1, chunk->section, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 2, chunk->text, -1, SQLITE_STATIC);
    gsize n_bytes = 0;
    const void *bytes = g_bytes_get_data(packed, &n_bytes);
    sqlite3_bind_blob64(statement, 3, bytes, n_bytes, SQLITE_STATIC);
    if (!retrieval_store_run(store, statement, error)) return FALSE;
    const int64_t id = *chunk_id = sqlite3_last_insert_rowid(store->db);

    statement = retrieval_store_get(store, STORE_INDEX_CHUNK, error);
    if (!statement) return FALSE;
    sqlite3_bind_int64(statement, 1, id);
    sqlite3_bind_text(statement, 2, r->title, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 3, chunk->section, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 4, chunk->text, -1, SQLITE_STATIC);
    if (!retrieval_store_run(store, statement, error)) return FALSE;

    digest_string(digest, chunk->section);
    digest_string(digest, chunk->text);
    if (!r->vectors) return TRUE;
    return insert_vector(library, id, r->vectors + (size_t)index * library->n_dims, digest, error);
}

/* The bibliography. */
static gboolean
insert_entries(retrieval_store *store, const lode_document *document, int64_t id, GError **error)
{
    for (guint i = 0; i < document->n_references; i++) {
        const layout_reference *r = &document->references[i];
        const char *const texts[] = {r->key,     document->blocks[r->block].text,
                                     r->authors, r->title,
                                     r->venue,   r->year,
                                     r->doi,     r->arxiv,
                                     r->url};
        sqlite3_stmt *statement = retrieval_store_get(store, STORE_INSERT_ENTRY, error);
        if (!statement) return FALSE;
        sqlite3_bind_int64(statement, 1, id);
        sqlite3_bind_int64(statement, 2, i);
        for (int k = 0; k < (int)G_N_ELEMENTS(texts); k++)
            if (texts[k]) sqlite3_bind_text(statement, 3 + k, texts[k], -1, SQLITE_STATIC);
        if (!retrieval_store_run(store, statement, error)) return FALSE;
    }
    return TRUE;
}

static gboolean
run_on_document(retrieval_store *store, store_statement which, int64_t id, GError **error)
{
    sqlite3_stmt *statement = retrieval_store_get(store, which, error);
    if (!statement) return FALSE;
    sqlite3_bind_int64(statement, 1, id);
    return retrieval_store_run(store, statement, error);
}

/* Run a statement whose second parameter is the last chunk with its words in a file. */
static gboolean
run_on_words(retrieval_store *store, store_statement which, int64_t id, GError **error)
{
    int64_t through;
    if (!retrieval_store_get_words_through(store, &through, error)) return FALSE;
    sqlite3_stmt *statement = retrieval_store_get(store, which, error);
    if (!statement) return FALSE;
    sqlite3_bind_int64(statement, 1, id);
    sqlite3_bind_int64(statement, 2, through);
    return retrieval_store_run(store, statement, error);
}

static gboolean
delete_document(retrieval_store *store, int64_t id, GError **error)
{
    return run_on_words(store, STORE_UNINDEX_DOCUMENT, id, error) &&
           run_on_document(store, STORE_DELETE_CHUNKS, id, error) &&
           run_on_document(store, STORE_DELETE_DOCUMENT, id, error);
}

/* Authors, year, venue, doi and arxiv into five parameters from first on; NULL where not known. What is returned
 * is to be freed after the statement has run. */
static char *
bind_metadata(sqlite3_stmt *statement, int first, const retrieval_metadata *metadata)
{
    if (!metadata) return NULL;
    char *authors =
        metadata->authors && *metadata->authors ? g_strjoinv("\n", metadata->authors) : NULL;
    if (authors) sqlite3_bind_text(statement, first, authors, -1, SQLITE_STATIC);
    if (metadata->year) sqlite3_bind_int(statement, first + 1, metadata->year);
    const char *const texts[] = {metadata->venue, metadata->doi, metadata->arxiv};
    for (int i = 0; i < (int)G_N_ELEMENTS(texts); i++)
        if (texts[i] && *texts[i])
            sqlite3_bind_text(statement, first + 2 + i, texts[i], -1, SQLITE_STATIC);
    return authors;
}

static retrieval_frame
frame_of(const record *r)
{
    g_autoptr(GPtrArray) lists = g_ptr_array_new();
    for (guint i = 0; i < r->chunks->len; i++)
        g_ptr_array_add(lists, ((const retrieval_chunk *)r->chunks->pdata[i])->places);
    return retrieval_frame_of(lists);
}

/* Inside a transaction. */
static gboolean
write_record(retrieval_library *library, const record *r, GError **error)
{
    retrieval_store *store = library->store;
    int64_t old;
    if (!retrieval_store_find_document(store, r->path, &old, NULL, error)) return FALSE;
    if (old && !delete_document(store, old, error)) return FALSE;

    sqlite3_stmt *statement = retrieval_store_get(store, STORE_INSERT_DOCUMENT, error);
    if (!statement) return FALSE;
    sqlite3_bind_text(statement, 1, r->path, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 2, r->sha256, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 3, r->title, -1, SQLITE_STATIC);
    sqlite3_bind_int(statement, 4, r->n_pages);
    g_autofree char *authors = bind_metadata(statement, 5, r->metadata);
    const retrieval_frame frame = frame_of(r);
    g_autoptr(GBytes) packed = retrieval_pack_frame(&frame);
    gsize n_bytes = 0;
    const void *bytes = g_bytes_get_data(packed, &n_bytes);
    sqlite3_bind_blob64(statement, 10, bytes, n_bytes, SQLITE_STATIC);
    if (!retrieval_store_run(store, statement, error)) return FALSE;
    const int64_t id = sqlite3_last_insert_rowid(store->db);

    g_autoptr(GChecksum) digest = g_checksum_new(G_CHECKSUM_SHA256);
    digest_string(digest, r->title);
    int64_t chunk = 0;
    for (guint i = 0; i < r->chunks->len; i++)
        if (!insert_chunk(library, r, &frame, i, digest, &chunk, error)) return FALSE;
    /* in one transaction, so that they follow each other */
    const int64_t first_chunk = chunk - (int64_t)r->chunks->len + 1;
    if (!retrieval_store_set_chunks(store, id, first_chunk, r->chunks->len, error)) return FALSE;
    if (r->document && !insert_entries(store, r->document, id, error)) return FALSE;
    return retrieval_store_append_journal(store, old ? "replace" : "add", r->path, r->sha256,
                                          g_checksum_get_string(digest), error);
}

/* Inside a transaction, before vectors are written: the library becomes this embedder's. */
static gboolean
record_embedder(retrieval_library *library, GError **error)
{
    char n_dims[16];
    g_snprintf(n_dims, sizeof n_dims, "%u", library->n_dims);
    return retrieval_store_set_setting(library->store, "embedder_id", library->embedder_id,
                                       error) &&
           retrieval_store_set_setting(library->store, "n_dims", n_dims, error);
}

gboolean
retrieval_library_is_writable(const retrieval_library *library, GError **error)
{
    if (library->writable) return TRUE;
    g_set_error(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_IO, "%s: opened for reading", library->dir);
    return FALSE;
}

gboolean
retrieval_library_in_transaction(retrieval_library *library,
                                 gboolean (*write)(retrieval_library *, void *, GError **),
                                 void *data, GError **error)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&library->lock);
    (void)locker;
    if (!retrieval_library_is_writable(library, error)) return FALSE;
    if (!retrieval_store_exec(library->store, STORE_BEGIN_WRITE, error)) return FALSE;
    if (write(library, data, error) && retrieval_store_exec(library->store, STORE_COMMIT, error))
        return TRUE;
    retrieval_store_rollback(library->store);
    return FALSE;
}

typedef struct {
    const record *records;
    size_t n;
} record_list;

static gboolean
write_records(retrieval_library *library, void *data, GError **error)
{
    const record_list *list = data;
    if (library->embed && !record_embedder(library, error)) return FALSE;
    for (size_t i = 0; i < list->n; i++)
        if (!write_record(library, &list->records[i], error)) return FALSE;
    return TRUE;
}

/* After a transaction that added so many. */
static gboolean
commit_when_many(retrieval_library *library, size_t n_chunks, GError **error)
{
    g_mutex_lock(&library->lock);
    library->n_waiting += n_chunks;
    const gboolean is_due = library->n_waiting >= library->most_waiting;
    g_mutex_unlock(&library->lock);
    return !is_due || retrieval_library_commit_some(library, error);
}

/* Embed all chunks of all records in one call, then store the records in one transaction. */
static gboolean
add_records(retrieval_library *library, record *records, size_t n, const int *cancel,
            GError **error)
{
    g_autofree float *vectors = NULL;
    if (is_cancelled(cancel, error)) return FALSE;
    if (library->embed) {
        g_autoptr(GPtrArray) contexts = g_ptr_array_new_with_free_func(g_free);
        for (size_t i = 0; i < n; i++) {
            for (guint j = 0; j < records[i].chunks->len; j++) {
                const retrieval_chunk *chunk = records[i].chunks->pdata[j];
                g_ptr_array_add(contexts, retrieval_chunk_context(records[i].title, chunk->section,
                                                                  chunk->text));
            }
        }
        vectors = g_new(float, ((size_t)contexts->len + 1) * library->n_dims);
        if (contexts->len > 0 &&
            !retrieval_library_embed(library, (const char *const *)contexts->pdata, contexts->len,
                                     vectors, cancel, error))
            return FALSE;
        size_t first = 0;
        for (size_t i = 0; i < n; i++) {
            records[i].vectors = vectors + first * library->n_dims;
            first += records[i].chunks->len;
        }
    }
    if (is_cancelled(cancel, error)) return FALSE;
    record_list list = {records, n};
    size_t n_chunks = 0;
    for (size_t i = 0; i < n; i++)
        n_chunks += records[i].chunks->len;
    return retrieval_library_in_transaction(library, write_records, &list, error) &&
           commit_when_many(library, n_chunks, error);
}

static int
year_of(const char *text)
{
    guint64 year = 0;
    return text && g_ascii_string_to_unsigned(text, 10, 1000, 9999, &year, NULL) ? (int)year : 0;
}

gboolean
retrieval_library_add(retrieval_library *library, const char *path, const lode_document *document,
                      const retrieval_chunk_options *options, const int *cancel, GError **error)
{
    const layout_metadata *meta = &document->meta;
    g_autofree char *base = g_path_get_basename(path);
    g_autofree char *name = g_filename_display_name(base);
    g_autoptr(GPtrArray) chunks = retrieval_chunk_document(document, options);
    const char *title = meta->title && *meta->title ? meta->title : meta->source_name;
    /* the strings are the document's */
    const retrieval_metadata metadata = {.authors = (char **)meta->authors,
                                         .year = year_of(meta->year),
                                         .doi = (char *)meta->doi,
                                         .arxiv = (char *)meta->arxiv};
    record r = {.path = path,
                .sha256 = meta->source_sha256 ? meta->source_sha256 : "",
                .title = title && *title ? title : name,
                .n_pages = (int)document->n_pages,
                .metadata = &metadata,
                .document = document,
                .chunks = chunks};
    if (add_records(library, &r, 1, cancel, error)) return TRUE;
    g_prefix_error(error, "%s: ", name);
    return FALSE;
}

gboolean
retrieval_library_add_passages(retrieval_library *library, const retrieval_passage *passages,
                               size_t n, const int *cancel, GError **error)
{
    g_autoptr(GPtrArray) owned = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GPtrArray) lists = g_ptr_array_new_with_free_func((GDestroyNotify)g_ptr_array_unref);
    g_autofree record *records = g_new0(record, n + 1);
    for (size_t i = 0; i < n; i++) {
        char *title = g_utf8_make_valid(passages[i].title ? passages[i].title : "", -1);
        retrieval_chunk *chunk = retrieval_chunk_new(LAYOUT_BLOCK_PARAGRAPH);
        chunk->text = g_utf8_make_valid(passages[i].text ? passages[i].text : "", -1);
        chunk->section = g_strdup("");
        GPtrArray *chunks = g_ptr_array_new_with_free_func((GDestroyNotify)retrieval_chunk_free);
        g_ptr_array_add(chunks, chunk);
        g_ptr_array_add(lists, chunks);
        g_ptr_array_add(owned, title);

        g_autoptr(GChecksum) digest = g_checksum_new(G_CHECKSUM_SHA256);
        digest_string(digest, title);
        digest_string(digest, chunk->text);
        char *sha256 = g_strdup(g_checksum_get_string(digest));
        g_ptr_array_add(owned, sha256);
        records[i] =
            (record){.path = passages[i].id, .sha256 = sha256, .title = title, .chunks = chunks};
    }
    return add_records(library, records, n, cancel, error);
}

gboolean
retrieval_library_add_passage(retrieval_library *library, const char *id, const char *title,
                              const char *text, GError **error)
{
    retrieval_passage passage = {.id = id, .title = title, .text = text};
    return retrieval_library_add_passages(library, &passage, 1, NULL, error);
}

typedef struct {
    const char *path;
    const retrieval_metadata *metadata;
} metadata_change;

static gboolean
write_metadata(retrieval_library *library, void *data, GError **error)
{
    const metadata_change *change = data;
    retrieval_store *store = library->store;
    int64_t id;
    g_autofree char *sha256 = NULL;
    if (!retrieval_store_find_document(store, change->path, &id, &sha256, error)) return FALSE;
    if (id == 0) {
        g_set_error(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_NOT_FOUND, "%s: not in the library",
                    change->path);
        return FALSE;
    }
    const char *title = change->metadata->title;
    const gboolean retitle = title && *title;
    if (retitle && !run_on_words(store, STORE_UNINDEX_DOCUMENT, id, error)) return FALSE;
    sqlite3_stmt *statement = retrieval_store_get(store, STORE_UPDATE_METADATA, error);
    if (!statement) return FALSE;
    sqlite3_bind_int64(statement, 1, id);
    if (retitle) sqlite3_bind_text(statement, 2, title, -1, SQLITE_STATIC);
    g_autofree char *authors = bind_metadata(statement, 3, change->metadata);
    if (!retrieval_store_run(store, statement, error)) return FALSE;
    if (retitle && (!run_on_document(store, STORE_REINDEX_DOCUMENT, id, error) ||
                    !run_on_words(store, STORE_REWORD_DOCUMENT, id, error)))
        return FALSE;
    return retrieval_store_append_journal(store, "describe", change->path, sha256 ? sha256 : "", "",
                                          error);
}

gboolean
retrieval_library_set_metadata(retrieval_library *library, const char *path,
                               const retrieval_metadata *metadata, GError **error)
{
    metadata_change change = {path, metadata};
    return retrieval_library_in_transaction(library, write_metadata, &change, error);
}

static gboolean
remove_path(retrieval_library *library, void *data, GError **error)
{
    const char *path = data;
    int64_t id;
    g_autofree char *sha256 = NULL;
    if (!retrieval_store_find_document(library->store, path, &id, &sha256, error)) return FALSE;
    if (id == 0) {
        g_set_error(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_NOT_FOUND, "%s: not in the library",
                    path);
        return FALSE;
    }
    /* the chain of states goes on, the name is forgotten with the document */
    if (!delete_document(library->store, id, error) ||
        !retrieval_store_append_journal(library->store, "remove", path, sha256 ? sha256 : "", "",
                                        error))
        return FALSE;
    sqlite3_stmt *forget = retrieval_store_get(library->store, STORE_FORGET_PATH, error);
    if (!forget) return FALSE;
    sqlite3_bind_text(forget, 1, path, -1, SQLITE_STATIC);
    return retrieval_store_run(library->store, forget, error);
}

gboolean
retrieval_library_remove(retrieval_library *library, const char *path, GError **error)
{
    g_autofree char *copy = g_strdup(path);
    return retrieval_library_in_transaction(library, remove_path, copy, error);
}

/* ---- vectors for chunks that came without ---- */

typedef struct {
    GArray *ids; /* of int64_t */
    float *vectors;
} vector_batch;

static gboolean
write_vectors(retrieval_library *library, void *data, GError **error)
{
    const vector_batch *batch = data;
    g_autoptr(GChecksum) digest = g_checksum_new(G_CHECKSUM_SHA256);
    if (!record_embedder(library, error)) return FALSE;
    for (guint i = 0; i < batch->ids->len; i++) {
        if (!insert_vector(library, g_array_index(batch->ids, int64_t, i),
                           batch->vectors + (size_t)i * library->n_dims, digest, error))
            return FALSE;
    }
    return retrieval_store_append_journal(library->store, "embed", "", "",
                                          g_checksum_get_string(digest), error);
}

static gboolean
find_missing(retrieval_library *library, int64_t after, GArray *ids, GPtrArray *contexts,
             GError **error)
{
    enum { BATCH = 256 };
    GError *failure = NULL;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&library->lock);
    (void)locker;
    sqlite3_stmt *statement =
        retrieval_store_get(library->store, STORE_CHUNKS_WITHOUT_VECTOR, error);
    if (!statement) return FALSE;
    sqlite3_bind_int64(statement, 1, after);
    sqlite3_bind_int(statement, 2, BATCH);
    while (retrieval_store_next(library->store, statement, &failure)) {
        int64_t id = sqlite3_column_int64(statement, 0);
        g_array_append_val(ids, id);
        g_ptr_array_add(contexts,
                        retrieval_chunk_context((const char *)sqlite3_column_text(statement, 1),
                                                (const char *)sqlite3_column_text(statement, 2),
                                                (const char *)sqlite3_column_text(statement, 3)));
    }
    if (!failure) return TRUE;
    g_propagate_error(error, failure);
    return FALSE;
}

static gboolean
get_compact_through(retrieval_library *library, int64_t *through, GError **error)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&library->lock);
    (void)locker;
    return retrieval_store_get_compact_through(library->store, through, error);
}

gboolean
retrieval_library_embed_missing(retrieval_library *library, const int *cancel, GError **error)
{
    int64_t after;
    if (!library->embed) {
        g_set_error(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_EMBEDDER,
                    "%s: opened without an embedder", library->dir);
        return FALSE;
    }
    if (!get_compact_through(library, &after, error)) return FALSE;
    for (;;) {
        g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(int64_t));
        g_autoptr(GPtrArray) contexts = g_ptr_array_new_with_free_func(g_free);
        if (is_cancelled(cancel, error) || !find_missing(library, after, ids, contexts, error))
            return FALSE;
        if (ids->len == 0) return TRUE;
        g_autofree float *vectors = g_new(float, (size_t)ids->len * library->n_dims);
        if (!retrieval_library_embed(library, (const char *const *)contexts->pdata, ids->len,
                                     vectors, cancel, error))
            return FALSE;
        vector_batch batch = {ids, vectors};
        if (!retrieval_library_in_transaction(library, write_vectors, &batch, error)) return FALSE;
        after = g_array_index(ids, int64_t, ids->len - 1);
    }
}
