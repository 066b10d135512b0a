/* SentencePiece against the ids its own library and tokenizers give, from every format that carries it. */
#include "engine/tokenizer_impl.h"
#include "tokenizer_check.h"
#include "tokenizer_lines.h"
#include "weight_builder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <glib/gstdio.h>

#define DATA(name) LODE_TEST_DATA "/engine/" name

static char *
load(const char *name, gsize *len)
{
    g_autofree char *path = g_strdup_printf(DATA("tiny_spm/%s"), name);
    char *data = NULL;
    assert_true(g_file_get_contents(path, &data, len, NULL));
    return data;
}

static engine_tokenizer *
from_model(const char *name, const json_t *tokenizer_config)
{
    g_autofree char *file = g_strconcat(name, ".model", NULL);
    gsize len = 0;
    g_autofree char *data = load(file, &len);
    g_autoptr(GError) error = NULL;
    engine_tokenizer *t = engine_tokenizer_parse_model(data, len, tokenizer_config, NULL, &error);
    if (!t) fail_msg("%s: %s", name, error->message);
    return t;
}

static void
array_start(GByteArray *out, const char *key, uint32_t type, size_t n)
{
    put_string(out, key);
    put_u32(out, 9);
    put_u32(out, type);
    put_u64(out, n);
}

/* The pieces of NAME.json as a GGUF file has them. */
static engine_tokenizer *
from_gguf(const char *name, const char *model, const char *architecture)
{
    g_autofree char *file = g_strconcat(name, ".json", NULL);
    gsize len = 0;
    g_autofree char *text = load(file, &len);
    json_t *pieces = json_loadb(text, len, JSON_ALLOW_NUL, NULL), *piece;
    size_t i;
    assert_true(json_is_array(pieces));
    g_autoptr(GByteArray) out = gguf_start(3, 0, 5);
    gguf_meta_string(out, "general.architecture", architecture);
    gguf_meta_string(out, "tokenizer.ggml.model", model);
    array_start(out, "tokenizer.ggml.tokens", 8, json_array_size(pieces));
    json_array_foreach(pieces, i, piece)
        put_string(out, json_string_value(json_array_get(piece, 0)));
    array_start(out, "tokenizer.ggml.scores", 6, json_array_size(pieces));
    json_array_foreach(pieces, i, piece)
    {
        const float score = (float)json_number_value(json_array_get(piece, 1));
        uint32_t bits;
        memcpy(&bits, &score, 4);
        put_u32(out, bits);
    }
    array_start(out, "tokenizer.ggml.token_type", 5, json_array_size(pieces));
    json_array_foreach(pieces, i, piece)
        put_u32(out, (uint32_t)json_integer_value(json_array_get(piece, 2)));
    gguf_data(out, 32, 0);
    json_decref(pieces);
    g_autoptr(GError) error = NULL;
    g_autoptr(engine_weights) weights =
        engine_weights_parse_gguf(out->data, out->len, "tiny", &error);
    if (!weights) fail_msg("%s", error->message);
    engine_tokenizer *t = engine_tokenizer_new_from_gguf(weights, &error);
    if (!t) fail_msg("%s: %s", name, error->message);
    return t;
}

static json_t *
llama_json(void)
{
    json_t *root = json_load_file(DATA("tiny_spm/llama_tokenizer.json"), JSON_ALLOW_NUL, NULL);
    assert_non_null(root);
    return root;
}

/* Takes root. */
static engine_tokenizer *
from_json(json_t *root)
{
    char *text = json_dumps(root, 0);
    json_decref(root);
    g_autoptr(GError) error = NULL;
    engine_tokenizer *t = engine_tokenizer_parse_json(text, strlen(text), NULL, NULL, &error);
    free(text);
    if (!t) fail_msg("%s", error->message);
    return t;
}

static json_t *
metaspace(const char *scheme, gboolean split)
{
    return json_pack("{sssssssb}", "type", "Metaspace", "replacement", "\xE2\x96\x81",
                     "prepend_scheme", scheme, "split", split);
}

static void
every_kind_of_model_agrees(void **state)
{
    (void)state;
    static const char *const names[] = {"bpe", "bpe_rules", "bpe_blanks", "unigram", "unigram_unk"};
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *stream = g_strconcat("spm_", names[i], NULL);
        g_autoptr(engine_tokenizer) t = from_model(names[i], NULL);
        tokenizer_check_stream(t, stream, ENGINE_TOKENIZE_PLAIN);
    }
}

