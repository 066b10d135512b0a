/* cuBLAS on a CPU: the checks that the library makes, and those that it leaves to the caller (that the matrices lie
 * within one allocation of the device, that tensor cores can be used), over a plain product: inputs as they are stored,
 * sums in float. It runs on its stream when its turn comes, as everything else does. */
#include "internal.h"

#include "engine/cuda/cublas.h"

#include <algorithm>
#include <cstdio>
#include <utility>
#include <vector>

struct cublas_context {
    cudaStream_t stream;
    bool workspace;
};

#define INVALID 7

static bool missing;
static uint64_t n_grouped; /* calls */

/* One product of a batch, pointers still to be resolved. */
struct product {
    cublas_operation op_a, op_b;
    int m, n, k, lda, ldb, ldc;
    float alpha, beta;
    cublas_type type_a, type_b, type_c;
};

/* Factors are floats in host memory; of a group, one each. */
static product
make_product(cublas_operation op_a, cublas_operation op_b, int m, int n, int k, int lda, int ldb,
             int ldc, const void *alpha, const void *beta, int group, cublas_type type_a,
             cublas_type type_b, cublas_type type_c)
{
    return {op_a,
            op_b,
            m,
            n,
            k,
            lda,
            ldb,
            ldc,
            static_cast<const float *>(alpha)[group],
            static_cast<const float *>(beta)[group],
            type_a,
            type_b,
            type_c};
}

static size_t
width(cublas_type type)
{
    return type == CUBLAS_R_32F ? 4 : 2;
}

static float
load(const void *p, cublas_type type, size_t i)
{
    if (type == CUBLAS_R_16F) return static_cast<const __half *>(p)[i];
    if (type == CUBLAS_R_16BF) return static_cast<const __nv_bfloat16 *>(p)[i];
    return static_cast<const float *>(p)[i];
}

static void
store(void *p, cublas_type type, size_t i, float value)
{
    if (type == CUBLAS_R_16F)
        static_cast<__half *>(p)[i] = __half(value);
    else if (type == CUBLAS_R_16BF)
        static_cast<__nv_bfloat16 *>(p)[i] = __nv_bfloat16(value);
    else
        static_cast<float *>(p)[i] = value;
}

static void
run(const product &p, const void *a, const void *b, void *c)
{
    for (int j = 0; j < p.n; j++)
        for (int i = 0; i < p.m; i++) {
            float sum = 0.0f;
            for (int l = 0; l < p.k; l++) {
                const size_t at_a = p.op_a == CUBLAS_N ? (size_t)l * (size_t)p.lda + (size_t)i
                                                       : (size_t)i * (size_t)p.lda + (size_t)l;
                const size_t at_b = p.op_b == CUBLAS_N ? (size_t)j * (size_t)p.ldb + (size_t)l
                                                       : (size_t)l * (size_t)p.ldb + (size_t)j;
                sum = std::fma(load(a, p.type_a, at_a), load(b, p.type_b, at_b), sum);
            }
            const size_t at = (size_t)j * (size_t)p.ldc + (size_t)i;
            /* beta 0 does not read c, which may hold anything */
            store(c, p.type_c, at,
                  p.alpha * sum + (p.beta != 0.0f ? p.beta * load(c, p.type_c, at) : 0.0f));
        }
}

/* As cuBLAS does it: a status. */
static int
check_shape(const product &p)
{
    if (p.m < 0 || p.n < 0 || p.k < 0) return INVALID;
    if (p.lda < std::max(1, p.op_a == CUBLAS_N ? p.m : p.k)) return INVALID;
    if (p.ldb < std::max(1, p.op_b == CUBLAS_N ? p.k : p.n)) return INVALID;
    if (p.ldc < std::max(1, p.m)) return INVALID;
    if (p.type_a != p.type_b) return CUBLAS_NOT_SUPPORTED;
    if (p.type_c != CUBLAS_R_32F && p.type_c != p.type_a) return CUBLAS_NOT_SUPPORTED;
    if (p.type_a == CUBLAS_R_16BF && emulation_now()->compute_capability < 80)
        return CUBLAS_NOT_SUPPORTED;
    return CUBLAS_SUCCESS;
}

