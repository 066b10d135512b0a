/* The gated delta rule; delta.c says what it is and what is right. Four steps: convolution, norms and gates of every row;
 * the rule itself; norm and output gate of every row; the convolution's window moved on.
 *
 * The rule of few tokens goes token by token: a block keeps 32 columns of one head's state in registers, a warp an eighth
 * of their rows, and all tokens pass over it, so that the state is read and written once. With S the state before a token,
 *     seen = S^T k,  step = beta (v - alpha seen),  S' = alpha S + k step^T,  out = S'^T q = alpha S^T q + (q.k) step
 * so that one joining of the warps' sums, and one barrier, is enough for both products. CUDA_DELTA_CHUNK tokens and more
 * go through delta_chunks.cu, 64 of them at once.
 *
 * Source: Yang et al., Gated Delta Networks, arXiv:2412.06464. */
#include "engine/cuda/kernels.h"

#define ROW_WARPS  4
#define RULE_WARPS 8
#define STRIP      32 /* ENGINE_DELTA_STRIP */
#define MOST_D     256
#define PER_LANE   (MOST_D / LODE_WARP)

/* Where a convolution channel lies in a projected row. */
static __device__ __forceinline__ unsigned
raw_of_channel(const lode_cuda_delta &d, unsigned channel)
{
    const unsigned keys = d.n_k * d.d_k, ratio = d.n_v / d.n_k;

    if (channel < keys) return d.q_at + channel / d.d_k * d.q_head + channel % d.d_k;
    channel -= keys;
    if (channel < keys) return d.k_at + channel / d.d_k * d.k_head + channel % d.d_k;
    channel -= keys;
    const unsigned head = channel / d.d_v;
    return d.v_at + head / ratio * d.v_group + head % ratio * d.v_head + channel % d.d_v;
}

/* silu of the convolution of one channel at row t; before the first row stands the window. */
static __device__ __forceinline__ float
convolve(const lode_cuda_delta &d, unsigned t, unsigned channel)
{
    const unsigned window = d.kernel - 1, raw = raw_of_channel(d, channel);
    float sum = 0.0f;

    for (unsigned i = 0; i <= window; i++) {
        const float u = t + i >= window ? d.raw[(size_t)(t + i - window) * d.width + raw]
                                        : d.conv_state[(size_t)(t + i) * d.n_channels + channel];
        sum += d.conv_weights[(size_t)i * d.n_channels + channel] * u;
    }
    return sum / (1.0f + expf(-sum));
}

static __device__ __forceinline__ void
make_gates(const lode_cuda_delta &d, unsigned t, unsigned head)
{
    const unsigned ratio = d.n_v / d.n_k, group = head / ratio, within = head % ratio;
    const float *raw = d.raw + (size_t)t * d.width;
    const float a = raw[d.alpha + group * d.alpha_group + within] + d.dt_bias[head];
    const float softplus = a > 20.0f ? a : log1pf(expf(a));
    float *gates = d.gates + (size_t)t * 2 * d.n_v;

    gates[head] = expf(d.decay[head] * softplus);
    gates[d.n_v + head] = 1.0f / (1.0f + expf(-raw[d.beta + group * d.beta_group + within]));
}

/* A warp makes a head of a row: queries, keys, values; the last one of them the gates. */
static __global__ void
__launch_bounds__(ROW_WARPS *LODE_WARP) make_rows(lode_cuda_delta d)
{
    const unsigned lane = threadIdx.x % LODE_WARP, t = blockIdx.x;
    const unsigned item = blockIdx.y * ROW_WARPS + threadIdx.x / LODE_WARP;
    const unsigned n_items = 2 * d.n_k + d.n_v;

    if (item == n_items)
        for (unsigned h = lane; h < d.n_v; h += LODE_WARP)
            make_gates(d, t, h);
    if (item >= n_items) return; /* whole warps, and no barrier of the block */
    const bool is_key = item < 2 * d.n_k;
    const unsigned n = is_key ? d.d_k : d.d_v;
    const unsigned channel = is_key ? item * d.d_k : 2 * d.n_k * d.d_k + (item - 2 * d.n_k) * d.d_v;
    float *out = d.conv + (size_t)t * d.n_channels + channel, squares = 0.0f;
    float v[PER_LANE];
#pragma unroll
    for (unsigned i = 0; i < PER_LANE; i++) {
        const unsigned c = lane + i * LODE_WARP;
        v[i] = c < n ? convolve(d, t, channel + c) : 0.0f;
        squares += v[i] * v[i];
    }
    squares = warp_sum(squares);
    float scale = is_key ? 1.0f / sqrtf(squares + 1e-6f) : 1.0f;
    if (item < d.n_k) scale *= 1.0f / sqrtf((float)d.d_k);
#pragma unroll
    for (unsigned i = 0; i < PER_LANE; i++)
        if (lane + i * LODE_WARP < n) out[lane + i * LODE_WARP] = v[i] * scale;
}