static void
gguf_agrees(void **state)
{
    (void)state;
    g_autoptr(engine_tokenizer) bpe = from_gguf("bpe", "llama", "llama");
    tokenizer_check_stream(bpe, "spm_bpe", ENGINE_TOKENIZE_PLAIN);
    assert_int_equal(engine_tokenizer_bos(bpe), 1);
    assert_int_equal(engine_tokenizer_eos(bpe), 2);
    g_autoptr(engine_tokenizer) unigram = from_gguf("unigram_unk", "t5", "t5");
    tokenizer_check_stream(unigram, "spm_unigram_unk", ENGINE_TOKENIZE_PLAIN);
}

static void
json_of_the_llama_kind_agrees(void **state)
{
    (void)state;
    g_autoptr(engine_tokenizer) prepend = from_json(llama_json());
    tokenizer_check_stream(prepend, "spm_hf", ENGINE_TOKENIZE_PLAIN);
    static const struct {
        const char *scheme;
        gboolean split;
    } cases[] = {{"first", FALSE}, {"always", TRUE}, {"never", TRUE}};
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        json_t *root = llama_json();
        json_object_set_new(root, "normalizer", json_null());
        json_object_set_new(root, "pre_tokenizer", metaspace(cases[i].scheme, cases[i].split));
        g_autoptr(engine_tokenizer) t = from_json(root);
        g_autofree char *stream = g_strconcat("spm_hf_", cases[i].scheme, NULL);
        tokenizer_check_stream(t, stream, ENGINE_TOKENIZE_PLAIN);
    }
}

static void
unigram_json_agrees(void **state)
{
    (void)state;
    gsize len = 0;
    g_autofree char *text = load("unigram_unk.json", &len);
    json_t *pieces = json_loadb(text, len, 0, NULL), *piece;
    size_t i;
    json_array_foreach(pieces, i, piece) json_array_remove(piece, 2);
    json_t *model = json_pack("{sssosi}", "type", "Unigram", "vocab", pieces, "unk_id", 0);
    json_t *root = json_pack("{soso}", "model", model, "pre_tokenizer", metaspace("always", TRUE));
    g_autoptr(engine_tokenizer) t = from_json(root);
    tokenizer_check_stream(t, "spm_hf_unigram", ENGINE_TOKENIZE_PLAIN);
}

static GArray *
encode(const engine_tokenizer *t, const char *text, engine_tokenize_flags flags)
{
    GArray *ids = g_array_new(FALSE, FALSE, sizeof(int32_t));
    engine_tokenizer_encode(t, text, strlen(text), flags, ids);
    return ids;
}

static const int32_t *
ids_of(const GArray *ids)
{
    return (const int32_t *)(const void *)ids->data;
}

/* Byte fallback: nothing is lost but that a literal U+2581 becomes the blank it stands for. */
static void
text_comes_back_from_its_tokens(void **state)
{
    (void)state;
    g_autoptr(engine_tokenizer) t = from_model("bpe", NULL);
    g_autoptr(tokenizer_lines) lines = tokenizer_lines_load(DATA("tokenizer_words.txt"));
    g_autoptr(GString) line = g_string_new(NULL), back = g_string_new(NULL);
    for (uint32_t n = 0; n < 2000; n++) {
        tokenizer_lines_make(lines, n, line);
        g_autofree char *owned = NULL;
        size_t len = 0;
        const char *good = unicode_repair(line->str, line->len, &owned, &len);
        g_autoptr(GString) expected = g_string_new(NULL);
        tokenizer_spm_unescape(good, len, expected);
        g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(int32_t));
        engine_tokenizer_encode(t, line->str, line->len, ENGINE_TOKENIZE_ADD_SPECIAL, ids);
        g_string_truncate(back, 0);
        engine_tokenizer_decode(t, ids_of(ids), ids->len, FALSE, back);
        assert_int_equal(back->len, expected->len);
        assert_memory_equal(back->str, expected->str, back->len);
    }
}

/* What generation does: the bytes a token adds are those of it and the one before, less those of that one
 * alone. Their sum is the whole text, and the blank before the text is the only one that is dropped. */