/* What it does not: the whole of a matrix lies in one allocation, and is aligned to its elements. */
static bool
check_matrix(const char *call, char name, const void *memory, int rows, int columns, int ld,
             cublas_type type)
{
    char text[256];
    if (rows == 0 || columns == 0) return true;
    const size_t n_bytes = ((size_t)(columns - 1) * (size_t)ld + (size_t)rows) * width(type);

    if (reinterpret_cast<uintptr_t>(memory) % width(type) != 0)
        snprintf(text, sizeof text, "%s: %c is not aligned to its elements", call, name);
    else if (!emulation_is_device(memory, n_bytes))
        snprintf(text, sizeof text,
                 "%s: %c (%d x %d, leading dimension %d, %zu bytes) is not within "
                 "one allocation of the device",
                 call, name, rows, columns, ld, n_bytes);
    else
        return true;
    emulation_fault_found(text);
    return false;
}

static bool
check_matrices(const char *call, const product &p, const void *a, const void *b, const void *c)
{
    const bool na = p.op_a == CUBLAS_N, nb = p.op_b == CUBLAS_N;

    return check_matrix(call, 'A', a, na ? p.m : p.k, na ? p.k : p.m, p.lda, p.type_a) &&
           check_matrix(call, 'B', b, nb ? p.k : p.n, nb ? p.n : p.k, p.ldb, p.type_b) &&
           check_matrix(call, 'C', c, p.m, p.n, p.ldc, p.type_c);
}

static int
check_call(const char *call, cublas_handle h, int compute)
{
    char text[160];

    if (!h) return 1;
    if (compute != CUBLAS_COMPUTE_32F_ACCUMULATE) return CUBLAS_NOT_SUPPORTED;
    cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
    cudaStreamIsCapturing(h->stream, &status);
    if (status != cudaStreamCaptureStatusNone && !h->workspace) {
        snprintf(text, sizeof text, "%s: captured into a graph without a workspace of the caller's",
                 call);
        emulation_fault_found(text);
        return 14;
    }
    return CUBLAS_SUCCESS;
}

static int
queue(cublas_handle h, std::function<void()> work)
{
    return emulation_enqueue(h->stream, std::move(work)) == cudaSuccess ? CUBLAS_SUCCESS : 13;
}

static int
create(cublas_handle *handle)
{
    const emulation_lock lock;
    int n_devices;

    if (cudaGetDeviceCount(&n_devices) != cudaSuccess) return 1;
    *handle = new cublas_context{NULL, false};
    return CUBLAS_SUCCESS;
}

static int
destroy(cublas_handle handle)
{
    delete handle;
    return CUBLAS_SUCCESS;
}

static int
get_version(cublas_handle, int *version)
{
    *version = 130100;
    return CUBLAS_SUCCESS;
}

static int
set_stream(cublas_handle handle, cudaStream_t stream)
{
    if (!handle) return 1;
    handle->stream = stream;
    handle->workspace = false; /* as the library has it: back to its own pool */
    return CUBLAS_SUCCESS;
}

static int
set_workspace(cublas_handle handle, void *workspace, size_t n_bytes)
{
    const emulation_lock lock;

    if (!handle) return 1;
    if (n_bytes && (reinterpret_cast<uintptr_t>(workspace) % 256 != 0 ||
                    !emulation_is_device(workspace, n_bytes)))
        return INVALID;
    handle->workspace = n_bytes > 0;
    return CUBLAS_SUCCESS;
}

static int
gemm_ex(cublas_handle h, cublas_operation op_a, cublas_operation op_b, int m, int n, int k,
        const void *alpha, const void *a, cublas_type type_a, int lda, const void *b,
        cublas_type type_b, int ldb, const void *beta, void *c, cublas_type type_c, int ldc,
        int compute, int)
{
    const emulation_lock lock;
    const product p =
        make_product(op_a, op_b, m, n, k, lda, ldb, ldc, alpha, beta, 0, type_a, type_b, type_c);
    int status = check_call("cublasGemmEx", h, compute);

    if (status == CUBLAS_SUCCESS) status = check_shape(p);
    if (status != CUBLAS_SUCCESS) return status;
    if (!check_matrices("cublasGemmEx", p, a, b, c)) return INVALID;
    return queue(h, [=]() { run(p, a, b, c); });
}

