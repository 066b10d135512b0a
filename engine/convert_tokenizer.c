/* The vocabulary as GGUF keeps it, out of a loaded tokenizer: what its files were does not matter here.
 *
 *   gpt2   tokens and merges in GPT-2's printable alphabet, ranked by their place
 *   llama  SentencePiece: U+2581 for blanks, <0xNN> for bytes, scores that order the merges
 *   bert   pieces that start a word have U+2581 before them, the others no "##"
 *
 * Every row of the embedding has a token; rows without one are called [PADn]. */
#include <string.h>

#include "engine/convert.h"
#include "engine/tokenizer_impl.h"

#define KEY(name) "tokenizer.ggml." name
#define BLANK     "\xE2\x96\x81"

typedef struct {
    const engine_tokenizer *t;
    size_t n;            /* rows of the embedding */
    GString *text;       /* all tokens, one behind the other */
    size_t *ends;        /* [n] of each in text */
    int32_t *types;      /* [n] */
    char *alphabet[256]; /* BPE: UTF-8 of each byte's character */
} vocabulary;

static void
fill_alphabet(vocabulary *v)
{
    for (uint32_t cp = 0; cp < 256 + 68; cp++) {
        const int byte = tokenizer_bpe_byte(cp);
        char utf8[7] = {0};
        if (byte < 0) continue;
        g_unichar_to_utf8(cp, utf8);
        v->alphabet[byte] = g_strdup(utf8);
    }
}

static void
put_alphabet(const vocabulary *v, const char *s, size_t len, GString *out)
{
    for (size_t i = 0; i < len; i++)
        g_string_append(out, v->alphabet[(uint8_t)s[i]]);
}

static void
put_blanks(const char *s, size_t len, GString *out)
{
    for (size_t i = 0; i < len; i++) {
        if (s[i] == ' ')
            g_string_append(out, BLANK);
        else
            g_string_append_c(out, s[i]);
    }
}

static void
put_wordpiece(const tokenizer_token *token, const char *s, GString *out)
{
    const gboolean bracketed = token->len > 2 && s[0] == '[' && s[token->len - 1] == ']';

    if (!(token->flags & TOKENIZER_INSIDE_WORD) && !bracketed) g_string_append(out, BLANK);
    g_string_append_len(out, s, token->len);
}

static void
put_token(const vocabulary *v, const tokenizer_token *token, GString *out)
{
    const char *s = v->t->text->str + token->offset;

    if (token->type == TOKENIZER_TYPE_BYTE && token->len == 1)
        g_string_append_printf(out, "<0x%02X>", (unsigned)(uint8_t)*s);
    else if (token->type != TOKENIZER_TYPE_NORMAL)
        g_string_append_len(out, s, token->len);
    else if (v->t->kind == TOKENIZER_KIND_BPE)
        put_alphabet(v, s, token->len, out);
    else if (v->t->kind == TOKENIZER_KIND_SPM)
        put_blanks(s, token->len, out);
    else
        put_wordpiece(token, s, out);
}

static void
fill_tokens(vocabulary *v)
{
    for (size_t i = 0; i < v->n; i++) {
        const tokenizer_token *token =
            i < v->t->tokens->len ? &g_array_index(v->t->tokens, tokenizer_token, i) : NULL;
        if (token && token->len > 0) {
            put_token(v, token, v->text);
            v->types[i] = token->type;
        } else {
            g_string_append_printf(v->text, "[PAD%zu]", i);
            v->types[i] = TOKENIZER_TYPE_UNUSED;
        }
        v->ends[i] = v->text->len;
    }
}

static void
set_tokens(const vocabulary *v, engine_gguf_writer *writer)
{
    g_autofree engine_bytes *tokens = g_new0(engine_bytes, v->n);

    for (size_t i = 0; i < v->n; i++) {
        const size_t start = i > 0 ? v->ends[i - 1] : 0;
        tokens[i] = (engine_bytes){v->text->str + start, v->ends[i] - start};
    }
    engine_gguf_writer_set_strings(writer, KEY("tokens"), tokens, v->n);
    engine_gguf_writer_set_ints(writer, KEY("token_type"), v->types, v->n);
}

/* ---- merges ---- */

static void
put_merge_side(const vocabulary *v, uint32_t id, GString *out)
{
    const tokenizer_token *token = &g_array_index(v->t->tokens, tokenizer_token, id);
    put_alphabet(v, v->t->text->str + token->offset, token->len, out);
}

static void
set_merges(const vocabulary *v, engine_gguf_writer *writer)
{
    g_autoptr(GArray) order = tokenizer_bpe_list_merges(v->t);
    g_autoptr(GString) text = g_string_new(NULL);
    g_autofree size_t *ends = g_new0(size_t, order->len + 1);
    g_autofree engine_bytes *merges = g_new0(engine_bytes, order->len + 1);

    for (guint i = 0; i < order->len; i++) {
        const tokenizer_merge *merge = &g_array_index(order, tokenizer_merge, i);
        put_merge_side(v, (uint32_t)(merge->pair >> 32), text);
        g_string_append_c(text, ' ');
        put_merge_side(v, (uint32_t)merge->pair, text);
        ends[i + 1] = text->len;
    }
    for (guint i = 0; i < order->len; i++)
        merges[i] = (engine_bytes){text->str + ends[i], ends[i + 1] - ends[i]};
    engine_gguf_writer_set_strings(writer, KEY("merges"), merges, order->len);
}

