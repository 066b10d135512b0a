/* AVX-512: 12 tokens x 32 outputs, 24 of the 32 registers hold sums. */
#include "engine/gemm_f32_levels.h"

#include <immintrin.h>
#include <string.h>

#define VW     16
#define TOKENS 12
typedef __m512 vf;
#define v_load(p)      _mm512_loadu_ps(p)
#define v_store(p, v)  _mm512_storeu_ps(p, v)
#define v_set1(f)      _mm512_set1_ps(f)
#define v_fma(a, b, c) _mm512_fmadd_ps(a, b, c)
#define GEMM_TABLE     engine_gemm_f32_avx512
#include "engine/gemm_f32_simd.h"
