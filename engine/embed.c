/* engine_embed: texts to vectors, in batches of a bounded number of tokens. */
#include "engine/bert.h"

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

gboolean
engine_embed(const engine_model *model, engine_pool *pool, const char *const *texts, size_t n,
             float *out, const int *cancel, GError **error)
{
    if (!check_arguments(model, error)) return FALSE;
    size_t n_floats = 0, n_bytes = 0;
    const size_t most = BATCH_TOKENS + (size_t)model->info.n_context;
    float *scratch = NULL;
    if (engine_bert_scratch_size(model, most, &n_floats) &&
        g_size_checked_mul(&n_bytes, n_floats, sizeof(float)))
        scratch = g_try_malloc(n_bytes);
    if (!scratch) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_LIMIT, "%s: no memory to embed with",
                    model->info.name);
        return FALSE;
    }
    g_autoptr(GArray) tokens = g_array_new(FALSE, FALSE, sizeof(int32_t));
    g_autoptr(GArray) first = g_array_new(FALSE, FALSE, sizeof(size_t));
    gboolean ok = TRUE;
    for (size_t i = 0; i < n;) {
        if (cancel && g_atomic_int_get(cancel) != 0) {
            g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_CANCELLED, "embedding was cancelled");
            ok = FALSE;
            break;
        }
        const size_t start = i;
        size_t at = 0;
        g_array_set_size(tokens, 0);
        g_array_set_size(first, 0);
        for (; i < n && tokens->len < BATCH_TOKENS; i++) {
            g_array_append_val(first, at);
            append_tokens(model, texts[i], tokens);
            at = tokens->len;
        }
        g_array_append_val(first, at);
        const engine_bert_batch batch = {(const int32_t *)(const void *)tokens->data,
                                         (const size_t *)(const void *)first->data, NULL, i - start};
        engine_bert_forward(model, pool, &batch, scratch, out + start * model->info.n_embd);
    }
    g_free(scratch);
    return ok;
}
