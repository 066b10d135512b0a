/* safetensors -> GGUF: the converted model gives the original's logits, vectors and tokens. */
#include "llama_check.h"
#include "tiny_case.h"
#include "weight_builder.h"

#include <glib/gstdio.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const double TOLERANCE = 1e-4;

/* Architectures that GGUF cannot say. */
static gboolean
is_refused(const char *name)
{
    return g_str_has_prefix(name, "interns2_mobius") || g_str_has_prefix(name, "qwen3_next");
}

static engine_model *
convert_and_open(const char *in, const char *out, const char *type, GError **error)
{
    const engine_write_options options = {.type = type};
    g_autoptr(engine_pool) pool = engine_pool_new(2);

    if (!engine_model_convert(in, out, &options, pool, error)) return NULL;
    return engine_model_open(out, error);
}

static void
check_case(const char *name)
{
    g_autoptr(tiny_case) c = tiny_case_load(name);
    char *folder = tiny_case_write(c, TINY_F32);
    g_autofree char *out = g_strconcat(name, ".gguf", NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(engine_model) model = convert_and_open(folder, out, "f32", &error);

    tiny_case_remove(folder);
    if (is_refused(name)) {
        assert_null(model);
        assert_int_equal(error->code, ENGINE_ERROR_UNSUPPORTED);
        assert_false(g_file_test(out, G_FILE_TEST_EXISTS));
        return;
    }
    if (!model) fail_msg("%s: %s", name, error->message);
    assert_string_equal(engine_model_get_info(model)->format, "gguf");
    g_autoptr(engine_pool) pool = engine_pool_new(2);
    g_autoptr(engine_session) session = new_session(model, pool, (uint32_t)c->n_ids);
    g_autofree float *logits = eval_in_steps(session, c->ids, c->n_ids, c->n_ids);
    const double off = tiny_case_error(c, logits);
    if (!(off <= TOLERANCE)) fail_msg("%s: off by %.2e of the largest logit", name, off);
    assert_int_equal(g_remove(out), 0);
}

static void
every_converted_decoder_gives_the_reference_logits(void **state)
{
    (void)state;
    g_auto(GStrv) names = tiny_case_names();
    const char *only = g_getenv("LODE_TINY_CASE"); /* one case, by hand */

    for (char **name = names; *name; name++)
        if (!only || strcmp(only, *name) == 0) check_case(*name);
}

/* The same ids for texts with blanks, numbers, marks and special tokens. */
static void
assert_same_tokens(const engine_model *a, const engine_model *b)
{
    static const char *const texts[] = {"The quick brown fox jumped over 12,345 lazy dogs.",
                                        "  two blanks\n\n\tand a tab ",
                                        "na\xC3\xAFve caf\xC3\xA9 \xE4\xB8\xAD",
                                        "<|im_start|>user\nhi<|im_end|>", "it's we'll [SEP] a##b"};
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        for (int flags = 0; flags < 4; flags++) {
            g_autoptr(GArray) x = g_array_new(FALSE, FALSE, sizeof(int32_t));
            g_autoptr(GArray) y = g_array_new(FALSE, FALSE, sizeof(int32_t));
            engine_tokenize(a, texts[i], strlen(texts[i]), (engine_tokenize_flags)flags, x);
            engine_tokenize(b, texts[i], strlen(texts[i]), (engine_tokenize_flags)flags, y);
            assert_int_equal(x->len, y->len);
            assert_memory_equal(x->data, y->data, x->len * sizeof(int32_t));
        }
    }
}

static void
a_converted_encoder_gives_the_same_vectors_and_tokens(void **state)
{
    (void)state;
    const char *texts[] = {"the cat sat", "paper"};
    const char *folder = LODE_TEST_DATA "/engine/tiny_bert";
    g_autoptr(GError) error = NULL;
    g_autoptr(engine_model) a = engine_model_open(folder, &error);
    g_autoptr(engine_model) b = convert_and_open(folder, "bert.gguf", "f32", &error);
    g_autoptr(engine_pool) pool = engine_pool_new(1);

    if (!a || !b) fail_msg("%s", error->message);
    const size_t n = 2 * (size_t)engine_model_get_info(a)->n_embd;
    g_autofree float *x = g_new(float, n), *y = g_new(float, n);
    assert_true(engine_embed(a, pool, texts, 2, x, NULL, &error));
    assert_true(engine_embed(b, pool, texts, 2, y, NULL, &error));
    for (size_t i = 0; i < n; i++)
        assert_true(fabsf(x[i] - y[i]) <= 1e-5f);
    assert_same_tokens(a, b);
    assert_int_equal(g_remove("bert.gguf"), 0);
}

