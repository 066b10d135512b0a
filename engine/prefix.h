/* Prompts already read, kept for whoever begins with the same tokens: pages of the KV cache held beyond their
 * sequence, recurrent states at some of their ends, and the store on disk behind both. One thread at a time, the
 * cache's. */
#ifndef LODE_ENGINE_PREFIX_H
#define LODE_ENGINE_PREFIX_H

#include "engine/decoder.h"
#include "engine/prefix_store.h"

G_BEGIN_DECLS

typedef struct engine_prefix_cache engine_prefix_cache;
struct engine_placement; /* placement.h */

/* state_bytes: of one recurrent state, 0 for none; most_bytes: of all that are kept. identity: everything else that the numbers depend on (the model,
 * see engine_prefix_identity). store may be NULL and outlives the cache. */
engine_prefix_cache *engine_prefix_cache_new(engine_kv *kv, size_t state_bytes, uint64_t most_bytes,
                                             const engine_prefix_key *identity,
                                             engine_prefix_store *store);
void engine_prefix_cache_free(engine_prefix_cache *cache);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(engine_prefix_cache, engine_prefix_cache_free)

/* The model's weights (a sample of every tensor), its metadata, the KV types and layout, the CPU level, the program, and
 * where its parts run (NULL: all on the host). */
engine_prefix_key engine_prefix_identity(const engine_model *model, const engine_kv_shape *shape,
                                         const struct engine_placement *placement);

/* Give an empty sequence the longest known beginning of tokens [n], at most n - 1 of them (the last token's logits
 * must be computed). Returns how many; the recurrent state, if there is one, stands behind them. */
uint32_t engine_prefix_match(engine_prefix_cache *cache, const int32_t *tokens, uint32_t n,
                             engine_sequence_state *into);
/* Keep tokens [n], all of them in the sequence's cache, with its recurrent state (which stands behind token n); on disk
 * too when there is a store. Pages are shared, not copied. */
void engine_prefix_insert(engine_prefix_cache *cache, const int32_t *tokens, uint32_t n,
                          const engine_sequence_state *from);

/* engine_kv_reserve that lets go of prefixes used longest ago when pages are short. */
gboolean engine_prefix_reserve(engine_prefix_cache *cache, engine_kv_table *table,
                               uint32_t n_tokens, GError **error);

/* Tokens between two recurrent states worth keeping: a state then takes no more room than the keys and values
 * between them, within reason. A multiple of the page; 0 when there is no state. */
uint32_t engine_prefix_interval(const engine_prefix_cache *cache);

uint32_t engine_prefix_n_entries(const engine_prefix_cache *cache);

G_END_DECLS
#endif
