/* Packed weights on the device: eight neighbours of a row at a time to floats. The formats are those of dequant.c, whose
 * scalar functions say what every value is.
 *
 * Every field of every block but MXFP4's lies at an even offset, so rows are read in pieces of 16 bits and need no more
 * alignment than that; nothing is read outside of a block. Sixteen or more neighbours share their scale everywhere. */
#ifndef LODE_CUDA_BLOCKS_H
#define LODE_CUDA_BLOCKS_H

#include "engine/cuda/kernels.h"

#define CUDA_EACH_TYPE(DO)                                                                         \
    DO(CUDA_F32)                                                                                   \
    DO(CUDA_F16)                                                                                   \
    DO(CUDA_BF16)                                                                                  \
    DO(CUDA_F8_E4M3)                                                                               \
    DO(CUDA_F8_E5M2)                                                                               \
    DO(CUDA_Q8_0)                                                                                  \
    DO(CUDA_Q4_0)                                                                                  \
    DO(CUDA_Q4_1)                                                                                  \
    DO(CUDA_Q5_0)                                                                                  \
    DO(CUDA_Q5_1)                                                                                  \
    DO(CUDA_Q2_K)                                                                                  \
    DO(CUDA_Q3_K)                                                                                  \
    DO(CUDA_Q4_K)                                                                                  \
    DO(CUDA_Q5_K)                                                                                  \
    DO(CUDA_Q6_K)                                                                                  \
    DO(CUDA_IQ4_NL)                                                                                \
    DO(CUDA_IQ4_XS)                                                                                \
    DO(CUDA_MXFP4)

static __host__ __device__ constexpr unsigned
block_elems(unsigned type)
{
    switch (type) {
    case CUDA_F32:
    case CUDA_F16:
    case CUDA_BF16:
    case CUDA_F8_E4M3:
    case CUDA_F8_E5M2:
        return 1;
    case CUDA_Q2_K:
    case CUDA_Q3_K:
    case CUDA_Q4_K:
    case CUDA_Q5_K:
    case CUDA_Q6_K:
    case CUDA_IQ4_XS:
        return 256;
    default:
        return 32;
    }
}

static __host__ __device__ constexpr unsigned
block_bytes(unsigned type)
{
    switch (type) {
    case CUDA_F32:
        return 4;
    case CUDA_F16:
    case CUDA_BF16:
        return 2;
    case CUDA_F8_E4M3:
    case CUDA_F8_E5M2:
        return 1;
    case CUDA_Q8_0:
        return 34;
    case CUDA_Q4_0:
    case CUDA_IQ4_NL:
        return 18;
    case CUDA_Q4_1:
        return 20;
    case CUDA_Q5_0:
        return 22;
    case CUDA_Q5_1:
        return 24;
    case CUDA_Q2_K:
        return 84;
    case CUDA_Q3_K:
        return 110;
    case CUDA_Q4_K:
        return 144;
    case CUDA_Q5_K:
        return 176;
    case CUDA_Q6_K:
        return 210;
    case CUDA_IQ4_XS:
        return 136;
    case CUDA_MXFP4:
        return 17;
    default:
        return 0;
    }
}

/* ---- pieces ---- */

static __device__ __forceinline__ unsigned
load_u16(const uint8_t *p)
{
    return *reinterpret_cast<const uint16_t *>(p);
}

static __device__ __forceinline__ unsigned
load_u32(const uint8_t *p)
{
    return load_u16(p) | load_u16(p + 2) << 16;
}

static __device__ __forceinline__ unsigned
load_u32_bytes(const uint8_t *p)
{
    return (unsigned)p[0] | (unsigned)p[1] << 8 | (unsigned)p[2] << 16 | (unsigned)p[3] << 24;
}

static __device__ __forceinline__ float
half_bits(unsigned bits)
{
    return __half2float(__ushort_as_half((unsigned short)bits));
}

static __device__ __forceinline__ float
load_half(const uint8_t *p)
{
    return half_bits(load_u16(p));
}

/* Byte k of a word, unsigned and signed. */
static __device__ __forceinline__ float
byte_of(unsigned word, int k)
{
    return (float)(word >> (8 * k) & 255u);
}

