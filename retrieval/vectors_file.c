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
 * checksum over all of it, which finds damage, not malice. */
#include <errno.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <faiss/c_api/index_io_c.h>

#include "retrieval/faiss_more.h"
#include "retrieval/files.h"
#include "retrieval/retrieval.h"
#include "retrieval/vectors_private.h"

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
        const int64_t first = vectors_id_at(vectors, i);
        id_run run = {1, first > 0 ? (uint32_t)(first - before) : 0};
        while (i + run.n < n &&
               vectors_id_at(vectors, i + run.n) == (first > 0 ? first + run.n : 0))
            run.n++;
        if (fwrite(&run, sizeof run, 1, file) != 1) return FALSE;
        i += run.n;
        if (first > 0) before = vectors_id_at(vectors, i - 1);
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
        retrieval_vectors_wrap(index, (retrieval_index_kind)trailer->kind, n_dims);
    if (!(is_exact ? faiss_IndexFlat_cast(index) : faiss_IndexIVF_cast(index)) ||
        faiss_Index_d(index) != (int)n_dims || !read_ids(vectors, file, trailer) ||
        faiss_Index_ntotal(index) !=
            (idx_t)(is_exact ? trailer->n : retrieval_vectors_count(vectors)))
        return NULL;
    if (is_exact && exact_checksum(vectors, trailer) != trailer->checksum) return NULL;
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
