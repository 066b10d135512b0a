/* Answers on disk.
 *
 *   DIR/ab/cdef...   first line: JSON about the answer; then the body, decompressed
 *
 * The name is a hash of the request without its keys. The cache is the user's own record of what was read, which
 * --offline replays: it also keeps what a server marks no-store, but asks again before it is used online. */
#include "search/client.h"

#include <glib/gstdio.h>
#include <jansson.h>
#include <string.h>
#include <sys/stat.h>

#define ENTRY_MAX  (128u * 1024 * 1024)
#define HEADER_MAX (64 * 1024)

struct search_cache {
    char *dir;
};

void
search_cached_free(search_cached *entry)
{
    if (!entry) return;
    g_free(entry->url);
    g_free(entry->content_type);
    g_free(entry->etag);
    g_free(entry->last_modified);
    g_clear_pointer(&entry->body, g_bytes_unref);
    g_free(entry);
}

/* ---- size ---- */

typedef struct {
    char *path;
    gint64 time;
    uint64_t size;
} cache_file;

static void
cache_file_free(gpointer data)
{
    cache_file *file = data;
    g_free(file->path);
    g_free(file);
}

static int
older_first(gconstpointer a, gconstpointer b)
{
    const cache_file *x = *(cache_file *const *)a, *y = *(cache_file *const *)b;
    if (x->time != y->time) return x->time < y->time ? -1 : 1;
    return strcmp(x->path, y->path);
}

static uint64_t
list_files(const char *dir, GPtrArray *files)
{
    uint64_t total = 0;
    g_autoptr(GDir) top = g_dir_open(dir, 0, NULL);
    const char *name;

    while (top && (name = g_dir_read_name(top))) {
        g_autofree char *sub = g_build_filename(dir, name, NULL);
        g_autoptr(GDir) below = strlen(name) == 2 ? g_dir_open(sub, 0, NULL) : NULL;
        const char *leaf;
        while (below && (leaf = g_dir_read_name(below))) {
            cache_file *file = g_new0(cache_file, 1);
            GStatBuf st;
            file->path = g_build_filename(sub, leaf, NULL);
            if (g_stat(file->path, &st) == 0 && S_ISREG(st.st_mode)) {
                file->time = st.st_mtime;
                file->size = (uint64_t)st.st_size;
            }
            total += file->size;
            g_ptr_array_add(files, file);
        }
    }
    return total;
}

/* Down to nine tenths, so that this is not due again at once. */
static void
drop_oldest(const char *dir, uint64_t max_bytes)
{
    g_autoptr(GPtrArray) files = g_ptr_array_new_with_free_func(cache_file_free);
    uint64_t total = list_files(dir, files);

    if (total <= max_bytes) return;
    g_ptr_array_sort(files, older_first);
    for (guint i = 0; i < files->len && total > max_bytes / 10 * 9; i++) {
        const cache_file *file = files->pdata[i];
        if (g_unlink(file->path) == 0) total -= file->size;
    }
}

search_cache *
search_cache_new(const char *dir, uint64_t max_bytes, GError **error)
{
    if (g_mkdir_with_parents(dir, 0700) != 0) {
        g_set_error(error, SEARCH_ERROR, SEARCH_ERROR_IO, "%s: cannot create the cache", dir);
        return NULL;
    }
    drop_oldest(dir, max_bytes);
    search_cache *cache = g_new0(search_cache, 1);
    cache->dir = g_strdup(dir);
    return cache;
}

void
search_cache_free(search_cache *cache)
{
    if (!cache) return;
    g_free(cache->dir);
    g_free(cache);
}

/* ---- entries ---- */

static char *
entry_path(const search_cache *cache, const char *name)
{
    char first[3] = {name[0], name[1], '\0'};
    return g_build_filename(cache->dir, first, name + 2, NULL);
}

static char *
text_of(const json_t *object, const char *key)
{
    return g_strdup(json_string_value(json_object_get(object, key)));
}