/* What a merge makes is worth the more the earlier the merge: minus its rank. */
static void
set_scores(const vocabulary *v, engine_gguf_writer *writer)
{
    g_autofree float *scores = g_new0(float, v->n);
    g_autoptr(GArray) merges = tokenizer_bpe_list_merges(v->t);

    for (guint i = 0; i < merges->len; i++) {
        const tokenizer_merge *merge = &g_array_index(merges, tokenizer_merge, i);
        if (merge->merged < 0 || (size_t)merge->merged >= v->n) continue;
        float *score = &scores[merge->merged];
        const float worth = -1.0f - (float)merge->rank;
        if (*score == 0.0f || worth > *score) *score = worth;
    }
    engine_gguf_writer_set_floats(writer, KEY("scores"), scores, v->n);
}

/* ---- special tokens ---- */

static void
set_id(engine_gguf_writer *writer, const char *key, int32_t id)
{
    if (id >= 0) engine_gguf_writer_set_u32(writer, key, (uint32_t)id);
}

static gboolean
adds(const GArray *ids, int32_t id)
{
    return id >= 0 && ids->len > 0 && g_array_index(ids, int32_t, 0) == id;
}

static void
set_specials(const engine_tokenizer *t, engine_gguf_writer *writer)
{
    const gboolean bert = t->kind == TOKENIZER_KIND_WORDPIECE;

    set_id(writer, KEY("unknown_token_id"), t->unk);
    set_id(writer, KEY("padding_token_id"), t->pad);
    if (bert) {
        set_id(writer, KEY("cls_token_id"), t->bos);
        set_id(writer, KEY("seperator_token_id"), t->eos); /* the key's own spelling */
        set_id(writer, KEY("mask_token_id"), tokenizer_find(t, "[MASK]"));
    } else {
        set_id(writer, KEY("bos_token_id"), t->bos);
        set_id(writer, KEY("eos_token_id"), t->eos);
        engine_gguf_writer_set_bool(writer, KEY("add_bos_token"), adds(t->prefix, t->bos));
        engine_gguf_writer_set_bool(writer, KEY("add_eos_token"), adds(t->suffix, t->eos));
    }
    if (t->kind == TOKENIZER_KIND_SPM)
        engine_gguf_writer_set_bool(writer, KEY("add_space_prefix"),
                                    t->spm.prefix != TOKENIZER_PREFIX_NEVER);
    if (t->kind == TOKENIZER_KIND_BPE && t->bpe.prefix_space)
        engine_gguf_writer_set_bool(writer, KEY("add_space_prefix"), TRUE);
    if (t->chat_template)
        engine_gguf_writer_set_string(writer, "tokenizer.chat_template", t->chat_template);
}

static void
set_vocabulary(const engine_converter *c, const engine_tokenizer *t, const char *pre)
{
    vocabulary v = {.t = t, .n = c->model->info.n_vocab, .text = g_string_new(NULL)};

    v.ends = g_new0(size_t, v.n);
    v.types = g_new0(int32_t, v.n);
    fill_alphabet(&v);
    fill_tokens(&v);
    engine_gguf_writer_set_string(c->writer, KEY("model"),
                                  t->kind == TOKENIZER_KIND_BPE   ? "gpt2"
                                  : t->kind == TOKENIZER_KIND_SPM ? "llama"
                                                                  : "bert");
    if (t->kind == TOKENIZER_KIND_WORDPIECE) {
        engine_gguf_writer_set_u32(c->writer, KEY("token_type_count"), 2);
    } else {
        engine_gguf_writer_set_string(c->writer, KEY("pre"), pre);
    }
    set_tokens(&v, c->writer);
    if (t->kind == TOKENIZER_KIND_BPE) set_merges(&v, c->writer);
    if (t->kind == TOKENIZER_KIND_SPM) set_scores(&v, c->writer);
    set_specials(t, c->writer);
    for (size_t i = 0; i < G_N_ELEMENTS(v.alphabet); i++)
        g_free(v.alphabet[i]);
    g_string_free(v.text, TRUE);
    g_free(v.ends);
    g_free(v.types);
}

/* The value of tokenizer.ggml.pre; NULL: GGUF has none. */
static const char *
pre_of(const engine_tokenizer *t)
{
    static const char *const splits[] = {
        [TOKENIZER_SPLIT_GPT2] = "gpt-2",       [TOKENIZER_SPLIT_SMOLLM] = "smollm",
        [TOKENIZER_SPLIT_LLAMA3] = "llama-bpe", [TOKENIZER_SPLIT_QWEN2] = "qwen2",
        [TOKENIZER_SPLIT_QWEN35] = "qwen35",    [TOKENIZER_SPLIT_DEFAULT] = "default"};

    if (t->kind != TOKENIZER_KIND_BPE) return "default";
    return t->bpe.pre ? tokenizer_pre_find_name(t->bpe.pre) : splits[t->bpe.split];
}

gboolean
engine_convert_tokenizer(engine_converter *c, GError **error)
{
    const engine_tokenizer *t = c->model->tokenizer;

    if (!t) {
        engine_gguf_writer_set_string(c->writer, KEY("model"), "none");
        if (c->options->note)
            c->options->note("no tokenizer beside the weights: the file will have none",
                             c->options->user_data);
        return TRUE;
    }
    if (t->kind == TOKENIZER_KIND_UNIGRAM) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_UNSUPPORTED,
                    "%s: a Unigram tokenizer cannot be converted", engine_weights_path(c->weights));
        return FALSE;
    }
    const char *pre = pre_of(t);
    if (!pre) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_UNSUPPORTED,
                    "%s: GGUF has no name for the steps of its pre-tokenizer",
                    engine_weights_path(c->weights));
        return FALSE;
    }
    set_vocabulary(c, t, pre);
    return TRUE;
}
