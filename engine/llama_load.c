/* Reading a llama model's hyperparameters and finding its tensors, from GGUF or safetensors.
 *
 * GGUF conversion reorders the rows of Wq and Wk so that rotary pairs are neighbours (2j, 2j+1); safetensors
 * keeps the original order, pairs (j, j + n_rot/2). Nothing is converted here: the rope kernel differs.
 *
 * Sources: GGUF key names; transformers' LlamaConfig and its rope scaling rules ("linear", "llama3"). */
#include "engine/llama.h"

#include <math.h>
#include <string.h>

typedef struct {
    engine_model *model;
    engine_llama *llama;
    const engine_weights *weights;
    gboolean gguf;
    GError **error;
} loader;

typedef enum {
    SLOT_Q,
    SLOT_K,
    SLOT_V,
    SLOT_O,
    SLOT_GATE,
    SLOT_UP,
    SLOT_DOWN,
    SLOT_ATTN_NORM,
    SLOT_FFN_NORM
} slot;

static const char *const GGUF_NAMES[] = {"attn_q",      "attn_k",    "attn_v",
                                         "attn_output", "ffn_gate",  "ffn_up",
                                         "ffn_down",    "attn_norm", "ffn_norm"};
static const char *const HF_NAMES[] = {
    "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj",
    "self_attn.o_proj", "mlp.gate_proj",    "mlp.up_proj",
    "mlp.down_proj",    "input_layernorm",  "post_attention_layernorm",
};

static gboolean
fail(loader *l, engine_error_code code, const char *what)
{
    g_set_error(l->error, ENGINE_ERROR, (gint)code, "%s: %s", engine_weights_path(l->weights),
                what);
    return FALSE;
}

/* A size from the configuration, in lowest..highest. */
static gboolean
read_size(loader *l, const char *gguf_key, const char *hf_key, uint32_t lowest, uint32_t highest,
          uint32_t *out)
{
    const char *key = l->gguf ? gguf_key : hf_key;

    if (!engine_weights_get_u32(l->weights, key, out) || *out < lowest || *out > highest) {
        g_set_error(l->error, ENGINE_ERROR, ENGINE_ERROR_FORMAT,
                    "%s: %s is missing or not in %u..%u", engine_weights_path(l->weights), key,
                    lowest, highest);
        return FALSE;
    }
    return TRUE;
}

/* As read_size, with a default for an absent key. */
static gboolean
read_size_or(loader *l, const char *gguf_key, const char *hf_key, uint32_t fallback,
             uint32_t lowest, uint32_t highest, uint32_t *out)
{
    int64_t value;

    if (!engine_weights_get_i64(l->weights, l->gguf ? gguf_key : hf_key, &value)) {
        *out = fallback;
        if (fallback >= lowest && fallback <= highest) return TRUE;
    }
    return read_size(l, gguf_key, hf_key, lowest, highest, out);
}

