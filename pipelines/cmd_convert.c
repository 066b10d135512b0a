/* lode convert: papers in any format -> Markdown, JSON, content list, images. */
#include "pipelines/cli.h"
#include "pipelines/convert_check.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct {
    common_args common;
    reader_args reader;
    char *output, *format, *pages, *images, *formula, *hidden_text;
    double dpi;
    gboolean no_images, layout_pdf, page_breaks, force, check;
} convert_args;

static void
init_convert(gpointer data)
{
    convert_args *args = data;
    args->dpi = 200;
    cli_reader_init(&args->reader);
}

/* Interned: the entries only borrow it. */
static const char *
format_help(void)
{
    g_autofree char *all = pipelines_format_names(LODE_FORMAT_ALL);
    g_autofree char *usual = pipelines_format_names(LODE_FORMAT_DEFAULT);
    g_autofree char *text = g_strdup_printf(
        "What to write, a list of: %s; or all (default: %s; on stdout: md)", all, usual);
    return g_intern_string(text);
}

static GOptionEntry *
convert_entries(gpointer data)
{
    convert_args *args = data;
    const GOptionEntry entries[] = {
        {"output", 'o', 0, G_OPTION_ARG_FILENAME, &args->output,
         "Folder of the outputs, made when missing; without it, or for -, the one input goes to "
         "stdout",
         "DIR"},
        {"format", 'f', 0, G_OPTION_ARG_STRING, &args->format, format_help(), "LIST"},
        {"pages", 0, 0, G_OPTION_ARG_STRING, &args->pages,
         "Only these pages, a list like 1-3,7,10- (default: all)", "LIST"},
        {"layout-pdf", 0, 0, G_OPTION_ARG_NONE, &args->layout_pdf,
         "Write the source with every block drawn over it, too: in_layout.pdf (default: off)",
         NULL},
        {"images", 0, 0, G_OPTION_ARG_STRING, &args->images,
         "Image files to write: none, figures, or all: crops of tables and formulas too "
         "(default: all)",
         "WHICH"},
        {"formula", 0, 0, G_OPTION_ARG_STRING, &args->formula,
         "Displayed formulas as latex, image, both, or auto: LaTeX, and beside it the picture "
         "where "
         "its confidence is below 0.7 (default: auto)",
         "HOW"},
        {"no-images", 0, 0, G_OPTION_ARG_NONE, &args->no_images, "The same as --images none", NULL},
        {"dpi", 0, 0, G_OPTION_ARG_DOUBLE, &args->dpi, "Resolution of images (default: 200)", "N"},
        {"hidden-text", 0, 0, G_OPTION_ARG_STRING, &args->hidden_text,
         "Text that no reader sees (white, invisible, tiny, covered): keep or drop (default: drop)",
         "WHAT"},
        {"page-breaks", 0, 0, G_OPTION_ARG_NONE, &args->page_breaks,
         "Mark pages in Markdown by <!-- page N --> (default: off)", NULL},
        {"force", 0, 0, G_OPTION_ARG_NONE, &args->force,
         "Convert again what is unchanged since the last run (default: skip it)", NULL},
        {"check", 0, 0, G_OPTION_ARG_NONE, &args->check,
         "Write nothing but where every glyph went, and fail when one was lost (default: off)",
         NULL},
        G_OPTION_ENTRY_NULL,
    };
    return cli_reader_entries(entries, &args->reader);
}

/* ---- arguments ---- */

static gboolean
parse_images(const convert_args *args, layout_images *images)
{
    static const char *const names[] = {"none", "figures", "all"};
    *images = args->no_images ? LAYOUT_IMAGES_NONE : LAYOUT_IMAGES_ALL;
    if (args->images == NULL) return TRUE;
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        if (strcmp(args->images, names[i]) != 0) continue;
        *images = (layout_images)i;
        return TRUE;
    }
    cli_usage_error("convert", "--images: %s: must be none, figures or all", args->images);
    return FALSE;
}

static gboolean
parse_formula(const convert_args *args, layout_formulas *formulas)
{
    static const char *const names[] = {"auto", "latex", "image", "both"};
    *formulas = LAYOUT_FORMULAS_AUTO;
    if (args->formula == NULL) return TRUE;
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        if (strcmp(args->formula, names[i]) != 0) continue;
        *formulas = (layout_formulas)i;
        return TRUE;
    }
    cli_usage_error("convert", "--formula: %s: must be latex, image, both or auto", args->formula);
    return FALSE;
}

