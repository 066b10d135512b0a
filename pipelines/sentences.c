/* A text -> its sentences, and the words that carry its meaning. */
#include "pipelines/internal.h"

#include <string.h>

/* ---- sentences ---- */

/* A line's sentences; a heading, an item of a list and a row of a table are lines of their own. */
static void
add_sentences(const char *text, size_t start, size_t len, GArray *ends, GArray *sentences)
{
    g_array_set_size(ends, 0);
    retrieval_split_sentences(text + start, (uint32_t)len, ends);
    size_t from = start;
    for (guint i = 0; i < ends->len; i++) {
        size_t to = start + g_array_index(ends, uint32_t, i), last = to;
        while (from < to && text[from] == ' ')
            from++;
        while (last > from && text[last - 1] == ' ')
            last--;
        pipelines_quote quote = {.start = (uint32_t)from, .len = (uint32_t)(last - from)};
        if (quote.len > 0) g_array_append_val(sentences, quote);
        from = to;
    }
}

GArray *
pipelines_sentences(const char *text, size_t len)
{
    GArray *sentences = g_array_new(FALSE, FALSE, sizeof(pipelines_quote));
    g_autoptr(GArray) ends = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    for (size_t pos = 0; pos < len && len <= G_MAXUINT32;) {
        const char *newline = memchr(text + pos, '\n', len - pos);
        size_t end = newline != NULL ? (size_t)(newline - text) : len;
        if (end > pos) add_sentences(text, pos, end - pos, ends, sentences);
        pos = end + 1;
    }
    return sentences;
}

/* Does a cell of a table stand in this line? */
static gboolean
holds_cell(const retrieval_hit *hit, size_t start, size_t end)
{
    for (guint i = 0; hit->places != NULL && i < hit->places->len; i++) {
        const retrieval_place *place = &g_array_index(hit->places, retrieval_place, i);
        if (place->row > 0 && place->start >= start && place->start < end) return TRUE;
    }
    return FALSE;
}

GArray *
pipelines_hit_sentences(const retrieval_hit *hit)
{
    const size_t len = strlen(hit->text);
    if (hit->type != LAYOUT_BLOCK_TABLE) return pipelines_sentences(hit->text, len);
    GArray *sentences = g_array_new(FALSE, FALSE, sizeof(pipelines_quote));
    g_autoptr(GArray) ends = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    for (size_t pos = 0; pos < len && len <= G_MAXUINT32;) {
        const char *newline = memchr(hit->text + pos, '\n', len - pos);
        const size_t end = newline != NULL ? (size_t)(newline - hit->text) : len;
        const pipelines_quote row = {.start = (uint32_t)pos, .len = (uint32_t)(end - pos)};
        if (holds_cell(hit, pos, end))
            g_array_append_val(sentences, row);
        else if (end > pos)
            add_sentences(hit->text, pos, end - pos, ends, sentences);
        pos = end + 1;
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
