/* store: library.db, the SQLite file of a library. Knows the schema and the statements; knows nothing of
 * chunking, embedding or ranking. One thread at a time: retrieval_library locks around it. */
#ifndef LODE_RETRIEVAL_STORE_H
#define LODE_RETRIEVAL_STORE_H

#include <glib.h>
#include <sqlite3.h>
#include <stdint.h>

#include "retrieval/retrieval.h"
#include "retrieval/vectors.h"

#define RETRIEVAL_APPLICATION_ID 0x4c4f4445 /* "LODE" */
#define RETRIEVAL_SCHEMA_VERSION 7
#define RETRIEVAL_OLDEST_VERSION 5 /* from which on upgrade.c brings databases up to date */

#define RETRIEVAL_CREATE_CHUNKS(name)                                                              \
    "CREATE TABLE " name "("                                                                       \
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"                                                       \
    " section TEXT NOT NULL,"                                                                      \
    " text TEXT NOT NULL,"                                                                         \
    " about BLOB NOT NULL);" /* see about.c */

/* A document finds its chunks by their range; a chunk its document by this. */
#define RETRIEVAL_CREATE_RANGES                                                                    \
    "CREATE INDEX documents_by_chunk ON documents(first_chunk) WHERE n_chunks > 0;"
#define RETRIEVAL_CHUNK_WITH_DOCUMENT                                                              \
    "chunks c JOIN documents d ON d.id = (SELECT o.id FROM documents o WHERE o.n_chunks > 0"       \
    " AND o.first_chunk <= c.id ORDER BY o.first_chunk DESC LIMIT 1) "

#define RETRIEVAL_CREATE_VIEWS                                                                     \
    "CREATE VIEW chunk_text(id, title, section, text) AS"                                          \
    " SELECT c.id, d.title, c.section, c.text FROM " RETRIEVAL_CHUNK_WITH_DOCUMENT ";"             \
    "CREATE VIEW indexed_text(id, title, section, text) AS"                                        \
    " SELECT c.id, d.title, c.section, c.text FROM " RETRIEVAL_CHUNK_WITH_DOCUMENT                 \
    " WHERE c.id > (SELECT coalesce(max(CAST(value AS INTEGER)), 0) FROM settings"                 \
    "  WHERE key = 'words_through') OR EXISTS(SELECT 1 FROM reworded r WHERE r.chunk = c.id);"

typedef enum {
    STORE_BEGIN_READ,
    STORE_BEGIN_WRITE,
    STORE_COMMIT,
    STORE_ROLLBACK,
    STORE_GET_SETTING,
    STORE_SET_SETTING,
    STORE_GET_VERSION,
    STORE_GET_STATE_AT,
    STORE_GET_CHANGES,
    STORE_APPEND_JOURNAL,
    STORE_FORGET_PATH,
    STORE_FIND_DOCUMENT,
    STORE_LIST_DOCUMENTS,
    STORE_INSERT_DOCUMENT,
    STORE_UPDATE_METADATA,
    STORE_GET_METADATA,
    STORE_SET_CHUNKS,
    STORE_DELETE_CHUNKS,
    STORE_DELETE_DOCUMENT,
    STORE_INSERT_CHUNK,
    STORE_INDEX_CHUNK,
    STORE_UNINDEX_DOCUMENT,
    STORE_REINDEX_DOCUMENT,
    STORE_REWORD_DOCUMENT,
    STORE_LIST_REWORDED,
    STORE_FORGET_REWORDED,
    STORE_COUNT_WORDLESS,
    STORE_WORDLESS_CHUNKS,
    STORE_LIST_KEPT_CHUNKS,
    STORE_INSERT_ENTRY,
    STORE_LOAD_ENTRIES,
    STORE_GET_CALLS,
    STORE_COPY_ENTRIES,
    STORE_INSERT_VECTOR,
    STORE_VECTORS_AFTER,
    STORE_GET_VECTOR,
    STORE_DROP_VECTORS,
    STORE_HAS_CHUNK,
    STORE_COUNT_MISSING,
    STORE_CHUNKS_WITHOUT_VECTOR,
    STORE_COUNT_MATCHES,
    STORE_RANK_FULLTEXT,
    STORE_LOAD_HIT,
    STORE_LOAD_RANGE,
    STORE_HIGHEST_CHUNK,
    STORE_LIST_DESCRIBED,
    STORE_LIST_CHUNKS,
    STORE_LIST_PLACED_CHUNKS,
    STORE_COPY_DOCUMENTS,
    STORE_COPY_CHUNKS,
    STORE_UNSET_SETTING,
    STORE_COUNT,
    STORE_DUMP_DOCUMENTS,
    STORE_DUMP_CHUNKS,
    STORE_N_STATEMENTS
} store_statement;

typedef struct {
    sqlite3 *db;
    char *path;
    sqlite3_stmt *statements[STORE_N_STATEMENTS]; /* prepared at first use */
} retrieval_store;

