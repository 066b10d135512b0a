/* Many requests at once, over one multi handle of libcurl.
 *
 *   get -> jobs:  NEW -> ROBOTS -> TURN -> RUNNING -> ended -> callback
 *                                   ^  \      |
 *                                   |   PAUSE |      a broken one is tried again,
 *                                   +---------+      a redirected one queues for its new host
 *
 * Everything happens in search_client_run. libcurl makes no thread per transfer; its resolver makes one for as
 * long as a name is being looked up, so that at most LOOKUPS_MAX hosts are being found at a time. */
#include "search/client_job.h"

#include <string.h>

#define ATTEMPTS_MAX 5
#define ROBOTS_WAIT  10.0 /* seconds for a robots.txt, for which pages wait */
#define LOOKUPS_MAX  24
#define STARTS_MAX   16  /* before those under way get a turn */
#define POLL_MS      100 /* so that limits and a cancel are seen soon */

struct search_client {
    search_client_options options;
    char *contact, *user_agent;
    struct curl_slist *resolve;
    CURLM *multi;
    search_cache *cache;
    search_sites sites;
    GQueue jobs;           /* in order of arrival */
    GQueue ended;          /* callbacks due */
    GHashTable *by_number; /* -> job */
    GHashTable *groups;    /* number -> group */
    GArray *calls;         /* of later */
    guint64 last_number;
    guint in_flight;
    guint n_lookups; /* running jobs whose host was not found yet, at last count */
    guint n_started; /* in this round */
    gint64 wake_us;  /* the next moment at which a job may go on, 0 = none */
};

typedef struct {
    void (*cancel)(void *data);
    void *data;
} group;

typedef struct {
    void (*call)(void *data);
    void *data;
} later;

/* ---- life ---- */

static char *
make_user_agent(const char *contact)
{
    if (!contact || !*contact) return g_strdup("lode/" LODE_VERSION);
    /* a header is one line of plain text */
    g_autofree char *plain = g_str_to_ascii(contact, "C");
    g_strdelimit(plain, "\r\n()", ' ');
    return g_strdup_printf("lode/%s (%s%s)", LODE_VERSION,
                           strchr(plain, '@') && !strchr(plain, ':') ? "mailto:" : "+", plain);
}

static void
set_options(search_client *client, const search_client_options *options)
{
    if (options) client->options = *options;
    search_client_options *o = &client->options;
    if (o->cache_seconds <= 0) o->cache_seconds = 3600;
    if (o->cache_bytes == 0) o->cache_bytes = (uint64_t)1 << 30;
    if (o->max_in_flight == 0) o->max_in_flight = 200;
    if (o->max_per_host == 0) o->max_per_host = 6;
    if (o->connect_seconds <= 0) o->connect_seconds = 5;
    if (o->total_seconds <= 0) o->total_seconds = 20;
    if (o->stall_seconds <= 0) o->stall_seconds = 10;
    if (o->retry_seconds == 0) o->retry_seconds = 20;
    for (const char *const *r = o->resolve; r && *r; r++)
        client->resolve = curl_slist_append(client->resolve, *r);
    client->contact = g_strdup(o->contact);
    client->user_agent = make_user_agent(o->contact);
    o->contact = client->contact;
    o->resolve = NULL;
}

search_client *
search_client_new(const search_client_options *options, GError **error)
{
    g_autoptr(search_client) client = g_new0(search_client, 1);
    const char *cache_dir = options ? options->cache_dir : NULL;

    set_options(client, options);
    client->options.cache_dir = NULL;
    search_sites_init(&client->sites);
    client->by_number = g_hash_table_new(g_int64_hash, g_int64_equal);
    client->groups = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
    client->calls = g_array_new(FALSE, FALSE, sizeof(later));
    if (cache_dir) {
        client->cache = search_cache_new(cache_dir, client->options.cache_bytes, error);
        if (!client->cache) return NULL;
    } else if (client->options.offline) {
        g_set_error_literal(error, SEARCH_ERROR, SEARCH_ERROR_OFFLINE, "offline without a cache");
        return NULL;
    }
    search_curl_start();
    client->multi = curl_multi_init();
    if (!client->multi) {
        g_set_error_literal(error, SEARCH_ERROR, SEARCH_ERROR_IO, "libcurl could not be started");
        return NULL;
    }
    curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, 64L);
    return g_steal_pointer(&client);
}

const char *
search_client_contact(const search_client *client)
{
    return client->contact;
}

/* ---- starting ---- */

static guint64
add_job(search_client *client, job *j)
{
    j->number = ++client->last_number;
    g_hash_table_insert(client->by_number, &j->number, j);
    g_queue_push_tail_link(&client->jobs, &j->link);
    return j->number;
}

