/* Products in int8 for AVX2: panels of 8 rows. The vocabulary only; the kernels are in int8_simd.h.
 *
 * Register block of the product: 2 panels x 4 tokens = 8 sums of 16 bits; a step is two loads of weights
 * and, per token, one broadcast and two multiply-adds. The float sums wait in memory between blocks. */
#include "engine/int8_levels.h"
#include "engine/vectors_avx2.h"

#include <math.h>
#include <string.h>

#define TOKENS      4
#define TILE_TOKENS 4, 3, 2, 1

typedef __m256i vi;

#define v_cvt(v)           _mm256_cvtepi32_ps(v)
#define v_bcastf(x)        _mm256_set1_ps(x)
#define v_set8(c)          _mm256_set1_epi8(c)
#define v_set16(c)         _mm256_set1_epi16(c)
#define v_set32(c)         _mm256_set1_epi32(c)
#define v_and(a, b)        _mm256_and_si256(a, b)
#define v_or(a, b)         _mm256_or_si256(a, b)
#define v_sub8(a, b)       _mm256_sub_epi8(a, b)
#define v_sub16(a, b)      _mm256_sub_epi16(a, b)
#define v_add16(a, b)      _mm256_add_epi16(a, b)
#define v_add32(a, b)      _mm256_add_epi32(a, b)
#define v_slli16(v, n)     _mm256_slli_epi16(v, n)
#define v_srli16(v, n)     _mm256_srli_epi16(v, n)
#define v_srai16(v, n)     _mm256_srai_epi16(v, n)
#define v_slli32(v, n)     _mm256_slli_epi32(v, n)
#define v_srli32(v, n)     _mm256_srli_epi32(v, n)
#define v_shuffle8(t, i)   _mm256_shuffle_epi8(t, i)
#define v_maddubs(u, s)    _mm256_maddubs_epi16(u, s)
#define v_maddw(a, b)      _mm256_madd_epi16(a, b)
#define v_abs8(v)          _mm256_abs_epi8(v)
#define v_sign8(v, s)      _mm256_sign_epi8(v, s)
#define v_unpacklo32(a, b) _mm256_unpacklo_epi32(a, b)
#define v_unpackhi32(a, b) _mm256_unpackhi_epi32(a, b)
#define v_unpacklo64(a, b) _mm256_unpacklo_epi64(a, b)
#define v_unpackhi64(a, b) _mm256_unpackhi_epi64(a, b)
#define v_blend16(a, b)    _mm256_blend_epi16(a, b, 0xaa)

#define v_prefetch(v, p) __asm__("prefetcht1 %1" : "+x"(v) : "m"(*(p)))
#define v_keep(v)        __asm__("" : "+x"(v))
#define v_table(...)     _mm256_broadcastsi128_si256(_mm_setr_epi8(__VA_ARGS__))

static inline vi
v_bcast32(const void *p)
{
    int32_t word;
    memcpy(&word, p, sizeof word);
    return _mm256_set1_epi32(word);
}

static inline vi
v_test16(vi v, vi mask)
{
    const vi set = _mm256_cmpeq_epi8(_mm256_and_si256(v, mask), mask);
    return _mm256_and_si256(set, _mm256_set1_epi8(16));
}

static inline vi
v_rows16(const uint8_t *p, size_t stride)
{
    const __m128i low = _mm_loadu_si128((const __m128i *)(const void *)p),
                  high = _mm_loadu_si128((const __m128i *)(const void *)(p + 4 * stride));
    return _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
}

/* A 32-bit word, 0 above. Inserting words one by one takes a cycle each here, so they are loaded and unpacked. */
static inline __m128i
word_at(const uint8_t *p)
{
    return _mm_loadu_si32(p);
}

static inline vi
v_rows32(const uint8_t *p, size_t s)
{
    const uint8_t *p4 = p + 4 * s;
    const __m128i r01 = _mm_unpacklo_epi32(word_at(p), word_at(p + s)),
                  r23 = _mm_unpacklo_epi32(word_at(p + 2 * s), word_at(p + 3 * s)),
                  r45 = _mm_unpacklo_epi32(word_at(p4), word_at(p4 + s)),
                  r67 = _mm_unpacklo_epi32(word_at(p4 + 2 * s), word_at(p4 + 3 * s));
    return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_unpacklo_epi64(r01, r23)),
                                   _mm_unpacklo_epi64(r45, r67), 1);
}

