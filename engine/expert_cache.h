/* Experts of a model that is larger than the memory it may use: read from its files into a fixed arena as they are
 * needed, those used often and lately kept. */
#ifndef LODE_ENGINE_EXPERT_CACHE_H
#define LODE_ENGINE_EXPERT_CACHE_H

#include "engine/model.h"
#include "engine/moe.h"

G_BEGIN_DECLS

typedef struct engine_expert_cache engine_expert_cache;

/* Bytes of all experts of the model, draft heads' included; of the widest single expert; and how many of them one
 * token needs at once. All 0 for a model without experts. */
typedef struct {
    uint64_t all_bytes;
    size_t slab_bytes;
    uint32_t n_used;
} engine_expert_sizes;
engine_expert_sizes engine_expert_sizes_of(const engine_model *model);

/* An arena of n_bytes: LIMIT when that is less than one expert or cannot be had, IO when a file cannot be opened.
 * The model must outlive the cache. One forward pass at a time; a thread of its own reads ahead. */
engine_expert_cache *engine_expert_cache_new(const engine_model *model, uint64_t n_bytes,
                                             GError **error);
void engine_expert_cache_free(engine_expert_cache *cache); /* no pass is running */
const engine_expert_source *engine_expert_cache_source(engine_expert_cache *cache);

engine_expert_stats engine_expert_cache_get_stats(engine_expert_cache *cache);

G_END_DECLS
#endif
