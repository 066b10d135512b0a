/* Weight files: their parts and tensors. Opening is in weights_open.c, metadata in weights_meta.c; the
 * containers are read in gguf.c and safetensors.c. */
#include "engine/weights.h"

#include "engine/weights_private.h"

#include <string.h>

#define MAX_NAME_BYTES 256

static void
meta_value_free(gpointer data)
{
    meta_value *value = data;
    g_free(value->items);
    g_free(value);
}

GHashTable *
engine_meta_new(void)
{
    return g_hash_table_new_full(g_str_hash, g_str_equal, NULL, meta_value_free);
}

static void
part_free(gpointer data)
{
    engine_part *part = data;

    if (part->file) g_mapped_file_unref(part->file);
    g_free(part->copy);
    g_free(part->path);
    g_free(part);
}

engine_weights *
engine_weights_new(engine_format format, const char *path)
{
    engine_weights *weights = g_new0(engine_weights, 1);

    weights->format = format;
    weights->path = g_strdup(path);
    weights->dir = g_path_get_dirname(path);
    weights->parts = g_ptr_array_new_with_free_func(part_free);
    weights->tensors = g_array_new(FALSE, TRUE, sizeof(engine_tensor));
    weights->by_name = g_hash_table_new(g_str_hash, g_str_equal);
    weights->meta = engine_meta_new();
    weights->keys = g_ptr_array_new();
    weights->strings = g_string_chunk_new(4096);
    weights->n_parts = 1;
    weights->n_tensors_stated = -1;
    return weights;
}

void
engine_weights_free(engine_weights *weights)
{
    if (!weights) return;
    g_array_unref(weights->tensors);
    g_hash_table_unref(weights->by_name);
    g_hash_table_unref(weights->meta);
    g_ptr_array_unref(weights->keys);
    g_string_chunk_free(weights->strings);
    if (weights->config) json_decref(weights->config);
    g_ptr_array_unref(weights->parts);
    g_free(weights->path);
    g_free(weights->dir);
    g_free(weights);
}

engine_part *
engine_weights_add_part(engine_weights *weights, const char *path, GMappedFile *file, uint8_t *copy,
                        size_t n_bytes)
{
    engine_part *part = g_new0(engine_part, 1);

    part->path = g_strdup(path);
    part->file = file;
    part->copy = copy;
    part->data = file ? (const uint8_t *)g_mapped_file_get_contents(file) : copy;
    part->n_bytes = n_bytes;
    g_ptr_array_add(weights->parts, part);
    return part;
}

