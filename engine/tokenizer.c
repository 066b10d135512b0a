/* Encoding and decoding: what all kinds of tokenizer share. */
#include "engine/tokenizer_impl.h"
#include "engine/vocab_trie.h"

#include <string.h>

engine_tokenizer *
tokenizer_new(tokenizer_kind kind)
{
    engine_tokenizer *t = g_new0(engine_tokenizer, 1);
    t->kind = kind;
    t->max_tokens = TOKENIZER_MAX_VOCAB;
    t->tokens = g_array_new(FALSE, TRUE, sizeof(tokenizer_token));
    t->text = g_string_new(NULL);
    tokenizer_map_init(&t->map, t->text, t->tokens);
    tokenizer_map_init(&t->added, t->text, t->tokens);
    tokenizer_map_init(&t->literal, t->text, t->tokens);
    tokenizer_map_init(&t->control, t->text, t->tokens);
    tokenizer_map_init(&t->wordpiece.rest, t->text, t->tokens);
    tokenizer_map_init(&t->spm.user, t->text, t->tokens);
    tokenizer_map_init(&t->spm.rare, t->text, NULL);
    tokenizer_map_init(&t->spm.starts, t->text, NULL);
    t->wordpiece.max_word_chars = 100;
    t->prefix = g_array_new(FALSE, FALSE, sizeof(int32_t));
    t->suffix = g_array_new(FALSE, FALSE, sizeof(int32_t));
    t->ends = g_array_new(FALSE, FALSE, sizeof(int32_t));
    t->bos = t->eos = t->pad = t->unk = t->bpe.unk = -1;
    return t;
}

void
engine_tokenizer_free(engine_tokenizer *t)
{
    if (!t) return;
    g_array_unref(t->tokens);
    g_string_free(t->text, TRUE);
    tokenizer_map_clear(&t->map);
    tokenizer_map_clear(&t->added);
    tokenizer_map_clear(&t->literal);
    tokenizer_map_clear(&t->control);
    tokenizer_map_clear(&t->wordpiece.rest);
    tokenizer_map_clear(&t->spm.user);
    tokenizer_map_clear(&t->spm.rare);
    tokenizer_map_clear(&t->spm.starts);
    tokenizer_charsmap_clear(&t->spm.charsmap);
    g_free(t->spm.scores);
    g_array_unref(t->prefix);
    g_array_unref(t->suffix);
    g_array_unref(t->ends);
    tokenizer_pre_free(t->bpe.pre);
    g_free(t->bpe.merges);
    g_free(t->bpe.cuts);
    g_free(t->chat_template);
    if (t->science) g_ptr_array_unref(t->science);
    vocab_trie_free(t->trie);
    g_free(t);
}

/* ---- building --------------------------------------------------------------------------------- */

static gboolean
is_utf8(const char *s, size_t len)
{
    g_autofree char *owned = NULL;
    size_t n = 0;
    unicode_repair(s, len, &owned, &n);
    return owned == NULL;
}

static gboolean
is_sentencepiece(const engine_tokenizer *t)
{
    return t->kind == TOKENIZER_KIND_SPM || t->kind == TOKENIZER_KIND_UNIGRAM;
}

