/* lode index: papers -> a library. */
#include "pipelines/bibliography.h"
#include "pipelines/cli_session.h"

#include <string.h>

typedef struct {
    common_args common;
    reader_args reader;
    device_args device;
    char *library, *embedder;
    char **metadata;
    gboolean prune, no_embeddings, reembed, verbose;
} index_args;

static void
init_index(gpointer data)
{
    index_args *args = data;
    cli_reader_init(&args->reader);
}

static GOptionEntry *
index_entries(gpointer data)
{
    index_args *args = data;
    const GOptionEntry entries[] = {
        {"library", 'L', 0, G_OPTION_ARG_FILENAME, &args->library,
         "Folder of the library, made when missing (no default)", "DIR"},
        {"prune", 0, 0, G_OPTION_ARG_NONE, &args->prune,
         "Drop documents whose file no longer exists (default: keep them)", NULL},
        {"embedder", 0, 0, G_OPTION_ARG_FILENAME, &args->embedder,
         "Model for search by meaning (default: all-MiniLM-L6-v2, when installed)", "PATH"},
        {"no-embeddings", 0, 0, G_OPTION_ARG_NONE, &args->no_embeddings,
         "Full text only, no vectors (default: vectors when an embedder is installed)", NULL},
        {"reembed", 0, 0, G_OPTION_ARG_NONE, &args->reembed,
         "Give all passages vectors of this embedder where the library has another's, or none "
         "(default: refuse)",
         NULL},
        {"metadata", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &args->metadata,
         "Complete titles, authors, years, venues, DOIs from BibTeX or CSL JSON; may be repeated",
         "FILE"},
        CLI_DEVICE_ENTRIES(&args->device),
        {"verbose", 'v', 0, G_OPTION_ARG_NONE, &args->verbose,
         "Name the entries of --metadata that are of no document (default: count them)", NULL},
        G_OPTION_ENTRY_NULL,
    };
    return cli_reader_entries(entries, &args->reader);
}

/* ---- reading by worker processes ---- */

static gpointer
open_worker(gpointer data)
{
    return pipelines_worker_new(data);
}

static lode_document *
read_by_worker(gpointer reader, const char *path, const char *password, const int *cancel,
               GError **error)
{
    pipelines_job job = {.path = path, .password = password, .want_document = TRUE};
    pipelines_job_result result = {0};
    lode_document *document = NULL;
    if (pipelines_worker_run(reader, &job, cancel, &result, error))
        document = g_steal_pointer(&result.document);
    pipelines_job_result_clear(&result);
    return document;
}

static void
close_worker(gpointer reader)
{
    pipelines_worker_free(reader);
}

/* ---- running ---- */

typedef struct {
    const index_args *args;
    cli_progress *progress;
    json_t *files;
    json_t *metadata; /* NULL without --metadata */
} index_run;

static void
on_indexed(const char *path, pipelines_index_outcome outcome, const GError *failure, size_t n_done,
           size_t n_total, void *user_data)
{
    index_run *run = user_data;
    (void)n_total;
    if (outcome == PIPELINES_INDEX_FAILED) {
        cli_progress_clear(run->progress);
        cli_file_error(path, failure != NULL ? failure->message : "interrupted");
    }
    if (run->args->common.json) {
        json_t *file = json_object();
        json_object_set_new(file, "path", pipelines_json_path(path));
        json_object_set_new(file, "outcome", json_string(pipelines_index_outcome_name(outcome)));
        json_object_set_new(file, "error",
                            failure != NULL ? json_string(failure->message) : json_null());
        json_array_append_new(run->files, file);
    }
    cli_progress_update(run->progress, n_done);
}

static void
print_report(const index_run *run, const lode_index_report *counts, const retrieval_stats *stats,
             double seconds)
{
    cli_note(&run->args->common,
             "%zu added, %zu replaced, %zu unchanged, %zu pruned, %zu failed; the library has "
             "%" G_GUINT64_FORMAT " documents, %" G_GUINT64_FORMAT " passages, %" G_GUINT64_FORMAT
             " vectors (%.1f s)",
             counts->n_added, counts->n_replaced, counts->n_unchanged, counts->n_pruned,
             counts->n_failed, stats->n_documents, stats->n_chunks, stats->n_vectors, seconds);
    if (!run->args->common.json) return;
    g_autoptr(json_t) json = json_object();
    json_object_set_new(json, "added", json_integer((json_int_t)counts->n_added));
    json_object_set_new(json, "replaced", json_integer((json_int_t)counts->n_replaced));
    json_object_set_new(json, "unchanged", json_integer((json_int_t)counts->n_unchanged));
    json_object_set_new(json, "pruned", json_integer((json_int_t)counts->n_pruned));
    json_object_set_new(json, "failed", json_integer((json_int_t)counts->n_failed));
    json_object_set_new(json, "documents", json_integer((json_int_t)stats->n_documents));
    json_object_set_new(json, "passages", json_integer((json_int_t)stats->n_chunks));
    json_object_set_new(json, "vectors", json_integer((json_int_t)stats->n_vectors));
    json_object_set_new(json, "embedder", pipelines_json_string(stats->embedder_id));
    json_object_set_new(json, "seconds", json_real(seconds));
    json_object_set(json, "files", run->files);
    if (run->metadata != NULL) json_object_set(json, "metadata", run->metadata);
    cli_print_json(json);
}

