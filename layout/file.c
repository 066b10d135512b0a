/* Files as a whole: their SHA-256, and writing one so that nobody ever sees half of it. */
#include "layout/document.h"
#include "layout/readers/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <unistd.h>

static gboolean
io_error(GError **error, const char *path, const char *what, int number)
{
    g_autofree char *shown = g_filename_display_name(path);
    g_set_error(error, LAYOUT_ERROR, LAYOUT_ERROR_IO, "%s: %s: %s", shown, what,
                g_strerror(number));
    return FALSE;
}

char *
layout_file_sha256(const char *path, GError **error)
{
    g_autofree char *archive = layout_archive_of(path);
    if (archive != NULL) {
        g_autoptr(layout_input) input = layout_input_open(path, error);
        return input != NULL ? g_compute_checksum_for_data(G_CHECKSUM_SHA256, input->source.data,
                                                           input->source.len)
                             : NULL;
    }
    int fd = g_open(path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0) {
        io_error(error, path, "cannot be opened", errno);
        return NULL;
    }
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    const size_t size = 256 * 1024;
    g_autofree guchar *buffer = g_malloc(size);
    for (;;) {
        ssize_t n = read(fd, buffer, size);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            io_error(error, path, "cannot be read", errno);
            close(fd);
            return NULL;
        }
        if (n == 0) break;
        g_checksum_update(sum, buffer, n);
    }
    close(fd);
    return g_strdup(g_checksum_get_string(sum));
}

/* After a rename only the folder's own sync makes the new name survive a power cut. Some file systems
 * cannot sync a folder; the data itself is safe by then, so that is not an error. */
static void
sync_folder_of(const char *path)
{
    g_autofree char *folder = g_path_get_dirname(path);
    int fd = g_open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (fd < 0) return;
    (void)fsync(fd);
    close(fd);
}

gboolean
layout_write_all(int fd, const void *data, size_t len)
{
    const char *rest = data;
    while (len > 0) {
        const ssize_t n = write(fd, rest, len);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            if (n == 0) errno = EIO; /* or it would go on for ever */
            return FALSE;
        }
        rest += n;
        len -= (size_t)n;
    }
    return TRUE;
}

gboolean
layout_write_file_by(const char *path, layout_file_writer write, gpointer user_data, GError **error)
{
    /* beside the target, since a rename cannot cross file systems; hidden, so that no glob of results
     * picks it up */
    g_autofree char *folder = g_path_get_dirname(path);
    g_autofree char *temporary = g_build_filename(folder, ".lode-XXXXXX", NULL);
    int fd = g_mkstemp_full(temporary, O_RDWR | O_CLOEXEC, 0666);
    if (fd < 0) return io_error(error, path, "cannot be created", errno);

    int failed = 0;
    const gboolean written = write(fd, user_data, error);
    if (written && fsync(fd) != 0) failed = errno;
    if (close(fd) != 0 && !failed) failed = errno;
    if (written && !failed && g_rename(temporary, path) != 0) failed = errno;
    if (!written || failed) g_unlink(temporary);
    if (!written) return FALSE;
    if (failed) return io_error(error, path, "cannot be written", failed);
    sync_folder_of(path);
    return TRUE;
}

typedef struct {
    const char *path;
    const void *data;
    size_t len;
} whole;

static gboolean
write_whole(int fd, gpointer user_data, GError **error)
{
    const whole *all = user_data;
    return layout_write_all(fd, all->data, all->len) ||
           io_error(error, all->path, "cannot be written", errno);
}

gboolean
layout_write_file_atomic(const char *path, const void *data, size_t len, GError **error)
{
    whole all = {path, data, len};
    return layout_write_file_by(path, write_whole, &all, error);
}
