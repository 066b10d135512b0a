/* SmolLM2-135M-Instruct (Q4_1) against float32 (reference/smollm2_logits.py). The model is looked for in
 * $LODE_MODELS; without it the tests are skipped. */
#include "llama_check.h"

#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

typedef struct {
    engine_model *model; /* NULL: skip; exact products */
    engine_model *fast;  /* int8 products */
    engine_pool *pool;
    json_t *reference;
} fixture;

static int
set_up(void **state)
{
    static fixture f;
    const char *dir = g_getenv("LODE_MODELS");
    g_autofree char *path =
        g_build_filename(dir ? dir : "", "SmolLM2-135M-Instruct.Q4_1.gguf", NULL);

    f.pool = engine_pool_new(0);
    f.reference = json_load_file(LODE_TEST_DATA "/engine/smollm2_logits.json", 0, NULL);
    if (!f.reference) return -1;
    if (dir && g_file_test(path, G_FILE_TEST_EXISTS)) {
        f.model = open_model(path);
        f.fast = engine_model_open(path, NULL);
        if (!f.fast) return -1;
    } else
        print_message("no SmolLM2-135M-Instruct.Q4_1.gguf in $LODE_MODELS: skipped\n");
    *state = &f;
    return 0;
}

static int
tear_down(void **state)
{
    fixture *f = *state;
    engine_model_free(f->model);
    engine_model_free(f->fast);
    engine_pool_free(f->pool);
    json_decref(f->reference);
    return 0;
}

static GArray *
load_ids(const json_t *list)
{
    GArray *ids = g_array_new(FALSE, FALSE, sizeof(int32_t));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const int32_t id = (int32_t)json_integer_value(json_array_get(list, i));
        g_array_append_val(ids, id);
    }
    return ids;
}

static void
logits_are_within_a_hundredth_of_float32(void **state)
{
    fixture *f = *state;
    const json_t *prompts = json_object_get(f->reference, "prompts");
    json_t *prompt, *pair;
    size_t p, i;

    if (!f->model) skip();
    g_autofree float *logits = g_new(float, engine_model_get_info(f->model)->n_vocab);
    json_array_foreach(prompts, p, prompt)
    {
        g_autoptr(GArray) ids = load_ids(json_object_get(prompt, "ids"));
        g_autoptr(engine_session) session = new_session(f->model, f->pool, 256);
        assert_true(engine_session_eval(session, (int32_t *)(void *)ids->data, ids->len, logits,
                                        NULL, NULL));
        double error = 0.0;
        json_array_foreach(json_object_get(prompt, "logits"), i, pair)
        {
            const double want = json_number_value(json_array_get(pair, 1));
            error = fmax(error,
                         fabs((double)logits[json_integer_value(json_array_get(pair, 0))] - want));
        }
        error /= json_real_value(json_object_get(prompt, "max_abs"));
        print_message("prompt %zu: relative error %.2g\n", p, error);
        assert_true(i == 500);
        /* the promise is 1e-2; exact weights and float32 sums give 1e-6, and a slip would show at 1e-4 */
        assert_true(error <= 1e-4);
    }
}

static void
greedy_text_is_that_of_float32_from_text_to_text(void **state)
{
    fixture *f = *state;
    const json_t *prompts = json_object_get(f->reference, "prompts");
    json_t *prompt;
    size_t p;

    if (!f->model) skip();
    json_array_foreach(prompts, p, prompt)
    {
        const char *source = json_string_value(json_object_get(prompt, "text"));
        g_autoptr(GArray) want_ids = load_ids(json_object_get(prompt, "ids"));
        g_autoptr(GArray) want = load_ids(json_object_get(prompt, "greedy"));
        g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(int32_t));
        g_autoptr(engine_session) session = new_session(f->model, f->pool, 256);
        g_autoptr(GString) text = g_string_new(NULL);
        engine_generate_options options = engine_generate_options_default();
        engine_generate_result result;

        engine_tokenize(f->model, source, strlen(source), ENGINE_TOKENIZE_PARSE_SPECIAL, ids);
        assert_int_equal(ids->len, want_ids->len);
        assert_memory_equal(ids->data, want_ids->data, ids->len * sizeof(int32_t));
        options.max_tokens = 64;
        assert_true(engine_generate(session, (int32_t *)(void *)ids->data, ids->len, &options, NULL,
                                    NULL, text, &result, NULL));
        assert_string_equal(text->str, json_string_value(json_object_get(prompt, "greedy_text")));
        const gboolean ended = g_array_index(want, int32_t, want->len - 1) == 2;
        assert_int_equal(result.n_generated, want->len - (ended ? 1 : 0));
        assert_int_equal(result.reason, ended ? ENGINE_STOP_EOS : ENGINE_STOP_LENGTH);
    }
}

