/* chunk: internals that the library shares with retrieval_chunk_document. */
#ifndef LODE_RETRIEVAL_CHUNK_H
#define LODE_RETRIEVAL_CHUNK_H

#include "retrieval/retrieval.h"

/* An empty chunk of a type: no text, no boxes, page and blocks 0. */
retrieval_chunk *retrieval_chunk_new(layout_block_type type);
void retrieval_chunk_free(retrieval_chunk *chunk); /* NULL is fine */

/* Adds a place and its box; the chunk's pages grow to hold it. */
void retrieval_chunk_add_place(retrieval_chunk *chunk, const retrieval_place *place);
/* Cuts text, which will be the chunk's, to len bytes, on a character's border, and its places with it. */
void retrieval_chunk_cut(retrieval_chunk *chunk, GString *text, uint32_t len);

/* What stands around the rows of a table in each of its chunks. */
typedef struct {
    const char *caption;         /* "" where none */
    const GArray *places;        /* retrieval_place: of the caption */
    const char *section;         /* heading path */
    int first_block, last_block; /* of table and captions */
    guint target_tokens, max_tokens;
    guint n_before; /* chunks there are before this table's */
} retrieval_table_frame;

/* Appends the chunks of a table that has cells; chunk_table.c. */
void retrieval_chunk_table(GPtrArray *chunks, const lode_document *document,
                           const layout_table *table, const retrieval_table_frame *frame);

/* What is embedded and matched: title, section and text, white space between. Free with g_free. */
char *retrieval_chunk_context(const char *title, const char *section, const char *text);

#endif
