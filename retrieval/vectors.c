/* An index of FAISS's with the ids of its vectors; what it says in a file is vectors_file.c's. */
#include <float.h>
#include <math.h>
#include <string.h>

#include <faiss/c_api/error_c.h>
#include <faiss/c_api/impl/AuxIndexStructures_c.h>
#include <faiss/c_api/index_factory_c.h>

#include "retrieval/faiss_more.h"
#include "retrieval/fuse.h"
#include "retrieval/retrieval.h"
#include "retrieval/vectors_private.h"

static void
set_faiss_error(GError **error, const char *what)
{
    const char *message = faiss_get_last_error();
    g_set_error(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_IO, "FAISS: %s: %s", what,
                message ? message : "unknown error");
}

gboolean
retrieval_version_equal(const retrieval_version *a, const retrieval_version *b)
{
    return a->generation == b->generation && memcmp(a->state, b->state, sizeof a->state) == 0;
}

const char *
retrieval_index_kind_name(retrieval_index_kind kind)
{
    static const char *const names[] = {"exact", "inverted lists, 8 bits a dimension",
                                        "inverted lists, product-quantised"};
    return names[kind];
}

/* Product-quantised vectors looked at for a question, 7 ms of one core: of a million a fifth, of 200,000 all. Those of
 * lists that are not looked at are lost whatever their codes: with half of the lists of 2,400 passages a fiftieth of the
 * judged documents, with a quarter of those of 41,600 sentences the nearest vector of a fiftieth of the questions
 * (tests/bench/beir.sh). */
#define PRODUCT_CODES 200000

/* Of eight bits a dimension, which take six times as long and are fewer: half of the lists. */
static void
set_effort(FaissIndex *index)
{
    FaissIndexIVF *inverted = faiss_IndexIVF_cast(index);
    if (!inverted) return;
    faiss_IndexIVF_set_nprobe(inverted, CLAMP(faiss_IndexIVF_nlist(inverted) / 2, 8, 192));
}

retrieval_vectors *
retrieval_vectors_wrap(FaissIndex *index, retrieval_index_kind kind, uint32_t n_dims)
{
    retrieval_vectors *vectors = g_new0(retrieval_vectors, 1);
    vectors->index = index;
    vectors->kind = kind;
    vectors->ids = g_array_new(FALSE, FALSE, sizeof(int64_t));
    vectors->n_dims = n_dims;
    set_effort(index);
    return vectors;
}

retrieval_vectors *
retrieval_vectors_new(uint32_t n_dims, GError **error)
{
    FaissIndexFlatIP *index = NULL;
    if (faiss_IndexFlatIP_new_with(&index, (idx_t)n_dims) != 0) {
        set_faiss_error(error, "cannot make an index");
        return NULL;
    }
    return retrieval_vectors_wrap(index, RETRIEVAL_INDEX_EXACT, n_dims);
}

/* ---- inverted lists ---- */

/* About twice the root of n: lists short enough to scan many of, and few enough to choose among. */
static uint32_t
list_count(size_t n)
{
    uint32_t lists = 16;
    while (lists < 4096 && (double)lists * lists * 2 < 4.0 * (double)n)
        lists *= 2;
    return lists;
}

size_t
retrieval_vectors_sample_size(retrieval_index_kind kind, size_t n_expected)
{
    enum { PER_CENTROID = 40, N_CENTROIDS = 256 };
    if (kind == RETRIEVAL_INDEX_EXACT) return 0;
    return MIN(n_expected, (size_t)PER_CENTROID * MAX(list_count(n_expected), N_CENTROIDS));
}

/* Bytes of a product-quantised vector: the largest divisor of n_dims up to 64 and up to a third of n_dims: six
 * dimensions of 384 share a byte. With the words of a passage the index is to take less than 200 bytes. */
static uint32_t
code_bytes(uint32_t n_dims)
{
    enum { MOST = 64 };
    for (uint32_t n = MIN(MOST, n_dims / 3); n > 1; n--)
        if (n_dims % n == 0) return n;
    return 1;
}

