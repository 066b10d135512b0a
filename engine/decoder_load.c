/* Opening a decoder: its family, its numbers, the order of its parts.
 *
 * GGUF conversion reorders the rows of some matrices and adds one to some norms; safetensors keep the
 * original. Nothing is converted here: the facts in engine_decoder say which it is.
 *
 * Sources: GGUF key names; the configuration classes of transformers; the models' own config.json. */
#include "engine/decoder_names.h"

#include <math.h>
#include <string.h>

#define MAX_LAYERS  1024
#define MAX_WIDTH   (1u << 16)
#define MAX_HEADS   4096
#define MAX_HEAD    1024
#define MAX_FF      (1u << 20)
#define MAX_CONTEXT (1u << 30)
#define MAX_EXPERTS 4096

gboolean
engine_load_fail(engine_loader *l, engine_error_code code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *what = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(l->error, ENGINE_ERROR, (gint)code, "%s: %s", engine_weights_path(l->weights),
                what);
    return FALSE;
}

/* ---- configuration ---- */

/* NULL when the format has no such key. Free with g_free. */
static char *
make_key(const engine_loader *l, const char *gguf, const char *hf)
{
    if (!l->gguf) return g_strdup(hf);
    return gguf ? g_strconcat(l->arch, ".", gguf, NULL) : NULL;
}

gboolean
engine_load_u32(const engine_loader *l, const char *gguf, const char *hf, uint32_t *out)
{
    g_autofree char *key = make_key(l, gguf, hf);
    const size_t n = key ? engine_weights_get_n(l->weights, key) : 0;
    uint32_t largest = 0, value;

    for (size_t i = 0; i < n; i++) {
        if (!engine_weights_get_u32_at(l->weights, key, i, &value)) return FALSE;
        largest = MAX(largest, value);
    }
    if (n == 0) return FALSE;
    *out = largest;
    return TRUE;
}

gboolean
engine_load_f32(const engine_loader *l, const char *gguf, const char *hf, float *out)
{
    g_autofree char *key = make_key(l, gguf, hf);
    return key && engine_weights_get_f32(l->weights, key, out);
}

gboolean
engine_load_bool(const engine_loader *l, const char *gguf, const char *hf, gboolean *out)
{
    g_autofree char *key = make_key(l, gguf, hf);
    return key && engine_weights_get_bool(l->weights, key, out);
}

gboolean
engine_load_size(engine_loader *l, const char *gguf, const char *hf, uint32_t lowest,
                 uint32_t highest, uint32_t *out)
{
    if (engine_load_u32(l, gguf, hf, out) && *out >= lowest && *out <= highest) return TRUE;
    g_autofree char *key = make_key(l, gguf, hf);
    return engine_load_fail(l, ENGINE_ERROR_FORMAT, "%s is missing or not in %u..%u",
                            key ? key : hf, lowest, highest);
}

gboolean
engine_load_size_or(engine_loader *l, const char *gguf, const char *hf, uint32_t fallback,
                    uint32_t lowest, uint32_t highest, uint32_t *out)
{
    g_autofree char *key = make_key(l, gguf, hf);

    if (!key || engine_weights_get_n(l->weights, key) == 0) {
        *out = fallback;
        if (fallback >= lowest && fallback <= highest) return TRUE;
    }
    return engine_load_size(l, gguf, hf, lowest, highest, out);
}

static gboolean
read_norm_eps(engine_loader *l)
{
    float *eps = &l->model->info.norm_eps;

    if (!engine_load_f32(l, "attention.layer_norm_rms_epsilon", "rms_norm_eps", eps) ||
        !(*eps >= 0.0f && *eps < 1.0f))
        return engine_load_fail(l, ENGINE_ERROR_FORMAT,
                                "the epsilon of the RMS norm is missing or impossible");
    return TRUE;
}

