/* The AVX-512 kernels as a processor without AVX-512 can run them. */
#include "avx512_emulation.h"

#define engine_int8_avx512 emulated_int8_avx512
#include "engine/int8_avx512.c"
