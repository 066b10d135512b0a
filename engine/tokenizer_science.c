/* Intern-S1's science tokenizers: a byte-level BPE, and SentencePiece models for what stands between tags.
 *
 *   ids   | base vocabulary, added tokens | pieces of model 1, its tags | pieces of model 2, its tags | ...
 *
 *   Intern-S1, -mini   SMILES (also SELFIES)  IUPAC  FASTA
 *   Intern-S1-Pro      PROT  SMILES (also SELFIES)  XNA
 *
 * Between <SMILES> and </SMILES> the model of that name cuts the text; tags may be nested. Intern-S1's tokenizer also
 * looks for such text outside of tags (tokenizer_detect.c), but not between <MOLFORMULA> and </MOLFORMULA>, which are
 * no tokens; for long runs of capitals it takes a protein. What Intern-S1-Pro's does is not published with the library, so
 * only tags count there. The models are files beside tokenizer.json; conversion to GGUF loses them, and then everything
 * is the BPE's. */
#include "engine/tokenizer_json.h"

#include <string.h>

struct tokenizer_science {
    engine_tokenizer *pieces;
    int32_t offset;            /* its first id */
    int32_t open[2], close[2]; /* tags; -1: the vocabulary lacks it */
    gboolean (*detect)(const char *text, size_t len, size_t *start, size_t *end); /* may be NULL */
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
    if (strcmp(name, "FASTA") == 0) s->detect = tokenizer_detect_protein;
    if (strcmp(name, "SMILES") == 0) s->detect = tokenizer_detect_molecule;
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

gboolean
tokenizer_science_closes(const engine_tokenizer *t, int32_t tag)
{
    for (guint i = 0; t->science && i < t->science->len; i++) {
        const tokenizer_science *s = t->science->pdata[i];
        if (tag >= 0 && (s->close[0] == tag || s->close[1] == tag)) return TRUE;
    }
    return FALSE;
}

const tokenizer_science *
tokenizer_science_of(const engine_tokenizer *t, int32_t id)
{
    for (guint i = 0; t->science && i < t->science->len; i++) {
        const tokenizer_science *s = t->science->pdata[i];
        if (id >= s->offset && (guint)(id - s->offset) < s->pieces->tokens->len) return s;
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

/* ---- outside of tags ---- */

/* The model that detects with this function, NULL when it is not there. FASTA's presence tells Intern-S1 from -Pro. */
static const tokenizer_science *
find_detector(const engine_tokenizer *t,
              gboolean (*detect)(const char *, size_t, size_t *, size_t *))
{
    for (guint i = 0; t->science && i < t->science->len; i++) {
        const tokenizer_science *s = t->science->pdata[i];
        if (s->detect == detect) return s;
    }
    return NULL;
}

typedef struct {
    const tokenizer_science *molecules, *proteins;
    tokenizer_plain_fn plain;
    void *data;
    GArray *out;
} detection;

/* Proteins are looked for in what is no molecule and in molecules too: 27 atoms of carbon are one. */
static void
cut_proteins(const detection *d, const tokenizer_science *rest, const char *text, size_t len)
{
    size_t done = 0, start = 0, end = 0;

    for (gboolean more = TRUE; more; done = start = end) {
        more = tokenizer_detect_protein(text, len, &start, &end);
        const size_t stop = more ? start : len;
        if (stop > done && rest)
            tokenizer_science_encode(rest, text + done, stop - done, d->out);
        else if (stop > done)
            d->plain(d->data, text + done, stop - done);
        if (more) tokenizer_science_encode(d->proteins, text + start, end - start, d->out);
    }
}

static void
cut_molecules(const detection *d, const char *text, size_t len)
{
    size_t done = 0, start = 0, end = 0;

    while (d->molecules && tokenizer_detect_molecule(text, len, &start, &end)) {
        cut_proteins(d, NULL, text + done, start - done);
        cut_proteins(d, d->molecules, text + start, end - start);
        done = start = end;
    }
    cut_proteins(d, NULL, text + done, len - done);
}

/* The next <MOLFORMULA> or </MOLFORMULA>; NULL: none. */
static const char *
find_protection(const char *text, size_t len, size_t *tag_len, gboolean *closes)
{
    static const char open[] = "<MOLFORMULA>", close[] = "</MOLFORMULA>";
    const char *const end = text + len;

    for (const char *s = text; (s = memchr(s, '<', (size_t)(end - s))) != NULL; s++) {
        *closes = (size_t)(end - s) >= 2 && s[1] == '/';
        *tag_len = *closes ? sizeof close - 1 : sizeof open - 1;
        if ((size_t)(end - s) >= *tag_len && memcmp(s, *closes ? close : open, *tag_len) == 0)
            return s;
    }
    return NULL;
}

void
tokenizer_science_detect(const engine_tokenizer *t, const char *text, size_t len,
                         gboolean with_tags, uint32_t *n_protected, tokenizer_plain_fn plain,
                         void *data, GArray *out)
{
    const detection d = {.molecules = find_detector(t, tokenizer_detect_molecule),
                         .proteins = find_detector(t, tokenizer_detect_protein),
                         .plain = plain,
                         .data = data,
                         .out = out};

    if (!d.proteins) {
        plain(data, text, len);
        return;
    }
    while (len > 0) {
        size_t tag_len = 0;
        gboolean closes = FALSE;
        const char *tag = with_tags ? find_protection(text, len, &tag_len, &closes) : NULL;
        const size_t n = tag ? (size_t)(tag - text) : len;
        if (n > 0 && *n_protected > 0)
            plain(data, text, n);
        else if (n > 0)
            cut_molecules(&d, text, n);
        if (!tag) return;
        plain(data, tag, tag_len);
        if (!closes)
            ++*n_protected;
        else if (*n_protected > 0)
            --*n_protected;
        text = tag + tag_len;
        len -= n + tag_len;
    }
}
