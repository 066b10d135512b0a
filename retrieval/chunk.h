/* chunk: internals that the library shares with retrieval_chunk_document. */
#ifndef LODE_RETRIEVAL_CHUNK_H
#define LODE_RETRIEVAL_CHUNK_H

#include "retrieval/retrieval.h"

/* An empty chunk of a type: no text, no boxes, page and blocks 0. */
retrieval_chunk *retrieval_chunk_new(layout_block_type type);
void retrieval_chunk_free(retrieval_chunk *chunk); /* NULL is fine */

/* What is embedded and matched: title, section and text, white space between. Free with g_free. */
char *retrieval_chunk_context(const char *title, const char *section, const char *text);

#endif
