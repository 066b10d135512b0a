#include "weight_builder.h"

#include <string.h>

static void
put_le(GByteArray *out, uint64_t value, guint n)
{
    for (guint i = 0; i < n; i++) {
        const guint8 byte = (guint8)(value >> (8 * i));
        g_byte_array_append(out, &byte, 1);
    }
}

void
put_u32(GByteArray *out, uint32_t value)
{
    put_le(out, value, 4);
}

void
put_u64(GByteArray *out, uint64_t value)
{
    put_le(out, value, 8);
}

void
put_string(GByteArray *out, const char *s)
{
    put_u64(out, strlen(s));
    g_byte_array_append(out, (const guint8 *)s, (guint)strlen(s));
}

GByteArray *
gguf_start(uint32_t version, uint64_t n_tensors, uint64_t n_metadata)
{
    GByteArray *out = g_byte_array_new();

    g_byte_array_append(out, (const guint8 *)"GGUF", 4);
    put_u32(out, version);
    put_u64(out, n_tensors);
    put_u64(out, n_metadata);
    return out;
}

void
gguf_meta_u32(GByteArray *out, const char *key, uint32_t value)
{
    put_string(out, key);
    put_u32(out, 4);
    put_u32(out, value);
}

void
gguf_meta_string(GByteArray *out, const char *key, const char *value)
{
    put_string(out, key);
    put_u32(out, 8);
    put_string(out, value);
}

void
gguf_tensor(GByteArray *out, const char *name, uint32_t n_dims, const uint64_t *dims, uint32_t type,
            uint64_t offset)
{
    put_string(out, name);
    put_u32(out, n_dims);
    for (uint32_t i = 0; i < n_dims; i++)
        put_u64(out, dims[i]);
    put_u32(out, type);
    put_u64(out, offset);
}

void
gguf_data(GByteArray *out, guint alignment, guint n)
{
    while (out->len % alignment != 0)
        put_le(out, 0, 1);
    for (guint i = 0; i < n; i++)
        put_le(out, i & 255, 1);
}

GByteArray *
safetensors_file(const char *header, guint n)
{
    GByteArray *out = g_byte_array_new();

    put_string(out, header);
    gguf_data(out, 1, n);
    return out;
}
