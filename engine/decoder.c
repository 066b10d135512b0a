/* The forward pass; see decoder.h. What runs where is the backend's business (backend.h).
 *
 * Sources: Touvron et al., arXiv:2302.13971; grouped queries: Ainslie et al., arXiv:2305.13245; experts: Jiang
 * et al., arXiv:2401.04088; delta rule: delta.c; positions: rope.c. */
#include "engine/decoder_private.h"

#include <string.h>

/* Passes and choices small enough for guessing the next layer's experts. */
#define GUESS_ROWS 16
#define GUESS_USED 32

/* ---- facts ---- */

engine_kv_shape
engine_decoder_kv_shape(const engine_model *model, engine_type type_k, engine_type type_v)
{
    const engine_decoder *d = model->arch;
    return (engine_kv_shape){.n_layers = d->n_attention + (d->n_mtp > 0 ? 1 : 0),
                             .n_kv_heads = d->n_kv_heads,
                             .dim_k = d->head_dim,
                             .dim_v = d->head_dim,
                             .type_k = type_k,
                             .type_v = type_v};
}

float
engine_decoder_rope_base(const engine_model *model, uint32_t n_tokens)
{
    const engine_decoder *d = model->arch;
    return engine_rope_base(&d->rope, n_tokens);
}

/* ---- scratch ---- */

typedef struct {
    void *place;     /* address of a pointer in the scratch */
    size_t n_floats; /* of one row; int32_t is as wide */
} buffer;

/* The buffers and what one row of each takes. The loader has bounded every factor. */
static void
list_buffers(engine_decoder_scratch *s, const engine_decoder *d, buffer out[ENGINE_DECODER_BUFFERS])
{
    const size_t nq = (size_t)d->n_heads * d->head_dim, nkv = (size_t)d->n_kv_heads * d->head_dim;
    const size_t values = (size_t)d->delta.n_v * d->delta.d_v;
    const size_t n_embd = d->n_embd, mtp = d->n_mtp > 0 ? 1 : 0;
    const buffer list[ENGINE_DECODER_BUFFERS] = {
        {&s->x, n_embd},
        {&s->h, n_embd},
        {&s->y, n_embd},
        {&s->raw, d->max_width},
        {&s->q, nq},
        {&s->k, nkv},
        {&s->v, nkv},
        {&s->att, MAX(nq, values)},
        {&s->gate, d->max_ff},
        {&s->up, d->max_ff},
        {&s->tables, engine_rope_row_floats(&d->rope)},
        {&s->router, d->max_experts},
        {&s->weights, d->max_used},
        {&s->conv, d->n_delta > 0 ? d->delta.n_channels : 0},
        {&s->delta_gates, d->n_delta > 0 ? 2 * d->delta.n_v : 0},
        {&s->shared_gate, d->max_experts > 0 ? 1 : 0},
        {&s->chosen, d->max_used},
        {&s->joined, mtp * 2 * n_embd},
        {&s->draft, mtp * n_embd},
        {&s->guess_router, d->max_experts},
        {&s->guess_weights, d->max_used},
        {&s->guess_chosen, d->max_used},
        {&s->hidden, n_embd},
    };
    memcpy(out, list, sizeof list);
}

/* Bytes of one row of everything. */
static size_t
row_bytes(const engine_decoder *d)
{
    engine_decoder_scratch unused = {0};
    buffer list[ENGINE_DECODER_BUFFERS];
    size_t n = 0;

    list_buffers(&unused, d, list);
    for (size_t i = 0; i < ENGINE_DECODER_BUFFERS; i++)
        n += list[i].n_floats;
    return n * sizeof(float) + sizeof(int32_t) + sizeof(uint32_t) + sizeof(engine_kv_span) +
           sizeof(engine_decoder_span);
}

