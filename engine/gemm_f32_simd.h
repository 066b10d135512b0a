/* The product of gemm_f32.h over a small vector vocabulary; the including file defines
 *
 *   vf, VW              a vector of VW floats
 *   v_load v_store      unaligned; v_set1(f); v_fma(a, b, c) = a*b + c
 *   TOKENS              rows of the register block; it is 2 vectors wide
 *   GEMM_TABLE          name of the table to define */

#define WIDTH  (2 * VW)
#define INLINE static inline __attribute__((always_inline))
/* Inputs per pass: a panel of that many is 24 KiB and stays in the first-level cache. */
#define N_PASS (6144 / WIDTH)

#if defined(__GNUC__) && !defined(__clang__)
#define UNROLL _Pragma("GCC unroll 16")
#else
#define UNROLL _Pragma("unroll")
#endif

static void
simd_pack(const float *w, size_t ldw, size_t n_rows, size_t n_in, float *panel)
{
    for (size_t o = 0; o < WIDTH; o++) {
        const float *row = w + o * ldw;
        if (o < n_rows)
            for (size_t i = 0; i < n_in; i++)
                panel[i * WIDTH + o] = row[i];
        else
            for (size_t i = 0; i < n_in; i++)
                panel[i * WIDTH + o] = 0.0f;
    }
}

/* tokens x WIDTH sums, continued from y; `tokens` is a constant of the call. */
INLINE void
block(const size_t tokens, const float *panel, size_t ld_panel, const float *x, size_t ldx,
      size_t n_in, float *y, size_t ldy)
{
    vf acc[TOKENS][2];
    UNROLL
    for (size_t t = 0; t < tokens; t++) {
        acc[t][0] = v_load(y + t * ldy);
        acc[t][1] = v_load(y + t * ldy + VW);
    }
    for (size_t i = 0; i < n_in; i++) {
        const vf a = v_load(panel + i * ld_panel), b = v_load(panel + i * ld_panel + VW);
        UNROLL
        for (size_t t = 0; t < tokens; t++) {
            const vf s = v_set1(x[t * ldx + i]);
            acc[t][0] = v_fma(s, a, acc[t][0]);
            acc[t][1] = v_fma(s, b, acc[t][1]);
        }
    }
    UNROLL
    for (size_t t = 0; t < tokens; t++) {
        v_store(y + t * ldy, acc[t][0]);
        v_store(y + t * ldy + VW, acc[t][1]);
    }
}

static void
pass(const float *panel, size_t ld_panel, const float *x, size_t ldx, size_t n_tokens, size_t n_in,
     float *y, size_t ldy)
{
    size_t t = 0;
    for (; t + TOKENS <= n_tokens; t += TOKENS)
        block(TOKENS, panel, ld_panel, x + t * ldx, ldx, n_in, y + t * ldy, ldy);
    for (; t + 2 <= n_tokens; t += 2)
        block(2, panel, ld_panel, x + t * ldx, ldx, n_in, y + t * ldy, ldy);
    for (; t < n_tokens; t++)
        block(1, panel, ld_panel, x + t * ldx, ldx, n_in, y + t * ldy, ldy);
}

/* A narrow panel goes through a buffer of full width, this many tokens at a time. */
#define NARROW_TOKENS (TOKENS * 8)

static void
simd_multiply(const float *panel, size_t ld_panel, size_t n_out, const float *x, size_t ldx,
              size_t n_tokens, size_t n_in, const float *bias, float *y, size_t ldy)
{
    float start[WIDTH] = {0}, narrow[NARROW_TOKENS * WIDTH];
    if (bias) memcpy(start, bias, n_out * sizeof(float));
    const gboolean whole = n_out == WIDTH;
    const size_t step = whole ? n_tokens : NARROW_TOKENS;
    for (size_t t = 0; t < n_tokens; t += step) {
        const size_t n = MIN(step, n_tokens - t);
        float *to = whole ? y : narrow;
        const size_t ld = whole ? ldy : WIDTH;
        for (size_t k = 0; k < n; k++)
            memcpy(to + k * ld, start, sizeof start);
        for (size_t i = 0; i < n_in; i += N_PASS)
            pass(panel + i * ld_panel, ld_panel, x + t * ldx + i, ldx, n, MIN(N_PASS, n_in - i), to,
                 ld);
        if (!whole)
            for (size_t k = 0; k < n; k++)
                memcpy(y + (t + k) * ldy, to + k * ld, n_out * sizeof(float));
    }
}

const engine_gemm_f32 GEMM_TABLE = {WIDTH, simd_pack, simd_multiply};
