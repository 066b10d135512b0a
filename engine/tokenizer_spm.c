/* SentencePiece (Kudo and Richardson, arXiv:1808.06226): normalisation, and BPE of characters.
 *
 *   text --charsmap--> characters --blanks: prefix, runs--> stretch --user-defined pieces cut out-->
 *   words --merged by score--> ids
 *
 * The reference looks for the adjacent pair whose joined text is the piece with the highest score. Which
 * pairs can ever join is known beforehand: every piece cut in two at each character. So the pairs go into
 * the table that byte-level BPE uses, a pair's rank being its piece's place in the order of scores, and
 * one merging loop serves both.
 *
 * Where no piece has a blank behind another character, nothing merges across the beginning of a word, and
 * words are merged one by one. */
#include "engine/tokenizer_impl.h"

#include <math.h>
#include <string.h>

#define BLANK           "\xE2\x96\x81" /* U+2581 */
#define MAX_PIECE_BYTES 1024u
#define MAX_WORD_BYTES  ((size_t)1 << 20) /* longer ones are cut, as in tokenizer_bpe.c */

void
tokenizer_spm_unescape(const char *text, size_t len, GString *out)
{
    for (const char *end = text + len; text < end;) {
        const char *blank = memmem(text, (size_t)(end - text), BLANK, 3);
        g_string_append_len(out, text, (blank ? blank : end) - text);
        if (blank) g_string_append_c(out, ' ');
        text = blank ? blank + 3 : end;
    }
}

int
tokenizer_spm_byte(const char *text, size_t len)
{
    if (len != 6 || memcmp(text, "<0x", 3) != 0 || text[5] != '>') return -1;
    const int high = g_ascii_xdigit_value(text[3]), low = g_ascii_xdigit_value(text[4]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* ---- building --------------------------------------------------------------------------------- */

static void
note_blanks(tokenizer_spm *spm, const char *s, size_t len)
{
    for (size_t i = 1; i < len && !spm->inner_blanks; i++)
        spm->inner_blanks = s[i] == ' ' && s[i - 1] != ' ';
}

/* Characters that only occur inside pieces need ids to merge from. */
static void
note_rare(engine_tokenizer *t, const char *s, size_t len)
{
    for (size_t i = 0, n; i < len; i += n) {
        uint32_t cp = 0;
        n = unicode_next(s + i, len - i, &cp);
        if (tokenizer_map_lookup(&t->map, s + i, n) < 0)
            tokenizer_map_add_key(&t->spm.rare, s + i, n);
    }
}

/* The id of a piece, or of a character that is none. */
static int32_t
symbol_id(const engine_tokenizer *t, const char *s, size_t len)
{
    const int32_t id = tokenizer_map_lookup(&t->map, s, len);
    if (id >= 0) return id;
    const int32_t rare = tokenizer_map_lookup(&t->spm.rare, s, len);
    return rare < 0 ? -1 : (int32_t)t->tokens->len + rare;
}

typedef struct {
    float score;
    int32_t id;
} scored;

static gint
compare_scores(gconstpointer a, gconstpointer b)
{
    const float x = ((const scored *)a)->score, y = ((const scored *)b)->score;
    return (x < y) - (x > y); /* highest first */
}

static void
add_cuts(engine_tokenizer *t, int32_t id, uint32_t rank)
{
    const tokenizer_token *token = &g_array_index(t->tokens, tokenizer_token, id);
    const char *s = t->text->str + token->offset;
    uint32_t cp = 0;
    for (size_t i = unicode_next(s, token->len, &cp); i < token->len;
         i += unicode_next(s + i, token->len - i, &cp)) {
        const int32_t left = symbol_id(t, s, i);
        const int32_t right = left < 0 ? -1 : symbol_id(t, s + i, token->len - i);
        if (right >= 0) tokenizer_bpe_add_merge(&t->bpe, left, right, rank, id);
    }
}

static gboolean
add_scored_merges(engine_tokenizer *t, const float *scores, GError **error)
{
    g_autoptr(GArray) order = g_array_new(FALSE, FALSE, sizeof(scored));
    for (guint i = 0; i < t->tokens->len; i++) {
        const tokenizer_token *token = &g_array_index(t->tokens, tokenizer_token, i);
        if (token->type != TOKENIZER_TYPE_NORMAL || token->len == 0) continue;
        if (!isfinite(scores[i])) {
            g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT,
                        "tokenizer: the score of token %u is not a number", i);
            return FALSE;
        }
        const scored s = {scores[i], (int32_t)i};
        /* of two pieces with one text the first is found */
        if (tokenizer_map_lookup(&t->map, t->text->str + token->offset, token->len) == s.id)
            g_array_append_val(order, s);
    }
    g_array_sort(order, compare_scores);
    uint32_t rank = 0;
    for (guint i = 0; i < order->len; i++) {
        const scored *s = &g_array_index(order, scored, i);
        if (i > 0 && s->score < s[-1].score) rank++;
        add_cuts(t, s->id, rank);
    }
    return TRUE;
}

gboolean
tokenizer_spm_build(engine_tokenizer *t, const float *scores, GError **error)
{
    for (unsigned b = 0; b < 256; b++)
        t->bpe.byte_id[b] = -1;
    for (guint i = 0; i < t->tokens->len; i++) {
        const tokenizer_token *token = &g_array_index(t->tokens, tokenizer_token, i);
        const char *s = t->text->str + token->offset;
        if (token->type == TOKENIZER_TYPE_BYTE && token->len == 1) {
            int32_t *id = &t->bpe.byte_id[(uint8_t)*s];
            if (*id < 0) *id = (int32_t)i;
        }
        if (token->type != TOKENIZER_TYPE_NORMAL) continue;
        if (token->len > MAX_PIECE_BYTES) {
            g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT,
                        "tokenizer: token %u is a piece of %u bytes", i, token->len);
            return FALSE;
        }
        note_blanks(&t->spm, s, token->len);
        note_rare(t, s, token->len);
    }
    return !scores || add_scored_merges(t, scores, error);
}

