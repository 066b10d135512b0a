/* places: where a chunk's text stands, as it is kept in the database. */
#ifndef LODE_RETRIEVAL_PLACES_H
#define LODE_RETRIEVAL_PLACES_H

#include <glib.h>

#include "retrieval/retrieval.h"

/* The box on the grid that the database keeps: sixteenths of a point, 0.02 mm. */
layout_box retrieval_box_on_grid(const layout_box *box);

/* places: GArray of retrieval_place, their boxes on the grid. Some six bytes a line of text. */
GBytes *retrieval_pack_places(const GArray *places);

/* What pack made, appended to places; whatever is wrong with the bytes ends the list there and gives FALSE. */
gboolean retrieval_unpack_places(const void *bytes, size_t n_bytes, GArray *places);

#endif
