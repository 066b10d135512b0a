/* Indexes of many vectors: what they find of what a search of all finds, and how a library changes to them. */
#include "support.h"

#include <glib/gstdio.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <faiss/c_api/index_io_c.h>

#include "retrieval/files.h"
#include "retrieval/vectors_private.h"

enum { DIMS = 24, N = 10240, N_TOPICS = 60, N_QUERIES = 60, TOP = 100 };

/* Unit vectors around topics, as embeddings of texts are. */
static void
random_vector(GRand *rand, const float *topics, float out[DIMS])
{
    const float *topic = topics + (size_t)g_rand_int_range(rand, 0, N_TOPICS) * DIMS;
    double sum = 0;
    for (int j = 0; j < DIMS; j++) {
        out[j] = topic[j] + (float)g_rand_double_range(rand, -0.6, 0.6);
        sum += (double)out[j] * (double)out[j];
    }
    for (int j = 0; j < DIMS; j++)
        out[j] = (float)((double)out[j] / sqrt(sum));
}

typedef struct {
    float *topics, *values;
    int64_t *ids;
    GRand *rand;
    retrieval_vectors *built[RETRIEVAL_INDEX_PRODUCT + 1]; /* of all, never changed */
} collection;

static retrieval_vectors *build_index(const collection *c, retrieval_index_kind kind);

static int
setup_collection(void **state)
{
    static collection c;
    c.rand = g_rand_new_with_seed(21);
    c.topics = g_new(float, N_TOPICS *DIMS);
    c.values = g_new(float, (size_t)N *DIMS);
    c.ids = g_new(int64_t, N);
    for (int i = 0; i < N_TOPICS * DIMS; i++)
        c.topics[i] = (float)g_rand_double_range(c.rand, -1, 1);
    for (int i = 0; i < N; i++) {
        c.ids[i] = 7 + 2 * i;
        random_vector(c.rand, c.topics, c.values + (size_t)i * DIMS);
    }
    for (int kind = 0; kind <= RETRIEVAL_INDEX_PRODUCT; kind++)
        c.built[kind] = build_index(&c, (retrieval_index_kind)kind);
    *state = &c;
    return 0;
}

static int
teardown_collection(void **state)
{
    collection *c = *state;
    for (int kind = 0; kind <= RETRIEVAL_INDEX_PRODUCT; kind++)
        retrieval_vectors_free(c->built[kind]);
    g_rand_free(c->rand);
    g_free(c->topics);
    g_free(c->values);
    g_free(c->ids);
    return 0;
}

static retrieval_vectors *
build_index(const collection *c, retrieval_index_kind kind)
{
    g_autoptr(GError) error = NULL;
    retrieval_vectors *vectors = retrieval_vectors_new_trained(kind, DIMS, N, c->values, N, &error);
    assert_no_error(error);
    assert_true(retrieval_vectors_add(vectors, c->ids, c->values, N, &error));
    assert_int_equal(retrieval_vectors_count(vectors), N);
    assert_int_equal(retrieval_vectors_kind(vectors), kind);
    return vectors;
}

static GArray *
nearest(const retrieval_vectors *vectors, const float *query, size_t k)
{
    g_autoptr(GError) error = NULL;
    GArray *matches = g_array_new(FALSE, FALSE, sizeof(retrieval_match));
    assert_true(retrieval_vectors_search(vectors, query, k, matches, &error));
    return matches;
}

static gboolean
holds(const GArray *matches, int64_t id)
{
    for (guint i = 0; i < matches->len; i++)
        if (g_array_index(matches, retrieval_match, i).id == id) return TRUE;
    return FALSE;
}

/* Of the true best n_best, the share that is among n_found found. */
static double
recall(const collection *c, retrieval_index_kind kind, guint n_best, guint n_found)
{
    const retrieval_vectors *all = c->built[RETRIEVAL_INDEX_EXACT], *lists = c->built[kind];
    g_autoptr(GRand) rand = g_rand_new_with_seed(22);
    guint n_hit = 0;
    for (int q = 0; q < N_QUERIES; q++) {
        float query[DIMS];
        random_vector(rand, c->topics, query);
        g_autoptr(GArray) truth = nearest(all, query, n_best);
        g_autoptr(GArray) found = nearest(lists, query, n_found);
        for (guint i = 0; i < truth->len; i++)
            n_hit += holds(found, g_array_index(truth, retrieval_match, i).id) ? 1u : 0u;
    }
    return (double)n_hit / (N_QUERIES * n_best);
}

