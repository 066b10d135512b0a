/* What a model needs beside its mapped file, computed from its sizes: nothing is allocated. */
#include "engine/runtime.h"

#include <string.h>
#include <unistd.h>

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

gboolean
engine_kv_type_parse(const char *name, engine_kv_type *type)
{
    for (size_t i = 0; i < G_N_ELEMENTS(KV_TYPES); i++) {
        if (strcmp(name, KV_TYPES[i].name) != 0) continue;
        *type = (engine_kv_type)i;
        return TRUE;
    }
    return FALSE;
}

engine_type
engine_kv_stored_type(engine_kv_type type)
{
    return KV_TYPES[type].type;
}

uint64_t
engine_memory_pages(uint32_t n_context, uint32_t n_sequences)
{
    const uint64_t each = ((uint64_t)n_context + ENGINE_KV_PAGE - 1) / ENGINE_KV_PAGE;
    return each * n_sequences + 1;
}

gboolean
engine_memory_count(const engine_memory_use *use, engine_memory_plan *plan, GError **error)
{
    const engine_model *model = use->model;
    const engine_model_info *info = &model->info;
    const engine_type type = KV_TYPES[use->kv_type].type;
    const engine_kv_shape shape = engine_decoder_kv_shape(model, type, type);
    const size_t page_bytes = engine_kv_page_bytes(&shape);

    if (page_bytes == 0) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_UNSUPPORTED,
                    "%s: heads of %u numbers cannot be kept as %s", info->name, info->head_dim,
                    KV_TYPES[use->kv_type].name);
        return FALSE;
    }
    plan->weight_bytes = info->n_bytes;
    /* 32 bits times sizes that the loader has bounded */
    plan->scratch_bytes = engine_decoder_scratch_bytes(model, use->chunk) +
                          (uint64_t)use->n_logit_rows * info->n_vocab * sizeof(float);
    if (!g_uint64_checked_mul(&plan->recurrent_bytes, engine_recurrent_bytes(model),
                              use->n_states) ||
        !g_uint64_checked_mul(&plan->kv_bytes, page_bytes, use->n_pages) ||
        !g_uint64_checked_add(&plan->total_bytes, plan->kv_bytes, plan->recurrent_bytes) ||
        !g_uint64_checked_add(&plan->total_bytes, plan->total_bytes,
                              plan->weight_bytes + plan->scratch_bytes)) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_LIMIT,
                    "%s: %s needs more memory than can be counted", info->name, use->what);
        return FALSE;
    }
    return TRUE;
}

static gboolean
refuse(const engine_memory_use *use, const engine_memory_plan *plan, GError **error)
{
    g_autofree char *total = g_format_size_full(plan->total_bytes, G_FORMAT_SIZE_IEC_UNITS),
                    *weights = g_format_size_full(plan->weight_bytes, G_FORMAT_SIZE_IEC_UNITS),
                    *kv = g_format_size_full(plan->kv_bytes, G_FORMAT_SIZE_IEC_UNITS),
                    *buffers = g_format_size_full(plan->scratch_bytes + plan->recurrent_bytes,
                                                  G_FORMAT_SIZE_IEC_UNITS),
                    *allowed = g_format_size_full(use->max_memory, G_FORMAT_SIZE_IEC_UNITS);

    g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_LIMIT,
                "%s: %s needs %s (weights %s, keys and values %s, buffers %s), more than the "
                "allowed %s",
                use->model->info.name, use->what, total, weights, kv, buffers, allowed);
    return FALSE;
}

gboolean
engine_memory_check(const engine_memory_use *use, engine_runtime_options *options, GError **error)
{
    const uint64_t machine = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    const uint64_t most = use->max_memory;
    engine_memory_plan plan = {0};

    options->expert_bytes = 0;
    options->n_states = use->n_states;
    options->prefix_bytes = ENGINE_PREFIX_BYTES;
    if (!engine_memory_count(use, &plan, error)) return FALSE;
    /* the cache takes memory as it fills: one that can never fit is refused now, not by the system later */
    if (plan.total_bytes - plan.weight_bytes > machine) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_LIMIT,
                    "%s: %s needs more memory than this machine has", use->model->info.name,
                    use->what);
        return FALSE;
    }
    if (most == 0) return TRUE;
    options->prefix_bytes = 0;
    if (plan.total_bytes <= most) {
        options->prefix_bytes = MIN(ENGINE_PREFIX_BYTES, most - plan.total_bytes);
        return TRUE;
    }
    const engine_expert_sizes sizes = engine_expert_sizes_of(use->model);
    const uint64_t others = plan.total_bytes - MIN(sizes.all_bytes, plan.total_bytes);
    if (sizes.n_used == 0 || most < others || (most - others) / sizes.slab_bytes < sizes.n_used)
        return refuse(use, &plan, error);
    options->expert_bytes = most - others;
    return TRUE;
}

gboolean
engine_model_memory(const engine_model *model, uint32_t n_context, uint32_t n_sequences,
                    engine_kv_type kv_type, engine_memory_plan *plan, GError **error)
{
    const engine_model_info *info = &model->info;

    if (info->kind != ENGINE_KIND_DECODER) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_ARGUMENT, "%s: an encoder keeps no context",
                    info->name);
        return FALSE;
    }
    *plan = (engine_memory_plan){.n_context = n_context > 0 ? n_context : info->n_context,
                                 .n_sequences = MAX(n_sequences, 1)};
    g_autofree char *what = g_strdup_printf("a context of %u tokens", plan->n_context);
    const engine_memory_use use = {
        .model = model,
        .n_pages = engine_memory_pages(plan->n_context, plan->n_sequences),
        .n_states = plan->n_sequences,
        .chunk = MAX(ENGINE_DECODER_CHUNK, plan->n_sequences),
        .n_logit_rows = plan->n_sequences,
        .kv_type = kv_type,
        .what = what,
    };
    return engine_memory_count(&use, plan, error);
}
