/* The int8 kernels of every level against the scalar definition, bit for bit, and that definition against
 * exact products. */
#include "engine/int8_levels.h"
#include "engine/kernels.h"
#include "packed_weights.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct {
    const char *name;
    const engine_int8_kernels *kernels; /* NULL: not on this processor */
    gboolean slow;                      /* fewer shapes */
} level;

static const engine_int8_kernels *
kernels_of(void **state)
{
    const level *wanted = *state;
    if (!wanted->kernels) {
        print_message("this processor has no %s: skipped\n", wanted->name);
        skip();
    }
    return wanted->kernels;
}

/* Blocks of the scalar level as the kernels k want them. */
static void
convert_blocks(const engine_int8_kernels *k, engine_int8_block *x, size_t n)
{
    for (size_t b = 0; k->whole_sums && b < n; b++)
        x[b].minus8.whole = -8 * (x[b].sums[0] + x[b].sums[1]);
}

static engine_int8_block *
random_activations(GRand *rand, size_t n)
{
    g_autofree float *x = random_floats(rand, n);
    engine_int8_block *out = g_new(engine_int8_block, n / ENGINE_INT8_BLOCK);
    engine_int8_ref.quantize(x, n, out);
    return out;
}

/* Extremes of magnitude in every position: what the 16-bit sums must hold. */
static void
fill_extremes(engine_int8_block *x, size_t n_blocks, int8_t value)
{
    for (size_t b = 0; b < n_blocks; b++) {
        memset(x[b].q, value, sizeof x[b].q);
        engine_int8_finish(&x[b]);
    }
}

/* Bytes [n] that end where memory ends: reading on is a fault. */
typedef struct {
    uint8_t *base, *data;
    size_t n_mapped;
} guarded_bytes;

static guarded_bytes
guard(const uint8_t *bytes, size_t n)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), n_pages = (n + page - 1) / page + 1;
    guarded_bytes g = {.n_mapped = n_pages * page};
    g.base = mmap(NULL, g.n_mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(g.base != MAP_FAILED);
    g.data = g.base + g.n_mapped - page - n;
    memcpy(g.data, bytes, n);
    assert_int_equal(mprotect(g.base + g.n_mapped - page, page, PROT_NONE), 0);
    return g;
}

static void
check_shape(const engine_int8_kernels *k, engine_type type, const uint8_t *w, size_t row_bytes,
            size_t n_rows, const engine_int8_block *x, size_t n_x, const uint32_t *index,
            size_t n_tokens, size_t n_in)
{
    enum { MARGIN = 3 };
    const char *name = engine_type_lookup((uint32_t)type)->name;
    const size_t ldy = n_rows + MARGIN, n_blocks = n_in / ENGINE_INT8_BLOCK;
    g_autofree float *want = g_new(float, n_tokens *ldy), *got = g_new(float, n_tokens *ldy);
    void *scratch = g_aligned_alloc(1, k->scratch_bytes, 64);
    g_autofree engine_int8_block *x8 = g_memdup2(x, n_x * n_blocks * sizeof *x);

    convert_blocks(k, x8, n_x * n_blocks);
    for (size_t i = 0; i < n_tokens * ldy; i++)
        want[i] = got[i] = -77.0f; /* outside the result nothing is touched */
    engine_int8_ref.gemm[type](w, row_bytes, n_rows, x, index, n_tokens, n_in, NULL, want, ldy);
    k->gemm[type](w, row_bytes, n_rows, x8, index, n_tokens, n_in, scratch, got, ldy);
    if (memcmp(got, want, n_tokens * ldy * sizeof *got) != 0)
        fail_msg("gemm %s: %zu rows, %zu tokens, %zu inputs", name, n_rows, n_tokens, n_in);
    for (size_t t = 0; t < n_tokens; t++) {
        const size_t row = index ? index[t] : t;
        for (size_t i = 0; i < ldy; i++)
            got[i] = -77.0f;
        k->gemv[type](w, row_bytes, n_rows, x8 + row * n_blocks, n_in, NULL, got);
        if (memcmp(got, want + t * ldy, ldy * sizeof *got) != 0)
            fail_msg("gemv %s: %zu rows, %zu inputs", name, n_rows, n_in);
    }
    g_aligned_free(scratch);
}

