/* engine_moe against plain double-precision experts, and its promises: a token's result depends on the
 * token alone. */
#include "engine/moe.h"
#include "packed_weights.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { N_EMBD = 256, N_FF = 512, N_EXPERTS = 7, N_USED = 3, N_TOKENS = 45 };

typedef struct {
    engine_tensor gate[N_EXPERTS], up[N_EXPERTS], gate_up[N_EXPERTS], down[N_EXPERTS];
    float *x, *weights;
    int32_t *chosen;
    engine_moe_job job;
} expert_layer;

/* Scaled down, so that outputs stay near one: random blocks have any scale. */
static engine_tensor
random_expert(GRand *rand, engine_type type, size_t n_in, size_t n_out)
{
    if (type != ENGINE_TYPE_Q8_0 && type != ENGINE_TYPE_Q4_0)
        return random_matrix(rand, type, n_in, n_out);
    engine_tensor w = random_matrix(rand, type, n_in, n_out);
    const size_t block = engine_type_lookup((uint32_t)type)->block_bytes;
    uint8_t *data = (uint8_t *)(uintptr_t)w.data;
    for (size_t b = 0; b < w.n_bytes; b += block) {
        const uint16_t d = engine_half_from_float(type == ENGINE_TYPE_Q8_0 ? 0.0005f : 0.008f);
        memcpy(data + b, &d, sizeof d);
    }
    return w;
}

static expert_layer *
random_layer(engine_type type, engine_type type_down, gboolean joined)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(7);
    expert_layer *l = g_new0(expert_layer, 1);

    for (size_t e = 0; e < N_EXPERTS; e++) {
        l->gate_up[e] = random_expert(rand, type, N_EMBD, 2 * N_FF);
        l->gate[e] = l->up[e] = l->gate_up[e];
        l->gate[e].dims[1] = l->up[e].dims[1] = N_FF;
        l->gate[e].n_bytes = l->up[e].n_bytes = l->gate_up[e].n_bytes / 2;
        l->up[e].data += l->up[e].n_bytes;
        l->down[e] = random_expert(rand, type_down, N_FF, N_EMBD);
    }
    l->x = random_floats(rand, N_TOKENS * N_EMBD);
    l->weights = random_floats(rand, N_TOKENS * N_USED);
    l->chosen = g_new(int32_t, N_TOKENS * N_USED);
    for (size_t t = 0; t < N_TOKENS; t++) {
        /* expert 6 is never chosen, expert 2 by every token */
        l->chosen[t * N_USED] = g_rand_int_range(rand, 3, 6);
        l->chosen[t * N_USED + 1] = 2;
        l->chosen[t * N_USED + 2] = g_rand_int_range(rand, 0, 2);
    }
    l->job = (engine_moe_job){.gate = joined ? NULL : l->gate,
                              .up = joined ? NULL : l->up,
                              .gate_up = joined ? l->gate_up : NULL,
                              .down = l->down,
                              .n_experts = N_EXPERTS,
                              .n_used = N_USED,
                              .chosen = l->chosen,
                              .weights = l->weights};
    return l;
}