/* ---- bibliographies ---- */

/* All entries, NULL where there are no files; FALSE with a message. */
static gboolean
load_metadata(const index_args *args, GPtrArray **entries)
{
    *entries = NULL;
    for (char **path = args->metadata; path != NULL && *path != NULL; path++) {
        g_autoptr(GError) error = NULL;
        GPtrArray *more = pipelines_bibliography_load(*path, &error);
        if (more == NULL) {
            cli_error(0, "%s", error->message);
            g_clear_pointer(entries, g_ptr_array_unref);
            return FALSE;
        }
        if (*entries == NULL)
            *entries = more;
        else
            g_ptr_array_extend_and_steal(*entries, more);
    }
    return TRUE;
}

static gboolean
apply_metadata(index_run *run, retrieval_library *library, const GPtrArray *entries, GError **error)
{
    bibliography_report report;
    if (entries == NULL) return TRUE;
    if (!pipelines_bibliography_apply(library, entries, &report, error) ||
        !retrieval_library_commit(library, error))
        return FALSE;
    g_autoptr(GPtrArray) unmatched = report.unmatched;
    cli_progress_clear(run->progress);
    cli_note(&run->args->common, "metadata: %zu of %zu entries matched, %zu documents completed",
             report.n_matched, report.n_entries, report.n_documents);
    json_t *names = json_array();
    for (guint i = 0; i < unmatched->len; i++) {
        const bibliography_entry *entry = unmatched->pdata[i];
        const char *title = entry->known->title;
        if (run->args->verbose)
            cli_note(&run->args->common, "metadata: no document for %s%s%s", entry->key,
                     *entry->key != '\0' && title != NULL ? ": " : "", title != NULL ? title : "");
        json_array_append_new(names, json_string(entry->key));
    }
    run->metadata = json_pack("{s:I, s:I, s:I, s:o}", "entries", (json_int_t)report.n_entries,
                              "matched", (json_int_t)report.n_matched, "documents",
                              (json_int_t)report.n_documents, "unmatched", names);
    return TRUE;
}

/* NULL without a message: full text only. */
static gboolean
open_embedder(const index_args *args, pipelines_model **model)
{
    *model = NULL;
    if (args->no_embeddings) return TRUE;
    g_autoptr(GError) error = NULL;
    const engine_model_options on = cli_device_options(&args->device);
    *model = pipelines_model_open(args->embedder, ENGINE_KIND_ENCODER, &on, &error);
    if (*model != NULL) return TRUE;
    if (args->embedder == NULL && g_error_matches(error, PIPELINES_ERROR, LODE_ERROR_NOT_FOUND)) {
        cli_note(&args->common, "note: full text only, search by meaning needs an embedder: %s",
                 error->message);
        return TRUE;
    }
    cli_error(0, "%s", error->message);
    return FALSE;
}

