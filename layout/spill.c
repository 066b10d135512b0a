/* The temporary file behind long documents; see spill.h.
 *
 * Space in the file is handed out from its front and never taken back but by a slot of the same sheet, so a
 * page is in it a few times over at most. Blocks are mapped shared, from space that was reserved first:
 * writing to a mapped hole of a full disk would be a signal, not an error. */
#define _GNU_SOURCE 1 /* O_TMPFILE */
#include "layout/spill.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define HEAP_BYTES ((size_t)512 << 10) /* blocks before the file is used */
#define SLAB_BYTES ((size_t)256 << 10) /* small blocks share one of these */
#define COPY_BYTES ((size_t)256 << 10)
#define PAGE_BYTES ((uint64_t)65536) /* at least a page of memory anywhere */
/* Mapped at once; each is twice the one before, so that letting go of all of them is a few calls. */
#define FIRST_STRETCH ((size_t)4 << 20)
#define MAX_DOUBLED   8

typedef struct {
    char *data;
    size_t size;
    gboolean mapped;
} chunk;

/* A part of the file that lies in memory; chunks are handed out from its front. */
typedef struct {
    char *data;
    size_t size, used;
    uint64_t offset;
} stretch;

struct layout_spill {
    int fd;
    gboolean tried, broken; /* to make the file; no more room in it */
    uint64_t end;           /* of what is handed out */
    GArray *chunks;         /* chunk */
    GArray *stretches;      /* stretch */
    char *slab;             /* where the next small block goes */
    size_t slab_left, slab_size, heap;
};

layout_spill *
layout_spill_new(void)
{
    layout_spill *spill = g_new0(layout_spill, 1);
    spill->fd = -1;
    spill->chunks = g_array_new(FALSE, FALSE, sizeof(chunk));
    spill->stretches = g_array_new(FALSE, FALSE, sizeof(stretch));
    spill->slab_size = 16 << 10;
    return spill;
}

void
layout_spill_free(layout_spill *spill)
{
    if (spill == NULL) return;
    for (guint i = 0; i < spill->chunks->len; i++) {
        const chunk *c = &g_array_index(spill->chunks, chunk, i);
        if (!c->mapped) g_free(c->data);
    }
    for (guint i = 0; i < spill->stretches->len; i++) {
        const stretch *s = &g_array_index(spill->stretches, stretch, i);
        munmap(s->data, s->size);
    }
    g_array_unref(spill->chunks);
    g_array_unref(spill->stretches);
    if (spill->fd >= 0) close(spill->fd);
    g_free(spill);
}

static int
file_make(void)
{
    const char *named_folder = g_getenv("TMPDIR");
    const char *folder = named_folder != NULL ? named_folder : g_get_tmp_dir();
#ifdef O_TMPFILE
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0) return fd;
#endif
    g_autofree char *path = g_build_filename(folder, "lode-XXXXXX", NULL);
    int named = g_mkstemp_full(path, O_RDWR | O_CLOEXEC, 0600);
    if (named >= 0) unlink(path);
    return named;
}

/* Space for size bytes; FALSE when there is none. */
static gboolean
space_take(layout_spill *spill, uint64_t size, uint64_t align, uint64_t *offset)
{
    if (!spill->tried) {
        /* a process that may not write large files is killed by trying */
        struct rlimit limit;
        gboolean may = getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur == RLIM_INFINITY;
        spill->tried = TRUE;
        spill->fd = may ? file_make() : -1;
        spill->broken = spill->fd < 0;
    }
    uint64_t from = (spill->end + align - 1) / align * align;
    if (spill->broken || size > (uint64_t)G_MAXINT64 - from) return FALSE;
    *offset = from;
    spill->end = from + size;
    return TRUE;
}

/* ---- slots ---- */

gboolean
layout_spill_put(layout_spill *spill, layout_slot *slot, const void *data, size_t len)
{
    if (spill->broken) return FALSE;
    if (len > slot->room) {
        size_t room = len + len / 8; /* a sheet grows a little from pass to pass */
        if (!space_take(spill, room, 1, &slot->offset)) return FALSE;
        slot->room = room;
    }
    for (size_t done = 0; done < len;) {
        ssize_t n =
            pwrite(spill->fd, (const char *)data + done, len - done, (off_t)(slot->offset + done));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            spill->broken = TRUE;
            return FALSE;
        }
        done += (size_t)n;
    }
    slot->len = len;
    return TRUE;
}

void
layout_spill_get(layout_spill *spill, const layout_slot *slot, void *data)
{
    for (size_t done = 0; done < slot->len;) {
        ssize_t n =
            pread(spill->fd, (char *)data + done, slot->len - done, (off_t)(slot->offset + done));
        if (n < 0 && errno == EINTR) continue;
        /* what was written a moment ago: the machine is failing, as when memory itself cannot be read */
        if (n <= 0) g_error("the temporary file cannot be read back: %s", g_strerror(errno));
        done += (size_t)n;
    }
}

