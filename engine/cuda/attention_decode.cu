/* Attention of one to eight new tokens over a long past: bound by reading the cache once.
 *
 * A row's past is cut into at most SPLITS runs of whole pages, a block each, so that one sequence fills the card. A block
 * takes a run with all queries that share a KV head (eight at a time): keys of 32 positions go to shared memory as floats,
 * every thread makes the scores of one position, the running softmax is a warp's, then the values take the keys' place and
 * a thread owns elements of the result. join_splits adds the runs up in ascending order, as attention.c joins blocks.
 * How a past is cut depends on its length alone, so a row's bytes do not depend on who else is in the pass.
 *
 * Source: Flash-Decoding (Dao, Haziza, Massa, Sizov, 2023); Dao et al., arXiv:2205.14135. */
#include "engine/cuda/attention.h"

#define SPLITS       32
#define TILE         32 /* positions */
#define QUERIES      8  /* of a block */
#define THREADS      128
#define ROWS_AT_ONCE 64 /* of a launch: bounds the partials */

/* What a launch works at: up to per_span tokens of each of the spans from `span` on that have no more; row z of the partials
 * is one of those. */
struct decode_job {
    lode_cuda_attention a;
    cuda_pass pass;
    unsigned span, per_span;
    float *partials; /* [z, n_heads, SPLITS, head_dim + 2]: sums, maximum, sum of weights */
};

/* The row of blockIdx.z, FALSE when there is none. */
static __device__ __forceinline__ bool
row_of(const decode_job &job, unsigned z, cuda_span *span, unsigned *token)
{
    *span = job.pass.spans[job.span + z / job.per_span];
    *token = z % job.per_span;
    return span->n <= CUDA_DECODE_ROWS && *token < span->n;
}

/* Pages of a run of a past of n positions. */
static __device__ __forceinline__ unsigned
pages_per_split(unsigned n, unsigned page_tokens)
{
    const unsigned n_pages = (n + page_tokens - 1) / page_tokens;
    return (n_pages + SPLITS - 1) / SPLITS;
}

static __device__ __forceinline__ size_t
partial_at(const decode_job &job, unsigned z, unsigned head, unsigned split)
{
    return (((size_t)z * job.a.n_heads + head) * SPLITS + split) * (job.a.head_dim + 2);
}

/* Positions first .. first+TILE-1 of one head to floats [TILE][D + 4]; zeros beyond end and beyond head_dim. */
template <unsigned TYPE, unsigned D>
static __device__ __forceinline__ void
load_tile(const decode_job &job, const uint32_t *pages, unsigned first, unsigned end,
          unsigned kv_head, bool value, float *tile)
{
    for (unsigned i = threadIdx.x; i < TILE * D / 8; i += THREADS) {
        const unsigned p = i / (D / 8), at = i % (D / 8) * 8;
        float v[8] = {};
        if (first + p < end && at < job.a.head_dim)
            read_8<TYPE>(cache_row(job.a.kv, pages, first + p, kv_head, value), at, job.a.head_dim,
                         v);
        float4 *to = reinterpret_cast<float4 *>(tile + p * (D + 4) + at);
        to[0] = make_float4(v[0], v[1], v[2], v[3]);
        to[1] = make_float4(v[4], v[5], v[6], v[7]);
    }
}

/* Scores [QUERIES][TILE]: a thread makes one position of two queries. */
template <unsigned D>
static __device__ __forceinline__ void
score_tile(const float *tile, const float *q, float scale, unsigned n_pos, float *scores)
{
    const unsigned p = threadIdx.x % TILE, first = threadIdx.x / TILE * 2;
    const float4 *k = reinterpret_cast<const float4 *>(tile + p * (D + 4));
    const float4 *q0 = reinterpret_cast<const float4 *>(q + first * D), *q1 = q0 + D / 4;
    float s0 = 0.0f, s1 = 0.0f;

#pragma unroll 8
    for (unsigned i = 0; i < D / 4; i++) {
        const float4 x = k[i], a = q0[i], b = q1[i];
        s0 += x.x * a.x + x.y * a.y + x.z * a.z + x.w * a.w;
        s1 += x.x * b.x + x.y * b.y + x.z * b.z + x.w * b.w;
    }
    scores[first * TILE + p] = p < n_pos ? s0 * scale : -INFINITY;
    scores[(first + 1) * TILE + p] = p < n_pos ? s1 * scale : -INFINITY;
}

