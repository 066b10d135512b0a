/* A queue: the streams and scratch memory of whoever runs passes on a device. */
#ifndef LODE_CUDA_QUEUE_H
#define LODE_CUDA_QUEUE_H

#include "engine/cuda/gemm.h"
#include "engine/cuda/kernels.h"
#include "engine/cuda/memory.h"

/* Of expanded weights at most, and of cuBLAS's workspace: less where all matrices are smaller. */
#define QUEUE_TILE_BYTES ((size_t)32 << 20)

struct lode_cuda_queue {
    lode_cuda_device *device;
    lode_cuda_sizes sizes;
    int capability;      /* 80: compute capability 8.0 */
    cudaStream_t stream; /* everything below runs in it, in order */
    staging copies; /* on the same stream: what is copied in is seen by what is asked for next */
    /* what is brought beside the work; opened when it is first used */
    cudaStream_t side;
    staging side_copies;
    cudaEvent_t asked, brought; /* of the work, of the side */
    gemm_context blas;
    unsigned char *blas_memory; /* [tile_bytes] */
    unsigned char *tile;        /* [tile_bytes] expanded weights */
    size_t tile_bytes;
    unsigned char
        *inputs; /* [max_rows or max_slots, max_in] in 16 bits or floats: inputs of cuBLAS */

    /* experts: slots are (token, choice) pairs, places those sorted by expert */
    float *hidden, *hidden_up; /* [max_slots, 2 max_ff], [max_slots, max_ff] */
    float *outputs;            /* [max_slots, n_embd] */
    uint32_t *starts;          /* [max_experts + 1] */
    uint32_t *place_row;       /* [max_slots] the token of a place */
    uint32_t *place_of;        /* [max_slots] the place of a slot */
    const void **pointers; /* [3 max_experts] matrices, inputs and results of a grouped product */

    float *partials; /* of attention */
    float *
        wedges; /* [max_rows, delta_heads, CUDA_DELTA_CHUNK] of the delta rule; NULL: passes are too short */

    /* the pass at hand: spans, the span of each row, page numbers; one piece of memory */
    uint32_t *words; /* there */
    uint32_t *here;  /* its copy in host memory */
    cuda_pass pass;

    uint32_t *indices; /* [max_rows + 1] tokens, rows or texts of the call at hand */
    float *inv_freq;   /* [256] of the tables at hand */
};

struct lode_cuda_graph {
    cudaGraphExec_t exec;
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
int cuda_bring(lode_cuda_queue *q, void *dst, const void *host, size_t n_bytes, char *error);
int cuda_brought(lode_cuda_queue *q, char *error);
int cuda_graph_begin(lode_cuda_queue *q, char *error);
int cuda_graph_end(lode_cuda_queue *q, lode_cuda_graph **out, char *error);
int cuda_graph_launch(lode_cuda_queue *q, lode_cuda_graph *graph, char *error);
void cuda_graph_free(lode_cuda_queue *q, lode_cuda_graph *graph);

#endif