/* What engine_moe makes of a layer; chosen and weights are of routed experts only. */
static engine_moe_job
ffn_job(const engine_decoder_layer *layer, const int32_t *chosen, const float *weights,
        const engine_expert_source *source)
{
    const engine_dense_ffn *f = &layer->dense;
    const engine_moe_ffn *m = &layer->moe;

    if (!layer->is_moe)
        return (engine_moe_job){.gate = f->gate.w,
                                .up = f->up.w,
                                .down = f->down.w,
                                .n_experts = 1,
                                .n_used = 1,
                                .gate_bias = f->gate.bias,
                                .up_bias = f->up.bias,
                                .down_bias = f->down.bias};
    return (engine_moe_job){.layer = m->pack,
                            .gate = m->gate,
                            .up = m->up,
                            .down = m->down,
                            .gate_up = m->gate_up,
                            .n_experts = m->router.n_experts,
                            .n_used = m->router.n_used,
                            .chosen = chosen,
                            .weights = weights,
                            .source = source};
}

size_t
engine_decoder_scratch_bytes(const engine_model *model, uint32_t max_rows)
{
    const engine_decoder *d = model->arch;
    size_t shared = 0; /* the pool's */

    for (uint32_t i = 0; i < d->n_layers; i++) {
        const engine_moe_job job = ffn_job(&d->layers[i], NULL, NULL, NULL);
        shared = MAX(shared, engine_moe_bytes(model->kernels, &job, max_rows));
    }
    return row_bytes(d) * max_rows + d->rope.n_rot / 2 * sizeof(float) + shared;
}

/* The buffers of one side. */
static gboolean
allocate_side(engine_decoder_scratch *s, engine_backend *b, void **owned)
{
    buffer list[ENGINE_DECODER_BUFFERS];

    list_buffers(s, s->decoder, list);
    for (size_t i = 0; i < ENGINE_DECODER_BUFFERS; i++) {
        if (list[i].n_floats == 0) continue;
        owned[i] = b->ops->alloc(b, list[i].n_floats * s->max_rows * sizeof(float));
        if (!owned[i]) return FALSE;
    }
    return TRUE;
}

static gboolean
allocate(engine_decoder_scratch *s)
{
    const engine_decoder *d = s->decoder;

    s->spans = g_try_new0(engine_kv_span, s->max_rows);
    s->draft_spans = g_try_new0(engine_decoder_span, s->max_rows);
    s->tokens = g_try_new0(int32_t, s->max_rows);
    s->rows = g_try_new0(uint32_t, s->max_rows);
    s->inv_freq = g_try_new0(float, d->rope.n_rot / 2);
    s->guessed = g_try_new0(uint32_t, MAX(d->max_experts, 1));
    return s->guessed && s->spans && s->draft_spans && s->tokens && s->rows && s->inv_freq &&
           allocate_side(s, &s->host, s->owned[ENGINE_HOST]) &&
           (!s->placement || allocate_side(s, s->placement->device, s->owned[ENGINE_DEVICE]));
}

/* The pointers of s are those of one side. */
static void
take_side(engine_decoder_scratch *s, int side)
{
    buffer list[ENGINE_DECODER_BUFFERS];

    list_buffers(s, s->decoder, list);
    s->side = side;
    s->backend = side == ENGINE_DEVICE ? s->placement->device : &s->host;
    for (size_t i = 0; i < ENGINE_DECODER_BUFFERS; i++)
        memcpy(list[i].place, &s->owned[side][i], sizeof(void *));
}

engine_decoder_scratch *
engine_decoder_scratch_new(const engine_model *model, engine_pool *pool, uint32_t max_rows,
                           GError **error)
{
    return engine_decoder_scratch_new_on(model, pool, NULL, max_rows, error);
}

engine_decoder_scratch *
engine_decoder_scratch_new_on(const engine_model *model, engine_pool *pool,
                              const engine_placement *placement, uint32_t max_rows, GError **error)
{
    engine_decoder_scratch *s = g_new0(engine_decoder_scratch, 1);

    s->model = model;
    s->decoder = model->arch;
    s->host = engine_backend_cpu(pool, model->kernels);
    s->placement = placement;
    s->max_rows = max_rows;
    s->mtp = s->decoder->mtp_default;
    if (allocate(s)) {
        take_side(s, ENGINE_HOST);
        return s;
    }
    engine_decoder_scratch_free(s);
    g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_LIMIT, "no memory for passes of %u tokens of %s",
                max_rows, model->info.name);
    return NULL;
}

