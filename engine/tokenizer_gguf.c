/* A tokenizer from the metadata of a GGUF file: byte-level BPE ("gpt2"), SentencePiece BPE ("llama"), Unigram
 * ("t5") and WordPiece ("bert"). */
#include "engine/tokenizer_impl.h"

#include <string.h>

#define KEY(name) "tokenizer.ggml." name

static int32_t
special_id(const engine_tokenizer *t, const engine_weights *weights, const char *key,
           const char *name)
{
    int64_t id = -1;
    if (engine_weights_get_i64(weights, key, &id))
        return id >= 0 && (uint64_t)id < t->tokens->len ? (int32_t)id : -1;
    return name ? tokenizer_find(t, name) : -1;
}

static gboolean
flag(const engine_weights *weights, const char *key, gboolean otherwise)
{
    engine_weights_get_bool(weights, key, &otherwise);
    return otherwise;
}

static gboolean
starts_with(const engine_bytes *s, const char *prefix)
{
    const size_t n = strlen(prefix);
    return s->len >= n && memcmp(s->data, prefix, n) == 0;
}

/* Converted WordPiece vocabularies mark the pieces that start a word with U+2581 and drop the "##" of the
 * others; "[...]" stay as they are. */
static gboolean
set_wordpiece(engine_tokenizer *t, size_t id, const engine_bytes *token, tokenizer_type type,
              GError **error)
{
    const gboolean starts = starts_with(token, "\xE2\x96\x81");
    const gboolean bracketed =
        token->len > 2 && token->data[0] == '[' && token->data[token->len - 1] == ']';
    const size_t skip = starts && type == TOKENIZER_TYPE_NORMAL ? 3 : 0;
    const unsigned flags =
        starts || bracketed || type != TOKENIZER_TYPE_NORMAL ? 0 : TOKENIZER_INSIDE_WORD;
    return tokenizer_set_token(t, (int64_t)id, token->data + skip, token->len - skip, type, flags,
                               error);
}

/* The converter of InternLM2 could not write the piece that is one NUL and put a dragon there. */
static gboolean
is_dragon(const engine_weights *weights, const engine_bytes *token)
{
    return token->len == 4 && memcmp(token->data, "\xF0\x9F\x90\x89", 4) == 0 &&
           g_strcmp0(engine_weights_get_string(weights, "general.architecture"), "internlm2") == 0;
}

static gboolean
set_tokens(engine_tokenizer *t, const engine_weights *weights, GError **error)
{
    size_t n = 0, n_types = 0;
    const engine_bytes *tokens = engine_weights_get_strings(weights, KEY("tokens"), &n);
    const int32_t *types = engine_weights_get_ints(weights, KEY("token_type"), &n_types);
    if (!tokens || n == 0 || n > TOKENIZER_MAX_VOCAB || (types && n_types != n)) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT,
                    "tokenizer.ggml.tokens is missing or does not agree with token_type");
        return FALSE;
    }
    size_t n_bytes = 0;
    for (size_t i = 0; i < n; i++)
        n_bytes += tokens[i].len; /* views into one mapping: no overflow */
    tokenizer_reserve(t, n, n_bytes);
    for (size_t i = 0; i < n; i++) {
        tokenizer_type type = TOKENIZER_TYPE_NORMAL;
        if (types && types[i] >= TOKENIZER_TYPE_NORMAL && types[i] <= TOKENIZER_TYPE_BYTE)
            type = (tokenizer_type)types[i];
        const engine_bytes nul = {"", 1};
        const engine_bytes *token =
            t->kind == TOKENIZER_KIND_SPM && is_dragon(weights, &tokens[i]) ? &nul : &tokens[i];
        const gboolean ok =
            t->kind == TOKENIZER_KIND_WORDPIECE
                ? set_wordpiece(t, i, token, type, error)
                : tokenizer_set_token(t, (int64_t)i, token->data, token->len, type, 0, error);
        if (!ok) return FALSE;
    }
    return tokenizer_build_maps(t, error);
}

static gboolean
load_bpe(engine_tokenizer *t, const engine_weights *weights, GError **error)
{
    const char *pre = engine_weights_get_string(weights, KEY("pre"));
    if (!pre) pre = "default";
    t->bpe.pre = tokenizer_pre_from_name(pre);
    if (!t->bpe.pre && !tokenizer_split_from_name(pre, &t->bpe.split)) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_UNSUPPORTED,
                    "tokenizer.ggml.pre is '%s', which we do not know", pre);
        return FALSE;
    }
    const gboolean llama3 = !t->bpe.pre && t->bpe.split == TOKENIZER_SPLIT_LLAMA3;
    t->bpe.ignore_merges = llama3;
    t->bpe.prefix_space = flag(weights, KEY("add_space_prefix"), FALSE);
    size_t n = 0;
    const engine_bytes *merges = engine_weights_get_strings(weights, KEY("merges"), &n);
    if (!merges) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT, "tokenizer.ggml.merges is missing");
        return FALSE;
    }
    t->unk = special_id(t, weights, KEY("unknown_token_id"), NULL);
    t->bos = special_id(t, weights, KEY("bos_token_id"), NULL);
    t->eos = special_id(t, weights, KEY("eos_token_id"), NULL);
    if (t->bos >= 0 && flag(weights, KEY("add_bos_token"), llama3))
        g_array_append_val(t->prefix, t->bos);
    if (t->eos >= 0 && flag(weights, KEY("add_eos_token"), FALSE))
        g_array_append_val(t->suffix, t->eos);
    size_t n_tokens = 0;
    return tokenizer_bpe_build(t, engine_weights_get_strings(weights, KEY("tokens"), &n_tokens),
                               merges, n, error);
}

