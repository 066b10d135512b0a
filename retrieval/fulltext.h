/* fulltext: a question in plain words -> an FTS5 query; the ranking function BM25. */
#ifndef LODE_RETRIEVAL_FULLTEXT_H
#define LODE_RETRIEVAL_FULLTEXT_H

#include <glib.h>
#include <sqlite3.h>
#include <stdint.h>

/* Most words of a query that are looked up; the rest is left out. */
#define RETRIEVAL_MAX_QUERY_TERMS 64

/* Scoring a passage takes about 2 us, and a query of usual words matches half of a library. With a limit of
 * a tenth of SciFact's passages nDCG@10 of its training queries is 0.707 (0.706 without a limit), with one
 * of a twenty-fifth 0.702. */
#define RETRIEVAL_MAX_SCORED 20000

/* Make the SQL function lode_bm25(table, plan) known to a connection. FALSE: no FTS5. */
gboolean retrieval_fulltext_register(sqlite3 *db);

/* A word of a query, as retrieval_tokenize gives it. */
typedef struct {
    double
        weight; /* of its score: less for the joined form of a compound, whose parts count already */
    char text[];
} retrieval_fulltext_word;

/* text: any bytes. Its distinct words (retrieval_fulltext_word *, owned), at most RETRIEVAL_MAX_QUERY_TERMS. Stop
 * words are left out unless there is nothing else. */
GPtrArray *retrieval_fulltext_words(const char *text);

/* The FTS5 phrase of one such word: quoted, so nothing in it is syntax. Free with g_free. */
char *retrieval_fulltext_phrase(const char *word);

/* How a query is run. */
typedef struct {
    int n_leading; /* phrases of the expression that only choose passages and are not scored */
    int n_terms;   /* phrases behind them, scored */
    int64_t n_passages[RETRIEVAL_MAX_QUERY_TERMS]; /* passages that have the term; > 0 */
    double weight[RETRIEVAL_MAX_QUERY_TERMS];
    double n_all, mean_length; /* of all passages, when FTS5 does not know all; else 0 */
} retrieval_fulltext_plan;

#define RETRIEVAL_PLAN_POINTER                                                                     \
    "lode_fulltext_plan" /* type of the pointer that lode_bm25 is given */

/* ---- the formula ---- */

/* What a word counts for that n of n_all passages have. */
double retrieval_bm25_idf(double weight, double n, double n_all);

/* A word that is f times in a passage of so many words adds idf * gain * f / (f + base + slope * words). */
typedef struct {
    double gain, base, slope;
} retrieval_bm25_length;
retrieval_bm25_length retrieval_bm25_length_of(double mean_length);

/* words [n] with the number of passages n_passages [n] that FTS5 finds for each and n_others [n] that are elsewhere -> expression and plan.
 *
 * Passages with any of the words are scored as long as that is at most max_scored of them. Above it, only
 * those that have one of the rarest words, as many words as fit in max_scored and at least one; common
 * words still count in their scores. NULL where FTS5 finds no word. Free with g_free. */
char *retrieval_fulltext_plan_query(const GPtrArray *words, const int64_t *n_passages,
                                    const int64_t *n_others, uint64_t max_scored,
                                    retrieval_fulltext_plan *plan);

#endif
