/* cuBLAS for row-major matrices; see gemm.h. */
#include "engine/cuda/gemm.h"

#include <climits>
#include <cstdio>
#include <vector>

static cudaError_t
report(gemm_context *g, int status, const char *call)
{
    if (status == CUBLAS_SUCCESS) return cudaSuccess;
    snprintf(g->status, sizeof g->status, "cuBLAS: %s: %s", call, cublas_status_text(status));
    return status == 3 ? cudaErrorMemoryAllocation : cudaErrorLaunchFailure;
}

cudaError_t
gemm_open(gemm_context *g, cudaStream_t stream, void *workspace, size_t n_bytes)
{
    *g = gemm_context();
    g->blas = cublas_open(g->status, sizeof g->status);
    if (!g->blas) return cudaSuccess;
    LODE_TRY(report(g, g->blas->create(&g->handle), "cublasCreate"));
    LODE_TRY(report(g, g->blas->set_stream(g->handle, stream), "cublasSetStream"));
    return report(g, g->blas->set_workspace(g->handle, workspace, n_bytes), "cublasSetWorkspace");
}

void
gemm_close(gemm_context *g)
{
    if (g->handle) (void)g->blas->destroy(g->handle);
    *g = gemm_context();
}

/* Column-major, the memory of y is y^T [n_out, n] = w^T' x^T: w is [n_in, n_out] there and transposed, x [n_in, n]. */
cudaError_t
gemm(gemm_context *g, cublas_type type, const void *w, const void *x, float *y, size_t ldy,
     size_t n_out, size_t n_in, size_t n)
{
    const float one = 1.0f, zero = 0.0f;

    if (n_out == 0 || n == 0) return cudaSuccess;
    if (n_out > INT_MAX || n_in > INT_MAX || n > INT_MAX || ldy > INT_MAX || ldy < n_out)
        return cudaErrorInvalidValue;
    return report(g,
                  g->blas->gemm_ex(g->handle, CUBLAS_T, CUBLAS_N, (int)n_out, (int)n, (int)n_in,
                                   &one, w, type, (int)n_in, x, type, (int)n_in, &zero, y,
                                   CUBLAS_R_32F, (int)ldy, CUBLAS_COMPUTE_32F_ACCUMULATE,
                                   CUBLAS_DEFAULT_ALGORITHM),
                  "cublasGemmEx");
}

cudaError_t
gemm_grouped(gemm_context *g, const void *const *pointers, const int *counts, size_t n_groups,
             size_t n_out, size_t n_in)
{
    if (n_groups == 0 || n_out == 0) return cudaSuccess;
    if (n_out > INT_MAX || n_in > INT_MAX || n_groups > INT_MAX) return cudaErrorInvalidValue;
    const std::vector<cublas_operation> transposed(n_groups, CUBLAS_T), as_is(n_groups, CUBLAS_N);
    const std::vector<int> outs(n_groups, (int)n_out), ins(n_groups, (int)n_in), one(n_groups, 1);
    const std::vector<float> ones(n_groups, 1.0f), zeros(n_groups, 0.0f);

    return report(g,
                  g->blas->gemm_grouped_batched_ex(
                      g->handle, transposed.data(), as_is.data(), outs.data(), counts, ins.data(),
                      ones.data(), pointers, CUBLAS_R_32F, ins.data(), pointers + n_groups,
                      CUBLAS_R_32F, ins.data(), zeros.data(),
                      const_cast<void *const *>(pointers + 2 * n_groups), CUBLAS_R_32F, outs.data(),
                      (int)n_groups, one.data(), CUBLAS_COMPUTE_32F_ACCUMULATE),
                  "cublasGemmGroupedBatchedEx");
}