/* R@100 as FAISS and the paper of product quantisation count it: how often the nearest of all is among the hundred
 * found. Every kind is to be within 0.01 of a search of all; in as many dimensions as an embedder's: test_recall.c. */
static void
every_kind_finds_the_nearest_among_a_hundred(void **state)
{
    for (int kind = 0; kind <= RETRIEVAL_INDEX_PRODUCT; kind++) {
        const double r = recall(*state, (retrieval_index_kind)kind, 1, TOP);
        if (r < 0.99) fail_msg("%s: %.4f", retrieval_index_kind_name(kind), r);
    }
}

/* The stricter count: how many of the true best hundred are found. A search takes three times as many from lists and scores
 * them by the exact vectors where these are kept, as for eight bits a dimension: then the hundred are its own hundred.
 * Product-quantised lists are the only copy of their vectors. Their bars here are for these 24 dimensions, three to a
 * byte: an embedder's have six to a byte, and test_recall.c and README say what becomes of them. */
static void
of_24_dimensions_the_best_hundred_are_among_those_that_a_search_takes(void **state)
{
    static const struct {
        retrieval_index_kind kind;
        guint n_best, n_found;
        double least;
    } bars[] = {{RETRIEVAL_INDEX_EXACT, TOP, TOP, 1.0},
                {RETRIEVAL_INDEX_SCALAR, TOP, 3 * TOP, 0.99},
                {RETRIEVAL_INDEX_PRODUCT, 10, TOP, 0.99},
                {RETRIEVAL_INDEX_PRODUCT, TOP, 3 * TOP, 0.99},
                {RETRIEVAL_INDEX_PRODUCT, TOP, TOP, 0.90}};
    for (gsize i = 0; i < G_N_ELEMENTS(bars); i++) {
        const double r = recall(*state, bars[i].kind, bars[i].n_best, bars[i].n_found);
        if (r < bars[i].least)
            fail_msg("%s: %.4f of the best %u among %u", retrieval_index_kind_name(bars[i].kind), r,
                     bars[i].n_best, bars[i].n_found);
    }
}

static gboolean
keep_even(int64_t id, void *user_data)
{
    (void)user_data;
    return (id - 7) / 2 % 2 == 0;
}

static void
what_is_removed_is_not_found_and_not_in_the_file(void **state)
{
    const collection *c = *state;
    static const retrieval_index_kind kinds[] = {RETRIEVAL_INDEX_EXACT, RETRIEVAL_INDEX_SCALAR,
                                                 RETRIEVAL_INDEX_PRODUCT};
    g_autofree char *dir = make_folder("lists");
    g_autofree char *path = g_build_filename(dir, "v.faiss", NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
        g_autoptr(GError) error = NULL;
        const retrieval_version version = {.generation = 3, .state = {1}};
        retrieval_version read;
        assert_true(retrieval_vectors_save(c->built[kinds[i]], path, &version, &error));
        g_autoptr(retrieval_vectors) vectors = retrieval_vectors_load(path, DIMS, &read, &error);
        assert_no_error(error);
        assert_int_equal(retrieval_vectors_remove(vectors, keep_even, NULL, &error), N / 2);
        assert_int_equal(retrieval_vectors_count(vectors), N / 2);
        assert_true(retrieval_vectors_save(vectors, path, &version, &error));
        g_autoptr(retrieval_vectors) loaded = retrieval_vectors_load(path, DIMS, &read, &error);
        assert_no_error(error);
        assert_true(retrieval_version_equal(&read, &version));
        assert_int_equal(retrieval_vectors_count(loaded), N / 2);
        assert_int_equal(retrieval_vectors_last_id(loaded), c->ids[N - 2]);
        g_autoptr(GArray) before = nearest(vectors, c->values, 50);
        g_autoptr(GArray) after = nearest(loaded, c->values, 50);
        assert_int_equal(before->len, 50);
        assert_int_equal(after->len, 50);
        for (guint j = 0; j < 50; j++) {
            const int64_t id = g_array_index(after, retrieval_match, j).id;
            assert_true(keep_even(id, NULL));
            assert_true(id == g_array_index(before, retrieval_match, j).id);
        }
    }
    remove_folder(dir);
}

