#include "pipelines/generate_prompts.h"

#include <stdio.h>
#include <string.h>

#include "pipelines/cli.h"
#include "pipelines/generate_reply.h"
#include "pipelines/messages.h"

/* A line, and what became of it. */
typedef struct {
    json_t *id;                   /* NULL: none given */
    pipelines_messages *messages; /* NULL: the prompt is text to go on with */
    char *rendered;               /* the messages in the model's format */
    GArray *tokens;               /* int32_t */
    uint32_t n_context;
    engine_generate_options options;
    generate_reply reply;
    engine_generate_result result;
    char *error; /* NULL: none */
    gboolean done;
} text;

typedef struct {
    const generate_prompts_options *options;
    GPtrArray *texts; /* text, owned, by line */
    GArray *of_job;   /* guint: the number of a job's text */
    size_t n_printed;
    generate_prompts_stats *stats;
} run;

static void
free_text(gpointer data)
{
    text *t = data;
    json_decref(t->id);
    pipelines_messages_free(t->messages);
    generate_reply_clear(&t->reply);
    g_array_unref(t->tokens);
    g_free(t->rendered);
    g_free(t->error);
    g_free(t);
}

/* ---- reading ---- */

gboolean
generate_line_parse(const char *json, size_t len, generate_line *line, GError **error)
{
    json_error_t where;

    *line = (generate_line){
        .json = json_loadb(json, len, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &where)};
    if (line->json == NULL) {
        g_set_error(error, PIPELINES_ERROR, LODE_ERROR_FORMAT, "no JSON: %s", where.text);
        return FALSE;
    }
    const json_t *given =
        json_is_string(line->json) ? line->json : json_object_get(line->json, "prompt");
    line->id = json_object_get(line->json, "id");
    line->prompt = json_string_value(given);
    line->len = json_string_length(given);
    line->system = json_string_value(json_object_get(line->json, "system"));
    if ((line->prompt != NULL) != (json_object_get(line->json, "messages") != NULL)) return TRUE;
    g_set_error_literal(error, PIPELINES_ERROR, LODE_ERROR_FORMAT,
                        "a string, or an object with \"prompt\" or \"messages\"");
    return FALSE;
}

void
generate_lines_each(const char *lines, size_t len,
                    void (*each)(const char *line, size_t len, void *user_data), void *user_data)
{
    for (const char *p = lines, *end = lines + len; p < end;) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        const size_t n = stop != NULL ? (size_t)(stop - p) : (size_t)(end - p);
        const char *word = p;
        while (word < p + n && strchr(" \t\r", *word) != NULL)
            word++;
        if (word < p + n) each(p, n, user_data);
        p += n + 1;
    }
}

static gboolean
read_messages(const run *r, text *t, const generate_line *line, GError **error)
{
    const char *system = line->system != NULL ? line->system : r->options->system;
    engine_chat_options chat = engine_chat_options_default();

    t->messages = pipelines_messages_new();
    if (system != NULL) pipelines_messages_add(t->messages, "system", system);
    if (line->prompt != NULL) {
        pipelines_messages_add(t->messages, "user", line->prompt);
    } else {
        g_autofree char *json = pipelines_json_line(line->json);
        if (!pipelines_messages_parse(t->messages, json, strlen(json), error)) return FALSE;
    }
    chat.tools = t->messages->tools;
    chat.thinking = r->options->thinking;
    t->rendered = engine_chat_render(r->options->model,
                                     (const engine_message *)(void *)t->messages->list->data,
                                     t->messages->list->len, &chat, error);
    return t->rendered != NULL;
}

static gboolean
read_prompt(const run *r, text *t, const generate_line *line, GError **error)
{
    const engine_model *model = r->options->model;

    if (!r->options->chat && line->prompt != NULL) {
        engine_tokenize(model, line->prompt, line->len, ENGINE_TOKENIZE_ADD_SPECIAL, t->tokens);
    } else {
        if (!read_messages(r, t, line, error)) return FALSE;
        engine_tokenize(model, t->rendered, strlen(t->rendered), ENGINE_TOKENIZE_PARSE_SPECIAL,
                        t->tokens);
    }
    if (t->tokens->len > 0) return TRUE;
    g_set_error_literal(error, PIPELINES_ERROR, LODE_ERROR_ARGUMENT, "the prompt is empty");
    return FALSE;
}

static void
read_line(const char *json, size_t len, void *user_data)
{
    run *r = user_data;
    const uint32_t trained = engine_model_get_info(r->options->model)->n_context;
    g_autoptr(GError) error = NULL;
    generate_line line;
    text *t = g_new0(text, 1);

    g_ptr_array_add(r->texts, t);
    t->tokens = g_array_new(FALSE, FALSE, sizeof(int32_t));
    t->options = r->options->options;
    generate_reply_init(&t->reply, r->options->model, NULL, NULL);
    const gboolean good =
        generate_line_parse(json, len, &line, &error) && read_prompt(r, t, &line, &error);
    t->id = json_incref((json_t *)line.id);
    json_decref(line.json);
    if (!good) {
        t->error = g_strdup(error->message);
        return;
    }
    const uint32_t wanted = t->tokens->len + MIN(t->options.max_tokens, G_MAXUINT32 >> 1);
    t->n_context = r->options->n_context > 0 ? r->options->n_context
                   : trained > 0             ? MIN(wanted, trained)
                                             : wanted;
    if (t->messages == NULL)
        t->options.think_first = FALSE;
    else if (t->options.grammar == NULL || t->options.think_first)
        generate_reply_expect_turn(&t->reply, t->rendered, t->messages->tools, &t->options);
    if (t->options.logprobs) {
        t->options.on_token = generate_reply_on_token;
        t->options.on_token_data = &t->reply;
    }
}

