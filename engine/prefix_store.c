/* Files of a prefix store: one block each, named by its key.
 *
 *     0  "LODEKV" 0 1         40  key [32]                 112  zeros to 128
 *     8  u32 version          72  parent's key [32]        128  i32 tokens [128], -1 past n_tokens
 *    12  u32 n_tokens        104  u64 checksum             640  page, then state
 *    16  u64 page_bytes           of all other bytes
 *    24  u64 state_bytes
 *    32  u64 zero
 *
 * Numbers are little-endian. A file is written under another name, flushed and renamed, so a reader sees a whole one
 * or none; a file that is not what it should be is reported, ignored and, in time, written anew. The time of last
 * use is the file's modification time. */
#include "engine/prefix_store.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define VERSION       1
#define HEADER        128
#define PAYLOAD       (HEADER + ENGINE_KV_PAGE * (int)sizeof(int32_t))
#define AT_CHECKSUM   104
#define SUFFIX        ".lodekv"
#define TEMP_SUFFIX   ".lodekv-tmp"
#define DEFAULT_BYTES (8ull << 30)
#define STALE_SECONDS 3600 /* a temporary file this old belongs to nobody */

static const uint8_t MAGIC[8] = {'L', 'O', 'D', 'E', 'K', 'V', 0, 1};

struct engine_prefix_store {
    char *dir;
    uint64_t max_bytes, n_bytes; /* n_bytes: as of the last scan, plus what was written since */
    engine_prefix_warning warning;
    void *user_data;
    GMutex mutex;
};

/* ---- checksum ---- */

#define PRIME_1 0x9E3779B185EBCA87u
#define PRIME_2 0xC2B2AE3D27D4EB4Fu
#define PRIME_3 0x165667B19E3779F9u
#define PRIME_4 0x85EBCA77C2B2AE63u
#define PRIME_5 0x27D4EB2F165667C5u

static uint64_t
rotate_left(uint64_t x, unsigned n)
{
    return x << n | x >> (64 - n);
}

static uint64_t
u64_at(const uint8_t *p)
{
    uint64_t x;
    memcpy(&x, p, sizeof x);
    return GUINT64_FROM_LE(x);
}

static uint32_t
u32_at(const uint8_t *p)
{
    uint32_t x;
    memcpy(&x, p, sizeof x);
    return GUINT32_FROM_LE(x);
}

static uint64_t
mix_lane(uint64_t lane, uint64_t input)
{
    return rotate_left(lane + input * PRIME_2, 31) * PRIME_1;
}

uint64_t
engine_prefix_checksum(const uint8_t *bytes, size_t n, uint64_t seed)
{
    const uint8_t *p = bytes, *end = bytes + n;
    uint64_t hash = seed + PRIME_5;

    if (n >= 32) {
        uint64_t lanes[4] = {seed + PRIME_1 + PRIME_2, seed + PRIME_2, seed, seed - PRIME_1};
        for (; end - p >= 32; p += 32)
            for (size_t i = 0; i < 4; i++)
                lanes[i] = mix_lane(lanes[i], u64_at(p + 8 * i));
        hash = rotate_left(lanes[0], 1) + rotate_left(lanes[1], 7) + rotate_left(lanes[2], 12) +
               rotate_left(lanes[3], 18);
        for (size_t i = 0; i < 4; i++)
            hash = (hash ^ mix_lane(0, lanes[i])) * PRIME_1 + PRIME_4;
    }
    hash += n;
    for (; end - p >= 8; p += 8)
        hash = rotate_left(hash ^ mix_lane(0, u64_at(p)), 27) * PRIME_1 + PRIME_4;
    for (; end - p >= 4; p += 4)
        hash = rotate_left(hash ^ u32_at(p) * PRIME_1, 23) * PRIME_2 + PRIME_3;
    for (; p < end; p++)
        hash = rotate_left(hash ^ *p * PRIME_5, 11) * PRIME_1;
    hash = (hash ^ hash >> 33) * PRIME_2;
    hash = (hash ^ hash >> 29) * PRIME_3;
    return hash ^ hash >> 32;
}

/* ---- the folder ---- */

static void
warn(engine_prefix_store *store, const char *name, const char *what)
{
    if (!store->warning) return;
    g_autofree char *line = g_strdup_printf("%s/%s: %s", store->dir, name, what);
    store->warning(line, store->user_data);
}

typedef struct {
    char *name;
    uint64_t n_bytes;
    int64_t used_us;
} stored_file;

static void
clear_stored(gpointer data)
{
    g_free(((stored_file *)data)->name);
}

