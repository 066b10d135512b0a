/* Every architecture, from every format it comes in, against logits recorded from transformers or from a plain
 * float64 decoder (reference/tiny_models.py). */
#include "llama_check.h"
#include "tiny_case.h"

#include "engine/kernels.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const double TOLERANCE = 1e-4;

/* All logits of the case's tokens, evaluated `step` at a time. */
static float *
run(const engine_model *model, const tiny_case *c, int n_threads, size_t step)
{
    g_autoptr(engine_pool) pool = engine_pool_new(n_threads);
    g_autoptr(engine_session) session = new_session(model, pool, (uint32_t)c->n_ids);
    return eval_in_steps(session, c->ids, c->n_ids, step);
}

static void
check_logits(const engine_model *model, const tiny_case *c, tiny_format format)
{
    static const size_t steps[] = {1, 7, 64};
    const size_t n_bytes = c->n_ids * c->n_vocab * sizeof(float);

    assert_int_equal(engine_model_get_info(model)->n_vocab, c->n_vocab);
    g_autofree float *whole = run(model, c, 2, c->n_ids);
    const double error = tiny_case_error(c, whole);
    if (!(error <= TOLERANCE))
        fail_msg("%s (%s): off by %.2e of the largest logit", c->name, tiny_format_name(format),
                 error);
    for (size_t i = 0; i < G_N_ELEMENTS(steps); i++) {
        g_autofree float *pieces = run(model, c, 1 + (int)i % 2, steps[i]);
        if (memcmp(whole, pieces, n_bytes) != 0)
            fail_msg("%s (%s): %zu tokens at a time give other logits", c->name,
                     tiny_format_name(format), steps[i]);
    }
}

static void
check_case(const char *name, tiny_format format)
{
    g_autoptr(tiny_case) c = tiny_case_load(name);
    g_autoptr(GError) error = NULL;

    if (!tiny_case_has(c, format)) return;
    char *folder = tiny_case_write(c, format);
    g_autoptr(engine_model) model = engine_model_open(folder, &error);
    if (!model) fail_msg("%s (%s): %s", name, tiny_format_name(format), error->message);
    check_logits(model, c, format);
    tiny_case_remove(folder);
}

static void
every_model_gives_the_reference_logits(void **state)
{
    (void)state;
    g_auto(GStrv) names = tiny_case_names();
    const char *only = g_getenv("LODE_TINY_CASE"); /* one case, by hand */

    assert_true(g_strv_length(names) > 0);
    for (char **name = names; *name; name++)
        for (int format = 0; format < TINY_N_FORMATS; format++)
            if (!only || strcmp(only, *name) == 0) check_case(*name, (tiny_format)format);
}

static void
every_cpu_level_gives_the_reference_logits(void **state)
{
    (void)state;
    g_auto(GStrv) names = tiny_case_names();

    for (int cpu = ENGINE_CPU_SCALAR; cpu < (int)engine_cpu_best(); cpu++) {
        g_setenv("LODE_CPU", engine_cpu_name((engine_cpu)cpu), TRUE);
        for (char **name = names; *name; name++)
            check_case(*name, TINY_F32);
        g_unsetenv("LODE_CPU");
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_model_gives_the_reference_logits),
        cmocka_unit_test(every_cpu_level_gives_the_reference_logits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
