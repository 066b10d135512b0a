/* A library from the outside: what goes in comes out, and only what is in. */
#include "support.h"

#include <glib/gstdio.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static void
add(retrieval_library *library, const char *id, const char *title, const char *text)
{
    g_autoptr(GError) error = NULL;
    gboolean done = retrieval_library_add_passage(library, id, title, text, &error);
    assert_no_error(error);
    assert_true(done);
}

static void
add_document(retrieval_library *library, const char *path, guint32 seed)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(lode_document) document = random_document(seed);
    gboolean done = retrieval_library_add(library, path, document, NULL, NULL, &error);
    assert_no_error(error);
    assert_true(done);
}

static void
commit(retrieval_library *library)
{
    g_autoptr(GError) error = NULL;
    gboolean done = retrieval_library_commit(library, &error);
    assert_no_error(error);
    assert_true(done);
}

static void
check(retrieval_library *library)
{
    g_autoptr(GError) error = NULL;
    gboolean sound = retrieval_library_check(library, &error);
    assert_no_error(error);
    assert_true(sound);
}

static GPtrArray *
search(retrieval_library *library, const char *query, retrieval_method method)
{
    g_autoptr(GError) error = NULL;
    retrieval_search_options options = retrieval_search_options_default();
    options.method = method;
    GPtrArray *hits = retrieval_library_search(library, query, &options, &error);
    assert_no_error(error);
    assert_non_null(hits);
    return hits;
}

/* Paths of the hits, joined by blanks. */
static char *
search_paths(retrieval_library *library, const char *query, retrieval_method method)
{
    g_autoptr(GPtrArray) hits = search(library, query, method);
    GString *paths = g_string_new(NULL);
    for (guint i = 0; i < hits->len; i++)
        g_string_append_printf(paths, "%s%s", i > 0 ? " " : "",
                               ((retrieval_hit *)hits->pdata[i])->path);
    return g_string_free(paths, FALSE);
}

static void
check_search(retrieval_library *library, const char *query, retrieval_method method,
             const char *paths)
{
    g_autofree char *found = search_paths(library, query, method);
    assert_string_equal(found, paths);
}

static retrieval_stats
stats_of(retrieval_library *library)
{
    g_autoptr(GError) error = NULL;
    retrieval_stats stats;
    assert_true(retrieval_library_get_stats(library, &stats, &error));
    assert_no_error(error);
    g_clear_pointer(&stats.embedder_id, g_free);
    return stats;
}

static void
a_passage_is_found_by_word_and_by_meaning(void **state)
{
    (void)state;
    g_autoptr(retrieval_library) library = open_writer();
    add(library, "cat", "Cats", "The cat sleeps on the warm stove.");
    add(library, "dog", "Dogs", "A dog barks at the mail carrier.");
    add(library, "moon", "The Moon", "Craters cover the far side.");
    check_search(library, "sleeping cat", RETRIEVAL_BM25, "cat");
    check_search(library, "Which DOGS bark?", RETRIEVAL_BM25, "dog"); /* stems, case, stop words */
    g_autofree char *dense = search_paths(library, "dog barks mail", RETRIEVAL_DENSE);
    assert_true(g_str_has_prefix(dense, "dog "));
    g_autoptr(GPtrArray) hits = search(library, "barks dog", RETRIEVAL_FUSION);
    assert_int_equal(hits->len, 3);
    const retrieval_hit *first = hits->pdata[0], *second = hits->pdata[1];
    assert_string_equal(first->path, "dog");
    assert_string_equal(first->title, "Dogs");
    assert_string_equal(first->text, "A dog barks at the mail carrier.");
    assert_int_equal(first->bm25_rank, 1);
    assert_int_equal(first->dense_rank, 1);
    assert_int_equal(second->bm25_rank, 0);
    assert_int_equal(second->dense_rank, 2);
    assert_true(first->score > second->score);

    g_autoptr(GError) error = NULL;
    retrieval_search_options by_rank = retrieval_search_options_default();
    by_rank.rrf_k = 10;
    g_autoptr(GPtrArray) ranked = retrieval_library_search(library, "barks dog", &by_rank, &error);
    assert_no_error(error);
    assert_true(fabs(((retrieval_hit *)ranked->pdata[0])->score - 1.8 / 11) < 1e-12);
    check(library);
}

