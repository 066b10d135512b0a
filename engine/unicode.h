/* Unicode as tokenizers need it: bytes to code points, classes, canonical decomposition, lower case.
 *
 * The classes come from unicode_tables.c (see there), not from GLib, because they decide token ids: the
 * same text must give the same ids with every GLib. Decompositions and combining classes are frozen by
 * Unicode's stability policy; those two are GLib's, asked only for code points the table flags.
 * Everything here is pure and thread-safe. */
#ifndef LODE_ENGINE_UNICODE_H
#define LODE_ENGINE_UNICODE_H

#include <glib.h>
#include <stdint.h>

/* Flags of unicode_class(). The regex classes are those of Oniguruma, the BERT ones those of the
 * reference's BERT normaliser, which knows an older Unicode. */
enum {
    UNICODE_LETTER = 1 << 0,     /* \p{L} */
    UNICODE_NUMBER = 1 << 1,     /* \p{N} */
    UNICODE_MARK = 1 << 2,       /* \p{M} */
    UNICODE_PUNCT = 1 << 3,      /* \p{P} */
    UNICODE_SPACE = 1 << 4,      /* \s, White_Space */
    UNICODE_DIGIT = 1 << 5,      /* Nd, Nl or No: what the pre-tokenizer "Digits" isolates */
    UNICODE_BERT_PUNCT = 1 << 6, /* isolated by BertPreTokenizer */
    UNICODE_BERT_DROP = 1 << 7,  /* U+0000, U+FFFD, controls, formats, private use */
    UNICODE_BERT_MARK = 1 << 8,  /* Mn, dropped with the accents */
    UNICODE_COMBINING = 1 << 9,  /* canonical combining class is not 0 */
    UNICODE_DECOMPOSES = 1 << 10 /* has a canonical decomposition (Hangul syllables apart) */
};
#define UNICODE_FLAG_BITS 11

typedef struct {
    uint32_t first, last, step;
    int32_t delta;
} unicode_lower_run;

extern const uint32_t unicode_segments[];
extern const size_t unicode_n_segments;
extern const uint16_t unicode_ascii[128];
extern const unicode_lower_run unicode_lower_runs[];
extern const size_t unicode_n_lower_runs;

/* General categories as Oniguruma has them (unicode_categories.c): segments of first code point << 5 | place of the
 * name, up to the next one's. */
extern const char unicode_category_names[][3];
extern const size_t unicode_n_category_names;
extern const uint32_t unicode_categories[];
extern const size_t unicode_n_categories;

unsigned unicode_class(uint32_t cp);
uint32_t unicode_lower(uint32_t cp); /* simple lower case: one code point to one */

/* Canonical decomposition (NFD) of one code point, marks not yet reordered: 1 to 4 code points. */
#define UNICODE_MAX_DECOMPOSITION 4
size_t unicode_decompose(uint32_t cp, uint32_t out[UNICODE_MAX_DECOMPOSITION]);

/* The character at s, which has n >= 1 bytes left: its length, 1 to 4, and its code point. Ill-formed
 * bytes: the length of the maximal ill-formed subpart and U+FFFD (Unicode 15, section 3.9, table 3-8;
 * also what Python's bytes.decode("utf-8", "replace") does). */
size_t unicode_next(const char *s, size_t n, uint32_t *cp);

/* Append cp as UTF-8. */
void unicode_append(GString *out, uint32_t cp);

/* text [len] if it is well formed, else a repaired copy that is also left in *owned for the caller to
 * free. *n_out is its length. NUL is a character like any other. */
const char *unicode_repair(const char *text, size_t len, char **owned, size_t *n_out);

/* text [len], well formed, in normal form C. Linear but for n log n in a run of n marks. */
GString *unicode_compose(const char *text, size_t len);

#endif
