/* Continuous batching: sequences come and go between passes, and every pass carries whoever has something to run.
 *
 * Source: Yu et al., Orca (OSDI 2022), iteration-level scheduling; Agrawal et al., Sarathi-Serve, arXiv:2403.02310,
 * prompts in chunks beside running texts. */
#include "engine/batch.h"
#include "engine/draft.h"

#include <string.h>

#define DEFAULT_TOKENS    8192
#define DEFAULT_SEQUENCES 8
#define MOST_SEQUENCES    1024

typedef struct {
    uint32_t id, n_context, n_prompt, n_tokens, capacity;
    int32_t *tokens; /* [capacity]; prompt and text, the last perhaps not in the cache yet */
    engine_request_state state;
    engine_sequence_state sequence; /* while running */
    engine_pick_callback pick;
    void *user_data;
    const int *cancel;
    gboolean began;
    engine_request_stats stats;
    /* of the pass at hand: tokens behind the last one, in the hope that they will be chosen */
    int32_t guesses[ENGINE_MAX_DRAFT];
    uint32_t n_guesses;
    /* of the pass to come: the first n_ahead guesses are there, at most `most` are wanted */
    uint32_t n_ahead, most;
    engine_draft_pace pace;
    engine_recurrent
        *saved; /* before a pass with guesses, at position saved_at; NULL: model has none */
    uint32_t saved_at;
} request;

struct engine_batch {
    const engine_model *model;
    engine_runtime runtime;
    uint32_t n_sequences, n_draft, next_id;
    GPtrArray *requests; /* request, owned, in order of arrival */
    gboolean crowded;    /* somebody gave pages back: nobody new before somebody is done */
    /* of the pass at hand */
    int32_t *tokens;            /* [chunk] */
    engine_decoder_span *spans; /* [n_sequences] */
    request **of_span;          /* [n_sequences] */
    uint32_t *rows;             /* [n_logit_rows] rows whose logits are wanted */
    float *logits;              /* [n_logit_rows, n_vocab] */
    uint32_t n_logit_rows;      /* of each sequence one, and its guesses' */
    /* drafting with the model's own head; NULL where it has none or nothing is drafted */
    int32_t *next;                   /* [chunk] the token behind each row of the pass */
    float *head_logits;              /* [n_sequences, n_vocab] */
    request **drafting;              /* [n_sequences] */
    uint32_t *head_rows;             /* [n_sequences] */
    engine_decoder_span *head_spans; /* [n_sequences] */
    int32_t *head_tokens;            /* [n_sequences] */
    engine_batch_stats stats;
};

engine_batch_options
engine_batch_options_default(void)
{
    return (engine_batch_options){.n_sequences = DEFAULT_SEQUENCES, .kv_type = ENGINE_KV_F16};
}

static void
free_request(gpointer data)
{
    request *r = data;
    engine_recurrent_free(r->saved);
    g_free(r->tokens);
    g_free(r);
}

static gboolean
allocate(engine_batch *batch)
{
    const uint32_t n = batch->n_sequences;

    batch->tokens = g_try_new(int32_t, batch->runtime.chunk);
    batch->spans = g_try_new(engine_decoder_span, n);
    batch->of_span = g_try_new(request *, n);
    batch->rows = g_try_new(uint32_t, batch->n_logit_rows);
    batch->logits = g_try_malloc_n(batch->n_logit_rows, batch->model->info.n_vocab * sizeof(float));
    if (!batch->tokens || !batch->spans || !batch->of_span || !batch->rows || !batch->logits)
        return FALSE;
    if (batch->n_draft == 0 || engine_decoder_n_mtp(batch->model) == 0) return TRUE;
    batch->next = g_try_new(int32_t, batch->runtime.chunk);
    batch->head_logits = g_try_malloc_n(n, batch->model->info.n_vocab * sizeof(float));
    batch->drafting = g_try_new(request *, n);
    batch->head_rows = g_try_new(uint32_t, n);
    batch->head_spans = g_try_new(engine_decoder_span, n);
    batch->head_tokens = g_try_new(int32_t, n);
    return batch->next && batch->head_logits && batch->drafting && batch->head_rows &&
           batch->head_spans && batch->head_tokens;
}