static void
accents_and_unicode_words_are_found(void **state)
{
    (void)state;
    g_autoptr(retrieval_library) library = open_writer();
    add(library, "a", "", "M\xc3\xbcller measured \xce\xb2-carotene.");
    add(library, "b", "", "\xe7\x8c\xab \xe7\x8a\xac");
    check_search(library, "muller", RETRIEVAL_BM25, "a");
    check_search(library, "\xce\x92", RETRIEVAL_BM25, "a"); /* capital beta */
    check_search(library, "\xe7\x8c\xab", RETRIEVAL_BM25, "b");
    check_search(library, "Mu\xcc\x88ller", RETRIEVAL_BM25, "a"); /* decomposed */
}

static void
a_document_comes_back_with_its_places(void **state)
{
    (void)state;
    g_autoptr(retrieval_library) library = open_writer();
    add_document(library, "/p/a.pdf", 3);
    g_autoptr(lode_document) document = random_document(3);
    g_autoptr(GPtrArray) chunks = retrieval_chunk_document(document, NULL);
    assert_int_equal(stats_of(library).n_chunks, chunks->len);
    for (guint i = 0; i < chunks->len; i++) {
        const retrieval_chunk *chunk = chunks->pdata[i];
        g_autoptr(GPtrArray) hits = search(library, chunk->text, RETRIEVAL_FUSION);
        assert_true(hits->len > 0);
        const retrieval_hit *hit = hits->pdata[0];
        assert_string_equal(hit->text, chunk->text);
        assert_string_equal(hit->section, chunk->section);
        assert_string_equal(hit->path, "/p/a.pdf");
        assert_string_equal(hit->sha256, document->meta.source_sha256);
        assert_string_equal(hit->title, document->meta.title);
        assert_int_equal(hit->type, chunk->type);
        assert_int_equal(hit->first_page, chunk->first_page);
        assert_int_equal(hit->last_page, chunk->last_page);
        assert_string_equal(hit->page_label, document->pages[chunk->first_page].label);
        assert_int_equal(hit->boxes->len, chunk->boxes->len);
        assert_memory_equal(hit->boxes->data, chunk->boxes->data,
                            chunk->boxes->len * sizeof(layout_box));
    }
}

static void
a_file_is_unknown_then_unchanged_then_changed(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    retrieval_file_state file;
    g_autoptr(retrieval_library) library = open_writer();
    g_autofree char *old = g_strdup_printf("%064x", 1), *new = g_strdup_printf("%064x", 2);
    assert_true(retrieval_library_file_state(library, "/p", old, &file, &error));
    assert_int_equal(file, RETRIEVAL_FILE_UNKNOWN);
    add_document(library, "/p", 1);
    assert_true(retrieval_library_file_state(library, "/p", old, &file, &error));
    assert_int_equal(file, RETRIEVAL_FILE_UNCHANGED);
    assert_true(retrieval_library_file_state(library, "/p", new, &file, &error));
    assert_int_equal(file, RETRIEVAL_FILE_CHANGED);
    assert_no_error(error);
}

static void
replacing_and_removing_leave_nothing_behind(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    g_autoptr(retrieval_library) library = open_writer();
    add(library, "x", "Old title", "zebra stripes");
    add(library, "y", "Other", "lion mane");
    add(library, "x", "New title", "tiger claws");
    check_search(library, "zebra", RETRIEVAL_BM25, "");
    check_search(library, "old", RETRIEVAL_BM25, "");
    check_search(library, "tiger", RETRIEVAL_BM25, "x");
    assert_int_equal(stats_of(library).n_documents, 2);
    assert_int_equal(stats_of(library).n_vectors, 2);
    g_autofree char *dense = search_paths(library, "lion mane", RETRIEVAL_DENSE);
    assert_string_equal(dense, "y x");

    assert_true(retrieval_library_remove(library, "y", &error));
    check_search(library, "lion", RETRIEVAL_BM25, "");
    check_search(library, "lion mane", RETRIEVAL_DENSE, "x");
    assert_false(retrieval_library_remove(library, "y", &error));
    assert_true(g_error_matches(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_NOT_FOUND));
    g_auto(GStrv) paths = retrieval_library_list(library, NULL);
    assert_int_equal(g_strv_length(paths), 1);
    assert_string_equal(paths[0], "x");
    check(library);
}

