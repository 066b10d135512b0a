/* all-MiniLM-L6-v2 against PyTorch. LODE_MODELS names the folder that holds it; without it this is
 * skipped. */
#include "bert_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void
minilm_agrees_with_pytorch(void **state)
{
    const char *dir = *state;
    g_autoptr(GError) error = NULL;
    g_autoptr(engine_model) model = engine_model_open(dir, &error);
    if (!model) fail_msg("%s", error->message);
    const engine_model_info *info = engine_model_get_info(model);
    assert_int_equal(info->n_context, 256);
    assert_int_equal(info->pooling, ENGINE_POOLING_MEAN);
    assert_true(info->normalize);
    g_autoptr(engine_pool) pool = engine_pool_new(0);
    bert_check_vectors(model, pool, "minilm_vectors.f32");
}

int
main(void)
{
    const char *models = g_getenv("LODE_MODELS");
    g_autofree char *dir = models ? g_build_filename(models, "all-MiniLM-L6-v2", NULL) : NULL;
    if (!dir || !g_file_test(dir, G_FILE_TEST_IS_DIR)) {
        puts("skipped: LODE_MODELS does not name a folder with all-MiniLM-L6-v2");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(minilm_agrees_with_pytorch, dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
