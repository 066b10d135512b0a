/* A run's results for people: Markdown, and one HTML file with its plots drawn as SVG. */
#include <string.h>

#include "pipelines/eval.h"

enum { PLOT_WIDTH = 720, ROW_HEIGHT = 24, LABEL_WIDTH = 170, BAR_WIDTH = 420 };

static double
number_of(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

static char *
value_text(const json_t *value)
{
    if (json_is_string(value)) return g_strdup(json_string_value(value));
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(9));
    char *copy = g_strdup(text);
    free(text);
    return copy;
}

/* One metric's value for a question, mean over a type; TRUE where there is one. */
static gboolean
mean_of_type(const json_t *results, const char *type, const char *metric, double *mean, guint *n)
{
    const json_t *questions = json_object_get(results, "questions");
    double sum = 0;
    *n = 0;
    for (size_t i = 0; i < json_array_size(questions); i++) {
        const json_t *q = json_array_get(questions, i);
        const json_t *value = json_object_get(json_object_get(q, "values"), metric);
        if (value == NULL || strcmp(pipelines_json_member(q, "type"), type) != 0) continue;
        sum += json_number_value(value);
        (*n)++;
    }
    *mean = *n > 0 ? sum / *n : 0;
    return *n > 0;
}

static GPtrArray *
types_of(const json_t *results)
{
    GPtrArray *types = g_ptr_array_new();
    const json_t *questions = json_object_get(results, "questions");
    for (size_t i = 0; i < json_array_size(questions); i++) {
        const char *type = pipelines_json_member(json_array_get(questions, i), "type");
        if (!g_ptr_array_find_with_equal_func(types, type, g_str_equal, NULL))
            g_ptr_array_add(types, (gpointer)type);
    }
    return types;
}

/* ---- Markdown ---- */

static void
append_types(GString *text, const json_t *results)
{
    g_autoptr(GPtrArray) types = types_of(results);
    const json_t *metrics = json_object_get(results, "metrics");
    if (types->len < 2) return;
    g_string_append(text,
                    "\n## By type\n\n| type | metric | mean | n |\n| --- | --- | --- | --- |\n");
    for (guint i = 0; i < types->len; i++)
        for (size_t j = 0; j < json_array_size(metrics); j++) {
            const char *name = pipelines_json_member(json_array_get(metrics, j), "name");
            double mean;
            guint n;
            if (mean_of_type(results, types->pdata[i], name, &mean, &n))
                g_string_append_printf(text, "| %s | %s | %.4f | %u |\n",
                                       (const char *)types->pdata[i], name, mean, n);
        }
}

char *
eval_report_markdown(const json_t *results)
{
    const json_t *set = json_object_get(results, "dataset");
    const json_t *metrics = json_object_get(results, "metrics");
    const int n_asked = (int)number_of(results, "asked");
    g_autoptr(GString) text = g_string_new(NULL);
    g_string_append_printf(
        text,
        "# Evaluation: %s\n\n%d of %.0f questions, %.0f documents; %.0f without an answer, %.0f "
        "refused (%.1f %%).\n\n",
        pipelines_json_member(set, "name"), n_asked, number_of(set, "questions"),
        number_of(set, "documents"), number_of(results, "absent"), number_of(results, "refused"),
        n_asked > 0 ? 100 * number_of(results, "refused") / n_asked : 0);
    if (number_of(results, "with_evidence") > 0)
        g_string_append_printf(
            text, "Of the %.0f questions that have evidence, %.0f were refused (%.1f %%).\n\n",
            number_of(results, "with_evidence"), number_of(results, "refused_wrongly"),
            100 * number_of(results, "refused_wrongly") / number_of(results, "with_evidence"));
    g_string_append(text, "| metric | mean | 95 % interval | n |\n| --- | --- | --- | --- |\n");
    for (size_t i = 0; i < json_array_size(metrics); i++) {
        const json_t *m = json_array_get(metrics, i);
        g_string_append_printf(text, "| %s | %.4f | %.4f to %.4f | %.0f |\n",
                               pipelines_json_member(m, "name"), number_of(m, "mean"),
                               number_of(m, "low"), number_of(m, "high"), number_of(m, "n"));
    }
    append_types(text, results);
    g_string_append_printf(text, "\n## Settings\n\n- time: %s\n",
                           pipelines_json_member(results, "time"));
    const char *key;
    json_t *value;
    json_object_foreach(json_object_get(results, "settings"), key, value)
    {
        g_autofree char *shown = value_text(value);
        g_string_append_printf(text, "- %s: %s\n", key, shown);
    }
    g_string_append_printf(text,
                           "- seconds, of all questions: %.1f\n- tokens read: %.0f, written: %.0f\n"
                           "- intervals: percentile bootstrap, %.0f resamples\n",
                           number_of(results, "question_seconds"),
                           number_of(results, "prompt_tokens"), number_of(results, "answer_tokens"),
                           number_of(results, "resamples"));
    return g_string_free(g_steal_pointer(&text), FALSE);
}

