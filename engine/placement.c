/* Where a decoder's parts run; see placement.h. */
#include "engine/placement.h"

gboolean *
engine_placement_kv_layers(const engine_placement *placement, const engine_decoder *d)
{
    if (!placement) return NULL;
    gboolean *out = g_new0(gboolean, d->n_attention + 1);
    for (uint32_t i = 0; i < d->n_layers; i++)
        if (!d->layers[i].is_delta) out[d->layers[i].attention.kv_layer] = placement->layers[i];
    out[d->n_attention] = placement->output;
    return out;
}

gboolean *
engine_placement_delta_layers(const engine_placement *placement, const engine_decoder *d)
{
    if (!placement) return NULL;
    gboolean *out = g_new0(gboolean, MAX(d->n_delta, 1));
    for (uint32_t i = 0; i < d->n_layers; i++)
        if (d->layers[i].is_delta) out[d->layers[i].delta.state_layer] = placement->layers[i];
    return out;
}
