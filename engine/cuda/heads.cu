/* Between the projections and attention: rotary tables, heads normed and turned, keys and values into the cache.
 * rope.c and attention.c say what is right. */
#include "engine/cuda/attention.h"

/* ---- tables ---- */

#define MOST_ROT      512
#define TABLE_THREADS 128

/* cos and sin of a float's exact value, also of angles of 10^6 and more: reduced in double, by turns of half a circle.
 * cosf's own way with those needs local memory. */
static __device__ __forceinline__ void
turn(float angle, float *c, float *s)
{
    const double half_turns = (double)angle * 0.318309886183790671538;
    sincospif((float)(half_turns - 2.0 * rint(half_turns * 0.5)), s, c);
}

/* A block makes a row: the waves, then for FoPE each table's sums of them, waves ascending. */
static __global__ void
__launch_bounds__(TABLE_THREADS) rope_rows(lode_cuda_rope r, const float *inv_freq, float *tables)
{
    LODE_STATIC_SHARED(float, waves, MOST_ROT);
    const unsigned n_pairs = r.n_rot / 2, n = r.n_waves;
    float *out = tables + (size_t)blockIdx.x * r.n_tables * r.n_rot;

    for (unsigned j = threadIdx.x; j < n_pairs; j += TABLE_THREADS) {
        float c, s;
        turn((float)(r.first + blockIdx.x) * inv_freq[j], &c, &s);
        waves[j] = c * r.magnitude;
        waves[n_pairs + j] = s * r.magnitude;
    }
    __syncthreads();
    for (unsigned i = threadIdx.x; i < r.n_tables * r.n_rot; i += TABLE_THREADS) {
        const unsigned table = i / r.n_rot, part = i % r.n_rot / n_pairs, j = i % n_pairs;
        float sum = waves[i % r.n_rot];
        if (r.fope && j >= n) {
            sum = part ? r.sin_pad : 1.0f;
        } else if (r.fope) {
            const float *coef = (part ? r.sin_coef : r.cos_coef) + (size_t)table * n * n + j;
            sum = 0.0f;
            for (unsigned k = 0; k < n; k++)
                sum += waves[part * n_pairs + k] * coef[(size_t)k * n];
        }
        out[i] = sum;
    }
}

cudaError_t
cuda_rope_tables(cudaStream_t s, const lode_cuda_rope *r, const float *inv_freq, size_t n,
                 float *tables)
{
    lode_cuda_rope here = *r;

    if (n == 0 || r->n_rot == 0) return cudaSuccess;
    if (r->n_rot > MOST_ROT || r->n_tables == 0) return cudaErrorInvalidValue;
    here.inv_freq = NULL; /* the host's */
    return LODE_LAUNCH(rope_rows, (unsigned)n, TABLE_THREADS, 0, s, here, inv_freq, tables);
}

/* ---- heads ---- */

#define HEAD_WARPS 4

/* x [dim] in shared memory by the Hadamard matrix of the largest power of two that divides dim, piece by piece, as
 * engine_kv_rotate does it; a warp together. Its own inverse and orthogonal: scores stay what they were. */
static __device__ __forceinline__ void
rotate(float *x, unsigned dim, unsigned lane)
{
    const unsigned n = dim & (~dim + 1);
    const float scale = 1.0f / sqrtf((float)n);

    for (unsigned apart = 1; apart < n; apart *= 2) {
        for (unsigned j = lane; j < dim / 2; j += LODE_WARP) {
            const unsigned i = j / apart * 2 * apart + j % apart;
            const float a = x[i], b = x[i + apart];
            x[i] = a + b;
            x[i + apart] = a - b;
        }
        __syncwarp();
    }
    for (unsigned i = lane; i < dim; i += LODE_WARP)
        x[i] *= scale;
    __syncwarp();
}

/* A block of 32, an element each lane; the element of largest magnitude (of equals the first) becomes -8. */
static __device__ __forceinline__ void
store_q4_0(float v, unsigned lane, uint8_t *to)
{
    const float most = warp_max(fabsf(v));
    const unsigned holders = __ballot_sync(LODE_ALL_LANES, fabsf(v) == most);
    const float extreme =
        holders ? __shfl_sync(LODE_ALL_LANES, v, __ffs((int)holders) - 1) : 0.0f; /* NaN: none */
    const float scale = fminf(fmaxf(extreme, -65504.0f), 65504.0f) / -8.0f;
    const float inverse = scale != 0.0f ? 1.0f / scale : 0.0f;
    const unsigned q = (unsigned)fminf(fmaxf(v * inverse + 8.5f, 0.0f), 15.0f);
    const unsigned high = __shfl_xor_sync(LODE_ALL_LANES, q, 16);

    if (lane == 0) *reinterpret_cast<uint16_t *>(to) = (uint16_t)to_16_bits<false>(scale);
    if (lane < 16) to[2 + lane] = (uint8_t)(q | high << 4);
}

