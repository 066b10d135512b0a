/* search: the web side. The only module that opens network connections.
 *
 * This version: fetching (one transfer, with limits, an address policy on every hop, resume and checksum)
 * and reading HTML into a lode_document. Planning and search providers build on these two.
 *
 * Fetching speaks http and https only, to ports 80, 443 and from 1024 on, and verifies certificates (against
 * $SSL_CERT_FILE where that is set, else the system's). URLs with a password are refused. Proxies are those
 * of the environment (http_proxy, https_proxy, all_proxy, no_proxy); behind one, the proxy resolves names,
 * so of the address policy only what the URL itself shows can be enforced: addresses, and local names.
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

/* GET into memory, whatever compression undone. options NULL: defaults. Anything but a 2xx at the end of the
 * redirects is SEARCH_ERROR_STATUS. Nothing is tried twice. */
search_response *search_fetch(const char *url, const search_fetch_options *options, GError **error);

/* GET into a file: written to path + ".part", resumed from what a broken transfer left there, checked
 * against sha256 (hex, NULL = unchecked), synced, renamed. A wrong checksum removes the part.
 *
 * A transfer that breaks, stalls or meets a passing server error (408, 425, 429, 5xx) goes on where it
 * stopped, up to 4 times in a row without progress; a host that cannot be reached at all is an error at
 * once. Without sha256, the part of an earlier run is only used while the server's ETag or Last-Modified is
 * the one it came with (kept in path + ".part.etag"). Two processes cannot download to the same path. */
gboolean search_download(const char *url, const char *path, const char *sha256,
                         const search_fetch_options *options, GError **error);

/* Is this IP address (text form) one that the policy allows? For tests and for callers that resolve. */
gboolean search_address_is_public(const char *address);

/* Main text of an HTML page as a document of one page: title, headings, paragraphs, lists, tables, code,
 * formulas, figures' captions, references, links; navigation, other boilerplate and hidden text left out.
 * html [len]; charset: the transport's, NULL: from <meta>, else UTF-8, else windows-1252. url: base of
 * relative links, may be NULL.
 *
 * The page is of nominal size (612 x 792) and blocks have no boxes. A CODE block keeps its line ends. Up to
 * 8 MiB; SEARCH_ERROR_LIMIT beyond. Parsing loads nothing and runs nothing. */
lode_document *search_read_html(const char *html, size_t len, const char *charset, const char *url,
                                GError **error);

const char *search_curl_version(void); /* "7.88.1", for lode doctor; static */
const char *search_libxml_version(void);

G_END_DECLS
#endif
