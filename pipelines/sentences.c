/* A text -> its sentences, and the words that carry its meaning. */
#include "pipelines/internal.h"

#include <string.h>

/* ---- sentences ---- */

/* Ends with a dot and goes on in the same sentence. */
static gboolean
is_abbreviation(const char *text, size_t dot)
{
    static const char *const list[] = {"e.g",  "i.e", "al",   "fig", "figs", "eq",  "eqs",
                                       "dr",   "vs",  "cf",   "no",  "pp",   "p",   "sec",
                                       "ref",  "tab", "prof", "mr",  "ms",   "mrs", "approx",
                                       "resp", "ca",  "vol",  "st",  "refs", "etc"};
    size_t start = dot;
    while (start > 0 && (g_ascii_isalpha(text[start - 1]) || text[start - 1] == '.'))
        start--;
    size_t len = dot - start;
    /* an initial, and not the unit in "415 °C." */
    if (len == 1 && g_ascii_isupper(text[start]))
        return start == 0 || text[start - 1] == ' ' || text[start - 1] == '(';
    for (size_t i = 0; i < G_N_ELEMENTS(list); i++)
        if (strlen(list[i]) == len && g_ascii_strncasecmp(list[i], text + start, len) == 0)
            return TRUE;
    return FALSE;
}

/* Length of " [1]", " [2, 3]", a footnote's number, a closing quote or bracket at text [pos]: these belong to the
 * sentence before. */
static size_t
trailer_length(const char *text, size_t len, size_t pos)
{
    static const char *const closers[] = {"\"",           "'",       ")", "]", "\xE2\x80\x9D",
                                          "\xE2\x80\x99", "\xC2\xBB"};
    for (size_t i = 0; i < G_N_ELEMENTS(closers); i++) {
        size_t n = strlen(closers[i]);
        if (len - pos >= n && memcmp(text + pos, closers[i], n) == 0) return n;
    }
    /* the number of a footnote, raised in print: "nitrate.1 After" */
    if (pos >= 2 && text[pos - 1] == '.' && g_ascii_isalpha(text[pos - 2])) {
        size_t n = 0;
        while (n < 2 && pos + n < len && g_ascii_isdigit(text[pos + n]))
            n++;
        if (n > 0 && (pos + n == len || text[pos + n] == ' ')) return n;
    }
    size_t p = pos;
    while (p < len && text[p] == ' ')
        p++;
    if (p >= len || text[p] != '[') return 0;
    size_t digits = 0;
    for (p++; p < len && (g_ascii_isdigit(text[p]) || strchr(",;- ", text[p]) != NULL); p++)
        digits += g_ascii_isdigit(text[p]) ? 1u : 0u;
    return p < len && text[p] == ']' && digits > 0 ? p + 1 - pos : 0;
}

/* Does a sentence start here, after the white space that follows its predecessor? */
static gboolean
starts_sentence(const char *text, size_t len, size_t pos)
{
    if (pos >= len) return TRUE;
    gunichar c = g_utf8_get_char(text + pos);
    return g_unichar_isupper(c) || g_unichar_isdigit(c) || !g_unichar_islower(c);
}

/* End of the sentence that starts at pos. */
static size_t
sentence_end(const char *text, size_t len, size_t pos)
{
    for (size_t i = pos; i < len; i++) {
        char c = text[i];
        if (c == '\n') return i;
        if (c != '.' && c != '!' && c != '?') continue;
        size_t end = i + 1;
        for (size_t n; (n = trailer_length(text, len, end)) > 0;)
            end += n;
        if (end < len && text[end] != ' ' && text[end] != '\n') continue; /* 3.14, example.org */
        size_t next = end;
        while (next < len && text[next] == ' ')
            next++;
        if (next < len && text[next] != '\n' && !starts_sentence(text, len, next)) continue;
        if (c == '.' && end == i + 1 && next < len && is_abbreviation(text, i)) continue;
        return end;
    }
    return len;
}

GArray *
pipelines_sentences(const char *text, size_t len)
{
    GArray *sentences = g_array_new(FALSE, FALSE, sizeof(pipelines_quote));
    for (size_t pos = 0; pos < len && len <= G_MAXUINT32;) {
        while (pos < len && (text[pos] == ' ' || text[pos] == '\n'))
            pos++;
        if (pos >= len) break;
        size_t end = sentence_end(text, len, pos);
        pipelines_quote quote = {.start = (uint32_t)pos, .len = (uint32_t)(end - pos)};
        g_array_append_val(sentences, quote);
        pos = end;
    }
    return sentences;
}

