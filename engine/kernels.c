/* Choosing the kernel table. */
#include "engine/kernels.h"

#include "engine/kernels_levels.h"

const engine_kernels *
engine_kernels_lookup(engine_cpu cpu)
{
    if (cpu > engine_cpu_best()) return NULL;
    switch (cpu) {
    case ENGINE_CPU_SCALAR:
        return &engine_kernels_ref;
#ifdef LODE_ENGINE_X86
    case ENGINE_CPU_AVX2:
        return &engine_kernels_avx2;
    case ENGINE_CPU_AVX512:
        return &engine_kernels_avx512;
#endif
    default:
        return NULL;
    }
}

const engine_kernels *
engine_kernels_best(void)
{
    return engine_kernels_lookup(engine_cpu_best());
}
