/* The first turn of a plan by rules, for English questions.
 *
 *   comparison   "Which was founded first, A or B?"  "Are both A and B sculptors?"   a node for each side
 *   nested       "When did the author of X die?"     a node for what stands inside, one that needs it for the rest
 *   several      "Who wrote X and when was it published?"  a node for each part; "it" stands for the first's answer
 *
 * The question itself is a node too, unless it is just its parts: what rules misread is then still searched as it
 * stands. They look at function words and capitals alone; there is no grammar behind them. */
#include <string.h>

#include "search/search.h"
#include "search/words.h"

enum { MAX_SIDE = 120, MIN_INNER_WORDS = 2 };

/* text without blanks, commas, quotes and question marks at its ends; g_free. */
static char *
tidy(const char *text, gssize len)
{
    char *copy = len < 0 ? g_strdup(text) : g_strndup(text, (gsize)len);
    gsize n = strlen(copy), start = 0;
    while (n > 0 && strchr(" ?,.;:", copy[n - 1]) != NULL)
        n--;
    while (start < n && strchr(" ,;:", copy[start]) != NULL)
        start++;
    memmove(copy, copy + start, n - start);
    copy[n - start] = '\0';
    return copy;
}

static GMatchInfo *
match(const char *pattern, const char *text)
{
    g_autoptr(GRegex) regex = g_regex_new(pattern, G_REGEX_CASELESS | G_REGEX_OPTIMIZE, 0, NULL);
    g_assert(regex != NULL); /* ours, and constant */
    GMatchInfo *info = NULL;
    if (g_regex_match(regex, text, 0, &info)) return info;
    g_match_info_free(info);
    return NULL;
}

static gboolean
has_name(const char *text)
{
    g_autoptr(GPtrArray) names = search_names(text, 1);
    return names->len > 0;
}

static guint
n_words(const char *text)
{
    g_autoptr(GPtrArray) words = search_words(text);
    return words->len;
}

static search_node *
add(search_plan *plan, const char *question, const char *phrase, const char *need)
{
    const char *needs[] = {need, NULL};
    search_node *node = search_plan_add(plan, NULL, question, needs, NULL);
    if (node != NULL && node->phrase == NULL) node->phrase = g_strdup(phrase);
    return node;
}

/* ---- comparisons ---- */

/* The name that text begins with ends where its capitals do: "Gowanus Canal both located in the same state". Titles
 * go on over small words, so what is cut is only what begins with a word that no title ends before. */
static char *
cut_side(const char *text)
{
    static const char rest[] =
        "^(.+?)(?:,)?\\s+(?:both|the same|from the same|in the "
        "same|share|shares|have|has|had|located|born|"
        "founded|released|published|established|die|died|come|came|same|known|considered|each|"
        "direct|directed|play|played|based|located|situated|american|part of|of the same|"
        "which|what|who|is|are|was|were|do|does|did)\\b.*$";
    GMatchInfo *info = match(rest, text);
    if (info == NULL) return tidy(text, -1);
    g_autofree char *side = g_match_info_fetch(info, 1);
    g_match_info_free(info);
    return tidy(side, -1);
}

/* "Reuben Nakian sculptors" -> "Reuben Nakian"; a title with a colon goes on behind it. */
static char *
leading_name(const char *text)
{
    g_autoptr(GPtrArray) names = search_names(text, 1);
    const char *name = names->len > 0 ? names->pdata[0] : NULL;
    if (name == NULL || !g_str_has_prefix(text, name) || text[strlen(name)] != ' ')
        return cut_side(text);
    return g_strdup(name);
}

/* "Are both A and B sculptors?" -> "are both sculptors": what is asked of a side; tidied. */
static char *
without(const char *question, const char *a, const char *b)
{
    g_autoptr(GString) rest = g_string_new(question);
    g_string_replace(rest, a, "", 1);
    g_string_replace(rest, b, "", 1);
    g_autoptr(GRegex) joints =
        g_regex_new("\\s*,?\\s+\\b(?:or|and|both|either|between)\\b(?=[\\s,?.]|$)|\\s+,|\\s{2,}",
                    G_REGEX_CASELESS, 0, NULL);
    g_autofree char *plain = g_regex_replace_literal(joints, rest->str, -1, 0, " ", 0, NULL);
    g_autoptr(GRegex) gaps = g_regex_new("\\s{2,}", 0, 0, NULL);
    g_autofree char *single = g_regex_replace_literal(gaps, plain, -1, 0, " ", 0, NULL);
    return tidy(single, -1);
}

