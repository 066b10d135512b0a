#include "host_compute.h"

#include "engine/backend.h"
#include "engine/kv_private.h"
#include "engine/router.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct piece {
    struct piece *next;
    size_t n_bytes;
    max_align_t data[];
} piece;

struct lode_cuda_device {
    uint64_t limit, used;
    piece *pieces;
};

struct lode_cuda_queue {
    lode_cuda_sizes sizes;
    engine_pool *pool;
    const engine_kernels *kernels;
    lode_cuda_span *spans;
    uint32_t *pages; /* copies: the caller's may change as soon as begin_pass has returned */
    size_t n_spans;
};

static unsigned n_taken, n_live, failing;
static int failing_for_good;

void
host_compute_fail(unsigned nth, int for_good)
{
    n_taken = 0;
    failing = nth;
    failing_for_good = for_good;
}

unsigned
host_compute_n_allocations(void)
{
    return n_taken;
}

unsigned
host_compute_n_live(void)
{
    return n_live;
}

static gboolean
fails(void)
{
    n_taken++;
    return failing > 0 && (n_taken == failing || (failing_for_good && n_taken > failing));
}

/* ---- memory ---- */

static int
device_open(int index, uint64_t limit, lode_cuda_device **out, char *error)
{
    if (index != 0 || fails()) {
        snprintf(error, LODE_CUDA_ERROR, "no GPU %d", index);
        return LODE_CUDA_FAILED;
    }
    *out = g_new0(lode_cuda_device, 1);
    (*out)->limit = limit > 0 ? limit : (uint64_t)1 << 30;
    n_live++;
    return LODE_CUDA_OK;
}

static void
device_close(lode_cuda_device *device)
{
    if (!device) return;
    for (piece *p = device->pieces, *next; p; p = next) {
        next = p->next;
        g_free(p);
        n_live--;
    }
    g_free(device);
    n_live--;
}

static int
device_memory(lode_cuda_device *device, uint64_t *used, uint64_t *left, char *error)
{
    (void)error;
    *used = device->used;
    *left = device->limit - device->used;
    return LODE_CUDA_OK;
}

static int
take(lode_cuda_device *device, size_t n_bytes, void **out, char *error)
{
    if (fails() || n_bytes > device->limit - device->used) {
        snprintf(error, LODE_CUDA_ERROR, "%zu bytes of GPU memory are asked for, %zu are left",
                 n_bytes, (size_t)(device->limit - device->used));
        return LODE_CUDA_NO_MEMORY;
    }
    piece *p = g_malloc0(sizeof *p + n_bytes);
    p->n_bytes = n_bytes;
    p->next = device->pieces;
    device->pieces = p;
    device->used += n_bytes;
    n_live++;
    *out = p->data;
    return LODE_CUDA_OK;
}

static void
release(lode_cuda_device *device, void *memory)
{
    for (piece **at = &device->pieces; memory && *at; at = &(*at)->next) {
        piece *p = *at;
        if ((void *)p->data != memory) continue;
        *at = p->next;
        device->used -= p->n_bytes;
        memset(p->data, 0xff, p->n_bytes);
        g_free(p);
        n_live--;
        return;
    }
    g_assert(!memory);
}

static int
fill(lode_cuda_device *device, void *dst, const void *host, size_t n_bytes, char *error)
{
    (void)device, (void)error;
    memcpy(dst, host, n_bytes);
    return LODE_CUDA_OK;
}

static int
queue_open(lode_cuda_device *device, const lode_cuda_sizes *sizes, lode_cuda_queue **out,
           char *error)
{
    (void)device;
    if (fails()) {
        snprintf(error, LODE_CUDA_ERROR, "no memory for a queue of %u rows", sizes->max_rows);
        return LODE_CUDA_NO_MEMORY;
    }
    lode_cuda_queue *q = *out = g_new0(lode_cuda_queue, 1);
    q->sizes = *sizes;
    q->pool = engine_pool_new(1);
    q->kernels = engine_kernels_exact(engine_kernels_best());
    q->spans = g_new0(lode_cuda_span, sizes->max_spans);
    q->pages = g_new0(uint32_t, sizes->max_pages);
    n_live++;
    return LODE_CUDA_OK;
}

