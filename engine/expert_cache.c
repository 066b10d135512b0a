/* The expert cache: a slab for each expert, all of one size, in one mapped arena.
 *
 * An expert is let go by how often it was asked for, then by how long ago: routing is skewed, and a pure
 * least-recently-used order would forget each expert just before the next token comes round to its layer. Counts
 * are halved from time to time, so that what was popular in another text does not stay for ever. Bytes are read
 * with pread, not through the mapping, whose pages would count as the process's own.
 *
 * Sources: Eliseev and Mazur, arXiv:2312.17238 (caching and guessing the next layer's experts); LFU with aging. */
#include "engine/expert_cache.h"

#include "engine/decoder_arch.h"
#include "engine/weights_private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ALIGNMENT   64
#define MAX_WAITING 64 /* experts that wait to be read ahead; more are forgotten */
#define ROOM_AHEAD  4  /* tokens' worth of experts that the arena must hold to read ahead */
#define AGING       16 /* counts are halved after this many requests per slab */

enum { N_PARTS = 4 }; /* gate, up, down, gate_up */

/* The experts of a layer (or of several that share them). */
typedef struct {
    const engine_tensor *parts[N_PARTS]; /* [n_experts] each; NULL where there is none */
    uint32_t n_experts;
    int32_t *slab_of; /* [n_experts]; -1: not here */
} pack;

typedef enum { SLAB_FREE, SLAB_LOADING, SLAB_READY } slab_state;

typedef struct {
    slab_state state;
    uint32_t pack, expert, count;
    uint64_t used; /* time of the last request */
    gboolean pinned;
} slab;

typedef struct {
    uint32_t pack, expert;
} expert_name;

struct engine_expert_cache {
    const engine_model *model;
    engine_expert_source source;
    pack *packs;
    uint32_t n_packs;
    int *files; /* [n_files] of the weights' parts; -1: in memory */
    guint n_files;
    uint8_t *arena; /* mapped: [n_slabs][slab_bytes] */
    size_t slab_bytes;
    slab *slabs;
    uint32_t n_slabs;

    GThread *reader;
    GMutex mutex; /* everything below, the slabs' states and the packs' tables */
    GCond wanted, changed;
    expert_name waiting[MAX_WAITING];
    size_t n_waiting;
    gboolean stop;
    int failure; /* errno of the last read that failed */
    uint64_t time, next_aging;
    engine_expert_stats stats;
};

