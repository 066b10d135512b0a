/* places: where a chunk's text stands, as it is kept in the database. */
#ifndef LODE_RETRIEVAL_PLACES_H
#define LODE_RETRIEVAL_PLACES_H

#include <glib.h>

#include "retrieval/retrieval.h"

/* The box on the grid that the database keeps: sixteenths of a point, 0.02 mm. */
layout_box retrieval_box_on_grid(const layout_box *box);

/* Where the chunks of a document begin, most often: what their first places are told by. On the grid. */
typedef struct {
    int64_t x, y, width, height;
} retrieval_frame;

/* lists: of GArray of retrieval_place; NULL ones and empty ones do not count. */
retrieval_frame retrieval_frame_of(const GPtrArray *lists);
GBytes *retrieval_pack_frame(const retrieval_frame *frame);
retrieval_frame retrieval_unpack_frame(const void *bytes, size_t n_bytes); /* zeros: no frame */

/* places: GArray of retrieval_place, their boxes on the grid; NULL: none. Some six bytes a line of text. text_len: bytes
 * of the chunk's text, which the last place mostly ends. frame NULL: as schema 6 had them, without either. */
GBytes *retrieval_pack_places(const GArray *places, const retrieval_frame *frame, size_t text_len);

/* What pack made of the same frame and text_len, appended to places; whatever is wrong with the bytes ends the list there
 * and gives FALSE. */
gboolean retrieval_unpack_places(const void *bytes, size_t n_bytes, const retrieval_frame *frame,
                                 size_t text_len, GArray *places);
/* The same where a frame is given and the first number of it stands elsewhere: head (NULL: it does not). */
gboolean retrieval_unpack_counted_places(const int64_t *head, const void *bytes, size_t n_bytes,
                                         const retrieval_frame *frame, size_t text_len,
                                         GArray *places);

#endif
