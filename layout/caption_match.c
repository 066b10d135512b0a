/* Does a line start a caption? "Figure 3:", "FIG. 2.", "Table S1 |", "Algorithm 1". */
#include "layout/analyze.h"
#include "layout/flow.h"

#include <string.h>

#define MAX_LETTERS 3 /* before a number: of an appendix, a chapter, a country */

typedef struct {
    const char *word;
    layout_caption_kind kind;
} caption_word;

static const caption_word caption_words[] = {
    {"supplementary figure", LAYOUT_CAPTION_FIGURE},
    {"supplementary fig.", LAYOUT_CAPTION_FIGURE},
    {"supplementary table", LAYOUT_CAPTION_TABLE},
    {"supplemental figure", LAYOUT_CAPTION_FIGURE},
    {"supplemental fig.", LAYOUT_CAPTION_FIGURE},
    {"supplemental table", LAYOUT_CAPTION_TABLE},
    {"supporting figure", LAYOUT_CAPTION_FIGURE},
    {"supporting table", LAYOUT_CAPTION_TABLE},
    {"appendix figure", LAYOUT_CAPTION_FIGURE},
    {"appendix table", LAYOUT_CAPTION_TABLE},
    {"extended data figure", LAYOUT_CAPTION_FIGURE},
    {"extended data fig.", LAYOUT_CAPTION_FIGURE},
    {"extended data table", LAYOUT_CAPTION_TABLE},
    {"figure", LAYOUT_CAPTION_FIGURE},
    {"fig.", LAYOUT_CAPTION_FIGURE},
    {"fig", LAYOUT_CAPTION_FIGURE},
    {"abbildung", LAYOUT_CAPTION_FIGURE},
    {"abb.", LAYOUT_CAPTION_FIGURE},
    {"scheme", LAYOUT_CAPTION_FIGURE},
    {"chart", LAYOUT_CAPTION_FIGURE},
    {"plate", LAYOUT_CAPTION_FIGURE},
    {"table", LAYOUT_CAPTION_TABLE},
    {"tab.", LAYOUT_CAPTION_TABLE},
    {"tabelle", LAYOUT_CAPTION_TABLE},
    {"tableau", LAYOUT_CAPTION_TABLE},
    {"tabla", LAYOUT_CAPTION_TABLE},
    {"tabela", LAYOUT_CAPTION_TABLE},
    {"tabella", LAYOUT_CAPTION_TABLE},
    {"figura", LAYOUT_CAPTION_FIGURE},
    {"\xD0\xA0\xD0\xB8\xD1\x81.", LAYOUT_CAPTION_FIGURE}, /* Cyrillic: Ris., Tabl., Tablitsa */
    {"\xD0\xA2\xD0\xB0\xD0\xB1\xD0\xBB.", LAYOUT_CAPTION_TABLE},
    {"\xD0\xA2\xD0\xB0\xD0\xB1\xD0\xBB\xD0\xB8\xD1\x86\xD0\xB0", LAYOUT_CAPTION_TABLE},
    {"algorithm", LAYOUT_CAPTION_OTHER},
    {"listing", LAYOUT_CAPTION_OTHER},
    {"procedure", LAYOUT_CAPTION_OTHER},
    {"\xE5\x9B\xBE", LAYOUT_CAPTION_FIGURE},
    {"\xE8\xA1\xA8", LAYOUT_CAPTION_TABLE},
};

/* "3", "3a", "S1", "BR2", "A.1", "2-4", "IV" */
static gsize
number_len(const char *text, gsize len)
{
    gsize i = 0;
    while (i < len && text[i] != '\0' && strchr("IVX", text[i]) != NULL)
        i++;
    if (i > 0 && i <= 5 && (i == len || !g_ascii_isalnum(text[i]))) return i;
    i = 0;
    while (i < len && i < MAX_LETTERS && g_ascii_isupper(text[i]))
        i++;
    if (i == 1 && i < len && (text[i] == '.' || text[i] == '-')) i++;
    gsize digits = i;
    while (i < len && g_ascii_isdigit(text[i]))
        i++;
    if (i == digits || i - digits > 3) return 0;
    while (i + 1 < len && (text[i] == '.' || text[i] == '-') && g_ascii_isdigit(text[i + 1])) {
        i++;
        while (i < len && g_ascii_isdigit(text[i]))
            i++;
    }
    if (i < len && g_ascii_islower(text[i]) && (i + 1 == len || !g_ascii_isalnum(text[i + 1]))) i++;
    return i;
}