guint64
search_client_get(search_client *client, const char *url, const search_request *request,
                  search_done done, void *user_data)
{
    job *j = job_new(client, url, request);
    j->done = done;
    j->user_data = user_data;
    return add_job(client, j);
}

guint64
search_client_start(search_client *client, const char *url, const search_request *request,
                    search_ended ended, void *user_data)
{
    job *j = job_new(client, url, request);
    j->ended = ended;
    j->user_data = user_data;
    return add_job(client, j);
}

guint64
search_client_register(search_client *client, void (*cancel)(void *data), void *data)
{
    group *g = g_new(group, 1);
    guint64 *number = g_new(guint64, 1);

    *g = (group){cancel, data};
    *number = ++client->last_number;
    g_hash_table_insert(client->groups, number, g);
    return *number;
}

void
search_client_unregister(search_client *client, guint64 number)
{
    g_hash_table_remove(client->groups, &number);
}

void
search_client_later(search_client *client, void (*call)(void *data), void *data)
{
    later l = {call, data};
    g_array_append_val(client->calls, l);
}

/* ---- ending ---- */

static void
leave_host(job *j)
{
    search_client *client = j->client;

    curl_multi_remove_handle(client->multi, search_exchange_handle(j->exchange));
    j->host->in_flight--;
    client->in_flight--;
}

/* To the queue of callbacks. */
static void
end_job(job *j)
{
    search_client *client = j->client;

    j->state = JOB_ENDED;
    g_queue_unlink(&client->jobs, &j->link);
    g_queue_push_tail_link(&client->ended, &j->link);
}

static void
cancel_job(job *j)
{
    if (j->state == JOB_ENDED) return;
    if (j->state == JOB_RUNNING) leave_host(j);
    g_autofree char *shown = search_redact_url(j->url);
    job_fail(j, g_error_new(SEARCH_ERROR, SEARCH_ERROR_CANCELLED, "%s: cancelled", shown));
    end_job(j);
}

void
search_client_cancel(search_client *client, guint64 number)
{
    group *g = g_hash_table_lookup(client->groups, &number);
    job *j = g_hash_table_lookup(client->by_number, &number);

    if (g) g->cancel(g->data);
    if (j) cancel_job(j);
}

static void
cancel_all(search_client *client)
{
    while (!g_queue_is_empty(&client->jobs))
        cancel_job(client->jobs.head->data);
}

/* Number of callbacks called. */
static guint
deliver(search_client *client)
{
    guint n = 0;

    while (client->calls->len > 0) {
        later l = g_array_index(client->calls, later, 0);
        g_array_remove_index(client->calls, 0);
        l.call(l.data);
        n++;
    }
    while (!g_queue_is_empty(&client->ended)) {
        job *j = g_queue_pop_head_link(&client->ended)->data;
        g_hash_table_remove(client->by_number, &j->number);
        search_outcome outcome = {.response = j->response,
                                  .error = j->error,
                                  .status = j->head.status,
                                  .refusal = j->head.refusal,
                                  .retry_after = j->head.retry_after};
        j->response = NULL;
        if (j->ended)
            j->ended(&outcome, j->user_data);
        else
            j->done(g_steal_pointer(&outcome.response), j->error, j->user_data);
        search_response_free(outcome.response);
        job_free(j);
        n++;
    }
    return n;
}

void
search_client_free(search_client *client)
{
    if (!client) return;
    while (client->by_number && (!g_queue_is_empty(&client->jobs) ||
                                 !g_queue_is_empty(&client->ended) || client->calls->len > 0)) {
        cancel_all(client);
        deliver(client);
    }
    if (client->multi) curl_multi_cleanup(client->multi);
    search_sites_clear(&client->sites);
    search_cache_free(client->cache);
    g_clear_pointer(&client->by_number, g_hash_table_unref);
    g_clear_pointer(&client->groups, g_hash_table_unref);
    if (client->calls) g_array_unref(client->calls);
    curl_slist_free_all(client->resolve);
    g_free(client->contact);
    g_free(client->user_agent);
    g_free(client);
}

/* ---- robots.txt ---- */

static void
on_robots(search_outcome *outcome, void *user_data)
{
    search_site_learn(user_data, outcome->response, outcome->status, outcome->error);
}

