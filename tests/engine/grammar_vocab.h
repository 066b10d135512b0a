/* A vocabulary for grammar tests: every byte, the usual crumbs of JSON, words, numbers, cut characters. */
#ifndef LODE_TESTS_GRAMMAR_VOCAB_H
#define LODE_TESTS_GRAMMAR_VOCAB_H

#include "engine/grammar.h"

typedef struct {
    GPtrArray *bytes; /* of GString, by id; NULL: a control token */
    vocab_trie *trie;
} test_vocab;

/* n_more tokens put together from pieces of the others, so that some cross any border. */
test_vocab *test_vocab_new(guint n_more, guint32 seed);
void test_vocab_free(test_vocab *vocab);

const GString *test_vocab_token(const test_vocab *vocab, guint id); /* NULL for control tokens */

/* Fail unless the matcher's mask is what asking about each token gives. */
void test_vocab_check_mask(const test_vocab *vocab, grammar_matcher *matcher);

/* A random token of the mask, -1 when there is none. */
gint test_vocab_pick(const test_vocab *vocab, const uint64_t *mask, GRand *rand);

#endif