/* What the token stands for in a text. */
static void
append_decoded(engine_tokenizer *t, tokenizer_token *token, const char *text, size_t len)
{
    const gboolean normal = token->type == TOKENIZER_TYPE_NORMAL;
    if (is_sentencepiece(t)) {
        const int byte = token->type == TOKENIZER_TYPE_BYTE ? tokenizer_spm_byte(text, len) : -1;
        if (byte >= 0)
            g_string_append_c(t->text, (char)byte);
        else if (normal || token->flags & TOKENIZER_PIECE)
            tokenizer_spm_unescape(text, len, t->text);
        else
            g_string_append_len(t->text, text, (gssize)len);
        if (normal && !is_utf8(t->text->str + token->offset, t->text->len - token->offset))
            token->type = TOKENIZER_TYPE_UNUSED; /* no well-formed text has it */
        return;
    }
    if (t->kind == TOKENIZER_KIND_BPE && normal) {
        const gsize start = t->text->len;
        if (t->text->allocated_len - start <= len) g_string_set_size(t->text, start + len);
        const gssize n = tokenizer_bpe_unmap(text, len, t->text->str + start);
        t->text->len = start + (gsize)MAX(n, 0);
        t->text->str[t->text->len] = '\0';
        if (n >= 0) return;
        token->type = TOKENIZER_TYPE_UNUSED; /* not made of bytes: no text gives it */
    }
    g_string_append_len(t->text, text, (gssize)len);
}

void
tokenizer_reserve(engine_tokenizer *t, size_t n, size_t n_bytes)
{
    const gsize len = t->text->len;
    const guint old = t->tokens->len;

    g_string_set_size(t->text, MAX(len, n_bytes));
    g_string_truncate(t->text, len);
    if (n <= old) return;
    g_array_set_size(t->tokens, (guint)n);
    for (guint i = old; i < n; i++)
        g_array_index(t->tokens, tokenizer_token, i).type = TOKENIZER_TYPE_UNUSED;
}

gboolean
tokenizer_set_token(engine_tokenizer *t, int64_t id, const char *text, size_t len,
                    tokenizer_type type, unsigned flags, GError **error)
{
    if (id < 0 || (uint64_t)id >= t->max_tokens || len > G_MAXUINT16) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT,
                    "tokenizer: token %" G_GINT64_FORMAT " of %zu bytes is out of bounds", id, len);
        return FALSE;
    }
    if (t->text->len > G_MAXUINT32 - len) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT,
                    "tokenizer: the vocabulary has more than 4 GiB of text");
        return FALSE;
    }
    if ((guint)id >= t->tokens->len) tokenizer_reserve(t, (size_t)id + 1, 0);
    tokenizer_token *token = &g_array_index(t->tokens, tokenizer_token, id);
    if (token->len > 0) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT,
                    "tokenizer: token %" G_GINT64_FORMAT " is there twice", id);
        return FALSE;
    }
    token->type = (uint8_t)type;
    token->flags = (uint8_t)flags;
    token->offset = (uint32_t)t->text->len;
    append_decoded(t, token, text, len);
    token->len = (uint16_t)(t->text->len - token->offset); /* decoding makes nothing longer */
    return TRUE;
}

/* Ids on their way into a map: a few at a time go in faster than one by one. */
typedef struct {
    tokenizer_map *map;
    size_t n;
    int32_t ids[256];
} map_queue;

static void
flush(map_queue *queue)
{
    tokenizer_map_add(queue->map, queue->ids, queue->n);
    queue->n = 0;
}

static void
put(map_queue *queue, int32_t id)
{
    if (queue->n == G_N_ELEMENTS(queue->ids)) flush(queue);
    queue->ids[queue->n++] = id;
}

static void
add_special(engine_tokenizer *t, int32_t id)
{
    const tokenizer_token *token = &g_array_index(t->tokens, tokenizer_token, id);

    /* others would cut a text inside a character */
    if (!is_utf8(t->text->str + token->offset, token->len)) return;
    if (token->flags & TOKENIZER_PIECE) {
        tokenizer_map_add(&t->spm.user, &id, 1);
        return;
    }
    tokenizer_map_add(&t->added, &id, 1);
    tokenizer_map_add(token->type == TOKENIZER_TYPE_USER ? &t->literal : &t->control, &id, 1);
}

