/* Choosing the next token from logits. */
#ifndef LODE_ENGINE_SAMPLE_H
#define LODE_ENGINE_SAMPLE_H

#include "engine/engine.h"

G_BEGIN_DECLS

typedef struct {
    double weight; /* e^((logit - max) / temperature) */
    int32_t id;
} engine_candidate;

typedef struct {
    size_t n_vocab;
    engine_candidate *candidates; /* [n_vocab] */
    uint64_t rng[4];
} engine_sampler;

/* FALSE when memory is short; clear in either case. */
gboolean engine_sampler_init(engine_sampler *sampler, size_t n_vocab);
void engine_sampler_clear(engine_sampler *sampler);

void engine_sampler_seed(engine_sampler *sampler, uint64_t seed);

/* One token from logits [n_vocab], which are changed by the repeat penalty: recent [n_recent] are the tokens it
 * applies to, once each. Temperature 0 takes the largest logit, the lowest id among equals. */
int32_t engine_sampler_next(engine_sampler *sampler, float *logits,
                            const engine_generate_options *options, const int32_t *recent,
                            size_t n_recent);

G_END_DECLS
#endif
