/* What every file of a library is written and read with; see files.h. */
#include "retrieval/files.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

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