static __device__ __forceinline__ float
signed_byte_of(unsigned word, int k)
{
    return (float)(int8_t)(word >> (8 * k) & 255u);
}

/* Bits 0-3 of b to the bytes of a word. */
static __device__ __forceinline__ unsigned
spread_bits(unsigned b)
{
    return (b & 1u) | (b & 2u) << 7 | (b & 4u) << 14 | (b & 8u) << 21;
}

/* Each byte (0-15) of w by a table of sixteen bytes in four words. */
static __device__ __forceinline__ unsigned
look_up(unsigned w, unsigned t0, unsigned t1, unsigned t2, unsigned t3)
{
    const unsigned low = w & 0x07070707u;
    const unsigned select =
        (low & 7u) | (low >> 4 & 0x70u) | (low >> 8 & 0x700u) | (low >> 12 & 0x7000u);
    const unsigned upper = (w >> 3 & 0x01010101u) * 255u;
    return (__byte_perm(t0, t1, select) & ~upper) | (__byte_perm(t2, t3, select) & upper);
}

/* engine_iq4_levels and engine_e2m1_levels, the latter doubled */
static __device__ __forceinline__ unsigned
iq4_levels(unsigned w)
{
    return look_up(w, 0xbfad9881u, 0xf6eaddcfu, 0x26190d01u, 0x71594535u);
}

static __device__ __forceinline__ unsigned
e2m1_levels(unsigned w)
{
    return look_up(w, 0x03020100u, 0x0c080604u, 0xfdfeff00u, 0xf4f8fafcu);
}

static __device__ __forceinline__ float
e4m3_to_float(unsigned b)
{
    const unsigned magnitude = b & 127u;
    const float small = (float)magnitude * 0.001953125f;
    unsigned bits = magnitude < 8 ? __float_as_uint(small) : (magnitude << 20) + (120u << 23);
    if (magnitude == 127) bits = 0x7fc00000u;
    return __uint_as_float(bits | (b & 128u) << 24);
}

/* Scale and min (6 bits each) of sub-block j of Q4_K and Q5_K. */
static __device__ __forceinline__ void
scale_and_min(const uint8_t *packed, unsigned j, unsigned *scale, unsigned *min)
{
    if (j < 4) {
        *scale = packed[j] & 63u;
        *min = packed[j + 4] & 63u;
    } else {
        *scale = (packed[j + 4] & 15u) | (packed[j - 4] >> 6) << 4;
        *min = (packed[j + 4] >> 4) | (packed[j] >> 6) << 4;
    }
}

/* ---- eight elements ---- */

/* The numbers of elements at .. at+7 of a row of blocks of 32, and their scale: v = d q + m. */
template <unsigned TYPE>
static __device__ __forceinline__ void
decode_32(const uint8_t *row, unsigned at, float v[8])
{
    const uint8_t *b = row + (size_t)(at / 32) * block_bytes(TYPE);
    const unsigned r = at % 32, shift = r / 16 * 4;
    constexpr unsigned head = TYPE == CUDA_Q4_1    ? 4
                              : TYPE == CUDA_Q5_0  ? 6
                              : TYPE == CUDA_Q5_1  ? 8
                              : TYPE == CUDA_MXFP4 ? 1
                                                   : 2;
    float d, m = 0.0f;

    if constexpr (TYPE == CUDA_MXFP4) {
        const unsigned e = b[0]; /* 2^(e - 128): the levels are doubled */
        d = __uint_as_float(e >= 2 ? (e - 1) << 23 : 0x00200000u << e);
    } else {
        d = load_half(b);
    }
    if constexpr (TYPE == CUDA_Q4_1 || TYPE == CUDA_Q5_1) m = load_half(b + 2);
    if constexpr (TYPE == CUDA_Q8_0) {
        const unsigned w[2] = {load_u32(b + 2 + r), load_u32(b + 6 + r)};
#pragma unroll
        for (int k = 0; k < 8; k++)
            v[k] = d * signed_byte_of(w[k / 4], k % 4);
        return;
    }
    const uint8_t *q = b + head + r % 16;
#pragma unroll
    for (int i = 0; i < 2; i++) {
        const unsigned both = TYPE == CUDA_MXFP4 ? load_u32_bytes(q + 4 * i) : load_u32(q + 4 * i);
        unsigned w = both >> shift & 0x0f0f0f0fu;
        if constexpr (TYPE == CUDA_Q5_0 || TYPE == CUDA_Q5_1)
            w |= spread_bits(load_u32(b + head - 4) >> (r + 4 * (unsigned)i)) << 4;
        if constexpr (TYPE == CUDA_IQ4_NL) w = iq4_levels(w);
        if constexpr (TYPE == CUDA_MXFP4) w = e2m1_levels(w);
#pragma unroll
        for (int k = 0; k < 4; k++) {
            if constexpr (TYPE == CUDA_Q4_0)
                v[4 * i + k] = d * (byte_of(w, k) - 8.0f);
            else if constexpr (TYPE == CUDA_Q5_0)
                v[4 * i + k] = d * (byte_of(w, k) - 16.0f);
            else if constexpr (TYPE == CUDA_IQ4_NL || TYPE == CUDA_MXFP4)
                v[4 * i + k] = d * signed_byte_of(w, k);
            else
                v[4 * i + k] = d * byte_of(w, k) + m;
        }
    }
}

