/* AVX2 + FMA: 6 tokens x 16 outputs, 12 of the 16 registers hold sums. */
#include "engine/gemm_f32_levels.h"
#include "engine/vectors_avx2.h"

#include <string.h>

#define TOKENS     6
#define GEMM_TABLE engine_gemm_f32_avx2
#include "engine/gemm_f32_simd.h"
