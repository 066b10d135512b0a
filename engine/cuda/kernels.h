/* Launchers of our kernels: what compute.cc puts together. Each asks the stream for its work and returns what the launch
 * itself met; arguments are in device memory unless marked `host`. Nothing here allocates or waits, and no grid depends on
 * the length of a sequence, so that a decoding step can be captured as a graph and launched again.
 *
 * Activations are float32 throughout. A row's result depends on that row (and its sequence) alone: sums run in one order,
 * there are no float atomics. Two kernels that do the same job for few and for many rows (gemv, gemm_fused; the two of
 * attend) round differently, and so may differ in the last bits.
 *
 *   weights.cu    packed rows to float, half, bfloat16; embedding            gemv.cu      few rows by a matrix
 *   fused.cu      many rows by packed matrices, tensor cores                 rows.cu      norms, activations, sums
 *   heads.cu      rotary tables, heads, keys and values into the cache       attention_decode.cu, _prefill.cu, _floats.cu
 *   route.cu      router, tokens by expert, top-k                            delta.cu, delta_chunks.cu    gated delta rule */
#ifndef LODE_CUDA_KERNELS_H
#define LODE_CUDA_KERNELS_H

#include "engine/cuda/compute.h"
#include "engine/cuda/device.h"

/* engine_type of tensor.h, without GLib. */
enum {
    CUDA_F32 = 0,
    CUDA_F16 = 1,
    CUDA_Q4_0 = 2,
    CUDA_Q4_1 = 3,
    CUDA_Q5_0 = 6,
    CUDA_Q5_1 = 7,
    CUDA_Q8_0 = 8,
    CUDA_Q2_K = 10,
    CUDA_Q3_K = 11,
    CUDA_Q4_K = 12,
    CUDA_Q5_K = 13,
    CUDA_Q6_K = 14,
    CUDA_IQ4_NL = 20,
    CUDA_IQ4_XS = 23,
    CUDA_BF16 = 30,
    CUDA_MXFP4 = 39,
    CUDA_F8_E4M3 = 64,
    CUDA_F8_E5M2 = 65
};

/* Bytes of a row of n_in elements; 0: a type without kernels, or no whole number of blocks. */
size_t cuda_row_bytes(uint32_t type, uint32_t n_in);

/* ---- packed weights ----
 * lode_cuda_matrix: the struct is host memory, what it points to is not. data is aligned to 2 bytes (to an element, if that
 * is larger). */

/* Rows first .. first+n_rows-1 to out [n_rows, n_in] of `to`: CUDA_F32, CUDA_F16 or CUDA_BF16, nearest. */
cudaError_t cuda_dequantize(cudaStream_t s, const lode_cuda_matrix *w, uint32_t first,
                            uint32_t n_rows, uint32_t to, void *out);
/* x [n, ldx] row i = row tokens [i] of table */
cudaError_t cuda_embed(cudaStream_t s, const lode_cuda_matrix *table, const int32_t *tokens,
                       size_t n, float *x, size_t ldx);

#define CUDA_GEMV_ROWS 8 /* up to here cuda_gemv takes x */

/* y [n, ldy] = w x + bias, exact products in float32; x [n, ldx], n <= CUDA_GEMV_ROWS; bias [n_out] or NULL. */
cudaError_t cuda_gemv(cudaStream_t s, const lode_cuda_matrix *w, const float *bias, const float *x,
                      size_t ldx, size_t n, float *y, size_t ldy);
/* The same for experts, one slot each: y [slot] = w_e x [slot / share], e = chosen [slot]. w has the shape and type,
 * matrices [n_experts] the addresses, scales theirs or NULL. Any number of slots. */
cudaError_t cuda_gemv_experts(cudaStream_t s, const lode_cuda_matrix *w,
                              const void *const *matrices, const float *const *scales,
                              const int32_t *chosen, size_t n_slots, uint32_t share, const float *x,
                              float *y);

/* y [n, ldy] = w x + bias by tensor cores, w dequantised as it is read; x and w rounded to half, sums in float32.
 * (bfloat16 when w is BF16 and the card has it: nothing overflows then.) */
