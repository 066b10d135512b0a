/* A packed matrix by one to eight rows: what decoding is made of, and bound by reading the matrix once.
 *
 * A warp makes ROWS outputs of all rows of x. It fetches a piece of its rows' bytes in words of 16 (any alignment: what a
 * word holds of other rows is left out) into a buffer of its own in shared memory, and decodes it from there, eight
 * neighbours a lane. Loads are coalesced whatever the block's size, and every warp of an SM has a piece on its way. */
#include "engine/cuda/blocks.h"

#define WARPS 4
#define ROWS  2 /* outputs of a warp: what it reads of x serves both */

/* Elements of a piece: a whole number of blocks and of 256, about a KiB. */
static __host__ __device__ constexpr unsigned
piece_elems(unsigned type)
{
    return 1024u / block_bytes(type) * block_elems(type) >= 2048  ? 2048
           : 1024u / block_bytes(type) * block_elems(type) >= 768 ? 1024
           : block_bytes(type) == 2                               ? 512
                                                                  : 256;
}

static __host__ __device__ constexpr unsigned
piece_bytes(unsigned type) /* and room to keep the row's alignment */
{
    return (piece_elems(type) / block_elems(type) * block_bytes(type) + 15) / 16 * 16 + 16;
}

struct gemv_job {
    packed_matrix w;
    const void *const *matrices; /* of experts; NULL: w's own */
    const float *const *scales;
    const int32_t *chosen;
    unsigned share;
    const float *bias, *x;
    float *y;
    size_t ldx, ldy;
    bool wide; /* rows of x begin at multiples of 16 bytes */
};

/* n bytes at src to shared memory of the same alignment; returns where src[0] went. */
static __device__ __forceinline__ const uint8_t *
fetch(const uint8_t *src, unsigned n, uint8_t *buffer)
{
    const unsigned before = (unsigned)(reinterpret_cast<uintptr_t>(src) % 16);
    const uint8_t *aligned = src - before;

    for (unsigned at = threadIdx.x % LODE_WARP * 16; at < before + n; at += LODE_WARP * 16) {
        if (at >= before && at + 16 <= before + n) {
            *reinterpret_cast<uint4 *>(buffer + at) =
                __ldg(reinterpret_cast<const uint4 *>(aligned + at));
        } else {
            for (unsigned i = at; i < at + 16; i++)
                if (i >= before && i < before + n) buffer[i] = aligned[i];
        }
    }
    return buffer + before;
}

static __device__ __forceinline__ void
load_x(const gemv_job &job, const float *x, unsigned at, float v[8])
{
    if (job.wide && at + 8 <= job.w.n_in) {
        const float4 a = __ldg(reinterpret_cast<const float4 *>(x + at));
        const float4 b = __ldg(reinterpret_cast<const float4 *>(x + at + 4));
        v[0] = a.x, v[1] = a.y, v[2] = a.z, v[3] = a.w;
        v[4] = b.x, v[5] = b.y, v[6] = b.z, v[7] = b.w;
        return;
    }
#pragma unroll
    for (unsigned k = 0; k < 8; k++)
        v[k] = at + k < job.w.n_in ? x[at + k] : 0.0f;
}

/* y [N, n_out] = w x; experts: blockIdx.y is a slot, N 1. Rows beyond n_out repeat the last one and are not written. */
template <unsigned TYPE, int N>
static __global__ void
__launch_bounds__(WARPS *LODE_WARP, N > 4 ? 4 : 6) gemv_rows(gemv_job job, unsigned n)
{
    LODE_STATIC_SHARED(uint8_t, buffers, WARPS * ROWS * piece_bytes(TYPE));
    const unsigned lane = threadIdx.x % LODE_WARP, warp = threadIdx.x / LODE_WARP;
    const unsigned first = (blockIdx.x * WARPS + warp) * ROWS;
    const packed_matrix &w = job.w;
    const uint8_t *data = w.data, *rows[ROWS], *pieces[ROWS];
    const float *scales = w.scales, *scales_of[ROWS], *x = job.x;
    float *y = job.y;
    float sum[ROWS][N] = {};

    if (job.matrices) {
        const int32_t expert = job.chosen[blockIdx.y];
        data = static_cast<const uint8_t *>(job.matrices[expert]);
        scales = job.scales ? job.scales[expert] : NULL;
        x += blockIdx.y / job.share * job.ldx;
        y += blockIdx.y * job.ldy;
    }
#pragma unroll
    for (unsigned r = 0; r < ROWS; r++) {
        const unsigned row = first + r < w.n_out ? first + r : w.n_out - 1;
        rows[r] = data + row * w.row_bytes;
        scales_of[r] = row_scales(w, scales, row);
    }
    for (unsigned at = 0; at < w.n_in; at += piece_elems(TYPE)) {
        const unsigned n_elems = w.n_in - at < piece_elems(TYPE) ? w.n_in - at : piece_elems(TYPE);
        const unsigned n_bytes = n_elems / block_elems(TYPE) * block_bytes(TYPE);
#pragma unroll
        for (unsigned r = 0; r < ROWS; r++)
            pieces[r] = fetch(rows[r] + (size_t)(at / block_elems(TYPE)) * block_bytes(TYPE),
                              n_bytes, buffers + (warp * ROWS + r) * piece_bytes(TYPE));
        __syncwarp();
        for (unsigned i = lane * 8; i < n_elems; i += LODE_WARP * 8) {
            float v[ROWS][8], in[8];
#pragma unroll
            for (unsigned r = 0; r < ROWS; r++) {
                decode_8<TYPE>(pieces[r], i, n_elems, v[r]);
                if constexpr (TYPE == CUDA_F8_E4M3 || TYPE == CUDA_F8_E5M2)
                    apply_scales(scales_of[r], w.scale_cols, at + i, w.n_in, v[r]);
            }
#pragma unroll
            for (unsigned t = 0; t < N; t++) {
                if (t >= n) break;
                load_x(job, x + t * job.ldx, at + i, in);
#pragma unroll
                for (unsigned r = 0; r < ROWS; r++)
#pragma unroll
                    for (int k = 0; k < 8; k++)
                        sum[r][t] += v[r][k] * in[k];
            }
        }
        __syncwarp();
    }
#pragma unroll
    for (unsigned r = 0; r < ROWS; r++) {
#pragma unroll
        for (unsigned t = 0; t < N; t++) {
            const float total = warp_sum(sum[r][t]);
            if (lane == 0 && t < n && first + r < w.n_out)
                y[t * job.ldy + first + r] = total + (job.bias ? job.bias[first + r] : 0.0f);
        }
    }
}

