/* The KV cache's inner loops for AVX-512 with VNNI. */
#define V_VNNI
#include "engine/kv_kernels_avx512.h"

const engine_kv_kernels engine_kv_kernels_vnni = KV_TABLE;
