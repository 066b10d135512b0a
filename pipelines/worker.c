/* Reading files in a process of their own: what crashes, hangs or eats memory there costs one file.
 *
 * The program starts itself with a hidden command and talks over the child's stdin and stdout:
 *
 *   parent -> child   one JSON object per line: a job. Names are percent-escaped bytes, so any name passes.
 *   child -> parent   {"page": 3, "of": 12}            a page is done: the sign of life that holds off the kill
 *                     {"ok": true, "pages": 12, ..., "document_bytes": N}   the end of the job, then N bytes
 *                     of document JSON
 *
 * The child dies with its parent (PR_SET_PDEATHSIG), ignores Ctrl-C (the parent decides) and stops between two
 * pages on SIGTERM. It is replaced after MAX_JOBS files, so that a fragmented heap does not grow for ever. */
#include "pipelines/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    MAX_JOBS = 64,
    POLL_MS = 100,
    TERM_MS = 3000,          /* from SIGTERM to SIGKILL */
    MAX_LINE = 16 << 20,     /* of a reply; its warnings are bounded by layout */
    PROGRESS_US = 20 * 1000, /* at most 50 signs of life a second */
    TRIM_PAGES = 8           /* after so many the heap gives back what is free */
};
#define MAX_DOCUMENT_BYTES ((json_int_t)2 << 30)
#define DEFAULT_MEMORY     ((uint64_t)4 << 30)

struct pipelines_worker {
    pipelines_worker_options options;
    GPid pid; /* 0: not running */
    int in, out;
    guint n_jobs;
    GByteArray *received; /* bytes not yet consumed */
};

/* ---- the parent's side ---------------------------------------------------------------------- */

pipelines_worker *
pipelines_worker_new(const pipelines_worker_options *options)
{
    pipelines_worker *worker = g_new0(pipelines_worker, 1);
    worker->options = *options;
    if (worker->options.stall_seconds <= 0) worker->options.stall_seconds = 120;
    if (worker->options.memory_limit == 0) worker->options.memory_limit = DEFAULT_MEMORY;
    worker->in = worker->out = -1;
    worker->received = g_byte_array_new();
    return worker;
}

static gboolean
start(pipelines_worker *worker, GError **error)
{
    g_autofree char *memory = g_strdup_printf("%" G_GUINT64_FORMAT, worker->options.memory_limit);
    /* the child resolves this name after the fork: the same program, even where it was replaced on disk */
    char *argv[] = {(char *)"/proc/self/exe", (char *)"__worker", memory, NULL};
    GSpawnFlags flags = G_SPAWN_DO_NOT_REAP_CHILD;
#ifndef LODE_SANITIZED
    flags |= G_SPAWN_STDERR_TO_DEV_NULL; /* what matters comes back as warnings */
#endif
    g_autoptr(GError) cause = NULL;
    /* Readers multiply no matrices: BLAS need not start threads there, which spin before they sleep. */
    g_auto(GStrv) environment =
        g_environ_setenv(g_get_environ(), "OPENBLAS_NUM_THREADS", "1", TRUE);
    if (g_spawn_async_with_pipes(NULL, argv, environment, flags, NULL, NULL, &worker->pid,
                                 &worker->in, &worker->out, NULL, &cause)) {
        fcntl(worker->in, F_SETFD, FD_CLOEXEC);
        fcntl(worker->out, F_SETFD, FD_CLOEXEC);
        return TRUE;
    }
    g_set_error(error, PIPELINES_ERROR, LODE_ERROR_INTERNAL, "cannot start a reader process: %s",
                cause->message);
    worker->pid = 0;
    return FALSE;
}

/* Ends the process and returns its wait status. polite: it has nothing to do and leaves by itself. */
static int
stop(pipelines_worker *worker, gboolean polite)
{
    if (worker->pid == 0) return 0;
    close(worker->in);
    if (!polite) kill(worker->pid, SIGTERM);
    int status = 0;
    pid_t reaped = 0;
    for (int waited = 0; waited < TERM_MS; waited += 5) {
        reaped = waitpid(worker->pid, &status, WNOHANG);
        if (reaped != 0) break;
        g_usleep(5000);
    }
    if (reaped == 0) {
        kill(worker->pid, SIGKILL);
        waitpid(worker->pid, &status, 0);
    }
    close(worker->out);
    g_spawn_close_pid(worker->pid);
    worker->pid = 0;
    worker->in = worker->out = -1;
    worker->n_jobs = 0;
    g_byte_array_set_size(worker->received, 0);
    return status;
}

void
pipelines_worker_free(pipelines_worker *worker)
{
    if (worker == NULL) return;
    stop(worker, TRUE);
    g_byte_array_unref(worker->received);
    g_free(worker);
}