/* ---- normalisation ---------------------------------------------------------------------------- */

/* One character, user-defined piece or rule's text, as it stands but for its blanks. Where runs of blanks
 * become one, only those at its start are looked at, as in the reference. */
static void
put_chunk(const tokenizer_spm *spm, const char *s, size_t n, gboolean *after_blank, GString *out)
{
    while (*after_blank && n > 0 && *s == ' ')
        s++, n--;
    tokenizer_spm_unescape(s, n, out);
    if (n > 0) *after_blank = spm->remove_extra && s[n - 1] == ' ';
}

static void
normalize(const tokenizer_spm *spm, const char *s, size_t len, gboolean prefix, GString *out)
{
    const gboolean starts = *s == ' ' || (len >= 3 && memcmp(s, BLANK, 3) == 0);
    if (prefix && !(spm->prefix_if_none && starts)) g_string_append_c(out, ' ');
    if (!spm->remove_extra && !spm->charsmap.units) {
        tokenizer_spm_unescape(s, len, out);
        return;
    }
    gboolean after_blank = spm->remove_extra;
    for (size_t i = 0; i < len;) {
        const char *with = NULL;
        int32_t id;
        uint32_t cp = 0;
        size_t n = tokenizer_map_longest(&spm->user, s + i, len - i, &id);
        if (n == 0 && (n = tokenizer_charsmap_match(&spm->charsmap, s + i, len - i, &with)) > 0) {
            put_chunk(spm, with, strlen(with), &after_blank, out);
        } else {
            if (n == 0) n = unicode_next(s + i, len - i, &cp); /* else no rule applies to it */
            put_chunk(spm, s + i, n, &after_blank, out);
        }
        i += n;
    }
    while (spm->remove_extra && out->len > 0 && out->str[out->len - 1] == ' ')
        g_string_truncate(out, out->len - 1);
}

/* ---- encoding --------------------------------------------------------------------------------- */

void
tokenizer_spm_put_unknown(tokenizer_bpe_run *run, const char *s, size_t len)
{
    const engine_tokenizer *t = run->tokenizer;
    gboolean bytes = TRUE;
    for (size_t i = 0; i < len; i++)
        bytes = bytes && t->bpe.byte_id[(uint8_t)s[i]] >= 0;
    if (bytes) {
        for (size_t i = 0; i < len; i++)
            g_array_append_val(run->out, t->bpe.byte_id[(uint8_t)s[i]]);
        run->after_unknown = FALSE;
        return;
    }
    if (t->unk >= 0 && !(run->after_unknown && t->spm.fuse_unknown))
        g_array_append_val(run->out, t->unk);
    run->after_unknown = TRUE;
}

