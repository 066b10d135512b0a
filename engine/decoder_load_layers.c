/* A decoder's layers: attention, delta rule, dense feed-forward, draft heads. Experts: decoder_load_experts.c. */
#include "engine/decoder_names.h"

#include <math.h>
#include <string.h>

/* ---- attention ---- */

/* Group by group: the group's queries, its key, its value. */
static gboolean
load_fused_attention(engine_loader *l, const char *prefix, engine_attention_layer *out)
{
    engine_decoder *d = l->d;
    const uint32_t hd = d->head_dim, group = d->n_heads / d->n_kv_heads;

    d->heads = (engine_head_layout){.width = (group + 2) * hd * d->n_kv_heads,
                                    .q_group = (group + 2) * hd,
                                    .q_head = hd,
                                    .k = group * hd,
                                    .k_head = (group + 2) * hd,
                                    .v = (group + 1) * hd,
                                    .v_head = (group + 2) * hd};
    out->n_in = 1;
    return engine_load_linear(l, prefix, l->names->qkv, d->n_embd, d->heads.width, 0, &out->in[0]);
}

static gboolean
load_separate_attention(engine_loader *l, const char *prefix, engine_attention_layer *out)
{
    engine_decoder *d = l->d;
    const uint32_t hd = d->head_dim, nq = d->n_heads * hd, nkv = d->n_kv_heads * hd;
    /* GGUF may stack queries, keys and values in one matrix */
    const engine_tensor *stacked = engine_load_lookup(l, prefix, l->names->qkv);
    const engine_tensor *q = stacked ? stacked : engine_load_lookup(l, prefix, l->names->q);
    const uint64_t beside = stacked ? 2 * (uint64_t)nkv : 0;
    /* the gate of a head lies behind its query; every attention layer of a model has one or none */
    const gboolean gated =
        (l->family->flags & FAMILY_DELTA) && q &&
        (d->heads.width ? d->heads.gate > 0 : q->dims[1] == 2 * (uint64_t)nq + beside);
    const uint32_t per_head = gated ? 2 * hd : hd, n_out = per_head * d->n_heads;

    d->heads = (engine_head_layout){.width = n_out + 2 * nkv,
                                    .q_group = d->n_heads / d->n_kv_heads * per_head,
                                    .q_head = per_head,
                                    .k = n_out,
                                    .k_head = hd,
                                    .v = n_out + nkv,
                                    .v_head = hd,
                                    .gate = gated ? hd : 0};
    out->n_in = stacked ? 1 : 3;
    if (stacked)
        return engine_load_linear(l, prefix, l->names->qkv, d->n_embd, d->heads.width, 0,
                                  &out->in[0]);
    return engine_load_linear(l, prefix, l->names->q, d->n_embd, n_out, 0, &out->in[0]) &&
           engine_load_linear(l, prefix, l->names->k, d->n_embd, nkv, d->heads.k, &out->in[1]) &&
           engine_load_linear(l, prefix, l->names->v, d->n_embd, nkv, d->heads.v, &out->in[2]);
}

gboolean
engine_load_attention(engine_loader *l, const char *prefix, engine_attention_layer *out)
{
    const engine_decoder *d = l->d;
    const gboolean fused = !l->gguf && (l->family->flags & FAMILY_FUSED_QKV);

    if (!(fused ? load_fused_attention : load_separate_attention)(l, prefix, out) ||
        !engine_load_linear(l, prefix, l->names->o, d->n_heads * d->head_dim, d->n_embd, 0,
                            &out->out))
        return FALSE;
    if (!(l->family->flags & FAMILY_QK_NORM)) return TRUE;
    out->q_norm = engine_load_norm(l, prefix, l->names->q_norm, d->head_dim);
    if (!out->q_norm) return FALSE;
    out->k_norm = engine_load_norm(l, prefix, l->names->k_norm, d->head_dim);
    return out->k_norm != NULL;
}

/* ---- delta rule ---- */

gboolean
engine_load_delta_shape(engine_loader *l)
{
    engine_delta_shape *s = &l->d->delta;
    uint32_t inner;

    if (!(l->family->flags & FAMILY_DELTA)) return TRUE;
    if (!engine_load_size(l, "ssm.group_count", "linear_num_key_heads", 1, 4096, &s->n_k) ||
        !engine_load_size(l, "ssm.time_step_rank", "linear_num_value_heads", 1, 4096, &s->n_v) ||
        !engine_load_size(l, "ssm.state_size", "linear_key_head_dim", 1, 1024, &s->d_k) ||
        !engine_load_size(l, "ssm.conv_kernel", "linear_conv_kernel_dim", 2, 16, &s->kernel))
        return FALSE;
    if (l->gguf) {
        if (!engine_load_size(l, "ssm.inner_size", NULL, 1, 1u << 22, &inner)) return FALSE;
        s->d_v = inner / s->n_v;
        if (s->d_v < 1 || s->d_v > 1024 || inner % s->n_v != 0)
            return engine_load_fail(l, ENGINE_ERROR_FORMAT,
                                    "ssm.inner_size is no multiple of the value heads");
    } else if (!engine_load_size(l, NULL, "linear_value_head_dim", 1, 1024, &s->d_v)) {
        return FALSE;
    }
    if (s->n_v % s->n_k != 0)
        return engine_load_fail(l, ENGINE_ERROR_FORMAT,
                                "value heads are no multiple of the key heads");
    s->n_channels = 2 * s->n_k * s->d_k + s->n_v * s->d_v;
    s->tiled = l->gguf && (l->family->flags & FAMILY_GGUF_TILED) != 0;
    return TRUE;
}

