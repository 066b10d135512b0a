/* Any bytes as a GGUF file: the reader, every tensor's first row, the metadata getters, the tokenizer. */
#include "engine/tokenizer.h"
#include "engine/weights.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
read_first_row(const engine_tensor *t)
{
    const engine_type_traits *traits = engine_type_lookup((uint32_t)t->type);

    if (!traits->dequantize || t->dims[0] > 65536) return;
    g_autofree float *row = g_new(float, (size_t)t->dims[0]);
    engine_tensor_row(t, 0, row);
    engine_tensor_row(t, engine_tensor_n_rows(t) - 1, row);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const keys[] = {"general.name", "a.int", "a.ints", "a.floats",
                                       "tokenizer.ggml.tokens"};
    g_autoptr(GError) error = NULL, tokenizer_error = NULL;
    g_autoptr(engine_weights) weights = engine_weights_parse_gguf(data, size, "fuzz", &error);

    g_assert((weights == NULL) == (error != NULL));
    if (!weights) return 0;
    for (size_t i = 0; i < engine_weights_n_tensors(weights); i++)
        read_first_row(engine_weights_tensor_at(weights, i));
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
        uint32_t number = 0;
        float real;
        size_t n = 0;
        engine_weights_get_u32(weights, keys[i], &number);
        engine_weights_get_f32(weights, keys[i], &real);
        const engine_bytes *strings = engine_weights_get_strings(weights, keys[i], &n);
        for (size_t j = 0; strings && j < n; j++)
            for (size_t b = 0; b < strings[j].len; b++)
                number ^= (uint8_t)strings[j].data[b];
        engine_weights_get_ints(weights, keys[i], &n);
        engine_weights_get_floats(weights, keys[i], &n);
    }
    g_autoptr(engine_tokenizer) tokenizer =
        engine_tokenizer_new_from_gguf(weights, &tokenizer_error);
    g_assert((tokenizer == NULL) == (tokenizer_error != NULL));
    if (tokenizer) {
        g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(int32_t));
        g_autoptr(GString) text = g_string_new(NULL);
        engine_tokenizer_encode(tokenizer, (const char *)data, MIN(size, 200),
                                ENGINE_TOKENIZE_PARSE_SPECIAL, ids);
        engine_tokenizer_decode(tokenizer, (const int32_t *)(void *)ids->data, ids->len, TRUE,
                                text);
    }
    return 0;
}
