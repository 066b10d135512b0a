/* Pages that OCR has read, appended to one file as they come.
 *
 *   "lode-ocr 1 VERSION SHA-256-of-the-source\n"
 *   record: length of the key, length of the page (both 32 bits), key, page, first 8 bytes of their SHA-256
 *
 * A kill leaves at most a torn last record, which is cut off. The system keeps what was written by a process that
 * is gone; against a power cut the file is synced now and then, as a page lost costs a second or two of work. The
 * lengths are the machine's own: nobody else reads the file. Of another source or version it begins anew. */
#include "pipelines/ocr_store.h"

#include "pipelines/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    SUM_BYTES = 8,
    MAX_KEY_BYTES = 1 << 16,
    MAX_PAGE_BYTES = 256 << 20,
    SYNC_PAGES = 16,
    SYNC_SECONDS = 10
};

typedef struct {
    goffset at;
    guint32 size;
} place;

struct pipelines_ocr_store {
    parse_ocr_store calls;
    char *dir, *path, *source;
    GMutex mutex;
    gboolean opened;
    int fd;             /* -1: nothing is kept */
    goffset end;        /* of the last whole record */
    GHashTable *places; /* key -> place */
    guint unsynced;     /* pages */
    gint64 synced_us;
};

/* ---- the file ---- */

static gboolean
read_at(int fd, void *data, gsize n, goffset at)
{
    for (char *p = data; n > 0;) {
        const ssize_t got = pread(fd, p, n, at);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return FALSE;
        p += got, at += got, n -= (gsize)got;
    }
    return TRUE;
}

static gboolean
write_at(int fd, const void *data, gsize n, goffset at)
{
    for (const char *p = data; n > 0;) {
        const ssize_t done = pwrite(fd, p, n, at);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return FALSE;
        p += done, at += done, n -= (gsize)done;
    }
    return TRUE;
}

static void
sum_of(const guint32 lengths[2], const void *key, const void *page, guint8 sum[SUM_BYTES])
{
    guint8 all[32];
    gsize n = sizeof all;
    g_autoptr(GChecksum) checksum = g_checksum_new(G_CHECKSUM_SHA256);
    g_checksum_update(checksum, (const guchar *)lengths, 2 * sizeof *lengths);
    g_checksum_update(checksum, key, (gssize)lengths[0]);
    g_checksum_update(checksum, page, (gssize)lengths[1]);
    g_checksum_get_digest(checksum, all, &n);
    memcpy(sum, all, SUM_BYTES);
}

/* The record at the end of what was read; FALSE: none, or torn. */
static gboolean
read_record(pipelines_ocr_store *store)
{
    guint32 lengths[2];
    guint8 sum[SUM_BYTES], found[SUM_BYTES];
    goffset at = store->end;
    if (!read_at(store->fd, lengths, sizeof lengths, at)) return FALSE;
    if (lengths[0] == 0 || lengths[0] > MAX_KEY_BYTES || lengths[1] > MAX_PAGE_BYTES) return FALSE;
    at += (goffset)sizeof lengths;
    const gsize n = (gsize)lengths[0] + lengths[1];
    g_autofree char *data = g_try_malloc(n);
    if (data == NULL || !read_at(store->fd, data, n, at) ||
        !read_at(store->fd, found, sizeof found, at + (goffset)n))
        return FALSE;
    sum_of(lengths, data, data + lengths[0], sum);
    if (memcmp(sum, found, sizeof sum) != 0) return FALSE;
    place *where = g_new(place, 1);
    *where = (place){at + (goffset)lengths[0], lengths[1]};
    g_hash_table_replace(store->places, g_strndup(data, lengths[0]), where);
    store->end = at + (goffset)n + SUM_BYTES;
    return TRUE;
}

static void
give_up(pipelines_ocr_store *store)
{
    if (store->fd >= 0) close(store->fd);
    store->fd = -1;
}

/* What is there of this source is kept, anything else is not. */
static void
read_file(pipelines_ocr_store *store, const char *head)
{
    const gsize n = strlen(head);
    g_autofree char *found = g_malloc0(n + 1);
    if (read_at(store->fd, found, n, 0) && strcmp(found, head) == 0) {
        store->end = (goffset)n;
        while (read_record(store))
            continue;
    }
    if (ftruncate(store->fd, store->end) != 0 ||
        (store->end == 0 && !write_at(store->fd, head, n, 0))) {
        give_up(store);
        return;
    }
    store->end = MAX(store->end, (goffset)n);
}

