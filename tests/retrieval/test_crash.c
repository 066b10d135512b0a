/* Killed, crowded and full: what another process, the kernel or the disk can do to a library. */
#include "support.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { N_DOCUMENTS = 14 };

static char *
vectors_path(void)
{
    return g_build_filename(folder, "vectors.faiss", NULL);
}

/* What `lode index` does: all documents that are not there or have changed, then those that are gone. */
static gboolean
index_all(const char *dir, GError **error)
{
    g_autoptr(retrieval_library) library =
        retrieval_library_open_with(dir, RETRIEVAL_OPEN_WRITE, &fake_embedder, error);
    if (!library) return FALSE;
    for (guint32 i = 0; i < N_DOCUMENTS; i++) {
        g_autofree char *path = g_strdup_printf("/papers/%02u.pdf", i);
        g_autoptr(lode_document) document = random_document(i);
        retrieval_file_state file;
        if (!retrieval_library_file_state(library, path, document->meta.source_sha256, &file,
                                          error))
            return FALSE;
        if (file != RETRIEVAL_FILE_UNCHANGED &&
            !retrieval_library_add(library, path, document, NULL, NULL, error))
            return FALSE;
        if (i % 5 == 4 && !retrieval_library_commit(library, error)) return FALSE;
    }
    return retrieval_library_commit(library, error);
}

static void
index_all_or_fail(void)
{
    g_autoptr(GError) error = NULL;
    gboolean done = index_all(folder, &error);
    assert_no_error(error);
    assert_true(done);
}

static char *
dump_hash(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(retrieval_library) library = open_writer();
    char *hash = retrieval_library_dump_hash(library, &error);
    assert_no_error(error);
    assert_true(retrieval_library_check(library, &error));
    assert_no_error(error);
    return hash;
}

/* Ranks and scores of some queries, as text. */
static char *
answers(retrieval_library *library)
{
    static const char *const queries[] = {"karo mi ten", "Sol va lu pex", "dor um ist"};
    GString *text = g_string_new(NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(queries); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GPtrArray) hits = retrieval_library_search(library, queries[i], NULL, &error);
        assert_no_error(error);
        for (guint j = 0; j < hits->len; j++) {
            const retrieval_hit *hit = hits->pdata[j];
            g_string_append_printf(text, "%s %.17g %d %d %s\n", hit->path, hit->score,
                                   hit->bm25_rank, hit->dense_rank, hit->text);
        }
    }
    return g_string_free(text, FALSE);
}

/* Runs in a child; never returns to cmocka. */
static pid_t
start_child(void (*work)(void))
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        work();
        _exit(0);
    }
    return child;
}

