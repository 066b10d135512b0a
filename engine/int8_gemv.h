/* Packed weights times one token, over the vocabulary of int8_simd.h, which includes this.
 *
 * A panel's blocks are multiplied as they are unpacked. What counts is instructions: reading overlaps with them only
 * while they take less time than it does, and where two threads share a core they share its six a cycle. So the types
 * that matter have "runs" of their own: these unpack some blocks together, sixteen bytes of each row at a time wherever
 * blocks begin and end, and multiply every vector at once instead of keeping it (Q4_0: 0.46 instructions for a byte of
 * weights; with four of 28 blocks by units, 0.50 and a fifth less speed).
 * Other types, and the rest of a row, go block by block through the functions of int8_units.h. */

/* ---- sums of a block in the making ---- */

/* The sum before the first product; the offset's share is out of it. U4 sums in 16 bits until end_sum. */
INLINE vi
begin_sum(const weight_kind kind, const int offset, const engine_int8_block *x)
{
#ifdef V_VNNI
    (void)kind;
    return start_whole(offset, x);
#else
    return kind == KIND_U4 && offset == 8 ? start_u4(x) : v_set32(0);
#endif
}

/* Four elements of every row times the four activations at a. */
INLINE vi
add_group(const weight_kind kind, vi sum, vi q, const int8_t *a)
{
#ifdef V_VNNI
    (void)kind;
    sum = v_dpbusd(sum, q, v_bcast32(a));
#else
    if (kind == KIND_S8)
        sum = v_add32(sum, v_maddw(v_maddubs(v_abs8(q), v_sign8(v_bcast32(a), q)), v_set16(1)));
    else
        sum = v_add16(sum, v_maddubs(q, v_bcast32(a)));
#endif
    v_keep(sum);
    return sum;
}

INLINE vi
end_sum(const weight_kind kind, vi sum)
{
#ifdef V_VNNI
    (void)kind;
    return sum;
#else
    return kind == KIND_S8 ? sum : v_maddw(sum, v_set16(1));
#endif
}

INLINE vf
add_scaled(vi sum, vf d, const engine_int8_block *x, vf acc)
{
    return v_fma(v_mul(d, v_bcastf(x->scale)), v_cvt(sum), acc);
}

/* ---- what comes next ---- */

/* Rows follow one another in memory: while one panel is multiplied a later one comes into the cache. Part `part` of n
 * of its n_bytes, when *when has been computed: left alone, GCC puts all prefetches of a run first, and the cache
 * cannot have so many lines on their way (a third of the speed of reading). Where *when is not used afterwards, it
 * leaves the prefetches out. */
INLINE void
prefetch_part(vi *when, const uint8_t *p, size_t n_bytes, size_t part, size_t n)
{
    const size_t lines = (n_bytes + 63) / 64;
    UNROLL
    for (size_t i = part * lines / n; i < (part + 1) * lines / n; i++)
        v_prefetch(*when, p + 64 * i);
}

/* ---- runs ---- */

/* n consecutive blocks of VW rows times x: continues acc. next: the same blocks of the panel that follows. */
typedef vf (*run_fn)(const uint8_t *p, size_t stride, const engine_int8_block *x, const size_t n,
                     const uint8_t *next, vf acc);

/* Lengths of a type's runs: as many of the long ones as there are, then short ones. What is left goes by units. */
typedef struct {
    size_t n_long, n_short;
} run_lengths;

/* What is stored block by block; by eights. */
#define RUN_UNIT ((run_lengths){1, 0})
#define RUN_K    ((run_lengths){8, 0})

/* Words at .. at + 3 of every row, at a multiple of four; where fewer than four are left of n, those at the end are
 * read once more: nothing behind the blocks is. */
INLINE void
load_words(const uint8_t *p, size_t stride, const size_t at, const size_t n, vi *w)
{
    vi last[4];

    if (at + 4 <= n) {
        load_groups(p + 4 * at, stride, w + at);
        return;
    }
    load_groups(p + 4 * n - 16, stride, last);
    UNROLL
    for (size_t i = at; i < n; i++)
        w[i] = last[i + 4 - n];
}

/* Nibbles as the kind wants them. */
INLINE vi
from_nibbles(const weight_kind kind, vi nibbles)
{
    return kind == KIND_S8 ? iq4_level(nibbles) : nibbles;
}

INLINE vi
add_nibbles(const weight_kind kind, vi sum, vi bytes, const int8_t *low, const int8_t *high)
{
    sum = add_group(kind, sum, from_nibbles(kind, low4(bytes)), low);
    return add_group(kind, sum, from_nibbles(kind, high4(bytes)), high);
}

