/* Tokenizers against the ids the reference gives, with vocabularies small enough to keep here. */
#include "engine/tokenizer_impl.h"
#include "tokenizer_check.h"
#include "tokenizer_lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define DATA(name) LODE_TEST_DATA "/engine/" name
#define BYTES_AFTER(first)                                                                         \
    "{\"type\":\"Sequence\",\"pretokenizers\":[" first                                             \
    ",{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}]}"
#define SPLIT(regex)                                                                               \
    BYTES_AFTER("{\"type\":\"Split\",\"behavior\":\"Isolated\",\"invert\":false,\"pattern\":"      \
                "{\"Regex\":\"" regex "\"}}")
#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)|"
#define BLANKS       "|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+"
#define WORDS        "[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|"
#define SYMBOLS      "| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*"

static const char gpt2_split[] =
    "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":true}";
static const char smollm_split[] =
    "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Digits\",\"individual_digits\":true},"
    "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":true}]}";
static const char qwen2_split[] = SPLIT(CONTRACTIONS WORDS "\\\\p{N}" SYMBOLS BLANKS);
static const char llama3_split[] = SPLIT(CONTRACTIONS WORDS "\\\\p{N}{1,3}" SYMBOLS BLANKS);
static const char qwen35_split[] =
    SPLIT(CONTRACTIONS "[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?[\\\\p{L}\\\\p{M}]+|\\\\p{N}"
                       "| ?[^\\\\s\\\\p{L}\\\\p{M}\\\\p{N}]+[\\\\r\\\\n]*" BLANKS);

static json_t *
load_json(const char *path)
{
    json_t *root = json_load_file(path, JSON_ALLOW_NUL, NULL);
    assert_non_null(root);
    return root;
}

static void
set_from_text(json_t *object, const char *key, const char *text)
{
    json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
    assert_non_null(value);
    assert_int_equal(json_object_set_new(object, key, value), 0);
}

/* Takes root. */
static engine_tokenizer *
tokenizer_of(json_t *root)
{
    char *text = json_dumps(root, 0);
    json_decref(root);
    g_autoptr(GError) error = NULL;
    engine_tokenizer *t = engine_tokenizer_parse_json(text, strlen(text), NULL, NULL, &error);
    free(text);
    if (error) print_message("%s\n", error->message);
    assert_non_null(t);
    return t;
}

static engine_tokenizer *
tiny_bpe(void)
{
    return tokenizer_of(load_json(DATA("tiny_bpe/tokenizer.json")));
}

/* ---- a GGUF file with the same vocabulary ----------------------------------------------------- */

static void
put_u32(GByteArray *out, uint32_t v)
{
    v = GUINT32_TO_LE(v);
    g_byte_array_append(out, (const guint8 *)&v, 4);
}

static void
put_u64(GByteArray *out, uint64_t v)
{
    v = GUINT64_TO_LE(v);
    g_byte_array_append(out, (const guint8 *)&v, 8);
}

static void
put_text(GByteArray *out, const char *s)
{
    put_u64(out, strlen(s));
    g_byte_array_append(out, (const guint8 *)s, (guint)strlen(s));
}

static void
put_string_key(GByteArray *out, const char *key, const char *value)
{
    put_text(out, key);
    put_u32(out, 8);
    put_text(out, value);
}

static void
put_array_key(GByteArray *out, const char *key, uint32_t type, size_t n)
{
    put_text(out, key);
    put_u32(out, 9);
    put_u32(out, type);
    put_u64(out, n);
}

/* tokens [n_tokens] and types, merges may be NULL. */
static engine_tokenizer *
gguf_tokenizer(const char *model, const char *pre, GPtrArray *tokens, const int32_t *types,
               GPtrArray *merges)
{
    g_autoptr(GByteArray) out = g_byte_array_new();
    g_byte_array_append(out, (const guint8 *)"GGUF", 4);
    put_u32(out, 3);
    put_u64(out, 0);
    put_u64(out, merges ? 7 : 6);
    put_string_key(out, "general.architecture", "llama");
    put_string_key(out, "tokenizer.ggml.model", model);
    put_string_key(out, "tokenizer.ggml.pre", pre);
    put_text(out, "tokenizer.ggml.add_bos_token");
    put_u32(out, 7);
    g_byte_array_append(out, (const guint8 *)"", 1); /* false */
    put_array_key(out, "tokenizer.ggml.tokens", 8, tokens->len);
    for (guint i = 0; i < tokens->len; i++)
        put_text(out, tokens->pdata[i]);
    put_array_key(out, "tokenizer.ggml.token_type", 5, tokens->len);
    for (guint i = 0; i < tokens->len; i++)
        put_u32(out, (uint32_t)types[i]);
    if (merges) {
        put_array_key(out, "tokenizer.ggml.merges", 8, merges->len);
        for (guint i = 0; i < merges->len; i++)
            put_text(out, merges->pdata[i]);
    }
    while (out->len % 32)
        g_byte_array_append(out, (const guint8 *)"", 1);
    g_autoptr(GError) error = NULL;
    g_autoptr(engine_weights) weights =
        engine_weights_parse_gguf(out->data, out->len, "tiny", &error);
    if (error) print_message("%s\n", error->message);
    assert_non_null(weights);
    engine_tokenizer *t = engine_tokenizer_new_from_gguf(weights, &error);
    if (error) print_message("%s\n", error->message);
    assert_non_null(t);
    return t;
}

