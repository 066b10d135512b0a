/* Products in int8 for AVX-512 with VNNI: vpdpbusd multiplies four unsigned weights with four signed
 * activations and adds them to 32 bits, so there are no 16-bit sums to mind. Signed weights get 128 added,
 * which the offset takes back. Types with a scale for every 16 weights keep to 16-bit steps: those can be
 * scaled while they are widened. */
#define V_VNNI
#define v_dpbusd(acc, u, s) _mm512_dpbusd_epi32(acc, u, s)
#include "engine/int8_avx512.h"

const engine_int8_kernels engine_int8_vnni = INT8_TABLE;
