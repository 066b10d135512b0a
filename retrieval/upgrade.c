/* A database of schema 5 -> one of schema 6.
 *
 * 5 kept the order of a document's chunks in a column with an index of its own; 6 says of a document where its chunks
 * begin and how many there are, for they were always written one after the other. Their places are packed anew, in fewer
 * bytes. Pages keep the size that the file was made with. */
#include "retrieval/places.h"
#include "retrieval/store.h"

static const char prepare[] =
    "ALTER TABLE documents ADD COLUMN first_chunk INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE documents ADD COLUMN n_chunks INTEGER NOT NULL DEFAULT 0;"
    "UPDATE documents SET"
    " first_chunk = coalesce((SELECT min(c.id) FROM chunks c WHERE c.document = documents.id), 0),"
    " n_chunks = (SELECT count(*) FROM chunks c WHERE c.document = documents.id);";

/* Chunks that do not stand where their document says. */
static const char strays[] =
    "SELECT 1 FROM chunks c LEFT JOIN documents d ON d.id = c.document"
    " WHERE d.id IS NULL OR c.ordinal <> c.id - d.first_chunk OR c.ordinal >= d.n_chunks LIMIT 1";

static const char rewrite[] = RETRIEVAL_CREATE_CHUNKS(
    "chunks_new") "INSERT INTO chunks_new(id, document, type, section, text, first_block, "
                  "last_block, first_page,"
                  " last_page, page_label, places, calls)"
                  " SELECT id, document, type, section, text, first_block, last_block, first_page, "
                  "last_page,"
                  " page_label, lode_repack(places), calls FROM chunks ORDER BY id;"
                  /* ids of what was deleted are not given out again */
                  "DELETE FROM sqlite_sequence WHERE name = 'chunks_new';"
                  "INSERT INTO sqlite_sequence(name, seq)"
                  " SELECT 'chunks_new', seq FROM sqlite_sequence WHERE name = 'chunks';"
                  "DROP TABLE chunks;"
                  "ALTER TABLE chunks_new RENAME TO chunks;"
                  "PRAGMA user_version = 6;";

/* lode_repack(places): what cannot be read stays as it is. */
static void
repack(sqlite3_context *context, int n, sqlite3_value **values)
{
    (void)n;
    g_autoptr(GArray) places = g_array_new(FALSE, FALSE, sizeof(retrieval_place));
    const void *old = sqlite3_value_blob(values[0]);
    if (!retrieval_unpack_places(old, (size_t)sqlite3_value_bytes(values[0]), places)) {
        sqlite3_result_value(context, values[0]);
        return;
    }
    g_autoptr(GBytes) packed = retrieval_pack_places(places);
    gsize size = 0;
    const void *bytes = g_bytes_get_data(packed, &size);
    sqlite3_result_blob64(context, bytes, size, SQLITE_TRANSIENT);
}

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
check_order(retrieval_store *store, GError **error)
{
    gboolean found = FALSE;
    if (sqlite3_exec(store->db, strays, note_row, &found, NULL) != SQLITE_OK) {
        retrieval_store_fail(store, error);
        return FALSE;
    }
    if (!found) return TRUE;
    g_set_error(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_FORMAT,
                "%s: the passages of a document do not follow each other: make the library anew "
                "with 'lode index FILES -L DIR'",
                store->path);
    return FALSE;
}

gboolean
retrieval_store_upgrade(retrieval_store *store, GError **error)
{
    if (sqlite3_create_function_v2(store->db, "lode_repack", 1,
                                   SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY, NULL,
                                   repack, NULL, NULL, NULL) != SQLITE_OK) {
        retrieval_store_fail(store, error);
        return FALSE;
    }
    /* else the old table would take its vectors along, and the views would be in the way of the new one's name */
    if (!exec(store, "PRAGMA foreign_keys = OFF; PRAGMA legacy_alter_table = ON", error))
        return FALSE;
    const gboolean done = exec(store, "BEGIN IMMEDIATE", error) && exec(store, prepare, error) &&
                          check_order(store, error) && exec(store, rewrite, error) &&
                          exec(store, "COMMIT", error);
    if (!done) retrieval_store_rollback(store);
    return exec(store, "PRAGMA foreign_keys = ON; PRAGMA legacy_alter_table = OFF",
                done ? error : NULL) &&
           done && retrieval_store_shrink(store, error);
}
