/* Products in int8 in plain C: the definition that every fast kernel is held to (see int8.h). */
#include "engine/int8_levels.h"

#include <math.h>
#include <string.h>

/* 32 weights of one row: d * (s[i / 16] * q[i]) + min, or - dmin * mins[i / 16] for Q2_K. */
typedef struct {
    int q[32];
    int s[2];
    float d, min;
    gboolean has_min, has_mins;
    int mins[2];
    float dmin;
} weight_block;

static const int8_t IQ4_LEVELS[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                      1,    13,   25,  38,  53,  69,  89,  113};
static const int8_t E2M1_LEVELS[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

typedef void (*expand_fn)(const uint8_t *row, size_t block, weight_block *out);

static float
half_at(const uint8_t *p)
{
    return engine_half_to_float((uint16_t)(p[0] | p[1] << 8));
}

static uint32_t
u32_at(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void
expand_q4_0(const uint8_t *row, size_t block, weight_block *out)
{
    const uint8_t *p = row + 18 * block;
    for (int j = 0; j < 16; j++) {
        out->q[j] = (p[2 + j] & 15) - 8;
        out->q[j + 16] = (p[2 + j] >> 4) - 8;
    }
    out->d = half_at(p);
}

static void
expand_q4_1(const uint8_t *row, size_t block, weight_block *out)
{
    const uint8_t *p = row + 20 * block;
    for (int j = 0; j < 16; j++) {
        out->q[j] = p[4 + j] & 15;
        out->q[j + 16] = p[4 + j] >> 4;
    }
    out->d = half_at(p);
    out->min = half_at(p + 2);
    out->has_min = TRUE;
}

static void
expand_fifth_bit(const uint8_t *nibbles, uint32_t high, int offset, int q[32])
{
    for (int j = 0; j < 16; j++) {
        q[j] = ((nibbles[j] & 15) | (int)((high >> j & 1) << 4)) - offset;
        q[j + 16] = ((nibbles[j] >> 4) | (int)((high >> (j + 16) & 1) << 4)) - offset;
    }
}

static void
expand_q5_0(const uint8_t *row, size_t block, weight_block *out)
{
    const uint8_t *p = row + 22 * block;
    expand_fifth_bit(p + 6, u32_at(p + 2), 16, out->q);
    out->d = half_at(p);
}

static void
expand_q5_1(const uint8_t *row, size_t block, weight_block *out)
{
    const uint8_t *p = row + 24 * block;
    expand_fifth_bit(p + 8, u32_at(p + 4), 0, out->q);
    out->d = half_at(p);
    out->min = half_at(p + 2);
    out->has_min = TRUE;
}

static void
expand_q8_0(const uint8_t *row, size_t block, weight_block *out)
{
    const uint8_t *p = row + 34 * block;
    for (int j = 0; j < 32; j++)
        out->q[j] = (int8_t)p[2 + j];
    out->d = half_at(p);
}

static void
expand_iq4_nl(const uint8_t *row, size_t block, weight_block *out)
{
    const uint8_t *p = row + 18 * block;
    for (int j = 0; j < 16; j++) {
        out->q[j] = IQ4_LEVELS[p[2 + j] & 15];
        out->q[j + 16] = IQ4_LEVELS[p[2 + j] >> 4];
    }
    out->d = half_at(p);
}

static void
expand_iq4_xs(const uint8_t *row, size_t block, weight_block *out)
{
    const uint8_t *p = row + 136 * (block / 8);
    const size_t b = block % 8;
    const uint32_t high = (uint32_t)(p[2] | p[3] << 8);
    const int scale =
        (int)((p[4 + b / 2] >> (4 * (b % 2)) & 15u) | (high >> (2 * b) & 3u) << 4) - 32;
    for (int j = 0; j < 16; j++) {
        out->q[j] = IQ4_LEVELS[p[8 + 16 * b + (size_t)j] & 15];
        out->q[j + 16] = IQ4_LEVELS[p[8 + 16 * b + (size_t)j] >> 4];
    }
    out->d = half_at(p) * (float)scale;
}

static void
expand_mxfp4(const uint8_t *row, size_t block, weight_block *out)
{
    const uint8_t *p = row + 17 * block;
    for (int j = 0; j < 16; j++) {
        out->q[j] = E2M1_LEVELS[p[1 + j] & 15];
        out->q[j + 16] = E2M1_LEVELS[p[1 + j] >> 4];
    }
    out->d = ldexpf(1.0f, (int)p[0] - 128);
}

/* Scale and minimum of sub-block j of a Q4_K or Q5_K block. */
static void
scale_min_k(const uint8_t *p, size_t j, weight_block *out)
{
    const uint8_t *packed = p + 4;
    int scale, min;
    if (j < 4) {
        scale = packed[j] & 63;
        min = packed[j + 4] & 63;
    } else {
        scale = (packed[j + 4] & 15) | (packed[j - 4] >> 6) << 4;
        min = (packed[j + 4] >> 4) | (packed[j] >> 6) << 4;
    }
    out->d = half_at(p) * (float)scale;
    out->min = -half_at(p + 2) * (float)min;
    out->has_min = TRUE;
}

static void
expand_q4_k(const uint8_t *row, size_t block, weight_block *out)
{
    const uint8_t *p = row + 144 * (block / 8), *qs = p + 16 + block % 8 / 2 * 32;
    for (int l = 0; l < 32; l++)
        out->q[l] = block % 2 ? qs[l] >> 4 : qs[l] & 15;
    scale_min_k(p, block % 8, out);
}

static void
expand_q5_k(const uint8_t *row, size_t block, weight_block *out)
{
    const uint8_t *p = row + 176 * (block / 8), *qs = p + 48 + block % 8 / 2 * 32;
    for (int l = 0; l < 32; l++)
        out->q[l] = (block % 2 ? qs[l] >> 4 : qs[l] & 15) | (p[16 + l] >> (block % 8) & 1) << 4;
    scale_min_k(p, block % 8, out);
}

static void
expand_q6_k(const uint8_t *row, size_t block, weight_block *out)
{
    const uint8_t *p = row + 210 * (block / 8);
    const size_t j = block % 8, half = j / 4, quarter = j % 4;
    for (size_t l = 0; l < 32; l++) {
        const uint8_t low = p[64 * half + 32 * (quarter % 2) + l];
        const int high = p[128 + 32 * half + l] >> (2 * quarter) & 3;
        out->q[l] = ((quarter < 2 ? low & 15 : low >> 4) | high << 4) - 32;
    }
    out->s[0] = (int8_t)p[192 + 2 * j];
    out->s[1] = (int8_t)p[193 + 2 * j];
    out->d = half_at(p + 208);
}

static void
expand_q3_k(const uint8_t *row, size_t block, weight_block *out)
{
    const uint8_t *p = row + 110 * (block / 8), *packed = p + 96;
    const size_t j = block % 8;
    for (size_t l = 0; l < 32; l++)
        out->q[l] = ((p[32 + 32 * (j / 4) + l] >> (2 * (j % 4)) & 3) | (p[l] >> j & 1) << 2) - 4;
    for (size_t k = 0; k < 2; k++) {
        const size_t i = 2 * j + k;
        const int low = i < 8 ? packed[i] & 15 : packed[i - 8] >> 4;
        out->s[k] = (low | (packed[8 + i % 4] >> (2 * (i / 4)) & 3) << 4) - 32;
    }
    out->d = half_at(p + 108);
}

static void
expand_q2_k(const uint8_t *row, size_t block, weight_block *out)
{
    const uint8_t *p = row + 84 * (block / 8);
    const size_t j = block % 8;
    for (size_t l = 0; l < 32; l++)
        out->q[l] = p[16 + 32 * (j / 4) + l] >> (2 * (j % 4)) & 3;
    for (size_t k = 0; k < 2; k++) {
        out->s[k] = p[2 * j + k] & 15;
        out->mins[k] = p[2 * j + k] >> 4;
    }
    out->d = half_at(p + 80);
    out->dmin = half_at(p + 82);
    out->has_mins = TRUE;
}

static float
add_block(const weight_block *w, const engine_int8_block *x, float acc)
{
    int isum[2] = {0, 0};

    for (int i = 0; i < 32; i++)
        isum[i / 16] += w->q[i] * x->q[i];
    acc = fmaf(w->d * x->scale, (float)(isum[0] * w->s[0] + isum[1] * w->s[1]), acc);
    if (w->has_min) acc = fmaf(w->min, x->scaled_sum, acc);
    if (w->has_mins)
        acc = fmaf(-w->dmin * x->scale, (float)(w->mins[0] * x->sums[0] + w->mins[1] * x->sums[1]),
                   acc);
    return acc;
}

static void
multiply(expand_fn expand, const uint8_t *w, size_t row_bytes, size_t n_rows,
         const engine_int8_block *x, const uint32_t *index, size_t n_tokens, size_t n_in, float *y,
         size_t ldy)
{
    const size_t n_blocks = n_in / ENGINE_INT8_BLOCK;

    for (size_t r = 0; r < n_rows; r++) {
        for (size_t t = 0; t < n_tokens; t++)
            y[t * ldy + r] = 0.0f;
        for (size_t b = 0; b < n_blocks; b++) {
            weight_block block = {.s = {1, 1}};
            expand(w + r * row_bytes, b, &block);
            for (size_t t = 0; t < n_tokens; t++) {
                const size_t row = index ? index[t] : t;
                y[t * ldy + r] = add_block(&block, x + row * n_blocks + b, y[t * ldy + r]);
            }
        }
    }
}

#define DEFINE_TYPE(type)                                                                          \
    static void gemv_##type(const uint8_t *w, size_t row_bytes, size_t n_rows,                     \
                            const engine_int8_block *x, size_t n_in, const uint8_t *next,          \
                            float *y)                                                              \
    {                                                                                              \
        (void)next;                                                                                \
        multiply(expand_##type, w, row_bytes, n_rows, x, NULL, 1, n_in, y, 0);                     \
    }                                                                                              \
    static void gemm_##type(const uint8_t *w, size_t row_bytes, size_t n_rows,                     \
                            const engine_int8_block *x, const uint32_t *index, size_t n_tokens,    \
                            size_t n_in, void *scratch, float *y, size_t ldy)                      \
    {                                                                                              \
        (void)scratch;                                                                             \
        multiply(expand_##type, w, row_bytes, n_rows, x, index, n_tokens, n_in, y, ldy);           \
    }

DEFINE_TYPE(q4_0)
DEFINE_TYPE(q4_1)
DEFINE_TYPE(q5_0)
DEFINE_TYPE(q5_1)
DEFINE_TYPE(q8_0)
DEFINE_TYPE(q2_k)
DEFINE_TYPE(q3_k)
DEFINE_TYPE(q4_k)
DEFINE_TYPE(q5_k)
DEFINE_TYPE(q6_k)
DEFINE_TYPE(iq4_nl)
DEFINE_TYPE(iq4_xs)
DEFINE_TYPE(mxfp4)

void
engine_int8_finish(engine_int8_block *block)
{
    static const uint8_t ends[8] = {14, 15, 0, 1, 30, 31, 16, 17};
    int sums[2][2] = {{0, 0}, {0, 0}};

    for (int i = 0; i < ENGINE_INT8_BLOCK; i++)
        sums[i / 16][i % 4 / 2] += block->q[i];
    for (int i = 0; i < 2; i++) {
        block->sums[i] = (int16_t)(sums[i][0] + sums[i][1]);
        block->minus8.halves[i] = (int16_t)(-8 * (sums[0][i] + sums[1][i]));
        for (int j = 0; j < 2; j++)
            block->minus32[i][j] = (int16_t)(-32 * sums[i][j]);
    }
    for (int i = 0; i < 8; i++)
        block->ends[i] = block->q[ends[i]];
    block->scaled_sum = block->scale * (float)(block->sums[0] + block->sums[1]);
}

static void
quantize(const float *x, size_t n, engine_int8_block *out)
{
    for (size_t b = 0; b < n / ENGINE_INT8_BLOCK; b++, out++) {
        const float *in = x + b * ENGINE_INT8_BLOCK;
        uint32_t most =
            0; /* bits of the largest magnitude: ordered as the numbers are, NaN above all */
        for (int i = 0; i < ENGINE_INT8_BLOCK; i++) {
            uint32_t bits;
            memcpy(&bits, &in[i], sizeof bits);
            most = MAX(most, bits & 0x7fffffffu);
        }
        float largest;
        memcpy(&largest, &most, sizeof largest);
        memset(out, 0, sizeof *out);
        if (most >= 0x7f800000u) {
            out->scale = out->scaled_sum = NAN;
            continue;
        }
        /* below this the inverse overflows; such a block is nothing beside any other */
        if (largest < ENGINE_INT8_SMALLEST) continue;
        const float inverse = 127.0f / largest;
        for (int i = 0; i < ENGINE_INT8_BLOCK; i++)
            out->q[i] = (int8_t)lrintf(in[i] * inverse);
        out->scale = largest / 127.0f;
        engine_int8_finish(out);
    }
}

static void
quantize_column(const float *x, size_t ldx, size_t n_rows, engine_int8_block *out, size_t ldo)
{
    for (size_t r = 0; r < n_rows; r++)
        quantize(x + r * ldx, ENGINE_INT8_BLOCK, out + r * ldo);
}

const engine_int8_kernels engine_int8_ref = {
    .scratch_bytes = 64,
    .quantize = quantize,
    .quantize_column = quantize_column,
    .gemv = ENGINE_INT8_TABLE(gemv),
    .gemm = ENGINE_INT8_TABLE(gemm),
};
