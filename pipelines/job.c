/* One file -> one document -> its outputs, in this process. */
#include "pipelines/internal.h"
#include "pipelines/ocr_store.h"

void
pipelines_job_result_clear(pipelines_job_result *result)
{
    g_clear_pointer(&result->warnings, g_ptr_array_unref);
    g_clear_pointer(&result->document, lode_document_free);
    *result = (pipelines_job_result){0};
}

static void
summarise(const lode_document *document, pipelines_job_result *result)
{
    for (guint i = 0; i < document->n_pages; i++) {
        if (!document->pages[i].skipped) result->n_pages++;
        if (document->pages[i].failure != NULL) result->n_failed_pages++;
    }
    for (guint i = 0; i < document->n_warnings; i++) {
        const layout_warning *warning = &document->warnings[i];
        char *text = warning->page == LAYOUT_NONE
                         ? g_strdup(warning->message)
                         : g_strdup_printf("page %d: %s", warning->page + 1, warning->message);
        g_ptr_array_add(result->warnings, text);
    }
}

static gboolean
run(const pipelines_job *job, const pipelines_ocr_store *store, const int *cancel,
    void (*progress)(int page, int n_pages, void *user_data), void *user_data,
    pipelines_job_result *result, GError **error)
{
    layout_options options = {
        .password = job->password,
        .ranges = job->pages != NULL ? (const layout_page_range *)(void *)job->pages->data : NULL,
        .n_threads = (unsigned)MAX(job->n_threads, 1),
        .n_ranges = job->pages != NULL ? job->pages->len : 0,
        .keep_hidden = job->keep_hidden,
        .ocr = job->ocr,
        .ocr_languages = job->ocr_languages,
        .ocr_store = store != NULL ? pipelines_ocr_store_calls(store) : NULL,
        .cancel = cancel,
        .progress = progress,
        .user_data = user_data,
    };
    gint64 start = g_get_monotonic_time();
    g_autoptr(lode_document) document = layout_document_open(job->path, &options, error);
    gint64 read = g_get_monotonic_time();
    result->read_seconds = (double)(read - start) / 1e6;
    if (document == NULL) return FALSE;
    summarise(document, result);
    pipelines_output_options output = job->output;
    output.reading = &options;
    if (job->dir != NULL && !pipelines_write_document(document, job->path, job->password, job->dir,
                                                      job->stem, &output, result->warnings, error))
        return FALSE;
    result->write_seconds = (double)(g_get_monotonic_time() - read) / 1e6;
    if (job->want_document) result->document = g_steal_pointer(&document);
    return TRUE;
}

gboolean
pipelines_job_run(const pipelines_job *job, const int *cancel,
                  void (*progress)(int page, int n_pages, void *user_data), void *user_data,
                  pipelines_job_result *result, GError **error)
{
    *result = (pipelines_job_result){.warnings = g_ptr_array_new_with_free_func(g_free)};
    pipelines_ocr_store *store =
        job->dir != NULL ? pipelines_ocr_store_new(job->dir, job->path) : NULL;
    const gboolean ok = run(job, store, cancel, progress, user_data, result, error);
    pipelines_ocr_store_free(store, ok);
    return ok;
}
