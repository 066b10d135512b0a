/* vectors.faiss: what FAISS writes, then our own end, so that one rename brings in vectors, ids and the database
 * version they belong to together. FAISS's readers stop before our end.
 *
 *     exact                                       the others
 *     +--------------------------------------+    +--------------------------------------+
 *     | FAISS: "IxFI" header, 45 bytes       |    | FAISS: an inverted file              |
 *     | n * d float32                        |    |                                      |
 *     +--------------------------------------+    +--------------------------------------+
 *     | n int64: chunk ids, rising           |    | runs of n chunk ids, rising; 0: gone |
 *     | trailer: magic, version, n, d, ...   |    | trailer                              |
 *     +--------------------------------------+    +--------------------------------------+
 *
 * A run: how many ids follow each other, and how far the first is from the end of the run before (from 0: 0 says that
 * they are gone and stand for no id), uint32 each. Older files ("lodevec1") have a uint32 for each id.
 *
 * Host byte order throughout, as FAISS does; the magic number tells another order apart. FAISS allocates by the
 * numbers it reads: an exact index's header is checked against the file's size before, an inverted file by the
 * checksum over all of it, which finds damage, not malice.
 *
 * FAISS's C API is C++ underneath and defines bare names such as OK: this file alone includes it. */
#include "retrieval/vectors.h"

#include <errno.h>
#include <fcntl.h>
#include <float.h>
#include <glib/gstdio.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <faiss/c_api/IndexFlat_c.h>
#include <faiss/c_api/IndexIVF_c.h>
#include <faiss/c_api/Index_c.h>
#include <faiss/c_api/error_c.h>
#include <faiss/c_api/impl/AuxIndexStructures_c.h>
#include <faiss/c_api/index_factory_c.h>
#include <faiss/c_api/index_io_c.h>

#include "retrieval/faiss_more.h"
#include "retrieval/retrieval.h"
#include "retrieval/vectors_device.h"

#define VECTORS_MAGIC        UINT64_C(0x3163657665646f6c) /* "lodevec1" */
#define VECTORS_MAGIC_RUNS   UINT64_C(0x3263657665646f6c) /* "lodevec2" */
#define FAISS_FLAT_HEADER    45
#define FAISS_FLAT_IP_FOURCC UINT32_C(0x49467849) /* "IxFI" */

typedef struct {
    uint64_t magic;
    uint64_t generation;
    uint8_t state[RETRIEVAL_STATE_SIZE];
    uint64_t n;
    uint32_t n_dims;
    uint32_t kind; /* retrieval_index_kind */
    uint64_t
        checksum; /* exact: of the floats, the ids and the fields above; else of all bytes before it */
} vectors_trailer;

G_STATIC_ASSERT(sizeof(vectors_trailer) == 72);

struct retrieval_vectors {
    FaissIndex *index;
    retrieval_index_kind kind;
    GArray *ids; /* int64_t: FAISS numbers vectors 0.., this tells the chunk; 0: removed */
    size_t n_removed;
    uint32_t n_dims;
    gboolean has_map;                 /* can look up a single vector */
    retrieval_vectors_device *device; /* what a GPU has of them; NULL: not asked since a change */
};

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

