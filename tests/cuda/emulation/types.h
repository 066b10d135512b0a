/* CUDA's built-in types on a CPU: vectors with their alignments, dim3, half and bfloat16 with the device's rounding.
 *
 * Conversions round to nearest even, as __float2half_rn and __float2bfloat16_rn do; arithmetic is done in float (half:
 * exact before its one rounding, since 24 >= 2 * 11 + 2 bits) and rounded once.
 * Source: CUDA C++ Programming Guide, "Built-in Vector Types"; IEEE 754-2019 binary16. */
#ifndef LODE_EMULATION_TYPES_H
#define LODE_EMULATION_TYPES_H

#include <cmath>
#include <cstdint>
#include <cstring>

#define EMULATION_VECTOR_1(T, name)                                                                \
    struct name##1                                                                                 \
    {                                                                                              \
        T x;                                                                                       \
    };                                                                                             \
    static inline name##1 make_##name##1(T x)                                                      \
    {                                                                                              \
        return name##1 {x};                                                                        \
    }
#define EMULATION_VECTOR_2(T, name, bytes)                                                         \
    struct alignas(bytes) name##2                                                                  \
    {                                                                                              \
        T x, y;                                                                                    \
    };                                                                                             \
    static inline name##2 make_##name##2(T x, T y)                                                 \
    {                                                                                              \
        return name##2 {x, y};                                                                     \
    }
#define EMULATION_VECTOR_3(T, name)                                                                \
    struct name##3                                                                                 \
    {                                                                                              \
        T x, y, z;                                                                                 \
    };                                                                                             \
    static inline name##3 make_##name##3(T x, T y, T z)                                            \
    {                                                                                              \
        return name##3 {x, y, z};                                                                  \
    }
#define EMULATION_VECTOR_4(T, name, bytes)                                                         \
    struct alignas(bytes) name##4                                                                  \
    {                                                                                              \
        T x, y, z, w;                                                                              \
    };                                                                                             \
    static inline name##4 make_##name##4(T x, T y, T z, T w)                                       \
    {                                                                                              \
        return name##4 {x, y, z, w};                                                               \
    }
#define EMULATION_VECTORS(T, name, bytes_2, bytes_4)                                               \
    EMULATION_VECTOR_1(T, name)                                                                    \
    EMULATION_VECTOR_2(T, name, bytes_2)                                                           \
    EMULATION_VECTOR_3(T, name)                                                                    \
    EMULATION_VECTOR_4(T, name, bytes_4)

EMULATION_VECTORS(signed char, char, 2, 4)
EMULATION_VECTORS(unsigned char, uchar, 2, 4)
EMULATION_VECTORS(short, short, 4, 8)
EMULATION_VECTORS(unsigned short, ushort, 4, 8)
EMULATION_VECTORS(int, int, 8, 16)
EMULATION_VECTORS(unsigned, uint, 8, 16)
EMULATION_VECTORS(float, float, 8, 16)
EMULATION_VECTOR_2(double, double, 16)
EMULATION_VECTOR_2(long long, longlong, 16)
EMULATION_VECTOR_2(unsigned long long, ulonglong, 16)

struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_)
    {
    }
};

static inline uint32_t
emulation_bits(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return u;
}

