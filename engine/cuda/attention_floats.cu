/* Attention of many rows in float32, for where nothing may be rounded: over a cache, and of BERT's texts. No tensor cores:
 * those take halves, or tf32 of as few bits.
 *
 * A block takes ROWS rows (as attention_prefill.cu: a token and one of the queries that share a KV head) and walks the
 * positions in tiles that all of its rows share. Queries, keys and values pass through shared memory SLICE elements of
 * their heads at a time, so that heads of any width have room. A warp owns ROWS / WARPS rows: a lane makes the scores
 * of two positions, and owns every 32nd element of the results.
 *
 * Source: Dao et al., FlashAttention, arXiv:2205.14135. */
#include "engine/cuda/attention.h"

#define WARPS   8
#define THREADS (WARPS * LODE_WARP)
#define EACH    4 /* rows of a warp */
#define ROWS    (WARPS * EACH)
#define TILE    64 /* positions */
#define SLICE   32
#define LD      (SLICE + 4) /* rows of keys: eight lanes' float4 lie in different banks */

/* What a block works at. */
struct floats_block {
    unsigned row0, n_rows, first_row, past, kv_head;
    const uint32_t *pages;
};

/* Elements from .. from+SLICE-1 of the block's queries to [ROWS][SLICE]; zeros around. */
static __device__ __forceinline__ void
load_queries(const many_job &job, const floats_block &b, unsigned from, float *to)
{
    for (unsigned i = threadIdx.x; i < ROWS * SLICE; i += THREADS) {
        const unsigned row = b.first_row + i / SLICE, d = from + i % SLICE;
        to[i] = row < b.n_rows && d < job.dim
                    ? job.q[(b.row0 + row / job.group) * job.ldq +
                            (size_t)(b.kv_head * job.group + row % job.group) * job.dim + d]
                    : 0.0f;
    }
}

/* The same of keys or values of positions first .. first+TILE-1 to [TILE][LD]. */
template <unsigned SOURCE>
static __device__ __forceinline__ void
load_slice(const many_job &job, const floats_block &b, unsigned first, unsigned end, unsigned from,
           bool value, float *to)
{
    for (unsigned i = threadIdx.x; i < TILE * SLICE / 8; i += THREADS) {
        const unsigned p = i / (SLICE / 8), at = i % (SLICE / 8) * 8, d = from + at;
        float v[8] = {};
        if (first + p < end && d < job.dim) {
            if constexpr (SOURCE == TEXTS) {
                const size_t third = (size_t)job.n_heads * job.dim;
                const float *row = job.q + (size_t)(b.row0 + first + p) * job.ldq +
                                   (value ? 2 * third : third) + (size_t)b.kv_head * job.dim;
                decode_8<CUDA_F32>(reinterpret_cast<const uint8_t *>(row), d, job.dim, v);
            } else {
                read_8<SOURCE>(cache_row(job.kv, b.pages, first + p, b.kv_head, value), d, job.dim,
                               v);
            }
        }
        float4 *there = reinterpret_cast<float4 *>(to + p * LD + at);
        there[0] = make_float4(v[0], v[1], v[2], v[3]);
        there[1] = make_float4(v[4], v[5], v[6], v[7]);
    }
}

/* scores of positions lane and lane+32 += the products of a slice */
static __device__ __forceinline__ void
score_slice(const float *queries, const float *keys, float scores[EACH][2])
{
    const unsigned lane = threadIdx.x % LODE_WARP, warp = threadIdx.x / LODE_WARP;

#pragma unroll
    for (unsigned d = 0; d < SLICE; d += 4) {
        const float4 k0 = *reinterpret_cast<const float4 *>(keys + lane * LD + d);
        const float4 k1 = *reinterpret_cast<const float4 *>(keys + (lane + LODE_WARP) * LD + d);
#pragma unroll
        for (unsigned r = 0; r < EACH; r++) {
            const float4 q =
                *reinterpret_cast<const float4 *>(queries + (warp * EACH + r) * SLICE + d);
            scores[r][0] += q.x * k0.x + q.y * k0.y + q.z * k0.z + q.w * k0.w;
            scores[r][1] += q.x * k1.x + q.y * k1.y + q.z * k1.z + q.w * k1.w;
        }
    }
}

