/* Mathematics as LaTeX: inline stretches of running text, and displayed formulas.
 *
 * Inline: characters set in math fonts, with the digits, brackets and relations between them, become one
 * stretch. Displayed: words are put together by where they stand: what is above and below a rule is a
 * fraction, what is set above or below a big operator are its limits, the rest is read from left to right. */
#include "layout/mathtext.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    gunichar ch;
    const char *latex;
} math_symbol;

/* Sorted by character. */
static const math_symbol symbols[] = {
    {0x23, "\\#"},
    {0x24, "\\$"},
    {0x25, "\\%"},
    {0x26, "\\&"},
    {0x5C, "\\backslash"},
    {0x5F, "\\_"},
    {0x7B, "\\{"},
    {0x7D, "\\}"},
    {0x7E, "\\sim"},
    {0xAC, "\\neg"},
    {0xB0, "^{\\circ}"},
    {0xB1, "\\pm"},
    {0xB5, "\\mu"},
    {0xB7, "\\cdot"},
    {0xD7, "\\times"},
    {0xF7, "\\div"},
    {0x131, "\\imath"},
    {0x237, "\\jmath"},
    {0x393, "\\Gamma"},
    {0x394, "\\Delta"},
    {0x398, "\\Theta"},
    {0x39B, "\\Lambda"},
    {0x39E, "\\Xi"},
    {0x3A0, "\\Pi"},
    {0x3A3, "\\Sigma"},
    {0x3A5, "\\Upsilon"},
    {0x3A6, "\\Phi"},
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
    {0x2020, "\\dagger"},
    {0x2022, "\\bullet"},
    {0x2026, "\\ldots"},
    {0x2032, "'"},
    {0x2033, "''"},
    {0x210E, "h"},
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
    {0x2210, "\\coprod"},
    {0x2211, "\\sum"},
    {0x2212, "-"},
    {0x2213, "\\mp"},
    {0x2215, "/"},
    {0x2216, "\\setminus"},
    {0x2217, "*"},
    {0x2218, "\\circ"},
    {0x2219, "\\cdot"},
    {0x221A, "\\surd"},
    {0x221D, "\\propto"},
    {0x221E, "\\infty"},
    {0x2220, "\\angle"},
    {0x2223, "|"},
    {0x2225, "\\|"},
    {0x2227, "\\wedge"},
    {0x2228, "\\vee"},
    {0x2229, "\\cap"},
    {0x222A, "\\cup"},
    {0x222B, "\\int"},
    {0x222C, "\\iint"},
    {0x222E, "\\oint"},
    {0x2234, "\\therefore"},
    {0x223C, "\\sim"},
    {0x2243, "\\simeq"},
    {0x2245, "\\cong"},
    {0x2248, "\\approx"},
    {0x2250, "\\doteq"},
    {0x2254, ":="},
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
    {0x22C0, "\\bigwedge"},
    {0x22C1, "\\bigvee"},
    {0x22C2, "\\bigcap"},
    {0x22C3, "\\bigcup"},
    {0x22C5, "\\cdot"},
    {0x22C6, "\\star"},
    {0x22EE, "\\vdots"},
    {0x22EF, "\\cdots"},
    {0x22F1, "\\ddots"},
    {0x2308, "\\lceil"},
    {0x2309, "\\rceil"},
    {0x230A, "\\lfloor"},
    {0x230B, "\\rfloor"},
    {0x2329, "\\langle"},
    {0x232A, "\\rangle"},
    {0x25A1, "\\square"},
    {0x25E6, "\\circ"},
    {0x27E8, "\\langle"},
    {0x27E9, "\\rangle"},
    {0x27F6, "\\longrightarrow"},
    {0x2A7D, "\\leqslant"},
    {0x2A7E, "\\geqslant"},
};

static const char *const functions[] = {
    "log", "ln",  "exp", "max", "min", "sup",  "inf",  "sin",  "cos",    "tan",    "arg", "det",
    "lim", "dim", "ker", "gcd", "Pr",  "tanh", "sinh", "cosh", "argmax", "argmin", "mod"};

