/* Many rows by packed matrices on tensor cores, dequantised tile by tile as they are read: experts in prefill, whose loads
 * only the device knows, and any product on a machine without cuBLAS.
 *
 * A block makes ROWS x COLUMNS of y over steps of DEPTH inputs: every thread decodes eight weights and rounds eight inputs
 * at a time to 16 bits, the next step's while this one's are multiplied; four warps take a quarter each (mma, sums in
 * float32). Experts: the slots are sorted, a block finds which expert's tile it is from the list of their starts.
 *
 * Source of the grouping: MegaBlocks, arXiv:2211.15841. */
#include "engine/cuda/blocks.h"

#define ROWS    64
#define COLUMNS 64
#define DEPTH   32
#define LD      (DEPTH + 8) /* of shared tiles, in 16-bit numbers */
#define THREADS 128

struct fused_job {
    packed_matrix w;
    const void *const *matrices; /* of experts; NULL: w's own, for all rows */
    const float *const *scales;
    const uint32_t *start, *rows;
    const float *bias, *x;
    float *y;
    size_t ldx, ldy;
    unsigned n, n_experts;
};

/* The expert and first slot of tile `tile` of those with slots; FALSE beyond the last. A warp together. */
static __device__ __forceinline__ bool
find_tile(const fused_job &job, unsigned tile, unsigned *expert, unsigned *first, unsigned *end)
{
    const unsigned lane = threadIdx.x % LODE_WARP;
    unsigned before = 0;

    for (unsigned base = 0; base < job.n_experts; base += LODE_WARP) {
        const unsigned e = base + lane;
        const unsigned from = e < job.n_experts ? job.start[e] : 0;
        const unsigned to = e < job.n_experts ? job.start[e + 1] : 0;
        const unsigned tiles = (to - from + ROWS - 1) / ROWS;
        unsigned sum = tiles;
#pragma unroll
        for (unsigned d = 1; d < LODE_WARP; d *= 2) {
            const unsigned below = __shfl_up_sync(LODE_ALL_LANES, sum, d);
            if (lane >= d) sum += below;
        }
        const bool here = tile >= before + sum - tiles && tile < before + sum;
        const unsigned votes = __ballot_sync(LODE_ALL_LANES, here);
        if (votes) {
            const int who = __ffs((int)votes) - 1;
            const unsigned at = from + (tile - (before + sum - tiles)) * ROWS;
            *expert = base + (unsigned)who;
            *first = __shfl_sync(LODE_ALL_LANES, at, who);
            *end = __shfl_sync(LODE_ALL_LANES, to, who);
            return true;
        }
        before += __shfl_sync(LODE_ALL_LANES, sum, LODE_WARP - 1);
    }
    return false;
}

/* Eight numbers of 16 bits. */
template <bool BF16>
static __device__ __forceinline__ uint4
pack_8(const float v[8])
{
    return make_uint4(pack_2<BF16>(v[0], v[1]), pack_2<BF16>(v[2], v[3]), pack_2<BF16>(v[4], v[5]),
                      pack_2<BF16>(v[6], v[7]));
}

template <bool BF16>
static __device__ __forceinline__ void
multiply(float d[4], const unsigned a[4], const unsigned b[2])
{
    if constexpr (BF16)
        mma_bf16(d, a, b, d);
    else
        mma_f16(d, a, b, d);
}

