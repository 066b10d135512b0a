/* A tokenizer from a Hugging Face folder: tokenizer.json (models BPE, WordPiece and Unigram, as far as their
 * normaliser, pre-tokenizer and post-processor are ones we have), SentencePiece's tokenizer.model, or BERT's
 * vocab.txt. What tokenizer.json
 * says about truncation and padding is for batching and of no concern here.
 *
 * Anything in the file that would change ids and that we do not do is an error, not a guess. */
#include "engine/tokenizer_json.h"

#include <string.h>

#define MAX_FILE_BYTES ((gsize)256 << 20)

gboolean
tokenizer_json_unsupported(GError **error, const char *what, const char *which)
{
    g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_UNSUPPORTED,
                "tokenizer.json: %s '%s' is not supported", what, which ? which : "(missing)");
    return FALSE;
}

gboolean
tokenizer_json_malformed(GError **error, const char *what)
{
    g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT, "tokenizer.json: %s", what);
    return FALSE;
}

const char *
tokenizer_json_type(const json_t *object)
{
    return json_string_value(json_object_get(object, "type"));
}

gboolean
tokenizer_json_is_type(const json_t *object, const char *type)
{
    return g_strcmp0(tokenizer_json_type(object), type) == 0;
}

gboolean
tokenizer_json_is_true(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

/* A token given as text, or as {"content": text}. */
static const char *
token_text(const json_t *value)
{
    if (json_is_object(value)) value = json_object_get(value, "content");
    return json_string_value(value);
}

/* ---- vocabulary ------------------------------------------------------------------------------- */

static gboolean
add_token(engine_tokenizer *t, int64_t id, const json_t *token, GError **error)
{
    const json_t *content = json_object_get(token, "content");
    if (!json_is_string(content) || json_string_length(content) == 0)
        return tokenizer_json_malformed(error, "an added token has no content");
    unsigned flags = 0;
    if (tokenizer_json_is_true(token, "lstrip")) flags |= TOKENIZER_LSTRIP;
    if (tokenizer_json_is_true(token, "rstrip")) flags |= TOKENIZER_RSTRIP;
    if (tokenizer_json_is_true(token, "single_word")) flags |= TOKENIZER_SINGLE_WORD;
    const gboolean special = tokenizer_json_is_true(token, "special");
    return tokenizer_set_token(t, id, json_string_value(content), json_string_length(content),
                               special ? TOKENIZER_TYPE_CONTROL : TOKENIZER_TYPE_USER, flags,
                               error);
}

static gboolean
add_added_tokens(engine_tokenizer *t, const json_t *added, GError **error)
{
    size_t i;
    json_t *token;
    json_array_foreach(added, i, token)
    {
        const json_t *id = json_object_get(token, "id");
        if (!json_is_integer(id))
            return tokenizer_json_malformed(error, "an added token has no id");
        if (!add_token(t, json_integer_value(id), token, error)) return FALSE;
    }
    return TRUE;
}

gboolean
tokenizer_json_added_decoder(engine_tokenizer *t, const json_t *tokenizer_config, GError **error)
{
    const char *key;
    json_t *token;
    json_object_foreach(json_object_get(tokenizer_config, "added_tokens_decoder"), key, token)
    {
        guint64 id = 0;
        if (!g_ascii_string_to_unsigned(key, 10, 0, TOKENIZER_MAX_VOCAB, &id, NULL))
            return tokenizer_json_malformed(error, "added_tokens_decoder has a key that is no id");
        if (!add_token(t, (int64_t)id, token, error)) return FALSE;
    }
    return TRUE;
}

gboolean
tokenizer_json_vocabulary(engine_tokenizer *t, json_t *vocab, const char *inside, gboolean bytes,
                          GError **error)
{
    const size_t n_inside = inside ? strlen(inside) : 0;
    const char *key;
    json_t *id;
    if (!json_is_object(vocab))
        return tokenizer_json_malformed(error, "model.vocab is not an object");
    json_object_foreach(vocab, key, id)
    {
        const int64_t at = json_is_integer(id) ? json_integer_value(id) : -1;
        if (at >= 0 && (uint64_t)at < t->tokens->len &&
            g_array_index(t->tokens, tokenizer_token, at).len > 0 &&
            g_array_index(t->tokens, tokenizer_token, at).type != TOKENIZER_TYPE_NORMAL)
            continue; /* described better among the added tokens */
        const char *text = key;
        unsigned flags = 0;
        if (n_inside > 0 && g_str_has_prefix(text, inside) && text[n_inside] != '\0')
            text += n_inside, flags = TOKENIZER_INSIDE_WORD;
        const gboolean byte = bytes && tokenizer_spm_byte(text, strlen(text)) >= 0;
        if (!tokenizer_set_token(t, at, text, strlen(text),
                                 byte ? TOKENIZER_TYPE_BYTE : TOKENIZER_TYPE_NORMAL, flags, error))
            return FALSE;
    }
    return tokenizer_build_maps(t, error);
}

/* ---- BPE -------------------------------------------------------------------------------------- */

static gboolean
read_bpe_normalizer(engine_tokenizer *t, const json_t *normalizer, GError **error)
{
    if (tokenizer_json_is_type(normalizer, "Sequence")) {
        const json_t *list = json_object_get(normalizer, "normalizers");
        if (json_array_size(list) > 1)
            return tokenizer_json_unsupported(error, "normalizer", "Sequence of several");
        normalizer = json_array_get(list, 0);
    }
    if (!normalizer || json_is_null(normalizer)) return TRUE;
    t->bpe.nfc = tokenizer_json_is_type(normalizer, "NFC");
    return t->bpe.nfc ||
           tokenizer_json_unsupported(error, "normalizer", tokenizer_json_type(normalizer));
}

/* "a b" or ["a", "b"], whichever the file uses, as "a b". */
static gboolean
read_merges(engine_tokenizer *t, const json_t *merges, GError **error)
{
    if (!json_is_array(merges))
        return tokenizer_json_malformed(error, "model.merges is not an array");
    const size_t n = json_array_size(merges);
    g_autoptr(GStringChunk) joined = g_string_chunk_new(65536);
    g_autofree engine_bytes *list = g_new0(engine_bytes, n + 1);
    for (size_t i = 0; i < n; i++) {
        const json_t *merge = json_array_get(merges, i);
        if (json_is_string(merge)) {
            list[i] = (engine_bytes){json_string_value(merge), json_string_length(merge)};
            continue;
        }
        const char *a = json_string_value(json_array_get(merge, 0));
        const char *b = json_string_value(json_array_get(merge, 1));
        if (!a || !b)
            return tokenizer_json_malformed(error,
                                            "a merge is neither a string nor a pair of strings");
        g_autofree char *both = g_strconcat(a, " ", b, NULL);
        list[i].data = g_string_chunk_insert(joined, both);
        list[i].len = strlen(both);
    }
    return tokenizer_bpe_build(t, NULL, list, n, error);
}

static gboolean
load_bpe(engine_tokenizer *t, const json_t *root, const json_t *model, GError **error)
{
    static const char *const must_be_empty[] = {"continuing_subword_prefix", "end_of_word_suffix"};
    for (size_t i = 0; i < G_N_ELEMENTS(must_be_empty); i++) {
        const char *value = json_string_value(json_object_get(model, must_be_empty[i]));
        if (value && *value) return tokenizer_json_unsupported(error, must_be_empty[i], value);
    }
    t->bpe.ignore_merges = tokenizer_json_is_true(model, "ignore_merges");
    if (!read_bpe_normalizer(t, json_object_get(root, "normalizer"), error) ||
        !tokenizer_json_pre(t, json_object_get(root, "pre_tokenizer"), error) ||
        !tokenizer_json_vocabulary(t, json_object_get(model, "vocab"), NULL, FALSE, error) ||
        !read_merges(t, json_object_get(model, "merges"), error))
        return FALSE;
    const char *unk = json_string_value(json_object_get(model, "unk_token"));
    if (unk) t->unk = t->bpe.unk = tokenizer_find(t, unk);
    return TRUE;
}

/* ---- WordPiece -------------------------------------------------------------------------------- */

static void
set_bert_rules(engine_tokenizer *t, gboolean lowercase)
{
    t->wordpiece.clean_text = t->wordpiece.chinese_chars = TRUE;
    t->wordpiece.lowercase = t->wordpiece.strip_accents = lowercase;
}

static gboolean
load_wordpiece(engine_tokenizer *t, const json_t *root, const json_t *model, GError **error)
{
    const json_t *normalizer = json_object_get(root, "normalizer");
    const json_t *pre = json_object_get(root, "pre_tokenizer");
    if (!tokenizer_json_is_type(normalizer, "BertNormalizer"))
        return tokenizer_json_unsupported(error, "normalizer", tokenizer_json_type(normalizer));
    if (!tokenizer_json_is_type(pre, "BertPreTokenizer"))
        return tokenizer_json_unsupported(error, "pre-tokenizer", tokenizer_json_type(pre));
    set_bert_rules(t, tokenizer_json_is_true(normalizer, "lowercase"));
    t->wordpiece.clean_text = tokenizer_json_is_true(normalizer, "clean_text");
    t->wordpiece.chinese_chars = tokenizer_json_is_true(normalizer, "handle_chinese_chars");
    const json_t *strip = json_object_get(normalizer, "strip_accents");
    if (json_is_boolean(strip)) t->wordpiece.strip_accents = json_is_true(strip);
    const json_t *limit = json_object_get(model, "max_input_chars_per_word");
    if (json_is_integer(limit))
        t->wordpiece.max_word_chars = (size_t)CLAMP(json_integer_value(limit), 0, 1 << 16);

    const char *inside = json_string_value(json_object_get(model, "continuing_subword_prefix"));
    if (!tokenizer_json_vocabulary(t, json_object_get(model, "vocab"), inside ? inside : "##",
                                   FALSE, error))
        return FALSE;
    const char *unk = json_string_value(json_object_get(model, "unk_token"));
    t->unk = tokenizer_find(t, unk ? unk : "[UNK]");
    return t->unk >= 0 ||
           tokenizer_json_malformed(error, "the unknown token is not in the vocabulary");
}

/* ---- what goes around a text ------------------------------------------------------------------ */

static gboolean
append_id(const engine_tokenizer *t, GArray *ids, const json_t *value, GError **error)
{
    const int64_t id = json_is_integer(value) ? json_integer_value(value) : -1;
    if (id < 0 || (uint64_t)id >= t->tokens->len || ids->len >= 16)
        return tokenizer_json_malformed(error, "the post-processor adds tokens that do not exist");
    const int32_t id32 = (int32_t)id;
    g_array_append_val(ids, id32);
    return TRUE;
}

static gboolean
read_template(engine_tokenizer *t, const json_t *template, GError **error)
{
    const json_t *single = json_object_get(template, "single");
    const json_t *known = json_object_get(template, "special_tokens");
    GArray *ids = t->prefix;
    size_t i, k;
    json_t *part, *value;
    json_array_foreach(single, i, part)
    {
        const json_t *special = json_object_get(part, "SpecialToken");
        if (!special) {
            if (!json_object_get(part, "Sequence") || ids == t->suffix)
                return tokenizer_json_malformed(
                    error, "the post-processor's template has not one sequence");
            ids = t->suffix;
            continue;
        }
        const char *name = json_string_value(json_object_get(special, "id"));
        const json_t *list = name ? json_object_get(json_object_get(known, name), "ids") : NULL;
        json_array_foreach(list, k, value)
        {
            if (!append_id(t, ids, value, error)) return FALSE;
        }
    }
    return ids == t->suffix ||
           tokenizer_json_malformed(error, "the post-processor's template has no sequence");
}

static gboolean
read_post_processor(engine_tokenizer *t, const json_t *post, GError **error)
{
    if (!post || json_is_null(post) || tokenizer_json_is_type(post, "ByteLevel")) return TRUE;
    if (tokenizer_json_is_type(post, "TemplateProcessing")) return read_template(t, post, error);
    if (tokenizer_json_is_type(post, "BertProcessing") ||
        tokenizer_json_is_type(post, "RobertaProcessing"))
        return append_id(t, t->prefix, json_array_get(json_object_get(post, "cls"), 1), error) &&
               append_id(t, t->suffix, json_array_get(json_object_get(post, "sep"), 1), error);
    if (tokenizer_json_is_type(post, "Sequence")) {
        size_t i;
        json_t *part;
        json_array_foreach(json_object_get(post, "processors"), i, part)
        {
            if (tokenizer_json_is_type(part, "Sequence"))
                return tokenizer_json_unsupported(error, "post-processor", "nested Sequence");
            if (!read_post_processor(t, part, error)) return FALSE;
        }
        return TRUE;
    }
    return tokenizer_json_unsupported(error, "post-processor", tokenizer_json_type(post));
}

/* ---- names of special tokens ------------------------------------------------------------------ */

/* By text in tokenizer_config.json, by number in config.json (a list there: its first). */
static int32_t
special_id(const engine_tokenizer *t, const json_t *tokenizer_config, const json_t *config,
           const char *role, int32_t otherwise)
{
    g_autofree char *text_key = g_strconcat(role, "_token", NULL);
    g_autofree char *id_key = g_strconcat(role, "_token_id", NULL);
    const char *text = token_text(json_object_get(tokenizer_config, text_key));
    const int32_t found = text ? tokenizer_find(t, text) : -1;
    if (found >= 0) return found;
    const json_t *id = json_object_get(config, id_key);
    if (json_is_array(id)) id = json_array_get(id, 0);
    const int64_t value = json_is_integer(id) ? json_integer_value(id) : -1;
    return value >= 0 && (uint64_t)value < t->tokens->len ? (int32_t)value : otherwise;
}

/* A template, or a list of {name, template} of which we take "default". */
static char *
chat_template_of(const json_t *tokenizer_config)
{
    const json_t *value = json_object_get(tokenizer_config, "chat_template");
    size_t i;
    json_t *entry;
    json_array_foreach(value, i, entry)
    {
        if (g_strcmp0(json_string_value(json_object_get(entry, "name")), "default") == 0)
            return g_strdup(json_string_value(json_object_get(entry, "template")));
    }
    return g_strdup(json_string_value(value));
}

void
tokenizer_json_specials(engine_tokenizer *t, const json_t *tokenizer_config, const json_t *config)
{
    const gboolean bert = t->kind == TOKENIZER_KIND_WORDPIECE;
    t->bos = special_id(t, tokenizer_config, config, bert ? "cls" : "bos", t->bos);
    t->eos = special_id(t, tokenizer_config, config, bert ? "sep" : "eos", t->eos);
    t->pad = special_id(t, tokenizer_config, config, "pad", t->pad);
    if (bert && t->bos < 0) t->bos = tokenizer_find(t, "[CLS]");
    if (bert && t->eos < 0) t->eos = tokenizer_find(t, "[SEP]");
    if (bert && t->pad < 0) t->pad = tokenizer_find(t, "[PAD]");
    if (t->unk < 0) t->unk = special_id(t, tokenizer_config, config, "unk", -1);
    t->chat_template = chat_template_of(tokenizer_config);
    tokenizer_find_ends(t);
    const json_t *ids = json_object_get(config, "eos_token_id");
    size_t i;
    json_t *value;
    json_array_foreach(ids, i, value)
    {
        const int64_t id = json_is_integer(value) ? json_integer_value(value) : -1;
        if (id < 0 || (uint64_t)id >= t->tokens->len) continue;
        const int32_t id32 = (int32_t)id;
        if (!engine_tokenizer_ends_text(t, id32)) g_array_append_val(t->ends, id32);
    }
}

/* ---- which model ------------------------------------------------------------------------------ */

typedef gboolean (*model_loader)(engine_tokenizer *t, const json_t *root, const json_t *model,
                                 GError **error);

/* SentencePiece's BPE is told by its byte fallback or by what turns blanks into U+2581. */
static gboolean
is_spm(const json_t *root, const json_t *model)
{
    const json_t *pre = json_object_get(root, "pre_tokenizer");
    const json_t *normalizer = json_object_get(root, "normalizer");
    const json_t *first = json_array_get(json_object_get(normalizer, "normalizers"), 0);
    return tokenizer_json_is_true(model, "byte_fallback") ||
           tokenizer_json_is_type(pre, "Metaspace") ||
           tokenizer_json_is_type(normalizer, "Replace") ||
           tokenizer_json_is_type(first, "Prepend") || tokenizer_json_is_type(first, "Replace");
}

/* NULL: none we have. Old files have no type; the members tell. */
static model_loader
loader_of(const json_t *root, const json_t *model, tokenizer_kind *kind)
{
    const gboolean untyped = !tokenizer_json_type(model);
    const json_t *vocab = json_object_get(model, "vocab");
    if (tokenizer_json_is_type(model, "BPE") || (untyped && json_object_get(model, "merges"))) {
        *kind = is_spm(root, model) ? TOKENIZER_KIND_SPM : TOKENIZER_KIND_BPE;
        return *kind == TOKENIZER_KIND_SPM ? tokenizer_json_load_spm : load_bpe;
    }
    if (tokenizer_json_is_type(model, "Unigram") || (untyped && json_is_array(vocab))) {
        *kind = TOKENIZER_KIND_UNIGRAM;
        return tokenizer_json_load_unigram;
    }
    *kind = TOKENIZER_KIND_WORDPIECE;
    return tokenizer_json_is_type(model, "WordPiece") || (untyped && vocab) ? load_wordpiece : NULL;
}

/* ---- files ------------------------------------------------------------------------------------ */

/* Takes root. */
static engine_tokenizer *
load_root(json_t *root, const json_t *tokenizer_config, const json_t *config, GError **error)
{
    const json_t *model = json_object_get(root, "model");
    tokenizer_kind kind = TOKENIZER_KIND_WORDPIECE;
    const model_loader load = loader_of(root, model, &kind);
    g_autoptr(engine_tokenizer) t = NULL;
    gboolean ok = FALSE;
    if (!load) {
        tokenizer_json_unsupported(error, "model", tokenizer_json_type(model));
    } else {
        t = tokenizer_new(kind);
        const json_t *vocab = json_object_get(model, "vocab");
        const size_t n_tokens = json_object_size(vocab) + json_array_size(vocab) +
                                json_array_size(json_object_get(root, "added_tokens"));
        t->max_tokens = MIN(TOKENIZER_MAX_VOCAB, n_tokens + TOKENIZER_MAX_HOLES);
        ok = add_added_tokens(t, json_object_get(root, "added_tokens"), error) &&
             load(t, root, model, error) &&
             read_post_processor(t, json_object_get(root, "post_processor"), error);
        if (ok) tokenizer_json_specials(t, tokenizer_config, config);
    }
    json_decref(root);
    return ok ? g_steal_pointer(&t) : NULL;
}

engine_tokenizer *
engine_tokenizer_parse_json(const char *data, size_t len, const json_t *tokenizer_config,
                            const json_t *config, GError **error)
{
    json_error_t where;
    json_t *root = json_loadb(data, len, JSON_ALLOW_NUL, &where);
    if (root) return load_root(root, tokenizer_config, config, error);
    g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT, "tokenizer.json: line %d: %s", where.line,
                where.text);
    return NULL;
}

