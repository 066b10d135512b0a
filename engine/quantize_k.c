/* Quantisers of the formats in blocks of 256. The layouts are drawn in dequant.c.
 *
 * A block is 8 or 16 runs of 32 or 16 weights. Each run has a small integer scale (and minimum), and the
 * block one half (or two) to multiply them with. First every run is fitted alone, then the block's halves
 * follow from the largest scale and minimum; then, in turns, every run tries the integers next to its
 * own against the halves as they are stored, and the halves are solved again for what the runs chose. */
#include "engine/quantize.h"
#include "engine/quantize_fit.h"

#define BLOCK    256
#define MAX_RUNS 16
#define ROUNDS   3

static float
to_half(float f)
{
    return engine_half_to_float(engine_half_from_float(f));
}

static void
store_half(uint8_t *p, float f)
{
    const uint16_t h = engine_half_from_float(f);

    p[0] = (uint8_t)h;
    p[1] = (uint8_t)(h >> 8);
}

static int
clamp_int(int v, int lo, int hi)
{
    return v < lo ? lo : v > hi ? hi : v;
}

/* ---- x ~ d * scale * q ---- */

typedef struct {
    int run, lo, hi;        /* weights of a run; levels */
    int scale_lo, scale_hi; /* a run's integer scale */
} symmetric_kind;

typedef struct {
    float d;
    int scales[MAX_RUNS], q[BLOCK];
} symmetric_block;

/* The weights of a block: run r in lane r % ENGINE_FIT_LANES of group r / ENGINE_FIT_LANES. */
typedef struct {
    int run, n_groups;
    float x[BLOCK];
} block_lanes;

static void
arrange(const float *src, int run, block_lanes *out)
{
    out->run = run;
    out->n_groups = BLOCK / run / ENGINE_FIT_LANES;
    for (int g = 0; g < out->n_groups; g++)
        engine_fit_transpose(src + g * run * ENGINE_FIT_LANES, run, ENGINE_FIT_LANES,
                             out->x + g * run * ENGINE_FIT_LANES);
}

static const float *
group_at(const block_lanes *block, int group)
{
    return block->x + group * block->run * ENGINE_FIT_LANES;
}

/* Every weight's level, in the block's order. */
static void
choose_levels(const block_lanes *block, const float *scale, const float *min, int lo, int hi,
              int *q)
{
    int32_t own[BLOCK];

    for (int g = 0; g < block->n_groups; g++) {
        const int first = g * ENGINE_FIT_LANES;
        engine_fit_best()->assign(group_at(block, g), block->run, scale + first,
                                  min ? min + first : NULL, lo, hi, own);
        for (int r = 0; r < ENGINE_FIT_LANES; r++)
            for (int i = 0; i < block->run; i++)
                q[(first + r) * block->run + i] = own[i * ENGINE_FIT_LANES + r];
    }
}

/* Scales and levels for the block's d; the squared error. Each run tries its scale's neighbours too. */
static float
choose_scales(const block_lanes *x, const symmetric_kind *kind, const float *wanted,
              symmetric_block *b)
{
    const int n_runs = BLOCK / kind->run;
    const float lo = (float)kind->scale_lo, hi = (float)kind->scale_hi;
    float best[MAX_RUNS], scale[MAX_RUNS], error[ENGINE_FIT_LANES], total = 0.0f;
    int near[MAX_RUNS];

    for (int r = 0; r < n_runs; r++) {
        near[r] = b->d != 0.0f ? engine_fit_round(wanted[r] / b->d, lo, hi) : 0;
        b->scales[r] = near[r];
        best[r] = INFINITY;
    }
    for (int g = 0; g < x->n_groups; g++) {
        const int first = g * ENGINE_FIT_LANES;
        for (int step = -1; step <= 1; step++) {
            for (int r = first; r < first + ENGINE_FIT_LANES; r++)
                scale[r] = b->d * (float)clamp_int(near[r] + step, kind->scale_lo, kind->scale_hi);
            engine_fit_best()->error(group_at(x, g), kind->run, scale + first, NULL, kind->lo,
                                     kind->hi, error);
            for (int r = 0; r < ENGINE_FIT_LANES; r++) {
                if (!(error[r] < best[first + r])) continue;
                best[first + r] = error[r];
                b->scales[first + r] =
                    clamp_int(near[first + r] + step, kind->scale_lo, kind->scale_hi);
            }
        }
    }
    for (int r = 0; r < n_runs; r++) {
        scale[r] = b->d * (float)b->scales[r];
        total += best[r];
    }
    choose_levels(x, scale, NULL, kind->lo, kind->hi, b->q);
    return total;
}

