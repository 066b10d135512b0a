/* An encoder on a card that may be used, and fails: the vectors are there all the same. */
#include "emulated_card.h"
#include "faulty_compute.h"
#include "host_compute.h"

#include "../engine/bert_check.h"
#include "engine/device.h"
#include "engine/model.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define TOLERANCE 5e-3f /* the emulated card's, see emulated_card.h */

enum { N_TEXTS = 3 };

typedef struct {
    engine_pool *pool;
    engine_model *model;
    char **texts;
    size_t d;
    float *expected, *found; /* [N_TEXTS, d] */
} encoder_case;

static gboolean
embed(encoder_case *c, float *out, GError **error)
{
    return engine_embed(c->model, c->pool, (const char *const *)c->texts, N_TEXTS, out, NULL,
                        error);
}

static encoder_case
open_case(void)
{
    g_autoptr(GError) error = NULL;
    encoder_case c = {.pool = engine_pool_new(1)};
    const engine_model_options options = {.device = "cpu", .n_gpu_layers = -1};
    size_t n;

    c.model = engine_model_open_with(LODE_TEST_DATA "/engine/tiny_bert", &options, &error);
    if (!c.model) fail_msg("%s", error->message);
    c.texts = bert_texts(&n);
    assert_true(n >= N_TEXTS);
    c.d = c.model->info.n_embd;
    c.expected = g_new(float, N_TEXTS *c.d);
    c.found = g_new0(float, N_TEXTS *c.d);
    assert_true(embed(&c, c.expected, &error));
    return c;
}

static void
close_case(encoder_case *c)
{
    g_free(c->expected);
    g_free(c->found);
    g_strfreev(c->texts);
    engine_model_free(c->model);
    engine_pool_free(c->pool);
}

static void
give_device(encoder_case *c, const lode_cuda_compute *compute, gboolean demanded)
{
    g_autoptr(GError) error = NULL;

    if (!engine_model_use_device(c->model, compute, 0, 0, demanded, -1, &error))
        fail_msg("%s", error->message);
}

static void
check_vectors(encoder_case *c, gboolean to_the_bit)
{
    g_autoptr(GError) error = NULL;

    memset(c->found, 0, N_TEXTS * c->d * sizeof *c->found);
    if (!embed(c, c->found, &error)) fail_msg("%s", error->message);
    if (to_the_bit) assert_memory_equal(c->found, c->expected, N_TEXTS * c->d * sizeof *c->found);
    for (size_t i = 0; i < N_TEXTS * c->d; i++)
        assert_true(fabsf(c->found[i] - c->expected[i]) <= TOLERANCE);
}

static void
check_where(const encoder_case *c, const char *where)
{
    g_autofree char *text = engine_model_describe_placement(c->model, 0, 1, ENGINE_KV_F16, NULL);

    if (!text || !g_str_has_prefix(text, where))
        fail_msg("\"%s\" instead of \"%s\"", text ? text : "nothing", where);
}

/* Each call, or every step-th, fails in its turn. What failed is the CPU's from then on: not one bit is the card's. */
static void
let_each_call_fail(const lode_cuda_compute *compute, unsigned step)
{
    encoder_case c = open_case();
    unsigned nth = 1;

    for (gboolean fired = TRUE; fired; nth += step) {
        give_device(&c, compute, FALSE);
        faulty_compute_arm(nth);
        check_vectors(&c, FALSE);
        fired = faulty_compute_n_calls() >= nth;
        check_where(&c, fired ? "embeds on the CPU: " : "embeds on the GPU");
        faulty_compute_arm(0);
        check_vectors(&c, fired); /* and is not tried again */
        assert_true((faulty_compute_n_calls() == 0) == fired);
    }
    assert_true(nth > 40); /* weights, buffers, and the steps of a pass */
    close_case(&c);
}

static void
any_call_of_the_card_may_fail(void **state)
{
    (void)state;
    emulated_card_fresh();
    let_each_call_fail(faulty_compute(lode_cuda_compute_get()), 8); /* it is slow */
}