static gboolean
read_sizes(engine_loader *l)
{
    engine_model_info *info = &l->model->info;
    uint32_t value_dim;

    if (!engine_load_size(l, "block_count", "num_hidden_layers", 1, MAX_LAYERS, &info->n_layers) ||
        !engine_load_size(l, "embedding_length", "hidden_size", 1, MAX_WIDTH, &info->n_embd) ||
        !engine_load_size(l, "attention.head_count", "num_attention_heads", 1, MAX_HEADS,
                          &info->n_heads) ||
        !engine_load_size_or(l, "attention.head_count_kv", "num_key_value_heads", info->n_heads, 1,
                             info->n_heads, &info->n_kv_heads) ||
        !engine_load_size_or(l, "attention.key_length", "head_dim", info->n_embd / info->n_heads, 2,
                             MAX_HEAD, &info->head_dim) ||
        !engine_load_size_or(l, "attention.value_length", "head_dim", info->head_dim, 2, MAX_HEAD,
                             &value_dim) ||
        !engine_load_size_or(l, "feed_forward_length", "intermediate_size", 0, 0, MAX_FF,
                             &l->n_ff) ||
        !engine_load_size(l, "context_length", "max_position_embeddings", 1, MAX_CONTEXT,
                          &info->n_context))
        return FALSE;
    if (info->n_heads % info->n_kv_heads != 0)
        return engine_load_fail(l, ENGINE_ERROR_FORMAT,
                                "the number of heads is no multiple of the number of KV heads");
    if (value_dim != info->head_dim)
        return engine_load_fail(l, ENGINE_ERROR_UNSUPPORTED, "keys and values of different sizes");
    const char *act = l->gguf ? NULL : engine_weights_get_string(l->weights, "hidden_act");
    if (act && strcmp(act, "silu") != 0)
        return engine_load_fail(l, ENGINE_ERROR_UNSUPPORTED, "hidden_act is not silu");
    return read_norm_eps(l);
}

/* Draft layers count among GGUF's blocks, not among transformers' layers. */
static gboolean
read_draft_layers(engine_loader *l)
{
    engine_model_info *info = &l->model->info;

    if (!engine_load_size_or(l, "nextn_predict_layers", "mtp_num_hidden_layers", 0, 0, MAX_LAYERS,
                             &l->n_mtp))
        return FALSE;
    if (!l->gguf) return TRUE;
    if (l->n_mtp >= info->n_layers)
        return engine_load_fail(l, ENGINE_ERROR_FORMAT, "more draft layers than blocks");
    info->n_layers -= l->n_mtp;
    return TRUE;
}

static gboolean
read_gate(engine_loader *l)
{
    uint32_t gate = 1;
    const char *name = l->gguf ? NULL : engine_weights_get_string(l->weights, "scoring_func");

    if (l->gguf) engine_load_u32(l, "expert_gating_func", NULL, &gate);
    if (name) gate = strcmp(name, "softmax") == 0 ? 1 : strcmp(name, "sigmoid") == 0 ? 2 : 0;
    if (gate < 1 || gate > 3)
        return engine_load_fail(l, ENGINE_ERROR_UNSUPPORTED, "an unknown gating of its experts");
    l->expert_gate = gate == 1   ? ENGINE_GATE_SOFTMAX
                     : gate == 2 ? ENGINE_GATE_SIGMOID
                                 : ENGINE_GATE_SOFTMAX_AFTER;
    return TRUE;
}

static gboolean
read_experts(engine_loader *l)
{
    uint32_t older = 0, picked = 0;

    /* Mixtral's name, then the usual one */
    if (!l->gguf) engine_load_u32(l, NULL, "num_local_experts", &older);
    if (!engine_load_size_or(l, "expert_count", "num_experts", older, 0, MAX_EXPERTS,
                             &l->n_experts))
        return FALSE;
    if (l->n_experts == 0) return TRUE;
    if (!engine_load_size(l, "expert_used_count", "num_experts_per_tok", 1, l->n_experts,
                          &l->n_used) ||
        !engine_load_size_or(l, "expert_feed_forward_length", "moe_intermediate_size", l->n_ff, 1,
                             MAX_FF, &l->n_expert_ff) ||
        !read_gate(l))
        return FALSE;
    l->n_groups = 1;
    if (l->gguf)
        engine_weights_get_u32(l->weights, "lode.router_n_groups", &l->n_groups);
    else
        engine_load_u32(l, NULL, "router_n_groups", &l->n_groups);
    if (l->n_groups == 0) l->n_groups = 1;
    if (l->n_experts % l->n_groups != 0 || l->n_used % l->n_groups != 0)
        return engine_load_fail(l, ENGINE_ERROR_FORMAT,
                                "%u experts, %u of them used, do not divide into %u groups",
                                l->n_experts, l->n_used, l->n_groups);
    if ((engine_load_u32(l, "expert_group_count", "n_group", &picked) && picked > 1))
        return engine_load_fail(l, ENGINE_ERROR_UNSUPPORTED,
                                "routers that choose groups before experts are not supported");
    l->normalize = l->gguf || (l->family->flags & FAMILY_ALWAYS_NORMALIZE) != 0;
    engine_load_bool(l, "expert_weights_norm", "norm_topk_prob", &l->normalize);
    if (l->family->flags & FAMILY_ALWAYS_NORMALIZE) l->normalize = TRUE;
    l->expert_scale = 1.0f;
    engine_load_f32(l, "expert_weights_scale", "routed_scaling_factor", &l->expert_scale);
    if (l->expert_scale == 0.0f) l->expert_scale = 1.0f;
    return TRUE;
}

