/* Hits, and lists of them joined to one.
 *
 * Reciprocal rank fusion: Cormack, Clarke, Buettcher, "Reciprocal Rank Fusion outperforms Condorcet and individual
 * Rank Learning Methods", SIGIR 2009: score = sum over lists of 1 / (60 + rank). Two hits are one when they share
 * a DOI, an arXiv or PubMed number, an address in its one spelling, or title, first author and year (give or take
 * one: preprints appear before). */
#include "search/provider.h"

#include <string.h>

#define RANK_CONSTANT 60.0

static void
free_copy(gpointer data)
{
    search_copy *copy = data;
    g_free(copy->url);
    g_free(copy->license);
    g_free(copy->version);
    g_free(copy);
}

/* In the order in which they are to be tried: catalogues of free copies first. */
static guint
trust_in(const char *provider)
{
    static const char *const order[] = {"arxiv",           "europepmc", "openalex",
                                        "semanticscholar", "core",      "crossref"};
    guint i = 0;
    while (i < G_N_ELEMENTS(order) && !g_str_equal(order[i], provider))
        i++;
    return i;
}

void
search_hit_add_copy(search_hit *hit, const char *provider, const char *url, const char *license,
                    const char *version)
{
    if (!hit->copies) hit->copies = g_ptr_array_new_with_free_func(free_copy);
    guint at = 0;
    for (guint i = 0; i < hit->copies->len; i++) {
        const search_copy *other = hit->copies->pdata[i];
        if (g_str_equal(other->url, url)) return;
        if (trust_in(other->provider) <= trust_in(provider)) at = i + 1;
    }
    search_copy *copy = g_new0(search_copy, 1);
    copy->provider = provider;
    copy->url = g_strdup(url);
    copy->license = g_strdup(license);
    copy->version = g_strdup(version);
    g_ptr_array_insert(hit->copies, (int)at, copy);
}

void
search_hit_free(search_hit *hit)
{
    if (!hit) return;
    if (hit->copies) g_ptr_array_unref(hit->copies);
    char *texts[] = {hit->title, hit->url,     hit->snippet, hit->published, hit->providers,
                     hit->doi,   hit->arxiv,   hit->pmid,    hit->pmcid,     hit->pdf_url,
                     hit->venue, hit->license, hit->version, hit->abstract};
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++)
        g_free(texts[i]);
    g_strfreev(hit->authors);
    g_free(hit);
}

search_hit *
search_hit_copy(const search_hit *hit)
{
    search_hit *copy = g_new0(search_hit, 1);

    *copy = *hit;
    char **texts[] = {&copy->title,     &copy->url,     &copy->snippet, &copy->published,
                      &copy->providers, &copy->doi,     &copy->arxiv,   &copy->pmid,
                      &copy->pmcid,     &copy->pdf_url, &copy->venue,   &copy->license,
                      &copy->version,   &copy->abstract};
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++)
        *texts[i] = g_strdup(*texts[i]);
    copy->authors = g_strdupv(hit->authors);
    copy->copies = NULL;
    for (guint i = 0; hit->copies && i < hit->copies->len; i++) {
        const search_copy *c = hit->copies->pdata[i];
        search_hit_add_copy(copy, c->provider, c->url, c->license, c->version);
    }
    return copy;
}

/* ---- the same thing ---- */

/* Letters and digits of a title in lower case: spacing, punctuation and markup differ between catalogues. */
static char *
title_key(const char *title)
{
    g_autofree char *folded = g_utf8_casefold(title, -1);
    g_autofree char *normal = g_utf8_normalize(folded, -1, G_NORMALIZE_NFKD);
    GString *out = g_string_new(NULL);

    for (const char *p = normal ? normal : ""; *p; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);
        if (g_unichar_isalnum(c)) g_string_append_unichar(out, c);
    }
    return g_string_free(out, FALSE);
}

/* "Family, Given" or "Given Family" or "Family G" -> the family name, lower case. */
static char *
family_key(const char *name)
{
    const char *comma = strchr(name, ',');
    g_autofree char *family = NULL;

    if (comma) {
        family = g_strndup(name, (gsize)(comma - name));
    } else {
        g_auto(GStrv) parts = g_strsplit(name, " ", -1);
        guint n = g_strv_length(parts);
        /* "Smith JA" has its initials behind */
        gboolean behind = n > 1 && strlen(parts[n - 1]) <= 3;
        for (const char *p = n > 0 ? parts[n - 1] : ""; *p; p++)
            if (!g_ascii_isupper(*p)) behind = FALSE;
        family = g_strdup(n == 0 ? "" : behind ? parts[n - 2] : parts[n - 1]);
    }
    return title_key(family);
}

static void
add_key(GPtrArray *keys, const char *kind, const char *value)
{
    if (value && *value) g_ptr_array_add(keys, g_strconcat(kind, value, NULL));
}

