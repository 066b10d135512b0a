/* Fuzz target: any bytes as SentencePiece's tokenizer.model. What loads must also encode and decode. */
#include "engine/tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
encode_and_decode(const engine_tokenizer *t, const char *text, size_t len)
{
    g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(int32_t));
    g_autoptr(GString) out = g_string_new(NULL);
    engine_tokenizer_encode(t, text, len,
                            ENGINE_TOKENIZE_ADD_SPECIAL | ENGINE_TOKENIZE_PARSE_SPECIAL, ids);
    engine_tokenizer_encode(t, text, len, ENGINE_TOKENIZE_PLAIN, ids);
    for (guint i = 0; i < ids->len; i++) {
        const int32_t id = g_array_index(ids, int32_t, i);
        g_assert_true(id >= 0 && (size_t)id < engine_tokenizer_n_vocab(t));
    }
    engine_tokenizer_decode(t, (const int32_t *)(const void *)ids->data, ids->len, TRUE, out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char text[] =
        "  Hello, <s>abc</s> ab  abab \n caf\xC3\xA9 \xE6\x95\xB0\xE2\x96\x81"
        "e\xCC\x81 \xEF\xAC\x81 \xF0\x9F\x98\x80 \xFF\xE2\x82 <sep> ";
    const char *bytes = size > 0 ? (const char *)data : "";
    g_autoptr(GError) error = NULL;
    g_autoptr(engine_tokenizer) t = engine_tokenizer_parse_model(bytes, size, NULL, NULL, &error);
    g_assert_true((t == NULL) == (error != NULL));
    if (!t) return 0;
    encode_and_decode(t, text, sizeof text); /* its NUL too */
    encode_and_decode(t, bytes, MIN(size, 4096));
    return 0;
}
