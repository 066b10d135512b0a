/* What a heading looks like, and at which level it stands.
 *
 * Level: the depth of its number, else the level of its entry in the outline, else the level of a numbered
 * heading in the same style, else the rank of its style by size. */
#include "layout/analyze.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const known_words[] = {
    "abstract",
    "introduction",
    "references",
    "bibliography",
    "acknowledgments",
    "acknowledgements",
    "acknowledgment",
    "acknowledgement",
    "conclusion",
    "conclusions",
    "related work",
    "background",
    "methods",
    "method",
    "methodology",
    "materials and methods",
    "results",
    "discussion",
    "experiments",
    "evaluation",
    "appendix",
    "appendices",
    "supplementary material",
    "supplemental material",
    "summary",
    "preliminaries",
    "limitations",
    "future work",
    "results and discussion",
    "literature cited",
    "notation",
    "keywords",
    "contents",
    "table of contents",
    "literature",
    "literatur",
    "literaturverzeichnis",
    "zusammenfassung",
    "einleitung",
    "data availability",
    "code availability",
    "author contributions",
    "competing interests",
    "ethics statement",
    "statement of need",
    "funding",
    "conflict of interest",
    "declaration of competing interest",
};

/* Letters only, lower case, single spaces; "R EFERENCES" becomes "references" as a last resort. */
static char *
words_of(const char *text)
{
    GString *out = g_string_new(NULL);
    for (const char *at = text; *at != '\0'; at = g_utf8_next_char(at)) {
        gunichar ch = g_utf8_get_char(at);
        if (g_unichar_isalpha(ch))
            g_string_append_unichar(out, g_unichar_tolower(ch));
        else if (out->len > 0 && out->str[out->len - 1] != ' ')
            g_string_append_c(out, ' ');
    }
    while (out->len > 0 && out->str[out->len - 1] == ' ')
        g_string_truncate(out, out->len - 1);
    return g_string_free(out, FALSE);
}

static gboolean
is_known(const char *text)
{
    if (strlen(text) > 60) return FALSE;
    g_autofree char *words = words_of(text);
    for (guint i = 0; i < G_N_ELEMENTS(known_words); i++)
        if (strcmp(words, known_words[i]) == 0) return TRUE;
    return g_str_has_prefix(words, "appendix ") && strlen(words) < 40;
}

gboolean
layout_heading_is_references(const char *text)
{
    if (strlen(text) > 60) return FALSE;
    layout_heading_form form = layout_heading_parse(text);
    g_autofree char *words = words_of(text + form.number_len);
    g_autofree char *tight = g_strdup(words);
    char *to = tight;
    for (const char *from = words; *from != '\0'; from++)
        if (*from != ' ') *to++ = *from;
    *to = '\0';
    static const char *const names[] = {
        "references",      "bibliography",         "literature",
        "literaturecited", "literaturverzeichnis", "referencesandnotes",
        "workscited",      "bibliographie",        "literatur",
        "reference"};
    for (guint i = 0; i < G_N_ELEMENTS(names); i++)
        if (strcmp(tight, names[i]) == 0) return TRUE;
    return FALSE;
}

gboolean
layout_heading_is_abstract(const char *text, gsize *len)
{
    static const char *const words[] = {"abstract", "zusammenfassung", "a b s t r a c t",
                                        "summary"};
    for (guint i = 0; i < G_N_ELEMENTS(words); i++) {
        gsize n = strlen(words[i]);
        if (g_ascii_strncasecmp(text, words[i], n) != 0) continue;
        if (i == 3 && text[n] != '\0') continue;
        if (g_ascii_isalpha(text[n])) continue;
        *len = n;
        return TRUE;
    }
    return FALSE;
}

/* "2", "2.1", "2.1.", "IV.", "A.", "A.2", "Appendix B" */
static gsize
number_parse(const char *text, guint *depth)
{
    gsize i = 0;
    *depth = 1;
    if (g_str_has_prefix(text, "Appendix ") && g_ascii_isupper(text[9]) &&
        !g_ascii_isalpha(text[10])) {
        i = 10;
        while (text[i] == ':' || text[i] == '.')
            i++;
        return i;
    }
    gsize roman = strspn(text, "IVXL");
    if (roman > 0 && roman <= 6 && text[roman] == '.' && text[roman + 1] == ' ') return roman + 1;
    gsize digits = strspn(text, "0123456789");
    if (digits > 0 && digits <= 2)
        i = digits;
    else if (g_ascii_isupper(text[0]) && (text[1] == '.' || text[1] == ' '))
        i = 1;
    else
        return 0;
    gboolean letter = i == 1 && g_ascii_isupper(text[0]);
    while (text[i] == '.' && g_ascii_isdigit(text[i + 1])) {
        gsize n = strspn(text + i + 1, "0123456789");
        if (n > 2) return 0;
        i += 1 + n;
        (*depth)++;
    }
    /* "A new method" is no numbered heading */
    if (letter && *depth == 1 && text[i] != '.') {
        const char *rest = text + i + strspn(text + i, " ");
        if (!g_ascii_isupper(*rest)) return 0;
        return i;
    }
    if (text[i] == '.' || text[i] == ')') i++;
    return i;
}