static void
queue_close(lode_cuda_queue *q)
{
    engine_pool_free(q->pool);
    g_free(q->spans);
    g_free(q->pages);
    g_free(q);
    n_live--;
}

static int
copy(lode_cuda_queue *q, void *dst, const void *src, size_t n_bytes, char *error)
{
    (void)q, (void)error;
    memcpy(dst, src, n_bytes);
    return LODE_CUDA_OK;
}

static int
clear(lode_cuda_queue *q, void *dst, size_t n_bytes, char *error)
{
    (void)q, (void)error;
    memset(dst, 0, n_bytes);
    return LODE_CUDA_OK;
}

static int
wait_for_all(lode_cuda_queue *q, char *error)
{
    (void)q, (void)error;
    return LODE_CUDA_OK;
}

/* ---- rows ---- */

static int
begin_pass(lode_cuda_queue *q, const lode_cuda_span *spans, size_t n_spans, size_t n, char *error)
{
    size_t n_pages = 0;

    (void)error;
    g_assert(n <= q->sizes.max_rows && n_spans <= q->sizes.max_spans);
    for (size_t i = 0; i < n_spans; i++) {
        q->spans[i] = spans[i];
        q->spans[i].pages = q->pages + n_pages;
        g_assert(n_pages + spans[i].n_pages <= q->sizes.max_pages);
        memcpy(q->pages + n_pages, spans[i].pages, spans[i].n_pages * sizeof *q->pages);
        n_pages += spans[i].n_pages;
    }
    q->n_spans = n_spans;
    return LODE_CUDA_OK;
}

/* The matrix as the engine's own kernels know it. */
static engine_tensor
tensor_of(const lode_cuda_matrix *m, const void *data, const float *scales, engine_tensor *tmp)
{
    engine_tensor t = {.name = "",
                       .type = (engine_type)m->type,
                       .n_dims = 2,
                       .dims = {m->n_in, m->n_out, 1, 1},
                       .data = data};

    g_assert(engine_tensor_size(m->type, 2, t.dims, &t.n_bytes));
    if (!scales) return t;
    *tmp = (engine_tensor){.name = "",
                           .type = ENGINE_TYPE_F32,
                           .n_dims = 2,
                           .dims = {(m->n_in + m->scale_cols - 1) / m->scale_cols,
                                    (m->n_out + m->scale_rows - 1) / m->scale_rows, 1, 1},
                           .data = (const uint8_t *)scales};
    t.scales = tmp;
    t.scale_rows = m->scale_rows;
    t.scale_cols = m->scale_cols;
    return t;
}

static void
multiply(lode_cuda_queue *q, const lode_cuda_matrix *m, const void *data, const float *scales,
         const float *bias, const float *x, size_t n, float *y, size_t ldy)
{
    engine_tensor tmp;
    const engine_tensor t = tensor_of(m, data, scales, &tmp);
    const engine_matmul_job job = {&t, bias, y, ldy};

    engine_matmul(q->pool, q->kernels, &job, 1, x, n);
}

static int
embed(lode_cuda_queue *q, const lode_cuda_matrix *table, const int32_t *tokens, size_t n, float *x,
      size_t ldx, char *error)
{
    engine_tensor tmp;
    const engine_tensor t = tensor_of(table, table->data, table->scales, &tmp);

    (void)q, (void)error;
    for (size_t i = 0; i < n; i++)
        engine_tensor_row(&t, (size_t)tokens[i], x + i * ldx);
    return LODE_CUDA_OK;
}

