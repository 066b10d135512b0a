/* Scalar dequantisers of the GGUF block formats.
 *
 * A block is a run of 32 ("legacy") or 256 ("K") consecutive weights of one row. Offsets below are bytes
 * from the block's start; h is an IEEE half. The 5th and 6th bits of Q5_*, Q6_K and the high bit of Q3_K
 * live in separate bit planes.
 *
 *   Q8_0   [h d][i8 q x32]                              d*q
 *   Q4_0   [h d][u4 x32]                                d*(q-8)
 *   Q4_1   [h d][h m][u4 x32]                           d*q + m
 *   Q5_0   [h d][u32 high bits][u4 x32]                 d*(q-16)
 *   Q5_1   [h d][h m][u32 high bits][u4 x32]            d*q + m
 *   Q2_K   [u4 scale,u4 min x16][u2 x256][h d][h dmin]  d*sc*q - dmin*mn
 *   Q3_K   [high bits 32][u2 x256][6-bit scales 12][h d]
 *   Q4_K   [h d][h dmin][6-bit scales and mins 12][u4 x256]
 *   Q5_K   [h d][h dmin][6-bit scales and mins 12][high bits 32][u4 x256]
 *   Q6_K   [u4 x256][u2 x256][i8 scale x16][h d]
 *   IQ4_*  4-bit indices into a table of 16 levels;  MXFP4 [E8M0 exponent][E2M1 x32]
 *
 * In a block of 32, byte j holds weight j in its low nibble and weight j+16 in its high one.
 * Source: the GGUF specification and the block layouts of ggml; checked against recorded vectors. */
#include "engine/dequant.h"

#include "engine/tensor.h"

#include <math.h>
#include <string.h>

const int8_t engine_iq4_levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                      1,    13,   25,  38,  53,  69,  89,  113};
/* E2M1 values doubled, so that they are whole numbers */
const int8_t engine_e2m1_levels[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

static inline uint16_t
load_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t
load_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline float
load_half(const uint8_t *p)
{
    return engine_half_to_float(load_u16(p));
}

void
engine_dequantize_f32(const uint8_t *src, float *dst, size_t n)
{
    memcpy(dst, src, n * sizeof(float));
}

void
engine_dequantize_f16(const uint8_t *src, float *dst, size_t n)
{
    for (size_t i = 0; i < n; i++)
        dst[i] = load_half(src + 2 * i);
}

void
engine_dequantize_bf16(const uint8_t *src, float *dst, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = (uint32_t)load_u16(src + 2 * i) << 16;
        memcpy(&dst[i], &bits, sizeof bits);
    }
}

void
engine_dequantize_f64(const uint8_t *src, float *dst, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double value;
        memcpy(&value, src + 8 * i, sizeof value);
        dst[i] = (float)value;
    }
}

/* sign 1 | exponent 4 (bias 7) | mantissa 3; all ones is the one NaN, there is no infinity.
 * Source: "FP8 Formats for Deep Learning", arXiv:2209.05433, table 1. */
void
engine_dequantize_f8_e4m3(const uint8_t *src, float *dst, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const uint32_t magnitude = src[i] & 127u, sign = (uint32_t)(src[i] & 128u) << 24;
        uint32_t bits;
        if (magnitude == 127) {
            bits = 0x7fc00000u;
        } else if (magnitude < 8) { /* subnormal: mantissa * 2^-9 */
            const float value = (float)magnitude * 0x1p-9f;
            memcpy(&bits, &value, sizeof bits);
        } else { /* rebias 7 to 127 */
            bits = (magnitude << 20) + (120u << 23);
        }
        bits |= sign;
        memcpy(&dst[i], &bits, sizeof bits);
    }
}

void
engine_dequantize_f8_e5m2(const uint8_t *src, float *dst, size_t n)
{
    for (size_t i = 0; i < n; i++)
        dst[i] = engine_half_to_float((uint16_t)(src[i] << 8));
}

void
engine_dequantize_f8_e8m0(const uint8_t *src, float *dst, size_t n)
{
    for (size_t i = 0; i < n; i++)
        dst[i] = src[i] == 255 ? NAN : ldexpf(1.0f, (int)src[i] - 127);
}

void
engine_dequantize_q8_0(const uint8_t *src, float *dst, size_t n)
{
    for (; n > 0; n -= 32, src += 34, dst += 32) {
        const float d = load_half(src);
        for (int j = 0; j < 32; j++)
            dst[j] = d * (float)(int8_t)src[2 + j];
    }
}

