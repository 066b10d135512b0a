/* The words of a large library, in a file of their own: what FTS5 says of them, and what becomes of them. */
#include "support.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

enum { N = 400 };

/* ---- the file ---- */

static char *
text_of(guint32 seed)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < 30; i++) /* some in most texts, most in few */
        g_string_append_printf(text, "w%dq ",
                               (int)exp(g_rand_double(rand) * (seed % 7 == 0 ? 4 : 8)));
    if (seed % 50 == 3)
        for (int i = 0; i < 300; i++)
            g_string_append(text, "often ");
    return g_string_free(text, FALSE);
}

static retrieval_words_builder *
builder_of(int64_t first, int64_t last, int64_t step)
{
    retrieval_words_builder *builder = retrieval_words_builder_new();
    for (int64_t id = first; id <= last; id += step) {
        g_autofree char *text = text_of((guint32)id);
        retrieval_words_builder_add(builder, id, id % 3 ? "a title w5q" : "", "", text);
    }
    return builder;
}

static retrieval_words *
write_and_open(const retrieval_words *old, gboolean (*keep)(int64_t id, void *user_data),
               retrieval_words_builder *builder, const char *name)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = g_build_filename(folder, name, NULL);
    assert_true(retrieval_words_write(old, keep, NULL, builder, path, &error));
    assert_no_error(error);
    retrieval_words *words = retrieval_words_open(path, &error);
    assert_no_error(error);
    return words;
}

static gboolean
keep_all(int64_t id, void *user_data)
{
    (void)id, (void)user_data;
    return TRUE;
}

static gboolean
keep_odd(int64_t id, void *user_data)
{
    (void)user_data;
    return id % 2 == 1;
}

static void
check_same(const retrieval_words *words, retrieval_words_builder *builder)
{
    g_autoptr(GError) error = NULL;
    uint64_t digest = 0;
    assert_true(retrieval_words_digest(words, keep_all, NULL, &digest, &error));
    assert_true(digest == retrieval_words_builder_digest(builder));
}

static void
what_is_put_in_is_read_again(void **state)
{
    (void)state;
    g_autoptr(retrieval_words_builder) builder = builder_of(1, N, 1);
    g_autoptr(retrieval_words) words = write_and_open(NULL, NULL, builder, "one.index");
    check_same(words, builder);
    assert_int_equal(retrieval_words_n_chunks(words), N);
    assert_int_equal(retrieval_words_last_id(words), N);
    assert_int_equal(retrieval_words_count(words, "often"), N / 50);
    assert_int_equal(retrieval_words_count(words, "nowhere"), 0);
    assert_int_equal(retrieval_words_count(words, ""), 0);
    assert_int_equal(retrieval_words_count(words, "zzzz"), 0);
}

static void
a_file_grown_step_by_step_is_the_one_made_at_once(void **state)
{
    (void)state;
    g_autoptr(retrieval_words_builder) odd = builder_of(1, N, 2), even = builder_of(2, N, 2),
                                       all = builder_of(1, N, 1);
    g_autoptr(retrieval_words) first = write_and_open(NULL, NULL, odd, "odd.index");
    /* between those that are there already: as passages with a new title come */
    g_autoptr(retrieval_words) second = write_and_open(first, NULL, even, "grown.index");
    g_autoptr(retrieval_words) whole = write_and_open(NULL, NULL, all, "whole.index");
    check_same(second, all);
    g_autofree char *grown = g_build_filename(folder, "grown.index", NULL);
    g_autofree char *once = g_build_filename(folder, "whole.index", NULL);
    g_autofree char *a = NULL, *b = NULL;
    gsize n_a = 0, n_b = 0;
    assert_true(g_file_get_contents(grown, &a, &n_a, NULL));
    assert_true(g_file_get_contents(once, &b, &n_b, NULL));
    assert_int_equal(n_a, n_b);
    assert_memory_equal(a, b, n_a);

    g_autoptr(retrieval_words_builder) none = retrieval_words_builder_new();
    g_autoptr(retrieval_words) less = write_and_open(second, keep_odd, none, "less.index");
    check_same(less, odd);
    assert_int_equal(retrieval_words_n_chunks(less), N / 2);
}

