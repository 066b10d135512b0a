/* BM25 over the FTS5 index.
 *
 * FTS5's own bm25() has k1 and b fixed at 1.2 and 0.75 and gives words found in more than half of the
 * passages no weight. So this is an auxiliary function of ours (Robertson and Zaragoza, The Probabilistic
 * Relevance Framework, 2009, section 3.2; the weights as in their section 3.6):
 *
 *     score = sum over words  idf * f * (k1 + 1) / (f + k1 * (1 - b + b * length / mean length))
 *     idf   = ln(1 + (N - n + 0.5) / (n + 0.5))
 *
 * f counts a word in title, section and text with the weights below; length is in words of all three. */
#include "retrieval/fulltext.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "retrieval/tokens.h"

/* Chosen on SciFact's 809 training queries: nDCG@10 0.706, where k1 0.9, b 0.4 and no weights give 0.701. */
static const double bm25_k1 = 1.2, bm25_b = 0.6;
static const double compound_weight = 0.3;
static const double column_weights[] = {2.0, 1.0, 1.0}; /* title, section, text */

typedef struct {
    int n_terms, n_leading;
    retrieval_bm25_length norm;
    double idf[RETRIEVAL_MAX_QUERY_TERMS];
    double frequency[RETRIEVAL_MAX_QUERY_TERMS]; /* scratch of the current row */
} bm25_query;

double
retrieval_bm25_idf(double weight, double n, double n_all)
{
    return weight * log(1.0 + (MAX(n_all - n, 0.0) + 0.5) / (n + 0.5));
}

retrieval_bm25_length
retrieval_bm25_length_of(double mean_length)
{
    return (retrieval_bm25_length){.gain = bm25_k1 + 1.0,
                                   .base = bm25_k1 * (1.0 - bm25_b),
                                   .slope = bm25_k1 * bm25_b / mean_length};
}

/* Numbers of the collection and of the query's words: once per query, kept by FTS5. */
static int
bm25_query_get(const Fts5ExtensionApi *api, Fts5Context *context,
               const retrieval_fulltext_plan *plan, bm25_query **out)
{
    *out = api->xGetAuxdata(context, 0);
    if (*out) return SQLITE_OK;

    sqlite3_int64 n_rows = 0, n_tokens = 0;
    int code = api->xRowCount(context, &n_rows);
    if (code == SQLITE_OK) code = api->xColumnTotalSize(context, -1, &n_tokens);
    if (code != SQLITE_OK) return code;
    if (api->xPhraseCount(context) != plan->n_leading + plan->n_terms) return SQLITE_MISUSE;

    bm25_query *query = g_new0(bm25_query, 1);
    query->n_terms = plan->n_terms;
    query->n_leading = plan->n_leading;
    const double n_all = plan->n_all > 0 ? plan->n_all : (double)n_rows;
    const double mean = n_rows > 0 ? MAX((double)n_tokens / (double)n_rows, 1.0) : 1.0;
    query->norm = retrieval_bm25_length_of(plan->mean_length > 0 ? plan->mean_length : mean);
    for (int i = 0; i < query->n_terms; i++)
        query->idf[i] = retrieval_bm25_idf(plan->weight[i], (double)plan->n_passages[i], n_all);
    code = api->xSetAuxdata(context, query, g_free); /* frees it when it fails */
    if (code == SQLITE_OK) *out = query;
    return code;
}

static int
bm25_score(const Fts5ExtensionApi *api, Fts5Context *context, const retrieval_fulltext_plan *plan,
           double *score)
{
    bm25_query *query = NULL;
    int n_hits = 0, length = 0;
    int code = bm25_query_get(api, context, plan, &query);
    if (code == SQLITE_OK) code = api->xInstCount(context, &n_hits);
    if (code == SQLITE_OK) code = api->xColumnSize(context, -1, &length);
    if (code != SQLITE_OK) return code;

    memset(query->frequency, 0, sizeof query->frequency);
    for (int i = 0; i < n_hits; i++) {
        int phrase = 0, column = 0, offset = 0;
        code = api->xInst(context, i, &phrase, &column, &offset);
        if (code != SQLITE_OK) return code;
        phrase -= query->n_leading;
        if (phrase >= 0 && phrase < query->n_terms && column >= 0 &&
            column < (int)G_N_ELEMENTS(column_weights))
            query->frequency[phrase] += column_weights[column];
    }
    const double norm = query->norm.base + query->norm.slope * length;
    *score = 0.0;
    for (int i = 0; i < query->n_terms; i++) {
        double f = query->frequency[i];
        if (f > 0.0) *score += query->idf[i] * query->norm.gain * f / (f + norm);
    }
    return SQLITE_OK;
}

static void
bm25_function(const Fts5ExtensionApi *api, Fts5Context *context, sqlite3_context *result,
              int n_values, sqlite3_value **values)
{
    const retrieval_fulltext_plan *plan =
        n_values == 1 ? sqlite3_value_pointer(values[0], RETRIEVAL_PLAN_POINTER) : NULL;
    double score = 0.0;
    int code = plan ? bm25_score(api, context, plan, &score) : SQLITE_MISUSE;
    if (code == SQLITE_OK)
        sqlite3_result_double(result, score);
    else
        sqlite3_result_error_code(result, code);
}

gboolean
retrieval_fulltext_register(sqlite3 *db)
{
    fts5_api *api = retrieval_lookup_fts5(db);
    return api && api->xCreateFunction(api, "lode_bm25", NULL, bm25_function, NULL) == SQLITE_OK;
}

