/* The normalised form of a text, in which a quote and its source meet.
 *
 * Each character of it remembers the bytes it came from:
 *
 *   compatibility decomposition (NFKD: ligatures, full width forms; two forms equal in NFKC are equal in it)
 *   soft hyphens and zero-width characters dropped
 *   a hyphen between letters dropped, with the white space behind it: "exam-\nple", "long-term" and "long- term"
 *     are what a line break makes of one another
 *   quotation marks to " and ', dashes and the minus sign to -, LaTeX's names to the characters they stand for
 *   raised digits to ^ and the digit: 10² is not 102
 *   white space to one blank, and to none before a comma and the like, inside brackets and around operators */
#include "pipelines/quote_normal.h"

#include <string.h>

#include "pipelines/quote.h"

gboolean
quote_is_hyphen(gunichar c)
{
    return c == '-' || c == 0x2010 || c == 0x2011 || c == 0x2012 || c == 0x2013 || c == 0x2014 ||
           c == 0x2212;
}

static gboolean
is_dropped(gunichar c)
{
    return c == 0xAD || c == 0xFEFF || c == 0x2060 || (c >= 0x200B && c <= 0x200F) || c == '$' ||
           c == '{' || c == '}';
}

static gunichar
plain(gunichar c)
{
    switch (c) {
    case 0x2018:
    case 0x2019:
    case 0x201A:
    case 0x201B:
    case 0x2032:
    case 0xB4:
    case '`':
        return '\'';
    case 0x201C:
    case 0x201D:
    case 0x201E:
    case 0x2033:
    case 0xAB:
    case 0xBB:
        return '"';
    case 0x2217:
        return '*';
    case 0x223C:
        return '~';
    default:
        return quote_is_hyphen(c) ? '-' : c;
    }
}

/* "\alpha" at text: the character, and how many bytes it takes; 0: none of ours. "\mathrm" and the like stand for
 * nothing. */
static size_t
latex_command(const char *text, size_t len, gunichar *c)
{
    static const struct {
        const char *name;
        gunichar c; /* 0: nothing */
    } commands[] = {{"alpha", 0x3B1},   {"beta", 0x3B2},       {"gamma", 0x3B3},   {"delta", 0x3B4},
                    {"epsilon", 0x3B5}, {"kappa", 0x3BA},      {"lambda", 0x3BB},  {"mu", 0x3BC},
                    {"pi", 0x3C0},      {"rho", 0x3C1},        {"sigma", 0x3C3},   {"tau", 0x3C4},
                    {"phi", 0x3C6},     {"omega", 0x3C9},      {"theta", 0x3B8},   {"Delta", 0x394},
                    {"times", 0xD7},    {"pm", 0xB1},          {"leq", 0x2264},    {"le", 0x2264},
                    {"geq", 0x2265},    {"ge", 0x2265},        {"approx", 0x2248}, {"sim", '~'},
                    {"cdot", 0xB7},     {"infty", 0x221E},     {"circ", 0xB0},     {"mathrm", 0},
                    {"text", 0},        {"mathbf", 0},         {"mathit", 0},      {"left", 0},
                    {"right", 0},       {"rightarrow", 0x2192}};
    if (len < 2 || text[0] != '\\') return 0;
    size_t n = 1;
    while (n < len && g_ascii_isalpha(text[n]))
        n++;
    if (n == 1) { /* "\%" */
        *c = (guchar)text[1] < 0x80 && g_ascii_ispunct(text[1]) ? (gunichar)text[1] : 0;
        return *c != 0 ? 2 : 0;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
        if (strlen(commands[i].name) != n - 1 || strncmp(commands[i].name, text + 1, n - 1) != 0)
            continue;
        *c = commands[i].c;
        return n;
    }
    return 0;
}

static void
push(GArray *symbols, gunichar c, size_t start, size_t end)
{
    quote_symbol s = {c, (uint32_t)start, (uint32_t)end};
    g_array_append_val(symbols, s);
}

static gboolean
is_raised(gunichar c)
{
    return c == 0xB2 || c == 0xB3 || c == 0xB9 || c == 0x2070 || (c >= 0x2074 && c <= 0x2079) ||
           c == 0x207B;
}

