/* lode chat: questions and follow-up questions to a library. */
#include "pipelines/cli_ask.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "pipelines/chat.h"

enum { MAX_LINE = 1 << 20, MAX_KEPT = 200 };

typedef struct {
    const ask_args *args;
    cli_session session;
    pipelines_chat *chat;
    lode_answer *last;  /* NULL before the first answer */
    GPtrArray *answers; /* of json_t: what /save keeps, the last MAX_KEPT */
    gboolean tty;
} conversation;

static void
init_chat(gpointer data)
{
    cli_ask_init(data);
}

static GOptionEntry *
chat_entries(gpointer data)
{
    return cli_ask_entries(NULL, data);
}

/* A line of any length up to MAX_LINE without its end; NULL at the end of the input. What is longer is cut. */
static char *
read_line(void)
{
    g_autoptr(GString) line = g_string_new(NULL);
    int c;
    while ((c = getchar()) != EOF && c != '\n')
        if (line->len < MAX_LINE) g_string_append_c(line, (char)c);
    if (c == EOF && line->len == 0) return NULL;
    g_autofree char *valid = g_utf8_make_valid(line->str, (gssize)line->len);
    return g_strdup(g_strstrip(valid));
}

/* ---- commands ---- */

static void
print_help(void)
{
    cli_print("/sources      the sources of the last answer again\n"
              "/open N       where source N is; on a terminal its document is opened\n"
              "/save FILE    the conversation: .json as lode ask --json has it, .html the last "
              "answer, else Markdown\n"
              "/quit         end\n");
}

static void
open_source(const conversation *c, const char *argument)
{
    guint64 number = 0;
    if (c->last == NULL || !g_ascii_string_to_unsigned(argument, 10, 1, G_MAXINT, &number, NULL)) {
        cli_print("which source? /open N, after an answer\n");
        return;
    }
    for (size_t i = 0; i < lode_answer_n_citations(c->last); i++) {
        if (lode_citation_number(c->last, i) != (int)number) continue;
        const char *path = lode_citation_path(c->last, i);
        g_autofree char *shown = g_filename_display_name(path);
        cli_print("%s, page %d\n", shown, lode_citation_page_number(c->last, i));
        const char *argv[] = {"xdg-open", path, NULL};
        if (c->tty)
            g_spawn_async(NULL, (char **)argv, NULL,
                          G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL |
                              G_SPAWN_STDERR_TO_DEV_NULL,
                          NULL, NULL, NULL, NULL);
        return;
    }
    cli_print("the last answer has no source %" G_GUINT64_FORMAT "\n", number);
}

static char *
to_markdown(const conversation *c)
{
    GString *out = g_string_new(NULL);
    for (guint i = 0; i < c->answers->len; i++) {
        const json_t *answer = c->answers->pdata[i];
        g_string_append_printf(out, "## %s\n\n%s\n\n",
                               json_string_value(json_object_get(answer, "question")),
                               json_string_value(json_object_get(answer, "answer")));
        const json_t *citations = json_object_get(answer, "citations");
        for (size_t j = 0; j < json_array_size(citations); j++) {
            const json_t *e = json_array_get(citations, j);
            g_string_append_printf(out, "- [%d] %s, p. %d: \"%s\"\n",
                                   (int)json_integer_value(json_object_get(e, "number")),
                                   json_string_value(json_object_get(e, "work")),
                                   (int)json_integer_value(json_object_get(e, "page")),
                                   json_string_value(json_object_get(e, "quote")));
        }
        g_string_append_c(out, '\n');
    }
    return g_string_free(out, FALSE);
}

static void
save(const conversation *c, const char *path)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;
    if (path[0] == '\0' || c->last == NULL) {
        cli_print("nothing saved: /save FILE, after an answer\n");
        return;
    }
    if (g_str_has_suffix(path, ".html")) {
        text = pipelines_answer_html(c->last);
    } else if (g_str_has_suffix(path, ".json")) {
        g_autoptr(json_t) all = json_array();
        for (guint i = 0; i < c->answers->len; i++)
            json_array_append(all, c->answers->pdata[i]);
        text = pipelines_json_text(all);
    } else {
        text = to_markdown(c);
    }
    if (pipelines_write_file(path, text, strlen(text), &error))
        cli_print("saved %s\n", path);
    else
        cli_error(0, "%s", error->message);
}

