/* Mathematics in running text as LaTeX: characters set in math fonts, with the digits, brackets and relations
 * between them, become one stretch. */
#include "layout/mathtext.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One stretch of text of one script level. */
static void
latex_run(GString *out, const char *text, gsize len, gboolean math)
{
    for (const char *at = text; at < text + len;) {
        gsize letters = 0;
        while (at + letters < text + len && g_ascii_isalpha(at[letters]))
            letters++;
        if (letters >= 2 && layout_math_is_function(at, letters)) {
            layout_math_function(out, at, letters);
            g_string_append_c(out, ' ');
            at += letters;
        } else if (letters >= 2 && !math) {
            g_string_append_printf(out, "\\text{%.*s}", (int)letters, at);
            at += letters;
        } else {
            const char *next = g_utf8_next_char(at);
            gunichar ch = g_utf8_get_char(at), mark = next < text + len ? g_utf8_get_char(next) : 0;
            gunichar parts[G_UNICHAR_MAX_DECOMPOSITION_LENGTH];
            const char *accent = layout_math_accent(mark);
            if (accent != NULL)
                next = g_utf8_next_char(next);
            else if (g_unichar_fully_decompose(ch, FALSE, parts, G_N_ELEMENTS(parts)) == 2 &&
                     (accent = layout_math_accent(parts[1])) != NULL)
                ch = parts[0];
            if (accent != NULL) g_string_append_printf(out, "%s{", accent);
            layout_math_char(out, ch);
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

enum { CLASS_TEXT, CLASS_NEUTRAL, CLASS_MATH, CLASS_MARK, CLASS_STOP };

static gboolean
is_operator(gunichar ch)
{
    return ch == '=' || ch == '<' || ch == '>' || ch == 0xB1 || ch == 0xD7 ||
           (ch >= 0x2200 && ch <= 0x22FF) || (ch >= 0x2190 && ch <= 0x21FF) ||
           (ch >= 0x3B1 && ch <= 0x3C9) || (ch >= 0x27E8 && ch <= 0x27E9) ||
           (ch >= 0x1D400 && ch <= 0x1D7FF);
}

/* Capitals of Greek come from the text font. In words they are letters. */
static gboolean
is_greek_capital(gunichar ch)
{
    return (ch >= 0x391 && ch <= 0x3A9) || ch == 0x2126;
}

static guint
class_of(gunichar ch, guint flags)
{
    if (flags & (LAYOUT_SPAN_LINK | LAYOUT_SPAN_MONO)) return CLASS_STOP;
    if (ch == 0x2022 || ch == 0x25A0 || ch == 0x2713) return CLASS_STOP;
    /* marks of footnotes and affiliations */
    gboolean mark =
        ch == 0xB6 || ch == 0xA7 || ch == 0x2020 || ch == 0x2021 || ch == 0x2217 || ch == 0x22C6;
    if (mark && (flags & LAYOUT_SPAN_SUPERSCRIPT || ch == 0xB6 || ch == 0xA7)) return CLASS_MARK;
    if (ch == ' ') return CLASS_NEUTRAL;
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
        /* a bold vector, the name of a matrix: "A_t", "Mx" */
        const guint scripts = LAYOUT_SPAN_SUPERSCRIPT | LAYOUT_SPAN_SUBSCRIPT;
        const gboolean styled = (flags[i] & (LAYOUT_SPAN_BOLD | LAYOUT_SPAN_ITALIC)) != 0;
        /* but the unit in "12 m^-2" is text */
        const gboolean touches =
            after || (to < len && kind[to] == CLASS_MATH && (styled || !(flags[to] & scripts)));
        if ((script && after) || (near && layout_math_is_function(text + i, to - i)) ||
            ((relation || touches) && to - i == 1) ||
            (to - i <= 3 && is_greek_capital(g_utf8_get_char(text + i)) &&
             g_utf8_next_char(text + i) == text + to))
            memset(kind + i, CLASS_MATH, to - i);
        i = to;
    }
}

static int
bracket_step(char ch)
{
    return ch == '(' || ch == '[' ? 1 : ch == ')' || ch == ']' ? -1 : 0;
}

/* Where a stretch that starts at from ends: behind its last math character, brackets balanced. */
static gsize
stretch_end(const char *text, gsize len, const guint32 *flags, const guint8 *kind, gsize from)
{
    gsize end = from;
    int open = 0;
    for (gsize i = from; i < len; i++) {
        if (kind[i] == CLASS_TEXT || kind[i] == CLASS_STOP) break;
        open += bracket_step(text[i]);
        if (kind[i] == CLASS_MATH) {
            end = i + 1;
            continue;
        }
        /* a sentence or clause ends; a comma of the text font divides two formulas */
        gboolean space = i + 1 >= len || text[i + 1] == ' ';
        if (space && strchr(".;:?", text[i]) != NULL) break;
        if (text[i] == ',' && (flags[i] & LAYOUT_SPAN_MATH)) {
            /* of the formula, and with it the number behind: "[0, 2]" */
            if (g_ascii_isdigit(text[i + 1]) ||
                (space && i + 2 < len && g_ascii_isdigit(text[i + 2])))
                end = i + 1;
            continue;
        }
        if (space && text[i] == ',' && open <= 0) break;
        if (i - end > 14) break;
    }
    if (end > from && text[end - 1] == ',' && !(end < len && g_ascii_isdigit(text[end])) &&
        !(end + 1 < len && g_ascii_isdigit(text[end + 1])))
        end--;
    while (end < len && ((guchar)text[end] & 0xC0) == 0x80)
        end++;
    /* digits that follow a relation, and what closes open brackets */
    open = 0;
    for (gsize i = from; i < end; i++)
        open += bracket_step(text[i]);
    gsize at = end;
    while (at < len && text[at] == ' ')
        at++;
    if (at < len && g_ascii_isdigit(text[at]) && strchr("=<>,", text[end - 1]) == NULL &&
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

static gboolean
is_number_part(const char *text, gsize at)
{
    return g_ascii_isdigit(text[at]) ||
           (text[at] == '.' && at > 0 && g_ascii_isdigit(text[at - 1]));
}

/* Where a stretch that was found from .. end begins: a number or a sign directly before belongs to it ("2x"), before
 * a relation one that a blank divides from it ("1 < x"), and the bracket that it closes. */
static gsize
stretch_start(const char *text, const guint32 *flags, const guint8 *kind, gsize done, gsize from,
              gsize end)
{
    const guint scripts = LAYOUT_SPAN_SUPERSCRIPT | LAYOUT_SPAN_SUBSCRIPT;
    const gunichar first = g_utf8_get_char(text + from);
    gsize at = from;
    if (is_operator(first) && first != 0x2212 && at > done + 1 && text[at - 1] == ' ' &&
        is_number_part(text, at - 2))
        at--;
    const gsize numbers = at;
    while (at > done && kind[at - 1] == CLASS_NEUTRAL &&
           (is_number_part(text, at - 1) || text[at - 1] == '|'))
        at--;
    /* "in 2019 < x": a number behind a letter is a name's */
    if (at == numbers) at = from;
    if (at > done && g_ascii_isalpha(text[at - 1]) && !(flags[at] & scripts)) at = from;
    int open = 0, least = 0;
    gboolean listed = FALSE, related = FALSE;
    for (gsize i = at; i < end; i++) {
        open += bracket_step(text[i]);
        least = MIN(least, open);
        listed |= text[i] == ',';
        related |= strchr("=<>", text[i]) != NULL;
    }
    const gboolean bracket = at > done && (text[at - 1] == '(' || text[at - 1] == '[');
    /* "(x, y)" is a pair, "(x)" an aside */
    if (bracket && (least < 0 || (listed && !related && (text[end] == ')' || text[end] == ']'))))
        at--;
    return at;
}

/* A lone "<" of the text font is no mathematics. */
static gboolean
is_something(const char *text, const guint32 *flags, gsize from, gsize end)
{
    for (gsize i = from; i < end; i++)
        if ((flags[i] & LAYOUT_SPAN_MATH) || g_ascii_isalnum(text[i]) || ((guchar)text[i] & 0x80))
            return TRUE;
    return FALSE;
}

void
layout_math_spans(const char *text, gsize len, GArray *spans, GStringChunk *strings,
                  layout_math_reader reader, gpointer data)
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
    /* behind a letter of mathematics a raised star belongs to it, elsewhere it calls a note */
    for (gsize i = 0; i < len; i++) {
        const gboolean script = i > 0 && (flags[i] & LAYOUT_SPAN_MATH) && kind[i - 1] == CLASS_MATH;
        if (kind[i] == CLASS_MARK)
            kind[i] = script && ((guchar)text[i] & 0x80) != 0     ? CLASS_MATH
                      : ((guchar)text[i] & 0xC0) == 0x80 && i > 0 ? kind[i - 1]
                                                                  : CLASS_STOP;
    }
    letters_settle(text, len, flags, kind);

    GArray *out = g_array_new(FALSE, TRUE, sizeof(layout_span));
    guint next = 0;
    gsize done = 0;
    g_autoptr(GString) latex = g_string_new(NULL);
    for (gsize i = 0; i <= len; i++) {
        gboolean starts = i < len && kind[i] == CLASS_MATH;
        if (!starts && i < len) continue;
        gsize from = i, end = i < len ? stretch_end(text, len, flags, kind, i) : i;
        if (i < len) {
            from = stretch_start(text, flags, kind, done, from, end);
            const char close = from < i && text[from] == '(' ? ')' : ']';
            if (from < i && bracket_step(text[from]) > 0 && text[end] == close) end++;
            if (!is_something(text, flags, from, end)) {
                i = end - 1;
                continue;
            }
        }
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
        g_autofree char *read = reader != NULL ? reader(from, end, data) : NULL;
        if (read != NULL)
            g_string_assign(latex, read);
        else
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
