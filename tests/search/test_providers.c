/* Providers against a server of our own that answers in their documented shapes, errors included. */
#include "search/client.h"
#include "tests/search/web.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define DATA(name) LODE_TEST_DATA "/providers/" name

static test_web *web;

/* What a query came to: one line per provider that failed, and the fused hits. */
typedef struct {
    GPtrArray *errors; /* of GError */
    guint answers;
    GPtrArray *hits;
} outcome;

static void
free_error(gpointer error)
{
    g_error_free(error);
}

static void
outcome_clear(outcome *o)
{
    g_clear_pointer(&o->errors, g_ptr_array_unref);
    g_clear_pointer(&o->hits, g_ptr_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(outcome, outcome_clear)

static void
on_answer(const search_answer *answer, void *user_data)
{
    outcome *o = user_data;
    assert_true((answer->hits == NULL) == (answer->error != NULL));
    assert_true(answer->seconds >= 0);
    o->answers++;
    if (!answer->error) return;
    /* one line that names the provider */
    assert_null(strchr(answer->error->message, '\n'));
    assert_true(g_str_has_prefix(answer->error->message, search_provider_name(answer->provider)));
    g_ptr_array_add(o->errors, g_error_copy(answer->error));
}

static void
on_fused(GPtrArray *hits, void *user_data)
{
    outcome *o = user_data;
    assert_null(o->hits);
    o->hits = hits;
}

/* "$" in list stands for the server's address. */
static void
ask_with(const char *list, const char *query, const search_query_options *options, outcome *o)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *base = test_web_url(web, "");
    g_auto(GStrv) parts = g_strsplit(list, "$", -1);
    g_autofree char *full = g_strjoinv(base, parts);
    g_autoptr(GPtrArray) providers = search_providers_parse(full, &error);
    if (!providers) fail_msg("%s", error->message);
    g_autoptr(search_client) client = search_client_new(
        &(search_client_options){.contact = "me@example.org", .retry_seconds = -1}, &error);
    assert_non_null(client);
    o->errors = g_ptr_array_new_with_free_func(free_error);
    search_query(client, providers, query, options, on_answer, on_fused, o);
    assert_int_equal(o->answers, 0); /* nothing before the client runs */
    while (search_client_run(client, -1)) {
    }
    assert_non_null(o->hits);
    assert_int_equal(o->answers, providers->len);
}

static const search_hit *
only_hit(const outcome *o)
{
    if (o->errors->len > 0) fail_msg("%s", ((GError *)o->errors->pdata[0])->message);
    assert_int_equal(o->hits->len, 1);
    return o->hits->pdata[0];
}

static const search_hit *
hit_at(const outcome *o, guint i)
{
    if (o->errors->len > 0) fail_msg("%s", ((GError *)o->errors->pdata[0])->message);
    assert_true(i < o->hits->len);
    return o->hits->pdata[i];
}

static void
assert_request(guint index, const char *part)
{
    g_autofree char *text = test_web_request(web, index);
    assert_non_null(text);
    if (!strstr(text, part)) fail_msg("no \"%s\" in:\n%s", part, text);
}

static int
fresh(void **state)
{
    (void)state;
    test_web_reset(web);
    static const char *const keys[] = {"BRAVE_API_KEY", "SERPER_API_KEY",   "TAVILY_API_KEY",
                                       "S2_API_KEY",    "OPENALEX_API_KEY", "NCBI_API_KEY",
                                       "CORE_API_KEY",  "LODE_PROVIDER"};
    for (gsize i = 0; i < G_N_ELEMENTS(keys); i++)
        g_unsetenv(keys[i]);
    for (gsize i = 0; search_provider_list(i); i++)
        g_unsetenv(search_provider_list(i)->url_env);
    return 0;
}

/* The paper that the science fixtures describe. */
static void
assert_foam_paper(const search_hit *hit)
{
    assert_true(g_str_has_prefix(hit->title, "Foam reactors for ammonia"));
    assert_true(strstr(hit->abstract, "We study foams") != NULL);
    assert_string_equal(hit->doi, "10.5555/foam.1");
    assert_int_equal(hit->year, 2024);
    assert_non_null(strstr(hit->authors[0], "Example"));
    assert_int_equal(hit->rank, 1);
}

/* ---- shapes ---- */

static void
searxng_is_read(void **state)
{
    (void)state;
    g_auto(outcome) o = {0};
    test_web_file(web, "/search", 200, "application/json", DATA("searxng.json"));
    ask_with("searxng=$/", "ammonia foam?", &(search_query_options){.language = "en"}, &o);
    const search_hit *hit = hit_at(&o, 0);
    assert_string_equal(hit->title, "Foam reactors for ammonia");
    assert_string_equal(hit->snippet, "A \"foam\" of ceria.");
    assert_string_equal(hit->published, "2024-01-05T00:00:00");
    assert_string_equal(hit->url, "https://arxiv.org/abs/2401.00001v2");
    assert_string_equal(hit->authors[1], "Ben Sample");
    assert_false(hit->own_server);
    assert_null(hit_at(&o, 1)->snippet);
    assert_request(0, "GET /search?q=ammonia%20foam%3F&format=json&language=en\n");
    assert_request(0, "User-Agent: lode/" LODE_VERSION " (mailto:me@example.org)");
}

static void
keyed_engines_are_read(void **state)
{
    (void)state;
    g_setenv("BRAVE_API_KEY", "k1", TRUE);
    g_setenv("SERPER_API_KEY", "k2", TRUE);
    g_setenv("TAVILY_API_KEY", "k3", TRUE);
    test_web_file(web, "/b", 200, "application/json", DATA("brave.json"));
    test_web_file(web, "/s", 200, "application/json", DATA("serper.json"));
    test_web_file(web, "/t", 200, "application/json", DATA("tavily.json"));
    g_auto(outcome) b = {0}, s = {0}, t = {0};
    ask_with("brave=$/b", "ammonia foam", NULL, &b);
    assert_string_equal(hit_at(&b, 0)->snippet, "A foam of ceria. Heat passes well.");
    assert_string_equal(hit_at(&b, 0)->published, "2024-05-01T00:00:00");
    assert_request(0, "GET /b?q=ammonia%20foam&count=10&text_decorations=false\n");
    assert_request(0, "X-Subscription-Token: k1");
    ask_with("serper=$/s", "ammonia foam", NULL, &s);
    assert_string_equal(hit_at(&s, 0)->url, "https://example.org/foam/");
    assert_string_equal(hit_at(&s, 0)->published, "1 May 2024");
    assert_request(1, "X-API-KEY: k2");
    assert_request(1, "\n\n{\"q\":\"ammonia foam\",\"num\":10}");
    ask_with("tavily=$/t", "ammonia foam", NULL, &t);
    assert_string_equal(only_hit(&t)->snippet, "A foam of ceria.");
    assert_request(2, "Authorization: Bearer k3");
    assert_request(2, "\"query\":\"ammonia foam\"");
}

static void
duckduckgo_is_read_without_its_advertisements(void **state)
{
    (void)state;
    g_auto(outcome) o = {0};
    test_web_file(web, "/html/", 200, "text/html", DATA("duckduckgo.html"));
    test_web_file(web, "/html", 200, "text/html", DATA("duckduckgo.html"));
    ask_with("duckduckgo=$/html/", "ammonia foam", NULL, &o);
    assert_int_equal(o.hits->len, 2);
    assert_string_equal(hit_at(&o, 0)->url, "https://example.org/foam?a=1");
    assert_string_equal(hit_at(&o, 0)->title, "Foam reactors");
    assert_string_equal(hit_at(&o, 0)->snippet, "A foam of ceria.");
    assert_string_equal(hit_at(&o, 1)->snippet, "Ruthenium on foam.");
    assert_request(0, "\n\nq=ammonia%20foam&b=&kl=wt-wt");
    assert_request(0, "Content-Type: application/x-www-form-urlencoded");
}

static void
wikipedia_is_read(void **state)
{
    (void)state;
    g_auto(outcome) o = {0};
    test_web_file(web, "/w/api.php", 200, "application/json", DATA("wikipedia.json"));
    ask_with("wikipedia=$", "foam", NULL, &o);
    g_autofree char *page = test_web_url(web, "/wiki/Metal_foam");
    g_autofree char *odd = test_web_url(web, "/wiki/C/2020_(%C3%A9toile)%3F");
    assert_string_equal(hit_at(&o, 0)->url, page);
    assert_string_equal(hit_at(&o, 0)->snippet, "A foam of metal & gas");
    assert_string_equal(hit_at(&o, 1)->url, odd);
    assert_true(hit_at(&o, 0)->own_server);
}

static void
kiwix_is_read_and_its_titles_where_there_is_no_index(void **state)
{
    (void)state;
    g_auto(outcome) full = {0}, titles = {0};
    g_autofree char *page = test_web_url(web, "/content/wiki/A/Metal_foam");
    test_web_file(web, "/search", 200, "application/rss+xml; charset=utf-8", DATA("kiwix.xml"));
    ask_with("kiwix=$?books.name=wiki", "What is a metal foam?", NULL, &full);
    assert_string_equal(hit_at(&full, 0)->url, page);
    assert_string_equal(hit_at(&full, 0)->snippet, "A foam of metal...");
    assert_true(hit_at(&full, 0)->own_server);
    assert_string_equal(hit_at(&full, 1)->title, "Soap & water");
    assert_request(
        0, "GET /search?books.name=wiki&pattern=metal%20foam&pageLength=10&start=0&format=xml\n");
    test_web_reset(web);
    test_web_answer(web, "/search", 404, "Content-Type: text/html",
                    "<p>fulltext search unavailable");
    test_web_file(web, "/suggest", 200, "application/json", DATA("kiwix_suggest.json"));
    ask_with("kiwix=$?books.name=wiki", "metal foam", NULL, &titles);
    assert_true(g_str_has_suffix(only_hit(&titles)->url, "/wiki/A/Metal_foam"));
    assert_string_equal(only_hit(&titles)->title, "Metal foam");
}

static void
arxiv_is_read_and_asked_more_loosely_when_it_has_nothing(void **state)
{
    (void)state;
    g_auto(outcome) o = {0}, loose = {0};
    test_web_file(web, "/q", 200, "application/atom+xml", DATA("arxiv.xml"));
    ask_with("arxiv=$/q", "How do foam reactors make ammonia?",
             &(search_query_options){.year_from = 2020}, &o);
    const search_hit *hit = only_hit(&o);
    assert_foam_paper(hit);
    assert_string_equal(hit->arxiv, "2401.00001");
    assert_string_equal(hit->version, "v2");
    assert_string_equal(hit->pdf_url, "http://arxiv.org/pdf/2401.00001v2");
    assert_string_equal(hit->abstract, "We study foams < 1 mm.");
    assert_request(
        0, "search_query=%28all%3Afoam%20AND%20all%3Areactors%20AND%20all%3Amake%20AND%20all"
           "%3Aammonia%29%20AND%20submittedDate%3A%5B202001010000%20TO%20299912312359%5D");
    test_web_reset(web);
    test_web_file(web, "/q", 200, "application/atom+xml", DATA("arxiv_empty.xml"));
    test_web_file(web, "/q", 200, "application/atom+xml", DATA("arxiv.xml"));
    ask_with("arxiv=$/q", "foam unheardof", NULL, &loose);
    assert_foam_paper(only_hit(&loose));
    assert_request(1, "all%3Afoam%20OR%20all%3Aunheardof");
}

static void
catalogues_are_read(void **state)
{
    (void)state;
    g_setenv("CORE_API_KEY", "k", TRUE);
    test_web_file(web, "/s2/paper/search", 200, "application/json", DATA("semanticscholar.json"));
    test_web_file(web, "/oa/works", 200, "application/json", DATA("openalex.json"));
    test_web_file(web, "/cr/works", 200, "application/json", DATA("crossref.json"));
    test_web_file(web, "/pm/esearch.fcgi", 200, "application/json", DATA("pubmed_esearch.json"));
    test_web_file(web, "/pm/efetch.fcgi", 200, "text/xml", DATA("pubmed_efetch.xml"));
    test_web_file(web, "/epmc/search", 200, "application/json", DATA("europepmc.json"));
    test_web_file(web, "/core/search/works/", 200, "application/json", DATA("core.json"));
    static const struct {
        const char *list;
        guint pdf, pmid, retracted, venue;
    } cases[] = {
        {"semanticscholar=$/s2", 1, 1, 0, 1}, {"openalex=$/oa", 1, 1, 1, 1},
        {"crossref=$/cr", 1, 0, 0, 1},        {"pubmed=$/pm", 0, 1, 0, 1},
        {"europepmc=$/epmc", 1, 1, 0, 1},     {"core=$/core", 1, 0, 0, 0},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(outcome) o = {0};
        ask_with(cases[i].list, "foam reactors", NULL, &o);
        const search_hit *hit = only_hit(&o);
        assert_foam_paper(hit);
        if ((hit->pdf_url != NULL) != cases[i].pdf || (hit->pmid != NULL) != cases[i].pmid ||
            hit->retracted != (gboolean)cases[i].retracted ||
            (g_strcmp0(hit->venue, "Journal of Foam") == 0) != cases[i].venue)
            fail_msg("%s", cases[i].list);
    }
    g_auto(outcome) all = {0};
    ask_with(
        "semanticscholar=$/s2,openalex=$/oa,crossref=$/cr,pubmed=$/pm,europepmc=$/epmc,core=$/core",
        "foam reactors", NULL, &all);
    const search_hit *one = only_hit(&all);
    assert_string_equal(one->providers, "semanticscholar,openalex,crossref,pubmed,europepmc,core");
    assert_string_equal(one->arxiv, "2401.00001");
    assert_string_equal(one->pmcid, "PMC678");
    assert_true(one->retracted);
    assert_true(one->score > 6 / 61.0 - 1e-9 && one->score < 6 / 61.0 + 1e-9);
}

static void
the_polite_parameters_are_sent(void **state)
{
    (void)state;
    g_auto(outcome) o = {0};
    g_setenv("NCBI_API_KEY", "nk", TRUE);
    test_web_file(web, "/pm/esearch.fcgi", 200, "application/json", DATA("pubmed_esearch.json"));
    test_web_file(web, "/pm/efetch.fcgi", 200, "text/xml", DATA("pubmed_efetch.xml"));
    ask_with("pubmed=$/pm", "foam", NULL, &o);
    assert_request(0, "tool=lode&email=me%40example.org&api_key=nk&term=foam");
    assert_request(1, "tool=lode&email=me%40example.org&api_key=nk&id=12345&retmode=xml");
    g_auto(outcome) c = {0};
    test_web_file(web, "/cr/works", 200, "application/json", DATA("crossref.json"));
    ask_with("crossref=$/cr", "foam", NULL, &c);
    assert_request(2, "query.bibliographic=foam&rows=10&mailto=me%40example.org");
}

/* ---- errors ---- */

static void
every_way_to_fail_is_one_clear_line(void **state)
{
    (void)state;
    static const struct {
        const char *list, *key, *path;
        guint status;
        const char *headers, *body; /* body "@name": a file */
        int code;
        const char *line; /* part of it */
    } cases[] = {
        {"searxng=$", NULL, "/search", 403, NULL, "<h1>Forbidden</h1>", SEARCH_ERROR_KEY,
         "searxng: refused (HTTP 403): its JSON output is switched off: add json to "
         "search.formats"},
        {"searxng=$", NULL, "/search", 200, "Content-Type: application/json", "@searxng_empty.json",
         SEARCH_ERROR_NETWORK,
         "searxng: no results, and some of its engines did not answer: google (timeout), bing "
         "(CAPTCHA)"},
        {"searxng=$", NULL, "/search", 200, "Content-Type: text/html", "@page.html",
         SEARCH_ERROR_FORMAT,
         "searxng: answered with a web page \"Please sign in\" instead of JSON; is json among"},
        {"searxng=$", NULL, "/search", 429, "Retry-After: 30", "Too Many Requests",
         SEARCH_ERROR_QUOTA,
         "searxng: asked too often or over its quota (HTTP 429); it asks to wait 30 s"},
        {"searxng=$", NULL, "/none", 200, NULL, "", SEARCH_ERROR_STATUS,
         "(HTTP 404); is the address right?"},
        {"searxng=$", NULL, "/search", 200, "Content-Type: application/json", "{\"results\": [",
         SEARCH_ERROR_FORMAT, "searxng: damaged JSON, line 1"},
        {"searxng=$", NULL, "/search", 200, "Content-Type: application/json", "{}",
         SEARCH_ERROR_FORMAT, "is this a SearXNG?"},
        {"searxng=$", NULL, "/search", 200, "Content-Type: application/json", "",
         SEARCH_ERROR_FORMAT, "searxng: an empty answer"},
        {"searxng", NULL, "/search", 200, NULL, "", SEARCH_ERROR_URL,
         "searxng: no server: set LODE_SEARXNG_URL to its address, or give --provider searxng=URL"},
        {"brave=$/b", NULL, "/b", 200, NULL, "", SEARCH_ERROR_KEY,
         "brave: no key: set BRAVE_API_KEY"},
        {"brave=$/b", "BRAVE_API_KEY", "/b", 401, "Content-Type: application/json",
         "{\"type\":\"ErrorResponse\",\"error\":{\"code\":\"SUBSCRIPTION_TOKEN_INVALID\","
         "\"detail\":\"The provided "
         "subscription token is invalid.\",\"status\":422}}",
         SEARCH_ERROR_KEY,
         "brave: the key in BRAVE_API_KEY was not taken (HTTP 401) (The provided subscription"},
        {"brave=$/b", "BRAVE_API_KEY", "/b", 422, "Content-Type: application/json",
         "{\"error\":{\"detail\":\"Unable to validate request parameter(s)\"}}",
         SEARCH_ERROR_STATUS, "brave: does not take this query (HTTP 422) (Unable to validate"},
        {"brave=$/b", "BRAVE_API_KEY", "/b", 429, NULL, "{}", SEARCH_ERROR_QUOTA,
         "brave: asked too often"},
        {"serper=$/s", "SERPER_API_KEY", "/s", 400, "Content-Type: application/json",
         "{\"message\":\"Not enough credits\",\"statusCode\":400}", SEARCH_ERROR_STATUS,
         "(Not enough credits)"},
        {"serper=$/s", "SERPER_API_KEY", "/s", 403, "Content-Type: application/json",
         "{\"message\":\"Unauthorized.\",\"statusCode\":403}", SEARCH_ERROR_KEY,
         "SERPER_API_KEY was not taken (HTTP 403) (Unauthorized.)"},
        {"tavily=$/t", "TAVILY_API_KEY", "/t", 402, "Content-Type: application/json",
         "{\"detail\":{\"error\":\"This request exceeds your plan's set usage limit.\"}}",
         SEARCH_ERROR_QUOTA, "tavily: out of credits (HTTP 402) (This request exceeds"},
        {"tavily=$/t", "TAVILY_API_KEY", "/t", 502, NULL, "<html>bad gateway", SEARCH_ERROR_STATUS,
         "tavily: the service has trouble (HTTP 502)"},
        {"duckduckgo=$/d", NULL, "/d", 202, "Content-Type: text/html", "@duckduckgo_challenge.html",
         SEARCH_ERROR_QUOTA, "duckduckgo: wants a puzzle solved"},
        {"duckduckgo=$/d", NULL, "/d", 200, "Content-Type: text/html", "@page.html",
         SEARCH_ERROR_FORMAT, "duckduckgo: a page without results that this version knows"},
        {"wikipedia=$", NULL, "/w/api.php", 200, "Content-Type: application/json",
         "@wikipedia_error.json", SEARCH_ERROR_QUOTA, "wikipedia: ratelimited: You've exceeded"},
        {"kiwix=$", NULL, "/search", 400, "Content-Type: text/html", "<p>No such book",
         SEARCH_ERROR_STATUS, "kiwix: does not take this query (HTTP 400)"},
        {"kiwix=$", NULL, "/search", 404, "Content-Type: text/html", "<p>none", SEARCH_ERROR_STATUS,
         "kiwix: nothing at"},
        {"arxiv=$/q", NULL, "/q", 200, "Content-Type: application/atom+xml", "@arxiv_error.xml",
         SEARCH_ERROR_STATUS, "arxiv: incorrect id format for x"},
        {"arxiv=$/q", NULL, "/q", 200, "Content-Type: application/atom+xml",
         "<!DOCTYPE feed [<!ENTITY a \"aaaa\"><!ENTITY b "
         "\"&a;&a;\">]><feed><entry><id>&b;</id></entry></feed>",
         SEARCH_ERROR_FORMAT, "arxiv: damaged XML"},
        {"arxiv=$/q", NULL, "/q", 200, "Content-Type: text/html", "@page.html", SEARCH_ERROR_FORMAT,
         "arxiv: answered with a web page"},
        {"semanticscholar=$/s2", NULL, "/s2/paper/search", 429, "Content-Type: application/json",
         "{\"message\": \"Too Many Requests.\", \"code\": \"429\"}", SEARCH_ERROR_QUOTA,
         "with a key it allows more: set S2_API_KEY"},
        {"openalex=$/oa", NULL, "/oa/works", 403, "Content-Type: application/json",
         "{\"error\":\"x\",\"message\":\"Key required\"}", SEARCH_ERROR_KEY,
         "openalex: refused (HTTP 403) (Key required); a key goes into OPENALEX_API_KEY"},
        {"crossref=$/cr", NULL, "/cr/works", 200, "Content-Type: application/json",
         "{\"status\":\"ok\"}", SEARCH_ERROR_FORMAT, "crossref: the answer has no list"},
        {"pubmed=$/pm", NULL, "/pm/esearch.fcgi", 200, "Content-Type: application/json",
         "@pubmed_error.json", SEARCH_ERROR_STATUS, "pubmed: API rate limit exceeded"},
        {"core=$/core", NULL, "/core", 200, NULL, "", SEARCH_ERROR_KEY,
         "core: no key: set CORE_API_KEY"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(outcome) o = {0};
        fresh(NULL);
        if (cases[i].key) g_setenv(cases[i].key, "secret-key", TRUE);
        if (cases[i].body[0] == '@') {
            g_autofree char *file = g_strconcat(DATA(""), cases[i].body + 1, NULL);
            test_web_file(web, cases[i].path, cases[i].status,
                          cases[i].headers + strlen("Content-Type: "), file);
        } else {
            test_web_answer(web, cases[i].path, cases[i].status, cases[i].headers, cases[i].body);
        }
        ask_with(cases[i].list, "foam", NULL, &o);
        if (o.errors->len != 1) fail_msg("case %zu: no error", i);
        const GError *error = o.errors->pdata[0];
        if (error->code != cases[i].code || !strstr(error->message, cases[i].line) ||
            strstr(error->message, "secret-key"))
            fail_msg("case %zu: %d: %s", i, error->code, error->message);
        assert_int_equal(o.hits->len, 0);
    }
}

static void
nothing_found_is_no_error(void **state)
{
    (void)state;
    static const struct {
        const char *list, *path, *type, *body;
    } cases[] = {
        {"searxng=$", "/search", "application/json", "{\"results\":[]}"},
        {"wikipedia=$", "/w/api.php", "application/json", "{\"query\":{\"search\":[]}}"},
        {"semanticscholar=$/s2", "/s2/paper/search", "application/json",
         "{\"total\":0,\"offset\":0}"},
        {"openalex=$/oa", "/oa/works", "application/json", "{\"results\":[]}"},
        {"pubmed=$/pm", "/pm/esearch.fcgi", "application/json",
         "{\"esearchresult\":{\"idlist\":[]}}"},
        {"kiwix=$", "/search", "application/rss+xml",
         "<?xml version=\"1.0\"?><rss><channel/></rss>"},
        {"duckduckgo=$/d", "/d", "text/html", "<p><div class='no-results'>No results."},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(outcome) o = {0};
        g_autofree char *header = g_strconcat("Content-Type: ", cases[i].type, NULL);
        test_web_reset(web);
        test_web_answer(web, cases[i].path, 200, header, cases[i].body);
        ask_with(cases[i].list, "foam", NULL, &o);
        if (o.errors->len) fail_msg("%s", ((GError *)o.errors->pdata[0])->message);
        assert_int_equal(o.hits->len, 0);
    }
}

static void
a_dead_provider_does_not_hold_up_the_others(void **state)
{
    (void)state;
    g_auto(outcome) o = {0};
    test_web_file(web, "/search", 200, "application/json", DATA("searxng.json"));
    ask_with("brave,searxng=$,tavily=http://127.0.0.1:1/t,wikipedia=http://127.0.0.1:1", "foam",
             NULL, &o);
    assert_int_equal(o.errors->len, 3);
    assert_int_equal(o.hits->len, 2);
}

static void
queries_end_when_they_are_cancelled(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    g_autofree char *list =
        g_strdup_printf("searxng=http://127.0.0.1:%u,brave", test_web_port(web));
    g_autoptr(GPtrArray) providers = search_providers_parse(list, &error);
    for (guint when = 0; when < 3; when++) {
        g_auto(outcome) o = {.errors = g_ptr_array_new_with_free_func(free_error)};
        search_client *client = search_client_new(NULL, &error);
        guint64 n = search_query(client, providers, "foam", NULL, on_answer, on_fused, &o);
        if (when == 1) search_client_run(client, 0);
        if (when < 2) search_client_cancel(client, n);
        if (when < 2)
            while (search_client_run(client, -1)) {
            }
        search_client_free(client);
        assert_int_equal(o.answers, 2);
        assert_int_equal(o.hits->len, 0);
    }
}

/* ---- lists ---- */

static char *
names_of(const char *list)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) providers = search_providers_parse(list, &error);
    GString *names = g_string_new(NULL);
    for (guint i = 0; providers && i < providers->len; i++)
        g_string_append_printf(names, "%s ", search_provider_name(providers->pdata[i]));
    if (!providers) g_string_append(names, error->message);
    return g_string_free(names, FALSE);
}

