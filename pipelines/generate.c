/* lode_generate: a prompt or a conversation -> the model's text. */
#include <string.h>

#include "pipelines/internal.h"
#include "pipelines/messages.h"

lode_generate_options
lode_generate_options_default(void)
{
    return (lode_generate_options){.struct_size = sizeof(lode_generate_options),
                                   .max_tokens = 256,
                                   .top_p = 1.0,
                                   .repeat_penalty = 1.0,
                                   .typical_p = 1.0};
}

lode_generate_options
pipelines_generate_options(const lode_generate_options *options)
{
    lode_generate_options filled = lode_generate_options_default();
    if (options != NULL) {
        memcpy(&filled, options, MIN(options->struct_size, sizeof filled));
        filled.struct_size = sizeof filled;
    }
    return filled;
}

/* To a schema or a grammar: what thoughts are not. */
static gboolean
is_held(const lode_generate_options *options)
{
    return options->json_schema != NULL || options->grammar != NULL;
}

/* The prompt is a turn of a conversation. */
static gboolean
is_chat(const engine_model *model, const lode_generate_options *options)
{
    return !options->raw && (options->messages != NULL || options->system != NULL ||
                             engine_model_get_info(model)->has_chat_template);
}

/* The conversation in the model's own format, g_free; NULL with error. */
static char *
render(const engine_model *model, const char *prompt, const lode_generate_options *options,
       GError **error)
{
    g_autoptr(pipelines_messages) messages = pipelines_messages_new();
    if (options->system != NULL) pipelines_messages_add(messages, "system", options->system);
    if (options->messages != NULL &&
        !pipelines_messages_parse(messages, options->messages, strlen(options->messages), error))
        return NULL;
    if (prompt != NULL) pipelines_messages_add(messages, "user", prompt);
    engine_chat_options chat = engine_chat_options_default();
    chat.tools = messages->tools;
    if (options->thinking == LODE_THINKING_ON)
        chat.thinking = ENGINE_THINKING_ON;
    else if (options->thinking == LODE_THINKING_OFF || is_held(options))
        chat.thinking = ENGINE_THINKING_OFF;
    return engine_chat_render(model, (const engine_message *)(void *)messages->list->data,
                              messages->list->len, &chat, error);
}

static gboolean
read_prompt(const engine_model *model, const char *prompt, const lode_generate_options *options,
            GArray *tokens, GError **error)
{
    if (prompt == NULL && (options->messages == NULL || options->raw)) {
        g_set_error_literal(error, PIPELINES_ERROR, LODE_ERROR_ARGUMENT, "there is no prompt");
        return FALSE;
    }
    if (!is_chat(model, options)) {
        engine_tokenize(model, prompt, strlen(prompt), ENGINE_TOKENIZE_ADD_SPECIAL, tokens);
    } else {
        g_autofree char *text = render(model, prompt, options, error);
        if (text == NULL) return FALSE;
        engine_tokenize(model, text, strlen(text), ENGINE_TOKENIZE_PARSE_SPECIAL, tokens);
    }
    if (tokens->len > 0) return TRUE;
    g_set_error_literal(error, PIPELINES_ERROR, LODE_ERROR_ARGUMENT, "the prompt is empty");
    return FALSE;
}

static engine_grammar *
make_grammar(const engine_model *model, const lode_generate_options *options, GError **error)
{
    return options->json_schema != NULL
               ? engine_grammar_new_from_json_schema(model, options->json_schema, error)
               : engine_grammar_new(model, options->grammar, error);
}

static engine_generate_options
engine_options(const lode_generate_options *options)
{
    engine_generate_options result = engine_generate_options_default();
    result.max_tokens = options->max_tokens;
    result.temperature = (float)options->temperature;
    result.top_k = options->top_k;
    result.top_p = (float)options->top_p;
    result.min_p = (float)options->min_p;
    result.typical_p = (float)options->typical_p;
    result.repeat_penalty = (float)options->repeat_penalty;
    result.think_budget = options->think_budget;
    result.seed = options->seed;
    result.stop = options->stop;
    result.cancel = options->cancel;
    return result;
}

static gboolean
on_text(const char *text, size_t len, void *user_data)
{
    const lode_generate_options *options = user_data;
    return options->text == NULL || options->text(text, len, options->user_data) != 0;
}

char *
pipelines_generate(const engine_model *model, engine_pool *pool, const char *prompt,
                   const lode_generate_options *options, GError **error)
{
    lode_generate_options filled = pipelines_generate_options(options);
    g_autoptr(GArray) tokens = g_array_new(FALSE, FALSE, sizeof(int32_t));
    g_autoptr(engine_grammar) grammar = NULL;

    if (is_held(&filled)) {
        grammar = make_grammar(model, &filled, error);
        if (grammar == NULL) return NULL;
    }
    if (!read_prompt(model, prompt, &filled, tokens, error)) return NULL;
    const uint32_t trained = engine_model_get_info(model)->n_context;
    const uint32_t wanted = tokens->len + MIN(filled.max_tokens, 1u << 20);
    uint32_t n_context = filled.n_context;
    if (n_context == 0) n_context = trained > 0 ? MIN(wanted, trained) : wanted;
    g_autoptr(engine_session) session = engine_session_new(model, pool, n_context, error);
    if (session == NULL) return NULL;
    engine_generate_options how = engine_options(&filled);
    how.grammar = grammar;
    how.think_first =
        grammar != NULL && filled.thinking == LODE_THINKING_ON && is_chat(model, &filled);
    how.with_special = how.think_first; /* the mark behind the thoughts may be a token of its own */
    g_autoptr(GString) text = g_string_new(NULL);
    if (!engine_generate(session, (const int32_t *)(void *)tokens->data, tokens->len, &how, on_text,
                         &filled, text, NULL, error))
        return NULL;
    return g_string_free(g_steal_pointer(&text), FALSE);
}
