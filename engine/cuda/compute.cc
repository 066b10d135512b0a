/* The table of compute.h: every step of a pass as launches of kernels.h and calls of cuBLAS.
 *
 * Products: few rows go through the fused kernel that keeps its sums in float32; more through tensor cores, with packed
 * weights expanded as they are read (some rows) or, a tile of rows at a time, before cuBLAS multiplies them (many).
 * Weights stored as floats are multiplied as floats, and all are when the queue is to be exact. */
#include "engine/cuda/queue.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <new>
#include <vector>

#define MANY_ROWS     64 /* from here on expanding a tile pays */
#define MANY_PER_SLAB 64 /* rows of an expert on the average, likewise */

#define REPORT(q, call, what)                                                                      \
    do {                                                                                           \
        cudaError_t status_ = cuda_use((q)->device);                                               \
        if (status_ == cudaSuccess) status_ = (call);                                              \
        return queue_report((q), status_, what, error);                                            \
    } while (0)

/* ---- products ---- */

static size_t
element_bytes(uint32_t type)
{
    return type == CUDA_F32 ? 4 : 2;
}

static cublas_type
blas_type(uint32_t type)
{
    return type == CUDA_F32 ? CUBLAS_R_32F : type == CUDA_BF16 ? CUBLAS_R_16BF : CUBLAS_R_16F;
}

/* Whether more rows than the kernels of few take are multiplied in float32. */
static bool
as_floats(const lode_cuda_queue *q, uint32_t type)
{
    return q->sizes.exact || type == CUDA_F32;
}

/* What cuBLAS multiplies these weights in. */
static uint32_t
inputs_type(const lode_cuda_queue *q, uint32_t type)
{
    if (as_floats(q, type)) return CUDA_F32;
    return type == CUDA_BF16 && q->capability >= 80 ? CUDA_BF16 : CUDA_F16;
}

/* x [n, n_in] as cuBLAS wants it; floats as they are. */
static cudaError_t
prepare_inputs(lode_cuda_queue *q, uint32_t to, const float *x, size_t n_in, size_t n,
               const void **out)
{
    *out = x;
    if (to == CUDA_F32) return cudaSuccess;
    *out = q->inputs;
    return cuda_round(q->stream, x, n_in, n_in, n, to, q->inputs);
}

/* inputs as prepared, in `to`; y [n, ldy] without bias. */
static cudaError_t
multiply_tiles(lode_cuda_queue *q, const lode_cuda_matrix *w, uint32_t to, const void *inputs,
               size_t n, float *y, size_t ldy)
{
    const size_t row_bytes = w->n_in * element_bytes(to);
    const uint32_t most = (uint32_t)std::min<size_t>(q->tile_bytes / row_bytes, w->n_out);

    if (w->type == to && !w->scales)
        return gemm(&q->blas, blas_type(to), w->data, inputs, y, ldy, w->n_out, w->n_in, n);
    for (uint32_t first = 0; first < w->n_out; first += most) {
        const uint32_t rows = std::min(most, w->n_out - first);
        LODE_TRY(cuda_dequantize(q->stream, w, first, rows, to, q->tile));
        LODE_TRY(gemm(&q->blas, blas_type(to), q->tile, inputs, y + first, ldy, rows, w->n_in, n));
    }
    return cudaSuccess;
}

/* In groups of rows: for floats without cuBLAS. */
static cudaError_t
multiply_few(lode_cuda_queue *q, const lode_cuda_product *p, const float *x, size_t n)
{
    const size_t n_in = p->w->n_in;

    for (size_t done = 0; done < n; done += CUDA_GEMV_ROWS)
        LODE_TRY(cuda_gemv(q->stream, p->w, p->bias, x + done * n_in, n_in,
                           std::min<size_t>(CUDA_GEMV_ROWS, n - done), p->y + done * p->ldy,
                           p->ldy));
    return cudaSuccess;
}

