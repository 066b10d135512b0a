/* Matrix products with stored weights of any type.
 *
 * Packed weights are multiplied in int8 (int8.h says exactly how), with activations rounded once for all
 * jobs. Where the caller asks for exact products (engine_kernels.int8 is NULL), and for weights that are
 * floats, weights are expanded to float32 as their type defines and multiplied with float32 activations.
 *
 * Floats, one token: each row is expanded in registers on its way into the dot product (gemv). Many
 * tokens: a tile of rows is expanded once into scratch that stays in the L2 cache and is multiplied with
 * all tokens (gemm). Both add in the same order. */
#include "engine/matmul.h"

#define MAX_JOBS        8
#define ROWS_GEMM       32 /* two AVX-512 panels; as floats 32 rows x 1536 are 192 KiB */
#define ROWS_GEMV       16 /* the widest panel */
#define BYTES_GEMV      (128 * 1024)
#define BYTES_WORTH     (32 * 1024) /* less is not worth another task: 3 microseconds of reading */
#define TOKENS_QUANTIZE 8

gboolean
engine_uses_int8(const engine_kernels *k, engine_type type)
{
    return k->int8 && k->int8->gemv[type];
}

size_t
engine_multiply_scratch(const engine_kernels *k, const engine_tensor *w, size_t n_rows)
{
    if (engine_uses_int8(k, w->type)) return k->int8->scratch_bytes;
    return MIN(n_rows, ROWS_GEMM) * (size_t)w->dims[0] * sizeof(float);
}

/* Rows row .. row+n of w as floats: in place when they are stored so, else in scratch. */
static const float *
expand_rows(const engine_kernels *k, const engine_tensor *w, size_t row, size_t n, float *scratch)
{
    const size_t n_in = (size_t)w->dims[0], row_bytes = engine_tensor_row_bytes(w);
    const uint8_t *packed = w->data + row * row_bytes;

    if (w->type == ENGINE_TYPE_F32 && (uintptr_t)packed % sizeof(float) == 0)
        return (const float *)(const void *)packed;
    engine_dequantize_fn dequantize = k->dequantize[w->type];
    if (!dequantize) dequantize = engine_type_lookup((uint32_t)w->type)->dequantize;
    for (size_t r = 0; r < n; r++) {
        if (w->scales)
            engine_tensor_row(w, row + r, scratch + r * n_in);
        else
            dequantize(packed + r * row_bytes, scratch + r * n_in, n_in);
    }
    return scratch;
}

void
engine_multiply_rows(const engine_kernels *k, const engine_tensor *w, size_t row, size_t n_rows,
                     const engine_inputs *inputs, void *scratch, float *y, size_t ldy)
{
    const size_t n_in = inputs->n_in, n_tokens = inputs->n_tokens;
    const size_t row_bytes = engine_tensor_row_bytes(w);
    const uint8_t *packed = w->data + row * row_bytes;

    if (engine_uses_int8(k, w->type)) {
        const size_t first = inputs->index ? inputs->index[0] : 0;
        if (n_tokens == 1)
            k->int8->gemv[w->type](packed, row_bytes, n_rows,
                                   inputs->x8 + first * (n_in / ENGINE_INT8_BLOCK), n_in,
                                   inputs->next, y);
        else
            k->int8->gemm[w->type](packed, row_bytes, n_rows, inputs->x8, inputs->index, n_tokens,
                                   n_in, scratch, y, ldy);
        return;
    }
    if (n_tokens == 1 && k->gemv[w->type]) {
        k->gemv[w->type](packed, row_bytes, n_rows, inputs->x, n_in, y);
        return;
    }
    for (size_t r = 0; r < n_rows; r += ROWS_GEMM) {
        const size_t n = MIN(ROWS_GEMM, n_rows - r);
        k->gemm(expand_rows(k, w, row + r, n, scratch), n_in, n, inputs->x, n_in, n_tokens, n_in,
                NULL, y + r, ldy);
    }
}

typedef struct {
    const engine_kernels *kernels;
    const float *x;
    size_t n_tokens, n_in;
    engine_int8_block *out;
} quantize_run;