static int
wait_for(pid_t child)
{
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void
child_indexes(void)
{
    if (!index_all(folder, NULL)) _exit(1);
}

static void
killed_at_any_point_it_ends_up_the_same(void **state)
{
    (void)state;
    const gint64 start = g_get_monotonic_time();
    index_all_or_fail();
    const gint64 whole_us = g_get_monotonic_time() - start;
    g_autofree char *expected = dump_hash();
    g_autofree char *expected_answers = NULL;
    {
        g_autoptr(retrieval_library) library = open_reader();
        expected_answers = answers(library);
    }
    g_autoptr(GRand) rand = g_rand_new_with_seed(17);
    guint n_killed = 0;
    for (int round = 0; round < 12; round++) {
        remove_folder(folder);
        for (int kills = 0; kills < 4; kills++) {
            pid_t child = start_child(child_indexes);
            g_usleep((gulong)g_rand_double_range(rand, 0, (double)whole_us));
            kill(child, SIGKILL);
            n_killed += WIFSIGNALED(wait_for(child)) ? 1 : 0;
            if (kills % 2 == 0) continue;
            g_autofree char *sound = dump_hash(); /* also checks the database */
        }
        index_all_or_fail();
        g_autofree char *hash = dump_hash();
        assert_string_equal(hash, expected);
        g_autoptr(retrieval_library) library = open_reader();
        g_autofree char *found = answers(library);
        assert_string_equal(found, expected_answers);
        g_autofree char *left = g_strconcat(folder, "/vectors.faiss.tmp", NULL);
        assert_false(g_file_test(left, G_FILE_TEST_EXISTS));
    }
    assert_true(n_killed > 10);
}

/* ---- vectors.faiss and the database out of step ---- */

static void
an_old_vector_file_is_not_used(void **state)
{
    (void)state;
    g_autofree char *path = vectors_path(), *old = NULL, *repaired = NULL, *reference = NULL;
    gsize n_old = 0;
    index_all_or_fail();
    assert_true(g_file_get_contents(path, &old, &n_old, NULL));
    {
        g_autoptr(retrieval_library) library = open_writer();
        assert_true(retrieval_library_remove(library, "/papers/03.pdf", NULL));
        assert_true(retrieval_library_commit(library, NULL));
        reference = answers(library);
    }
    assert_true(
        g_file_set_contents(path, old, (gssize)n_old, NULL)); /* as if killed before the rename */
    {
        g_autoptr(retrieval_library) reader = open_reader();
        g_autofree char *found = answers(reader);
        assert_string_equal(found, reference);
    }
    {
        g_autoptr(retrieval_library) library = open_writer();
        assert_true(retrieval_library_commit(library, NULL));
    }
    retrieval_version version;
    gsize n_new = 0;
    assert_true(g_file_get_contents(path, &repaired, &n_new, NULL));
    assert_true(n_new < n_old);
    g_autoptr(retrieval_vectors) vectors = retrieval_vectors_load(path, FAKE_DIMS, &version, NULL);
    assert_non_null(vectors);
    assert_int_equal(version.generation, N_DOCUMENTS + 1);
}

/* Two libraries of the same generation with other contents: the file of one must not serve the other. */
static void
a_vector_file_of_another_history_is_not_used(void **state)
{
    (void)state;
    g_autofree char *path = vectors_path(), *foreign = NULL, *reference = NULL;
    gsize n = 0;
    {
        g_autoptr(retrieval_library) library = open_writer();
        assert_true(retrieval_library_add_passage(library, "a", "", "karo mi ten", NULL));
        assert_true(retrieval_library_add_passage(library, "b", "", "sol va", NULL));
        assert_true(retrieval_library_commit(library, NULL));
    }
    assert_true(g_file_get_contents(path, &foreign, &n, NULL));
    remove_folder(folder);
    {
        g_autoptr(retrieval_library) library = open_writer();
        assert_true(retrieval_library_add_passage(library, "b", "", "sol va", NULL));
        assert_true(retrieval_library_add_passage(library, "a", "", "karo mi ten", NULL));
        assert_true(retrieval_library_commit(library, NULL));
        reference = answers(library);
    }
    assert_true(g_file_set_contents(path, foreign, (gssize)n, NULL));
    g_autoptr(retrieval_library) reader = open_reader();
    g_autofree char *found = answers(reader);
    assert_string_equal(found, reference);
}

static void
a_damaged_vector_file_is_made_again(void **state)
{
    (void)state;
    g_autofree char *path = vectors_path(), *good = NULL, *reference = NULL;
    gsize n = 0;
    index_all_or_fail();
    assert_true(g_file_get_contents(path, &good, &n, NULL));
    {
        g_autoptr(retrieval_library) library = open_reader();
        reference = answers(library);
    }
    for (int kind = 0; kind < 4; kind++) {
        g_autofree char *bad = g_memdup2(good, n);
        if (kind == 0) bad[n / 2] = (char)(bad[n / 2] ^ 4);
        if (kind < 3)
            assert_true(
                g_file_set_contents(path, bad, kind == 1 ? (gssize)n / 3 : (gssize)n, NULL));
        if (kind == 2) assert_true(g_file_set_contents(path, "not an index", -1, NULL));
        if (kind == 3) g_unlink(path);
        {
            g_autoptr(retrieval_library) reader = open_reader();
            g_autofree char *found = answers(reader);
            assert_string_equal(found, reference);
        }
        g_autoptr(retrieval_library) library = open_writer();
        assert_true(retrieval_library_commit(library, NULL));
        g_autofree char *again = NULL;
        gsize n_again = 0;
        assert_true(g_file_get_contents(path, &again, &n_again, NULL));
        assert_int_equal(n_again, n);
        assert_memory_equal(again, good, n);
    }
}

/* ---- several processes, several threads ---- */

static void
a_second_writer_is_told_that_it_is_busy(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    retrieval_library *first = open_writer();
    assert_null(retrieval_library_open_with(folder, RETRIEVAL_OPEN_WRITE, &fake_embedder, &error));
    assert_true(g_error_matches(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_BUSY));
    g_autoptr(retrieval_library) reader = open_reader(); /* readers do not mind */
    retrieval_library_free(first);
    g_autoptr(retrieval_library) second = open_writer();
}

static void
a_killed_writer_frees_its_lock(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        pid_t child = start_child(child_indexes);
        g_usleep(20000);
        kill(child, SIGKILL);
        wait_for(child);
        g_autoptr(retrieval_library) library = open_writer();
    }
}

