/* Libraries of schema 5 and 6, opened by the program of today. */
#include "support.h"

#include <sqlite3.h>
#include <string.h>

#include "retrieval/about.h"

/* What a library of today would have been at schema 6. */
static const char old_tables[] =
    "PRAGMA foreign_keys = OFF; PRAGMA legacy_alter_table = ON;"
    "BEGIN;"
    "CREATE TABLE chunks_6("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, document INTEGER NOT NULL, type TEXT,"
    " section TEXT NOT NULL, text TEXT NOT NULL, first_block INTEGER NOT NULL,"
    " last_block INTEGER NOT NULL, first_page INTEGER NOT NULL, last_page INTEGER NOT NULL,"
    " page_label TEXT, places BLOB NOT NULL, calls BLOB);";

static const char finish_6[] =
    "DELETE FROM sqlite_sequence WHERE name = 'chunks_6';"
    "INSERT INTO sqlite_sequence SELECT 'chunks_6', seq FROM sqlite_sequence WHERE name = 'chunks';"
    "DROP VIEW chunk_text; DROP VIEW indexed_text;"
    "DROP TABLE chunks;"
    "ALTER TABLE chunks_6 RENAME TO chunks;"
    "DROP INDEX documents_by_chunk;"
    "ALTER TABLE documents DROP COLUMN frame;"
    "CREATE VIEW chunk_text(id, title, section, text) AS"
    " SELECT c.id, d.title, c.section, c.text FROM chunks c JOIN documents d ON d.id = c.document;"
    "CREATE VIEW indexed_text(id, title, section, text) AS"
    " SELECT c.id, d.title, c.section, c.text FROM chunks c JOIN documents d ON d.id = c.document"
    " WHERE c.id > (SELECT coalesce(max(CAST(value AS INTEGER)), 0) FROM settings"
    "  WHERE key = 'words_through') OR EXISTS(SELECT 1 FROM reworded r WHERE r.chunk = c.id);"
    "PRAGMA user_version = 6;"
    "COMMIT;";

/* And that one at schema 5. */
static const char downgrade_to_5[] =
    "PRAGMA foreign_keys = OFF; PRAGMA legacy_alter_table = ON;"
    "BEGIN;"
    "CREATE TABLE chunks_5("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " document INTEGER NOT NULL REFERENCES documents(id) ON DELETE CASCADE,"
    " ordinal INTEGER NOT NULL, type TEXT, section TEXT NOT NULL, text TEXT NOT NULL,"
    " first_block INTEGER NOT NULL, last_block INTEGER NOT NULL, first_page INTEGER NOT NULL,"
    " last_page INTEGER NOT NULL, page_label TEXT, places BLOB NOT NULL, calls BLOB,"
    " UNIQUE(document, ordinal));"
    "INSERT INTO chunks_5 SELECT c.id, c.document, c.id - d.first_chunk, c.type, c.section, c.text,"
    " c.first_block, c.last_block, c.first_page, c.last_page, c.page_label, c.places, c.calls"
    " FROM chunks c JOIN documents d ON d.id = c.document;"
    "DELETE FROM sqlite_sequence WHERE name = 'chunks_5';"
    "INSERT INTO sqlite_sequence SELECT 'chunks_5', seq FROM sqlite_sequence WHERE name = 'chunks';"
    "DROP TABLE chunks;"
    "ALTER TABLE chunks_5 RENAME TO chunks;"
    "ALTER TABLE documents DROP COLUMN first_chunk;"
    "ALTER TABLE documents DROP COLUMN n_chunks;"
    "PRAGMA user_version = 5;"
    "COMMIT;";

static sqlite3 *
open_database(void)
{
    g_autofree char *path = g_build_filename(folder, "library.db", NULL);
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    return db;
}

static void
run_on(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) fail_msg("%s", sqlite3_errmsg(db));
}

static void
run_sql(const char *sql)
{
    sqlite3 *db = open_database();
    run_on(db, sql);
    sqlite3_close(db);
}

static void
bind_bytes(sqlite3_stmt *row, int column, GBytes *bytes)
{
    gsize size = 0;
    const void *data = g_bytes_get_data(bytes, &size);
    sqlite3_bind_blob64(row, column, data, size, SQLITE_TRANSIENT);
}