static int
index_into(const index_args *args, retrieval_library *library, GPtrArray *inputs,
           const GPtrArray *entries, const char *password, pipelines_worker_options *worker)
{
    const int n_threads = args->reader.jobs > 0 ? args->reader.jobs : pipelines_n_cores();
    worker->n_threads = n_threads / (int)CLAMP(inputs->len, 1, 1024);
    pipelines_reader reader = {open_worker, read_by_worker, close_worker, worker};
    index_run run = {.args = args, .files = json_array()};
    run.progress = cli_progress_new(&args->common, "indexing", inputs->len);
    pipelines_index_options options = {
        .n_jobs = args->reader.jobs,
        .password = password,
        .prune = args->prune,
        .cancel = cli_cancel(),
        .reader = &reader,
        .done = on_indexed,
        .user_data = &run,
    };
    lode_index_report counts;
    retrieval_stats stats = {0};
    g_autoptr(GError) error = NULL;
    gint64 start = g_get_monotonic_time();
    gboolean ran = pipelines_index_run(library, inputs, &options, &counts, &error) &&
                   apply_metadata(&run, library, entries, &error) &&
                   retrieval_library_get_stats(library, &stats, &error);
    cli_progress_free(run.progress);
    if (ran) print_report(&run, &counts, &stats, (double)(g_get_monotonic_time() - start) / 1e6);
    json_decref(run.files);
    json_decref(run.metadata);
    g_free(stats.embedder_id);
    gboolean some = counts.n_added + counts.n_replaced + counts.n_unchanged + counts.n_pruned > 0;
    if (!ran) return cli_error(some ? EXIT_SOME_FAILED : EXIT_NOTHING_DONE, "%s", error->message);
    if (counts.n_failed == 0) return EXIT_ALL_GOOD;
    return some ? EXIT_SOME_FAILED : EXIT_NOTHING_DONE;
}

static int
check_args(const index_args *args, int n_operands, pipelines_worker_options *worker)
{
    if (args->library == NULL)
        return cli_usage_error("index", "which library? Name its folder with -L");
    if (args->reembed && args->no_embeddings)
        return cli_usage_error("index", "--reembed or --no-embeddings?");
    if (n_operands == 0 && !args->prune && !args->reembed && args->metadata == NULL)
        return cli_usage_error("index", "which files or folders?");
    return cli_reader_check("index", &args->reader, worker) ? EXIT_ALL_GOOD : EXIT_WRONG_USAGE;
}

static int
run_index(gpointer data, char **operands, int n_operands)
{
    const index_args *args = data;
    pipelines_worker_options worker = {0};
    int code = check_args(args, n_operands, &worker);
    if (code == EXIT_ALL_GOOD) code = cli_device_check("index", &args->device);
    if (code != EXIT_ALL_GOOD) return code;
    g_autofree char *password = NULL;
    if (!cli_password(&args->reader, &password)) return EXIT_NOTHING_DONE;
    g_autoptr(GPtrArray) inputs =
        pipelines_collect_inputs((const char *const *)operands, (size_t)n_operands);
    if (inputs->len == 0 && n_operands > 0 && !args->prune)
        return cli_error(EXIT_NOTHING_DONE, "%s: no documents in this folder (" CLI_INPUTS ")",
                         operands[0]);
    g_autoptr(GPtrArray) entries = NULL;
    if (!load_metadata(args, &entries)) return EXIT_NOTHING_DONE;
    g_autoptr(pipelines_model) model = NULL;
    if (!open_embedder(args, &model)) return EXIT_NOTHING_DONE;
    g_autoptr(engine_pool) pool = model != NULL ? engine_pool_new(0) : NULL;
    retrieval_library_options options = cli_library_options(model, pool);
    options.reembed = model != NULL && args->reembed;
    g_autoptr(GError) error = NULL;
    g_autoptr(retrieval_library) library =
        retrieval_library_open(args->library, RETRIEVAL_OPEN_WRITE, &options, &error);
    if (library == NULL ||
        (args->reembed && !retrieval_library_embed_missing(library, cli_cancel(), &error)))
        return cli_error(EXIT_NOTHING_DONE, "%s", error->message);
    return index_into(args, library, inputs, entries, password, &worker);
}

const command cmd_index = {
    .name = "index",
    .summary = "make documents searchable in a library",
    .usage = "INPUT... -L DIR [OPTIONS]",
    .description =
        "Reads INPUT (files, folders) into the library DIR: passages with their pages and boxes, a "
        "full-text\n"
        "index, and vectors for search by meaning when an embedder is installed (lode model pull "
        "--default).\n"
        "Inputs:\n" CLI_INPUTS_LONG "\n\n"
        "Running it again is cheap: unchanged files (same path, same SHA-256) are neither read nor "
        "embedded,\n"
        "changed ones are replaced. A kill at any moment leaves a sound library; a rerun goes "
        "on.\n\n"
        "Bibliographies (--metadata) complete what was read off the pages and go before it. An "
        "entry is "
        "matched\n"
        "to a document by DOI, arXiv id, the name of its file, or title; INPUT may be left out.",
    .examples = "  $ lode index papers/ -L lib/\n"
                "  $ lode index papers/ -L lib/ --prune            and forget files that are gone",
    .args_size = sizeof(index_args),
    .init = init_index,
    .entries = index_entries,
    .run = run_index,
};
