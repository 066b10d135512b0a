/* Sessions: a model, a cache, a position. */
#include "engine/session.h"

#include <string.h>

#define DEFAULT_CONTEXT 8192
#define WORTH_A_SEARCH  32 /* tokens; looking up a block of unknown length takes longer than fewer */

engine_session_options
engine_session_options_default(void)
{
    return (engine_session_options){.kv_type = ENGINE_KV_F16};
}

engine_session *
engine_session_open(const engine_model *model, engine_pool *pool,
                    const engine_session_options *options, GError **error)
{
    const engine_session_options defaults = engine_session_options_default();
    const engine_model_info *info = &model->info;

    if (!options) options = &defaults;
    if (info->kind != ENGINE_KIND_DECODER) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_ARGUMENT,
                    "%s is an encoder: it does not decode", info->name);
        return NULL;
    }
    g_autoptr(engine_session) session = g_new0(engine_session, 1);
    session->model = model;
    session->n_context =
        options->n_context > 0 ? options->n_context : MIN(info->n_context, DEFAULT_CONTEXT);
    const uint32_t n_draft = MIN(options->n_draft, ENGINE_MAX_DRAFT);
    g_autofree char *what = g_strdup_printf("a context of %u tokens", session->n_context);
    const engine_memory_use use = {
        .model = model,
        .n_pages = engine_memory_pages(session->n_context, 1),
        .n_states = n_draft > 0 ? 2 : 1,
        .chunk = options->chunk > 0 ? options->chunk : ENGINE_DECODER_CHUNK,
        .n_logit_rows = n_draft > 0 ? n_draft + 2 : 1,
        .kv_type = options->kv_type,
        .max_memory = options->max_memory,
        .what = what,
    };
    engine_runtime_options runtime = {
        .n_pages = (uint32_t)use.n_pages,
        .chunk = MIN(session->n_context, use.chunk),
        .kv_type = engine_kv_stored_type(options->kv_type),
        .store = options->prefixes,
    };
    if (!engine_memory_check(&use, &runtime, error) ||
        !engine_runtime_init(&session->runtime, model, pool, &runtime, error) ||
        !engine_runtime_begin(&session->runtime, &session->state, session->n_context, error))
        return NULL;
    session->tokens = g_try_malloc_n(session->n_context, sizeof *session->tokens);
    session->logits = g_try_malloc_n(info->n_vocab, sizeof *session->logits);
    if (!session->tokens || !session->logits) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_LIMIT,
                    "no memory for a session of %u tokens of %s", session->n_context, info->name);
        return NULL;
    }
    if (!engine_session_ahead_init(session, options->n_draft, error)) return NULL;
    return g_steal_pointer(&session);
}

engine_session *
engine_session_new(const engine_model *model, engine_pool *pool, uint32_t n_context, GError **error)
{
    engine_session_options options = engine_session_options_default();

    options.n_context = n_context;
    return engine_session_open(model, pool, &options, error);
}

void
engine_session_free(engine_session *session)
{
    if (!session) return;
    engine_session_ahead_clear(session);
    engine_runtime_end(&session->runtime, &session->state);
    engine_runtime_clear(&session->runtime);
    g_free(session->tokens);
    g_free(session->logits);
    g_free(session);
}

uint32_t
engine_session_n_past(const engine_session *session)
{
    return session->n_past;
}

engine_session_stats
engine_session_get_stats(const engine_session *session)
{
    engine_session_stats stats = session->stats;

    stats.gpu_experts = engine_runtime_gpu_experts(&session->runtime);
    if (session->runtime.experts)
        stats.experts = engine_expert_cache_get_stats(session->runtime.experts);
    return stats;
}

const char *
engine_session_get_placement(const engine_session *session)
{
    return session->runtime.where;
}

void
engine_session_truncate(engine_session *session, uint32_t n_past)
{
    engine_session_ahead_drop(session);
    if (n_past >= session->n_past) return;
    session->n_past = n_past;
    session->ahead.pass_n = 0;
    if (n_past >= session->state.kv.n_tokens) return;
    if (!session->state.recurrent) {
        engine_kv_truncate(session->runtime.kv, &session->state.kv, n_past);
        return;
    }
    /* recurrent states cannot go back: begin where one was kept, the rest is run again when it is needed */
    engine_runtime_reset(&session->runtime, &session->state);
    (void)engine_prefix_match(session->runtime.prefixes, session->tokens, n_past, &session->state);
}

static gboolean
check_tokens(const engine_session *session, const int32_t *tokens, size_t n, GError **error)
{
    if (n > session->n_context - session->n_past) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_LIMIT,
                    "%s: %u tokens in the cache and %zu more exceed the context of %u",
                    session->model->info.name, session->n_past, n, session->n_context);
        return FALSE;
    }
    return engine_runtime_check_tokens(&session->runtime, tokens, n, error);
}

/* Logits of the rows of the pass just run, positions first .. first+n-1, that are wanted. */
static gboolean
write_logits(engine_session *session, uint32_t first, uint32_t n, uint32_t want_from, float *out,
             GError **error)
{
    const size_t n_vocab = session->model->info.n_vocab;
    uint32_t rows[64];

    for (uint32_t p = MAX(first, want_from); p < first + n;) {
        const uint32_t count = MIN((uint32_t)G_N_ELEMENTS(rows), first + n - p);
        for (uint32_t i = 0; i < count; i++)
            rows[i] = p - first + i;
        if (!engine_decoder_logits(session->runtime.scratch, rows, count,
                                   out + (p - want_from) * n_vocab, error))
            return FALSE;
        p += count;
    }
    return TRUE;
}

