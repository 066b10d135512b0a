/* The arithmetic of one task of a matrix product, shared by engine_matmul and engine_moe. */
#ifndef LODE_ENGINE_MATMUL_H
#define LODE_ENGINE_MATMUL_H

#include "engine/kernels.h"
#include "engine/pool.h"

G_BEGIN_DECLS

/* The inputs of a product: int8 where engine_uses_int8() of its weights, else floats. */
typedef struct {
    const engine_int8_block *x8; /* rows of n_in / 32 blocks */
    const uint32_t *index;       /* of x8: token t is row index[t]; NULL: row t */
    const float *x;              /* [n_tokens, n_in] */
    size_t n_in, n_tokens;
    const uint8_t
        *next; /* packed rows, as long as these, that are wanted afterwards; NULL: those behind */
} engine_inputs;

/* Are weights of this type multiplied in int8? */
gboolean engine_uses_int8(const engine_kernels *k, engine_type type);

/* Scratch that engine_multiply_rows wants for so many rows of w. */
size_t engine_multiply_scratch(const engine_kernels *k, const engine_tensor *w, size_t n_rows);

/* y[t * ldy + r] = row `row` + r of w times inputs t, r < n_rows. scratch is 64-byte aligned. */
void engine_multiply_rows(const engine_kernels *k, const engine_tensor *w, size_t row,
                          size_t n_rows, const engine_inputs *inputs, void *scratch, float *y,
                          size_t ldy);

/* x [n_tokens, n_in] as int8 into out, in the caller's thread or, when there is much, by the pool. */
void engine_round_rows(engine_pool *pool, const engine_kernels *k, const float *x, size_t n_tokens,
                       size_t n_in, engine_int8_block *out);

/* Rows of one task: whole panels, about four tasks for each thread, unless those are much memory to read or hardly
 * any (few tokens), or much to compute (many). */
size_t engine_rows_per_task(size_t n_rows, size_t row_bytes, size_t n_tokens, int n_threads);

G_END_DECLS
#endif
