/* The int8 kernels (int8.h), written once over a small vector vocabulary and compiled per instruction set:
 * the file that includes this defines the vocabulary and puts the functions into its table.
 *
 *   vf, vi, VW          VW floats; as many bytes. A panel has VW rows, one for each 32-bit lane
 *   v_load v_store      unaligned floats; *_n touch only the first n < VW
 *   v_loadi v_set8 v_set16 v_set32 v_and v_or v_sub8 v_add16 v_add32 v_sub16 v_slli16 v_srli16 v_srai16
 *   v_slli32 v_srli32 v_shuffle8(table, i) v_table(16 bytes) within each 16 bytes
 *   v_maddubs(u8, i8) v_maddw as the instructions; v_cvt int32 to float; v_bcast32(p), v_bcastf(x)
 *   v_test16(x, m)      16 in every byte where x & m is not 0
 *   v_unpacklo32 ...    within each 16 bytes
 *   v_rows16(p, s)      16 bytes at p, p + 4s, ... beside one another, VW / 4 of them
 *   v_rows32(p, s)      the 32-bit words at p, p + s, ...; v_rows_halves(p, s, &first, &second) both halves of
 *                       those words as floats
 *   v_half_low(v)       the half in the low 16 bits of each lane; v_both_halves(v, &low, &high) both of them
 *   v_blend16(a, b)     the low 16 bits of each lane from a, the high ones from b
 *   v_rows_s8(p, s, a)  V_ROWS_S8 only: 32 signed bytes at p, p + s, ... times the 32 at a, exactly
 *   v_keep(v)           computes v here: left alone, GCC makes all products of a block first, in memory, and
 *                       adds them up last
 *   v_prefetch(v, p)    fetches the line at p into the second-level cache once v has been computed
 *   V_VNNI              v_dpbusd(acc, u8, i8) is there
 *   TOKENS              tokens of a register block; TILE_TOKENS the four sizes of blocks, ending with 1
 *
 * What 16-bit sums can hold decides the kinds: with weights up to w and activations up to 127, one step
 * adds 2 * 127 * w to a 16-bit lane, and a block has eight steps.
 *
 *   kind   weights   steps before widening
 *   U4     0..15     8
 *   U5     0..31     4
 *   S8     -128..127 1 (by magnitude times signed activation, so that the unsigned operand is the weight)
 *   SUB    0..63     2, and a whole scale for each 16 elements, multiplied in while widening */

#if defined(__GNUC__) && !defined(__clang__)
#define UNROLL _Pragma("GCC unroll 8")
#else
#define UNROLL _Pragma("unroll")
#endif
#define INLINE static inline __attribute__((always_inline))

#define SLICE      (256 / VW) /* blocks that are unpacked at a time: two panels of them stay in L1 */
#define MAX_UNIT   210        /* bytes of the largest stored block */
#define LANE_BYTES 16

typedef enum {
    KIND_U4,
    KIND_U4_MIN,
    KIND_U5,
    KIND_U5_MIN,
    KIND_S8,
    KIND_SUB,
    KIND_SUB_MIN
} weight_kind;

/* 32 elements of VW rows. */
typedef struct {
    vi q[8];    /* lane r of q[g]: elements 4g .. 4g+3 of row r */
    vf d;       /* scales */
    vf min;     /* *_MIN: the minimum (U4, U5), -dmin (SUB) */
    vi s[2];    /* SUB: the scale of elements 0..15, 16..31, twice in each lane as int16 */
    vi correct; /* SUB: -offset * scales as two int16; SUB_MIN: the two minima */
} panel_block;

/* ---- products ---- */

/* Where a 16-bit sum of U4 begins, twice in each lane: offset 8 is out of the sums before the first step, each
 * of the two losing what its own weights are too large by. */
INLINE vi
start_u4(const engine_int8_block *x)
{
    return v_bcast32(x->minus8.halves);
}

