/* lode generate MODEL [PROMPT]: a model's own words, without a library. */
#include "pipelines/cli.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "pipelines/generate_logits.h"
#include "pipelines/generate_prompts.h"
#include "pipelines/generate_remote.h"
#include "pipelines/generate_reply.h"
#include "pipelines/messages.h"
#include "pipelines/models.h"

typedef struct {
    common_args common;
    char *file, *system, *messages, *prompts, *tokens, *schema, *grammar, *kv_type, *cache, *logits;
    endpoint_args endpoint;
    device_args device;
    char **stop;
    gboolean chat, raw, think, no_think, stream, ignore_eos, exact;
    int max_tokens, min_tokens, top_k, penalty_window, logprobs, context, threads, draft, memory_mb,
        parallel, think_budget;
    gint64 seed;
    double temperature, top_p, min_p, typical_p, repeat_penalty, frequency_penalty,
        presence_penalty;
} generate_args;

static void
init_generate(gpointer data)
{
    generate_args *args = data;
    const engine_generate_options options = engine_generate_options_default();
    args->max_tokens = (int)options.max_tokens;
    args->top_p = args->typical_p = 1.0;
    args->repeat_penalty = 1.0;
    args->penalty_window = (int)options.penalty_window;
    args->logprobs = -1;
    args->parallel = 8;
}

/* What the model reads. */
static void
prompt_entries(generate_args *args, GArray *out)
{
    const GOptionEntry entries[] = {
        {"file", 'f', 0, G_OPTION_ARG_FILENAME, &args->file, "Read the prompt from this file",
         "FILE"},
        {"chat", 0, 0, G_OPTION_ARG_NONE, &args->chat,
         "The prompt is what a user says (default: where the model has a chat template)", NULL},
        {"raw", 0, 0, G_OPTION_ARG_NONE, &args->raw, "The prompt is text to go on with", NULL},
        {"system", 0, 0, G_OPTION_ARG_STRING, &args->system,
         "What stands before it as the system's message (default: none)", "TEXT"},
        {"messages", 0, 0, G_OPTION_ARG_FILENAME, &args->messages,
         "A conversation instead of a prompt: OpenAI's messages, and tools, as JSON", "FILE"},
        {"prompts", 0, 0, G_OPTION_ARG_FILENAME, &args->prompts,
         "Many prompts, a line of JSON each: a string, or an object with \"prompt\" or "
         "\"messages\"",
         "FILE"},
        {"parallel", 0, 0, G_OPTION_ARG_INT, &args->parallel,
         "So many of them are written side by side (default: 8)", "N"},
        {"tokens", 0, 0, G_OPTION_ARG_FILENAME, &args->tokens,
         "Token numbers instead of a prompt, separated by blanks", "FILE"},
        {"think", 0, 0, G_OPTION_ARG_NONE, &args->think,
         "Let the model think first (default: as its template has it); a schema or grammar holds "
         "behind its thoughts",
         NULL},
        {"no-think", 0, 0, G_OPTION_ARG_NONE, &args->no_think,
         "Do not let it (default with --json-schema and --grammar)", NULL},
        {"think-budget", 0, 0, G_OPTION_ARG_INT, &args->think_budget,
         "Close its thoughts after so many tokens (default: 0, never)", "N"},
    };
    g_array_append_vals(out, entries, G_N_ELEMENTS(entries));
}

