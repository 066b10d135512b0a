/* Generation, on a tiny random model whose tokens are single bytes: it writes broken UTF-8, which
 * the stream has to mend. */
#include "llama_check.h"

#include "engine/model.h"
#include "engine/sample.h"

#include <glib/gstdio.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* ---- generation ---- */

typedef struct {
    engine_model *model;
    engine_pool *pool;
} fixture;

static int
set_up(void **state)
{
    static fixture f;
    f.model = open_model(LODE_TEST_DATA "/engine/llama_gguf");
    f.pool = engine_pool_new(2);
    *state = &f;
    return 0;
}

static int
tear_down(void **state)
{
    fixture *f = *state;
    engine_pool_free(f->pool);
    engine_model_free(f->model);
    return 0;
}

static const int32_t PROMPT[] = {256, 40, 80, 120, 33, 7, 200, 11};
enum { N_PROMPT = G_N_ELEMENTS(PROMPT) };

typedef struct {
    GString *heard;
    guint calls, stop_after; /* 0: never */
    int *cancel;             /* raised at stop_after instead, when not NULL */
} listener;

static gboolean
hear(const char *text, size_t len, void *user_data)
{
    listener *l = user_data;
    assert_true(len > 0);
    assert_true(g_utf8_validate_len(text, len, NULL) || memchr(text, 0, len));
    g_string_append_len(l->heard, text, (gssize)len);
    l->calls++;
    if (l->stop_after == 0 || l->calls < l->stop_after) return TRUE;
    if (!l->cancel) return FALSE;
    *l->cancel = 1;
    return TRUE;
}

/* Generate in a fresh session; text must equal what the callback heard. */
static GString *
generate(const fixture *f, const engine_generate_options *options, listener *l,
         engine_generate_result *result)
{
    g_autoptr(engine_session) session = new_session(f->model, f->pool, 512);
    g_autoptr(GString) heard = g_string_new(NULL);
    g_autoptr(GError) error = NULL;
    listener own = {.heard = heard};
    GString *text = g_string_new(NULL);

    if (l) own.stop_after = l->stop_after, own.cancel = l->cancel;
    if (!engine_generate(session, PROMPT, N_PROMPT, options, hear, &own, text, result, &error))
        fail_msg("%s", error->message);
    assert_int_equal(result->n_prompt, N_PROMPT);
    assert_int_equal(text->len, heard->len);
    assert_memory_equal(text->str, heard->str, text->len);
    return text;
}

static engine_generate_options
wild(uint64_t seed)
{
    engine_generate_options options = engine_generate_options_default();
    options.temperature = 3.0f; /* near uniform bytes */
    options.seed = seed;
    options.max_tokens = 120;
    return options;
}

static void
a_seed_gives_one_text_and_seeds_differ(void **state)
{
    engine_generate_result result;
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (uint64_t seed = 0; seed < 8; seed++) {
        const engine_generate_options options = wild(seed);
        g_autoptr(GString) first = generate(*state, &options, NULL, &result);
        g_autoptr(GString) again = generate(*state, &options, NULL, &result);
        assert_true(g_string_equal(first, again));
        g_hash_table_add(seen, g_strdup(first->str));
    }
    assert_true(g_hash_table_size(seen) >= 7);
}

static void
every_way_to_end_has_its_reason(void **state)
{
    engine_generate_result result;
    engine_generate_options options = engine_generate_options_default();
    gboolean eos = FALSE;

    options.max_tokens = 5;
    g_autoptr(GString) text = generate(*state, &options, NULL, &result);
    assert_in_range(text->len, 1, 15); /* a byte, or U+FFFD for it */
    assert_int_equal(result.reason, ENGINE_STOP_LENGTH);
    assert_int_equal(result.n_generated, 5);
    options.max_tokens = 0;
    g_autoptr(GString) nothing = generate(*state, &options, NULL, &result);
    assert_int_equal(result.reason, ENGINE_STOP_LENGTH);
    assert_int_equal(nothing->len, 0);
    for (uint64_t seed = 0; seed < 100 && !eos; seed++) {
        options = wild(seed);
        g_autoptr(GString) some = generate(*state, &options, NULL, &result);
        assert_true(some->len <= 3 * (gsize)result.n_generated);
        eos = result.reason == ENGINE_STOP_EOS;
        if (eos)
            assert_true(result.n_generated < 120);
        else
            assert_int_equal(result.n_generated, 120);
    }
    assert_true(eos);
    options = wild(1);
    options.max_tokens = 100000;
    options.temperature = 0.0f;
    g_autoptr(GString) full = generate(*state, &options, NULL, &result);
    assert_true(full->len > 0);
    if (result.reason == ENGINE_STOP_CONTEXT)
        assert_int_equal(result.n_generated, 512 - N_PROMPT + 1);
    else
        assert_int_equal(result.reason, ENGINE_STOP_EOS);
}