/* part[r][t] takes the products of its step `done`. */
INLINE void
add_products(const weight_kind kind, const size_t R, const size_t done, const vi product[2],
             const engine_int8_block *x, vi part[2][TOKENS], const size_t t)
{
    UNROLL
    for (size_t r = 0; r < R; r++) {
        if (done > 0)
            part[r][t] = v_add16(part[r][t], product[r]);
        else
            part[r][t] = kind == KIND_U4 ? v_add16(start_u4(x), product[r]) : product[r];
        v_keep(part[r][t]);
    }
}

/* The exact sums of T tokens with R panels; before the offset, except for U4. A product is added only after the
 * next token's have begun: adds that wait for nothing else take the multipliers' ports. */
INLINE void
sum_block(const weight_kind kind, const size_t R, const size_t T, const panel_block *const *w,
          const engine_int8_block *const *x, vi sum[2][TOKENS])
{
    const vi ones = v_set16(1);
    const size_t steps = kind == KIND_U4 || kind == KIND_U4_MIN ? 8
                         : kind == KIND_S8                      ? 1
                         : kind == KIND_SUB                     ? 2
                                                                : 4;
    UNROLL
    for (size_t g0 = 0; g0 < 8; g0 += steps) {
        vi part[2][TOKENS], late[2];
        UNROLL
        for (size_t g = g0; g < g0 + steps; g++) {
            UNROLL
            for (size_t t = 0; t < T; t++) {
                const vi a = v_bcast32(x[t]->q + 4 * g);
                const size_t before = (t + T - 1) % T, done = t > 0 ? g - g0 : g - g0 - 1;
                vi product[2];
                UNROLL
                for (size_t r = 0; r < R; r++) {
                    const vi q = w[r]->q[g];
                    product[r] =
                        kind == KIND_S8 ? v_maddubs(v_abs8(q), v_sign8(a, q)) : v_maddubs(q, a);
                    v_keep(product[r]);
                }
                if (g > g0 || t > 0) add_products(kind, R, done, late, x[before], part, before);
                UNROLL
                for (size_t r = 0; r < R; r++)
                    late[r] = product[r];
            }
        }
        add_products(kind, R, steps - 1, late, x[T - 1], part, T - 1);
        UNROLL
        for (size_t r = 0; r < R; r++) {
            const vi scale = kind == KIND_SUB || kind == KIND_SUB_MIN ? w[r]->s[g0 / 4] : ones;
            UNROLL
            for (size_t t = 0; t < T; t++) {
                const vi wide = v_maddw(part[r][t], scale);
                sum[r][t] = g0 == 0 ? wide : v_add32(sum[r][t], wide);
                v_keep(sum[r][t]);
            }
        }
    }
}

#ifdef V_VNNI
/* Where a sum in 32 bits begins: the offset's share is out of it before the first product. */
INLINE vi
start_whole(const int offset, const engine_int8_block *x)
{
    if (offset == 8) return v_bcast32(&x->minus8.whole);
    return offset ? v_maddw(v_bcast32(x->sums), v_set16((int16_t)-offset)) : v_set32(0);
}

INLINE void
sum_block_vnni(const size_t R, const size_t T, const panel_block *const *w,
               const engine_int8_block *const *x, vi sum[2][TOKENS])
{
    UNROLL
    for (size_t g = 0; g < 8; g++) {
        UNROLL
        for (size_t t = 0; t < T; t++) {
            const vi a = v_bcast32(x[t]->q + 4 * g);
            UNROLL
            for (size_t r = 0; r < R; r++)
                sum[r][t] = v_dpbusd(sum[r][t], w[r]->q[g], a);
        }
    }
}
#endif

/* Take the offset's share, offset * scale * (sum of activations), out of the sums. */
INLINE void
subtract_offset(const weight_kind kind, const int offset, const size_t R, const size_t T,
                const panel_block *const *w, const engine_int8_block *const *x, vi sum[2][TOKENS])
{
    const vi minus_offset = v_set16((int16_t)-offset);

    UNROLL
    for (size_t t = 0; t < T; t++) {
        const vi sums = v_bcast32(x[t]->sums), correct = v_maddw(sums, minus_offset);
        UNROLL
        for (size_t r = 0; r < R; r++)
            sum[r][t] =
                v_add32(sum[r][t], kind == KIND_SUB ? v_maddw(sums, w[r]->correct) : correct);
    }
}

