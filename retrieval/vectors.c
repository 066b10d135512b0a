/* vectors.faiss: what FAISS writes for an IndexFlatIP, then our own end, so that one rename brings in
 * vectors, ids and the database version they belong to together. FAISS's readers stop before our end.
 *
 *     +--------------------------------------+
 *     | FAISS: "IxFI" header, 45 bytes       |
 *     | n * d float32                        |
 *     +--------------------------------------+
 *     | n int64: chunk ids, rising           |
 *     | trailer: magic, version, n, d, ...   |
 *     +--------------------------------------+
 *
 * Host byte order throughout, as FAISS does; the magic number tells another order apart. The file is
 * derived: whatever is wrong with it, the caller builds it anew from the database.
 *
 * FAISS's C API is C++ underneath and defines bare names such as OK: this file alone includes it. */
#include "retrieval/vectors.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <faiss/c_api/IndexFlat_c.h>
#include <faiss/c_api/Index_c.h>
#include <faiss/c_api/error_c.h>
#include <faiss/c_api/index_io_c.h>

#include "retrieval/retrieval.h"

#define VECTORS_MAGIC        UINT64_C(0x3163657665646f6c) /* "lodevec1" */
#define FAISS_FLAT_HEADER    45
#define FAISS_FLAT_IP_FOURCC UINT32_C(0x49467849) /* "IxFI" */

typedef struct {
    uint64_t magic;
    uint64_t generation;
    uint8_t state[RETRIEVAL_STATE_SIZE];
    uint64_t n;
    uint32_t n_dims;
    uint32_t reserved; /* 0 */
    uint64_t checksum; /* of the floats, the ids and the fields above */
} vectors_trailer;

G_STATIC_ASSERT(sizeof(vectors_trailer) == 72);

