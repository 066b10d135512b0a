/* A model in two parts out of any bytes: u16 length of the first part, then both. */
#include "engine/weights.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) return 0;
    const size_t first = MIN((size_t)(data[0] | data[1] << 8), size - 2);
    /* exactly sized copies, so that a sanitizer sees a read past the end */
    g_autofree uint8_t *a = g_memdup2(data + 2, first);
    g_autofree uint8_t *b = g_memdup2(data + 2 + first, size - 2 - first);
    const uint8_t *const parts[] = {a, b};
    const size_t n_bytes[] = {first, size - 2 - first};
    g_autoptr(GError) error = NULL;
    g_autoptr(engine_weights) weights =
        engine_weights_parse_gguf_parts(parts, n_bytes, 2, "fuzz", &error);

    g_assert((weights == NULL) == (error != NULL));
    for (size_t i = 0; weights && i < engine_weights_n_tensors(weights); i++) {
        const engine_tensor *t = engine_weights_tensor_at(weights, i);
        g_assert(engine_weights_lookup(weights, t->name) == t);
        for (size_t k = 0; k < t->n_bytes; k += 4096) /* every page of it can be read */
            *(volatile const uint8_t *)(t->data + k);
    }
    for (size_t i = 0; weights && i < engine_weights_n_metadata(weights); i++) {
        const engine_metadata m = engine_weights_metadata_at(weights, i);
        if (m.len > 0) *(volatile const uint8_t *)(m.payload + m.len - 1);
    }
    return 0;
}
