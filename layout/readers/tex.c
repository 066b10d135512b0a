/* Pieces of LaTeX that balance whatever they are made of. */
#include "layout/readers/tex.h"
#include "layout/formula.h"
#include "layout/mathtext.h"

#include <string.h>

void
layout_tex_put(GString *out, const char *latex)
{
    formula_put(out, latex);
}

void
layout_tex_trim(GString *out)
{
    while (out->len > 0 && out->str[out->len - 1] == ' ')
        g_string_truncate(out, out->len - 1);
}

/* ---- characters ---- */

static void
put_char(GString *out, gunichar ch)
{
    if (g_unichar_isspace(ch) || ch < 0x20 || (ch >= 0x2061 && ch <= 0x2064)) return;
    if (ch == '^') {
        g_string_append(out, "\\text{\\textasciicircum}");
        return;
    }
    g_autoptr(GString) one = g_string_new(NULL);
    layout_math_char(one, ch);
    if (one->len == 0) return;
    /* a script behind a script is an error in TeX, and so is a prime: both begin an empty base there */
    const gboolean script = one->str[0] == '^' || one->str[0] == '\'';
    if (script && (one->str[0] == '^' || out->len == 0 || out->str[out->len - 1] == '}'))
        g_string_append(out, "{}");
    layout_tex_put(out, one->str);
}

void
layout_tex_symbols(GString *out, const char *text)
{
    for (const char *p = text; *p != '\0'; p = g_utf8_next_char(p)) {
        const gunichar ch = g_utf8_get_char(p);
        const gunichar next = g_utf8_get_char(g_utf8_next_char(p));
        const char *accent = next != 0 ? layout_math_accent(next) : NULL;
        if (accent != NULL && g_unichar_isalpha(ch)) {
            layout_tex_put(out, accent);
            g_string_append_c(out, '{');
            put_char(out, ch);
            layout_tex_trim(out);
            g_string_append_c(out, '}');
            p = g_utf8_next_char(p);
        } else {
            put_char(out, ch);
        }
    }
}

static void
put_text_char(GString *out, gunichar ch)
{
    switch (ch) {
    case '\\':
        g_string_append(out, "\\textbackslash{}");
        return;
    case '^':
        g_string_append(out, "\\textasciicircum{}");
        return;
    case '~':
        g_string_append(out, "\\textasciitilde{}");
        return;
    case '{':
    case '}':
    case '$':
    case '&':
    case '#':
    case '%':
    case '_':
        g_string_append_c(out, '\\');
        g_string_append_unichar(out, ch);
        return;
    default:
        if (g_unichar_isspace(ch))
            g_string_append_c(out, ' ');
        else if (ch >= 0x20 && ch != 0x7F)
            g_string_append_unichar(out, ch);
    }
}

void
layout_tex_text(GString *out, const char *text)
{
    if (*text == '\0') return;
    layout_tex_put(out, "\\text{");
    for (const char *p = text; *p != '\0'; p = g_utf8_next_char(p))
        put_text_char(out, g_utf8_get_char(p));
    g_string_append_c(out, '}');
}

gboolean
layout_tex_is_function(const char *name)
{
    static const char *const more[] = {"arccos", "arcsin", "arctan", "cot",    "coth", "csc", "deg",
                                       "hom",    "lg",     "liminf", "limsup", "sec",  NULL};
    return layout_math_is_function(name, strlen(name)) || g_strv_contains(more, name);
}

void
layout_tex_name(GString *out, const char *name)
{
    if (layout_math_is_function(name, strlen(name))) {
        g_autoptr(GString) function = g_string_new(NULL);
        layout_math_function(function, name, strlen(name));
        layout_tex_put(out, function->str);
    } else if (layout_tex_is_function(name)) {
        g_autofree char *function = g_strconcat("\\", name, NULL);
        layout_tex_put(out, function);
    } else if (g_utf8_strlen(name, -1) < 2) {
        layout_tex_symbols(out, name);
    } else {
        g_autoptr(GString) inner = g_string_new(NULL);
        for (const char *p = name; *p != '\0'; p = g_utf8_next_char(p))
            if (*p == ' ')
                g_string_append_c(inner, '~');
            else
                put_char(inner, g_utf8_get_char(p));
        layout_tex_style(out, "\\mathrm", inner->str);
    }
}

/* ---- groups and scripts ---- */

void
layout_tex_group(GString *out, const char *latex)
{
    g_string_append_c(out, '{');
    g_string_append(out, latex);
    layout_tex_trim(out);
    g_string_append_c(out, '}');
}

void
layout_tex_style(GString *out, const char *command, const char *latex)
{
    if (*latex == '\0') return;
    if (command == NULL) {
        layout_tex_put(out, latex);
        return;
    }
    layout_tex_put(out, command);
    layout_tex_group(out, latex);
}

