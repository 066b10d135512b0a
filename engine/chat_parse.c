/* Taking a model's reply apart while it is written: thoughts, content, tool calls.
 *
 *   <think> reasoning </think> content OPEN call CLOSE OPEN call CLOSE ...
 *
 * One state per part. Text goes on as soon as it can no longer belong to a mark; a call is collected whole
 * and read when it closes. What each family writes between OPEN and CLOSE is at engine_calls_format. */
#include "engine/model.h"

#include <string.h>

#define THINK_OPEN  "<think>"
#define THINK_CLOSE "</think>"
#define PLUGIN      "<|plugin|>"
#define INTERPRETER "<|interpreter|>"

typedef enum { PART_START, PART_REASONING, PART_CONTENT, PART_CALL } reply_state;

struct engine_reply_parser {
    engine_calls_format format;
    engine_reply_callback callback;
    void *user_data;
    json_t *tools; /* owned, may be NULL */
    reply_state state;
    GString *pending;   /* not yet passed on; in a call, its text */
    size_t searched;    /* bytes of pending that hold no beginning of the mark that closes a call */
    GString *held;      /* white space that is text only if more text follows */
    gboolean skip_lead; /* white space comes before the part's first character */
    gboolean bare;      /* the call began without a mark */
    size_t n_calls;
};

/* By engine_calls_format; a call without a mark at its end lasts until the reply does. */
static const struct {
    const char *open, *close;
} marks[] = {
    [ENGINE_CALLS_PLAIN] = {NULL, NULL},
    [ENGINE_CALLS_HERMES] = {"<tool_call>", "</tool_call>"},
    [ENGINE_CALLS_XML] = {"<tool_call>", "</tool_call>"},
    [ENGINE_CALLS_ACTION] = {"<|action_start|>", "<|action_end|>"},
    [ENGINE_CALLS_LLAMA3] = {"<|python_tag|>", NULL},
    [ENGINE_CALLS_MISTRAL] = {"[TOOL_CALLS]", NULL},
};

engine_reply_parser *
engine_reply_parser_new(engine_calls_format format, const char *prompt, const char *tools,
                        engine_reply_callback callback, void *user_data)
{
    engine_reply_parser *p = g_new0(engine_reply_parser, 1);
    p->format = format;
    p->callback = callback;
    p->user_data = user_data;
    p->tools = tools ? json_loads(tools, 0, NULL) : NULL;
    p->pending = g_string_new(NULL);
    p->held = g_string_new(NULL);
    if (prompt) {
        size_t n = strlen(prompt);
        while (n > 0 && g_ascii_isspace(prompt[n - 1]))
            n--;
        const size_t open = strlen(THINK_OPEN);
        if (n >= open && memcmp(prompt + n - open, THINK_OPEN, open) == 0) {
            p->state = PART_REASONING;
            p->skip_lead = TRUE;
        }
    }
    return p;
}

void
engine_reply_parser_free(engine_reply_parser *p)
{
    if (!p) return;
    json_decref(p->tools);
    g_string_free(p->pending, TRUE);
    g_string_free(p->held, TRUE);
    g_free(p);
}

/* ---- passing on ------------------------------------------------------------------------------- */

static void
pass_text(engine_reply_parser *p, const char *text, size_t len)
{
    if (p->skip_lead) {
        while (len > 0 && g_ascii_isspace(*text))
            text++, len--;
        if (len == 0) return;
        p->skip_lead = FALSE;
    }
    size_t solid = len;
    while (solid > 0 && g_ascii_isspace(text[solid - 1]))
        solid--;
    const engine_reply_part part =
        p->state == PART_REASONING ? ENGINE_REPLY_REASONING : ENGINE_REPLY_CONTENT;
    if (solid > 0) {
        if (p->held->len > 0) p->callback(part, p->held->str, p->held->len, NULL, p->user_data);
        g_string_truncate(p->held, 0);
        p->callback(part, text, solid, NULL, p->user_data);
    }
    g_string_append_len(p->held, text + solid, (gssize)(len - solid));
}

