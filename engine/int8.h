/* Products of packed weights with activations rounded to int8: the fast arithmetic of quantised models.
 *
 * A row of activations is cut into blocks of 32 elements; a block keeps one float scale, int8 values and
 * their sums. A row of weights of any packed type is, block by block, whole numbers with a scale, and
 * perhaps a minimum. An output is defined, for every kernel on every processor, as
 *
 *     acc = 0;  for each block, ascending:   acc = fma(d * scale, (float)isum, acc)
 *                                            acc = fma(min, scaled_sum, acc)           types with a minimum
 *
 * with fma of one rounding and isum an exact int32: the sum over the block of q_w * q_x, times the whole
 * sub-scales where a type has those for every 16. (Q2_K: also fma(-dmin * scale, (float)imin, acc), imin the
 * exact sum of its sub-minima times the sums of 16.) So scalar, AVX2, AVX-512 and VNNI, one token or many,
 * any number of threads: the same bits. tests/engine/test_int8.c holds every kernel to that.
 *
 * How the fast kernels work. `width` rows at once are a panel. A block of a panel is unpacked into vectors
 * that hold four consecutive elements of each row in each 32-bit lane, so that one multiply-add with four
 * broadcast activations serves all rows, and the sums stay apart: no horizontal additions. gemv unpacks
 * in registers, straight from the file's own layout; gemm unpacks a slice of two panels once into a scratch
 * that stays in the first-level cache and runs all tokens over it. (Q8_0 in 256-bit registers: gemv takes a row at
 * a time, and transposes sums.) The transposition costs less than two
 * instructions for each 32 weights: there is no need for a second, repacked copy in memory.
 *
 * Rounding activations like this is what llama.cpp does as well: for the legacy types (Q8_0) with a half for the scale of
 * 32, for the K types (Q8_K) with a float for 256. Two engines that do so are not to be expected to agree further than
 * one does with itself when it adds in another order: a value near the middle of two steps magnifies the
 * last bit of a sum. On SmolLM2 Q8_0 llama.cpp, token by token against 64 at a time, has a KL divergence
 * of 2.9e-3 from itself, of 3.4e-3 from this, of 3.2e-3 from this with halves for scales. A scale for 256
 * is worse: Qwen2.5-Coder-1.5B Q4_K_M is then 5.9e-3 from float32 products, here 4.0e-4 (1,000 tokens).
 * engine_kernels.int8 is NULL where rounding is not wanted. */
#ifndef LODE_ENGINE_INT8_H
#define LODE_ENGINE_INT8_H

#include "engine/tensor.h"

G_BEGIN_DECLS

#define ENGINE_INT8_BLOCK    32     /* activations that share a scale */
#define ENGINE_INT8_SMALLEST 1e-35f /* a block whose largest magnitude is less counts as zero */

/* x[i] = scale * q[i] for 32 consecutive elements. */
typedef struct {
    float scale;      /* largest magnitude / 127; NaN when an element is not finite */
    float scaled_sum; /* scale * (sum of q) */
    int16_t sums[2];  /* of q[0..15] and of q[16..31] */
    /* What weights stored too large by 8 (Q4_0) or 32 (Q6_K) make too much: -8 times the sum of every q[i] with
     * i % 4 < 2, and of the others, or of all q where kernels add up in 32 bits (whole_sums); -32 times the same two
     * of q[0..15] and of q[16..31] */
    union {
        int16_t halves[2];
        int32_t whole;
    } minus8;
    int16_t minus32[2][2];
    int8_t q[ENGINE_INT8_BLOCK]; /* -127 .. 127 */
    int8_t ends[8];              /* q[14] q[15] q[0] q[1] q[30] q[31] q[16] q[17] */
} engine_int8_block;

typedef struct {
    size_t scratch_bytes; /* that gemm wants, 64-byte aligned */
    gboolean whole_sums;  /* blocks hold minus8.whole */

    /* x [n], n a multiple of 32, into out [n / 32]: nearest, ties to even. For the products of the same table. */
    void (*quantize)(const float *x, size_t n, engine_int8_block *out);

    /* The same of the first 32 of n_rows rows, ldx numbers apart, into blocks that are ldo apart. */
    void (*quantize_column)(const float *x, size_t ldx, size_t n_rows, engine_int8_block *out,
                            size_t ldo);

    /* y[r] = row r of w times x [n_in / 32 blocks], r < n_rows; rows row_bytes apart, of any alignment. NULL for
     * types that are multiplied as floats. Nothing outside the rows is read. next: rows as long as these that will
     * be multiplied afterwards, fetched into the cache meanwhile; NULL: those that follow in memory. */
    void (*gemv[ENGINE_TYPE_COUNT])(const uint8_t *w, size_t row_bytes, size_t n_rows,
                                    const engine_int8_block *x, size_t n_in, const uint8_t *next,
                                    float *y);

    /* y[t * ldy + r] for t < n_tokens, r < n_rows, the same bits as gemv's. Token t's activations are row
     * index[t] of x, or row t when index is NULL; x's rows are n_in / 32 blocks each. */
    void (*gemm[ENGINE_TYPE_COUNT])(const uint8_t *w, size_t row_bytes, size_t n_rows,
                                    const engine_int8_block *x, const uint32_t *index,
                                    size_t n_tokens, size_t n_in, void *scratch, float *y,
                                    size_t ldy);
} engine_int8_kernels;

G_END_DECLS
#endif
