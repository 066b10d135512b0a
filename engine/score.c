/* Scoring many texts that begin alike: the beginning is run once, the rest of all texts goes through the model in
 * passes as full as they get, one text behind the other. */
#include "engine/batch.h"
#include "engine/sample_pick.h"

#include <math.h>
#include <string.h>

#define LOGIT_ROWS 16 /* rows of logits at a time */

/* A text on its way through the passes. */
typedef struct {
    size_t index;                   /* in request->texts */
    engine_sequence_state sequence; /* holds what was run of prefix and text */
    uint32_t n;                     /* tokens of both */
} text_run;

/* A row of the pass whose logits are wanted, and the token that they are asked about; -1: the choices. */
typedef struct {
    uint32_t row;
    size_t text;
    int32_t token;
} question;

typedef struct {
    engine_runtime *runtime;
    const engine_score_request *request;
    float *choices, *judged; /* the caller's */
    double *sums;            /* [n_texts] judged so far */
    engine_sequence_state
        prefix;   /* n_prefix - 1 tokens: the last is run with every text, which needs its logits */
    GArray *open; /* text_run; only the last may be unfinished after a pass */
    size_t next;  /* text to be opened */

    int32_t *tokens;            /* [chunk] of the pass */
    engine_decoder_span *spans; /* [chunk] */
    GArray *questions;          /* question, by row */
    float *logits;              /* [LOGIT_ROWS, n_vocab] */
    float *weights;             /* [n_vocab] */
} scoring;

static void
close_run(scoring *s, text_run *run)
{
    engine_runtime_end(s->runtime, &run->sequence);
}

static void
scoring_clear(scoring *s)
{
    for (guint i = 0; s->open && i < s->open->len; i++)
        close_run(s, &g_array_index(s->open, text_run, i));
    engine_runtime_end(s->runtime, &s->prefix);
    g_clear_pointer(&s->open, g_array_unref);
    g_clear_pointer(&s->questions, g_array_unref);
    g_free(s->sums);
    g_free(s->tokens);
    g_free(s->spans);
    g_free(s->logits);
    g_free(s->weights);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(scoring, scoring_clear)

static gboolean
allocate(scoring *s, GError **error)
{
    const engine_model_info *info = &s->runtime->model->info;
    const size_t n_vocab = info->n_vocab;

    s->open = g_array_new(FALSE, FALSE, sizeof(text_run));
    s->questions = g_array_new(FALSE, FALSE, sizeof(question));
    s->sums = g_try_new0(double, MAX(s->request->n_texts, 1));
    s->tokens = g_try_new(int32_t, s->runtime->chunk);
    s->spans = g_try_new(engine_decoder_span, s->runtime->chunk);
    s->logits = g_try_malloc_n(LOGIT_ROWS, n_vocab * sizeof *s->logits);
    s->weights = g_try_new(float, n_vocab);
    if (s->sums && s->tokens && s->spans && s->logits && s->weights) return TRUE;
    g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_LIMIT, "no memory for %zu texts of %s",
                s->request->n_texts, info->name);
    return FALSE;
}

static gboolean
check_request(const scoring *s, GError **error)
{
    const engine_score_request *request = s->request;
    const engine_runtime *runtime = s->runtime;
    /* a page goes to the prefix itself, whose last one every text copies */
    const uint64_t most = (uint64_t)(engine_kv_n_pages(runtime->kv) - 1) * ENGINE_KV_PAGE;

    if (request->n_prefix == 0) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_ARGUMENT, "texts to score without a prefix");
        return FALSE;
    }
    if (!engine_runtime_check_tokens(runtime, request->prefix, request->n_prefix, error) ||
        !engine_runtime_check_tokens(runtime, request->choices, request->n_choices, error))
        return FALSE;
    for (size_t i = 0; i < request->n_texts; i++) {
        const engine_score_text *text = &request->texts[i];
        if (text->n_judged > text->n) {
            g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_ARGUMENT,
                        "text %zu: %zu tokens to judge, but it has %zu", i, text->n_judged,
                        text->n);
            return FALSE;
        }
        if (request->n_prefix > most || text->n > most - request->n_prefix) {
            g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_LIMIT,
                        "%s: text %zu of %zu tokens behind a prefix of %zu does not fit a cache of "
                        "%" G_GUINT64_FORMAT " tokens",
                        runtime->model->info.name, i, text->n, request->n_prefix, most);
            return FALSE;
        }
        if (!engine_runtime_check_tokens(runtime, text->tokens, text->n, error)) return FALSE;
    }
    return TRUE;
}

