/* What a client knows of the hosts it asks: their robots.txt, and when they were asked last. */
#include "search/client.h"

#include <string.h>

static void
free_site(gpointer data)
{
    search_site *site = data;
    search_robots_free(site->robots);
    g_clear_error(&site->closed);
    g_free(site->origin);
    g_free(site);
}

void
search_sites_init(search_sites *sites)
{
    sites->hosts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    sites->sites = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, free_site);
}

void
search_sites_clear(search_sites *sites)
{
    g_clear_pointer(&sites->hosts, g_hash_table_unref);
    g_clear_pointer(&sites->sites, g_hash_table_unref);
}

search_host *
search_sites_host(search_sites *sites, const search_url *url)
{
    g_autofree char *name = g_ascii_strdown(url->host, -1);
    const search_rate *rate = search_rate_of(name);
    const char *key = rate->name ? rate->name : name;
    search_host *host = g_hash_table_lookup(sites->hosts, key);

    if (host) return host;
    host = g_new0(search_host, 1);
    host->rate = rate;
    host->tokens = rate->burst;
    host->filled_us = g_get_monotonic_time();
    host->found = g_hostname_is_ip_address(name) || name[0] == '[';
    g_hash_table_insert(sites->hosts, g_strdup(key), host);
    return host;
}

search_site *
search_sites_site(search_sites *sites, const search_url *url)
{
    search_site *site = g_hash_table_lookup(sites->sites, url->origin);

    if (site) return site;
    site = g_new0(search_site, 1);
    site->origin = g_strdup(url->origin);
    g_hash_table_insert(sites->sites, site->origin, site);
    return site;
}

/* ---- turns ---- */

gint64
search_host_wait(search_host *host, guint max, gboolean unlimited, gint64 now_us)
{
    const search_rate *rate = host->rate;

    if (rate->connections > 0) max = MIN(max, rate->connections);
    if (host->in_flight >= max) return -1;
    if (now_us < host->closed_until_us) return host->closed_until_us - now_us;
    if (unlimited) return 0;
    double seconds = (double)(now_us - host->filled_us) / G_USEC_PER_SEC;
    host->tokens = MIN(host->tokens + seconds / rate->interval_seconds, (double)rate->burst);
    host->filled_us = now_us;
    if (host->tokens >= 1) return 0;
    return (gint64)((1 - host->tokens) * rate->interval_seconds * G_USEC_PER_SEC) + 1;
}

void
search_host_take(search_host *host, gboolean unlimited)
{
    host->in_flight++;
    if (!unlimited) host->tokens -= 1;
}

/* ---- robots.txt ---- */

/* RFC 9309, 2.3.1: what cannot be found allows all, what cannot be reached forbids all. 429 says "not now", so
 * it counts as the latter. */
void
search_site_learn(search_site *site, const search_response *response, long status,
                  const GError *error)
{
    if (g_error_matches(error, SEARCH_ERROR,
                        SEARCH_ERROR_CANCELLED)) { /* says nothing about the site */
        site->state = SITE_UNKNOWN;
        return;
    }
    site->state = SITE_KNOWN;
    if (response) {
        gsize len = 0;
        const char *text = g_bytes_get_data(response->body, &len);
        site->robots = search_robots_parse(text ? text : "", len);
    } else if (status == 429 || status >= 500) {
        site->closed =
            g_error_new(SEARCH_ERROR, SEARCH_ERROR_ROBOTS,
                        "%s/robots.txt: HTTP status %ld, which asks programs to stay away",
                        site->origin, status);
    } else if (status < 300) { /* 3xx: leads nowhere, as good as not there */
        site->closed = g_error_copy(error);
    }
}