retrieval_vectors *
retrieval_vectors_new_trained(retrieval_index_kind kind, uint32_t n_dims, size_t n_expected,
                              const float *sample, size_t n_sample, GError **error)
{
    if (kind == RETRIEVAL_INDEX_EXACT) return retrieval_vectors_new(n_dims, error);
    /* np: without the hours of sorting centroids for a filter that we do not use */
    g_autofree char *recipe =
        kind == RETRIEVAL_INDEX_SCALAR
            ? g_strdup_printf("IVF%u,SQ8", list_count(n_expected))
            : g_strdup_printf("IVF%u,PQ%ux8np", list_count(n_expected), code_bytes(n_dims));
    FaissIndex *index = NULL;
    if (faiss_index_factory(&index, (int)n_dims, recipe, METRIC_INNER_PRODUCT) != 0) {
        set_faiss_error(error, "cannot make an index");
        return NULL;
    }
    g_autoptr(retrieval_vectors) vectors = retrieval_vectors_wrap(index, kind, n_dims);
    if (retrieval_faiss_train(index, n_sample, sample) != 0) {
        set_faiss_error(error, "cannot train an index");
        return NULL;
    }
    return g_steal_pointer(&vectors);
}

void
retrieval_vectors_free(retrieval_vectors *vectors)
{
    if (!vectors) return;
    retrieval_vectors_device_free(vectors->device); /* it looks at the index's vectors */
    if (vectors->index) faiss_Index_free(vectors->index);
    g_array_unref(vectors->ids);
    g_free(vectors);
}

size_t
retrieval_vectors_count(const retrieval_vectors *vectors)
{
    return vectors->ids->len - vectors->n_removed;
}

retrieval_index_kind
retrieval_vectors_kind(const retrieval_vectors *vectors)
{
    return vectors->kind;
}

uint32_t
retrieval_vectors_n_dims(const retrieval_vectors *vectors)
{
    return vectors->n_dims;
}

int64_t
retrieval_vectors_last_id(const retrieval_vectors *vectors)
{
    for (guint n = vectors->ids->len; n > 0; n--)
        if (vectors_id_at(vectors, n - 1) != 0) return vectors_id_at(vectors, n - 1);
    return 0;
}

/* FAISS numbers what is left of an exact index anew; inverted lists keep their numbers. */
static void
forget_ids(retrieval_vectors *vectors, const GArray *labels)
{
    if (vectors->kind != RETRIEVAL_INDEX_EXACT) {
        for (guint i = 0; i < labels->len; i++)
            g_array_index(vectors->ids, int64_t, g_array_index(labels, idx_t, i)) = 0;
        vectors->n_removed += labels->len;
        return;
    }
    guint n_kept = 0, next = 0;
    for (guint i = 0; i < vectors->ids->len; i++) {
        if (next < labels->len && g_array_index(labels, idx_t, next) == (idx_t)i)
            next++;
        else
            g_array_index(vectors->ids, int64_t, n_kept++) = vectors_id_at(vectors, i);
    }
    g_array_set_size(vectors->ids, n_kept);
}

gssize
retrieval_vectors_remove(retrieval_vectors *vectors, gboolean (*keep)(int64_t id, void *user_data),
                         void *user_data, GError **error)
{
    g_autoptr(GArray) labels = g_array_new(FALSE, FALSE, sizeof(idx_t));
    for (guint i = 0; i < vectors->ids->len; i++) {
        const idx_t label = (idx_t)i;
        if (vectors_id_at(vectors, i) != 0 && !keep(vectors_id_at(vectors, i), user_data))
            g_array_append_val(labels, label);
    }
    if (labels->len == 0) return 0;
    g_clear_pointer(&vectors->device, retrieval_vectors_device_free);
    FaissIndexIVF *inverted = faiss_IndexIVF_cast(vectors->index);
    if (inverted && retrieval_faiss_unmap(inverted) != 0) {
        set_faiss_error(error, "cannot remove vectors");
        return -1;
    }
    FaissIDSelectorBatch *selector = NULL;
    size_t n_removed = 0;
    int code =
        faiss_IDSelectorBatch_new(&selector, labels->len, (const idx_t *)(void *)labels->data);
    if (code == 0) {
        code = faiss_Index_remove_ids(vectors->index, (FaissIDSelector *)selector, &n_removed);
        faiss_IDSelector_free((FaissIDSelector *)selector);
    }
    if (code != 0 || n_removed != labels->len) {
        set_faiss_error(error, "cannot remove vectors");
        return -1;
    }
    forget_ids(vectors, labels);
    return (gssize)labels->len;
}

