/* GGUF version 2 and 3, little-endian.
 *
 *   u32 "GGUF" | u32 version | u64 n_tensors | u64 n_metadata
 *   metadata x n:  string key | u32 type | value
 *   tensor   x n:  string name | u32 n_dims | u64 dims[n_dims] | u32 type | u64 offset
 *   zeros up to a multiple of general.alignment (32 when absent)
 *   tensor data, each at an aligned offset from here
 *
 * string = u64 length + bytes; array value = u32 element type | u64 count | elements. Nothing in the header
 * is aligned. Nested arrays and version 1 are refused.
 *
 * A model in parts is several such files: the first holds the metadata, each its own tensors, and
 * split.no, split.count and split.tensors.count say which part of what a file is.
 *
 * Every count is compared with the bytes left before it sizes anything: the header of a small file cannot
 * ask for a large allocation. Source: the GGUF specification (ggml, docs/gguf.md). */
#include "engine/gguf.h"

#include "engine/weights_private.h"

#include <string.h>

#define MAX_KEY_BYTES   65535
#define MAX_VALUE_BYTES (1u << 30) /* the reference reader's limit on strings and arrays */

size_t
engine_gguf_scalar_bytes(uint32_t type)
{
    static const uint8_t bytes[ENGINE_GGUF_TYPE_COUNT] = {
        [ENGINE_GGUF_U8] = 1,  [ENGINE_GGUF_I8] = 1,  [ENGINE_GGUF_U16] = 2, [ENGINE_GGUF_I16] = 2,
        [ENGINE_GGUF_U32] = 4, [ENGINE_GGUF_I32] = 4, [ENGINE_GGUF_F32] = 4, [ENGINE_GGUF_BOOL] = 1,
        [ENGINE_GGUF_U64] = 8, [ENGINE_GGUF_I64] = 8, [ENGINE_GGUF_F64] = 8,
    };
    return type < ENGINE_GGUF_TYPE_COUNT ? bytes[type] : 0;
}

/* A position in the file. The first failed read sets failed and makes all later ones return zero. */
typedef struct {
    const uint8_t *data;
    size_t len, pos;
    gboolean failed;
} cursor;

static const uint8_t *
take(cursor *c, uint64_t n)
{
    if (c->failed || n > c->len - c->pos) {
        c->failed = TRUE;
        return NULL;
    }
    const uint8_t *p = c->data + c->pos;
    c->pos += (size_t)n;
    return p;
}

static uint64_t
load_le(const uint8_t *p, size_t n)
{
    uint64_t value = 0;

    for (size_t i = 0; i < n; i++)
        value |= (uint64_t)p[i] << (8 * i);
    return value;
}

static uint32_t
take_u32(cursor *c)
{
    const uint8_t *p = take(c, 4);
    return p ? (uint32_t)load_le(p, 4) : 0;
}

static uint64_t
take_u64(cursor *c)
{
    const uint8_t *p = take(c, 8);
    return p ? load_le(p, 8) : 0;
}

static engine_bytes
take_string(cursor *c)
{
    const uint64_t len = take_u64(c);
    const uint8_t *p = take(c, len);
    return (engine_bytes){(const char *)p, p ? (size_t)len : 0};
}

/* An integer of the given type; FALSE when it exceeds int64. */
static gboolean
decode_int(const uint8_t *p, uint32_t type, int64_t *out)
{
    const uint64_t raw = load_le(p, engine_gguf_scalar_bytes(type));

    switch (type) {
    case ENGINE_GGUF_I8:
        *out = (int8_t)raw;
        return TRUE;
    case ENGINE_GGUF_I16:
        *out = (int16_t)raw;
        return TRUE;
    case ENGINE_GGUF_I32:
        *out = (int32_t)raw;
        return TRUE;
    case ENGINE_GGUF_I64:
        *out = (int64_t)raw;
        return TRUE;
    default:
        if (raw > G_MAXINT64) return FALSE;
        *out = (int64_t)raw;
        return TRUE;
    }
}