cudaError_t cuda_gemm_fused(cudaStream_t s, const lode_cuda_matrix *w, const float *bias,
                            const float *x, size_t ldx, size_t n, float *y, size_t ldy);
/* The same for experts: slots sorted by expert, those of e being order.start [e] .. start [e + 1] - 1.
 * y [slot] = w_e x [rows [slot]], rows NULL: x [slot]. n_slots (host) bounds start [n_experts]. */
cudaError_t cuda_gemm_experts(cudaStream_t s, const lode_cuda_matrix *w,
                              const void *const *matrices, const float *const *scales,
                              const uint32_t *start, uint32_t n_experts, size_t n_slots,
                              const uint32_t *rows, const float *x, float *y);

/* ---- rows ---- */

/* y = w x / sqrt(mean(x^2) + eps); y may be x. */
cudaError_t cuda_rms_norm(cudaStream_t s, const float *x, size_t ldx, const float *w, float eps,
                          size_t n_elems, size_t n, float *y, size_t ldy);
/* x += r, then y = rms_norm(x); rows contiguous */
cudaError_t cuda_add_rms_norm(cudaStream_t s, float *x, const float *r, const float *w, float eps,
                              size_t n_elems, size_t n, float *y);
/* x = layer_norm(x + r) w + b; r NULL: of x. Rows contiguous. */
cudaError_t cuda_layer_norm(cudaStream_t s, float *x, const float *r, const float *w,
                            const float *b, float eps, size_t n_elems, size_t n);
/* x [n] = gelu(x), the exact one or by tanh */
cudaError_t cuda_gelu(cudaStream_t s, float *x, size_t n, bool by_tanh);
/* x [n] = tanh(x) */
cudaError_t cuda_tanh(cudaStream_t s, float *x, size_t n);
/* gate = silu(gate) * up, [n] each */
cudaError_t cuda_swiglu(cudaStream_t s, float *gate, const float *up, size_t n);
/* h [n, n_ff] = silu(both [., 0 .. n_ff-1]) * both [., n_ff ..]; both [n, 2 n_ff] */
cudaError_t cuda_swiglu_joined(cudaStream_t s, const float *both, size_t n_ff, size_t n, float *h);
/* x row += sigmoid(gate [row]) * y row; gate NULL: x += y */
cudaError_t cuda_add(cudaStream_t s, float *x, const float *y, const float *gate, size_t n_elems,
                     size_t n);
/* y row i = x row rows [i] */
cudaError_t cuda_gather(cudaStream_t s, const float *x, const uint32_t *rows, size_t n,
                        size_t n_elems, float *y);
/* to [n, n_in] of CUDA_F16 or CUDA_BF16 = x [n, ldx], nearest; beyond the range of half its largest */
cudaError_t cuda_round(cudaStream_t s, const float *x, size_t ldx, size_t n_in, size_t n,
                       uint32_t to, void *out);
/* y [n, ldy] += bias [n_elems] */
cudaError_t cuda_add_bias(cudaStream_t s, float *y, size_t ldy, const float *bias, size_t n_elems,
                          size_t n);

/* BERT. Texts t = 0 .. n_texts-1 are rows first [t] .. first [t + 1] - 1. Mean (or first) row, to unit length on wish. */
cudaError_t cuda_pool(cudaStream_t s, const float *x, const uint32_t *first, size_t n_texts,
                      size_t n_elems, bool mean, bool normalize, float *out);
/* out [n, n_heads dim] = softmax(q k / sqrt(dim)) v inside each text, both ways; qkv [n, 3 n_heads dim]. longest (host):
 * rows of the longest text; dim <= 256. exact: in float32 throughout; else factors are rounded to half. */
cudaError_t cuda_attend_text(cudaStream_t s, const float *qkv, const uint32_t *first,
                             size_t n_texts, size_t longest, uint32_t n_heads, uint32_t dim,
                             bool exact, float *out);

/* ---- attention ---- */

/* What is known of a pass, as begin_pass lays it down. */
typedef struct {
    uint32_t row, n, first; /* as lode_cuda_span */
    uint32_t pages;         /* its page numbers begin here in cuda_pass.pages */
} cuda_span;