static void
a_reader_follows_a_writer(void **state)
{
    (void)state;
    {
        g_autoptr(retrieval_library) library = open_writer();
        assert_true(retrieval_library_add_passage(library, "first", "", "sentinel word", NULL));
        assert_true(retrieval_library_commit(library, NULL));
    }
    g_autoptr(retrieval_library) reader = open_reader();
    pid_t child = start_child(child_indexes);
    guint n_rounds = 0;
    int status = 0;
    while (waitpid(child, &status, WNOHANG) == 0) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GPtrArray) hits = retrieval_library_search(reader, "sentinel", NULL, &error);
        assert_no_error(error);
        assert_true(hits->len > 0);
        assert_string_equal(((retrieval_hit *)hits->pdata[0])->path, "first");
        n_rounds++;
    }
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_true(n_rounds > 0);
    g_autoptr(retrieval_library) fresh = open_reader();
    g_autofree char *a = answers(reader), *b = answers(fresh);
    assert_string_equal(a, b);
}

static gpointer
search_many_times(gpointer data)
{
    retrieval_library *library = data;
    char *first = NULL;
    for (int i = 0; i < 10; i++) {
        char *found = answers(library);
        if (first && strcmp(first, found) != 0) g_error("answers differ");
        g_free(first);
        first = found;
    }
    return first;
}

static void
any_number_of_threads_get_the_same_answers(void **state)
{
    (void)state;
    index_all_or_fail();
    g_autoptr(retrieval_library) library = open_reader();
    g_autofree char *expected = answers(library);
    for (guint n = 1; n <= 8; n *= 2) {
        GThread *threads[8];
        for (guint i = 0; i < n; i++)
            threads[i] = g_thread_new("search", search_many_times, library);
        for (guint i = 0; i < n; i++) {
            g_autofree char *found = g_thread_join(threads[i]);
            assert_string_equal(found, expected);
        }
    }
}

/* ---- a folder that cannot be written ---- */

static void
child_reads_as_nobody(void)
{
    enum { NOBODY = 65534 };
    g_autofree char *here = g_get_current_dir(); /* as the database sees it: by its whole path */
    if (geteuid() == 0 && setresuid(NOBODY, NOBODY, NOBODY) != 0)
        _exit(2); /* root may write anywhere */
    if (g_access(here, X_OK) != 0) _exit(77);
    if (g_access(folder, W_OK) == 0) _exit(3);
    g_autoptr(GError) error = NULL;
    g_autoptr(retrieval_library) library =
        retrieval_library_open_with(folder, RETRIEVAL_OPEN_READ, &fake_embedder, &error);
    if (!library) _exit(4);
    g_autoptr(GPtrArray) hits = retrieval_library_search(library, "karo mi", NULL, &error);
    _exit(hits && hits->len > 0 ? 0 : 5);
}

