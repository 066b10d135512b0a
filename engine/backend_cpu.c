/* The CPU backend: rows as tasks of the pool, arithmetic from engine_kernels. */
#include "engine/backend.h"
#include "engine/pool.h"

#include <math.h>
#include <string.h>

#define FEW_ROWS 8 /* of a pass: fewer have their heads made, stored and attended to in one go */

/* ---- memory ---- */

static void *
cpu_alloc(engine_backend *b, size_t n_bytes)
{
    (void)b;
    void *memory = engine_buffer_alloc(n_bytes);
    if (memory) memset(memory, 0, n_bytes);
    return memory;
}

static void
cpu_release(engine_backend *b, void *memory)
{
    (void)b;
    free(memory);
}

static void
cpu_copy(engine_backend *b, void *dst, const void *src, size_t n_bytes)
{
    (void)b;
    memcpy(dst, src, n_bytes);
}

static void
cpu_clear(engine_backend *b, void *dst, size_t n_bytes)
{
    (void)b;
    memset(dst, 0, n_bytes);
}

/* ---- rows ---- */

typedef struct {
    const engine_backend *b;
    const void *job;
    const float *x, *y, *w;
    float *out;
    size_t ldx, ldo, n_elems;
    float eps;
    const int32_t *tokens;
    const uint32_t *rows;
    const engine_tensor *table;
    uint32_t first;
    int32_t *chosen;
    float *weights;
} row_run;

/* One row's worth of elementwise work is cheaper than waking another thread. */
static void
run_rows(engine_backend *b, size_t n, engine_pool_fn fn, row_run *run)
{
    run->b = b;
    if (n >= 4) {
        engine_pool_run(b->pool, n, fn, run);
        return;
    }
    for (size_t t = 0; t < n; t++)
        fn(run, t, 0);
}

static void
embed_row(void *data, size_t t, int worker)
{
    const row_run *run = data;
    (void)worker;
    engine_tensor_row(run->table, (size_t)run->tokens[t], run->out + t * run->ldo);
}

static void
cpu_embed(engine_backend *b, const engine_tensor *table, const int32_t *tokens, size_t n, float *x,
          size_t ldx)
{
    row_run run = {.table = table, .tokens = tokens, .out = x, .ldo = ldx};
    run_rows(b, n, embed_row, &run);
}

static void
norm_row(void *data, size_t t, int worker)
{
    const row_run *run = data;
    (void)worker;
    run->b->kernels->rms_norm(run->x + t * run->ldx, run->w, run->eps, run->n_elems,
                              run->out + t * run->ldo);
}

static void
cpu_rms_norm(engine_backend *b, const float *x, size_t ldx, const float *w, float eps,
             size_t n_elems, size_t n, float *y, size_t ldy)
{
    row_run run = {
        .x = x, .ldx = ldx, .w = w, .eps = eps, .n_elems = n_elems, .out = y, .ldo = ldy};
    run_rows(b, n, norm_row, &run);
}

static void
cpu_gather(engine_backend *b, const float *x, const uint32_t *rows, size_t n, size_t n_elems,
           float *y)
{
    (void)b;
    for (size_t i = 0; i < n; i++)
        memcpy(y + i * n_elems, x + rows[i] * n_elems, n_elems * sizeof *y);
}

/* ---- products ---- */

static void
cpu_project(engine_backend *b, const engine_projection *p, const engine_matmul_job *jobs,
            size_t n_jobs, size_t n)
{
    if (p->norm) cpu_rms_norm(b, p->x, p->n_in, p->norm, p->eps, p->n_in, n, p->h, p->n_in);
    engine_matmul(b->pool, b->kernels, jobs, n_jobs, p->norm ? p->h : p->x, n);
}

static void
add_row(void *data, size_t t, int worker)
{
    const row_run *run = data;
    (void)worker;
    if (run->w)
        run->b->kernels->blend(run->out + t * run->n_elems, 1.0f, run->y + t * run->n_elems,
                               1.0f / (1.0f + expf(-run->w[t])), run->n_elems);
    else
        run->b->kernels->add(run->out + t * run->n_elems, run->y + t * run->n_elems, run->n_elems);
}

