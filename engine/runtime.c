/* The parts that sequences share; see runtime.h. */
#include "engine/runtime.h"

#include "engine/device.h"

/* Of what a device has left: the rest is for other sessions and models. */
#define CACHE_PART 2

/* What of the model its device has room for, with the weights copied there and a backend to run them. */
static gboolean
take_device(engine_runtime *runtime, const engine_runtime_options *options,
            const engine_kv_shape *shape, GError **error)
{
    const engine_model *model = runtime->model;
    const engine_placement_use use = {.max_rows = runtime->chunk,
                                      .n_pages = options->n_pages,
                                      .n_states = options->n_states,
                                      .kv_page_bytes = engine_kv_page_bytes(shape),
                                      .n_layers = model->wish.n_layers};

    if (!engine_device_stores(shape, error)) return FALSE;
    runtime->placement =
        engine_placement_choose(model, &use, engine_device_left(model->device), error);
    if (!runtime->placement) return FALSE;
    runtime->placement->device = engine_device_backend_new(model->device, model, runtime->pool,
                                                           runtime->chunk, options->n_pages, error);
    return runtime->placement->device != NULL &&
           engine_placement_load(runtime->placement, model->arch, error);
}

/* A device's memory is not to run out between requests, so all states are taken before the first. */
static gboolean
take_states(engine_runtime *runtime, uint32_t n, GError **error)
{
    if (engine_recurrent_bytes(runtime->model) == 0) return TRUE;
    runtime->spare = g_ptr_array_new_with_free_func((GDestroyNotify)engine_recurrent_free);
    for (uint32_t i = 0; i < n; i++) {
        engine_recurrent *state =
            engine_recurrent_new_on(runtime->model, runtime->placement, error);
        if (!state) return FALSE;
        g_ptr_array_add(runtime->spare, state);
    }
    return TRUE;
}

/* Cache, buffers, experts. */
static gboolean
allocate(engine_runtime *runtime, const engine_runtime_options *options,
         const engine_kv_shape *shape, GError **error)
{
    const engine_model *model = runtime->model;
    const engine_placement *placement = runtime->placement;
    g_autofree gboolean *there = engine_placement_kv_layers(placement, model->arch);

    runtime->kv = engine_kv_new_on(shape, options->n_pages, placement ? placement->device : NULL,
                                   there, error);
    if (!runtime->kv) return FALSE;
    runtime->scratch =
        engine_decoder_scratch_new_on(model, runtime->pool, placement, runtime->chunk, error);
    if (!runtime->scratch || (placement && !take_states(runtime, options->n_states, error)))
        return FALSE;
    if (options->expert_bytes == 0) return TRUE;
    runtime->experts = engine_expert_cache_new(model, options->expert_bytes, error);
    if (!runtime->experts) return FALSE;
    engine_decoder_scratch_set_experts(runtime->scratch,
                                       engine_expert_cache_source(runtime->experts));
    return TRUE;
}

engine_device_expert_stats
engine_runtime_gpu_experts(const engine_runtime *runtime)
{
    return runtime->placement ? engine_device_backend_expert_stats(runtime->placement->device)
                              : (engine_device_expert_stats){0};
}

static void
give_back(engine_runtime *runtime)
{
    g_clear_pointer(&runtime->spare, g_ptr_array_unref);
    g_clear_pointer(&runtime->scratch, engine_decoder_scratch_free);
    g_clear_pointer(&runtime->experts, engine_expert_cache_free);
    g_clear_pointer(&runtime->kv, engine_kv_free);
    if (runtime->placement) engine_device_backend_free(runtime->placement->device);
    g_clear_pointer(&runtime->placement, engine_placement_free);
    g_clear_pointer(&runtime->where, g_free);
}

/* With the device, when the model has one; without it when that fails and was not demanded. */
static gboolean
allocate_somewhere(engine_runtime *runtime, const engine_runtime_options *options,
                   const engine_kv_shape *shape, GError **error)
{
    const engine_model *model = runtime->model;
    g_autoptr(GError) failure = NULL;

    if (!model->device || options->host_only) return allocate(runtime, options, shape, error);
    if (take_device(runtime, options, shape, &failure) &&
        allocate(runtime, options, shape, &failure)) {
        if (!runtime->placement->experts && options->expert_bytes == 0)
            engine_device_backend_cache(
                runtime->placement->device, model,
                MIN(engine_device_left(model->device) / CACHE_PART, model->wish.expert_cache));
        runtime->where = engine_placement_describe(runtime->placement, model);
        return TRUE;
    }
    give_back(runtime);
    if (model->wish.demanded) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return FALSE;
    }
    runtime->where = g_strdup_printf("on the CPU: %s", failure->message);
    return allocate(runtime, options, shape, error);
}