static void
begin_part(engine_reply_parser *p, reply_state state)
{
    if (state != PART_CALL) g_string_truncate(p->held, 0);
    p->state = state;
    p->skip_lead = TRUE;
    p->searched = 0;
}

/* Passes on what is ours to give, consumes the json_t. FALSE when it is no call. */
static gboolean
pass_call(engine_reply_parser *p, const char *name, json_t *arguments)
{
    char *text = NULL;
    if (json_is_string(arguments)) { /* an object written as a string */
        json_t *inner = json_loads(json_string_value(arguments), 0, NULL);
        if (inner) {
            json_decref(arguments);
            arguments = inner;
        }
    }
    if (name && *name && json_is_object(arguments))
        text = json_dumps(arguments, JSON_ENSURE_ASCII | JSON_PRESERVE_ORDER);
    json_decref(arguments);
    if (!text) return FALSE;
    g_autofree char *own_name = g_strdup(name);
    const engine_tool_call call = {own_name, text};
    p->callback(ENGINE_REPLY_CALL, NULL, 0, &call, p->user_data);
    free(text);
    p->n_calls++;
    return TRUE;
}

/* {"name": ..., "arguments" or "parameters": {...}}; without either, a call without arguments. */
static gboolean
pass_object(engine_reply_parser *p, json_t *object)
{
    const char *name = json_string_value(json_object_get(object, "name"));
    json_t *arguments = json_object_get(object, "arguments");
    if (!arguments) arguments = json_object_get(object, "parameters");
    return pass_call(p, name, arguments ? json_incref(arguments) : json_object());
}

/* ---- reading a call --------------------------------------------------------------------------- */

static const char *
skip_blanks(const char *s)
{
    while (g_ascii_isspace(*s))
        s++;
    return s;
}

static gboolean
read_json(engine_reply_parser *p, const char *text)
{
    json_t *object = json_loads(text, 0, NULL);
    const gboolean ok = json_is_object(object) && pass_object(p, object);
    json_decref(object);
    return ok;
}

/* Python between fences, or without. */
static gboolean
read_code(engine_reply_parser *p, const char *text)
{
    text = skip_blanks(text);
    size_t n = strlen(text);
    if (g_str_has_prefix(text, "```")) {
        const char *line = strchr(text, '\n');
        const char *from = line ? line + 1 : text + n;
        const char *fence = g_strrstr(from, "```");
        n = fence ? (size_t)(fence - from) : strlen(from);
        text = from;
    }
    while (n > 0 && g_ascii_isspace(text[n - 1]))
        n--;
    return pass_call(p, INTERPRETER, json_pack("{ss%}", "code", text, n));
}

static gboolean
read_action(engine_reply_parser *p, const char *text)
{
    text = skip_blanks(text);
    if (g_str_has_prefix(text, PLUGIN)) return read_json(p, text + strlen(PLUGIN));
    if (g_str_has_prefix(text, INTERPRETER)) return read_code(p, text + strlen(INTERPRETER));
    return FALSE;
}

/* Whether the tool's schema lets the argument be a string: -1 when it says nothing. */
static int
may_be_string(const engine_reply_parser *p, const char *name, const char *key, gboolean *only)
{
    size_t i;
    json_t *tool;
    *only = FALSE;
    json_array_foreach(p->tools, i, tool)
    {
        const json_t *function = json_object_get(tool, "function");
        if (!function) function = tool;
        if (g_strcmp0(json_string_value(json_object_get(function, "name")), name) != 0) continue;
        const json_t *parameters = json_object_get(function, "parameters");
        const json_t *type = json_object_get(
            json_object_get(json_object_get(parameters, "properties"), key), "type");
        if (!type) return -1;
        *only = json_is_string(type);
        if (*only) return strcmp(json_string_value(type), "string") == 0;
        size_t k;
        json_t *one;
        json_array_foreach(type, k, one)
        {
            if (g_strcmp0(json_string_value(one), "string") == 0) return 1;
        }
        return 0;
    }
    return -1;
}

