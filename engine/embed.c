/* engine_embed: texts to vectors, in batches of a bounded number of tokens. */
#include "engine/bert_device.h"

#include <string.h>

/* Tokens of one batch: enough to read each weight once for much work, little enough to be cancelled
 * within a second and to stay in the cache (MiniLM: 13 KiB of activations per token). */
#define BATCH_TOKENS 1024

/* The tokens of a text, at most n_context of them: what goes behind a text ([SEP]) survives the cut. */
static void
append_tokens(const engine_model *model, const char *text, GArray *tokens)
{
    const guint start = tokens->len, most = model->info.n_context;
    engine_tokenizer_encode(model->tokenizer, text, strlen(text), ENGINE_TOKENIZE_ADD_SPECIAL,
                            tokens);
    if (tokens->len - start > most) {
        const int32_t last = g_array_index(tokens, int32_t, tokens->len - 1);
        g_array_set_size(tokens, start + most);
        if (last == model->info.eos) g_array_index(tokens, int32_t, tokens->len - 1) = last;
    }
    if (tokens->len == start) { /* a tokenizer that adds nothing, and an empty text */
        const int32_t filler = MAX(0, model->info.pad);
        g_array_append_val(tokens, filler);
    }
}

static gboolean
check_arguments(const engine_model *model, GError **error)
{
    if (model->info.kind != ENGINE_KIND_ENCODER || !model->tokenizer) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_ARGUMENT, "%s makes no embeddings: %s",
                    model->info.name,
                    model->tokenizer ? "it is not an encoder" : "it has no tokenizer");
        return FALSE;
    }
    return TRUE;
}

/* How batches are computed: by the model's device, or here with scratch. A device that was not demanded and fails is
 * asked no more: what it was about to do is done here. */
typedef struct {
    const engine_model *model;
    engine_pool *pool;
    engine_bert_device *device; /* NULL: here */
    float *scratch;             /* owned; for BATCH_TOKENS and a text more; NULL: not needed yet */
    size_t most; /* tokens at which a batch is full; one text more may begin before */
} embedder;

static gboolean
take_scratch(embedder *e, GError **error)
{
    const engine_model *model = e->model;
    size_t n_floats = 0, n_bytes = 0;

    e->most = BATCH_TOKENS;
    if (!e->scratch &&
        engine_bert_scratch_size(model, (size_t)BATCH_TOKENS + model->info.n_context, &n_floats) &&
        g_size_checked_mul(&n_bytes, n_floats, sizeof(float)))
        e->scratch = g_try_malloc(n_bytes);
    if (e->scratch) return TRUE;
    g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_LIMIT, "%s: no memory to embed with",
                model->info.name);
    return FALSE;
}

static gboolean
open_embedder(embedder *e, GError **error)
{
    if (!engine_bert_device_find(e->model, &e->device, error)) return FALSE;
    e->most = ENGINE_BERT_DEVICE_TOKENS - e->model->info.n_context;
    return e->device || take_scratch(e, error);
}

/* In pieces that the scratch has room for: a device's batch may be larger. */
static void
embed_here(const embedder *e, const engine_bert_batch *batch, float *out)
{
    g_autofree size_t *first = g_new(size_t, batch->n_texts + 1);

    for (size_t i = 0, next; i < batch->n_texts; i = next) {
        const size_t start = batch->first[i];
        for (next = i; next < batch->n_texts && batch->first[next] - start < BATCH_TOKENS; next++)
            first[next - i] = batch->first[next] - start;
        first[next - i] = batch->first[next] - start;
        const engine_bert_batch piece = {batch->tokens + start, first, NULL, next - i};
        engine_bert_forward(e->model, e->pool, &piece, e->scratch, out + i * e->model->info.n_embd);
    }
}

static gboolean
embed_batch(embedder *e, const engine_bert_batch *batch, float *out, GError **error)
{
    GError *failure = NULL;

    if (e->device) {
        if (engine_bert_device_forward(e->device, batch, out, &failure)) return TRUE;
        e->device = NULL;
        if (!engine_bert_device_give_up(e->model, failure, error) || !take_scratch(e, error))
            return FALSE;
    }
    embed_here(e, batch, out);
    return TRUE;
}

gboolean
engine_embed(const engine_model *model, engine_pool *pool, const char *const *texts, size_t n,
             float *out, const int *cancel, GError **error)
{
    embedder e = {.model = model, .pool = pool};
    if (!check_arguments(model, error) || !open_embedder(&e, error)) return FALSE;
    g_autoptr(GArray) tokens = g_array_new(FALSE, FALSE, sizeof(int32_t));
    g_autoptr(GArray) first = g_array_new(FALSE, FALSE, sizeof(size_t));
    gboolean ok = TRUE;
    for (size_t i = 0; ok && i < n;) {
        if (cancel && g_atomic_int_get(cancel) != 0) {
            g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_CANCELLED, "embedding was cancelled");
            ok = FALSE;
            break;
        }
        const size_t start = i;
        size_t at = 0;
        g_array_set_size(tokens, 0);
        g_array_set_size(first, 0);
        for (; i < n && tokens->len < e.most; i++) {
            g_array_append_val(first, at);
            append_tokens(model, texts[i], tokens);
            at = tokens->len;
        }
        g_array_append_val(first, at);
        const engine_bert_batch batch = {(const int32_t *)(const void *)tokens->data,
                                         (const size_t *)(const void *)first->data, NULL,
                                         i - start};
        ok = embed_batch(&e, &batch, out + start * model->info.n_embd, error);
    }
    g_free(e.scratch);
    return ok;
}
