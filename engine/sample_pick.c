/* Drawing one of many logits.
 *
 * A vocabulary has 150,000 entries of which a handful matter, so nothing here sorts it. One pass makes the weights
 * e^((logit - max) / T), a second counts them into bins by distance from the maximum; the bins say how far down the
 * k-th entry or the p-th part of the mass lies, and only what is above that is collected and ordered. */
#include "engine/sample_pick.h"

#include <math.h>
#include <string.h>

enum { LANES = 8, BINS = 1024 };
#define COLDEST 1e-6f /* below it only the largest logit has a weight at all */

size_t
sample_largest(const float *logits, size_t n)
{
    float best = -INFINITY;

    for (size_t i = 0; i < n; i++) /* a NaN loses every comparison */
        best = logits[i] > best ? logits[i] : best;
    if (best > -INFINITY)
        for (size_t i = 0; i < n; i++)
            if (logits[i] == best) return i;
    return n;
}

/* 2^(x log2 e): the whole part goes into the exponent's bits, the rest, in [-ln 2 / 2, ln 2 / 2], through Taylor's
 * polynomial of degree 7. No library function and no fused multiply, hence the same bits everywhere. */
static inline float
exp_of(float x)
{
    const float rounder = 12582912.0f; /* 1.5 * 2^23: adding it rounds to a whole number */
    const float held = x > -87.0f ? x : -87.0f;
    const float shifted = held * 1.44269504f + rounder;
    const float whole = shifted - rounder;
    const float r = (held - whole * 0.693145752f) - whole * 1.42860677e-6f;
    float p = 1.0f / 5040.0f;
    p = p * r + 1.0f / 720.0f;
    p = p * r + 1.0f / 120.0f;
    p = p * r + 1.0f / 24.0f;
    p = p * r + 1.0f / 6.0f;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    union {
        uint32_t bits;
        float value;
    } scale = {.value = shifted};
    scale.bits = (scale.bits - 0x4b400000u + 127u) << 23;
    return x > -87.0f ? p * scale.value : 0.0f; /* a NaN weighs nothing */
}

void
sample_exp(const float *x, float *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = exp_of(x[i]);
}

double
sample_weights(const float *logits, size_t n, float max, float temperature, float *out)
{
    const float inverse = 1.0f / temperature;
    double sums[LANES] = {0};
    double total = 0.0;

    for (size_t i = 0; i < n; i++)
        out[i] = exp_of((logits[i] - max) * inverse);
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (size_t lane = 0; lane < LANES; lane++)
            sums[lane] += (double)out[i + lane];
    for (; i < n; i++)
        sums[i % LANES] += (double)out[i];
    for (size_t lane = 0; lane < LANES; lane++)
        total += sums[lane];
    return total;
}

/* TRUE when a comes before b: heavier, then lower index. */
static gboolean
before(const sample_candidate *a, const sample_candidate *b)
{
    return a->weight > b->weight || (a->weight == b->weight && a->index < b->index);
}

static void
sift_down(sample_candidate *heap, size_t n, size_t i)
{
    const sample_candidate moving = heap[i];

    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && before(&heap[child + 1], &heap[child])) child++;
        if (!before(&heap[child], &moving)) break;
        heap[i] = heap[child];
    }
    heap[i] = moving;
}

/* Order c [n] so that the first ones, heaviest first, are the heaviest: k of them, or as many as bring `mass`
 * together. Returns how many. */
static size_t
select_heaviest(sample_candidate *c, size_t n, size_t k, double mass)
{
    size_t taken = 0;
    double sum = 0.0;

    for (size_t i = n / 2; i-- > 0;)
        sift_down(c, n, i);
    while (taken < k && taken < n && (taken == 0 || sum < mass)) {
        const sample_candidate top = c[0];
        const size_t last = n - 1 - taken;
        c[0] = c[last];
        c[last] = top;
        if (last > 0) sift_down(c, last, 0);
        sum += (double)top.weight;
        taken++;
    }
    for (size_t i = 0; i < taken; i++) { /* they stand at the end, heaviest last */
        const size_t mirror = n - 1 - i;
        if (mirror <= i) break;
        const sample_candidate swap = c[i];
        c[i] = c[mirror];
        c[mirror] = swap;
    }
    return taken;
}

