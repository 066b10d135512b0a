/* Text generation: prompt, then the loop of choosing, writing and evaluating. */
#include "engine/sample.h"
#include "engine/session.h"
#include "engine/text_stream.h"

#include <math.h>
#include <string.h>

#define MAX_FORCED 64 /* tokens that the grammar leaves no choice about, evaluated together */

engine_generate_options
engine_generate_options_default(void)
{
    return (engine_generate_options){
        .max_tokens = 256, .top_p = 1.0f, .repeat_penalty = 1.0f, .penalty_window = 64};
}

typedef struct {
    engine_session *session;
    const engine_generate_options *options;
    engine_text_callback callback;
    void *user_data;
    GString *text; /* may be NULL */
    engine_sampler *sampler;
    engine_text_stream stream;
    engine_token_logprob *top;   /* [options->n_top] */
    int32_t waiting[MAX_FORCED]; /* written, not yet evaluated */
    size_t n_waiting;
    gboolean refused; /* a callback returned FALSE */
} generation;

static void
generation_clear(generation *g)
{
    engine_text_stream_clear(&g->stream);
    engine_sampler_free(g->sampler);
    g_free(g->top);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(generation, generation_clear)

static gboolean
is_cancelled(const engine_generate_options *options)
{
    return options->cancel && g_atomic_int_get(options->cancel) != 0;
}

/* Hand on what the stream has made deliverable, with the token it came with; id -1: with none. */
static void
deliver(generation *g, int32_t id, float logprob)
{
    const GString *text = g->stream.text;
    const engine_generate_options *options = g->options;

    if (g->refused) return;
    if (text->len > 0) {
        if (g->text) g_string_append_len(g->text, text->str, (gssize)text->len);
        if (g->callback && !g->callback(text->str, text->len, g->user_data)) g->refused = TRUE;
    }
    if (!options->on_token || (id < 0 && text->len == 0)) return;
    const gboolean token = id >= 0;
    const engine_token_event event = {
        .id = id,
        .bytes = token ? g->stream.bytes->str : "",
        .n_bytes = token ? g->stream.bytes->len : 0,
        .text = text->str,
        .len = text->len,
        .logprob = logprob,
        .top = g->top,
        .n_top = token && options->logprobs ? options->n_top : 0,
    };
    if (!options->on_token(&event, options->on_token_data)) g->refused = TRUE;
}

/* Bring the session to the end of the prompt, reusing what it knows of it (*n_reused tokens); FALSE with error.
 * *cancelled when the flag went up on the way. */
static gboolean
run_prompt(engine_session *session, const int32_t *prompt, size_t n,
           const engine_generate_options *options, uint32_t *n_reused, gboolean *cancelled,
           GError **error)
{
    *n_reused = engine_session_reuse(session, prompt, n);
    for (size_t done = *n_reused; done < n;) {
        const size_t step = MIN(n - done, session->runtime.chunk);
        if (is_cancelled(options)) {
            *cancelled = TRUE;
            return TRUE;
        }
        if (!engine_session_eval(session, prompt + done, step,
                                 done + step == n ? session->logits : NULL, NULL, error))
            return FALSE;
        done += step;
    }
    engine_session_keep(session);
    return TRUE;
}

/* Evaluate what waits; the logits are those behind the last of it. */
static gboolean
evaluate_waiting(generation *g, GError **error)
{
    const size_t n = g->n_waiting;

    g->n_waiting = 0;
    return n == 0 ||
           engine_session_eval(g->session, g->waiting, n, g->session->logits, NULL, error);
}

/* The next token; -1 with error. */
static int32_t
choose_token(generation *g, GError **error)
{
    /* log-probabilities need the logits before every token */
    int32_t token =
        g->options->logprobs || g->n_waiting == MAX_FORCED ? -1 : engine_sampler_forced(g->sampler);
    if (token >= 0) return token;
    if (!evaluate_waiting(g, error)) return -1;
    token = engine_sampler_sample(g->sampler, g->session->logits);
    if (token < 0)
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_UNSUPPORTED,
                    "%s: no token of its vocabulary can come next", g->session->model->info.name);
    return token;
}