static int
gather(lode_cuda_queue *q, const float *x, const uint32_t *rows, size_t n, size_t n_elems, float *y,
       char *error)
{
    (void)q, (void)error;
    for (size_t i = 0; i < n; i++)
        memcpy(y + i * n_elems, x + rows[i] * n_elems, n_elems * sizeof *y);
    return LODE_CUDA_OK;
}

static int
rms_norm(lode_cuda_queue *q, const float *x, size_t ldx, const float *w, float eps, size_t n_elems,
         size_t n, float *y, size_t ldy, char *error)
{
    (void)error;
    for (size_t i = 0; i < n; i++)
        q->kernels->rms_norm(x + i * ldx, w, eps, n_elems, y + i * ldy);
    return LODE_CUDA_OK;
}

static int
project(lode_cuda_queue *q, const float *x, size_t n, const lode_cuda_product *products,
        size_t n_products, char *error)
{
    (void)error;
    g_assert(n <= q->sizes.max_rows);
    for (size_t i = 0; i < n_products; i++) {
        const lode_cuda_matrix *m = products[i].w;
        g_assert(m->n_in <= q->sizes.max_in);
        multiply(q, m, m->data, m->scales, products[i].bias, x, n, products[i].y, products[i].ldy);
    }
    return LODE_CUDA_OK;
}

static int
add(lode_cuda_queue *q, float *x, const float *y, const float *gate, size_t n_elems, size_t n,
    char *error)
{
    (void)error;
    for (size_t i = 0; i < n; i++)
        q->kernels->blend(x + i * n_elems, 1.0f, y + i * n_elems,
                          gate ? 1.0f / (1.0f + expf(-gate[i])) : 1.0f, n_elems);
    return LODE_CUDA_OK;
}

/* ---- attention ---- */

static int
rope_tables(lode_cuda_queue *q, const lode_cuda_rope *rope, size_t n, float *tables, char *error)
{
    const engine_rope here = {.kind = rope->fope ? ENGINE_ROPE_FOPE : ENGINE_ROPE_PLAIN,
                              .n_rot = rope->n_rot,
                              .magnitude = rope->magnitude,
                              .n_tables = rope->n_tables,
                              .n_waves = rope->n_waves,
                              .sin_pad = rope->sin_pad,
                              .cos_coef = rope->cos_coef,
                              .sin_coef = rope->sin_coef};
    g_autofree float *tmp = g_new(float, rope->n_rot);

    (void)error;
    for (size_t i = 0; i < n; i++)
        engine_rope_row(&here, q->kernels, rope->inv_freq, rope->first + (uint32_t)i, tmp,
                        tables + i * engine_rope_row_floats(&here));
    return LODE_CUDA_OK;
}

static void
make_head(const lode_cuda_queue *q, const lode_cuda_attention *a, const float *raw,
          const float *norm, const float *table, float *out)
{
    if (norm)
        q->kernels->rms_norm(raw, norm, a->eps, a->head_dim, out);
    else
        memcpy(out, raw, a->head_dim * sizeof *out);
    (a->halves ? q->kernels->rope_halves : q->kernels->rope_pairs)(out, table, a->n_rot / 2);
}

static uint8_t *
row_at(const lode_cuda_attention *a, const lode_cuda_span *s, uint32_t position, uint32_t head,
       gboolean value)
{
    const lode_cuda_kv *kv = &a->kv;
    uint8_t *page = kv->arena + s->pages[position / kv->page_tokens] * kv->page_bytes + kv->at +
                    head * kv->head_bytes;

    return page + (value ? kv->at_v : 0) +
           position % kv->page_tokens * (size_t)(value ? kv->row_v : kv->row_k);
}

