/* Text generation: prompt, then the loop of choosing, writing and evaluating, of one text or of many. */
#include "engine/batch.h"
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
        .max_tokens = 256, .top_p = 1.0f, .typical_p = 1.0f, .repeat_penalty = 1.0f, .penalty_window = 64};
}

/* A text being written: what is chosen and what becomes of it. Where the logits come from is its user's business. */
typedef struct {
    const engine_model *model;
    const engine_generate_options *options;
    engine_text_callback callback;
    void *user_data;
    GString *text; /* may be NULL */
    engine_sampler *sampler;
    engine_text_stream stream;
    engine_token_logprob *top; /* [options->n_top] */
    gboolean refused;          /* a callback returned FALSE */
    engine_generate_result result;
} generation;

/* One text on a session. */
typedef struct {
    generation g;
    engine_session *session;
    int32_t waiting[MAX_FORCED]; /* written, not yet evaluated */
    size_t n_waiting;
} session_text;

static void
generation_clear(generation *g)
{
    engine_text_stream_clear(&g->stream);
    engine_sampler_free(g->sampler);
    g_free(g->top);
}
/* Ready to write behind prompt [n]. */
static gboolean
generation_init(generation *g, const engine_model *model, const int32_t *prompt, size_t n,
                const engine_generate_options *options, GError **error)
{
    if (options->n_top > model->info.n_vocab) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_ARGUMENT,
                    "%s: %u alternatives asked for, but its vocabulary has %u tokens",
                    model->info.name, options->n_top, model->info.n_vocab);
        return FALSE;
    }
    g->model = model;
    g->options = options;
    g->sampler = engine_sampler_new(model->info.n_vocab, model->tokenizer, options, error);
    if (!g->sampler) return FALSE;
    g->top = g_new0(engine_token_logprob, MAX(options->n_top, 1));
    engine_text_stream_init(&g->stream, model, options->stop, options->with_special, prompt[n - 1]);
    engine_sampler_reset(g->sampler, prompt, n);
    g->result.n_prompt = (uint32_t)n;
    g->result.reason = ENGINE_STOP_CANCELLED;
    return TRUE;
}

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

/* FALSE, with the reason, when no more is to be written. */
static gboolean
may_go_on(generation *g)
{
    if (is_cancelled(g->options)) {
        g->result.reason = ENGINE_STOP_CANCELLED;
        return FALSE;
    }
    if (g->result.n_generated >= g->options->max_tokens) {
        g->result.reason = ENGINE_STOP_LENGTH;
        return FALSE;
    }
    return TRUE;
}

/* The token that these logits choose; -1 with error. */
static int32_t
sample_token(generation *g, const float *logits, GError **error)
{
    const int32_t token = engine_sampler_sample(g->sampler, logits);

    if (token < 0)
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_UNSUPPORTED,
                    "%s: no token of its vocabulary can come next", g->model->info.name);
    return token;
}

/* The token was chosen by logits, which only log-probabilities look at. FALSE, with the reason, when it ends the
 * text. */
static gboolean
write_token(generation *g, int32_t token, const float *logits)
{
    const engine_generate_options *options = g->options;

    if (engine_sampler_ends_text(g->sampler, token)) {
        g->result.reason = ENGINE_STOP_EOS;
        return FALSE;
    }
    const float logprob = options->logprobs ? engine_sampler_logprobs(g->sampler, logits, token,
                                                                      g->top, options->n_top)
                                            : NAN;
    engine_sampler_accept(g->sampler, token);
    g->result.n_generated++;
    const gboolean stopped = engine_text_stream_push(&g->stream, token);
    deliver(g, token, logprob);
    if (!stopped && !g->refused) return TRUE;
    g->result.reason = g->refused ? ENGINE_STOP_CALLBACK : ENGINE_STOP_STRING;
    return FALSE;
}

/* What was held back is text after all. */
static void
finish(generation *g)
{
    engine_text_stream_finish(&g->stream);
    deliver(g, -1, NAN);
}

static double
seconds_between(gint64 start, gint64 end)
{
    return (double)(end - start) / G_USEC_PER_SEC;
}

/* ---- one text on a session ---- */

/* Bring the session to the end of the prompt, reusing what it knows of it; FALSE with error. *cancelled when the flag
 * went up on the way. */
