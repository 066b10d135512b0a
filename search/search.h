/* search: the web side. The only module that opens network connections.
 *
 * This version: fetching (one transfer, with limits, an address policy on every hop, resume and checksum)
 * and reading HTML into a lode_document. Planning and search providers build on these two.
 *
 * Everything here is thread-safe; nothing is kept between calls. Errors are GError in SEARCH_ERROR. */
#ifndef LODE_SEARCH_SEARCH_H
#define LODE_SEARCH_SEARCH_H

#include <glib.h>
#include <stdint.h>

#include "layout/layout.h"

G_BEGIN_DECLS

#define SEARCH_ERROR (search_error_quark())
GQuark search_error_quark(void);

typedef enum {
    SEARCH_ERROR_URL,      /* not an http(s) URL */
    SEARCH_ERROR_ADDRESS,  /* loopback, private, link-local, multicast: not allowed */
    SEARCH_ERROR_NETWORK,  /* name, connection, TLS, time */
    SEARCH_ERROR_STATUS,   /* HTTP status >= 400 */
    SEARCH_ERROR_LIMIT,    /* too large, too slow, too many redirects */
    SEARCH_ERROR_CHECKSUM, /* not the bytes that were promised */
    SEARCH_ERROR_IO,
    SEARCH_ERROR_FORMAT, /* not HTML, or nothing readable in it */
    SEARCH_ERROR_CANCELLED
} search_error_code;

typedef struct {
    uint64_t max_bytes;     /* of the body after decompression; 0 = 32 MiB (8 GiB for downloads) */
    double connect_seconds; /* 0 = 10 */
    double total_seconds;   /* 0 = 60 (none for downloads) */
    double stall_seconds;   /* fewer than 1 byte/s for so long ends it; 0 = 30 */
    guint max_redirects;    /* 0 = 5 */
    gboolean allow_private; /* loopback, private and link-local targets */
    const char *user_agent; /* NULL = "lode/VERSION" */
    const int *cancel;      /* may be NULL */
    void (*progress)(uint64_t done, uint64_t total,
                     void *user_data); /* total 0 = unknown; may be NULL */
    void *user_data;
} search_fetch_options;

typedef struct {
    long status;
    char *url;          /* after redirects */
    char *content_type; /* lower case, without parameters; "" where absent */
    char *charset;      /* from the header, NULL where absent */
    GBytes *body;
} search_response;
void search_response_free(search_response *response); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(search_response, search_response_free)

/* GET into memory. options NULL: defaults. */
search_response *search_fetch(const char *url, const search_fetch_options *options, GError **error);

/* GET into a file: written to path + ".part", resumed from what a broken transfer left there, checked
 * against sha256 (hex, NULL = unchecked), synced, renamed. A wrong checksum removes the part. */
gboolean search_download(const char *url, const char *path, const char *sha256,
                         const search_fetch_options *options, GError **error);

/* Is this IP address (text form) one that the policy allows? For tests and for callers that resolve. */
gboolean search_address_is_public(const char *address);

/* Main text of an HTML page as a document of one page: title, headings, paragraphs, lists, tables, code,
 * links; navigation and other boilerplate left out. html [len]; charset NULL: from <meta>, else UTF-8.
 * url: base of relative links, may be NULL. */
lode_document *search_read_html(const char *html, size_t len, const char *charset, const char *url,
                                GError **error);

const char *search_curl_version(void); /* "7.88.1", for lode doctor; static */
const char *search_libxml_version(void);

G_END_DECLS
#endif