/* Any order of additions, replacements and removals ends in what the last state of every path says. */
static void
history_does_not_matter(void **state)
{
    (void)state;
    enum { N_PATHS = 6 };
    g_autoptr(GRand) rand = g_rand_new_with_seed(11);
    g_autofree char *other = make_folder("plain");
    guint32 seeds[N_PATHS] = {0};
    {
        g_autoptr(retrieval_library) library = open_writer();
        for (int step = 0; step < 40; step++) {
            const int p = g_rand_int_range(rand, 0, N_PATHS);
            g_autofree char *path = g_strdup_printf("/p%d", p);
            if (seeds[p] && g_rand_int_range(rand, 0, 3) == 0) {
                assert_true(retrieval_library_remove(library, path, NULL));
                seeds[p] = 0;
            } else {
                seeds[p] = (guint32)step + 1;
                add_document(library, path, seeds[p]);
            }
            if (step % 7 == 0) commit(library);
            if (step % 5 == 0) { /* the index in memory is brought along step by step */
                g_autoptr(GPtrArray) hits = search(library, "Karo mi", RETRIEVAL_DENSE);
            }
        }
        commit(library);
        check(library);
    }
    g_autoptr(retrieval_library) plain = open_library(other, RETRIEVAL_OPEN_WRITE, &fake_embedder);
    for (int p = 0; p < N_PATHS; p++) {
        g_autofree char *path = g_strdup_printf("/p%d", p);
        if (seeds[p]) add_document(plain, path, seeds[p]);
    }
    g_autoptr(retrieval_library) library = open_reader();
    g_autofree char *a = retrieval_library_dump_hash(library, NULL);
    g_autofree char *b = retrieval_library_dump_hash(plain, NULL);
    assert_string_equal(a, b);
    static const char *const queries[] = {"Karo mi ten", "sol va lu", "pex dor ni"};
    for (gsize i = 0; i < G_N_ELEMENTS(queries); i++) {
        g_autoptr(GPtrArray) x = search(library, queries[i], RETRIEVAL_DENSE);
        g_autoptr(GPtrArray) y = search(plain, queries[i], RETRIEVAL_DENSE);
        assert_int_equal(x->len, y->len);
        for (guint j = 0; j < x->len; j++)
            assert_true(((retrieval_hit *)x->pdata[j])->score ==
                        ((retrieval_hit *)y->pdata[j])->score);
    }
    g_clear_pointer(&plain, retrieval_library_free);
    remove_folder(other);
}

static void
equal_scores_come_in_order_of_entry(void **state)
{
    (void)state;
    g_autoptr(retrieval_library) library = open_writer();
    GString *expected = g_string_new(NULL);
    for (int i = 0; i < 10; i++) {
        g_autofree char *id = g_strdup_printf("%c", 'z' - i);
        add(library, id, "Same", "the very same words");
        g_string_append_printf(expected, "%s%s", i > 0 ? " " : "", id);
    }
    check_search(library, "same words", RETRIEVAL_BM25, expected->str);
    check_search(library, "same words", RETRIEVAL_DENSE, expected->str);
    check_search(library, "same words", RETRIEVAL_FUSION, expected->str);
    g_string_free(expected, TRUE);
}

