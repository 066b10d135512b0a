/* The forward pass of BERT (Devlin et al., arXiv:1810.04805): post-norm transformer layers with
 * bidirectional attention.
 *
 *   x = LN(word[t] + position[p] + type[0], or type[1] in the second part)
 *   per layer   x = LN(x + Wo Attention(Wq x, Wk x, Wv x));  x = LN(x + W2 gelu(W1 x))
 *   pooling     the mean over all tokens, or the first; then to unit length
 *   judging     labels(tanh(pooler(first token)))
 *
 * Texts of a batch lie one behind the other: the matrix products see one long list of tokens and nothing
 * is padded, so texts need no sorting by length either. Attention goes text by text. Every step computes a
 * token's row in an order of its own, so neither the batch nor the number of threads can change it. */
#include "engine/bert.h"

#include "engine/gemm_f32.h"
#include "engine/pool.h"

#include <math.h>
#include <string.h>

#define TOKENS_PER_TASK  16
#define QUERIES_PER_TILE 256 /* of one head: their scores stay in the cache up to some 500 keys */

typedef struct {
    const engine_model *model;
    const engine_bert *bert;
    const engine_kernels *k;
    const engine_gemm_f32 *gemm;
    engine_pool *pool;
    const engine_bert_batch *batch;
    size_t n_tokens, d, ff;
    float *x;      /* [n_tokens, d] */
    float *mixed;  /* [n_tokens, d] attention's weighted values */
    float *delta;  /* [n_tokens, d] what a sublayer adds to x; shares memory with qkv */
    float *qkv;    /* [n_tokens, 3 d] */
    float *hidden; /* [n_tokens, ff] */
    float *out;    /* [n_texts, d] */
    const engine_bert_norm *norm; /* of the running add-and-norm step */
    engine_pooling pooling;
    gboolean normalize;
} bert_run;

gboolean
engine_bert_scratch_size(const engine_model *model, size_t n_tokens, size_t *n_floats)
{
    const size_t per_token = (size_t)model->info.n_embd * 5 + model->info.n_ff;
    return g_size_checked_mul(n_floats, per_token, n_tokens);
}

/* Calls fn for blocks of tokens. */
static void
each_block(bert_run *run, engine_pool_fn fn)
{
    engine_pool_run(run->pool, (run->n_tokens + TOKENS_PER_TASK - 1) / TOKENS_PER_TASK, fn, run);
}

static size_t
block_end(const bert_run *run, size_t task)
{
    return MIN(run->n_tokens, (task + 1) * TOKENS_PER_TASK);
}

static void
embed_task(void *data, size_t task, int worker)
{
    const bert_run *run = data;
    const size_t first = run->batch->first[task], end = run->batch->first[task + 1];
    const size_t second = run->batch->second ? run->batch->second[task] : end;
    float *row = engine_pool_scratch(run->pool, worker, run->d * sizeof(float));
    for (size_t t = first; t < end; t++) {
        float *x = run->x + t * run->d;
        engine_tensor_row(run->bert->words, (size_t)run->batch->tokens[t], x);
        engine_tensor_row(run->bert->types, t < second ? 0 : 1, row);
        run->k->add(x, row, run->d);
        engine_tensor_row(run->bert->positions, t - first, row);
        run->k->add(x, row, run->d);
        run->k->layer_norm(x, run->bert->embedding_norm.weight, run->bert->embedding_norm.bias,
                           run->model->info.norm_eps, run->d, x);
    }
}

/* Scores of n_queries queries against all n keys: prob[q][p] = q . k_p. panel: scratch of width * dim. */
static void
score(const bert_run *run, const float *query, size_t n_queries, const float *key, size_t n,
      size_t dim, float *panel, float *prob)
{
    const size_t ld = 3 * run->d;
    for (size_t p = 0; p < n; p += run->gemm->width) {
        const size_t width = MIN(run->gemm->width, n - p);
        run->gemm->pack(key + p * ld, ld, width, dim, panel);
        run->gemm->multiply(panel, run->gemm->width, width, query, ld, n_queries, dim, NULL,
                            prob + p, n);
    }
}

