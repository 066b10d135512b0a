/* The inside of engine_batch for score.c and generate.c. */
#ifndef LODE_ENGINE_BATCH_H
#define LODE_ENGINE_BATCH_H

#include "engine/runtime.h"

G_BEGIN_DECLS

engine_runtime *engine_batch_get_runtime(engine_batch *batch);
uint32_t engine_batch_get_n_sequences(const engine_batch *batch);

/* What became of one request; valid while it is there. */
typedef struct {
    uint32_t n_reused;              /* tokens of the prompt that were known when it first began */
    uint32_t n_drafted, n_accepted; /* tokens guessed ahead; those that turned out right */
} engine_request_stats;
engine_request_stats engine_batch_get_request_stats(const engine_batch *batch, uint32_t request);

G_END_DECLS
#endif
