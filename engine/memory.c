/* What a model needs beside its mapped file, computed from its sizes: nothing is allocated. */
#include "engine/runtime.h"

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
    const engine_type type = KV_TYPES[kv_type].type;
    const engine_kv_shape shape = engine_decoder_kv_shape(model, type, type);
    if (engine_kv_page_bytes(&shape) == 0) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_UNSUPPORTED,
                    "%s: heads of %u numbers cannot be kept as %s", info->name, info->head_dim,
                    KV_TYPES[kv_type].name);
        return FALSE;
    }
    *plan = (engine_memory_plan){.n_context = n_context > 0 ? n_context : info->n_context};
    plan->weight_bytes = info->n_bytes;
    plan->recurrent_bytes = engine_recurrent_bytes(model);
    plan->scratch_bytes = scratch_bytes(model);
    const uint64_t pages = ((uint64_t)plan->n_context + ENGINE_KV_PAGE - 1) / ENGINE_KV_PAGE;
    if (!g_uint64_checked_mul(&plan->kv_bytes, engine_kv_page_bytes(&shape), pages) ||
        !g_uint64_checked_add(&plan->total_bytes, plan->kv_bytes,
                              plan->weight_bytes + plan->recurrent_bytes + plan->scratch_bytes)) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_LIMIT,
                    "%s: a context of %u tokens needs more memory than can be counted", info->name,
                    plan->n_context);
        return FALSE;
    }
    return TRUE;
}
