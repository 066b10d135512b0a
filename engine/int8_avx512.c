/* Products in int8 for AVX-512 without VNNI. */
#include "engine/int8_avx512.h"

const engine_int8_kernels engine_int8_avx512 = INT8_TABLE;
