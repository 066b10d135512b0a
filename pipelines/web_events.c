/* What happens during a search, as JSON: handed on, and kept in the record of the run.
 *
 * The record is JSON lines: the first says what was asked and how, the others are the events. It is flushed with
 * each, so a run that was killed can go on: pages come out of the cache, and what sub-questions were answered
 * is not asked of a writer again. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "pipelines/web.h"

enum { MAX_RECORD = 64 * 1024 * 1024 };

static void
write_record(web_run *run, const char *name, const json_t *json)
{
    if (run->record == NULL) return;
    g_autoptr(json_t) line = json_pack("{s:s, s:O}", "event", name, "data", (json_t *)json);
    g_autofree char *text = pipelines_json_line(line);
    if (fputs(text, run->record) < 0 || fflush(run->record) != 0) {
        fclose(run->record);
        run->record = NULL; /* the search goes on without */
        g_ptr_array_add(run->problems,
                        g_strdup_printf("%s: cannot be written: %s", run->setup->options.record,
                                        g_strerror(errno)));
    }
}

void
web_event(web_run *run, const char *name, json_t *json)
{
    g_autoptr(json_t) owned = json;
    write_record(run, name, owned);
    const web_setup *setup = run->setup;
    if (setup->event != NULL) setup->event(name, owned, run, setup->user_data);
    if (setup->options.event != NULL) {
        g_autofree char *text = pipelines_json_line(owned);
        setup->options.event(name, g_strchomp(text), setup->options.user_data);
    }
}

void
web_problem(web_run *run, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    char *line = g_utf8_make_valid(text, -1);
    for (guint i = 0; i < run->problems->len; i++)
        if (strcmp(run->problems->pdata[i], line) == 0) {
            g_free(line);
            return; /* a dead provider says the same for each question */
        }
    g_ptr_array_add(run->problems, line);
    web_event(run, "error", json_pack("{s:o}", "message", pipelines_json_string(line)));
}

json_t *
web_node_to_json(const search_node *node)
{
    json_t *needs = json_array();
    for (guint i = 0; i < node->needs->len; i++)
        json_array_append_new(needs, json_string(((const search_node *)node->needs->pdata[i])->id));
    json_t *json = json_object();
    json_object_set_new(json, "id", json_string(node->id));
    json_object_set_new(json, "question", pipelines_json_string(node->question));
    json_object_set_new(json, "asked", pipelines_json_string(node->asked));
    json_object_set_new(json, "query", pipelines_json_string(node->query));
    json_object_set_new(json, "needs", needs);
    json_object_set_new(json, "turn", json_integer(node->turn));
    json_object_set_new(json, "state", json_string(search_node_state_name(node->state)));
    json_object_set_new(json, "answer", pipelines_json_string(node->answer));
    json_object_set_new(json, "problem", pipelines_json_string(node->problem));
    return json;
}

json_t *
web_page_to_json(const web_page *page)
{
    static const char *const states[] = {"found", "coming", "coming", "read", "failed"};
    json_t *json = json_object();
    json_object_set_new(json, "url", pipelines_json_path(page->key));
    json_object_set_new(json, "title", pipelines_json_string(page->title));
    json_object_set_new(json, "state", json_string(states[page->state]));
    json_object_set_new(json, "kind", pipelines_json_string(page->kind));
    json_object_set_new(json, "cached", json_boolean(page->cached));
    json_object_set_new(json, "flagged", json_boolean(page->flagged));
    json_object_set_new(json, "problem", pipelines_json_string(page->problem));
    return json;
}

/* ---- the record ---- */

/* What an earlier run of the same question answered. A line that a kill cut short is left out. */
static void
read_record(web_run *run, const char *path)
{
    g_autofree char *text = NULL;
    gsize len = 0;
    if (!g_file_get_contents(path, &text, &len, NULL) || len > MAX_RECORD) return;
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    g_autoptr(json_t) first = lines[0] != NULL ? json_loads(lines[0], 0, NULL) : NULL;
    const char *question =
        json_string_value(json_object_get(json_object_get(first, "data"), "question"));
    if (g_strcmp0(question, search_plan_question(run->plan)) != 0) return;
    run->resumed =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)json_decref);
    for (char **line = lines + 1; *line != NULL; line++) {
        g_autoptr(json_t) event = json_loads(*line, 0, NULL);
        const json_t *data = json_object_get(event, "data");
        const char *name = json_string_value(json_object_get(event, "event"));
        const char *asked = json_string_value(json_object_get(data, "asked"));
        if (g_strcmp0(name, "node_answer") != 0 || asked == NULL) continue;
        g_hash_table_insert(run->resumed, g_strdup(asked), json_incref((json_t *)data));
    }
}

gboolean
web_record_open(web_run *run, GError **error)
{
    const char *path = run->setup->options.record;
    if (path == NULL) return TRUE;
    read_record(run, path);
    g_autofree char *dir = g_path_get_dirname(path);
    if (!pipelines_make_dir(dir, error)) return FALSE;
    run->record = fopen(path, "we");
    if (run->record == NULL) {
        g_set_error(error, PIPELINES_ERROR, LODE_ERROR_IO, "%s: cannot be written: %s", path,
                    g_strerror(errno));
        return FALSE;
    }
    const lode_web_options *options = &run->setup->options;
    g_autoptr(json_t) header = json_object();
    json_object_set_new(header, "schema", json_string("lode-search-record"));
    json_object_set_new(header, "lode", json_string(lode_version()));
    json_object_set_new(header, "question", json_string(search_plan_question(run->plan)));
    json_object_set_new(header, "providers", pipelines_json_string(options->providers));
    json_object_set_new(header, "planner", json_integer(options->planner));
    json_object_set_new(header, "started", json_integer(run->started_at));
    write_record(run, "begin", header);
    /* what the earlier run knew is in the new record from the start: a second kill loses nothing */
    GHashTableIter iter;
    gpointer data;
    if (run->resumed != NULL) g_hash_table_iter_init(&iter, run->resumed);
    while (run->resumed != NULL && g_hash_table_iter_next(&iter, NULL, &data))
        write_record(run, "node_answer", data);
    return TRUE;
}
