/* Scores of queries in int8 with VNNI, for kv_kernels_simd.h: four dimensions of sixteen positions are one vector, and
 * vpdpbusd adds their products with four of a query to each position's sum. It takes a third of the instructions of
 * 16-bit products. */

enum {
    INT8_ROWS = 8, /* queries that go together */
    GROUP = 4      /* dimensions of one product */
};

/* Four rows of sixteen positions -> four dimensions of a position in each 32-bit lane, 128 more than they are. */
INLINE __m512i
group_keys(const uint8_t *rows)
{
    const __m512i quarters =
        _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m512i turned =
        _mm512_broadcast_i32x4(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
    const __m512i keys = _mm512_shuffle_epi8(
        _mm512_permutexvar_epi32(quarters, _mm512_loadu_si512((const void *)rows)), turned);
    return _mm512_xor_si512(keys, _mm512_set1_epi8(-128));
}

INLINE __m512i
bcast_group(const engine_int8_block *q, size_t group)
{
    int32_t word;
    memcpy(&word, q->q + GROUP * group, sizeof word);
    return _mm512_set1_epi32(word);
}

INLINE void
score_tile_int8(const size_t rows, const uint8_t *tile, size_t n_blocks, const engine_int8_block *q,
                ptrdiff_t ahead, float *s, size_t lds)
{
    vf sum[INT8_ROWS];

    UNROLL
    for (size_t r = 0; r < rows; r++)
        sum[r] = v_zero();
    for (size_t b = 0; b < n_blocks; b++, q++, tile += 34 * ENGINE_KV_TILE) {
        const vf scale = v_half(tile);
        const uint8_t *keys = tile + 2 * ENGINE_KV_TILE;
        __m512i acc[INT8_ROWS];
        UNROLL
        for (size_t r = 0; r < rows; r++) {
            const engine_int8_block *x = q + r * n_blocks;
            acc[r] = _mm512_set1_epi32(-128 * (x->sums[0] + x->sums[1]));
        }
        prefetch(tile, ahead);
        UNROLL
        for (size_t g = 0; g < ENGINE_INT8_BLOCK / GROUP; g++, keys += LINE) {
            const __m512i group = group_keys(keys);
            prefetch(keys, ahead);
            UNROLL
            for (size_t r = 0; r < rows; r++)
                acc[r] = _mm512_dpbusd_epi32(acc[r], group, bcast_group(q + r * n_blocks, g));
        }
        UNROLL
        for (size_t r = 0; r < rows; r++)
            sum[r] = v_fma(v_mul(scale, v_set1(q[r * n_blocks].scale)), _mm512_cvtepi32_ps(acc[r]),
                           sum[r]);
    }
    UNROLL
    for (size_t r = 0; r < rows; r++)
        v_store(s + r * lds, sum[r]);
}

INLINE void
score_rows_int8(const size_t rows, const uint8_t *k, size_t tile_bytes, size_t n_tiles, size_t dim,
                const engine_int8_block *q, ptrdiff_t ahead, float *s, size_t lds)
{
    for (size_t t = 0; t < n_tiles; t++)
        score_tile_int8(rows, k + t * tile_bytes, dim / ENGINE_INT8_BLOCK, q, ahead,
                        s + t * ENGINE_KV_TILE, lds);
}
