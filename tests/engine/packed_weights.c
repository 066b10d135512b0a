#include "packed_weights.h"

#include <math.h>

float *
random_floats(GRand *rand, size_t n)
{
    g_assert(n <= 1u << 24); /* tells an optimising compiler that n is no wrapped difference */
    float *x = g_new(float, n);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)g_rand_double_range(rand, -2.0, 2.0);
    return x;
}

uint8_t *
random_packed(GRand *rand, const engine_type_traits *traits, size_t n_blocks)
{
    const size_t size = traits->block_bytes;
    uint8_t *bytes = g_malloc(n_blocks * size);
    for (size_t b = 0; b < n_blocks; b++) {
        float values[256];
        gboolean fine;
        do {
            for (size_t i = 0; i < size; i++)
                bytes[b * size + i] = (uint8_t)g_rand_int_range(rand, 0, 256);
            traits->dequantize(bytes + b * size, values, traits->block_elems);
            fine = TRUE;
            for (size_t i = 0; i < traits->block_elems; i++)
                fine = fine && fabsf(values[i]) < 1e6f;
        } while (!fine);
    }
    return bytes;
}

engine_tensor
random_matrix(GRand *rand, engine_type type, size_t n_in, size_t n_out)
{
    const engine_type_traits *traits = engine_type_lookup((uint32_t)type);
    engine_tensor w = {.name = "w", .type = type, .n_dims = 2, .dims = {n_in, n_out, 1, 1}};

    g_assert(engine_tensor_size((uint32_t)type, 2, w.dims, &w.n_bytes));
    w.data = random_packed(rand, traits, w.n_bytes / traits->block_bytes);
    return w;
}
