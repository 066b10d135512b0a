/* One HTTP(S) request with limits, over libcurl.
 *
 * libcurl follows no redirect by itself: each hop is parsed, checked (scheme, port, credentials) and run
 * as a request of its own. The address policy sits in the callback that opens the socket, so it judges
 * the address really dialled: a name that resolves differently the second time (DNS rebinding) gains
 * nothing. Limits count the bytes after decompression; time runs over all hops together.
 *
 *   hop:  URL ok? -> socket allowed? -> head -> 3xx with Location: next hop
 *                                            -> >= 400: error, body not read
 *                                            -> begin(head), write(bytes)...
 */
#include "search/transfer.h"

#include <math.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

#define HEADERS_MAX  (256 * 1024)  /* all header lines of one response */
#define REDIRECT_MAX (1024 * 1024) /* body of a response that only points elsewhere */
#define REFUSAL_MAX  4096          /* what is read of the body of an error */

/* State of one hop. */
typedef struct {
    const search_transfer *transfer;
    search_head *head;
    GError *error;          /* the first thing that went wrong on our side */
    char refused[64];       /* address the policy refused, "" for none */
    gboolean check_address; /* FALSE: allowed by option, or the socket goes to the user's proxy */
    gboolean begun;         /* body has started */
    gboolean ready;         /* connected, TLS done */
    gboolean stalled;
    gboolean has_location;
    size_t header_bytes;
    uint64_t received; /* body bytes handed on */
    uint64_t wire;     /* body bytes of any kind, for the stall clock */
    uint64_t stall_bytes;
    gint64 stall_since_us;
    gint64 reported_us;
    GString *refusal;
} hop;

struct search_exchange {
    const search_transfer *transfer;
    search_head *head;
    CURL *easy;
    char *url;    /* of this hop */
    char *origin; /* of the first */
    guint redirects;
    gboolean as_get; /* a redirect has turned the POST into a GET */
    gboolean transient, connected;
    hop hop;
    search_url parts;
    struct curl_slist *headers;
    char detail[CURL_ERROR_SIZE];
};

void
search_head_clear(search_head *head)
{
    g_free(head->url);
    g_free(head->content_type);
    g_free(head->etag);
    g_free(head->any_etag);
    g_free(head->last_modified);
    g_free(head->cache_control);
    g_free(head->refusal);
    *head = (search_head){.length = -1, .range_start = -1, .range_total = -1};
}

gboolean
search_limits_cancelled(const search_limits *limits, GError **error)
{
    if (!limits->cancel || !g_atomic_int_get(limits->cancel)) return FALSE;
    g_set_error_literal(error, SEARCH_ERROR, SEARCH_ERROR_CANCELLED, "cancelled");
    return TRUE;
}

/* ---- headers ---- */

static int64_t
parse_count(const char *text)
{
    char *end = NULL;
    if (!g_ascii_isdigit(*text)) return -1;
    guint64 value = g_ascii_strtoull(text, &end, 10);
    return value > (guint64)G_MAXINT64 ? -1 : (int64_t)value;
}

/* "bytes 100-199/200"; either side of the slash may be an asterisk for "not known" (RFC 9110, 14.4) */
static void
parse_content_range(search_head *head, const char *value)
{
    if (g_ascii_strncasecmp(value, "bytes", 5) != 0) return;
    value += 5;
    while (*value == ' ' || *value == '=')
        value++;
    head->range_start = parse_count(value);
    const char *slash = strchr(value, '/');
    if (slash) head->range_total = parse_count(slash + 1);
}

static double
parse_retry_after(const char *value)
{
    int64_t seconds = parse_count(value); /* the date form is rare and clocks differ: ignored */
    return seconds < 0 ? 0 : (double)MIN(seconds, 3600);
}