static gboolean
starts_with(const char *text, gsize len, const char *what)
{
    gsize n = strlen(what);
    return len >= n && memcmp(text, what, n) == 0;
}

/* ---- "(continued)" ---- */

/* Signs around such a remark; bytes of one, 0 where there is none. */
static gsize
sign_len(const char *text, gsize len)
{
    static const char *const signs[] = {
        " ",       ".", ",", ":", ";", "-", "|", "\xE2\x80\x93", "\xE2\x80\x94", "\xE2\x80\xA6",
        "\xC2\xA0"};
    for (guint i = 0; i < G_N_ELEMENTS(signs); i++)
        if (starts_with(text, len, signs[i])) return strlen(signs[i]);
    return 0;
}

static gsize
signs_len(const char *text, gsize len)
{
    gsize i = 0;
    for (gsize n; i < len && (n = sign_len(text + i, len - i)) > 0;)
        i += n;
    return i;
}

/* A bracket that opens or closes; bytes of it. */
static gsize
bracket_len(const char *text, gsize len, gboolean closes)
{
    static const char *const brackets[][2] = {
        {"(", ")"}, {"[", "]"}, {"\xEF\xBC\x88", "\xEF\xBC\x89"}};
    for (guint i = 0; i < G_N_ELEMENTS(brackets); i++)
        if (starts_with(text, len, brackets[i][closes])) return strlen(brackets[i][closes]);
    return 0;
}

/* The word itself, in the languages of our papers. */
static gsize
continued_len(const char *text, gsize len)
{
    static const char *const words[] = {
        "continued",
        "continuation",
        "continues",
        "continue",
        "contd.",
        "contd",
        "cont'd.",
        "cont'd",
        "cont\xE2\x80\x99"
        "d",
        "cont.",
        "con't",
        "cont",
        "fortsetzung",
        "forts.",
        "suite et fin",
        "suite",
        "continuaci\xC3\xB3n",
        "continua\xC3\xA7\xC3\xA3o",
        "continuazione",
        "segue",
        "vervolg",
        "\xE7\xBB\xAD\xE8\xA1\xA8",
        "\xE7\xBB\xAD",
        "\xE7\xBA\x8C",
        "\xE7\xB6\x9A\xE3\x81\x8D",
        "\xD0\xBF\xD1\x80\xD0\xBE\xD0\xB4\xD0\xBE\xD0\xBB\xD0\xB6\xD0\xB5\xD0\xBD\xD0\xB8\xD0\xB5"};
    for (guint i = 0; i < G_N_ELEMENTS(words); i++) {
        const gsize n = strlen(words[i]);
        if (len < n || (n < len && ((guchar)text[n] & 0xC0) == 0x80)) continue;
        g_autofree char *here = g_utf8_strdown(text, (gssize)n);
        if (strcmp(here, words[i]) != 0) continue;
        const gunichar next = n < len ? g_utf8_get_char_validated(text + n, (gssize)(len - n)) : 0;
        if (!g_unichar_isalnum(next)) return n;
    }
    return 0;
}

