/* lode ask: a question -> an answer with its sources. */
#include "pipelines/cli.h"
#include "pipelines/writer.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct {
    common_args common;
    char *library, *model, *embedder;
    endpoint_args endpoint;
    int n_passages, max_tokens, context;
    gint64 seed;
    double temperature;
    gboolean extractive, show_prompt, no_record, no_embeddings;
} ask_args;

static void
init_ask(gpointer data)
{
    ask_args *args = data;
    args->n_passages = 8;
    args->max_tokens = 256;
}

static GOptionEntry *
ask_entries(gpointer data)
{
    ask_args *args = data;
    const GOptionEntry entries[] = {
        {"library", 'L', 0, G_OPTION_ARG_FILENAME, &args->library,
         "Folder of the library (no default)", "DIR"},
        {"extractive", 0, 0, G_OPTION_ARG_NONE, &args->extractive,
         "Quote the best sentences, let no model write (default: when no writer is installed)",
         NULL},
        {"passages", 'k', 0, G_OPTION_ARG_INT, &args->n_passages,
         "Passages to answer from (default: 8)", "N"},
        {"model", 'm', 0, G_OPTION_ARG_FILENAME, &args->model,
         "The model that writes, a .gguf file or folder, or with --endpoint its name there "
         "(default: "
         "SmolLM2-135M-Instruct, when installed)",
         "PATH"},
        CLI_ENDPOINT_ENTRIES(&args->endpoint),
        {"embedder", 0, 0, G_OPTION_ARG_FILENAME, &args->embedder,
         "The embedder the library was made with (default: all-MiniLM-L6-v2, when installed)",
         "PATH"},
        {"no-embeddings", 0, 0, G_OPTION_ARG_NONE, &args->no_embeddings,
         "Full-text search only (default: fused with search by meaning)", NULL},
        {"max-tokens", 0, 0, G_OPTION_ARG_INT, &args->max_tokens, "Longest answer (default: 256)",
         "N"},
        {"context", 0, 0, G_OPTION_ARG_INT, &args->context,
         "Tokens of prompt and answer (default: 0, the model's, at most 8192)", "N"},
        {"temperature", 0, 0, G_OPTION_ARG_DOUBLE, &args->temperature,
         "Chance in the choice of words (default: 0, none)", "T"},
        {"seed", 0, 0, G_OPTION_ARG_INT64, &args->seed, "Same seed, same answer (default: 0)", "N"},
        {"show-prompt", 0, 0, G_OPTION_ARG_NONE, &args->show_prompt,
         "Print what the model is given on stderr (default: off)", NULL},
        {"no-record", 0, 0, G_OPTION_ARG_NONE, &args->no_record,
         "Keep no record of this run in DIR/runs/ (default: keep one)", NULL},
        G_OPTION_ENTRY_NULL,
    };
    return g_memdup2(entries, sizeof entries);
}

/* ---- models ---- */

typedef struct {
    pipelines_model *embedder;
    lode_writer *writer;
    engine_pool *pool;
    retrieval_library *library;
} ask_session;

static void
ask_session_clear(ask_session *s)
{
    retrieval_library_free(s->library);
    lode_writer_free(s->writer);
    pipelines_model_free(s->embedder);
    engine_pool_free(s->pool);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ask_session, ask_session_clear)

/* A default that is not installed is done without; one that was asked for is an error. */
static gboolean
done_without(const char *path, const common_args *common, const char *note, const GError *error)
{
    if (path != NULL || !g_error_matches(error, PIPELINES_ERROR, LODE_ERROR_NOT_FOUND)) {
        cli_error(0, "%s", error->message);
        return FALSE;
    }
    cli_note(common, "note: %s: %s", note, error->message);
    return TRUE;
}

static gboolean
open_embedder(const ask_args *args, ask_session *s)
{
    g_autoptr(GError) error = NULL;
    s->embedder = pipelines_model_open(args->embedder, ENGINE_KIND_ENCODER, &error);
    return s->embedder != NULL ||
           done_without(args->embedder, &args->common, "full-text search only, no embedder", error);
}

