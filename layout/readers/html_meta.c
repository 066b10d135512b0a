/* What a page says about itself: <title>, <meta> (Highwire citation_*, Dublin Core, Open Graph), JSON-LD.
 *
 * Scholarly tags come first: publishers fill them for indexers and keep them right. */
#include "layout/readers/html.h"

#include <jansson.h>
#include <string.h>

#define LD_MAX_BYTES (1024 * 1024)
#define LD_MAX_DEPTH 12

void
layout_html_meta_clear(layout_html_meta *meta)
{
    g_free(meta->title);
    g_free(meta->site);
    g_free(meta->year);
    g_free(meta->date);
    g_free(meta->doi);
    g_free(meta->arxiv);
    g_free(meta->abstract);
    g_free(meta->language);
    g_free(meta->generator);
    g_free(meta->article_body);
    g_clear_pointer(&meta->authors, g_ptr_array_unref);
    *meta = (layout_html_meta){0};
}

/* ---- collecting <meta> ---- */

typedef struct {
    GHashTable *first; /* lower-case name -> cleaned first value */
    GPtrArray *citation_authors, *plain_authors;
    GPtrArray *ld; /* raw text of JSON-LD scripts */
    char *title;
} collected;

static void
collect_meta(collected *c, const xmlNode *node)
{
    const char *name = layout_html_attribute(node, "name"),
               *content = layout_html_attribute(node, "content");
    if (!name) name = layout_html_attribute(node, "property");
    if (!name) name = layout_html_attribute(node, "itemprop");
    if (!name || !content) return;
    g_autofree char *key = g_ascii_strdown(name, -1);
    g_autofree char *value = layout_html_clean(content);
    if (!value) return;
    if (g_str_equal(key, "citation_author"))
        g_ptr_array_add(c->citation_authors, g_strdup(value));
    else if (g_str_equal(key, "author") || g_str_equal(key, "dc.creator") ||
             g_str_equal(key, "dcterms.creator"))
        g_ptr_array_add(c->plain_authors, g_strdup(value));
    if (!g_hash_table_contains(c->first, key))
        g_hash_table_insert(c->first, g_steal_pointer(&key), g_steal_pointer(&value));
}

static void
collect(collected *c, const xmlNode *node)
{
    for (const xmlNode *n = node->children; n; n = n->next) {
        if (n->type != XML_ELEMENT_NODE) continue;
        if (layout_html_is(n, "meta")) {
            collect_meta(c, n);
        } else if (layout_html_is(n, "title") && !c->title && !layout_html_is(n->parent, "svg")) {
            c->title = layout_html_text(n);
        } else if (layout_html_is(n, "script")) {
            const char *type = layout_html_attribute(n, "type");
            if (type && g_str_has_prefix(type, "application/ld+json") && n->children &&
                n->children->content && c->ld->len < 16)
                g_ptr_array_add(c->ld, n->children->content);
        } else {
            collect(c, n);
        }
    }
}

static char *
first_of(const collected *c, const char *const *names)
{
    for (; *names; names++) {
        const char *value = g_hash_table_lookup(c->first, *names);
        if (value) return g_strdup(value);
    }
    return NULL;
}

/* ---- JSON-LD (schema.org) ---- */

static gboolean
is_article_type(const json_t *type)
{
    if (json_is_array(type)) {
        for (size_t i = 0; i < json_array_size(type); i++)
            if (is_article_type(json_array_get(type, i))) return TRUE;
        return FALSE;
    }
    const char *name = json_string_value(type);
    return name && (g_str_has_suffix(name, "Article") || g_str_has_suffix(name, "Posting") ||
                    g_str_equal(name, "Report") || g_str_equal(name, "Book"));
}

static void
take_string(char **slot, const json_t *value)
{
    const char *text = json_string_value(value);
    if (!*slot && text) *slot = layout_html_clean(text);
}

static void
take_authors(GPtrArray *authors, const json_t *value)
{
    if (json_is_array(value)) {
        for (size_t i = 0; i < json_array_size(value) && authors->len < 1000; i++) {
            const json_t *item = json_array_get(value, i);
            if (!json_is_array(item)) take_authors(authors, item);
        }
        return;
    }
    const char *name =
        json_string_value(json_is_object(value) ? json_object_get(value, "name") : value);
    char *clean = layout_html_clean(name);
    if (clean) g_ptr_array_add(authors, clean);
}

static void
take_article(layout_html_meta *meta, GPtrArray *authors, const json_t *node, int depth)
{
    if (depth > LD_MAX_DEPTH) return;
    if (json_is_array(node)) {
        for (size_t i = 0; i < json_array_size(node); i++)
            take_article(meta, authors, json_array_get(node, i), depth + 1);
        return;
    }
    if (!json_is_object(node)) return;
    const json_t *graph = json_object_get(node, "@graph");
    if (graph) take_article(meta, authors, graph, depth + 1);
    if (!is_article_type(json_object_get(node, "@type"))) return;
    take_string(&meta->title, json_object_get(node, "headline"));
    take_string(&meta->date, json_object_get(node, "datePublished"));
    if (!meta->article_body)
        meta->article_body = g_strdup(json_string_value(json_object_get(node, "articleBody")));
    if (authors->len == 0) take_authors(authors, json_object_get(node, "author"));
}

