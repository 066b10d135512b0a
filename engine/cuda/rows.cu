/* What is done to rows of activations: norms, activations, sums, roundings; and BERT's pooling. All of it is bound by
 * memory: a block takes a row where the row must be summed, a thread an element where not. */
#include "engine/cuda/blocks.h"

#define THREADS 256

/* Blocks for n elements, or rows, at one per thread or block; more than this go round again. */
#define MOST_BLOCKS 65535u

static unsigned
blocks_for(size_t n, size_t per_block)
{
    const size_t n_blocks = (n + per_block - 1) / per_block;
    return (unsigned)(n_blocks < MOST_BLOCKS ? n_blocks : MOST_BLOCKS);
}

/* Loops over elements i < n, and over rows, whatever the grid. */
#define EACH_ELEMENT(i, n)                                                                         \
    for (size_t i = (size_t)blockIdx.x * THREADS + threadIdx.x; i < (n);                           \
         i += (size_t)gridDim.x * THREADS)
#define EACH_ROW(t, n) for (size_t t = blockIdx.x; t < (n); t += gridDim.x)

/* ---- norms ---- */

/* A thread keeps so many of its row's elements in registers; what a longer row has beyond is read again. */
#define KEPT 16

/* y = w x / sqrt(mean(x^2) + eps), x [n, ldx] after x += add where there is one. */
static __global__ void
__launch_bounds__(THREADS)
    norm_rows(const float *x, size_t ldx, float *sum_out, const float *add, const float *w,
              float eps, size_t n_elems, size_t n, float *y, size_t ldy)
{
    LODE_STATIC_SHARED(float, scratch, 32);

    EACH_ROW(t, n)
    {
        float kept[KEPT], squares = 0.0f;
#pragma unroll
        for (int k = 0; k < KEPT; k++) {
            const size_t i = threadIdx.x + (size_t)k * THREADS;
            kept[k] = i < n_elems ? x[t * ldx + i] : 0.0f;
            if (add && i < n_elems) {
                kept[k] += add[t * n_elems + i];
                sum_out[t * ldx + i] = kept[k];
            }
            squares += kept[k] * kept[k];
        }
        for (size_t i = threadIdx.x + (size_t)KEPT * THREADS; i < n_elems; i += THREADS) {
            float v = x[t * ldx + i];
            if (add) sum_out[t * ldx + i] = v += add[t * n_elems + i];
            squares += v * v;
        }
        const float scale = 1.0f / sqrtf(block_sum(squares, scratch) / (float)n_elems + eps);
#pragma unroll
        for (int k = 0; k < KEPT; k++) {
            const size_t i = threadIdx.x + (size_t)k * THREADS;
            if (i < n_elems) y[t * ldy + i] = kept[k] * scale * w[i];
        }
        /* a thread reads here what it wrote itself, or nobody wrote */
        for (size_t i = threadIdx.x + (size_t)KEPT * THREADS; i < n_elems; i += THREADS)
            y[t * ldy + i] = (add ? sum_out : x)[t * ldx + i] * scale * w[i];
    }
}

cudaError_t
cuda_rms_norm(cudaStream_t s, const float *x, size_t ldx, const float *w, float eps, size_t n_elems,
              size_t n, float *y, size_t ldy)
{
    if (n == 0) return cudaSuccess;
    return LODE_LAUNCH(norm_rows, blocks_for(n, 1), THREADS, 0, s, x, ldx, (float *)NULL,
                       (const float *)NULL, w, eps, n_elems, n, y, ldy);
}

cudaError_t
cuda_add_rms_norm(cudaStream_t s, float *x, const float *r, const float *w, float eps,
                  size_t n_elems, size_t n, float *y)
{
    if (n == 0) return cudaSuccess;
    return LODE_LAUNCH(norm_rows, blocks_for(n, 1), THREADS, 0, s, (const float *)x, n_elems, x, r,
                       w, eps, n_elems, n, y, n_elems);
}