search_cached *
search_cache_load(search_cache *cache, const char *name)
{
    g_autofree char *path = entry_path(cache, name);
    g_autoptr(GMappedFile) file = g_mapped_file_new(path, FALSE, NULL);
    g_autoptr(GBytes) bytes = file ? g_mapped_file_get_bytes(file) : NULL;
    gsize len = 0;
    const char *data = bytes ? g_bytes_get_data(bytes, &len) : NULL;
    const char *end = data ? memchr(data, '\n', MIN(len, HEADER_MAX)) : NULL;

    if (!end) return NULL;
    json_t *head = json_loadb(data, (size_t)(end - data), 0, NULL);
    json_int_t size = json_integer_value(json_object_get(head, "size"));
    gsize at = (gsize)(end - data) + 1;
    search_cached *entry = NULL;
    if (json_is_string(json_object_get(head, "url")) && size >= 0 && (gsize)size == len - at) {
        entry = g_new0(search_cached, 1);
        entry->url = text_of(head, "url");
        entry->content_type = text_of(head, "content_type");
        entry->etag = text_of(head, "etag");
        entry->last_modified = text_of(head, "last_modified");
        entry->retrieved = json_integer_value(json_object_get(head, "retrieved"));
        const json_t *age = json_object_get(head, "max_age");
        entry->max_age = json_is_number(age) ? json_number_value(age) : -1;
        /* a copy: entries are replaced while someone reads */
        entry->body = g_bytes_new(data + at, (gsize)size);
    }
    json_decref(head);
    return entry;
}

static void
set_text(json_t *object, const char *key, const char *value)
{
    if (value && g_utf8_validate(value, -1, NULL))
        json_object_set_new(object, key, json_string(value));
}

gboolean
search_cache_store(search_cache *cache, const char *name, const search_cached *entry,
                   GError **error)
{
    gsize size = 0;
    const char *body = g_bytes_get_data(entry->body, &size);
    g_autofree char *path = entry_path(cache, name);
    g_autofree char *folder = g_path_get_dirname(path);

    if (size > ENTRY_MAX) return TRUE; /* not worth the room */
    json_t *head = json_object();
    g_autofree char *shown = search_redact_url(entry->url);
    set_text(head, "url", shown);
    set_text(head, "content_type", entry->content_type);
    set_text(head, "etag", entry->etag);
    set_text(head, "last_modified", entry->last_modified);
    json_object_set_new(head, "retrieved", json_integer(entry->retrieved));
    if (entry->max_age >= 0) json_object_set_new(head, "max_age", json_real(entry->max_age));
    json_object_set_new(head, "size", json_integer((json_int_t)size));
    char *line = json_dumps(head, JSON_COMPACT);
    json_decref(head);
    g_autoptr(GString) all = g_string_sized_new(size + 512);
    g_string_append(all, line);
    g_string_append_c(all, '\n');
    g_string_append_len(all, body, (gssize)size);
    free(line);
    if (g_mkdir_with_parents(folder, 0700) != 0) {
        g_set_error(error, SEARCH_ERROR, SEARCH_ERROR_IO, "%s: cannot create it", folder);
        return FALSE;
    }
    g_autoptr(GError) local = NULL;
    if (g_file_set_contents_full(path, all->str, (gssize)all->len, G_FILE_SET_CONTENTS_CONSISTENT,
                                 0600, &local))
        return TRUE;
    g_set_error(error, SEARCH_ERROR, SEARCH_ERROR_IO, "cache: %s", local->message);
    return FALSE;
}

/* RFC 9111, section 5.2.2: directives separated by commas. */
double
search_cache_max_age(const char *cache_control)
{
    double age = -1;
    if (!cache_control) return age;
    g_auto(GStrv) parts = g_strsplit(cache_control, ",", -1);

    for (char **p = parts; *p; p++) {
        const char *directive = g_strstrip(*p);
        if (g_ascii_strcasecmp(directive, "no-store") == 0 ||
            g_ascii_strncasecmp(directive, "no-cache", 8) == 0)
            return 0;
        if (g_ascii_strncasecmp(directive, "max-age=", 8) == 0) {
            double value = g_ascii_strtod(directive + 8, NULL);
            age = value > 0 ? MIN(value, 1e9) : 0;
        }
    }
    return age;
}
