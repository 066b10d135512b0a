/* Call-outs in passages and the bibliography entries that they name. */
#include "support.h"

#include <string.h>

#include "retrieval/calls.h"

static const char first_text[] = "Iron rusts in water [1, 2]. The rate was measured by Li et al. "
                                 "[2] and once more by others who found nothing new [3].";

/* A call-out: the bytes of `what` at its nth place in the block's text, from 0. */
static void
call(writer *w, int block, const char *text, const char *what, int nth, int reference)
{
    const char *at = strstr(text, what);
    while (nth-- > 0)
        at = strstr(at + 1, what);
    const layout_citation citation = {block, (uint32_t)(at - text), (uint32_t)strlen(what),
                                      reference};
    layout_builder_add_citation(w->builder, &citation);
}

static lode_document *
cited_document(void)
{
    static const char *const entries[] = {"[1] A. Rust. On iron. 2001.",
                                          "[2] B. Li. Rates. J. Rate 2, 2002.",
                                          "[3] C. Null. Nothing."};
    writer w = writer_start();
    writer_add(&w, LAYOUT_BLOCK_TITLE, 0, "On rust");
    const int body = writer_add(&w, LAYOUT_BLOCK_PARAGRAPH, 0, first_text);
    const int plain = writer_add(&w, LAYOUT_BLOCK_PARAGRAPH, 0, "This one calls nothing.");
    (void)plain;
    for (guint i = 0; i < G_N_ELEMENTS(entries); i++) {
        const int block = writer_add(&w, LAYOUT_BLOCK_REFERENCE, 0, entries[i]);
        const layout_reference reference = {.block = block,
                                            .key = i == 0   ? "1"
                                                   : i == 1 ? "2"
                                                            : "3",
                                            .authors = i == 1 ? "B. Li" : NULL,
                                            .title = i == 1 ? "Rates" : NULL,
                                            .year = i == 1 ? "2002" : NULL,
                                            .doi = i == 1 ? "10.1000/rate" : NULL};
        layout_builder_add_reference(w.builder, &reference, NULL, 0);
    }
    call(&w, body, first_text, "1", 0, 0);
    call(&w, body, first_text, "2", 0, 1);
    call(&w, body, first_text, "2", 1, 1);
    call(&w, body, first_text, "3", 0, 2);
    return writer_finish(&w, "On rust", "ab");
}

static int64_t
first_chunk(retrieval_library *library, const char *path)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) chunks = retrieval_library_load_document(library, path, &error);
    assert_no_error(error);
    for (guint i = 0; i < chunks->len; i++) {
        const retrieval_hit *hit = chunks->pdata[i];
        if (strstr(hit->text, "Iron rusts")) return hit->chunk_id;
    }
    fail();
    return 0;
}

/* Keys of the entries called, joined. */
static void
check_called(retrieval_library *library, int64_t chunk, uint32_t start, uint32_t len,
             const char *keys)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GString) found = g_string_new(NULL);
    g_autoptr(GPtrArray) references =
        retrieval_library_load_references(library, chunk, start, len, &error);
    assert_no_error(error);
    for (guint i = 0; i < references->len; i++)
        g_string_append(found, ((retrieval_reference *)references->pdata[i])->key);
    assert_string_equal(found->str, keys);
}

static void
a_passage_tells_what_it_cites(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    g_autoptr(lode_document) document = cited_document();
    g_autoptr(retrieval_library) library = open_writer();
    assert_true(retrieval_library_add(library, "/p/rust.pdf", document, NULL, NULL, &error));
    assert_no_error(error);
    const int64_t chunk = first_chunk(library, "/p/rust.pdf");
    check_called(library, chunk, 0, G_MAXUINT32, "123");
    g_autoptr(GPtrArray) hits = retrieval_library_load_neighbours(library, chunk, 0, 0, &error);
    const char *text = ((retrieval_hit *)hits->pdata[0])->text;
    const uint32_t second = (uint32_t)(strstr(text, "The rate") - text);
    check_called(library, chunk, 0, second, "12");
    check_called(library, chunk, second, G_MAXUINT32, "23");
    check_called(library, chunk, 0, 5, "");

    g_autoptr(GPtrArray) all =
        retrieval_library_load_references(library, chunk, second, G_MAXUINT32, &error);
    const retrieval_reference *li = all->pdata[0];
    assert_int_equal(li->len, 1);
    assert_int_equal(text[li->start], '2');
    assert_string_equal(li->text, "[2] B. Li. Rates. J. Rate 2, 2002.");
    assert_string_equal(li->title, "Rates");
    assert_string_equal(li->authors, "B. Li");
    assert_string_equal(li->year, "2002");
    assert_string_equal(li->doi, "10.1000/rate");
    assert_null(li->url);

    assert_null(retrieval_library_load_references(library, chunk + 100, 0, 1, &error));
    assert_true(g_error_matches(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_NOT_FOUND));
}

static int64_t
count_entries(retrieval_library *library)
{
    sqlite3_stmt *statement = NULL;
    sqlite3_prepare_v2(library->store->db, "SELECT count(*) FROM entries", -1, &statement, NULL);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    const int64_t n = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return n;
}

static void
entries_go_with_their_document_and_come_with_a_merge(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    g_autofree char *second = make_folder("second");
    g_autoptr(lode_document) document = cited_document();
    g_autoptr(retrieval_library) library = open_writer();
    assert_true(retrieval_library_add(library, "/p/rust.pdf", document, NULL, NULL, &error));
    assert_true(retrieval_library_commit(library, &error));
    g_autoptr(retrieval_library) other = open_library(second, RETRIEVAL_OPEN_WRITE, &fake_embedder);
    assert_true(retrieval_library_add_passage(other, "x", "", "Something else.", &error));
    retrieval_merge_report report;
    assert_true(retrieval_library_merge(other, folder, NULL, &report, &error));
    assert_no_error(error);
    check_called(other, first_chunk(other, "/p/rust.pdf"), 0, G_MAXUINT32, "123");
    assert_int_equal(count_entries(other), 3);
    assert_true(retrieval_library_remove(library, "/p/rust.pdf", &error));
    assert_true(retrieval_library_commit(library, &error));
    assert_int_equal(count_entries(library), 0);
    g_clear_pointer(&other, retrieval_library_free);
    remove_folder(second);
}

static void
damaged_calls_end_the_list(void **state)
{
    (void)state;
    g_autoptr(GArray) calls = g_array_new(FALSE, FALSE, sizeof(retrieval_call));
    const retrieval_call some[] = {{3, 2, 7}, {3, 2, 8}, {90, 1, 0}};
    g_array_append_vals(calls, some, G_N_ELEMENTS(some));
    g_autoptr(GBytes) packed = retrieval_pack_calls(calls);
    gsize n = 0;
    const guint8 *bytes = g_bytes_get_data(packed, &n);
    g_autoptr(GArray) again = g_array_new(FALSE, FALSE, sizeof(retrieval_call));
    assert_true(retrieval_unpack_calls(bytes, n, again));
    assert_int_equal(again->len, G_N_ELEMENTS(some));
    assert_memory_equal(again->data, some, sizeof some);
    for (gsize cut = 0; cut < n; cut++) {
        g_array_set_size(again, 0);
        assert_false(retrieval_unpack_calls(bytes, cut, again));
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_folder, teardown_folder)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_passage_tells_what_it_cites),
        TEST(entries_go_with_their_document_and_come_with_a_merge),
        cmocka_unit_test(damaged_calls_end_the_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