static void
damage_is_noticed(void **state)
{
    (void)state;
    g_autoptr(retrieval_words_builder) builder = builder_of(1, 50, 1);
    g_autoptr(retrieval_words) words = write_and_open(NULL, NULL, builder, "one.index");
    g_autofree char *path = g_build_filename(folder, "bad.index", NULL);
    g_autofree char *good = g_build_filename(folder, "one.index", NULL), *bytes = NULL;
    gsize n = 0;
    assert_true(g_file_get_contents(good, &bytes, &n, NULL));
    for (gsize at = 0; at < n; at += n / 61 + 1) {
        g_autoptr(GError) error = NULL;
        bytes[at] = (char)(bytes[at] ^ 16);
        assert_true(g_file_set_contents(path, bytes, (gssize)n, NULL));
        assert_null(retrieval_words_open(path, &error));
        assert_true(g_error_matches(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_FORMAT));
        bytes[at] = (char)(bytes[at] ^ 16);
        assert_true(g_file_set_contents(path, bytes, (gssize)at, NULL));
        assert_null(retrieval_words_open(path, NULL));
    }
}

/* ---- a library ---- */

static retrieval_library *
open_small(const char *dir, retrieval_open_mode mode, uint64_t limit)
{
    retrieval_library *library = open_library(dir, mode, &no_embedder);
    library->words_limit = limit;
    return library;
}

static void
add_texts(retrieval_library *library, guint from, guint to)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) strings = g_ptr_array_new_with_free_func(g_free);
    g_autofree retrieval_passage *passages = g_new0(retrieval_passage, (gsize)to - from);
    for (guint i = from; i < to; i++) {
        char *id = g_strdup_printf("p%u", i), *text = text_of(i);
        g_ptr_array_add(strings, id);
        g_ptr_array_add(strings, text);
        passages[i - from] = (retrieval_passage){id, i % 3 ? "a title w5q" : "", text};
    }
    assert_true(retrieval_library_add_passages(library, passages, (size_t)to - from, NULL, &error));
    assert_true(retrieval_library_commit(library, &error));
    assert_no_error(error);
}

static GPtrArray *
search(retrieval_library *library, const char *query)
{
    g_autoptr(GError) error = NULL;
    retrieval_search_options options = retrieval_search_options_default();
    options.method = RETRIEVAL_BM25;
    options.n_results = 30;
    GPtrArray *hits = retrieval_library_search(library, query, &options, &error);
    assert_no_error(error);
    return hits;
}

static void
check_sound(retrieval_library *library)
{
    g_autoptr(GError) error = NULL;
    guint n = 0;
    assert_true(retrieval_library_verify(library, NULL, NULL, &n, &error));
    assert_no_error(error);
    assert_int_equal(n, 0);
}

static void
set_title(retrieval_library *library, const char *path, char *title)
{
    g_autoptr(GError) error = NULL;
    const retrieval_metadata metadata = {.title = title};
    assert_true(retrieval_library_set_metadata(library, path, &metadata, &error));
    assert_no_error(error);
}

static char *
words_file(void)
{
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    char *found = NULL;
    for (const char *name; (name = g_dir_read_name(dir));)
        if (g_str_has_suffix(name, ".index")) {
            assert_null(found); /* one at a time */
            found = g_build_filename(folder, name, NULL);
        }
    return found;
}