gboolean
engine_weights_add(engine_weights *weights, const engine_part *part, const char *name, size_t len,
                   uint32_t type, uint32_t n_dims, const uint64_t dims[4], size_t base,
                   uint64_t offset, size_t n_expected, GError **error)
{
    if (len == 0 || len > MAX_NAME_BYTES || !g_utf8_validate_len(name, len, NULL)) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT, "%s: tensor %u has no usable name",
                    part->path, weights->tensors->len);
        return FALSE;
    }
    engine_tensor tensor = {.type = (engine_type)type, .n_dims = n_dims, .dims = {1, 1, 1, 1}};
    tensor.name = g_string_chunk_insert_len(weights->strings, name, (gssize)len);
    const engine_type_traits *traits = engine_type_lookup(type);
    if (!traits) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_UNSUPPORTED,
                    "%s: tensor %s has type number %u, which this program does not read",
                    part->path, tensor.name, type);
        return FALSE;
    }
    for (uint32_t i = 0; i < MIN(n_dims, 4); i++)
        tensor.dims[i] = dims[i];
    if (!engine_tensor_size(type, n_dims, tensor.dims, &tensor.n_bytes)) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT,
                    "%s: tensor %s: impossible shape for type %s", part->path, tensor.name,
                    traits->name);
        return FALSE;
    }
    if (n_expected != G_MAXSIZE && n_expected != tensor.n_bytes) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT,
                    "%s: tensor %s: its shape needs %zu bytes, the file says %zu", part->path,
                    tensor.name, tensor.n_bytes, n_expected);
        return FALSE;
    }
    if (base > part->n_bytes || offset > part->n_bytes - base ||
        tensor.n_bytes > part->n_bytes - base - (size_t)offset) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT,
                    "%s: tensor %s lies beyond the end of the file (truncated?)", part->path,
                    tensor.name);
        return FALSE;
    }
    tensor.data = part->data + base + (size_t)offset;
    if (!g_hash_table_insert(weights->by_name, (gpointer)tensor.name,
                             GUINT_TO_POINTER(weights->tensors->len + 1))) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT, "%s: two tensors are named %s",
                    part->path, tensor.name);
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
engine_weights_check_overlap(engine_weights *weights, guint first, GError **error)
{
    g_autoptr(GPtrArray) order = g_ptr_array_sized_new(weights->tensors->len - first);

    for (guint i = first; i < weights->tensors->len; i++)
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

/* safetensors of a wrapper: the text model's tensors under the names they have without it. */
static void
add_text_names(engine_weights *weights)
{
    static const struct {
        const char *prefix, *instead;
    } rules[] = {
        {"model.language_model.", "model."},
        {"language_model.model.", "model."},
        {"language_model.", ""},
    };

    for (guint i = 0; i < weights->tensors->len; i++) {
        const char *name = g_array_index(weights->tensors, engine_tensor, i).name;
        for (size_t r = 0; r < G_N_ELEMENTS(rules); r++) {
            if (!g_str_has_prefix(name, rules[r].prefix)) continue;
            g_autofree char *other =
                g_strconcat(rules[r].instead, name + strlen(rules[r].prefix), NULL);
            if (!g_hash_table_contains(weights->by_name, other))
                g_hash_table_insert(weights->by_name,
                                    g_string_chunk_insert(weights->strings, other),
                                    GUINT_TO_POINTER(i + 1));
            break;
        }
    }
}

/* Block size of FP8 checkpoints; 128 x 128 where the configuration says nothing. */
static void
read_scale_block(const engine_weights *weights, uint32_t *rows, uint32_t *cols)
{
    static const char key[] = "quantization_config.weight_block_size";

    *rows = *cols = 128;
    if (engine_weights_get_n(weights, key) != 2) return;
    engine_weights_get_u32_at(weights, key, 0, rows);
    engine_weights_get_u32_at(weights, key, 1, cols);
}

/* Tie every FP8 matrix X.weight to its X.weight_scale_inv, where there is one. */
static gboolean
bind_scales(engine_weights *weights, GError **error)
{
    uint32_t rows, cols;

    read_scale_block(weights, &rows, &cols);
    for (guint i = 0; i < weights->tensors->len; i++) {
        engine_tensor *t = &g_array_index(weights->tensors, engine_tensor, i);
        if (t->type != ENGINE_TYPE_F8_E4M3 && t->type != ENGINE_TYPE_F8_E5M2) continue;
        g_autofree char *name = g_strconcat(t->name, "_scale_inv", NULL);
        const guint index = GPOINTER_TO_UINT(g_hash_table_lookup(weights->by_name, name));
        if (index == 0) continue;
        engine_tensor *scales = &g_array_index(weights->tensors, engine_tensor, index - 1);
        /* bytes that are powers of two ("scale_fmt": "ue8m0") have no dtype of their own in older files */
        if (scales->type == ENGINE_TYPE_I8) scales->type = ENGINE_TYPE_F8_E8M0;
        const engine_type_traits *traits = engine_type_lookup((uint32_t)scales->type);
        if (rows == 0 || cols == 0 || !traits->dequantize ||
            scales->dims[0] != (t->dims[0] - 1) / cols + 1 ||
            scales->dims[1] != (t->dims[1] - 1) / rows + 1 || scales->dims[2] != t->dims[2] ||
            scales->dims[3] != t->dims[3]) {
            g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT,
                        "%s: tensor %s does not have one scale per block of %u x %u", weights->path,
                        name, rows, cols);
            return FALSE;
        }
        t->scales = scales;
        t->scale_rows = rows;
        t->scale_cols = cols;
    }
    return TRUE;
}

gboolean
engine_weights_check(engine_weights *weights, GError **error)
{
    if (weights->n_tensors_stated >= 0 && weights->n_tensors_stated != weights->tensors->len) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT,
                    "%s: split.tensors.count is %" G_GINT64_FORMAT ", the parts hold %u tensors",
                    weights->path, weights->n_tensors_stated, weights->tensors->len);
        return FALSE;
    }
    if (weights->format == ENGINE_FORMAT_SAFETENSORS) {
        add_text_names(weights);
        if (!bind_scales(weights, error)) return FALSE;
    }
    return engine_weights_check_overlap(weights, 0, error);
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