static retrieval_vectors *
wrap_index(FaissIndex *index, retrieval_index_kind kind, uint32_t n_dims)
{
    retrieval_vectors *vectors = g_new0(retrieval_vectors, 1);
    vectors->index = index;
    vectors->kind = kind;
    vectors->ids = g_array_new(FALSE, FALSE, sizeof(int64_t));
    vectors->n_dims = n_dims;
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
    return wrap_index(index, RETRIEVAL_INDEX_EXACT, n_dims);
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

/* Lists looked at for a query: where the list is short an eighth of them, for a million a thirty-second. */
static void
set_effort(retrieval_vectors *vectors)
{
    FaissIndexIVF *inverted = faiss_IndexIVF_cast(vectors->index);
    if (!inverted) return;
    const size_t n_lists = faiss_IndexIVF_nlist(inverted);
    faiss_IndexIVF_set_nprobe(inverted, CLAMP(n_lists / 8, 8, 64));
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
    g_autoptr(retrieval_vectors) vectors = wrap_index(index, kind, n_dims);
    retrieval_faiss_train_faster(index);
    if (faiss_Index_train(index, (idx_t)n_sample, sample) != 0) {
        set_faiss_error(error, "cannot train an index");
        return NULL;
    }
    set_effort(vectors);
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

static int64_t
id_at(const retrieval_vectors *vectors, guint label)
{
    return g_array_index(vectors->ids, int64_t, label);
}

int64_t
retrieval_vectors_last_id(const retrieval_vectors *vectors)
{
    for (guint n = vectors->ids->len; n > 0; n--)
        if (id_at(vectors, n - 1) != 0) return id_at(vectors, n - 1);
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
            g_array_index(vectors->ids, int64_t, n_kept++) = id_at(vectors, i);
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
        if (id_at(vectors, i) != 0 && !keep(id_at(vectors, i), user_data))
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
        while (seen < high && id_at(vectors, seen) == 0)
            seen++;
        if (seen == high)
            high = middle;
        else if (id_at(vectors, seen) == id)
            return (gssize)seen;
        else if (id_at(vectors, seen) < id)
            low = seen + 1;
        else
            high = middle;
    }
    return -1;
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
    if (faiss_Index_reconstruct(vectors->index, (idx_t)label, values) == 0) return TRUE;
    set_faiss_error(error, "cannot look up a vector");
    return FALSE;
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
    for (size_t i = 0; i < n; i++)
        known[i] = known[i] || found[i];
    return TRUE;
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
    if (faiss_Index_add(vectors->index, (idx_t)n, values) != 0) {
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
        if (faiss_Index_search(vectors->index, 1, query, (idx_t)k, scores, labels) != 0)
            return FALSE;
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
        retrieval_match match = {id_at(vectors, (guint)labels[i]), scores[i]};
        if (match.id == 0) continue;
        g_array_append_val(found, match);
    }
    g_array_sort(found, compare_matches);
    g_array_append_vals(matches, found->data, (guint)MIN(found->len, wanted));
    return TRUE;
}

/* ---- the file ---- */

static uint64_t
mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ (hash >> 29);
}

/* Detects damage, not malice. Four lanes, so that it runs at the speed of memory: a library of a million
 * chunks has 1.5 GB here. */
uint64_t
retrieval_checksum(uint64_t hash, const void *data, size_t len)
{
    const uint8_t *bytes = data;
    uint64_t lanes[4] = {hash, hash ^ 1, hash ^ 2, hash ^ 3}, words[4];
    size_t pos = 0;
    for (; len - pos >= sizeof words; pos += sizeof words) {
        memcpy(words, bytes + pos, sizeof words);
        for (int i = 0; i < 4; i++)
            lanes[i] = mix(lanes[i], words[i]);
    }
    memset(words, 0, sizeof words);
    if (len > pos) memcpy(words, bytes + pos, len - pos);
    for (int i = 0; i < 4; i++)
        hash = mix(hash, mix(lanes[i], words[i]));
    return mix(hash, len);
}

gboolean
retrieval_checksum_file(int fd, uint64_t n_bytes, uint64_t *hash)
{
    enum { BLOCK = 1 << 18 };
    g_autofree uint8_t *block = g_malloc(BLOCK);
    for (uint64_t at = 0; at < n_bytes;) {
        const size_t wanted = (size_t)MIN(n_bytes - at, BLOCK);
        size_t got = 0;
        while (got < wanted) {
            const ssize_t n = pread(fd, block + got, wanted - got, (off_t)(at + got));
            if (n < 0 && errno == EINTR) continue;
            if (n == 0) errno = EIO; /* shorter than it was */
            if (n <= 0) return FALSE;
            got += (size_t)n;
        }
        *hash = retrieval_checksum(*hash, block, wanted);
        at += wanted;
    }
    return TRUE;
}

/* Of an exact index: from memory. */
static uint64_t
exact_checksum(const retrieval_vectors *vectors, const vectors_trailer *trailer)
{
    float *values = NULL;
    size_t n_values = 0;
    faiss_IndexFlat_xb((FaissIndexFlat *)vectors->index, &values, &n_values);
    uint64_t hash = retrieval_checksum(VECTORS_MAGIC, values, n_values * sizeof *values);
    hash = retrieval_checksum(hash, vectors->ids->data, vectors->ids->len * sizeof(int64_t));
    return retrieval_checksum(hash, trailer, offsetof(vectors_trailer, checksum));
}

