/* Quantisers of the plain types and of the formats in blocks of 32. The layouts are drawn in dequant.c, the
 * search is quantize_fit_lanes.h's; the formats in blocks of 256 are in quantize_k.c. */
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
        for (int i = 0; i < 32; i++)
            largest = MAX(largest, fabsf(src[i]));
        const float d = store_half(dst, largest / 127.0f), inverse = d != 0.0f ? 1.0f / d : 0.0f;
        int q[32];
        for (int i = 0; i < 32; i++)
            q[i] = engine_fit_round(src[i] * inverse, -127.0f, 127.0f);
        for (int i = 0; i < 32; i++)
            dst[2 + i] = (uint8_t)q[i];
    }
}

/* ---- blocks of 32, fitted side by side ---- */

/* The low nibbles of the 32 levels in lane r: byte j holds level j and level j + 16. */
static void
store_nibbles(uint8_t *p, const int32_t *q)
{
    for (int j = 0; j < 16; j++)
        p[j] =
            (uint8_t)((q[j * ENGINE_FIT_LANES] & 15) | (q[(j + 16) * ENGINE_FIT_LANES] & 15) << 4);
}

/* The fifth bits of 32 levels. */
static void
store_fifth_bits(uint8_t *p, const int32_t *q)
{
    memset(p, 0, 4);
    for (int j = 0; j < 32; j++)
        p[j / 8] = (uint8_t)(p[j / 8] | (q[j * ENGINE_FIT_LANES] >> 4 & 1) << (j % 8));
}

typedef enum { FIT_SCALE, FIT_SCALE_MIN, FIT_LEVELS } fit_kind;

typedef struct {
    fit_kind kind;
    int hi; /* levels 0..hi as they are stored */
} block_format;

/* d, perhaps a minimum, perhaps fifth bits, nibbles. */
static void
quantize_blocks(const float *src, uint8_t *dst, size_t n, const block_format *format)
{
    const engine_fit_kernels *fit = engine_fit_best();
    const int zero = format->kind == FIT_SCALE ? (format->hi + 1) / 2 : 0;
    const size_t head = format->kind == FIT_SCALE_MIN ? 4 : 2, fifth = format->hi > 15 ? 4 : 0;
    float x[32 * ENGINE_FIT_LANES], d[ENGINE_FIT_LANES], m[ENGINE_FIT_LANES] = {0};
    int32_t q[32 * ENGINE_FIT_LANES];

    for (size_t left = n / 32, blocks; left > 0; left -= blocks, src += 32 * blocks) {
        blocks = MIN(left, ENGINE_FIT_LANES);
        engine_fit_transpose(src, 32, (int)blocks, x);
        if (format->kind == FIT_SCALE_MIN)
            fit->scale_min(x, 32, format->hi, INFINITY, d, m);
        else if (format->kind == FIT_LEVELS)
            fit->levels(x, engine_iq4_levels, d);
        else
            fit->scale(x, 32, -zero, zero - 1, d);
        const size_t block_bytes = head + fifth + 16;
        for (size_t b = 0; b < blocks; b++) {
            d[b] = store_half(dst + b * block_bytes, d[b]);
            if (head == 4) m[b] = store_half(dst + b * block_bytes + 2, m[b]);
        }
        if (format->kind == FIT_LEVELS)
            fit->assign_levels(x, engine_iq4_levels, d, q);
        else
            fit->assign(x, 32, d, m, -zero, format->hi - zero, q);
        for (int i = 0; zero > 0 && i < 32 * ENGINE_FIT_LANES; i++)
            q[i] += zero;
        for (size_t b = 0; b < blocks; b++, dst += block_bytes) {
            if (fifth) store_fifth_bits(dst + head, q + b);
            store_nibbles(dst + head + fifth, q + b);
        }
    }
}

static void
quantize_q4_0(const float *src, uint8_t *dst, size_t n)
{
    quantize_blocks(src, dst, n, &(block_format){FIT_SCALE, 15});
}

static void
quantize_q5_0(const float *src, uint8_t *dst, size_t n)
{
    quantize_blocks(src, dst, n, &(block_format){FIT_SCALE, 31});
}

static void
quantize_q4_1(const float *src, uint8_t *dst, size_t n)
{
    quantize_blocks(src, dst, n, &(block_format){FIT_SCALE_MIN, 15});
}

static void
quantize_q5_1(const float *src, uint8_t *dst, size_t n)
{
    quantize_blocks(src, dst, n, &(block_format){FIT_SCALE_MIN, 31});
}

static void
quantize_iq4_nl(const float *src, uint8_t *dst, size_t n)
{
    quantize_blocks(src, dst, n, &(block_format){FIT_LEVELS, 15});
}

/* ---- MXFP4 ---- */

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
        int exponent = 0, best = 0;
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
        const float inverse = largest > 0.0f ? ldexpf(1.0f, 128 - best) : 0.0f;
        for (int j = 0; j < 16; j++)
            dst[1 + j] =
                (uint8_t)(nearest_e2m1(src[j], inverse) | nearest_e2m1(src[j + 16], inverse) << 4);
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