static void
take_header(hop *h, const char *name, const char *value)
{
    search_head *head = h->head;

    if (g_ascii_strcasecmp(name, "content-type") == 0) {
        g_free(head->content_type);
        head->content_type = g_strdup(value);
    } else if (g_ascii_strcasecmp(name, "etag") == 0) {
        g_free(head->etag); /* a weak one does not vouch for the bytes */
        head->etag = value[0] == '"' ? g_strdup(value) : NULL;
        g_free(head->any_etag);
        head->any_etag = g_strdup(value);
    } else if (g_ascii_strcasecmp(name, "last-modified") == 0) {
        g_free(head->last_modified);
        head->last_modified = g_strdup(value);
    } else if (g_ascii_strcasecmp(name, "cache-control") == 0) {
        g_free(head->cache_control);
        head->cache_control = g_strdup(value);
    } else if (g_ascii_strcasecmp(name, "content-length") == 0) {
        head->length = parse_count(value);
    } else if (g_ascii_strcasecmp(name, "content-encoding") == 0) {
        head->encoded = g_ascii_strcasecmp(value, "identity") != 0 && *value;
    } else if (g_ascii_strcasecmp(name, "content-range") == 0) {
        parse_content_range(head, value);
    } else if (g_ascii_strcasecmp(name, "retry-after") == 0) {
        head->retry_after = parse_retry_after(value);
    } else if (g_ascii_strcasecmp(name, "location") == 0) {
        h->has_location = *value != '\0';
    }
}

static size_t
on_header(char *data, size_t size, size_t n, void *user_data)
{
    hop *h = user_data;
    size_t len = size * n;

    h->header_bytes += len;
    if (h->header_bytes > HEADERS_MAX) {
        g_set_error_literal(&h->error, SEARCH_ERROR, SEARCH_ERROR_LIMIT, "headers too large");
        return 0;
    }
    if (len >= 5 && g_ascii_strncasecmp(data, "HTTP/", 5) == 0) { /* also after a 1xx */
        char *url = g_steal_pointer(&h->head->url);
        search_head_clear(h->head);
        h->head->url = url;
        h->has_location = FALSE;
        const char *space = memchr(data, ' ', len);
        g_autofree char *status =
            space ? g_strndup(space + 1, len - (size_t)(space + 1 - data)) : NULL;
        if (status) h->head->status = (long)MIN(MAX(parse_count(status), 0), 999);
        return len;
    }
    const char *colon = memchr(data, ':', len);
    if (colon) {
        size_t at = (size_t)(colon - data);
        g_autofree char *name = g_strndup(data, at);
        g_autofree char *value = g_strndup(colon + 1, len - at - 1);
        take_header(h, g_strstrip(name), g_strstrip(value));
    }
    return len;
}

/* ---- body, time ---- */

static gboolean
is_redirect(const hop *h)
{
    long s = h->head->status;
    return h->has_location && (s == 301 || s == 302 || s == 303 || s == 307 || s == 308);
}

/* What may still be handed on: a resumed file counts with the part that is there. */
static uint64_t
body_limit(const hop *h)
{
    const search_transfer *t = h->transfer;
    uint64_t base = h->head->status == 206 ? t->resume_from : 0;
    return base < t->limits->max_bytes ? t->limits->max_bytes - base : 0;
}

static gboolean
begin_body(hop *h)
{
    if (h->begun) return TRUE;
    h->begun = TRUE;
    const search_transfer *t = h->transfer;
    if (h->head->status < 200 || h->head->status >= 300) return TRUE;
    /* said to be too large: do not even start */
    if (!h->head->encoded && h->head->length >= 0 && (uint64_t)h->head->length > body_limit(h)) {
        g_set_error(&h->error, SEARCH_ERROR, SEARCH_ERROR_LIMIT,
                    "larger than the limit of %" G_GUINT64_FORMAT " bytes", t->limits->max_bytes);
        return FALSE;
    }
    return t->begin(h->head, t->data, &h->error);
}

/* Some of the body of an error says what is wrong; 0 ends it. */
static size_t
take_refusal(hop *h, const char *data, size_t len)
{
    if (!h->transfer->keep_refusal) return 0;
    if (!h->refusal) h->refusal = g_string_new(NULL);
    gsize room = REFUSAL_MAX - h->refusal->len;
    g_string_append_len(h->refusal, data, (gssize)MIN(room, len));
    return len <= room ? len : 0;
}

