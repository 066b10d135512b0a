/* A run: its folder, what is asked, what is known already.
 *
 *     OUT/run.json           the settings; another run with other settings does not go into the same folder
 *     OUT/predictions.jsonl  one line per question, appended as they come: a kill loses those in work
 *     OUT/errors.jsonl       questions that failed, and why; they are asked again by the next run
 *     OUT/run.METHOD.jsonl   rankings, for other scorers
 *     OUT/results.json, report.md, report.html */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "pipelines/eval.h"

typedef struct {
    const eval_context *context;
    const eval_run_options *options;
    GHashTable *predictions; /* id -> json_t */
    GPtrArray *todo;         /* of const eval_question * */
    GMutex lock;             /* of all below */
    int fd;
    GString *errors;
    GError *error; /* the journal's */
    guint n_done, n_failed;
} run;

static gboolean
io_error(GError **error, const char *path, int saved)
{
    g_autofree char *name = g_filename_display_name(path);
    g_set_error(error, PIPELINES_ERROR, LODE_ERROR_IO, "%s: %s", name, g_strerror(saved));
    return FALSE;
}

static gboolean
write_json(const char *dir, const char *name, const json_t *json, GError **error)
{
    g_autofree char *path = g_build_filename(dir, name, NULL);
    g_autofree char *text = pipelines_json_text(json);
    return pipelines_write_file(path, text, strlen(text), error);
}

static gboolean
write_text(const char *dir, const char *name, const char *text, GError **error)
{
    g_autofree char *path = g_build_filename(dir, name, NULL);
    return pipelines_write_file(path, text, strlen(text), error);
}

/* ---- settings ---- */

static gboolean
check_settings(const eval_run_options *o, GError **error)
{
    g_autofree char *path = g_build_filename(o->dir, "run.json", NULL);
    g_autofree char *text = NULL;
    gsize len = 0;
    if (!g_file_get_contents(path, &text, &len, NULL))
        return write_json(o->dir, "run.json", o->settings, error);
    g_autoptr(json_t) before = json_loadb(text, len, 0, NULL);
    if (before != NULL && json_equal(before, o->settings)) return TRUE;
    const char *key;
    json_t *value;
    g_autoptr(GString) names = g_string_new(NULL);
    json_object_foreach(o->settings, key, value)
    {
        const json_t *old = json_object_get(before, key);
        if (old == NULL || !json_equal(old, value))
            g_string_append_printf(names, "%s%s", names->len > 0 ? ", " : "", key);
    }
    g_set_error(error, PIPELINES_ERROR, LODE_ERROR_MISMATCH,
                "%s: holds a run with other settings (%s): choose another folder", o->dir,
                names->len > 0 ? names->str : "fewer");
    return FALSE;
}

/* ---- what is asked ---- */

typedef struct {
    char *key;
    guint index;
} drawn;

static gint
compare_drawn(gconstpointer a, gconstpointer b)
{
    return strcmp(((const drawn *)a)->key, ((const drawn *)b)->key);
}

static void
clear_drawn(gpointer data)
{
    g_free(((drawn *)data)->key);
}

/* Ids of the questions of this run. A sample is those with the smallest hashes: a larger one holds the smaller. */
static GHashTable *
choose(const eval_dataset *set, const eval_run_options *o)
{
    GHashTable *asked = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GArray) order = g_array_new(FALSE, FALSE, sizeof(drawn));
    g_array_set_clear_func(order, clear_drawn);
    for (guint i = 0; i < set->questions->len; i++) {
        const char *id = g_array_index(set->questions, eval_question, i).id;
        g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT ":%s", o->seed, id);
        const drawn d = {g_compute_checksum_for_string(G_CHECKSUM_SHA256, text, -1), i};
        g_array_append_val(order, d);
    }
    const guint n = o->limit > 0 ? MIN(o->limit, order->len) : order->len;
    if (n < order->len) g_array_sort(order, compare_drawn);
    for (guint i = 0; i < n; i++) {
        const guint at = g_array_index(order, drawn, i).index;
        g_hash_table_add(asked, g_array_index(set->questions, eval_question, at).id);
    }
    return asked;
}

/* ---- the journal ---- */

static void
keep(run *r, json_t *prediction)
{
    const char *id = json_string_value(json_object_get(prediction, "_id"));
    if (id == NULL)
        json_decref(prediction);
    else
        g_hash_table_replace(r->predictions, g_strdup(id), prediction);
}

/* What earlier runs left; a last line cut short by a kill is dropped. */
static gboolean
open_journal(run *r, GError **error)
{
    g_autofree char *path = g_build_filename(r->options->dir, "predictions.jsonl", NULL);
    g_autofree char *text = NULL;
    gsize len = 0, whole = 0;
    r->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_APPEND, 0644);
    if (r->fd < 0) return io_error(error, path, errno);
    if (flock(r->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        g_set_error(error, PIPELINES_ERROR, LODE_ERROR_BUSY, "%s: another lode eval writes here",
                    r->options->dir);
        return FALSE;
    }
    if (!g_file_get_contents(path, &text, &len, error)) return FALSE;
    for (const char *p = text; p < text + len;) {
        const char *stop = memchr(p, '\n', (size_t)(text + len - p));
        if (stop == NULL) break;
        json_t *prediction = json_loadb(p, (size_t)(stop - p), 0, NULL);
        if (prediction != NULL) keep(r, prediction);
        p = stop + 1;
        whole = (gsize)(p - text);
    }
    return whole == len || ftruncate(r->fd, (off_t)whole) == 0 || io_error(error, path, errno);
}

