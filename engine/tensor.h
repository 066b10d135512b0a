/* Tensors as they lie in a weight file: a type, a shape, a pointer into the mapping.
 *
 * A quantised type stores rows in blocks of a fixed number of elements; a block holds its scale(s) and
 * the packed integers. dims[0] is the contiguous dimension, so a PyTorch weight [out, in] is
 * {in, out} here and one output is one row of dims[0] elements.
 *
 * Type numbers are those of GGUF (ggml_type); from ENGINE_TYPE_F8_E4M3 on they are ours, for what only
 * safetensors hold, and no file can name them. */
#ifndef LODE_ENGINE_TENSOR_H
#define LODE_ENGINE_TENSOR_H

#include <glib.h>
#include <stdint.h>

G_BEGIN_DECLS

typedef enum {
    ENGINE_TYPE_F32 = 0,
    ENGINE_TYPE_F16 = 1,
    ENGINE_TYPE_Q4_0 = 2,
    ENGINE_TYPE_Q4_1 = 3,
    ENGINE_TYPE_Q5_0 = 6,
    ENGINE_TYPE_Q5_1 = 7,
    ENGINE_TYPE_Q8_0 = 8,
    ENGINE_TYPE_Q2_K = 10,
    ENGINE_TYPE_Q3_K = 11,
    ENGINE_TYPE_Q4_K = 12,
    ENGINE_TYPE_Q5_K = 13,
    ENGINE_TYPE_Q6_K = 14,
    ENGINE_TYPE_IQ4_NL = 20,
    ENGINE_TYPE_IQ4_XS = 23,
    ENGINE_TYPE_I8 = 24,
    ENGINE_TYPE_I16 = 25,
    ENGINE_TYPE_I32 = 26,
    ENGINE_TYPE_I64 = 27,
    ENGINE_TYPE_F64 = 28,
    ENGINE_TYPE_BF16 = 30,
    ENGINE_TYPE_MXFP4 = 39,
    ENGINE_TYPE_F8_E4M3 = 64, /* 1-4-3 bits, bias 7, no infinity; see engine_tensor.scales */
    ENGINE_TYPE_F8_E5M2 = 65, /* 1-5-2 bits, bias 15: the upper byte of a half */
    ENGINE_TYPE_F8_E8M0 = 66, /* a power of two, 2^(e - 127): scales */
    ENGINE_TYPE_COUNT         /* one past the highest number */
} engine_type;

/* Row of n elements (a multiple of the block) of src into float dst [n]. src needs no alignment. */
typedef void (*engine_dequantize_fn)(const uint8_t *src, float *dst, size_t n);

typedef struct {
    const char *name;     /* "Q4_1"; NULL: not a type we know */
    uint32_t block_elems; /* elements of one block */
    uint32_t block_bytes; /* bytes of one block */
    engine_dequantize_fn
        dequantize; /* scalar reference; NULL: stored but not computed with (integers) */
} engine_type_traits;

/* Facts about a type; NULL when the number is unknown or a removed type. */
const engine_type_traits *engine_type_lookup(uint32_t type);

/* View of one tensor. Name, data and scales belong to the engine_weights it came from.
 *
 * FP8 matrices may have a scale per block of rows and columns: weight (r, c) is then the stored value times
 * scale (r / scale_rows, c / scale_cols) of `scales`, a matrix {ceil(dims[0] / scale_cols),
 * ceil(dims[1] / scale_rows)} of floats of any type; the last blocks may be ragged. Stacked matrices have stacked
 * ones. engine_tensor_row applies them; a type's bare dequantiser cannot. */
typedef struct engine_tensor {
    const char *name;
    engine_type type;
    uint32_t n_dims;  /* 0 (a scalar) .. 4 */
    uint64_t dims[4]; /* dims[0] contiguous; unused ones are 1; all >= 1 */
    const uint8_t *data;
    size_t n_bytes;
    const struct engine_tensor *scales; /* NULL: none */
    uint32_t scale_rows, scale_cols;    /* of one block; 0 without scales */
} engine_tensor;

static inline size_t
engine_tensor_n_rows(const engine_tensor *t)
{
    return (size_t)(t->dims[1] * t->dims[2] * t->dims[3]);
}

static inline size_t
engine_tensor_n_elems(const engine_tensor *t)
{
    return (size_t)t->dims[0] * engine_tensor_n_rows(t);
}

static inline size_t
engine_tensor_row_bytes(const engine_tensor *t)
{
    const engine_type_traits *traits = engine_type_lookup((uint32_t)t->type);
    return (size_t)t->dims[0] / traits->block_elems * traits->block_bytes;
}

/* Bytes of a tensor of this type and shape, FALSE when dims[0] is not a whole number of blocks, a
 * dimension is 0, or the product does not fit. */
gboolean engine_tensor_size(uint32_t type, uint32_t n_dims, const uint64_t dims[4],
                            size_t *n_bytes);

/* Row `row` of a tensor as floats: out [dims[0]], scales applied. The type must have a dequantiser. */
void engine_tensor_row(const engine_tensor *t, size_t row, float *out);

/* One element of a row, scales applied. Only of types with a dequantiser and one element a block. */
float engine_tensor_element(const engine_tensor *t, size_t row, size_t col);

/* The scales of a row: out [ceil(dims[0] / scale_cols)]. Only of a tensor that has scales. */
void engine_tensor_row_scales(const engine_tensor *t, size_t row, float *out);

/* IEEE half and bfloat16 to float, exact. */
float engine_half_to_float(uint16_t h);
/* Nearest half, ties to even; overflow to infinity. */
uint16_t engine_half_from_float(float f);

G_END_DECLS
#endif
