/* The pre_tokenizer of a byte-level BPE's tokenizer.json: one of the scanners of tokenizer_split.c where it is what one
 * of those does, else its steps as they stand. */
#include "engine/tokenizer_json.h"

#include <string.h>

#define QWEN2                                                                                      \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| "                          \
    "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"                                                                \
    "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

const char tokenizer_json_qwen2_pattern[] = QWEN2;

static const struct {
    const char *pattern;
    tokenizer_split split;
} known_patterns[] = {
    {QWEN2, TOKENIZER_SPLIT_QWEN2},
    {"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}"
     "| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
     TOKENIZER_SPLIT_QWEN35},
    {"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| "
     "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
     "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
     TOKENIZER_SPLIT_LLAMA3},
};

/* ---- a scanner -------------------------------------------------------------------------------- */

static const char *
regex_of(const json_t *split)
{
    return json_string_value(json_object_get(json_object_get(split, "pattern"), "Regex"));
}

/* What an expression's matches alone and what lies between them gives. */
static gboolean
find_scanner(const json_t *split, tokenizer_split *out)
{
    const char *pattern = regex_of(split);

    if (g_strcmp0(json_string_value(json_object_get(split, "behavior")), "Isolated") != 0)
        return FALSE;
    for (size_t i = 0; pattern && i < G_N_ELEMENTS(known_patterns); i++) {
        if (strcmp(pattern, known_patterns[i].pattern) != 0) continue;
        *out = known_patterns[i].split;
        return TRUE;
    }
    return FALSE;
}

/* ByteLevel alone with its expression, or behind Digits; or without it behind an expression of those above. */
static gboolean
is_scanner(const json_t *list, tokenizer_split *out)
{
    const json_t *first = json_array_get(list, 0);
    const json_t *bytes = json_array_get(list, json_array_size(list) - 1);

    if (!tokenizer_json_is_type(bytes, "ByteLevel") || json_array_size(list) > 2) return FALSE;
    const gboolean use_regex = !json_is_false(json_object_get(bytes, "use_regex"));
    if (json_array_size(list) == 1) {
        *out = TOKENIZER_SPLIT_GPT2;
        return use_regex;
    }
    if (tokenizer_json_is_type(first, "Digits") &&
        tokenizer_json_is_true(first, "individual_digits") && use_regex) {
        *out = TOKENIZER_SPLIT_SMOLLM;
        return TRUE;
    }
    return tokenizer_json_is_type(first, "Split") && !use_regex && find_scanner(first, out);
}

/* \w of Rust's expressions, which Whitespace is made with (Unicode Technical Standard 18, annex C) */
#define WORD "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}\\p{Alphabetic}\\x{200c}\\x{200d}"

/* ---- steps ------------------------------------------------------------------------------------ */

static gboolean
read_behavior(const json_t *step, tokenizer_behavior *out, GError **error)
{
    static const char *const names[] = {[TOKENIZER_ISOLATED] = "Isolated",
                                        [TOKENIZER_REMOVED] = "Removed",
                                        [TOKENIZER_CONTIGUOUS] = "Contiguous",
                                        [TOKENIZER_MERGED_WITH_PREVIOUS] = "MergedWithPrevious",
                                        [TOKENIZER_MERGED_WITH_NEXT] = "MergedWithNext"};
    const char *name = json_string_value(json_object_get(step, "behavior"));

    if (!name && tokenizer_json_is_type(step, "Punctuation")) name = names[TOKENIZER_ISOLATED];
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        if (g_strcmp0(name, names[i]) != 0) continue;
        *out = (tokenizer_behavior)i;
        return TRUE;
    }
    return tokenizer_json_unsupported(error, "pre-tokenizer behavior", name);
}

/* text as an expression that matches it and nothing else. Free with g_free. */
static char *
quote(const char *text)
{
    GString *out = g_string_new(NULL);

    for (; *text; text++) {
        if (g_ascii_ispunct(*text)) g_string_append_c(out, '\\');
        g_string_append_c(out, *text);
    }
    return g_string_free(out, FALSE);
}