/* As kv_store.c rounds: the element of largest magnitude becomes -8. */
static void
store_q4_0(const float *x, uint8_t *to)
{
    float extreme = 0.0f;

    for (uint32_t i = 0; i < 32; i++)
        if (fabsf(x[i]) > fabsf(extreme)) extreme = x[i];
    const float inverse = extreme != 0.0f ? 1.0f / (extreme / -8.0f) : 0.0f;
    const uint16_t scale = engine_half_from_float(extreme / -8.0f);
    memcpy(to, &scale, 2);
    memset(to + 2, 0, 16);
    for (uint32_t i = 0; i < 32; i++) {
        const int q = (int)fminf(x[i] * inverse + 8.5f, 15.0f);
        to[2 + i % 16] |= (uint8_t)(q << (i / 16 * 4));
    }
}

static void
store(const lode_cuda_attention *a, const float *x, uint8_t *to)
{
    if (a->kv.type == ENGINE_TYPE_F32) {
        memcpy(to, x, a->head_dim * sizeof *x);
        return;
    }
    if (a->kv.type == ENGINE_TYPE_Q4_0) {
        for (uint32_t b = 0; b < a->head_dim; b += 32)
            store_q4_0(x + b, to + b / 32 * 18);
        return;
    }
    for (uint32_t b = 0; b < a->head_dim; b += 32) {
        float most = 0.0f;
        for (uint32_t i = b; i < MIN(b + 32, a->head_dim); i++) {
            const uint16_t half = engine_half_from_float(x[i]);
            if (a->kv.type == ENGINE_TYPE_F16) memcpy(to + 2 * i, &half, 2);
            most = fmaxf(most, fabsf(x[i]));
        }
        if (a->kv.type == ENGINE_TYPE_F16) continue;
        const uint16_t scale = engine_half_from_float(most / 127.0f);
        memcpy(to + b / 32 * 34, &scale, 2);
        for (uint32_t i = 0; i < 32; i++)
            to[b / 32 * 34 + 2 + i] =
                (uint8_t)(int8_t)lrintf(most > 0.0f ? x[b + i] * (127.0f / most) : 0.0f);
    }
}

static void
load(const lode_cuda_attention *a, const uint8_t *row, float *out)
{
    const engine_type_traits *traits = engine_type_lookup(a->kv.type);
    traits->dequantize(row, out, a->head_dim);
}

static void
attend_row(const lode_cuda_attention *a, const lode_cuda_span *s, uint32_t t, uint32_t head,
           float *scores, float *row)
{
    const uint32_t n = s->first + t + 1, kv_head = head / (a->n_heads / a->n_kv_heads);
    const size_t at = ((size_t)(s->row + t) * a->n_heads + head) * a->head_dim;
    float most = -INFINITY, sum = 0.0f;

    for (uint32_t p = 0; p < n; p++) {
        double dot = 0.0;
        load(a, row_at(a, s, p, kv_head, FALSE), row);
        for (uint32_t i = 0; i < a->head_dim; i++)
            dot += (double)a->q[at + i] * (double)row[i];
        scores[p] = (float)dot * a->scale;
        most = fmaxf(most, scores[p]);
    }
    memset(a->out + at, 0, a->head_dim * sizeof(float));
    for (uint32_t p = 0; p < n; p++) {
        const float e = expf(scores[p] - most);
        sum += e;
        load(a, row_at(a, s, p, kv_head, TRUE), row);
        for (uint32_t i = 0; i < a->head_dim; i++)
            a->out[at + i] += e * row[i];
    }
    const uint32_t group = a->n_heads / a->n_kv_heads;
    const float *gate = a->raw + (size_t)(s->row + t) * a->width + a->q_at +
                        head / group * a->q_group + head % group * a->q_head + a->gate;
    for (uint32_t i = 0; i < a->head_dim; i++)
        a->out[at + i] *= (a->gate ? 1.0f / (1.0f + expf(-gate[i])) : 1.0f) / sum;
}

