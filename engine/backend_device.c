/* The backend of a GPU: engine_backend_ops in terms of the plug-in's functions. A pass over it allocates nothing: what it
 * needs beyond the pass's own buffers is taken when the backend is made.
 *
 * Ops return nothing and run later: the first failure is kept and every op after it does nothing, until `check` hands it
 * over. Routed experts that were not placed are computed on the host, by the CPU's own kernels: the layer's input goes
 * there and the sum comes back. */
#include "engine/device_experts.h"
#include "engine/kv_private.h"
#include "engine/model.h"

#include <string.h>

enum { MAX_JOBS = 8, MAX_LOGITS = 16, MAX_RECORDINGS = 8 };

/* A pass that was seen before. */
typedef struct {
    void *key; /* owned; NULL: none */
    size_t n_bytes;
    uint64_t used;
    lode_cuda_graph *graph; /* NULL: not kept yet */
} recording;

typedef struct {
    engine_backend base;
    engine_device *device;
    const lode_cuda_compute *compute;
    lode_cuda_queue *queue;
    engine_pool *pool;
    const engine_kernels *kernels;
    size_t n_embd, max_rows;
    float *gate, *up; /* [max_rows, widest dense n_ff] there */
    float *sum;       /* [max_rows, n_embd] there: what is added to the residual stream */
    float *logits;    /* [n_logits, n_vocab] there */
    size_t n_logits;
    /* here, for experts of the host; NULL when there are none */
    float *x_here, *y_here, *weights_here; /* [max_rows, n_embd] twice, [max_rows, most used] */
    int32_t *chosen_here;
    engine_device_cache *experts; /* of the host, those used most; NULL: none */
    lode_cuda_span *spans;        /* [max_rows] */
    const engine_kv *kv;          /* of the pass */
    recording recordings[MAX_RECORDINGS], *at_hand;
    uint64_t time;      /* of the last pass */
    gboolean no_graphs; /* one could not be made: no other is tried */
    uint32_t n_graphs;  /* that were made */
    int failure;        /* of compute.h; LODE_CUDA_OK: none */
    char message[LODE_CUDA_ERROR];
} device_backend;

static device_backend *
self(engine_backend *b)
{
    return (device_backend *)(void *)b;
}

/* Do it, unless something failed before. */
#define TRY(d, call)                                                                               \
    do {                                                                                           \
        if ((d)->failure == LODE_CUDA_OK) (d)->failure = (call);                                   \
    } while (0)

static gboolean
device_check(engine_backend *b, GError **error)
{
    device_backend *d = self(b);
    const int failure = d->failure;

    d->failure = LODE_CUDA_OK;
    if (failure == LODE_CUDA_OK) return TRUE;
    engine_device_set_error(error, failure, d->message);
    return FALSE;
}

/* ---- memory ---- */

static void *
device_alloc(engine_backend *b, size_t n_bytes)
{
    device_backend *d = self(b);
    void *memory = NULL;
    const int code =
        d->compute->alloc(engine_device_handle(d->device), n_bytes, &memory, d->message);

    return code == LODE_CUDA_OK ? memory : NULL;
}

static void
device_release(engine_backend *b, void *memory)
{
    device_backend *d = self(b);
    if (memory) d->compute->release(engine_device_handle(d->device), memory);
}

static void
device_copy_in(engine_backend *b, void *dst, const void *host, size_t n_bytes)
{
    device_backend *d = self(b);
    TRY(d, d->compute->copy_in(d->queue, dst, host, n_bytes, d->message));
}

/* What cannot be had is zero, never what happened to lie there. */
static void
device_copy_out(engine_backend *b, void *host, const void *src, size_t n_bytes)
{
    device_backend *d = self(b);
    TRY(d, d->compute->copy_out(d->queue, host, src, n_bytes, d->message));
    if (d->failure != LODE_CUDA_OK) memset(host, 0, n_bytes);
}

