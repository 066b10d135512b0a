/* The KV cache's inner loops for AVX2 + FMA + F16C: the vocabulary; the loops are in kv_kernels_simd.h.
 * Twelve sums, two keys and one broadcast query element fill the sixteen registers. */
#include "engine/kv_kernels.h"

#include <immintrin.h>
#include <string.h>

#define VW         8
#define SCORE_ROWS 6

typedef __m256 vf;

#define v_load(p)      _mm256_loadu_ps(p)
#define v_store(p, v)  _mm256_storeu_ps(p, v)
#define v_set1(f)      _mm256_set1_ps(f)
#define v_zero()       _mm256_setzero_ps()
#define v_sub(a, b)    _mm256_sub_ps(a, b)
#define v_mul(a, b)    _mm256_mul_ps(a, b)
#define v_max(a, b)    _mm256_max_ps(a, b)
#define v_min(a, b)    _mm256_min_ps(a, b)
#define v_fma(a, b, c) _mm256_fmadd_ps(a, b, c)

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
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)p));
}

static inline void
v_to_half(vf x, uint16_t *out)
{
    _mm_storeu_si128((__m128i *)(void *)out, _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
}

static inline __m128i
bytes8(const uint8_t *p)
{
    return _mm_loadl_epi64((const __m128i *)(const void *)p);
}

static inline vf
v_i8(const uint8_t *p)
{
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes8(p)));
}

static inline vf
v_low4(const uint8_t *p)
{
    return _mm256_cvtepi32_ps(
        _mm256_and_si256(_mm256_cvtepu8_epi32(bytes8(p)), _mm256_set1_epi32(15)));
}

static inline vf
v_high4(const uint8_t *p)
{
    return _mm256_cvtepi32_ps(_mm256_srli_epi32(_mm256_cvtepu8_epi32(bytes8(p)), 4));
}

#include "engine/kv_kernels_simd.h"

const engine_kv_kernels engine_kv_kernels_avx2 = KV_TABLE;