static gboolean
run_prompt(session_text *t, const int32_t *prompt, size_t n, gboolean *cancelled, GError **error)
{
    engine_session *session = t->session;

    t->g.result.n_reused = engine_session_reuse(session, prompt, n);
    for (size_t done = t->g.result.n_reused; done < n;) {
        const size_t step = MIN(n - done, session->runtime.chunk);
        if (is_cancelled(t->g.options)) {
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
evaluate_waiting(session_text *t, GError **error)
{
    const size_t n = t->n_waiting;

    t->n_waiting = 0;
    return n == 0 ||
           engine_session_eval(t->session, t->waiting, n, t->session->logits, NULL, error);
}

/* The next token; -1 with error. */
static int32_t
choose_token(session_text *t, GError **error)
{
    /* log-probabilities need the logits before every token */
    const gboolean look = t->g.options->logprobs || t->n_waiting == MAX_FORCED;
    const int32_t token = look ? -1 : engine_sampler_forced(t->g.sampler);

    if (token >= 0) return token;
    return evaluate_waiting(t, error) ? sample_token(&t->g, t->session->logits, error) : -1;
}

/* The loop after the prompt. */
static gboolean
run_tokens(session_text *t, GError **error)
{
    engine_session *session = t->session;

    while (may_go_on(&t->g)) {
        const int32_t token = choose_token(t, error);
        if (token < 0) return FALSE;
        if (!write_token(&t->g, token, session->logits)) return TRUE;
        /* the logits behind the last token are nobody's business */
        if (session->n_past + t->n_waiting == session->n_context) {
            t->g.result.reason = ENGINE_STOP_CONTEXT;
            return TRUE;
        }
        t->waiting[t->n_waiting++] = token;
    }
    return TRUE;
}

static gboolean
check_prompt(const engine_model *model, size_t n, uint32_t n_context, GError **error)
{
    if (n > 0 && n <= n_context) return TRUE;
    g_set_error(error, ENGINE_ERROR, n == 0 ? ENGINE_ERROR_ARGUMENT : ENGINE_ERROR_LIMIT,
                "%s: a prompt of %zu tokens does not fit a context of %u", model->info.name, n,
                n_context);
    return FALSE;
}

gboolean
engine_generate(engine_session *session, const int32_t *prompt, size_t n,
                const engine_generate_options *options, engine_text_callback callback,
                void *user_data, GString *text, engine_generate_result *result, GError **error)
{
    const engine_generate_options defaults = engine_generate_options_default();
    gboolean cancelled = FALSE;
    session_text t = {.session = session,
                      .g = {.callback = callback, .user_data = user_data, .text = text}};

    if (!check_prompt(session->model, n, session->n_context, error)) return FALSE;
    gboolean ok =
        generation_init(&t.g, session->model, prompt, n, options ? options : &defaults, error);
    const gint64 start = g_get_monotonic_time();
    const engine_session_stats before = session->stats;
    ok = ok && run_prompt(&t, prompt, n, &cancelled, error);
    const gint64 prompt_end = g_get_monotonic_time();
    if (ok && !cancelled) ok = run_tokens(&t, error);
    if (ok) {
        finish(&t.g);
        t.g.result.prompt_seconds = seconds_between(start, prompt_end);
        t.g.result.generate_seconds = seconds_between(prompt_end, g_get_monotonic_time());
        t.g.result.n_drafted = (uint32_t)(session->stats.n_drafted - before.n_drafted);
        t.g.result.n_accepted = (uint32_t)(session->stats.n_accepted - before.n_accepted);
        if (result) *result = t.g.result;
    }
    generation_clear(&t.g);
    return ok;
}

/* ---- many texts in a batch ---- */

typedef struct {
    generation g;
    size_t index; /* of the job */
    uint32_t id, n_context;
    gint64 start, prompt_end; /* 0: nothing was chosen yet */
    GString *text;
    GError *error;
} batch_text;

static void
free_batch_text(gpointer data)
{
    batch_text *t = data;
    generation_clear(&t->g);
    g_string_free(t->text, TRUE);
    g_clear_error(&t->error);
    g_free(t);
}

/* An engine_pick_callback. */
static int32_t
pick(const float *logits, void *user_data)
{
    batch_text *t = user_data;

    if (t->prompt_end == 0) t->prompt_end = g_get_monotonic_time();
    if (!may_go_on(&t->g)) return -1;
    const int32_t token = sample_token(&t->g, logits, &t->error);
    if (token < 0 || !write_token(&t->g, token, logits)) return -1;
    if (t->g.result.n_prompt + t->g.result.n_generated > t->n_context) {
        t->g.result.reason = ENGINE_STOP_CONTEXT;
        return -1;
    }
    return may_go_on(&t->g) ? token : -1; /* no pass for logits that nobody asks for */
}

/* A text and its request; NULL with error. */
static batch_text *
begin_text(engine_batch *batch, const engine_generate_job *job, size_t index,
           const engine_generate_options *options, GError **error)
{
    const engine_model *model = engine_batch_get_runtime(batch)->model;
    const uint64_t wanted = (uint64_t)job->n + options->max_tokens;
    const uint32_t n_context =
        job->n_context > 0 ? job->n_context : (uint32_t)MIN(wanted, G_MAXUINT32);

    if (!check_prompt(model, job->n, n_context, error)) return NULL;
    batch_text *t = g_new0(batch_text, 1);
    t->index = index;
    t->n_context = n_context;
    t->start = g_get_monotonic_time();
    t->text = g_string_new(NULL);
    t->g.callback = job->callback;
    t->g.user_data = job->user_data;
    t->g.text = t->text;
    const engine_request request = {.prompt = job->prompt,
                                    .n = job->n,
                                    .n_context = n_context,
                                    .pick = pick,
                                    .user_data = t,
                                    .cancel = options->cancel};
    if (generation_init(&t->g, model, job->prompt, job->n, options, error))
        t->id = engine_batch_add(batch, &request, error);
    if (t->id == 0) g_clear_pointer((gpointer *)&t, free_batch_text);
    return t;
}

/* The request has ended: what became of its text is told, and both go. */
static void
end_text(engine_batch *batch, batch_text *t, engine_job_callback done, void *user_data)
{
    const engine_request_stats stats = engine_batch_get_request_stats(batch, t->id);
    const gint64 now = g_get_monotonic_time();
    engine_generate_result *result = &t->g.result;

    if (engine_batch_get_state(batch, t->id) == ENGINE_REQUEST_FULL)
        result->reason = ENGINE_STOP_CONTEXT;
    engine_batch_remove(batch, t->id);
    if (t->prompt_end == 0) t->prompt_end = now;
    result->prompt_seconds = seconds_between(t->start, t->prompt_end);
    result->generate_seconds = seconds_between(t->prompt_end, now);
    result->n_reused = stats.n_reused;
    result->n_drafted = stats.n_drafted;
    result->n_accepted = stats.n_accepted;
    if (!t->error) finish(&t->g);
    done(t->index, t->text, result, t->error, user_data);
}

gboolean
engine_generate_batch(engine_batch *batch, const engine_generate_job *jobs, size_t n_jobs,
                      engine_job_callback done, void *user_data, GError **error)
{
    const engine_generate_options defaults = engine_generate_options_default();
    const engine_generate_result nothing = {.reason = ENGINE_STOP_CANCELLED};
    g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(free_batch_text);
    g_autoptr(GString) no_text = g_string_new(NULL);
    gboolean ok = TRUE;

    for (size_t next = 0; ok && (next < n_jobs || texts->len > 0);) {
        /* no more than can run: those that wait would have their samplers wait too */
        for (; next < n_jobs && texts->len < engine_batch_get_n_sequences(batch); next++) {
            const engine_generate_options *options = jobs[next].options;
            g_autoptr(GError) refused = NULL;
            batch_text *t =
                begin_text(batch, &jobs[next], next, options ? options : &defaults, &refused);
            if (t)
                g_ptr_array_add(texts, t);
            else
                done(next, no_text, &nothing, refused, user_data);
        }
        ok = engine_batch_step(batch, error);
        for (guint i = 0; ok && i < texts->len;) {
            batch_text *t = g_ptr_array_index(texts, i);
            if (engine_batch_get_state(batch, t->id) <= ENGINE_REQUEST_RUNNING) {
                i++;
                continue;
            }
            end_text(batch, t, done, user_data);
            g_ptr_array_remove_index(texts, i);
        }
    }
    for (guint i = 0; i < texts->len; i++)
        engine_batch_remove(batch, ((batch_text *)g_ptr_array_index(texts, i))->id);
    return ok;
}
