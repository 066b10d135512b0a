/* The BERT encoder and engine_embed on a small random model, against PyTorch. */
#include "bert_check.h"
#include "engine/bert.h"
#include "engine/model.h"

#include <glib/gstdio.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define TINY LODE_TEST_DATA "/engine/tiny_bert"

static engine_model *
open_model(const char *path)
{
    g_autoptr(GError) error = NULL;
    engine_model *model = engine_model_open(path, &error);
    if (!model) fail_msg("%s", error->message);
    return model;
}

/* A copy of the tiny model in the current folder, with one file replaced (text NULL: left out). */
static void
copy_tiny(const char *dir, const char *changed, const char *text)
{
    static const char *const files[] = {"config.json",           "vocab.txt",
                                        "model.safetensors",     "modules.json",
                                        "1_Pooling/config.json", "sentence_bert_config.json"};
    g_autofree char *pooling = g_build_filename(dir, "1_Pooling", NULL);
    assert_int_equal(g_mkdir_with_parents(pooling, 0755), 0);
    for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *from = g_build_filename(TINY, files[i], NULL);
        g_autofree char *to = g_build_filename(dir, files[i], NULL);
        g_autofree char *data = NULL;
        gsize n = 0;
        g_remove(to);
        if (strcmp(files[i], changed) == 0) {
            if (text) assert_true(g_file_set_contents(to, text, -1, NULL));
            continue;
        }
        assert_true(g_file_get_contents(from, &data, &n, NULL));
        assert_true(g_file_set_contents(to, data, (gssize)n, NULL));
    }
}

static void
facts_come_from_the_files(void **state)
{
    (void)state;
    g_autoptr(engine_model) model = open_model(TINY);
    const engine_model_info *info = engine_model_get_info(model);
    assert_int_equal(info->kind, ENGINE_KIND_ENCODER);
    assert_string_equal(info->architecture, "bert");
    assert_int_equal(info->n_embd, 32);
    assert_int_equal(info->n_layers, 2);
    assert_int_equal(info->n_heads, 4);
    assert_int_equal(info->head_dim, 8);
    assert_int_equal(info->n_ff, 56);
    assert_int_equal(info->n_context,
                     48); /* sentence_bert_config.json, less than the 64 positions */
    assert_int_equal(info->pooling, ENGINE_POOLING_MEAN);
    assert_true(info->normalize);
    assert_int_equal(info->bos, 2);
    assert_int_equal(info->eos, 3);
}

static void
vectors_agree_with_pytorch_at_every_cpu_level(void **state)
{
    (void)state;
    g_autoptr(engine_model) model = open_model(TINY);
    g_autoptr(engine_pool) pool = engine_pool_new(2);
    for (int cpu = ENGINE_CPU_SCALAR; cpu <= (int)engine_cpu_best(); cpu++) {
        model->kernels = engine_kernels_lookup((engine_cpu)cpu);
        if (model->kernels) bert_check_vectors(model, pool, "tiny_bert_mean.f32");
    }
}

static void
cls_pooling_without_normalisation_agrees(void **state)
{
    (void)state;
    copy_tiny("cls", "1_Pooling/config.json", "{\"pooling_mode_cls_token\": true}");
    assert_true(g_file_set_contents(
        "cls/modules.json",
        "[{\"path\":\"\",\"type\":\"sentence_transformers.models.Transformer\"},"
        "{\"path\":\"1_Pooling\",\"type\":\"sentence_transformers.models.Pooling\"}]",
        -1, NULL));
    g_autoptr(engine_model) model = open_model("cls");
    g_autoptr(engine_pool) pool = engine_pool_new(1);
    assert_int_equal(engine_model_get_info(model)->pooling, ENGINE_POOLING_CLS);
    bert_check_vectors(model, pool, "tiny_bert_cls.f32");
}

/* ---- cross-encoders ---------------------------------------------------------------------------- */

#define CROSS LODE_TEST_DATA "/engine/tiny_cross"