static void
cancelling_and_refusing_stop_at_once(void **state)
{
    engine_generate_result result;
    engine_generate_options options = wild(3);
    int cancel = 1;

    options.cancel = &cancel;
    g_autoptr(GString) nothing = generate(*state, &options, NULL, &result);
    assert_int_equal(result.reason, ENGINE_STOP_CANCELLED);
    assert_int_equal(nothing->len + result.n_generated, 0);
    cancel = 0;
    listener later = {.stop_after = 3, .cancel = &cancel};
    g_autoptr(GString) some = generate(*state, &options, &later, &result);
    assert_int_equal(result.reason, ENGINE_STOP_CANCELLED);
    options.cancel = NULL;
    listener refuser = {.stop_after = 3};
    g_autoptr(GString) refused = generate(*state, &options, &refuser, &result);
    assert_int_equal(result.reason, ENGINE_STOP_CALLBACK);
    assert_true(g_str_has_prefix(some->str, refused->str));
    /* what was held back when the callback refused is not delivered */
    g_autoptr(GString) whole = generate(*state,
                                        &(engine_generate_options){.max_tokens = 120,
                                                                   .temperature = 3.0f,
                                                                   .seed = 3,
                                                                   .top_p = 1.0f,
                                                                   .repeat_penalty = 1.0f},
                                        NULL, &result);
    assert_true(g_str_has_prefix(whole->str, refused->str));
}

static void
stop_strings_end_the_text_before_themselves(void **state)
{
    engine_generate_result result;
    guint n_stopped = 0;

    for (uint64_t seed = 0; seed < 6; seed++) {
        engine_generate_options options = wild(seed);
        g_autoptr(GString) whole = generate(*state, &options, NULL, &result);
        /* ASCII runs of the text itself, of length 1..3, wherever they are */
        for (gsize at = 0; at + 3 < whole->len; at += 5) {
            char stop[4] = {0};
            const gsize len = 1 + at % 3;
            memcpy(stop, whole->str + at, len);
            if (strlen(stop) != len || !g_str_is_ascii(stop)) continue;
            const char *const stops[] = {"never in any text", "", stop, NULL};
            options.stop = stops;
            const char *first = memmem(whole->str, whole->len, stop, len);
            g_autoptr(GString) cut = generate(*state, &options, NULL, &result);
            assert_int_equal(result.reason, ENGINE_STOP_STRING);
            /* a character that the stop string cuts short is dropped, so compare from the front */
            assert_true(cut->len <= (gsize)(first - whole->str));
            assert_memory_equal(cut->str, whole->str, cut->len);
            assert_true((gsize)(first - whole->str) - cut->len <= 3);
            n_stopped++;
        }
    }
    assert_true(n_stopped > 20);
}

static void
a_shared_beginning_is_reused_without_a_trace(void **state)
{
    const fixture *f = *state;
    g_autoptr(engine_session) session = new_session(f->model, f->pool, 512);
    engine_generate_options options = wild(9);
    engine_generate_result result;
    static const int32_t prompts[][6] = {
        {1, 2, 3, 4, 5, 6}, {1, 2, 3, 9, 9, 9}, {1, 2, 3, 9, 9, 9}, {7, 2, 3, 4, 5, 6}};

    options.max_tokens = 30;
    for (size_t i = 0; i < G_N_ELEMENTS(prompts); i++) {
        g_autoptr(engine_session) fresh = new_session(f->model, f->pool, 512);
        g_autoptr(GString) reused = g_string_new(NULL), clean = g_string_new(NULL);
        assert_true(
            engine_generate(session, prompts[i], 6, &options, NULL, NULL, reused, &result, NULL));
        assert_true(
            engine_generate(fresh, prompts[i], 6, &options, NULL, NULL, clean, &result, NULL));
        assert_true(g_string_equal(reused, clean));
        assert_int_equal(engine_session_n_past(session), engine_session_n_past(fresh));
    }
}

