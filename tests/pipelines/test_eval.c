/* lode eval: data sets, metrics against the numbers of independent scorers, intervals, runs that resume. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <glib/gstdio.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipelines/eval.h"

#define SET LODE_TEST_DATA "/eval"

static eval_dataset *
load(const char *path)
{
    g_autoptr(GError) error = NULL;
    eval_dataset *set = eval_dataset_load(path, NULL, &error);
    if (set == NULL) fail_msg("%s", error->message);
    return set;
}

static GHashTable *
load_predictions(const char *path)
{
    GHashTable *table =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)json_decref);
    g_autofree char *text = NULL;
    assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line != NULL; line++) {
        if (**line == '\0') continue;
        json_t *json = json_loads(*line, 0, NULL);
        assert_non_null(json);
        const char *id = json_string_value(json_object_get(json, "_id"));
        g_hash_table_insert(table, g_strdup(id), json);
    }
    return table;
}

static void
expect_mean(const eval_scores *scores, const char *name, double mean)
{
    for (guint i = 0; i < scores->metrics->len; i++) {
        const eval_metric *m = scores->metrics->pdata[i];
        if (strcmp(m->name, name) != 0) continue;
        if (fabs(m->mean - mean) > 1e-6) fail_msg("%s is %.6f, not %.6f", name, m->mean, mean);
        assert_true(m->low <= m->mean + 1e-12 && m->high >= m->mean - 1e-12);
        return;
    }
    fail_msg("no %s", name);
}

static void
texts_are_normalised_as_squad_has_them(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"The Rate\xE2\x80\x93of A/B: 93%!", "rate of b 93"},
        {"a\xC2\xB1"
         "an The_the \xE2\x80\x9Cx\xE2\x80\x9D\xE2\x80\xA6",
         "\xC2\xB1 thethe x"},
        {"\xCE\xB1-the \xCE\xB2\xC2\xA0 an", "\xCE\xB1 \xCE\xB2"},
        {"Don't A. a", "dont"},
        {"5\xC2\xB5m the\xC2\xB2", "5\xC2\xB5m the\xC2\xB2"},
        {"", ""},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *normal = eval_normal(cases[i][0]);
        assert_string_equal(normal, cases[i][1]);
    }
    assert_true(fabs(eval_token_f1("a b b c", "b b d") - 2.0 / 3) < 1e-12);
    assert_true(eval_covers("x b c d e f", "b c q d e"));
    assert_false(eval_covers("x", "a the"));
    assert_true(eval_holds("about 4 m deep", "4 M"));
    assert_false(eval_holds("about 14 m deep", "4 m"));
    g_autofree char *plain = eval_without_marks("Yes [1, 2]. It [does] [3]");
    assert_string_equal(plain, "Yes . It [does] ");
}

static void
answers_score_as_other_scorers_have_it(void **state)
{
    (void)state;
    g_autoptr(eval_dataset) set = load(SET);
    g_autoptr(GHashTable) predictions = load_predictions(SET "/predictions.jsonl");
    assert_int_equal(eval_lane_guess(set), EVAL_ANSWER);
    g_autoptr(eval_scores) scores = eval_score(set, EVAL_ANSWER, predictions, NULL, 1);
    static const struct {
        const char *name;
        double mean;
    } expected[] = {
        {"em", 0.2},           {"f1", 0.438889},       {"contains", 0.4},    {"evidence_any", 0.4},
        {"evidence_all", 0.4}, {"evidence_mean", 0.4}, {"cited", 0.6},       {"citation_prec", 0.5},
        {"quote_recall", 0},   {"passage_any", 0.4},   {"passage_all", 0.4}, {"passage_mean", 0.4},
        {"quote_valid", 0.75},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(expected); i++)
        expect_mean(scores, expected[i].name, expected[i].mean);
    assert_int_equal(scores->metrics->len, G_N_ELEMENTS(expected));
    assert_int_equal(scores->n_absent, 1);
    assert_int_equal(scores->n_refused, 1);
    assert_int_equal(scores->n_refused_wrongly, 1);
    assert_int_equal(scores->n_with_evidence, 5);
}

static void
rankings_score_as_trec_eval_has_it(void **state)
{
    (void)state;
    g_autoptr(eval_dataset) set = load(SET);
    g_autoptr(GHashTable) predictions = load_predictions(SET "/predictions.jsonl");
    g_autoptr(eval_scores) scores = eval_score(set, EVAL_RETRIEVAL, predictions, NULL, 1);
    expect_mean(scores, "bm25.ndcg@10", 0.622662);
    expect_mean(scores, "bm25.recall@10", 0.75);
    expect_mean(scores, "bm25.recall@100", 0.75);
    expect_mean(scores, "bm25.mrr@10", 0.625);
    expect_mean(scores, "bm25.map", 0.625);
    assert_int_equal(scores->metrics->len, 5); /* and nothing of methods that were not run */
}

