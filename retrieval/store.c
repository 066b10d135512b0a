/* library.db: schema and statements.
 *
 *     settings    embedder_id, n_dims
 *     documents   one row per path, with what is known of it as a publication
 *     chunks      text, section and whatever else there is of passages. Those of a document follow each other: it says
 *                 which is the first, and how many there are
 *     embeddings  one half-precision vector per chunk; absent in a full-text library
 *     chunk_index FTS5 over title, section and text; keeps no text of its own, and only words of chunks behind the
 *                 setting words_through, and of those in reworded: the others are in a words file, see words.h
 *     reworded    chunks up to there whose words in the file are out of date
 *     entries     what the documents' bibliographies list; chunks.calls says where a chunk calls which
 *     journal     one row per change: the number of the last is the generation
 *
 * WAL with synchronous=FULL: a change that was reported done survives a power cut, a change that was not
 * leaves no trace. Ids are AUTOINCREMENT: never given out twice, so an id in an old run record can only be
 * missing, not wrong, and new vectors always have the highest ids. */
#include "retrieval/store.h"

#include <string.h>

#include "retrieval/fulltext.h"
#include "retrieval/selection.h"
#include "retrieval/tokens.h"

#define BUSY_MS 10000

static const char schema[] =
    "CREATE TABLE settings(key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE documents("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " path TEXT NOT NULL UNIQUE,"
    " sha256 TEXT NOT NULL,"
    " title TEXT NOT NULL,"
    " n_pages INTEGER NOT NULL,"
    " authors TEXT," /* one a line */
    " year INTEGER,"
    " venue TEXT,"
    " doi TEXT,"
    " arxiv TEXT,"
    " first_chunk INTEGER NOT NULL DEFAULT 0,"
    " n_chunks INTEGER NOT NULL DEFAULT 0,"
    " frame BLOB);" /* what about of its chunks is told by: places.h */
    RETRIEVAL_CREATE_RANGES RETRIEVAL_CREATE_CHUNKS(
        "chunks") "CREATE TABLE embeddings("
                  " chunk INTEGER PRIMARY KEY NOT NULL REFERENCES chunks(id) ON DELETE CASCADE,"
                  " vector BLOB NOT NULL);" /* binary16, little endian */
                  "CREATE TABLE reworded("
                  " chunk INTEGER PRIMARY KEY NOT NULL REFERENCES chunks(id) ON DELETE CASCADE);"
                  "CREATE TABLE entries("
                  " document INTEGER NOT NULL REFERENCES documents(id) ON DELETE CASCADE,"
                  " number INTEGER NOT NULL," /* from 0, in their order */
                  " key TEXT, text TEXT NOT NULL, authors TEXT, title TEXT, venue TEXT, year TEXT,"
                  " doi TEXT, arxiv TEXT, url TEXT,"
                  " PRIMARY KEY(document, number)) WITHOUT ROWID;"
                  "CREATE TABLE journal("
                  " generation INTEGER PRIMARY KEY NOT NULL,"
                  " action TEXT NOT NULL," /* add, replace, remove, embed, describe */
                  " path TEXT NOT NULL,"
                  " sha256 TEXT NOT NULL,"
                  " state BLOB NOT NULL);" RETRIEVAL_CREATE_VIEWS
                  "CREATE VIRTUAL TABLE chunk_index USING fts5(title, section, text,"
                  " content='indexed_text', content_rowid='id', tokenize='lode');"
                  "PRAGMA application_id = 1280263237;"
                  "PRAGMA user_version = 7;";

G_STATIC_ASSERT(RETRIEVAL_APPLICATION_ID == 1280263237);
G_STATIC_ASSERT(RETRIEVAL_SCHEMA_VERSION == 7);

#define DOCUMENT_WITH_CHUNKS                                                                       \
    "documents d JOIN chunks c ON c.id BETWEEN d.first_chunk AND d.first_chunk + d.n_chunks - 1 "

/* A chunk with its document. */
#define SELECT_HIT                                                                                 \
    "SELECT d.path, d.sha256, d.title, c.section, c.text,"                                         \
    " c.about, d.frame, c.id, d.id, c.id - d.first_chunk, d.authors,"                              \
    " d.year, d.venue, d.doi, d.arxiv FROM "

