/* Kernels for AVX2 + FMA + F16C: vectors of 8. The vocabulary only; the kernels are in kernels_simd.h.
 *
 * Register block of the product: 4 rows x 3 tokens = 12 sums, 4 weights and one activation fill the 16
 * registers, with 12 multiply-adds per 7 loads. */
#include "engine/dequant.h"
#include "engine/kernels_levels.h"

#include <immintrin.h>
#include <math.h>
#include <string.h>

#define VW           8
#define MICRO_ROWS   4
#define MICRO_TOKENS 3

typedef __m256 vf;

#define v_load(p)      _mm256_loadu_ps(p)
#define v_store(p, v)  _mm256_storeu_ps(p, v)
#define v_set1(f)      _mm256_set1_ps(f)
#define v_broadcast(x) _mm256_broadcastss_ps(x)
#define v_zero()       _mm256_setzero_ps()
#define v_add(a, b)    _mm256_add_ps(a, b)
#define v_sub(a, b)    _mm256_sub_ps(a, b)
#define v_mul(a, b)    _mm256_mul_ps(a, b)
#define v_div(a, b)    _mm256_div_ps(a, b)
#define v_max(a, b)    _mm256_max_ps(a, b)
#define v_min(a, b)    _mm256_min_ps(a, b)
#define v_fma(a, b, c) _mm256_fmadd_ps(a, b, c)
#define v_round(v)     _mm256_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)

static inline __m256i
first_lanes(size_t n)
{
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), lane);
}

static inline vf
v_load_n(const float *p, size_t n)
{
    return _mm256_maskload_ps(p, first_lanes(n));
}

static inline void
v_store_n(float *p, vf v, size_t n)
{
    _mm256_maskstore_ps(p, first_lanes(n), v);
}

static inline vf
v_keep_n(vf v, size_t n)
{
    return _mm256_and_ps(v, _mm256_castsi256_ps(first_lanes(n)));
}

/* ((0+1) + (2+3)) + ((4+5) + (6+7)) of each */
static inline __m128
v_sum4(vf a, vf b, vf c, vf d)
{
    const vf quads = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d));
    return _mm_add_ps(_mm256_castps256_ps128(quads), _mm256_extractf128_ps(quads, 1));
}

static inline float
v_sum(vf v)
{
    return _mm_cvtss_f32(v_sum4(v, v, v, v));
}

static inline float
v_max_lanes(vf v)
{
    __m128 m = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    m = _mm_max_ps(m, _mm_movehl_ps(m, m));
    return _mm_cvtss_f32(_mm_max_ss(m, _mm_movehdup_ps(m)));
}

static inline vf
v_exp2i(vf k)
{
    const __m256i biased = _mm256_add_epi32(_mm256_cvtps_epi32(k), _mm256_set1_epi32(127));
    return _mm256_castsi256_ps(_mm256_slli_epi32(biased, 23));
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

static inline vf
v_half(const uint8_t *p)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)p));
}

static inline vf
v_bf16(const uint8_t *p)
{
    const __m128i raw = _mm_loadu_si128((const __m128i *)(const void *)p);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(raw), 16));
}

#include "engine/kernels_simd.h"

const engine_kernels engine_kernels_avx2 = SIMD_TABLE(ENGINE_CPU_AVX2);
