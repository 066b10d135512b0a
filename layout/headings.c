/* How the text of a heading begins: its number, and whether its words are those of many papers. */
#include "layout/analyze.h"

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
    "list of figures",
    "list of tables",
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
    "\u6458\u8981",
    "\u76EE\u5F55",
    "\u5F15\u8A00",
    "\u7ED3\u8BBA",
    "\u81F4\u8C22",
    "\u53C2\u8003\u6587\u732E",
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
    static const char *const names[] = {"references",
                                        "bibliography",
                                        "literature",
                                        "literaturecited",
                                        "literaturverzeichnis",
                                        "referencesandnotes",
                                        "workscited",
                                        "bibliographie",
                                        "literatur",
                                        "reference",
                                        "\u53C2\u8003\u6587\u732E"};
    for (guint i = 0; i < G_N_ELEMENTS(names); i++)
        if (strcmp(tight, names[i]) == 0) return TRUE;
    return FALSE;
}

gboolean
layout_heading_is_abstract(const char *text, gsize *len)
{
    /* the first ones only when they stand alone */
    static const char *const words[] = {"summary",      "r\u00E9sum\u00E9", "resumen",
                                        "resumo",       "abstract",         "a b s t r a c t",
                                        "\u6458\u8981", "zusammenfassung",  "kurzfassung"};
    for (guint i = 0; i < G_N_ELEMENTS(words); i++) {
        gsize n = strlen(words[i]);
        if (g_ascii_strncasecmp(text, words[i], n) != 0) continue;
        if (i < 4 && text[n] != '\0') continue;
        if (g_ascii_isalpha(text[n])) continue;
        *len = n;
        return TRUE;
    }
    return FALSE;
}

gboolean
layout_text_is_upper(const char *text)
{
    guint upper = 0;
    for (const char *at = text; *at != '\0'; at = g_utf8_next_char(at)) {
        gunichar ch = g_utf8_get_char(at);
        if (g_unichar_islower(ch)) return FALSE;
        if (g_unichar_isupper(ch)) upper++;
    }
    return upper >= 4;
}

/* ---- numbers ---- */

static guint
roman_value(const char *text, gsize len)
{
    static const struct {
        char letter;
        guint value;
    } digits[] = {{'I', 1}, {'V', 5}, {'X', 10}, {'L', 50}};
    guint total = 0, last = 0;
    for (gsize i = len; i > 0; i--)
        for (guint k = 0; k < G_N_ELEMENTS(digits); k++) {
            if (g_ascii_toupper(text[i - 1]) != digits[k].letter) continue;
            total = digits[k].value < last ? total - digits[k].value : total + digits[k].value;
            last = MAX(last, digits[k].value);
        }
    return total;
}

static guint
decimal_value(const char *text, gsize len)
{
    guint value = 0;
    for (gsize i = 0; i < len && i < 4; i++)
        value = 10 * value + (guint)(text[i] - '0');
    return value;
}

/* ".2.1" behind the first part of a number: bytes, 0 for none; -1 where it is no section's number. */
static gssize
parts_len(const char *text, guint *depth)
{
    gsize i = 0;
    while (text[i] == '.' && g_ascii_isdigit(text[i + 1])) {
        gsize n = strspn(text + i + 1, "0123456789");
        if (n > 2) return -1;
        if (n > 1 || text[i + 1] != '0') (*depth)++; /* "1.0" is as deep as "1" */
        i += 1 + n;
    }
    return (gssize)i;
}

static gsize
named_parse(const char *text, layout_heading_form *form)
{
    static const struct {
        const char *word;
        layout_number_kind kind;
    } names[] = {{"appendix ", LAYOUT_NUMBER_APPENDIX},
                 {"chapter ", LAYOUT_NUMBER_CHAPTER},
                 {"part ", LAYOUT_NUMBER_PART},
                 {"kapitel ", LAYOUT_NUMBER_CHAPTER},
                 {"anhang ", LAYOUT_NUMBER_APPENDIX}};
    for (guint k = 0; k < G_N_ELEMENTS(names); k++) {
        gsize n = strlen(names[k].word);
        if (g_ascii_strncasecmp(text, names[k].word, n) != 0 || !g_ascii_isupper(text[0])) continue;
        const char *at = text + n;
        gsize digits = strspn(at, "0123456789"), roman = strspn(at, "IVX"), len;
        if (digits > 0 && digits <= 2) {
            len = digits;
            form->value = decimal_value(at, digits);
        } else if (names[k].kind != LAYOUT_NUMBER_APPENDIX && roman > 0 && roman < 6) {
            len = roman;
            form->value = roman_value(at, roman);
        } else if (g_ascii_isupper(at[0])) {
            len = 1;
            form->value = (guint)(at[0] - 'A') + 1;
        } else {
            return 0;
        }
        if (g_ascii_isalnum(at[len])) return 0;
        form->kind = names[k].kind;
        gssize parts = parts_len(at + len, &form->depth);
        if (parts < 0) return 0;
        len += (gsize)parts;
        return n + len + strspn(at + len, ":.");
    }
    return 0;
}