static void
device_copy(engine_backend *b, void *dst, const void *src, size_t n_bytes)
{
    device_backend *d = self(b);
    TRY(d, d->compute->copy(d->queue, dst, src, n_bytes, d->message));
}

static void
device_clear(engine_backend *b, void *dst, size_t n_bytes)
{
    device_backend *d = self(b);
    TRY(d, d->compute->clear(d->queue, dst, n_bytes, d->message));
}

static gboolean
device_place(engine_backend *b, const engine_tensor *tensor, GError **error)
{
    return engine_device_place(self(b)->device, tensor, error);
}

static gboolean
device_place_vector(engine_backend *b, const float *vector, size_t n, GError **error)
{
    return engine_device_place_vector(self(b)->device, vector, n, error);
}

static gboolean
device_place_experts(engine_backend *b, const engine_moe_ffn *moe, GError **error)
{
    return engine_device_place_experts(self(b)->device, moe, error);
}

/* ---- rows ---- */

static void
device_begin_pass(engine_backend *b, engine_kv *kv, const engine_kv_span *spans, size_t n_spans,
                  size_t n)
{
    device_backend *d = self(b);

    g_assert(n <= d->max_rows && n_spans <= n);
    d->kv = kv;
    for (size_t i = 0; i < n_spans; i++) {
        const engine_kv_span *s = &spans[i];
        const uint32_t n_pages = (s->first + s->n - 1) / ENGINE_KV_PAGE + 1;
        engine_kv_check_span(s);
        d->spans[i] = (lode_cuda_span){s->table->pages, n_pages, s->row, s->n, s->first};
    }
    TRY(d, d->compute->begin_pass(d->queue, d->spans, n_spans, n, d->message));
}

static const float *
vector_there(device_backend *d, const float *vector)
{
    const float *there = engine_device_vector(d->device, vector);
    g_assert(!vector || there);
    return there;
}

static const lode_cuda_matrix *
matrix_there(device_backend *d, const engine_tensor *tensor)
{
    const lode_cuda_matrix *there = engine_device_matrix(d->device, tensor);
    g_assert(there);
    return there;
}

static void
device_embed(engine_backend *b, const engine_tensor *table, const int32_t *tokens, size_t n,
             float *x, size_t ldx)
{
    device_backend *d = self(b);
    TRY(d, d->compute->embed(d->queue, matrix_there(d, table), tokens, n, x, ldx, d->message));
}

static void
device_rms_norm(engine_backend *b, const float *x, size_t ldx, const float *w, float eps,
                size_t n_elems, size_t n, float *y, size_t ldy)
{
    device_backend *d = self(b);
    TRY(d, d->compute->rms_norm(d->queue, x, ldx, vector_there(d, w), eps, n_elems, n, y, ldy,
                                d->message));
}

static void
device_gather(engine_backend *b, const float *x, const uint32_t *rows, size_t n, size_t n_elems,
              float *y)
{
    device_backend *d = self(b);
    TRY(d, d->compute->gather(d->queue, x, rows, n, n_elems, y, d->message));
}

static void
device_add(engine_backend *b, float *x, const float *y, const float *gate, size_t n_elems, size_t n)
{
    device_backend *d = self(b);
    TRY(d, d->compute->add(d->queue, x, y, gate, n_elems, n, d->message));
}

/* ---- products ---- */

static void
multiply(device_backend *d, const float *x, size_t n, const engine_matmul_job *jobs, size_t n_jobs)
{
    lode_cuda_product products[MAX_JOBS];

    g_assert(n_jobs <= MAX_JOBS);
    for (size_t i = 0; i < n_jobs; i++)
        products[i] = (lode_cuda_product){matrix_there(d, jobs[i].w), vector_there(d, jobs[i].bias),
                                          jobs[i].y, jobs[i].ldy};
    TRY(d, d->compute->project(d->queue, x, n, products, n_jobs, d->message));
}

