/* Float matrix product for many inputs at once: the encoder's work.
 *
 * The weights of a few outputs are turned into a panel, [n_in, width] with the outputs contiguous; the panel
 * then serves all tokens from the cache while a block of sums stays in registers. Compared with the
 * row-by-row dot products of kernels.h this reads a quarter of the memory per multiplication, which is
 * what those wait for when there are hundreds of tokens. Packing is done on the fly: it costs as much as
 * some four tokens and saves a second copy of the weights.
 *
 *   y[t][o] = ((bias[o] + x[t][0] w[o][0]) + x[t][1] w[o][1]) + ...
 *
 * in exactly this order at every shape, so a token's outputs depend on nothing but that token. The levels
 * differ in rounding only: the fast ones fuse the multiplication with the addition. */
#ifndef LODE_ENGINE_GEMM_F32_H
#define LODE_ENGINE_GEMM_F32_H

#include "engine/kernels.h"

G_BEGIN_DECLS

typedef struct {
    size_t width; /* outputs of one panel */

    /* panel [n_in, width] from n_rows <= width rows of w, ldw apart; missing outputs become 0. */
    void (*pack)(const float *w, size_t ldw, size_t n_rows, size_t n_in, float *panel);

    /* y[t * ldy + o] for o < n_out <= width, t < n_tokens. panel rows are ld_panel >= width apart (so a
     * matrix that already has outputs contiguous needs no packing, if all width may be read). bias [n_out]
     * or NULL. */
    void (*multiply)(const float *panel, size_t ld_panel, size_t n_out, const float *x, size_t ldx,
                     size_t n_tokens, size_t n_in, const float *bias, float *y, size_t ldy);
} engine_gemm_f32;

/* The functions of a level; one this CPU or build lacks gives the next lower. */
const engine_gemm_f32 *engine_gemm_f32_lookup(engine_cpu cpu);

/* As engine_matmul (kernels.h), with the sums in the order above. */
void engine_gemm_f32_jobs(engine_pool *pool, const engine_kernels *k, const engine_matmul_job *jobs,
                          size_t n_jobs, const float *x, size_t n_tokens);

G_END_DECLS
#endif
