/* Catalogues of papers that answer in JSON. Sources: the API documentation of Semantic Scholar (Graph v1),
 * OpenAlex, Crossref (REST), CORE (v3). */
#include "search/provider.h"

#include <string.h>

static char *
limit_text(const search_ask *ask, guint most)
{
    return g_strdup_printf("%u", MIN(ask->options.limit, most));
}

/* "2019-2021", "2019-", "-2021"; NULL when all years will do. g_free */
static char *
year_range(const search_ask *ask, const char *between)
{
    int from = ask->options.year_from, to = ask->options.year_to;
    g_autofree char *first = from ? g_strdup_printf("%d", from) : g_strdup("");
    g_autofree char *last = to ? g_strdup_printf("%d", to) : g_strdup("");
    return from || to ? g_strconcat(first, between, last, NULL) : NULL;
}

static char **
names_at(const json_t *list, char *(*name_of)(const json_t *))
{
    g_autoptr(GStrvBuilder) names = g_strv_builder_new();
    const json_t *item;
    size_t i, n = 0;

    json_array_foreach(list, i, item)
    {
        g_autofree char *name = n < 500 ? name_of(item) : NULL;
        g_autofree char *plain = search_plain(name);
        if (plain) g_strv_builder_add(names, plain), n++;
    }
    return n > 0 ? g_strv_builder_end(names) : NULL;
}

static char *
name_itself(const json_t *author)
{
    return g_strdup(search_json_text(author, "name"));
}

typedef search_hit *(*record_reader)(const search_ask *ask, const json_t *record);

static gboolean
parse_records(const search_ask *ask, const search_response *response, const char *path,
              record_reader read, GPtrArray *hits, GError **error)
{
    json_t *json = search_answer_json(ask, response, error);
    const json_t *list = search_json_at(json, path), *item;
    size_t i;

    if (!json) return FALSE;
    /* Semantic Scholar leaves the list out where it has nothing */
    if (!list && !search_json_at(json, "total")) {
        g_set_error(error, SEARCH_ERROR, SEARCH_ERROR_FORMAT, "%s: the answer has no list \"%s\"",
                    ask->provider->kind->info.name, path);
        json_decref(json);
        return FALSE;
    }
    json_array_foreach(list, i, item)
    {
        search_hit *hit = json_is_object(item) ? read(ask, item) : NULL;
        if (hit) g_ptr_array_add(hits, hit);
    }
    json_decref(json);
    return TRUE;
}

/* A hit is of use when it can be named. */
static search_hit *
settled(search_hit *hit)
{
    search_hit_settle(hit);
    if (hit->url && hit->title) return hit;
    search_hit_free(hit);
    return NULL;
}

/* ---- Semantic Scholar ---- */

void
search_build_semanticscholar(const search_ask *ask, search_call *call)
{
    g_autofree char *base = g_strconcat(ask->provider->url, "/paper/search", NULL);
    g_autofree char *limit = limit_text(ask, 100), *years = year_range(ask, "-");
    call->url = search_url_with(
        base, "query", ask->query, "limit", limit, "fields",
        "title,abstract,year,venue,authors,externalIds,openAccessPdf,publicationDate,url", "year",
        years, "openAccessPdf", ask->options.open_access ? "" : NULL, NULL);
    if (ask->provider->key) search_call_header(call, "x-api-key", ask->provider->key);
    call->accept = "application/json";
}

static const search_field semanticscholar_fields[] = {
    SEARCH_FIELD("title", title, PLAIN),
    SEARCH_FIELD("abstract", abstract, PLAIN),
    SEARCH_FIELD("venue", venue, PLAIN),
    SEARCH_FIELD("publicationDate", published, TEXT),
    SEARCH_FIELD("year", year, YEAR),
    SEARCH_FIELD("externalIds.DOI", doi, TEXT),
    SEARCH_FIELD("externalIds.ArXiv", arxiv, ARXIV),
    SEARCH_FIELD("externalIds.PubMed", pmid, WORD),
    SEARCH_FIELD("openAccessPdf.url", pdf_url, TEXT),
    SEARCH_FIELD("openAccessPdf.license", license, TEXT),
};

search_hit *
search_hit_of_semanticscholar(const search_ask *ask, const json_t *paper)
{
    search_hit *hit = search_hit_new(ask, search_json_text(paper, "url"));

    search_hit_read(hit, paper, semanticscholar_fields, G_N_ELEMENTS(semanticscholar_fields));
    g_autofree char *pmc = search_json_word(paper, "externalIds.PubMedCentral");
    if (pmc)
        hit->pmcid = g_str_has_prefix(pmc, "PMC") ? g_strdup(pmc) : g_strconcat("PMC", pmc, NULL);
    hit->authors = names_at(json_object_get(paper, "authors"), name_itself);
    return settled(hit);
}