/* The template writes strings as they are and everything else as JSON, so the schema has to tell. */
static json_t *
xml_value(const engine_reply_parser *p, const char *name, const char *key, const char *text,
          size_t n)
{
    if (n > 0 && text[0] == '\n') text++, n--;
    if (n > 0 && text[n - 1] == '\n') n--;
    gboolean only;
    const int string = may_be_string(p, name, key, &only);
    json_t *value = NULL;
    if (string == 0 || (string == 1 && !only && n == 4 && memcmp(text, "null", 4) == 0))
        value = json_loadb(text, n, JSON_DECODE_ANY, NULL);
    return value ? value : json_stringn(text, n);
}

/* <function=NAME> <parameter=KEY> VALUE </parameter> ... </function> */
static gboolean
read_xml(engine_reply_parser *p, const char *text)
{
    static const char function[] = "<function=", parameter[] = "<parameter=";
    static const char close[] = "</parameter>";
    const char *s = skip_blanks(text);
    if (!g_str_has_prefix(s, function)) return FALSE;
    s += strlen(function);
    const char *end = strpbrk(s, ">\n");
    if (!end || *end != '>') return FALSE;
    g_autofree char *name = g_strndup(s, (gsize)(end - s));
    json_t *arguments = json_object();
    for (s = skip_blanks(end + 1); g_str_has_prefix(s, parameter); s = skip_blanks(s)) {
        s += strlen(parameter);
        end = strpbrk(s, ">\n");
        const char *stop = end ? strstr(end, close) : NULL;
        if (!stop || *end != '>') break;
        g_autofree char *key = g_strndup(s, (gsize)(end - s));
        json_object_set_new(arguments, key,
                            xml_value(p, name, key, end + 1, (size_t)(stop - end - 1)));
        s = stop + strlen(close);
    }
    if (g_str_has_prefix(s, "</function>")) return pass_call(p, name, arguments);
    json_decref(arguments);
    return FALSE;
}

/* One object or several, with blanks or semicolons between. */
static gboolean
read_llama3(engine_reply_parser *p, const char *text)
{
    g_autoptr(GPtrArray) calls = g_ptr_array_new_with_free_func((GDestroyNotify)json_decref);
    for (const char *s = skip_blanks(text); *s;) {
        json_error_t where;
        json_t *object = json_loads(s, JSON_DISABLE_EOF_CHECK, &where);
        if (!object) return FALSE;
        g_ptr_array_add(calls, object);
        if (!json_is_string(json_object_get(object, "name"))) return FALSE;
        s += where.position;
        while (g_ascii_isspace(*s) || *s == ';')
            s++;
    }
    gboolean all = calls->len > 0;
    for (guint i = 0; i < calls->len; i++)
        all = pass_object(p, calls->pdata[i]) && all;
    return all;
}

/* [{...}, ...]; or NAME[ARGS]{...}, later ones behind further marks. */
static gboolean
read_mistral(engine_reply_parser *p, const char *text)
{
    const char *s = skip_blanks(text);
    gboolean any = FALSE;
    if (*s == '[') {
        json_t *list = json_loads(s, JSON_DISABLE_EOF_CHECK, NULL), *object;
        size_t i;
        json_array_foreach(list, i, object) any = pass_object(p, object) || any;
        json_decref(list);
        return any;
    }
    g_auto(GStrv) parts = g_strsplit(s, marks[ENGINE_CALLS_MISTRAL].open, -1);
    for (char **part = parts; *part; part++) {
        const char *args = strstr(*part, "[ARGS]");
        const char *id = strstr(*part, "[CALL_ID]");
        if (!args) continue;
        const char *end = id && id < args ? id : args;
        g_autofree char *name = g_strndup(*part, (gsize)(end - *part));
        json_t *arguments = json_loads(args + strlen("[ARGS]"), JSON_DISABLE_EOF_CHECK, NULL);
        any = pass_call(p, g_strstrip(name), arguments) || any;
    }
    return any;
}

