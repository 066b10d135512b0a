/* Weight files: opening, tensor and metadata lookup. The containers are read in gguf.c and safetensors.c. */
#include "engine/weights.h"

#include "engine/weights_private.h"

#include <math.h>
#include <string.h>

#define MAX_NAME_BYTES   256
#define MAX_CONFIG_BYTES (16u << 20)

static void
meta_value_free(gpointer data)
{
    meta_value *value = data;
    g_free(value->items);
    g_free(value);
}

static engine_weights *
weights_new(engine_format format, const char *path)
{
    engine_weights *weights = g_new0(engine_weights, 1);

    weights->format = format;
    weights->path = g_strdup(path);
    weights->dir = g_path_get_dirname(path);
    weights->tensors = g_array_new(FALSE, TRUE, sizeof(engine_tensor));
    weights->by_name = g_hash_table_new(g_str_hash, g_str_equal);
    weights->meta = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, meta_value_free);
    weights->strings = g_string_chunk_new(4096);
    return weights;
}

void
engine_weights_free(engine_weights *weights)
{
    if (!weights) return;
    g_array_unref(weights->tensors);
    g_hash_table_unref(weights->by_name);
    g_hash_table_unref(weights->meta);
    g_string_chunk_free(weights->strings);
    if (weights->config) json_decref(weights->config);
    if (weights->file) g_mapped_file_unref(weights->file);
    g_free(weights->copy);
    g_free(weights->path);
    g_free(weights->dir);
    g_free(weights);
}

gboolean
engine_weights_add(engine_weights *weights, const char *name, size_t len, uint32_t type,
                   uint32_t n_dims, const uint64_t dims[4], size_t base, uint64_t offset,
                   size_t n_expected, GError **error)
{
    if (len == 0 || len > MAX_NAME_BYTES || !g_utf8_validate_len(name, len, NULL)) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT, "%s: tensor %u has no usable name",
                    weights->path, weights->tensors->len);
        return FALSE;
    }
    engine_tensor tensor = {.type = (engine_type)type, .n_dims = n_dims, .dims = {1, 1, 1, 1}};
    tensor.name = g_string_chunk_insert_len(weights->strings, name, (gssize)len);
    const engine_type_traits *traits = engine_type_lookup(type);
    if (!traits) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_UNSUPPORTED,
                    "%s: tensor %s has type number %u, which this program does not read",
                    weights->path, tensor.name, type);
        return FALSE;
    }
    for (uint32_t i = 0; i < MIN(n_dims, 4); i++)
        tensor.dims[i] = dims[i];
    if (!engine_tensor_size(type, n_dims, tensor.dims, &tensor.n_bytes)) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT,
                    "%s: tensor %s: impossible shape for type %s", weights->path, tensor.name,
                    traits->name);
        return FALSE;
    }
    if (n_expected != G_MAXSIZE && n_expected != tensor.n_bytes) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT,
                    "%s: tensor %s: its shape needs %zu bytes, the file says %zu", weights->path,
                    tensor.name, tensor.n_bytes, n_expected);
        return FALSE;
    }
    if (base > weights->n_bytes || offset > weights->n_bytes - base ||
        tensor.n_bytes > weights->n_bytes - base - (size_t)offset) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT,
                    "%s: tensor %s lies beyond the end of the file (truncated?)", weights->path,
                    tensor.name);
        return FALSE;
    }
    tensor.data = weights->data + base + (size_t)offset;
    if (!g_hash_table_insert(weights->by_name, (gpointer)tensor.name,
                             GUINT_TO_POINTER(weights->tensors->len + 1))) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT, "%s: two tensors are named %s",
                    weights->path, tensor.name);
        return FALSE;
    }
    g_array_append_val(weights->tensors, tensor);
    return TRUE;
}

static int
compare_by_address(gconstpointer a, gconstpointer b)
{
    const engine_tensor *const *x = a, *const *y = b;
    return (*x)->data < (*y)->data ? -1 : (*x)->data > (*y)->data;
}

gboolean
engine_weights_check_overlap(engine_weights *weights, GError **error)
{
    g_autoptr(GPtrArray) order = g_ptr_array_sized_new(weights->tensors->len);

    for (guint i = 0; i < weights->tensors->len; i++)
        g_ptr_array_add(order, &g_array_index(weights->tensors, engine_tensor, i));
    g_ptr_array_sort(order, compare_by_address);
    for (guint i = 1; i < order->len; i++) {
        const engine_tensor *a = order->pdata[i - 1], *b = order->pdata[i];
        if ((size_t)(b->data - a->data) < a->n_bytes) {
            g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT, "%s: tensors %s and %s overlap",
                        weights->path, a->name, b->name);
            return FALSE;
        }
    }
    return TRUE;
}

/* ---- opening ---- */

static engine_weights *
weights_parse(engine_weights *taken, GError **error)
{
    g_autoptr(engine_weights) weights = taken;
    gboolean ok = weights->format == ENGINE_FORMAT_GGUF ? engine_gguf_read(weights, error)
                                                        : engine_safetensors_read(weights, error);
    if (!ok || !engine_weights_check_overlap(weights, error)) return NULL;
    return g_steal_pointer(&weights);
}