gboolean
engine_runtime_init(engine_runtime *runtime, const engine_model *model, engine_pool *pool,
                    const engine_runtime_options *options, GError **error)
{
    *runtime = (engine_runtime){.model = model, .pool = pool, .chunk = MAX(options->chunk, 1)};
    if (model->info.kind != ENGINE_KIND_DECODER) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_ARGUMENT,
                    "%s is an encoder: it does not decode", model->info.name);
        return FALSE;
    }
    const engine_kv_shape shape =
        engine_decoder_kv_shape(model, options->kv_type, options->kv_type);
    if (!allocate_somewhere(runtime, options, &shape, error)) {
        g_prefix_error(error, "%s: ", model->info.name);
        engine_runtime_clear(runtime);
        return FALSE;
    }
    const engine_prefix_key identity = engine_prefix_identity(model, &shape, runtime->placement);
    runtime->prefixes = engine_prefix_cache_new(runtime->kv, engine_recurrent_bytes(model),
                                                options->prefix_bytes, &identity, options->store);
    return TRUE;
}

void
engine_runtime_clear(engine_runtime *runtime)
{
    g_clear_pointer(&runtime->prefixes, engine_prefix_cache_free);
    give_back(runtime);
}

engine_recurrent *
engine_runtime_recurrent(engine_runtime *runtime, GError **error)
{
    if (runtime->spare && runtime->spare->len > 0) {
        engine_recurrent *state = g_ptr_array_steal_index(runtime->spare, runtime->spare->len - 1);
        engine_recurrent_reset(state);
        return state;
    }
    return engine_recurrent_new_on(runtime->model, runtime->placement, error);
}

void
engine_runtime_give_recurrent(engine_runtime *runtime, engine_recurrent **state)
{
    if (*state && runtime->spare)
        g_ptr_array_add(runtime->spare, g_steal_pointer(state));
    else
        g_clear_pointer(state, engine_recurrent_free);
}

gboolean
engine_runtime_begin(engine_runtime *runtime, engine_sequence_state *state, uint32_t n_tokens,
                     GError **error)
{
    GError *failure = NULL;

    *state =
        (engine_sequence_state){.rope_base = engine_decoder_rope_base(runtime->model, n_tokens)};
    state->recurrent = engine_runtime_recurrent(runtime, &failure);
    if (!failure) return TRUE;
    g_propagate_error(error, failure);
    return FALSE;
}

void
engine_runtime_end(engine_runtime *runtime, engine_sequence_state *state)
{
    if (runtime->kv) engine_kv_clear(runtime->kv, &state->kv);
    engine_runtime_give_recurrent(runtime, &state->recurrent);
}

void
engine_runtime_reset(engine_runtime *runtime, engine_sequence_state *state)
{
    engine_kv_truncate(runtime->kv, &state->kv, 0);
    if (state->recurrent) engine_recurrent_reset(state->recurrent);
}

uint32_t
engine_runtime_step(const engine_runtime *runtime, uint32_t n_past, size_t n_left, uint32_t most)
{
    const uint32_t interval = engine_prefix_interval(runtime->prefixes);
    uint32_t n = (uint32_t)MIN(n_left, most);

    if (interval > 0) n = MIN(n, interval - n_past % interval);
    return n;
}

gboolean
engine_runtime_check_tokens(const engine_runtime *runtime, const int32_t *tokens, size_t n,
                            GError **error)
{
    const engine_model_info *info = &runtime->model->info;

    for (size_t i = 0; i < n; i++) {
        if (tokens[i] >= 0 && (uint32_t)tokens[i] < info->n_vocab) continue;
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_ARGUMENT,
                    "%s: token %d is outside its vocabulary of %u", info->name, tokens[i],
                    info->n_vocab);
        return FALSE;
    }
    return TRUE;
}

gboolean
engine_runtime_pass(engine_runtime *runtime, const int32_t *tokens, size_t rows,
                    const engine_decoder_span *spans, size_t n_spans, GError **error)
{
    g_assert(rows <= runtime->chunk);
    if (!engine_decoder_forward(runtime->scratch, runtime->kv, tokens, rows, spans, n_spans, error))
        return FALSE;
    for (size_t s = 0; s < n_spans; s++)
        spans[s].sequence->kv.n_tokens = spans[s].first + spans[s].n;
    return TRUE;
}
