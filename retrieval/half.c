/* Half precision, by its bits; see half.h. */
#include "retrieval/half.h"

#include <string.h>

uint16_t
retrieval_half_from_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint16_t sign = (uint16_t)((bits >> 16) & 0x8000u);
    const uint32_t exponent = (bits >> 23) & 0xffu;
    uint32_t mantissa = bits & 0x7fffffu;
    if (exponent == 0xffu) return (uint16_t)(sign | 0x7c00u | (mantissa ? 0x200u : 0));
    const int e = (int)exponent - 127 + 15;
    if (e >= 31) return (uint16_t)(sign | 0x7c00u);
    uint32_t half, rest, middle;
    if (e <= 0) { /* subnormal: the hidden bit shifts in, down to nothing */
        if (e < -10) return sign;
        const int shift = 14 - e;
        mantissa |= 0x800000u;
        half = mantissa >> shift;
        rest = mantissa & ((1u << shift) - 1);
        middle = 1u << (shift - 1);
    } else {
        half = ((uint32_t)e << 10) | (mantissa >> 13);
        rest = mantissa & 0x1fffu;
        middle = 0x1000u;
    }
    if (rest > middle || (rest == middle && (half & 1u)))
        half++; /* may carry into the exponent: right */
    return (uint16_t)(sign | half);
}

/* Exponents are off by 127 - 15: multiplying puts that right, for subnormals too, without a branch. */
float
retrieval_half_to_float(uint16_t half)
{
    const uint32_t bits = (uint32_t)(half & 0x7fffu) << 13, sign = (uint32_t)(half & 0x8000u) << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    value *= 0x1p112f;
    uint32_t result;
    memcpy(&result, &value, sizeof result);
    if ((half & 0x7c00u) == 0x7c00u) result = 0x7f800000u | (bits & 0x7fffffu);
    result |= sign;
    memcpy(&value, &result, sizeof value);
    return value;
}

void
retrieval_pack_halves(const float *values, size_t n, uint16_t *halves)
{
    for (size_t i = 0; i < n; i++)
        halves[i] = GUINT16_TO_LE(retrieval_half_from_float(values[i]));
}

void
retrieval_unpack_halves(const void *halves, size_t n, float *values)
{
    const uint8_t *bytes = halves;
    for (size_t i = 0; i < n; i++) {
        uint16_t half;
        memcpy(&half, bytes + i * sizeof half, sizeof half);
        values[i] = retrieval_half_to_float(GUINT16_FROM_LE(half));
    }
}