static void
pairs_are_judged_as_pytorch_does(void **state)
{
    (void)state;
    static const size_t queries[] = {0, 3, 5, 36, 39};
    size_t n = 0;
    g_auto(GStrv) texts = bert_texts(&n);
    g_autofree char *data = NULL;
    gsize n_bytes = 0;
    assert_true(
        g_file_get_contents(LODE_TEST_DATA "/engine/tiny_cross.f32", &data, &n_bytes, NULL));
    assert_int_equal(n_bytes, G_N_ELEMENTS(queries) * n * sizeof(float));
    const float *expected = (const float *)(const void *)data;
    g_autofree float *out = g_new0(float, n);
    g_autoptr(engine_model) model = bert_open_cross("cross", CROSS);
    assert_int_equal(engine_model_get_info(model)->n_labels, 1);
    g_autoptr(engine_pool) pool = engine_pool_new(2);
    for (int cpu = ENGINE_CPU_SCALAR; cpu <= (int)engine_cpu_best(); cpu++) {
        model->kernels = engine_kernels_lookup((engine_cpu)cpu);
        if (!model->kernels) continue;
        for (size_t q = 0; q < G_N_ELEMENTS(queries); q++) {
            g_autoptr(GError) error = NULL;
            assert_true(engine_cross_score(model, pool, texts[queries[q]],
                                           (const char *const *)texts, n, out, NULL, &error));
            for (size_t i = 0; i < n; i++) {
                const float should = expected[q * n + i];
                if (!(fabsf(out[i] - should) <= 1e-4f * (1 + fabsf(should))))
                    fail_msg("query %zu, text %zu: %g, not %g", q, i, (double)out[i],
                             (double)should);
            }
        }
    }
}

static void
a_pair_is_judged_alike_alone_and_among_others(void **state)
{
    (void)state;
    size_t n = 0;
    g_auto(GStrv) texts = bert_texts(&n);
    g_autofree float *together = g_new0(float, n);
    g_autoptr(engine_model) model = bert_open_cross("cross", CROSS);
    g_autoptr(engine_pool) one = engine_pool_new(1), three = engine_pool_new(3);
    g_autoptr(GError) error = NULL;
    assert_true(engine_cross_score(model, three, texts[3], (const char *const *)texts, n, together,
                                   NULL, &error));
    for (size_t i = 0; i < n; i++) {
        float alone = 0;
        assert_true(engine_cross_score(model, one, texts[3], (const char *const *)&texts[i], 1,
                                       &alone, NULL, &error));
        assert_memory_equal(&alone, &together[i], sizeof alone);
    }
}

static void
a_model_without_a_head_judges_nothing(void **state)
{
    (void)state;
    const char *const passages[] = {"a passage"};
    const int raised = 1;
    float out = 0;
    g_autoptr(engine_pool) pool = engine_pool_new(1);
    g_autoptr(engine_model) plain = open_model(TINY);
    g_autoptr(engine_model) model = bert_open_cross("cross", CROSS);
    g_autoptr(GError) error = NULL;
    assert_int_equal(engine_model_get_info(plain)->n_labels, 0);
    assert_false(engine_cross_score(plain, pool, "a", passages, 1, &out, NULL, &error));
    assert_true(g_error_matches(error, ENGINE_ERROR, ENGINE_ERROR_ARGUMENT));
    g_clear_error(&error);
    assert_false(engine_cross_score(model, pool, "a", passages, 1, &out, &raised, &error));
    assert_true(g_error_matches(error, ENGINE_ERROR, ENGINE_ERROR_CANCELLED));
}

/* ---- GGUF ------------------------------------------------------------------------------------- */

static void
put(GByteArray *out, const void *data, size_t n)
{
    g_byte_array_append(out, data, (guint)n);
}

static void
put_u32(GByteArray *out, uint32_t v)
{
    v = GUINT32_TO_LE(v);
    put(out, &v, 4);
}

static void
put_u64(GByteArray *out, uint64_t v)
{
    v = GUINT64_TO_LE(v);
    put(out, &v, 8);
}

static void
put_text(GByteArray *out, const char *s)
{
    put_u64(out, strlen(s));
    put(out, s, strlen(s));
}

static void
put_string_key(GByteArray *out, const char *key, const char *value)
{
    put_text(out, key);
    put_u32(out, 8);
    put_text(out, value);
}

static void
put_u32_key(GByteArray *out, const char *key, uint32_t value)
{
    put_text(out, key);
    put_u32(out, 4);
    put_u32(out, value);
}

/* vocab.txt as converters write it: U+2581 before what starts a word, "##" dropped. */
static void
put_vocabulary(GByteArray *out)
{
    g_autofree char *vocab = NULL;
    assert_true(g_file_get_contents(TINY "/vocab.txt", &vocab, NULL, NULL));
    g_auto(GStrv) lines = g_strsplit(g_strchomp(vocab), "\n", -1);
    put_text(out, "tokenizer.ggml.tokens");
    put_u32(out, 9);
    put_u32(out, 8);
    put_u64(out, g_strv_length(lines));
    for (size_t i = 0; lines[i]; i++) {
        g_autofree char *marked = g_strconcat("\xE2\x96\x81", lines[i], NULL);
        const gboolean bracketed = lines[i][0] == '[' && lines[i][1];
        put_text(out, g_str_has_prefix(lines[i], "##") ? lines[i] + 2
                      : bracketed                      ? lines[i]
                                                       : marked);
    }
}

