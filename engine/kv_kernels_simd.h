/* The fast inner loops of the KV cache, over the small vector vocabulary of the file that includes this:
 *
 *   vf, VW                 a vector of VW floats (8 or 16)
 *   v_load v_store v_set1 v_zero v_mul v_sub v_fma(a, b, c) = a*b + c
 *   v_half(p)              VW halves at p as floats; v_i8 v_low4 v_high4(p): VW bytes (low, high nibbles)
 *   v_to_half(x, p)        VW floats to halves at p
 *   SCORE_ROWS             queries that go together at most: SCORE_ROWS x 2 sums fill the registers */

#if defined(__GNUC__) && !defined(__clang__)
#define UNROLL _Pragma("GCC unroll 16")
#else
#define UNROLL _Pragma("unroll")
#endif
#define INLINE static inline __attribute__((always_inline))

static inline float
half_at(const uint8_t *p)
{
    uint16_t h;
    memcpy(&h, p, sizeof h);
    return _cvtsh_ss(h);
}

typedef enum { KIND_F32, KIND_F16, KIND_Q8_0, KIND_Q4_0 } kv_kind;

enum {
    PER_TILE = ENGINE_KV_TILE / VW, /* vectors of one dimension of a tile */
    TILE_ROW = ENGINE_KV_TILE * 2,  /* bytes of one dimension of a tile of halves */
    ROWS_AHEAD = 64                 /* values asked for before they are needed */
};

/* Few queries wait for memory, and the processor's own prefetching does not hide it behind the arithmetic (7.5 to
 * 9 GB/s where memory gives 17). Packed input is only ever read for few queries. An address past the
 * end does no harm. */
INLINE void
prefetch(const uint8_t *p)
{
    __builtin_prefetch(p, 0, 3);
}

/* Elements [VW] of row `row` (of bytes, halves, floats) of a tile, vector j. */
INLINE vf
tile_vector(const kv_kind kind, const uint8_t *tile, size_t row, size_t j)
{
    const size_t at = row * ENGINE_KV_TILE + j * VW;
    switch (kind) {
    case KIND_F32:
        return v_load((const float *)(const void *)tile + at);
    case KIND_F16:
        return v_half(tile + 2 * at);
    default:
        return v_i8(tile + at);
    }
}

/* ---- scores ---- */

/* rows x vectors sums; k: the tiles, from the first of these vectors on. */
INLINE void
score_dim(const size_t rows, const size_t vectors, const vf *k, const float *q, size_t dim,
          vf acc[SCORE_ROWS][4])
{
    UNROLL
    for (size_t r = 0; r < rows; r++) {
        const vf b = v_set1(q[r * dim]);
        UNROLL
        for (size_t j = 0; j < vectors; j++)
            acc[r][j] = v_fma(b, k[j], acc[r][j]);
    }
}

