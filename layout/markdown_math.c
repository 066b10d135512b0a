/* Inline formulas: a run of characters in math fonts, with its indices and what stands between them, as LaTeX.
 *
 * Analysis marks characters by their font (MATH) and height (SUPERSCRIPT, SUBSCRIPT) but leaves a formula in
 * pieces: in "E_a = 71.4" the letters are marked, the rest is plain. A run grows over digits, operators and
 * brackets between marked characters, never over words or the end of a sentence, and must come out balanced.
 * What does not fit this linear form (fractions, roots) was not linear text to begin with and is display's. */
#include "layout/markdown_math.h"

#include "layout/latex_symbols.h"

#include <string.h>

typedef struct {
    const char *text;
    uint32_t len, from;
    const layout_span *spans;
    guint n_spans;
} source;

static gboolean
is_script(const layout_span *span)
{
    return (span->flags & (LAYOUT_SPAN_SUPERSCRIPT | LAYOUT_SPAN_SUBSCRIPT)) != 0;
}

/* Can this span be part of a run? */
static gboolean
is_mathy(const layout_span *span)
{
    if (span->flags & (LAYOUT_SPAN_LINK | LAYOUT_SPAN_MONO)) return FALSE;
    return (span->flags & LAYOUT_SPAN_MATH) != 0 || is_script(span);
}

/* May this stretch of plain text stand inside a formula? Digits, operators, brackets, one comma at a time. */
static gboolean
is_glue(const char *text, uint32_t start, uint32_t end, gboolean brackets)
{
    if (end - start > 16) return FALSE;
    for (uint32_t at = start; at < end; at += (guchar)g_utf8_skip[(guchar)text[at]]) {
        const gunichar ch = g_utf8_get_char(text + at);
        const gboolean last = at + 1 >= end;
        if (g_unichar_isalpha(ch)) return FALSE;
        if (ch == '(' || ch == ')' || ch == '[' || ch == ']') {
            if (!brackets) return FALSE;
        } else if (ch == '.' || ch == ';' || ch == ':') {
            /* of a number, not of a sentence */
            if (last || !g_ascii_isdigit(text[at + 1])) return FALSE;
        } else if (ch >= 0x80 && !(ch >= 0x2190 && ch < 0x2300) && ch != 0xD7 && ch != 0xB1 &&
                   ch != 0xB7) {
            return FALSE;
        } else if (strchr("\"?!@_$`#&~", (int)(ch & 0x7F)) && ch < 0x80) {
            return FALSE;
        }
    }
    return TRUE;
}

static int
bracket_depth(const char *text, uint32_t start, uint32_t end, int *lowest)
{
    int depth = 0;
    *lowest = 0;
    for (uint32_t i = start; i < end; i++) {
        if (strchr("([{", text[i]) && text[i])
            depth++;
        else if (strchr(")]}", text[i]) && text[i])
            depth--;
        *lowest = MIN(*lowest, depth);
    }
    return depth;
}

/* Digits right before and after, brackets that close or open what is inside, "= 0.31". */
static void
widen(const source *s, uint32_t limit, uint32_t *start, uint32_t *end)
{
    const char *text = s->text;
    int lowest, depth = bracket_depth(text, *start, *end, &lowest);
    while (*end < limit && depth > 0 && strchr(")]", text[*end])) {
        (*end)++;
        depth--;
    }
    while (*start > s->from && lowest < 0 && strchr("([", text[*start - 1])) {
        (*start)--;
        lowest++;
    }
    uint32_t at = *start;
    while (at > s->from &&
           (g_ascii_isdigit(text[at - 1]) || (text[at - 1] == '.' && g_ascii_isdigit(text[at]))))
        at--;
    /* not "Table 3x" nor "v2.1x": a number stands alone */
    if (at == s->from || (!g_ascii_isalnum(text[at - 1]) && (guchar)text[at - 1] < 0x80))
        *start = at;

    at = *end;
    while (at < limit && g_ascii_isdigit(text[at]))
        at++;
    if (at == limit || !g_ascii_isalpha(text[at])) *end = at;

    static const char *const relations[] = {"=", "<", ">", "≤", "≥", "≈", "∼", "≪", "≫"};
    at = *end;
    while (at < limit && text[at] == ' ')
        at++;
    for (guint i = 0; i < G_N_ELEMENTS(relations); i++) {
        const size_t n = strlen(relations[i]);
        if (limit - at < n || strncmp(text + at, relations[i], n) != 0) continue;
        at += (uint32_t)n;
        while (at < limit && text[at] == ' ')
            at++;
        if (g_str_has_prefix(text + at, "−")) at += (uint32_t)strlen("−");
        uint32_t number = at;
        while (number < limit &&
               (g_ascii_isdigit(text[number]) ||
                (text[number] == '.' && number + 1 < limit && g_ascii_isdigit(text[number + 1]))))
            number++;
        if (number > at && (number == s->len || !g_ascii_isalpha(text[number]))) *end = number;
        break;
    }
}

typedef enum { LEVEL_BASE, LEVEL_SUB, LEVEL_SUP } level;

static level
level_at(const source *s, guint *span, uint32_t at, guint *flags)
{
    while (*span < s->n_spans && s->spans[*span].start + s->spans[*span].len <= at)
        (*span)++;
    *flags = *span < s->n_spans && s->spans[*span].start <= at ? s->spans[*span].flags : 0;
    if (*flags & LAYOUT_SPAN_SUPERSCRIPT) return LEVEL_SUP;
    return *flags & LAYOUT_SPAN_SUBSCRIPT ? LEVEL_SUB : LEVEL_BASE;
}