/* ---- queries ---- */

/* Words that carry no topic, English: articles, pronouns, prepositions, auxiliaries, question words.
 * Sorted, for bsearch. Index and passages keep them: only queries leave them out. */
static const char *const stop_words[] = {
    "a",    "about", "am",    "an",   "and",   "any",    "are",   "as",    "at",    "be",
    "been", "but",   "by",    "can",  "could", "did",    "do",    "does",  "for",   "from",
    "had",  "has",   "have",  "he",   "her",   "his",    "how",   "i",     "if",    "in",
    "into", "is",    "it",    "its",  "may",   "me",     "my",    "no",    "not",   "of",
    "on",   "or",    "our",   "s",    "she",   "should", "so",    "such",  "t",     "than",
    "that", "the",   "their", "them", "then",  "there",  "these", "they",  "this",  "those",
    "to",   "us",    "was",   "we",   "were",  "what",   "when",  "where", "which", "while",
    "who",  "whom",  "whose", "why",  "will",  "with",   "would", "you",   "your",
};

static int
compare_words(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static gboolean
is_stop_word(const char *word)
{
    return bsearch(&word, stop_words, G_N_ELEMENTS(stop_words), sizeof *stop_words,
                   compare_words) != NULL;
}

typedef struct {
    GHashTable *seen;
    GPtrArray *words, *stop_words;
} word_list;

static gboolean
add_word(const retrieval_token *token, void *user_data)
{
    enum { MAX_WORDS = 4096 };
    word_list *list = user_data;
    const double weight = token->is_colocated ? compound_weight : 1.0;
    g_autofree char *plain = g_strndup(token->plain, token->plain_len);
    g_autofree retrieval_fulltext_word *word = g_malloc0(sizeof *word + token->len + 1);
    memcpy(word->text, token->text, token->len);
    retrieval_fulltext_word *known = g_hash_table_lookup(list->seen, word->text);
    if (known) {
        known->weight += weight;
        return TRUE;
    }
    word->weight = weight;
    g_hash_table_insert(list->seen, word->text, word);
    g_ptr_array_add(is_stop_word(plain) ? list->stop_words : list->words, g_steal_pointer(&word));
    return g_hash_table_size(list->seen) < MAX_WORDS;
}

GPtrArray *
retrieval_fulltext_words(const char *text)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GPtrArray) common = g_ptr_array_new_with_free_func(g_free);
    word_list list = {seen, words, common};
    retrieval_tokenize(text, strlen(text), add_word, &list);
    GPtrArray *chosen = words->len > 0 ? words : common;
    if (chosen->len > RETRIEVAL_MAX_QUERY_TERMS)
        g_ptr_array_set_size(chosen, RETRIEVAL_MAX_QUERY_TERMS);
    return g_ptr_array_ref(chosen);
}

char *
retrieval_fulltext_phrase(const char *word)
{
    return g_strdup_printf("\"%s\"", word); /* a word has no quotes */
}

/* The words that choose passages: rarest first while they fit. */
static guint
mark_leading(const int64_t *n_passages, guint n, uint64_t max_scored, gboolean *is_leading)
{
    guint n_leading = 0;
    for (uint64_t n_scored = 0;;) {
        int rarest = -1;
        for (guint i = 0; i < n; i++) {
            if (n_passages[i] <= 0 || is_leading[i]) continue;
            if (rarest < 0 || n_passages[i] < n_passages[rarest]) rarest = (int)i;
        }
        if (rarest < 0) return n_leading;
        n_scored += (uint64_t)n_passages[rarest];
        if (n_leading > 0 && n_scored > max_scored) return n_leading;
        is_leading[rarest] = TRUE;
        n_leading++;
    }
}

static void
append_phrase(GString *expression, gboolean is_first, const retrieval_fulltext_word *word)
{
    g_autofree char *phrase = retrieval_fulltext_phrase(word->text);
    g_string_append_printf(expression, "%s%s", is_first ? "" : " OR ", phrase);
}

char *
retrieval_fulltext_plan_query(const GPtrArray *words, const int64_t *n_passages,
                              const int64_t *n_others, uint64_t max_scored,
                              retrieval_fulltext_plan *plan)
{
    gboolean is_leading[RETRIEVAL_MAX_QUERY_TERMS] = {FALSE};
    const guint n = MIN(words->len, RETRIEVAL_MAX_QUERY_TERMS);
    const guint n_leading = mark_leading(n_passages, n, max_scored, is_leading);
    g_autoptr(GString) expression = g_string_new("(");
    memset(plan, 0, sizeof *plan);
    for (guint i = 0; i < n; i++) {
        if (is_leading[i]) append_phrase(expression, plan->n_leading++ == 0, words->pdata[i]);
    }
    g_string_append(expression, ") AND (");
    for (guint i = 0; i < n; i++) {
        if (n_passages[i] <= 0) continue;
        append_phrase(expression, plan->n_terms == 0, words->pdata[i]);
        plan->weight[plan->n_terms] = ((const retrieval_fulltext_word *)words->pdata[i])->weight;
        plan->n_passages[plan->n_terms++] = n_passages[i] + n_others[i];
    }
    g_string_append_c(expression, ')');
    if (plan->n_terms == 0) return NULL;
    if ((guint)plan->n_terms == n_leading) { /* the first part says nothing new */
        g_string_erase(expression, 0, strstr(expression->str, " AND ") + 5 - expression->str);
        plan->n_leading = 0;
    }
    return g_string_free(g_steal_pointer(&expression), FALSE);
}
