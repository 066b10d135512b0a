/* The fast kernels, written once over a small vector vocabulary and compiled per instruction set: the file
 * that includes this defines the vocabulary and, at its end, puts the functions into its table.
 *
 *   vf, VW              a vector of VW floats
 *   v_load v_store      unaligned; *_n touch only the first n < VW elements (the rest reads as 0)
 *   v_set1 v_zero v_add v_sub v_mul v_div v_max v_fma(a, b, c) = a*b + c, one rounding
 *   v_sum(v)            sum of the lanes, in one fixed order; v_sum4 does four vectors, in the same order
 *   v_max_lanes(v), v_keep_n(v, n) = v with lanes >= n set to 0
 *   v_broadcast(x)      lane 0 of an __m128 in every lane
 *   v_exp2i(v)          2^v for whole numbers v in -126..127; v_round(v) to nearest
 *   v_i8 v_u8 v_low4 v_high4(p)   VW bytes at p (their low, high nibbles) as floats
 *   v_half v_bf16(p)    VW 16-bit floats at p
 *   MICRO_ROWS MICRO_TOKENS       shape of the product's register block
 *
 * Element i of a row always goes through lane i % VW, in ascending i: that, v_sum and nothing else fix the
 * order of every sum. */

#if defined(__GNUC__) && !defined(__clang__)
#define UNROLL _Pragma("GCC unroll 8")
#else
#define UNROLL _Pragma("unroll")
#endif
#define INLINE static inline __attribute__((always_inline))

INLINE float
half_at(const uint8_t *p)
{
    uint16_t h;
    memcpy(&h, p, sizeof h);
    return _cvtsh_ss(h);
}

/* Two halves side by side, as vectors. */
INLINE void
half_pair(const uint8_t *p, vf *first, vf *second)
{
    uint32_t bits;
    memcpy(&bits, p, sizeof bits);
    const __m128 pair = _mm_cvtph_ps(_mm_cvtsi32_si128((int)bits));
    *first = v_broadcast(pair);
    *second = v_broadcast(_mm_movehdup_ps(pair));
}

/* ---- products ---- */

/* rows x tokens dot products at once; the constants of the call decide the unrolling. */
INLINE void
micro(const size_t rows, const size_t tokens, const float *w, size_t ldw, const float *x,
      size_t ldx, size_t n, const float *bias, float *y, size_t ldy)
{
    vf acc[MICRO_ROWS][MICRO_TOKENS];
    vf wv[MICRO_ROWS];
    const size_t whole = n - n % VW;

    UNROLL
    for (size_t r = 0; r < rows; r++) {
        UNROLL
        for (size_t t = 0; t < tokens; t++)
            acc[r][t] = v_zero();
    }
    for (size_t i = 0; i < whole; i += VW) {
        UNROLL
        for (size_t r = 0; r < rows; r++)
            wv[r] = v_load(w + r * ldw + i);
        UNROLL
        for (size_t t = 0; t < tokens; t++) {
            const vf xv = v_load(x + t * ldx + i);
            UNROLL
            for (size_t r = 0; r < rows; r++)
                acc[r][t] = v_fma(wv[r], xv, acc[r][t]);
        }
    }
    if (whole < n) {
        UNROLL
        for (size_t r = 0; r < rows; r++) {
            const vf tail = v_load_n(w + r * ldw + whole, n - whole);
            UNROLL
            for (size_t t = 0; t < tokens; t++)
                acc[r][t] = v_fma(tail, v_load_n(x + t * ldx + whole, n - whole), acc[r][t]);
        }
    }
    UNROLL
    for (size_t t = 0; t < tokens; t++) {
        if (rows == 4) {
            const __m128 sums = v_sum4(acc[0][t], acc[1][t], acc[2][t], acc[3][t]);
            _mm_storeu_ps(y + t * ldy, bias ? _mm_add_ps(sums, _mm_loadu_ps(bias)) : sums);
        } else {
            UNROLL
            for (size_t r = 0; r < rows; r++)
                y[t * ldy + r] = bias ? v_sum(acc[r][t]) + bias[r] : v_sum(acc[r][t]);
        }
    }
}