/* FALSE: the conversation ends. */
static gboolean
obey(const conversation *c, const char *line)
{
    g_auto(GStrv) parts = g_strsplit(line, " ", 2);
    g_autofree char *argument = g_strstrip(g_strdup(parts[1] != NULL ? parts[1] : ""));
    if (strcmp(parts[0], "/quit") == 0 || strcmp(parts[0], "/exit") == 0) return FALSE;
    if (strcmp(parts[0], "/sources") == 0 && c->last == NULL)
        cli_print("no sources: nothing was answered yet\n");
    else if (strcmp(parts[0], "/sources") == 0 && lode_answer_n_citations(c->last) == 0)
        cli_print("no sources: the last question found no evidence\n");
    else if (strcmp(parts[0], "/sources") == 0)
        cli_ask_print_sources(c->last);
    else if (strcmp(parts[0], "/open") == 0)
        open_source(c, argument);
    else if (strcmp(parts[0], "/save") == 0)
        save(c, argument);
    else
        print_help();
    return TRUE;
}

/* ---- questions ---- */

static gboolean
answer(conversation *c, const char *line)
{
    g_autoptr(GError) error = NULL;
    const int *cancel = cli_cancel();
    g_autofree char *question =
        pipelines_chat_condense(c->chat, c->session.writer, c->session.pool, line, cancel, &error);
    lode_answer *fresh = NULL;
    if (question != NULL) {
        if (strcmp(question, line) != 0) cli_note(&c->args->common, "understood as: %s", question);
        pipelines_ask_context context = cli_session_context(&c->session, c->args->library);
        lode_ask_options options = cli_ask_options(c->args);
        fresh = pipelines_ask(&context, question, &options, &error);
    }
    if (fresh == NULL) { /* one question that fails does not end the conversation */
        cli_error(0, "%s", error->message);
        return !pipelines_cancelled(cancel);
    }
    cli_ask_print(c->args, fresh);
    if (fresh->status != LODE_ANSWER_INSUFFICIENT)
        pipelines_chat_add(c->chat, question, lode_answer_text(fresh));
    g_ptr_array_add(c->answers, pipelines_answer_to_json(fresh));
    if (c->answers->len > MAX_KEPT) g_ptr_array_remove_index(c->answers, 0);
    lode_answer_free(c->last);
    c->last = fresh;
    fflush(stdout);
    return TRUE;
}

static void
converse(conversation *c)
{
    for (;;) {
        if (c->tty) {
            cli_print("> ");
            fflush(stdout);
        }
        g_autofree char *line = read_line();
        if (line == NULL) return;
        if (line[0] == '\0') continue;
        if (line[0] == '/' ? !obey(c, line) : !answer(c, line)) return;
        if (line[0] != '/') cli_print("\n");
        fflush(stdout);
    }
}

static int
run_chat(gpointer data, char **operands, int n_operands)
{
    const ask_args *args = data;
    (void)operands;
    int wrong = cli_ask_check("chat", args);
    if (wrong != EXIT_ALL_GOOD) return wrong;
    if (n_operands > 0)
        return cli_usage_error("chat", "questions are read from standard input, line by line");
    conversation c = {.args = args, .tty = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)};
    if (!cli_ask_open(args, &c.session)) {
        cli_session_close(&c.session);
        return EXIT_NOTHING_DONE;
    }
    c.chat = pipelines_chat_new();
    c.answers = g_ptr_array_new_with_free_func((GDestroyNotify)json_decref);
    converse(&c);
    lode_answer_free(c.last);
    g_ptr_array_unref(c.answers);
    pipelines_chat_free(c.chat);
    cli_session_close(&c.session);
    return cli_finish(EXIT_ALL_GOOD);
}

const command cmd_chat = {
    .name = "chat",
    .summary = "ask a library questions that follow on from one another",
    .usage = "-L DIR [OPTIONS]",
    .description =
        "Reads questions from standard input, one a line, and answers each as lode ask does. A "
        "question may lean on those before\n"
        "(\"How was it measured?\"): it is first put so that it stands alone, by the model, or "
        "without one by carrying over the words\n"
        "that are missing; what was understood is shown.\n\n"
        "Lines that begin with a slash are commands: /sources, /open N, /save FILE, /quit.",
    .examples = "  $ lode chat -L lib/",
    .args_size = sizeof(ask_args),
    .init = init_chat,
    .entries = chat_entries,
    .run = run_chat,
};
