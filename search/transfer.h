/* One HTTP(S) GET with limits: the piece under search_fetch and search_download.
 *
 * A transfer follows redirects itself, hop by hop, so that scheme, port and address are checked on each. */
#ifndef LODE_SEARCH_TRANSFER_H
#define LODE_SEARCH_TRANSFER_H

#include <glib.h>
#include <stdint.h>
#include <sys/socket.h>

#include "search/search.h"

/* search_fetch_options with the defaults filled in. */
typedef struct {
    uint64_t max_bytes;
    double connect_seconds;
    double total_seconds; /* 0 = none */
    double stall_seconds;
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
    char *etag;         /* strong ones only */
    char *last_modified;
    int64_t length;      /* of the body as sent, -1 unknown */
    gboolean encoded;    /* compressed on the way: length is not that of the bytes we hand on */
    int64_t range_start; /* of a 206, -1 unknown */
    int64_t range_total; /* of a 206 or 416, -1 unknown */
    double retry_after;  /* seconds, 0 where absent */
} search_head;

void search_head_clear(search_head *head);

typedef struct {
    const search_limits *limits;
    gboolean decode;      /* offer compression and undo it */
    uint64_t resume_from; /* > 0: ask for the bytes from there on */
    const char *if_range; /* validator of what we have, may be NULL */
    /* Called once per successful response, before its body; FALSE with the error set stops. */
    gboolean (*begin)(const search_head *head, void *data, GError **error);
    gboolean (*write)(const void *bytes, size_t len, void *data, GError **error);
    void *data;
} search_transfer;

/* head: cleared and filled, also on failure as far as known. transient: set where another attempt may
 * succeed. connected: set once any server was reached. The last two may be NULL. */
gboolean search_transfer_run(const search_transfer *transfer, const char *url, search_head *head,
                             gboolean *transient, gboolean *connected, GError **error);

/* SEARCH_ERROR_CANCELLED where limits say so. */
gboolean search_limits_cancelled(const search_limits *limits, GError **error);

/* ---- address policy: address.c ---- */

gboolean search_sockaddr_is_public(const struct sockaddr *address, socklen_t len);

/* The proxy the environment names for this host, NULL for none. Free with g_free. */
char *search_proxy_for(const char *scheme, const char *host);

/* A host the proxy, not we, would resolve: refused when it is an address that is not public or a name
 * that can only be local. */
gboolean search_proxied_host_is_public(const char *host);

#endif
