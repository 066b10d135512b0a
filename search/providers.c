/* The search engines and catalogues that are known, and which of them are to be asked. */
#include "search/provider.h"

#include <string.h>

#define ENTRY(id) .build = search_build_##id, .parse = search_parse_##id

const search_provider_kind search_kinds[] = {
    {{"searxng", "one's own meta search engine, JSON", SEARCH_PROVIDER_WEB, NULL,
      "LODE_SEARXNG_URL", FALSE},
     .forbidden = "its JSON output is switched off: add json to search.formats in its settings.yml",
     /* what a proxy in front of it may make of the 403 */
     .page_hint = "is json among search.formats in its settings.yml, and the address right?",
     ENTRY(searxng)},
    {{"brave", "Brave Search", SEARCH_PROVIDER_WEB, "BRAVE_API_KEY", "LODE_BRAVE_URL", TRUE},
     .url = "https://api.search.brave.com/res/v1/web/search",
     ENTRY(brave)},
    {{"serper", "Google's results through serper.dev", SEARCH_PROVIDER_WEB, "SERPER_API_KEY",
      "LODE_SERPER_URL", TRUE},
     .url = "https://google.serper.dev/search",
     ENTRY(serper)},
    {{"tavily", "Tavily", SEARCH_PROVIDER_WEB, "TAVILY_API_KEY", "LODE_TAVILY_URL", TRUE},
     .url = "https://api.tavily.com/search",
     ENTRY(tavily)},
    {{"duckduckgo", "DuckDuckGo's page without scripts", SEARCH_PROVIDER_WEB, NULL,
      "LODE_DUCKDUCKGO_URL", FALSE},
     .url = "https://html.duckduckgo.com/html/",
     .forbidden = "it does not answer programs from this address for now",
     ENTRY(duckduckgo)},
    {{"wikipedia", "Wikipedia, or another MediaWiki", SEARCH_PROVIDER_WEB, NULL,
      "LODE_WIKIPEDIA_URL", FALSE},
     .url = "https://en.wikipedia.org/w/api.php",
     .own_pages = TRUE,
     .forbidden = "it wants to know who asks: set LODE_CONTACT to your mail address",
     ENTRY(wikipedia)},
    {{"kiwix", "kiwix-serve: websites kept in ZIM files", SEARCH_PROVIDER_OFFLINE, NULL,
      "LODE_KIWIX_URL", FALSE},
     .own_pages = TRUE,
     .instead = search_instead_kiwix,
     ENTRY(kiwix)},
    {{"arxiv", "arXiv", SEARCH_PROVIDER_SCIENCE, NULL, "LODE_ARXIV_URL", FALSE},
     .url = "https://export.arxiv.org/api/query",
     ENTRY(arxiv)},
    {{"semanticscholar", "Semantic Scholar", SEARCH_PROVIDER_SCIENCE, "S2_API_KEY",
      "LODE_SEMANTICSCHOLAR_URL", FALSE},
     .url = "https://api.semanticscholar.org/graph/v1",
     ENTRY(semanticscholar)},
    {{"openalex", "OpenAlex", SEARCH_PROVIDER_SCIENCE, "OPENALEX_API_KEY", "LODE_OPENALEX_URL",
      FALSE},
     .url = "https://api.openalex.org",
     ENTRY(openalex)},
    {{"crossref", "Crossref", SEARCH_PROVIDER_SCIENCE, NULL, "LODE_CROSSREF_URL", FALSE},
     .url = "https://api.crossref.org",
     ENTRY(crossref)},
    {{"europepmc", "Europe PMC", SEARCH_PROVIDER_SCIENCE, NULL, "LODE_EUROPEPMC_URL", FALSE},
     .url = "https://www.ebi.ac.uk/europepmc/webservices/rest",
     ENTRY(europepmc)},
    {{"pubmed", "PubMed", SEARCH_PROVIDER_SCIENCE, "NCBI_API_KEY", "LODE_PUBMED_URL", FALSE},
     .url = "https://eutils.ncbi.nlm.nih.gov/entrez/eutils",
     ENTRY(pubmed)},
    {{"core", "CORE", SEARCH_PROVIDER_SCIENCE, "CORE_API_KEY", "LODE_CORE_URL", TRUE},
     .url = "https://api.core.ac.uk/v3",
     ENTRY(core)},
    {{NULL, NULL, SEARCH_PROVIDER_WEB, NULL, NULL, FALSE}, .url = NULL},
};

const search_provider_info *
search_provider_list(gsize index)
{
    return index + 1 < G_N_ELEMENTS(search_kinds) ? &search_kinds[index].info : NULL;
}

static const char *
environment(const char *name)
{
    const char *value = name ? g_getenv(name) : NULL;
    return value && *value ? value : NULL;
}

static void
provider_free(gpointer data)
{
    search_provider *provider = data;
    g_free(provider->url);
    g_free(provider->key);
    g_free(provider);
}