/* TRUE when the job may queue for its host; else it waits, or has ended with an error. */
static gboolean
pass_robots(job *j)
{
    if (j->ignore_robots || j->robots_file) return TRUE;
    search_site *site = search_sites_site(&j->client->sites, &j->parts);
    if (site->state == SITE_UNKNOWN) {
        g_autofree char *url = g_strconcat(j->parts.scheme, "://", j->parts.host, ":",
                                           j->parts.port, "/robots.txt", NULL);
        site->state = SITE_ASKED;
        job *robots = job_new(j->client, url, NULL);
        robots->robots_file = TRUE;
        robots->total_seconds = MIN(j->client->options.total_seconds, ROBOTS_WAIT);
        robots->own_server = j->own_server;
        robots->ended = on_robots;
        robots->user_data = site;
        add_job(j->client, robots);
    }
    if (site->state != SITE_KNOWN) return FALSE;
    if (site->closed) {
        job_fail(j, g_error_copy(site->closed));
        return FALSE;
    }
    g_autofree char *target =
        g_strconcat(j->parts.path, j->parts.query ? "?" : "", j->parts.query, NULL);
    if (search_robots_allow(site->robots, target)) return TRUE;
    job_fail(j,
             g_error_new(SEARCH_ERROR, SEARCH_ERROR_ROBOTS,
                         "%s: the site's robots.txt asks programs not to read it", j->parts.shown));
    return FALSE;
}

/* ---- attempts ---- */

/* Seconds before the next attempt, or -1 when there is to be none. */
static double
next_pause(const job *j)
{
    double longest = j->client->options.retry_seconds;
    guint step = j->attempts - 1;
    double seconds = (double)(1u << MIN(step, 3));

    if (!search_exchange_is_transient(j->exchange) || j->attempts >= ATTEMPTS_MAX) return -1;
    /* a host never reached will not be in a second */
    if (!search_exchange_is_connected(j->exchange)) return -1;
    /* spread, so that those turned away together do not come back together */
    seconds *= 0.75 + 0.5 * (double)(j->number * 2654435761u % 1024) / 1024;
    seconds = MAX(seconds, j->head.retry_after);
    return j->paused_seconds + seconds <= longest ? seconds : -1;
}

static void
attempt_failed(job *j, GError *error)
{
    /* a slow one had its time */
    double pause = error->code == SEARCH_ERROR_LIMIT ? -1 : next_pause(j);

    if (j->head.retry_after > 0 && j->host)
        j->host->closed_until_us =
            g_get_monotonic_time() + (gint64)(j->head.retry_after * G_USEC_PER_SEC);
    g_clear_pointer(&j->exchange, search_exchange_free);
    if (pause < 0) {
        if (j->head.retry_after > 0) {
            g_autofree char *message =
                g_strdup_printf("%s; it asks to wait %.0f s", error->message, j->head.retry_after);
            g_free(error->message);
            error->message = g_steal_pointer(&message);
        }
        job_fail(j, error);
        return;
    }
    g_error_free(error);
    j->paused_seconds += pause;
    j->not_before_us = g_get_monotonic_time() + (gint64)(pause * G_USEC_PER_SEC);
    j->state = JOB_PAUSE;
}

static gboolean
set_hop(job *j, const char *url, GError **error)
{
    search_url_clear(&j->parts);
    if (!search_url_parse(&j->parts, url, error)) return FALSE;
    j->host = search_sites_host(&j->client->sites, &j->parts);
    j->state = JOB_ROBOTS;
    return TRUE;
}

/* One's own machine, and one's own servers, need no pauses. */
static gboolean
needs_no_pause(const job *j)
{
    const char *host = j->parts.host;
    return j->own_server || j->robots_file || g_str_equal(host, "127.0.0.1") ||
           g_str_equal(host, "[::1]") || g_str_equal(host, "localhost");
}

static void
start_hop(job *j)
{
    search_client *client = j->client;
    GError *error = NULL;

    if (!job_start_hop(j, &client->options, client->user_agent, client->resolve, &error)) {
        job_fail(j, error);
        return;
    }
    CURL *easy = search_exchange_handle(j->exchange);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, j);
    search_host_take(j->host, needs_no_pause(j));
    client->in_flight++;
    client->n_started++;
    client->n_lookups += !j->host->found;
    j->state = JOB_RUNNING;
    curl_multi_add_handle(client->multi, easy);
}

static void
finish_hop(job *j, CURLcode code)
{
    search_client *client = j->client;
    GError *error = NULL;

    leave_host(j);
    j->used_seconds += (double)(g_get_monotonic_time() - j->hop_start_us) / G_USEC_PER_SEC;
    switch (search_exchange_finish(j->exchange, code, &error)) {
    case SEARCH_EXCHANGE_REDIRECTED:
        if (!set_hop(j, search_exchange_url(j->exchange), &error)) {
            g_prefix_error(&error, "%s: redirect: ", j->head.url);
            job_fail(j, error);
        }
        break;
    case SEARCH_EXCHANGE_DONE:
        job_complete(j, client->cache);
        break;
    case SEARCH_EXCHANGE_FAILED:
        if (j->truncated) {
            g_error_free(error);
            job_complete(j, client->cache);
        } else {
            attempt_failed(j, error);
        }
        break;
    }
    if (j->state == JOB_ENDED) end_job(j);
}

