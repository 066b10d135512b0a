/* DuckDuckGo's page without scripts, and kiwix-serve.
 *
 * DuckDuckGo has no API: the page is read as a browser without scripts shows it. It answers programs that ask much
 * with a puzzle, under status 200 or 202: that is said, not tried around. kiwix-serve: its HTTP API (libkiwix),
 * /search as RSS with OpenSearch elements, /suggest as JSON where a file has no full-text index. */
#include "search/provider.h"

#include <libxml/HTMLparser.h>
#include <libxml/uri.h>
#include <stdlib.h>
#include <string.h>

/* ---- DuckDuckGo ---- */

void
search_build_duckduckgo(const search_ask *ask, search_call *call)
{
    g_autofree char *query =
        g_utf8_substring(ask->query, 0, MIN(g_utf8_strlen(ask->query, -1), 499));
    g_autofree char *form = search_url_with("", "q", query, "b", "", "kl", "wt-wt", NULL);
    call->url = g_strdup(ask->provider->url);
    call->body = g_strdup(form + 1);
    call->body_type = "application/x-www-form-urlencoded";
    search_call_header(call, "Referer", "https://html.duckduckgo.com/");
    search_call_header(call, "Sec-Fetch-Dest", "document");
    search_call_header(call, "Sec-Fetch-Mode", "navigate");
    search_call_header(call, "Sec-Fetch-Site", "same-origin");
    search_call_header(call, "Sec-Fetch-User", "?1");
    call->accept = "text/html";
}

static gboolean
has_class(const xmlNode *node, const char *name)
{
    const char *classes = layout_html_attribute(node, "class");
    if (!classes) return FALSE;
    g_auto(GStrv) list = g_strsplit_set(classes, " \t\r\n", -1);
    return g_strv_contains((const char *const *)list, name);
}

/* The next element after node in document order, below root. */
static xmlNode *
next_node(xmlNode *node, const xmlNode *root)
{
    if (node->children && node->type == XML_ELEMENT_NODE) return node->children;
    while (node && node != root && !node->next)
        node = node->parent;
    return node && node != root ? node->next : NULL;
}

/* Where a result's link leads: it goes through a redirect of DuckDuckGo's own. NULL for an advertisement. g_free */
static char *
duckduckgo_target(const char *href)
{
    const char *to = strstr(href, "uddg=");
    if (strstr(href, "duckduckgo.com/y.js")) return NULL;
    if (!to) return g_str_has_prefix(href, "http") ? g_strdup(href) : NULL;
    g_autofree char *value = g_strndup(to + 5, strcspn(to + 5, "&"));
    char *url = g_uri_unescape_string(value, NULL);
    if (url && (!g_str_has_prefix(url, "http") || !g_utf8_validate(url, -1, NULL) ||
                strstr(url, "duckduckgo.com/y.js")))
        g_clear_pointer(&url, g_free);
    return url;
}

static gboolean
is_puzzle(const char *html)
{
    return strstr(html, "anomaly-modal") || strstr(html, "anomaly.js") ||
           strstr(html, "id=\"challenge-form\"");
}

static void
collect_duckduckgo(const search_ask *ask, xmlNode *root, GPtrArray *hits)
{
    search_hit *last = NULL;

    for (xmlNode *n = root; n; n = next_node(n, root)) {
        if (n->type != XML_ELEMENT_NODE) continue;
        const char *href = layout_html_is(n, "a") ? layout_html_attribute(n, "href") : NULL;
        if (href && has_class(n, "result__a")) {
            g_autofree char *url = duckduckgo_target(href);
            last = url ? search_hit_new(ask, url) : NULL;
            if (!last) continue;
            last->title = layout_html_text(n);
            g_ptr_array_add(hits, last);
        } else if (last && has_class(n, "result__snippet")) {
            search_take(&last->snippet, layout_html_text(n));
        }
    }
}

gboolean
search_parse_duckduckgo(const search_ask *ask, const search_response *response, GPtrArray *hits,
                        search_call *next, GError **error)
{
    gsize len = 0;
    const char *body = g_bytes_get_data(response->body, &len);
    g_autoptr(GString) utf8 = layout_html_to_utf8(body ? body : "", len, response->charset);
    const char *html = utf8->str;
    (void)next;

    htmlDocPtr doc = htmlReadMemory(html, (int)MIN(utf8->len, G_MAXINT32), NULL, "UTF-8",
                                    HTML_PARSE_RECOVER | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING |
                                        HTML_PARSE_NONET);
    xmlNode *root = doc ? xmlDocGetRootElement(doc) : NULL;
    if (root) collect_duckduckgo(ask, root, hits);
    if (doc) xmlFreeDoc(doc);
    if (hits->len > 0) return TRUE;
    if (is_puzzle(html)) {
        g_set_error_literal(
            error, SEARCH_ERROR, SEARCH_ERROR_QUOTA,
            "duckduckgo: wants a puzzle solved before it answers; try later, or use "
            "another provider");
        return FALSE;
    }
    if (strstr(html, "no-results") || strstr(html, "No results")) return TRUE;
    g_set_error_literal(error, SEARCH_ERROR, SEARCH_ERROR_FORMAT,
                        "duckduckgo: a page without results that this version knows");
    return FALSE;
}

