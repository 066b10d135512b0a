/* The AVX-512 instructions that engine/int8_avx512.h uses, in plain C, so that its kernels can be tested on a
 * processor without them: compile the kernels' source with this header included first. Only what is
 * used is here; the AVX2 parts (loads of 16 bytes, rounding of activations) are the real ones.
 *
 * Each function is the "Operation" section of the Intel Intrinsics Guide, written out. */
#ifndef LODE_TESTS_ENGINE_AVX512_EMULATION_H
#define LODE_TESTS_ENGINE_AVX512_EMULATION_H

#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

typedef union {
    uint8_t u8[64];
    int8_t i8[64];
    uint16_t u16[32];
    int16_t i16[32];
    uint32_t u32[16];
    int32_t i32[16];
    uint64_t u64[8];
    float f32[16];
} emulated_512;

/* never inlined: thousands of uses would take minutes to compile */
#define EMULATE static __attribute__((noinline, unused))
#define EACH(n) for (int i = 0; i < (n); i++)

#define DEFINE_1(name, n, expression)                                                              \
    EMULATE emulated_512 name(emulated_512 a)                                                      \
    {                                                                                              \
        emulated_512 r;                                                                            \
        EACH(n) expression;                                                                        \
        return r;                                                                                  \
    }
#define DEFINE_2(name, n, expression)                                                              \
    EMULATE emulated_512 name(emulated_512 a, emulated_512 b)                                      \
    {                                                                                              \
        emulated_512 r;                                                                            \
        EACH(n) expression;                                                                        \
        return r;                                                                                  \
    }
#define DEFINE_SET(name, n, type, expression)                                                      \
    EMULATE emulated_512 name(type a)                                                              \
    {                                                                                              \
        emulated_512 r;                                                                            \
        EACH(n) expression;                                                                        \
        return r;                                                                                  \
    }
#define DEFINE_SHIFT(name, n, expression)                                                          \
    EMULATE emulated_512 name(emulated_512 a, int b)                                               \
    {                                                                                              \
        emulated_512 r;                                                                            \
        EACH(n) expression;                                                                        \
        return r;                                                                                  \
    }

/* saturated to 16 bits, as vpmaddubsw does */
EMULATE int16_t
emu_saturate(int v)
{
    return (int16_t)(v > INT16_MAX ? INT16_MAX : v < INT16_MIN ? INT16_MIN : v);
}

DEFINE_SET(emu_set1_epi8, 64, int, r.i8[i] = (int8_t)a)
DEFINE_SET(emu_set1_epi16, 32, int, r.i16[i] = (int16_t)a)
DEFINE_SET(emu_set1_epi32, 16, int, r.i32[i] = a)
DEFINE_SET(emu_set1_ps, 16, float, r.f32[i] = a)
DEFINE_2(emu_and, 8, r.u64[i] = a.u64[i] & b.u64[i])
DEFINE_2(emu_or, 8, r.u64[i] = a.u64[i] | b.u64[i])
DEFINE_2(emu_xor, 8, r.u64[i] = a.u64[i] ^ b.u64[i])
DEFINE_2(emu_sub_epi8, 64, r.u8[i] = (uint8_t)(a.u8[i] - b.u8[i]))
DEFINE_2(emu_sub_epi16, 32, r.u16[i] = (uint16_t)(a.u16[i] - b.u16[i]))
DEFINE_2(emu_sub_epi32, 16, r.u32[i] = a.u32[i] - b.u32[i])
DEFINE_2(emu_add_epi16, 32, r.u16[i] = (uint16_t)(a.u16[i] + b.u16[i]))
DEFINE_2(emu_add_epi32, 16, r.u32[i] = a.u32[i] + b.u32[i])
DEFINE_2(emu_sub_ps, 16, r.f32[i] = a.f32[i] - b.f32[i])
DEFINE_2(emu_mul_ps, 16, r.f32[i] = a.f32[i] * b.f32[i])
DEFINE_1(emu_abs_epi8, 64, r.u8[i] = (uint8_t)(a.i8[i] < 0 ? -a.i8[i] : a.i8[i]))
DEFINE_1(emu_cvtepi32_ps, 16, r.f32[i] = (float)a.i32[i])
DEFINE_SHIFT(emu_slli_epi16, 32, r.u16[i] = b > 15 ? 0 : (uint16_t)(a.u16[i] << b))
DEFINE_SHIFT(emu_srli_epi16, 32, r.u16[i] = b > 15 ? 0 : (uint16_t)(a.u16[i] >> b))
DEFINE_SHIFT(emu_srai_epi16, 32, r.i16[i] = (int16_t)(a.i16[i] >> (b > 15 ? 15 : b)))
DEFINE_SHIFT(emu_slli_epi32, 16, r.u32[i] = b > 31 ? 0 : a.u32[i] << b)
DEFINE_SHIFT(emu_srli_epi32, 16, r.u32[i] = b > 31 ? 0 : a.u32[i] >> b)
DEFINE_2(emu_sllv_epi32, 16, r.u32[i] = b.u32[i] > 31 ? 0 : a.u32[i] << b.u32[i])
DEFINE_2(emu_shuffle_epi8, 64, r.u8[i] = b.u8[i] & 0x80 ? 0 : a.u8[i / 16 * 16 + (b.u8[i] & 15)])
DEFINE_2(emu_maddubs_epi16, 32,
         r.i16[i] = emu_saturate(a.u8[2 * i] * b.i8[2 * i] + a.u8[2 * i + 1] * b.i8[2 * i + 1]))