static void
quantize_task(void *data, size_t task, int worker)
{
    const quantize_run *run = data;
    const size_t t = task * TOKENS_QUANTIZE, n = MIN(TOKENS_QUANTIZE, run->n_tokens - t);

    (void)worker;
    run->kernels->int8->quantize(run->x + t * run->n_in, n * run->n_in,
                                 run->out + t * (run->n_in / ENGINE_INT8_BLOCK));
}

void
engine_round_rows(engine_pool *pool, const engine_kernels *k, const float *x, size_t n_tokens,
                  size_t n_in, engine_int8_block *out)
{
    quantize_run run = {k, x, n_tokens, n_in, out};

    engine_pool_run(pool, (n_tokens + TOKENS_QUANTIZE - 1) / TOKENS_QUANTIZE, quantize_task, &run);
}

size_t
engine_rows_per_task(size_t n_rows, size_t row_bytes, size_t n_tokens, int n_threads)
{
    if (n_tokens >= 32) return ROWS_GEMM;
    const size_t even = n_rows / (4 * (size_t)n_threads), most = BYTES_GEMV / row_bytes,
                 least = BYTES_WORTH / row_bytes;
    return MAX(1, (CLAMP(even, least, MAX(least, most)) + ROWS_GEMV - 1) / ROWS_GEMV) * ROWS_GEMV;
}

typedef struct {
    engine_pool *pool;
    const engine_kernels *kernels;
    const engine_matmul_job *jobs;
    size_t n_jobs, tile;
    size_t first_task[MAX_JOBS + 1]; /* of each job; the last is the total */
    engine_inputs inputs;
} matmul_run;

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
    void *scratch =
        engine_pool_scratch(run->pool, worker, engine_multiply_scratch(k, job->w, run->tile));
    engine_inputs inputs = run->inputs;
    if (task + 1 == run->first_task[j + 1] && j + 1 < run->n_jobs) inputs.next = job[1].w->data;
    engine_multiply_rows(k, job->w, row, n, &inputs, scratch, job->y + row, job->ldy);
    for (size_t t = 0; job->bias && t < run->inputs.n_tokens; t++)
        k->add(job->y + t * job->ldy + row, job->bias + row, n);
}

void
engine_matmul(engine_pool *pool, const engine_kernels *k, const engine_matmul_job *jobs,
              size_t n_jobs, const float *x, size_t n_tokens)
{
    const size_t n_in = (size_t)jobs[0].w->dims[0];
    matmul_run run = {.pool = pool,
                      .kernels = k,
                      .jobs = jobs,
                      .n_jobs = n_jobs,
                      .inputs = {.x = x, .n_in = n_in, .n_tokens = n_tokens}};
    size_t n_rows = 0, most_bytes = 1;
    gboolean int8 = FALSE;

    g_assert(n_jobs > 0 && n_jobs <= MAX_JOBS);
    if (n_tokens == 0) return;
    for (size_t j = 0; j < n_jobs; j++) {
        g_assert(jobs[j].w->dims[0] == n_in);
        n_rows += (size_t)jobs[j].w->dims[1];
        most_bytes = MAX(most_bytes, engine_tensor_row_bytes(jobs[j].w));
        int8 = int8 || engine_uses_int8(k, jobs[j].w->type);
    }
    run.tile = engine_rows_per_task(n_rows, most_bytes, n_tokens, engine_pool_n_threads(pool));
    for (size_t j = 0; j < n_jobs; j++)
        run.first_task[j + 1] =
            run.first_task[j] + ((size_t)jobs[j].w->dims[1] + run.tile - 1) / run.tile;
    engine_pool_lock(pool);
    if (int8) {
        engine_int8_block *x8 = engine_pool_shared(pool, n_tokens * (n_in / ENGINE_INT8_BLOCK) *
                                                             sizeof(engine_int8_block));
        engine_round_rows(pool, k, x, n_tokens, n_in, x8);
        run.inputs.x8 = x8;
    }
    engine_pool_run(pool, run.first_task[n_jobs], matmul_task, &run);
    engine_pool_unlock(pool);
}