static void
make_row(const lode_cuda_queue *q, const lode_cuda_attention *a, const lode_cuda_span *s,
         uint32_t t)
{
    const size_t r = s->row + t, hd = a->head_dim;
    const uint32_t group = a->n_heads / a->n_kv_heads;
    const float *raw = a->raw + r * a->width;

    for (uint32_t h = 0; h < a->n_kv_heads; h++) {
        const float *table = a->tables + (r * a->n_tables + (a->n_tables > 1 ? h : 0)) * a->n_rot;
        for (uint32_t i = 0; i < group; i++)
            make_head(q, a, raw + a->q_at + h * a->q_group + i * a->q_head, a->q_norm, table,
                      a->q + (r * a->n_heads + h * group + i) * hd);
        float *k = a->k + (r * a->n_kv_heads + h) * hd;
        make_head(q, a, raw + a->k_at + h * a->k_head, a->k_norm, table, k);
        if (a->kv.type == ENGINE_TYPE_Q4_0) {
            engine_kv_rotate(k, hd);
            for (uint32_t i = 0; i < group; i++)
                engine_kv_rotate(a->q + (r * a->n_heads + h * group + i) * hd, hd);
        }
        store(a, k, row_at(a, s, s->first + t, h, FALSE));
        store(a, raw + a->v_at + h * a->v_head, row_at(a, s, s->first + t, h, TRUE));
    }
}

static int
attend(lode_cuda_queue *q, const lode_cuda_attention *a, size_t n, char *error)
{
    g_autofree float *row = g_new(float, a->head_dim);

    (void)n, (void)error;
    for (size_t i = 0; i < q->n_spans; i++) {
        const lode_cuda_span *s = &q->spans[i];
        g_autofree float *scores = g_new(float, s->first + s->n);
        for (uint32_t t = 0; t < s->n; t++)
            make_row(q, a, s, t);
        for (uint32_t t = 0; t < s->n; t++)
            for (uint32_t h = 0; h < a->n_heads; h++)
                attend_row(a, s, t, h, scores, row);
    }
    return LODE_CUDA_OK;
}

/* ---- feed-forward ---- */

static int
swiglu(lode_cuda_queue *q, float *gate, const float *up, size_t n_elems, size_t n, char *error)
{
    (void)error;
    q->kernels->silu_mul(gate, up, n_elems * n);
    return LODE_CUDA_OK;
}

static int
route(lode_cuda_queue *q, const lode_cuda_router *router, float *logits, size_t n, int32_t *chosen,
      float *weights, char *error)
{
    const engine_router here = {.n_experts = router->n_experts,
                                .n_used = router->n_used,
                                .n_groups = router->n_groups,
                                .gate = (engine_gate)router->gate,
                                .normalize = router->normalize,
                                .scale = router->scale};

    (void)error;
    for (size_t i = 0; i < n; i++)
        engine_route(&here, q->kernels, logits + i * router->n_experts, chosen + i * router->n_used,
                     weights + i * router->n_used);
    return LODE_CUDA_OK;
}

static int
experts(lode_cuda_queue *q, const lode_cuda_experts *e, const float *x, size_t n, float *y,
        char *error)
{
    const size_t n_embd = e->gate.n_in, n_ff = e->n_ff;
    g_autofree float *h = g_new(float, 2 * n_ff), *out = g_new(float, n_embd);

    (void)error;
    for (size_t t = 0; t < n; t++) {
        for (uint32_t j = 0; j < e->n_used; j++) {
            const int32_t i = e->chosen[t * e->n_used + j];
            if (e->weights[t * e->n_used + j] == 0.0f) continue;
            multiply(q, &e->gate, e->gates[i], e->gate_scales ? e->gate_scales[i] : NULL, NULL,
                     x + t * n_embd, 1, h, e->joined ? 2 * n_ff : n_ff);
            if (!e->joined)
                multiply(q, &e->up, e->ups[i], e->up_scales ? e->up_scales[i] : NULL, NULL,
                         x + t * n_embd, 1, h + n_ff, n_ff);
            q->kernels->silu_mul(h, h + n_ff, n_ff);
            multiply(q, &e->down, e->downs[i], e->down_scales ? e->down_scales[i] : NULL, NULL, h,
                     1, out, n_embd);
            q->kernels->blend(y + t * n_embd, 1.0f, out, e->weights[t * e->n_used + j], n_embd);
        }
    }
    return LODE_CUDA_OK;
}

