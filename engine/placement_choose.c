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
    uint64_t bytes, placed; /* placed: of those, what lies there already, for a session before */
} amount;

typedef struct {
    amount rest,
        experts; /* of a layer: its routed experts; everything else, cache and state included */
} layer_bytes;

typedef struct {
    engine_device *device; /* borrowed; NULL: nothing is placed yet */
    layer_bytes *layers;   /* [n_layers] */
    layer_bytes end;       /* output and draft heads */
    uint64_t fixed;        /* buffers of a pass */
    uint64_t kv, state;    /* of one layer */
    uint64_t all_experts;
} sizes;

static void
add_tensor(amount *sum, const engine_tensor *t, const sizes *s)
{
    const uint64_t n_bytes = engine_device_tensor_bytes(t);

    sum->bytes += n_bytes;
    if (s->device && engine_device_matrix(s->device, t)) sum->placed += n_bytes;
}

static void
add_linear(amount *sum, const engine_linear *linear, const sizes *s)
{
    if (linear->w) add_tensor(sum, linear->w, s);
}

static void
add_dense(amount *sum, const engine_dense_ffn *f, const sizes *s)
{
    if (f->n_ff == 0) return;
    add_linear(sum, &f->gate, s);
    add_linear(sum, &f->up, s);
    add_linear(sum, &f->down, s);
}

static uint64_t
stack_bytes(const engine_tensor *tensors, uint32_t n)
{
    return tensors ? n * engine_device_tensor_bytes(tensors) : 0;
}

static void
add_experts(amount *sum, const engine_moe_ffn *m, const sizes *s)
{
    const uint32_t n = m->router.n_experts;
    const uint64_t n_bytes = stack_bytes(m->gate, n) + stack_bytes(m->up, n) +
                             stack_bytes(m->gate_up, n) + stack_bytes(m->down, n);

    sum->bytes += n_bytes;
    if (s->device && engine_device_experts(s->device, m->down)) sum->placed += n_bytes;
}

static layer_bytes
bytes_of(const engine_decoder *d, const engine_decoder_layer *layer, const sizes *s)
{
    const engine_moe_ffn *m = &layer->moe;
    layer_bytes n = {.rest.bytes = 4ull * d->n_embd * sizeof(float)};

    if (layer->is_delta) {
        for (uint32_t i = 0; i < layer->delta.n_in; i++)
            add_linear(&n.rest, &layer->delta.in[i], s);
        add_linear(&n.rest, &layer->delta.out, s);
        n.rest.bytes += s->state + (uint64_t)d->delta.kernel * d->delta.n_channels * sizeof(float);
    } else {
        for (uint32_t i = 0; i < layer->attention.n_in; i++)
            add_linear(&n.rest, &layer->attention.in[i], s);
        add_linear(&n.rest, &layer->attention.out, s);
        n.rest.bytes += s->kv;
    }
    if (!layer->is_moe) {
        add_dense(&n.rest, &layer->dense, s);
        return n;
    }
    add_linear(&n.rest, &m->logits, s);
    add_dense(&n.rest, &m->shared, s);
    add_linear(&n.rest, &m->shared_gate, s);
    add_experts(&n.experts, m, s);
    return n;
}

static sizes
measure(const engine_model *model, const engine_placement_use *use)
{
    const engine_decoder *d = model->arch;
    sizes s = {.device = model->device, .layers = g_new0(layer_bytes, d->n_layers)};

    s.kv = use->kv_page_bytes / MAX(1, d->n_attention + (d->n_mtp > 0 ? 1 : 0)) * use->n_pages;
    if (d->n_delta > 0) s.state = engine_recurrent_bytes(model) / d->n_delta * use->n_states;
    /* the pass's buffers twice: the backend has some of its own */
    s.fixed = LODE_CUDA_WORKSPACE + 2 * engine_decoder_scratch_bytes(model, use->max_rows);
    if (d->n_delta > 0)
        s.fixed += (uint64_t)use->max_rows * d->delta.n_v * LODE_CUDA_DELTA_CHUNK * sizeof(float);
    for (uint32_t i = 0; i < d->n_layers; i++) {
        s.layers[i] = bytes_of(d, &d->layers[i], &s);
        s.all_experts += s.layers[i].experts.bytes;
    }
    add_tensor(&s.end.rest, d->output, &s);
    for (uint32_t i = 0; i < d->n_mtp; i++) {
        const layer_bytes head = bytes_of(d, &d->mtp[i].layer, &s);
        s.end.rest.bytes += head.rest.bytes;
        s.end.rest.placed += head.rest.placed;
        add_linear(&s.end.rest, &d->mtp[i].join, &s);
        s.end.experts.bytes += head.experts.bytes;
        s.end.experts.placed += head.experts.placed;
    }
    s.all_experts += s.end.experts.bytes;
    return s;
}

/* The last n layers with what comes behind them; n 0: that alone. */
static amount
amount_of_last(const sizes *s, uint32_t n_layers, uint32_t n, gboolean experts)
{
    amount sum = {s->fixed + s->end.rest.bytes, s->end.rest.placed};

    if (experts) sum.bytes += s->end.experts.bytes, sum.placed += s->end.experts.placed;
    for (uint32_t i = n_layers - n; i < n_layers; i++) {
        const layer_bytes *layer = &s->layers[i];
        sum.bytes += layer->rest.bytes + (experts ? layer->experts.bytes : 0);
        sum.placed += layer->rest.placed + (experts ? layer->experts.placed : 0);
    }
    return sum;
}

/* What they still take. */
static uint64_t
bytes_of_last(const sizes *s, uint32_t n_layers, uint32_t n, gboolean experts)
{
    const amount sum = amount_of_last(s, n_layers, n, experts);
    return sum.bytes - sum.placed;
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
    p->n_bytes = amount_of_last(s, d->n_layers, n, experts).bytes;
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

    const char *does = model->info.n_labels > 0 ? "judges" : "embeds";
    if (failure) return g_strdup_printf("%s on the CPU: %s", does, failure);
    if (model->info.n_context >= ENGINE_BERT_DEVICE_TOKENS)
        return g_strdup_printf("%s on the CPU: its texts may have %u tokens", does,
                               model->info.n_context);
    return g_strdup_printf("%s on the GPU", does);
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
