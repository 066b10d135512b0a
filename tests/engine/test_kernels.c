/* Every kernel level against the scalar one, and the promises of kernels.h inside each level. Levels this
 * processor lacks are skipped with a message. */
#include "engine/kernels.h"
#include "engine/pool.h"
#include "packed_weights.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* lengths around every vector width, and usual ones */
static const size_t LENGTHS[] = {1,  2,  3,  7,  8,  9,   15,  16,  17,   23,
                                 31, 32, 33, 63, 64, 100, 384, 576, 1000, 1536};

static const engine_kernels *
level_of(void **state)
{
    const engine_kernels *k = engine_kernels_lookup(*(const engine_cpu *)*state);
    if (!k) {
        print_message("this processor has no %s: skipped\n",
                      engine_cpu_name(*(const engine_cpu *)*state));
        skip();
    }
    return k;
}

static void
assert_close(const float *a, const float *b, size_t n, float tolerance, const char *what)
{
    float largest = 1e-30f;
    for (size_t i = 0; i < n; i++)
        largest = fmaxf(largest, fabsf(b[i]));
    for (size_t i = 0; i < n; i++)
        if (!(fabsf(a[i] - b[i]) <= tolerance * largest))
            fail_msg("%s[%zu of %zu]: %.9g, scalar %.9g", what, i, n, (double)a[i], (double)b[i]);
}

static void
dot_agrees_with_double_precision(void **state)
{
    const engine_kernels *k = level_of(state);
    g_autoptr(GRand) rand = g_rand_new_with_seed(1);

    for (size_t l = 0; l < G_N_ELEMENTS(LENGTHS); l++) {
        const size_t n = LENGTHS[l];
        g_autofree float *a = random_floats(rand, n), *b = random_floats(rand, n);
        double exact = 0, magnitude = 0;
        for (size_t i = 0; i < n; i++) {
            exact += (double)a[i] * (double)b[i];
            magnitude += fabs((double)a[i] * (double)b[i]);
        }
        assert_true(fabs((double)k->dot(a, b, n) - exact) <= 1e-6 * magnitude);
    }
}

static void
gemm_is_dot_bit_for_bit_whatever_the_shape(void **state)
{
    const engine_kernels *k = level_of(state);
    g_autoptr(GRand) rand = g_rand_new_with_seed(2);
    static const size_t shapes[] = {1, 2, 3, 4, 5, 6, 7, 8, 13, 24};

    for (size_t l = 0; l < G_N_ELEMENTS(LENGTHS); l++) {
        const size_t n = LENGTHS[l], ldw = n + 3, ldx = n + 1, most = 24, ldy = most + 2;
        g_autofree float *w = random_floats(rand, most * ldw), *x = random_floats(rand, most * ldx);
        g_autofree float *bias = random_floats(rand, most), *y = g_new(float, most *ldy);
        for (size_t s = 0; s < G_N_ELEMENTS(shapes) * G_N_ELEMENTS(shapes); s++) {
            const size_t rows = shapes[s / G_N_ELEMENTS(shapes)],
                         tokens = shapes[s % G_N_ELEMENTS(shapes)];
            const float *b = s % 2 ? bias : NULL;
            for (size_t i = 0; i < most * ldy; i++)
                y[i] = -77.0f;
            k->gemm(w, ldw, rows, x, ldx, tokens, n, b, y, ldy);
            for (size_t t = 0; t < most; t++) {
                for (size_t r = 0; r < ldy; r++) {
                    float want = -77.0f; /* outside the result nothing is touched */
                    if (t < tokens && r < rows) {
                        want = k->dot(w + r * ldw, x + t * ldx, n);
                        if (b) want += b[r];
                    }
                    assert_memory_equal(&y[t * ldy + r], &want, sizeof want);
                }
            }
        }
    }
}

