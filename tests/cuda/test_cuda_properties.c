/* What must hold of passes on the emulated card: cut, joined, paged, saved, repeated, or short of memory. */
#include "emulated_card.h"

#include "engine/model.h"
#include "engine/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const char *const NAMES[] = {"llama_untied", "qwen3_next"};

static void
chunks_change_little_and_neighbours_nothing_to_speak_of(void **state)
{
    (void)state;
    const device_kind k = emulated_kind(13);

    for (size_t i = 0; i < G_N_ELEMENTS(NAMES); i++) {
        forward_check_chunks(&k, NAMES[i], DEVICE_WHOLE);
        forward_check_batch(&k, NAMES[i], DEVICE_WHOLE);
    }
    forward_check_kv_types(&k, "llama_untied");
    forward_check_kv_types(&k, "qwen3"); /* heads wide enough to be packed */
    forward_check_kv_types(&k, "qwen3_5");
    forward_check_drafts(&k, "llama_untied");
}

/* Beyond a chunk of the delta rule, a tile of keys and values, and eight rows, where kernels change. */
static void
long_prompts_are_the_cpus(void **state)
{
    (void)state;
    const device_kind k = emulated_kind(0);

    forward_check_long(&k, "qwen3_next", 150);
    forward_check_long(&k, "qwen3_5", 129);
    forward_check_long(&k, "llama_untied", 100);
}

static void
prefixes_come_back_from_memory_and_from_files(void **state)
{
    (void)state;
    const device_kind k = emulated_kind(38); /* shorter ones are not looked up */

    forward_check_prefixes(&k, "llama_untied", DEVICE_WHOLE);
}

static void
a_decoding_step_is_kept_as_a_graph(void **state)
{
    (void)state;
    const device_kind k = emulated_kind(12);
    forward_bench b = forward_open(&k, "llama_untied", TINY_F32, DEVICE_WHOLE);
    g_autoptr(GError) error = NULL;
    g_autoptr(engine_session) session =
        engine_session_new(b.model, b.pool, (uint32_t)b.c->n_ids, &error);
    g_autofree float *logits = g_new(float, b.c->n_vocab);

    assert_non_null(session);
    engine_backend *device = session->runtime.placement->device;
    for (size_t i = 0; i < 5; i++) {
        assert_true(engine_session_eval(session, b.c->ids + i, 1, logits, NULL, &error));
        assert_int_equal(engine_device_backend_n_graphs(device), i > 0);
    }
    g_clear_pointer(&session, engine_session_free);
    forward_close(&b);
}

static void
a_card_too_small_is_an_error_with_numbers_or_left_to_the_cpu(void **state)
{
    (void)state;
    const device_kind k = emulated_kind(4);

    for (size_t n_kib = 64; n_kib <= 64 * 1024; n_kib *= 4) {
        forward_bench b = forward_open(&k, "qwen3_moe", TINY_F32, DEVICE_WHOLE);
        for (int demanded = 0; demanded < 2; demanded++) {
            g_autoptr(GError) error = NULL;
            g_autofree float *logits = g_new(float, b.c->n_vocab);
            g_clear_pointer(&b.model->device, engine_device_unref);
            emulated_card_reset(n_kib << 10);
            assert_true(engine_model_use_device(b.model, k.compute, 0, 0, demanded, -1, &error));
            g_autoptr(engine_session) session = engine_session_new(b.model, b.pool, 32, &error);
            if (!session) {
                assert_true(demanded && error->code == ENGINE_ERROR_LIMIT);
                assert_non_null(strstr(error->message, "iB"));
                continue;
            }
            assert_true(engine_session_eval(session, b.c->ids, 4, logits, NULL, &error));
            const gboolean there = session->runtime.placement != NULL;
            assert_true(there || !demanded);
            assert_non_null(
                strstr(engine_session_get_placement(session), there ? "on the GPU" : "on the CPU"));
        }
        forward_close(&b);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_change_little_and_neighbours_nothing_to_speak_of),
        cmocka_unit_test(long_prompts_are_the_cpus),
        cmocka_unit_test(prefixes_come_back_from_memory_and_from_files),
        cmocka_unit_test(a_decoding_step_is_kept_as_a_graph),
        cmocka_unit_test(a_card_too_small_is_an_error_with_numbers_or_left_to_the_cpu),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
