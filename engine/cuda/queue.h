/* A queue: the streams and scratch memory of whoever runs passes on a device. */
#ifndef LODE_CUDA_QUEUE_H
#define LODE_CUDA_QUEUE_H

#include "engine/cuda/gemm.h"
#include "engine/cuda/memory.h"

/* Elements of a tile of expanded weights: as many rows as that holds are multiplied at once. */
#define QUEUE_TILE_BYTES ((size_t)32 << 20)

struct lode_cuda_queue {
    lode_cuda_device *device;
    lode_cuda_sizes sizes;
    int capability;      /* 80: compute capability 8.0 */
    cudaStream_t stream; /* everything below runs in it, in order */
    staging copies; /* on the same stream: what is copied in is seen by what is asked for next */
    gemm_context blas;
    unsigned char *blas_memory; /* [GEMM_WORKSPACE] */
    unsigned char *tile;        /* [QUEUE_TILE_BYTES] expanded weights */
    unsigned char
        *inputs; /* [max_rows or max_slots, max_in] in 16 bits or floats: inputs of cuBLAS */

    /* experts: slots are (token, choice) pairs, sorted by expert */
    float *hidden, *hidden_up; /* [max_slots, max_ff] */
    float *outputs;            /* [max_slots, n_embd] */
    uint32_t *starts;          /* [max_experts + 1] */
    uint32_t *slot_token;      /* [max_slots] the token of a slot */
    uint32_t *slot_of;         /* [max_slots] the slot of a choice */

    /* the pass at hand: one piece of memory, and where its parts begin */
    uint32_t *pass;
    const uint32_t *pages;                          /* of all spans, one behind the other */
    const uint32_t *span_page;                      /* [n_spans] where a span's begin in pages */
    const uint32_t *span_row, *span_n, *span_first; /* [n_spans] as lode_cuda_span */
    const uint32_t *row_span;                       /* [n_rows] which span a row belongs to */
    const uint32_t *row_position;                   /* [n_rows] */
    uint32_t *here;                                 /* its copy in host memory */
    size_t n_spans, n_rows;
    uint32_t longest; /* positions of the longest sequence, its rows included */
    uint32_t most;    /* rows of the longest span */

    uint32_t *indices; /* [max_rows] tokens or rows of the call at hand */
    float *inv_freq;   /* [256] of the tables at hand */
};

/* A message, as cuda_report; cuBLAS's own where it was that. */
int queue_report(lode_cuda_queue *q, cudaError_t status, const char *what, char *error);

/* compute.h's functions */
int cuda_queue_open(lode_cuda_device *device, const lode_cuda_sizes *sizes, lode_cuda_queue **out,
                    char *error);
void cuda_queue_close(lode_cuda_queue *q);
int cuda_copy_in(lode_cuda_queue *q, void *dst, const void *host, size_t n_bytes, char *error);
int cuda_copy_out(lode_cuda_queue *q, void *host, const void *src, size_t n_bytes, char *error);
int cuda_copy(lode_cuda_queue *q, void *dst, const void *src, size_t n_bytes, char *error);
int cuda_clear(lode_cuda_queue *q, void *dst, size_t n_bytes, char *error);
int cuda_wait(lode_cuda_queue *q, char *error);
int cuda_begin_pass(lode_cuda_queue *q, const lode_cuda_span *spans, size_t n_spans, size_t n,
                    char *error);

#endif
