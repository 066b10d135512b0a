/* Catalogues of papers that answer in XML. Sources: arXiv API user's manual (Atom); NCBI E-utilities: esearch finds
 * the numbers, efetch the records. */
#include "search/provider.h"

#include <string.h>

/* ---- arXiv ---- */

/* First all words; where nothing has them all, any of them, which arXiv ranks by relevance. */
void
search_build_arxiv(const search_ask *ask, search_call *call)
{
    g_auto(GStrv) words = g_strsplit(ask->keywords, " ", -1);
    g_autoptr(GString) query = g_string_new(NULL);
    g_autofree char *limit = g_strdup_printf("%u", MIN(ask->options.limit, 2000));
    guint n = 0;

    for (char **w = words; *w && n < (ask->step ? 12 : 5); w++) {
        g_autofree char *word = g_strdelimit(g_strdup(*w), ":()\"[]-", ' ');
        g_strstrip(word);
        if (!*word) continue;
        if (n++) g_string_append(query, ask->step ? " OR " : " AND ");
        g_string_append_printf(query, strchr(word, ' ') ? "all:\"%s\"" : "all:%s", word);
    }
    if (ask->options.year_from || ask->options.year_to) {
        g_string_prepend_c(query, '(');
        g_string_append_printf(query, ") AND submittedDate:[%04d01010000 TO %04d12312359]",
                               ask->options.year_from ? ask->options.year_from : 1991,
                               ask->options.year_to ? ask->options.year_to : 2999);
    }
    call->url =
        search_url_with(ask->provider->url, "search_query", query->str, "start", "0", "max_results",
                        limit, "sortBy", "relevance", "sortOrder", "descending", NULL);
    call->accept = "application/atom+xml";
}

static const char *
attribute(const xmlNode *node, const char *name)
{
    for (const xmlAttr *a = node->properties; a; a = a->next)
        if (g_str_equal((const char *)a->name, name) && a->children && a->children->content)
            return g_utf8_validate((const char *)a->children->content, -1, NULL)
                       ? (const char *)a->children->content
                       : NULL;
    return NULL;
}

static char **
child_names(const xmlNode *node, const char *element, char *(*name_of)(const xmlNode *))
{
    g_autoptr(GStrvBuilder) names = g_strv_builder_new();
    guint n = 0;

    for (const xmlNode *c = node ? node->children : NULL; c; c = c->next) {
        g_autofree char *name = search_xml_is(c, element) && n < 500 ? name_of(c) : NULL;
        if (name) g_strv_builder_add(names, name), n++;
    }
    return n > 0 ? g_strv_builder_end(names) : NULL;
}

static char *
atom_name(const xmlNode *author)
{
    return search_xml_text(author, "name");
}

static search_hit *
hit_of_entry(const search_ask *ask, const xmlNode *entry)
{
    g_autofree char *id = search_xml_text(entry, "id");
    search_hit *hit = search_hit_new(ask, NULL);

    hit->arxiv = search_arxiv_id(id);
    hit->title = search_xml_text(entry, "title");
    hit->abstract = search_xml_text(entry, "summary");
    hit->published = search_xml_text(entry, "published");
    hit->doi = search_xml_text(entry, "doi");
    hit->venue = search_xml_text(entry, "journal_ref");
    hit->authors = child_names(entry, "author", atom_name);
    const char *version = id ? strrchr(id, 'v') : NULL;
    if (version && version > strrchr(id, '/') && g_ascii_isdigit(version[1]))
        hit->version = g_strdup(version);
    for (const xmlNode *c = entry->children; c; c = c->next) {
        if (!search_xml_is(c, "link") || g_strcmp0(attribute(c, "title"), "pdf") != 0) continue;
        search_take(&hit->pdf_url, g_strdup(attribute(c, "href")));
    }
    if (hit->arxiv) hit->url = g_strconcat("https://arxiv.org/abs/", hit->arxiv, NULL);
    search_hit_settle(hit);
    if (hit->url && hit->title) return hit;
    search_hit_free(hit);
    return NULL;
}

