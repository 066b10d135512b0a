/* The error domain of parse. */
#include "parse/parse.h"

G_DEFINE_QUARK(lode-parse-error, parse_error)