/* "from previous page", "on the next page", "auf der folgenden Seite": at most six words behind a preposition. */
static gsize
pages_len(const char *text, gsize len)
{
    static const char *const leads[] = {"from ", "on ",  "onto ",  "in ",  "overleaf", "over",
                                        "auf ",  "von ", "aus ",   "sur ", "de ",      "en ",
                                        "na ",   "da ",  "nella ", "alla "};
    static const char *const pages[] = {"page",   "overleaf",      "over",   "column", "Seite",
                                        "Spalte", "p\xC3\xA1gina", "pagina", "col"};
    gboolean leads_on = FALSE;
    for (guint i = 0; i < G_N_ELEMENTS(leads); i++)
        leads_on = leads_on || (len >= strlen(leads[i]) &&
                                g_ascii_strncasecmp(text, leads[i], strlen(leads[i])) == 0);
    if (!leads_on) return 0;
    gsize i = 0;
    for (guint n = 0; n < 6 && i < len; n++) {
        const gsize begin = i;
        while (i < len && text[i] != ' ' && !bracket_len(text + i, len - i, TRUE) &&
               (text[i] == '\'' || !sign_len(text + i, len - i)))
            i++;
        for (guint k = 0; k < G_N_ELEMENTS(pages); k++)
            if (g_ascii_strncasecmp(text + begin, pages[k], MIN(strlen(pages[k]), i - begin)) ==
                    0 &&
                i - begin >= strlen(pages[k]))
                return i;
        while (i < len && text[i] == ' ')
            i++;
    }
    return 0;
}

gsize
layout_continued_match(const char *text, gsize len)
{
    gsize i = signs_len(text, len);
    const gsize open = bracket_len(text + i, len - i, FALSE);
    i += open;
    const gsize word = continued_len(text + i, len - i);
    if (word == 0) return 0;
    i += word;
    gsize gap = signs_len(text + i, len - i);
    const gsize pages = pages_len(text + i + gap, len - i - gap);
    if (pages > 0) i += gap + pages;
    gap = signs_len(text + i, len - i);
    const gsize close = bracket_len(text + i + gap, len - i - gap, TRUE);
    if ((open > 0) != (close > 0)) return 0;
    if (close > 0) {
        i += gap + close;
        gap = signs_len(text + i, len - i);
    }
    /* "Table 3. Suite of programs": without brackets something must set it off */
    const gboolean set_off =
        i + gap == len || close > 0 || pages > 0 || gap > 1 || (gap == 1 && text[i] != ' ');
    return set_off ? i + gap : 0;
}

gboolean
layout_text_is_continued(const char *text, gsize len)
{
    gsize label = 0;
    const gsize open = bracket_len(text, len, FALSE);
    layout_caption_match(text + open, len - open, &label, NULL);
    const gsize at = label > 0 ? open + label : 0;
    const gsize used = layout_continued_match(text + at, len - at);
    if (used == 0 && label > 0 && open > 0) { /* "(Table 3 continued)" */
        const gsize inner = signs_len(text + at, len - at);
        const gsize word = continued_len(text + at + inner, len - at - inner);
        return word > 0 && len - at - inner - word <= 2;
    }
    return used > 0 && at + used == len;
}

/* ---- captions ---- */

/* What may stand between "Figure 3" and the caption's words. */
static gboolean
is_separated(const char *text, gsize len)
{
    if (len == 0 || layout_continued_match(text, len) > 0) return TRUE;
    if (text[0] == '.') return len == 1 || text[1] == ' ';
    return text[0] == ':' || text[0] == '|' || starts_with(text, len, "\xE2\x80\x94") ||
           starts_with(text, len, "\xE2\x80\x93") || starts_with(text, len, "\xEF\xBC\x9A");
}

layout_caption_kind
layout_caption_match(const char *text, gsize len, gsize *label_len, gboolean *strong)
{
    gsize leader_len = 0;
    if (strong != NULL) *strong = FALSE;
    layout_contents_leader(text, len, &leader_len);
    if (leader_len > 0) return LAYOUT_CAPTION_NONE; /* an entry of a list of figures */
    for (guint w = 0; w < G_N_ELEMENTS(caption_words); w++) {
        const char *word = caption_words[w].word;
        gsize n = strlen(word);
        if (len < n || g_ascii_strncasecmp(text, word, n) != 0) continue;
        /* "figure 3" inside a sentence starts small */
        if (g_ascii_islower(text[0])) return LAYOUT_CAPTION_NONE;
        gsize i = n;
        while (i < len && text[i] == ' ')
            i++;
        gsize number = number_len(text + i, len - i);
        if (number == 0) continue;
        i += number;
        if (label_len != NULL) *label_len = i;
        while (i < len && text[i] == ' ')
            i++;
        if (strong != NULL) *strong = is_separated(text + i, len - i);
        return caption_words[w].kind;
    }
    return LAYOUT_CAPTION_NONE;
}