static gboolean
parse_hidden_text(const char *what, gboolean *keep)
{
    *keep = g_strcmp0(what, "keep") == 0;
    if (what == NULL || *keep || strcmp(what, "drop") == 0) return TRUE;
    cli_usage_error("convert", "--hidden-text: %s: must be keep or drop", what);
    return FALSE;
}

static gboolean
to_folder(const convert_args *args)
{
    return args->output != NULL && strcmp(args->output, "-") != 0;
}

/* Into options; the strings stay the arguments', the pages and the password become the caller's. */
static gboolean
read_args(const convert_args *args, pipelines_batch_options *options, GArray **pages)
{
    g_autoptr(GError) error = NULL;
    options->n_jobs = args->reader.jobs;
    options->force = args->force;
    options->cancel = cli_cancel();
    options->output = (pipelines_output_options){
        .formats = to_folder(args) ? LODE_FORMAT_DEFAULT : LODE_FORMAT_MARKDOWN,
        .page_breaks = args->page_breaks,
        .dpi = args->dpi,
    };
    if (!cli_reader_check("convert", &args->reader, &options->worker) ||
        !parse_images(args, &options->output.images) ||
        !parse_formula(args, &options->output.formulas) ||
        !parse_hidden_text(args->hidden_text, &options->keep_hidden))
        return FALSE;
    if (!(args->dpi >= 10 && args->dpi <= 1200)) {
        cli_usage_error("convert", "--dpi: %g: must be from 10 to 1200", args->dpi);
        return FALSE;
    }
    if (args->format != NULL &&
        !pipelines_formats_parse(args->format, &options->output.formats, &error)) {
        cli_usage_error("convert", "--format: %s", error->message);
        return FALSE;
    }
    if (args->layout_pdf) options->output.formats |= LODE_FORMAT_LAYOUT;
    if (args->pages != NULL && (*pages = pipelines_pages_parse(args->pages, &error)) == NULL) {
        cli_usage_error("convert", "--pages: %s", error->message);
        return FALSE;
    }
    options->pages = *pages;
    return TRUE;
}

/* ---- stdin ---- */

/* "-" becomes a temporary file: readers need to seek. Its name is NULL when stdin is not among the inputs. */
typedef struct {
    char *dir, *path;
} stdin_copy;