/* In memory, and by the next writer, who has the file. */
static void
what_is_added_after_a_removal_has_its_own_id(void **state)
{
    const collection *c = *state;
    enum { N_NEW = 40 };
    g_autofree char *dir = make_folder("lists");
    g_autofree char *path = g_build_filename(dir, "v.faiss", NULL);
    const retrieval_version version = {.generation = 3};
    g_autofree float *values = g_new(float, N_NEW *DIMS);
    int64_t ids[N_NEW];
    for (int i = 0; i < N_NEW; i++) {
        ids[i] = 100000 + 3 * i;
        random_vector(c->rand, c->topics, values + (size_t)i * DIMS);
    }
    for (int kind = 0; kind <= RETRIEVAL_INDEX_PRODUCT; kind++) {
        g_autoptr(GError) error = NULL;
        retrieval_version read;
        assert_true(retrieval_vectors_save(c->built[kind], path, &version, &error));
        g_autoptr(retrieval_vectors) vectors = retrieval_vectors_load(path, DIMS, &read, &error);
        assert_int_equal(retrieval_vectors_remove(vectors, keep_even, NULL, &error), N / 2);
        assert_true(retrieval_vectors_add(vectors, ids, values, N_NEW / 2, &error));
        assert_true(retrieval_vectors_save(vectors, path, &version, &error));
        g_autoptr(retrieval_vectors) later = retrieval_vectors_load(path, DIMS, &read, &error);
        assert_no_error(error);
        assert_true(retrieval_vectors_add(later, ids + N_NEW / 2, values + N_NEW / 2 * DIMS,
                                          N_NEW / 2, &error));
        guint n_found = 0;
        for (size_t i = 0; i < N_NEW; i++) {
            g_autoptr(GArray) found = nearest(later, values + i * DIMS, 20);
            n_found += holds(found, ids[i]) ? 1u : 0u;
        }
        assert_true(n_found >= N_NEW - 1);
    }
    remove_folder(dir);
}

static void
a_vector_can_be_had_back_nearly(void **state)
{
    const collection *c = *state;
    for (int kind = 0; kind <= RETRIEVAL_INDEX_PRODUCT; kind++) {
        g_autoptr(GError) error = NULL;
        float values[DIMS];
        double dot = 0;
        assert_true(retrieval_vectors_get(c->built[kind], c->ids[2], values, &error));
        for (int j = 0; j < DIMS; j++)
            dot += (double)values[j] * (double)c->values[2 * DIMS + j];
        assert_true(dot > 0.9);
        assert_false(retrieval_vectors_get(c->built[kind], c->ids[2] + 1, values, &error));
        assert_no_error(error);
    }
}

static void
a_vector_can_be_had_back_after_others_were_removed(void **state)
{
    const collection *c = *state;
    g_autofree char *dir = make_folder("lists");
    g_autofree char *path = g_build_filename(dir, "v.faiss", NULL);
    for (int kind = 0; kind <= RETRIEVAL_INDEX_PRODUCT; kind++) {
        g_autoptr(GError) error = NULL;
        const retrieval_version version = {.generation = 3};
        retrieval_version read;
        float before[DIMS], after[DIMS];
        assert_true(retrieval_vectors_save(c->built[kind], path, &version, &error));
        g_autoptr(retrieval_vectors) all = retrieval_vectors_load(path, DIMS, &read, &error);
        assert_true(retrieval_vectors_get(all, c->ids[N - 2], before, &error));
        g_autoptr(retrieval_vectors) vectors = retrieval_vectors_load(path, DIMS, &read, &error);
        assert_no_error(error);
        assert_int_equal(retrieval_vectors_remove(vectors, keep_even, NULL, &error), N / 2);
        assert_true(retrieval_vectors_get(vectors, c->ids[N - 2], after, &error));
        assert_no_error(error);
        assert_memory_equal(before, after, sizeof before);
        assert_false(retrieval_vectors_get(vectors, c->ids[N - 1], after, &error));
        assert_no_error(error);
    }
    remove_folder(dir);
}