/* The running softmax of a row: scores become weights, `keep` is what all before is scaled by. */
static __device__ __forceinline__ void
weigh(float scale, unsigned first, unsigned last, float scores[2], float *most, float *sum,
      float *keep)
{
    const unsigned lane = threadIdx.x % LODE_WARP;
    const float a = first + lane <= last ? scores[0] * scale : -INFINITY;
    const float b = first + lane + LODE_WARP <= last ? scores[1] * scale : -INFINITY;
    /* position 0 is seen by every row, so that top is a number from the first tile on */
    const float top = fmaxf(*most, warp_max(fmaxf(a, b)));

    scores[0] = expf(a - top);
    scores[1] = expf(b - top);
    *keep = expf(*most - top);
    *sum = *sum * *keep + warp_sum(scores[0] + scores[1]);
    *most = top;
}

/* N_SLICES: of the widest head of this instance. */
template <unsigned SOURCE, unsigned N_SLICES>
static __global__ void
__launch_bounds__(THREADS, 2) attend_floats(many_job job)
{
    LODE_STATIC_SHARED(float, queries, ROWS *SLICE);
    LODE_STATIC_SHARED(float, tile, TILE *LD);
    LODE_STATIC_SHARED(float, weights, WARPS *TILE *EACH); /* a warp's: [TILE][EACH] */
    const unsigned lane = threadIdx.x % LODE_WARP, warp = threadIdx.x / LODE_WARP;
    floats_block b = {0, 0, blockIdx.x * ROWS, 0, blockIdx.y, NULL};
    unsigned n_tokens;

    if constexpr (SOURCE == TEXTS) {
        b.row0 = job.first[blockIdx.z];
        n_tokens = job.first[blockIdx.z + 1] - b.row0;
    } else {
        const cuda_span span = job.spans[blockIdx.z];
        b.row0 = span.row;
        b.past = span.first;
        n_tokens = span.n <= CUDA_DECODE_ROWS ? 0 : span.n;
        b.pages = job.pages + span.pages;
    }
    b.n_rows = n_tokens * job.group;
    if (b.first_row >= b.n_rows) return; /* the whole block */

    unsigned last[EACH]; /* position that a row sees */
    float most[EACH], sum[EACH], out[EACH][N_SLICES] = {};
#pragma unroll
    for (unsigned r = 0; r < EACH; r++) {
        const unsigned row = b.first_row + warp * EACH + r;
        last[r] = SOURCE == TEXTS ? n_tokens - 1
                                  : b.past + (row < b.n_rows ? row : b.n_rows - 1) / job.group;
        most[r] = -INFINITY;
        sum[r] = 0.0f;
    }
    const unsigned last_row = b.first_row + ROWS < b.n_rows ? b.first_row + ROWS - 1 : b.n_rows - 1;
    const unsigned end = SOURCE == TEXTS ? n_tokens : b.past + last_row / job.group + 1;
    float *mine = weights + warp * TILE * EACH;

    for (unsigned first = 0; first < end; first += TILE) {
        float scores[EACH][2] = {};
        for (unsigned from = 0; from < job.dim; from += SLICE) {
            __syncthreads(); /* what was there has been used */
            load_queries(job, b, from, queries);
            load_slice<SOURCE>(job, b, first, end, from, false, tile);
            __syncthreads();
            score_slice(queries, tile, scores);
        }
#pragma unroll
        for (unsigned r = 0; r < EACH; r++) {
            float keep;
            weigh(job.scale, first, last[r], scores[r], &most[r], &sum[r], &keep);
            mine[lane * EACH + r] = scores[r][0];
            mine[(lane + LODE_WARP) * EACH + r] = scores[r][1];
#pragma unroll
            for (unsigned i = 0; i < N_SLICES; i++)
                out[r][i] *= keep;
        }
#pragma unroll
        for (unsigned i = 0; i < N_SLICES; i++) {
            if (i * SLICE >= job.dim) break; /* the whole block */
            __syncthreads();
            load_slice<SOURCE>(job, b, first, end, i * SLICE, true, tile);
            __syncthreads();
#pragma unroll 8
            for (unsigned p = 0; p < TILE; p++) {
                const float v = tile[p * LD + lane];
                const float4 w = *reinterpret_cast<const float4 *>(mine + p * EACH);
                out[0][i] += w.x * v;
                out[1][i] += w.y * v;
                out[2][i] += w.z * v;
                out[3][i] += w.w * v;
            }
        }
    }
    static_assert(EACH == 4 && TILE == 2 * LODE_WARP && SLICE == LODE_WARP, "as written above");
#pragma unroll
    for (unsigned r = 0; r < EACH; r++) {
        const unsigned row = b.first_row + warp * EACH + r;
        if (row >= b.n_rows) continue;
        const size_t at = b.row0 + row / job.group;
        const unsigned within = row % job.group, head = b.kv_head * job.group + within;
        const float *gate = job.gate ? job.gate + at * job.width + b.kv_head * job.gate_group +
                                           within * job.gate_head
                                     : NULL;
        float *to = job.out + (at * job.n_heads + head) * job.dim;
#pragma unroll
        for (unsigned i = 0; i < N_SLICES; i++) {
            const unsigned d = i * SLICE + lane;
            if (d >= job.dim) continue;
            const float o = out[r][i] / sum[r];
            to[d] = gate ? o / (1.0f + expf(-gate[d])) : o;
        }
    }
}