typedef struct {
    const cuda_span *spans;   /* [n_spans] */
    const uint32_t *pages;    /* page numbers of all spans */
    const uint32_t *row_span; /* [n] the span of a row */
    uint32_t n_spans, n;      /* host, and below: */
    uint32_t least, most;     /* rows of the smallest and of the largest span */
} cuda_pass;

/* tables [n, n_tables * n_rot] of the positions first .. first+n-1, as engine_rope_row. inv_freq [n_rot / 2] is a copy in
 * device memory of r->inv_freq; n_rot <= 512. */
cudaError_t cuda_rope_tables(cudaStream_t s, const lode_cuda_rope *r, const float *inv_freq,
                             size_t n, float *tables);
/* a->q: heads of a->raw normed and turned; keys and values likewise into the cache (a->k, a->v are not used). Beside a
 * cache of Q4_0, queries and keys are rotated as kv.h says. */
cudaError_t cuda_heads(cudaStream_t s, const lode_cuda_attention *a, const cuda_pass *pass);
/* Floats that cuda_attend wants as partials for passes of so many rows. */
size_t cuda_attend_floats(uint32_t n, uint32_t n_heads, uint32_t head_dim);
/* a->out from a->q and the cache, times the sigmoid of the output gates where a->gate > 0. head_dim <= 256. In float32
 * throughout over a cache of floats and with a->exact; else spans of more than 8 rows round their factors to half. */
cudaError_t cuda_attend(cudaStream_t s, const lode_cuda_attention *a, const cuda_pass *pass,
                        float *partials);

/* ---- experts ---- */

/* As engine_route; logits are overwritten. n_experts <= 1024, n_used <= 64. */
cudaError_t cuda_route(cudaStream_t s, const lode_cuda_router *r, float *logits, size_t n,
                       int32_t *chosen, float *weights);
/* Slots (n n_used of them, t * n_used + j) sorted by expert, within one in order of the slots.
 *   start [n_experts + 1]  first place of an expert        row [n n_used]   token of a place
 *   place [n n_used]       where a slot went                n_experts <= 1024 */
cudaError_t cuda_sort_experts(cudaStream_t s, const int32_t *chosen, size_t n, uint32_t n_used,
                              uint32_t n_experts, uint32_t *start, uint32_t *row, uint32_t *place);
/* y [n, n_elems] row t += sum over j, ascending, of weights [t n_used + j] out [place [t n_used + j]]; place NULL: the
 * slot itself; weights NULL: 1 */
cudaError_t cuda_join_experts(cudaStream_t s, const float *out, const uint32_t *place,
                              const float *weights, uint32_t n_used, size_t n_elems, size_t n,
                              float *y);

#define CUDA_TOP_K 1024

/* The k largest of each row of x [n, ldx], descending, of equals the lower index first; a NaN is less than all numbers.
 * values and indices [n, k]; k <= CUDA_TOP_K and <= n_elems. */
cudaError_t cuda_top_k(cudaStream_t s, const float *x, size_t ldx, size_t n_elems, size_t n,
                       uint32_t k, float *values, int32_t *indices);

/* ---- delta rule ---- */

#define CUDA_DELTA_CHUNK LODE_CUDA_DELTA_CHUNK /* tokens that the rule takes at once in prompts */

/* All of compute.h's delta for n rows of one sequence: convolution and gates, the rule, norm and output gate, the window
 * moved on. d_k <= 256; d->state is [n_v][d_v / 32][d_k][32], the last strip as wide as what is left.
 * wedges [n, n_v, CUDA_DELTA_CHUNK] is scratch memory that CUDA_DELTA_CHUNK rows and more are worked through in chunks
 * with, in another order of sums than few rows; NULL: token by token always. */
cudaError_t cuda_delta(cudaStream_t s, const lode_cuda_delta *d, size_t n, float *wedges);
/* The rule alone, in chunks: d->conv and d->gates as made, d->out before its norm. For cuda_delta. */
cudaError_t cuda_delta_chunks(cudaStream_t s, const lode_cuda_delta *d, size_t n, float *wedges);

#endif