static void
device_project(engine_backend *b, const engine_projection *p, const engine_matmul_job *jobs,
               size_t n_jobs, size_t n)
{
    if (p->norm) device_rms_norm(b, p->x, p->n_in, p->norm, p->eps, p->n_in, n, p->h, p->n_in);
    multiply(self(b), p->norm ? p->h : p->x, n, jobs, n_jobs);
}

static void
device_project_add(engine_backend *b, const engine_linear *linear, const float *in, size_t n,
                   float *tmp, float *x)
{
    const size_t n_out = (size_t)linear->w->dims[1];
    const engine_matmul_job job = {linear->w, linear->bias, tmp, n_out};

    multiply(self(b), in, n, &job, 1);
    device_add(b, x, tmp, NULL, n_out, n);
}

/* In pieces: a row is wide, and one is all that is wanted most of the time. */
static void
device_logits(engine_backend *b, const engine_tensor *w, const float *x, size_t n, float *logits)
{
    device_backend *d = self(b);
    const size_t n_vocab = (size_t)w->dims[1], n_in = (size_t)w->dims[0];

    for (size_t done = 0; done < n; done += d->n_logits) {
        const size_t rows = MIN(d->n_logits, n - done);
        const engine_matmul_job job = {w, NULL, d->logits, n_vocab};
        multiply(d, x + done * n_in, rows, &job, 1);
        device_copy_out(b, logits + done * n_vocab, d->logits, rows * n_vocab * sizeof *logits);
    }
}

/* ---- attention ---- */

static void
device_rope_tables(engine_backend *b, const engine_rope *rope, const float *inv_freq,
                   uint32_t first, size_t n, float *tables)
{
    device_backend *d = self(b);
    const lode_cuda_rope there = {.inv_freq = inv_freq,
                                  .n_rot = rope->n_rot,
                                  .first = first,
                                  .magnitude = rope->magnitude,
                                  .n_tables = rope->n_tables,
                                  .n_waves = rope->n_waves,
                                  .sin_pad = rope->sin_pad,
                                  .cos_coef = vector_there(d, rope->cos_coef),
                                  .sin_coef = vector_there(d, rope->sin_coef),
                                  .fope = rope->kind == ENGINE_ROPE_FOPE};

    TRY(d, d->compute->rope_tables(d->queue, &there, n, tables, d->message));
}

static void
device_attend(engine_backend *b, const engine_heads_job *job, engine_kv *kv,
              const engine_kv_span *spans, size_t n_spans, size_t n, float *out)
{
    device_backend *d = self(b);
    const engine_decoder *m = job->decoder;
    const engine_head_layout *at = &m->heads;
    const engine_kv_layout *layout = &kv->layout;
    const lode_cuda_kv cache = {
        .arena = kv->device_arena,
        .page_bytes = kv->device_page,
        .at = kv->place[job->layer->kv_layer] * layout->layer,
        .head_bytes = layout->head,
        .at_v = layout->at_v,
        .row_k = (uint32_t)(layout->tile_k / ENGINE_KV_TILE),
        .row_v = (uint32_t)layout->row_v,
        .page_tokens = ENGINE_KV_PAGE,
        .type = kv->shape.type_k,
    };
    const lode_cuda_attention there = {.n_heads = m->n_heads,
                                       .n_kv_heads = m->n_kv_heads,
                                       .head_dim = m->head_dim,
                                       .width = at->width,
                                       .q_at = at->q,
                                       .q_group = at->q_group,
                                       .q_head = at->q_head,
                                       .k_at = at->k,
                                       .k_head = at->k_head,
                                       .v_at = at->v,
                                       .v_head = at->v_head,
                                       .gate = at->gate,
                                       .q_norm = vector_there(d, job->layer->q_norm),
                                       .k_norm = vector_there(d, job->layer->k_norm),
                                       .eps = m->norm_eps,
                                       .scale = m->attn_scale,
                                       .raw = job->raw,
                                       .tables = job->tables,
                                       .n_rot = m->rope.n_rot,
                                       .n_tables = m->rope.n_tables,
                                       .halves = m->rope.halves,
                                       .q = job->q,
                                       .k = job->k,
                                       .v = job->v,
                                       .out = out,
                                       .kv = cache,
                                       .exact = engine_kernels_are_exact(d->kernels)};

    (void)spans, (void)n_spans; /* begin_pass has them */
    g_assert(kv == d->kv && kv->on_device[job->layer->kv_layer]);
    TRY(d, d->compute->attend(d->queue, &there, n, d->message));
}