static void
cpu_add(engine_backend *b, float *x, const float *y, const float *gate, size_t n_elems, size_t n)
{
    row_run run = {.out = x, .y = y, .w = gate, .n_elems = n_elems};
    run_rows(b, n, add_row, &run);
}

static void
cpu_project_add(engine_backend *b, const engine_linear *linear, const float *in, size_t n,
                float *tmp, float *x)
{
    const size_t n_out = (size_t)linear->w->dims[1];
    const engine_matmul_job job = {linear->w, linear->bias, tmp, n_out};

    engine_matmul(b->pool, b->kernels, &job, 1, in, n);
    cpu_add(b, x, tmp, NULL, n_out, n);
}

static void
cpu_logits(engine_backend *b, const engine_tensor *w, const float *x, size_t n, float *logits)
{
    const engine_matmul_job job = {w, NULL, logits, (size_t)w->dims[1]};
    engine_matmul(b->pool, b->kernels, &job, 1, x, n);
}

/* ---- attention ---- */

static void
rope_row(void *data, size_t t, int worker)
{
    const row_run *run = data;
    const engine_rope *rope = run->job;
    float *tmp = engine_pool_scratch(run->b->pool, worker, rope->n_rot * sizeof(float));

    engine_rope_row(rope, run->b->kernels, run->x, run->first + (uint32_t)t, tmp,
                    run->out + t * engine_rope_row_floats(rope));
}

static void
cpu_rope_tables(engine_backend *b, const engine_rope *rope, const float *inv_freq, uint32_t first,
                size_t n, float *tables)
{
    row_run run = {.job = rope, .x = inv_freq, .first = first, .out = tables};
    run_rows(b, n, rope_row, &run);
}

/* One head: copied, normed where the model does that, turned. */
static void
make_head(const row_run *run, const engine_rope *rope, const float *raw, const float *norm,
          const float *table, float *out)
{
    const engine_kernels *kernels = run->b->kernels;

    if (norm)
        kernels->rms_norm(raw, norm, run->eps, run->n_elems, out);
    else
        memcpy(out, raw, run->n_elems * sizeof *out);
    (rope->halves ? kernels->rope_halves : kernels->rope_pairs)(out, table, rope->n_rot / 2);
}

/* Row t of a KV head and of the queries that share it. */
static void
make_kv_head(const row_run *run, size_t t, uint32_t head)
{
    const engine_heads_job *job = run->job;
    const engine_decoder *d = job->decoder;
    const engine_head_layout *at = &d->heads;
    const size_t hd = d->head_dim, to = (t * d->n_kv_heads + head) * hd;
    const uint32_t group = d->n_heads / d->n_kv_heads;
    const float *raw = job->raw + t * at->width;
    /* FoPE: a table for each key head; else the one for all */
    const float *table = job->tables + t * engine_rope_row_floats(&d->rope) +
                         (d->rope.n_tables > 1 ? head * d->rope.n_rot : 0);

    for (uint32_t i = 0; i < group; i++)
        make_head(run, &d->rope, raw + at->q + head * at->q_group + i * at->q_head,
                  job->layer->q_norm, table, job->q + (t * d->n_heads + head * group + i) * hd);
    make_head(run, &d->rope, raw + at->k + head * at->k_head, job->layer->k_norm, table,
              job->k + to);
    memcpy(job->v + to, raw + at->v + head * at->v_head, hd * sizeof(float));
}

static void
heads_row(void *data, size_t t, int worker)
{
    const row_run *run = data;
    const engine_heads_job *job = run->job;

    (void)worker;
    for (uint32_t head = 0; head < job->decoder->n_kv_heads; head++)
        make_kv_head(run, t, head);
}

typedef struct {
    row_run rows;
    size_t n;
} few_rows;

static void
heads_of_few(void *data, uint32_t head)
{
    const few_rows *few = data;

    for (size_t t = 0; t < few->n; t++)
        make_kv_head(&few->rows, t, head);
}

static void
gate_row(void *data, size_t t, int worker)
{
    const row_run *run = data;
    const engine_heads_job *job = run->job;
    const engine_decoder *d = job->decoder;
    const engine_head_layout *at = &d->heads;
    const uint32_t group = d->n_heads / d->n_kv_heads;

    (void)worker;
    for (uint32_t h = 0; h < d->n_heads; h++) {
        const float *gate = job->raw + t * at->width + at->q + h / group * at->q_group +
                            h % group * at->q_head + at->gate;
        float *out = run->out + (t * d->n_heads + h) * d->head_dim;
        run->b->kernels->sigmoid_mul(out, gate, d->head_dim);
    }
}