/* Channels, gates: queries | keys | values | z | beta | alpha, or what is stored together, by key head. */
static void
lay_out_delta(engine_delta_shape *s, gboolean qkvz, gboolean ba)
{
    const uint32_t ratio = s->n_v / s->n_k, keys = s->n_k * s->d_k, values = s->n_v * s->d_v;
    const uint32_t stride = 2 * s->d_k + 2 * ratio * s->d_v, tail = 2 * keys + 2 * values;

    s->width = tail + 2 * s->n_v;
    s->q = 0;
    s->q_head = s->k_head = qkvz ? stride : s->d_k;
    s->k = qkvz ? s->d_k : keys;
    s->v = qkvz ? 2 * s->d_k : 2 * keys;
    s->v_group = s->z_group = qkvz ? stride : ratio * s->d_v;
    s->v_head = s->z_head = s->d_v;
    s->z = qkvz ? 2 * s->d_k + ratio * s->d_v : 2 * keys + values;
    s->beta = tail;
    s->alpha = tail + (ba ? ratio : s->n_v);
    s->beta_group = s->alpha_group = ba ? 2 * ratio : ratio;
}

/* [n_channels, kernel] turned over: an input's weights for all channels side by side. */
static const float *
load_convolution(engine_loader *l, const char *prefix)
{
    const engine_delta_shape *s = &l->d->delta;
    g_autofree char *name = g_strconcat(prefix, l->names->delta_conv, ".weight", NULL);
    const engine_tensor *t = engine_weights_lookup(l->weights, name);

    if (!t || t->dims[0] != s->kernel || engine_tensor_n_rows(t) != s->n_channels ||
        !engine_type_lookup((uint32_t)t->type)->dequantize) {
        engine_load_fail(l, ENGINE_ERROR_FORMAT,
                         "tensor %s is missing or not %u weights for each of %u channels", name,
                         s->kernel, s->n_channels);
        return NULL;
    }
    float *out = engine_load_own(l, (size_t)s->kernel * s->n_channels, sizeof *out), row[16];
    if (!out) return NULL;
    for (size_t c = 0; c < s->n_channels; c++) {
        engine_tensor_row(t, c, row);
        for (size_t i = 0; i < s->kernel; i++)
            out[i * s->n_channels + c] = row[i];
    }
    engine_load_use(l, t);
    return out;
}

static gboolean
load_delta_inputs(engine_loader *l, const char *prefix, gboolean qkvz, gboolean ba,
                  engine_delta_layer *out)
{
    const engine_delta_shape *s = &l->d->delta;
    const engine_names *names = l->names;
    const uint32_t n_embd = l->d->n_embd, values = s->n_v * s->d_v;
    engine_linear *in = out->in;

    if (qkvz) {
        if (!engine_load_linear(l, prefix, names->delta_qkvz, n_embd, s->n_channels + values, 0,
                                in++))
            return FALSE;
    } else if (!engine_load_linear(l, prefix, names->delta_qkv, n_embd, s->n_channels, 0, in++) ||
               !engine_load_linear(l, prefix, names->delta_z, n_embd, values, s->z, in++)) {
        return FALSE;
    }
    if (ba) {
        if (!engine_load_linear(l, prefix, names->delta_ba, n_embd, 2 * s->n_v, s->beta, in++))
            return FALSE;
    } else if (!engine_load_linear(l, prefix, names->delta_beta, n_embd, s->n_v, s->beta, in++) ||
               !engine_load_linear(l, prefix, names->delta_alpha, n_embd, s->n_v, s->alpha, in++)) {
        return FALSE;
    }
    out->n_in = (uint32_t)(in - out->in);
    return TRUE;
}

gboolean
engine_load_delta(engine_loader *l, const char *prefix, engine_delta_layer *out)
{
    engine_delta_shape *s = &l->d->delta;
    const gboolean qkvz = engine_load_lookup(l, prefix, l->names->delta_qkvz) != NULL;
    const gboolean ba = engine_load_lookup(l, prefix, l->names->delta_ba) != NULL;
    g_autofree char *norm = g_strconcat(l->names->delta_norm, ".weight", NULL);

    const engine_delta_shape before = *s;
    lay_out_delta(s, qkvz, ba);
    if (before.width && memcmp(&before, s, sizeof before) != 0)
        return engine_load_fail(l, ENGINE_ERROR_UNSUPPORTED,
                                "delta-rule layers whose projections are stored differently");
    if (!load_delta_inputs(l, prefix, qkvz, ba, out) ||
        !engine_load_linear(l, prefix, l->names->delta_out, s->n_v * s->d_v, l->d->n_embd, 0,
                            &out->out))
        return FALSE;
    float *decay = (float *)engine_load_vector(l, prefix, l->names->delta_a, s->n_v);
    if (!decay) return FALSE;
    for (uint32_t h = 0; !l->gguf && h < s->n_v; h++)
        decay[h] = -expf(decay[h]);
    out->decay = decay;
    return (out->dt_bias = engine_load_vector(l, prefix, l->names->delta_dt, s->n_v)) != NULL &&
           (out->norm = engine_load_vector(l, prefix, norm, s->d_v)) != NULL &&
           (out->conv = load_convolution(l, prefix)) != NULL;
}

