/* What a question asks for, by its words of asking, and stretches of text that look like it.
 *
 * What stands beside evidence.c's features of a question: there each kind counts by itself wherever it is named; here the
 * question has one kind, that of its last hop, and what is found is the answer's own words. */
#include "search/asked.h"

#include <string.h>

#include "search/search.h"
#include "search/words.h"

enum { MAX_NAMES = 24 };

asked_kind
search_asked_kind(const char *question)
{
    static const struct {
        asked_kind kind;
        const char *pattern;
    } kinds[] = {
        {ASKED_DATE, "\\bwhen\\b|\\b(?:what|which)\\s+(?:year|date|day|month|decade|century|time)|"
                     "\\bin (?:what|which) years?\\b|\\b(?:what|which) (?:is|was) the (?:\\w+ )?"
                     "(?:date|year)\\b"},
        {ASKED_NUMBER, "\\bhow (?:many|much|long|old|far|high|large|big|tall|deep|often)\\b|"
                       "\\b(?:what|which)(?: is| was| were| are)? (?:the )?(?:number|percentage|"
                       "population|percent|rate|size|age|length|area|height|depth)\\b"},
        {ASKED_PERSON, "\\bwho(?:se|m)?\\b|\\b(?:what|which) (?:actor|actress|singer|artist|author|"
                       "writer|director|person|player|president|king|queen|musician|producer|"
                       "composer|scientist|politician)\\b"},
        {ASKED_PLACE,
         "\\bwhere\\b|\\b(?:what|which)(?: \\w+)? (?:country|city|state|county|province|town|"
         "place|district|nation|continent|island|village|region|university|college|"
         "school|location|cemetery|hospital|birthplace|nationality|capital)\\b|"
         "\\b(?:what|which) (?:is|was) the (?:place|country|city|state|county|location|"
         "birthplace|nationality|capital)\\b"},
        {ASKED_THING, "\\b(?:what|which)\\b"},
    };
    asked_kind kind = ASKED_OTHER;
    gint first = G_MAXINT;
    for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
        g_autoptr(GRegex) regex = g_regex_new(kinds[i].pattern, G_REGEX_CASELESS, 0, NULL);
        g_autoptr(GMatchInfo) info = NULL;
        gint start = 0;
        g_assert(regex != NULL); /* ours, and constant */
        if (!g_regex_match(regex, question, 0, &info)) continue;
        g_match_info_fetch_pos(info, 0, &start, NULL);
        if (start >= first) continue;
        first = start;
        kind = kinds[i].kind;
    }
    return kind;
}

GHashTable *
search_asked_mates(void)
{
    static const char *const groups[] = {
        "birth born birthplace native birthday",
        "die died death dead killed deceased",
        "father mother son daughter child children parent grandfather grandmother grandson",
        "wife husband spouse married marry marriage wed widow widower",
        "brother sister sibling twin",
        "educated studied study graduated graduate university college school attended education "
        "student",
        "director directed direct directs filmmaker",
        "actor actress played play plays portrayed portray starring star stars starred role cast "
        "character",
        "author write wrote written writer novelist novel",
        "performer performed singer sang sung song recorded artist band perform",
        "composer composed music composition compose",
        "painter painted painting creator created create sculptor",
        "founded founder established formed inception founding founders started",
        "located location situated lies",
        "employer worked works employed work employee",
        "award won win received recognition prize nominated winner",
        "published publisher publication publishing",
        "citizenship nationality citizen country",
        "producer produced produce production"};
    GHashTable *mates =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_ptr_array_unref);
    for (gsize i = 0; i < G_N_ELEMENTS(groups); i++) {
        g_autoptr(GPtrArray) words = search_words(groups[i]);
        for (guint j = 0; j < words->len; j++)
            g_hash_table_insert(mates, g_strdup(words->pdata[j]), g_ptr_array_ref(words));
    }
    return mates;
}

/* ---- what looks like it ---- */

static gboolean
is_known(const char *text, GHashTable *known)
{
    g_autoptr(GPtrArray) words = search_words(text);
    return search_words_covered(words, known);
}

/* Matches of a pattern that say something new: GPtrArray of char *. */
static GPtrArray *
new_matches(const char *pattern, const char *sentence, GHashTable *known)
{
    GPtrArray *found = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GRegex) regex = g_regex_new(pattern, 0, 0, NULL);
    g_autoptr(GMatchInfo) info = NULL;
    g_assert(regex != NULL);
    for (g_regex_match(regex, sentence, 0, &info); g_match_info_matches(info);
         g_match_info_next(info, NULL)) {
        g_autofree char *match = g_match_info_fetch(info, 0);
        if (!is_known(match, known)) g_ptr_array_add(found, g_steal_pointer(&match));
    }
    return found;
}

