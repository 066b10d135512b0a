/* Which parts of a decoder run on a device and which on the host. Without a device there is no placement at all.
 *
 * A pass goes through the layers in order; where the next layer lies on the other side, the residual stream is copied
 * over. A layer's keys, values and recurrent state lie where the layer does. Routed experts may stay on the host while
 * the rest of their layer is on the device. The embedding table is the host's unless it is the output matrix too. */
#ifndef LODE_ENGINE_PLACEMENT_H
#define LODE_ENGINE_PLACEMENT_H

#include "engine/backend.h"

G_BEGIN_DECLS

typedef struct engine_placement {
    engine_backend *device; /* borrowed, not NULL */
    gboolean *layers;       /* [n_layers] on the device */
    gboolean experts;       /* their routed experts too */
    gboolean output;        /* output norm and matrix, and the draft heads */
} engine_placement;

/* The same facts by place in the cache [n_attention, and one for draft heads] and in the recurrent state [n_delta].
 * Free with g_free; NULL placement: NULL. */
gboolean *engine_placement_kv_layers(const engine_placement *placement, const engine_decoder *d);
gboolean *engine_placement_delta_layers(const engine_placement *placement, const engine_decoder *d);

G_END_DECLS
#endif
