/* Running text -> tokens: what each stretch of it could be in a formula, and whether only mathematics has it. */
#include "layout/mathtokens.h"
#include "layout/mathtext.h"

static gboolean
is_relation(gunichar ch)
{
    return ch == '=' || ch == '<' || ch == '>' || (ch >= 0x2190 && ch <= 0x21FF) ||
           (ch >= 0x2208 && ch <= 0x220D) || ch == 0x221D || ch == 0x2223 || ch == 0x2225 ||
           (ch >= 0x223C && ch <= 0x228B) || (ch >= 0x22A2 && ch <= 0x22AF) ||
           (ch >= 0x27F5 && ch <= 0x27FF) || ch == 0x2A7D || ch == 0x2A7E;
}

static gboolean
is_binary(gunichar ch)
{
    return ch == '+' || ch == 0xB1 || ch == 0xD7 || ch == 0xF7 || ch == 0xB7 || ch == 0x2212 ||
           ch == 0x2213 || (ch >= 0x2215 && ch <= 0x2219) || (ch >= 0x2227 && ch <= 0x222A) ||
           (ch >= 0x2293 && ch <= 0x22A1) || (ch >= 0x22C4 && ch <= 0x22C7);
}

/* Characters that only mathematics has, whatever their font. */
static gboolean
is_mathematical(gunichar ch)
{
    return (ch >= 0x3B1 && ch <= 0x3C9) || (ch >= 0x2190 && ch <= 0x22FF) ||
           (ch >= 0x27E8 && ch <= 0x27E9) || (ch >= 0x1D400 && ch <= 0x1D7FF) || ch == 0xB1 ||
           ch == 0xD7 || ch == '=' || ch == '<' || ch == '>';
}

/* Capitals of Greek come from the text font. In words they are letters. */
static gboolean
is_greek_capital(gunichar ch)
{
    return (ch >= 0x391 && ch <= 0x3A9) || ch == 0x2126;
}

/* Marks of footnotes and affiliations. */
static gboolean
is_mark(gunichar ch)
{
    return ch == 0xB6 || ch == 0xA7 || ch == 0x2020 || ch == 0x2021 || ch == 0x2217 || ch == 0x22C6;
}

static guint8
kind_of(gunichar ch, guint flags)
{
    if (flags & LAYOUT_SPAN_LINK) return TOKEN_BREAK;
    if (flags & LAYOUT_SPAN_MONO) return TOKEN_MONO;
    if (ch == 0x2022 || ch == 0x25A0 || ch == 0x2713) return TOKEN_BREAK;
    if (ch == '(' || ch == '[' || ch == '{' || ch == 0x27E8 || ch == 0x2308 || ch == 0x230A)
        return TOKEN_OPEN;
    if (ch == ')' || ch == ']' || ch == '}' || ch == 0x27E9 || ch == 0x2309 || ch == 0x230B)
        return TOKEN_CLOSE;
    if (is_relation(ch) && ch != 0x2225 && ch != 0x2223) return TOKEN_RELATION;
    if (is_binary(ch)) return TOKEN_BINARY;
    if (ch == '/') return TOKEN_SLASH;
    if (ch == '|' || ch == 0x2225 || ch == 0x2223 || ch == 0x2016) return TOKEN_BAR;
    if (ch == ',' || ch == ';') return TOKEN_COMMA;
    if (ch == ':') return TOKEN_COLON;
    if (ch == '.') return TOKEN_DOT;
    if (ch == 0x2026 || ch == 0x22EF) return TOKEN_DOTS;
    if (ch == 0x2032 || ch == 0x2033 || ch == '!') return TOKEN_PRIME;
    if (g_unichar_isdigit(ch)) return TOKEN_NUMBER;
    if (flags & LAYOUT_SPAN_MATH || is_mathematical(ch)) return TOKEN_SYMBOL;
    return g_unichar_isalpha(ch) ? TOKEN_WORD : TOKEN_BREAK;
}

