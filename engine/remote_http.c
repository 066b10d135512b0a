/* One POST over libcurl. A multi handle of its own per call, so that a raised cancel flag and our own clocks are looked
 * at ten times a second, whatever the server does. Redirects are not followed: the key goes where it was meant to. */
#include <curl/curl.h>
#include <math.h>
#include <string.h>

#include "engine/remote.h"

enum {
    TICK_MS = 100,
    ERROR_BODY_MAX = 64 * 1024, /* of a refusal: enough for its message */
    MAX_IDLE = 16               /* connections kept */
};

/* An idle connection is kept with its handles. */
typedef struct {
    CURLM *multi;
    CURL *easy;
} connection;

struct remote_connections {
    GMutex lock;
    GArray *idle; /* of connection */
};

typedef struct {
    const remote_exchange *exchange;
    CURL *easy;
    GError *error;              /* of our side */
    GString *body;              /* of an answer that is no 200 */
    gint64 last_us;             /* when something came, or the stall clock was set back */
    uint64_t received, counted; /* bytes; those there when it was set back */
    gboolean connected, begun, refused_content;
} exchange_state;

remote_connections *
remote_connections_new(void)
{
    static gsize once = 0;
    if (g_once_init_enter(&once)) {
        curl_global_init(CURL_GLOBAL_DEFAULT);
        g_once_init_leave(&once, 1);
    }
    remote_connections *c = g_new0(remote_connections, 1);
    g_mutex_init(&c->lock);
    c->idle = g_array_new(FALSE, FALSE, sizeof(connection));
    return c;
}

static void
close_connection(connection c)
{
    if (c.easy != NULL) curl_easy_cleanup(c.easy);
    if (c.multi != NULL) curl_multi_cleanup(c.multi);
}

void
remote_connections_free(remote_connections *c)
{
    if (c == NULL) return;
    for (guint i = 0; i < c->idle->len; i++)
        close_connection(g_array_index(c->idle, connection, i));
    g_array_unref(c->idle);
    g_mutex_clear(&c->lock);
    g_free(c);
}

static gboolean
take(remote_connections *c, connection *out)
{
    *out = (connection){0};
    g_mutex_lock(&c->lock);
    if (c->idle->len > 0) {
        *out = g_array_index(c->idle, connection, c->idle->len - 1);
        g_array_set_size(c->idle, c->idle->len - 1);
    }
    g_mutex_unlock(&c->lock);
    if (out->easy == NULL) *out = (connection){curl_multi_init(), curl_easy_init()};
    return out->easy != NULL && out->multi != NULL;
}

static void
give_back(remote_connections *c, connection used)
{
    g_mutex_lock(&c->lock);
    const gboolean keep = c->idle->len < MAX_IDLE;
    if (keep) g_array_append_val(c->idle, used);
    g_mutex_unlock(&c->lock);
    if (!keep) close_connection(used);
}

/* ---- callbacks ---- */