static void
assert_names(const char *list, const char *expected)
{
    g_autofree char *names = names_of(list);
    assert_string_equal(names, expected);
}

static void
providers_are_chosen_by_name_group_and_configuration(void **state)
{
    (void)state;
    assert_names(NULL, "duckduckgo wikipedia ");
    assert_names("arXiv, crossref,arxiv", "arxiv crossref ");
    assert_names("science", "arxiv semanticscholar openalex crossref europepmc pubmed ");
    assert_names("web", "duckduckgo wikipedia ");
    assert_names(" , ", " , : names no provider");
    assert_names("brave=ftp://x", "provider brave: ftp: only http and https are fetched");
    g_autofree char *unknown = names_of("bing");
    assert_non_null(strstr(unknown, "no provider is called bing; known: searxng brave"));
    g_setenv("LODE_SEARXNG_URL", "http://127.0.0.1:8888/", TRUE);
    g_setenv("BRAVE_API_KEY", "k", TRUE);
    g_setenv("S2_API_KEY", "k", TRUE);
    assert_names("", "searxng brave ");
    assert_names("*", "searxng brave duckduckgo wikipedia arxiv semanticscholar openalex crossref "
                      "europepmc pubmed ");
    g_setenv("LODE_PROVIDER", "kiwix=http://127.0.0.1:1", TRUE);
    assert_names(NULL, "kiwix ");
}