/* Columns 32 blockIdx.x .. of head blockIdx.y through n tokens. ROWS: of the state in a warp. There is hardly more than one
 * block for each multiprocessor, so registers, not blocks: left to itself, ptxas spills to fit a fifth one. */
template <unsigned ROWS>
static __global__ void
__launch_bounds__(RULE_WARPS *LODE_WARP, 2) run_rule(lode_cuda_delta d, unsigned n)
{
    constexpr unsigned MOST = ROWS * RULE_WARPS, THREADS = RULE_WARPS * LODE_WARP;
    /* three tokens' keys and queries: the one before may still be read when the next is fetched */
    LODE_STATIC_SHARED(float, inputs, 3 * 2 * MOST);
    LODE_STATIC_SHARED(float, sums, 2 * 3 * RULE_WARPS * LODE_WARP);
    const unsigned lane = threadIdx.x % LODE_WARP, warp = threadIdx.x / LODE_WARP;
    const unsigned head = blockIdx.y, column = blockIdx.x * STRIP + lane;
    const unsigned wide = d.d_v - blockIdx.x * STRIP < STRIP ? d.d_v - blockIdx.x * STRIP : STRIP;
    const unsigned key_head = d.tiled ? head % d.n_k : head / (d.n_v / d.n_k);
    const size_t keys = (size_t)d.n_k * d.d_k, values = (size_t)d.n_v * d.d_v;
    float *state = d.state + ((size_t)head * d.d_v + blockIdx.x * STRIP) * d.d_k;
    const bool mine = lane < wide;
    float s[ROWS];

#pragma unroll
    for (unsigned i = 0; i < ROWS; i++) {
        const unsigned row = warp * ROWS + i;
        s[i] = mine && row < d.d_k ? state[(size_t)row * wide + lane] : 0.0f;
    }
    for (unsigned i = threadIdx.x; i < 2 * MOST; i += THREADS) {
        const unsigned row = i % MOST;
        const float *from = d.conv + (i < MOST ? keys : 0) + (size_t)key_head * d.d_k;
        inputs[i] = row < d.d_k ? from[row] : 0.0f;
    }
    __syncthreads();
    for (unsigned t = 0; t < n; t++) {
        const float *k = inputs + t % 3 * 2 * MOST + warp * ROWS, *q = k + MOST;
        float *mine_of = sums + t % 2 * 3 * RULE_WARPS * LODE_WARP;
        float seen = 0.0f, asked = 0.0f, product = 0.0f;
#pragma unroll
        for (unsigned i = 0; i < ROWS; i++) {
            seen += s[i] * k[i];
            asked += s[i] * q[i];
            product += q[i] * k[i];
        }
        mine_of[(0 * RULE_WARPS + warp) * LODE_WARP + lane] = seen;
        mine_of[(1 * RULE_WARPS + warp) * LODE_WARP + lane] = asked;
        mine_of[(2 * RULE_WARPS + warp) * LODE_WARP + lane] = product;
        if (t + 1 < n) {
            const float *conv = d.conv + (size_t)(t + 1) * d.n_channels;
            for (unsigned i = threadIdx.x; i < 2 * MOST; i += THREADS) {
                const unsigned row = i % MOST;
                const float *from = conv + (i < MOST ? keys : 0) + (size_t)key_head * d.d_k;
                inputs[(t + 1) % 3 * 2 * MOST + i] = row < d.d_k ? from[row] : 0.0f;
            }
        }
        const float *gates = d.gates + (size_t)t * 2 * d.n_v;
        const float alpha = gates[head], beta = gates[d.n_v + head];
        const float v =
            mine ? d.conv[(size_t)t * d.n_channels + 2 * keys + (size_t)head * d.d_v + column]
                 : 0.0f;
        __syncthreads();
        seen = asked = product = 0.0f;
#pragma unroll
        for (unsigned w = 0; w < RULE_WARPS; w++) {
            seen += mine_of[(0 * RULE_WARPS + w) * LODE_WARP + lane];
            asked += mine_of[(1 * RULE_WARPS + w) * LODE_WARP + lane];
            product += mine_of[(2 * RULE_WARPS + w) * LODE_WARP + lane];
        }
        const float step = beta * (v - alpha * seen);
#pragma unroll
        for (unsigned i = 0; i < ROWS; i++)
            s[i] = alpha * s[i] + k[i] * step;
        if (warp == 0 && mine)
            d.out[(size_t)t * values + (size_t)head * d.d_v + column] =
                alpha * asked + product * step;
    }
#pragma unroll
    for (unsigned i = 0; i < ROWS; i++) {
        const unsigned row = warp * ROWS + i;
        if (mine && row < d.d_k) state[(size_t)row * wide + lane] = s[i];
    }
}