/* ---- HTML ---- */

static void
append_escaped(GString *out, const char *text)
{
    g_autofree char *safe = g_markup_escape_text(text, -1);
    g_string_append(out, safe);
}

/* One bar a metric, its interval as a whisker. */
static void
append_bars(GString *out, const json_t *metrics)
{
    const size_t n = json_array_size(metrics);
    g_string_append_printf(out,
                           "<svg viewBox=\"0 0 %d %zu\" role=\"img\" aria-label=\"Means with 95 %% "
                           "intervals\">\n",
                           PLOT_WIDTH, (n + 1) * ROW_HEIGHT);
    for (int i = 0; i <= 4; i++) {
        const int x = LABEL_WIDTH + BAR_WIDTH * i / 4;
        g_string_append_printf(out,
                               "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"0\" y2=\"%zu\"/>"
                               "<text class=\"tick\" x=\"%d\" y=\"%zu\">%.2f</text>\n",
                               x, x, n * ROW_HEIGHT, x, n * ROW_HEIGHT + 16, i / 4.0);
    }
    for (size_t i = 0; i < n; i++) {
        const json_t *m = json_array_get(metrics, i);
        const double y = (double)(i * ROW_HEIGHT), mean = number_of(m, "mean");
        const double low = LABEL_WIDTH + BAR_WIDTH * number_of(m, "low");
        const double high = LABEL_WIDTH + BAR_WIDTH * number_of(m, "high");
        g_string_append_printf(out, "<text class=\"name\" x=\"%d\" y=\"%.1f\">", LABEL_WIDTH - 8,
                               y + 16);
        append_escaped(out, pipelines_json_member(m, "name"));
        g_string_append_printf(out,
                               "</text><rect x=\"%d\" y=\"%.1f\" width=\"%.1f\" height=\"14\"/>"
                               "<path d=\"M%.1f %.1fH%.1fM%.1f %.1fv8M%.1f %.1fv8\"/>"
                               "<text x=\"%d\" y=\"%.1f\">%.4f</text>\n",
                               LABEL_WIDTH, y + 5, BAR_WIDTH * mean, low, y + 12, high, low, y + 8,
                               high, y + 8, LABEL_WIDTH + BAR_WIDTH + 12, y + 16, mean);
    }
    g_string_append(out, "</svg>\n");
}

/* How many questions have which value of a metric, in tenths. */
static void
append_histogram(GString *out, const json_t *results, const char *metric)
{
    guint counts[10] = {0}, top = 1;
    const json_t *questions = json_object_get(results, "questions");
    for (size_t i = 0; i < json_array_size(questions); i++) {
        const json_t *value =
            json_object_get(json_object_get(json_array_get(questions, i), "values"), metric);
        if (value == NULL) continue;
        const double x = CLAMP(json_number_value(value), 0, 1);
        const guint bin = (guint)MIN(x * 10, 9);
        counts[bin]++;
        top = MAX(top, counts[bin]);
    }
    g_string_append(out, "<h2>Questions by ");
    append_escaped(out, metric);
    g_string_append(out, "</h2>\n<svg viewBox=\"0 0 720 170\" role=\"img\">\n");
    for (guint i = 0; i < 10; i++) {
        const double height = 120.0 * counts[i] / top;
        g_string_append_printf(out,
                               "<rect x=\"%u\" y=\"%.1f\" width=\"56\" height=\"%.1f\"/>"
                               "<text x=\"%u\" y=\"%.1f\">%u</text>"
                               "<text class=\"tick\" x=\"%u\" y=\"158\">%.1f</text>\n",
                               40 + i * 64, 140 - height, height, 44 + i * 64, 134 - height,
                               counts[i], 40 + i * 64, i / 10.0);
    }
    g_string_append(out, "</svg>\n");
}