engine_batch *
engine_batch_new(const engine_model *model, engine_pool *pool, const engine_batch_options *options,
                 GError **error)
{
    const engine_batch_options defaults = engine_batch_options_default();

    if (!options) options = &defaults;
    if (model->info.kind != ENGINE_KIND_DECODER) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_ARGUMENT,
                    "%s is an encoder: it does not decode", model->info.name);
        return NULL;
    }
    const uint32_t n_sequences = CLAMP(options->n_sequences, 1, MOST_SEQUENCES);
    const uint32_t n_cached = options->n_cached > 0 ? options->n_cached : DEFAULT_TOKENS;
    const uint32_t n_draft = MIN(options->n_draft, ENGINE_MAX_DRAFT);
    g_autofree char *what =
        options->n_context > 0
            ? g_strdup_printf("a context of %u tokens for each of %u sequences", options->n_context,
                              n_sequences)
            : g_strdup_printf("a cache of %u tokens for %u sequences", n_cached, n_sequences);
    const engine_memory_use use = {
        .model = model,
        .n_pages = options->n_context > 0 ? engine_memory_pages(options->n_context, n_sequences)
                                          : engine_memory_pages(n_cached, 1),
        .n_states = n_draft > 0 ? 2 * n_sequences : n_sequences,
        .chunk = MAX(options->chunk > 0 ? options->chunk : ENGINE_DECODER_CHUNK, n_sequences),
        .n_logit_rows = n_sequences * (1 + n_draft) +
                        (n_draft > 0 && engine_decoder_n_mtp(model) > 0 ? n_sequences : 0),
        .kv_type = options->kv_type,
        .max_memory = options->max_memory,
        .what = what,
    };
    engine_runtime_options runtime = {
        .n_pages = (uint32_t)MIN(use.n_pages, G_MAXUINT32),
        .chunk = use.chunk,
        .kv_type = engine_kv_stored_type(options->kv_type),
        .store = options->prefixes,
    };
    g_autoptr(engine_batch) batch = g_new0(engine_batch, 1);
    batch->model = model;
    batch->n_sequences = n_sequences;
    batch->n_draft = n_draft;
    batch->n_logit_rows = MIN(n_sequences * (1 + n_draft), use.chunk);
    batch->requests = g_ptr_array_new_with_free_func(free_request);
    if (!engine_memory_check(&use, &runtime, error) ||
        !engine_runtime_init(&batch->runtime, model, pool, &runtime, error))
        return NULL;
    if (allocate(batch)) return g_steal_pointer(&batch);
    g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_LIMIT, "no memory for %u sequences of %s",
                batch->n_sequences, model->info.name);
    return NULL;
}

void
engine_batch_free(engine_batch *batch)
{
    if (!batch) return;
    for (guint i = 0; i < batch->requests->len; i++)
        engine_runtime_end(&batch->runtime,
                           &((request *)g_ptr_array_index(batch->requests, i))->sequence);
    g_ptr_array_unref(batch->requests);
    engine_runtime_clear(&batch->runtime);
    g_free(batch->tokens);
    g_free(batch->spans);
    g_free(batch->of_span);
    g_free(batch->rows);
    g_free(batch->logits);
    g_free(batch->next);
    g_free(batch->head_logits);
    g_free(batch->drafting);
    g_free(batch->head_rows);
    g_free(batch->head_spans);
    g_free(batch->head_tokens);
    g_free(batch);
}

engine_runtime *
engine_batch_get_runtime(engine_batch *batch)
{
    return &batch->runtime;
}

uint32_t
engine_batch_get_n_sequences(const engine_batch *batch)
{
    return batch->n_sequences;
}

/* ---- requests ---- */

