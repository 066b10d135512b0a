/* What the forward pass asks of a machine: a table of functions over memory that only they touch.
 *
 * decoder.c names buffers and says what to do with them; it never reads or writes an activation itself.
 * Weights are named by their engine_tensor: a backend with memory of its own keeps a copy found by that
 * pointer. Pointers marked `host` are ordinary memory. Rows are contiguous unless a leading dimension is
 * given; n counts rows. A row's result depends on that row (and its sequence) alone.
 *
 * One thread at a time uses an engine_backend. */
#ifndef LODE_ENGINE_BACKEND_H
#define LODE_ENGINE_BACKEND_H

#include "engine/decoder_arch.h"
#include "engine/moe.h"

G_BEGIN_DECLS

typedef struct engine_backend engine_backend;

/* y = W norm(x) + b for several W, see `project`. norm NULL: x as it is. */
typedef struct {
    const float *x; /* [n, n_in] */
    size_t n_in;
    const float *norm; /* [n_in] */
    float eps;
    float *h; /* [n, n_in] gets norm(x); unused without norm */
} engine_projection;

/* Raw projected rows into queries, keys and values: split, norm per head, rotate. */
typedef struct {
    const engine_decoder *decoder;
    const engine_attention_layer *layer;
    const float *raw;    /* [n, heads.width] */
    const float *tables; /* [n, engine_rope_row_floats] */
    float *q, *k, *v;    /* [n, n_heads * head_dim], [n, n_kv_heads * head_dim] twice */
} engine_heads_job;

/* Columns of a state matrix that are taken through all tokens together and lie together: a state is stored as
 * [d_v / strip][d_k][strip], the last strip as wide as what is left. 128 rows of a strip are 16 KiB. */
#define ENGINE_DELTA_STRIP 32

/* A gated delta rule over consecutive rows of one sequence, see delta.c. */
typedef struct {
    const engine_delta_shape *shape;
    const engine_delta_layer *layer;
    float eps;
    const float *raw; /* [n, shape.width] */
    float *conv;      /* scratch [n, n_channels] */
    float *gates;     /* scratch [n, 2 n_v] */
    float *conv_state,
        *state; /* [kernel - 1, n_channels], [n_v, d_k d_v] of the sequence's layer */
    float *out; /* [n, n_v * d_v] */
} engine_delta_job;

typedef enum { ENGINE_REPEAT_RUN, ENGINE_REPEAT_RECORD, ENGINE_REPEATED } engine_repeat;

#define ENGINE_REPEAT_ROWS 8 /* rows of a pass that may be kept, at most */

