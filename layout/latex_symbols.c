/* Unicode -> LaTeX math mode, one character at a time.
 *
 * The tables hold what the usual math fonts (Computer Modern, AMS, STIX, Times with MathTime) contain. Letters
 * of the Mathematical Alphanumeric Symbols block are taken apart: their plain letter inside a font command.
 * Source of the names: LaTeX2e, amssymb; Unicode Technical Report 25. */
#include "layout/latex_symbols.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    gunichar ch;
    const char *latex;
} symbol;

/* Sorted by ch. */
static const symbol symbols[] = {
    {0x23, "\\#"},
    {0x24, "\\$"},
    {0x25, "\\%"},
    {0x26, "\\&"},
    {0x5C, "\\backslash"},
    {0x5F, "\\_"},
    {0x7B, "\\{"},
    {0x7D, "\\}"},
    {0x7E, "\\sim"},
    {0xA0, "~"},
    {0xAC, "\\neg"},
    {0xB0, "^{\\circ}"},
    {0xB1, "\\pm"},
    {0xB5, "\\mu"},
    {0xB7, "\\cdot"},
    {0xD7, "\\times"},
    {0xF7, "\\div"},
    {0x131, "\\imath"},
    {0x237, "\\jmath"},
    {0x391, "A"},
    {0x392, "B"},
    {0x393, "\\Gamma"},
    {0x394, "\\Delta"},
    {0x395, "E"},
    {0x396, "Z"},
    {0x397, "H"},
    {0x398, "\\Theta"},
    {0x399, "I"},
    {0x39A, "K"},
    {0x39B, "\\Lambda"},
    {0x39C, "M"},
    {0x39D, "N"},
    {0x39E, "\\Xi"},
    {0x39F, "O"},
    {0x3A0, "\\Pi"},
    {0x3A1, "P"},
    {0x3A3, "\\Sigma"},
    {0x3A4, "T"},
    {0x3A5, "\\Upsilon"},
    {0x3A6, "\\Phi"},
    {0x3A7, "X"},
    {0x3A8, "\\Psi"},
    {0x3A9, "\\Omega"},
    {0x3B1, "\\alpha"},
    {0x3B2, "\\beta"},
    {0x3B3, "\\gamma"},
    {0x3B4, "\\delta"},
    {0x3B5, "\\varepsilon"},
    {0x3B6, "\\zeta"},
    {0x3B7, "\\eta"},
    {0x3B8, "\\theta"},
    {0x3B9, "\\iota"},
    {0x3BA, "\\kappa"},
    {0x3BB, "\\lambda"},
    {0x3BC, "\\mu"},
    {0x3BD, "\\nu"},
    {0x3BE, "\\xi"},
    {0x3BF, "o"},
    {0x3C0, "\\pi"},
    {0x3C1, "\\rho"},
    {0x3C2, "\\varsigma"},
    {0x3C3, "\\sigma"},
    {0x3C4, "\\tau"},
    {0x3C5, "\\upsilon"},
    {0x3C6, "\\varphi"},
    {0x3C7, "\\chi"},
    {0x3C8, "\\psi"},
    {0x3C9, "\\omega"},
    {0x3D1, "\\vartheta"},
    {0x3D5, "\\phi"},
    {0x3D6, "\\varpi"},
    {0x3F1, "\\varrho"},
    {0x3F5, "\\epsilon"},
    {0x2010, "-"},
    {0x2011, "-"},
    {0x2013, "-"},
    {0x2016, "\\|"},
    {0x2020, "\\dagger"},
    {0x2021, "\\ddagger"},
    {0x2022, "\\bullet"},
    {0x2026, "\\ldots"},
    {0x2032, "'"},
    {0x2033, "''"},
    {0x210F, "\\hbar"},
    {0x2111, "\\Im"},
    {0x2113, "\\ell"},
    {0x2118, "\\wp"},
    {0x211C, "\\Re"},
    {0x2135, "\\aleph"},
    {0x2190, "\\leftarrow"},
    {0x2191, "\\uparrow"},
    {0x2192, "\\rightarrow"},
    {0x2193, "\\downarrow"},
    {0x2194, "\\leftrightarrow"},
    {0x21A6, "\\mapsto"},
    {0x21D0, "\\Leftarrow"},
    {0x21D2, "\\Rightarrow"},
    {0x21D4, "\\Leftrightarrow"},
    {0x2200, "\\forall"},
    {0x2202, "\\partial"},
    {0x2203, "\\exists"},
    {0x2205, "\\emptyset"},
    {0x2206, "\\Delta"},
    {0x2207, "\\nabla"},
    {0x2208, "\\in"},
    {0x2209, "\\notin"},
    {0x220B, "\\ni"},
    {0x220F, "\\prod"},
    {0x2211, "\\sum"},
    {0x2212, "-"},
    {0x2213, "\\mp"},
    {0x2215, "/"},
    {0x2216, "\\setminus"},
    {0x2217, "*"},
    {0x2218, "\\circ"},
    {0x2219, "\\bullet"},
    {0x221D, "\\propto"},
    {0x221E, "\\infty"},
    {0x2220, "\\angle"},
    {0x2223, "\\mid"},
    {0x2225, "\\parallel"},
    {0x2227, "\\wedge"},
    {0x2228, "\\vee"},
    {0x2229, "\\cap"},
    {0x222A, "\\cup"},
    {0x222B, "\\int"},
    {0x222E, "\\oint"},
    {0x223C, "\\sim"},
    {0x2243, "\\simeq"},
    {0x2245, "\\cong"},
    {0x2248, "\\approx"},
    {0x2260, "\\neq"},
    {0x2261, "\\equiv"},
    {0x2264, "\\leq"},
    {0x2265, "\\geq"},
    {0x226A, "\\ll"},
    {0x226B, "\\gg"},
    {0x227A, "\\prec"},
    {0x227B, "\\succ"},
    {0x2282, "\\subset"},
    {0x2283, "\\supset"},
    {0x2286, "\\subseteq"},
    {0x2287, "\\supseteq"},
    {0x2295, "\\oplus"},
    {0x2297, "\\otimes"},
    {0x2299, "\\odot"},
    {0x22A2, "\\vdash"},
    {0x22A4, "\\top"},
    {0x22A5, "\\perp"},
    {0x22C5, "\\cdot"},
    {0x22C6, "\\star"},
    {0x22EE, "\\vdots"},
    {0x22EF, "\\cdots"},
    {0x22F1, "\\ddots"},
    {0x2308, "\\lceil"},
    {0x2309, "\\rceil"},
    {0x230A, "\\lfloor"},
    {0x230B, "\\rfloor"},
    {0x25A1, "\\square"},
    {0x25E6, "\\circ"},
    {0x27E8, "\\langle"},
    {0x27E9, "\\rangle"},
    {0x27F6, "\\longrightarrow"},
    {0x2A7D, "\\leq"},
    {0x2A7E, "\\geq"},
};