uint32_t
engine_batch_add(engine_batch *batch, const engine_request *asked, GError **error)
{
    if (asked->n == 0 || !asked->pick) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_ARGUMENT, "a request without %s",
                    asked->n == 0 ? "a prompt" : "anyone to choose tokens");
        return 0;
    }
    if (asked->n > asked->n_context ||
        (asked->n - 1) / ENGINE_KV_PAGE >= engine_kv_n_pages(batch->runtime.kv)) {
        g_set_error(
            error, ENGINE_ERROR, ENGINE_ERROR_LIMIT,
            "%s: a prompt of %zu tokens does not fit a context of %u and a cache of %u pages",
            batch->model->info.name, asked->n, asked->n_context,
            engine_kv_n_pages(batch->runtime.kv));
        return 0;
    }
    if (!engine_runtime_check_tokens(&batch->runtime, asked->prompt, asked->n, error)) return 0;
    int32_t *tokens = g_try_malloc_n(asked->n, sizeof *tokens);
    if (!tokens) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_LIMIT, "no memory for a prompt of %zu tokens",
                    asked->n);
        return 0;
    }
    request *r = g_new0(request, 1);
    r->id = ++batch->next_id;
    r->tokens = memcpy(tokens, asked->prompt, asked->n * sizeof *tokens);
    r->n_prompt = r->n_tokens = r->capacity = (uint32_t)asked->n;
    r->n_context = asked->n_context;
    r->pick = asked->pick;
    r->user_data = asked->user_data;
    r->cancel = asked->cancel;
    engine_draft_pace_init(&r->pace, batch->n_draft);
    g_ptr_array_add(batch->requests, r);
    return r->id;
}

static request *
find_request(const engine_batch *batch, uint32_t id)
{
    for (guint i = 0; i < batch->requests->len; i++) {
        request *r = g_ptr_array_index(batch->requests, i);
        if (r->id == id) return r;
    }
    return NULL;
}

uint32_t
engine_batch_n_unfinished(const engine_batch *batch)
{
    uint32_t n = 0;

    for (guint i = 0; i < batch->requests->len; i++) {
        const request *r = g_ptr_array_index(batch->requests, i);
        n += r->state <= ENGINE_REQUEST_RUNNING;
    }
    return n;
}

engine_request_state
engine_batch_get_state(const engine_batch *batch, uint32_t id)
{
    const request *r = find_request(batch, id);
    return r ? r->state : ENGINE_REQUEST_CANCELLED;
}

const int32_t *
engine_batch_get_tokens(const engine_batch *batch, uint32_t id, size_t *n)
{
    const request *r = find_request(batch, id);
    *n = r ? r->n_tokens : 0;
    return r ? r->tokens : NULL;
}

engine_request_stats
engine_batch_get_request_stats(const engine_batch *batch, uint32_t id)
{
    const request *r = find_request(batch, id);
    return r ? r->stats : (engine_request_stats){0};
}

engine_batch_stats
engine_batch_get_stats(const engine_batch *batch)
{
    engine_batch_stats stats = batch->stats;

    stats.gpu_experts = engine_runtime_gpu_experts(&batch->runtime);
    if (batch->runtime.experts)
        stats.experts = engine_expert_cache_get_stats(batch->runtime.experts);
    return stats;
}

const char *
engine_batch_get_placement(const engine_batch *batch)
{
    return batch->runtime.where;
}

/* Give everything back; the tokens stay. */
static void
leave(engine_batch *batch, request *r, engine_request_state state)
{
    if (r->state == ENGINE_REQUEST_RUNNING) {
        engine_runtime_end(&batch->runtime, &r->sequence);
        engine_runtime_give_recurrent(&batch->runtime, &r->saved);
        r->n_guesses = r->n_ahead = r->most = 0;
        if (state != ENGINE_REQUEST_WAITING) batch->crowded = FALSE;
    }
    r->state = state;
}

void
engine_batch_remove(engine_batch *batch, uint32_t id)
{
    request *r = find_request(batch, id);

    if (!r) return;
    leave(batch, r, ENGINE_REQUEST_CANCELLED);
    g_ptr_array_remove(batch->requests, r);
}

/* ---- a pass ---- */

static uint32_t
count_running(const engine_batch *batch)
{
    uint32_t n = 0;

    for (guint i = 0; i < batch->requests->len; i++) {
        const request *r = g_ptr_array_index(batch->requests, i);
        n += r->state == ENGINE_REQUEST_RUNNING;
    }
    return n;
}

static void
drop_cancelled(engine_batch *batch)
{
    for (guint i = 0; i < batch->requests->len; i++) {
        request *r = g_ptr_array_index(batch->requests, i);
        if (r->state <= ENGINE_REQUEST_RUNNING && r->cancel && g_atomic_int_get(r->cancel) != 0)
            leave(batch, r, ENGINE_REQUEST_CANCELLED);
    }
}