/* How it chooses its words. */
static void
sampling_entries(generate_args *args, GArray *out)
{
    const GOptionEntry entries[] = {
        {"max-tokens", 'n', 0, G_OPTION_ARG_INT, &args->max_tokens,
         "Stop after so many tokens (default: 256)", "N"},
        {"min-tokens", 0, 0, G_OPTION_ARG_INT, &args->min_tokens,
         "Do not end before so many (default: 0)", "N"},
        {"ignore-eos", 0, 0, G_OPTION_ARG_NONE, &args->ignore_eos,
         "Do not end before --max-tokens, for measurements", NULL},
        {"temperature", 0, 0, G_OPTION_ARG_DOUBLE, &args->temperature,
         "Chance in the choice of words (default: 0, none)", "T"},
        {"top-k", 0, 0, G_OPTION_ARG_INT, &args->top_k,
         "Choose among the K likeliest tokens (default: 0, all)", "K"},
        {"top-p", 0, 0, G_OPTION_ARG_DOUBLE, &args->top_p,
         "Choose among the fewest that make up this probability (default: 1)", "P"},
        {"min-p", 0, 0, G_OPTION_ARG_DOUBLE, &args->min_p,
         "Leave out those less likely than this part of the likeliest (default: 0)", "P"},
        {"typical-p", 0, 0, G_OPTION_ARG_DOUBLE, &args->typical_p,
         "Choose among the fewest of average surprise that make up this probability (default: 1)",
         "P"},
        {"repeat-penalty", 0, 0, G_OPTION_ARG_DOUBLE, &args->repeat_penalty,
         "Make what was said less likely, by a factor (default: 1, off)", "X"},
        {"frequency-penalty", 0, 0, G_OPTION_ARG_DOUBLE, &args->frequency_penalty,
         "The same per occurrence, subtracted from the logit (default: 0)", "X"},
        {"presence-penalty", 0, 0, G_OPTION_ARG_DOUBLE, &args->presence_penalty,
         "The same once per token (default: 0)", "X"},
        {"penalty-window", 0, 0, G_OPTION_ARG_INT, &args->penalty_window,
         "Tokens that penalties look back (default: 64)", "N"},
        {"seed", 0, 0, G_OPTION_ARG_INT64, &args->seed, "Same seed, same text (default: 0)", "N"},
    };
    g_array_append_vals(out, entries, G_N_ELEMENTS(entries));
}

/* What it may write, and what is told of it. */
static void
output_entries(generate_args *args, GArray *out)
{
    const GOptionEntry entries[] = {
        {"json-schema", 0, 0, G_OPTION_ARG_STRING, &args->schema,
         "Write JSON that this schema accepts: a file, or the schema itself", "FILE|JSON"},
        {"grammar", 0, 0, G_OPTION_ARG_FILENAME, &args->grammar,
         "Write what this grammar (GBNF) describes", "FILE"},
        {"stop", 0, 0, G_OPTION_ARG_STRING_ARRAY, &args->stop,
         "End before this text; may be given several times", "TEXT"},
        {"logprobs", 0, 0, G_OPTION_ARG_INT, &args->logprobs,
         "With --json: each token's log-probability, and those of N alternatives", "N"},
        {"logits", 0, 0, G_OPTION_ARG_FILENAME, &args->logits,
         "Write nothing but the logits behind every token of the prompt: float32, as .npy or raw",
         "FILE"},
    };
    g_array_append_vals(out, entries, G_N_ELEMENTS(entries));
}

/* How it runs. */
static void
running_entries(generate_args *args, GArray *out)
{
    const GOptionEntry entries[] = {
        {"context", 0, 0, G_OPTION_ARG_INT, &args->context,
         "Tokens of prompt and answer (default: 0, what they need, at most the model's)", "N"},
        {"kv-type", 0, 0, G_OPTION_ARG_STRING, &args->kv_type,
         "How keys and values are kept: f32, f16, q8_0 or q4_0 (default: f16)", "TYPE"},
        {"cache", 0, 0, G_OPTION_ARG_FILENAME, &args->cache,
         "Keep what prompts begin with in this folder, to begin faster next time (default: not)",
         "DIR"},
        {"memory", 0, 0, G_OPTION_ARG_INT, &args->memory_mb,
         "Megabytes for weights, cache and buffers (default: 0, no limit)", "MB"},
        {"exact", 0, 0, G_OPTION_ARG_NONE, &args->exact,
         "Multiply weights as 32-bit floats: slower, without the rounding of inputs to 8 bits (on a "
         "GPU: to 16)",
         NULL},
        {"draft", 0, 0, G_OPTION_ARG_INT, &args->draft,
         "Tokens guessed ahead and checked together (default: 0)", "N"},
        {"threads", 't', 0, G_OPTION_ARG_INT, &args->threads, "Threads (default: 0, one per core)",
         "N"},
        CLI_ENDPOINT_ENTRIES(&args->endpoint),
        CLI_DEVICE_ENTRIES(&args->device),
        {"stream", 0, 0, G_OPTION_ARG_NONE, &args->stream,
         "With --json: a line of JSON per piece of text, the last with the rest", NULL},
    };
    g_array_append_vals(out, entries, G_N_ELEMENTS(entries));
}

