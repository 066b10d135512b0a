/* The KV cache's inner loops in plain C, and the choice of a table. */
#include "engine/kv_kernels.h"

#include <math.h>
#include <string.h>

static float
float_at(const uint8_t *p)
{
    float f;
    memcpy(&f, p, sizeof f);
    return f;
}

static float
half_at(const uint8_t *p)
{
    uint16_t h;
    memcpy(&h, p, sizeof h);
    return engine_half_to_float(h);
}

static void
ref_tile_f32(const uint8_t *tile, size_t dim, float *out)
{
    memcpy(out, tile, dim * ENGINE_KV_TILE * sizeof *out);
}

static void
ref_tile_f16(const uint8_t *tile, size_t dim, float *out)
{
    for (size_t i = 0; i < dim * ENGINE_KV_TILE; i++)
        out[i] = half_at(tile + 2 * i);
}

static void
ref_tile_q8_0(const uint8_t *tile, size_t dim, float *out)
{
    for (size_t b = 0; b < dim / 32; b++, tile += 34 * ENGINE_KV_TILE) {
        for (size_t d = 0; d < 32; d++)
            for (size_t p = 0; p < ENGINE_KV_TILE; p++)
                out[(32 * b + d) * ENGINE_KV_TILE + p] =
                    half_at(tile + 2 * p) * (float)(int8_t)tile[(2 + d) * ENGINE_KV_TILE + p];
    }
}

static void
ref_tile_q4_0(const uint8_t *tile, size_t dim, float *out)
{
    for (size_t b = 0; b < dim / 32; b++, tile += 18 * ENGINE_KV_TILE) {
        for (size_t j = 0; j < 16; j++) {
            for (size_t p = 0; p < ENGINE_KV_TILE; p++) {
                const float scale = half_at(tile + 2 * p);
                const uint8_t pair = tile[(2 + j) * ENGINE_KV_TILE + p];
                out[(32 * b + j) * ENGINE_KV_TILE + p] = scale * (float)((pair & 15) - 8);
                out[(32 * b + j + 16) * ENGINE_KV_TILE + p] = scale * (float)((pair >> 4) - 8);
            }
        }
    }
}

static void
ref_row_f32(const uint8_t *row, size_t n, float *out)
{
    memcpy(out, row, n * sizeof *out);
}

static void
ref_row_f16(const uint8_t *row, size_t n, float *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = half_at(row + 2 * i);
}

static void
ref_row_q8_0(const uint8_t *row, size_t n, float *out)
{
    for (size_t b = 0; b < n / 32; b++, row += 34)
        for (size_t i = 0; i < 32; i++)
            out[32 * b + i] = half_at(row) * (float)(int8_t)row[2 + i];
}

static void
ref_row_q4_0(const uint8_t *row, size_t n, float *out)
{
    for (size_t b = 0; b < n / 32; b++, row += 18) {
        for (size_t j = 0; j < 16; j++) {
            out[32 * b + j] = half_at(row) * (float)((row[2 + j] & 15) - 8);
            out[32 * b + j + 16] = half_at(row) * (float)((row[2 + j] >> 4) - 8);
        }
    }
}

static void
ref_scores_f32(const uint8_t *k, size_t tile_bytes, size_t n_tiles, size_t dim, const float *q,
               size_t n_q, const uint8_t *next, float *s, size_t lds)
{
    (void)next;
    for (size_t r = 0; r < n_q; r++) {
        for (size_t t = 0; t < n_tiles; t++) {
            const uint8_t *tile = k + t * tile_bytes;
            float sums[ENGINE_KV_TILE] = {0};
            for (size_t d = 0; d < dim; d++)
                for (size_t p = 0; p < ENGINE_KV_TILE; p++)
                    sums[p] += q[r * dim + d] * float_at(tile + 4 * (d * ENGINE_KV_TILE + p));
            memcpy(s + r * lds + t * ENGINE_KV_TILE, sums, sizeof sums);
        }
    }
}

static void
ref_scores_int8(const uint8_t *k, size_t tile_bytes, size_t n_tiles, size_t dim,
                const engine_int8_block *q, size_t n_q, const uint8_t *next, float *s, size_t lds)
{
    (void)next;
    for (size_t i = 0; i < n_q * n_tiles * ENGINE_KV_TILE; i++) {
        const size_t r = i / (n_tiles * ENGINE_KV_TILE), position = i % (n_tiles * ENGINE_KV_TILE),
                     p = position % ENGINE_KV_TILE;
        const uint8_t *block = k + position / ENGINE_KV_TILE * tile_bytes;
        float sum = 0.0f;
        for (size_t b = 0; b < dim / 32; b++, block += 34 * ENGINE_KV_TILE) {
            const engine_int8_block *x = &q[r * (dim / 32) + b];
            int32_t isum = 0;
            for (size_t d = 0; d < 32; d++)
                isum += x->q[d] * (int8_t)block[(2 + d) * ENGINE_KV_TILE + p];
            sum = fmaf(half_at(block + 2 * p) * x->scale, (float)isum, sum);
        }
        s[r * lds + position] = sum;
    }
}

static void
ref_weigh_f32(const uint8_t *v, size_t row_bytes, size_t n_pos, size_t dim, const float *w,
              size_t ldw, size_t n_q, const uint8_t *next, float *out, size_t ldo)
{
    (void)next;
    for (size_t r = 0; r < n_q; r++)
        for (size_t p = 0; p < n_pos; p++)
            for (size_t d = 0; d < dim; d++)
                out[r * ldo + d] += w[r * ldw + p] * float_at(v + p * row_bytes + 4 * d);
}

static void
ref_to_half(const float *x, size_t n, uint16_t *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = engine_half_from_float(CLAMP(x[i], -65504.0f, 65504.0f));
}

const engine_kv_kernels engine_kv_kernels_ref = {
    .f32 = {ref_scores_f32, ref_weigh_f32, ref_tile_f32, ref_row_f32, NULL},
    .f16 = {NULL, NULL, ref_tile_f16, ref_row_f16, NULL},
    .q8_0 = {NULL, NULL, ref_tile_q8_0, ref_row_q8_0, ref_scores_int8},
    .q4_0 = {NULL, NULL, ref_tile_q4_0, ref_row_q4_0, NULL},
    .to_half = ref_to_half,
};

const engine_kv_kernels *
engine_kv_kernels_lookup(engine_cpu cpu)
{
#ifdef LODE_ENGINE_X86
    if (cpu == ENGINE_CPU_AVX512VNNI) return &engine_kv_kernels_vnni;
    if (cpu == ENGINE_CPU_AVX512) return &engine_kv_kernels_avx512;
    if (cpu == ENGINE_CPU_AVX2) return &engine_kv_kernels_avx2;
#else
    (void)cpu;
#endif
    return &engine_kv_kernels_ref;
}

const engine_kv_type_kernels *
engine_kv_kernels_of(const engine_kv_kernels *kernels, engine_type type)
{
    switch (type) {
    case ENGINE_TYPE_F32:
        return &kernels->f32;
    case ENGINE_TYPE_F16:
        return &kernels->f16;
    case ENGINE_TYPE_Q8_0:
        return &kernels->q8_0;
    case ENGINE_TYPE_Q4_0:
        return &kernels->q4_0;
    default:
        return NULL;
    }
}
