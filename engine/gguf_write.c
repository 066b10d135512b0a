/* GGUF writer. The layout is drawn in gguf.c.
 *
 * Tensors are dealt to the parts in order, so a stream of data in that order fills one part after the
 * other; all parts exist as temporary files before any of them gets its name. */
#include "engine/gguf_write.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAX_PARTS   65535 /* split.count is a u16 */
#define FILE_BUFFER (1u << 20)

static const uint8_t ZEROS[ENGINE_GGUF_ALIGNMENT];

typedef struct {
    char *key;
    uint32_t type;
    GByteArray *payload;
} metadata;

typedef struct {
    char *name;
    uint32_t type, n_dims;
    uint64_t dims[4];
    size_t n_bytes;
    guint part;
    uint64_t offset; /* in the data of its part */
} tensor;

typedef struct {
    char *path, *temporary; /* temporary NULL: not there (yet, or no more) */
} part;

struct engine_gguf_writer {
    char *path;
    uint64_t part_bytes;
    GArray *metadata, *tensors, *parts;
    GHashTable *names; /* tensor names */
    FILE *file;        /* the part being written */
    guint next;        /* tensor being written */
    size_t n_written;  /* bytes of it */
};

static void
metadata_clear(gpointer data)
{
    metadata *entry = data;
    g_free(entry->key);
    g_byte_array_unref(entry->payload);
}

static void
tensor_clear(gpointer data)
{
    g_free(((tensor *)data)->name);
}

static void
part_clear(gpointer data)
{
    part *p = data;
    if (p->temporary) g_unlink(p->temporary);
    g_free(p->temporary);
    g_free(p->path);
}

engine_gguf_writer *
engine_gguf_writer_new(const char *path, uint64_t part_bytes)
{
    engine_gguf_writer *writer = g_new0(engine_gguf_writer, 1);

    writer->path = g_strdup(path);
    writer->part_bytes = part_bytes;
    writer->metadata = g_array_new(FALSE, FALSE, sizeof(metadata));
    writer->tensors = g_array_new(FALSE, FALSE, sizeof(tensor));
    writer->parts = g_array_new(FALSE, TRUE, sizeof(part));
    g_array_set_clear_func(writer->metadata, metadata_clear);
    g_array_set_clear_func(writer->tensors, tensor_clear);
    g_array_set_clear_func(writer->parts, part_clear);
    writer->names = g_hash_table_new(g_str_hash, g_str_equal);
    return writer;
}

void
engine_gguf_writer_free(engine_gguf_writer *writer)
{
    if (!writer) return;
    if (writer->file) fclose(writer->file);
    g_hash_table_unref(writer->names);
    g_array_unref(writer->metadata);
    g_array_unref(writer->tensors);
    g_array_unref(writer->parts);
    g_free(writer->path);
    g_free(writer);
}

/* ---- little-endian bytes ---- */

static void
put(GByteArray *out, uint64_t value, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const guint8 byte = (guint8)(value >> (8 * i));
        g_byte_array_append(out, &byte, 1);
    }
}

static void
put_bytes(GByteArray *out, const void *data, size_t len)
{
    put(out, len, 8);
    g_byte_array_append(out, data, (guint)len);
}

static void
put_float(GByteArray *out, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    put(out, bits, 4);
}

static size_t
padding(uint64_t n)
{
    return (size_t)(-n % ENGINE_GGUF_ALIGNMENT);
}

/* ---- metadata ---- */

/* The empty payload of a key, new or emptied. */
static GByteArray *
start_value(engine_gguf_writer *writer, const char *key, uint32_t type)
{
    for (guint i = 0; i < writer->metadata->len; i++) {
        metadata *entry = &g_array_index(writer->metadata, metadata, i);
        if (strcmp(entry->key, key) != 0) continue;
        entry->type = type;
        return g_byte_array_set_size(entry->payload, 0);
    }
    const metadata entry = {g_strdup(key), type, g_byte_array_new()};
    g_array_append_val(writer->metadata, entry);
    return entry.payload;
}

