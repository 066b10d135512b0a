/* The inside of engine_recurrent; its public functions are in decoder.h. */
#ifndef LODE_ENGINE_RECURRENT_H
#define LODE_ENGINE_RECURRENT_H

#include "engine/placement.h"

G_BEGIN_DECLS

struct engine_recurrent {
    const engine_decoder *decoder;
    engine_backend *device;         /* borrowed; NULL: none */
    gboolean *on_device;            /* [n_delta] owned; NULL: none is */
    uint32_t *place;                /* [n_delta] which of the layers on its side it is */
    uint32_t n_host, n_device;      /* layers */
    float *values, *device_values;  /* owned, NULL: no layers there */
    size_t n_bytes, n_device_bytes; /* of values and device_values */
};

/* In the memory of the side that it lies on. Of the delta layer `layer` (engine_delta_layer.state_layer): [kernel - 1, n_channels], [n_v, d_k d_v]. */
float *engine_recurrent_conv(engine_recurrent *state, uint32_t layer);
float *engine_recurrent_state(engine_recurrent *state, uint32_t layer);

G_END_DECLS
#endif