static const char *const statement_sql[STORE_N_STATEMENTS] = {
    [STORE_BEGIN_READ] = "BEGIN",
    [STORE_BEGIN_WRITE] = "BEGIN IMMEDIATE",
    [STORE_COMMIT] = "COMMIT",
    [STORE_ROLLBACK] = "ROLLBACK",
    [STORE_GET_SETTING] = "SELECT value FROM settings WHERE key = ?1",
    [STORE_SET_SETTING] = "INSERT INTO settings(key, value) VALUES(?1, ?2)"
                          " ON CONFLICT(key) DO UPDATE SET value = excluded.value",
    [STORE_GET_VERSION] = "SELECT generation, state FROM journal ORDER BY generation DESC LIMIT 1",
    [STORE_GET_STATE_AT] = "SELECT state FROM journal WHERE generation = ?1",
    [STORE_GET_CHANGES] =
        "SELECT coalesce(max(CASE action WHEN 'add' THEN 0 WHEN 'describe' THEN 0"
        " WHEN 'remove' THEN 1 WHEN 'replace' THEN 1 WHEN 'embed' THEN 2 ELSE 3 END), 0)"
        " FROM journal WHERE generation > ?1",
    [STORE_APPEND_JOURNAL] = "INSERT INTO journal(generation, action, path, sha256, state)"
                             " VALUES(?1, ?2, ?3, ?4, ?5)",
    [STORE_FORGET_PATH] = "UPDATE journal SET path = '', sha256 = '' WHERE path = ?1",
    [STORE_FIND_DOCUMENT] = "SELECT id, sha256 FROM documents WHERE path = ?1",
    [STORE_LIST_DOCUMENTS] = "SELECT path FROM documents ORDER BY path",
    [STORE_INSERT_DOCUMENT] =
        "INSERT INTO documents(path, sha256, title, n_pages, authors, year, venue, doi, arxiv,"
        " frame) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    [STORE_UPDATE_METADATA] =
        "UPDATE documents SET title = coalesce(?2, title), authors = coalesce(?3, authors),"
        " year = coalesce(?4, year), venue = coalesce(?5, venue), doi = coalesce(?6, doi),"
        " arxiv = coalesce(?7, arxiv) WHERE id = ?1",
    [STORE_GET_METADATA] =
        "SELECT title, authors, year, venue, doi, arxiv FROM documents WHERE path = ?1",
    [STORE_SET_CHUNKS] = "UPDATE documents SET first_chunk = ?2, n_chunks = ?3 WHERE id = ?1",
    [STORE_DELETE_CHUNKS] =
        "DELETE FROM chunks WHERE id BETWEEN (SELECT first_chunk FROM documents WHERE id = ?1)"
        " AND (SELECT first_chunk + n_chunks - 1 FROM documents WHERE id = ?1)",
    [STORE_DELETE_DOCUMENT] = "DELETE FROM documents WHERE id = ?1",
    [STORE_INSERT_CHUNK] = "INSERT INTO chunks(section, text, about) VALUES(?1, ?2, ?3)",
    [STORE_INDEX_CHUNK] =
        "INSERT INTO chunk_index(rowid, title, section, text) VALUES(?1, ?2, ?3, ?4)",
    /* an index without a text of its own forgets a row when told what the row said */
    [STORE_UNINDEX_DOCUMENT] =
        "INSERT INTO chunk_index(chunk_index, rowid, title, section, text)"
        " SELECT 'delete', c.id, d.title, c.section, c.text"
        " FROM " DOCUMENT_WITH_CHUNKS "WHERE d.id = ?1"
        " AND (c.id > ?2 OR EXISTS(SELECT 1 FROM reworded r WHERE r.chunk = c.id))",
    [STORE_REINDEX_DOCUMENT] =
        "INSERT INTO chunk_index(rowid, title, section, text) SELECT c.id, d.title, c.section,"
        " c.text FROM " DOCUMENT_WITH_CHUNKS "WHERE d.id = ?1",
    [STORE_REWORD_DOCUMENT] =
        "INSERT OR IGNORE INTO reworded(chunk)"
        " SELECT c.id FROM " DOCUMENT_WITH_CHUNKS "WHERE d.id = ?1 AND c.id <= ?2",
    [STORE_LIST_REWORDED] = "SELECT chunk FROM reworded ORDER BY chunk",
    [STORE_FORGET_REWORDED] = "DELETE FROM reworded",
    [STORE_COUNT_WORDLESS] = "SELECT count(*) FROM chunks WHERE id > ?1",
    [STORE_WORDLESS_CHUNKS] =
        "SELECT c.id, d.title, c.section, c.text FROM " RETRIEVAL_CHUNK_WITH_DOCUMENT
        "WHERE c.id > ?1 AND (c.id > ?2"
        " OR EXISTS(SELECT 1 FROM reworded r WHERE r.chunk = c.id)) ORDER BY c.id LIMIT ?3",
    [STORE_LIST_KEPT_CHUNKS] =
        "SELECT id FROM chunks WHERE id <= ?1"
        " AND NOT EXISTS(SELECT 1 FROM reworded r WHERE r.chunk = chunks.id) ORDER BY id",
    [STORE_INSERT_ENTRY] =
        "INSERT INTO entries(document, number, key, text, authors, title, venue, year, doi, arxiv,"
        " url) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    [STORE_LOAD_ENTRIES] =
        "SELECT number, key, text, authors, title, venue, year, doi, arxiv, url FROM entries"
        " WHERE document = ?1 AND number = ?2",
    [STORE_GET_CALLS] = "SELECT d.id, c.about, d.frame, length(CAST(c.text AS BLOB)) "
                        "FROM " RETRIEVAL_CHUNK_WITH_DOCUMENT "WHERE c.id = ?1",
    [STORE_COPY_ENTRIES] =
        "SELECT ?2, number, key, text, authors, title, venue, year, doi, arxiv, url FROM entries"
        " WHERE document = ?1",
    [STORE_INSERT_VECTOR] = "INSERT INTO embeddings(chunk, vector) VALUES(?1, ?2)",
    [STORE_VECTORS_AFTER] = "SELECT chunk, vector FROM embeddings WHERE chunk > ?1 ORDER BY chunk",
    [STORE_GET_VECTOR] = "SELECT vector FROM embeddings WHERE chunk = ?1",
    [STORE_DROP_VECTORS] = "DELETE FROM embeddings WHERE chunk <= ?1",
    [STORE_HAS_CHUNK] = "SELECT 1 FROM chunks WHERE id = ?1",
    [STORE_COUNT_MISSING] = "SELECT (SELECT count(*) FROM chunks WHERE id > ?1)"
                            " - (SELECT count(*) FROM embeddings WHERE chunk > ?1)",
    [STORE_CHUNKS_WITHOUT_VECTOR] =
        "SELECT t.id, t.title, t.section, t.text FROM chunk_text t"
        " WHERE t.id > ?1 AND NOT EXISTS(SELECT 1 FROM embeddings e WHERE e.chunk = t.id)"
        " ORDER BY t.id LIMIT ?2",
    [STORE_COUNT_MATCHES] = "SELECT count(*) FROM chunk_index WHERE chunk_index MATCH ?1",
    [STORE_RANK_FULLTEXT] = "SELECT rowid, lode_bm25(chunk_index, ?3) AS score FROM chunk_index"
                            " WHERE chunk_index MATCH ?1 AND lode_selected(rowid, ?4)"
                            " ORDER BY score DESC, rowid LIMIT ?2",
    [STORE_LOAD_HIT] = SELECT_HIT RETRIEVAL_CHUNK_WITH_DOCUMENT "WHERE c.id = ?1",
    [STORE_LOAD_RANGE] =
        SELECT_HIT DOCUMENT_WITH_CHUNKS "WHERE d.id = ?1 AND c.id >= d.first_chunk + ?2"
                                        " AND c.id <= d.first_chunk + ?3 ORDER BY c.id",
    [STORE_HIGHEST_CHUNK] = "SELECT coalesce(max(id), 0) FROM chunks",
    [STORE_LIST_DESCRIBED] =
        "SELECT id, path, title, authors, year, venue, doi, arxiv FROM documents",
    [STORE_LIST_CHUNKS] = "SELECT c.id FROM " DOCUMENT_WITH_CHUNKS "WHERE d.id = ?1",
    [STORE_LIST_PLACED_CHUNKS] = "SELECT c.id, c.section, c.about, d.frame, length(CAST(c.text AS "
                                 "BLOB)) FROM " DOCUMENT_WITH_CHUNKS "WHERE d.id = ?1",
    [STORE_COPY_DOCUMENTS] = "SELECT path, sha256, title, n_pages, authors, year, venue, doi,"
                             " arxiv, frame, id FROM documents ORDER BY id",
    [STORE_COPY_CHUNKS] = "SELECT c.section, c.text, c.about, c.id FROM " DOCUMENT_WITH_CHUNKS
                          "WHERE d.id = ?1 ORDER BY c.id",
    [STORE_UNSET_SETTING] = "DELETE FROM settings WHERE key = ?1",
    [STORE_COUNT] =
        "SELECT (SELECT count(*) FROM documents), (SELECT count(*) FROM chunks),"
        " (SELECT count(*) FROM embeddings) + (SELECT count(*) FROM chunks WHERE id <= ?1)",
    [STORE_DUMP_DOCUMENTS] = "SELECT id, path, sha256, title, n_pages, authors, year, venue,"
                             " doi, arxiv, frame FROM documents ORDER BY path",
    [STORE_DUMP_CHUNKS] = "SELECT c.id - d.first_chunk, c.section, c.text, c.about, e.vector"
                          " FROM " DOCUMENT_WITH_CHUNKS "LEFT JOIN embeddings e ON e.chunk = c.id"
                          " WHERE d.id = ?1 ORDER BY c.id",
};

