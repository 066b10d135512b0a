/* What the tests of kernels share: random numbers, and arrays compared under a tolerance. */
#ifndef LODE_KERNELS_CHECK_H
#define LODE_KERNELS_CHECK_H

#include "cuda_test.h"

#include "engine/cuda/kernels.h"
#include "engine/tensor.h"

#include <cmath>

extern "C" {
#include "engine/dequant.h"
}

/* xorshift: the same numbers everywhere. */
struct check_random {
    uint64_t state;
    explicit check_random(uint64_t seed) : state(seed * 0x9e3779b97f4a7c15u + 1)
    {
    }
    uint32_t
    next()
    {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return (uint32_t)(state >> 32);
    }
    uint32_t
    below(uint32_t n)
    {
        return next() % n;
    }
    float
    number() /* -1 .. 1 */
    {
        return (float)(int32_t)next() * 0x1p-31f;
    }
    std::vector<float>
    numbers(size_t n, float scale = 1.0f)
    {
        std::vector<float> out(n);
        for (float &f : out)
            f = scale * number();
        return out;
    }
};

/* |got - want| <= absolute + relative * |want| everywhere; NaN fails. */
static inline void
check_near(const char *what, const std::vector<float> &got, const std::vector<float> &want,
           float absolute, float relative)
{
    assert_int_equal(got.size(), want.size());
    for (size_t i = 0; i < got.size(); i++)
        if (!(std::fabs(got[i] - want[i]) <= absolute + relative * std::fabs(want[i])))
            fail_msg("%s: element %zu of %zu is %g, not %g", what, i, got.size(), (double)got[i],
                     (double)want[i]);
}

static inline void
check_equal(const char *what, const std::vector<float> &got, const std::vector<float> &want)
{
    check_near(what, got, want, 0.0f, 0.0f);
}

/* n_rows rows of a type in random bytes, but without numbers that are none or beyond `most`. */
static inline std::vector<uint8_t>
check_packed(check_random &random, uint32_t type, size_t n_rows, size_t n_in, float most = 4.0f)
{
    const engine_type_traits *traits = engine_type_lookup(type);
    const size_t n_blocks = n_rows * n_in / traits->block_elems, size = traits->block_bytes;
    std::vector<uint8_t> out(n_blocks * size);
    std::vector<float> values(traits->block_elems);

    for (size_t b = 0; b < n_blocks; b++) {
        bool good = false;
        while (!good) {
            for (size_t i = 0; i < size; i++)
                out[b * size + i] = (uint8_t)random.next();
            traits->dequantize(&out[b * size], values.data(), values.size());
            good = true;
            for (const float v : values)
                good = good && std::fabs(v) <= most;
        }
    }
    return out;
}

static inline std::vector<float>
check_expanded(uint32_t type, const std::vector<uint8_t> &rows, size_t n_rows, size_t n_in)
{
    std::vector<float> out(n_rows * n_in);
    for (size_t r = 0; r < n_rows; r++)
        engine_type_lookup(type)->dequantize(&rows[r * rows.size() / n_rows], &out[r * n_in], n_in);
    return out;
}

static const uint32_t CHECK_TYPES[] = {
    CUDA_F32,  CUDA_F16,  CUDA_BF16, CUDA_F8_E4M3, CUDA_F8_E5M2, CUDA_Q8_0,
    CUDA_Q4_0, CUDA_Q4_1, CUDA_Q5_0, CUDA_Q5_1,    CUDA_Q2_K,    CUDA_Q3_K,
    CUDA_Q4_K, CUDA_Q5_K, CUDA_Q6_K, CUDA_IQ4_NL,  CUDA_IQ4_XS,  CUDA_MXFP4};

static_assert(
    (int)CUDA_F32 == (int)ENGINE_TYPE_F32 && (int)CUDA_F16 == (int)ENGINE_TYPE_F16 &&
        (int)CUDA_BF16 == (int)ENGINE_TYPE_BF16 && (int)CUDA_F8_E4M3 == (int)ENGINE_TYPE_F8_E4M3 &&
        (int)CUDA_F8_E5M2 == (int)ENGINE_TYPE_F8_E5M2 && (int)CUDA_Q8_0 == (int)ENGINE_TYPE_Q8_0 &&
        (int)CUDA_Q4_0 == (int)ENGINE_TYPE_Q4_0 && (int)CUDA_Q4_1 == (int)ENGINE_TYPE_Q4_1 &&
        (int)CUDA_Q5_0 == (int)ENGINE_TYPE_Q5_0 && (int)CUDA_Q5_1 == (int)ENGINE_TYPE_Q5_1 &&
        (int)CUDA_Q2_K == (int)ENGINE_TYPE_Q2_K && (int)CUDA_Q3_K == (int)ENGINE_TYPE_Q3_K &&
        (int)CUDA_Q4_K == (int)ENGINE_TYPE_Q4_K && (int)CUDA_Q5_K == (int)ENGINE_TYPE_Q5_K &&
        (int)CUDA_Q6_K == (int)ENGINE_TYPE_Q6_K && (int)CUDA_IQ4_NL == (int)ENGINE_TYPE_IQ4_NL &&
        (int)CUDA_IQ4_XS == (int)ENGINE_TYPE_IQ4_XS && (int)CUDA_MXFP4 == (int)ENGINE_TYPE_MXFP4,
    "kernels.h numbers types as tensor.h does");

#endif
