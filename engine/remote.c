/* Asking a model behind an endpoint.
 *
 *     request --> one exchange --> answer checked? --> done
 *        ^            |                  |
 *        |   400: another dialect        no: another seed
 *        |   nothing: in one piece
 *        +-- cut, 429, 500, stalled: a pause, then again, at most n_retries times
 *
 * Backoff with jitter: M. Brooker, "Exponential backoff and jitter", AWS Architecture Blog, 2015 ("equal jitter"). */
#include "engine/remote.h"

#include <curl/curl.h>
#include <string.h>

#define MAX_PAUSE  30.0  /* of our own */
#define MAX_ASKED  120.0 /* a server that asks for more is told to the caller instead */
#define PAUSE_STEP 50000 /* microseconds between looks at the cancel flag */
enum { MAX_CHANGES = 10, MAX_CHECKS = 3 };

struct engine_remote {
    char *url; /* without "/chat/completions" */
    char *model, *id, *key;
    engine_remote_options options;
    remote_connections *connections;
    GMutex lock; /* of the three below */
    remote_dialect dialect;
    uint32_t n_context; /* the least that the server has named; 0: none */
    uint64_t n_pauses;
};

engine_remote_options
engine_remote_options_default(void)
{
    return (engine_remote_options){.connect_seconds = 10,
                                   .first_seconds = 600,
                                   .stall_seconds = 60,
                                   .n_retries = 4,
                                   .backoff_seconds = 0.5,
                                   .max_bytes = 64u << 20};
}

/* ---- the handle ---- */

static gboolean
check_url(const char *url, GError **error)
{
    CURLU *u = curl_url();
    char *scheme = NULL, *host = NULL, *user = NULL;
    const char *wrong = NULL;

    if (curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0) ||
        curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK)
        wrong = "no address like http://127.0.0.1:8000/v1";
    else if (curl_url_get(u, CURLUPART_USER, &user, 0) == CURLUE_OK)
        wrong = "no user name or password in an address: put the key into LODE_API_KEY";
    curl_free(scheme);
    curl_free(host);
    curl_free(user);
    curl_url_cleanup(u);
    if (wrong == NULL) return TRUE;
    /* what stands before an "@" may be a secret */
    const char *at = strrchr(url, '@');
    g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_ARGUMENT, "endpoint %s: %s",
                at != NULL ? at + 1 : url, wrong);
    return FALSE;
}

static char *
base_of(const char *endpoint)
{
    static const char *const ends[] = {"/chat/completions", "/completions"};
    g_autofree char *url = g_strstrip(g_strdup(endpoint));
    for (size_t len = strlen(url); len > 0 && url[len - 1] == '/';)
        url[--len] = '\0';
    for (size_t i = 0; i < G_N_ELEMENTS(ends); i++)
        if (g_str_has_suffix(url, ends[i])) url[strlen(url) - strlen(ends[i])] = '\0';
    return g_steal_pointer(&url);
}

engine_remote *
engine_remote_new(const char *endpoint, const char *model, const engine_remote_options *options,
                  GError **error)
{
    g_autofree char *url = base_of(endpoint);
    const engine_remote_options filled =
        options != NULL ? *options : engine_remote_options_default();

    if (!check_url(url, error)) return NULL;
    if (model == NULL || *model == '\0') {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_ARGUMENT,
                    "endpoint %s: which model? It has no name", url);
        return NULL;
    }
    if (filled.key != NULL && strpbrk(filled.key, "\r\n") != NULL) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_ARGUMENT,
                    "endpoint %s: the key holds a line break", url);
        return NULL;
    }
    engine_remote *remote = g_new0(engine_remote, 1);
    remote->id = g_strdup_printf("%s at %s", model, url);
    remote->url = g_steal_pointer(&url);
    remote->model = g_strdup(model);
    remote->key = filled.key != NULL && *filled.key != '\0' ? g_strdup(filled.key) : NULL;
    remote->options = filled;
    remote->options.key = NULL;
    remote->connections = remote_connections_new();
    g_mutex_init(&remote->lock);
    return remote;
}

void
engine_remote_free(engine_remote *remote)
{
    if (remote == NULL) return;
    remote_connections_free(remote->connections);
    g_mutex_clear(&remote->lock);
    g_free(remote->url);
    g_free(remote->model);
    g_free(remote->id);
    g_free(remote->key);
    g_free(remote);
}