static void
set_sqlite_error(GError **error, const char *path, int code, const char *message)
{
    retrieval_error_code ours = RETRIEVAL_ERROR_IO;
    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        ours = RETRIEVAL_ERROR_BUSY;
        break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
    case SQLITE_ERROR: /* with statements that are ours: the schema is not */
        ours = RETRIEVAL_ERROR_FORMAT;
        break;
    default:
        break;
    }
    g_set_error(error, RETRIEVAL_ERROR, (gint)ours, "%s: %s", path, message);
}

void
retrieval_store_fail(retrieval_store *store, GError **error)
{
    set_sqlite_error(error, store->path, sqlite3_extended_errcode(store->db),
                     sqlite3_errmsg(store->db));
}

static gboolean
exec_sql(retrieval_store *store, const char *sql, GError **error)
{
    if (sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK) return TRUE;
    retrieval_store_fail(store, error);
    return FALSE;
}

/* The number a one-row statement answers. */
static gboolean
query_number(retrieval_store *store, const char *sql, int64_t *value, GError **error)
{
    sqlite3_stmt *statement = NULL;
    gboolean done = sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL) == SQLITE_OK &&
                    sqlite3_step(statement) == SQLITE_ROW;
    if (done)
        *value = sqlite3_column_int64(statement, 0);
    else
        retrieval_store_fail(store, error);
    sqlite3_finalize(statement);
    return done;
}

