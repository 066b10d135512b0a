/* A larger kind of index is built beside the adding of documents. */
#include "support.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Lists from 600 vectors on, quantised ones from 1,400, a commit by itself every 500 passages. */
static retrieval_library *
open_small(const retrieval_embedder *embedder)
{
    retrieval_library *library = open_library(folder, RETRIEVAL_OPEN_WRITE, embedder);
    library->exact_limit = 600;
    library->scalar_limit = 1400;
    library->most_waiting = 500;
    return library;
}

static void
commit_all(retrieval_library *library)
{
    g_autoptr(GError) error = NULL;
    const gboolean done = retrieval_library_commit(library, &error);
    assert_no_error(error);
    assert_true(done);
    assert_null(library->rebuild);
}

/* The vectors' file as it is; free with g_bytes_unref. */
static GBytes *
read_file(void)
{
    g_autofree char *path = g_build_filename(folder, "vectors.faiss", NULL);
    char *bytes = NULL;
    gsize n = 0;
    assert_true(g_file_get_contents(path, &bytes, &n, NULL));
    return g_bytes_new_take(bytes, n);
}

/* Of the first 20 sentences that add_sentences made from `from` on, how many are found by their own words' vectors. */
static guint
n_found(retrieval_library *library, int from)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GRand) rand = g_rand_new_with_seed((guint32)from);
    retrieval_search_options options = retrieval_search_options_default();
    options.method = RETRIEVAL_DENSE;
    guint n = 0;
    for (int i = 0; i < 20; i++) {
        g_autofree char *text = random_sentence(rand, 12);
        g_autoptr(GPtrArray) hits = retrieval_library_search(library, text, &options, &error);
        assert_no_error(error);
        for (guint j = 0; j < hits->len; j++)
            n += strcmp(((retrieval_hit *)hits->pdata[j])->text, text) == 0 ? 1u : 0u;
    }
    return n;
}

/* All but one: an index with lists looks at a part of them. */
static gboolean
finds(retrieval_library *library, int from)
{
    return n_found(library, from) >= 19;
}

/* wait: each rebuild is waited for where it begins. Returns the file of the whole library. */
static GBytes *
index_many(gboolean wait)
{
    g_autoptr(retrieval_library) library = open_small(&fake_embedder);
    guint n_begun = 0;
    for (int i = 0; i < 2200; i += 100) {
        add_sentences(library, i, i + 100);
        n_begun += library->rebuild != NULL ? 1u : 0u;
        if (library->rebuild && wait) commit_all(library);
    }
    assert_true(wait ? n_begun == 2 : n_begun >= 10); /* of each five, until the next commit */
    commit_all(library);
    assert_int_equal(retrieval_vectors_kind(library->vectors), RETRIEVAL_INDEX_PRODUCT);
    assert_int_equal(retrieval_vectors_count(library->vectors), 2200);
    assert_int_equal(count_problems(library), 0);
    return read_file();
}

static void
the_file_is_the_same_whether_or_not_it_was_waited_for(void **state)
{
    (void)state;
    g_autoptr(GBytes) beside = index_many(FALSE);
    remove_folder(folder);
    g_autoptr(GBytes) waited = index_many(TRUE);
    assert_true(g_bytes_equal(beside, waited));
}

typedef struct {
    retrieval_library *library;
    int n_done, stop;
} searching;

static gpointer
search_on(gpointer data)
{
    searching *s = data;
    while (!g_atomic_int_get(&s->stop)) {
        assert_true(finds(s->library, 0));
        g_atomic_int_inc(&s->n_done);
    }
    return NULL;
}

static void
searches_and_other_readers_go_on(void **state)
{
    (void)state;
    g_autoptr(retrieval_library) library = open_small(&fake_embedder);
    add_sentences(library, 0, 400);
    searching s = {library, 0, 0};
    GThread *threads[2];
    for (int i = 0; i < 2; i++)
        threads[i] = g_thread_new("search", search_on, &s);
    for (int i = 400; i < 2000; i += 200) {
        add_sentences(library, i, i + 200);
        g_autoptr(retrieval_library) reader = open_reader();
        assert_true(finds(reader, 0));
        assert_true(finds(reader, i));
    }
    commit_all(library);
    g_atomic_int_set(&s.stop, TRUE);
    for (int i = 0; i < 2; i++)
        g_thread_join(threads[i]);
    assert_true(s.n_done > 0);
    assert_true(finds(library, 1800));
    assert_int_equal(count_problems(library), 0);
}

