/* The llama decoder: recorded float32 logits of tiny models (reference/tiny_llama.py), and what must hold of any
 * model: chunks, threads, truncation and decoding change nothing. */
#include "llama_check.h"

#include "engine/kernels.h"

#include <glib/gstdio.h>
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const char *const CASES[] = {"llama_tied", "llama_scaled", "llama_gguf"};

static char *
case_path(const char *name, const char *file)
{
    return g_build_filename(LODE_TEST_DATA, "engine", name, file, NULL);
}

static int32_t *
load_ints(const json_t *list, size_t *n)
{
    *n = json_array_size(list);
    int32_t *out = g_new(int32_t, *n);
    for (size_t i = 0; i < *n; i++)
        out[i] = (int32_t)json_integer_value(json_array_get(list, i));
    return out;
}

static void
check_reference(const char *name, engine_pool *pool)
{
    g_autofree char *model_path = case_path(name, NULL),
                    *json_path = case_path(name, "reference.json");
    g_autofree char *logits_path = case_path(name, "logits.f32"), *raw = NULL;
    g_autoptr(engine_model) model = open_model(model_path);
    const size_t n_vocab = engine_model_get_info(model)->n_vocab;
    json_t *reference = json_load_file(json_path, 0, NULL);
    size_t n, n_positions;
    gsize raw_len;

    assert_non_null(reference);
    g_autofree int32_t *ids = load_ints(json_object_get(reference, "ids"), &n);
    g_autofree int32_t *positions =
        load_ints(json_object_get(reference, "positions"), &n_positions);
    json_decref(reference);
    assert_true(g_file_get_contents(logits_path, &raw, &raw_len, NULL));
    assert_int_equal(raw_len, n_positions * n_vocab * sizeof(float));
    const float *expected = (const float *)(const void *)raw;
    g_autoptr(engine_session) session = new_session(model, pool, (uint32_t)n);
    g_autofree float *logits = eval_in_steps(session, ids, n, n);
    float largest = 0.0f, error = 0.0f;
    for (size_t p = 0; p < n_positions; p++) {
        for (size_t i = 0; i < n_vocab; i++) {
            largest = fmaxf(largest, fabsf(expected[p * n_vocab + i]));
            error = fmaxf(error, fabsf(expected[p * n_vocab + i] -
                                       logits[(size_t)positions[p] * n_vocab + i]));
        }
    }
    print_message("%s, %s: relative error %.2g\n", name, engine_cpu_name(engine_cpu_best()),
                  (double)(error / largest));
    assert_true(error <= 2e-5f * largest);
}

static void
tiny_models_give_the_recorded_logits_at_every_cpu_level(void **state)
{
    (void)state;
    g_autoptr(engine_pool) pool = engine_pool_new(2);
    for (int cpu = ENGINE_CPU_SCALAR; cpu <= ENGINE_CPU_AVX512; cpu++) {
        g_setenv("LODE_CPU", engine_cpu_name((engine_cpu)cpu), TRUE);
        if (engine_cpu_best() == (engine_cpu)cpu)
            for (size_t i = 0; i < G_N_ELEMENTS(CASES); i++)
                check_reference(CASES[i], pool);
        g_unsetenv("LODE_CPU");
    }
}

static void
fill_tokens(int32_t *tokens, size_t n, uint32_t n_vocab)
{
    for (size_t i = 0; i < n; i++)
        tokens[i] = (int32_t)((i * i * 31 + i * 5 + 2) % n_vocab);
}

/* Past 256 the cache has two blocks, past 256 tokens a prompt two chunks. */
enum { N_TOKENS = 290 };

static void
chunks_and_threads_change_no_bit(void **state)
{
    (void)state;
    static const size_t steps[] = {N_TOKENS, 1, 2, 3, 7, 64, 255, 256, 257};

    for (size_t c = 0; c < G_N_ELEMENTS(CASES); c++) {
        g_autofree char *path = case_path(CASES[c], NULL), *first = NULL;
        g_autoptr(engine_model) model = open_model(path);
        const size_t n_vocab = engine_model_get_info(model)->n_vocab,
                     n_bytes = N_TOKENS * n_vocab * sizeof(float);
        int32_t tokens[N_TOKENS];
        fill_tokens(tokens, N_TOKENS, (uint32_t)n_vocab);
        for (size_t s = 0; s < G_N_ELEMENTS(steps); s++) {
            g_autoptr(engine_pool) pool = engine_pool_new(1 + (int)s % 3);
            /* another cache size moves everything in memory */
            g_autoptr(engine_session) session = new_session(model, pool, N_TOKENS + (uint32_t)s);
            g_autofree char *logits = (char *)eval_in_steps(session, tokens, N_TOKENS, steps[s]);
            if (!first)
                first = g_steal_pointer(&logits);
            else if (memcmp(first, logits, n_bytes) != 0)
                fail_msg("%s: step %zu differs", CASES[c], steps[s]);
        }
    }
}