static void
insert_old(sqlite3_stmt *to, sqlite3_stmt *from)
{
    g_auto(retrieval_about) about = {0};
    const size_t len = (size_t)sqlite3_column_bytes(from, 3);
    assert_true(retrieval_read_about(from, 4, len, &about));
    g_autoptr(GBytes) places = retrieval_pack_places(about.places, NULL, 0);
    for (int i = 0; i < 4; i++) /* id, document, section, text */
        sqlite3_bind_value(to, i + 1, sqlite3_column_value(from, i));
    if (about.type != LAYOUT_BLOCK_PARAGRAPH)
        sqlite3_bind_text(to, 5, layout_block_type_name(about.type), -1, SQLITE_STATIC);
    sqlite3_bind_int(to, 6, about.first_block);
    sqlite3_bind_int(to, 7, about.last_block);
    sqlite3_bind_int(to, 8, about.first_page);
    sqlite3_bind_int(to, 9, about.last_page);
    sqlite3_bind_text(to, 10, about.page_label, -1, SQLITE_TRANSIENT);
    bind_bytes(to, 11, places);
    if (about.calls) bind_bytes(to, 12, about.calls);
    assert_int_equal(sqlite3_step(to), SQLITE_DONE);
    sqlite3_reset(to);
    sqlite3_clear_bindings(to);
}

static void
downgrade_to_6(void)
{
    sqlite3 *db = open_database();
    sqlite3_stmt *from = NULL, *to = NULL;
    run_on(db, old_tables);
    assert_int_equal(sqlite3_prepare_v2(db,
                                        "SELECT c.id, d.id, c.section, c.text, c.about, d.frame "
                                        "FROM " RETRIEVAL_CHUNK_WITH_DOCUMENT "ORDER BY c.id",
                                        -1, &from, NULL),
                     SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(db,
                           "INSERT INTO chunks_6(id, document, section, text, type, first_block,"
                           " last_block, first_page, last_page, page_label, places, calls)"
                           " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
                           -1, &to, NULL),
        SQLITE_OK);
    while (sqlite3_step(from) == SQLITE_ROW)
        insert_old(to, from);
    sqlite3_finalize(from);
    sqlite3_finalize(to);
    run_on(db, finish_6);
    sqlite3_close(db);
}

static void
add_random(retrieval_library *library, guint32 seed)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = g_strdup_printf("/papers/%u.pdf", seed);
    lode_document *document = random_document(seed);
    retrieval_library_add(library, path, document, NULL, NULL, &error);
    assert_no_error(error);
    lode_document_free(document);
}

static int64_t
best_chunk(retrieval_library *library)
{
    g_autoptr(GError) error = NULL;
    retrieval_search_options options = retrieval_search_options_default();
    options.method = RETRIEVAL_BM25;
    g_autoptr(GPtrArray) hits = retrieval_library_search(library, "alpha", &options, &error);
    assert_no_error(error);
    return hits->len > 0 ? ((const retrieval_hit *)hits->pdata[0])->chunk_id : 0;
}

/* Six documents, of which the third and the last are gone again; *highest: the last id that was given out. */
static char *
make_library(int64_t *highest)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(retrieval_library) library =
        retrieval_library_open_with(folder, RETRIEVAL_OPEN_WRITE, &fake_embedder, &error);
    assert_no_error(error);
    for (guint32 seed = 1; seed <= 6; seed++)
        add_random(library, seed);
    retrieval_library_add_passage(library, "p", "A title", "alpha beta gamma", &error);
    assert_no_error(error);
    *highest = best_chunk(library);
    retrieval_library_remove(library, "/papers/3.pdf", &error);
    retrieval_library_remove(library, "p", &error);
    retrieval_library_commit(library, &error);
    assert_no_error(error);
    char *hash = retrieval_library_dump_hash(library, &error);
    assert_no_error(error);
    return hash;
}

