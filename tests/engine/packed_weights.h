/* Random packed weights for tests of kernels. */
#ifndef LODE_TESTS_ENGINE_PACKED_WEIGHTS_H
#define LODE_TESTS_ENGINE_PACKED_WEIGHTS_H

#include "engine/tensor.h"

/* n uniform numbers in -2 .. 2. */
float *random_floats(GRand *rand, size_t n);

/* n_blocks random blocks of a type; those whose weights came out huge, infinite or NaN are drawn again.
 * The result is exactly as long as the blocks. */
uint8_t *random_packed(GRand *rand, const engine_type_traits *traits, size_t n_blocks);

/* A matrix {n_in, n_out} of a type; its data is random_packed, to be freed with g_free. */
engine_tensor random_matrix(GRand *rand, engine_type type, size_t n_in, size_t n_out);

#endif
