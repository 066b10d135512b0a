/* stem: English words without their endings. */
#ifndef LODE_RETRIEVAL_STEM_H
#define LODE_RETRIEVAL_STEM_H

#include <stddef.h>

/* Porter's stem of word [len] in place; returns its length. The word is lower case a-z; one of less than three
 * letters stays as it is. */
size_t retrieval_stem(char *word, size_t len);

#endif