gboolean
tokenizer_build_maps(engine_tokenizer *t, GError **error)
{
    if (t->tokens->len == 0) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT, "tokenizer: the vocabulary is empty");
        return FALSE;
    }
    if (t->kind != TOKENIZER_KIND_WORDPIECE) tokenizer_map_reserve(&t->map, t->tokens->len);
    map_queue normal = {.map = &t->map}, rest = {.map = &t->wordpiece.rest};
    size_t n_normal = 0;
    for (guint i = 0; i < t->tokens->len; i++) {
        const tokenizer_token *token = &g_array_index(t->tokens, tokenizer_token, i);
        switch (token->type) {
        case TOKENIZER_TYPE_NORMAL:
            put(token->flags & TOKENIZER_INSIDE_WORD ? &rest : &normal, (int32_t)i);
            n_normal++;
            break;
        case TOKENIZER_TYPE_USER:
        case TOKENIZER_TYPE_CONTROL:
        case TOKENIZER_TYPE_UNKNOWN:
            add_special(t, (int32_t)i);
            break;
        default:
            break;
        }
    }
    flush(&normal);
    flush(&rest);
    t->unique = tokenizer_map_size(&t->map) == n_normal;
    return TRUE;
}

int32_t
tokenizer_find(const engine_tokenizer *t, const char *text)
{
    const int32_t id = tokenizer_map_lookup(&t->added, text, strlen(text));
    return id >= 0 ? id : tokenizer_map_lookup(&t->map, text, strlen(text));
}

void
tokenizer_find_ends(engine_tokenizer *t)
{
    static const char *const names[] = {"<|im_end|>", "<|endoftext|>", "</s>", "<|eot_id|>",
                                        "<|end_of_text|>"};
    if (t->eos >= 0) g_array_append_val(t->ends, t->eos);
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        const int32_t id = tokenizer_map_lookup(&t->added, names[i], strlen(names[i]));
        if (id >= 0 && !engine_tokenizer_ends_text(t, id)) g_array_append_val(t->ends, id);
    }
}

/* ---- facts ------------------------------------------------------------------------------------ */

size_t
engine_tokenizer_n_vocab(const engine_tokenizer *t)
{
    return t->tokens->len;
}

int32_t
engine_tokenizer_bos(const engine_tokenizer *t)
{
    return t->bos;
}

int32_t
engine_tokenizer_eos(const engine_tokenizer *t)
{
    return t->eos;
}

int32_t
engine_tokenizer_pad(const engine_tokenizer *t)
{
    return t->pad;
}

int32_t
engine_tokenizer_unk(const engine_tokenizer *t)
{
    return t->unk;
}

gboolean
engine_tokenizer_ends_text(const engine_tokenizer *t, int32_t id)
{
    for (guint i = 0; i < t->ends->len; i++)
        if (g_array_index(t->ends, int32_t, i) == id) return TRUE;
    return FALSE;
}

const int32_t *
engine_tokenizer_ends(const engine_tokenizer *t, size_t *n)
{
    *n = t->ends->len;
    return (const int32_t *)(void *)t->ends->data;
}

gboolean
engine_tokenizer_token_bytes(const engine_tokenizer *t, int32_t id, const char **bytes, size_t *len)
{
    if (id < 0 || (guint)id >= t->tokens->len) return FALSE;
    const tokenizer_token *token = &g_array_index(t->tokens, tokenizer_token, id);
    if (token->type != TOKENIZER_TYPE_NORMAL && token->type != TOKENIZER_TYPE_USER &&
        token->type != TOKENIZER_TYPE_BYTE)
        return FALSE;
    *bytes = t->text->str + token->offset;
    *len = token->len;
    return TRUE;
}

const char *
engine_tokenizer_chat_template(const engine_tokenizer *t)
{
    return t->chat_template;
}

int32_t
engine_tokenizer_find_added(const engine_tokenizer *t, const char *text)
{
    return tokenizer_map_lookup(&t->added, text, strlen(text));
}

size_t
engine_tokenizer_match_control(const engine_tokenizer *t, const char *text, size_t len)
{
    int32_t id = -1;
    return tokenizer_map_longest(&t->control, text, len, &id);
}