/* Of another: over the first n_bytes of its file and the trailer. */
static gboolean
file_checksum(FILE *file, uint64_t n_bytes, const vectors_trailer *trailer, uint64_t *hash)
{
    *hash = VECTORS_MAGIC;
    if (!retrieval_checksum_file(fileno(file), n_bytes, hash)) return FALSE;
    *hash = retrieval_checksum(*hash, trailer, offsetof(vectors_trailer, checksum));
    return TRUE;
}

static void
set_file_error(GError **error, const char *path, const char *what)
{
    g_set_error(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_IO, "%s: %s: %s", path, what,
                g_strerror(errno));
}

gboolean
retrieval_sync_folder(const char *path)
{
    g_autofree char *dir = g_path_get_dirname(path);
    int fd = g_open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (fd < 0) return FALSE;
    gboolean done = fsync(fd) == 0 || errno == EINVAL; /* some file systems cannot */
    close(fd);
    return done;
}

/* A run of ids; see the top. */
typedef struct {
    uint32_t n, step;
} id_run;

static gboolean
write_runs(const retrieval_vectors *vectors, FILE *file)
{
    const guint n = vectors->ids->len;
    int64_t before = 0; /* the last id that is not gone */
    for (guint i = 0; i < n;) {
        const int64_t first = id_at(vectors, i);
        id_run run = {1, first > 0 ? (uint32_t)(first - before) : 0};
        while (i + run.n < n && id_at(vectors, i + run.n) == (first > 0 ? first + run.n : 0))
            run.n++;
        if (fwrite(&run, sizeof run, 1, file) != 1) return FALSE;
        i += run.n;
        if (first > 0) before = id_at(vectors, i - 1);
    }
    return TRUE;
}

/* What FAISS writes, then the ids. */
static gboolean
write_index(const retrieval_vectors *vectors, FILE *file)
{
    const size_t n = vectors->ids->len;
    if (retrieval_faiss_write_packed(vectors->index, file) != 0) return FALSE;
    if (vectors->kind != RETRIEVAL_INDEX_EXACT) return write_runs(vectors, file);
    return n == 0 || fwrite(vectors->ids->data, sizeof(int64_t), n, file) == n;
}

static gboolean
write_all(const retrieval_vectors *vectors, FILE *file, vectors_trailer *trailer, const char *path,
          GError **error)
{
    gboolean done = write_index(vectors, file) && fflush(file) == 0;
    if (done && vectors->kind == RETRIEVAL_INDEX_EXACT)
        trailer->checksum = exact_checksum(vectors, trailer);
    else if (done)
        done = file_checksum(file, (uint64_t)ftello(file), trailer, &trailer->checksum);
    if (done && fwrite(trailer, sizeof *trailer, 1, file) == 1 && fflush(file) == 0 &&
        fsync(fileno(file)) == 0)
        return TRUE;
    set_file_error(error, path, "cannot write");
    return FALSE;
}

gboolean
retrieval_vectors_save(const retrieval_vectors *vectors, const char *path,
                       const retrieval_version *version, GError **error)
{
    const gboolean is_exact = vectors->kind == RETRIEVAL_INDEX_EXACT;
    vectors_trailer trailer = {.magic = is_exact ? VECTORS_MAGIC : VECTORS_MAGIC_RUNS,
                               .generation = version->generation,
                               .n = vectors->ids->len,
                               .n_dims = vectors->n_dims,
                               .kind = (uint32_t)vectors->kind};
    memcpy(trailer.state, version->state, sizeof trailer.state);

    g_autofree char *temporary = g_strconcat(path, ".tmp", NULL);
    FILE *file = g_fopen(temporary, "w+be");
    if (!file) {
        set_file_error(error, temporary, "cannot write");
        return FALSE;
    }
    gboolean done = write_all(vectors, file, &trailer, temporary, error);
    if (fclose(file) != 0 && done) {
        set_file_error(error, temporary, "cannot write");
        done = FALSE;
    }
    if (done && (g_rename(temporary, path) != 0 || !retrieval_sync_folder(path))) {
        set_file_error(error, path, "cannot write");
        done = FALSE;
    }
    if (!done) g_unlink(temporary);
    return done;
}

