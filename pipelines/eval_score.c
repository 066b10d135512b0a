/* Predictions -> metrics. Each is defined as in the scorers that others use, so that numbers can be compared:
 *
 *   em, f1, contains  SQuAD's, best over the accepted answers; contains: an answer's tokens stand in ours in a row
 *   loose             mean share of an answer's parts found in ours
 *   accuracy          the label named first is the right one; macro_f1: mean of the labels' F1
 *   abstain_acc       sets that tell: answered exactly the answerable ones
 *   evidence_any/all/mean  of the gold documents, those cited; passage_*: those among the first ten passages
 *   cited             questions with gold evidence that cite anything; citation_prec: share of the cited that are gold
 *   quote_recall      share of the gold quotes that a cited quote of the same document covers
 *   quote_valid       share of the cited quotes that stand in the document, spaces and case aside
 *   METHOD.ndcg@10    linear gain, log2 discount; .recall@10, .recall@100, .mrr@10, .map as trec_eval has them
 *
 * A question without a prediction counts 0 everywhere. */
#include <math.h>
#include <string.h>

#include "pipelines/eval.h"

enum { PASSAGE_DEPTH = 10 };

static const char *const lane_names[] = {"retrieval", "answer", "label", "claim", "paper", "hops"};

const char *
eval_lane_name(eval_lane lane)
{
    return lane_names[lane];
}

gboolean
eval_lane_parse(const char *name, eval_lane *lane)
{
    for (guint i = 0; i < G_N_ELEMENTS(lane_names); i++)
        if (strcmp(name, lane_names[i]) == 0) {
            *lane = (eval_lane)i;
            return TRUE;
        }
    return FALSE;
}

eval_lane
eval_lane_guess(const eval_dataset *set)
{
    const eval_question *q = &g_array_index(set->questions, eval_question, 0);
    if (q->answers->len == 0 && q->label == NULL) return EVAL_RETRIEVAL;
    if (q->label != NULL) return strcmp(q->type, "claim") == 0 ? EVAL_CLAIM : EVAL_LABEL;
    if (q->doc != NULL) return EVAL_PAPER;
    guint n_several = 0;
    for (guint i = 0; i < set->questions->len; i++)
        n_several += g_array_index(set->questions, eval_question, i).evidence->len > 1;
    return n_several * 2 > set->questions->len ? EVAL_HOPS : EVAL_ANSWER;
}

/* ---- one question ---- */

static void
set(eval_row *row, const char *name, double value)
{
    double *copy = g_new(double, 1);
    *copy = value;
    g_hash_table_insert(row->values, g_strdup(name), copy);
}

static void
set_of(eval_row *row, const char *prefix, const char *name, double value)
{
    g_autofree char *full = g_strconcat(prefix, name, NULL);
    set(row, full, value);
}

