/* A dense model turned, in memory, into a mixture of experts that computes the same: this is how the expert path
 * meets real weights on small machines. */
#ifndef LODE_TESTS_MOE_TWIN_H
#define LODE_TESTS_MOE_TWIN_H

#include "engine/decoder_arch.h"

typedef enum {
    MOE_TWIN_CUT,   /* the hidden units dealt out to the experts, all of which are chosen */
    MOE_TWIN_COPIES /* every expert the whole, two of them chosen */
} moe_twin_kind;

/* Changes every layer of a decoder whose feed-forward layers are dense. Before any session is made. What the
 * experts are made of belongs to the model. */
void moe_twin(engine_model *model, moe_twin_kind kind, uint32_t n_experts);

#endif