/* acc[r][t] += one block of panel r with token t. offset: what stored weights are too large by. */
INLINE void
add_block(const weight_kind kind, const int offset, const size_t R, const size_t T,
          const panel_block *const *w, const engine_int8_block *const *x, vf acc[2][TOKENS])
{
    vi sum[2][TOKENS];

#ifdef V_VNNI
    if (kind != KIND_SUB && kind != KIND_SUB_MIN) {
        UNROLL
        for (size_t t = 0; t < T; t++) {
            const vi start = start_whole(offset, x[t]);
            UNROLL
            for (size_t r = 0; r < R; r++)
                sum[r][t] = start;
        }
        sum_block_vnni(R, T, w, x, sum);
    } else
#endif
    {
        sum_block(kind, R, T, w, x, sum);
        if (offset != 0 && kind != KIND_U4) subtract_offset(kind, offset, R, T, w, x, sum);
    }
    UNROLL
    for (size_t t = 0; t < T; t++) {
        const vf scale = v_bcastf(x[t]->scale);
        UNROLL
        for (size_t r = 0; r < R; r++) {
            acc[r][t] = v_fma(v_mul(w[r]->d, scale), v_cvt(sum[r][t]), acc[r][t]);
            if (kind == KIND_U4_MIN || kind == KIND_U5_MIN)
                acc[r][t] = v_fma(w[r]->min, v_bcastf(x[t]->scaled_sum), acc[r][t]);
            if (kind == KIND_SUB_MIN)
                acc[r][t] = v_fma(v_mul(w[r]->min, scale),
                                  v_cvt(v_maddw(v_bcast32(x[t]->sums), w[r]->correct)), acc[r][t]);
        }
    }
}

/* T tokens, R panels of n blocks each; y continues its sums unless this is the first slice. */
INLINE void
tile(const weight_kind kind, const int offset, const size_t R, const size_t T,
     const panel_block *panels, const engine_int8_block *const *x, size_t n, gboolean first,
     float *y, size_t ldy, size_t n_rows)
{
    const size_t last = n_rows - (R - 1) * VW; /* rows of the last panel */
    const engine_int8_block *a[TOKENS];
    vf acc[2][TOKENS];

    UNROLL
    for (size_t t = 0; t < T; t++) {
        a[t] = x[t];
        UNROLL
        for (size_t r = 0; r < R; r++) {
            float *out = y + t * ldy + r * VW;
            acc[r][t] = first                     ? v_zero()
                        : r + 1 == R && last < VW ? v_load_n(out, last)
                                                  : v_load(out);
        }
    }
    for (size_t b = 0; b < n; b++) {
        const panel_block *w[2] = {&panels[b], &panels[SLICE + b]};
        add_block(kind, offset, R, T, w, a, acc);
        UNROLL
        for (size_t t = 0; t < T; t++)
            a[t]++;
    }
    UNROLL
    for (size_t t = 0; t < T; t++) {
        UNROLL
        for (size_t r = 0; r < R; r++) {
            float *out = y + t * ldy + r * VW;
            if (r + 1 == R && last < VW)
                v_store_n(out, acc[r][t], last);
            else
                v_store(out, acc[r][t]);
        }
    }
}

typedef void (*tile_fn)(const panel_block *panels, const engine_int8_block *const *x, size_t n,
                        gboolean first, float *y, size_t ldy, size_t n_rows);

#define DEFINE_TILE(name, kind, offset, R, T)                                                      \
    static void tile_##name##_##R##_##T(const panel_block *panels,                                 \
                                        const engine_int8_block *const *x, size_t n,               \
                                        gboolean first, float *y, size_t ldy, size_t n_rows)       \
    {                                                                                              \
        tile(kind, offset, R, T, panels, x, n, first, y, ldy, n_rows);                             \
    }
