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

/* A transposition, four rows by four inputs at a time. */
static void
simd_pack(const float *w, size_t ldw, size_t n_rows, size_t n_in, float *panel)
{
    const size_t rows = n_rows / 4 * 4, inputs = n_in / 4 * 4;
    for (size_t o = 0; o < rows; o += 4) {
        const float *row = w + o * ldw;
        for (size_t i = 0; i < inputs; i += 4) {
            __m128 a = _mm_loadu_ps(row + i), b = _mm_loadu_ps(row + ldw + i);
            __m128 c = _mm_loadu_ps(row + 2 * ldw + i), d = _mm_loadu_ps(row + 3 * ldw + i);
            _MM_TRANSPOSE4_PS(a, b, c, d);
            _mm_storeu_ps(panel + i * WIDTH + o, a);
            _mm_storeu_ps(panel + (i + 1) * WIDTH + o, b);
            _mm_storeu_ps(panel + (i + 2) * WIDTH + o, c);
            _mm_storeu_ps(panel + (i + 3) * WIDTH + o, d);
        }
        for (size_t i = inputs; i < n_in; i++)
            for (size_t r = 0; r < 4; r++)
                panel[i * WIDTH + o + r] = row[r * ldw + i];
    }
    for (size_t o = rows; o < WIDTH; o++)
        for (size_t i = 0; i < n_in; i++)
            panel[i * WIDTH + o] = o < n_rows ? w[o * ldw + i] : 0.0f;
}

/* Sums of one pass go to y; they start from what an earlier pass left there, or from the bias. */
typedef struct {
    const float *panel, *x, *start;
    size_t ld_panel, ldx, ld_start, n_in;
    float *y;
    size_t ldy;
} pass_job;

/* TOKENS (or fewer) x WIDTH sums; `tokens` is a constant of the call. */
INLINE void
block(const size_t tokens, const pass_job *job, size_t token)
{
    const float *x = job->x + token * job->ldx, *panel = job->panel;
    const float *start = job->start + token * job->ld_start;
    float *y = job->y + token * job->ldy;
    const size_t ldx = job->ldx;
    vf acc[TOKENS][2];
    UNROLL
    for (size_t t = 0; t < tokens; t++) {
        acc[t][0] = v_load(start + t * job->ld_start);
        acc[t][1] = v_load(start + t * job->ld_start + VW);
    }
    for (size_t i = 0; i < job->n_in; i++, panel += job->ld_panel) {
        const vf a = v_load(panel), b = v_load(panel + VW);
        UNROLL
        for (size_t t = 0; t < tokens; t++) {
            const vf s = v_set1(x[t * ldx + i]);
            acc[t][0] = v_fma(s, a, acc[t][0]);
            acc[t][1] = v_fma(s, b, acc[t][1]);
        }
    }
    UNROLL
    for (size_t t = 0; t < tokens; t++) {
        v_store(y + t * job->ldy, acc[t][0]);
        v_store(y + t * job->ldy + VW, acc[t][1]);
    }
}

static void
pass(const pass_job *job, size_t n_tokens)
{
    size_t t = 0;
    for (; t + TOKENS <= n_tokens; t += TOKENS)
        block(TOKENS, job, t);
    for (; t + 2 <= n_tokens; t += 2)
        block(2, job, t);
    for (; t < n_tokens; t++)
        block(1, job, t);
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
        pass_job job = {panel,
                        x + t * ldx,
                        start,
                        ld_panel,
                        ldx,
                        0,
                        0,
                        whole ? y : narrow,
                        whole ? ldy : WIDTH};
        for (size_t i = 0; i < n_in; i += job.n_in) {
            job.n_in = MIN(N_PASS, n_in - i);
            pass(&job, n);
            job.panel += job.n_in * ld_panel;
            job.x += job.n_in;
            job.start = job.y;
            job.ld_start = job.ldy;
        }
        for (size_t k = 0; !whole && k < n; k++)
            memcpy(y + (t + k) * ldy, narrow + k * WIDTH, n_out * sizeof(float));
    }
}

const engine_gemm_f32 GEMM_TABLE = {WIDTH, simd_pack, simd_multiply};
