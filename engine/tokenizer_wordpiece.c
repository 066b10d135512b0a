/* BERT's normaliser and pre-tokenizer, and WordPiece (Wu et al., arXiv:1609.08144, section 4.1: greedy,
 * longest piece first).
 *
 * The text is walked once, code point by code point, each going through the stages below; words come out
 * at the end and are looked up at once, so memory is that of the longest word.
 *
 *   clean       drop controls, white space becomes a blank
 *   ideographs  a blank on both sides
 *   accents     canonical decomposition, non-spacing marks dropped
 *   lower case
 *   words       split at white space; a punctuation character is a word of its own */
#include "engine/tokenizer_impl.h"

#include <string.h>

typedef struct {
    uint32_t cp;
    int class; /* canonical combining class */
} marked;

typedef struct {
    const engine_tokenizer *tokenizer;
    GArray *out;
    GString *word;
    size_t n_chars;
    GArray
        *marks; /* of marked: since the last character of class 0, to be put in canonical order */
} wordpiece_run;

/* The blocks as the reference has them; its range 2B920-2CEAF leaves out 2B820-2B91F of CJK Extension E. */
static gboolean
is_ideograph(uint32_t cp)
{
    return (cp >= 0x4E00 && cp <= 0x9FFF) || (cp >= 0x3400 && cp <= 0x4DBF) ||
           (cp >= 0x20000 && cp <= 0x2A6DF) || (cp >= 0x2A700 && cp <= 0x2B81F) ||
           (cp >= 0x2B920 && cp <= 0x2CEAF) || (cp >= 0xF900 && cp <= 0xFAFF) ||
           (cp >= 0x2F800 && cp <= 0x2FA1F);
}

static void
match_pieces(wordpiece_run *run, const char *word, size_t len)
{
    const engine_tokenizer *t = run->tokenizer;
    const guint before = run->out->len;
    const tokenizer_map *map = &t->map;
    for (size_t i = 0; i < len; map = &t->wordpiece.rest) {
        int32_t id = -1;
        size_t n = tokenizer_map_longest(map, word + i, len - i, &id);
        if (n == 0) { /* one remainder without a piece makes the whole word unknown */
            g_array_set_size(run->out, before);
            if (t->unk >= 0) g_array_append_val(run->out, t->unk);
            return;
        }
        g_array_append_val(run->out, id);
        i += n;
    }
}

static void
end_word(wordpiece_run *run)
{
    const engine_tokenizer *t = run->tokenizer;
    if (run->n_chars > t->wordpiece.max_word_chars) {
        if (t->unk >= 0) g_array_append_val(run->out, t->unk);
    } else {
        match_pieces(run, run->word->str, run->word->len);
    }
    g_string_truncate(run->word, 0);
    run->n_chars = 0;
}

/* A normalised character. A word already too long is not collected further. */
static void
put_char(wordpiece_run *run, uint32_t cp)
{
    const unsigned class = unicode_class(cp);
    if (class & UNICODE_SPACE) {
        end_word(run);
    } else if (class & UNICODE_BERT_PUNCT) {
        end_word(run);
        unicode_append(run->word, cp);
        run->n_chars = 1;
        end_word(run);
    } else {
        if (run->n_chars <= run->tokenizer->wordpiece.max_word_chars) unicode_append(run->word, cp);
        run->n_chars++;
    }
}

static void
put_lower(wordpiece_run *run, uint32_t cp)
{
    if (!run->tokenizer->wordpiece.lowercase) {
        put_char(run, cp);
    } else if (cp == 0x130) { /* the one letter whose lower case is two characters */
        put_char(run, 'i');
        put_char(run, 0x307);
    } else {
        put_char(run, unicode_lower(cp));
    }
}

static gint
compare_marks(gconstpointer a, gconstpointer b)
{
    return ((const marked *)a)->class - ((const marked *)b)->class;
}

static void
flush_marks(wordpiece_run *run)
{
    if (run->marks->len > 1) g_array_sort(run->marks, compare_marks); /* stable, says GLib */
    for (guint i = 0; i < run->marks->len; i++)
        put_lower(run, g_array_index(run->marks, marked, i).cp);
    g_array_set_size(run->marks, 0);
}

/* Decompose, drop marks, order canonically. Dropping first gives what ordering first would. */
static void
put_stripped(wordpiece_run *run, uint32_t cp)
{
    uint32_t parts[UNICODE_MAX_DECOMPOSITION];
    const size_t n = unicode_decompose(cp, parts);
    for (size_t i = 0; i < n; i++) {
        const unsigned class = unicode_class(parts[i]);
        if (class & UNICODE_BERT_MARK) continue;
        if (class & UNICODE_COMBINING) {
            const marked m = {parts[i], g_unichar_combining_class(parts[i])};
            g_array_append_val(run->marks, m);
            continue;
        }
        flush_marks(run);
        put_lower(run, parts[i]);
    }
}

static void
put_spaced(wordpiece_run *run, uint32_t cp)
{
    const gboolean alone = run->tokenizer->wordpiece.chinese_chars && is_ideograph(cp);
    void (*put)(wordpiece_run *, uint32_t) =
        run->tokenizer->wordpiece.strip_accents ? put_stripped : put_lower;
    if (alone) put(run, ' ');
    put(run, cp);
    if (alone) put(run, ' ');
}

void
tokenizer_wordpiece_encode(const engine_tokenizer *tokenizer, const char *text, size_t len,
                           GArray *out)
{
    wordpiece_run run = {tokenizer, out, g_string_new(NULL), 0,
                         g_array_new(FALSE, FALSE, sizeof(marked))};
    for (size_t i = 0; i < len;) {
        uint32_t cp = 0;
        i += unicode_next(text + i, len - i, &cp);
        if (cp > 0x20 && cp < 0x7F) { /* ASCII without controls: most text, and no table needed */
            flush_marks(&run);
            put_lower(&run, cp);
            continue;
        }
        if (tokenizer->wordpiece.clean_text && unicode_class(cp) & UNICODE_BERT_DROP) continue;
        put_spaced(&run, cp);
    }
    flush_marks(&run);
    end_word(&run);
    g_string_free(run.word, TRUE);
    g_array_unref(run.marks);
}
