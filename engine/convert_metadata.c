/* GGUF's keys out of an opened model and its config.json. */
#include <math.h>

#include "engine/convert.h"

static char *
key_of(const engine_converter *c, const char *name)
{
    return g_strconcat(c->arch, ".", name, NULL);
}

static void
set_u32(const engine_converter *c, const char *name, uint32_t value)
{
    g_autofree char *key = key_of(c, name);
    engine_gguf_writer_set_u32(c->writer, key, value);
}

static void
set_f32(const engine_converter *c, const char *name, float value)
{
    g_autofree char *key = key_of(c, name);
    engine_gguf_writer_set_f32(c->writer, key, value);
}

/* A number of the configuration under GGUF's name, where it is stated. */
static void
copy_u32(const engine_converter *c, const char *hf, const char *gguf)
{
    uint32_t value;
    if (engine_weights_get_u32(c->weights, hf, &value)) set_u32(c, gguf, value);
}

static void
copy_rope_f32(const engine_converter *c, const char *hf, const char *gguf)
{
    float value;
    if (engine_weights_get_rope_f32(c->weights, hf, &value)) set_f32(c, gguf, value);
}

/* GGUF has a factor on YaRN's usual magnitude, 0.1 ln f + 1, where config.json may state another. */
static void
set_yarn_magnitude(const engine_converter *c, const engine_rope *rope)
{
    float factor = 1.0f;

    engine_weights_get_rope_f32(c->weights, "factor", &factor);
    const float usual = 0.1f * logf(MAX(factor, 1.0f)) + 1.0f;
    if (fabsf(rope->magnitude / usual - 1.0f) > 1e-6f)
        set_f32(c, "rope.scaling.attn_factor", rope->magnitude / usual);
}

static void
set_rope(const engine_converter *c)
{
    const engine_rope *rope = &((const engine_decoder *)c->model->arch)->rope;
    const gboolean yarn = rope->kind == ENGINE_ROPE_YARN;
    g_autofree char *type = key_of(c, "rope.scaling.type");
    float original = 0.0f;

    set_u32(c, "rope.dimension_count", rope->n_rot);
    set_f32(c, "rope.freq_base", c->model->info.rope_theta);
    if (rope->kind == ENGINE_ROPE_LINEAR || yarn) {
        engine_gguf_writer_set_string(c->writer, type, yarn ? "yarn" : "linear");
        copy_rope_f32(c, "factor", "rope.scaling.factor");
    }
    if (yarn) {
        if (!engine_weights_get_rope_f32(c->weights, "original_max_position_embeddings", &original))
            original = (float)c->model->info.n_context;
        set_u32(c, "rope.scaling.original_context_length", (uint32_t)original);
        copy_rope_f32(c, "beta_fast", "rope.scaling.yarn_beta_fast");
        copy_rope_f32(c, "beta_slow", "rope.scaling.yarn_beta_slow");
        set_yarn_magnitude(c, rope);
    }
    if (rope->kind == ENGINE_ROPE_DYNAMIC) /* no other reader of GGUF scales this way */
        engine_gguf_writer_set_f32(c->writer, "lode.rope.dynamic_factor", rope->dynamic_factor);
    if (rope->kind == ENGINE_ROPE_FOPE)
        engine_gguf_writer_set_f32(c->writer, "lode.fope.sin_pad", rope->sin_pad);
}

static const engine_moe_ffn *
first_experts(const engine_decoder *d)
{
    for (uint32_t i = 0; i < d->n_layers; i++)
        if (d->layers[i].is_moe) return &d->layers[i].moe;
    return NULL;
}

static void
set_experts(const engine_converter *c, const engine_moe_ffn *moe)
{
    const engine_router *router = &moe->router;
    g_autofree char *norm = key_of(c, "expert_weights_norm");

    set_u32(c, "expert_count", router->n_experts);
    set_u32(c, "expert_used_count", router->n_used);
    set_u32(c, "expert_feed_forward_length", moe->n_ff);
    if (moe->shared.n_ff > 0) set_u32(c, "expert_shared_feed_forward_length", moe->shared.n_ff);
    engine_gguf_writer_set_bool(c->writer, norm, router->normalize);
    if (router->n_groups > 1)
        engine_gguf_writer_set_u32(c->writer, "lode.router_n_groups", router->n_groups);
}