static size_t
on_body(char *data, size_t size, size_t n, void *user_data)
{
    hop *h = user_data;
    const search_transfer *t = h->transfer;
    size_t len = size * n;

    if (h->error || !begin_body(h)) return 0;
    if (h->head->status >= 400) return take_refusal(h, data, len);
    if (h->head->status < 200 || h->head->status >= 300) {
        h->received += len;
        return h->received > REDIRECT_MAX ? 0 : len;
    }
    if (len > body_limit(h) - h->received) {
        g_set_error(&h->error, SEARCH_ERROR, SEARCH_ERROR_LIMIT,
                    "larger than the limit of %" G_GUINT64_FORMAT " bytes", t->limits->max_bytes);
        return 0;
    }
    h->received += len;
    return t->write(data, len, t->data, &h->error) ? len : 0;
}

static void
report(hop *h, gboolean last)
{
    const search_transfer *t = h->transfer;
    gint64 now = g_get_monotonic_time();

    if (!t->limits->progress || h->head->status < 200 || h->head->status >= 300) return;
    if (!last && now - h->reported_us < G_USEC_PER_SEC / 10) return;
    h->reported_us = now;
    uint64_t base = h->head->status == 206 ? t->resume_from : 0, total = 0;
    if (h->head->length >= 0 && !h->head->encoded) total = base + (uint64_t)h->head->length;
    t->limits->progress(base + h->received, total, t->limits->user_data);
}

/* Called by libcurl with every packet and at least once a second. */
static int
on_tick(void *user_data, curl_off_t total, curl_off_t now, curl_off_t up_total, curl_off_t up)
{
    hop *h = user_data;
    const search_limits *limits = h->transfer->limits;
    (void)total, (void)up_total, (void)up;

    if (h->error) return 1;
    if (search_limits_cancelled(limits, &h->error)) return 1;
    if (h->transfer->deadline_us && g_get_monotonic_time() > h->transfer->deadline_us) {
        g_set_error_literal(&h->error, SEARCH_ERROR, SEARCH_ERROR_LIMIT, "took too long");
        return 1;
    }
    h->wire = (uint64_t)MAX(now, 0);
    if (h->ready) {
        gint64 time = g_get_monotonic_time();
        double waited = (double)(time - h->stall_since_us) / G_USEC_PER_SEC;
        if (waited >= limits->stall_seconds) {
            if ((double)(h->wire - h->stall_bytes) < limits->stall_seconds * limits->stall_rate) {
                h->stalled = TRUE;
                g_set_error(&h->error, SEARCH_ERROR, SEARCH_ERROR_LIMIT,
                            "stalled: %" G_GUINT64_FORMAT " bytes in %.3g seconds",
                            h->wire - h->stall_bytes, waited);
                return 1;
            }
            h->stall_since_us = time;
            h->stall_bytes = h->wire;
        }
    }
    if (h->begun) report(h, FALSE);
    return 0;
}

static int
on_ready(void *user_data, char *remote_ip, char *local_ip, int remote_port, int local_port)
{
    hop *h = user_data;
    (void)local_ip, (void)remote_port, (void)local_port;

    /* the socket callback has judged already; this also covers a connection used again */
    if (h->check_address && !search_address_is_public(remote_ip)) {
        g_strlcpy(h->refused, remote_ip, sizeof h->refused);
        return CURL_PREREQFUNC_ABORT;
    }
    h->ready = TRUE;
    h->stall_since_us = g_get_monotonic_time();
    return CURL_PREREQFUNC_OK;
}

