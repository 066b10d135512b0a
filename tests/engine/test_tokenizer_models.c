/* The tokenizers of the default models against the reference, on all lines. LODE_MODELS names the folder
 * that holds them; without it this test is skipped. */
#include "tokenizer_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void
minilm_gives_the_reference_ids(void **state)
{
    (void)state;
    g_autofree char *dir = g_build_filename(g_getenv("LODE_MODELS"), "all-MiniLM-L6-v2", NULL);
    if (!g_file_test(dir, G_FILE_TEST_IS_DIR)) skip();
    g_autoptr(GError) error = NULL;
    g_autoptr(engine_tokenizer) t = engine_tokenizer_new_from_hf(dir, NULL, &error);
    if (!t) fail_msg("%s", error->message);
    assert_int_equal(engine_tokenizer_n_vocab(t), 30522);
    assert_int_equal(engine_tokenizer_unk(t), 100);
    assert_int_equal(engine_tokenizer_bos(t), 101);
    assert_int_equal(engine_tokenizer_eos(t), 102);
    assert_int_equal(engine_tokenizer_pad(t), 0);
    tokenizer_check_stream(t, "minilm",
                           ENGINE_TOKENIZE_ADD_SPECIAL | ENGINE_TOKENIZE_PARSE_SPECIAL);
}

static void
smollm2_gives_the_reference_ids(void **state)
{
    (void)state;
    g_autofree char *path =
        g_build_filename(g_getenv("LODE_MODELS"), "SmolLM2-135M-Instruct.Q4_1.gguf", NULL);
    if (!g_file_test(path, G_FILE_TEST_EXISTS)) skip();
    g_autoptr(GError) error = NULL;
    g_autoptr(engine_weights) weights = engine_weights_open(path, &error);
    if (!weights) fail_msg("%s", error->message);
    g_autoptr(engine_tokenizer) t = engine_tokenizer_new_from_gguf(weights, &error);
    if (!t) fail_msg("%s", error->message);
    assert_int_equal(engine_tokenizer_n_vocab(t), 49152);
    assert_int_equal(engine_tokenizer_eos(t), 2);
    assert_true(engine_tokenizer_ends_text(t, 0));
    assert_non_null(engine_tokenizer_chat_template(t));
    tokenizer_check_stream(t, "smollm2",
                           ENGINE_TOKENIZE_ADD_SPECIAL | ENGINE_TOKENIZE_PARSE_SPECIAL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(minilm_gives_the_reference_ids),
        cmocka_unit_test(smollm2_gives_the_reference_ids),
    };
    if (!g_getenv("LODE_MODELS")) {
        puts("skipped: LODE_MODELS is not set");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
