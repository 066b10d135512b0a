/* Fitting a scale, or a scale and a minimum, to runs of weights: what all quantisers are made of. Private to
 * quantize*.c.
 *
 * ENGINE_FIT_LANES runs are fitted side by side, each in a lane of its own: x [n][lanes], weight i of run r at
 * x[i * lanes + r]. A lane's sums are taken in the order of its weights and nothing is fused, so every
 * instruction set gives the same bits. */
#ifndef LODE_ENGINE_QUANTIZE_FIT_H
#define LODE_ENGINE_QUANTIZE_FIT_H

#include "engine/engine.h"

#include <math.h>
#include <string.h>

#define ENGINE_FIT_MAX   32 /* weights of a run */
#define ENGINE_FIT_LANES 8

/* round(v) held to lo..hi, halves to even; what is no number gives lo. Adding 1.5 * 2^23 leaves the rounded
 * number in the low bits of the sum. */
static inline int
engine_fit_round(float v, float lo, float hi)
{
    v = v > lo ? v : lo;
    v = v < hi ? v : hi;
    v += 12582912.0f;
    int32_t bits;
    memcpy(&bits, &v, sizeof bits);
    return (bits & 0x7fffff) - 0x400000;
}

/* n is at most ENGINE_FIT_MAX; scale, min, error: [lanes]. */
typedef struct {
    /* x ~ scale * q, q in lo..hi (lo < 0 < hi): the scale, of either sign; 0 where x is all zero. */
    void (*scale)(const float *x, int n, int lo, int hi, float *scale);
    /* x ~ scale * q + min, q in 0..hi: scale >= 0. max_min: the largest min allowed (0 for K-quants, whose
     * minima are subtracted; INFINITY otherwise). */
    void (*scale_min)(const float *x, int n, int hi, float max_min, float *scale, float *min);
    /* x [32] ~ scale * levels[q], levels ascending whole numbers. */
    void (*levels)(const float *x, const int8_t *levels, float *scale);
    /* The squared error of a given scale and minimum (NULL: 0) with the nearest q in lo..hi. */
    void (*error)(const float *x, int n, const float *scale, const float *min, int lo, int hi,
                  float *error);
    /* Those q [n][lanes]. */
    void (*assign)(const float *x, int n, const float *scale, const float *min, int lo, int hi,
                   int32_t *q);
    void (*assign_levels)(const float *x, const int8_t *levels, const float *scale, int32_t *q);
} engine_fit_kernels;

/* NULL: this processor cannot run them. */
const engine_fit_kernels *engine_fit_lookup(engine_cpu cpu);
/* Those of engine_cpu_best(); found out once. */
const engine_fit_kernels *engine_fit_best(void);

/* src: up to ENGINE_FIT_LANES runs of n, one behind the other -> x; lanes without a run are zero. */
void engine_fit_transpose(const float *src, int n, int n_runs, float *x);

extern const engine_fit_kernels engine_fit_ref, engine_fit_avx2;

#endif
