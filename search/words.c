/* Text -> words that carry meaning, and names. */
#include "search/words.h"

#include <stdlib.h>
#include <string.h>

#include "search/search.h"

enum { MAX_WORD = 64 };

/* Sorted. Beside articles, prepositions, pronouns and auxiliaries: what only asks ("name", "called"). */
static const char *const function_words[] = {
    "a",     "about", "after", "also",   "an",     "and",     "another", "any",   "are",  "as",
    "at",    "be",    "been",  "before", "being",  "between", "both",    "but",   "by",   "called",
    "can",   "could", "did",   "do",     "does",   "doing",   "during",  "each",  "for",  "from",
    "had",   "has",   "have",  "he",     "her",    "him",     "his",     "how",   "i",    "if",
    "in",    "into",  "is",    "it",     "its",    "many",    "may",     "might", "much", "must",
    "name",  "no",    "not",   "of",     "on",     "one",     "or",      "other", "our",  "out",
    "over",  "s",     "shall", "she",    "should", "so",      "some",    "such",  "t",    "than",
    "that",  "the",   "their", "them",   "then",   "there",   "these",   "they",  "this", "those",
    "to",    "under", "up",    "us",     "was",    "we",      "were",    "what",  "when", "where",
    "which", "who",   "whom",  "whose",  "why",    "will",    "with",    "would", "you",  "your",
};

static int
compare_words(const void *a, const void *b)
{
    return strcmp(a, *(const char *const *)b);
}

static gboolean
is_function_word(const char *folded)
{
    return bsearch(folded, function_words, G_N_ELEMENTS(function_words), sizeof function_words[0],
                   compare_words) != NULL;
}

/* Lower case without accents. */
static char *
fold(const char *text, gssize len)
{
    g_autofree char *parts = g_utf8_normalize(text, len, G_NORMALIZE_NFKD);
    if (parts == NULL) return g_strdup("");
    g_autoptr(GString) bare = g_string_sized_new(strlen(parts));
    for (const char *p = parts; *p != '\0'; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);
        if (!g_unichar_ismark(c)) g_string_append_unichar(bare, c);
    }
    return g_utf8_strdown(bare->str, -1);
}

gboolean
search_is_function_word(const char *word)
{
    g_autofree char *folded = fold(word, -1);
    return is_function_word(folded);
}

/* Endings of inflection, so that "directed", "directs" and "directing" are one: a light form of Porter's first
 * step (Porter, "An algorithm for suffix stripping", 1980). */
static void
stem(char *word)
{
    static const struct {
        const char *ending, *becomes;
    } rules[] = {{"sses", "ss"}, {"ies", "y"}, {"ss", "ss"}, {"us", "us"}, {"is", "is"},
                 {"s", ""},      {"ied", "y"}, {"ing", ""},  {"ed", ""},   {NULL, NULL}};
    size_t len = strlen(word);
    for (size_t i = 0; rules[i].ending != NULL; i++) {
        size_t n = strlen(rules[i].ending);
        if (len < n + 3 || strcmp(word + len - n, rules[i].ending) != 0) continue;
        strcpy(word + len - n, rules[i].becomes);
        len = strlen(word);
        if (word[0] != '\0' && strcmp(rules[i].ending, "s") != 0) break;
        if (len < 5 || !g_str_has_suffix(word, "ing")) break;
    }
    len = strlen(word);
    if (len > 4 && word[len - 1] == 'e') word[len - 1] = '\0';
}

static void
each_word(const char *text, void (*each)(char *word, gpointer data), gpointer data)
{
    g_autofree char *folded = fold(text, -1);
    for (const char *p = folded; *p != '\0';) {
        if (!g_unichar_isalnum(g_utf8_get_char(p))) {
            p = g_utf8_next_char(p);
            continue;
        }
        const char *start = p;
        while (*p != '\0' && g_unichar_isalnum(g_utf8_get_char(p)))
            p = g_utf8_next_char(p);
        if (p - start > MAX_WORD) continue;
        char *word = g_strndup(start, (gsize)(p - start));
        if (is_function_word(word)) {
            g_free(word);
            continue;
        }
        stem(word);
        each(word, data);
    }
}

typedef struct {
    GPtrArray *list;
    GHashTable *seen;
} word_list;

static void
append_word(char *word, gpointer data)
{
    word_list *words = data;
    if (g_hash_table_add(words->seen, word)) g_ptr_array_add(words->list, g_strdup(word));
}