static void
labels_score_over_the_gold_ones(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    g_autoptr(eval_dataset) set = eval_dataset_load(SET "/labels", SET "/corpus.jsonl", &error);
    g_autoptr(GHashTable) predictions = load_predictions(SET "/labels/predictions.jsonl");
    assert_int_equal(eval_lane_guess(set), EVAL_LABEL);
    g_autoptr(eval_scores) scores = eval_score(set, EVAL_LABEL, predictions, NULL, 1);
    expect_mean(scores, "accuracy", 0.5);
    expect_mean(scores, "macro_f1", 0.5);
}

static void
squad_files_are_read(void **state)
{
    (void)state;
    g_autoptr(eval_dataset) set = load(SET "/squad.json");
    assert_int_equal(set->documents->len, 1);
    assert_int_equal(set->questions->len, 2);
    assert_true(set->tells_answerable);
    const eval_question *q = &g_array_index(set->questions, eval_question, 0);
    assert_string_equal(q->id, "s1");
    assert_int_equal(q->answers->len, 1);
    assert_false(g_array_index(set->questions, eval_question, 1).answerable);
    /* not to answer what cannot be answered is right */
    g_autoptr(GHashTable) predictions =
        g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)json_decref);
    g_hash_table_insert(predictions, (gpointer) "s2",
                        json_pack("{s:s,s:b}", "answer", "", "abstain", 1));
    g_hash_table_insert(predictions, (gpointer) "s1", json_pack("{s:s}", "answer", "4 m"));
    g_autoptr(eval_scores) scores = eval_score(set, EVAL_ANSWER, predictions, NULL, 1);
    expect_mean(scores, "f1", 1);
    expect_mean(scores, "abstain_acc", 1);
}

static void
damaged_files_are_named_with_their_line(void **state)
{
    (void)state;
    static const struct {
        const char *questions, *says;
    } cases[] = {
        {"{\"_id\":\"1\",\"question\":\"x\"}\n{\"_id\":\"1\",\"question\":\"y\"}\n",
         "line 2: _id 1 stands twice"},
        {"{\"_id\":\"1\"\n", "line 1: "},
        {"[1]\n", "line 1: no object"},
        {"{\"question\":\"x\"}\n", "line 1: no _id"},
        {"{\"_id\":1}\n", "has no question"},
        {"\n\n", "no question"},
    };
    assert_true(g_mkdir_with_parents("bad", 0755) == 0);
    assert_true(
        g_file_set_contents("bad/corpus.jsonl", "{\"_id\":\"d\",\"text\":\"t\"}\n", -1, NULL));
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        assert_true(g_file_set_contents("bad/questions.jsonl", cases[i].questions, -1, NULL));
        assert_null(eval_dataset_load("bad", NULL, &error));
        if (strstr(error->message, cases[i].says) == NULL) fail_msg("%s", error->message);
    }
    g_autoptr(GError) error = NULL;
    assert_null(eval_dataset_load("bad/none", NULL, &error));
    assert_non_null(error);
}

