/* The levels of gemm_f32.h; those after the first only with LODE_ENGINE_X86. */
#ifndef LODE_ENGINE_GEMM_F32_LEVELS_H
#define LODE_ENGINE_GEMM_F32_LEVELS_H

#include "engine/gemm_f32.h"

extern const engine_gemm_f32 engine_gemm_f32_ref;
extern const engine_gemm_f32 engine_gemm_f32_avx2;
extern const engine_gemm_f32 engine_gemm_f32_avx512;

#endif
