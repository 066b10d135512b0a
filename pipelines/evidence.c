/* Passages and a question -> the sentences that answer, best first.
 *
 * A sentence's score is a logistic function of the features in evidence.h. The share of the question's words is
 * weighted by how rare they are among the passages (Sparck Jones, "A statistical interpretation of term
 * specificity", 1972). The weights were set by hand on the development part of COVID-QA: those that
 * tests/bench/fit_evidence.py finds there (sentences compete in a softmax, expected overlap with the answer is made
 * large) do a little worse on papers they have not seen, F1 0.264 against 0.273 on 383 questions. */
#include "pipelines/evidence.h"

#include <math.h>
#include <string.h>

#include "pipelines/evidence_weights.h"

enum { MIN_QUOTE_WORDS = 3 }; /* content words: fewer is a heading, a label, a number */

const char *const evidence_feature_names[EVIDENCE_N_FEATURES] = {
    "coverage", "passage", "around", "pairs", "cosine",   "rank",
    "document", "number",  "date",   "name",  "reason",   "lower",
    "open",     "short",   "long",   "echo",  "question", "reference"};

/* ---- weights of the question's words ---- */

void
evidence_words_clear(evidence_words *w)
{
    g_clear_pointer(&w->weight, g_hash_table_unref);
}

evidence_words
evidence_weigh(const char *question, GPtrArray *hit_words)
{
    evidence_words w = {.weight = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free)};
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
        g_hash_table_insert(w.weight, g_strdup(word), weight);
    }
    w.total = 0;
    w.total = evidence_coverage(&w, words);
    return w;
}

