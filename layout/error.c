/* The error domain of layout. */
#include "layout/layout.h"

G_DEFINE_QUARK(lode - layout - error, layout_error)