static gint
by_age(gconstpointer a, gconstpointer b)
{
    const stored_file *x = a, *y = b;
    if (x->used_us != y->used_us) return x->used_us < y->used_us ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* All blocks with their sizes, oldest use first; drops what a crash left behind. */
static GArray *
scan(engine_prefix_store *store)
{
    GArray *files = g_array_new(FALSE, FALSE, sizeof(stored_file));
    g_autoptr(GDir) dir = g_dir_open(store->dir, 0, NULL);
    const char *name;

    g_array_set_clear_func(files, clear_stored);
    store->n_bytes = 0;
    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(store->dir, name, NULL);
        struct stat info;
        const gboolean temporary = g_str_has_suffix(name, TEMP_SUFFIX);
        if (!temporary && !g_str_has_suffix(name, SUFFIX)) continue;
        if (lstat(path, &info) != 0 || !S_ISREG(info.st_mode)) continue;
        if (temporary) {
            if (g_get_real_time() / G_USEC_PER_SEC - info.st_mtim.tv_sec > STALE_SECONDS)
                (void)g_unlink(path);
            continue;
        }
        const stored_file file = {g_strdup(name), (uint64_t)info.st_size,
                                  info.st_mtim.tv_sec * G_USEC_PER_SEC +
                                      info.st_mtim.tv_nsec / 1000};
        g_array_append_val(files, file);
        store->n_bytes += file.n_bytes;
    }
    g_array_sort(files, by_age);
    return files;
}

/* Make room for n_bytes more. */
static void
drop_oldest(engine_prefix_store *store, uint64_t n_bytes)
{
    if (store->n_bytes + n_bytes <= store->max_bytes) return;
    g_autoptr(GArray) files = scan(store); /* other processes write here too */
    for (guint i = 0; i < files->len && store->n_bytes + n_bytes > store->max_bytes; i++) {
        const stored_file *file = &g_array_index(files, stored_file, i);
        g_autofree char *path = g_build_filename(store->dir, file->name, NULL);
        if (g_unlink(path) == 0) store->n_bytes -= file->n_bytes;
    }
}

engine_prefix_store *
engine_prefix_store_open(const char *dir, uint64_t max_bytes, engine_prefix_warning warning,
                         void *user_data, GError **error)
{
    if (g_mkdir_with_parents(dir, 0700) != 0 || g_access(dir, W_OK | X_OK) != 0) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_IO, "%s: cannot keep prefixes here: %s", dir,
                    g_strerror(errno));
        return NULL;
    }
    engine_prefix_store *store = g_new0(engine_prefix_store, 1);
    store->dir = g_strdup(dir);
    store->max_bytes = max_bytes > 0 ? max_bytes : DEFAULT_BYTES;
    store->warning = warning;
    store->user_data = user_data;
    g_mutex_init(&store->mutex);
    g_autoptr(GArray) files = scan(store);
    drop_oldest(store, 0);
    return store;
}

void
engine_prefix_store_free(engine_prefix_store *store)
{
    if (!store) return;
    g_mutex_clear(&store->mutex);
    g_free(store->dir);
    g_free(store);
}

static char *
file_name(const engine_prefix_key *key)
{
    GString *name = g_string_new(NULL);

    for (size_t i = 0; i < sizeof key->bytes; i++)
        g_string_append_printf(name, "%02x", key->bytes[i]);
    g_string_append(name, SUFFIX);
    return g_string_free(name, FALSE);
}

/* ---- writing ---- */

static void
put_u32(uint8_t *p, uint32_t x)
{
    x = GUINT32_TO_LE(x);
    memcpy(p, &x, sizeof x);
}

static void
put_u64(uint8_t *p, uint64_t x)
{
    x = GUINT64_TO_LE(x);
    memcpy(p, &x, sizeof x);
}

/* Header and tokens, [PAYLOAD] bytes. */
static void
make_header(const engine_prefix_block *block, uint8_t *header)
{
    memset(header, 0, PAYLOAD);
    memcpy(header, MAGIC, sizeof MAGIC);
    put_u32(header + 8, VERSION);
    put_u32(header + 12, block->n_tokens);
    put_u64(header + 16, block->page_bytes);
    put_u64(header + 24, block->state ? block->state_bytes : 0);
    memcpy(header + 40, block->key.bytes, sizeof block->key);
    memcpy(header + 72, block->parent.bytes, sizeof block->parent);
    for (uint32_t i = 0; i < ENGINE_KV_PAGE; i++)
        put_u32(header + HEADER + 4 * i,
                i < block->n_tokens ? (uint32_t)block->tokens[i] : UINT32_MAX);
    uint64_t sum = engine_prefix_checksum(header, PAYLOAD, 0);
    sum = engine_prefix_checksum(block->page, block->page_bytes, sum);
    if (block->state) sum = engine_prefix_checksum(block->state, block->state_bytes, sum);
    put_u64(header + AT_CHECKSUM, sum);
}

static gboolean
write_all(int fd, const uint8_t *bytes, size_t n)
{
    while (n > 0) {
        const ssize_t wrote = write(fd, bytes, n);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote <= 0) return FALSE;
        bytes += wrote;
        n -= (size_t)wrote;
    }
    return TRUE;
}

static gboolean
write_block(int fd, const engine_prefix_block *block)
{
    uint8_t header[PAYLOAD];

    make_header(block, header);
    return write_all(fd, header, sizeof header) && write_all(fd, block->page, block->page_bytes) &&
           (!block->state || write_all(fd, block->state, block->state_bytes)) && fsync(fd) == 0;
}

