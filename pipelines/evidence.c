/* Passages and a question -> the sentences that answer, and whether there are any.
 *
 * A sentence's score for a question: the share of the question's content words it holds, weighted by how rare
 * they are among the passages (Spärck Jones, "A statistical interpretation of term specificity", 1972), a quarter
 * of that share taken from the whole passage, so that "It reached 93 %" profits from its neighbours; averaged
 * with the cosine of the two embeddings where there is an embedder. */
#include "pipelines/internal.h"

#include <math.h>
#include <string.h>

enum {
    MAX_SENTENCES = 256, /* ranked by words */
    MAX_EMBEDDED = 64,   /* of those, also by vectors */
    MIN_QUOTE_WORDS = 3  /* content words: fewer is a heading, a label, a number */
};

/* Word coverage from which passages count as speaking of the question; cosines that mean the same. Words of the
 * question found nowhere weigh most, so half is a lot. */
#define FRAGMENT          0.7 /* factor on the score of a sentence without a beginning, or without an end */
#define COVERAGE_SUFFICES 0.5
#define COVERAGE_ANY      0.25
#define COSINE_SUFFICES   0.45

/* ---- sentences ---- */

/* Ends with a dot and goes on in the same sentence. */
static gboolean
is_abbreviation(const char *text, size_t dot)
{
    static const char *const list[] = {"e.g",  "i.e", "al",   "fig", "figs", "eq",  "eqs",
                                       "dr",   "vs",  "cf",   "no",  "pp",   "p",   "sec",
                                       "ref",  "tab", "prof", "mr",  "ms",   "mrs", "approx",
                                       "resp", "ca",  "vol",  "st",  "refs", "etc"};
    size_t start = dot;
    while (start > 0 && (g_ascii_isalpha(text[start - 1]) || text[start - 1] == '.'))
        start--;
    size_t len = dot - start;
    /* an initial, and not the unit in "415 °C." */
    if (len == 1 && g_ascii_isupper(text[start]))
        return start == 0 || text[start - 1] == ' ' || text[start - 1] == '(';
    for (size_t i = 0; i < G_N_ELEMENTS(list); i++)
        if (strlen(list[i]) == len && g_ascii_strncasecmp(list[i], text + start, len) == 0)
            return TRUE;
    return FALSE;
}

/* Length of " [1]", " [2, 3]", a footnote's number, a closing quote or bracket at text [pos]: these belong to the
 * sentence before. */
static size_t
trailer_length(const char *text, size_t len, size_t pos)
{
    static const char *const closers[] = {"\"",           "'",       ")", "]", "\xE2\x80\x9D",
                                          "\xE2\x80\x99", "\xC2\xBB"};
    for (size_t i = 0; i < G_N_ELEMENTS(closers); i++) {
        size_t n = strlen(closers[i]);
        if (len - pos >= n && memcmp(text + pos, closers[i], n) == 0) return n;
    }
    /* the number of a footnote, raised in print: "nitrate.1 After" */
    if (pos >= 2 && text[pos - 1] == '.' && g_ascii_isalpha(text[pos - 2])) {
        size_t n = 0;
        while (n < 2 && pos + n < len && g_ascii_isdigit(text[pos + n]))
            n++;
        if (n > 0 && (pos + n == len || text[pos + n] == ' ')) return n;
    }
    size_t p = pos;
    while (p < len && text[p] == ' ')
        p++;
    if (p >= len || text[p] != '[') return 0;
    size_t digits = 0;
    for (p++; p < len && (g_ascii_isdigit(text[p]) || strchr(",;- ", text[p]) != NULL); p++)
        digits += g_ascii_isdigit(text[p]) ? 1u : 0u;
    return p < len && text[p] == ']' && digits > 0 ? p + 1 - pos : 0;
}

/* Does a sentence start here, after the white space that follows its predecessor? */
static gboolean
starts_sentence(const char *text, size_t len, size_t pos)
{
    if (pos >= len) return TRUE;
    gunichar c = g_utf8_get_char(text + pos);
    return g_unichar_isupper(c) || g_unichar_isdigit(c) || !g_unichar_islower(c);
}