static void
open_file(pipelines_ocr_store *store)
{
    if (store->opened) return;
    store->opened = TRUE;
    store->synced_us = g_get_monotonic_time();
    g_autofree char *sha256 = layout_file_sha256(store->source, NULL);
    if (sha256 == NULL || !pipelines_make_dir(store->dir, NULL)) return;
    store->fd = open(store->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (store->fd < 0) return;
    struct stat info;
    if (flock(store->fd, LOCK_EX | LOCK_NB) != 0 || fstat(store->fd, &info) != 0 ||
        !S_ISREG(info.st_mode)) {
        give_up(store);
        return;
    }
    g_autofree char *head = g_strdup_printf("lode-ocr 1 %s %s\n", lode_version(), sha256);
    read_file(store, head);
}

/* ---- what parse calls ---- */

static GBytes *
store_get(const char *key, gpointer user_data)
{
    pipelines_ocr_store *store = user_data;
    char *data = NULL;
    gsize size = 0;
    g_mutex_lock(&store->mutex);
    open_file(store);
    const place *where = g_hash_table_lookup(store->places, key);
    if (where != NULL && store->fd >= 0 && (data = g_try_malloc(MAX(where->size, 1))) != NULL) {
        size = where->size;
        if (!read_at(store->fd, data, size, where->at)) g_clear_pointer(&data, g_free);
    }
    g_mutex_unlock(&store->mutex);
    return data != NULL ? g_bytes_new_take(data, size) : NULL;
}

static void
sync_sometimes(pipelines_ocr_store *store)
{
    const gint64 now = g_get_monotonic_time();
    if (++store->unsynced < SYNC_PAGES && now - store->synced_us < SYNC_SECONDS * G_USEC_PER_SEC)
        return;
    (void)fdatasync(store->fd);
    store->unsynced = 0;
    store->synced_us = now;
}

static void
append(pipelines_ocr_store *store, const char *key, const void *page, gsize size)
{
    const guint32 lengths[2] = {(guint32)strlen(key), (guint32)size};
    guint8 sum[SUM_BYTES];
    sum_of(lengths, key, page, sum);
    g_autoptr(GByteArray) record = g_byte_array_new();
    g_byte_array_append(record, (const guint8 *)lengths, sizeof lengths);
    g_byte_array_append(record, (const guint8 *)key, lengths[0]);
    g_byte_array_append(record, page, lengths[1]);
    g_byte_array_append(record, sum, sizeof sum);
    if (!write_at(store->fd, record->data, record->len, store->end)) {
        give_up(store); /* no room: what is there stays for the next run */
        return;
    }
    place *where = g_new(place, 1);
    *where = (place){store->end + (goffset)sizeof lengths + (goffset)lengths[0], lengths[1]};
    g_hash_table_replace(store->places, g_strdup(key), where);
    store->end += (goffset)record->len;
    sync_sometimes(store);
}

static void
store_put(const char *key, GBytes *page, gpointer user_data)
{
    pipelines_ocr_store *store = user_data;
    gsize size = 0;
    const void *data = g_bytes_get_data(page, &size);
    if (*key == '\0' || strlen(key) > MAX_KEY_BYTES || size == 0 || size > MAX_PAGE_BYTES) return;
    g_mutex_lock(&store->mutex);
    open_file(store);
    if (store->fd >= 0) append(store, key, data, size);
    g_mutex_unlock(&store->mutex);
}

/* ---- ---- */

pipelines_ocr_store *
pipelines_ocr_store_new(const char *dir, const char *source)
{
    pipelines_ocr_store *store = g_new0(pipelines_ocr_store, 1);
    store->calls = (parse_ocr_store){store_get, store_put, store};
    store->dir = g_strdup(dir);
    store->path = g_build_filename(dir, ".ocr-pages", NULL);
    store->source = g_strdup(source);
    store->places = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    store->fd = -1;
    g_mutex_init(&store->mutex);
    return store;
}

const parse_ocr_store *
pipelines_ocr_store_calls(const pipelines_ocr_store *store)
{
    return &store->calls;
}

void
pipelines_ocr_store_free(pipelines_ocr_store *store, gboolean done)
{
    if (store == NULL) return;
    if (done && store->fd < 0 &&
        !store->opened) /* an earlier run's, of pages this one need not read */
        unlink(store->path);
    if (store->fd >= 0) {
        if (done)
            unlink(store->path);
        else
            (void)fdatasync(store->fd);
        close(store->fd);
    }
    g_hash_table_unref(store->places);
    g_mutex_clear(&store->mutex);
    g_free(store->dir);
    g_free(store->path);
    g_free(store->source);
    g_free(store);
}
