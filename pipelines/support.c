/* Does a passage carry a claim, and do passages speak of a question at all? */
#include "pipelines/evidence.h"

#include <string.h>

#define FRAGMENT 0.7 /* factor on a sentence without a beginning, or without an end */

/* The rest of a sentence that a formula or a column break cut in two, and headings, say less than they seem to. */
static double
wholeness(const char *text, size_t len)
{
    double factor = 1;
    if (g_unichar_islower(g_utf8_get_char(text))) factor *= FRAGMENT;
    if (memchr(".!?:;]|)\"", text[len - 1], 9) == NULL) factor *= FRAGMENT;
    return factor;
}

/* ---- support of a claim ---- */

/* Every number of the claim must stand in what supports it: the commonest invention is a number. */
static gboolean
numbers_agree(GHashTable *claim, GHashTable *support)
{
    GHashTableIter iter;
    gpointer word;
    g_hash_table_iter_init(&iter, claim);
    while (g_hash_table_iter_next(&iter, &word, NULL))
        if (g_ascii_isdigit(*(const char *)word) && !g_hash_table_contains(support, word))
            return FALSE;
    return TRUE;
}

static double
share_of(GHashTable *claim, GHashTable *support)
{
    guint n = g_hash_table_size(claim), found = 0;
    GHashTableIter iter;
    gpointer word;
    g_hash_table_iter_init(&iter, claim);
    while (g_hash_table_iter_next(&iter, &word, NULL))
        if (g_hash_table_contains(support, word)) found++;
    return n > 0 ? (double)found / n : 0;
}

pipelines_quote
pipelines_best_support(const retrieval_hit *hit, guint passage, const char *claim, size_t len)
{
    pipelines_quote best = {.passage = passage, .score = -1};
    g_autoptr(GHashTable) claimed = pipelines_content_words(claim, len);
    g_autoptr(GHashTable) whole = pipelines_content_words(hit->text, strlen(hit->text));
    g_autoptr(GArray) sentences = pipelines_sentences(hit->text, strlen(hit->text));
    for (guint i = 0; i < sentences->len; i++) {
        pipelines_quote quote = g_array_index(sentences, pipelines_quote, i);
        g_autoptr(GHashTable) words = pipelines_content_words(hit->text + quote.start, quote.len);
        double score = share_of(claimed, words) * wholeness(hit->text + quote.start, quote.len);
        if (score <= best.score) continue;
        best.start = quote.start;
        best.len = quote.len;
        best.score = score;
    }
    /* a claim may rest on two sentences: half of the credit comes from the whole passage */
    best.score = numbers_agree(claimed, whole)
                     ? 0.5 * MAX(best.score, 0) + 0.5 * share_of(claimed, whole)
                     : 0;
    return best;
}

/* ---- is there an answer at all? ---- */

/* Share of the question's words, weighted by rarity, that the best passage must have; with less, the best sentence must
 * score. By words alone this refuses 1 % of the answerable questions of COVID-QA's development part, and of
 * unrelated questions put to the same papers 97 % (hotpotqa), 88 % (cranfield), 81 % (cacm), 76 % (cisi), and of
 * questions of the same field 72 % (med), 68 % (scifact). */
#define COVERAGE_SUFFICES 0.5
#define COVERAGE_ANY      0.25
#define SCORE_SUFFICES    0.45

enum { N_LOOKED_AT = 24 }; /* sentences */

/* Words of the question, as they stand there, whose stems no passage has. */
static void
add_missing(const char *question, GPtrArray *hit_words, GPtrArray *missing)
{
    enum { MAX_MISSING = 8 };
    for (const char *p = question; *p != '\0' && missing->len < MAX_MISSING;) {
        const char *start = p;
        while (*p != '\0' && g_unichar_isalnum(g_utf8_get_char(p)))
            p = g_utf8_next_char(p);
        if (p == start) {
            p = g_utf8_next_char(p);
            continue;
        }
        g_autoptr(GHashTable) word = pipelines_content_words(start, (size_t)(p - start));
        GHashTableIter iter;
        gpointer stem;
        g_hash_table_iter_init(&iter, word);
        if (!g_hash_table_iter_next(&iter, &stem, NULL)) continue;
        gboolean there = FALSE;
        for (guint i = 0; i < hit_words->len && !there; i++)
            there = g_hash_table_contains(hit_words->pdata[i], stem);
        if (!there) g_ptr_array_add(missing, g_strndup(start, (gsize)(p - start)));
    }
}

gboolean
pipelines_evidence_suffices(GPtrArray *hits, const char *question, const GArray *ranked,
                            pipelines_shortfall *shortfall)
{
    g_autoptr(GPtrArray) hit_words = evidence_hit_words(hits);
    if (shortfall != NULL) add_missing(question, hit_words, shortfall->missing);
    if (hits->len == 0 || ranked->len == 0) return FALSE;
    g_auto(evidence_words) w = evidence_weigh(question, hit_words);
    double best = 0, sentence = 0;
    for (guint i = 0; i < hits->len; i++)
        best = MAX(best, evidence_coverage(&w, hit_words->pdata[i]));
    for (guint i = 0; i < MIN(ranked->len, N_LOOKED_AT); i++) {
        const pipelines_quote *q = &g_array_index(ranked, pipelines_quote, i);
        const retrieval_hit *hit = hits->pdata[q->passage];
        g_autoptr(GHashTable) words = pipelines_content_words(hit->text + q->start, q->len);
        sentence = MAX(sentence, evidence_coverage(&w, words));
    }
    if (shortfall != NULL) shortfall->confidence = 0.5 * best + 0.5 * sentence;
    if (best >= COVERAGE_SUFFICES) return TRUE;
    /* other words for the same thing: only the embeddings can tell */
    return best >= COVERAGE_ANY &&
           g_array_index(ranked, pipelines_quote, 0).score >= SCORE_SUFFICES;
}