/* ---- grammars ---- */

typedef struct {
    GArray *ids;
    GString *bytes, *text;
    double logprob;
} token_log;

static gboolean
log_token(const engine_token_event *event, void *user_data)
{
    token_log *log = user_data;
    g_string_append_len(log->text, event->text, (gssize)event->len);
    if (event->id < 0) return TRUE;
    g_array_append_val(log->ids, event->id);
    g_string_append_len(log->bytes, event->bytes, (gssize)event->n_bytes);
    log->logprob += (double)event->logprob;
    return TRUE;
}

/* Text held to a grammar; with_logprobs keeps the engine from running ahead where there is no choice. */
static GString *
generate_held(const fixture *f, const engine_grammar *grammar, uint64_t seed, uint32_t n_draft,
              gboolean with_logprobs, GArray *ids, engine_generate_result *result)
{
    engine_session_options how = engine_session_options_default();
    how.n_context = 512;
    how.n_draft = n_draft;
    g_autoptr(GError) error = NULL;
    g_autoptr(engine_session) session = engine_session_open(f->model, f->pool, &how, &error);
    engine_generate_options options = wild(seed);
    g_autoptr(GString) bytes = g_string_new(NULL), events = g_string_new(NULL);
    token_log log = {ids, bytes, events, 0.0};
    GString *text = g_string_new(NULL);

    assert_non_null(session);
    options.grammar = grammar;
    options.max_tokens = 400;
    options.logprobs = with_logprobs;
    options.n_top = with_logprobs ? 3 : 0;
    options.on_token = log_token;
    options.on_token_data = &log;
    if (!engine_generate(session, PROMPT, N_PROMPT, &options, NULL, NULL, text, result, &error))
        fail_msg("%s", error->message);
    /* tokens add up to the text, and the callback heard all of it */
    assert_true(g_string_equal(events, text));
    assert_true(g_string_equal(bytes, text));
    assert_int_equal(ids->len, result->n_generated);
    assert_true(!with_logprobs || log.logprob < 0.0);
    return text;
}

static void
a_grammar_holds_whatever_the_way_of_running(void **state)
{
    const fixture *f = *state;
    g_autoptr(GError) error = NULL;
    g_autoptr(engine_grammar) grammar = engine_grammar_new_from_json_schema(
        f->model,
        "{\"type\":\"object\",\"properties\":{\"method\":{\"enum\":[\"first\",\"second\"]},"
        "\"temperature\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":999},"
        "\"note\":{\"type\":\"string\",\"maxLength\":9}},\"required\":[\"method\","
        "\"temperature\",\"note\"]}",
        &error);
    if (!grammar) fail_msg("%s", error->message);
    for (uint64_t seed = 0; seed < 12; seed++) {
        g_autoptr(GArray) ahead = g_array_new(FALSE, FALSE, sizeof(int32_t));
        g_autoptr(GArray) single = g_array_new(FALSE, FALSE, sizeof(int32_t));
        g_autoptr(GArray) drafted = g_array_new(FALSE, FALSE, sizeof(int32_t));
        engine_generate_result result;
        g_autoptr(GString) a = generate_held(f, grammar, seed, 0, FALSE, ahead, &result);
        assert_int_equal(result.reason, ENGINE_STOP_EOS);
        g_autoptr(GString) b = generate_held(f, grammar, seed, 0, TRUE, single, &result);
        g_autoptr(GString) c = generate_held(f, grammar, seed, 4, FALSE, drafted, &result);
        assert_true(g_regex_match_simple(
            "^\\{\\s*\"method\":\\s*\"(first|second)\",\\s*\"temperature\":\\s*[1-9][0-9]{0,2},"
            "\\s*\"note\":\\s*\".*\"\\s*\\}$",
            a->str, G_REGEX_DOTALL | G_REGEX_DOLLAR_ENDONLY, 0));
        assert_true(g_string_equal(a, b) && g_string_equal(a, c));
        assert_int_equal(ahead->len, single->len);
        assert_memory_equal(ahead->data, single->data, ahead->len * sizeof(int32_t));
        assert_int_equal(ahead->len, drafted->len);
        assert_memory_equal(ahead->data, drafted->data, ahead->len * sizeof(int32_t));
    }
}

