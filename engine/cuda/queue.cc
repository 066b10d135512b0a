/* Opening and closing a queue, copies, and the description of a pass; see queue.h. */
#include "engine/cuda/queue.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

#define MAX_ROT 512 /* rotated elements of a head */

/* What cuBLAS said is more than the runtime's number for it. */
int
queue_report(lode_cuda_queue *q, cudaError_t status, const char *what, char *error)
{
    if (status != cudaSuccess && q->blas.status[0]) {
        snprintf(error, LODE_CUDA_ERROR, "%s", q->blas.status);
        q->blas.status[0] = '\0';
        (void)cudaGetLastError();
        return status == cudaErrorMemoryAllocation ? LODE_CUDA_NO_MEMORY : LODE_CUDA_FAILED;
    }
    return cuda_report(status, what, error);
}

/* ---- opening ---- */

template <class T>
static int
take(lode_cuda_queue *q, size_t n, T **out, char *error)
{
    void *memory = NULL;

    if (n == 0) return LODE_CUDA_OK;
    if (n > SIZE_MAX / sizeof(T)) {
        snprintf(error, LODE_CUDA_ERROR, "a pass needs more memory than can be counted");
        return LODE_CUDA_NO_MEMORY;
    }
    const int code = cuda_alloc(q->device, n * sizeof(T), &memory, error);
    *out = static_cast<T *>(memory);
    return code;
}

static cudaError_t
open_streams(lode_cuda_queue *q)
{
    int major = 0, minor = 0;

    LODE_TRY(cuda_use(q->device));
    LODE_TRY(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, q->device->index));
    LODE_TRY(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, q->device->index));
    q->capability = 10 * major + minor;
    LODE_TRY(cudaStreamCreateWithFlags(&q->stream, cudaStreamNonBlocking));
    return staging_open(&q->copies, q->stream);
}

/* Words of the pass's description. */
static size_t
pass_words(const lode_cuda_sizes *s)
{
    return sizeof(cuda_span) / sizeof(uint32_t) * s->max_spans + (size_t)s->max_pages + s->max_rows;
}

static int
take_all(lode_cuda_queue *q, char *error)
{
    const lode_cuda_sizes *s = &q->sizes;
    const size_t rows = s->max_rows > s->max_slots ? s->max_rows : s->max_slots;
    const size_t wide = s->max_in > s->max_ff ? s->max_in : s->max_ff;
    /* a row of it at least */
    q->tile_bytes = QUEUE_TILE_BYTES;
    if (s->max_weights < q->tile_bytes / sizeof(float))
        q->tile_bytes = (size_t)s->max_weights * sizeof(float);
    if (q->tile_bytes < wide * sizeof(float)) q->tile_bytes = wide * sizeof(float);
    int code = take(q, pass_words(s), &q->words, error);

    if (!code) code = take(q, (size_t)s->max_rows + 1, &q->indices, error);
    if (!code) code = take(q, MAX_ROT / 2, &q->inv_freq, error);
    if (!code) code = take(q, rows * wide * sizeof(float), &q->inputs, error);
    if (!code) code = take(q, q->tile_bytes, &q->tile, error);
    if (!code) code = take(q, q->tile_bytes, &q->blas_memory, error);
    if (!code && s->max_pages > 0)
        code = take(q, cuda_attend_floats(s->max_rows, s->max_heads, s->head_dim), &q->partials,
                    error);
    if (!code && s->max_rows >= CUDA_DELTA_CHUNK)
        code = take(q, (size_t)s->max_rows * s->delta_heads * CUDA_DELTA_CHUNK, &q->wedges, error);
    if (!code && s->max_slots > 0) {
        code = take(q, 2 * (size_t)s->max_slots * s->max_ff, &q->hidden, error);
        if (!code) code = take(q, (size_t)s->max_slots * s->max_ff, &q->hidden_up, error);
        if (!code) code = take(q, (size_t)s->max_slots * s->n_embd, &q->outputs, error);
        if (!code) code = take(q, (size_t)s->max_experts + 1, &q->starts, error);
        if (!code) code = take(q, s->max_slots, &q->place_row, error);
        if (!code) code = take(q, s->max_slots, &q->place_of, error);
        if (!code) code = take(q, 3 * (size_t)s->max_experts, &q->pointers, error);
    }
    if (code) return code;
    q->here = static_cast<uint32_t *>(malloc(pass_words(s) * sizeof(uint32_t) + 1));
    if (q->here) return LODE_CUDA_OK;
    snprintf(error, LODE_CUDA_ERROR, "no memory");
    return LODE_CUDA_NO_MEMORY;
}