static inline float
emulation_float(uint32_t u)
{
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

static inline float
emulation_half_to_float(uint16_t h)
{
    const uint32_t sign = (uint32_t)(h & 0x8000u) << 16, exponent = h >> 10 & 31u, m = h & 0x3ffu;

    if (exponent == 31) return emulation_float(sign | 0x7f800000u | m << 13);
    if (exponent == 0) {
        const float f = (float)m * 0x1p-24f;
        return sign ? -f : f;
    }
    return emulation_float(sign | (exponent + 112) << 23 | m << 13);
}

static inline uint16_t
emulation_float_to_half(float f)
{
    const uint32_t u = emulation_bits(f), a = u & 0x7fffffffu;
    const uint16_t sign = (uint16_t)(u >> 16 & 0x8000u);

    if (a > 0x7f800000u) return 0x7fff;                      /* the device's one NaN */
    if (a >= 0x477ff000u) return (uint16_t)(sign | 0x7c00u); /* 65520 and above round to infinity */
    if (a < 0x38800000u) {                                   /* subnormal: units of 2^-24 */
        const float units = emulation_float(a) * 0x1p24f;    /* exact */
        return (uint16_t)(sign | (uint16_t)std::nearbyintf(units));
    }
    const uint32_t rounded = a + 0xfffu + (a >> 13 & 1u);
    return (uint16_t)(sign | (rounded - 0x38000000u) >> 13);
}

static inline uint16_t
emulation_float_to_bf16(float f)
{
    const uint32_t u = emulation_bits(f);

    if ((u & 0x7fffffffu) > 0x7f800000u) return 0x7fff;
    return (uint16_t)((u + 0x7fffu + (u >> 16 & 1u)) >> 16);
}

/* Trivial, so that it may lie in shared memory; what it holds before it is written is whatever lay there. */
struct __half {
    uint16_t bits;
    __half() = default;
    __half(float f) : bits(emulation_float_to_half(f))
    {
    }
    __half(double f) : bits(emulation_float_to_half((float)f))
    {
    }
    __half(int i) : bits(emulation_float_to_half((float)i))
    {
    }
    operator float() const
    {
        return emulation_half_to_float(bits);
    }
};
struct __nv_bfloat16 {
    uint16_t bits;
    __nv_bfloat16() = default;
    __nv_bfloat16(float f) : bits(emulation_float_to_bf16(f))
    {
    }
    __nv_bfloat16(double f) : bits(emulation_float_to_bf16((float)f))
    {
    }
    __nv_bfloat16(int i) : bits(emulation_float_to_bf16((float)i))
    {
    }
    operator float() const
    {
        return emulation_float((uint32_t)bits << 16);
    }
};
struct alignas(4) __half2 {
    __half x, y;
};
struct alignas(4) __nv_bfloat162 {
    __nv_bfloat16 x, y;
};
typedef __half half;
typedef __half2 half2;
typedef __nv_bfloat16 nv_bfloat16;
typedef __nv_bfloat162 nv_bfloat162;

/* A number from raw bits and back, and what one type offers under its own names. */
#define EMULATION_SMALL_FLOAT(T, T2, from_float, to_float, from_bits, to_bits)                     \
    static inline T from_float(float f)                                                            \
    {                                                                                              \
        return T(f);                                                                               \
    }                                                                                              \
    static inline T from_float##_rn(float f)                                                       \
    {                                                                                              \
        return T(f);                                                                               \
    }                                                                                              \
    static inline float to_float(T h)                                                              \
    {                                                                                              \
        return (float)h;                                                                           \
    }                                                                                              \
    static inline T from_bits(unsigned short u)                                                    \
    {                                                                                              \
        T h;                                                                                       \
        h.bits = u;                                                                                \
        return h;                                                                                  \
    }                                                                                              \
    static inline unsigned short to_bits(T h)                                                      \
    {                                                                                              \
        return h.bits;                                                                             \
    }                                                                                              \
    static inline T __hadd(T a, T b)                                                               \
    {                                                                                              \
        return T((float)a + (float)b);                                                             \
    }                                                                                              \
    static inline T __hsub(T a, T b)                                                               \
    {                                                                                              \
        return T((float)a - (float)b);                                                             \
    }                                                                                              \
    static inline T __hmul(T a, T b)                                                               \
    {                                                                                              \
        return T((float)a * (float)b);                                                             \
    }                                                                                              \
    static inline T __hdiv(T a, T b)                                                               \
    {                                                                                              \
        return T((float)a / (float)b);                                                             \
    }                                                                                              \
    static inline T operator+(T a, T b)                                                            \
    {                                                                                              \
        return __hadd(a, b);                                                                       \
    }                                                                                              \
    static inline T operator-(T a, T b)                                                            \
    {                                                                                              \
        return __hsub(a, b);                                                                       \
    }                                                                                              \
    static inline T operator*(T a, T b)                                                            \
    {                                                                                              \
        return __hmul(a, b);                                                                       \
    }                                                                                              \
    static inline T operator/(T a, T b)                                                            \
    {                                                                                              \
        return __hdiv(a, b);                                                                       \
    }                                                                                              \
    static inline T __hneg(T a)                                                                    \
    {                                                                                              \
        a.bits ^= 0x8000u;                                                                         \
        return a;                                                                                  \
    }                                                                                              \
    static inline T __hmax(T a, T b)                                                               \
    {                                                                                              \
        return T(std::fmax((float)a, (float)b));                                                   \
    }                                                                                              \
    static inline T __hmin(T a, T b)                                                               \
    {                                                                                              \
        return T(std::fmin((float)a, (float)b));                                                   \
    }                                                                                              \
    static inline bool __hgt(T a, T b)                                                             \
    {                                                                                              \
        return (float)a > (float)b;                                                                \
    }                                                                                              \
    static inline bool __hlt(T a, T b)                                                             \
    {                                                                                              \
        return (float)a < (float)b;                                                                \
    }                                                                                              \
    static inline T __hfma(T a, T b, T c)                                                          \
    {                                                                                              \
        return T(std::fma((double)(float)a, (double)(float)b, (double)(float)c));                  \
    }                                                                                              \
    static inline T2 __hadd2(T2 a, T2 b)                                                           \
    {                                                                                              \
        return T2{__hadd(a.x, b.x), __hadd(a.y, b.y)};                                             \
    }                                                                                              \
    static inline T2 __hsub2(T2 a, T2 b)                                                           \
    {                                                                                              \
        return T2{__hsub(a.x, b.x), __hsub(a.y, b.y)};                                             \
    }                                                                                              \
    static inline T2 __hmul2(T2 a, T2 b)                                                           \
    {                                                                                              \
        return T2{__hmul(a.x, b.x), __hmul(a.y, b.y)};                                             \
    }                                                                                              \
    static inline T2 __hmax2(T2 a, T2 b)                                                           \
    {                                                                                              \
        return T2{__hmax(a.x, b.x), __hmax(a.y, b.y)};                                             \
    }                                                                                              \
    static inline T2 __hmin2(T2 a, T2 b)                                                           \
    {                                                                                              \
        return T2{__hmin(a.x, b.x), __hmin(a.y, b.y)};                                             \
    }                                                                                              \
    static inline T2 __hfma2(T2 a, T2 b, T2 c)                                                     \
    {                                                                                              \
        return T2{__hfma(a.x, b.x, c.x), __hfma(a.y, b.y, c.y)};                                   \
    }                                                                                              \
    static inline float __low2float(T2 v)                                                          \
    {                                                                                              \
        return (float)v.x;                                                                         \
    }                                                                                              \
    static inline float __high2float(T2 v)                                                         \
    {                                                                                              \
        return (float)v.y;                                                                         \
    }

EMULATION_SMALL_FLOAT(__half, __half2, __float2half, __half2float, __ushort_as_half,
                      __half_as_ushort)
EMULATION_SMALL_FLOAT(__nv_bfloat16, __nv_bfloat162, __float2bfloat16, __bfloat162float,
                      __ushort_as_bfloat16, __bfloat16_as_ushort)

static inline __half2
__halves2half2(__half a, __half b)
{
    return __half2{a, b};
}

static inline __half2
__half2half2(__half a)
{
    return __half2{a, a};
}

static inline __half2
__floats2half2_rn(float a, float b)
{
    return __half2{__half(a), __half(b)};
}

static inline __half2
__float2half2_rn(float a)
{
    return __floats2half2_rn(a, a);
}

static inline __half2
__float22half2_rn(float2 v)
{
    return __floats2half2_rn(v.x, v.y);
}

static inline float2
__half22float2(__half2 v)
{
    return make_float2((float)v.x, (float)v.y);
}

static inline __half
__low2half(__half2 v)
{
    return v.x;
}

static inline __half
__high2half(__half2 v)
{
    return v.y;
}

static inline __nv_bfloat162
__halves2bfloat162(__nv_bfloat16 a, __nv_bfloat16 b)
{
    return __nv_bfloat162{a, b};
}

static inline __nv_bfloat162
__floats2bfloat162_rn(float a, float b)
{
    return __nv_bfloat162{__nv_bfloat16(a), __nv_bfloat16(b)};
}

static inline float2
__bfloat1622float2(__nv_bfloat162 v)
{
    return make_float2((float)v.x, (float)v.y);
}

#endif