static void
many_vectors_can_be_had_back_at_once(void **state)
{
    const collection *c = *state;
    for (int kind = 0; kind <= RETRIEVAL_INDEX_PRODUCT; kind++) {
        g_autoptr(GError) error = NULL;
        const int64_t ids[] = {c->ids[5], c->ids[5] + 1, c->ids[N - 1], c->ids[0], c->ids[5]};
        const int at[] = {5, 0, N - 1, 0, 5};
        float values[G_N_ELEMENTS(ids)][DIMS] = {{0}};
        gboolean known[G_N_ELEMENTS(ids)] = {FALSE, FALSE, FALSE, TRUE, FALSE};
        assert_true(retrieval_vectors_get_many(c->built[kind], ids, G_N_ELEMENTS(ids), values[0],
                                               known, &error));
        assert_no_error(error);
        assert_true(known[0] && !known[1] && known[2] && known[3] && known[4]);
        assert_true(values[3][0] == 0.0F); /* known before: not touched */
        for (int i = 0; i < 5; i += 2) {
            double dot = 0;
            for (int j = 0; j < DIMS; j++)
                dot += (double)values[i][j] * (double)c->values[at[i] * DIMS + j];
            assert_true(dot > 0.9);
        }
        assert_memory_equal(values[0], values[4], sizeof values[0]);
    }
}

/* Half of it from a file, the rest added behind, a part of it removed again. */
static void
lists_in_a_file_grow_as_those_in_memory(void **state)
{
    enum { HALF = N / 2 };
    const collection *c = *state;
    const retrieval_version version = {.generation = 3};
    g_autofree char *dir = make_folder("lists");
    g_autofree char *path = g_build_filename(dir, "v.faiss", NULL);
    g_autofree char *path_again = g_build_filename(dir, "again.faiss", NULL);
    for (int kind = RETRIEVAL_INDEX_SCALAR; kind <= RETRIEVAL_INDEX_PRODUCT; kind++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *bytes = NULL, *bytes_again = NULL;
        gsize n = 0, n_again = 0;
        retrieval_version read;
        g_autoptr(retrieval_vectors) first = retrieval_vectors_new_trained(
            (retrieval_index_kind)kind, DIMS, N, c->values, N, &error);
        assert_true(retrieval_vectors_add(first, c->ids, c->values, HALF, &error));
        assert_true(retrieval_vectors_save(first, path, &version, &error));
        g_autoptr(retrieval_vectors) grown = retrieval_vectors_load(path, DIMS, &read, &error);
        assert_no_error(error);
        for (int i = 0; i < 2; i++) { /* without and with vectors behind the file's */
            g_autoptr(GArray) want = nearest(i == 0 ? first : c->built[kind], c->values, 100);
            g_autoptr(GArray) got = nearest(grown, c->values, 100);
            assert_int_equal(got->len, 100);
            assert_memory_equal(got->data, want->data, 100 * sizeof(retrieval_match));
            if (i == 0)
                assert_true(retrieval_vectors_add(grown, c->ids + HALF, c->values + HALF * DIMS,
                                                  HALF, &error));
        }
        /* the file is replaced under the one that reads it, by what FAISS writes of lists in memory */
        assert_true(retrieval_vectors_save(grown, path, &version, &error));
        assert_true(retrieval_vectors_save(c->built[kind], path_again, &version, &error));
        assert_true(g_file_get_contents(path, &bytes, &n, &error));
        assert_true(g_file_get_contents(path_again, &bytes_again, &n_again, &error));
        assert_int_equal(n, n_again);
        assert_memory_equal(bytes, bytes_again, n);
        assert_int_equal(retrieval_vectors_remove(grown, keep_even, NULL, &error), N / 2);
        g_autoptr(GArray) left = nearest(grown, c->values, 100);
        for (guint i = 0; i < left->len; i++)
            assert_true(keep_even(g_array_index(left, retrieval_match, i).id, NULL));
        assert_int_equal(left->len, 100);
    }
    remove_folder(dir);
}

/* As programs wrote it before ids became runs: what FAISS itself writes of lists, an id for every vector, 0 for a removed
 * one, and a trailer of another magic number. */