/* Where a logit falls: bins of 1/16 below the maximum. -infinity and NaN fall nowhere: BINS. */
static inline size_t
bin_of(float logit, float max, float inverse)
{
    const float distance = (max - logit) * inverse * 16.0f;
    if (!(distance < INFINITY)) return BINS;
    return distance < (float)(BINS - 1) ? (size_t)distance : BINS - 1;
}

/* Into candidates those of the best bins that hold k entries and `mass` of the weights, unordered. */
static size_t
collect(const float *logits, const float *weights, size_t n, float max, float inverse, size_t k,
        double mass, sample_candidate *candidates)
{
    uint32_t count[BINS + 1] = {0};
    double weight[BINS + 1] = {0};
    size_t last = 0, n_above = 0, n_kept = 0;
    double above = 0.0;

    for (size_t i = 0; i < n; i++) {
        const size_t bin = bin_of(logits[i], max, inverse);
        count[bin]++;
        weight[bin] += (double)weights[i];
    }
    /* the sums of the bins may round otherwise than those of the ordered entries: take a little more */
    for (; last < BINS - 1; last++) {
        n_above += count[last];
        above += weight[last];
        if (n_above >= k || above >= mass * (1.0 + 1e-9)) break;
    }
    for (size_t i = 0; i < n; i++)
        if (bin_of(logits[i], max, inverse) <= last)
            candidates[n_kept++] = (sample_candidate){weights[i], (uint32_t)i};
    return n_kept;
}

static size_t
pick_kept(const sample_candidate *c, size_t n, double total, double uniform)
{
    double left = uniform * total;

    for (size_t i = 0; i < n; i++) {
        left -= (double)c[i].weight;
        if (left < 0.0) return c[i].index;
    }
    return c[0].index; /* rounding left a crumb */
}

static size_t
pick_all(const float *weights, size_t n, size_t best, double total, double uniform)
{
    double left = uniform * total;

    for (size_t i = 0; i < n; i++) {
        left -= (double)weights[i];
        if (left < 0.0) return i;
    }
    return best;
}

/* The nucleus of the ordered candidates c [n]; *total is their weight, in and out. */
static size_t
cut_nucleus(const sample_candidate *c, size_t n, double top_p, double *total)
{
    size_t kept = 0;
    double sum = 0.0;

    while (kept < n && (kept == 0 || sum < top_p * *total))
        sum += (double)c[kept++].weight;
    *total = sum;
    return kept;
}

/* ---- typical ---- */

/* A heap of candidates, the most typical on top: by how far ln of the weight is from the mean, then by index. */
typedef struct {
    sample_candidate *c;
    const float *logits;
    float max, inverse;
    double mean;
} typical_heap;

static double
surprise(const typical_heap *h, sample_candidate c)
{
    return (double)((h->logits[c.index] - h->max) * h->inverse);
}

static gboolean
is_before(const typical_heap *h, sample_candidate a, sample_candidate b)
{
    const double x = fabs(surprise(h, a) - h->mean), y = fabs(surprise(h, b) - h->mean);
    return x < y || (x == y && a.index < b.index);
}

static void
sift_typical(const typical_heap *h, size_t at, size_t n)
{
    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && is_before(h, h->c[child + 1], h->c[child])) child++;
        if (!is_before(h, h->c[child], h->c[at])) return;
        const sample_candidate swap = h->c[at];
        h->c[at] = h->c[child];
        h->c[child] = swap;
    }
}

/* The most typical of h->c [n], behind each other from the array's end backwards; *total is their weight, in and out.
 * ln of a probability and ln of the weight differ by one number, which the mean has as well. */