static gboolean
open_writer(const ask_args *args, ask_session *s)
{
    g_autoptr(GError) error = NULL;
    if (args->endpoint.url != NULL) {
        s->writer =
            cli_open_endpoint(&args->endpoint, args->model, (uint32_t)args->context, &error);
        if (s->writer == NULL) cli_error(0, "%s", error->message);
        return s->writer != NULL;
    }
    s->writer = pipelines_writer_open_local(args->model, &error);
    return s->writer != NULL ||
           done_without(args->model, &args->common, "quoting instead of writing, no writer", error);
}

static gboolean
open_library(const ask_args *args, ask_session *s)
{
    retrieval_library_options options = {0};
    if (s->embedder != NULL)
        options = (retrieval_library_options){s->embedder->model, s->embedder->id, s->pool,
                                              s->embedder->query_prefix};
    g_autoptr(GError) error = NULL;
    s->library = retrieval_library_open(args->library, RETRIEVAL_OPEN_READ, &options, &error);
    if (s->library != NULL) return TRUE;
    cli_error(0, "%s", error->message);
    return FALSE;
}

/* Does the library hold vectors? Else loading the embedder is time spent for nothing. */
static gboolean
has_vectors(const char *dir)
{
    retrieval_library_options none = {0};
    g_autoptr(retrieval_library) library =
        retrieval_library_open(dir, RETRIEVAL_OPEN_READ, &none, NULL);
    retrieval_stats stats = {0};
    if (library == NULL || !retrieval_library_get_stats(library, &stats, NULL)) return FALSE;
    g_free(stats.embedder_id);
    return stats.n_vectors > 0;
}

static gboolean
open_session(const ask_args *args, ask_session *s)
{
    s->pool = engine_pool_new(0);
    if (!args->no_embeddings && (args->embedder != NULL || has_vectors(args->library)) &&
        !open_embedder(args, s))
        return FALSE;
    if (!open_library(args, s)) return FALSE;
    return args->extractive || open_writer(args, s);
}

/* ---- printing ---- */

static int
on_text(const char *text, size_t len, void *user_data)
{
    (void)user_data;
    cli_write(text, len);
    fflush(stdout);
    return !ferror(stdout);
}

/* A quote on the terminal: wrapped at 96 columns, indented. */
static void
print_quote(const char *quote)
{
    enum { WIDTH = 92 };
    g_auto(GStrv) words = g_strsplit_set(quote, " \n", -1);
    glong column = 0;
    cli_print("      \"");
    for (char **word = words; *word != NULL; word++) {
        if ((*word)[0] == '\0') continue;
        glong width = g_utf8_strlen(*word, -1);
        if (column > 0 && column + 1 + width > WIDTH) {
            cli_print("\n       ");
            column = 0;
        } else if (column > 0) {
            cli_print(" ");
            column++;
        }
        cli_print("%s", *word);
        column += width;
    }
    cli_print("\"\n");
}

static void
print_sources(const lode_answer *answer)
{
    size_t n = lode_answer_n_citations(answer);
    if (n == 0) return;
    gboolean color = cli_color(STDOUT_FILENO);
    cli_print("\nSources\n");
    for (size_t i = 0; i < n; i++) {
        int page = lode_citation_page_number(answer, i);
        const char *label = lode_citation_page_label(answer, i);
        g_autofree char *number = g_strdup_printf("%d", page);
        g_autofree char *name = g_filename_display_basename(lode_citation_path(answer, i));
        cli_print("%s[%d]%s %s (%s), page %d", color ? "\033[1m" : "",
                  lode_citation_number(answer, i), color ? "\033[0m" : "",
                  lode_citation_title(answer, i), name, page);
        if (label != NULL && strcmp(label, number) != 0) cli_print(" (printed: %s)", label);
        cli_print("\n");
        print_quote(lode_citation_quote(answer, i));
    }
}

static void
print_doubts(const common_args *common, const lode_answer *answer)
{
    for (guint i = 0; i < answer->unsupported->len; i++)
        cli_note(common, "warning: no passage supports: %s",
                 (const char *)answer->unsupported->pdata[i]);
    if (answer->n_removed > 0)
        cli_note(common, "warning: %u citations of passages that do not exist were removed",
                 answer->n_removed);
}

