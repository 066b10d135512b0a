/* Writes the model of a tiny case: its tensors' values are made here, the same numbers as in reference/tiny_case.py. */
#include "tiny_case.h"

#include "weight_builder.h"

#include <glib/gstdio.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { MAX_DIMS = 4 };

/* A dense float32 tensor, row-major. */
typedef struct {
    float *data;
    size_t shape[MAX_DIMS];
    int n_dims;
} array;

static size_t
array_size(const array *a)
{
    size_t n = 1;
    for (int i = 0; i < a->n_dims; i++)
        n *= a->shape[i];
    return n;
}

static void
read_shape(const json_t *list, array *a)
{
    a->n_dims = (int)json_array_size(list);
    assert_in_range(a->n_dims, 1, MAX_DIMS);
    for (int i = 0; i < a->n_dims; i++)
        a->shape[i] = (size_t)json_integer_value(json_array_get(list, (size_t)i));
}

static const char *
text_at(const json_t *list, size_t i)
{
    return json_string_value(json_array_get(list, i));
}

static int
int_at(const json_t *list, size_t i)
{
    return (int)json_integer_value(json_array_get(list, i));
}

/* ---- values ---- */

static uint64_t
fnv1a(uint64_t h, const char *s)
{
    for (; *s; s++)
        h = (h ^ (uint8_t)*s) * 0x100000001b3u;
    return h;
}