static size_t
cut_typical(typical_heap *h, size_t n, double typical_p, double *total)
{
    double sum = 0.0;
    size_t left = n;

    h->mean = 0.0;
    for (size_t i = 0; i < n; i++)
        h->mean += (double)h->c[i].weight * surprise(h, h->c[i]);
    h->mean /= *total;
    for (size_t i = n / 2; i-- > 0;)
        sift_typical(h, i, n);
    while (left > 0 && (left == n || sum < typical_p * *total)) {
        const sample_candidate next = h->c[0];
        sum += (double)next.weight;
        h->c[0] = h->c[--left];
        h->c[left] = next;
        sift_typical(h, 0, left);
    }
    *total = sum;
    return n - left;
}

size_t
sample_pick(const float *logits, size_t n, const sample_options *options, double uniform,
            sample_scratch *scratch)
{
    const size_t best = sample_largest(logits, n);
    sample_candidate *c = scratch->candidates;
    float *w = scratch->weights;

    if (best == n || !(options->temperature >= COLDEST) || !isfinite(logits[best])) return best;
    const size_t k = options->top_k > 0 && options->top_k < n ? options->top_k : n;
    const double top_p =
        options->top_p > 0.0f && options->top_p < 1.0f ? (double)options->top_p : 1.0;
    const float max = logits[best], inverse = 1.0f / options->temperature;
    const gboolean typical = options->typical_p > 0.0f && options->typical_p < 1.0f;
    double total = k < n ? 0.0 : sample_weights(logits, n, max, options->temperature, w);
    size_t kept;

    if (k < n) { /* ordered by the logits: only the k chosen need a weight */
        kept = collect(logits, logits, n, max, inverse, k, INFINITY, c);
        kept = select_heaviest(c, kept, k, INFINITY);
        for (size_t i = 0; i < kept; i++) {
            const float x = (c[i].weight - max) * inverse;
            sample_exp(&x, &c[i].weight, 1);
            total += (double)c[i].weight;
        }
        if (top_p < 1.0) kept = cut_nucleus(c, kept, top_p, &total);
    } else if (top_p < 1.0) {
        kept = collect(logits, w, n, max, inverse, n, top_p * total, c);
        kept = select_heaviest(c, kept, kept, top_p * total);
        total = 0.0;
        for (size_t i = 0; i < kept; i++)
            total += (double)c[i].weight;
    } else if (options->min_p > 0.0f || typical) {
        kept = 0;
        total = 0.0;
        for (size_t i = 0; i < n; i++) {
            if (!(w[i] > 0.0f && w[i] >= options->min_p)) continue;
            c[kept++] = (sample_candidate){w[i], (uint32_t)i};
            total += (double)w[i];
        }
        if (kept == 0) return best; /* min_p above 1 */
        if (!typical) return pick_kept(c, kept, total, uniform);
    } else {
        return pick_all(w, n, best, total, uniform);
    }
    while (kept > 1 && c[kept - 1].weight < options->min_p)
        total -= (double)c[--kept].weight;
    if (!typical) return pick_kept(c, kept, total, uniform);
    typical_heap heap = {c, logits, max, inverse, 0.0};
    const size_t chosen = cut_typical(&heap, kept, (double)options->typical_p, &total);
    return pick_kept(c + kept - chosen, chosen, total, uniform);
}

size_t
sample_top(const float *logits, size_t n, size_t k, sample_scratch *scratch)
{
    const size_t best = sample_largest(logits, n);
    if (best == n || k == 0) return 0;
    /* ordered by the logits themselves: e^x would make equals of those far down */
    const size_t kept =
        collect(logits, logits, n, logits[best], 1.0f, MIN(k, n), INFINITY, scratch->candidates);
    const size_t taken = select_heaviest(scratch->candidates, kept, k, INFINITY);
    for (size_t i = 0; i < taken; i++) {
        const float x = scratch->candidates[i].weight - logits[best];
        sample_exp(&x, &scratch->candidates[i].weight, 1);
    }
    return taken;
}