gboolean
engine_session_run(engine_session *session, uint32_t end, uint32_t settled, uint32_t want_from,
                   float *out, GError **error)
{
    engine_runtime *runtime = &session->runtime;
    engine_kv_table *table = &session->state.kv;
    const uint32_t interval = engine_prefix_interval(runtime->prefixes);

    while (table->n_tokens < end) {
        const uint32_t first = table->n_tokens;
        const uint32_t n = engine_runtime_step(runtime, first, end - first, runtime->chunk);
        const engine_decoder_span span = {&session->state, 0, n, first};
        if (!engine_session_ahead_feed(session, settled, NULL, error) ||
            !engine_prefix_reserve(runtime->prefixes, table, first + n, error) ||
            !engine_runtime_pass(runtime, session->tokens + first, n, &span, 1, error))
            return FALSE;
        session->stats.n_passes++;
        session->ahead.pass_first = first;
        session->ahead.pass_n = session->ahead.pass_valid = n;
        if (out && !write_logits(session, first, n, want_from, out, error)) return FALSE;
        if (interval > 0 && table->n_tokens % interval == 0 && table->n_tokens <= settled)
            engine_prefix_insert(runtime->prefixes, session->tokens, table->n_tokens,
                                 &session->state);
    }
    return TRUE;
}

gboolean
engine_session_eval(engine_session *session, const int32_t *tokens, size_t n, float *logits,
                    float *all_logits, GError **error)
{
    const size_t n_vocab = session->model->info.n_vocab;
    const float *row = NULL;
    size_t done = 0;

    if (n == 0) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_ARGUMENT, "no tokens to evaluate");
        return FALSE;
    }
    if (!check_tokens(session, tokens, n, error)) return FALSE;
    for (; done < n && (row = engine_session_ahead_take(session, tokens[done])); done++)
        if (all_logits) memcpy(all_logits + done * n_vocab, row, n_vocab * sizeof *row);
    if (done == n) {
        if (logits) memcpy(logits, row, n_vocab * sizeof *row);
        return TRUE;
    }
    engine_session_ahead_drop(session);
    const uint32_t first = session->n_past, end = first + (uint32_t)(n - done);
    memcpy(session->tokens + first, tokens + done, (n - done) * sizeof *tokens);
    gboolean ok;
    if (n - done == 1 && logits && !all_logits && session->ahead.logits)
        ok = engine_session_ahead_step(session, logits, error);
    else if (all_logits)
        ok = engine_session_run(session, end, end, first, all_logits + done * n_vocab, error);
    else
        ok = engine_session_run(session, end, end, end - 1, logits, error);
    if (!ok) { /* what is in the cache stays */
        session->n_past = MAX(first, MIN(end, session->state.kv.n_tokens));
        engine_session_ahead_drop(session);
        return FALSE;
    }
    session->n_past = end;
    if (logits && all_logits)
        memcpy(logits, all_logits + (n - 1) * n_vocab, n_vocab * sizeof *logits);
    return TRUE;
}

void
engine_session_keep(engine_session *session)
{
    /* with open guesses, or behind a truncation, a recurrent state stands elsewhere */
    const uint32_t n = MIN(session->n_past, session->state.kv.n_tokens);

    if (n == 0 || (session->state.recurrent && session->state.kv.n_tokens != n)) return;
    engine_prefix_insert(session->runtime.prefixes, session->tokens, n, &session->state);
}

/* Take over a stored beginning of the prompt if it is longer than the n_held tokens of it in the cache. */
static void
match_prefix(engine_session *session, const int32_t *prompt, uint32_t n, uint32_t n_held)
{
    engine_runtime *runtime = &session->runtime;
    engine_sequence_state found = {.rope_base = session->state.rope_base,
                                   .recurrent = session->state.recurrent};
    const uint32_t n_found = engine_prefix_match(runtime->prefixes, prompt, n, &found);

    if (n_found <= n_held) {
        engine_kv_clear(runtime->kv, &found.kv);
        return;
    }
    engine_kv_clear(runtime->kv, &session->state.kv);
    session->state.kv = found.kv;
    session->n_past = n_found;
    session->ahead.pass_n = 0;
    memcpy(session->tokens, prompt, n_found * sizeof *prompt);
}

uint32_t
engine_session_reuse(engine_session *session, const int32_t *prompt, size_t n)
{
    uint32_t shared = 0;

    engine_session_ahead_drop(session);
    const uint32_t held = session->state.kv.n_tokens;
    n = MIN(n, session->n_context);
    /* the last token is run again in any case: its logits are what is needed */
    while (shared < session->n_past && shared + 1 < n && session->tokens[shared] == prompt[shared])
        shared++;
    if (!session->state.recurrent) {
        engine_session_truncate(session, shared);
        if (n - shared > WORTH_A_SEARCH) match_prefix(session, prompt, (uint32_t)n, shared);
    } else if (shared >= held && held > 0) {
        session->n_past = shared;
    } else { /* a recurrent state is of use only where it stands */
        engine_runtime_reset(&session->runtime, &session->state);
        session->n_past = 0;
        match_prefix(session, prompt, (uint32_t)n, 0);
    }
    return session->n_past;
}
