/* Products of matrices by cuBLAS: 16-bit inputs (or floats), sums in float32, on tensor cores. Row-major:
 *   y [n, n_out] = x [n, n_in] w [n_out, n_in]^T    y in float32, rows ldy apart
 * Source: the cuBLAS documentation, "cublasGemmEx". */
#ifndef LODE_CUDA_GEMM_H
#define LODE_CUDA_GEMM_H

#include "engine/cuda/cublas.h"

struct gemm_context {
    const lode_cublas *blas; /* NULL: the machine has none, gemm_available is false */
    cublas_handle handle;
    char status[128]; /* of the last call that failed */
};

/* workspace in device memory, the caller's: 32 MiB are what cuBLAS recommends for its fastest ways. Without cuBLAS it
 * is no failure. */
cudaError_t gemm_open(gemm_context *g, cudaStream_t stream, void *workspace, size_t n_bytes);
void gemm_close(gemm_context *g);

static inline bool
gemm_available(const gemm_context *g)
{
    return g->handle != NULL;
}

/* type: of w and x alike. */
cudaError_t gemm(gemm_context *g, cublas_type type, const void *w, const void *x, float *y,
                 size_t ldy, size_t n_out, size_t n_in, size_t n);

/* Whether gemm_grouped may be called: cuBLAS has it from 12.5 on. */
static inline bool
gemm_grouped_available(const gemm_context *g)
{
    return gemm_available(g) && g->blas->gemm_grouped_batched_ex;
}

/* Floats by n_groups matrices of floats in one call: y_i [counts [i], n_out] = x_i [counts [i], n_in] w_i [n_out, n_in]^T,
 * all contiguous. pointers [3 n_groups] in device memory: every w_i, every x_i, every y_i. counts [n_groups]: host.
 * Of floats only: the call writes results of its inputs' type, so that sums of 16-bit numbers would be rounded to them. */
cudaError_t gemm_grouped(gemm_context *g, const void *const *pointers, const int *counts,
                         size_t n_groups, size_t n_out, size_t n_in);

#endif