static double
decode_real(const uint8_t *p, uint32_t type)
{
    const uint64_t raw = load_le(p, engine_gguf_scalar_bytes(type));

    if (type == ENGINE_GGUF_F32) {
        const uint32_t bits = (uint32_t)raw;
        float value;
        memcpy(&value, &bits, sizeof value);
        return (double)value;
    }
    double value;
    memcpy(&value, &raw, sizeof value);
    return value;
}

/* What this machine keeps as the file does. */
static gboolean
is_native(uint32_t type)
{
    return G_BYTE_ORDER == G_LITTLE_ENDIAN && (type == ENGINE_GGUF_I32 || type == ENGINE_GGUF_F32);
}

/* A vocabulary and its merges are 300,000 of them: take_string's checks, once each. */
static gboolean
read_string_array(cursor *c, uint64_t count, meta_value *value)
{
    size_t pos = c->pos;

    if (count > (c->len - pos) / 8) return FALSE; /* a string takes at least its length field */
    engine_bytes *items = g_try_new(engine_bytes, (size_t)count + 1);
    if (!items) return FALSE;
    value->kind = META_STRINGS;
    value->items = items;
    value->n = (size_t)count;
    for (size_t i = 0; i < value->n; i++) {
        uint64_t len;
        if (c->len - pos < sizeof len) return FALSE;
        memcpy(&len, c->data + pos, sizeof len);
        len = GUINT64_FROM_LE(len);
        pos += sizeof len;
        if (len > c->len - pos) return FALSE;
        items[i] = (engine_bytes){(const char *)c->data + pos, (size_t)len};
        pos += (size_t)len;
    }
    c->pos = pos;
    return TRUE;
}

static gboolean
read_number_array(cursor *c, uint32_t type, uint64_t count, meta_value *value)
{
    const size_t width = engine_gguf_scalar_bytes(type);

    if (count > (c->len - c->pos) / width) return FALSE;
    const uint8_t *p = take(c, count * width);
    if (!p) return FALSE;
    value->n = (size_t)count;
    if (type == ENGINE_GGUF_F32 || type == ENGINE_GGUF_F64) {
        float *items = g_try_new(float, value->n + 1);
        value->items = items;
        value->kind = META_FLOATS;
        if (items && is_native(type))
            memcpy(items, p, value->n * width);
        else
            for (size_t i = 0; items && i < value->n; i++)
                items[i] = (float)decode_real(p + i * width, type);
        return items != NULL;
    }
    int32_t *items = g_try_new(int32_t, value->n + 1);
    value->items = items;
    value->kind = META_INTS;
    if (items && is_native(type)) {
        memcpy(items, p, value->n * width);
        return TRUE;
    }
    for (size_t i = 0; items && i < value->n; i++) {
        int64_t number;
        if (!decode_int(p + i * width, type, &number) || number < G_MININT32 || number > G_MAXINT32)
            value->kind = META_OTHER;
        else
            items[i] = (int32_t)number;
    }
    return items != NULL;
}

/* The value of the given type at the cursor; FALSE when it is malformed. */
static gboolean
read_value(cursor *c, GStringChunk *strings, uint32_t type, meta_value *value)
{
    if (type == ENGINE_GGUF_STRING) {
        const engine_bytes s = take_string(c);
        if (c->failed) return FALSE;
        if (g_utf8_validate_len(s.data, s.len, NULL)) {
            value->kind = META_STRING;
            value->s = g_string_chunk_insert_len(strings, s.data, (gssize)s.len);
        }
        return TRUE;
    }
    if (type == ENGINE_GGUF_ARRAY) {
        const uint32_t element = take_u32(c);
        const uint64_t count = take_u64(c);
        if (c->failed || element >= ENGINE_GGUF_TYPE_COUNT || element == ENGINE_GGUF_ARRAY)
            return FALSE;
        return element == ENGINE_GGUF_STRING ? read_string_array(c, count, value)
                                             : read_number_array(c, element, count, value);
    }
    if (type >= ENGINE_GGUF_TYPE_COUNT) return FALSE;
    const uint8_t *p = take(c, engine_gguf_scalar_bytes(type));
    if (!p) return FALSE;
    if (type == ENGINE_GGUF_F32 || type == ENGINE_GGUF_F64) {
        value->kind = META_FLOAT;
        value->f = decode_real(p, type);
    } else if (decode_int(p, type, &value->i)) {
        value->kind = type == ENGINE_GGUF_BOOL ? META_BOOL : META_INT;
    }
    return TRUE;
}

