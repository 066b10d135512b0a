/* An engine that looks at layout: check_layers.cmake must refuse it. */
#include "layout/layout.h"
