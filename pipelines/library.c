/* Many files -> a library. Reader threads run ahead of the one thread that stores, at most a window of files,
 * and documents enter in input order: the same inputs make the same library whatever the threads and
 * however often a run was killed. */
#include "pipelines/internal.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

typedef enum { SLOT_WAITING, SLOT_UNCHANGED, SLOT_READ, SLOT_FAILED } slot_state;

typedef struct {
    slot_state state;
    gboolean known; /* CHANGED rather than UNKNOWN */
    lode_document *document;
    GError *error;
} slot;

typedef struct {
    retrieval_library *library;
    GPtrArray *inputs;
    const pipelines_index_options *options;
    slot *slots;
    guint next, stored, window;
    gboolean stop;
    GMutex mutex;
    GCond changed;
} indexer;

const char *
pipelines_index_outcome_name(pipelines_index_outcome outcome)
{
    static const char *const names[] = {"added", "replaced", "unchanged", "pruned", "failed"};
    g_assert((guint)outcome < G_N_ELEMENTS(names));
    return names[outcome];
}

/* ---- reading ---- */

static gpointer
open_in_process(gpointer data)
{
    return data;
}

static lode_document *
read_in_process(gpointer reader, const char *path, const char *password, const int *cancel,
                GError **error)
{
    (void)reader;
    layout_options options = {.password = password, .cancel = cancel};
    return layout_document_open(path, &options, error);
}

static void
close_in_process(gpointer reader)
{
    (void)reader;
}

const pipelines_reader *
pipelines_reader_in_process(void)
{
    static const pipelines_reader reader = {open_in_process, read_in_process, close_in_process,
                                            NULL};
    return &reader;
}

static void
read_slot(indexer *x, guint index, gpointer reader, slot *result)
{
    const char *path = x->inputs->pdata[index];
    result->state = SLOT_FAILED;
    if (!pipelines_check_input(path, &result->error)) return;
    g_autofree char *sha256 = layout_file_sha256(path, &result->error);
    if (sha256 == NULL) return;
    retrieval_file_state state;
    if (!retrieval_library_file_state(x->library, path, sha256, &state, &result->error)) return;
    if (state == RETRIEVAL_FILE_UNCHANGED) {
        result->state = SLOT_UNCHANGED;
        return;
    }
    result->known = state == RETRIEVAL_FILE_CHANGED;
    result->document = x->options->reader->read(reader, path, x->options->password,
                                                x->options->cancel, &result->error);
    if (result->document != NULL) result->state = SLOT_READ;
}

static gpointer
run_reader(gpointer data)
{
    indexer *x = data;
    gpointer reader = x->options->reader->open(x->options->reader->data);
    g_mutex_lock(&x->mutex);
    for (;;) {
        while (!x->stop && x->next < x->inputs->len && x->next >= x->stored + x->window)
            g_cond_wait(&x->changed, &x->mutex);
        if (x->stop || x->next >= x->inputs->len) break;
        guint index = x->next++;
        g_mutex_unlock(&x->mutex);
        slot result = {0};
        read_slot(x, index, reader, &result);
        g_mutex_lock(&x->mutex);
        x->slots[index] = result;
        g_cond_broadcast(&x->changed);
    }
    g_mutex_unlock(&x->mutex);
    x->options->reader->close(reader);
    return NULL;
}

/* ---- storing ---- */

static slot
wait_for_slot(indexer *x, guint index)
{
    g_mutex_lock(&x->mutex);
    while (x->slots[index].state == SLOT_WAITING && !pipelines_cancelled(x->options->cancel)) {
        gint64 until = g_get_monotonic_time() + 100 * G_TIME_SPAN_MILLISECOND;
        g_cond_wait_until(&x->changed, &x->mutex, until);
    }
    slot result = x->slots[index];
    x->slots[index] = (slot){0};
    x->stored = index + 1;
    g_cond_broadcast(&x->changed);
    g_mutex_unlock(&x->mutex);
    return result;
}

static pipelines_index_outcome
store(indexer *x, const char *path, slot *s)
{
    if (s->state == SLOT_UNCHANGED) return PIPELINES_INDEX_UNCHANGED;
    if (s->state == SLOT_READ &&
        retrieval_library_add(x->library, path, s->document, NULL, x->options->cancel, &s->error))
        return s->known ? PIPELINES_INDEX_REPLACED : PIPELINES_INDEX_ADDED;
    return PIPELINES_INDEX_FAILED;
}

