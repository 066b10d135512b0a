/* Search engines that answer in JSON. Sources: SearXNG's search API and settings documentation; Brave Search API,
 * web search; serper.dev; Tavily's search API; MediaWiki API:Search. */
#include "search/provider.h"

#include <string.h>

/* A hit of each item of a list that has an address at url. */
static void
read_hits(const search_ask *ask, const json_t *list, const char *url, const search_field *fields,
          size_t n, GPtrArray *hits)
{
    const json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        const char *address = search_json_text(item, url);
        if (!address) continue;
        search_hit *hit = search_hit_new(ask, address);
        search_hit_read(hit, item, fields, n);
        g_ptr_array_add(hits, hit);
    }
}

/* ---- SearXNG ---- */

void
search_build_searxng(const search_ask *ask, search_call *call)
{
    g_autofree char *base = g_str_has_suffix(ask->provider->url, "/search")
                                ? g_strdup(ask->provider->url)
                                : g_strconcat(ask->provider->url, "/search", NULL);
    call->url = search_url_with(base, "q", ask->query, "format", "json", "language",
                                ask->options.language, NULL);
    call->accept = "application/json";
}

/* "google (timeout), bing (CAPTCHA)"; g_free */
static char *
silent_engines(const json_t *json)
{
    const json_t *list = json_object_get(json, "unresponsive_engines"), *pair;
    g_autoptr(GString) text = g_string_new(NULL);
    size_t i;

    json_array_foreach(list, i, pair)
    {
        const char *name = json_string_value(json_array_get(pair, 0));
        const char *why = json_string_value(json_array_get(pair, 1));
        if (!name || i >= 8) continue;
        g_string_append_printf(text, "%s%s", text->len ? ", " : "", name);
        if (why) g_string_append_printf(text, " (%s)", why);
    }
    return text->len ? g_strdup(text->str) : NULL;
}

static char **
names_of(const json_t *list)
{
    g_autoptr(GStrvBuilder) names = g_strv_builder_new();
    const json_t *item;
    size_t i, n = 0;

    json_array_foreach(list, i, item)
    {
        const char *name = json_string_value(item);
        if (!name || n >= 200) continue;
        g_autofree char *plain = search_plain(name);
        if (plain) g_strv_builder_add(names, plain), n++;
    }
    return n > 0 ? g_strv_builder_end(names) : NULL;
}

static const search_field searxng_fields[] = {
    SEARCH_FIELD("title", title, PLAIN),
    SEARCH_FIELD("content", snippet, PLAIN),
    SEARCH_FIELD("publishedDate", published, TEXT),
    SEARCH_FIELD("score", score, SCORE),
    /* of its science engines */
    SEARCH_FIELD("doi", doi, DOI),
    SEARCH_FIELD("pdf_url", pdf_url, TEXT),
    SEARCH_FIELD("journal", venue, PLAIN),
};

gboolean
search_parse_searxng(const search_ask *ask, const search_response *response, GPtrArray *hits,
                     search_call *next, GError **error)
{
    json_t *json = search_answer_json(ask, response, error);
    const json_t *list = json_object_get(json, "results"), *item;
    size_t i;
    (void)next;

    if (!json) return FALSE;
    if (!json_is_array(list)) {
        g_set_error_literal(error, SEARCH_ERROR, SEARCH_ERROR_FORMAT,
                            "searxng: the answer has no results; is this a SearXNG?");
        json_decref(json);
        return FALSE;
    }
    json_array_foreach(list, i, item)
    {
        const char *url = search_json_text(item, "url");
        if (!url) continue;
        search_hit *hit = search_hit_new(ask, url);
        search_hit_read(hit, item, searxng_fields, G_N_ELEMENTS(searxng_fields));
        hit->authors = names_of(json_object_get(item, "authors"));
        g_ptr_array_add(hits, hit);
    }
    g_autofree char *silent = hits->len == 0 ? silent_engines(json) : NULL;
    json_decref(json);
    if (!silent) return TRUE;
    g_set_error(error, SEARCH_ERROR, SEARCH_ERROR_NETWORK,
                "searxng: no results, and some of its engines did not answer: %s", silent);
    return FALSE;
}

/* ---- Brave ---- */