static const char grouped[] = "cublasGemmGroupedBatchedEx";

/* Results of one call that overlap have no order. */
static bool
check_apart(const std::vector<product> &products, void *const *c)
{
    std::vector<std::pair<uintptr_t, uintptr_t>> results;

    for (size_t i = 0; i < products.size(); i++) {
        const product &p = products[i];
        if (p.m == 0 || p.n == 0) continue;
        const size_t n = (size_t)(p.n - 1) * (size_t)p.ldc + (size_t)p.m;
        const uintptr_t at = reinterpret_cast<uintptr_t>(c[i]);
        results.push_back({at, at + n * width(p.type_c)});
    }
    std::sort(results.begin(), results.end());
    for (size_t i = 1; i < results.size(); i++)
        if (results[i].first < results[i - 1].second) {
            char text[128];
            snprintf(text, sizeof text, "%s: two products write the same memory", grouped);
            emulation_fault_found(text);
            return false;
        }
    return true;
}

/* Products whose pointers lie in device memory: they are looked at when their turn comes. */
static int
queue_products(cublas_handle h, const std::vector<product> &products, const void *const *a,
               const void *const *b, void *const *c)
{
    const size_t n_bytes = products.size() * sizeof(void *);

    if (products.empty()) return CUBLAS_SUCCESS;
    if (!emulation_is_device(a, n_bytes) || !emulation_is_device(b, n_bytes) ||
        !emulation_is_device(c, n_bytes)) {
        char text[128];
        snprintf(text, sizeof text, "%s: the arrays of pointers are not on the device", grouped);
        emulation_fault_found(text);
        return INVALID;
    }
    return queue(h, [=]() {
        if (!check_apart(products, c)) return;
        for (size_t i = 0; i < products.size(); i++)
            if (check_matrices(grouped, products[i], a[i], b[i], c[i]))
                run(products[i], a[i], b[i], c[i]);
    });
}

static int
gemm_grouped_batched_ex(cublas_handle h, const cublas_operation *op_a, const cublas_operation *op_b,
                        const int *m, const int *n, const int *k, const void *alpha,
                        const void *const *a, cublas_type type_a, const int *lda,
                        const void *const *b, cublas_type type_b, const int *ldb, const void *beta,
                        void *const *c, cublas_type type_c, const int *ldc, int n_groups,
                        const int *group_size, int compute)
{
    const emulation_lock lock;
    int status = check_call(grouped, h, compute);
    std::vector<product> products;

    if (status != CUBLAS_SUCCESS) return status;
    /* unlike the others it writes what it reads: half to half, bfloat16 to bfloat16, float to float */
    if (type_c != type_a) return CUBLAS_NOT_SUPPORTED;
    for (int g = 0; g < n_groups; g++) {
        const product p = make_product(op_a[g], op_b[g], m[g], n[g], k[g], lda[g], ldb[g], ldc[g],
                                       alpha, beta, g, type_a, type_b, type_c);
        status = check_shape(p);
        if (status != CUBLAS_SUCCESS) return status;
        if (group_size[g] < 0) return INVALID;
        products.insert(products.end(), (size_t)group_size[g], p);
    }
    n_grouped++;
    return queue_products(h, products, a, b, c);
}

static const lode_cublas table = {
    create, destroy, get_version, set_stream, set_workspace, gemm_ex, gemm_grouped_batched_ex,
};

uint64_t
emulation_n_grouped()
{
    const emulation_lock lock;
    return n_grouped;
}

const lode_cublas *
emulation_cublas(void)
{
    return missing ? NULL : &table;
}

void
emulation_without_cublas(bool is_missing)
{
    missing = is_missing;
}