static void
stdin_copy_clear(stdin_copy *copy)
{
    if (copy->path != NULL) unlink(copy->path);
    if (copy->dir != NULL) rmdir(copy->dir);
    g_free(copy->path);
    g_free(copy->dir);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(stdin_copy, stdin_copy_clear)

static gboolean
copy_stdin(stdin_copy *copy)
{
    g_autoptr(GError) error = NULL;
    copy->dir = g_dir_make_tmp("lode-XXXXXX", &error);
    if (copy->dir == NULL) {
        cli_error(0, "standard input: %s", error->message);
        return FALSE;
    }
    copy->path = g_build_filename(copy->dir, "stdin", NULL);
    FILE *file = fopen(copy->path, "wbx");
    char buffer[65536];
    size_t n;
    gboolean good = file != NULL;
    while (good && (n = fread(buffer, 1, sizeof buffer, stdin)) > 0 &&
           !pipelines_cancelled(cli_cancel()))
        good = fwrite(buffer, 1, n, file) == n;
    if (file != NULL && fclose(file) != 0) good = FALSE;
    if (good && !ferror(stdin)) return TRUE;
    cli_error(0, "standard input: cannot be copied to %s", copy->path);
    return FALSE;
}

static gboolean
replace_stdin(char **operands, int n, stdin_copy *copy)
{
    for (int i = 0; i < n; i++) {
        if (strcmp(operands[i], "-") != 0) continue;
        if (copy->path == NULL && !copy_stdin(copy)) return FALSE;
        g_free(operands[i]);
        operands[i] = g_strdup(copy->path);
    }
    return TRUE;
}

/* ---- one file to stdout ---- */

static void
print_document(const lode_document *document, const pipelines_output_options *output)
{
    layout_write_options how = pipelines_write_options(output);
    how.images = LAYOUT_IMAGES_NONE; /* there is no folder beside stdout */
    g_autofree char *text = pipelines_format_by_flag(output->formats)->write(document, &how);
    cli_write(text, strlen(text));
}

static int
convert_to_stdout(const convert_args *args, GPtrArray *inputs, pipelines_batch_options *options)
{
    if (inputs->len != 1)
        return cli_usage_error("convert", "%u inputs: give a folder for them with -o", inputs->len);
    if (args->common.json) options->output.formats = LODE_FORMAT_JSON;
    if ((options->output.formats & (options->output.formats - 1)) != 0)
        return cli_usage_error("convert", "only one format goes to stdout: give a folder with -o");
    if (pipelines_format_by_flag(options->output.formats)->write == NULL)
        return cli_usage_error("convert", "a PDF needs a folder: give one with -o");
    pipelines_job job = {
        .path = inputs->pdata[0],
        .password = options->password,
        .pages = options->pages,
        .n_threads = options->n_jobs > 0 ? options->n_jobs : pipelines_n_cores(),
        .keep_hidden = options->keep_hidden,
        .want_document = TRUE,
    };
    pipelines_job_result result = {0};
    g_autoptr(GError) error = NULL;
    if (!pipelines_check_input(job.path, &error)) {
        cli_file_error(job.path, error->message);
        return EXIT_NOTHING_DONE;
    }
    pipelines_worker *worker = pipelines_worker_new(&options->worker);
    gboolean ok = pipelines_worker_run(worker, &job, options->cancel, &result, &error);
    pipelines_worker_free(worker);
    for (guint i = 0; i < result.warnings->len; i++)
        cli_note(&args->common, "warning: %s", (const char *)result.warnings->pdata[i]);
    if (ok)
        print_document(result.document, &options->output);
    else
        cli_file_error(job.path, error->message);
    pipelines_job_result_clear(&result);
    return ok ? EXIT_ALL_GOOD : EXIT_NOTHING_DONE;
}

/* ---- many files to a folder ---- */

typedef struct {
    const convert_args *args;
    cli_progress *progress;
    json_t *records;
    size_t n_done;
} convert_run;

static void
on_done(const char *path, const pipelines_record *record, gboolean skipped, void *user_data)
{
    convert_run *run = user_data;
    if (!record->ok || (record->n_failed_pages > 0 && !skipped)) cli_progress_clear(run->progress);
    if (!record->ok) {
        cli_file_error(path, record->error);
    } else if (record->n_failed_pages > 0 && !skipped) {
        g_autofree char *name = g_filename_display_name(path);
        cli_note(&run->args->common,
                 "warning: %s: %u of %u pages could not be read, see convert.jsonl", name,
                 record->n_failed_pages, record->n_pages);
    }
    if (run->args->common.json) {
        json_t *json = pipelines_record_to_json(record);
        json_object_set_new(json, "skipped", json_boolean(skipped));
        json_array_append_new(run->records, json);
    }
    cli_progress_update(run->progress, ++run->n_done);
}

/* By input: in which order files finish is chance. */
static json_t *
sorted_records(json_t *records)
{
    json_t *sorted = json_array();
    size_t n = json_array_size(records);
    g_autofree json_t **items = g_new0(json_t *, n + 1);
    for (size_t i = 0; i < n; i++)
        items[i] = json_array_get(records, i);
    for (size_t i = 1; i < n; i++)
        for (size_t j = i; j > 0; j--) {
            const char *a = json_string_value(json_object_get(items[j - 1], "input"));
            const char *b = json_string_value(json_object_get(items[j], "input"));
            if (strcmp(a, b) <= 0) break;
            json_t *swap = items[j];
            items[j] = items[j - 1];
            items[j - 1] = swap;
        }
    for (size_t i = 0; i < n; i++)
        json_array_append(sorted, items[i]);
    json_decref(records);
    return sorted;
}

static void
report(convert_run *run, const pipelines_batch_report *counts, double seconds)
{
    cli_note(&run->args->common,
             "%zu converted (%" G_GUINT64_FORMAT " pages, %.1f s), %zu unchanged, %zu failed%s",
             counts->n_converted, counts->n_pages, seconds, counts->n_skipped, counts->n_failed,
             counts->n_left > 0 ? "; interrupted: run the same command again to go on" : "");
    if (!run->args->common.json) return;
    g_autoptr(json_t) json = json_object();
    json_object_set_new(json, "converted", json_integer((json_int_t)counts->n_converted));
    json_object_set_new(json, "unchanged", json_integer((json_int_t)counts->n_skipped));
    json_object_set_new(json, "failed", json_integer((json_int_t)counts->n_failed));
    json_object_set_new(json, "left", json_integer((json_int_t)counts->n_left));
    json_object_set_new(json, "pages", json_integer((json_int_t)counts->n_pages));
    json_object_set_new(json, "seconds", json_real(seconds));
    run->records = sorted_records(run->records);
    json_object_set(json, "inputs", run->records);
    cli_print_json(json);
}

static int
convert_to_folder(const convert_args *args, GPtrArray *inputs, pipelines_batch_options *options)
{
    convert_run run = {.args = args, .records = json_array()};
    run.progress = cli_progress_new(&args->common, "converting", inputs->len);
    options->dir = args->output;
    options->done = on_done;
    options->user_data = &run;
    pipelines_batch_report counts;
    g_autoptr(GError) error = NULL;
    gint64 start = g_get_monotonic_time();
    gboolean ran = pipelines_batch_run(inputs, options, &counts, &error);
    double seconds = (double)(g_get_monotonic_time() - start) / 1e6;
    cli_progress_free(run.progress);
    if (ran) report(&run, &counts, seconds);
    json_decref(run.records);
    if (!ran) return cli_error(EXIT_NOTHING_DONE, "%s", error->message);
    if (counts.n_failed + counts.n_left == 0) return EXIT_ALL_GOOD;
    return counts.n_converted + counts.n_skipped > 0 ? EXIT_SOME_FAILED : EXIT_NOTHING_DONE;
}

static int
run_convert(gpointer data, char **operands, int n_operands)
{
    const convert_args *args = data;
    if (n_operands == 0) return cli_usage_error("convert", "which files or folders?");
    pipelines_batch_options options = {0};
    g_autoptr(GArray) pages = NULL;
    if (!read_args(args, &options, &pages)) return EXIT_WRONG_USAGE;
    g_autofree char *password = NULL;
    if (!cli_password(&args->reader, &password)) return EXIT_NOTHING_DONE;
    options.password = password;
    g_auto(stdin_copy) copy = {0};
    if (!replace_stdin(operands, n_operands, &copy)) return EXIT_NOTHING_DONE;
    g_autoptr(GPtrArray) inputs =
        pipelines_collect_inputs((const char *const *)operands, (size_t)n_operands);
    if (inputs->len == 0)
        return cli_error(EXIT_NOTHING_DONE, "%s: no documents in this folder (" CLI_INPUTS ")",
                         operands[0]);
    if (args->check) return convert_check(&args->common, inputs, &options);
    return to_folder(args) ? convert_to_folder(args, inputs, &options)
                           : convert_to_stdout(args, inputs, &options);
}

const command cmd_convert = {
    .name = "convert",
    .summary = "turn papers into Markdown, JSON and images",
    .usage = "INPUT... [-o DIR] [OPTIONS]",
    .description =
        "INPUT is a file, a folder (searched for documents at any depth), or - for standard "
        "input:\n" CLI_INPUTS_LONG "\n\n"
        "For in.pdf, DIR gets in/in.md (Markdown), in/in.json (the whole document, with boxes on "
        "everything\n"
        "and each block's bytes in the Markdown; its schema is "
        "share/lode/lode-document.schema.json),\n"
        "in/in_content_list.json (MinerU's content list) and in/images/. On request there are also "
        "MinerU's\n"
        "in_middle.json, in.html, in.txt, in.bib and in_csl.json (the references), and "
        "in_layout.pdf: the pages\n"
        "with every block drawn, numbered as in the JSON; and in/tables/: each table as CSV, where "
        "a "
        "cell that\n"
        "spans several places stands in the first of them; and in_ocr.pdf (pdf-ocr): the source "
        "with the words read\n"
        "in its scans lying on them, to be searched and copied. --format takes names, \"default\" "
        "and \"all\".\n\n"
        "DIR/convert.jsonl has one line per input with its status, pages, time, warnings and "
        "error. "
        "A second\n"
        "run skips what is unchanged and done with the same options, so an interrupted batch goes "
        "on "
        "where\n"
        "it stopped.\n\n"
        "Every file is read by a process of its own kind: one that crashes, hangs or takes too "
        "much memory\n"
        "fails, and the others go on.",
    .examples = "  $ lode convert paper.pdf                        Markdown on the terminal\n"
                "  $ lode convert papers/ -o out/                  a whole folder\n"
                "  $ lode convert 2301.00001.tar.gz PMC1234567.xml  LaTeX source, JATS\n"
                "  $ lode convert thesis.pdf -o out/ --pages 1-3,10-20 --format md,html\n"
                "  $ lode convert paper.pdf --format bib                  its references",
    .args_size = sizeof(convert_args),
    .init = init_convert,
    .entries = convert_entries,
    .run = run_convert,
};