/* ---- vocab.json and merges.txt ---------------------------------------------------------------- */

static json_t *
read_merge_lines(const char *s, size_t len)
{
    json_t *list = json_array();
    for (const char *end = s + len; s < end;) {
        const char *stop = memchr(s, '\n', (size_t)(end - s));
        if (!stop) stop = end;
        size_t n = (size_t)(stop - s);
        if (n > 0 && s[n - 1] == '\r') n--;
        const gboolean version =
            json_array_size(list) == 0 && n > 8 && memcmp(s, "#version", 8) == 0;
        if (n > 0 && !version) json_array_append_new(list, json_stringn(s, n));
        s = stop + (stop < end);
    }
    return list;
}

/* The parts of tokenizer.json that these files leave to the tokenizer's class. NULL: one we do not know. */
static json_t *
root_of_class(const char *class)
{
    const gboolean qwen2 =
        class && (g_str_has_prefix(class, "Qwen2Tokenizer") || g_str_has_prefix(class, "InternS1"));
    if (qwen2)
        return json_pack("{s{ss}s{sss[{sssss{ss}},{sssbsb}]}}", "normalizer", "type", "NFC",
                         "pre_tokenizer", "type", "Sequence", "pretokenizers", "type", "Split",
                         "behavior", "Isolated", "pattern", "Regex", tokenizer_json_qwen2_pattern,
                         "type", "ByteLevel", "add_prefix_space", 0, "use_regex", 0);
    if (class && g_str_has_prefix(class, "GPT2Tokenizer"))
        return json_pack("{s{sssb}}", "pre_tokenizer", "type", "ByteLevel", "add_prefix_space", 0);
    return NULL;
}

