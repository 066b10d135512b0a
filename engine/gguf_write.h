/* Writing GGUF version 3, whole or in parts, without holding the model in memory.
 *
 *   writer = engine_gguf_writer_new("model.gguf", 0);
 *   engine_gguf_writer_set_string(writer, "general.architecture", "llama"); ...
 *   engine_gguf_writer_add_tensor(writer, "token_embd.weight", ENGINE_TYPE_Q8_0, 2, dims, &error); ...
 *   engine_gguf_writer_begin(writer, &error)
 *   engine_gguf_writer_write(writer, bytes, n, &error); ...       the data of all tensors, in that order
 *   engine_gguf_writer_finish(writer, &error)
 *
 * The files appear under their names only in finish: until then they are temporary files beside them, which
 * engine_gguf_writer_free removes. One thread at a time. */
#ifndef LODE_ENGINE_GGUF_WRITE_H
#define LODE_ENGINE_GGUF_WRITE_H

#include "engine/gguf.h"
#include "engine/weights.h"

G_BEGIN_DECLS

typedef struct engine_gguf_writer engine_gguf_writer;

/* part_bytes 0: one file `path`. Else parts of at most this many bytes of tensor data (a larger tensor
 * has a part of its own), named as llama.cpp names them: "m.gguf" gives m-00001-of-00003.gguf, and so on;
 * the first holds the metadata. Never fails: nothing is opened before begin. */
engine_gguf_writer *engine_gguf_writer_new(const char *path, uint64_t part_bytes);
void engine_gguf_writer_free(engine_gguf_writer *writer); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(engine_gguf_writer, engine_gguf_writer_free)

/* ---- metadata, before begin; a key that is set again has its new value, at its old place ---- */

void engine_gguf_writer_set_u32(engine_gguf_writer *writer, const char *key, uint32_t value);
void engine_gguf_writer_set_i32(engine_gguf_writer *writer, const char *key, int32_t value);
void engine_gguf_writer_set_u64(engine_gguf_writer *writer, const char *key, uint64_t value);
void engine_gguf_writer_set_f32(engine_gguf_writer *writer, const char *key, float value);
void engine_gguf_writer_set_bool(engine_gguf_writer *writer, const char *key, gboolean value);
void engine_gguf_writer_set_string(engine_gguf_writer *writer, const char *key, const char *value);
/* Arrays of n elements. */
void engine_gguf_writer_set_strings(engine_gguf_writer *writer, const char *key,
                                    const engine_bytes *values, size_t n);
void engine_gguf_writer_set_ints(engine_gguf_writer *writer, const char *key, const int32_t *values,
                                 size_t n);
void engine_gguf_writer_set_floats(engine_gguf_writer *writer, const char *key, const float *values,
                                   size_t n);
void engine_gguf_writer_set_bools(engine_gguf_writer *writer, const char *key,
                                  const gboolean *values, size_t n);
/* Any value as the bytes it has in a file, [len]: copying from another file. */
void engine_gguf_writer_set_raw(engine_gguf_writer *writer, const char *key, uint32_t type,
                                const uint8_t *payload, size_t len);
/* All metadata of a GGUF model but what belongs to its file: split.* and general.alignment. */
void engine_gguf_writer_copy_metadata(engine_gguf_writer *writer, const engine_weights *from);

/* ---- tensors, before begin ---- */

/* FORMAT when the name is taken or the shape impossible. dims[0] is contiguous. */
gboolean engine_gguf_writer_add_tensor(engine_gguf_writer *writer, const char *name,
                                       engine_type type, uint32_t n_dims, const uint64_t *dims,
                                       GError **error);

/* ---- data ---- */

/* Opens the files and writes the headers. IO on failure, as all below. */
gboolean engine_gguf_writer_begin(engine_gguf_writer *writer, GError **error);
/* The next n bytes of the tensors' data, cut anywhere; the padding between tensors is added here. */
gboolean engine_gguf_writer_write(engine_gguf_writer *writer, const void *data, size_t n,
                                  GError **error);
/* Synced to disk and renamed. Every byte of every tensor must have been written. */
gboolean engine_gguf_writer_finish(engine_gguf_writer *writer, GError **error);

G_END_DECLS
#endif