/* The tokens of a tokenizer.json by id, and their types. */
static GPtrArray *
tokens_of(const json_t *root, int32_t *types, size_t max)
{
    GPtrArray *tokens = g_ptr_array_new_with_free_func(g_free);
    const char *key;
    json_t *id, *token;
    size_t i;
    json_t *vocab = json_object_get(json_object_get(root, "model"), "vocab");
    g_ptr_array_set_size(tokens, (gint)json_object_size(vocab));
    assert_true(tokens->len <= max);
    json_object_foreach(vocab, key, id)
    {
        assert_in_range(json_integer_value(id), 0, tokens->len - 1);
        tokens->pdata[json_integer_value(id)] = g_strdup(key);
        types[json_integer_value(id)] = TOKENIZER_TYPE_NORMAL;
    }
    json_array_foreach(json_object_get(root, "added_tokens"), i, token)
        types[json_integer_value(json_object_get(token, "id"))] = TOKENIZER_TYPE_CONTROL;
    return tokens;
}

/* The merges of a tokenizer.json as "left right". */
static GPtrArray *
merges_of(const json_t *root)
{
    GPtrArray *merges = g_ptr_array_new_with_free_func(g_free);
    size_t k;
    json_t *merge;

    json_array_foreach(json_object_get(json_object_get(root, "model"), "merges"), k, merge)
        g_ptr_array_add(merges, g_strconcat(json_string_value(json_array_get(merge, 0)), " ",
                                            json_string_value(json_array_get(merge, 1)), NULL));
    return merges;
}

/* ---- agreement -------------------------------------------------------------------------------- */

static void
lines_are_those_of_the_reference(void **state)
{
    (void)state;
    g_autoptr(tokenizer_lines) lines = tokenizer_lines_load(DATA("tokenizer_words.txt"));
    assert_non_null(lines);
    g_autoptr(GString) line = g_string_new(NULL);
    uint32_t hash = TOKENIZER_FNV_START;
    for (uint32_t n = 0; n < TOKENIZER_N_LINES; n++) {
        tokenizer_lines_make(lines, n, line);
        g_string_append_c(line, '\n');
        hash = tokenizer_lines_fnv(hash, line->str, line->len);
    }
    assert_int_equal(hash, 0x2dec3b9b);
}

static void
bpe_from_json_agrees_with_every_pre_tokenizer(void **state)
{
    (void)state;
    static const struct {
        const char *stream, *pre;
    } cases[] = {{"tiny_bpe_gpt2", gpt2_split},
                 {"tiny_bpe_smollm", smollm_split},
                 {"tiny_bpe_qwen2", qwen2_split},
                 {"tiny_bpe_qwen35", qwen35_split},
                 {"tiny_bpe_llama3", llama3_split}};
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        json_t *root = load_json(DATA("tiny_bpe/tokenizer.json"));
        set_from_text(root, "pre_tokenizer", cases[i].pre);
        g_autoptr(engine_tokenizer) t = tokenizer_of(root);
        tokenizer_check_stream(t, cases[i].stream, ENGINE_TOKENIZE_PARSE_SPECIAL);
    }
}