/* The header FAISS 1.5 and later write: fourcc, int32 d, int64 n, two unused int64, uint8 trained, int32
 * metric, uint64 number of floats. Checked before FAISS sees the file: it allocates by these numbers. */
static gboolean
header_is_sound(const uint8_t header[FAISS_FLAT_HEADER], uint64_t n, uint32_t n_dims)
{
    uint32_t fourcc, metric;
    int32_t d;
    int64_t total;
    uint64_t n_floats;
    memcpy(&fourcc, header, 4);
    memcpy(&d, header + 4, 4);
    memcpy(&total, header + 8, 8);
    memcpy(&metric, header + 33, 4);
    memcpy(&n_floats, header + 37, 8);
    return fourcc == FAISS_FLAT_IP_FOURCC && d == (int32_t)n_dims && total == (int64_t)n &&
           metric == METRIC_INNER_PRODUCT && n_floats == n * n_dims;
}

/* The trailer, and how many bytes stand before it. */
static gboolean
read_trailer(FILE *file, uint32_t n_dims, vectors_trailer *trailer, uint64_t *n_before)
{
    struct stat info;
    if (fstat(fileno(file), &info) != 0 || !S_ISREG(info.st_mode)) return FALSE;
    const uint64_t size = (uint64_t)info.st_size;
    if (size < FAISS_FLAT_HEADER + sizeof *trailer) return FALSE;
    if (fseeko(file, -(off_t)sizeof *trailer, SEEK_END) != 0) return FALSE;
    if (fread(trailer, sizeof *trailer, 1, file) != 1) return FALSE;
    *n_before = size - sizeof *trailer;
    rewind(file);
    return (trailer->magic == VECTORS_MAGIC ||
            (trailer->magic == VECTORS_MAGIC_RUNS && trailer->kind != RETRIEVAL_INDEX_EXACT)) &&
           trailer->n_dims == n_dims && trailer->n <= G_MAXINT32 &&
           trailer->kind <= RETRIEVAL_INDEX_PRODUCT;
}

static gboolean
exact_is_sound(FILE *file, const vectors_trailer *trailer, uint64_t n_before)
{
    uint8_t header[FAISS_FLAT_HEADER];
    /* n < 2^31 and n_dims < 2^32: no overflow in 64 bits for real dimensions, checked all the same */
    uint64_t n_bytes = 0, row = (uint64_t)trailer->n_dims * sizeof(float) + sizeof(int64_t);
    if (!g_uint64_checked_mul(&n_bytes, trailer->n, row)) return FALSE;
    if (n_before - FAISS_FLAT_HEADER != n_bytes || fread(header, sizeof header, 1, file) != 1)
        return FALSE;
    rewind(file);
    return header_is_sound(header, trailer->n, trailer->n_dims);
}

static gboolean
inverted_is_sound(FILE *file, const vectors_trailer *trailer, uint64_t n_before)
{
    uint64_t hash = 0;
    return (trailer->magic == VECTORS_MAGIC_RUNS || trailer->n * sizeof(uint32_t) < n_before) &&
           file_checksum(file, n_before, trailer, &hash) && hash == trailer->checksum;
}

/* ids has n of them. */
static gboolean
read_runs(retrieval_vectors *vectors, FILE *file, guint n)
{
    int64_t before = 0;
    for (guint i = 0; i < n;) {
        id_run run;
        if (fread(&run, sizeof run, 1, file) != 1 || run.n == 0 || run.n > n - i) return FALSE;
        const int64_t first = before + run.step;
        for (guint k = 0; k < run.n; k++)
            g_array_index(vectors->ids, int64_t, i + k) = run.step > 0 ? first + k : 0;
        if (run.step > 0)
            before = first + run.n - 1;
        else
            vectors->n_removed += run.n;
        i += run.n;
    }
    return TRUE;
}

static gboolean
read_ids(retrieval_vectors *vectors, FILE *file, const vectors_trailer *trailer)
{
    const guint n = (guint)trailer->n;
    g_array_set_size(vectors->ids, n);
    if (n == 0) return TRUE;
    if (trailer->magic == VECTORS_MAGIC_RUNS) return read_runs(vectors, file, n);
    if (vectors->kind == RETRIEVAL_INDEX_EXACT)
        return fread(vectors->ids->data, sizeof(int64_t), n, file) == n;
    for (guint i = 0; i < n; i++) {
        uint32_t id;
        if (fread(&id, sizeof id, 1, file) != 1) return FALSE;
        g_array_index(vectors->ids, int64_t, i) = id;
        if (id == 0) vectors->n_removed++;
    }
    return TRUE;
}