const char *
engine_remote_id(const engine_remote *remote)
{
    return remote->id;
}

uint32_t
engine_remote_context(engine_remote *remote)
{
    g_mutex_lock(&remote->lock);
    const uint32_t n = remote->n_context;
    g_mutex_unlock(&remote->lock);
    return n;
}

void
engine_remote_reply_clear(engine_remote_reply *reply)
{
    g_free(reply->content);
    g_free(reply->reasoning);
    g_free(reply->tool_calls);
    g_free(reply->model);
    g_free(reply->fingerprint);
    *reply = (engine_remote_reply){0};
}

/* ---- pauses ---- */

/* Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014: its finaliser. */
static double
random_share(uint64_t x)
{
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return (double)((x ^ (x >> 31)) >> 11) / 9007199254740992.0;
}

double
remote_pause(double backoff_seconds, guint n, uint64_t seed, double retry_after)
{
    double pause = MIN(backoff_seconds * (double)(1u << MIN(n, 20)), MAX_PAUSE);
    pause *= 0.5 + 0.5 * random_share(seed);
    return MAX(pause, retry_after);
}

/* FALSE: cancelled. */
static gboolean
sleep_for(double seconds, const int *cancel)
{
    const gint64 end = g_get_monotonic_time() + (gint64)(seconds * G_USEC_PER_SEC);
    for (;;) {
        if (cancel != NULL && g_atomic_int_get(cancel) != 0) return FALSE;
        const gint64 left = end - g_get_monotonic_time();
        if (left <= 0) return TRUE;
        g_usleep((gulong)MIN(left, PAUSE_STEP));
    }
}

/* ---- one request, as often as it takes ---- */

typedef struct {
    engine_remote *remote;
    const engine_remote_request *request;
    engine_remote_reply *reply;
    remote_dialect dialect;
    GString *text[2];  /* ENGINE_REPLY_REASONING, ENGINE_REPLY_CONTENT: of all attempts */
    size_t n_given[2]; /* of it the caller has, and may not hear again */
    size_t n_seen[2];  /* of this attempt */
    gboolean differs;  /* this attempt says something else than what the caller has heard */
    gint64 start_us;
    guint n_changes, n_checks, n_retries;
    remote_outcome outcome;
} asking;

static gboolean
hands_on(const asking *a)
{
    return a->request->callback != NULL && a->request->json_schema == NULL;
}

static gboolean
on_part(engine_reply_part part, const char *text, size_t len, void *user_data)
{
    asking *a = user_data;
    GString *all = a->text[part];
    const size_t heard = MIN(len, a->n_given[part] - MIN(a->n_given[part], a->n_seen[part]));

    if (a->reply->first_seconds == 0)
        a->reply->first_seconds = (double)(g_get_monotonic_time() - a->start_us) / G_USEC_PER_SEC;
    if (memcmp(all->str + a->n_seen[part], text, heard) != 0) {
        a->differs = TRUE;
        return FALSE;
    }
    a->n_seen[part] += len;
    g_string_append_len(all, text + heard, (gssize)(len - heard));
    if (heard == len || !hands_on(a)) return TRUE;
    a->n_given[part] = all->len;
    return a->request->callback(part, text + heard, len - heard, a->request->user_data);
}

static void
begin_attempt(asking *a)
{
    for (guint i = 0; i < 2; i++) {
        g_string_truncate(a->text[i], a->n_given[i]);
        a->n_seen[i] = 0;
    }
    a->differs = FALSE;
    g_clear_pointer(&a->reply->model, g_free);
    g_clear_pointer(&a->reply->fingerprint, g_free);
    a->reply->has_usage = FALSE;
    a->reply->n_attempts++;
}

/* Models asked in words put JSON between fences, or a sentence before it. */
static void
unwrap_json(GString *text)
{
    const char *open = strstr(text->str, "```");
    if (text->str[0] == '{' || text->str[0] == '[' || open == NULL) return;
    const char *start = strchr(open, '\n');
    const char *end = start != NULL ? strstr(start, "```") : NULL;
    if (end == NULL) return;
    g_autofree char *inside = g_strndup(start + 1, (gsize)(end - start - 1));
    g_string_assign(text, g_strstrip(inside));
}

