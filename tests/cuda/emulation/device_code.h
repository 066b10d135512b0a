/* What device code may say: qualifiers, barriers, warp operations, atomics, arithmetic.
 * Source: CUDA C++ Programming Guide, "C++ Language Extensions"; the CUDA Math API. */
#ifndef LODE_EMULATION_DEVICE_CODE_H
#define LODE_EMULATION_DEVICE_CODE_H

#include "execution.h"

#include <algorithm>
#include <cfloat>
#include <climits>

#define __global__
#define __device__
#define __host__
#define __constant__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(n) alignas(n)
#define __grid_constant__

#define EMULATION_HERE const char *file = __builtin_FILE(), int line = __builtin_LINE()

using std::max;
using std::min;

/* ---- barriers ---- */

static inline void
__syncthreads(EMULATION_HERE)
{
    emulation_barrier("__syncthreads", 0, file, line);
}

static inline int
__syncthreads_count(int predicate, EMULATION_HERE)
{
    return emulation_barrier("__syncthreads_count", predicate, file, line);
}

static inline int
__syncthreads_or(int predicate, EMULATION_HERE)
{
    return emulation_barrier("__syncthreads_or", predicate, file, line) != 0;
}

static inline int
__syncthreads_and(int predicate, EMULATION_HERE)
{
    return emulation_barrier("__syncthreads_and", !predicate, file, line) == 0;
}

static inline void
__syncwarp(unsigned mask = 0xffffffffu, EMULATION_HERE)
{
    emulation_request request = {[](emulation_request *const *, unsigned) {}, "__syncwarp", mask,
                                 file, line};
    emulation_warp(&request);
}

/* Order is whole in the emulation; a fence without the flag or atomic that it belongs to shows as a race. */
static inline void
__threadfence()
{
    emulation_give_way();
}

static inline void
__threadfence_block()
{
    emulation_give_way();
}

/* ---- warp: shuffles, votes, reductions ---- */

template <class T> struct emulation_shuffle : emulation_request {
    T value, result;
    int source; /* lane, or outside of the segment: the lane's own value */
};

template <class T>
static inline T
emulation_shuffle_from(const char *name, unsigned mask, T value, int source, const char *file,
                       int line)
{
    emulation_shuffle<T> request;

    static_cast<emulation_request &>(request) = {
        [](emulation_request *const lanes[32], unsigned m) {
            for (int i = 0; i < 32; i++) {
                if (!(m >> i & 1u)) continue;
                auto *mine = static_cast<emulation_shuffle<T> *>(lanes[i]);
                if (!(m >> mine->source & 1u))
                    emulation_fault(
                        "%s (%s:%d): lane %d reads lane %d, which is not in its mask 0x%08x",
                        mine->name, mine->file, mine->line, i, mine->source, m);
                mine->result = static_cast<emulation_shuffle<T> *>(lanes[mine->source])->value;
            }
        },
        name, mask, file, line};
    request.value = value;
    request.source = source;
    emulation_warp(&request);
    return request.result;
}

template <class T>
static inline T
__shfl_sync(unsigned mask, T value, int source, int width = 32, EMULATION_HERE)
{
    const int lane = (int)emulation_running->lane, first = lane & ~(width - 1);
    return emulation_shuffle_from("__shfl_sync", mask, value, first + (source & (width - 1)), file,
                                  line);
}

template <class T>
static inline T
__shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32, EMULATION_HERE)
{
    const int lane = (int)emulation_running->lane, from = lane - (int)delta;
    return emulation_shuffle_from("__shfl_up_sync", mask, value,
                                  from < (lane & ~(width - 1)) ? lane : from, file, line);
}

template <class T>
static inline T
__shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32, EMULATION_HERE)
{
    const int lane = (int)emulation_running->lane, from = lane + (int)delta;
    return emulation_shuffle_from("__shfl_down_sync", mask, value,
                                  from > (lane | (width - 1)) ? lane : from, file, line);
}

template <class T>
static inline T
__shfl_xor_sync(unsigned mask, T value, int bits, int width = 32, EMULATION_HERE)
{
    const int lane = (int)emulation_running->lane, from = lane ^ bits;
    return emulation_shuffle_from("__shfl_xor_sync", mask, value,
                                  from > (lane | (width - 1)) ? lane : from, file, line);
}

struct emulation_vote : emulation_request {
    long long value;
    unsigned result;
};

static inline unsigned
emulation_vote_with(const char *name, emulation_complete complete, unsigned mask, long long value,
                    const char *file, int line)
{
    emulation_vote request;
    static_cast<emulation_request &>(request) = {complete, name, mask, file, line};
    request.value = value;
    request.result = 0;
    emulation_warp(&request);
    return request.result;
}