static void
every_kernel_is_the_scalar_one_bit_for_bit(void **state)
{
    const engine_int8_kernels *k = kernels_of(state);
    g_autoptr(GRand) rand = g_rand_new_with_seed(1);
    const gboolean slow = ((const level *)*state)->slow;
    /* around one, two and three panels of 8 or 16 */
    static const size_t rows[] = {1, 17, 47, 7, 8, 9, 16, 31};
    const size_t n_rows = slow ? 3 : G_N_ELEMENTS(rows);
    /* every size of register block */
    static const size_t tokens[] = {1, 2, 3, 4, 7, 13};
    static const uint32_t index[] = {5, 0, 2, 6, 6, 1, 3, 12, 11, 10, 9, 8, 7};
    enum { MOST_TOKENS = 13 };

    for (uint32_t t = 0; t < ENGINE_TYPE_COUNT; t++) {
        const engine_type_traits *traits = engine_type_lookup(t);
        assert_true((k->gemv[t] == NULL) == (engine_int8_ref.gemv[t] == NULL));
        if (!k->gemv[t]) continue;
        /* lengths below and above a slice of 16 or 32 blocks, at its end, and beyond two; runs of eight, four and
         * two blocks, and a rest */
        static const size_t lengths[] = {1, 35, 3, 32, 69, 28};
        for (size_t l = 0; l < (slow ? 2 : G_N_ELEMENTS(lengths)); l++) {
            const size_t units = traits->block_elems == 32 ? lengths[l] : (lengths[l] + 7) / 8;
            const size_t n_in = units * traits->block_elems, n_blocks = n_in / ENGINE_INT8_BLOCK;
            g_autofree engine_int8_block *x = random_activations(rand, MOST_TOKENS * n_in);
            fill_extremes(x + n_blocks, n_blocks, 127);
            fill_extremes(x + 2 * n_blocks, n_blocks, -127);
            for (size_t r = 0; r < n_rows; r++) {
                g_autofree uint8_t *w = random_packed(rand, traits, rows[r] * units);
                const guarded_bytes g = guard(w, rows[r] * units * traits->block_bytes);
                for (size_t i = slow ? 4 : 0; i < G_N_ELEMENTS(tokens); i++)
                    check_shape(k, (engine_type)t, g.data, units * traits->block_bytes, rows[r], x,
                                MOST_TOKENS, i % 2 ? index : NULL, tokens[i], n_in);
                munmap(g.base, g.n_mapped);
            }
        }
    }
}

/* All bits of the weights set, or clear, with plain scales: the largest whole numbers of every type. */
static void
extreme_weights_do_not_overflow(void **state)
{
    const engine_int8_kernels *k = kernels_of(state);
    g_autoptr(GRand) rand = g_rand_new_with_seed(2);
    enum { ROWS = 17, TOKENS = 4 };

    for (uint32_t t = 0; t < ENGINE_TYPE_COUNT; t++) {
        if (!k->gemv[t]) continue;
        const engine_type_traits *traits = engine_type_lookup(t);
        const size_t n_in = 2 * traits->block_elems, n_blocks = n_in / ENGINE_INT8_BLOCK;
        g_autofree engine_int8_block *x = random_activations(rand, TOKENS * n_in);
        for (size_t i = 0; i < TOKENS; i++)
            fill_extremes(x + i * n_blocks, n_blocks, i % 2 ? 127 : -127);
        static const uint8_t fills[] = {0x00, 0xff, 0x7f, 0x80};
        for (size_t f = 0; f < G_N_ELEMENTS(fills); f++) {
            const size_t n_bytes = ROWS * 2 * traits->block_bytes;
            g_autofree uint8_t *w = g_malloc(n_bytes);
            memset(w, fills[f], n_bytes);
            for (size_t b = 0; b < n_bytes; b += traits->block_bytes) {
                /* halves of 1.0 (bytes 0, 0x3c) wherever the type keeps them */
                static const uint8_t one[2] = {0x00, 0x3c};
                const size_t d = t == ENGINE_TYPE_Q2_K   ? 80
                                 : t == ENGINE_TYPE_Q3_K ? 108
                                 : t == ENGINE_TYPE_Q6_K ? 208
                                                         : 0;
                if (t == ENGINE_TYPE_MXFP4)
                    w[b] = 127;
                else
                    memcpy(w + b + d, one, 2);
                if (t == ENGINE_TYPE_Q4_1 || t == ENGINE_TYPE_Q5_1 || t == ENGINE_TYPE_Q4_K ||
                    t == ENGINE_TYPE_Q5_K || t == ENGINE_TYPE_Q2_K)
                    memcpy(w + b + d + 2, one, 2);
            }
            check_shape(k, (engine_type)t, w, 2 * traits->block_bytes, ROWS, x, TOKENS, NULL,
                        TOKENS, n_in);
        }
    }
}

