/* Scale search. For integers already chosen the best scale (and minimum) is a least-squares solution; for a
 * scale already chosen the best integers are the nearest ones. So: choose integers with each of a number of
 * scales around the one that just spans the weights, keep the best, then alternate the two steps.
 *
 * The error of a least-squares solution is sum x^2 - gain with gain = (sum x q)^2 / sum q^2 (one unknown),
 * scale * sum x q + min * sum x (two): candidates are compared by gain, in one pass each.
 *
 * Source of the idea: the k-quants of ggml; Lloyd's algorithm ("Least squares quantization in PCM", 1982). */
#include "engine/quantize_fit.h"

#include <glib.h>

#define MAX_ROUNDS 8

typedef struct {
    float scale, min, gain;
} fit;

/* ---- x ~ scale * q ---- */

static fit
solve_scale(const float *x, int n, float inverse, int lo, int hi)
{
    const float low = (float)lo, high = (float)hi;
    float xq = 0.0f;
    int qq = 0;

    for (int i = 0; i < n; i++) {
        const int q = engine_fit_round(x[i] * inverse, low, high);
        xq += x[i] * (float)q;
        qq += q * q;
    }
    if (qq == 0) return (fit){0.0f, 0.0f, 0.0f};
    return (fit){xq / (float)qq, 0.0f, xq * xq / (float)qq};
}

float
engine_fit_scale(const float *x, int n, int lo, int hi)
{
    float extreme = 0.0f;

    for (int i = 0; i < n; i++)
        if (fabsf(x[i]) > fabsf(extreme)) extreme = x[i];
    if (fabsf(extreme) < 1e-30f) return 0.0f;
    fit best = {0.0f, 0.0f, 0.0f};
    /* the extreme weight at, short of or beyond either end of the range (then it is cut off). Few levels
     * gain from cutting off much. */
    const float first = hi < 4 ? -1.4f : -0.9f;
    for (int step = 0; step <= 20; step++) {
        const float at = first + 0.1f * (float)step * (hi < 4 ? 1.4f : 1.0f);
        for (int end = 0; end < 2; end++) {
            const float target = end ? (float)hi + at : (float)lo - at;
            const fit f = solve_scale(x, n, target / extreme, lo, hi);
            if (f.gain > best.gain) best = f;
        }
    }
    for (int round = 0; round < MAX_ROUNDS && best.scale != 0.0f; round++) {
        const fit f = solve_scale(x, n, 1.0f / best.scale, lo, hi);
        if (!(f.gain > best.gain)) break;
        best = f;
    }
    return best.scale;
}

float
engine_fit_assign(const float *x, int n, float scale, int lo, int hi, int *q)
{
    const float inverse = scale != 0.0f ? 1.0f / scale : 0.0f, low = (float)lo, high = (float)hi;
    float error = 0.0f;

    for (int i = 0; i < n; i++) {
        q[i] = engine_fit_round(x[i] * inverse, low, high);
        const float d = x[i] - scale * (float)q[i];
        error += d * d;
    }
    return error;
}

/* ---- x ~ scale * q + min ---- */

static fit
solve_scale_min(const float *x, int n, float sum, float inverse, float offset, int hi,
                float max_min)
{
    const float high = (float)hi;
    float xq = 0.0f;
    int q1 = 0, q2 = 0;

    for (int i = 0; i < n; i++) {
        const int q = engine_fit_round((x[i] - offset) * inverse, 0.0f, high);
        xq += x[i] * (float)q;
        q1 += q;
        q2 += q * q;
    }
    const float determinant = (float)(n * q2 - q1 * q1);
    fit f = {0.0f, MIN(sum / (float)n, max_min), 0.0f};
    if (determinant > 0.0f) {
        f.scale = ((float)n * xq - (float)q1 * sum) / determinant;
        f.min = (sum - f.scale * (float)q1) / (float)n;
        if (f.min > max_min) {
            f.min = max_min;
            f.scale = (xq - max_min * (float)q1) / (float)q2;
        }
    }
    /* with min held at its bound this is no least-squares solution: the whole formula */
    f.gain = 2.0f * (f.scale * xq + f.min * sum) - f.scale * f.scale * (float)q2 -
             2.0f * f.scale * f.min * (float)q1 - f.min * f.min * (float)n;
    return f;
}

void
engine_fit_scale_min(const float *x, int n, int hi, float max_min, float *scale, float *min)
{
    float low = x[0], high = x[0], sum = 0.0f;

    for (int i = 0; i < n; i++) {
        low = MIN(low, x[i]);
        high = MAX(high, x[i]);
        sum += x[i];
    }
    low = MIN(low, max_min);
    *scale = 0.0f;
    *min = low;
    if (!(high - low > 1e-30f)) return;
    fit best = {(high - low) / (float)hi, low, -INFINITY};
    /* more or fewer levels than there are over the whole range; the first one is at the lowest weight or,
     * for the half of the few-level types' range that is cut off below, above it */
    for (int step = 0; step <= 20; step++) {
        const float levels = (float)hi + 1.0f - 0.1f * (float)step * (hi < 4 ? 1.2f : 1.0f);
        const float inverse = levels / (high - low);
        const fit f = solve_scale_min(x, n, sum, inverse, low, hi, max_min);
        if (f.gain > best.gain && f.scale > 0.0f) best = f;
        const float cut = (levels - (float)hi) * 0.5f / inverse;
        if (cut <= 0.0f) continue;
        const fit g = solve_scale_min(x, n, sum, inverse, low + cut, hi, max_min);
        if (g.gain > best.gain && g.scale > 0.0f) best = g;
    }
    for (int round = 0; round < MAX_ROUNDS && best.scale > 0.0f; round++) {
        const fit f = solve_scale_min(x, n, sum, 1.0f / best.scale, best.min, hi, max_min);
        if (!(f.gain > best.gain && f.scale > 0.0f)) break;
        best = f;
    }
    *scale = best.scale;
    *min = best.min;
}

float
engine_fit_assign_min(const float *x, int n, float scale, float min, int hi, int *q)
{
    const float inverse = scale != 0.0f ? 1.0f / scale : 0.0f, high = (float)hi;
    float error = 0.0f;

    for (int i = 0; i < n; i++) {
        q[i] = engine_fit_round((x[i] - min) * inverse, 0.0f, high);
        const float d = x[i] - (scale * (float)q[i] + min);
        error += d * d;
    }
    return error;
}
