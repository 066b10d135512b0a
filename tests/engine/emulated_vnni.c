/* The AVX-512-VNNI kernels as a processor without AVX-512 can run them. */
#include "avx512_emulation.h"

#define engine_int8_vnni emulated_int8_vnni
#include "engine/int8_vnni.c"