#define SPANS_AT_ONCE 32768u /* a grid's third dimension ends at 65535 */

/* most: tokens of the longest span. */
template <unsigned SOURCE>
static cudaError_t
launch(cudaStream_t s, many_job job, size_t most, unsigned n_kv_heads, size_t n_spans)
{
    const unsigned n_blocks = (unsigned)((most * job.group + ROWS - 1) / ROWS);

    for (size_t i = 0; i < n_spans; i += SPANS_AT_ONCE) {
        const unsigned n = (unsigned)(n_spans - i < SPANS_AT_ONCE ? n_spans - i : SPANS_AT_ONCE);
        const dim3 grid(n_blocks, n_kv_heads, n);
        if (job.dim <= 64)
            LODE_TRY(LODE_LAUNCH((attend_floats<SOURCE, 2>), grid, THREADS, 0, s, job));
        else if (job.dim <= 128)
            LODE_TRY(LODE_LAUNCH((attend_floats<SOURCE, 4>), grid, THREADS, 0, s, job));
        else
            LODE_TRY(LODE_LAUNCH((attend_floats<SOURCE, 8>), grid, THREADS, 0, s, job));
        if (job.spans) job.spans += n;
        if (job.first) job.first += n;
    }
    return cudaSuccess;
}

cudaError_t
cuda_attend_many_floats(cudaStream_t s, const lode_cuda_attention *a, const cuda_pass *pass)
{
    const many_job job = many_rows_of_cache(a, pass);

    switch (a->kv.type) {
    case CUDA_F32:
        return launch<CUDA_F32>(s, job, pass->most, a->n_kv_heads, pass->n_spans);
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
cuda_attend_text_floats(cudaStream_t s, const float *qkv, const uint32_t *first, size_t n_texts,
                        size_t longest, uint32_t n_heads, uint32_t dim, float *out)
{
    if (n_texts == 0 || longest == 0) return cudaSuccess;
    if (dim > CUDA_HEAD_DIM) return cudaErrorInvalidValue;
    const many_job job = many_rows_of_texts(qkv, first, n_heads, dim, out);
    return launch<TEXTS>(s, job, longest, n_heads, n_texts);
}
