/* Fuzz target: JSON Schemas (bytes that begin with a brace) and grammars. What is read must also be followed: a text
 * is written token by token, each from the mask; for a schema it has to be JSON when it ends. */
#include "engine/grammar.h"

#include <jansson.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every byte, and a few tokens that cross borders. */
static vocab_trie *
make_trie(void)
{
    static const char *const more[] = {"\"}",  "\":",   "\",\"",    "{\"", "[]",   "ab",
                                       "true", "12",    "\xe6\x97", "é\"", "\n  ", ", ",
                                       "\\n",  "\\u00", "]}",       "a\":"};
    static char bytes[256];
    vocab_token tokens[256 + G_N_ELEMENTS(more)];
    for (int i = 0; i < 256; i++) {
        bytes[i] = (char)i;
        tokens[i] = (vocab_token){&bytes[i], 1};
    }
    for (size_t i = 0; i < G_N_ELEMENTS(more); i++)
        tokens[256 + i] = (vocab_token){more[i], strlen(more[i])};
    return vocab_trie_new(tokens, G_N_ELEMENTS(tokens));
}

/* The first token of the mask at or after `from`, around the end; -1: none. */
static int
next_token(const uint64_t *mask, uint32_t n, uint32_t from)
{
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t id = (from + i) % n;
        if (mask[id / 64] >> id % 64 & 1) return (int)id;
    }
    return -1;
}

enum { STEPS = 30 };

static void
write_text(const engine_grammar *grammar, const vocab_trie *trie, const uint8_t *choice, size_t n,
           gboolean json)
{
    g_autoptr(grammar_matcher) matcher = grammar_matcher_new(grammar);
    g_autoptr(GString) text = g_string_new(NULL), forced = g_string_new(NULL);

    for (size_t i = 0; i < STEPS; i++) {
        const uint64_t *mask = grammar_matcher_mask(matcher);
        const int id =
            next_token(mask, trie->n_tokens, n > 0 ? choice[i % n] * 7u + (uint32_t)i : 0);
        grammar_matcher_forced(matcher, 100, forced);
        if (grammar_matcher_failed(matcher)) return;
        if (grammar_matcher_can_end(matcher) && json) {
            json_t *value = json_loadb(text->str, text->len, JSON_DECODE_ANY, NULL);
            g_assert_nonnull(value);
            json_decref(value);
        }
        if (id < 0) {
            g_assert_true(grammar_matcher_can_end(matcher)); /* never stuck */
            return;
        }
        const gsize len = text->len;
        for (uint32_t node = 1; node < trie->n_nodes; node++)
            for (uint32_t k = trie->first[node]; k < trie->first[node + 1]; k++)
                if (trie->ids[k] == id) {
                    g_string_set_size(text, len + trie->depth[node]);
                    for (uint32_t at = node, depth = trie->depth[node]; depth > 0; at--)
                        if (trie->depth[at] == depth)
                            text->str[len + --depth] = (char)trie->byte[at];
                }
        g_assert_true(grammar_matcher_accept(matcher, text->str + len, text->len - len));
        if (i % 16 == 15) {
            grammar_matcher *copy = grammar_matcher_clone(matcher);
            grammar_matcher_free(matcher);
            matcher = copy;
        }
    }
    grammar_matcher_rewind(matcher, STEPS);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup(size > 0 ? (const char *)data : "", size);
    const gboolean json = text[0] == '{';
    g_autoptr(GError) error = NULL;
    grammar_program *program =
        json ? grammar_program_from_schema(text, &error) : grammar_program_parse(text, &error);

    g_assert_true((program == NULL) == (error != NULL));
    if (!program) return 0;
    vocab_trie *trie = make_trie();
    engine_grammar *grammar = grammar_bind(program, trie);
    write_text(grammar, trie, data, size, json);
    engine_grammar_free(grammar);
    vocab_trie_free(trie);
    return 0;
}