static void
write_old_file(const retrieval_vectors *vectors, const char *path)
{
    struct {
        uint64_t magic, generation;
        uint8_t state[RETRIEVAL_STATE_SIZE];
        uint64_t n;
        uint32_t n_dims, kind;
        uint64_t checksum;
    } trailer = {.magic = UINT64_C(0x3163657665646f6c), /* "lodevec1" */
                 .generation = 5,
                 .state = {9},
                 .n = vectors->ids->len,
                 .n_dims = DIMS,
                 .kind = (uint32_t)vectors->kind};
    FILE *file = g_fopen(path, "w+be");
    assert_non_null(file);
    assert_int_equal(faiss_write_index(vectors->index, file), 0);
    for (guint i = 0; i < vectors->ids->len; i++) {
        const uint32_t id = (uint32_t)vectors_id_at(vectors, i);
        assert_int_equal(fwrite(&id, sizeof id, 1, file), 1);
    }
    assert_int_equal(fflush(file), 0);
    trailer.checksum = trailer.magic;
    assert_true(retrieval_checksum_file(fileno(file), (uint64_t)ftell(file), &trailer.checksum));
    trailer.checksum = retrieval_checksum(trailer.checksum, &trailer,
                                          G_STRUCT_OFFSET(__typeof__(trailer), checksum));
    assert_int_equal(fwrite(&trailer, sizeof trailer, 1, file), 1);
    assert_int_equal(fclose(file), 0);
}

static void
check_same_nearest(const collection *c, const retrieval_vectors *a, const retrieval_vectors *b)
{
    for (int i = 0; i < 5; i++) {
        g_autoptr(GArray) x = nearest(a, c->values + i * 1000 * DIMS, TOP);
        g_autoptr(GArray) y = nearest(b, c->values + i * 1000 * DIMS, TOP);
        assert_int_equal(x->len, TOP);
        assert_int_equal(y->len, TOP);
        assert_memory_equal(x->data, y->data, TOP * sizeof(retrieval_match));
    }
}

/* Read, looked into, grown and written anew, in today's form. */
static void
lists_of_older_programs_are_read(void **state)
{
    const collection *c = *state;
    const retrieval_version version = {.generation = 6};
    g_autofree char *dir = make_folder("lists");
    g_autofree char *path = g_build_filename(dir, "v.faiss", NULL);
    for (int kind = RETRIEVAL_INDEX_SCALAR; kind <= RETRIEVAL_INDEX_PRODUCT; kind++) {
        g_autoptr(GError) error = NULL;
        const int64_t id = c->ids[N - 1] + 1;
        retrieval_version read;
        float value[DIMS], same[DIMS];
        g_autoptr(retrieval_vectors) built = build_index(c, (retrieval_index_kind)kind);
        assert_int_equal(retrieval_vectors_remove(built, keep_even, NULL, &error), N / 2);
        write_old_file(built, path);
        g_autoptr(retrieval_vectors) old = retrieval_vectors_load(path, DIMS, &read, &error);
        assert_no_error(error);
        assert_true(read.generation == 5 && read.state[0] == 9);
        assert_int_equal(retrieval_vectors_count(old), N / 2);
        assert_true(retrieval_vectors_last_id(old) == c->ids[N - 2]);
        check_same_nearest(c, built, old);
        assert_true(retrieval_vectors_add(old, &id, c->values, 1, &error));
        assert_true(retrieval_vectors_add(built, &id, c->values, 1, &error));
        assert_true(retrieval_vectors_save(old, path, &version, &error));
        g_autoptr(retrieval_vectors) again = retrieval_vectors_load(path, DIMS, &read, &error);
        assert_no_error(error);
        assert_true(read.generation == 6);
        check_same_nearest(c, built, again);
        assert_true(retrieval_vectors_get(again, c->ids[4], value, &error));
        assert_true(retrieval_vectors_get(old, c->ids[4], same, &error));
        assert_memory_equal(value, same, sizeof value);

        write_old_file(built, path); /* cut in its ids */
        g_autofree char *bytes = NULL;
        gsize n = 0;
        assert_true(g_file_get_contents(path, &bytes, &n, &error));
        memmove(bytes + n - 72 - 400, bytes + n - 72, 72);
        assert_true(g_file_set_contents(path, bytes, (gssize)n - 400, &error));
        assert_null(retrieval_vectors_load(path, DIMS, &read, NULL));
    }
    remove_folder(dir);
}

