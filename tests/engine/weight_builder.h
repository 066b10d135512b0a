/* Writes small weight files into memory, right or wrong on purpose. */
#ifndef LODE_TESTS_WEIGHT_BUILDER_H
#define LODE_TESTS_WEIGHT_BUILDER_H

#include <glib.h>
#include <stdint.h>

void put_u32(GByteArray *out, uint32_t value);
void put_u64(GByteArray *out, uint64_t value);
void put_string(GByteArray *out, const char *s); /* u64 length + bytes, as GGUF has it */

/* GGUF header with these counts. */
GByteArray *gguf_start(uint32_t version, uint64_t n_tensors, uint64_t n_metadata);
void gguf_meta_u32(GByteArray *out, const char *key, uint32_t value);
void gguf_meta_string(GByteArray *out, const char *key, const char *value);
void gguf_tensor(GByteArray *out, const char *name, uint32_t n_dims, const uint64_t *dims,
                 uint32_t type, uint64_t offset);
/* Zeros up to the alignment, then n bytes of data 0, 1, 2, ... */
void gguf_data(GByteArray *out, guint alignment, guint n);

/* safetensors: the header text, then n bytes of data. */
GByteArray *safetensors_file(const char *header, guint n);

#endif
