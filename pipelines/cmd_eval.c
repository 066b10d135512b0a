/* lode eval: how good are the answers? */
#include "pipelines/cli_session.h"

#include <string.h>

#include "pipelines/eval.h"

typedef struct {
    common_args common;
    char *out, *lane, *corpus, *model, *embedder;
    endpoint_args endpoint;
    device_args device;
    gboolean extractive, no_embeddings;
    int n_passages, n_scored, max_tokens, context, limit, jobs;
    gint64 seed;
    double temperature;
} eval_args;

static void
init_eval(gpointer data)
{
    eval_args *args = data;
    args->n_passages = 8;
    args->max_tokens = 256;
    args->jobs = 1;
}

static GOptionEntry *
eval_entries(gpointer data)
{
    eval_args *args = data;
    const GOptionEntry entries[] = {
        {"out", 'o', 0, G_OPTION_ARG_FILENAME, &args->out,
         "Folder of the run: predictions, results, reports (default: eval-NAME)", "DIR"},
        {"lane", 0, 0, G_OPTION_ARG_STRING, &args->lane,
         "retrieval, answer, label, claim, paper or hops (default: what the questions ask for)",
         "LANE"},
        {"corpus", 0, 0, G_OPTION_ARG_FILENAME, &args->corpus,
         "Documents from this file (default: corpus.jsonl beside the questions)", "FILE"},
        {"extractive", 0, 0, G_OPTION_ARG_NONE, &args->extractive,
         "Quote, let no model write (default: when no writer is installed)", NULL},
        {"model", 'm', 0, G_OPTION_ARG_FILENAME, &args->model,
         "The model that writes, a path or a name of `lode model list`; or with --endpoint its "
         "name there (default: "
         "SmolLM2-135M-Instruct, "
         "when installed)",
         "MODEL"},
        CLI_ENDPOINT_ENTRIES(&args->endpoint),
        CLI_DEVICE_ENTRIES(&args->device),
        {"embedder", 0, 0, G_OPTION_ARG_FILENAME, &args->embedder,
         "The embedder (default: all-MiniLM-L6-v2, when installed)", "PATH"},
        {"no-embeddings", 0, 0, G_OPTION_ARG_NONE, &args->no_embeddings,
         "Full-text search only (default: fused with search by meaning)", NULL},
        {"passages", 'k', 0, G_OPTION_ARG_INT, &args->n_passages,
         "Passages to answer from (default: 8)", "N"},
        {"score", 0, 0, G_OPTION_ARG_INT, &args->n_scored,
         "Passages that the model judges and sums up before it answers from the best (default: 0)",
         "N"},
        {"max-tokens", 0, 0, G_OPTION_ARG_INT, &args->max_tokens, "Longest answer (default: 256)",
         "N"},
        {"context", 0, 0, G_OPTION_ARG_INT, &args->context,
         "Tokens of prompt and answer (default: 0, the model's, at most 8192)", "N"},
        {"temperature", 0, 0, G_OPTION_ARG_DOUBLE, &args->temperature,
         "Chance in the choice of words (default: 0, none)", "T"},
        {"limit", 0, 0, G_OPTION_ARG_INT, &args->limit,
         "Ask so many questions, drawn by the seed (default: 0, all)", "N"},
        {"seed", 0, 0, G_OPTION_ARG_INT64, &args->seed,
         "Of the sample, the model and the intervals (default: 0)", "N"},
        {"jobs", 'j', 0, G_OPTION_ARG_INT, &args->jobs,
         "Questions asked at once, for endpoints (default: 1)", "N"},
        G_OPTION_ENTRY_NULL,
    };
    return g_memdup2(entries, sizeof entries);
}

/* ---- SPEC ---- */

static gboolean
spec_error(GError **error, const char *path, const char *key, const char *what)
{
    g_set_error(error, PIPELINES_ERROR, LODE_ERROR_FORMAT, "%s: %s: %s", path, key, what);
    return FALSE;
}