static void
bpe_from_gguf_agrees_with_every_pre_tokenizer(void **state)
{
    (void)state;
    static const struct {
        const char *stream, *pre;
    } cases[] = {{"tiny_bpe_gpt2", "gpt-2"},
                 {"tiny_bpe_smollm", "smollm"},
                 {"tiny_bpe_qwen2", "qwen2"},
                 {"tiny_bpe_qwen35", "qwen35"},
                 {"tiny_bpe_llama3", "llama-bpe"},
                 {"tiny_bpe_default", "default"},
                 {"tiny_bpe_deepseek_llm", "deepseek-llm"},
                 {"tiny_bpe_deepseek_coder", "deepseek-coder"},
                 {"tiny_bpe_falcon", "falcon"}};
    int32_t types[1024];
    json_t *root = load_json(DATA("tiny_bpe/tokenizer.json"));
    g_autoptr(GPtrArray) tokens = tokens_of(root, types, G_N_ELEMENTS(types));
    g_autoptr(GPtrArray) merges = merges_of(root);
    json_decref(root);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(engine_tokenizer) t = gguf_tokenizer("gpt2", cases[i].pre, tokens, types, merges);
        tokenizer_check_stream(t, cases[i].stream, ENGINE_TOKENIZE_PARSE_SPECIAL);
    }
}

static void
pre_tokenizers_made_of_steps_agree(void **state)
{
    (void)state;
    json_t *all = load_json(DATA("pre_tokenizers.json")), *pre;
    const char *stream;
    assert_int_equal(json_object_size(all), 4);
    json_object_foreach(all, stream, pre)
    {
        json_t *root = load_json(DATA("tiny_bpe/tokenizer.json"));
        json_object_set(root, "pre_tokenizer", pre);
        g_autoptr(engine_tokenizer) t = tokenizer_of(root);
        assert_non_null(t->bpe.pre);
        tokenizer_check_stream(t, stream, ENGINE_TOKENIZE_PARSE_SPECIAL);
    }
    json_decref(all);
}

/* tiny_bpe cut by one expression. Free with free. */
static char *
json_with_split(const char *regex, const char *behavior)
{
    json_t *root = load_json(DATA("tiny_bpe/tokenizer.json"));
    json_t *pre = json_pack("{sss[{sssssbs{ss}}{sssbsb}]}", "type", "Sequence", "pretokenizers",
                            "type", "Split", "behavior", behavior, "invert", 0, "pattern", "Regex",
                            regex, "type", "ByteLevel", "add_prefix_space", 0, "use_regex", 0);
    assert_non_null(pre);
    json_object_set_new(root, "pre_tokenizer", pre);
    char *text = json_dumps(root, 0);
    json_decref(root);
    return text;
}

/* What a converted file calls them. */
static void
steps_have_the_name_of_what_cuts_as_they_do(void **state)
{
    (void)state;
    static const char *const names[] = {"deepseek-llm", "deepseek-coder", "deepseek-v3", "falcon"};
    static const struct {
        const char *regex, *name;
    } spellings[] = {
        {"(?:(?i:'s|'t|'re|'ve|'m|'ll|'d))|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}]+|[\\p{N}]| "
         "?[^\\s\\p{N}\\p{L}]+[\\n\\r]*|\\s*[\\n\\r]+|\\s+(?!\\S)|\\s+",
         "qwen2"},
        {"(?:(?i:'s|'t|'re|'ve|'m|'ll|'d))|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}]+|[\\p{N}]{1,3}| "
         "?[^\\s\\p{N}\\p{L}]+[\\n\\r]*|\\s*[\\n\\r]+|\\s+(?!\\S)|\\s+",
         "llama-bpe"},
        {"\\S+", NULL}};
    json_t *all = load_json(DATA("pre_tokenizers.json")), *pre;
    const char *stream;

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autoptr(tokenizer_pre) steps = tokenizer_pre_from_name(names[i]);
        assert_string_equal(tokenizer_pre_find_name(steps), names[i]);
    }
    json_object_foreach(all, stream, pre)
    {
        json_t *root = load_json(DATA("tiny_bpe/tokenizer.json"));
        json_object_set(root, "pre_tokenizer", pre);
        g_autoptr(engine_tokenizer) t = tokenizer_of(root);
        const char *name = tokenizer_pre_find_name(t->bpe.pre);
        assert_true(g_strcmp0(name, strstr(stream, "deepseek") ? "deepseek-v3" : NULL) == 0);
    }
    json_decref(all);
    for (size_t i = 0; i < G_N_ELEMENTS(spellings); i++) {
        g_autoptr(tokenizer_pre) steps = tokenizer_pre_new();
        g_autoptr(GError) error = NULL;
        if (!tokenizer_pre_add_regex(steps, spellings[i].regex, TOKENIZER_ISOLATED, FALSE, &error))
            fail_msg("%s", error->message);
        const char *name = tokenizer_pre_find_name(steps);
        if (g_strcmp0(name, spellings[i].name) != 0)
            fail_msg("%s is called %s", spellings[i].regex, name ? name : "nothing");
    }
}