/* The d that fits the scales and levels chosen best. */
static float
solve_d(const float *x, const symmetric_kind *kind, const symmetric_block *b)
{
    float xp = 0.0f, pp = 0.0f;

    for (int r = 0; r < BLOCK / kind->run; r++) {
        for (int i = r * kind->run; i < (r + 1) * kind->run; i++) {
            const float product = (float)(b->scales[r] * b->q[i]);
            xp += x[i] * product;
            pp += product * product;
        }
    }
    return pp > 0.0f ? xp / pp : 0.0f;
}

static void
fit_symmetric(const float *x, const symmetric_kind *kind, symmetric_block *out)
{
    float wanted[MAX_RUNS], extreme = 0.0f;
    block_lanes block;

    arrange(x, kind->run, &block);
    for (int g = 0; g < block.n_groups; g++)
        engine_fit_best()->scale(group_at(&block, g), kind->run, kind->lo, kind->hi,
                                 wanted + g * ENGINE_FIT_LANES);
    for (int r = 0; r < BLOCK / kind->run; r++)
        if (fabsf(wanted[r]) > fabsf(extreme)) extreme = wanted[r];
    symmetric_block b = {.d = to_half(extreme / (float)kind->scale_lo)};
    float best = choose_scales(&block, kind, wanted, &b);
    *out = b;
    for (int round = 0; round < ROUNDS; round++) {
        b.d = to_half(solve_d(x, kind, &b));
        const float error = choose_scales(&block, kind, wanted, &b);
        if (!(error < best)) break;
        best = error;
        *out = b;
    }
}

/* 128 weights share 32 (Q6_K: 64) bytes, 32 of them at a time; see the dequantisers. */
void
engine_quantize_q6_k(const float *src, uint8_t *dst, size_t n)
{
    static const symmetric_kind kind = {16, -32, 31, -128, 127};
    symmetric_block b;

    for (; n > 0; n -= BLOCK, src += BLOCK, dst += 210) {
        fit_symmetric(src, &kind, &b);
        memset(dst, 0, 192);
        for (int i = 0; i < BLOCK; i++) {
            const int half = i / 128, quarter = i % 128 / 32, l = i % 32, q = b.q[i] + 32;
            uint8_t *ql = dst + half * 64 + quarter % 2 * 32 + l, *qh = dst + 128 + half * 32 + l;
            *ql = (uint8_t)(*ql | (q & 15) << (quarter < 2 ? 0 : 4));
            *qh = (uint8_t)(*qh | (q >> 4) << (2 * quarter));
        }
        for (int r = 0; r < 16; r++)
            dst[192 + r] = (uint8_t)b.scales[r];
        store_half(dst + 208, b.d);
    }
}

void
engine_quantize_q3_k(const float *src, uint8_t *dst, size_t n)
{
    static const symmetric_kind kind = {16, -4, 3, -32, 31};
    symmetric_block b;

    for (; n > 0; n -= BLOCK, src += BLOCK, dst += 110) {
        fit_symmetric(src, &kind, &b);
        memset(dst, 0, 108);
        for (int i = 0; i < BLOCK; i++) {
            const int half = i / 128, shift = i % 128 / 32 * 2, q = b.q[i] + 4;
            uint8_t *low = dst + 32 + half * 32 + i % 32, *high = dst + i % 32;
            *low = (uint8_t)(*low | (q & 3) << shift);
            *high = (uint8_t)(*high | (q >> 2) << (i / 32));
        }
        for (int r = 0; r < 16; r++) {
            const int s = b.scales[r] + 32;
            uint8_t *low = dst + 96 + r % 8, *high = dst + 104 + r % 4;
            *low = (uint8_t)(*low | (s & 15) << (r < 8 ? 0 : 4));
            *high = (uint8_t)(*high | (s >> 4) << (2 * (r / 4)));
        }
        store_half(dst + 108, b.d);
    }
}

