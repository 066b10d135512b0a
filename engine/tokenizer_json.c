/* A tokenizer from a Hugging Face folder: tokenizer.json (models BPE and WordPiece, as far as their
 * normaliser, pre-tokenizer and post-processor are ones we have), or BERT's vocab.txt. What tokenizer.json
 * says about truncation and padding is for batching and of no concern here.
 *
 * Anything in the file that would change ids and that we do not do is an error, not a guess. */
#include "engine/tokenizer_impl.h"

#include <string.h>

#define MAX_FILE_BYTES ((gsize)256 << 20)

static gboolean
unsupported(GError **error, const char *what, const char *which)
{
    g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_UNSUPPORTED,
                "tokenizer.json: %s '%s' is not supported", what, which ? which : "(missing)");
    return FALSE;
}

static gboolean
malformed(GError **error, const char *what)
{
    g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT, "tokenizer.json: %s", what);
    return FALSE;
}

static const char *
type_of(const json_t *object)
{
    return json_string_value(json_object_get(object, "type"));
}

static gboolean
is_type(const json_t *object, const char *type)
{
    return g_strcmp0(type_of(object), type) == 0;
}

static gboolean
is_true(const json_t *object, const char *key)
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
add_added_tokens(engine_tokenizer *t, const json_t *added, GError **error)
{
    size_t i;
    json_t *token;
    json_array_foreach(added, i, token)
    {
        const json_t *content = json_object_get(token, "content"),
                     *id = json_object_get(token, "id");
        if (!json_is_string(content) || !json_is_integer(id) || json_string_length(content) == 0)
            return malformed(error, "an added token has no id or content");
        unsigned flags = 0;
        if (is_true(token, "lstrip")) flags |= TOKENIZER_LSTRIP;
        if (is_true(token, "rstrip")) flags |= TOKENIZER_RSTRIP;
        if (is_true(token, "single_word")) flags |= TOKENIZER_SINGLE_WORD;
        if (!tokenizer_set_token(
                t, json_integer_value(id), json_string_value(content), json_string_length(content),
                is_true(token, "special") ? TOKENIZER_TYPE_CONTROL : TOKENIZER_TYPE_USER, flags,
                error))
            return FALSE;
    }
    return TRUE;
}

static gboolean
add_vocabulary(engine_tokenizer *t, json_t *vocab, const char *inside, GError **error)
{
    const size_t n_inside = inside ? strlen(inside) : 0;
    const char *key;
    json_t *id;
    if (!json_is_object(vocab)) return malformed(error, "model.vocab is not an object");
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
        if (!tokenizer_set_token(t, at, text, strlen(text), TOKENIZER_TYPE_NORMAL, flags, error))
            return FALSE;
    }
    return tokenizer_build_maps(t, error);
}

/* ---- BPE -------------------------------------------------------------------------------------- */

static const struct {
    const char *pattern;
    tokenizer_split split;
} known_patterns[] = {
    {"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| "
     "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
     "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
     TOKENIZER_SPLIT_QWEN2},
    {"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}"
     "| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
     TOKENIZER_SPLIT_QWEN35},
    {"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| "
     "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
     "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
     TOKENIZER_SPLIT_LLAMA3},
};

static gboolean
read_split_pattern(engine_tokenizer *t, const json_t *split, GError **error)
{
    const char *pattern =
        json_string_value(json_object_get(json_object_get(split, "pattern"), "Regex"));
    const char *behavior = json_string_value(json_object_get(split, "behavior"));
    if (g_strcmp0(behavior, "Isolated") != 0 || is_true(split, "invert"))
        return unsupported(error, "pre-tokenizer Split with behavior", behavior);
    for (size_t i = 0; pattern && i < G_N_ELEMENTS(known_patterns); i++) {
        if (strcmp(pattern, known_patterns[i].pattern) != 0) continue;
        t->bpe.split = known_patterns[i].split;
        return TRUE;
    }
    return unsupported(error, "pre-tokenizer pattern", pattern);
}

/* ByteLevel; or a Sequence of Digits or Split and then ByteLevel. */
static gboolean
read_bpe_split(engine_tokenizer *t, const json_t *pre, GError **error)
{
    const json_t *first = NULL, *bytes = pre;
    if (is_type(pre, "Sequence")) {
        const json_t *list = json_object_get(pre, "pretokenizers");
        if (json_array_size(list) == 2) first = json_array_get(list, 0);
        bytes = json_array_get(list, json_array_size(list) == 2 ? 1 : 0);
        if (json_array_size(list) > 2)
            return unsupported(error, "pre-tokenizer", "Sequence of three");
    }
    if (!is_type(bytes, "ByteLevel")) return unsupported(error, "pre-tokenizer", type_of(bytes));
    const gboolean use_regex = !json_is_false(json_object_get(bytes, "use_regex"));
    t->bpe.prefix_space = !json_is_false(json_object_get(bytes, "add_prefix_space"));
    if (!first) {
        t->bpe.split = TOKENIZER_SPLIT_GPT2;
        return use_regex || unsupported(error, "pre-tokenizer", "ByteLevel without its regex");
    }
    if (t->bpe.prefix_space)
        return unsupported(error, "ByteLevel in a Sequence with", "add_prefix_space");
    if (is_type(first, "Digits") && is_true(first, "individual_digits") && use_regex) {
        t->bpe.split = TOKENIZER_SPLIT_SMOLLM;
        return TRUE;
    }
    if (is_type(first, "Split") && !use_regex) return read_split_pattern(t, first, error);
    return unsupported(error, "pre-tokenizer", type_of(first));
}

