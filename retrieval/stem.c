/* M. F. Porter, An algorithm for suffix stripping, Program 14(3), 1980, with the two departures of the author's
 * own program (-bli, -logi). A word is seen as [C](VC)^m[V]; m, the measure of what is left of an ending, says
 * whether the ending may go. */
#include "retrieval/stem.h"

#include <glib.h>
#include <string.h>

typedef struct {
    char *word;
    size_t len;
} stemmer;

static gboolean
is_consonant(const char *word, size_t i)
{
    switch (word[i]) {
    case 'a':
    case 'e':
    case 'i':
    case 'o':
    case 'u':
        return FALSE;
    case 'y':
        return i == 0 || !is_consonant(word, i - 1);
    default:
        return TRUE;
    }
}

/* m of the first n letters. */
static int
measure(const char *word, size_t n)
{
    int m = 0;
    for (size_t i = 1; i < n; i++)
        if (is_consonant(word, i) && !is_consonant(word, i - 1)) m++;
    return m;
}

static gboolean
has_vowel(const char *word, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!is_consonant(word, i)) return TRUE;
    return FALSE;
}

static gboolean
ends_in_double(const char *word, size_t n)
{
    return n >= 2 && word[n - 1] == word[n - 2] && is_consonant(word, n - 1);
}

/* Consonant, vowel, consonant other than w, x, y: "hop", where an e has gone. */
static gboolean
ends_in_cvc(const char *word, size_t n)
{
    if (n < 3 || !is_consonant(word, n - 1) || is_consonant(word, n - 2) ||
        !is_consonant(word, n - 3))
        return FALSE;
    return memchr("wxy", word[n - 1], 3) == NULL;
}

static gboolean
ends_with(const stemmer *s, const char *ending, size_t *rest)
{
    const size_t n = strlen(ending);
    if (n > s->len || memcmp(s->word + s->len - n, ending, n) != 0) return FALSE;
    *rest = s->len - n;
    return TRUE;
}

/* Never longer than what stood there. */
static void
put_behind(stemmer *s, size_t rest, const char *ending)
{
    const size_t n = strlen(ending);
    memcpy(s->word + rest, ending, n);
    s->len = rest + n;
}

typedef struct {
    const char *ending, *replacement;
} stem_rule;

/* The first rule whose ending is there decides; it applies when what is left has a measure above m. */
static void
apply_first(stemmer *s, const stem_rule *rules, size_t n, int m)
{
    size_t rest;
    for (size_t i = 0; i < n; i++) {
        if (!ends_with(s, rules[i].ending, &rest)) continue;
        if (measure(s->word, rest) > m) put_behind(s, rest, rules[i].replacement);
        return;
    }
}

static void
remove_plural(stemmer *s)
{
    size_t rest;
    if (s->word[s->len - 1] != 's') return;
    if (ends_with(s, "sses", &rest) || ends_with(s, "ies", &rest))
        s->len -= 2;
    else if (s->word[s->len - 2] != 's')
        s->len--;
}

static void
remove_past(stemmer *s)
{
    size_t rest;
    if (ends_with(s, "eed", &rest)) {
        if (measure(s->word, rest) > 0) s->len--;
        return;
    }
    if (!(ends_with(s, "ed", &rest) || ends_with(s, "ing", &rest)) || !has_vowel(s->word, rest))
        return;
    s->len = rest;
    size_t ignored;
    if (ends_with(s, "at", &ignored) || ends_with(s, "bl", &ignored) ||
        ends_with(s, "iz", &ignored))
        put_behind(s, s->len, "e");
    else if (ends_in_double(s->word, s->len) && memchr("lsz", s->word[s->len - 1], 3) == NULL)
        s->len--;
    else if (measure(s->word, s->len) == 1 && ends_in_cvc(s->word, s->len))
        put_behind(s, s->len, "e");
}

static void
remove_suffix(stemmer *s)
{
    static const char *const endings[] = {"al",  "ance",  "ence", "er",  "ic",  "able", "ible",
                                          "ant", "ement", "ment", "ent", "ion", "ou",   "ism",
                                          "ate", "iti",   "ous",  "ive", "ize"};
    size_t rest;
    for (size_t i = 0; i < G_N_ELEMENTS(endings); i++) {
        if (!ends_with(s, endings[i], &rest)) continue;
        if (strcmp(endings[i], "ion") == 0 &&
            (rest == 0 || (s->word[rest - 1] != 's' && s->word[rest - 1] != 't')))
            continue;
        if (measure(s->word, rest) > 1) s->len = rest;
        return;
    }
}

static void
tidy_end(stemmer *s)
{
    if (s->word[s->len - 1] == 'e') {
        const int m = measure(s->word, s->len - 1);
        if (m > 1 || (m == 1 && !ends_in_cvc(s->word, s->len - 1))) s->len--;
    }
    if (ends_in_double(s->word, s->len) && s->word[s->len - 1] == 'l' &&
        measure(s->word, s->len) > 1)
        s->len--;
}

size_t
retrieval_stem(char *word, size_t len)
{
    static const stem_rule second[] = {{"ational", "ate"}, {"tional", "tion"}, {"enci", "ence"},
                                       {"anci", "ance"},   {"izer", "ize"},    {"bli", "ble"},
                                       {"alli", "al"},     {"entli", "ent"},   {"eli", "e"},
                                       {"ousli", "ous"},   {"ization", "ize"}, {"ation", "ate"},
                                       {"ator", "ate"},    {"alism", "al"},    {"iveness", "ive"},
                                       {"fulness", "ful"}, {"ousness", "ous"}, {"aliti", "al"},
                                       {"iviti", "ive"},   {"biliti", "ble"},  {"logi", "log"}};
    static const stem_rule third[] = {{"icate", "ic"}, {"ative", ""},  {"alize", "al"},
                                      {"iciti", "ic"}, {"ical", "ic"}, {"ful", ""},
                                      {"ness", ""}};
    if (len < 3) return len;
    stemmer s = {word, len};
    remove_plural(&s);
    remove_past(&s);
    if (s.word[s.len - 1] == 'y' && has_vowel(s.word, s.len - 1)) s.word[s.len - 1] = 'i';
    apply_first(&s, second, G_N_ELEMENTS(second), 0);
    apply_first(&s, third, G_N_ELEMENTS(third), 0);
    remove_suffix(&s);
    tidy_end(&s);
    return s.len;
}