gboolean
search_parse_arxiv(const search_ask *ask, const search_response *response, GPtrArray *hits,
                   search_call *next, GError **error)
{
    xmlDoc *doc = search_answer_xml(ask, response, error);
    if (!doc) return FALSE;
    const xmlNode *feed = search_xml_find((xmlNode *)doc, "feed");

    for (const xmlNode *n = feed ? feed->children : NULL; n; n = n->next) {
        if (!search_xml_is(n, "entry")) continue;
        g_autofree char *id = search_xml_text(n, "id");
        if (id && strstr(id, "/api/errors")) { /* errors come as a result */
            g_autofree char *summary = search_xml_text(n, "summary");
            g_autofree char *why = search_brief(summary, 160);
            g_set_error(error, SEARCH_ERROR, SEARCH_ERROR_STATUS, "arxiv: %s",
                        *why ? why : "an error without a reason");
            xmlFreeDoc(doc);
            return FALSE;
        }
        search_hit *hit = hit_of_entry(ask, n);
        if (hit) g_ptr_array_add(hits, hit);
    }
    xmlFreeDoc(doc);
    if (!feed) {
        g_set_error_literal(error, SEARCH_ERROR, SEARCH_ERROR_FORMAT,
                            "arxiv: the answer is no Atom feed");
        return FALSE;
    }
    if (hits->len == 0 && ask->step == 0 && strchr(ask->keywords, ' ')) {
        search_ask looser = *ask;
        looser.step = 1;
        search_build_arxiv(&looser, next);
    }
    return TRUE;
}

/* ---- PubMed ---- */

/* NCBI wants to know which program asks, and whom to write to. */
static char *
eutils_url(const search_ask *ask, const char *program)
{
    g_autofree char *base = g_strconcat(ask->provider->url, "/", program, NULL);
    return search_url_with(base, "db", "pubmed", "tool", "lode", "email", ask->contact, "api_key",
                           ask->provider->key, NULL);
}

void
search_build_pubmed(const search_ask *ask, search_call *call)
{
    g_autofree char *base = eutils_url(ask, "esearch.fcgi");
    g_autofree char *limit = g_strdup_printf("%u", MIN(ask->options.limit, 200));
    g_autoptr(GString) term = g_string_new(ask->keywords);
    if (ask->options.year_from || ask->options.year_to)
        g_string_append_printf(term, " AND %d:%d[dp]",
                               ask->options.year_from ? ask->options.year_from : 1500,
                               ask->options.year_to ? ask->options.year_to : 3000);
    call->url = search_url_with(base, "term", term->str, "retmax", limit, "retmode", "json", "sort",
                                "relevance", NULL);
    call->accept = "application/json";
}

static gboolean
parse_numbers(const search_ask *ask, const search_response *response, search_call *next,
              GError **error)
{
    json_t *json = search_answer_json(ask, response, error), *id;
    g_autoptr(GString) ids = g_string_new(NULL);
    size_t i;

    if (!json) return FALSE;
    const char *trouble = search_json_text(json, "esearchresult.ERROR");
    if (!trouble) trouble = search_json_text(json, "error");
    if (trouble) {
        g_autofree char *why = search_brief(trouble, 160);
        g_set_error(error, SEARCH_ERROR, SEARCH_ERROR_STATUS, "pubmed: %s", why);
        json_decref(json);
        return FALSE;
    }
    json_array_foreach(search_json_at(json, "esearchresult.idlist"), i, id)
    {
        const char *text = json_string_value(id);
        if (!text || strspn(text, "0123456789") != strlen(text)) continue;
        g_string_append_printf(ids, "%s%s", ids->len ? "," : "", text);
    }
    json_decref(json);
    if (ids->len > 0) {
        g_autofree char *base = eutils_url(ask, "efetch.fcgi");
        next->url = search_url_with(base, "id", ids->str, "retmode", "xml", NULL);
        next->accept = "application/xml";
    }
    return TRUE;
}

