/* What lode asks of a GPU: a table of functions that the plug-in hands over when it is opened (plugin.h). Plain C on
 * both sides, no GLib, no exceptions: the engine's backend (backend_device.c) fills in these structs, the plug-in
 * (compute.cc) calls kernels (kernels.h) and cuBLAS (gemm.h).
 *
 *   device   one GPU: its memory, counted against a limit. Locked inside.
 *   queue    two streams (work; what is brought beside it), cuBLAS, a workspace, the description of the pass at hand. One thread at a time;
 *            everything asked of a queue happens in order, later than the call.
 *
 * Functions return 0, or another number with the reason, one line, in error [LODE_CUDA_ERROR] (never NULL).
 * Matrices and vectors named by const pointers inside the structs are in device memory unless marked `host`. Rows are
 * contiguous unless a leading dimension is given; n counts rows. */
#ifndef LODE_ENGINE_CUDA_COMPUTE_H
#define LODE_ENGINE_CUDA_COMPUTE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LODE_CUDA_ERROR 256 /* bytes of a message */
#define LODE_CUDA_WORKSPACE                                                                        \
    ((uint64_t)96 << 20) /* bytes a queue takes at most beside what its sizes say */
#define LODE_CUDA_DELTA_CHUNK                                                                      \
    64 /* tokens that the delta rule takes at once; floats of scratch for each row and value head */

enum { LODE_CUDA_OK, LODE_CUDA_FAILED, LODE_CUDA_NO_MEMORY, LODE_CUDA_UNSUPPORTED };

typedef struct lode_cuda_device lode_cuda_device;
typedef struct lode_cuda_queue lode_cuda_queue;
typedef struct lode_cuda_graph lode_cuda_graph;

/* A weight matrix as it lies in its file: n_out rows of n_in elements. */
typedef struct {
    const void *data;
    uint32_t type; /* engine_type of tensor.h */
    uint32_t n_in, n_out;
    /* FP8 with a scale for every block: element (r, c) times scales [r / scale_rows][c / scale_cols]; NULL: none */
    const float *scales; /* [ceil(n_out / scale_rows), ceil(n_in / scale_cols)] */
    uint32_t scale_rows, scale_cols;
} lode_cuda_matrix;

/* y [n, ldy] = w x + bias */
typedef struct {
    const lode_cuda_matrix *w; /* host */
    const float *bias;         /* [n_out] or NULL */
    float *y;
    size_t ldy;
} lode_cuda_product;

/* Rows row .. row+n-1 stand at positions first .. of a sequence whose pages are pages [n_pages] (host). */
typedef struct {
    const uint32_t *pages;
    uint32_t n_pages, row, n, first;
} lode_cuda_span;

/* Where a layer's keys and values lie: page p of it begins at arena + p * page_bytes + at. In a page one piece for each
 * KV head, head_bytes apart: keys, then, at_v further, values; a position's row of either is row_k and row_v bytes. */
typedef struct {
    uint8_t *arena;
    size_t page_bytes, at, head_bytes, at_v;
    uint32_t row_k, row_v, page_tokens;
    uint32_t type; /* F32, F16, Q8_0, Q4_0 */
} lode_cuda_kv;

/* An attention layer between its projections. Names as engine_head_layout and engine_heads_job have them. */
typedef struct {
    uint32_t n_heads, n_kv_heads, head_dim;
    uint32_t width, q_at, q_group, q_head, k_at, k_head, v_at, v_head, gate;
    const float *q_norm, *k_norm; /* [head_dim] or NULL */
    float eps, scale;
    const float *raw;    /* [n, width] */
    const float *tables; /* [n, n_tables * n_rot] */
    uint32_t n_rot, n_tables;
    int halves;
    float *q, *k, *v, *out;
    lode_cuda_kv kv;
    int exact; /* spans of many rows in float32 throughout, which takes longer; else factors may be rounded to half */
} lode_cuda_attention;

/* Rotary tables, as engine_rope has them. */
typedef struct {
    const float *inv_freq; /* host, [n_rot / 2] */
    uint32_t n_rot, first;
    float magnitude;
    uint32_t n_tables, n_waves; /* n_waves > 0: FoPE */
    float sin_pad;
    const float *cos_coef, *sin_coef; /* [n_tables, n_waves, n_waves] */
    int fope;
} lode_cuda_rope;