static long
status_of(CURL *easy)
{
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

static size_t
on_body(char *data, size_t size, size_t n, void *user_data)
{
    exchange_state *s = user_data;
    const remote_exchange *x = s->exchange;
    const size_t len = size * n;

    if (status_of(s->easy) != 200) {
        g_string_append_len(s->body, data, (gssize)MIN(len, ERROR_BODY_MAX - s->body->len));
        return s->body->len < ERROR_BODY_MAX ? len : 0;
    }
    if (!s->begun) {
        char *type = NULL;
        s->begun = TRUE;
        s->last_us = g_get_monotonic_time();
        curl_easy_getinfo(s->easy, CURLINFO_CONTENT_TYPE, &type);
        if (!remote_decoder_begin(x->decoder, type, &s->error)) {
            s->refused_content = TRUE;
            return 0;
        }
    }
    if (len > x->max_bytes - s->received) {
        g_set_error(&s->error, ENGINE_ERROR, ENGINE_ERROR_LIMIT,
                    "the answer is larger than %" G_GUINT64_FORMAT " bytes", x->max_bytes);
        return 0;
    }
    s->received += len;
    return remote_decoder_feed(x->decoder, data, len, &s->error) && !x->decoder->stopped ? len : 0;
}

static int
on_ready(void *user_data, char *remote_ip, char *local_ip, int remote_port, int local_port)
{
    exchange_state *s = user_data;
    (void)remote_ip, (void)local_ip, (void)remote_port, (void)local_port;
    s->connected = TRUE;
    s->last_us = g_get_monotonic_time();
    return CURL_PREREQFUNC_OK;
}

/* ---- running ---- */

static struct curl_slist *
set_request(exchange_state *s, char *detail)
{
    const remote_exchange *x = s->exchange;
    CURL *easy = s->easy;
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");

    headers = curl_slist_append(headers, "Accept: text/event-stream, application/json");
    headers = curl_slist_append(headers, "Expect:"); /* no second round trip for long prompts */
    if (x->key != NULL) {
        g_autofree char *line = g_strdup_printf("Authorization: Bearer %s", x->key);
        headers = curl_slist_append(headers, line);
    }
    curl_easy_reset(easy);
    curl_easy_setopt(easy, CURLOPT_URL, x->url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "lode/" LODE_VERSION);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(x->body));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, x->body);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    /* a site's own authorities, as OpenSSL's programs take them */
    const char *ca = g_getenv("SSL_CERT_FILE");
    if (ca != NULL && *ca != '\0') curl_easy_setopt(easy, CURLOPT_CAINFO, ca);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                     (long)MAX(1.0, ceil(MIN(x->connect_seconds, 1e6) * 1000)));
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, s);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_ready);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, s);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, detail);
    return headers;
}

/* Less than a byte a second counts as nothing. */
static gboolean
is_late(exchange_state *s, GError **error)
{
    const remote_exchange *x = s->exchange;
    const double limit = s->begun ? x->stall_seconds : x->first_seconds;
    const gint64 now = g_get_monotonic_time();
    if (!s->connected || limit <= 0 || (double)(now - s->last_us) / G_USEC_PER_SEC < limit)
        return FALSE;
    if (s->begun && (double)(s->received - s->counted) >= limit) {
        s->last_us = now;
        s->counted = s->received;
        return FALSE;
    }
    g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_LIMIT,
                s->begun ? "stalled: next to nothing for %.3g seconds"
                         : "no answer within %.3g seconds",
                limit);
    return TRUE;
}

/* Until the transfer ends by itself (TRUE, its code in *code), or we end it. */
static gboolean
drive(exchange_state *s, CURLM *multi, CURLcode *code, gboolean *cancelled, GError **error)
{
    for (;;) {
        int running = 0, left = 0;
        CURLMcode status = curl_multi_perform(multi, &running);
        if (status != CURLM_OK) {
            g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_NETWORK, "%s",
                        curl_multi_strerror(status));
            return FALSE;
        }
        const CURLMsg *message = curl_multi_info_read(multi, &left);
        if (message != NULL && message->msg == CURLMSG_DONE) {
            *code = message->data.result;
            return TRUE;
        }
        if (s->exchange->cancel != NULL && g_atomic_int_get(s->exchange->cancel) != 0) {
            *cancelled = TRUE;
            return FALSE;
        }
        if (is_late(s, error)) return FALSE;
        curl_multi_poll(multi, NULL, 0, TICK_MS, NULL);
    }
}

static gboolean
code_is_transient(CURLcode code)
{
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_SSL_CONNECT_ERROR:
        return TRUE;
    default:
        return FALSE;
    }
}

static gboolean
status_is_transient(long status)
{
    return status == 408 || status == 409 || status == 425 || status == 429 || status == 500 ||
           status == 502 || status == 503 || status == 504 || status == 529;
}

