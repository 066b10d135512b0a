/* Two runs over the same questions: is one better, by how much, and where? */
#include <math.h>
#include <string.h>

#include "pipelines/eval.h"

enum { MAX_LISTED = 1000 };

json_t *
eval_results_load(const char *path, GError **error)
{
    g_autofree char *file = g_file_test(path, G_FILE_TEST_IS_DIR)
                                ? g_build_filename(path, "results.json", NULL)
                                : g_strdup(path);
    g_autofree char *text = NULL;
    gsize len = 0;
    json_error_t problem;
    g_autoptr(GError) cause = NULL;
    if (!pipelines_check_input(file, error)) return NULL;
    if (!g_file_get_contents(file, &text, &len, &cause)) {
        g_set_error(error, PIPELINES_ERROR, LODE_ERROR_IO, "%s", cause->message);
        return NULL;
    }
    g_autoptr(json_t) json = json_loadb(text, len, 0, &problem);
    if (json == NULL ||
        g_strcmp0(json_string_value(json_object_get(json, "schema")), "lode-eval") != 0 ||
        !json_is_array(json_object_get(json, "questions"))) {
        g_set_error(error, PIPELINES_ERROR, LODE_ERROR_FORMAT, "%s: no results of lode eval%s%s",
                    file, json == NULL ? ": " : "", json == NULL ? problem.text : "");
        return NULL;
    }
    return g_steal_pointer(&json);
}

static const char *
id_of(const json_t *question)
{
    return json_string_value(json_object_get(question, "_id"));
}

static GHashTable *
by_id(const json_t *results)
{
    GHashTable *table = g_hash_table_new(g_str_hash, g_str_equal);
    size_t i;
    json_t *question;
    json_array_foreach(json_object_get(results, "questions"), i, question)
    {
        if (id_of(question) != NULL)
            g_hash_table_insert(table, (gpointer)id_of(question), question);
    }
    return table;
}

typedef struct {
    const json_t *a; /* questions of the first run */
    GHashTable *b;   /* id -> question of the second */
    uint64_t seed;
    json_t *metrics, *regressions, *improvements;
} comparison;

static void
list_change(comparison *c, const json_t *question, const char *metric, double x, double y)
{
    json_t *list = y < x ? c->regressions : c->improvements;
    if (json_array_size(list) >= MAX_LISTED) return;
    json_array_append_new(list, json_pack("{s:s,s:s,s:f,s:f}", "_id", id_of(question), "metric",
                                          metric, "a", x, "b", y));
}

/* Over the questions that both runs have a value for. */
static void
compare_metric(comparison *c, const char *metric)
{
    g_autoptr(GArray) differences = g_array_new(FALSE, FALSE, sizeof(double));
    double sum_a = 0, sum_b = 0;
    for (size_t i = 0; i < json_array_size(c->a); i++) {
        const json_t *question = json_array_get(c->a, i);
        if (id_of(question) == NULL) continue;
        const json_t *other = g_hash_table_lookup(c->b, id_of(question));
        const json_t *x = json_object_get(json_object_get(question, "values"), metric);
        const json_t *y = json_object_get(json_object_get(other, "values"), metric);
        if (x == NULL || y == NULL) continue;
        const double difference = json_number_value(y) - json_number_value(x);
        g_array_append_val(differences, difference);
        sum_a += json_number_value(x);
        sum_b += json_number_value(y);
        if (fabs(difference) > 1e-9)
            list_change(c, question, metric, json_number_value(x), json_number_value(y));
    }
    const guint n = differences->len;
    if (n == 0) return;
    double low, high;
    const double p =
        eval_paired_test((const double *)(void *)differences->data, n, c->seed, &low, &high);
    json_array_append_new(c->metrics, json_pack("{s:s,s:i,s:f,s:f,s:f,s:f,s:f,s:f,s:b}", "name",
                                                metric, "n", (int)n, "a", sum_a / n, "b", sum_b / n,
                                                "difference", (sum_b - sum_a) / n, "low", low,
                                                "high", high, "p", p, "significant", p < 0.05));
}

