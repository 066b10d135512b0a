/* The gated delta rule for prompts, 64 tokens at once: the same sums as delta.cu's run_rule, in another order.
 *
 * With S the state before a chunk, a_t the decays, D[t][j] = a_(j+1) .. a_t and G_t = D[t][-1], what token t writes,
 * u_t = beta_t (v_t - S_t^T k_t), depends on what the tokens before it in the chunk wrote:
 *     u_t + beta_t sum_(j<t) D[t][j] (k_t.k_j) u_j = beta_t (v_t - G_t S^T k_t)          (I + A) U = B
 *     out_t = G_t S^T q_t + sum_(j<=t) D[t][j] (q_t.k_j) u_j                              = G_t S^T q_t + (P U)_t
 *     S' = G_63 S + sum_j D[63][j] k_j u_j^T
 * A is strictly lower triangular and does not depend on the state, so make_wedges solves T = (I + A)^-1 for all chunks and
 * heads side by side; run_chunks then goes from chunk to chunk with products only, U = T B. No decay is divided by
 * another: a ratio is a product of those between, and may become 0 without harm.
 *
 * In float32 by ordinary arithmetic: the state sums up thousands of tokens, halves or tf32 (10 bits) in its products would
 * show at 1e-3 in every layer's results, and three bf16 products for one are not to be had before compute capability 80.
 *
 * Source: Yang et al., Gated Delta Networks, arXiv:2412.06464, section 3; Yang et al., Parallelizing Linear Transformers
 * with the Delta Rule, arXiv:2406.06484. */
#include "engine/cuda/kernels.h"

#define CHUNK   CUDA_DELTA_CHUNK
#define THREADS 256
#define SLICE   32 /* elements of keys and queries in shared memory at once */
#define STRIP   32 /* ENGINE_DELTA_STRIP */

static __device__ __forceinline__ unsigned
key_head_of(const lode_cuda_delta &d, unsigned head)
{
    return d.tiled ? head % d.n_k : head / (d.n_v / d.n_k);
}

/* Decays and betas of the chunk's tokens; beyond its end such that nothing happens: 1 and 0. A barrier must follow. */
static __device__ __forceinline__ void
load_gates(const lode_cuda_delta &d, unsigned first, unsigned n, unsigned head, float *alpha,
           float *beta)
{
    const unsigned t = threadIdx.x;

    if (t >= CHUNK) return;
    const float *gates = d.gates + (size_t)(first + (t < n ? t : 0)) * 2 * d.n_v;
    alpha[t] = t < n ? gates[head] : 1.0f;
    beta[t] = t < n ? gates[d.n_v + head] : 0.0f;
}

/* The element `at` of a key (or query, with `from` 0) of token t of the chunk; zeros around. */
static __device__ __forceinline__ float
element(const lode_cuda_delta &d, unsigned first, unsigned n, unsigned t, size_t from, unsigned at)
{
    return t < n && at < d.d_k ? d.conv[(size_t)(first + t) * d.n_channels + from + at] : 0.0f;
}

#define COLUMNS (CHUNK + 4) /* of a transposed slice: float4 aligned */
#define LD_A    (CHUNK + 1) /* rows and columns alike without conflicts */
#define LD_T    (CHUNK + 8) /* four rows by eight columns without conflicts */

/* wedges [token][head][64]: row t of a chunk holds T[t][j] for j < t, and P[j][t] for j >= t (T's diagonal is 1 and not
 * kept, what is above it is 0; likewise below P's). A block for each chunk and value head. */