/* At most so many words and bytes of it, at the border of a word. g_free */
static char *
shortened(const char *query, guint max_words, gsize max_bytes)
{
    g_auto(GStrv) words = g_strsplit_set(query, " \t\r\n", -1);
    g_autoptr(GString) out = g_string_new(NULL);
    guint n = 0;

    for (char **w = words; *w && n < max_words; w++) {
        if (!**w) continue;
        if (out->len + strlen(*w) + 1 > max_bytes) break;
        if (n++) g_string_append_c(out, ' ');
        g_string_append(out, *w);
    }
    return g_strdup(out->str);
}

void
search_build_brave(const search_ask *ask, search_call *call)
{
    g_autofree char *query = shortened(ask->query, 50, 400);
    g_autofree char *count = g_strdup_printf("%u", MIN(ask->options.limit, 20));
    call->url = search_url_with(ask->provider->url, "q", query, "count", count, "text_decorations",
                                "false", "search_lang", ask->options.language, NULL);
    search_call_header(call, "X-Subscription-Token", ask->provider->key);
    call->accept = "application/json";
}

static const search_field brave_fields[] = {
    SEARCH_FIELD("title", title, PLAIN),
    SEARCH_FIELD("page_age", published, TEXT),
    SEARCH_FIELD("age", published, TEXT),
};

gboolean
search_parse_brave(const search_ask *ask, const search_response *response, GPtrArray *hits,
                   search_call *next, GError **error)
{
    json_t *json = search_answer_json(ask, response, error);
    const json_t *item;
    size_t i;
    (void)next;

    if (!json) return FALSE;
    json_array_foreach(search_json_at(json, "web.results"), i, item)
    {
        const char *url = search_json_text(item, "url");
        if (!url) continue;
        search_hit *hit = search_hit_new(ask, url);
        g_autoptr(GString) text = g_string_new(search_json_text(item, "description"));
        const json_t *extra;
        size_t k;
        json_array_foreach(json_object_get(item, "extra_snippets"), k, extra)
        {
            if (json_is_string(extra))
                g_string_append_printf(text, " %s", json_string_value(extra));
        }
        search_hit_read(hit, item, brave_fields, G_N_ELEMENTS(brave_fields));
        hit->snippet = search_plain(text->str);
        g_ptr_array_add(hits, hit);
    }
    json_decref(json);
    return TRUE;
}

/* ---- Serper, Tavily ---- */

static char *
take_dump(json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT);
    char *copy = g_strdup(text);
    free(text);
    json_decref(json);
    return copy;
}

void
search_build_serper(const search_ask *ask, search_call *call)
{
    json_t *body = json_object();
    json_object_set_new(body, "q", json_string(ask->query));
    json_object_set_new(body, "num", json_integer(ask->options.limit));
    if (ask->options.language) json_object_set_new(body, "hl", json_string(ask->options.language));
    call->url = g_strdup(ask->provider->url);
    call->body = take_dump(body);
    search_call_header(call, "X-API-KEY", ask->provider->key);
    call->accept = "application/json";
}

static const search_field serper_fields[] = {
    SEARCH_FIELD("title", title, PLAIN),
    SEARCH_FIELD("snippet", snippet, PLAIN),
    SEARCH_FIELD("date", published, TEXT),
};

gboolean
search_parse_serper(const search_ask *ask, const search_response *response, GPtrArray *hits,
                    search_call *next, GError **error)
{
    json_t *json = search_answer_json(ask, response, error);
    (void)next;

    if (!json) return FALSE;
    read_hits(ask, json_object_get(json, "organic"), "link", serper_fields,
              G_N_ELEMENTS(serper_fields), hits);
    json_decref(json);
    return TRUE;
}

void
search_build_tavily(const search_ask *ask, search_call *call)
{
    json_t *body = json_object();
    g_autofree char *bearer = g_strconcat("Bearer ", ask->provider->key, NULL);
    json_object_set_new(body, "query", json_string(ask->query));
    json_object_set_new(body, "max_results", json_integer(MIN(ask->options.limit, 20)));
    json_object_set_new(body, "search_depth", json_string("basic"));
    call->url = g_strdup(ask->provider->url);
    call->body = take_dump(body);
    search_call_header(call, "Authorization", bearer);
    call->accept = "application/json";
}