static bool
by_blas(const lode_cuda_queue *q, uint32_t type, size_t n)
{
    return gemm_available(&q->blas) && n > CUDA_GEMV_ROWS && (as_floats(q, type) || n >= MANY_ROWS);
}

static cudaError_t
multiply(lode_cuda_queue *q, const float *x, size_t n, const lode_cuda_product *products,
         size_t n_products)
{
    uint32_t prepared = UINT32_MAX; /* as what x lies in inputs */
    const void *inputs = NULL;

    for (size_t i = 0; i < n_products; i++) {
        const lode_cuda_product *p = &products[i];
        const size_t n_in = p->w->n_in;
        if (!by_blas(q, p->w->type, n)) {
            if (n <= CUDA_GEMV_ROWS || as_floats(q, p->w->type))
                LODE_TRY(multiply_few(q, p, x, n));
            else
                LODE_TRY(cuda_gemm_fused(q->stream, p->w, p->bias, x, n_in, n, p->y, p->ldy));
            continue;
        }
        const uint32_t to = inputs_type(q, p->w->type);
        if (to != prepared) LODE_TRY(prepare_inputs(q, to, x, n_in, n, &inputs));
        prepared = to;
        LODE_TRY(multiply_tiles(q, p->w, to, inputs, n, p->y, p->ldy));
        if (p->bias) LODE_TRY(cuda_add_bias(q->stream, p->y, p->ldy, p->bias, p->w->n_out, n));
    }
    return cudaSuccess;
}

static int
project(lode_cuda_queue *q, const float *x, size_t n, const lode_cuda_product *products,
        size_t n_products, char *error)
{
    REPORT(q, multiply(q, x, n, products, n_products), "multiplying matrices");
}

/* ---- rows ---- */

static int
embed(lode_cuda_queue *q, const lode_cuda_matrix *table, const int32_t *tokens, size_t n, float *x,
      size_t ldx, char *error)
{
    const int code = cuda_copy_in(q, q->indices, tokens, n * sizeof *tokens, error);

    if (code) return code;
    REPORT(q,
           cuda_embed(q->stream, table, reinterpret_cast<const int32_t *>(q->indices), n, x, ldx),
           "embedding");
}

static int
gather(lode_cuda_queue *q, const float *x, const uint32_t *rows, size_t n, size_t n_elems, float *y,
       char *error)
{
    const int code = cuda_copy_in(q, q->indices, rows, n * sizeof *rows, error);

    if (code) return code;
    REPORT(q, cuda_gather(q->stream, x, q->indices, n, n_elems, y), "gathering rows");
}

static int
rms_norm(lode_cuda_queue *q, const float *x, size_t ldx, const float *w, float eps, size_t n_elems,
         size_t n, float *y, size_t ldy, char *error)
{
    REPORT(q, cuda_rms_norm(q->stream, x, ldx, w, eps, n_elems, n, y, ldy), "norm");
}

static int
add(lode_cuda_queue *q, float *x, const float *y, const float *gate, size_t n_elems, size_t n,
    char *error)
{
    REPORT(q, cuda_add(q->stream, x, y, gate, n_elems, n), "adding rows");
}

static int
swiglu(lode_cuda_queue *q, float *gate, const float *up, size_t n_elems, size_t n, char *error)
{
    REPORT(q, cuda_swiglu(q->stream, gate, up, n_elems * n), "swiglu");
}

/* ---- attention ---- */

static int
rope_tables(lode_cuda_queue *q, const lode_cuda_rope *rope, size_t n, float *tables, char *error)
{
    const int code =
        cuda_copy_in(q, q->inv_freq, rope->inv_freq, rope->n_rot / 2 * sizeof(float), error);

    if (code) return code;
    REPORT(q, cuda_rope_tables(q->stream, rope, q->inv_freq, n, tables), "rotary tables");
}

static cudaError_t
run_attention(lode_cuda_queue *q, const lode_cuda_attention *a)
{
    LODE_TRY(cuda_heads(q->stream, a, &q->pass));
    return cuda_attend(q->stream, a, &q->pass, q->partials);
}