static void
the_file_ranks_as_fts5_does(void **state)
{
    (void)state;
    g_autofree char *plain = make_folder("plain");
    g_autoptr(retrieval_library) fts = open_small(plain, RETRIEVAL_OPEN_WRITE, G_MAXUINT64);
    g_autoptr(retrieval_library) file = open_small(folder, RETRIEVAL_OPEN_WRITE, 100);
    add_texts(fts, 1, 200);
    add_texts(file, 1, 120);
    add_texts(file, 120, 200); /* these are with FTS5 still */
    g_autofree char *path = words_file();
    assert_non_null(path);
    static const char *const queries[] = {"w1q w900q", "often w2q", "title", "w5q w77q w30q w2q"};
    for (gsize q = 0; q < G_N_ELEMENTS(queries); q++) {
        g_autoptr(GPtrArray) a = search(fts, queries[q]), b = search(file, queries[q]);
        assert_int_equal(a->len, b->len);
        assert_true(a->len > 0);
        for (guint i = 0; i < a->len; i++) {
            const retrieval_hit *x = a->pdata[i], *y = b->pdata[i];
            /* the mean length is that of the file alone */
            if (fabs(x->score - y->score) > 0.03 * x->score)
                fail_msg("%s: %u: %s %g, %s %g", queries[q], i, x->path, x->score, y->path,
                         y->score);
        }
    }
    check_sound(file);
    g_clear_pointer(&fts, retrieval_library_free);
    remove_folder(plain);
}

static gboolean
holds(const char *bytes, gsize n, const char *word)
{
    const gsize len = strlen(word);
    for (gsize i = 0; i + len <= n; i++)
        if (memcmp(bytes + i, word, len) == 0) return TRUE;
    return FALSE;
}

static void
what_is_removed_leaves_the_file(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    g_autoptr(retrieval_library) library = open_small(folder, RETRIEVAL_OPEN_WRITE, 10);
    assert_true(retrieval_library_add_passage(library, "secret", "", "xylophagous w3q", &error));
    add_texts(library, 1, 40);
    g_autofree char *before = words_file(), *bytes = NULL;
    gsize n = 0;
    assert_true(g_file_get_contents(before, &bytes, &n, NULL));
    assert_true(holds(bytes, n, "xylophag"));
    assert_true(retrieval_library_remove(library, "secret", &error));
    g_autoptr(GPtrArray) none = search(library, "xylophagous");
    assert_int_equal(none->len, 0);
    check_sound(library);
    assert_true(retrieval_library_commit(library, &error));
    g_autofree char *after = words_file(), *left = NULL;
    assert_true(g_file_get_contents(after, &left, &n, NULL));
    assert_false(holds(left, n, "xylophag"));
    check_sound(library);
}

static void
a_new_title_is_found_before_and_after_it_enters_the_file(void **state)
{
    (void)state;
    g_autoptr(retrieval_library) library = open_small(folder, RETRIEVAL_OPEN_WRITE, 10);
    add_texts(library, 1, 40);
    char first[] = "Tantalum", second[] = "Niobium";
    set_title(library, "p7", first);
    set_title(library, "p7", second);
    for (int i = 0; i < 2; i++) {
        g_autoptr(GPtrArray) old = search(library, "tantalum"), now = search(library, "niobium");
        assert_int_equal(old->len, 0);
        assert_int_equal(now->len, 1);
        assert_string_equal(((retrieval_hit *)now->pdata[0])->path, "p7");
        check_sound(library);
        add_texts(library, 40, 60);
    }
    g_autoptr(GError) error = NULL;
    char third[] = "Hafnium";
    set_title(library, "p9", third);
    assert_true(retrieval_library_remove(library, "p9", &error)); /* its words are with FTS5 */
    assert_true(retrieval_library_commit(library, &error));
    g_autoptr(GPtrArray) none = search(library, "hafnium");
    assert_int_equal(none->len, 0);
    check_sound(library);
}