static json_t *
escaped(const char *bytes)
{
    if (bytes == NULL) return json_null();
    g_autofree char *text = g_uri_escape_bytes((const guint8 *)bytes, strlen(bytes), "/");
    return json_string(text);
}

static char *
job_to_line(const pipelines_job *job, const pipelines_worker_options *options)
{
    g_autoptr(json_t) json = json_object();
    json_object_set_new(json, "path", escaped(job->path));
    json_object_set_new(json, "password", escaped(job->password));
    g_autofree char *pages = pipelines_pages_text(job->pages);
    json_object_set_new(json, "pages", json_string(pages));
    json_object_set_new(json, "keep_hidden", json_boolean(job->keep_hidden));
    json_object_set_new(json, "threads",
                        json_integer(job->n_threads > 0 ? job->n_threads : options->n_threads));
    json_object_set_new(json, "ocr", json_integer((int)options->ocr));
    json_object_set_new(json, "ocr_languages", escaped(options->ocr_languages));
    json_object_set_new(json, "dir", escaped(job->dir));
    json_object_set_new(json, "stem", escaped(job->stem));
    json_object_set_new(json, "formats", json_integer(job->output.formats));
    json_object_set_new(json, "images", json_integer((int)job->output.images));
    json_object_set_new(json, "formulas", json_integer((int)job->output.formulas));
    json_object_set_new(json, "page_breaks", json_boolean(job->output.page_breaks));
    json_object_set_new(json, "dpi", json_real(job->output.dpi));
    json_object_set_new(json, "want_document", json_boolean(job->want_document));
    return pipelines_json_line(json);
}

typedef enum { RECEIVED, ENDED, STALLED, CANCELLED } receive_status;

/* Wait for more bytes: until the deadline, the end of the process, or the cancel flag. */
static receive_status
receive(pipelines_worker *worker, gint64 deadline, const int *cancel)
{
    for (;;) {
        if (pipelines_cancelled(cancel)) return CANCELLED;
        struct pollfd pfd = {.fd = worker->out, .events = POLLIN};
        int ready = poll(&pfd, 1, POLL_MS);
        if (ready < 0 && errno != EINTR) return ENDED;
        if (ready > 0) {
            guint8 buffer[65536];
            ssize_t n = read(worker->out, buffer, sizeof buffer);
            if (n < 0 && errno == EINTR) continue;
            if (n <= 0) return ENDED;
            g_byte_array_append(worker->received, buffer, (guint)n);
            return RECEIVED;
        }
        if (g_get_monotonic_time() > deadline) return STALLED;
    }
}

/* One line out of what was received; NULL when it is not there yet. */
static char *
take_line(pipelines_worker *worker)
{
    const guint8 *data = worker->received->data;
    const guint8 *newline =
        worker->received->len > 0 ? memchr(data, '\n', worker->received->len) : NULL;
    if (newline == NULL) return NULL;
    guint len = (guint)(newline - data);
    char *line = g_strndup((const char *)data, len);
    g_byte_array_remove_range(worker->received, 0, len + 1);
    return line;
}

static void
set_death_error(GError **error, int status)
{
    if (WIFSIGNALED(status)) {
        int sig = WTERMSIG(status);
        const char *why = sig == SIGABRT || sig == SIGTRAP || sig == SIGKILL
                              ? "out of memory, or an internal fault"
                              : "an internal fault";
        g_set_error(error, PIPELINES_ERROR, LODE_ERROR_INTERNAL,
                    "the reader process died on this file (signal %d: %s)", sig, why);
    } else {
        g_set_error(error, PIPELINES_ERROR, LODE_ERROR_INTERNAL,
                    "the reader process gave up on this file (exit code %d)", WEXITSTATUS(status));
    }
}

/* End the process over a job it did not finish, and say why. */
static void
give_up(pipelines_worker *worker, receive_status why, GError **error)
{
    double seconds = worker->options.stall_seconds;
    int status = stop(worker, why == ENDED);
    if (why == CANCELLED)
        g_set_error_literal(error, PIPELINES_ERROR, LODE_ERROR_CANCELLED, "interrupted");
    else if (why == STALLED)
        g_set_error(error, PIPELINES_ERROR, LODE_ERROR_LIMIT,
                    "no page finished for %.0f s: stopped (raise --timeout to wait longer)",
                    seconds);
    else
        set_death_error(error, status);
}

static gint64
deadline_of(const pipelines_worker *worker)
{
    return g_get_monotonic_time() + (gint64)(worker->options.stall_seconds * 1e6);
}