static gboolean
read_sizes(loader *l)
{
    engine_model_info *info = &l->model->info;
    uint32_t value_dim, n_experts = 0;

    if (!read_size(l, "llama.block_count", "num_hidden_layers", 1, 1024, &info->n_layers) ||
        !read_size(l, "llama.embedding_length", "hidden_size", 1, 1u << 16, &info->n_embd) ||
        !read_size(l, "llama.attention.head_count", "num_attention_heads", 1, 4096,
                   &info->n_heads) ||
        !read_size_or(l, "llama.attention.head_count_kv", "num_key_value_heads", info->n_heads, 1,
                      info->n_heads, &info->n_kv_heads) ||
        !read_size_or(l, "llama.attention.key_length", "head_dim", info->n_embd / info->n_heads, 2,
                      1024, &info->head_dim) ||
        !read_size_or(l, "llama.attention.value_length", "head_dim", info->head_dim, 2, 1024,
                      &value_dim) ||
        !read_size(l, "llama.feed_forward_length", "intermediate_size", 1, 1u << 20, &info->n_ff) ||
        !read_size(l, "llama.context_length", "max_position_embeddings", 1, 1u << 30,
                   &info->n_context))
        return FALSE;
    if (info->n_heads % info->n_kv_heads != 0)
        return fail(l, ENGINE_ERROR_FORMAT,
                    "the number of heads is no multiple of the number of KV heads");
    if (value_dim != info->head_dim)
        return fail(l, ENGINE_ERROR_UNSUPPORTED, "keys and values of different sizes");
    if (engine_weights_get_u32(l->weights, l->gguf ? "llama.expert_count" : "num_local_experts",
                               &n_experts) &&
        n_experts > 0)
        return fail(l, ENGINE_ERROR_UNSUPPORTED,
                    "mixture-of-experts llama models are not supported");
    const char *act = l->gguf ? NULL : engine_weights_get_string(l->weights, "hidden_act");
    if (act && strcmp(act, "silu") != 0)
        return fail(l, ENGINE_ERROR_UNSUPPORTED, "hidden_act is not silu");
    if (!engine_weights_get_f32(l->weights,
                                l->gguf ? "llama.attention.layer_norm_rms_epsilon" : "rms_norm_eps",
                                &info->norm_eps) ||
        !(info->norm_eps >= 0.0f && info->norm_eps < 1.0f))
        return fail(l, ENGINE_ERROR_FORMAT, "the epsilon of the RMS norm is missing or impossible");
    return TRUE;
}

/* ---- rotary positions ---- */

/* A number under rope_parameters (transformers 5), rope_scaling, or at the top. */
static gboolean
hf_rope_number(const engine_weights *w, const char *name, float *out)
{
    g_autofree char *newer = g_strconcat("rope_parameters.", name, NULL);
    g_autofree char *older = g_strconcat("rope_scaling.", name, NULL);

    return engine_weights_get_f32(w, newer, out) || engine_weights_get_f32(w, older, out) ||
           engine_weights_get_f32(w, name, out);
}

static const char *
rope_scaling_type(const loader *l)
{
    static const char *const keys[] = {"rope_parameters.rope_type", "rope_scaling.rope_type",
                                       "rope_scaling.type"};
    const char *type = NULL;

    if (l->gguf) return engine_weights_get_string(l->weights, "llama.rope.scaling.type");
    for (size_t i = 0; !type && i < G_N_ELEMENTS(keys); i++)
        type = engine_weights_get_string(l->weights, keys[i]);
    return type;
}

/* "llama3": long waves are slowed by factor, short ones kept, those between blended. */
static gboolean
scale_llama3(loader *l)
{
    float factor, low, high, original;

    if (!hf_rope_number(l->weights, "factor", &factor) ||
        !hf_rope_number(l->weights, "low_freq_factor", &low) ||
        !hf_rope_number(l->weights, "high_freq_factor", &high) ||
        !hf_rope_number(l->weights, "original_max_position_embeddings", &original) ||
        !(factor >= 1.0f) || !(low > 0.0f) || !(high > low) || !(original > 0.0f))
        return fail(l, ENGINE_ERROR_FORMAT,
                    "the llama3 rope scaling lacks a number or has an impossible one");
    for (uint32_t j = 0; j < l->llama->n_rot / 2; j++) {
        float *freq = &l->llama->inv_freq[j];
        const float wavelength = 6.28318531f / *freq;
        if (wavelength < original / high) continue;
        if (wavelength > original / low) {
            *freq /= factor;
        } else {
            const float smooth = (original / wavelength - low) / (high - low);
            *freq = (1.0f - smooth) * *freq / factor + smooth * *freq;
        }
    }
    return TRUE;
}