INLINE void
score_block(const kv_kind kind, const size_t rows, const size_t vectors, const uint8_t *k,
            size_t tile_bytes, size_t dim, const float *q, float *s, size_t lds)
{
    const size_t tiles = vectors / PER_TILE;
    vf acc[SCORE_ROWS][4], kv[4], scale[4];

    UNROLL
    for (size_t r = 0; r < rows; r++) {
        UNROLL
        for (size_t j = 0; j < vectors; j++)
            acc[r][j] = v_zero();
    }
    if (kind == KIND_F32 || kind == KIND_F16) {
        for (size_t d = 0; d < dim; d++) {
            if (kind == KIND_F16) prefetch(k + (d % tiles + 3 * tiles) * tile_bytes + d * TILE_ROW);
            UNROLL
            for (size_t j = 0; j < vectors; j++)
                kv[j] = tile_vector(kind, k + j / PER_TILE * tile_bytes, d, j % PER_TILE);
            score_dim(rows, vectors, kv, q + d, dim, acc);
        }
    } else {
        const size_t block_bytes = (kind == KIND_Q8_0 ? 34 : 18) * ENGINE_KV_TILE;
        for (size_t b = 0; b < dim / 32; b++, k += block_bytes) {
            UNROLL
            for (size_t j = 0; j < vectors; j++)
                scale[j] = tile_vector(KIND_F16, k + j / PER_TILE * tile_bytes, 0, j % PER_TILE);
            if (kind == KIND_Q8_0) {
                for (size_t d = 0; d < 32; d++) {
                    prefetch(k + (d % tiles + tiles) * tile_bytes + d * ENGINE_KV_TILE);
                    UNROLL
                    for (size_t j = 0; j < vectors; j++)
                        kv[j] = v_mul(scale[j], tile_vector(kind, k + j / PER_TILE * tile_bytes,
                                                            2 + d, j % PER_TILE));
                    score_dim(rows, vectors, kv, q + 32 * b + d, dim, acc);
                }
                continue;
            }
            for (size_t d = 0; d < 32; d++) { /* dims 0..15 are the low nibbles, 16..31 the high */
                prefetch(k + (d % tiles + tiles) * tile_bytes + d * ENGINE_KV_TILE / 2);
                UNROLL
                for (size_t j = 0; j < vectors; j++) {
                    const uint8_t *p = k + j / PER_TILE * tile_bytes +
                                       (2 + d % 16) * ENGINE_KV_TILE + j % PER_TILE * VW;
                    const vf n = d < 16 ? v_low4(p) : v_high4(p);
                    kv[j] = v_mul(scale[j], v_sub(n, v_set1(8.0f)));
                }
                score_dim(rows, vectors, kv, q + 32 * b + d, dim, acc);
            }
        }
    }
    UNROLL
    for (size_t r = 0; r < rows; r++) {
        UNROLL
        for (size_t j = 0; j < vectors; j++)
            v_store(s + r * lds + j * VW, acc[r][j]);
    }
}

/* Few queries take more tiles at once: the sums in flight hide the latency of the multiply-add. */
INLINE void
score_rows(const kv_kind kind, const size_t rows, const uint8_t *k, size_t tile_bytes,
           size_t n_tiles, size_t dim, const float *q, float *s, size_t lds)
{
    const size_t vectors = rows * 4 <= SCORE_ROWS * 2 ? 4 : 2, tiles = vectors / PER_TILE;

    for (size_t t = 0; t < n_tiles; t += tiles)
        score_block(kind, rows, vectors, k + t * tile_bytes, tile_bytes, dim, q,
                    s + t * ENGINE_KV_TILE, lds);
}

/* Hand n rows out in groups the register file holds: body(count) sees a constant and `r`. 7 is 4 + 3, not 6 + 1. */
#define ROW_GROUPS(n, body)                                                                        \
    for (size_t r = 0; r < (n);) {                                                                 \
        const size_t left = (n)-r;                                                                 \
        if (left >= SCORE_ROWS && left != SCORE_ROWS + 1) {                                        \
            body(SCORE_ROWS);                                                                      \
            r += SCORE_ROWS;                                                                       \
        } else if (left >= 4) {                                                                    \
            body(4);                                                                               \
            r += 4;                                                                                \
        } else if (left == 3) {                                                                    \
            body(3);                                                                               \
            r += 3;                                                                                \
        } else if (left == 2) {                                                                    \
            body(2);                                                                               \
            r += 2;                                                                                \
        } else {                                                                                   \
            body(1);                                                                               \
            r += 1;                                                                                \
        }                                                                                          \
    }

INLINE void
score_all(const kv_kind kind, const uint8_t *k, size_t tile_bytes, size_t n_tiles, size_t dim,
          const float *q, size_t n_q, float *s, size_t lds){
#define SCORE(rows)                                                                                \
    score_rows(kind, rows, k, tile_bytes, n_tiles, dim, q + r * dim, s + r * lds, lds)
    ROW_GROUPS(n_q, SCORE)
#undef SCORE
}

/* ---- weighted sums ---- */

