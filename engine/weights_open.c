/* Opening weight files: which files make a model, mapping them, config.json.
 *
 * A model in parts is read part after part in the order of its names (GGUF) or of its index
 * (safetensors), whichever part was named by the caller. */
#include <string.h>
#include <sys/mman.h>

#include "engine/weights_private.h"

#define MAX_CONFIG_BYTES (16u << 20)
#define MAX_INDEX_BYTES  (256u << 20) /* a name or two per tensor: 10^6 tensors */

#define INDEX_NAME "model.safetensors.index.json"

/* Ask for huge pages before anything is touched. What the kernel then reads from the disk comes in pieces of 2 MiB and
 * is mapped as such where the file system keeps files so (ext4, XFS and tmpfs of current kernels); what is cached in
 * small pages already, or lies elsewhere, is mapped as it is. A decoder that reads all weights for each token meets a
 * page every microsecond otherwise. */
static void
ask_for_huge_pages(GMappedFile *file)
{
#ifdef MADV_HUGEPAGE
    char *data = g_mapped_file_get_contents(file);
    if (data) (void)madvise(data, g_mapped_file_get_length(file), MADV_HUGEPAGE);
#else
    (void)file;
#endif
}

/* Map a file as the next part. */
static const engine_part *
map_part(engine_weights *weights, const char *path, GError **error)
{
    g_autoptr(GError) cause = NULL;
    GMappedFile *file = g_mapped_file_new(path, FALSE, &cause);

    if (!file) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_IO, "%s", cause->message);
        return NULL;
    }
    ask_for_huge_pages(file);
    return engine_weights_add_part(weights, path, file, NULL, g_mapped_file_get_length(file));
}

/* ---- from memory ---- */

engine_weights *
engine_weights_parse_gguf_parts(const uint8_t *const *data, const size_t *n_bytes, size_t n,
                                const char *name, GError **error)
{
    g_autoptr(engine_weights) weights = engine_weights_new(ENGINE_FORMAT_GGUF, name);

    for (size_t i = 0; i < n; i++) {
        const engine_part *part = engine_weights_add_part(
            weights, name, NULL, g_memdup2(data[i], n_bytes[i]), n_bytes[i]);
        if (!engine_gguf_read(weights, part, error)) return NULL;
    }
    if (weights->n_parts != n) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT,
                    "%s: one of %u parts of a split model, of which %zu are here", name,
                    weights->n_parts, n);
        return NULL;
    }
    return engine_weights_check(weights, error) ? g_steal_pointer(&weights) : NULL;
}

engine_weights *
engine_weights_parse_gguf(const uint8_t *data, size_t n_bytes, const char *name, GError **error)
{
    return engine_weights_parse_gguf_parts(&data, &n_bytes, 1, name, error);
}

engine_weights *
engine_weights_parse_safetensors(const uint8_t *data, size_t n_bytes, json_t *config,
                                 const char *name, GError **error)
{
    g_autoptr(engine_weights) weights = engine_weights_new(ENGINE_FORMAT_SAFETENSORS, name);
    const engine_part *part =
        engine_weights_add_part(weights, name, NULL, g_memdup2(data, n_bytes), n_bytes);

    if (config) weights->config = json_incref(config);
    if (!engine_safetensors_read(weights, part, error)) return NULL;
    return engine_weights_check(weights, error) ? g_steal_pointer(&weights) : NULL;
}

/* ---- GGUF ---- */

/* Length of PREFIX in PREFIX-00002-of-00005.gguf, 0 when the name is not of that form with these numbers. */
static size_t
part_prefix(const char *path, uint32_t no, uint32_t count)
{
    g_autofree char *tail = g_strdup_printf("-%05u-of-%05u.gguf", no + 1, count);
    return g_str_has_suffix(path, tail) ? strlen(path) - strlen(tail) : 0;
}

/* The parts after the first, which is read and mapped. */
static gboolean
read_other_parts(engine_weights *weights, GError **error)
{
    const uint32_t n = weights->n_parts;
    const size_t prefix = part_prefix(weights->path, 0, n);

    for (uint32_t i = 1; i < n; i++) {
        g_autofree char *path =
            g_strdup_printf("%.*s-%05u-of-%05u.gguf", (int)prefix, weights->path, i + 1, n);
        const engine_part *part = map_part(weights, path, error);
        if (!part) {
            g_prefix_error(error, "part %u of %u is missing: ", i + 1, n);
            return FALSE;
        }
        if (!engine_gguf_read(weights, part, error)) return FALSE;
    }
    return TRUE;
}

