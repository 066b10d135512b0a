/* Sessions: a model, a cache, a position. */
#include "engine/session.h"

#include <string.h>
#include <unistd.h>

#define DEFAULT_CONTEXT 8192

/* The cache takes memory as it fills: one that can never fit is refused now, not by the system later. */
static gboolean
check_fits(const engine_session *session, const engine_kv_shape *shape, uint32_t n_pages,
           GError **error)
{
    const uint64_t machine = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    const uint64_t page = engine_kv_page_bytes(shape);

    if (page == 0 || page <= machine / n_pages) return TRUE;
    g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_LIMIT,
                "%s: a context of %u tokens needs more memory than this machine has",
                session->model->info.name, session->n_context);
    return FALSE;
}

static gboolean
begin_sequence(engine_session *session, GError **error)
{
    const engine_model *model = session->model;
    const engine_kv_shape shape = engine_decoder_kv_shape(model, ENGINE_TYPE_F32, ENGINE_TYPE_F32);
    const uint32_t n_pages = (session->n_context - 1) / ENGINE_KV_PAGE + 1;
    g_autoptr(GError) cause = NULL;

    if (!check_fits(session, &shape, n_pages, error)) return FALSE;
    session->kv = engine_kv_new(&shape, n_pages, error);
    if (!session->kv) return FALSE;
    session->state.recurrent = engine_recurrent_new(model, &cause);
    if (cause) {
        g_propagate_error(error, g_steal_pointer(&cause));
        return FALSE;
    }
    session->state.rope_base = engine_decoder_rope_base(model, session->n_context);
    session->scratch = engine_decoder_scratch_new(
        model, session->pool, MIN(session->n_context, ENGINE_DECODER_CHUNK), error);
    return session->scratch != NULL;
}

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
    session->pool = pool;
    session->n_context = n_context;
    if (!begin_sequence(session, error)) return NULL;
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
    if (session->kv) engine_kv_clear(session->kv, &session->state.kv);
    engine_kv_free(session->kv);
    engine_recurrent_free(session->state.recurrent);
    engine_decoder_scratch_free(session->scratch);
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
    engine_kv_truncate(session->kv, &session->state.kv, session->n_past);
}

static gboolean
check_tokens(const engine_session *session, const int32_t *tokens, size_t n, GError **error)
{
    const engine_model_info *info = &session->model->info;

    if (n > session->n_context - session->n_past) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_LIMIT,
                    "%s: %u tokens in the cache and %zu more exceed the context of %u", info->name,
                    session->n_past, n, session->n_context);
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
    const size_t chunk = MIN(session->n_context, ENGINE_DECODER_CHUNK);
    uint32_t rows[ENGINE_DECODER_CHUNK];
    const size_t n_vocab = session->model->info.n_vocab;

    if (n == 0) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_ARGUMENT, "no tokens to evaluate");
        return FALSE;
    }
    if (!check_tokens(session, tokens, n, error)) return FALSE;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        rows[i] = (uint32_t)i;
    for (size_t done = 0; done < n;) {
        const size_t step = MIN(n - done, chunk);
        const engine_decoder_span span = {&session->state, 0, (uint32_t)step, session->n_past};
        if (!engine_kv_reserve(session->kv, &session->state.kv, session->n_past + (uint32_t)step,
                               error) ||
            !engine_decoder_forward(session->scratch, session->kv, tokens + done, step, &span, 1,
                                    error))
            return FALSE;
        memcpy(session->tokens + session->n_past, tokens + done, step * sizeof *tokens);
        session->n_past += (uint32_t)step;
        session->state.kv.n_tokens = session->n_past;
        if (all_logits)
            engine_decoder_logits(session->scratch, rows, step, all_logits + done * n_vocab);
        done += step;
        if (done == n && logits) {
            if (all_logits)
                memcpy(logits, all_logits + (n - 1) * n_vocab, n_vocab * sizeof *logits);
            else
                engine_decoder_logits(session->scratch, rows + step - 1, 1, logits);
        }
    }
    return TRUE;
}