int
cuda_queue_open(lode_cuda_device *device, const lode_cuda_sizes *sizes, lode_cuda_queue **out,
                char *error)
{
    lode_cuda_queue *q = new (std::nothrow) lode_cuda_queue();

    *out = NULL;
    if (!q) {
        snprintf(error, LODE_CUDA_ERROR, "no memory");
        return LODE_CUDA_NO_MEMORY;
    }
    q->device = device;
    q->sizes = *sizes;
    int code = cuda_report(open_streams(q), "opening a stream", error);
    if (!code) code = take_all(q, error);
    if (!code)
        code = queue_report(q, gemm_open(&q->blas, q->stream, q->blas_memory, q->tile_bytes),
                            "opening cuBLAS", error);
    if (!code)
        *out = q;
    else
        cuda_queue_close(q);
    return code;
}

static void
close_side(lode_cuda_queue *q)
{
    if (q->side) (void)cudaStreamSynchronize(q->side);
    staging_close(&q->side_copies);
    if (q->asked) (void)cudaEventDestroy(q->asked);
    if (q->brought) (void)cudaEventDestroy(q->brought);
    if (q->side) (void)cudaStreamDestroy(q->side);
    q->side = NULL;
    q->asked = q->brought = NULL;
}

void
cuda_queue_close(lode_cuda_queue *q)
{
    if (!q) return;
    void *const there[] = {q->words,       q->indices,   q->inv_freq, q->inputs,    q->tile,
                           q->blas_memory, q->partials,  q->hidden,   q->hidden_up, q->outputs,
                           q->starts,      q->place_row, q->place_of, q->wedges,    q->pointers};

    (void)cuda_use(q->device);
    if (q->stream) (void)cudaStreamSynchronize(q->stream);
    gemm_close(&q->blas);
    for (void *memory : there)
        cuda_release(q->device, memory);
    staging_close(&q->copies);
    close_side(q);
    if (q->stream) (void)cudaStreamDestroy(q->stream);
    free(q->here);
    delete q;
}

/* ---- copies ---- */

int
cuda_copy_in(lode_cuda_queue *q, void *dst, const void *host, size_t n_bytes, char *error)
{
    cudaError_t status = cuda_use(q->device);
    if (status == cudaSuccess) status = staging_in(&q->copies, dst, host, n_bytes);
    return cuda_report(status, "copying to the GPU", error);
}

int
cuda_copy_out(lode_cuda_queue *q, void *host, const void *src, size_t n_bytes, char *error)
{
    cudaError_t status = cuda_use(q->device);
    if (status == cudaSuccess) status = staging_out(&q->copies, host, src, n_bytes);
    return cuda_report(status, "copying from the GPU", error);
}

int
cuda_copy(lode_cuda_queue *q, void *dst, const void *src, size_t n_bytes, char *error)
{
    cudaError_t status = cuda_use(q->device);
    if (status == cudaSuccess)
        status = cudaMemcpyAsync(dst, src, n_bytes, cudaMemcpyDeviceToDevice, q->stream);
    return cuda_report(status, "copying on the GPU", error);
}

int
cuda_clear(lode_cuda_queue *q, void *dst, size_t n_bytes, char *error)
{
    cudaError_t status = cuda_use(q->device);
    if (status == cudaSuccess) status = cudaMemsetAsync(dst, 0, n_bytes, q->stream);
    return cuda_report(status, "clearing memory of the GPU", error);
}

/* ---- beside the work ---- */

static cudaError_t
open_side_parts(lode_cuda_queue *q)
{
    LODE_TRY(cudaStreamCreateWithFlags(&q->side, cudaStreamNonBlocking));
    LODE_TRY(cudaEventCreateWithFlags(&q->asked, cudaEventDisableTiming));
    LODE_TRY(cudaEventCreateWithFlags(&q->brought, cudaEventDisableTiming));
    return staging_open(&q->side_copies, q->side);
}

static cudaError_t
open_side(lode_cuda_queue *q)
{
    if (q->side) return cudaSuccess;
    const cudaError_t status = open_side_parts(q);
    if (status != cudaSuccess) close_side(q);
    return status;
}

static cudaError_t
bring(lode_cuda_queue *q, void *dst, const void *host, size_t n_bytes)
{
    LODE_TRY(cuda_use(q->device));
    LODE_TRY(open_side(q));
    LODE_TRY(cudaEventRecord(q->asked, q->stream));
    LODE_TRY(cudaStreamWaitEvent(q->side, q->asked, 0));
    return staging_in(&q->side_copies, dst, host, n_bytes);
}

int
cuda_bring(lode_cuda_queue *q, void *dst, const void *host, size_t n_bytes, char *error)
{
    return cuda_report(bring(q, dst, host, n_bytes), "copying to the GPU", error);
}

