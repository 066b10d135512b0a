/* The parts of search_client: cache on disk, robots.txt, rates. */
#ifndef LODE_SEARCH_CLIENT_H
#define LODE_SEARCH_CLIENT_H

#include "search/transfer.h"

/* ---- cache.c: answers on disk, one file each ---- */

typedef struct search_cache search_cache;

typedef struct {
    char *url;          /* after redirects */
    char *content_type; /* as sent, NULL where absent */
    char *etag;         /* these two: NULL where absent */
    char *last_modified;
    gint64 retrieved; /* Unix time */
    double max_age;   /* seconds the server gives it, 0 = ask each time, -1 = does not say */
    GBytes *body;
} search_cached;

void search_cached_free(search_cached *entry); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(search_cached, search_cached_free)

/* Creates dir; drops the oldest entries beyond max_bytes. */
search_cache *search_cache_new(const char *dir, uint64_t max_bytes, GError **error);
void search_cache_free(search_cache *cache); /* NULL is fine */

/* NULL when there is none, or none that can be read. name: of search_cache_name. */
search_cached *search_cache_load(search_cache *cache, const char *name);
/* Written beside and renamed, so that other processes see the old one or the new one. */
gboolean search_cache_store(search_cache *cache, const char *name, const search_cached *entry,
                            GError **error);
/* max_age of a Cache-Control header, which may be NULL. */
double search_cache_max_age(const char *cache_control);

/* ---- robots.c: RFC 9309 ---- */

#define SEARCH_ROBOTS_AGENT "lode"
#define SEARCH_ROBOTS_BYTES (500 * 1024)

typedef struct search_robots search_robots;

/* Rules for SEARCH_ROBOTS_AGENT in text [len], which may be NULL with 0; what lies beyond SEARCH_ROBOTS_BYTES is not read. */
search_robots *search_robots_parse(const char *text, gsize len);
void search_robots_free(search_robots *robots); /* NULL is fine */
/* target: path and query of a URL, "/a?b". robots NULL: all is allowed. */
gboolean search_robots_allow(const search_robots *robots, const char *target);

/* ---- rates.c: how often a host may be asked ---- */

typedef struct {
    double interval_seconds; /* between requests in the long run */
    guint burst;             /* so many at once after a pause */
    guint connections;       /* 0 = the client's limit */
    const char *name;        /* hosts of one name share one bucket */
} search_rate;

/* Never NULL. host in lower case. */
const search_rate *search_rate_of(const char *host);

/* ---- sites.c: the hosts and origins a client has to do with ---- */

typedef struct {
    const search_rate *rate;
    double tokens;
    gint64 filled_us;       /* when tokens were counted last */
    gint64 closed_until_us; /* by a Retry-After */
    guint in_flight;
    gboolean found; /* its address is known: given as one, or once connected */
} search_host;

typedef enum { SITE_UNKNOWN, SITE_ASKED, SITE_KNOWN } search_site_state;

typedef struct {
    char *origin;
    search_site_state state; /* of robots.txt */
    search_robots *robots;
    GError *closed; /* robots.txt cannot be had: all is refused with this */
} search_site;

typedef struct {
    GHashTable *hosts; /* name or rate's name -> search_host */
    GHashTable *sites; /* origin -> search_site */
} search_sites;

void search_sites_init(search_sites *sites);
void search_sites_clear(search_sites *sites);
/* Both lent, as long as the sites. */
search_host *search_sites_host(search_sites *sites, const search_url *url);
search_site *search_sites_site(search_sites *sites, const search_url *url);

/* 0: may be asked now (search_host_take does), else microseconds to wait; -1: until one of its transfers is through.
 * max: transfers at once. */
gint64 search_host_wait(search_host *host, guint max, gboolean unlimited, gint64 now_us);
void search_host_take(search_host *host, gboolean unlimited);

/* What robots.txt said: fills in site. status 0 when it did not come to an answer. */
void search_site_learn(search_site *site, const search_response *response, long status,
                       const GError *error);

/* ---- client.c, for providers ---- */

/* How a transfer ended; all lent. */
typedef struct {
    search_response *response; /* may be stolen; NULL on failure */
    const GError *error;
    long status;         /* of the last answer, 0 none */
    const char *refusal; /* start of the body of an answer >= 400, may be NULL */
    double retry_after;  /* seconds that it asked for */
} search_outcome;

typedef void (*search_ended)(search_outcome *outcome, void *user_data);

guint64 search_client_start(search_client *client, const char *url, const search_request *request,
                            search_ended ended, void *user_data);
/* A number for something made of several transfers; cancel is called for it. */
guint64 search_client_register(search_client *client, void (*cancel)(void *data), void *data);
void search_client_unregister(search_client *client, guint64 number);
/* Calls call(data) from search_client_run. */
void search_client_later(search_client *client, void (*call)(void *data), void *data);
const char *search_client_contact(const search_client *client); /* may be NULL; lent */

/* ---- sniff.c ---- */

/* What body [len] is; declared: its content type in lower case, may be NULL. */
search_content search_sniff(const void *body, gsize len, const char *declared);
const char *search_content_name(search_content content);

#endif