static __global__ void
__launch_bounds__(THREADS, 2) make_wedges(lode_cuda_delta d, unsigned n_rows, float *wedges)
{
    LODE_STATIC_SHARED(float, room, CHUNK *LD_T); /* slices, then T */
    LODE_STATIC_SHARED(float, a, CHUNK *LD_A); /* A below the diagonal, P transposed from it on */
    LODE_STATIC_SHARED(float, alpha, CHUNK);
    LODE_STATIC_SHARED(float, beta, CHUNK);
    static_assert(2 * SLICE * COLUMNS <= CHUNK * LD_T, "slices fit");
    float *keys = room, *queries = room + SLICE * COLUMNS;
    const unsigned tid = threadIdx.x, first = blockIdx.x * CHUNK, head = blockIdx.y;
    const unsigned n = n_rows - first < CHUNK ? n_rows - first : CHUNK;
    const size_t query_at = (size_t)key_head_of(d, head) * d.d_k;
    const size_t key_at = (size_t)d.n_k * d.d_k + query_at;
    const unsigned t0 = tid / 16 * 4,
                   j0 = tid % 16 * 4; /* 4 x 4 of the products are this thread's */
    float kk[4][4] = {}, qk[4][4] = {};

    load_gates(d, first, n, head, alpha, beta);
    for (unsigned from = 0; from < d.d_k; from += SLICE) {
        __syncthreads();
        for (unsigned i = tid; i < CHUNK * SLICE; i += THREADS) {
            const unsigned t = i / SLICE, e = i % SLICE;
            keys[e * COLUMNS + t] = element(d, first, n, t, key_at, from + e);
            queries[e * COLUMNS + t] = element(d, first, n, t, query_at, from + e);
        }
        __syncthreads();
#pragma unroll 4
        for (unsigned e = 0; e < SLICE; e++) {
            const float4 kt4 = *reinterpret_cast<const float4 *>(keys + e * COLUMNS + t0);
            const float4 qt4 = *reinterpret_cast<const float4 *>(queries + e * COLUMNS + t0);
            const float4 kj4 = *reinterpret_cast<const float4 *>(keys + e * COLUMNS + j0);
            const float kt[4] = {kt4.x, kt4.y, kt4.z, kt4.w};
            const float qt[4] = {qt4.x, qt4.y, qt4.z, qt4.w};
            const float kj[4] = {kj4.x, kj4.y, kj4.z, kj4.w};
#pragma unroll
            for (unsigned x = 0; x < 4; x++)
#pragma unroll
                for (unsigned y = 0; y < 4; y++) {
                    kk[x][y] += kt[x] * kj[y];
                    qk[x][y] += qt[x] * kj[y];
                }
        }
    }
#pragma unroll
    for (unsigned x = 0; x < 4; x++)
#pragma unroll
        for (unsigned y = 0; y < 4; y++) {
            const unsigned t = t0 + x, j = j0 + y;
            if (j < t) a[t * LD_A + j] = kk[x][y];
            if (j <= t) a[j * LD_A + t] = qk[x][y];
        }
    __syncthreads();
    if (tid < CHUNK) { /* a thread takes a column of both through its decays */
        float decay = 1.0f;
        for (unsigned t = tid + 1; t < CHUNK; t++) {
            decay *= alpha[t];
            a[t * LD_A + tid] *= decay * beta[t];
            a[tid * LD_A + t] *= decay;
        }
    }
    __syncthreads();

    /* column j of T by forward substitution, four threads each taking every fourth of a sum; no column needs another */
    float *solved = room;
    const unsigned j = tid / 4, part = tid % 4;
    for (unsigned t = 0; t < CHUNK; t++) {
        float sum = 0.0f;
        for (unsigned i = part; i < t; i += 4)
            sum += a[t * LD_A + i] * solved[i * LD_T + j];
        sum += __shfl_xor_sync(LODE_ALL_LANES, sum, 1);
        sum += __shfl_xor_sync(LODE_ALL_LANES, sum, 2);
        if (part == 0) solved[t * LD_T + j] = t < j ? 0.0f : t == j ? 1.0f : -sum;
        __syncwarp();
    }
    __syncthreads();
    for (unsigned i = tid; i < n * CHUNK; i += THREADS) {
        const unsigned t = i / CHUNK, column = i % CHUNK;
        wedges[((size_t)(first + t) * d.n_v + head) * CHUNK + column] =
            column < t ? solved[t * LD_T + column] : a[t * LD_A + column];
    }
}

#define WARPS        (THREADS / LODE_WARP)
#define TOKENS       (CHUNK / WARPS) /* of a warp, one after the other */
#define KEYS_AT_ONCE (SLICE / WARPS) /* rows of the state that a warp moves on */

/* seen += K S and asked += Q S for a slice of their inner dimension; a lane is a column. */
static __device__ __forceinline__ void
multiply_slice(const float *keys, const float *queries, const float *state, float seen[TOKENS],
               float asked[TOKENS])
{
    const unsigned lane = threadIdx.x % LODE_WARP, t0 = threadIdx.x / LODE_WARP * TOKENS;

#pragma unroll
    for (unsigned e = 0; e < SLICE; e += 4) {
        float s[4];
#pragma unroll
        for (unsigned i = 0; i < 4; i++)
            s[i] = state[(e + i) * STRIP + lane];
#pragma unroll
        for (unsigned i = 0; i < TOKENS; i++) {
            const float4 k = *reinterpret_cast<const float4 *>(keys + (t0 + i) * SLICE + e);
            const float4 q = *reinterpret_cast<const float4 *>(queries + (t0 + i) * SLICE + e);
            seen[i] += k.x * s[0] + k.y * s[1] + k.z * s[2] + k.w * s[3];
            asked[i] += q.x * s[0] + q.y * s[1] + q.z * s[2] + q.w * s[3];
        }
    }
}