static int
attend(lode_cuda_queue *q, const lode_cuda_attention *a, size_t n, char *error)
{
    if (n != q->pass.n) {
        snprintf(error, LODE_CUDA_ERROR, "%zu rows of a pass of %u", n, q->pass.n);
        return LODE_CUDA_FAILED;
    }
    REPORT(q, run_attention(q, a), "attention");
}

/* ---- experts ---- */

static int
route(lode_cuda_queue *q, const lode_cuda_router *router, float *logits, size_t n, int32_t *chosen,
      float *weights, char *error)
{
    REPORT(q, cuda_route(q->stream, router, logits, n, chosen, weights), "routing");
}

/* hidden [n_slots, n_ff] out of what gate and up gave. */
static cudaError_t
activate(lode_cuda_queue *q, const lode_cuda_experts *e, size_t n_slots, float **hidden)
{
    if (!e->joined) {
        *hidden = q->hidden;
        return cuda_swiglu(q->stream, q->hidden, q->hidden_up, n_slots * e->n_ff);
    }
    *hidden = q->hidden_up;
    return cuda_swiglu_joined(q->stream, q->hidden, e->n_ff, n_slots, q->hidden_up);
}

static cudaError_t
few_experts(lode_cuda_queue *q, const lode_cuda_experts *e, const float *x, size_t n_slots)
{
    float *hidden;

    LODE_TRY(cuda_gemv_experts(q->stream, &e->gate, e->gates, e->gate_scales, e->chosen, n_slots,
                               e->n_used, x, q->hidden));
    if (!e->joined)
        LODE_TRY(cuda_gemv_experts(q->stream, &e->up, e->ups, e->up_scales, e->chosen, n_slots,
                                   e->n_used, x, q->hidden_up));
    LODE_TRY(activate(q, e, n_slots, &hidden));
    return cuda_gemv_experts(q->stream, &e->down, e->downs, e->down_scales, e->chosen, n_slots, 1,
                             hidden, q->outputs);
}

static cudaError_t
some_experts(lode_cuda_queue *q, const lode_cuda_experts *e, const float *x, size_t n_slots)
{
    float *hidden;

    LODE_TRY(cuda_gemm_experts(q->stream, &e->gate, e->gates, e->gate_scales, q->starts,
                               e->n_experts, n_slots, q->place_row, x, q->hidden));
    if (!e->joined)
        LODE_TRY(cuda_gemm_experts(q->stream, &e->up, e->ups, e->up_scales, q->starts, e->n_experts,
                                   n_slots, q->place_row, x, q->hidden_up));
    LODE_TRY(activate(q, e, n_slots, &hidden));
    return cuda_gemm_experts(q->stream, &e->down, e->downs, e->down_scales, q->starts, e->n_experts,
                             n_slots, NULL, hidden, q->outputs);
}

/* Where each expert's slots begin and its matrices lie, in host memory. */
struct slab_lists {
    std::vector<uint32_t> starts;
    std::vector<const void *> at;
    std::vector<const float *> scales;
};

static cudaError_t
fetch_lists(lode_cuda_queue *q, uint32_t n, const void *const *matrices, const float *const *scales,
            slab_lists *lists)
{
    lists->at.resize(n);
    lists->scales.assign(n, NULL);
    LODE_TRY(staging_out(&q->copies, lists->at.data(), matrices, n * sizeof(void *)));
    if (!scales) return cudaSuccess;
    return staging_out(&q->copies, lists->scales.data(), scales, n * sizeof(float *));
}