template <unsigned TYPE, unsigned D>
static __global__ void
__launch_bounds__(THREADS) attend_split(decode_job job)
{
    LODE_STATIC_SHARED(float, tile, TILE *(D + 4));
    LODE_STATIC_SHARED(float, queries, QUERIES *D);
    LODE_STATIC_SHARED(float, scores, QUERIES *TILE);
    LODE_STATIC_SHARED(float, keep, QUERIES); /* what the sums before this tile are scaled by */
    constexpr unsigned PER_THREAD = D > THREADS ? D / THREADS : 1; /* elements of the result */
    const lode_cuda_attention &a = job.a;
    const unsigned tid = threadIdx.x, lane = tid % LODE_WARP, warp = tid / LODE_WARP;
    const unsigned group = a.n_heads / a.n_kv_heads, parts = (group + QUERIES - 1) / QUERIES;
    const unsigned kv_head = blockIdx.y / parts, g0 = blockIdx.y % parts * QUERIES;
    const unsigned n_q = group - g0 < QUERIES ? group - g0 : QUERIES;
    const unsigned head0 = kv_head * group + g0;
    cuda_span span;
    unsigned token;

    if (!row_of(job, blockIdx.z, &span, &token)) return; /* the whole block */
    const uint32_t *pages = job.pass.pages + span.pages;
    const unsigned n = span.first + token + 1;
    const unsigned per_split = pages_per_split(n, a.kv.page_tokens) * a.kv.page_tokens;
    const unsigned begin = blockIdx.x * per_split;
    const unsigned end = n - begin < per_split ? n : begin + per_split;
    if (begin >= n) return;
    for (unsigned i = tid; i < QUERIES * D; i += THREADS) {
        const unsigned g = i / D, d = i % D;
        queries[i] =
            g < n_q && d < a.head_dim
                ? a.q[((size_t)(span.row + token) * a.n_heads + head0 + g) * a.head_dim + d]
                : 0.0f;
    }
    float most[2] = {-INFINITY, -INFINITY}, sum[2] = {0.0f, 0.0f}; /* queries 2 warp, 2 warp + 1 */
    float out[QUERIES][PER_THREAD] = {};

    for (unsigned first = begin; first < end; first += TILE) {
        __syncthreads(); /* the tile before has been used */
        load_tile<TYPE, D>(job, pages, first, end, kv_head, false, tile);
        __syncthreads();
        score_tile<D>(tile, queries, a.scale, end - first, scores);
        __syncthreads();
        load_tile<TYPE, D>(job, pages, first, end, kv_head, true, tile);
#pragma unroll
        for (unsigned i = 0; i < 2; i++) {
            float *s = scores + (2 * warp + i) * TILE + lane;
            const float top = fmaxf(most[i], warp_max(*s)), e = expf(*s - top);
            const float scale = expf(most[i] - top); /* of nothing: 0 */
            sum[i] = sum[i] * scale + warp_sum(e);
            most[i] = top;
            *s = e;
            if (lane == 0) keep[2 * warp + i] = scale;
        }
        __syncthreads();
        if (tid < D) {
#pragma unroll
            for (unsigned g = 0; g < QUERIES; g++)
#pragma unroll
                for (unsigned i = 0; i < PER_THREAD; i++)
                    out[g][i] *= keep[g];
#pragma unroll 4
            for (unsigned p = 0; p < TILE; p++) {
#pragma unroll
                for (unsigned i = 0; i < PER_THREAD; i++) {
                    const float v = tile[p * (D + 4) + tid + i * THREADS];
#pragma unroll
                    for (unsigned g = 0; g < QUERIES; g++)
                        out[g][i] += scores[g * TILE + p] * v;
                }
            }
        }
    }
#pragma unroll
    for (unsigned g = 0; g < QUERIES; g++) {
        float *to = job.partials + partial_at(job, blockIdx.z, head0 + g, blockIdx.x);
#pragma unroll
        for (unsigned i = 0; i < PER_THREAD; i++)
            if (g < n_q && tid + i * THREADS < a.head_dim) to[tid + i * THREADS] = out[g][i];
    }
#pragma unroll
    for (unsigned i = 0; i < 2; i++) {
        if (lane > 0 || 2 * warp + i >= n_q) continue;
        float *to = job.partials + partial_at(job, blockIdx.z, head0 + 2 * warp + i, blockIdx.x);
        to[a.head_dim] = most[i];
        to[a.head_dim + 1] = sum[i];
    }
}