static void
packed_rows_expand_and_multiply_like_the_reference(void **state)
{
    const engine_kernels *k = level_of(state);
    g_autoptr(GRand) rand = g_rand_new_with_seed(3);
    size_t n_fused = 0;

    for (uint32_t type = 0; type < ENGINE_TYPE_COUNT; type++) {
        const engine_type_traits *traits = engine_type_lookup(type);
        if (!traits || !traits->dequantize) continue;
        for (size_t blocks = 1; blocks <= 70; blocks += blocks < 40 ? 1 : 15) {
            const size_t n = blocks * traits->block_elems, row_bytes = blocks * traits->block_bytes,
                         rows = 7;
            g_autofree uint8_t *packed = random_packed(rand, traits, rows * blocks);
            g_autofree float *x = random_floats(rand, n), *want = g_new(float, n),
                             *got = g_new(float, n);
            float y[7];
            if (k->gemv[type]) k->gemv[type](packed, row_bytes, rows, x, n, y), n_fused++;
            for (size_t r = 0; r < rows; r++) {
                traits->dequantize(packed + r * row_bytes, want, n);
                if (k->dequantize[type]) {
                    k->dequantize[type](packed + r * row_bytes, got, n);
                    assert_memory_equal(got, want, n * sizeof(float));
                }
                if (k->gemv[type]) {
                    const float dot = k->dot(want, x, n);
                    if (memcmp(&y[r], &dot, sizeof dot) != 0)
                        fail_msg("%s: fused %.9g, expanded %.9g", traits->name, (double)y[r],
                                 (double)dot);
                }
            }
        }
    }
    if (k->cpu != ENGINE_CPU_SCALAR) assert_true(n_fused > 0);
}