static gboolean
apply_rope_scaling(loader *l)
{
    engine_llama *llama = l->llama;
    const char *type = rope_scaling_type(l);
    const engine_tensor *divisors =
        l->gguf ? engine_weights_lookup(l->weights, "rope_freqs.weight") : NULL;

    if (divisors) { /* llama3 scaling, computed when the file was converted */
        if (!engine_weights_require(l->weights, "rope_freqs.weight", llama->n_rot / 2, 0, l->error))
            return FALSE;
        g_autofree float *values = g_new(float, llama->n_rot / 2);
        engine_tensor_row(divisors, 0, values);
        for (uint32_t j = 0; j < llama->n_rot / 2; j++)
            llama->inv_freq[j] /= values[j];
        return TRUE;
    }
    if (!type || strcmp(type, "none") == 0 || strcmp(type, "default") == 0) return TRUE;
    if (strcmp(type, "llama3") == 0 && !l->gguf) return scale_llama3(l);
    if (strcmp(type, "linear") == 0) {
        float factor;
        if (!(l->gguf ? engine_weights_get_f32(l->weights, "llama.rope.scaling.factor", &factor)
                      : hf_rope_number(l->weights, "factor", &factor)) ||
            !(factor > 0.0f))
            return fail(l, ENGINE_ERROR_FORMAT, "linear rope scaling without a factor");
        for (uint32_t j = 0; j < llama->n_rot / 2; j++)
            llama->inv_freq[j] /= factor;
        return TRUE;
    }
    g_set_error(l->error, ENGINE_ERROR, ENGINE_ERROR_UNSUPPORTED,
                "%s: rope scaling %.32s is not supported", engine_weights_path(l->weights), type);
    return FALSE;
}

static gboolean
read_rope(loader *l)
{
    engine_model_info *info = &l->model->info;
    engine_llama *llama = l->llama;

    info->rope_theta = 10000.0f;
    if (l->gguf)
        engine_weights_get_f32(l->weights, "llama.rope.freq_base", &info->rope_theta);
    else
        hf_rope_number(l->weights, "rope_theta", &info->rope_theta);
    if (!(info->rope_theta > 1.0f)) return fail(l, ENGINE_ERROR_FORMAT, "impossible rope base");
    if (!read_size_or(l, "llama.rope.dimension_count", "", info->head_dim, 2, info->head_dim,
                      &llama->n_rot))
        return FALSE;
    if (llama->n_rot % 2 != 0)
        return fail(l, ENGINE_ERROR_FORMAT, "an odd number of rotated dimensions");
    llama->rope_halves = !l->gguf;
    llama->inv_freq = g_new(float, llama->n_rot / 2);
    for (uint32_t j = 0; j < llama->n_rot / 2; j++)
        llama->inv_freq[j] = (float)(1.0 / pow((double)info->rope_theta, 2.0 * j / llama->n_rot));
    llama->attn_scale = (float)(1.0 / sqrt((double)info->head_dim));
    if (l->gguf) {
        float scale = 0.0f;
        if (engine_weights_get_f32(l->weights, "llama.attention.scale", &scale) && scale > 0.0f)
            llama->attn_scale = scale;
    }
    return apply_rope_scaling(l);
}

/* ---- tensors ---- */

/* A vector tensor as floats, kept in llama->vectors. */
static const float *
load_vector(loader *l, const char *name, uint32_t n)
{
    const engine_tensor *t = engine_weights_require(l->weights, name, n, 0, l->error);

    if (!t) return NULL;
    float *values = g_new(float, n);
    engine_tensor_row(t, 0, values);
    g_ptr_array_add(l->llama->vectors, values);
    return values;
}

static char *
tensor_name(const loader *l, uint32_t layer, slot s, const char *suffix)
{
    return l->gguf ? g_strdup_printf("blk.%u.%s.%s", layer, GGUF_NAMES[s], suffix)
                   : g_strdup_printf("model.layers.%u.%s.%s", layer, HF_NAMES[s], suffix);
}

static gboolean
load_norm(loader *l, uint32_t layer, slot s, const float **out)
{
    g_autofree char *name = tensor_name(l, layer, s, "weight");
    *out = load_vector(l, name, l->model->info.n_embd);
    return *out != NULL;
}

/* The matrix, and its bias where the file has one. */
static gboolean
load_matrix(loader *l, uint32_t layer, slot s, uint32_t n_in, uint32_t n_out,
            const engine_tensor **w, const float **bias)
{
    g_autofree char *name = tensor_name(l, layer, s, "weight");
    g_autofree char *bias_name = tensor_name(l, layer, s, "bias");

    *w = engine_weights_require(l->weights, name, n_in, n_out, l->error);
    if (!*w) return FALSE;
    if (!engine_weights_lookup(l->weights, bias_name)) return TRUE;
    *bias = load_vector(l, bias_name, n_out);
    return *bias != NULL;
}