/* The reply's document: json [n] bytes after the line. */
static gboolean
take_document(pipelines_worker *worker, json_int_t n, const int *cancel,
              pipelines_job_result *result, GError **error)
{
    if (n < 0 || n > MAX_DOCUMENT_BYTES) {
        give_up(worker, ENDED, error);
        return FALSE;
    }
    gint64 deadline = deadline_of(worker);
    while (worker->received->len < (guint64)n) {
        receive_status status = receive(worker, deadline, cancel);
        if (status != RECEIVED) {
            give_up(worker, status, error);
            return FALSE;
        }
    }
    result->document =
        layout_document_from_json((const char *)worker->received->data, (size_t)n, error);
    g_byte_array_remove_range(worker->received, 0, (guint)n);
    return result->document != NULL;
}

static gboolean
read_reply(pipelines_worker *worker, const json_t *reply, const int *cancel,
           pipelines_job_result *result, GError **error)
{
    result->n_pages = (guint)json_integer_value(json_object_get(reply, "pages"));
    result->n_failed_pages = (guint)json_integer_value(json_object_get(reply, "failed_pages"));
    result->read_seconds = json_number_value(json_object_get(reply, "read_seconds"));
    result->write_seconds = json_number_value(json_object_get(reply, "write_seconds"));
    size_t i;
    json_t *warning;
    json_array_foreach(json_object_get(reply, "warnings"), i, warning)
        g_ptr_array_add(result->warnings, g_strdup(json_string_value(warning)));
    if (json_is_false(json_object_get(reply, "ok"))) {
        const char *message = json_string_value(json_object_get(reply, "error"));
        json_int_t code = json_integer_value(json_object_get(reply, "code"));
        g_set_error_literal(error, PIPELINES_ERROR,
                            code > LODE_OK && code <= LODE_ERROR_INTERNAL ? (int)code
                                                                          : LODE_ERROR_INTERNAL,
                            message != NULL ? message : "unknown failure");
        return FALSE;
    }
    json_int_t n = json_integer_value(json_object_get(reply, "document_bytes"));
    return n == 0 || take_document(worker, n, cancel, result, error);
}

static gboolean
await(pipelines_worker *worker, const int *cancel, pipelines_job_result *result, GError **error)
{
    gint64 deadline = deadline_of(worker);
    for (;;) {
        g_autofree char *line = take_line(worker);
        if (line == NULL) {
            receive_status status =
                worker->received->len > MAX_LINE ? ENDED : receive(worker, deadline, cancel);
            if (status == RECEIVED) continue;
            give_up(worker, status, error);
            return FALSE;
        }
        g_autoptr(json_t) reply = json_loads(line, 0, NULL);
        if (json_object_get(reply, "ok") != NULL)
            return read_reply(worker, reply, cancel, result, error);
        deadline = deadline_of(worker);
    }
}

gboolean
pipelines_worker_run(pipelines_worker *worker, const pipelines_job *job, const int *cancel,
                     pipelines_job_result *result, GError **error)
{
    *result = (pipelines_job_result){.warnings = g_ptr_array_new_with_free_func(g_free)};
    if (worker->n_jobs >= MAX_JOBS) stop(worker, TRUE);
    if (worker->pid == 0 && !start(worker, error)) return FALSE;
    worker->n_jobs++;
    g_autofree char *line = job_to_line(job, &worker->options);
    if (!layout_write_all(worker->in, line, strlen(line))) {
        give_up(worker, ENDED, error);
        return FALSE;
    }
    return await(worker, cancel, result, error);
}

/* ---- the child's side ----------------------------------------------------------------------- */

static volatile int child_cancel;

static void
on_term(int sig)
{
    (void)sig;
    child_cancel = 1;
}

typedef struct {
    FILE *out;
    gint64 last; /* monotonic time of the last sign of life */
} reporter;

static void
report_page(int page, int n_pages, void *user_data)
{
    reporter *r = user_data;
    gint64 now = g_get_monotonic_time();
    /* what one page full of drawings took would stay in the heap for good */
    if (page % TRIM_PAGES == 0 || page == n_pages) malloc_trim(0);
    if (now - r->last < PROGRESS_US) return;
    r->last = now;
    fprintf(r->out, "{\"page\":%d,\"of\":%d}\n", page, n_pages);
    fflush(r->out);
}

static char *
unescaped(const json_t *json, const char *key)
{
    const char *text = json_string_value(json_object_get(json, key));
    return text != NULL ? g_uri_unescape_string(text, NULL) : NULL;
}

static json_t *
result_to_json(gboolean ok, const pipelines_job_result *result, const GError *failure)
{
    json_t *json = json_object();
    json_object_set_new(json, "ok", json_boolean(ok));
    json_object_set_new(json, "pages", json_integer(result->n_pages));
    json_object_set_new(json, "failed_pages", json_integer(result->n_failed_pages));
    json_object_set_new(json, "read_seconds", json_real(result->read_seconds));
    json_object_set_new(json, "write_seconds", json_real(result->write_seconds));
    json_t *warnings = json_array();
    for (guint i = 0; i < result->warnings->len; i++)
        json_array_append_new(warnings, json_string(result->warnings->pdata[i]));
    json_object_set_new(json, "warnings", warnings);
    if (failure != NULL) {
        g_autofree char *message = g_utf8_make_valid(failure->message, -1);
        json_object_set_new(json, "error", json_string(message));
        json_object_set_new(json, "code", json_integer(pipelines_status(failure)));
    }
    return json;
}

