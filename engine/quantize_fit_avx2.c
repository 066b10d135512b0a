/* The fits of quantize_fit.h with eight lanes in a vector. */
#include <immintrin.h>

#define FIT_WIDTH 8
#define FIT_TABLE engine_fit_avx2
#include "engine/quantize_fit_lanes.h"