/* One character of the original, decomposed. before: the one ahead of it. */
static void
push_character(GArray *symbols, gunichar before, gunichar c, size_t start, size_t end)
{
    if (is_dropped(c)) return;
    if (g_unichar_isspace(c)) {
        push(symbols, ' ', start, end);
        return;
    }
    gunichar parts[G_UNICHAR_MAX_DECOMPOSITION_LENGTH];
    gsize n = g_unichar_fully_decompose(plain(c), TRUE, parts, G_N_ELEMENTS(parts));
    if (is_raised(c) && !is_raised(before)) push(symbols, '^', start, end);
    for (gsize i = 0; i < MIN(n, G_N_ELEMENTS(parts)); i++)
        push(symbols, g_unichar_isspace(parts[i]) ? ' ' : plain(parts[i]), start, end);
}

gunichar
quote_symbol_at(const GArray *symbols, guint i)
{
    return i < symbols->len ? g_array_index(symbols, quote_symbol, i).c : 0;
}

static gboolean
is_operator(gunichar c)
{
    switch (c) {
    case '=':
    case '<':
    case '>':
    case '~':
    case '/':
    case '+':
    case '*':
    case '^':
    case 0xB0:   /* degree */
    case 0xB1:   /* plus-minus */
    case 0xB7:   /* middle dot */
    case 0xD7:   /* times */
    case 0x2248: /* almost equal */
    case 0x2264:
    case 0x2265:
        return TRUE;
    default:
        return FALSE;
    }
}

/* May white space between these two go? */
static gboolean
closes_up(gunichar before, gunichar after)
{
    if (before == 0 || after == 0) return TRUE;
    if (g_unichar_isdigit(before) && (after == '.' || after == ',')) return FALSE;
    return is_operator(before) || is_operator(after) || before == '(' || before == '[' ||
           (after < 0x80 && strchr(".,;:!?)]%", (int)after) != NULL);
}

/* White space and hyphens, once it is known what stands on either side. */
static GArray *
tidy(const GArray *symbols)
{
    GArray *out = g_array_sized_new(FALSE, FALSE, sizeof(quote_symbol), symbols->len);
    for (guint i = 0; i < symbols->len; i++) {
        const quote_symbol *s = &g_array_index(symbols, quote_symbol, i);
        gunichar before = quote_symbol_at(out, out->len - 1);
        if (s->c == ' ') {
            guint next = i;
            while (quote_symbol_at(symbols, next) == ' ')
                next++;
            if (!closes_up(before, quote_symbol_at(symbols, next)))
                push(out, ' ', s->start, s->end);
            i = next - 1;
        } else if (s->c == '-' && g_unichar_isalpha(before)) {
            guint next = i + 1;
            while (quote_symbol_at(symbols, next) == ' ')
                next++;
            gunichar after = quote_symbol_at(symbols, next);
            gboolean joins = next > i + 1 ? g_unichar_islower(after) : g_unichar_isalpha(after);
            if (joins)
                i = next - 1;
            else
                g_array_append_val(out, *s);
        } else {
            g_array_append_val(out, *s);
        }
    }
    return out;
}

GArray *
quote_normalise(const char *text, size_t len)
{
    g_autoptr(GArray) symbols = g_array_sized_new(FALSE, FALSE, sizeof(quote_symbol), (guint)len);
    gunichar before = 0;
    for (size_t at = 0; at < len;) {
        gunichar c = 0;
        size_t n = latex_command(text + at, len - at, &c);
        if (n == 0) {
            c = g_utf8_get_char(text + at);
            n = (size_t)(g_utf8_next_char(text + at) - (text + at));
        }
        if (c != 0) push_character(symbols, before, c, at, at + n);
        before = c;
        at += n;
    }
    return tidy(symbols);
}

char *
pipelines_normalise(const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    g_autoptr(GArray) symbols = quote_normalise(valid, MIN(strlen(valid), G_MAXUINT32));
    GString *out = g_string_new(NULL);
    for (guint i = 0; i < symbols->len; i++)
        g_string_append_unichar(out, quote_symbol_at(symbols, i));
    return g_string_free(out, FALSE);
}