static size_t
aligned(size_t n)
{
    return (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static size_t
expert_bytes(const pack *p)
{
    size_t n = 0;

    for (size_t i = 0; i < N_PARTS; i++)
        if (p->parts[i]) n += aligned(p->parts[i][0].n_bytes);
    return n;
}

static pack
pack_of(const engine_moe_ffn *m)
{
    return (pack){.parts = {m->gate, m->up, m->down, m->gate_up}, .n_experts = m->router.n_experts};
}

/* Call visit for every layer with experts, draft heads included. */
static void
each_moe(const engine_decoder *d, void (*visit)(const engine_moe_ffn *m, void *data), void *data)
{
    for (uint32_t i = 0; i < d->n_layers; i++)
        if (d->layers[i].is_moe) visit(&d->layers[i].moe, data);
    for (uint32_t i = 0; i < d->n_mtp; i++)
        if (d->mtp[i].layer.is_moe) visit(&d->mtp[i].layer.moe, data);
}

static void
find_n_packs(const engine_moe_ffn *m, void *data)
{
    uint32_t *n = data;
    *n = MAX(*n, m->pack + 1);
}

static void
fill_pack(const engine_moe_ffn *m, void *data)
{
    ((pack *)data)[m->pack] = pack_of(m);
}

static void
find_n_used(const engine_moe_ffn *m, void *data)
{
    uint32_t *n = data;
    *n = MAX(*n, m->router.n_used);
}

/* The packs by number; free with g_free. */
static pack *
list_packs(const engine_decoder *d, uint32_t *n)
{
    *n = 0;
    each_moe(d, find_n_packs, n);
    pack *packs = g_new0(pack, MAX(*n, 1));
    each_moe(d, fill_pack, packs);
    return packs;
}

engine_expert_sizes
engine_expert_sizes_of(const engine_model *model)
{
    engine_expert_sizes sizes = {0};
    uint32_t n;

    if (model->info.kind != ENGINE_KIND_DECODER) return sizes;
    g_autofree pack *packs = list_packs(model->arch, &n);
    for (uint32_t i = 0; i < n; i++) {
        const size_t one = expert_bytes(&packs[i]);
        sizes.slab_bytes = MAX(sizes.slab_bytes, one);
        sizes.all_bytes += (uint64_t)one * packs[i].n_experts;
    }
    each_moe(model->arch, find_n_used, &sizes.n_used);
    return sizes;
}

/* ---- reading ---- */

/* The bytes of a tensor from its file. */
static gboolean
read_tensor(const engine_expert_cache *cache, const engine_tensor *tensor, uint8_t *out)
{
    const GPtrArray *parts = cache->model->weights->parts;

    for (guint i = 0; i < parts->len; i++) {
        const engine_part *part = g_ptr_array_index(parts, i);
        if (tensor->data < part->data || tensor->data >= part->data + part->n_bytes) continue;
        if (cache->files[i] < 0) {
            memcpy(out, tensor->data, tensor->n_bytes);
            return TRUE;
        }
        off_t at = (off_t)(tensor->data - part->data);
        for (size_t left = tensor->n_bytes; left > 0;) {
            const ssize_t n = pread(cache->files[i], out, left, at);
            if (n < 0 && errno == EINTR) continue;
            if (n == 0) errno = EIO; /* the file has been cut since it was mapped */
            if (n <= 0) return FALSE;
            out += n;
            at += n;
            left -= (size_t)n;
        }
        return TRUE;
    }
    return FALSE;
}

static gboolean
read_expert(const engine_expert_cache *cache, uint32_t index)
{
    const slab *s = &cache->slabs[index];
    const pack *p = &cache->packs[s->pack];
    uint8_t *out = cache->arena + (size_t)index * cache->slab_bytes;

    for (size_t i = 0; i < N_PARTS; i++) {
        if (!p->parts[i]) continue;
        if (!read_tensor(cache, &p->parts[i][s->expert], out)) return FALSE;
        out += aligned(p->parts[i][0].n_bytes);
    }
    return TRUE;
}

/* ---- slabs; the mutex is held ---- */

/* One to put an expert into, its old one let go; -1 when all are pinned or being read. */
static int32_t
take_slab(engine_expert_cache *cache)
{
    int32_t best = -1;

    for (uint32_t i = 0; i < cache->n_slabs; i++) {
        const slab *s = &cache->slabs[i], *b = best >= 0 ? &cache->slabs[best] : NULL;
        if (s->state == SLAB_FREE) return (int32_t)i;
        if (s->state == SLAB_LOADING || s->pinned) continue;
        if (!b || s->count < b->count || (s->count == b->count && s->used < b->used))
            best = (int32_t)i;
    }
    if (best >= 0) {
        slab *s = &cache->slabs[best];
        cache->packs[s->pack].slab_of[s->expert] = -1;
        s->state = SLAB_FREE;
    }
    return best;
}

/* Read an expert into the slab; lets go of the mutex meanwhile. */
static gboolean
load(engine_expert_cache *cache, int32_t index, uint32_t pack_index, uint32_t expert)
{
    slab *s = &cache->slabs[index];

    *s = (slab){.state = SLAB_LOADING, .pack = pack_index, .expert = expert, .used = cache->time};
    cache->packs[pack_index].slab_of[expert] = index;
    g_mutex_unlock(&cache->mutex);
    const gboolean ok = read_expert(cache, (uint32_t)index);
    const int failure = errno;
    g_mutex_lock(&cache->mutex);
    if (!ok) cache->failure = failure;
    s->state = ok ? SLAB_READY : SLAB_FREE;
    if (!ok) cache->packs[pack_index].slab_of[expert] = -1;
    if (ok) {
        cache->stats.n_reads++;
        cache->stats.n_bytes += expert_bytes(&cache->packs[pack_index]);
    }
    g_cond_broadcast(&cache->changed);
    return ok;
}

static void
age(engine_expert_cache *cache)
{
    if (++cache->time < cache->next_aging) return;
    cache->next_aging = cache->time + (uint64_t)AGING * cache->n_slabs;
    for (uint32_t i = 0; i < cache->n_slabs; i++)
        cache->slabs[i].count /= 2;
}

/* Bring one expert in and pin it. */
static gboolean
acquire_one(engine_expert_cache *cache, uint32_t pack_index, uint32_t expert)
{
    const int32_t *slab_of = &cache->packs[pack_index].slab_of[expert];

    age(cache);
    if (*slab_of >= 0) cache->stats.n_hits++;
    while (*slab_of < 0 || cache->slabs[*slab_of].state != SLAB_READY) {
        const int32_t index = *slab_of < 0 ? take_slab(cache) : -1;
        if (index >= 0) {
            if (!load(cache, index, pack_index, expert)) return FALSE;
        } else { /* it, or all that could make room, is being read ahead */
            g_cond_wait(&cache->changed, &cache->mutex);
        }
    }
    slab *s = &cache->slabs[*slab_of];
    s->pinned = TRUE;
    s->count++;
    s->used = cache->time;
    return TRUE;
}

/* ---- the source ---- */

static void
release(void *ctx, uint32_t layer)
{
    engine_expert_cache *cache = ctx;

    (void)layer;
    g_mutex_lock(&cache->mutex);
    for (uint32_t i = 0; i < cache->n_slabs; i++)
        cache->slabs[i].pinned = FALSE;
    g_mutex_unlock(&cache->mutex);
}

static gboolean
acquire(void *ctx, uint32_t layer, const uint32_t *experts, size_t n, GError **error)
{
    engine_expert_cache *cache = ctx;
    gboolean ok = TRUE;

    g_assert(n <= cache->n_slabs && layer < cache->n_packs);
    g_mutex_lock(&cache->mutex);
    /* those that are here first: nobody may push them out for the others */
    for (size_t i = 0; i < n; i++) {
        const int32_t index = cache->packs[layer].slab_of[experts[i]];
        if (index >= 0) cache->slabs[index].pinned = TRUE;
    }
    for (size_t i = 0; ok && i < n; i++) {
        ok = acquire_one(cache, layer, experts[i]);
        if (!ok)
            g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_IO,
                        "%s: expert %u of layer %u cannot be read: %s",
                        engine_weights_path(cache->model->weights), experts[i], layer,
                        g_strerror(cache->failure));
    }
    g_mutex_unlock(&cache->mutex);
    if (!ok) release(cache, layer);
    return ok;
}

static const uint8_t *
data(void *ctx, const engine_tensor *tensor, uint32_t layer, uint32_t expert)
{
    /* pinned, so neither the table's entry nor the slab changes: no lock */
    const engine_expert_cache *cache = ctx;
    const pack *p = &cache->packs[layer];
    const uint8_t *at = cache->arena + (size_t)p->slab_of[expert] * cache->slab_bytes;

    for (size_t i = 0; i < N_PARTS; i++) {
        if (!p->parts[i]) continue;
        if (tensor->data == p->parts[i][expert].data) return at;
        at += aligned(p->parts[i][0].n_bytes);
    }
    g_assert_not_reached();
}

static void
prefetch(void *ctx, uint32_t layer, const uint32_t *experts, size_t n)
{
    engine_expert_cache *cache = ctx;

    g_mutex_lock(&cache->mutex);
    cache->n_waiting = 0; /* what was not begun by now is too late */
    for (size_t i = 0; i < n && cache->n_waiting < MAX_WAITING; i++)
        if (cache->packs[layer].slab_of[experts[i]] < 0)
            cache->waiting[cache->n_waiting++] = (expert_name){layer, experts[i]};
    if (cache->n_waiting > 0) g_cond_signal(&cache->wanted);
    g_mutex_unlock(&cache->mutex);
}

static gpointer
read_ahead(gpointer arg)
{
    engine_expert_cache *cache = arg;

    g_mutex_lock(&cache->mutex);
    while (!cache->stop) {
        if (cache->n_waiting == 0) {
            g_cond_wait(&cache->wanted, &cache->mutex);
            continue;
        }
        const expert_name next = cache->waiting[--cache->n_waiting];
        if (cache->packs[next.pack].slab_of[next.expert] >= 0) continue;
        const int32_t index = take_slab(cache);
        if (index >= 0) (void)load(cache, index, next.pack, next.expert);
    }
    g_mutex_unlock(&cache->mutex);
    return NULL;
}

/* ---- lifecycle ---- */

static gboolean
open_files(engine_expert_cache *cache, GError **error)
{
    const GPtrArray *parts = cache->model->weights->parts;

    cache->files = g_new(int, MAX(parts->len, 1));
    for (; cache->n_files < parts->len; cache->n_files++) {
        const engine_part *part = g_ptr_array_index(parts, cache->n_files);
        cache->files[cache->n_files] = part->file ? open(part->path, O_RDONLY | O_CLOEXEC) : -1;
        if (!part->file || cache->files[cache->n_files] >= 0) continue;
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_IO, "%s: %s", part->path, g_strerror(errno));
        return FALSE;
    }
    return TRUE;
}