/* Elements [VW] from `at` on of a row; at is a multiple of 16. */
INLINE vf row_vector(const kv_kind kind, const uint8_t *row, size_t at)
{
    const uint8_t *block;

    switch (kind) {
    case KIND_F32:
        return v_load((const float *)(const void *)row + at);
    case KIND_F16:
        return v_half(row + 2 * at);
    case KIND_Q8_0:
        block = row + at / 32 * 34;
        return v_mul(v_set1(half_at(block)), v_i8(block + 2 + at % 32));
    case KIND_Q4_0:
    default:
        block = row + at / 32 * 18;
        return v_mul(v_set1(half_at(block)), v_sub(at % 32 < 16 ? v_low4(block + 2 + at % 16)
                                                                : v_high4(block + 2 + at % 16),
                                                   v_set1(8.0f)));
    }
}

INLINE void
weigh_block(const kv_kind kind, const size_t rows, const size_t vectors, const uint8_t *v,
            size_t row_bytes, size_t n_pos, size_t at, const float *w, size_t ldw, float *out,
            size_t ldo)
{
    const size_t block_bytes = kind == KIND_F16 ? 64 : kind == KIND_Q8_0 ? 34 : 18;
    vf acc[SCORE_ROWS][4], row[4];

    UNROLL
    for (size_t r = 0; r < rows; r++) {
        UNROLL
        for (size_t j = 0; j < vectors; j++)
            acc[r][j] = v_load(out + r * ldo + at + j * VW);
    }
    for (size_t p = 0; p < n_pos; p++) {
        if (kind != KIND_F32) prefetch(v + (p + ROWS_AHEAD) * row_bytes + at / 32 * block_bytes);
        UNROLL
        for (size_t j = 0; j < vectors; j++)
            row[j] = row_vector(kind, v + p * row_bytes, at + j * VW);
        UNROLL
        for (size_t r = 0; r < rows; r++) {
            const vf b = v_set1(w[r * ldw + p]);
            UNROLL
            for (size_t j = 0; j < vectors; j++)
                acc[r][j] = v_fma(b, row[j], acc[r][j]);
        }
    }
    UNROLL
    for (size_t r = 0; r < rows; r++) {
        UNROLL
        for (size_t j = 0; j < vectors; j++)
            v_store(out + r * ldo + at + j * VW, acc[r][j]);
    }
}

INLINE void
weigh_rows(const kv_kind kind, const size_t rows, const uint8_t *v, size_t row_bytes, size_t n_pos,
           size_t dim, const float *w, size_t ldw, float *out, size_t ldo)
{
    size_t at = 0;

    if (rows * 4 <= SCORE_ROWS * 2)
        for (; at + 4 * VW <= dim; at += 4 * VW)
            weigh_block(kind, rows, 4, v, row_bytes, n_pos, at, w, ldw, out, ldo);
    for (; at + 2 * VW <= dim; at += 2 * VW)
        weigh_block(kind, rows, 2, v, row_bytes, n_pos, at, w, ldw, out, ldo);
    for (; at + VW <= dim; at += VW)
        weigh_block(kind, rows, 1, v, row_bytes, n_pos, at, w, ldw, out, ldo);
}

INLINE void
weigh_all(const kv_kind kind, const uint8_t *v, size_t row_bytes, size_t n_pos, size_t dim,
          const float *w, size_t ldw, size_t n_q, float *out, size_t ldo){
#define WEIGH(rows)                                                                                \
    weigh_rows(kind, rows, v, row_bytes, n_pos, dim, w + r * ldw, ldw, out + r * ldo, ldo)
    ROW_GROUPS(n_q, WEIGH)
#undef WEIGH
}

/* ---- expanding ---- */