static char *
pubmed_name(const xmlNode *author)
{
    g_autofree char *last = search_xml_text(author, "LastName");
    g_autofree char *fore = search_xml_text(author, "ForeName");
    if (!last) return search_xml_text(author, "CollectiveName");
    return fore ? g_strconcat(last, ", ", fore, NULL) : g_steal_pointer(&last);
}

static void
read_pubmed_ids(search_hit *hit, const xmlNode *list)
{
    for (const xmlNode *c = list ? list->children : NULL; c; c = c->next) {
        const char *type = search_xml_is(c, "ArticleId") ? attribute(c, "IdType") : NULL;
        if (g_strcmp0(type, "doi") == 0) search_take(&hit->doi, search_xml_text(c, NULL));
        if (g_strcmp0(type, "pmc") == 0) search_take(&hit->pmcid, search_xml_text(c, NULL));
    }
}

/* Each part of a structured abstract, with its label. */
static char *
pubmed_abstract(const xmlNode *article)
{
    const xmlNode *abstract = search_xml_find(article, "Abstract");
    g_autoptr(GString) text = g_string_new(NULL);

    for (const xmlNode *c = abstract ? abstract->children : NULL; c; c = c->next) {
        g_autofree char *part = search_xml_is(c, "AbstractText") ? search_xml_text(c, NULL) : NULL;
        const char *label = part ? attribute(c, "Label") : NULL;
        if (!part) continue;
        if (text->len) g_string_append_c(text, ' ');
        if (label) g_string_append_printf(text, "%s: ", label);
        g_string_append(text, part);
    }
    return text->len ? g_strdup(text->str) : NULL;
}

static search_hit *
hit_of_pubmed(const search_ask *ask, const xmlNode *record)
{
    const xmlNode *article = search_xml_find(record, "MedlineCitation/Article");
    search_hit *hit = search_hit_new(ask, NULL);

    hit->pmid = search_xml_text(record, "MedlineCitation/PMID");
    hit->title = search_xml_text(article, "ArticleTitle");
    hit->abstract = pubmed_abstract(article);
    hit->venue = search_xml_text(article, "Journal/Title");
    hit->authors = child_names(search_xml_find(article, "AuthorList"), "Author", pubmed_name);
    const char *date = "Journal/JournalIssue/PubDate";
    g_autofree char *year = search_xml_text(search_xml_find(article, date), "Year");
    g_autofree char *medline = search_xml_text(search_xml_find(article, date), "MedlineDate");
    hit->year = search_year_of(year ? year : medline);
    hit->published = g_strdup(year ? year : medline);
    read_pubmed_ids(hit, search_xml_find(record, "PubmedData/ArticleIdList"));
    const xmlNode *kinds = search_xml_find(article, "PublicationTypeList");
    for (const xmlNode *c = kinds ? kinds->children : NULL; c; c = c->next) {
        g_autofree char *kind = search_xml_text(c, NULL);
        if (g_strcmp0(kind, "Retracted Publication") == 0) hit->retracted = TRUE;
    }
    if (hit->pmid) hit->url = g_strconcat("https://pubmed.ncbi.nlm.nih.gov/", hit->pmid, "/", NULL);
    search_hit_settle(hit);
    if (hit->url && hit->title) return hit;
    search_hit_free(hit);
    return NULL;
}

gboolean
search_parse_pubmed(const search_ask *ask, const search_response *response, GPtrArray *hits,
                    search_call *next, GError **error)
{
    if (ask->step == 0) return parse_numbers(ask, response, next, error);
    xmlDoc *doc = search_answer_xml(ask, response, error);
    if (!doc) return FALSE;
    const xmlNode *set = search_xml_find((xmlNode *)doc, "PubmedArticleSet");
    for (const xmlNode *n = set ? set->children : NULL; n; n = n->next) {
        search_hit *hit = search_xml_is(n, "PubmedArticle") ? hit_of_pubmed(ask, n) : NULL;
        if (hit) g_ptr_array_add(hits, hit);
    }
    xmlFreeDoc(doc);
    if (set) return TRUE;
    g_set_error_literal(error, SEARCH_ERROR, SEARCH_ERROR_FORMAT,
                        "pubmed: the answer holds no articles");
    return FALSE;
}
