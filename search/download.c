/* GET into a file.
 *
 *   path.part       what has arrived so far; locked while we write it
 *   path.part.etag  the validator of what it came from: only kept where no checksum is given, because then
 *                   nothing else can tell whether the rest still belongs to it
 *
 * A transfer that breaks is tried again from where it stopped (Range, If-Range), a few times and with
 * growing pauses. What an earlier process left is used when the checksum will judge the whole, or when
 * the server's validator is still the same. At the end: size, SHA-256 of the file as it lies on disk,
 * fsync, rename, fsync of the folder. */
#include "search/fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define ATTEMPTS_IDLE 4  /* in a row that brought nothing */
#define ATTEMPTS_ALL  40 /* however much they brought */

typedef struct {
    const char *path;
    char *part, *etag_path;
    const char *sha256;
    const search_limits *limits;
    int fd;
    uint64_t size;     /* bytes in the part */
    char *validator;   /* of the part; NULL unknown */
    gboolean leftover; /* bytes of an earlier process are in it */
    int64_t expected;  /* size of the whole, -1 unknown */
} download;

static gboolean
set_errno_error(GError **error, const char *path, const char *what, int number)
{
    if (number == ENOSPC || number == EDQUOT)
        g_set_error(error, SEARCH_ERROR, SEARCH_ERROR_IO, "%s: no space left on the device", path);
    else
        g_set_error(error, SEARCH_ERROR, SEARCH_ERROR_IO, "%s: %s: %s", path, what,
                    g_strerror(number));
    return FALSE;
}