static char *
answer_text(const json_t *prediction)
{
    const json_t *answer = json_object_get(prediction, "answer");
    if (!json_is_array(answer))
        return g_strdup(json_is_string(answer) ? json_string_value(answer) : "");
    g_autoptr(GString) text = g_string_new(NULL);
    for (size_t i = 0; i < json_array_size(answer); i++) {
        const char *part = json_string_value(json_array_get(answer, i));
        if (part != NULL) g_string_append_printf(text, "%s%s", text->len > 0 ? ", " : "", part);
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}

static void
score_text(eval_row *row, const eval_question *q, const char *answer)
{
    double em = 0, f1 = 0, contains = 0;
    g_autofree char *normal = eval_normal(answer);
    for (guint i = 0; i < q->answers->len; i++) {
        const char *gold = q->answers->pdata[i];
        g_autofree char *want = eval_normal(gold);
        em = MAX(em, *normal != '\0' && strcmp(normal, want) == 0);
        f1 = MAX(f1, eval_token_f1(answer, gold));
        contains = MAX(contains, eval_holds(answer, gold));
    }
    set(row, "em", em);
    set(row, "f1", f1);
    set(row, "contains", contains);
}

static void
score_parts(eval_row *row, const eval_question *q, const char *answer)
{
    guint n_found = 0;
    for (guint i = 0; i < q->parts->len; i++) {
        const GPtrArray *alternatives = q->parts->pdata[i];
        gboolean found = FALSE;
        for (guint j = 0; j < alternatives->len && !found; j++)
            found = eval_holds(answer, alternatives->pdata[j]);
        if (found) n_found++;
    }
    set(row, "loose", (double)n_found / q->parts->len);
}

static void
score_answer(eval_row *row, const eval_dataset *set_, const eval_question *q,
             const json_t *prediction)
{
    g_autofree char *answer = answer_text(prediction);
    g_autofree char *normal = eval_normal(answer);
    const gboolean refused = json_is_true(json_object_get(prediction, "abstain")) ||
                             (set_->tells_answerable && strcmp(normal, "unanswerable") == 0);
    if (q->label != NULL) {
        const char *label = json_string_value(json_object_get(prediction, "label"));
        const char *got =
            eval_named_label(label != NULL && *label != '\0' ? label : answer, set_->labels);
        row->gold = g_strdup(q->label);
        row->got = g_strdup(got);
        set(row, "accuracy", g_strcmp0(got, q->label) == 0);
    } else if (q->answerable && q->answers->len > 0 && strcmp(q->type, "long") != 0 &&
               strcmp(q->type, "rubric") != 0) {
        score_text(row, q, answer);
    } else if (!q->answerable) {
        set(row, "em", refused);
        set(row, "f1", refused);
    }
    if (set_->tells_answerable)
        set(row, "abstain_acc", prediction != NULL && refused != q->answerable);
    if (q->parts != NULL) score_parts(row, q, answer);
}

/* found [documents] against gold. */
static void
set_shares(eval_row *row, const char *prefix, GHashTable *found, GHashTable *gold)
{
    const guint n_hit = pipelines_count_in(gold, found), n = g_hash_table_size(gold);
    set_of(row, prefix, "_any", n_hit > 0);
    set_of(row, prefix, "_all", n_hit == n);
    set_of(row, prefix, "_mean", (double)n_hit / n);
}

static const char *
cited_doc(const json_t *citation)
{
    if (json_is_string(citation)) return json_string_value(citation);
    return json_string_value(json_object_get(citation, "doc"));
}

static const char *
cited_quote(const json_t *citation)
{
    const char *quote = json_string_value(json_object_get(citation, "quote"));
    return quote != NULL ? quote : "";
}

static void
score_quotes(eval_row *row, const eval_question *q, const json_t *citations)
{
    guint n_quotes = 0, n_covered = 0;
    for (guint i = 0; i < q->evidence->len; i++) {
        const eval_evidence *e = &g_array_index(q->evidence, eval_evidence, i);
        if (*e->quote == '\0') continue;
        n_quotes++;
        gboolean covered = FALSE;
        for (size_t j = 0; j < json_array_size(citations) && !covered; j++) {
            const json_t *c = json_array_get(citations, j);
            covered = g_strcmp0(cited_doc(c), e->doc) == 0 && *cited_quote(c) != '\0' &&
                      eval_covers(cited_quote(c), e->quote);
        }
        if (covered) n_covered++;
    }
    if (n_quotes > 0) set(row, "quote_recall", (double)n_covered / n_quotes);
}

static void
score_citations(eval_row *row, const eval_question *q, const json_t *prediction,
                gboolean has_passages)
{
    const json_t *citations = json_object_get(prediction, "citations");
    g_autoptr(GHashTable) gold = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GHashTable) cited = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < q->evidence->len; i++)
        g_hash_table_add(gold, g_array_index(q->evidence, eval_evidence, i).doc);
    if (g_hash_table_size(gold) == 0) return;
    guint n_right = 0;
    for (size_t i = 0; i < json_array_size(citations); i++) {
        const char *doc = cited_doc(json_array_get(citations, i));
        if (doc != NULL && g_hash_table_add(cited, (gpointer)doc) &&
            g_hash_table_contains(gold, doc))
            n_right++;
    }
    set_shares(row, "evidence", cited, gold);
    set(row, "cited", g_hash_table_size(cited) > 0);
    if (g_hash_table_size(cited) > 0)
        set(row, "citation_prec", (double)n_right / g_hash_table_size(cited));
    score_quotes(row, q, citations);
    if (!has_passages) return;
    g_autoptr(GHashTable) top = g_hash_table_new(g_str_hash, g_str_equal);
    const json_t *passages = json_object_get(prediction, "passages");
    for (size_t i = 0; i < MIN(json_array_size(passages), PASSAGE_DEPTH); i++) {
        const char *doc = json_string_value(json_array_get(passages, i));
        if (doc != NULL) g_hash_table_add(top, (gpointer)doc);
    }
    set_shares(row, "passage", top, gold);
}