/* out = the runs joined, times the sigmoid of the output gate; a block for each head of a row. */
static __global__ void
__launch_bounds__(THREADS) join_splits(decode_job job)
{
    const lode_cuda_attention &a = job.a;
    const unsigned head = blockIdx.x, group = a.n_heads / a.n_kv_heads;
    cuda_span span;
    unsigned token;

    if (!row_of(job, blockIdx.y, &span, &token)) return;
    const unsigned n = span.first + token + 1;
    const unsigned per_split = pages_per_split(n, a.kv.page_tokens) * a.kv.page_tokens;
    const unsigned n_splits = (n + per_split - 1) / per_split;
    const size_t row = span.row + token;
    const float *gate = a.raw + row * a.width + a.q_at + head / group * a.q_group +
                        head % group * a.q_head + a.gate;
    for (unsigned d = threadIdx.x; d < a.head_dim; d += THREADS) {
        const float *part = job.partials + partial_at(job, blockIdx.y, head, 0);
        float most = part[a.head_dim], sum = part[a.head_dim + 1], out = part[d];
        for (unsigned i = 1; i < n_splits; i++) {
            part += a.head_dim + 2;
            const float top = fmaxf(most, part[a.head_dim]);
            const float keep = expf(most - top), take = expf(part[a.head_dim] - top);
            out = out * keep + part[d] * take;
            sum = sum * keep + part[a.head_dim + 1] * take;
            most = top;
        }
        out *= 1.0f / sum;
        if (a.gate) out *= 1.0f / (1.0f + expf(-gate[d]));
        a.out[(row * a.n_heads + head) * a.head_dim + d] = out;
    }
}

size_t
cuda_attend_floats(uint32_t n, uint32_t n_heads, uint32_t head_dim)
{
    const size_t padded =
        (size_t)n * (n < CUDA_DECODE_ROWS ? n : CUDA_DECODE_ROWS); /* spans as long */
    return (padded < ROWS_AT_ONCE ? padded : ROWS_AT_ONCE) * n_heads * SPLITS * (head_dim + 2);
}

template <unsigned TYPE>
static cudaError_t
launch_split(cudaStream_t s, const decode_job &job, dim3 grid)
{
    if (job.a.head_dim <= 64)
        return LODE_LAUNCH((attend_split<TYPE, 64>), grid, THREADS, 0, s, job);
    if (job.a.head_dim <= 128)
        return LODE_LAUNCH((attend_split<TYPE, 128>), grid, THREADS, 0, s, job);
    return LODE_LAUNCH((attend_split<TYPE, 256>), grid, THREADS, 0, s, job);
}

static cudaError_t
launch_rows(cudaStream_t s, const decode_job &job, unsigned n_rows)
{
    const lode_cuda_attention &a = job.a;
    const unsigned group = a.n_heads / a.n_kv_heads, parts = (group + QUERIES - 1) / QUERIES;
    const dim3 grid(SPLITS, a.n_kv_heads * parts, n_rows);

    switch (a.kv.type) {
    case CUDA_F32:
        LODE_TRY(launch_split<CUDA_F32>(s, job, grid));
        break;
    case CUDA_F16:
        LODE_TRY(launch_split<CUDA_F16>(s, job, grid));
        break;
    case CUDA_Q8_0:
        LODE_TRY(launch_split<CUDA_Q8_0>(s, job, grid));
        break;
    case CUDA_Q4_0:
        LODE_TRY(launch_split<CUDA_Q4_0>(s, job, grid));
        break;
    default:
        return cudaErrorInvalidValue;
    }
    return LODE_LAUNCH(join_splits, dim3(a.n_heads, n_rows), THREADS, 0, s, job);
}

/* The spans of few tokens. */
static cudaError_t
attend_few(cudaStream_t s, const lode_cuda_attention *a, const cuda_pass *pass, float *partials)
{
    const unsigned per_span = pass->most < CUDA_DECODE_ROWS ? pass->most : CUDA_DECODE_ROWS;
    const unsigned at_once = ROWS_AT_ONCE / per_span;

    for (unsigned span = 0; span < pass->n_spans; span += at_once) {
        const unsigned left = pass->n_spans - span, n_spans = left < at_once ? left : at_once;
        LODE_TRY(launch_rows(s, {*a, *pass, span, per_span, partials}, n_spans * per_span));
    }
    return cudaSuccess;
}

cudaError_t
cuda_attend(cudaStream_t s, const lode_cuda_attention *a, const cuda_pass *pass, float *partials)
{
    if (pass->n == 0) return cudaSuccess;
    if (a->head_dim > CUDA_HEAD_DIM || a->n_kv_heads == 0) return cudaErrorInvalidValue;
    if (pass->least <= CUDA_DECODE_ROWS) LODE_TRY(attend_few(s, a, pass, partials));
    if (pass->most <= CUDA_DECODE_ROWS) return cudaSuccess;
    return a->exact || a->kv.type == CUDA_F32 ? cuda_attend_many_floats(s, a, pass)
                                              : cuda_attend_many(s, a, pass);
}
