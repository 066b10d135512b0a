/* What the providers share: building requests, reading JSON and XML, hits. */
#include "search/provider.h"

#include <libxml/HTMLparser.h>
#include <libxml/parser.h>
#include <stdarg.h>
#include <string.h>

void
search_call_clear(search_call *call)
{
    g_free(call->url);
    g_free(call->body);
    if (call->headers) g_ptr_array_unref(call->headers);
    *call = (search_call){0};
}

void
search_call_header(search_call *call, const char *name, const char *value)
{
    if (!call->headers) call->headers = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(call->headers, g_strdup_printf("%s: %s", name, value));
}

char *
search_url_with(const char *base, ...)
{
    GString *url = g_string_new(base);
    va_list args;
    const char *name;

    va_start(args, base);
    while ((name = va_arg(args, const char *))) {
        const char *value = va_arg(args, const char *);
        if (!value) continue;
        g_string_append_c(url, strchr(url->str, '?') ? '&' : '?');
        g_string_append_printf(url, "%s=", name);
        g_string_append_uri_escaped(url, value, NULL, FALSE);
    }
    va_end(args);
    return g_string_free(url, FALSE);
}

char *
search_brief(const char *text, glong max)
{
    if (!text) return g_strdup("");
    char *cut = g_utf8_strlen(text, -1) > max ? g_utf8_substring(text, 0, max) : g_strdup(text);
    return g_strdelimit(cut, "\r\n\t", ' ');
}

/* ---- JSON ---- */

static gboolean
set_page_error(const search_ask *ask, const search_response *response, const char *wanted,
               GError **error)
{
    gsize len = 0;
    const char *body = g_bytes_get_data(response->body, &len);
    const char *name = ask->provider->kind->info.name;
    const char *hint = ask->provider->kind->page_hint;

    if (len == 0) {
        g_set_error(error, SEARCH_ERROR, SEARCH_ERROR_FORMAT, "%s: an empty answer", name);
    } else if (response->content == SEARCH_CONTENT_HTML) {
        g_autoptr(lode_document) page =
            layout_document_from_html(body, len, response->charset, NULL, NULL);
        g_autofree char *title =
            page && page->meta.title ? search_brief(page->meta.title, 80) : NULL;
        g_set_error(error, SEARCH_ERROR, SEARCH_ERROR_FORMAT,
                    "%s: answered with a web page%s%s%s instead of %s; %s", name,
                    title ? " \"" : "", title ? title : "", title ? "\"" : "", wanted,
                    hint ? hint : "is the address right?");
    } else {
        g_set_error(error, SEARCH_ERROR, SEARCH_ERROR_FORMAT, "%s: answered with %s instead of %s",
                    name, search_content_name(response->content), wanted);
    }
    return FALSE;
}

json_t *
search_answer_json(const search_ask *ask, const search_response *response, GError **error)
{
    gsize len = 0;
    const char *body = g_bytes_get_data(response->body, &len);
    json_error_t where;
    json_t *json = len > 0 ? json_loadb(body, len, JSON_DISABLE_EOF_CHECK, &where) : NULL;

    if (json && (json_is_object(json) || json_is_array(json))) return json;
    json_decref(json);
    if (response->content == SEARCH_CONTENT_JSON && len > 0)
        g_set_error(error, SEARCH_ERROR, SEARCH_ERROR_FORMAT, "%s: damaged JSON, line %d: %s",
                    ask->provider->kind->info.name, where.line, where.text);
    else
        set_page_error(ask, response, "JSON", error);
    return NULL;
}

const json_t *
search_json_at(const json_t *object, const char *path)
{
    while (object) {
        gsize len = strcspn(path, ".");
        g_autofree char *key = g_strndup(path, len);
        object = json_object_get(object, key);
        if (!path[len]) break;
        path += len + 1;
    }
    return object;
}

const char *
search_json_text(const json_t *object, const char *path)
{
    const char *text = json_string_value(search_json_at(object, path));
    return text && *text ? text : NULL;
}

char *
search_json_word(const json_t *object, const char *path)
{
    const json_t *value = search_json_at(object, path);

    if (json_is_integer(value))
        return g_strdup_printf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
    return g_strdup(search_json_text(object, path));
}

static int
year_at(const json_t *record, const char *path)
{
    const json_t *value = search_json_at(record, path);
    if (!json_is_integer(value)) return search_year_of(json_string_value(value));
    json_int_t year = json_integer_value(value);
    return year >= 1000 && year <= 9999 ? (int)year : 0;
}

void
search_hit_read(search_hit *hit, const json_t *record, const search_field *fields, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const search_field *f = &fields[i];
        void *field = (char *)hit + f->offset;
        const char *text = search_json_text(record, f->path);
        switch (f->kind) {
        case SEARCH_FIELD_TEXT:
            search_take(field, g_strdup(text));
            break;
        case SEARCH_FIELD_PLAIN:
            search_take(field, search_plain(text));
            break;
        case SEARCH_FIELD_WORD:
            search_take(field, search_json_word(record, f->path));
            break;
        case SEARCH_FIELD_DOI:
            search_take(field, search_doi(text));
            break;
        case SEARCH_FIELD_ARXIV:
            search_take(field, search_arxiv_id(text));
            break;
        case SEARCH_FIELD_YEAR:
            if (*(int *)field == 0) *(int *)field = year_at(record, f->path);
            break;
        case SEARCH_FIELD_SCORE:
            *(double *)field = json_number_value(search_json_at(record, f->path));
            break;
        }
    }
}