/* What the snapshot had and the library has no more. */
static void
what_is_removed_meanwhile_is_gone(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    g_autoptr(retrieval_library) library = open_small(&fake_embedder);
    add_sentences(library, 0, 1500);
    assert_non_null(library->rebuild);
    assert_true(retrieval_library_remove(library, "p00000", &error));
    add_sentences(library, 1500, 1600);
    commit_all(library);
    assert_int_equal(retrieval_vectors_kind(library->vectors), RETRIEVAL_INDEX_PRODUCT);
    assert_int_equal(retrieval_vectors_count(library->vectors), 1599);
    assert_true(n_found(library, 0) <= 19);
    assert_true(finds(library, 1500));
    assert_int_equal(count_problems(library), 0);
}

/* A chunk before the last of the snapshot has a vector since: it would be lost with those that leave the database. */
static void
what_is_embedded_meanwhile_is_kept(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    g_autoptr(retrieval_library) library = open_small(&no_embedder);
    add_sentences(library, 0, 50);
    g_clear_pointer(&library, retrieval_library_free);
    library = open_small(&fake_embedder);
    add_sentences(library, 50, 1550);
    assert_non_null(library->rebuild);
    assert_true(retrieval_library_embed_missing(library, NULL, &error));
    commit_all(library);
    assert_int_equal(retrieval_vectors_kind(library->vectors), RETRIEVAL_INDEX_PRODUCT);
    assert_int_equal(retrieval_vectors_count(library->vectors), 1550);
    assert_true(finds(library, 0));
    assert_int_equal(count_problems(library), 0);
}

static void
a_library_is_closed_in_the_middle(void **state)
{
    (void)state;
    g_autoptr(retrieval_library) library = open_small(&fake_embedder);
    add_sentences(library, 0, 1500);
    assert_non_null(library->rebuild);
    g_clear_pointer(&library, retrieval_library_free);
    g_autoptr(retrieval_library) reader = open_reader();
    assert_true(finds(reader, 0));
    g_clear_pointer(&reader, retrieval_library_free);
    library = open_small(&fake_embedder);
    commit_all(library);
    assert_int_equal(retrieval_vectors_kind(library->vectors), RETRIEVAL_INDEX_PRODUCT);
}

/* Lists there are, and the quantised ones are on their way: the lists serve on, and the next writer makes them whole. */
static void
killed_in_the_middle_the_old_index_serves(void **state)
{
    (void)state;
    {
        g_autoptr(retrieval_library) library = open_small(&fake_embedder);
        add_sentences(library, 0, 700);
        commit_all(library);
        assert_int_equal(retrieval_vectors_kind(library->vectors), RETRIEVAL_INDEX_SCALAR);
    }
    g_autoptr(GBytes) before = read_file();
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        retrieval_library *library = open_small(&fake_embedder);
        add_sentences(library, 700, 1500);
        if (!library->rebuild) _exit(1);
        kill(getpid(), SIGKILL);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    g_autoptr(GBytes) after = read_file();
    assert_true(g_bytes_equal(before, after));
    {
        g_autoptr(retrieval_library) reader = open_reader();
        assert_true(finds(reader, 0));
        assert_true(finds(reader, 700));
    }
    g_autoptr(retrieval_library) library = open_small(&fake_embedder);
    commit_all(library);
    assert_int_equal(retrieval_vectors_kind(library->vectors), RETRIEVAL_INDEX_PRODUCT);
    assert_int_equal(retrieval_vectors_count(library->vectors), 1500);
    assert_int_equal(count_problems(library), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_folder, teardown_folder)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(killed_in_the_middle_the_old_index_serves), /* first: it forks */
        TEST(the_file_is_the_same_whether_or_not_it_was_waited_for),
        TEST(searches_and_other_readers_go_on),
        TEST(what_is_removed_meanwhile_is_gone),
        TEST(what_is_embedded_meanwhile_is_kept),
        TEST(a_library_is_closed_in_the_middle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
