/* The product of gemm_f32.h in plain C: what the fast levels are tested against. */
#include "engine/gemm_f32_levels.h"

#define WIDTH 8

static void
ref_pack(const float *w, size_t ldw, size_t n_rows, size_t n_in, float *panel)
{
    for (size_t i = 0; i < n_in; i++)
        for (size_t o = 0; o < WIDTH; o++)
            panel[i * WIDTH + o] = o < n_rows ? w[o * ldw + i] : 0.0f;
}

static void
ref_multiply(const float *panel, size_t ld_panel, size_t n_out, const float *x, size_t ldx,
             size_t n_tokens, size_t n_in, const float *bias, float *y, size_t ldy)
{
    for (size_t t = 0; t < n_tokens; t++) {
        float sum[WIDTH] = {0};
        for (size_t o = 0; bias && o < n_out; o++)
            sum[o] = bias[o];
        for (size_t i = 0; i < n_in; i++)
            for (size_t o = 0; o < n_out; o++)
                sum[o] += x[t * ldx + i] * panel[i * ld_panel + o];
        for (size_t o = 0; o < n_out; o++)
            y[t * ldy + o] = sum[o];
    }
}

const engine_gemm_f32 engine_gemm_f32_ref = {WIDTH, ref_pack, ref_multiply};
