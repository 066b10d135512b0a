/* Tensor types: sizes, names, half precision. The dequantisers are in dequant.c. */
#include "engine/tensor.h"

#include "engine/dequant.h"

#include <string.h>

static const engine_type_traits TRAITS[ENGINE_TYPE_COUNT] = {
    [ENGINE_TYPE_F32] = {"F32", 1, 4, engine_dequantize_f32},
    [ENGINE_TYPE_F16] = {"F16", 1, 2, engine_dequantize_f16},
    [ENGINE_TYPE_BF16] = {"BF16", 1, 2, engine_dequantize_bf16},
    [ENGINE_TYPE_F64] = {"F64", 1, 8, engine_dequantize_f64},
    [ENGINE_TYPE_Q4_0] = {"Q4_0", 32, 18, engine_dequantize_q4_0},
    [ENGINE_TYPE_Q4_1] = {"Q4_1", 32, 20, engine_dequantize_q4_1},
    [ENGINE_TYPE_Q5_0] = {"Q5_0", 32, 22, engine_dequantize_q5_0},
    [ENGINE_TYPE_Q5_1] = {"Q5_1", 32, 24, engine_dequantize_q5_1},
    [ENGINE_TYPE_Q8_0] = {"Q8_0", 32, 34, engine_dequantize_q8_0},
    [ENGINE_TYPE_Q2_K] = {"Q2_K", 256, 84, engine_dequantize_q2_k},
    [ENGINE_TYPE_Q3_K] = {"Q3_K", 256, 110, engine_dequantize_q3_k},
    [ENGINE_TYPE_Q4_K] = {"Q4_K", 256, 144, engine_dequantize_q4_k},
    [ENGINE_TYPE_Q5_K] = {"Q5_K", 256, 176, engine_dequantize_q5_k},
    [ENGINE_TYPE_Q6_K] = {"Q6_K", 256, 210, engine_dequantize_q6_k},
    [ENGINE_TYPE_IQ4_NL] = {"IQ4_NL", 32, 18, engine_dequantize_iq4_nl},
    [ENGINE_TYPE_IQ4_XS] = {"IQ4_XS", 256, 136, engine_dequantize_iq4_xs},
    [ENGINE_TYPE_MXFP4] = {"MXFP4", 32, 17, engine_dequantize_mxfp4},
    [ENGINE_TYPE_F8_E4M3] = {"F8_E4M3", 1, 1, engine_dequantize_f8_e4m3},
    [ENGINE_TYPE_F8_E5M2] = {"F8_E5M2", 1, 1, engine_dequantize_f8_e5m2},
    [ENGINE_TYPE_F8_E8M0] = {"F8_E8M0", 1, 1, engine_dequantize_f8_e8m0},
    [ENGINE_TYPE_I8] = {"I8", 1, 1, NULL},
    [ENGINE_TYPE_I16] = {"I16", 1, 2, NULL},
    [ENGINE_TYPE_I32] = {"I32", 1, 4, NULL},
    [ENGINE_TYPE_I64] = {"I64", 1, 8, NULL},
};

const engine_type_traits *
engine_type_lookup(uint32_t type)
{
    return type < ENGINE_TYPE_COUNT && TRAITS[type].name ? &TRAITS[type] : NULL;
}

gboolean
engine_tensor_size(uint32_t type, uint32_t n_dims, const uint64_t dims[4], size_t *n_bytes)
{
    const engine_type_traits *traits = engine_type_lookup(type);
    uint64_t total = 1;

    if (!traits || n_dims > 4) return FALSE;
    for (uint32_t i = 0; i < n_dims; i++) {
        if (dims[i] == 0 || !g_uint64_checked_mul(&total, total, dims[i])) return FALSE;
    }
    uint64_t row = n_dims > 0 ? dims[0] : 1;
    if (row % traits->block_elems != 0) return FALSE;
    if (!g_uint64_checked_mul(&total, total / traits->block_elems, traits->block_bytes))
        return FALSE;
    if (total > (uint64_t)G_MAXSSIZE) return FALSE;
    *n_bytes = (size_t)total;
    return TRUE;
}