static cudaError_t
join_side(lode_cuda_queue *q)
{
    if (!q->side) return cudaSuccess; /* nothing was brought */
    LODE_TRY(cuda_use(q->device));
    LODE_TRY(cudaEventRecord(q->brought, q->side));
    return cudaStreamWaitEvent(q->stream, q->brought, 0);
}

int
cuda_brought(lode_cuda_queue *q, char *error)
{
    return cuda_report(join_side(q), "waiting for a copy", error);
}

int
cuda_wait(lode_cuda_queue *q, char *error)
{
    cudaError_t status = cuda_use(q->device);
    if (status == cudaSuccess) status = cudaStreamSynchronize(q->stream);
    return queue_report(q, status, "waiting for the GPU", error);
}

/* ---- a pass ---- */

/* The spans, the span of each row, the pages of all spans: one copy. Where each begins depends on the numbers of spans and
 * rows alone, so that a graph finds them again when sequences have grown. */
int
cuda_begin_pass(lode_cuda_queue *q, const lode_cuda_span *spans, size_t n_spans, size_t n,
                char *error)
{
    const lode_cuda_sizes *s = &q->sizes;
    const size_t span_words = sizeof(cuda_span) / sizeof(uint32_t);
    size_t n_pages = 0, at = 0;

    for (size_t i = 0; i < n_spans; i++)
        n_pages += spans[i].n_pages;
    if (n > s->max_rows || n_spans > s->max_spans || n_pages > s->max_pages) {
        snprintf(error, LODE_CUDA_ERROR, "a pass of %zu rows, %zu spans and %zu pages is too large",
                 n, n_spans, n_pages);
        return LODE_CUDA_FAILED;
    }
    cuda_pass *pass = &q->pass;
    uint32_t *row = q->here + n_spans * span_words, *pages = row + n;
    *pass = cuda_pass();
    pass->n_spans = (uint32_t)n_spans;
    pass->n = (uint32_t)n;
    pass->least = UINT32_MAX;
    for (size_t i = 0; i < n_spans; i++) {
        const lode_cuda_span *from = &spans[i];
        const cuda_span span = {from->row, from->n, from->first, (uint32_t)at};
        memcpy(q->here + i * span_words, &span, sizeof span);
        memcpy(pages + at, from->pages, from->n_pages * sizeof *pages);
        at += from->n_pages;
        for (uint32_t t = 0; t < from->n; t++)
            row[from->row + t] = (uint32_t)i;
        if (from->n > pass->most) pass->most = from->n;
        if (from->n < pass->least) pass->least = from->n;
    }
    pass->spans = reinterpret_cast<const cuda_span *>(q->words);
    pass->row_span = q->words + n_spans * span_words;
    pass->pages = pass->row_span + n;
    return cuda_copy_in(q, q->words, q->here,
                        (n_spans * span_words + n_pages + n) * sizeof *q->here, error);
}

/* ---- graphs ---- */

int
cuda_graph_begin(lode_cuda_queue *q, char *error)
{
    cudaError_t status = cuda_use(q->device);
    if (status == cudaSuccess)
        status = cudaStreamBeginCapture(q->stream, cudaStreamCaptureModeThreadLocal);
    return cuda_report(status, "beginning a graph", error);
}

int
cuda_graph_end(lode_cuda_queue *q, lode_cuda_graph **out, char *error)
{
    cudaGraph_t graph = NULL;
    cudaGraphExec_t exec = NULL;
    cudaError_t status = cudaStreamEndCapture(q->stream, &graph);

    *out = NULL;
    if (status == cudaSuccess) status = cudaGraphInstantiate(&exec, graph, 0);
    if (graph) (void)cudaGraphDestroy(graph);
    if (status == cudaSuccess) {
        *out = new (std::nothrow) lode_cuda_graph();
        if (!*out) status = cudaErrorMemoryAllocation;
    }
    if (status == cudaSuccess)
        (*out)->exec = exec;
    else if (exec)
        (void)cudaGraphExecDestroy(exec);
    return cuda_report(status, "making a graph", error);
}

int
cuda_graph_launch(lode_cuda_queue *q, lode_cuda_graph *graph, char *error)
{
    cudaError_t status = cuda_use(q->device);
    if (status == cudaSuccess) status = cudaGraphLaunch(graph->exec, q->stream);
    return cuda_report(status, "launching a graph", error);
}

void
cuda_graph_free(lode_cuda_queue *q, lode_cuda_graph *graph)
{
    if (!graph) return;
    (void)cuda_use(q->device);
    (void)cudaStreamSynchronize(q->stream);
    (void)cudaGraphExecDestroy(graph->exec);
    delete graph;
}
