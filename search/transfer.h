/* One HTTP(S) request with limits: the piece under search_fetch, search_download and search_client.
 *
 * A transfer follows redirects itself, hop by hop, so that scheme, port and address are checked on each. It is
 * either run to its end here (search_transfer_run) or driven by someone else hop by hop (search_exchange). */
#ifndef LODE_SEARCH_TRANSFER_H
#define LODE_SEARCH_TRANSFER_H

#include <curl/curl.h>
#include <glib.h>
#include <stdint.h>
#include <sys/socket.h>

#include "search/search.h"

/* search_fetch_options with the defaults filled in. */
typedef struct {
    uint64_t max_bytes;
    double connect_seconds;
    double total_seconds; /* 0 = none */
    double stall_seconds; /* this long with fewer than ... */
    double stall_rate;    /* ... bytes per second ends it */
    guint max_redirects;
    gboolean allow_private;
    const char *user_agent;
    const int *cancel;
    void (*progress)(uint64_t done, uint64_t total, void *user_data);
    void *user_data;
} search_limits;

/* What a response said before its body. */
typedef struct {
    long status;
    char *url;          /* of this hop */
    char *content_type; /* as sent, NULL where absent */
    char *etag;         /* strong ones only: it vouches for the bytes */
    char *any_etag;     /* as sent, also a weak one */
    char *last_modified;
    char *cache_control;
    int64_t length;      /* of the body as sent, -1 unknown */
    gboolean encoded;    /* compressed on the way: length is not that of the bytes we hand on */
    int64_t range_start; /* of a 206, -1 unknown */
    int64_t range_total; /* of a 206 or 416, -1 unknown */
    double retry_after;  /* seconds, 0 where absent */
    char *refusal;       /* start of the body of an answer >= 400, where asked for; else NULL */
} search_head;

void search_head_clear(search_head *head);

typedef struct {
    const search_limits *limits;
    gboolean decode;      /* offer compression and undo it */
    uint64_t resume_from; /* > 0: ask for the bytes from there on */
    const char *if_range; /* validator of what we have, may be NULL */
    /* all of these may be NULL */
    const char *accept;         /* NULL = pages and papers */
    const char *const *headers; /* "Name: value"; not sent on once a redirect changes the host */
    const char *body;           /* a POST with this, of the type body_type */
    const char *body_type;
    const char *if_none_match; /* with one of these two a 304 is a success without a body */
    const char *if_modified_since;
    gint64 deadline_us; /* g_get_monotonic_time() at which it ends; 0 = none; may be changed */
    struct curl_slist *resolve; /* as CURLOPT_RESOLVE takes it */
    gboolean own_server;        /* the URL's origin may be private, though others may not */
    gboolean keep_refusal;      /* fill in head->refusal */
    /* Called once per successful response, before its body; FALSE with the error set stops. */
    gboolean (*begin)(const search_head *head, void *data, GError **error);
    gboolean (*write)(const void *bytes, size_t len, void *data, GError **error);
    void *data;
} search_transfer;

/* head: cleared and filled, also on failure as far as known. transient: set where another attempt may
 * succeed. connected: set once any server was reached. The last two may be NULL. */
gboolean search_transfer_run(const search_transfer *transfer, const char *url, search_head *head,
                             gboolean *transient, gboolean *connected, GError **error);

/* libcurl must be started once before its first use; safe to call again. */
void search_curl_start(void);

/* ---- hop by hop ---- */

typedef struct search_exchange search_exchange;

typedef enum {
    SEARCH_EXCHANGE_FAILED, /* the error is set */
    SEARCH_EXCHANGE_DONE,
    SEARCH_EXCHANGE_REDIRECTED /* start again: search_exchange_url has changed */
} search_exchange_step;

/* transfer and head must outlive it; head is cleared. */
search_exchange *search_exchange_new(const search_transfer *transfer, const char *url,
                                     search_head *head);
void search_exchange_free(search_exchange *exchange); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(search_exchange, search_exchange_free)

/* Check the URL of this hop and make the handle ready for it. seconds_left: 0 = no limit. */
gboolean search_exchange_start(search_exchange *exchange, double seconds_left, GError **error);
CURL *search_exchange_handle(search_exchange *exchange); /* to be performed after start; lent */
/* After the handle was performed, with its result. */
search_exchange_step search_exchange_finish(search_exchange *exchange, CURLcode code,
                                            GError **error);
const char *search_exchange_url(const search_exchange *exchange); /* of this hop; lent */
gboolean search_exchange_is_transient(const search_exchange *exchange);
gboolean search_exchange_is_connected(
    const search_exchange *exchange); /* this hop or an earlier one */

/* SEARCH_ERROR_CANCELLED where limits say so. */
gboolean search_limits_cancelled(const search_limits *limits, GError **error);

/* ---- url.c ---- */

typedef struct {
    char *scheme, *host; /* as written */
    char *origin;        /* "https://host:443", lower case */
    char *port, *path;   /* port never NULL */
    char *query;         /* NULL where absent */
    char *shown;         /* for messages: without the query, which may hold keys */
} search_url;

/* Fill in url (zeroed before); only http and https without a user. */
gboolean search_url_parse(search_url *url, const char *text, GError **error);
void search_url_clear(search_url *url);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(search_url, search_url_clear)

/* The bare identifier in text ("arXiv:2401.04088v2" -> "2401.04088"; "https://doi.org/10.1/X" -> "10.1/x"), NULL
 * for none. text may be NULL. Free with g_free. */
char *search_arxiv_id(const char *text);
char *search_doi(const char *text);

/* Name under which the answer to a request is kept: hex, the same for any key. body may be NULL. Free with
 * g_free. */
char *search_cache_name(const char *url, const char *body);

/* ---- address policy: address.c ---- */

/* Ports below 1024 other than the web's belong to other protocols, which a crafted URL could talk to. */
gboolean search_port_is_allowed(const char *port);

gboolean search_sockaddr_is_public(const struct sockaddr *address, socklen_t len);

/* The proxy the environment names for this host, NULL for none. Free with g_free. */
char *search_proxy_for(const char *scheme, const char *host);

/* A host the proxy, not we, would resolve: refused when it is an address that is not public or a name
 * that can only be local. */
gboolean search_proxied_host_is_public(const char *host);

#endif
