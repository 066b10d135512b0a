/* Fitting a scale, or a scale and a minimum, to a run of weights: what all quantisers are made of.
 * n is at most ENGINE_FIT_MAX. Private to quantize*.c. */
#ifndef LODE_ENGINE_QUANTIZE_FIT_H
#define LODE_ENGINE_QUANTIZE_FIT_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#define ENGINE_FIT_MAX 32

/* round(v) held to lo..hi, halves to even; what is no number gives lo. Adding 1.5 * 2^23 leaves the rounded
 * number in the low bits of the sum, which compilers vectorise where they do not vectorise lrintf. */
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

/* x [n] ~ scale * q, q in lo..hi (lo < 0 < hi): the scale, of either sign; 0 when x is all zero. */
float engine_fit_scale(const float *x, int n, int lo, int hi);

/* q [n] of a given scale; the squared error. */
float engine_fit_assign(const float *x, int n, float scale, int lo, int hi, int *q);

/* x [n] ~ scale * q + min, q in 0..hi: scale >= 0. max_min: the largest min allowed (0 for K-quants, whose
 * minima are subtracted; INFINITY otherwise). */
void engine_fit_scale_min(const float *x, int n, int hi, float max_min, float *scale, float *min);

/* q [n] of a given scale and minimum; the squared error. */
float engine_fit_assign_min(const float *x, int n, float scale, float min, int hi, int *q);

#endif