static void
add_word(char *word, gpointer data)
{
    g_hash_table_add(data, word);
}

GPtrArray *
search_words(const char *text)
{
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    word_list words = {g_ptr_array_new_with_free_func(g_free), seen};
    each_word(text, append_word, &words);
    return words.list;
}

GHashTable *
search_word_set(const char *text)
{
    GHashTable *set = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    each_word(text, add_word, set);
    return set;
}

gboolean
search_words_covered(const GPtrArray *words, GHashTable *set)
{
    for (guint i = 0; i < words->len; i++)
        if (!g_hash_table_contains(set, words->pdata[i])) return FALSE;
    return TRUE;
}

double
search_words_overlap(GHashTable *a, GHashTable *b)
{
    guint both = 0;
    GHashTableIter iter;
    gpointer word;
    g_hash_table_iter_init(&iter, a);
    while (g_hash_table_iter_next(&iter, &word, NULL))
        if (g_hash_table_contains(b, word)) both++;
    guint either = g_hash_table_size(a) + g_hash_table_size(b) - both;
    return either > 0 ? (double)both / either : 0;
}

/* ---- names ---- */

/* A name may go on over these. */
static gboolean
is_connector(const char *word, size_t len)
{
    static const char *const list[] = {"of",  "the", "de", "von", "van", "la", "le",  "du",  "der",
                                       "den", "del", "al", "bin", "di",  "da", "dos", "and", "&"};
    for (size_t i = 0; i < G_N_ELEMENTS(list); i++)
        if (strlen(list[i]) == len && memcmp(list[i], word, len) == 0) return TRUE;
    return FALSE;
}

static gboolean
is_inside_word(gunichar c)
{
    return g_unichar_isalnum(c) || g_unichar_ismark(c) || c == '\'' || c == 0x2019 || c == '-' ||
           c == '.' || c == '&';
}

static const char *
word_end(const char *p)
{
    while (*p != '\0' && is_inside_word(g_utf8_get_char(p)))
        p = g_utf8_next_char(p);
    return p;
}

static gboolean
begins_name(const char *p)
{
    gunichar c = g_utf8_get_char(p);
    return g_unichar_isupper(c) || g_unichar_istitle(c);
}

/* End of the name that begins at p: at most two connecting words between capitalised ones. */
static const char *
name_end(const char *p)
{
    const char *end = word_end(p);
    while (end[-1] != '.' || end - p <= 3) { /* "J." goes on, "Island." ends a sentence */
        const char *q = end;
        for (int small = 0; *q == ' '; small++) {
            q++;
            const char *next = word_end(q);
            if (*q != '\0' && next > q && (begins_name(q) || (small == 0 && g_ascii_isdigit(*q))))
                break;
            if (small == 2 || !is_connector(q, (size_t)(next - q))) return end;
            q = next;
        }
        if (q == end || *q == '\0' || !(begins_name(q) || g_ascii_isdigit(*q))) return end;
        end = word_end(q);
    }
    return end;
}

/* Without the possessive's ending and the sentence's full stop. */
static char *
trim_name(const char *start, const char *end)
{
    char *name = g_strndup(start, (gsize)(end - start));
    gsize len = strlen(name);
    while (len > 0 && strchr(".-'&", name[len - 1]) != NULL)
        name[--len] = '\0';
    static const char *const endings[] = {"'s", "\xE2\x80\x99s", "\xE2\x80\x99"};
    for (size_t i = 0; i < G_N_ELEMENTS(endings); i++)
        if (g_str_has_suffix(name, endings[i])) {
            name[len - strlen(endings[i])] = '\0';
            break;
        }
    return name;
}

/* Sorted; short forms too. */
static const char *const calendar[] = {
    "apr",     "april",    "aug",      "august",  "dec",    "december",  "feb",      "february",
    "fri",     "friday",   "jan",      "january", "jul",    "july",      "jun",      "june",
    "mar",     "march",    "may",      "mon",     "monday", "nov",       "november", "oct",
    "october", "sat",      "saturday", "sep",     "sept",   "september", "sun",      "sunday",
    "thu",     "thursday", "tue",      "tuesday", "wed",    "wednesday"};