static engine_weights *
open_gguf(const char *path, gboolean again, GError **error)
{
    g_autoptr(engine_weights) weights = engine_weights_new(ENGINE_FORMAT_GGUF, path);
    const engine_part *part = map_part(weights, path, error);

    if (!part) {
        if (again) g_prefix_error(error, "the first part of the model is missing: ");
        return NULL;
    }
    if (!engine_gguf_read(weights, part, error)) return NULL;
    const uint32_t no = weights->part_no, n = weights->n_parts;
    if (n > 1) {
        const size_t prefix = part_prefix(path, no, n);
        if (prefix == 0 || (again && no != 0)) {
            g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT,
                        "%s: holds part %u of %u, so its name should end in -%05u-of-%05u.gguf",
                        path, no + 1, n, no + 1, n);
            return NULL;
        }
        if (no != 0) {
            g_autofree char *first =
                g_strdup_printf("%.*s-00001-of-%05u.gguf", (int)prefix, path, n);
            return open_gguf(first, TRUE, error);
        }
        if (!read_other_parts(weights, error)) return NULL;
    }
    return engine_weights_check(weights, error) ? g_steal_pointer(&weights) : NULL;
}

/* ---- safetensors ---- */

/* A JSON object out of a file; NULL with error when it is missing, too long or none. */
static json_t *
load_object(const char *path, size_t max_bytes, GError **error)
{
    g_autoptr(GMappedFile) file = NULL;
    g_autoptr(GError) cause = NULL;
    json_error_t where;

    file = g_mapped_file_new(path, FALSE, &cause);
    if (!file) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_IO, "%s", cause->message);
        return NULL;
    }
    const size_t len = g_mapped_file_get_length(file);
    if (len == 0 || len > max_bytes) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT, "%s: %zu bytes is no configuration",
                    path, len);
        return NULL;
    }
    json_t *object =
        json_loadb(g_mapped_file_get_contents(file), len, JSON_REJECT_DUPLICATES, &where);
    if (!object) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT, "%s: line %d: %s", path, where.line,
                    where.text);
        return NULL;
    }
    if (!json_is_object(object)) {
        json_decref(object);
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT, "%s: not a JSON object", path);
        return NULL;
    }
    return object;
}

/* The parts an index names, in the order of its tensors, into files (a set of names it owns). Names of files
 * in the index's own folder only: an index comes with the model and may not point elsewhere. */
static gboolean
list_parts(const char *path, const json_t *map, GPtrArray *files, GError **error)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    const char *tensor;
    json_t *value;

    json_object_foreach((json_t *)map, tensor, value)
    {
        const char *file = json_string_value(value);
        if (!file || !g_str_has_suffix(file, ".safetensors") || strchr(file, '/')) {
            g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT,
                        "%s: tensor %.200s: not the name of a .safetensors file beside it", path,
                        tensor);
            return FALSE;
        }
        if (g_hash_table_add(seen, (gpointer)file)) g_ptr_array_add(files, (gpointer)file);
    }
    if (files->len > 0) return TRUE;
    g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT, "%s: weight_map names no tensor", path);
    return FALSE;
}

/* Every tensor of the index is in the part it says. */
static gboolean
check_index(const engine_weights *weights, const char *path, const json_t *map, GError **error)
{
    const char *tensor;
    json_t *value;

    json_object_foreach((json_t *)map, tensor, value)
    {
        const engine_tensor *t = engine_weights_lookup(weights, tensor);
        gboolean there = FALSE;
        for (guint i = 0; t && !there && i < weights->parts->len; i++) {
            const engine_part *part = weights->parts->pdata[i];
            g_autofree char *name = g_path_get_basename(part->path);
            there = t->data >= part->data && (size_t)(t->data - part->data) <= part->n_bytes &&
                    strcmp(name, json_string_value(value)) == 0;
        }
        if (there) continue;
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT, "%s: tensor %.200s is not in %s",
                    path, tensor, json_string_value(value));
        return FALSE;
    }
    return TRUE;
}

/* A model in parts through its index. */
static gboolean
read_index(engine_weights *weights, const char *path, GError **error)
{
    json_t *index = load_object(path, MAX_INDEX_BYTES, error);
    g_autoptr(GPtrArray) files = g_ptr_array_new();

    if (!index) return FALSE;
    const json_t *map = json_object_get(index, "weight_map");
    gboolean good = list_parts(path, map, files, error);
    for (guint i = 0; good && i < files->len; i++) {
        g_autofree char *file = g_build_filename(weights->dir, files->pdata[i], NULL);
        const engine_part *part = map_part(weights, file, error);
        if (!part) g_prefix_error(error, "part %u of %u is missing: ", i + 1, files->len);
        good = part && engine_safetensors_read(weights, part, error);
    }
    good = good && check_index(weights, path, map, error);
    json_decref(index);
    return good;
}

