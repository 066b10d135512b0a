/* The vector index and its file. */
#include "support.h"

#include <glib/gstdio.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "retrieval/half.h"

enum { DIMS = 24 };

static retrieval_vectors *
random_vectors(guint32 seed, size_t n, int n_levels)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
    retrieval_vectors *vectors = retrieval_vectors_new(DIMS, &error);
    assert_no_error(error);
    for (size_t i = 0; i < n; i++) {
        float values[DIMS];
        const int64_t id = (int64_t)i * 3 + 5;
        for (int j = 0; j < DIMS; j++)
            values[j] = (float)g_rand_int_range(rand, -n_levels, n_levels + 1);
        assert_true(retrieval_vectors_add(vectors, &id, values, 1, &error));
    }
    return vectors;
}

static void
random_query(GRand *rand, float query[DIMS], int n_levels)
{
    for (int j = 0; j < DIMS; j++)
        query[j] = (float)g_rand_int_range(rand, -n_levels, n_levels + 1);
}

/* Small whole numbers: sums are exact, ties are many. The order must be that of a plain sort. */
static void
the_best_come_first_and_ties_go_by_id(void **state)
{
    (void)state;
    enum { N = 400 };
    g_autoptr(GError) error = NULL;
    g_autoptr(retrieval_vectors) vectors = random_vectors(1, N, 1);
    g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(retrieval_match));
    g_autoptr(GRand) rand = g_rand_new_with_seed(2);
    for (int round = 0; round < 50; round++) {
        float query[DIMS];
        random_query(rand, query, 1);
        g_array_set_size(all, 0);
        assert_true(retrieval_vectors_search(vectors, query, N, all, &error));
        assert_int_equal(all->len, N);
        for (guint i = 1; i < N; i++) {
            const retrieval_match *a = &g_array_index(all, retrieval_match, i - 1), *b = a + 1;
            assert_true(a->score > b->score || (a->score == b->score && a->id < b->id));
        }
        for (guint k = 1; k < 150; k += 7) { /* whatever k is, the same order */
            g_autoptr(GArray) some = g_array_new(FALSE, FALSE, sizeof(retrieval_match));
            assert_true(retrieval_vectors_search(vectors, query, k, some, &error));
            assert_int_equal(some->len, k);
            for (guint i = 0; i < k; i++) {
                const retrieval_match *a = &g_array_index(all, retrieval_match, i);
                const retrieval_match *b = &g_array_index(some, retrieval_match, i);
                assert_true(a->id == b->id && a->score == b->score);
            }
        }
    }
}

static void
an_empty_index_finds_nothing(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    g_autoptr(retrieval_vectors) vectors = retrieval_vectors_new(DIMS, &error);
    g_autoptr(GArray) matches = g_array_new(FALSE, FALSE, sizeof(retrieval_match));
    const float query[DIMS] = {1};
    assert_true(retrieval_vectors_search(vectors, query, 10, matches, &error));
    assert_int_equal(matches->len, 0);
    assert_int_equal(retrieval_vectors_last_id(vectors), 0);
}

static void
numbers_that_are_none_are_not_ranked(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    g_autoptr(retrieval_vectors) vectors = random_vectors(3, 50, 2);
    g_autoptr(GArray) matches = g_array_new(FALSE, FALSE, sizeof(retrieval_match));
    float values[DIMS];
    for (int j = 0; j < DIMS; j++)
        values[j] = NAN;
    const int64_t id = 1000;
    assert_true(retrieval_vectors_add(vectors, &id, values, 1, &error));
    const float query[DIMS] = {1, 1};
    assert_true(retrieval_vectors_search(vectors, query, 51, matches, &error));
    for (guint i = 0; i < matches->len; i++)
        assert_true(isfinite(g_array_index(matches, retrieval_match, i).score));
}

