/* An answer of OpenAI's API, in events or in one piece -> reasoning, content, calls of tools, usage. Every byte of it is
 * a stranger's. */
#include <string.h>

#include "engine/json_schema.h"
#include "engine/remote.h"

enum { EVENT_MAX = 8 * 1024 * 1024, MAX_CALLS = 1024, ERROR_TEXT_MAX = 300 };

static gboolean
bad_format(GError **error, const char *what)
{
    g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT,
                "no answer of an OpenAI-compatible API: %s", what);
    return FALSE;
}

/* ---- errors ---- */

/* {"error": {"message"}} (OpenAI), {"error": "..."}, {"message"}, {"detail": "..." or a list} (FastAPI). */
static char *
error_from_json(const json_t *json)
{
    const json_t *e = json_object_get(json, "error");
    const json_t *candidates[] = {json_object_get(e, "message"), e,
                                  json_object_get(json, "message"),
                                  json_object_get(json, "detail")};
    for (size_t i = 0; i < G_N_ELEMENTS(candidates); i++)
        if (json_is_string(candidates[i])) return g_strdup(json_string_value(candidates[i]));
    const json_t *rest = e != NULL ? e : json_object_get(json, "detail");
    char *text = rest != NULL ? json_dumps(rest, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    char *copy = g_strdup(text != NULL ? text : "");
    free(text);
    return copy;
}

char *
remote_error_text(const char *body, size_t len, const char *key)
{
    g_autoptr(json_t) json = json_loadb(body, len, JSON_DISABLE_EOF_CHECK, NULL);
    g_autofree char *said =
        json != NULL ? error_from_json(json) : g_utf8_make_valid(body, (gssize)MIN(len, 4096));
    g_autoptr(GString) text = g_string_new(said);
    /* some servers say which key they did not like */
    if (key != NULL && *key != '\0') g_string_replace(text, key, "***", 0);
    for (size_t i = 0; i < text->len; i++)
        if (g_ascii_iscntrl(text->str[i])) text->str[i] = ' ';
    if (text->len > ERROR_TEXT_MAX) {
        const char *end = g_utf8_find_prev_char(text->str, text->str + ERROR_TEXT_MAX);
        g_string_truncate(text, (gsize)(end - text->str));
        g_string_append(text, "...");
    }
    return g_strdup(g_strstrip(text->str));
}

uint32_t
remote_context_limit(const char *message)
{
    static const char *const names[] = {"context length", "context size", "context window",
                                        "must be <="};
    enum { MAX_BETWEEN = 6, LEAST = 64 }; /* " is ", " of ", " (" */
    g_autofree char *said = g_ascii_strdown(message, -1);
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        const char *at = strstr(said, names[i]);
        if (at == NULL) continue;
        at += strlen(names[i]);
        const size_t between = strcspn(at, "0123456789");
        const guint64 n = g_ascii_strtoull(at + between, NULL, 10);
        if (between <= MAX_BETWEEN && n >= LEAST && n <= G_MAXINT32) return (uint32_t)n;
    }
    return 0;
}

gboolean
remote_says_too_long(const char *message)
{
    static const char *const phrases[] = {"too long",
                                          "too many tokens",
                                          "too many input",
                                          "context length exceeded",
                                          "context window exceeded",
                                          "context_length",
                                          "exceed context",
                                          "exceeds the context",
                                          "exceeds context",
                                          "reduce the length",
                                          "maximum context",
                                          "http status 413"};
    g_autofree char *said = g_ascii_strdown(message, -1);
    if (!g_str_has_prefix(said, "http status")) return FALSE;
    /* a reply that may be too long is no matter of the prompt */
    if (strstr(said, "max_tokens") != NULL || strstr(said, "max_completion_tokens") != NULL)
        return FALSE;
    for (size_t i = 0; i < G_N_ELEMENTS(phrases); i++)
        if (strstr(said, phrases[i]) != NULL) return TRUE;
    return FALSE;
}

/* ---- pieces ---- */

static void
pass_on(remote_decoder *d, engine_reply_part part, const char *text, size_t len)
{
    if (len == 0 || d->stopped) return;
    if (!d->on_part(part, text, len, d->user_data)) d->stopped = TRUE;
}