static gboolean
check_cancelled(const scoring *s, GError **error)
{
    const int *cancel = s->request->cancel;

    if (!cancel || g_atomic_int_get(cancel) == 0) return TRUE;
    g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_CANCELLED, "%s: scoring was cancelled",
                s->runtime->model->info.name);
    return FALSE;
}

/* All but the last token of the prefix, from what is known of it already. */
static gboolean
run_prefix(scoring *s, GError **error)
{
    engine_runtime *runtime = s->runtime;
    const int32_t *tokens = s->request->prefix;
    const uint32_t n = (uint32_t)s->request->n_prefix - 1;
    engine_kv_table *table = &s->prefix.kv;

    if (!engine_runtime_begin(runtime, &s->prefix, n, error)) return FALSE;
    /* matching leaves the last of its tokens to be run: let that be the prefix's own last */
    engine_prefix_match(runtime->prefixes, tokens, n + 1, &s->prefix);
    if (table->n_tokens == n) return TRUE;
    while (table->n_tokens < n) {
        const uint32_t first = table->n_tokens;
        const uint32_t rows = engine_runtime_step(runtime, first, n - first, runtime->chunk);
        const engine_decoder_span span = {&s->prefix, 0, rows, first};
        if (!check_cancelled(s, error) ||
            !engine_prefix_reserve(runtime->prefixes, table, first + rows, error) ||
            !engine_runtime_pass(runtime, tokens + first, rows, &span, 1, error))
            return FALSE;
    }
    engine_prefix_insert(runtime->prefixes, tokens, n, &s->prefix);
    return TRUE;
}

/* A text begins behind the prefix, or at the very beginning where its length gives it another rotary base. */
static gboolean
open_next(scoring *s, GError **error)
{
    text_run run = {.index = s->next};

    run.n = (uint32_t)(s->request->n_prefix + s->request->texts[s->next].n);
    if (!engine_runtime_begin(s->runtime, &run.sequence, run.n, error)) return FALSE;
    if (run.sequence.rope_base == s->prefix.rope_base) {
        engine_kv_share(s->runtime->kv, &run.sequence.kv, &s->prefix.kv, s->prefix.kv.n_tokens);
        if (run.sequence.recurrent)
            engine_recurrent_copy(run.sequence.recurrent, s->prefix.recurrent);
    }
    g_array_append_val(s->open, run);
    s->next++;
    return TRUE;
}

static int32_t
token_at(const scoring *s, const text_run *run, uint32_t position)
{
    const size_t n_prefix = s->request->n_prefix;

    return position < n_prefix ? s->request->prefix[position]
                               : s->request->texts[run->index].tokens[position - n_prefix];
}

/* Tokens [first, first + n) of the run become rows of the pass from `row` on. */
static void
add_rows(scoring *s, const text_run *run, uint32_t first, uint32_t n, uint32_t row)
{
    const uint32_t unjudged = run->n - (uint32_t)s->request->texts[run->index].n_judged;

    for (uint32_t i = 0; i < n; i++) {
        const uint32_t next = first + i + 1;
        question q = {row + i, run->index, -1};
        s->tokens[row + i] = token_at(s, run, next - 1);
        if (next < run->n && next >= unjudged && s->judged)
            q.token = token_at(s, run, next);
        else if (next < run->n || s->request->n_choices == 0)
            continue;
        g_array_append_val(s->questions, q);
    }
}