/* All experts of floats in one call; inputs and y as multiply_slabs has them. */
static cudaError_t
multiply_grouped(lode_cuda_queue *q, const lode_cuda_matrix *shape, const slab_lists *lists,
                 const float *x, float *y)
{
    const size_t n = lists->starts.size() - 1;
    std::vector<const void *> pointers;
    std::vector<int> counts;
    std::vector<uint32_t> used;

    for (uint32_t e = 0; e < n; e++)
        if (lists->starts[e] < lists->starts[e + 1]) used.push_back(e);
    for (const uint32_t e : used) {
        pointers.push_back(lists->at[e]);
        counts.push_back((int)(lists->starts[e + 1] - lists->starts[e]));
    }
    for (const uint32_t e : used)
        pointers.push_back(x + (size_t)lists->starts[e] * shape->n_in);
    for (const uint32_t e : used)
        pointers.push_back(y + (size_t)lists->starts[e] * shape->n_out);
    LODE_TRY(
        staging_in(&q->copies, q->pointers, pointers.data(), pointers.size() * sizeof(void *)));
    return gemm_grouped(&q->blas, q->pointers, counts.data(), used.size(), shape->n_out,
                        shape->n_in);
}

/* One kind of matrix: y [slots, n_out] = w_e x, x [slots, n_in] sorted. Floats are one grouped call.
 * Others are a call for each expert, since no grouped one keeps sums in float32: cublasGemmGroupedBatchedEx writes halves
 * for halves and bfloat16 for bfloat16, and cublasGemmBatchedEx, which can write floats, wants as many rows of each expert.
 * Packed experts besides pass through the tile's memory one after the other. */
static cudaError_t
multiply_slabs(lode_cuda_queue *q, const lode_cuda_matrix *shape, const void *const *matrices,
               const float *const *scales, slab_lists *lists, const float *x, size_t n_slots,
               float *y)
{
    const uint32_t n = (uint32_t)lists->starts.size() - 1, to = inputs_type(q, shape->type);
    const void *inputs;

    LODE_TRY(fetch_lists(q, n, matrices, scales, lists));
    if (shape->type == CUDA_F32 && !scales && gemm_grouped_available(&q->blas))
        return multiply_grouped(q, shape, lists, x, y);
    LODE_TRY(prepare_inputs(q, to, x, shape->n_in, n_slots, &inputs));
    for (uint32_t e = 0; e < n; e++) {
        const size_t first = lists->starts[e], count = lists->starts[e + 1] - first;
        lode_cuda_matrix w = *shape;
        if (count == 0) continue;
        w.data = lists->at[e];
        w.scales = lists->scales[e];
        LODE_TRY(multiply_tiles(q, &w, to,
                                static_cast<const unsigned char *>(inputs) +
                                    first * shape->n_in * element_bytes(to),
                                count, y + first * shape->n_out, shape->n_out));
    }
    return cudaSuccess;
}

/* Prompts: the counts come here once, then cuBLAS multiplies. */
static cudaError_t
many_experts(lode_cuda_queue *q, const lode_cuda_experts *e, const float *x, size_t n_slots)
{
    slab_lists lists;
    float *hidden;

    lists.starts.resize((size_t)e->n_experts + 1);
    LODE_TRY(staging_out(&q->copies, lists.starts.data(), q->starts,
                         lists.starts.size() * sizeof(uint32_t)));
    /* outputs are written last: until then they hold the sorted inputs */
    LODE_TRY(cuda_gather(q->stream, x, q->place_row, n_slots, e->gate.n_in, q->outputs));
    LODE_TRY(multiply_slabs(q, &e->gate, e->gates, e->gate_scales, &lists, q->outputs, n_slots,
                            q->hidden));
    if (!e->joined)
        LODE_TRY(multiply_slabs(q, &e->up, e->ups, e->up_scales, &lists, q->outputs, n_slots,
                                q->hidden_up));
    LODE_TRY(activate(q, e, n_slots, &hidden));
    return multiply_slabs(q, &e->down, e->downs, e->down_scales, &lists, hidden, n_slots,
                          q->outputs);
}