/* Whoever waits, in order of arrival, while there is room. */
static gboolean
admit(engine_batch *batch, GError **error)
{
    uint32_t n_running = count_running(batch);

    for (guint i = 0; i < batch->requests->len && n_running < batch->n_sequences; i++) {
        request *r = g_ptr_array_index(batch->requests, i);
        if (r->state != ENGINE_REQUEST_WAITING) continue;
        if (batch->crowded && n_running > 0) return TRUE;
        if (!engine_runtime_begin(&batch->runtime, &r->sequence, r->n_context, error)) return FALSE;
        r->state = ENGINE_REQUEST_RUNNING;
        const uint32_t n_known =
            engine_prefix_match(batch->runtime.prefixes, r->tokens, r->n_tokens, &r->sequence);
        if (!r->began) r->stats.n_reused = n_known;
        r->began = TRUE;
        n_running++;
    }
    return TRUE;
}

/* Pages for n more tokens of request `index`; the youngest of those behind it give way, then it itself. */
static gboolean
reserve(engine_batch *batch, guint index, uint32_t n)
{
    request *r = g_ptr_array_index(batch->requests, index);
    engine_kv_table *table = &r->sequence.kv;

    for (guint i = batch->requests->len;
         !engine_prefix_reserve(batch->runtime.prefixes, table, table->n_tokens + n, NULL);) {
        request *victim = NULL;
        while (!victim && i > index + 1) {
            victim = g_ptr_array_index(batch->requests, --i);
            if (victim->state != ENGINE_REQUEST_RUNNING) victim = NULL;
        }
        if (!victim) {
            /* alone and still too long: it will never fit */
            leave(batch, r,
                  count_running(batch) > 1 ? ENGINE_REQUEST_WAITING : ENGINE_REQUEST_FULL);
            batch->stats.n_preempted += r->state == ENGINE_REQUEST_WAITING;
            batch->crowded = r->state == ENGINE_REQUEST_WAITING;
            return FALSE;
        }
        leave(batch, victim, ENGINE_REQUEST_WAITING);
        batch->stats.n_preempted++;
        batch->crowded = TRUE;
    }
    return TRUE;
}

/* What may follow a text of which one token is to be run, at most n_left of it: what the model's head has drafted, else
 * what followed before. A recurrent state is put aside, for guesses can be wrong. FALSE with error when there is no
 * memory for that. */
static gboolean
guess(engine_batch *batch, request *r, uint32_t n_left, GError **error)
{
    const uint32_t room = r->n_context - r->n_tokens;
    if (!batch->next) r->most = engine_draft_pace_next(&r->pace);
    const uint32_t most = MIN(MIN(r->most, n_left), room);

    r->n_guesses = MIN(r->n_ahead, most);
    if (most > 0 && r->n_guesses == 0)
        r->n_guesses = engine_draft_lookup(r->tokens, r->n_tokens, most, r->guesses);
    r->n_ahead = r->most = 0;
    if (r->n_guesses == 0 || !r->sequence.recurrent) return TRUE;
    if (!r->saved) r->saved = engine_runtime_recurrent(&batch->runtime, error);
    if (!r->saved) return FALSE;
    engine_recurrent_copy(r->saved, r->sequence.recurrent);
    r->saved_at = r->sequence.kv.n_tokens;
    return TRUE;
}

/* Rows of the pass: one of each text first, with its guesses, then prompts as far as they fit. */
static gboolean
plan(engine_batch *batch, uint32_t *n_rows, size_t *n_spans, GError **error)
{
    uint32_t n_texts = 0, row = 0;

    *n_spans = 0;
    for (guint i = 0; i < batch->requests->len; i++) {
        request *r = g_ptr_array_index(batch->requests, i);
        r->n_guesses = 0;
        n_texts += r->state == ENGINE_REQUEST_RUNNING && r->n_tokens - r->sequence.kv.n_tokens == 1;
    }
    uint32_t left = batch->runtime.chunk - n_texts; /* chunk >= n_sequences */
    for (guint i = 0; i < batch->requests->len; i++) {
        request *r = g_ptr_array_index(batch->requests, i);
        if (r->state != ENGINE_REQUEST_RUNNING) continue;
        const uint32_t first = r->sequence.kv.n_tokens, missing = r->n_tokens - first;
        uint32_t n = 1;
        if (missing > 1) {
            n = engine_runtime_step(&batch->runtime, first, missing, left);
            if (n == 0) continue;
        } else if (!guess(batch, r, left, error)) {
            return FALSE;
        }
        if (r->n_guesses > 0 && !engine_prefix_reserve(batch->runtime.prefixes, &r->sequence.kv,
                                                       first + n + r->n_guesses, NULL))
            r->n_guesses = 0; /* nobody gives way for a guess */
        if (!reserve(batch, i, n + r->n_guesses)) continue;
        left -= missing > 1 ? n : r->n_guesses;
        memcpy(batch->tokens + row, r->tokens + first, n * sizeof *r->tokens);
        memcpy(batch->tokens + row + n, r->guesses, r->n_guesses * sizeof *r->guesses);
        n += r->n_guesses;
        batch->of_span[*n_spans] = r;
        batch->spans[(*n_spans)++] = (engine_decoder_span){&r->sequence, row, n, first};
        row += n;
    }
    *n_rows = row;
    return TRUE;
}