/* The same of blocks of 256. */
template <unsigned TYPE>
static __device__ __forceinline__ void
decode_256(const uint8_t *row, unsigned at, float v[8])
{
    const uint8_t *b = row + (size_t)(at / 256) * block_bytes(TYPE);
    const unsigned r = at % 256, part = r / 128, quarter = r % 128 / 32, l = r % 32;
    unsigned w[2];
    float scale, min = 0.0f, zero = 0.0f;

    if constexpr (TYPE == CUDA_Q2_K) {
        const uint8_t *q = b + 16 + part * 32 + l;
        const unsigned sm = b[r / 16];
        scale = load_half(b + 80) * (float)(sm & 15u);
        min = load_half(b + 82) * (float)(sm >> 4);
        for (int i = 0; i < 2; i++)
            w[i] = load_u32(q + 4 * i) >> (2 * quarter) & 0x03030303u;
    } else if constexpr (TYPE == CUDA_Q3_K) {
        const uint8_t *q = b + 32 + part * 32 + l;
        const unsigned g = r / 16, packed = b[96 + g % 8];
        const unsigned low = g < 8 ? packed & 15u : packed >> 4;
        const unsigned high = b[104 + g % 4] >> (2 * (g / 4)) & 3u;
        scale = load_half(b + 108) * (float)((int)(low | high << 4) - 32);
        zero = 4.0f;
        for (int i = 0; i < 2; i++)
            w[i] = (load_u32(q + 4 * i) >> (2 * quarter) & 0x03030303u) |
                   (load_u32(b + l + 4 * i) >> (r / 32) & 0x01010101u) << 2;
    } else if constexpr (TYPE == CUDA_Q4_K || TYPE == CUDA_Q5_K) {
        const unsigned j = r / 32;
        const uint8_t *q = b + (TYPE == CUDA_Q4_K ? 16 : 48) + j / 2 * 32 + l;
        unsigned s, m;
        scale_and_min(b + 4, j, &s, &m);
        scale = load_half(b) * (float)s;
        min = load_half(b + 2) * (float)m;
        for (int i = 0; i < 2; i++) {
            w[i] = load_u32(q + 4 * i) >> (j % 2 * 4) & 0x0f0f0f0fu;
            if constexpr (TYPE == CUDA_Q5_K)
                w[i] |= (load_u32(b + 16 + l + 4 * i) >> j & 0x01010101u) << 4;
        }
    } else if constexpr (TYPE == CUDA_Q6_K) {
        const uint8_t *ql = b + part * 64 + quarter % 2 * 32 + l, *qh = b + 128 + part * 32 + l;
        scale = load_half(b + 208) * (float)(int8_t)b[192 + r / 16];
        zero = 32.0f;
        for (int i = 0; i < 2; i++)
            w[i] = (load_u32(ql + 4 * i) >> (quarter / 2 * 4) & 0x0f0f0f0fu) |
                   (load_u32(qh + 4 * i) >> (2 * quarter) & 0x03030303u) << 4;
    } else { /* IQ4_XS */
        const unsigned j = r / 32;
        const unsigned low = b[4 + j / 2] >> (4 * (j % 2)) & 15u;
        const uint8_t *q = b + 8 + 16 * j + r % 16;
        scale = load_half(b) * (float)((int)(low | (load_u16(b + 2) >> (2 * j) & 3u) << 4) - 32);
        for (int i = 0; i < 2; i++)
            w[i] = iq4_levels(load_u32(q + 4 * i) >> (l / 16 * 4) & 0x0f0f0f0fu);
    }
#pragma unroll
    for (int k = 0; k < 8; k++) {
        const float q =
            TYPE == CUDA_IQ4_XS ? signed_byte_of(w[k / 4], k % 4) : byte_of(w[k / 4], k % 4) - zero;
        v[k] = scale * q - min;
    }
}