static inline void
v_rows_halves(const uint8_t *p, size_t s, vf *first, vf *second)
{
    const uint8_t *p4 = p + 4 * s;
    const __m128i r01 = _mm_unpacklo_epi16(word_at(p), word_at(p + s)),
                  r23 = _mm_unpacklo_epi16(word_at(p + 2 * s), word_at(p + 3 * s)),
                  r45 = _mm_unpacklo_epi16(word_at(p4), word_at(p4 + s)),
                  r67 = _mm_unpacklo_epi16(word_at(p4 + 2 * s), word_at(p4 + 3 * s));
    const __m128i r0123 = _mm_unpacklo_epi32(r01, r23), r4567 = _mm_unpacklo_epi32(r45, r67);
    *first = _mm256_cvtph_ps(_mm_unpacklo_epi64(r0123, r4567));
    *second = _mm256_cvtph_ps(_mm_unpackhi_epi64(r0123, r4567));
}

static inline vf
v_half_low(vi v)
{
    const vi low = _mm256_and_si256(v, _mm256_set1_epi32(0xffff));
    const vi packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(low, low), 0x08);
    return _mm256_cvtph_ps(_mm256_castsi256_si128(packed));
}

static inline void
v_both_halves(vi v, vf *low, vf *high)
{
    const vi apart = v_table(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15);
    const vi packed = _mm256_permute4x64_epi64(v_shuffle8(v, apart), 0xd8);
    *low = _mm256_cvtph_ps(_mm256_castsi256_si128(packed));
    *high = _mm256_cvtph_ps(_mm256_extracti128_si256(packed, 1));
}

/* Products of one row, four in each of eight lanes. */
static inline vi
row_s8(const uint8_t *p, vi a)
{
    const vi q = _mm256_loadu_si256((const __m256i *)(const void *)p);
    return v_maddw(v_maddubs(v_abs8(q), v_sign8(a, q)), v_set16(1));
}

/* Lane i of each 16 bytes: the sum of row i's four lanes there. */
static inline vi
four_rows_s8(const uint8_t *p, size_t s, vi a)
{
    const vi r0 = row_s8(p, a), r1 = row_s8(p + s, a);
    vi r01 = v_add32(v_unpacklo32(r0, r1), v_unpackhi32(r0, r1));
    v_keep(r01);
    const vi r2 = row_s8(p + 2 * s, a), r3 = row_s8(p + 3 * s, a);
    const vi r23 = v_add32(v_unpacklo32(r2, r3), v_unpackhi32(r2, r3));
    return v_add32(v_unpacklo64(r01, r23), v_unpackhi64(r01, r23));
}

#define V_ROWS_S8
static inline vi
v_rows_s8(const uint8_t *p, size_t s, const int8_t *a)
{
    const vi x = _mm256_loadu_si256((const __m256i *)(const void *)a);
    const vi first = four_rows_s8(p, s, x), last = four_rows_s8(p + 4 * s, s, x);
    return v_add32(_mm256_blend_epi32(first, last, 0xf0),
                   _mm256_permute2x128_si256(first, last, 0x21));
}

/* 2^(e - 128); subnormal for e < 2. */
static inline vf
v_exponent(vi e)
{
    const vi normal = _mm256_slli_epi32(_mm256_sub_epi32(e, _mm256_set1_epi32(1)), 23);
    const vi subnormal = _mm256_sllv_epi32(_mm256_set1_epi32(0x00200000), e);
    return _mm256_castsi256_ps(
        _mm256_blendv_epi8(normal, subnormal, _mm256_cmpgt_epi32(_mm256_set1_epi32(2), e)));
}

#include "engine/int8_quantize_x86.h"
#include "engine/int8_simd.h"

const engine_int8_kernels engine_int8_avx2 = INT8_TABLE;
