/* Deciding what of a model runs on a device, from sizes alone: nothing is allocated.
 *
 *   1. everything, when it fits;
 *   2. everything but the routed experts, which are nearly all of a mixture's bytes and few of which a token needs: one
 *      card then runs a model many times its memory (the idea is that of KTransformers and llama.cpp's --cpu-moe);
 *   3. the last layers and the output, as many as fit: the residual stream crosses over once. */
#include "engine/bert_device.h"
#include "engine/model.h"
#include "engine/placement.h"
#include "engine/recurrent.h"
#include "engine/runtime.h"

typedef struct {
    uint64_t rest,
        experts; /* bytes of a layer: its routed experts and everything else, cache and state included */
} layer_bytes;

typedef struct {
    layer_bytes *layers; /* [n_layers] */
    layer_bytes end;     /* output and draft heads */
    uint64_t fixed;      /* buffers of a pass */
    uint64_t kv, state;  /* of one layer */
    uint64_t all_experts;
} sizes;

static uint64_t
linear_bytes(const engine_linear *linear)
{
    return linear->w ? engine_device_tensor_bytes(linear->w) : 0;
}

static uint64_t
dense_bytes(const engine_dense_ffn *f)
{
    return f->n_ff == 0 ? 0
                        : linear_bytes(&f->gate) + linear_bytes(&f->up) + linear_bytes(&f->down);
}

static uint64_t
stack_bytes(const engine_tensor *tensors, uint32_t n)
{
    return tensors ? n * engine_device_tensor_bytes(tensors) : 0;
}

static layer_bytes
bytes_of(const engine_decoder *d, const engine_decoder_layer *layer, const sizes *s)
{
    const engine_moe_ffn *m = &layer->moe;
    layer_bytes n = {.rest = 4ull * d->n_embd * sizeof(float)};

    if (layer->is_delta) {
        for (uint32_t i = 0; i < layer->delta.n_in; i++)
            n.rest += linear_bytes(&layer->delta.in[i]);
        n.rest += linear_bytes(&layer->delta.out) + s->state +
                  (uint64_t)d->delta.kernel * d->delta.n_channels * sizeof(float);
    } else {
        for (uint32_t i = 0; i < layer->attention.n_in; i++)
            n.rest += linear_bytes(&layer->attention.in[i]);
        n.rest += linear_bytes(&layer->attention.out) + s->kv;
    }
    if (!layer->is_moe) {
        n.rest += dense_bytes(&layer->dense);
        return n;
    }
    n.rest += linear_bytes(&m->logits) + dense_bytes(&m->shared) + linear_bytes(&m->shared_gate);
    const uint32_t n_experts = m->router.n_experts;
    n.experts = stack_bytes(m->gate, n_experts) + stack_bytes(m->up, n_experts) +
                stack_bytes(m->gate_up, n_experts) + stack_bytes(m->down, n_experts);
    return n;
}

static sizes
measure(const engine_model *model, const engine_placement_use *use)
{
    const engine_decoder *d = model->arch;
    sizes s = {.layers = g_new0(layer_bytes, d->n_layers)};

    s.kv = use->kv_page_bytes / MAX(1, d->n_attention + (d->n_mtp > 0 ? 1 : 0)) * use->n_pages;
    if (d->n_delta > 0) s.state = engine_recurrent_bytes(model) / d->n_delta * use->n_states;
    /* the pass's buffers twice: the backend has some of its own */
    s.fixed = LODE_CUDA_WORKSPACE + 2 * engine_decoder_scratch_bytes(model, use->max_rows);
    for (uint32_t i = 0; i < d->n_layers; i++) {
        s.layers[i] = bytes_of(d, &d->layers[i], &s);
        s.all_experts += s.layers[i].experts;
    }
    s.end.rest = engine_device_tensor_bytes(d->output);
    for (uint32_t i = 0; i < d->n_mtp; i++) {
        const layer_bytes head = bytes_of(d, &d->mtp[i].layer, &s);
        s.end.rest += head.rest + linear_bytes(&d->mtp[i].join);
        s.end.experts += head.experts;
    }
    s.all_experts += s.end.experts;
    return s;
}

/* The last n layers with what comes behind them; n 0: that alone. */
static uint64_t
bytes_of_last(const sizes *s, uint32_t n_layers, uint32_t n, gboolean experts)
{
    uint64_t sum = s->fixed + s->end.rest + (experts ? s->end.experts : 0);

    for (uint32_t i = n_layers - n; i < n_layers; i++)
        sum += s->layers[i].rest + (experts ? s->layers[i].experts : 0);
    return sum;
}

static engine_placement *
place_last(const engine_decoder *d, const sizes *s, uint32_t n, gboolean experts)
{
    engine_placement *p = g_new0(engine_placement, 1);

    p->layers = g_new0(gboolean, d->n_layers);
    for (uint32_t i = d->n_layers - n; i < d->n_layers; i++)
        p->layers[i] = TRUE;
    p->n_layers = n;
    p->experts = experts;
    p->output = TRUE;
    p->n_bytes = bytes_of_last(s, d->n_layers, n, experts);
    return p;
}