/* "(1 May 1900 - 3 June 1980)": the second is the day of death. */
static char *
find_date(const char *question, const char *sentence, GHashTable *known)
{
    static const char pattern[] =
        "\\b(?:\\d{1,2} )?(?:January|February|March|April|May|June|July|August|September|October|"
        "November|December)(?: \\d{1,2}\\b)?(?:,? \\d{4}\\b)?|"
        "\\b(?:1\\d{3}|20\\d\\d)(?:\\s?[\xE2\x80\x93-]\\s?(?:1\\d{3}|20\\d\\d|\\d\\d))?\\b";
    g_autoptr(GPtrArray) dates = new_matches(pattern, sentence, known);
    if (dates->len == 0) return NULL;
    g_autoptr(GRegex) death =
        g_regex_new("\\b(?:die|dies|died|death)\\b", G_REGEX_CASELESS, 0, NULL);
    const gboolean second =
        dates->len > 1 && strchr(sentence, '(') != NULL && g_regex_match(death, question, 0, NULL);
    return g_strdup(dates->pdata[second ? 1 : 0]);
}

/* A year is a number where there is no other. */
static char *
find_number(const char *sentence, GHashTable *known)
{
    static const char pattern[] =
        "(?:\\b\\d[\\d,.]*\\d\\b|\\b\\d\\b|\\b(?:two|three|four|five|six|seven|eight|nine|ten|"
        "eleven|twelve)\\b)(?: (?:million|billion|percent|per cent)\\b|\\s?%)?";
    g_autoptr(GPtrArray) numbers = new_matches(pattern, sentence, known);
    for (guint i = 0; i < numbers->len; i++)
        if (!g_regex_match_simple("^(?:1[5-9]|20)\\d\\d$", numbers->pdata[i], 0, 0))
            return g_strdup(numbers->pdata[i]);
    return numbers->len > 0 ? g_strdup(numbers->pdata[0]) : NULL;
}

/* Places stand behind a preposition. */
static gboolean
stands_as_place(const char *sentence, const char *name)
{
    g_autofree char *escaped = g_regex_escape_string(name, -1);
    g_autofree char *pattern = g_strdup_printf("\\b(?:in|at|from|to|near|of) (?:the )?%s", escaped);
    return g_regex_match_simple(pattern, sentence, 0, 0);
}

static char *
find_name(asked_kind kind, const char *sentence, GHashTable *known)
{
    g_autoptr(GPtrArray) names = search_names(sentence, MAX_NAMES);
    const char *first = NULL;
    for (guint i = 0; i < names->len; i++) {
        const char *name = names->pdata[i];
        if (is_known(name, known)) continue;
        if (first == NULL) first = name;
        if (kind == ASKED_PERSON && strchr(name, ' ') != NULL) return g_strdup(name);
        if (kind == ASKED_PLACE && stands_as_place(sentence, name)) return g_strdup(name);
    }
    return kind == ASKED_PLACE ? NULL : g_strdup(first);
}

char *
search_asked_find(asked_kind kind, const char *question, const char *sentence, GHashTable *known)
{
    switch (kind) {
    case ASKED_DATE:
        return find_date(question, sentence, known);
    case ASKED_NUMBER:
        return find_number(sentence, known);
    case ASKED_PERSON:
    case ASKED_PLACE:
    case ASKED_THING:
        return find_name(kind, sentence, known);
    case ASKED_OTHER:
        break;
    }
    return NULL;
}

/* ---- comparing ---- */

/* "24 July 1987", "July 1987", "1987" as a number that grows with time; 0: no year in it. */
static int
day_number(const char *date)
{
    static const char *const months[] = {"January",   "February", "March",    "April",
                                         "May",       "June",     "July",     "August",
                                         "September", "October",  "November", "December"};
    int year = 0, month = 0, day = 0;
    for (gsize i = 0; i < G_N_ELEMENTS(months); i++)
        if (strstr(date, months[i]) != NULL) month = (int)i + 1;
    for (const char *p = date; *p != '\0';) {
        if (!g_ascii_isdigit(*p)) {
            p++;
            continue;
        }
        const gsize n = strspn(p, "0123456789");
        const int value = n <= 4 ? (int)g_ascii_strtoll(p, NULL, 10) : 0;
        if (n <= 2)
            day = value;
        else if (year == 0)
            year = value;
        p += n;
    }
    return year == 0 ? 0 : year * 10000 + month * 100 + day;
}

int
search_compare_dates(const char *question, const char *a, const char *b)
{
    static const char sooner[] = "\\b(?:first|earlier|earliest|older|oldest|before|sooner)\\b";
    static const char later[] =
        "\\b(?:later|latest|younger|youngest|recent|recently|newer|newest|last)\\b";
    const gboolean wants_first = g_regex_match_simple(sooner, question, G_REGEX_CASELESS, 0);
    const gboolean wants_last = g_regex_match_simple(later, question, G_REGEX_CASELESS, 0);
    if (wants_first == wants_last) return -1;
    g_autoptr(GHashTable) known = search_word_set(question);
    g_autofree char *of_a = find_date(question, a, known), *of_b = find_date(question, b, known);
    const int x = of_a != NULL ? day_number(of_a) : 0, y = of_b != NULL ? day_number(of_b) : 0;
    if (x == 0 || y == 0 || x == y) return -1;
    return (x < y) == wants_first ? 0 : 1;
}