static GOptionEntry *
generate_entries(gpointer data)
{
    GArray *entries = g_array_new(TRUE, FALSE, sizeof(GOptionEntry)); /* ends in a NULL entry */

    prompt_entries(data, entries);
    sampling_entries(data, entries);
    output_entries(data, entries);
    running_entries(data, entries);
    return (GOptionEntry *)(void *)g_array_free(entries, FALSE);
}

/* ---- one run ---- */

typedef struct {
    const generate_args *args;
    engine_model *model;
    engine_pool *pool;
    engine_grammar *grammar;
    engine_prefix_store *prefixes;
    engine_session *session;
    pipelines_messages *messages; /* NULL: raw */
    char *prompt;
    GArray *tokens; /* int32_t */
    generate_reply reply;
    cli_progress *progress; /* of many prompts */
    size_t n_failed;        /* of those */
    gboolean line_open;     /* the last character on stdout is no line end */
} generation;

static void
generation_clear(generation *g)
{
    generate_reply_clear(&g->reply);
    engine_session_free(g->session);
    engine_prefix_store_free(g->prefixes);
    engine_grammar_free(g->grammar);
    engine_model_free(g->model);
    engine_pool_free(g->pool);
    pipelines_messages_free(g->messages);
    g_array_unref(g->tokens);
    g_free(g->prompt);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(generation, generation_clear)

static gboolean
read_whole(const char *path, char **text, gsize *len, GError **error)
{
    g_autoptr(GError) cause = NULL;
    if (strcmp(path, "-") == 0) {
        g_autoptr(GString) all = g_string_new(NULL);
        char buffer[65536];
        for (size_t n; (n = fread(buffer, 1, sizeof buffer, stdin)) > 0;)
            g_string_append_len(all, buffer, (gssize)n);
        *len = all->len;
        *text = g_string_free(g_steal_pointer(&all), FALSE);
        return TRUE;
    }
    if (g_file_get_contents(path, text, len, &cause)) return TRUE;
    g_set_error(error, PIPELINES_ERROR, LODE_ERROR_IO, "%s", cause->message);
    return FALSE;
}

static gboolean
make_grammar(generation *g, GError **error)
{
    const generate_args *args = g->args;
    g_autofree char *text = NULL;
    gsize len = 0;

    if (args->schema != NULL) {
        const char *given = args->schema + strspn(args->schema, " \t\r\n");
        if (*given != '{' && strcmp(given, "true") != 0 &&
            !read_whole(args->schema, &text, &len, error))
            return FALSE;
        g->grammar =
            engine_grammar_new_from_json_schema(g->model, text != NULL ? text : given, error);
        return g->grammar != NULL;
    }
    if (args->grammar == NULL) return TRUE;
    if (!read_whole(args->grammar, &text, &len, error)) return FALSE;
    g->grammar = engine_grammar_new(g->model, text, error);
    return g->grammar != NULL;
}

/* ---- the prompt ---- */

static gboolean
read_token_numbers(generation *g, GError **error)
{
    g_autofree char *text = NULL;
    gsize len = 0;
    if (!read_whole(g->args->tokens, &text, &len, error)) return FALSE;
    const uint32_t n_vocab = engine_model_get_info(g->model)->n_vocab;
    for (const char *p = text; *(p += strspn(p, " ,\t\r\n[]")) != '\0';) {
        char *end = NULL;
        const guint64 id = g_ascii_strtoull(p, &end, 10);
        if (end == p || id >= n_vocab) {
            g_set_error(error, PIPELINES_ERROR, LODE_ERROR_FORMAT,
                        "%s: number %u is no token of this model's %u", g->args->tokens,
                        g->tokens->len + 1, n_vocab);
            return FALSE;
        }
        const int32_t token = (int32_t)id;
        g_array_append_val(g->tokens, token);
        p = end;
    }
    return TRUE;
}

/* Thoughts are not what a grammar describes: none, unless they are asked for. */
static engine_thinking
thinking(const generation *g)
{
    if (g->args->think) return ENGINE_THINKING_ON;
    return g->args->no_think || g->grammar != NULL ? ENGINE_THINKING_OFF : ENGINE_THINKING_DEFAULT;
}

static gboolean
read_conversation(generation *g, const char *said, GError **error)
{
    const generate_args *args = g->args;
    g->messages = pipelines_messages_new();
    if (args->system != NULL) pipelines_messages_add(g->messages, "system", args->system);
    if (args->messages != NULL) {
        g_autofree char *text = NULL;
        gsize len = 0;
        if (!read_whole(args->messages, &text, &len, error)) return FALSE;
        if (!pipelines_messages_parse(g->messages, text, len, error)) {
            g_prefix_error(error, "%s: ", args->messages);
            return FALSE;
        }
    }
    if (said != NULL) pipelines_messages_add(g->messages, "user", said);
    engine_chat_options options = engine_chat_options_default();
    options.tools = g->messages->tools;
    options.thinking = thinking(g);
    g->prompt =
        engine_chat_render(g->model, (const engine_message *)(void *)g->messages->list->data,
                           g->messages->list->len, &options, error);
    return g->prompt != NULL;
}

/* operand: the prompt, "-", or NULL. */
static gboolean
read_prompt(generation *g, const char *operand, GError **error)
{
    const generate_args *args = g->args;
    const gboolean chat = !args->raw && args->tokens == NULL &&
                          (args->chat || args->messages != NULL ||
                           engine_model_get_info(g->model)->has_chat_template);
    const char *source = args->file != NULL ? args->file : operand;
    g_autofree char *text = NULL;
    gsize len = 0;

    if (args->tokens != NULL) return read_token_numbers(g, error);
    if (args->file != NULL || g_strcmp0(operand, "-") == 0) {
        if (!read_whole(source, &text, &len, error)) return FALSE;
    } else if (operand != NULL) {
        text = g_strdup(operand);
        len = strlen(text);
    }
    if (!chat) {
        engine_tokenize(g->model, text, len, ENGINE_TOKENIZE_ADD_SPECIAL, g->tokens);
        return TRUE;
    }
    if (len > 0 && text[len - 1] == '\n') text[len - 1] = '\0'; /* a file's, or echo's */
    if (!read_conversation(g, text, error)) return FALSE;
    /* templates write the beginning of a text themselves */
    engine_tokenize(g->model, g->prompt, strlen(g->prompt), ENGINE_TOKENIZE_PARSE_SPECIAL,
                    g->tokens);
    return TRUE;
}

/* ---- what comes out ---- */

static void
print_line(json_t *json)
{
    cli_print_json_line(json);
    json_decref(json);
}

static void
on_part(engine_reply_part part, const char *text, size_t len, const engine_tool_call *call,
        void *user_data)
{
    generation *g = user_data;
    const generate_args *args = g->args;
    const gboolean json = args->common.json;

    if (part == ENGINE_REPLY_CALL) {
        if (json && args->stream)
            print_line(json_pack("{s:o}", "tool_call", generate_call_to_json(call)));
        if (json) return;
        if (g->line_open) cli_print("\n");
        g->line_open = FALSE;
        print_line(generate_call_to_json(call));
        return;
    }
    const gboolean content = part == ENGINE_REPLY_CONTENT;
    if (json && args->stream)
        print_line(json_pack("{s:s%}", content ? "text" : "reasoning", text, len));
    if (json || len == 0) return;
    if (content) {
        cli_write(text, len);
        fflush(stdout);
        g->line_open = text[len - 1] != '\n';
    } else if (!args->common.quiet) {
        fwrite(text, 1, len, stderr);
    }
}

static gboolean
on_text(const char *text, size_t len, void *user_data)
{
    generation *g = user_data;
    generate_reply_feed(&g->reply, text, len);
    return !ferror(stdout);
}

static void
print_result(const generation *g, const engine_generate_result *result)
{
    g_autoptr(json_t) json = json_object();
    const gboolean stream = g->args->stream, logprobs = g->args->logprobs >= 0;
    const engine_session_stats stats = engine_session_get_stats(g->session);

    json_object_set_new(json, "model", json_string(engine_model_get_info(g->model)->name));
    if (!stream)
        generate_reply_to_json(&g->reply, logprobs, json);
    else if (logprobs)
        json_object_set(json, "logprobs", g->reply.logprobs);
    generate_result_to_json(result, g->args->draft > 0, TRUE, json);
    generate_experts_to_json(&stats, json);
    if (stream)
        print_line(json_incref(json));
    else
        cli_print_json(json);
}

static void
tell_experts(const generation *g, const engine_expert_stats *experts)
{
    if (experts->n_reads > 0)
        cli_note(&g->args->common, "%.0f%% of experts were in memory, %.2f GB were read",
                 100.0 * (double)experts->n_hits / (double)(experts->n_hits + experts->n_reads),
                 (double)experts->n_bytes * 1e-9);
}

static void
tell_gpu_experts(const generation *g, const engine_device_expert_stats *experts)
{
    if (experts->n_asked > 0)
        cli_note(&g->args->common,
                 "%.0f%% of the experts needed were on the GPU, %" G_GUINT64_FORMAT
                 " were copied there (room for %u)",
                 100.0 * (double)experts->n_hits / (double)experts->n_asked, experts->n_brought,
                 experts->n_slabs);
}

static void
print_statistics(const generation *g, const engine_generate_result *result)
{
    const uint32_t n_read = result->n_prompt - result->n_reused;
    cli_note(
        &g->args->common,
        "%u tokens read in %.2f s (%.1f/s), %u known already; %u written in %.2f s (%.1f/s), %s",
        n_read, result->prompt_seconds, n_read / MAX(result->prompt_seconds, 1e-6),
        result->n_reused, result->n_generated, result->generate_seconds,
        result->n_generated / MAX(result->generate_seconds, 1e-6),
        generate_reason_name(result->reason));
    if (g->args->draft > 0)
        cli_note(&g->args->common, "%u of %u tokens guessed ahead were right", result->n_accepted,
                 result->n_drafted);
    const engine_session_stats stats = engine_session_get_stats(g->session);
    tell_experts(g, &stats.experts);
    tell_gpu_experts(g, &stats.gpu_experts);
}

static void
tell_ignored_prefix(const char *line, void *user_data)
{
    const generation *g = user_data;
    cli_note(&g->args->common, "%s", line);
}

/* ---- running ---- */

static gboolean
open_prefixes(generation *g, GError **error)
{
    if (g->args->cache == NULL) return TRUE;
    g->prefixes = engine_prefix_store_open(g->args->cache, 0, tell_ignored_prefix, g, error);
    return g->prefixes != NULL;
}

static gboolean
open_session(generation *g, GError **error)
{
    const generate_args *args = g->args;
    const uint32_t trained = engine_model_get_info(g->model)->n_context;
    const uint32_t wanted =
        g->tokens->len + (args->logits != NULL ? 0 : (uint32_t)args->max_tokens);
    engine_session_options options = engine_session_options_default();

    if (!open_prefixes(g, error)) return FALSE;
    options.n_context = args->context > 0 ? (uint32_t)args->context
                        : trained > 0     ? MAX(MIN(wanted, trained), 1)
                                          : MAX(wanted, 1);
    options.n_draft = (uint32_t)args->draft;
    options.max_memory = (uint64_t)args->memory_mb << 20;
    if (args->kv_type != NULL) (void)engine_kv_type_parse(args->kv_type, &options.kv_type);
    options.prefixes = g->prefixes;
    g->session = engine_session_open(g->model, g->pool, &options, error);
    return g->session != NULL;
}

static engine_generate_options
generate_options(const generation *g)
{
    const generate_args *args = g->args;
    engine_generate_options options = engine_generate_options_default();
    options.max_tokens = (uint32_t)args->max_tokens;
    options.min_tokens = (uint32_t)args->min_tokens;
    options.ignore_eos = args->ignore_eos;
    options.temperature = (float)args->temperature;
    options.top_p = (float)args->top_p;
    options.top_k = (uint32_t)args->top_k;
    options.min_p = (float)args->min_p;
    options.typical_p = (float)args->typical_p;
    options.repeat_penalty = (float)args->repeat_penalty;
    options.frequency_penalty = (float)args->frequency_penalty;
    options.presence_penalty = (float)args->presence_penalty;
    options.penalty_window = (uint32_t)args->penalty_window;
    options.seed = (uint64_t)args->seed;
    options.grammar = g->grammar;
    options.think_first = args->think && g->grammar != NULL;
    options.think_budget = (uint32_t)args->think_budget;
    options.stop = (const char *const *)args->stop;
    options.logprobs = args->logprobs >= 0;
    options.n_top = args->logprobs > 0 ? (uint32_t)args->logprobs : 0;
    options.cancel = cli_cancel();
    return options;
}

static gboolean
write_text(generation *g, GError **error)
{
    engine_generate_options options = generate_options(g);
    engine_generate_result result = {0};

    if (g->messages == NULL) options.think_first = FALSE;
    if (g->messages != NULL && (g->grammar == NULL || options.think_first)) {
        generate_reply_expect_turn(&g->reply, g->prompt, g->messages->tools, &options);
    }
    if (options.logprobs) {
        options.on_token = generate_reply_on_token;
        options.on_token_data = &g->reply;
    }
    if (!engine_generate(g->session, (const int32_t *)(void *)g->tokens->data, g->tokens->len,
                         &options, on_text, g, NULL, &result, error))
        return FALSE;
    generate_reply_finish(&g->reply);
    if (g->args->common.json)
        print_result(g, &result);
    else if (g->line_open)
        cli_print("\n");
    fflush(stdout);
    print_statistics(g, &result);
    return TRUE;
}

/* name: as the server of --endpoint calls the model. */
static gboolean
run_remote(generation *g, const char *name, const char *operand, GError **error)
{
    const generate_args *args = g->args;
    g_autofree char *prompt = NULL, *schema = NULL, *messages = NULL;
    const char *given = args->schema;
    gsize len = 0;

    if (args->file != NULL || g_strcmp0(operand, "-") == 0) {
        if (!read_whole(args->file != NULL ? args->file : operand, &prompt, &len, error))
            return FALSE;
        if (!args->raw && len > 0 && prompt[len - 1] == '\n') prompt[len - 1] = '\0';
    }
    if (given != NULL && given[strspn(given, " \t\r\n")] != '{') {
        if (!read_whole(given, &schema, &len, error)) return FALSE;
        given = schema;
    }
    if (args->messages != NULL && !read_whole(args->messages, &messages, &len, error)) return FALSE;
    lode_generate_options options = lode_generate_options_default();
    options.raw = args->raw;
    options.system = args->system;
    options.messages = messages;
    options.json_schema = given;
    options.stop = (const char *const *)args->stop;
    options.max_tokens = (uint32_t)args->max_tokens;
    options.top_k = (uint32_t)args->top_k;
    options.temperature = args->temperature;
    options.top_p = args->top_p;
    options.min_p = args->min_p;
    options.repeat_penalty = args->repeat_penalty;
    options.seed = (uint64_t)args->seed;
    options.cancel = cli_cancel();
    if (args->prompts != NULL) {
        g_autofree char *lines = NULL;
        return read_whole(args->prompts, &lines, &len, error) &&
               generate_remote_prompts(&args->common, &args->endpoint, name, lines, len,
                                       args->parallel, &options, &g->n_failed, error);
    }
    return generate_remote(&args->common, &args->endpoint, name, prompt != NULL ? prompt : operand,
                           &options, error);
}

static void
show_progress(size_t n_done, size_t n, void *user_data)
{
    generation *g = user_data;
    if (g->progress == NULL) g->progress = cli_progress_new(&g->args->common, "writing", n);
    cli_progress_update(g->progress, n_done);
}

/* Many texts; those that failed are counted in g->n_failed. */
static gboolean
write_prompts(generation *g, GError **error)
{
    const generate_args *args = g->args;
    g_autofree char *lines = NULL;
    gsize len = 0;
    generate_prompts_stats stats;

    if (!read_whole(args->prompts, &lines, &len, error) || !open_prefixes(g, error)) return FALSE;
    g->pool = engine_pool_new(args->threads);
    generate_prompts_options options = {
        .model = g->model,
        .pool = g->pool,
        .options = generate_options(g),
        .batch = engine_batch_options_default(),
        .n_context = (uint32_t)args->context,
        .chat = !args->raw && (args->chat || engine_model_get_info(g->model)->has_chat_template),
        .system = args->system,
        .thinking = thinking(g),
        .done = show_progress,
        .user_data = g,
    };
    options.batch.n_sequences = (uint32_t)args->parallel;
    options.batch.n_draft = (uint32_t)args->draft;
    options.batch.max_memory = (uint64_t)args->memory_mb << 20;
    if (args->kv_type != NULL) (void)engine_kv_type_parse(args->kv_type, &options.batch.kv_type);
    options.batch.prefixes = g->prefixes;
    const gboolean ok = generate_prompts(&options, lines, len, &stats, error);
    g_clear_pointer(&g->progress, cli_progress_free);
    g->n_failed = stats.n_failed;
    if (!ok) return FALSE;
    cli_note(&args->common,
             "%zu texts, %zu failed: %" G_GUINT64_FORMAT " tokens read and %" G_GUINT64_FORMAT
             " written in %.2f s (%.1f/s), %" G_GUINT64_FORMAT " passes",
             stats.n, stats.n_failed, stats.n_read, stats.n_written, stats.seconds,
             (double)stats.n_written / MAX(stats.seconds, 1e-6), stats.batch.n_passes);
    tell_experts(g, &stats.batch.experts);
    tell_gpu_experts(g, &stats.batch.gpu_experts);
    return TRUE;
}

static gboolean
run(generation *g, const char *name, const char *operand, GError **error)
{
    if (g->args->endpoint.url != NULL) return run_remote(g, name, operand, error);
    g_autofree char *path = models_find_named(name, error);
    if (path == NULL) return FALSE;
    engine_model_options options = cli_device_options(&g->args->device);
    options.exact = g->args->exact;
    g->model = engine_model_open_with(path, &options, error);
    if (g->model == NULL) return FALSE;
    if (engine_model_get_info(g->model)->kind != ENGINE_KIND_DECODER) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_ARGUMENT,
                    "%s: an encoder: it reads but does not write", path);
        return FALSE;
    }
    generate_reply_init(&g->reply, g->model, on_part, g);
    if (!make_grammar(g, error)) return FALSE;
    if (g->args->prompts != NULL) return write_prompts(g, error);
    if (!read_prompt(g, operand, error)) return FALSE;
    if (g->tokens->len == 0) {
        g_set_error_literal(error, PIPELINES_ERROR, LODE_ERROR_ARGUMENT, "the prompt is empty");
        return FALSE;
    }
    g->pool = engine_pool_new(g->args->threads);
    if (!open_session(g, error)) return FALSE;
    if (g->args->logits == NULL) return write_text(g, error);
    return generate_write_logits(g->model, g->session, (const int32_t *)(void *)g->tokens->data,
                                 g->tokens->len, g->args->logits, cli_cancel(), error);
}