static void
samplers_with_a_grammar_go_back_and_are_copied(void **state)
{
    const fixture *f = *state;
    g_autoptr(engine_grammar) grammar =
        engine_grammar_new(f->model, "root ::= \"x\"{5} [a-c]{2,9} (\"!\" | \"?!\")", NULL);
    const engine_model_info *info = engine_model_get_info(f->model);
    g_autofree float *logits = g_new0(float, info->n_vocab);
    engine_generate_options options = wild(1);
    int32_t written[32];
    size_t n = 0;

    options.grammar = grammar;
    options.min_tokens = 1000; /* gives way where only the end is left */
    g_autoptr(engine_sampler) sampler =
        engine_sampler_new(info->n_vocab, f->model->tokenizer, &options, NULL);
    assert_non_null(sampler);
    assert_int_equal(engine_sampler_forced(sampler), 'x');
    g_autoptr(GString) forced = g_string_new(NULL);
    engine_sampler_forced_text(sampler, 99, forced);
    assert_string_equal(forced->str, "xxxxx");
    assert_false(engine_sampler_accept(sampler, 'y'));
    assert_false(engine_sampler_allows(sampler, info->eos));
    for (;; n++) {
        const int32_t token = engine_sampler_sample(sampler, logits);
        g_autoptr(engine_sampler) copy = engine_sampler_clone(sampler, NULL);
        assert_int_equal(engine_sampler_sample(copy, logits), token);
        assert_true(engine_sampler_allows(sampler, token));
        if (engine_sampler_ends_text(sampler, token)) break;
        assert_true(n < G_N_ELEMENTS(written));
        written[n] = token;
        assert_true(engine_sampler_accept(sampler, token));
        assert_false(engine_sampler_is_complete(copy));
    }
    assert_true(engine_sampler_is_complete(sampler));
    assert_in_range(n, 8, 16);
    engine_sampler_rewind(sampler, n - 3);
    for (size_t i = 3; i < n; i++) {
        assert_int_equal(engine_sampler_sample(sampler, logits), written[i]);
        assert_true(engine_sampler_accept(sampler, written[i]));
    }
    engine_sampler_reset(sampler, PROMPT, N_PROMPT);
    assert_int_equal(engine_sampler_sample(sampler, logits), 'x');
}

static void
a_grammar_of_another_model_is_refused(void **state)
{
    const fixture *f = *state;
    g_autoptr(engine_model) other = open_model(LODE_TEST_DATA "/engine/llama_gguf");
    g_autoptr(engine_grammar) grammar = engine_grammar_new(other, "root ::= \"x\"", NULL);
    g_autoptr(engine_session) session = new_session(f->model, f->pool, 64);
    engine_generate_options options = engine_generate_options_default();
    g_autoptr(GError) error = NULL;
    options.grammar = grammar;
    assert_false(
        engine_generate(session, PROMPT, N_PROMPT, &options, NULL, NULL, NULL, NULL, &error));
    assert_int_equal(error->code, ENGINE_ERROR_ARGUMENT);
}

static void
impossible_prompts_are_errors(void **state)
{
    const fixture *f = *state;
    g_autoptr(engine_session) session = new_session(f->model, f->pool, 4);
    g_autoptr(GError) error = NULL;
    const int32_t bad[2] = {1, 5000};

    assert_false(engine_generate(session, PROMPT, 0, NULL, NULL, NULL, NULL, NULL, &error));
    assert_int_equal(error->code, ENGINE_ERROR_ARGUMENT);
    g_clear_error(&error);
    assert_false(engine_generate(session, PROMPT, 5, NULL, NULL, NULL, NULL, NULL, &error));
    assert_int_equal(error->code, ENGINE_ERROR_LIMIT);
    g_clear_error(&error);
    assert_false(engine_generate(session, bad, 2, NULL, NULL, NULL, NULL, NULL, &error));
    assert_int_equal(error->code, ENGINE_ERROR_ARGUMENT);
    g_clear_error(&error);
    assert_true(engine_generate(session, PROMPT, 4, NULL, NULL, NULL, NULL, NULL, &error));
}

/* ---- thoughts ---- */

enum { THINK_CLOSE = 259, THINK_OPEN = 260 };