static int
compare_symbols(const void *key, const void *element)
{
    const gunichar ch = *(const gunichar *)key;
    const symbol *s = element;
    return ch < s->ch ? -1 : ch > s->ch;
}

/* Styles of the block U+1D400..1D7FF, in runs of one style; letters outside the block that fill its holes
 * are in letterlike below. */
static const struct {
    gunichar first, last;
    const char *command; /* NULL: italic, which math mode is anyway */
} styles[] = {
    {0x1D400, 0x1D433, "\\mathbf"},   {0x1D434, 0x1D467, NULL},
    {0x1D468, 0x1D49B, "\\mathbf"},   {0x1D49C, 0x1D503, "\\mathcal"},
    {0x1D504, 0x1D537, "\\mathfrak"}, {0x1D538, 0x1D56B, "\\mathbb"},
    {0x1D56C, 0x1D59F, "\\mathfrak"}, {0x1D5A0, 0x1D5D3, "\\mathsf"},
    {0x1D5D4, 0x1D66F, "\\mathsf"},   {0x1D670, 0x1D6A3, "\\mathtt"},
    {0x1D6A8, 0x1D6E1, "\\mathbf"},   {0x1D6E2, 0x1D71B, NULL},
    {0x1D71C, 0x1D7CB, "\\mathbf"},   {0x1D7CE, 0x1D7D7, "\\mathbf"},
    {0x1D7D8, 0x1D7E1, "\\mathbb"},   {0x1D7E2, 0x1D7F5, "\\mathsf"},
    {0x1D7F6, 0x1D7FF, "\\mathtt"},
};

/* Letters of other blocks in a style of their own. */
static const struct {
    gunichar ch;
    const char *latex;
} letterlike[] = {
    {0x2102, "\\mathbb{C}"},  {0x210B, "\\mathcal{H}"},
    {0x210D, "\\mathbb{H}"},  {0x2110, "\\mathcal{I}"},
    {0x2112, "\\mathcal{L}"}, {0x2115, "\\mathbb{N}"},
    {0x2119, "\\mathbb{P}"},  {0x211A, "\\mathbb{Q}"},
    {0x211B, "\\mathcal{R}"}, {0x211D, "\\mathbb{R}"},
    {0x2124, "\\mathbb{Z}"},  {0x212C, "\\mathcal{B}"},
    {0x2130, "\\mathcal{E}"}, {0x2131, "\\mathcal{F}"},
    {0x2133, "\\mathcal{M}"}, {0x210E, "h"},
};

/* Does out end in a control word, which a following letter would lengthen? */
static gboolean
ends_in_word(const GString *out)
{
    gsize at = out->len;
    while (at > 0 && g_ascii_isalpha(out->str[at - 1]))
        at--;
    return at > 0 && at < out->len && out->str[at - 1] == '\\';
}

static void
append(GString *out, const char *latex)
{
    if (g_ascii_isalpha(latex[0]) && ends_in_word(out)) g_string_append_c(out, ' ');
    g_string_append(out, latex);
}

static gboolean
append_styled(GString *out, gunichar ch)
{
    for (guint i = 0; i < G_N_ELEMENTS(letterlike); i++) {
        if (letterlike[i].ch != ch) continue;
        append(out, letterlike[i].latex);
        return TRUE;
    }
    for (guint i = 0; i < G_N_ELEMENTS(styles); i++) {
        if (ch < styles[i].first || ch > styles[i].last) continue;
        gunichar plain;
        if (g_unichar_fully_decompose(ch, TRUE, &plain, 1) != 1 || plain == ch) return FALSE;
        g_autoptr(GString) letter = g_string_new(NULL);
        if (!latex_append_char(letter, plain)) return FALSE;
        if (!styles[i].command) {
            append(out, letter->str);
        } else {
            g_string_append_printf(out, "%s{%s}", styles[i].command, letter->str);
        }
        return TRUE;
    }
    return FALSE;
}

gboolean
latex_append_char(GString *out, gunichar ch)
{
    const symbol *found =
        bsearch(&ch, symbols, G_N_ELEMENTS(symbols), sizeof symbols[0], compare_symbols);
    if (found) {
        append(out, found->latex);
        return TRUE;
    }
    if (ch >= 0x20 && ch < 0x7F) {
        const char ascii[] = {(char)ch, '\0'};
        append(out, ascii);
        return TRUE;
    }
    return append_styled(out, ch);
}