/* The index beside a file, when it names that file. Free with g_free. */
static char *
find_index(const char *path)
{
    g_autofree char *dir = g_path_get_dirname(path), *name = g_path_get_basename(path);
    g_autofree char *index_path = g_build_filename(dir, INDEX_NAME, NULL);
    g_autoptr(GPtrArray) files = g_ptr_array_new();

    if (!g_file_test(index_path, G_FILE_TEST_IS_REGULAR)) return NULL;
    json_t *index = load_object(index_path, MAX_INDEX_BYTES, NULL);
    gboolean named = index &&
                     list_parts(index_path, json_object_get(index, "weight_map"), files, NULL) &&
                     g_ptr_array_find_with_equal_func(files, name, g_str_equal, NULL);
    json_decref(index);
    return named ? g_steal_pointer(&index_path) : NULL;
}

static engine_weights *
open_safetensors(const char *path, GError **error)
{
    g_autofree char *index = g_str_has_suffix(path, ".json") ? g_strdup(path) : find_index(path);
    g_autoptr(engine_weights) weights =
        engine_weights_new(ENGINE_FORMAT_SAFETENSORS, index ? index : path);
    g_autofree char *config_path = g_build_filename(weights->dir, "config.json", NULL);

    weights->config = load_object(config_path, MAX_CONFIG_BYTES, error);
    if (!weights->config) return NULL;
    if (index) {
        if (!read_index(weights, index, error)) return NULL;
    } else {
        const engine_part *part = map_part(weights, path, error);
        if (!part || !engine_safetensors_read(weights, part, error)) return NULL;
    }
    return engine_weights_check(weights, error) ? g_steal_pointer(&weights) : NULL;
}

/* ---- which file ---- */

/* A part of a GGUF model that is not its first: the first opens it. */
static gboolean
is_later_part(const char *name)
{
    const size_t len = strlen(name), tail = strlen("-00002-of-00005.gguf");
    if (len <= tail || !g_str_has_suffix(name, ".gguf")) return FALSE;
    const char *p = name + len - tail;
    return p[0] == '-' && strncmp(p + 6, "-of-", 4) == 0 && strncmp(p + 1, "00001", 5) != 0;
}

/* The one model of a folder. Free with g_free; NULL with error. */
static char *
find_in_folder(const char *path, GError **error)
{
    static const char *const usual[] = {"model.safetensors", INDEX_NAME};
    g_autoptr(GError) cause = NULL;
    g_autofree char *found = NULL;
    const char *name;

    for (size_t i = 0; i < G_N_ELEMENTS(usual); i++) {
        g_autofree char *file = g_build_filename(path, usual[i], NULL);
        if (g_file_test(file, G_FILE_TEST_IS_REGULAR)) return g_steal_pointer(&file);
    }
    g_autoptr(GDir) dir = g_dir_open(path, 0, &cause);
    if (!dir) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_IO, "%s", cause->message);
        return NULL;
    }
    while ((name = g_dir_read_name(dir)) != NULL) {
        if (!g_str_has_suffix(name, ".gguf") && !g_str_has_suffix(name, ".safetensors")) continue;
        if (is_later_part(name)) continue;
        if (found) {
            g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_ARGUMENT,
                        "%s: holds several weight files, name one of them", path);
            return NULL;
        }
        found = g_build_filename(path, name, NULL);
    }
    if (!found)
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_IO, "%s: no .gguf or .safetensors file in it",
                    path);
    return g_steal_pointer(&found);
}

/* The magic decides, not the name: a renamed file still opens. */
static gboolean
has_gguf_magic(const char *path, gboolean *gguf, GError **error)
{
    g_autoptr(GError) cause = NULL;
    g_autoptr(GMappedFile) file = g_mapped_file_new(path, FALSE, &cause);

    if (!file) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_IO, "%s", cause->message);
        return FALSE;
    }
    *gguf = g_mapped_file_get_length(file) >= 4 &&
            memcmp(g_mapped_file_get_contents(file), "GGUF", 4) == 0;
    return TRUE;
}

engine_weights *
engine_weights_open(const char *path, GError **error)
{
    g_autofree char *file_path = NULL;
    gboolean gguf = FALSE;

    file_path =
        g_file_test(path, G_FILE_TEST_IS_DIR) ? find_in_folder(path, error) : g_strdup(path);
    if (!file_path || !has_gguf_magic(file_path, &gguf, error)) return NULL;
    if (gguf) return open_gguf(file_path, FALSE, error);
    if (g_str_has_suffix(file_path, ".safetensors") || g_str_has_suffix(file_path, INDEX_NAME))
        return open_safetensors(file_path, error);
    g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT,
                "%s: neither a GGUF nor a .safetensors file", file_path);
    return NULL;
}