static inline unsigned
__ballot_sync(unsigned mask, int predicate, EMULATION_HERE)
{
    return emulation_vote_with(
        "__ballot_sync",
        [](emulation_request *const lanes[32], unsigned m) {
            unsigned ballot = 0;
            for (int i = 0; i < 32; i++)
                if ((m >> i & 1u) && static_cast<emulation_vote *>(lanes[i])->value)
                    ballot |= 1u << i;
            for (int i = 0; i < 32; i++)
                if (m >> i & 1u) static_cast<emulation_vote *>(lanes[i])->result = ballot;
        },
        mask, predicate != 0, file, line);
}

static inline int
__any_sync(unsigned mask, int predicate, EMULATION_HERE)
{
    return __ballot_sync(mask, predicate, file, line) != 0;
}

static inline int
__all_sync(unsigned mask, int predicate, EMULATION_HERE)
{
    return __ballot_sync(mask, predicate, file, line) == mask;
}

static inline unsigned
__match_any_sync(unsigned mask, long long value, EMULATION_HERE)
{
    return emulation_vote_with(
        "__match_any_sync",
        [](emulation_request *const lanes[32], unsigned m) {
            for (int i = 0; i < 32; i++) {
                if (!(m >> i & 1u)) continue;
                auto *mine = static_cast<emulation_vote *>(lanes[i]);
                for (int j = 0; j < 32; j++)
                    if ((m >> j & 1u) &&
                        static_cast<emulation_vote *>(lanes[j])->value == mine->value)
                        mine->result |= 1u << j;
            }
        },
        mask, value, file, line);
}

/* ---- atomics: another thread may come between before and after each ---- */

template <class T, class F>
static inline T
emulation_atomic(T *at, F change)
{
    emulation_give_way();
    const T old = *at;
    *at = change(old);
    emulation_give_way();
    return old;
}

/* the value's type follows the pointer's, as it does in CUDA's overloads */
template <class T> struct emulation_same {
    typedef T type;
};

#define EMULATION_ATOMIC(name, expression)                                                         \
    template <class T> static inline T name(T *at, typename emulation_same<T>::type value)         \
    {                                                                                              \
        return emulation_atomic(at, [&](T old) { return (T)(expression); });                       \
    }
EMULATION_ATOMIC(atomicAdd, old + value)
EMULATION_ATOMIC(atomicSub, old - value)
EMULATION_ATOMIC(atomicMax, old > value ? old : value)
EMULATION_ATOMIC(atomicMin, old < value ? old : value)
EMULATION_ATOMIC(atomicAnd, old &value)
EMULATION_ATOMIC(atomicOr, old | value)
EMULATION_ATOMIC(atomicXor, old ^ value)
EMULATION_ATOMIC(atomicInc, old >= value ? T(0) : old + T(1))
EMULATION_ATOMIC(atomicExch, ((void)old, value))

template <class T>
static inline T
atomicCAS(T *at, typename emulation_same<T>::type compare, typename emulation_same<T>::type value)
{
    return emulation_atomic(at, [&](T old) { return old == compare ? value : old; });
}

/* ---- loads and stores with a cache hint ---- */

#define EMULATION_LOAD(name)                                                                       \
    template <class T> static inline T name(const T *at)                                           \
    {                                                                                              \
        return *at;                                                                                \
    }
#define EMULATION_STORE(name)                                                                      \
    template <class T> static inline void name(T *at, typename emulation_same<T>::type value)      \
    {                                                                                              \
        *at = value;                                                                               \
    }
EMULATION_LOAD(__ldg)
EMULATION_LOAD(__ldcs)
EMULATION_LOAD(__ldcg)
EMULATION_LOAD(__ldca)
EMULATION_STORE(__stcs)
EMULATION_STORE(__stcg)

/* ---- numbers ---- */

static inline float
__int_as_float(int i)
{
    return emulation_float((uint32_t)i);
}

static inline float
__uint_as_float(unsigned u)
{
    return emulation_float(u);
}

static inline int
__float_as_int(float f)
{
    return (int)emulation_bits(f);
}

static inline unsigned
__float_as_uint(float f)
{
    return emulation_bits(f);
}

static inline int
__popc(unsigned u)
{
    return __builtin_popcount(u);
}

static inline int
__clz(int i)
{
    return i == 0 ? 32 : __builtin_clz((unsigned)i);
}

static inline int
__ffs(int i)
{
    return __builtin_ffs(i);
}

static inline unsigned
__brev(unsigned u)
{
    unsigned r = 0;
    for (int i = 0; i < 32; i++)
        r |= (u >> i & 1u) << (31 - i);
    return r;
}

/* Bytes of b:a chosen by the nibbles of s; a nibble's high bit would copy the sign, which nobody here asks for. */
static inline unsigned
__byte_perm(unsigned a, unsigned b, unsigned s)
{
    const unsigned long long both = (unsigned long long)b << 32 | a;
    unsigned r = 0;
    for (int i = 0; i < 4; i++)
        r |= (unsigned)(both >> 8 * (s >> 4 * i & 7u) & 0xffu) << 8 * i;
    return r;
}

