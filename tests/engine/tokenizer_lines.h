/* Test lines for tokenizers: mixed text, code, formulas, scripts, controls and broken UTF-8, all made from a
 * line number by the rules of reference/tokenizer_lines.py. */
#ifndef LODE_TESTS_TOKENIZER_LINES_H
#define LODE_TESTS_TOKENIZER_LINES_H

#include <glib.h>
#include <stdint.h>

#define TOKENIZER_N_LINES 12000

typedef struct {
    GPtrArray *words, *fragments; /* of GString */
} tokenizer_lines;

/* From tests/data/engine/tokenizer_words.txt; NULL when it cannot be read. */
tokenizer_lines *tokenizer_lines_load(const char *path);
void tokenizer_lines_free(tokenizer_lines *lines);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(tokenizer_lines, tokenizer_lines_free)

/* Replace out by line n. */
void tokenizer_lines_make(const tokenizer_lines *lines, uint32_t n, GString *out);

#define TOKENIZER_FNV_START 0x811c9dc5u
uint32_t tokenizer_lines_fnv(uint32_t hash, const void *data, size_t n);

#endif