static void
activations_are_rounded_alike(void **state)
{
    const engine_int8_kernels *k = kernels_of(state);
    g_autoptr(GRand) rand = g_rand_new_with_seed(3);
    enum { BLOCKS = 402, N = BLOCKS * ENGINE_INT8_BLOCK };
    g_autofree float *x = random_floats(rand, N);
    g_autofree engine_int8_block *want = g_new0(engine_int8_block, BLOCKS),
                                 *got = g_new0(engine_int8_block, BLOCKS);

    for (size_t b = 0; b < BLOCKS; b++) {
        static const float factors[] = {1.0f, 1e-30f, 1e-36f, 1e-42f, 1e30f, 0.0f};
        for (size_t i = 0; i < ENGINE_INT8_BLOCK; i++)
            x[b * ENGINE_INT8_BLOCK + i] *= factors[b % G_N_ELEMENTS(factors)];
    }
    for (size_t i = 0; i < ENGINE_INT8_BLOCK; i++)
        x[i] = (float)i - 15.5f; /* ties */
    x[40] = INFINITY, x[70] = -INFINITY, x[100] = NAN, x[130] = -0.0f;
    engine_int8_ref.quantize(x, N, want);
    convert_blocks(k, want, BLOCKS);
    /* one row, and rows of every rest of four blocks */
    for (size_t b = 0, n = N / ENGINE_INT8_BLOCK - 6; b < BLOCKS; b += n, n = MIN(n, 4) - 1)
        k->quantize(x + b * ENGINE_INT8_BLOCK, n * ENGINE_INT8_BLOCK, got + b);
    for (size_t b = 0; b < BLOCKS; b++) {
        if (isnan(want[b].scale)) {
            assert_true(isnan(got[b].scale) && isnan(got[b].scaled_sum));
            want[b].scale = got[b].scale = want[b].scaled_sum = got[b].scaled_sum = 0.0f;
        }
        assert_memory_equal(&got[b], &want[b], sizeof *got);
    }
    assert_true(isnan(x[100]));
}

static void
columns_are_rounded_like_rows(void **state)
{
    const engine_int8_kernels *k = kernels_of(state);
    g_autoptr(GRand) rand = g_rand_new_with_seed(6);
    enum { ROWS = 23, LD = 3 * ENGINE_INT8_BLOCK, LDO = 5 };
    g_autofree float *x = random_floats(rand, ROWS * LD);

    for (size_t n = 1; n <= ROWS; n++) {
        engine_int8_block want[ROWS * LDO] = {0}, got[ROWS * LDO] = {0};
        for (size_t r = 0; r < n; r++)
            k->quantize(x + r * LD, ENGINE_INT8_BLOCK, want + r * LDO);
        k->quantize_column(x, LD, n, got, LDO); /* what lies between is left alone */
        assert_memory_equal(got, want, sizeof got);
    }
}

static void
rounding_is_to_within_half_a_step(void **state)
{
    (void)state;
    g_autoptr(GRand) rand = g_rand_new_with_seed(4);
    enum { N = 100 * ENGINE_INT8_BLOCK };
    g_autofree float *x = random_floats(rand, N);
    g_autofree engine_int8_block *q = g_new(engine_int8_block, N / ENGINE_INT8_BLOCK);

    engine_int8_ref.quantize(x, N, q);
    for (size_t i = 0; i < N; i++) {
        const engine_int8_block *block = &q[i / ENGINE_INT8_BLOCK];
        const float back = block->scale * (float)block->q[i % ENGINE_INT8_BLOCK];
        assert_true(fabsf(back - x[i]) <= 0.501f * block->scale);
    }
    const float bad[ENGINE_INT8_BLOCK] = {1.0f, NAN};
    engine_int8_ref.quantize(bad, ENGINE_INT8_BLOCK, q);
    assert_true(isnan(q[0].scale)); /* a broken activation is not hidden */
}

