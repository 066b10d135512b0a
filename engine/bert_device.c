/* The forward pass of bert_forward.c on a device: the same steps, in batches of as many tokens as its buffers hold. The
 * embedding tables stay here: a token's three rows are added on the way. */
#include "engine/bert_device.h"

struct engine_bert_device {
    const engine_model *model;
    engine_device *device; /* borrowed: it owns this */
    const lode_cuda_compute *compute;
    lode_cuda_queue *queue;
    GMutex mutex;
    float *x, *mixed, *delta, *qkv, *hidden, *out; /* there; as bert_run's, of BATCH rows */
    float *x_here;                                 /* [BATCH, d] */
    uint32_t *first;                               /* [BATCH + 1] */
    char message[LODE_CUDA_ERROR];
};

/* ---- weights ---- */

static gboolean
put_linear(engine_device *device, const engine_bert_linear *l, GError **error)
{
    return engine_device_place(device, l->w, error) &&
           engine_device_place_vector(device, l->bias, (size_t)l->w->dims[1], error);
}

static gboolean
put_norm(engine_device *device, const engine_bert_norm *norm, size_t d, GError **error)
{
    return engine_device_place_vector(device, norm->weight, d, error) &&
           engine_device_place_vector(device, norm->bias, d, error);
}

static gboolean
put_weights(engine_device *device, const engine_model *model, GError **error)
{
    const engine_bert *bert = model->arch;
    const size_t d = model->info.n_embd;

    for (uint32_t i = 0; i < model->info.n_layers; i++) {
        const engine_bert_layer *l = &bert->layers[i];
        if (!put_linear(device, &l->query, error) || !put_linear(device, &l->key, error) ||
            !put_linear(device, &l->value, error) || !put_linear(device, &l->output, error) ||
            !put_linear(device, &l->up, error) || !put_linear(device, &l->down, error) ||
            !put_norm(device, &l->attention_norm, d, error) ||
            !put_norm(device, &l->output_norm, d, error))
            return FALSE;
    }
    return put_norm(device, &bert->embedding_norm, d, error);
}

/* ---- opening ---- */

static float *
take(engine_bert_device *b, size_t n_floats)
{
    void *memory = NULL;
    const int code = b->compute->alloc(engine_device_handle(b->device), n_floats * sizeof(float),
                                       &memory, b->message);
    return code == LODE_CUDA_OK ? memory : NULL;
}

static gboolean
take_buffers(engine_bert_device *b)
{
    const size_t n = ENGINE_BERT_DEVICE_TOKENS, d = b->model->info.n_embd, ff = b->model->info.n_ff;

    b->x_here = g_try_malloc_n(n * d, sizeof(float));
    b->first = g_try_malloc_n(n + 1, sizeof *b->first);
    return b->x_here && b->first && (b->x = take(b, n * d)) && (b->mixed = take(b, n * d)) &&
           (b->delta = take(b, n * d)) && (b->qkv = take(b, n * 3 * d)) &&
           (b->hidden = take(b, n * ff)) && (b->out = take(b, n * d));
}

engine_bert_device *
engine_bert_device_new(const engine_model *model, engine_device *device, GError **error)
{
    engine_bert_device *b = g_new0(engine_bert_device, 1);
    const lode_cuda_sizes sizes = {.exact = engine_kernels_are_exact(model->kernels),
                                   .max_rows = ENGINE_BERT_DEVICE_TOKENS,
                                   .max_spans = ENGINE_BERT_DEVICE_TOKENS,
                                   .max_in = MAX(model->info.n_embd, model->info.n_ff),
                                   .max_weights = (uint64_t)model->info.n_embd *
                                                  MAX(model->info.n_embd, model->info.n_ff),
                                   .n_embd = model->info.n_embd,
                                   .max_heads = model->info.n_heads,
                                   .head_dim = model->info.head_dim};

    b->model = model;
    b->device = device;
    b->compute = engine_device_compute(device);
    g_mutex_init(&b->mutex);
    if (!put_weights(device, model, error)) {
        engine_bert_device_free(b);
        return NULL;
    }
    const int code =
        b->compute->queue_open(engine_device_handle(device), &sizes, &b->queue, b->message);
    if (code == LODE_CUDA_OK && take_buffers(b)) return b;
    engine_device_set_error(error, code != LODE_CUDA_OK ? code : LODE_CUDA_NO_MEMORY,
                            b->message[0] ? b->message : "no memory to embed with");
    engine_bert_device_free(b);
    return NULL;
}

void
engine_bert_device_free(engine_bert_device *b)
{
    if (!b) return;
    float *const there[] = {b->x, b->mixed, b->delta, b->qkv, b->hidden, b->out};

    if (b->queue) b->compute->queue_close(b->queue);
    for (size_t i = 0; i < G_N_ELEMENTS(there); i++)
        if (there[i]) b->compute->release(engine_device_handle(b->device), there[i]);
    g_free(b->x_here);
    g_free(b->first);
    g_mutex_clear(&b->mutex);
    g_free(b);
}

/* ---- the pass ---- */

static void
embed_here(engine_bert_device *b, const engine_bert_batch *batch)
{
    const engine_bert *bert = b->model->arch;
    const engine_kernels *k = b->model->kernels;
    const size_t d = b->model->info.n_embd;
    g_autofree float *row = g_new(float, d);

    for (size_t i = 0; i < batch->n_texts; i++) {
        const size_t end = batch->first[i + 1], second = batch->second ? batch->second[i] : end;
        for (size_t t = batch->first[i]; t < end; t++) {
            float *x = b->x_here + t * d;
            engine_tensor_row(bert->words, (size_t)batch->tokens[t], x);
            engine_tensor_row(bert->types, t < second ? 0 : 1, row);
            k->add(x, row, d);
            engine_tensor_row(bert->positions, t - batch->first[i], row);
            k->add(x, row, d);
        }
    }
}