static gboolean
append(run *r, const json_t *prediction)
{
    g_autofree char *line = pipelines_json_line(prediction);
    return layout_write_all(r->fd, line, strlen(line)) ||
           io_error(&r->error, r->options->dir, errno);
}

/* ---- asking ---- */

static void
ask_one(gpointer data, gpointer user_data)
{
    const eval_question *q = data;
    run *r = user_data;
    g_autoptr(GError) failure = NULL;

    g_mutex_lock(&r->lock);
    const gboolean go_on = r->error == NULL && !pipelines_cancelled(r->options->cancel);
    g_mutex_unlock(&r->lock);
    if (!go_on) return;
    json_t *prediction = eval_infer(r->context, q, &failure);
    const gboolean cancelled = pipelines_cancelled(r->options->cancel);
    g_mutex_lock(&r->lock);
    if (prediction != NULL) {
        if (append(r, prediction)) keep(r, json_incref(prediction));
        json_decref(prediction);
    } else if (!cancelled) {
        g_autoptr(json_t) line = json_pack("{s:s,s:s}", "_id", q->id, "error", failure->message);
        g_autofree char *text = pipelines_json_line(line);
        g_string_append(r->errors, text);
        r->n_failed++;
    }
    r->n_done++;
    if (r->options->progress != NULL)
        r->options->progress(r->n_done, r->todo->len, r->options->user_data);
    g_mutex_unlock(&r->lock);
}

static void
ask_all(run *r)
{
    if (r->options->n_jobs <= 1) {
        for (guint i = 0; i < r->todo->len; i++)
            ask_one(r->todo->pdata[i], r);
        return;
    }
    GThreadPool *pool = g_thread_pool_new(ask_one, r, (gint)r->options->n_jobs, TRUE, NULL);
    for (guint i = 0; i < r->todo->len; i++)
        g_thread_pool_push(pool, r->todo->pdata[i], NULL);
    g_thread_pool_free(pool, FALSE, TRUE);
}

/* ---- results ---- */

static json_t *
metrics_to_json(const eval_scores *scores)
{
    json_t *list = json_array();
    for (guint i = 0; i < scores->metrics->len; i++) {
        const eval_metric *m = scores->metrics->pdata[i];
        json_array_append_new(list,
                              json_pack("{s:s,s:f,s:f,s:f,s:i}", "name", m->name, "mean", m->mean,
                                        "low", m->low, "high", m->high, "n", (int)m->n));
    }
    return list;
}

static json_t *
rows_to_json(const eval_scores *scores)
{
    json_t *list = json_array();
    for (guint i = 0; i < scores->rows->len; i++) {
        const eval_row *row = scores->rows->pdata[i];
        json_t *values = json_object();
        for (guint j = 0; j < scores->metrics->len; j++) {
            const char *name = ((const eval_metric *)scores->metrics->pdata[j])->name;
            const double *value = g_hash_table_lookup(row->values, name);
            if (value != NULL) json_object_set_new(values, name, json_real(*value));
        }
        json_t *object =
            json_pack("{s:s,s:s,s:o}", "_id", row->id, "type", row->type, "values", values);
        if (row->gold != NULL) json_object_set_new(object, "gold", json_string(row->gold));
        if (row->got != NULL) json_object_set_new(object, "got", json_string(row->got));
        json_array_append_new(list, object);
    }
    return list;
}

static void
add_costs(json_t *results, GHashTable *predictions, GHashTable *asked)
{
    double seconds = 0;
    json_int_t n_prompt = 0, n_answer = 0;
    GHashTableIter iter;
    gpointer id, value;
    g_hash_table_iter_init(&iter, predictions);
    while (g_hash_table_iter_next(&iter, &id, &value)) {
        if (!g_hash_table_contains(asked, id)) continue;
        seconds += json_number_value(json_object_get(value, "seconds"));
        n_prompt += json_integer_value(json_object_get(value, "prompt_tokens"));
        n_answer += json_integer_value(json_object_get(value, "answer_tokens"));
    }
    json_object_set_new(results, "question_seconds", json_real(seconds));
    json_object_set_new(results, "prompt_tokens", json_integer(n_prompt));
    json_object_set_new(results, "answer_tokens", json_integer(n_answer));
}

