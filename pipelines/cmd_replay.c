/* lode replay: a recorded answer, made again and compared. */
#include "pipelines/cli_session.h"

#include <string.h>

#include "pipelines/replay.h"

typedef struct {
    common_args common;
    char *library, *model, *embedder, *reranker;
} replay_args;

static GOptionEntry *
replay_entries(gpointer data)
{
    replay_args *args = data;
    const GOptionEntry entries[] = {
        {"library", 'L', 0, G_OPTION_ARG_FILENAME, &args->library,
         "Folder of the library (default: the one the record lies in)", "DIR"},
        {"model", 'm', 0, G_OPTION_ARG_FILENAME, &args->model,
         "The model that wrote, a .gguf file or folder (default: SmolLM2-135M-Instruct)", "PATH"},
        {"embedder", 0, 0, G_OPTION_ARG_FILENAME, &args->embedder,
         "The embedder the library was made with (default: all-MiniLM-L6-v2)", "PATH"},
        {"reranker", 0, 0, G_OPTION_ARG_FILENAME, &args->reranker,
         "The model that judged the passages, where one did (default: the one that wrote)", "PATH"},
        G_OPTION_ENTRY_NULL,
    };
    return g_memdup2(entries, sizeof entries);
}

static gboolean
open_session(const replay_args *args, const char *dir, const json_t *record, cli_session *s,
             GError **error)
{
    cli_session_init(s, NULL);
    cli_session_expect_questions(s);
    if (pipelines_replay_embedder(record) != NULL &&
        !cli_session_open_embedder(s, args->embedder, NULL, error))
        return FALSE;
    if (!cli_session_open_library(s, dir, RETRIEVAL_OPEN_READ, error)) return FALSE;
    if (pipelines_replay_writer(record) != NULL) {
        if (pipelines_replay_is_remote(record))
            s->writer = pipelines_replay_new_writer(record);
        else
            cli_session_open_writer(s, args->model, NULL, 0, NULL, error);
        if (s->writer == NULL) return FALSE;
    }
    return pipelines_replay_reranker(record) == NULL ||
           cli_session_open_reranker(s, args->reranker, error);
}

static void
print_value(const char *name, const json_t *value)
{
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    cli_print("  %s %s\n", name, text != NULL ? text : "none");
    free(text);
}

static void
print_replay(const json_t *replay)
{
    const json_t *list = json_object_get(replay, "differences");
    const json_t *notes = json_object_get(replay, "notes");
    cli_print("%s\n", json_is_true(json_object_get(replay, "same"))
                          ? "the same answer, byte for byte"
                          : "not the same answer");
    for (size_t i = 0; i < json_array_size(notes); i++)
        cli_print("note: %s\n", json_string_value(json_array_get(notes, i)));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *d = json_array_get(list, i);
        cli_print("differs: %s\n", json_string_value(json_object_get(d, "what")));
        print_value("recorded", json_object_get(d, "recorded"));
        print_value("now     ", json_object_get(d, "now"));
    }
}

static int
run_replay(gpointer data, char **operands, int n_operands)
{
    const replay_args *args = data;
    g_auto(cli_session) s = {0};
    g_autoptr(GError) error = NULL;
    if (n_operands != 1) return cli_usage_error("replay", "one record, LIBRARY/runs/NAME.json");
    g_autoptr(json_t) record = pipelines_replay_load(operands[0], &error);
    if (record == NULL) return cli_error(EXIT_NOTHING_DONE, "%s", error->message);
    g_autofree char *absolute = g_canonicalize_filename(operands[0], NULL);
    g_autofree char *runs = g_path_get_dirname(absolute);
    g_autofree char *parent = g_path_get_dirname(runs);
    const char *dir = args->library != NULL ? args->library : parent;
    if (!open_session(args, dir, record, &s, &error))
        return cli_error(EXIT_NOTHING_DONE, "%s", error->message);
    const pipelines_ask_context context = cli_session_context(&s, dir);
    g_autoptr(json_t) replay = pipelines_replay(&context, record, cli_cancel(), &error);
    if (replay == NULL) {
        const gboolean differs = g_error_matches(error, PIPELINES_ERROR, LODE_ERROR_MISMATCH);
        return cli_error(differs ? EXIT_SOME_FAILED : EXIT_NOTHING_DONE, "%s", error->message);
    }
    if (args->common.json)
        cli_print_json(replay);
    else
        print_replay(replay);
    return json_is_true(json_object_get(replay, "same")) ? EXIT_ALL_GOOD : EXIT_SOME_FAILED;
}

const command cmd_replay = {
    .name = "replay",
    .summary = "make a recorded answer again and compare",
    .usage = "RECORD [OPTIONS]",
    .description =
        "RECORD is a file that lode ask left in LIBRARY/runs/: question, settings, models, "
        "passages and "
        "answer. The question is\n"
        "asked again with the same settings. On the CPU the same program, models and library give "
        "the "
        "same answer byte for byte;\n"
        "what is not as it was (version, processor, model, passages, prompt, text, quotes) is "
        "listed, "
        "and lode exits with 1 when\n"
        "the answer is another. Replies of a model behind an endpoint come from the record.",
    .examples = "  $ lode replay lib/runs/20260102T101500Z-1f2e3d4c.json",
    .args_size = sizeof(replay_args),
    .init = NULL,
    .entries = replay_entries,
    .run = run_replay,
};
