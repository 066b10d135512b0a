/* Attention of many rows: prompts over their own past, and BERT's texts, both ways. On tensor cores.
 *
 * A block takes ROWS rows, where a row is a token and one of the queries that share a KV head, token by token, and walks
 * the positions in tiles. A warp owns 16 of the rows: scores of its queries with the tile's keys (mma, sums in float32), the
 * running softmax in float32 in registers, weights rounded to half as they are, times the values. Queries, keys and values
 * are rounded to half (attention_floats.cu rounds nothing). The fragments of a score matrix are those of a left operand, so
 * weights never leave registers.
 * Heads up to 128 wide keep their queries in registers; wider ones leave room for that to their results.
 *
 * Source: Dao et al., FlashAttention, arXiv:2205.14135, and FlashAttention-2, arXiv:2307.08691. */
#include "engine/cuda/attention.h"

template <unsigned D> struct shape {
    static constexpr unsigned WARPS = D > 128 ? 2 : 4, ROWS = 16 * WARPS, TILE = D > 128 ? 16 : 64,
                              LD = D + 8; /* halves; rows 16 bytes apart modulo 128 */
};

/* ROWS x [D] halves from floats; row r at r's query, zeros where there is none. */
template <unsigned D>
static __device__ __forceinline__ void
load_queries(const many_job &job, unsigned row0, unsigned n_rows, unsigned first_row,
             unsigned kv_head, unsigned ld, uint16_t *to)
{
    for (unsigned i = threadIdx.x; i < shape<D>::ROWS * D / 2; i += shape<D>::WARPS * LODE_WARP) {
        const unsigned r = i / (D / 2), d = i % (D / 2) * 2, row = first_row + r;
        unsigned both = 0;
        if (row < n_rows) {
            const float *q = job.q + (size_t)(row0 + row / job.group) * job.ldq +
                             (size_t)(kv_head * job.group + row % job.group) * job.dim;
            both = pack_2<false>(d < job.dim ? q[d] : 0.0f, d + 1 < job.dim ? q[d + 1] : 0.0f);
        }
        *reinterpret_cast<unsigned *>(to + r * ld + d) = both;
    }
}

/* Positions first .. first+TILE-1 of keys and values to halves [TILE][LD]. */
template <unsigned SOURCE, unsigned D>
static __device__ __forceinline__ void
load_tiles(const many_job &job, const uint32_t *pages, unsigned row0, unsigned first, unsigned end,
           unsigned kv_head, uint16_t *keys, uint16_t *values)
{
    constexpr unsigned TILE = shape<D>::TILE, LD = shape<D>::LD, PIECES = TILE * D / 8;

    for (unsigned i = threadIdx.x; i < 2 * PIECES; i += shape<D>::WARPS * LODE_WARP) {
        const bool value = i >= PIECES;
        const unsigned p = i % PIECES / (D / 8), at = i % (D / 8) * 8;
        float v[8] = {};
        if (first + p < end && at < job.dim) {
            if constexpr (SOURCE == TEXTS) {
                const size_t third = (size_t)job.n_heads * job.dim;
                const float *row = job.q + (size_t)(row0 + first + p) * job.ldq +
                                   (value ? 2 * third : third) + (size_t)kv_head * job.dim;
                decode_8<CUDA_F32>(reinterpret_cast<const uint8_t *>(row), at, job.dim, v);
            } else {
                read_8<SOURCE>(cache_row(job.kv, pages, first + p, kv_head, value), at, job.dim, v);
            }
        }
        const uint4 packed = make_uint4(pack_2<false>(v[0], v[1]), pack_2<false>(v[2], v[3]),
                                        pack_2<false>(v[4], v[5]), pack_2<false>(v[6], v[7]));
        *reinterpret_cast<uint4 *>((value ? values : keys) + p * LD + at) = packed;
    }
}

/* The address a lane gives for a 16x16 piece at (row, column): of a left operand, or of values to be transposed. */
static __device__ __forceinline__ const uint16_t *
lane_row(const uint16_t *m, unsigned ld, unsigned row, unsigned column)
{
    const unsigned lane = threadIdx.x % LODE_WARP;
    return m + (row + lane % 16) * ld + column + lane / 16 * 8;
}

/* The same for keys as right operands: rows of m are the result's columns. */
static __device__ __forceinline__ const uint16_t *
lane_key(const uint16_t *m, unsigned ld, unsigned row, unsigned column)
{
    const unsigned lane = threadIdx.x % LODE_WARP;
    return m + (row + lane / 16 * 8 + lane % 8) * ld + column + lane / 8 % 2 * 8;
}