/* One element of a type without blocks. */
template <unsigned TYPE>
static __device__ __forceinline__ float
decode_1(const uint8_t *row, size_t at)
{
    if constexpr (TYPE == CUDA_F32)
        return reinterpret_cast<const float *>(row)[at];
    else if constexpr (TYPE == CUDA_F16)
        return load_half(row + 2 * at);
    else if constexpr (TYPE == CUDA_BF16)
        return __uint_as_float(load_u16(row + 2 * at) << 16);
    else if constexpr (TYPE == CUDA_F8_E4M3)
        return e4m3_to_float(row[at]);
    else
        return half_bits((unsigned)row[at] << 8);
}

/* Elements at .. at+7 of a row of n (at < n, a multiple of 8); those from n on are 0. */
template <unsigned TYPE>
static __device__ __forceinline__ void
decode_8(const uint8_t *row, unsigned at, unsigned n, float v[8])
{
    if constexpr (block_elems(TYPE) == 32) {
        decode_32<TYPE>(row, at, v);
    } else if constexpr (block_elems(TYPE) == 256) {
        decode_256<TYPE>(row, at, v);
    } else {
#pragma unroll
        for (unsigned k = 0; k < 8; k++)
            v[k] = at + k < n ? decode_1<TYPE>(row, at + k) : 0.0f;
    }
}

/* The scales of FP8 blocks; see lode_cuda_matrix. scales: of the row's blocks, NULL: none. */
static __device__ __forceinline__ void
apply_scales(const float *scales, unsigned scale_cols, unsigned at, unsigned n, float v[8])
{
    if (!scales) return;
#pragma unroll
    for (unsigned k = 0; k < 8; k++)
        if (at + k < n) v[k] *= scales[(at + k) / scale_cols];
}

/* A matrix as kernels take it. */
struct packed_matrix {
    const uint8_t *data;
    const float *scales;
    size_t row_bytes;
    unsigned n_in, n_out, scale_rows, scale_cols;
};

static inline packed_matrix
packed_of(const lode_cuda_matrix *w)
{
    return packed_matrix{static_cast<const uint8_t *>(w->data),
                         w->scales,
                         cuda_row_bytes(w->type, w->n_in),
                         w->n_in,
                         w->n_out,
                         w->scale_rows > 0 ? w->scale_rows : 1,
                         w->scale_cols > 0 ? w->scale_cols : 1};
}

static __device__ __forceinline__ const float *
row_scales(const packed_matrix &w, const float *scales, unsigned row)
{
    const size_t n_cols = (w.n_in + w.scale_cols - 1) / w.scale_cols;
    return scales ? scales + row / w.scale_rows * n_cols : NULL;
}

/* Nearest 16-bit number; half: beyond its range the largest, a NaN stays one. */
template <bool BF16>
static __device__ __forceinline__ unsigned
to_16_bits(float x)
{
    if constexpr (BF16) return __bfloat16_as_ushort(__float2bfloat16_rn(x));
    if (fabsf(x) > 65504.0f) x = x > 0.0f ? 65504.0f : -65504.0f;
    return __half_as_ushort(__float2half_rn(x));
}

template <bool BF16>
static __device__ __forceinline__ unsigned
pack_2(float low, float high)
{
    return to_16_bits<BF16>(low) | to_16_bits<BF16>(high) << 16;
}

#endif