/* ---- kiwix-serve ---- */

/* The user's URL: a server, with a scope behind a question mark where it has several books. */
static char *
kiwix_url(const search_ask *ask, const char *path, const char **scope)
{
    const char *url = ask->provider->url, *mark = strchr(url, '?');
    g_autofree char *base = g_strndup(url, mark ? (gsize)(mark - url) : strlen(url));
    while (g_str_has_suffix(base, "/"))
        base[strlen(base) - 1] = '\0';
    *scope = mark && mark[1] ? mark : "";
    return g_strconcat(base, path, *scope, NULL);
}

void
search_build_kiwix(const search_ask *ask, search_call *call)
{
    const char *scope;
    g_autofree char *base = kiwix_url(ask, "/search", &scope);
    g_autofree char *limit = g_strdup_printf("%u", MIN(ask->options.limit, 140));
    call->url = search_url_with(base, "pattern", ask->keywords, "pageLength", limit, "start", "0",
                                "format", "xml", NULL);
    call->accept = "application/rss+xml,application/xml";
}

/* No full-text index: titles are all there is. /suggest wants the name of one book. */
gboolean
search_instead_kiwix(const search_ask *ask, long status, search_call *next)
{
    const char *scope;
    g_autofree char *with_scope = kiwix_url(ask, "/suggest", &scope);
    const char *name = strstr(scope, "books.name=");

    if (status != 404 || ask->step > 0) return FALSE;
    if (!name && !(name = strstr(scope, "content="))) return FALSE;
    name = strchr(name, '=') + 1;
    g_autofree char *book = g_strndup(name, strcspn(name, "&"));
    with_scope[strcspn(with_scope, "?")] = '\0';
    g_autofree char *count = g_strdup_printf("%u", MIN(ask->options.limit, 50));
    next->url =
        search_url_with(with_scope, "content", book, "term", ask->keywords, "count", count, NULL);
    next->accept = "application/json";
    return TRUE;
}

static char *
resolve(const char *link, const char *base)
{
    xmlChar *url = xmlBuildURI((const xmlChar *)link, (const xmlChar *)base);
    char *copy = g_strdup((const char *)url);
    free(url); /* xmlFree is a variable: it would bind the program to libxml2 from its start */
    return copy;
}

static gboolean
parse_suggestions(const search_ask *ask, const search_response *response, GPtrArray *hits,
                  GError **error)
{
    json_t *json = search_answer_json(ask, response, error);
    const json_t *item;
    size_t i;
    const char *book = strstr(response->url, "content=");

    if (!json) return FALSE;
    g_autofree char *name = book ? g_strndup(book + 8, strcspn(book + 8, "&")) : g_strdup("");
    json_array_foreach(json, i, item)
    {
        const char *path = search_json_text(item, "path");
        if (!path) continue; /* the line that offers a full-text search */
        g_autofree char *escaped = g_uri_escape_string(path, "/", FALSE);
        /* newer ones have it below /content and redirect there */
        g_autofree char *link = g_strconcat("/", name, "/", escaped, NULL);
        g_autofree char *url = resolve(link, response->url);
        if (!url) continue;
        search_hit *hit = search_hit_new(ask, url);
        hit->title = search_plain(search_json_text(item, "value"));
        g_ptr_array_add(hits, hit);
    }
    json_decref(json);
    return TRUE;
}

gboolean
search_parse_kiwix(const search_ask *ask, const search_response *response, GPtrArray *hits,
                   search_call *next, GError **error)
{
    (void)next;
    if (ask->step > 0) return parse_suggestions(ask, response, hits, error);
    xmlDoc *doc = search_answer_xml(ask, response, error);
    if (!doc) return FALSE;
    const xmlNode *channel = search_xml_find((xmlNode *)doc, "rss/channel");
    for (const xmlNode *n = channel ? channel->children : NULL; n; n = n->next) {
        if (!search_xml_is(n, "item")) continue;
        g_autofree char *link = search_xml_text(n, "link");
        g_autofree char *url = link ? resolve(link, response->url) : NULL;
        if (!url) continue;
        search_hit *hit = search_hit_new(ask, url);
        hit->title = search_xml_text(n, "title");
        g_autofree char *description = search_xml_text(n, "description");
        hit->snippet = search_plain(description);
        g_ptr_array_add(hits, hit);
    }
    xmlFreeDoc(doc);
    if (channel) return TRUE;
    g_set_error_literal(error, SEARCH_ERROR, SEARCH_ERROR_FORMAT,
                        "kiwix: the answer is not the RSS of kiwix-serve");
    return FALSE;
}