static void
damage_to_lists_is_noticed(void **state)
{
    g_autofree char *dir = make_folder("lists");
    g_autofree char *path = g_build_filename(dir, "v.faiss", NULL);
    const collection *c = *state;
    const retrieval_vectors *vectors = c->built[RETRIEVAL_INDEX_PRODUCT];
    const retrieval_version version = {.generation = 3};
    retrieval_version read;
    assert_true(retrieval_vectors_save(vectors, path, &version, NULL));
    g_autofree char *bytes = NULL;
    gsize n = 0;
    assert_true(g_file_get_contents(path, &bytes, &n, NULL));
    for (gsize at = 0; at < n; at += n / 37 + 1) {
        bytes[at] = (char)(bytes[at] ^ 4);
        assert_true(g_file_set_contents(path, bytes, (gssize)n, NULL));
        assert_null(retrieval_vectors_load(path, DIMS, &read, NULL));
        bytes[at] = (char)(bytes[at] ^ 4);
        assert_true(g_file_set_contents(path, bytes, (gssize)(at + 1), NULL));
        assert_null(retrieval_vectors_load(path, DIMS, &read, NULL));
    }
    remove_folder(dir);
}

/* ---- a library that grows through all kinds ---- */

static retrieval_library *
open_small_limits(retrieval_open_mode mode)
{
    retrieval_library *library = open_library(folder, mode, &fake_embedder);
    library->exact_limit = 3000;
    library->scalar_limit = 6000;
    return library;
}

static void
add_many(retrieval_library *library, int from, int to)
{
    g_autoptr(GError) error = NULL;
    add_sentences(library, from, to);
    assert_true(retrieval_library_commit(library, &error));
    assert_no_error(error);
}

static int64_t
count_stored(retrieval_library *library)
{
    sqlite3_stmt *statement = NULL;
    sqlite3_prepare_v2(library->store->db, "SELECT count(*) FROM embeddings", -1, &statement, NULL);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    const int64_t n = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return n;
}

/* The text of passage i is found by its own words' vector. */
static void
check_dense(retrieval_library *library, int from, guint n_checked)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GRand) rand = g_rand_new_with_seed((guint32)from);
    retrieval_search_options options = retrieval_search_options_default();
    options.method = RETRIEVAL_DENSE;
    guint n_found = 0;
    for (guint i = 0; i < n_checked; i++) {
        g_autofree char *text = random_sentence(rand, 12);
        g_autoptr(GPtrArray) hits = retrieval_library_search(library, text, &options, &error);
        assert_no_error(error);
        for (guint j = 0; j < hits->len; j++)
            n_found += strcmp(((retrieval_hit *)hits->pdata[j])->text, text) == 0 ? 1u : 0u;
    }
    assert_true(n_found >= n_checked - 1);
}

static void
a_library_grows_from_exact_to_quantised(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    g_autoptr(retrieval_library) library = open_small_limits(RETRIEVAL_OPEN_WRITE);
    add_many(library, 0, 2000);
    assert_int_equal(retrieval_vectors_kind(library->vectors), RETRIEVAL_INDEX_EXACT);
    add_many(library, 2000, 5500);
    assert_int_equal(retrieval_vectors_kind(library->vectors), RETRIEVAL_INDEX_SCALAR);
    assert_int_equal(count_stored(library), 5500);
    check_dense(library, 2000, 30);
    add_many(library, 5500, 11000);
    assert_int_equal(retrieval_vectors_kind(library->vectors), RETRIEVAL_INDEX_PRODUCT);
    assert_int_equal(count_stored(library), 0);
    check_dense(library, 0, 30);

    add_many(library, 11000, 11050); /* grows without being trained again */
    assert_int_equal(count_stored(library), 0);
    assert_true(retrieval_library_remove(library, "p00003", &error));
    assert_true(retrieval_library_commit(library, &error));
    assert_int_equal(retrieval_vectors_count(library->vectors), 11049);
    retrieval_stats stats;
    assert_true(retrieval_library_get_stats(library, &stats, &error));
    assert_int_equal(stats.n_vectors, 11049);
    g_free(stats.embedder_id);
    g_clear_pointer(&library, retrieval_library_free);

    g_autoptr(retrieval_library) reader = open_reader();
    check_dense(reader, 11000, 30);
    check_dense(reader, 5500, 30);
}

