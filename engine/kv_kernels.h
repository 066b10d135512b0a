/* The inner loops of the KV cache, as one table per CPU level: rows into the cache's types and layout, scores
 * of queries against keys, weighted sums of values.
 *
 * Keys lie in tiles of ENGINE_KV_TILE positions, dimension by dimension, so that a vector holds one element of
 * neighbouring positions: a score is then a sum over d = 0 .. dim-1 in ascending order in its own lane, with no
 * sum across lanes, and reading stays one linear stream. Values lie row by row: an output element is a sum over
 * positions in ascending order. Both orders are the same for one query and for many, and for packed and
 * expanded input (an expanded element is the exact product scale x integer), so every path gives the same bits.
 *
 * Q8_0 keys can also meet queries rounded to int8 (int8.h), for any number of them:
 *     s = 0;  for each block of 32, ascending:  s = fma(scale_k * scale_q, (float)isum, s)   isum an exact int32
 * so there, too, one query or many, scalar or not, give the same bits. Keys are read 1.35 to 1.55 times as fast (AVX2, 1 to
 * 8 queries); SmolLM2 is then 9.6e-4 (KL, 600 tokens) from keys and values in floats, with queries in floats 5.9e-4.
 *
 *   K tile   F32, F16   [dim][16 positions]
 *            Q8_0       [dim / 32]{ half scale[16]; int8  [32 dims][16 positions] }
 *            Q4_0       [dim / 32]{ half scale[16]; uint8 [16][16 positions] }   low nibble: dim j, high: j + 16
 *   V row    F32, F16   [dim];  Q8_0, Q4_0 as in GGUF: [dim / 32]{ half scale; 32 numbers } */
#ifndef LODE_ENGINE_KV_KERNELS_H
#define LODE_ENGINE_KV_KERNELS_H

#include "engine/engine.h"
#include "engine/int8.h"
#include "engine/tensor.h"

G_BEGIN_DECLS

#define ENGINE_KV_TILE 16 /* positions of one tile of keys */

/* s[r * lds + p] = sum_d q[r * dim + d] * k_p[d] for r < n_q, p < 16 * n_tiles. n_tiles is a multiple of 4, tiles
 * lie tile_bytes apart. next: as many bytes that will be read afterwards, fetched into the cache meanwhile; NULL: none. */
typedef void (*engine_kv_scores_fn)(const uint8_t *k, size_t tile_bytes, size_t n_tiles, size_t dim,
                                    const float *q, size_t n_q, const uint8_t *next, float *s,
                                    size_t lds);

/* The same with queries as q [n_q, dim / 32]; dim <= ENGINE_KV_INT8_DIM. */
typedef void (*engine_kv_scores_int8_fn)(const uint8_t *k, size_t tile_bytes, size_t n_tiles,
                                         size_t dim, const engine_int8_block *q, size_t n_q,
                                         const uint8_t *next, float *s, size_t lds);
#define ENGINE_KV_INT8_DIM 512

/* out[r * ldo + d] += sum_p w[r * ldw + p] * v_p[d] for r < n_q, d < dim, p < n_pos; rows lie row_bytes apart.
 * dim is a multiple of 16. next: as above. */
typedef void (*engine_kv_weigh_fn)(const uint8_t *v, size_t row_bytes, size_t n_pos, size_t dim,
                                   const float *w, size_t ldw, size_t n_q, const uint8_t *next,
                                   float *out, size_t ldo);

typedef struct {
    engine_kv_scores_fn scores; /* NULL: expand first */
    engine_kv_weigh_fn weigh;   /* NULL, or a dim that is no multiple of 16: expand first */
    /* One tile of keys to floats [dim][16]. */
    void (*expand_tile)(const uint8_t *tile, size_t dim, float *out);
    /* n values of one row to floats; out may be written up to the next multiple of 16. */
    void (*expand_row)(const uint8_t *row, size_t n, float *out);
    engine_kv_scores_int8_fn scores_int8; /* NULL: keys of this type have none */
} engine_kv_type_kernels;

typedef struct {
    engine_kv_type_kernels f32, f16, q8_0, q4_0;
    /* Round n floats to halves, to nearest even; beyond the range to the largest half. */
    void (*to_half)(const float *x, size_t n, uint16_t *out);
} engine_kv_kernels;

/* Table for the level of an engine_kernels table; immutable. */
const engine_kv_kernels *engine_kv_kernels_lookup(engine_cpu cpu);
/* Of one stored type; NULL for a type the cache does not store. */
const engine_kv_type_kernels *engine_kv_kernels_of(const engine_kv_kernels *kernels,
                                                   engine_type type);

extern const engine_kv_kernels engine_kv_kernels_ref;
#ifdef LODE_ENGINE_X86
extern const engine_kv_kernels engine_kv_kernels_avx2;
extern const engine_kv_kernels engine_kv_kernels_avx512;
extern const engine_kv_kernels engine_kv_kernels_vnni;
#endif

G_END_DECLS
#endif