/* ---- opening ---- */

/* What a reader opens when it may not write there at all: no -wal file means that nothing is pending, so
 * the file may be read as it is. */
static int
open_immutable(const char *path, sqlite3 **db)
{
    g_autofree char *wal = g_strconcat(path, "-wal", NULL);
    if (g_file_test(wal, G_FILE_TEST_EXISTS)) return SQLITE_CANTOPEN;
    g_autofree char *absolute = g_canonicalize_filename(path, NULL);
    g_autofree char *plain = g_filename_to_uri(absolute, NULL, NULL);
    if (!plain) return SQLITE_CANTOPEN;
    g_autofree char *uri = g_strconcat(plain, "?immutable=1", NULL);
    return sqlite3_open_v2(uri, db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX,
                           NULL);
}

static gboolean
is_readable(sqlite3 *db)
{
    return sqlite3_exec(db, "SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL) == SQLITE_OK;
}

static gboolean
open_connection(retrieval_store *store, gboolean writable, GError **error)
{
    /* Readers open for writing too: the index of the write-ahead log is a shared file of all. */
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (writable ? SQLITE_OPEN_CREATE : 0);
    int code = sqlite3_open_v2(store->path, &store->db, flags, NULL);
    if (code == SQLITE_OK) {
        sqlite3_extended_result_codes(store->db, 1);
        sqlite3_busy_timeout(store->db, BUSY_MS);
        if (!writable && !is_readable(store->db) &&
            ((code = sqlite3_errcode(store->db) & 0xff) == SQLITE_CANTOPEN ||
             code == SQLITE_READONLY)) {
            sqlite3_close(store->db);
            store->db = NULL;
            code = open_immutable(store->path, &store->db);
        } else {
            code = SQLITE_OK;
        }
    }
    if (code == SQLITE_OK) return TRUE;
    set_sqlite_error(error, store->path, code,
                     store->db ? sqlite3_errmsg(store->db) : sqlite3_errstr(code));
    return FALSE;
}

static gboolean
make_schema(retrieval_store *store, GError **error)
{
    if (exec_sql(store, "BEGIN IMMEDIATE", error) && exec_sql(store, schema, error) &&
        retrieval_store_set_setting(store, "tokenizer", RETRIEVAL_TOKENIZER_VERSION, error) &&
        exec_sql(store, "COMMIT", error))
        return TRUE;
    retrieval_store_rollback(store);
    return FALSE;
}

static gboolean
check_schema(retrieval_store *store, gboolean writable, GError **error)
{
    int64_t application = 0, version = 0, n_tables = 0;
    if (!query_number(store, "PRAGMA application_id", &application, error) ||
        !query_number(store, "PRAGMA user_version", &version, error) ||
        !query_number(store, "SELECT count(*) FROM sqlite_schema", &n_tables, error))
        return FALSE;
    if (application == 0 && n_tables == 0) { /* new, or its making was cut short */
        if (writable) return make_schema(store, error);
        g_set_error(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_NOT_FOUND, "%s: empty, no library yet",
                    store->path);
        return FALSE;
    }
    if (application != RETRIEVAL_APPLICATION_ID) {
        g_set_error(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_FORMAT,
                    "%s: a database, but not a library", store->path);
        return FALSE;
    }
    if (version >= RETRIEVAL_OLDEST_VERSION && version < RETRIEVAL_SCHEMA_VERSION) {
        if (writable) return retrieval_store_upgrade(store, (int)version, error);
        g_set_error(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_FORMAT,
                    "%s: made by an older program (schema %d, now %d): 'lode library repair DIR' "
                    "brings it up to date",
                    store->path, (int)version, RETRIEVAL_SCHEMA_VERSION);
        return FALSE;
    }
    if (version != RETRIEVAL_SCHEMA_VERSION) {
        g_set_error(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_FORMAT,
                    version < RETRIEVAL_SCHEMA_VERSION
                        ? "%s: made by an older program (schema %d, now %d): delete the library's "
                          "folder and make it anew with 'lode index FILES -L DIR'"
                        : "%s: made by a newer program (schema %d, this one knows %d)",
                    store->path, (int)version, RETRIEVAL_SCHEMA_VERSION);
        return FALSE;
    }
    return TRUE;
}

retrieval_store *
retrieval_store_open(const char *path, gboolean writable, GError **error)
{
    g_autoptr(retrieval_store) store = g_new0(retrieval_store, 1);
    store->path = g_strdup(path);
    if (!writable && !g_file_test(path, G_FILE_TEST_EXISTS)) {
        g_set_error(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_NOT_FOUND, "%s: no library there",
                    path);
        return NULL;
    }
    if (!open_connection(store, writable, error)) return NULL;
    /* the file may come from anywhere: nothing in its schema gets to run or to lie about page layout */
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    if (!exec_sql(store, "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;", error))
        return NULL;
    /* What is deleted is overwritten. The first two only speak to a new file: of pages of 4096 bytes, into which five
     * passages fit, a sixth would stay empty, of these less than a hundredth. */
    if (writable && !exec_sql(store,
                              "PRAGMA page_size = 65536; PRAGMA auto_vacuum = INCREMENTAL;"
                              "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                              "PRAGMA secure_delete = ON;",
                              error))
        return NULL;
    if (!exec_sql(store, writable ? "PRAGMA foreign_keys = ON" : "PRAGMA query_only = ON", error))
        return NULL;
    if (!retrieval_tokens_register(store->db) || !retrieval_fulltext_register(store->db) ||
        !retrieval_selection_register(store->db)) {
        g_set_error(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_IO, "%s: this SQLite has no FTS5",
                    path);
        return NULL;
    }
    if (!check_schema(store, writable, error)) return NULL;
    return g_steal_pointer(&store);
}

void
retrieval_store_free(retrieval_store *store)
{
    if (!store) return;
    for (int i = 0; i < STORE_N_STATEMENTS; i++)
        sqlite3_finalize(store->statements[i]);
    sqlite3_close(store->db);
    g_free(store->path);
    g_free(store);
}

gboolean
retrieval_store_set_chunks(retrieval_store *store, int64_t document, int64_t first, guint n,
                           GError **error)
{
    sqlite3_stmt *statement = retrieval_store_get(store, STORE_SET_CHUNKS, error);
    if (!statement) return FALSE;
    sqlite3_bind_int64(statement, 1, document);
    sqlite3_bind_int64(statement, 2, first);
    sqlite3_bind_int64(statement, 3, n);
    return retrieval_store_run(store, statement, error);
}

/* ---- statements ---- */

sqlite3_stmt *
retrieval_store_get(retrieval_store *store, store_statement which, GError **error)
{
    sqlite3_stmt **statement = &store->statements[which];
    if (!*statement) {
        if (sqlite3_prepare_v3(store->db, statement_sql[which], -1, SQLITE_PREPARE_PERSISTENT,
                               statement, NULL) != SQLITE_OK) {
            retrieval_store_fail(store, error);
            return NULL;
        }
    }
    sqlite3_reset(*statement);
    sqlite3_clear_bindings(*statement);
    return *statement;
}

gboolean
retrieval_store_next(retrieval_store *store, sqlite3_stmt *statement, GError **error)
{
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW) return TRUE;
    if (code != SQLITE_DONE) retrieval_store_fail(store, error);
    sqlite3_reset(statement);
    return FALSE;
}

