/* Do passages speak of a question at all? */
#include <math.h>
#include <string.h>

#include "pipelines/evidence.h"

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

static double
log_odds(double p)
{
    const double least = 1e-6;
    p = CLAMP(p, least, 1 - least);
    return log(p / (1 - p));
}

void
evidence_signals(GPtrArray *hits, const char *question, const GArray *ranked, double *signals)
{
    g_autoptr(GPtrArray) hit_words = evidence_hit_words(hits);
    g_autoptr(GHashTable) all = g_hash_table_new(g_str_hash, g_str_equal);
    g_auto(evidence_words) w = evidence_weigh(question, hit_words);
    memset(signals, 0, EVIDENCE_N_SIGNALS * sizeof *signals);
    for (guint i = 0; i < hits->len; i++) {
        double *best = &signals[EVIDENCE_SIGNAL_PASSAGE];
        *best = MAX(*best, evidence_coverage(&w, hit_words->pdata[i]));
        GHashTableIter iter;
        gpointer word;
        g_hash_table_iter_init(&iter, hit_words->pdata[i]);
        while (g_hash_table_iter_next(&iter, &word, NULL))
            g_hash_table_add(all, word);
    }
    signals[EVIDENCE_SIGNAL_ALL] = evidence_coverage(&w, all);
    for (guint i = 0; i < MIN(ranked->len, N_LOOKED_AT); i++) {
        const pipelines_quote *q = &g_array_index(ranked, pipelines_quote, i);
        const retrieval_hit *hit = hits->pdata[q->passage];
        g_autoptr(GHashTable) words = pipelines_content_words(hit->text + q->start, q->len);
        double *best = &signals[EVIDENCE_SIGNAL_SENTENCE];
        *best = MAX(*best, evidence_coverage(&w, words));
    }
    signals[EVIDENCE_SIGNAL_SCORE] = log_odds(g_array_index(ranked, pipelines_quote, 0).score);
    signals[EVIDENCE_SIGNAL_NEXT] =
        log_odds(g_array_index(ranked, pipelines_quote, MIN(2, ranked->len - 1)).score);
}

/* ---- the decision ---- */

/* Log odds that there is an answer: bias and weights of the signals, in the order of evidence.h. Found by
 * tests/bench/fit_confidence.py, which says how, on the development parts of COVID-QA, PubMedQA, SciFact and HotpotQA,
 * each with the questions of HotpotQA, COVID-QA, PubMedQA, Cranfield, CACM and CISI that are about other things. Refused
 * by words alone: COVID-QA 0.7 % of 289 and 94.7 % of 358 unrelated ones, claims of SciFact that have evidence 5.1 % of 118
 * and 93.0 %, some of which the fit has seen; 6.3 % of the 505 of SciFact's train part, which it has not
 * (tests/bench/calibrate.sh). Of claims without evidence a third is refused, rightly: a share of all claims tells nothing
 * of false refusals. */
typedef struct {
    double bias, weights[EVIDENCE_N_SIGNALS];
} gate;

static const gate gate_words = {-1.68, {4.12, 2.57, -0.07, 0.79, 0.88}};
/* With an embedder the best sentences of unrelated questions score lower, so that less is asked of the rest: COVID-QA
 * refuses 1 of 164 answerable questions of the development part and 138 of 141 about other things. */
static const gate gate_embedded = {-0.9, {4.12, 2.57, -0.07, 0.79, 0.88}};

gboolean
pipelines_evidence_suffices(GPtrArray *hits, const char *question, const GArray *ranked,
                            gboolean embedded, pipelines_shortfall *shortfall)
{
    if (shortfall != NULL) {
        g_autoptr(GPtrArray) hit_words = evidence_hit_words(hits);
        add_missing(question, hit_words, shortfall->missing);
    }
    if (hits->len == 0 || ranked->len == 0) return FALSE;
    double signals[EVIDENCE_N_SIGNALS];
    evidence_signals(hits, question, ranked, signals);
    const gate *g = embedded ? &gate_embedded : &gate_words;
    double odds = g->bias;
    for (int i = 0; i < EVIDENCE_N_SIGNALS; i++)
        odds += g->weights[i] * signals[i];
    if (shortfall != NULL) shortfall->confidence = 1 / (1 + exp(-odds));
    return odds >= 0;
}
