/* The inside of engine_session, for session.c, session_draft.c and generate.c. */
#ifndef LODE_ENGINE_SESSION_H
#define LODE_ENGINE_SESSION_H

#include "engine/draft.h"
#include "engine/runtime.h"

G_BEGIN_DECLS

/* Tokens evaluated ahead of the session's end, in the hope that they will be asked for. */
typedef struct {
    engine_draft_pace pace;
    uint32_t from, n;        /* guesses still open: tokens [from, from + n), from = n_past */
    uint32_t n_guessed;      /* of the pass they came with */
    uint32_t first_row;      /* row of `logits` behind the first open guess */
    float *logits;           /* [most + 1, n_vocab]; NULL: no guessing */
    engine_recurrent *saved; /* before that pass, at position saved_at; NULL: model has none */
    uint32_t saved_at;
    /* the model's own draft head: the rows of the last pass, whose hidden states are still in the scratch */
    uint32_t pass_first, pass_n; /* pass_n 0: the draft head has seen them */
    uint32_t pass_valid;         /* rows of it that were no wrong guesses */
    int32_t *next;               /* [chunk] scratch */
} engine_session_ahead;

struct engine_session {
    const engine_model *model;
    engine_runtime runtime; /* of this session alone */
    engine_sequence_state state;
    uint32_t n_context;
    /* [n_context]; the first n_past are the session's. The cache holds state.kv.n_tokens of them: fewer after a
     * truncation that recurrent states cannot follow, more while guesses are open. */
    int32_t *tokens;
    uint32_t n_past;
    float *logits; /* [n_vocab], of engine_generate */
    engine_session_ahead ahead;
    engine_session_stats stats;
};

/* Evaluate tokens up to position end; logits of the positions from want_from on go to out, row by row. Of them
 * those before `settled` are no guesses. */
gboolean engine_session_run(engine_session *session, uint32_t end, uint32_t settled,
                            uint32_t want_from, float *out, GError **error);

/* ---- session_draft.c ---- */

gboolean engine_session_ahead_init(engine_session *session, uint32_t n_draft, GError **error);
void engine_session_ahead_clear(engine_session *session);
/* The row of logits behind `token`, when it is what was guessed; the session holds it then. NULL: it is not. */
const float *engine_session_ahead_take(engine_session *session, int32_t token);
/* Forget open guesses; the cache holds at most n_past tokens afterwards. */
void engine_session_ahead_drop(engine_session *session);
/* Evaluate one token (in tokens[n_past] already) and guesses behind it; its logits to `logits`. */
gboolean engine_session_ahead_step(engine_session *session, float *logits, GError **error);
/* Before the next pass overwrites them: let the draft head see the hidden states of the last one. settled: how many
 * of tokens are no guesses. Its guess for the token behind them goes to *draft, -1 when there is none. */
gboolean engine_session_ahead_feed(engine_session *session, uint32_t settled, int32_t *draft,
                                   GError **error);

G_END_DECLS
#endif
