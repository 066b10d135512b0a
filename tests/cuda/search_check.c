#include "search_check.h"

#include "engine/device.h"
#include "engine/model.h"

#include <faiss/c_api/IndexFlat_c.h>
#include <faiss/c_api/Index_c.h>

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static float *
unit_vectors(GRand *random, size_t n, size_t n_dims)
{
    float *out = g_new(float, n *n_dims);

    for (size_t i = 0; i < n; i++) {
        double sum = 0.0;
        for (size_t j = 0; j < n_dims; j++) {
            out[i * n_dims + j] = (float)g_rand_double_range(random, -1.0, 1.0);
            sum += (double)out[i * n_dims + j] * (double)out[i * n_dims + j];
        }
        for (size_t j = 0; j < n_dims; j++)
            out[i * n_dims + j] /= (float)sqrt(sum);
    }
    return out;
}

void
search_check(const lode_cuda_compute *compute, size_t n, size_t n_dims, size_t n_queries, size_t k)
{
    g_autoptr(GError) error = NULL;
    GRand *random = g_rand_new_with_seed(7);
    g_autofree float *vectors = unit_vectors(random, n, n_dims),
                     *queries = unit_vectors(random, n_queries, n_dims),
                     *scores = g_new(float, n_queries *k), *expected = g_new(float, n_queries *k);
    g_autofree int64_t *ids = g_new(int64_t, n_queries * k);
    g_autofree idx_t *labels = g_new(idx_t, n_queries * k);
    engine_model model = {.info = {.name = "vectors"}};
    FaissIndexFlatIP *index = NULL;

    assert_null(engine_vectors_new(&model, vectors, n, n_dims, &error)); /* no device */
    assert_int_equal(error->code, ENGINE_ERROR_ARGUMENT);
    g_clear_error(&error);
    model.device = engine_device_open(compute, 0, 0, &error);
    assert_non_null(model.device);
    g_autoptr(engine_vectors) there = engine_vectors_new(&model, vectors, n, n_dims, &error);
    if (!there) fail_msg("%s", error->message);
    assert_true(engine_vectors_search(there, queries, n_queries, k, ids, scores, &error));

    assert_int_equal(faiss_IndexFlatIP_new_with(&index, (idx_t)n_dims), 0);
    assert_int_equal(faiss_Index_add(index, (idx_t)n, vectors), 0);
    assert_int_equal(
        faiss_Index_search(index, (idx_t)n_queries, queries, (idx_t)k, expected, labels), 0);
    for (size_t i = 0; i < n_queries * k; i++) {
        if (ids[i] != labels[i])
            fail_msg("rank %zu of query %zu: %" G_GINT64_FORMAT " instead of %" G_GINT64_FORMAT,
                     i % k, i / k, (gint64)ids[i], (gint64)labels[i]);
        if (labels[i] >= 0) assert_true(fabsf(scores[i] - expected[i]) <= 1e-5f);
    }
    faiss_Index_free(index);
    g_clear_pointer(&there, engine_vectors_free);
    engine_device_unref(model.device);
    g_rand_free(random);
}