void
engine_decoder_scratch_free(engine_decoder_scratch *s)
{
    if (!s) return;
    for (size_t i = 0; i < ENGINE_DECODER_BUFFERS; i++) {
        s->host.ops->release(&s->host, s->owned[ENGINE_HOST][i]);
        if (s->owned[ENGINE_DEVICE][i])
            s->placement->device->ops->release(s->placement->device, s->owned[ENGINE_DEVICE][i]);
    }
    g_free(s->spans);
    g_free(s->draft_spans);
    g_free(s->tokens);
    g_free(s->rows);
    g_free(s->inv_freq);
    g_free(s->guessed);
    g_free(s);
}

void
engine_decoder_scratch_set_experts(engine_decoder_scratch *scratch,
                                   const struct engine_expert_source *source)
{
    scratch->experts = source;
}

/* ---- sides ---- */

void
engine_decoder_enter(engine_decoder_scratch *s, gboolean on_device, size_t n)
{
    const int side = on_device ? ENGINE_DEVICE : ENGINE_HOST;
    const float *from = s->x;

    if (side == s->side) return;
    take_side(s, side);
    if (n == 0) return;
    engine_backend *device = s->placement->device;
    const size_t n_bytes = n * s->decoder->n_embd * sizeof *from;
    if (on_device)
        device->ops->copy_in(device, s->x, from, n_bytes);
    else
        device->ops->copy_out(device, s->x, from, n_bytes);
}

gboolean
engine_decoder_check(engine_decoder_scratch *s, GError **error)
{
    engine_backend *device = s->placement ? s->placement->device : NULL;
    return !device || !device->ops->check || device->ops->check(device, error);
}

/* The table is the host's, except where it is the output matrix too and that is on the device. */
void
engine_decoder_embed(engine_decoder_scratch *s, const engine_tensor *table, const int32_t *tokens,
                     size_t n, float *out, size_t ldx)
{
    const engine_decoder *d = s->decoder;

    if (s->side == ENGINE_HOST || (table == d->output && s->placement->output)) {
        s->backend->ops->embed(s->backend, table, tokens, n, out, ldx);
        return;
    }
    size_t i = 0;
    while (s->owned[ENGINE_DEVICE][i] != out)
        i++;
    float *copy = s->owned[ENGINE_HOST][i];
    s->host.ops->embed(&s->host, table, tokens, n, copy, ldx);
    s->backend->ops->copy_in(s->backend, out, copy, n * ldx * sizeof *out);
}

/* ---- layers ---- */

/* All of one input's matrices; each writes its columns of out [n, width]. */
static void
project(engine_decoder_scratch *s, const engine_linear *linears, size_t n_linears,
        const float *norm, float *out, size_t width, size_t n)
{
    engine_matmul_job jobs[8];
    const engine_projection p = {s->x, s->decoder->n_embd, norm, s->decoder->norm_eps, s->h};

    g_assert(n_linears <= G_N_ELEMENTS(jobs));
    for (size_t i = 0; i < n_linears; i++)
        jobs[i] = (engine_matmul_job){linears[i].w, linears[i].bias, out + linears[i].at, width};
    s->backend->ops->project(s->backend, &p, jobs, n_linears, n);
}

static void
run_attention(engine_decoder_scratch *s, const engine_decoder_pass *pass,
              const engine_decoder_layer *layer)
{
    engine_backend *b = s->backend;
    const engine_decoder *d = s->decoder;
    const engine_attention_layer *a = &layer->attention;
    const engine_heads_job heads = {d, a, s->raw, s->tables, s->q, s->k, s->v};

    project(s, a->in, a->n_in, layer->mixer_norm, s->raw, d->heads.width, pass->n);
    b->ops->attend(b, &heads, pass->kv, s->spans, pass->n_spans, pass->n, s->att);
    b->ops->project_add(b, &a->out, s->att, pass->n, s->y, s->x);
}

