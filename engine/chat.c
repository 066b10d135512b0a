/* Chat formats: a list of messages as the text the model was trained to continue.
 *
 * A model brings its format as a Jinja template, which is run (jinja.c). Where a file has lost it, the
 * control tokens of the vocabulary tell the family: ChatML or Llama 3. InternLM's template knows no tools;
 * for those the family's own way of writing them is put into the messages before it runs.
 *
 * Contents are not trusted. Before the template sees them, every string of them that the tokenizer would
 * take for a control token is broken up, so the rendered text can be tokenized with PARSE_SPECIAL; so are
 * the marks that some formats write as plain text. */
#include "engine/jinja.h"
#include "engine/model.h"
#include "engine/unicode.h"

#include <string.h>

#define PLUGIN "<|plugin|>"

static const char chatml[] =
    "{{ bos_token }}{% for m in messages %}"
    "{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

static const char llama3[] =
    "{{ bos_token }}{% for m in messages %}"
    "{{ '<|start_header_id|>' + m.role + '<|end_header_id|>\\n\\n' + m.content | trim + "
    "'<|eot_id|>' }}"
    "{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}";

/* Marks of turns that are plain text to some tokenizers. Each counts only where the template writes it. */
static const char *const plain_marks[] = {
    "<|im_start|>",        "<|im_end|>",        "[INST]",    "[/INST]", "<<SYS>>", "<</SYS>>",
    "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"};

engine_chat_options
engine_chat_options_default(void)
{
    return (engine_chat_options){.add_generation_prompt = TRUE};
}

const char *
engine_chat_template_of(const engine_tokenizer *tokenizer)
{
    const char *own = engine_tokenizer_chat_template(tokenizer);
    if (own) return own;
    if (engine_tokenizer_find_added(tokenizer, "<|im_start|>") >= 0 &&
        engine_tokenizer_find_added(tokenizer, "<|im_end|>") >= 0)
        return chatml;
    if (engine_tokenizer_find_added(tokenizer, "<|start_header_id|>") >= 0 &&
        engine_tokenizer_find_added(tokenizer, "<|eot_id|>") >= 0)
        return llama3;
    return NULL;
}

/* ---- breaking up marks ------------------------------------------------------------------------ */

typedef struct {
    const engine_tokenizer *tokenizer;
    const char *marks[G_N_ELEMENTS(plain_marks) + 1]; /* those the template writes */
} breaker;

static breaker
breaker_for(const engine_tokenizer *tokenizer, const char *template)
{
    breaker b = {tokenizer, {NULL}};
    size_t n = 0;
    for (size_t i = 0; i < G_N_ELEMENTS(plain_marks); i++)
        if (strstr(template, plain_marks[i])) b.marks[n++] = plain_marks[i];
    return b;
}

static gboolean
is_mark(const breaker *b, const char *s, size_t len)
{
    if (engine_tokenizer_match_control(b->tokenizer, s, len) > 0) return TRUE;
    if (*s != '<' && *s != '[') return FALSE; /* as all of them begin */
    for (const char *const *mark = b->marks; *mark; mark++)
        if (len >= strlen(*mark) && memcmp(s, *mark, strlen(*mark)) == 0) return TRUE;
    return FALSE;
}

/* Append text [len] with every mark broken: by a blank behind its first character, or (again) by leaving that
 * character out. TRUE when there was one. */
static gboolean
append_broken(const breaker *b, const char *text, size_t len, gboolean again, GString *out)
{
    gboolean found = FALSE;
    for (size_t i = 0; i < len;) {
        uint32_t cp = 0;
        const size_t n = unicode_next(text + i, len - i, &cp);
        const gboolean mark = is_mark(b, text + i, len - i);
        if (!mark || !again) g_string_append_len(out, text + i, (gssize)n);
        if (mark && !again) g_string_append_c(out, ' ');
        found = found || mark;
        i += n;
    }
    return found;
}

/* A string of a message, safe to stand in the rendered text. */
static json_t *
safe_string(const breaker *b, const char *content, size_t n_content)
{
    g_autofree char *owned = NULL;
    size_t len = 0;
    const char *text = unicode_repair(content, n_content, &owned, &len);
    g_autoptr(GString) safe = g_string_sized_new(len + 16);
    /* templates write names between angle brackets: "<|im_end|" must not find its end there */
    g_autoptr(GString) closed = g_string_new_len(text, (gssize)len);
    g_string_append_c(closed, '>');
    gboolean found = append_broken(b, closed->str, closed->len, FALSE, safe);
    /* what the blanks joined may be a token of an odd vocabulary; each round is shorter than the last */
    while (found) {
        g_autoptr(GString) shorter = g_string_new(NULL);
        found = append_broken(b, safe->str, safe->len, TRUE, shorter);
        g_string_assign(safe, shorter->str);
    }
    if (safe->len > 0 && safe->str[safe->len - 1] == '>') g_string_truncate(safe, safe->len - 1);
    return json_stringn(safe->str, safe->len);
}

