/* Sessions: a model, a cache, a position. */
#include "engine/session.h"

#include <string.h>

#define DEFAULT_CONTEXT 8192

engine_session *
engine_session_new(const engine_model *model, engine_pool *pool, uint32_t n_context, GError **error)
{
    const engine_model_info *info = &model->info;

    if (info->kind != ENGINE_KIND_DECODER) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_ARGUMENT,
                    "%s is an encoder: it does not decode", info->name);
        return NULL;
    }
    if (n_context == 0) n_context = MIN(info->n_context, DEFAULT_CONTEXT);
    g_autoptr(engine_session) session = g_new0(engine_session, 1);
    session->model = model;
    if (!engine_llama_state_init(&session->state, model, pool, n_context, error)) return NULL;
    session->tokens = g_try_malloc_n(n_context, sizeof *session->tokens);
    session->logits = g_try_malloc_n(info->n_vocab, sizeof *session->logits);
    if (!session->tokens || !session->logits) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_LIMIT,
                    "no memory for a session of %u tokens of %s", n_context, info->name);
        return NULL;
    }
    return g_steal_pointer(&session);
}

void
engine_session_free(engine_session *session)
{
    if (!session) return;
    engine_llama_state_clear(&session->state);
    g_free(session->tokens);
    g_free(session->logits);
    g_free(session);
}

uint32_t
engine_session_n_past(const engine_session *session)
{
    return session->n_past;
}

void
engine_session_truncate(engine_session *session, uint32_t n_past)
{
    session->n_past = MIN(session->n_past, n_past);
}

static gboolean
check_tokens(const engine_session *session, const int32_t *tokens, size_t n, GError **error)
{
    const engine_model_info *info = &session->model->info;

    if (n > session->state.n_context - session->n_past) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_LIMIT,
                    "%s: %u tokens in the cache and %zu more exceed the context of %u", info->name,
                    session->n_past, n, session->state.n_context);
        return FALSE;
    }
    for (size_t i = 0; i < n; i++) {
        if (tokens[i] < 0 || (uint32_t)tokens[i] >= info->n_vocab) {
            g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_ARGUMENT,
                        "%s: token %d is outside its vocabulary of %u", info->name, tokens[i],
                        info->n_vocab);
            return FALSE;
        }
    }
    return TRUE;
}

gboolean
engine_session_eval(engine_session *session, const int32_t *tokens, size_t n, float *logits,
                    float *all_logits, GError **error)
{
    engine_llama_state *state = &session->state;
    const size_t n_vocab = session->model->info.n_vocab;

    if (n == 0) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_ARGUMENT, "no tokens to evaluate");
        return FALSE;
    }
    if (!check_tokens(session, tokens, n, error)) return FALSE;
    for (size_t done = 0; done < n;) {
        const size_t step = MIN(n - done, state->chunk);
        engine_llama_forward(state, tokens + done, step, session->n_past);
        memcpy(session->tokens + session->n_past, tokens + done, step * sizeof *tokens);
        session->n_past += (uint32_t)step;
        if (all_logits) engine_llama_logits(state, 0, step, all_logits + done * n_vocab);
        done += step;
        if (done == n && logits) {
            if (all_logits)
                memcpy(logits, all_logits + (n - 1) * n_vocab, n_vocab * sizeof *logits);
            else
                engine_llama_logits(state, step - 1, 1, logits);
        }
    }
    return TRUE;
}