gboolean
search_parse_semanticscholar(const search_ask *ask, const search_response *response,
                             GPtrArray *hits, search_call *next, GError **error)
{
    (void)next;
    return parse_records(ask, response, "data", search_hit_of_semanticscholar, hits, error);
}

/* ---- OpenAlex ---- */

void
search_build_openalex(const search_ask *ask, search_call *call)
{
    g_autofree char *base = g_strconcat(ask->provider->url, "/works", NULL);
    g_autofree char *limit = limit_text(ask, 100), *years = year_range(ask, "-");
    g_autoptr(GString) filter = g_string_new(NULL);

    if (years) g_string_append_printf(filter, "publication_year:%s", years);
    if (ask->options.open_access)
        g_string_append_printf(filter, "%sis_oa:true", filter->len ? "," : "");
    /* its query language: these would be operators */
    g_autofree char *query = g_strdelimit(g_strdup(ask->query), "?*~|!,:", ' ');
    call->url = search_url_with(
        base, "search", query, "per_page", limit, "filter", filter->len ? filter->str : NULL,
        "select",
        "id,doi,title,abstract_inverted_index,publication_year,publication_date,authorships,ids,"
        "primary_location,best_oa_location,open_access,is_retracted",
        "mailto", ask->contact, "api_key", ask->provider->key, NULL);
    call->accept = "application/json";
}

#define ABSTRACT_WORDS_MAX 20000

/* {"word": [positions]} -> the text. Gaps are left out. */
static char *
text_of_inverted_index(json_t *index)
{
    g_autoptr(GPtrArray) words = g_ptr_array_new();
    const char *word;
    json_t *positions, *position;
    size_t i;

    json_object_foreach(index, word, positions)
    {
        json_array_foreach(positions, i, position)
        {
            json_int_t at = json_is_integer(position) ? json_integer_value(position) : -1;
            if (at < 0 || at >= ABSTRACT_WORDS_MAX) continue;
            if (words->len <= (guint)at) g_ptr_array_set_size(words, (int)at + 1);
            words->pdata[at] = (gpointer)word;
        }
    }
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint n = 0; n < words->len; n++)
        if (words->pdata[n])
            g_string_append_printf(text, "%s%s", text->len ? " " : "", (char *)words->pdata[n]);
    return search_plain(text->str);
}

static char *
author_display_name(const json_t *authorship)
{
    return g_strdup(search_json_text(authorship, "author.display_name"));
}

static const search_field openalex_fields[] = {
    SEARCH_FIELD("title", title, PLAIN),
    SEARCH_FIELD("doi", doi, TEXT),
    SEARCH_FIELD("publication_date", published, TEXT),
    SEARCH_FIELD("publication_year", year, YEAR),
    SEARCH_FIELD("primary_location.source.display_name", venue, PLAIN),
    SEARCH_FIELD("best_oa_location.pdf_url", pdf_url, TEXT),
    SEARCH_FIELD("best_oa_location.license", license, TEXT),
    SEARCH_FIELD("best_oa_location.version", version, TEXT),
};

search_hit *
search_hit_of_openalex(const search_ask *ask, const json_t *work)
{
    search_hit *hit = search_hit_new(ask, search_json_text(work, "doi"));

    search_hit_read(hit, work, openalex_fields, G_N_ELEMENTS(openalex_fields));
    hit->abstract = text_of_inverted_index(json_object_get(work, "abstract_inverted_index"));
    hit->retracted = json_is_true(json_object_get(work, "is_retracted"));
    hit->authors = names_at(json_object_get(work, "authorships"), author_display_name);
    const char *pmid = search_json_text(work, "ids.pmid"),
               *pmcid = search_json_text(work, "ids.pmcid");
    if (pmid) hit->pmid = g_path_get_basename(pmid); /* ids come as addresses */
    if (pmcid) hit->pmcid = g_path_get_basename(pmcid);
    const char *landing = search_json_text(work, "primary_location.landing_page_url");
    search_take(&hit->url, g_strdup(landing));
    if (landing && strstr(landing, "arxiv.org/"))
        search_take(&hit->arxiv, search_arxiv_id(landing));
    search_take(&hit->url, g_strdup(search_json_text(work, "id")));
    return settled(hit);
}

gboolean
search_parse_openalex(const search_ask *ask, const search_response *response, GPtrArray *hits,
                      search_call *next, GError **error)
{
    (void)next;
    return parse_records(ask, response, "results", search_hit_of_openalex, hits, error);
}

