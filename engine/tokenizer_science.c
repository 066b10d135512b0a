/* Intern-S1's science tokenizers: a byte-level BPE, and SentencePiece models for what stands between tags.
 *
 *   ids   | base vocabulary, added tokens | pieces of model 1, its tags | pieces of model 2, its tags | ...
 *
 *   Intern-S1, -mini   SMILES (also SELFIES)  IUPAC  FASTA
 *   Intern-S1-Pro      PROT  SMILES (also SELFIES)  XNA
 *
 * Between <SMILES> and </SMILES> the model of that name cuts the text. The reference can also look for such
 * text outside of tags, which mistakes long runs of capitals for proteins; that is not done here. The models
 * are files beside tokenizer.json; conversion to GGUF loses them, and then everything is the BPE's. */
#include "engine/tokenizer_json.h"

#include <string.h>

struct tokenizer_science {
    engine_tokenizer *pieces;
    int32_t offset;            /* its first id */
    int32_t open[2], close[2]; /* tags; -1: the vocabulary lacks it */
};

static void
science_free(gpointer p)
{
    tokenizer_science *s = p;
    engine_tokenizer_free(s->pieces);
    g_free(s);
}

/* The first id from `from` on that no added token has. */
static size_t
behind_added(const engine_tokenizer *t, size_t from)
{
    while (from < t->tokens->len) {
        const tokenizer_token *token = &g_array_index(t->tokens, tokenizer_token, from);
        if (token->type == TOKENIZER_TYPE_UNUSED || token->len == 0) break;
        from++;
    }
    return from;
}

static int32_t
find_tag(const engine_tokenizer *t, const char *format, const char *name)
{
    g_autofree char *tag = g_strdup_printf("<%s%s>", format, name);
    return engine_tokenizer_find_added(t, tag);
}

/* Give the pieces their ids, which no text of the base vocabulary leads to. */
static gboolean
place(engine_tokenizer *t, const engine_tokenizer *pieces, size_t offset, GError **error)
{
    const guint n = pieces->tokens->len;
    if (offset > TOKENIZER_MAX_VOCAB || n > TOKENIZER_MAX_VOCAB - offset) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT, "tokenizer: %u more pieces", n);
        return FALSE;
    }
    t->max_tokens = MAX(t->max_tokens, offset + n);
    for (guint i = 0; i < n; i++) {
        const tokenizer_token *token = &g_array_index(pieces->tokens, tokenizer_token, i);
        if (!tokenizer_set_token(t, (int64_t)(offset + i), pieces->text->str + token->offset,
                                 token->len, TOKENIZER_TYPE_UNUSED, 0, error))
            return FALSE;
    }
    return TRUE;
}

gboolean
tokenizer_science_add(engine_tokenizer *t, const char *name, engine_tokenizer *pieces,
                      GError **error)
{
    tokenizer_science *s = g_new0(tokenizer_science, 1);
    const char *other = strcmp(name, "SMILES") == 0 ? "SELFIES" : name;
    s->pieces = pieces;
    s->open[0] = find_tag(t, "", name), s->close[0] = find_tag(t, "/", name);
    s->open[1] = find_tag(t, "", other), s->close[1] = find_tag(t, "/", other);
    if (!t->science) {
        t->science = g_ptr_array_new_with_free_func(science_free);
        t->n_base = behind_added(t, 0);
    }
    g_ptr_array_add(t->science, s);
    s->offset = (int32_t)t->n_base;
    if (!place(t, pieces, t->n_base, error)) {
        g_prefix_error(error, "tokenizer_%s.model: ", name);
        return FALSE;
    }
    t->n_base = behind_added(t, t->n_base + pieces->tokens->len);
    return TRUE;
}

const tokenizer_science *
tokenizer_science_at(const engine_tokenizer *t, int32_t tag)
{
    for (guint i = 0; t->science && i < t->science->len; i++) {
        const tokenizer_science *s = t->science->pdata[i];
        if (tag >= 0 && (s->open[0] == tag || s->open[1] == tag)) return s;
    }
    return NULL;
}

void
tokenizer_science_encode(const tokenizer_science *s, const char *text, size_t len, GArray *out)
{
    const guint from = out->len;
    engine_tokenizer_encode(s->pieces, text, len, ENGINE_TOKENIZE_PLAIN, out);
    for (guint i = from; i < out->len; i++)
        g_array_index(out, int32_t, i) += s->offset;
}

gboolean
tokenizer_science_strips(const tokenizer_science *s)
{
    return s->pieces->spm.prefix != TOKENIZER_PREFIX_NEVER;
}
