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
    uint32_t n_layers;      /* of layers */
    uint64_t n_bytes;       /* that all of it takes there, as it was counted beforehand */
} engine_placement;

/* What will run. */
typedef struct {
    uint32_t max_rows, n_pages, n_states;
    size_t kv_page_bytes;
    int n_layers; /* asked for; -1: as many as fit */
} engine_placement_use;

/* The best that fits into `left` bytes, without its device; else LIMIT with what would be needed. */
engine_placement *engine_placement_choose(const engine_model *model,
                                          const engine_placement_use *use, uint64_t left,
                                          GError **error);
void engine_placement_free(engine_placement *placement); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(engine_placement, engine_placement_free)
/* One line for people; free with g_free. */
char *engine_placement_describe(const engine_placement *placement, const engine_model *model);

/* The same facts by place in the cache [n_attention, and one for draft heads] and in the recurrent state [n_delta].
 * Free with g_free; NULL placement: NULL. */
gboolean *engine_placement_kv_layers(const engine_placement *placement, const engine_decoder *d);
gboolean *engine_placement_delta_layers(const engine_placement *placement, const engine_decoder *d);

/* Copy what the placement puts on the device. LIMIT when there is no room. */
gboolean engine_placement_load(const engine_placement *placement, const engine_decoder *d,
                               GError **error);

G_END_DECLS
#endif
