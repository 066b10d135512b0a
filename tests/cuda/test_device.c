/* The engine's side of a GPU, on a device of plain C (host_compute.h): what lies where, and that it is found again. */
#include "forward_check.h"
#include "host_compute.h"

#include "engine/model.h"
#include "engine/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static device_kind
kind(void)
{
    return (device_kind){.compute = host_compute(), .f32 = 1e-4, .f16 = 1e-4, .bf16 = 1e-4};
}

static void
every_model_gives_the_reference_logits_wherever_its_parts_are(void **state)
{
    (void)state;
    const device_kind k = kind();
    g_auto(GStrv) names = tiny_case_names();

    for (char **name = names; *name; name++) {
        for (int format = 0; format < TINY_N_FORMATS; format++)
            forward_check_reference(&k, *name, (tiny_format)format, DEVICE_WHOLE);
        forward_check_reference(&k, *name, TINY_F32, DEVICE_EXPERTS);
        forward_check_reference(&k, *name, TINY_F32, DEVICE_HALF);
    }
    assert_int_equal(host_compute_n_live(), 0);
}

/* One of each kind of layer and position. */
static const char *const NAMES[] = {"llama_untied",      "qwen3_moe",         "interns1_pro",
                                    "internlm2_dynamic", "intern_s2_preview", "interns2_mobius"};

static void
chunks_batches_and_prefixes_change_nothing(void **state)
{
    (void)state;
    const device_kind k = kind();

    for (size_t i = 0; i < G_N_ELEMENTS(NAMES); i++) {
        for (int share = DEVICE_WHOLE; share <= DEVICE_HALF; share++) {
            forward_check_chunks(&k, NAMES[i], (device_share)share);
            forward_check_batch(&k, NAMES[i], (device_share)share);
            forward_check_prefixes(&k, NAMES[i], (device_share)share);
        }
        forward_check_drafts(&k, NAMES[i]);
    }
    forward_check_kv_types(&k, "llama_untied");
    forward_check_kv_types(&k, "qwen3"); /* heads wide enough to be packed */
    forward_check_kv_types(&k, "internlm2_dynamic");
    assert_int_equal(host_compute_n_live(), 0);
}

static void
encoders_embed_and_judge_alike(void **state)
{
    (void)state;
    const device_kind k = kind();

    forward_check_encoder(&k, 0);
    forward_check_judge(&k, 5);
    assert_int_equal(host_compute_n_live(), 0);
}

/* ---- memory that runs out ---- */

static engine_session *
open_exhausted(const forward_bench *b, unsigned nth, gboolean for_good, GError **error)
{
    engine_session_options options = engine_session_options_default();

    options.n_context = (uint32_t)b->c->n_ids;
    host_compute_fail(nth, for_good);
    engine_session *session = engine_session_open(b->model, b->pool, &options, error);
    assert_true((session == NULL) == (error && *error));
    return session;
}

static void
check_exhaustion(const char *name, gboolean demanded, gboolean for_good)
{
    const device_kind k = kind();
    forward_bench b = forward_open(&k, name, TINY_F32, DEVICE_WHOLE);
    gboolean ended = FALSE;
    const size_t n = 8, n_bytes = n * b.c->n_vocab * sizeof(float);
    g_autofree float *expected = g_new(float, n_bytes / 4), *logits = g_new(float, n_bytes / 4);

    g_clear_pointer(&b.model->device, engine_device_unref);
    g_autoptr(engine_session) plain = open_exhausted(&b, 0, FALSE, NULL);
    assert_true(engine_session_eval(plain, b.c->ids, n, NULL, expected, NULL));
    b.model->wish.demanded = demanded;
    for (unsigned nth = 1; !ended; nth++) {
        g_autoptr(GError) error = NULL;
        b.model->device = engine_device_open(k.compute, 0, 0, NULL);
        g_autoptr(engine_session) session = open_exhausted(&b, nth, for_good, &error);
        ended = host_compute_n_allocations() < nth;
        host_compute_fail(0, FALSE);
        assert_true((session != NULL) == (ended || !demanded));
        if (!session) assert_int_equal(error->code, ENGINE_ERROR_LIMIT);
        if (!ended && session) { /* the CPU's own numbers */
            assert_true(engine_session_eval(session, b.c->ids, n, NULL, logits, &error));
            assert_memory_equal(logits, expected, n_bytes);
        }
        g_clear_pointer(&session, engine_session_free);
        g_clear_pointer(&b.model->device, engine_device_unref);
        assert_int_equal(host_compute_n_live(), 0);
    }
    g_clear_pointer(&plain, engine_session_free);
    forward_close(&b);
}

static void
memory_that_runs_out_anywhere_leaves_the_model_to_the_cpu(void **state)
{
    (void)state;
    static const char *const names[] = {"llama_untied", "intern_s2_preview"};

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        check_exhaustion(names[i], FALSE, FALSE);
        check_exhaustion(names[i], TRUE, TRUE);
    }
}

/* ---- more than one session ---- */

/* Weights are on the device once: a second session needs room for its cache and buffers alone. */
static void
a_second_session_finds_the_weights_placed(void **state)
{
    (void)state;
    const device_kind k = kind();
    static const char *const names[] = {"llama_untied", "qwen3_moe", "intern_s2_preview"};

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        forward_bench b = forward_open(&k, names[i], TINY_F32, DEVICE_WHOLE);
        g_autoptr(engine_session) first = open_exhausted(&b, 0, FALSE, NULL);
        const uint64_t n_bytes = first->runtime.placement->n_bytes, weights = b.model->info.n_bytes;
        const uint64_t limit =
            n_bytes + n_bytes - weights / 2; /* too little for the weights twice */
        g_clear_pointer(&first, engine_session_free);
        g_clear_pointer(&b.model->device, engine_device_unref);
        b.model->device = engine_device_open(k.compute, 0, limit, NULL);
        first = open_exhausted(&b, 0, FALSE, NULL);
        g_autoptr(engine_session) second = open_exhausted(&b, 0, FALSE, NULL);
        assert_int_equal(first->runtime.placement->n_layers, b.model->info.n_layers);
        assert_int_equal(second->runtime.placement->n_layers, b.model->info.n_layers);
        assert_int_equal(second->runtime.placement->experts, first->runtime.placement->experts);
        assert_int_equal(second->runtime.placement->n_bytes, n_bytes);
        g_clear_pointer(&second, engine_session_free);
        g_clear_pointer(&first, engine_session_free);
        forward_close(&b);
    }
    assert_int_equal(host_compute_n_live(), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_model_gives_the_reference_logits_wherever_its_parts_are),
        cmocka_unit_test(chunks_batches_and_prefixes_change_nothing),
        cmocka_unit_test(encoders_embed_and_judge_alike),
        cmocka_unit_test(memory_that_runs_out_anywhere_leaves_the_model_to_the_cpu),
        cmocka_unit_test(a_second_session_finds_the_weights_placed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