static retrieval_vectors *
read_all(FILE *file, uint32_t n_dims, vectors_trailer *trailer)
{
    uint64_t n_before;
    FaissIndex *index = NULL;
    if (!read_trailer(file, n_dims, trailer, &n_before)) return NULL;
    const gboolean is_exact = trailer->kind == RETRIEVAL_INDEX_EXACT;
    if (!(is_exact ? exact_is_sound : inverted_is_sound)(file, trailer, n_before)) return NULL;
    if ((is_exact ? faiss_read_index(file, 0, &index)
                  : retrieval_faiss_read_mapped(file, &index)) != 0)
        return NULL;

    g_autoptr(retrieval_vectors) vectors =
        wrap_index(index, (retrieval_index_kind)trailer->kind, n_dims);
    if (!(is_exact ? faiss_IndexFlat_cast(index) : faiss_IndexIVF_cast(index)) ||
        faiss_Index_d(index) != (int)n_dims || !read_ids(vectors, file, trailer) ||
        faiss_Index_ntotal(index) !=
            (idx_t)(is_exact ? trailer->n : retrieval_vectors_count(vectors)))
        return NULL;
    if (is_exact && exact_checksum(vectors, trailer) != trailer->checksum) return NULL;
    set_effort(vectors);
    return g_steal_pointer(&vectors);
}

retrieval_vectors *
retrieval_vectors_load(const char *path, uint32_t n_dims, retrieval_version *version,
                       GError **error)
{
    FILE *file = g_fopen(path, "rbe");
    if (!file) {
        set_file_error(error, path, "cannot read");
        return NULL;
    }
    vectors_trailer trailer;
    retrieval_vectors *vectors = read_all(file, n_dims, &trailer);
    fclose(file);
    if (!vectors) {
        g_set_error(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_FORMAT,
                    "%s: damaged or of another embedder", path);
        return NULL;
    }
    version->generation = trailer.generation;
    memcpy(version->state, trailer.state, sizeof version->state);
    return vectors;
}

const char *
retrieval_faiss_version(void)
{
    return LODE_FAISS_DESCRIPTION;
}

/* ---- half precision ---- */

uint16_t
retrieval_half_from_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint16_t sign = (uint16_t)((bits >> 16) & 0x8000u);
    const uint32_t exponent = (bits >> 23) & 0xffu;
    uint32_t mantissa = bits & 0x7fffffu;
    if (exponent == 0xffu) return (uint16_t)(sign | 0x7c00u | (mantissa ? 0x200u : 0));
    const int e = (int)exponent - 127 + 15;
    if (e >= 31) return (uint16_t)(sign | 0x7c00u);
    uint32_t half, rest, middle;
    if (e <= 0) { /* subnormal: the hidden bit shifts in, down to nothing */
        if (e < -10) return sign;
        const int shift = 14 - e;
        mantissa |= 0x800000u;
        half = mantissa >> shift;
        rest = mantissa & ((1u << shift) - 1);
        middle = 1u << (shift - 1);
    } else {
        half = ((uint32_t)e << 10) | (mantissa >> 13);
        rest = mantissa & 0x1fffu;
        middle = 0x1000u;
    }
    if (rest > middle || (rest == middle && (half & 1u)))
        half++; /* may carry into the exponent: right */
    return (uint16_t)(sign | half);
}

/* Exponents are off by 127 - 15: multiplying puts that right, for subnormals too, without a branch. */
float
retrieval_half_to_float(uint16_t half)
{
    const uint32_t bits = (uint32_t)(half & 0x7fffu) << 13, sign = (uint32_t)(half & 0x8000u) << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    value *= 0x1p112f;
    uint32_t result;
    memcpy(&result, &value, sizeof result);
    if ((half & 0x7c00u) == 0x7c00u) result = 0x7f800000u | (bits & 0x7fffffu);
    result |= sign;
    memcpy(&value, &result, sizeof value);
    return value;
}