static uint64_t
splitmix(uint64_t seed, uint64_t i)
{
    uint64_t z = seed + (i + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint64_t
tensor_seed(const tiny_case *c, const json_t *tensor)
{
    return fnv1a(fnv1a(fnv1a(0xcbf29ce484222325u, c->name), "/"), text_at(tensor, 0)) +
           (uint64_t)json_integer_value(json_object_get(c->json, "seed"));
}

/* The top `bits` bits of the i-th random number of a tensor. */
static uint32_t
raw_value(uint64_t seed, size_t i, int bits)
{
    return (uint32_t)(splitmix(seed, i) >> (64 - bits));
}

static const json_t *
find_tensor(const tiny_case *c, const char *name)
{
    size_t i;
    json_t *tensor;

    json_array_foreach(json_object_get(c->json, "tensors"), i, tensor)
    {
        if (strcmp(text_at(tensor, 0), name) == 0) return tensor;
    }
    fail_msg("%s: no tensor %s", c->name, name);
    return NULL;
}

static array
make_values(const tiny_case *c, const json_t *tensor)
{
    array a = {0};
    const double offset = json_number_value(json_array_get(tensor, 3));
    const int bits = int_at(tensor, 5);
    const double step = ldexp(1.0, int_at(tensor, 4));
    const uint64_t seed = tensor_seed(c, tensor);

    read_shape(json_array_get(tensor, 2), &a);
    const size_t n = array_size(&a);
    a.data = g_new(float, n);
    for (size_t i = 0; i < n; i++) {
        const int k = (int)raw_value(seed, i, bits) - (1 << (bits - 1));
        a.data[i] = (float)(offset + k * step);
    }
    return a;
}

/* ---- number formats ---- */

static void
append_f32(GByteArray *out, float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    put_u32(out, bits);
}

static void
append_u16(GByteArray *out, uint32_t bits)
{
    const guint8 bytes[2] = {(guint8)bits, (guint8)(bits >> 8)};
    g_byte_array_append(out, bytes, 2);
}

static void
append_bf16(GByteArray *out, float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    assert_int_equal(bits & 0xffff, 0); /* nothing is lost */
    append_u16(out, bits >> 16);
}

/* Exact, for zero and numbers of the normal range that have at most 11 significant bits. */
static void
append_f16(GByteArray *out, float x)
{
    int exponent;
    const double m = frexp(fabs((double)x), &exponent) * 2048.0; /* 1024 <= m < 2048 */
    const uint32_t sign = x < 0.0f ? 0x8000 : 0;

    if (x == 0.0f) {
        append_u16(out, 0);
        return;
    }
    assert_true(m == floor(m) && exponent >= -13 && exponent <= 16);
    append_u16(out, sign | (uint32_t)(exponent + 14) << 10 | ((uint32_t)m & 1023));
}

static void
append_value(GByteArray *out, const char *type, float x)
{
    if (strcmp(type, "F16") == 0)
        append_f16(out, x);
    else if (strcmp(type, "BF16") == 0)
        append_bf16(out, x);
    else
        append_f32(out, x);
}

/* ---- safetensors ---- */

/* The tensors i with i % n_shards == shard. */
static GByteArray *
safetensors_shard(const tiny_case *c, const char *as_type, size_t shard, size_t n_shards)
{
    json_t *header = json_object(), *tensor;
    g_autoptr(GByteArray) data = g_byte_array_new();
    size_t index;

    json_array_foreach(json_object_get(c->json, "tensors"), index, tensor)
    {
        if (index % n_shards != shard) continue;
        const char *type = text_at(tensor, 1);
        const guint start = data->len;
        g_autofree float *to_free = NULL;
        if (strcmp(type, "F8_E4M3") == 0) {
            array a = {0};
            const uint64_t seed = tensor_seed(c, tensor);
            read_shape(json_array_get(tensor, 2), &a);
            for (size_t i = 0; i < array_size(&a); i++) {
                uint8_t byte = (uint8_t)raw_value(seed, i, 8);
                if ((byte & 127) == 127) byte--; /* not a NaN */
                g_byte_array_append(data, &byte, 1);
            }
        } else {
            const array a = make_values(c, tensor);
            to_free = a.data;
            type = as_type;
            for (size_t i = 0; i < array_size(&a); i++)
                append_value(data, type, a.data[i]);
        }
        json_object_set_new(header, text_at(tensor, 0),
                            json_pack("{s:s,s:O,s:[i,i]}", "dtype", type, "shape",
                                      json_array_get(tensor, 2), "data_offsets", (int)start,
                                      (int)data->len));
    }
    char *text = json_dumps(header, JSON_COMPACT);
    GByteArray *out = g_byte_array_new();
    put_string(out, text);
    g_byte_array_append(out, data->data, data->len);
    free(text);
    json_decref(header);
    return out;
}

static void
save(const char *folder, const char *file, const void *data, size_t n)
{
    g_autofree char *path = g_build_filename(folder, file, NULL);
    if (!g_file_set_contents(path, data, (gssize)n, NULL)) fail_msg("cannot write %s", path);
}

static void
save_json(const char *folder, const char *file, const json_t *json)
{
    char *text = json_dumps(json, JSON_INDENT(1));
    save(folder, file, text, strlen(text));
    free(text);
}

static void
write_safetensors(const tiny_case *c, const char *folder, const char *type)
{
    const size_t n_shards = (size_t)json_integer_value(json_object_get(c->json, "shards"));
    json_t *map = json_object(), *tensor;
    size_t i;

    save_json(folder, "config.json", json_object_get(c->json, "config"));
    for (size_t s = 0; s < n_shards; s++) {
        g_autoptr(GByteArray) bytes = safetensors_shard(c, type, s, n_shards);
        g_autofree char *file =
            n_shards == 1 ? g_strdup("model.safetensors")
                          : g_strdup_printf("model-%05zu-of-%05zu.safetensors", s + 1, n_shards);
        save(folder, file, bytes->data, bytes->len);
        json_array_foreach(json_object_get(c->json, "tensors"), i, tensor)
        {
            if (i % n_shards == s) json_object_set_new(map, text_at(tensor, 0), json_string(file));
        }
    }
    json_t *index = json_pack("{s:{},s:o}", "metadata", "weight_map", map);
    if (n_shards > 1) save_json(folder, "model.safetensors.index.json", index);
    json_decref(index);
}

/* ---- GGUF ---- */

static void
swap_axes(array *a, int first, int second)
{
    array out = *a;
    size_t stride[MAX_DIMS] = {0}, at[MAX_DIMS] = {0}, n = array_size(a), step = 1;

    for (int i = a->n_dims - 1; i >= 0; step *= a->shape[i], i--)
        stride[i] = step;
    out.shape[first] = a->shape[second];
    out.shape[second] = a->shape[first];
    step = stride[first];
    stride[first] = stride[second];
    stride[second] = step;
    out.data = g_new(float, n);
    for (size_t i = 0; i < n; i++) {
        size_t from = 0;
        for (int k = 0; k < a->n_dims; k++)
            from += at[k] * stride[k];
        out.data[i] = a->data[from];
        for (int k = a->n_dims - 1; k >= 0 && ++at[k] == out.shape[k]; k--)
            at[k] = 0;
    }
    g_free(a->data);
    *a = out;
}

static void
slice_axis(array *a, int axis, size_t start, size_t count)
{
    size_t outer = 1, inner = 1;

    for (int i = 0; i < axis; i++)
        outer *= a->shape[i];
    for (int i = axis + 1; i < MAX_DIMS && i < a->n_dims; i++)
        inner *= a->shape[i];
    float *data = g_new(float, outer *count *inner);
    for (size_t i = 0; i < outer; i++)
        memcpy(data + i * count * inner, a->data + (i * a->shape[axis] + start) * inner,
               count * inner * sizeof(float));
    g_free(a->data);
    a->data = data;
    a->shape[axis] = count;
}

static void
apply_step(array *a, const json_t *step)
{
    const char *what = text_at(step, 0);

    if (strcmp(what, "view") == 0) {
        const size_t n = array_size(a);
        read_shape(json_array_get(step, 1), a);
        assert_int_equal(array_size(a), n);
    } else if (strcmp(what, "swap") == 0) {
        swap_axes(a, int_at(step, 1), int_at(step, 2));
    } else if (strcmp(what, "slice") == 0) {
        slice_axis(a, int_at(step, 1), (size_t)int_at(step, 2), (size_t)int_at(step, 3));
    } else if (strcmp(what, "values") == 0) {
        const json_t *list = json_array_get(step, 1);
        a->n_dims = 1;
        a->shape[0] = json_array_size(list);
        a->data = g_new(float, a->shape[0]);
        for (size_t i = 0; i < a->shape[0]; i++)
            a->data[i] = (float)json_number_value(json_array_get(list, i));
    } else {
        const float plus = (float)json_number_value(json_array_get(step, 1));
        const gboolean add = strcmp(what, "add") == 0;
        if (!add) assert_string_equal(what, "negexp");
        for (size_t i = 0; i < array_size(a); i++)
            a->data[i] = add ? a->data[i] + plus : -expf(a->data[i]);
    }
}

/* One part of a GGUF tensor: [sources, steps]. */
static array
make_part(const tiny_case *c, const json_t *part)
{
    const json_t *sources = json_array_get(part, 0);
    const size_t n_sources = json_array_size(sources);
    array all = {0};
    size_t i;
    json_t *step;

    for (size_t s = 0; s < n_sources; s++) {
        const array one = make_values(c, find_tensor(c, text_at(sources, s)));
        const size_t n = array_size(&one);
        if (s == 0) {
            const int extra = n_sources > 1;
            assert_true(one.n_dims + extra <= MAX_DIMS);
            all.n_dims = one.n_dims + extra;
            all.shape[0] = n_sources;
            for (int d = 0; d < one.n_dims; d++)
                all.shape[d + extra] = one.shape[d];
            all.data = g_new(float, n *n_sources);
        }
        memcpy(all.data + s * n, one.data, n * sizeof(float));
        g_free(one.data);
    }
    json_array_foreach(json_array_get(part, 1), i, step)
    {
        apply_step(&all, step);
    }
    return all;
}

/* The data of a GGUF tensor, its parts behind each other. */
static void
append_gguf_tensor(const tiny_case *c, const json_t *tensor, GByteArray *out)
{
    array shape = {0};
    size_t done = 0, i;
    json_t *part;

    read_shape(json_array_get(tensor, 2), &shape);
    json_array_foreach(json_array_get(tensor, 3), i, part)
    {
        const array a = make_part(c, part);
        const size_t n = array_size(&a);
        for (size_t k = 0; k < n; k++)
            append_value(out, text_at(tensor, 1), a.data[k]);
        done += n;
        g_free(a.data);
    }
    assert_int_equal(done, array_size(&shape));
}

static void
put_metadata(GByteArray *out, const json_t *entry)
{
    const char *key = text_at(entry, 0), *kind = text_at(entry, 1);
    const json_t *value = json_array_get(entry, 2);

    if (strcmp(kind, "u32") == 0) {
        gguf_meta_u32(out, key, (uint32_t)json_integer_value(value));
    } else if (strcmp(kind, "str") == 0) {
        gguf_meta_string(out, key, json_string_value(value));
    } else if (strcmp(kind, "f32") == 0) {
        put_string(out, key);
        put_u32(out, 6);
        append_f32(out, (float)json_number_value(value));
    } else {
        assert_string_equal(kind, "i32s");
        put_string(out, key);
        put_u32(out, 9), put_u32(out, 5), put_u64(out, json_array_size(value));
        for (size_t i = 0; i < json_array_size(value); i++)
            put_u32(out, (uint32_t)int_at(value, i));
    }
}

static void
write_gguf(const tiny_case *c, const char *folder)
{
    const json_t *gguf = json_object_get(c->json, "gguf"),
                 *tensors = json_object_get(gguf, "tensors"),
                 *metadata = json_object_get(gguf, "metadata");
    g_autoptr(GByteArray) out = gguf_start(3, json_array_size(tensors), json_array_size(metadata));
    g_autoptr(GByteArray) data = g_byte_array_new();
    size_t i;
    json_t *entry;

    json_array_foreach(metadata, i, entry)
    {
        put_metadata(out, entry);
    }
    json_array_foreach(tensors, i, entry)
    {
        array shape = {0};
        uint64_t dims[MAX_DIMS];
        read_shape(json_array_get(entry, 2), &shape);
        for (int d = 0; d < shape.n_dims; d++)
            dims[d] = shape.shape[shape.n_dims - 1 - d];
        gguf_data(data, 32, 0);
        gguf_tensor(out, text_at(entry, 0), (uint32_t)shape.n_dims, dims,
                    strcmp(text_at(entry, 1), "F16") == 0 ? 1 : 0, data->len);
        append_gguf_tensor(c, entry, data);
    }
    gguf_data(out, 32, 0);
    g_byte_array_append(out, data->data, data->len);
    save(folder, "model.gguf", out->data, out->len);
}

/* ---- files ---- */

const char *
tiny_format_name(tiny_format format)
{
    static const char *const names[] = {"safetensors", "safetensors in BF16", "safetensors in F16",
                                        "GGUF"};
    return names[format];
}

gboolean
tiny_case_has(const tiny_case *c, tiny_format format)
{
    return format != TINY_GGUF || json_object_get(c->json, "gguf") != NULL;
}

char *
tiny_case_write(const tiny_case *c, tiny_format format)
{
    char *folder = g_dir_make_tmp("lode-tiny-XXXXXX", NULL);

    assert_non_null(folder);
    if (format == TINY_GGUF)
        write_gguf(c, folder);
    else
        write_safetensors(c, folder,
                          format == TINY_BF16  ? "BF16"
                          : format == TINY_F16 ? "F16"
                                               : "F32");
    return folder;
}

void
tiny_case_remove(char *folder)
{
    GDir *dir = g_dir_open(folder, 0, NULL);
    const char *file;

    while (dir && (file = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(folder, file, NULL);
        g_remove(path);
    }
    if (dir) g_dir_close(dir);
    g_rmdir(folder);
    g_free(folder);
}
