/* Quantisers of the plain types and of the formats in blocks of 32. The layouts are drawn in dequant.c, the
 * search is quantize_fit.c's; the formats in blocks of 256 are in quantize_k.c. */
#include "engine/quantize.h"

#include "engine/dequant.h"
#include "engine/pool.h"
#include "engine/quantize_fit.h"

static void
store_u16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

/* Store a scale as half; returns the value that a reader will see. */
static float
store_half(uint8_t *p, float f)
{
    const uint16_t h = engine_half_from_float(f);

    store_u16(p, h);
    return engine_half_to_float(h);
}

static void
quantize_f32(const float *src, uint8_t *dst, size_t n)
{
    memcpy(dst, src, n * sizeof(float));
}

static void
quantize_f16(const float *src, uint8_t *dst, size_t n)
{
    for (size_t i = 0; i < n; i++)
        store_half(dst + 2 * i, src[i]);
}

/* Nearest, ties to even. */
static void
quantize_bf16(const float *src, uint8_t *dst, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &src[i], sizeof bits);
        store_u16(dst + 2 * i, (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16));
    }
}

/* 255 levels: the scale that just spans the block leaves nothing worth searching for. */
static void
quantize_q8_0(const float *src, uint8_t *dst, size_t n)
{
    for (; n > 0; n -= 32, src += 32, dst += 34) {
        float largest = 0.0f;
        int q[32];
        for (int i = 0; i < 32; i++)
            largest = MAX(largest, fabsf(src[i]));
        const float d = store_half(dst, largest / 127.0f);
        engine_fit_assign(src, 32, d, -127, 127, q);
        for (int i = 0; i < 32; i++)
            dst[2 + i] = (uint8_t)q[i];
    }
}

/* The low nibbles of 32 levels: byte j holds level j and level j + 16. */
static void
store_nibbles(uint8_t *p, const int *q)
{
    for (int j = 0; j < 16; j++)
        p[j] = (uint8_t)((q[j] & 15) | (q[j + 16] & 15) << 4);
}

/* The fifth bits of 32 levels. */
static void
store_fifth_bits(uint8_t *p, const int *q)
{
    memset(p, 0, 4);
    for (int j = 0; j < 32; j++)
        p[j / 8] = (uint8_t)(p[j / 8] | (q[j] >> 4 & 1) << (j % 8));
}

static void
quantize_symmetric(const float *src, uint8_t *dst, int zero, gboolean fifth)
{
    int q[32];
    const float d = store_half(dst, engine_fit_scale(src, 32, -zero, zero - 1));

    engine_fit_assign(src, 32, d, -zero, zero - 1, q);
    for (int i = 0; i < 32; i++)
        q[i] += zero;
    if (fifth) store_fifth_bits(dst + 2, q);
    store_nibbles(dst + (fifth ? 6 : 2), q);
}

static void
quantize_q4_0(const float *src, uint8_t *dst, size_t n)
{
    for (; n > 0; n -= 32, src += 32, dst += 18)
        quantize_symmetric(src, dst, 8, FALSE);
}

static void
quantize_q5_0(const float *src, uint8_t *dst, size_t n)
{
    for (; n > 0; n -= 32, src += 32, dst += 22)
        quantize_symmetric(src, dst, 16, TRUE);
}

static void
quantize_with_min(const float *src, uint8_t *dst, int hi, gboolean fifth)
{
    float scale, min;
    int q[32];

    engine_fit_scale_min(src, 32, hi, INFINITY, &scale, &min);
    const float d = store_half(dst, scale), m = store_half(dst + 2, min);
    engine_fit_assign_min(src, 32, d, m, hi, q);
    if (fifth) store_fifth_bits(dst + 4, q);
    store_nibbles(dst + (fifth ? 8 : 4), q);
}

static void
quantize_q4_1(const float *src, uint8_t *dst, size_t n)
{
    for (; n > 0; n -= 32, src += 32, dst += 20)
        quantize_with_min(src, dst, 15, FALSE);
}

