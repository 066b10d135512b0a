/* Scalar dequantisers, one per stored type: the definition every faster kernel is held to.
 * src [n / block_elems blocks], dst [n], n a multiple of the block. */
#ifndef LODE_ENGINE_DEQUANT_H
#define LODE_ENGINE_DEQUANT_H

#include <stddef.h>
#include <stdint.h>

/* The levels of IQ4_NL and IQ4_XS, ascending; those of E2M1 doubled, by code (sign in bit 3). */
extern const int8_t engine_iq4_levels[16], engine_e2m1_levels[16];

void engine_dequantize_f32(const uint8_t *src, float *dst, size_t n);
void engine_dequantize_f16(const uint8_t *src, float *dst, size_t n);
void engine_dequantize_bf16(const uint8_t *src, float *dst, size_t n);
void engine_dequantize_f64(const uint8_t *src, float *dst, size_t n);
void engine_dequantize_f8_e4m3(const uint8_t *src, float *dst, size_t n);
void engine_dequantize_f8_e5m2(const uint8_t *src, float *dst, size_t n);
void engine_dequantize_f8_e8m0(const uint8_t *src, float *dst, size_t n);
void engine_dequantize_q4_0(const uint8_t *src, float *dst, size_t n);
void engine_dequantize_q4_1(const uint8_t *src, float *dst, size_t n);
void engine_dequantize_q5_0(const uint8_t *src, float *dst, size_t n);
void engine_dequantize_q5_1(const uint8_t *src, float *dst, size_t n);
void engine_dequantize_q8_0(const uint8_t *src, float *dst, size_t n);
void engine_dequantize_q2_k(const uint8_t *src, float *dst, size_t n);
void engine_dequantize_q3_k(const uint8_t *src, float *dst, size_t n);
void engine_dequantize_q4_k(const uint8_t *src, float *dst, size_t n);
void engine_dequantize_q5_k(const uint8_t *src, float *dst, size_t n);
void engine_dequantize_q6_k(const uint8_t *src, float *dst, size_t n);
void engine_dequantize_iq4_nl(const uint8_t *src, float *dst, size_t n);
void engine_dequantize_iq4_xs(const uint8_t *src, float *dst, size_t n);
void engine_dequantize_mxfp4(const uint8_t *src, float *dst, size_t n);

#endif
