/* Pages read by several threads make the document that one makes. */
#include "layout/layout.h"
#include "long_pdf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <glib/gstdio.h>
#include <string.h>

static char *
json_of(const char *path, unsigned n_threads, GError **error)
{
    const layout_options options = {.n_threads = n_threads};
    g_autoptr(lode_document) document = layout_document_open(path, &options, error);
    return document != NULL ? layout_document_to_json(document) : NULL;
}

static void
assert_same_for_any_threads(const char *path)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *one = json_of(path, 1, &error);
    assert_null(error);
    static const unsigned counts[] = {0, 2, 5, 200};
    for (gsize i = 0; i < G_N_ELEMENTS(counts); i++) {
        g_autofree char *more = json_of(path, counts[i], &error);
        assert_null(error);
        assert_string_equal(one, more);
    }
}

static void
any_number_of_threads_gives_the_same_bytes(void **state)
{
    (void)state;
    const long_pdf pdf = {60, TRUE, -1, -1};
    g_autofree char *path = long_pdf_write(&pdf);
    assert_same_for_any_threads(path);
    g_unlink(path);
    static const char *const papers[] = {"ceria.pdf", "lake.pdf", "manual.pdf"};
    for (gsize i = 0; i < G_N_ELEMENTS(papers); i++) {
        g_autofree char *paper = g_build_filename(LODE_TEST_DATA, "papers", papers[i], NULL);
        assert_same_for_any_threads(paper);
    }
    g_autofree char *formulas =
        g_build_filename(LODE_TEST_DATA, "cases", "formula_pages.pdf", NULL);
    assert_same_for_any_threads(formulas);
}

static void
a_page_that_fails_fails_alone(void **state)
{
    (void)state;
    const long_pdf pdf = {30, FALSE, 17, -1};
    g_autofree char *path = long_pdf_write(&pdf);
    const layout_options options = {.n_threads = 3};
    g_autoptr(GError) error = NULL;
    g_autoptr(lode_document) document = layout_document_open(path, &options, &error);
    assert_non_null(document);
    assert_int_equal(document->n_pages, 30);
    for (guint i = 0; i < 30; i++)
        assert_int_equal(document->pages[i].failure != NULL, i == 17);
    assert_same_for_any_threads(path);
    g_unlink(path);
}

static void
a_file_rebuilt_while_it_is_read_is_the_same_for_any_threads(void **state)
{
    (void)state;
    const long_pdf pdf = {30, FALSE, -1, 11};
    g_autofree char *path = long_pdf_write(&pdf);
    assert_same_for_any_threads(path);
    g_unlink(path);
}

static void
cancel_at_seven(int page, int n_pages, void *user_data)
{
    assert_true(page <= n_pages && page <= 7);
    if (page == 7) __atomic_store_n((int *)user_data, 1, __ATOMIC_RELAXED);
}

static void
cancelling_stops_all_threads(void **state)
{
    (void)state;
    const long_pdf pdf = {200, FALSE, -1, -1};
    g_autofree char *path = long_pdf_write(&pdf);
    for (unsigned n = 1; n <= 4; n += 3) {
        int cancel = 0;
        const layout_options options = {
            .n_threads = n, .cancel = &cancel, .progress = cancel_at_seven, .user_data = &cancel};
        g_autoptr(GError) error = NULL;
        assert_null(layout_document_open(path, &options, &error));
        assert_true(g_error_matches(error, LAYOUT_ERROR, LAYOUT_ERROR_CANCELLED));
        assert_non_null(strstr(error->message, "page 8"));
    }
    g_unlink(path);
}

static void
count_pages(int page, int n_pages, void *user_data)
{
    int *last = user_data;
    assert_int_equal(page, *last + 1);
    assert_int_equal(n_pages, 11);
    *last = page;
}

static void
progress_counts_every_page_once(void **state)
{
    (void)state;
    const long_pdf pdf = {25, FALSE, -1, -1};
    g_autofree char *path = long_pdf_write(&pdf);
    const layout_page_range ranges[] = {{5, 13}, {15, 16}};
    int last = 0;
    const layout_options options = {.n_threads = 4,
                                    .ranges = ranges,
                                    .n_ranges = 2,
                                    .progress = count_pages,
                                    .user_data = &last};
    g_autoptr(lode_document) document = layout_document_open(path, &options, NULL);
    assert_non_null(document);
    assert_int_equal(last, 11);
    assert_int_equal(document->n_pages, 16);
    assert_true(document->pages[13].skipped && !document->pages[14].skipped);
    g_unlink(path);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_number_of_threads_gives_the_same_bytes),
        cmocka_unit_test(a_page_that_fails_fails_alone),
        cmocka_unit_test(a_file_rebuilt_while_it_is_read_is_the_same_for_any_threads),
        cmocka_unit_test(cancelling_stops_all_threads),
        cmocka_unit_test(progress_counts_every_page_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