/* An expression may be one that takes time exponential in the text. */
static void
hostile_expressions_are_bounded(void **state)
{
    (void)state;
    static const char *const patterns[] = {"(a+)+$", "(a|a)*b", "(?:a?){40}a{40}",
                                           "\\s+$",  "(?=a)",   "a*"};
    g_autoptr(GString) text = g_string_new(NULL);
    for (size_t i = 0; i < 5000; i++)
        g_string_append(text, i % 50 == 49 ? " " : "aaaa");
    for (size_t i = 0; i < 50000; i++)
        g_string_append_c(text, ' ');
    g_string_append_c(text, 'x');
    for (size_t i = 0; i < G_N_ELEMENTS(patterns); i++) {
        char *json = json_with_split(patterns[i], "MergedWithNext");
        g_autoptr(GError) error = NULL;
        g_autoptr(engine_tokenizer) t =
            engine_tokenizer_parse_json(json, strlen(json), NULL, NULL, &error);
        free(json);
        assert_non_null(t);
        g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(int32_t));
        g_autoptr(GString) back = g_string_new(NULL);
        const gint64 start = g_get_monotonic_time();
        engine_tokenizer_encode(t, text->str, text->len, 0, ids);
        if (g_get_monotonic_time() - start > 10 * G_USEC_PER_SEC) fail_msg("%s", patterns[i]);
        engine_tokenizer_decode(t, (const int32_t *)(void *)ids->data, ids->len, FALSE, back);
        assert_int_equal(back->len, text->len);
        assert_memory_equal(back->str, text->str, text->len);
    }
}

static void
expressions_we_would_read_differently_are_errors(void **state)
{
    (void)state;
    static const char *const patterns[] = {"[a&&b]",
                                           "[a[b]]",
                                           "\\h+",
                                           "(?m)a",
                                           "(*ANY)a",
                                           "a{2}+",
                                           "[^\\S]",
                                           "(",
                                           "[a",
                                           "\\b",
                                           "[]a]",
                                           "\\Qa",
                                           "(?<n>a)\\k<n>",
                                           "(?R)",
                                           "\\C",
                                           "\\X",
                                           "\\",
                                           "\\p{L",
                                           "\\p{No Such Property}"};
    for (size_t i = 0; i < G_N_ELEMENTS(patterns); i++) {
        char *json = json_with_split(patterns[i], "Isolated");
        g_autoptr(GError) error = NULL;
        if (engine_tokenizer_parse_json(json, strlen(json), NULL, NULL, &error))
            fail_msg("accepted: %s", patterns[i]);
        free(json);
        assert_int_equal(error->code, ENGINE_ERROR_UNSUPPORTED);
    }
}

/* Merges in the order of the vocabulary are not entered anywhere, others are. */
static void
the_order_of_the_vocabulary_does_not_matter(void **state)
{
    (void)state;
    int32_t types[1024], turned_types[1024];
    json_t *root = load_json(DATA("tiny_bpe/tokenizer.json"));
    g_autoptr(GPtrArray) tokens = tokens_of(root, types, G_N_ELEMENTS(types));
    g_autoptr(GPtrArray) merges = merges_of(root), turned = g_ptr_array_new();
    const guint n = tokens->len;
    for (guint i = 0; i < n; i++) {
        g_ptr_array_add(turned, tokens->pdata[n - 1 - i]);
        turned_types[i] = types[n - 1 - i];
    }
    g_autoptr(engine_tokenizer) one = gguf_tokenizer("gpt2", "qwen2", tokens, types, merges);
    g_autoptr(engine_tokenizer) other =
        gguf_tokenizer("gpt2", "qwen2", turned, turned_types, merges);
    assert_non_null(one->bpe.cuts);
    assert_null(other->bpe.cuts);
    g_autoptr(tokenizer_lines) lines = tokenizer_lines_load(DATA("tokenizer_words.txt"));
    g_autoptr(GString) line = g_string_new(NULL);
    g_autoptr(GArray) a = g_array_new(FALSE, FALSE, sizeof(int32_t));
    g_autoptr(GArray) b = g_array_new(FALSE, FALSE, sizeof(int32_t));
    for (uint32_t i = 0; i < 400; i++) {
        tokenizer_lines_make(lines, i, line);
        engine_tokenizer_encode(one, line->str, line->len, 0, a);
        engine_tokenizer_encode(other, line->str, line->len, 0, b);
    }
    assert_int_equal(a->len, b->len);
    for (guint i = 0; i < a->len; i++)
        assert_int_equal(g_array_index(a, int32_t, i),
                         (int32_t)n - 1 - g_array_index(b, int32_t, i));
    g_autoptr(GArray) list = tokenizer_bpe_list_merges(one);
    g_autoptr(GArray) turned_list = tokenizer_bpe_list_merges(other);
    assert_int_equal(list->len, merges->len);
    assert_int_equal(turned_list->len, merges->len);
    for (guint i = 0; i < list->len; i++)
        assert_int_equal(g_array_index(list, tokenizer_merge, i).merged,
                         (int32_t)n - 1 - g_array_index(turned_list, tokenizer_merge, i).merged);
    json_decref(root);
}

