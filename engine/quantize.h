/* Quantisers: rows of floats into the block formats that dequant.c reads.
 *
 * All of them minimise the squared error of a block: scales (and minima) are searched around the obvious
 * choice, solved by least squares for the integers chosen, and chosen again until that helps no more. Plain C
 * without fused operations: the same bytes on every machine and for any number of threads.
 *
 * Input must be finite. */
#ifndef LODE_ENGINE_QUANTIZE_H
#define LODE_ENGINE_QUANTIZE_H

#include "engine/engine.h"
#include "engine/tensor.h"

G_BEGIN_DECLS

/* src [n] -> dst [n / block_elems blocks]; n a multiple of the block. Touches only its arguments. */
typedef void (*engine_quantize_fn)(const float *src, uint8_t *dst, size_t n);

/* NULL: not a type we write. */
engine_quantize_fn engine_quantize_lookup(engine_type type);

/* "q4_k", "F16", ... ; FALSE when that is no type we write. */
gboolean engine_quantize_type_from_name(const char *name, engine_type *type);
/* The names of all types we write, "f32, f16, ...", for help and messages. Static. */
const char *engine_quantize_type_names(void);

/* src [n_rows, n_cols] floats -> dst, row by row. pool: NULL runs on the caller's thread. */
void engine_quantize_rows(engine_pool *pool, engine_type type, const float *src, size_t n_rows,
                          size_t n_cols, uint8_t *dst);

/* quantize_k.c */
void engine_quantize_q2_k(const float *src, uint8_t *dst, size_t n);
void engine_quantize_q3_k(const float *src, uint8_t *dst, size_t n);
void engine_quantize_q4_k(const float *src, uint8_t *dst, size_t n);
void engine_quantize_q5_k(const float *src, uint8_t *dst, size_t n);
void engine_quantize_q6_k(const float *src, uint8_t *dst, size_t n);

G_END_DECLS
#endif
