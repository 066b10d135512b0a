/* Rounding activations to int8 with AVX2, for all x86 levels (int8.h says what). Four blocks go together: what is
 * added or compared across a block is done for four at once, and the four scales are divided together. */

#ifdef V_VNNI
#define WHOLE_SUMS TRUE
#else
#define WHOLE_SUMS FALSE
#endif

/* The largest magnitude in each of eight lanes; as integers, magnitudes are ordered like the numbers, and NaN is
 * the largest. */
static inline __m256i
largest_bits(const float *x)
{
    const __m256i magnitude = _mm256_set1_epi32(0x7fffffff);
    __m256i most = _mm256_setzero_si256();

    for (int i = 0; i < ENGINE_INT8_BLOCK; i += 8)
        most = _mm256_max_epi32(
            most, _mm256_and_si256(_mm256_castps_si256(_mm256_loadu_ps(x + i)), magnitude));
    return most;
}

static inline __m256i
round_block(const float *x, float inverse)
{
    const __m256 factor = _mm256_set1_ps(inverse);
    __m256i q[4];

    for (int i = 0; i < 4; i++)
        q[i] = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 8 * i), factor));
    /* packing works within 16 bytes; the permutation puts the groups of four back in order */
    return _mm256_permutevar8x32_epi32(
        _mm256_packs_epi16(_mm256_packs_epi32(q[0], q[1]), _mm256_packs_epi32(q[2], q[3])),
        _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

static inline __m128i
low_half(__m256i v)
{
    return _mm256_castsi256_si128(v);
}

static inline __m128i
high_half(__m256i v)
{
    return _mm256_extracti128_si256(v, 1);
}

/* Lane j of each half: the four lanes of v[j]'s half, two by two made one by `join`. */
#define JOIN_FOUR(v, join)                                                                         \
    join_pairs(join,                                                                               \
               join(_mm256_unpacklo_epi32((v)[0], (v)[1]), _mm256_unpackhi_epi32((v)[0], (v)[1])), \
               join(_mm256_unpacklo_epi32((v)[2], (v)[3]), _mm256_unpackhi_epi32((v)[2], (v)[3])))
#define join_pairs(join, a, b) join(_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b))

/* Everything but q. scale: of the four blocks; q: theirs. */
static inline void
finish_four(__m128 scale, const __m256i q[4], engine_int8_block *const out[4])
{
    const __m256i ends = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(14, 15, 0, 1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1));
    __m256i pairs[4];

    for (int j = 0; j < 4; j++)
        pairs[j] = _mm256_maddubs_epi16(_mm256_set1_epi8(1), q[j]);
    /* lane j: of block j, the sum of the elements i with i % 4 < 2 and that of the others, as two int16; 0..15 in the
     * low half, 16..31 in the high one */
    const __m256i sums = JOIN_FOUR(pairs, _mm256_add_epi16);
    const __m256i minus = _mm256_sub_epi16(_mm256_setzero_si256(), sums);
    const __m128i of_all = _mm_add_epi16(low_half(minus), high_half(minus));
    const __m256i wide = _mm256_madd_epi16(sums, _mm256_set1_epi16(1));
    const __m128i total = _mm_add_epi32(low_half(wide), high_half(wide));

    __m128 head[4] = {scale, _mm_mul_ps(scale, _mm_cvtepi32_ps(total)),
                      _mm_castsi128_ps(_mm_blend_epi16(low_half(wide),
                                                       _mm_slli_epi32(high_half(wide), 16), 0xaa)),
                      _mm_castsi128_ps(WHOLE_SUMS ? _mm_madd_epi16(of_all, _mm_set1_epi16(8))
                                                  : _mm_slli_epi16(of_all, 3))};
    _MM_TRANSPOSE4_PS(head[0], head[1], head[2], head[3]);
    const __m256i minus32 = _mm256_slli_epi16(minus, 5);
    const __m128i first = _mm_unpacklo_epi32(low_half(minus32), high_half(minus32)),
                  second = _mm_unpackhi_epi32(low_half(minus32), high_half(minus32));
    const __m128i by_block[4] = {first, _mm_unpackhi_epi64(first, first), second,
                                 _mm_unpackhi_epi64(second, second)};
    for (int j = 0; j < 4; j++) {
        const __m256i picked = _mm256_shuffle_epi8(q[j], ends);
        _mm_storeu_ps(&out[j]->scale, head[j]);
        _mm_storeu_si64(out[j]->minus32, by_block[j]);
        _mm_storeu_si64(out[j]->ends, _mm_unpacklo_epi32(low_half(picked), high_half(picked)));
    }
}

static inline void
quantize_four(const float *const x[4], engine_int8_block *const out[4])
{
    __m256i most[4], q[4];
    float inverse[4];

    for (int j = 0; j < 4; j++)
        most[j] = largest_bits(x[j]);
    const __m256i joined = JOIN_FOUR(most, _mm256_max_epi32);
    const __m128 largest = _mm_castsi128_ps(_mm_max_epi32(low_half(joined), high_half(joined)));
    const __m128 steps = _mm_set1_ps(127.0f);
    _mm_storeu_ps(inverse, _mm_div_ps(steps, largest));
    const __m128 broken = _mm_cmpnlt_ps(largest, _mm_set1_ps(INFINITY)),
                 nothing = _mm_cmplt_ps(largest, _mm_set1_ps(ENGINE_INT8_SMALLEST));
    const int special = _mm_movemask_ps(_mm_or_ps(broken, nothing));
    for (int j = 0; j < 4; j++) {
        q[j] = special >> j & 1 ? _mm256_setzero_si256() : round_block(x[j], inverse[j]);
        _mm256_storeu_si256((__m256i *)(void *)out[j]->q, q[j]);
    }
    /* NaN where the block is broken, 0 where it counts as nothing */
    const __m128 scale = _mm_or_ps(_mm_andnot_ps(nothing, _mm_div_ps(largest, steps)),
                                   _mm_and_ps(broken, _mm_set1_ps(NAN)));
    finish_four(scale, q, out);
}

/* n blocks, of numbers ldx apart, written ldo blocks apart. */
static inline void
quantize_blocks(const float *x, size_t ldx, size_t n, engine_int8_block *out, size_t ldo)
{
    engine_int8_block unused;

    for (size_t b = 0; b < n; b += 4) {
        const float *from[4];
        engine_int8_block *to[4];
        for (size_t j = 0; j < 4; j++) { /* what is missing is the last one again */
            from[j] = x + MIN(b + j, n - 1) * ldx;
            to[j] = b + j < n ? out + (b + j) * ldo : &unused;
        }
        quantize_four(from, to);
    }
}

static void
engine_int8_quantize_x86(const float *x, size_t n, engine_int8_block *out)
{
    quantize_blocks(x, ENGINE_INT8_BLOCK, n / ENGINE_INT8_BLOCK, out, 1);
}

static void
engine_int8_quantize_column_x86(const float *x, size_t ldx, size_t n_rows, engine_int8_block *out,
                                size_t ldo)
{
    quantize_blocks(x, ldx, n_rows, out, ldo);
}