static GByteArray *
start_array(engine_gguf_writer *writer, const char *key, uint32_t type, size_t n)
{
    GByteArray *out = start_value(writer, key, ENGINE_GGUF_ARRAY);
    put(out, type, 4);
    put(out, n, 8);
    return out;
}

void
engine_gguf_writer_set_u32(engine_gguf_writer *writer, const char *key, uint32_t value)
{
    put(start_value(writer, key, ENGINE_GGUF_U32), value, 4);
}

void
engine_gguf_writer_set_i32(engine_gguf_writer *writer, const char *key, int32_t value)
{
    put(start_value(writer, key, ENGINE_GGUF_I32), (uint32_t)value, 4);
}

void
engine_gguf_writer_set_u64(engine_gguf_writer *writer, const char *key, uint64_t value)
{
    put(start_value(writer, key, ENGINE_GGUF_U64), value, 8);
}

void
engine_gguf_writer_set_f32(engine_gguf_writer *writer, const char *key, float value)
{
    put_float(start_value(writer, key, ENGINE_GGUF_F32), value);
}

void
engine_gguf_writer_set_bool(engine_gguf_writer *writer, const char *key, gboolean value)
{
    put(start_value(writer, key, ENGINE_GGUF_BOOL), value ? 1 : 0, 1);
}

void
engine_gguf_writer_set_string(engine_gguf_writer *writer, const char *key, const char *value)
{
    put_bytes(start_value(writer, key, ENGINE_GGUF_STRING), value, strlen(value));
}

void
engine_gguf_writer_set_strings(engine_gguf_writer *writer, const char *key,
                               const engine_bytes *values, size_t n)
{
    GByteArray *out = start_array(writer, key, ENGINE_GGUF_STRING, n);
    for (size_t i = 0; i < n; i++)
        put_bytes(out, values[i].data, values[i].len);
}

void
engine_gguf_writer_set_ints(engine_gguf_writer *writer, const char *key, const int32_t *values,
                            size_t n)
{
    GByteArray *out = start_array(writer, key, ENGINE_GGUF_I32, n);
    for (size_t i = 0; i < n; i++)
        put(out, (uint32_t)values[i], 4);
}

void
engine_gguf_writer_set_floats(engine_gguf_writer *writer, const char *key, const float *values,
                              size_t n)
{
    GByteArray *out = start_array(writer, key, ENGINE_GGUF_F32, n);
    for (size_t i = 0; i < n; i++)
        put_float(out, values[i]);
}

void
engine_gguf_writer_set_bools(engine_gguf_writer *writer, const char *key, const gboolean *values,
                             size_t n)
{
    GByteArray *out = start_array(writer, key, ENGINE_GGUF_BOOL, n);
    for (size_t i = 0; i < n; i++)
        put(out, values[i] ? 1 : 0, 1);
}

void
engine_gguf_writer_set_raw(engine_gguf_writer *writer, const char *key, uint32_t type,
                           const uint8_t *payload, size_t len)
{
    g_byte_array_append(start_value(writer, key, type), payload, (guint)len);
}

void
engine_gguf_writer_copy_metadata(engine_gguf_writer *writer, const engine_weights *from)
{
    for (size_t i = 0; i < engine_weights_n_metadata(from); i++) {
        engine_metadata m = engine_weights_metadata_at(from, i);
        if (strcmp(m.key, "general.alignment") == 0 || g_str_has_prefix(m.key, "split.")) continue;
        engine_gguf_writer_set_raw(writer, m.key, m.type, m.payload, m.len);
    }
}

/* ---- tensors ---- */

gboolean
engine_gguf_writer_add_tensor(engine_gguf_writer *writer, const char *name, engine_type type,
                              uint32_t n_dims, const uint64_t *dims, GError **error)
{
    tensor t = {.type = (uint32_t)type, .n_dims = n_dims, .dims = {1, 1, 1, 1}};

    g_assert(!writer->file && n_dims <= 4);
    for (uint32_t i = 0; i < n_dims; i++)
        t.dims[i] = dims[i];
    if (!engine_tensor_size(t.type, n_dims, t.dims, &t.n_bytes)) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT,
                    "%s: tensor %s: impossible shape for its type", writer->path, name);
        return FALSE;
    }
    if (g_hash_table_contains(writer->names, name)) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT, "%s: two tensors are named %s",
                    writer->path, name);
        return FALSE;
    }
    t.name = g_strdup(name);
    g_hash_table_add(writer->names, t.name);
    g_array_append_val(writer->tensors, t);
    return TRUE;
}

