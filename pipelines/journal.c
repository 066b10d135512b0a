/* out/convert.jsonl: one JSON object per line and input. Appended to while a batch runs, so that a kill loses
 * at most the files in work; rewritten sorted, one line per input, when it ends.
 *
 *   {"input": "/p/a.pdf", "stem": "a", "status": "ok", "pages": 12, "failed_pages": 0, "seconds": 0.21,
 *    "warnings": [], "error": null, "sha256": "...", "options": "..."} */
#include "pipelines/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* The journal is ours, but it is a file: a line longer than this is not. */
enum { MAX_JOURNAL_BYTES = 1 << 30 };

struct pipelines_journal {
    char *dir, *path;
    int lock_fd, fd;
    GHashTable *records; /* input -> pipelines_record, owned */
    GHashTable *stems;   /* stem -> input, both owned */
    GHashTable *given;   /* input -> stem, for inputs without a record yet */
};

pipelines_record *
pipelines_record_new(void)
{
    pipelines_record *record = g_new0(pipelines_record, 1);
    record->warnings = g_ptr_array_new_with_free_func(g_free);
    return record;
}

void
pipelines_record_free(pipelines_record *record)
{
    if (record == NULL) return;
    g_free(record->input);
    g_free(record->stem);
    g_free(record->sha256);
    g_free(record->options);
    g_free(record->error);
    g_ptr_array_unref(record->warnings);
    g_free(record);
}

json_t *
pipelines_record_to_json(const pipelines_record *record)
{
    json_t *json = json_object();
    json_object_set_new(json, "input", pipelines_json_string(record->input));
    json_object_set_new(json, "stem", pipelines_json_string(record->stem));
    json_object_set_new(json, "status", json_string(record->ok ? "ok" : "failed"));
    json_object_set_new(json, "pages", json_integer(record->n_pages));
    json_object_set_new(json, "failed_pages", json_integer(record->n_failed_pages));
    json_object_set_new(json, "seconds", json_real(record->seconds));
    json_t *warnings = json_array();
    for (guint i = 0; i < record->warnings->len; i++)
        json_array_append_new(warnings, pipelines_json_string(record->warnings->pdata[i]));
    json_object_set_new(json, "warnings", warnings);
    json_object_set_new(json, "error", pipelines_json_string(record->error));
    json_object_set_new(json, "sha256", pipelines_json_string(record->sha256));
    json_object_set_new(json, "options", pipelines_json_string(record->options));
    return json;
}

static char *
copy_string(const json_t *object, const char *key)
{
    return g_strdup(json_string_value(json_object_get(object, key)));
}

static guint
copy_count(const json_t *object, const char *key)
{
    json_int_t n = json_integer_value(json_object_get(object, key));
    return (guint)CLAMP(n, 0, G_MAXINT);
}

/* NULL when the line is not one of ours. */
static pipelines_record *
record_from_line(const char *line, size_t len)
{
    g_autoptr(json_t) json = json_loadb(line, len, 0, NULL);
    const char *stem = json_string_value(json_object_get(json, "stem"));
    if (json_string_value(json_object_get(json, "input")) == NULL || stem == NULL ||
        stem[0] == '\0' || strchr(stem, '/') != NULL)
        return NULL;
    pipelines_record *record = pipelines_record_new();
    record->input = copy_string(json, "input");
    record->stem = copy_string(json, "stem");
    record->sha256 = copy_string(json, "sha256");
    record->options = copy_string(json, "options");
    record->error = copy_string(json, "error");
    const char *status = json_string_value(json_object_get(json, "status"));
    record->ok = g_strcmp0(status, "ok") == 0;
    record->n_pages = copy_count(json, "pages");
    record->n_failed_pages = copy_count(json, "failed_pages");
    record->seconds = json_number_value(json_object_get(json, "seconds"));
    size_t i;
    json_t *warning;
    json_array_foreach(json_object_get(json, "warnings"), i, warning) if (json_is_string(warning))
        g_ptr_array_add(record->warnings, g_strdup(json_string_value(warning)));
    return record;
}

static void
keep(pipelines_journal *journal, pipelines_record *record)
{
    g_hash_table_replace(journal->stems, g_strdup(record->stem), g_strdup(record->input));
    g_hash_table_replace(journal->records, g_strdup(record->input), record);
}

static void
load(pipelines_journal *journal, const char *text, size_t len)
{
    for (const char *p = text, *end = text + len; p < end;) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        if (newline == NULL) return; /* cut short by a kill */
        pipelines_record *record = record_from_line(p, (size_t)(newline - p));
        if (record != NULL) keep(journal, record);
        p = newline + 1;
    }
}

static void
set_io_error(GError **error, const char *path, const char *what, int saved)
{
    g_autofree char *name = g_filename_display_name(path);
    g_set_error(error, PIPELINES_ERROR, LODE_ERROR_IO, "%s: %s: %s", name, what, g_strerror(saved));
}

