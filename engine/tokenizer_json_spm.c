/* SentencePiece models inside tokenizer.json: BPE with byte fallback (the llama kind) and Unigram.
 *
 * The reference says in two ways that blanks become U+2581 and one goes before the text: as normalisers
 * (Prepend, Replace) or as the pre-tokenizer Metaspace. */
#include "engine/tokenizer_json.h"

#include <string.h>

#define BLANK "\xE2\x96\x81"

/* {"pattern": {"String": from}, "content": to} */
static gboolean
is_replace(const json_t *step, const char *from, const char *to)
{
    const json_t *pattern = json_object_get(step, "pattern");
    return tokenizer_json_is_type(step, "Replace") &&
           g_strcmp0(json_string_value(json_object_get(pattern, "String")), from) == 0 &&
           g_strcmp0(json_string_value(json_object_get(step, "content")), to) == 0;
}

static gboolean
read_normalizer(engine_tokenizer *t, const json_t *step, GError **error)
{
    if (!step || json_is_null(step)) return TRUE;
    if (tokenizer_json_is_type(step, "Sequence")) {
        size_t i;
        json_t *part;
        json_array_foreach(json_object_get(step, "normalizers"), i, part)
        {
            if (tokenizer_json_is_type(part, "Sequence"))
                return tokenizer_json_unsupported(error, "normalizer", "nested Sequence");
            if (!read_normalizer(t, part, error)) return FALSE;
        }
        return TRUE;
    }
    if (tokenizer_json_is_type(step, "Prepend") &&
        g_strcmp0(json_string_value(json_object_get(step, "prepend")), BLANK) == 0) {
        t->spm.prefix = TOKENIZER_PREFIX_SEGMENT;
        return TRUE;
    }
    return is_replace(step, " ", BLANK) ||
           tokenizer_json_unsupported(error, "normalizer", tokenizer_json_type(step));
}

static gboolean
read_metaspace(engine_tokenizer *t, const json_t *pre, GError **error)
{
    const char *replacement = json_string_value(json_object_get(pre, "replacement"));
    const char *scheme = json_string_value(json_object_get(pre, "prepend_scheme"));
    const json_t *old = json_object_get(pre, "add_prefix_space");
    if (g_strcmp0(replacement, BLANK) != 0)
        return tokenizer_json_unsupported(error, "Metaspace with", replacement);
    if (!scheme) scheme = json_is_false(old) ? "never" : "always";
    t->spm.split_blanks = !json_is_false(json_object_get(pre, "split"));
    t->spm.prefix_if_none = TRUE;
    if (strcmp(scheme, "first") == 0)
        t->spm.prefix = TOKENIZER_PREFIX_TEXT;
    else if (strcmp(scheme, "always") == 0)
        t->spm.prefix = TOKENIZER_PREFIX_SEGMENT;
    else if (strcmp(scheme, "never") == 0)
        t->spm.prefix = TOKENIZER_PREFIX_NEVER;
    else
        return tokenizer_json_unsupported(error, "Metaspace with prepend_scheme", scheme);
    return TRUE;
}

static gboolean
read_rules(engine_tokenizer *t, const json_t *root, GError **error)
{
    const json_t *pre = json_object_get(root, "pre_tokenizer");
    t->spm.prefix = TOKENIZER_PREFIX_NEVER;
    if (!read_normalizer(t, json_object_get(root, "normalizer"), error)) return FALSE;
    if (!pre || json_is_null(pre)) return TRUE;
    if (!tokenizer_json_is_type(pre, "Metaspace"))
        return tokenizer_json_unsupported(error, "pre-tokenizer", tokenizer_json_type(pre));
    if (t->spm.prefix != TOKENIZER_PREFIX_NEVER)
        return tokenizer_json_unsupported(error, "Metaspace behind the normalizer", "Prepend");
    return read_metaspace(t, pre, error);
}

static int32_t
piece_id(const engine_tokenizer *t, const char *text, size_t len, GString *scratch)
{
    g_string_truncate(scratch, 0);
    tokenizer_spm_unescape(text, len, scratch);
    const int32_t id = tokenizer_map_lookup(&t->map, scratch->str, scratch->len);
    return id >= 0 ? id : tokenizer_find(t, scratch->str);
}

