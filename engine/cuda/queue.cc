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

/* Words of the pass's description: pages, four for each span, two for each row. */
static size_t
pass_words(const lode_cuda_sizes *s)
{
    return (size_t)s->max_pages + 4 * (size_t)s->max_spans + 2 * (size_t)s->max_rows;
}

static int
take_all(lode_cuda_queue *q, char *error)
{
    const lode_cuda_sizes *s = &q->sizes;
    const size_t rows = s->max_rows > s->max_slots ? s->max_rows : s->max_slots;
    const size_t wide = s->max_in > s->max_ff ? s->max_in : s->max_ff;
    int code = take(q, pass_words(s), &q->pass, error);

    if (!code) code = take(q, s->max_rows, &q->indices, error);
    if (!code) code = take(q, MAX_ROT / 2, &q->inv_freq, error);
    if (!code) code = take(q, rows * wide * sizeof(float), &q->inputs, error);
    if (!code) code = take(q, QUEUE_TILE_BYTES, &q->tile, error);
    if (!code) code = take(q, GEMM_WORKSPACE, &q->blas_memory, error);
    if (!code && s->max_slots > 0) {
        code = take(q, (size_t)s->max_slots * s->max_ff, &q->hidden, error);
        if (!code) code = take(q, (size_t)s->max_slots * s->max_ff, &q->hidden_up, error);
        if (!code) code = take(q, (size_t)s->max_slots * s->n_embd, &q->outputs, error);
        if (!code) code = take(q, (size_t)s->max_experts + 1, &q->starts, error);
        if (!code) code = take(q, s->max_slots, &q->slot_token, error);
        if (!code) code = take(q, s->max_slots, &q->slot_of, error);
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
        code = queue_report(q, gemm_open(&q->blas, q->stream, q->blas_memory, GEMM_WORKSPACE),
                            "opening cuBLAS", error);
    if (!code)
        *out = q;
    else
        cuda_queue_close(q);
    return code;
}

void
cuda_queue_close(lode_cuda_queue *q)
{
    if (!q) return;
    void *const there[] = {q->pass,    q->indices,     q->inv_freq,   q->inputs,
                           q->tile,    q->blas_memory, q->hidden,     q->hidden_up,
                           q->outputs, q->starts,      q->slot_token, q->slot_of};

    (void)cuda_use(q->device);
    if (q->stream) (void)cudaStreamSynchronize(q->stream);
    gemm_close(&q->blas);
    for (void *memory : there)
        cuda_release(q->device, memory);
    staging_close(&q->copies);
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

int
cuda_wait(lode_cuda_queue *q, char *error)
{
    cudaError_t status = cuda_use(q->device);
    if (status == cudaSuccess) status = cudaStreamSynchronize(q->stream);
    return queue_report(q, status, "waiting for the GPU", error);
}

/* ---- a pass ---- */

/* Pages of all spans, then of each span where its pages begin, its row, rows and first position, then of each row its
 * span and position: one copy. */
int
cuda_begin_pass(lode_cuda_queue *q, const lode_cuda_span *spans, size_t n_spans, size_t n,
                char *error)
{
    const lode_cuda_sizes *s = &q->sizes;
    size_t n_pages = 0;

    for (size_t i = 0; i < n_spans; i++)
        n_pages += spans[i].n_pages;
    if (n > s->max_rows || n_spans > s->max_spans || n_pages > s->max_pages) {
        snprintf(error, LODE_CUDA_ERROR, "a pass of %zu rows, %zu spans and %zu pages is too large",
                 n, n_spans, n_pages);
        return LODE_CUDA_FAILED;
    }
    uint32_t *pages = q->here, *span = pages + n_pages, *row = span + 4 * n_spans;
    q->longest = q->most = 0;
    for (size_t i = 0, at = 0; i < n_spans; i++) {
        memcpy(pages + at, spans[i].pages, spans[i].n_pages * sizeof *pages);
        span[i] = (uint32_t)at;
        span[n_spans + i] = spans[i].row;
        span[2 * n_spans + i] = spans[i].n;
        span[3 * n_spans + i] = spans[i].first;
        for (uint32_t t = 0; t < spans[i].n; t++) {
            row[spans[i].row + t] = (uint32_t)i;
            row[n + spans[i].row + t] = spans[i].first + t;
        }
        at += spans[i].n_pages;
        if (spans[i].first + spans[i].n > q->longest) q->longest = spans[i].first + spans[i].n;
        if (spans[i].n > q->most) q->most = spans[i].n;
    }
    q->n_spans = n_spans;
    q->n_rows = n;
    q->pages = q->pass;
    q->span_page = q->pass + n_pages;
    q->span_row = q->span_page + n_spans;
    q->span_n = q->span_row + n_spans;
    q->span_first = q->span_n + n_spans;
    q->row_span = q->span_first + n_spans;
    q->row_position = q->row_span + n;
    return cuda_copy_in(q, q->pass, q->here, (n_pages + 4 * n_spans + 2 * n) * sizeof *q->here,
                        error);
}
