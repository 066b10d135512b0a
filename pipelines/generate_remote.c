/* lode generate --endpoint: a text by a model behind an endpoint. */
#include "pipelines/generate_remote.h"

#include <stdio.h>
#include <string.h>

#include "pipelines/generate_prompts.h"
#include "pipelines/generate_reply.h"
#include "pipelines/writer.h"

static int
on_text(const char *text, size_t len, void *user_data)
{
    char *last = user_data;
    cli_write(text, len);
    fflush(stdout);
    if (len > 0) *last = text[len - 1];
    return !ferror(stdout);
}

/* As lode generate --json tells of a local model's. */
static void
reply_to_json(const engine_remote_reply *reply, json_t *into)
{
    json_object_set_new(into, "text", pipelines_json_string(reply->content));
    if (reply->reasoning != NULL)
        json_object_set_new(into, "reasoning", pipelines_json_string(reply->reasoning));
    if (reply->tool_calls != NULL) {
        json_t *calls = json_loads(reply->tool_calls, 0, NULL);
        if (calls != NULL) json_object_set_new(into, "tool_calls", calls);
    }
    json_object_set_new(into, "finish_reason", json_string(generate_reason_name(reply->reason)));
    json_object_set_new(into, "truncated", json_boolean(pipelines_is_truncated(reply->reason)));
    if (!reply->has_usage) return;
    json_object_set_new(into, "prompt_tokens", json_integer((json_int_t)reply->n_prompt));
    json_object_set_new(into, "generated_tokens", json_integer((json_int_t)reply->n_generated));
}

gboolean
generate_remote(const common_args *common, const endpoint_args *endpoint, const char *model,
                const char *prompt, const lode_generate_options *options, GError **error)
{
    lode_generate_options how = *options;
    char last = '\n';
    g_autoptr(lode_writer) writer = cli_open_endpoint(endpoint, model, options->n_context, error);
    if (writer == NULL) return FALSE;
    if (!common->json) {
        how.text = on_text;
        how.user_data = &last;
    }
    engine_remote_reply reply;
    const gboolean done = pipelines_generate_remote(writer, prompt, &how, &reply, error);
    if (!common->json && last != '\n') cli_print("\n");
    if (!done) return FALSE;
    if (common->json) {
        g_autoptr(json_t) json = json_pack("{s:s}", "model", writer->id);
        reply_to_json(&reply, json);
        cli_print_json(json);
    } else if (pipelines_is_truncated(reply.reason)) {
        cli_note(common, "cut at the longest length allowed: see -n");
    }
    engine_remote_reply_clear(&reply);
    return TRUE;
}

/* ---- many ---- */

/* A line, and what became of it. */
typedef struct {
    generate_line line;
    engine_remote_reply reply;
    char *error; /* NULL: none */
    gboolean done;
} text;

typedef struct {
    const common_args *common;
    const lode_generate_options *options;
    lode_writer *writer;
    GPtrArray *texts; /* text, owned, by line */
    GMutex lock;      /* of all below, and of what is done */
    size_t n_printed, n_failed;
    cli_progress *progress;
} run;

static void
free_text(gpointer data)
{
    text *t = data;
    json_decref(t->line.json);
    engine_remote_reply_clear(&t->reply);
    g_free(t->error);
    g_free(t);
}

static void
read_line(const char *json, size_t len, void *user_data)
{
    run *r = user_data;
    g_autoptr(GError) error = NULL;
    text *t = g_new0(text, 1);
    if (!generate_line_parse(json, len, &t->line, &error)) t->error = g_strdup(error->message);
    t->done = t->error != NULL;
    g_ptr_array_add(r->texts, t);
}

static void
print_text(const text *t, size_t index)
{
    g_autoptr(json_t) json = json_pack("{s:I}", "index", (json_int_t)index);
    if (t->line.id != NULL) json_object_set(json, "id", (json_t *)t->line.id);
    if (t->error != NULL)
        json_object_set_new(json, "error", json_string(t->error));
    else
        reply_to_json(&t->reply, json);
    cli_print_json_line(json);
}

/* What is done and has nothing unfinished before it. */
static void
print_ready(run *r)
{
    for (; r->n_printed < r->texts->len; r->n_printed++) {
        const text *t = g_ptr_array_index(r->texts, r->n_printed);
        if (!t->done) return;
        print_text(t, r->n_printed);
        r->n_failed += t->error != NULL;
        cli_progress_update(r->progress, r->n_printed + 1);
    }
}

/* A GFunc: ask for one. */
static void
ask(gpointer data, gpointer user_data)
{
    text *t = data;
    run *r = user_data;
    lode_generate_options how = *r->options;
    g_autoptr(GError) error = NULL;
    g_autofree char *messages = t->line.prompt == NULL ? pipelines_json_line(t->line.json) : NULL;

    how.messages = messages;
    if (t->line.system != NULL) how.system = t->line.system;
    const gboolean good =
        pipelines_generate_remote(r->writer, t->line.prompt, &how, &t->reply, &error);
    g_mutex_lock(&r->lock);
    if (!good) t->error = g_strdup(error->message);
    t->done = TRUE;
    print_ready(r);
    g_mutex_unlock(&r->lock);
}

static gboolean
ask_all(run *r, int n_parallel, GError **error)
{
    GThreadPool *pool = g_thread_pool_new(ask, r, n_parallel, FALSE, error);
    if (pool == NULL) return FALSE;
    for (guint i = 0; i < r->texts->len; i++) {
        text *t = g_ptr_array_index(r->texts, i);
        if (t->error == NULL) g_thread_pool_push(pool, t, NULL);
    }
    g_thread_pool_free(pool, FALSE, TRUE);
    print_ready(r);
    return TRUE;
}

gboolean
generate_remote_prompts(const common_args *common, const endpoint_args *endpoint, const char *model,
                        const char *lines, size_t len, int n_parallel,
                        const lode_generate_options *options, size_t *n_failed, GError **error)
{
    g_autoptr(lode_writer) writer = cli_open_endpoint(endpoint, model, options->n_context, error);
    if (writer == NULL) return FALSE;
    g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(free_text);
    run r = {.common = common, .options = options, .writer = writer, .texts = texts};
    generate_lines_each(lines, len, read_line, &r);
    if (texts->len == 0) {
        g_set_error_literal(error, PIPELINES_ERROR, LODE_ERROR_ARGUMENT, "no prompts");
        return FALSE;
    }
    g_mutex_init(&r.lock);
    r.progress = cli_progress_new(common, "writing", texts->len);
    const gboolean done = ask_all(&r, n_parallel, error);
    cli_progress_free(r.progress);
    g_mutex_clear(&r.lock);
    *n_failed = r.n_failed;
    return done;
}
