/* What an engine_kv is made of, for kv.c, kv_store.c and attention.c. */
#ifndef LODE_ENGINE_KV_PRIVATE_H
#define LODE_ENGINE_KV_PRIVATE_H

#include "engine/kv.h"
#include "engine/kv_kernels.h"
#include "engine/pool.h"

G_BEGIN_DECLS

/* Byte counts that follow from a shape. */
typedef struct {
    size_t tile_k; /* one tile of keys */
    size_t row_v;
    size_t at_v;              /* where the values of a head begin, from its keys */
    size_t head, layer, page; /* page: of all layers, wherever they lie */
} engine_kv_layout;

/* FALSE: a type we do not store, a dimension that is not whole blocks, or sizes that overflow. */
gboolean engine_kv_layout_of(const engine_kv_shape *shape, engine_kv_layout *out);

struct engine_kv {
    engine_kv_shape shape;
    engine_kv_layout layout;
    uint8_t *arena;                /* mapped: [n_pages][host_page] */
    size_t host_page, device_page; /* bytes of a page's layers here and there: layout.page in all */
    uint32_t *place;               /* [n_layers] which of the layers on its side it is */
    gboolean *on_device;           /* [n_layers] */
    struct engine_backend *device; /* borrowed; NULL: none */
    uint8_t *device_arena;         /* the device's memory: [n_pages][device_page] */
    uint32_t n_pages, n_free;
    uint32_t *holders; /* [n_pages] */
    uint32_t *free;    /* [n_pages], the first n_free are page numbers */

    /* of the attention call at hand; grown when needed, kept */
    float *parts;
    size_t parts_bytes;
    void *items;
    size_t items_bytes;
};

/* Keys (then values) of one head of one page, of a layer that lies here. */
static inline uint8_t *
engine_kv_head_at(const engine_kv *kv, const engine_kv_table *table, uint32_t page, uint32_t layer,
                  uint32_t head)
{
    return kv->arena + table->pages[page] * kv->host_page + kv->place[layer] * kv->layout.layer +
           head * kv->layout.head;
}

#define ENGINE_KV_ROTATED_DIM 512 /* wider heads are stored as they are */

/* Keys in Q4_0: SmolLM2-135M's text over 700 tokens then diverges by 0.056 (KL) instead of 0.164. Rotated values
 * changed nothing. */
static inline gboolean
engine_kv_rotates(const engine_kv *kv)
{
    return kv->shape.type_k == ENGINE_TYPE_Q4_0 && kv->shape.dim_k <= ENGINE_KV_ROTATED_DIM;
}

/* x [dim] = H x / sqrt(n) in pieces of n, the largest power of two that divides dim. Its own inverse. */
void engine_kv_rotate(float *x, size_t dim);

/* engine_kv_page_read of a page number. */
void engine_kv_read_number(const engine_kv *kv, uint32_t number, uint8_t *out);

/* Pages for a span's rows are there. */
static inline void
engine_kv_check_span(const engine_kv_span *span)
{
    g_assert((size_t)span->first + span->n <= (size_t)span->table->n_pages * ENGINE_KV_PAGE);
}

/* What engine_kv_store does, for one KV head. */
void engine_kv_store_head(engine_kv *kv, const engine_kv_kernels *kernels, uint32_t layer,
                          const engine_kv_span *spans, size_t n_spans, const float *k,
                          const float *v, uint32_t head);

G_END_DECLS
#endif