/* Metadata entries into `into`; their keys in file order also into `keys` unless that is NULL. */
static gboolean
read_metadata(engine_weights *weights, const engine_part *part, cursor *c, uint64_t n,
              GHashTable *into, GPtrArray *keys, GError **error)
{
    for (uint64_t i = 0; i < n; i++) {
        const engine_bytes key = take_string(c);
        if (c->failed || key.len == 0 || key.len > MAX_KEY_BYTES ||
            !g_utf8_validate_len(key.data, key.len, NULL)) {
            g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT,
                        "%s: metadata entry %" G_GUINT64_FORMAT " has no usable key", part->path,
                        i);
            return FALSE;
        }
        const char *name = g_string_chunk_insert_len(weights->strings, key.data, (gssize)key.len);
        if (g_hash_table_contains(into, name)) {
            g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT,
                        "%s: metadata key %s appears twice", part->path, name);
            return FALSE;
        }
        meta_value *value = g_new0(meta_value, 1);
        g_hash_table_insert(into, (gpointer)name, value);
        if (keys) g_ptr_array_add(keys, (gpointer)name);
        value->type = take_u32(c);
        const size_t start = c->pos;
        if (!read_value(c, weights->strings, value->type, value) || c->failed ||
            c->pos - start > MAX_VALUE_BYTES) {
            g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT,
                        "%s: metadata key %s has a malformed value", part->path, name);
            return FALSE;
        }
        value->payload = c->data + start;
        value->payload_bytes = c->pos - start;
    }
    return TRUE;
}

typedef struct {
    engine_bytes name;
    uint32_t n_dims, type;
    uint64_t dims[4], offset;
} tensor_entry;

/* The tensor table; the data section's start is known only after it. */
static GArray *
read_tensor_entries(const engine_part *part, cursor *c, uint64_t n, GError **error)
{
    g_autoptr(GArray) entries = g_array_new(FALSE, FALSE, sizeof(tensor_entry));

    for (uint64_t i = 0; i < n; i++) {
        tensor_entry entry = {.name = take_string(c), .dims = {1, 1, 1, 1}};
        entry.n_dims = take_u32(c);
        if (!c->failed && entry.n_dims > 4) c->failed = TRUE;
        for (uint32_t d = 0; !c->failed && d < entry.n_dims; d++)
            entry.dims[d] = take_u64(c);
        entry.type = take_u32(c);
        entry.offset = take_u64(c);
        if (c->failed) {
            g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT,
                        "%s: entry %" G_GUINT64_FORMAT " of the tensor table is malformed",
                        part->path, i);
            return NULL;
        }
        g_array_append_val(entries, entry);
    }
    return g_steal_pointer(&entries);
}

/* Magic, version and counts. */
static gboolean
read_header(const engine_part *part, cursor *c, uint64_t *n_tensors, uint64_t *n_metadata,
            GError **error)
{
    const uint8_t *magic = take(c, 4);
    const uint32_t version = take_u32(c);
    *n_tensors = take_u64(c);
    *n_metadata = take_u64(c);

    if (!magic || memcmp(magic, "GGUF", 4) != 0) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT, "%s: not a GGUF file", part->path);
        return FALSE;
    }
    if (!c->failed && version != 2 && version != 3) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_UNSUPPORTED,
                    version != 0 && (version & 0xffffu) == 0
                        ? "%s: big-endian GGUF (version word %#x)"
                        : "%s: GGUF version %u; this program reads 2 and 3",
                    part->path, version);
        return FALSE;
    }
    /* the shortest entries: key (8 + 1) + type 4 + value 1; name (8 + 1) + n_dims 4 + type 4 + offset 8 */
    const size_t left = c->len - c->pos;
    if (c->failed || *n_metadata > left / 14 || *n_tensors > left / 25) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT,
                    "%s: the header announces more than the file holds (truncated?)", part->path);
        return FALSE;
    }
    return TRUE;
}

