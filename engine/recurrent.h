/* The inside of engine_recurrent; its public functions are in decoder.h. */
#ifndef LODE_ENGINE_RECURRENT_H
#define LODE_ENGINE_RECURRENT_H

#include "engine/decoder_arch.h"

G_BEGIN_DECLS

struct engine_recurrent {
    const engine_decoder *decoder;
    float *values; /* owned */
    size_t n_bytes;
};

/* Of the delta layer `layer` (engine_delta_layer.state_layer): [kernel - 1, n_channels], [n_v, d_k d_v]. */
float *engine_recurrent_conv(engine_recurrent *state, uint32_t layer);
float *engine_recurrent_state(engine_recurrent *state, uint32_t layer);

G_END_DECLS
#endif