static void
run_delta(engine_decoder_scratch *s, const engine_decoder_pass *pass,
          const engine_decoder_layer *layer)
{
    engine_backend *b = s->backend;
    const engine_decoder *d = s->decoder;
    const engine_delta_layer *delta = &layer->delta;
    const engine_delta_shape *shape = &d->delta;

    project(s, delta->in, delta->n_in, layer->mixer_norm, s->raw, shape->width, pass->n);
    for (size_t i = 0; i < pass->n_spans; i++) {
        const engine_decoder_span *span = &pass->spans[i];
        engine_recurrent *state = span->sequence->recurrent;
        const engine_delta_job job = {.shape = shape,
                                      .layer = delta,
                                      .eps = d->norm_eps,
                                      .raw = s->raw + (size_t)span->row * shape->width,
                                      .conv = s->conv + (size_t)span->row * shape->n_channels,
                                      .gates = s->delta_gates + (size_t)span->row * 2 * shape->n_v,
                                      .conv_state =
                                          engine_recurrent_conv(state, delta->state_layer),
                                      .state = engine_recurrent_state(state, delta->state_layer),
                                      .out = s->att + (size_t)span->row * shape->n_v * shape->d_v};
        b->ops->delta(b, &job, span->n);
    }
    b->ops->project_add(b, &delta->out, s->att, pass->n, s->y, s->x);
}

static gboolean
run_dense(engine_decoder_scratch *s, const engine_decoder_layer *layer, size_t n, GError **error)
{
    engine_backend *b = s->backend;
    const engine_decoder *d = s->decoder;
    const engine_moe_job job = ffn_job(layer, NULL, NULL, NULL);

    b->ops->rms_norm(b, s->x, d->n_embd, layer->ffn_norm, d->norm_eps, d->n_embd, n, s->h,
                     d->n_embd);
    return b->ops->moe(b, &job, s->h, n, s->x, error);
}

/* Experts of the next layer that its router would choose now, before this layer's have been added: most of
 * them will be right, so an out-of-core cache may begin to read them.
 * Source: Eliseev and Mazur, arXiv:2312.17238, section 3.2. */
static void
announce_next(engine_decoder_scratch *s, const engine_decoder_layer *layer, size_t n)
{
    engine_backend *b = s->backend;
    const engine_decoder *d = s->decoder;
    const engine_decoder_layer *next = layer + 1;
    int32_t chosen[GUESS_ROWS * GUESS_USED];

    if (layer < d->layers || next >= d->layers + d->n_layers || !next->is_moe) return;
    const engine_moe_ffn *m = &next->moe;
    if (n > GUESS_ROWS || m->router.n_used > GUESS_USED) return; /* a prompt needs nearly all */
    const engine_projection p = {s->x, d->n_embd, next->ffn_norm, d->norm_eps, s->y};
    const engine_matmul_job job = {m->logits.w, m->logits.bias, s->guess_router,
                                   m->router.n_experts};
    b->ops->project(b, &p, &job, 1, n);
    b->ops->route(b, &m->router, s->guess_router, n, s->guess_chosen, s->guess_weights);
    b->ops->copy_out(b, chosen, s->guess_chosen, n * m->router.n_used * sizeof *chosen);
    size_t n_listed = 0;
    for (uint32_t e = 0; e < m->router.n_experts; e++) {
        gboolean wanted = FALSE;
        for (size_t i = 0; i < n * m->router.n_used && !wanted; i++)
            wanted = chosen[i] == (int32_t)e;
        if (wanted) s->guessed[n_listed++] = e;
    }
    s->experts->prefetch(s->experts->ctx, m->pack, s->guessed, n_listed);
}

