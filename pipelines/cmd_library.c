/* lode library stats | verify | repair | export | merge: what keeps a library sound. */
#include "pipelines/cli_session.h"

#include <string.h>

typedef struct {
    common_args common;
    char *embedder;
} library_args;

static GOptionEntry *
library_entries(gpointer data)
{
    library_args *args = data;
    const GOptionEntry entries[] = {
        {"embedder", 0, 0, G_OPTION_ARG_FILENAME, &args->embedder,
         "repair: embed again what has lost its vectors, with this model (default: leave it to "
         "words)",
         "PATH"},
        G_OPTION_ENTRY_NULL,
    };
    return g_memdup2(entries, sizeof entries);
}

static retrieval_library *
open_library(const char *dir, retrieval_open_mode mode, const pipelines_model *model,
             engine_pool *pool)
{
    g_autoptr(GError) error = NULL;
    const retrieval_library_options options = cli_library_options(model, pool);
    retrieval_library *library = retrieval_library_open(dir, mode, &options, &error);
    if (library == NULL) cli_error(0, "%s", error->message);
    return library;
}

static int
show_stats(const library_args *args, retrieval_library *library)
{
    g_autoptr(GError) error = NULL;
    retrieval_stats stats;
    if (!retrieval_library_get_stats(library, &stats, &error))
        return cli_error(EXIT_NOTHING_DONE, "%s", error->message);
    if (args->common.json) {
        g_autoptr(json_t) json = json_pack(
            "{s:I, s:I, s:I, s:I, s:s}", "documents", (json_int_t)stats.n_documents, "passages",
            (json_int_t)stats.n_chunks, "vectors", (json_int_t)stats.n_vectors, "dimensions",
            (json_int_t)stats.n_dims, "embedder", stats.embedder_id);
        cli_print_json(json);
    } else {
        cli_print("documents  %" G_GUINT64_FORMAT "\npassages   %" G_GUINT64_FORMAT
                  "\nvectors    %" G_GUINT64_FORMAT " of %u dimensions\nembedder   %s\n",
                  stats.n_documents, stats.n_chunks, stats.n_vectors, stats.n_dims,
                  *stats.embedder_id ? stats.embedder_id : "none");
    }
    g_free(stats.embedder_id);
    return EXIT_ALL_GOOD;
}

static void
print_problem(const char *line, void *user_data)
{
    (void)user_data;
    cli_print("%s\n", line);
}

static int
verify(retrieval_library *library)
{
    g_autoptr(GError) error = NULL;
    guint n = 0;
    if (!retrieval_library_verify(library, print_problem, NULL, &n, &error))
        return cli_error(EXIT_NOTHING_DONE, "%s", error->message);
    if (n == 0) cli_print("sound\n");
    return n == 0 ? EXIT_ALL_GOOD : EXIT_SOME_FAILED;
}

static int
repair(const library_args *args, const char *dir)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(pipelines_model) model = NULL;
    if (args->embedder != NULL &&
        (model = pipelines_model_open(args->embedder, ENGINE_KIND_ENCODER, NULL, &error)) == NULL)
        return cli_error(EXIT_NOTHING_DONE, "%s", error->message);
    g_autoptr(engine_pool) pool = model != NULL ? engine_pool_new(0) : NULL;
    g_autoptr(retrieval_library) library = open_library(dir, RETRIEVAL_OPEN_REPAIR, model, pool);
    if (library == NULL) return EXIT_NOTHING_DONE;
    if (!retrieval_library_repair(library, &error) ||
        (model != NULL && (!retrieval_library_embed_missing(library, cli_cancel(), &error) ||
                           !retrieval_library_commit(library, &error))))
        return cli_error(EXIT_NOTHING_DONE, "%s", error->message);
    return verify(library);
}

static json_t *
hit_to_json(const retrieval_hit *hit)
{
    json_t *authors = json_array();
    for (char **author = hit->authors; author != NULL && *author != NULL; author++)
        json_array_append_new(authors, json_string(*author));
    json_t *json = json_object();
    json_object_set_new(json, "path", pipelines_json_path(hit->path));
    json_object_set_new(json, "sha256", json_string(hit->sha256));
    json_object_set_new(json, "title", json_string(hit->title));
    json_object_set_new(json, "authors", authors);
    json_object_set_new(json, "year", hit->year != 0 ? json_integer(hit->year) : json_null());
    json_object_set_new(json, "venue", pipelines_json_string(hit->venue));
    json_object_set_new(json, "doi", pipelines_json_string(hit->doi));
    json_object_set_new(json, "ordinal", json_integer(hit->ordinal));
    json_object_set_new(json, "section", json_string(hit->section));
    json_object_set_new(json, "type", json_string(layout_block_type_name(hit->type)));
    json_object_set_new(json, "page", json_integer(hit->first_page + 1));
    json_object_set_new(json, "text", json_string(hit->text));
    return json;
}