/* Open dir/library.db; writable makes it and its schema when missing. */
retrieval_store *retrieval_store_open(const char *path, gboolean writable, GError **error);
void retrieval_store_free(retrieval_store *store); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(retrieval_store, retrieval_store_free)

/* The statement, reset and without bindings; NULL on error. Lives as long as the store. */
sqlite3_stmt *retrieval_store_get(retrieval_store *store, store_statement which, GError **error);
/* Run a statement that returns no rows (or whose rows do not matter), and reset it. */
gboolean retrieval_store_run(retrieval_store *store, sqlite3_stmt *statement, GError **error);
/* One step: TRUE with a row. FALSE and no error: no more rows, the statement is reset. */
gboolean retrieval_store_next(retrieval_store *store, sqlite3_stmt *statement, GError **error);
/* Run one of the four transaction statements. */
gboolean retrieval_store_exec(retrieval_store *store, store_statement which, GError **error);
void retrieval_store_rollback(
    retrieval_store *store); /* errors are of no use here; fine outside of one */
void retrieval_store_fail(retrieval_store *store, GError **error); /* what SQLite said last */

/* A setting's text, NULL without an error when it is not set; free with g_free. */
char *retrieval_store_get_setting(retrieval_store *store, const char *key, GError **error);
gboolean retrieval_store_set_setting(retrieval_store *store, const char *key, const char *value,
                                     GError **error);

/* The row of a path: id 0 and no error when it is not there. sha256 (to free) may be NULL. */
gboolean retrieval_store_find_document(retrieval_store *store, const char *path, int64_t *id,
                                       char **sha256, GError **error);

/* The chunks of a document: n, whose ids follow each other; where they begin on their pages, mostly. */
gboolean retrieval_store_set_chunks(retrieval_store *store, int64_t document, int64_t first,
                                    guint n, GError **error);

/* upgrade.c: a database of RETRIEVAL_OLDEST_VERSION or a later one to the schema of today, in one transaction; store is
 * open for writing. What it holds stays the same: ids, texts, places, vectors, journal. */
gboolean retrieval_store_upgrade(retrieval_store *store, int version, GError **error);

/* Generation 0 and a state of zeros in a library to which nothing was ever done. */
gboolean retrieval_store_get_version(retrieval_store *store, retrieval_version *version,
                                     GError **error);

/* Append a change to the journal inside a write transaction: the next generation, its state chained from
 * the one before over action, path, sha256 and content (a digest of what was written, hex; may be ""). */
gboolean retrieval_store_append_journal(retrieval_store *store, const char *action,
                                        const char *path, const char *sha256, const char *content,
                                        GError **error);

/* What happened to the vectors since a state. */
typedef enum {
    RETRIEVAL_CHANGE_GREW,     /* nothing, or documents were added */
    RETRIEVAL_CHANGE_REMOVED,  /* also removed or replaced */
    RETRIEVAL_CHANGE_EMBEDDED, /* also chunks that had no vector have one now */
    RETRIEVAL_CHANGE_OTHER     /* it is no state of this database, or all vectors are new */
} retrieval_store_change;
gboolean retrieval_store_get_change(retrieval_store *store, const retrieval_version *base,
                                    retrieval_store_change *change, GError **error);

/* The last chunk whose vector is only in vectors.faiss, 0 where the database has all. */
gboolean retrieval_store_get_compact_through(retrieval_store *store, int64_t *through,
                                             GError **error);

/* The last chunk whose words are in the file that the setting words_file names and not in FTS5, 0 where FTS5 has all. */
gboolean retrieval_store_get_words_through(retrieval_store *store, int64_t *through,
                                           GError **error);
/* Empty FTS5: inside a transaction that says where the words are instead. */
gboolean retrieval_store_clear_fulltext(retrieval_store *store, GError **error);

/* Was anything removed since the last purge? */
gboolean retrieval_store_has_removals(retrieval_store *store, gboolean *has, GError **error);

/* Vectors in the database, and one for each chunk up to through, whose vectors are elsewhere. */
gboolean retrieval_store_count_vectors(retrieval_store *store, int64_t through, uint64_t *n,
                                       GError **error);

/* Chunks that have no vector, neither in the database nor in vectors.faiss. */
gboolean retrieval_store_count_missing(retrieval_store *store, int64_t *n, GError **error);

/* Outside of a transaction: give free pages back to the file system. */
gboolean retrieval_store_shrink(retrieval_store *store, GError **error);

/* Outside of a transaction, when something was removed since the last time: rewrite the full-text index, which
 * else keeps the words of what was removed until it has to merge, and empty the write-ahead log. A log that
 * somebody reads is emptied another time. */
gboolean retrieval_store_purge(retrieval_store *store, GError **error);

/* Make the full-text index anew from the text. */
gboolean retrieval_store_rebuild_fulltext(retrieval_store *store, GError **error);

/* For tests: the connection's own checks of pages, keys and full-text index. */
gboolean retrieval_store_check(retrieval_store *store, GError **error);

#endif
