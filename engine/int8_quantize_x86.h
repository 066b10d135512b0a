/* Rounding activations to int8 with AVX2, for all x86 levels (int8.h says what). */

static inline void
quantize_block_x86(const float *x, engine_int8_block *out)
{
    const __m256 v[4] = {_mm256_loadu_ps(x), _mm256_loadu_ps(x + 8), _mm256_loadu_ps(x + 16),
                         _mm256_loadu_ps(x + 24)};
    const __m256i magnitude = _mm256_set1_epi32(0x7fffffff);
    /* as integers, magnitudes are ordered like the numbers, and NaN is the largest */
    __m256i most = _mm256_and_si256(_mm256_castps_si256(v[0]), magnitude);
    for (int i = 1; i < 4; i++)
        most = _mm256_max_epi32(most, _mm256_and_si256(_mm256_castps_si256(v[i]), magnitude));
    __m128i half = _mm_max_epi32(_mm256_castsi256_si128(most), _mm256_extracti128_si256(most, 1));
    half = _mm_max_epi32(half, _mm_shuffle_epi32(half, 0x4e));
    half = _mm_max_epi32(half, _mm_shuffle_epi32(half, 0xb1));
    const float largest = _mm_cvtss_f32(_mm_castsi128_ps(half));
    if (!(largest >= ENGINE_INT8_SMALLEST && largest < INFINITY)) {
        memset(out, 0, sizeof *out);
        if (!(largest < INFINITY)) out->scale = out->scaled_sum = NAN;
        return;
    }
    const __m256 inverse = _mm256_set1_ps(127.0f / largest);
    __m256i q[4];
    for (int i = 0; i < 4; i++)
        q[i] = _mm256_cvtps_epi32(_mm256_mul_ps(v[i], inverse));
    /* packing works within 16 bytes; the permutation puts the groups of four back in order */
    const __m256i bytes = _mm256_permutevar8x32_epi32(
        _mm256_packs_epi16(_mm256_packs_epi32(q[0], q[1]), _mm256_packs_epi32(q[2], q[3])),
        _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    _mm256_storeu_si256((__m256i *)(void *)out->q, bytes);
    /* sums of the elements i with i % 4 < 2 and of the others, in every lane of a half */
    __m256i sums = _mm256_maddubs_epi16(_mm256_set1_epi8(1), bytes);
    sums = _mm256_add_epi16(sums, _mm256_shuffle_epi32(sums, 0x4e));
    sums = _mm256_add_epi16(sums, _mm256_shuffle_epi32(sums, 0xb1));
    const __m128i of_first = _mm256_castsi256_si128(sums),
                  of_second = _mm256_extracti128_si256(sums, 1);
    const __m128i both = _mm_unpacklo_epi32(of_first, of_second);
    const __m128i minus = _mm_sub_epi16(_mm_setzero_si128(), both);
    _mm_storeu_si64(out->minus32, _mm_slli_epi16(minus, 5));
    _mm_storeu_si32(out->minus8,
                    _mm_slli_epi16(_mm_add_epi16(minus, _mm_shuffle_epi32(minus, 0xb1)), 3));
    const __m128i wide = _mm_madd_epi16(both, _mm_set1_epi16(1));
    _mm_storeu_si32(out->sums, _mm_packs_epi32(wide, wide));
    const __m256i ends = _mm256_shuffle_epi8(
        bytes, _mm256_broadcastsi128_si256(
                   _mm_setr_epi8(14, 15, 0, 1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1)));
    _mm_storeu_si64(out->ends, _mm_unpacklo_epi32(_mm256_castsi256_si128(ends),
                                                  _mm256_extracti128_si256(ends, 1)));
    out->scale = largest / 127.0f;
    out->scaled_sum = out->scale * (float)(out->sums[0] + out->sums[1]);
}

static void
engine_int8_quantize_x86(const float *x, size_t n, engine_int8_block *out)
{
    for (size_t i = 0; i < n; i += ENGINE_INT8_BLOCK)
        quantize_block_x86(x + i, out++);
}