/* Labels rise with ids, but removed ones are 0: from such a one on, look at the next that is not. */
static gssize
find_label(const retrieval_vectors *vectors, int64_t id)
{
    guint low = 0, high = vectors->ids->len;
    while (low < high) {
        const guint middle = low + (high - low) / 2;
        guint seen = middle;
        while (seen < high && vectors_id_at(vectors, seen) == 0)
            seen++;
        if (seen == high)
            high = middle;
        else if (vectors_id_at(vectors, seen) == id)
            return (gssize)seen;
        else if (vectors_id_at(vectors, seen) < id)
            low = seen + 1;
        else
            high = middle;
    }
    return -1;
}

/* A decoded vector is shorter than the one of unit length that it stands for. */
static void
lengthen(const retrieval_vectors *vectors, float *values)
{
    const double square = retrieval_dot(values, values, vectors->n_dims);
    if (vectors->kind != RETRIEVAL_INDEX_PRODUCT || !(square > 0)) return;
    for (uint32_t i = 0; i < vectors->n_dims; i++)
        values[i] = (float)(values[i] / sqrt(square));
}

gboolean
retrieval_vectors_get(retrieval_vectors *vectors, int64_t id, float *values, GError **error)
{
    const gssize label = find_label(vectors, id);
    if (label < 0) return FALSE;
    FaissIndexIVF *inverted = faiss_IndexIVF_cast(vectors->index);
    if (inverted && !vectors->has_map &&
        (vectors->n_removed > 0 ? retrieval_faiss_map_sparse(inverted)
                                : faiss_IndexIVF_make_direct_map(inverted, 1)) != 0) {
        set_faiss_error(error, "cannot look up vectors");
        return FALSE;
    }
    vectors->has_map = TRUE;
    if (faiss_Index_reconstruct(vectors->index, (idx_t)label, values) != 0) {
        set_faiss_error(error, "cannot look up a vector");
        return FALSE;
    }
    lengthen(vectors, values);
    return TRUE;
}

/* Of an exact index: from where they stand. */
static gboolean
get_exact(const retrieval_vectors *vectors, const idx_t *labels, size_t n, float *values,
          guint8 *known)
{
    for (size_t i = 0; i < n; i++) {
        if (labels[i] < 0) continue;
        if (faiss_Index_reconstruct(vectors->index, labels[i], values + i * vectors->n_dims) != 0)
            return FALSE;
        known[i] = 1;
    }
    return TRUE;
}

gboolean
retrieval_vectors_get_many(const retrieval_vectors *vectors, const int64_t *ids, size_t n,
                           float *values, gboolean *known, GError **error)
{
    const FaissIndexIVF *inverted = faiss_IndexIVF_cast(vectors->index);
    g_autofree idx_t *labels = g_new(idx_t, n + 1);
    g_autofree guint8 *found = g_new0(guint8, n + 1);
    for (size_t i = 0; i < n; i++)
        labels[i] = known[i] ? -1 : find_label(vectors, ids[i]);
    if (inverted ? retrieval_faiss_find(inverted, labels, n, values, found) != 0
                 : !get_exact(vectors, labels, n, values, found)) {
        set_faiss_error(error, "cannot look up vectors");
        return FALSE;
    }
    for (size_t i = 0; i < n; i++) {
        if (found[i]) lengthen(vectors, values + i * vectors->n_dims);
        known[i] = known[i] || found[i];
    }
    return TRUE;
}

/* FAISS numbers by how many there are, which is too low once some were removed from lists. (A table of numbers made for
 * lists that are whole takes none from outside.) */
static int
add_to_index(retrieval_vectors *vectors, const float *values, size_t n)
{
    if (vectors->n_removed == 0) return faiss_Index_add(vectors->index, (idx_t)n, values);
    g_autofree idx_t *labels = g_new(idx_t, n);
    for (size_t i = 0; i < n; i++)
        labels[i] = (idx_t)(vectors->ids->len + i);
    return faiss_Index_add_with_ids(vectors->index, (idx_t)n, values, labels);
}

gboolean
retrieval_vectors_add(retrieval_vectors *vectors, const int64_t *ids, const float *values, size_t n,
                      GError **error)
{
    if (n == 0) return TRUE;
    if (n > G_MAXINT32 - vectors->ids->len) {
        g_set_error(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_FORMAT,
                    "too many vectors for one index");
        return FALSE;
    }
    g_clear_pointer(&vectors->device, retrieval_vectors_device_free);
    if (add_to_index(vectors, values, n) != 0) {
        set_faiss_error(error, "cannot add vectors");
        return FALSE;
    }
    g_array_append_vals(vectors->ids, ids, (guint)n);
    return TRUE;
}