static curl_socket_t
on_socket(void *user_data, curlsocktype purpose, struct curl_sockaddr *address)
{
    hop *h = user_data;
    (void)purpose;

    if (h->check_address &&
        !search_sockaddr_is_public(&address->addr, (socklen_t)address->addrlen)) {
        if (getnameinfo(&address->addr, (socklen_t)address->addrlen, h->refused, sizeof h->refused,
                        NULL, 0, NI_NUMERICHOST) != 0)
            g_strlcpy(h->refused, "of an unknown kind", sizeof h->refused);
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* ---- one hop ---- */

static long
milliseconds(double seconds)
{
    return seconds <= 0 ? 0 : (long)MAX(1.0, ceil(MIN(seconds, 1e6) * 1000));
}

/* The caller's own headers may hold keys: they go to the host they are meant for, not on to another. */
static gboolean
is_first_origin(const search_exchange *x)
{
    return g_str_equal(x->parts.origin, x->origin);
}

static void
add_header(search_exchange *x, const char *name, const char *value)
{
    g_autofree char *line = g_strdup_printf("%s: %s", name, value);
    x->headers = curl_slist_append(x->headers, line);
}

static void
set_headers(search_exchange *x)
{
    const search_transfer *t = x->transfer;

    curl_slist_free_all(g_steal_pointer(&x->headers));
    add_header(x, "Accept",
               t->accept ? t->accept
                         : "text/html,application/xhtml+xml,application/pdf;q=0.9,*/*;q=0.8");
    if (t->resume_from > 0) {
        g_autofree char *range = g_strdup_printf("bytes=%" G_GUINT64_FORMAT "-", t->resume_from);
        add_header(x, "Range", range);
        if (t->if_range) add_header(x, "If-Range", t->if_range);
    }
    if (t->if_none_match) add_header(x, "If-None-Match", t->if_none_match);
    if (t->if_modified_since) add_header(x, "If-Modified-Since", t->if_modified_since);
    for (const char *const *h = t->headers; h && *h && is_first_origin(x); h++)
        x->headers = curl_slist_append(x->headers, *h);
    if (t->body && !x->as_get) {
        add_header(x, "Content-Type", t->body_type ? t->body_type : "application/json");
        x->headers = curl_slist_append(x->headers, "Expect:"); /* no second round trip */
        curl_easy_setopt(x->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(t->body));
        curl_easy_setopt(x->easy, CURLOPT_POSTFIELDS, t->body);
    }
    curl_easy_setopt(x->easy, CURLOPT_HTTPHEADER, x->headers);
}

static void
set_request(search_exchange *x)
{
    const search_transfer *t = x->transfer;
    CURL *easy = x->easy;
    hop *h = &x->hop;

    set_headers(x);
    curl_easy_setopt(easy, CURLOPT_URL, x->url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, t->limits->user_agent);
    if (t->decode) curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");
    if (t->resolve) curl_easy_setopt(easy, CURLOPT_RESOLVE, t->resolve);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    /* a site's own authorities, as OpenSSL's programs take them */
    const char *ca = g_getenv("SSL_CERT_FILE");
    if (ca && *ca) curl_easy_setopt(easy, CURLOPT_CAINFO, ca);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, milliseconds(t->limits->connect_seconds));
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, x->detail);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, h);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, h);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_tick);
    curl_easy_setopt(easy, CURLOPT_XFERINFODATA, h);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_ready);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, h);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, h);
}

/* Proxy, and what the URL alone tells about where it leads. */
static gboolean
set_route(search_exchange *x, GError **error)
{
    const search_limits *limits = x->transfer->limits;
    const search_url *url = &x->parts;
    gboolean private_ok = limits->allow_private || (x->transfer->own_server && is_first_origin(x));
    g_autofree char *proxy = search_proxy_for(url->scheme, url->host);

    /* one's own SearXNG on this machine is nothing that a proxy could reach */
    if (x->transfer->own_server && is_first_origin(x) && !search_proxied_host_is_public(url->host))
        g_clear_pointer(&proxy, g_free);
    if (!private_ok && !search_port_is_allowed(url->port)) {
        g_set_error(error, SEARCH_ERROR, SEARCH_ERROR_ADDRESS, "%s: port %s is not allowed",
                    url->shown, url->port);
        return FALSE;
    }
    x->hop.check_address = !private_ok && !proxy;
    if (proxy && !private_ok && !search_proxied_host_is_public(url->host)) {
        g_set_error(error, SEARCH_ERROR, SEARCH_ERROR_ADDRESS, "%s: a local address, not allowed",
                    url->shown);
        return FALSE;
    }
    /* both set outright: libcurl must not read the environment in another way than we did */
    curl_easy_setopt(x->easy, CURLOPT_PROXY, proxy ? proxy : "");
    curl_easy_setopt(x->easy, CURLOPT_NOPROXY, "");
    return TRUE;
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
    return status == 408 || status == 425 || status == 429 || status == 500 || status == 502 ||
           status == 503 || status == 504;
}

