#include "grammar_vocab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const char *const PIECES[] = {
    "\"",    "\":",      "\": ",   "\",",      "\", \"",   "\"}",  "\"]",   "\"},",     "{\"",
    "{",     "}",        "[",      "]",        "[]",       "{}",   "}}",    "]]",       "[[",
    "[{",    "},",       "},{",    "},\n",     "\n",       "\n ",  "\n  ",  "\n    ",   " ",
    "  ",    "    ",     " \"",    " {",       " [",       ",",    ", ",    ":",        ": ",
    "true",  "false",    "null",   " true",    " null",    "tru",  "e",     "e,",       "0",
    "1",     "12",       "123",    "2024",     "2024-",    "-",    "-1",    "0.",       ".5",
    "1e",    "E+",       "a",      "b",        "ab",       "abc",  "name",  "\"name\"", "name\":",
    "title", "the",      " the",   " and",     "kind",     "\\",   "\\n",   "\\\"",     "\\u",
    "\\u00", "é",        "ü",      "ö ",       "日",       "本",   "日本",  "语言",     "😀",
    "\xe6",  "\xe6\x97", "\xa5",   "\xf0\x9f", "\x98\x80", "\xc3", "\xa9 ", "x",        "y",
    "z",     "foo",      "foobar", "oo",       "bar",      "-01-", "T00:",  ":00",      "Z\"",
    "@",     "://",      "http",   "id"};

test_vocab *
test_vocab_new(guint n_more, guint32 seed)
{
    test_vocab *vocab = g_new0(test_vocab, 1);
    GRand *rand = g_rand_new_with_seed(seed);
    g_autoptr(GHashTable) seen =
        g_hash_table_new((GHashFunc)g_string_hash, (GEqualFunc)g_string_equal);
    vocab->bytes = g_ptr_array_new();
    for (guint i = 0; i < 3; i++)
        g_ptr_array_add(vocab->bytes, NULL);
    for (guint i = 0; i < 256; i++) {
        const char byte = (char)i;
        g_ptr_array_add(vocab->bytes, g_string_new_len(&byte, 1));
    }
    for (size_t i = 0; i < G_N_ELEMENTS(PIECES); i++)
        if (strlen(PIECES[i]) > 1) g_ptr_array_add(vocab->bytes, g_string_new(PIECES[i]));
    for (guint i = 0; i < n_more; i++) {
        GString *token = g_string_new(NULL);
        for (gint k = g_rand_int_range(rand, 2, 5); k > 0; k--)
            g_string_append(token, PIECES[g_rand_int_range(rand, 0, G_N_ELEMENTS(PIECES))]);
        /* some end inside a character */
        if (g_rand_int_range(rand, 0, 4) == 0) g_string_truncate(token, token->len - 1);
        g_ptr_array_add(vocab->bytes, token);
    }
    g_autofree vocab_token *tokens = g_new0(vocab_token, vocab->bytes->len);
    for (guint i = 0; i < vocab->bytes->len; i++) {
        const GString *token = vocab->bytes->pdata[i];
        if (token) tokens[i] = (vocab_token){token->str, token->len};
    }
    vocab->trie = vocab_trie_new(tokens, vocab->bytes->len);
    g_rand_free(rand);
    return vocab;
}

void
test_vocab_free(test_vocab *vocab)
{
    for (guint i = 0; i < vocab->bytes->len; i++)
        if (vocab->bytes->pdata[i]) g_string_free(vocab->bytes->pdata[i], TRUE);
    g_ptr_array_unref(vocab->bytes);
    vocab_trie_free(vocab->trie);
    g_free(vocab);
}

const GString *
test_vocab_token(const test_vocab *vocab, guint id)
{
    return vocab->bytes->pdata[id];
}

void
test_vocab_check_mask(const test_vocab *vocab, grammar_matcher *matcher)
{
    const uint64_t *mask = grammar_matcher_mask(matcher);
    g_autofree uint64_t *copy = g_memdup2(mask, vocab->trie->n_words * sizeof *mask);
    for (guint i = 0; i < vocab->bytes->len; i++) {
        const GString *token = vocab->bytes->pdata[i];
        const gboolean expected = token && grammar_matcher_allows(matcher, token->str, token->len);
        const gboolean got = (copy[i / 64] >> i % 64 & 1) != 0;
        if (got != expected)
            fail_msg("token %u '%s' is %s", i, token ? token->str : "(control)",
                     got ? "allowed, but cannot be accepted" : "missing");
    }
}

gint
test_vocab_pick(const test_vocab *vocab, const uint64_t *mask, GRand *rand)
{
    guint n = 0;
    gint chosen = -1;
    for (guint i = 0; i < vocab->bytes->len; i++)
        if (mask[i / 64] >> i % 64 & 1)
            if (g_rand_int_range(rand, 0, (gint32)++n) == 0) chosen = (gint)i;
    return chosen;
}