/* Grammars of some servers (llama-cpp-python's) let a line break stand in a string as it is, which JSON does not. */
static void
escape_controls(GString *json)
{
    g_autoptr(GString) out = g_string_sized_new(json->len);
    gboolean inside = FALSE, escaped = FALSE;
    for (gsize i = 0; i < json->len; i++) {
        const guchar c = (guchar)json->str[i];
        if (c == '"' && !escaped) inside = !inside;
        escaped = inside && c == '\\' && !escaped;
        if (inside && c < ' ')
            g_string_append_printf(out, "\\u%04x", c);
        else
            g_string_append_c(out, (char)c);
    }
    g_string_assign(json, out->str);
}

static gboolean
check_answer(asking *a, GError **error)
{
    const engine_remote_request *r = a->request;
    GString *content = a->text[ENGINE_REPLY_CONTENT];
    if (r->json_schema == NULL) return TRUE;
    unwrap_json(content);
    escape_controls(content);
    return engine_json_schema_check(r->json_schema, content->str, content->len, error);
}

static remote_outcome
attempt_once(asking *a, double *retry_after, char **refusal, GError **error)
{
    engine_remote *remote = a->remote;
    const gboolean raw = a->request->prompt != NULL;
    g_autofree char *url =
        g_strconcat(remote->url, raw ? "/completions" : "/chat/completions", NULL);
    g_autofree char *body =
        remote_request_to_json(a->request, remote->model, &a->dialect, a->n_checks, error);
    remote_decoder decoder;

    if (body == NULL) return REMOTE_FATAL;
    begin_attempt(a);
    remote_decoder_init(&decoder, raw, a->reply);
    decoder.on_part = on_part;
    decoder.user_data = a;
    const remote_exchange exchange = {.url = url,
                                      .key = remote->key,
                                      .body = body,
                                      .connect_seconds = remote->options.connect_seconds,
                                      .first_seconds = remote->options.first_seconds,
                                      .stall_seconds = remote->options.stall_seconds,
                                      .max_bytes = remote->options.max_bytes,
                                      .cancel = a->request->cancel,
                                      .decoder = &decoder};
    const remote_outcome outcome =
        remote_exchange_run(remote->connections, &exchange, retry_after, refusal, error);
    a->reply->reason = decoder.reason;
    g_clear_pointer(&a->reply->tool_calls, g_free);
    if (json_array_size(decoder.calls) > 0) {
        char *calls = json_dumps(decoder.calls, JSON_COMPACT);
        a->reply->tool_calls = g_strdup(calls);
        free(calls);
    }
    remote_decoder_clear(&decoder);
    return outcome;
}

/* TRUE: ask again, a->dialect being another now. */
static gboolean
change_dialect(asking *a, const char *refusal)
{
    return a->n_changes++ < MAX_CHANGES && remote_dialect_adapt(&a->dialect, a->request, refusal);
}

/* TRUE: ask again, the pause being over. */
static gboolean
wait_for_retry(asking *a, double retry_after, GError **error)
{
    engine_remote *remote = a->remote;
    if (a->n_retries >= remote->options.n_retries) return FALSE;
    if (retry_after > MAX_ASKED) {
        g_prefix_error(error, "to be asked again in %.0f seconds only: ", retry_after);
        return FALSE;
    }
    g_mutex_lock(&remote->lock);
    const uint64_t nth = remote->n_pauses++;
    g_mutex_unlock(&remote->lock);
    const double pause = remote_pause(remote->options.backoff_seconds, a->n_retries++,
                                      remote->options.seed + nth, retry_after);
    if (sleep_for(pause, a->request->cancel)) return TRUE;
    a->outcome = REMOTE_CANCELLED;
    return FALSE;
}

/* An answer that is no good, and what the server makes of the request's length: TRUE where that was it. Not every server
 * says how much it takes. */
static gboolean
was_too_long(asking *a, GError **failure)
{
    engine_remote *remote = a->remote;
    if (*failure == NULL) return FALSE;
    const uint32_t limit = remote_context_limit((*failure)->message);
    if (limit == 0 && !remote_says_too_long((*failure)->message)) return FALSE;
    if (limit > 0) {
        g_mutex_lock(&remote->lock);
        remote->n_context = remote->n_context > 0 ? MIN(remote->n_context, limit) : limit;
        g_mutex_unlock(&remote->lock);
    }
    (*failure)->code = ENGINE_ERROR_LENGTH;
    return TRUE;
}