engine_tokenizer *
engine_tokenizer_parse_merges(const char *vocab, size_t n_vocab, const char *merges,
                              size_t n_merges, const json_t *tokenizer_config, const json_t *config,
                              GError **error)
{
    const char *class = json_string_value(json_object_get(tokenizer_config, "tokenizer_class"));
    json_t *root = root_of_class(class);
    if (!root) {
        tokenizer_json_unsupported(error, "vocab.json for the tokenizer class", class);
        return NULL;
    }
    json_t *list = json_array(), *token;
    const char *key;
    json_object_foreach(json_object_get(tokenizer_config, "added_tokens_decoder"), key, token)
    {
        json_t *added = json_is_object(token) ? json_copy(token) : json_object();
        guint64 id = 0;
        if (g_ascii_string_to_unsigned(key, 10, 0, TOKENIZER_MAX_VOCAB, &id, NULL))
            json_object_set_new(added, "id", json_integer((json_int_t)id));
        json_array_append_new(list, added);
    }
    json_object_set_new(root, "added_tokens", list);
    json_t *pieces = json_loadb(vocab, n_vocab, JSON_ALLOW_NUL, NULL);
    if (!pieces) pieces = json_null(); /* refused as a vocabulary that is no object */
    json_object_set_new(root, "model",
                        json_pack("{sssoso}", "type", "BPE", "vocab", pieces, "merges",
                                  read_merge_lines(merges, n_merges)));
    return load_root(root, tokenizer_config, config, error);
}