static void
score_validity(eval_row *row, const eval_dataset *set_, const json_t *prediction, GHashTable *flat)
{
    const json_t *citations = json_object_get(prediction, "citations");
    guint n = 0, n_valid = 0;
    for (size_t i = 0; i < json_array_size(citations); i++) {
        const json_t *c = json_array_get(citations, i);
        g_autofree char *quote = eval_flat(cited_quote(c));
        const char *doc = cited_doc(c);
        if (*quote == '\0' || doc == NULL) continue;
        n++;
        const eval_document *d = g_hash_table_lookup(set_->by_id, doc);
        if (d == NULL) continue;
        char *text = g_hash_table_lookup(flat, doc);
        if (text == NULL) {
            g_autofree char *whole = g_strconcat(d->title, " ", d->text, NULL);
            text = eval_flat(whole);
            g_hash_table_insert(flat, d->id, text);
        }
        n_valid += strstr(text, quote) != NULL;
    }
    if (n > 0) set(row, "quote_valid", (double)n_valid / n);
}

/* ---- rankings ---- */

static gint
descending(gconstpointer a, gconstpointer b)
{
    const int x = *(const int *)a, y = *(const int *)b;
    return x > y ? -1 : x < y;
}

static double
ideal_gain(GHashTable *judged, guint depth)
{
    g_autoptr(GArray) values = g_array_new(FALSE, FALSE, sizeof(int));
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, judged);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const int relevance = GPOINTER_TO_INT(value) - 1;
        if (relevance > 0) g_array_append_val(values, relevance);
    }
    g_array_sort(values, descending);
    double sum = 0;
    for (guint i = 0; i < MIN(values->len, depth); i++)
        sum += g_array_index(values, int, i) / log2(i + 2.0);
    return sum;
}

static guint
n_relevant(GHashTable *judged)
{
    guint n = 0;
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, judged);
    while (g_hash_table_iter_next(&iter, NULL, &value))
        n += GPOINTER_TO_INT(value) > 1;
    return n;
}

static void
score_ranking(eval_row *row, const char *method, const json_t *ranking, GHashTable *judged)
{
    const guint n = n_relevant(judged);
    double gain = 0, precision = 0, reciprocal = 0;
    guint n_10 = 0, n_100 = 0, n_all = 0;
    for (guint i = 0; i < json_array_size(ranking); i++) {
        const char *doc = json_string_value(json_array_get(ranking, i));
        const int relevance =
            doc != NULL ? GPOINTER_TO_INT(g_hash_table_lookup(judged, doc)) - 1 : 0;
        if (relevance <= 0) continue;
        if (i < 10) gain += relevance / log2(i + 2.0);
        if (i < 10 && reciprocal == 0) reciprocal = 1.0 / (i + 1);
        n_10 += i < 10;
        n_100 += i < 100;
        precision += (double)++n_all / (i + 1);
    }
    g_autofree char *prefix = g_strconcat(method, ".", NULL);
    set_of(row, prefix, "ndcg@10", gain / ideal_gain(judged, 10));
    set_of(row, prefix, "recall@10", (double)n_10 / n);
    set_of(row, prefix, "recall@100", (double)n_100 / n);
    set_of(row, prefix, "mrr@10", reciprocal);
    set_of(row, prefix, "map", precision / n);
}

static const char *const methods[] = {"bm25", "dense", "fusion"};

static void
score_rankings(eval_row *row, const eval_question *q, const eval_dataset *set_,
               const json_t *prediction, const gboolean *has_method)
{
    GHashTable *judged = g_hash_table_lookup(set_->judgements, q->id);
    if (judged == NULL || n_relevant(judged) == 0) return;
    const json_t *rankings = json_object_get(prediction, "rankings");
    for (guint i = 0; i < G_N_ELEMENTS(methods); i++)
        if (has_method[i])
            score_ranking(row, methods[i], json_object_get(rankings, methods[i]), judged);
}

/* ---- all of them ---- */

