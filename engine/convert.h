/* A safetensors model into GGUF: what the convert files share.
 *
 *   convert.c            which tensors there are, under which names
 *   convert_rows.c       how a tensor's rows come out of the stored ones
 *   convert_metadata.c   the numbers of the configuration
 *   convert_tokenizer.c  the vocabulary
 *
 * The model is opened as for running it, so every tensor that is looked up here has been found to have the
 * shape its configuration asks for. */
#ifndef LODE_ENGINE_CONVERT_H
#define LODE_ENGINE_CONVERT_H

#include "engine/decoder_names.h"
#include "engine/model_write.h"

G_BEGIN_DECLS

/* Rows (of a vector: elements) of heads in another order. */
typedef enum {
    ENGINE_ORDER_PLAIN,
    ENGINE_ORDER_HEADS, /* heads cut out of groups, rotary halves made neighbours */
    ENGINE_ORDER_TILED  /* value heads dealt over the key heads */
} engine_order;

/* What makes the rows of one output. Zero-initialised it copies tensors [n_tensors], one below the other. */
typedef struct {
    const engine_tensor **tensors; /* [n_tensors]: borrowed until copied by engine_convert_add */
    size_t n_tensors;
    size_t slab; /* rows of the output that come from one tensor, or from one slab of the only one;
                    0: all */
    size_t stored_slab,
        first; /* rows of a stored slab, and where in it ours begin; 0: as the output's */
    engine_order order;
    size_t head;                 /* HEADS: rows of a head; TILED: of a value head */
    size_t taken, stride, start; /* HEADS: of every `stride` heads `taken`, from `start` on */
    gboolean pairs;              /* HEADS: (j, j + head/2) become (2j, 2j + 1) */
    size_t plain, n_keys;        /* TILED: rows before them that stay; key heads */
    size_t n_values;             /* TILED: value heads */
    size_t tile_columns;         /* not 0: columns are value heads of this many, tiled likewise */
    gboolean turned;             /* stored as [slab, column, row] */
    float add;                   /* to every element */
    gboolean negative_exp;       /* -exp(x) */
    const float *values;         /* instead of tensors: one row that lives long enough */
} engine_row_source;

typedef struct {
    engine_model *model;
    const engine_weights *weights;
    const char *arch; /* general.architecture */
    engine_gguf_writer *writer;
    const engine_write_options *options;
    engine_type_choice choice;
    GArray *outputs;
    engine_fallbacks fallbacks;
    gboolean tied;
    uint32_t n_blocks;
    GPtrArray *owned; /* what row sources borrow; g_free */
} engine_converter;

/* An output of this shape (n_dims of dims), its rows made by source. */
void engine_convert_add(engine_converter *c, const char *name, uint32_t n_dims,
                        const uint64_t *dims, const engine_row_source *source);

/* convert_rows.c: an engine_row_fn, and the copy it takes as its data. */
void engine_convert_row(const void *data, size_t row, float *out);
void *engine_row_source_copy(const engine_row_source *source, const uint64_t dims[4]);

void engine_convert_metadata(engine_converter *c);
gboolean engine_convert_tokenizer(engine_converter *c, GError **error);

G_END_DECLS
#endif