/* One token per line; its number is its id. */
engine_tokenizer *
engine_tokenizer_parse_vocab(const char *data, size_t len, const json_t *tokenizer_config,
                             const json_t *config, GError **error)
{
    static const char *const control[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
    g_autoptr(engine_tokenizer) t = tokenizer_new(TOKENIZER_KIND_WORDPIECE);
    const char *const end = data + len;
    for (int64_t id = 0; data < end; id++) {
        const char *newline = memchr(data, '\n', (size_t)(end - data));
        const char *text = data;
        size_t n = (size_t)((newline ? newline : end) - data);
        data = newline ? newline + 1 : end;
        if (n > 0 && text[n - 1] == '\r') n--;
        tokenizer_type type = TOKENIZER_TYPE_NORMAL;
        for (size_t i = 0; i < G_N_ELEMENTS(control); i++)
            if (n == strlen(control[i]) && memcmp(text, control[i], n) == 0)
                type = TOKENIZER_TYPE_CONTROL;
        unsigned flags = 0;
        if (n > 2 && memcmp(text, "##", 2) == 0) text += 2, n -= 2, flags = TOKENIZER_INSIDE_WORD;
        if (!tokenizer_set_token(t, id, text, n, type, flags, error)) return NULL;
    }
    if (!tokenizer_build_maps(t, error)) return NULL;
    set_bert_rules(t, !json_is_false(json_object_get(tokenizer_config, "do_lower_case")));
    t->unk = tokenizer_find(t, "[UNK]");
    tokenizer_json_specials(t, tokenizer_config, config);
    if (t->unk < 0 || t->bos < 0 || t->eos < 0) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT,
                    "vocab.txt: no [UNK], [CLS] or [SEP] in it");
        return NULL;
    }
    g_array_append_val(t->prefix, t->bos);
    g_array_append_val(t->suffix, t->eos);
    return g_steal_pointer(&t);
}