static json_t *
changed_settings(const json_t *a, const json_t *b)
{
    json_t *list = json_array();
    const json_t *pairs[] = {json_object_get(a, "settings"), json_object_get(b, "settings")};
    for (size_t side = 0; side < 2; side++) {
        const char *key;
        json_t *value;
        json_object_foreach((json_t *)(void *)pairs[side], key, value)
        {
            json_t *x = json_object_get(pairs[0], key), *y = json_object_get(pairs[1], key);
            if ((side == 1 && x != NULL) || (x != NULL && y != NULL && json_equal(x, y))) continue;
            json_array_append_new(list, json_pack("{s:s,s:O?,s:O?}", "name", key, "a", x, "b", y));
        }
    }
    return list;
}

json_t *
eval_diff(const json_t *a, const json_t *b, uint64_t seed, GError **error)
{
    const char *sums[] = {
        json_string_value(json_object_get(json_object_get(a, "dataset"), "sha256")),
        json_string_value(json_object_get(json_object_get(b, "dataset"), "sha256"))};
    if (g_strcmp0(sums[0], sums[1]) != 0) {
        g_set_error_literal(error, PIPELINES_ERROR, LODE_ERROR_MISMATCH,
                            "the two runs are over different data sets");
        return NULL;
    }
    g_autoptr(GHashTable) other = by_id(b);
    comparison c = {
        json_object_get(a, "questions"), other, seed, json_array(), json_array(), json_array()};
    const json_t *metrics = json_object_get(a, "metrics");
    for (size_t i = 0; i < json_array_size(metrics); i++) {
        const char *name = json_string_value(json_object_get(json_array_get(metrics, i), "name"));
        if (name != NULL) compare_metric(&c, name);
    }
    return json_pack("{s:s,s:i,s:o,s:o,s:o,s:o}", "schema", "lode-eval-diff", "version", 1,
                     "metrics", c.metrics, "settings", changed_settings(a, b), "regressions",
                     c.regressions, "improvements", c.improvements);
}

static void
append_changes(GString *text, const json_t *list, const char *title)
{
    const size_t n = json_array_size(list);
    g_string_append_printf(text, "\n## %s: %zu%s\n\n", title, n, n >= MAX_LISTED ? " or more" : "");
    for (size_t i = 0; i < n; i++) {
        const json_t *change = json_array_get(list, i);
        g_string_append_printf(text, "- %s: %s %.4f to %.4f\n", id_of(change),
                               json_string_value(json_object_get(change, "metric")),
                               json_number_value(json_object_get(change, "a")),
                               json_number_value(json_object_get(change, "b")));
    }
}

char *
eval_diff_markdown(const json_t *diff)
{
    const json_t *metrics = json_object_get(diff, "metrics");
    g_autoptr(GString) text = g_string_new("| metric | A | B | B - A | 95 % interval | p | n |\n"
                                           "| --- | --- | --- | --- | --- | --- | --- |\n");
    for (size_t i = 0; i < json_array_size(metrics); i++) {
        const json_t *m = json_array_get(metrics, i);
        g_string_append_printf(
            text, "| %s | %.4f | %.4f | %+.4f%s | %+.4f to %+.4f | %.3f | %.0f |\n",
            json_string_value(json_object_get(m, "name")),
            json_number_value(json_object_get(m, "a")), json_number_value(json_object_get(m, "b")),
            json_number_value(json_object_get(m, "difference")),
            json_is_true(json_object_get(m, "significant")) ? " *" : "",
            json_number_value(json_object_get(m, "low")),
            json_number_value(json_object_get(m, "high")),
            json_number_value(json_object_get(m, "p")), json_number_value(json_object_get(m, "n")));
    }
    const json_t *settings = json_object_get(diff, "settings");
    if (json_array_size(settings) > 0) g_string_append(text, "\n## Settings that differ\n\n");
    for (size_t i = 0; i < json_array_size(settings); i++) {
        const json_t *s = json_array_get(settings, i);
        char *a = json_dumps(json_object_get(s, "a"), JSON_ENCODE_ANY | JSON_COMPACT);
        char *b = json_dumps(json_object_get(s, "b"), JSON_ENCODE_ANY | JSON_COMPACT);
        g_string_append_printf(text, "- %s: %s, %s\n",
                               json_string_value(json_object_get(s, "name")),
                               a != NULL ? a : "none", b != NULL ? b : "none");
        free(a);
        free(b);
    }
    append_changes(text, json_object_get(diff, "regressions"), "Regressions");
    append_changes(text, json_object_get(diff, "improvements"), "Improvements");
    return g_string_free(g_steal_pointer(&text), FALSE);
}
