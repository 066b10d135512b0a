/* A database of schema 5 or 6 -> one of schema 7.
 *
 * 5 kept the order of a document's chunks in a column with an index of its own; 6 says of a document where its chunks
 * begin and how many there are, for they were always written one after the other. 7 keeps what a chunk's row says besides
 * section and text in one column (about.c), and finds its document by that range. Words files of before are of another
 * form: their words go back into FTS5, from where the next commit takes them. Pages keep the size that the file was made
 * with. */
#include "retrieval/about.h"
#include "retrieval/store.h"

static const char from_5[] =
    "ALTER TABLE documents ADD COLUMN first_chunk INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE documents ADD COLUMN n_chunks INTEGER NOT NULL DEFAULT 0;"
    "UPDATE documents SET"
    " first_chunk = coalesce((SELECT min(c.id) FROM chunks c WHERE c.document = documents.id), 0),"
    " n_chunks = (SELECT count(*) FROM chunks c WHERE c.document = documents.id);";

/* Chunks that do not stand where their document says. */
static const char strays_of_5[] =
    "SELECT 1 FROM chunks c LEFT JOIN documents d ON d.id = c.document"
    " WHERE d.id IS NULL OR c.ordinal <> c.id - d.first_chunk OR c.ordinal >= d.n_chunks LIMIT 1";
static const char strays_of_6[] =
    "SELECT 1 FROM chunks c LEFT JOIN documents d ON d.id = c.document"
    " WHERE d.id IS NULL OR c.id < d.first_chunk OR c.id >= d.first_chunk + d.n_chunks LIMIT 1";

static const char prepare[] =
    "DROP VIEW chunk_text; DROP VIEW indexed_text;"
    "ALTER TABLE documents ADD COLUMN frame BLOB;" RETRIEVAL_CREATE_RANGES RETRIEVAL_CREATE_CHUNKS(
        "chunks_new");

static const char finish[] =
    /* ids of what was deleted are not given out again */
    "DELETE FROM sqlite_sequence WHERE name = 'chunks_new';"
    "INSERT INTO sqlite_sequence(name, seq)"
    " SELECT 'chunks_new', seq FROM sqlite_sequence WHERE name = 'chunks';"
    "DROP TABLE chunks;"
    "ALTER TABLE chunks_new RENAME TO chunks;" RETRIEVAL_CREATE_VIEWS "PRAGMA user_version = 7;";

static gboolean
exec(retrieval_store *store, const char *sql, GError **error)
{
    if (sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK) return TRUE;
    retrieval_store_fail(store, error);
    return FALSE;
}

static int
note_row(void *seen, int n, char **values, char **names)
{
    (void)n, (void)values, (void)names;
    *(gboolean *)seen = TRUE;
    return 0;
}

static gboolean
has_rows(retrieval_store *store, const char *sql, gboolean *has, GError **error)
{
    *has = FALSE;
    if (sqlite3_exec(store->db, sql, note_row, has, NULL) == SQLITE_OK) return TRUE;
    retrieval_store_fail(store, error);
    return FALSE;
}

static gboolean
check_order(retrieval_store *store, int version, GError **error)
{
    gboolean found;
    if (!has_rows(store, version == 5 ? strays_of_5 : strays_of_6, &found, error)) return FALSE;
    if (!found) return TRUE;
    g_set_error(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_FORMAT,
                "%s: the passages of a document do not follow each other: make the library anew "
                "with 'lode index FILES -L DIR'",
                store->path);
    return FALSE;
}

/* ---- rows ---- */

typedef struct {
    retrieval_store *store;
    sqlite3_stmt *read, *insert, *frame;
} rewriter;