/* ---- putting it together ---- */

static char *
first_year(const char *date)
{
    for (const char *p = date; p && *p; p++) {
        if (!g_ascii_isdigit(*p) || (p > date && g_ascii_isdigit(p[-1]))) continue;
        gsize n = strspn(p, "0123456789");
        if ((n == 4 || n == 8) && (g_str_has_prefix(p, "19") || g_str_has_prefix(p, "20")))
            return g_strndup(p, 4);
    }
    return NULL;
}

/* "Title | Site" -> "Title": where the site is known to be the end, or the bar says so. */
static void
cut_site(char *title, const char *site)
{
    static const char *const bars[] = {" | ", " :: ",           " \302\273 ",    " \302\267 ",
                                       " - ", " \342\200\223 ", " \342\200\224 "};
    for (gsize i = 0; i < G_N_ELEMENTS(bars); i++) {
        char *bar = g_strrstr(title, bars[i]);
        if (!bar || bar == title) continue;
        const char *rest = bar + strlen(bars[i]);
        gboolean is_site = site && g_ascii_strcasecmp(rest, site) == 0;
        if (is_site || (i < 4 && bar - title >= 15)) {
            *bar = '\0';
            g_strchomp(title);
            return;
        }
    }
}

static void
take_doi(layout_html_meta *meta, const collected *c)
{
    static const char *const names[] = {"citation_doi", "dc.identifier", "prism.doi",
                                        "bepress_citation_doi", NULL};
    for (const char *const *n = names; *n && !meta->doi; n++) {
        const char *value = g_hash_table_lookup(c->first, *n);
        const char *at = value ? strstr(value, "10.") : NULL;
        if (at && strchr(at, '/') && !strpbrk(at, " \"<>")) meta->doi = g_ascii_strdown(at, -1);
    }
}

static void
take_meta(layout_html_meta *meta, collected *c)
{
    static const char *const titles[] = {"citation_title", "dc.title", "og:title", "twitter:title",
                                         NULL};
    static const char *const dates[] = {"citation_publication_date",
                                        "citation_date",
                                        "citation_online_date",
                                        "dc.date",
                                        "dcterms.date",
                                        "dc.date.issued",
                                        "article:published_time",
                                        "datepublished",
                                        "date",
                                        NULL};
    static const char *const abstracts[] = {"citation_abstract", "dcterms.abstract", NULL};
    static const char *const languages[] = {"citation_language", "dc.language", NULL};

    meta->title = first_of(c, titles);
    meta->date = first_of(c, dates);
    meta->abstract = first_of(c, abstracts);
    meta->language = first_of(c, languages);
    meta->site = g_strdup(g_hash_table_lookup(c->first, "og:site_name"));
    meta->generator = g_strdup(g_hash_table_lookup(c->first, "generator"));
    meta->arxiv = g_strdup(g_hash_table_lookup(c->first, "citation_arxiv_id"));
    take_doi(meta, c);
}

/* "en-US" -> "en"; NULL for what is no language tag. */
static char *
primary_language(const char *tag)
{
    gsize n = 0;
    while (tag && g_ascii_isalpha(tag[n]))
        n++;
    return n == 2 || n == 3 ? g_ascii_strdown(tag, (gssize)n) : NULL;
}

void
layout_html_meta_read(xmlDoc *document, layout_html_meta *meta)
{
    const xmlNode *root = xmlDocGetRootElement(document);
    collected c = {.first = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free),
                   .citation_authors = g_ptr_array_new_with_free_func(g_free),
                   .plain_authors = g_ptr_array_new_with_free_func(g_free),
                   .ld = g_ptr_array_new()};
    g_autoptr(GPtrArray) ld_authors = g_ptr_array_new_with_free_func(g_free);

    collect(&c, root);
    take_meta(meta, &c);
    for (guint i = 0; i < c.ld->len; i++) {
        const char *text = c.ld->pdata[i];
        gsize len = strlen(text);
        if (len > LD_MAX_BYTES) continue;
        json_t *ld = json_loadb(text, len, 0, NULL);
        take_article(meta, ld_authors, ld, 0);
        json_decref(ld);
    }
    if (!meta->title && c.title && *c.title) meta->title = g_strdup(c.title);
    if (meta->title) cut_site(meta->title, meta->site);
    if (!meta->language)
        meta->language = primary_language(layout_html_attribute(root, "lang"));
    else {
        g_autofree char *tag = g_steal_pointer(&meta->language);
        meta->language = primary_language(tag);
    }
    meta->year = first_year(meta->date);
    GPtrArray *authors = c.citation_authors->len ? c.citation_authors
                         : ld_authors->len       ? ld_authors
                                                 : c.plain_authors;
    meta->authors = g_ptr_array_ref(authors);
    g_ptr_array_unref(c.citation_authors);
    g_ptr_array_unref(c.plain_authors);
    g_ptr_array_unref(c.ld);
    g_hash_table_unref(c.first);
    g_free(c.title);
}