template <unsigned TYPE>
static cudaError_t
launch(cudaStream_t s, const gemv_job &job, unsigned n, unsigned n_slots)
{
    const dim3 grid((job.w.n_out + WARPS * ROWS - 1) / (WARPS * ROWS), n_slots);

    if (n == 1) return LODE_LAUNCH((gemv_rows<TYPE, 1>), grid, WARPS * LODE_WARP, 0, s, job, n);
    if (n == 2) return LODE_LAUNCH((gemv_rows<TYPE, 2>), grid, WARPS * LODE_WARP, 0, s, job, n);
    if (n <= 4) return LODE_LAUNCH((gemv_rows<TYPE, 4>), grid, WARPS * LODE_WARP, 0, s, job, n);
    return LODE_LAUNCH((gemv_rows<TYPE, 8>), grid, WARPS * LODE_WARP, 0, s, job, n);
}

static cudaError_t
launch_any(cudaStream_t s, uint32_t type, const gemv_job &job, unsigned n, unsigned n_slots)
{
    if (job.w.row_bytes == 0 || job.w.n_out == 0) return cudaErrorInvalidValue;
    switch (type) {
#define LAUNCH(type)                                                                               \
    case type:                                                                                     \
        return launch<type>(s, job, n, n_slots);
        CUDA_EACH_TYPE(LAUNCH)
    default:
        return cudaErrorInvalidValue;
    }
}

static bool
is_wide(const float *x, size_t ldx)
{
    return reinterpret_cast<uintptr_t>(x) % 16 == 0 && ldx % 4 == 0;
}

cudaError_t
cuda_gemv(cudaStream_t s, const lode_cuda_matrix *w, const float *bias, const float *x, size_t ldx,
          size_t n, float *y, size_t ldy)
{
    gemv_job job = {};

    if (n == 0) return cudaSuccess;
    if (n > CUDA_GEMV_ROWS) return cudaErrorInvalidValue;
    job.w = packed_of(w);
    job.bias = bias;
    job.x = x;
    job.y = y;
    job.ldx = ldx;
    job.ldy = ldy;
    job.wide = is_wide(x, ldx);
    return launch_any(s, w->type, job, (unsigned)n, 1);
}

#define SLOTS_AT_ONCE 32768u /* a grid's second dimension ends at 65535 */

cudaError_t
cuda_gemv_experts(cudaStream_t s, const lode_cuda_matrix *w, const void *const *matrices,
                  const float *const *scales, const int32_t *chosen, size_t n_slots, uint32_t share,
                  const float *x, float *y)
{
    gemv_job job = {};
    const size_t at_once = SLOTS_AT_ONCE / share * share;

    job.w = packed_of(w);
    job.matrices = matrices;
    job.scales = scales;
    job.share = share;
    job.ldx = w->n_in;
    job.ldy = w->n_out;
    job.wide = is_wide(x, w->n_in);
    for (size_t i = 0; i < n_slots; i += at_once) {
        job.chosen = chosen + i;
        job.x = x + i / share * w->n_in;
        job.y = y + i * w->n_out;
        LODE_TRY(launch_any(s, w->type, job, 1,
                            (unsigned)(n_slots - i < at_once ? n_slots - i : at_once)));
    }
    return cudaSuccess;
}