/* TRUE: ask again. Else a->outcome tells, with the error where it is none of the good ones. */
static gboolean
ask_again(asking *a, GError **error)
{
    g_autofree char *refusal = NULL;
    g_autoptr(GError) failure = NULL;
    double retry_after = 0;

    a->outcome = attempt_once(a, &retry_after, &refusal, &failure);
    if (a->differs) {
        a->outcome = REMOTE_FATAL;
        g_set_error_literal(&failure, ENGINE_ERROR, ENGINE_ERROR_NETWORK,
                            "the answer broke off, and began with other words when asked again");
    }
    if (was_too_long(a, &failure)) a->outcome = REMOTE_FATAL;
    if (a->outcome == REMOTE_OK && !check_answer(a, &failure)) {
        a->outcome = REMOTE_FATAL;
        const gboolean cut = a->reply->reason == ENGINE_STOP_LENGTH; /* as it would be again */
        if (!cut && failure->code == ENGINE_ERROR_FORMAT && ++a->n_checks < MAX_CHECKS) return TRUE;
        g_prefix_error(&failure, cut ? "the answer was cut at the longest length allowed: "
                                     : "the answer does not keep to the JSON schema: ");
    }
    if (a->outcome == REMOTE_REFUSED && change_dialect(a, refusal)) return TRUE;
    if (a->outcome == REMOTE_EMPTY && !a->dialect.whole) return a->dialect.whole = TRUE;
    if (a->outcome == REMOTE_EMPTY) a->outcome = REMOTE_TRANSIENT;
    if (a->outcome == REMOTE_TRANSIENT && wait_for_retry(a, retry_after, &failure)) return TRUE;
    if (a->outcome == REMOTE_OK || a->outcome == REMOTE_STOPPED || a->outcome == REMOTE_CANCELLED)
        return FALSE;
    g_propagate_prefixed_error(error, g_steal_pointer(&failure), "%s: ", a->remote->id);
    return FALSE;
}

static void
learn(asking *a)
{
    g_mutex_lock(&a->remote->lock);
    a->remote->dialect = a->dialect;
    g_mutex_unlock(&a->remote->lock);
}

static gboolean
finish(asking *a)
{
    const engine_remote_request *r = a->request;
    engine_remote_reply *reply = a->reply;
    GString *content = a->text[ENGINE_REPLY_CONTENT];

    if (a->outcome == REMOTE_OK) learn(a);
    if (a->outcome == REMOTE_CANCELLED) reply->reason = ENGINE_STOP_CANCELLED;
    if (a->outcome == REMOTE_STOPPED) reply->reason = ENGINE_STOP_CALLBACK;
    /* held back until it was checked */
    if (a->outcome == REMOTE_OK && r->json_schema != NULL && r->callback != NULL &&
        content->len > 0 &&
        !r->callback(ENGINE_REPLY_CONTENT, content->str, content->len, r->user_data))
        reply->reason = ENGINE_STOP_CALLBACK;
    reply->seconds = (double)(g_get_monotonic_time() - a->start_us) / G_USEC_PER_SEC;
    reply->content = g_strdup(content->str);
    const GString *reasoning = a->text[ENGINE_REPLY_REASONING];
    if (reasoning->len > 0) reply->reasoning = g_strdup(reasoning->str);
    return TRUE;
}

gboolean
engine_remote_generate(engine_remote *remote, const engine_remote_request *request,
                       engine_remote_reply *reply, GError **error)
{
    GError *failure = NULL;
    asking a = {.remote = remote,
                .request = request,
                .reply = reply,
                .text = {g_string_new(NULL), g_string_new(NULL)},
                .start_us = g_get_monotonic_time()};

    *reply = (engine_remote_reply){0};
    g_mutex_lock(&remote->lock);
    a.dialect = remote->dialect;
    g_mutex_unlock(&remote->lock);
    while (ask_again(&a, &failure))
        ;
    if (failure == NULL)
        finish(&a);
    else
        engine_remote_reply_clear(reply);
    for (guint i = 0; i < 2; i++)
        g_string_free(a.text[i], TRUE);
    if (failure == NULL) return TRUE;
    g_propagate_error(error, failure);
    return FALSE;
}
