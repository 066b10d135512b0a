/* What a sequence's delta-rule layers remember: for each the inputs in the convolution's window and the state
 * matrix of every value head, float32.
 *
 *   [layer][kernel - 1][n_channels]  [layer][n_v][d_k d_v]; strips: backend.h
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

engine_recurrent *
engine_recurrent_new(const engine_model *model, GError **error)
{
    const engine_decoder *d = model->arch;
    const size_t n_bytes = engine_recurrent_bytes(model);

    if (n_bytes == 0) return NULL;
    engine_recurrent *state = g_new0(engine_recurrent, 1);
    state->decoder = d;
    state->n_bytes = n_bytes;
    state->values = g_try_malloc0(n_bytes);
    if (!state->values) {
        g_free(state);
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_LIMIT,
                    "no memory for the recurrent state of %s (%zu bytes)", model->info.name,
                    n_bytes);
        return NULL;
    }
    return state;
}

void
engine_recurrent_free(engine_recurrent *state)
{
    if (!state) return;
    g_free(state->values);
    g_free(state);
}

void
engine_recurrent_reset(engine_recurrent *state)
{
    memset(state->values, 0, state->n_bytes);
}

void
engine_recurrent_copy(engine_recurrent *dst, const engine_recurrent *src)
{
    g_assert(dst->n_bytes == src->n_bytes);
    memcpy(dst->values, src->values, src->n_bytes);
}

void
engine_recurrent_read(const engine_recurrent *state, uint8_t *out)
{
    memcpy(out, state->values, state->n_bytes);
}

void
engine_recurrent_write(engine_recurrent *state, const uint8_t *in)
{
    memcpy(state->values, in, state->n_bytes);
}

float *
engine_recurrent_conv(engine_recurrent *state, uint32_t layer)
{
    return state->values + layer * conv_floats(state->decoder);
}

float *
engine_recurrent_state(engine_recurrent *state, uint32_t layer)
{
    const engine_decoder *d = state->decoder;
    return state->values + d->n_delta * conv_floats(d) + layer * state_floats(d);
}