/* Element `col` of a row of t, t's type having one element per block. */
static float
element(const engine_tensor *t, size_t row, size_t col)
{
    const engine_type_traits *traits = engine_type_lookup((uint32_t)t->type);
    float value;

    traits->dequantize(t->data + (row * (size_t)t->dims[0] + col) * traits->block_bytes, &value, 1);
    return value;
}

/* The row of t->scales that is a row's; every matrix of a stack starts with a block of its own. */
static size_t
scale_row(const engine_tensor *t, size_t row)
{
    const size_t n = (size_t)t->dims[1];
    return row / n * (size_t)t->scales->dims[1] + row % n / t->scale_rows;
}

float
engine_tensor_element(const engine_tensor *t, size_t row, size_t col)
{
    const float value = element(t, row, col);
    return t->scales ? value * element(t->scales, scale_row(t, row), col / t->scale_cols) : value;
}

void
engine_tensor_row_scales(const engine_tensor *t, size_t row, float *out)
{
    const size_t n = (size_t)t->scales->dims[0], at = scale_row(t, row);

    for (size_t i = 0; i < n; i++)
        out[i] = element(t->scales, at, i);
}

void
engine_tensor_row(const engine_tensor *t, size_t row, float *out)
{
    const engine_type_traits *traits = engine_type_lookup((uint32_t)t->type);
    const size_t n = (size_t)t->dims[0];

    g_assert(traits && traits->dequantize && row < engine_tensor_n_rows(t));
    traits->dequantize(t->data + row * engine_tensor_row_bytes(t), out, n);
    if (!t->scales) return;
    const size_t at = scale_row(t, row);
    for (size_t c = 0; c < n; c += t->scale_cols) {
        const float scale = element(t->scales, at, c / t->scale_cols);
        for (size_t i = c; i < MIN(n, c + t->scale_cols); i++)
            out[i] *= scale;
    }
}

/* sign 1 | exponent 5 (bias 15) | mantissa 10. A subnormal is mantissa * 2^-24, which float holds exactly. */
float
engine_half_to_float(uint16_t h)
{
    const uint32_t sign = (uint32_t)(h & 0x8000u) << 16;
    const uint32_t exponent = (h >> 10) & 31u, mantissa = h & 1023u;
    uint32_t bits;
    float f;

    if (exponent == 31) {
        bits = sign | 0x7f800000u | mantissa << 13;
    } else if (exponent == 0) {
        float magnitude = (float)mantissa * 0x1p-24f;
        memcpy(&bits, &magnitude, sizeof bits);
        bits |= sign;
    } else {
        bits = sign | (exponent + 112) << 23 | mantissa << 13;
    }
    memcpy(&f, &bits, sizeof f);
    return f;
}

uint16_t
engine_half_from_float(float f)
{
    uint32_t bits;

    memcpy(&bits, &f, sizeof bits);
    const uint32_t sign = (bits >> 16) & 0x8000u, magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) return (uint16_t)(sign | 0x7e00u | ((magnitude >> 13) & 0x1ffu));
    if (magnitude >= 0x477ff000u)
        return (uint16_t)(sign | 0x7c00u); /* 65520 and above round to infinity */
    if (magnitude < 0x38800000u) {
        /* subnormal half: adding 0.5 puts the rounding at bit 2^-24, ties to even by the FPU */
        float shifted;
        memcpy(&shifted, &magnitude, sizeof shifted);
        shifted += 0.5f;
        memcpy(&bits, &shifted, sizeof bits);
        return (uint16_t)(sign | (bits - 0x3f000000u));
    }
    const uint32_t odd = (magnitude >> 13) & 1u;
    return (uint16_t)(sign | ((magnitude - 0x38000000u + 0xfffu + odd) >> 13));
}
