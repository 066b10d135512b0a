/* The inside of engine_weights, shared by its readers. */
#ifndef LODE_ENGINE_WEIGHTS_PRIVATE_H
#define LODE_ENGINE_WEIGHTS_PRIVATE_H

#include "engine/weights.h"

G_BEGIN_DECLS

typedef enum {
    META_OTHER,
    META_INT,
    META_FLOAT,
    META_BOOL,
    META_STRING,
    META_STRINGS,
    META_FLOATS,
    META_INTS
} meta_kind;

/* One GGUF metadata value. META_OTHER: well formed, but nothing anyone asks for (an integer beyond int64, a
 * string that is not UTF-8, an integer array with members beyond int32). */
typedef struct {
    meta_kind kind;
    int64_t i;
    double f;
    const char *s;  /* in engine_weights.strings */
    gpointer items; /* engine_bytes[n], float[n] or int32_t[n]; owned */
    size_t n;
} meta_value;

struct engine_weights {
    engine_format format;
    char *path, *dir;
    GMappedFile *file; /* owns data when the weights came from a file */
    uint8_t *copy;     /* owns data when they came from memory */
    const uint8_t *data;
    size_t n_bytes;

    GArray *tensors;       /* engine_tensor, in file order */
    GHashTable *by_name;   /* name -> index + 1 */
    GHashTable *meta;      /* key -> meta_value; GGUF */
    GStringChunk *strings; /* tensor names, keys, string values */
    json_t *config;        /* safetensors; may be NULL */
};

/* Fill weights->tensors (and meta) from weights->data. */
gboolean engine_gguf_read(engine_weights *weights, GError **error);
gboolean engine_safetensors_read(engine_weights *weights, GError **error);

/* Add a tensor whose name is name [len]; offset counts from `base`, the start of the data section in the
 * file. Checks type, shape, bounds and that the name is new. n_expected: the byte length the file states,
 * G_MAXSIZE when it states none. */
gboolean engine_weights_add(engine_weights *weights, const char *name, size_t len, uint32_t type,
                            uint32_t n_dims, const uint64_t dims[4], size_t base, uint64_t offset,
                            size_t n_expected, GError **error);
/* No two tensors share a byte. */
gboolean engine_weights_check_overlap(engine_weights *weights, GError **error);

G_END_DECLS
#endif
