/* The error domain of retrieval. */
#include "retrieval/retrieval.h"

G_DEFINE_QUARK(lode - retrieval - error, retrieval_error)
