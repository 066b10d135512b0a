/* One request of a client: its copy, its answer from the cache, its attempts, its response. */
#include "search/client_job.h"
#include "search/fetch.h"

#include <string.h>

#define MEBIBYTE       (1024 * 1024)
#define SNIFF_AT       512 /* bytes that settle what a body is */
#define PDF_SECONDS    120
#define ROBOTS_SECONDS 86400

static gint64
unix_now(void)
{
    return g_get_real_time() / G_USEC_PER_SEC;
}

job *
job_new(search_client *client, const char *url, const search_request *request)
{
    static const search_request none = {0};
    const search_request *r = request ? request : &none;
    job *j = g_new0(job, 1);

    j->client = client;
    j->link.data = j;
    j->url = g_strdup(url);
    j->headers = g_strdupv((char **)r->headers);
    j->body = g_strdup(r->body);
    j->body_type = g_strdup(r->body_type);
    j->accept = g_strdup(r->accept);
    j->max_bytes = r->max_bytes;
    j->total_seconds = r->total_seconds;
    j->ignore_robots = r->ignore_robots;
    j->own_server = r->own_server;
    j->any_content = r->any_content;
    return j;
}

void
job_free(job *j)
{
    search_exchange_free(j->exchange);
    search_head_clear(&j->head);
    search_url_clear(&j->parts);
    search_cached_free(j->cached);
    search_response_free(j->response);
    g_clear_error(&j->error);
    if (j->bytes) g_byte_array_unref(j->bytes);
    g_strfreev(j->headers);
    g_free(j->url);
    g_free(j->body);
    g_free(j->body_type);
    g_free(j->accept);
    g_free(j->cache_name);
    g_free(j);
}

void
job_fail(job *j, GError *error)
{
    g_clear_error(&j->error);
    j->error = error;
    j->state = JOB_ENDED;
}

/* ---- cache ---- */

static search_response *
response_of(const search_cached *entry)
{
    search_response *response = g_new0(search_response, 1);
    gsize len = 0;
    const void *data = g_bytes_get_data(entry->body, &len);

    response->status = 200;
    response->url = g_strdup(entry->url);
    search_parse_content_type(entry->content_type, &response->content_type, &response->charset);
    response->body = g_bytes_ref(entry->body);
    response->content = search_sniff(data, len, response->content_type);
    response->retrieved = entry->retrieved;
    response->cached = TRUE;
    return response;
}

gboolean
job_try_cache(job *j, search_cache *cache, const search_client_options *options)
{
    gboolean may_be_private = j->own_server || options->allow_private;

    if (cache) {
        g_autofree char *name = search_cache_name(j->url, j->body);
        /* what a local server said must not be had by a page that names its address */
        j->cache_name = g_strconcat(name, may_be_private ? "-own" : "", NULL);
        j->cached = search_cache_load(cache, j->cache_name);
    }
    if (options->offline && !j->cached) {
        g_autofree char *shown = search_redact_url(j->url);
        job_fail(j, g_error_new(SEARCH_ERROR, SEARCH_ERROR_OFFLINE,
                                "%s: not in the cache, and this is --offline", shown));
        return TRUE;
    }
    if (!j->cached) return FALSE;
    double fresh = j->cached->max_age >= 0 ? j->cached->max_age : options->cache_seconds;
    if (j->robots_file) fresh = ROBOTS_SECONDS;
    gint64 age = unix_now() - j->cached->retrieved;
    if (!options->offline && (age < 0 || (double)age >= fresh)) return FALSE;
    j->response = response_of(j->cached);
    j->state = JOB_ENDED;
    return TRUE;
}

/* ---- attempts ---- */

static uint64_t
limit_of(const job *j)
{
    if (j->robots_file) return SEARCH_ROBOTS_BYTES;
    if (j->max_bytes) return j->max_bytes;
    switch (j->content) {
    case SEARCH_CONTENT_PDF:
        return 64 * MEBIBYTE;
    case SEARCH_CONTENT_JSON:
    case SEARCH_CONTENT_XML:
        return 8 * MEBIBYTE;
    default:
        return 5 * MEBIBYTE;
    }
}

static gboolean
settle_content(job *j, GError **error)
{
    g_autofree char *type = NULL, *charset = NULL;

    search_parse_content_type(j->head.content_type, &type, &charset);
    j->content = search_sniff(j->bytes->data, j->bytes->len, type);
    j->sniffed = TRUE;
    if (j->content == SEARCH_CONTENT_PDF && j->total_seconds <= 0 && j->transfer.deadline_us)
        j->transfer.deadline_us += (gint64)(PDF_SECONDS - j->limits.total_seconds) * G_USEC_PER_SEC;
    if (j->content == SEARCH_CONTENT_OTHER && !j->any_content && !j->robots_file) {
        g_set_error(error, SEARCH_ERROR, SEARCH_ERROR_FORMAT,
                    "neither a page, a paper nor text, but %s", *type ? type : "unknown bytes");
        return FALSE;
    }
    return TRUE;
}

