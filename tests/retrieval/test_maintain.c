/* Keeping a library: checking, mending, joining, changing the embedder, deleting for good. */
#include "support.h"

#include <glib/gstdio.h>
#include <string.h>

#include "retrieval/half.h"

static void
add(retrieval_library *library, const char *id, const char *text)
{
    g_autoptr(GError) error = NULL;
    assert_true(retrieval_library_add_passage(library, id, "", text, &error));
    assert_no_error(error);
}

static void
commit(retrieval_library *library)
{
    g_autoptr(GError) error = NULL;
    assert_true(retrieval_library_commit(library, &error));
    assert_no_error(error);
}

static void
check_first(retrieval_library *library, const char *query, retrieval_method method,
            const char *path)
{
    g_autoptr(GError) error = NULL;
    retrieval_search_options options = retrieval_search_options_default();
    options.method = method;
    g_autoptr(GPtrArray) hits = retrieval_library_search(library, query, &options, &error);
    assert_no_error(error);
    assert_true(hits->len > 0);
    assert_string_equal(((retrieval_hit *)hits->pdata[0])->path, path);
}

static void
damage_is_told_and_mended(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    g_autoptr(retrieval_library) library = open_writer();
    add(library, "a", "Iron rusts in water.");
    add(library, "b", "Gold does not.");
    commit(library);
    assert_int_equal(count_problems(library), 0);

    g_autofree char *file = g_build_filename(folder, "vectors.faiss", NULL);
    assert_true(g_file_set_contents(file, "rubbish", -1, NULL));
    assert_int_equal(sqlite3_exec(library->store->db,
                                  "INSERT INTO chunk_index(chunk_index) VALUES('delete-all')", NULL,
                                  NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(count_problems(library), 2);
    assert_true(retrieval_library_repair(library, &error));
    assert_no_error(error);
    assert_int_equal(count_problems(library), 0);
    check_first(library, "rusts", RETRIEVAL_BM25, "a");
    check_first(library, "Gold not", RETRIEVAL_DENSE, "b");
}

static void
another_tokenizer_is_refused_until_repaired(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL, refused = NULL;
    g_autoptr(retrieval_library) library = open_writer();
    add(library, "a", "Iron rusts.");
    assert_true(retrieval_store_set_setting(library->store, "tokenizer", "older", &error));
    g_clear_pointer(&library, retrieval_library_free);
    assert_null(retrieval_library_open_with(folder, RETRIEVAL_OPEN_READ, &no_embedder, &refused));
    assert_true(g_error_matches(refused, RETRIEVAL_ERROR, RETRIEVAL_ERROR_FORMAT));
    assert_non_null(strstr(refused->message, "lode library repair"));
    library = open_library(folder, RETRIEVAL_OPEN_REPAIR, &no_embedder);
    assert_true(retrieval_library_repair(library, &error));
    g_clear_pointer(&library, retrieval_library_free);
    library = open_reader();
    check_first(library, "iron", RETRIEVAL_BM25, "a");
}

static gboolean
must_not_embed(void *user_data, const char *const *texts, size_t n, float *out, const int *cancel,
               GError **error)
{
    (void)user_data, (void)texts, (void)n, (void)out, (void)cancel;
    g_set_error_literal(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_EMBEDDER, "was asked to embed");
    return FALSE;
}

static void
two_libraries_of_one_embedder_become_one_without_embedding(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    g_autofree char *second = make_folder("second");
    g_autoptr(retrieval_library) one = open_writer();
    add(one, "a", "Iron rusts in water.");
    add(one, "both", "Said in both.");
    commit(one);
    g_clear_pointer(&one, retrieval_library_free);
    g_autoptr(retrieval_library) two = open_library(second, RETRIEVAL_OPEN_WRITE, &fake_embedder);
    add(two, "b", "Gold stays bright.");
    add(two, "both", "Said in both.");
    g_autoptr(lode_document) document = random_document(4);
    assert_true(retrieval_library_add(two, "/p/d.pdf", document, NULL, NULL, &error));
    commit(two);
    g_clear_pointer(&two, retrieval_library_free);

    retrieval_embedder idle = fake_embedder;
    idle.embed = must_not_embed;
    one = open_library(folder, RETRIEVAL_OPEN_WRITE, &idle);
    retrieval_merge_report report;
    assert_true(retrieval_library_merge(one, second, NULL, &report, &error));
    assert_no_error(error);
    assert_int_equal(report.n_added, 2);
    assert_int_equal(report.n_known, 1);
    assert_int_equal(count_problems(one), 0);
    g_clear_pointer(&one, retrieval_library_free);

    one = open_reader();
    check_first(one, "Gold stays bright.", RETRIEVAL_DENSE, "b");
    check_first(one, "gold bright", RETRIEVAL_BM25, "b");
    g_autoptr(GPtrArray) chunks = retrieval_library_load_document(one, "/p/d.pdf", &error);
    assert_no_error(error);
    g_autoptr(GPtrArray) expected = retrieval_chunk_document(document, NULL);
    assert_int_equal(chunks->len, expected->len);
    remove_folder(second);
}

static void
another_embedder_is_refused_with_the_command_that_changes_it(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL, refused = NULL;
    g_autofree char *second = make_folder("second");
    g_autoptr(retrieval_library) one = open_writer();
    add(one, "a", "Iron rusts.");
    commit(one);
    retrieval_embedder other = fake_embedder;
    other.id = "other-1";
    g_autoptr(retrieval_library) two = open_library(second, RETRIEVAL_OPEN_WRITE, &other);
    add(two, "b", "Gold stays.");
    commit(two);
    g_clear_pointer(&two, retrieval_library_free);
    retrieval_merge_report report;
    assert_false(retrieval_library_merge(one, second, NULL, &report, &refused));
    assert_true(g_error_matches(refused, RETRIEVAL_ERROR, RETRIEVAL_ERROR_EMBEDDER));
    assert_non_null(strstr(refused->message, "lode index --reembed"));
    g_clear_error(&refused);

    assert_null(
        retrieval_library_open_with(second, RETRIEVAL_OPEN_WRITE, &fake_embedder, &refused));
    assert_non_null(strstr(refused->message, "lode index --reembed"));
    retrieval_embedder changing = fake_embedder;
    changing.reembed = TRUE;
    two = open_library(second, RETRIEVAL_OPEN_WRITE, &changing);
    assert_true(retrieval_library_embed_missing(two, NULL, &error));
    commit(two);
    assert_int_equal(count_problems(two), 0);
    g_clear_pointer(&two, retrieval_library_free);
    assert_true(retrieval_library_merge(one, second, NULL, &report, &error));
    assert_no_error(error);
    remove_folder(second);
}

static gboolean
folder_holds(const char *bytes, gsize n)
{
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    for (const char *name; (name = g_dir_read_name(dir)) != NULL;) {
        g_autofree char *path = g_build_filename(folder, name, NULL), *data = NULL;
        gsize len = 0;
        assert_true(g_file_get_contents(path, &data, &len, NULL));
        for (gsize i = 0; i + n <= len; i++)
            if (data[i] == bytes[0] && memcmp(data + i, bytes, n) == 0) return TRUE;
    }
    return FALSE;
}

/* The text, the words of the full-text index and the vector: none of it is in any file any more. */
static void
what_was_removed_is_in_no_file(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    g_autoptr(retrieval_library) library = open_writer();
    for (int i = 0; i < 50; i++) {
        g_autofree char *id = g_strdup_printf("p%d", i);
        g_autofree char *text = g_strdup_printf("Ordinary text number %d.", i);
        add(library, id, text);
    }
    static const char secret[] = "The xylophagous zebrafish confesses.";
    add(library, "/home/me/zz-secret.pdf", secret);
    commit(library);
    float vector[FAKE_DIMS];
    const char *const texts[] = {secret};
    assert_true(retrieval_library_embed(library, texts, 1, vector, NULL, &error));
    uint16_t halves[FAKE_DIMS];
    retrieval_pack_halves(vector, FAKE_DIMS, halves);
    assert_true(folder_holds("xylophag", 8));
    assert_true(folder_holds((const char *)halves, sizeof halves));

    assert_true(retrieval_library_remove(library, "/home/me/zz-secret.pdf", &error));
    commit(library);
    assert_false(folder_holds("xylophag", 8));
    assert_false(folder_holds("zebrafish", 9));
    assert_false(folder_holds("zz-secret", 9));
    assert_false(folder_holds((const char *)halves, sizeof halves));
    float *const exact = vector; /* as vectors.faiss had it */
    retrieval_unpack_halves(halves, FAKE_DIMS, exact);
    assert_false(folder_holds((const char *)exact, sizeof vector));
    assert_int_equal(count_problems(library), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_folder, teardown_folder)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(damage_is_told_and_mended),
        TEST(another_tokenizer_is_refused_until_repaired),
        TEST(two_libraries_of_one_embedder_become_one_without_embedding),
        TEST(another_embedder_is_refused_with_the_command_that_changes_it),
        TEST(what_was_removed_is_in_no_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