static gint
compare_doubles(gconstpointer a, gconstpointer b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Summed in sorted order: a hash table's order may change and with it the last bit. Before the total is known: the
 * sum itself. */
double
evidence_coverage(const evidence_words *w, GHashTable *words)
{
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
    return w->total > 0 ? MIN(sum / w->total, 1.0) : sum;
}

GPtrArray *
evidence_hit_words(GPtrArray *hits)
{
    GPtrArray *all = g_ptr_array_new_with_free_func((GDestroyNotify)g_hash_table_unref);
    for (guint i = 0; i < hits->len; i++) {
        const retrieval_hit *hit = hits->pdata[i];
        g_autofree char *text = g_strconcat(hit->title, "\n", hit->section, "\n", hit->text, NULL);
        g_ptr_array_add(all, pipelines_content_words(text, strlen(text)));
    }
    return all;
}

/* ---- what is asked for ---- */

typedef struct {
    gboolean number, date, name, reason;
} wanted;

/* "number of " and the like may stand anywhere, "who" only as a word. */
static gboolean
asks(const char *folded, const char *const *phrases)
{
    for (; *phrases != NULL; phrases++) {
        const char *p = folded;
        size_t n = strlen(*phrases);
        while ((p = strstr(p, *phrases)) != NULL) {
            gboolean before = p == folded || !g_ascii_isalnum(p[-1]);
            if (before && !g_ascii_isalnum(p[n])) return TRUE;
            p++;
        }
    }
    return FALSE;
}

gboolean
evidence_asks_for_number(const char *question)
{
    static const char *const numbers[] = {
        "how many",  "how much",      "how long",      "how old",
        "how often", "how large",     "how far",       "how high",
        "number of", "percentage",    "percent",       "proportion",
        "rate",      "what fraction", "ratio",         "size",
        "range",     "average",       "mean",          "frequency",
        "incidence", "prevalence",    "concentration", "temperature",
        "accuracy",  "yield",         "price",         "cost",
        NULL};
    g_autofree char *folded = g_utf8_casefold(question, -1);
    return asks(folded, numbers);
}

static wanted
read_question(const char *question)
{
    static const char *const dates[] = {"when", "what year", "which year", "date", "month", NULL};
    static const char *const names[] = {
        "who",     "whose",   "where", "which", "what is the name", "what are the names",
        "name of", "country", NULL};
    static const char *const reasons[] = {"why",     "cause",    "causes", "reason",
                                          "reasons", "how does", "how do", NULL};
    g_autofree char *folded = g_utf8_casefold(question, -1);
    return (wanted){evidence_asks_for_number(question), asks(folded, dates), asks(folded, names),
                    asks(folded, reasons)};
}

typedef struct {
    gboolean number, date, name, reason, reference;
    guint n_words;
} present;

static gboolean
is_year(const char *p)
{
    return (p[0] == '1' || p[0] == '2') && g_ascii_isdigit(p[1]) && g_ascii_isdigit(p[2]) &&
           g_ascii_isdigit(p[3]) && !g_ascii_isdigit(p[4]) && p[4] != '.';
}

/* What a sentence has that the question has not. */
static present
read_sentence(const char *text, size_t len, GHashTable *asked)
{
    static const char *const causes[] = {
        "because",   "due to", "caused", "cause",     "causes", "owing", "result",  "results",
        "resulting", "since",  "thus",   "therefore", "leads",  "lead",  "thereby", NULL};
    static const char *const front[] = {"http",           "https",     "doi", "license",
                                        "et al",          "copyright", "www", "supplementary",
                                        "correspondence", "isbn",      NULL};
    static const char *const months[] = {"january", "february", "march",    "april",
                                         "june",    "july",     "august",   "september",
                                         "october", "november", "december", NULL};
    g_autofree char *copy = g_strndup(text, len);
    g_autofree char *folded = g_utf8_casefold(copy, -1);
    present p = {.reason = asks(folded, causes),
                 .reference = asks(folded, front),
                 .date = asks(folded, months)};
    gboolean first = TRUE;
    for (const char *q = copy; *q != '\0';) {
        const char *start = q;
        gunichar head = g_utf8_get_char(q);
        if (!g_unichar_isalnum(head)) {
            q = g_utf8_next_char(q);
            continue;
        }
        while (*q != '\0' &&
               (g_unichar_isalnum(g_utf8_get_char(q)) || (*q == '.' && g_ascii_isdigit(q[1]))))
            q = g_utf8_next_char(q);
        p.n_words++;
        g_autoptr(GHashTable) word = pipelines_content_words(start, (size_t)(q - start));
        GHashTableIter iter;
        gpointer stem;
        g_hash_table_iter_init(&iter, word);
        gboolean is_new = FALSE;
        while (g_hash_table_iter_next(&iter, &stem, NULL))
            is_new = is_new || !g_hash_table_contains(asked, stem);
        if (is_new && g_unichar_isdigit(head)) p.number = TRUE;
        if (is_new && is_year(start)) p.date = TRUE;
        if (is_new && !first && g_unichar_isupper(head)) p.name = TRUE;
        first = FALSE;
    }
    return p;
}

static double
met(gboolean is_wanted, gboolean is_there)
{
    return is_wanted ? (is_there ? 1 : -1) : 0;
}

/* ---- pairs ---- */

/* Content words in order, with repetitions. */
static GPtrArray *
word_list(const char *text, size_t len)
{
    GPtrArray *list = g_ptr_array_new_with_free_func(g_free);
    for (size_t i = 0; i < len;) {
        size_t start = i;
        while (i < len && g_unichar_isalnum(g_utf8_get_char(text + i)))
            i = (size_t)(g_utf8_next_char(text + i) - text);
        if (i == start) {
            i = (size_t)(g_utf8_next_char(text + i) - text);
            continue;
        }
        g_autoptr(GHashTable) word = pipelines_content_words(text + start, i - start);
        GHashTableIter iter;
        gpointer stem;
        g_hash_table_iter_init(&iter, word);
        while (g_hash_table_iter_next(&iter, &stem, NULL))
            g_ptr_array_add(list, g_strdup(stem));
    }
    return list;
}

/* Neighbours in the question that are at most two words apart in the sentence. */
static double
pairs_found(const GPtrArray *question, const GPtrArray *sentence)
{
    enum { NEAR = 3 };
    if (question->len < 2) return 0;
    guint n_found = 0;
    for (guint q = 0; q + 1 < question->len; q++) {
        gboolean found = FALSE;
        for (guint i = 0; i < sentence->len && !found; i++) {
            if (strcmp(sentence->pdata[i], question->pdata[q]) != 0) continue;
            for (guint j = i > NEAR ? i - NEAR : 0; j < MIN(i + NEAR + 1, sentence->len); j++)
                found = found || strcmp(sentence->pdata[j], question->pdata[q + 1]) == 0;
        }
        if (found) n_found++;
    }
    return (double)n_found / (question->len - 1);
}

/* ---- collecting ---- */

typedef struct {
    GPtrArray *hits, *hit_words;
    evidence_words words;
    GHashTable *asked;
    GPtrArray *asked_list;
    wanted wanted;
    double *document_share; /* [hits->len] */
} collector;

static double *
document_shares(GPtrArray *hits)
{
    double *shares = g_new0(double, (gsize)hits->len + 1), total = 0;
    for (guint i = 0; i < hits->len; i++) {
        const retrieval_hit *hit = hits->pdata[i];
        total += MAX(hit->score, 0);
        for (guint j = 0; j < hits->len; j++) {
            const retrieval_hit *other = hits->pdata[j];
            if (g_strcmp0(hit->path, other->path) == 0) shares[i] += MAX(other->score, 0);
        }
    }
    for (guint i = 0; i < hits->len; i++)
        shares[i] = total > 0 ? shares[i] / total : 0;
    return shares;
}

static void
fill_features(const collector *c, guint passage, const GArray *sentences, guint index,
              GHashTable *words, double *f)
{
    const retrieval_hit *hit = c->hits->pdata[passage];
    const pipelines_quote *q = &g_array_index(sentences, pipelines_quote, index);
    const char *text = hit->text + q->start;
    const pipelines_quote *from =
        &g_array_index(sentences, pipelines_quote, index > 0 ? index - 1 : 0);
    const pipelines_quote *to =
        &g_array_index(sentences, pipelines_quote, MIN(index + 1, sentences->len - 1));
    g_autoptr(GHashTable) around =
        pipelines_content_words(hit->text + from->start, to->start + to->len - from->start);
    g_autoptr(GPtrArray) list = word_list(text, q->len);
    present p = read_sentence(text, q->len, c->asked);
    f[EVIDENCE_COVERAGE] = evidence_coverage(&c->words, words);
    f[EVIDENCE_PASSAGE] = evidence_coverage(&c->words, c->hit_words->pdata[passage]);
    f[EVIDENCE_AROUND] = evidence_coverage(&c->words, around);
    f[EVIDENCE_PAIRS] = pairs_found(c->asked_list, list);
    f[EVIDENCE_COSINE] = 0;
    f[EVIDENCE_RANK] = 1.0 / (1.0 + passage);
    f[EVIDENCE_DOCUMENT] = c->document_share[passage];
    f[EVIDENCE_NUMBER] = met(c->wanted.number, p.number);
    f[EVIDENCE_DATE] = met(c->wanted.date, p.date);
    f[EVIDENCE_NAME] = met(c->wanted.name, p.name);
    f[EVIDENCE_REASON] = met(c->wanted.reason, p.reason);
    f[EVIDENCE_LOWER] = g_unichar_islower(g_utf8_get_char(text));
    f[EVIDENCE_OPEN] =
        hit->type != LAYOUT_BLOCK_TABLE && memchr(".!?:;]|)\"", text[q->len - 1], 9) == NULL;
    f[EVIDENCE_SHORT] = p.n_words < 8;
    f[EVIDENCE_LONG] = p.n_words > 40 ? MIN((p.n_words - 40) / 10.0, 4) : 0;
    f[EVIDENCE_ECHO] = pipelines_share_of(words, c->asked);
    f[EVIDENCE_QUESTION] = text[q->len - 1] == '?';
    f[EVIDENCE_REFERENCE] = p.reference;
}

static double
score_of(const double *features, gboolean embedded)
{
    const double *weights = embedded ? weights_embedded : weights_words;
    double sum = embedded ? bias_embedded : bias_words;
    for (int i = 0; i < EVIDENCE_N_FEATURES; i++)
        sum += weights[i] * features[i];
    return 1 / (1 + exp(-sum));
}

static gint
compare_sentences(gconstpointer a, gconstpointer b)
{
    const pipelines_quote *x = &((const evidence_sentence *)a)->quote;
    const pipelines_quote *y = &((const evidence_sentence *)b)->quote;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    if (x->passage != y->passage) return x->passage < y->passage ? -1 : 1;
    return x->start < y->start ? -1 : x->start > y->start;
}

static GArray *
collect_by_words(const collector *c)
{
    GArray *all = g_array_new(FALSE, TRUE, sizeof(evidence_sentence));
    for (guint i = 0; i < c->hits->len; i++) {
        const retrieval_hit *hit = c->hits->pdata[i];
        g_autoptr(GArray) sentences = pipelines_hit_sentences(hit);
        for (guint j = 0; j < sentences->len; j++) {
            evidence_sentence s = {.quote = g_array_index(sentences, pipelines_quote, j)};
            g_autoptr(GHashTable) words =
                pipelines_content_words(hit->text + s.quote.start, s.quote.len);
            if (g_hash_table_size(words) < MIN_QUOTE_WORDS ||
                pipelines_is_instruction(hit->text + s.quote.start, s.quote.len))
                continue;
            s.quote.passage = i;
            fill_features(c, i, sentences, j, words, s.features);
            s.quote.score = score_of(s.features, FALSE);
            g_array_append_val(all, s);
        }
    }
    g_array_sort(all, compare_sentences);
    if (all->len > EVIDENCE_MAX_SENTENCES) g_array_set_size(all, EVIDENCE_MAX_SENTENCES);
    return all;
}

double
evidence_cosine(const float *a, const float *b, size_t n)
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
add_cosines(GArray *all, GPtrArray *hits, const char *question, const pipelines_model *embedder,
            engine_pool *pool, const int *cancel, GError **error)
{
    guint n = MIN(all->len, EVIDENCE_MAX_EMBEDDED);
    size_t n_dims = engine_model_get_info(embedder->model)->n_embd;
    g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(texts, g_strconcat(embedder->query_prefix, question, NULL));
    for (guint i = 0; i < n; i++) {
        const pipelines_quote *quote = &g_array_index(all, evidence_sentence, i).quote;
        const retrieval_hit *hit = hits->pdata[quote->passage];
        g_ptr_array_add(texts, g_strndup(hit->text + quote->start, quote->len));
    }
    g_autofree float *vectors = g_new(float, (n + 1) * n_dims);
    if (!engine_embed(embedder->model, pool, (const char *const *)texts->pdata, n + 1, vectors,
                      cancel, error))
        return FALSE;
    g_array_set_size(all, n);
    for (guint i = 0; i < n; i++) {
        evidence_sentence *s = &g_array_index(all, evidence_sentence, i);
        s->features[EVIDENCE_COSINE] = evidence_cosine(vectors, vectors + (i + 1) * n_dims, n_dims);
        s->quote.score = score_of(s->features, TRUE);
    }
    g_array_sort(all, compare_sentences);
    return TRUE;
}

GArray *
evidence_collect(GPtrArray *hits, const char *question, const pipelines_model *embedder,
                 engine_pool *pool, const int *cancel, GError **error)
{
    g_autoptr(GPtrArray) hit_words = evidence_hit_words(hits);
    g_autoptr(GHashTable) asked = pipelines_content_words(question, strlen(question));
    g_autoptr(GPtrArray) asked_list = word_list(question, strlen(question));
    g_autofree double *shares = document_shares(hits);
    /* a question as long as a book has its pairs in its first words */
    if (asked_list->len > 64) g_ptr_array_set_size(asked_list, 64);
    collector c = {.hits = hits,
                   .hit_words = hit_words,
                   .words = evidence_weigh(question, hit_words),
                   .asked = asked,
                   .asked_list = asked_list,
                   .wanted = read_question(question),
                   .document_share = shares};
    g_autoptr(GArray) all = collect_by_words(&c);
    evidence_words_clear(&c.words);
    if (embedder != NULL && all->len > 0 &&
        !add_cosines(all, hits, question, embedder, pool, cancel, error))
        return NULL;
    return g_steal_pointer(&all);
}

GArray *
pipelines_rank_sentences(GPtrArray *hits, const char *question, const pipelines_model *embedder,
                         engine_pool *pool, const int *cancel, GError **error)
{
    g_autoptr(GArray) all = evidence_collect(hits, question, embedder, pool, cancel, error);
    if (all == NULL) return NULL;
    GArray *ranked = g_array_sized_new(FALSE, FALSE, sizeof(pipelines_quote), all->len);
    for (guint i = 0; i < all->len; i++)
        g_array_append_val(ranked, g_array_index(all, evidence_sentence, i).quote);
    return ranked;
}