/* ---- feed-forward ---- */

static void
device_swiglu(engine_backend *b, float *gate, const float *up, size_t n_elems, size_t n)
{
    device_backend *d = self(b);
    TRY(d, d->compute->swiglu(d->queue, gate, up, n_elems, n, d->message));
}

static void
device_route(engine_backend *b, const engine_router *router, float *logits, size_t n,
             int32_t *chosen, float *weights)
{
    device_backend *d = self(b);
    const lode_cuda_router there = {.n_experts = router->n_experts,
                                    .n_used = router->n_used,
                                    .n_groups = router->n_groups,
                                    .gate = (int)router->gate,
                                    .normalize = router->normalize,
                                    .scale = router->scale};

    TRY(d, d->compute->route(d->queue, &there, logits, n, chosen, weights, d->message));
}

static void
run_single(device_backend *d, const engine_moe_job *job, const float *x, size_t n, float *y)
{
    const size_t n_ff = (size_t)job->down->dims[0];
    const engine_matmul_job in[2] = {{job->gate, job->gate_bias, d->gate, n_ff},
                                     {job->up, job->up_bias, d->up, n_ff}};
    const engine_matmul_job out = {job->down, job->down_bias, d->sum, d->n_embd};

    multiply(d, x, n, in, 2);
    device_swiglu(&d->base, d->gate, d->up, n_ff, n);
    multiply(d, d->gate, n, &out, 1);
    device_add(&d->base, y, d->sum, NULL, d->n_embd, n);
}

/* Those of the choices in chosen_here that are not -1: y += their sum. */
static gboolean
run_choices_here(device_backend *d, const engine_moe_job *job, const float *x, size_t n, float *y,
                 GError **error)
{
    const size_t n_bytes = n * d->n_embd * sizeof *x;
    engine_moe_job here = *job;

    here.chosen = d->chosen_here;
    here.weights = d->weights_here;
    memset(d->y_here, 0, n_bytes);
    if (!engine_moe(d->pool, d->kernels, &here, d->x_here, n, d->y_here, error)) return FALSE;
    device_copy_in(&d->base, d->sum, d->y_here, n_bytes);
    device_add(&d->base, y, d->sum, NULL, d->n_embd, n);
    return TRUE;
}

/* The host computes along with the device: what it needs of the device is fetched before that begins. */
static gboolean
run_on_host(device_backend *d, const engine_moe_job *job, const float *x, size_t n, float *y,
            GError **error)
{
    const size_t n_chosen = n * job->n_used, n_bytes = n * d->n_embd * sizeof *x;
    size_t n_here = n_chosen;

    device_copy_out(&d->base, d->chosen_here, job->chosen, n_chosen * sizeof *d->chosen_here);
    device_copy_out(&d->base, d->weights_here, job->weights, n_chosen * sizeof *d->weights_here);
    if (d->failure != LODE_CUDA_OK) return device_check(&d->base, error);
    if (d->experts)
        n_here = engine_device_cache_split(d->experts, job, n, d->chosen_here, d->weights_here);
    if (n_here > 0) device_copy_out(&d->base, d->x_here, x, n_bytes);
    if (d->experts) TRY(d, engine_device_cache_run(d->experts, x, n, y, d->message));
    if (d->failure != LODE_CUDA_OK) return device_check(&d->base, error);
    if (n_here > 0 && !run_choices_here(d, job, x, n, y, error)) return FALSE;
    if (d->experts) engine_device_cache_bring(d->experts);
    return TRUE;
}