/* An even number of blocks of a half and 16 bytes, at most eight; nine words of each row for two of them:
 *
 *     d  q0 q1 | q2 .. q5 | q6 .. q9 | q10 .. q13 | q14 q15 d' | q'0 .. q'3 | ... | q'12 .. q'15
 *
 * (q: low nibbles are elements 0..15, high ones 16..31). The ends of the first block make one word together. */
#define RUN_18 ((run_lengths){8, 2})
INLINE vf
run_18(const weight_kind kind, const int offset, const uint8_t *p, size_t stride,
       const engine_int8_block *x, const size_t n, const uint8_t *next, vf acc)
{
    vi w[36];

    UNROLL
    for (size_t pair = 0; pair < n / 2; pair++, x += 2) {
        vi sum = begin_sum(kind, offset, x);
        vf d[2];
        UNROLL
        for (size_t i = 0; i < 9; i++) {
            const size_t at = 9 * pair + i;
            if (at % 4 == 0) load_words(p, stride, at, 9 * n / 2, w);
            if (i > 0 && i < 4)
                sum = add_nibbles(kind, sum, w[at], x[0].q + 4 * i - 2, x[0].q + 4 * i + 14);
            if (i == 4) {
                sum = add_nibbles(kind, sum, v_blend16(w[at], w[at - 4]), x[0].ends, x[0].ends + 4);
                v_both_halves(v_blend16(w[at - 4], w[at]), &d[0], &d[1]);
                prefetch_part(&sum, next, VW * 18 * n, 2 * pair, n);
                acc = add_scaled(end_sum(kind, sum), d[0], &x[0], acc);
                sum = begin_sum(kind, offset, &x[1]);
            }
            if (i > 4) sum = add_nibbles(kind, sum, w[at], x[1].q + 4 * i - 20, x[1].q + 4 * i - 4);
        }
        prefetch_part(&sum, next, VW * 18 * n, 2 * pair + 1, n);
        acc = add_scaled(end_sum(kind, sum), d[1], &x[1], acc);
    }
    return acc;
}

INLINE vf
run_q4_0(const uint8_t *p, size_t stride, const engine_int8_block *x, const size_t n,
         const uint8_t *next, vf acc)
{
    return run_18(KIND_U4, 8, p, stride, x, n, next, acc);
}

INLINE vf
run_iq4_nl(const uint8_t *p, size_t stride, const engine_int8_block *x, const size_t n,
           const uint8_t *next, vf acc)
{
    return run_18(KIND_S8, OFFSET_S8, p, stride, x, n, next, acc);
}

/* At most four blocks of two halves and 16 bytes: five words each. */
#define RUN_Q4_1 ((run_lengths){4, 1})
INLINE vf
run_q4_1(const uint8_t *p, size_t stride, const engine_int8_block *x, const size_t n,
         const uint8_t *next, vf acc)
{
    vi w[20];

    UNROLL
    for (size_t b = 0; b < n; b++, x++) {
        vi sum = begin_sum(KIND_U4_MIN, 0, x);
        vf d, min;
        UNROLL
        for (size_t i = 0; i < 5; i++) {
            const size_t at = 5 * b + i;
            if (at % 4 == 0) load_words(p, stride, at, 5 * n, w);
            if (i == 0)
                v_both_halves(w[at], &d, &min);
            else
                sum = add_nibbles(KIND_U4_MIN, sum, w[at], x->q + 4 * i - 4, x->q + 4 * i + 12);
        }
        prefetch_part(&sum, next, VW * 20 * n, b, n);
        acc = add_scaled(end_sum(KIND_U4_MIN, sum), d, x, acc);
        acc = v_fma(min, v_bcastf(x->scaled_sum), acc);
    }
    return acc;
}

#ifdef V_ROWS_S8
/* A row's 32 weights lie beside one another as its activations do: no transposition before the sums. */
INLINE vf
run_q8_0(const uint8_t *p, size_t stride, const engine_int8_block *x, const size_t n,
         const uint8_t *next, vf acc)
{
    (void)n;
    vi sum = v_rows_s8(p + 2, stride, x->q);
    prefetch_part(&sum, next, VW * 34, 0, 1);
    return add_scaled(sum, load_half(p, stride), x, acc);
}
#endif

INLINE vf
run_iq4_xs(const uint8_t *p, size_t stride, const engine_int8_block *x, const size_t n,
           const uint8_t *next, vf acc)
{
    (void)n;
    const vi head = v_rows32(p, stride), low = v_rows32(p + 4, stride);

    UNROLL
    for (int b = 0; b < 8; b++, x++) {
        vi sum = begin_sum(KIND_S8, OFFSET_S8, x), g[4];
        load_groups(p + 8 + 16 * b, stride, g);
        UNROLL
        for (size_t i = 0; i < 4; i++)
            sum = add_nibbles(KIND_S8, sum, g[i], x->q + 4 * i, x->q + 16 + 4 * i);
        prefetch_part(&sum, next, VW * 136, (size_t)b, 8);
        acc = add_scaled(end_sum(KIND_S8, sum), scale_iq4_xs(head, low, b), x, acc);
    }
    return acc;
}

