/* half: embeddings as the database keeps them, IEEE 754 binary16, little endian. Touches only its arguments. */
#ifndef LODE_RETRIEVAL_HALF_H
#define LODE_RETRIEVAL_HALF_H

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

uint16_t retrieval_half_from_float(float value); /* round to nearest, ties to even */
float retrieval_half_to_float(uint16_t half);

void retrieval_pack_halves(const float *values, size_t n, uint16_t *halves); /* both [n] */
/* halves: n of them, however aligned; values [n]. */
void retrieval_unpack_halves(const void *halves, size_t n, float *values);

#endif
