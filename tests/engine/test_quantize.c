/* Quantisers: errors held against ggml's on the same numbers (reference/quantize_rmse.py), and the cases
 * that scales do not like. */
#include "engine/quantize.h"

#include "engine/dequant.h"
#include "engine/quantize_fit.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { ROWS = 64, COLS = 1024 };

static const struct {
    engine_type type;
    double normal, heavy; /* ggml's error, relative to the numbers' root mean square */
} YARDSTICK[] = {
    {ENGINE_TYPE_F16, 2.081e-04, 2.093e-04},    {ENGINE_TYPE_BF16, 1.666e-03, 1.653e-03},
    {ENGINE_TYPE_Q8_0, 5.267e-03, 8.584e-03},   {ENGINE_TYPE_Q4_0, 8.477e-02, 1.113e-01},
    {ENGINE_TYPE_Q4_1, 7.747e-02, 1.141e-01},   {ENGINE_TYPE_Q5_0, 4.203e-02, 5.977e-02},
    {ENGINE_TYPE_Q5_1, 3.751e-02, 5.402e-02},   {ENGINE_TYPE_Q2_K, 2.923e-01, 3.987e-01},
    {ENGINE_TYPE_Q3_K, 1.492e-01, 1.543e-01},   {ENGINE_TYPE_Q4_K, 7.073e-02, 9.067e-02},
    {ENGINE_TYPE_Q5_K, 3.588e-02, 4.947e-02},   {ENGINE_TYPE_Q6_K, 1.753e-02, 2.444e-02},
    {ENGINE_TYPE_IQ4_NL, 7.561e-02, 9.180e-02}, {ENGINE_TYPE_MXFP4, 1.146e-01, 1.412e-01},
};

/* As in the script: sums of twelve uniform numbers; cubed for heavy tails. */
static float *
numbers(gboolean heavy)
{
    float *out = g_new(float, ROWS *COLS);
    uint64_t state = 12345;

    for (int i = 0; i < ROWS * COLS; i++) {
        int64_t total = 0;
        for (int k = 0; k < 12; k++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            total += (int64_t)(state >> 48);
        }
        const float x = (float)(total - 6 * 65536) / 65536.0f;
        out[i] = heavy ? x * x * x : x;
    }
    return out;
}

static size_t
packed_bytes(engine_type type, size_t n)
{
    const engine_type_traits *traits = engine_type_lookup((uint32_t)type);
    return n / traits->block_elems * traits->block_bytes;
}

/* Root mean square of what quantising x [n] loses, relative to x's own; `back` [n] gets the result. */
static double
loss(engine_type type, const float *x, size_t n, float *back)
{
    g_autofree uint8_t *packed = g_malloc(packed_bytes(type, n));
    double error = 0, power = 0;

    engine_quantize_lookup(type)(x, packed, n);
    engine_type_lookup((uint32_t)type)->dequantize(packed, back, n);
    for (size_t i = 0; i < n; i++) {
        error += ((double)back[i] - (double)x[i]) * ((double)back[i] - (double)x[i]);
        power += (double)x[i] * (double)x[i];
    }
    return power > 0 ? sqrt(error / power) : sqrt(error);
}

static void
no_type_loses_more_than_ggml_does(void **state)
{
    (void)state;
    g_autofree float *normal = numbers(FALSE), *heavy = numbers(TRUE);
    g_autofree float *back = g_new(float, ROWS *COLS);

    for (size_t i = 0; i < G_N_ELEMENTS(YARDSTICK); i++) {
        const char *name = engine_type_lookup((uint32_t)YARDSTICK[i].type)->name;
        const double a = loss(YARDSTICK[i].type, normal, ROWS * COLS, back);
        const double b = loss(YARDSTICK[i].type, heavy, ROWS * COLS, back);
        if (a > YARDSTICK[i].normal * 1.002 || a < YARDSTICK[i].normal * 0.5)
            fail_msg("%s: %.4g of normal numbers, ggml %.4g", name, a, YARDSTICK[i].normal);
        if (b > YARDSTICK[i].heavy * 1.002 || b < YARDSTICK[i].heavy * 0.5)
            fail_msg("%s: %.4g of heavy-tailed numbers, ggml %.4g", name, b, YARDSTICK[i].heavy);
    }
}