static void
truncating_and_replaying_changes_no_bit(void **state)
{
    (void)state;
    g_autofree char *path = case_path("llama_gguf", NULL);
    g_autoptr(engine_model) model = open_model(path);
    g_autoptr(engine_pool) pool = engine_pool_new(2);
    const uint32_t n_vocab = engine_model_get_info(model)->n_vocab;
    g_autoptr(engine_session) session = new_session(model, pool, N_TOKENS);
    int32_t tokens[N_TOKENS], other[40];

    fill_tokens(tokens, N_TOKENS, n_vocab);
    fill_tokens(other, 40, 17);
    g_autofree float *first = eval_in_steps(session, tokens, N_TOKENS, N_TOKENS);
    assert_int_equal(engine_session_n_past(session), N_TOKENS);
    static const uint32_t cuts[] = {250, 20, 0};
    for (size_t i = 0; i < G_N_ELEMENTS(cuts); i++) {
        engine_session_truncate(session, cuts[i]);
        g_autofree float *noise = eval_in_steps(session, other, 40, 40);
        assert_non_null(noise);
        engine_session_truncate(session, cuts[i]);
        engine_session_truncate(session, N_TOKENS); /* never lengthens */
        assert_int_equal(engine_session_n_past(session), cuts[i]);
        g_autofree float *again =
            eval_in_steps(session, tokens + cuts[i], N_TOKENS - cuts[i], N_TOKENS);
        assert_memory_equal(again, first + cuts[i] * n_vocab,
                            (N_TOKENS - cuts[i]) * n_vocab * sizeof(float));
    }
}

static void
last_logits_are_the_last_of_all_logits(void **state)
{
    (void)state;
    g_autofree char *path = case_path("llama_tied", NULL);
    g_autoptr(engine_model) model = open_model(path);
    g_autoptr(engine_pool) pool = engine_pool_new(1);
    const size_t n_vocab = engine_model_get_info(model)->n_vocab;
    g_autoptr(engine_session) session = new_session(model, pool, 0);
    int32_t tokens[9];
    g_autofree float *last = g_new(float, n_vocab), *both = g_new(float, n_vocab),
                     *all = g_new(float, 9 * n_vocab);

    fill_tokens(tokens, 9, (uint32_t)n_vocab);
    assert_true(engine_session_eval(session, tokens, 9, last, NULL, NULL));
    engine_session_truncate(session, 0);
    assert_true(engine_session_eval(session, tokens, 9, both, all, NULL));
    assert_memory_equal(last, all + 8 * n_vocab, n_vocab * sizeof(float));
    assert_memory_equal(last, both, n_vocab * sizeof(float));
}

static void
what_does_not_fit_is_an_error_and_changes_nothing(void **state)
{
    (void)state;
    g_autofree char *path = case_path("llama_tied", NULL);
    g_autoptr(engine_model) model = open_model(path);
    g_autoptr(engine_pool) pool = engine_pool_new(1);
    g_autoptr(engine_session) session = new_session(model, pool, 8);
    const int32_t tokens[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    const int32_t bad[][1] = {{-1}, {272}, {G_MAXINT32}};
    g_autoptr(GError) error = NULL;

    assert_true(engine_session_eval(session, tokens, 3, NULL, NULL, NULL));
    assert_false(engine_session_eval(session, tokens, 6, NULL, NULL, &error));
    assert_int_equal(error->code, ENGINE_ERROR_LIMIT);
    g_clear_error(&error);
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        assert_false(engine_session_eval(session, bad[i], 1, NULL, NULL, &error));
        assert_int_equal(error->code, ENGINE_ERROR_ARGUMENT);
        g_clear_error(&error);
    }
    assert_false(engine_session_eval(session, tokens, 0, NULL, NULL, &error));
    g_clear_error(&error);
    assert_int_equal(engine_session_n_past(session), 3);
    assert_true(engine_session_eval(session, tokens, 5, NULL, NULL, NULL));
#ifndef LODE_SANITIZED /* a sanitizer's allocator aborts where malloc says no */
    assert_null(engine_session_new(model, pool, G_MAXUINT32, &error)); /* a cache of terabytes */
    assert_int_equal(error->code, ENGINE_ERROR_LIMIT);
#endif
}

static void
info_tells_what_the_file_says(void **state)
{
    (void)state;
    g_autofree char *path = case_path("llama_gguf", "model.gguf");
    g_autoptr(engine_model) model = open_model(path);
    const engine_model_info *info = engine_model_get_info(model);

    assert_string_equal(info->name, "tiny random llama");
    assert_string_equal(info->format, "gguf");
    assert_string_equal(info->architecture, "llama");
    assert_string_equal(info->weight_type, "F16"); /* the output matrix is the largest */
    assert_int_equal(info->kind, ENGINE_KIND_DECODER);
    assert_int_equal(info->n_layers, 2);
    assert_int_equal(info->n_embd, 64);
    assert_int_equal(info->n_heads, 4);
    assert_int_equal(info->n_kv_heads, 2);
    assert_int_equal(info->head_dim, 16);
    assert_int_equal(info->n_vocab, 272);
    assert_int_equal(info->n_context, 512);
    assert_int_equal(info->bos, 256);
    assert_int_equal(info->eos, 257);
    g_autofree char *folder = case_path("llama_tied", NULL);
    g_autoptr(engine_model) other = open_model(folder);
    assert_string_equal(engine_model_get_info(other)->name, "llama_tied");
    assert_string_equal(engine_model_get_info(other)->format, "safetensors");
    assert_int_equal(engine_model_get_info(other)->bos, -1);
}