/* "February 12", "31 March 1621": leads nowhere. */
static gboolean
is_date(const char *name)
{
    g_autofree char *folded = fold(name, -1);
    g_auto(GStrv) words = g_strsplit_set(folded, " .,-", -1);
    gboolean has_month = FALSE;
    for (char **word = words; *word != NULL; word++) {
        if ((*word)[strspn(*word, "0123456789")] == '\0') continue;
        if (bsearch(*word, calendar, G_N_ELEMENTS(calendar), sizeof calendar[0], compare_words) ==
            NULL)
            return FALSE;
        has_month = TRUE;
    }
    return has_month;
}

/* "On January 14", "The Third Man": without the word that only begins a sentence. An article may be the name's own, so
 * it stays where more than a word follows. */
static const char *
skip_opening(const char *name)
{
    const char *blank = strchr(name, ' ');
    if (blank == NULL) return name;
    g_autofree char *first = g_strndup(name, (gsize)(blank - name));
    if (!search_is_function_word(first)) return name;
    gboolean article = g_ascii_strcasecmp(first, "the") == 0 ||
                       g_ascii_strcasecmp(first, "a") == 0 || g_ascii_strcasecmp(first, "an") == 0;
    return article ? name : blank + 1;
}

/* "However, ...", "Historically, ...": a capital that only begins the sentence. Sicily and Italy do not end so. */
static gboolean
is_opening_adverb(const char *name)
{
    static const char *const words[] = {
        "however",     "moreover", "furthermore", "therefore",    "nevertheless",
        "meanwhile",   "thus",     "hence",       "instead",      "later",
        "today",       "also",     "afterwards",  "additionally", "although",
        "nonetheless", "still",    "often",       "according",    "originally"};
    static const char *const endings[] = {"ally", "edly", "ntly", "ously", "ively",
                                          "tely", "arly", "ably", "ibly",  "ingly"};
    g_autofree char *folded = fold(name, -1);
    if (strpbrk(folded, " .-") != NULL) return FALSE;
    for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
        if (strcmp(words[i], folded) == 0) return TRUE;
    for (size_t i = 0; i < G_N_ELEMENTS(endings) && strlen(folded) > 5; i++)
        if (g_str_has_suffix(folded, endings[i])) return TRUE;
    return FALSE;
}

GPtrArray *
search_names(const char *text, guint max)
{
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    for (const char *p = text; *p != '\0' && names->len < max;) {
        if (!begins_name(p)) {
            const char *end = word_end(p);
            p = end > p ? end : g_utf8_next_char(p);
            continue;
        }
        const char *end = name_end(p);
        const gboolean opens = p == text || (p >= text + 2 && p[-1] == ' ' && p[-2] == '.');
        g_autofree char *whole = trim_name(p, end);
        g_autofree char *name = g_strdup(skip_opening(whole));
        p = end;
        if (opens && is_opening_adverb(name)) continue;
        if (strlen(name) < 3 || search_is_function_word(name) || is_date(name)) continue;
        if (!g_hash_table_contains(seen, name)) {
            g_hash_table_add(seen, name);
            g_ptr_array_add(names, g_steal_pointer(&name));
        }
    }
    return names;
}

char *
search_answer_name(const char *question, const char *sentence, const char *title)
{
    enum { MAX_LOOKED_AT = 20 };
    g_autoptr(GHashTable) asked = search_word_set(question);
    g_autoptr(GPtrArray) names = search_names(sentence, MAX_LOOKED_AT);
    gboolean person = g_ascii_strncasecmp(question, "who", 3) == 0;
    const char *first = NULL;
    for (guint i = 0; i < names->len; i++) {
        const char *name = names->pdata[i];
        g_autoptr(GPtrArray) words = search_words(name);
        if (words->len == 0 || search_words_covered(words, asked)) continue;
        /* people have two names; one alone is more often where they are from */
        if (!person || words->len > 1) return g_strdup(name);
        if (first == NULL) first = name;
    }
    if (first != NULL) return g_strdup(first);
    if (title == NULL) return NULL;
    g_autoptr(GPtrArray) words = search_words(title);
    return words->len > 0 && !search_words_covered(words, asked) ? g_strdup(title) : NULL;
}

char *
search_plain_title(const char *title)
{
    const char *bracket = strstr(title, " (");
    if (bracket == NULL || !g_str_has_suffix(title, ")")) return g_strdup(title);
    return g_strndup(title, (gsize)(bracket - title));
}