/* Two blocks a multiprocessor at least: left to itself, ptxas spills on some cards to fit a third. */
template <unsigned SOURCE, unsigned D>
static __global__ void
__launch_bounds__(shape<D>::WARPS *LODE_WARP, 2) attend_tiles(many_job job)
{
    constexpr unsigned TILE = shape<D>::TILE, ROWS = shape<D>::ROWS, LD = shape<D>::LD;
    constexpr bool KEEP = D <= 128; /* queries in registers */
    LODE_STATIC_SHARED(uint16_t, keys, TILE * LD);
    LODE_STATIC_SHARED(uint16_t, values, TILE * LD);
    LODE_STATIC_SHARED(uint16_t, queries, KEEP ? 8 : ROWS * LD);
    const unsigned lane = threadIdx.x % LODE_WARP, warp = threadIdx.x / LODE_WARP;
    const unsigned first_row = blockIdx.x * ROWS, kv_head = blockIdx.y;
    unsigned row0, n_tokens, past = 0;
    const uint32_t *pages = NULL;

    if constexpr (SOURCE == TEXTS) {
        row0 = job.first[blockIdx.z];
        n_tokens = job.first[blockIdx.z + 1] - row0;
    } else {
        const cuda_span span = job.spans[blockIdx.z];
        row0 = span.row;
        past = span.first;
        n_tokens = span.n <= CUDA_DECODE_ROWS ? 0 : span.n;
        pages = job.pages + span.pages;
    }
    const unsigned n_rows = n_tokens * job.group;
    if (first_row >= n_rows) return; /* the whole block */

    unsigned q[KEEP ? D / 16 : 1][4];
    if constexpr (KEEP) {
        static_assert(!KEEP || TILE >= ROWS, "queries pass through the keys' room");
        load_queries<D>(job, row0, n_rows, first_row, kv_head, LD, keys);
        __syncthreads();
#pragma unroll
        for (unsigned i = 0; i < D / 16; i++)
            ldmatrix_x4(q[i], lane_row(keys, LD, warp * 16, i * 16));
    } else {
        load_queries<D>(job, row0, n_rows, first_row, kv_head, LD, queries);
    }

    /* of this lane's two rows: the last position seen, and the running softmax */
    unsigned last[2];
    float most[2] = {-INFINITY, -INFINITY}, sum[2] = {0.0f, 0.0f};
    float out[D / 8][4] = {};
    for (unsigned i = 0; i < 2; i++) {
        const unsigned row = first_row + warp * 16 + lane / 4 + 8 * i;
        last[i] =
            SOURCE == TEXTS ? n_tokens - 1 : past + (row < n_rows ? row : n_rows - 1) / job.group;
    }
    const unsigned last_row = first_row + ROWS < n_rows ? first_row + ROWS - 1 : n_rows - 1;
    const unsigned end = SOURCE == TEXTS ? n_tokens : past + last_row / job.group + 1;

    for (unsigned first = 0; first < end; first += TILE) {
        __syncthreads();
        load_tiles<SOURCE, D>(job, pages, row0, first, end, kv_head, keys, values);
        __syncthreads();
        float s[TILE / 8][4] = {};
#pragma unroll
        for (unsigned i = 0; i < D / 16; i++) {
            unsigned a[4];
            if constexpr (!KEEP) ldmatrix_x4(a, lane_row(queries, LD, warp * 16, i * 16));
#pragma unroll
            for (unsigned j = 0; j < TILE / 16; j++) {
                unsigned b[4];
                ldmatrix_x4(b, lane_key(keys, LD, j * 16, i * 16));
                mma_f16(s[2 * j], KEEP ? q[KEEP ? i : 0] : a, b, s[2 * j]);
                mma_f16(s[2 * j + 1], KEEP ? q[KEEP ? i : 0] : a, b + 2, s[2 * j + 1]);
            }
        }
#pragma unroll
        for (unsigned i = 0; i < 2; i++) {
            float top = most[i];
#pragma unroll
            for (unsigned j = 0; j < TILE / 8; j++)
#pragma unroll
                for (unsigned k = 0; k < 2; k++) {
                    const unsigned position = first + 8 * j + lane % 4 * 2 + k;
                    float *score = &s[j][2 * i + k];
                    *score = position <= last[i] ? *score * job.scale : -INFINITY;
                    top = fmaxf(top, *score);
                }
            top = fmaxf(top, __shfl_xor_sync(LODE_ALL_LANES, top, 1));
            top = fmaxf(top, __shfl_xor_sync(LODE_ALL_LANES, top, 2));
            /* position 0 is seen by every row, so that top is a number from the first tile on */
            const float scale = expf(most[i] - top);
            float part = 0.0f;
#pragma unroll
            for (unsigned j = 0; j < TILE / 8; j++)
#pragma unroll
                for (unsigned k = 0; k < 2; k++)
                    part += s[j][2 * i + k] = expf(s[j][2 * i + k] - top);
            sum[i] = sum[i] * scale + part; /* over the quad at the end */
            most[i] = top;
#pragma unroll
            for (unsigned j = 0; j < D / 8; j++)
                out[j][2 * i] *= scale, out[j][2 * i + 1] *= scale;
        }
#pragma unroll
        for (unsigned j = 0; j < TILE / 16; j++) {
            const unsigned a[4] = {pack_2<false>(s[2 * j][0], s[2 * j][1]),
                                   pack_2<false>(s[2 * j][2], s[2 * j][3]),
                                   pack_2<false>(s[2 * j + 1][0], s[2 * j + 1][1]),
                                   pack_2<false>(s[2 * j + 1][2], s[2 * j + 1][3])};
#pragma unroll
            for (unsigned i = 0; i < D / 16; i++) {
                unsigned b[4];
                ldmatrix_x4_trans(b, lane_row(values, LD, j * 16, i * 16));
                mma_f16(out[2 * i], a, b, out[2 * i]);
                mma_f16(out[2 * i + 1], a, b + 2, out[2 * i + 1]);
            }
        }
    }
#pragma unroll
    for (unsigned i = 0; i < 2; i++) {
        sum[i] += __shfl_xor_sync(LODE_ALL_LANES, sum[i], 1);
        sum[i] += __shfl_xor_sync(LODE_ALL_LANES, sum[i], 2);
        const unsigned r = first_row + warp * 16 + lane / 4 + 8 * i;
        if (r >= n_rows) continue;
        const size_t row = row0 + r / job.group;
        const unsigned head = kv_head * job.group + r % job.group;
        const float *gate = job.gate ? job.gate + row * job.width + kv_head * job.gate_group +
                                           r % job.group * job.gate_head
                                     : NULL;
        float *to = job.out + (row * job.n_heads + head) * job.dim;
#pragma unroll
        for (unsigned j = 0; j < D / 8; j++)
#pragma unroll
            for (unsigned k = 0; k < 2; k++) {
                const unsigned d = 8 * j + lane % 4 * 2 + k;
                if (d >= job.dim) continue;
                const float o = out[j][2 * i + k] / sum[i];
                to[d] = gate ? o / (1.0f + expf(-gate[d])) : o;
            }
    }
}