static gboolean
device_moe(engine_backend *b, const engine_moe_job *job, const float *x, size_t n, float *y,
           GError **error)
{
    device_backend *d = self(b);

    if (!job->chosen) {
        run_single(d, job, x, n, y);
        return TRUE;
    }
    const lode_cuda_experts *placed = engine_device_experts(d->device, job->down);
    if (!placed) return run_on_host(d, job, x, n, y, error);
    lode_cuda_experts there = *placed;
    there.chosen = job->chosen;
    there.weights = job->weights;
    TRY(d, d->compute->experts(d->queue, &there, x, n, y, d->message));
    return TRUE;
}

/* ---- delta rule ---- */

static void
device_delta(engine_backend *b, const engine_delta_job *job, size_t n)
{
    device_backend *d = self(b);
    const engine_delta_shape *s = job->shape;
    const lode_cuda_delta there = {.n_k = s->n_k,
                                   .n_v = s->n_v,
                                   .d_k = s->d_k,
                                   .d_v = s->d_v,
                                   .kernel = s->kernel,
                                   .n_channels = s->n_channels,
                                   .width = s->width,
                                   .tiled = s->tiled,
                                   .q_at = s->q,
                                   .q_head = s->q_head,
                                   .k_at = s->k,
                                   .k_head = s->k_head,
                                   .v_at = s->v,
                                   .v_group = s->v_group,
                                   .v_head = s->v_head,
                                   .z_at = s->z,
                                   .z_group = s->z_group,
                                   .z_head = s->z_head,
                                   .beta = s->beta,
                                   .beta_group = s->beta_group,
                                   .alpha = s->alpha,
                                   .alpha_group = s->alpha_group,
                                   .conv_weights = vector_there(d, job->layer->conv),
                                   .decay = vector_there(d, job->layer->decay),
                                   .dt_bias = vector_there(d, job->layer->dt_bias),
                                   .norm = vector_there(d, job->layer->norm),
                                   .eps = job->eps,
                                   .raw = job->raw,
                                   .conv = job->conv,
                                   .gates = job->gates,
                                   .conv_state = job->conv_state,
                                   .state = job->state,
                                   .out = job->out};

    TRY(d, d->compute->delta(d->queue, &there, n, d->message));
}

/* ---- passes that are repeated ---- */

static void
forget(device_backend *d, recording *r)
{
    d->compute->graph_free(d->queue, r->graph);
    g_free(r->key);
    *r = (recording){0};
}

/* A pass seen for the first time is run as it is: a prompt's rest of few tokens may never come again. */
static engine_repeat
device_repeat(engine_backend *b, const void *key, size_t n_bytes)
{
    device_backend *d = self(b);
    recording *oldest = &d->recordings[0];

    if (d->no_graphs || d->failure != LODE_CUDA_OK) return ENGINE_REPEAT_RUN;
    d->time++;
    for (size_t i = 0; i < G_N_ELEMENTS(d->recordings); i++) {
        recording *r = &d->recordings[i];
        if (r->used < oldest->used) oldest = r;
        if (!r->key || r->n_bytes != n_bytes || memcmp(r->key, key, n_bytes) != 0) continue;
        r->used = d->time;
        if (r->graph) {
            TRY(d, d->compute->graph_launch(d->queue, r->graph, d->message));
            return ENGINE_REPEATED;
        }
        d->no_graphs = d->compute->graph_begin(d->queue, d->message) != LODE_CUDA_OK;
        d->at_hand = r;
        return d->no_graphs ? ENGINE_REPEAT_RUN : ENGINE_REPEAT_RECORD;
    }
    forget(d, oldest);
    *oldest = (recording){g_memdup2(key, n_bytes), n_bytes, d->time, NULL};
    return ENGINE_REPEAT_RUN;
}