static float
simd_dot(const float *a, const float *b, size_t n)
{
    float sum;
    micro(1, 1, a, 0, b, 0, n, NULL, &sum, 0);
    return sum;
}

INLINE void
gemm_rows(const size_t tokens, const float *w, size_t ldw, size_t n_rows, const float *x,
          size_t ldx, size_t n_in, const float *bias, float *y, size_t ldy)
{
    size_t r = 0;

    for (; r + MICRO_ROWS <= n_rows; r += MICRO_ROWS)
        micro(MICRO_ROWS, tokens, w + r * ldw, ldw, x, ldx, n_in, bias ? bias + r : NULL, y + r,
              ldy);
    for (; r < n_rows; r++)
        micro(1, tokens, w + r * ldw, ldw, x, ldx, n_in, bias ? bias + r : NULL, y + r, ldy);
}

static void
simd_gemm(const float *w, size_t ldw, size_t n_rows, const float *x, size_t ldx, size_t n_tokens,
          size_t n_in, const float *bias, float *y, size_t ldy)
{
    size_t t = 0;

    for (; t + MICRO_TOKENS <= n_tokens; t += MICRO_TOKENS)
        gemm_rows(MICRO_TOKENS, w, ldw, n_rows, x + t * ldx, ldx, n_in, bias, y + t * ldy, ldy);
    for (; t + 2 <= n_tokens; t += 2)
        gemm_rows(2, w, ldw, n_rows, x + t * ldx, ldx, n_in, bias, y + t * ldy, ldy);
    for (; t < n_tokens; t++)
        gemm_rows(1, w, ldw, n_rows, x + t * ldx, ldx, n_in, bias, y + t * ldy, ldy);
}

/* ---- one token against packed rows ---- */

/* One block of 32 elements of one row: acc += w * x, w expanded to the very floats the type defines (a
 * half times a small integer is exact in float32, so multiply-then-add and fma agree). */
typedef vf (*block_fn)(const uint8_t *block, const float *x, vf acc);

INLINE vf
block_q4_1(const uint8_t *block, const float *x, vf acc)
{
    vf d, m;

    half_pair(block, &d, &m);
    UNROLL
    for (size_t j = 0; j < 16; j += VW)
        acc = v_fma(v_fma(d, v_low4(block + 4 + j), m), v_load(x + j), acc);
    UNROLL
    for (size_t j = 0; j < 16; j += VW)
        acc = v_fma(v_fma(d, v_high4(block + 4 + j), m), v_load(x + 16 + j), acc);
    return acc;
}

INLINE vf
block_q4_0(const uint8_t *block, const float *x, vf acc)
{
    const vf d = v_set1(half_at(block)), eight = v_set1(8.0f);

    UNROLL
    for (size_t j = 0; j < 16; j += VW)
        acc = v_fma(v_mul(d, v_sub(v_low4(block + 2 + j), eight)), v_load(x + j), acc);
    UNROLL
    for (size_t j = 0; j < 16; j += VW)
        acc = v_fma(v_mul(d, v_sub(v_high4(block + 2 + j), eight)), v_load(x + 16 + j), acc);
    return acc;
}

INLINE vf
block_q8_0(const uint8_t *block, const float *x, vf acc)
{
    const vf d = v_set1(half_at(block));

    UNROLL
    for (size_t j = 0; j < 32; j += VW)
        acc = v_fma(v_mul(d, v_i8(block + 2 + j)), v_load(x + j), acc);
    return acc;
}

INLINE vf
block_f16(const uint8_t *block, const float *x, vf acc)
{
    UNROLL
    for (size_t j = 0; j < 32; j += VW)
        acc = v_fma(v_half(block + 2 * j), v_load(x + j), acc);
    return acc;
}

INLINE vf
block_bf16(const uint8_t *block, const float *x, vf acc)
{
    UNROLL
    for (size_t j = 0; j < 32; j += VW)
        acc = v_fma(v_bf16(block + 2 * j), v_load(x + j), acc);
    return acc;
}