gboolean
retrieval_store_run(retrieval_store *store, sqlite3_stmt *statement, GError **error)
{
    int code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
    }
    if (code != SQLITE_DONE) retrieval_store_fail(store, error);
    sqlite3_reset(statement);
    return code == SQLITE_DONE;
}

gboolean
retrieval_store_exec(retrieval_store *store, store_statement which, GError **error)
{
    sqlite3_stmt *statement = retrieval_store_get(store, which, error);
    return statement && retrieval_store_run(store, statement, error);
}

void
retrieval_store_rollback(retrieval_store *store)
{
    /* a failing statement may have rolled back on its own */
    if (!sqlite3_get_autocommit(store->db)) sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
}

/* ---- settings and journal ---- */

char *
retrieval_store_get_setting(retrieval_store *store, const char *key, GError **error)
{
    sqlite3_stmt *statement = retrieval_store_get(store, STORE_GET_SETTING, error);
    if (!statement) return NULL;
    sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
    if (!retrieval_store_next(store, statement, error)) return NULL;
    char *value = g_strdup((const char *)sqlite3_column_text(statement, 0));
    sqlite3_reset(statement);
    return value;
}

gboolean
retrieval_store_set_setting(retrieval_store *store, const char *key, const char *value,
                            GError **error)
{
    sqlite3_stmt *statement = retrieval_store_get(store, STORE_SET_SETTING, error);
    if (!statement) return FALSE;
    sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 2, value, -1, SQLITE_STATIC);
    return retrieval_store_run(store, statement, error);
}