static void
on_thoughts(engine_reply_part part, const char *text, size_t len, const engine_tool_call *call,
            void *user_data)
{
    (void)call;
    pass_on(user_data, part, text, len);
}

static void
take_content(remote_decoder *d, const json_t *value)
{
    const char *text = json_string_value(value);
    const size_t len = json_string_length(value);
    if (text == NULL || len == 0) return;
    if (d->thoughts != NULL)
        engine_reply_parser_feed(d->thoughts, text, len);
    else
        pass_on(d, ENGINE_REPLY_CONTENT, text, len);
}

static void
append_string(json_t *object, const char *key, const json_t *more)
{
    if (!json_is_string(more)) return;
    const json_t *there = json_object_get(object, key);
    g_autofree char *text =
        g_strconcat(there != NULL ? json_string_value(there) : "", json_string_value(more), NULL);
    json_object_set_new(object, key, json_string(text));
}

/* Calls come in pieces: names and ids whole, arguments cut anywhere. */
static void
take_calls(remote_decoder *d, const json_t *calls)
{
    size_t i;
    json_t *piece;
    json_array_foreach((json_t *)(void *)calls, i, piece)
    {
        const json_t *index = json_object_get(piece, "index");
        const json_int_t at = json_is_integer(index) ? json_integer_value(index) : (json_int_t)i;
        if (at < 0 || at >= MAX_CALLS || (size_t)at > json_array_size(d->calls)) continue;
        if ((size_t)at == json_array_size(d->calls))
            json_array_append_new(d->calls, json_pack("{s:s,s:{s:s,s:s}}", "type", "function",
                                                      "function", "name", "", "arguments", ""));
        json_t *call = json_array_get(d->calls, (size_t)at);
        json_t *function = json_object_get(call, "function");
        const json_t *more = json_object_get(piece, "function");
        if (json_is_string(json_object_get(piece, "id")))
            json_object_set(call, "id", json_object_get(piece, "id"));
        append_string(function, "name", json_object_get(more, "name"));
        append_string(function, "arguments", json_object_get(more, "arguments"));
    }
}

static gboolean
take_reason(remote_decoder *d, const json_t *value, GError **error)
{
    const char *reason = json_string_value(value);
    if (reason == NULL) return TRUE;
    d->finished = TRUE;
    d->reason = strcmp(reason, "length") == 0 ? ENGINE_STOP_LENGTH : ENGINE_STOP_EOS;
    if (strcmp(reason, "content_filter") != 0) return TRUE;
    g_set_error_literal(error, ENGINE_ERROR, ENGINE_ERROR_UNSUPPORTED,
                        "the server's content filter ended the answer");
    return FALSE;
}

static uint64_t
count_of(const json_t *value)
{
    return json_is_integer(value) && json_integer_value(value) > 0
               ? (uint64_t)json_integer_value(value)
               : 0;
}

static void
keep_string(char **slot, const json_t *value)
{
    if (*slot == NULL && json_is_string(value)) *slot = g_strdup(json_string_value(value));
}

static void
take_facts(remote_decoder *d, const json_t *json)
{
    engine_remote_reply *reply = d->reply;
    const json_t *usage = json_object_get(json, "usage");

    keep_string(&reply->model, json_object_get(json, "model"));
    keep_string(&reply->fingerprint, json_object_get(json, "system_fingerprint"));
    if (!json_is_object(usage)) return;
    reply->has_usage = TRUE;
    reply->n_prompt = count_of(json_object_get(usage, "prompt_tokens"));
    reply->n_generated = count_of(json_object_get(usage, "completion_tokens"));
    const json_t *details = json_object_get(usage, "completion_tokens_details");
    reply->n_reasoning = count_of(json_object_get(details, "reasoning_tokens"));
}

