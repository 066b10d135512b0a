/* URLs: taken apart and checked, brought to one spelling, shown without secrets. */
#include "search/transfer.h"

#include <string.h>

static char *
url_part(CURLU *u, CURLUPart part, guint flags)
{
    char *text = NULL;
    if (curl_url_get(u, part, &text, flags) != CURLUE_OK) return NULL;
    char *copy = g_strdup(text);
    curl_free(text);
    return copy;
}

void
search_url_clear(search_url *url)
{
    g_free(url->scheme);
    g_free(url->host);
    g_free(url->origin);
    g_free(url->port);
    g_free(url->path);
    g_free(url->query);
    g_free(url->shown);
    *url = (search_url){0};
}

static gboolean
has_usual_port(const search_url *url)
{
    return g_str_equal(url->port, g_str_equal(url->scheme, "http") ? "80" : "443");
}

gboolean
search_url_parse(search_url *url, const char *text, GError **error)
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
    url->port = url_part(u, CURLUPART_PORT, CURLU_DEFAULT_PORT);
    url->path = url_part(u, CURLUPART_PATH, 0);
    url->query = url_part(u, CURLUPART_QUERY, 0);
    g_autofree char *user = url_part(u, CURLUPART_USER, 0);
    g_autofree char *password = url_part(u, CURLUPART_PASSWORD, 0);
    curl_url_cleanup(u);

    if (!url->scheme || (!g_str_equal(url->scheme, "http") && !g_str_equal(url->scheme, "https"))) {
        g_set_error(error, SEARCH_ERROR, SEARCH_ERROR_URL, "%s: only http and https are fetched",
                    url->scheme ? url->scheme : "no scheme");
        return FALSE;
    }
    if (!url->host || !*url->host || !url->port) {
        g_set_error_literal(error, SEARCH_ERROR, SEARCH_ERROR_URL, "the URL names no host");
        return FALSE;
    }
    if (!url->path) url->path = g_strdup("/");
    gboolean usual = has_usual_port(url);
    url->shown = g_strconcat(url->scheme, "://", url->host, usual ? "" : ":",
                             usual ? "" : url->port, url->path, NULL);
    if (user || password) {
        g_set_error(error, SEARCH_ERROR, SEARCH_ERROR_URL,
                    "%s: URLs with a user name or password are not fetched", url->shown);
        return FALSE;
    }
    g_autofree char *host = g_ascii_strdown(url->host, -1);
    url->origin = g_strdup_printf("%s://%s:%s", url->scheme, host, url->port);
    return TRUE;
}

/* ---- parameters ---- */

typedef gboolean (*name_test)(const char *name);

static gboolean
is_tracking(const char *name)
{
    static const char *const names[] = {"gclid",  "fbclid", "msclkid", "dclid",  "yclid",
                                        "igshid", "mc_cid", "mc_eid",  "_hsenc", "_hsmi"};
    if (g_ascii_strncasecmp(name, "utm_", 4) == 0) return TRUE;
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
        if (g_ascii_strcasecmp(name, names[i]) == 0) return TRUE;
    return FALSE;
}

static gboolean
is_secret(const char *name)
{
    static const char *const names[] = {
        "key",    "api_key", "apikey",    "api-key",         "access_token",
        "token",  "auth",    "password",  "secret",          "sig",
        "mailto", "email",   "signature", "subscription-key"};
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
        if (g_ascii_strcasecmp(name, names[i]) == 0) return TRUE;
    return g_ascii_strncasecmp(name, "x-amz-", 6) == 0;
}