static int
compare_matches(gconstpointer a, gconstpointer b)
{
    const retrieval_match *x = a, *y = b;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

/* ---- searching ---- */

void
retrieval_vectors_use_device(retrieval_vectors *vectors, const engine_model *model)
{
    float *values = NULL;
    size_t n_values = 0;
    if (retrieval_vectors_is_placed(vectors)) return;
    faiss_IndexFlat_xb((FaissIndexFlat *)vectors->index, &values, &n_values);
    vectors->device =
        retrieval_vectors_device_new(model, values, vectors->ids->len, vectors->n_dims);
}

gboolean
retrieval_vectors_is_placed(const retrieval_vectors *vectors)
{
    return vectors->kind != RETRIEVAL_INDEX_EXACT || vectors->ids->len == 0 || vectors->device;
}

char *
retrieval_vectors_describe_searcher(const retrieval_vectors *vectors)
{
    if (!vectors->device) return g_strdup("CPU");
    g_autofree char *reason = retrieval_vectors_device_reason(vectors->device);
    return reason ? g_strconcat("CPU: ", reason, NULL) : g_strdup("GPU");
}

/* Labels and FAISS's scores [k] of the nearest; *complete: nothing else scores as much as the wanted-th of them. */
static gboolean
find_nearest(const retrieval_vectors *vectors, const float *query, size_t wanted, size_t k,
             float *scores, idx_t *labels, gboolean *complete)
{
    if (!vectors->device ||
        !retrieval_vectors_device_find(vectors->device, query, k, labels, scores)) {
        const int code =
            vectors->kind == RETRIEVAL_INDEX_PRODUCT
                ? retrieval_faiss_search_unit(faiss_IndexIVF_cast(vectors->index), query, k,
                                              PRODUCT_CODES, scores, labels)
                : faiss_Index_search(vectors->index, 1, query, (idx_t)k, scores, labels);
        if (code != 0) return FALSE;
        *complete = labels[k - 1] < 0 || !(scores[k - 1] >= scores[wanted - 1]);
        return TRUE;
    }
    /* Exact scores rank near ties otherwise than FAISS's sums of floats, which are off by a rounding for each dimension
     * (lengths are 1): its own are asked for, of all that could be among the wanted by them. */
    const float rounding = FLT_EPSILON * (float)vectors->n_dims;
    *complete = labels[k - 1] < 0 || scores[k - 1] + 2.0f * rounding < scores[wanted - 1];
    return faiss_IndexFlat_compute_distance_subset(vectors->index, 1, query, (idx_t)k, scores,
                                                   labels) == 0;
}

gboolean
retrieval_vectors_search(const retrieval_vectors *vectors, const float *query, size_t k,
                         GArray *matches, GError **error)
{
    const size_t n = retrieval_vectors_count(vectors);
    const size_t wanted = MIN(k, n);
    if (wanted == 0) return TRUE;

    /* FAISS keeps any k of those that tie for the last place. So ask for more than wanted until the
     * last answer is strictly worse than the wanted-th: then all that tie there are present. */
    size_t asked = MIN(wanted + 16, n);
    g_autofree float *scores = NULL;
    g_autofree idx_t *labels = NULL;
    for (;;) {
        scores = g_renew(float, scores, asked);
        labels = g_renew(idx_t, labels, asked);
        gboolean complete;
        if (!find_nearest(vectors, query, wanted, asked, scores, labels, &complete)) {
            set_faiss_error(error, "search failed");
            return FALSE;
        }
        if (asked == n || complete) break;
        asked = MIN(asked * 2, n);
    }

    g_autoptr(GArray) found =
        g_array_sized_new(FALSE, FALSE, sizeof(retrieval_match), (guint)asked);
    for (size_t i = 0; i < asked; i++) {
        if (labels[i] < 0 || labels[i] >= (idx_t)vectors->ids->len || isnan(scores[i])) continue;
        retrieval_match match = {vectors_id_at(vectors, (guint)labels[i]), scores[i]};
        if (match.id == 0) continue;
        g_array_append_val(found, match);
    }
    g_array_sort(found, compare_matches);
    g_array_append_vals(matches, found->data, (guint)MIN(found->len, wanted));
    return TRUE;
}

const char *
retrieval_faiss_version(void)
{
    return LODE_FAISS_DESCRIPTION;
}