/* out = rms_norm(out) * silu(z), a warp for each head of a row */
static __global__ void
__launch_bounds__(ROW_WARPS *LODE_WARP) finish_rows(lode_cuda_delta d)
{
    const unsigned lane = threadIdx.x % LODE_WARP, t = blockIdx.x;
    const unsigned head = blockIdx.y * ROW_WARPS + threadIdx.x / LODE_WARP;
    const unsigned ratio = d.n_v / d.n_k;

    if (head >= d.n_v) return; /* whole warps */
    float *out = d.out + ((size_t)t * d.n_v + head) * d.d_v, squares = 0.0f;
    const float *z =
        d.raw + (size_t)t * d.width + d.z_at + head / ratio * d.z_group + head % ratio * d.z_head;
    for (unsigned c = lane; c < d.d_v; c += LODE_WARP)
        squares += out[c] * out[c];
    const float scale = 1.0f / sqrtf(warp_sum(squares) / (float)d.d_v + d.eps);
    for (unsigned c = lane; c < d.d_v; c += LODE_WARP)
        out[c] = out[c] * scale * d.norm[c] * (z[c] / (1.0f + expf(-z[c])));
}

/* A thread moves a channel's window: what stays first, ascending. */
static __global__ void __launch_bounds__(128) move_window(lode_cuda_delta d, unsigned n)
{
    const unsigned channel = blockIdx.x * 128 + threadIdx.x, window = d.kernel - 1;

    if (channel >= d.n_channels) return;
    const unsigned raw = raw_of_channel(d, channel);
    for (unsigned i = 0; i < window; i++)
        d.conv_state[(size_t)i * d.n_channels + channel] =
            i + n < window ? d.conv_state[(size_t)(i + n) * d.n_channels + channel]
                           : d.raw[(size_t)(i + n - window) * d.width + raw];
}

cudaError_t
cuda_delta(cudaStream_t s, const lode_cuda_delta *d, size_t n_rows, float *wedges)
{
    const unsigned n = (unsigned)n_rows, n_items = 2 * d->n_k + d->n_v + 1;
    const unsigned n_threads = ROW_WARPS * LODE_WARP, n_strips = (d->d_v + STRIP - 1) / STRIP;
    const unsigned rule_threads = RULE_WARPS * LODE_WARP;

    if (n == 0) return cudaSuccess;
    if (d->d_k > MOST_D || d->d_v > MOST_D || d->n_k == 0 || d->kernel == 0)
        return cudaErrorInvalidValue;
    LODE_TRY(LODE_LAUNCH(make_rows, dim3(n, (n_items + ROW_WARPS - 1) / ROW_WARPS), n_threads, 0, s,
                         *d));
    if (n >= CUDA_DELTA_CHUNK && wedges)
        LODE_TRY(cuda_delta_chunks(s, d, n, wedges));
    else if (d->d_k <= 32)
        LODE_TRY(LODE_LAUNCH((run_rule<4>), dim3(n_strips, d->n_v), rule_threads, 0, s, *d, n));
    else if (d->d_k <= 128)
        LODE_TRY(LODE_LAUNCH((run_rule<16>), dim3(n_strips, d->n_v), rule_threads, 0, s, *d, n));
    else
        LODE_TRY(LODE_LAUNCH((run_rule<32>), dim3(n_strips, d->n_v), rule_threads, 0, s, *d, n));
    LODE_TRY(LODE_LAUNCH(finish_rows, dim3(n, (d->n_v + ROW_WARPS - 1) / ROW_WARPS), n_threads, 0,
                         s, *d));
    if (d->kernel == 1) return cudaSuccess;
    return LODE_LAUNCH(move_window, (d->n_channels + 127) / 128, 128, 0, s, *d, n);
}