static int
delta(lode_cuda_queue *q, const lode_cuda_delta *d, size_t n, char *error)
{
    const engine_delta_shape shape = {.n_k = d->n_k,
                                      .n_v = d->n_v,
                                      .d_k = d->d_k,
                                      .d_v = d->d_v,
                                      .kernel = d->kernel,
                                      .n_channels = d->n_channels,
                                      .tiled = d->tiled,
                                      .width = d->width,
                                      .q = d->q_at,
                                      .q_head = d->q_head,
                                      .k = d->k_at,
                                      .k_head = d->k_head,
                                      .v = d->v_at,
                                      .v_group = d->v_group,
                                      .v_head = d->v_head,
                                      .z = d->z_at,
                                      .z_group = d->z_group,
                                      .z_head = d->z_head,
                                      .beta = d->beta,
                                      .beta_group = d->beta_group,
                                      .alpha = d->alpha,
                                      .alpha_group = d->alpha_group};
    const engine_delta_layer layer = {
        .conv = d->conv_weights, .decay = d->decay, .dt_bias = d->dt_bias, .norm = d->norm};
    const engine_delta_job job = {.shape = &shape,
                                  .layer = &layer,
                                  .eps = d->eps,
                                  .raw = d->raw,
                                  .conv = d->conv,
                                  .gates = d->gates,
                                  .conv_state = d->conv_state,
                                  .state = d->state,
                                  .out = d->out};

    (void)error;
    for (size_t t = 0; t < n; t++)
        engine_delta_row(q->kernels, &job, t);
    for (uint32_t h = 0; h < d->n_v; h++)
        engine_delta_head(q->kernels, &job, n, h);
    engine_delta_shift(&job, n);
    return LODE_CUDA_OK;
}

/* ---- encoders, search ---- */

static int
layer_norm(lode_cuda_queue *q, float *x, const float *other, const float *w, const float *b,
           float eps, size_t n_elems, size_t n, char *error)
{
    (void)error;
    for (size_t i = 0; i < n; i++) {
        if (other) q->kernels->add(x + i * n_elems, other + i * n_elems, n_elems);
        q->kernels->layer_norm(x + i * n_elems, w, b, eps, n_elems, x + i * n_elems);
    }
    return LODE_CUDA_OK;
}

static int
gelu(lode_cuda_queue *q, float *x, size_t n_elems, size_t n, int by_tanh, char *error)
{
    (void)error;
    (by_tanh ? q->kernels->gelu_tanh : q->kernels->gelu_erf)(x, n_elems * n);
    return LODE_CUDA_OK;
}

static int
attend_texts(lode_cuda_queue *q, const float *qkv, const uint32_t *first, size_t n_texts,
             uint32_t n_heads, uint32_t head_dim, int exact, float *out, char *error)
{
    const size_t d = (size_t)n_heads * head_dim;
    const float scale = 1.0f / sqrtf((float)head_dim);

    (void)exact; /* it always is */
    (void)error;
    for (size_t t = 0; t < n_texts; t++) {
        const uint32_t n = first[t + 1] - first[t];
        g_autofree float *scores = g_new(float, n);
        for (uint32_t i = first[t]; i < first[t + 1]; i++) {
            for (uint32_t h = 0; h < n_heads; h++) {
                float *to = out + i * d + h * head_dim;
                for (uint32_t p = 0; p < n; p++)
                    scores[p] =
                        q->kernels->dot(qkv + i * 3 * d + h * head_dim,
                                        qkv + (first[t] + p) * 3 * d + d + h * head_dim, head_dim);
                q->kernels->softmax(scores, n, scale);
                q->kernels->weighted_sum(scores, n, 1,
                                         qkv + first[t] * 3 * d + 2 * d + h * head_dim, 3 * d, n,
                                         head_dim, to, head_dim);
            }
        }
    }
    return LODE_CUDA_OK;
}