static void
set_curl_error(GError **error, const search_exchange *x, CURLcode code)
{
    const hop *h = &x->hop;
    const char *shown = x->parts.shown;
    int kind = SEARCH_ERROR_NETWORK;

    if (*h->refused) {
        g_set_error(error, SEARCH_ERROR, SEARCH_ERROR_ADDRESS, "%s: address %s is not allowed",
                    shown, h->refused);
        return;
    }
    /* once connected it is the server that does not speak HTTP */
    if (!h->ready && (code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_URL_MALFORMAT))
        kind = SEARCH_ERROR_URL;
    if (code == CURLE_OPERATION_TIMEDOUT && h->ready) kind = SEARCH_ERROR_LIMIT;
    if (code == CURLE_OUT_OF_MEMORY) kind = SEARCH_ERROR_IO;
    g_set_error(error, SEARCH_ERROR, kind, "%s: %s", shown,
                *x->detail ? x->detail : curl_easy_strerror(code));
}

/* Go on at target. A POST becomes a GET as in browsers, or stays one on the same host. */
static search_exchange_step
follow(search_exchange *x, const char *target, GError **error)
{
    const search_transfer *t = x->transfer;
    long status = x->head->status;

    if (x->redirects++ >= t->limits->max_redirects) {
        g_set_error(error, SEARCH_ERROR, SEARCH_ERROR_LIMIT, "%s: more than %u redirects",
                    x->parts.shown, t->limits->max_redirects);
        return SEARCH_EXCHANGE_FAILED;
    }
    if (t->body && !x->as_get) {
        g_auto(search_url) next = {0};
        if (status != 307 && status != 308) {
            x->as_get = TRUE;
        } else if (!search_url_parse(&next, target, error)) {
            return SEARCH_EXCHANGE_FAILED;
        } else if (!g_str_equal(next.origin, x->origin)) {
            g_set_error(error, SEARCH_ERROR, SEARCH_ERROR_ADDRESS,
                        "%s: passes what was sent on to another host", x->parts.shown);
            return SEARCH_EXCHANGE_FAILED;
        }
    }
    g_free(x->url);
    x->url = g_strdup(target);
    return SEARCH_EXCHANGE_REDIRECTED;
}

static search_exchange_step
judge_hop(search_exchange *x, CURLcode code, GError **error)
{
    hop *h = &x->hop;
    const char *shown = x->parts.shown;

    if (h->error) {
        x->transient = h->stalled;
        g_propagate_prefixed_error(error, g_steal_pointer(&h->error), "%s: ", shown);
        return SEARCH_EXCHANGE_FAILED;
    }
    if (is_redirect(h) && (code == CURLE_OK || code == CURLE_WRITE_ERROR)) {
        char *target = NULL;
        curl_easy_getinfo(x->easy, CURLINFO_REDIRECT_URL, &target);
        if (target) return follow(x, target, error);
    }
    long status = h->head->status;
    const search_transfer *t = x->transfer;
    if (status == 304 && code == CURLE_OK && (t->if_none_match || t->if_modified_since))
        return SEARCH_EXCHANGE_DONE;
    if (status >= 300) {
        x->transient = status_is_transient(status);
        if (h->refusal) h->head->refusal = g_strndup(h->refusal->str, h->refusal->len);
        g_set_error(error, SEARCH_ERROR, SEARCH_ERROR_STATUS, "%s: HTTP status %ld", shown, status);
        return SEARCH_EXCHANGE_FAILED;
    }
    if (code != CURLE_OK) {
        x->transient = !*h->refused && code_is_transient(code);
        set_curl_error(error, x, code);
        return SEARCH_EXCHANGE_FAILED;
    }
    if (!begin_body(h)) {
        g_propagate_prefixed_error(error, g_steal_pointer(&h->error), "%s: ", shown);
        return SEARCH_EXCHANGE_FAILED;
    }
    report(h, TRUE);
    return SEARCH_EXCHANGE_DONE;
}