static void
free_layer(expert_layer *l)
{
    for (size_t e = 0; e < N_EXPERTS; e++) {
        g_free((void *)(uintptr_t)l->gate_up[e].data);
        g_free((void *)(uintptr_t)l->down[e].data);
    }
    g_free(l->x);
    g_free(l->weights);
    g_free(l->chosen);
    g_free(l);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(expert_layer, free_layer)

static double
row_dot(const engine_tensor *w, size_t row, const double *x)
{
    g_autofree float *values = g_new(float, w->dims[0]);
    double sum = 0.0;
    engine_tensor_row(w, row, values);
    for (size_t i = 0; i < w->dims[0]; i++)
        sum += (double)values[i] * x[i];
    return sum;
}

static void
plain_token(const expert_layer *l, size_t t, double *y)
{
    double x[N_EMBD], h[N_FF];

    for (size_t i = 0; i < N_EMBD; i++) {
        x[i] = (double)l->x[t * N_EMBD + i];
        y[i] = 1.0;
    }
    for (size_t j = 0; j < N_USED; j++) {
        const size_t e = (size_t)l->chosen[t * N_USED + j];
        for (size_t f = 0; f < N_FF; f++) {
            const double g = row_dot(&l->gate[e], f, x);
            h[f] = g / (1.0 + exp(-g)) * row_dot(&l->up[e], f, x);
        }
        for (size_t i = 0; i < N_EMBD; i++)
            y[i] += (double)l->weights[t * N_USED + j] * row_dot(&l->down[e], i, h);
    }
}

static void
run(const engine_kernels *k, int threads, const engine_moe_job *job, const float *x,
    size_t n_tokens, float *y)
{
    g_autoptr(engine_pool) pool = engine_pool_new(threads);
    g_autoptr(GError) error = NULL;

    for (size_t i = 0; i < n_tokens * N_EMBD; i++)
        y[i] = 1.0f; /* results are added */
    assert_true(engine_moe(pool, k, job, x, n_tokens, y, &error));
    assert_null(error);
}

static void
check_against_plain(const engine_kernels *k, engine_type type, engine_type type_down,
                    gboolean joined, double tolerance)
{
    g_autoptr(expert_layer) l = random_layer(type, type_down, joined);
    g_autofree float *y = g_new(float, N_TOKENS *N_EMBD);
    double want[N_EMBD], error = 0.0, size = 0.0;

    run(k, 2, &l->job, l->x, N_TOKENS, y);
    for (size_t t = 0; t < N_TOKENS; t += 11) {
        plain_token(l, t, want);
        for (size_t i = 0; i < N_EMBD; i++) {
            const double d = (double)y[t * N_EMBD + i] - want[i];
            error += d * d;
            size += want[i] * want[i];
        }
    }
    if (!(sqrt(error / size) <= tolerance)) fail_msg("relative error %g", sqrt(error / size));
}

static void
experts_agree_with_plain_ones(void **state)
{
    const engine_kernels *k = engine_kernels_best();

    (void)state;
    for (int joined = 0; joined < 2; joined++) {
        check_against_plain(engine_kernels_exact(k), ENGINE_TYPE_Q8_0, ENGINE_TYPE_Q4_0, joined,
                            1e-5);
        check_against_plain(k, ENGINE_TYPE_Q8_0, ENGINE_TYPE_Q4_0, joined, 0.01);
        check_against_plain(k, ENGINE_TYPE_Q8_0, ENGINE_TYPE_Q8_0, joined, 0.01);
    }
}

static void
a_token_does_not_depend_on_its_company(void **state)
{
    (void)state;
    static const engine_type types[][2] = {{ENGINE_TYPE_Q4_0, ENGINE_TYPE_Q8_0},
                                           {ENGINE_TYPE_Q4_0, ENGINE_TYPE_F32},
                                           {ENGINE_TYPE_F32, ENGINE_TYPE_Q4_0},
                                           {ENGINE_TYPE_BF16, ENGINE_TYPE_F32}};
    g_autofree float *all = g_new(float, N_TOKENS *N_EMBD), *some = g_new(float, N_TOKENS *N_EMBD);

    for (size_t i = 0; i < G_N_ELEMENTS(types); i++) {
        for (int exact = 0; exact < 2; exact++) {
            const engine_kernels *k = engine_kernels_best();
            g_autoptr(expert_layer) l = random_layer(types[i][0], types[i][1], i % 2 == 0);
            if (exact) k = engine_kernels_exact(k);
            run(k, 1, &l->job, l->x, N_TOKENS, all);
            run(k, 3, &l->job, l->x, N_TOKENS, some);
            assert_memory_equal(some, all, N_TOKENS * N_EMBD * sizeof *all);
            for (size_t t = 0; t < N_TOKENS; t += 1 + t % 5) {
                engine_moe_job job = l->job;
                job.chosen += t * N_USED;
                job.weights += t * N_USED;
                const size_t n = MIN(1 + t % 4, N_TOKENS - t);
                run(k, 2, &job, l->x + t * N_EMBD, n, some);
                assert_memory_equal(some, all + t * N_EMBD, n * N_EMBD * sizeof *all);
            }
        }
    }
}

/* ---- experts that come from elsewhere ---- */

typedef struct {
    const expert_layer *of;
    uint8_t *copies[N_EXPERTS]; /* of gate_up; NULL: not acquired */
    size_t acquired[N_EXPERTS]; /* how often */
    size_t most_at_once, n_releases;
    gboolean fail;
} cache;

static gboolean
cache_acquire(void *ctx, uint32_t layer, const uint32_t *experts, size_t n, GError **error)
{
    cache *c = ctx;
    assert_int_equal(layer, 9);
    if (c->fail) {
        g_set_error_literal(error, ENGINE_ERROR, ENGINE_ERROR_IO, "no such disk");
        return FALSE;
    }
    c->most_at_once = MAX(c->most_at_once, n);
    for (size_t i = 0; i < n; i++) {
        const engine_tensor *w = &c->of->gate_up[experts[i]];
        c->copies[experts[i]] = g_memdup2(w->data, w->n_bytes);
        c->acquired[experts[i]]++;
    }
    return TRUE;
}

static const uint8_t *
cache_data(void *ctx, const engine_tensor *tensor, uint32_t layer, uint32_t expert)
{
    const cache *c = ctx;
    (void)layer;
    if (tensor == &c->of->down[expert]) return tensor->data;
    assert_ptr_equal(tensor, &c->of->gate_up[expert]);
    assert_non_null(c->copies[expert]);
    return c->copies[expert];
}

static void
cache_release(void *ctx, uint32_t layer)
{
    cache *c = ctx;
    (void)layer;
    c->n_releases++;
    for (size_t e = 0; e < N_EXPERTS; e++)
        g_clear_pointer(&c->copies[e], g_free);
}

static void
experts_may_come_from_a_cache(void **state)
{
    (void)state;
    const engine_kernels *k = engine_kernels_best();
    g_autoptr(expert_layer) l = random_layer(ENGINE_TYPE_Q4_0, ENGINE_TYPE_Q4_0, TRUE);
    g_autofree float *want = g_new(float, N_TOKENS *N_EMBD), *got = g_new(float, N_TOKENS *N_EMBD);
    cache c = {.of = l};
    engine_expert_source source = {
        .acquire = cache_acquire, .data = cache_data, .release = cache_release, .ctx = &c};
    engine_moe_job job = l->job;

    run(k, 2, &job, l->x, N_TOKENS, want);
    for (size_t i = 0; i < N_TOKENS * N_USED; i++)
        assert_true(l->chosen[i] != 6);
    for (size_t e = 0; e < N_EXPERTS; e++)
        l->gate_up[e].n_bytes = N_FF * 2 * engine_tensor_row_bytes(&l->gate_up[e]);
    job.layer = 9;
    job.source = &source;
    for (source.most = 0; source.most < 4; source.most++) {
        static const size_t once[N_EXPERTS] = {1, 1, 1, 1, 1, 1, 0};
        c = (cache){.of = l};
        run(k, 2, &job, l->x, N_TOKENS, got);
        assert_memory_equal(got, want, N_TOKENS * N_EMBD * sizeof *got);
        assert_memory_equal(c.acquired, once, sizeof once);
        assert_int_equal(c.most_at_once, source.most == 0 ? 6 : source.most);
        assert_int_equal(c.n_releases, source.most == 0 ? 1 : (6 + source.most - 1) / source.most);
    }

    c.fail = TRUE;
    g_autoptr(engine_pool) pool = engine_pool_new(1);
    g_autoptr(GError) error = NULL;
    assert_false(engine_moe(pool, k, &job, l->x, 1, got, &error));
    assert_true(g_error_matches(error, ENGINE_ERROR, ENGINE_ERROR_IO));
}

/* ---- one for all tokens ---- */

/* A dense layer, product by product. */
static void
dense_by_products(const engine_kernels *k, const engine_moe_job *job, const float *x, float *y)
{
    g_autoptr(engine_pool) pool = engine_pool_new(1);
    g_autofree float *g = g_new(float, N_TOKENS *N_FF), *u = g_new(float, N_TOKENS *N_FF),
                     *out = g_new(float, N_TOKENS *N_EMBD);
    const engine_matmul_job in[] = {{job->gate, job->gate_bias, g, N_FF},
                                    {job->up, job->up_bias, u, N_FF}},
                            down = {job->down, job->down_bias, out, N_EMBD};

    engine_matmul(pool, k, in, 2, x, N_TOKENS);
    for (size_t t = 0; t < N_TOKENS; t++)
        k->silu_mul(g + t * N_FF, u + t * N_FF, N_FF);
    engine_matmul(pool, k, &down, 1, g, N_TOKENS);
    for (size_t i = 0; i < N_TOKENS * N_EMBD; i++)
        y[i] = 1.0f + out[i];
}

static void
a_single_expert_is_a_dense_layer(void **state)
{
    (void)state;
    static const engine_type types[][2] = {{ENGINE_TYPE_Q4_0, ENGINE_TYPE_Q8_0},
                                           {ENGINE_TYPE_Q4_0, ENGINE_TYPE_F32},
                                           {ENGINE_TYPE_F32, ENGINE_TYPE_Q4_0},
                                           {ENGINE_TYPE_BF16, ENGINE_TYPE_BF16}};
    const engine_kernels *k = engine_kernels_best();
    g_autofree float *want = g_new(float, N_TOKENS *N_EMBD), *got = g_new(float, N_TOKENS *N_EMBD);
    g_autoptr(GRand) rand = g_rand_new_with_seed(11);
    g_autofree float *biases = random_floats(rand, 2 * N_FF + N_EMBD);

    for (size_t i = 0; i < 2 * G_N_ELEMENTS(types); i++) {
        g_autoptr(expert_layer) l = random_layer(types[i / 2][0], types[i / 2][1], FALSE);
        engine_moe_job job = {
            .gate = l->gate + 3, .up = l->up + 3, .down = l->down + 3, .n_experts = 1, .n_used = 1};
        if (i % 2) job.gate_bias = biases, job.up_bias = biases + N_FF;
        if (i % 2) job.down_bias = biases + 2 * N_FF;
        dense_by_products(k, &job, l->x, want);
        for (int threads = 1; threads <= 3; threads++) {
            run(k, threads, &job, l->x, N_TOKENS, got);
            assert_memory_equal(got, want, N_TOKENS * N_EMBD * sizeof *got);
            run(k, threads, &job, l->x + 5 * N_EMBD, 1, got);
            assert_memory_equal(got, want + 5 * N_EMBD, N_EMBD * sizeof *got);
        }
        assert_true(engine_moe_bytes(k, &job, 2) > engine_moe_bytes(k, &job, 1));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_single_expert_is_a_dense_layer),
        cmocka_unit_test(experts_agree_with_plain_ones),
        cmocka_unit_test(a_token_does_not_depend_on_its_company),
        cmocka_unit_test(experts_may_come_from_a_cache),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
