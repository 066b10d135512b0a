/* The float product of the encoder: every level against plain C, and its promise about order. */
#include "engine/gemm_f32.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static float *
random_floats(GRand *rand, size_t n)
{
    float *x = g_new(float, n);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)g_rand_double_range(rand, -1, 1);
    return x;
}

/* y [n_tokens, ldy] by panels, as the encoder does it. */
static void
product(const engine_gemm_f32 *g, const float *w, size_t n_out, const float *x, size_t n_tokens,
        size_t n_in, const float *bias, float *y, size_t ldy)
{
    g_autofree float *panel = g_new(float, g->width *n_in);
    for (size_t o = 0; o < n_out; o += g->width) {
        const size_t n = MIN(g->width, n_out - o);
        g->pack(w + o * n_in, n_in, n, n_in, panel);
        g->multiply(panel, g->width, n, x, n_in, n_tokens, n_in, bias ? bias + o : NULL, y + o,
                    ldy);
    }
}

static void
levels_agree_with_plain_c_at_many_shapes(void **state)
{
    (void)state;
    static const size_t shapes[][3] = {/* outputs, tokens, inputs */
                                       {1, 1, 1},     {16, 6, 384}, {17, 7, 385},    {31, 13, 7},
                                       {32, 12, 193}, {33, 1, 500}, {100, 50, 1000}, {8, 100, 32},
                                       {5, 49, 64},   {64, 2, 1536}};
    g_autoptr(GRand) rand = g_rand_new_with_seed(3);
    for (int cpu = ENGINE_CPU_AVX2; cpu <= (int)engine_cpu_best(); cpu++) {
        const engine_gemm_f32 *g = engine_gemm_f32_lookup((engine_cpu)cpu);
        for (size_t i = 0; i < G_N_ELEMENTS(shapes); i++) {
            const size_t n_out = shapes[i][0], n_tokens = shapes[i][1], n_in = shapes[i][2],
                         ldy = n_out + 3;
            g_autofree float *w = random_floats(rand, n_out * n_in),
                             *x = random_floats(rand, n_tokens * n_in);
            g_autofree float *bias = random_floats(rand, n_out);
            g_autofree float *expected = random_floats(rand, n_tokens * ldy);
            g_autofree float *y = g_memdup2(expected, n_tokens * ldy * sizeof(float));
            const float *b = i % 3 == 0 ? NULL : bias;
            product(engine_gemm_f32_lookup(ENGINE_CPU_SCALAR), w, n_out, x, n_tokens, n_in, b,
                    expected, ldy);
            product(g, w, n_out, x, n_tokens, n_in, b, y, ldy);
            for (size_t k = 0; k < n_tokens * ldy; k++) {
                const float slack =
                    k % ldy < n_out ? 1e-6f * sqrtf((float)n_in) * 4 : 0; /* else untouched */
                if (!(fabsf(y[k] - expected[k]) <= slack))
                    fail_msg("cpu %d, shape %zu, element %zu: %g, not %g", cpu, i, k, (double)y[k],
                             (double)expected[k]);
            }
        }
    }
}

static void
an_output_does_not_depend_on_the_other_tokens_or_outputs(void **state)
{
    (void)state;
    enum { OUT = 40, TOKENS = 29, IN = 700 };
    g_autoptr(GRand) rand = g_rand_new_with_seed(4);
    g_autofree float *w = random_floats(rand, OUT * IN), *x = random_floats(rand, TOKENS * IN);
    g_autofree float *bias = random_floats(rand, OUT);
    for (int cpu = ENGINE_CPU_SCALAR; cpu <= (int)engine_cpu_best(); cpu++) {
        const engine_gemm_f32 *g = engine_gemm_f32_lookup((engine_cpu)cpu);
        float all[TOKENS * OUT], one;
        product(g, w, OUT, x, TOKENS, IN, bias, all, OUT);
        for (size_t t = 0; t < TOKENS; t++)
            for (size_t o = 0; o < OUT; o++) {
                product(g, w + o * IN, 1, x + t * IN, 1, IN, bias + o, &one, 1);
                assert_memory_equal(&one, &all[t * OUT + o], sizeof one);
            }
    }
}

static void
jobs_over_a_pool_give_the_same_bytes(void **state)
{
    (void)state;
    enum { IN = 64, OUT = 50, TOKENS = 1100 };
    g_autoptr(GRand) rand = g_rand_new_with_seed(5);
    g_autofree float *w = random_floats(rand, OUT * IN), *x = random_floats(rand, TOKENS * IN);
    g_autofree float *bias = random_floats(rand, OUT), *y = g_new0(float, TOKENS *OUT * 2);
    g_autofree float *expected = g_new0(float, TOKENS *OUT * 2);
    /* the same numbers again behind an odd address, as a file may hold them */
    g_autofree uint8_t *odd = g_malloc(OUT * IN * sizeof(float) + 1);
    memcpy(odd + 1, w, OUT * IN * sizeof(float));
    const engine_tensor a = {.type = ENGINE_TYPE_F32,
                             .n_dims = 2,
                             .dims = {IN, OUT, 1, 1},
                             .data = (const uint8_t *)w,
                             .n_bytes = OUT * IN * sizeof(float)};
    engine_tensor b = a;
    b.data = odd + 1;
    const engine_kernels *k = engine_kernels_best();
    const engine_gemm_f32 *g = engine_gemm_f32_lookup(k->cpu);
    product(g, w, OUT, x, TOKENS, IN, bias, expected, 2 * OUT);
    product(g, w, OUT, x, TOKENS, IN, NULL, expected + OUT, 2 * OUT);
    for (int threads = 1; threads <= 3; threads++) {
        g_autoptr(engine_pool) pool = engine_pool_new(threads);
        const engine_matmul_job jobs[] = {{&a, bias, y, 2 * OUT}, {&b, NULL, y + OUT, 2 * OUT}};
        memset(y, 0, TOKENS * OUT * 2 * sizeof(float));
        engine_gemm_f32_jobs(pool, k, jobs, 2, x, TOKENS);
        assert_memory_equal(y, expected, TOKENS * OUT * 2 * sizeof(float));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_agree_with_plain_c_at_many_shapes),
        cmocka_unit_test(an_output_does_not_depend_on_the_other_tokens_or_outputs),
        cmocka_unit_test(jobs_over_a_pool_give_the_same_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