static void
elementwise_kernels_agree_with_the_scalar_ones(void **state)
{
    const engine_kernels *k = level_of(state), *ref = engine_kernels_lookup(ENGINE_CPU_SCALAR);
    g_autoptr(GRand) rand = g_rand_new_with_seed(4);

    for (size_t l = 0; l < G_N_ELEMENTS(LENGTHS); l++) {
        const size_t n = LENGTHS[l];
        g_autofree float *x = random_floats(rand, n), *w = random_floats(rand, n),
                         *b = random_floats(rand, n);
        g_autofree float *got = g_memdup2(x, n * sizeof *x), *want = g_memdup2(x, n * sizeof *x);
#define CHECK(name, tolerance, ...)                                                                \
    memcpy(got, x, n * sizeof *x);                                                                 \
    memcpy(want, x, n * sizeof *x);                                                                \
    {                                                                                              \
        float *y = got;                                                                            \
        k->name(__VA_ARGS__);                                                                      \
        y = want;                                                                                  \
        ref->name(__VA_ARGS__);                                                                    \
    }                                                                                              \
    assert_close(got, want, n, tolerance, #name)
        CHECK(rms_norm, 1e-6f, x, w, 1e-5f, n, y);
        CHECK(layer_norm, 3e-6f, x, w, b, 1e-5f, n, y);
        CHECK(softmax, 2e-6f, y, n, 3.0f);
        CHECK(add, 0.0f, y, w, n);
        CHECK(scale, 0.0f, y, 0.3f, n);
        CHECK(blend, 3e-7f, y, 0.25f, w, 1.5f, n);
        for (size_t i = 0; i < n; i++)
            x[i] *= 20.0f; /* through the tails of the curves */
        CHECK(silu_mul, 1e-6f, y, w, n);
        CHECK(gelu_erf, 1e-6f, y, n);
        CHECK(gelu_tanh, 1e-6f, y, n);
        CHECK(softmax, 2e-6f, y, n, 1.0f);
#undef CHECK
    }
}

static void
gelu_and_silu_are_accurate_near_zero(void **state)
{
    const engine_kernels *k = level_of(state);
    for (int i = -4000; i <= 4000; i++) {
        const float x = (float)i * 0.0025f;
        float gelu[1] = {x}, silu[1] = {x}, one[1] = {1.0f};
        k->gelu_erf(gelu, 1);
        k->silu_mul(silu, one, 1);
        assert_true(fabs((double)gelu[0] - 0.5 * (double)x * erfc(-(double)x / sqrt(2.0))) <=
                    3e-7 * fmax(1.0, fabs((double)x)));
        assert_true(fabs((double)silu[0] - (double)x / (1.0 + exp(-(double)x))) <=
                    3e-7 * fmax(1.0, fabs((double)x)));
    }
}

static void
softmax_survives_extreme_and_masked_inputs(void **state)
{
    const engine_kernels *k = level_of(state);
    float x[40], max;

    for (size_t i = 0; i < 40; i++)
        x[i] = i == 11 ? 3e4f : i < 20 ? -3e4f : 77.0f;
    const float sum = k->softmax_part(x, 20, 33, 0.125f, &max);
    assert_true(max == 3e4f * 0.125f);
    assert_true(fabsf(sum - 1.0f) < 1e-6f);
    assert_true(x[11] == 1.0f && x[0] >= 0.0f && x[0] < 1e-30f);
    for (size_t i = 20; i < 40; i++)
        assert_true(x[i] == (i < 33 ? 0.0f : 77.0f));
}

static void
weighted_sum_does_not_depend_on_its_company(void **state)
{
    const engine_kernels *k = level_of(state), *ref = engine_kernels_lookup(ENGINE_CPU_SCALAR);
    g_autoptr(GRand) rand = g_rand_new_with_seed(5);
    static const size_t dims[] = {2, 8, 10, 16, 24, 32, 40, 64, 80, 128};
    enum { QUERIES = 13, POSITIONS = 50 };

    for (size_t d = 0; d < G_N_ELEMENTS(dims); d++) {
        const size_t dim = dims[d];
        g_autofree float *prob = random_floats(rand, QUERIES * POSITIONS),
                         *v = random_floats(rand, POSITIONS * dim);
        g_autofree float *all = g_new(float, QUERIES *dim), *one = g_new(float, dim),
                         *want = g_new(float, QUERIES *dim);
        k->weighted_sum(prob, POSITIONS, QUERIES, v, dim, POSITIONS, dim, all, dim);
        ref->weighted_sum(prob, POSITIONS, QUERIES, v, dim, POSITIONS, dim, want, dim);
        assert_close(all, want, QUERIES * dim, 1e-6f, "weighted_sum");
        for (size_t q = 0; q < QUERIES; q++) {
            k->weighted_sum(prob + q * POSITIONS, POSITIONS, 1, v, dim, POSITIONS, dim, one, dim);
            assert_memory_equal(one, all + q * dim, dim * sizeof(float));
        }
    }
}

static void
rope_turns_pairs_by_their_angle(void **state)
{
    const engine_kernels *k = level_of(state);
    float pairs[6] = {1, 0, 0, 1, 5, 6}, halves[6] = {1, 0, 0, 1, 5, 6};
    const float cos_sin[4] = {0.0f, 0.6f, 1.0f, 0.8f}; /* a quarter turn, and one of atan(4/3) */
    const float want_pairs[6] = {0, 1, -0.8f, 0.6f, 5, 6},
                want_halves[6] = {0, -0.8f, 1, 0.6f, 5, 6};

    k->rope_pairs(pairs, cos_sin, 2);
    k->rope_halves(halves, cos_sin, 2);
    assert_memory_equal(pairs, want_pairs, sizeof pairs);
    assert_memory_equal(halves, want_halves, sizeof halves);
}

static void
check_matmul(const engine_kernels *k)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(6);
    enum { N_IN = 96, N_OUT = 150, TOKENS = 11 };
    static const engine_type types[] = {ENGINE_TYPE_F32, ENGINE_TYPE_Q4_1, ENGINE_TYPE_Q5_0,
                                        ENGINE_TYPE_Q8_0, ENGINE_TYPE_BF16};
    g_autofree float *x = random_floats(rand, TOKENS * N_IN), *bias = random_floats(rand, N_OUT);

    for (size_t i = 0; i < G_N_ELEMENTS(types); i++) {
        engine_tensor w = {.name = "w", .type = types[i], .n_dims = 2, .dims = {N_IN, N_OUT, 1, 1}};
        assert_true(engine_tensor_size((uint32_t)w.type, 2, w.dims, &w.n_bytes));
        const engine_type_traits *traits = engine_type_lookup((uint32_t)w.type);
        g_autofree uint8_t *packed = random_packed(rand, traits, w.n_bytes / traits->block_bytes);
        g_autofree uint8_t *odd = g_malloc(w.n_bytes + 1); /* nothing may rely on alignment */
        memcpy(odd + 1, packed, w.n_bytes);
        w.data = odd + 1;
        g_autofree float *first = g_new(float, TOKENS *N_OUT), *again = g_new(float, TOKENS *N_OUT);
        for (int threads = 1; threads <= 3; threads++) {
            g_autoptr(engine_pool) pool = engine_pool_new(threads);
            float *y = threads == 1 ? first : again;
            const engine_matmul_job job = {&w, bias, y, N_OUT};
            engine_matmul(pool, k, &job, 1, x, TOKENS);
            assert_memory_equal(y, first, TOKENS * N_OUT * sizeof(float));
            for (size_t t = 0; t < TOKENS; t++) {
                g_autofree float *a = g_new(float, N_OUT), *b = g_new(float, N_OUT);
                const engine_matmul_job jobs[2] = {{&w, bias, a, N_OUT}, {&w, NULL, b, N_OUT}};
                engine_matmul(pool, k, jobs, 2, x + t * N_IN, 1);
                assert_memory_equal(a, first + t * N_OUT, N_OUT * sizeof(float));
                k->add(b, bias, N_OUT);
                assert_memory_equal(b, a, N_OUT * sizeof(float));
            }
        }
    }
}