/* ---- XML ---- */

xmlDoc *
search_answer_xml(const search_ask *ask, const search_response *response, GError **error)
{
    gsize len = 0;
    const char *body = g_bytes_get_data(response->body, &len);
    xmlDoc *doc = NULL;

    if (response->content == SEARCH_CONTENT_HTML || len == 0 || len > G_MAXINT32) {
        set_page_error(ask, response, "XML", error);
        return NULL;
    }
    doc = xmlReadMemory(body, (int)len, NULL, NULL,
                        XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING |
                            XML_PARSE_RECOVER);
    /* entities of its own: nothing a catalogue needs, and a way to grow without end */
    if (doc && doc->intSubset && doc->intSubset->entities) g_clear_pointer(&doc, xmlFreeDoc);
    if (doc && xmlDocGetRootElement(doc)) return doc;
    if (doc) xmlFreeDoc(doc);
    g_set_error(error, SEARCH_ERROR, SEARCH_ERROR_FORMAT, "%s: damaged XML",
                ask->provider->kind->info.name);
    return NULL;
}

gboolean
search_xml_is(const xmlNode *node, const char *name)
{
    return node->type == XML_ELEMENT_NODE && g_str_equal((const char *)node->name, name);
}

xmlNode *
search_xml_find(const xmlNode *node, const char *path)
{
    gsize len = strcspn(path, "/");
    g_autofree char *name = g_strndup(path, len);

    for (xmlNode *c = node ? node->children : NULL; c; c = c->next) {
        if (!search_xml_is(c, name)) continue;
        xmlNode *found = path[len] ? search_xml_find(c, path + len + 1) : c;
        if (found) return found;
    }
    return NULL;
}

char *
search_xml_text(const xmlNode *node, const char *path)
{
    const xmlNode *found = path ? search_xml_find(node, path) : node;
    char *text = found ? layout_html_text(found) : NULL;

    if (text && !*text) g_clear_pointer(&text, g_free);
    if (text && !g_utf8_validate(text, -1, NULL)) { /* libxml2 keeps bad bytes when it recovers */
        g_autofree char *bad = text;
        text = g_utf8_make_valid(bad, -1);
    }
    return text;
}

char *
search_plain(const char *markup)
{
    if (!markup) return NULL;
    if (!strpbrk(markup, "<&")) return layout_html_clean(markup);
    htmlDocPtr doc = htmlReadMemory(markup, (int)MIN(strlen(markup), 1024 * 1024), NULL, "UTF-8",
                                    HTML_PARSE_RECOVER | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING |
                                        HTML_PARSE_NONET);
    xmlNode *root = doc ? xmlDocGetRootElement(doc) : NULL;
    g_autofree char *text = root ? layout_html_text(root) : NULL;
    if (doc) xmlFreeDoc(doc);
    return layout_html_clean(text);
}

/* ---- hits ---- */

search_hit *
search_hit_new(const search_ask *ask, const char *url)
{
    const search_provider *provider = ask->provider;
    search_hit *hit = g_new0(search_hit, 1);

    hit->provider = provider->kind->info.name;
    hit->providers = g_strdup(hit->provider);
    hit->url = g_strdup(url);
    if (url && provider->own_server && provider->kind->own_pages) {
        g_auto(search_url) here = {0}, there = {0};
        hit->own_server = search_url_parse(&here, provider->url, NULL) &&
                          search_url_parse(&there, url, NULL) &&
                          g_str_equal(here.origin, there.origin);
    }
    return hit;
}

void
search_take(char **field, char *value)
{
    if (*field || !value || !*value)
        g_free(value);
    else
        *field = value;
}

int
search_year_of(const char *date)
{
    for (const char *p = date; p && *p; p++) {
        gboolean starts = p == date || !g_ascii_isdigit(p[-1]);
        if (!starts || strspn(p, "0123456789") != 4) continue;
        int year = (int)g_ascii_strtoll(p, NULL, 10);
        if (year >= 1500 && year <= 2200) return year;
    }
    return 0;
}

void
search_hit_settle(search_hit *hit)
{
    if (hit->doi) { /* as an address, or with "doi:" */
        g_autofree char *old = hit->doi;
        hit->doi = search_doi(old);
    }
    if (!hit->doi && hit->url && strstr(hit->url, "doi.org/")) hit->doi = search_doi(hit->url);
    if (!hit->arxiv && hit->url && strstr(hit->url, "arxiv.org/"))
        hit->arxiv = search_arxiv_id(hit->url);
    if (!hit->arxiv && hit->doi && g_str_has_prefix(hit->doi, "10.48550/arxiv."))
        hit->arxiv = search_arxiv_id(hit->doi + strlen("10.48550/arxiv."));
    if (!hit->url && hit->doi) hit->url = g_strconcat("https://doi.org/", hit->doi, NULL);
    if (!hit->url && hit->arxiv) hit->url = g_strconcat("https://arxiv.org/abs/", hit->arxiv, NULL);
    if (!hit->url && hit->pmcid)
        hit->url = g_strconcat("https://europepmc.org/articles/", hit->pmcid, NULL);
    if (!hit->url && hit->pmid)
        hit->url = g_strconcat("https://pubmed.ncbi.nlm.nih.gov/", hit->pmid, "/", NULL);
    if (!hit->snippet && hit->abstract) hit->snippet = g_strdup(hit->abstract);
    if (!hit->year) hit->year = search_year_of(hit->published);
}
