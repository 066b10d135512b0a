/* Kernels for AVX-512 F, BW, VL, DQ: vectors of 16. The vocabulary only; the kernels are in kernels_simd.h.
 *
 * Register block of the product: 4 rows x 6 tokens = 24 sums, 4 weights and one activation of the 32
 * registers. */
#include "engine/dequant.h"
#include "engine/kernels_levels.h"
#include "engine/vectors_avx512.h"

#include <math.h>
#include <string.h>

#define MICRO_ROWS   4
#define MICRO_TOKENS 6

static inline vf
v_keep_n(vf v, size_t n)
{
    return _mm512_maskz_mov_ps(first_lanes(n), v);
}

/* Lane i plus lane i+8 first, then as for 8 lanes: ((0+1) + (2+3)) + ((4+5) + (6+7)). */
static inline __m256
fold(vf v)
{
    return _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
}

static inline __m128
v_sum4(vf a, vf b, vf c, vf d)
{
    const __m256 quads =
        _mm256_hadd_ps(_mm256_hadd_ps(fold(a), fold(b)), _mm256_hadd_ps(fold(c), fold(d)));
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
    return _mm512_reduce_max_ps(v);
}

static inline vf
v_exp2i(vf k)
{
    const __m512i biased = _mm512_add_epi32(_mm512_cvtps_epi32(k), _mm512_set1_epi32(127));
    return _mm512_castsi512_ps(_mm512_slli_epi32(biased, 23));
}

static inline vf
v_bf16(const uint8_t *p)
{
    const __m256i raw = _mm256_loadu_si256((const __m256i *)(const void *)p);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(raw), 16));
}

#include "engine/kernels_simd.h"

const engine_kernels engine_kernels_avx512 = SIMD_TABLE(ENGINE_CPU_AVX512);
