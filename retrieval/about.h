/* about: what a chunk's row says besides its section and its text, as one string of bytes: a column of its own would cost
 * a byte and more for each, and there are as many rows as chunks. */
#ifndef LODE_RETRIEVAL_ABOUT_H
#define LODE_RETRIEVAL_ABOUT_H

#include <sqlite3.h>

#include "retrieval/places.h"

typedef struct {
    layout_block_type type;
    int first_block, last_block, first_page, last_page; /* as retrieval_chunk */
    char *page_label;                                   /* NULL: none; owned */
    GBytes *calls;                                      /* see calls.h; NULL: none; owned */
    GArray *places;                                     /* of retrieval_place; owned */
} retrieval_about;

void retrieval_about_clear(retrieval_about *about);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(retrieval_about, retrieval_about_clear)

/* frame: of the chunk's document. text_len: bytes of the chunk's text. Places are on the grid. */
GBytes *retrieval_pack_about(const retrieval_about *about, const retrieval_frame *frame,
                             size_t text_len);

/* What pack made. about is zeros, and to be cleared whatever comes of it; FALSE for bytes that are none of it, and then
 * about has what could be read of them: numbers in their ranges, places without those behind the damage. */
gboolean retrieval_unpack_about(const void *bytes, size_t n_bytes, const retrieval_frame *frame,
                                size_t text_len, retrieval_about *about);

/* As unpack, of two columns of a row: the chunk's about and its document's frame. */
gboolean retrieval_read_about(sqlite3_stmt *row, int column, size_t text_len,
                              retrieval_about *about);

#endif