/* "a b" or ["a", "b"]: the id of the joined piece is that of the joined texts. */
static gboolean
read_merges(engine_tokenizer *t, const json_t *merges, GError **error)
{
    g_autoptr(GString) scratch = g_string_new(NULL), joined = g_string_new(NULL);
    if (json_array_size(merges) > TOKENIZER_MAX_VOCAB)
        return tokenizer_json_malformed(error, "more merges than any vocabulary has");
    size_t rank;
    json_t *merge;
    json_array_foreach(merges, rank, merge)
    {
        const char *both = json_string_value(merge);
        const char *blank = both && *both ? strchr(both + 1, ' ') : NULL;
        const char *left = both ? both : json_string_value(json_array_get(merge, 0));
        const char *right =
            both ? (blank ? blank + 1 : NULL) : json_string_value(json_array_get(merge, 1));
        if (!left || !right)
            return tokenizer_json_malformed(error, "a merge is not a pair of strings");
        const size_t n_left = both ? (size_t)(blank - both) : strlen(left);
        g_string_truncate(joined, 0);
        g_string_append_len(joined, left, (gssize)n_left);
        g_string_append(joined, right);
        const int32_t a = piece_id(t, left, n_left, scratch);
        const int32_t b = piece_id(t, right, strlen(right), scratch);
        const int32_t c = piece_id(t, joined->str, joined->len, scratch);
        if (a < 0 || b < 0 || c < 0)
            return tokenizer_json_malformed(error, "a merge does not join two tokens to a third");
        tokenizer_bpe_add_merge(&t->bpe, a, b, (uint32_t)rank, c);
    }
    return TRUE;
}

gboolean
tokenizer_json_load_spm(engine_tokenizer *t, const json_t *root, const json_t *model,
                        GError **error)
{
    if (!read_rules(t, root, error) ||
        !tokenizer_json_vocabulary(t, json_object_get(model, "vocab"), NULL,
                                   tokenizer_json_is_true(model, "byte_fallback"), error))
        return FALSE;
    t->bpe.ignore_merges = tokenizer_json_is_true(model, "ignore_merges");
    t->spm.fuse_unknown = tokenizer_json_is_true(model, "fuse_unk");
    if (!tokenizer_spm_build(t, NULL, error) ||
        !read_merges(t, json_object_get(model, "merges"), error))
        return FALSE;
    const char *unk = json_string_value(json_object_get(model, "unk_token"));
    if (unk) t->unk = tokenizer_find(t, unk);
    return TRUE;
}

/* [[text, score], ...], the place being the id. */
static gboolean
read_scored(engine_tokenizer *t, const json_t *vocab, gboolean bytes, double *scores,
            GError **error)
{
    size_t id;
    json_t *entry;
    json_array_foreach(vocab, id, entry)
    {
        const json_t *text = json_array_get(entry, 0), *score = json_array_get(entry, 1);
        if (!json_is_string(text) || !json_is_number(score))
            return tokenizer_json_malformed(error, "a piece is not a text with a score");
        scores[id] = json_number_value(score);
        if (id < t->tokens->len && g_array_index(t->tokens, tokenizer_token, id).len > 0)
            continue; /* described better among the added tokens */
        const char *s = json_string_value(text);
        const gboolean byte = bytes && tokenizer_spm_byte(s, json_string_length(text)) >= 0;
        if (!tokenizer_set_token(t, (int64_t)id, s, json_string_length(text),
                                 byte ? TOKENIZER_TYPE_BYTE : TOKENIZER_TYPE_NORMAL, 0, error))
            return FALSE;
    }
    return TRUE;
}

gboolean
tokenizer_json_load_unigram(engine_tokenizer *t, const json_t *root, const json_t *model,
                            GError **error)
{
    const json_t *vocab = json_object_get(model, "vocab");
    const json_t *unk = json_object_get(model, "unk_id");
    const size_t n = json_array_size(vocab);
    if (n == 0 || n > TOKENIZER_MAX_VOCAB)
        return tokenizer_json_malformed(error, "model.vocab is not an array of pieces");
    g_autofree double *scores = g_new0(double, MAX(n, t->tokens->len));
    if (!read_rules(t, root, error) ||
        !read_scored(t, vocab, tokenizer_json_is_true(model, "byte_fallback"), scores, error))
        return FALSE;
    if (json_is_integer(unk) && json_integer_value(unk) >= 0 &&
        (uint64_t)json_integer_value(unk) < n) {
        t->unk = (int32_t)json_integer_value(unk);
        tokenizer_token *token = &g_array_index(t->tokens, tokenizer_token, t->unk);
        if (token->type == TOKENIZER_TYPE_NORMAL) token->type = TOKENIZER_TYPE_UNUSED;
    }
    t->spm.fuse_unknown = TRUE;
    return tokenizer_build_maps(t, error) && tokenizer_unigram_build(t, scores, error);
}
