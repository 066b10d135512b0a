/* Fuzz target: tokenizer.json (or, where the bytes do not start like JSON, vocab.txt). What loads must also
 * encode and decode: a fixed text with something of everything, and the input itself. */
#include "engine/tokenizer.h"

#include <string.h>

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
        "Hello, <s>world</s> it's 1234  \n\n caf\xC3\xA9 \xE6\x95\xB0 e\xCC\x81\xCC\xA3 "
        "\xEA\xB0\x80 \xF0\x9F\x98\x80 \xFF\xE2\x82 [MASK] [SEP]";
    const char *bytes = size > 0 ? (const char *)data : "";
    const gboolean json = size > 0 && data[0] == '{';
    g_autoptr(GError) error = NULL;
    g_autoptr(engine_tokenizer) t =
        (json ? engine_tokenizer_parse_json : engine_tokenizer_parse_vocab)(bytes, size, NULL, NULL,
                                                                            &error);
    g_assert_true((t == NULL) == (error != NULL));
    if (!t) return 0;
    encode_and_decode(t, text, sizeof text); /* its NUL too */
    encode_and_decode(t, bytes, MIN(size, 4096));
    return 0;
}