static gboolean
add_split(tokenizer_pre *pre, const json_t *step, GError **error)
{
    const json_t *pattern = json_object_get(step, "pattern");
    const char *text = json_string_value(json_object_get(pattern, "String"));
    g_autofree char *quoted = text ? quote(text) : NULL;
    const char *regex = quoted ? quoted : regex_of(step);
    tokenizer_behavior behavior = TOKENIZER_ISOLATED;

    if (!regex || !*regex)
        return tokenizer_json_malformed(error, "a pre-tokenizer Split has no pattern");
    const json_t *given = json_object_get(pattern, text ? "String" : "Regex");
    if (strlen(json_string_value(given)) != json_string_length(given))
        return tokenizer_json_unsupported(error, "pre-tokenizer pattern with a NUL", regex);
    return read_behavior(step, &behavior, error) &&
           tokenizer_pre_add_regex(pre, regex, behavior, tokenizer_json_is_true(step, "invert"),
                                   error);
}

/* ByteLevel's blank goes before a whole text here, so nothing may come before it. */
static gboolean
add_bytes(engine_tokenizer *t, const json_t *step, gboolean first, gboolean *bytes, GError **error)
{
    const gboolean blank = !json_is_false(json_object_get(step, "add_prefix_space"));

    if (*bytes) return tokenizer_json_unsupported(error, "pre-tokenizer", "a second ByteLevel");
    if (blank && !first)
        return tokenizer_json_unsupported(error, "ByteLevel in a Sequence with",
                                          "add_prefix_space");
    t->bpe.prefix_space = blank;
    *bytes = TRUE;
    if (!json_is_false(json_object_get(step, "use_regex")) &&
        !tokenizer_pre_add_scanner(t->bpe.pre, TOKENIZER_SPLIT_GPT2, error))
        return FALSE;
    tokenizer_pre_to_bytes(t->bpe.pre);
    return TRUE;
}

static gboolean
add_step(engine_tokenizer *t, const json_t *step, gboolean first, gboolean *bytes, GError **error)
{
    tokenizer_pre *pre = t->bpe.pre;
    tokenizer_behavior behavior = TOKENIZER_ISOLATED;

    if (tokenizer_json_is_type(step, "ByteLevel")) return add_bytes(t, step, first, bytes, error);
    if (tokenizer_json_is_type(step, "Split")) return add_split(pre, step, error);
    if (tokenizer_json_is_type(step, "Digits"))
        return tokenizer_pre_add_class(pre, UNICODE_DIGIT,
                                       !tokenizer_json_is_true(step, "individual_digits"),
                                       TOKENIZER_ISOLATED, error);
    if (tokenizer_json_is_type(step, "Punctuation"))
        return read_behavior(step, &behavior, error) &&
               tokenizer_pre_add_class(pre, UNICODE_BERT_PUNCT, FALSE, behavior, error);
    if (tokenizer_json_is_type(step, "WhitespaceSplit"))
        return tokenizer_pre_add_class(pre, UNICODE_SPACE, TRUE, TOKENIZER_REMOVED, error);
    if (tokenizer_json_is_type(step, "Whitespace"))
        return tokenizer_pre_add_regex(pre, "[" WORD "]+|[^" WORD "\\s]+", TOKENIZER_REMOVED, TRUE,
                                       error);
    return tokenizer_json_unsupported(error, "pre-tokenizer", tokenizer_json_type(step));
}

static gboolean
read_list(engine_tokenizer *t, const json_t *list, GError **error)
{
    gboolean bytes = FALSE;
    size_t i;
    json_t *step;

    if (is_scanner(list, &t->bpe.split)) {
        const json_t *last = json_array_get(list, json_array_size(list) - 1);
        t->bpe.prefix_space = !json_is_false(json_object_get(last, "add_prefix_space"));
        if (!t->bpe.prefix_space || json_array_size(list) == 1) return TRUE;
    }
    t->bpe.pre = tokenizer_pre_new();
    json_array_foreach(list, i, step)
    {
        if (!add_step(t, step, i == 0, &bytes, error)) return FALSE;
    }
    return bytes || tokenizer_json_unsupported(error, "pre-tokenizer without", "ByteLevel");
}

gboolean
tokenizer_json_pre(engine_tokenizer *t, const json_t *pre, GError **error)
{
    if (tokenizer_json_is_type(pre, "Sequence"))
        return read_list(t, json_object_get(pre, "pretokenizers"), error);
    if (!json_is_object(pre)) return tokenizer_json_unsupported(error, "pre-tokenizer", NULL);
    json_t *alone = json_pack("[O]", pre);
    const gboolean good = read_list(t, alone, error);
    json_decref(alone);
    return good;
}