static void
upgrade_and_look(int version)
{
    g_autoptr(GError) refused = NULL, error = NULL;
    int64_t highest = 0;
    g_autofree char *before = make_library(&highest);
    downgrade_to_6();
    if (version == 5) run_sql(downgrade_to_5);
    assert_null(retrieval_library_open_with(folder, RETRIEVAL_OPEN_READ, &fake_embedder, &refused));
    assert_true(g_error_matches(refused, RETRIEVAL_ERROR, RETRIEVAL_ERROR_FORMAT));
    assert_non_null(strstr(refused->message, "lode library repair"));

    g_autoptr(retrieval_library) library =
        retrieval_library_open_with(folder, RETRIEVAL_OPEN_WRITE, &fake_embedder, &error);
    assert_no_error(error);
    g_autofree char *after = retrieval_library_dump_hash(library, &error);
    assert_no_error(error);
    assert_string_equal(after, before);
    assert_int_equal(count_problems(library), 0);
    retrieval_library_check(library, &error);
    assert_no_error(error);

    /* what was deleted keeps its id for ever, what is deleted now is gone with its vectors */
    retrieval_library_add_passage(library, "q", "A title", "alpha beta gamma", &error);
    assert_no_error(error);
    assert_int_equal(best_chunk(library), highest + 1);
    retrieval_library_remove(library, "/papers/1.pdf", &error);
    retrieval_library_remove(library, "q", &error);
    retrieval_library_commit(library, &error);
    assert_no_error(error);
    assert_int_equal(best_chunk(library), 0);
    assert_int_equal(count_problems(library), 0);
    retrieval_library_check(library, &error);
    assert_no_error(error);
}

static void
nothing_is_lost_by_the_upgrade_from_5(void **state)
{
    (void)state;
    upgrade_and_look(5);
}

static void
nothing_is_lost_by_the_upgrade_from_6(void **state)
{
    (void)state;
    upgrade_and_look(6);
}

/* Of another form than today's, so none of it can be read: the text has the words. */
static void
words_of_an_older_file_are_found_again(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    retrieval_library *library =
        retrieval_library_open_with(folder, RETRIEVAL_OPEN_WRITE, &fake_embedder, &error);
    assert_no_error(error);
    library->words_limit = 10;
    for (guint32 seed = 1; seed <= 6; seed++)
        add_random(library, seed);
    retrieval_library_add_passage(library, "p", "A title", "alpha beta gamma", &error);
    retrieval_library_commit(library, &error);
    assert_no_error(error);
    const int64_t found = best_chunk(library);
    assert_true(found > 0);
    g_autofree char *name = retrieval_store_get_setting(library->store, "words_file", &error);
    assert_non_null(name);
    retrieval_library_free(library);
    downgrade_to_6();
    g_autofree char *path = g_build_filename(folder, name, NULL);
    assert_true(g_file_set_contents(path, "loderds1", -1, &error));

    library = retrieval_library_open_with(folder, RETRIEVAL_OPEN_WRITE, &fake_embedder, &error);
    assert_no_error(error);
    assert_int_equal(best_chunk(library), found);
    library->words_limit = 10;
    retrieval_library_commit(library, &error);
    assert_no_error(error);
    assert_int_equal(best_chunk(library), found);
    assert_int_equal(count_problems(library), 0);
    retrieval_library_free(library);
}

static void
a_library_out_of_order_stays_as_it_is(void **state)
{
    (void)state;
    g_autoptr(GError) first = NULL, second = NULL;
    int64_t highest = 0;
    g_autofree char *before = make_library(&highest);
    downgrade_to_6();
    run_sql(downgrade_to_5);
    run_sql("UPDATE chunks SET ordinal = ordinal + 1000 WHERE id = 2");
    assert_null(retrieval_library_open_with(folder, RETRIEVAL_OPEN_WRITE, &fake_embedder, &first));
    assert_non_null(strstr(first->message, "do not follow each other"));
    /* and is upgraded once it is in order */
    run_sql("UPDATE chunks SET ordinal = ordinal - 1000 WHERE id = 2");
    g_autoptr(retrieval_library) library =
        retrieval_library_open_with(folder, RETRIEVAL_OPEN_WRITE, &fake_embedder, &second);
    assert_no_error(second);
    g_autofree char *after = retrieval_library_dump_hash(library, &second);
    assert_string_equal(after, before);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_is_lost_by_the_upgrade_from_5, setup_folder,
                                        teardown_folder),
        cmocka_unit_test_setup_teardown(nothing_is_lost_by_the_upgrade_from_6, setup_folder,
                                        teardown_folder),
        cmocka_unit_test_setup_teardown(words_of_an_older_file_are_found_again, setup_folder,
                                        teardown_folder),
        cmocka_unit_test_setup_teardown(a_library_out_of_order_stays_as_it_is, setup_folder,
                                        teardown_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