/* A copy of llama_tied whose config.json has `key` set to `value` is refused with a message about `what`. */
static void
assert_config_refused(const char *dir, const char *key, json_t *value, const char *what)
{
    g_autofree char *from = case_path("llama_tied", "config.json"),
                    *to = g_build_filename(dir, "config.json", NULL);
    json_t *config = json_load_file(from, 0, NULL);
    g_autoptr(GError) error = NULL;

    if (value)
        json_object_set_new(config, key, value);
    else
        json_object_del(config, key);
    assert_int_equal(json_dump_file(config, to, 0), 0);
    json_decref(config);
    g_autoptr(engine_model) model = engine_model_open(dir, &error);
    if (model) fail_msg("%s: accepted", key);
    if (!strstr(error->message, what)) fail_msg("expected \"%s\" in: %s", what, error->message);
    assert_int_equal(g_remove(to), 0);
}

static void
impossible_configurations_are_refused(void **state)
{
    (void)state;
    g_autofree char *dir = g_dir_make_tmp("lode-llama-XXXXXX", NULL),
                    *from = case_path("llama_tied", "model.safetensors");
    g_autofree char *to = g_build_filename(dir, "model.safetensors", NULL), *weights = NULL;
    gsize len;

    assert_true(g_file_get_contents(from, &weights, &len, NULL));
    assert_true(g_file_set_contents(to, weights, (gssize)len, NULL));
    assert_config_refused(dir, "model_type", json_string("gpt_neox"), "gpt_neox is not supported");
    assert_config_refused(dir, "model_type", NULL, "not supported");
    assert_config_refused(dir, "hidden_size", NULL, "hidden_size is missing");
    assert_config_refused(dir, "hidden_size", json_integer(-4), "hidden_size");
    assert_config_refused(dir, "hidden_size", json_integer(64),
                          "model.embed_tokens.weight is 36 x 272");
    assert_config_refused(dir, "num_hidden_layers", json_integer(3),
                          "model.layers.2.input_layernorm.weight is missing");
    assert_config_refused(dir, "num_hidden_layers", json_integer(1),
                          "is no part of the llama models");
    assert_config_refused(dir, "num_hidden_layers", json_integer(0), "num_hidden_layers");
    assert_config_refused(dir, "num_hidden_layers", json_integer(1ll << 40), "num_hidden_layers");
    assert_config_refused(dir, "num_key_value_heads", json_integer(3), "multiple");
    assert_config_refused(dir, "num_key_value_heads", json_integer(0), "num_key_value_heads");
    assert_config_refused(dir, "num_attention_heads", json_integer(0), "num_attention_heads");
    assert_config_refused(dir, "head_dim", json_integer(9), "odd number");
    assert_config_refused(dir, "intermediate_size", json_integer(45), "mlp.gate_proj.weight");
    assert_config_refused(dir, "rms_norm_eps", json_string("small"), "epsilon");
    assert_config_refused(dir, "rope_theta", json_real(0.0), "rope base");
    assert_config_refused(dir, "hidden_act", json_string("gelu"), "hidden_act");
    assert_config_refused(dir, "rope_scaling",
                          json_pack("{s:s,s:f}", "rope_type", "longrope", "factor", 2.0),
                          "longrope is not supported");
    assert_config_refused(dir, "rope_scaling",
                          json_pack("{s:s,s:f}", "rope_type", "yarn", "factor", 0.5),
                          "yarn rope scaling");
    assert_config_refused(dir, "rope_scaling", json_pack("{s:s}", "rope_type", "llama3"),
                          "llama3 rope scaling");
    assert_config_refused(dir, "num_local_experts", json_integer(8), "num_experts_per_tok");
    assert_int_equal(g_remove(to), 0);
    assert_int_equal(g_rmdir(dir), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tiny_models_give_the_recorded_logits_at_every_cpu_level),
        cmocka_unit_test(chunks_and_threads_change_no_bit),
        cmocka_unit_test(truncating_and_replaying_changes_no_bit),
        cmocka_unit_test(last_logits_are_the_last_of_all_logits),
        cmocka_unit_test(what_does_not_fit_is_an_error_and_changes_nothing),
        cmocka_unit_test(info_tells_what_the_file_says),
        cmocka_unit_test(impossible_configurations_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