/* x = (x + r - mean) / sqrt(var + eps) w + b */
static __global__ void
__launch_bounds__(THREADS) layer_norm_rows(float *x, const float *r, const float *w, const float *b,
                                           float eps, size_t n_elems, size_t n)
{
    LODE_STATIC_SHARED(float, scratch, 32);

    EACH_ROW(t, n)
    {
        float *row = x + t * n_elems, sum = 0.0f, squares = 0.0f;
        for (size_t i = threadIdx.x; i < n_elems; i += THREADS) {
            if (r) row[i] += r[t * n_elems + i];
            sum += row[i];
        }
        const float mean = block_sum(sum, scratch) / (float)n_elems;
        for (size_t i = threadIdx.x; i < n_elems; i += THREADS)
            squares += (row[i] - mean) * (row[i] - mean);
        const float scale = 1.0f / sqrtf(block_sum(squares, scratch) / (float)n_elems + eps);
        for (size_t i = threadIdx.x; i < n_elems; i += THREADS)
            row[i] = (row[i] - mean) * scale * w[i] + b[i];
    }
}

cudaError_t
cuda_layer_norm(cudaStream_t s, float *x, const float *r, const float *w, const float *b, float eps,
                size_t n_elems, size_t n)
{
    if (n == 0) return cudaSuccess;
    return LODE_LAUNCH(layer_norm_rows, blocks_for(n, 1), THREADS, 0, s, x, r, w, b, eps, n_elems,
                       n);
}

/* ---- element by element ---- */

static __global__ void
__launch_bounds__(THREADS) gelu_each(float *x, size_t n, bool by_tanh)
{
    EACH_ELEMENT(i, n)
    {
        const float v = x[i];
        x[i] = by_tanh ? 0.5f * v * (1.0f + tanhf(0.79788456f * (v + 0.044715f * v * v * v)))
                       : 0.5f * v * (1.0f + erff(v * 0.70710678f));
    }
}

cudaError_t
cuda_gelu(cudaStream_t s, float *x, size_t n, bool by_tanh)
{
    if (n == 0) return cudaSuccess;
    return LODE_LAUNCH(gelu_each, blocks_for(n, THREADS), THREADS, 0, s, x, n, by_tanh);
}

static __global__ void
__launch_bounds__(THREADS) tanh_each(float *x, size_t n)
{
    EACH_ELEMENT(i, n) x[i] = tanhf(x[i]);
}

cudaError_t
cuda_tanh(cudaStream_t s, float *x, size_t n)
{
    if (n == 0) return cudaSuccess;
    return LODE_LAUNCH(tanh_each, blocks_for(n, THREADS), THREADS, 0, s, x, n);
}

/* out [i] = silu(gate) * up; rows of n_ff, of both ld apart */
static __global__ void
__launch_bounds__(THREADS)
    swiglu_each(const float *gate, const float *up, size_t n_ff, size_t ld, size_t n, float *out)
{
    EACH_ELEMENT(i, n * n_ff)
    {
        const size_t at = i / n_ff * ld + i % n_ff;
        const float g = gate[at];
        out[i] = g / (1.0f + expf(-g)) * up[at];
    }
}

cudaError_t
cuda_swiglu(cudaStream_t s, float *gate, const float *up, size_t n)
{
    if (n == 0) return cudaSuccess;
    return LODE_LAUNCH(swiglu_each, blocks_for(n, THREADS), THREADS, 0, s, (const float *)gate, up,
                       n, n, (size_t)1, gate);
}

cudaError_t
cuda_swiglu_joined(cudaStream_t s, const float *both, size_t n_ff, size_t n, float *h)
{
    if (n == 0) return cudaSuccess;
    return LODE_LAUNCH(swiglu_each, blocks_for(n * n_ff, THREADS), THREADS, 0, s, both, both + n_ff,
                       n_ff, 2 * n_ff, n, h);
}

static __global__ void
__launch_bounds__(THREADS)
    add_each(float *x, const float *y, const float *gate, size_t n_elems, size_t n)
{
    EACH_ELEMENT(i, n * n_elems)
    {
        x[i] += gate ? y[i] / (1.0f + expf(-gate[i / n_elems])) : y[i];
    }
}

cudaError_t
cuda_add(cudaStream_t s, float *x, const float *y, const float *gate, size_t n_elems, size_t n)
{
    if (n == 0) return cudaSuccess;
    return LODE_LAUNCH(add_each, blocks_for(n * n_elems, THREADS), THREADS, 0, s, x, y, gate,
                       n_elems, n);
}