/* The router, the shared expert and its gate read the same input and go together. */
static gboolean
run_moe(engine_decoder_scratch *s, const engine_decoder_layer *layer, size_t n, GError **error)
{
    engine_backend *b = s->backend;
    const engine_moe_ffn *m = &layer->moe;
    const engine_dense_ffn *f = &m->shared;
    const engine_projection p = {s->x, s->decoder->n_embd, layer->ffn_norm, s->decoder->norm_eps,
                                 s->h};
    engine_matmul_job jobs[4] = {{m->logits.w, m->logits.bias, s->router, m->router.n_experts}};
    size_t n_jobs = 1;

    if (f->n_ff > 0) {
        jobs[n_jobs++] = (engine_matmul_job){f->gate.w, f->gate.bias, s->gate, f->n_ff};
        jobs[n_jobs++] = (engine_matmul_job){f->up.w, f->up.bias, s->up, f->n_ff};
        if (m->shared_gate.w)
            jobs[n_jobs++] = (engine_matmul_job){m->shared_gate.w, NULL, s->shared_gate, 1};
    }
    b->ops->project(b, &p, jobs, n_jobs, n);
    b->ops->route(b, &m->router, s->router, n, s->chosen, s->weights);
    const engine_moe_job job = ffn_job(layer, s->chosen, s->weights, s->experts);
    if (s->experts && s->experts->prefetch) announce_next(s, layer, n);
    if (!b->ops->moe(b, &job, s->h, n, s->x, error)) return FALSE;
    if (f->n_ff == 0) return TRUE;
    const engine_matmul_job down = {f->down.w, f->down.bias, s->y, s->decoder->n_embd};
    const engine_projection in = {.x = s->gate, .n_in = f->n_ff};
    b->ops->swiglu(b, s->gate, s->up, f->n_ff, n);
    b->ops->project(b, &in, &down, 1, n);
    b->ops->add(b, s->x, s->y, m->shared_gate.w ? s->shared_gate : NULL, s->decoder->n_embd, n);
    return TRUE;
}

gboolean
engine_decoder_run_layer(engine_decoder_scratch *s, const engine_decoder_pass *pass,
                         const engine_decoder_layer *layer, GError **error)
{
    if (layer->is_delta)
        run_delta(s, pass, layer);
    else
        run_attention(s, pass, layer);
    if (layer->is_moe) return run_moe(s, layer, pass->n, error);
    return run_dense(s, layer, pass->n, error);
}

/* Every row's rotary table on one side. */
static void
prepare_side(engine_decoder_scratch *s, const engine_decoder_pass *pass)
{
    engine_backend *b = s->backend;
    const engine_rope *rope = &s->decoder->rope;
    float base = -1.0f;

    if (b->ops->begin_pass) b->ops->begin_pass(b, pass->kv, s->spans, pass->n_spans, pass->n);
    for (size_t i = 0; i < pass->n_spans; i++) {
        const engine_decoder_span *span = &pass->spans[i];
        if (span->sequence->rope_base != base) {
            base = span->sequence->rope_base;
            engine_rope_frequencies(rope, base, s->inv_freq);
        }
        b->ops->rope_tables(b, rope, s->inv_freq, span->first, span->n,
                            s->tables + span->row * engine_rope_row_floats(rope));
    }
}

/* The cache's view of the spans; the tables where there are layers. The pass is then where its first layer is. */
void
engine_decoder_begin_pass(engine_decoder_scratch *s, const engine_decoder_pass *pass)
{
    const engine_placement *placement = s->placement;
    gboolean used[2] = {!placement, FALSE};

    for (size_t i = 0; i < pass->n_spans; i++) {
        const engine_decoder_span *span = &pass->spans[i];
        s->spans[i] = (engine_kv_span){&span->sequence->kv, span->row, span->n, span->first};
    }
    for (uint32_t i = 0; placement && i < s->decoder->n_layers; i++)
        used[placement->layers[i] ? ENGINE_DEVICE : ENGINE_HOST] = TRUE;
    if (placement) used[placement->output ? ENGINE_DEVICE : ENGINE_HOST] = TRUE;
    for (int side = ENGINE_HOST; side <= ENGINE_DEVICE; side++) {
        if (!used[side]) continue;
        engine_decoder_enter(s, side == ENGINE_DEVICE, 0);
        prepare_side(s, pass);
    }
}