static gboolean
device_record_end(engine_backend *b)
{
    device_backend *d = self(b);
    recording *r = d->at_hand;
    char message[LODE_CUDA_ERROR];
    const gboolean kept = d->compute->graph_end(d->queue, &r->graph, message) == LODE_CUDA_OK &&
                          d->failure == LODE_CUDA_OK;

    if (kept) {
        d->n_graphs++;
        TRY(d, d->compute->graph_launch(d->queue, r->graph, d->message));
        return TRUE;
    }
    forget(d, r);
    d->no_graphs = TRUE; /* and what failed in it is tried as it is */
    d->failure = LODE_CUDA_OK;
    return FALSE;
}

static const engine_backend_ops DEVICE = {
    .name = "cuda",
    .alloc = device_alloc,
    .release = device_release,
    .copy_in = device_copy_in,
    .copy_out = device_copy_out,
    .copy = device_copy,
    .clear = device_clear,
    .place = device_place,
    .place_vector = device_place_vector,
    .place_experts = device_place_experts,
    .begin_pass = device_begin_pass,
    .repeat = device_repeat,
    .record_end = device_record_end,
    .check = device_check,
    .embed = device_embed,
    .rms_norm = device_rms_norm,
    .gather = device_gather,
    .project = device_project,
    .project_add = device_project_add,
    .logits = device_logits,
    .rope_tables = device_rope_tables,
    .attend = device_attend,
    .swiglu = device_swiglu,
    .route = device_route,
    .moe = device_moe,
    .add = device_add,
    .delta = device_delta,
};

/* ---- the whole ---- */

/* The widest of anything that a pass multiplies. */
static void
widen(lode_cuda_sizes *sizes, uint32_t *dense_ff, const engine_decoder_layer *layer)
{
    const uint32_t n_ff = layer->is_moe ? layer->moe.n_ff : layer->dense.n_ff;
    const engine_linear *mixer = layer->is_delta ? &layer->delta.out : &layer->attention.out;
    const uint64_t n_in = sizes->n_embd;

    sizes->max_in = MAX(sizes->max_in, MAX((uint32_t)mixer->w->dims[0], n_ff));
    sizes->max_weights =
        MAX(sizes->max_weights, MAX(engine_tensor_n_elems(mixer->w), 2 * n_in * n_ff));
    if (layer->is_moe) {
        sizes->max_in = MAX(sizes->max_in, layer->moe.shared.n_ff);
        sizes->max_ff = MAX(sizes->max_ff, layer->moe.n_ff);
    } else {
        *dense_ff = MAX(*dense_ff, n_ff);
    }
}

static lode_cuda_sizes
sizes_of(const engine_decoder *m, gboolean exact, uint32_t max_rows, uint32_t n_pages,
         uint32_t *dense_ff)
{
    lode_cuda_sizes sizes = {.exact = exact,
                             .max_rows = max_rows,
                             .max_spans = max_rows,
                             .max_pages = n_pages,
                             .max_in = m->n_embd * (m->n_mtp > 0 ? 2 : 1),
                             .max_slots = max_rows * m->max_used,
                             .max_weights = engine_tensor_n_elems(m->output),
                             .n_embd = m->n_embd,
                             .max_experts = m->max_experts,
                             .max_heads = m->n_heads,
                             .head_dim = m->head_dim,
                             .delta_heads = m->n_delta > 0 ? m->delta.n_v : 0};

    *dense_ff = 0;
    for (uint32_t i = 0; i < m->n_layers; i++)
        widen(&sizes, dense_ff, &m->layers[i]);
    for (uint32_t i = 0; i < m->n_mtp; i++)
        widen(&sizes, dense_ff, &m->mtp[i].layer);
    return sizes;
}