/* ---- Crossref ---- */

void
search_build_crossref(const search_ask *ask, search_call *call)
{
    g_autofree char *base = g_strconcat(ask->provider->url, "/works", NULL);
    g_autofree char *limit = limit_text(ask, 1000);
    g_autoptr(GString) filter = g_string_new(NULL);

    if (ask->options.year_from)
        g_string_append_printf(filter, "from-pub-date:%d", ask->options.year_from);
    if (ask->options.year_to)
        g_string_append_printf(filter, "%suntil-pub-date:%d", filter->len ? "," : "",
                               ask->options.year_to);
    call->url = search_url_with(base, "query.bibliographic", ask->query, "rows", limit, "filter",
                                filter->len ? filter->str : NULL, "mailto", ask->contact, NULL);
    call->accept = "application/json";
}

static char *
family_given(const json_t *author)
{
    const char *family = search_json_text(author, "family");
    const char *given = search_json_text(author, "given");
    if (!family) return g_strdup(search_json_text(author, "name")); /* a group */
    return given ? g_strconcat(family, ", ", given, NULL) : g_strdup(family);
}

static const char *
first_text(const json_t *object, const char *key)
{
    return json_string_value(json_array_get(json_object_get(object, key), 0));
}

/* [[2024, 5, 1]] -> "2024-05-01"; NULL. g_free */
static char *
date_of_parts(const json_t *date)
{
    const json_t *parts = json_array_get(json_object_get(date, "date-parts"), 0);
    json_int_t year = json_integer_value(json_array_get(parts, 0));
    json_int_t month = json_integer_value(json_array_get(parts, 1));
    json_int_t day = json_integer_value(json_array_get(parts, 2));
    if (year < 1000 || year > 9999) return NULL;
    if (month < 1 || month > 12) return g_strdup_printf("%d", (int)year);
    if (day < 1 || day > 31) return g_strdup_printf("%d-%02d", (int)year, (int)month);
    return g_strdup_printf("%d-%02d-%02d", (int)year, (int)month, (int)day);
}

static gboolean
is_open_license(const char *url)
{
    return url && (strstr(url, "creativecommons.org/") || strstr(url, "opensource.org/"));
}

static const search_field crossref_fields[] = {
    SEARCH_FIELD("DOI", doi, TEXT),
    SEARCH_FIELD("abstract", abstract, PLAIN),
};

search_hit *
search_hit_of_crossref(const search_ask *ask, const json_t *work)
{
    search_hit *hit = search_hit_new(ask, search_json_text(work, "URL"));
    const json_t *item;
    size_t i;

    search_hit_read(hit, work, crossref_fields, G_N_ELEMENTS(crossref_fields));
    hit->title = search_plain(first_text(work, "title"));
    hit->venue = search_plain(first_text(work, "container-title"));
    hit->published = date_of_parts(json_object_get(work, "issued"));
    hit->authors = names_at(json_object_get(work, "author"), family_given);
    json_array_foreach(json_object_get(work, "license"), i, item)
    {
        const char *url = search_json_text(item, "URL");
        if (!hit->license && is_open_license(url)) hit->license = g_strdup(url);
    }
    /* links are for who has subscribed as well: of use only under an open licence */
    json_array_foreach(json_object_get(work, "link"), i, item)
    {
        const char *type = search_json_text(item, "content-type");
        if (hit->license && !hit->pdf_url && g_strcmp0(type, "application/pdf") == 0)
            hit->pdf_url = g_strdup(search_json_text(item, "URL"));
    }
    json_array_foreach(json_object_get(work, "updated-by"), i, item)
    {
        if (g_strcmp0(search_json_text(item, "type"), "retraction") == 0) hit->retracted = TRUE;
    }
    return settled(hit);
}

gboolean
search_parse_crossref(const search_ask *ask, const search_response *response, GPtrArray *hits,
                      search_call *next, GError **error)
{
    (void)next;
    return parse_records(ask, response, "message.items", search_hit_of_crossref, hits, error);
}

/* ---- CORE ---- */

void
search_build_core(const search_ask *ask, search_call *call)
{
    g_autofree char *base = g_strconcat(ask->provider->url, "/search/works/", NULL);
    g_autofree char *limit = limit_text(ask, 100);
    g_autofree char *bearer = g_strconcat("Bearer ", ask->provider->key, NULL);
    call->url = search_url_with(base, "q", ask->keywords, "limit", limit, NULL);
    search_call_header(call, "Authorization", bearer);
    call->accept = "application/json";
}

