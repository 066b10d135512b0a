/* The one header of every file here: the CUDA runtime, or the tests' emulation of it (LODE_CUDA_EMULATED), and what
 * kernels of both are written with.
 *
 * A kernel is launched with LODE_LAUNCH and declares shared memory with LODE_SHARED or LODE_STATIC_SHARED; matrix
 * instructions, ldmatrix and cp.async go through the functions below. Everything else is CUDA C++ as it is. Every
 * thread of a block reaches every barrier, every lane of a mask its warp operation: no early return before one.
 *
 * Compute capabilities: 75 is the least. What it lacks (cp.async, bfloat16 on tensor cores) is done here another way. */
#ifndef LODE_CUDA_DEVICE_H
#define LODE_CUDA_DEVICE_H

#include <cstddef>
#include <cstdint>

#ifdef LODE_CUDA_EMULATED
#include <emulation.h>
#else
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>
#endif

/* ---- launching ---- */

/* LODE_LAUNCH(kernel, grid, block, shared_bytes, stream, arguments...): a template's commas go into parentheses. The
 * statement is a cudaError_t: what the launch itself met. */
#ifdef LODE_CUDA_EMULATED
#define LODE_LAUNCH(kernel, grid, block, shared, stream, ...)                                      \
    emulation_launch_kernel(#kernel, kernel, grid, block, shared, stream, __VA_ARGS__)
#else
#define LODE_LAUNCH(kernel, grid, block, shared, stream, ...)                                      \
    (kernel<<<grid, block, shared, stream>>>(__VA_ARGS__), cudaGetLastError())
#endif

/* Hand an error on. */
#define LODE_TRY(call)                                                                             \
    do {                                                                                           \
        const cudaError_t lode_error_ = (call);                                                    \
        if (lode_error_ != cudaSuccess) return lode_error_;                                        \
    } while (0)

/* ---- shared memory ---- */

/* type *name: the launch's dynamic shared memory, 128-byte aligned. One per kernel; carve it up by hand. */
/* type name [n]: static; n elements (never sizeof name, which differs in a template's eyes only) */
#ifdef LODE_CUDA_EMULATED
#define LODE_SHARED(type, name) type *const name = static_cast<type *>(emulation_shared())
#define LODE_STATIC_SHARED(type, name, n)                                                          \
    static const char name##_site = 0;                                                             \
    type(&name)[n] = *static_cast<type(*)[n]>(                                                     \
        emulation_static_shared(&name##_site, sizeof(type) * (n), alignof(type)))
#else
#define LODE_SHARED(type, name)                                                                    \
    extern __shared__ __align__(128) unsigned char lode_dynamic_shared[];                          \
    type *const name = reinterpret_cast<type *>(lode_dynamic_shared)
#define LODE_STATIC_SHARED(type, name, n) __shared__ __align__(16) type name[n]
#endif

/* ---- warps and blocks ---- */

#define LODE_WARP      32
#define LODE_ALL_LANES 0xffffffffu

/* The sum (or largest) over all lanes of a warp, in every lane; the order of summation is fixed. */
static __device__ __forceinline__ float
warp_sum(float value)
{
#pragma unroll
    for (int bit = LODE_WARP / 2; bit > 0; bit /= 2)
        value += __shfl_xor_sync(LODE_ALL_LANES, value, bit);
    return value;
}

static __device__ __forceinline__ float
warp_max(float value)
{
#pragma unroll
    for (int bit = LODE_WARP / 2; bit > 0; bit /= 2)
        value = fmaxf(value, __shfl_xor_sync(LODE_ALL_LANES, value, bit));
    return value;
}

/* The sum over all threads of a block (a multiple of 32, one dimension), in every thread. scratch: 32 floats of shared memory,
 * free again after the call's return in every thread. */
static __device__ __forceinline__ float
block_sum(float value, float *scratch)
{
    const unsigned lane = threadIdx.x % LODE_WARP, warp = threadIdx.x / LODE_WARP;

    value = warp_sum(value);
    if (lane == 0) scratch[warp] = value;
    __syncthreads();
    value = warp_sum(lane < blockDim.x / LODE_WARP ? scratch[lane] : 0.0f);
    __syncthreads();
    return value;
}

/* ---- tensor cores ----
 *
 * d [16, 8] = a [16, 16] b [16, 8] + c, a warp together, float sums. With g = lane / 4 and t = lane % 4:
 *   a[0] row g, columns 2t 2t+1;  a[1] row g+8;  a[2] row g, columns 2t+8 2t+9;  a[3] row g+8 there
 *   b[0] rows 2t 2t+1 of column g;  b[1] rows 2t+8 2t+9
 *   c, d [0 1] row g, columns 2t 2t+1;  [2 3] row g+8
 * the lower column (of b: row) in a word's lower half. c and d may be the same.
 * Source: PTX ISA, mma.m16n8k16 and mma.m16n8k8. */

#ifdef LODE_CUDA_EMULATED

#define LODE_BF16_CORES true

static inline void
mma_f16(float d[4], const unsigned a[4], const unsigned b[2], const float c[4], EMULATION_HERE)
{
    emulation_mma_16816(d, a, b, c, false, file, line);
}

static inline void
mma_bf16(float d[4], const unsigned a[4], const unsigned b[2], const float c[4], EMULATION_HERE)
{
    emulation_mma_16816(d, a, b, c, true, file, line);
}

static inline void
ldmatrix_x4(unsigned r[4], const void *row, EMULATION_HERE)
{
    emulation_ldmatrix(r, 4, false, row, file, line);
}

static inline void
ldmatrix_x4_trans(unsigned r[4], const void *row, EMULATION_HERE)
{
    emulation_ldmatrix(r, 4, true, row, file, line);
}

static inline void
ldmatrix_x2(unsigned r[2], const void *row, EMULATION_HERE)
{
    emulation_ldmatrix(r, 2, false, row, file, line);
}

static inline void
ldmatrix_x2_trans(unsigned r[2], const void *row, EMULATION_HERE)
{
    emulation_ldmatrix(r, 2, true, row, file, line);
}

template <int N_BYTES>
static inline void
cp_async(void *shared, const void *global, bool whole = true)
{
    emulation_copy_async(shared, global, N_BYTES, whole ? N_BYTES : 0);
}

static inline void
cp_async_commit()
{
    emulation_copy_commit();
}

template <int N_PENDING>
static inline void
cp_async_wait()
{
    emulation_copy_wait(N_PENDING);
}

#else

static __device__ __forceinline__ void
mma_f16(float d[4], const unsigned a[4], const unsigned b[2], const float c[4])
{
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
                 "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%10,%11,%12,%13};\n"
                 : "=f"(d[0]), "=f"(d[1]), "=f"(d[2]), "=f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "f"(c[0]),
                   "f"(c[1]), "f"(c[2]), "f"(c[3]));
#else
    float e[4];
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 "
                 "{%0,%1,%2,%3}, {%4,%5}, {%6}, {%7,%8,%9,%10};\n"
                 : "=f"(e[0]), "=f"(e[1]), "=f"(e[2]), "=f"(e[3])
                 : "r"(a[0]), "r"(a[1]), "r"(b[0]), "f"(c[0]), "f"(c[1]), "f"(c[2]), "f"(c[3]));
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 "
                 "{%0,%1,%2,%3}, {%4,%5}, {%6}, {%7,%8,%9,%10};\n"
                 : "=f"(d[0]), "=f"(d[1]), "=f"(d[2]), "=f"(d[3])
                 : "r"(a[2]), "r"(a[3]), "r"(b[1]), "f"(e[0]), "f"(e[1]), "f"(e[2]), "f"(e[3]));
#endif
}