/* End of the sentence that starts at pos. */
static size_t
sentence_end(const char *text, size_t len, size_t pos)
{
    for (size_t i = pos; i < len; i++) {
        char c = text[i];
        if (c == '\n') return i;
        if (c != '.' && c != '!' && c != '?') continue;
        size_t end = i + 1;
        for (size_t n; (n = trailer_length(text, len, end)) > 0;)
            end += n;
        if (end < len && text[end] != ' ' && text[end] != '\n') continue; /* 3.14, example.org */
        size_t next = end;
        while (next < len && text[next] == ' ')
            next++;
        if (next < len && text[next] != '\n' && !starts_sentence(text, len, next)) continue;
        if (c == '.' && end == i + 1 && next < len && is_abbreviation(text, i)) continue;
        return end;
    }
    return len;
}

GArray *
pipelines_sentences(const char *text, size_t len)
{
    GArray *sentences = g_array_new(FALSE, FALSE, sizeof(pipelines_quote));
    for (size_t pos = 0; pos < len && len <= G_MAXUINT32;) {
        while (pos < len && (text[pos] == ' ' || text[pos] == '\n'))
            pos++;
        if (pos >= len) break;
        size_t end = sentence_end(text, len, pos);
        pipelines_quote quote = {.start = (uint32_t)pos, .len = (uint32_t)(end - pos)};
        g_array_append_val(sentences, quote);
        pos = end;
    }
    return sentences;
}

/* ---- words ---- */