static remote_outcome
judge_status(const exchange_state *s, long status, char **refusal, GError **error)
{
    g_autofree char *said = remote_error_text(s->body->str, s->body->len, s->exchange->key);
    /* llama-cpp-python says 500 where its own check of a request fails */
    if (status == 400 || status == 422 || status == 501 ||
        (status == 500 && strstr(said, "validation error") != NULL))
        *refusal = g_strdup(said);
    g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_NETWORK, "HTTP status %ld%s%s%s", status,
                *said != '\0' ? ": " : "", said,
                status == 401 || status == 403 ? " (is the key in LODE_API_KEY right?)"
                : status == 404
                    ? " (is there such a model, and does the address end as it should, as in /v1?)"
                    : "");
    if (*refusal != NULL) return REMOTE_REFUSED;
    return status_is_transient(status) ? REMOTE_TRANSIENT : REMOTE_FATAL;
}

static remote_outcome
judge(exchange_state *s, CURLcode code, const char *detail, char **refusal, GError **error)
{
    const long status = status_of(s->easy);
    remote_decoder *decoder = s->exchange->decoder;

    if (decoder->stopped) {
        g_clear_error(&s->error);
        return REMOTE_STOPPED;
    }
    if (s->error != NULL) {
        /* garbage in a stream may be a proxy's, a page instead of an answer is no endpoint */
        const gboolean again = !s->refused_content && (s->error->code == ENGINE_ERROR_FORMAT ||
                                                       s->error->code == ENGINE_ERROR_NETWORK);
        g_propagate_error(error, g_steal_pointer(&s->error));
        return again ? REMOTE_TRANSIENT : REMOTE_FATAL;
    }
    if (status != 0 && status != 200) return judge_status(s, status, refusal, error);
    /* whoever has said all that he will may hang up as he likes */
    if (code != CURLE_OK && !(s->begun && decoder->done)) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_NETWORK, "%s",
                    *detail != '\0' ? detail : curl_easy_strerror(code));
        return code_is_transient(code) ? REMOTE_TRANSIENT : REMOTE_FATAL;
    }
    if (!s->begun) {
        g_set_error_literal(error, ENGINE_ERROR, ENGINE_ERROR_NETWORK,
                            "an empty answer: the server's own log may say why");
        return REMOTE_EMPTY;
    }
    if (remote_decoder_finish(decoder, error)) return decoder->stopped ? REMOTE_STOPPED : REMOTE_OK;
    return REMOTE_TRANSIENT;
}

remote_outcome
remote_exchange_run(remote_connections *connections, const remote_exchange *exchange,
                    double *retry_after, char **refusal, GError **error)
{
    char detail[CURL_ERROR_SIZE] = "";
    connection c;
    gboolean cancelled = FALSE;
    CURLcode code = CURLE_OK;
    remote_outcome outcome;

    *retry_after = 0;
    *refusal = NULL;
    if (!take(connections, &c)) {
        close_connection(c);
        g_set_error_literal(error, ENGINE_ERROR, ENGINE_ERROR_NETWORK,
                            "libcurl could not be started");
        return REMOTE_FATAL;
    }
    exchange_state s = {.exchange = exchange,
                        .easy = c.easy,
                        .body = g_string_new(NULL),
                        .last_us = g_get_monotonic_time()};
    struct curl_slist *headers = set_request(&s, detail);
    curl_multi_add_handle(c.multi, c.easy);
    const gboolean ended = drive(&s, c.multi, &code, &cancelled, error);
    if (ended)
        outcome = judge(&s, code, detail, refusal, error);
    else
        outcome = cancelled ? REMOTE_CANCELLED : REMOTE_TRANSIENT;
    curl_off_t seconds = 0;
    if (curl_easy_getinfo(c.easy, CURLINFO_RETRY_AFTER, &seconds) == CURLE_OK)
        *retry_after = (double)MAX(seconds, 0);
    curl_multi_remove_handle(c.multi, c.easy);
    curl_easy_setopt(c.easy, CURLOPT_ERRORBUFFER, NULL);
    curl_slist_free_all(headers);
    g_string_free(s.body, TRUE);
    g_clear_error(&s.error);
    if (outcome == REMOTE_OK)
        give_back(connections, c);
    else
        close_connection(c);
    return outcome;
}