/* The GGUF name of a tensor. */
static char *
gguf_name(const char *name)
{
    static const char *const parts[][2] = {{"embeddings.word_embeddings", "token_embd"},
                                           {"embeddings.position_embeddings", "position_embd"},
                                           {"embeddings.token_type_embeddings", "token_types"},
                                           {"embeddings.LayerNorm", "token_embd_norm"},
                                           {"encoder.layer", "blk"},
                                           {"attention.self.query", "attn_q"},
                                           {"attention.self.key", "attn_k"},
                                           {"attention.self.value", "attn_v"},
                                           {"attention.output.dense", "attn_output"},
                                           {"attention.output.LayerNorm", "attn_output_norm"},
                                           {"intermediate.dense", "ffn_up"},
                                           {"output.dense", "ffn_down"},
                                           {"output.LayerNorm", "layer_output_norm"}};
    GString *s = g_string_new(name);
    for (size_t i = 0; i < G_N_ELEMENTS(parts); i++)
        g_string_replace(s, parts[i][0], parts[i][1], 0);
    return g_string_free(s, FALSE);
}

static void
write_gguf(const engine_weights *weights, const char *path)
{
    g_autoptr(GByteArray) out = g_byte_array_new();
    const size_t n = engine_weights_n_tensors(weights);
    put(out, "GGUF", 4);
    put_u32(out, 3);
    put_u64(out, n);
    put_u64(out, 9);
    put_string_key(out, "general.architecture", "bert");
    put_u32_key(out, "bert.embedding_length", 32);
    put_u32_key(out, "bert.block_count", 2);
    put_u32_key(out, "bert.attention.head_count", 4);
    put_u32_key(out, "bert.feed_forward_length", 56);
    put_u32_key(out, "bert.context_length", 48);
    put_u32_key(out, "bert.pooling_type", 1);
    put_string_key(out, "tokenizer.ggml.model", "bert");
    put_vocabulary(out);
    uint64_t offset = 0;
    for (size_t i = 0; i < n; i++) {
        const engine_tensor *t = engine_weights_tensor_at(weights, i);
        g_autofree char *name = gguf_name(t->name);
        put_text(out, name);
        put_u32(out, t->n_dims);
        for (uint32_t k = 0; k < t->n_dims; k++)
            put_u64(out, t->dims[k]);
        put_u32(out, ENGINE_TYPE_F32);
        put_u64(out, offset);
        offset += (t->n_bytes + 31) / 32 * 32;
    }
    while (out->len % 32)
        put(out, "", 1);
    for (size_t i = 0; i < n; i++) {
        const engine_tensor *t = engine_weights_tensor_at(weights, i);
        put(out, t->data, t->n_bytes);
        while (out->len % 32)
            put(out, "", 1);
    }
    assert_true(g_file_set_contents(path, (const char *)out->data, (gssize)out->len, NULL));
}

static void
gguf_gives_the_same_bytes(void **state)
{
    (void)state;
    g_autoptr(engine_model) folder = open_model(TINY);
    write_gguf(folder->weights, "tiny.gguf");
    g_autoptr(engine_model) gguf = open_model("tiny.gguf");
    g_autoptr(engine_pool) pool = engine_pool_new(1);
    size_t n = 0;
    g_auto(GStrv) texts = bert_texts(&n);
    g_autofree float *a = g_new0(float, n * 32), *b = g_new0(float, n * 32);
    assert_true(engine_embed(folder, pool, (const char *const *)texts, n, a, NULL, NULL));
    assert_true(engine_embed(gguf, pool, (const char *const *)texts, n, b, NULL, NULL));
    assert_memory_equal(a, b, n * 32 * sizeof(float));
}

/* ---- properties ------------------------------------------------------------------------------- */

static void
a_row_depends_on_its_text_alone(void **state)
{
    (void)state;
    g_autoptr(engine_model) model = open_model(TINY);
    size_t n = 0;
    g_auto(GStrv) texts = bert_texts(&n);
    g_autofree float *all = g_new0(float, n * 32), *other = g_new0(float, n * 32);
    g_autoptr(engine_pool) one = engine_pool_new(1);
    assert_true(engine_embed(model, one, (const char *const *)texts, n, all, NULL, NULL));
    for (int threads = 1; threads <= 5; threads += 2) {
        g_autoptr(engine_pool) pool = engine_pool_new(threads);
        assert_true(engine_embed(model, pool, (const char *const *)texts, n, other, NULL, NULL));
        assert_memory_equal(all, other, n * 32 * sizeof(float));
        for (size_t i = 0; i < n; i++) {
            assert_true(
                engine_embed(model, pool, (const char *const *)&texts[i], 1, other, NULL, NULL));
            assert_memory_equal(all + i * 32, other, 32 * sizeof(float));
        }
    }
}

