/* Chat messages as OpenAI's API writes them. */
#include "pipelines/messages.h"

#include <string.h>

#include "pipelines/internal.h"

pipelines_messages *
pipelines_messages_new(void)
{
    pipelines_messages *m = g_new0(pipelines_messages, 1);
    m->list = g_array_new(FALSE, TRUE, sizeof(engine_message));
    m->strings = g_ptr_array_new_with_free_func(g_free);
    return m;
}

void
pipelines_messages_free(pipelines_messages *m)
{
    if (m == NULL) return;
    g_array_unref(m->list);
    g_ptr_array_unref(m->strings);
    g_free(m->tools);
    g_free(m);
}

static const char *
keep(pipelines_messages *m, char *text)
{
    if (text != NULL) g_ptr_array_add(m->strings, text);
    return text;
}

void
pipelines_messages_add(pipelines_messages *m, const char *role, const char *content)
{
    const engine_message message = {.role = keep(m, g_strdup(role)),
                                    .content = keep(m, g_strdup(content))};
    g_array_append_val(m->list, message);
}

static gboolean
fail(GError **error, size_t index, const char *what)
{
    g_set_error(error, PIPELINES_ERROR, LODE_ERROR_FORMAT, "message %zu: %s", index + 1, what);
    return FALSE;
}

/* A member that is a string, null or absent. */
static gboolean
read_string(pipelines_messages *m, const json_t *object, const char *key, size_t index,
            const char **out, GError **error)
{
    const json_t *value = json_object_get(object, key);
    *out = NULL;
    if (value == NULL || json_is_null(value)) return TRUE;
    if (!json_is_string(value)) return fail(error, index, "a text is no string");
    *out = keep(m, g_strdup(json_string_value(value)));
    return TRUE;
}

static gboolean
read_content(pipelines_messages *m, const json_t *object, size_t index, const char **out,
             GError **error)
{
    const json_t *content = json_object_get(object, "content");
    json_t *part;
    size_t i;
    if (!json_is_array(content)) return read_string(m, object, "content", index, out, error);
    g_autoptr(GString) text = g_string_new(NULL);
    json_array_foreach((json_t *)(void *)content, i, part)
    {
        const char *type = json_string_value(json_object_get(part, "type"));
        const char *own = json_string_value(json_object_get(part, "text"));
        if (g_strcmp0(type, "text") != 0 || own == NULL)
            return fail(error, index, "only parts of type text are read");
        g_string_append(text, own);
    }
    *out = keep(m, g_string_free(g_steal_pointer(&text), FALSE));
    return TRUE;
}

static char *
dump(const json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT);
    char *copy = g_strdup(text);
    free(text);
    return copy;
}

static gboolean
read_message(pipelines_messages *m, const json_t *object, size_t index, GError **error)
{
    engine_message message = {0};
    const json_t *calls = json_object_get(object, "tool_calls");

    if (!json_is_object(object)) return fail(error, index, "it is no object");
    if (!read_string(m, object, "role", index, &message.role, error) ||
        !read_content(m, object, index, &message.content, error) ||
        !read_string(m, object, "reasoning_content", index, &message.reasoning, error) ||
        !read_string(m, object, "name", index, &message.name, error) ||
        !read_string(m, object, "tool_call_id", index, &message.tool_call_id, error))
        return FALSE;
    if (message.role == NULL) return fail(error, index, "it has no role");
    if (calls != NULL && !json_is_null(calls)) {
        if (!json_is_array(calls)) return fail(error, index, "tool_calls is no list");
        message.tool_calls = keep(m, dump(calls));
    }
    if (message.content == NULL && message.tool_calls == NULL)
        return fail(error, index, "it has no content");
    g_array_append_val(m->list, message);
    return TRUE;
}

gboolean
pipelines_messages_parse(pipelines_messages *m, const char *text, size_t len, GError **error)
{
    json_error_t problem;
    g_autoptr(json_t) json = json_loadb(text, len, 0, &problem);
    if (json == NULL) {
        g_set_error(error, PIPELINES_ERROR, LODE_ERROR_FORMAT, "line %d, column %d: %s",
                    problem.line, problem.column, problem.text);
        return FALSE;
    }
    const json_t *list = json_is_array(json) ? json : json_object_get(json, "messages");
    const json_t *tools = json_object_get(json, "tools");
    if (!json_is_array(list) || json_array_size(list) == 0) {
        g_set_error_literal(error, PIPELINES_ERROR, LODE_ERROR_FORMAT,
                            "there is no list of messages");
        return FALSE;
    }
    for (size_t i = 0; i < json_array_size(list); i++)
        if (!read_message(m, json_array_get(list, i), i, error)) return FALSE;
    if (tools == NULL || json_is_null(tools)) return TRUE;
    if (!json_is_array(tools)) {
        g_set_error_literal(error, PIPELINES_ERROR, LODE_ERROR_FORMAT, "tools is no list");
        return FALSE;
    }
    g_free(m->tools);
    m->tools = json_array_size(tools) > 0 ? dump(tools) : NULL;
    return TRUE;
}
