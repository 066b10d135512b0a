/* One HTTP(S) GET with limits, over libcurl.
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

#include <curl/curl.h>
#include <math.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

#define HEADERS_MAX  (256 * 1024)  /* all header lines of one response */
#define REDIRECT_MAX (1024 * 1024) /* body of a response that only points elsewhere */

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
} hop;

void
search_head_clear(search_head *head)
{
    g_free(head->url);
    g_free(head->content_type);
    g_free(head->etag);
    g_free(head->last_modified);
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
    } else if (g_ascii_strcasecmp(name, "last-modified") == 0) {
        g_free(head->last_modified);
        head->last_modified = g_strdup(value);
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

static size_t
on_body(char *data, size_t size, size_t n, void *user_data)
{
    hop *h = user_data;
    const search_transfer *t = h->transfer;
    size_t len = size * n;

    if (h->error || !begin_body(h)) return 0;
    if (h->head->status >= 400) return 0;
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
    h->wire = (uint64_t)MAX(now, 0);
    if (h->ready) {
        gint64 time = g_get_monotonic_time();
        double waited = (double)(time - h->stall_since_us) / G_USEC_PER_SEC;
        if (waited >= limits->stall_seconds) {
            if ((double)(h->wire - h->stall_bytes) < limits->stall_seconds) {
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

typedef struct {
    char *scheme, *host;
    char *shown; /* for messages: without the query, which may hold keys */
} hop_url;

static void
hop_url_clear(hop_url *url)
{
    g_free(url->scheme);
    g_free(url->host);
    g_free(url->shown);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(hop_url, hop_url_clear)

static char *
url_part(CURLU *u, CURLUPart part, guint flags)
{
    char *text = NULL;
    if (curl_url_get(u, part, &text, flags) != CURLUE_OK) return NULL;
    char *copy = g_strdup(text);
    curl_free(text);
    return copy;
}

/* Ports below 1024 other than the web's belong to other protocols, which a crafted URL could talk to. */
static gboolean
port_is_allowed(const char *port)
{
    int64_t n = port ? parse_count(port) : -1;
    return n == 80 || n == 443 || n >= 1024;
}

static gboolean
check_url(const char *text, const search_limits *limits, hop_url *url, GError **error)
{
    CURLU *u = curl_url();
    CURLUcode code =
        curl_url_set(u, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME | CURLU_URLENCODE);
    if (code != CURLUE_OK) {
        g_set_error(error, SEARCH_ERROR, SEARCH_ERROR_URL, "not a URL: %s",
                    curl_url_strerror(code));
        curl_url_cleanup(u);
        return FALSE;
    }
    url->scheme = url_part(u, CURLUPART_SCHEME, 0);
    url->host = url_part(u, CURLUPART_HOST, 0);
    g_autofree char *port = url_part(u, CURLUPART_PORT, CURLU_DEFAULT_PORT);
    g_autofree char *path = url_part(u, CURLUPART_PATH, 0);
    g_autofree char *user = url_part(u, CURLUPART_USER, 0);
    g_autofree char *password = url_part(u, CURLUPART_PASSWORD, 0);
    curl_url_cleanup(u);

    if (!url->scheme || (!g_str_equal(url->scheme, "http") && !g_str_equal(url->scheme, "https"))) {
        g_set_error(error, SEARCH_ERROR, SEARCH_ERROR_URL, "%s: only http and https are fetched",
                    url->scheme ? url->scheme : "no scheme");
        return FALSE;
    }
    if (!url->host || !*url->host) {
        g_set_error_literal(error, SEARCH_ERROR, SEARCH_ERROR_URL, "the URL names no host");
        return FALSE;
    }
    url->shown = g_strdup_printf("%s://%s%s", url->scheme, url->host, path ? path : "/");
    if (user || password) {
        g_set_error(error, SEARCH_ERROR, SEARCH_ERROR_URL,
                    "%s: URLs with a user name or password are not fetched", url->shown);
        return FALSE;
    }
    if (!limits->allow_private && !port_is_allowed(port)) {
        g_set_error(error, SEARCH_ERROR, SEARCH_ERROR_ADDRESS, "%s: port %s is not allowed",
                    url->shown, port ? port : "?");
        return FALSE;
    }
    return TRUE;
}

static long
milliseconds(double seconds)
{
    return seconds <= 0 ? 0 : (long)MAX(1.0, ceil(MIN(seconds, 1e6) * 1000));
}

static struct curl_slist *
set_request(CURL *easy, hop *h, const char *url)
{
    const search_transfer *t = h->transfer;
    struct curl_slist *headers = NULL;

    headers = curl_slist_append(
        headers, "Accept: text/html,application/xhtml+xml,application/pdf;q=0.9,*/*;q=0.8");
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, t->limits->user_agent);
    if (t->decode) curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");
    if (t->resume_from > 0) {
        g_autofree char *range =
            g_strdup_printf("Range: bytes=%" G_GUINT64_FORMAT "-", t->resume_from);
        headers = curl_slist_append(headers, range);
        if (t->if_range) {
            g_autofree char *line = g_strdup_printf("If-Range: %s", t->if_range);
            headers = curl_slist_append(headers, line);
        }
    }
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    /* a site's own authorities, as OpenSSL's programs take them */
    const char *ca = g_getenv("SSL_CERT_FILE");
    if (ca && *ca) curl_easy_setopt(easy, CURLOPT_CAINFO, ca);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, milliseconds(t->limits->connect_seconds));
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
    return headers;
}

static gboolean
set_proxy(CURL *easy, hop *h, const hop_url *url, GError **error)
{
    const search_limits *limits = h->transfer->limits;
    g_autofree char *proxy = search_proxy_for(url->scheme, url->host);

    h->check_address = !limits->allow_private && !proxy;
    if (proxy && !limits->allow_private && !search_proxied_host_is_public(url->host)) {
        g_set_error(error, SEARCH_ERROR, SEARCH_ERROR_ADDRESS, "%s: a local address, not allowed",
                    url->shown);
        return FALSE;
    }
    /* both set outright: libcurl must not read the environment in another way than we did */
    curl_easy_setopt(easy, CURLOPT_PROXY, proxy ? proxy : "");
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
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
set_curl_error(GError **error, const hop *h, const hop_url *url, CURLcode code, const char *detail)
{
    int kind = SEARCH_ERROR_NETWORK;

    if (*h->refused) {
        g_set_error(error, SEARCH_ERROR, SEARCH_ERROR_ADDRESS, "%s: address %s is not allowed",
                    url->shown, h->refused);
        return;
    }
    if (code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_URL_MALFORMAT) kind = SEARCH_ERROR_URL;
    if (code == CURLE_OPERATION_TIMEDOUT && h->ready) kind = SEARCH_ERROR_LIMIT;
    if (code == CURLE_OUT_OF_MEMORY) kind = SEARCH_ERROR_IO;
    g_set_error(error, SEARCH_ERROR, kind, "%s: %s", url->shown,
                detail && *detail ? detail : curl_easy_strerror(code));
}

/* What the finished hop means: TRUE for success or a redirect (*next set). */
static gboolean
judge_hop(CURL *easy, hop *h, const hop_url *url, CURLcode code, const char *detail, char **next,
          gboolean *transient, GError **error)
{
    if (h->error) {
        *transient = h->stalled;
        g_propagate_prefixed_error(error, g_steal_pointer(&h->error), "%s: ", url->shown);
        return FALSE;
    }
    if (is_redirect(h) && (code == CURLE_OK || code == CURLE_WRITE_ERROR)) {
        char *target = NULL;
        curl_easy_getinfo(easy, CURLINFO_REDIRECT_URL, &target);
        if (target) {
            *next = g_strdup(target);
            return TRUE;
        }
    }
    long status = h->head->status;
    if (status >= 300) {
        *transient = status_is_transient(status);
        g_set_error(error, SEARCH_ERROR, SEARCH_ERROR_STATUS, "%s: HTTP status %ld", url->shown,
                    status);
        return FALSE;
    }
    if (code != CURLE_OK) {
        *transient = code_is_transient(code);
        set_curl_error(error, h, url, code, detail);
        return FALSE;
    }
    if (!begin_body(h)) {
        g_propagate_prefixed_error(error, g_steal_pointer(&h->error), "%s: ", url->shown);
        return FALSE;
    }
    report(h, TRUE);
    return TRUE;
}

static gboolean
run_hop(CURL *easy, const search_transfer *t, const char *text, double seconds_left,
        search_head *head, char **next, gboolean *transient, gboolean *connected, GError **error)
{
    g_auto(hop_url) url = {0};
    hop h = {.transfer = t, .head = head};
    char detail[CURL_ERROR_SIZE] = "";

    if (!check_url(text, t->limits, &url, error)) return FALSE;
    search_head_clear(head);
    head->url = g_strdup(text);
    curl_easy_reset(easy);
    if (!set_proxy(easy, &h, &url, error)) return FALSE;
    struct curl_slist *headers = set_request(easy, &h, text);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, milliseconds(seconds_left));
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, detail);
    CURLcode code = curl_easy_perform(easy);
    if (h.ready) *connected = TRUE;
    gboolean ok = judge_hop(easy, &h, &url, code, detail, next, transient, error);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, NULL);
    curl_slist_free_all(headers);
    return ok;
}

gboolean
search_transfer_run(const search_transfer *t, const char *url, search_head *head,
                    gboolean *transient, gboolean *connected, GError **error)
{
    static gsize once = 0;
    gboolean no_transient, no_connected;
    const gint64 start = g_get_monotonic_time();

    if (!transient) transient = &no_transient;
    if (!connected) connected = &no_connected;
    *transient = *connected = FALSE;
    search_head_clear(head);
    if (g_once_init_enter(&once)) {
        curl_global_init(CURL_GLOBAL_DEFAULT);
        g_once_init_leave(&once, 1);
    }
    CURL *easy = curl_easy_init();
    if (!easy) {
        g_set_error_literal(error, SEARCH_ERROR, SEARCH_ERROR_IO, "libcurl could not be started");
        return FALSE;
    }
    g_autofree char *current = g_strdup(url);
    gboolean ok = FALSE;
    for (guint n = 0;; n++) {
        g_autofree char *next = NULL;
        double left = 0;
        if (t->limits->total_seconds > 0) {
            left = t->limits->total_seconds -
                   (double)(g_get_monotonic_time() - start) / G_USEC_PER_SEC;
            left = MAX(left, 0.001);
        }
        ok = run_hop(easy, t, current, left, head, &next, transient, connected, error);
        if (!ok || !next) break;
        if (n >= t->limits->max_redirects) {
            g_set_error(error, SEARCH_ERROR, SEARCH_ERROR_LIMIT, "more than %u redirects",
                        t->limits->max_redirects);
            ok = FALSE;
            break;
        }
        g_free(current);
        current = g_steal_pointer(&next);
    }
    curl_easy_cleanup(easy);
    return ok;
}
