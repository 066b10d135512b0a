/* sentences: where sentences of scientific prose end; how long a text is. */
#ifndef LODE_RETRIEVAL_SENTENCES_H
#define LODE_RETRIEVAL_SENTENCES_H

#include <glib.h>
#include <stdint.h>

/* Length in tokens of a usual sub-word vocabulary: 4 per 3 words. A run without white space counts as one
 * word per 16 characters begun; a wide character (Chinese, Japanese, Korean) as a word of its own. */
guint retrieval_count_tokens(const char *text, size_t len);

/* Append to ends (GArray of uint32_t) the byte offset behind each sentence of text [len] (UTF-8), white
 * space after it included; the last is len. Nothing for an empty text. */
void retrieval_split_sentences(const char *text, uint32_t len, GArray *ends);

/* The largest prefix of text [len] of at most max_tokens, cut behind white space where there is some, else
 * between characters; at least one character. Returns its length in bytes. */
uint32_t retrieval_cut_tokens(const char *text, uint32_t len, guint max_tokens);

#endif
