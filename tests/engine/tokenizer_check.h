/* Comparing a tokenizer with the ids recorded from the reference. */
#ifndef LODE_TESTS_TOKENIZER_CHECK_H
#define LODE_TESTS_TOKENIZER_CHECK_H

#include "engine/tokenizer.h"

/* Encode all lines with flags and compare with tests/data/engine/ids_STREAM.u32; fails the cmocka test and
 * prints the first lines that differ. */
void tokenizer_check_stream(const engine_tokenizer *tokenizer, const char *stream,
                            engine_tokenize_flags flags);

#endif