typedef struct {
    uint32_t n_experts, n_used, n_groups;
    int gate, normalize; /* gate: engine_gate */
    float scale;
} lode_cuda_router;

/* The experts of a layer, all of one type and shape: matrices in device memory named by tables of their addresses. */
typedef struct {
    lode_cuda_matrix gate, up, down;       /* shape and type; data and scales unused */
    const void *const *gates, *const *ups; /* [n_experts] in device memory */
    const void *const *downs;              /* when up is NULL gate holds both, gate rows first */
    const float *const *gate_scales, *const *up_scales, *const *down_scales; /* or NULL */
    uint32_t n_experts, n_used, n_ff;
    int joined;            /* gate is {n_embd, 2 n_ff} */
    const int32_t *chosen; /* [n, n_used] */
    const float *weights;  /* [n, n_used]; 0: left out, whatever that expert makes of the row */
} lode_cuda_experts;

/* As engine_delta_shape, engine_delta_layer and engine_delta_job. */
typedef struct {
    uint32_t n_k, n_v, d_k, d_v, kernel, n_channels, width;
    int tiled;
    uint32_t q_at, q_head, k_at, k_head, v_at, v_group, v_head, z_at, z_group, z_head;
    uint32_t beta, beta_group, alpha, alpha_group;
    const float *conv_weights, *decay, *dt_bias, *norm;
    float eps;
    const float *raw;
    float *conv, *gates, *conv_state, *state, *out;
} lode_cuda_delta;

/* What a queue must have room for, and how it multiplies. */
typedef struct {
    int exact; /* weights of every type as float32 by float32, any number of rows: slower, and nothing is rounded */
    uint32_t max_rows, max_spans;
    uint64_t max_pages;      /* of all spans of a pass together */
    uint32_t max_in;         /* the widest input of a product */
    uint64_t max_weights;    /* elements of the largest matrix; memory for a part of them will do */
    uint32_t max_slots;      /* rows times experts of a token */
    uint32_t max_ff, n_embd; /* of an expert */
    uint32_t max_experts;
    uint32_t max_heads, head_dim;
    uint32_t delta_heads; /* value heads of the delta rule; 0: there is none */
} lode_cuda_sizes;