static void
row_free(gpointer data)
{
    eval_row *row = data;
    g_free(row->id);
    g_free(row->type);
    g_free(row->gold);
    g_free(row->got);
    g_hash_table_unref(row->values);
    g_free(row);
}

static void
metric_free(gpointer data)
{
    eval_metric *metric = data;
    g_free(metric->name);
    g_free(metric);
}

void
eval_scores_free(eval_scores *scores)
{
    if (scores == NULL) return;
    g_ptr_array_unref(scores->rows);
    g_ptr_array_unref(scores->metrics);
    g_free(scores);
}

static void
add_mean(eval_scores *scores, const char *name, uint64_t seed)
{
    g_autoptr(GArray) values = g_array_new(FALSE, FALSE, sizeof(double));
    double sum = 0;
    for (guint i = 0; i < scores->rows->len; i++) {
        const eval_row *row = scores->rows->pdata[i];
        const double *value = g_hash_table_lookup(row->values, name);
        if (value == NULL) continue;
        g_array_append_val(values, *value);
        sum += *value;
    }
    if (values->len == 0) return;
    eval_metric *metric = g_new0(eval_metric, 1);
    metric->name = g_strdup(name);
    metric->n = values->len;
    metric->mean = sum / values->len;
    eval_bootstrap((const double *)(void *)values->data, values->len, seed, &metric->low,
                   &metric->high);
    g_ptr_array_add(scores->metrics, metric);
}

/* Over the labels that are gold in order [n] of rows. */
static double
macro_f1(const eval_scores *scores, const GPtrArray *labels, const guint *order, guint n)
{
    double sum = 0;
    guint n_labels = 0;
    for (guint i = 0; i < labels->len; i++) {
        guint tp = 0, fp = 0, fn = 0;
        for (guint j = 0; j < n; j++) {
            const eval_row *row = scores->rows->pdata[order[j]];
            const gboolean gold = strcmp(row->gold, labels->pdata[i]) == 0;
            const gboolean got = g_strcmp0(row->got, labels->pdata[i]) == 0;
            tp += gold && got;
            fp += !gold && got;
            fn += gold && !got;
        }
        if (tp + fn == 0) continue;
        n_labels++;
        sum += tp > 0 ? 2.0 * tp / (2.0 * tp + fp + fn) : 0;
    }
    return n_labels > 0 ? sum / n_labels : 0;
}

static gint
ascending(gconstpointer a, gconstpointer b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void
add_macro_f1(eval_scores *scores, const GPtrArray *labels, uint64_t seed)
{
    g_autoptr(GArray) rows = g_array_new(FALSE, FALSE, sizeof(guint));
    for (guint i = 0; i < scores->rows->len; i++)
        if (((const eval_row *)scores->rows->pdata[i])->gold != NULL) g_array_append_val(rows, i);
    if (rows->len == 0) return;
    const guint *all = (const guint *)(void *)rows->data;
    eval_metric *metric = g_new0(eval_metric, 1);
    metric->name = g_strdup("macro_f1");
    metric->n = rows->len;
    metric->mean = macro_f1(scores, labels, all, rows->len);
    double values[EVAL_RESAMPLES];
    g_autofree guint *drawn = g_new(guint, rows->len);
    for (guint i = 0; i < EVAL_RESAMPLES; i++) {
        for (guint j = 0; j < rows->len; j++)
            drawn[j] = all[eval_random(&seed) % rows->len];
        values[i] = macro_f1(scores, labels, drawn, rows->len);
    }
    qsort(values, EVAL_RESAMPLES, sizeof *values, ascending);
    metric->low = values[EVAL_RESAMPLES * 25 / 1000];
    metric->high = values[EVAL_RESAMPLES * 975 / 1000 - 1];
    g_ptr_array_add(scores->metrics, metric);
}

static void
add_means(eval_scores *scores, const eval_dataset *set_, uint64_t seed)
{
    static const char *const names[] = {"em",
                                        "f1",
                                        "contains",
                                        "accuracy",
                                        "abstain_acc",
                                        "loose",
                                        "evidence_any",
                                        "evidence_all",
                                        "evidence_mean",
                                        "cited",
                                        "citation_prec",
                                        "quote_recall",
                                        "quote_valid",
                                        "passage_any",
                                        "passage_all",
                                        "passage_mean"};
    static const char *const ranked[] = {"ndcg@10", "recall@10", "recall@100", "mrr@10", "map"};
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        add_mean(scores, names[i], seed);
        if (strcmp(names[i], "accuracy") == 0) add_macro_f1(scores, set_->labels, seed);
    }
    for (guint i = 0; i < G_N_ELEMENTS(methods); i++)
        for (guint j = 0; j < G_N_ELEMENTS(ranked); j++) {
            g_autofree char *name = g_strconcat(methods[i], ".", ranked[j], NULL);
            add_mean(scores, name, seed);
        }
}