/* ---- x ~ d * scale * q - dmin * min ---- */

typedef struct {
    int run, hi;  /* weights of a run; levels 0..hi */
    int scale_hi; /* a run's integer scale and minimum, 0..scale_hi */
} minimum_kind;

typedef struct {
    float d, dmin;
    int scales[MAX_RUNS], mins[MAX_RUNS], q[BLOCK];
} minimum_block;

/* Scales and minima of the runs [first, first + lanes), each with its neighbours; error [lanes]. */
static void
choose_runs(const block_lanes *x, const minimum_kind *kind, const float *scales_wanted,
            const float *mins_wanted, int first, minimum_block *b, float *best)
{
    const float hi = (float)kind->scale_hi;
    float scale[ENGINE_FIT_LANES], min[ENGINE_FIT_LANES], error[ENGINE_FIT_LANES];
    int scale_near[ENGINE_FIT_LANES], min_near[ENGINE_FIT_LANES];

    for (int r = 0; r < ENGINE_FIT_LANES; r++) {
        scale_near[r] =
            b->d > 0.0f ? engine_fit_round(scales_wanted[first + r] / b->d, 0.0f, hi) : 0;
        min_near[r] =
            b->dmin > 0.0f ? engine_fit_round(mins_wanted[first + r] / b->dmin, 0.0f, hi) : 0;
        b->scales[first + r] = scale_near[r];
        b->mins[first + r] = min_near[r];
        best[r] = INFINITY;
    }
    for (int step = 0; step < 9; step++) {
        const int ds = step / 3 - 1, dm = step % 3 - 1;
        for (int r = 0; r < ENGINE_FIT_LANES; r++) {
            scale[r] = b->d * (float)(scale_near[r] + ds);
            min[r] = -b->dmin * (float)(min_near[r] + dm);
        }
        engine_fit_best()->error(group_at(x, first / ENGINE_FIT_LANES), kind->run, scale, min, 0,
                                 kind->hi, error);
        for (int r = 0; r < ENGINE_FIT_LANES; r++) {
            const int s = scale_near[r] + ds, m = min_near[r] + dm;
            if (s < 0 || s > kind->scale_hi || m < 0 || m > kind->scale_hi) continue;
            if (!(error[r] < best[r])) continue;
            best[r] = error[r];
            b->scales[first + r] = s;
            b->mins[first + r] = m;
        }
    }
}

/* Scales, minima and levels for the block's d and dmin; the squared error. */
static float
choose_scales_mins(const block_lanes *x, const minimum_kind *kind, const float *scales_wanted,
                   const float *mins_wanted, minimum_block *b)
{
    float best[MAX_RUNS], scale[MAX_RUNS], min[MAX_RUNS], total = 0.0f;

    for (int g = 0; g < x->n_groups; g++) {
        const int first = g * ENGINE_FIT_LANES;
        choose_runs(x, kind, scales_wanted, mins_wanted, first, b, best + first);
    }
    for (int r = 0; r < BLOCK / kind->run; r++) {
        scale[r] = b->d * (float)b->scales[r];
        min[r] = -b->dmin * (float)b->mins[r];
        total += best[r];
    }
    choose_levels(x, scale, min, 0, kind->hi, b->q);
    return total;
}

/* d and dmin that fit the scales, minima and levels chosen best. */
static void
solve_d_dmin(const float *x, const minimum_kind *kind, minimum_block *b)
{
    double xp = 0, xm = 0, pp = 0, pm = 0, mm = 0;

    for (int r = 0; r < BLOCK / kind->run; r++) {
        const double m = -b->mins[r];
        for (int i = r * kind->run; i < (r + 1) * kind->run; i++) {
            const double p = b->scales[r] * b->q[i];
            xp += (double)x[i] * p;
            xm += (double)x[i] * m;
            pp += p * p;
            pm += p * m;
            mm += m * m;
        }
    }
    const double determinant = pp * mm - pm * pm;
    if (!(determinant > 0)) return;
    const double d = (xp * mm - xm * pm) / determinant, dmin = (xm * pp - xp * pm) / determinant;
    if (d > 0 && dmin >= 0) {
        b->d = to_half((float)d);
        b->dmin = to_half((float)dmin);
    }
}

