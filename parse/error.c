/* The error domain of parse. */
#include "parse/parse_internal.h"

G_DEFINE_QUARK(lode - parse - error, parse_error)

parse_error_code
parse_error_from_mupdf(fz_context *ctx)
{
    switch (fz_caught(ctx)) {
    case FZ_ERROR_MEMORY:
        return PARSE_ERROR_LIMIT;
    case FZ_ERROR_ABORT:
        return PARSE_ERROR_CANCELLED;
    default:
        return PARSE_ERROR_PAGE;
    }
}