static inline unsigned
__funnelshift_r(unsigned low, unsigned high, unsigned shift)
{
    return (unsigned)(((unsigned long long)high << 32 | low) >> (shift & 31u));
}

static inline int
__dp4a(int a, int b, int c)
{
    unsigned sum = (unsigned)c;
    for (int i = 0; i < 4; i++)
        sum +=
            (unsigned)((int)(int8_t)((unsigned)a >> 8 * i) * (int)(int8_t)((unsigned)b >> 8 * i));
    return (int)sum;
}

static inline unsigned
__dp4a(unsigned a, unsigned b, unsigned c)
{
    for (int i = 0; i < 4; i++)
        c += (a >> 8 * i & 0xffu) * (b >> 8 * i & 0xffu);
    return c;
}

/* Per byte, as the SIMD intrinsics have it. */
static inline unsigned
__vsub4(unsigned a, unsigned b)
{
    unsigned r = 0;
    for (int i = 0; i < 4; i++)
        r |= (((a >> 8 * i) - (b >> 8 * i)) & 0xffu) << 8 * i;
    return r;
}

static inline unsigned
__vadd4(unsigned a, unsigned b)
{
    unsigned r = 0;
    for (int i = 0; i < 4; i++)
        r |= (((a >> 8 * i) + (b >> 8 * i)) & 0xffu) << 8 * i;
    return r;
}

/* The device's approximations are a few units in the last place off; here they are exact, so no test may need
 * more than their documented error. */
static inline float
rsqrtf(float x)
{
    return 1.0f / std::sqrt(x);
}

static inline float
__frsqrt_rn(float x)
{
    return rsqrtf(x);
}

/* libm has functions of these names for itself */
#define __expf  emulation_expf
#define __logf  emulation_logf
#define __log2f emulation_log2f
#define __powf  emulation_powf
#define __sinf  emulation_sinf
#define __cosf  emulation_cosf

static inline float
emulation_expf(float x)
{
    return std::exp(x);
}

static inline float
emulation_logf(float x)
{
    return std::log(x);
}

static inline float
emulation_log2f(float x)
{
    return std::log2(x);
}

static inline float
emulation_powf(float x, float y)
{
    return std::pow(x, y);
}

static inline float
emulation_sinf(float x)
{
    return std::sin(x);
}

static inline float
emulation_cosf(float x)
{
    return std::cos(x);
}

static inline void
sincospif(float x, float *s, float *c)
{
    *s = (float)std::sin(3.14159265358979323846 * (double)x);
    *c = (float)std::cos(3.14159265358979323846 * (double)x);
}

static inline float
__fdividef(float x, float y)
{
    return x / y;
}

static inline float
__frcp_rn(float x)
{
    return 1.0f / x;
}

static inline float
__saturatef(float x)
{
    return x > 1.0f ? 1.0f : x > 0.0f ? x : 0.0f; /* NaN gives 0 */
}

static inline float
__fmul_rn(float x, float y)
{
    return x * y;
}

static inline float
__fadd_rn(float x, float y)
{
    return x + y;
}

static inline float
__fmaf_rn(float x, float y, float z)
{
    return std::fma(x, y, z);
}

static inline int
__float2int_rn(float x)
{
    return (int)std::nearbyint(x);
}

static inline int
__float2int_rd(float x)
{
    return (int)std::floor(x);
}

static inline int
__float2int_rz(float x)
{
    return (int)x;
}

static inline float
__int2float_rn(int i)
{
    return (float)i;
}

static inline int
__mul24(int a, int b)
{
    return a * b;
}

static inline int
__mulhi(int a, int b)
{
    return (int)((long long)a * b >> 32);
}

static inline unsigned
__umulhi(unsigned a, unsigned b)
{
    return (unsigned)((unsigned long long)a * b >> 32);
}

static inline long long
clock64()
{
    return 0;
}

/* ---- tensor cores, see ../../../engine/cuda/device.h for the layouts ---- */

/* d [16, 8] = a [16, 16] b [16, 8] + c in the fragments of mma.m16n8k16; each sum is made exactly enough (double) and
 * rounded once, where the device's order of summation is its own. bf16: else half. */
void emulation_mma_16816(float d[4], const unsigned a[4], const unsigned b[2], const float c[4],
                         bool bf16, const char *file, int line);
/* d [16, 8] int32 = a [16, 32] b [32, 8] + c of signed bytes, mma.m16n8k32. */
/* ldmatrix of n (1, 2, 4) 8x8 tiles of 16 bits; lane 8 i + r points at row r of tile i. */
void emulation_ldmatrix(unsigned *r, int n, bool transposed, const void *row, const char *file,
                        int line);

#endif