/* Part and offset of every tensor; the number of parts. */
static guint
deal_tensors(engine_gguf_writer *writer)
{
    uint64_t used = 0;
    guint n_parts = 1;

    for (guint i = 0; i < writer->tensors->len; i++) {
        tensor *t = &g_array_index(writer->tensors, tensor, i);
        if (writer->part_bytes > 0 && used > 0 &&
            (used > writer->part_bytes || t->n_bytes > writer->part_bytes - used)) {
            n_parts++;
            used = 0;
        }
        t->part = n_parts - 1;
        t->offset = used;
        used += t->n_bytes;
        used += padding(used);
    }
    return n_parts;
}

static gboolean
fail_io(const char *path, const char *what, GError **error)
{
    g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_IO, "%s: cannot %s: %s", path, what,
                g_strerror(errno));
    return FALSE;
}

static char *
part_path(const engine_gguf_writer *writer, guint index, guint n_parts)
{
    if (writer->part_bytes == 0) return g_strdup(writer->path);
    size_t stem = strlen(writer->path);
    if (g_str_has_suffix(writer->path, ".gguf")) stem -= strlen(".gguf");
    return g_strdup_printf("%.*s-%05u-of-%05u.gguf", (int)stem, writer->path, index + 1, n_parts);
}

static void
put_metadata(GByteArray *out, const metadata *entry)
{
    put_bytes(out, entry->key, strlen(entry->key));
    put(out, entry->type, 4);
    g_byte_array_append(out, entry->payload->data, entry->payload->len);
}

/* Header, metadata and tensor table of a part, padded to where its data starts. */
static GByteArray *
make_header(const engine_gguf_writer *writer, guint index, guint n_parts)
{
    GByteArray *out = g_byte_array_new();
    const gboolean split = writer->part_bytes > 0;
    guint n_tensors = 0;

    for (guint i = 0; i < writer->tensors->len; i++)
        if (g_array_index(writer->tensors, tensor, i).part == index) n_tensors++;
    g_byte_array_append(out, (const guint8 *)"GGUF", 4);
    put(out, 3, 4);
    put(out, n_tensors, 8);
    put(out, (index == 0 ? writer->metadata->len : 0) + (split ? 3 : 0), 8);
    for (guint i = 0; index == 0 && i < writer->metadata->len; i++)
        put_metadata(out, &g_array_index(writer->metadata, metadata, i));
    if (split) {
        put_bytes(out, "split.no", 8), put(out, ENGINE_GGUF_U16, 4), put(out, index, 2);
        put_bytes(out, "split.count", 11), put(out, ENGINE_GGUF_U16, 4), put(out, n_parts, 2);
        put_bytes(out, "split.tensors.count", 19), put(out, ENGINE_GGUF_I32, 4),
            put(out, writer->tensors->len, 4);
    }
    for (guint i = 0; i < writer->tensors->len; i++) {
        const tensor *t = &g_array_index(writer->tensors, tensor, i);
        if (t->part != index) continue;
        put_bytes(out, t->name, strlen(t->name));
        put(out, t->n_dims, 4);
        for (uint32_t d = 0; d < t->n_dims; d++)
            put(out, t->dims[d], 8);
        put(out, t->type, 4);
        put(out, t->offset, 8);
    }
    g_byte_array_append(out, ZEROS, (guint)padding(out->len));
    return out;
}

/* ---- data ---- */

static gboolean
write_bytes(engine_gguf_writer *writer, guint index, const void *data, size_t n, GError **error)
{
    if (n == 0 || fwrite(data, 1, n, writer->file) == n) return TRUE;
    return fail_io(g_array_index(writer->parts, part, index).path, "write", error);
}