/* Weights times activations in double precision, against the scalar int8 product. */
static void
products_are_within_a_hundredth_of_exact_ones(void **state)
{
    (void)state;
    g_autoptr(GRand) rand = g_rand_new_with_seed(5);
    enum { N = 2048, ROWS = 60 };
    g_autofree float *x = random_floats(rand, N);
    g_autofree float *values = g_new(float, N);
    g_autofree engine_int8_block *q = g_new(engine_int8_block, N / ENGINE_INT8_BLOCK);

    engine_int8_ref.quantize(x, N, q);
    for (uint32_t t = 0; t < ENGINE_TYPE_COUNT; t++) {
        if (!engine_int8_ref.gemv[t]) continue;
        const engine_type_traits *traits = engine_type_lookup(t);
        const size_t row_bytes = N / traits->block_elems * traits->block_bytes;
        double error = 0.0, size = 0.0;
        for (size_t r = 0; r < ROWS; r++) {
            /* a row of its own scale each, so that no single one decides the sum */
            g_autofree uint8_t *w = random_packed(rand, traits, N / traits->block_elems);
            double exact = 0.0, norm = 0.0, norm_x = 0.0;
            float y;
            traits->dequantize(w, values, N);
            for (size_t i = 0; i < N; i++) {
                exact += (double)values[i] * (double)x[i];
                norm += (double)values[i] * (double)values[i];
                norm_x += (double)x[i] * (double)x[i];
            }
            engine_int8_ref.gemv[t](w, row_bytes, 1, q, N, NULL, &y);
            error += ((double)y - exact) * ((double)y - exact) / (norm * norm_x);
            size += exact * exact / (norm * norm_x);
        }
        if (!(sqrt(error / size) <= 0.01))
            fail_msg("%s: relative error %g", traits->name, sqrt(error / size));
    }
}

#ifdef LODE_ENGINE_X86
extern const engine_int8_kernels emulated_int8_avx512, emulated_int8_vnni;
#endif

#define LEVEL_TESTS(l)                                                                             \
    cmocka_unit_test_prestate(every_kernel_is_the_scalar_one_bit_for_bit, &levels[l]),             \
        cmocka_unit_test_prestate(extreme_weights_do_not_overflow, &levels[l]),                    \
        cmocka_unit_test_prestate(activations_are_rounded_alike, &levels[l]),                      \
        cmocka_unit_test_prestate(columns_are_rounded_like_rows, &levels[l])

int
main(void)
{
    static level levels[] = {{"avx2", NULL, FALSE},
                             {"avx512", NULL, FALSE},
                             {"avx512vnni", NULL, FALSE},
                             {"avx512, emulated", NULL, TRUE},
                             {"avx512vnni, emulated", NULL, TRUE}};
    static const engine_cpu cpus[] = {ENGINE_CPU_AVX2, ENGINE_CPU_AVX512, ENGINE_CPU_AVX512VNNI};
    for (size_t i = 0; i < G_N_ELEMENTS(cpus); i++) {
        const engine_kernels *k = engine_kernels_lookup(cpus[i]);
        levels[i].kernels = k ? k->int8 : NULL;
    }
#ifdef LODE_ENGINE_X86
    if (levels[0].kernels) { /* the emulation itself needs AVX2 */
        levels[3].kernels = &emulated_int8_avx512;
        levels[4].kernels = &emulated_int8_vnni;
    }
#endif
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rounding_is_to_within_half_a_step),
        cmocka_unit_test(products_are_within_a_hundredth_of_exact_ones),
        LEVEL_TESTS(0),
        LEVEL_TESTS(1),
        LEVEL_TESTS(2),
        LEVEL_TESTS(3),
        LEVEL_TESTS(4),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