static engine_weights *
weights_from_memory(engine_format format, const uint8_t *data, size_t n_bytes, const char *name)
{
    engine_weights *weights = weights_new(format, name);

    weights->copy = g_memdup2(data, n_bytes);
    weights->data = weights->copy;
    weights->n_bytes = n_bytes;
    return weights;
}

engine_weights *
engine_weights_parse_gguf(const uint8_t *data, size_t n_bytes, const char *name, GError **error)
{
    return weights_parse(weights_from_memory(ENGINE_FORMAT_GGUF, data, n_bytes, name), error);
}

engine_weights *
engine_weights_parse_safetensors(const uint8_t *data, size_t n_bytes, json_t *config,
                                 const char *name, GError **error)
{
    engine_weights *weights = weights_from_memory(ENGINE_FORMAT_SAFETENSORS, data, n_bytes, name);

    if (config) weights->config = json_incref(config);
    return weights_parse(weights, error);
}

/* config.json beside the weights; NULL with error when missing or not an object. */
static json_t *
load_config(const char *dir, GError **error)
{
    g_autofree char *path = g_build_filename(dir, "config.json", NULL);
    g_autoptr(GMappedFile) file = NULL;
    g_autoptr(GError) cause = NULL;
    json_error_t where;

    file = g_mapped_file_new(path, FALSE, &cause);
    if (!file) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_IO, "%s", cause->message);
        return NULL;
    }
    const size_t len = g_mapped_file_get_length(file);
    if (len == 0 || len > MAX_CONFIG_BYTES) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT, "%s: %zu bytes is no configuration",
                    path, len);
        return NULL;
    }
    json_t *config =
        json_loadb(g_mapped_file_get_contents(file), len, JSON_REJECT_DUPLICATES, &where);
    if (!config) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT, "%s: line %d: %s", path, where.line,
                    where.text);
        return NULL;
    }
    if (!json_is_object(config)) {
        json_decref(config);
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT, "%s: not a JSON object", path);
        return NULL;
    }
    return config;
}

/* The one weight file of a folder. Free with g_free; NULL with error. */
static char *
find_in_folder(const char *path, GError **error)
{
    g_autofree char *usual = g_build_filename(path, "model.safetensors", NULL);
    g_autoptr(GError) cause = NULL;
    g_autofree char *found = NULL;
    const char *name;

    if (g_file_test(usual, G_FILE_TEST_IS_REGULAR)) return g_steal_pointer(&usual);
    g_autoptr(GDir) dir = g_dir_open(path, 0, &cause);
    if (!dir) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_IO, "%s", cause->message);
        return NULL;
    }
    while ((name = g_dir_read_name(dir)) != NULL) {
        if (!g_str_has_suffix(name, ".gguf") && !g_str_has_suffix(name, ".safetensors")) continue;
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

engine_weights *
engine_weights_open(const char *path, GError **error)
{
    g_autofree char *file_path = NULL;
    g_autoptr(GError) cause = NULL;

    file_path =
        g_file_test(path, G_FILE_TEST_IS_DIR) ? find_in_folder(path, error) : g_strdup(path);
    if (!file_path) return NULL;
    g_autoptr(GMappedFile) file = g_mapped_file_new(file_path, FALSE, &cause);
    if (!file) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_IO, "%s", cause->message);
        return NULL;
    }
    const uint8_t *data = (const uint8_t *)g_mapped_file_get_contents(file);
    const size_t n_bytes = g_mapped_file_get_length(file);
    /* the magic decides, not the name: a renamed file still opens */
    const gboolean gguf = n_bytes >= 4 && memcmp(data, "GGUF", 4) == 0;
    if (!gguf && !g_str_has_suffix(file_path, ".safetensors")) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT,
                    "%s: neither a GGUF nor a .safetensors file", file_path);
        return NULL;
    }
    g_autoptr(engine_weights) weights =
        weights_new(gguf ? ENGINE_FORMAT_GGUF : ENGINE_FORMAT_SAFETENSORS, file_path);
    weights->file = g_steal_pointer(&file);
    weights->data = data;
    weights->n_bytes = n_bytes;
    if (!gguf && !(weights->config = load_config(weights->dir, error))) return NULL;
    return weights_parse(g_steal_pointer(&weights), error);
}

/* ---- tensors ---- */

engine_format
engine_weights_format(const engine_weights *weights)
{
    return weights->format;
}

const char *
engine_weights_path(const engine_weights *weights)
{
    return weights->path;
}

const char *
engine_weights_dir(const engine_weights *weights)
{
    return weights->dir;
}

size_t
engine_weights_n_tensors(const engine_weights *weights)
{
    return weights->tensors->len;
}

const engine_tensor *
engine_weights_tensor_at(const engine_weights *weights, size_t index)
{
    g_assert(index < weights->tensors->len);
    return &g_array_index(weights->tensors, engine_tensor, index);
}

