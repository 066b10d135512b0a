/* cuBLAS behind engine/cuda/cublas.h, on a CPU; see there. */
#ifndef LODE_CUBLAS_EMULATED_H
#define LODE_CUBLAS_EMULATED_H
#include <cstdint>

struct lode_cublas;
/* NULL after emulation_without_cublas(true). */
const lode_cublas *emulation_cublas(void);
void emulation_without_cublas(bool missing);
/* Grouped calls so far. */
uint64_t emulation_n_grouped();
#endif
