/* Kernels for AVX-512 F, BW, VL, DQ: vectors of 16. The vocabulary only; the kernels are in kernels_simd.h.
 *
 * Register block of the product: 4 rows x 6 tokens = 24 sums, 4 weights and one activation of the 32
 * registers. */
#include "engine/dequant.h"
#include "engine/kernels_levels.h"

#include <immintrin.h>
#include <math.h>
#include <string.h>

#define VW           16
#define MICRO_ROWS   4
#define MICRO_TOKENS 6

typedef __m512 vf;

#define v_load(p)      _mm512_loadu_ps(p)
#define v_store(p, v)  _mm512_storeu_ps(p, v)
#define v_set1(f)      _mm512_set1_ps(f)
#define v_broadcast(x) _mm512_broadcastss_ps(x)
#define v_zero()       _mm512_setzero_ps()
#define v_add(a, b)    _mm512_add_ps(a, b)
#define v_sub(a, b)    _mm512_sub_ps(a, b)
#define v_mul(a, b)    _mm512_mul_ps(a, b)
#define v_div(a, b)    _mm512_div_ps(a, b)
#define v_max(a, b)    _mm512_max_ps(a, b)
#define v_min(a, b)    _mm512_min_ps(a, b)
#define v_fma(a, b, c) _mm512_fmadd_ps(a, b, c)
#define v_round(v)     _mm512_roundscale_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)

static inline __mmask16
first_lanes(size_t n)
{
    return (__mmask16)((1u << n) - 1u);
}

static inline vf
v_load_n(const float *p, size_t n)
{
    return _mm512_maskz_loadu_ps(first_lanes(n), p);
}

static inline void
v_store_n(float *p, vf v, size_t n)
{
    _mm512_mask_storeu_ps(p, first_lanes(n), v);
}

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

static inline vf
v_half(const uint8_t *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)p));
}

static inline vf
v_bf16(const uint8_t *p)
{
    const __m256i raw = _mm256_loadu_si256((const __m256i *)(const void *)p);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(raw), 16));
}

#include "engine/kernels_simd.h"

const engine_kernels engine_kernels_avx512 = SIMD_TABLE(ENGINE_CPU_AVX512);
