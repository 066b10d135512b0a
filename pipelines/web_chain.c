/* Without a writer: passages -> the sentences that answer a question over several of them.
 *
 * What chooses the sentences is search_chains. A comparison ("Which came first, A or B?") gets a chain for each side, and
 * where both have a date the side that it picks is the short answer. */
#include <string.h>

#include "pipelines/web.h"

gboolean
web_is_needed(const web_run *run, search_node *node)
{
    for (guint i = 0; i < search_plan_n_nodes(run->plan); i++)
        if (g_ptr_array_find(search_plan_node(run->plan, i)->needs, node, NULL)) return TRUE;
    return FALSE;
}

GPtrArray *
web_parts(const web_run *run)
{
    GPtrArray *parts = g_ptr_array_new();
    for (guint i = 0; i < search_plan_n_nodes(run->plan); i++) {
        search_node *node = search_plan_node(run->plan, i);
        gboolean whole = strcmp(node->question, search_plan_question(run->plan)) == 0;
        if (!whole && node->query == NULL && node->state == SEARCH_NODE_ANSWERED &&
            !web_is_needed(run, node))
            g_ptr_array_add(parts, node);
    }
    return parts;
}

/* ---- chains ---- */

static void
choose(lode_answer *answer, guint passage, guint start, guint len)
{
    const pipelines_quote quote = {passage, start, len, 1};
    for (guint i = 0; i < answer->chosen->len; i++) {
        const pipelines_quote *other = &g_array_index(answer->chosen, pipelines_quote, i);
        if (other->passage == passage && other->start == start) return;
    }
    if (len > 0) g_array_append_val(answer->chosen, quote);
}

static void
choose_chain(lode_answer *answer, const search_chain *chain)
{
    if (answer->chosen == NULL) answer->chosen = g_array_new(FALSE, FALSE, sizeof(pipelines_quote));
    choose(answer, chain->passage, chain->start, chain->len);
    if (chain->before >= 0)
        choose(answer, (guint)chain->before, chain->before_start, chain->before_len);
}

static char *
sentence_of(const lode_answer *answer, const search_chain *chain)
{
    const retrieval_hit *hit = answer->hits->pdata[chain->passage];
    return g_strndup(hit->text + chain->start, chain->len);
}

/* A page's orders to programs answer nothing. */
static gboolean
is_order(const lode_answer *answer, const search_chain *chain)
{
    const retrieval_hit *hit = answer->hits->pdata[chain->passage];
    if (pipelines_is_instruction(hit->text + chain->start, chain->len)) return TRUE;
    if (chain->before < 0) return FALSE;
    hit = answer->hits->pdata[chain->before];
    return pipelines_is_instruction(hit->text + chain->before_start, chain->before_len);
}

/* Is the side named where the chain ends, or where it comes from? */
static gboolean
is_about(const lode_answer *answer, const search_chain *chain, GHashTable *side)
{
    const retrieval_hit *hit = answer->hits->pdata[chain->passage];
    const retrieval_hit *before = chain->before >= 0 ? answer->hits->pdata[chain->before] : NULL;
    g_autofree char *sentence = sentence_of(answer, chain);
    g_autofree char *text =
        g_strjoin("\n", hit->title, sentence, before != NULL ? before->title : NULL, NULL);
    g_autoptr(GHashTable) words = pipelines_content_words(text, strlen(text));
    GHashTableIter iter;
    gpointer word;
    g_hash_table_iter_init(&iter, side);
    while (g_hash_table_iter_next(&iter, &word, NULL))
        if (!g_hash_table_contains(words, word)) return FALSE;
    return TRUE;
}

static const search_chain *
best_about(const lode_answer *answer, const GArray *chains, const char *side)
{
    g_autoptr(GHashTable) words = pipelines_content_words(side, strlen(side));
    for (guint i = 0; g_hash_table_size(words) > 0 && i < chains->len; i++) {
        const search_chain *chain = &g_array_index(chains, search_chain, i);
        if (is_about(answer, chain, words) && !is_order(answer, chain)) return chain;
    }
    return NULL;
}

/* FALSE: it is no comparison of two sides, or one has nothing. */
static gboolean
choose_sides(const web_run *run, lode_answer *answer, const GArray *chains)
{
    g_autoptr(GPtrArray) parts = web_parts(run);
    const search_chain *best[2];
    const char *names[2];
    if (parts->len != G_N_ELEMENTS(best)) return FALSE;
    for (guint i = 0; i < parts->len; i++) {
        names[i] = ((const search_node *)parts->pdata[i])->phrase;
        best[i] = names[i] != NULL ? best_about(answer, chains, names[i]) : NULL;
        if (best[i] == NULL) return FALSE;
    }
    g_autofree char *a = sentence_of(answer, best[0]), *b = sentence_of(answer, best[1]);
    const int first = search_compare_dates(answer->question, a, b);
    if (first >= 0) answer->short_answer = g_strdup(names[first]);
    choose_chain(answer, best[first == 1]);
    choose_chain(answer, best[first != 1]);
    return TRUE;
}

/* A sentence that has what is asked for says by itself as much of the question as the chain does. */
static gboolean
one_sentence_is_enough(const GArray *chains, const search_chain *best)
{
    const double almost = 1e-9;
    for (guint i = 0; i < chains->len; i++) {
        const search_chain *chain = &g_array_index(chains, search_chain, i);
        if (chain->features[SEARCH_CHAIN_KIND] >= 0 &&
            chain->alone >= best->features[SEARCH_CHAIN_JOINT] - almost)
            return TRUE;
    }
    return FALSE;
}

void
web_choose_quotes(const web_run *run, lode_answer *answer)
{
    const guint n = answer->hits->len;
    g_autofree search_passage *passages = g_new0(search_passage, n + 1);
    g_autoptr(GPtrArray) ends = g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref);
    for (guint i = 0; i < n; i++) {
        const retrieval_hit *hit = answer->hits->pdata[i];
        GArray *of_hit = g_array_new(FALSE, FALSE, sizeof(uint32_t));
        retrieval_split_sentences(hit->text, (uint32_t)strlen(hit->text), of_hit);
        g_ptr_array_add(ends, of_hit);
        passages[i] = (search_passage){hit->title, hit->text, of_hit};
    }
    g_autoptr(GArray) chains = search_chains(answer->question, passages, n, FALSE);
    if (choose_sides(run, answer, chains)) return;
    guint first = 0;
    while (first < chains->len && is_order(answer, &g_array_index(chains, search_chain, first)))
        first++;
    if (first == chains->len) return;
    const search_chain *best = &g_array_index(chains, search_chain, first);
    /* one passage is enough: as lode ask does it */
    if (best->before < 0 || one_sentence_is_enough(chains, best)) return;
    const retrieval_hit *hit = answer->hits->pdata[best->passage];
    g_autofree char *sentence = sentence_of(answer, best);
    answer->short_answer = search_answer_words(answer->question, sentence, hit->title);
    choose_chain(answer, best);
}