INLINE vf
add_scaled_min(vi sum, const panel_block *w, const engine_int8_block *x, vf acc)
{
    return v_fma(w->min, v_bcastf(x->scaled_sum), add_scaled(sum, w->d, x, acc));
}

INLINE vf
run_q4_k(const uint8_t *p, size_t stride, const engine_int8_block *x, const size_t n,
         const uint8_t *next, vf acc)
{
    (void)n;
    const scales_k k = load_scales_k(p, stride);

    UNROLL
    for (int j = 0; j < 8; j += 2, x += 2) {
        vi sums[2] = {begin_sum(KIND_U4_MIN, 0, &x[0]), begin_sum(KIND_U4_MIN, 0, &x[1])};
        panel_block w;
        UNROLL
        for (int half = 0; half < 2; half++) {
            vi g[4];
            load_groups(p + 16 + 16 * (j + half), stride, g);
            UNROLL
            for (int i = 0; i < 4; i++) {
                const int at = 16 * half + 4 * i;
                sums[0] = add_group(KIND_U4_MIN, sums[0], low4(g[i]), x[0].q + at);
                sums[1] = add_group(KIND_U4_MIN, sums[1], high4(g[i]), x[1].q + at);
            }
        }
        UNROLL
        for (int i = 0; i < 2; i++) {
            set_scale_k(&k, j + i, &w);
            prefetch_part(&sums[i], next, VW * 144, (size_t)(j + i), 8);
            acc = add_scaled_min(end_sum(KIND_U4_MIN, sums[i]), &w, &x[i], acc);
        }
    }
    return acc;
}

/* Sixteen weights of 0..63, less 32, times their activations, and times their scale. With the 32 taken out before
 * the first product every sum stays in 16 bits: eight products of at most 32 * 127. */
INLINE vi
add_sixteen(vi sum, const vi q[4], const int8_t *a, const int16_t minus32[2], vi scale)
{
    vi part = v_bcast32(minus32);
    UNROLL
    for (size_t i = 0; i < 4; i++) {
        part = v_add16(part, v_maddubs(q[i], v_bcast32(a + 4 * i)));
        v_keep(part);
    }
    return v_add32(sum, v_maddw(part, scale));
}

/* The scale of sixteen weights, twice in each lane: byte i of 16 that lie as load_groups leaves them. */
INLINE vi
scale_at(const vi sc[4], uint32_t i)
{
    return v_srai16(pick(sc[i / 4], NOTHING, i % 4, NOTHING, i % 4), 8);
}

INLINE vf
run_q6_k(const uint8_t *p, size_t stride, const engine_int8_block *x, const size_t n,
         const uint8_t *next, vf acc)
{
    (void)n;
    const vf d = load_last_half(p + 208, stride);
    vi sc[4];

    load_groups(p + 192, stride, sc);
    UNROLL
    for (uint32_t half = 0; half < 2; half++, x += 4) {
        vi sums[4] = {v_set32(0), v_set32(0), v_set32(0), v_set32(0)};
        UNROLL
        for (uint32_t part = 0; part < 2; part++) {
            vi high[4], low[4], q[4];
            load_groups(p + 128 + 32 * half + 16 * part, stride, high);
            UNROLL
            for (uint32_t quarter = 0; quarter < 4; quarter++) {
                /* quarters 0 and 2, 1 and 3 share their bytes */
                const uint32_t order[4] = {0, 2, 1, 3}, k = order[quarter];
                if (quarter % 2 == 0)
                    load_groups(p + 64 * half + 32 * (k % 2) + 16 * part, stride, low);
                UNROLL
                for (size_t i = 0; i < 4; i++)
                    q[i] = v_or(k < 2 ? low4(low[i]) : high4(low[i]),
                                move_bits(high[i], (int)(2 * k), 4, 0x30));
                sums[k] = add_sixteen(sums[k], q, x[k].q + 16 * part, x[k].minus32[part],
                                      scale_at(sc, 8 * half + 2 * k + part));
                prefetch_part(&sums[k], next, VW * 210, 8 * half + 4 * part + quarter, 16);
            }
        }
        UNROLL
        for (size_t k = 0; k < 4; k++)
            acc = add_scaled(sums[k], d, &x[k], acc);
    }
    return acc;
}

/* ---- one type ---- */

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
    const size_t each = ctx->layout.unit_blocks;
    panel_block now = *w; /* of which what prefetch_part has waited for is multiplied */
    const panel_block *panel = &now;
    vf acc[2][TOKENS];

    if (ctx->next) prefetch_part(&now.q[7], ctx->next, VW * ctx->layout.unit_bytes, block, each);
    acc[0][0] = ctx->acc;
    add_block(ctx->layout.kind, ctx->layout.offset, 1, 1, &panel, &x, acc);
    ctx->acc = acc[0][0];
}