static gboolean
is_function(const char *text, gsize len)
{
    for (guint i = 0; i < G_N_ELEMENTS(functions); i++)
        if (strlen(functions[i]) == len && memcmp(functions[i], text, len) == 0) return TRUE;
    return FALSE;
}

static const char *
symbol_of(gunichar ch)
{
    gsize lo = 0, hi = G_N_ELEMENTS(symbols);
    while (lo < hi) {
        gsize mid = lo + (hi - lo) / 2;
        if (symbols[mid].ch < ch)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < G_N_ELEMENTS(symbols) && symbols[lo].ch == ch ? symbols[lo].latex : NULL;
}

/* Mathematical Alphanumeric Symbols -> the letter, and the command for its style. */
static gunichar
plain_letter(gunichar ch, const char **style)
{
    static const struct {
        gunichar from;
        const char *style;
    } alphabets[] = {{0x1D400, "\\mathbf"},  {0x1D434, NULL},         {0x1D468, "\\boldsymbol"},
                     {0x1D49C, "\\mathcal"}, {0x1D4D0, "\\mathcal"},  {0x1D504, "\\mathfrak"},
                     {0x1D538, "\\mathbb"},  {0x1D56C, "\\mathfrak"}, {0x1D5A0, "\\mathsf"},
                     {0x1D5D4, "\\mathsf"},  {0x1D608, "\\mathsf"},   {0x1D63C, "\\mathsf"},
                     {0x1D670, "\\mathtt"}};
    *style = NULL;
    if (ch < 0x1D400 || ch > 0x1D6A3) return ch;
    for (guint i = G_N_ELEMENTS(alphabets); i-- > 0;) {
        if (ch < alphabets[i].from) continue;
        guint k = (guint)(ch - alphabets[i].from);
        *style = alphabets[i].style;
        return k < 26 ? 'A' + k : 'a' + (k - 26) % 26;
    }
    return ch;
}

static void
latex_char(GString *out, gunichar ch)
{
    const char *style;
    gunichar letter = plain_letter(ch, &style);
    if (style != NULL) {
        g_string_append_printf(out, "%s{%c}", style, (char)letter);
        return;
    }
    if (letter >= 0x1D6A8 && letter <= 0x1D7CB) {
        gunichar parts[4];
        if (g_unichar_fully_decompose(letter, TRUE, parts, 4) > 0) letter = parts[0];
    }
    const char *latex = symbol_of(letter);
    if (latex == NULL) {
        if (letter == 0xFFFD) return;
        g_string_append_unichar(out, letter);
        return;
    }
    g_string_append(out, latex);
    if (g_ascii_isalpha(latex[strlen(latex) - 1])) g_string_append_c(out, ' ');
}

static const char *
accent_of(gunichar mark)
{
    switch (mark) {
    case 0x300:
        return "\\grave";
    case 0x301:
        return "\\acute";
    case 0x302:
        return "\\hat";
    case 0x303:
        return "\\tilde";
    case 0x304:
    case 0x305:
        return "\\bar";
    case 0x306:
        return "\\breve";
    case 0x307:
        return "\\dot";
    case 0x308:
        return "\\ddot";
    case 0x30C:
        return "\\check";
    case 0x20D7:
        return "\\vec";
    default:
        return NULL;
    }
}

/* One stretch of text of one script level. */
static void
latex_run(GString *out, const char *text, gsize len, gboolean math)
{
    for (const char *at = text; at < text + len;) {
        gsize letters = 0;
        while (at + letters < text + len && g_ascii_isalpha(at[letters]))
            letters++;
        if (letters >= 2 && is_function(at, letters)) {
            g_string_append_printf(out, "\\%.*s ", (int)letters, at);
            at += letters;
        } else if (letters >= 2 && !math) {
            g_string_append_printf(out, "\\text{%.*s}", (int)letters, at);
            at += letters;
        } else {
            const char *next = g_utf8_next_char(at);
            gunichar ch = g_utf8_get_char(at), mark = next < text + len ? g_utf8_get_char(next) : 0;
            gunichar parts[G_UNICHAR_MAX_DECOMPOSITION_LENGTH];
            const char *accent = accent_of(mark);
            if (accent != NULL)
                next = g_utf8_next_char(next);
            else if (g_unichar_fully_decompose(ch, FALSE, parts, G_N_ELEMENTS(parts)) == 2 &&
                     (accent = accent_of(parts[1])) != NULL)
                ch = parts[0];
            if (accent != NULL) g_string_append_printf(out, "%s{", accent);
            latex_char(out, ch);
            if (accent != NULL) g_string_append_c(out, '}');
            at = next;
        }
    }
}

void
layout_math_latex(GString *out, const char *text, gsize len, const guint32 *flags)
{
    guint script = 0;
    for (gsize i = 0; i < len;) {
        guint level = flags[i] & (LAYOUT_SPAN_SUPERSCRIPT | LAYOUT_SPAN_SUBSCRIPT);
        gboolean math = (flags[i] & LAYOUT_SPAN_MATH) != 0;
        gsize to = i;
        while (to < len &&
               (flags[to] & (LAYOUT_SPAN_SUPERSCRIPT | LAYOUT_SPAN_SUBSCRIPT)) == level &&
               ((flags[to] & LAYOUT_SPAN_MATH) != 0) == math)
            to++;
        if (level != script) {
            if (script != 0) g_string_append_c(out, '}');
            if (level != 0) g_string_append(out, level & LAYOUT_SPAN_SUPERSCRIPT ? "^{" : "_{");
            script = level;
        }
        latex_run(out, text + i, to - i, math);
        i = to;
    }
    if (script != 0) g_string_append_c(out, '}');
}

/* ---- inline ---- */

enum { CLASS_TEXT, CLASS_NEUTRAL, CLASS_MATH, CLASS_STOP };

static gboolean
is_operator(gunichar ch)
{
    return ch == '=' || ch == '<' || ch == '>' || ch == 0xB1 || ch == 0xD7 ||
           (ch >= 0x2200 && ch <= 0x22FF) || (ch >= 0x2190 && ch <= 0x21FF) ||
           (ch >= 0x3B1 && ch <= 0x3C9) || (ch >= 0x27E8 && ch <= 0x27E9) ||
           (ch >= 0x1D400 && ch <= 0x1D7FF);
}

static guint
class_of(gunichar ch, guint flags)
{
    if (flags & (LAYOUT_SPAN_LINK | LAYOUT_SPAN_MONO)) return CLASS_STOP;
    if (ch == 0x2022 || ch == 0x25A0 || ch == 0x2713) return CLASS_STOP;
    /* marks of footnotes and affiliations */
    gboolean mark =
        ch == 0xB6 || ch == 0xA7 || ch == 0x2020 || ch == 0x2021 || ch == 0x2217 || ch == 0x22C6;
    if (mark && (flags & LAYOUT_SPAN_SUPERSCRIPT || ch == 0xB6 || ch == 0xA7)) return CLASS_STOP;
    if (flags & LAYOUT_SPAN_MATH)
        return ch == '.' || ch == ',' || ch == ';' ? CLASS_NEUTRAL : CLASS_MATH;
    if (is_operator(ch)) return CLASS_MATH;
    if (g_unichar_isalpha(ch)) return CLASS_TEXT;
    return CLASS_NEUTRAL;
}

/* Letters in a text font that belong to the formula: function names, scripts, lone letters by relations. */
static void
letters_settle(const char *text, gsize len, const guint32 *flags, guint8 *kind)
{
    for (gsize i = 0; i < len;) {
        if (kind[i] != CLASS_TEXT) {
            i++;
            continue;
        }
        gsize to = i;
        while (to < len && kind[to] == CLASS_TEXT)
            to++;
        gboolean script = (flags[i] & (LAYOUT_SPAN_SUPERSCRIPT | LAYOUT_SPAN_SUBSCRIPT)) != 0;
        gboolean after = i > 0 && kind[i - 1] == CLASS_MATH;
        gsize left = i, right = to;
        while (left > 0 && text[left - 1] == ' ')
            left--;
        while (right < len && text[right] == ' ')
            right++;
        gboolean near = (left > 0 && kind[left - 1] == CLASS_MATH) ||
                        (right < len && kind[right] == CLASS_MATH);
        gboolean relation =
            (left > 0 &&
             (text[left - 1] == '=' || text[left - 1] == '<' || text[left - 1] == '>')) ||
            (right < len && (text[right] == '=' || text[right] == '<' || text[right] == '>'));
        if ((script && after) || (near && is_function(text + i, to - i)) ||
            (relation && to - i == 1))
            memset(kind + i, CLASS_MATH, to - i);
        i = to;
    }
}

/* Where a stretch that starts at from ends: behind its last math character, brackets balanced. */
static gsize
stretch_end(const char *text, gsize len, const guint8 *kind, gsize from)
{
    gsize end = from;
    for (gsize i = from; i < len; i++) {
        if (kind[i] == CLASS_TEXT || kind[i] == CLASS_STOP) break;
        if (kind[i] == CLASS_MATH) {
            end = i + 1;
            continue;
        }
        /* a sentence or clause ends */
        gboolean space = i + 1 >= len || text[i + 1] == ' ';
        if (space && (text[i] == '.' || text[i] == ';' || text[i] == ':' || text[i] == '?')) break;
        if (i - end > 14) break;
    }
    while (end < len && ((guchar)text[end] & 0xC0) == 0x80)
        end++;
    /* digits that follow a relation, and what closes open brackets */
    int open = 0;
    for (gsize i = from; i < end; i++)
        open += text[i] == '(' || text[i] == '[' ? 1 : text[i] == ')' || text[i] == ']' ? -1 : 0;
    gsize at = end;
    while (at < len && text[at] == ' ')
        at++;
    if (at < len && g_ascii_isdigit(text[at]) && strchr("=<>", text[end - 1]) == NULL &&
        ((guchar)text[end - 1] & 0x80) == 0 && at > end)
        at = end; /* "x 5": the number is not part of it */
    gsize digits = at;
    while (
        digits < len && kind[digits] == CLASS_NEUTRAL &&
        (g_ascii_isdigit(text[digits]) || ((text[digits] == '.' || text[digits] == ',') &&
                                           digits + 1 < len && g_ascii_isdigit(text[digits + 1]))))
        digits++;
    if (digits > at) end = digits;
    while (open > 0 && end < len && (text[end] == ')' || text[end] == ']')) {
        end++;
        open--;
    }
    return end;
}

void
layout_math_spans(const char *text, gsize len, GArray *spans, GStringChunk *strings)
{
    gboolean any = FALSE;
    for (guint i = 0; i < spans->len && !any; i++)
        any = (g_array_index(spans, layout_span, i).flags & LAYOUT_SPAN_MATH) != 0;
    if (!any || len == 0) return;

    g_autofree guint32 *flags = g_new0(guint32, len);
    g_autofree guint8 *kind = g_new0(guint8, len);
    for (guint i = 0; i < spans->len; i++) {
        const layout_span *s = &g_array_index(spans, layout_span, i);
        for (uint32_t k = s->start; k < s->start + s->len; k++)
            flags[k] = s->flags;
    }
    for (const char *at = text; at < text + len; at = g_utf8_next_char(at)) {
        gsize k = (gsize)(at - text), n = (gsize)(g_utf8_next_char(at) - at);
        memset(kind + k, (int)class_of(g_utf8_get_char(at), flags[k]), n);
    }
    letters_settle(text, len, flags, kind);

    GArray *out = g_array_new(FALSE, TRUE, sizeof(layout_span));
    guint next = 0;
    gsize done = 0;
    g_autoptr(GString) latex = g_string_new(NULL);
    for (gsize i = 0; i <= len; i++) {
        gboolean starts = i < len && kind[i] == CLASS_MATH;
        if (!starts && i < len) continue;
        gsize from = i, end = i < len ? stretch_end(text, len, kind, i) : i;
        /* a number or sign directly before belongs to it: "-x", "2x" */
        while (i < len && from > done && kind[from - 1] == CLASS_NEUTRAL &&
               (g_ascii_isdigit(text[from - 1]) || text[from - 1] == '|' ||
                (text[from - 1] == '.' && from >= 2 && g_ascii_isdigit(text[from - 2]))))
            from--;
        /* the spans before this stretch, cut where it starts */
        for (; next < spans->len; next++) {
            layout_span s = g_array_index(spans, layout_span, next);
            if (s.start >= from) break;
            gsize a = MAX((gsize)s.start, done), z = MIN((gsize)s.start + s.len, from);
            if (a < z) {
                layout_span cut = {(uint32_t)a, (uint32_t)(z - a),
                                   s.flags & ~(guint)LAYOUT_SPAN_MATH, s.target};
                if (cut.flags != 0) g_array_append_val(out, cut);
            }
            if (s.start + s.len > end) break; /* goes on behind */
        }
        if (i == len) break;
        g_string_truncate(latex, 0);
        layout_math_latex(latex, text + from, end - from, flags + from);
        layout_span math = {(uint32_t)from, (uint32_t)(end - from), LAYOUT_SPAN_MATH, NULL};
        g_strstrip(latex->str);
        if (latex->str[0] != '\0') math.target = g_string_chunk_insert(strings, latex->str);
        g_array_append_val(out, math);
        while (next < spans->len) {
            const layout_span *s = &g_array_index(spans, layout_span, next);
            if ((gsize)s->start + s->len > end) break;
            next++;
        }
        done = end;
        i = end > i ? end - 1 : i;
    }
    g_array_set_size(spans, 0);
    g_array_append_vals(spans, out->data, out->len);
    g_array_unref(out);
}

/* ---- displayed ---- */

typedef struct {
    const layout_math_word *words;
    guint *index; /* words by x0 */
} display;

static int
compare_word_x(gconstpointer a, gconstpointer b, gpointer data)
{
    const layout_math_word *words = data;
    guint i = *(const guint *)a, j = *(const guint *)b;
    if (words[i].x0 != words[j].x0) return words[i].x0 < words[j].x0 ? -1 : 1;
    if (words[i].baseline != words[j].baseline)
        return words[i].baseline < words[j].baseline ? -1 : 1;
    return (i > j) - (i < j);
}

static gboolean
is_big_operator(const layout_math_word *w)
{
    static const char *const names[] = {
        "\xE2\x88\x91", "\xE2\x88\x8F", "\xE2\x8B\x83", "\xE2\x8B\x82", "max",    "min",
        "sup",          "inf",          "lim",          "argmax",       "argmin", "\xE2\x88\xAB"};
    for (guint i = 0; i < G_N_ELEMENTS(names); i++)
        if (strlen(names[i]) == w->len && memcmp(names[i], w->text, w->len) == 0) return TRUE;
    return FALSE;
}

static void words_build(GString *out, display *d, guint *set, guint n, const layout_rule *rules,
                        guint n_rules, guint depth);

/* Words on one level, left to right; those over and under a big operator are its limits. */
static void
level_build(GString *out, display *d, guint *set, guint n)
{
    g_autofree guint8 *used = g_new0(guint8, n + 1);
    for (guint i = 0; i < n; i++) {
        const layout_math_word *w = &d->words[set[i]];
        if (!is_big_operator(w)) continue;
        float slack = 0.6F * w->size;
        for (guint k = 0; k < n; k++) {
            const layout_math_word *l = &d->words[set[k]];
            float dy = l->baseline - w->baseline, middle = 0.5F * (l->x0 + l->x1);
            if (k == i || fabsf(dy) < 0.35F * w->size || fabsf(dy) > 2.2F * w->size ||
                l->size > 0.9F * w->size)
                continue;
            if (middle > w->x0 - slack && middle < w->x1 + slack && used[k] == 0)
                used[k] = dy < 0 ? 1 : 2;
        }
    }
    for (guint i = 0; i < n; i++) {
        const layout_math_word *w = &d->words[set[i]];
        if (used[i]) continue;
        layout_math_latex(out, w->text, w->len, w->flags);
        if (is_big_operator(w)) {
            for (guint8 side = 2; side >= 1; side--) {
                gboolean open = FALSE;
                for (guint k = 0; k < n; k++) {
                    const layout_math_word *l = &d->words[set[k]];
                    float middle = 0.5F * (l->x0 + l->x1);
                    if (used[k] != side || middle < w->x0 - 0.6F * w->size ||
                        middle > w->x1 + 0.6F * w->size)
                        continue;
                    if (!open) g_string_append(out, side == 2 ? "_{" : "^{");
                    open = TRUE;
                    layout_math_latex(out, l->text, l->len, l->flags);
                    used[k] = 3;
                }
                if (open) g_string_append_c(out, '}');
            }
        }
        g_string_append_c(out, ' ');
    }
}

static void
words_build(GString *out, display *d, guint *set, guint n, const layout_rule *rules, guint n_rules,
            guint depth)
{
    /* the widest rule with words on both sides */
    int best = LAYOUT_NONE;
    for (guint r = 0; r < n_rules && depth < 6; r++) {
        guint above = 0, below = 0;
        for (guint i = 0; i < n; i++) {
            const layout_math_word *w = &d->words[set[i]];
            float middle = 0.5F * (w->x0 + w->x1);
            if (middle < rules[r].x0 - 1 || middle > rules[r].x1 + 1) continue;
            if (w->baseline - 0.3F * w->size < rules[r].y0)
                above++;
            else
                below++;
        }
        if (above > 0 && below > 0 &&
            (best < 0 || rules[r].x1 - rules[r].x0 > rules[best].x1 - rules[best].x0))
            best = (int)r;
    }
    if (best < 0) {
        level_build(out, d, set, n);
        return;
    }
    layout_rule rule = rules[best];
    g_autofree guint *parts = g_new(guint, 4 * (n + 1));
    guint *part[4] = {parts, parts + n + 1, parts + 2 * (n + 1), parts + 3 * (n + 1)};
    guint count[4] = {0};
    for (guint i = 0; i < n; i++) {
        const layout_math_word *w = &d->words[set[i]];
        float middle = 0.5F * (w->x0 + w->x1);
        guint side = middle < rule.x0 - 1                     ? 0
                     : middle > rule.x1 + 1                   ? 3
                     : w->baseline - 0.3F * w->size < rule.y0 ? 1
                                                              : 2;
        part[side][count[side]++] = set[i];
    }
    g_autofree layout_rule *others = g_new(layout_rule, n_rules);
    guint n_others = 0;
    for (guint r = 0; r < n_rules; r++)
        if ((int)r != best) others[n_others++] = rules[r];
    if (count[0] > 0) words_build(out, d, part[0], count[0], others, n_others, depth + 1);
    g_string_append(out, "\\frac{");
    words_build(out, d, part[1], count[1], others, n_others, depth + 1);
    g_string_append(out, "}{");
    words_build(out, d, part[2], count[2], others, n_others, depth + 1);
    g_string_append(out, "} ");
    if (count[3] > 0) words_build(out, d, part[3], count[3], others, n_others, depth + 1);
}

void
layout_math_display(GString *out, const layout_math_word *words, guint n, const layout_rule *rules,
                    guint n_rules)
{
    display d = {.words = words, .index = g_new(guint, n + 1)};
    for (guint i = 0; i < n; i++)
        d.index[i] = i;
    g_qsort_with_data(d.index, (gint)n, sizeof(guint), compare_word_x, (gpointer)words);
    words_build(out, &d, d.index, n, rules, MIN(n_rules, 24), 0);
    g_free(d.index);
    while (out->len > 0 && out->str[out->len - 1] == ' ')
        g_string_truncate(out, out->len - 1);
}