/* Write `to` where the file says `from`, both as GGUF has strings; all names together keep their length. */
static void
rename_token(GByteArray *file, const char *from, const char *to)
{
    g_autoptr(GByteArray) old = g_byte_array_new(), new = g_byte_array_new();
    const uint64_t n_old = strlen(from), n_new = strlen(to);

    g_byte_array_append(old, (const guint8 *)&n_old, sizeof n_old);
    g_byte_array_append(old, (const guint8 *)from, (guint)n_old);
    g_byte_array_append(new, (const guint8 *)&n_new, sizeof n_new);
    g_byte_array_append(new, (const guint8 *)to, (guint)n_new);
    const guint8 *at = memmem(file->data, file->len, old->data, old->len);
    assert_non_null(at);
    g_autoptr(GByteArray) whole = g_byte_array_new();
    const guint before = (guint)(at - file->data);
    g_byte_array_append(whole, file->data, before);
    g_byte_array_append(whole, new->data, new->len);
    g_byte_array_append(whole, at + old->len, file->len - before - old->len);
    g_byte_array_set_size(file, 0);
    g_byte_array_append(file, whole->data, whole->len);
}

/* The tiny model with tokens to open and close thoughts. */
static engine_model *
thinking_model(void)
{
    g_autofree char *data = NULL, *folder = g_dir_make_tmp("lode-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "model.gguf", NULL);
    g_autoptr(GByteArray) file = g_byte_array_new();
    gsize len = 0;

    assert_true(
        g_file_get_contents(LODE_TEST_DATA "/engine/llama_gguf/model.gguf", &data, &len, NULL));
    g_byte_array_append(file, (const guint8 *)data, (guint)len);
    rename_token(file, "<|unused0|>", "</think>");
    rename_token(file, "<|unused1|>", "<think>");
    rename_token(file, "<|unused2|>", "<|unused2.......|>");
    assert_int_equal(file->len, len);
    assert_true(g_file_set_contents(path, (const char *)file->data, (gssize)file->len, NULL));
    engine_model *model = open_model(path);
    g_unlink(path);
    g_rmdir(folder);
    return model;
}

/* Counts tokens up to "</think>". */
typedef struct {
    size_t n, n_open, n_before_close;
    gboolean closed;
} thoughts;

static gboolean
follow(const engine_token_event *event, void *user_data)
{
    thoughts *t = user_data;

    if (event->id < 0) return TRUE;
    t->n_open += event->id == THINK_OPEN && !t->closed;
    if (event->id == THINK_CLOSE) t->closed = TRUE;
    t->n_before_close += !t->closed;
    t->n++;
    return TRUE;
}

static void
a_grammar_holds_behind_thoughts_of_a_budget(void **state)
{
    const fixture *f = *state;
    static const int32_t open_prompt[] = {256, 40, THINK_CLOSE, 80, THINK_OPEN, 33};
    g_autoptr(engine_model) model = thinking_model();
    g_autoptr(engine_grammar) grammar =
        engine_grammar_new(model, "root ::= [ab]{3} \" \" [xyz]{4}", NULL);

    assert_non_null(grammar);
    for (uint32_t kind = 0; kind < 12; kind++) {
        const gboolean opened = kind % 2 == 0, logprobs = kind % 3 == 0;
        g_autoptr(GError) error = NULL;
        g_autoptr(GString) text = g_string_new(NULL);
        g_autoptr(engine_session) session = new_session(model, f->pool, 256);
        engine_generate_options options = wild(kind);
        engine_generate_result result;
        thoughts seen = {0};
        options.grammar = grammar;
        options.think_first = TRUE;
        options.think_budget = 7;
        options.with_special = TRUE;
        options.logprobs = logprobs;
        options.on_token = follow;
        options.on_token_data = &seen;
        if (!engine_generate(session, opened ? open_prompt : PROMPT, 6, &options, NULL, NULL, text,
                             &result, &error))
            fail_msg("%s", error->message);
        const char *close = memmem(text->str, text->len, "</think>", 8);
        assert_true(seen.closed && close != NULL);
        assert_true(seen.n_before_close <= 7 + !opened);
        if (!opened) assert_true(g_str_has_prefix(text->str, "<think>"));
        assert_true(g_regex_match_simple("^[ab]{3} [xyz]{4}$", close + 8, 0, 0));
        assert_int_equal(result.reason, ENGINE_STOP_EOS);
    }
}

static void
thoughts_of_a_sampler_go_back(void **state)
{
    (void)state;
    g_autoptr(engine_model) model = thinking_model();
    g_autoptr(engine_grammar) grammar = engine_grammar_new(model, "root ::= \"abab\"", NULL);
    engine_generate_options options = engine_generate_options_default();
    static const int32_t a = 'a', b = 'b'; /* a token for each byte */

    options.grammar = grammar;
    options.think_first = TRUE;
    options.think_budget = 3;
    g_autoptr(engine_sampler) s =
        engine_sampler_new(engine_model_get_info(model)->n_vocab, model->tokenizer, &options, NULL);
    engine_sampler_reset(s, PROMPT, 2);
    assert_int_equal(engine_sampler_forced(s), THINK_OPEN);
    assert_true(engine_sampler_accept(s, THINK_OPEN));
    assert_int_equal(engine_sampler_forced(s), -1);
    assert_true(engine_sampler_accept(s, b) && engine_sampler_accept(s, b));
    assert_true(engine_sampler_allows(s, b));
    assert_true(engine_sampler_accept(s, b));
    assert_int_equal(engine_sampler_forced(s), THINK_CLOSE);
    engine_sampler_rewind(s, 1);
    assert_true(engine_sampler_accept(s, THINK_CLOSE));
    assert_false(engine_sampler_allows(s, b));
    assert_true(engine_sampler_accept(s, a));
    assert_false(engine_sampler_accept(s, a));
    assert_true(engine_sampler_accept(s, b));
    engine_sampler_rewind(s, 3);
    assert_true(engine_sampler_allows(s, b));
    assert_true(engine_sampler_accept(s, THINK_CLOSE));
    assert_false(engine_sampler_accept(s, b));
    assert_true(engine_sampler_accept(s, a));
    engine_sampler_rewind(s, 5);
    assert_int_equal(engine_sampler_forced(s), THINK_OPEN);
}

static void
a_model_without_thoughts_says_so(void **state)
{
    const fixture *f = *state;
    g_autoptr(engine_session) session = new_session(f->model, f->pool, 64);
    g_autoptr(GError) error = NULL;
    engine_generate_options options = engine_generate_options_default();

    options.think_budget = 3;
    assert_false(engine_generate(session, PROMPT, 4, &options, NULL, NULL, NULL, NULL, &error));
    assert_true(g_error_matches(error, ENGINE_ERROR, ENGINE_ERROR_UNSUPPORTED));
}

/* ---- many at once ---- */

enum { N_JOBS = 7 };

typedef struct {
    GString *texts[N_JOBS];
    engine_generate_result results[N_JOBS];
    gboolean failed[N_JOBS];
    size_t n;
} outcomes;

static void
remember(size_t index, const GString *text, const engine_generate_result *result,
         const GError *error, void *user_data)
{
    outcomes *o = user_data;
    assert_null(o->texts[index]);
    o->texts[index] = g_string_new_len(text->str, (gssize)text->len);
    o->results[index] = *result;
    o->failed[index] = error != NULL;
    o->n++;
}

/* Prompts of 3 to 8 tokens, options of several kinds; the last but one is refused. */
static void
make_jobs(const fixture *f, engine_generate_job *jobs, engine_generate_options *options,
          engine_grammar **grammar)
{
    static const char *const stop[] = {"e", NULL};

    *grammar = engine_grammar_new(f->model, "root ::= [ab]{3} \" \" (\"xyz\" | \"q\"){9}", NULL);
    for (size_t i = 0; i < N_JOBS; i++) {
        options[i] = wild(i);
        jobs[i] = (engine_generate_job){.prompt = PROMPT, .n = 3 + i % 6, .options = &options[i]};
    }
    options[1].temperature = 0.0f; /* repeats itself: guesses hold */
    options[2].grammar = *grammar;
    options[3].stop = stop;
    options[4].max_tokens = 1;
    jobs[4].n_context = 8;
    jobs[5].n = 0;
    options[6].max_tokens = 50;
    jobs[6].n_context = 20;
}

static void
texts_of_a_batch_are_those_written_alone(void **state)
{
    const fixture *f = *state;
    engine_generate_job jobs[N_JOBS];
    engine_generate_options options[N_JOBS];
    engine_grammar *grammar = NULL;

    make_jobs(f, jobs, options, &grammar);
    for (uint32_t n_sequences = 1; n_sequences <= 8; n_sequences += 3) {
        for (uint32_t n_draft = 0; n_draft <= 6; n_draft += 3) {
            outcomes o = {0};
            g_autoptr(GError) error = NULL;
            engine_batch_options how = engine_batch_options_default();
            how.n_sequences = n_sequences;
            how.n_draft = n_draft;
            how.kv_type = ENGINE_KV_F32; /* as new_session's */
            g_autoptr(engine_batch) batch = engine_batch_new(f->model, f->pool, &how, &error);
            if (!batch || !engine_generate_batch(batch, jobs, N_JOBS, remember, &o, &error))
                fail_msg("%s", error->message);
            assert_int_equal(o.n, N_JOBS);
            for (size_t i = 0; i < N_JOBS; i++) {
                engine_generate_result alone = {0};
                g_autoptr(GString) text = g_string_new(NULL);
                assert_true(o.failed[i] == (i == 5));
                const uint32_t n_context = jobs[i].n_context > 0
                                               ? jobs[i].n_context
                                               : (uint32_t)jobs[i].n + options[i].max_tokens;
                g_autoptr(engine_session) session = new_session(f->model, f->pool, n_context);
                assert_true(engine_generate(session, PROMPT, jobs[i].n, &options[i], NULL, NULL,
                                            text, &alone, NULL) == (i != 5));
                assert_true(g_string_equal(text, o.texts[i]));
                if (i != 5) assert_int_equal(o.results[i].reason, alone.reason);
                assert_int_equal(o.results[i].n_generated, alone.n_generated);
                g_string_free(o.texts[i], TRUE);
            }
            const engine_batch_stats stats = engine_batch_get_stats(batch);
            assert_true((stats.n_accepted > 0) == (n_draft > 0));
            assert_int_equal(engine_batch_n_unfinished(batch), 0);
        }
    }
    engine_grammar_free(grammar);
}

static void
a_batch_that_is_cancelled_keeps_what_was_written(void **state)
{
    const fixture *f = *state;
    int cancel = 0;
    g_autoptr(GString) heard = g_string_new(NULL);
    listener l = {.heard = heard, .stop_after = 5, .cancel = &cancel};
    engine_generate_options options = wild(1);
    engine_generate_job jobs[3];
    outcomes o = {0};

    options.cancel = &cancel;
    for (size_t i = 0; i < 3; i++)
        jobs[i] = (engine_generate_job){.prompt = PROMPT, .n = 5, .options = &options};
    jobs[0].callback = hear;
    jobs[0].user_data = &l;
    engine_batch_options how = engine_batch_options_default();
    how.n_sequences = 2;
    g_autoptr(engine_batch) batch = engine_batch_new(f->model, f->pool, &how, NULL);
    assert_true(engine_generate_batch(batch, jobs, 3, remember, &o, NULL));
    assert_int_equal(o.n, 3);
    assert_true(o.texts[0]->len > 0);
    assert_true(g_string_equal(o.texts[0], heard));
    assert_int_equal(o.texts[2]->len, 0);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(o.results[i].reason, ENGINE_STOP_CANCELLED);
        g_string_free(o.texts[i], TRUE);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_seed_gives_one_text_and_seeds_differ),
        cmocka_unit_test(every_way_to_end_has_its_reason),
        cmocka_unit_test(cancelling_and_refusing_stop_at_once),
        cmocka_unit_test(stop_strings_end_the_text_before_themselves),
        cmocka_unit_test(a_shared_beginning_is_reused_without_a_trace),
        cmocka_unit_test(a_grammar_holds_whatever_the_way_of_running),
        cmocka_unit_test(samplers_with_a_grammar_go_back_and_are_copied),
        cmocka_unit_test(a_grammar_of_another_model_is_refused),
        cmocka_unit_test(impossible_prompts_are_errors),
        cmocka_unit_test(a_grammar_holds_behind_thoughts_of_a_budget),
        cmocka_unit_test(thoughts_of_a_sampler_go_back),
        cmocka_unit_test(a_model_without_thoughts_says_so),
        cmocka_unit_test(texts_of_a_batch_are_those_written_alone),
        cmocka_unit_test(a_batch_that_is_cancelled_keeps_what_was_written),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
