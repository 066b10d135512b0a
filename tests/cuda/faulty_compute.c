#include "faulty_compute.h"

#include <stdio.h>

static const lode_cuda_compute *base;
static lode_cuda_compute table;
static unsigned n_calls, failing;

void
faulty_compute_arm(unsigned nth)
{
    n_calls = 0;
    failing = nth;
}

unsigned
faulty_compute_n_calls(void)
{
    return n_calls;
}

static int
fails(char *error)
{
    n_calls++;
    if (failing == 0 || n_calls < failing) return 0;
    snprintf(error, LODE_CUDA_ERROR, "call %u was made to fail", n_calls);
    return 1;
}

#define FAULTY(name, parameters, arguments, code)                                                  \
    static int name parameters                                                                     \
    {                                                                                              \
        return fails(error) ? code : base->name arguments;                                         \
    }

FAULTY(alloc, (lode_cuda_device * device, size_t n_bytes, void **out, char *error),
       (device, n_bytes, out, error), LODE_CUDA_NO_MEMORY)
FAULTY(fill, (lode_cuda_device * device, void *dst, const void *host, size_t n_bytes, char *error),
       (device, dst, host, n_bytes, error), LODE_CUDA_FAILED)
FAULTY(queue_open,
       (lode_cuda_device * device, const lode_cuda_sizes *sizes, lode_cuda_queue **out,
        char *error),
       (device, sizes, out, error), LODE_CUDA_NO_MEMORY)
FAULTY(copy_in, (lode_cuda_queue * q, void *dst, const void *host, size_t n_bytes, char *error),
       (q, dst, host, n_bytes, error), LODE_CUDA_FAILED)
FAULTY(copy_out, (lode_cuda_queue * q, void *host, const void *src, size_t n_bytes, char *error),
       (q, host, src, n_bytes, error), LODE_CUDA_FAILED)
FAULTY(project,
       (lode_cuda_queue * q, const float *x, size_t n, const lode_cuda_product *products,
        size_t n_products, char *error),
       (q, x, n, products, n_products, error), LODE_CUDA_FAILED)
FAULTY(layer_norm,
       (lode_cuda_queue * q, float *x, const float *delta, const float *w, const float *b,
        float eps, size_t n_elems, size_t n, char *error),
       (q, x, delta, w, b, eps, n_elems, n, error), LODE_CUDA_FAILED)
FAULTY(gelu, (lode_cuda_queue * q, float *x, size_t n_elems, size_t n, int by_tanh, char *error),
       (q, x, n_elems, n, by_tanh, error), LODE_CUDA_FAILED)
FAULTY(attend_texts,
       (lode_cuda_queue * q, const float *qkv, const uint32_t *first, size_t n_texts,
        uint32_t n_heads, uint32_t head_dim, int exact, float *out, char *error),
       (q, qkv, first, n_texts, n_heads, head_dim, exact, out, error), LODE_CUDA_FAILED)
FAULTY(pool_texts,
       (lode_cuda_queue * q, const float *x, const uint32_t *first, size_t n_texts, size_t n_elems,
        int mean, int unit, float *out, char *error),
       (q, x, first, n_texts, n_elems, mean, unit, out, error), LODE_CUDA_FAILED)
FAULTY(search,
       (lode_cuda_queue * q, const float *vectors, size_t n, size_t n_elems, const float *queries,
        size_t n_queries, uint32_t k, int64_t *ids, float *scores, char *error),
       (q, vectors, n, n_elems, queries, n_queries, k, ids, scores, error), LODE_CUDA_FAILED)

const lode_cuda_compute *
faulty_compute(const lode_cuda_compute *of)
{
    base = of;
    table = *of;
    table.alloc = alloc;
    table.fill = fill;
    table.queue_open = queue_open;
    table.copy_in = copy_in;
    table.copy_out = copy_out;
    table.project = project;
    table.layer_norm = layer_norm;
    table.gelu = gelu;
    table.attend_texts = attend_texts;
    table.pool_texts = pool_texts;
    table.search = search;
    faulty_compute_arm(0);
    return &table;
}
