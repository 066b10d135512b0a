/* The kernel tables by level, for kernels.c and the tables' own files. */
#ifndef LODE_ENGINE_KERNELS_LEVELS_H
#define LODE_ENGINE_KERNELS_LEVELS_H

#include "engine/kernels.h"

G_BEGIN_DECLS

extern const engine_kernels engine_kernels_ref;
#ifdef LODE_ENGINE_X86
extern const engine_kernels engine_kernels_avx2;
extern const engine_kernels engine_kernels_avx512;
#endif

/* Too small a share of the work to have a second version: the fast tables use these as well. */
void engine_ref_rope_pairs(float *x, const float *cos_sin, size_t n_pairs);
void engine_ref_rope_halves(float *x, const float *cos_sin, size_t n_pairs);

/* Columns [n] of rows ld apart: the end of a state that no vector fills. */
void engine_ref_delta_columns(float *state, size_t ld, size_t d_k, size_t n, const float *q,
                              const float *k, const float *v, float alpha, float beta, float *out);

G_END_DECLS
#endif