static void
passages_added_together_or_one_by_one_are_the_same(void **state)
{
    (void)state;
    g_autofree char *other = make_folder("batch");
    g_autoptr(retrieval_library) single = open_writer();
    g_autoptr(retrieval_library) batch = open_library(other, RETRIEVAL_OPEN_WRITE, &fake_embedder);
    const retrieval_passage passages[] = {{"1", "One", "first text"},
                                          {"2", NULL, "second text"},
                                          {"3", "Three", ""},
                                          {"1", "Uno", "again"}};
    for (gsize i = 0; i < G_N_ELEMENTS(passages); i++)
        add(single, passages[i].id, passages[i].title, passages[i].text);
    assert_true(
        retrieval_library_add_passages(batch, passages, G_N_ELEMENTS(passages), NULL, NULL));
    assert_true(retrieval_library_add_passages(batch, passages, 0, NULL, NULL));
    g_autofree char *a = retrieval_library_dump_hash(single, NULL);
    g_autofree char *b = retrieval_library_dump_hash(batch, NULL);
    assert_string_equal(a, b);
    check(batch);
    g_clear_pointer(&batch, retrieval_library_free);
    remove_folder(other);
}

static void
a_cancelled_addition_adds_nothing(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    g_autoptr(retrieval_library) library = open_writer();
    g_autoptr(lode_document) document = random_document(1);
    const int cancel = 1;
    assert_false(retrieval_library_add(library, "/p", document, NULL, &cancel, &error));
    assert_true(g_error_matches(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_CANCELLED));
    assert_int_equal(stats_of(library).n_documents, 0);
    assert_int_equal(stats_of(library).generation, 0);
}

/* ---- embedders ---- */

static void
another_embedder_is_refused(void **state)
{
    (void)state;
    retrieval_embedder renamed = fake_embedder, shorter = fake_embedder;
    renamed.id = "fake-2";
    shorter.n_dims = 16;
    {
        g_autoptr(retrieval_library) library = open_writer();
        add(library, "a", "", "text");
    }
    for (int mode = 0; mode < 2; mode++) {
        const retrieval_open_mode open_mode = mode ? RETRIEVAL_OPEN_WRITE : RETRIEVAL_OPEN_READ;
        g_autoptr(GError) name = NULL, dims = NULL;
        assert_null(retrieval_library_open_with(folder, open_mode, &renamed, &name));
        assert_true(g_error_matches(name, RETRIEVAL_ERROR, RETRIEVAL_ERROR_EMBEDDER));
        assert_null(retrieval_library_open_with(folder, open_mode, &shorter, &dims));
        assert_true(g_error_matches(dims, RETRIEVAL_ERROR, RETRIEVAL_ERROR_EMBEDDER));
    }
    g_autoptr(retrieval_library) library = open_reader();
    retrieval_stats stats;
    assert_true(retrieval_library_get_stats(library, &stats, NULL));
    assert_string_equal(stats.embedder_id, "fake-1");
    assert_int_equal(stats.n_dims, FAKE_DIMS);
    g_free(stats.embedder_id);
}

static void
a_library_without_vectors_gets_them_later(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    g_autofree char *other = make_folder("direct");
    {
        g_autoptr(retrieval_library) library =
            open_library(folder, RETRIEVAL_OPEN_WRITE, &no_embedder);
        for (guint32 i = 0; i < 30; i++) {
            g_autofree char *path = g_strdup_printf("/%u", i);
            add_document(library, path, i);
        }
        commit(library);
        assert_int_equal(stats_of(library).n_vectors, 0);
        g_autoptr(GPtrArray) hits = search(library, "karo", RETRIEVAL_FUSION); /* full text alone */
        assert_null(retrieval_library_search(
            library, "karo", &(retrieval_search_options){.method = RETRIEVAL_DENSE}, &error));
        assert_true(g_error_matches(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_EMBEDDER));
        g_clear_error(&error);
    }
    g_autofree char *file = g_build_filename(folder, "vectors.faiss", NULL);
    assert_false(g_file_test(file, G_FILE_TEST_EXISTS));
    g_autoptr(retrieval_library) library = open_writer();
    const int cancel = 1;
    assert_false(retrieval_library_embed_missing(library, &cancel, &error));
    g_clear_error(&error);
    assert_true(retrieval_library_embed_missing(library, NULL, &error));
    assert_int_equal(stats_of(library).n_vectors, stats_of(library).n_chunks);
    commit(library);
    assert_true(g_file_test(file, G_FILE_TEST_EXISTS));

    g_autoptr(retrieval_library) direct = open_library(other, RETRIEVAL_OPEN_WRITE, &fake_embedder);
    for (guint32 i = 0; i < 30; i++) {
        g_autofree char *path = g_strdup_printf("/%u", i);
        add_document(direct, path, i);
    }
    g_autofree char *a = retrieval_library_dump_hash(library, NULL);
    g_autofree char *b = retrieval_library_dump_hash(direct, NULL);
    assert_string_equal(a, b);
    g_clear_pointer(&direct, retrieval_library_free);
    remove_folder(other);
}