/* A message when an option makes no sense. */
static const char *
find_mistake(const generate_args *args, int n_operands)
{
    engine_kv_type type;
    const int n_prompts =
        (n_operands > 1) + (args->file != NULL) + (args->tokens != NULL) + (args->prompts != NULL);
    if (n_operands < 1) return "which model? A file, a folder or a name";
    if (n_operands > 2) return "one prompt: put it in quotes";
    if (n_prompts > 1) return "one prompt: as an argument, --file, --tokens or --prompts";
    if (n_prompts == 0 && args->messages == NULL) return "which prompt? - reads it from stdin";
    if (args->messages != NULL && (args->raw || args->tokens != NULL))
        return "--messages is a conversation: not with --raw or --tokens";
    if (args->prompts != NULL && (args->messages != NULL || args->logits != NULL || args->stream))
        return "--prompts: not with --messages, --logits or --stream";
    if (args->parallel < 1 || args->parallel > 1024) return "--parallel: 1 to 1024";
    if (args->chat && (args->raw || args->tokens != NULL)) return "--chat or --raw?";
    if (args->system != NULL && (args->raw || args->tokens != NULL))
        return "--system is for a conversation: not with --raw or --tokens";
    if (args->think && args->no_think) return "--think or --no-think?";
    if (args->schema != NULL && args->grammar != NULL) return "--json-schema or --grammar?";
    if (args->logprobs >= 0 && !args->common.json) return "--logprobs is for --json";
    if (args->stream && !args->common.json) return "--stream is for --json";
    if (args->endpoint.url != NULL &&
        (args->tokens != NULL || args->logits != NULL || args->grammar != NULL ||
         args->logprobs >= 0 || args->stream || args->cache != NULL || args->draft > 0))
        return "--endpoint: not with --tokens, --logits, --logprobs, --grammar, --stream, --cache "
               "or --draft";
    if (args->kv_type != NULL && !engine_kv_type_parse(args->kv_type, &type))
        return "--kv-type: choose from f32, f16, q8_0, q4_0";
    if (args->max_tokens < 0 || args->min_tokens < 0 || args->top_k < 0 || args->context < 0 ||
        args->penalty_window < 0 || args->threads < 0 || args->draft < 0 || args->memory_mb < 0 ||
        args->think_budget < 0)
        return "a count is negative";
    if (!(args->temperature >= 0.0)) return "--temperature: 0 or more";
    if (!(args->top_p > 0.0 && args->top_p <= 1.0)) return "--top-p: above 0, at most 1";
    if (!(args->min_p >= 0.0 && args->min_p <= 1.0)) return "--min-p: from 0 to 1";
    if (!(args->typical_p > 0.0 && args->typical_p <= 1.0))
        return "--typical-p: above 0, at most 1";
    if (!(args->repeat_penalty > 0.0)) return "--repeat-penalty: above 0";
    return NULL;
}