static gboolean
on_device(const engine_decoder_scratch *s, uint32_t layer)
{
    return s->placement && s->placement->layers[layer];
}

/* From the embedded tokens to the hidden states. */
static gboolean
run_layers(engine_decoder_scratch *s, const engine_decoder_pass *pass, GError **error)
{
    const engine_decoder *d = s->decoder;

    for (uint32_t i = 0; i < d->n_layers; i++) {
        engine_decoder_enter(s, on_device(s, i), pass->n);
        if (!engine_decoder_run_layer(s, pass, &d->layers[i], error)) return FALSE;
    }
    engine_decoder_enter(s, s->placement && s->placement->output, pass->n);
    s->backend->ops->rms_norm(s->backend, s->x, d->n_embd, d->output_norm, d->norm_eps, d->n_embd,
                              pass->n, s->hidden, d->n_embd);
    return TRUE;
}

/* Nothing of it on the host. */
static gboolean
is_whole(const engine_decoder_scratch *s)
{
    const engine_placement *p = s->placement;
    return p && p->output && p->n_layers == s->decoder->n_layers &&
           (p->experts || s->decoder->max_experts == 0);
}

/* What the work of a pass depends on besides what lies in memory. */
typedef struct {
    const void *kv;
    size_t n, n_spans;
    struct {
        const void *recurrent;
        uint32_t row, n;
    } spans[ENGINE_REPEAT_ROWS];
} pass_key;

static gboolean
run_or_repeat(engine_decoder_scratch *s, const engine_decoder_pass *pass, GError **error)
{
    engine_backend *b = s->backend;
    pass_key key;

    if (!is_whole(s) || !b->ops->repeat || pass->n > ENGINE_REPEAT_ROWS)
        return run_layers(s, pass, error);
    memset(&key, 0, sizeof key); /* holes included: it is compared as bytes */
    key.kv = pass->kv;
    key.n = pass->n;
    key.n_spans = pass->n_spans;
    for (size_t i = 0; i < pass->n_spans; i++) {
        key.spans[i].recurrent = pass->spans[i].sequence->recurrent;
        key.spans[i].row = pass->spans[i].row;
        key.spans[i].n = pass->spans[i].n;
    }
    switch (b->ops->repeat(b, &key, sizeof key)) {
    case ENGINE_REPEATED:
        return TRUE;
    case ENGINE_REPEAT_RECORD:
        return run_layers(s, pass, error) && (b->ops->record_end(b) || run_layers(s, pass, error));
    default:
        return run_layers(s, pass, error);
    }
}

gboolean
engine_decoder_forward(engine_decoder_scratch *s, engine_kv *kv, const int32_t *tokens, size_t rows,
                       const engine_decoder_span *spans, size_t n_spans, GError **error)
{
    const engine_decoder *d = s->decoder;
    const engine_decoder_pass pass = {kv, spans, n_spans, rows};

    g_assert(rows > 0 && rows <= s->max_rows && n_spans <= rows);
    engine_decoder_begin_pass(s, &pass);
    engine_decoder_enter(s, on_device(s, 0), 0);
    engine_decoder_embed(s, d->embd, tokens, rows, s->x, d->n_embd);
    return run_or_repeat(s, &pass, error) && engine_decoder_check(s, error);
}

gboolean
engine_decoder_logits(engine_decoder_scratch *s, const uint32_t *rows_wanted, size_t n,
                      float *logits, GError **error)
{
    const engine_decoder *d = s->decoder;

    g_assert(n <= s->max_rows);
    if (n == 0) return TRUE;
    engine_decoder_enter(s, s->placement && s->placement->output, 0);
    s->backend->ops->gather(s->backend, s->hidden, rows_wanted, n, d->n_embd, s->y);
    s->backend->ops->logits(s->backend, d->output, s->y, n, logits);
    return engine_decoder_check(s, error);
}
