/* sentences: how long a text is. Where its sentences end is in retrieval.h. */
#ifndef LODE_RETRIEVAL_SENTENCES_H
#define LODE_RETRIEVAL_SENTENCES_H

#include <glib.h>
#include <stdint.h>

/* Length in tokens of a usual sub-word vocabulary: 4 per 3 words. A run without white space counts as one
 * word per 16 characters begun; a wide character (Chinese, Japanese, Korean) as a word of its own. */
guint retrieval_count_tokens(const char *text, size_t len);

/* The largest prefix of text [len] of at most max_tokens, cut behind white space where there is some, else
 * between characters; at least one character. Returns its length in bytes. */
uint32_t retrieval_cut_tokens(const char *text, uint32_t len, guint max_tokens);

#endif