static __global__ void
__launch_bounds__(THREADS)
    add_bias_each(float *y, size_t ldy, const float *bias, size_t n_elems, size_t n)
{
    EACH_ELEMENT(i, n * n_elems) y[i / n_elems * ldy + i % n_elems] += bias[i % n_elems];
}

cudaError_t
cuda_add_bias(cudaStream_t s, float *y, size_t ldy, const float *bias, size_t n_elems, size_t n)
{
    if (n == 0) return cudaSuccess;
    return LODE_LAUNCH(add_bias_each, blocks_for(n * n_elems, THREADS), THREADS, 0, s, y, ldy, bias,
                       n_elems, n);
}

static __global__ void
__launch_bounds__(THREADS)
    gather_each(const float *x, const uint32_t *rows, size_t n_elems, size_t n, float *y)
{
    EACH_ELEMENT(i, n * n_elems) y[i] = x[rows[i / n_elems] * n_elems + i % n_elems];
}

cudaError_t
cuda_gather(cudaStream_t s, const float *x, const uint32_t *rows, size_t n, size_t n_elems,
            float *y)
{
    if (n == 0) return cudaSuccess;
    return LODE_LAUNCH(gather_each, blocks_for(n * n_elems, THREADS), THREADS, 0, s, x, rows,
                       n_elems, n, y);
}

template <bool BF16>
static __global__ void
__launch_bounds__(THREADS)
    round_each(const float *x, size_t ldx, size_t n_in, size_t n, uint16_t *out)
{
    EACH_ELEMENT(i, n * n_in) out[i] = (uint16_t)to_16_bits<BF16>(x[i / n_in * ldx + i % n_in]);
}

cudaError_t
cuda_round(cudaStream_t s, const float *x, size_t ldx, size_t n_in, size_t n, uint32_t to,
           void *out)
{
    uint16_t *words = static_cast<uint16_t *>(out);

    if (n == 0) return cudaSuccess;
    if (to == CUDA_BF16)
        return LODE_LAUNCH((round_each<true>), blocks_for(n * n_in, THREADS), THREADS, 0, s, x, ldx,
                           n_in, n, words);
    if (to != CUDA_F16) return cudaErrorInvalidValue;
    return LODE_LAUNCH((round_each<false>), blocks_for(n * n_in, THREADS), THREADS, 0, s, x, ldx,
                       n_in, n, words);
}

/* ---- pooling ---- */

/* out row t = mean (or first) of rows first [t] .., to unit length; an element is summed over rows in order. */
static __global__ void
__launch_bounds__(THREADS) pool_texts(const float *x, const uint32_t *first, size_t n_texts,
                                      size_t n_elems, bool mean, bool normalize, float *out)
{
    LODE_STATIC_SHARED(float, scratch, 32);

    EACH_ROW(t, n_texts)
    {
        const size_t begin = first[t], n = first[t + 1] - begin;
        float *to = out + t * n_elems, squares = 0.0f;
        for (size_t i = threadIdx.x; i < n_elems; i += THREADS) {
            float sum = n > 0 ? x[begin * n_elems + i] : 0.0f;
            if (mean) {
                for (size_t r = 1; r < n; r++)
                    sum += x[(begin + r) * n_elems + i];
                sum *= 1.0f / (float)(n > 0 ? n : 1);
            }
            to[i] = sum;
            squares += sum * sum;
        }
        if (!normalize) continue; /* all threads or none */
        const float length = sqrtf(block_sum(squares, scratch));
        for (size_t i = threadIdx.x; i < n_elems; i += THREADS)
            to[i] *= 1.0f / fmaxf(length, 1e-12f);
    }
}

cudaError_t
cuda_pool(cudaStream_t s, const float *x, const uint32_t *first, size_t n_texts, size_t n_elems,
          bool mean, bool normalize, float *out)
{
    if (n_texts == 0) return cudaSuccess;
    return LODE_LAUNCH(pool_texts, blocks_for(n_texts, 1), THREADS, 0, s, x, first, n_texts,
                       n_elems, mean, normalize, out);
}