/* ---- layers ---- */

gboolean
engine_load_dense(engine_loader *l, const char *prefix, const char *gate, const char *up,
                  const char *down, uint32_t n_ff, engine_dense_ffn *out)
{
    const uint32_t d = l->d->n_embd;

    out->n_ff = n_ff;
    return engine_load_linear(l, prefix, gate, d, n_ff, 0, &out->gate) &&
           engine_load_linear(l, prefix, up, d, n_ff, 0, &out->up) &&
           engine_load_linear(l, prefix, down, n_ff, d, 0, &out->down);
}

/* FALSE with error for a kind of layer we do not run. */
static gboolean
find_mixer(engine_loader *l, uint32_t index, gboolean *is_delta)
{
    const char *type = NULL;
    g_autofree char *recurrent =
        g_strconcat(l->gguf ? l->arch : "", ".attention.recurrent_layers", NULL);
    uint32_t interval = 4;

    *is_delta = FALSE;
    if (!l->gguf) type = engine_weights_get_string_at(l->weights, "layer_types", index);
    if (type && strcmp(type, "full_attention") != 0 &&
        !(strcmp(type, "linear_attention") == 0 && (l->family->flags & FAMILY_DELTA)))
        return engine_load_fail(l, ENGINE_ERROR_UNSUPPORTED, "layer type %.32s is not supported",
                                type);
    if (!(l->family->flags & FAMILY_DELTA)) return TRUE;
    if (type) {
        *is_delta = strcmp(type, "linear_attention") == 0;
        return TRUE;
    }
    if (l->gguf && engine_weights_get_bool_at(l->weights, recurrent, index, is_delta)) return TRUE;
    if (!engine_load_size_or(l, "full_attention_interval", "full_attention_interval", 4, 1, 1024,
                             &interval))
        return FALSE;
    *is_delta = (index + 1) % interval != 0;
    return TRUE;
}

/* The norm before the feed-forward part: qwen3next and qwen35 call it otherwise in GGUF. */
static const float *
load_ffn_norm(engine_loader *l, const char *prefix)
{
    const gboolean other = l->gguf && engine_load_lookup(l, prefix, "post_attention_norm") != NULL;
    return engine_load_norm(l, prefix, other ? "post_attention_norm" : l->names->ffn_norm,
                            l->d->n_embd);
}

static gboolean
load_ffn(engine_loader *l, const char *prefix, uint32_t index, engine_decoder_layer *out)
{
    uint32_t n_packs = 0;
    const engine_names *names = l->names;

    if (!l->gguf && strcmp(l->family->name, "interns2_mobius") == 0 &&
        engine_load_u32(l, NULL, "num_blocks", &n_packs) && n_packs > 0 && index != G_MAXUINT32) {
        g_autofree char *pack = g_strdup_printf("model.meta_mlp.%u.", index % n_packs);
        out->is_moe = TRUE;
        l->names = &engine_names_pack;
        const gboolean ok = engine_load_moe(l, pack, prefix, &out->moe);
        l->names = names;
        out->moe.pack = index % n_packs;
        return ok;
    }
    out->is_moe = l->n_experts > 0 && engine_load_lookup(l, prefix, names->router) != NULL;
    if (out->is_moe) {
        out->moe.pack = MIN(index, l->d->n_layers);
        return engine_load_moe(l, prefix, prefix, &out->moe);
    }
    if (l->n_ff == 0)
        return engine_load_fail(l, ENGINE_ERROR_FORMAT,
                                "the width of the feed-forward layers is missing");
    return engine_load_dense(l, prefix, names->gate, names->up, names->down, l->n_ff, &out->dense);
}

gboolean
engine_load_layer(engine_loader *l, const char *prefix, uint32_t index, engine_decoder_layer *out)
{
    out->mixer_norm = engine_load_norm(l, prefix, l->names->mixer_norm, l->d->n_embd);
    if (!out->mixer_norm) return FALSE;
    out->ffn_norm = load_ffn_norm(l, prefix);
    if (!out->ffn_norm) return FALSE;
    if (index != G_MAXUINT32 && !find_mixer(l, index, &out->is_delta)) return FALSE;
    if (!(out->is_delta ? engine_load_delta(l, prefix, &out->delta)
                        : engine_load_attention(l, prefix, &out->attention)))
        return FALSE;
    return load_ffn(l, prefix, index, out);
}