static void
print_closest(const common_args *common, const lode_answer *answer)
{
    for (guint i = 0; i < MIN(answer->hits->len, 3); i++) {
        const retrieval_hit *hit = answer->hits->pdata[i];
        cli_note(common, "closest: %s, page %d", hit->title, hit->first_page + 1);
    }
}

/* ---- running ---- */

static int
ask(const ask_args *args, const ask_session *s, const char *question)
{
    lode_ask_options options = lode_ask_options_default();
    options.n_passages = (size_t)args->n_passages;
    options.extractive = args->extractive;
    options.max_tokens = (uint32_t)args->max_tokens;
    options.n_context = (uint32_t)args->context;
    options.temperature = args->temperature;
    options.seed = (uint64_t)args->seed;
    options.cancel = cli_cancel();
    options.text = args->common.json ? NULL : on_text;
    pipelines_ask_context context = {s->library, args->library, s->embedder,
                                     s->writer,  s->pool,       NULL};
    g_autoptr(GError) error = NULL;
    lode_answer *answer = pipelines_ask(&context, question, &options, &error);
    if (answer == NULL) {
        if (!args->common.json) cli_print("\n");
        return cli_error(EXIT_NOTHING_DONE, "%s", error->message);
    }
    if (args->show_prompt)
        fprintf(stderr, "%s\n",
                answer->prompt != NULL ? answer->prompt : "(no prompt: nothing was written)");
    if (args->common.json) {
        g_autoptr(json_t) json = pipelines_answer_to_json(answer);
        cli_print_json(json);
    } else {
        cli_print("\n");
        print_sources(answer);
        fflush(stdout);
        print_doubts(&args->common, answer);
        if (answer->status == LODE_ANSWER_INSUFFICIENT) print_closest(&args->common, answer);
    }
    /* a library on a read-only disk can be asked all the same */
    g_autofree char *record =
        args->no_record ? NULL : pipelines_record_run(answer, args->library, &error);
    if (error != NULL) cli_note(&args->common, "note: no record of this run: %s", error->message);
    int code = answer->status == LODE_ANSWER_INSUFFICIENT ? EXIT_NOTHING_DONE : EXIT_ALL_GOOD;
    lode_answer_free(answer);
    return code;
}

static int
run_ask(gpointer data, char **operands, int n_operands)
{
    const ask_args *args = data;
    if (args->library == NULL)
        return cli_usage_error("ask", "which library? Name its folder with -L");
    if (n_operands == 0) return cli_usage_error("ask", "what is the question?");
    if (n_operands > 1) return cli_usage_error("ask", "one question at a time: put it in quotes");
    if (args->n_passages < 1 || args->n_passages > 1000)
        return cli_usage_error("ask", "--passages: %d: must be from 1 to 1000", args->n_passages);
    if (args->max_tokens < 1 || args->context < 0 || !(args->temperature >= 0))
        return cli_usage_error(
            "ask", "--max-tokens must be 1 or more, --context and --temperature not negative");
    g_autofree char *question = g_strstrip(g_utf8_make_valid(operands[0], -1));
    if (question[0] == '\0') return cli_usage_error("ask", "the question is empty");
    g_auto(ask_session) session = {0};
    if (!open_session(args, &session)) return EXIT_NOTHING_DONE;
    return ask(args, &session, question);
}

const command cmd_ask = {
    .name = "ask",
    .summary = "answer a question from a library, with quotes and pages",
    .usage = "-L DIR \"QUESTION\" [OPTIONS]",
    .description = "Finds the passages of the library DIR (made by lode index) that fit the "
                   "question and lets a model write\n"
                   "an answer from them, or, with --extractive or without a model, quotes the "
                   "sentences that answer best.\n\n"
                   "Every [n] in the answer is a source listed below it: document, page, and the "
                   "words themselves. Numbers of\n"
                   "passages that do not exist are removed, and sentences that no passage supports "
                   "are named on stderr.\n"
                   "When the library holds nothing that answers, lode says so and exits with 3.",
    .examples = "  $ lode ask -L lib/ \"What yield did the catalyst reach?\"\n"
                "  $ lode ask -L lib/ --extractive --json \"Which data sets were used?\"",
    .args_size = sizeof(ask_args),
    .init = init_ask,
    .entries = ask_entries,
    .run = run_ask,
};