/* ---- writing ---- */

static void
print_text(const run *r, const text *t, size_t index)
{
    const generate_prompts_options *options = r->options;
    g_autoptr(json_t) json = json_pack("{s:I}", "index", (json_int_t)index);

    if (t->id != NULL) json_object_set(json, "id", t->id);
    if (t->error != NULL) {
        json_object_set_new(json, "error", json_string(t->error));
    } else {
        generate_reply_to_json(&t->reply, options->options.logprobs, json);
        generate_result_to_json(&t->result, options->batch.n_draft > 0, FALSE, json);
    }
    cli_print_json_line(json);
}

/* What is done and has nothing unfinished before it. */
static void
print_ready(run *r)
{
    for (; r->n_printed < r->texts->len; r->n_printed++) {
        const text *t = g_ptr_array_index(r->texts, r->n_printed);
        if (!t->done && t->error == NULL) return;
        print_text(r, t, r->n_printed);
        r->stats->n_failed += t->error != NULL;
        if (r->options->done != NULL)
            r->options->done(r->n_printed + 1, r->texts->len, r->options->user_data);
    }
}

/* An engine_text_callback. */
static gboolean
on_text(const char *piece, size_t len, void *user_data)
{
    text *t = user_data;
    generate_reply_feed(&t->reply, piece, len);
    return !ferror(stdout);
}

/* An engine_job_callback. */
static void
on_done(size_t job, const GString *written, const engine_generate_result *result,
        const GError *error, void *user_data)
{
    run *r = user_data;
    text *t = g_ptr_array_index(r->texts, g_array_index(r->of_job, guint, job));

    (void)written;
    generate_reply_finish(&t->reply);
    t->result = *result;
    t->error = error != NULL ? g_strdup(error->message) : NULL;
    t->done = TRUE;
    r->stats->n_read += result->n_prompt - MIN(result->n_reused, result->n_prompt);
    r->stats->n_written += result->n_generated;
    print_ready(r);
}

/* Every text could be the longest. */
static gboolean
open_batch(const run *r, size_t n_jobs, engine_batch **batch, GError **error)
{
    const generate_prompts_options *options = r->options;
    engine_batch_options how = options->batch;

    for (guint i = 0; i < r->texts->len; i++)
        how.n_context = MAX(how.n_context, ((text *)g_ptr_array_index(r->texts, i))->n_context);
    how.n_sequences = (uint32_t)MIN(how.n_sequences, n_jobs);
    *batch = engine_batch_new(options->model, options->pool, &how, error);
    return *batch != NULL;
}

static gboolean
write_texts(run *r, GError **error)
{
    g_autoptr(GArray) jobs = g_array_new(FALSE, FALSE, sizeof(engine_generate_job));
    g_autoptr(engine_batch) batch = NULL;

    for (guint i = 0; i < r->texts->len; i++) {
        text *t = g_ptr_array_index(r->texts, i);
        const engine_generate_job job = {.prompt = (const int32_t *)(void *)t->tokens->data,
                                         .n = t->tokens->len,
                                         .n_context = t->n_context,
                                         .options = &t->options,
                                         .callback = on_text,
                                         .user_data = t};
        if (t->error != NULL) continue;
        g_array_append_val(jobs, job);
        g_array_append_val(r->of_job, i);
    }
    print_ready(r);
    if (jobs->len == 0) return TRUE;
    if (!open_batch(r, jobs->len, &batch, error)) return FALSE;
    const gint64 start = g_get_monotonic_time();
    const gboolean ok = engine_generate_batch(
        batch, (const engine_generate_job *)(void *)jobs->data, jobs->len, on_done, r, error);
    r->stats->seconds = (double)(g_get_monotonic_time() - start) / G_USEC_PER_SEC;
    r->stats->batch = engine_batch_get_stats(batch);
    return ok;
}

gboolean
generate_prompts(const generate_prompts_options *options, const char *lines, size_t len,
                 generate_prompts_stats *stats, GError **error)
{
    g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(free_text);
    g_autoptr(GArray) of_job = g_array_new(FALSE, FALSE, sizeof(guint));
    run r = {.options = options, .texts = texts, .of_job = of_job, .stats = stats};

    *stats = (generate_prompts_stats){0};
    generate_lines_each(lines, len, read_line, &r);
    stats->n = texts->len;
    if (texts->len == 0) {
        g_set_error_literal(error, PIPELINES_ERROR, LODE_ERROR_ARGUMENT, "no prompts");
        return FALSE;
    }
    return write_texts(&r, error);
}