gboolean
retrieval_store_find_document(retrieval_store *store, const char *path, int64_t *id, char **sha256,
                              GError **error)
{
    GError *failure = NULL;
    *id = 0;
    sqlite3_stmt *statement = retrieval_store_get(store, STORE_FIND_DOCUMENT, error);
    if (!statement) return FALSE;
    sqlite3_bind_text(statement, 1, path, -1, SQLITE_STATIC);
    if (retrieval_store_next(store, statement, &failure)) {
        *id = sqlite3_column_int64(statement, 0);
        if (sha256) *sha256 = g_strdup((const char *)sqlite3_column_text(statement, 1));
    } else if (failure) {
        g_propagate_error(error, failure);
        return FALSE;
    }
    sqlite3_reset(statement);
    return TRUE;
}

static void
copy_state(sqlite3_stmt *statement, int column, uint8_t state[RETRIEVAL_STATE_SIZE])
{
    memset(state, 0, RETRIEVAL_STATE_SIZE);
    const void *blob = sqlite3_column_blob(statement, column);
    if (blob && sqlite3_column_bytes(statement, column) == RETRIEVAL_STATE_SIZE)
        memcpy(state, blob, RETRIEVAL_STATE_SIZE);
}

gboolean
retrieval_store_get_version(retrieval_store *store, retrieval_version *version, GError **error)
{
    memset(version, 0, sizeof *version);
    sqlite3_stmt *statement = retrieval_store_get(store, STORE_GET_VERSION, error);
    if (!statement) return FALSE;
    GError *failure = NULL;
    if (!retrieval_store_next(store, statement, &failure)) {
        if (!failure) return TRUE;
        g_propagate_error(error, failure);
        return FALSE;
    }
    version->generation = (uint64_t)sqlite3_column_int64(statement, 0);
    copy_state(statement, 1, version->state);
    sqlite3_reset(statement);
    return TRUE;
}