/* A member of the same name as an option stands for it where the option was not given. */
static gboolean
apply_member(const char *path, const GOptionEntry *entries, const GOptionEntry *defaults,
             const char *key, const json_t *value, GError **error)
{
    for (size_t i = 0; entries[i].long_name != NULL; i++) {
        const GOptionEntry *e = &entries[i];
        if (strcmp(e->long_name, key) != 0) continue;
        switch (e->arg) {
        case G_OPTION_ARG_NONE:
            if (!json_is_boolean(value)) return spec_error(error, path, key, "true or false?");
            if (!*(gboolean *)e->arg_data) *(gboolean *)e->arg_data = json_is_true(value);
            return TRUE;
        case G_OPTION_ARG_INT:
            if (!json_is_integer(value)) return spec_error(error, path, key, "no whole number");
            if (*(gint *)e->arg_data == *(gint *)defaults[i].arg_data)
                *(gint *)e->arg_data = (gint)CLAMP(json_integer_value(value), G_MININT, G_MAXINT);
            return TRUE;
        case G_OPTION_ARG_INT64:
            if (!json_is_integer(value)) return spec_error(error, path, key, "no whole number");
            if (*(gint64 *)e->arg_data == *(gint64 *)defaults[i].arg_data)
                *(gint64 *)e->arg_data = json_integer_value(value);
            return TRUE;
        case G_OPTION_ARG_DOUBLE:
            if (!json_is_number(value)) return spec_error(error, path, key, "no number");
            if (*(double *)e->arg_data == *(double *)defaults[i].arg_data)
                *(double *)e->arg_data = json_number_value(value);
            return TRUE;
        default:
            if (!json_is_string(value)) return spec_error(error, path, key, "no text");
            if (*(char **)e->arg_data == NULL)
                *(char **)e->arg_data = g_strdup(json_string_value(value));
            return TRUE;
        }
    }
    return spec_error(error, path, key, "no option of this name");
}

/* path: SPEC. *dataset: the data set it names, g_free; a path in it begins at its folder. */
static gboolean
read_spec(const char *path, eval_args *args, char **dataset, GError **error)
{
    json_error_t problem;
    g_autofree char *text = NULL;
    gsize len = 0;
    *dataset = g_strdup(path);
    if (g_file_test(path, G_FILE_TEST_IS_DIR)) return TRUE;
    if (!pipelines_check_input(path, error)) return FALSE;
    if (!g_file_get_contents(path, &text, &len, error)) return FALSE;
    g_autoptr(json_t) spec = json_loadb(text, len, 0, &problem);
    if (spec == NULL) return spec_error(error, path, "no JSON", problem.text);
    const char *named = json_string_value(json_object_get(spec, "dataset"));
    if (named == NULL && json_object_get(spec, "data") != NULL) return TRUE; /* SQuAD itself */
    if (named == NULL) return spec_error(error, path, "dataset", "is missing");
    g_autofree char *absolute = g_canonicalize_filename(path, NULL);
    g_autofree char *dir = g_path_get_dirname(absolute);
    g_free(*dataset);
    *dataset = g_canonicalize_filename(named, dir);
    eval_args fresh = {0};
    init_eval(&fresh);
    g_autofree GOptionEntry *entries = eval_entries(args), *defaults = eval_entries(&fresh);
    const char *key;
    json_t *value;
    json_object_foreach(spec, key, value)
    {
        if (strcmp(key, "dataset") == 0) continue;
        if (!apply_member(path, entries, defaults, key, value, error)) return FALSE;
    }
    return TRUE;
}

/* ---- a run ---- */

typedef struct {
    eval_dataset *dataset;
    eval_lane lane;
    cli_session with;
    char *out;
} eval_session;