static gboolean
embed_nan(void *user_data, const char *const *texts, size_t n, float *out, const int *cancel,
          GError **error)
{
    (void)user_data, (void)texts, (void)cancel, (void)error;
    for (size_t i = 0; i < n * FAKE_DIMS; i++)
        out[i] = NAN;
    return TRUE;
}

static void
an_embedder_that_answers_nonsense_is_an_error(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    retrieval_embedder broken = fake_embedder;
    broken.embed = embed_nan;
    g_autoptr(retrieval_library) library = open_library(folder, RETRIEVAL_OPEN_WRITE, &broken);
    assert_false(retrieval_library_add_passage(library, "a", "", "text", &error));
    assert_true(g_error_matches(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_EMBEDDER));
}

/* ---- any query ---- */

static void
any_bytes_are_a_query(void **state)
{
    (void)state;
    static const char *const queries[] = {"",
                                          " ",
                                          "\"",
                                          "'",
                                          "*",
                                          "^",
                                          "-",
                                          "NEAR(",
                                          "a AND",
                                          "OR",
                                          "NOT x",
                                          "title:cat",
                                          "{a b}:c",
                                          "(((((",
                                          "cat\"",
                                          "\"cat\" OR",
                                          "a+b",
                                          "%s%n",
                                          "\xff\xfe",
                                          "\xc3",
                                          "caf\xc3",
                                          "\xe2\x80\x8b",
                                          "chunk_index",
                                          "-- ; DROP TABLE chunks",
                                          "\xf0\x9f\x98\x80",
                                          "the of and",
                                          "\x01\x02\x7f",
                                          "a\xcc\x81\xcc\x81"};
    g_autoptr(retrieval_library) library = open_writer();
    add(library, "a", "Cats", "the cat and the of or not near");
    for (gsize i = 0; i < G_N_ELEMENTS(queries); i++) {
        g_autoptr(GPtrArray) bm25 = search(library, queries[i], RETRIEVAL_BM25);
        g_autoptr(GPtrArray) fusion = search(library, queries[i], RETRIEVAL_FUSION);
        assert_true(bm25->len <= 1 && fusion->len <= 1);
    }
    check_search(library, "the of and", RETRIEVAL_BM25,
                 "a"); /* nothing but stop words: they count */
    check_search(library, "title:cat", RETRIEVAL_BM25, "a");

    g_autoptr(GRand) rand = g_rand_new_with_seed(5);
    for (int round = 0; round < 1500; round++) {
        char bytes[64];
        const int n = g_rand_int_range(rand, 0, (gint32)sizeof bytes);
        for (int i = 0; i < n; i++)
            bytes[i] = (char)g_rand_int_range(rand, 1, 256);
        bytes[n] = '\0';
        g_autoptr(GPtrArray) hits = search(library, bytes, RETRIEVAL_BM25);
    }
}

static void
a_very_long_query_is_answered(void **state)
{
    (void)state;
    g_autoptr(retrieval_library) library = open_writer();
    add(library, "a", "Cats", "the cat word17 sits");
    g_autoptr(GString) query = g_string_new(NULL);
    for (int i = 0; i < 100000; i++)
        g_string_append_printf(query, "word%d ", i);
    check_search(library, query->str, RETRIEVAL_BM25, "a");
    g_string_truncate(query, 0);
    for (int i = 0; i < 1000000; i++)
        g_string_append_c(query, 'x'); /* one word */
    check_search(library, query->str, RETRIEVAL_BM25, "");
}