/* Tensor cores have bfloat16 from 80 on: LODE_BF16_CORES. Code for less never gets here, and multiplies in half. */
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
#define LODE_BF16_CORES false
#else
#define LODE_BF16_CORES true
#endif

static __device__ __forceinline__ void
mma_bf16(float d[4], const unsigned a[4], const unsigned b[2], const float c[4])
{
#if LODE_BF16_CORES
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
                 "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%10,%11,%12,%13};\n"
                 : "=f"(d[0]), "=f"(d[1]), "=f"(d[2]), "=f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "f"(c[0]),
                   "f"(c[1]), "f"(c[2]), "f"(c[3]));
#else
    __trap();
#endif
}

/* Loads 8x8 tiles of 16 bits from shared memory as fragments: lane 8 i + r points at row r of tile i, 16-byte aligned
 * (of x2 only the first 16 lanes' pointers count). trans: each tile transposed. Source: PTX ISA, ldmatrix. */
#define LODE_LDMATRIX_4(name, kind)                                                                \
    static __device__ __forceinline__ void name(unsigned r[4], const void *row)                    \
    {                                                                                              \
        asm volatile("ldmatrix.sync.aligned.m8n8.x4" kind ".shared.b16 {%0,%1,%2,%3}, [%4];\n"     \
                     : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])                              \
                     : "r"((unsigned)__cvta_generic_to_shared(row))                                \
                     : "memory");                                                                  \
    }
