/* Speculation: tokens guessed ahead are evaluated in one pass with the one that is asked for, and handed out when
 * they are asked for in turn. Whoever samples sees the logits it would have seen, one row after the other, so the text
 * is the same with or without, at any temperature. Guesses that fail are cut off: keys and values by truncation,
 * recurrent states by going back to a copy and running again what stood, with the next pass.
 *
 * Source: Leviathan et al., arXiv:2211.17192. Against a draft that is one certain token, "accept with probability
 * p(draft), else sample from the rest" is the same as sampling from p and comparing. */
#include "engine/session.h"

#include <string.h>

gboolean
engine_session_ahead_init(engine_session *session, uint32_t n_draft, GError **error)
{
    engine_session_ahead *ahead = &session->ahead;
    const uint32_t most = MIN(MIN(n_draft, ENGINE_MAX_DRAFT), session->runtime.chunk - 1);
    const size_t n_vocab = session->model->info.n_vocab;
    size_t n_bytes;

    if (most == 0) return TRUE;
    engine_draft_pace_init(&ahead->pace, most);
    ahead->next = g_new(int32_t, session->runtime.chunk);
    if (g_size_checked_mul(&n_bytes, n_vocab, (most + 1) * sizeof *ahead->logits))
        ahead->logits = g_try_malloc(n_bytes);
    if (!ahead->logits) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_LIMIT,
                    "no memory for drafts of %u tokens of %s", most, session->model->info.name);
        return FALSE;
    }
    if (!session->state.recurrent) return TRUE;
    ahead->saved = engine_runtime_recurrent(&session->runtime, error);
    return ahead->saved != NULL;
}

void
engine_session_ahead_clear(engine_session *session)
{
    engine_session_ahead *ahead = &session->ahead;

    g_free(ahead->logits);
    g_free(ahead->next);
    engine_runtime_give_recurrent(&session->runtime, &ahead->saved);
    *ahead = (engine_session_ahead){0};
}

const float *
engine_session_ahead_take(engine_session *session, int32_t token)
{
    engine_session_ahead *ahead = &session->ahead;

    if (ahead->n == 0 || session->tokens[ahead->from] != token) return NULL;
    ahead->from++;
    ahead->n--;
    session->n_past++;
    session->stats.n_accepted++;
    if (ahead->n == 0) engine_draft_pace_learn(&ahead->pace, ahead->n_guessed, ahead->n_guessed);
    return ahead->logits + (size_t)ahead->first_row++ * session->model->info.n_vocab;
}

void
engine_session_ahead_drop(engine_session *session)
{
    engine_session_ahead *ahead = &session->ahead;
    uint32_t stays = session->n_past;

    if (ahead->n == 0) return;
    engine_draft_pace_learn(&ahead->pace, ahead->n_guessed, ahead->n_guessed - ahead->n);
    ahead->n = 0;
    ahead->pass_valid =
        session->n_past > ahead->pass_first ? session->n_past - ahead->pass_first : 0;
    if (ahead->saved) {
        engine_recurrent_copy(session->state.recurrent, ahead->saved);
        stays = ahead->saved_at;
    }
    engine_kv_truncate(session->runtime.kv, &session->state.kv, stays);
}

gboolean
engine_session_ahead_feed(engine_session *session, uint32_t settled, int32_t *draft, GError **error)
{
    engine_session_ahead *ahead = &session->ahead;
    const size_t n_vocab = session->model->info.n_vocab;
    const engine_decoder_span span = {&session->state, 0, ahead->pass_n, ahead->pass_first};
    gboolean any = FALSE;

    if (draft) *draft = -1;
    if (!ahead->logits || ahead->pass_n == 0 || engine_decoder_n_mtp(session->model) == 0)
        return TRUE;
    for (uint32_t i = 0; i < ahead->pass_n; i++) {
        const uint32_t next = ahead->pass_first + i + 1;
        const gboolean known = i < ahead->pass_valid && next < settled;
        ahead->next[i] = known ? session->tokens[next] : -1;
        any = any || known;
    }
    if (!any) return TRUE;
    /* the rows' pages are there, but the last may be shared by now */
    if (!engine_prefix_reserve(session->runtime.prefixes, &session->state.kv,
                               ahead->pass_first + ahead->pass_n, error) ||
        !engine_decoder_mtp(session->runtime.scratch, session->runtime.kv, ahead->next,
                            ahead->pass_n, &span, 1, ahead->logits, error))
        return FALSE;
    ahead->pass_n = 0;
    if (draft) *draft = engine_draft_likeliest(ahead->logits, n_vocab);
    return TRUE;
}

/* Guesses behind tokens[n_past] by the model's own head; 0 when it has none or has not seen the text. */
static gboolean
guess_by_head(engine_session *session, uint32_t most, int32_t *out, uint32_t *n, GError **error)
{
    engine_session_ahead *ahead = &session->ahead;
    const uint32_t at = session->n_past;
    int32_t token;

    *n = 0;
    if (!engine_session_ahead_feed(session, at + 1, &token, error)) return FALSE;
    if (token < 0) return TRUE;
    out[(*n)++] = token;
    if (!engine_prefix_reserve(session->runtime.prefixes, &session->state.kv, at + most, error))
        return FALSE;
    while (*n < most) {
        const engine_decoder_span span = {&session->state, 0, 1, at + *n - 1};
        const uint32_t from = 0;
        if (!engine_decoder_mtp_again(session->runtime.scratch, session->runtime.kv, &token, &from,
                                      &span, 1, ahead->logits, error))
            return FALSE;
        token = engine_draft_likeliest(ahead->logits, session->model->info.n_vocab);
        out[(*n)++] = token;
    }
    return TRUE;
}

gboolean
engine_session_ahead_step(engine_session *session, float *logits, GError **error)
{
    engine_session_ahead *ahead = &session->ahead;
    const uint32_t at = session->n_past, held = session->state.kv.n_tokens;
    /* with what a pass must catch up on, the guesses fit into one */
    const uint32_t room =
        MIN(session->n_context - at - 1,
            at - held < session->runtime.chunk - 1 ? session->runtime.chunk - 1 - (at - held) : 0);
    const uint32_t reach = engine_draft_pace_next(&ahead->pace), most = MIN(reach, room);
    int32_t *guesses = session->tokens + at + 1;
    uint32_t n = 0;

    if (most > 0 && !guess_by_head(session, most, guesses, &n, error)) return FALSE;
    if (most > 0 && n == 0) n = engine_draft_lookup(session->tokens, at + 1, most, guesses);
    if (n > 0 && ahead->saved) {
        engine_recurrent_copy(ahead->saved, session->state.recurrent);
        ahead->saved_at = held;
    }
    if (!engine_session_run(session, at + 1 + n, at + 1, at, ahead->logits, error)) return FALSE;
    memcpy(logits, ahead->logits, session->model->info.n_vocab * sizeof *logits);
    ahead->from = at + 1;
    ahead->n = ahead->n_guessed = n;
    ahead->first_row = 1;
    session->stats.n_drafted += n;
    return TRUE;
}
