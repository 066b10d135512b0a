/* Exact search among vectors in a GPU's memory. The device's sums find a few more than are asked for; those are scored
 * again here, in double, and put in order: what comes out does not depend on how a card adds up, nor on the batch. */
#include "engine/device.h"
#include "engine/model.h"

#include <math.h>
#include <stdlib.h>

#define MARGIN  32  /* found beyond k: float sums may put neighbours the wrong way round */
#define QUERIES 256 /* of one call of the device */

struct engine_vectors {
    engine_device *device;
    const lode_cuda_compute *compute;
    lode_cuda_queue *queue;
    GMutex mutex;      /* the queue */
    const float *here; /* borrowed */
    float *there;      /* [n, n_dims] */
    size_t n, n_dims;
    char message[LODE_CUDA_ERROR];
};

engine_vectors *
engine_vectors_new(const engine_model *model, const float *vectors, size_t n, size_t n_dims,
                   GError **error)
{
    const lode_cuda_sizes sizes = {
        .max_rows = QUERIES, .max_in = (uint32_t)n_dims, .max_weights = G_MAXUINT64};
    size_t n_bytes;

    if (!model->device || n == 0 || n_dims == 0 || n_dims > G_MAXINT32 ||
        !g_size_checked_mul(&n_bytes, n, n_dims) ||
        !g_size_checked_mul(&n_bytes, n_bytes, sizeof(float))) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_ARGUMENT, "%s: no GPU to search with",
                    model->info.name);
        return NULL;
    }
    g_autoptr(engine_vectors) v = g_new0(engine_vectors, 1);
    void *memory = NULL;
    g_mutex_init(&v->mutex);
    v->device = engine_device_ref(model->device);
    v->compute = engine_device_compute(v->device);
    v->here = vectors;
    v->n = n;
    v->n_dims = n_dims;
    lode_cuda_device *handle = engine_device_handle(v->device);
    int code = v->compute->alloc(handle, n_bytes, &memory, v->message);
    v->there = memory;
    if (!code) code = v->compute->fill(handle, v->there, vectors, n_bytes, v->message);
    if (!code) code = v->compute->queue_open(handle, &sizes, &v->queue, v->message);
    if (!code) return g_steal_pointer(&v);
    engine_device_set_error(error, code, v->message);
    return NULL;
}

void
engine_vectors_free(engine_vectors *v)
{
    if (!v) return;
    if (v->queue) v->compute->queue_close(v->queue);
    if (v->there) v->compute->release(engine_device_handle(v->device), v->there);
    engine_device_unref(v->device);
    g_mutex_clear(&v->mutex);
    g_free(v);
}

typedef struct {
    double score;
    int64_t id;
} candidate;

static int
best_first(const void *a, const void *b)
{
    const candidate *x = a, *y = b;

    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static void
put_in_order(const engine_vectors *v, const float *query, const int64_t *found, size_t n_found,
             candidate *list, size_t k, int64_t *ids, float *scores)
{
    size_t n = 0;

    for (size_t i = 0; i < n_found; i++) {
        if (found[i] < 0 || (uint64_t)found[i] >= v->n) continue;
        const float *vector = v->here + (size_t)found[i] * v->n_dims;
        double sum = 0.0;
        for (size_t j = 0; j < v->n_dims; j++)
            sum += (double)query[j] * (double)vector[j];
        list[n++] = (candidate){sum, found[i]};
    }
    qsort(list, n, sizeof *list, best_first);
    for (size_t i = 0; i < k; i++) {
        ids[i] = i < n ? list[i].id : -1;
        scores[i] = i < n ? (float)list[i].score : -INFINITY;
    }
}

gboolean
engine_vectors_search(engine_vectors *v, const float *queries, size_t n_queries, size_t k,
                      int64_t *ids, float *scores, GError **error)
{
    const size_t most = MIN(k + MARGIN, v->n), n_each = MIN(n_queries, QUERIES);
    g_autofree int64_t *found = g_try_new(int64_t, n_each * most);
    g_autofree float *sums = g_try_new(float, n_each *most);
    g_autofree candidate *list = g_try_new(candidate, most);
    int code = LODE_CUDA_OK;

    if (k == 0 || n_queries == 0) return TRUE;
    if (!found || !sums || !list || most > G_MAXUINT32) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_LIMIT, "no memory to search for %zu vectors",
                    k);
        return FALSE;
    }
    g_mutex_lock(&v->mutex);
    for (size_t done = 0; !code && done < n_queries; done += n_each) {
        const size_t n = MIN(n_each, n_queries - done);
        const float *some = queries + done * v->n_dims;
        code = v->compute->search(v->queue, v->there, v->n, v->n_dims, some, n, (uint32_t)most,
                                  found, sums, v->message);
        for (size_t i = 0; !code && i < n; i++)
            put_in_order(v, some + i * v->n_dims, found + i * most, most, list, k,
                         ids + (done + i) * k, scores + (done + i) * k);
    }
    if (code) engine_device_set_error(error, code, v->message);
    g_mutex_unlock(&v->mutex);
    return code == LODE_CUDA_OK;
}