gboolean
layout_tex_is_single(const char *latex)
{
    gsize len = strlen(latex);
    while (len > 0 && latex[len - 1] == ' ')
        len--;
    if (len == 0) return FALSE;
    if (latex[0] == '\\') {
        gsize n = 1 + strspn(latex + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
        return n == len || (n == 1 && len == 2);
    }
    return g_utf8_next_char(latex) == latex + len && strchr("'^_&{}", latex[0]) == NULL;
}

/* One command with its argument: "\mathbf{x}". */
static gboolean
is_styled(const char *latex)
{
    gsize n = 1 + strspn(latex + (*latex != '\0'), "abcdefghijklmnopqrstuvwxyz");
    if (latex[0] != '\\' || !g_str_has_prefix(latex, "\\math") || latex[n] != '{') return FALSE;
    gsize len = strlen(latex);
    for (gsize i = n + 1; i < len; i++)
        if (strchr("{}\\", latex[i]) != NULL) return i + 1 == len && latex[i] == '}';
    return FALSE;
}

static void
put_script(GString *out, char sign, const char *script)
{
    if (script == NULL || *script == '\0') return;
    layout_tex_trim(out);
    g_string_append_c(out, sign);
    layout_tex_group(out, script);
}

static gboolean
is_operator(const char *base)
{
    static const char *const operators[] = {"\\sum",      "\\prod",      "\\coprod",   "\\bigcap",
                                            "\\bigcup",   "\\bigvee",    "\\bigwedge", "\\bigodot",
                                            "\\bigoplus", "\\bigotimes", "\\biguplus", "\\bigsqcup",
                                            NULL};
    return g_strv_contains(operators, base);
}

gboolean
layout_tex_has_limits(const char *base)
{
    static const char *const functions[] = {"\\lim", "\\max", "\\min",    "\\sup",
                                            "\\inf", "\\det", "\\liminf", "\\limsup",
                                            "\\gcd", "\\Pr",  NULL};
    g_autofree char *name = g_strchomp(g_strdup(base));
    return is_operator(name) || g_strv_contains(functions, name) ||
           g_str_has_prefix(name, "\\operatorname*{") || g_str_has_prefix(name, "\\underbrace{") ||
           g_str_has_prefix(name, "\\overbrace{");
}

void
layout_tex_scripts(GString *out, const char *base, const char *sub, const char *sup)
{
    if (*base == '\0')
        g_string_append(out, "{}");
    else if (layout_tex_is_single(base) || is_styled(base) || layout_tex_has_limits(base))
        layout_tex_put(out, base);
    else
        layout_tex_group(out, base);
    put_script(out, '_', sub);
    put_script(out, '^', sup);
}

void
layout_tex_limits(GString *out, const char *base, const char *under, const char *over)
{
    if (layout_tex_has_limits(base)) {
        layout_tex_scripts(out, base, under, over);
        return;
    }
    g_autofree char *name = g_strchomp(g_strdup(base));
    if (g_str_has_prefix(name, "\\int") || g_str_has_prefix(name, "\\oint") ||
        g_str_has_prefix(name, "\\iint")) {
        g_autofree char *with = g_strconcat(name, "\\limits", NULL);
        if (layout_tex_is_single(name)) {
            layout_tex_put(out, with);
            put_script(out, '_', under);
            put_script(out, '^', over);
            return;
        }
    }
    const gboolean below = under != NULL && *under != '\0', above = over != NULL && *over != '\0';
    if (below) {
        layout_tex_put(out, "\\underset");
        layout_tex_group(out, under);
        g_string_append_c(out, '{');
    }
    if (above) {
        layout_tex_put(out, "\\overset");
        layout_tex_group(out, over);
        layout_tex_group(out, base);
    } else {
        g_string_append(out, base);
    }
    if (below) {
        layout_tex_trim(out);
        g_string_append_c(out, '}');
    }
}

/* ---- accents ---- */

const char *
layout_tex_accent(gunichar mark, gboolean under, gboolean wide)
{
    static const struct {
        gunichar mark;
        const char *narrow, *wide, *under;
    } accents[] = {
        {'^', "\\hat", "\\widehat", NULL},
        {0x2C6, "\\hat", "\\widehat", NULL},
        {0x302, "\\hat", "\\widehat", NULL},
        {'~', "\\tilde", "\\widetilde", NULL},
        {0x2DC, "\\tilde", "\\widetilde", NULL},
        {0x303, "\\tilde", "\\widetilde", NULL},
        {0x223C, "\\tilde", "\\widetilde", NULL},
        {0xAF, "\\bar", "\\overline", "\\underline"},
        {0x2C9, "\\bar", "\\overline", "\\underline"},
        {'_', NULL, NULL, "\\underline"},
        {0x203E, "\\bar", "\\overline", "\\underline"},
        {0x304, "\\bar", "\\overline", "\\underline"},
        {0x305, "\\overline", "\\overline", "\\underline"},
        {0x332, NULL, NULL, "\\underline"},
        {0x2192, "\\vec", "\\overrightarrow", "\\underrightarrow"},
        {0x20D7, "\\vec", "\\overrightarrow", "\\underrightarrow"},
        {0x2190, "\\overleftarrow", "\\overleftarrow", "\\underleftarrow"},
        {0x20D6, "\\overleftarrow", "\\overleftarrow", "\\underleftarrow"},
        {0x2194, "\\overleftrightarrow", "\\overleftrightarrow", "\\underleftrightarrow"},
        {0x20E1, "\\overleftrightarrow", "\\overleftrightarrow", "\\underleftrightarrow"},
        {'.', "\\dot", "\\dot", NULL},
        {0x2D9, "\\dot", "\\dot", NULL},
        {0x307, "\\dot", "\\dot", NULL},
        {0xA8, "\\ddot", "\\ddot", NULL},
        {0x308, "\\ddot", "\\ddot", NULL},
        {0x20DB, "\\dddot", "\\dddot", NULL},
        {0x60, "\\grave", "\\grave", NULL},
        {0x300, "\\grave", "\\grave", NULL},
        {0xB4, "\\acute", "\\acute", NULL},
        {0x301, "\\acute", "\\acute", NULL},
        {0x2C7, "\\check", "\\check", NULL},
        {0x30C, "\\check", "\\check", NULL},
        {0x2D8, "\\breve", "\\breve", NULL},
        {0x306, "\\breve", "\\breve", NULL},
        {0x23DE, "\\overbrace", "\\overbrace", NULL},
        {0xFE37, "\\overbrace", "\\overbrace", NULL},
        {0x23DF, NULL, NULL, "\\underbrace"},
        {0xFE38, NULL, NULL, "\\underbrace"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(accents); i++)
        if (accents[i].mark == mark)
            return under ? accents[i].under : wide ? accents[i].wide : accents[i].narrow;
    return NULL;
}

/* ---- brackets ---- */

const char *
layout_tex_delimiter(const char *text)
{
    static const struct {
        const char *text, *latex;
    } delimiters[] = {{"", "."},
                      {"(", "("},
                      {")", ")"},
                      {"[", "["},
                      {"]", "]"},
                      {"{", "\\{"},
                      {"}", "\\}"},
                      {"|", "|"},
                      {"/", "/"},
                      {"\\", "\\backslash "},
                      {"\342\200\226", "\\|"},
                      {"\342\210\245", "\\|"},
                      {"||", "\\|"},
                      {"\342\210\243", "|"},
                      {"\342\237\250", "\\langle "},
                      {"\342\237\251", "\\rangle "},
                      {"\342\214\251", "\\langle "},
                      {"\342\214\252", "\\rangle "},
                      {"\343\200\210", "\\langle "},
                      {"\343\200\211", "\\rangle "},
                      {"<", "\\langle "},
                      {">", "\\rangle "},
                      {"\342\214\210", "\\lceil "},
                      {"\342\214\211", "\\rceil "},
                      {"\342\214\212", "\\lfloor "},
                      {"\342\214\213", "\\rfloor "}};
    for (guint i = 0; i < G_N_ELEMENTS(delimiters); i++)
        if (strcmp(delimiters[i].text, text) == 0) return delimiters[i].latex;
    return NULL;
}

gboolean
layout_tex_is_tall(const char *latex)
{
    static const char *const tall[] = {
        "\\frac",    "\\genfrac",    "\\begin{", "\\sum",  "\\prod", "\\int",  "\\under",
        "\\overset", "\\overbrace{", "\\binom",  "\\left", "\\big",  "\\sqrt", "\\xrightarrow"};
    for (guint i = 0; i < G_N_ELEMENTS(tall); i++)
        if (strstr(latex, tall[i]) != NULL) return TRUE;
    return FALSE;
}

void
layout_tex_fence(GString *out, const char *open, const char *body, const char *close)
{
    const char *left = layout_tex_delimiter(open), *right = layout_tex_delimiter(close);
    const gboolean whole = *open != '\0' && *close != '\0';
    if (left != NULL && right != NULL && layout_tex_is_tall(body)) {
        layout_tex_put(out, "\\left");
        g_string_append(out, left);
        layout_tex_put(out, body);
        layout_tex_trim(out);
        layout_tex_put(out, "\\right");
        g_string_append(out, right);
        return;
    }
    if (left != NULL && *open != '\0')
        layout_tex_put(out, left);
    else
        layout_tex_symbols(out, open);
    layout_tex_put(out, body);
    if (whole) layout_tex_trim(out);
    if (right != NULL && *close != '\0')
        layout_tex_put(out, right);
    else
        layout_tex_symbols(out, close);
}
