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
 *   v_half_low(v)       the half in the low 16 bits of each lane
 *   v_keep(v)           computes v here: left alone, GCC makes all products of a block first, in memory, and
 *                       adds them up last
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

/* Where a 16-bit sum of U4 begins, twice in each lane: offset 8 is out of the sums before the first step. Which
 * weights' share each of the two takes does not matter: neither can leave 8 * 8 * 127 + 8 * 15 * 127 + 8 * 8 * 127. */
INLINE vi
start_u4(const engine_int8_block *x)
{
    return v_bcast32(x->minus8);
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
        const vi minus_offset = v_set16((int16_t)-offset);
        UNROLL
        for (size_t t = 0; t < T; t++) {
            const vi start = offset ? v_maddw(v_bcast32(x[t]->sums), minus_offset) : v_set32(0);
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

/* ---- unpacking ---- */

/* Takes block `block` (of its unit) of a panel. */
typedef void (*emit_fn)(void *ctx, size_t block, const panel_block *w);
/* Unpacks one stored block, a "unit", of VW rows that are `stride` bytes apart. */
typedef void (*unit_fn)(const uint8_t *p, size_t stride, emit_fn emit, void *ctx);

/* Lane r of out[i]: bytes 4i .. 4i+3 at p + r * stride. */
INLINE void
load_groups(const uint8_t *p, size_t stride, vi out[4])
{
    const vi r0 = v_rows16(p, stride), r1 = v_rows16(p + stride, stride),
             r2 = v_rows16(p + 2 * stride, stride), r3 = v_rows16(p + 3 * stride, stride);
    const vi low01 = v_unpacklo32(r0, r1), high01 = v_unpackhi32(r0, r1),
             low23 = v_unpacklo32(r2, r3), high23 = v_unpackhi32(r2, r3);
    out[0] = v_unpacklo64(low01, low23);
    out[1] = v_unpackhi64(low01, low23);
    out[2] = v_unpacklo64(high01, high23);
    out[3] = v_unpackhi64(high01, high23);
}

/* The order of v_rows16 puts rows 4l, 4l+1, 4l+2, 4l+3 into 16 bytes l: lane r is row r. */

INLINE vi
low4(vi v)
{
    return v_and(v, v_set8(15));
}

INLINE vi
high4(vi v)
{
    return v_and(v_srli16(v, 4), v_set8(15));
}

/* The half at p of every row. Two bytes behind it are read as well. */
INLINE vf
load_half(const uint8_t *p, size_t stride)
{
    vf half, unused;
    v_rows_halves(p, stride, &half, &unused);
    return half;
}

/* The same where the half ends its block: two bytes before it are read. */
INLINE vf
load_last_half(const uint8_t *p, size_t stride)
{
    vf unused, half;
    v_rows_halves(p - 2, stride, &unused, &half);
    return half;
}

/* 32 nibbles of a legacy block: low ones are elements 0..15. */
INLINE void
load_nibbles(const uint8_t *p, size_t stride, vi q[8])
{
    vi g[4];
    load_groups(p, stride, g);
    UNROLL
    for (size_t i = 0; i < 4; i++) {
        q[i] = low4(g[i]);
        q[4 + i] = high4(g[i]);
    }
}

INLINE void
unit_q4_0(const uint8_t *p, size_t stride, emit_fn emit, void *ctx)
{
    panel_block w;
    load_nibbles(p + 2, stride, w.q);
    w.d = load_half(p, stride);
    emit(ctx, 0, &w);
}

INLINE void
unit_q4_1(const uint8_t *p, size_t stride, emit_fn emit, void *ctx)
{
    panel_block w;
    load_nibbles(p + 4, stride, w.q);
    v_rows_halves(p, stride, &w.d, &w.min);
    emit(ctx, 0, &w);
}

/* Bytes b0 .. b3 of each 32-bit lane, 0 for NOTHING. */
#define NOTHING 0x80
INLINE vi
pick(vi v, uint32_t b0, uint32_t b1, uint32_t b2, uint32_t b3)
{
    const vi lanes = v_table(0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12);
    return v_shuffle8(v, v_or(lanes, v_set32((int)(b0 | b1 << 8 | b2 << 16 | b3 << 24))));
}

/* Add 16 where bit i of a row's word is set to its element i. */
INLINE void
add_fifth_bits(vi bits, vi q[8])
{
    UNROLL
    for (uint32_t g = 0; g < 8; g++) {
        const vi spread = pick(bits, g / 2, g / 2, g / 2, g / 2);
        q[g] = v_or(q[g], v_test16(spread, v_set32(g % 2 ? (int)0x80402010u : 0x08040201)));
    }
}

INLINE void
unit_q5_0(const uint8_t *p, size_t stride, emit_fn emit, void *ctx)
{
    panel_block w;
    load_nibbles(p + 6, stride, w.q);
    add_fifth_bits(v_rows32(p + 2, stride), w.q);
    w.d = load_half(p, stride);
    emit(ctx, 0, &w);
}

INLINE void
unit_q5_1(const uint8_t *p, size_t stride, emit_fn emit, void *ctx)
{
    panel_block w;
    load_nibbles(p + 8, stride, w.q);
    add_fifth_bits(v_rows32(p + 4, stride), w.q);
    v_rows_halves(p, stride, &w.d, &w.min);
    emit(ctx, 0, &w);
}

/* VNNI wants unsigned weights: 128 more, which the kind's offset takes back. */
INLINE void
as_signed_kind(vi q[8])
{
#ifdef V_VNNI
    UNROLL
    for (size_t g = 0; g < 8; g++)
        q[g] = v_xor(q[g], v_set8((int8_t)-128));
#else
    (void)q;
#endif
}

INLINE void
unit_q8_0(const uint8_t *p, size_t stride, emit_fn emit, void *ctx)
{
    panel_block w;
    load_groups(p + 2, stride, w.q);
    load_groups(p + 18, stride, w.q + 4);
    as_signed_kind(w.q);
    w.d = load_half(p, stride);
    emit(ctx, 0, &w);
}

INLINE void
iq4_levels(vi q[8])
{
    const vi levels =
        v_table(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113);
    UNROLL
    for (size_t g = 0; g < 8; g++)
        q[g] = v_shuffle8(levels, q[g]);
    as_signed_kind(q);
}

INLINE void
unit_iq4_nl(const uint8_t *p, size_t stride, emit_fn emit, void *ctx)
{
    panel_block w;
    load_nibbles(p + 2, stride, w.q);
    iq4_levels(w.q);
    w.d = load_half(p, stride);
    emit(ctx, 0, &w);
}

INLINE void
unit_iq4_xs(const uint8_t *p, size_t stride, emit_fn emit, void *ctx)
{
    const vi head = v_rows32(p, stride), low = v_rows32(p + 4, stride);
    const vi high = v_srli32(head, 16);
    const vf d = v_half_low(head);

    for (int b = 0; b < 8; b++) {
        panel_block w;
        const vi scale = v_or(v_and(v_srli32(low, 4 * b), v_set32(15)),
                              v_slli32(v_and(v_srli32(high, 2 * b), v_set32(3)), 4));
        load_nibbles(p + 8 + 16 * b, stride, w.q);
        iq4_levels(w.q);
        w.d = v_mul(d, v_cvt(v_add32(scale, v_set32(-32))));
        emit(ctx, (size_t)b, &w);
    }
}

/* The levels of MXFP4 plus 12. */
INLINE void
unit_mxfp4(const uint8_t *p, size_t stride, emit_fn emit, void *ctx)
{
    panel_block w;
    const vi levels = v_table(12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0);
    load_nibbles(p + 1, stride, w.q);
    UNROLL
    for (size_t g = 0; g < 8; g++)
        w.q[g] = v_shuffle8(levels, w.q[g]);
    w.d = v_exponent(v_and(v_rows32(p, stride), v_set32(255)));
    emit(ctx, 0, &w);
}

/* The 6-bit scales and minima of a Q4_K or Q5_K block: byte j % 4 of s[j / 4] and m[j / 4]. */
typedef struct {
    vi s[2], m[2];
    vf d, minus_dmin;
} scales_k;

INLINE scales_k
load_scales_k(const uint8_t *p, size_t stride)
{
    scales_k k;
    vi h[4];
    load_groups(p, stride, h);
    k.d = v_half_low(h[0]);
    k.minus_dmin = v_sub(v_zero(), v_half_low(v_srli32(h[0], 16)));
    k.s[0] = v_and(h[1], v_set8(63));
    k.m[0] = v_and(h[2], v_set8(63));
    k.s[1] = v_or(low4(h[3]), v_srli16(v_and(h[1], v_set8((int8_t)0xc0)), 2));
    k.m[1] = v_or(high4(h[3]), v_srli16(v_and(h[2], v_set8((int8_t)0xc0)), 2));
    return k;
}

INLINE void
set_scale_k(const scales_k *k, int j, panel_block *w)
{
    const vi s = v_and(v_srli32(k->s[j / 4], 8 * (j % 4)), v_set32(255));
    const vi m = v_and(v_srli32(k->m[j / 4], 8 * (j % 4)), v_set32(255));
    w->d = v_mul(k->d, v_cvt(s));
    w->min = v_mul(k->minus_dmin, v_cvt(m));
}

INLINE void
unit_q4_k(const uint8_t *p, size_t stride, emit_fn emit, void *ctx)
{
    const scales_k k = load_scales_k(p, stride);

    UNROLL
    for (int j = 0; j < 8; j += 2) {
        panel_block w;
        vi g[8];
        load_groups(p + 16 + 16 * j, stride, g);
        load_groups(p + 32 + 16 * j, stride, g + 4);
        UNROLL
        for (size_t i = 0; i < 8; i++)
            w.q[i] = low4(g[i]);
        set_scale_k(&k, j, &w);
        emit(ctx, (size_t)j, &w);
        UNROLL
        for (size_t i = 0; i < 8; i++)
            w.q[i] = high4(g[i]);
        set_scale_k(&k, j + 1, &w);
        emit(ctx, (size_t)j + 1, &w);
    }
}

/* Bit `from` of every byte as bit `to`. */
INLINE vi
move_bits(vi v, int from, int to, int mask)
{
    const vi moved = from > to ? v_srli16(v, from - to) : v_slli16(v, to - from);
    return v_and(moved, v_set8((int8_t)mask));
}

INLINE void
unit_q5_k(const uint8_t *p, size_t stride, emit_fn emit, void *ctx)
{
    const scales_k k = load_scales_k(p, stride);
    vi high[8];

    load_groups(p + 16, stride, high);
    load_groups(p + 32, stride, high + 4);
    UNROLL
    for (int j = 0; j < 8; j += 2) {
        panel_block w;
        vi g[8];
        load_groups(p + 48 + 16 * j, stride, g);
        load_groups(p + 64 + 16 * j, stride, g + 4);
        UNROLL
        for (size_t i = 0; i < 8; i++)
            w.q[i] = v_or(low4(g[i]), move_bits(high[i], j, 4, 16));
        set_scale_k(&k, j, &w);
        emit(ctx, (size_t)j, &w);
        UNROLL
        for (size_t i = 0; i < 8; i++)
            w.q[i] = v_or(high4(g[i]), move_bits(high[i], j + 1, 4, 16));
        set_scale_k(&k, j + 1, &w);
        emit(ctx, (size_t)j + 1, &w);
    }
}

/* Scales 2j and 2j + 1 of sixteen signed bytes in sc[4], as SUB wants them. shift: log2 of the offset. */
INLINE void
set_scales_sub(const vi sc[4], int j, int shift, panel_block *w)
{
    const uint32_t a = (uint32_t)j * 2 % 4, b = a + 1;
    /* the byte as the high half of 16 bits */
    const vi first = pick(sc[j / 2], NOTHING, a, NOTHING, a),
             second = pick(sc[j / 2], NOTHING, b, NOTHING, b),
             both = pick(sc[j / 2], NOTHING, a, NOTHING, b);
    w->s[0] = v_srai16(first, 8);
    w->s[1] = v_srai16(second, 8);
    w->correct = v_sub16(v_set32(0), v_srai16(both, 8 - shift));
}

INLINE void
unit_q6_k(const uint8_t *p, size_t stride, emit_fn emit, void *ctx)
{
    vi sc[4];
    const vf d = load_last_half(p + 208, stride);

    load_groups(p + 192, stride, sc);
    UNROLL
    for (int half = 0; half < 2; half++) {
        vi low[16], high[8];
        UNROLL
        for (size_t i = 0; i < 4; i++)
            load_groups(p + 64 * half + 16 * (int)i, stride, low + 4 * i);
        load_groups(p + 128 + 32 * half, stride, high);
        load_groups(p + 144 + 32 * half, stride, high + 4);
        UNROLL
        for (int quarter = 0; quarter < 4; quarter++) {
            const vi *bytes = low + quarter % 2 * 8;
            panel_block w;
            UNROLL
            for (size_t i = 0; i < 8; i++)
                w.q[i] = v_or(quarter < 2 ? low4(bytes[i]) : high4(bytes[i]),
                              move_bits(high[i], 2 * quarter, 4, 0x30));
            w.d = d;
            set_scales_sub(sc, 4 * half + quarter, 5, &w);
            emit(ctx, (size_t)(4 * half + quarter), &w);
        }
    }
}

INLINE void
unit_q3_k(const uint8_t *p, size_t stride, emit_fn emit, void *ctx)
{
    vi h[4], sc[4], high[8];
    const vf d = load_last_half(p + 108, stride);

    /* 4 bytes early, not to read past the block: h[1..3] are the twelve bytes of scales */
    load_groups(p + 92, stride, h);
    UNROLL
    for (int i = 0; i < 4; i++) {
        const vi low = i < 2 ? low4(h[1 + i]) : high4(h[i - 1]);
        sc[i] = v_sub8(v_or(low, move_bits(h[3], 2 * i, 4, 0x30)), v_set8(32));
    }
    load_groups(p, stride, high);
    load_groups(p + 16, stride, high + 4);
    UNROLL
    for (int half = 0; half < 2; half++) {
        vi g[8];
        load_groups(p + 32 + 32 * half, stride, g);
        load_groups(p + 48 + 32 * half, stride, g + 4);
        UNROLL
        for (int k = 0; k < 4; k++) {
            const int j = 4 * half + k;
            panel_block w;
            UNROLL
            for (size_t i = 0; i < 8; i++)
                w.q[i] = v_or(move_bits(g[i], 2 * k, 0, 3), move_bits(high[i], j, 2, 4));
            w.d = d;
            set_scales_sub(sc, j, 2, &w);
            emit(ctx, (size_t)j, &w);
        }
    }
}

INLINE void
unit_q2_k(const uint8_t *p, size_t stride, emit_fn emit, void *ctx)
{
    vi h[4], sc[4];
    const vi head = v_rows32(p + 80, stride);
    const vf d = v_half_low(head), minus_dmin = v_sub(v_zero(), v_half_low(v_srli32(head, 16)));

    load_groups(p, stride, h);
    UNROLL
    for (int i = 0; i < 4; i++)
        sc[i] = low4(h[i]);
    UNROLL
    for (int half = 0; half < 2; half++) {
        vi g[8];
        load_groups(p + 16 + 32 * half, stride, g);
        load_groups(p + 32 + 32 * half, stride, g + 4);
        UNROLL
        for (int k = 0; k < 4; k++) {
            const int j = 4 * half + k;
            const uint32_t a = (uint32_t)j * 2 % 4, b = a + 1;
            panel_block w;
            UNROLL
            for (size_t i = 0; i < 8; i++)
                w.q[i] = move_bits(g[i], 2 * k, 0, 3);
            w.d = d;
            w.min = minus_dmin;
            set_scales_sub(sc, j, 0, &w);
            w.correct = pick(high4(h[j / 2]), a, NOTHING, b, NOTHING);
            emit(ctx, (size_t)j, &w);
        }
    }
}

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

/* Rows follow one another in memory: while one panel is multiplied the next comes into the cache. */
INLINE void
prefetch(const uint8_t *p, size_t n_bytes)
{
    UNROLL
    for (size_t i = 0; i < n_bytes; i += 64)
        _mm_prefetch((const char *)p + i, _MM_HINT_T0);
}

typedef struct {
    type_layout layout;
    const engine_int8_block *x;
    const uint8_t *next; /* of the panel that follows; NULL: none */
    vf acc;
} gemv_ctx;

INLINE void
gemv_emit(void *data, size_t block, const panel_block *w)
{
    gemv_ctx *ctx = data;
    const engine_int8_block *x = ctx->x + block;
    /* a block's part at a time: a unit's lines at once are more than the cache can have on their way */
    const size_t ahead = VW * ctx->layout.unit_bytes / ctx->layout.unit_blocks;
    vf acc[2][TOKENS];

    if (ctx->next) prefetch(ctx->next + block * ahead, ahead);
    acc[0][0] = ctx->acc;
    add_block(ctx->layout.kind, ctx->layout.offset, 1, 1, &w, &x, acc);
    ctx->acc = acc[0][0];
}

INLINE void
gemv(const type_layout layout, unit_fn unit, const uint8_t *w, size_t row_bytes, size_t n_rows,
     const engine_int8_block *x, size_t n_in, float *y)
{
    const size_t n_units = n_in / ENGINE_INT8_BLOCK / layout.unit_blocks;
    uint8_t few[VW * MAX_UNIT];

    for (size_t r = 0; r < n_rows; r += VW) {
        const uint8_t *p = w + r * row_bytes, *next = p + VW * row_bytes;
        const size_t n = MIN(VW, n_rows - r);
        gemv_ctx ctx = {layout, x, NULL, v_zero()};
        for (size_t u = 0; u < n_units; u++) {
            if (n < VW) {
                unit(fill_rows(p, row_bytes, n, layout.unit_bytes, few), layout.unit_bytes,
                     gemv_emit, &ctx);
            } else {
                ctx.next = next;
                unit(p, row_bytes, gemv_emit, &ctx);
            }
            p += layout.unit_bytes;
            next += VW * layout.unit_bytes;
            ctx.x += layout.unit_blocks;
        }
        if (n < VW)
            v_store_n(y + r, ctx.acc, n);
        else
            v_store(y + r, ctx.acc);
    }
}

typedef void (*pack_fn)(const uint8_t *w, size_t row_bytes, size_t n_rows, size_t n_blocks,
                        panel_block *out);

/* The packed bytes that will be unpacked next, fetched into the second-level cache bit by bit while tokens
 * are multiplied: unpacking from memory otherwise took a fifth of the time at 64 tokens. */
typedef struct {
    const uint8_t *p;
    size_t row_bytes, slice_bytes; /* rows are row_bytes apart, of which slice_bytes are wanted */
    size_t n_rows, row, at;
    size_t n_lines; /* for each step */
} fetch_ahead;

INLINE fetch_ahead
plan_ahead(const uint8_t *p, size_t row_bytes, size_t slice_bytes, size_t n_rows, size_t n_steps)
{
    const size_t lines = n_rows * (slice_bytes / 64 + 1);
    return (fetch_ahead){.p = p,
                         .row_bytes = row_bytes,
                         .slice_bytes = slice_bytes,
                         .n_rows = n_rows,
                         .n_lines = (lines + n_steps - 1) / n_steps};
}

INLINE void
step_ahead(fetch_ahead *ahead)
{
    for (size_t i = 0; i < ahead->n_lines && ahead->row < ahead->n_rows; i++) {
        _mm_prefetch((const char *)ahead->p + ahead->row * ahead->row_bytes + ahead->at,
                     _MM_HINT_T1);
        ahead->at += 64;
        if (ahead->at >= ahead->slice_bytes + 64) {
            ahead->at = 0;
            ahead->row++;
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
    const size_t n_blocks = n_in / ENGINE_INT8_BLOCK;
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
                plan_ahead(next, row_bytes, slice_bytes, rows, (n_tokens + TOKENS - 1) / TOKENS);
            pack_rows(from, row_bytes, MIN(VW, rows), n, panels);
            if (n_panels == 2)
                pack_rows(from + VW * row_bytes, row_bytes, rows - VW, n, panels + SLICE);
            for (size_t t = 0, shape = 0; t < n_tokens; t += tile_tokens[shape]) {
                const engine_int8_block *rows_x[TOKENS];
                while (n_tokens - t < tile_tokens[shape])
                    shape++;
                for (size_t i = 0; i < tile_tokens[shape]; i++)
                    rows_x[i] = x + (index ? index[t + i] : t + i) * n_blocks + b;
                step_ahead(&ahead);
                tiles[n_panels - 1][shape](panels, rows_x, n, b == 0, y + t * ldy + r, ldy, rows);
            }
        }
    }
}

/* The functions of one type; tiles of its kind and offset must be there. */
#define DEFINE_TYPE(type, tiles, kind, offset, unit_blocks, unit_bytes)                            \
    static void simd_pack_##type(const uint8_t *w, size_t row_bytes, size_t n_rows,                \
                                 size_t n_blocks, panel_block *out)                                \
    {                                                                                              \
        const type_layout layout = {kind, offset, unit_blocks, unit_bytes};                        \
        pack(layout, unit_##type, w, row_bytes, n_rows, n_blocks, out);                            \
    }                                                                                              \
    static void simd_gemv_##type(const uint8_t *w, size_t row_bytes, size_t n_rows,                \
                                 const engine_int8_block *x, size_t n_in, float *y)                \
    {                                                                                              \
        const type_layout layout = {kind, offset, unit_blocks, unit_bytes};                        \
        gemv(layout, unit_##type, w, row_bytes, n_rows, x, n_in, y);                               \
    }                                                                                              \
    static void simd_gemm_##type(                                                                  \
        const uint8_t *w, size_t row_bytes, size_t n_rows, const engine_int8_block *x,             \
        const uint32_t *index, size_t n_tokens, size_t n_in, void *scratch, float *y, size_t ldy)  \
    {                                                                                              \
        const type_layout layout = {kind, offset, unit_blocks, unit_bytes};                        \
        gemm(layout, simd_pack_##type, tiles, w, row_bytes, n_rows, x, index, n_tokens, n_in,      \
             scratch, y, ldy);                                                                     \
    }

#ifdef V_VNNI
#define OFFSET_S8 128
#else
#define OFFSET_S8 0
#endif

DEFINE_TILES(u4, KIND_U4, 8)
DEFINE_TILES(u4_min, KIND_U4_MIN, 0)
DEFINE_TILES(u5, KIND_U5, 16)
DEFINE_TILES(u5_e2m1, KIND_U5, 12)
DEFINE_TILES(u5_min, KIND_U5_MIN, 0)
DEFINE_TILES(s8, KIND_S8, OFFSET_S8)
DEFINE_TILES(sub, KIND_SUB, 1)
DEFINE_TILES(sub_min, KIND_SUB_MIN, 0)

DEFINE_TYPE(q4_0, tiles_u4, KIND_U4, 8, 1, 18)
DEFINE_TYPE(q4_1, tiles_u4_min, KIND_U4_MIN, 0, 1, 20)
DEFINE_TYPE(q5_0, tiles_u5, KIND_U5, 16, 1, 22)
DEFINE_TYPE(q5_1, tiles_u5_min, KIND_U5_MIN, 0, 1, 24)
DEFINE_TYPE(q8_0, tiles_s8, KIND_S8, OFFSET_S8, 1, 34)
DEFINE_TYPE(q2_k, tiles_sub_min, KIND_SUB_MIN, 0, 8, 84)
DEFINE_TYPE(q3_k, tiles_sub, KIND_SUB, 1, 8, 110)
DEFINE_TYPE(q4_k, tiles_u4_min, KIND_U4_MIN, 0, 8, 144)
DEFINE_TYPE(q5_k, tiles_u5_min, KIND_U5_MIN, 0, 8, 176)
DEFINE_TYPE(q6_k, tiles_sub, KIND_SUB, 1, 8, 210)
DEFINE_TYPE(iq4_nl, tiles_s8, KIND_S8, OFFSET_S8, 1, 18)
DEFINE_TYPE(iq4_xs, tiles_s8, KIND_S8, OFFSET_S8, 8, 136)
DEFINE_TYPE(mxfp4, tiles_u5_e2m1, KIND_U5, 12, 1, 17)

#define INT8_TABLE                                                                                 \
    {                                                                                              \
        .scratch_bytes = 2 * SLICE * sizeof(panel_block), .quantize = engine_int8_quantize_x86,    \
        .gemv = ENGINE_INT8_TABLE(simd_gemv), .gemm = ENGINE_INT8_TABLE(simd_gemm)                 \
    }