struct retrieval_vectors {
    FaissIndex *index;
    GArray *ids; /* int64_t: FAISS numbers vectors 0.., this tells the chunk */
    uint32_t n_dims;
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

retrieval_vectors *
retrieval_vectors_new(uint32_t n_dims, GError **error)
{
    FaissIndexFlatIP *index = NULL;
    if (faiss_IndexFlatIP_new_with(&index, (idx_t)n_dims) != 0) {
        set_faiss_error(error, "cannot make an index");
        return NULL;
    }
    retrieval_vectors *vectors = g_new0(retrieval_vectors, 1);
    vectors->index = index;
    vectors->ids = g_array_new(FALSE, FALSE, sizeof(int64_t));
    vectors->n_dims = n_dims;
    return vectors;
}

void
retrieval_vectors_free(retrieval_vectors *vectors)
{
    if (!vectors) return;
    faiss_Index_free(vectors->index);
    g_array_unref(vectors->ids);
    g_free(vectors);
}

size_t
retrieval_vectors_count(const retrieval_vectors *vectors)
{
    return vectors->ids->len;
}

uint32_t
retrieval_vectors_n_dims(const retrieval_vectors *vectors)
{
    return vectors->n_dims;
}

int64_t
retrieval_vectors_last_id(const retrieval_vectors *vectors)
{
    guint n = vectors->ids->len;
    return n > 0 ? g_array_index(vectors->ids, int64_t, n - 1) : 0;
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

gboolean
retrieval_vectors_search(const retrieval_vectors *vectors, const float *query, size_t k,
                         GArray *matches, GError **error)
{
    const size_t n = vectors->ids->len;
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
        if (faiss_Index_search(vectors->index, 1, query, (idx_t)asked, scores, labels) != 0) {
            set_faiss_error(error, "search failed");
            return FALSE;
        }
        if (asked == n || !(scores[asked - 1] >= scores[wanted - 1])) break;
        asked = MIN(asked * 2, n);
    }

    g_autoptr(GArray) found =
        g_array_sized_new(FALSE, FALSE, sizeof(retrieval_match), (guint)asked);
    for (size_t i = 0; i < asked; i++) {
        if (labels[i] < 0 || (size_t)labels[i] >= n || isnan(scores[i])) continue;
        retrieval_match match = {g_array_index(vectors->ids, int64_t, labels[i]), scores[i]};
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
static uint64_t
checksum(uint64_t hash, const void *data, size_t len)
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

static uint64_t
file_checksum(const retrieval_vectors *vectors, const vectors_trailer *trailer)
{
    float *values = NULL;
    size_t n_values = 0;
    faiss_IndexFlat_xb((FaissIndexFlat *)vectors->index, &values, &n_values);
    uint64_t hash = checksum(VECTORS_MAGIC, values, n_values * sizeof *values);
    hash = checksum(hash, vectors->ids->data, vectors->ids->len * sizeof(int64_t));
    return checksum(hash, trailer, offsetof(vectors_trailer, checksum));
}

static void
set_file_error(GError **error, const char *path, const char *what)
{
    g_set_error(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_IO, "%s: %s: %s", path, what,
                g_strerror(errno));
}

/* A rename is on disk for certain only when its folder is. */
static gboolean
sync_folder(const char *path)
{
    g_autofree char *dir = g_path_get_dirname(path);
    int fd = g_open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (fd < 0) return FALSE;
    gboolean done = fsync(fd) == 0 || errno == EINVAL; /* some file systems cannot */
    close(fd);
    return done;
}

static gboolean
write_all(const retrieval_vectors *vectors, FILE *file, const vectors_trailer *trailer,
          const char *path, GError **error)
{
    if (faiss_write_index(vectors->index, file) != 0) {
        set_faiss_error(error, path);
        return FALSE;
    }
    const size_t n = vectors->ids->len;
    if ((n > 0 && fwrite(vectors->ids->data, sizeof(int64_t), n, file) != n) ||
        fwrite(trailer, sizeof *trailer, 1, file) != 1 || fflush(file) != 0 ||
        fsync(fileno(file)) != 0) {
        set_file_error(error, path, "cannot write");
        return FALSE;
    }
    return TRUE;
}

gboolean
retrieval_vectors_save(const retrieval_vectors *vectors, const char *path,
                       const retrieval_version *version, GError **error)
{
    vectors_trailer trailer = {.magic = VECTORS_MAGIC,
                               .generation = version->generation,
                               .n = vectors->ids->len,
                               .n_dims = vectors->n_dims};
    memcpy(trailer.state, version->state, sizeof trailer.state);
    trailer.checksum = file_checksum(vectors, &trailer);

    g_autofree char *temporary = g_strconcat(path, ".tmp", NULL);
    FILE *file = g_fopen(temporary, "wbe");
    if (!file) {
        set_file_error(error, temporary, "cannot write");
        return FALSE;
    }
    gboolean done = write_all(vectors, file, &trailer, temporary, error);
    if (fclose(file) != 0 && done) {
        set_file_error(error, temporary, "cannot write");
        done = FALSE;
    }
    if (done && (g_rename(temporary, path) != 0 || !sync_folder(path))) {
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

static gboolean
read_trailer(FILE *file, uint32_t n_dims, vectors_trailer *trailer)
{
    struct stat info;
    if (fstat(fileno(file), &info) != 0 || !S_ISREG(info.st_mode)) return FALSE;
    const uint64_t size = (uint64_t)info.st_size;
    if (size < FAISS_FLAT_HEADER + sizeof *trailer) return FALSE;
    if (fseeko(file, -(off_t)sizeof *trailer, SEEK_END) != 0) return FALSE;
    if (fread(trailer, sizeof *trailer, 1, file) != 1) return FALSE;
    if (trailer->magic != VECTORS_MAGIC || trailer->n_dims != n_dims) return FALSE;
    if (trailer->n > G_MAXINT32) return FALSE;
    /* n < 2^31 and n_dims < 2^32: no overflow in 64 bits for real dimensions, checked all the same */
    uint64_t n_bytes = 0, row = (uint64_t)n_dims * sizeof(float) + sizeof(int64_t);
    if (!g_uint64_checked_mul(&n_bytes, trailer->n, row)) return FALSE;
    return size - FAISS_FLAT_HEADER - sizeof *trailer == n_bytes;
}

static retrieval_vectors *
read_all(FILE *file, uint32_t n_dims, vectors_trailer *trailer)
{
    uint8_t header[FAISS_FLAT_HEADER];
    if (!read_trailer(file, n_dims, trailer)) return NULL;
    rewind(file);
    if (fread(header, sizeof header, 1, file) != 1) return NULL;
    if (!header_is_sound(header, trailer->n, n_dims)) return NULL;
    rewind(file);

    g_autoptr(retrieval_vectors) vectors = g_new0(retrieval_vectors, 1);
    vectors->n_dims = n_dims;
    vectors->ids = g_array_new(FALSE, FALSE, sizeof(int64_t));
    if (faiss_read_index(file, 0, &vectors->index) != 0) return NULL;
    if (!faiss_IndexFlat_cast(vectors->index) || faiss_Index_d(vectors->index) != (int)n_dims ||
        faiss_Index_ntotal(vectors->index) != (idx_t)trailer->n)
        return NULL;
    g_array_set_size(vectors->ids, (guint)trailer->n);
    if (trailer->n > 0 &&
        fread(vectors->ids->data, sizeof(int64_t), trailer->n, file) != trailer->n)
        return NULL;
    if (file_checksum(vectors, trailer) != trailer->checksum) return NULL;
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

float
retrieval_half_to_float(uint16_t half)
{
    const int exponent = (half >> 10) & 0x1f, mantissa = half & 0x3ff;
    float value;
    if (exponent == 0x1f)
        value = mantissa ? NAN : INFINITY;
    else if (exponent == 0)
        value = ldexpf((float)mantissa, -24);
    else
        value = ldexpf((float)(mantissa | 0x400), exponent - 25);
    return half & 0x8000u ? -value : value;
}
