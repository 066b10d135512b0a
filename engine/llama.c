/* The llama forward pass.
 *
 *   x = embed[token]
 *   per layer:  h = rms(x); q, k, v = Wq h, Wk h, Wv h; rotate q, k; cache k, v
 *               x += Wo attention(q, cache)
 *               h = rms(x); x += Wdown (silu(Wgate h) * Wup h)
 *   logits = Wout rms(x)
 *
 * A token's numbers depend on the tokens before it only, never on how many run at once (see kernels.h), so
 * a prompt in chunks, a prompt at once and token by token give the same bytes.
 *
 * Sources: Touvron et al., arXiv:2302.13971; grouped queries: Ainslie et al., arXiv:2305.13245; rotary
 * positions: Su et al., arXiv:2104.09864. */
#include "engine/llama.h"

#include "engine/pool.h"

#include <math.h>
#include <string.h>

/* ---- memory ---- */

static gboolean
allocate(float **out, size_t a, size_t b, size_t c, size_t d)
{
    size_t n;

    if (!g_size_checked_mul(&n, a, b) || !g_size_checked_mul(&n, n, c) ||
        !g_size_checked_mul(&n, n, d))
        return FALSE;
    *out = g_try_malloc0_n(MAX(n, 1),
                           sizeof(float)); /* zeroed memory costs nothing until it is touched */
    return *out != NULL;
}

gboolean
engine_llama_state_init(engine_llama_state *state, const engine_model *model, engine_pool *pool,
                        uint32_t n_context, GError **error)
{
    const engine_model_info *info = &model->info;
    const size_t chunk = MIN(n_context, ENGINE_LLAMA_CHUNK), hd = info->head_dim;
    const size_t n_blocks = (n_context + ENGINE_LLAMA_KV_BLOCK - 1) / ENGINE_LLAMA_KV_BLOCK;
    const size_t group = info->n_heads / info->n_kv_heads;

    *state = (engine_llama_state){
        .model = model, .llama = model->arch, .pool = pool, .n_context = n_context};
    state->chunk = (uint32_t)chunk;
    if (allocate(&state->k_cache, info->n_layers, info->n_kv_heads, n_context, hd) &&
        allocate(&state->v_cache, info->n_layers, info->n_kv_heads, n_context, hd) &&
        allocate(&state->x, chunk, info->n_embd, 1, 1) &&
        allocate(&state->h, chunk, info->n_embd, 1, 1) &&
        allocate(&state->q, chunk, info->n_heads, hd, 1) &&
        allocate(&state->att, chunk, info->n_heads, hd, 1) &&
        allocate(&state->k, chunk, info->n_kv_heads, hd, 1) &&
        allocate(&state->v, chunk, info->n_kv_heads, hd, 1) &&
        allocate(&state->gate, chunk, info->n_ff, 1, 1) &&
        allocate(&state->up, chunk, info->n_ff, 1, 1) &&
        allocate(&state->cos_sin, chunk, state->llama->n_rot, 1, 1) &&
        allocate(&state->parts, info->n_kv_heads, n_blocks, group, hd + 2))
        return TRUE;
    engine_llama_state_clear(state);
    g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_LIMIT, "no memory for a cache of %u tokens of %s",
                n_context, info->name);
    return FALSE;
}

void
engine_llama_state_clear(engine_llama_state *state)
{
    float **const buffers[] = {&state->k_cache, &state->v_cache, &state->x,       &state->h,
                               &state->q,       &state->att,     &state->k,       &state->v,
                               &state->gate,    &state->up,      &state->cos_sin, &state->parts};

    for (size_t i = 0; i < G_N_ELEMENTS(buffers); i++)
        g_clear_pointer(buffers[i], g_free);
}

/* ---- the pieces between the products, one task per token ---- */

typedef struct {
    engine_llama_state *state;
    const int32_t *tokens;
    const float *norm;
    uint32_t layer, first;
} token_run;

static float *
cache_row(float *cache, const engine_llama_state *state, uint32_t layer, uint32_t head,
          uint32_t position)
{
    const engine_model_info *info = &state->model->info;
    return cache + (((size_t)layer * info->n_kv_heads + head) * state->n_context + position) *
                       info->head_dim;
}

static void
embed_task(void *data, size_t t, int worker)
{
    const token_run *run = data;
    engine_llama_state *state = run->state;
    const engine_llama *llama = state->llama;
    const uint32_t n_pairs = llama->n_rot / 2;
    float *cos_sin = state->cos_sin + t * llama->n_rot;
    const float position = (float)(run->first + t);

    (void)worker;
    engine_tensor_row(llama->embd, (size_t)run->tokens[t],
                      state->x + t * state->model->info.n_embd);
    for (uint32_t j = 0; j < n_pairs; j++) {
        const float angle = position * llama->inv_freq[j];
        cos_sin[j] = cosf(angle);
        cos_sin[n_pairs + j] = sinf(angle);
    }
}

static void
norm_task(void *data, size_t t, int worker)
{
    const token_run *run = data;
    engine_llama_state *state = run->state;
    const engine_model_info *info = &state->model->info;

    (void)worker;
    state->model->kernels->rms_norm(state->x + t * info->n_embd, run->norm, info->norm_eps,
                                    info->n_embd, state->h + t * info->n_embd);
}