/* Characters of the word as symbols: pieces by their id, others by -1 - their offset. TRUE: all are pieces. */
static gboolean
push_chars(tokenizer_bpe_run *run, const char *s, size_t len)
{
    gboolean known = TRUE;
    for (size_t i = 0, n; i < len; i += n) {
        uint32_t cp = 0;
        n = unicode_next(s + i, len - i, &cp);
        int32_t id = symbol_id(run->tokenizer, s + i, n);
        known = known && id >= 0 && (guint)id < run->tokenizer->tokens->len;
        tokenizer_bpe_push(run, id >= 0 ? id : -1 - (int32_t)i);
    }
    return known;
}

static void
encode_word(tokenizer_bpe_run *run, const char *s, size_t len)
{
    const engine_tokenizer *t = run->tokenizer;
    const int32_t n_tokens = (int32_t)t->tokens->len;
    int32_t whole = -1;
    if (t->bpe.ignore_merges) whole = tokenizer_map_lookup(&t->map, s, len);
    if (whole >= 0) g_array_append_val(run->out, whole);
    if (whole >= 0 || tokenizer_cache_get(run, s, len)) {
        run->after_unknown = FALSE;
        return;
    }
    const guint from = run->out->len;
    const gboolean known = push_chars(run, s, len);
    tokenizer_bpe_merge_symbols(run);
    for (guint i = 0; i < run->merged->len; i++) {
        const int32_t id = g_array_index(run->merged, int32_t, i);
        if (id >= 0 && id < n_tokens) {
            g_array_append_val(run->out, id);
            run->after_unknown = FALSE;
            continue;
        }
        size_t n = 0;
        uint32_t cp = 0;
        const char *c = id < 0 ? s + (-1 - id)
                               : tokenizer_map_own_key(&t->spm.rare, (size_t)(id - n_tokens), &n);
        if (id < 0) n = unicode_next(c, len - (size_t)(c - s), &cp);
        tokenizer_spm_put_unknown(run, c, n);
    }
    if (known) tokenizer_cache_put(run, s, len, from);
}

/* End of the word at s: of the whole stretch where words cannot be told apart. Unigram sums over all of it
 * even so: which of two equal cuts wins is a matter of rounding, and that depends on what came before. */
static const char *
word_end(const engine_tokenizer *t, const char *s, const char *end)
{
    const tokenizer_spm *spm = &t->spm;
    const char *p = s + 1;
    if ((spm->inner_blanks || t->kind == TOKENIZER_KIND_UNIGRAM) && !spm->split_blanks)
        p = end;
    else
        while (p < end && !(*p == ' ' && (spm->split_blanks || p[-1] != ' ')))
            p++;
    if ((size_t)(p - s) <= MAX_WORD_BYTES) return p;
    for (p = s + MAX_WORD_BYTES; ((uint8_t)*p & 0xC0) == 0x80;)
        p--;
    return p;
}

static void
encode_stretch(tokenizer_bpe_run *run, const char *s, const char *end)
{
    const tokenizer_spm *spm = &run->tokenizer->spm;
    const gboolean unigram = run->tokenizer->kind == TOKENIZER_KIND_UNIGRAM;
    while (s < end) {
        const char *stop = word_end(run->tokenizer, s, end);
        if (spm->split_blanks) run->after_unknown = FALSE;
        (unigram ? tokenizer_unigram_piece : encode_word)(run, s, (size_t)(stop - s));
        s = stop;
    }
}

void
tokenizer_spm_encode(tokenizer_bpe_run *run, const char *text, size_t len, gboolean first)
{
    const tokenizer_spm *spm = &run->tokenizer->spm;
    const gboolean prefix =
        spm->prefix == TOKENIZER_PREFIX_SEGMENT || (spm->prefix == TOKENIZER_PREFIX_TEXT && first);
    g_string_truncate(run->text, 0);
    normalize(spm, text, len, prefix, run->text);
    run->after_unknown = FALSE;
    const char *s = run->text->str, *from = s, *end = s + run->text->len;
    while (s < end) {
        int32_t id = -1;
        const size_t n = tokenizer_map_longest(&spm->user, s, (size_t)(end - s), &id);
        if (n == 0) {
            s++;
            continue;
        }
        encode_stretch(run, from, s);
        g_array_append_val(run->out, id);
        run->after_unknown = FALSE;
        from = s += n;
    }
    encode_stretch(run, from, end);
}
