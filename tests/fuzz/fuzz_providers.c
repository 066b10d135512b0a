/* Any bytes as the answer of every search engine, and as a robots.txt: an error, or hits that hold their promises. */
#include "search/provider.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_text(const char *text)
{
    if (text && !g_utf8_validate(text, -1, NULL)) abort();
}

static void
check_hit(const search_hit *hit)
{
    const char *const texts[] = {hit->title,   hit->url,   hit->snippet, hit->published,
                                 hit->doi,     hit->arxiv, hit->pmid,    hit->pmcid,
                                 hit->pdf_url, hit->venue, hit->license, hit->version,
                                 hit->abstract};
    if (!hit->url || !hit->provider || !hit->providers) abort();
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++)
        check_text(texts[i]);
    for (char **a = hit->authors; a && *a; a++)
        check_text(*a);
}

static void
free_hit(gpointer hit)
{
    search_hit_free(hit);
}

static void
parse_with(const search_provider_kind *kind, guint at, const search_response *response)
{
    const search_provider provider = {.kind = kind,
                                      .url = (char *)"http://127.0.0.1:1?books.name=b",
                                      .key = (char *)"k",
                                      .own_server = TRUE};
    const search_ask ask = {.provider = &provider,
                            .query = "a question",
                            .keywords = "a question",
                            .options = {.limit = 10},
                            .step = at};
    g_autoptr(GPtrArray) hits = g_ptr_array_new_with_free_func(free_hit);
    g_autoptr(GPtrArray) lists = g_ptr_array_new();
    g_autoptr(GError) error = NULL;
    search_call next = {0};

    gboolean ok = kind->parse(&ask, response, hits, &next, &error);
    if (ok == (error != NULL)) abort();
    if (error) check_text(error->message);
    search_call_clear(&next);
    for (guint i = 0; i < hits->len; i++) {
        ((search_hit *)hits->pdata[i])->rank = i + 1;
        check_hit(hits->pdata[i]);
    }
    g_ptr_array_add(lists, hits);
    g_ptr_array_add(lists, hits);
    g_autoptr(GPtrArray) fused = search_hits_fuse(lists);
    if (fused->len > hits->len) abort();
    for (guint i = 0; i < fused->len; i++)
        check_hit(fused->pdata[i]);
}

static gboolean
has_second_step(const search_provider_kind *kind)
{
    return g_str_equal(kind->info.name, "kiwix") || g_str_equal(kind->info.name, "pubmed");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GBytes) body = g_bytes_new_static(data, size);
    search_response response = {.status = 200,
                                .url = (char *)"http://127.0.0.1:1/x?content=b",
                                .content_type = (char *)"",
                                .body = body};
    response.content = search_sniff(data, size, NULL);

    /* what a page means instead of an answer is the same for all but DuckDuckGo, and slow to say */
    gboolean page = response.content == SEARCH_CONTENT_HTML;
    for (const search_provider_kind *k = search_kinds; k->info.name; k++)
        for (guint at = 0; at < (has_second_step(k) ? 2u : 1u); at++)
            if (!page || g_str_equal(k->info.name, "duckduckgo") ||
                (at == 0 && g_str_equal(k->info.name, "searxng")))
                parse_with(k, at, &response);
    search_robots *robots = search_robots_parse((const char *)data, size);
    search_robots_allow(robots, "/some/path?and=query");
    search_robots_free(robots);
    return 0;
}