/* Qwen3.5: which layers are delta rules, their sizes, and the sections of its rotary positions, which for
 * text are all the same. */
static void
set_delta(const engine_converter *c)
{
    const engine_decoder *d = c->model->arch;
    const engine_delta_shape *s = &d->delta;
    g_autofree char *sections = key_of(c, "rope.dimension_sections");
    const int32_t third = (int32_t)(d->rope.n_rot / 2 / 3), half = (int32_t)(d->rope.n_rot / 2);
    int32_t values[4] = {half - 2 * third, third, third, 0};
    uint32_t interval = 0, stated;

    for (size_t i = 0; i < 3; i++)
        if (engine_weights_get_u32_at(c->weights, "rope_parameters.mrope_section", i, &stated))
            values[i] = (int32_t)stated;
    engine_gguf_writer_set_ints(c->writer, sections, values, 4);
    set_u32(c, "ssm.conv_kernel", s->kernel);
    set_u32(c, "ssm.state_size", s->d_k);
    set_u32(c, "ssm.group_count", s->n_k);
    set_u32(c, "ssm.time_step_rank", s->n_v);
    set_u32(c, "ssm.inner_size", s->n_v * s->d_v);
    /* the first layer of attention ends the first interval */
    while (interval < d->n_layers && d->layers[interval].is_delta)
        interval++;
    set_u32(c, "full_attention_interval", interval + 1);
    if (d->n_mtp > 0) set_u32(c, "nextn_predict_layers", 1);
}

static void
set_decoder(const engine_converter *c)
{
    const engine_decoder *d = c->model->arch;
    const engine_model_info *info = &c->model->info;
    const engine_moe_ffn *moe = first_experts(d);

    set_u32(c, "vocab_size", info->n_vocab);
    set_u32(c, "feed_forward_length", info->n_ff > 0 ? info->n_ff : moe ? moe->n_ff : 0);
    set_u32(c, "attention.head_count_kv", info->n_kv_heads);
    set_u32(c, "attention.key_length", info->head_dim);
    set_u32(c, "attention.value_length", info->head_dim);
    set_f32(c, "attention.layer_norm_rms_epsilon", info->norm_eps);
    set_rope(c);
    if (moe) set_experts(c, moe);
    if (d->n_delta > 0) set_delta(c);
}

static void
set_encoder(const engine_converter *c)
{
    const engine_model_info *info = &c->model->info;
    g_autofree char *causal = key_of(c, "attention.causal");

    copy_u32(c, "intermediate_size", "feed_forward_length");
    copy_u32(c, "max_position_embeddings", "context_length"); /* as long as its embedding */
    set_f32(c, "attention.layer_norm_epsilon", info->norm_eps);
    engine_gguf_writer_set_bool(c->writer, causal, FALSE);
    set_u32(c, "pooling_type", info->pooling == ENGINE_POOLING_CLS ? 2 : 1);
}

void
engine_convert_metadata(engine_converter *c)
{
    const engine_model_info *info = &c->model->info;

    engine_gguf_writer_set_string(c->writer, "general.architecture", c->arch);
    engine_gguf_writer_set_string(c->writer, "general.type", "model");
    engine_gguf_writer_set_string(c->writer, "general.name", info->name);
    engine_gguf_writer_set_u32(c->writer, "general.quantization_version", 2);
    engine_gguf_writer_set_u32(c->writer, "general.file_type",
                               engine_type_choice_file_type(&c->choice));
    set_u32(c, "block_count", c->n_blocks);
    set_u32(c, "context_length", info->n_context);
    set_u32(c, "embedding_length", info->n_embd);
    set_u32(c, "attention.head_count", info->n_heads);
    if (info->kind == ENGINE_KIND_ENCODER)
        set_encoder(c);
    else
        set_decoder(c);
}
