/* The vocabulary of kv_kernels_simd.h for AVX-512 F, BW, VL and DQ.
 * 24 sums, two keys and one broadcast query element of the 32 registers. */
#include "engine/kv_kernels.h"
#include "engine/vectors_avx512.h"

#include <string.h>

#define SCORE_ROWS 12

static inline void
v_to_half(vf x, uint16_t *out)
{
    _mm256_storeu_si256((__m256i *)(void *)out, _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
}

#include "engine/kv_kernels_simd.h"