static gboolean
lock(pipelines_journal *journal, GError **error)
{
    journal->lock_fd = open(journal->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (journal->lock_fd < 0) {
        set_io_error(error, journal->dir, "cannot be opened", errno);
        return FALSE;
    }
    if (flock(journal->lock_fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
        return TRUE; /* a file system without locks is used without one */
    g_autofree char *name = g_filename_display_name(journal->dir);
    g_set_error(error, PIPELINES_ERROR, LODE_ERROR_BUSY,
                "%s: another lode convert writes here: wait for it, or choose another folder",
                name);
    return FALSE;
}

/* Also ends a last line that a kill left without its newline. */
static gboolean
open_file(pipelines_journal *journal, GError **error)
{
    g_autoptr(GError) cause = NULL;
    g_autofree char *text = NULL;
    gsize len = 0;
    if (g_file_get_contents(journal->path, &text, &len, &cause)) {
        if (len <= MAX_JOURNAL_BYTES) load(journal, text, len);
    } else if (!g_error_matches(cause, G_FILE_ERROR, G_FILE_ERROR_NOENT)) {
        g_propagate_prefixed_error(error, g_steal_pointer(&cause), "journal: ");
        return FALSE;
    }
    journal->fd = open(journal->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (journal->fd < 0 || (len > 0 && text[len - 1] != '\n' && write(journal->fd, "\n", 1) != 1)) {
        set_io_error(error, journal->path, "cannot be written", errno);
        return FALSE;
    }
    return TRUE;
}

pipelines_journal *
pipelines_journal_open(const char *dir, GError **error)
{
    if (!pipelines_make_dir(dir, error)) return NULL;
    g_autoptr(pipelines_journal) journal = g_new0(pipelines_journal, 1);
    journal->lock_fd = journal->fd = -1;
    journal->dir = g_strdup(dir);
    journal->path = g_build_filename(dir, "convert.jsonl", NULL);
    journal->records = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                             (GDestroyNotify)pipelines_record_free);
    journal->stems = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    journal->given = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    if (!lock(journal, error) || !open_file(journal, error)) return NULL;
    return g_steal_pointer(&journal);
}

void
pipelines_journal_free(pipelines_journal *journal)
{
    if (journal == NULL) return;
    if (journal->fd >= 0) close(journal->fd);
    if (journal->lock_fd >= 0) close(journal->lock_fd);
    g_hash_table_unref(journal->records);
    g_hash_table_unref(journal->stems);
    g_hash_table_unref(journal->given);
    g_free(journal->dir);
    g_free(journal->path);
    g_free(journal);
}

const pipelines_record *
pipelines_journal_lookup(pipelines_journal *journal, const char *input)
{
    return g_hash_table_lookup(journal->records, input);
}

const char *
pipelines_journal_stem(pipelines_journal *journal, const char *input)
{
    const pipelines_record *record = pipelines_journal_lookup(journal, input);
    if (record != NULL) return record->stem;
    const char *given = g_hash_table_lookup(journal->given, input);
    if (given != NULL) return given;
    g_autofree char *stem = pipelines_stem(input);
    char *free_stem = g_strdup(stem);
    for (guint n = 2; g_hash_table_contains(journal->stems, free_stem); n++) {
        g_free(free_stem);
        free_stem = g_strdup_printf("%s-%u", stem, n);
    }
    g_hash_table_insert(journal->stems, g_strdup(free_stem), g_strdup(input));
    g_hash_table_insert(journal->given, g_strdup(input), free_stem);
    return free_stem;
}

gboolean
pipelines_journal_append(pipelines_journal *journal, pipelines_record *record, GError **error)
{
    g_autoptr(json_t) json = pipelines_record_to_json(record);
    g_autofree char *line = pipelines_json_line(json);
    keep(journal, record);
    if (layout_write_all(journal->fd, line, strlen(line))) return TRUE;
    set_io_error(error, journal->path, "cannot be written", errno);
    return FALSE;
}

static gint
compare_inputs(gconstpointer a, gconstpointer b)
{
    const pipelines_record *const *x = a, *const *y = b;
    return strcmp((*x)->input, (*y)->input);
}

gboolean
pipelines_journal_close(pipelines_journal *journal, GError **error)
{
    g_autoptr(GPtrArray) records = g_ptr_array_new();
    GHashTableIter iter;
    gpointer record;
    g_hash_table_iter_init(&iter, journal->records);
    while (g_hash_table_iter_next(&iter, NULL, &record))
        g_ptr_array_add(records, record);
    g_ptr_array_sort(records, compare_inputs);
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < records->len; i++) {
        g_autoptr(json_t) json = pipelines_record_to_json(records->pdata[i]);
        g_autofree char *line = pipelines_json_line(json);
        g_string_append(text, line);
    }
    gboolean written = pipelines_write_file(journal->path, text->str, text->len, error);
    pipelines_journal_free(journal);
    return written;
}