#define LODE_LDMATRIX_2(name, kind)                                                                \
    static __device__ __forceinline__ void name(unsigned r[2], const void *row)                    \
    {                                                                                              \
        asm volatile("ldmatrix.sync.aligned.m8n8.x2" kind ".shared.b16 {%0,%1}, [%2];\n"           \
                     : "=r"(r[0]), "=r"(r[1])                                                      \
                     : "r"((unsigned)__cvta_generic_to_shared(row))                                \
                     : "memory");                                                                  \
    }
LODE_LDMATRIX_4(ldmatrix_x4, "")
LODE_LDMATRIX_4(ldmatrix_x4_trans, ".trans")
LODE_LDMATRIX_2(ldmatrix_x2, "")
LODE_LDMATRIX_2(ldmatrix_x2_trans, ".trans")

/* N_BYTES (4, 8, 16) from global to shared memory behind the thread's back, both aligned to them; not whole: zeros, and
 * the source is not read. They have landed for this thread after cp_async_wait, for others after a barrier as well.
 * Groups are closed by cp_async_commit; cp_async_wait<n> leaves the last n on their way. Below 80 it is a plain copy.
 * Source: PTX ISA, cp.async. */
template <int N_BYTES>
static __device__ __forceinline__ void
cp_async(void *shared, const void *global, bool whole = true)
{
    static_assert(N_BYTES == 4 || N_BYTES == 8 || N_BYTES == 16,
                  "cp.async copies 4, 8 or 16 bytes");
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    const unsigned at = (unsigned)__cvta_generic_to_shared(shared);
    const int n = whole ? N_BYTES : 0;
    if constexpr (N_BYTES == 16)
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(at), "l"(global),
                     "r"(n)
                     : "memory");
    else
        asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;\n" ::"r"(at), "l"(global),
                     "n"(N_BYTES), "r"(n)
                     : "memory");
#else
    const int n = N_BYTES / 4;
#pragma unroll
    for (int i = 0; i < n; i++)
        static_cast<unsigned *>(shared)[i] = whole ? static_cast<const unsigned *>(global)[i] : 0u;
#endif
}

static __device__ __forceinline__ void
cp_async_commit()
{
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    asm volatile("cp.async.commit_group;\n" ::: "memory");
#endif
}

template <int N_PENDING>
static __device__ __forceinline__ void
cp_async_wait()
{
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    asm volatile("cp.async.wait_group %0;\n" ::"n"(N_PENDING) : "memory");
#endif
}

#endif

#endif
