/* How often each host may be asked.
 *
 * Sources: arXiv API terms of use (one request in three seconds, one connection), Semantic Scholar API (1/s),
 * NCBI E-utilities (3/s without a key), Crossref (polite pool: X-Rate-Limit), Brave Search (1/s on the free plan),
 * OpenAlex (10/s), DuckDuckGo: unofficial, so with care. A host not named here gets what a person who opens a few
 * pages of it at once and then reads would ask for. */
#include "search/client.h"

#include <string.h>

static const search_rate rates[] = {
    {3.0, 1, 1, "arxiv.org"},
    {1.0, 1, 1, "api.semanticscholar.org"},
    {0.34, 3, 3, "eutils.ncbi.nlm.nih.gov"},
    {0.2, 3, 3, "api.crossref.org"},
    {0.11, 5, 5, "api.openalex.org"},
    {0.2, 3, 3, "ebi.ac.uk"},
    {0.2, 3, 3, "api.unpaywall.org"},
    {1.0, 2, 2, "api.core.ac.uk"},
    {1.0, 1, 1, "api.search.brave.com"},
    {0.3, 3, 3, "google.serper.dev"},
    {0.6, 3, 3, "api.tavily.com"},
    {2.0, 1, 1, "duckduckgo.com"},
    {0.2, 3, 3, "wikipedia.org"},
};

const search_rate *
search_rate_of(const char *host)
{
    static const search_rate other = {1.0, 4, 0, NULL};

    for (gsize i = 0; i < G_N_ELEMENTS(rates); i++) {
        gsize n = strlen(host), m = strlen(rates[i].name);
        if (n >= m && strcmp(host + n - m, rates[i].name) == 0 &&
            (n == m || host[n - m - 1] == '.'))
            return &rates[i];
    }
    return &other;
}