static void
bpe_variants_agree(void **state)
{
    (void)state;
    json_t *root = load_json(DATA("tiny_bpe/tokenizer.json"));
    set_from_text(root, "pre_tokenizer", qwen2_split);
    set_from_text(root, "normalizer", "{\"type\":\"NFC\"}");
    g_autoptr(engine_tokenizer) nfc = tokenizer_of(root);
    tokenizer_check_stream(nfc, "tiny_bpe_qwen2_nfc", ENGINE_TOKENIZE_PARSE_SPECIAL);

    root = load_json(DATA("tiny_bpe/tokenizer.json"));
    json_t *added = json_object_get(root, "added_tokens");
    const size_t n = json_object_size(json_object_get(json_object_get(root, "model"), "vocab"));
    json_array_append_new(added, json_pack("{sIsssbsb}", "id", (json_int_t)n, "content",
                                           "<file_sep>", "lstrip", 1, "rstrip", 1));
    json_array_append_new(added, json_pack("{sIsssb}", "id", (json_int_t)n + 1, "content", "model",
                                           "single_word", 1));
    g_autoptr(engine_tokenizer) t = tokenizer_of(root);
    tokenizer_check_stream(t, "tiny_bpe_added", ENGINE_TOKENIZE_PARSE_SPECIAL);

    root = load_json(DATA("tiny_bpe/tokenizer.json"));
    set_from_text(root, "pre_tokenizer", llama3_split);
    json_t *model = json_object_get(root, "model");
    json_t *merges = json_object_get(model, "merges");
    const size_t keep = json_array_size(merges) / 2;
    while (json_array_size(merges) > keep)
        json_array_remove(merges, json_array_size(merges) - 1);
    json_object_set_new(model, "ignore_merges", json_true());
    g_autoptr(engine_tokenizer) short_list = tokenizer_of(root);
    tokenizer_check_stream(short_list, "tiny_bpe_ignore_merges", ENGINE_TOKENIZE_PARSE_SPECIAL);
}

/* The files that Intern-S1 and old Qwen2 models come with. */
static void
vocab_and_merges_agree(void **state)
{
    (void)state;
    json_t *root = load_json(DATA("tiny_bpe/tokenizer.json")), *merge, *token;
    json_t *model = json_object_get(root, "model"), *decoder = json_object();
    g_autoptr(GString) merges = g_string_new("#version: 0.2\n");
    size_t i;
    json_array_foreach(json_object_get(model, "merges"), i, merge)
        g_string_append_printf(merges, "%s %s\n", json_string_value(json_array_get(merge, 0)),
                               json_string_value(json_array_get(merge, 1)));
    json_array_foreach(json_object_get(root, "added_tokens"), i, token)
    {
        g_autofree char *id =
            g_strdup_printf("%d", (int)json_integer_value(json_object_get(token, "id")));
        json_object_set(decoder, id, token);
    }
    char *vocab = json_dumps(json_object_get(model, "vocab"), 0);
    json_t *config = json_pack("{ssso}", "tokenizer_class", "InternS1Tokenizer",
                               "added_tokens_decoder", decoder);
    g_autoptr(GError) error = NULL;
    g_autoptr(engine_tokenizer) t = engine_tokenizer_parse_merges(
        vocab, strlen(vocab), merges->str, merges->len, config, NULL, &error);
    if (!t) fail_msg("%s", error->message);
    tokenizer_check_stream(t, "tiny_bpe_qwen2_nfc", ENGINE_TOKENIZE_PARSE_SPECIAL);
    json_object_set_new(config, "tokenizer_class", json_string("OtherTokenizer"));
    assert_null(engine_tokenizer_parse_merges(vocab, strlen(vocab), merges->str, merges->len,
                                              config, NULL, &error));
    assert_true(g_error_matches(error, ENGINE_ERROR, ENGINE_ERROR_UNSUPPORTED));
    free(vocab);
    json_decref(config);
    json_decref(root);
}