engine_expert_cache *
engine_expert_cache_new(const engine_model *model, uint64_t n_bytes, GError **error)
{
    const engine_expert_sizes sizes = engine_expert_sizes_of(model);
    uint64_t n_all = 0;

    if (sizes.slab_bytes == 0 || n_bytes < sizes.slab_bytes) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_LIMIT,
                    "%s: one expert takes %zu bytes, %" G_GUINT64_FORMAT " are left for them",
                    model->info.name, sizes.slab_bytes, n_bytes);
        return NULL;
    }
    engine_expert_cache *cache = g_new0(engine_expert_cache, 1);
    g_mutex_init(&cache->mutex);
    g_cond_init(&cache->wanted);
    g_cond_init(&cache->changed);
    cache->model = model;
    cache->slab_bytes = sizes.slab_bytes;
    cache->packs = list_packs(model->arch, &cache->n_packs);
    for (uint32_t i = 0; i < cache->n_packs; i++) {
        pack *p = &cache->packs[i];
        n_all += p->n_experts;
        p->slab_of = g_new(int32_t, MAX(p->n_experts, 1));
        for (uint32_t e = 0; e < p->n_experts; e++)
            p->slab_of[e] = -1;
    }
    cache->n_slabs = (uint32_t)MIN(MIN(n_bytes / sizes.slab_bytes, n_all), INT32_MAX);
    cache->slabs = g_new0(slab, cache->n_slabs);
    cache->stats.n_slabs = cache->n_slabs;
    void *arena = mmap(NULL, cache->n_slabs * cache->slab_bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (arena != MAP_FAILED) {
        cache->arena = arena;
        (void)madvise(arena, cache->n_slabs * cache->slab_bytes, MADV_HUGEPAGE);
    }
    if (!cache->arena || !open_files(cache, error)) {
        if (!cache->arena)
            g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_LIMIT, "no memory for %u experts of %s",
                        cache->n_slabs, model->info.name);
        engine_expert_cache_free(cache);
        return NULL;
    }
    cache->source = (engine_expert_source){.acquire = acquire,
                                           .data = data,
                                           .release = release,
                                           .prefetch = prefetch,
                                           .most = cache->n_slabs,
                                           .ctx = cache};
    /* in a small arena what is read ahead pushes out what is needed now */
    if (cache->n_slabs >= ROOM_AHEAD * sizes.n_used)
        cache->reader = g_thread_try_new("experts", read_ahead, cache, NULL);
    if (!cache->reader) cache->source.prefetch = NULL;
    return cache;
}