static json_t *
make_results(run *r, GHashTable *asked)
{
    const eval_run_options *o = r->options;
    const eval_dataset *set = r->context->dataset;
    g_autoptr(eval_scores) scores =
        eval_score(set, r->context->lane, r->predictions, asked, o->seed);
    g_autoptr(GDateTime) now = g_date_time_new_now_utc();
    g_autofree char *when = g_date_time_format(now, "%Y-%m-%dT%H:%M:%SZ");
    json_t *results = json_object();
    json_object_set_new(results, "schema", json_string("lode-eval"));
    json_object_set_new(results, "version", json_integer(1));
    json_object_set_new(results, "lode", json_string(lode_version()));
    json_object_set_new(results, "time", json_string(when));
    json_object_set_new(results, "dataset",
                        json_pack("{s:s,s:s,s:i,s:i}", "name", o->spec, "sha256", set->sha256,
                                  "questions", (int)set->questions->len, "documents",
                                  (int)set->documents->len));
    json_object_set(results, "settings", o->settings);
    json_object_set_new(results, "asked", json_integer((json_int_t)scores->rows->len));
    json_object_set_new(results, "absent", json_integer(scores->n_absent));
    json_object_set_new(results, "refused", json_integer(scores->n_refused));
    json_object_set_new(results, "with_evidence", json_integer(scores->n_with_evidence));
    json_object_set_new(results, "refused_wrongly", json_integer(scores->n_refused_wrongly));
    json_object_set_new(results, "resamples", json_integer(EVAL_RESAMPLES));
    json_object_set_new(results, "metrics", metrics_to_json(scores));
    add_costs(results, r->predictions, asked);
    json_object_set_new(results, "questions", rows_to_json(scores));
    return results;
}

/* For trec_eval's kin: the rankings by method, in the order of the data set. */
static gboolean
write_rankings(run *r, GError **error)
{
    static const char *const methods[] = {"bm25", "dense", "fusion"};
    const GArray *questions = r->context->dataset->questions;
    for (guint i = 0; i < G_N_ELEMENTS(methods); i++) {
        g_autoptr(GString) text = g_string_new(NULL);
        for (guint j = 0; j < questions->len; j++) {
            const char *id = g_array_index(questions, eval_question, j).id;
            const json_t *prediction = g_hash_table_lookup(r->predictions, id);
            json_t *list = json_object_get(json_object_get(prediction, "rankings"), methods[i]);
            if (list == NULL) continue;
            g_autoptr(json_t) row = json_pack("{s:s,s:O}", "qid", id, "results", list);
            g_autofree char *line = pipelines_json_line(row);
            g_string_append(text, line);
        }
        g_autofree char *name = g_strdup_printf("run.%s.jsonl", methods[i]);
        if (text->len > 0 && !write_text(r->options->dir, name, text->str, error)) return FALSE;
    }
    return TRUE;
}

static gboolean
write_all(run *r, const json_t *results, GError **error)
{
    const char *dir = r->options->dir;
    g_autofree char *markdown = eval_report_markdown(results);
    g_autofree char *html = eval_report_html(results);
    return write_text(dir, "errors.jsonl", r->errors->str, error) &&
           (r->context->lane != EVAL_RETRIEVAL || write_rankings(r, error)) &&
           write_text(dir, "report.md", markdown, error) &&
           write_text(dir, "report.html", html, error) &&
           write_json(dir, "results.json", results, error);
}

static gboolean
infer(run *r, GHashTable *asked, GError **error)
{
    const GArray *questions = r->context->dataset->questions;
    if (!open_journal(r, error)) return FALSE;
    for (guint i = 0; i < questions->len; i++) {
        eval_question *q = &g_array_index(questions, eval_question, i);
        if (g_hash_table_contains(asked, q->id) && !g_hash_table_contains(r->predictions, q->id))
            g_ptr_array_add(r->todo, q);
    }
    ask_all(r);
    if (r->error == NULL && fsync(r->fd) != 0 && errno != EINVAL)
        io_error(&r->error, r->options->dir, errno);
    if (r->error != NULL) {
        g_propagate_error(error, g_steal_pointer(&r->error));
        return FALSE;
    }
    if (!pipelines_cancelled(r->options->cancel)) return TRUE;
    g_set_error(error, PIPELINES_ERROR, LODE_ERROR_CANCELLED,
                "interrupted; the same command goes on from here");
    return FALSE;
}

json_t *
eval_run(const eval_context *context, const eval_run_options *options, guint *n_failed,
         GError **error)
{
    run r = {.context = context,
             .options = options,
             .predictions = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                                  (GDestroyNotify)json_decref),
             .todo = g_ptr_array_new(),
             .fd = -1,
             .errors = g_string_new(NULL)};
    g_autoptr(GHashTable) asked = choose(context->dataset, options);
    json_t *results = NULL;

    g_mutex_init(&r.lock);
    if (pipelines_make_dir(options->dir, error) && check_settings(options, error) &&
        infer(&r, asked, error)) {
        results = make_results(&r, asked);
        if (!write_all(&r, results, error)) g_clear_pointer(&results, json_decref);
    }
    *n_failed = r.n_failed;
    if (r.fd >= 0) close(r.fd);
    g_mutex_clear(&r.lock);
    g_clear_error(&r.error);
    g_string_free(r.errors, TRUE);
    g_ptr_array_unref(r.todo);
    g_hash_table_unref(r.predictions);
    return results;
}
