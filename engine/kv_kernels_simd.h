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
    LINE = 64                       /* bytes that one prefetch brings */
};

/* Few queries wait for memory, and the processor's own prefetching does not hide it behind the arithmetic (7.5 to
 * 9 GB/s where memory gives 17). While a head's keys are multiplied its values come into the second-level cache, line
 * for line, and during those what follows (into the first level fewer can be on their way: Zen 4 reads half as
 * much a second). Packed input is only ever read for few queries. An address past the end does no harm. */
INLINE void
prefetch(const uint8_t *p, ptrdiff_t ahead)
{
    __builtin_prefetch(p + ahead, 0, 2);
}

/* Bytes from what is read to what is fetched. */
INLINE ptrdiff_t
distance(const uint8_t *from, const uint8_t *next)
{
    return next ? (ptrdiff_t)((uintptr_t)next - (uintptr_t)from) : 0;
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

/* What is ahead of row d of tiles of bytes, a line at a time. */
INLINE void
prefetch_row(const size_t tiles, const uint8_t *k, size_t tile_bytes, size_t d, ptrdiff_t ahead)
{
    if (d * ENGINE_KV_TILE % LINE != 0) return;
    UNROLL
    for (size_t t = 0; t < tiles; t++)
        prefetch(k + t * tile_bytes + d * ENGINE_KV_TILE, ahead);
}

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
            size_t tile_bytes, size_t dim, const float *q, ptrdiff_t ahead, float *s, size_t lds)
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
            if (kind == KIND_F16 && d * TILE_ROW % LINE == 0) {
                UNROLL
                for (size_t t = 0; t < tiles; t++)
                    prefetch(k + t * tile_bytes + d * TILE_ROW, ahead);
            }
            UNROLL
            for (size_t j = 0; j < vectors; j++)
                kv[j] = tile_vector(kind, k + j / PER_TILE * tile_bytes, d, j % PER_TILE);
            score_dim(rows, vectors, kv, q + d, dim, acc);
        }
    } else {
        const size_t block_bytes = (kind == KIND_Q8_0 ? 34 : 18) * ENGINE_KV_TILE;
        for (size_t b = 0; b < dim / 32; b++, k += block_bytes) {
            UNROLL
            for (size_t t = 0; t < tiles; t++)
                prefetch(k + t * tile_bytes + block_bytes - 1, ahead);
            UNROLL
            for (size_t j = 0; j < vectors; j++)
                scale[j] = tile_vector(KIND_F16, k + j / PER_TILE * tile_bytes, 0, j % PER_TILE);
            if (kind == KIND_Q8_0) {
                for (size_t d = 0; d < 32; d++) {
                    prefetch_row(tiles, k, tile_bytes, d, ahead);
                    UNROLL
                    for (size_t j = 0; j < vectors; j++)
                        kv[j] = v_mul(scale[j], tile_vector(kind, k + j / PER_TILE * tile_bytes,
                                                            2 + d, j % PER_TILE));
                    score_dim(rows, vectors, kv, q + 32 * b + d, dim, acc);
                }
                continue;
            }
            for (size_t d = 0; d < 32; d++) { /* dims 0..15 are the low nibbles, 16..31 the high */
                if (d < 16) prefetch_row(tiles, k, tile_bytes, d, ahead);
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
           size_t n_tiles, size_t dim, const float *q, ptrdiff_t ahead, float *s, size_t lds)
{
    const size_t vectors = rows * 4 <= SCORE_ROWS * 2 ? 4 : 2, tiles = vectors / PER_TILE;

    for (size_t t = 0; t < n_tiles; t += tiles)
        score_block(kind, rows, vectors, k + t * tile_bytes, tile_bytes, dim, q, ahead,
                    s + t * ENGINE_KV_TILE, lds);
}

/* Hand n rows out in groups of at most `most`, which the register file holds: body(count) sees a constant and `r`. 7 is
 * 4 + 3, not 6 + 1. */
#define ROW_GROUPS(n, most, body)                                                                  \
    for (size_t r = 0; r < (n);) {                                                                 \
        const size_t left = (n)-r;                                                                 \
        if (left >= (most) && left != (most) + 1) {                                                \
            body(most);                                                                            \
            r += (most);                                                                           \
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
          const float *q, size_t n_q, const uint8_t *next, float *s, size_t lds)
{
    const ptrdiff_t ahead = distance(k, next);
#define SCORE(rows)                                                                                \
    score_rows(kind, rows, k, tile_bytes, n_tiles, dim, q + r * dim, ahead, s + r * lds, lds)
    ROW_GROUPS(n_q, SCORE_ROWS, SCORE)
#undef SCORE
}

/* ---- scores of queries in int8 ---- */

#ifdef V_VNNI
#include "engine/kv_scores_vnni.h"
#else

enum {
    INT8_ROWS = 6
}; /* queries that go together: 12 sums, two keys and a broadcast of 16 registers */

/* Queries as pairs of 16-bit numbers, a pair in each 32-bit word. */
typedef struct {
    int32_t pairs[INT8_ROWS][ENGINE_KV_INT8_DIM / 2];
    float scale[INT8_ROWS][ENGINE_KV_INT8_DIM / 32];
} int8_queries;

INLINE void
widen_queries(const size_t rows, const engine_int8_block *q, size_t n_blocks, int8_queries *out)
{
    for (size_t r = 0; r < rows; r++) {
        for (size_t b = 0; b < n_blocks; b++, q++) {
            const __m128i *bytes = (const __m128i *)(const void *)q->q;
            __m256i *to = (__m256i *)(void *)(out->pairs[r] + 16 * b);
            _mm256_storeu_si256(to, _mm256_cvtepi8_epi16(_mm_loadu_si128(bytes)));
            _mm256_storeu_si256(to + 1, _mm256_cvtepi8_epi16(_mm_loadu_si128(bytes + 1)));
            out->scale[r][b] = q->scale;
        }
    }
}

/* One tile: neighbouring dimensions of a position become one word, the products of which one instruction adds. */
INLINE void
score_tile_int8(const size_t rows, const uint8_t *tile, size_t n_blocks, const int8_queries *q,
                ptrdiff_t ahead, float *s, size_t lds)
{
    __m256 sum[INT8_ROWS][2];

    UNROLL
    for (size_t r = 0; r < rows; r++)
        sum[r][0] = sum[r][1] = _mm256_setzero_ps();
    for (size_t b = 0; b < n_blocks; b++, tile += 34 * ENGINE_KV_TILE) {
        const __m128i *half = (const __m128i *)(const void *)tile, *key = half + 2;
        const __m256 scale[2] = {_mm256_cvtph_ps(_mm_loadu_si128(half)),
                                 _mm256_cvtph_ps(_mm_loadu_si128(half + 1))};
        __m256i acc[INT8_ROWS][2];
        UNROLL
        for (size_t r = 0; r < rows; r++)
            acc[r][0] = acc[r][1] = _mm256_setzero_si256();
        for (size_t d = 0; d < 16; d++) {
            const __m128i first = _mm_loadu_si128(key + 2 * d),
                          second = _mm_loadu_si128(key + 2 * d + 1);
            const __m256i low = _mm256_cvtepi8_epi16(_mm_unpacklo_epi8(first, second)),
                          high = _mm256_cvtepi8_epi16(_mm_unpackhi_epi8(first, second));
            if (d % 2 == 0) prefetch((const uint8_t *)(key + 2 * d), ahead);
            UNROLL
            for (size_t r = 0; r < rows; r++) {
                const __m256i pair = _mm256_set1_epi32(q->pairs[r][16 * b + d]);
                acc[r][0] = _mm256_add_epi32(acc[r][0], _mm256_madd_epi16(low, pair));
                acc[r][1] = _mm256_add_epi32(acc[r][1], _mm256_madd_epi16(high, pair));
#ifdef __GNUC__ /* GCC forms all products first otherwise, and spills the sums: 9.6 GB/s of keys for 14.1 */
                __asm__ volatile("" : "+x"(acc[r][0]), "+x"(acc[r][1]));
#endif
            }
        }
        UNROLL
        for (size_t r = 0; r < rows; r++) {
            const __m256 of_q = _mm256_set1_ps(q->scale[r][b]);
            UNROLL
            for (size_t j = 0; j < 2; j++)
                sum[r][j] = _mm256_fmadd_ps(_mm256_mul_ps(scale[j], of_q),
                                            _mm256_cvtepi32_ps(acc[r][j]), sum[r][j]);
        }
    }
    UNROLL
    for (size_t r = 0; r < rows; r++) {
        _mm256_storeu_ps(s + r * lds, sum[r][0]);
        _mm256_storeu_ps(s + r * lds + 8, sum[r][1]);
    }
}

INLINE void
score_rows_int8(const size_t rows, const uint8_t *k, size_t tile_bytes, size_t n_tiles, size_t dim,
                const engine_int8_block *q, ptrdiff_t ahead, float *s, size_t lds)
{
    int8_queries queries;

    widen_queries(rows, q, dim / 32, &queries);
    for (size_t t = 0; t < n_tiles; t++)
        score_tile_int8(rows, k + t * tile_bytes, dim / 32, &queries, ahead, s + t * ENGINE_KV_TILE,
                        lds);
}
#endif

static void
simd_scores_int8(const uint8_t *k, size_t tile_bytes, size_t n_tiles, size_t dim,
                 const engine_int8_block *q, size_t n_q, const uint8_t *next, float *s, size_t lds)
{
    const ptrdiff_t ahead = distance(k, next);

#define SCORE(rows)                                                                                \
    score_rows_int8(rows, k, tile_bytes, n_tiles, dim, q + r * (dim / 32), ahead, s + r * lds, lds)
    ROW_GROUPS(n_q, INT8_ROWS, SCORE)
#undef SCORE
}

/* ---- weighted sums ---- */

/* Elements [VW] from `at` on of a row; at is a multiple of 16. */
INLINE vf
row_vector(const kv_kind kind, const uint8_t *row, size_t at)
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
            size_t row_bytes, size_t n_pos, size_t at, const float *w, size_t ldw, ptrdiff_t ahead,
            float *out, size_t ldo)
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
        if (kind != KIND_F32) {
            UNROLL
            for (size_t i = 0; i < vectors * VW; i += 32)
                prefetch(v + p * row_bytes + (at + i) / 32 * block_bytes, ahead);
        }
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
           size_t dim, const float *w, size_t ldw, ptrdiff_t ahead, float *out, size_t ldo)
{
    size_t at = 0;

    if (rows * 4 <= SCORE_ROWS * 2)
        for (; at + 4 * VW <= dim; at += 4 * VW)
            weigh_block(kind, rows, 4, v, row_bytes, n_pos, at, w, ldw, ahead, out, ldo);
    for (; at + 2 * VW <= dim; at += 2 * VW)
        weigh_block(kind, rows, 2, v, row_bytes, n_pos, at, w, ldw, ahead, out, ldo);
    for (; at + VW <= dim; at += VW)
        weigh_block(kind, rows, 1, v, row_bytes, n_pos, at, w, ldw, ahead, out, ldo);
}

INLINE void
weigh_all(const kv_kind kind, const uint8_t *v, size_t row_bytes, size_t n_pos, size_t dim,
          const float *w, size_t ldw, size_t n_q, const uint8_t *next, float *out, size_t ldo)
{
    const ptrdiff_t ahead = distance(v, next);
#define WEIGH(rows)                                                                                \
    weigh_rows(kind, rows, v, row_bytes, n_pos, dim, w + r * ldw, ldw, ahead, out + r * ldo, ldo)
    ROW_GROUPS(n_q, SCORE_ROWS, WEIGH)
#undef WEIGH
}

/* ---- expanding ---- */

INLINE void
expand_tile(const kv_kind kind, const uint8_t *tile, size_t dim, float *out)
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
                                   size_t dim, const float *q, size_t n_q, const uint8_t *next,    \
                                   float *s, size_t lds)                                           \
    {                                                                                              \
        score_all(kind, k, tile_bytes, n_tiles, dim, q, n_q, next, s, lds);                        \
    }                                                                                              \
    static void simd_weigh_##name(const uint8_t *v, size_t row_bytes, size_t n_pos, size_t dim,    \
                                  const float *w, size_t ldw, size_t n_q, const uint8_t *next,     \
                                  float *out, size_t ldo)                                          \
    {                                                                                              \
        weigh_all(kind, v, row_bytes, n_pos, dim, w, ldw, n_q, next, out, ldo);                    \
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

#define KIND_TABLE(name, int8)                                                                     \
    {                                                                                              \
        simd_scores_##name, simd_weigh_##name, simd_tile_##name, simd_row_##name, int8             \
    }
#define KV_TABLE                                                                                   \
    {                                                                                              \
        .f32 = KIND_TABLE(f32, NULL), .f16 = KIND_TABLE(f16, NULL),                                \
        .q8_0 = KIND_TABLE(q8_0, simd_scores_int8), .q4_0 = KIND_TABLE(q4_0, NULL),                \
        .to_half = simd_to_half,                                                                   \
    }