/* Four blocks a multiprocessor at least: left to itself, ptxas spills some types on some cards to fit a fifth. */
template <unsigned TYPE, bool BRAINS>
static __global__ void
__launch_bounds__(THREADS, 4) multiply_tiles(fused_job job)
{
    constexpr bool BF16 = BRAINS && LODE_BF16_CORES;
    LODE_STATIC_SHARED(uint16_t, xs, ROWS * LD);
    LODE_STATIC_SHARED(uint16_t, ws, COLUMNS * LD);
    constexpr unsigned PIECES = ROWS * DEPTH / 8 / THREADS; /* of eight, each of x and w */
    const packed_matrix &w = job.w;
    const unsigned tid = threadIdx.x, lane = tid % LODE_WARP, warp = tid / LODE_WARP;
    const unsigned column0 = blockIdx.x * COLUMNS;
    const uint8_t *data = w.data;
    const float *scales = w.scales;
    unsigned first = blockIdx.y * ROWS, end = job.n;

    if (job.matrices) {
        unsigned expert;
        if (!find_tile(job, blockIdx.y, &expert, &first, &end)) return; /* the whole block */
        data = static_cast<const uint8_t *>(job.matrices[expert]);
        scales = job.scales ? job.scales[expert] : NULL;
    }
    /* this thread's pieces: row and inputs at .. at+7 of the step */
    const uint8_t *w_rows[PIECES];
    const float *w_scales[PIECES], *x_rows[PIECES];
    const unsigned at = tid % (DEPTH / 8) * 8;
#pragma unroll
    for (unsigned i = 0; i < PIECES; i++) {
        const unsigned r = tid / (DEPTH / 8) + i * (THREADS * 8 / DEPTH);
        const unsigned column = column0 + r < w.n_out ? column0 + r : w.n_out - 1;
        const unsigned slot = first + r < end ? first + r : end - 1;
        w_rows[i] = data + column * w.row_bytes;
        w_scales[i] = row_scales(w, scales, column);
        x_rows[i] = job.x + (job.rows ? job.rows[slot] : slot) * job.ldx;
    }
    float sum[2][4][4] = {}; /* 32 rows x 32 columns of a warp */
    const unsigned row_of = warp / 2 * 32, column_of = warp % 2 * 32;

    for (unsigned step = 0; step < w.n_in; step += DEPTH) {
        uint4 x_next[PIECES], w_next[PIECES];
        const unsigned k = step + at;
#pragma unroll
        for (unsigned i = 0; i < PIECES; i++) {
            float v[8] = {};
            if (k < w.n_in) {
                decode_8<TYPE>(w_rows[i], k, w.n_in, v);
                if constexpr (TYPE == CUDA_F8_E4M3 || TYPE == CUDA_F8_E5M2)
                    apply_scales(w_scales[i], w.scale_cols, k, w.n_in, v);
            }
            w_next[i] = pack_8<BF16>(v);
#pragma unroll
            for (unsigned j = 0; j < 8; j++)
                v[j] = k + j < w.n_in ? x_rows[i][k + j] : 0.0f;
            x_next[i] = pack_8<BF16>(v);
        }
        __syncthreads(); /* the step before has been used */
#pragma unroll
        for (unsigned i = 0; i < PIECES; i++) {
            const unsigned r = tid / (DEPTH / 8) + i * (THREADS * 8 / DEPTH);
            *reinterpret_cast<uint4 *>(xs + r * LD + at) = x_next[i];
            *reinterpret_cast<uint4 *>(ws + r * LD + at) = w_next[i];
        }
        __syncthreads();
#pragma unroll
        for (unsigned d = 0; d < DEPTH; d += 16) {
            unsigned a[2][4], b[2][4];
#pragma unroll
            for (unsigned i = 0; i < 2; i++) {
                ldmatrix_x4(a[i], xs + (row_of + 16 * i + lane % 16) * LD + d + lane / 16 * 8);
                ldmatrix_x4(b[i], ws + (column_of + 16 * i + lane / 16 * 8 + lane % 8) * LD + d +
                                      lane / 8 % 2 * 8);
            }
#pragma unroll
            for (unsigned i = 0; i < 2; i++)
#pragma unroll
                for (unsigned j = 0; j < 4; j++)
                    multiply<BF16>(sum[i][j], a[i], b[j / 2] + j % 2 * 2);
        }
    }
#pragma unroll
    for (unsigned i = 0; i < 2; i++)
#pragma unroll
        for (unsigned j = 0; j < 4; j++)
#pragma unroll
            for (unsigned e = 0; e < 4; e++) {
                const unsigned slot = first + row_of + 16 * i + lane / 4 + e / 2 * 8;
                const unsigned column = column0 + column_of + 8 * j + lane % 4 * 2 + e % 2;
                if (slot < end && column < w.n_out)
                    job.y[slot * job.ldy + column] =
                        sum[i][j][e] + (job.bias ? job.bias[column] : 0.0f);
            }
}

template <unsigned TYPE>
static cudaError_t
launch(cudaStream_t s, const fused_job &job, dim3 grid)
{
    if constexpr (TYPE == CUDA_BF16) {
        int device = 0, major = 0;
        LODE_TRY(cudaGetDevice(&device));
        LODE_TRY(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device));
        if (major >= 8) return LODE_LAUNCH((multiply_tiles<TYPE, true>), grid, THREADS, 0, s, job);
    }
    return LODE_LAUNCH((multiply_tiles<TYPE, false>), grid, THREADS, 0, s, job);
}

static cudaError_t
launch_any(cudaStream_t s, uint32_t type, const fused_job &job, unsigned n_tiles)
{
    const dim3 grid((job.w.n_out + COLUMNS - 1) / COLUMNS, n_tiles);

    if (job.w.row_bytes == 0 || job.w.n_out == 0 || n_tiles > 65535) return cudaErrorInvalidValue;
    switch (type) {
#define LAUNCH(type)                                                                               \
    case type:                                                                                     \
        return launch<type>(s, job, grid);
        CUDA_EACH_TYPE(LAUNCH)
    default:
        return cudaErrorInvalidValue;
    }
}

cudaError_t
cuda_gemm_fused(cudaStream_t s, const lode_cuda_matrix *w, const float *bias, const float *x,
                size_t ldx, size_t n, float *y, size_t ldy)
{
    fused_job job = {};

    if (n == 0) return cudaSuccess;
    job.w = packed_of(w);
    job.bias = bias;
    job.x = x;
    job.y = y;
    job.ldx = ldx;
    job.ldy = ldy;
    job.n = (unsigned)n;
    return launch_any(s, w->type, job, (unsigned)((n + ROWS - 1) / ROWS));
}

cudaError_t
cuda_gemm_experts(cudaStream_t s, const lode_cuda_matrix *w, const void *const *matrices,
                  const float *const *scales, const uint32_t *start, uint32_t n_experts,
                  size_t n_slots, const uint32_t *rows, const float *x, float *y)
{
    fused_job job = {};
    const size_t busy =
        n_slots < n_experts ? n_slots : n_experts; /* each may leave a tile ragged */

    if (n_slots == 0) return cudaSuccess;
    job.w = packed_of(w);
    job.matrices = matrices;
    job.scales = scales;
    job.start = start;
    job.rows = rows;
    job.x = x;
    job.y = y;
    job.ldx = w->n_in;
    job.ldy = w->n_out;
    job.n = (unsigned)n_slots;
    job.n_experts = n_experts;
    return launch_any(s, w->type, job, (unsigned)(n_slots / ROWS + busy));
}
