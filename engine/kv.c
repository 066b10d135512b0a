/* Pages and tables of the KV cache; what lies in a page is kv_store.c's, reading it attention.c's. */
#include "engine/kv_private.h"

#include "engine/backend.h"

#include <string.h>
#include <sys/mman.h>

#define ALIGNMENT 64 /* of every head's keys and values: a cache line */

/* Huge pages pay once a head's neighbours in a page are worth one; before that they only waste memory. */
#define HUGE_PAGE (2u << 20)

/* Bytes of n elements, 0 when they are not whole blocks or the cache does not store the type. */
static size_t
row_bytes(engine_type type, uint32_t n)
{
    switch (type) {
    case ENGINE_TYPE_F32:
        return 4 * (size_t)n;
    case ENGINE_TYPE_F16:
        return 2 * (size_t)n;
    case ENGINE_TYPE_Q8_0:
        return n % 32 ? 0 : (size_t)n / 32 * 34;
    case ENGINE_TYPE_Q4_0:
        return n % 32 ? 0 : (size_t)n / 32 * 18;
    default:
        return 0;
    }
}

static size_t
aligned(size_t n)
{
    return (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

gboolean
engine_kv_layout_of(const engine_kv_shape *shape, engine_kv_layout *out)
{
    /* a head wider than this is no model's; it keeps the sums below far from overflow */
    if (shape->dim_k > 1u << 16 || shape->dim_v > 1u << 16 || shape->dim_k == 0 ||
        shape->dim_v == 0 || shape->n_layers == 0 || shape->n_kv_heads == 0)
        return FALSE;
    const size_t row_k = row_bytes(shape->type_k, shape->dim_k);
    out->tile_k = row_k * ENGINE_KV_TILE;
    out->row_v = row_bytes(shape->type_v, shape->dim_v);
    if (row_k == 0 || out->row_v == 0) return FALSE;
    out->at_v = aligned(row_k * ENGINE_KV_PAGE);
    out->head = out->at_v + aligned(out->row_v * ENGINE_KV_PAGE);
    return g_size_checked_mul(&out->layer, out->head, shape->n_kv_heads) &&
           g_size_checked_mul(&out->page, out->layer, shape->n_layers) &&
           out->page <= G_MAXSIZE / 2;
}

size_t
engine_kv_page_bytes(const engine_kv_shape *shape)
{
    engine_kv_layout layout;
    return engine_kv_layout_of(shape, &layout) ? layout.page : 0;
}

static const char *
type_name(engine_type type)
{
    const engine_type_traits *traits = engine_type_lookup((uint32_t)type);
    return traits ? traits->name : "unknown";
}

/* Which layers lie where. */
static gboolean
place_layers(engine_kv *kv, const gboolean *on_device)
{
    uint32_t n[2] = {0, 0};

    kv->place = g_try_new0(uint32_t, kv->shape.n_layers);
    kv->on_device = g_try_new0(gboolean, kv->shape.n_layers);
    if (!kv->place || !kv->on_device) return FALSE;
    for (uint32_t i = 0; i < kv->shape.n_layers; i++) {
        kv->on_device[i] = on_device && on_device[i];
        kv->place[i] = n[kv->on_device[i] ? 1 : 0]++;
    }
    kv->host_page = n[0] * kv->layout.layer;
    kv->device_page = n[1] * kv->layout.layer;
    return TRUE;
}

static gboolean
map_arena(engine_kv *kv, uint32_t n_pages)
{
    size_t n_bytes;

    if (!g_size_checked_mul(&n_bytes, kv->host_page, n_pages)) return FALSE;
    if (n_bytes == 0) return TRUE;
    void *arena = mmap(NULL, n_bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (arena == MAP_FAILED) return FALSE;
    kv->arena = arena;
    if (n_bytes >= 4 * HUGE_PAGE) (void)madvise(kv->arena, n_bytes, MADV_HUGEPAGE);
    return TRUE;
}

static gboolean
take_device_arena(engine_kv *kv, uint32_t n_pages, engine_backend *device)
{
    size_t n_bytes;

    if (kv->device_page == 0) return TRUE;
    kv->device = device;
    if (!g_size_checked_mul(&n_bytes, kv->device_page, n_pages)) return FALSE;
    kv->device_arena = device->ops->alloc(device, n_bytes);
    return kv->device_arena != NULL;
}

engine_kv *
engine_kv_new(const engine_kv_shape *shape, uint32_t n_pages, GError **error)
{
    return engine_kv_new_on(shape, n_pages, NULL, NULL, error);
}

engine_kv *
engine_kv_new_on(const engine_kv_shape *shape, uint32_t n_pages, engine_backend *device,
                 const gboolean *on_device, GError **error)
{
    engine_kv_layout layout;

    if (!engine_kv_layout_of(shape, &layout)) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_UNSUPPORTED,
                    "a KV cache of %s keys of %u and %s values of %u elements is not supported",
                    type_name(shape->type_k), shape->dim_k, type_name(shape->type_v), shape->dim_v);
        return NULL;
    }
    n_pages = MAX(n_pages, 1);
    g_autoptr(engine_kv) kv = g_new0(engine_kv, 1);
    kv->shape = *shape;
    kv->layout = layout;
    kv->holders = g_try_malloc0_n(n_pages, sizeof *kv->holders);
    kv->free = g_try_malloc_n(n_pages, sizeof *kv->free);
    kv->n_pages = kv->n_free = n_pages;
    if (!kv->holders || !kv->free || !place_layers(kv, device ? on_device : NULL) ||
        !map_arena(kv, n_pages) || !take_device_arena(kv, n_pages, device)) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_LIMIT,
                    "no memory for a KV cache of %u pages of %zu bytes%s", n_pages, layout.page,
                    kv->device ? " on the device" : "");
        return NULL;
    }
    for (uint32_t i = 0; i < n_pages; i++)
        kv->free[i] = n_pages - 1 - i; /* the lowest is taken first */
    return g_steal_pointer(&kv);
}

