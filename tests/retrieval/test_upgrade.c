/* A library of schema 5, opened by the program of today. */
#include "support.h"

#include <sqlite3.h>
#include <string.h>

/* What a library of today would have been then. */
static const char downgrade[] =
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

static void
run_sql(const char *sql)
{
    g_autofree char *path = g_build_filename(folder, "library.db", NULL);
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) fail_msg("%s", sqlite3_errmsg(db));
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
nothing_is_lost_by_the_upgrade(void **state)
{
    (void)state;
    g_autoptr(GError) refused = NULL, error = NULL;
    int64_t highest = 0;
    g_autofree char *before = make_library(&highest);
    run_sql(downgrade);
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
a_library_out_of_order_stays_as_it_is(void **state)
{
    (void)state;
    g_autoptr(GError) first = NULL, second = NULL;
    int64_t highest = 0;
    g_autofree char *before = make_library(&highest);
    run_sql(downgrade);
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
        cmocka_unit_test_setup_teardown(nothing_is_lost_by_the_upgrade, setup_folder,
                                        teardown_folder),
        cmocka_unit_test_setup_teardown(a_library_out_of_order_stays_as_it_is, setup_folder,
                                        teardown_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
