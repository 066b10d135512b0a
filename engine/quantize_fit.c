/* The fits of quantize_fit.h for any processor, and the choice between them. */
#define FIT_WIDTH 4
#define FIT_TABLE engine_fit_ref
#include "engine/quantize_fit_lanes.h"

const engine_fit_kernels *
engine_fit_lookup(engine_cpu cpu)
{
    if (cpu > engine_cpu_best()) return NULL;
#ifdef LODE_ENGINE_X86
    if (cpu >= ENGINE_CPU_AVX2) return &engine_fit_avx2;
#endif
    return &engine_fit_ref;
}

static gpointer
find_best(gpointer unused)
{
    (void)unused;
    return (gpointer)engine_fit_lookup(engine_cpu_best());
}

const engine_fit_kernels *
engine_fit_best(void)
{
    static GOnce once = G_ONCE_INIT;

    return g_once(&once, find_best, NULL);
}

void
engine_fit_transpose(const float *src, int n, int n_runs, float *x)
{
    for (int r = 0; r < ENGINE_FIT_LANES; r++)
        for (int i = 0; i < n; i++)
            x[i * ENGINE_FIT_LANES + r] = r < n_runs ? src[r * n + i] : 0.0f;
}