INLINE void expand_tile(const kv_kind kind, const uint8_t *tile, size_t dim, float *out)
{
    if (kind == KIND_F32 || kind == KIND_F16) {
        for (size_t i = 0; i < dim * PER_TILE; i++)
            v_store(out + i * VW, tile_vector(kind, tile, 0, i));
        return;
    }
    for (size_t b = 0; b < dim / 32; b++) {
        vf scale[PER_TILE];
        UNROLL
        for (size_t j = 0; j < PER_TILE; j++)
            scale[j] = tile_vector(KIND_F16, tile, 0, j);
        tile += 2 * ENGINE_KV_TILE;
        if (kind == KIND_Q8_0) {
            for (size_t d = 0; d < 32; d++, tile += ENGINE_KV_TILE, out += ENGINE_KV_TILE) {
                UNROLL
                for (size_t j = 0; j < PER_TILE; j++)
                    v_store(out + j * VW, v_mul(scale[j], v_i8(tile + j * VW)));
            }
            continue;
        }
        for (size_t d = 0; d < 16; d++, tile += ENGINE_KV_TILE, out += ENGINE_KV_TILE) {
            const vf eight = v_set1(8.0f);
            UNROLL
            for (size_t j = 0; j < PER_TILE; j++) {
                v_store(out + j * VW, v_mul(scale[j], v_sub(v_low4(tile + j * VW), eight)));
                v_store(out + 16 * ENGINE_KV_TILE + j * VW,
                        v_mul(scale[j], v_sub(v_high4(tile + j * VW), eight)));
            }
        }
        out += 16 * ENGINE_KV_TILE;
    }
}

INLINE void
expand_row(const kv_kind kind, const uint8_t *row, size_t n, float *out)
{
    size_t i = 0;

    for (; i + VW <= n; i += VW)
        v_store(out + i, row_vector(kind, row, i));
    for (; i < n; i++)
        out[i] = kind == KIND_F32 ? ((const float *)(const void *)row)[i] : half_at(row + 2 * i);
}

static void
simd_to_half(const float *x, size_t n, uint16_t *out)
{
    const vf most = v_set1(65504.0f), least = v_set1(-65504.0f);
    size_t i = 0;

    for (; i + VW <= n; i += VW)
        v_to_half(v_min(v_max(v_load(x + i), least), most), out + i);
    engine_kv_kernels_ref.to_half(x + i, n - i, out + i);
}

#define DEFINE_KIND(name, kind)                                                                    \
    static void simd_scores_##name(const uint8_t *k, size_t tile_bytes, size_t n_tiles,            \
                                   size_t dim, const float *q, size_t n_q, float *s, size_t lds)   \
    {                                                                                              \
        score_all(kind, k, tile_bytes, n_tiles, dim, q, n_q, s, lds);                              \
    }                                                                                              \
    static void simd_weigh_##name(const uint8_t *v, size_t row_bytes, size_t n_pos, size_t dim,    \
                                  const float *w, size_t ldw, size_t n_q, float *out, size_t ldo)  \
    {                                                                                              \
        weigh_all(kind, v, row_bytes, n_pos, dim, w, ldw, n_q, out, ldo);                          \
    }                                                                                              \
    static void simd_tile_##name(const uint8_t *tile, size_t dim, float *out)                      \
    {                                                                                              \
        expand_tile(kind, tile, dim, out);                                                         \
    }                                                                                              \
    static void simd_row_##name(const uint8_t *row, size_t n, float *out)                          \
    {                                                                                              \
        expand_row(kind, row, n, out);                                                             \
    }

DEFINE_KIND(f32, KIND_F32)
DEFINE_KIND(f16, KIND_F16)
DEFINE_KIND(q8_0, KIND_Q8_0)
DEFINE_KIND(q4_0, KIND_Q4_0)

#define KIND_TABLE(name)                                                                           \
    {                                                                                              \
        simd_scores_##name, simd_weigh_##name, simd_tile_##name, simd_row_##name                   \
    }
#define KV_TABLE                                                                                   \
    {                                                                                              \
        .f32 = KIND_TABLE(f32), .f16 = KIND_TABLE(f16), .q8_0 = KIND_TABLE(q8_0),                  \
        .q4_0 = KIND_TABLE(q4_0), .to_half = simd_to_half,                                         \
    }