/* mixed[q] = sum over p of prob[q][p] v_p. panel: scratch of width * n; the values have their outputs
 * contiguous already, but a line of cache per token lies too far apart to be read again and again. */
static void
mix(const bert_run *run, const float *prob, size_t n_queries, const float *value, size_t n,
    size_t dim, float *panel, float *mixed)
{
    const size_t ld = 3 * run->d, most = run->gemm->width;
    for (size_t c = 0; c < dim; c += most) {
        const size_t width = MIN(most, dim - c);
        if (width < most) memset(panel, 0, most * n * sizeof(float));
        for (size_t p = 0; p < n; p++)
            memcpy(panel + p * most, value + p * ld + c, width * sizeof(float));
        run->gemm->multiply(panel, most, width, prob, n, n_queries, n, NULL, mixed + c, run->d);
    }
}

/* One head of one text: mixed[q] = sum over p of softmax(q . k_p / sqrt(head_dim)) v_p. */
static void
attention_task(void *data, size_t task, int worker)
{
    const bert_run *run = data;
    const size_t n_heads = run->model->info.n_heads, dim = run->model->info.head_dim,
                 ld = 3 * run->d;
    const size_t text = task / n_heads, head = task % n_heads;
    const size_t first = run->batch->first[text], n = run->batch->first[text + 1] - first;
    const float *query = run->qkv + first * ld + head * dim;
    const float *key = query + run->d, *value = key + run->d;
    const float scale = 1.0f / sqrtf((float)dim);
    const size_t tile = MIN(n, QUERIES_PER_TILE);
    float *prob = engine_pool_scratch(run->pool, worker,
                                      (tile * n + run->gemm->width * MAX(n, dim)) * sizeof(float));
    float *panel = prob + tile * n;
    for (size_t q = 0; q < n; q += tile) {
        const size_t n_queries = MIN(n - q, tile);
        score(run, query + q * ld, n_queries, key, n, dim, panel, prob);
        for (size_t i = 0; i < n_queries; i++)
            run->k->softmax(prob + i * n, n, scale);
        mix(run, prob, n_queries, value, n, dim, panel,
            run->mixed + (first + q) * run->d + head * dim);
    }
}

static void
add_norm_task(void *data, size_t task, int worker)
{
    const bert_run *run = data;
    (void)worker;
    for (size_t t = task * TOKENS_PER_TASK; t < block_end(run, task); t++) {
        float *x = run->x + t * run->d;
        run->k->add(x, run->delta + t * run->d, run->d);
        run->k->layer_norm(x, run->norm->weight, run->norm->bias, run->model->info.norm_eps, run->d,
                           x);
    }
}

static void
gelu_task(void *data, size_t task, int worker)
{
    const bert_run *run = data;
    (void)worker;
    const size_t start = task * TOKENS_PER_TASK;
    float *hidden = run->hidden + start * run->ff;
    const size_t n = (block_end(run, task) - start) * run->ff;
    if (run->bert->gelu_tanh)
        run->k->gelu_tanh(hidden, n);
    else
        run->k->gelu_erf(hidden, n);
}

static void
pool_task(void *data, size_t task, int worker)
{
    const bert_run *run = data;
    (void)worker;
    const size_t first = run->batch->first[task], n = run->batch->first[task + 1] - first;
    float *out = run->out + task * run->d;
    memcpy(out, run->x + first * run->d, run->d * sizeof(float));
    if (run->pooling == ENGINE_POOLING_MEAN) {
        for (size_t t = 1; t < n; t++)
            run->k->add(out, run->x + (first + t) * run->d, run->d);
        run->k->scale(out, 1.0f / (float)n, run->d);
    }
    if (run->normalize) {
        const float length = sqrtf(run->k->dot(out, out, run->d));
        run->k->scale(out, 1.0f / fmaxf(length, 1e-12f), run->d);
    }
}

static void
linear(const bert_run *run, const engine_bert_linear *map, const float *x, float *y, size_t ldy)
{
    const engine_matmul_job job = {map->w, map->bias, y, ldy};
    engine_gemm_f32_jobs(run->pool, run->k, &job, 1, x, run->n_tokens);
}

