/* Two rankings as one: what is in both, what the question's weights do, what is like the best. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>

#include "retrieval/fuse.h"

/* Ids and scores, best first. */
static GArray *
ranking_of(const int64_t *ids, const double *scores, guint n, gboolean is_dense)
{
    GArray *ranking = g_array_new(FALSE, FALSE, sizeof(retrieval_candidate));
    for (guint i = 0; i < n; i++) {
        const int rank = (int)i + 1;
        const retrieval_candidate c = {ids[i], scores[i], is_dense ? 0 : rank, is_dense ? rank : 0};
        g_array_append_val(ranking, c);
    }
    return ranking;
}

/* Words found 1, 2 and 3, vectors 3 and 4. */
static GArray *
join(guint n_full)
{
    g_autoptr(GArray) words =
        ranking_of((const int64_t[]){1, 2, 3}, (const double[]){8, 6, 2}, 3, FALSE);
    g_autoptr(GArray) dense =
        ranking_of((const int64_t[]){3, 4}, (const double[]){0.9, 0.4}, 2, TRUE);
    return retrieval_fuse_join(words, dense, n_full);
}

static retrieval_fused *
find(const GArray *all, int64_t id)
{
    for (guint i = 0; i < all->len; i++)
        if (g_array_index(all, retrieval_fused, i).found.id == id)
            return &g_array_index(all, retrieval_fused, i);
    fail_msg("%d is not there", (int)id);
    return NULL;
}

static double
score(const GArray *all, int64_t id)
{
    return find(all, id)->found.score;
}

static void
what_both_found_is_there_once(void **state)
{
    (void)state;
    g_autoptr(GArray) all = join(100);
    assert_int_equal(all->len, 4);
    assert_int_equal(find(all, 3)->found.bm25_rank, 3);
    assert_int_equal(find(all, 3)->found.dense_rank, 1);
    assert_true(find(all, 3)->bm25 == 2 && find(all, 3)->cosine == 0.9);
    assert_true(find(all, 1)->bm25 == 8 && find(all, 1)->cosine == 0.4); /* the lowest known */
    assert_true(find(all, 4)->bm25 == 0 && find(all, 4)->cosine == 0.4);
}

static void
a_full_list_goes_on_behind_its_end(void **state)
{
    (void)state;
    g_autoptr(GArray) all = join(3);
    assert_true(find(all, 4)->bm25 == 2);
}

static void
words_count_less_where_even_the_best_has_few(void **state)
{
    (void)state;
    double before = INFINITY;
    for (int i = 0; i < 4; i++) {
        static const double ideals[] = {9, 16, 50, 75};
        g_autoptr(GArray) all = join(100);
        retrieval_fuse_scores(all, ideals[i], 0.15, NULL);
        const double lead = score(all, 1) - score(all, 3); /* by words, by vectors */
        assert_true(lead < before);
        before = lead;
    }
    assert_true(before < 0);
    g_autoptr(GArray) least = join(100), less = join(100);
    retrieval_fuse_scores(least, 1e3, 0.15, NULL);
    retrieval_fuse_scores(less, 1e9, 0.15, NULL);
    assert_true(score(least, 1) == score(less, 1)); /* but never nothing */
}

static void
cosines_count_less_where_they_hardly_differ(void **state)
{
    (void)state;
    g_autoptr(GArray) apart = join(100), alike = join(100), usual = join(100);
    retrieval_fuse_scores(apart, 16, 0.4, NULL);
    retrieval_fuse_scores(alike, 16, 0.05, NULL);
    retrieval_fuse_scores(usual, 16, 0.15, NULL);
    assert_true(score(apart, 3) > score(usual, 3) && score(usual, 3) > score(alike, 3));
    assert_true(fabs(score(usual, 1) - (1.0 + 1.5 * 0.4)) < 1e-12);
    assert_true(fabs(score(usual, 3) - (0.25 + 1.5 * 0.9)) < 1e-12);
}

