/* Every decoder through the plug-in's own kernels, on the emulated card. */
#include "forward_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* Weights in floats stay floats; others are multiplied as 16-bit numbers when there are many rows, and so are keys and
 * values in attention over a prompt. */
static device_kind
kind(size_t n_tokens)
{
    return (device_kind){.compute = lode_cuda_compute_get(),
                         .f32 = 5e-3,
                         .f16 = 1e-2,
                         .bf16 = 4e-2,
                         .same = 1e-2,
                         .n_tokens = n_tokens};
}

static void
every_model_gives_the_reference_logits(void **state)
{
    (void)state;
    const device_kind k = kind(20);
    const char *only = g_getenv("LODE_TINY_CASE");
    g_auto(GStrv) names = tiny_case_names();

    for (char **name = names; *name; name++) {
        if (only && strcmp(only, *name) != 0) continue;
        const gint64 start = g_get_monotonic_time();
        forward_check_reference(&k, *name, TINY_F32, DEVICE_WHOLE);
        print_message("%s: %.2f s\n", *name, 1e-6 * (double)(g_get_monotonic_time() - start));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_model_gives_the_reference_logits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