/* url: NULL for that of the environment, or its own. */
static search_provider *
provider_new(const search_provider_kind *kind, const char *url)
{
    search_provider *provider = g_new0(search_provider, 1);

    if (!url) url = environment(kind->info.url_env);
    provider->kind = kind;
    provider->own_server = url != NULL;
    provider->url = g_strdup(url ? url : kind->url);
    /* the page of DuckDuckGo is a folder and keeps its slash */
    for (gsize n = provider->url && url ? strlen(provider->url) : 0;
         n > 0 && provider->url[n - 1] == '/'; n--)
        provider->url[n - 1] = '\0';
    provider->key = g_strdup(environment(kind->info.key_env));
    return provider;
}

static gboolean
is_configured(const search_provider_kind *kind)
{
    if (!kind->url) return environment(kind->info.url_env) != NULL;
    return !kind->info.key_required || environment(kind->info.key_env) != NULL;
}

static void
add_provider(GPtrArray *list, const search_provider_kind *kind, const char *url)
{
    for (guint i = 0; i < list->len; i++) {
        const search_provider *known = list->pdata[i];
        if (known->kind == kind && (!url || g_strcmp0(known->url, url) == 0)) return;
    }
    g_ptr_array_add(list, provider_new(kind, url));
}

/* All of a group that can be asked; group < 0: of every group. */
static void
add_group(GPtrArray *list, int group)
{
    for (const search_provider_kind *k = search_kinds; k->info.name; k++)
        if ((group < 0 || (int)k->info.group == group) && is_configured(k))
            add_provider(list, k, NULL);
}

/* What the user has set up for the web, else the two that need nothing. */
static void
add_default(GPtrArray *list)
{
    for (const search_provider_kind *k = search_kinds; k->info.name; k++) {
        gboolean set = environment(k->info.url_env) || environment(k->info.key_env);
        if (k->info.group != SEARCH_PROVIDER_SCIENCE && set && is_configured(k))
            add_provider(list, k, NULL);
    }
    if (list->len > 0) return;
    for (const search_provider_kind *k = search_kinds; k->info.name; k++)
        if (g_str_equal(k->info.name, "duckduckgo") || g_str_equal(k->info.name, "wikipedia"))
            add_provider(list, k, NULL);
}

static char *
known_names(void)
{
    GString *names = g_string_new(NULL);
    for (const search_provider_kind *k = search_kinds; k->info.name; k++)
        g_string_append_printf(names, "%s ", k->info.name);
    g_string_append(names, "web science");
    return g_string_free(names, FALSE);
}

static gboolean
add_entry(GPtrArray *list, char *entry, GError **error)
{
    char *url = strchr(entry, '=');

    if (url) *url++ = '\0';
    if (!url && g_str_equal(entry, "web")) return add_group(list, SEARCH_PROVIDER_WEB), TRUE;
    if (!url && g_str_equal(entry, "science"))
        return add_group(list, SEARCH_PROVIDER_SCIENCE), TRUE;
    if (!url && g_str_equal(entry, "*")) return add_group(list, -1), TRUE;
    for (const search_provider_kind *k = search_kinds; k->info.name; k++) {
        if (g_ascii_strcasecmp(k->info.name, entry) != 0) continue;
        g_auto(search_url) parts = {0};
        g_autoptr(GError) local = NULL;
        if (url && !search_url_parse(&parts, url, &local)) {
            g_set_error(error, SEARCH_ERROR, SEARCH_ERROR_URL, "provider %s: %s", k->info.name,
                        local->message);
            return FALSE;
        }
        add_provider(list, k, url);
        return TRUE;
    }
    g_autofree char *names = known_names();
    g_set_error(error, SEARCH_ERROR, SEARCH_ERROR_URL, "no provider is called %s; known: %s", entry,
                names);
    return FALSE;
}

GPtrArray *
search_providers_parse(const char *list, GError **error)
{
    g_autoptr(GPtrArray) providers = g_ptr_array_new_with_free_func(provider_free);

    if (!list || !*list) list = environment("LODE_PROVIDER");
    if (!list) {
        add_default(providers);
        return g_steal_pointer(&providers);
    }
    g_auto(GStrv) entries = g_strsplit(list, ",", -1);
    for (char **e = entries; *e; e++) {
        g_strstrip(*e);
        if (**e && !add_entry(providers, *e, error)) return NULL;
    }
    if (providers->len == 0) {
        g_set_error(error, SEARCH_ERROR, SEARCH_ERROR_URL, "%s: names no provider", list);
        return NULL;
    }
    return g_steal_pointer(&providers);
}

const char *
search_provider_name(const search_provider *provider)
{
    return provider->kind->info.name;
}

search_provider_group
search_provider_get_group(const search_provider *provider)
{
    return provider->kind->info.group;
}

const char *
search_provider_url(const search_provider *provider)
{
    return provider->url;
}

char *
search_provider_problem(const search_provider *provider)
{
    const search_provider_info *info = &provider->kind->info;

    if (!provider->url)
        return g_strdup_printf("%s: no server: set %s to its address, or give --provider %s=URL",
                               info->name, info->url_env, info->name);
    if (info->key_required && !provider->key)
        return g_strdup_printf("%s: no key: set %s", info->name, info->key_env);
    return NULL;
}