static engine_placement *
refuse(const engine_model *model, uint64_t needed, uint64_t left, const char *what, GError **error)
{
    g_autofree char *needs = g_format_size_full(needed, G_FORMAT_SIZE_IEC_UNITS),
                    *has = g_format_size_full(left, G_FORMAT_SIZE_IEC_UNITS);

    g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_LIMIT,
                "%s: %s needs %s of GPU memory, of which %s may be used", model->info.name, what,
                needs, has);
    return NULL;
}

engine_placement *
engine_placement_choose(const engine_model *model, const engine_placement_use *use, uint64_t left,
                        GError **error)
{
    const engine_decoder *d = model->arch;
    const sizes s = measure(model, use);
    const uint32_t n = d->n_layers;
    const gboolean mixture = s.all_experts > 0;
    engine_placement *p = NULL;

    if (use->n_layers >= 0) {
        const uint32_t wanted = MIN((uint32_t)use->n_layers, n);
        g_autofree char *what = g_strdup_printf("%u of %u layers", wanted, n);
        if (bytes_of_last(&s, n, wanted, TRUE) <= left)
            p = place_last(d, &s, wanted, TRUE);
        else if (mixture && bytes_of_last(&s, n, wanted, FALSE) <= left)
            p = place_last(d, &s, wanted, FALSE);
        else
            refuse(model, bytes_of_last(&s, n, wanted, FALSE), left, what, error);
    } else if (bytes_of_last(&s, n, n, TRUE) <= left) {
        p = place_last(d, &s, n, TRUE);
    } else if (mixture && bytes_of_last(&s, n, n, FALSE) <= left) {
        p = place_last(d, &s, n, FALSE);
    } else {
        uint32_t fit = 0;
        while (fit < n && bytes_of_last(&s, n, fit + 1, FALSE) <= left)
            fit++;
        if (fit > 0)
            p = place_last(d, &s, fit, !mixture);
        else
            refuse(model, bytes_of_last(&s, n, 1, FALSE), left, "a single layer", error);
    }
    g_free(s.layers);
    return p;
}

void
engine_placement_free(engine_placement *placement)
{
    if (!placement) return;
    g_free(placement->layers);
    g_free(placement);
}

char *
engine_placement_describe(const engine_placement *p, const engine_model *model)
{
    const engine_decoder *d = model->arch;
    g_autofree char *bytes = g_format_size_full(p->n_bytes, G_FORMAT_SIZE_IEC_UNITS);
    const char *experts = d->max_experts == 0 ? ""
                          : p->experts        ? " with their experts"
                                              : ", their routed experts on the CPU";

    if (p->n_layers == d->n_layers)
        return g_strdup_printf("all %u layers on the GPU%s, %s", d->n_layers, experts, bytes);
    return g_strdup_printf("the last %u of %u layers on the GPU%s, the others on the CPU, %s",
                           p->n_layers, d->n_layers, experts, bytes);
}

static char *
describe_encoder(const engine_model *model)
{
    g_autofree char *failure = engine_device_bert_failure(model->device);

    if (failure) return g_strconcat("embeds on the CPU: ", failure, NULL);
    if (model->info.n_context >= ENGINE_BERT_DEVICE_TOKENS)
        return g_strdup_printf("embeds on the CPU: its texts may have %u tokens",
                               model->info.n_context);
    return g_strdup(model->info.n_labels > 0 ? "judges on the CPU, embeds on the GPU"
                                             : "embeds on the GPU");
}

char *
engine_model_describe_placement(const engine_model *model, uint32_t n_context, uint32_t n_sequences,
                                engine_kv_type kv_type, GError **error)
{
    if (!model->device) return NULL;
    if (model->info.kind == ENGINE_KIND_ENCODER) return describe_encoder(model);
    const uint32_t n = MAX(n_sequences, 1),
                   n_tokens = n_context > 0 ? n_context : model->info.n_context;
    const engine_type type = engine_kv_stored_type(kv_type);
    const engine_kv_shape shape = engine_decoder_kv_shape(model, type, type);
    const engine_placement_use use = {
        .max_rows = MAX(ENGINE_DECODER_CHUNK, n),
        .n_pages = (uint32_t)MIN(engine_memory_pages(n_tokens, n), G_MAXUINT32),
        .n_states = n,
        .kv_page_bytes = engine_kv_page_bytes(&shape),
        .n_layers = model->wish.n_layers};

    if (!engine_device_stores(&shape, error)) return NULL;
    g_autoptr(engine_placement) p =
        engine_placement_choose(model, &use, engine_device_left(model->device), error);
    return p ? engine_placement_describe(p, model) : NULL;
}