void
engine_kv_free(engine_kv *kv)
{
    if (!kv) return;
    if (kv->arena) munmap(kv->arena, kv->host_page * kv->n_pages);
    if (kv->device_arena) kv->device->ops->release(kv->device, kv->device_arena);
    g_free(kv->place);
    g_free(kv->on_device);
    g_free(kv->holders);
    g_free(kv->free);
    g_free(kv->parts);
    g_free(kv->items);
    g_free(kv);
}

const engine_kv_shape *
engine_kv_get_shape(const engine_kv *kv)
{
    return &kv->shape;
}

uint32_t
engine_kv_n_pages(const engine_kv *kv)
{
    return kv->n_pages;
}

uint32_t
engine_kv_n_free(const engine_kv *kv)
{
    return kv->n_free;
}

static uint32_t
take_page(engine_kv *kv)
{
    const uint32_t number = kv->free[--kv->n_free];
    kv->holders[number] = 1;
    return number;
}

void
engine_kv_page_drop(engine_kv *kv, uint32_t number)
{
    g_assert(number < kv->n_pages && kv->holders[number] > 0);
    if (--kv->holders[number] == 0) kv->free[kv->n_free++] = number;
}

static uint32_t
pages_for(uint32_t n_tokens)
{
    return n_tokens / ENGINE_KV_PAGE + (n_tokens % ENGINE_KV_PAGE != 0);
}

static gboolean
grow_table(engine_kv_table *table, uint32_t n_pages)
{
    if (n_pages <= table->capacity) return TRUE;
    const uint32_t capacity = MAX(n_pages, table->capacity + table->capacity / 2);
    uint32_t *pages = g_try_realloc_n(table->pages, capacity, sizeof *pages);
    if (!pages) return FALSE;
    table->pages = pages;
    table->capacity = capacity;
    return TRUE;
}

static void
copy_page(engine_kv *kv, uint32_t to, uint32_t from)
{
    const size_t n = kv->host_page, there = kv->device_page;

    if (n > 0) memcpy(kv->arena + to * n, kv->arena + from * n, n);
    if (there > 0)
        kv->device->ops->copy(kv->device, kv->device_arena + to * there,
                              kv->device_arena + from * there, there);
}