static gboolean
on_begin(const search_head *head, void *data, GError **error)
{
    job *j = data;
    (void)head, (void)error;

    g_byte_array_set_size(j->bytes, 0);
    j->sniffed = j->truncated = FALSE;
    return TRUE;
}

static gboolean
on_write(const void *bytes, size_t len, void *data, GError **error)
{
    job *j = data;
    uint64_t limit = limit_of(j), have = j->bytes->len;

    if (j->robots_file && len > limit - have) {
        g_byte_array_append(j->bytes, bytes, (guint)(limit - have));
        j->truncated = TRUE;
        g_set_error_literal(error, SEARCH_ERROR, SEARCH_ERROR_LIMIT, "long enough");
        return FALSE;
    }
    g_byte_array_append(j->bytes, bytes, (guint)MIN(len, (size_t)G_MAXINT32));
    if (!j->sniffed && j->bytes->len >= SNIFF_AT && !settle_content(j, error)) return FALSE;
    if (j->sniffed && j->bytes->len > (limit = limit_of(j))) {
        g_set_error(error, SEARCH_ERROR, SEARCH_ERROR_LIMIT,
                    "larger than the limit of %" G_GUINT64_FORMAT " bytes for %s", limit,
                    search_content_name(j->content));
        return FALSE;
    }
    return TRUE;
}

static void
set_transfer(job *j, const search_client_options *options, const char *user_agent,
             struct curl_slist *resolve)
{
    double total = j->total_seconds > 0 ? j->total_seconds : options->total_seconds;

    j->limits = (search_limits){
        .max_bytes = j->max_bytes ? j->max_bytes : 64 * MEBIBYTE,
        .connect_seconds = MIN(options->connect_seconds, total),
        .total_seconds = total,
        .stall_seconds = options->stall_seconds,
        .stall_rate = 1024,
        .max_redirects = 5,
        .allow_private = options->allow_private,
        .user_agent = user_agent,
        .cancel = options->cancel,
    };
    j->transfer = (search_transfer){
        .limits = &j->limits,
        .decode = TRUE,
        .accept = j->accept,
        .headers = (const char *const *)j->headers,
        .body = j->body,
        .body_type = j->body_type,
        .if_none_match = j->cached ? j->cached->etag : NULL,
        .if_modified_since = j->cached ? j->cached->last_modified : NULL,
        .resolve = resolve,
        .own_server = j->own_server,
        .keep_refusal = TRUE,
        .begin = on_begin,
        .write = on_write,
        .data = j,
    };
}

gboolean
job_start_hop(job *j, const search_client_options *options, const char *user_agent,
              struct curl_slist *resolve, GError **error)
{
    if (!j->exchange) {
        set_transfer(j, options, user_agent, resolve);
        if (!j->bytes) j->bytes = g_byte_array_new();
        j->used_seconds = 0;
        j->content = SEARCH_CONTENT_OTHER;
        j->attempts++;
        j->exchange = search_exchange_new(&j->transfer, j->url, &j->head);
    }
    gint64 now = g_get_monotonic_time();
    double left = MAX(j->limits.total_seconds - j->used_seconds, 0.001);
    j->hop_start_us = now;
    j->transfer.deadline_us = now + (gint64)(left * G_USEC_PER_SEC);
    return search_exchange_start(j->exchange, 0, error);
}

/* ---- the end ---- */

static void
renew(job *j, search_cache *cache)
{
    j->cached->retrieved = unix_now();
    double age = search_cache_max_age(j->head.cache_control);
    if (age >= 0) j->cached->max_age = age;
    if (cache) search_cache_store(cache, j->cache_name, j->cached, NULL);
    j->response = response_of(j->cached);
}

void
job_complete(job *j, search_cache *cache)
{
    GError *error = NULL;

    j->state = JOB_ENDED;
    if (j->head.status == 304 && j->cached) {
        renew(j, cache);
        return;
    }
    if (!j->sniffed && !settle_content(j, &error)) {
        g_prefix_error(&error, "%s://%s%s: ", j->parts.scheme, j->parts.host, j->parts.path);
        job_fail(j, error);
        return;
    }
    search_response *response = g_new0(search_response, 1);
    response->status = j->head.status;
    response->url = g_strdup(j->head.url);
    search_parse_content_type(j->head.content_type, &response->content_type, &response->charset);
    response->body = g_byte_array_free_to_bytes(g_steal_pointer(&j->bytes));
    response->content = j->content;
    response->retrieved = unix_now();
    j->response = response;
    if (!cache) return;
    const search_cached entry = {.url = response->url,
                                 .content_type = j->head.content_type,
                                 .etag = j->head.any_etag,
                                 .last_modified = j->head.last_modified,
                                 .retrieved = response->retrieved,
                                 .max_age = search_cache_max_age(j->head.cache_control),
                                 .body = response->body};
    /* a full disk costs the cache, not the answer */
    search_cache_store(cache, j->cache_name, &entry, NULL);
}