static void
what_was_quantised_once_loses_little_the_second_time(void **state)
{
    (void)state;
    g_autofree float *x = numbers(FALSE), *once = g_new(float, ROWS *COLS);
    g_autofree float *twice = g_new(float, ROWS *COLS);

    for (size_t i = 0; i < G_N_ELEMENTS(YARDSTICK); i++) {
        const double first = loss(YARDSTICK[i].type, x, ROWS * COLS, once);
        const double second = loss(YARDSTICK[i].type, once, ROWS * COLS, twice);
        if (!(second <= 0.35 * first))
            fail_msg("%s: %.4g, then %.4g", engine_type_lookup((uint32_t)YARDSTICK[i].type)->name,
                     first, second);
    }
}

/* Blocks of 256 that have bitten quantisers: the result is finite and no worse than these bounds. */
static void
awkward_blocks_are_survived(void **state)
{
    (void)state;
    enum { ZERO, ONE_VALUE, NEGATIVE, OUTLIER, TINY, LARGE, ALTERNATING, N_KINDS };
    float x[256], back[256];

    for (size_t i = 0; i < G_N_ELEMENTS(YARDSTICK); i++) {
        const engine_type type = YARDSTICK[i].type;
        for (int kind = 0; kind < N_KINDS; kind++) {
            for (int j = 0; j < 256; j++) {
                const float wave = sinf((float)j);
                x[j] = kind == ZERO        ? 0.0f
                       : kind == ONE_VALUE ? 0.37f
                       : kind == NEGATIVE  ? -1.0f - 0.1f * wave
                       : kind == OUTLIER   ? (j == 100 ? 50.0f : 0.01f * wave)
                       : kind == TINY      ? 1e-20f * wave
                       : kind == LARGE     ? 3e4f * wave
                                           : (j % 2 ? 1.0f : -1.0f);
            }
            const double lost = loss(type, x, 256, back);
            for (int j = 0; j < 256; j++)
                assert_true(isfinite(back[j]));
            const char *name = engine_type_lookup((uint32_t)type)->name;
            if (kind == ZERO && lost != 0) fail_msg("%s: zeros give %g", name, lost);
            if (kind == TINY ? lost > 1.0001 : lost > 0.6) /* below half's range all is zero */
                fail_msg("%s: kind %d loses %g", name, kind, lost);
        }
    }
}

static void
threads_do_not_change_a_byte(void **state)
{
    (void)state;
    g_autofree float *x = numbers(FALSE);
    g_autoptr(engine_pool) pool = engine_pool_new(3);

    for (size_t i = 0; i < G_N_ELEMENTS(YARDSTICK); i++) {
        const engine_type type = YARDSTICK[i].type;
        const size_t n = packed_bytes(type, ROWS * COLS);
        g_autofree uint8_t *alone = g_malloc0(n), *pooled = g_malloc0(n);
        engine_quantize_rows(NULL, type, x, ROWS, COLS, alone);
        engine_quantize_rows(pool, type, x, ROWS, COLS, pooled);
        assert_memory_equal(alone, pooled, n);
    }
}

/* Every lane of every instruction set, down to the last bit: files must not depend on who wrote them. */
static void
every_instruction_set_fits_alike(void **state)
{
    (void)state;
    enum { N = 32 * ENGINE_FIT_LANES };
    const engine_fit_kernels *ref = engine_fit_lookup(ENGINE_CPU_SCALAR), *best = engine_fit_best();
    g_autofree float *normal = numbers(FALSE), *heavy = numbers(TRUE);
    float x[N], a[2][ENGINE_FIT_LANES], b[2][ENGINE_FIT_LANES];
    int32_t q[2][N];

    for (int i = 0; i < ROWS * COLS / N; i++) {
        const float *src = (i % 2 ? heavy : normal) + i * N;
        const int n = i % 3 == 0 ? 16 : 32, hi = i % 5 == 0 ? 3 : 15;
        engine_fit_transpose(src, n, i % 7 == 0 ? 3 : ENGINE_FIT_LANES, x);
        ref->scale(x, n, -hi - 1, hi, a[0]);
        best->scale(x, n, -hi - 1, hi, b[0]);
        assert_memory_equal(a[0], b[0], sizeof a[0]);
        ref->error(x, n, a[0], NULL, -hi - 1, hi, a[1]);
        best->error(x, n, a[0], NULL, -hi - 1, hi, b[1]);
        assert_memory_equal(a[1], b[1], sizeof a[1]);
        ref->scale_min(x, n, hi, i % 2 ? 0.0f : INFINITY, a[0], a[1]);
        best->scale_min(x, n, hi, i % 2 ? 0.0f : INFINITY, b[0], b[1]);
        assert_memory_equal(a, b, sizeof a);
        ref->assign(x, n, a[0], a[1], 0, hi, q[0]);
        best->assign(x, n, a[0], a[1], 0, hi, q[1]);
        assert_memory_equal(q[0], q[1], (size_t)n * ENGINE_FIT_LANES * sizeof q[0][0]);
        if (n < 32) continue;
        ref->levels(x, engine_iq4_levels, a[0]);
        best->levels(x, engine_iq4_levels, b[0]);
        assert_memory_equal(a[0], b[0], sizeof a[0]);
        ref->assign_levels(x, engine_iq4_levels, a[0], q[0]);
        best->assign_levels(x, engine_iq4_levels, a[0], q[1]);
        assert_memory_equal(q[0], q[1], sizeof q[0]);
    }
}