/* The file dir/name, mapped; NULL without an error when there is none. */
static GMappedFile *
map_file(const char *dir, const char *name, GError **error)
{
    g_autofree char *path = g_build_filename(dir, name, NULL);
    if (!g_file_test(path, G_FILE_TEST_EXISTS)) return NULL;
    g_autoptr(GError) reason = NULL;
    g_autoptr(GMappedFile) file = g_mapped_file_new(path, FALSE, &reason);
    if (!file) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_IO, "%s: %s", path, reason->message);
        return NULL;
    }
    if (g_mapped_file_get_length(file) > MAX_FILE_BYTES) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT, "%s: larger than any tokenizer",
                    path);
        return NULL;
    }
    return g_steal_pointer(&file);
}

/* An optional JSON file; one that cannot be read counts as missing, for it only names special tokens. */
static json_t *
load_optional_json(const char *dir, const char *name)
{
    g_autoptr(GMappedFile) file = map_file(dir, name, NULL);
    if (!file || g_mapped_file_get_length(file) == 0) return NULL;
    return json_loadb(g_mapped_file_get_contents(file), g_mapped_file_get_length(file), 0, NULL);
}

/* Intern-S1's models beside the tokenizer, in the order of their ids. */
static gboolean
load_science(engine_tokenizer *t, const char *dir, GError **error)
{
    static const char *const sets[][3] = {{"SMILES", "IUPAC", "FASTA"}, {"PROT", "SMILES", "XNA"}};
    g_autofree char *pro = g_build_filename(dir, "tokenizer_PROT.model", NULL);
    const char *const *names = sets[g_file_test(pro, G_FILE_TEST_EXISTS) ? 1 : 0];
    for (size_t i = 0; i < G_N_ELEMENTS(sets[0]); i++) {
        g_autofree char *name = g_strdup_printf("tokenizer_%s.model", names[i]);
        g_autoptr(GError) reason = NULL;
        g_autoptr(GMappedFile) file = map_file(dir, name, &reason);
        if (reason) {
            g_propagate_error(error, g_steal_pointer(&reason));
            return FALSE;
        }
        if (!file) continue;
        const gsize len = g_mapped_file_get_length(file);
        engine_tokenizer *pieces = engine_tokenizer_parse_model(
            len > 0 ? g_mapped_file_get_contents(file) : "", len, NULL, NULL, error);
        if (!pieces) {
            g_prefix_error(error, "%s: ", name);
            return FALSE;
        }
        if (!tokenizer_science_add(t, names[i], pieces, error)) return FALSE;
    }
    return TRUE;
}

