/* lode ask: a question -> an answer with its sources, a table over papers, or where papers disagree. */
#include "pipelines/cli_ask.h"

#include <stdio.h>
#include <string.h>

#include "pipelines/table.h"

typedef struct {
    ask_args ask;
    char *html, *table;
    gboolean csv, contradictions;
} all_args;

static void
init_ask(gpointer data)
{
    cli_ask_init(&((all_args *)data)->ask);
}

static GOptionEntry *
ask_entries(gpointer data)
{
    all_args *args = data;
    const GOptionEntry entries[] = {
        {"html", 0, 0, G_OPTION_ARG_FILENAME, &args->html,
         "Also write a page where a click on a source shows its quote in the document (no default)",
         "FILE"},
        {"table", 0, 0, G_OPTION_ARG_STRING, &args->table,
         "A table with a row for each paper and these columns, a source in each cell: \"data set, "
         "accuracy\" (no default)",
         "COLUMNS"},
        {"csv", 0, 0, G_OPTION_ARG_NONE, &args->csv,
         "The table as CSV (default: Markdown, or JSON with --json)", NULL},
        {"contradictions", 0, 0, G_OPTION_ARG_NONE, &args->contradictions,
         "List where papers contradict each other on the question, both sides quoted", NULL},
        G_OPTION_ENTRY_NULL,
    };
    return cli_ask_entries(entries, &args->ask);
}

/* ---- an answer ---- */

static int
finish(const all_args *args, const cli_session *s, const lode_answer *answer)
{
    g_autoptr(GError) error = NULL;
    (void)s;
    cli_ask_print(&args->ask, answer);
    int code = answer->status == LODE_ANSWER_INSUFFICIENT ? EXIT_INSUFFICIENT : EXIT_ALL_GOOD;
    if (args->html != NULL && !pipelines_write_html(answer, args->html, &error)) {
        code = cli_error(EXIT_SOME_FAILED, "%s", error->message);
        g_clear_error(&error);
    }
    /* a library on a read-only disk can be asked all the same */
    g_autofree char *record =
        args->ask.no_record ? NULL : pipelines_record_run(answer, args->ask.library, &error);
    if (error != NULL)
        cli_note(&args->ask.common, "note: no record of this run: %s", error->message);
    return code;
}

static int
ask(const all_args *args, const cli_session *s, const char *question)
{
    lode_ask_options options = cli_ask_options(&args->ask);
    pipelines_ask_context context = cli_session_context(s, args->ask.library);
    g_autoptr(GError) error = NULL;
    g_autoptr(lode_answer) answer =
        args->contradictions ? pipelines_ask_conflicts(&context, question, &options, &error)
                             : pipelines_ask(&context, question, &options, &error);
    if (answer != NULL) return finish(args, s, answer);
    if (!args->ask.common.json) cli_print("\n");
    return cli_error(EXIT_NOTHING_DONE, "%s", error->message);
}

/* ---- a table ---- */

static int
print_table(const all_args *args, const cli_session *s, const char *question)
{
    lode_ask_options options = cli_ask_options(&args->ask);
    options.text = NULL;
    pipelines_ask_context context = cli_session_context(s, args->ask.library);
    g_autoptr(GError) error = NULL;
    g_autoptr(pipelines_table) table =
        pipelines_table_make(&context, args->table, question, &options, &error);
    if (table == NULL) return cli_error(EXIT_NOTHING_DONE, "%s", error->message);
    if (args->ask.common.json) {
        g_autoptr(json_t) json = pipelines_table_to_json(table);
        cli_print_json(json);
    } else {
        g_autofree char *text =
            args->csv ? pipelines_table_to_csv(table) : pipelines_table_to_markdown(table);
        cli_write(text, strlen(text));
    }
    return pipelines_table_n_filled(table) > 0 ? EXIT_ALL_GOOD : EXIT_INSUFFICIENT;
}

static int
run_ask(gpointer data, char **operands, int n_operands)
{
    const all_args *args = data;
    int wrong = cli_ask_check("ask", &args->ask);
    if (wrong != EXIT_ALL_GOOD) return wrong;
    if (n_operands == 0 && args->table == NULL)
        return cli_usage_error("ask", "what is the question?");
    if (n_operands > 1) return cli_usage_error("ask", "one question at a time: put it in quotes");
    g_autofree char *question =
        n_operands > 0 ? g_strstrip(g_utf8_make_valid(operands[0], -1)) : g_strdup("");
    if (question[0] == '\0' && args->table == NULL)
        return cli_usage_error("ask", "the question is empty");
    g_auto(cli_session) session = {0};
    if (!cli_ask_open(&args->ask, &session)) return EXIT_NOTHING_DONE;
    return args->table != NULL ? print_table(args, &session, question)
                               : ask(args, &session, question);
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
                   "words themselves, which a\n"
                   "program has found there. A statement whose quote is not found is marked "
                   "[unsupported], and named on stderr.\n"
                   "When the library holds nothing that answers, lode says so and why, and exits "
                   "with 4. lode verify checks the\n"
                   "quotes of an answer kept with --json again.",
    .examples = "  $ lode ask -L lib/ \"What yield did the catalyst reach?\"\n"
                "  $ lode ask -L lib/ --extractive --json \"Which data sets were used?\"",
    .args_size = sizeof(all_args),
    .init = init_ask,
    .entries = ask_entries,
    .run = run_ask,
};