/* precompiled_charsmap is an array of u8, which the reader has widened. */
static gboolean
load_charsmap(engine_tokenizer *t, const engine_weights *weights, GError **error)
{
    size_t n = 0;
    const int32_t *wide = engine_weights_get_ints(weights, KEY("precompiled_charsmap"), &n);
    if (!wide || n == 0) return TRUE;
    g_autofree uint8_t *bytes = g_new(uint8_t, n);
    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)wide[i];
    return tokenizer_charsmap_init(&t->spm.charsmap, bytes, n, error);
}

/* Ids and flags that the file may leave out have the values llama.cpp gives them (llama-vocab.cpp). */
static gboolean
load_sentencepiece(engine_tokenizer *t, const engine_weights *weights, GError **error)
{
    const gboolean unigram = t->kind == TOKENIZER_KIND_UNIGRAM;
    size_t n = 0;
    const float *scores = engine_weights_get_floats(weights, KEY("scores"), &n);
    if (!scores || n != t->tokens->len) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT,
                    "tokenizer.ggml.scores is missing or does not agree with the tokens");
        return FALSE;
    }
    t->spm.prefix = flag(weights, KEY("add_space_prefix"), TRUE) ? TOKENIZER_PREFIX_SEGMENT
                                                                 : TOKENIZER_PREFIX_NEVER;
    t->spm.remove_extra = unigram && flag(weights, KEY("remove_extra_whitespaces"), FALSE);
    t->spm.fuse_unknown = t->spm.single = TRUE;
    t->unk = special_id(t, weights, KEY("unknown_token_id"), "<unk>");
    t->bos = special_id(t, weights, KEY("bos_token_id"), "<s>");
    t->eos = special_id(t, weights, KEY("eos_token_id"), "</s>");
    if (t->bos >= 0 && flag(weights, KEY("add_bos_token"), !unigram))
        g_array_append_val(t->prefix, t->bos);
    if (t->eos >= 0 && flag(weights, KEY("add_eos_token"), unigram))
        g_array_append_val(t->suffix, t->eos);
    if (!unigram) return tokenizer_spm_build(t, scores, error);
    g_autofree double *wide = g_new(double, n);
    for (size_t i = 0; i < n; i++)
        wide[i] = (double)scores[i];
    return load_charsmap(t, weights, error) && tokenizer_unigram_build(t, wide, error);
}

static gboolean
load_wordpiece(engine_tokenizer *t, const engine_weights *weights, GError **error)
{
    /* the format has no key for these: every converted model is an uncased one */
    t->wordpiece.clean_text = t->wordpiece.chinese_chars = TRUE;
    t->wordpiece.strip_accents = t->wordpiece.lowercase = TRUE;
    t->unk = special_id(t, weights, KEY("unknown_token_id"), "[UNK]");
    t->bos = special_id(t, weights, KEY("cls_token_id"), NULL);
    if (t->bos < 0) t->bos = special_id(t, weights, KEY("bos_token_id"), "[CLS]");
    t->eos =
        special_id(t, weights, KEY("seperator_token_id"), "[SEP]"); /* the key's own spelling */
    if (t->unk < 0 || t->bos < 0 || t->eos < 0) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT,
                    "tokenizer: no [UNK], [CLS] or [SEP] in a WordPiece vocabulary");
        return FALSE;
    }
    g_array_append_val(t->prefix, t->bos);
    g_array_append_val(t->suffix, t->eos);
    return TRUE;
}

engine_tokenizer *
engine_tokenizer_new_from_gguf(const engine_weights *weights, GError **error)
{
    static const struct {
        const char *model;
        tokenizer_kind kind;
        gboolean (*load)(engine_tokenizer *, const engine_weights *, GError **);
    } kinds[] = {{"gpt2", TOKENIZER_KIND_BPE, load_bpe},
                 {"llama", TOKENIZER_KIND_SPM, load_sentencepiece},
                 {"t5", TOKENIZER_KIND_UNIGRAM, load_sentencepiece},
                 {"bert", TOKENIZER_KIND_WORDPIECE, load_wordpiece}};
    const char *model = engine_weights_get_string(weights, KEY("model"));
    size_t k = 0;
    while (k < G_N_ELEMENTS(kinds) && g_strcmp0(model, kinds[k].model) != 0)
        k++;
    if (k == G_N_ELEMENTS(kinds)) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_UNSUPPORTED,
                    "%s: tokenizer.ggml.model is '%.64s'; we run gpt2, llama, t5 and bert",
                    engine_weights_path(weights), model ? model : "(missing)");
        return NULL;
    }
    g_autoptr(engine_tokenizer) t = tokenizer_new(kinds[k].kind);
    if (!set_tokens(t, weights, error) || !kinds[k].load(t, weights, error)) {
        g_prefix_error(error, "%s: ", engine_weights_path(weights));
        return NULL;
    }
    t->pad = special_id(t, weights, KEY("padding_token_id"),
                        t->kind == TOKENIZER_KIND_WORDPIECE ? "[PAD]" : NULL);
    t->chat_template = g_strdup(engine_weights_get_string(weights, "tokenizer.chat_template"));
    tokenizer_find_ends(t);
    static const char *const end_keys[] = {KEY("eot_token_id"), KEY("eom_token_id")};
    for (size_t i = 0; i < G_N_ELEMENTS(end_keys); i++) {
        const int32_t id = special_id(t, weights, end_keys[i], NULL);
        if (id >= 0 && !engine_tokenizer_ends_text(t, id)) g_array_append_val(t->ends, id);
    }
    return g_steal_pointer(&t);
}