/* The Chinese numerals one to ten and their sums below a hundred, with the mark behind them. */
static gsize
han_parse(const char *text, layout_heading_form *form)
{
    static const gunichar digits[] = {0x4E00, 0x4E8C, 0x4E09, 0x56DB, 0x4E94,
                                      0x516D, 0x4E03, 0x516B, 0x4E5D};
    const char *at = text;
    gboolean ordinal = g_utf8_get_char(at) == 0x7B2C; /* "第" */
    gboolean bracket = g_utf8_get_char(at) == 0xFF08;
    if (ordinal || bracket) at = g_utf8_next_char(at);
    guint value = 0, n = 0;
    for (; n < 3; n++, at = g_utf8_next_char(at)) {
        gunichar ch = g_utf8_get_char(at);
        guint k = 0;
        while (k < G_N_ELEMENTS(digits) && digits[k] != ch)
            k++;
        if (ch == 0x5341) /* ten */
            value = 10 * MAX(value, 1);
        else if (k < G_N_ELEMENTS(digits))
            value += k + 1;
        else
            break;
    }
    gunichar mark = g_utf8_get_char(at);
    gboolean closed = bracket   ? mark == 0xFF09
                      : ordinal ? mark == 0x7AE0 || mark == 0x8282 /* chapter, section */
                                : mark == 0x3001 || mark == 0xFF0E;
    if (n == 0 || !closed) return 0;
    form->kind = ordinal ? LAYOUT_NUMBER_CHAPTER : LAYOUT_NUMBER_HAN;
    if (bracket) form->depth = 2;
    form->value = value;
    return (gsize)(g_utf8_next_char(at) - text);
}

/* "A.", "A.2", "A A Title In Capitals" */
static gsize
letter_parse(const char *text, layout_heading_form *form)
{
    if (!g_ascii_isupper(text[0]) || (text[1] != '.' && text[1] != ' ' && text[1] != ')')) return 0;
    form->kind = LAYOUT_NUMBER_UPPER;
    form->value = (guint)(text[0] - 'A') + 1;
    gssize parts = parts_len(text + 1, &form->depth);
    if (parts < 0) return 0;
    gsize len = 1 + (gsize)parts;
    if (form->depth == 1 && text[len] == ' ') {
        /* "A new method" is no numbered heading */
        return g_ascii_isupper(text[len + strspn(text + len, " ")]) ? len : 0;
    }
    return text[len] == '.' || text[len] == ')' ? len + 1 : len;
}

/* "2", "2.1", "2.1.", "IV.", "A.", "A.2", "Appendix B", "b)" */
static gsize
number_parse(const char *text, layout_heading_form *form)
{
    form->depth = 1;
    gsize len = named_parse(text, form);
    if (len > 0) return len;
    gsize roman = strspn(text, "IVXL");
    gboolean closed = text[roman] == '.' && text[roman + 1] == ' ';
    gboolean open = roman > 1 && text[roman] == ' ' && g_ascii_isupper(text[roman + 1]);
    if (roman > 0 && roman <= 6 && (closed || open)) {
        form->kind = LAYOUT_NUMBER_ROMAN;
        form->value = roman_value(text, roman);
        return closed ? roman + 1 : roman;
    }
    gsize digits = strspn(text, "0123456789");
    if (digits > 0 && digits <= 2) {
        form->kind = LAYOUT_NUMBER_ARABIC;
        form->value = decimal_value(text, digits);
        gssize parts = parts_len(text + digits, &form->depth);
        if (parts < 0) return 0;
        len = digits + (gsize)parts;
        return text[len] == '.' || text[len] == ')' ? len + 1 : len;
    }
    if (g_ascii_islower(text[0]) && text[1] == ')' && text[2] == ' ') {
        form->kind = LAYOUT_NUMBER_LOWER;
        form->value = (guint)(text[0] - 'a') + 1;
        return 2;
    }
    len = letter_parse(text, form);
    return len > 0 ? len : han_parse(text, form);
}

layout_heading_form
layout_heading_parse(const char *text)
{
    layout_heading_form form = {0}, found = {0};
    gsize n = number_parse(text, &found);
    gsize space = n > 0 ? strspn(text + n, " ") : 0;
    gunichar next = n > 0 ? g_utf8_get_char(text + n + space) : 0;
    gboolean named = found.kind == LAYOUT_NUMBER_CHAPTER || found.kind == LAYOUT_NUMBER_PART ||
                     found.kind == LAYOUT_NUMBER_APPENDIX;
    gboolean title = g_unichar_isalpha(next) || next == '"' || next == '(' || next == 0x201C ||
                     (named && next == 0);
    if (n > 0 && (space > 0 || next > 0x2E80 || (named && next == 0)) && title) {
        form = found;
        form.numbered = TRUE;
        form.number_len = n + space;
    }
    form.known = is_known(text + form.number_len);
    return form;
}