/* A folder with a llama of zeros, 1,000 tokens wide, and this tokenizer file. Free with remove_zeros. */
static char *
make_zeros(const char *tokenizer, const char *as)
{
    static const struct {
        const char *name;
        int rows, cols;
    } tensors[] = {{"model.embed_tokens", 1000, 32},
                   {"model.norm", 0, 32},
                   {"model.layers.0.input_layernorm", 0, 32},
                   {"model.layers.0.post_attention_layernorm", 0, 32},
                   {"model.layers.0.self_attn.q_proj", 32, 32},
                   {"model.layers.0.self_attn.k_proj", 16, 32},
                   {"model.layers.0.self_attn.v_proj", 16, 32},
                   {"model.layers.0.self_attn.o_proj", 32, 32},
                   {"model.layers.0.mlp.gate_proj", 64, 32},
                   {"model.layers.0.mlp.up_proj", 64, 32},
                   {"model.layers.0.mlp.down_proj", 32, 64}};
    static const char config[] = "{\"model_type\":\"llama\",\"hidden_size\":32,\"num_hidden_"
                                 "layers\":1,\"num_attention_heads\":"
                                 "2,\"num_key_value_heads\":1,\"intermediate_size\":64,\"vocab_"
                                 "size\":1000,\"rms_norm_eps\":1e-5,"
                                 "\"max_position_embeddings\":64,\"tie_word_embeddings\":true}";
    static const char chat[] = "{\"chat_template\":\"{{ messages[0]['content'] }}\"}";
    char *dir = g_dir_make_tmp("lode-zeros-XXXXXX", NULL);
    g_autoptr(GString) header = g_string_new("{");
    g_autofree char *model = g_build_filename(dir, "model.safetensors", NULL);
    g_autofree char *config_path = g_build_filename(dir, "config.json", NULL);
    g_autofree char *chat_path = g_build_filename(dir, "tokenizer_config.json", NULL);
    g_autofree char *from = g_build_filename(LODE_TEST_DATA, "engine", tokenizer, NULL);
    g_autofree char *to = g_build_filename(dir, as, NULL);
    g_autofree char *content = NULL;
    gsize len;
    int at = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(tensors); i++) {
        const int n = MAX(tensors[i].rows, 1) * tensors[i].cols * 2;
        g_autofree char *shape = tensors[i].rows > 0
                                     ? g_strdup_printf("%d,%d", tensors[i].rows, tensors[i].cols)
                                     : g_strdup_printf("%d", tensors[i].cols);
        g_string_append_printf(
            header, "%s\"%s.weight\":{\"dtype\":\"F16\",\"shape\":[%s],\"data_offsets\":[%d,%d]}",
            i > 0 ? "," : "", tensors[i].name, shape, at, at + n);
        at += n;
    }
    g_string_append_c(header, '}');
    g_autoptr(GByteArray) file = safetensors_file(header->str, (guint)at);
    memset(file->data + file->len - at, 0, (size_t)at);
    assert_true(g_file_set_contents(model, (const char *)file->data, file->len, NULL));
    assert_true(g_file_set_contents(config_path, config, -1, NULL));
    assert_true(g_file_set_contents(chat_path, chat, -1, NULL));
    assert_true(g_file_get_contents(from, &content, &len, NULL));
    assert_true(g_file_set_contents(to, content, (gssize)len, NULL));
    return dir;
}

static void
remove_zeros(char *dir, const char *tokenizer)
{
    const char *const files[] = {"model.safetensors", "config.json", "tokenizer_config.json",
                                 tokenizer};
    for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *path = g_build_filename(dir, files[i], NULL);
        assert_int_equal(g_remove(path), 0);
    }
    assert_int_equal(g_rmdir(dir), 0);
    g_free(dir);
}

static void
a_converted_vocabulary_gives_the_same_tokens(void **state)
{
    (void)state;
    static const struct {
        const char *file, *as;
    } vocabularies[] = {{"tiny_bpe/tokenizer.json", "tokenizer.json"},
                        {"tiny_spm/bpe.model", "tokenizer.model"},
                        {"tiny_spm/llama_tokenizer.json", "tokenizer.json"}};

    for (size_t i = 0; i < G_N_ELEMENTS(vocabularies); i++) {
        g_autoptr(GError) error = NULL;
        char *dir = make_zeros(vocabularies[i].file, vocabularies[i].as);
        g_autoptr(engine_model) a = engine_model_open(dir, &error);
        if (!a) fail_msg("%s: %s", vocabularies[i].file, error->message);
        g_autoptr(engine_model) b = convert_and_open(dir, "vocab.gguf", "q8_0", &error);
        if (!b) fail_msg("%s: %s", vocabularies[i].file, error->message);
        const engine_model_info *x = engine_model_get_info(a), *y = engine_model_get_info(b);
        /* what the original does not name, GGUF finds by its usual text */
        assert_true(x->bos < 0 || x->bos == y->bos);
        assert_true(x->eos < 0 || x->eos == y->eos);
        assert_true(x->pad < 0 || x->pad == y->pad);
        assert_true(x->has_chat_template && y->has_chat_template);
        g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(int32_t));
        engine_tokenize(a, "tokens", 6, ENGINE_TOKENIZE_PLAIN, ids);
        assert_true(ids->len > 0); /* there is something to compare */
        assert_same_tokens(a, b);
        assert_int_equal(g_remove("vocab.gguf"), 0);
        remove_zeros(dir, vocabularies[i].as);
    }
    g_autoptr(GError) error = NULL;
    char *dir = make_zeros("tiny_spm/unigram.model", "tokenizer.model");
    assert_null(convert_and_open(dir, "vocab.gguf", "q8_0", &error));
    assert_non_null(strstr(error->message, "Unigram"));
    remove_zeros(dir, "tokenizer.model");
}

static void
what_is_no_model_to_convert_is_refused(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;

    assert_null(convert_and_open(LODE_TEST_DATA "/engine/llama_gguf", "x.gguf", "f16", &error));
    assert_non_null(strstr(error->message, "GGUF already"));
    g_clear_error(&error);
    assert_null(convert_and_open(LODE_TEST_DATA "/engine/llama_tied", "x.gguf", "q9", &error));
    assert_int_equal(error->code, ENGINE_ERROR_ARGUMENT);
    assert_false(g_file_test("x.gguf", G_FILE_TEST_EXISTS));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_converted_decoder_gives_the_reference_logits),
        cmocka_unit_test(a_converted_encoder_gives_the_same_vectors_and_tokens),
        cmocka_unit_test(a_converted_vocabulary_gives_the_same_tokens),
        cmocka_unit_test(what_is_no_model_to_convert_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