static gboolean
add_sides(search_plan *plan, const char *question, const char *a, const char *b)
{
    if (a[0] == '\0' || b[0] == '\0' || strlen(a) > MAX_SIDE || strlen(b) > MAX_SIDE) return FALSE;
    if (!has_name(a) || !has_name(b)) return FALSE;
    g_autofree char *rest = without(question, a, b);
    const char *const sides[] = {a, b};
    for (gsize i = 0; i < G_N_ELEMENTS(sides); i++) {
        g_autofree char *side = g_strdup_printf("%s: %s?", sides[i], rest);
        add(plan, side, sides[i], NULL);
    }
    return TRUE;
}

static gboolean
add_comparison(search_plan *plan, const char *question)
{
    static const char *const patterns[] = {
        /* "Which film came out first, A or B" */
        "^(?:which|who|whose|what|in which|of which|between)\\b.*?(?:,|:| between| "
        "among|\\bof\\b)\\s+(?:the\\s+\\w+\\s+)?(.+?),?\\s+"
        "(?:or|and)\\s+(.+)$",
        "^(?:which|who|what)\\b.*?\\b(?:first|earlier|later|longer|older|younger|more|most|larger|"
        "bigger|taller|stories|recently|higher)\\b[\\w "
        "]*?,?\\s+(?=(?-i:[A-Z\"]))(.+?),?\\s+or\\s+(.+)$",
        /* "Was A or B born first", "Are both A and B sculptors", "Do both films A and B ..." */
        ("^(?:was|were|is|are|did|do|does|has|have)\\s+(?:both\\s+)?(?:the\\s+)?(?:(?:[a-z]+\\s+)?(?"
         ":of\\s+)?(?:films?|movies?|"
         "directors of films?|magazines?|songs?|bands?)[,:]?\\s+)?(.+?),?\\s+(?:or|and)\\s+(.+)$"),
        /* "A and B, are breed of which animal", "A and B have the same origin" */
        ("^(.+?)\\s+and\\s+(.+?),?\\s+(?:are|is|were|was|have|has|both|share)\\b.*(?:which|what|"
         "same|both|common|type|kind).*$"),
        "^what\\s+(?:do|does|did|is|are)\\s+(.+?)\\s+and\\s+(.+?)\\s+(?:have|share|both)\\b.*$",
    };
    g_autofree char *plain = tidy(question, -1);
    for (gsize i = 0; i < G_N_ELEMENTS(patterns); i++) {
        GMatchInfo *info = match(patterns[i], plain);
        if (info == NULL) continue;
        g_autofree char *first = g_match_info_fetch(info, 1), *second = g_match_info_fetch(info, 2);
        g_match_info_free(info);
        gboolean yes_no = i == 2;
        g_autofree char *a = tidy(first, -1), *b = yes_no ? leading_name(second) : cut_side(second);
        /* "Did A and the B that C ... or D": only where capitals say that these are names */
        if (yes_no && !g_unichar_isupper(g_utf8_get_char(a)) && a[0] != '"') continue;
        if (add_sides(plan, plain, a, b)) return TRUE;
    }
    /* "the same nationality as the author of X": the other side is what stands inside */
    return FALSE;
}

/* ---- what stands inside ---- */

typedef struct {
    gsize start, end; /* bytes of the question */
    char *question;   /* that asks for it */
} inner;

/* "the father of X", "X's father", "the team that won Y": asked for as a question. */
static char *
ask_for(const char *phrase)
{
    static const char people[] = "\\b(actor|actress|author|writer|director|producer|singer|"
                                 "performer|artist|player|person|man|woman|king|queen|"
                                 "president|leader|founder|creator|composer|spouse|wife|husband|"
                                 "father|mother|son|daughter|brother|sister|"
                                 "sibling|child|physicist|scientist|screenwriter|star|member|owner|"
                                 "employer|painter|politician|monarch|"
                                 "character|narrator|publisher|inventor|star|cast "
                                 "member|ruler|designer|coach|captain|host)\\b";
    GMatchInfo *info = match(people, phrase);
    gboolean person = info != NULL;
    if (info != NULL) g_match_info_free(info);
    return g_strdup_printf("%s is %s?", person ? "Who" : "What", phrase);
}

/* The last "the NOUN that/of/who/... REST" with something in front of it, to the end of the question. The last one is
 * the innermost: what it speaks of can be found first. */
