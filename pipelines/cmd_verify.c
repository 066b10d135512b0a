/* lode verify: the quotes of an answer against the documents they come from. */
#include "pipelines/answer.h"
#include "pipelines/cli.h"

#include <stdio.h>
#include <string.h>

typedef struct {
    common_args common;
    char *password;
} verify_args;

static GOptionEntry *
verify_entries(gpointer data)
{
    verify_args *args = data;
    const GOptionEntry entries[] = {
        {"password", 0, 0, G_OPTION_ARG_STRING, &args->password,
         "Tried on encrypted files (no default)", "TEXT"},
        G_OPTION_ENTRY_NULL,
    };
    return g_memdup2(entries, sizeof entries);
}

/* "-" is stdin. */
static gboolean
read_input(const char *path, char **text, gsize *len, GError **error)
{
    if (strcmp(path, "-") != 0) return g_file_get_contents(path, text, len, error);
    g_autoptr(GString) all = g_string_new(NULL);
    char buffer[65536];
    for (size_t n; (n = fread(buffer, 1, sizeof buffer, stdin)) > 0;)
        g_string_append_len(all, buffer, (gssize)n);
    *len = all->len;
    *text = g_string_free(g_steal_pointer(&all), FALSE);
    return TRUE;
}

typedef struct {
    gboolean json;
    json_t *problems;
} listener;

static void
on_problem(const char *id, const char *message, void *user_data)
{
    listener *l = user_data;
    json_array_append_new(l->problems, json_pack("{s:s, s:s}", "id", id, "problem", message));
    if (!l->json) cli_print("%s: %s\n", id, message);
}

static int
run_verify(gpointer data, char **operands, int n_operands)
{
    const verify_args *args = data;
    if (n_operands != 1)
        return cli_usage_error("verify", "name one answer, kept with lode ask --json");
    g_autofree char *text = NULL;
    gsize len = 0;
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) problems = json_array();
    listener l = {args->common.json, problems};
    lode_verify_options options = lode_verify_options_default();
    options.password = args->password;
    options.cancel = cli_cancel();
    options.problem = on_problem;
    options.user_data = &l;
    lode_verify_report report;
    if (!read_input(operands[0], &text, &len, &error) ||
        !pipelines_verify(text, len, &options, &report, &error)) {
        cli_file_error(operands[0], error->message);
        return EXIT_NOTHING_DONE;
    }
    if (args->common.json) {
        g_autoptr(json_t) json =
            json_pack("{s:I, s:I, s:O}", "quotes", (json_int_t)report.n_quotes, "failed",
                      (json_int_t)report.n_failed, "problems", problems);
        cli_print_json(json);
    } else {
        cli_print("%zu quotes checked, %zu problems\n", report.n_quotes, report.n_failed);
    }
    return report.n_failed > 0 ? EXIT_SOME_FAILED : EXIT_ALL_GOOD;
}

const command cmd_verify = {
    .name = "verify",
    .summary = "check an answer's quotes against the documents",
    .usage = "ANSWER.json [OPTIONS]",
    .description =
        "Reads an answer that lode ask --json has printed, or the record of its run, and looks up "
        "every quote in its document:\n"
        "the file must have the same bytes, and the quote must stand there character by character, "
        "on the page and in the\n"
        "lines the answer names. No model is asked. Prints what fails, and exits with 1 when "
        "anything does.",
    .examples = "  $ lode ask -L lib/ --json \"What yield was reached?\" > answer.json\n"
                "  $ lode verify answer.json",
    .args_size = sizeof(verify_args),
    .entries = verify_entries,
    .run = run_verify,
};