/* ---- all hops ---- */

static void
hop_clear(hop *h)
{
    g_clear_error(&h->error);
    if (h->refusal) g_string_free(h->refusal, TRUE);
    *h = (hop){0};
}

void
search_curl_start(void)
{
    static gsize once = 0;

    if (g_once_init_enter(&once)) {
        curl_global_init(CURL_GLOBAL_DEFAULT);
        g_once_init_leave(&once, 1);
    }
}

search_exchange *
search_exchange_new(const search_transfer *transfer, const char *url, search_head *head)
{
    search_curl_start();
    search_exchange *x = g_new0(search_exchange, 1);
    x->transfer = transfer;
    x->head = head;
    x->url = g_strdup(url);
    search_head_clear(head);
    return x;
}

void
search_exchange_free(search_exchange *x)
{
    if (!x) return;
    if (x->easy) curl_easy_cleanup(x->easy);
    curl_slist_free_all(x->headers);
    hop_clear(&x->hop);
    search_url_clear(&x->parts);
    g_free(x->url);
    g_free(x->origin);
    g_free(x);
}

gboolean
search_exchange_start(search_exchange *x, double seconds_left, GError **error)
{
    search_url_clear(&x->parts);
    hop_clear(&x->hop);
    x->hop.transfer = x->transfer;
    x->hop.head = x->head;
    x->transient = FALSE;
    search_head_clear(x->head);
    x->head->url = g_strdup(x->url);
    if (!search_url_parse(&x->parts, x->url, error)) return FALSE;
    if (!x->origin) x->origin = g_strdup(x->parts.origin);
    if (x->easy)
        curl_easy_reset(x->easy);
    else
        x->easy = curl_easy_init();
    if (!x->easy) {
        g_set_error_literal(error, SEARCH_ERROR, SEARCH_ERROR_IO, "libcurl could not be started");
        return FALSE;
    }
    if (!set_route(x, error)) return FALSE;
    x->detail[0] = '\0';
    set_request(x);
    curl_easy_setopt(x->easy, CURLOPT_TIMEOUT_MS, milliseconds(seconds_left));
    return TRUE;
}

search_exchange_step
search_exchange_finish(search_exchange *x, CURLcode code, GError **error)
{
    if (x->hop.ready) x->connected = TRUE;
    return judge_hop(x, code, error);
}

CURL *
search_exchange_handle(search_exchange *x)
{
    return x->easy;
}

const char *
search_exchange_url(const search_exchange *x)
{
    return x->url;
}

gboolean
search_exchange_is_transient(const search_exchange *x)
{
    return x->transient;
}

gboolean
search_exchange_is_connected(const search_exchange *x)
{
    return x->connected || x->hop.ready;
}

gboolean
search_transfer_run(const search_transfer *t, const char *url, search_head *head,
                    gboolean *transient, gboolean *connected, GError **error)
{
    const gint64 start = g_get_monotonic_time();
    g_autoptr(search_exchange) x = search_exchange_new(t, url, head);
    search_exchange_step step = SEARCH_EXCHANGE_REDIRECTED;

    while (step == SEARCH_EXCHANGE_REDIRECTED) {
        double left = 0;
        if (t->limits->total_seconds > 0) {
            left = t->limits->total_seconds -
                   (double)(g_get_monotonic_time() - start) / G_USEC_PER_SEC;
            left = MAX(left, 0.001);
        }
        step = SEARCH_EXCHANGE_FAILED;
        if (!search_exchange_start(x, left, error)) break;
        step = search_exchange_finish(x, curl_easy_perform(x->easy), error);
    }
    if (transient) *transient = x->transient;
    if (connected) *connected = x->connected;
    return step == SEARCH_EXCHANGE_DONE;
}
