/* What sequences of one model share: the KV cache, the prefixes kept in it, the buffers of a pass. engine_session is one
 * sequence on a runtime of its own, engine_batch many on one. One thread at a time. */
#ifndef LODE_ENGINE_RUNTIME_H
#define LODE_ENGINE_RUNTIME_H

#include "engine/decoder.h"
#include "engine/expert_cache.h"
#include "engine/placement.h"
#include "engine/prefix.h"

G_BEGIN_DECLS

typedef struct {
    const engine_model *model;
    engine_pool *pool;
    engine_kv *kv;
    engine_decoder_scratch *scratch;
    engine_placement *placement; /* owned, its device too; NULL: everything on the host */
    char *where; /* owned: one line about that, or why it is not the device; NULL: no device */
    engine_prefix_cache *prefixes;
    GPtrArray *spare; /* recurrent states on a device that nobody uses; NULL: they come and go */
    engine_expert_cache *experts; /* NULL: in the mapped weights */
    uint32_t chunk;               /* rows of one pass at most */
} engine_runtime;

typedef struct {
    uint32_t n_pages;  /* of the KV cache */
    uint32_t n_states; /* recurrent ones, copies included; filled in by engine_memory_check */
    uint32_t chunk;
    engine_type kv_type;
    gboolean host_only;         /* leave the model's device alone */
    uint64_t expert_bytes;      /* of the arena for experts; 0: they are used as they are mapped */
    uint64_t prefix_bytes;      /* of recurrent states kept for prefixes */
    engine_prefix_store *store; /* may be NULL */
} engine_runtime_options;

/* ---- memory.c ---- */

#define ENGINE_PREFIX_BYTES (512ull << 20) /* of recurrent states kept, unless memory is limited */

engine_type engine_kv_stored_type(engine_kv_type type);

/* What somebody is about to allocate. */
typedef struct {
    const engine_model *model;
    uint64_t n_pages;      /* of the KV cache */
    uint32_t n_states;     /* recurrent ones, copies included */
    uint32_t chunk;        /* rows of a pass */
    uint32_t n_logit_rows; /* rows of n_vocab floats */
    engine_kv_type kv_type;
    uint64_t max_memory; /* 0: as much as the machine has */
    const char *what;    /* "a context of 4096 tokens", for messages */
} engine_memory_use;

/* Pages that n_sequences of n_context tokens take, and one to spare: writing behind a prefix that is kept copies its
 * last page first. */
uint64_t engine_memory_pages(uint32_t n_context, uint32_t n_sequences);

/* The bytes of it. UNSUPPORTED, LIMIT. */
gboolean engine_memory_count(const engine_memory_use *use, engine_memory_plan *plan,
                             GError **error);

/* Refuse, with LIMIT, what can never fit; else fill in what the runtime may take for experts and prefixes. When all
 * but the experts fit what is allowed, they get what is left; else they are used as they are mapped. */
gboolean engine_memory_check(const engine_memory_use *use, engine_runtime_options *options,
                             GError **error);

/* ---- runtime.c ---- */

/* ARGUMENT for an encoder, LIMIT when memory is short, UNSUPPORTED for a KV type the model's heads do not divide
 * into. */
gboolean engine_runtime_init(engine_runtime *runtime, const engine_model *model, engine_pool *pool,
                             const engine_runtime_options *options, GError **error);
void engine_runtime_clear(engine_runtime *runtime); /* all sequences are gone */

/* All 0 where no experts lie in spare GPU memory. */
engine_device_expert_stats engine_runtime_gpu_experts(const engine_runtime *runtime);

/* A state of the model's recurrent layers, NULL with no error where it has none. */
engine_recurrent *engine_runtime_recurrent(engine_runtime *runtime, GError **error);
void engine_runtime_give_recurrent(engine_runtime *runtime, engine_recurrent **state); /* back */
/* A sequence that may grow to n_tokens. */
gboolean engine_runtime_begin(engine_runtime *runtime, engine_sequence_state *state,
                              uint32_t n_tokens, GError **error);
void engine_runtime_end(engine_runtime *runtime, engine_sequence_state *state);
/* Back to before its first token. */
void engine_runtime_reset(engine_runtime *runtime, engine_sequence_state *state);

/* How many of n_left tokens a pass should take of a sequence that holds n_past: at most `most`, and not past the
 * next place where a recurrent state is to be kept. */
uint32_t engine_runtime_step(const engine_runtime *runtime, uint32_t n_past, size_t n_left,
                             uint32_t most);

/* Ids within the vocabulary; else ARGUMENT. */
gboolean engine_runtime_check_tokens(const engine_runtime *runtime, const int32_t *tokens, size_t n,
                                     GError **error);

/* One pass over rows <= chunk tokens; pages are reserved already. Moves the sequences' n_tokens. */
gboolean engine_runtime_pass(engine_runtime *runtime, const int32_t *tokens, size_t rows,
                             const engine_decoder_span *spans, size_t n_spans, GError **error);

G_END_DECLS
#endif
