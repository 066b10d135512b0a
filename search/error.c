/* The error domain of search. */
#include "search/search.h"

G_DEFINE_QUARK(lode - search - error, search_error)
