/* The vocabulary of int8_simd.h for AVX-512 F, BW, VL and DQ: panels of 16 rows.
 *
 * Register block of the product: 2 panels x 8 tokens = 16 sums, enough to hide the latency of vpdpbusd. */
#include "engine/int8_levels.h"

#include <immintrin.h>
#include <math.h>
#include <string.h>

/* compilers disagree about the sign of a shift's count */
#pragma GCC diagnostic ignored "-Wsign-conversion"

#define VW          16
#define TOKENS      8
#define TILE_TOKENS 8, 4, 2, 1

typedef __m512 vf;
typedef __m512i vi;

#define v_load(p)          _mm512_loadu_ps(p)
#define v_store(p, v)      _mm512_storeu_ps(p, v)
#define v_load_n(p, n)     _mm512_maskz_loadu_ps((__mmask16)((1u << (n)) - 1), p)
#define v_store_n(p, v, n) _mm512_mask_storeu_ps(p, (__mmask16)((1u << (n)) - 1), v)
#define v_zero()           _mm512_setzero_ps()
#define v_sub(a, b)        _mm512_sub_ps(a, b)
#define v_mul(a, b)        _mm512_mul_ps(a, b)
#define v_fma(a, b, c)     _mm512_fmadd_ps(a, b, c)
#define v_cvt(v)           _mm512_cvtepi32_ps(v)
#define v_bcastf(x)        _mm512_set1_ps(x)
#define v_set8(c)          _mm512_set1_epi8(c)
#define v_set16(c)         _mm512_set1_epi16(c)
#define v_set32(c)         _mm512_set1_epi32(c)
#define v_and(a, b)        _mm512_and_si512(a, b)
#define v_or(a, b)         _mm512_or_si512(a, b)
#define v_xor(a, b)        _mm512_xor_si512(a, b)
#define v_sub8(a, b)       _mm512_sub_epi8(a, b)
#define v_sub16(a, b)      _mm512_sub_epi16(a, b)
#define v_add16(a, b)      _mm512_add_epi16(a, b)
#define v_add32(a, b)      _mm512_add_epi32(a, b)
#define v_slli16(v, n)     _mm512_slli_epi16(v, n)
#define v_srli16(v, n)     _mm512_srli_epi16(v, n)
#define v_srai16(v, n)     _mm512_srai_epi16(v, n)
#define v_slli32(v, n)     _mm512_slli_epi32(v, n)
#define v_srli32(v, n)     _mm512_srli_epi32(v, n)
#define v_shuffle8(t, i)   _mm512_shuffle_epi8(t, i)
#define v_maddubs(u, s)    _mm512_maddubs_epi16(u, s)
#define v_maddw(a, b)      _mm512_madd_epi16(a, b)
#define v_abs8(v)          _mm512_abs_epi8(v)
#define v_unpacklo32(a, b) _mm512_unpacklo_epi32(a, b)
#define v_unpackhi32(a, b) _mm512_unpackhi_epi32(a, b)
#define v_unpacklo64(a, b) _mm512_unpacklo_epi64(a, b)
#define v_unpackhi64(a, b) _mm512_unpackhi_epi64(a, b)
#define v_blend16(a, b)    _mm512_mask_blend_epi16(0xaaaaaaaau, a, b)
#define v_table(...)       _mm512_broadcast_i32x4(_mm_setr_epi8(__VA_ARGS__))
#ifndef v_keep
#define v_keep(v)        __asm__("" : "+v"(v))
#define v_prefetch(v, p) __asm__("prefetcht1 %1" : "+v"(v) : "m"(*(p)))
#endif

/* v where s >= 0, else -v; s = 0 is multiplied by nothing that matters. */
static inline vi
v_sign8(vi v, vi s)
{
    return _mm512_mask_sub_epi8(v, _mm512_movepi8_mask(s), _mm512_setzero_si512(), v);
}

static inline vi
v_bcast32(const void *p)
{
    int32_t word;
    memcpy(&word, p, sizeof word);
    return _mm512_set1_epi32(word);
}

static inline vi
v_test16(vi v, vi mask)
{
    return _mm512_maskz_mov_epi8(_mm512_test_epi8_mask(v, mask), _mm512_set1_epi8(16));
}

static inline __m128i
load16(const uint8_t *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

static inline vi
v_rows16(const uint8_t *p, size_t stride)
{
    vi v = _mm512_castsi128_si512(load16(p));
    v = _mm512_inserti32x4(v, load16(p + 4 * stride), 1);
    v = _mm512_inserti32x4(v, load16(p + 8 * stride), 2);
    return _mm512_inserti32x4(v, load16(p + 12 * stride), 3);
}

static inline int
word_at(const uint8_t *p)
{
    int32_t word;
    memcpy(&word, p, sizeof word);
    return word;
}

static inline vi
v_rows32(const uint8_t *p, size_t s)
{
    return _mm512_setr_epi32(word_at(p), word_at(p + s), word_at(p + 2 * s), word_at(p + 3 * s),
                             word_at(p + 4 * s), word_at(p + 5 * s), word_at(p + 6 * s),
                             word_at(p + 7 * s), word_at(p + 8 * s), word_at(p + 9 * s),
                             word_at(p + 10 * s), word_at(p + 11 * s), word_at(p + 12 * s),
                             word_at(p + 13 * s), word_at(p + 14 * s), word_at(p + 15 * s));
}

static inline vf
v_half_low(vi v)
{
    return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(v));
}

static inline void
v_both_halves(vi v, vf *low, vf *high)
{
    *low = v_half_low(v);
    *high = v_half_low(v_srli32(v, 16));
}

static inline void
v_rows_halves(const uint8_t *p, size_t s, vf *first, vf *second)
{
    v_both_halves(v_rows32(p, s), first, second);
}

/* 2^(e - 128); subnormal for e < 2. */
static inline vf
v_exponent(vi e)
{
    const vi normal = _mm512_slli_epi32(_mm512_sub_epi32(e, _mm512_set1_epi32(1)), 23);
    const vi subnormal = _mm512_sllv_epi32(_mm512_set1_epi32(0x00200000), e);
    const __mmask16 small = _mm512_cmplt_epi32_mask(e, _mm512_set1_epi32(2));
    return _mm512_castsi512_ps(_mm512_mask_blend_epi32(small, normal, subnormal));
}

#include "engine/int8_quantize_x86.h"
#include "engine/int8_simd.h"