static int
run_generate(gpointer data, char **operands, int n_operands)
{
    const generate_args *args = data;
    const char *mistake = find_mistake(args, n_operands);
    if (mistake != NULL) return cli_usage_error("generate", "%s", mistake);
    const int device = cli_device_check("generate", &args->device);
    if (device != EXIT_ALL_GOOD) return device;
    g_auto(generation) g = {
        .args = args,
        .tokens = g_array_new(FALSE, FALSE, sizeof(int32_t)),
    };
    g_autoptr(GError) error = NULL;
    if (run(&g, operands[0], n_operands > 1 ? operands[1] : NULL, &error))
        return *cli_cancel() || g.n_failed > 0 ? EXIT_SOME_FAILED : EXIT_ALL_GOOD;
    if (g.line_open) cli_print("\n");
    return cli_error(EXIT_NOTHING_DONE, "%s", error->message);
}

const command cmd_generate = {
    .name = "generate",
    .summary = "let a model write",
    .usage = "MODEL [PROMPT|-]",
    .description =
        "MODEL is a .gguf file, a folder with safetensors, or a name that lode model list "
        "shows.\n\n"
        "With a chat template the prompt is what a user says, else, and with --raw, a text to go "
        "on "
        "with. The text goes to\n"
        "stdout; thoughts and a line about speed to stderr (not with --quiet). Calls of tools are "
        "printed one per line, as JSON.\n\n"
        "--prompts writes many texts side by side, each as it would be alone: a line of JSON for "
        "each, in their order.\n\n"
        "Options of the choice apply in this order: penalties, --temperature, --top-k, --top-p, "
        "--min-p. The same seed gives\n"
        "the same text whatever the number of threads. Ctrl-C ends with what was written.",
    .examples =
        "  $ lode generate smollm2-135m-instruct \"Name three gases.\"\n"
        "  $ lode generate model.gguf --json-schema answer.json -f question.txt\n"
        "  $ lode generate model.gguf --prompts questions.jsonl --parallel 16 > answers.jsonl\n"
        "  $ echo \"Once upon a time\" | lode generate model.gguf --raw --temperature 0.8 -",
    .args_size = sizeof(generate_args),
    .init = init_generate,
    .entries = generate_entries,
    .run = run_generate,
};
