/* The kind of writer that another process or machine runs: engine_remote behind lode_writer. */
#include "pipelines/writer.h"

#include <string.h>

#include "pipelines/messages.h"

/* Dense science and tables come to about three bytes a token with the vocabularies in use. */
enum { BYTES_PER_TOKEN = 3, TOKENS_PER_MESSAGE = 8 };

/* Requests in a row that a server may refuse as too long without a number before that is an error. */
enum { MAX_HALVINGS = 3 };

typedef struct {
    engine_remote *remote;
    GMutex lock;
    uint32_t n_context; /* our guess at what it takes, from refusals without a number; 0: none */
    guint n_halved;     /* since it last answered */
} endpoint;

lode_endpoint_options
lode_endpoint_options_default(void)
{
    const engine_remote_options inner = engine_remote_options_default();
    return (lode_endpoint_options){.struct_size = sizeof(lode_endpoint_options),
                                   .connect_seconds = inner.connect_seconds,
                                   .first_seconds = inner.first_seconds,
                                   .stall_seconds = inner.stall_seconds,
                                   .retries = (int)inner.n_retries};
}

/* ---- pipelines_writer_write ---- */

typedef struct {
    engine_text_callback text;
    void *user_data;
} text_sink;

static gboolean
on_part(engine_reply_part part, const char *text, size_t len, void *user_data)
{
    const text_sink *sink = user_data;
    return part != ENGINE_REPLY_CONTENT || sink->text == NULL ||
           sink->text(text, len, sink->user_data);
}

/* What the model read, as far as we know it: the record's prompt. */
static char *
messages_to_text(const engine_message *messages, size_t n)
{
    g_autoptr(json_t) list = json_array();
    for (size_t i = 0; i < n; i++) {
        g_autofree char *content =
            g_utf8_make_valid(messages[i].content != NULL ? messages[i].content : "", -1);
        json_array_append_new(list,
                              json_pack("{s:s,s:s}", "role", messages[i].role, "content", content));
    }
    return pipelines_json_text(list);
}

static engine_generate_result
result_of(const engine_remote_reply *reply)
{
    return (engine_generate_result){
        .reason = reply->reason,
        .n_prompt = (uint32_t)MIN(reply->n_prompt, G_MAXUINT32),
        .n_generated = (uint32_t)MIN(reply->n_generated, G_MAXUINT32),
        .prompt_seconds = reply->first_seconds,
        .generate_seconds = reply->seconds - reply->first_seconds,
    };
}

/* A server that finds a request too long and does not say how much it takes: half of the prompt is the next guess. */
static void
take_half(endpoint *e, const pipelines_write_request *request)
{
    const size_t half = pipelines_endpoint_tokens(request) / 2 + request->max_tokens;
    g_mutex_lock(&e->lock);
    if (e->n_halved++ < MAX_HALVINGS)
        e->n_context = MIN(e->n_context > 0 ? e->n_context : G_MAXUINT32, (uint32_t)half);
    g_mutex_unlock(&e->lock);
}

static gboolean
endpoint_write(const lode_writer *writer, engine_pool *pool, const pipelines_write_request *request,
               pipelines_written *written, GError **error)
{
    text_sink sink = {request->text, request->user_data};
    engine_remote_reply reply;
    const engine_remote_request inner = {
        .messages = request->messages,
        .n_messages = request->n_messages,
        .json_schema = request->json_schema,
        .max_tokens = request->max_tokens,
        .temperature = request->temperature,
        .top_p = 1,
        .repeat_penalty = 1,
        .seed = request->seed,
        .stop = request->stop,
        .cancel = request->cancel,
        .callback = on_part,
        .user_data = &sink,
    };
    (void)pool;

    endpoint *e = writer->data;
    const uint32_t known = engine_remote_context(e->remote);
    g_autoptr(GError) failure = NULL;
    if (!engine_remote_generate(e->remote, &inner, &reply, &failure)) {
        if (g_error_matches(failure, ENGINE_ERROR, ENGINE_ERROR_LENGTH) &&
            engine_remote_context(e->remote) == known)
            take_half(e, request);
        g_propagate_error(error, g_steal_pointer(&failure));
        return FALSE;
    }
    g_mutex_lock(&e->lock);
    e->n_halved = 0;
    g_mutex_unlock(&e->lock);
    g_string_assign(written->text, reply.content);
    written->reasoning = g_steal_pointer(&reply.reasoning);
    written->prompt = messages_to_text(request->messages, request->n_messages);
    written->generation = result_of(&reply);
    engine_remote_reply_clear(&reply);
    return TRUE;
}

size_t
pipelines_endpoint_tokens(const pipelines_write_request *request)
{
    size_t n = 0;
    for (size_t i = 0; i < request->n_messages; i++)
        n += strlen(request->messages[i].content) / BYTES_PER_TOKEN + TOKENS_PER_MESSAGE;
    return n;
}

static gboolean
endpoint_count(const lode_writer *writer, const pipelines_write_request *request, size_t *n_tokens,
               GError **error)
{
    (void)writer, (void)error;
    *n_tokens = pipelines_endpoint_tokens(request);
    return TRUE;
}

static uint32_t
endpoint_context(const lode_writer *writer)
{
    endpoint *e = writer->data;
    const uint32_t named = engine_remote_context(e->remote);
    g_mutex_lock(&e->lock);
    const uint32_t guessed = e->n_context;
    g_mutex_unlock(&e->lock);
    uint32_t limit = writer->n_context;
    if (named > 0) limit = MIN(limit, named);
    return guessed > 0 ? MIN(limit, guessed) : limit;
}

