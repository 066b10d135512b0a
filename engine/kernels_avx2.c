/* Kernels for AVX2 + FMA + F16C: vectors of 8. The vocabulary only; the kernels are in kernels_simd.h.
 *
 * Register block of the product: 4 rows x 3 tokens = 12 sums, 4 weights and one activation fill the 16
 * registers, with 12 multiply-adds per 7 loads. */
#include "engine/dequant.h"
#include "engine/kernels_levels.h"
#include "engine/vectors_avx2.h"

#include <math.h>
#include <string.h>

#define MICRO_ROWS   4
#define MICRO_TOKENS 3

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

static inline vf
v_bf16(const uint8_t *p)
{
    const __m128i raw = _mm_loadu_si128((const __m128i *)(const void *)p);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(raw), 16));
}

#include "engine/kernels_simd.h"

const engine_kernels engine_kernels_avx2 = SIMD_TABLE(ENGINE_CPU_AVX2);