static int
pool_texts(lode_cuda_queue *q, const float *x, const uint32_t *first, size_t n_texts,
           size_t n_elems, int mean, int unit, float *out, char *error)
{
    (void)error;
    for (size_t t = 0; t < n_texts; t++) {
        float *to = out + t * n_elems;
        memcpy(to, x + first[t] * n_elems, n_elems * sizeof *to);
        for (uint32_t i = first[t] + 1; mean && i < first[t + 1]; i++)
            q->kernels->add(to, x + i * n_elems, n_elems);
        if (mean) q->kernels->scale(to, 1.0f / (float)(first[t + 1] - first[t]), n_elems);
        if (unit)
            q->kernels->scale(to, 1.0f / fmaxf(sqrtf(q->kernels->dot(to, to, n_elems)), 1e-12f),
                              n_elems);
    }
    return LODE_CUDA_OK;
}

static int
search(lode_cuda_queue *q, const float *vectors, size_t n, size_t n_elems, const float *queries,
       size_t n_queries, uint32_t k, int64_t *ids, float *scores, char *error)
{
    (void)error;
    for (size_t i = 0; i < n_queries; i++) {
        uint32_t n_found = 0;
        for (uint32_t j = 0; j < k; j++)
            ids[i * k + j] = -1;
        for (size_t v = 0; v < n; v++) {
            const float s = q->kernels->dot(queries + i * n_elems, vectors + v * n_elems, n_elems);
            uint32_t at = n_found < k ? n_found++ : k;
            for (; at > 0 && s > scores[i * k + at - 1]; at--)
                if (at < k) {
                    scores[i * k + at] = scores[i * k + at - 1];
                    ids[i * k + at] = ids[i * k + at - 1];
                }
            if (at == k) continue;
            scores[i * k + at] = s;
            ids[i * k + at] = (int64_t)v;
        }
    }
    return LODE_CUDA_OK;
}

/* Plain C is done when it is asked for: nothing can be kept. */
static int
graph_begin(lode_cuda_queue *q, char *error)
{
    (void)q;
    snprintf(error, LODE_CUDA_ERROR, "no graphs");
    return LODE_CUDA_UNSUPPORTED;
}

static void
graph_free(lode_cuda_queue *q, lode_cuda_graph *graph)
{
    (void)q;
    g_assert(!graph);
}

static const lode_cuda_compute HOST = {
    .struct_size = sizeof(lode_cuda_compute),
    .device_open = device_open,
    .device_close = device_close,
    .device_memory = device_memory,
    .alloc = take,
    .release = release,
    .fill = fill,
    .queue_open = queue_open,
    .queue_close = queue_close,
    .copy_in = copy,
    .copy_out = copy,
    .copy = copy,
    .clear = clear,
    .wait = wait_for_all,
    .begin_pass = begin_pass,
    .embed = embed,
    .gather = gather,
    .rms_norm = rms_norm,
    .project = project,
    .add = add,
    .rope_tables = rope_tables,
    .attend = attend,
    .swiglu = swiglu,
    .route = route,
    .experts = experts,
    .delta = delta,
    .layer_norm = layer_norm,
    .gelu = gelu,
    .attend_texts = attend_texts,
    .pool_texts = pool_texts,
    .search = search,
    .graph_begin = graph_begin,
    .graph_free = graph_free,
    .bring = copy,
    .brought = wait_for_all,
};

const lode_cuda_compute *
host_compute(void)
{
    return &HOST;
}
