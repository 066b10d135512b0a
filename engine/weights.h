/* The weights of one model, mapped: tensors by name and metadata by key, from GGUF or safetensors + config.json.
 *
 * A model may lie in several files (parts): GGUF's NAME-00001-of-00003.gguf, or the files that
 * model.safetensors.index.json names. All of them stay mapped and nothing is copied: pages are read when
 * a tensor is first used and may be dropped again, so a model may be larger than memory.
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

/* path: a .gguf or .safetensors file, a model.safetensors.index.json, or a folder that holds
 * model.safetensors, that index, or exactly one .gguf or .safetensors model. Any part of a model in parts
 * opens all of it; a missing part is named. safetensors need config.json beside them. */
engine_weights *engine_weights_open(const char *path, GError **error);
void engine_weights_free(engine_weights *weights);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(engine_weights, engine_weights_free)

/* Read the container out of memory instead of a file: for tests and fuzzing. data [n_bytes] is copied.
 * config may be NULL. */
engine_weights *engine_weights_parse_gguf(const uint8_t *data, size_t n_bytes, const char *name,
                                          GError **error);
/* The same of a model in parts; n >= 1. */
engine_weights *engine_weights_parse_gguf_parts(const uint8_t *const *data, const size_t *n_bytes,
                                                size_t n, const char *name, GError **error);
engine_weights *engine_weights_parse_safetensors(const uint8_t *data, size_t n_bytes,
                                                 json_t *config, const char *name, GError **error);

engine_format engine_weights_format(const engine_weights *weights);
const char *engine_weights_path(const engine_weights *weights); /* the (first) file, for messages */
const char *engine_weights_dir(
    const engine_weights *weights); /* its folder: tokenizer.json, vocab.txt */

/* ---- tensors ---- */

size_t engine_weights_n_tensors(const engine_weights *weights);
const engine_tensor *engine_weights_tensor_at(const engine_weights *weights, size_t index);
/* NULL when absent. In safetensors the text model of a wrapper answers to its own names:
 * model.language_model.X and language_model.model.X also to model.X, language_model.X to X. */
const engine_tensor *engine_weights_lookup(const engine_weights *weights, const char *name);
/* The tensor of exactly this shape (n_rows 0: a vector of n_cols), with a type we compute with;
 * else FORMAT or UNSUPPORTED naming it. */
const engine_tensor *engine_weights_require(const engine_weights *weights, const char *name,
                                            uint64_t n_cols, uint64_t n_rows, GError **error);

/* ---- metadata: GGUF keys ("llama.block_count"), or config.json members of safetensors ----
 * Each returns FALSE (NULL) and leaves *out alone when the key is absent or of another kind. Integers
 * are accepted from any integer type that fits. In config.json a dot goes into an object
 * ("rope_parameters.rope_theta"), and text_config's members hide those of the wrapper around it: "model_type"
 * is the text model's. Strings and arrays live as long as weights. */

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

/* A value that may be one for all layers or a list with one for each: element `index` of a list, the value
 * itself (whatever the index) where it is none. FALSE past the end. */
gboolean engine_weights_get_u32_at(const engine_weights *weights, const char *key, size_t index,
                                   uint32_t *out);
gboolean engine_weights_get_bool_at(const engine_weights *weights, const char *key, size_t index,
                                    gboolean *out);
/* config.json only ("layer_types"). */
const char *engine_weights_get_string_at(const engine_weights *weights, const char *key,
                                         size_t index);
/* Elements of a list, 1 for anything else, 0 when absent. */
size_t engine_weights_get_n(const engine_weights *weights, const char *key);

/* config.json only: a member of rope_parameters (transformers 5), of rope_scaling (before), or of the top. */
gboolean engine_weights_get_rope_f32(const engine_weights *weights, const char *name, float *out);
gboolean engine_weights_get_rope_bool(const engine_weights *weights, const char *name,
                                      gboolean *out);
const char *engine_weights_get_rope_string(const engine_weights *weights, const char *name);
/* "default", "dynamic", "yarn", ...; NULL where nothing is said. */
const char *engine_weights_get_rope_type(const engine_weights *weights);

/* One GGUF entry as it lies in the file; the bytes belong to weights. */
typedef struct {
    const char *key;
    uint32_t type; /* engine_gguf_type */
    const uint8_t *payload;
    size_t len;
} engine_metadata;

/* All GGUF entries in file order, of the first part; 0 for safetensors. */
size_t engine_weights_n_metadata(const engine_weights *weights);
engine_metadata engine_weights_metadata_at(const engine_weights *weights, size_t index);

/* The parsed config.json, wrapper and all; NULL for GGUF. Borrowed. */
const json_t *engine_weights_config(const engine_weights *weights);

G_END_DECLS
#endif