/* ---- encoding --------------------------------------------------------------------------------- */

/* text [len] between added tokens, well formed; first: it starts the whole text. */
static void
encode_plain(const engine_tokenizer *t, tokenizer_bpe_run *run, const char *text, size_t len,
             gboolean first, GArray *out)
{
    if (len == 0) return;
    if (is_sentencepiece(t)) {
        tokenizer_spm_encode(run, text, len, first);
        return;
    }
    if (t->kind == TOKENIZER_KIND_WORDPIECE) {
        tokenizer_wordpiece_encode(t, text, len, out);
        return;
    }
    g_autoptr(GString) changed = NULL;
    if (t->bpe.nfc) {
        changed = unicode_compose(text, len);
        text = changed->str, len = changed->len;
    }
    if (t->bpe.prefix_space && len > 0 && text[0] != ' ') {
        if (!changed) changed = g_string_new_len(text, (gssize)len);
        g_string_prepend_c(changed, ' ');
        text = changed->str, len = changed->len;
    }
    if (t->bpe.pre)
        tokenizer_pre_cut(t->bpe.pre, text, len, tokenizer_bpe_piece, run);
    else
        tokenizer_split_text(t->bpe.split, text, len, tokenizer_bpe_piece, run);
}

static gboolean
is_word_char(const char *s, const char *end)
{
    uint32_t cp = 0;
    if (s == end) return FALSE;
    unicode_next(s, (size_t)(end - s), &cp);
    return cp == '_' || unicode_class(cp) & (UNICODE_LETTER | UNICODE_NUMBER | UNICODE_MARK);
}

static const char *
char_before(const char *start, const char *s)
{
    while (s > start && ((uint8_t) * --s & 0xC0) == 0x80) {
    }
    return s;
}

static gboolean
is_space_at(const char *s, const char *end, size_t *len)
{
    uint32_t cp = 0;
    if (s >= end) return FALSE;
    *len = unicode_next(s, (size_t)(end - s), &cp);
    return (unicode_class(cp) & UNICODE_SPACE) != 0;
}

/* The first added token of text at or after s: its id, and in *start, *stop the bytes it takes the place
 * of. -1: none. */
static int32_t
next_added(const engine_tokenizer *t, const tokenizer_map *map, const char *s, const char *end,
           const char **start, const char **stop)
{
    const char *const begin = s;
    for (; s < end; s++) {
        int32_t id = -1;
        size_t n = tokenizer_map_longest(map, s, (size_t)(end - s), &id);
        if (n == 0) continue;
        const unsigned flags = g_array_index(t->tokens, tokenizer_token, id).flags;
        *start = s, *stop = s + n;
        if (flags & TOKENIZER_SINGLE_WORD &&
            (is_word_char(*stop, end) || (s > begin && is_word_char(char_before(begin, s), end))))
            continue;
        size_t blank = 0;
        if (flags & TOKENIZER_LSTRIP)
            while (*start > begin && is_space_at(char_before(begin, *start), end, &blank))
                *start -= blank;
        if (flags & TOKENIZER_RSTRIP)
            while (is_space_at(*stop, end, &blank))
                *stop += blank;
        return id;
    }
    return -1;
}

typedef struct {
    const engine_tokenizer *t;
    tokenizer_bpe_run *run;
    GArray *out;
} plain_piece;

static void
encode_piece(void *data, const char *text, size_t len)
{
    const plain_piece *piece = data;
    encode_plain(piece->t, piece->run, text, len, FALSE, piece->out);
}

/* The science models whose tags are open, and how many others protect what stands in them. */
typedef struct {
    GPtrArray *open; /* NULL: the tokenizer has none */
    uint32_t n_protected;
} science_state;

