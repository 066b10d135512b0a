/* A model into GGUF: tensors given row by row are quantised and streamed out. What quantising and converting
 * share. */
#ifndef LODE_ENGINE_MODEL_WRITE_H
#define LODE_ENGINE_MODEL_WRITE_H

#include "engine/gguf_write.h"
#include "engine/quantize.h"

G_BEGIN_DECLS

/* Row `row` (of dims[1] * dims[2] * dims[3]) of the tensor `data` stands for: out [dims[0]]. Called from
 * several threads at once. */
typedef void (*engine_row_fn)(const void *data, size_t row, float *out);

typedef struct {
    char *name; /* owned */
    engine_type type;
    uint32_t n_dims;
    uint64_t dims[4];           /* unused ones 1 */
    const engine_tensor *bytes; /* not NULL: the tensor is these bytes, of this type, as they are */
    engine_row_fn row;          /* else this makes its rows */
    void *data;                 /* for row; owned, g_free */
} engine_output;

void engine_output_clear(gpointer output); /* for g_array_set_clear_func */

/* What the tensors of a model become. */
typedef struct {
    engine_type type;       /* of matrices */
    gboolean mixed;         /* "_m": more bits for the output and half of attn_v and ffn_down */
    gboolean has_output;    /* output_type is given */
    gboolean has_embedding; /* embedding_type is given */
    engine_type output_type, embedding_type;
} engine_type_choice;

/* The type of one GGUF tensor. Vectors, routers, norms and convolutions are F32 whatever is asked for;
 * a row length that the type's blocks do not divide gives the next wider type with blocks of 32, or F16:
 * then *fallback is set. n_layers tells the layers that are given more bits. tied: the model has no
 * output matrix, its embedding is both. */
engine_type engine_type_choose(const engine_type_choice *choice, const char *name, uint32_t n_dims,
                               const uint64_t *dims, uint32_t n_layers, gboolean tied,
                               gboolean *fallback);

/* The number that general.file_type gives this choice. */
uint32_t engine_type_choice_file_type(const engine_type_choice *choice);

/* The options' types; ARGUMENT naming those there are. */
gboolean engine_type_choice_from_options(const engine_write_options *options,
                                         engine_type_choice *choice, GError **error);

/* Tensors by the type they have instead of the one that was asked for. */
typedef struct {
    uint32_t count[ENGINE_TYPE_COUNT];
} engine_fallbacks;

/* One line for each such type, where the options have a listener. */
void engine_note_fallbacks(const engine_write_options *options, const engine_fallbacks *fallbacks);

/* Declare the outputs [n engine_output], begin, write all and finish. Metadata is set before. FORMAT
 * naming the tensor when a weight is not finite. */
gboolean engine_write_outputs(engine_gguf_writer *writer, const GArray *outputs, engine_pool *pool,
                              const engine_write_options *options, GError **error);

/* An engine_row_fn: data is an engine_tensor. */
void engine_output_tensor_row(const void *data, size_t row, float *out);

G_END_DECLS
#endif
