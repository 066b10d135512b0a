/* Sampling: repeat penalty, temperature, top-k, top-p.
 *
 * The generator is xoshiro256**, seeded by splitmix64 (Blackman and Vigna, 2018: "Scrambled linear
 * pseudorandom number generators"). A seed gives the same choices on every machine that computes the same
 * logits. */
#include "engine/sample.h"

#include <math.h>

gboolean
engine_sampler_init(engine_sampler *sampler, size_t n_vocab)
{
    *sampler = (engine_sampler){.n_vocab = n_vocab};
    sampler->candidates = g_try_malloc_n(n_vocab, sizeof *sampler->candidates);
    engine_sampler_seed(sampler, 0);
    return sampler->candidates != NULL;
}

void
engine_sampler_clear(engine_sampler *sampler)
{
    g_clear_pointer(&sampler->candidates, g_free);
}

void
engine_sampler_seed(engine_sampler *sampler, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        seed += 0x9e3779b97f4a7c15u;
        uint64_t z = seed;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        sampler->rng[i] = z ^ z >> 31;
    }
}

static uint64_t
rotate_left(uint64_t x, int k)
{
    return x << k | x >> (64 - k);
}

/* Uniform in [0, 1), 53 bits. */
static double
next_uniform(uint64_t s[4])
{
    const uint64_t result = rotate_left(s[1] * 5, 7) * 9, t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return (double)(result >> 11) * 0x1p-53;
}

static void
penalise(float *logits, size_t n_vocab, const int32_t *recent, size_t n_recent, float penalty)
{
    for (size_t i = 0; i < n_recent; i++) {
        gboolean seen = recent[i] < 0 || (size_t)recent[i] >= n_vocab;
        for (size_t j = 0; j < i && !seen; j++)
            seen = recent[j] == recent[i];
        if (seen) continue;
        float *logit = &logits[recent[i]];
        *logit = *logit > 0.0f ? *logit / penalty : *logit * penalty;
    }
}

static int32_t
largest(const float *logits, size_t n)
{
    size_t best = 0;

    /* a NaN loses every comparison, except in first place: step off it */
    for (size_t i = 1; i < n; i++)
        if (logits[i] > logits[best] || (isnan(logits[best]) && !isnan(logits[i]))) best = i;
    return (int32_t)best;
}

/* TRUE when a comes before b: heavier, then lower id. */
static gboolean
before(const engine_candidate *a, const engine_candidate *b)
{
    return a->weight > b->weight || (a->weight == b->weight && a->id < b->id);
}

static void
sift_down(engine_candidate *heap, size_t n, size_t i)
{
    const engine_candidate moving = heap[i];

    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && before(&heap[child + 1], &heap[child])) child++;
        if (!before(&heap[child], &moving)) break;
        heap[i] = heap[child];
    }
    heap[i] = moving;
}

/* Move the heaviest candidates to the array's end, heaviest last, until `k` of them or `mass` of weight are
 * there. Returns how many. */
static size_t
select_heaviest(engine_candidate *c, size_t n, size_t k, double mass)
{
    size_t taken = 0;
    double sum = 0.0;

    for (size_t i = n / 2; i-- > 0;)
        sift_down(c, n, i);
    while (taken < k && taken < n && (taken == 0 || sum < mass)) {
        const engine_candidate top = c[0];
        const size_t last = n - 1 - taken;
        c[0] = c[last];
        c[last] = top;
        if (last > 0) sift_down(c, last, 0);
        sum += top.weight;
        taken++;
    }
    return taken;
}

int32_t
engine_sampler_next(engine_sampler *sampler, float *logits, const engine_generate_options *options,
                    const int32_t *recent, size_t n_recent)
{
    const size_t n = sampler->n_vocab;
    engine_candidate *c = sampler->candidates;
    double total = 0.0;

    if (options->repeat_penalty > 0.0f && options->repeat_penalty != 1.0f)
        penalise(logits, n, recent, n_recent, options->repeat_penalty);
    const int32_t best = largest(logits, n);
    if (!(options->temperature > 0.0f) || !isfinite(logits[best])) return best;
    for (size_t i = 0; i < n; i++) {
        const double weight =
            exp(((double)logits[i] - (double)logits[best]) / (double)options->temperature);
        c[i] = (engine_candidate){isnan(weight) ? 0.0 : weight, (int32_t)i};
        total += c[i].weight;
    }
    size_t kept = n;
    const size_t k = options->top_k > 0 ? MIN(options->top_k, n) : n;
    const double top_p = options->top_p > 0.0f ? MIN((double)options->top_p, 1.0) : 1.0;
    if (k < n) {
        kept = select_heaviest(c, n, k, INFINITY);
        total = 0.0;
        for (size_t i = 0; i < kept; i++)
            total += c[n - 1 - i].weight;
    }
    if (top_p < 1.0) {
        /* after top-k the kept ones are in order already: count; else pull them from the heap */
        double sum = 0.0;
        size_t nucleus = 0;
        if (k == n) kept = select_heaviest(c, n, n, top_p * total);
        while (nucleus < kept && (nucleus == 0 || sum < top_p * total))
            sum += c[n - 1 - nucleus++].weight;
        kept = nucleus;
        total = sum;
    }
    double left = next_uniform(sampler->rng) * total;
    for (size_t i = 0; i < kept; i++) {
        const engine_candidate *candidate = &c[n - 1 - i];
        left -= candidate->weight;
        if (left < 0.0) return candidate->id;
    }
    return best; /* rounding left a crumb */
}
