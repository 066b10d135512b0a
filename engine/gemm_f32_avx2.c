/* AVX2 + FMA: 6 tokens x 16 outputs, 12 of the 16 registers hold sums. */
#include "engine/gemm_f32_levels.h"

#include <immintrin.h>
#include <string.h>

#define VW     8
#define TOKENS 6
typedef __m256 vf;
#define v_load(p)      _mm256_loadu_ps(p)
#define v_store(p, v)  _mm256_storeu_ps(p, v)
#define v_set1(f)      _mm256_set1_ps(f)
#define v_fma(a, b, c) _mm256_fmadd_ps(a, b, c)
#define GEMM_TABLE     engine_gemm_f32_avx2
#include "engine/gemm_f32_simd.h"
