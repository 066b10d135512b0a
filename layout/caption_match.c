/* Does a line start a caption? "Figure 3:", "FIG. 2.", "Table S1 |", "Algorithm 1". */
#include "layout/analyze.h"

#include <string.h>

typedef struct {
    const char *word;
    layout_caption_kind kind;
} caption_word;

static const caption_word caption_words[] = {
    {"supplementary figure", LAYOUT_CAPTION_FIGURE},
    {"supplementary fig.", LAYOUT_CAPTION_FIGURE},
    {"supplementary table", LAYOUT_CAPTION_TABLE},
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
    {"algorithm", LAYOUT_CAPTION_OTHER},
    {"listing", LAYOUT_CAPTION_OTHER},
    {"procedure", LAYOUT_CAPTION_OTHER},
    {"\xE5\x9B\xBE", LAYOUT_CAPTION_FIGURE},
    {"\xE8\xA1\xA8", LAYOUT_CAPTION_TABLE},
};

/* "3", "3a", "S1", "A.1", "2-4", "IV" */
static gsize
number_len(const char *text, gsize len)
{
    gsize i = 0;
    while (i < len && text[i] != '\0' && strchr("IVX", text[i]) != NULL)
        i++;
    if (i > 0 && i <= 5 && (i == len || !g_ascii_isalnum(text[i]))) return i;
    i = 0;
    if (i < len && g_ascii_isupper(text[i])) i++;
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

/* What may stand between "Figure 3" and the caption's words. */
static gboolean
is_separated(const char *text, gsize len)
{
    if (len == 0) return TRUE;
    if (text[0] == '.') return len == 1 || text[1] == ' ';
    return text[0] == ':' || text[0] == '|' || starts_with(text, len, "\xE2\x80\x94") ||
           starts_with(text, len, "\xE2\x80\x93") || starts_with(text, len, "\xEF\xBC\x9A");
}

layout_caption_kind
layout_caption_match(const char *text, gsize len, gsize *label_len, gboolean *strong)
{
    if (strong != NULL) *strong = FALSE;
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