GPtrArray *
search_hit_keys(const search_hit *hit, gboolean spread)
{
    GPtrArray *keys = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *url = search_canonical_url(hit->url);
    g_autofree char *doi = hit->doi ? g_ascii_strdown(hit->doi, -1) : NULL;

    add_key(keys, "doi:", doi);
    add_key(keys, "arxiv:", hit->arxiv);
    add_key(keys, "pmid:", hit->pmid);
    add_key(keys, "url:", url ? url : hit->url);
    if (!hit->title || !hit->authors || !hit->authors[0] || !hit->year) return keys;
    g_autofree char *title = title_key(hit->title), *family = family_key(hit->authors[0]);
    if (strlen(title) < 12) return keys; /* "Introduction", "Editorial" */
    for (int year = hit->year - spread; year <= hit->year + spread; year++) {
        g_autofree char *text = g_strdup_printf("%s:%s:%d", title, family, year);
        add_key(keys, "title:", text);
    }
    return keys;
}

/* Two records with different DOIs are two papers, but for arXiv's own DOI of the preprint. */
static gboolean
may_be_one(const search_hit *a, const search_hit *b)
{
    if (!a->doi || !b->doi || g_ascii_strcasecmp(a->doi, b->doi) == 0) return TRUE;
    return g_str_has_prefix(a->doi, "10.48550/") || g_str_has_prefix(b->doi, "10.48550/");
}

/* ---- joining ---- */

static void
complete_text(char **field, const char *other)
{
    if (!*field && other) *field = g_strdup(other);
}

static gboolean
lists_name(const char *list, const char *name)
{
    g_auto(GStrv) names = g_strsplit(list, ",", -1);
    return g_strv_contains((const char *const *)names, name);
}

static void
complete(search_hit *into, const search_hit *from)
{
    complete_text(&into->title, from->title);
    complete_text(&into->published, from->published);
    /* of a preprint and what became of it, the latter is what others cite */
    if (into->doi && from->doi && g_str_has_prefix(into->doi, "10.48550/") &&
        !g_str_has_prefix(from->doi, "10.48550/"))
        g_clear_pointer(&into->doi, g_free);
    complete_text(&into->doi, from->doi);
    complete_text(&into->arxiv, from->arxiv);
    complete_text(&into->pmid, from->pmid);
    complete_text(&into->pmcid, from->pmcid);
    if (!into->pdf_url && from->pdf_url) { /* these three speak of one file */
        into->pdf_url = g_strdup(from->pdf_url);
        g_free(into->version);
        into->version = g_strdup(from->version);
        complete_text(&into->license, from->license);
    }
    complete_text(&into->license, from->license);
    complete_text(&into->venue, from->venue);
    complete_text(&into->abstract, from->abstract);
    if (from->snippet && (!into->snippet || strlen(from->snippet) > strlen(into->snippet))) {
        g_free(into->snippet);
        into->snippet = g_strdup(from->snippet);
    }
    if (!into->authors) into->authors = g_strdupv(from->authors);
    if (!into->year) into->year = from->year;
    into->retracted = into->retracted || from->retracted;
    if (!lists_name(into->providers, from->provider)) {
        g_autofree char *old = into->providers;
        into->providers = g_strconcat(old, ",", from->provider, NULL);
    }
    if (from->rank < into->rank) {
        into->rank = from->rank;
        into->provider = from->provider;
    }
}

static search_hit *
find_known(GHashTable *known, const GPtrArray *keys, const search_hit *hit)
{
    for (guint i = 0; i < keys->len; i++) {
        search_hit *other = g_hash_table_lookup(known, keys->pdata[i]);
        if (other && may_be_one(other, hit)) return other;
    }
    return NULL;
}

static int
best_first(gconstpointer a, gconstpointer b)
{
    const search_hit *x = *(search_hit *const *)a, *y = *(search_hit *const *)b;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    if (x->rank != y->rank) return x->rank < y->rank ? -1 : 1;
    return strcmp(x->url, y->url);
}

static void
free_hit(gpointer hit)
{
    search_hit_free(hit);
}

GPtrArray *
search_hits_fuse(const GPtrArray *lists)
{
    GPtrArray *fused = g_ptr_array_new_with_free_func(free_hit);
    g_autoptr(GHashTable) known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (guint l = 0; l < lists->len; l++) {
        const GPtrArray *list = lists->pdata[l];
        g_autoptr(GHashTable) counted = g_hash_table_new(NULL, NULL);
        for (guint i = 0; i < list->len; i++) {
            const search_hit *hit = list->pdata[i];
            g_autoptr(GPtrArray) keys = search_hit_keys(hit, FALSE),
                                 near = search_hit_keys(hit, TRUE);
            search_hit *joined = find_known(known, near, hit);
            if (joined) {
                complete(joined, hit);
            } else {
                joined = search_hit_copy(hit);
                joined->score = 0;
                g_ptr_array_add(fused, joined);
            }
            if (hit->pdf_url)
                search_hit_add_copy(joined, hit->provider, hit->pdf_url, hit->license,
                                    hit->version);
            /* a list that has a page twice has one vote */
            if (g_hash_table_add(counted, joined))
                joined->score += 1.0 / (RANK_CONSTANT + (double)hit->rank);
            for (guint k = 0; k < keys->len; k++)
                if (!g_hash_table_contains(known, keys->pdata[k]))
                    g_hash_table_insert(known, g_strdup(keys->pdata[k]), joined);
        }
    }
    g_ptr_array_sort(fused, best_first);
    for (guint i = 0; i < fused->len; i++)
        ((search_hit *)fused->pdata[i])->rank = i + 1;
    return fused;
}