/* ---- blocks ---- */

/* Room for size bytes at least; FALSE when there is none. */
static gboolean
stretch_new(layout_spill *spill, size_t size)
{
    const guint doubled = MIN(spill->stretches->len, MAX_DOUBLED);
    stretch s = {.size = MAX(size, FIRST_STRETCH << doubled)};
    if (!space_take(spill, s.size, PAGE_BYTES, &s.offset)) return FALSE;
    void *data = mmap(NULL, s.size, PROT_READ | PROT_WRITE, MAP_SHARED, spill->fd, (off_t)s.offset);
    if (data == MAP_FAILED) {
        /* a process that may not use many addresses */
        s.size = size;
        data = mmap(NULL, s.size, PROT_READ | PROT_WRITE, MAP_SHARED, spill->fd, (off_t)s.offset);
    }
    if (data == MAP_FAILED) return FALSE;
    s.data = data;
    g_array_append_val(spill->stretches, s);
    return TRUE;
}

/* size bytes of the file in memory, a multiple of PAGE_BYTES; NULL when there is no room. */
static char *
stretch_take(layout_spill *spill, size_t size)
{
    for (guint tries = 0; tries < 2; tries++) {
        const guint n = spill->stretches->len;
        stretch *s = n > 0 ? &g_array_index(spill->stretches, stretch, n - 1) : NULL;
        if (s == NULL || size > s->size - s->used) {
            if (!stretch_new(spill, size)) return NULL;
            continue;
        }
        if (posix_fallocate(spill->fd, (off_t)(s->offset + s->used), (off_t)size) != 0) return NULL;
        s->used += size;
        return s->data + s->used - size;
    }
    return NULL;
}

static gpointer
chunk_new(layout_spill *spill, size_t size)
{
    chunk c = {.size = size};
    if (spill->heap + size > HEAP_BYTES) {
        size_t whole = (size_t)((size + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES);
        char *data = whole >= size ? stretch_take(spill, whole) : NULL;
        if (data != NULL) c = (chunk){data, whole, TRUE};
    }
    if (!c.mapped) {
        c.data = g_malloc(size);
        spill->heap += size;
    }
    g_array_append_val(spill->chunks, c);
    return c.data;
}

char *
layout_spill_alloc_text(layout_spill *spill, size_t size)
{
    if (size > spill->slab_size / 4) return chunk_new(spill, size);
    if (size > spill->slab_left) {
        spill->slab_size = MIN(2 * spill->slab_size, SLAB_BYTES);
        spill->slab = chunk_new(spill, spill->slab_size);
        spill->slab_left = spill->slab_size;
    }
    char *block = spill->slab;
    spill->slab += size;
    spill->slab_left -= size;
    return block;
}

gpointer
layout_spill_alloc(layout_spill *spill, size_t size)
{
    /* what texts left odd is skipped */
    size_t odd = (size_t)((guintptr)spill->slab & 15), skip = odd > 0 ? 16 - odd : 0;
    if (skip <= spill->slab_left) {
        spill->slab += skip;
        spill->slab_left -= skip;
    } else {
        spill->slab_left = 0;
    }
    return layout_spill_alloc_text(spill, (MAX(size, 1) + 15) & ~(size_t)15);
}

gpointer
layout_spill_grow(layout_spill *spill, gpointer block, size_t size, size_t new_size)
{
    char *larger = layout_spill_alloc(spill, new_size);
    /* piece by piece, so that a large block is not twice in memory */
    for (size_t at = 0; at < size; at += COPY_BYTES) {
        memcpy(larger + at, (char *)block + at, MIN(COPY_BYTES, size - at));
        if (size > COPY_BYTES) layout_spill_rest(spill);
    }
    for (guint i = spill->chunks->len; block != NULL && i > 0; i--) {
        chunk *c = &g_array_index(spill->chunks, chunk, i - 1);
        if (c->data != block || size <= spill->slab_size / 4) continue;
        if (c->mapped) {
            madvise(c->data, c->size, MADV_DONTNEED); /* its addresses are not used again */
        } else {
            spill->heap -= c->size;
            g_free(c->data);
        }
        g_array_remove_index_fast(spill->chunks, i - 1);
        break;
    }
    return larger;
}

void
layout_spill_rest(layout_spill *spill)
{
    for (guint i = 0; i < spill->stretches->len; i++) {
        const stretch *s = &g_array_index(spill->stretches, stretch, i);
        madvise(s->data, s->used, MADV_DONTNEED);
    }
}