/* An integer of a part's own metadata; `fallback` when absent, G_MININT64 when it is none. */
static int64_t
number_in(GHashTable *metadata, const char *key, int64_t fallback)
{
    const meta_value *value = g_hash_table_lookup(metadata, key);

    if (!value) return fallback;
    return value->kind == META_INT ? value->i : G_MININT64;
}

/* Where and of what this part is; FORMAT unless that is the part the caller expects. */
static gboolean
check_part(engine_weights *weights, const engine_part *part, GHashTable *metadata, GError **error)
{
    const int64_t no = number_in(metadata, "split.no", 0);
    const int64_t count = number_in(metadata, "split.count", 1);
    const gboolean first = weights->parts->len == 1;

    if (count < 0 || count > 65535 || no < 0 || no >= MAX(count, 1)) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT,
                    "%s: split.no and split.count are impossible", part->path);
        return FALSE;
    }
    if (first) {
        weights->part_no = (uint32_t)no;
        weights->n_parts = (uint32_t)MAX(count, 1);
        weights->n_tensors_stated =
            count > 1 ? number_in(metadata, "split.tensors.count", G_MININT64) : -1;
        return TRUE;
    }
    if (count != weights->n_parts || no + 1 != weights->parts->len) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT,
                    "%s: says it is part %" G_GINT64_FORMAT " of %" G_GINT64_FORMAT
                    ", where part %u of %u should be",
                    part->path, no + 1, count, weights->parts->len, weights->n_parts);
        return FALSE;
    }
    return TRUE;
}

gboolean
engine_gguf_read(engine_weights *weights, const engine_part *part, GError **error)
{
    cursor c = {part->data, part->n_bytes, 0, FALSE};
    const gboolean first = weights->parts->len == 1;
    g_autoptr(GHashTable) own = first ? g_hash_table_ref(weights->meta) : engine_meta_new();
    uint64_t n_tensors, n_metadata;

    if (!read_header(part, &c, &n_tensors, &n_metadata, error)) return FALSE;
    if (!read_metadata(weights, part, &c, n_metadata, own, first ? weights->keys : NULL, error))
        return FALSE;
    if (!check_part(weights, part, own, error)) return FALSE;
    const int64_t alignment = number_in(own, "general.alignment", ENGINE_GGUF_ALIGNMENT);
    if (alignment < 8 || alignment > 1 << 20 || (alignment & (alignment - 1)) != 0) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT,
                    "%s: general.alignment is not a power of two from 8 to 1 MiB", part->path);
        return FALSE;
    }
    g_autoptr(GArray) entries = read_tensor_entries(part, &c, n_tensors, error);
    if (!entries) return FALSE;
    const size_t rest = c.pos % (size_t)alignment;
    /* at most len + 1 MiB: no wrap */
    const size_t base = rest == 0 ? c.pos : c.pos + ((size_t)alignment - rest);
    for (guint i = 0; i < entries->len; i++) {
        const tensor_entry *e = &g_array_index(entries, tensor_entry, i);
        if (e->offset % (uint64_t)alignment != 0) {
            g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT,
                        "%s: tensor %u of the table is not aligned to %d bytes", part->path, i,
                        (int)alignment);
            return FALSE;
        }
        if (e->type >= ENGINE_TYPE_F8_E4M3 && e->type < ENGINE_TYPE_COUNT) {
            g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_UNSUPPORTED,
                        "%s: tensor %u of the table has type number %u, which GGUF does not define",
                        part->path, i, e->type);
            return FALSE;
        }
        if (!engine_weights_add(weights, part, e->name.data, e->name.len, e->type, e->n_dims,
                                e->dims, base, e->offset, G_MAXSIZE, error))
            return FALSE;
    }
    return TRUE;
}