void
engine_dequantize_q4_0(const uint8_t *src, float *dst, size_t n)
{
    for (; n > 0; n -= 32, src += 18, dst += 32) {
        const float d = load_half(src);
        for (int j = 0; j < 16; j++) {
            dst[j] = d * (float)((src[2 + j] & 15) - 8);
            dst[j + 16] = d * (float)((src[2 + j] >> 4) - 8);
        }
    }
}

void
engine_dequantize_q4_1(const uint8_t *src, float *dst, size_t n)
{
    for (; n > 0; n -= 32, src += 20, dst += 32) {
        const float d = load_half(src), m = load_half(src + 2);
        for (int j = 0; j < 16; j++) {
            dst[j] = d * (float)(src[4 + j] & 15) + m;
            dst[j + 16] = d * (float)(src[4 + j] >> 4) + m;
        }
    }
}

void
engine_dequantize_q5_0(const uint8_t *src, float *dst, size_t n)
{
    for (; n > 0; n -= 32, src += 22, dst += 32) {
        const float d = load_half(src);
        const uint32_t high = load_u32(src + 2);
        for (int j = 0; j < 16; j++) {
            const int lo = (src[6 + j] & 15) | (int)((high >> j & 1) << 4);
            const int hi = (src[6 + j] >> 4) | (int)((high >> (j + 16) & 1) << 4);
            dst[j] = d * (float)(lo - 16);
            dst[j + 16] = d * (float)(hi - 16);
        }
    }
}

void
engine_dequantize_q5_1(const uint8_t *src, float *dst, size_t n)
{
    for (; n > 0; n -= 32, src += 24, dst += 32) {
        const float d = load_half(src), m = load_half(src + 2);
        const uint32_t high = load_u32(src + 4);
        for (int j = 0; j < 16; j++) {
            const int lo = (src[8 + j] & 15) | (int)((high >> j & 1) << 4);
            const int hi = (src[8 + j] >> 4) | (int)((high >> (j + 16) & 1) << 4);
            dst[j] = d * (float)lo + m;
            dst[j + 16] = d * (float)hi + m;
        }
    }
}

void
engine_dequantize_q2_k(const uint8_t *src, float *dst, size_t n)
{
    for (; n > 0; n -= 256, src += 84, dst += 256) {
        const float d = load_half(src + 80), dmin = load_half(src + 82);
        for (int i = 0; i < 256; i++) {
            /* 128 weights share 32 bytes: shift 0 for the first 32 of them, then 2, 4, 6 */
            const int half = i / 128, shift = i % 128 / 32 * 2, group = i / 16;
            const int q = src[16 + half * 32 + i % 32] >> shift & 3;
            dst[i] = d * (float)(src[group] & 15) * (float)q - dmin * (float)(src[group] >> 4);
        }
    }
}

/* Sixteen 6-bit scales of a Q3_K block out of 12 bytes: low nibbles in the first 8, pairs of high bits in
 * the last 4. */
static void
unpack_scales_q3_k(const uint8_t *packed, int8_t scales[16])
{
    for (int i = 0; i < 16; i++) {
        const int low = i < 8 ? packed[i] & 15 : packed[i - 8] >> 4;
        const int high = packed[8 + i % 4] >> (2 * (i / 4)) & 3;
        scales[i] = (int8_t)((low | high << 4) - 32);
    }
}

void
engine_dequantize_q3_k(const uint8_t *src, float *dst, size_t n)
{
    for (; n > 0; n -= 256, src += 110, dst += 256) {
        const float d = load_half(src + 108);
        int8_t scales[16];
        unpack_scales_q3_k(src + 96, scales);
        for (int i = 0; i < 256; i++) {
            const int half = i / 128, shift = i % 128 / 32 * 2;
            const int low = src[32 + half * 32 + i % 32] >> shift & 3;
            const int q = low - (src[i % 32] >> (i / 32) & 1 ? 0 : 4);
            dst[i] = d * (float)scales[i / 16] * (float)q;
        }
    }
}

/* Scale and min (6 bits each) of sub-block j of a Q4_K or Q5_K block. */
static inline void
unpack_scale_min(const uint8_t *packed, int j, float *scale, float *min)
{
    if (j < 4) {
        *scale = (float)(packed[j] & 63);
        *min = (float)(packed[j + 4] & 63);
    } else {
        *scale = (float)((packed[j + 4] & 15) | (packed[j - 4] >> 6) << 4);
        *min = (float)((packed[j + 4] >> 4) | (packed[j] >> 6) << 4);
    }
}