/* ---- the loop ---- */

static void
note_wake(search_client *client, gint64 at_us)
{
    if (client->wake_us == 0 || at_us < client->wake_us) client->wake_us = at_us;
}

/* The host has asked for a pause: too long a one ends the job. */
static void
wait_for_host(job *j, gint64 now)
{
    double seconds = (double)(j->host->closed_until_us - now) / G_USEC_PER_SEC;

    if (j->paused_seconds + seconds <= j->client->options.retry_seconds) return;
    job_fail(j, g_error_new(SEARCH_ERROR, SEARCH_ERROR_STATUS,
                            "%s: not asked: the server wants to be left alone for %.0f s more",
                            j->parts.shown, seconds));
}

/* One job as far as it gets. */
static void
advance(job *j, gint64 now)
{
    search_client *client = j->client;
    const search_client_options *o = &client->options;
    GError *error = NULL;

    if (j->state == JOB_NEW) {
        if (!set_hop(j, j->url, &error)) {
            job_fail(j, error);
        } else if (job_try_cache(j, client->cache, o)) {
            return;
        }
    }
    if (j->state == JOB_ROBOTS && pass_robots(j)) j->state = JOB_TURN;
    if (j->state == JOB_PAUSE) {
        if (now >= j->not_before_us)
            j->state = JOB_TURN;
        else
            note_wake(client, j->not_before_us);
    }
    if (j->state == JOB_TURN && j->host->closed_until_us > now) wait_for_host(j, now);
    if (j->state != JOB_TURN || client->in_flight >= o->max_in_flight) return;
    if (!j->host->found && client->n_lookups >= LOOKUPS_MAX) return;
    gint64 wait = search_host_wait(j->host, o->max_per_host, needs_no_pause(j), now);
    if (wait == 0)
        start_hop(j);
    else if (wait > 0)
        note_wake(client, now + wait);
}

static void
count_lookups(search_client *client)
{
    client->n_lookups = 0;
    for (GList *l = client->jobs.head; l; l = l->next) {
        const job *j = l->data;
        if (j->state != JOB_RUNNING || j->host->found) continue;
        j->host->found = search_exchange_is_connected(j->exchange);
        client->n_lookups += !j->host->found;
    }
}

static void
advance_all(search_client *client)
{
    gint64 now = g_get_monotonic_time();

    client->wake_us = 0;
    client->n_started = 0;
    count_lookups(client);
    for (GList *l = client->jobs.head; l;) {
        job *j = l->data;
        if (client->n_started >= STARTS_MAX) {
            note_wake(client,
                      now); /* the first ones may have an answer before the last are set up */
            return;
        }
        if (j->state != JOB_RUNNING) advance(j, now);
        l = l->next; /* what advance added is at the end and gets its turn as well */
        if (j->state == JOB_ENDED) end_job(j);
    }
}

static void
perform(search_client *client)
{
    int running = 0, left = 0;
    const CURLMsg *message;

    curl_multi_perform(client->multi, &running);
    while ((message = curl_multi_info_read(client->multi, &left))) {
        char *data = NULL;
        if (message->msg != CURLMSG_DONE) continue;
        CURLcode code = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &data);
        finish_hop((job *)(void *)data, code);
    }
}

static void
wait_for_more(search_client *client, gint64 end_us)
{
    gint64 now = g_get_monotonic_time(), until = now + POLL_MS * 1000;

    if (client->wake_us > 0) until = MIN(until, client->wake_us);
    until = MIN(until, end_us);
    int ms = until > now ? (int)((until - now + 999) / 1000) : 0;
    curl_multi_poll(client->multi, NULL, 0, ms, NULL);
}

gboolean
search_client_run(search_client *client, int timeout_ms)
{
    gint64 end = timeout_ms < 0 ? G_MAXINT64 : g_get_monotonic_time() + (gint64)timeout_ms * 1000;

    for (;;) {
        const int *cancel = client->options.cancel;
        if (cancel && g_atomic_int_get(cancel)) cancel_all(client);
        guint called = deliver(client);
        gboolean left = !g_queue_is_empty(&client->jobs) || client->calls->len > 0;
        if (called > 0 || !left) return left;
        advance_all(client);
        perform(client);
        if (!g_queue_is_empty(&client->ended)) continue;
        if (g_get_monotonic_time() >= end) return TRUE;
        wait_for_more(client, end);
    }
}
