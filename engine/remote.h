/* A model behind an endpoint that speaks OpenAI's API. Private to engine/remote*.c.
 *
 *   remote.c          asking: what to do again, with which pauses, in which dialect
 *   remote_http.c     one POST over libcurl, with its timeouts, cancelled within a tenth of a second
 *   remote_request.c  a request -> JSON, in a dialect
 *   remote_reply.c    JSON, whole or in events (sse.h) -> reasoning, content, usage
 *
 * Source: platform.openai.com/docs/api-reference/chat and completions; "reasoning_content" as DeepSeek, LMDeploy, vLLM
 * and SGLang send it, "reasoning" as OpenRouter does. */
#ifndef LODE_ENGINE_REMOTE_H
#define LODE_ENGINE_REMOTE_H

#include <jansson.h>

#include "engine/engine.h"
#include "engine/sse.h"

G_BEGIN_DECLS

/* ---- dialects (remote_request.c) ---- */

/* How a schema is asked for, the most binding first. */
typedef enum {
    REMOTE_FORMAT_SCHEMA,        /* {"type": "json_schema"}: OpenAI, LMDeploy, vLLM, SGLang */
    REMOTE_FORMAT_OBJECT_SCHEMA, /* {"type": "json_object", "schema"}: llama.cpp and what is built on it */
    REMOTE_FORMAT_OBJECT,        /* {"type": "json_object"} and the schema in words */
    REMOTE_FORMAT_WORDS          /* the schema in words */
} remote_format;

/* What this server has refused so far. */
typedef struct {
    remote_format format;
    gboolean no_usage;          /* "stream_options" */
    gboolean completion_tokens; /* "max_completion_tokens" for "max_tokens" */
    gboolean no_seed, no_temperature, no_extras;
    gboolean whole; /* answers in one piece: its streams are empty */
} remote_dialect;

/* A change that answers the refusal in message; FALSE where none is left to try. */
gboolean remote_dialect_adapt(remote_dialect *dialect, const engine_remote_request *request,
                              const char *message);
/* The body, as text; g_free. ARGUMENT: tools or a schema that are no JSON. */
char *remote_request_to_json(const engine_remote_request *request, const char *model,
                             const remote_dialect *dialect, guint attempt, GError **error);

/* ---- replies (remote_reply.c) ---- */

/* Takes one answer apart. on_part gets pieces in order. */
typedef struct {
    gboolean raw; /* of /completions: no thoughts to look for */
    gboolean (*on_part)(engine_reply_part part, const char *text, size_t len, void *user_data);
    void *user_data;
    engine_reply_parser *thoughts; /* content -> <think> apart */
    json_t *calls;                 /* as far as they have come */
    GString *body;                 /* of an answer in one piece */
    sse_parser events;
    gboolean is_stream, known, stopped, done, finished;
    engine_stop_reason reason;
    engine_remote_reply *reply; /* lent: model, fingerprint, usage go there */
} remote_decoder;

void remote_decoder_init(remote_decoder *decoder, gboolean raw, engine_remote_reply *reply);
void remote_decoder_clear(remote_decoder *decoder);
/* content_type may be NULL. FORMAT: no answer of this API. */
gboolean remote_decoder_begin(remote_decoder *decoder, const char *content_type, GError **error);
gboolean remote_decoder_feed(remote_decoder *decoder, const char *bytes, size_t len,
                             GError **error);
/* The answer has ended; NETWORK: before its time. */
gboolean remote_decoder_finish(remote_decoder *decoder, GError **error);

/* What a server's error body says, one line, at most 300 bytes, without the key; g_free. */
char *remote_error_text(const char *body, size_t len, const char *key);
/* The longest context that a server names where it finds a request too long, in tokens; 0: it names none. In the words
 * of OpenAI, vLLM, SGLang, llama.cpp, llama-cpp-python and text-generation-inference. */
uint32_t remote_context_limit(const char *message);
/* Does the error of a refusal speak of the prompt's length, with a number or without? */
gboolean remote_says_too_long(const char *message);

/* ---- one exchange (remote_http.c) ---- */

typedef struct remote_connections remote_connections;
remote_connections *remote_connections_new(void);
void remote_connections_free(remote_connections *connections);

typedef struct {
    const char *url, *key, *body;
    double connect_seconds, first_seconds, stall_seconds;
    uint64_t max_bytes;
    const int *cancel;
    remote_decoder *decoder; /* gets the body of a 200 */
} remote_exchange;

typedef enum {
    REMOTE_OK,
    REMOTE_REFUSED,   /* 400, 422: another dialect may do */
    REMOTE_TRANSIENT, /* another attempt may do */
    REMOTE_EMPTY, /* a 200 without a byte: what fails while a stream is being begun cannot tell */
    REMOTE_FATAL,
    REMOTE_CANCELLED, /* no error */
    REMOTE_STOPPED    /* by the decoder's callback: no error */
} remote_outcome;

/* retry_after: seconds the server asked for, 0: none. refusal: with REFUSED what the server said, g_free. */
remote_outcome remote_exchange_run(remote_connections *connections, const remote_exchange *exchange,
                                   double *retry_after, char **refusal, GError **error);

/* ---- pauses (remote.c) ---- */

/* Before retry n (from 0): backoff * 2^n, at most 30 s, of which a half is jitter; never less than the server asks. */
double remote_pause(double backoff_seconds, guint n, uint64_t seed, double retry_after);

G_END_DECLS
#endif
