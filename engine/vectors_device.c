/* Exact search among vectors in a GPU's memory. The device's sums find a few more than are asked for; those are scored
 * again here, in double, and put in order: what comes out does not depend on how a card adds up, nor on the batch. Where
 * the last that was found is as good as the k-th within the error of such sums, more are asked for: what was left out
 * can then not belong among the best. */
#include "engine/device.h"
#include "engine/model.h"

#include <float.h>
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
    double longest; /* of the vectors */
    char message[LODE_CUDA_ERROR];
};

static double
product(const float *a, const float *b, size_t n)
{
    double sum = 0.0;

    for (size_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

static double
longest_of(const float *vectors, size_t n, size_t n_dims)
{
    double most = 0.0;

    for (size_t i = 0; i < n; i++)
        most = fmax(most, product(vectors + i * n_dims, vectors + i * n_dims, n_dims));
    return sqrt(most);
}

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
    v->longest = longest_of(vectors, n, n_dims);
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
        const double score = product(query, vector, v->n_dims);
        if (!isnan(score)) list[n++] = (candidate){score, found[i]};
    }
    qsort(list, n, sizeof *list, best_first);
    for (size_t i = 0; i < k; i++) {
        ids[i] = i < n ? list[i].id : -1;
        scores[i] = i < n ? (float)list[i].score : -INFINITY;
    }
}

/* Buffers of one call of the device, for n_each queries. */
typedef struct {
    int64_t *found; /* [n_each, most] */
    float *sums;
    candidate *list;        /* [most] */
    size_t most;            /* found of each query */
    size_t n_found, n_list; /* elements there is room for */
} search_room;

static void
clear_room(search_room *room)
{
    g_free(room->found);
    g_free(room->sums);
    g_free(room->list);
    *room = (search_room){0};
}

/* What room there is stays when it is enough: most searches take memory once. */
static gboolean
make_room(search_room *room, size_t n_each, size_t most, GError **error)
{
    size_t n = 0;
    const gboolean countable = most <= G_MAXUINT32 && g_size_checked_mul(&n, n_each, most);

    if (countable && (n > room->n_found || most > room->n_list)) {
        clear_room(room);
        room->found = g_try_new(int64_t, n);
        room->sums = g_try_new(float, n);
        room->list = g_try_new(candidate, most);
        room->n_found = n;
        room->n_list = most;
    }
    room->most = most;
    if (countable && room->found && room->sums && room->list) return TRUE;
    g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_LIMIT, "no memory to search for %zu vectors",
                most);
    return FALSE;
}

/* Could one that was not found be better than the k-th? A sum of n float products is off by n roundings of the vectors'
 * lengths at most (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1), either way. */
static gboolean
is_close(const engine_vectors *v, const float *query, const float *sums, size_t most, size_t k)
{
    if (most == v->n) return FALSE;
    const double error =
        (double)v->n_dims * FLT_EPSILON * v->longest * sqrt(product(query, query, v->n_dims));
    return !((double)sums[most - 1] + 2.0 * error < (double)sums[k - 1]);
}

/* Queries [n] in one call of the device, and further ones while it is close. */
static gboolean
search_some(engine_vectors *v, search_room *room, const float *queries, size_t n, size_t k,
            GError **error)
{
    for (;;) {
        const int code =
            v->compute->search(v->queue, v->there, v->n, v->n_dims, queries, n,
                               (uint32_t)room->most, room->found, room->sums, v->message);
        if (code != LODE_CUDA_OK) {
            engine_device_set_error(error, code, v->message);
            return FALSE;
        }
        size_t i = 0;
        while (i < n && !is_close(v, queries + i * v->n_dims, room->sums + i * room->most,
                                  room->most, MIN(k, v->n)))
            i++;
        if (i == n) return TRUE;
        if (!make_room(room, n, MIN(2 * room->most, v->n), error)) return FALSE;
    }
}

gboolean
engine_vectors_search(engine_vectors *v, const float *queries, size_t n_queries, size_t k,
                      int64_t *ids, float *scores, GError **error)
{
    const size_t n_each = MIN(n_queries, QUERIES), most = k < v->n ? MIN(k + MARGIN, v->n) : v->n;
    search_room room = {0};
    gboolean ok = TRUE;

    if (k == 0 || n_queries == 0) return TRUE;
    g_mutex_lock(&v->mutex);
    for (size_t done = 0; ok && done < n_queries; done += n_each) {
        const size_t n = MIN(n_each, n_queries - done);
        const float *some = queries + done * v->n_dims;
        ok = make_room(&room, n, most, error) && search_some(v, &room, some, n, k, error);
        for (size_t i = 0; ok && i < n; i++)
            put_in_order(v, some + i * v->n_dims, room.found + i * room.most, room.most, room.list,
                         k, ids + (done + i) * k, scores + (done + i) * k);
    }
    g_mutex_unlock(&v->mutex);
    clear_room(&room);
    return ok;
}
