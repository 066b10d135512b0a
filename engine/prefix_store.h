/* The files of a prefix store; what goes into them is prefix.c's. */
#ifndef LODE_ENGINE_PREFIX_STORE_H
#define LODE_ENGINE_PREFIX_STORE_H

#include "engine/engine.h"
#include "engine/kv.h"

G_BEGIN_DECLS

/* Names a run of tokens from the beginning of a text on: SHA-256 of its parent's key and its own tokens; the
 * first parent stands for everything else the numbers depend on. */
typedef struct {
    uint8_t bytes[32];
} engine_prefix_key;

/* One block: up to ENGINE_KV_PAGE tokens behind `parent`, the page that holds them and, where there is one, the
 * recurrent state after the last of them. */
typedef struct {
    engine_prefix_key key, parent;
    uint32_t n_tokens;
    const int32_t *tokens; /* [n_tokens] */
    const uint8_t *page;
    size_t page_bytes;
    const uint8_t *state; /* NULL: none */
    size_t state_bytes;
} engine_prefix_block;

/* Write a block unless it is there already. FALSE with a warning when it could not be written. */
gboolean engine_prefix_store_put(engine_prefix_store *store, const engine_prefix_block *block);

/* A stored block, mapped, checked whole against its checksum and against what is expected: the key, the tokens, the
 * sizes (of the state: state_bytes or none). NULL when there is none or it is not that. */
typedef struct {
    GMappedFile *file;
    engine_prefix_block block;
} engine_prefix_file;

engine_prefix_file *engine_prefix_store_get(engine_prefix_store *store,
                                            const engine_prefix_block *expected);
void engine_prefix_file_free(engine_prefix_file *file);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(engine_prefix_file, engine_prefix_file_free)

/* 64-bit hash of bytes, continuing from seed. Source: the XXH64 specification (xxHash, Y. Collet). */
uint64_t engine_prefix_checksum(const uint8_t *bytes, size_t n, uint64_t seed);

G_END_DECLS
#endif