static void
quantize_q5_1(const float *src, uint8_t *dst, size_t n)
{
    for (; n > 0; n -= 32, src += 32, dst += 24)
        quantize_with_min(src, dst, 31, TRUE);
}

/* ---- levels out of a table ---- */

/* Index of the nearest of 16 ascending levels, for each of 32 weights: the number of midpoints below it. */
static void
nearest_levels(const float *x, float inverse, const float middles[15], int *q)
{
    float scaled[32];

    for (int i = 0; i < 32; i++) {
        scaled[i] = x[i] * inverse;
        q[i] = 0;
    }
    for (int m = 0; m < 15; m++)
        for (int i = 0; i < 32; i++)
            q[i] += scaled[i] > middles[m];
}

static float
solve_levels(const float *x, const int *q, const float levels[16], float *gain)
{
    float xl = 0.0f, ll = 0.0f;

    for (int i = 0; i < 32; i++) {
        const float level = levels[q[i]];
        xl += x[i] * level;
        ll += level * level;
    }
    *gain = ll > 0.0f ? xl * xl / ll : 0.0f;
    return ll > 0.0f ? xl / ll : 0.0f;
}

static void
quantize_iq4_nl(const float *src, uint8_t *dst, size_t n)
{
    float levels[16], middles[15];

    for (int i = 0; i < 16; i++)
        levels[i] = (float)engine_iq4_levels[i];
    for (int i = 0; i < 15; i++)
        middles[i] = 0.5f * (levels[i] + levels[i + 1]);
    for (; n > 0; n -= 32, src += 32, dst += 18) {
        float extreme = 0.0f, best = 0.0f, best_gain = 0.0f, gain;
        int q[32];
        for (int i = 0; i < 32; i++)
            if (fabsf(src[i]) > fabsf(extreme)) extreme = src[i];
        /* the extreme weight near either end of the table */
        for (int step = -9; step <= 12 && fabsf(extreme) > 1e-30f; step++) {
            for (int end = 0; end < 2; end++) {
                const float target =
                    end ? levels[15] + 2.0f * (float)step : levels[0] - 2.0f * (float)step;
                nearest_levels(src, target / extreme, middles, q);
                const float scale = solve_levels(src, q, levels, &gain);
                if (gain > best_gain) best = scale, best_gain = gain;
            }
        }
        for (int round = 0; round < 4 && best != 0.0f; round++) {
            nearest_levels(src, 1.0f / best, middles, q);
            const float scale = solve_levels(src, q, levels, &gain);
            if (!(gain > best_gain)) break;
            best = scale, best_gain = gain;
        }
        const float d = store_half(dst, best);
        nearest_levels(src, d != 0.0f ? 1.0f / d : 0.0f, middles, q);
        store_nibbles(dst + 2, q);
    }
}

/* E2M1 code of the nearest value; scale is half of the block's, as the table is doubled. */
static int
nearest_e2m1(float x, float inverse)
{
    static const float middles[7] = {0.5f, 1.5f, 2.5f, 3.5f, 5.0f, 7.0f, 10.0f};
    const float magnitude = fabsf(x) * inverse;
    int code = 0;

    for (int m = 0; m < 7; m++)
        code += magnitude > middles[m];
    return code > 0 && x < 0.0f ? code | 8 : code;
}

/* The exponent that spans the largest weight (6 is E2M1's largest), or the one below or above it, whichever
 * errs least. Source: OCP Microscaling Formats (MX) Specification 1.0, section 6.3. */