const engine_tensor *
engine_weights_lookup(const engine_weights *weights, const char *name)
{
    guint index = GPOINTER_TO_UINT(g_hash_table_lookup(weights->by_name, name));
    return index > 0 ? &g_array_index(weights->tensors, engine_tensor, index - 1) : NULL;
}

const engine_tensor *
engine_weights_require(const engine_weights *weights, const char *name, uint64_t n_cols,
                       uint64_t n_rows, GError **error)
{
    const engine_tensor *t = engine_weights_lookup(weights, name);

    if (!t) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT, "%s: tensor %s is missing",
                    weights->path, name);
        return NULL;
    }
    if (t->dims[0] != n_cols || t->dims[1] != MAX(n_rows, 1) || t->dims[2] != 1 ||
        t->dims[3] != 1) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT,
                    "%s: tensor %s is %" G_GUINT64_FORMAT " x %" G_GUINT64_FORMAT
                    ", the configuration needs %" G_GUINT64_FORMAT " x %" G_GUINT64_FORMAT,
                    weights->path, name, t->dims[0], t->dims[1], n_cols, MAX(n_rows, 1));
        return NULL;
    }
    if (!engine_type_lookup((uint32_t)t->type)->dequantize) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_UNSUPPORTED,
                    "%s: tensor %s has type %s, which is no weight type", weights->path, name,
                    engine_type_lookup((uint32_t)t->type)->name);
        return NULL;
    }
    return t;
}

/* ---- metadata ---- */

static const json_t *
config_lookup(const engine_weights *weights, const char *key)
{
    const json_t *node = weights->config;
    g_auto(GStrv) parts = g_strsplit(key, ".", -1);

    for (char **part = parts; node && *part; part++)
        node = json_object_get(node, *part);
    return node;
}

static const meta_value *
meta_lookup(const engine_weights *weights, const char *key, meta_kind kind)
{
    const meta_value *value = g_hash_table_lookup(weights->meta, key);
    return value && value->kind == kind ? value : NULL;
}

gboolean
engine_weights_get_i64(const engine_weights *weights, const char *key, int64_t *out)
{
    if (weights->format == ENGINE_FORMAT_SAFETENSORS) {
        const json_t *node = config_lookup(weights, key);
        if (!json_is_integer(node)) return FALSE;
        *out = (int64_t)json_integer_value(node);
        return TRUE;
    }
    const meta_value *value = meta_lookup(weights, key, META_INT);
    if (!value) return FALSE;
    *out = value->i;
    return TRUE;
}

gboolean
engine_weights_get_u32(const engine_weights *weights, const char *key, uint32_t *out)
{
    int64_t value;

    if (!engine_weights_get_i64(weights, key, &value) || value < 0 || value > G_MAXUINT32)
        return FALSE;
    *out = (uint32_t)value;
    return TRUE;
}

gboolean
engine_weights_get_f32(const engine_weights *weights, const char *key, float *out)
{
    int64_t whole;

    if (engine_weights_get_i64(weights, key, &whole)) {
        *out = (float)whole;
        return TRUE;
    }
    double real;
    if (weights->format == ENGINE_FORMAT_SAFETENSORS) {
        const json_t *node = config_lookup(weights, key);
        if (!json_is_real(node)) return FALSE;
        real = json_real_value(node);
    } else {
        const meta_value *value = meta_lookup(weights, key, META_FLOAT);
        if (!value) return FALSE;
        real = value->f;
    }
    if (!isfinite(real) || fabs(real) > G_MAXFLOAT) return FALSE;
    *out = (float)real;
    return TRUE;
}

gboolean
engine_weights_get_bool(const engine_weights *weights, const char *key, gboolean *out)
{
    if (weights->format == ENGINE_FORMAT_SAFETENSORS) {
        const json_t *node = config_lookup(weights, key);
        if (!json_is_boolean(node)) return FALSE;
        *out = json_is_true(node);
        return TRUE;
    }
    const meta_value *value = meta_lookup(weights, key, META_BOOL);
    if (!value) return FALSE;
    *out = value->i != 0;
    return TRUE;
}

const char *
engine_weights_get_string(const engine_weights *weights, const char *key)
{
    if (weights->format == ENGINE_FORMAT_SAFETENSORS)
        return json_string_value(config_lookup(weights, key));
    const meta_value *value = meta_lookup(weights, key, META_STRING);
    return value ? value->s : NULL;
}

static gconstpointer
get_items(const engine_weights *weights, const char *key, meta_kind kind, size_t *n)
{
    const meta_value *value = meta_lookup(weights, key, kind);

    if (!value) return NULL;
    *n = value->n;
    return value->items;
}

const engine_bytes *
engine_weights_get_strings(const engine_weights *weights, const char *key, size_t *n)
{
    return get_items(weights, key, META_STRINGS, n);
}

const float *
engine_weights_get_floats(const engine_weights *weights, const char *key, size_t *n)
{
    return get_items(weights, key, META_FLOATS, n);
}

const int32_t *
engine_weights_get_ints(const engine_weights *weights, const char *key, size_t *n)
{
    return get_items(weights, key, META_INTS, n);
}

const json_t *
engine_weights_config(const engine_weights *weights)
{
    return weights->config;
}