static int
by_text(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The parameters of a query string that test does not name, sorted; NULL when none is left. */
static char *
kept_parameters(const char *query, name_test drop)
{
    g_auto(GStrv) all = g_strsplit(query, "&", -1);
    g_autoptr(GPtrArray) kept = g_ptr_array_new();

    for (char **p = all; *p; p++) {
        g_autofree char *name = g_strndup(*p, strcspn(*p, "="));
        if (**p && !drop(name)) g_ptr_array_add(kept, *p);
    }
    if (kept->len == 0) return NULL;
    g_ptr_array_sort(kept, by_text);
    g_ptr_array_add(kept, NULL);
    return g_strjoinv("&", (char **)kept->pdata);
}

char *
search_redact_url(const char *url)
{
    const char *mark = strchr(url, '?');
    if (!mark) return g_strdup(url);
    gsize query_len = strcspn(mark + 1, "#");
    g_autofree char *query = g_strndup(mark + 1, query_len);
    g_auto(GStrv) all = g_strsplit(query, "&", -1);

    for (char **p = all; *p; p++) {
        g_autofree char *name = g_strndup(*p, strcspn(*p, "="));
        if (!(*p)[strlen(name)] || !is_secret(name)) continue;
        g_free(*p);
        *p = g_strconcat(name, "=***", NULL);
    }
    g_autofree char *joined = g_strjoinv("&", all);
    g_autofree char *head = g_strndup(url, (gsize)(mark - url) + 1);
    return g_strconcat(head, joined, mark + 1 + query_len, NULL);
}

/* ---- one spelling ---- */

static gboolean
host_is(const char *host, const char *name)
{
    gsize n = strlen(host), m = strlen(name);
    return n >= m && strcmp(host + n - m, name) == 0 && (n == m || host[n - m - 1] == '.');
}

char *
search_arxiv_id(const char *text)
{
    static gsize once = 0;
    static GRegex *regex;
    g_autoptr(GMatchInfo) match = NULL;

    if (g_once_init_enter(&once)) { /* both forms of arxiv.org/help/arxiv_identifier */
        regex =
            g_regex_new("(?<![\\w.])(\\d{4}\\.\\d{4,5}|[a-z-]+(?:\\.[A-Z]{2})?/\\d{7})(?:v\\d+)?"
                        "(?![\\w])",
                        G_REGEX_OPTIMIZE, 0, NULL);
        g_once_init_leave(&once, 1);
    }
    if (!text || !g_utf8_validate(text, -1, NULL)) return NULL;
    return g_regex_match(regex, text, 0, &match) ? g_match_info_fetch(match, 1) : NULL;
}

char *
search_doi(const char *text)
{
    if (!text) return NULL;
    const char *p = strstr(text, "10.");
    gsize registrant = p ? strspn(p + 3, "0123456789.") : 0;
    if (!p || registrant < 4 || p[3 + registrant] != '/' || !p[4 + registrant]) return NULL;
    g_autofree char *plain = g_uri_unescape_string(p, NULL);
    char *doi = g_utf8_validate(plain ? plain : p, -1, NULL)
                    ? g_ascii_strdown(plain ? plain : p, -1)
                    : NULL;
    if (doi) doi[strcspn(doi, " \t\r\n\"<>?#")] = '\0';
    for (gsize n = doi ? strlen(doi) : 0; n > 0 && strchr(".,;", doi[n - 1]); n--)
        doi[n - 1] = '\0';
    return doi;
}

char *
search_canonical_url(const char *url)
{
    g_auto(search_url) u = {0};

    if (!url || !search_url_parse(&u, url, NULL)) return NULL;
    g_autofree char *lower = g_ascii_strdown(u.host, -1);
    gsize len = strlen(lower);
    if (len > 0 && lower[len - 1] == '.') lower[len - 1] = '\0';
    const char *host = g_str_has_prefix(lower, "www.") ? lower + 4 : lower;

    if (host_is(host, "arxiv.org")) {
        static const char *const places[] = {"/abs/", "/pdf/", "/html/", "/ps/", "/format/"};
        for (gsize i = 0; i < G_N_ELEMENTS(places); i++) {
            if (!g_str_has_prefix(u.path, places[i])) continue;
            g_autofree char *id = search_arxiv_id(u.path + strlen(places[i]));
            if (id) return g_strconcat("https://arxiv.org/abs/", id, NULL);
        }
    }
    if (host_is(host, "doi.org")) {
        g_autofree char *doi = search_doi(u.path);
        if (doi) return g_strconcat("https://doi.org/", doi, NULL);
    }
    gboolean plain_port = has_usual_port(&u);
    for (gsize n = strlen(u.path); n > 1 && u.path[n - 1] == '/'; n--)
        u.path[n - 1] = '\0';
    g_autofree char *query = u.query ? kept_parameters(u.query, is_tracking) : NULL;
    return g_strconcat(u.scheme, "://", lower, plain_port ? "" : ":", plain_port ? "" : u.port,
                       u.path, query ? "?" : "", query ? query : "", NULL);
}

char *
search_cache_name(const char *url, const char *body)
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    const char *mark = strchr(url, '?');
    gsize head = strcspn(url, "?#");

    g_checksum_update(sum, (const guchar *)url, (gssize)head);
    if (mark) {
        g_autofree char *query = g_strndup(mark + 1, strcspn(mark + 1, "#"));
        g_autofree char *kept = kept_parameters(query, is_secret);
        g_checksum_update(sum, (const guchar *)"?", 1);
        if (kept) g_checksum_update(sum, (const guchar *)kept, -1);
    }
    g_checksum_update(sum, (const guchar *)"\n", 1);
    if (body) g_checksum_update(sum, (const guchar *)body, -1);
    return g_strdup(g_checksum_get_string(sum));
}