static const char *
main_metric(const json_t *results)
{
    static const char *const names[] = {"f1", "accuracy", "fusion.ndcg@10", "bm25.ndcg@10"};
    const json_t *metrics = json_object_get(results, "metrics");
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        for (size_t j = 0; j < json_array_size(metrics); j++)
            if (strcmp(pipelines_json_member(json_array_get(metrics, j), "name"), names[i]) == 0)
                return names[i];
    return NULL;
}

/* Rows gold, columns got. */
static void
append_confusion(GString *out, const json_t *results)
{
    g_autoptr(GPtrArray) labels = g_ptr_array_new();
    const json_t *questions = json_object_get(results, "questions");
    for (size_t i = 0; i < json_array_size(questions); i++) {
        const char *gold = pipelines_json_member(json_array_get(questions, i), "gold");
        if (*gold != '\0' && !g_ptr_array_find_with_equal_func(labels, gold, g_str_equal, NULL))
            g_ptr_array_add(labels, (gpointer)gold);
    }
    if (labels->len == 0) return;
    g_string_append(out, "<h2>Labels</h2>\n<table><tr><th>gold \\ given</th>");
    for (guint i = 0; i < labels->len; i++) {
        g_string_append(out, "<th>");
        append_escaped(out, labels->pdata[i]);
        g_string_append(out, "</th>");
    }
    g_string_append(out, "<th>none</th></tr>\n");
    for (guint i = 0; i < labels->len; i++) {
        g_string_append(out, "<tr><td>");
        append_escaped(out, labels->pdata[i]);
        g_string_append(out, "</td>");
        for (guint j = 0; j <= labels->len; j++) {
            guint n = 0;
            for (size_t k = 0; k < json_array_size(questions); k++) {
                const json_t *q = json_array_get(questions, k);
                n += strcmp(pipelines_json_member(q, "gold"), labels->pdata[i]) == 0 &&
                     strcmp(pipelines_json_member(q, "got"),
                            j < labels->len ? labels->pdata[j] : "") == 0;
            }
            g_string_append_printf(out, "<td>%u</td>", n);
        }
        g_string_append(out, "</tr>\n");
    }
    g_string_append(out, "</table>\n");
}

static void
append_settings(GString *out, const json_t *results)
{
    const char *key;
    json_t *value;
    g_string_append_printf(out, "<h2>Settings</h2>\n<table>\n<tr><td>time</td><td>%s</td></tr>\n",
                           pipelines_json_member(results, "time"));
    json_object_foreach(json_object_get(results, "settings"), key, value)
    {
        g_autofree char *shown = value_text(value);
        g_string_append(out, "<tr><td>");
        append_escaped(out, key);
        g_string_append(out, "</td><td>");
        append_escaped(out, shown);
        g_string_append(out, "</td></tr>\n");
    }
    g_string_append(out, "</table>\n");
}

char *
eval_report_html(const json_t *results)
{
    static const char style[] =
        "body{font:15px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em;"
        "color:#222;background:#fff}svg{width:100%;max-width:720px;height:auto}svg text{font-size:"
        "12px;fill:#222}svg .name{text-anchor:end}svg .tick{fill:#777}svg rect{fill:#4a7ab5}svg "
        "path{stroke:#222;fill:none}svg .grid{stroke:#ddd}table{border-collapse:collapse}td,th{"
        "border:1px solid #ddd;padding:.2em .6em;text-align:left;overflow-wrap:anywhere}";
    const json_t *set = json_object_get(results, "dataset");
    const char *metric = main_metric(results);
    g_autoptr(GString) out =
        g_string_new("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n<title>");
    append_escaped(out, pipelines_json_member(set, "name"));
    g_string_append_printf(out,
                           "</title>\n<style>%s</style></head><body>\n<h1>Evaluation: ", style);
    append_escaped(out, pipelines_json_member(set, "name"));
    g_string_append_printf(out,
                           "</h1>\n<p>%.0f of %.0f questions, %.0f documents; %.0f without an "
                           "answer, %.0f refused. Bars: means; whiskers: 95 %% intervals.</p>\n",
                           number_of(results, "asked"), number_of(set, "questions"),
                           number_of(set, "documents"), number_of(results, "absent"),
                           number_of(results, "refused"));
    append_bars(out, json_object_get(results, "metrics"));
    append_confusion(out, results);
    if (metric != NULL) append_histogram(out, results, metric);
    append_settings(out, results);
    g_string_append(out, "</body></html>\n");
    return g_string_free(g_steal_pointer(&out), FALSE);
}