void
engine_expert_cache_free(engine_expert_cache *cache)
{
    if (!cache) return;
    if (cache->reader) {
        g_mutex_lock(&cache->mutex);
        cache->stop = TRUE;
        g_cond_signal(&cache->wanted);
        g_mutex_unlock(&cache->mutex);
        g_thread_join(cache->reader);
    }
    for (uint32_t i = 0; i < cache->n_packs; i++)
        g_free(cache->packs[i].slab_of);
    for (guint i = 0; i < cache->n_files; i++)
        if (cache->files[i] >= 0) (void)close(cache->files[i]);
    if (cache->arena) munmap(cache->arena, cache->n_slabs * cache->slab_bytes);
    g_free(cache->packs);
    g_free(cache->files);
    g_free(cache->slabs);
    g_cond_clear(&cache->wanted);
    g_cond_clear(&cache->changed);
    g_mutex_clear(&cache->mutex);
    g_free(cache);
}

const engine_expert_source *
engine_expert_cache_source(engine_expert_cache *cache)
{
    return &cache->source;
}

engine_expert_stats
engine_expert_cache_get_stats(engine_expert_cache *cache)
{
    g_mutex_lock(&cache->mutex);
    const engine_expert_stats stats = cache->stats;
    g_mutex_unlock(&cache->mutex);
    return stats;
}