static gboolean
load_layer(loader *l, uint32_t i)
{
    const engine_model_info *info = &l->model->info;
    engine_llama_layer *y = &l->llama->layers[i];
    const uint32_t d = info->n_embd, nq = info->n_heads * info->head_dim,
                   nkv = info->n_kv_heads * info->head_dim;

    return load_norm(l, i, SLOT_ATTN_NORM, &y->attn_norm) &&
           load_norm(l, i, SLOT_FFN_NORM, &y->ffn_norm) &&
           load_matrix(l, i, SLOT_Q, d, nq, &y->q, &y->q_bias) &&
           load_matrix(l, i, SLOT_K, d, nkv, &y->k, &y->k_bias) &&
           load_matrix(l, i, SLOT_V, d, nkv, &y->v, &y->v_bias) &&
           load_matrix(l, i, SLOT_O, nq, d, &y->o, &y->o_bias) &&
           load_matrix(l, i, SLOT_GATE, d, info->n_ff, &y->gate, &y->gate_bias) &&
           load_matrix(l, i, SLOT_UP, d, info->n_ff, &y->up, &y->up_bias) &&
           load_matrix(l, i, SLOT_DOWN, info->n_ff, d, &y->down, &y->down_bias);
}

static gboolean
load_globals(loader *l)
{
    engine_model_info *info = &l->model->info;
    engine_llama *llama = l->llama;
    const char *embd = l->gguf ? "token_embd.weight" : "model.embed_tokens.weight";
    const char *output = l->gguf ? "output.weight" : "lm_head.weight";
    const engine_tensor *t = engine_weights_lookup(l->weights, embd);
    gboolean tied = FALSE;

    /* the vocabulary is as long as the embedding, whatever the metadata says */
    if (t && (t->dims[1] < 1 || t->dims[1] > 1u << 24))
        return fail(l, ENGINE_ERROR_FORMAT, "impossible vocabulary size");
    info->n_vocab = t ? (uint32_t)t->dims[1] : 1;
    llama->embd = engine_weights_require(l->weights, embd, info->n_embd, info->n_vocab, l->error);
    if (!llama->embd) return FALSE;
    llama->output_norm =
        load_vector(l, l->gguf ? "output_norm.weight" : "model.norm.weight", info->n_embd);
    if (!llama->output_norm) return FALSE;
    engine_weights_get_bool(l->weights, "tie_word_embeddings", &tied);
    if (tied || !engine_weights_lookup(l->weights, output)) {
        llama->output = llama->embd;
        return TRUE;
    }
    llama->output =
        engine_weights_require(l->weights, output, info->n_embd, info->n_vocab, l->error);
    return llama->output != NULL;
}

static void
llama_free(gpointer data)
{
    engine_llama *llama = data;

    g_free(llama->layers);
    g_free(llama->inv_freq);
    g_ptr_array_unref(llama->vectors);
    g_free(llama);
}

gboolean
engine_llama_load(engine_model *model, GError **error)
{
    engine_llama *llama = g_new0(engine_llama, 1);
    loader l = {model, llama, model->weights,
                engine_weights_format(model->weights) == ENGINE_FORMAT_GGUF, error};

    llama->vectors = g_ptr_array_new_with_free_func(g_free);
    model->arch = llama;
    model->free_arch = llama_free;
    model->info.kind = ENGINE_KIND_DECODER;
    model->info.pooling = ENGINE_POOLING_NONE;
    if (!read_sizes(&l) || !read_rope(&l) || !load_globals(&l)) return FALSE;
    llama->layers = g_new0(engine_llama_layer, model->info.n_layers);
    for (uint32_t i = 0; i < model->info.n_layers; i++)
        if (!load_layer(&l, i)) return FALSE;
    return TRUE;
}
