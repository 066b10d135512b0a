/* The body of engine_fit_kernels for vectors of FIT_WIDTH floats, which divides ENGINE_FIT_LANES. Included by a
 * file that defines FIT_WIDTH and FIT_TABLE, and is compiled for its instruction set.
 *
 * For integers already chosen the best scale (and minimum) is a least-squares solution; for a scale already
 * chosen the best integers are the nearest ones. So: choose integers with each of a number of scales around the
 * one that just spans the weights, keep the best, then alternate the two steps.
 *
 * The error of a least-squares solution is sum x^2 - gain with gain = (sum x q)^2 / sum q^2 (one unknown),
 * scale * sum x q + min * sum x (two): candidates are compared by gain, in one pass each.
 *
 * Source of the idea: the k-quants of ggml; Lloyd's algorithm ("Least squares quantization in PCM", 1982). */
#include "engine/quantize_fit.h"

#define MAX_ROUNDS 8

typedef float lanes __attribute__((vector_size(4 * FIT_WIDTH)));
typedef int32_t ints __attribute__((vector_size(4 * FIT_WIDTH))); /* also what comparisons give */

static inline lanes
all(float f)
{
    return f - (lanes){0};
}

static inline lanes
load(const float *p)
{
    lanes v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void
store(float *p, lanes v)
{
    memcpy(p, &v, sizeof v);
}

static inline lanes
choose(ints which, lanes a, lanes b)
{
    return (lanes)((which & (ints)a) | (~which & (ints)b));
}

static inline gboolean
any(ints mask)
{
    int32_t values[FIT_WIDTH], found = 0;
    memcpy(values, &mask, sizeof values);
    for (int i = 0; i < FIT_WIDTH; i++)
        found |= values[i];
    return found != 0;
}

/* a > b ? a : b and a < b ? a : b: b where one is no number. */
#ifdef __AVX__
static inline lanes
larger(lanes a, lanes b)
{
    return _mm256_max_ps(a, b);
}

static inline lanes
smaller(lanes a, lanes b)
{
    return _mm256_min_ps(a, b);
}
#else
static inline lanes
larger(lanes a, lanes b)
{
    return choose(a > b, a, b);
}

static inline lanes
smaller(lanes a, lanes b)
{
    return choose(a < b, a, b);
}
#endif

static inline lanes
magnitude(lanes v)
{
    return (lanes)((ints)v & 0x7fffffff);
}

/* engine_fit_round, as floats */
static inline lanes
round_to(lanes v, lanes lo, lanes hi)
{
    return smaller(larger(v, lo), hi) + 12582912.0f - 12582912.0f;
}

/* ---- x ~ scale * q ---- */

typedef struct {
    lanes xq, q1, q2; /* the sums of x q, q and q^2; the last two are exact */
} sums;

static inline sums
sum_up(const float *x, int n, lanes inverse, lanes offset, lanes lo, lanes hi)
{
    sums s = {{0}, {0}, {0}};

    for (int i = 0; i < n; i++) {
        const lanes v = load(x + i * ENGINE_FIT_LANES);
        const lanes q = round_to((v - offset) * inverse, lo, hi);
        s.xq += v * q;
        s.q1 += q;
        s.q2 += q * q;
    }
    return s;
}

typedef struct {
    lanes scale, min, gain;
} fit;

static inline fit
solve_scale(const float *x, int n, lanes inverse, lanes lo, lanes hi)
{
    const sums s = sum_up(x, n, inverse, all(0.0f), lo, hi);
    const ints given = s.q2 != 0.0f;
    const lanes none = all(0.0f);

    return (fit){choose(given, s.xq / s.q2, none), none, choose(given, s.xq * s.xq / s.q2, none)};
}

static inline void
keep(fit *best, const fit *f, ints better)
{
    best->scale = choose(better, f->scale, best->scale);
    best->min = choose(better, f->min, best->min);
    best->gain = choose(better, f->gain, best->gain);
}

/* The weight furthest from zero, the first one of equals. */
static inline lanes
find_extreme(const float *x, int n)
{
    lanes extreme = all(0.0f);

    for (int i = 0; i < n; i++) {
        const lanes v = load(x + i * ENGINE_FIT_LANES);
        extreme = choose(magnitude(v) > magnitude(extreme), v, extreme);
    }
    return extreme;
}

static inline lanes
fit_scale(const float *x, int n, int lo, int hi)
{
    const lanes extreme = find_extreme(x, n), low = all((float)lo), high = all((float)hi);
    const ints given = magnitude(extreme) >= 1e-30f;
    fit best = {all(0.0f), all(0.0f), all(0.0f)};
    /* the extreme weight at, short of or beyond either end of the range (then it is cut off). Few levels
     * gain from cutting off much. */
    const float first = hi < 4 ? -1.4f : -0.9f;
    for (int step = 0; step <= 20; step++) {
        const float at = first + 0.1f * (float)step * (hi < 4 ? 1.4f : 1.0f);
        for (int end = 0; end < 2; end++) {
            const float target = end ? (float)hi + at : (float)lo - at;
            const fit f = solve_scale(x, n, all(target) / extreme, low, high);
            keep(&best, &f, f.gain > best.gain);
        }
    }
    ints going = given;
    for (int round = 0; round < MAX_ROUNDS; round++) {
        going &= best.scale != 0.0f;
        if (!any(going)) break;
        const fit f = solve_scale(x, n, 1.0f / best.scale, low, high);
        going &= f.gain > best.gain;
        keep(&best, &f, going);
    }
    return choose(given, best.scale, all(0.0f));
}

static void
fit_scales(const float *x, int n, int lo, int hi, float *scale)
{
    for (int r = 0; r < ENGINE_FIT_LANES; r += FIT_WIDTH)
        store(scale + r, fit_scale(x + r, n, lo, hi));
}

/* ---- x ~ scale * q + min ---- */

static inline fit
solve_scale_min(const float *x, int n, lanes sum, lanes inverse, lanes offset, int hi,
                float max_min)
{
    const lanes number = all((float)n), most = all(max_min), none = all(0.0f);
    const sums s = sum_up(x, n, inverse, offset, none, all((float)hi));
    const lanes determinant = number * s.q2 - s.q1 * s.q1;
    const ints solved = determinant > 0.0f;
    fit f = {none, smaller(sum / number, most), none};

    lanes scale = (number * s.xq - s.q1 * sum) / determinant;
    lanes min = (sum - scale * s.q1) / number;
    const ints held = min > most;
    if (any(held)) {
        min = choose(held, most, min);
        scale = choose(held, (s.xq - most * s.q1) / s.q2, scale);
    }
    f.scale = choose(solved, scale, f.scale);
    f.min = choose(solved, min, f.min);
    /* with min held at its bound this is no least-squares solution: the whole formula */
    f.gain = 2.0f * (f.scale * s.xq + f.min * sum) - f.scale * f.scale * s.q2 -
             2.0f * f.scale * f.min * s.q1 - f.min * f.min * number;
    return f;
}

static inline fit
fit_scale_min(const float *x, int n, int hi, float max_min)
{
    lanes low = load(x), high = low, sum = all(0.0f);

    for (int i = 0; i < n; i++) {
        const lanes v = load(x + i * ENGINE_FIT_LANES);
        low = smaller(low, v);
        high = larger(high, v);
        sum += v;
    }
    low = smaller(low, all(max_min));
    const ints given = high - low > 1e-30f;
    if (!any(given)) return (fit){all(0.0f), low, all(0.0f)};
    fit best = {(high - low) / (float)hi, low, all(-INFINITY)};
    /* more or fewer levels than there are over the whole range; the first one is at the lowest weight or,
     * for the half of the few-level types' range that is cut off below, above it */
    for (int step = 0; step <= 20; step++) {
        const float levels = (float)hi + 1.0f - 0.1f * (float)step * (hi < 4 ? 1.2f : 1.0f);
        const lanes inverse = levels / (high - low);
        const fit f = solve_scale_min(x, n, sum, inverse, low, hi, max_min);
        keep(&best, &f, (f.gain > best.gain) & (f.scale > 0.0f));
        const float cut = (levels - (float)hi) * 0.5f;
        if (cut <= 0.0f) continue;
        const fit g = solve_scale_min(x, n, sum, inverse, low + cut / inverse, hi, max_min);
        keep(&best, &g, (g.gain > best.gain) & (g.scale > 0.0f));
    }
    ints going = given;
    for (int round = 0; round < MAX_ROUNDS; round++) {
        going &= best.scale > 0.0f;
        if (!any(going)) break;
        const fit f = solve_scale_min(x, n, sum, 1.0f / best.scale, best.min, hi, max_min);
        going &= (f.gain > best.gain) & (f.scale > 0.0f);
        keep(&best, &f, going);
    }
    best.scale = choose(given, best.scale, all(0.0f));
    best.min = choose(given, best.min, low);
    return best;
}

static void
fit_scales_mins(const float *x, int n, int hi, float max_min, float *scale, float *min)
{
    for (int r = 0; r < ENGINE_FIT_LANES; r += FIT_WIDTH) {
        const fit f = fit_scale_min(x + r, n, hi, max_min);
        store(scale + r, f.scale);
        store(min + r, f.min);
    }
}

/* ---- x ~ scale * levels[q] ---- */

/* A level is the first one and the steps to the next above every midpoint below the weight. */
static inline fit
solve_levels(const float *x, const float *levels, lanes inverse)
{
    lanes xl = all(0.0f), ll = all(0.0f);

    for (int i = 0; i < 32; i++) {
        const lanes v = load(x + i * ENGINE_FIT_LANES), scaled = v * inverse;
        lanes level = all(levels[0]);
        for (int m = 0; m < 15; m++) {
            const ints above = scaled > 0.5f * (levels[m] + levels[m + 1]);
            level += (lanes)(above & (ints)all(levels[m + 1] - levels[m]));
        }
        xl += v * level;
        ll += level * level;
    }
    const ints given = ll > 0.0f;
    const lanes none = all(0.0f);
    return (fit){choose(given, xl / ll, none), none, choose(given, xl * xl / ll, none)};
}

static inline lanes
fit_levels(const float *x, const float *levels)
{
    const lanes extreme = find_extreme(x, 32);
    const ints given = magnitude(extreme) > 1e-30f;
    fit best = {all(0.0f), all(0.0f), all(0.0f)};

    /* the extreme weight near either end of the table */
    for (int step = -9; step <= 12; step++) {
        for (int end = 0; end < 2; end++) {
            const float target =
                end ? levels[15] + 2.0f * (float)step : levels[0] - 2.0f * (float)step;
            const fit f = solve_levels(x, levels, all(target) / extreme);
            keep(&best, &f, f.gain > best.gain);
        }
    }
    ints going = given;
    for (int round = 0; round < 4; round++) {
        going &= best.scale != 0.0f;
        if (!any(going)) break;
        const fit f = solve_levels(x, levels, 1.0f / best.scale);
        going &= f.gain > best.gain;
        keep(&best, &f, going);
    }
    return choose(given, best.scale, all(0.0f));
}

static void
fit_all_levels(const float *x, const int8_t *table, float *scale)
{
    float levels[16];

    for (int i = 0; i < 16; i++)
        levels[i] = (float)table[i];
    for (int r = 0; r < ENGINE_FIT_LANES; r += FIT_WIDTH)
        store(scale + r, fit_levels(x + r, levels));
}

/* ---- the nearest integers ---- */

static inline lanes
invert(lanes scale)
{
    return choose(scale != 0.0f, 1.0f / scale, all(0.0f));
}

static void
find_errors(const float *x, int n, const float *scale, const float *min, int lo, int hi,
            float *error)
{
    for (int r = 0; r < ENGINE_FIT_LANES; r += FIT_WIDTH) {
        const lanes s = load(scale + r), m = min ? load(min + r) : all(0.0f), inverse = invert(s);
        lanes sum = all(0.0f);
        for (int i = 0; i < n; i++) {
            const lanes v = load(x + r + i * ENGINE_FIT_LANES);
            const lanes q = round_to((v - m) * inverse, all((float)lo), all((float)hi));
            const lanes d = v - (s * q + m);
            sum += d * d;
        }
        store(error + r, sum);
    }
}

static void
assign(const float *x, int n, const float *scale, const float *min, int lo, int hi, int32_t *q)
{
    for (int r = 0; r < ENGINE_FIT_LANES; r += FIT_WIDTH) {
        const lanes s = load(scale + r), m = min ? load(min + r) : all(0.0f), inverse = invert(s);
        for (int i = 0; i < n; i++) {
            const lanes v = load(x + r + i * ENGINE_FIT_LANES);
            const lanes near = round_to((v - m) * inverse, all((float)lo), all((float)hi));
            const ints whole = __builtin_convertvector(near, ints);
            memcpy(q + r + i * ENGINE_FIT_LANES, &whole, sizeof whole);
        }
    }
}

static void
assign_levels(const float *x, const int8_t *levels, const float *scale, int32_t *q)
{
    for (int r = 0; r < ENGINE_FIT_LANES; r += FIT_WIDTH) {
        const lanes inverse = invert(load(scale + r));
        for (int i = 0; i < 32; i++) {
            const lanes scaled = load(x + r + i * ENGINE_FIT_LANES) * inverse;
            ints index = {0};
            for (int m = 0; m < 15; m++) /* a comparison that holds gives -1 */
                index -= scaled > 0.5f * (float)(levels[m] + levels[m + 1]);
            memcpy(q + r + i * ENGINE_FIT_LANES, &index, sizeof index);
        }
    }
}

const engine_fit_kernels FIT_TABLE = {fit_scales,  fit_scales_mins, fit_all_levels,
                                      find_errors, assign,          assign_levels};