/* Where a prompt ends, a text ends or a recurrent state is due, what was computed is kept for others. */
static void
keep(engine_batch *batch, const request *r)
{
    const uint32_t n = r->sequence.kv.n_tokens,
                   interval = engine_prefix_interval(batch->runtime.prefixes);

    if (r->n_guesses > 0) return; /* who knows whether they stay */
    if (n == r->n_prompt || (interval > 0 && n % interval == 0))
        engine_prefix_insert(batch->runtime.prefixes, r->tokens, n, &r->sequence);
}

static void
append_token(engine_batch *batch, request *r, int32_t token)
{
    if (token < 0 || (uint32_t)token >= batch->model->info.n_vocab) {
        leave(batch, r, ENGINE_REQUEST_ENDED);
        return;
    }
    if (r->n_tokens == r->n_context) {
        leave(batch, r, ENGINE_REQUEST_FULL);
        return;
    }
    if (r->n_tokens == r->capacity) {
        r->capacity = r->capacity + r->capacity / 2 + 64;
        r->tokens = g_renew(int32_t, r->tokens, r->capacity);
    }
    r->tokens[r->n_tokens++] = token;
}

/* Let the request choose its tokens: the one behind what was sure, and as long as it chooses what was guessed, the
 * ones behind that. logits [1 + n_guesses, n_vocab]. */
static void
choose(engine_batch *batch, request *r, const float *logits)
{
    const size_t n_vocab = batch->model->info.n_vocab;
    const uint32_t n = r->n_guesses, sure = r->n_tokens;
    uint32_t held = 0;

    for (;; held++, logits += n_vocab) {
        append_token(batch, r, r->pick(logits, r->user_data));
        if (r->state != ENGINE_REQUEST_RUNNING || held == n) break;
        if (r->tokens[r->n_tokens - 1] != r->guesses[held]) break;
    }
    r->stats.n_drafted += n;
    r->stats.n_accepted += held;
    batch->stats.n_drafted += n;
    batch->stats.n_accepted += held;
    engine_draft_pace_learn(&r->pace, n, held);
    if (r->state != ENGINE_REQUEST_RUNNING || held == n) return;
    /* keys and values are cut back; a recurrent state begins again where it was put aside */
    if (r->sequence.recurrent) engine_recurrent_copy(r->sequence.recurrent, r->saved);
    engine_kv_truncate(batch->runtime.kv, &r->sequence.kv,
                       r->sequence.recurrent ? r->saved_at : sure + held);
}

/* The head sees the rows of the pass whose next token is known by now. Requests of which one token is left to run are
 * listed in `drafting`, with the first draft of those that want any; head_rows: which of the head's outputs is theirs.
 * FALSE with error when an expert could not be read. */