static gboolean
find_clause(const char *question, inner *found)
{
    static const char opener[] = "\\b(?:the|a|an)\\s+(?:[\\w'\\-\\.]+\\s+){1,4}?(?:that|who|whom|"
                                 "which|whose|where|when|of|from|playing|played|in "
                                 "which|to which|containing|containing|named|born|behind|with)\\s+";
    g_autoptr(GRegex) regex = g_regex_new(opener, G_REGEX_CASELESS, 0, NULL);
    g_autoptr(GMatchInfo) info = NULL;
    gint last = -1;
    for (gint at = 0; g_regex_match_full(regex, question, -1, at, 0, &info, NULL);) {
        gint start = 0;
        g_match_info_fetch_pos(info, 0, &start, NULL);
        g_clear_pointer(&info, g_match_info_unref);
        /* "the seat of the county": the clause of the inner one counts; names hold small words of their own */
        if (start > 0) last = start;
        at = start + 1;
    }
    if (last <= 0) return FALSE;
    found->start = (gsize)last;
    found->end = strlen(question);
    return TRUE;
}

/* "Edward Baring's father": a name, its ending, and the one or two words behind it. */
static gboolean
find_possessive(const char *question, inner *found)
{
    static const char pattern[] = "((?-i:[A-Z0-9])[^\\s,?]*(?:,?\\s+(?:(?-i:[A-Z0-9])[^\\s,?]*|of|"
                                  "the|de|von|van|la|and|in))*(?:'|\xE2\x80\x99)s?)\\s+"
                                  "((?-i:[a-z])[\\w\\-]*(?:\\s+of\\s+(?-i:[a-z])\\w+)?)";
    GMatchInfo *info = match(pattern, question);
    if (info == NULL) return FALSE;
    gint start = 0, end = 0;
    g_match_info_fetch_pos(info, 0, &start, &end);
    g_match_info_free(info);
    g_autofree char *first = g_strndup(question, (gsize)start);
    if (n_words(first) == 0 && question[end] == '\0') return FALSE;
    found->start = (gsize)start;
    found->end = (gsize)end;
    return TRUE;
}

/* The clause inside and the question around it: "Who is the spouse of {n2}?". */
static gboolean
add_nested(search_plan *plan, const char *question)
{
    g_autofree char *plain = tidy(question, -1);
    inner found = {0};
    if (!find_possessive(plain, &found) && !find_clause(plain, &found)) return FALSE;
    g_autofree char *phrase = tidy(plain + found.start, (gssize)(found.end - found.start));
    g_autofree char *before = g_strndup(plain, found.start);
    const char *after = plain + found.end;
    if (n_words(phrase) < MIN_INNER_WORDS || n_words(before) + n_words(after) == 0) return FALSE;
    g_autofree char *inside = ask_for(phrase);
    search_node *node = add(plan, inside, phrase, NULL);
    if (node == NULL) return FALSE;
    g_autofree char *outer = g_strdup_printf("%s{%s}%s?", before, node->id, after);
    add(plan, outer, NULL, node->id);
    return TRUE;
}

/* ---- several questions ---- */

static gboolean
add_parts(search_plan *plan, const char *question)
{
    static const char pattern[] = "^((?:who|what|when|where|which|why|how)\\b.+?),?\\s+and\\s+((?:"
                                  "who|what|when|where|which|why|how|in "
                                  "which|in what)\\b.+)$";
    g_autofree char *plain = tidy(question, -1);
    GMatchInfo *info = match(pattern, plain);
    if (info == NULL) return FALSE;
    g_autofree char *first = g_match_info_fetch(info, 1), *second = g_match_info_fetch(info, 2);
    g_match_info_free(info);
    if (n_words(first) < 2 || n_words(second) < 1) return FALSE;
    g_autofree char *one = g_strconcat(first, "?", NULL);
    search_node *node = add(plan, one, first, NULL);
    if (node == NULL) return FALSE;
    static const char pronoun[] = "\\b(?:it|they|he|she|his|her|its|their|him|them)\\b";
    g_autoptr(GRegex) regex = g_regex_new(pronoun, G_REGEX_CASELESS, 0, NULL);
    g_autofree char *reference = g_strdup_printf("{%s}", node->id);
    gboolean refers = g_regex_match(regex, second, 0, NULL);
    g_autofree char *filled =
        refers ? g_regex_replace_literal(regex, second, -1, 0, reference, 0, NULL) : NULL;
    g_autofree char *two = g_strconcat(filled != NULL ? filled : second, "?", NULL);
    add(plan, two, NULL, refers ? node->id : NULL);
    return TRUE;
}

void
search_plan_apply_rules(search_plan *plan)
{
    const char *question = search_plan_question(plan);
    add(plan, question, NULL, NULL);
    if (add_parts(plan, question) || add_comparison(plan, question)) return;
    add_nested(plan, question);
}