static search_hit *
make_hit(const char *provider, guint rank, const char *url, const char *title)
{
    search_hit *hit = g_new0(search_hit, 1);
    hit->provider = provider;
    hit->providers = g_strdup(provider);
    hit->rank = rank;
    hit->url = g_strdup(url);
    hit->title = g_strdup(title);
    return hit;
}

static void
free_hit(gpointer hit)
{
    search_hit_free(hit);
}

static void
the_same_paper_is_one_hit(void **state)
{
    (void)state;
    g_autoptr(GPtrArray) lists =
        g_ptr_array_new_with_free_func((GDestroyNotify)(void (*)(void))g_ptr_array_unref);
    GPtrArray *a = g_ptr_array_new_with_free_func(free_hit);
    GPtrArray *b = g_ptr_array_new_with_free_func(free_hit);
    g_ptr_array_add(lists, a);
    g_ptr_array_add(lists, b);
    const char *ada[] = {"Ada Example", NULL}, *example[] = {"Example, A.", NULL};
    search_hit *preprint =
        make_hit("arxiv", 1, "https://arxiv.org/abs/2401.00001", "Foam reactors: a study");
    preprint->authors = g_strdupv((char **)ada);
    preprint->year = 2023;
    preprint->arxiv = g_strdup("2401.00001");
    search_hit *paper = make_hit("crossref", 2, "https://doi.org/10.5555/foam.1",
                                 "Foam Reactors \xe2\x80\x94 A Study");
    paper->authors = g_strdupv((char **)example);
    paper->year = 2024;
    paper->doi = g_strdup("10.5555/foam.1");
    search_hit *later =
        make_hit("crossref", 3, "https://doi.org/10.5555/foam.9", "Foam reactors: a study");
    later->authors = g_strdupv((char **)example);
    later->year = 2024;
    later->doi = g_strdup("10.5555/foam.9");
    g_ptr_array_add(a, preprint);
    g_ptr_array_add(a, make_hit("arxiv", 2, "http://example.org/x/?utm_source=a", "X"));
    g_ptr_array_add(b, make_hit("crossref", 1, "http://example.org/x", NULL));
    g_ptr_array_add(b, paper);
    g_ptr_array_add(b, later); /* another DOI: another paper */
    g_ptr_array_add(b, make_hit("crossref", 4, "http://example.org/x#part", NULL));
    g_autoptr(GPtrArray) fused = search_hits_fuse(lists);
    assert_int_equal(fused->len, 3);
    const search_hit *first = fused->pdata[0], *second = fused->pdata[1], *third = fused->pdata[2];
    /* 1/61 + 1/62 both; equal scores and ranks go by address */
    assert_string_equal(first->url, "http://example.org/x/?utm_source=a");
    assert_string_equal(first->providers, "arxiv,crossref");
    assert_string_equal(second->arxiv, "2401.00001");
    assert_string_equal(second->doi, "10.5555/foam.1");
    assert_true(first->score == second->score && third->score == 1 / 63.0);
    assert_string_equal(third->doi, "10.5555/foam.9");
    assert_int_equal(third->rank, 3);
}