static void
endpoint_free(lode_writer *writer)
{
    endpoint *e = writer->data;
    engine_remote_free(e->remote);
    g_mutex_clear(&e->lock);
    g_free(e);
}

static const pipelines_writer_kind endpoint_kind = {
    .name = "endpoint",
    .write = endpoint_write,
    .count = endpoint_count,
    .context = endpoint_context,
    .free = endpoint_free,
};

/* Parameters that a model's name tells: "qwen2.5-7b-instruct", "mixtral-8x7b", "SmolLM2-135M"; the most of several, 0
 * where it tells none. */
static double
named_parameters(const char *name)
{
    double most = 0;
    for (const char *p = name; *p != '\0';) {
        const gboolean begins = p == name || !(g_ascii_isalnum(p[-1]) || p[-1] == '.');
        if (!begins || !g_ascii_isdigit(*p)) {
            p++;
            continue;
        }
        char *end = NULL;
        double n = g_ascii_strtod(p, &end);
        if (*end == 'x' && g_ascii_isdigit(end[1])) n *= g_ascii_strtod(end + 1, &end);
        const char unit = g_ascii_tolower(*end);
        if ((unit == 'b' || unit == 'm') && !g_ascii_isalnum(end[1]))
            most = MAX(most, n * (unit == 'b' ? 1e9 : 1e6));
        p = MAX(end, p + 1);
    }
    return most;
}

/* Of a model whose name does not say that it is small: it is behind an endpoint because it has no room here. */
static guint
most_claims_of(const char *name)
{
    const double n = named_parameters(name);
    return n > 0 && n < PIPELINES_LARGE_WRITER ? PIPELINES_FEW_CLAIMS : PIPELINES_MOST_CLAIMS;
}

lode_writer *
pipelines_writer_open_endpoint(const char *url, const char *name,
                               const lode_endpoint_options *options, GError **error)
{
    lode_endpoint_options filled = lode_endpoint_options_default();
    if (options != NULL) memcpy(&filled, options, MIN(options->struct_size, sizeof filled));
    engine_remote_options inner = engine_remote_options_default();
    inner.key = filled.key != NULL ? filled.key : g_getenv("LODE_API_KEY");
    inner.connect_seconds = filled.connect_seconds;
    inner.first_seconds = filled.first_seconds;
    inner.stall_seconds = filled.stall_seconds;
    inner.n_retries = (uint32_t)CLAMP(filled.retries, 0, 100);
    inner.seed = filled.seed;
    engine_remote *remote = engine_remote_new(url, name, &inner, error);
    if (remote == NULL) return NULL;
    lode_writer *writer = g_new0(lode_writer, 1);
    writer->kind = &endpoint_kind;
    endpoint *e = g_new0(endpoint, 1);
    e->remote = remote;
    g_mutex_init(&e->lock);
    writer->data = e;
    writer->id = g_strdup(engine_remote_id(remote));
    writer->n_context = filled.n_context > 0 ? filled.n_context : PIPELINES_MAX_CONTEXT;
    writer->most_claims = most_claims_of(name);
    writer->keeps_schema = TRUE; /* an answer that does not is asked for again, then refused */
    return writer;
}

/* ---- lode_generate ---- */

static gboolean
on_generated(engine_reply_part part, const char *text, size_t len, void *user_data)
{
    const lode_generate_options *o = user_data;
    return part != ENGINE_REPLY_CONTENT || o->text == NULL || o->text(text, len, o->user_data) != 0;
}

gboolean
pipelines_generate_remote(const lode_writer *writer, const char *prompt,
                          const lode_generate_options *options, engine_remote_reply *reply,
                          GError **error)
{
    lode_generate_options o = pipelines_generate_options(options);
    g_autoptr(pipelines_messages) messages = pipelines_messages_new();

    if (prompt == NULL && (o.messages == NULL || o.raw)) {
        g_set_error_literal(error, PIPELINES_ERROR, LODE_ERROR_ARGUMENT, "there is no prompt");
        return FALSE;
    }
    if (o.grammar != NULL) {
        g_set_error(error, PIPELINES_ERROR, LODE_ERROR_UNSUPPORTED,
                    "%s: an endpoint keeps no grammar: give it a JSON schema", writer->id);
        return FALSE;
    }
    if (o.thinking != LODE_THINKING_DEFAULT || o.think_budget != 0 || o.typical_p != 1.0) {
        g_set_error(error, PIPELINES_ERROR, LODE_ERROR_UNSUPPORTED,
                    "%s: thinking, think_budget and typical_p are not for an endpoint", writer->id);
        return FALSE;
    }
    if (o.system != NULL) pipelines_messages_add(messages, "system", o.system);
    if (o.messages != NULL &&
        !pipelines_messages_parse(messages, o.messages, strlen(o.messages), error))
        return FALSE;
    if (prompt != NULL) pipelines_messages_add(messages, "user", prompt);
    const engine_remote_request request = {
        .messages = (const engine_message *)(void *)messages->list->data,
        .n_messages = messages->list->len,
        .tools = messages->tools,
        .prompt = o.raw ? prompt : NULL,
        .json_schema = o.json_schema,
        .max_tokens = o.max_tokens,
        .top_k = o.top_k,
        .temperature = o.temperature,
        .top_p = o.top_p,
        .min_p = o.min_p,
        .repeat_penalty = o.repeat_penalty,
        .seed = o.seed,
        .stop = o.stop,
        .cancel = o.cancel,
        .callback = on_generated,
        .user_data = &o,
    };
    return engine_remote_generate(((const endpoint *)writer->data)->remote, &request, reply, error);
}