static gboolean
show_head(engine_batch *batch, size_t n_rows, size_t n_spans, size_t *n_drafting, GError **error)
{
    engine_runtime *runtime = &batch->runtime;
    uint32_t n_outputs = 0;

    *n_drafting = 0;
    for (size_t s = 0; s < n_spans; s++) {
        request *r = batch->of_span[s];
        const engine_decoder_span *span = &batch->spans[s];
        gboolean sees = r->state == ENGINE_REQUEST_RUNNING &&
                        engine_prefix_reserve(runtime->prefixes, &r->sequence.kv,
                                              MIN(span->first + span->n, r->n_tokens - 1), NULL);
        for (uint32_t i = 0; i < span->n; i++) {
            const uint32_t next = span->first + i + 1;
            const gboolean known = sees && next < r->n_tokens;
            batch->next[span->row + i] = known ? r->tokens[next] : -1;
        }
        if (!sees || span->first + 1 >= r->n_tokens) continue;
        if (r->sequence.kv.n_tokens == r->n_tokens - 1) {
            r->most = engine_draft_pace_next(&r->pace);
            batch->head_rows[*n_drafting] = n_outputs;
            if (r->most > 0) batch->drafting[(*n_drafting)++] = r;
        }
        n_outputs++;
    }
    if (n_outputs == 0) return TRUE;
    if (!engine_decoder_mtp(runtime->scratch, runtime->kv, batch->next, n_rows, batch->spans,
                            n_spans, batch->head_logits, error))
        return FALSE;
    for (size_t i = 0; i < *n_drafting; i++) {
        request *r = batch->drafting[i];
        const size_t n_vocab = batch->model->info.n_vocab;
        r->guesses[0] =
            engine_draft_likeliest(batch->head_logits + batch->head_rows[i] * n_vocab, n_vocab);
        r->n_ahead = 1;
    }
    return TRUE;
}

/* Guesses for the next pass by the model's own head, for all texts together: each draft is one pass of the head over
 * those that want another. */
static gboolean
draft_ahead(engine_batch *batch, size_t n_rows, size_t n_spans, GError **error)
{
    engine_runtime *runtime = &batch->runtime;
    const size_t n_vocab = batch->model->info.n_vocab;
    size_t n_drafting;

    if (!show_head(batch, n_rows, n_spans, &n_drafting, error)) return FALSE;
    for (uint32_t n = 1; n_drafting > 0; n++) {
        size_t n_left = 0;
        for (size_t i = 0; i < n_drafting; i++) {
            request *r = batch->drafting[i];
            const uint32_t at = r->n_tokens - 1; /* of the last token that is sure */
            if (n >= r->most || at + n >= r->n_context ||
                !engine_prefix_reserve(runtime->prefixes, &r->sequence.kv, at + n, NULL))
                continue;
            batch->head_rows[n_left] = n == 1 ? batch->head_rows[i] : (uint32_t)i;
            batch->head_tokens[n_left] = r->guesses[n - 1];
            batch->head_spans[n_left] = (engine_decoder_span){&r->sequence, 0, 1, at + n - 1};
            batch->drafting[n_left++] = r;
        }
        n_drafting = n_left;
        if (!engine_decoder_mtp_again(runtime->scratch, runtime->kv, batch->head_tokens,
                                      batch->head_rows, batch->head_spans, n_drafting,
                                      batch->head_logits, error))
            return FALSE;
        for (size_t i = 0; i < n_drafting; i++) {
            request *r = batch->drafting[i];
            r->guesses[n] = engine_draft_likeliest(batch->head_logits + i * n_vocab, n_vocab);
            r->n_ahead = n + 1;
        }
    }
    return TRUE;
}

gboolean
engine_batch_step(engine_batch *batch, GError **error)
{
    const size_t n_vocab = batch->model->info.n_vocab;
    uint32_t n_rows, n_wanted = 0;
    size_t n_spans;

    drop_cancelled(batch);
    if (!admit(batch, error) || !plan(batch, &n_rows, &n_spans, error)) return FALSE;
    if (n_spans == 0) return TRUE;
    if (!engine_runtime_pass(&batch->runtime, batch->tokens, n_rows, batch->spans, n_spans, error))
        return FALSE;
    batch->stats.n_passes++;
    batch->stats.n_rows += n_rows;
    for (size_t s = 0; s < n_spans; s++) {
        const request *r = batch->of_span[s];
        const engine_decoder_span *span = &batch->spans[s];
        keep(batch, r);
        if (r->sequence.kv.n_tokens < r->n_tokens) continue;
        for (uint32_t i = 0; i <= r->n_guesses; i++)
            batch->rows[n_wanted++] = span->row + span->n - 1 - r->n_guesses + i;
    }
    if (!engine_decoder_logits(batch->runtime.scratch, batch->rows, n_wanted, batch->logits, error))
        return FALSE;
    const float *logits = batch->logits;
    for (size_t s = 0; s < n_spans; s++) {
        request *r = batch->of_span[s];
        const uint32_t n = 1 + r->n_guesses;
        if (r->sequence.kv.n_tokens < r->n_tokens) continue;
        choose(batch, r, logits);
        logits += n * n_vocab;
    }
    return !batch->next || draft_ahead(batch, n_rows, n_spans, error);
}
