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

/* ---- copying ---- */

typedef struct {
    engine_backend *b;
    const engine_placement *placement;
    const engine_decoder *d;
    GError **error;
} loading;

static gboolean
put(const loading *l, const engine_tensor *t)
{
    return !t || l->b->ops->place(l->b, t, l->error);
}

static gboolean
put_vector(const loading *l, const float *vector, size_t n)
{
    return !vector || l->b->ops->place_vector(l->b, vector, n, l->error);
}

static gboolean
put_linears(const loading *l, const engine_linear *linears, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!put(l, linears[i].w) ||
            (linears[i].w && !put_vector(l, linears[i].bias, (size_t)linears[i].w->dims[1])))
            return FALSE;
    return TRUE;
}

static gboolean
put_dense(const loading *l, const engine_dense_ffn *f)
{
    return f->n_ff == 0 || (put_linears(l, &f->gate, 1) && put_linears(l, &f->up, 1) &&
                            put_linears(l, &f->down, 1));
}

static gboolean
put_mixer(const loading *l, const engine_decoder_layer *layer)
{
    const engine_attention_layer *a = &layer->attention;
    const engine_delta_layer *delta = &layer->delta;
    const engine_delta_shape *s = &l->d->delta;

    if (!layer->is_delta)
        return put_linears(l, a->in, a->n_in) && put_linears(l, &a->out, 1) &&
               put_vector(l, a->q_norm, l->d->head_dim) && put_vector(l, a->k_norm, l->d->head_dim);
    return put_linears(l, delta->in, delta->n_in) && put_linears(l, &delta->out, 1) &&
           put_vector(l, delta->conv, (size_t)s->kernel * s->n_channels) &&
           put_vector(l, delta->decay, s->n_v) && put_vector(l, delta->dt_bias, s->n_v) &&
           put_vector(l, delta->norm, s->d_v);
}

static gboolean
put_layer(const loading *l, const engine_decoder_layer *layer)
{
    const engine_moe_ffn *m = &layer->moe;

    if (!put_vector(l, layer->mixer_norm, l->d->n_embd) ||
        !put_vector(l, layer->ffn_norm, l->d->n_embd) || !put_mixer(l, layer))
        return FALSE;
    if (!layer->is_moe) return put_dense(l, &layer->dense);
    return put_linears(l, &m->logits, 1) && put_dense(l, &m->shared) &&
           put_linears(l, &m->shared_gate, 1) &&
           (!l->placement->experts || l->b->ops->place_experts(l->b, m, l->error));
}

static gboolean
put_end(const loading *l)
{
    const engine_decoder *d = l->d;

    if (!put_vector(l, d->output_norm, d->n_embd) || !put(l, d->output)) return FALSE;
    for (uint32_t i = 0; i < d->n_mtp; i++) {
        const engine_mtp *m = &d->mtp[i];
        if (!put_linears(l, &m->join, 1) || !put_vector(l, m->embd_norm, d->n_embd) ||
            !put_vector(l, m->hidden_norm, d->n_embd) ||
            !put_vector(l, m->output_norm, d->n_embd) || !put(l, m->output) ||
            !put_layer(l, &m->layer))
            return FALSE;
    }
    return TRUE;
}

gboolean
engine_placement_load(const engine_placement *placement, const engine_decoder *d, GError **error)
{
    const loading l = {placement->device, placement, d, error};
    const engine_rope *rope = &d->rope;
    const size_t n_coef = (size_t)rope->n_tables * rope->n_waves * rope->n_waves;

    if (!put_vector(&l, rope->cos_coef, n_coef) || !put_vector(&l, rope->sin_coef, n_coef))
        return FALSE;
    for (uint32_t i = 0; i < d->n_layers; i++)
        if (placement->layers[i] && !put_layer(&l, &d->layers[i])) return FALSE;
    return !placement->output || put_end(&l);
}