static gboolean
read_bpe_normalizer(engine_tokenizer *t, const json_t *normalizer, GError **error)
{
    if (is_type(normalizer, "Sequence")) {
        const json_t *list = json_object_get(normalizer, "normalizers");
        if (json_array_size(list) > 1)
            return unsupported(error, "normalizer", "Sequence of several");
        normalizer = json_array_get(list, 0);
    }
    if (!normalizer || json_is_null(normalizer)) return TRUE;
    t->bpe.nfc = is_type(normalizer, "NFC");
    return t->bpe.nfc || unsupported(error, "normalizer", type_of(normalizer));
}

/* "a b" or ["a", "b"], whichever the file uses, as "a b". */
static gboolean
read_merges(engine_tokenizer *t, const json_t *merges, GError **error)
{
    if (!json_is_array(merges)) return malformed(error, "model.merges is not an array");
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
        if (!a || !b) return malformed(error, "a merge is neither a string nor a pair of strings");
        g_autofree char *both = g_strconcat(a, " ", b, NULL);
        list[i].data = g_string_chunk_insert(joined, both);
        list[i].len = strlen(both);
    }
    return tokenizer_bpe_build(t, list, n, error);
}

static gboolean
load_bpe(engine_tokenizer *t, const json_t *root, const json_t *model, GError **error)
{
    static const char *const must_be_empty[] = {"continuing_subword_prefix", "end_of_word_suffix"};
    for (size_t i = 0; i < G_N_ELEMENTS(must_be_empty); i++) {
        const char *value = json_string_value(json_object_get(model, must_be_empty[i]));
        if (value && *value) return unsupported(error, must_be_empty[i], value);
    }
    if (is_true(model, "byte_fallback")) return unsupported(error, "BPE with", "byte_fallback");
    t->bpe.ignore_merges = is_true(model, "ignore_merges");
    if (!read_bpe_normalizer(t, json_object_get(root, "normalizer"), error) ||
        !read_bpe_split(t, json_object_get(root, "pre_tokenizer"), error) ||
        !add_vocabulary(t, json_object_get(model, "vocab"), NULL, error) ||
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
    if (!is_type(normalizer, "BertNormalizer"))
        return unsupported(error, "normalizer", type_of(normalizer));
    if (!is_type(pre, "BertPreTokenizer")) return unsupported(error, "pre-tokenizer", type_of(pre));
    set_bert_rules(t, is_true(normalizer, "lowercase"));
    t->wordpiece.clean_text = is_true(normalizer, "clean_text");
    t->wordpiece.chinese_chars = is_true(normalizer, "handle_chinese_chars");
    const json_t *strip = json_object_get(normalizer, "strip_accents");
    if (json_is_boolean(strip)) t->wordpiece.strip_accents = json_is_true(strip);
    const json_t *limit = json_object_get(model, "max_input_chars_per_word");
    if (json_is_integer(limit))
        t->wordpiece.max_word_chars = (size_t)CLAMP(json_integer_value(limit), 0, 1 << 16);

    const char *inside = json_string_value(json_object_get(model, "continuing_subword_prefix"));
    if (!add_vocabulary(t, json_object_get(model, "vocab"), inside ? inside : "##", error))
        return FALSE;
    const char *unk = json_string_value(json_object_get(model, "unk_token"));
    t->unk = tokenizer_find(t, unk ? unk : "[UNK]");
    return t->unk >= 0 || malformed(error, "the unknown token is not in the vocabulary");
}

/* ---- what goes around a text ------------------------------------------------------------------ */

static gboolean
append_id(const engine_tokenizer *t, GArray *ids, const json_t *value, GError **error)
{
    const int64_t id = json_is_integer(value) ? json_integer_value(value) : -1;
    if (id < 0 || (uint64_t)id >= t->tokens->len || ids->len >= 16)
        return malformed(error, "the post-processor adds tokens that do not exist");
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
                return malformed(error, "the post-processor's template has not one sequence");
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
    return ids == t->suffix || malformed(error, "the post-processor's template has no sequence");
}

static gboolean
read_post_processor(engine_tokenizer *t, const json_t *post, GError **error)
{
    if (!post || json_is_null(post) || is_type(post, "ByteLevel")) return TRUE;
    if (is_type(post, "TemplateProcessing")) return read_template(t, post, error);
    if (is_type(post, "BertProcessing") || is_type(post, "RobertaProcessing"))
        return append_id(t, t->prefix, json_array_get(json_object_get(post, "cls"), 1), error) &&
               append_id(t, t->suffix, json_array_get(json_object_get(post, "sep"), 1), error);
    if (is_type(post, "Sequence")) {
        size_t i;
        json_t *part;
        json_array_foreach(json_object_get(post, "processors"), i, part)
        {
            if (is_type(part, "Sequence"))
                return unsupported(error, "post-processor", "nested Sequence");
            if (!read_post_processor(t, part, error)) return FALSE;
        }
        return TRUE;
    }
    return unsupported(error, "post-processor", type_of(post));
}

/* ---- names of special tokens ------------------------------------------------------------------ */

/* By text in tokenizer_config.json, by number in config.json (a list there: its first). */
static int32_t
special_id(const engine_tokenizer *t, const json_t *tokenizer_config, const json_t *config,
           const char *role)
{
    g_autofree char *text_key = g_strconcat(role, "_token", NULL);
    g_autofree char *id_key = g_strconcat(role, "_token_id", NULL);
    const char *text = token_text(json_object_get(tokenizer_config, text_key));
    const int32_t found = text ? tokenizer_find(t, text) : -1;
    if (found >= 0) return found;
    const json_t *id = json_object_get(config, id_key);
    if (json_is_array(id)) id = json_array_get(id, 0);
    const int64_t value = json_is_integer(id) ? json_integer_value(id) : -1;
    return value >= 0 && (uint64_t)value < t->tokens->len ? (int32_t)value : -1;
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

static void
set_special_ids(engine_tokenizer *t, const json_t *tokenizer_config, const json_t *config)
{
    const gboolean bert = t->kind == TOKENIZER_KIND_WORDPIECE;
    t->bos = special_id(t, tokenizer_config, config, bert ? "cls" : "bos");
    t->eos = special_id(t, tokenizer_config, config, bert ? "sep" : "eos");
    t->pad = special_id(t, tokenizer_config, config, "pad");
    if (bert && t->bos < 0) t->bos = tokenizer_find(t, "[CLS]");
    if (bert && t->eos < 0) t->eos = tokenizer_find(t, "[SEP]");
    if (bert && t->pad < 0) t->pad = tokenizer_find(t, "[PAD]");
    if (t->unk < 0) t->unk = special_id(t, tokenizer_config, config, "unk");
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

/* ---- files ------------------------------------------------------------------------------------ */

engine_tokenizer *
engine_tokenizer_parse_json(const char *data, size_t len, const json_t *tokenizer_config,
                            const json_t *config, GError **error)
{
    json_error_t where;
    json_t *root = json_loadb(data, len, JSON_ALLOW_NUL, &where);
    if (!root) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT, "tokenizer.json: line %d: %s",
                    where.line, where.text);
        return NULL;
    }
    const json_t *model = json_object_get(root, "model");
    /* old files have no type; the members tell */
    const gboolean bpe =
        is_type(model, "BPE") || (!type_of(model) && json_object_get(model, "merges"));
    g_autoptr(engine_tokenizer) t = NULL;
    gboolean ok;
    if (!bpe && !is_type(model, "WordPiece") &&
        (type_of(model) || !json_object_get(model, "vocab"))) {
        ok = unsupported(error, "model", type_of(model));
    } else {
        t = tokenizer_new(bpe ? TOKENIZER_KIND_BPE : TOKENIZER_KIND_WORDPIECE);
        const size_t n_tokens = json_object_size(json_object_get(model, "vocab")) +
                                json_array_size(json_object_get(root, "added_tokens"));
        t->max_tokens = MIN(TOKENIZER_MAX_VOCAB, n_tokens + TOKENIZER_MAX_HOLES);
        ok = add_added_tokens(t, json_object_get(root, "added_tokens"), error) &&
             (bpe ? load_bpe : load_wordpiece)(t, root, model, error) &&
             read_post_processor(t, json_object_get(root, "post_processor"), error);
        if (ok) set_special_ids(t, tokenizer_config, config);
    }
    json_decref(root);
    return ok ? g_steal_pointer(&t) : NULL;
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
    set_special_ids(t, tokenizer_config, config);
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

engine_tokenizer *
engine_tokenizer_new_from_hf(const char *dir, const json_t *config, GError **error)
{
    g_autoptr(GError) reason = NULL;
    gboolean json = TRUE;
    g_autoptr(GMappedFile) file = map_file(dir, "tokenizer.json", &reason);
    if (!file && !reason) file = map_file(dir, "vocab.txt", &reason), json = FALSE;
    if (!file) {
        if (!reason)
            g_set_error(&reason, ENGINE_ERROR, ENGINE_ERROR_IO,
                        "%s: no tokenizer.json or vocab.txt", dir);
        g_propagate_error(error, g_steal_pointer(&reason));
        return NULL;
    }
    const char *data = g_mapped_file_get_length(file) > 0 ? g_mapped_file_get_contents(file) : "";
    json_t *tokenizer_config = load_optional_json(dir, "tokenizer_config.json");
    engine_tokenizer *t = (json ? engine_tokenizer_parse_json : engine_tokenizer_parse_vocab)(
        data, g_mapped_file_get_length(file), tokenizer_config, config, error);
    json_decref(tokenizer_config);
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