static void
check_same_answers(const retrieval_vectors *a, const retrieval_vectors *b)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GRand) rand = g_rand_new_with_seed(4);
    for (int round = 0; round < 10; round++) {
        float query[DIMS];
        g_autoptr(GArray) x = g_array_new(FALSE, FALSE, sizeof(retrieval_match));
        g_autoptr(GArray) y = g_array_new(FALSE, FALSE, sizeof(retrieval_match));
        random_query(rand, query, 3);
        assert_true(retrieval_vectors_search(a, query, 20, x, &error));
        assert_true(retrieval_vectors_search(b, query, 20, y, &error));
        assert_int_equal(x->len, y->len);
        for (guint i = 0; i < x->len; i++) {
            assert_true(g_array_index(x, retrieval_match, i).id ==
                        g_array_index(y, retrieval_match, i).id);
        }
    }
}

static void
save_and_load_is_the_same_index(void **state)
{
    (void)state;
    g_autofree char *dir = make_folder("vectors");
    g_autofree char *path = g_build_filename(dir, "v.faiss", NULL);
    static const size_t sizes[] = {0, 1, 17, 300};
    for (gsize i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(retrieval_vectors) vectors = random_vectors(5, sizes[i], 3);
        const retrieval_version version = {.generation = 42 + i, .state = {1, 2, 3, (uint8_t)i}};
        retrieval_version read = {0};
        assert_true(retrieval_vectors_save(vectors, path, &version, &error));
        g_autoptr(retrieval_vectors) loaded = retrieval_vectors_load(path, DIMS, &read, &error);
        assert_no_error(error);
        assert_true(retrieval_version_equal(&version, &read));
        assert_int_equal(retrieval_vectors_count(loaded), sizes[i]);
        assert_true(retrieval_vectors_last_id(loaded) == retrieval_vectors_last_id(vectors));
        check_same_answers(vectors, loaded);

        g_autofree char *first = NULL, *second = NULL;
        gsize n_first = 0, n_second = 0;
        assert_true(g_file_get_contents(path, &first, &n_first, NULL));
        assert_true(retrieval_vectors_save(loaded, path, &read, &error));
        assert_true(g_file_get_contents(path, &second, &n_second, NULL));
        assert_int_equal(n_first, n_second);
        assert_memory_equal(first, second, n_first);
    }
    remove_folder(dir);
}

static void
other_dimensions_and_missing_files_are_errors(void **state)
{
    (void)state;
    g_autofree char *dir = make_folder("vectors");
    g_autofree char *path = g_build_filename(dir, "v.faiss", NULL);
    retrieval_version version = {.generation = 1};
    g_autoptr(GError) missing = NULL, dims = NULL, no_folder = NULL;
    assert_null(retrieval_vectors_load(path, DIMS, &version, &missing));
    assert_true(g_error_matches(missing, RETRIEVAL_ERROR, RETRIEVAL_ERROR_IO));
    g_autoptr(retrieval_vectors) vectors = random_vectors(6, 10, 3);
    assert_true(retrieval_vectors_save(vectors, path, &version, NULL));
    assert_null(retrieval_vectors_load(path, DIMS + 1, &version, &dims));
    assert_true(g_error_matches(dims, RETRIEVAL_ERROR, RETRIEVAL_ERROR_FORMAT));
    assert_false(retrieval_vectors_save(vectors, "no/such/folder/v.faiss", &version, &no_folder));
    assert_true(g_error_matches(no_folder, RETRIEVAL_ERROR, RETRIEVAL_ERROR_IO));
    remove_folder(dir);
}