/* Rotate q and k of token t, put k and v into the cache. */
static void
rotate_task(void *data, size_t t, int worker)
{
    const token_run *run = data;
    engine_llama_state *state = run->state;
    const engine_model_info *info = &state->model->info;
    const engine_llama *llama = state->llama;
    const engine_kernels *kernels = state->model->kernels;
    void (*rope)(float *, const float *, size_t) =
        llama->rope_halves ? kernels->rope_halves : kernels->rope_pairs;
    const float *cos_sin = state->cos_sin + t * llama->n_rot;
    const size_t hd = info->head_dim;

    (void)worker;
    for (uint32_t head = 0; head < info->n_heads; head++)
        rope(state->q + (t * info->n_heads + head) * hd, cos_sin, llama->n_rot / 2);
    for (uint32_t head = 0; head < info->n_kv_heads; head++) {
        float *k = state->k + (t * info->n_kv_heads + head) * hd;
        const float *v = state->v + (t * info->n_kv_heads + head) * hd;
        rope(k, cos_sin, llama->n_rot / 2);
        memcpy(cache_row(state->k_cache, state, run->layer, head, run->first + (uint32_t)t), k,
               hd * sizeof *k);
        memcpy(cache_row(state->v_cache, state, run->layer, head, run->first + (uint32_t)t), v,
               hd * sizeof *v);
    }
}

static void
swiglu_task(void *data, size_t t, int worker)
{
    const token_run *run = data;
    engine_llama_state *state = run->state;
    const size_t n_ff = state->model->info.n_ff;

    (void)worker;
    state->model->kernels->silu_mul(state->gate + t * n_ff, state->up + t * n_ff, n_ff);
}

/* x += h, the residual connection */
static void
residual_task(void *data, size_t t, int worker)
{
    const token_run *run = data;
    engine_llama_state *state = run->state;
    const size_t n_embd = state->model->info.n_embd;

    (void)worker;
    state->model->kernels->add(state->x + t * n_embd, state->h + t * n_embd, n_embd);
}

/* One token's worth of elementwise work is cheaper than waking another thread. */
static void
run_tokens(engine_pool *pool, size_t n, engine_pool_fn fn, token_run *run)
{
    if (n >= 4) {
        engine_pool_run(pool, n, fn, run);
        return;
    }
    for (size_t t = 0; t < n; t++)
        fn(run, t, 0);
}

/* ---- layers ---- */

static void
attention_branch(token_run *run, const engine_llama_layer *layer, size_t n)
{
    engine_llama_state *state = run->state;
    const engine_kernels *kernels = state->model->kernels;
    const engine_model_info *info = &state->model->info;
    const size_t nq = (size_t)info->n_heads * info->head_dim,
                 nkv = (size_t)info->n_kv_heads * info->head_dim;
    const engine_matmul_job qkv[] = {{layer->q, layer->q_bias, state->q, nq},
                                     {layer->k, layer->k_bias, state->k, nkv},
                                     {layer->v, layer->v_bias, state->v, nkv}};
    const engine_matmul_job out = {layer->o, layer->o_bias, state->h, info->n_embd};

    run->norm = layer->attn_norm;
    run_tokens(state->pool, n, norm_task, run);
    engine_matmul(state->pool, kernels, qkv, 3, state->h, n);
    run_tokens(state->pool, n, rotate_task, run);
    engine_llama_attention(state, run->layer, n, run->first);
    engine_matmul(state->pool, kernels, &out, 1, state->att, n);
    run_tokens(state->pool, n, residual_task, run);
}

static void
ffn_branch(token_run *run, const engine_llama_layer *layer, size_t n)
{
    engine_llama_state *state = run->state;
    const engine_kernels *kernels = state->model->kernels;
    const engine_model_info *info = &state->model->info;
    const engine_matmul_job wide[] = {{layer->gate, layer->gate_bias, state->gate, info->n_ff},
                                      {layer->up, layer->up_bias, state->up, info->n_ff}};
    const engine_matmul_job down = {layer->down, layer->down_bias, state->h, info->n_embd};

    run->norm = layer->ffn_norm;
    run_tokens(state->pool, n, norm_task, run);
    engine_matmul(state->pool, kernels, wide, 2, state->h, n);
    run_tokens(state->pool, n, swiglu_task, run);
    engine_matmul(state->pool, kernels, &down, 1, state->gate, n);
    run_tokens(state->pool, n, residual_task, run);
}

void
engine_llama_forward(engine_llama_state *state, const int32_t *tokens, size_t n, uint32_t first)
{
    token_run run = {.state = state, .tokens = tokens, .first = first};

    g_assert(n <= state->chunk && first <= state->n_context && n <= state->n_context - first);
    run_tokens(state->pool, n, embed_task, &run);
    for (run.layer = 0; run.layer < state->model->info.n_layers; run.layer++) {
        const engine_llama_layer *layer = &state->llama->layers[run.layer];
        attention_branch(&run, layer, n);
        ffn_branch(&run, layer, n);
    }
}

void
engine_llama_logits(engine_llama_state *state, size_t from, size_t n, float *logits)
{
    const engine_model *model = state->model;
    const engine_model_info *info = &model->info;
    const engine_matmul_job job = {state->llama->output, NULL, logits, info->n_vocab};

    for (size_t t = 0; t < n; t++)
        model->kernels->rms_norm(state->x + (from + t) * info->n_embd, state->llama->output_norm,
                                 info->norm_eps, info->n_embd, state->h + t * info->n_embd);
    engine_matmul(state->pool, model->kernels, &job, 1, state->h, n);
}
