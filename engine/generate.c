/* Text generation: prompt, sampling loop, stop strings, whole characters.
 *
 * Tokens are byte strings: one may end inside a UTF-8 character or inside a stop string. Bytes wait in
 * `pending` until neither can be the case. What can never become valid UTF-8 is replaced by U+FFFD; a
 * character that the end of the text cuts is dropped. */
#include "engine/session.h"

#include <string.h>

#define PENALTY_WINDOW 64
#define PROMPT_STEP    ENGINE_LLAMA_CHUNK

engine_generate_options
engine_generate_options_default(void)
{
    return (engine_generate_options){.max_tokens = 256, .top_p = 1.0f, .repeat_penalty = 1.0f};
}

typedef struct {
    const engine_model *model;
    const engine_generate_options *options;
    engine_text_callback callback;
    void *user_data;
    GString *text;    /* may be NULL */
    GString *pending; /* bytes not yet delivered */
    GString *before, *both;
    gboolean refused; /* the callback returned FALSE */
} text_stream;

/* Deliver len bytes, valid UTF-8. */
static void
deliver(text_stream *stream, const char *bytes, size_t len)
{
    if (len == 0 || stream->refused) return;
    if (stream->text) g_string_append_len(stream->text, bytes, (gssize)len);
    if (stream->callback && !stream->callback(bytes, len, stream->user_data))
        stream->refused = TRUE;
}

/* Deliver the first n pending bytes, ill-formed ones replaced, and forget them. With `more` to come, a cut
 * character at the end of those n stays pending. */
static void
release(text_stream *stream, size_t n, gboolean more)
{
    const char *p = stream->pending->str, *end = p + n;
    g_autoptr(GString) out = g_string_sized_new(n);

    while (p < end) {
        const char *valid_end;
        if (g_utf8_validate_len(p, (gsize)(end - p), &valid_end)) {
            g_string_append_len(out, p, end - p);
            p = end;
            break;
        }
        g_string_append_len(out, p, valid_end - p);
        p = valid_end;
        if (*p == '\0') { /* NUL is a character, though GLib's validation stops at it */
            g_string_append_c(out, *p++);
            continue;
        }
        if (g_utf8_get_char_validated(p, end - p) == (gunichar)-2)
            break; /* cut, may be completed */
        g_string_append(out, "\xef\xbf\xbd");
        p++;
    }
    const size_t used = (size_t)(p - stream->pending->str);
    deliver(stream, out->str, out->len);
    g_string_erase(stream->pending, 0, (gssize)(more ? used : n));
}

/* Where the first stop string begins in the pending bytes; -1 when none does. */
static gssize
find_stop(const text_stream *stream)
{
    const char *found = NULL;

    for (const char *const *stop = stream->options->stop; stop && *stop; stop++) {
        if (**stop == '\0') continue;
        const char *at = memmem(stream->pending->str, stream->pending->len, *stop, strlen(*stop));
        if (at && (!found || at < found)) found = at;
    }
    return found ? found - stream->pending->str : -1;
}

/* Length of the longest end of the pending bytes that may be the start of a stop string. */
static size_t
possible_stop(const text_stream *stream)
{
    size_t longest = 0;

    for (const char *const *stop = stream->options->stop; stop && *stop; stop++) {
        for (size_t n = MIN(strlen(*stop), stream->pending->len); n > longest; n--) {
            if (memcmp(stream->pending->str + stream->pending->len - n, *stop, n) == 0) longest = n;
        }
    }
    return longest;
}

/* The bytes that `token` adds after `previous` (-1: none): some tokenizers spell a token differently at the
 * start of a text. */
static void
append_token(text_stream *stream, int32_t previous, int32_t token)
{
    const int32_t pair[2] = {previous, token};

    g_string_truncate(stream->before, 0);
    g_string_truncate(stream->both, 0);
    if (previous < 0) {
        engine_detokenize(stream->model, &token, 1, FALSE, stream->pending);
        return;
    }
    engine_detokenize(stream->model, pair, 1, FALSE, stream->before);
    engine_detokenize(stream->model, pair, 2, FALSE, stream->both);
    if (stream->both->len > stream->before->len)
        g_string_append_len(stream->pending, stream->both->str + stream->before->len,
                            (gssize)(stream->both->len - stream->before->len));
}

static gboolean
is_cancelled(const engine_generate_options *options)
{
    return options->cancel && g_atomic_int_get(options->cancel) != 0;
}

