/* Many files -> many folders. Threads take files in order; each owns a worker process; what finishes is
 * written to the journal at once, so a kill loses only the files in work. */
#include "pipelines/internal.h"

#include <sched.h>
#include <string.h>

typedef struct {
    GPtrArray *inputs;
    GPtrArray *stems; /* of char *, by input */
    const pipelines_batch_options *options;
    char *options_hash;
    pipelines_journal *journal;
    pipelines_batch_report *report;
    int n_page_threads; /* for each file */
    gint next;          /* atomic: the next input to take */
    GMutex mutex;       /* journal, report, callback, failure */
    GError *failure;    /* the batch cannot go on: the journal cannot be written */
    int stop;
} batch;

int
pipelines_n_cores(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) return MAX(CPU_COUNT(&set), 1);
    return (int)MAX(g_get_num_processors(), 1);
}

/* Everything the outputs depend on besides the input's bytes. */
static char *
hash_options(const pipelines_batch_options *options)
{
    char dpi[G_ASCII_DTOSTR_BUF_SIZE];
    g_autofree char *pages = pipelines_pages_text(options->pages);
    g_autofree char *text = g_strdup_printf(
        "lode=%s formats=%u images=%d page_breaks=%d dpi=%s pages=%s hidden=%d formulas=%d "
        "ocr=%d %s",
        lode_version(), options->output.formats, options->output.images,
        options->output.page_breaks, g_ascii_dtostr(dpi, sizeof dpi, options->output.dpi), pages,
        options->keep_hidden, (int)options->output.formulas, (int)options->worker.ocr,
        options->worker.ocr_languages ? options->worker.ocr_languages : "");
    g_autofree char *hash = g_compute_checksum_for_string(G_CHECKSUM_SHA256, text, -1);
    return g_strndup(hash, 16);
}

static char *
display_key(const char *path)
{
    g_autoptr(json_t) json = pipelines_json_path(path);
    return g_strdup(json_string_value(json));
}

static gboolean
is_done(batch *b, const char *key, const char *stem, const char *sha256)
{
    if (b->options->force) return FALSE;
    g_autofree char *dir = g_build_filename(b->options->dir, stem, NULL);
    g_mutex_lock(&b->mutex);
    const pipelines_record *last = pipelines_journal_lookup(b->journal, key);
    gboolean same = last != NULL && last->ok && g_strcmp0(last->sha256, sha256) == 0 &&
                    g_strcmp0(last->options, b->options_hash) == 0;
    g_mutex_unlock(&b->mutex);
    return same && pipelines_outputs_exist(dir, stem, b->options->output.formats);
}

static void
report_skipped(batch *b, const char *path, const char *key)
{
    g_mutex_lock(&b->mutex);
    b->report->n_skipped++;
    const pipelines_record *record = pipelines_journal_lookup(b->journal, key);
    if (b->options->done != NULL) b->options->done(path, record, TRUE, b->options->user_data);
    g_mutex_unlock(&b->mutex);
}

/* Takes record. */
static void
report_finished(batch *b, const char *path, pipelines_record *record)
{
    g_mutex_lock(&b->mutex);
    if (record->ok) {
        b->report->n_converted++;
        b->report->n_pages += record->n_pages;
    } else {
        b->report->n_failed++;
    }
    GError *failure = NULL;
    if (!pipelines_journal_append(b->journal, record, &failure)) {
        if (b->failure == NULL) b->failure = g_steal_pointer(&failure);
        g_clear_error(&failure);
        g_atomic_int_set(&b->stop, 1);
    }
    if (b->options->done != NULL) b->options->done(path, record, FALSE, b->options->user_data);
    g_mutex_unlock(&b->mutex);
}