DEFINE_2(emu_madd_epi16, 16,
         r.i32[i] = a.i16[2 * i] * b.i16[2 * i] + a.i16[2 * i + 1] * b.i16[2 * i + 1])
DEFINE_2(emu_unpacklo_epi32, 16, r.u32[i] = (i % 2 ? b : a).u32[i / 4 * 4 + i % 4 / 2])
DEFINE_2(emu_unpackhi_epi32, 16, r.u32[i] = (i % 2 ? b : a).u32[i / 4 * 4 + 2 + i % 4 / 2])
DEFINE_2(emu_unpacklo_epi64, 8, r.u64[i] = (i % 2 ? b : a).u64[i / 2 * 2])
DEFINE_2(emu_unpackhi_epi64, 8, r.u64[i] = (i % 2 ? b : a).u64[i / 2 * 2 + 1])

EMULATE emulated_512
emu_fmadd_ps(emulated_512 a, emulated_512 b, emulated_512 c)
{
    EACH(16) c.f32[i] = fmaf(a.f32[i], b.f32[i], c.f32[i]);
    return c;
}

EMULATE emulated_512
emu_dpbusd_epi32(emulated_512 acc, emulated_512 u, emulated_512 s)
{
    EACH(64) acc.i32[i / 4] += u.u8[i] * s.i8[i];
    return acc;
}

EMULATE emulated_512
emu_loadu_ps(const void *p)
{
    emulated_512 r;
    memcpy(&r, p, sizeof r);
    return r;
}

EMULATE void
emu_storeu_ps(void *p, emulated_512 v)
{
    memcpy(p, &v, sizeof v);
}

EMULATE emulated_512
emu_maskz_loadu_ps(uint16_t mask, const float *p)
{
    emulated_512 r;
    EACH(16) r.f32[i] = mask >> i & 1 ? p[i] : 0.0f;
    return r;
}

EMULATE void
emu_mask_storeu_ps(float *p, uint16_t mask, emulated_512 v)
{
    EACH(16) if (mask >> i & 1) p[i] = v.f32[i];
}

EMULATE emulated_512
emu_broadcast_i32x4(__m128i a)
{
    emulated_512 r;
    EACH(4) memcpy(&r.u8[16 * i], &a, 16);
    return r;
}

EMULATE emulated_512
emu_inserti32x4(emulated_512 a, __m128i b, int at)
{
    memcpy(&a.u8[16 * at], &b, 16);
    return a;
}

EMULATE uint64_t
emu_movepi8_mask(emulated_512 a)
{
    uint64_t mask = 0;
    EACH(64) mask |= (uint64_t)(a.u8[i] >> 7) << i;
    return mask;
}