gboolean
retrieval_store_append_journal(retrieval_store *store, const char *action, const char *path,
                               const char *sha256, const char *content, GError **error)
{
    retrieval_version version;
    if (!retrieval_store_get_version(store, &version, error)) return FALSE;

    g_autoptr(GChecksum) chain = g_checksum_new(G_CHECKSUM_SHA256);
    const char *const parts[] = {action, path, sha256, content};
    g_checksum_update(chain, version.state, sizeof version.state);
    for (gsize i = 0; i < G_N_ELEMENTS(parts); i++) /* with their NUL, which keeps them apart */
        g_checksum_update(chain, (const guchar *)parts[i], (gssize)strlen(parts[i]) + 1);
    uint8_t state[RETRIEVAL_STATE_SIZE];
    gsize state_len = sizeof state;
    g_checksum_get_digest(chain, state, &state_len);

    sqlite3_stmt *statement = retrieval_store_get(store, STORE_APPEND_JOURNAL, error);
    if (!statement) return FALSE;
    sqlite3_bind_int64(statement, 1, (sqlite3_int64)(version.generation + 1));
    sqlite3_bind_text(statement, 2, action, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 3, path, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 4, sha256, -1, SQLITE_STATIC);
    sqlite3_bind_blob(statement, 5, state, sizeof state, SQLITE_TRANSIENT);
    return retrieval_store_run(store, statement, error);
}

/* The number a statement with one parameter answers; otherwise where it has no row. */
static gboolean
get_number(retrieval_store *store, store_statement which, int64_t parameter, int64_t otherwise,
           int64_t *value, GError **error)
{
    GError *failure = NULL;
    *value = otherwise;
    sqlite3_stmt *statement = retrieval_store_get(store, which, error);
    if (!statement) return FALSE;
    sqlite3_bind_int64(statement, 1, parameter);
    if (retrieval_store_next(store, statement, &failure))
        *value = sqlite3_column_int64(statement, 0);
    sqlite3_reset(statement);
    if (!failure) return TRUE;
    g_propagate_error(error, failure);
    return FALSE;
}

gboolean
retrieval_store_get_change(retrieval_store *store, const retrieval_version *base,
                           retrieval_store_change *change, GError **error)
{
    GError *failure = NULL;
    uint8_t state[RETRIEVAL_STATE_SIZE] = {0};
    int64_t worst = 0;
    *change = RETRIEVAL_CHANGE_OTHER;
    sqlite3_stmt *statement = retrieval_store_get(store, STORE_GET_STATE_AT, error);
    if (!statement) return FALSE;
    sqlite3_bind_int64(statement, 1, (sqlite3_int64)base->generation);
    const gboolean found = retrieval_store_next(store, statement, &failure);
    if (found) copy_state(statement, 0, state);
    sqlite3_reset(statement);
    if (failure) {
        g_propagate_error(error, failure);
        return FALSE;
    }
    if (!found || memcmp(state, base->state, sizeof state) != 0) return TRUE;
    if (!get_number(store, STORE_GET_CHANGES, (int64_t)base->generation, 0, &worst, error))
        return FALSE;
    *change = (retrieval_store_change)CLAMP(worst, 0, RETRIEVAL_CHANGE_OTHER);
    return TRUE;
}

/* A setting that is a number; 0 where it is not set. */
static gboolean
get_number_setting(retrieval_store *store, const char *key, int64_t *value, GError **error)
{
    GError *failure = NULL;
    gint64 number = 0;
    g_autofree char *text = retrieval_store_get_setting(store, key, &failure);
    if (failure) {
        g_propagate_error(error, failure);
        return FALSE;
    }
    if (text && !g_ascii_string_to_signed(text, 10, 0, G_MAXINT64, &number, NULL)) {
        g_set_error(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_FORMAT, "%s: %s is '%s'", store->path,
                    key, text);
        return FALSE;
    }
    *value = number;
    return TRUE;
}