/* A word in upright letters, as "max" in an index: its end, or `at` where it is none. */
static uint32_t
upright_word(const source *s, guint span, uint32_t at, uint32_t end)
{
    uint32_t stop = end;
    if (span < s->n_spans && s->spans[span].start <= at) {
        if (s->spans[span].flags & (LAYOUT_SPAN_MATH | LAYOUT_SPAN_ITALIC)) return at;
        stop = MIN(stop, s->spans[span].start + s->spans[span].len);
    }
    uint32_t word = at;
    while (word < stop && g_ascii_isalpha(s->text[word]))
        word++;
    return word - at > 1 ? word : at;
}

static char *
write_latex(const source *s, guint span, uint32_t start, uint32_t end)
{
    g_autoptr(GString) out = g_string_new(NULL);
    level now = LEVEL_BASE;
    guint seen = 0; /* bit per level: indices of the present base */
    gboolean has_base = FALSE;
    for (uint32_t at = start; at < end;) {
        guint flags;
        const level wanted = level_at(s, &span, at, &flags);
        if (s->text[at] == ' ' && wanted != LEVEL_BASE) {
            at++;
            continue;
        }
        if (wanted != now && now != LEVEL_BASE) g_string_append_c(out, '}');
        if (wanted != now && wanted != LEVEL_BASE) {
            if (!has_base || (seen & (1u << wanted)))
                return NULL; /* an index of nothing, or a second one */
            seen |= 1u << wanted;
            g_string_append(out, wanted == LEVEL_SUP ? "^{" : "_{");
        }
        now = wanted;
        if (now == LEVEL_BASE && s->text[at] != ' ') {
            has_base = TRUE;
            seen = 0;
        }
        const uint32_t word = upright_word(s, span, at, end);
        if (word > at) {
            g_string_append(out, "\\mathrm{");
            g_string_append_len(out, s->text + at, (gssize)(word - at));
            g_string_append_c(out, '}');
            at = word;
            continue;
        }
        const gunichar ch = g_utf8_get_char(s->text + at);
        const gboolean bold = (flags & LAYOUT_SPAN_BOLD) && g_unichar_isalpha(ch);
        if (bold) g_string_append(out, "\\mathbf{");
        if (!latex_append_char(out, ch)) return NULL;
        if (bold) g_string_append_c(out, '}');
        at += (guchar)g_utf8_skip[(guchar)s->text[at]];
    }
    if (now != LEVEL_BASE) g_string_append_c(out, '}');
    /* "x^{2}" as everybody writes it: "x^2" */
    for (gsize i = 0; i + 3 < out->len; i++) {
        if ((out->str[i] != '^' && out->str[i] != '_') || out->str[i + 1] != '{' ||
            out->str[i + 3] != '}' || !g_ascii_isalnum(out->str[i + 2]) ||
            (i > 0 && out->str[i - 1] == '\\'))
            continue;
        g_string_erase(out, (gssize)i + 3, 1);
        g_string_erase(out, (gssize)i + 1, 1);
    }
    return g_string_free(g_steal_pointer(&out), FALSE);
}

/* A formula has a letter in a math font: a lone sign (a bullet, a minus) reads better as it is. */
static gboolean
has_letter(const source *s, guint first, guint next)
{
    for (guint i = first; i < next; i++) {
        if (!(s->spans[i].flags & LAYOUT_SPAN_MATH)) continue;
        for (uint32_t k = 0; k < s->spans[i].len;
             k += (guchar)g_utf8_skip[(guchar)s->text[s->spans[i].start + k]]) {
            if (g_unichar_isalpha(g_utf8_get_char(s->text + s->spans[i].start + k))) return TRUE;
        }
    }
    return FALSE;
}

static char *
try_run(const source *s, guint first, gboolean brackets, uint32_t *start, uint32_t *end,
        guint *next)
{
    *start = s->spans[first].start;
    *end = *start + s->spans[first].len;
    guint i = first + 1;
    for (; i < s->n_spans && is_mathy(&s->spans[i]); i++) {
        const uint32_t gap_end = s->spans[i].start;
        if (gap_end >= s->len) break;
        if (!is_glue(s->text, *end, gap_end, brackets)) break;
        int lowest;
        const gboolean enclosed = bracket_depth(s->text, *start, gap_end, &lowest) > 0;
        if (!enclosed && memchr(s->text + *end, ',', gap_end - *end)) break;
        /* a raised number behind a blank is a citation or a note */
        if (gap_end > *end && is_script(&s->spans[i])) break;
        *end = gap_end + s->spans[i].len;
    }
    *next = i;
    while (*end > *start && strchr(" ,.;:", s->text[*end - 1]) && !g_ascii_isdigit(s->text[*end]))
        (*end)--;
    while (*start < *end && strchr(" ,.;:", s->text[*start]))
        (*start)++;
    if (!has_letter(s, first, i)) return NULL;
    widen(s, i < s->n_spans ? s->spans[i].start : s->len, start, end);
    int lowest;
    if (bracket_depth(s->text, *start, *end, &lowest) != 0 || lowest < 0) return NULL;
    return write_latex(s, first, *start, *end);
}

char *
markdown_math(const char *text, uint32_t len, uint32_t from, const layout_span *spans,
              guint n_spans, guint first, uint32_t *start, uint32_t *end, guint *next)
{
    const source s = {text, len, from, spans, n_spans};
    if (!is_mathy(&spans[first]) || !(spans[first].flags & LAYOUT_SPAN_MATH) ||
        is_script(&spans[first]) || spans[first].target)
        return NULL;
    char *latex = try_run(&s, first, TRUE, start, end, next);
    return latex ? latex : try_run(&s, first, FALSE, start, end, next);
}