static void
a_lost_file_is_told_and_made_again(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    g_autoptr(retrieval_library) library = open_small(folder, RETRIEVAL_OPEN_WRITE, 10);
    add_texts(library, 1, 40);
    g_clear_pointer(&library, retrieval_library_free);
    g_autofree char *path = words_file();
    assert_int_equal(g_unlink(path), 0);
    g_autoptr(retrieval_library) reader = open_library(folder, RETRIEVAL_OPEN_READ, &no_embedder);
    retrieval_search_options options = retrieval_search_options_default();
    assert_null(retrieval_library_search(reader, "w3q", &options, &error));
    assert_non_null(strstr(error->message, "lode library repair"));
    g_clear_error(&error);
    g_clear_pointer(&reader, retrieval_library_free);
    library = open_small(folder, RETRIEVAL_OPEN_REPAIR, 10);
    guint n = 0;
    assert_true(retrieval_library_verify(library, NULL, NULL, &n, &error));
    assert_int_equal(n, 1);
    assert_true(retrieval_library_repair(library, &error));
    assert_no_error(error);
    check_sound(library);
    g_autoptr(GPtrArray) hits = search(library, "w3q");
    assert_true(hits->len > 0);

    library->words_limit = 1000; /* all of it stays with FTS5 now, and the file goes */
    assert_true(retrieval_library_repair(library, &error));
    g_autofree char *none = words_file();
    assert_null(none);
    check_sound(library);
    g_autoptr(GPtrArray) same = search(library, "w3q");
    assert_int_equal(same->len, hits->len);
}

/* Damaged, cut short, whole but of other texts: told each time, and mended. */
static void
a_damaged_or_wrong_file_is_told_and_mended(void **state)
{
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(retrieval_library) library = open_small(folder, RETRIEVAL_OPEN_WRITE, 10);
        if (kind == 0) add_texts(library, 1, 40);
        g_clear_pointer(&library, retrieval_library_free);
        g_autofree char *path = words_file(), *bytes = NULL;
        gsize n = 0;
        assert_true(g_file_get_contents(path, &bytes, &n, NULL));
        if (kind == 2) {
            g_autoptr(retrieval_words_builder) other = builder_of(2, 40, 1);
            assert_true(retrieval_words_write(NULL, NULL, NULL, other, path, &error));
        } else {
            bytes[n / 2] = (char)(bytes[n / 2] ^ 1);
            assert_true(g_file_set_contents(path, bytes, kind == 0 ? (gssize)n : 100, NULL));
        }
        library = open_small(folder, RETRIEVAL_OPEN_REPAIR, 10);
        assert_int_equal(count_problems(library), 1);
        assert_true(retrieval_library_repair(library, &error));
        assert_no_error(error);
        assert_int_equal(count_problems(library), 0);
        g_autoptr(GPtrArray) hits = search(library, "w3q");
        assert_true(hits->len > 0);
    }
}

/* Written, but killed before the database named it. */
static void
a_file_that_the_database_does_not_name_is_none(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    g_autoptr(retrieval_library) library = open_small(folder, RETRIEVAL_OPEN_WRITE, 10);
    add_texts(library, 1, 40);
    g_autofree char *path = words_file(), *bytes = NULL;
    g_autofree char *stray = g_build_filename(folder, "words-ffff-00000000-0.index", NULL);
    gsize n = 0;
    assert_true(g_file_get_contents(path, &bytes, &n, NULL));
    assert_true(g_file_set_contents(stray, bytes, (gssize)n / 2, NULL));
    g_autoptr(GPtrArray) hits = search(library, "w3q");
    assert_true(hits->len > 0);
    add_texts(library, 40, 60);
    assert_false(g_file_test(stray, G_FILE_TEST_EXISTS));
    check_sound(library);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_folder, teardown_folder)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_put_in_is_read_again),
        TEST(a_file_grown_step_by_step_is_the_one_made_at_once),
        TEST(damage_is_noticed),
        TEST(the_file_ranks_as_fts5_does),
        TEST(what_is_removed_leaves_the_file),
        TEST(a_new_title_is_found_before_and_after_it_enters_the_file),
        TEST(a_lost_file_is_told_and_made_again),
        TEST(a_damaged_or_wrong_file_is_told_and_mended),
        TEST(a_file_that_the_database_does_not_name_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
