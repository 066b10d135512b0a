/* Choosing the level of the float product, and running it over a pool. */
#include "engine/gemm_f32_levels.h"

#include "engine/pool.h"

#define MAX_JOBS        8
#define TOKENS_PER_TASK 512 /* many enough to pay for packing the panel again */

const engine_gemm_f32 *
engine_gemm_f32_lookup(engine_cpu cpu)
{
#ifdef LODE_ENGINE_X86
    if (cpu >= ENGINE_CPU_AVX512 && engine_kernels_lookup(ENGINE_CPU_AVX512))
        return &engine_gemm_f32_avx512;
    if (cpu >= ENGINE_CPU_AVX2 && engine_kernels_lookup(ENGINE_CPU_AVX2))
        return &engine_gemm_f32_avx2;
#endif
    (void)cpu;
    return &engine_gemm_f32_ref;
}

typedef struct {
    engine_pool *pool;
    const engine_kernels *kernels;
    const engine_gemm_f32 *gemm;
    const engine_matmul_job *jobs;
    size_t n_in, n_tokens, n_chunks;
    size_t first_panel[MAX_JOBS + 1]; /* of each job; the last is the total */
    const float *x;
} gemm_run;

/* A panel from rows row .. row+n of w; scratch holds the panel, then the rows as floats if need be. */
static void
pack_rows(const gemm_run *run, const engine_tensor *w, size_t row, size_t n, float *scratch)
{
    const size_t row_bytes = engine_tensor_row_bytes(w);
    const uint8_t *packed = w->data + row * row_bytes;
    const float *rows = (const float *)(const void *)packed;
    if (w->type != ENGINE_TYPE_F32 || (uintptr_t)packed % sizeof(float) != 0) {
        float *expanded = scratch + run->gemm->width * run->n_in;
        engine_dequantize_fn dequantize = run->kernels->dequantize[w->type];
        if (!dequantize) dequantize = engine_type_lookup((uint32_t)w->type)->dequantize;
        for (size_t r = 0; r < n; r++) {
            if (w->scales)
                engine_tensor_row(w, row + r, expanded + r * run->n_in);
            else
                dequantize(packed + r * row_bytes, expanded + r * run->n_in, run->n_in);
        }
        rows = expanded;
    }
    run->gemm->pack(rows, run->n_in, n, run->n_in, scratch);
}

static void
gemm_task(void *data, size_t task, int worker)
{
    const gemm_run *run = data;
    const size_t panel = task / run->n_chunks, token = task % run->n_chunks * TOKENS_PER_TASK;
    size_t j = 0;
    while (panel >= run->first_panel[j + 1])
        j++;
    const engine_matmul_job *job = &run->jobs[j];
    const size_t row = (panel - run->first_panel[j]) * run->gemm->width;
    const size_t n = MIN(run->gemm->width, (size_t)job->w->dims[1] - row);
    float *scratch =
        engine_pool_scratch(run->pool, worker, run->gemm->width * run->n_in * 2 * sizeof(float));
    pack_rows(run, job->w, row, n, scratch);
    run->gemm->multiply(scratch, run->gemm->width, n, run->x + token * run->n_in, run->n_in,
                        MIN(TOKENS_PER_TASK, run->n_tokens - token), run->n_in,
                        job->bias ? job->bias + row : NULL, job->y + token * job->ldy + row,
                        job->ldy);
}

void
engine_gemm_f32_jobs(engine_pool *pool, const engine_kernels *k, const engine_matmul_job *jobs,
                     size_t n_jobs, const float *x, size_t n_tokens)
{
    g_assert(n_jobs > 0 && n_jobs <= MAX_JOBS);
    gemm_run run = {.pool = pool,
                    .kernels = k,
                    .gemm = engine_gemm_f32_lookup(k->cpu),
                    .jobs = jobs,
                    .n_in = (size_t)jobs[0].w->dims[0],
                    .n_tokens = n_tokens,
                    .n_chunks = (n_tokens + TOKENS_PER_TASK - 1) / TOKENS_PER_TASK,
                    .x = x};
    for (size_t j = 0; j < n_jobs; j++) {
        g_assert(jobs[j].w->dims[0] == run.n_in);
        run.first_panel[j + 1] =
            run.first_panel[j] +
            ((size_t)jobs[j].w->dims[1] + run.gemm->width - 1) / run.gemm->width;
    }
    if (n_tokens > 0)
        engine_pool_run(pool, run.first_panel[n_jobs] * run.n_chunks, gemm_task, &run);
}