/* Past the limit only passages with a rare word are scored, with the same scores as before. */
static void
common_words_choose_no_passages_in_a_large_library(void **state)
{
    (void)state;
    enum { N = 60, N_RARE = 6 };
    g_autoptr(retrieval_library) library = open_writer();
    g_autoptr(GRand) rand = g_rand_new_with_seed(3);
    for (int i = 0; i < N; i++) {
        g_autofree char *id = g_strdup_printf("%02d", i), *noise = random_sentence(rand, 20);
        g_autofree char *text = g_strdup_printf("cell %s %s %s", i % 2 ? "protein" : "",
                                                i % (N / N_RARE) == 3 ? "kinase" : "", noise);
        add(library, id, "", text);
    }
    static const char query[] = "kinase protein of the cell";
    retrieval_search_options options = {.method = RETRIEVAL_BM25, .n_results = N};
    g_autoptr(GPtrArray) all = retrieval_library_search(library, query, &options, NULL);
    assert_int_equal(all->len, N);
    for (uint64_t limit = 1; limit < N; limit++) {
        library->max_scored = limit;
        g_autoptr(GPtrArray) some = retrieval_library_search(library, query, &options, NULL);
        /* kinase: 6 passages, protein: 30 (with all of the 6), cell: 60 */
        assert_int_equal(some->len, limit < N_RARE + N / 2 ? N_RARE : N / 2);
        for (guint i = 0; i < some->len; i++) {
            const retrieval_hit *a = all->pdata[i], *b = some->pdata[i];
            assert_true(a->chunk_id == b->chunk_id && a->score == b->score);
        }
    }
    library->max_scored = N_RARE + N / 2 + N;
    g_autoptr(GPtrArray) again = retrieval_library_search(library, query, &options, NULL);
    assert_int_equal(again->len, N);
}

static void
options_out_of_range_are_no_harm(void **state)
{
    (void)state;
    g_autoptr(retrieval_library) library = open_writer();
    for (int i = 0; i < 5; i++) {
        g_autofree char *id = g_strdup_printf("%d", i);
        add(library, id, "", "cat");
    }
    retrieval_search_options options = {
        .method = RETRIEVAL_FUSION, .n_results = G_MAXUINT, .n_candidates = G_MAXUINT};
    g_autoptr(GPtrArray) all = retrieval_library_search(library, "cat", &options, NULL);
    assert_int_equal(all->len, 5);
    options.n_results = options.n_candidates = 0;
    g_autoptr(GPtrArray) none = retrieval_library_search(library, "cat", &options, NULL);
    assert_int_equal(none->len, 0);
    g_autoptr(GPtrArray) defaults = retrieval_library_search(library, "cat", NULL, NULL);
    assert_int_equal(defaults->len, 5);
}

/* ---- opening ---- */

static void
what_is_no_library_is_refused(void **state)
{
    (void)state;
    g_autoptr(GError) missing = NULL, garbage = NULL, foreign = NULL, newer = NULL;
    assert_null(retrieval_library_open_with(folder, RETRIEVAL_OPEN_READ, &no_embedder, &missing));
    assert_true(g_error_matches(missing, RETRIEVAL_ERROR, RETRIEVAL_ERROR_NOT_FOUND));

    g_autofree char *path = g_build_filename(folder, "library.db", NULL);
    assert_true(
        g_file_set_contents(path, "this is no database at all, is it? no. not at all.", -1, NULL));
    assert_null(retrieval_library_open_with(folder, RETRIEVAL_OPEN_READ, &no_embedder, &garbage));
    assert_true(g_error_matches(garbage, RETRIEVAL_ERROR, RETRIEVAL_ERROR_FORMAT));
    g_unlink(path);

    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "CREATE TABLE t(x)", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_null(retrieval_library_open_with(folder, RETRIEVAL_OPEN_WRITE, &no_embedder, &foreign));
    assert_true(g_error_matches(foreign, RETRIEVAL_ERROR, RETRIEVAL_ERROR_FORMAT));
    g_unlink(path);

    g_clear_pointer(&(retrieval_library *){open_writer()}, retrieval_library_free);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_null(retrieval_library_open_with(folder, RETRIEVAL_OPEN_READ, &no_embedder, &newer));
    assert_true(g_error_matches(newer, RETRIEVAL_ERROR, RETRIEVAL_ERROR_FORMAT));
}