gboolean
retrieval_store_get_compact_through(retrieval_store *store, int64_t *through, GError **error)
{
    return get_number_setting(store, "compact_through", through, error);
}

gboolean
retrieval_store_get_words_through(retrieval_store *store, int64_t *through, GError **error)
{
    return get_number_setting(store, "words_through", through, error);
}

gboolean
retrieval_store_clear_fulltext(retrieval_store *store, GError **error)
{
    return exec_sql(store, "INSERT INTO chunk_index(chunk_index) VALUES('delete-all')", error);
}

gboolean
retrieval_store_count_vectors(retrieval_store *store, int64_t through, uint64_t *n, GError **error)
{
    enum { VECTORS = 2 };
    sqlite3_stmt *row = retrieval_store_get(store, STORE_COUNT, error);
    if (!row) return FALSE;
    sqlite3_bind_int64(row, 1, through);
    if (!retrieval_store_next(store, row, error)) return FALSE; /* always has a row */
    *n = (uint64_t)sqlite3_column_int64(row, VECTORS);
    sqlite3_reset(row);
    return TRUE;
}

gboolean
retrieval_store_count_missing(retrieval_store *store, int64_t *n, GError **error)
{
    int64_t through;
    return retrieval_store_get_compact_through(store, &through, error) &&
           get_number(store, STORE_COUNT_MISSING, through, 0, n, error);
}

gboolean
retrieval_store_shrink(retrieval_store *store, GError **error)
{
    return exec_sql(store, "PRAGMA incremental_vacuum", error) &&
           exec_sql(store, "PRAGMA wal_checkpoint(TRUNCATE)", error);
}

gboolean
retrieval_store_has_removals(retrieval_store *store, gboolean *has, GError **error)
{
    int64_t purged, worst;
    if (!get_number_setting(store, "purged", &purged, error) ||
        !get_number(store, STORE_GET_CHANGES, purged, 0, &worst, error))
        return FALSE;
    *has = worst != RETRIEVAL_CHANGE_GREW;
    return TRUE;
}

gboolean
retrieval_store_purge(retrieval_store *store, GError **error)
{
    retrieval_version version;
    gboolean has_removals;
    if (!retrieval_store_has_removals(store, &has_removals, error) ||
        !retrieval_store_get_version(store, &version, error))
        return FALSE;
    if (!has_removals) return TRUE;
    g_autofree char *now = g_strdup_printf("%" G_GUINT64_FORMAT, version.generation);
    return exec_sql(store, "INSERT INTO chunk_index(chunk_index) VALUES('optimize')", error) &&
           retrieval_store_set_setting(store, "purged", now, error) &&
           retrieval_store_shrink(store, error);
}

gboolean
retrieval_store_rebuild_fulltext(retrieval_store *store, GError **error)
{
    return exec_sql(store,
                    "DELETE FROM settings WHERE key IN ('words_file', 'words_through');"
                    "DELETE FROM reworded;"
                    "INSERT INTO chunk_index(chunk_index) VALUES('rebuild')",
                    error) &&
           retrieval_store_set_setting(store, "tokenizer", RETRIEVAL_TOKENIZER_VERSION, error);
}

gboolean
retrieval_store_check(retrieval_store *store, GError **error)
{
    int64_t n_problems = 0;
    if (!query_number(
            store,
            "SELECT (SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok')"
            " + (SELECT count(*) FROM pragma_foreign_key_check)",
            &n_problems, error))
        return FALSE;
    if (n_problems > 0) {
        g_set_error(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_FORMAT, "%s: %d problems", store->path,
                    (int)n_problems);
        return FALSE;
    }
    /* rank 1: also against the text it was made from */
    return exec_sql(
        store, "INSERT INTO chunk_index(chunk_index, rank) VALUES('integrity-check', 1)", error);
}

const char *
retrieval_sqlite_version(void)
{
    return sqlite3_libversion();
}

gboolean
retrieval_sqlite_has_fts5(void)
{
    sqlite3 *db = NULL;
    gboolean has = sqlite3_open(":memory:", &db) == SQLITE_OK && retrieval_fulltext_register(db);
    sqlite3_close(db);
    return has;
}
