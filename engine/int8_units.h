/* Unpacking stored weights into panels, over the vocabulary of int8_simd.h, which includes this: one function for
 * each packed type. Layouts of the types: dequant.c. */

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
INLINE vi
as_signed_kind(vi q)
{
#ifdef V_VNNI
    return v_xor(q, v_set8((int8_t)-128));
#else
    return q;
#endif
}

INLINE void
unit_q8_0(const uint8_t *p, size_t stride, emit_fn emit, void *ctx)
{
    panel_block w;
    load_groups(p + 2, stride, w.q);
    load_groups(p + 18, stride, w.q + 4);
    UNROLL
    for (size_t g = 0; g < 8; g++)
        w.q[g] = as_signed_kind(w.q[g]);
    w.d = load_half(p, stride);
    emit(ctx, 0, &w);
}

INLINE vi
iq4_level(vi nibbles)
{
    const vi levels =
        v_table(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113);
    return as_signed_kind(v_shuffle8(levels, nibbles));
}

INLINE void
iq4_levels(vi q[8])
{
    UNROLL
    for (size_t g = 0; g < 8; g++)
        q[g] = iq4_level(q[g]);
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

/* The scale of block b: head and low are the first two words of a stored block. */
INLINE vf
scale_iq4_xs(vi head, vi low, int b)
{
    const vi scale = v_or(v_and(v_srli32(low, 4 * b), v_set32(15)),
                          v_slli32(v_and(v_srli32(head, 16 + 2 * b), v_set32(3)), 4));
    return v_mul(v_half_low(head), v_cvt(v_add32(scale, v_set32(-32))));
}

INLINE void
unit_iq4_xs(const uint8_t *p, size_t stride, emit_fn emit, void *ctx)
{
    const vi head = v_rows32(p, stride), low = v_rows32(p + 4, stride);

    for (int b = 0; b < 8; b++) {
        panel_block w;
        load_nibbles(p + 8 + 16 * b, stride, w.q);
        iq4_levels(w.q);
        w.d = scale_iq4_xs(head, low, b);
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