static void
intervals_are_the_same_for_a_seed(void **state)
{
    (void)state;
    double values[200], low[3], high[3], shifted[200];
    uint64_t random = 7;
    for (size_t i = 0; i < 200; i++) {
        values[i] = (double)(eval_random(&random) % 1000) / 1000;
        shifted[i] = values[i] - 0.5 + 0.2;
    }
    eval_bootstrap(values, 200, 1, &low[0], &high[0]);
    eval_bootstrap(values, 200, 1, &low[1], &high[1]);
    eval_bootstrap(values, 200, 2, &low[2], &high[2]);
    assert_true(low[0] == low[1] && high[0] == high[1]);
    assert_true(low[0] != low[2] || high[0] != high[2]);
    /* a uniform variable: the mean's standard error is 1 / sqrt(12 * 200) = 0.0204 */
    assert_true(fabs((high[0] - low[0]) / (2 * 1.96 * 0.0204) - 1) < 0.15);
    assert_true(eval_paired_test(shifted, 200, 1, &low[0], &high[0]) < 0.01);
    for (size_t i = 0; i < 200; i++)
        shifted[i] = i % 2 == 0 ? 0.3 : -0.3;
    assert_true(eval_paired_test(shifted, 200, 1, &low[0], &high[0]) > 0.9);
}

/* ---- runs ---- */

typedef struct {
    eval_dataset *set;
    retrieval_library *library;
    eval_context context;
    eval_run_options options;
    json_t *settings;
} fixture;

static void
fixture_init(fixture *f, const char *dir)
{
    const retrieval_library_options none = {0};
    g_autofree char *library = g_build_filename(dir, "library", NULL);
    memset(f, 0, sizeof *f);
    f->set = load(SET);
    assert_true(g_mkdir_with_parents(dir, 0755) == 0);
    f->library = retrieval_library_open(library, RETRIEVAL_OPEN_WRITE, &none, NULL);
    assert_non_null(f->library);
    assert_true(eval_index(f->library, f->set, NULL, NULL));
    f->settings = json_pack("{s:s}", "lane", "answer");
    f->context = (eval_context){
        .lane = EVAL_ANSWER, .dataset = f->set, .options = lode_ask_options_default()};
    f->context.ask.library = f->library;
    f->context.options.extractive = 1;
    f->options = (eval_run_options){
        .dir = dir, .spec = "tiny", .settings = f->settings, .n_jobs = 2, .seed = 1};
}

static void
fixture_clear(fixture *f)
{
    json_decref(f->settings);
    retrieval_library_free(f->library);
    eval_dataset_free(f->set);
}

static guint
count_lines(const char *path)
{
    g_autofree char *text = NULL;
    if (!g_file_get_contents(path, &text, NULL, NULL)) return 0;
    guint n = 0;
    for (const char *p = text; *p != '\0'; p++)
        n += *p == '\n';
    return n;
}

static double
mean_in(const json_t *results, const char *name)
{
    const json_t *metrics = json_object_get(results, "metrics");
    for (size_t i = 0; i < json_array_size(metrics); i++) {
        const json_t *m = json_array_get(metrics, i);
        if (strcmp(json_string_value(json_object_get(m, "name")), name) == 0)
            return json_number_value(json_object_get(m, "mean"));
    }
    return -1;
}

static void
a_run_goes_on_where_it_was_stopped(void **state)
{
    (void)state;
    fixture f;
    guint n_failed = 0;
    g_autoptr(GError) error = NULL;
    fixture_init(&f, "resume");
    f.options.limit = 2;
    g_autoptr(json_t) part = eval_run(&f.context, &f.options, &n_failed, &error);
    assert_non_null(part);
    assert_int_equal(count_lines("resume/predictions.jsonl"), 2);
    /* a kill leaves half a line */
    g_autofree char *text = NULL;
    assert_true(g_file_get_contents("resume/predictions.jsonl", &text, NULL, NULL));
    g_autofree char *cut = g_strconcat(text, "{\"_id\": \"q", NULL);
    assert_true(g_file_set_contents("resume/predictions.jsonl", cut, -1, NULL));
    f.options.limit = 0;
    g_autoptr(json_t) all = eval_run(&f.context, &f.options, &n_failed, &error);
    assert_non_null(all);
    assert_int_equal(n_failed, 0);
    assert_int_equal(count_lines("resume/predictions.jsonl"), 5);
    g_autofree char *after = NULL;
    assert_true(g_file_get_contents("resume/predictions.jsonl", &after, NULL, NULL));
    assert_true(g_str_has_prefix(after, text));
    assert_true(mean_in(all, "quote_valid") == 1);
    assert_true(mean_in(all, "evidence_any") >= 0.8);
    assert_true(mean_in(all, "contains") >= 0.6);
    /* other settings are another run */
    json_object_set_new(f.settings, "lane", json_string("paper"));
    assert_null(eval_run(&f.context, &f.options, &n_failed, &error));
    assert_int_equal(error->code, LODE_ERROR_MISMATCH);
    assert_non_null(strstr(error->message, "(lane)"));
    fixture_clear(&f);
}

