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
    uint32_t type;          /* engine_gguf_type */
    const uint8_t *payload; /* the value's bytes in the file [payload_bytes] */
    size_t payload_bytes;
} meta_value;

/* One file of the model. */
typedef struct {
    char *path;
    GMappedFile *file; /* owns data when it came from a file */
    uint8_t *copy;     /* owns data when it came from memory */
    const uint8_t *data;
    size_t n_bytes;
} engine_part;

struct engine_weights {
    engine_format format;
    char *path, *dir; /* of the first part */
    GPtrArray *parts; /* engine_part; the last is the one being read */

    GArray *tensors;       /* engine_tensor, in file order, part after part */
    GHashTable *by_name;   /* name -> index + 1 */
    GHashTable *meta;      /* key -> meta_value; GGUF */
    GPtrArray *keys;       /* of meta, in file order */
    GStringChunk *strings; /* tensor names, keys, string values */
    json_t *config;        /* safetensors; may be NULL */

    /* what the first part of a GGUF says; n_tensors_stated -1 where there is one part */
    uint32_t part_no, n_parts;
    int64_t n_tensors_stated;
};

engine_weights *engine_weights_new(engine_format format, const char *path);
/* Append a part; taken over. Exactly one of file and copy owns the data. */
engine_part *engine_weights_add_part(engine_weights *weights, const char *path, GMappedFile *file,
                                     uint8_t *copy, size_t n_bytes);
GHashTable *engine_meta_new(void); /* key (borrowed) -> meta_value (owned) */

/* Add the tensors of the part just appended; for the first part of a GGUF its metadata too. */
gboolean engine_gguf_read(engine_weights *weights, const engine_part *part, GError **error);
gboolean engine_safetensors_read(engine_weights *weights, const engine_part *part, GError **error);

/* Add a tensor whose name is name [len]; offset counts from `base`, the start of the data section in the
 * part. Checks type, shape, bounds and that the name is new. n_expected: the byte length the file states,
 * G_MAXSIZE when it states none. */
gboolean engine_weights_add(engine_weights *weights, const engine_part *part, const char *name,
                            size_t len, uint32_t type, uint32_t n_dims, const uint64_t dims[4],
                            size_t base, uint64_t offset, size_t n_expected, GError **error);
/* After the last part: no two tensors share a byte, and all that was announced is there. */
gboolean engine_weights_check(engine_weights *weights, GError **error);
/* No two of the tensors from `first` on share a byte. */
gboolean engine_weights_check_overlap(engine_weights *weights, guint first, GError **error);

G_END_DECLS
#endif