static const search_field tavily_fields[] = {
    SEARCH_FIELD("title", title, PLAIN),
    SEARCH_FIELD("content", snippet, PLAIN),
    SEARCH_FIELD("published_date", published, TEXT),
    SEARCH_FIELD("score", score, SCORE),
};

gboolean
search_parse_tavily(const search_ask *ask, const search_response *response, GPtrArray *hits,
                    search_call *next, GError **error)
{
    json_t *json = search_answer_json(ask, response, error);
    (void)next;

    if (!json) return FALSE;
    read_hits(ask, json_object_get(json, "results"), "url", tavily_fields,
              G_N_ELEMENTS(tavily_fields), hits);
    json_decref(json);
    return TRUE;
}

/* ---- MediaWiki ---- */

/* Where its API is: as given, or Wikipedia of the language that is asked for. g_free */
static char *
wiki_api(const search_ask *ask)
{
    const char *url = ask->provider->url, *language = ask->options.language;
    if (ask->provider->own_server)
        return g_str_has_suffix(url, ".php") ? g_strdup(url) : g_strconcat(url, "/w/api.php", NULL);
    gsize n = language ? strspn(language, "abcdefghijklmnopqrstuvwxyz") : 0;
    if (n < 2 || n > 3) return g_strdup(url);
    return g_strdup_printf("https://%.*s.wikipedia.org/w/api.php", (int)n, language);
}

void
search_build_wikipedia(const search_ask *ask, search_call *call)
{
    g_autofree char *api = wiki_api(ask);
    g_autofree char *limit = g_strdup_printf("%u", MIN(ask->options.limit, 50));
    call->url =
        search_url_with(api, "action", "query", "list", "search", "srsearch", ask->query, "srlimit",
                        limit, "srprop", "snippet|timestamp", "format", "json", NULL);
    call->accept = "application/json";
}

/* The page of a title: index.php beside api.php, or /wiki/ where Wikipedia has it. g_free */
static char *
wiki_page(const char *api, const char *title)
{
    g_autofree char *name = g_strdelimit(g_strdup(title), " ", '_');
    g_autofree char *escaped = g_uri_escape_string(name, "/:(),!*'", FALSE);
    g_autofree char *folder = g_path_get_dirname(api);
    if (g_str_has_suffix(folder, "/w")) {
        g_autofree char *root = g_strndup(folder, strlen(folder) - 2);
        return g_strconcat(root, "/wiki/", escaped, NULL);
    }
    return g_strconcat(folder, "/index.php?title=", escaped, NULL);
}

static const search_field wikipedia_fields[] = {
    SEARCH_FIELD("title", title, PLAIN),
    SEARCH_FIELD("snippet", snippet, PLAIN),
    SEARCH_FIELD("timestamp", published, TEXT),
};

gboolean
search_parse_wikipedia(const search_ask *ask, const search_response *response, GPtrArray *hits,
                       search_call *next, GError **error)
{
    json_t *json = search_answer_json(ask, response, error);
    g_autofree char *api = wiki_api(ask);
    const json_t *item;
    size_t i;
    (void)next;

    if (!json) return FALSE;
    const char *code = search_json_text(json, "error.code");
    if (code) {
        g_autofree char *info = search_brief(search_json_text(json, "error.info"), 160);
        g_autofree char *short_code = search_brief(code, 40);
        g_set_error(error, SEARCH_ERROR,
                    g_str_equal(code, "ratelimited") ? SEARCH_ERROR_QUOTA : SEARCH_ERROR_STATUS,
                    "wikipedia: %s: %s", short_code, *info ? info : "no reason given");
        json_decref(json);
        return FALSE;
    }
    json_array_foreach(search_json_at(json, "query.search"), i, item)
    {
        const char *title = search_json_text(item, "title");
        if (!title) continue;
        g_autofree char *url = wiki_page(api, title);
        search_hit *hit = search_hit_new(ask, url);
        search_hit_read(hit, item, wikipedia_fields, G_N_ELEMENTS(wikipedia_fields));
        g_ptr_array_add(hits, hit);
    }
    json_decref(json);
    return TRUE;
}
