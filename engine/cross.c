/* engine_cross_score: pairs of query and passage to logits, in batches of a bounded number of tokens. */
#include "engine/bert_device.h"

#include <string.h>

enum { BATCH_TOKENS = 1024, MAX_LABELS = 2 };

static gboolean
check_arguments(const engine_model *model, GError **error)
{
    if (model->info.kind == ENGINE_KIND_ENCODER && model->tokenizer && model->info.n_labels > 0 &&
        model->info.n_context >= 5)
        return TRUE;
    g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_ARGUMENT, "%s does not judge pairs of texts: %s",
                model->info.name,
                model->info.n_labels == 0 ? "it has no head for it"
                : !model->tokenizer       ? "it has no tokenizer"
                                          : "its context is too short");
    return FALSE;
}

/* [CLS] query [SEP], at most half of the context. */
static GArray *
query_tokens(const engine_model *model, const char *query)
{
    GArray *tokens = g_array_new(FALSE, FALSE, sizeof(int32_t));
    const guint most = model->info.n_context / 2;
    engine_tokenizer_encode(model->tokenizer, query, strlen(query), ENGINE_TOKENIZE_ADD_SPECIAL,
                            tokens);
    if (tokens->len > most) {
        const int32_t last = g_array_index(tokens, int32_t, tokens->len - 1);
        g_array_set_size(tokens, most);
        if (last == model->info.eos) g_array_index(tokens, int32_t, most - 1) = last;
    }
    return tokens;
}

static void
append_passage(const engine_model *model, const char *passage, const GArray *query, GArray *tokens)
{
    const guint start = tokens->len, most = model->info.n_context - (model->info.eos >= 0 ? 1 : 0);
    g_array_append_vals(tokens, query->data, query->len);
    engine_tokenizer_encode(model->tokenizer, passage, strlen(passage), ENGINE_TOKENIZE_PLAIN,
                            tokens);
    if (tokens->len - start > most) g_array_set_size(tokens, start + most);
    if (model->info.eos >= 0) g_array_append_val(tokens, model->info.eos);
}

typedef struct {
    const engine_model *model;
    engine_pool *pool;
    engine_bert_device *device; /* borrowed; NULL: here */
    size_t most;             /* tokens at which a batch is full; one pair more may begin before */
    GArray *query, *tokens;  /* of int32_t */
    GArray *first, *second;  /* of size_t */
    float *scratch, *labels; /* as engine_bert_judge wants them */
    GArray *rows;            /* of float */
} cross_run;

static void
cross_run_clear(cross_run *run)
{
    g_clear_pointer(&run->query, g_array_unref);
    g_clear_pointer(&run->tokens, g_array_unref);
    g_clear_pointer(&run->first, g_array_unref);
    g_clear_pointer(&run->second, g_array_unref);
    g_clear_pointer(&run->rows, g_array_unref);
    g_free(run->scratch);
    g_free(run->labels);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(cross_run, cross_run_clear)

static gboolean
no_memory(const engine_model *model, GError **error)
{
    g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_LIMIT, "%s: no memory to score with",
                model->info.name);
    return FALSE;
}

static gboolean
take_scratch(cross_run *run, GError **error)
{
    size_t n_floats = 0, n_bytes = 0;

    if (engine_bert_scratch_size(run->model, BATCH_TOKENS + (size_t)run->model->info.n_context,
                                 &n_floats) &&
        g_size_checked_mul(&n_bytes, n_floats, sizeof(float)))
        run->scratch = g_try_malloc(n_bytes);
    return run->scratch || no_memory(run->model, error);
}

static gboolean
cross_run_begin(cross_run *run, const char *query, size_t n, GError **error)
{
    const engine_model *model = run->model;

    if (!engine_bert_device_find(model, &run->device, error)) return FALSE;
    run->most = BATCH_TOKENS;
    if (run->device)
        run->most = MIN(run->most, ENGINE_BERT_DEVICE_TOKENS - (size_t)model->info.n_context);
    else if (!take_scratch(run, error))
        return FALSE;
    run->labels = g_try_new(float, MIN(n, BATCH_TOKENS) * MAX_LABELS);
    if (!run->labels) return no_memory(model, error);
    run->query = query_tokens(model, query);
    run->tokens = g_array_new(FALSE, FALSE, sizeof(int32_t));
    run->first = g_array_new(FALSE, FALSE, sizeof(size_t));
    run->second = g_array_new(FALSE, FALSE, sizeof(size_t));
    run->rows = g_array_new(FALSE, FALSE, sizeof(float));
    return TRUE;
}

static gboolean
judge(cross_run *run, const engine_bert_batch *batch, GError **error)
{
    float *rows = (float *)(void *)run->rows->data;
    GError *failure = NULL;

    if (run->device) {
        if (engine_bert_device_first_rows(run->device, batch, rows, &failure)) {
            engine_bert_judge_rows(run->model, run->pool, rows, batch->n_texts, run->labels);
            return TRUE;
        }
        run->device = NULL;
        if (!engine_bert_device_give_up(run->model, failure, error) || !take_scratch(run, error))
            return FALSE;
    }
    engine_bert_judge(run->model, run->pool, batch, run->scratch, rows, run->labels);
    return TRUE;
}

/* As many of passages [n] as make a batch, scored into out; *n_done: how many. */
static gboolean
score_batch(cross_run *run, const char *const *passages, size_t n, float *out, size_t *n_done,
            GError **error)
{
    const engine_model *model = run->model;
    size_t i = 0, at = 0;
    g_array_set_size(run->tokens, 0);
    g_array_set_size(run->first, 0);
    g_array_set_size(run->second, 0);
    for (; i < n && run->tokens->len < run->most; i++) {
        const size_t second = at + run->query->len;
        g_array_append_val(run->first, at);
        g_array_append_val(run->second, second);
        append_passage(model, passages[i], run->query, run->tokens);
        at = run->tokens->len;
    }
    g_array_append_val(run->first, at);
    g_array_set_size(run->rows, (guint)(2 * i * model->info.n_embd));
    const engine_bert_batch batch = {(const int32_t *)(const void *)run->tokens->data,
                                     (const size_t *)(const void *)run->first->data,
                                     (const size_t *)(const void *)run->second->data, i};
    if (!judge(run, &batch, error)) return FALSE;
    const size_t n_labels = model->info.n_labels;
    for (size_t k = 0; k < i; k++) {
        const float *labels = run->labels + k * n_labels;
        out[k] = n_labels == 1 ? labels[0] : labels[1] - labels[0];
    }
    *n_done = i;
    return TRUE;
}

gboolean
engine_cross_score(const engine_model *model, engine_pool *pool, const char *query,
                   const char *const *passages, size_t n, float *out, const int *cancel,
                   GError **error)
{
    g_auto(cross_run) run = {.model = model, .pool = pool};
    if (!check_arguments(model, error) || !cross_run_begin(&run, query, n, error)) return FALSE;
    for (size_t i = 0, n_done; i < n; i += n_done) {
        if (cancel && g_atomic_int_get(cancel) != 0) {
            g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_CANCELLED, "scoring was cancelled");
            return FALSE;
        }
        if (!score_batch(&run, passages + i, n - i, out + i, &n_done, error)) return FALSE;
    }
    return TRUE;
}