static void
download_clear(download *d)
{
    if (d->fd >= 0) close(d->fd);
    g_free(d->part);
    g_free(d->etag_path);
    g_free(d->validator);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(download, download_clear)

static gboolean
start_over(download *d, GError **error)
{
    if (ftruncate(d->fd, 0) != 0) return set_errno_error(error, d->part, "truncate", errno);
    d->size = 0;
    d->leftover = FALSE;
    d->expected = -1;
    g_clear_pointer(&d->validator, g_free);
    g_unlink(d->etag_path);
    return TRUE;
}

/* Drop the part. It must go before the lock does. */
static void
abandon(download *d)
{
    g_unlink(d->part);
    g_unlink(d->etag_path);
}

static gboolean
open_part(download *d, GError **error)
{
    struct stat st, named;

    /* no link may send our bytes elsewhere */
    d->fd = open(d->part, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (d->fd < 0) return set_errno_error(error, d->part, "open", errno);
    if (flock(d->fd, LOCK_EX | LOCK_NB) != 0 || stat(d->part, &named) != 0 ||
        fstat(d->fd, &st) != 0 ||
        st.st_ino != named.st_ino) { /* the other one has just renamed or removed it */
        g_set_error(error, SEARCH_ERROR, SEARCH_ERROR_IO, "%s: another process is downloading it",
                    d->part);
        return FALSE;
    }
    if (!S_ISREG(st.st_mode)) {
        g_set_error(error, SEARCH_ERROR, SEARCH_ERROR_IO, "%s: not a regular file", d->part);
        return FALSE;
    }
    if (st.st_size == 0 || (uint64_t)st.st_size > d->limits->max_bytes) return start_over(d, error);
    if (!d->sha256) {
        gsize len = 0;
        if (!g_file_get_contents(d->etag_path, &d->validator, &len, NULL) || len == 0 ||
            len > 1024 || strlen(d->validator) != len || strpbrk(d->validator, "\r\n"))
            return start_over(d, error);
    }
    d->size = (uint64_t)st.st_size;
    d->leftover = TRUE;
    return TRUE;
}

static gboolean
has_space(download *d, uint64_t more, GError **error)
{
    struct statvfs vfs;

    if (fstatvfs(d->fd, &vfs) != 0) return TRUE;
    uint64_t free_bytes;
    if (!g_uint64_checked_mul(&free_bytes, vfs.f_bavail, vfs.f_frsize) || more <= free_bytes)
        return TRUE;
    g_autofree char *need = g_format_size(more), *left = g_format_size(free_bytes);
    g_set_error(error, SEARCH_ERROR, SEARCH_ERROR_IO,
                "%s: no space left on the device: %s needed, %s free", d->path, need, left);
    return FALSE;
}

static gboolean
part_begin(const search_head *head, void *data, GError **error)
{
    download *d = data;

    if (head->status == 206 && head->range_start >= 0 && (uint64_t)head->range_start == d->size) {
        d->expected = head->range_total;
    } else if (head->status == 206) {
        g_set_error(error, SEARCH_ERROR, SEARCH_ERROR_NETWORK,
                    "%s: the server sent another range than asked for", d->path);
        return FALSE;
    } else {
        if (!start_over(d, error))
            return FALSE; /* the file has changed, or the server knows no ranges */
        d->expected = head->encoded ? -1 : head->length;
    }
    if (d->expected >= 0 && (uint64_t)d->expected > d->size &&
        !has_space(d, (uint64_t)d->expected - d->size, error))
        return FALSE;
    if (d->size == 0) {
        g_free(d->validator);
        d->validator = g_strdup(head->etag ? head->etag : head->last_modified);
        if (d->validator && !d->sha256) /* best effort: without it the next run starts over */
            g_file_set_contents(d->etag_path, d->validator, -1, NULL);
    }
    return TRUE;
}

static gboolean
part_write(const void *bytes, size_t len, void *data, GError **error)
{
    download *d = data;
    const char *p = bytes;

    while (len > 0) {
        ssize_t n = pwrite(d->fd, p, len, (off_t)d->size);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return set_errno_error(error, d->part, "write", errno);
        p += n;
        len -= (size_t)n;
        d->size += (uint64_t)n;
    }
    return TRUE;
}

static gboolean
pause_for(double seconds, const search_limits *limits, GError **error)
{
    gint64 until = g_get_monotonic_time() + (gint64)(seconds * G_USEC_PER_SEC);

    while (g_get_monotonic_time() < until) {
        if (search_limits_cancelled(limits, error)) return FALSE;
        g_usleep(50 * 1000);
    }
    return TRUE;
}

/* One request, or two where the part turns out to belong to something else. */
static gboolean
attempt(download *d, const char *url, const search_limits *limits, search_head *head,
        gboolean *transient, gboolean *connected, GError **error)
{
    g_autoptr(GError) local = NULL;
    search_transfer transfer = {.limits = limits,
                                .resume_from = d->size,
                                .if_range = d->validator,
                                .begin = part_begin,
                                .write = part_write,
                                .data = d};

    if (!search_transfer_run(&transfer, url, head, transient, connected, &local)) {
        if (head->status != 416 || transfer.resume_from == 0) {
            g_propagate_error(error, g_steal_pointer(&local));
            return FALSE;
        }
        if (head->range_total >= 0 && (uint64_t)head->range_total == d->size) return TRUE;
        /* what we have does not belong to what is there: once more from the start */
        if (!start_over(d, error)) return FALSE;
        transfer.resume_from = 0;
        transfer.if_range = NULL;
        if (!search_transfer_run(&transfer, url, head, transient, connected, error)) return FALSE;
    }
    if (d->expected >= 0 && d->size != (uint64_t)d->expected) {
        *transient = TRUE;
        g_set_error(error, SEARCH_ERROR, SEARCH_ERROR_NETWORK,
                    "%s: got %" G_GUINT64_FORMAT " of %" G_GINT64_FORMAT " bytes", d->path, d->size,
                    d->expected);
        return FALSE;
    }
    return TRUE;
}

static gboolean
transfer_all(download *d, const char *url, GError **error)
{
    const gint64 start = g_get_monotonic_time();
    gboolean reached = FALSE;
    guint idle = 0;

    for (guint n = 1;; n++) {
        g_autoptr(GError) local = NULL;
        search_head head = {0};
        gboolean transient = FALSE, connected = FALSE;
        search_limits limits = *d->limits;
        if (limits.total_seconds > 0) {
            limits.total_seconds -= (double)(g_get_monotonic_time() - start) / G_USEC_PER_SEC;
            limits.total_seconds = MAX(limits.total_seconds, 0.001);
        }
        uint64_t before = d->size;
        if (attempt(d, url, &limits, &head, &transient, &connected, &local)) {
            search_head_clear(&head);
            return TRUE;
        }
        double retry_after = head.retry_after;
        search_head_clear(&head);
        reached = reached || connected;
        idle = d->size > before ? 1 : idle + 1;
        /* A host never reached will not be in a second: say so at once, the caller may have another. */
        gboolean out_of_time = d->limits->total_seconds > 0 && limits.total_seconds <= 0.001;
        if (!transient || !reached || out_of_time || idle >= ATTEMPTS_IDLE || n >= ATTEMPTS_ALL) {
            g_propagate_error(error, g_steal_pointer(&local));
            return FALSE;
        }
        double seconds = MAX(0.25 * (double)(1u << (idle - 1)), MIN(retry_after, 30));
        if (!pause_for(seconds, d->limits, error)) return FALSE;
    }
}

/* SHA-256 of the part as it lies on disk; NULL with the error set. */
static char *
hash_part(download *d, GError **error)
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    const gsize chunk = 1 << 20;
    g_autofree guchar *buffer = g_malloc(chunk);

    for (off_t at = 0;;) {
        if (search_limits_cancelled(d->limits, error)) return NULL;
        ssize_t n = pread(d->fd, buffer, chunk, at);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            set_errno_error(error, d->part, "read", errno);
            return NULL;
        }
        if (n == 0) break;
        g_checksum_update(sum, buffer, n);
        at += n;
    }
    return g_strdup(g_checksum_get_string(sum));
}