static void
nothing_is_kept_of_what_failed(void **state)
{
    (void)state;
    let_each_call_fail(faulty_compute(host_compute()), 1);
    assert_int_equal(host_compute_n_live(), 0);
}

/* A batch is cut for the CPU where it is larger than its scratch. */
static void
a_large_batch_goes_on_with_the_cpu(void **state)
{
    (void)state;
    enum { N = 400 };
    g_autoptr(GError) error = NULL;
    encoder_case c = open_case();
    const char *many[N];
    g_autofree float *expected = g_new(float, N *c.d), *found = g_new0(float, N *c.d);

    for (size_t i = 0; i < N; i++)
        many[i] = c.texts[i % N_TEXTS];
    assert_true(engine_embed(c.model, c.pool, many, N, expected, NULL, &error));
    give_device(&c, faulty_compute(host_compute()), FALSE);
    check_vectors(&c, FALSE);
    check_where(&c, "embeds on the GPU");
    faulty_compute_arm(5); /* in the middle of a pass */
    assert_true(engine_embed(c.model, c.pool, many, N, found, NULL, &error));
    assert_memory_equal(found, expected, N * c.d * sizeof *found);
    check_where(&c, "embeds on the CPU: call 5 ");
    close_case(&c);
    assert_int_equal(host_compute_n_live(), 0);
}

static void
a_card_that_was_demanded_is_an_error(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    encoder_case c = open_case();

    give_device(&c, faulty_compute(host_compute()), TRUE);
    check_vectors(&c, FALSE);
    faulty_compute_arm(5);
    assert_false(embed(&c, c.found, &error));
    assert_non_null(strstr(error->message, "call 5 was made to fail"));
    faulty_compute_arm(0);
    check_vectors(&c, FALSE); /* the next may succeed */
    close_case(&c);
    assert_int_equal(host_compute_n_live(), 0);
}

/* Judging pairs goes on with the CPU as embedding does; what a card that fails was about to do is done there. */
static void
a_judge_goes_on_with_the_cpu(void **state)
{
    (void)state;
    enum { N = 6 };
    const char *const passages[N] = {"stars", "a star's mass", "rain in the north",
                                     "",      "mass",          "so"};
    g_autoptr(GError) error = NULL;
    encoder_case c = {.pool = engine_pool_new(1)};
    float expected[N], found[N];
    unsigned nth = 1;

    c.model = bert_open_judge();
    assert_true(
        engine_cross_score(c.model, c.pool, "mass of a star", passages, N, expected, NULL, NULL));
    for (gboolean fired = TRUE; fired; nth++) {
        give_device(&c, faulty_compute(host_compute()), FALSE);
        faulty_compute_arm(nth);
        assert_true(
            engine_cross_score(c.model, c.pool, "mass of a star", passages, N, found, NULL, NULL));
        fired = faulty_compute_n_calls() >= nth;
        faulty_compute_arm(0);
        check_where(&c, fired ? "judges on the CPU: " : "judges on the GPU");
        for (size_t i = 0; i < N; i++)
            assert_true(fired ? found[i] == expected[i]
                              : fabsf(found[i] - expected[i]) <= TOLERANCE);
    }
    assert_true(nth > 40);
    give_device(&c, faulty_compute(host_compute()), TRUE);
    faulty_compute_arm(nth / 2);
    assert_false(
        engine_cross_score(c.model, c.pool, "mass of a star", passages, N, found, NULL, &error));
    assert_non_null(error);
    faulty_compute_arm(0);
    close_case(&c);
    assert_int_equal(host_compute_n_live(), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_call_of_the_card_may_fail),
        cmocka_unit_test(nothing_is_kept_of_what_failed),
        cmocka_unit_test(a_large_batch_goes_on_with_the_cpu),
        cmocka_unit_test(a_card_that_was_demanded_is_an_error),
        cmocka_unit_test(a_judge_goes_on_with_the_cpu),
    };
    return cmocka_run_group_tests_name("cuda_encoder_faults", tests, NULL, NULL);
}