static gboolean
take_buffers(device_backend *d, const engine_decoder *m, uint32_t dense_ff)
{
    const size_t row = d->max_rows * sizeof(float);
    gboolean ok;

    d->n_logits = MIN(d->max_rows, MAX_LOGITS);
    d->sum = device_alloc(&d->base, row * m->n_embd);
    d->logits = d->sum ? device_alloc(&d->base, d->n_logits * m->n_vocab * sizeof(float)) : NULL;
    ok = d->logits != NULL;
    if (dense_ff > 0) {
        d->gate = ok ? device_alloc(&d->base, row * dense_ff) : NULL;
        d->up = d->gate ? device_alloc(&d->base, row * dense_ff) : NULL;
        ok = d->up != NULL;
    }
    d->spans = g_try_new0(lode_cuda_span, d->max_rows);
    if (!ok || !d->spans) return FALSE;
    if (m->max_used == 0) return TRUE;
    d->x_here = g_try_malloc(row * m->n_embd);
    d->y_here = g_try_malloc(row * m->n_embd);
    d->weights_here = g_try_malloc(row * m->max_used);
    d->chosen_here = g_try_malloc(row * m->max_used);
    return d->x_here && d->y_here && d->weights_here && d->chosen_here;
}

engine_backend *
engine_device_backend_new(engine_device *device, const engine_model *model, engine_pool *pool,
                          uint32_t max_rows, uint32_t n_pages, GError **error)
{
    const engine_decoder *m = model->arch;
    device_backend *d = g_new0(device_backend, 1);
    uint32_t dense_ff;
    const lode_cuda_sizes sizes =
        sizes_of(m, engine_kernels_are_exact(model->kernels), max_rows, n_pages, &dense_ff);

    d->base = (engine_backend){&DEVICE, pool, model->kernels};
    d->device = engine_device_ref(device);
    d->compute = engine_device_compute(device);
    d->pool = pool;
    d->kernels = model->kernels;
    d->n_embd = m->n_embd;
    d->max_rows = max_rows;
    const int code =
        d->compute->queue_open(engine_device_handle(device), &sizes, &d->queue, d->message);
    if (code == LODE_CUDA_OK && take_buffers(d, m, dense_ff)) return &d->base;
    if (d->message[0])
        engine_device_set_error(error, code != LODE_CUDA_OK ? code : LODE_CUDA_NO_MEMORY,
                                d->message);
    else
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_LIMIT, "no memory for passes of %u tokens",
                    max_rows);
    engine_device_backend_free(&d->base);
    return NULL;
}

void
engine_device_backend_free(engine_backend *backend)
{
    if (!backend) return;
    device_backend *d = self(backend);
    void *const there[] = {d->sum, d->logits, d->gate, d->up};

    for (size_t i = 0; i < G_N_ELEMENTS(d->recordings); i++)
        forget(d, &d->recordings[i]);
    engine_device_cache_free(d->experts);
    if (d->queue) d->compute->queue_close(d->queue);
    for (size_t i = 0; i < G_N_ELEMENTS(there); i++)
        device_release(backend, there[i]);
    g_free(d->x_here);
    g_free(d->y_here);
    g_free(d->weights_here);
    g_free(d->chosen_here);
    g_free(d->spans);
    engine_device_unref(d->device);
    g_free(d);
}

void
engine_device_backend_cache(engine_backend *backend, const engine_model *model, uint64_t n_bytes)
{
    device_backend *d = self(backend);
    const engine_decoder *m = model->arch;

    if (m->max_used > 0 && !d->experts)
        d->experts =
            engine_device_cache_new(d->device, d->queue, model, d->max_rows, n_bytes, NULL);
}

engine_device_expert_stats
engine_device_backend_expert_stats(engine_backend *backend)
{
    const device_backend *d = self(backend);
    return d->experts ? engine_device_cache_get_stats(d->experts) : (engine_device_expert_stats){0};
}

uint32_t
engine_device_backend_n_graphs(engine_backend *backend)
{
    return self(backend)->n_graphs;
}
