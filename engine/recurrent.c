/* What a sequence's delta-rule layers remember: for each the inputs in the convolution's window and the state
 * matrix of every value head, float32.
 *
 *   [layer][kernel - 1][n_channels]  [layer][n_v][d_k d_v]; strips: backend.h
 *
 * With some layers on a device, once for those on the host and once, there, for those on the device.
 *
 * It cannot be cut back to an earlier token; whoever needs that keeps copies (checkpoints). */
#include "engine/recurrent.h"

#include <string.h>

static size_t
conv_floats(const engine_decoder *d)
{
    return (size_t)(d->delta.kernel - 1) * d->delta.n_channels;
}

static size_t
state_floats(const engine_decoder *d)
{
    return (size_t)d->delta.n_v * d->delta.d_k * d->delta.d_v;
}

/* The loader has bounded every size: 64 bits hold the product. */
size_t
engine_recurrent_bytes(const engine_model *model)
{
    const engine_decoder *d = model->arch;
    return d->n_delta == 0 ? 0 : d->n_delta * (conv_floats(d) + state_floats(d)) * sizeof(float);
}

static float *
zeroed(engine_backend *device, size_t n_bytes)
{
    return device ? device->ops->alloc(device, n_bytes) : g_try_malloc0(n_bytes);
}

engine_recurrent *
engine_recurrent_new(const engine_model *model, GError **error)
{
    return engine_recurrent_new_on(model, NULL, error);
}

engine_recurrent *
engine_recurrent_new_on(const engine_model *model, const engine_placement *placement,
                        GError **error)
{
    const engine_decoder *d = model->arch;
    const size_t n_bytes = engine_recurrent_bytes(model);

    if (n_bytes == 0) return NULL;
    engine_recurrent *state = g_new0(engine_recurrent, 1);
    state->decoder = d;
    state->device = placement ? placement->device : NULL;
    state->on_device = engine_placement_delta_layers(placement, d);
    state->place = g_new0(uint32_t, d->n_delta);
    for (uint32_t i = 0; i < d->n_delta; i++)
        state->place[i] =
            state->on_device && state->on_device[i] ? state->n_device++ : state->n_host++;
    state->n_bytes = state->n_host * (n_bytes / d->n_delta);
    state->n_device_bytes = n_bytes - state->n_bytes;
    if (state->n_bytes > 0) state->values = zeroed(NULL, state->n_bytes);
    if (state->n_device_bytes > 0)
        state->device_values = zeroed(state->device, state->n_device_bytes);
    if ((state->n_bytes > 0 && !state->values) ||
        (state->n_device_bytes > 0 && !state->device_values)) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_LIMIT,
                    "no memory for the recurrent state of %s (%zu bytes)", model->info.name,
                    n_bytes);
        engine_recurrent_free(state);
        return NULL;
    }
    return state;
}

void
engine_recurrent_free(engine_recurrent *state)
{
    if (!state) return;
    if (state->device_values) state->device->ops->release(state->device, state->device_values);
    g_free(state->values);
    g_free(state->on_device);
    g_free(state->place);
    g_free(state);
}

void
engine_recurrent_reset(engine_recurrent *state)
{
    if (state->n_bytes > 0) memset(state->values, 0, state->n_bytes);
    if (state->n_device_bytes > 0)
        state->device->ops->clear(state->device, state->device_values, state->n_device_bytes);
}

void
engine_recurrent_copy(engine_recurrent *dst, const engine_recurrent *src)
{
    g_assert(dst->n_bytes == src->n_bytes && dst->n_device_bytes == src->n_device_bytes);
    if (src->n_bytes > 0) memcpy(dst->values, src->values, src->n_bytes);
    if (src->n_device_bytes > 0)
        src->device->ops->copy(src->device, dst->device_values, src->device_values,
                               src->n_device_bytes);
}

void
engine_recurrent_read(const engine_recurrent *state, uint8_t *out)
{
    if (state->n_bytes > 0) memcpy(out, state->values, state->n_bytes);
    if (state->n_device_bytes > 0)
        state->device->ops->copy_out(state->device, out + state->n_bytes, state->device_values,
                                     state->n_device_bytes);
}

void
engine_recurrent_write(engine_recurrent *state, const uint8_t *in)
{
    if (state->n_bytes > 0) memcpy(state->values, in, state->n_bytes);
    if (state->n_device_bytes > 0)
        state->device->ops->copy_in(state->device, state->device_values, in + state->n_bytes,
                                    state->n_device_bytes);
}

/* The values of the side that the layer lies on. */
static float *
side_of(engine_recurrent *state, uint32_t layer, uint32_t *n_layers)
{
    const gboolean there = state->on_device && state->on_device[layer];
    *n_layers = there ? state->n_device : state->n_host;
    return there ? state->device_values : state->values;
}

float *
engine_recurrent_conv(engine_recurrent *state, uint32_t layer)
{
    uint32_t n_layers;
    float *values = side_of(state, layer, &n_layers);
    return values + state->place[layer] * conv_floats(state->decoder);
}

float *
engine_recurrent_state(engine_recurrent *state, uint32_t layer)
{
    const engine_decoder *d = state->decoder;
    uint32_t n_layers;
    float *values = side_of(state, layer, &n_layers);
    return values + n_layers * conv_floats(d) + state->place[layer] * state_floats(d);
}