static cudaError_t
run_experts(lode_cuda_queue *q, const lode_cuda_experts *e, const float *x, size_t n, float *y)
{
    const size_t n_slots = n * e->n_used;
    const bool floats = as_floats(q, e->gate.type) || as_floats(q, e->down.type) ||
                        (!e->joined && as_floats(q, e->up.type));
    const bool few = n <= CUDA_GEMV_ROWS || (floats && !gemm_available(&q->blas));

    if (few) {
        LODE_TRY(few_experts(q, e, x, n_slots));
    } else {
        LODE_TRY(cuda_sort_experts(q->stream, e->chosen, n, e->n_used, e->n_experts, q->starts,
                                   q->place_row, q->place_of));
        if (floats || (gemm_available(&q->blas) && n_slots >= MANY_PER_SLAB * e->n_experts))
            LODE_TRY(many_experts(q, e, x, n_slots));
        else
            LODE_TRY(some_experts(q, e, x, n_slots));
    }
    return cuda_join_experts(q->stream, q->outputs, few ? NULL : q->place_of, e->weights, e->n_used,
                             e->gate.n_in, n, y);
}

static int
experts(lode_cuda_queue *q, const lode_cuda_experts *e, const float *x, size_t n, float *y,
        char *error)
{
    if (n * e->n_used > q->sizes.max_slots || e->n_ff > q->sizes.max_ff) {
        snprintf(error, LODE_CUDA_ERROR, "%zu rows of %u experts are too many", n, e->n_used);
        return LODE_CUDA_FAILED;
    }
    REPORT(q, run_experts(q, e, x, n, y), "experts");
}

static int
delta(lode_cuda_queue *q, const lode_cuda_delta *d, size_t n, char *error)
{
    REPORT(q, cuda_delta(q->stream, d, n, q->wedges), "delta rule");
}

/* ---- encoders ---- */

static int
layer_norm(lode_cuda_queue *q, float *x, const float *other, const float *w, const float *b,
           float eps, size_t n_elems, size_t n, char *error)
{
    REPORT(q, cuda_layer_norm(q->stream, x, other, w, b, eps, n_elems, n), "norm");
}

static int
gelu(lode_cuda_queue *q, float *x, size_t n_elems, size_t n, int by_tanh, char *error)
{
    REPORT(q, cuda_gelu(q->stream, x, n_elems * n, by_tanh != 0), "gelu");
}

static int
attend_texts(lode_cuda_queue *q, const float *qkv, const uint32_t *first, size_t n_texts,
             uint32_t n_heads, uint32_t head_dim, int exact, float *out, char *error)
{
    size_t longest = 0;
    const int code = cuda_copy_in(q, q->indices, first, (n_texts + 1) * sizeof *first, error);

    if (code) return code;
    for (size_t i = 0; i < n_texts; i++)
        longest = std::max<size_t>(longest, first[i + 1] - first[i]);
    REPORT(q,
           cuda_attend_text(q->stream, qkv, q->indices, n_texts, longest, n_heads, head_dim,
                            exact != 0, out),
           "attention");
}

static int
pool_texts(lode_cuda_queue *q, const float *x, const uint32_t *first, size_t n_texts,
           size_t n_elems, int mean, int unit, float *out, char *error)
{
    const int code = cuda_copy_in(q, q->indices, first, (n_texts + 1) * sizeof *first, error);

    if (code) return code;
    REPORT(q, cuda_pool(q->stream, x, q->indices, n_texts, n_elems, mean != 0, unit != 0, out),
           "pooling");
}

/* ---- search ---- */

struct found_vector {
    float score;
    int64_t id;
};

static bool
better(const found_vector &a, const found_vector &b)
{
    return a.score != b.score ? a.score > b.score : a.id < b.id;
}

/* The best k of what was found before and of the n found now. */
static void
merge(found_vector *best, uint32_t k, const float *scores, const int32_t *ids, uint32_t n,
      size_t first)
{
    std::vector<found_vector> all(best, best + k);

    for (uint32_t i = 0; i < n; i++)
        all.push_back({scores[i], (int64_t)first + ids[i]});
    std::partial_sort(all.begin(), all.begin() + k, all.end(), better);
    std::copy(all.begin(), all.begin() + k, best);
}