static void
matmul_does_not_depend_on_threads_or_company(void **state)
{
    const engine_kernels *k = level_of(state);
    check_matmul(k);
    check_matmul(engine_kernels_exact(k));
}

static void
the_environment_lowers_the_level(void **state)
{
    (void)state;
    const engine_cpu best = engine_cpu_best();
    g_setenv("LODE_CPU", "scalar", TRUE);
    assert_int_equal(engine_cpu_best(), ENGINE_CPU_SCALAR);
    assert_null(engine_kernels_lookup(ENGINE_CPU_AVX2));
    g_setenv("LODE_CPU", "avx512vnni", TRUE); /* never raises it */
    assert_int_equal(engine_cpu_best(), best);
    g_unsetenv("LODE_CPU");
    g_autofree char *features = engine_cpu_features();
    assert_non_null(strstr(features, engine_cpu_name(best)));
}

#define LEVEL_TEST(f, cpu) cmocka_unit_test_prestate(f, (void *)&levels[cpu])
#define LEVEL_TESTS(cpu)                                                                           \
    LEVEL_TEST(dot_agrees_with_double_precision, cpu),                                             \
        LEVEL_TEST(gemm_is_dot_bit_for_bit_whatever_the_shape, cpu),                               \
        LEVEL_TEST(packed_rows_expand_and_multiply_like_the_reference, cpu),                       \
        LEVEL_TEST(elementwise_kernels_agree_with_the_scalar_ones, cpu),                           \
        LEVEL_TEST(gelu_and_silu_are_accurate_near_zero, cpu),                                     \
        LEVEL_TEST(softmax_survives_extreme_and_masked_inputs, cpu),                               \
        LEVEL_TEST(weighted_sum_does_not_depend_on_its_company, cpu),                              \
        LEVEL_TEST(rope_turns_pairs_by_their_angle, cpu),                                          \
        LEVEL_TEST(matmul_does_not_depend_on_threads_or_company, cpu)

int
main(void)
{
    static const engine_cpu levels[] = {ENGINE_CPU_SCALAR, ENGINE_CPU_AVX2, ENGINE_CPU_AVX512,
                                        ENGINE_CPU_AVX512VNNI};
    const struct CMUnitTest tests[] = {
        LEVEL_TESTS(0),
        LEVEL_TESTS(1),
        LEVEL_TESTS(2),
        LEVEL_TESTS(3),
        cmocka_unit_test(the_environment_lowers_the_level),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
