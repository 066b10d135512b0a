/* safetensors: u64 n | n bytes of JSON | data.
 *
 *   {"name": {"dtype": "F32", "shape": [out, in], "data_offsets": [begin, end]}, ..., "__metadata__": {...}}
 *
 * Offsets count from the end of the JSON; the tensors tile the data without holes or overlaps. Shapes are
 * in C order, so they are reversed into engine_tensor.dims. Data need not be aligned in the file.
 * Source: the safetensors format description (Hugging Face). */
#include "engine/weights_private.h"

#include <string.h>

#define MAX_HEADER_BYTES (100u << 20)

static const struct {
    const char *dtype;
    engine_type type;
} DTYPES[] = {
    {"F32", ENGINE_TYPE_F32},         {"F16", ENGINE_TYPE_F16},
    {"BF16", ENGINE_TYPE_BF16},       {"F8_E4M3", ENGINE_TYPE_F8_E4M3},
    {"F8_E5M2", ENGINE_TYPE_F8_E5M2}, {"F8_E8M0", ENGINE_TYPE_F8_E8M0},
    {"F64", ENGINE_TYPE_F64},         {"I64", ENGINE_TYPE_I64},
    {"U64", ENGINE_TYPE_I64},         {"I32", ENGINE_TYPE_I32},
    {"U32", ENGINE_TYPE_I32},         {"I16", ENGINE_TYPE_I16},
    {"U16", ENGINE_TYPE_I16},         {"I8", ENGINE_TYPE_I8},
    {"U8", ENGINE_TYPE_I8},           {"BOOL", ENGINE_TYPE_I8},
};

static gboolean
malformed(const engine_part *part, const char *tensor, const char *what, GError **error)
{
    g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT, "%s: tensor %s: %s", part->path, tensor,
                what);
    return FALSE;
}

/* Shape array to dims, contiguous dimension first. */
static gboolean
read_shape(const json_t *shape, uint32_t *n_dims, uint64_t dims[4])
{
    if (!json_is_array(shape) || json_array_size(shape) > 4) return FALSE;
    *n_dims = (uint32_t)json_array_size(shape);
    for (uint32_t i = 0; i < *n_dims; i++) {
        const json_t *dim = json_array_get(shape, *n_dims - 1 - i);
        if (!json_is_integer(dim) || json_integer_value(dim) < 1) return FALSE;
        dims[i] = (uint64_t)json_integer_value(dim);
    }
    return TRUE;
}

static gboolean
read_tensor(engine_weights *weights, const engine_part *part, const char *name, const json_t *entry,
            size_t base, GError **error)
{
    const char *dtype = json_string_value(json_object_get(entry, "dtype"));
    const json_t *offsets = json_object_get(entry, "data_offsets");
    uint32_t type = G_MAXUINT32, n_dims = 0;
    uint64_t dims[4] = {1, 1, 1, 1};

    for (size_t i = 0; dtype && i < G_N_ELEMENTS(DTYPES); i++)
        if (strcmp(dtype, DTYPES[i].dtype) == 0) type = (uint32_t)DTYPES[i].type;
    if (!dtype) return malformed(part, name, "no dtype", error);
    if (type == G_MAXUINT32) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_UNSUPPORTED,
                    "%s: tensor %s: dtype %.32s is not supported", part->path, name, dtype);
        return FALSE;
    }
    if (!read_shape(json_object_get(entry, "shape"), &n_dims, dims))
        return malformed(part, name, "shape is not a list of one to four positive sizes", error);
    const json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(begin) || !json_is_integer(end) ||
        json_integer_value(begin) < 0 || json_integer_value(end) < json_integer_value(begin))
        return malformed(part, name, "data_offsets is not a begin and an end", error);
    const uint64_t from = (uint64_t)json_integer_value(begin);
    const uint64_t len = (uint64_t)json_integer_value(end) - from;
    return engine_weights_add(weights, part, name, strlen(name), type, n_dims, dims, base, from,
                              (size_t)len, error);
}

gboolean
engine_safetensors_read(engine_weights *weights, const engine_part *part, GError **error)
{
    const guint first = weights->tensors->len;
    json_error_t where;
    uint64_t n = 0;

    for (size_t i = 0; i < 8 && part->n_bytes >= 8; i++)
        n |= (uint64_t)part->data[i] << (8 * i);
    if (part->n_bytes < 8 || n < 2 || n > MAX_HEADER_BYTES || n > part->n_bytes - 8) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT,
                    "%s: not a safetensors file, or cut inside its header", part->path);
        return FALSE;
    }
    json_t *header =
        json_loadb((const char *)part->data + 8, (size_t)n, JSON_REJECT_DUPLICATES, &where);
    if (!header) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT, "%s: header: %s", part->path,
                    where.text);
        return FALSE;
    }
    const size_t base = 8 + (size_t)n;
    size_t total = 0;
    const char *name;
    json_t *entry;
    gboolean ok = json_is_object(header);
    if (!ok)
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT, "%s: header is not a JSON object",
                    part->path);
    json_object_foreach(header, name, entry)
    {
        if (!ok) break;
        if (strcmp(name, "__metadata__") == 0) continue;
        ok = read_tensor(weights, part, name, entry, base, error);
        if (ok) total += engine_weights_tensor_at(weights, weights->tensors->len - 1)->n_bytes;
    }
    json_decref(header);
    if (!ok || !engine_weights_check_overlap(weights, first, error)) return FALSE;
    /* without overlaps, a smaller sum of sizes means holes or trailing bytes */
    if (total != part->n_bytes - base) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT,
                    "%s: its tensors cover %zu of %zu bytes of data (truncated or malformed)",
                    part->path, total, part->n_bytes - base);
        return FALSE;
    }
    return TRUE;
}
