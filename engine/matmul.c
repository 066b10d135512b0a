/* Matrix products with stored weights of any type.
 *
 * Weights are expanded to float32, exactly as their type defines, and multiplied with float32
 * activations. The usual faster way rounds activations to int8 in blocks of 32: on SmolLM2-135M (Q4_1) that
 * alone moved the logits by 3 to 5 % of the largest (here: 0.0001 %) and changed the likeliest token at one
 * position in ten to twenty. With AVX2, int16 activations would need as many instructions as float32.
 *
 * One token: each row is expanded in registers on its way into the dot product (gemv). Many tokens: a
 * tile of rows is expanded once into scratch that stays in the L2 cache and is multiplied with all tokens
 * (gemm). Both add in the same order. */
#include "engine/kernels.h"
#include "engine/pool.h"

#define MAX_JOBS  8
#define ROWS_GEMM 24 /* 24 rows x 1536 floats = 144 KiB */
#define ROWS_GEMV 64

typedef struct {
    engine_pool *pool;
    const engine_kernels *kernels;
    const engine_matmul_job *jobs;
    size_t n_jobs, n_in, n_tokens, tile;
    size_t first_task[MAX_JOBS + 1]; /* of each job; the last is the total */
    const float *x;
} matmul_run;

/* The rows row .. row+n of job as floats: in place when they are stored so, else in scratch. */
static const float *
expand_rows(const matmul_run *run, const engine_tensor *w, size_t row, size_t n, int worker)
{
    const size_t row_bytes = engine_tensor_row_bytes(w);
    const uint8_t *packed = w->data + row * row_bytes;

    if (w->type == ENGINE_TYPE_F32 && (uintptr_t)packed % sizeof(float) == 0)
        return (const float *)(const void *)packed;
    engine_dequantize_fn dequantize = run->kernels->dequantize[w->type];
    if (!dequantize) dequantize = engine_type_lookup((uint32_t)w->type)->dequantize;
    float *rows = engine_pool_scratch(run->pool, worker, n * run->n_in * sizeof(float));
    for (size_t r = 0; r < n; r++) {
        if (w->scales)
            engine_tensor_row(w, row + r, rows + r * run->n_in);
        else
            dequantize(packed + r * row_bytes, rows + r * run->n_in, run->n_in);
    }
    return rows;
}

static void
matmul_task(void *data, size_t task, int worker)
{
    const matmul_run *run = data;
    const engine_kernels *k = run->kernels;
    size_t j = 0;

    while (task >= run->first_task[j + 1])
        j++;
    const engine_matmul_job *job = &run->jobs[j];
    const size_t row = (task - run->first_task[j]) * run->tile;
    const size_t n = MIN(run->tile, (size_t)job->w->dims[1] - row);
    const float *bias = job->bias ? job->bias + row : NULL;
    if (run->n_tokens == 1 && k->gemv[job->w->type]) {
        const size_t row_bytes = engine_tensor_row_bytes(job->w);
        k->gemv[job->w->type](job->w->data + row * row_bytes, row_bytes, n, run->x, run->n_in,
                              job->y + row);
        if (bias) k->add(job->y + row, bias, n);
        return;
    }
    k->gemm(expand_rows(run, job->w, row, n, worker), run->n_in, n, run->x, run->n_in,
            run->n_tokens, run->n_in, bias, job->y + row, job->ldy);
}

void
engine_matmul(engine_pool *pool, const engine_kernels *k, const engine_matmul_job *jobs,
              size_t n_jobs, const float *x, size_t n_tokens)
{
    g_assert(n_jobs > 0 && n_jobs <= MAX_JOBS);
    matmul_run run = {
        .pool = pool, .kernels = k, .jobs = jobs, .n_jobs = n_jobs, .n_tokens = n_tokens, .x = x};

    run.n_in = (size_t)jobs[0].w->dims[0];
    run.tile = n_tokens == 1 ? ROWS_GEMV : ROWS_GEMM;
    for (size_t j = 0; j < n_jobs; j++) {
        g_assert(jobs[j].w->dims[0] == run.n_in);
        run.first_task[j + 1] =
            run.first_task[j] + ((size_t)jobs[j].w->dims[1] + run.tile - 1) / run.tile;
    }
    if (n_tokens > 0) engine_pool_run(pool, run.first_task[n_jobs], matmul_task, &run);
}