/* Elements past the last whole 32, which only unblocked types have: same lanes, same order. */
INLINE vf
tail_16bit(engine_dequantize_fn expand, const uint8_t *packed, const float *x, size_t n, vf acc)
{
    float values[32];

    expand(packed, values, n);
    for (size_t i = 0; i < n; i += VW)
        acc = n - i >= VW ? v_fma(v_load(values + i), v_load(x + i), acc)
                          : v_fma(v_load_n(values + i, n - i), v_load_n(x + i, n - i), acc);
    return acc;
}

INLINE void
gemv_rows(const size_t rows, block_fn block, size_t block_bytes, engine_dequantize_fn expand_tail,
          const uint8_t *w, size_t row_bytes, const float *x, size_t n_in, float *y)
{
    vf acc[4];
    const size_t n_blocks = n_in / 32, rest = n_in % 32;

    UNROLL
    for (size_t r = 0; r < rows; r++)
        acc[r] = v_zero();
    for (size_t b = 0; b < n_blocks; b++) {
        UNROLL
        for (size_t r = 0; r < rows; r++)
            acc[r] = block(w + r * row_bytes + b * block_bytes, x + 32 * b, acc[r]);
    }
    if (rest > 0) {
        for (size_t r = 0; r < rows; r++)
            acc[r] = tail_16bit(expand_tail, w + r * row_bytes + n_blocks * block_bytes,
                                x + 32 * n_blocks, rest, acc[r]);
    }
    UNROLL
    for (size_t r = 0; r < rows; r++)
        y[r] = v_sum(acc[r]);
}

INLINE void
gemv(block_fn block, size_t block_bytes, engine_dequantize_fn expand_tail, const uint8_t *w,
     size_t row_bytes, size_t n_rows, const float *x, size_t n_in, float *y)
{
    size_t r = 0;

    for (; r + 4 <= n_rows; r += 4)
        gemv_rows(4, block, block_bytes, expand_tail, w + r * row_bytes, row_bytes, x, n_in, y + r);
    for (; r < n_rows; r++)
        gemv_rows(1, block, block_bytes, expand_tail, w + r * row_bytes, row_bytes, x, n_in, y + r);
}