engine_tokenizer *
engine_tokenizer_new_from_hf(const char *dir, const json_t *config, GError **error)
{
    static const struct {
        const char *name;
        engine_tokenizer *(*parse)(const char *, size_t, const json_t *, const json_t *, GError **);
    } kinds[] = {{"tokenizer.json", engine_tokenizer_parse_json},
                 {"tokenizer.model", engine_tokenizer_parse_model},
                 {"vocab.txt", engine_tokenizer_parse_vocab}};
    g_autoptr(GError) reason = NULL;
    size_t kind = 0;
    g_autoptr(GMappedFile) file = NULL, merges = NULL;
    for (; kind < G_N_ELEMENTS(kinds) && !file && !reason; kind++)
        file = map_file(dir, kinds[kind].name, &reason);
    if (!file && !reason) {
        merges = map_file(dir, "merges.txt", &reason);
        if (merges) file = map_file(dir, "vocab.json", &reason);
    }
    if (!file) {
        if (!reason)
            g_set_error(&reason, ENGINE_ERROR, ENGINE_ERROR_IO,
                        "%s: no tokenizer.json, tokenizer.model, vocab.txt or vocab.json with "
                        "merges.txt",
                        dir);
        g_propagate_error(error, g_steal_pointer(&reason));
        return NULL;
    }
    const char *data = g_mapped_file_get_length(file) > 0 ? g_mapped_file_get_contents(file) : "";
    json_t *tokenizer_config = load_optional_json(dir, "tokenizer_config.json");
    const gsize len = g_mapped_file_get_length(file);
    engine_tokenizer *t = NULL;
    if (merges)
        t = engine_tokenizer_parse_merges(
            data, len,
            g_mapped_file_get_length(merges) > 0 ? g_mapped_file_get_contents(merges) : "",
            g_mapped_file_get_length(merges), tokenizer_config, config, error);
    else
        t = kinds[kind - 1].parse(data, len, tokenizer_config, config, error);
    json_decref(tokenizer_config);
    if (t && t->kind == TOKENIZER_KIND_BPE && !load_science(t, dir, error))
        g_clear_pointer(&t, engine_tokenizer_free);
    if (!t) {
        g_prefix_error(error, "%s: ", dir);
        return NULL;
    }
    if (!t->chat_template) { /* newer models keep it in a file of its own */
        g_autoptr(GMappedFile) jinja = map_file(dir, "chat_template.jinja", NULL);
        if (jinja && g_mapped_file_get_length(jinja) > 0)
            t->chat_template =
                g_strndup(g_mapped_file_get_contents(jinja), g_mapped_file_get_length(jinja));
    }
    return t;
}
