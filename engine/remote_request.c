/* A request as OpenAI's API writes it, in the dialect of the server at hand. */
#include <string.h>

#include "engine/json_schema.h"
#include "engine/remote.h"

#define AGAIN_TEMPERATURE 0.25 /* per attempt that broke its schema */

/* ---- dialects ---- */

static gboolean
names(const char *message, const char *word)
{
    return strstr(message, word) != NULL;
}

static gboolean
has_extras(const engine_remote_request *r)
{
    return r->top_k > 0 || r->min_p > 0 || r->repeat_penalty != 1;
}

gboolean
remote_dialect_adapt(remote_dialect *d, const engine_remote_request *r, const char *message)
{
    g_autofree char *said = g_ascii_strdown(message, -1);

    /* what the server names goes first; a refusal without a name costs what is most often refused */
    if (!d->completion_tokens && r->max_tokens > 0 && names(said, "max_completion_tokens"))
        return d->completion_tokens = TRUE;
    if (!d->no_usage && names(said, "stream_options")) return d->no_usage = TRUE;
    if (!d->no_temperature && names(said, "temperature")) return d->no_temperature = TRUE;
    if (!d->no_seed && names(said, "seed")) return d->no_seed = TRUE;
    if (!d->no_extras && has_extras(r) &&
        (names(said, "top_k") || names(said, "min_p") || names(said, "penalty")))
        return d->no_extras = TRUE;
    if (r->json_schema != NULL && d->format != REMOTE_FORMAT_WORDS) {
        d->format++;
        return TRUE;
    }
    if (!d->no_usage) return d->no_usage = TRUE;
    if (!d->no_extras && has_extras(r)) return d->no_extras = TRUE;
    return FALSE;
}

/* ---- the body ---- */

static void
set_string(json_t *object, const char *key, const char *text)
{
    if (text == NULL) return;
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    json_object_set_new(object, key, json_string(valid));
}

static gboolean
set_json(json_t *object, const char *key, const char *text, const char *what, GError **error)
{
    json_error_t problem;
    json_t *value = json_loads(text, 0, &problem);
    if (value == NULL) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_ARGUMENT, "%s: line %d: %s", what,
                    problem.line, problem.text);
        return FALSE;
    }
    json_object_set_new(object, key, value);
    return TRUE;
}

/* Where the server does not keep a schema, the model is told of it, behind what it was told last. */
static json_t *
message_to_json(const engine_message *m, const char *schema)
{
    json_t *object = json_object();
    g_autofree char *content =
        schema == NULL
            ? g_strdup(m->content)
            : g_strdup_printf("%s\n\nReply with nothing but one JSON value that this JSON Schema "
                              "accepts:\n%s",
                              m->content != NULL ? m->content : "", schema);
    set_string(object, "role", m->role);
    set_string(object, "content", content);
    if (content == NULL) json_object_set_new(object, "content", json_null());
    set_string(object, "reasoning_content", m->reasoning);
    set_string(object, "name", m->name);
    set_string(object, "tool_call_id", m->tool_call_id);
    if (m->tool_calls != NULL) {
        json_t *calls = json_loads(m->tool_calls, 0, NULL);
        if (calls != NULL) json_object_set_new(object, "tool_calls", calls);
    }
    return object;
}

static gboolean
set_format(json_t *body, const engine_remote_request *r, remote_format format, GError **error)
{
    if (format == REMOTE_FORMAT_WORDS) return TRUE;
    g_autoptr(json_t) value = json_object();
    if (format == REMOTE_FORMAT_SCHEMA) {
        g_autoptr(json_t) schema = json_pack("{s:s,s:b}", "name", "reply", "strict", 1);
        if (!set_json(schema, "schema", r->json_schema, "the JSON schema", error)) return FALSE;
        json_object_set_new(value, "type", json_string("json_schema"));
        json_object_set(value, "json_schema", schema);
    } else {
        json_object_set_new(value, "type", json_string("json_object"));
        if (format == REMOTE_FORMAT_OBJECT_SCHEMA &&
            !set_json(value, "schema", r->json_schema, "the JSON schema", error))
            return FALSE;
    }
    json_object_set(body, "response_format", value);
    return TRUE;
}

static void
set_choice(json_t *body, const engine_remote_request *r, const remote_dialect *d, guint attempt)
{
    if (r->max_tokens > 0)
        json_object_set_new(body, d->completion_tokens ? "max_completion_tokens" : "max_tokens",
                            json_integer(r->max_tokens));
    /* an answer that broke its schema would be the same again: another seed, and a temperature for it to work on */
    if (!d->no_temperature)
        json_object_set_new(body, "temperature",
                            json_real(MAX(r->temperature, AGAIN_TEMPERATURE * attempt)));
    /* many servers keep seeds in 32 bits, with a sign */
    if (!d->no_seed)
        json_object_set_new(body, "seed",
                            json_integer((json_int_t)((r->seed + attempt) & 0x7FFFFFFF)));
    if (r->top_p < 1) json_object_set_new(body, "top_p", json_real(r->top_p));
    if (d->no_extras) return;
    if (r->top_k > 0) json_object_set_new(body, "top_k", json_integer(r->top_k));
    if (r->min_p > 0) json_object_set_new(body, "min_p", json_real(r->min_p));
    if (r->repeat_penalty !=
        1) { /* the first as vLLM, SGLang and LMDeploy have it, the second llama.cpp */
        json_object_set_new(body, "repetition_penalty", json_real(r->repeat_penalty));
        json_object_set_new(body, "repeat_penalty", json_real(r->repeat_penalty));
    }
}

char *
remote_request_to_json(const engine_remote_request *r, const char *model, const remote_dialect *d,
                       guint attempt, GError **error)
{
    g_autoptr(json_t) body = json_object();
    const gboolean in_words = r->json_schema != NULL && d->format >= REMOTE_FORMAT_OBJECT;

    set_string(body, "model", model);
    if (r->prompt != NULL) {
        set_string(body, "prompt", r->prompt);
    } else {
        json_t *messages = json_array();
        for (size_t i = 0; i < r->n_messages; i++) {
            const gboolean last = in_words && i + 1 == r->n_messages;
            json_array_append_new(messages,
                                  message_to_json(&r->messages[i], last ? r->json_schema : NULL));
        }
        json_object_set_new(body, "messages", messages);
    }
    if (r->tools != NULL && !set_json(body, "tools", r->tools, "tools", error)) return NULL;
    if (r->json_schema != NULL && !set_format(body, r, d->format, error)) return NULL;
    set_choice(body, r, d, attempt);
    if (r->stop != NULL && r->stop[0] != NULL) {
        json_t *stop = json_array();
        for (size_t i = 0; r->stop[i] != NULL; i++)
            json_array_append_new(stop, json_string(r->stop[i]));
        json_object_set_new(body, "stop", stop);
    }
    json_object_set_new(body, "stream", json_boolean(!d->whole));
    if (!d->no_usage && !d->whole)
        json_object_set_new(body, "stream_options", json_pack("{s:b}", "include_usage", 1));
    char *text = json_dumps(body, JSON_COMPACT);
    char *copy = g_strdup(text);
    free(text);
    return copy;
}