/* Open the temporary file of part `index` and write its header. */
static gboolean
open_part(engine_gguf_writer *writer, guint index, GError **error)
{
    part *p = &g_array_index(writer->parts, part, index);
    g_autoptr(GByteArray) header = make_header(writer, index, writer->parts->len);
    g_autofree char *temporary = g_strconcat(p->path, ".XXXXXX", NULL);
    const int fd = g_mkstemp_full(temporary, O_RDWR | O_CLOEXEC, 0666);

    if (fd < 0) return fail_io(p->path, "create", error);
    p->temporary = g_steal_pointer(&temporary);
    writer->file = fdopen(fd, "wb");
    if (!writer->file) {
        close(fd);
        return fail_io(p->path, "create", error);
    }
    setvbuf(writer->file, NULL, _IOFBF, FILE_BUFFER);
    return write_bytes(writer, index, header->data, header->len, error);
}

/* Written, a file lies in the system's cache in small pages and would be mapped so for as long as it stays there; read
 * from the disk it comes in large ones (weights_open.c). */
static gboolean
close_part(engine_gguf_writer *writer, guint index, GError **error)
{
    FILE *file = g_steal_pointer(&writer->file);
    gboolean good = fflush(file) == 0 && fsync(fileno(file)) == 0;

#ifdef POSIX_FADV_DONTNEED
    (void)posix_fadvise(fileno(file), 0, 0, POSIX_FADV_DONTNEED);
#endif
    if (fclose(file) != 0) good = FALSE;
    return good || fail_io(g_array_index(writer->parts, part, index).path, "write", error);
}

gboolean
engine_gguf_writer_begin(engine_gguf_writer *writer, GError **error)
{
    const guint n_parts = deal_tensors(writer);

    g_assert(!writer->file);
    if (n_parts > MAX_PARTS) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_ARGUMENT,
                    "%s: %u parts; a split model has at most %u", writer->path, n_parts, MAX_PARTS);
        return FALSE;
    }
    for (guint i = 0; i < n_parts; i++) {
        const part p = {part_path(writer, i, n_parts), NULL};
        g_array_append_val(writer->parts, p);
    }
    return open_part(writer, 0, error);
}

/* The tensor being written is whole: pad it, and open the next tensor's part when that is another. */
static gboolean
end_tensor(engine_gguf_writer *writer, GError **error)
{
    const tensor *t = &g_array_index(writer->tensors, tensor, writer->next);
    const guint index = t->part;

    if (!write_bytes(writer, index, ZEROS, padding(t->n_bytes), error)) return FALSE;
    writer->n_written = 0;
    writer->next++;
    if (writer->next == writer->tensors->len || t[1].part == index) return TRUE;
    return close_part(writer, index, error) && open_part(writer, index + 1, error);
}

gboolean
engine_gguf_writer_write(engine_gguf_writer *writer, const void *data, size_t n, GError **error)
{
    const uint8_t *from = data;

    g_assert(writer->file);
    while (n > 0) {
        g_assert(writer->next < writer->tensors->len);
        const tensor *t = &g_array_index(writer->tensors, tensor, writer->next);
        const size_t now = MIN(n, t->n_bytes - writer->n_written);
        if (!write_bytes(writer, t->part, from, now, error)) return FALSE;
        writer->n_written += now;
        from += now;
        n -= now;
        if (writer->n_written == t->n_bytes && !end_tensor(writer, error)) return FALSE;
    }
    return TRUE;
}

/* Make the new names last. Not every file system can; the files themselves are synced. */
static void
sync_folder(const char *path)
{
    g_autofree char *dir = g_path_get_dirname(path);
    const int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0) return;
    (void)fsync(fd);
    close(fd);
}

gboolean
engine_gguf_writer_finish(engine_gguf_writer *writer, GError **error)
{
    g_assert(writer->file && writer->next == writer->tensors->len);
    if (!close_part(writer, writer->parts->len - 1, error)) return FALSE;
    for (guint i = 0; i < writer->parts->len; i++) {
        part *p = &g_array_index(writer->parts, part, i);
        if (g_rename(p->temporary, p->path) != 0) return fail_io(p->path, "rename", error);
        g_clear_pointer(&p->temporary, g_free);
    }
    sync_folder(writer->path);
    return TRUE;
}