typedef struct {
    uint32_t struct_size; /* functions are only ever appended */

    /* limit: bytes that may be taken of the device, 0: all that is free now */
    int (*device_open)(int index, uint64_t limit, lode_cuda_device **out, char *error);
    void (*device_close)(
        lode_cuda_device
            *device); /* its queues are closed and its memory given back; NULL is fine */
    /* bytes taken, and that may still be taken */
    int (*device_memory)(lode_cuda_device *device, uint64_t *used, uint64_t *left, char *error);
    /* zeroed, aligned to 256 bytes */
    int (*alloc)(lode_cuda_device *device, size_t n_bytes, void **out, char *error);
    void (*release)(lode_cuda_device *device,
                    void *memory); /* NULL is fine; waits for the device */
    /* weights: done when it returns */
    int (*fill)(lode_cuda_device *device, void *dst, const void *host, size_t n_bytes, char *error);

    int (*queue_open)(lode_cuda_device *device, const lode_cuda_sizes *sizes, lode_cuda_queue **out,
                      char *error);
    void (*queue_close)(lode_cuda_queue *queue);
    /* host memory is free to be used again, or is filled, when these return */
    int (*copy_in)(lode_cuda_queue *q, void *dst, const void *host, size_t n_bytes, char *error);
    int (*copy_out)(lode_cuda_queue *q, void *host, const void *src, size_t n_bytes, char *error);
    int (*copy)(lode_cuda_queue *q, void *dst, const void *src, size_t n_bytes, char *error);
    int (*clear)(lode_cuda_queue *q, void *dst, size_t n_bytes, char *error);
    int (*wait)(lode_cuda_queue *q, char *error); /* until all is done */

    /* What follows is about these spans, n rows together. */
    int (*begin_pass)(lode_cuda_queue *q, const lode_cuda_span *spans, size_t n_spans, size_t n,
                      char *error);
    int (*embed)(lode_cuda_queue *q, const lode_cuda_matrix *table, const int32_t *tokens_host,
                 size_t n, float *x, size_t ldx, char *error);
    int (*gather)(lode_cuda_queue *q, const float *x, const uint32_t *rows_host, size_t n,
                  size_t n_elems, float *y, char *error);
    int (*rms_norm)(lode_cuda_queue *q, const float *x, size_t ldx, const float *w, float eps,
                    size_t n_elems, size_t n, float *y, size_t ldy, char *error);
    /* products: at most 8, all of x [n, n_in] */
    int (*project)(lode_cuda_queue *q, const float *x, size_t n, const lode_cuda_product *products,
                   size_t n_products, char *error);
    int (*add)(lode_cuda_queue *q, float *x, const float *y, const float *gate, size_t n_elems,
               size_t n, char *error);
    int (*rope_tables)(lode_cuda_queue *q, const lode_cuda_rope *rope, size_t n, float *tables,
                       char *error);
    int (*attend)(lode_cuda_queue *q, const lode_cuda_attention *attention, size_t n, char *error);
    int (*swiglu)(lode_cuda_queue *q, float *gate, const float *up, size_t n_elems, size_t n,
                  char *error);
    int (*route)(lode_cuda_queue *q, const lode_cuda_router *router, float *logits, size_t n,
                 int32_t *chosen, float *weights, char *error);
    /* y [n, n_embd] += */
    int (*experts)(lode_cuda_queue *q, const lode_cuda_experts *experts, const float *x, size_t n,
                   float *y, char *error);
    int (*delta)(lode_cuda_queue *q, const lode_cuda_delta *delta, size_t n, char *error);

    /* Encoders. x = norm(x + delta) w + b, rows of mean 0 and variance 1 before; delta NULL: nothing is added */
    int (*layer_norm)(lode_cuda_queue *q, float *x, const float *delta, const float *w,
                      const float *b, float eps, size_t n_elems, size_t n, char *error);
    /* the exact one, or the approximation by tanh */
    int (*gelu)(lode_cuda_queue *q, float *x, size_t n_elems, size_t n, int by_tanh, char *error);
    /* Every text's tokens first_host [i] .. first_host [i + 1] - 1 attend to each other: qkv [n, 3 n_heads head_dim],
     * out [n, n_heads head_dim] = softmax(q k / sqrt(head_dim)) v. exact: in float32 throughout, which takes longer; else
     * factors may be rounded to half. */
    int (*attend_texts)(lode_cuda_queue *q, const float *qkv, const uint32_t *first_host,
                        size_t n_texts, uint32_t n_heads, uint32_t head_dim, int exact, float *out,
                        char *error);
    /* out [n_texts, n_elems]: the mean of a text's rows, or its first; to unit length when asked */
    int (*pool_texts)(lode_cuda_queue *q, const float *x, const uint32_t *first_host,
                      size_t n_texts, size_t n_elems, int mean, int unit, float *out, char *error);

    /* Exact search: of vectors [n, n_elems] the k with the largest products with each of queries_host
     * [n_queries, n_elems], largest first, the lower index first among equals; fewer than n: index -1.
     * ids_host, scores_host [n_queries, k] */
    int (*search)(lode_cuda_queue *q, const float *vectors, size_t n, size_t n_elems,
                  const float *queries_host, size_t n_queries, uint32_t k, int64_t *ids_host,
                  float *scores_host, char *error);

    /* What is asked for between begin and end is not done, but kept to be done by launch, any number of times, with the
     * memory that it named as it is then. Copies from and to the host cannot be kept, nor products of more than 8 rows. */
    int (*graph_begin)(lode_cuda_queue *q, char *error);
    int (*graph_end)(lode_cuda_queue *q, lode_cuda_graph **out, char *error);
    int (*graph_launch)(lode_cuda_queue *q, lode_cuda_graph *graph, char *error);
    void (*graph_free)(lode_cuda_queue *q, lode_cuda_graph *graph); /* NULL is fine */

    /* A copy from the host beside the work: it begins when all that was asked for before is done, which may still read
     * dst, and what is asked for later runs along with it, until `brought`. host is free to be used again. */
    int (*bring)(lode_cuda_queue *q, void *dst, const void *host, size_t n_bytes, char *error);
    /* What is asked for from now on waits for what was brought. */
    int (*brought)(lode_cuda_queue *q, char *error);
} lode_cuda_compute;

/* compute.cc: the plug-in's; lives for ever. */
const lode_cuda_compute *lode_cuda_compute_get(void);

#ifdef __cplusplus
}
#endif
#endif