static void
differences_name_the_questions_that_became_worse(void **state)
{
    (void)state;
    fixture f;
    guint n_failed = 0;
    g_autoptr(GError) error = NULL;
    fixture_init(&f, "diff");
    g_autoptr(json_t) a = eval_run(&f.context, &f.options, &n_failed, &error);
    assert_non_null(a);
    g_autoptr(json_t) b = json_deep_copy(a);
    const json_t *first = json_array_get(json_object_get(b, "questions"), 0);
    json_object_set_new(json_object_get(first, "values"), "evidence_any", json_real(0));
    g_autoptr(json_t) same = eval_diff(a, a, 1, &error);
    g_autoptr(json_t) diff = eval_diff(a, b, 1, &error);
    assert_int_equal(json_array_size(json_object_get(same, "regressions")), 0);
    assert_int_equal(json_array_size(json_object_get(diff, "regressions")), 1);
    assert_int_equal(json_array_size(json_object_get(diff, "improvements")), 0);
    g_autofree char *text = eval_diff_markdown(diff);
    assert_non_null(strstr(text, "- q1: evidence_any 1.0000 to 0.0000"));
    json_object_set_new(json_object_get(b, "dataset"), "sha256", json_string("other"));
    assert_null(eval_diff(a, b, 1, &error));
    assert_int_equal(error->code, LODE_ERROR_MISMATCH);
    g_autofree char *html = eval_report_html(a);
    assert_non_null(strstr(html, "<svg"));
    assert_null(strstr(html, "src="));
    fixture_clear(&f);
}

static void
a_histogram_counts_each_question_once(void **state)
{
    (void)state;
    g_autoptr(json_t) results = json_loads(
        "{\"dataset\": {}, \"metrics\": [{\"name\": \"f1\", \"mean\": 0.4}], \"questions\": ["
        "{\"_id\": \"a\", \"values\": {\"f1\": 0.01}}, {\"_id\": \"b\", \"values\": {\"f1\": "
        "0.02}},"
        "{\"_id\": \"c\", \"values\": {\"f1\": 0.03}}, {\"_id\": \"d\", \"values\": {\"f1\": "
        "0.95}}]}",
        0, NULL);
    g_autofree char *html = eval_report_html(results);
    assert_non_null(strstr(html, ">3</text>"));
    assert_non_null(strstr(html, ">1</text>"));
    assert_null(strstr(html, ">5</text>"));
    assert_null(strstr(html, ">2</text>"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_normalised_as_squad_has_them),
        cmocka_unit_test(answers_score_as_other_scorers_have_it),
        cmocka_unit_test(rankings_score_as_trec_eval_has_it),
        cmocka_unit_test(labels_score_over_the_gold_ones),
        cmocka_unit_test(squad_files_are_read),
        cmocka_unit_test(damaged_files_are_named_with_their_line),
        cmocka_unit_test(intervals_are_the_same_for_a_seed),
        cmocka_unit_test(a_run_goes_on_where_it_was_stopped),
        cmocka_unit_test(differences_name_the_questions_that_became_worse),
        cmocka_unit_test(a_histogram_counts_each_question_once),
    };
    /* scratch of an earlier run */
    static const char *const old[] = {"resume", "diff"};
    for (size_t i = 0; i < 2; i++)
        if (g_file_test(old[i], G_FILE_TEST_EXISTS)) {
            g_autofree char *command = g_strdup_printf("rm -rf %s", old[i]);
            if (system(command) != 0) return 1;
        }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