/* What would change the arithmetic and is not ours: better refused than ignored. */
static gboolean
refuse_what_we_do_not_do(engine_loader *l)
{
    gboolean sliding = FALSE;
    uint32_t window = 0;

    if (engine_load_bool(l, NULL, "use_sliding_window", &sliding) && sliding)
        return engine_load_fail(l, ENGINE_ERROR_UNSUPPORTED,
                                "sliding-window attention is not supported");
    if (!l->gguf && strcmp(l->family->name, "mixtral") == 0 &&
        engine_load_u32(l, NULL, "sliding_window", &window) && window > 0)
        return engine_load_fail(l, ENGINE_ERROR_UNSUPPORTED,
                                "sliding-window attention is not supported");
    return TRUE;
}

/* ---- globals ---- */

static gboolean
load_globals(engine_loader *l)
{
    engine_model_info *info = &l->model->info;
    engine_decoder *d = l->d;
    const engine_tensor *t = engine_load_lookup(l, "", l->names->embd);
    engine_linear linear = {0};
    gboolean tied = FALSE;

    /* the vocabulary is as long as the embedding, whatever the metadata says */
    if (t && (t->dims[1] < 1 || t->dims[1] > 1u << 24))
        return engine_load_fail(l, ENGINE_ERROR_FORMAT, "impossible vocabulary size");
    d->n_vocab = info->n_vocab = t ? (uint32_t)t->dims[1] : 1;
    if (!engine_load_linear(l, "", l->names->embd, info->n_embd, info->n_vocab, 0, &linear))
        return FALSE;
    d->embd = linear.w;
    d->output_norm = engine_load_norm(l, "", l->names->output_norm, info->n_embd);
    if (!d->output_norm) return FALSE;
    engine_weights_get_bool(l->weights, "tie_word_embeddings", &tied);
    const engine_tensor *output = engine_load_lookup(l, "", l->names->output);
    if (tied || !output) {
        if (output) engine_load_use(l, output); /* a copy of the embedding */
        d->output = d->embd;
        return TRUE;
    }
    if (!engine_load_linear(l, "", l->names->output, info->n_embd, info->n_vocab, 0, &linear))
        return FALSE;
    d->output = linear.w;
    return TRUE;
}

/* Parts of larger models that reading text does not need. */
static gboolean
is_left_aside(const engine_loader *l, const char *name)
{
    static const char *const prefixes[] = {"model.visual.",
                                           "visual.",
                                           "model.vision_tower.",
                                           "vision_tower.",
                                           "vision_model.",
                                           "model.multi_modal_projector.",
                                           "model.projector.",
                                           "model.time_series.",
                                           "multi_modal_projector.",
                                           "time_series.",
                                           "time_series_forecaster.",
                                           "model.time_series_forecaster.",
                                           "mtp."};

    for (size_t i = 0; !l->gguf && i < G_N_ELEMENTS(prefixes); i++)
        if (g_str_has_prefix(name, prefixes[i])) return TRUE;
    /* frequencies that old checkpoints stored beside what they are computed from */
    return g_str_has_suffix(name, "rotary_emb.inv_freq");
}

/* Every tensor has had its use, or it is one we know to leave: else the model is not what we take it for. */
static gboolean
check_all_used(engine_loader *l)
{
    for (size_t i = 0; i < engine_weights_n_tensors(l->weights); i++) {
        const engine_tensor *t = engine_weights_tensor_at(l->weights, i);
        if (!g_hash_table_contains(l->used, t) && !is_left_aside(l, t->name))
            return engine_load_fail(l, ENGINE_ERROR_UNSUPPORTED,
                                    "tensor %s is no part of the %s models this program runs",
                                    t->name, l->family->name);
    }
    return TRUE;
}

/* ---- the whole ---- */

static void
decoder_free(gpointer data)
{
    engine_decoder *d = data;

    g_free(d->layers);
    g_free(d->rope.inv_freq);
    g_ptr_array_unref(d->owned);
    g_free(d);
}

static void
measure_layer(engine_decoder *d, const engine_decoder_layer *layer)
{
    d->max_width = MAX(d->max_width, layer->is_delta ? d->delta.width : d->heads.width);
    if (!layer->is_moe) return;
    d->max_ff = MAX(d->max_ff, layer->moe.shared.n_ff);
    d->max_experts = MAX(d->max_experts, layer->moe.router.n_experts);
    d->max_used = MAX(d->max_used, layer->moe.router.n_used);
}