/* Fewer rows than a panel has. */
INLINE void
gemv_few(const type_layout layout, unit_fn unit, const uint8_t *w, size_t row_bytes, size_t n_rows,
         const engine_int8_block *x, size_t n_in, float *y)
{
    const size_t n_units = n_in / ENGINE_INT8_BLOCK / layout.unit_blocks;
    uint8_t few[VW * MAX_UNIT];
    gemv_ctx ctx = {layout, x, NULL, v_zero()};

    for (size_t u = 0; u < n_units; u++) {
        unit(fill_rows(w, row_bytes, n_rows, layout.unit_bytes, few), layout.unit_bytes, gemv_emit,
             &ctx);
        w += layout.unit_bytes;
        ctx.x += layout.unit_blocks;
    }
    v_store_n(y, ctx.acc, n_rows);
}

/* Bytes between what is multiplied and what is fetched, into the second-level cache. A panel of short rows is multiplied
 * before the next has come from memory: on Zen 4 a core reads 20 GB/s of Q4_0 in rows of 576 bytes with 8 KiB, 28 with
 * 16; Q5_K wants 32 (23 for 19). More is lost where the next matrix lies elsewhere. */
#define AHEAD (32 * 1024)

/* The last panel overlaps the one before it: the same rows give the same numbers twice. */
INLINE void
gemv_panels(const type_layout layout, unit_fn unit, run_fn run, const run_lengths lengths,
            const uint8_t *w, size_t row_bytes, size_t n_rows, const engine_int8_block *x,
            size_t n_in, const uint8_t *after, float *y)
{
    const size_t n_blocks = n_in / ENGINE_INT8_BLOCK, each[2] = {lengths.n_long, lengths.n_short};
    const size_t shortest = lengths.n_short > 0 ? lengths.n_short : lengths.n_long;
    const size_t ahead = MAX(1, (AHEAD / row_bytes + VW / 2) / VW) * VW;

    for (size_t r = 0; r < n_rows; r += VW) {
        const size_t row = MIN(r, n_rows - VW);
        const uint8_t *p = w + row * row_bytes;
        const uint8_t *next = after && row + ahead >= n_rows
                                  ? after + (row + ahead - n_rows) * row_bytes
                                  : p + ahead * row_bytes;
        gemv_ctx ctx = {layout, x, NULL, v_zero()};
        size_t b = 0;
        UNROLL
        for (size_t i = 0; i < 2; i++) {
            const size_t run_bytes = each[i] / layout.unit_blocks * layout.unit_bytes;
            for (; run && each[i] > 0 && b + each[i] <= n_blocks; b += each[i]) {
                ctx.acc = run(p, row_bytes, x + b, each[i], next, ctx.acc);
                p += run_bytes;
                next += VW * run_bytes;
            }
        }
        /* what is stored in units as long as the last run leaves no rest */
        for (; (!run || shortest != layout.unit_blocks) && b < n_blocks; b += layout.unit_blocks) {
            ctx.x = x + b;
            ctx.next = next;
            unit(p, row_bytes, gemv_emit, &ctx);
            p += layout.unit_bytes;
            next += VW * layout.unit_bytes;
        }
        v_store(y + row, ctx.acc);
    }
}

/* run: NULL, or what takes runs of these lengths. */
#define DEFINE_GEMV(type, kind, offset, unit_blocks, unit_bytes, run, lengths)                     \
    static __attribute__((noinline)) void simd_gemv_few_##type(                                    \
        const uint8_t *w, size_t row_bytes, size_t n_rows, const engine_int8_block *x,             \
        size_t n_in, float *y)                                                                     \
    {                                                                                              \
        const type_layout layout = {kind, offset, unit_blocks, unit_bytes};                        \
        gemv_few(layout, unit_##type, w, row_bytes, n_rows, x, n_in, y);                           \
    }                                                                                              \
    static void simd_gemv_##type(const uint8_t *w, size_t row_bytes, size_t n_rows,                \
                                 const engine_int8_block *x, size_t n_in, const uint8_t *next,     \
                                 float *y)                                                         \
    {                                                                                              \
        const type_layout layout = {kind, offset, unit_blocks, unit_bytes};                        \
        if (n_rows < VW)                                                                           \
            simd_gemv_few_##type(w, row_bytes, n_rows, x, n_in, y);                                \
        else                                                                                       \
            gemv_panels(layout, unit_##type, run, lengths, w, row_bytes, n_rows, x, n_in, next,    \
                        y);                                                                        \
    }
