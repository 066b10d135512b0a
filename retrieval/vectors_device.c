/* Exact search by a GPU, which may refuse, fill up or fail: a library is searched all the same. */
#include "retrieval/vectors_device.h"

struct retrieval_vectors_device {
    GMutex mutex;            /* the next two */
    engine_vectors *vectors; /* NULL: see reason; else it stays until this is freed */
    char *reason;            /* why the GPU is not asked; NULL: it is */
};

retrieval_vectors_device *
retrieval_vectors_device_new(const engine_model *model, const float *values, size_t n,
                             uint32_t n_dims)
{
    retrieval_vectors_device *device = g_new0(retrieval_vectors_device, 1);
    g_autoptr(GError) failure = NULL;
    g_mutex_init(&device->mutex);
    device->vectors = engine_vectors_new(model, values, n, n_dims, &failure);
    if (failure) device->reason = g_strdup(failure->message);
    return device;
}

void
retrieval_vectors_device_free(retrieval_vectors_device *device)
{
    if (!device) return;
    engine_vectors_free(device->vectors);
    g_free(device->reason);
    g_mutex_clear(&device->mutex);
    g_free(device);
}

static gboolean
is_asked(retrieval_vectors_device *device)
{
    g_mutex_lock(&device->mutex);
    const gboolean asked = device->vectors && !device->reason;
    g_mutex_unlock(&device->mutex);
    return asked;
}

gboolean
retrieval_vectors_device_find(retrieval_vectors_device *device, const float *query, size_t k,
                              int64_t *rows, float *scores)
{
    g_autoptr(GError) failure = NULL;
    if (!is_asked(device)) return FALSE;
    if (engine_vectors_search(device->vectors, query, 1, k, rows, scores, &failure)) return TRUE;
    /* this one asks for too many: the next may not */
    if (g_error_matches(failure, ENGINE_ERROR, ENGINE_ERROR_UNSUPPORTED)) return FALSE;
    g_mutex_lock(&device->mutex);
    if (!device->reason) device->reason = g_strdup(failure->message);
    g_mutex_unlock(&device->mutex);
    return FALSE;
}

char *
retrieval_vectors_device_reason(retrieval_vectors_device *device)
{
    g_mutex_lock(&device->mutex);
    char *reason = g_strdup(device->reason);
    g_mutex_unlock(&device->mutex);
    return reason;
}