static gboolean
is_stop_word(const char *word)
{
    static const char *const list[] = {
        "a",      "about", "all",   "also", "an",    "and",   "any",   "are",   "as",    "at",
        "be",     "been",  "both",  "but",  "by",    "can",   "could", "did",   "do",    "does",
        "each",   "for",   "from",  "had",  "has",   "have",  "how",   "i",     "if",    "in",
        "into",   "is",    "it",    "its",  "many",  "may",   "me",    "more",  "most",  "much",
        "my",     "no",    "not",   "of",   "on",    "one",   "or",    "our",   "paper", "s",
        "should", "so",    "some",  "such", "than",  "that",  "the",   "their", "them",  "then",
        "there",  "these", "they",  "this", "those", "to",    "us",    "used",  "using", "was",
        "we",     "were",  "what",  "when", "where", "which", "while", "who",   "whose", "why",
        "will",   "with",  "would", "you",  "your"};
    size_t low = 0, high = G_N_ELEMENTS(list);
    while (low < high) {
        size_t mid = (low + high) / 2;
        int order = strcmp(word, list[mid]);
        if (order == 0) return TRUE;
        if (order < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return FALSE;
}

/* Plural and the commonest verb endings off, in place: "studies" "study", "reached" "reach", "using" "us". Both
 * sides of a comparison pass here, so a stem need not be a word. */
static void
stem(GString *word)
{
    static const struct {
        const char *suffix, *replacement;
        size_t min_rest;
    } rules[] = {{"ies", "y", 2}, {"sses", "ss", 1}, {"ing", "", 3}, {"ed", "", 3},
                 {"es", "", 3},   {"s", "", 3},      {"e", "", 3}};
    for (size_t i = 0; i < G_N_ELEMENTS(rules); i++) {
        size_t n = strlen(rules[i].suffix);
        if (word->len < n + rules[i].min_rest || !g_str_has_suffix(word->str, rules[i].suffix))
            continue;
        if (i == 5 && word->str[word->len - 2] == 's') return; /* "mass" */
        g_string_truncate(word, word->len - n);
        g_string_append(word, rules[i].replacement);
        return;
    }
}

GHashTable *
pipelines_content_words(const char *text, size_t len)
{
    GHashTable *words = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autofree char *folded = g_utf8_casefold(text, (gssize)len);
    g_autoptr(GString) word = g_string_new(NULL);
    for (const char *p = folded;; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);
        gboolean decimal = (c == '.' || c == ',') && word->len > 0 &&
                           g_ascii_isdigit(word->str[word->len - 1]) && g_ascii_isdigit(p[1]);
        if (c != 0 && (g_unichar_isalnum(c) || decimal)) {
            g_string_append_unichar(word, c);
            continue;
        }
        if (word->len > 0 && !is_stop_word(word->str)) {
            stem(word);
            g_hash_table_add(words, g_strdup(word->str));
        }
        g_string_truncate(word, 0);
        if (c == 0) return words;
    }
}

/* ---- weights of the question's words ---- */

typedef struct {
    GHashTable *weight; /* word -> double *, owned */
    double total;
} weighted_words;

static void
weighted_words_clear(weighted_words *w)
{
    g_clear_pointer(&w->weight, g_hash_table_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(weighted_words, weighted_words_clear)

static weighted_words
weigh(const char *question, GPtrArray *hit_words)
{
    weighted_words w = {.weight = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free)};
    g_autoptr(GHashTable) words = pipelines_content_words(question, strlen(question));
    GHashTableIter iter;
    gpointer word;
    g_hash_table_iter_init(&iter, words);
    while (g_hash_table_iter_next(&iter, &word, NULL)) {
        guint df = 0;
        for (guint i = 0; i < hit_words->len; i++)
            if (g_hash_table_contains(hit_words->pdata[i], word)) df++;
        double *weight = g_new(double, 1);
        *weight = log(1.0 + (hit_words->len + 1.0) / (df + 0.5));
        w.total += *weight;
        g_hash_table_insert(w.weight, g_strdup(word), weight);
    }
    return w;
}

static gint
compare_doubles(gconstpointer a, gconstpointer b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Share of the weight whose words are in the set: 0..1. Summed in sorted order: a hash table's order may change
 * and with it the last bit. */
static double
coverage(const weighted_words *w, GHashTable *words)
{
    if (w->total <= 0) return 0;
    g_autoptr(GArray) parts = g_array_new(FALSE, FALSE, sizeof(double));
    GHashTableIter iter;
    gpointer word, weight;
    g_hash_table_iter_init(&iter, w->weight);
    while (g_hash_table_iter_next(&iter, &word, &weight))
        if (g_hash_table_contains(words, word)) g_array_append_vals(parts, weight, 1);
    g_array_sort(parts, compare_doubles);
    double sum = 0;
    for (guint i = 0; i < parts->len; i++)
        sum += g_array_index(parts, double, i);
    return MIN(sum / w->total, 1.0);
}

static GPtrArray *
words_of_hits(GPtrArray *hits)
{
    GPtrArray *all = g_ptr_array_new_with_free_func((GDestroyNotify)g_hash_table_unref);
    for (guint i = 0; i < hits->len; i++) {
        const retrieval_hit *hit = hits->pdata[i];
        g_autofree char *text = g_strconcat(hit->title, "\n", hit->section, "\n", hit->text, NULL);
        g_ptr_array_add(all, pipelines_content_words(text, strlen(text)));
    }
    return all;
}

/* ---- ranking ---- */

static gint
compare_quotes(gconstpointer a, gconstpointer b)
{
    const pipelines_quote *x = a, *y = b;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    if (x->passage != y->passage) return x->passage < y->passage ? -1 : 1;
    return x->start < y->start ? -1 : x->start > y->start;
}

/* The rest of a sentence that a formula or a column break cut in two, and headings, say less than they seem to. */
static double
wholeness(const char *text, size_t len)
{
    double factor = 1;
    if (g_unichar_islower(g_utf8_get_char(text))) factor *= FRAGMENT;
    if (memchr(".!?:;]|)\"", text[len - 1], 9) == NULL) factor *= FRAGMENT;
    return factor;
}

static GArray *
rank_by_words(GPtrArray *hits, const char *question)
{
    g_autoptr(GPtrArray) hit_words = words_of_hits(hits);
    g_auto(weighted_words) w = weigh(question, hit_words);
    GArray *ranked = g_array_new(FALSE, FALSE, sizeof(pipelines_quote));
    for (guint i = 0; i < hits->len; i++) {
        const retrieval_hit *hit = hits->pdata[i];
        double whole = coverage(&w, hit_words->pdata[i]);
        g_autoptr(GArray) sentences = pipelines_sentences(hit->text, strlen(hit->text));
        for (guint j = 0; j < sentences->len; j++) {
            pipelines_quote quote = g_array_index(sentences, pipelines_quote, j);
            g_autoptr(GHashTable) words =
                pipelines_content_words(hit->text + quote.start, quote.len);
            if (g_hash_table_size(words) < MIN_QUOTE_WORDS) continue;
            quote.passage = i;
            quote.score = 0.75 * coverage(&w, words) + 0.25 * whole;
            quote.score *= wholeness(hit->text + quote.start, quote.len);
            g_array_append_val(ranked, quote);
        }
    }
    g_array_sort(ranked, compare_quotes);
    if (ranked->len > MAX_SENTENCES) g_array_set_size(ranked, MAX_SENTENCES);
    return ranked;
}

static double
dot(const float *a, const float *b, size_t n)
{
    double sum = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    return aa > 0 && bb > 0 ? sum / sqrt(aa * bb) : 0;
}

static gboolean
add_cosines(GArray *ranked, GPtrArray *hits, const char *question, const pipelines_model *embedder,
            engine_pool *pool, const int *cancel, GError **error)
{
    guint n = MIN(ranked->len, MAX_EMBEDDED);
    size_t n_dims = engine_model_get_info(embedder->model)->n_embd;
    g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(texts, g_strconcat(embedder->query_prefix, question, NULL));
    for (guint i = 0; i < n; i++) {
        const pipelines_quote *quote = &g_array_index(ranked, pipelines_quote, i);
        const retrieval_hit *hit = hits->pdata[quote->passage];
        g_ptr_array_add(texts, g_strndup(hit->text + quote->start, quote->len));
    }
    g_autofree float *vectors = g_new(float, (n + 1) * n_dims);
    if (!engine_embed(embedder->model, pool, (const char *const *)texts->pdata, n + 1, vectors,
                      cancel, error))
        return FALSE;
    g_array_set_size(ranked, n);
    for (guint i = 0; i < n; i++) {
        pipelines_quote *quote = &g_array_index(ranked, pipelines_quote, i);
        double cosine = dot(vectors, vectors + (i + 1) * n_dims, n_dims);
        const retrieval_hit *hit = hits->pdata[quote->passage];
        double factor = wholeness(hit->text + quote->start, quote->len);
        quote->score = 0.5 * quote->score + 0.5 * factor * MAX(cosine, 0);
    }
    g_array_sort(ranked, compare_quotes);
    return TRUE;
}

GArray *
pipelines_rank_sentences(GPtrArray *hits, const char *question, const pipelines_model *embedder,
                         engine_pool *pool, const int *cancel, GError **error)
{
    g_autoptr(GArray) ranked = rank_by_words(hits, question);
    if (embedder != NULL && ranked->len > 0 &&
        !add_cosines(ranked, hits, question, embedder, pool, cancel, error))
        return NULL;
    return g_steal_pointer(&ranked);
}

gboolean
pipelines_evidence_suffices(GPtrArray *hits, const char *question, const GArray *ranked)
{
    if (hits->len == 0 || ranked->len == 0) return FALSE;
    g_autoptr(GPtrArray) hit_words = words_of_hits(hits);
    g_auto(weighted_words) w = weigh(question, hit_words);
    double best = 0;
    for (guint i = 0; i < hits->len; i++)
        best = MAX(best, coverage(&w, hit_words->pdata[i]));
    if (best >= COVERAGE_SUFFICES) return TRUE;
    return best >= COVERAGE_ANY &&
           g_array_index(ranked, pipelines_quote, 0).score >= COSINE_SUFFICES;
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