static void
wordpiece_agrees(void **state)
{
    (void)state;
    const engine_tokenize_flags flags = ENGINE_TOKENIZE_PARSE_SPECIAL | ENGINE_TOKENIZE_ADD_SPECIAL;
    static const struct {
        const char *stream, *normalizer;
    } cases[] = {{"tiny_wordpiece",
                  "{\"type\":\"BertNormalizer\",\"clean_text\":true,\"lowercase\":true,"
                  "\"handle_chinese_chars\":true,\"strip_accents\":null}"},
                 {"tiny_wordpiece_cased",
                  "{\"type\":\"BertNormalizer\",\"clean_text\":true,\"lowercase\":false,"
                  "\"handle_chinese_chars\":true}"},
                 {"tiny_wordpiece_accents",
                  "{\"type\":\"BertNormalizer\",\"clean_text\":false,\"lowercase\":true,"
                  "\"handle_chinese_chars\":false,\"strip_accents\":false}"}};
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        json_t *root = load_json(DATA("tiny_wordpiece/tokenizer.json"));
        set_from_text(root, "normalizer", cases[i].normalizer);
        g_autoptr(engine_tokenizer) t = tokenizer_of(root);
        tokenizer_check_stream(t, cases[i].stream, flags);
    }
    g_autofree char *vocab = NULL;
    gsize len = 0;
    assert_true(g_file_get_contents(DATA("tiny_wordpiece/vocab.txt"), &vocab, &len, NULL));
    g_autoptr(engine_tokenizer) t = engine_tokenizer_parse_vocab(vocab, len, NULL, NULL, NULL);
    assert_non_null(t);
    tokenizer_check_stream(t, "tiny_wordpiece", flags);
}

static void
wordpiece_from_gguf_agrees(void **state)
{
    (void)state;
    g_autofree int32_t *types = g_new(int32_t, 8192);
    json_t *root = load_json(DATA("tiny_wordpiece/tokenizer.json"));
    g_autoptr(GPtrArray) tokens = tokens_of(root, types, 8192);
    json_decref(root);
    for (guint i = 0; i < tokens->len; i++) { /* as converters write them */
        char *old = tokens->pdata[i];
        if (types[i] == TOKENIZER_TYPE_CONTROL) continue;
        tokens->pdata[i] = strncmp(old, "##", 2) == 0 && old[2]
                               ? g_strdup(old + 2)
                               : g_strconcat("\xE2\x96\x81", old, NULL);
        g_free(old);
    }
    g_autoptr(engine_tokenizer) t = gguf_tokenizer("bert", "jina-v2-en", tokens, types, NULL);
    tokenizer_check_stream(t, "tiny_wordpiece",
                           ENGINE_TOKENIZE_PARSE_SPECIAL | ENGINE_TOKENIZE_ADD_SPECIAL);
}

/* ---- properties ------------------------------------------------------------------------------- */

static GArray *
encode(const engine_tokenizer *t, const char *text, gssize len, engine_tokenize_flags flags)
{
    GArray *ids = g_array_new(FALSE, FALSE, sizeof(int32_t));
    engine_tokenizer_encode(t, text, len < 0 ? strlen(text) : (size_t)len, flags, ids);
    return ids;
}

static void
bpe_decodes_to_the_repaired_text(void **state)
{
    (void)state;
    g_autoptr(engine_tokenizer) t = tiny_bpe();
    g_autoptr(tokenizer_lines) lines = tokenizer_lines_load(DATA("tokenizer_words.txt"));
    g_autoptr(GString) line = g_string_new(NULL), back = g_string_new(NULL);
    for (uint32_t n = 0; n < 2000; n++) {
        tokenizer_lines_make(lines, n, line);
        g_autoptr(GArray) ids = encode(t, line->str, (gssize)line->len, ENGINE_TOKENIZE_PLAIN);
        g_string_truncate(back, 0);
        engine_tokenizer_decode(t, (const int32_t *)(const void *)ids->data, ids->len, FALSE, back);
        g_autofree char *owned = NULL;
        size_t len = 0;
        const char *good = unicode_repair(line->str, line->len, &owned, &len);
        assert_int_equal(back->len, len);
        assert_memory_equal(back->str, good, len);
    }
}