gboolean
engine_kv_reserve(engine_kv *kv, engine_kv_table *table, uint32_t n_tokens, GError **error)
{
    const uint32_t n_pages = pages_for(n_tokens), first = table->n_tokens / ENGINE_KV_PAGE;
    uint32_t n_needed = n_pages > table->n_pages ? n_pages - table->n_pages : 0;

    for (uint32_t i = first; i < MIN(table->n_pages, n_pages); i++)
        n_needed += kv->holders[table->pages[i]] > 1;
    if (n_needed > kv->n_free || !grow_table(table, n_pages)) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_LIMIT,
                    "the KV cache is full: %u of its %u pages are free, %u more are needed",
                    kv->n_free, kv->n_pages, n_needed);
        return FALSE;
    }
    for (uint32_t i = first; i < MIN(table->n_pages, n_pages); i++) {
        const uint32_t shared = table->pages[i];
        if (kv->holders[shared] == 1) continue;
        table->pages[i] = take_page(kv);
        /* rows past table->n_tokens are about to be written, those before are read */
        copy_page(kv, table->pages[i], shared);
        engine_kv_page_drop(kv, shared);
    }
    while (table->n_pages < n_pages)
        table->pages[table->n_pages++] = take_page(kv);
    return TRUE;
}

void
engine_kv_truncate(engine_kv *kv, engine_kv_table *table, uint32_t n_tokens)
{
    const uint32_t n_pages = pages_for(n_tokens);

    table->n_tokens = MIN(table->n_tokens, n_tokens);
    while (table->n_pages > n_pages)
        engine_kv_page_drop(kv, table->pages[--table->n_pages]);
}

void
engine_kv_share(engine_kv *kv, engine_kv_table *dst, const engine_kv_table *src, uint32_t n_tokens)
{
    const uint32_t n_pages = pages_for(n_tokens);

    g_assert(dst->n_pages == 0 && n_tokens <= src->n_tokens);
    for (uint32_t i = 0; i < n_pages; i++)
        engine_kv_page_attach(kv, dst, src->pages[i]);
    dst->n_tokens = n_tokens;
}

void
engine_kv_clear(engine_kv *kv, engine_kv_table *table)
{
    engine_kv_truncate(kv, table, 0);
    g_free(table->pages);
    *table = (engine_kv_table){0};
}

uint32_t
engine_kv_page_hold(engine_kv *kv, const engine_kv_table *table, uint32_t page)
{
    g_assert(page < table->n_pages);
    kv->holders[table->pages[page]]++;
    return table->pages[page];
}

void
engine_kv_page_attach(engine_kv *kv, engine_kv_table *table, uint32_t number)
{
    g_assert(number < kv->n_pages && kv->holders[number] > 0);
    if (table->n_pages == table->capacity) {
        table->capacity += 16;
        table->pages = g_renew(uint32_t, table->pages, table->capacity);
    }
    kv->holders[number]++;
    table->pages[table->n_pages++] = number;
    table->n_tokens = table->n_pages * ENGINE_KV_PAGE;
}

uint32_t
engine_kv_page_n_holders(const engine_kv *kv, uint32_t number)
{
    return kv->holders[number];
}

void
engine_kv_read_number(const engine_kv *kv, uint32_t number, uint8_t *out)
{
    const size_t n = kv->host_page, there = kv->device_page;

    if (n > 0) memcpy(out, kv->arena + number * n, n);
    if (there > 0)
        kv->device->ops->copy_out(kv->device, out + n, kv->device_arena + number * there, there);
}

void
engine_kv_page_read(const engine_kv *kv, const engine_kv_table *table, uint32_t page, uint8_t *out)
{
    engine_kv_read_number(kv, table->pages[page], out);
}

void
engine_kv_page_write(engine_kv *kv, engine_kv_table *table, uint32_t page, const uint8_t *in)
{
    g_assert(kv->holders[table->pages[page]] == 1);
    const size_t n = kv->host_page, there = kv->device_page;
    if (n > 0) memcpy(kv->arena + table->pages[page] * n, in, n);
    if (there > 0)
        kv->device->ops->copy_in(kv->device, kv->device_arena + table->pages[page] * there, in + n,
                                 there);
}