/* A file quantised twice is the same file, whichever version of this program did it. Recorded from the plain
 * search, one candidate after the other. */
static void
bytes_are_those_recorded(void **state)
{
    (void)state;
    static const struct {
        engine_type type;
        uint64_t hash;
    } recorded[] = {
        {ENGINE_TYPE_Q8_0, 0x06f7280aa4585732u},   {ENGINE_TYPE_Q4_0, 0x82105dd5d4d0f1acu},
        {ENGINE_TYPE_Q4_1, 0xf73c3fa3b40e7ba6u},   {ENGINE_TYPE_Q5_0, 0x9639c8d9622bc036u},
        {ENGINE_TYPE_Q5_1, 0x861f925684ef10d8u},   {ENGINE_TYPE_Q2_K, 0x4ce9263365c8a4d2u},
        {ENGINE_TYPE_Q3_K, 0x0bfe77a9b112db85u},   {ENGINE_TYPE_Q4_K, 0x4ae6d86a3835d467u},
        {ENGINE_TYPE_Q5_K, 0x09919e6497926a45u},   {ENGINE_TYPE_Q6_K, 0xf4899cd1c7686480u},
        {ENGINE_TYPE_IQ4_NL, 0x043204b2e89770f3u}, {ENGINE_TYPE_MXFP4, 0x284ab404a48f1788u},
    };
    g_autofree float *x = numbers(TRUE);

    for (size_t i = 0; i < G_N_ELEMENTS(recorded); i++) {
        const size_t n = packed_bytes(recorded[i].type, 8 * COLS - 256);
        g_autofree uint8_t *packed = g_malloc(n);
        uint64_t hash = 0xcbf29ce484222325u;
        engine_quantize_lookup(recorded[i].type)(x, packed, 8 * COLS - 256);
        for (size_t k = 0; k < n; k++)
            hash = (hash ^ packed[k]) * 0x100000001b3u;
        if (hash != recorded[i].hash)
            fail_msg("%s: %016" G_GINT64_MODIFIER "x",
                     engine_type_lookup((uint32_t)recorded[i].type)->name, hash);
    }
}

static void
types_have_names(void **state)
{
    (void)state;
    g_auto(GStrv) names = g_strsplit(engine_quantize_type_names(), ", ", -1);
    engine_type type;
    size_t n = 0;

    for (; names[n]; n++) {
        assert_true(engine_quantize_type_from_name(names[n], &type));
        assert_non_null(engine_quantize_lookup(type));
    }
    assert_int_equal(n, 1 + G_N_ELEMENTS(YARDSTICK)); /* f32 loses nothing */
    assert_true(engine_quantize_type_from_name("Q4_K", &type) && type == ENGINE_TYPE_Q4_K);
    assert_false(engine_quantize_type_from_name("q9_0", &type));
    assert_false(engine_quantize_type_from_name("i8", &type));
    assert_null(engine_quantize_lookup(ENGINE_TYPE_IQ4_XS));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_type_loses_more_than_ggml_does),
        cmocka_unit_test(what_was_quantised_once_loses_little_the_second_time),
        cmocka_unit_test(awkward_blocks_are_survived),
        cmocka_unit_test(threads_do_not_change_a_byte),
        cmocka_unit_test(every_instruction_set_fits_alike),
        cmocka_unit_test(bytes_are_those_recorded),
        cmocka_unit_test(types_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
