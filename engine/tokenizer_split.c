/* Pre-tokenizers of byte-level BPE: the regular expressions the models were trained with, written out as
 * scanners over code points. Each scanner takes the rest of a text and gives the length of the piece that
 * the expression would match there; the alternatives are tried in the expression's order.
 *
 *   gpt-2    's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
 *   smollm   every number character alone, then gpt-2 within what lies between
 *   qwen2    (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*
 *            |\s*[\r\n]+|\s+(?!\S)|\s+
 *   qwen35   qwen2 with [\p{L}\p{M}] for \p{L}
 *   llama3   qwen2 with \p{N}{1,3} for \p{N}
 *   default  runs of [\p{P}$+<=>^~|] apart, gpt-2 within the rest, then numbers apart in threes
 *
 * Look-ahead (?!\S) sees only the text it is given: a piece cut out by an earlier pass ends there. Runs
 * are scanned once and consumed but for their last character, so time is linear. */
#include "engine/tokenizer_impl.h"

#include <string.h>

#define LN (UNICODE_LETTER | UNICODE_NUMBER)

typedef struct {
    uint32_t cp;
    unsigned class;
    size_t len;
} scan_char;

/* The character at s; len 0 at the end of the text, with a class nothing asks for. */
static scan_char
at(const char *s, const char *end)
{
    scan_char c = {0, 0, 0};
    if (s == end) return c;
    c.len = unicode_next(s, (size_t)(end - s), &c.cp);
    c.class = unicode_class(c.cp);
    return c;
}

static gboolean
is_newline(scan_char c)
{
    return c.len > 0 && (c.cp == '\r' || c.cp == '\n');
}

/* End of the run of characters that have one of these flags. */
static const char *
run_of(const char *s, const char *end, unsigned flags)
{
    for (scan_char c; (c = at(s, end)).len > 0 && (c.class & flags); s += c.len) {
    }
    return s;
}

/* End of the run of characters that have none of these flags. */
static const char *
run_without(const char *s, const char *end, unsigned flags)
{
    for (scan_char c; (c = at(s, end)).len > 0 && !(c.class & flags); s += c.len) {
    }
    return s;
}

/* White space at s: \s+(?!\S), else \s+. All of a run at the end of the text, else all but its last
 * character, and that one when it is alone. */
static const char *
white_space(const char *s, const char *end)
{
    const char *last = s, *p = s;
    for (scan_char c; (c = at(p, end)).len > 0 && (c.class & UNICODE_SPACE); p += c.len)
        last = p;
    return p == end || last == s ? p : last;
}

/* 's 't 're 've 'm 'll 'd at s, which starts with an apostrophe: its end, NULL when it is none. */
static const char *
contraction(const char *s, const char *end, gboolean any_case)
{
    static const char *const endings[] = {"s", "t", "re", "ve", "m", "ll", "d"};
    for (size_t i = 0; i < G_N_ELEMENTS(endings); i++) {
        const char *p = s + 1, *e = endings[i];
        for (; *e; e++) {
            scan_char c = at(p, end);
            uint32_t cp = any_case ? unicode_lower(c.cp) : c.cp;
            if (any_case && cp == 0x17F) cp = 's'; /* long s folds to s */
            if (c.len == 0 || cp != (uint32_t)*e) break;
            p += c.len;
        }
        if (*e == '\0') return p;
    }
    return NULL;
}

static const char *
scan_gpt2(const char *s, const char *end)
{
    scan_char c = at(s, end);
    if (c.cp == '\'') {
        const char *p = contraction(s, end, FALSE);
        if (p) return p;
    }
    const char *body = s;
    if (c.cp == ' ') {
        body += c.len;
        c = at(body, end);
    }
    if (c.len > 0 && c.class & UNICODE_LETTER) return run_of(body, end, UNICODE_LETTER);
    if (c.len > 0 && c.class & UNICODE_NUMBER) return run_of(body, end, UNICODE_NUMBER);
    if (c.len > 0 && !(c.class & UNICODE_SPACE)) return run_without(body, end, LN | UNICODE_SPACE);
    return white_space(s, end);
}

/* \s*[\r\n]+: through the last newline of the white space at s, NULL when there is none in it. */
static const char *
through_newlines(const char *s, const char *end)
{
    const char *found = NULL;
    for (scan_char c; (c = at(s, end)).len > 0 && (c.class & UNICODE_SPACE);) {
        s += c.len;
        if (is_newline(c)) found = s;
    }
    return found;
}

/* The qwen2 family. letters: flags of what makes words; max_digits: of one number piece. */
static const char *
scan_qwen2(const char *s, const char *end, unsigned letters, size_t max_digits)
{
    const scan_char c = at(s, end), next = at(s + c.len, end);
    if (c.cp == '\'') {
        const char *p = contraction(s, end, TRUE);
        if (p) return p;
    }
    if (next.len > 0 && next.class & letters && !(c.class & LN) && !is_newline(c))
        return run_of(s + c.len, end, letters);
    if (c.class & letters) return run_of(s, end, letters);
    if (c.class & UNICODE_NUMBER) {
        const char *p = s;
        scan_char d = c;
        for (size_t i = 0; i < max_digits && d.len > 0 && d.class & UNICODE_NUMBER; i++)
            p += d.len, d = at(p, end);
        return p;
    }
    const char *body = c.cp == ' ' ? s + c.len : s;
    const char *p = run_without(body, end, letters | UNICODE_NUMBER | UNICODE_SPACE);
    if (p != body) {
        for (scan_char n; is_newline(n = at(p, end)); p += n.len) {
        }
        return p;
    }
    p = through_newlines(s, end);
    return p ? p : white_space(s, end);
}

