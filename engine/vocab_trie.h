/* The bytes of a vocabulary's tokens as a tree, for walking all tokens at once. Private to engine/. */
#ifndef LODE_ENGINE_VOCAB_TRIE_H
#define LODE_ENGINE_VOCAB_TRIE_H

#include "engine/tokenizer.h"

G_BEGIN_DECLS

/* Nodes in the order of a depth-first walk, children by ascending byte; node 0 is the root, the empty text.
 *
 *     node i:  its first child is i + 1 when skip[i] > i + 1, its next sibling skip[i] when depth[skip[i]] is its own
 *
 * A walk that gives a node up goes on at skip[i]. Tokens that no text gives (control tokens, empty ones) are in no
 * node. Immutable. */
typedef struct vocab_trie {
    uint32_t n_nodes, n_tokens, n_words; /* n_words: of a mask, 64 tokens each */
    uint32_t max_depth;
    uint8_t *byte;   /* [n_nodes] */
    uint16_t *depth; /* [n_nodes] */
    uint32_t *skip;  /* [n_nodes] the first node behind the subtree */
    uint32_t
        *first; /* [n_nodes + 1] node i ends the tokens ids[first[i]] .. ids[first[i + 1] - 1] */
    int32_t *ids;
} vocab_trie;

typedef struct {
    const char *bytes; /* NULL: the token has no text */
    size_t len;
} vocab_token;

/* tokens [n] by id. Never NULL; tokens over 65,000 bytes are left out. Free with vocab_trie_free. */
vocab_trie *vocab_trie_new(const vocab_token *tokens, size_t n);
void vocab_trie_free(vocab_trie *trie); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(vocab_trie, vocab_trie_free)

/* The tokenizer's, made at the first call and kept by it. Thread-safe. */
const vocab_trie *engine_tokenizer_trie(const engine_tokenizer *tokenizer);

G_END_DECLS
#endif