#define DEFINE_GEMV(type, block_bytes, expand_tail)                                                \
    static void simd_gemv_##type(const uint8_t *w, size_t row_bytes, size_t n_rows,                \
                                 const float *x, size_t n_in, float *y)                            \
    {                                                                                              \
        gemv(block_##type, block_bytes, expand_tail, w, row_bytes, n_rows, x, n_in, y);            \
    }

DEFINE_GEMV(q4_0, 18, NULL)
DEFINE_GEMV(q4_1, 20, NULL)
DEFINE_GEMV(q8_0, 34, NULL)
DEFINE_GEMV(f16, 64, engine_dequantize_f16)
DEFINE_GEMV(bf16, 64, engine_dequantize_bf16)

static void
simd_gemv_f32(const uint8_t *w, size_t row_bytes, size_t n_rows, const float *x, size_t n_in,
              float *y)
{
    /* vector loads need no alignment, and nothing else reads w here */
    const float *rows = (const float *)(const void *)w;
    size_t r = 0;

    for (; r + 4 <= n_rows; r += 4)
        micro(4, 1, rows + r * (row_bytes / 4), row_bytes / 4, x, 0, n_in, NULL, y + r, 0);
    for (; r < n_rows; r++)
        micro(1, 1, rows + r * (row_bytes / 4), 0, x, 0, n_in, NULL, y + r, 0);
}

/* ---- expanding rows ---- */

static void
simd_dequantize_q4_0(const uint8_t *src, float *dst, size_t n)
{
    for (; n > 0; n -= 32, src += 18, dst += 32) {
        const vf d = v_set1(half_at(src)), eight = v_set1(8.0f);
        UNROLL
        for (size_t j = 0; j < 16; j += VW) {
            v_store(dst + j, v_mul(d, v_sub(v_low4(src + 2 + j), eight)));
            v_store(dst + 16 + j, v_mul(d, v_sub(v_high4(src + 2 + j), eight)));
        }
    }
}

static void
simd_dequantize_q4_1(const uint8_t *src, float *dst, size_t n)
{
    for (; n > 0; n -= 32, src += 20, dst += 32) {
        vf d, m;
        half_pair(src, &d, &m);
        UNROLL
        for (size_t j = 0; j < 16; j += VW) {
            v_store(dst + j, v_fma(d, v_low4(src + 4 + j), m));
            v_store(dst + 16 + j, v_fma(d, v_high4(src + 4 + j), m));
        }
    }
}

static void
simd_dequantize_q8_0(const uint8_t *src, float *dst, size_t n)
{
    for (; n > 0; n -= 32, src += 34, dst += 32) {
        const vf d = v_set1(half_at(src));
        UNROLL
        for (size_t j = 0; j < 32; j += VW)
            v_store(dst + j, v_mul(d, v_i8(src + 2 + j)));
    }
}

static void
simd_dequantize_f16(const uint8_t *src, float *dst, size_t n)
{
    size_t i = 0;

    for (; i + VW <= n; i += VW)
        v_store(dst + i, v_half(src + 2 * i));
    if (i < n) engine_dequantize_f16(src + 2 * i, dst + i, n - i);
}

static void
simd_dequantize_bf16(const uint8_t *src, float *dst, size_t n)
{
    size_t i = 0;

    for (; i + VW <= n; i += VW)
        v_store(dst + i, v_bf16(src + 2 * i));
    if (i < n) engine_dequantize_bf16(src + 2 * i, dst + i, n - i);
}

/* Scales and mins of the eight sub-blocks of a Q4_K or Q5_K block, multiplied out. */
INLINE void
scales_mins_k(const uint8_t *block, float scales[8], float mins[8])
{
    const float d = half_at(block), dmin = half_at(block + 2);
    const uint8_t *packed = block + 4;

    for (int j = 0; j < 4; j++) {
        scales[j] = d * (float)(packed[j] & 63);
        mins[j] = dmin * (float)(packed[j + 4] & 63);
        scales[j + 4] = d * (float)((packed[j + 8] & 15) | (packed[j] >> 6) << 4);
        mins[j + 4] = dmin * (float)((packed[j + 8] >> 4) | (packed[j + 4] >> 6) << 4);
    }
}

static void
simd_dequantize_q4_k(const uint8_t *src, float *dst, size_t n)
{
    for (; n > 0; n -= 256, src += 144, dst += 256) {
        float scales[8], mins[8];
        scales_mins_k(src, scales, mins);
        for (size_t j = 0; j < 4; j++) {
            const uint8_t *qs = src + 16 + 32 * j;
            const vf s0 = v_set1(scales[2 * j]), m0 = v_set1(mins[2 * j]);
            const vf s1 = v_set1(scales[2 * j + 1]), m1 = v_set1(mins[2 * j + 1]);
            UNROLL
            for (size_t l = 0; l < 32; l += VW) {
                v_store(dst + 64 * j + l, v_sub(v_mul(s0, v_low4(qs + l)), m0));
                v_store(dst + 64 * j + 32 + l, v_sub(v_mul(s1, v_high4(qs + l)), m1));
            }
        }
    }
}

/* The six-bit weights are put together in bytes, plainly, and scaled by vectors. */
static void
simd_dequantize_q6_k(const uint8_t *src, float *dst, size_t n)
{
    for (; n > 0; n -= 256, src += 210, dst += 256) {
        const float d = half_at(src + 208);
        uint8_t q[256];
        for (size_t h = 0; h < 2; h++) {
            const uint8_t *ql = src + 64 * h, *qh = src + 128 + 32 * h;
            uint8_t *out = q + 128 * h;
            for (size_t l = 0; l < 32; l++) {
                out[l] = (uint8_t)(((ql[l] & 15) | (qh[l] & 3) << 4) - 32);
                out[l + 32] = (uint8_t)(((ql[l + 32] & 15) | (qh[l] >> 2 & 3) << 4) - 32);
                out[l + 64] = (uint8_t)(((ql[l] >> 4) | (qh[l] >> 4 & 3) << 4) - 32);
                out[l + 96] = (uint8_t)(((ql[l + 32] >> 4) | (qh[l] >> 6) << 4) - 32);
            }
        }
        for (size_t g = 0; g < 16; g++) {
            const vf scale = v_set1(d * (float)(int8_t)src[192 + g]);
            UNROLL
            for (size_t l = 0; l < 16; l += VW)
                v_store(dst + 16 * g + l, v_mul(scale, v_i8(q + 16 * g + l)));
        }
    }
}

/* ---- attention ---- */

/* queries x (vectors of VW) outputs in registers, all positions in order. */
INLINE void
weigh(const size_t queries, const size_t vectors, const float *prob, size_t ldp, const float *v,
      size_t ldv, size_t n_pos, float *out, size_t ldo)
{
    vf acc[6][2];

    UNROLL
    for (size_t q = 0; q < queries; q++) {
        UNROLL
        for (size_t i = 0; i < vectors; i++)
            acc[q][i] = v_zero();
    }
    for (size_t p = 0; p < n_pos; p++) {
        vf row[2];
        UNROLL
        for (size_t i = 0; i < vectors; i++)
            row[i] = v_load(v + p * ldv + i * VW);
        UNROLL
        for (size_t q = 0; q < queries; q++) {
            const vf weight = v_set1(prob[q * ldp + p]);
            UNROLL
            for (size_t i = 0; i < vectors; i++)
                acc[q][i] = v_fma(weight, row[i], acc[q][i]);
        }
    }
    UNROLL
    for (size_t q = 0; q < queries; q++) {
        UNROLL
        for (size_t i = 0; i < vectors; i++)
            v_store(out + q * ldo + i * VW, acc[q][i]);
    }
}

/* The last dim % VW columns. */
static void
weigh_tail(const float *prob, size_t ldp, size_t n_queries, const float *v, size_t ldv,
           size_t n_pos, size_t n, float *out, size_t ldo)
{
    for (size_t q = 0; q < n_queries; q++) {
        vf acc = v_zero();
        for (size_t p = 0; p < n_pos; p++)
            acc = v_fma(v_set1(prob[q * ldp + p]), v_load_n(v + p * ldv, n), acc);
        v_store_n(out + q * ldo, acc, n);
    }
}

INLINE void
weigh_columns(const size_t queries, const float *prob, size_t ldp, const float *v, size_t ldv,
              size_t n_pos, size_t dim, float *out, size_t ldo)
{
    size_t d = 0;

    for (; d + 2 * VW <= dim; d += 2 * VW)
        weigh(queries, 2, prob, ldp, v + d, ldv, n_pos, out + d, ldo);
    for (; d + VW <= dim; d += VW)
        weigh(queries, 1, prob, ldp, v + d, ldv, n_pos, out + d, ldo);
    if (d < dim) weigh_tail(prob, ldp, queries, v + d, ldv, n_pos, dim - d, out + d, ldo);
}

static void
simd_weighted_sum(const float *prob, size_t ldp, size_t n_queries, const float *v, size_t ldv,
                  size_t n_pos, size_t dim, float *out, size_t ldo)
{
    size_t q = 0;

    for (; q + 6 <= n_queries; q += 6)
        weigh_columns(6, prob + q * ldp, ldp, v, ldv, n_pos, dim, out + q * ldo, ldo);
    for (; q + 3 <= n_queries; q += 3)
        weigh_columns(3, prob + q * ldp, ldp, v, ldv, n_pos, dim, out + q * ldo, ldo);
    for (; q < n_queries; q++)
        weigh_columns(1, prob + q * ldp, ldp, v, ldv, n_pos, dim, out + q * ldo, ldo);
}

/* ---- elementwise ---- */

/* e^x: x = k ln2 + r, |r| <= ln2/2, Taylor to r^7 (error 5e-9), times 2^k. Below -87.3 the result is e^-87.3
 * (1e-38, nothing beside a sum that holds e^0); above 88.3 it is e^88.3. */
INLINE vf
v_exp(vf x)
{
    x = v_max(v_min(x, v_set1(88.3f)), v_set1(-87.3f));
    const vf k = v_round(v_mul(x, v_set1(1.44269504f)));
    vf r = v_fma(k, v_set1(-0.693359375f),
                 x); /* ln2 in two parts: the first has few bits, so k * it is exact */
    r = v_fma(k, v_set1(2.12194440e-4f), r);
    vf p = v_set1(1.0f / 5040.0f);
    p = v_fma(p, r, v_set1(1.0f / 720.0f));
    p = v_fma(p, r, v_set1(1.0f / 120.0f));
    p = v_fma(p, r, v_set1(1.0f / 24.0f));
    p = v_fma(p, r, v_set1(1.0f / 6.0f));
    p = v_fma(p, r, v_set1(0.5f));
    p = v_fma(p, r, v_set1(1.0f));
    p = v_fma(p, r, v_set1(1.0f));
    return v_mul(p, v_exp2i(k));
}

static float
simd_softmax_part(float *x, size_t n, size_t n_padded, float scale, float *max)
{
    const vf s = v_set1(scale);
    const size_t whole = n - n % VW, rest = n % VW;
    vf top = v_set1(x[0] * scale), sum = v_zero();

    for (size_t i = 0; i < whole; i += VW)
        top = v_max(top, v_mul(v_load(x + i), s));
    *max = v_max_lanes(top);
    for (size_t i = whole; i < n; i++)
        *max = x[i] * scale > *max ? x[i] * scale : *max;
    const vf m = v_set1(*max);
    for (size_t i = 0; i < whole; i += VW) {
        const vf e = v_exp(v_sub(v_mul(v_load(x + i), s), m));
        v_store(x + i, e);
        sum = v_add(sum, e);
    }
    if (rest > 0) {
        const vf e = v_keep_n(v_exp(v_sub(v_mul(v_load_n(x + whole, rest), s), m)), rest);
        v_store_n(x + whole, e, rest);
        sum = v_add(sum, e);
    }
    for (size_t i = n; i < n_padded; i++)
        x[i] = 0.0f;
    return v_sum(sum);
}

/* x [n] = op of its elements a (and those of y [n], b): whole vectors, then the rest by partial loads. */
#define APPLY_UNARY(op)                                                                            \
    size_t i = 0;                                                                                  \
    for (; i + VW <= n; i += VW) {                                                                 \
        const vf a = v_load(x + i);                                                                \
        v_store(x + i, op);                                                                        \
    }                                                                                              \
    if (i < n) {                                                                                   \
        const vf a = v_load_n(x + i, n - i);                                                       \
        v_store_n(x + i, op, n - i);                                                               \
    }
#define APPLY_BINARY(op)                                                                           \
    size_t i = 0;                                                                                  \
    for (; i + VW <= n; i += VW) {                                                                 \
        const vf a = v_load(x + i), b = v_load(y + i);                                             \
        v_store(x + i, op);                                                                        \
    }                                                                                              \
    if (i < n) {                                                                                   \
        const vf a = v_load_n(x + i, n - i), b = v_load_n(y + i, n - i);                           \
        v_store_n(x + i, op, n - i);                                                               \
    }

INLINE vf
v_silu(vf z)
{
    const vf one = v_set1(1.0f);
    return v_div(z, v_add(one, v_exp(v_sub(v_zero(), z))));
}

/* erf by 1 - (a1 t + .. + a5 t^5) e^(-z^2), t = 1/(1 + p z), z >= 0; error below 1.5e-7.
 * Source: Abramowitz and Stegun, 7.1.26. */
INLINE vf
v_gelu_erf(vf x)
{
    const vf one = v_set1(1.0f), zero = v_zero();
    const vf minus_x = v_sub(zero, x);
    const vf z = v_mul(v_max(x, minus_x), v_set1(0.70710678f));
    const vf t = v_div(one, v_fma(v_set1(0.3275911f), z, one));
    vf p = v_set1(1.061405429f);
    p = v_fma(p, t, v_set1(-1.453152027f));
    p = v_fma(p, t, v_set1(1.421413741f));
    p = v_fma(p, t, v_set1(-0.284496736f));
    p = v_fma(p, t, v_set1(0.254829592f));
    /* tail = 1 - erf(z); for x >= 0 the result is x (1 - tail/2), else x tail/2 */
    const vf half_tail = v_mul(v_set1(0.5f), v_mul(v_mul(p, t), v_exp(v_sub(zero, v_mul(z, z)))));
    return v_sub(v_max(x, zero), v_mul(v_max(x, minus_x), half_tail));
}

/* tanh(u) = 1 - 2 / (1 + e^2u), so the whole is x (1 - 1 / (1 + e^2u)) */
INLINE vf
v_gelu_tanh(vf x)
{
    const vf one = v_set1(1.0f);
    const vf u2 = v_mul(v_set1(1.59576912f), v_fma(v_mul(v_mul(x, x), x), v_set1(0.044715f), x));
    return v_mul(x, v_sub(one, v_div(one, v_add(one, v_exp(u2)))));
}

static void
simd_silu_mul(float *x, const float *y, size_t n)
{
    APPLY_BINARY(v_mul(v_silu(a), b))
}

static void
simd_sigmoid_mul(float *x, const float *y, size_t n)
{
    APPLY_BINARY(v_mul(a, v_div(v_set1(1.0f), v_add(v_set1(1.0f), v_exp(v_sub(v_zero(), b))))))
}

static void
simd_add(float *x, const float *y, size_t n)
{
    APPLY_BINARY(v_add(a, b))
}

static void
simd_blend(float *x, float ca, const float *y, float cb, size_t n)
{
    const vf va = v_set1(ca), vb = v_set1(cb);
    APPLY_BINARY(v_add(v_mul(a, va), v_mul(b, vb)))
}

static void
simd_scale(float *x, float s, size_t n)
{
    const vf vs = v_set1(s);
    APPLY_UNARY(v_mul(a, vs))
}

static void
simd_gelu_erf(float *x, size_t n)
{
    APPLY_UNARY(v_gelu_erf(a))
}

static void
simd_gelu_tanh(float *x, size_t n)
{
    APPLY_UNARY(v_gelu_tanh(a))
}

static void
simd_softmax(float *x, size_t n, float scale)
{
    float max;
    const float sum = simd_softmax_part(x, n, n, scale, &max);
    simd_scale(x, 1.0f / sum, n);
}

static void
simd_rms_norm(const float *x, const float *w, float eps, size_t n, float *y)
{
    const float scale = 1.0f / sqrtf(simd_dot(x, x, n) / (float)n + eps);
    const vf s = v_set1(scale);
    size_t i = 0;

    for (; i + VW <= n; i += VW)
        v_store(y + i, v_mul(v_mul(v_load(x + i), s), v_load(w + i)));
    for (; i < n; i++)
        y[i] = x[i] * scale * w[i];
}

static void
simd_layer_norm(const float *x, const float *w, const float *b, float eps, size_t n, float *y)
{
    const size_t whole = n - n % VW, rest = n % VW;
    vf sum = v_zero(), squares = v_zero();

    for (size_t i = 0; i < whole; i += VW)
        sum = v_add(sum, v_load(x + i));
    if (rest > 0) sum = v_add(sum, v_load_n(x + whole, rest));
    const float mean = v_sum(sum) / (float)n;
    const vf m = v_set1(mean);
    for (size_t i = 0; i < whole; i += VW) {
        const vf d = v_sub(v_load(x + i), m);
        squares = v_fma(d, d, squares);
    }
    if (rest > 0) {
        const vf d = v_keep_n(v_sub(v_load_n(x + whole, rest), m), rest);
        squares = v_fma(d, d, squares);
    }
    const float scale = 1.0f / sqrtf(v_sum(squares) / (float)n + eps);
    const vf s = v_set1(scale);
    for (size_t i = 0; i < whole; i += VW)
        v_store(y + i, v_fma(v_mul(v_sub(v_load(x + i), m), s), v_load(w + i), v_load(b + i)));
    for (size_t i = whole; i < n; i++)
        y[i] = (x[i] - mean) * scale * w[i] + b[i];
}

/* ---- delta rule ---- */

/* `vectors` vectors of columns, state rows ld apart. Two sums per column hide the latency of one. */
INLINE void
delta_columns(const size_t vectors, float *state, size_t ld, size_t d_k, const float *q,
              const float *k, const float *v, float alpha, float beta, float *out)
{
    vf even[4], odd[4];
    size_t i = 0;

    UNROLL
    for (size_t j = 0; j < vectors; j++)
        even[j] = odd[j] = v_zero();
    for (; i + 2 <= d_k; i += 2) {
        const vf k0 = v_set1(k[i]), k1 = v_set1(k[i + 1]);
        UNROLL
        for (size_t j = 0; j < vectors; j++) {
            even[j] = v_fma(v_load(state + i * ld + j * VW), k0, even[j]);
            odd[j] = v_fma(v_load(state + (i + 1) * ld + j * VW), k1, odd[j]);
        }
    }
    UNROLL
    for (size_t j = 0; j < vectors; j++) {
        if (i < d_k) even[j] = v_fma(v_load(state + i * ld + j * VW), v_set1(k[i]), even[j]);
        const vf seen = v_mul(v_set1(alpha), v_add(even[j], odd[j]));
        even[j] = v_mul(v_set1(beta), v_sub(v_load(v + j * VW), seen)); /* what is new */
        odd[j] = v_zero();                                              /* the result */
    }
    for (i = 0; i < d_k; i++) {
        const vf ki = v_set1(k[i]), qi = v_set1(q[i]);
        UNROLL
        for (size_t j = 0; j < vectors; j++) {
            float *at = state + i * ld + j * VW;
            const vf s = v_fma(ki, even[j], v_mul(v_set1(alpha), v_load(at)));
            v_store(at, s);
            odd[j] = v_fma(s, qi, odd[j]);
        }
    }
    UNROLL
    for (size_t j = 0; j < vectors; j++)
        v_store(out + j * VW, odd[j]);
}

static void
simd_delta_step(float *state, size_t d_k, size_t n, const float *q, const float *k, const float *v,
                float alpha, float beta, float *out)
{
    size_t c = 0;

    for (; c + 4 * VW <= n; c += 4 * VW)
        delta_columns(4, state + c, n, d_k, q, k, v + c, alpha, beta, out + c);
    for (; c + 2 * VW <= n; c += 2 * VW)
        delta_columns(2, state + c, n, d_k, q, k, v + c, alpha, beta, out + c);
    for (; c + VW <= n; c += VW)
        delta_columns(1, state + c, n, d_k, q, k, v + c, alpha, beta, out + c);
    if (c < n)
        engine_ref_delta_columns(state + c, n, d_k, n - c, q, k, v + c, alpha, beta, out + c);
}

#define SIMD_TABLE(level)                                                                          \
    {                                                                                              \
        .cpu = level, .dot = simd_dot, .gemm = simd_gemm,                                          \
        .gemv = {[ENGINE_TYPE_F32] = simd_gemv_f32,   [ENGINE_TYPE_F16] = simd_gemv_f16,           \
                 [ENGINE_TYPE_BF16] = simd_gemv_bf16, [ENGINE_TYPE_Q4_0] = simd_gemv_q4_0,         \
                 [ENGINE_TYPE_Q4_1] = simd_gemv_q4_1, [ENGINE_TYPE_Q8_0] = simd_gemv_q8_0},        \
        .dequantize =                                                                              \
            {[ENGINE_TYPE_F16] = simd_dequantize_f16,   [ENGINE_TYPE_BF16] = simd_dequantize_bf16, \
             [ENGINE_TYPE_Q4_0] = simd_dequantize_q4_0, [ENGINE_TYPE_Q4_1] = simd_dequantize_q4_1, \
             [ENGINE_TYPE_Q8_0] = simd_dequantize_q8_0, [ENGINE_TYPE_Q4_K] = simd_dequantize_q4_k, \
             [ENGINE_TYPE_Q6_K] = simd_dequantize_q6_k},                                           \
        .weighted_sum = simd_weighted_sum, .softmax_part = simd_softmax_part,                      \
        .softmax = simd_softmax, .rms_norm = simd_rms_norm, .layer_norm = simd_layer_norm,         \
        .silu_mul = simd_silu_mul, .gelu_erf = simd_gelu_erf, .gelu_tanh = simd_gelu_tanh,         \
        .sigmoid_mul = simd_sigmoid_mul, .delta_step = simd_delta_step, .add = simd_add,           \
        .scale = simd_scale, .blend = simd_blend, .rope_pairs = engine_ref_rope_pairs,             \
        .rope_halves = engine_ref_rope_halves,                                                     \
    }