/* In pieces of vectors whose scores fit into the tile, beside the best of each piece. */
static cudaError_t
search_pieces(lode_cuda_queue *q, const lode_cuda_matrix *vectors, size_t n_queries, uint32_t k,
              found_vector *best)
{
    const size_t n_best = n_queries * k, room = q->tile_bytes / sizeof(float);
    if (2 * n_best + n_queries * CUDA_TOP_K > room) return cudaErrorInvalidValue;
    const size_t most = std::min<size_t>((room - 2 * n_best) / n_queries, vectors->n_out);
    float *scores = reinterpret_cast<float *>(q->tile), *values = scores + most * n_queries;
    int32_t *ids = reinterpret_cast<int32_t *>(values + n_best);
    const float *queries = reinterpret_cast<const float *>(q->inputs);
    std::vector<float> values_here(n_best);
    std::vector<int32_t> ids_here(n_best);

    for (size_t first = 0; first < vectors->n_out; first += most) {
        lode_cuda_matrix piece = *vectors;
        piece.n_out = (uint32_t)std::min<size_t>(most, vectors->n_out - first);
        piece.data = static_cast<const float *>(vectors->data) + first * vectors->n_in;
        const lode_cuda_product product = {&piece, NULL, scores, piece.n_out};
        const uint32_t n = std::min(k, piece.n_out);
        LODE_TRY(multiply(q, queries, n_queries, &product, 1));
        LODE_TRY(
            cuda_top_k(q->stream, scores, piece.n_out, piece.n_out, n_queries, n, values, ids));
        LODE_TRY(
            staging_out(&q->copies, values_here.data(), values, n_queries * n * sizeof(float)));
        LODE_TRY(staging_out(&q->copies, ids_here.data(), ids, n_queries * n * sizeof(int32_t)));
        for (size_t i = 0; i < n_queries; i++)
            merge(best + i * k, k, &values_here[i * n], &ids_here[i * n], n, first);
    }
    return cudaSuccess;
}

static int
search(lode_cuda_queue *q, const float *vectors, size_t n, size_t n_elems, const float *queries,
       size_t n_queries, uint32_t k, int64_t *ids, float *scores, char *error)
{
    const lode_cuda_matrix w = {vectors, CUDA_F32, (uint32_t)n_elems, (uint32_t)n, NULL, 0, 0};

    if (k > CUDA_TOP_K || n > UINT32_MAX || n_queries > q->sizes.max_rows) {
        snprintf(error, LODE_CUDA_ERROR, "%u of %zu vectors for %zu queries are too many", k, n,
                 n_queries);
        return LODE_CUDA_UNSUPPORTED;
    }
    std::vector<found_vector> best(n_queries * k, {-INFINITY, INT64_MAX});
    int code = cuda_copy_in(q, q->inputs, queries, n_queries * n_elems * sizeof *queries, error);
    if (!code)
        code = queue_report(q, search_pieces(q, &w, n_queries, k, best.data()), "searching", error);
    for (size_t i = 0; !code && i < n_queries * k; i++) {
        ids[i] = best[i].id == INT64_MAX ? -1 : best[i].id;
        scores[i] = best[i].score;
    }
    return code;
}

/* ---- the table ---- */

const lode_cuda_compute *
lode_cuda_compute_get(void)
{
    static const lode_cuda_compute table = {
        sizeof(lode_cuda_compute),
        cuda_device_open,
        cuda_device_close,
        cuda_device_memory,
        cuda_alloc,
        cuda_release,
        cuda_fill,
        cuda_queue_open,
        cuda_queue_close,
        cuda_copy_in,
        cuda_copy_out,
        cuda_copy,
        cuda_clear,
        cuda_wait,
        cuda_begin_pass,
        embed,
        gather,
        rms_norm,
        project,
        add,
        rope_tables,
        attend,
        swiglu,
        route,
        experts,
        delta,
        layer_norm,
        gelu,
        attend_texts,
        pool_texts,
        search,
        cuda_graph_begin,
        cuda_graph_end,
        cuda_graph_launch,
        cuda_graph_free,
        cuda_bring,
        cuda_brought,
    };
    return &table;
}