static void
do_job(const json_t *json, reporter *r)
{
    g_autofree char *path = unescaped(json, "path");
    g_autofree char *password = unescaped(json, "password");
    g_autofree char *dir = unescaped(json, "dir");
    g_autofree char *stem = unescaped(json, "stem");
    g_autofree char *languages = unescaped(json, "ocr_languages");
    const char *pages = json_string_value(json_object_get(json, "pages"));
    g_autoptr(GArray) ranges =
        pages != NULL && *pages != '\0' ? pipelines_pages_parse(pages, NULL) : NULL;
    pipelines_job job = {
        .path = path != NULL ? path : "",
        .password = password,
        .pages = ranges,
        .n_threads = (int)CLAMP(json_integer_value(json_object_get(json, "threads")), 1, 1024),
        .keep_hidden = json_is_true(json_object_get(json, "keep_hidden")),
        .ocr = (layout_ocr_mode)CLAMP(json_integer_value(json_object_get(json, "ocr")),
                                      LAYOUT_OCR_AUTO, LAYOUT_OCR_FORCE),
        .ocr_languages = languages,
        .dir = dir,
        .stem = stem,
        .output = {.formats = (unsigned)json_integer_value(json_object_get(json, "formats")),
                   .images = (layout_images)json_integer_value(json_object_get(json, "images")),
                   .formulas =
                       (layout_formulas)json_integer_value(json_object_get(json, "formulas")),
                   .page_breaks = json_is_true(json_object_get(json, "page_breaks")),
                   .dpi = json_number_value(json_object_get(json, "dpi"))},
        .want_document = json_is_true(json_object_get(json, "want_document")),
    };
    pipelines_job_result result = {0};
    g_autoptr(GError) failure = NULL;
    gboolean ok =
        pipelines_job_run(&job, (const int *)&child_cancel, report_page, r, &result, &failure);
    g_autoptr(json_t) reply = result_to_json(ok, &result, failure);
    g_autofree char *document =
        result.document != NULL ? layout_document_to_json(result.document) : NULL;
    size_t len = document != NULL ? strlen(document) : 0;
    json_object_set_new(reply, "document_bytes", json_integer((json_int_t)len));
    g_autofree char *line = pipelines_json_line(reply);
    fputs(line, r->out);
    if (len > 0) fwrite(document, 1, len, r->out);
    fflush(r->out);
    pipelines_job_result_clear(&result);
}

static void
limit_memory(const char *text)
{
#ifndef LODE_SANITIZED /* shadow memory needs terabytes of address space */
    guint64 bytes = 0;
    if (!g_ascii_string_to_unsigned(text, 10, 1, G_MAXINT64, &bytes, NULL)) return;
    struct rlimit limit = {.rlim_cur = bytes, .rlim_max = bytes};
    setrlimit(RLIMIT_AS, &limit);
#else
    (void)text;
#endif
    struct rlimit none = {0};
    setrlimit(RLIMIT_CORE, &none); /* a crash here is expected: no core files in people's folders */
}

/* Images of pages are some megabytes each and many are made for one page: blocks of the kernel's own for each would
 * cost more in page faults than their pixels take to write, and with two threads the kernel's lock on the address space
 * makes one wait for the other. Set, the thresholds no longer follow what is freed. */
static void
keep_images_in_heap(void)
{
    mallopt(M_MMAP_THRESHOLD, 32 << 20);
    mallopt(M_TRIM_THRESHOLD, 64 << 20);
}

int
pipelines_worker_main(int argc, char **argv)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGINT, SIG_IGN);
    struct sigaction action = {.sa_handler = on_term};
    sigaction(SIGTERM, &action, NULL);
    if (argc > 1) limit_memory(argv[1]);
    keep_images_in_heap();
    /* replies go over a descriptor of their own: what a library prints on stdout must not mix with them */
    int fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    if (fd < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0) return 3;
    reporter r = {.out = fdopen(fd, "w")};
    if (r.out == NULL) return 3;
    char *line = NULL;
    size_t size = 0;
    while (!child_cancel && getline(&line, &size, stdin) > 0) {
        g_autoptr(json_t) json = json_loads(line, 0, NULL);
        if (json == NULL) break;
        do_job(json, &r);
    }
    free(line);
    fclose(r.out);
    return 0;
}
