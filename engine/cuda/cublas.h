/* The few functions of cuBLAS that lode calls, found at run time: a machine with a driver and without cuBLAS still
 * loads the plug-in and is told what is missing. The numbers are those of cuBLAS 12 and 13's ABI, so building
 * needs no header of it (the library with its headers is 600 MB).
 *
 * Matrices are column-major, as BLAS has them: a row-major C [m, n] = A [m, k] B [k, n] is the column-major product
 * C^T = B^T A^T of the same memory.
 * Source: the cuBLAS documentation, "cublasGemmEx", "cublasGemmGroupedBatchedEx". */
#ifndef LODE_CUDA_CUBLAS_H
#define LODE_CUDA_CUBLAS_H

#include "engine/cuda/device.h"

typedef struct cublas_context *cublas_handle;

enum { CUBLAS_SUCCESS = 0, CUBLAS_NOT_SUPPORTED = 15 };
enum cublas_operation { CUBLAS_N = 0, CUBLAS_T = 1 };
/* cudaDataType's numbers */
enum cublas_type { CUBLAS_R_32F = 0, CUBLAS_R_16F = 2, CUBLAS_R_16BF = 14 };
enum { CUBLAS_COMPUTE_32F_ACCUMULATE = 68 };
enum { CUBLAS_DEFAULT_ALGORITHM = -1 };

/* Status codes are int; alpha and beta point at one float of the host. */
struct lode_cublas {
    int (*create)(cublas_handle *handle);
    int (*destroy)(cublas_handle handle);
    int (*get_version)(cublas_handle handle, int *version);
    int (*set_stream)(cublas_handle handle, cudaStream_t stream);
    /* 256-byte aligned device memory that the caller owns: needed before a capture into a graph */
    int (*set_workspace)(cublas_handle handle, void *workspace, size_t n_bytes);
    int (*gemm_ex)(cublas_handle handle, cublas_operation op_a, cublas_operation op_b, int m, int n,
                   int k, const void *alpha, const void *a, cublas_type type_a, int lda,
                   const void *b, cublas_type type_b, int ldb, const void *beta, void *c,
                   cublas_type type_c, int ldc, int compute, int algorithm);
    /* NULL before cuBLAS 12.5. Shapes, op, ld, alpha and beta: host arrays of one entry per group; a, b, c: device
     * arrays of pointers, group after group. */
    int (*gemm_grouped_batched_ex)(cublas_handle handle, const cublas_operation *op_a,
                                   const cublas_operation *op_b, const int *m, const int *n,
                                   const int *k, const void *alpha, const void *const *a,
                                   cublas_type type_a, const int *lda, const void *const *b,
                                   cublas_type type_b, const int *ldb, const void *beta,
                                   void *const *c, cublas_type type_c, const int *ldc, int n_groups,
                                   const int *group_size, int compute);
};

/* The library, opened once; NULL with a line for people in `reason` [size] when the machine has none. Thread-safe. */
const lode_cublas *cublas_open(char *reason, size_t size);
const char *cublas_status_text(int status);

#endif