static void
encode_stretch(const engine_tokenizer *t, tokenizer_bpe_run *run, science_state *state,
               const char *s, size_t len, gboolean first, gboolean with_tags, GArray *out)
{
    plain_piece piece = {t, run, out};

    if (len == 0 || !state->open)
        encode_plain(t, run, s, len, first, out);
    else if (state->open->len > 0)
        tokenizer_science_encode(state->open->pdata[state->open->len - 1], s, len, out);
    else
        tokenizer_science_detect(t, s, len, with_tags, &state->n_protected, encode_piece, &piece,
                                 out);
}

static void
follow_tag(const engine_tokenizer *t, science_state *state, int32_t id)
{
    if (!state->open || id < 0) return;
    const tokenizer_science *science = tokenizer_science_at(t, id);
    if (science)
        g_ptr_array_add(state->open, (gpointer)(uintptr_t)science);
    else if (state->open->len > 0 && tokenizer_science_closes(t, id))
        g_ptr_array_set_size(state->open, (gint)state->open->len - 1);
}

void
engine_tokenizer_encode(const engine_tokenizer *t, const char *text, size_t len,
                        engine_tokenize_flags flags, GArray *out)
{
    g_autofree char *owned = NULL;
    size_t n = 0;
    const char *s = unicode_repair(text, len, &owned, &n);
    const char *const end = s + n;
    const tokenizer_map *map = flags & ENGINE_TOKENIZE_PARSE_SPECIAL ? &t->added : &t->literal;
    const gboolean special = (flags & ENGINE_TOKENIZE_ADD_SPECIAL) != 0;

    if (special) g_array_append_vals(out, t->prefix->data, t->prefix->len);
    tokenizer_bpe_run run;
    tokenizer_bpe_run_init(&run, t, n, out);
    science_state state = {.open = t->science ? g_ptr_array_new() : NULL};
    for (gboolean first = TRUE; s < end; first = FALSE) {
        const char *start = end, *stop = end;
        const int32_t id = next_added(t, map, s, end, &start, &stop);
        if (id < 0) start = stop = end;
        encode_stretch(t, &run, &state, s, (size_t)(start - s), first,
                       (flags & ENGINE_TOKENIZE_PARSE_SPECIAL) != 0, out);
        if (id >= 0) g_array_append_val(out, id);
        follow_tag(t, &state, id);
        s = stop;
    }
    if (state.open) g_ptr_array_unref(state.open);
    tokenizer_bpe_run_clear(&run);
    if (special) g_array_append_vals(out, t->suffix->data, t->suffix->len);
}

void
engine_tokenizer_decode(const engine_tokenizer *t, const int32_t *tokens, size_t n,
                        gboolean with_special, GString *out)
{
    const gsize start = out->len;
    gboolean strip = is_sentencepiece(t) && t->spm.prefix != TOKENIZER_PREFIX_NEVER;
    for (size_t i = 0; i < n; i++) {
        if (tokens[i] < 0 || (guint)tokens[i] >= t->tokens->len) continue;
        const tokenizer_token *token = &g_array_index(t->tokens, tokenizer_token, tokens[i]);
        const char *s = t->text->str + token->offset;
        const gboolean control =
            token->type == TOKENIZER_TYPE_CONTROL || token->type == TOKENIZER_TYPE_UNKNOWN;
        if (control && !with_special) continue;
        if (t->kind == TOKENIZER_KIND_WORDPIECE && !(token->flags & TOKENIZER_INSIDE_WORD) &&
            out->len > start)
            g_string_append_c(out, ' ');
        /* the blank that encoding put before the text */
        const tokenizer_science *science = tokenizer_science_of(t, tokens[i]);
        const gboolean begins =
            science && (i == 0 || tokenizer_science_of(t, tokens[i - 1]) != science);
        const gboolean strip_here = strip || (begins && tokenizer_science_strips(science));
        const gboolean skip = strip_here && !control && token->len > 0 && *s == ' ';
        strip = strip && control;
        g_string_append_len(out, s + skip, (gssize)token->len - skip);
    }
}