static void
rewriter_clear(rewriter *w)
{
    sqlite3_finalize(w->read);
    sqlite3_finalize(w->insert);
    sqlite3_finalize(w->frame);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(rewriter, rewriter_clear)

/* A chunk of a document that is being rewritten. */
typedef struct {
    int64_t id;
    char *section, *text;
    int n_section, n_text;
    retrieval_about about;
} old_chunk;

static void
old_chunk_free(gpointer data)
{
    old_chunk *chunk = data;
    retrieval_about_clear(&chunk->about);
    g_free(chunk->section);
    g_free(chunk->text);
    g_free(chunk);
}

static char *
copy_text(sqlite3_stmt *row, int column, int *len)
{
    const void *text = sqlite3_column_text(row, column);
    *len = sqlite3_column_bytes(row, column);
    return g_memdup2(text ? text : "", (gsize)*len + 1);
}

/* What cannot be read of its places is left out. */
static old_chunk *
read_chunk(sqlite3_stmt *row)
{
    old_chunk *chunk = g_new0(old_chunk, 1);
    retrieval_about *about = &chunk->about;
    chunk->id = sqlite3_column_int64(row, 0);
    chunk->section = copy_text(row, 1, &chunk->n_section);
    chunk->text = copy_text(row, 2, &chunk->n_text);
    const char *type = (const char *)sqlite3_column_text(row, 3);
    if (!type || !layout_block_type_from_name(type, &about->type))
        about->type = LAYOUT_BLOCK_PARAGRAPH;
    about->first_block = sqlite3_column_int(row, 4);
    about->last_block = sqlite3_column_int(row, 5);
    about->first_page = sqlite3_column_int(row, 6);
    about->last_page = sqlite3_column_int(row, 7);
    about->page_label = g_strdup((const char *)sqlite3_column_text(row, 8));
    about->places = g_array_new(FALSE, FALSE, sizeof(retrieval_place));
    const void *bytes = sqlite3_column_blob(row, 9);
    retrieval_unpack_places(bytes, (size_t)sqlite3_column_bytes(row, 9), NULL, 0, about->places);
    if (sqlite3_column_type(row, 10) != SQLITE_NULL) {
        bytes = sqlite3_column_blob(row, 10);
        about->calls = g_bytes_new(bytes, (gsize)sqlite3_column_bytes(row, 10));
    }
    return chunk;
}

static gboolean
write_chunk(rewriter *w, const old_chunk *chunk, const retrieval_frame *frame, GError **error)
{
    g_autoptr(GBytes) packed = retrieval_pack_about(&chunk->about, frame, (size_t)chunk->n_text);
    gsize size = 0;
    const void *bytes = g_bytes_get_data(packed, &size);
    sqlite3_bind_int64(w->insert, 1, chunk->id);
    sqlite3_bind_text(w->insert, 2, chunk->section, chunk->n_section, SQLITE_STATIC);
    sqlite3_bind_text(w->insert, 3, chunk->text, chunk->n_text, SQLITE_STATIC);
    sqlite3_bind_blob64(w->insert, 4, bytes, size, SQLITE_STATIC);
    return retrieval_store_run(w->store, w->insert, error);
}

/* The chunks of one document, which follow each other. */
static gboolean
write_document(rewriter *w, int64_t document, const GPtrArray *chunks, GError **error)
{
    g_autoptr(GPtrArray) lists = g_ptr_array_new();
    for (guint i = 0; i < chunks->len; i++)
        g_ptr_array_add(lists, ((const old_chunk *)chunks->pdata[i])->about.places);
    const retrieval_frame frame = retrieval_frame_of(lists);
    for (guint i = 0; i < chunks->len; i++)
        if (!write_chunk(w, chunks->pdata[i], &frame, error)) return FALSE;
    g_autoptr(GBytes) packed = retrieval_pack_frame(&frame);
    gsize size = 0;
    const void *bytes = g_bytes_get_data(packed, &size);
    sqlite3_bind_int64(w->frame, 1, document);
    sqlite3_bind_blob64(w->frame, 2, bytes, size, SQLITE_STATIC);
    return retrieval_store_run(w->store, w->frame, error);
}

/* Also of documents without chunks: they would be given the same frame today. */
static gboolean
rewrite(retrieval_store *store, GError **error)
{
    g_auto(rewriter) w = {.store = store};
    GError *failure = NULL;
    if (sqlite3_prepare_v2(store->db,
                           "SELECT c.id, c.section, c.text, c.type, c.first_block, c.last_block,"
                           " c.first_page, c.last_page, c.page_label, c.places, c.calls, d.id"
                           " FROM documents d LEFT JOIN chunks c ON c.id BETWEEN d.first_chunk"
                           " AND d.first_chunk + d.n_chunks - 1 ORDER BY d.id, c.id",
                           -1, &w.read, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(store->db,
                           "INSERT INTO chunks_new(id, section, text, about) VALUES(?1, ?2, ?3, "
                           "?4)",
                           -1, &w.insert, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(store->db, "UPDATE documents SET frame = ?2 WHERE id = ?1", -1, &w.frame,
                           NULL) != SQLITE_OK) {
        retrieval_store_fail(store, error);
        return FALSE;
    }
    g_autoptr(GPtrArray) chunks = g_ptr_array_new_with_free_func(old_chunk_free);
    int64_t document = 0;
    while (!failure && retrieval_store_next(store, w.read, &failure)) {
        const int64_t of = sqlite3_column_int64(w.read, 11);
        if (document != 0 && of != document) {
            if (!write_document(&w, document, chunks, &failure)) break;
            g_ptr_array_set_size(chunks, 0);
        }
        document = of;
        if (sqlite3_column_type(w.read, 0) != SQLITE_NULL)
            g_ptr_array_add(chunks, read_chunk(w.read));
    }
    if (!failure && document != 0) write_document(&w, document, chunks, &failure);
    if (!failure) return TRUE;
    g_propagate_error(error, failure);
    return FALSE;
}

static gboolean
take_words_back(retrieval_store *store, GError **error)
{
    gboolean has;
    return has_rows(store, "SELECT 1 FROM settings WHERE key = 'words_file'", &has, error) &&
           (!has || retrieval_store_rebuild_fulltext(store, error));
}

gboolean
retrieval_store_upgrade(retrieval_store *store, int version, GError **error)
{
    /* else the old table would take its vectors along, and the views would be in the way of the new one's name */
    if (!exec(store, "PRAGMA foreign_keys = OFF; PRAGMA legacy_alter_table = ON", error))
        return FALSE;
    const gboolean done = exec(store, "BEGIN IMMEDIATE", error) &&
                          (version > 5 || exec(store, from_5, error)) &&
                          check_order(store, version, error) && exec(store, prepare, error) &&
                          rewrite(store, error) && exec(store, finish, error) &&
                          take_words_back(store, error) && exec(store, "COMMIT", error);
    if (!done) retrieval_store_rollback(store);
    return exec(store, "PRAGMA foreign_keys = ON; PRAGMA legacy_alter_table = OFF",
                done ? error : NULL) &&
           done && retrieval_store_shrink(store, error);
}