static gboolean
verify(download *d, GError **error)
{
    if (!d->sha256) return TRUE;
    g_autofree char *actual = hash_part(d, error);
    if (!actual) return FALSE;
    if (g_ascii_strcasecmp(actual, d->sha256) == 0) return TRUE;
    g_set_error(error, SEARCH_ERROR, SEARCH_ERROR_CHECKSUM,
                "%s: wrong SHA-256: got %s, expected %s", d->path, actual, d->sha256);
    return FALSE;
}

static gboolean
publish(download *d, GError **error)
{
    if (fsync(d->fd) != 0) return set_errno_error(error, d->part, "sync", errno);
    if (g_rename(d->part, d->path) != 0) return set_errno_error(error, d->path, "rename", errno);
    g_unlink(d->etag_path);
    g_autofree char *folder = g_path_get_dirname(d->path);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) { /* not every file system can; the file itself is safe */
        (void)fsync(fd);
        close(fd);
    }
    return TRUE;
}

gboolean
search_download(const char *url, const char *path, const char *sha256,
                const search_fetch_options *options, GError **error)
{
    search_limits limits;
    search_limits_init(&limits, options, TRUE);
    g_auto(download) d = {.path = path,
                          .part = g_strconcat(path, ".part", NULL),
                          .etag_path = g_strconcat(path, ".part.etag", NULL),
                          .sha256 = sha256,
                          .limits = &limits,
                          .fd = -1,
                          .expected = -1};

    if (!open_part(&d, error)) return FALSE;
    for (;;) {
        gboolean leftover = d.leftover;
        if (!transfer_all(&d, url, error)) {
            if (d.size == 0) abandon(&d); /* nothing worth keeping */
            return FALSE;
        }
        g_autoptr(GError) local = NULL;
        if (verify(&d, &local)) break;
        gboolean wrong = g_error_matches(local, SEARCH_ERROR, SEARCH_ERROR_CHECKSUM);
        /* bytes of an earlier run under it: they may be those of another version */
        if (wrong && leftover && d.leftover) {
            if (!start_over(&d, error)) return FALSE;
            continue;
        }
        if (wrong) abandon(&d);
        g_propagate_error(error, g_steal_pointer(&local));
        return FALSE;
    }
    return publish(&d, error);
}