/* Where the token that starts at from ends. */
static gsize
token_end(const math_text *m, gsize len, gsize from, guint8 kind)
{
    const char *text = m->text;
    const guint level = m->flags[from] & MATH_SCRIPTS;
    gsize end = (gsize)(g_utf8_next_char(text + from) - text);
    while (end < len && m->flags[end] != 0 && kind != TOKEN_WORD && kind != TOKEN_NUMBER &&
           g_unichar_combining_class(g_utf8_get_char(text + end)) > 0)
        end = (gsize)(g_utf8_next_char(text + end) - text);
    while (end < len && (m->flags[end] & MATH_SCRIPTS) == level) {
        const gunichar ch = g_utf8_get_char(text + end);
        if (kind == TOKEN_NUMBER) {
            const gboolean joint = (ch == '.' || ch == ',') && end + 1 < len &&
                                   g_ascii_isdigit(text[end + 1]) &&
                                   (m->flags[end + 1] & MATH_SCRIPTS) == level;
            gsize digits = 0;
            while (joint && end + 1 + digits < len && g_ascii_isdigit(text[end + 1 + digits]))
                digits++;
            if (!g_unichar_isdigit(ch) && !(joint && (ch == '.' || digits == 3))) break;
        } else if (kind == TOKEN_WORD || kind == TOKEN_MONO) {
            if (kind_of(ch, m->flags[end]) != kind || ch == ' ') break;
            if (kind == TOKEN_WORD &&
                is_greek_capital(ch) != is_greek_capital(g_utf8_get_char(text + from)))
                break;
        } else {
            break;
        }
        end = (gsize)(g_utf8_next_char(text + end) - text);
    }
    return end;
}

/* Dots that were set one by one, as TeX's are. */
static gboolean
dots_join(const math_text *m, math_token *next)
{
    const guint n = m->tokens->len;
    const gboolean centred = next->ch == 0xB7 || next->ch == 0x22C5 || next->ch == 0x2219;
    if ((next->kind != TOKEN_DOT && !centred) || n < 2) return FALSE;
    math_token *a = math_token_at(m, n - 2);
    const math_token *b = math_token_at(m, n - 1);
    if (a->ch != next->ch || b->ch != next->ch || next->start - a->start > 8) return FALSE;
    a->kind = TOKEN_DOTS;
    a->math = (a->flags & LAYOUT_SPAN_MATH) != 0;
    a->end = next->end;
    g_array_set_size(m->tokens, n - 1);
    return TRUE;
}

/* Does a seed of mathematics stand here? */
static gboolean
is_seed(const math_token *t, const math_token *last)
{
    const gboolean math_font = (t->flags & LAYOUT_SPAN_MATH) != 0;
    switch (t->kind) {
    case TOKEN_SYMBOL:
    case TOKEN_NUMBER:
        return math_font || t->kind == TOKEN_SYMBOL;
    case TOKEN_RELATION:
        return math_font || is_mathematical(t->ch);
    case TOKEN_BINARY:
        return math_font || (is_mathematical(t->ch) && t->ch != 0x2212);
    case TOKEN_OPEN:
    case TOKEN_CLOSE:
    case TOKEN_BAR:
    case TOKEN_SLASH:
    case TOKEN_PRIME:
    case TOKEN_DOTS:
        return math_font;
    case TOKEN_WORD:
        return is_greek_capital(t->ch) && t->letters <= 1 &&
               (last == NULL || last->kind != TOKEN_WORD || t->space);
    default:
        return FALSE;
    }
}

void
layout_math_tokens_find(math_text *m, gsize len)
{
    gboolean space = TRUE;
    for (gsize i = 0; i < len;) {
        if (m->text[i] == ' ' || m->text[i] == '\n') {
            space = TRUE;
            i++;
            continue;
        }
        const gunichar ch = g_utf8_get_char(m->text + i);
        const math_token *last = math_token_at(m, m->tokens->len - 1);
        math_token t = {.start = (guint)i,
                        .flags = m->flags[i],
                        .ch = ch,
                        .kind = kind_of(ch, m->flags[i]),
                        .space = space,
                        .partner = LAYOUT_NONE};
        const gboolean note =
            is_mark(ch) && (t.flags & LAYOUT_SPAN_SUPERSCRIPT || ch == 0xB6 || ch == 0xA7);
        /* behind a letter of mathematics a raised star belongs to it, elsewhere it calls a note */
        if (note)
            t.kind = !space && last != NULL &&
                             (last->math || (math_is_letter(last) && math_is_styled(last))) &&
                             (t.flags & LAYOUT_SPAN_MATH)
                         ? TOKEN_SYMBOL
                         : TOKEN_BREAK;
        i = token_end(m, len, i, t.kind);
        t.end = (guint)i;
        if (t.kind == TOKEN_WORD) {
            t.letters = (guint)g_utf8_strlen(m->text + t.start, (gssize)(t.end - t.start));
            t.function = layout_math_is_function(m->text + t.start, t.end - t.start);
        }
        t.math = is_seed(&t, last);
        space = FALSE;
        if (!dots_join(m, &t)) g_array_append_val(m->tokens, t);
    }
}
