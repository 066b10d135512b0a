/* Which of the pages that were found to read.
 *
 *   score = 0.5 words + 0.3 rank + 0.1 place + 0.1 freshness
 *
 * words: share of the question's words, weighted by how rare they are among the hits, in title and snippet. rank: that
 * of the fused list. place: a paper's identifier, then a university or an authority. freshness: only when the question
 * asks for what is new. Then at most two of one host while other hosts have some left, in the spirit of maximal
 * marginal relevance (Carbonell and Goldstein, SIGIR 1998). */
#include <math.h>
#include <string.h>

#include "search/search.h"
#include "search/words.h"

enum { MAX_PER_HOST = 2, RANK_HALF = 4 };

typedef struct {
    guint index;
    double score;
    char *host;
    gboolean taken;
} choice;

static void
choice_clear(gpointer data)
{
    g_free(((choice *)data)->host);
}

static char *
host_of(const char *url)
{
    g_autoptr(GUri) uri = g_uri_parse(url, G_URI_FLAGS_PARSE_RELAXED, NULL);
    const char *host = uri != NULL ? g_uri_get_host(uri) : NULL;
    return g_strdup(host != NULL ? host : url);
}

static double
place_of(const search_hit *hit, const char *host)
{
    if (hit->doi != NULL || hit->arxiv != NULL || hit->pmcid != NULL || hit->pmid != NULL) return 1;
    return g_str_has_suffix(host, ".edu") || g_str_has_suffix(host, ".gov") ||
                   strstr(host, ".ac.") != NULL
               ? 0.5
               : 0;
}

static gboolean
asks_for_news(GHashTable *asked)
{
    static const char *const words[] = {"latest",  "newest",    "recent", "recently",
                                        "current", "currently", "today",  "now"};
    for (gsize i = 0; i < G_N_ELEMENTS(words); i++)
        if (g_hash_table_contains(asked, words[i])) return TRUE;
    return FALSE;
}

/* Of the year it was published in: the newest hit has 1, ten years earlier 0. */
static double
freshness(const search_hit *hit, int newest)
{
    gint64 year = hit->year;
    if (year == 0 && hit->published != NULL) year = g_ascii_strtoll(hit->published, NULL, 10);
    return year > 1900 ? CLAMP(1 - (double)(newest - year) / 10, 0, 1) : 0;
}

static int
newest_year(const GPtrArray *hits)
{
    int newest = 0;
    for (guint i = 0; i < hits->len; i++) {
        const search_hit *hit = hits->pdata[i];
        int year = hit->year;
        if (year == 0 && hit->published != NULL)
            year = (int)CLAMP(g_ascii_strtoll(hit->published, NULL, 10), 0, 9999);
        newest = MAX(newest, year);
    }
    return newest;
}

/* Words of title and snippet of each hit; of GHashTable. */
static GPtrArray *
hit_words(const GPtrArray *hits)
{
    GPtrArray *words = g_ptr_array_new_with_free_func((GDestroyNotify)g_hash_table_unref);
    for (guint i = 0; i < hits->len; i++) {
        const search_hit *hit = hits->pdata[i];
        const char *snippet = hit->abstract != NULL ? hit->abstract : hit->snippet;
        g_autofree char *text = g_strconcat(hit->title != NULL ? hit->title : "", "\n",
                                            snippet != NULL ? snippet : "", NULL);
        g_ptr_array_add(words, search_word_set(text));
    }
    return words;
}

static double *
word_scores(const GPtrArray *hits, const char *question)
{
    g_autoptr(GPtrArray) asked = search_words(question), sets = hit_words(hits);
    double *scores = g_new0(double, (gsize)hits->len + 1), total = 0;
    for (guint i = 0; i < asked->len; i++) {
        guint with = 0;
        for (guint j = 0; j < sets->len; j++)
            with += g_hash_table_contains(sets->pdata[j], asked->pdata[i]) ? 1 : 0;
        double weight = log(1 + (hits->len - with + 0.5) / (with + 0.5));
        total += weight;
        for (guint j = 0; j < sets->len; j++)
            if (g_hash_table_contains(sets->pdata[j], asked->pdata[i])) scores[j] += weight;
    }
    for (guint j = 0; j < hits->len && total > 0; j++)
        scores[j] /= total;
    return scores;
}

static gint
compare_choices(gconstpointer a, gconstpointer b)
{
    const choice *x = a, *y = b;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

/* Those that fit a limit per host, in order; limit G_MAXUINT takes the rest. */
static void
take(GArray *choices, guint limit, GArray *order)
{
    for (guint i = 0; i < choices->len; i++) {
        choice *c = &g_array_index(choices, choice, i);
        guint n = 0;
        for (guint j = 0; j < choices->len && !c->taken; j++) {
            const choice *other = &g_array_index(choices, choice, j);
            n += other->taken && strcmp(other->host, c->host) == 0 ? 1 : 0;
        }
        if (c->taken || n >= limit) continue;
        c->taken = TRUE;
        g_array_append_val(order, c->index);
    }
}

GArray *
search_hits_select(const GPtrArray *hits, const char *question)
{
    g_autoptr(GHashTable) asked = search_word_set(question);
    g_autofree double *words = word_scores(hits, question);
    gboolean news = asks_for_news(asked);
    int newest = newest_year(hits);
    g_autoptr(GArray) choices = g_array_new(FALSE, FALSE, sizeof(choice));
    g_array_set_clear_func(choices, choice_clear);
    for (guint i = 0; i < hits->len; i++) {
        const search_hit *hit = hits->pdata[i];
        choice c = {.index = i, .host = host_of(hit->url)};
        double rank = (double)RANK_HALF / (RANK_HALF + i);
        c.score = 0.5 * words[i] + 0.3 * rank + 0.1 * place_of(hit, c.host) +
                  (news ? 0.1 * freshness(hit, newest) : 0);
        if (hit->retracted) c.score -= 1;
        g_array_append_val(choices, c);
    }
    g_array_sort(choices, compare_choices);
    GArray *order = g_array_new(FALSE, FALSE, sizeof(guint));
    take(choices, MAX_PER_HOST, order);
    take(choices, G_MAXUINT, order);
    return order;
}