layout_heading_form
layout_heading_parse(const char *text)
{
    layout_heading_form form = {0};
    guint depth;
    gsize n = number_parse(text, &depth);
    gsize space = n > 0 ? strspn(text + n, " ") : 0;
    gunichar next = n > 0 ? g_utf8_get_char(text + n + space) : 0;
    if (n > 0 && (space > 0 || next > 0x2E80) &&
        (g_unichar_isalpha(next) || next == '"' || next == '(' || next == 0x201C)) {
        form.numbered = TRUE;
        form.depth = depth;
        form.number_len = n + space;
    }
    form.known = is_known(text + form.number_len);
    return form;
}

/* ---- levels ---- */

typedef struct {
    float size_pt;
    guint flags;
    int level;
} heading_style;

static heading_style
style_of(const layout_work *work, const layout_para *para)
{
    const layout_place *place = &g_array_index(para->places, layout_place, 0);
    const layout_row *row = layout_sheet_row(layout_work_sheet(work, place->sheet), place->row);
    return (heading_style){roundf(row->size_pt * 2) / 2,
                           row->flags & (LAYOUT_SPAN_BOLD | LAYOUT_SPAN_ITALIC | LAYOUT_STYLE_CAPS),
                           0};
}

static int
style_find(const GArray *styles, heading_style style)
{
    for (guint i = 0; i < styles->len; i++) {
        const heading_style *s = &g_array_index(styles, heading_style, i);
        if (s->flags == style.flags && fabsf(s->size_pt - style.size_pt) < 0.6F) return (int)i;
    }
    return LAYOUT_NONE;
}

static int
compare_style(gconstpointer a, gconstpointer b)
{
    const heading_style *x = a, *y = b;
    if (x->size_pt != y->size_pt) return x->size_pt > y->size_pt ? -1 : 1;
    int bx = (x->flags & LAYOUT_SPAN_BOLD) != 0, by = (y->flags & LAYOUT_SPAN_BOLD) != 0;
    if (bx != by) return by - bx;
    return (x->flags > y->flags) - (x->flags < y->flags);
}

/* Levels of styles from headings whose level is sure; others by rank between them. */
static GArray *
styles_learn(const layout_work *work)
{
    GArray *styles = g_array_new(FALSE, FALSE, sizeof(heading_style));
    for (guint i = 0; i < work->paras->len; i++) {
        const layout_para *para = layout_work_para(work, i);
        if (para->type != LAYOUT_BLOCK_HEADING || para->places->len == 0) continue;
        heading_style style = style_of(work, para);
        int k = style_find(styles, style);
        if (k < 0) {
            style.level = para->level;
            g_array_append_val(styles, style);
        } else {
            heading_style *known = &g_array_index(styles, heading_style, k);
            if (known->level == 0) known->level = para->level;
        }
    }
    g_array_sort(styles, compare_style);
    int above = 0;
    for (guint i = 0; i < styles->len; i++) {
        heading_style *style = &g_array_index(styles, heading_style, i);
        if (style->level == 0) {
            int below = 0;
            for (guint k = i + 1; k < styles->len && below == 0; k++)
                below = g_array_index(styles, heading_style, k).level;
            style->level = below > 0 && above > 0 ? MIN(above + 1, MAX(below, above))
                           : below > 0            ? MAX(1, below - 1)
                                                  : above + 1;
        }
        above = style->level;
    }
    return styles;
}

void
layout_headings_level(layout_work *work)
{
    g_autoptr(GArray) styles = styles_learn(work);
    int last = 0;
    for (guint i = 0; i < work->paras->len; i++) {
        layout_para *para = layout_work_para(work, i);
        if (para->type != LAYOUT_BLOCK_HEADING || para->places->len == 0) continue;
        if (para->level == 0) {
            int k = style_find(styles, style_of(work, para));
            para->level = k >= 0 ? g_array_index(styles, heading_style, k).level : 1;
        }
        para->level = CLAMP(para->level, 1, MIN(last + 1, 5));
        last = para->level;
    }
}
