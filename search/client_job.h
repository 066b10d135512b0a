/* Shared by client.c and client_job.c: one request on its way through a client. */
#ifndef LODE_SEARCH_CLIENT_JOB_H
#define LODE_SEARCH_CLIENT_JOB_H

#include "search/client.h"

typedef enum {
    JOB_NEW,     /* cache not looked at yet */
    JOB_ROBOTS,  /* waits for its site's robots.txt, or has to ask for it */
    JOB_TURN,    /* waits for its host */
    JOB_PAUSE,   /* until not_before_us, then JOB_TURN */
    JOB_RUNNING, /* in the multi handle */
    JOB_ENDED    /* the callback is due */
} job_state;

typedef struct {
    search_client *client;
    guint64 number;
    GList link; /* in the client's queue of jobs, or of those that ended */
    job_state state;
    search_ended ended;
    search_done done; /* of a public request; ended is NULL then */
    void *user_data;

    /* the request, copied */
    char *url;
    char **headers;
    char *body, *body_type, *accept;
    uint64_t max_bytes;
    double total_seconds;
    gboolean ignore_robots, own_server, any_content;
    gboolean
        robots_file; /* the request for a robots.txt: free of the rate, cut at its limit, kept a day */

    char *cache_name; /* NULL: no cache */
    search_cached *cached;

    /* the attempt */
    search_url parts; /* of the hop */
    search_host *host;
    search_limits limits;
    search_transfer transfer;
    search_exchange *exchange;
    search_head head;
    GByteArray *bytes;
    search_content content;
    gboolean sniffed, truncated;
    double used_seconds; /* by earlier hops of this attempt */
    gint64 hop_start_us;
    guint attempts;
    double paused_seconds;
    gint64 not_before_us;

    search_response *response;
    GError *error;
} job;

job *job_new(search_client *client, const char *url, const search_request *request);
void job_free(job *j);

/* Look into the cache; TRUE when that ended the job. */
gboolean job_try_cache(job *j, search_cache *cache, const search_client_options *options);
/* Set up the next hop; FALSE with the error set. */
gboolean job_start_hop(job *j, const search_client_options *options, const char *user_agent,
                       struct curl_slist *resolve, GError **error);
/* The response of a transfer that went well; stores it in cache, which may be NULL. */
void job_complete(job *j, search_cache *cache);
void job_fail(job *j, GError *error); /* takes error */

#endif