/* The call in pending [n] is over; closed: its mark was there. */
static void
end_call(engine_reply_parser *p, size_t n, gboolean closed)
{
    g_autofree char *text = g_strndup(p->pending->str, n);
    gboolean ok = FALSE;
    switch (p->format) {
    case ENGINE_CALLS_PLAIN:
        break;
    case ENGINE_CALLS_HERMES:
        ok = read_json(p, text);
        break;
    case ENGINE_CALLS_XML:
        ok = read_xml(p, text);
        break;
    case ENGINE_CALLS_ACTION:
        ok = read_action(p, text);
        break;
    case ENGINE_CALLS_LLAMA3:
        ok = read_llama3(p, text);
        break;
    case ENGINE_CALLS_MISTRAL:
        ok = read_mistral(p, text);
        break;
    }
    if (ok) {
        begin_part(p, PART_CONTENT);
    } else { /* as it stands */
        p->state = PART_CONTENT;
        p->skip_lead = FALSE;
        if (!p->bare) pass_text(p, marks[p->format].open, strlen(marks[p->format].open));
        pass_text(p, p->pending->str, n);
        if (closed) pass_text(p, marks[p->format].close, strlen(marks[p->format].close));
    }
    p->bare = FALSE;
}

/* ---- the states ------------------------------------------------------------------------------- */

/* Where mark stands in s [n]; else -1, and in *keep how many bytes at the end may be its beginning. */
static gssize
find_mark(const char *s, size_t n, const char *mark, size_t *keep)
{
    const size_t len = strlen(mark);
    const char *found = memmem(s, n, mark, len);
    *keep = 0;
    if (found) return found - s;
    for (size_t k = MIN(n, len - 1); k > 0; k--) {
        if (memcmp(s + n - k, mark, k) != 0) continue;
        *keep = k;
        break;
    }
    return -1;
}

/* Each step: TRUE when the state has changed and there is more to do. ended: no more text will come. */

static gboolean
step_start(engine_reply_parser *p, gboolean ended)
{
    const char *s = skip_blanks(p->pending->str);
    const size_t n = p->pending->len - (size_t)(s - p->pending->str), open = strlen(THINK_OPEN);
    if (!ended && n < open && memcmp(s, THINK_OPEN, n) == 0) return FALSE;
    if (g_str_has_prefix(s, THINK_OPEN)) {
        g_string_erase(p->pending, 0, s - p->pending->str + (gssize)open);
        begin_part(p, PART_REASONING);
    } else if (p->format == ENGINE_CALLS_LLAMA3 && p->tools && *s == '{') {
        begin_part(p, PART_CALL);
        p->bare = TRUE;
    } else {
        p->state = PART_CONTENT;
    }
    return TRUE;
}

static gboolean
step_text(engine_reply_parser *p, gboolean ended)
{
    const gboolean reasoning = p->state == PART_REASONING;
    const char *mark = reasoning ? THINK_CLOSE : marks[p->format].open;
    size_t keep = 0;
    const gssize at = mark ? find_mark(p->pending->str, p->pending->len, mark, &keep) : (gssize)-1;
    if (ended && at < 0) keep = 0;
    const size_t n = at >= 0 ? (size_t)at : p->pending->len - keep;
    pass_text(p, p->pending->str, n);
    g_string_erase(p->pending, 0, (gssize)(at >= 0 ? n + strlen(mark) : n));
    if (at >= 0) begin_part(p, reasoning ? PART_CONTENT : PART_CALL);
    return at >= 0;
}

static gboolean
step_call(engine_reply_parser *p, gboolean ended)
{
    const char *mark = marks[p->format].close;
    size_t keep = 0;
    const gssize at = mark && !p->bare ? find_mark(p->pending->str + p->searched,
                                                   p->pending->len - p->searched, mark, &keep)
                                       : (gssize)-1;
    if (at >= 0) {
        const size_t n = p->searched + (size_t)at;
        end_call(p, n, TRUE);
        g_string_erase(p->pending, 0, (gssize)(n + strlen(mark)));
        return TRUE;
    }
    p->searched = p->pending->len - keep;
    if (!ended) return FALSE;
    end_call(p, p->pending->len, FALSE);
    g_string_truncate(p->pending, 0);
    return TRUE;
}

static void
drain(engine_reply_parser *p, gboolean ended)
{
    gboolean more = TRUE;
    while (more && p->pending->len > 0) {
        if (p->state == PART_START)
            more = step_start(p, ended);
        else if (p->state == PART_CALL)
            more = step_call(p, ended);
        else
            more = step_text(p, ended);
    }
}