/* One JSON object a line for every passage, by document. */
static int
export_passages(retrieval_library *library)
{
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) paths = retrieval_library_list(library, &error);
    for (char **path = paths; path != NULL && *path != NULL; path++) {
        g_autoptr(GPtrArray) hits = retrieval_library_load_document(library, *path, &error);
        if (hits == NULL) break;
        for (guint i = 0; i < hits->len; i++) {
            g_autoptr(json_t) json = hit_to_json(hits->pdata[i]);
            g_autofree char *line = json_dumps(json, JSON_COMPACT);
            cli_print("%s\n", line);
        }
    }
    return error == NULL ? EXIT_ALL_GOOD : cli_error(EXIT_NOTHING_DONE, "%s", error->message);
}

static int
merge(const library_args *args, const char *dir, char **others, int n_others)
{
    g_autoptr(retrieval_library) library = open_library(dir, RETRIEVAL_OPEN_WRITE, NULL, NULL);
    if (library == NULL) return EXIT_NOTHING_DONE;
    for (int i = 0; i < n_others; i++) {
        g_autoptr(GError) error = NULL;
        retrieval_merge_report report;
        if (!retrieval_library_merge(library, others[i], cli_cancel(), &report, &error))
            return cli_error(i > 0 ? EXIT_SOME_FAILED : EXIT_NOTHING_DONE, "%s", error->message);
        cli_note(&args->common,
                 "%s: %" G_GUINT64_FORMAT " documents added, %" G_GUINT64_FORMAT " known",
                 others[i], report.n_added, report.n_known);
    }
    return EXIT_ALL_GOOD;
}

static int
run_library(gpointer data, char **operands, int n_operands)
{
    const library_args *args = data;
    if (n_operands < 2)
        return cli_usage_error("library",
                               "stats, verify, repair, export or merge, and which library?");
    const char *what = operands[0], *dir = operands[1];
    const gboolean is_merge = strcmp(what, "merge") == 0;
    if (is_merge ? n_operands < 3 : n_operands > 2)
        return cli_usage_error("library", is_merge ? "merge which libraries into this one?"
                                                   : "one library at a time");
    if (is_merge) return merge(args, dir, operands + 2, n_operands - 2);
    if (strcmp(what, "repair") == 0) return repair(args, dir);
    const gboolean is_verify = strcmp(what, "verify") == 0;
    if (!is_verify && strcmp(what, "stats") != 0 && strcmp(what, "export") != 0)
        return cli_usage_error("library", "%s: not one of stats, verify, repair, export, merge",
                               what);
    /* the check of the full-text index is a statement that writes nothing, and needs a writer */
    g_autoptr(retrieval_library) library =
        open_library(dir, is_verify ? RETRIEVAL_OPEN_REPAIR : RETRIEVAL_OPEN_READ, NULL, NULL);
    if (library == NULL) return EXIT_NOTHING_DONE;
    if (is_verify) return verify(library);
    return strcmp(what, "stats") == 0 ? show_stats(args, library) : export_passages(library);
}

const command cmd_library = {
    .name = "library",
    .summary = "look after a library: count, check, mend, export, merge",
    .usage = "stats|verify|repair|export DIR, or merge DIR OTHER...",
    .description = "stats counts. verify checks database, full-text index and vectors, and names "
                   "what is wrong (exit "
                   "code 1).\n"
                   "repair makes anew what can be made from the database. export writes every "
                   "passage as a line of "
                   "JSON.\n"
                   "merge copies the documents of OTHER into DIR; libraries of one embedder merge "
                   "without embedding "
                   "again,\n"
                   "another embedder is refused.",
    .examples = "  $ lode library verify lib/\n"
                "  $ lode library merge lib/ theirs/",
    .args_size = sizeof(library_args),
    .entries = library_entries,
    .run = run_library,
};