/* One event, or the whole answer: they differ in "delta" and "message" alone. */
static gboolean
take_json(remote_decoder *d, const json_t *json, GError **error)
{
    if (!json_is_object(json)) return bad_format(error, "JSON that is no object");
    if (json_object_get(json, "error") != NULL && !json_is_null(json_object_get(json, "error"))) {
        g_autofree char *said = error_from_json(json);
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_NETWORK, "the server says: %.300s", said);
        return FALSE;
    }
    take_facts(d, json);
    const json_t *choices = json_object_get(json, "choices");
    if (!json_is_array(choices)) return bad_format(error, "JSON without choices");
    const json_t *choice = json_array_get(choices, 0); /* absent in the event that tells usage */
    const json_t *message = json_object_get(choice, d->is_stream ? "delta" : "message");
    if (d->raw) {
        take_content(d, json_object_get(choice, "text"));
    } else if (json_is_object(message)) {
        const json_t *reasoning = json_object_get(message, "reasoning_content");
        if (!json_is_string(reasoning)) reasoning = json_object_get(message, "reasoning");
        pass_on(d, ENGINE_REPLY_REASONING, json_string_value(reasoning),
                json_string_length(reasoning));
        take_content(d, json_object_get(message, "content"));
        take_calls(d, json_object_get(message, "tool_calls"));
    }
    return take_reason(d, json_object_get(choice, "finish_reason"), error);
}

static gboolean
take_text(remote_decoder *d, const char *text, size_t len, GError **error)
{
    g_autoptr(json_t) json = json_loadb(text, len, 0, NULL);
    if (json == NULL) return bad_format(error, "neither JSON nor [DONE]");
    return take_json(d, json, error);
}

static gboolean
on_event(const char *data, size_t len, void *user_data, GError **error)
{
    remote_decoder *d = user_data;
    if (d->done || len == 0) return TRUE;
    if (strcmp(data, "[DONE]") == 0) return d->done = TRUE;
    return take_text(d, data, len, error) && !d->stopped;
}

/* ---- an answer ---- */

void
remote_decoder_init(remote_decoder *d, gboolean raw, engine_remote_reply *reply)
{
    *d = (remote_decoder){.raw = raw, .reply = reply, .reason = ENGINE_STOP_EOS};
    d->calls = json_array();
    d->body = g_string_new(NULL);
    if (!raw) d->thoughts = engine_reply_parser_new(ENGINE_CALLS_PLAIN, NULL, NULL, on_thoughts, d);
    sse_parser_init(&d->events, EVENT_MAX, on_event, d);
}

void
remote_decoder_clear(remote_decoder *d)
{
    engine_reply_parser_free(d->thoughts);
    json_decref(d->calls);
    if (d->body != NULL) g_string_free(d->body, TRUE);
    sse_parser_clear(&d->events);
    *d = (remote_decoder){0};
}

gboolean
remote_decoder_begin(remote_decoder *d, const char *content_type, GError **error)
{
    g_autofree char *type = g_ascii_strdown(content_type != NULL ? content_type : "", -1);
    g_strstrip(type);
    if (g_str_has_prefix(type, "text/event-stream")) {
        d->known = d->is_stream = TRUE;
    } else if (g_str_has_prefix(type, "application/json")) {
        d->known = TRUE;
    } else if (*type != '\0' && !g_str_has_prefix(type, "text/plain") &&
               !g_str_has_prefix(type, "application/octet-stream")) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT,
                    "answers with %.80s: no OpenAI-compatible endpoint", type);
        return FALSE;
    }
    return TRUE;
}

/* A server that does not say what it sends: an answer in one piece begins with "{". */
static gboolean
guess_kind(remote_decoder *d, const char *bytes, size_t len)
{
    size_t i = 0;
    while (i < len && g_ascii_isspace(bytes[i]))
        i++;
    if (i == len) return FALSE;
    d->known = TRUE;
    d->is_stream = bytes[i] != '{';
    return TRUE;
}

gboolean
remote_decoder_feed(remote_decoder *d, const char *bytes, size_t len, GError **error)
{
    if (!d->known && !guess_kind(d, bytes, len)) return TRUE;
    if (d->is_stream) return sse_parser_feed(&d->events, bytes, len, error);
    g_string_append_len(d->body, bytes, (gssize)len); /* within the exchange's limit */
    return TRUE;
}

gboolean
remote_decoder_finish(remote_decoder *d, GError **error)
{
    if (d->is_stream ? !sse_parser_finish(&d->events, error)
                     : !take_text(d, d->body->str, d->body->len, error))
        return d->stopped;
    if (d->is_stream && !d->done && !d->finished) {
        g_set_error_literal(error, ENGINE_ERROR, ENGINE_ERROR_NETWORK,
                            "the stream ended before the answer did");
        return FALSE;
    }
    if (d->thoughts != NULL) engine_reply_parser_finish(d->thoughts);
    return TRUE;
}