static void
control_tokens_are_parsed_and_decoded_only_on_request(void **state)
{
    (void)state;
    g_autoptr(engine_tokenizer) t = tiny_bpe();
    const char *text = "<|im_start|>a<|im_end|>";
    g_autoptr(GArray) plain = encode(t, text, -1, ENGINE_TOKENIZE_PLAIN);
    for (guint i = 0; i < plain->len; i++)
        assert_true(g_array_index(plain, int32_t, i) > 2);
    g_autoptr(GArray) parsed = encode(t, text, -1, ENGINE_TOKENIZE_PARSE_SPECIAL);
    assert_int_equal(parsed->len, 3);
    const int32_t *ids = (const int32_t *)(const void *)parsed->data;
    assert_int_equal(ids[0], 1);
    assert_int_equal(ids[2], 2);
    g_autoptr(GString) out = g_string_new(NULL);
    engine_tokenizer_decode(t, ids, 3, FALSE, out);
    assert_string_equal(out->str, "a");
    g_string_truncate(out, 0);
    engine_tokenizer_decode(t, ids, 3, TRUE, out);
    assert_string_equal(out->str, text);
    const int32_t nonsense[] = {-1, 1 << 30, INT32_MIN};
    g_string_truncate(out, 0);
    engine_tokenizer_decode(t, nonsense, 3, TRUE, out);
    assert_string_equal(out->str, "");
    assert_true(engine_tokenizer_ends_text(t, 0));
    assert_true(engine_tokenizer_ends_text(t, 2));
    assert_false(engine_tokenizer_ends_text(t, 1));
}

static void
wordpiece_decodes_words(void **state)
{
    (void)state;
    g_autoptr(engine_tokenizer) t = tokenizer_of(load_json(DATA("tiny_wordpiece/tokenizer.json")));
    g_autoptr(GArray) ids = encode(t,
                                   "The Schr\xC3\xB6"
                                   "dinger model",
                                   -1, ENGINE_TOKENIZE_ADD_SPECIAL);
    g_autoptr(GString) out = g_string_new(NULL);
    engine_tokenizer_decode(t, (const int32_t *)(const void *)ids->data, ids->len, FALSE, out);
    assert_string_equal(out->str, "the schrodinger model");
}

static void
ill_formed_utf8_is_repaired_by_maximal_subparts(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        const char *expected;
    } cases[] = {
#define BAD "\xEF\xBF\xBD"
        {"\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41", 9, BAD BAD BAD BAD BAD BAD BAD BAD "A"},
        {"\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41", 9, BAD BAD BAD BAD BAD BAD BAD BAD "A"},
        {"\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42", 9, BAD BAD BAD BAD BAD "A" BAD BAD "B"},
        {"\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41", 9, BAD BAD BAD BAD "A"},
        {"a\xE4\xB8", 3, "a" BAD},
        {BAD "\xF0\x9F\x98\x80", 7, BAD "\xF0\x9F\x98\x80"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *exact = g_memdup2(cases[i].bytes, cases[i].len);
        g_autofree char *owned = NULL;
        size_t n = 0;
        const char *fixed = unicode_repair(exact, cases[i].len, &owned, &n);
        assert_int_equal(n, strlen(cases[i].expected));
        assert_memory_equal(fixed, cases[i].expected, n);
    }
}

static void
hostile_texts_take_linear_time(void **state)
{
    (void)state;
    static const char *const units[] = {
        "a",           " ", "\n",       " \n",          "'",
        "'l",          "1", "\xCC\x81", "\xE3\x80\xAE", "\xE4\xB8\xAD",
        "<|im_start|", "[", "ab",       "\xFF",         "\xC3\x84"};
    g_autoptr(engine_tokenizer) bpe = tiny_bpe();
    json_t *root = load_json(DATA("tiny_bpe/tokenizer.json"));
    set_from_text(root, "pre_tokenizer", qwen2_split);
    g_autoptr(engine_tokenizer) qwen2 = tokenizer_of(root);
    g_autoptr(engine_tokenizer) words =
        tokenizer_of(load_json(DATA("tiny_wordpiece/tokenizer.json")));
    const gint64 start = g_get_monotonic_time();
    for (size_t i = 0; i < G_N_ELEMENTS(units); i++) {
        g_autoptr(GString) text = g_string_new(NULL);
        while (text->len < 150000)
            g_string_append(text, units[i]);
        const engine_tokenizer *all[] = {bpe, qwen2, words};
        for (size_t k = 0; k < G_N_ELEMENTS(all); k++) {
            g_autoptr(GArray) ids =
                encode(all[k], text->str, (gssize)text->len, ENGINE_TOKENIZE_PARSE_SPECIAL);
            assert_true(ids->len > 0 || k == 2);
        }
    }
    /* quadratic time would be minutes; a sanitizer build on a busy machine is seconds */
    assert_true(g_get_monotonic_time() - start < 60 * G_USEC_PER_SEC);
}