/* What some prediction has is expected of all. */
static void
find_kinds(GHashTable *predictions, gboolean *has_passages, gboolean *has_method)
{
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, predictions);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        if (json_object_get(value, "passages") != NULL) *has_passages = TRUE;
        for (guint i = 0; i < G_N_ELEMENTS(methods); i++)
            if (json_object_get(json_object_get(value, "rankings"), methods[i]) != NULL)
                has_method[i] = TRUE;
    }
}

eval_scores *
eval_score(const eval_dataset *set_, eval_lane lane, GHashTable *predictions, GHashTable *asked,
           uint64_t seed)
{
    eval_scores *scores = g_new0(eval_scores, 1);
    gboolean has_passages = FALSE, has_method[G_N_ELEMENTS(methods)] = {FALSE};
    g_autoptr(GHashTable) flat = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);
    scores->rows = g_ptr_array_new_with_free_func(row_free);
    scores->metrics = g_ptr_array_new_with_free_func(metric_free);
    find_kinds(predictions, &has_passages, has_method);
    for (guint i = 0; i < set_->questions->len; i++) {
        const eval_question *q = &g_array_index(set_->questions, eval_question, i);
        if (asked != NULL && !g_hash_table_contains(asked, q->id)) continue;
        const json_t *prediction = g_hash_table_lookup(predictions, q->id);
        eval_row *row = g_new0(eval_row, 1);
        row->id = g_strdup(q->id);
        row->type = g_strdup(q->type);
        row->values = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        g_ptr_array_add(scores->rows, row);
        scores->n_absent += prediction == NULL;
        const guint refused = json_is_true(json_object_get(prediction, "abstain")) ? 1 : 0;
        scores->n_refused += refused;
        scores->n_with_evidence += q->evidence->len > 0;
        if (q->evidence->len > 0) scores->n_refused_wrongly += refused;
        if (lane == EVAL_RETRIEVAL) {
            score_rankings(row, q, set_, prediction, has_method);
            continue;
        }
        score_answer(row, set_, q, prediction);
        score_citations(row, q, prediction, has_passages);
        score_validity(row, set_, prediction, flat);
    }
    add_means(scores, set_, seed);
    return scores;
}

/* ---- chance ---- */

uint64_t
eval_random(uint64_t *state)
{
    uint64_t x = *state += 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

static double
resampled_mean(const double *values, size_t n, uint64_t *state)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += values[eval_random(state) % n];
    return sum / (double)n;
}

void
eval_bootstrap(const double *values, size_t n, uint64_t seed, double *low, double *high)
{
    double means[EVAL_RESAMPLES];
    for (guint i = 0; i < EVAL_RESAMPLES; i++)
        means[i] = resampled_mean(values, n, &seed);
    qsort(means, EVAL_RESAMPLES, sizeof *means, ascending);
    *low = means[EVAL_RESAMPLES * 25 / 1000];
    *high = means[EVAL_RESAMPLES * 975 / 1000 - 1];
}

double
eval_paired_test(const double *differences, size_t n, uint64_t seed, double *low, double *high)
{
    double means[EVAL_RESAMPLES], mean = 0;
    for (size_t i = 0; i < n; i++)
        mean += differences[i] / (double)n;
    guint n_extreme = 0;
    for (guint i = 0; i < EVAL_RESAMPLES; i++) {
        means[i] = resampled_mean(differences, n, &seed);
        n_extreme += fabs(means[i] - mean) >= fabs(mean) - 1e-12;
    }
    qsort(means, EVAL_RESAMPLES, sizeof *means, ascending);
    *low = means[EVAL_RESAMPLES * 25 / 1000];
    *high = means[EVAL_RESAMPLES * 975 / 1000 - 1];
    return (n_extreme + 1.0) / (EVAL_RESAMPLES + 1.0);
}