void
engine_dequantize_q4_k(const uint8_t *src, float *dst, size_t n)
{
    for (; n > 0; n -= 256, src += 144, dst += 256) {
        const float d = load_half(src), dmin = load_half(src + 2);
        for (int j = 0; j < 8; j++) {
            const uint8_t *qs = src + 16 + j / 2 * 32;
            float scale, min;
            unpack_scale_min(src + 4, j, &scale, &min);
            scale *= d;
            min *= dmin;
            for (int l = 0; l < 32; l++) {
                const int q = j % 2 ? qs[l] >> 4 : qs[l] & 15;
                dst[32 * j + l] = scale * (float)q - min;
            }
        }
    }
}

void
engine_dequantize_q5_k(const uint8_t *src, float *dst, size_t n)
{
    for (; n > 0; n -= 256, src += 176, dst += 256) {
        const float d = load_half(src), dmin = load_half(src + 2);
        for (int j = 0; j < 8; j++) {
            const uint8_t *qs = src + 48 + j / 2 * 32, *qh = src + 16;
            float scale, min;
            unpack_scale_min(src + 4, j, &scale, &min);
            scale *= d;
            min *= dmin;
            for (int l = 0; l < 32; l++) {
                const int q = (j % 2 ? qs[l] >> 4 : qs[l] & 15) + (qh[l] >> j & 1) * 16;
                dst[32 * j + l] = scale * (float)q - min;
            }
        }
    }
}

void
engine_dequantize_q6_k(const uint8_t *src, float *dst, size_t n)
{
    for (; n > 0; n -= 256, src += 210, dst += 256) {
        const float d = load_half(src + 208);
        for (int i = 0; i < 256; i++) {
            /* quarter 0, 1: low nibbles of bytes 0..31, 32..63 of this half; quarter 2, 3: their high ones */
            const int half = i / 128, quarter = i % 128 / 32, l = i % 32;
            const uint8_t ql = src[half * 64 + quarter % 2 * 32 + l];
            const uint8_t qh = src[128 + half * 32 + l];
            const int low = quarter < 2 ? ql & 15 : ql >> 4;
            const int q = (low | (qh >> (2 * quarter) & 3) << 4) - 32;
            dst[i] = d * (float)(int8_t)src[192 + i / 16] * (float)q;
        }
    }
}

void
engine_dequantize_iq4_nl(const uint8_t *src, float *dst, size_t n)
{
    for (; n > 0; n -= 32, src += 18, dst += 32) {
        const float d = load_half(src);
        for (int j = 0; j < 16; j++) {
            dst[j] = d * (float)engine_iq4_levels[src[2 + j] & 15];
            dst[j + 16] = d * (float)engine_iq4_levels[src[2 + j] >> 4];
        }
    }
}

void
engine_dequantize_iq4_xs(const uint8_t *src, float *dst, size_t n)
{
    for (; n > 0; n -= 256, src += 136, dst += 256) {
        const float d = load_half(src);
        const uint32_t high = load_u16(src + 2);
        for (int b = 0; b < 8; b++) {
            const int low = src[4 + b / 2] >> (4 * (b % 2)) & 15;
            const float scale = d * (float)((low | (int)((high >> (2 * b) & 3) << 4)) - 32);
            const uint8_t *qs = src + 8 + 16 * b;
            for (int j = 0; j < 16; j++) {
                dst[32 * b + j] = scale * (float)engine_iq4_levels[qs[j] & 15];
                dst[32 * b + j + 16] = scale * (float)engine_iq4_levels[qs[j] >> 4];
            }
        }
    }
}

void
engine_dequantize_mxfp4(const uint8_t *src, float *dst, size_t n)
{
    for (; n > 0; n -= 32, src += 17, dst += 32) {
        /* 2^(e-127), halved because the table is doubled */
        const float d = ldexpf(1.0f, (int)src[0] - 128);
        for (int j = 0; j < 16; j++) {
            dst[j] = d * (float)engine_e2m1_levels[src[1 + j] & 15];
            dst[j + 16] = d * (float)engine_e2m1_levels[src[1 + j] >> 4];
        }
    }
}