static void
questions_become_keywords(void **state)
{
    (void)state;
    g_autofree char *a =
        search_keywords("What is the ammonia conversion of foam RC-4 at 3.5 bar?", 8);
    g_autofree char *b = search_keywords("Who was it?", 8);
    g_autofree char *c = search_keywords("iron copper tin lead", 2);
    assert_string_equal(a, "ammonia conversion foam RC-4 3.5 bar");
    assert_string_equal(b, "Who was it?");
    assert_string_equal(c, "iron copper");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(searxng_is_read, fresh),
        cmocka_unit_test_setup(keyed_engines_are_read, fresh),
        cmocka_unit_test_setup(duckduckgo_is_read_without_its_advertisements, fresh),
        cmocka_unit_test_setup(wikipedia_is_read, fresh),
        cmocka_unit_test_setup(kiwix_is_read_and_its_titles_where_there_is_no_index, fresh),
        cmocka_unit_test_setup(arxiv_is_read_and_asked_more_loosely_when_it_has_nothing, fresh),
        cmocka_unit_test_setup(catalogues_are_read, fresh),
        cmocka_unit_test_setup(the_polite_parameters_are_sent, fresh),
        cmocka_unit_test_setup(every_way_to_fail_is_one_clear_line, fresh),
        cmocka_unit_test_setup(nothing_found_is_no_error, fresh),
        cmocka_unit_test_setup(a_dead_provider_does_not_hold_up_the_others, fresh),
        cmocka_unit_test_setup(queries_end_when_they_are_cancelled, fresh),
        cmocka_unit_test_setup(providers_are_chosen_by_name_group_and_configuration, fresh),
        cmocka_unit_test_setup(the_same_paper_is_one_hit, fresh),
        cmocka_unit_test_setup(questions_become_keywords, fresh),
    };
    g_setenv("no_proxy", "*", TRUE);
    web = test_web_start();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    test_web_stop(web);
    return failed;
}