/* The loop after the prompt. */
static gboolean
run_tokens(generation *g, engine_generate_result *result, GError **error)
{
    engine_session *session = g->session;
    const engine_generate_options *options = g->options;

    for (;;) {
        if (is_cancelled(options)) {
            result->reason = ENGINE_STOP_CANCELLED;
            return TRUE;
        }
        if (result->n_generated >= options->max_tokens) {
            result->reason = ENGINE_STOP_LENGTH;
            return TRUE;
        }
        const int32_t token = choose_token(g, error);
        if (token < 0) return FALSE;
        if (engine_sampler_ends_text(g->sampler, token)) {
            result->reason = ENGINE_STOP_EOS;
            return TRUE;
        }
        const float logprob = options->logprobs
                                  ? engine_sampler_logprobs(g->sampler, session->logits, token,
                                                            g->top, options->n_top)
                                  : NAN;
        engine_sampler_accept(g->sampler, token);
        result->n_generated++;
        const gboolean stopped = engine_text_stream_push(&g->stream, token);
        deliver(g, token, logprob);
        if (stopped || g->refused) {
            result->reason = g->refused ? ENGINE_STOP_CALLBACK : ENGINE_STOP_STRING;
            return TRUE;
        }
        /* the logits behind the last token are nobody's business */
        if (session->n_past + g->n_waiting == session->n_context) {
            result->reason = ENGINE_STOP_CONTEXT;
            return TRUE;
        }
        g->waiting[g->n_waiting++] = token;
    }
}

gboolean
engine_generate(engine_session *session, const int32_t *prompt, size_t n,
                const engine_generate_options *options, engine_text_callback callback,
                void *user_data, GString *text, engine_generate_result *result, GError **error)
{
    const engine_generate_options defaults = engine_generate_options_default();
    const engine_model *model = session->model;
    engine_generate_result own = {0};
    gboolean cancelled = FALSE;

    if (!options) options = &defaults;
    if (n == 0 || n > session->n_context) {
        g_set_error(error, ENGINE_ERROR, n == 0 ? ENGINE_ERROR_ARGUMENT : ENGINE_ERROR_LIMIT,
                    "%s: a prompt of %zu tokens does not fit a context of %u", model->info.name, n,
                    session->n_context);
        return FALSE;
    }
    if (options->n_top > model->info.n_vocab) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_ARGUMENT,
                    "%s: %u alternatives asked for, but its vocabulary has %u tokens",
                    model->info.name, options->n_top, model->info.n_vocab);
        return FALSE;
    }
    g_auto(generation) g = {.session = session,
                            .options = options,
                            .callback = callback,
                            .user_data = user_data,
                            .text = text};
    g.sampler = engine_sampler_new(model->info.n_vocab, model->tokenizer, options, error);
    if (!g.sampler) return FALSE;
    g.top = g_new0(engine_token_logprob, MAX(options->n_top, 1));
    engine_text_stream_init(&g.stream, model, options->stop, options->with_special, prompt[n - 1]);
    engine_sampler_reset(g.sampler, prompt, n);
    const gint64 start = g_get_monotonic_time();
    const engine_session_stats before = session->stats;
    if (!run_prompt(session, prompt, n, options, &own.n_reused, &cancelled, error)) return FALSE;
    const gint64 prompt_end = g_get_monotonic_time();
    own.n_prompt = (uint32_t)n;
    own.prompt_seconds = (double)(prompt_end - start) / G_USEC_PER_SEC;
    own.reason = ENGINE_STOP_CANCELLED;
    if (!cancelled && !run_tokens(&g, &own, error)) return FALSE;
    engine_text_stream_finish(&g.stream);
    deliver(&g, -1, NAN);
    own.generate_seconds = (double)(g_get_monotonic_time() - prompt_end) / G_USEC_PER_SEC;
    own.n_drafted = (uint32_t)(session->stats.n_drafted - before.n_drafted);
    own.n_accepted = (uint32_t)(session->stats.n_accepted - before.n_accepted);
    if (result) *result = own;
    return TRUE;
}
