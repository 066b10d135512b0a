/* The paged KV cache: keys and values of every attention layer, shared between sequences.
 *
 * Memory is a pool of pages of ENGINE_KV_PAGE positions. One page holds all attention layers of its
 * positions, head-major, so that one head's keys (and values) of a page are one contiguous piece:
 *
 *     page:  [layer][kv_head][ K: tiles of 16 positions, dimension by dimension (kv_kernels.h) ]
 *                            [ V: position][row_v bytes ]
 *
 * A sequence reaches its pages through a table; pages are counted, so a prefix can be shared by many
 * sequences, and a shared page is copied before it is written to. Rows are stored as F32 (tests), F16,
 * Q8_0 or Q4_0; keys in Q4_0 (and the queries they meet) are first rotated by a Hadamard matrix, which spreads
 * an outlying dimension over its neighbours and changes no product.
 *
 * Locked inside only where noted: one forward pass at a time uses a cache. */
#ifndef LODE_ENGINE_KV_H
#define LODE_ENGINE_KV_H

#include "engine/engine.h"
#include "engine/kernels.h"
#include "engine/tensor.h"

G_BEGIN_DECLS

#define ENGINE_KV_PAGE                                                                             \
    128 /* positions of one page; part of the arithmetic's definition (attention.c) */

typedef struct {
    uint32_t
        n_layers; /* attention layers (recurrent ones have no rows here), MTP blocks included */
    uint32_t n_kv_heads; /* heads of k and v */
    uint32_t dim_k, dim_v;
    engine_type type_k, type_v; /* F32, F16, Q8_0, Q4_0 */
} engine_kv_shape;

typedef struct engine_kv engine_kv;
struct engine_backend; /* backend.h */

/* Bytes of one page, 0 when the shape is impossible (a type we do not store, sizes that overflow). */
size_t engine_kv_page_bytes(const engine_kv_shape *shape);

/* A cache of at most n_pages pages; address space is reserved, memory is used as pages are touched.
 * LIMIT when memory is short, UNSUPPORTED for a type we do not store. */
engine_kv *engine_kv_new(const engine_kv_shape *shape, uint32_t n_pages, GError **error);
/* The same with the layers of `on_device` [shape->n_layers] in a device's memory, all of it taken now; those pages are
 * the device's business (its `attend` reads and writes them), everything else below holds for both. device outlives the
 * cache; NULL: none. */
engine_kv *engine_kv_new_on(const engine_kv_shape *shape, uint32_t n_pages,
                            struct engine_backend *device, const gboolean *on_device,
                            GError **error);
void engine_kv_free(engine_kv *kv);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(engine_kv, engine_kv_free)
const engine_kv_shape *engine_kv_get_shape(const engine_kv *kv);
uint32_t engine_kv_n_pages(const engine_kv *kv);
uint32_t engine_kv_n_free(const engine_kv *kv); /* pages no table holds */

/* One sequence's view: position p lies in pages[p / ENGINE_KV_PAGE]. Zero-initialise before first use. */
typedef struct {
    uint32_t *pages; /* [n_pages], owned */
    uint32_t n_pages, capacity;
    uint32_t n_tokens; /* positions that hold rows */
} engine_kv_table;

/* Make positions up to n_tokens writable: takes pages, copies shared ones that will be written (from
 * table->n_tokens on). LIMIT when the pool is exhausted; the table is then as it was. Does not move
 * table->n_tokens: whoever ran the pass sets it when the rows are there. */
gboolean engine_kv_reserve(engine_kv *kv, engine_kv_table *table, uint32_t n_tokens,
                           GError **error);
/* Forget positions from n_tokens on. */
void engine_kv_truncate(engine_kv *kv, engine_kv_table *table, uint32_t n_tokens);
/* dst becomes the first n_tokens positions of src; pages are shared, none copied. dst is empty before. */
void engine_kv_share(engine_kv *kv, engine_kv_table *dst, const engine_kv_table *src,
                     uint32_t n_tokens);
void engine_kv_clear(engine_kv *kv, engine_kv_table *table); /* give everything back */

/* Single pages, for who keeps them without a sequence (the prefix store). hold counts one more holder of the
 * page behind table->pages[page] and returns its number; drop takes that back; attach adds a held page (the
 * table holds it too) as the last one, full. */
uint32_t engine_kv_page_hold(engine_kv *kv, const engine_kv_table *table, uint32_t page);
void engine_kv_page_drop(engine_kv *kv, uint32_t number);
void engine_kv_page_attach(engine_kv *kv, engine_kv_table *table, uint32_t number);
uint32_t engine_kv_page_n_holders(const engine_kv *kv, uint32_t number);

/* Rows of one forward pass that belong to one sequence: batch rows row .. row+n-1 stand at the positions
 * first .. first+n-1. The spans of a pass cover its rows in order. */
typedef struct {
    engine_kv_table *table;
    uint32_t row, n, first;
} engine_kv_span;

/* Write k [rows, n_kv_heads * dim_k] and v [rows, n_kv_heads * dim_v] of one layer, rotated already;
 * pages are reserved already. Values are rounded to the cache's types. */
void engine_kv_store(engine_kv *kv, engine_pool *pool, const engine_kernels *kernels,
                     uint32_t layer, const engine_kv_span *spans, size_t n_spans, const float *k,
                     const float *v);

/* Causal grouped-query attention of one layer, the pass's own rows included (store comes first):
 *   q [rows, n_heads * dim_k] -> out [rows, n_heads * dim_v];  softmax(q.k * scale) v
 * A row's result depends on its own sequence alone: not on other spans, chunking or threads. Long sequences
 * are split over positions (partials joined in ascending order), the group's queries go together. */
void engine_kv_attention(engine_kv *kv, engine_pool *pool, const engine_kernels *kernels,
                         uint32_t layer, const engine_kv_span *spans, size_t n_spans,
                         const float *q, uint32_t n_heads, float scale, float *out);

/* Both for a pass of few rows, without waiting for all heads between one step and the next. `make` is called once for
 * each KV head, from the pool's threads: it fills that head's part of all rows of k and v, and of q the queries that
 * share it. The same numbers as store and attention one after the other. */
typedef void (*engine_kv_make_fn)(void *data, uint32_t head);
void engine_kv_attend(engine_kv *kv, engine_pool *pool, const engine_kernels *kernels,
                      uint32_t layer, const engine_kv_span *spans, size_t n_spans,
                      engine_kv_make_fn make, void *data, const float *q, const float *k,
                      const float *v, uint32_t n_heads, float scale, float *out);

/* Pages as bytes, for the store on disk: copy one page out / in; first the host's layers, then the device's.
 * page: index into table->pages. */
void engine_kv_page_read(const engine_kv *kv, const engine_kv_table *table, uint32_t page,
                         uint8_t *out);
void engine_kv_page_write(engine_kv *kv, engine_kv_table *table, uint32_t page, const uint8_t *in);

G_END_DECLS
#endif