static void
streamed_pieces_join_to_the_text(void **state)
{
    (void)state;
    g_autoptr(engine_tokenizer) t = from_model("bpe", NULL);
    const char *text = "The r\xC3\xA9sum\xC3\xA9 of \xF0\x9F\x98\x80 is  here";
    g_autoptr(GArray) ids = encode(t, text, ENGINE_TOKENIZE_PLAIN);
    g_autoptr(GString) all = g_string_new(NULL);
    for (guint i = 0; i < ids->len; i++) {
        g_autoptr(GString) before = g_string_new(NULL), both = g_string_new(NULL);
        if (i > 0) engine_tokenizer_decode(t, ids_of(ids) + i - 1, 1, FALSE, before);
        engine_tokenizer_decode(t, ids_of(ids) + (i > 0 ? i - 1 : 0), i > 0 ? 2 : 1, FALSE, both);
        g_string_append_len(all, both->str + before->len, (gssize)(both->len - before->len));
    }
    assert_string_equal(all->str, text);
}

/* InternLM's files: chat tokens of tokenizer_config.json in the place of unused pieces. */
static void
added_tokens_take_the_place_of_pieces(void **state)
{
    (void)state;
    json_t *config = json_pack("{s{s{sssb}s{sssb}}sbss}", "added_tokens_decoder", "900", "content",
                               "<|im_start|>", "special", 1, "901", "content", "<|im_end|>",
                               "special", 1, "add_bos_token", 0, "eos_token", "<|im_end|>");
    g_autoptr(engine_tokenizer) t = from_model("bpe", config);
    json_decref(config);
    g_autoptr(GArray) ids = encode(t, "<|im_start|>a<|im_end|>",
                                   ENGINE_TOKENIZE_PARSE_SPECIAL | ENGINE_TOKENIZE_ADD_SPECIAL);
    g_autoptr(GArray) word = encode(t, "a", ENGINE_TOKENIZE_PLAIN);
    assert_int_equal(word->len, 1);
    assert_int_equal(ids->len, 3); /* no bos; the blank goes before what follows a special token */
    assert_int_equal(g_array_index(ids, int32_t, 0), 900);
    assert_int_equal(g_array_index(ids, int32_t, 1), g_array_index(word, int32_t, 0));
    assert_int_equal(engine_tokenizer_eos(t), 901);
    assert_true(engine_tokenizer_ends_text(t, 901));
}

/* A folder as Intern-S1's: a BPE, and two SentencePiece models behind it. */
static void
science_models_cut_what_stands_between_their_tags(void **state)
{
    (void)state;
    static const char *const tags[] = {"<SMILES>", "</SMILES>", "<SELFIES>", "</SELFIES>"};
    g_autofree char *dir = g_dir_make_tmp("lode-science-XXXXXX", NULL);
    assert_non_null(dir);
    json_t *root = json_load_file(DATA("tiny_bpe/tokenizer.json"), JSON_ALLOW_NUL, NULL);
    const json_int_t n_base =
        (json_int_t)json_object_size(json_object_get(json_object_get(root, "model"), "vocab"));
    for (size_t i = 0; i < G_N_ELEMENTS(tags); i++)
        json_array_append_new(json_object_get(root, "added_tokens"),
                              json_pack("{sIsssb}", "id", n_base + 1000 + (json_int_t)i, "content",
                                        tags[i], "special", 0));
    g_autofree char *json = g_build_filename(dir, "tokenizer.json", NULL);
    g_autofree char *smiles = g_build_filename(dir, "tokenizer_SMILES.model", NULL);
    g_autofree char *fasta = g_build_filename(dir, "tokenizer_FASTA.model", NULL);
    assert_int_equal(json_dump_file(root, json, 0), 0);
    json_decref(root);
    gsize n = 0, m = 0;
    g_autofree char *bpe = load("bpe.model", &n), *unigram = load("unigram_unk.model", &m);
    assert_true(g_file_set_contents(smiles, bpe, (gssize)n, NULL));
    assert_true(g_file_set_contents(fasta, unigram, (gssize)m, NULL));
    g_autoptr(GError) error = NULL;
    g_autoptr(engine_tokenizer) t = engine_tokenizer_new_from_hf(dir, NULL, &error);
    if (!t) fail_msg("%s", error->message);
    g_autoptr(engine_tokenizer) alone = from_model("bpe", NULL);
    assert_int_equal(engine_tokenizer_n_vocab(alone), 1000);
    assert_int_equal(engine_tokenizer_n_vocab(t), n_base + 1000 + 4 + 700);

    g_autoptr(GArray) inner = encode(alone, "CC(=O)O", ENGINE_TOKENIZE_PLAIN);
    g_autoptr(GArray) outer = encode(t, "a", ENGINE_TOKENIZE_PLAIN);
    const char *text = "a<SMILES>CC(=O)O</SMILES>a<SELFIES>CC(=O)O</SELFIES>";
    g_autoptr(GArray) ids = encode(t, text, ENGINE_TOKENIZE_PARSE_SPECIAL);
    assert_int_equal(ids->len, 2 * (outer->len + 2 + inner->len));
    assert_int_equal(g_array_index(ids, int32_t, 1), n_base + 1000);
    for (guint i = 0; i < inner->len; i++)
        assert_int_equal(g_array_index(ids, int32_t, 2 + i),
                         n_base + g_array_index(inner, int32_t, i));
    g_autoptr(GString) back = g_string_new(NULL);
    engine_tokenizer_decode(t, ids_of(ids), ids->len, TRUE, back);
    assert_string_equal(back->str, text);
    g_remove(json), g_remove(smiles), g_remove(fasta), g_rmdir(dir);
}