template <unsigned SOURCE, unsigned D>
static cudaError_t
launch_shape(cudaStream_t s, const many_job &job, size_t most, unsigned n_kv_heads,
             unsigned n_spans)
{
    const unsigned n_blocks = (unsigned)((most * job.group + shape<D>::ROWS - 1) / shape<D>::ROWS);
    return LODE_LAUNCH((attend_tiles<SOURCE, D>), dim3(n_blocks, n_kv_heads, n_spans),
                       shape<D>::WARPS * LODE_WARP, 0, s, job);
}

#define SPANS_AT_ONCE 32768u /* a grid's third dimension ends at 65535 */

/* most: tokens of the longest span. */
template <unsigned SOURCE>
static cudaError_t
launch(cudaStream_t s, many_job job, size_t most, unsigned n_kv_heads, size_t n_spans)
{
    for (size_t i = 0; i < n_spans; i += SPANS_AT_ONCE) {
        const unsigned n = (unsigned)(n_spans - i < SPANS_AT_ONCE ? n_spans - i : SPANS_AT_ONCE);
        if (job.dim <= 64)
            LODE_TRY((launch_shape<SOURCE, 64>(s, job, most, n_kv_heads, n)));
        else if (job.dim <= 96)
            LODE_TRY((launch_shape<SOURCE, 96>(s, job, most, n_kv_heads, n)));
        else if (job.dim <= 128)
            LODE_TRY((launch_shape<SOURCE, 128>(s, job, most, n_kv_heads, n)));
        else
            LODE_TRY((launch_shape<SOURCE, 256>(s, job, most, n_kv_heads, n)));
        if (job.spans) job.spans += n;
        if (job.first) job.first += n;
    }
    return cudaSuccess;
}

cudaError_t
cuda_attend_many(cudaStream_t s, const lode_cuda_attention *a, const cuda_pass *pass)
{
    const many_job job = many_rows_of_cache(a, pass);

    switch (a->kv.type) {
    case CUDA_F16:
        return launch<CUDA_F16>(s, job, pass->most, a->n_kv_heads, pass->n_spans);
    case CUDA_Q8_0:
        return launch<CUDA_Q8_0>(s, job, pass->most, a->n_kv_heads, pass->n_spans);
    case CUDA_Q4_0:
        return launch<CUDA_Q4_0>(s, job, pass->most, a->n_kv_heads, pass->n_spans);
    default:
        return cudaErrorInvalidValue;
    }
}

cudaError_t
cuda_attend_text(cudaStream_t s, const float *qkv, const uint32_t *first, size_t n_texts,
                 size_t longest, uint32_t n_heads, uint32_t dim, bool exact, float *out)
{
    if (exact) return cuda_attend_text_floats(s, qkv, first, n_texts, longest, n_heads, dim, out);
    if (n_texts == 0 || longest == 0) return cudaSuccess;
    if (dim > CUDA_HEAD_DIM) return cudaErrorInvalidValue;
    const many_job job = many_rows_of_texts(qkv, first, n_heads, dim, out);
    return launch<TEXTS>(s, job, longest, n_heads, n_texts);
}
