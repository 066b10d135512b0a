/* Drawing one of many logits: temperature, top-k, top-p, min-p. Private to sample.c and sample_pick.c. */
#ifndef LODE_ENGINE_SAMPLE_PICK_H
#define LODE_ENGINE_SAMPLE_PICK_H

#include <glib.h>
#include <stdint.h>

G_BEGIN_DECLS

typedef struct {
    float weight; /* e^((logit - max) / temperature) */
    uint32_t index;
} sample_candidate;

/* Caller's scratch for n logits. */
typedef struct {
    float *weights;               /* [n] */
    sample_candidate *candidates; /* [n] */
} sample_scratch;

typedef struct {
    float temperature, top_p, min_p, typical_p;
    uint32_t top_k;
} sample_options;

/* The index of the largest of logits [n], the lowest among equals; n when all are -infinity or NaN. */
size_t sample_largest(const float *logits, size_t n);

/* e^x for x <= 0, within 2 units in the last place, and 0 below -87; the same bits on every machine. */
void sample_exp(const float *x, float *out, size_t n);

/* out[i] = e^((logits[i] - max) / temperature); returns their sum, in double and in a fixed order. */
double sample_weights(const float *logits, size_t n, float max, float temperature, float *out);

/* An index into logits [n]; uniform in [0, 1) decides. n when there is nothing to choose from. */
size_t sample_pick(const float *logits, size_t n, const sample_options *options, double uniform,
                   sample_scratch *scratch);

/* The k largest of logits [n], best first, of equals the lower index, into scratch->candidates; their weights are
 * for temperature 1. Returns how many: fewer than k where fewer are above -infinity. */
size_t sample_top(const float *logits, size_t n, size_t k, sample_scratch *scratch);

G_END_DECLS
#endif