static void
check_stretches(const json_t *record, size_t kind,
                gboolean (*detect)(const char *, size_t, size_t *, size_t *))
{
    const char *text = json_string_value(json_array_get(record, 0));
    const json_t *expected = json_array_get(record, kind);
    size_t n = 0, start = 0, end = 0;

    for (; detect(text, strlen(text), &start, &end); start = end, n++) {
        const json_t *stretch = json_array_get(expected, n);
        if (!stretch || start != (size_t)json_integer_value(json_array_get(stretch, 0)) ||
            end != (size_t)json_integer_value(json_array_get(stretch, 1)))
            fail_msg("%s: found %.*s", text, (int)(end - start), text + start);
    }
    if (n != json_array_size(expected)) fail_msg("%s: %zu stretches", text, n);
}

static void
molecules_and_proteins_are_where_the_reference_sees_them(void **state)
{
    (void)state;
    json_t *records = json_load_file(DATA("science_stretches.json"), 0, NULL);
    size_t i;
    json_t *record;

    assert_true(json_array_size(records) > 500);
    json_array_foreach(records, i, record)
    {
        check_stretches(record, 1, tokenizer_detect_molecule);
        check_stretches(record, 2, tokenizer_detect_protein);
    }
    json_decref(records);
}

/* Appends the ids that a model's pieces have behind the base vocabulary. */
static void
expect(GArray *out, const engine_tokenizer *pieces, const char *text, int32_t offset)
{
    g_autoptr(GArray) ids = encode(pieces, text, ENGINE_TOKENIZE_PLAIN);

    for (guint i = 0; i < ids->len; i++) {
        const int32_t id = g_array_index(ids, int32_t, i) + offset;
        g_array_append_val(out, id);
    }
}

static void
science_models_cut_what_is_found_without_tags(void **state)
{
    (void)state;
    g_autofree char *dir = g_dir_make_tmp("lode-science-XXXXXX", NULL);
    static const char *const names[] = {"tokenizer.json", "tokenizer_SMILES.model",
                                        "tokenizer_FASTA.model"};
    static const char *const sources[] = {"../tiny_bpe/tokenizer.json", "bpe.model",
                                          "unigram_unk.model"};
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = g_build_filename(dir, names[i], NULL);
        gsize n = 0;
        g_autofree char *data = load(sources[i], &n);
        assert_true(g_file_set_contents(path, data, (gssize)n, NULL));
    }
    g_autoptr(GError) error = NULL;
    g_autoptr(engine_tokenizer) t = engine_tokenizer_new_from_hf(dir, NULL, &error);
    if (!t) fail_msg("%s", error->message);
    gsize n_json = 0;
    g_autofree char *json = load("../tiny_bpe/tokenizer.json", &n_json);
    g_autoptr(engine_tokenizer) base =
        engine_tokenizer_parse_json(json, n_json, NULL, NULL, &error);
    if (!base) fail_msg("%s", error->message);
    g_autoptr(engine_tokenizer) smiles = from_model("bpe", NULL);
    g_autoptr(engine_tokenizer) fasta = from_model("unigram_unk", NULL);
    const int32_t at_smiles = (int32_t)engine_tokenizer_n_vocab(base),
                  at_fasta = at_smiles + (int32_t)engine_tokenizer_n_vocab(smiles);
    const char *chain = "CCCCCCCCCCCCCCCCCCCCCCCCCCCCCC", *ring = "CC1=CC=CC=C1C=O",
               *protein = "MKTAYIAKQRQISFVKSHFSRQLEERLGL";
    g_autofree char *text = g_strdup_printf("a %s, %s; %s(O)=O <MOLFORMULA>%s</MOLFORMULA>", ring,
                                            protein, chain, ring);
    g_autoptr(GArray) expected = g_array_new(FALSE, FALSE, sizeof(int32_t));
    expect(expected, base, "a ", 0);
    expect(expected, smiles, ring, at_smiles);
    expect(expected, base, ", ", 0);
    expect(expected, fasta, protein, at_fasta);
    expect(expected, base, "; ", 0);
    expect(expected, fasta, chain, at_fasta); /* within a molecule */
    expect(expected, smiles, "(O)=O", at_smiles);
    expect(expected, base, " ", 0);
    expect(expected, base, "<MOLFORMULA>", 0);
    expect(expected, base, ring, 0);
    expect(expected, base, "</MOLFORMULA>", 0);
    g_autoptr(GArray) ids = encode(t, text, ENGINE_TOKENIZE_PARSE_SPECIAL);
    assert_int_equal(ids->len, expected->len);
    assert_memory_equal(ids->data, expected->data, ids->len * sizeof(int32_t));
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = g_build_filename(dir, names[i], NULL);
        g_remove(path);
    }
    g_rmdir(dir);
}

