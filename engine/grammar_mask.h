/* What a vocabulary's tokens do at a position. Private to grammar_*.c. */
#ifndef LODE_ENGINE_GRAMMAR_MASK_H
#define LODE_ENGINE_GRAMMAR_MASK_H

#include "engine/grammar_machine.h"

G_BEGIN_DECLS

/* A way out of the rule or loop inside tokens: behind node's parent (or, for `whole`, behind node itself) it may end,
 * for a loop after so many more rounds. */
typedef struct {
    uint32_t node, rounds;
} mask_exit;

/* What tokens do from one position on, as far as its own rule or loop decides. Immutable but for `live`, which the
 * grammar's lock guards. */
typedef struct {
    uint64_t *bits; /* tokens that stay inside, or end where it ends; NULL: they are in ids alone */
    uint32_t
        *ids; /* the same [n_ids]; in a loop by the rounds they need; NULL where bits say it all */
    uint32_t n_ids;
    uint32_t *up_to; /* in a loop: ids[0 .. up_to[r]) need r rounds or fewer [most_rounds + 1] */
    uint32_t most_rounds;
    mask_exit *whole; /* [n_whole] nothing goes on inside: the children are what follows's alone */
    uint32_t n_whole;
    mask_exit *dead; /* by byte: nodes that only what follows can take */
    uint32_t dead_from[257];
    gboolean has_live[256]; /* there are nodes with this byte that both may take, */
    mask_exit *live[256];   /* found when first asked for */
    uint32_t n_live[256];
} local_mask;

struct engine_grammar {
    grammar_program *program;
    const vocab_trie *trie;
    GMutex lock;
    local_mask **locals;            /* [n_positions], NULL until needed; guarded */
    grammar_machine machine;        /* guarded */
    uint32_t *state_at, *rounds_at; /* [trie->max_depth + 1] of the walk; guarded */
};

/* Thread-safe; made at the first call. */
const local_mask *grammar_local(const engine_grammar *grammar, uint32_t position);
/* local->live[byte], its length in *n. Thread-safe. */
const mask_exit *grammar_live(const engine_grammar *grammar, uint32_t position, uint8_t byte,
                              uint32_t *n);

G_END_DECLS
#endif
