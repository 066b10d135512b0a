/* The KV cache's inner loops for AVX-512 F, BW, VL, DQ: the vocabulary; the loops are in kv_kernels_simd.h.
 * 24 sums, two keys and one broadcast query element of the 32 registers. */
#include "engine/kv_kernels.h"

#include <immintrin.h>
#include <string.h>

#define VW         16
#define SCORE_ROWS 12

typedef __m512 vf;

#define v_load(p)      _mm512_loadu_ps(p)
#define v_store(p, v)  _mm512_storeu_ps(p, v)
#define v_set1(f)      _mm512_set1_ps(f)
#define v_zero()       _mm512_setzero_ps()
#define v_sub(a, b)    _mm512_sub_ps(a, b)
#define v_mul(a, b)    _mm512_mul_ps(a, b)
#define v_max(a, b)    _mm512_max_ps(a, b)
#define v_min(a, b)    _mm512_min_ps(a, b)
#define v_fma(a, b, c) _mm512_fmadd_ps(a, b, c)

static inline float
half_at(const uint8_t *p)
{
    uint16_t h;
    memcpy(&h, p, sizeof h);
    return _cvtsh_ss(h);
}

static inline vf
v_half(const uint8_t *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)p));
}

static inline void
v_to_half(vf x, uint16_t *out)
{
    _mm256_storeu_si256((__m256i *)(void *)out, _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
}

static inline __m128i
bytes16(const uint8_t *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

static inline vf
v_i8(const uint8_t *p)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes16(p)));
}

static inline vf
v_low4(const uint8_t *p)
{
    return _mm512_cvtepi32_ps(
        _mm512_and_si512(_mm512_cvtepu8_epi32(bytes16(p)), _mm512_set1_epi32(15)));
}

static inline vf
v_high4(const uint8_t *p)
{
    return _mm512_cvtepi32_ps(_mm512_srli_epi32(_mm512_cvtepu8_epi32(bytes16(p)), 4));
}

#include "engine/kv_kernels_simd.h"

const engine_kv_kernels engine_kv_kernels_avx512 = KV_TABLE;