static void
fit_minimum(const float *x, const minimum_kind *kind, minimum_block *out)
{
    float scales[MAX_RUNS], mins[MAX_RUNS], largest_scale = 0.0f, largest_min = 0.0f;
    float best = INFINITY;
    block_lanes block;

    arrange(x, kind->run, &block);
    for (int g = 0; g < block.n_groups; g++)
        engine_fit_best()->scale_min(group_at(&block, g), kind->run, kind->hi, 0.0f,
                                     scales + g * ENGINE_FIT_LANES, mins + g * ENGINE_FIT_LANES);
    for (int r = 0; r < BLOCK / kind->run; r++) {
        mins[r] = -mins[r];
        largest_scale = MAX(largest_scale, scales[r]);
        largest_min = MAX(largest_min, mins[r]);
    }
    minimum_block b = {.d = to_half(largest_scale / (float)kind->scale_hi),
                       .dmin = to_half(largest_min / (float)kind->scale_hi)};
    *out = b;
    for (int round = 0; round <= ROUNDS; round++) {
        const float error = choose_scales_mins(&block, kind, scales, mins, &b);
        if (!(error < best)) break;
        best = error;
        *out = b;
        solve_d_dmin(x, kind, &b);
    }
}

/* Scales and minima of 6 bits, eight of each, in 12 bytes. */
static void
store_scales_mins(uint8_t *p, const minimum_block *b)
{
    memset(p, 0, 12);
    for (int j = 0; j < 4; j++) {
        p[j] = (uint8_t)(b->scales[j] | (b->scales[j + 4] >> 4) << 6);
        p[j + 4] = (uint8_t)(b->mins[j] | (b->mins[j + 4] >> 4) << 6);
        p[j + 8] = (uint8_t)((b->scales[j + 4] & 15) | (b->mins[j + 4] & 15) << 4);
    }
}

/* The low nibbles: 32 bytes hold two runs of 32. */
static void
store_run_nibbles(uint8_t *p, const int *q)
{
    for (int i = 0; i < 128; i++) {
        const int *low = q + i / 32 * 64 + i % 32;
        p[i] = (uint8_t)((low[0] & 15) | (low[32] & 15) << 4);
    }
}

/* Q4_K, and Q5_K with its 32 bytes of fifth bits. */
static void
quantize_runs_of_32(const float *src, uint8_t *dst, size_t n, const minimum_kind *kind)
{
    const size_t fifth = kind->hi > 15 ? 32 : 0;
    minimum_block b;

    for (; n > 0; n -= BLOCK, src += BLOCK, dst += 144 + fifth) {
        fit_minimum(src, kind, &b);
        store_half(dst, b.d);
        store_half(dst + 2, b.dmin);
        store_scales_mins(dst + 4, &b);
        memset(dst + 16, 0, fifth);
        for (int i = 0; i < BLOCK && fifth > 0; i++)
            dst[16 + i % 32] = (uint8_t)(dst[16 + i % 32] | (b.q[i] >> 4) << (i / 32));
        store_run_nibbles(dst + 16 + fifth, b.q);
    }
}

void
engine_quantize_q4_k(const float *src, uint8_t *dst, size_t n)
{
    static const minimum_kind kind = {32, 15, 63};

    quantize_runs_of_32(src, dst, n, &kind);
}

void
engine_quantize_q5_k(const float *src, uint8_t *dst, size_t n)
{
    static const minimum_kind kind = {32, 31, 63};

    quantize_runs_of_32(src, dst, n, &kind);
}

void
engine_quantize_q2_k(const float *src, uint8_t *dst, size_t n)
{
    static const minimum_kind kind = {16, 3, 15};
    minimum_block b;

    for (; n > 0; n -= BLOCK, src += BLOCK, dst += 84) {
        fit_minimum(src, &kind, &b);
        memset(dst, 0, 80);
        for (int r = 0; r < 16; r++)
            dst[r] = (uint8_t)(b.scales[r] | b.mins[r] << 4);
        for (int i = 0; i < BLOCK; i++) {
            uint8_t *p = dst + 16 + i / 128 * 32 + i % 32;
            *p = (uint8_t)(*p | b.q[i] << (i % 128 / 32 * 2));
        }
        store_half(dst + 80, b.d);
        store_half(dst + 82, b.dmin);
    }
}
