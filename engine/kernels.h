/* The arithmetic of the engine, as one table of functions per CPU level.
 *
 * The levels (kernels_ref.c, kernels_avx2.c, kernels_avx512.c) hold the same functions under the same
 * contract and the same tests. Within one level every output element is summed in one fixed order that
 * depends on the length of the row alone: not on how many tokens or rows a call handles. That is what
 * makes chunked and whole prefill, and any number of threads, give the same bytes. Between levels the
 * order differs, and so do the last bits.
 *
 * Packed weights are multiplied in int8 with activations rounded to int8 (int8.h), the same bits at every
 * level; or, in the exact tables, in float32 after exact dequantisation. Rounding the activations moves
 * logits by up to a few per cent of the largest, as it does in other engines. */
#ifndef LODE_ENGINE_KERNELS_H
#define LODE_ENGINE_KERNELS_H

#include "engine/engine.h"
#include "engine/int8.h"
#include "engine/tensor.h"

G_BEGIN_DECLS

typedef struct {
    engine_cpu cpu;

    /* Products of packed weights; NULL in the exact tables, which expand them to floats. */
    const engine_int8_kernels *int8;

    /* sum a[i] * b[i] */
    float (*dot)(const float *a, const float *b, size_t n);

    /* y[t * ldy + r] = dot(w + r * ldw, x + t * ldx) (+ bias[r] when bias is not NULL) for r < n_rows,
     * t < n_tokens. Each element is bit-identical to dot() of its row (plus the bias). */
    void (*gemm)(const float *w, size_t ldw, size_t n_rows, const float *x, size_t ldx,
                 size_t n_tokens, size_t n_in, const float *bias, float *y, size_t ldy);

    /* y[r] = dot of packed row r of w with x, for r < n_rows; rows row_bytes apart. Bit-identical to
     * dequantize + dot. NULL where a type has no fused kernel at this level. */
    void (*gemv[ENGINE_TYPE_COUNT])(const uint8_t *w, size_t row_bytes, size_t n_rows,
                                    const float *x, size_t n_in, float *y);

    /* Packed row to floats, the same values at every level (the types' definition is exact up to the one
     * rounding of each operation). NULL: use the reference in the type's traits. */
    engine_dequantize_fn dequantize[ENGINE_TYPE_COUNT];

    /* out[q * ldo + d] = sum over p < n_pos of prob[q * ldp + p] * v[p * ldv + d], p ascending; d < dim. */
    void (*weighted_sum)(const float *prob, size_t ldp, size_t n_queries, const float *v,
                         size_t ldv, size_t n_pos, size_t dim, float *out, size_t ldo);

    /* x[i] = exp(x[i] * scale - max) and the sum of those, with max the largest x[i] * scale (returned
     * in *max); n >= 1. Elements from n up to n_padded are set to 0. scale > 0. */
    float (*softmax_part)(float *x, size_t n, size_t n_padded, float scale, float *max);

    /* x = softmax(x * scale) in place, n >= 1. */
    void (*softmax)(float *x, size_t n, float scale);

    /* y = w * x / sqrt(mean(x^2) + eps); y may be x. */
    void (*rms_norm)(const float *x, const float *w, float eps, size_t n, float *y);
    /* y = (x - mean) / sqrt(var + eps) * w + b; y may be x. */
    void (*layer_norm)(const float *x, const float *w, const float *b, float eps, size_t n,
                       float *y);

    /* gate = silu(gate) * up, silu(z) = z / (1 + exp(-z)) */
    void (*silu_mul)(float *gate, const float *up, size_t n);
    /* x = x/2 * (1 + erf(x / sqrt 2)), the exact GELU */
    void (*gelu_erf)(float *x, size_t n);
    /* x = x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3))) */
    void (*gelu_tanh)(float *x, size_t n);

    /* x = x * sigmoid(gate); with gate = x this is silu */
    void (*sigmoid_mul)(float *x, const float *gate, size_t n);

    /* n columns of one head's delta-rule state, [d_k, n] contiguous, through one token (delta.c):
     *   S = alpha S + k (beta (v - alpha S^T k))^T,  out = S^T q;  q, k [d_k], v, out [n]. */
    void (*delta_step)(float *state, size_t d_k, size_t n, const float *q, const float *k,
                       const float *v, float alpha, float beta, float *out);

    /* x += y; x = x * s; x = x * a + y * b */
    void (*add)(float *x, const float *y, size_t n);
    void (*scale)(float *x, float s, size_t n);
    void (*blend)(float *x, float a, const float *y, float b, size_t n);

    /* Rotate the first 2 * n_pairs elements of one head. cos_sin holds cos [n_pairs], then sin [n_pairs].
     * pairs: elements (2j, 2j+1); halves: elements (j, j + n_pairs). */
    void (*rope_pairs)(float *x, const float *cos_sin, size_t n_pairs);
    void (*rope_halves)(float *x, const float *cos_sin, size_t n_pairs);
} engine_kernels;

/* The table of a level; a level this CPU or build lacks gives NULL. Immutable, for ever valid. */
const engine_kernels *engine_kernels_lookup(engine_cpu cpu);
/* The table of engine_cpu_best(). */
const engine_kernels *engine_kernels_best(void);
/* The table of k's level that multiplies packed weights exactly, in float32. */
const engine_kernels *engine_kernels_exact(const engine_kernels *k);

static inline gboolean
engine_kernels_are_exact(const engine_kernels *k)
{
    return k->int8 == NULL;
}

/* One weight matrix applied to the same input as its neighbours: y [n_tokens, ldy] gets n_out = rows of w. */
typedef struct {
    const engine_tensor *w; /* dims {n_in, n_out}, any type with a dequantiser */
    const float *bias;      /* [n_out] or NULL */
    float *y;
    size_t ldy; /* >= n_out */
} engine_matmul_job;

/* y_j[t] = W_j x[t] + b_j for all jobs (at most 8, all of the same n_in) and tokens; x [n_tokens, n_in].
 * Output elements do not depend on n_tokens, the jobs or the pool's threads. pool is not NULL. */
void engine_matmul(engine_pool *pool, const engine_kernels *k, const engine_matmul_job *jobs,
                   size_t n_jobs, const float *x, size_t n_tokens);

G_END_DECLS
#endif