static void
each_gpt2(const char *s, const char *end, tokenizer_piece_fn fn, void *data)
{
    while (s < end) {
        const char *p = scan_gpt2(s, end);
        fn(data, s, (size_t)(p - s));
        s = p;
    }
}

static void
each_smollm(const char *s, const char *end, tokenizer_piece_fn fn, void *data)
{
    while (s < end) {
        const char *p = run_without(s, end, UNICODE_DIGIT);
        each_gpt2(s, p, fn, data);
        scan_char c;
        for (s = p; (c = at(s, end)).len > 0 && c.class & UNICODE_DIGIT; s += c.len)
            fn(data, s, c.len);
    }
}

static gboolean
is_default_punct(scan_char c)
{
    return c.len > 0 &&
           (c.class & UNICODE_PUNCT || (c.cp < 0x80 && c.cp && strchr("$+<=>^~|", (int)c.cp)));
}

/* One gpt-2 piece of the default split: runs of numbers apart, and of those three ASCII digits at a time. */
static void
each_default_number(const char *s, const char *end, tokenizer_piece_fn fn, void *data)
{
    while (s < end) {
        const char *p = run_without(s, end, UNICODE_NUMBER);
        if (p > s) fn(data, s, (size_t)(p - s));
        s = p;
        const char *stop = run_of(s, end, UNICODE_NUMBER);
        const char *from = s; /* start of what no three digits have claimed yet */
        while (s < stop) {
            if (stop - s >= 3 && g_ascii_isdigit(s[0]) && g_ascii_isdigit(s[1]) &&
                g_ascii_isdigit(s[2])) {
                if (s > from) fn(data, from, (size_t)(s - from));
                fn(data, s, 3);
                from = s += 3;
            } else {
                s += at(s, stop).len;
            }
        }
        if (stop > from) fn(data, from, (size_t)(stop - from));
        s = stop;
    }
}

static void
each_default(const char *s, const char *end, tokenizer_piece_fn fn, void *data)
{
    while (s < end) {
        const char *p = s;
        for (scan_char c; is_default_punct(c = at(p, end)); p += c.len) {
        }
        if (p > s) fn(data, s, (size_t)(p - s));
        s = p;
        for (scan_char c; (c = at(p, end)).len > 0 && !is_default_punct(c); p += c.len) {
        }
        while (s < p) {
            const char *piece = scan_gpt2(s, p);
            each_default_number(s, piece, fn, data);
            s = piece;
        }
    }
}

void
tokenizer_split_text(tokenizer_split split, const char *text, size_t len, tokenizer_piece_fn fn,
                     void *data)
{
    const char *s = text, *end = text + len;
    switch (split) {
    case TOKENIZER_SPLIT_GPT2:
        each_gpt2(s, end, fn, data);
        return;
    case TOKENIZER_SPLIT_SMOLLM:
        each_smollm(s, end, fn, data);
        return;
    case TOKENIZER_SPLIT_DEFAULT:
        each_default(s, end, fn, data);
        return;
    case TOKENIZER_SPLIT_LLAMA3:
    case TOKENIZER_SPLIT_QWEN2:
    case TOKENIZER_SPLIT_QWEN35:
        break;
    }
    const unsigned letters =
        split == TOKENIZER_SPLIT_QWEN35 ? UNICODE_LETTER | UNICODE_MARK : UNICODE_LETTER;
    const size_t max_digits = split == TOKENIZER_SPLIT_LLAMA3 ? 3 : 1;
    while (s < end) {
        const char *p = scan_qwen2(s, end, letters, max_digits);
        fn(data, s, (size_t)(p - s));
        s = p;
    }
}

gboolean
tokenizer_split_from_name(const char *name, tokenizer_split *out)
{
    static const struct {
        const char *name;
        tokenizer_split split;
    } known[] = {
        {"default", TOKENIZER_SPLIT_DEFAULT},  {"gpt-2", TOKENIZER_SPLIT_GPT2},
        {"phi-2", TOKENIZER_SPLIT_GPT2},       {"smollm", TOKENIZER_SPLIT_SMOLLM},
        {"starcoder", TOKENIZER_SPLIT_SMOLLM}, {"refact", TOKENIZER_SPLIT_SMOLLM},
        {"command-r", TOKENIZER_SPLIT_SMOLLM}, {"llama-bpe", TOKENIZER_SPLIT_LLAMA3},
        {"llama3", TOKENIZER_SPLIT_LLAMA3},    {"llama-v3", TOKENIZER_SPLIT_LLAMA3},
        {"qwen2", TOKENIZER_SPLIT_QWEN2},      {"deepseek-r1-qwen", TOKENIZER_SPLIT_QWEN2},
        {"qwen35", TOKENIZER_SPLIT_QWEN35},    {"mpt", TOKENIZER_SPLIT_GPT2},
        {"olmo", TOKENIZER_SPLIT_GPT2},        {"jais", TOKENIZER_SPLIT_GPT2},
        {"codeshell", TOKENIZER_SPLIT_SMOLLM}, {"exaone", TOKENIZER_SPLIT_SMOLLM},
        {"stablelm2", TOKENIZER_SPLIT_QWEN2},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(known); i++) {
        if (strcmp(name, known[i].name) != 0) continue;
        *out = known[i].split;
        return TRUE;
    }
    return FALSE;
}
