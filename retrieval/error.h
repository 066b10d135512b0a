/* error: what other modules say, in the words of this one. */
#ifndef LODE_RETRIEVAL_ERROR_H
#define LODE_RETRIEVAL_ERROR_H

#include <glib.h>

/* As g_propagate_error, but what the engine calls cancelled becomes RETRIEVAL_ERROR_CANCELLED. */
void retrieval_take_engine_error(GError **error, GError *failure);

#endif
