/* Any bytes as a safetensors file: the reader and every tensor's first and last row. */
#include "engine/weights.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(engine_weights) weights =
        engine_weights_parse_safetensors(data, size, NULL, "fuzz", &error);

    g_assert((weights == NULL) == (error != NULL));
    for (size_t i = 0; weights && i < engine_weights_n_tensors(weights); i++) {
        const engine_tensor *t = engine_weights_tensor_at(weights, i);
        g_assert(engine_weights_lookup(weights, t->name) == t);
        if (!engine_type_lookup((uint32_t)t->type)->dequantize || t->dims[0] > 65536) continue;
        g_autofree float *row = g_new(float, (size_t)t->dims[0]);
        engine_tensor_row(t, 0, row);
        engine_tensor_row(t, engine_tensor_n_rows(t) - 1, row);
    }
    return 0;
}