typedef struct {
    const char *name;

    /* 64-byte aligned and zero; NULL when memory is short. */
    void *(*alloc)(engine_backend *b, size_t n_bytes);
    void (*release)(engine_backend *b, void *memory);
    void (*copy_in)(engine_backend *b, void *dst, const void *host, size_t n_bytes);
    void (*copy_out)(engine_backend *b, void *host, const void *src, size_t n_bytes);
    void (*copy)(engine_backend *b, void *dst, const void *src, size_t n_bytes);
    void (*clear)(engine_backend *b, void *dst, size_t n_bytes);
    /* Called once for every weight before it is used; NULL: weights are used where they lie. */
    gboolean (*place)(engine_backend *b, const engine_tensor *tensor, GError **error);
    /* The same for a vector of n floats in host memory (norms, biases); NULL vectors need none. */
    gboolean (*place_vector)(engine_backend *b, const float *vector, size_t n, GError **error);
    /* The routed experts of a layer; not called for those that are to stay on the host. */
    gboolean (*place_experts)(engine_backend *b, const engine_moe_ffn *moe, GError **error);

    /* What follows is about these spans, n rows together. NULL: nothing to prepare. */
    void (*begin_pass)(engine_backend *b, engine_kv *kv, const engine_kv_span *spans,
                       size_t n_spans, size_t n);
    /* Ops that return nothing can still fail on a device: from the first failure on all of them do nothing, until this
     * is asked. FALSE with that failure, which is then forgotten. NULL: they cannot. */
    gboolean (*check)(engine_backend *b, GError **error);

    /* A pass of few rows over the same memory again and again may be kept and repeated at once. `repeat` is asked with all
     * that such a pass depends on, key [n_bytes]: REPEATED, it has done it; RECORD: the ops up to `record_end` are kept
     * under the key, then done; RUN: neither. FALSE from record_end: they were not done, and must be asked for again.
     * NULL: nothing is ever kept. */
    engine_repeat (*repeat)(engine_backend *b, const void *key, size_t n_bytes);
    gboolean (*record_end)(engine_backend *b);

    /* x [n, n_embd] = rows tokens [n] (host) of table */
    void (*embed)(engine_backend *b, const engine_tensor *table, const int32_t *tokens, size_t n,
                  float *x, size_t ldx);
    void (*rms_norm)(engine_backend *b, const float *x, size_t ldx, const float *w, float eps,
                     size_t n_elems, size_t n, float *y, size_t ldy);
    /* y row i = x row rows [i] (host) */
    void (*gather)(engine_backend *b, const float *x, const uint32_t *rows, size_t n,
                   size_t n_elems, float *y);

    /* jobs: at most 8, all of p->n_in inputs */
    void (*project)(engine_backend *b, const engine_projection *p, const engine_matmul_job *jobs,
                    size_t n_jobs, size_t n);
    /* x [n, n_out] += W in + bias; tmp [n, n_out] is scratch */
    void (*project_add)(engine_backend *b, const engine_linear *linear, const float *in, size_t n,
                        float *tmp, float *x);
    /* logits (host) [n, n_vocab] = W x */
    void (*logits)(engine_backend *b, const engine_tensor *w, const float *x, size_t n,
                   float *logits);

    /* tables of the positions first .. first+n-1; inv_freq [n_rot / 2] host */
    void (*rope_tables)(engine_backend *b, const engine_rope *rope, const float *inv_freq,
                        uint32_t first, size_t n, float *tables);
    /* An attention layer between its projections: heads' rows, their keys and values into the cache, and
     * out [n, n_heads * head_dim] = attention, times the sigmoid of the output gates where the model has them */
    void (*attend)(engine_backend *b, const engine_heads_job *job, engine_kv *kv,
                   const engine_kv_span *spans, size_t n_spans, size_t n, float *out);

    /* gate = silu(gate) * up, [n, n_elems] */
    void (*swiglu)(engine_backend *b, float *gate, const float *up, size_t n_elems, size_t n);
    /* logits [n, n_experts] is overwritten; chosen, weights [n, n_used] */
    void (*route)(engine_backend *b, const engine_router *router, float *logits, size_t n,
                  int32_t *chosen, float *weights);
    /* y [n, n_embd] += the experts of x, or the one expert of a dense layer, as engine_moe */
    gboolean (*moe)(engine_backend *b, const engine_moe_job *job, const float *x, size_t n,
                    float *y, GError **error);
    /* x row += sigmoid(gate [row]) * y row; gate NULL: x += y */
    void (*add)(engine_backend *b, float *x, const float *y, const float *gate, size_t n_elems,
                size_t n);

    void (*delta)(engine_backend *b, const engine_delta_job *job, size_t n);
} engine_backend_ops;

struct engine_backend {
    const engine_backend_ops *ops;
    engine_pool *pool;
    const engine_kernels *kernels; /* the CPU's */
};

/* The CPU: engine_kernels on the pool's threads. */
engine_backend engine_backend_cpu(engine_pool *pool, const engine_kernels *kernels);

/* delta.c: row t's convolution, norms and gates; then value head `head` over all n rows. Both touch only
 * what belongs to t or to head; rows come before heads. engine_delta_shift moves the convolution's window
 * on, after both. */
void engine_delta_row(const engine_kernels *kernels, const engine_delta_job *job, size_t t);
void engine_delta_head(const engine_kernels *kernels, const engine_delta_job *job, size_t n,
                       uint32_t head);
void engine_delta_shift(const engine_delta_job *job, size_t n);

G_END_DECLS
#endif