static json_t *
safe_json(const breaker *b, const json_t *value)
{
    if (json_is_string(value))
        return safe_string(b, json_string_value(value), json_string_length(value));
    if (json_is_array(value)) {
        json_t *list = json_array();
        for (size_t i = 0; i < json_array_size(value); i++)
            json_array_append_new(list, safe_json(b, json_array_get(value, i)));
        return list;
    }
    if (!json_is_object(value)) return json_copy((json_t *)(uintptr_t)value);
    json_t *object = json_object();
    const char *key;
    json_t *member;
    json_object_foreach((json_t *)(uintptr_t)value, key, member)
    {
        json_t *safe_key = safe_string(b, key, strlen(key));
        json_object_set_new(object, json_string_value(safe_key), safe_json(b, member));
        json_decref(safe_key);
    }
    return object;
}

/* ---- messages --------------------------------------------------------------------------------- */

static gboolean
is_role(const char *role)
{
    return role && *role && role[strspn(role, "abcdefghijklmnopqrstuvwxyz_")] == '\0';
}

static json_t *
parse_array(const char *text, const char *what, GError **error)
{
    json_error_t where;
    json_t *array = json_loads(text, 0, &where);
    if (json_is_array(array)) return array;
    g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_ARGUMENT, "%s: %s", what,
                array ? "not a JSON array" : where.text);
    json_decref(array);
    return NULL;
}

/* Calls in OpenAI's shape, whichever of the two they came in, with arguments as an object: what templates
 * expect. */
static json_t *
uniform_calls(const json_t *calls)
{
    json_t *out = json_array();
    for (size_t i = 0; i < json_array_size(calls); i++) {
        const json_t *call = json_array_get(calls, i);
        const json_t *function = json_object_get(call, "function");
        json_t *id = json_object_get(call, "id");
        if (!json_is_object(function)) function = call;
        json_t *arguments = json_object_get(function, "arguments");
        if (!arguments) arguments = json_object_get(function, "parameters");
        json_t *parsed = json_is_string(arguments)
                             ? json_loads(json_string_value(arguments), JSON_DECODE_ANY, NULL)
                             : NULL;
        if (!parsed) parsed = arguments ? json_incref(arguments) : json_object();
        json_t *one = json_pack("{sss{sOso}}", "type", "function", "function", "name",
                                json_object_get(function, "name"), "arguments", parsed);
        if (!one) { /* a call without a name: the template will see none either */
            json_decref(parsed);
            one = json_object();
        }
        if (id) json_object_set(one, "id", id);
        json_array_append_new(out, one);
    }
    return out;
}

static void
set_text(json_t *message, const breaker *b, const char *key, const char *text)
{
    if (text) json_object_set_new(message, key, safe_string(b, text, strlen(text)));
}

static json_t *
message_json(const breaker *b, const engine_message *m, size_t index, GError **error)
{
    if (!is_role(m->role) || (!m->content && !m->tool_calls)) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_ARGUMENT,
                    "message %zu has no role or content", index + 1);
        return NULL;
    }
    json_t *message = json_pack("{ss}", "role", m->role);
    set_text(message, b, "content", m->content ? m->content : "");
    set_text(message, b, "reasoning_content", m->reasoning);
    /* a plugin's name is a control token and means what it says */
    if (m->name && strcmp(m->name, PLUGIN) != 0 && strcmp(m->name, "<|interpreter|>") != 0)
        set_text(message, b, "name", m->name);
    else if (m->name)
        json_object_set_new(message, "name", json_string(m->name));
    set_text(message, b, "tool_call_id", m->tool_call_id);
    if (!m->tool_calls) return message;
    g_autofree char *what = g_strdup_printf("tool calls of message %zu", index + 1);
    json_t *calls = parse_array(m->tool_calls, what, error);
    if (!calls) {
        json_decref(message);
        return NULL;
    }
    json_t *safe = safe_json(b, calls);
    json_object_set_new(message, "tool_calls", uniform_calls(safe));
    json_decref(safe);
    json_decref(calls);
    return message;
}

/* ---- InternLM's tools ------------------------------------------------------------------------- */

/* {"name", "parameters"} of a call, as the family writes it. */
static void
append_action(GString *out, const json_t *call)
{
    const json_t *function = json_object_get(call, "function");
    json_t *written = json_pack("{sO?sO?}", "name", json_object_get(function, "name"), "parameters",
                                json_object_get(function, "arguments"));
    char *text = json_dumps(written, 0);
    if (text) g_string_append_printf(out, "<|action_start|>" PLUGIN "\n%s<|action_end|>", text);
    free(text);
    json_decref(written);
}