static gboolean
must_not_embed(void *user_data, const char *const *texts, size_t n, float *out, const int *cancel,
               GError **error)
{
    (void)user_data, (void)texts, (void)n, (void)out, (void)cancel;
    g_set_error_literal(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_EMBEDDER, "was asked to embed");
    return FALSE;
}

/* Its vectors are in vectors.faiss alone, and some were removed. */
static void
a_quantised_library_is_merged_without_embedding(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    g_autofree char *second = make_folder("second");
    g_autoptr(retrieval_library) two = open_small_limits(RETRIEVAL_OPEN_WRITE);
    two->exact_limit = 200;
    two->scalar_limit = 400;
    add_many(two, 0, 600);
    assert_int_equal(count_stored(two), 0);
    assert_true(retrieval_library_remove(two, "p00007", &error));
    assert_true(retrieval_library_commit(two, &error));
    g_clear_pointer(&two, retrieval_library_free);

    retrieval_embedder idle = fake_embedder;
    idle.embed = must_not_embed;
    g_autoptr(retrieval_library) one = open_library(second, RETRIEVAL_OPEN_WRITE, &idle);
    retrieval_merge_report report;
    assert_true(retrieval_library_merge(one, folder, NULL, &report, &error));
    assert_no_error(error);
    assert_int_equal(report.n_added, 599);
    retrieval_stats stats;
    assert_true(retrieval_library_get_stats(one, &stats, &error));
    assert_int_equal(stats.n_vectors, 599);
    g_free(stats.embedder_id);
    g_clear_pointer(&one, retrieval_library_free);
    g_autoptr(retrieval_library) reader = open_library(second, RETRIEVAL_OPEN_READ, &fake_embedder);
    check_dense(reader, 0, 6);
    g_clear_pointer(&reader, retrieval_library_free);
    remove_folder(second);
}

/* The vectors are in vectors.faiss alone: passages that say the same twice are told apart by what it knows of them,
 * and one that only its words found has a cosine of its own. */
static void
a_quantised_library_tells_likeness(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    g_autoptr(retrieval_library) library = open_small_limits(RETRIEVAL_OPEN_WRITE);
    library->exact_limit = 200;
    library->scalar_limit = 400;
    const retrieval_passage twins[] = {{"twin 1", "", "zebra crossing in the rain at night"},
                                       {"twin 2", "", "zebra crossing in the rain at night"},
                                       {"other", "", "zebra foals drink milk of their mothers"}};
    assert_true(retrieval_library_add_passages(library, twins, 3, NULL, &error));
    add_many(library, 0, 600);
    assert_int_equal(count_stored(library), 0);
    retrieval_search_options options = retrieval_search_options_default();
    options.n_results = 3;
    const char *query = "zebra crossing in the rain";
    g_autoptr(GPtrArray) plain = retrieval_library_search(library, query, &options, &error);
    assert_string_equal(((retrieval_hit *)plain->pdata[0])->path, "twin 1");
    assert_string_equal(((retrieval_hit *)plain->pdata[1])->path, "twin 2");
    options.diversity = 0.6;
    g_autoptr(GPtrArray) apart = retrieval_library_search(library, query, &options, &error);
    assert_no_error(error);
    assert_string_equal(((retrieval_hit *)apart->pdata[0])->path, "twin 1");
    assert_string_not_equal(((retrieval_hit *)apart->pdata[1])->path, "twin 2");
}

/* Every tenth of the file, and fewer vectors than passages in one that is whole. */
static void
damage_to_the_only_vectors_is_told(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    g_autoptr(retrieval_library) library = open_small_limits(RETRIEVAL_OPEN_WRITE);
    library->exact_limit = 200;
    library->scalar_limit = 400;
    add_many(library, 0, 600);
    assert_int_equal(count_stored(library), 0);
    assert_int_equal(count_problems(library), 0);
    g_autofree char *path = g_build_filename(folder, "vectors.faiss", NULL), *bytes = NULL;
    gsize n = 0;
    retrieval_version version;
    assert_true(g_file_get_contents(path, &bytes, &n, NULL));
    for (gsize at = 5; at < n; at += n / 10) {
        bytes[at] = (char)(bytes[at] ^ 4);
        assert_true(g_file_set_contents(path, bytes, (gssize)n, NULL)); /* beside, then renamed */
        assert_int_equal(count_problems(library), 1);
        bytes[at] = (char)(bytes[at] ^ 4);
    }
    assert_true(g_file_set_contents(path, bytes, (gssize)n, NULL));
    assert_int_equal(count_problems(library), 0);
    g_autoptr(retrieval_vectors) fewer = retrieval_vectors_load(path, FAKE_DIMS, &version, &error);
    assert_no_error(error);
    assert_true(retrieval_vectors_remove(fewer, keep_even, NULL, &error) > 0);
    assert_true(retrieval_vectors_save(fewer, path, &version, &error));
    assert_int_equal(count_problems(library), 1);
}