static const search_field core_fields[] = {
    SEARCH_FIELD("title", title, PLAIN),
    SEARCH_FIELD("abstract", abstract, PLAIN),
    SEARCH_FIELD("doi", doi, TEXT),
    SEARCH_FIELD("arxivId", arxiv, ARXIV),
    SEARCH_FIELD("yearPublished", year, YEAR),
    SEARCH_FIELD("publishedDate", published, TEXT),
    SEARCH_FIELD("downloadUrl", pdf_url, TEXT),
};

static search_hit *
hit_of_core(const search_ask *ask, const json_t *work)
{
    search_hit *hit = search_hit_new(ask, NULL);

    search_hit_read(hit, work, core_fields, G_N_ELEMENTS(core_fields));
    hit->authors = names_at(json_object_get(work, "authors"), name_itself);
    g_autofree char *id = search_json_word(work, "id");
    search_hit_settle(hit);
    if (!hit->url && id) hit->url = g_strconcat("https://core.ac.uk/works/", id, NULL);
    return settled(hit);
}

gboolean
search_parse_core(const search_ask *ask, const search_response *response, GPtrArray *hits,
                  search_call *next, GError **error)
{
    (void)next;
    return parse_records(ask, response, "results", hit_of_core, hits, error);
}

/* ---- Europe PMC ---- */

void
search_build_europepmc(const search_ask *ask, search_call *call)
{
    g_autofree char *base = g_strconcat(ask->provider->url, "/search", NULL);
    g_autofree char *limit = limit_text(ask, 1000);
    g_autoptr(GString) query = g_string_new(ask->keywords);
    if (ask->options.open_access) g_string_append(query, " AND OPEN_ACCESS:y");
    if (ask->options.year_from || ask->options.year_to)
        g_string_append_printf(query, " AND PUB_YEAR:[%d TO %d]",
                               ask->options.year_from ? ask->options.year_from : 1500,
                               ask->options.year_to ? ask->options.year_to : 3000);
    call->url = search_url_with(base, "query", query->str, "format", "json", "resultType", "core",
                                "pageSize", limit, "email", ask->contact, NULL);
    call->accept = "application/json";
}

static char *
europepmc_name(const json_t *author)
{
    const char *last = search_json_text(author, "lastName");
    const char *first = search_json_text(author, "firstName");
    if (!last) return g_strdup(search_json_text(author, "fullName"));
    return first ? g_strconcat(last, ", ", first, NULL) : g_strdup(last);
}

static const search_field europepmc_fields[] = {
    SEARCH_FIELD("title", title, PLAIN),
    SEARCH_FIELD("abstractText", abstract, PLAIN),
    SEARCH_FIELD("doi", doi, TEXT),
    SEARCH_FIELD("pmid", pmid, WORD),
    SEARCH_FIELD("pmcid", pmcid, TEXT),
    SEARCH_FIELD("journalInfo.journal.title", venue, PLAIN),
    SEARCH_FIELD("firstPublicationDate", published, TEXT),
    SEARCH_FIELD("pubYear", year, YEAR),
    SEARCH_FIELD("license", license, TEXT),
};

static search_hit *
hit_of_europepmc(const search_ask *ask, const json_t *result)
{
    search_hit *hit = search_hit_new(ask, NULL);
    const json_t *item;
    size_t i;

    search_hit_read(hit, result, europepmc_fields, G_N_ELEMENTS(europepmc_fields));
    hit->authors = names_at(search_json_at(result, "authorList.author"), europepmc_name);
    if (!hit->authors && search_json_text(result, "authorString")) {
        g_autofree char *all = g_strdup(search_json_text(result, "authorString"));
        if (g_str_has_suffix(all, ".")) all[strlen(all) - 1] = '\0';
        hit->authors = g_strsplit(all, ", ", 500);
    }
    json_array_foreach(search_json_at(result, "fullTextUrlList.fullTextUrl"), i, item)
    {
        const char *style = search_json_text(item, "documentStyle");
        const char *code = search_json_text(item, "availabilityCode");
        if (g_strcmp0(style, "pdf") == 0 &&
            (g_strcmp0(code, "OA") == 0 || g_strcmp0(code, "F") == 0))
            search_take(&hit->pdf_url, g_strdup(search_json_text(item, "url")));
    }
    return settled(hit);
}

gboolean
search_parse_europepmc(const search_ask *ask, const search_response *response, GPtrArray *hits,
                       search_call *next, GError **error)
{
    (void)next;
    return parse_records(ask, response, "resultList.result", hit_of_europepmc, hits, error);
}
