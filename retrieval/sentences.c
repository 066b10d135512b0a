/* Sentence ends by rule. A full stop ends a sentence when white space follows, what comes next can begin
 * one, and what stands before it is no abbreviation, initial or reference word. Papers are full of stops
 * that end nothing: "et al. [3]", "Fig. 2", "e.g. in", "J. Smith", "p < .05", "vs. controls". When in
 * doubt the rule does not split: a sentence too long is cheap, half a sentence quoted is not. */
#include "retrieval/sentences.h"

#include <string.h>

#include "retrieval/retrieval.h"

/* Lower case, without the last stop. Each with what must follow for the stop to be no end. */
typedef enum {
    ANYTHING, /* never ends a sentence */
    A_NUMBER  /* no end before a number: "Fig. 3", "no. 5", but "... of the fig. Then" */
} abbreviation_rule;

typedef struct {
    const char *word;
    abbreviation_rule rule;
} abbreviation;

static const abbreviation abbreviations[] = {
    {"al", ANYTHING},    {"approx", ANYTHING}, {"assoc", ANYTHING}, {"ca", ANYTHING},
    {"cf", ANYTHING},    {"chap", ANYTHING},   {"conf", ANYTHING},  {"def", ANYTHING},
    {"dept", ANYTHING},  {"dr", ANYTHING},     {"e.g", ANYTHING},   {"ed", ANYTHING},
    {"eds", ANYTHING},   {"eg", ANYTHING},     {"eq", ANYTHING},    {"eqn", ANYTHING},
    {"eqns", ANYTHING},  {"eqs", ANYTHING},    {"esp", ANYTHING},   {"ext", A_NUMBER},
    {"fig", ANYTHING},   {"figs", ANYTHING},   {"i.e", ANYTHING},   {"ie", ANYTHING},
    {"incl", ANYTHING},  {"int", ANYTHING},    {"j", ANYTHING},     {"lem", ANYTHING},
    {"mr", ANYTHING},    {"mrs", ANYTHING},    {"ms", ANYTHING},    {"no", A_NUMBER},
    {"nos", A_NUMBER},   {"p", ANYTHING},      {"ph.d", ANYTHING},  {"pp", ANYTHING},
    {"proc", ANYTHING},  {"prof", ANYTHING},   {"prop", ANYTHING},  {"ref", ANYTHING},
    {"refs", ANYTHING},  {"resp", ANYTHING},   {"sec", A_NUMBER},   {"sect", ANYTHING},
    {"secs", A_NUMBER},  {"sp", ANYTHING},     {"spp", ANYTHING},   {"st", ANYTHING},
    {"subsp", ANYTHING}, {"suppl", ANYTHING},  {"tab", ANYTHING},   {"tabs", ANYTHING},
    {"thm", ANYTHING},   {"trans", ANYTHING},  {"univ", ANYTHING},  {"var", ANYTHING},
    {"viz", ANYTHING},   {"vol", ANYTHING},    {"vols", ANYTHING},  {"vs", ANYTHING},
    {"w.r.t", ANYTHING}, {"wrt", ANYTHING},
};

static gboolean
is_space(gunichar c)
{
    return g_unichar_isspace(c);
}

static gboolean
is_wide_terminator(gunichar c)
{
    return c == 0x3002 || c == 0xff0e || c == 0xff01 ||
           c == 0xff1f; /* ideographic full stop, ． ！ ？ */
}

/* Quotes and brackets that close behind a terminator, and superscript citation marks. */
static gboolean
is_closer(gunichar c)
{
    switch (g_unichar_type(c)) {
    case G_UNICODE_CLOSE_PUNCTUATION:
    case G_UNICODE_FINAL_PUNCTUATION:
    case G_UNICODE_OTHER_NUMBER: /* ¹ ² ³ ⁴ ... */
        return TRUE;
    default:
        return c == '"' || c == '\'';
    }
}

/* Behind "[3, 7-9]" at p, blanks before it included; p where there is none. */
static const char *
skip_callout(const char *p, const char *end)
{
    const char *q = p;
    gboolean number = FALSE;
    while (q < end && *q == ' ')
        q++;
    if (q >= end || *q != '[') return p;
    for (q++; q < end && (g_ascii_isdigit(*q) || strchr(",;- ", *q) != NULL); q++)
        number = number || g_ascii_isdigit(*q);
    return q < end && *q == ']' && number ? q + 1 : p;
}

/* Behind the number of a footnote, raised in print, at p: "nitrate.1 After". It stands right behind the stop of a
 * word and before white space. */
static const char *
skip_footnote(const char *text, const char *p, const char *end)
{
    enum { MAX_DIGITS = 2 };
    if (p - text < 2 || p[-1] != '.' || !g_ascii_isalpha(p[-2])) return p;
    const char *q = p;
    while (q < end && q - p < MAX_DIGITS && g_ascii_isdigit(*q))
        q++;
    return q == end || is_space(g_utf8_get_char(q)) ? q : p;
}

