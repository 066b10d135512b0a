/* What a model needs beside its mapped file, computed from its sizes: nothing is allocated. */
#include "engine/runtime.h"

#include <string.h>

static const struct {
    const char *name;
    engine_type type;
} KV_TYPES[] = {
    [ENGINE_KV_F16] = {"f16", ENGINE_TYPE_F16},
    [ENGINE_KV_Q8_0] = {"q8_0", ENGINE_TYPE_Q8_0},
    [ENGINE_KV_Q4_0] = {"q4_0", ENGINE_TYPE_Q4_0},
    [ENGINE_KV_F32] = {"f32", ENGINE_TYPE_F32},
};

const char *
engine_kv_type_name(engine_kv_type type)
{
    return KV_TYPES[type].name;
}

engine_type
engine_kv_stored_type(engine_kv_type type)
{
    return KV_TYPES[type].type;
}

/* Whole pages of all layers' keys and values; FALSE when the sizes do not fit. */
static gboolean
kv_bytes(const engine_model *model, uint32_t n_context, engine_type type, uint64_t *out)
{
    const engine_kv_shape shape = engine_decoder_kv_shape(model, type, type);
    const uint64_t pages = ((uint64_t)n_context + ENGINE_KV_PAGE - 1) / ENGINE_KV_PAGE;
    const size_t page = engine_kv_page_bytes(&shape);

    return page > 0 && g_uint64_checked_mul(out, page, pages);
}

/* Buffers of one chunk, and one row of logits. */
static uint64_t
scratch_bytes(const engine_model *model)
{
    return engine_decoder_scratch_bytes(model, ENGINE_DECODER_CHUNK) +
           model->info.n_vocab * sizeof(float);
}

gboolean
engine_model_memory(const engine_model *model, uint32_t n_context, engine_kv_type kv_type,
                    engine_memory_plan *plan, GError **error)
{
    const engine_model_info *info = &model->info;

    if (info->kind != ENGINE_KIND_DECODER) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_ARGUMENT, "%s: an encoder keeps no context",
                    info->name);
        return FALSE;
    }
    *plan = (engine_memory_plan){.n_context = n_context > 0 ? n_context : info->n_context};
    plan->weight_bytes = info->n_bytes;
    plan->recurrent_bytes = engine_recurrent_bytes(model);
    plan->scratch_bytes = scratch_bytes(model);
    if (!kv_bytes(model, plan->n_context, KV_TYPES[kv_type].type, &plan->kv_bytes) ||
        !g_uint64_checked_add(&plan->total_bytes, plan->kv_bytes,
                              plan->weight_bytes + plan->recurrent_bytes + plan->scratch_bytes)) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_LIMIT,
                    "%s: a context of %u tokens needs more memory than can be counted", info->name,
                    plan->n_context);
        return FALSE;
    }
    return TRUE;
}

/* Of an expert tensor only n_used of n_experts are read; 1 for any other. */
static double
expert_share(const engine_weights *weights, const char *arch)
{
    static const char *const all[] = {"num_experts", "num_local_experts"};
    g_autofree char *gguf_used = g_strconcat(arch, ".expert_used_count", NULL);
    g_autofree char *gguf_all = g_strconcat(arch, ".expert_count", NULL);
    uint32_t n_used = 0, n_all = 0;

    if (!engine_weights_get_u32(weights, gguf_used, &n_used))
        engine_weights_get_u32(weights, "num_experts_per_tok", &n_used);
    if (!engine_weights_get_u32(weights, gguf_all, &n_all))
        for (size_t i = 0; n_all == 0 && i < G_N_ELEMENTS(all); i++)
            engine_weights_get_u32(weights, all[i], &n_all);
    return n_used > 0 && n_used < n_all ? (double)n_used / n_all : 1.0;
}

static gboolean
is_draft_head(const engine_weights *weights, const char *arch, const char *name)
{
    g_autofree char *key = g_strconcat(arch, ".nextn_predict_layers", NULL);
    g_autofree char *blocks = g_strconcat(arch, ".block_count", NULL);
    uint32_t n_draft = 0, n_blocks = 0;

    if (g_str_has_prefix(name, "mtp.")) return TRUE;
    if (!g_str_has_prefix(name, "blk.") || !engine_weights_get_u32(weights, key, &n_draft) ||
        !engine_weights_get_u32(weights, blocks, &n_blocks))
        return FALSE;
    return g_ascii_strtoull(name + strlen("blk."), NULL, 10) + n_draft >= n_blocks;
}

uint64_t
engine_model_active_bytes(const engine_model *model)
{
    static const char *const outputs[] = {"output.weight", "lm_head.weight"};
    const engine_weights *weights = model->weights;
    const char *stated = engine_weights_get_string(weights, "general.architecture");
    const char *arch = stated ? stated : ""; /* config.json's keys have no prefix */
    const double share = expert_share(weights, arch);
    gboolean own_output = FALSE;
    double bytes = 0.0;

    for (size_t i = 0; i < G_N_ELEMENTS(outputs); i++)
        own_output |= engine_weights_lookup(weights, outputs[i]) != NULL;
    for (size_t i = 0; i < engine_weights_n_tensors(weights); i++) {
        const engine_tensor *t = engine_weights_tensor_at(weights, i);
        const gboolean experts = strstr(t->name, "_exps.") || strstr(t->name, ".experts.");
        const gboolean embedding = g_str_has_suffix(t->name, "token_embd.weight") ||
                                   g_str_has_suffix(t->name, "embed_tokens.weight") ||
                                   g_str_has_suffix(t->name, "tok_embeddings.weight");
        if (is_draft_head(weights, arch, t->name)) continue;
        if (embedding && own_output)
            bytes += (double)t->n_bytes / (double)MAX(t->dims[1], 1);
        else
            bytes += (double)t->n_bytes * (experts ? share : 1.0);
    }
    return (uint64_t)bytes;
}