static gboolean
load_layers(engine_loader *l)
{
    engine_decoder *d = l->d;

    d->layers = g_new0(engine_decoder_layer, d->n_layers);
    for (uint32_t i = 0; i < d->n_layers; i++) {
        engine_decoder_layer *layer = &d->layers[i];
        g_autofree char *prefix = g_strdup_printf(l->names->layer, i);
        if (!engine_load_layer(l, prefix, i, layer)) return FALSE;
        if (layer->is_delta)
            layer->delta.state_layer = d->n_delta++;
        else
            layer->attention.kv_layer = d->n_attention++;
        measure_layer(d, layer);
    }
    if (!engine_load_mtp(l)) return FALSE;
    for (uint32_t i = 0; i < d->n_mtp; i++) {
        d->mtp[i].layer.attention.kv_layer = d->n_attention;
        measure_layer(d, &d->mtp[i].layer);
    }
    return TRUE;
}

/* ---- facts for people ---- */

static void
count(engine_model_info *info, const engine_tensor *t, uint64_t times)
{
    if (!t) return;
    info->n_active_parameters += engine_tensor_n_elems(t) * times;
    info->n_active_bytes += t->n_bytes * times;
}

static void
count_dense(engine_model_info *info, const engine_dense_ffn *f)
{
    count(info, f->gate.w, 1);
    count(info, f->up.w, 1);
    count(info, f->down.w, 1);
}

static void
fill_facts(engine_loader *l)
{
    engine_model_info *info = &l->model->info;
    const engine_decoder *d = l->d;

    info->rope = engine_rope_kind_name(d->rope.kind);
    info->n_attention_layers = d->n_attention;
    info->n_recurrent_layers = d->n_delta;
    info->n_experts = l->n_experts;
    info->n_experts_used = l->n_used;
    info->n_expert_ff = l->n_experts > 0 ? l->n_expert_ff : 0;
    info->n_mtp = d->n_mtp;
    count(info, d->output, 1);
    for (uint32_t i = 0; i < d->n_layers; i++) {
        const engine_decoder_layer *layer = &d->layers[i];
        const engine_moe_ffn *m = &layer->moe;
        const engine_linear *in = layer->is_delta ? layer->delta.in : layer->attention.in;
        const uint32_t n_in = layer->is_delta ? layer->delta.n_in : layer->attention.n_in;
        for (uint32_t j = 0; j < n_in; j++)
            count(info, in[j].w, 1);
        count(info, layer->is_delta ? layer->delta.out.w : layer->attention.out.w, 1);
        if (!layer->is_moe) {
            count_dense(info, &layer->dense);
            continue;
        }
        const engine_tensor *const parts[] = {m->gate, m->up, m->down, m->gate_up};
        for (size_t j = 0; j < G_N_ELEMENTS(parts); j++)
            count(info, parts[j], m->router.n_used);
        count(info, m->logits.w, 1);
        count(info, m->shared_gate.w, 1);
        count_dense(info, &m->shared);
    }
}

static gboolean
load(engine_loader *l)
{
    engine_model_info *info = &l->model->info;
    engine_decoder *d = l->d;

    if (!read_sizes(l) || !read_draft_layers(l) || !read_experts(l) || !refuse_what_we_do_not_do(l))
        return FALSE;
    d->n_layers = info->n_layers;
    d->n_embd = info->n_embd;
    d->n_heads = info->n_heads;
    d->n_kv_heads = info->n_kv_heads;
    d->head_dim = info->head_dim;
    d->norm_eps = info->norm_eps;
    info->n_ff = l->n_ff;
    d->attn_scale = (float)(1.0 / sqrt((double)d->head_dim));
    float scale = 0.0f;
    if (engine_load_f32(l, "attention.scale", NULL, &scale) && scale > 0.0f) d->attn_scale = scale;
    if (!engine_load_rope(l) || !engine_load_delta_shape(l) || !load_globals(l) ||
        !load_layers(l) || !check_all_used(l))
        return FALSE;
    fill_facts(l);
    return TRUE;
}

gboolean
engine_decoder_knows(gboolean gguf, const char *stated)
{
    return engine_family_lookup(gguf, stated) != NULL;
}

gboolean
engine_decoder_load(engine_model *model, const char *stated, GError **error)
{
    engine_decoder *d = g_new0(engine_decoder, 1);
    const gboolean gguf = engine_weights_format(model->weights) == ENGINE_FORMAT_GGUF;
    const engine_family *family = engine_family_lookup(gguf, stated);
    engine_loader l = {.model = model,
                       .d = d,
                       .weights = model->weights,
                       .family = family,
                       .names = gguf ? &engine_names_gguf : family->hf_names,
                       .gguf = gguf,
                       .arch = stated,
                       .used = g_hash_table_new(NULL, NULL),
                       .error = error};

    d->owned = g_ptr_array_new_with_free_func(g_free);
    model->arch = d;
    model->free_arch = decoder_free;
    model->info.kind = ENGINE_KIND_DECODER;
    model->info.pooling = ENGINE_POOLING_NONE;
    model->info.architecture = family->name;
    const gboolean ok = load(&l);
    g_hash_table_unref(l.used);
    return ok;
}