static void
quantize_mxfp4(const float *src, uint8_t *dst, size_t n)
{
    for (; n > 0; n -= 32, src += 32, dst += 17) {
        float largest = 0.0f, best_error = INFINITY;
        int exponent = 0, best = 0, q[32];
        for (int i = 0; i < 32; i++)
            largest = MAX(largest, fabsf(src[i]));
        if (largest > 0.0f) exponent = ilogbf(largest) - 2 + 127;
        for (int e = MAX(exponent - 1, 0); e <= MIN(exponent + 1, 254) && largest > 0.0f; e++) {
            const float scale = ldexpf(1.0f, e - 128), inverse = ldexpf(1.0f, 128 - e);
            float error = 0.0f;
            for (int i = 0; i < 32; i++) {
                const int code = nearest_e2m1(src[i], inverse);
                const float d = src[i] - scale * (float)engine_e2m1_levels[code];
                error += d * d;
            }
            if (error < best_error) best = e, best_error = error;
        }
        dst[0] = (uint8_t)best;
        for (int i = 0; i < 32; i++)
            q[i] = largest > 0.0f ? nearest_e2m1(src[i], ldexpf(1.0f, 128 - best)) : 0;
        store_nibbles(dst + 1, q);
    }
}

/* ---- the table ---- */

static const struct {
    engine_type type;
    engine_quantize_fn quantize;
} QUANTIZERS[] = {
    {ENGINE_TYPE_F32, quantize_f32},          {ENGINE_TYPE_F16, quantize_f16},
    {ENGINE_TYPE_BF16, quantize_bf16},        {ENGINE_TYPE_Q8_0, quantize_q8_0},
    {ENGINE_TYPE_Q4_0, quantize_q4_0},        {ENGINE_TYPE_Q4_1, quantize_q4_1},
    {ENGINE_TYPE_Q5_0, quantize_q5_0},        {ENGINE_TYPE_Q5_1, quantize_q5_1},
    {ENGINE_TYPE_Q2_K, engine_quantize_q2_k}, {ENGINE_TYPE_Q3_K, engine_quantize_q3_k},
    {ENGINE_TYPE_Q4_K, engine_quantize_q4_k}, {ENGINE_TYPE_Q5_K, engine_quantize_q5_k},
    {ENGINE_TYPE_Q6_K, engine_quantize_q6_k}, {ENGINE_TYPE_IQ4_NL, quantize_iq4_nl},
    {ENGINE_TYPE_MXFP4, quantize_mxfp4},
};

engine_quantize_fn
engine_quantize_lookup(engine_type type)
{
    for (size_t i = 0; i < G_N_ELEMENTS(QUANTIZERS); i++)
        if (QUANTIZERS[i].type == type) return QUANTIZERS[i].quantize;
    return NULL;
}

gboolean
engine_quantize_type_from_name(const char *name, engine_type *type)
{
    for (size_t i = 0; i < G_N_ELEMENTS(QUANTIZERS); i++) {
        const engine_type t = QUANTIZERS[i].type;
        if (g_ascii_strcasecmp(name, engine_type_lookup((uint32_t)t)->name) != 0) continue;
        *type = t;
        return TRUE;
    }
    return FALSE;
}

const char *
engine_quantize_type_names(void)
{
    return "f32, f16, bf16, q8_0, q4_0, q4_1, q5_0, q5_1, q2_k, q3_k, q4_k, q5_k, q6_k, iq4_nl, "
           "mxfp4";
}

/* ---- many rows ---- */

typedef struct {
    engine_quantize_fn quantize;
    const float *src;
    uint8_t *dst;
    size_t n_cols, row_bytes;
} rows_run;

static void
quantize_row(void *data, size_t row, int worker)
{
    const rows_run *run = data;

    (void)worker;
    run->quantize(run->src + row * run->n_cols, run->dst + row * run->row_bytes, run->n_cols);
}

void
engine_quantize_rows(engine_pool *pool, engine_type type, const float *src, size_t n_rows,
                     size_t n_cols, uint8_t *dst)
{
    const engine_type_traits *traits = engine_type_lookup((uint32_t)type);
    rows_run run = {engine_quantize_lookup(type), src, dst, n_cols,
                    n_cols / traits->block_elems * traits->block_bytes};

    g_assert(run.quantize && n_cols % traits->block_elems == 0);
    if (pool) {
        engine_pool_run(pool, n_rows, quantize_row, &run);
        return;
    }
    for (size_t row = 0; row < n_rows; row++)
        quantize_row(&run, row, 0);
}