static void
without_an_ideal_or_words_the_rest_decides(void **state)
{
    (void)state;
    g_autoptr(GArray) none = ranking_of(NULL, NULL, 0, FALSE);
    g_autoptr(GArray) dense =
        ranking_of((const int64_t[]){3, 4}, (const double[]){0.9, 0.4}, 2, TRUE);
    g_autoptr(GArray) all = retrieval_fuse_join(none, dense, 100);
    retrieval_fuse_scores(all, 0, 0.15, NULL);
    assert_true(fabs(score(all, 3) - 1.35) < 1e-12 && fabs(score(all, 4) - 0.6) < 1e-12);
    g_autoptr(GArray) empty = retrieval_fuse_join(none, none, 100);
    retrieval_fuse_scores(empty, 0, 0, NULL);
    assert_int_equal(empty->len, 0);
}

/* 1 leads; 2 and 3 are equal but for their vectors; 4 has none. */
static void
what_is_like_the_best_moves_up(void **state)
{
    (void)state;
    g_autoptr(GArray) words =
        ranking_of((const int64_t[]){1, 2, 3, 4}, (const double[]){8, 4, 4, 4}, 4, FALSE);
    g_autoptr(GArray) none = ranking_of(NULL, NULL, 0, TRUE);
    static const float values[] = {1.0F, 0.0F, 0.0F, 1.0F, 0.8F, 0.6F, 9.0F, 9.0F};
    static const gboolean known[] = {TRUE, TRUE, TRUE, FALSE};
    const retrieval_fuse_vectors vectors = {2, values, known};
    g_autoptr(GArray) plain = retrieval_fuse_join(words, none, 100);
    retrieval_fuse_scores(plain, 0, 0, NULL);
    assert_true(score(plain, 2) == score(plain, 3));
    g_autoptr(GArray) all = retrieval_fuse_join(words, none, 100);
    retrieval_fuse_scores(all, 0, 0, &vectors);
    assert_true(score(all, 1) > score(all, 3) && score(all, 3) > score(all, 2));
    assert_true(fabs(score(all, 4) - score(all, 2)) < 1e-12); /* as far as the farthest */
}

/* More than the ten of the centre: what is last in the list may be among the best. */
static void
the_centre_is_that_of_the_best_wherever_they_stand(void **state)
{
    (void)state;
    enum { N = 30 };
    int64_t ids[N];
    double scores[N];
    float values[N * 2];
    gboolean known[N];
    for (int i = 0; i < N; i++) {
        ids[i] = i + 1;
        scores[i] = i == N - 1 ? 0.95 : 0.1;
        values[2 * i] = i == N - 1 || i == 7;
        values[2 * i + 1] = i == N - 1 || i == 7 ? 0.0F : 1.0F;
        known[i] = TRUE;
    }
    g_autoptr(GArray) none = ranking_of(NULL, NULL, 0, FALSE);
    g_autoptr(GArray) dense = ranking_of(ids, scores, N, TRUE);
    g_autoptr(GArray) all = retrieval_fuse_join(none, dense, 100);
    const retrieval_fuse_vectors vectors = {2, values, known};
    retrieval_fuse_scores(all, 0, 0.15, &vectors);
    assert_true(score(all, 8) > score(all, 7) + 0.4); /* as the best one, the other not at all */
}

static void
by_rank_only_ranks_count(void **state)
{
    (void)state;
    g_autoptr(GArray) all = join(100);
    retrieval_fuse_ranks(all, 10);
    assert_true(fabs(score(all, 1) - 1.0 / 11) < 1e-12);
    assert_true(fabs(score(all, 3) - (1.0 / 13 + 0.8 / 11)) < 1e-12);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_both_found_is_there_once),
        cmocka_unit_test(a_full_list_goes_on_behind_its_end),
        cmocka_unit_test(words_count_less_where_even_the_best_has_few),
        cmocka_unit_test(cosines_count_less_where_they_hardly_differ),
        cmocka_unit_test(without_an_ideal_or_words_the_rest_decides),
        cmocka_unit_test(what_is_like_the_best_moves_up),
        cmocka_unit_test(the_centre_is_that_of_the_best_wherever_they_stand),
        cmocka_unit_test(by_rank_only_ranks_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