/* Bring the session to the end of the prompt, reusing what it holds of it; FALSE with error. *cancelled when
 * the flag went up on the way. */
static gboolean
run_prompt(engine_session *session, const int32_t *prompt, size_t n,
           const engine_generate_options *options, gboolean *cancelled, GError **error)
{
    size_t shared = 0;

    /* the last token is run again in any case: its logits are what we need */
    while (shared < session->n_past && shared + 1 < n && session->tokens[shared] == prompt[shared])
        shared++;
    engine_session_truncate(session, (uint32_t)shared);
    for (size_t done = shared; done < n;) {
        const size_t step = MIN(n - done, PROMPT_STEP);
        if (is_cancelled(options)) {
            *cancelled = TRUE;
            return TRUE;
        }
        if (!engine_session_eval(session, prompt + done, step,
                                 done + step == n ? session->logits : NULL, NULL, error))
            return FALSE;
        done += step;
    }
    return TRUE;
}

/* The loop after the prompt. */
static gboolean
run_tokens(engine_session *session, text_stream *stream, int32_t previous,
           engine_generate_result *result, GError **error)
{
    const engine_generate_options *options = stream->options;

    for (;;) {
        if (is_cancelled(options)) {
            result->reason = ENGINE_STOP_CANCELLED;
            return TRUE;
        }
        if (result->n_generated >= options->max_tokens) {
            result->reason = ENGINE_STOP_LENGTH;
            return TRUE;
        }
        const uint32_t window = MIN(session->n_past, PENALTY_WINDOW);
        const int32_t token =
            engine_sampler_next(&session->sampler, session->logits, options,
                                session->tokens + session->n_past - window, window);
        if (session->model->tokenizer &&
            engine_tokenizer_ends_text(session->model->tokenizer, token)) {
            result->reason = ENGINE_STOP_EOS;
            return TRUE;
        }
        result->n_generated++;
        append_token(stream, previous, token);
        previous = token;
        const gssize stop = find_stop(stream);
        if (stop >= 0) {
            g_string_truncate(stream->pending, (gsize)stop);
            result->reason = ENGINE_STOP_STRING;
            return TRUE;
        }
        release(stream, stream->pending->len - possible_stop(stream), TRUE);
        if (stream->refused) {
            result->reason = ENGINE_STOP_CALLBACK;
            return TRUE;
        }
        if (session->n_past == session->state.n_context) {
            result->reason = ENGINE_STOP_CONTEXT;
            return TRUE;
        }
        /* the logits of a token after the last one are nobody's business */
        if (result->n_generated < options->max_tokens &&
            !engine_session_eval(session, &token, 1, session->logits, NULL, error))
            return FALSE;
    }
}

gboolean
engine_generate(engine_session *session, const int32_t *prompt, size_t n,
                const engine_generate_options *options, engine_text_callback callback,
                void *user_data, GString *text, engine_generate_result *result, GError **error)
{
    const engine_generate_options defaults = engine_generate_options_default();
    engine_generate_result own = {0};
    gboolean cancelled = FALSE;

    if (!options) options = &defaults;
    if (n == 0 || n > session->state.n_context) {
        g_set_error(error, ENGINE_ERROR, n == 0 ? ENGINE_ERROR_ARGUMENT : ENGINE_ERROR_LIMIT,
                    "%s: a prompt of %zu tokens does not fit a context of %u",
                    session->model->info.name, n, session->state.n_context);
        return FALSE;
    }
    const gint64 start = g_get_monotonic_time();
    if (!run_prompt(session, prompt, n, options, &cancelled, error)) return FALSE;
    const gint64 prompt_end = g_get_monotonic_time();
    own.n_prompt = (uint32_t)n;
    own.prompt_seconds = (double)(prompt_end - start) / G_USEC_PER_SEC;
    own.reason = ENGINE_STOP_CANCELLED;

    g_autoptr(GString) pending = g_string_new(NULL), before = g_string_new(NULL),
                       both = g_string_new(NULL);
    text_stream stream = {session->model, options, callback, user_data, text,
                          pending,        before,  both,     FALSE};
    engine_sampler_seed(&session->sampler, options->seed);
    if (!cancelled && !run_tokens(session, &stream, prompt[n - 1], &own, error)) return FALSE;
    release(&stream, pending->len, FALSE);
    own.generate_seconds = (double)(g_get_monotonic_time() - prompt_end) / G_USEC_PER_SEC;
    if (result) *result = own;
    return TRUE;
}
