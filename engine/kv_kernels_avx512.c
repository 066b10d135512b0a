/* The KV cache's inner loops for AVX-512 without VNNI. */
#include "engine/kv_kernels_avx512.h"

const engine_kv_kernels engine_kv_kernels_avx512 = KV_TABLE;