/* The shapes of TILE_TOKENS, for one panel and for two. */
#define DEFINE_TILES(name, kind, offset) DEFINE_TILES_OF(name, kind, offset, TILE_TOKENS)
#define DEFINE_TILES_OF(...)             DEFINE_TILES_(__VA_ARGS__)
#define DEFINE_TILES_(name, kind, offset, a, b, c, d)                                              \
    DEFINE_TILE(name, kind, offset, 1, a)                                                          \
    DEFINE_TILE(name, kind, offset, 1, b)                                                          \
    DEFINE_TILE(name, kind, offset, 1, c)                                                          \
    DEFINE_TILE(name, kind, offset, 1, d)                                                          \
    DEFINE_TILE(name, kind, offset, 2, a)                                                          \
    DEFINE_TILE(name, kind, offset, 2, b)                                                          \
    DEFINE_TILE(name, kind, offset, 2, c)                                                          \
    DEFINE_TILE(name, kind, offset, 2, d)                                                          \
    static const tile_fn tiles_##name[2][4] = {                                                    \
        {tile_##name##_1_##a, tile_##name##_1_##b, tile_##name##_1_##c, tile_##name##_1_##d},      \
        {tile_##name##_2_##a, tile_##name##_2_##b, tile_##name##_2_##c, tile_##name##_2_##d}};

#include "engine/int8_units.h"

/* ---- one type ---- */

/* What a type's functions are made of. */
typedef struct {
    weight_kind kind;
    int offset;
    size_t unit_blocks, unit_bytes;
} type_layout;

/* A unit of fewer than VW rows, the missing ones 0 (a scale of 0), into buffer; returns the buffer. */
INLINE const uint8_t *
fill_rows(const uint8_t *p, size_t stride, size_t n_rows, size_t unit_bytes, uint8_t *buffer)
{
    memset(buffer, 0, VW * unit_bytes);
    for (size_t r = 0; r < n_rows; r++)
        memcpy(buffer + r * unit_bytes, p + r * stride, unit_bytes);
    return buffer;
}

#ifdef V_VNNI
#define OFFSET_S8 128
#else
#define OFFSET_S8 0
#endif

#ifdef V_ROWS_S8
#define RUN_Q8_0 run_q8_0
#else
#define RUN_Q8_0 NULL
#endif
#include "engine/int8_gemv.h"

/* ---- products with many tokens ---- */

typedef struct {
    type_layout layout;
    panel_block *out;
} pack_ctx;

INLINE void
pack_emit(void *data, size_t block, const panel_block *w)
{
    pack_ctx *ctx = data;
    const weight_kind kind = ctx->layout.kind;
    panel_block *out = &ctx->out[block];

    UNROLL
    for (size_t g = 0; g < 8; g++)
        out->q[g] = w->q[g];
    out->d = w->d;
    if (kind == KIND_U4_MIN || kind == KIND_U5_MIN || kind == KIND_SUB_MIN) out->min = w->min;
    if (kind == KIND_SUB || kind == KIND_SUB_MIN) {
        out->s[0] = w->s[0];
        out->s[1] = w->s[1];
        out->correct = w->correct;
    }
}

INLINE void
pack(const type_layout layout, unit_fn unit, const uint8_t *w, size_t row_bytes, size_t n_rows,
     size_t n_blocks, panel_block *out)
{
    uint8_t few[VW * MAX_UNIT];
    pack_ctx ctx = {layout, out};

    for (size_t b = 0; b < n_blocks; b += layout.unit_blocks, w += layout.unit_bytes) {
        ctx.out = out + b;
        if (n_rows < VW)
            unit(fill_rows(w, row_bytes, n_rows, layout.unit_bytes, few), layout.unit_bytes,
                 pack_emit, &ctx);
        else
            unit(w, row_bytes, pack_emit, &ctx);
    }
}

typedef void (*pack_fn)(const uint8_t *w, size_t row_bytes, size_t n_rows, size_t n_blocks,
                        panel_block *out);

/* The packed bytes that will be unpacked next, fetched into the second-level cache bit by bit while the last tokens
 * are multiplied: unpacking from memory otherwise took a fifth of the time at 64 tokens. What is fetched much earlier
 * the activations push out again. */
typedef struct {
    const char *p, *end;           /* of this row */
    size_t row_bytes, slice_bytes; /* rows are row_bytes apart, of which slice_bytes are wanted */
    size_t n_rows;
    size_t n_lines; /* for each step */
} fetch_ahead;

enum { FETCH_STEPS = 16 };

INLINE fetch_ahead
plan_ahead(const uint8_t *p, size_t row_bytes, size_t slice_bytes, size_t n_rows, size_t n_steps)
{
    const size_t lines = n_rows * (slice_bytes / 64 + 2);
    return (fetch_ahead){.p = (const char *)p,
                         .end = (const char *)p + slice_bytes,
                         .row_bytes = row_bytes,
                         .slice_bytes = slice_bytes,
                         .n_rows = n_rows,
                         .n_lines = (lines + n_steps - 1) / n_steps};
}

INLINE void
step_ahead(fetch_ahead *ahead)
{
    for (size_t i = 0; i < ahead->n_lines && ahead->n_rows > 0; i++) {
        _mm_prefetch(ahead->p, _MM_HINT_T1);
        /* the last step of a row may end within a line that is not asked for yet */
        if (ahead->p == ahead->end - 1) {
            ahead->p = ahead->end - ahead->slice_bytes + ahead->row_bytes;
            ahead->end += ahead->row_bytes;
            ahead->n_rows--;
        } else {
            ahead->p = MIN(ahead->p + 64, ahead->end - 1);
        }
    }
}

/* Two panels at a time, a slice at a time, all tokens. */
static void
gemm(const type_layout layout, pack_fn pack_rows, const tile_fn tiles[2][4], const uint8_t *w,
     size_t row_bytes, size_t n_rows, const engine_int8_block *x, const uint32_t *index,
     size_t n_tokens, size_t n_in, void *scratch, float *y, size_t ldy)
{
    static const size_t tile_tokens[4] = {TILE_TOKENS};
    const size_t n_blocks = n_in / ENGINE_INT8_BLOCK, n_steps = (n_tokens + TOKENS - 1) / TOKENS;
    panel_block *panels = scratch;

    for (size_t r = 0; r < n_rows; r += 2 * VW) {
        const size_t rows = MIN(2 * VW, n_rows - r), n_panels = rows > VW ? 2 : 1;
        for (size_t b = 0; b < n_blocks; b += SLICE) {
            const size_t n = MIN(SLICE, n_blocks - b);
            const size_t slice_bytes = n / layout.unit_blocks * layout.unit_bytes;
            const uint8_t *from = w + r * row_bytes + b / layout.unit_blocks * layout.unit_bytes;
            const uint8_t *next =
                b + n < n_blocks ? from + slice_bytes : w + (r + rows) * row_bytes;
            fetch_ahead ahead =
                plan_ahead(next, row_bytes, slice_bytes, rows, MIN(n_steps, FETCH_STEPS));
            pack_rows(from, row_bytes, MIN(VW, rows), n, panels);
            if (n_panels == 2)
                pack_rows(from + VW * row_bytes, row_bytes, rows - VW, n, panels + SLICE);
            for (size_t t = 0, shape = 0; t < n_tokens; t += tile_tokens[shape]) {
                const engine_int8_block *rows_x[TOKENS];
                while (n_tokens - t < tile_tokens[shape])
                    shape++;
                for (size_t i = 0; i < tile_tokens[shape]; i++)
                    rows_x[i] = x + (index ? index[t + i] : t + i) * n_blocks + b;
                if (t + FETCH_STEPS * TOKENS >= n_tokens) step_ahead(&ahead);
                tiles[n_panels - 1][shape](panels, rows_x, n, b == 0, y + t * ldy + r, ldy, rows);
            }
        }
    }
}

/* The functions of one type; tiles of its kind and offset must be there. */
#define DEFINE_TYPE(type, tiles, kind, offset, unit_blocks, unit_bytes, run, lengths)              \
    DEFINE_GEMV(type, kind, offset, unit_blocks, unit_bytes, run, lengths)                         \
    static void simd_pack_##type(const uint8_t *w, size_t row_bytes, size_t n_rows,                \
                                 size_t n_blocks, panel_block *out)                                \
    {                                                                                              \
        const type_layout layout = {kind, offset, unit_blocks, unit_bytes};                        \
        pack(layout, unit_##type, w, row_bytes, n_rows, n_blocks, out);                            \
    }                                                                                              \
    static void simd_gemm_##type(                                                                  \
        const uint8_t *w, size_t row_bytes, size_t n_rows, const engine_int8_block *x,             \
        const uint32_t *index, size_t n_tokens, size_t n_in, void *scratch, float *y, size_t ldy)  \
    {                                                                                              \
        const type_layout layout = {kind, offset, unit_blocks, unit_bytes};                        \
        gemm(layout, simd_pack_##type, tiles, w, row_bytes, n_rows, x, index, n_tokens, n_in,      \
             scratch, y, ldy);                                                                     \
    }

DEFINE_TILES(u4, KIND_U4, 8)
DEFINE_TILES(u4_min, KIND_U4_MIN, 0)
DEFINE_TILES(u5, KIND_U5, 16)
DEFINE_TILES(u5_e2m1, KIND_U5, 12)
DEFINE_TILES(u5_min, KIND_U5_MIN, 0)
DEFINE_TILES(s8, KIND_S8, OFFSET_S8)
DEFINE_TILES(sub, KIND_SUB, 1)
DEFINE_TILES(sub_min, KIND_SUB_MIN, 0)

DEFINE_TYPE(q4_0, tiles_u4, KIND_U4, 8, 1, 18, run_q4_0, RUN_18)
DEFINE_TYPE(q4_1, tiles_u4_min, KIND_U4_MIN, 0, 1, 20, run_q4_1, RUN_Q4_1)
DEFINE_TYPE(q5_0, tiles_u5, KIND_U5, 16, 1, 22, NULL, RUN_UNIT)
DEFINE_TYPE(q5_1, tiles_u5_min, KIND_U5_MIN, 0, 1, 24, NULL, RUN_UNIT)
DEFINE_TYPE(q8_0, tiles_s8, KIND_S8, OFFSET_S8, 1, 34, RUN_Q8_0, RUN_UNIT)
DEFINE_TYPE(q2_k, tiles_sub_min, KIND_SUB_MIN, 0, 8, 84, NULL, RUN_UNIT)
DEFINE_TYPE(q3_k, tiles_sub, KIND_SUB, 1, 8, 110, NULL, RUN_UNIT)
DEFINE_TYPE(q4_k, tiles_u4_min, KIND_U4_MIN, 0, 8, 144, run_q4_k, RUN_K)
DEFINE_TYPE(q5_k, tiles_u5_min, KIND_U5_MIN, 0, 8, 176, NULL, RUN_UNIT)
DEFINE_TYPE(q6_k, tiles_sub, KIND_SUB, 1, 8, 210, run_q6_k, RUN_K)
DEFINE_TYPE(iq4_nl, tiles_s8, KIND_S8, OFFSET_S8, 1, 18, run_iq4_nl, RUN_18)
DEFINE_TYPE(iq4_xs, tiles_s8, KIND_S8, OFFSET_S8, 8, 136, run_iq4_xs, RUN_K)
DEFINE_TYPE(mxfp4, tiles_u5_e2m1, KIND_U5, 12, 1, 17, NULL, RUN_UNIT)

#define INT8_TABLE                                                                                 \
    {                                                                                              \
        .scratch_bytes = 2 * SLICE * sizeof(panel_block), .whole_sums = WHOLE_SUMS,                \
        .quantize = engine_int8_quantize_x86, .quantize_column = engine_int8_quantize_column_x86,  \
        .gemv = ENGINE_INT8_TABLE(simd_gemv), .gemm = ENGINE_INT8_TABLE(simd_gemm)                 \
    }