static void
damaged_tokenizers_are_errors(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "{",
        "[]",
        "null",
        "{}",
        "{\"model\":{}}",
        "{\"model\":{\"type\":\"Unigram\"}}",
        "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[]}}", /* no pre-tokenizer */
        "{\"pre_tokenizer\":{\"type\":\"ByteLevel\"},\"model\":{\"type\":\"BPE\",\"vocab\":{},"
        "\"merges\":[]}}",
        "{\"pre_tokenizer\":{\"type\":\"ByteLevel\"},\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":-"
        "1},"
        "\"merges\":[]}}",
        "{\"pre_tokenizer\":{\"type\":\"ByteLevel\"},\"model\":{\"type\":\"BPE\",\"vocab\":"
        "{\"a\":70000},\"merges\":[]}}",
        "{\"pre_tokenizer\":{\"type\":\"ByteLevel\"},\"model\":{\"type\":\"BPE\",\"vocab\":"
        "{\"a\":1,\"b\":1},\"merges\":[]}}",
        "{\"pre_tokenizer\":{\"type\":\"ByteLevel\"},\"model\":{\"type\":\"BPE\",\"vocab\":"
        "{\"a\":0,\"b\":1},\"merges\":[\"a b\"]}}",
        "{\"pre_tokenizer\":{\"type\":\"ByteLevel\"},\"model\":{\"type\":\"BPE\",\"vocab\":"
        "{\"a\":0,\"b\":1},\"merges\":[[\"a\"]]}}",
        "{\"pre_tokenizer\":{\"type\":\"ByteLevel\"},\"normalizer\":{\"type\":\"Lowercase\"},"
        "\"model\":"
        "{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[]}}",
        "{\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},\"normalizer\":{\"type\":"
        "\"BertNormalizer\"},"
        "\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"a\":0}}}", /* no [UNK] */
        "{\"pre_tokenizer\":{\"type\":\"ByteLevel\"},\"post_processor\":{\"type\":"
        "\"BertProcessing\","
        "\"cls\":[\"x\",9],\"sep\":[\"y\",9]},\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},"
        "\"merges\":[]}}",
    };
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(engine_tokenizer) t =
            engine_tokenizer_parse_json(texts[i], strlen(texts[i]), NULL, NULL, &error);
        if (t) fail_msg("accepted: %s", texts[i]);
        assert_non_null(error);
        assert_int_equal(error->domain, ENGINE_ERROR);
    }
    g_autoptr(GError) error = NULL;
    assert_null(engine_tokenizer_parse_vocab("a\nb\n", 4, NULL, NULL, &error));
    assert_non_null(error);
    g_clear_error(&error);
    assert_null(engine_tokenizer_new_from_hf("no-such-folder", NULL, &error));
    assert_int_equal(error->code, ENGINE_ERROR_IO);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_those_of_the_reference),
        cmocka_unit_test(bpe_from_json_agrees_with_every_pre_tokenizer),
        cmocka_unit_test(bpe_from_gguf_agrees_with_every_pre_tokenizer),
        cmocka_unit_test(pre_tokenizers_made_of_steps_agree),
        cmocka_unit_test(steps_have_the_name_of_what_cuts_as_they_do),
        cmocka_unit_test(hostile_expressions_are_bounded),
        cmocka_unit_test(expressions_we_would_read_differently_are_errors),
        cmocka_unit_test(the_order_of_the_vocabulary_does_not_matter),
        cmocka_unit_test(bpe_variants_agree),
        cmocka_unit_test(vocab_and_merges_agree),
        cmocka_unit_test(wordpiece_agrees),
        cmocka_unit_test(wordpiece_from_gguf_agrees),
        cmocka_unit_test(bpe_decodes_to_the_repaired_text),
        cmocka_unit_test(control_tokens_are_parsed_and_decoded_only_on_request),
        cmocka_unit_test(wordpiece_decodes_words),
        cmocka_unit_test(ill_formed_utf8_is_repaired_by_maximal_subparts),
        cmocka_unit_test(hostile_texts_take_linear_time),
        cmocka_unit_test(damaged_tokenizers_are_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