EMULATE uint64_t
emu_test_epi8_mask(emulated_512 a, emulated_512 b)
{
    uint64_t mask = 0;
    EACH(64) mask |= (uint64_t)((a.u8[i] & b.u8[i]) != 0) << i;
    return mask;
}

EMULATE uint16_t
emu_cmplt_epi32_mask(emulated_512 a, emulated_512 b)
{
    unsigned mask = 0;
    EACH(16) mask |= (unsigned)(a.i32[i] < b.i32[i]) << i;
    return (uint16_t)mask;
}

EMULATE emulated_512
emu_mask_sub_epi8(emulated_512 from, uint64_t mask, emulated_512 a, emulated_512 b)
{
    EACH(64) if (mask >> i & 1) from.u8[i] = (uint8_t)(a.u8[i] - b.u8[i]);
    return from;
}

EMULATE emulated_512
emu_maskz_mov_epi8(uint64_t mask, emulated_512 a)
{
    EACH(64) if (!(mask >> i & 1)) a.u8[i] = 0;
    return a;
}

EMULATE emulated_512
emu_mask_blend_epi16(uint32_t mask, emulated_512 a, emulated_512 b)
{
    EACH(32) if (mask >> i & 1) a.u16[i] = b.u16[i];
    return a;
}

EMULATE emulated_512
emu_mask_blend_epi32(uint16_t mask, emulated_512 a, emulated_512 b)
{
    EACH(16) if (mask >> i & 1) a.u32[i] = b.u32[i];
    return a;
}

EMULATE emulated_512
emu_setr_epi32(int a, int b, int c, int d, int e, int f, int g, int h, int i, int j, int k, int l,
               int m, int n, int o, int p)
{
    return (emulated_512){.i32 = {a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p}};
}

EMULATE __m256i
emu_cvtepi32_epi16(emulated_512 a)
{
    uint16_t low[16];
    __m256i r;
    EACH(16) low[i] = (uint16_t)a.u32[i];
    memcpy(&r, low, sizeof r);
    return r;
}

EMULATE emulated_512
emu_cvtph_ps(__m256i a)
{
    const __m256 halves[2] = {_mm256_cvtph_ps(_mm256_castsi256_si128(a)),
                              _mm256_cvtph_ps(_mm256_extracti128_si256(a, 1))};
    emulated_512 r;
    memcpy(&r, halves, sizeof r);
    return r;
}

/* ---- in place of the real ones ---- */

#define __m512           emulated_512
#define __m512i          emulated_512
#define __mmask16        uint16_t
#define __mmask64        uint64_t
#define v_keep(v)        (void)0
#define v_prefetch(v, p) ((void)(v), (void)(p))

/* some compilers have some of them as macros */
#undef _mm512_abs_epi8
#undef _mm512_add_epi16
#undef _mm512_add_epi32
#undef _mm512_and_si512
#undef _mm512_broadcast_i32x4
#undef _mm512_castsi128_si512
#undef _mm512_castsi512_ps
#undef _mm512_cmplt_epi32_mask
#undef _mm512_cvtepi32_epi16
#undef _mm512_cvtepi32_ps
#undef _mm512_cvtph_ps
#undef _mm512_dpbusd_epi32
#undef _mm512_fmadd_ps
#undef _mm512_inserti32x4
#undef _mm512_loadu_ps
#undef _mm512_madd_epi16
#undef _mm512_maddubs_epi16
#undef _mm512_mask_blend_epi16
#undef _mm512_mask_blend_epi32
#undef _mm512_mask_storeu_ps
#undef _mm512_mask_sub_epi8
#undef _mm512_maskz_loadu_ps
#undef _mm512_maskz_mov_epi8
#undef _mm512_movepi8_mask
#undef _mm512_mul_ps
#undef _mm512_or_si512
#undef _mm512_set1_epi16
#undef _mm512_set1_epi32
#undef _mm512_set1_epi8
#undef _mm512_set1_ps
#undef _mm512_setr_epi32
#undef _mm512_setzero_ps
#undef _mm512_setzero_si512
#undef _mm512_shuffle_epi8
#undef _mm512_slli_epi16
#undef _mm512_slli_epi32
#undef _mm512_sllv_epi32
#undef _mm512_srai_epi16
#undef _mm512_srli_epi16
#undef _mm512_srli_epi32
#undef _mm512_storeu_ps
#undef _mm512_sub_epi16
#undef _mm512_sub_epi32
#undef _mm512_sub_epi8
#undef _mm512_sub_ps
#undef _mm512_test_epi8_mask
#undef _mm512_unpackhi_epi32
#undef _mm512_unpackhi_epi64
#undef _mm512_unpacklo_epi32
#undef _mm512_unpacklo_epi64
#undef _mm512_xor_si512