static void
threads_and_chunks_change_no_bit_of_the_real_model_either(void **state)
{
    fixture *f = *state;
    enum { N = 70 };
    int32_t tokens[N];
    g_autofree float *first = NULL;

    if (!f->model) skip();
    const size_t n_vocab = engine_model_get_info(f->model)->n_vocab;
    for (int i = 0; i < N; i++)
        tokens[i] = 100 + i * 613 % 40000;
    for (int threads = 1; threads <= 3; threads++) {
        g_autoptr(engine_pool) pool = engine_pool_new(threads);
        g_autoptr(engine_session) session = new_session(f->model, pool, N);
        g_autofree float *logits = eval_in_steps(session, tokens, N,
                                                 threads == 1   ? N
                                                 : threads == 2 ? 1
                                                                : 32);
        if (!first)
            first = g_steal_pointer(&logits);
        else
            assert_memory_equal(first, logits, N * n_vocab * sizeof(float));
    }
}

/* KL(want || got) of one position's logits; *same says whether both have the same likeliest token. */
static double
divergence(const float *want, const float *got, size_t n, gboolean *same)
{
    double sum_want = 0.0, sum_got = 0.0, kl = 0.0;
    size_t top_want = 0, top_got = 0;

    for (size_t i = 1; i < n; i++) {
        if (want[i] > want[top_want]) top_want = i;
        if (got[i] > got[top_got]) top_got = i;
    }
    for (size_t i = 0; i < n; i++) {
        sum_want += exp((double)want[i] - (double)want[top_want]);
        sum_got += exp((double)got[i] - (double)got[top_got]);
    }
    for (size_t i = 0; i < n; i++) {
        const double log_want = (double)want[i] - (double)want[top_want] - log(sum_want);
        const double log_got = (double)got[i] - (double)got[top_got] - log(sum_got);
        kl += exp(log_want) * (log_want - log_got);
    }
    *same = top_want == top_got;
    return kl;
}

/* Rounding activations to int8 moves the probabilities a little, as in every engine that does so: measured,
 * KL 0.0035 and 96.3 % the same likeliest token. It is much for a model this small, whose activations have
 * outliers that set the scale of their block. */
static void
int8_products_hardly_move_the_probabilities(void **state)
{
    fixture *f = *state;
    const json_t *prompts = json_object_get(f->reference, "prompts");
    json_t *prompt;
    size_t p, n_positions = 0, n_same = 0;
    double kl = 0.0;

    if (!f->model) skip();
    const size_t n_vocab = engine_model_get_info(f->model)->n_vocab;
    json_array_foreach(prompts, p, prompt)
    {
        const char *source = json_string_value(json_object_get(prompt, "text")),
                   *greedy = json_string_value(json_object_get(prompt, "greedy_text"));
        g_autofree char *text = g_strconcat(source, greedy, NULL);
        g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(int32_t));
        engine_tokenize(f->model, text, strlen(text), ENGINE_TOKENIZE_PARSE_SPECIAL, ids);
        const int32_t *tokens = (const int32_t *)(const void *)ids->data;
        g_autoptr(engine_session) exact = new_session(f->model, f->pool, 512),
                                  fast = new_session(f->fast, f->pool, 512);
        g_autofree float *want = eval_in_steps(exact, tokens, ids->len, ids->len);
        g_autofree float *got = eval_in_steps(fast, tokens, ids->len, ids->len);
        for (size_t t = 0; t < ids->len; t++) {
            gboolean same;
            kl += divergence(want + t * n_vocab, got + t * n_vocab, n_vocab, &same);
            n_same += same ? 1 : 0;
            n_positions++;
        }
    }
    kl /= (double)n_positions;
    print_message("%zu positions: KL %.2g, same top %.1f %%\n", n_positions, kl,
                  100.0 * (double)n_same / (double)n_positions);
    assert_true(kl > 0.0 && kl <= 5e-3);
    assert_true(n_same * 100 >= n_positions * 94);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logits_are_within_a_hundredth_of_float32),
        cmocka_unit_test(greedy_text_is_that_of_float32_from_text_to_text),
        cmocka_unit_test(threads_and_chunks_change_no_bit_of_the_real_model_either),
        cmocka_unit_test(int8_products_hardly_move_the_probabilities),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
