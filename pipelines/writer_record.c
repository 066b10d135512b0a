/* Keeping what a writer elsewhere replied, and replying with it again: a run whose model cannot be asked twice is
 * replayed from its record.
 *
 *   {"REQUEST'S SHA-256": {"text", "reasoning", "prompt", "reason", "prompt_tokens", "answer_tokens"}, ...} */
#include <string.h>

#include "pipelines/writer.h"

typedef struct {
    const lode_writer *inner; /* NULL: replies come from the record */
    json_t *replies;
    GMutex lock; /* of replies */
} recording;

/* All that a reply depends on. */
static char *
request_key(const pipelines_write_request *request)
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    g_autofree char *numbers = g_strdup_printf("%u %.17g %" G_GUINT64_FORMAT, request->max_tokens,
                                               request->temperature, request->seed);
    g_checksum_update(sum, (const guchar *)numbers, -1);
    for (size_t i = 0; i < request->n_messages; i++) {
        const engine_message *m = &request->messages[i];
        const char *parts[] = {m->role, m->content, m->reasoning};
        for (size_t j = 0; j < G_N_ELEMENTS(parts); j++)
            if (parts[j] != NULL)
                g_checksum_update(sum, (const guchar *)parts[j], (gssize)strlen(parts[j]) + 1);
    }
    if (request->json_schema != NULL)
        g_checksum_update(sum, (const guchar *)request->json_schema, -1);
    return g_strdup(g_checksum_get_string(sum));
}

static json_t *
reply_to_json(const pipelines_written *written)
{
    json_t *json = json_object();
    json_object_set_new(json, "text", json_stringn(written->text->str, written->text->len));
    if (written->reasoning != NULL)
        json_object_set_new(json, "reasoning", json_string(written->reasoning));
    if (written->prompt != NULL) json_object_set_new(json, "prompt", json_string(written->prompt));
    json_object_set_new(json, "reason", json_integer(written->generation.reason));
    json_object_set_new(json, "prompt_tokens", json_integer(written->generation.n_prompt));
    json_object_set_new(json, "answer_tokens", json_integer(written->generation.n_generated));
    return json;
}

static gboolean
reply_from_json(const json_t *json, const pipelines_write_request *request,
                pipelines_written *written)
{
    const char *text = json_string_value(json_object_get(json, "text"));
    const json_int_t reason = json_integer_value(json_object_get(json, "reason"));
    if (text == NULL) return FALSE;
    g_string_assign(written->text, text);
    written->reasoning = g_strdup(json_string_value(json_object_get(json, "reasoning")));
    written->prompt = g_strdup(json_string_value(json_object_get(json, "prompt")));
    written->generation.reason = reason >= 0 && reason <= ENGINE_STOP_CANCELLED
                                     ? (engine_stop_reason)reason
                                     : ENGINE_STOP_EOS;
    written->generation.n_prompt =
        (uint32_t)json_integer_value(json_object_get(json, "prompt_tokens"));
    written->generation.n_generated =
        (uint32_t)json_integer_value(json_object_get(json, "answer_tokens"));
    if (request->text != NULL && *text != '\0' &&
        !request->text(text, strlen(text), request->user_data))
        written->generation.reason = ENGINE_STOP_CALLBACK;
    return TRUE;
}

static gboolean
record_write(const lode_writer *writer, engine_pool *pool, const pipelines_write_request *request,
             pipelines_written *written, GError **error)
{
    recording *r = writer->data;
    g_autofree char *key = request_key(request);
    if (r->inner == NULL) {
        if (reply_from_json(json_object_get(r->replies, key), request, written)) return TRUE;
        g_set_error_literal(
            error, PIPELINES_ERROR, LODE_ERROR_MISMATCH,
            "the record holds no reply to what is asked now: the passages or lode's "
            "prompts are others than then");
        return FALSE;
    }
    if (!r->inner->kind->write(r->inner, pool, request, written, error)) return FALSE;
    g_mutex_lock(&r->lock);
    json_object_set_new(r->replies, key, reply_to_json(written));
    g_mutex_unlock(&r->lock);
    return TRUE;
}

/* The safe guess of writer_endpoint.c, for it is one of those that is replayed. */
static gboolean
record_count(const lode_writer *writer, const pipelines_write_request *request, size_t *n_tokens,
             GError **error)
{
    (void)writer, (void)error;
    *n_tokens = pipelines_endpoint_tokens(request);
    return TRUE;
}

static uint32_t
record_context(const lode_writer *writer)
{
    const recording *r = writer->data;
    return r->inner != NULL ? pipelines_writer_limit(r->inner) : writer->n_context;
}

static void
record_free(lode_writer *writer)
{
    recording *r = writer->data;
    json_decref(r->replies);
    g_mutex_clear(&r->lock);
    g_free(r);
}

static const pipelines_writer_kind record_kind = {
    .name = "recorded",
    .write = record_write,
    .count = record_count,
    .context = record_context,
    .free = record_free,
};

static lode_writer *
writer_new(const lode_writer *inner, json_t *replies, const char *id)
{
    recording *r = g_new0(recording, 1);
    r->inner = inner;
    r->replies = replies;
    g_mutex_init(&r->lock);
    lode_writer *writer = g_new0(lode_writer, 1);
    writer->kind = &record_kind;
    writer->data = r;
    writer->id = g_strdup(id);
    writer->keeps_schema = TRUE;
    return writer;
}

lode_writer *
pipelines_writer_new_recording(const lode_writer *inner)
{
    lode_writer *writer = writer_new(inner, json_object(), inner->id);
    writer->n_context = inner->n_context;
    writer->is_small = inner->is_small;
    writer->most_claims = inner->most_claims;
    writer->keeps_schema = inner->keeps_schema;
    return writer;
}

lode_writer *
pipelines_writer_new_replay(json_t *replies, const char *id, uint32_t n_context, guint most_claims)
{
    lode_writer *writer =
        writer_new(NULL, json_is_object(replies) ? json_incref(replies) : json_object(), id);
    writer->n_context = n_context;
    writer->most_claims = most_claims;
    return writer;
}

json_t *
pipelines_writer_replies(const lode_writer *writer)
{
    return writer->kind == &record_kind ? ((recording *)writer->data)->replies : NULL;
}