/* ---- words ---- */

static gboolean
is_stop_word(const char *word)
{
    static const char *const list[] = {
        "a",      "about", "all",   "also", "an",    "and",   "any",   "are",   "as",    "at",
        "be",     "been",  "both",  "but",  "by",    "can",   "could", "did",   "do",    "does",
        "each",   "for",   "from",  "had",  "has",   "have",  "how",   "i",     "if",    "in",
        "into",   "is",    "it",    "its",  "many",  "may",   "me",    "more",  "most",  "much",
        "my",     "no",    "not",   "of",   "on",    "one",   "or",    "our",   "paper", "s",
        "should", "so",    "some",  "such", "than",  "that",  "the",   "their", "them",  "then",
        "there",  "these", "they",  "this", "those", "to",    "us",    "used",  "using", "was",
        "we",     "were",  "what",  "when", "where", "which", "while", "who",   "whose", "why",
        "will",   "with",  "would", "you",  "your"};
    size_t low = 0, high = G_N_ELEMENTS(list);
    while (low < high) {
        size_t mid = (low + high) / 2;
        int order = strcmp(word, list[mid]);
        if (order == 0) return TRUE;
        if (order < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return FALSE;
}

/* Plural and the commonest verb endings off, in place: "studies" "study", "reached" "reach", "using" "us". Both
 * sides of a comparison pass here, so a stem need not be a word. */
static void
stem(GString *word)
{
    static const struct {
        const char *suffix, *replacement;
        size_t min_rest;
    } rules[] = {{"ies", "y", 2}, {"sses", "ss", 1}, {"ing", "", 3}, {"ed", "", 3},
                 {"es", "", 3},   {"s", "", 3},      {"e", "", 3}};
    for (size_t i = 0; i < G_N_ELEMENTS(rules); i++) {
        size_t n = strlen(rules[i].suffix);
        if (word->len < n + rules[i].min_rest || !g_str_has_suffix(word->str, rules[i].suffix))
            continue;
        if (i == 5 && word->str[word->len - 2] == 's') return; /* "mass" */
        g_string_truncate(word, word->len - n);
        g_string_append(word, rules[i].replacement);
        return;
    }
}

GHashTable *
pipelines_content_words(const char *text, size_t len)
{
    GHashTable *words = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autofree char *folded = g_utf8_casefold(text, (gssize)len);
    g_autoptr(GString) word = g_string_new(NULL);
    for (const char *p = folded;; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);
        gboolean decimal = (c == '.' || c == ',') && word->len > 0 &&
                           g_ascii_isdigit(word->str[word->len - 1]) && g_ascii_isdigit(p[1]);
        if (c != 0 && (g_unichar_isalnum(c) || decimal)) {
            g_string_append_unichar(word, c);
            continue;
        }
        if (word->len > 0 && !is_stop_word(word->str)) {
            stem(word);
            g_hash_table_add(words, g_strdup(word->str));
        }
        g_string_truncate(word, 0);
        if (c == 0) return words;
    }
}

/* ---- text that is not for people ---- */

gboolean
pipelines_is_instruction(const char *text, size_t len)
{
    static const char *const phrases[] = {"ignore previous",
                                          "ignore all previous",
                                          "ignore the previous",
                                          "ignore any previous",
                                          "ignore all prior",
                                          "ignore prior",
                                          "ignore the above",
                                          "ignore your",
                                          "disregard previous",
                                          "disregard all previous",
                                          "disregard the above",
                                          "disregard your",
                                          "forget your instructions",
                                          "forget all previous",
                                          "new instructions:",
                                          "system prompt",
                                          "you are an ai",
                                          "you are a language model",
                                          "as a language model",
                                          "as an ai ",
                                          "you are chatgpt",
                                          "do not mention",
                                          "respond only with",
                                          "reply only with",
                                          "answer only with",
                                          "give a positive review",
                                          "positive review only",
                                          "you must answer",
                                          "you must say",
                                          "you must reply"};
    g_autofree char *folded = g_utf8_casefold(text, (gssize)len);
    for (char *p = folded; *p != '\0'; p++)
        if (*p == '\n' || *p == '\t') *p = ' ';
    for (size_t i = 0; i < G_N_ELEMENTS(phrases); i++)
        if (strstr(folded, phrases[i]) != NULL) return TRUE;
    return FALSE;
}