static lode_cuda_product
product(engine_bert_device *b, const engine_bert_linear *l, float *y, size_t ldy)
{
    return (lode_cuda_product){engine_device_matrix(b->device, l->w),
                               engine_device_vector(b->device, l->bias), y, ldy};
}

static int
add_norm(engine_bert_device *b, const float *delta, const engine_bert_norm *norm, size_t n)
{
    return b->compute->layer_norm(b->queue, b->x, delta,
                                  engine_device_vector(b->device, norm->weight),
                                  engine_device_vector(b->device, norm->bias),
                                  b->model->info.norm_eps, b->model->info.n_embd, n, b->message);
}

static int
run_layer(engine_bert_device *b, const engine_bert_layer *l, const engine_bert_batch *batch,
          size_t n)
{
    const engine_model_info *info = &b->model->info;
    const engine_bert *bert = b->model->arch;
    const lode_cuda_compute *c = b->compute;
    const size_t d = info->n_embd;
    const lode_cuda_product in[3] = {product(b, &l->query, b->qkv, 3 * d),
                                     product(b, &l->key, b->qkv + d, 3 * d),
                                     product(b, &l->value, b->qkv + 2 * d, 3 * d)};
    const lode_cuda_product mix = product(b, &l->output, b->delta, d),
                            up = product(b, &l->up, b->hidden, info->n_ff),
                            down = product(b, &l->down, b->delta, d);
    /* products of packed weights round to half, too */
    const gboolean exact =
        l->query.w->type == ENGINE_TYPE_F32 || engine_kernels_are_exact(b->model->kernels);
    int code = c->project(b->queue, b->x, n, in, 3, b->message);

    if (!code)
        code = c->attend_texts(b->queue, b->qkv, b->first, batch->n_texts, info->n_heads,
                               info->head_dim, exact, b->mixed, b->message);
    if (!code) code = c->project(b->queue, b->mixed, n, &mix, 1, b->message);
    if (!code) code = add_norm(b, b->delta, &l->attention_norm, n);
    if (!code) code = c->project(b->queue, b->x, n, &up, 1, b->message);
    if (!code) code = c->gelu(b->queue, b->hidden, info->n_ff, n, bert->gelu_tanh, b->message);
    if (!code) code = c->project(b->queue, b->hidden, n, &down, 1, b->message);
    return code ? code : add_norm(b, b->delta, &l->output_norm, n);
}

static gboolean
forward(engine_bert_device *b, const engine_bert_batch *batch, gboolean mean, gboolean normalize,
        float *out, GError **error)
{
    const engine_bert *bert = b->model->arch;
    const size_t n = batch->first[batch->n_texts], d = b->model->info.n_embd;

    g_assert(n <= ENGINE_BERT_DEVICE_TOKENS);
    g_mutex_lock(&b->mutex);
    embed_here(b, batch);
    for (size_t i = 0; i <= batch->n_texts; i++)
        b->first[i] = (uint32_t)batch->first[i];
    int code = b->compute->copy_in(b->queue, b->x, b->x_here, n * d * sizeof(float), b->message);
    if (!code) code = add_norm(b, NULL, &bert->embedding_norm, n);
    for (uint32_t i = 0; !code && i < b->model->info.n_layers; i++)
        code = run_layer(b, &bert->layers[i], batch, n);
    if (!code)
        code = b->compute->pool_texts(b->queue, b->x, b->first, batch->n_texts, d, mean, normalize,
                                      b->out, b->message);
    if (!code)
        code = b->compute->copy_out(b->queue, out, b->out, batch->n_texts * d * sizeof(float),
                                    b->message);
    if (code) engine_device_set_error(error, code, b->message);
    g_mutex_unlock(&b->mutex);
    return code == LODE_CUDA_OK;
}

gboolean
engine_bert_device_forward(engine_bert_device *b, const engine_bert_batch *batch, float *out,
                           GError **error)
{
    const engine_model_info *info = &b->model->info;
    return forward(b, batch, info->pooling == ENGINE_POOLING_MEAN, info->normalize, out, error);
}

gboolean
engine_bert_device_first_rows(engine_bert_device *b, const engine_bert_batch *batch, float *out,
                              GError **error)
{
    return forward(b, batch, FALSE, FALSE, out, error);
}

/* ---- with or without ---- */

gboolean
engine_bert_device_give_up(const engine_model *model, GError *failure, GError **error)
{
    if (model->wish.demanded) {
        g_propagate_error(error, failure);
        return FALSE;
    }
    engine_device_bert_fail(model->device, failure->message);
    g_error_free(failure);
    return TRUE;
}

gboolean
engine_bert_device_find(const engine_model *model, engine_bert_device **out, GError **error)
{
    GError *failure = NULL;

    *out = NULL;
    if (!model->device || model->info.n_context >= ENGINE_BERT_DEVICE_TOKENS) return TRUE;
    g_autofree char *failed = engine_device_bert_failure(model->device);
    if (failed) return TRUE;
    *out = engine_device_bert(model->device, model, &failure);
    return *out || engine_bert_device_give_up(model, failure, error);
}
