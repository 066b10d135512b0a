/* AVX-512: 12 tokens x 32 outputs, 24 of the 32 registers hold sums. */
#include "engine/gemm_f32_levels.h"
#include "engine/vectors_avx512.h"

#include <string.h>

#define TOKENS     12
#define GEMM_TABLE engine_gemm_f32_avx512
#include "engine/gemm_f32_simd.h"