/* u = T b, b [64][STRIP] in shared memory and u [i] this warp's own rows of it to begin with */
static __device__ __forceinline__ void
solve(const float *wedge, const float *b, float u[TOKENS])
{
    const unsigned lane = threadIdx.x % LODE_WARP, t0 = threadIdx.x / LODE_WARP * TOKENS;

    for (unsigned j = 0; j < t0 + TOKENS; j += 4) {
        float v[4];
#pragma unroll
        for (unsigned i = 0; i < 4; i++)
            v[i] = b[(j + i) * STRIP + lane];
#pragma unroll
        for (unsigned i = 0; i < TOKENS; i++) {
            const unsigned t = t0 + i;
            const float4 w = *reinterpret_cast<const float4 *>(wedge + t * CHUNK + j);
            u[i] += (j < t ? w.x * v[0] : 0.0f) + (j + 1 < t ? w.y * v[1] : 0.0f) +
                    (j + 2 < t ? w.z * v[2] : 0.0f) + (j + 3 < t ? w.w * v[3] : 0.0f);
        }
    }
}

/* out += P u */
static __device__ __forceinline__ void
look_back(const float *wedge, const float *u, float out[TOKENS])
{
    const unsigned lane = threadIdx.x % LODE_WARP, t0 = threadIdx.x / LODE_WARP * TOKENS;

    static_assert(TOKENS == 8, "two float4 of a row");
    for (unsigned j = 0; j < t0 + TOKENS; j++) {
        const float v = u[j * STRIP + lane];
        const float4 *row = reinterpret_cast<const float4 *>(wedge + j * CHUNK + t0);
        const float4 x = row[0], y = row[1];
        const float w[TOKENS] = {x.x, x.y, x.z, x.w, y.x, y.y, y.z, y.w};
#pragma unroll
        for (unsigned i = 0; i < TOKENS; i++)
            out[i] += j <= t0 + i ? w[i] * v : 0.0f;
    }
}

/* Columns 32 blockIdx.x .. of head blockIdx.y, chunk after chunk. The state stays in global memory: 64 tokens share each
 * reading of it, and heads up to 256 wide would not leave room for more than one block otherwise. */