/* Behind what closes a sentence at p: quotes, brackets, citations, a footnote's number. */
static const char *
skip_closers(const char *text, const char *p, const char *end)
{
    p = skip_footnote(text, p, end);
    for (const char *from = NULL; p != from;) {
        from = p;
        while (p < end && is_closer(g_utf8_get_char(p)))
            p = g_utf8_next_char(p);
        p = skip_callout(p, end);
    }
    return p;
}

/* The run of non-white characters that ends just before end, without what stands before its first letter. sign: that
 * is more than opening brackets and quotes, the degree of "415 °C". */
static const char *
word_before(const char *text, const char *end, gboolean *sign)
{
    const char *start = end;
    while (start > text) {
        const char *previous = g_utf8_prev_char(start);
        if (is_space(g_utf8_get_char(previous))) break;
        start = previous;
    }
    *sign = FALSE;
    while (start < end) {
        gunichar c = g_utf8_get_char(start);
        if (g_unichar_isalnum(c)) break;
        *sign = *sign || g_unichar_type(c) == G_UNICODE_OTHER_SYMBOL;
        start = g_utf8_next_char(start);
    }
    return start;
}

/* Whether the stop at dot belongs to the word before it; next is the first character of what follows. */
static gboolean
stop_is_part_of_word(const char *text, const char *dot, gunichar next)
{
    enum { LONGEST = 16 };
    gboolean sign;
    const char *start = word_before(text, dot, &sign);
    const size_t len = (size_t)(dot - start);
    if (len == 0) return FALSE;

    gunichar first = g_utf8_get_char(start);
    /* an initial: one upper-case letter, "J. Smith"; also the last of "J.R." */
    if (g_utf8_next_char(start) == dot && g_unichar_isupper(first)) return !sign;
    const char *inner = memchr(start, '.', len);
    if (inner && g_utf8_strlen(inner, dot - inner) == 2 && g_unichar_isalpha(first) &&
        g_utf8_strlen(start, inner - start) <= 2)
        return TRUE; /* "U.S.", "i.e.", "Ph.D." */
    if (len > LONGEST) return FALSE;

    g_autofree char *lower = g_utf8_strdown(start, (gssize)len);
    /* "(Fig" after "see(": the last part of a word glued to others */
    const char *tail = strrchr(lower, '(');
    tail = tail ? tail + 1 : lower;
    for (gsize i = 0; i < G_N_ELEMENTS(abbreviations); i++) {
        if (strcmp(abbreviations[i].word, tail) != 0) continue;
        return abbreviations[i].rule == ANYTHING || g_unichar_isdigit(next);
    }
    return FALSE;
}

/* Whether c may begin a sentence. */
static gboolean
can_begin(gunichar c)
{
    return !g_unichar_islower(c) && c != ',' && c != ';' && c != ':' && c != ')' && c != ']';
}

void
retrieval_split_sentences(const char *text, uint32_t len, GArray *ends)
{
    const char *end = text + len;
    uint32_t last = 0;
    for (const char *p = text; p < end;) {
        const char *mark = p;
        gunichar c = g_utf8_get_char(p);
        p = g_utf8_next_char(p);
        gboolean wide = is_wide_terminator(c);
        if (!wide && c != '.' && c != '!' && c != '?') continue;
        p = skip_closers(text, p, end);
        if (p >= end) break;
        if (!wide && !is_space(g_utf8_get_char(p))) continue;
        while (p < end && is_space(g_utf8_get_char(p)))
            p = g_utf8_next_char(p);
        if (p >= end) break;
        gunichar next = g_utf8_get_char(p);
        if (!wide && !can_begin(next)) continue;
        if (c == '.' && stop_is_part_of_word(text, mark, next)) continue;
        last = (uint32_t)(p - text);
        g_array_append_val(ends, last);
    }
    if (last < len) g_array_append_val(ends, len);
}

/* ---- length ---- */

enum { WORD_CHARACTERS = 16 };

typedef struct {
    guint n_words;
    guint run; /* characters of the word that is being read */
} word_counter;

static void
word_counter_add(word_counter *counter, gunichar c)
{
    if (is_space(c)) {
        counter->run = 0;
    } else if (g_unichar_iswide(c)) {
        counter->n_words++;
        counter->run = 0;
    } else if (counter->run++ % WORD_CHARACTERS == 0) {
        counter->n_words++;
    }
}

static guint
tokens_of_words(guint n_words)
{
    return (guint)(((guint64)n_words * 4 + 2) / 3);
}

guint
retrieval_count_tokens(const char *text, size_t len)
{
    word_counter counter = {0, 0};
    for (const char *p = text; p < text + len; p = g_utf8_next_char(p))
        word_counter_add(&counter, g_utf8_get_char(p));
    return tokens_of_words(counter.n_words);
}

uint32_t
retrieval_cut_tokens(const char *text, uint32_t len, guint max_tokens)
{
    word_counter counter = {0, 0};
    const char *end = text + len, *after_space = NULL;
    for (const char *p = text; p < end;) {
        gunichar c = g_utf8_get_char(p);
        word_counter_add(&counter, c);
        if (tokens_of_words(counter.n_words) > max_tokens && p > text)
            return (uint32_t)((after_space ? after_space : p) - text);
        p = g_utf8_next_char(p);
        if (is_space(c)) after_space = p;
    }
    return len;
}
