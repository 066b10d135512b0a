/* The KV cache's inner loops for AVX2 + FMA + F16C: the vocabulary; the loops are in kv_kernels_simd.h.
 * Twelve sums, two keys and one broadcast query element fill the sixteen registers. */
#include "engine/kv_kernels.h"
#include "engine/vectors_avx2.h"

#include <string.h>

#define SCORE_ROWS 6

static inline void
v_to_half(vf x, uint16_t *out)
{
    _mm_storeu_si128((__m128i *)(void *)out, _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
}

#include "engine/kv_kernels_simd.h"

const engine_kv_kernels engine_kv_kernels_avx2 = KV_TABLE;