static void
eval_session_clear(eval_session *s)
{
    cli_session_close(&s->with);
    eval_dataset_free(s->dataset);
    g_free(s->out);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(eval_session, eval_session_clear)

static gboolean
needs_writer(const eval_args *args, const eval_session *s)
{
    return s->lane != EVAL_RETRIEVAL && !args->extractive;
}

static gboolean
open_models(const eval_args *args, eval_session *s, GError **error)
{
    cli_session_init(&s->with, &args->device);
    if (!args->no_embeddings &&
        !cli_session_open_embedder(&s->with, args->embedder, &args->common, error))
        return FALSE;
    return !needs_writer(args, s) ||
           cli_session_open_writer(&s->with, args->model, &args->endpoint, (uint32_t)args->context,
                                   &args->common, error);
}

/* The library of the data set's documents, in OUT/library; made once. A library that is not complete is begun anew
 * from where it stopped: documents that are there are replaced by themselves. */
static gboolean
open_library(const eval_args *args, eval_session *s, GError **error)
{
    g_autofree char *dir = g_build_filename(s->out, "library", NULL);
    g_autofree char *done = g_build_filename(s->out, "library.sha256", NULL);
    g_autofree char *known = NULL;
    if (!pipelines_make_dir(s->out, error)) return FALSE;
    g_file_get_contents(done, &known, NULL, NULL);
    if (known == NULL || strcmp(known, s->dataset->sha256) != 0) {
        cli_note(&args->common, "indexing %u documents", s->dataset->documents->len);
        if (!cli_session_open_library(&s->with, dir, RETRIEVAL_OPEN_WRITE, error) ||
            !eval_index(s->with.library, s->dataset, cli_cancel(), error) ||
            !pipelines_write_file(done, s->dataset->sha256, strlen(s->dataset->sha256), error))
            return FALSE;
    }
    return cli_session_open_library(&s->with, dir, RETRIEVAL_OPEN_READ, error);
}

static json_t *
settings_of(const eval_args *args, const eval_session *s)
{
    const gboolean writes = s->with.writer != NULL;
    json_t *json = json_object();
    json_object_set_new(json, "dataset_sha256", json_string(s->dataset->sha256));
    json_object_set_new(json, "lane", json_string(eval_lane_name(s->lane)));
    json_object_set_new(json, "writer",
                        json_string(writes ? s->with.writer->id : "none (extractive)"));
    json_object_set_new(
        json, "embedder",
        json_string(s->with.embedder != NULL ? s->with.embedder->id : "none (full text)"));
    json_object_set_new(json, "passages", json_integer(args->n_passages));
    if (args->n_scored > 0) /* older runs know nothing of it */
        json_object_set_new(json, "scored", json_integer(args->n_scored));
    json_object_set_new(json, "max_tokens", json_integer(args->max_tokens));
    json_object_set_new(json, "context", json_integer(args->context));
    json_object_set_new(json, "temperature", json_real(args->temperature));
    json_object_set_new(json, "limit", json_integer(args->limit));
    json_object_set_new(json, "seed", json_integer(args->seed));
    json_object_set_new(json, "lode", json_string(lode_version()));
    json_object_set_new(json, "cpu", json_string(engine_cpu_name(engine_cpu_best())));
    return json;
}

typedef struct {
    const common_args *common;
    cli_progress *line; /* NULL: nothing was asked yet */
} progress;

static void
on_progress(size_t n_done, size_t n_total, void *user_data)
{
    progress *p = user_data;
    if (p->line == NULL) p->line = cli_progress_new(p->common, "asking", n_total);
    cli_progress_update(p->line, n_done);
}

static int
finish_run(const eval_args *args, const eval_session *s, const json_t *results, guint n_failed)
{
    if (args->common.json) {
        cli_print_json(results);
    } else {
        g_autofree char *text = eval_report_markdown(results);
        cli_print("%s", text);
    }
    cli_note(&args->common, "written: %s/report.md, report.html, results.json", s->out);
    if (n_failed == 0) return EXIT_ALL_GOOD;
    cli_error(0, "%u questions failed: see %s/errors.jsonl; the same command asks them again",
              n_failed, s->out);
    return EXIT_SOME_FAILED;
}

static int
run_session(const eval_args *args, eval_session *s, const char *dataset, GError **error)
{
    if (args->lane == NULL)
        s->lane = eval_lane_guess(s->dataset);
    else if (!eval_lane_parse(args->lane, &s->lane))
        return cli_usage_error("eval", "--lane: %s is none", args->lane);
    if (!open_models(args, s, error) || !open_library(args, s, error)) return EXIT_NOTHING_DONE;
    eval_context context = {
        .lane = s->lane,
        .dataset = s->dataset,
        .ask = cli_session_context(&s->with, NULL),
        .options = lode_ask_options_default(),
        .dense = s->with.embedder != NULL,
        .cancel = cli_cancel(),
    };
    context.options.n_passages = (size_t)args->n_passages;
    context.options.n_scored = (size_t)args->n_scored;
    context.options.max_tokens = (uint32_t)args->max_tokens;
    context.options.n_context = (uint32_t)args->context;
    context.options.temperature = args->temperature;
    context.options.seed = (uint64_t)args->seed;
    context.options.extractive = s->with.writer == NULL;
    context.options.cancel = cli_cancel();
    g_autoptr(json_t) settings = settings_of(args, s);
    g_autofree char *name = g_path_get_basename(dataset);
    progress shown = {&args->common, NULL};
    eval_run_options options = {.dir = s->out,
                                .spec = name,
                                .settings = settings,
                                .n_jobs = (guint)args->jobs,
                                .limit = (guint)args->limit,
                                .seed = (uint64_t)args->seed,
                                .cancel = cli_cancel(),
                                .progress = on_progress,
                                .user_data = &shown};
    guint n_failed = 0;
    g_autoptr(json_t) results = eval_run(&context, &options, &n_failed, error);
    cli_progress_free(shown.line);
    return results != NULL ? finish_run(args, s, results, n_failed) : EXIT_NOTHING_DONE;
}

static int
run_run(eval_args *args, const char *spec)
{
    g_auto(eval_session) s = {0};
    g_autofree char *dataset = NULL;
    g_autoptr(GError) error = NULL;
    if (!read_spec(spec, args, &dataset, &error))
        return cli_error(g_error_matches(error, PIPELINES_ERROR, LODE_ERROR_FORMAT)
                             ? EXIT_WRONG_USAGE
                             : EXIT_NOTHING_DONE,
                         "%s", error->message);
    if (args->n_passages < 1 || args->n_passages > 1000 || args->max_tokens < 1 ||
        args->context < 0 || args->n_scored < 0 || args->limit < 0 || args->jobs < 1 ||
        args->jobs > 256 || !(args->temperature >= 0))
        return cli_usage_error("eval", "--passages must be from 1 to 1000, --jobs from 1 to 256, "
                                       "--max-tokens 1 or more, the others not negative");
    s.dataset = eval_dataset_load(dataset, args->corpus, &error);
    if (s.dataset == NULL) return cli_error(EXIT_NOTHING_DONE, "%s", error->message);
    s.out = args->out != NULL ? g_strdup(args->out) : g_strdup_printf("eval-%s", s.dataset->name);
    const int code = run_session(args, &s, dataset, &error);
    if (error != NULL) cli_error(0, "%s", error->message);
    return code;
}

/* ---- diff ---- */

static int
run_diff(const eval_args *args, const char *path_a, const char *path_b)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) a = eval_results_load(path_a, &error);
    g_autoptr(json_t) b = a != NULL ? eval_results_load(path_b, &error) : NULL;
    g_autoptr(json_t) diff = b != NULL ? eval_diff(a, b, (uint64_t)args->seed, &error) : NULL;
    if (diff == NULL) return cli_error(EXIT_NOTHING_DONE, "%s", error->message);
    if (args->common.json) {
        cli_print_json(diff);
        return EXIT_ALL_GOOD;
    }
    g_autofree char *text = eval_diff_markdown(diff);
    cli_print("%s", text);
    return EXIT_ALL_GOOD;
}

