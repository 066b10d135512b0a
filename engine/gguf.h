/* The GGUF container: what its reader (gguf.c), its joiner of parts (gguf_split.c) and its writer
 * (gguf_write.c) share. Source: the GGUF specification (ggml, docs/gguf.md). */
#ifndef LODE_ENGINE_GGUF_H
#define LODE_ENGINE_GGUF_H

#include <glib.h>
#include <stdint.h>

G_BEGIN_DECLS

#define ENGINE_GGUF_ALIGNMENT 32 /* of tensor data where general.alignment says nothing */

typedef enum {
    ENGINE_GGUF_U8,
    ENGINE_GGUF_I8,
    ENGINE_GGUF_U16,
    ENGINE_GGUF_I16,
    ENGINE_GGUF_U32,
    ENGINE_GGUF_I32,
    ENGINE_GGUF_F32,
    ENGINE_GGUF_BOOL,
    ENGINE_GGUF_STRING, /* u64 length, bytes */
    ENGINE_GGUF_ARRAY,  /* u32 element type, u64 count, elements */
    ENGINE_GGUF_U64,
    ENGINE_GGUF_I64,
    ENGINE_GGUF_F64,
    ENGINE_GGUF_TYPE_COUNT
} engine_gguf_type;

/* Bytes of one value; 0 for strings and arrays, which say their own length. */
size_t engine_gguf_scalar_bytes(uint32_t type);

G_END_DECLS
#endif