static void
write_file(const char *path, const char *bytes, gsize n)
{
    FILE *file = g_fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

/* Every cut and every changed byte is noticed, or changes nothing: FAISS's header has bytes of no use. */
static void
damage_is_noticed(void **state)
{
    (void)state;
    g_autofree char *dir = make_folder("vectors");
    g_autofree char *path = g_build_filename(dir, "v.faiss", NULL);
    g_autoptr(retrieval_vectors) vectors = random_vectors(7, 12, 3);
    retrieval_version version = {.generation = 9, .state = {7}}, read;
    assert_true(retrieval_vectors_save(vectors, path, &version, NULL));
    g_autofree char *bytes = NULL;
    gsize n = 0, n_unnoticed = 0;
    assert_true(g_file_get_contents(path, &bytes, &n, NULL));
    for (gsize cut = 0; cut < n; cut++) {
        write_file(path, bytes, cut);
        assert_null(retrieval_vectors_load(path, DIMS, &read, NULL));
    }
    for (gsize at = 0; at < n; at++) {
        bytes[at] = (char)(bytes[at] ^ (1 << (at % 8)));
        write_file(path, bytes, n);
        g_autoptr(retrieval_vectors) loaded = retrieval_vectors_load(path, DIMS, &read, NULL);
        if (loaded) {
            n_unnoticed++;
            assert_true(retrieval_version_equal(&read, &version));
            check_same_answers(vectors, loaded);
        }
        bytes[at] = (char)(bytes[at] ^ (1 << (at % 8)));
    }
    assert_in_range(n_unnoticed, 0, 17); /* two unused words and "is trained" */
    remove_folder(dir);
}

/* Sizes that lie must be refused before memory is asked for by them. */
static void
lying_sizes_are_refused(void **state)
{
    (void)state;
    g_autofree char *dir = make_folder("vectors");
    g_autofree char *path = g_build_filename(dir, "v.faiss", NULL);
    g_autoptr(retrieval_vectors) vectors = random_vectors(8, 12, 3);
    retrieval_version version = {.generation = 9}, read;
    assert_true(retrieval_vectors_save(vectors, path, &version, NULL));
    g_autofree char *bytes = NULL;
    gsize n = 0;
    assert_true(g_file_get_contents(path, &bytes, &n, NULL));
    static const uint64_t lies[] = {0, UINT64_MAX, UINT64_C(1) << 62, UINT64_C(1) << 39, 13};
    static const int offsets[] = {4, 8, 37, -72, -24, -16}; /* from the front, from the end */
    for (gsize o = 0; o < G_N_ELEMENTS(offsets); o++) {
        for (gsize l = 0; l < G_N_ELEMENTS(lies); l++) {
            g_autofree char *copy = g_memdup2(bytes, n);
            char *at = offsets[o] >= 0 ? copy + offsets[o] : copy + n + offsets[o];
            memcpy(at, &lies[l], sizeof lies[l]);
            write_file(path, copy, n);
            assert_null(retrieval_vectors_load(path, DIMS, &read, NULL));
        }
    }
    remove_folder(dir);
}

static void
half_precision_rounds_to_nearest(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 0x10000; h++) { /* all halves survive the way there and back */
        const float value = retrieval_half_to_float((uint16_t)h);
        if (isnan(value))
            assert_true(isnan(retrieval_half_to_float(retrieval_half_from_float(value))));
        else
            assert_int_equal(retrieval_half_from_float(value), h);
    }
    assert_int_equal(retrieval_half_from_float(1.0f), 0x3c00);
    assert_int_equal(retrieval_half_from_float(1.0f + 0x1p-11f), 0x3c00); /* tie to even */
    assert_int_equal(retrieval_half_from_float(1.0f + 0x1p-11f + 0x1p-20f), 0x3c01);
    assert_int_equal(retrieval_half_from_float(1.0f + 3 * 0x1p-11f), 0x3c02); /* tie to even */
    assert_int_equal(retrieval_half_from_float(65519.0f), 0x7bff);
    assert_int_equal(retrieval_half_from_float(65520.0f), 0x7c00);
    assert_int_equal(retrieval_half_from_float(-1e30f), 0xfc00);
    assert_int_equal(retrieval_half_from_float(0x1p-24f), 0x0001);
    assert_int_equal(retrieval_half_from_float(0x1p-25f), 0x0000); /* tie to even */
    assert_int_equal(retrieval_half_from_float(0x1.8p-25f), 0x0001);
    assert_int_equal(retrieval_half_from_float(-0.0f), 0x8000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_come_first_and_ties_go_by_id),
        cmocka_unit_test(an_empty_index_finds_nothing),
        cmocka_unit_test(numbers_that_are_none_are_not_ranked),
        cmocka_unit_test(save_and_load_is_the_same_index),
        cmocka_unit_test(other_dimensions_and_missing_files_are_errors),
        cmocka_unit_test(damage_is_noticed),
        cmocka_unit_test(lying_sizes_are_refused),
        cmocka_unit_test(half_precision_rounds_to_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