static int
run_eval(gpointer data, char **operands, int n_operands)
{
    eval_args *args = data;
    if (n_operands == 2 && strcmp(operands[0], "run") == 0) return run_run(args, operands[1]);
    if (n_operands == 3 && strcmp(operands[0], "diff") == 0)
        return run_diff(args, operands[1], operands[2]);
    if (n_operands > 0 && strcmp(operands[0], "run") != 0 && strcmp(operands[0], "diff") != 0)
        return cli_usage_error("eval", "%s: run or diff?", operands[0]);
    return cli_usage_error("eval", n_operands == 0       ? "run or diff?"
                                   : *operands[0] == 'r' ? "one SPEC or folder to run"
                                                         : "two runs to compare");
}

const command cmd_eval = {
    .name = "eval",
    .summary = "measure the quality of search and answers on a data set",
    .usage = "run SPEC [OPTIONS] | diff A B",
    .description =
        "run: asks the questions of a data set, scores the answers and writes a report. SPEC is a "
        "folder "
        "with corpus.jsonl and\n"
        "questions.jsonl (or queries.jsonl and qrels.tsv, as BEIR has them), a file of SQuAD JSON, "
        "or a "
        "JSON object whose\n"
        "member \"dataset\" names one of those and whose other members are options of this "
        "command:\n\n"
        "  {\"dataset\": \"../covidqa\", \"lane\": \"answer\", \"limit\": 100, \"seed\": 1}\n\n"
        "A run that was stopped goes on when it is started again; each answer is a line of "
        "OUT/predictions.jsonl. Metrics are those\n"
        "of SQuAD (em, f1, contains), of trec_eval (ndcg@10, recall, mrr, map), accuracy and macro "
        "F1 of "
        "labels, and of citations:\n"
        "evidence_any (a right document is cited), citation_prec, quote_recall, quote_valid. "
        "Intervals: "
        "bootstrap, 95 %.\n\n"
        "diff: two runs over the same data set: differences with a paired bootstrap test (* p < "
        "0.05), and "
        "the questions that\n"
        "became worse or better. Without a writer, label and claim are told by words of denial "
        "alone: a "
        "floor, not an answer.",
    .examples = "  $ lode eval run covidqa/ --extractive -o out/\n"
                "  $ lode eval run pubmedqa/ --endpoint http://127.0.0.1:8000/v1 -m qwen3 -j 8 "
                "--limit 100\n"
                "  $ lode eval diff out/ out2/",
    .args_size = sizeof(eval_args),
    .init = init_eval,
    .entries = eval_entries,
    .run = run_eval,
};