/* Nobody asked for a commit yet, and vectors and words are in their files. */
static void
who_adds_very_many_need_not_ask_for_a_commit(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    g_autoptr(GRand) rand = g_rand_new_with_seed(5);
    g_autofree char *path = g_build_filename(folder, "vectors.faiss", NULL);
    g_autoptr(retrieval_library) library = open_small_limits(RETRIEVAL_OPEN_WRITE);
    library->most_waiting = 50;
    library->words_limit = 20;
    for (int i = 0; i < 120; i++) {
        g_autofree char *id = g_strdup_printf("p%d", i), *text = random_sentence(rand, 12);
        assert_int_equal(g_file_test(path, G_FILE_TEST_EXISTS), i >= 50);
        assert_true(retrieval_library_add_passage(library, id, "", text, &error));
    }
    int64_t through = 0;
    assert_true(retrieval_store_get_words_through(library->store, &through, &error));
    assert_int_equal(through, 100);
    assert_true(retrieval_library_commit(library, &error));
    assert_int_equal(count_problems(library), 0);
}

typedef struct {
    retrieval_library *library;
    int n_done;
} searching;

static gpointer
search_on(gpointer data)
{
    searching *s = data;
    for (int i = 0; i < 60; i++) {
        check_dense(s->library, 0, 1);
        g_atomic_int_inc(&s->n_done);
    }
    return NULL;
}

static void
searches_go_on_beside_each_other_and_beside_a_writer(void **state)
{
    (void)state;
    g_autoptr(retrieval_library) library = open_small_limits(RETRIEVAL_OPEN_WRITE);
    add_many(library, 0, 200);
    searching s = {library, 0};
    GThread *threads[4];
    for (int i = 0; i < 4; i++)
        threads[i] = g_thread_new("search", search_on, &s);
    for (int i = 0; i < 10; i++)
        add_many(library, 1000 + i * 20, 1020 + i * 20);
    for (int i = 0; i < 4; i++)
        g_thread_join(threads[i]);
    assert_int_equal(s.n_done, 240);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_folder, teardown_folder)

int
main(void)
{
    const struct CMUnitTest lists[] = {
        cmocka_unit_test(every_kind_finds_the_nearest_among_a_hundred),
        cmocka_unit_test(of_24_dimensions_the_best_hundred_are_among_those_that_a_search_takes),
        cmocka_unit_test(what_is_removed_is_not_found_and_not_in_the_file),
        cmocka_unit_test(what_is_added_after_a_removal_has_its_own_id),
        cmocka_unit_test(many_vectors_can_be_had_back_at_once),
        cmocka_unit_test(lists_in_a_file_grow_as_those_in_memory),
        cmocka_unit_test(lists_of_older_programs_are_read),
        cmocka_unit_test(damage_to_lists_is_noticed),
        cmocka_unit_test(a_vector_can_be_had_back_after_others_were_removed),
        cmocka_unit_test(a_vector_can_be_had_back_nearly),
    };
    const struct CMUnitTest libraries[] = {
        TEST(a_library_grows_from_exact_to_quantised),
        TEST(a_quantised_library_tells_likeness),
        TEST(damage_to_the_only_vectors_is_told),
        TEST(who_adds_very_many_need_not_ask_for_a_commit),
        TEST(a_quantised_library_is_merged_without_embedding),
        TEST(searches_go_on_beside_each_other_and_beside_a_writer),
    };
    const int failed = cmocka_run_group_tests(lists, setup_collection, teardown_collection);
    return failed + cmocka_run_group_tests(libraries, NULL, NULL);
}
