/* Every decoder through the plug-in's own kernels, on the emulated card. */
#include "emulated_card.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void
every_model_gives_the_reference_logits(void **state)
{
    (void)state;
    const device_kind k = emulated_kind(10);
    const char *only = g_getenv("LODE_TINY_CASE"); /* one case, by hand */
    g_auto(GStrv) names = tiny_case_names();

    for (char **name = names; *name; name++)
        if (!only || strcmp(only, *name) == 0)
            forward_check_reference(&k, *name, TINY_F32, DEVICE_WHOLE);
}

static void
weights_of_16_bits_and_packed_ones_too(void **state)
{
    (void)state;
    static const char *const names[] = {"llama_untied", "qwen3_moe"};
    const device_kind k = emulated_kind(10);

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        for (int format = TINY_BF16; format < TINY_N_FORMATS; format++)
            forward_check_reference(&k, names[i], (tiny_format)format, DEVICE_WHOLE);
}

/* --exact: as near as the CPU is, with and without cuBLAS. */
static void
exact_models_round_no_weights(void **state)
{
    (void)state;
    static const char *const names[] = {"llama_untied", "llama_tied_f16", "qwen3_moe",
                                        "interns1_pro_fp8", "intern_s2_preview"};
    const device_kind k = emulated_kind(10);

    for (int missing = 0; missing <= 1; missing++) {
        emulated_card_without_cublas(missing);
        for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
            for (int format = missing ? TINY_GGUF : TINY_F32; format < TINY_N_FORMATS; format++)
                forward_check_exact(&k, names[i], (tiny_format)format, DEVICE_WHOLE);
    }
    emulated_card_without_cublas(FALSE);
}

static void
parts_on_the_host_change_little(void **state)
{
    (void)state;
    static const char *const names[] = {"llama_untied", "qwen3_moe", "intern_s2_preview"};
    const device_kind k = emulated_kind(10);

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        for (int share = DEVICE_EXPERTS; share <= DEVICE_HALF; share++)
            forward_check_reference(&k, names[i], TINY_F32, (device_share)share);
}

static void
encoders_embed_and_judge_alike(void **state)
{
    (void)state;
    const device_kind k = emulated_kind(0);

    forward_check_encoder(&k, 6);
    forward_check_judge(&k, 5);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_model_gives_the_reference_logits),
        cmocka_unit_test(weights_of_16_bits_and_packed_ones_too),
        cmocka_unit_test(exact_models_round_no_weights),
        cmocka_unit_test(parts_on_the_host_change_little),
        cmocka_unit_test(encoders_embed_and_judge_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
