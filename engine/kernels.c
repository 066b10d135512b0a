/* Choosing the kernel table. */
#include "engine/kernels.h"

#include "engine/int8_levels.h"
#include "engine/kernels_levels.h"

#define N_LEVELS (ENGINE_CPU_AVX512VNNI + 1)

/* Filled once: a level's float kernels, with and without its int8 ones. */
static engine_kernels fast[N_LEVELS], exact[N_LEVELS];

static void
add_level(engine_cpu cpu, const engine_kernels *floats, const engine_int8_kernels *int8)
{
    exact[cpu] = *floats;
    exact[cpu].cpu = cpu;
    fast[cpu] = exact[cpu];
    fast[cpu].int8 = int8;
}

static gpointer
fill_tables(gpointer unused)
{
    (void)unused;
    add_level(ENGINE_CPU_SCALAR, &engine_kernels_ref, &engine_int8_ref);
#ifdef LODE_ENGINE_X86
    add_level(ENGINE_CPU_AVX2, &engine_kernels_avx2, &engine_int8_avx2);
    add_level(ENGINE_CPU_AVX512, &engine_kernels_avx512, &engine_int8_avx512);
    add_level(ENGINE_CPU_AVX512VNNI, &engine_kernels_avx512, &engine_int8_vnni);
#endif
    return NULL;
}

const engine_kernels *
engine_kernels_lookup(engine_cpu cpu)
{
    static GOnce once = G_ONCE_INIT;

    g_once(&once, fill_tables, NULL);
    return cpu <= engine_cpu_best() ? &fast[cpu] : NULL;
}

const engine_kernels *
engine_kernels_best(void)
{
    return engine_kernels_lookup(engine_cpu_best());
}

const engine_kernels *
engine_kernels_exact(const engine_kernels *k)
{
    return &exact[k->cpu];
}