/* Fill a pass: what the last one left over, then texts not begun yet. Returns the number of spans. */
static gboolean
plan(scoring *s, uint32_t *n_rows, size_t *n_spans, GError **error)
{
    engine_runtime *runtime = s->runtime;
    uint32_t row = 0;
    size_t n = 0;

    g_array_set_size(s->questions, 0);
    while (row < runtime->chunk) {
        if (n == s->open->len && s->next == s->request->n_texts) break;
        if (n == s->open->len && !open_next(s, error)) return FALSE;
        text_run *run = &g_array_index(s->open, text_run, n);
        const uint32_t first = run->sequence.kv.n_tokens;
        const uint32_t rows = MIN(run->n - first, runtime->chunk - row);
        GError *full = NULL;
        if (!engine_prefix_reserve(runtime->prefixes, &run->sequence.kv, first + rows, &full)) {
            if (n == 0) {
                g_propagate_error(error, full);
                return FALSE;
            }
            g_error_free(full); /* those before it make room */
            break;
        }
        add_rows(s, run, first, rows, row);
        s->spans[n++] = (engine_decoder_span){NULL, row, rows, first};
        row += rows;
    }
    /* the array does not move any more */
    for (size_t i = 0; i < n; i++)
        s->spans[i].sequence = &g_array_index(s->open, text_run, i).sequence;
    *n_rows = row;
    *n_spans = n;
    return TRUE;
}

/* ---- results ---- */

static void
answer(scoring *s, const question *q, const float *logits)
{
    const size_t n_vocab = s->runtime->model->info.n_vocab;
    const size_t n_choices = s->request->n_choices;
    const size_t best = sample_largest(logits, n_vocab);
    const float max = best < n_vocab ? logits[best] : 0.0f;
    const double total = log(sample_weights(logits, n_vocab, max, 1.0f, s->weights));

    if (q->token >= 0) {
        s->sums[q->text] += (double)(logits[q->token] - max) - total;
        return;
    }
    for (size_t i = 0; i < n_choices; i++)
        s->choices[q->text * n_choices + i] =
            (float)((double)(logits[s->request->choices[i]] - max) - total);
}

static gboolean
answer_all(scoring *s, GError **error)
{
    const size_t n_vocab = s->runtime->model->info.n_vocab;
    const question *questions = (const question *)(void *)s->questions->data;
    uint32_t rows[LOGIT_ROWS];

    for (size_t done = 0; done < s->questions->len;) {
        const size_t n = MIN(s->questions->len - done, MIN(LOGIT_ROWS, s->runtime->chunk));
        for (size_t i = 0; i < n; i++)
            rows[i] = questions[done + i].row;
        if (!engine_decoder_logits(s->runtime->scratch, rows, n, s->logits, error)) return FALSE;
        for (size_t i = 0; i < n; i++)
            answer(s, &questions[done + i], s->logits + i * n_vocab);
        done += n;
    }
    return TRUE;
}

/* Texts that were run to their end go; the one that was not stays, as the first. */
static void
close_finished(scoring *s)
{
    guint kept = 0;

    for (guint i = 0; i < s->open->len; i++) {
        text_run *run = &g_array_index(s->open, text_run, i);
        if (run->sequence.kv.n_tokens == run->n)
            close_run(s, run);
        else
            g_array_index(s->open, text_run, kept++) = *run;
    }
    g_array_set_size(s->open, kept);
}

gboolean
engine_batch_score(engine_batch *batch, const engine_score_request *request, float *choices,
                   float *judged, GError **error)
{
    g_auto(scoring) s = {.runtime = engine_batch_get_runtime(batch),
                         .request = request,
                         .choices = choices,
                         .judged = judged};

    g_assert(choices || request->n_choices == 0);
    if (!check_request(&s, error) || !allocate(&s, error)) return FALSE;
    if (request->n_texts == 0) return TRUE;
    if (!run_prefix(&s, error)) return FALSE;
    while (s.open->len > 0 || s.next < request->n_texts) {
        uint32_t n_rows;
        size_t n_spans;
        if (!check_cancelled(&s, error) || !plan(&s, &n_rows, &n_spans, error) ||
            !engine_runtime_pass(s.runtime, s.tokens, n_rows, s.spans, n_spans, error))
            return FALSE;
        if (!answer_all(&s, error)) return FALSE;
        close_finished(&s);
    }
    for (size_t i = 0; judged && i < request->n_texts; i++)
        judged[i] = (float)s.sums[i];
    return TRUE;
}