void
engine_reply_parser_feed(engine_reply_parser *p, const char *text, size_t len)
{
    /* no family writes NUL, and calls are read as C strings */
    for (const char *end = text + len; text < end;) {
        const char *nul = memchr(text, '\0', (size_t)(end - text));
        const char *stop = nul ? nul : end;
        g_string_append_len(p->pending, text, stop - text);
        text = nul ? nul + 1 : end;
    }
    drain(p, FALSE);
}

void
engine_reply_parser_finish(engine_reply_parser *p)
{
    drain(p, TRUE);
    if (p->state == PART_CALL) end_call(p, 0, FALSE); /* nothing came behind the mark */
    if (p->state == PART_CONTENT && p->n_calls == 0 && p->held->len > 0)
        p->callback(ENGINE_REPLY_CONTENT, p->held->str, p->held->len, NULL, p->user_data);
    g_string_truncate(p->held, 0);
}

/* ---- whole replies ---------------------------------------------------------------------------- */

typedef struct {
    GString *reasoning, *content;
    GArray *calls;
} collected;

static void
collect(engine_reply_part part, const char *text, size_t len, const engine_tool_call *call,
        void *user_data)
{
    collected *c = user_data;
    if (part == ENGINE_REPLY_CALL) {
        const engine_tool_call copy = {g_strdup(call->name), g_strdup(call->arguments)};
        g_array_append_val(c->calls, copy);
    } else {
        g_string_append_len(part == ENGINE_REPLY_REASONING ? c->reasoning : c->content, text,
                            (gssize)len);
    }
}

engine_reply *
engine_chat_parse(const engine_model *model, const char *prompt, const char *tools,
                  const char *text, size_t len)
{
    collected c = {g_string_new(NULL), g_string_new(NULL),
                   g_array_new(FALSE, FALSE, sizeof(engine_tool_call))};
    g_autoptr(engine_reply_parser) parser =
        engine_reply_parser_new(engine_chat_calls_format(model), prompt, tools, collect, &c);
    engine_reply_parser_feed(parser, text, len);
    engine_reply_parser_finish(parser);
    engine_reply *reply = g_new0(engine_reply, 1);
    const gboolean thought = c.reasoning->len > 0;
    reply->reasoning = g_string_free(c.reasoning, !thought);
    reply->content = g_string_free(c.content, FALSE);
    reply->n_calls = c.calls->len;
    reply->calls = (engine_tool_call *)(void *)g_array_free(c.calls, FALSE);
    return reply;
}

void
engine_reply_free(engine_reply *reply)
{
    if (!reply) return;
    for (size_t i = 0; i < reply->n_calls; i++) {
        g_free(reply->calls[i].name);
        g_free(reply->calls[i].arguments);
    }
    g_free(reply->calls);
    g_free(reply->reasoning);
    g_free(reply->content);
    g_free(reply);
}

/* ---- which family ----------------------------------------------------------------------------- */

static gboolean
has_token(const engine_model *model, const char *text)
{
    return engine_tokenizer_find_added(model->tokenizer, text) >= 0;
}

engine_calls_format
engine_chat_calls_format(const engine_model *model)
{
    if (!model->tokenizer) return ENGINE_CALLS_PLAIN;
    const char *template = engine_tokenizer_chat_template(model->tokenizer);
    if (template) {
        if (strstr(template, "<function=") && strstr(template, "<tool_call>"))
            return ENGINE_CALLS_XML;
        if (strstr(template, "<|action_start|>")) return ENGINE_CALLS_ACTION;
        if (strstr(template, "<tool_call>")) return ENGINE_CALLS_HERMES;
        if (strstr(template, "<|python_tag|>") || strstr(template, "ipython"))
            return ENGINE_CALLS_LLAMA3;
        if (strstr(template, "[TOOL_CALLS]")) return ENGINE_CALLS_MISTRAL;
    }
    if (has_token(model, "<|action_start|>")) return ENGINE_CALLS_ACTION;
    if (has_token(model, "<tool_call>")) return ENGINE_CALLS_HERMES;
    return ENGINE_CALLS_PLAIN;
}