static void
hostile_texts_take_linear_time(void **state)
{
    (void)state;
    static const char *const units[] = {
        "a", " ", "ab", "\xE2\x96\x81", "\xE4\xB8\xAD", "H2", "\xF0\x9F\x98\x80"};
    static const char *const names[] = {"bpe", "bpe_rules", "bpe_blanks", "unigram"};
    const gint64 start = g_get_monotonic_time();
    for (size_t k = 0; k < G_N_ELEMENTS(names); k++) {
        g_autoptr(engine_tokenizer) t = from_model(names[k], NULL);
        for (size_t i = 0; i < G_N_ELEMENTS(units); i++) {
            g_autoptr(GString) text = g_string_new(NULL);
            while (text->len < 300000)
                g_string_append(text, units[i]);
            g_autoptr(GArray) ids = encode(t, text->str, ENGINE_TOKENIZE_PARSE_SPECIAL);
            assert_true(ids->len > 0 || g_ascii_isspace(units[i][0]) || units[i][0] == '\xE2');
        }
    }
    /* quadratic time would be minutes; a sanitizer build on a busy machine is seconds */
    assert_true(g_get_monotonic_time() - start < 60 * G_USEC_PER_SEC);
}

/* Cut anywhere, a model is an error or a smaller model, never a crash. */
static void
damaged_models_are_errors(void **state)
{
    (void)state;
    gsize len = 0;
    g_autofree char *data = load("bpe_rules.model", &len);
    guint n_errors = 0;
    for (gsize n = 0; n < len; n += 37) {
        g_autofree char *cut = g_memdup2(data, MAX(n, 1));
        g_autoptr(GError) error = NULL;
        g_autoptr(engine_tokenizer) t = engine_tokenizer_parse_model(cut, n, NULL, NULL, &error);
        assert_true((t == NULL) == (error != NULL));
        n_errors += error != NULL;
    }
    assert_true(n_errors > 200);
    static const char word_model[] = "\x0A\x05\x0A\x01"
                                     "a\x18\x01\x12\x02\x18\x03";
    g_autoptr(GError) error = NULL;
    assert_null(
        engine_tokenizer_parse_model(word_model, sizeof word_model - 1, NULL, NULL, &error));
    assert_true(g_error_matches(error, ENGINE_ERROR, ENGINE_ERROR_UNSUPPORTED));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_model_agrees),
        cmocka_unit_test(gguf_agrees),
        cmocka_unit_test(json_of_the_llama_kind_agrees),
        cmocka_unit_test(unigram_json_agrees),
        cmocka_unit_test(text_comes_back_from_its_tokens),
        cmocka_unit_test(streamed_pieces_join_to_the_text),
        cmocka_unit_test(added_tokens_take_the_place_of_pieces),
        cmocka_unit_test(science_models_cut_what_stands_between_their_tags),
        cmocka_unit_test(molecules_and_proteins_are_where_the_reference_sees_them),
        cmocka_unit_test(science_models_cut_what_is_found_without_tags),
        cmocka_unit_test(hostile_texts_take_linear_time),
        cmocka_unit_test(damaged_models_are_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