static void
a_library_that_cannot_be_written_is_read(void **state)
{
    (void)state;
    index_all_or_fail();
    assert_int_equal(g_chmod(folder, 0555), 0);
    g_autofree char *db = g_build_filename(folder, "library.db", NULL);
    assert_int_equal(g_chmod(db, 0444), 0);
    g_clear_pointer(&db, g_free); /* skip() jumps over the clean-up */
    const int status = wait_for(start_child(child_reads_as_nobody));
    assert_int_equal(g_chmod(folder, 0755), 0);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77) skip(); /* the working folder is closed to others */
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- a full disk ---- */

/* Files may not grow beyond the limit: writes fail with EFBIG as they would with ENOSPC. */
static void
child_indexes_with_little_room(void)
{
    const struct rlimit limit = {200000, 200000};
    signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(2);
    g_autoptr(GError) error = NULL;
    if (index_all(folder, &error)) _exit(3);
    _exit(g_error_matches(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_IO) ? 0 : 4);
}

static void
a_full_disk_is_an_error_and_no_damage(void **state)
{
    (void)state;
    const int status = wait_for(start_child(child_indexes_with_little_room));
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    g_autofree char *partial = dump_hash(); /* sound */
    index_all_or_fail();                    /* room again: it goes on */
    g_autofree char *resumed = dump_hash();
    remove_folder(folder);
    index_all_or_fail();
    g_autofree char *whole = dump_hash();
    assert_string_equal(resumed, whole);
    assert_string_not_equal(partial, whole);
}

/* SQLite's own limit, at every number of pages from the empty library's on. */
static void
a_full_database_keeps_what_it_had(void **state)
{
    (void)state;
    g_autoptr(retrieval_library) library = open_writer();
    assert_true(retrieval_library_add_passage(library, "first", "", "sentinel word", NULL));
    sqlite3_stmt *statement = NULL;
    assert_int_equal(
        sqlite3_prepare_v2(library->store->db, "PRAGMA page_count", -1, &statement, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    const int n_pages = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    g_autofree char *before = retrieval_library_dump_hash(library, NULL);
    enum { N = 12 }; /* passages that fill several pages */
    g_autofree char *text = g_strnfill(40000, 'x');
    retrieval_passage passages[N];
    char ids[N][8];
    for (int i = 0; i < N; i++) {
        g_snprintf(ids[i], sizeof ids[i], "p%d", i);
        passages[i] = (retrieval_passage){.id = ids[i], .title = "", .text = text};
    }
    gboolean done = FALSE;
    int n_failures = 0;
    for (int limit = n_pages; !done; limit++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *sql = g_strdup_printf("PRAGMA max_page_count = %d", limit);
        assert_int_equal(sqlite3_exec(library->store->db, sql, NULL, NULL, NULL), SQLITE_OK);
        done = retrieval_library_add_passages(library, passages, N, NULL, &error);
        assert_true(done == (error == NULL));
        if (done) break;
        n_failures++;
        assert_true(g_error_matches(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_IO));
        g_autofree char *now = retrieval_library_dump_hash(library, NULL);
        assert_string_equal(now, before);
    }
    assert_true(n_failures > 2);
    g_autoptr(GError) error = NULL;
    assert_true(retrieval_library_check(library, &error));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_folder, teardown_folder)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(killed_at_any_point_it_ends_up_the_same),
        TEST(an_old_vector_file_is_not_used),
        TEST(a_vector_file_of_another_history_is_not_used),
        TEST(a_damaged_vector_file_is_made_again),
        TEST(a_second_writer_is_told_that_it_is_busy),
        TEST(a_killed_writer_frees_its_lock),
        TEST(a_reader_follows_a_writer),
        TEST(any_number_of_threads_get_the_same_answers),
        TEST(a_library_that_cannot_be_written_is_read),
        TEST(a_full_disk_is_an_error_and_no_damage),
        TEST(a_full_database_keeps_what_it_had),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