static void
convert_one(batch *b, guint index, pipelines_worker *worker)
{
    const char *path = b->inputs->pdata[index], *stem = b->stems->pdata[index];
    gint64 start = g_get_monotonic_time();
    g_autoptr(GError) error = NULL;
    g_autofree char *key = display_key(path);
    g_autofree char *sha256 =
        pipelines_check_input(path, &error) ? layout_file_sha256(path, &error) : NULL;
    if (sha256 != NULL && is_done(b, key, stem, sha256)) {
        report_skipped(b, path, key);
        return;
    }
    g_autofree char *dir = g_build_filename(b->options->dir, stem, NULL);
    pipelines_job job = {
        .path = path,
        .password = b->options->password,
        .pages = b->options->pages,
        .n_threads = b->n_page_threads,
        .keep_hidden = b->options->keep_hidden,
        .dir = dir,
        .stem = stem,
        .output = b->options->output,
    };
    pipelines_job_result result = {0};
    gboolean ok =
        sha256 != NULL && pipelines_worker_run(worker, &job, b->options->cancel, &result, &error);
    if (g_error_matches(error, PIPELINES_ERROR, LODE_ERROR_CANCELLED)) {
        pipelines_job_result_clear(&result);
        g_mutex_lock(&b->mutex);
        b->report->n_left++;
        g_mutex_unlock(&b->mutex);
        return;
    }
    pipelines_record *record = pipelines_record_new();
    record->input = g_steal_pointer(&key);
    record->stem = g_strdup(stem);
    record->sha256 = g_steal_pointer(&sha256);
    record->options = g_strdup(b->options_hash);
    record->ok = ok;
    record->error = ok ? NULL : g_utf8_make_valid(error->message, -1);
    record->n_pages = result.n_pages;
    record->n_failed_pages = result.n_failed_pages;
    record->seconds = (double)(g_get_monotonic_time() - start) / 1e6;
    if (result.warnings != NULL) {
        g_ptr_array_unref(record->warnings);
        record->warnings = g_steal_pointer(&result.warnings);
    }
    pipelines_job_result_clear(&result);
    report_finished(b, path, record);
}

static gpointer
run_thread(gpointer data)
{
    batch *b = data;
    pipelines_worker *worker = pipelines_worker_new(&b->options->worker);
    for (;;) {
        guint index = (guint)g_atomic_int_add(&b->next, 1);
        if (index >= b->inputs->len) break;
        if (g_atomic_int_get(&b->stop) || pipelines_cancelled(b->options->cancel)) {
            g_mutex_lock(&b->mutex);
            b->report->n_left++;
            g_mutex_unlock(&b->mutex);
            continue;
        }
        convert_one(b, index, worker);
    }
    pipelines_worker_free(worker);
    return NULL;
}

static void
run_threads(batch *b)
{
    int wanted = b->options->n_jobs > 0 ? b->options->n_jobs : pipelines_n_cores();
    guint n = MIN((guint)wanted, b->inputs->len);
    b->n_page_threads = n > 0 ? wanted / (int)n : 1;
    g_autofree GThread **threads = g_new0(GThread *, n + 1);
    for (guint i = 0; i < n; i++)
        threads[i] = g_thread_new("lode-batch", run_thread, b);
    for (guint i = 0; i < n; i++)
        g_thread_join(threads[i]);
}

gboolean
pipelines_batch_run(GPtrArray *inputs, const pipelines_batch_options *options,
                    pipelines_batch_report *report, GError **error)
{
    *report = (pipelines_batch_report){0};
    pipelines_journal *journal = pipelines_journal_open(options->dir, error);
    if (journal == NULL) return FALSE;
    g_autoptr(GPtrArray) stems = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < inputs->len; i++) {
        g_autofree char *key = display_key(inputs->pdata[i]);
        g_ptr_array_add(stems, g_strdup(pipelines_journal_stem(journal, key)));
    }
    batch b = {
        .inputs = inputs,
        .stems = stems,
        .options = options,
        .options_hash = hash_options(options),
        .journal = journal,
        .report = report,
    };
    g_mutex_init(&b.mutex);
    run_threads(&b);
    g_mutex_clear(&b.mutex);
    g_free(b.options_hash);
    if (b.failure != NULL) {
        g_propagate_error(error, b.failure);
        pipelines_journal_free(journal);
        return FALSE;
    }
    return pipelines_journal_close(journal, error);
}