static void
a_reader_cannot_write(void **state)
{
    (void)state;
    g_autoptr(GError) adding = NULL, committing = NULL;
    g_clear_pointer(&(retrieval_library *){open_writer()}, retrieval_library_free);
    g_autoptr(retrieval_library) library = open_reader();
    assert_false(retrieval_library_add_passage(library, "a", "", "text", &adding));
    assert_true(g_error_matches(adding, RETRIEVAL_ERROR, RETRIEVAL_ERROR_IO));
    assert_false(retrieval_library_commit(library, &committing));
    assert_true(g_error_matches(committing, RETRIEVAL_ERROR, RETRIEVAL_ERROR_IO));
}

static void
an_empty_library_answers(void **state)
{
    (void)state;
    {
        g_autoptr(retrieval_library) library = open_writer();
        commit(library);
    }
    g_autoptr(retrieval_library) library = open_reader();
    check_search(library, "anything", RETRIEVAL_BM25, "");
    check_search(library, "anything", RETRIEVAL_DENSE, "");
    check_search(library, "anything", RETRIEVAL_FUSION, "");
    g_auto(GStrv) paths = retrieval_library_list(library, NULL);
    assert_int_equal(g_strv_length(paths), 0);
}

/* Random bytes of the database changed: an error or an answer, never a crash or a hang. */
static void
a_damaged_database_is_survived(void **state)
{
    (void)state;
    g_autofree char *path = g_build_filename(folder, "library.db", NULL);
    {
        g_autoptr(retrieval_library) library = open_writer();
        for (guint32 i = 0; i < 8; i++) {
            g_autofree char *name = g_strdup_printf("/%u", i);
            add_document(library, name, i);
        }
        commit(library);
    }
    g_autofree char *bytes = NULL;
    gsize n = 0;
    guint n_errors = 0;
    assert_true(g_file_get_contents(path, &bytes, &n, NULL));
    g_autoptr(GRand) rand = g_rand_new_with_seed(9);
    for (int round = 0; round < 150; round++) {
        g_autofree char *copy = g_memdup2(bytes, n);
        for (int i = 0; i < 1 + round % 40; i++)
            copy[g_rand_int_range(rand, round % 3 ? 0 : 100, (gint32)n)] =
                (char)g_rand_int_range(rand, 0, 256);
        assert_true(g_file_set_contents(path, copy, (gssize)n, NULL));
        g_autoptr(GError) error = NULL;
        g_autoptr(retrieval_library) library =
            retrieval_library_open_with(folder, RETRIEVAL_OPEN_READ, &fake_embedder, &error);
        g_autoptr(GPtrArray) hits =
            library ? retrieval_library_search(library, "karo mi ten sol va", NULL, &error) : NULL;
        assert_true((hits == NULL) == (error != NULL));
        n_errors += error != NULL;
    }
    assert_true(n_errors > 10);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_folder, teardown_folder)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_passage_is_found_by_word_and_by_meaning),
        TEST(accents_and_unicode_words_are_found),
        TEST(a_document_comes_back_with_its_places),
        TEST(a_file_is_unknown_then_unchanged_then_changed),
        TEST(replacing_and_removing_leave_nothing_behind),
        TEST(history_does_not_matter),
        TEST(equal_scores_come_in_order_of_entry),
        TEST(passages_added_together_or_one_by_one_are_the_same),
        TEST(a_cancelled_addition_adds_nothing),
        TEST(another_embedder_is_refused),
        TEST(a_library_without_vectors_gets_them_later),
        TEST(an_embedder_that_answers_nonsense_is_an_error),
        TEST(any_bytes_are_a_query),
        TEST(a_very_long_query_is_answered),
        TEST(common_words_choose_no_passages_in_a_large_library),
        TEST(options_out_of_range_are_no_harm),
        TEST(what_is_no_library_is_refused),
        TEST(a_reader_cannot_write),
        TEST(an_empty_library_answers),
        TEST(a_damaged_database_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
