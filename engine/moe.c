/* Routed experts; see moe.h. */
#include "engine/moe.h"

#include <string.h>

/* The rows of one expert through its matrices: out [n, n_embd]. */
static void
run_expert(engine_pool *pool, const engine_kernels *k, const engine_moe_job *job, uint32_t expert,
           const float *x, size_t n, float *gate, float *up, float *out)
{
    const engine_tensor *down = &job->down[expert];
    const size_t n_ff = (size_t)down->dims[0];
    const engine_matmul_job last = {down, NULL, out, (size_t)down->dims[1]};

    if (job->gate_up) {
        const engine_matmul_job both = {&job->gate_up[expert], NULL, gate, 2 * n_ff};
        engine_matmul(pool, k, &both, 1, x, n);
        for (size_t i = 0; i < n; i++) {
            k->silu_mul(gate + 2 * i * n_ff, gate + (2 * i + 1) * n_ff, n_ff);
            memmove(gate + i * n_ff, gate + 2 * i * n_ff, n_ff * sizeof *gate);
        }
    } else {
        const engine_matmul_job wide[] = {{&job->gate[expert], NULL, gate, n_ff},
                                          {&job->up[expert], NULL, up, n_ff}};
        engine_matmul(pool, k, wide, 2, x, n);
        k->silu_mul(gate, up, n * n_ff);
    }
    engine_matmul(pool, k, &last, 1, gate, n);
}

gboolean
engine_moe(engine_pool *pool, const engine_kernels *kernels, const engine_moe_job *job,
           const float *x, size_t n_tokens, float *y, GError **error)
{
    const size_t n_embd = (size_t)job->down[0].dims[1], n_ff = (size_t)job->down[0].dims[0];
    const size_t k = job->n_used, n_pairs = n_tokens * k;
    g_autofree float *in = g_try_malloc_n(n_tokens * n_embd, sizeof *in);
    g_autofree float *gate = g_try_malloc_n(n_tokens * 2 * n_ff, sizeof *gate);
    g_autofree float *up = g_try_malloc_n(n_tokens * n_ff, sizeof *up);
    g_autofree float *some = g_try_malloc_n(n_tokens * n_embd, sizeof *some);
    g_autofree float *out = g_try_malloc_n(n_pairs * n_embd, sizeof *out);

    if (!in || !gate || !up || !some || !out) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_LIMIT, "no memory for the experts' rows");
        return FALSE;
    }
    for (uint32_t e = 0; e < job->n_experts; e++) {
        size_t n = 0;
        for (size_t p = 0; p < n_pairs; p++)
            if (job->chosen[p] == (int32_t)e)
                memcpy(in + n++ * n_embd, x + p / k * n_embd, n_embd * sizeof *in);
        if (n == 0) continue;
        run_expert(pool, kernels, job, e, in, n, gate, up, some);
        n = 0;
        for (size_t p = 0; p < n_pairs; p++)
            if (job->chosen[p] == (int32_t)e)
                memcpy(out + p * n_embd, some + n++ * n_embd, n_embd * sizeof *out);
    }
    for (size_t p = 0; p < n_pairs; p++)
        kernels->blend(y + p / k * n_embd, 1.0f, out + p * n_embd, job->weights[p], n_embd);
    return TRUE;
}
