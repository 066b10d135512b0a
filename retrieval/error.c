/* The error domain of retrieval; see error.h. */
#include "retrieval/error.h"

#include "engine/engine.h"
#include "retrieval/retrieval.h"

G_DEFINE_QUARK(lode - retrieval - error, retrieval_error)

void
retrieval_take_engine_error(GError **error, GError *failure)
{
    if (!g_error_matches(failure, ENGINE_ERROR, ENGINE_ERROR_CANCELLED)) {
        g_propagate_error(error, failure);
        return;
    }
    g_set_error_literal(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_CANCELLED, failure->message);
    g_error_free(failure);
}