/* A row of keys or values as the cache keeps it; x [dim] in shared memory, a warp together. */
template <unsigned TYPE>
static __device__ __forceinline__ void
store_row(const float *x, unsigned dim, unsigned lane, uint8_t *to)
{
    if constexpr (TYPE == CUDA_Q8_0) {
        for (unsigned b = 0; b < dim / 32; b++, to += 34) {
            const float v = x[32 * b + lane], most = warp_max(fabsf(v));
            const int q = most > 0.0f ? __float2int_rn(v * (127.0f / most)) : 0;
            if (lane == 0)
                *reinterpret_cast<uint16_t *>(to) = (uint16_t)to_16_bits<false>(most / 127.0f);
            to[2 + lane] = (uint8_t)(int8_t)q;
        }
    } else if constexpr (TYPE == CUDA_Q4_0) {
        for (unsigned b = 0; b < dim / 32; b++, to += 18)
            store_q4_0(x[32 * b + lane], lane, to);
    } else {
        for (unsigned i = lane; i < dim; i += LODE_WARP) {
            if constexpr (TYPE == CUDA_F32)
                reinterpret_cast<float *>(to)[i] = x[i];
            else
                reinterpret_cast<uint16_t *>(to)[i] = (uint16_t)to_16_bits<false>(x[i]);
        }
    }
}

/* A warp makes a head of a row: queries first, then keys, then values. */
template <unsigned TYPE>
static __global__ void
__launch_bounds__(HEAD_WARPS *LODE_WARP) make_heads(lode_cuda_attention a, cuda_pass pass)
{
    LODE_STATIC_SHARED(float, heads, HEAD_WARPS *CUDA_HEAD_DIM);
    const unsigned lane = threadIdx.x % LODE_WARP, warp = threadIdx.x / LODE_WARP;
    const unsigned row = blockIdx.x, item = blockIdx.y * HEAD_WARPS + warp;
    const unsigned group = a.n_heads / a.n_kv_heads;
    const bool is_query = item < a.n_heads, is_value = item >= a.n_heads + a.n_kv_heads;
    const unsigned kv_head = is_query   ? item / group
                             : is_value ? item - a.n_heads - a.n_kv_heads
                                        : item - a.n_heads;
    float *x = heads + warp * CUDA_HEAD_DIM;

    if (item >= a.n_heads + 2 * a.n_kv_heads) return; /* whole warps, and no barrier of the block */
    const float *raw = a.raw + (size_t)row * a.width;
    raw += is_query   ? a.q_at + kv_head * a.q_group + item % group * a.q_head
           : is_value ? a.v_at + kv_head * a.v_head
                      : a.k_at + kv_head * a.k_head;
    const float *norm = is_query ? a.q_norm : is_value ? NULL : a.k_norm;
    float squares = 0.0f;
    for (unsigned i = lane; i < a.head_dim; i += LODE_WARP) {
        x[i] = raw[i];
        squares += x[i] * x[i];
    }
    const float scale = norm ? 1.0f / sqrtf(warp_sum(squares) / (float)a.head_dim + a.eps) : 1.0f;
    for (unsigned i = lane; norm && i < a.head_dim; i += LODE_WARP)
        x[i] *= scale * norm[i];
    __syncwarp();
    if (!is_value) {
        const unsigned n_pairs = a.n_rot / 2;
        const float *table =
            a.tables + ((size_t)row * a.n_tables + (a.n_tables > 1 ? kv_head : 0)) * a.n_rot;
        for (unsigned j = lane; j < n_pairs; j += LODE_WARP) {
            const unsigned at = a.halves ? j : 2 * j, to = a.halves ? j + n_pairs : 2 * j + 1;
            const float c = table[j], s = table[n_pairs + j], u = x[at], v = x[to];
            x[at] = u * c - v * s;
            x[to] = v * c + u * s;
        }
    }
    __syncwarp();
    if (TYPE == CUDA_Q4_0 && !is_value) rotate(x, a.head_dim, lane);
    if (is_query) {
        float *q = a.q + ((size_t)row * a.n_heads + item) * a.head_dim;
        for (unsigned i = lane; i < a.head_dim; i += LODE_WARP)
            q[i] = x[i];
        return;
    }
    const cuda_span span = pass.spans[pass.row_span[row]];
    const unsigned position = span.first + row - span.row;
    store_row<TYPE>(x, a.head_dim, lane,
                    cache_row(a.kv, pass.pages + span.pages, position, kv_head, is_value));
}

cudaError_t
cuda_heads(cudaStream_t s, const lode_cuda_attention *a, const cuda_pass *pass)
{
    const dim3 grid(pass->n, (a->n_heads + 2 * a->n_kv_heads + HEAD_WARPS - 1) / HEAD_WARPS);
    const unsigned n_threads = HEAD_WARPS * LODE_WARP;

    if (pass->n == 0) return cudaSuccess;
    if (a->head_dim > CUDA_HEAD_DIM || a->n_rot > a->head_dim) return cudaErrorInvalidValue;
    switch (a->kv.type) {
    case CUDA_F32:
        return LODE_LAUNCH((make_heads<CUDA_F32>), grid, n_threads, 0, s, *a, *pass);
    case CUDA_F16:
        return LODE_LAUNCH((make_heads<CUDA_F16>), grid, n_threads, 0, s, *a, *pass);
    case CUDA_Q8_0:
        if (a->head_dim % 32 != 0) return cudaErrorInvalidValue;
        return LODE_LAUNCH((make_heads<CUDA_Q8_0>), grid, n_threads, 0, s, *a, *pass);
    case CUDA_Q4_0:
        if (a->head_dim % 32 != 0) return cudaErrorInvalidValue;
        return LODE_LAUNCH((make_heads<CUDA_Q4_0>), grid, n_threads, 0, s, *a, *pass);
    default:
        return cudaErrorInvalidValue;
    }
}