static void
count(lode_index_report *report, pipelines_index_outcome outcome)
{
    size_t *const counters[] = {&report->n_added, &report->n_replaced, &report->n_unchanged,
                                &report->n_pruned, &report->n_failed};
    ++*counters[outcome];
}

static gboolean
set_cancelled(GError **error)
{
    g_set_error_literal(error, PIPELINES_ERROR, LODE_ERROR_CANCELLED,
                        "interrupted: run the same again to go on");
    return FALSE;
}

/* A library that another process holds, or that cannot be written, fails the run and not one file after the
 * other. */
static gboolean
is_fatal(const GError *error)
{
    return error != NULL && error->domain == RETRIEVAL_ERROR;
}

static gboolean
store_all(indexer *x, lode_index_report *report, GError **error)
{
    for (guint i = 0; i < x->inputs->len; i++) {
        const char *path = x->inputs->pdata[i];
        slot s = wait_for_slot(x, i);
        pipelines_index_outcome outcome =
            s.state == SLOT_WAITING ? PIPELINES_INDEX_FAILED : store(x, path, &s);
        g_clear_pointer(&s.document, lode_document_free);
        g_autoptr(GError) failure = g_steal_pointer(&s.error);
        if (pipelines_cancelled(x->options->cancel) && outcome == PIPELINES_INDEX_FAILED)
            return set_cancelled(error);
        if (is_fatal(failure)) {
            g_propagate_error(error, g_steal_pointer(&failure));
            return FALSE;
        }
        count(report, outcome);
        if (x->options->done != NULL)
            x->options->done(path, outcome, failure, i + 1, x->inputs->len, x->options->user_data);
    }
    return TRUE;
}

static void
free_slots(indexer *x)
{
    for (guint i = 0; i < x->inputs->len; i++) {
        lode_document_free(x->slots[i].document);
        g_clear_error(&x->slots[i].error);
    }
    g_free(x->slots);
}

static gboolean
read_and_store(indexer *x, lode_index_report *report, GError **error)
{
    int wanted = x->options->n_jobs > 0 ? x->options->n_jobs : pipelines_n_cores();
    guint n = MIN((guint)wanted, x->inputs->len);
    g_autofree GThread **threads = g_new0(GThread *, n + 1);
    x->window = 2 * n + 1;
    for (guint i = 0; i < n; i++)
        threads[i] = g_thread_new("lode-read", run_reader, x);
    gboolean done = store_all(x, report, error);
    g_mutex_lock(&x->mutex);
    x->stop = TRUE;
    g_cond_broadcast(&x->changed);
    g_mutex_unlock(&x->mutex);
    for (guint i = 0; i < n; i++)
        g_thread_join(threads[i]);
    return done;
}

/* ---- pruning ---- */

/* Gone for sure: a folder we may not look into, or a disk that is not mounted in part, keeps its documents. */
static gboolean
is_gone(const char *path)
{
    return g_path_is_absolute(path) && access(path, F_OK) != 0 &&
           (errno == ENOENT || errno == ENOTDIR);
}

static gboolean
prune(indexer *x, lode_index_report *report, GError **error)
{
    g_auto(GStrv) paths = retrieval_library_list(x->library, error);
    if (paths == NULL) return FALSE;
    for (char **path = paths; *path != NULL; path++) {
        if (!is_gone(*path)) continue;
        if (!retrieval_library_remove(x->library, *path, error)) return FALSE;
        report->n_pruned++;
        if (x->options->done != NULL)
            x->options->done(*path, PIPELINES_INDEX_PRUNED, NULL, x->inputs->len, x->inputs->len,
                             x->options->user_data);
    }
    return TRUE;
}

gboolean
pipelines_index_run(retrieval_library *library, GPtrArray *inputs,
                    const pipelines_index_options *options, lode_index_report *report,
                    GError **error)
{
    *report = (lode_index_report){0};
    indexer x = {.library = library, .inputs = inputs, .options = options};
    x.slots = g_new0(slot, (gsize)inputs->len + 1);
    g_mutex_init(&x.mutex);
    g_cond_init(&x.changed);
    gboolean done =
        read_and_store(&x, report, error) && (!options->prune || prune(&x, report, error));
    free_slots(&x);
    g_mutex_clear(&x.mutex);
    g_cond_clear(&x.changed);
    if (done) return retrieval_library_commit(library, error);
    /* what is in stays in: an index of it is worth having; the first error is the one to tell */
    g_autoptr(GError) ignored = NULL;
    retrieval_library_commit(library, &ignored);
    return FALSE;
}