static void
cancelling_is_an_error_and_no_texts_are_none(void **state)
{
    (void)state;
    g_autoptr(engine_model) model = open_model(TINY);
    g_autoptr(engine_pool) pool = engine_pool_new(1);
    const char *text = "a";
    const int cancel = 1;
    float out[32];
    g_autoptr(GError) error = NULL;
    assert_false(engine_embed(model, pool, &text, 1, out, &cancel, &error));
    assert_true(g_error_matches(error, ENGINE_ERROR, ENGINE_ERROR_CANCELLED));
    assert_true(engine_embed(model, pool, NULL, 0, NULL, NULL, NULL));
}

static void
files_that_ask_for_something_else_are_errors(void **state)
{
    (void)state;
    static const struct {
        const char *file, *text;
        engine_error_code code;
    } cases[] = {
        {"config.json", "{\"model_type\":\"bert\"}", ENGINE_ERROR_FORMAT},
        {"config.json",
         "{\"model_type\":\"bert\",\"hidden_size\":32,\"num_hidden_layers\":2,"
         "\"num_attention_heads\":5,\"intermediate_size\":56,\"max_position_embeddings\":64}",
         ENGINE_ERROR_FORMAT},
        {"config.json",
         "{\"model_type\":\"bert\",\"hidden_size\":32,\"num_hidden_layers\":3,"
         "\"num_attention_heads\":4,\"intermediate_size\":56,\"max_position_embeddings\":64}",
         ENGINE_ERROR_FORMAT},
        {"config.json",
         "{\"model_type\":\"bert\",\"hidden_size\":4000000000,\"num_hidden_layers\":2,"
         "\"num_attention_heads\":4,\"intermediate_size\":56,\"max_position_embeddings\":64}",
         ENGINE_ERROR_FORMAT},
        {"config.json",
         "{\"model_type\":\"bert\",\"hidden_size\":32,\"num_hidden_layers\":2,\"hidden_act\":"
         "\"relu\",\"num_attention_heads\":4,\"intermediate_size\":56,"
         "\"max_position_embeddings\":64}",
         ENGINE_ERROR_UNSUPPORTED},
        {"modules.json", "[{\"path\":\"2_Dense\",\"type\":\"sentence_transformers.models.Dense\"}]",
         ENGINE_ERROR_UNSUPPORTED},
        {"modules.json", "[{\"path\":\"../x\",\"type\":\"sentence_transformers.models.Pooling\"}]",
         ENGINE_ERROR_UNSUPPORTED},
        {"1_Pooling/config.json", "{\"pooling_mode_max_tokens\":true}", ENGINE_ERROR_UNSUPPORTED},
        {"vocab.txt", "a\nb\n", ENGINE_ERROR_FORMAT},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        copy_tiny("changed", cases[i].file, cases[i].text);
        g_autoptr(GError) error = NULL;
        g_autoptr(engine_model) model = engine_model_open("changed", &error);
        if (model) fail_msg("case %zu was accepted", i);
        if (error->code != (int)cases[i].code) fail_msg("case %zu: %s", i, error->message);
    }
    copy_tiny("changed", "vocab.txt", NULL); /* no tokenizer: the model opens, but cannot embed */
    g_autoptr(engine_model) model = open_model("changed");
    g_autoptr(engine_pool) pool = engine_pool_new(1);
    g_autoptr(GError) error = NULL;
    const char *text = "a";
    float out[32];
    assert_false(engine_embed(model, pool, &text, 1, out, NULL, &error));
    assert_true(g_error_matches(error, ENGINE_ERROR, ENGINE_ERROR_ARGUMENT));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(facts_come_from_the_files),
        cmocka_unit_test(vectors_agree_with_pytorch_at_every_cpu_level),
        cmocka_unit_test(cls_pooling_without_normalisation_agrees),
        cmocka_unit_test(pairs_are_judged_as_pytorch_does),
        cmocka_unit_test(a_pair_is_judged_alike_alone_and_among_others),
        cmocka_unit_test(a_model_without_a_head_judges_nothing),
        cmocka_unit_test(gguf_gives_the_same_bytes),
        cmocka_unit_test(a_row_depends_on_its_text_alone),
        cmocka_unit_test(cancelling_is_an_error_and_no_texts_are_none),
        cmocka_unit_test(files_that_ask_for_something_else_are_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