static __global__ void
__launch_bounds__(THREADS, 2) run_chunks(lode_cuda_delta d, unsigned n_rows, const float *wedges)
{
    LODE_STATIC_SHARED(float, room, 2 * CHUNK * SLICE + SLICE * STRIP); /* slices, or the wedge */
    LODE_STATIC_SHARED(float, written, CHUNK *STRIP);                   /* B, then U */
    LODE_STATIC_SHARED(float, alpha, CHUNK);
    LODE_STATIC_SHARED(float, beta, CHUNK);
    LODE_STATIC_SHARED(float, before, CHUNK); /* G_t */
    LODE_STATIC_SHARED(float, after, CHUNK);  /* D[63][t] */
    static_assert(CHUNK * CHUNK <= 2 * CHUNK * SLICE + SLICE * STRIP, "a wedge fits");
    float *keys = room, *queries = room + CHUNK * SLICE, *rows = room + 2 * CHUNK * SLICE;
    const unsigned tid = threadIdx.x, lane = tid % LODE_WARP, warp = tid / LODE_WARP;
    const unsigned head = blockIdx.y, column = blockIdx.x * STRIP + lane, t0 = warp * TOKENS;
    const unsigned wide = d.d_v - blockIdx.x * STRIP < STRIP ? d.d_v - blockIdx.x * STRIP : STRIP;
    const size_t query_at = (size_t)key_head_of(d, head) * d.d_k;
    const size_t key_at = (size_t)d.n_k * d.d_k + query_at;
    const size_t value_at = 2 * (size_t)d.n_k * d.d_k + (size_t)head * d.d_v + column;
    const size_t values = (size_t)d.n_v * d.d_v;
    float *state = d.state + ((size_t)head * d.d_v + blockIdx.x * STRIP) * d.d_k;
    const bool mine = lane < wide;

    for (unsigned first = 0; first < n_rows; first += CHUNK) {
        const unsigned n = n_rows - first < CHUNK ? n_rows - first : CHUNK;
        float seen[TOKENS] = {}, asked[TOKENS] = {};

        __syncthreads(); /* the chunk before has used everything, and its state is there to be read */
        load_gates(d, first, n, head, alpha, beta);
        for (unsigned from = 0; from < d.d_k; from += SLICE) {
            __syncthreads();
            for (unsigned i = tid; i < CHUNK * SLICE; i += THREADS) {
                keys[i] = element(d, first, n, i / SLICE, key_at, from + i % SLICE);
                queries[i] = element(d, first, n, i / SLICE, query_at, from + i % SLICE);
            }
            for (unsigned i = tid; i < SLICE * STRIP; i += THREADS) {
                const unsigned row = from + i / STRIP;
                rows[i] = mine && row < d.d_k ? state[(size_t)row * wide + lane] : 0.0f;
            }
            __syncthreads();
            multiply_slice(keys, queries, rows, seen, asked);
        }
        if (tid < CHUNK) {
            float product = 1.0f;
            for (unsigned t = 0; t <= tid; t++)
                product *= alpha[t];
            before[tid] = product;
            product = 1.0f;
            for (unsigned t = tid + 1; t < CHUNK; t++)
                product *= alpha[t];
            after[tid] = product;
        }
        __syncthreads();
        for (unsigned i = tid; i < CHUNK * CHUNK; i += THREADS)
            room[i] = i / CHUNK < n
                          ? wedges[((size_t)(first + i / CHUNK) * d.n_v + head) * CHUNK + i % CHUNK]
                          : 0.0f;
        float u[TOKENS];
#pragma unroll
        for (unsigned i = 0; i < TOKENS; i++) {
            const unsigned t = t0 + i;
            const float v =
                mine && t < n ? d.conv[(size_t)(first + t) * d.n_channels + value_at] : 0.0f;
            u[i] = beta[t] * (v - before[t] * seen[i]);
            written[t * STRIP + lane] = u[i];
            asked[i] *= before[t];
        }
        __syncthreads();
        solve(room, written, u);
        __syncthreads();
#pragma unroll
        for (unsigned i = 0; i < TOKENS; i++)
            written[(t0 + i) * STRIP + lane] = u[i];
        __syncthreads();
        look_back(room, written, asked);
#pragma unroll
        for (unsigned i = 0; i < TOKENS; i++)
            if (mine && t0 + i < n)
                d.out[(size_t)(first + t0 + i) * values + (size_t)head * d.d_v + column] = asked[i];
        __syncthreads();
#pragma unroll
        for (unsigned i = 0; i < TOKENS; i++)
            written[(t0 + i) * STRIP + lane] = u[i] * after[t0 + i];

        for (unsigned from = 0; from < d.d_k; from += SLICE) {
            __syncthreads();
            for (unsigned i = tid; i < CHUNK * SLICE; i += THREADS)
                keys[i] = element(d, first, n, i / SLICE, key_at, from + i % SLICE);
            __syncthreads();
            float sum[KEYS_AT_ONCE] = {};
            static_assert(KEYS_AT_ONCE == 4, "one float4 of a key");
#pragma unroll 8
            for (unsigned t = 0; t < CHUNK; t++) {
                const float v = written[t * STRIP + lane];
                const float4 k = *reinterpret_cast<const float4 *>(keys + t * SLICE + 4 * warp);
                sum[0] += k.x * v;
                sum[1] += k.y * v;
                sum[2] += k.z * v;
                sum[3] += k.w * v;
            }
#pragma unroll
            for (unsigned i = 0; i < KEYS_AT_ONCE; i++) {
                const unsigned row = from + 4 * warp + i;
                float *to = state + (size_t)row * wide + lane;
                if (mine && row < d.d_k) *to = before[CHUNK - 1] * *to + sum[i];
            }
        }
    }
}

cudaError_t
cuda_delta_chunks(cudaStream_t s, const lode_cuda_delta *d, size_t n, float *wedges)
{
    const unsigned rows = (unsigned)n, n_chunks = (rows + CHUNK - 1) / CHUNK;

    LODE_TRY(LODE_LAUNCH(make_wedges, dim3(n_chunks, d->n_v), THREADS, 0, s, *d, rows, wedges));
    return LODE_LAUNCH(run_chunks, dim3((d->d_v + STRIP - 1) / STRIP, d->n_v), THREADS, 0, s, *d,
                       rows, wedges);
}