static void
cpu_attend(engine_backend *b, const engine_heads_job *job, engine_kv *kv,
           const engine_kv_span *spans, size_t n_spans, size_t n, float *out)
{
    const engine_decoder *d = job->decoder;
    const uint32_t layer = job->layer->kv_layer;
    row_run run = {.b = b, .job = job, .eps = d->norm_eps, .n_elems = d->head_dim, .out = out};

    if (n < FEW_ROWS) {
        few_rows few = {run, n};
        engine_kv_attend(kv, b->pool, b->kernels, layer, spans, n_spans, heads_of_few, &few, job->q,
                         job->k, job->v, d->n_heads, d->attn_scale, out);
    } else {
        run_rows(b, n, heads_row, &run);
        engine_kv_store(kv, b->pool, b->kernels, layer, spans, n_spans, job->k, job->v);
        engine_kv_attention(kv, b->pool, b->kernels, layer, spans, n_spans, job->q, d->n_heads,
                            d->attn_scale, out);
    }
    if (d->heads.gate) run_rows(b, n, gate_row, &run);
}

/* ---- feed-forward ---- */

static void
swiglu_row(void *data, size_t t, int worker)
{
    const row_run *run = data;
    (void)worker;
    run->b->kernels->silu_mul(run->out + t * run->n_elems, run->y + t * run->n_elems, run->n_elems);
}

static void
cpu_swiglu(engine_backend *b, float *gate, const float *up, size_t n_elems, size_t n)
{
    row_run run = {.out = gate, .y = up, .n_elems = n_elems};
    run_rows(b, n, swiglu_row, &run);
}

static void
route_row(void *data, size_t t, int worker)
{
    const row_run *run = data;
    const engine_router *router = run->job;
    (void)worker;
    engine_route(router, run->b->kernels, run->out + t * router->n_experts,
                 run->chosen + t * router->n_used, run->weights + t * router->n_used);
}

static void
cpu_route(engine_backend *b, const engine_router *router, float *logits, size_t n, int32_t *chosen,
          float *weights)
{
    row_run run = {.job = router, .out = logits, .chosen = chosen, .weights = weights};
    run_rows(b, n, route_row, &run);
}

static gboolean
cpu_moe(engine_backend *b, const engine_moe_job *job, const float *x, size_t n, float *y,
        GError **error)
{
    return engine_moe(b->pool, b->kernels, job, x, n, y, error);
}

/* ---- delta rule ---- */

static void
delta_row(void *data, size_t t, int worker)
{
    const row_run *run = data;
    (void)worker;
    engine_delta_row(run->b->kernels, run->job, t);
}

static void
delta_head(void *data, size_t head, int worker)
{
    const row_run *run = data;
    (void)worker;
    engine_delta_head(run->b->kernels, run->job, run->n_elems, (uint32_t)head);
}

static void
cpu_delta(engine_backend *b, const engine_delta_job *job, size_t n)
{
    row_run run = {.job = job, .n_elems = n};

    run_rows(b, n, delta_row, &run);
    engine_pool_run(b->pool, job->shape->n_v, delta_head, &run);
    engine_delta_shift(job, n);
}

static const engine_backend_ops CPU = {
    .name = "cpu",
    .alloc = cpu_alloc,
    .release = cpu_release,
    .copy_in = cpu_copy,
    .copy_out = cpu_copy,
    .copy = cpu_copy,
    .clear = cpu_clear,
    .embed = cpu_embed,
    .rms_norm = cpu_rms_norm,
    .gather = cpu_gather,
    .project = cpu_project,
    .project_add = cpu_project_add,
    .logits = cpu_logits,
    .rope_tables = cpu_rope_tables,
    .attend = cpu_attend,
    .swiglu = cpu_swiglu,
    .route = cpu_route,
    .moe = cpu_moe,
    .add = cpu_add,
    .delta = cpu_delta,
};

engine_backend
engine_backend_cpu(engine_pool *pool, const engine_kernels *kernels)
{
    return (engine_backend){&CPU, pool, kernels};
}