/* Calls go into the content, results become the environment's turns, and the plugin's system turn comes
 * behind the first one or in its place. */
static void
write_actions(json_t *messages, const json_t *tools)
{
    size_t i;
    json_t *message, *call;
    json_array_foreach(messages, i, message)
    {
        const char *role = json_string_value(json_object_get(message, "role"));
        const char *name = json_string_value(json_object_get(message, "name"));
        const json_t *calls = json_object_get(message, "tool_calls");
        if (strcmp(role, "tool") == 0 || strcmp(role, "environment") == 0) {
            const gboolean plugin = !name || strncmp(name, "<|", 2) != 0;
            g_autofree char *turn = g_strconcat("environment name=", plugin ? PLUGIN : name, NULL);
            json_object_set_new(message, "role", json_string(turn));
        }
        if (json_array_size(calls) == 0) continue;
        g_autoptr(GString) content =
            g_string_new(json_string_value(json_object_get(message, "content")));
        size_t k;
        json_array_foreach(calls, k, call) append_action(content, call);
        json_object_set_new(message, "content", json_string(content->str));
    }
    if (!tools) return;
    char *text = json_dumps(tools, 0);
    const json_t *first = json_array_get(messages, 0);
    const gboolean system =
        g_strcmp0(json_string_value(json_object_get(first, "role")), "system") == 0;
    json_array_insert_new(messages, system ? 1 : 0,
                          json_pack("{ssss}", "role", "system name=" PLUGIN, "content", text));
    free(text);
}

/* ---- rendering -------------------------------------------------------------------------------- */

static void
set_token_text(json_t *context, const char *key, const engine_tokenizer *tokenizer, int32_t id)
{
    g_autoptr(GString) text = g_string_new(NULL);
    if (id >= 0) engine_tokenizer_decode(tokenizer, &id, 1, TRUE, text);
    json_object_set_new(context, key, json_stringn(text->str, text->len));
}

/* The template's variables; NULL with error. */
static json_t *
make_context(const engine_model *model, const char *template, const engine_message *messages,
             size_t n, const engine_chat_options *options, GError **error)
{
    const engine_tokenizer *tokenizer = model->tokenizer;
    const breaker b = breaker_for(tokenizer, template);
    json_t *context = json_object(), *list = json_array(), *tools = NULL;
    json_object_set_new(context, "messages", list);
    for (size_t i = 0; i < n; i++) {
        json_t *message = message_json(&b, &messages[i], i, error);
        if (!message) goto fail;
        json_array_append_new(list, message);
    }
    if (options->tools) {
        json_t *given = parse_array(options->tools, "tools", error);
        if (!given) goto fail;
        tools = safe_json(&b, given);
        json_decref(given);
    }
    const gboolean knows_tools = strstr(template, "tools") != NULL;
    if (!knows_tools && engine_tokenizer_find_added(tokenizer, PLUGIN) >= 0) {
        write_actions(list, tools);
    } else if (tools && !knows_tools) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_UNSUPPORTED,
                    "%s: its chat template knows no tools", model->info.name);
        goto fail;
    }
    if (tools) json_object_set(context, "tools", tools);
    json_decref(tools);
    json_object_set_new(context, "add_generation_prompt",
                        json_boolean(options->add_generation_prompt));
    if (options->thinking != ENGINE_THINKING_DEFAULT)
        json_object_set_new(context, "enable_thinking",
                            json_boolean(options->thinking == ENGINE_THINKING_ON));
    set_token_text(context, "bos_token", tokenizer, engine_tokenizer_bos(tokenizer));
    set_token_text(context, "eos_token", tokenizer, engine_tokenizer_eos(tokenizer));
    set_token_text(context, "pad_token", tokenizer, engine_tokenizer_pad(tokenizer));
    set_token_text(context, "unk_token", tokenizer, engine_tokenizer_unk(tokenizer));
    return context;
fail:
    json_decref(tools);
    json_decref(context);
    return NULL;
}

char *
engine_chat_render(const engine_model *model, const engine_message *messages, size_t n,
                   const engine_chat_options *options, GError **error)
{
    const engine_chat_options defaults = engine_chat_options_default();
    const char *name = model->info.name ? model->info.name : "model";
    const char *template = model->tokenizer ? engine_chat_template_of(model->tokenizer) : NULL;
    if (!options) options = &defaults;
    if (!template) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_UNSUPPORTED, "%s: it has no chat template",
                    name);
        return NULL;
    }
    g_autoptr(jinja_template) parsed = jinja_parse(template, strlen(template), error);
    if (!parsed) {
        g_prefix_error(error, "%s: ", name);
        return NULL;
    }
    json_t *context = make_context(model, template, messages, n, options, error);
    if (!context) return NULL;
    char *text = jinja_render(parsed, context, error);
    json_decref(context);
    if (!text) g_prefix_error(error, "%s: ", name);
    return text;
}