static void
run_layer(bert_run *run, const engine_bert_layer *layer)
{
    const size_t d = run->d, ld = 3 * d;
    const engine_matmul_job jobs[] = {{layer->query.w, layer->query.bias, run->qkv, ld},
                                      {layer->key.w, layer->key.bias, run->qkv + d, ld},
                                      {layer->value.w, layer->value.bias, run->qkv + 2 * d, ld}};
    engine_gemm_f32_jobs(run->pool, run->k, jobs, G_N_ELEMENTS(jobs), run->x, run->n_tokens);
    engine_pool_run(run->pool, run->batch->n_texts * run->model->info.n_heads, attention_task, run);
    linear(run, &layer->output, run->mixed, run->delta, d);
    run->norm = &layer->attention_norm;
    each_block(run, add_norm_task);
    linear(run, &layer->up, run->x, run->hidden, run->ff);
    each_block(run, gelu_task);
    linear(run, &layer->down, run->hidden, run->delta, d);
    run->norm = &layer->output_norm;
    each_block(run, add_norm_task);
}

static void
forward(const engine_model *model, engine_pool *pool, const engine_bert_batch *batch,
        engine_pooling pooling, gboolean normalize, float *scratch, float *out)
{
    bert_run run = {.model = model,
                    .bert = model->arch,
                    .k = model->kernels,
                    .gemm = engine_gemm_f32_lookup(model->kernels->cpu),
                    .pool = pool,
                    .batch = batch,
                    .n_tokens = batch->first[batch->n_texts],
                    .d = model->info.n_embd,
                    .ff = model->info.n_ff,
                    .out = out,
                    .pooling = pooling,
                    .normalize = normalize};
    run.x = scratch;
    run.mixed = run.x + run.n_tokens * run.d;
    run.qkv = run.mixed + run.n_tokens * run.d;
    run.delta = run.qkv; /* attention is done with it by then */
    run.hidden = run.qkv + run.n_tokens * run.d * 3;
    engine_pool_run(pool, batch->n_texts, embed_task, &run);
    for (uint32_t i = 0; i < model->info.n_layers; i++)
        run_layer(&run, &run.bert->layers[i]);
    engine_pool_run(pool, batch->n_texts, pool_task, &run);
}

void
engine_bert_forward(const engine_model *model, engine_pool *pool, const engine_bert_batch *batch,
                    float *scratch, float *out)
{
    engine_pool_lock(pool);
    forward(model, pool, batch, model->info.pooling, model->info.normalize, scratch, out);
    engine_pool_unlock(pool);
}

static void
judge(const engine_model *model, engine_pool *pool, float *first_rows, size_t n, float *out)
{
    const engine_bert *bert = model->arch;
    const size_t d = model->info.n_embd;
    float *rows = first_rows;

    if (bert->pooler.w) {
        rows = first_rows + n * d;
        const engine_matmul_job job = {bert->pooler.w, bert->pooler.bias, rows, d};
        engine_gemm_f32_jobs(pool, model->kernels, &job, 1, first_rows, n);
        for (size_t i = 0; i < n * d; i++)
            rows[i] = tanhf(rows[i]);
    }
    const engine_matmul_job job = {bert->labels.w, bert->labels.bias, out, model->info.n_labels};
    engine_gemm_f32_jobs(pool, model->kernels, &job, 1, rows, n);
}

void
engine_bert_judge_rows(const engine_model *model, engine_pool *pool, float *first_rows, size_t n,
                       float *out)
{
    engine_pool_lock(pool);
    judge(model, pool, first_rows, n, out);
    engine_pool_unlock(pool);
}

void
engine_bert_judge(const engine_model *model, engine_pool *pool, const engine_bert_batch *batch,
                  float *scratch, float *first_rows, float *out)
{
    engine_pool_lock(pool);
    forward(model, pool, batch, ENGINE_POOLING_CLS, FALSE, scratch, first_rows);
    judge(model, pool, first_rows, batch->n_texts, out);
    engine_pool_unlock(pool);
}