#define _mm512_abs_epi8         emu_abs_epi8
#define _mm512_add_epi16        emu_add_epi16
#define _mm512_add_epi32        emu_add_epi32
#define _mm512_and_si512        emu_and
#define _mm512_broadcast_i32x4  emu_broadcast_i32x4
#define _mm512_castsi128_si512  emu_broadcast_i32x4 /* the upper parts are undefined */
#define _mm512_castsi512_ps(v)  (v)
#define _mm512_cmplt_epi32_mask emu_cmplt_epi32_mask
#define _mm512_cvtepi32_epi16   emu_cvtepi32_epi16
#define _mm512_cvtepi32_ps      emu_cvtepi32_ps
#define _mm512_cvtph_ps         emu_cvtph_ps
#define _mm512_dpbusd_epi32     emu_dpbusd_epi32
#define _mm512_fmadd_ps         emu_fmadd_ps
#define _mm512_inserti32x4      emu_inserti32x4
#define _mm512_loadu_ps         emu_loadu_ps
#define _mm512_madd_epi16       emu_madd_epi16
#define _mm512_maddubs_epi16    emu_maddubs_epi16
#define _mm512_mask_blend_epi16 emu_mask_blend_epi16
#define _mm512_mask_blend_epi32 emu_mask_blend_epi32
#define _mm512_mask_storeu_ps   emu_mask_storeu_ps
#define _mm512_mask_sub_epi8    emu_mask_sub_epi8
#define _mm512_maskz_loadu_ps   emu_maskz_loadu_ps
#define _mm512_maskz_mov_epi8   emu_maskz_mov_epi8
#define _mm512_movepi8_mask     emu_movepi8_mask
#define _mm512_mul_ps           emu_mul_ps
#define _mm512_or_si512         emu_or
#define _mm512_set1_epi16       emu_set1_epi16
#define _mm512_set1_epi32       emu_set1_epi32
#define _mm512_set1_epi8        emu_set1_epi8
#define _mm512_set1_ps          emu_set1_ps
#define _mm512_setr_epi32       emu_setr_epi32
#define _mm512_setzero_ps()     emu_set1_ps(0.0f)
#define _mm512_setzero_si512()  emu_set1_epi32(0)
#define _mm512_shuffle_epi8     emu_shuffle_epi8
#define _mm512_slli_epi16       emu_slli_epi16
#define _mm512_slli_epi32       emu_slli_epi32
#define _mm512_sllv_epi32       emu_sllv_epi32
#define _mm512_srai_epi16       emu_srai_epi16
#define _mm512_srli_epi16       emu_srli_epi16
#define _mm512_srli_epi32       emu_srli_epi32
#define _mm512_storeu_ps        emu_storeu_ps
#define _mm512_sub_epi16        emu_sub_epi16
#define _mm512_sub_epi32        emu_sub_epi32
#define _mm512_sub_epi8         emu_sub_epi8
#define _mm512_sub_ps           emu_sub_ps
#define _mm512_test_epi8_mask   emu_test_epi8_mask
#define _mm512_unpackhi_epi32   emu_unpackhi_epi32
#define _mm512_unpackhi_epi64   emu_unpackhi_epi64
#define _mm512_unpacklo_epi32   emu_unpacklo_epi32
#define _mm512_unpacklo_epi64   emu_unpacklo_epi64
#define _mm512_xor_si512        emu_xor

#endif
