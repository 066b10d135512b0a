/* One weight file, mapped: tensors by name and metadata by key, from GGUF or safetensors + config.json.
 *
 * Everything a file claims is checked here (bounds, overflow, alignment, duplicates, UTF-8 of names), so
 * that code above may follow any engine_tensor it is given. Immutable after opening: any number of
 * threads may read it. */
#ifndef LODE_ENGINE_WEIGHTS_H
#define LODE_ENGINE_WEIGHTS_H

#include "engine/engine.h"
#include "engine/tensor.h"

#include <jansson.h>

G_BEGIN_DECLS

typedef enum { ENGINE_FORMAT_GGUF, ENGINE_FORMAT_SAFETENSORS } engine_format;

typedef struct engine_weights engine_weights;

/* path: a .gguf or .safetensors file, or a folder that holds model.safetensors (or exactly one .gguf).
 * A safetensors file needs config.json beside it. */
engine_weights *engine_weights_open(const char *path, GError **error);
void engine_weights_free(engine_weights *weights);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(engine_weights, engine_weights_free)

/* Read the container out of memory instead of a file: for tests and fuzzing. data [n_bytes] is copied.
 * config may be NULL. */
engine_weights *engine_weights_parse_gguf(const uint8_t *data, size_t n_bytes, const char *name,
                                          GError **error);
engine_weights *engine_weights_parse_safetensors(const uint8_t *data, size_t n_bytes,
                                                 json_t *config, const char *name, GError **error);

engine_format engine_weights_format(const engine_weights *weights);
const char *engine_weights_path(const engine_weights *weights); /* the weight file, for messages */
const char *engine_weights_dir(
    const engine_weights *weights); /* its folder: tokenizer.json, vocab.txt */

/* ---- tensors ---- */

size_t engine_weights_n_tensors(const engine_weights *weights);
const engine_tensor *engine_weights_tensor_at(const engine_weights *weights, size_t index);
/* NULL when absent. */
const engine_tensor *engine_weights_lookup(const engine_weights *weights, const char *name);
/* The tensor of exactly this shape (n_rows 0: a vector of n_cols), with a type we compute with;
 * else FORMAT or UNSUPPORTED naming it. */
const engine_tensor *engine_weights_require(const engine_weights *weights, const char *name,
                                            uint64_t n_cols, uint64_t n_rows, GError **error);

/* ---- metadata: GGUF keys ("llama.block_count"), or config.json members of safetensors ----
 * Each returns FALSE (NULL) and leaves *out alone when the key is absent or of another kind. Integers
 * are accepted from any integer type that fits. In config.json a dot goes into an object
 * ("rope_parameters.rope_theta"). Strings and arrays live as long as weights. */

gboolean engine_weights_get_u32(const engine_weights *weights, const char *key, uint32_t *out);
gboolean engine_weights_get_i64(const engine_weights *weights, const char *key, int64_t *out);
gboolean engine_weights_get_f32(const engine_weights *weights, const char *key, float *out);
gboolean engine_weights_get_bool(const engine_weights *weights, const char *key, gboolean *out);
const char *engine_weights_get_string(const engine_weights *weights, const char *key);

typedef struct {
    const char *data; /* not terminated; may hold any bytes, NUL included */
    size_t len;
} engine_bytes;

/* GGUF arrays only. n elements; strings are views into the mapping. */
const engine_bytes *engine_weights_get_strings(const engine_weights *weights, const char *key,
                                               size_t *n);
const float *engine_weights_get_floats(const engine_weights *weights, const char *key, size_t *n);
const int32_t *engine_weights_get_ints(const engine_weights *weights, const char *key, size_t *n);

/* The parsed config.json; NULL for GGUF. Borrowed. */
const json_t *engine_weights_config(const engine_weights *weights);

G_END_DECLS
#endif