/* The block on disk is as good as this one: it holds a state where this one does. */
static gboolean
is_stored(const char *path, const engine_prefix_block *block)
{
    const uint64_t n_bytes =
        PAYLOAD + (uint64_t)block->page_bytes + (block->state ? block->state_bytes : 0);
    struct stat info;

    return stat(path, &info) == 0 && (uint64_t)info.st_size >= n_bytes;
}

gboolean
engine_prefix_store_put(engine_prefix_store *store, const engine_prefix_block *block)
{
    const uint64_t n_bytes =
        PAYLOAD + (uint64_t)block->page_bytes + (block->state ? block->state_bytes : 0);
    g_autofree char *name = file_name(&block->key);
    g_autofree char *path = g_build_filename(store->dir, name, NULL);
    g_autofree char *temporary = g_strdup_printf("%s/XXXXXX%s", store->dir, TEMP_SUFFIX);

    g_mutex_lock(&store->mutex);
    if (is_stored(path, block) || n_bytes > store->max_bytes) {
        g_mutex_unlock(&store->mutex);
        return TRUE;
    }
    drop_oldest(store, n_bytes);
    const int fd = g_mkstemp_full(temporary, O_RDWR | O_CLOEXEC, 0600);
    gboolean ok = fd >= 0 && write_block(fd, block);
    if (fd >= 0 && close(fd) != 0) ok = FALSE;
    if (ok && g_rename(temporary, path) != 0) ok = FALSE;
    if (ok) {
        store->n_bytes += n_bytes;
    } else {
        warn(store, name, g_strerror(errno));
        if (fd >= 0) (void)g_unlink(temporary);
    }
    g_mutex_unlock(&store->mutex);
    return ok;
}

/* ---- reading ---- */

/* NULL, or what is wrong with the file. */
static const char *
check_block(const uint8_t *bytes, size_t n, const engine_prefix_block *expected)
{
    uint8_t header[PAYLOAD];

    if (n < PAYLOAD || memcmp(bytes, MAGIC, sizeof MAGIC) != 0) return "not a prefix, ignored";
    if (u32_at(bytes + 8) != VERSION) return "a prefix of another version, ignored";
    const uint64_t page_bytes = u64_at(bytes + 16), state_bytes = u64_at(bytes + 24);
    if (memcmp(bytes + 40, expected->key.bytes, sizeof expected->key) != 0 ||
        memcmp(bytes + 72, expected->parent.bytes, sizeof expected->parent) != 0 ||
        u32_at(bytes + 12) != expected->n_tokens || page_bytes != expected->page_bytes ||
        (state_bytes != 0 && state_bytes != expected->state_bytes))
        return "a prefix of something else, ignored";
    for (uint32_t i = 0; i < expected->n_tokens; i++)
        if (u32_at(bytes + HEADER + 4 * i) != (uint32_t)expected->tokens[i])
            return "a prefix of other tokens, ignored";
    if (n - PAYLOAD < page_bytes || n - PAYLOAD - page_bytes != state_bytes)
        return "a damaged prefix (wrong length), ignored";
    memcpy(header, bytes, PAYLOAD);
    memset(header + AT_CHECKSUM, 0, 8);
    uint64_t sum = engine_prefix_checksum(header, PAYLOAD, 0);
    sum = engine_prefix_checksum(bytes + PAYLOAD, (size_t)page_bytes, sum);
    if (state_bytes > 0)
        sum = engine_prefix_checksum(bytes + PAYLOAD + page_bytes, (size_t)state_bytes, sum);
    if (sum != u64_at(bytes + AT_CHECKSUM)) return "a damaged prefix (wrong checksum), ignored";
    return NULL;
}

engine_prefix_file *
engine_prefix_store_get(engine_prefix_store *store, const engine_prefix_block *expected)
{
    g_autofree char *name = file_name(&expected->key);
    g_autofree char *path = g_build_filename(store->dir, name, NULL);
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0) return NULL;
    GMappedFile *mapped = g_mapped_file_new_from_fd(fd, FALSE, NULL);
    const uint8_t *bytes = mapped ? (const uint8_t *)g_mapped_file_get_contents(mapped) : NULL;
    const char *wrong = bytes ? check_block(bytes, g_mapped_file_get_length(mapped), expected)
                              : "cannot be mapped, ignored";
    if (wrong) {
        g_mutex_lock(&store->mutex);
        warn(store, name, wrong);
        (void)g_unlink(path); /* its name is ours: the next run writes it anew */
        g_mutex_unlock(&store->mutex);
        if (mapped) g_mapped_file_unref(mapped);
        (void)close(fd);
        return NULL;
    }
    (void)futimens(fd, NULL);
    (void)close(fd);
    engine_prefix_file *file = g_new0(engine_prefix_file, 1);
    file->file = mapped;
    file->block = *expected;
    file->block.page = bytes + PAYLOAD;
    file->block.state_bytes = (size_t)u64_at(bytes + 24);
    file->block.state = file->block.state_bytes > 0 ? bytes + PAYLOAD + expected->page_bytes : NULL;
    return file;
}

void
engine_prefix_file_free(engine_prefix_file *file)
{
    if (!file) return;
    g_mapped_file_unref(file->file);
    g_free(file);
}
