/* Recognised pages on disk: kept over kills, torn ends, and thrown away for another source. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <glib.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pipelines/ocr_store.h"

#define DIR    "store"
#define FILE_  DIR "/.ocr-pages"
#define SOURCE "scan.bin"

static void
begin(const char *content)
{
    g_unlink(FILE_);
    assert_true(g_file_set_contents(SOURCE, content, -1, NULL));
}

static void
put(const pipelines_ocr_store *store, const char *key, const char *text)
{
    const parse_ocr_store *calls = pipelines_ocr_store_calls(store);
    g_autoptr(GBytes) page = g_bytes_new(text, strlen(text));
    calls->put(key, page, calls->user_data);
}

/* NULL: not there. */
static char *
get(const pipelines_ocr_store *store, const char *key)
{
    const parse_ocr_store *calls = pipelines_ocr_store_calls(store);
    g_autoptr(GBytes) page = calls->get(key, calls->user_data);
    if (page == NULL) return NULL;
    gsize n = 0;
    const char *data = g_bytes_get_data(page, &n);
    return g_strndup(data, n);
}

static void
assert_kept(const pipelines_ocr_store *store, const char *key, const char *text)
{
    g_autofree char *found = get(store, key);
    if (g_strcmp0(found, text) != 0)
        fail_msg("%s is %s, not %s", key, found ? found : "none", text ? text : "none");
}

static void
pages_are_there_for_the_next_run_and_gone_when_done(void **state)
{
    (void)state;
    begin("a scan");
    pipelines_ocr_store *store = pipelines_ocr_store_new(DIR, SOURCE);
    assert_false(g_file_test(FILE_, G_FILE_TEST_EXISTS)); /* nothing is touched yet */
    assert_kept(store, "page 0", NULL);
    put(store, "page 0", "first");
    put(store, "page 1", "second");
    put(store, "page 0", "first again");
    assert_kept(store, "page 0", "first again");
    pipelines_ocr_store_free(store, FALSE);

    store = pipelines_ocr_store_new(DIR, SOURCE);
    assert_kept(store, "page 0", "first again");
    assert_kept(store, "page 1", "second");
    assert_kept(store, "page 2", NULL);
    pipelines_ocr_store_free(store, TRUE);
    assert_false(g_file_test(FILE_, G_FILE_TEST_EXISTS));
}

static void
pages_of_another_source_are_not_taken(void **state)
{
    (void)state;
    begin("a scan");
    pipelines_ocr_store *store = pipelines_ocr_store_new(DIR, SOURCE);
    put(store, "page 0", "first");
    pipelines_ocr_store_free(store, FALSE);
    assert_true(g_file_set_contents(SOURCE, "another scan", -1, NULL));
    store = pipelines_ocr_store_new(DIR, SOURCE);
    assert_kept(store, "page 0", NULL);
    put(store, "page 0", "other");
    assert_kept(store, "page 0", "other");
    pipelines_ocr_store_free(store, FALSE);
    store = pipelines_ocr_store_new(DIR, SOURCE);
    assert_kept(store, "page 0", "other");
    pipelines_ocr_store_free(store, TRUE);
}

static void
a_file_cut_anywhere_keeps_its_whole_pages(void **state)
{
    (void)state;
    begin("a scan");
    pipelines_ocr_store *store = pipelines_ocr_store_new(DIR, SOURCE);
    put(store, "page 0", "first");
    put(store, "page 1", "second");
    pipelines_ocr_store_free(store, FALSE);
    g_autofree char *whole = NULL;
    gsize n = 0;
    guint both = 0, one = 0;
    assert_true(g_file_get_contents(FILE_, &whole, &n, NULL));
    for (gsize cut = 0; cut <= n; cut++) {
        assert_true(g_file_set_contents(FILE_, whole, (gssize)cut, NULL));
        store = pipelines_ocr_store_new(DIR, SOURCE);
        g_autofree char *first = get(store, "page 0"), *second = get(store, "page 1");
        assert_true(first == NULL || strcmp(first, "first") == 0);
        assert_true(second == NULL || (first != NULL && strcmp(second, "second") == 0));
        both += second != NULL;
        one += first != NULL && second == NULL;
        put(store, "page 2", "third"); /* goes on behind what is whole */
        pipelines_ocr_store_free(store, FALSE);
        store = pipelines_ocr_store_new(DIR, SOURCE);
        assert_kept(store, "page 2", "third");
        assert_kept(store, "page 0", first);
        pipelines_ocr_store_free(store, FALSE);
    }
    assert_int_equal(both, 1);
    assert_true(one > 10);
    /* one wrong bit: that page is not believed */
    whole[n - 12] ^= 1;
    assert_true(g_file_set_contents(FILE_, whole, (gssize)n, NULL));
    store = pipelines_ocr_store_new(DIR, SOURCE);
    assert_kept(store, "page 0", "first");
    assert_kept(store, "page 1", NULL);
    pipelines_ocr_store_free(store, TRUE);
}

static void
two_runs_do_not_share_a_file(void **state)
{
    (void)state;
    begin("a scan");
    pipelines_ocr_store *mine = pipelines_ocr_store_new(DIR, SOURCE);
    put(mine, "page 0", "mine");
    pipelines_ocr_store *other = pipelines_ocr_store_new(DIR, SOURCE);
    assert_kept(other, "page 0", NULL);
    put(other, "page 0", "other"); /* goes nowhere */
    assert_kept(other, "page 0", NULL);
    pipelines_ocr_store_free(other, TRUE);
    assert_kept(mine, "page 0", "mine");
    assert_true(g_file_test(FILE_, G_FILE_TEST_EXISTS));
    pipelines_ocr_store_free(mine, TRUE);
}

/* Writes pages until it is killed. */
static G_NORETURN void
write_on(void)
{
    pipelines_ocr_store *store = pipelines_ocr_store_new(DIR, SOURCE);
    for (guint i = 0;; i++) {
        g_autofree char *key = g_strdup_printf("page %u", i);
        g_autofree char *text = g_strnfill(1000 + i % 5000, (char)('a' + i % 26));
        put(store, key, text);
    }
}

static void
a_killed_process_loses_no_page_that_it_had_written(void **state)
{
    (void)state;
    for (int round = 0; round < 5; round++) {
        begin("a scan");
        const pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) write_on();
        GStatBuf info;
        while (g_stat(FILE_, &info) != 0 || info.st_size < 100000 * (round + 1))
            g_usleep(500);
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        assert_int_equal(g_stat(FILE_, &info), 0);
        pipelines_ocr_store *store = pipelines_ocr_store_new(DIR, SOURCE);
        gsize bytes = 0;
        guint n = 0;
        for (;; n++) {
            g_autofree char *key = g_strdup_printf("page %u", n);
            g_autofree char *found = get(store, key);
            if (found == NULL) break;
            assert_int_equal(strlen(found), 1000 + n % 5000);
            assert_int_equal(found[0], 'a' + (int)(n % 26));
            bytes += strlen(found);
        }
        /* all but the one it was writing */
        assert_true(bytes + 30 * n + 8000 > (gsize)info.st_size);
        pipelines_ocr_store_free(store, TRUE);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_are_there_for_the_next_run_and_gone_when_done),
        cmocka_unit_test(pages_of_another_source_are_not_taken),
        cmocka_unit_test(a_file_cut_anywhere_keeps_its_whole_pages),
        cmocka_unit_test(two_runs_do_not_share_a_file),
        cmocka_unit_test(a_killed_process_loses_no_page_that_it_had_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
