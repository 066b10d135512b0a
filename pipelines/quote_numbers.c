/* Are a claim's numbers those of its quote? The commonest invention is a number, and the easiest to catch. */
#include <math.h>
#include <string.h>

#include "pipelines/quote.h"

typedef struct {
    double value;
    guint decimals;
    char unit[12];  /* "" where none follows; folded */
    const char *at; /* in the text */
    size_t len;
} number;

/* ---- units ---- */

/* The word behind a number as a unit, the same for all its spellings; "" where it is no unit we know. */
static void
read_unit(const char *p, char *unit, size_t size)
{
    static const struct {
        const char *spelling, *unit;
    } units[] = {{"%", "%"},          {"percent", "%"},    {"per cent", "%"},  {"percentage", "%"},
                 {"\xC2\xB0", "deg"}, {"degrees", "deg"},  {"mg", "mg"},       {"\xCE\xBCg", "ug"},
                 {"\xC2\xB5g", "ug"}, {"kg", "kg"},        {"ml", "ml"},       {"\xCE\xBCl", "ul"},
                 {"nm", "nm"},        {"mm", "mm"},        {"cm", "cm"},       {"km", "km"},
                 {"\xCE\xBCm", "um"}, {"\xC2\xB5m", "um"}, {"ng", "ng"},       {"days", "day"},
                 {"day", "day"},      {"weeks", "week"},   {"week", "week"},   {"months", "month"},
                 {"month", "month"},  {"years", "year"},   {"year", "year"},   {"hours", "hour"},
                 {"hour", "hour"},    {"h", "hour"},       {"minutes", "min"}, {"minute", "min"},
                 {"min", "min"},      {"seconds", "s"},    {"million", "1e6"}, {"billion", "1e9"},
                 {"thousand", "1e3"}, {"fold", "fold"},    {"K", "K"},         {"kDa", "kda"},
                 {"bp", "bp"},        {"GB", "gb"},        {"MB", "mb"},       {"eV", "ev"},
                 {"GHz", "ghz"},      {"MHz", "mhz"},      {"Hz", "hz"}};
    unit[0] = '\0';
    while (*p == ' ' || *p == '-')
        p++;
    for (size_t i = 0; i < G_N_ELEMENTS(units); i++) {
        size_t n = strlen(units[i].spelling);
        if (strncmp(p, units[i].spelling, n) != 0) continue;
        if (g_ascii_isalpha(p[n - 1]) && g_unichar_isalpha(g_utf8_get_char(p + n))) continue;
        g_strlcpy(unit, units[i].unit, size);
        return;
    }
}

/* ---- reading ---- */

static const char *
previous(const char *text, const char *p)
{
    return g_utf8_find_prev_char(text, p);
}

/* A digit inside a name is no number: behind a letter (H1N1), or behind a letter and a hyphen (COVID-19). */
static gboolean
is_in_a_name(const char *text, const char *p)
{
    const char *before = previous(text, p);
    if (before == NULL) return FALSE;
    gunichar c = g_utf8_get_char(before);
    if (g_unichar_isalpha(c)) return TRUE;
    if (c != '-' && c != 0x2010 && c != 0x2011) return FALSE;
    const char *ahead = previous(text, before);
    return ahead != NULL && g_unichar_isalnum(g_utf8_get_char(ahead)) && !g_ascii_isdigit(*ahead);
}

/* "1,234,567.8" at p. */
static number
read_number(const char *p)
{
    number n = {.at = p};
    char digits[64];
    size_t used = 0;
    const char *q = p;
    for (; used < sizeof digits - 1; q++) {
        if (g_ascii_isdigit(*q)) {
            digits[used++] = *q;
            if (n.decimals > 0) n.decimals++;
        } else if (*q == ',' && n.decimals == 0 && g_ascii_isdigit(q[1]) && g_ascii_isdigit(q[2]) &&
                   g_ascii_isdigit(q[3]) && !g_ascii_isdigit(q[4])) {
            continue; /* thousands */
        } else if ((*q == '.' || strncmp(q, "\xC2\xB7", 2) == 0) && n.decimals == 0 &&
                   g_ascii_isdigit(q[*q == '.' ? 1 : 2])) {
            if (*q != '.') q++;
            digits[used++] = '.';
            n.decimals = 1; /* counts the point */
        } else {
            break;
        }
    }
    digits[used] = '\0';
    if (n.decimals > 0) n.decimals--;
    n.value = g_ascii_strtod(digits, NULL);
    n.len = MAX((size_t)(q - p), 1);
    read_unit(q, n.unit, sizeof n.unit);
    return n;
}

static gboolean
read_word(const char *p, number *n)
{
    static const char *const words[] = {"zero",  "one",   "two",  "three", "four",   "five",  "six",
                                        "seven", "eight", "nine", "ten",   "eleven", "twelve"};
    size_t len = 0;
    while (g_ascii_isalpha(p[len]))
        len++;
    for (size_t i = 2; i < G_N_ELEMENTS(words); i++) { /* "one" is seldom a number */
        if (strlen(words[i]) != len || g_ascii_strncasecmp(words[i], p, len) != 0) continue;
        *n = (number){.value = (double)i, .at = p, .len = len};
        read_unit(p + len, n->unit, sizeof n->unit);
        return TRUE;
    }
    return FALSE;
}

/* Skip "[2, 3]": the number of a source. */
static const char *
skip_citation(const char *p)
{
    size_t n = 1 + strspn(p + 1, "0123456789,;- \xE2\x80\x93");
    return n > 1 && p[n] == ']' ? p + n + 1 : p + 1;
}

static GArray *
read_numbers(const char *text)
{
    GArray *numbers = g_array_new(FALSE, FALSE, sizeof(number));
    for (const char *p = text; *p != '\0';) {
        if (*p == '[') {
            p = skip_citation(p);
            continue;
        }
        number n;
        if (g_ascii_isdigit(*p)) {
            n = read_number(p);
            gunichar after = g_utf8_get_char(p + n.len);
            /* "2D", "3CL" are names; "5mg" is not */
            gboolean name =
                is_in_a_name(text, p) || (g_unichar_isupper(after) && n.unit[0] == '\0');
            if (!name) g_array_append_val(numbers, n);
            p += n.len;
            continue;
        }
        gboolean starts = p == text || !g_unichar_isalnum(g_utf8_get_char(previous(text, p)));
        if (starts && read_word(p, &n)) {
            g_array_append_val(numbers, n);
            p += n.len;
            continue;
        }
        p = g_utf8_next_char(p);
    }
    return numbers;
}

/* ---- comparing ---- */

static double
scale_of(const char *unit)
{
    return strcmp(unit, "1e3") == 0   ? 1e3
           : strcmp(unit, "1e6") == 0 ? 1e6
           : strcmp(unit, "1e9") == 0 ? 1e9
                                      : 0;
}

static gboolean
is_close(double a, double b)
{
    return fabs(a - b) <= 1e-9 * MAX(1, MAX(fabs(a), fabs(b)));
}

/* Does there, rounded to what said states, say the same? */
static gboolean
agrees(const number *said, const number *there)
{
    double said_scale = scale_of(said->unit), there_scale = scale_of(there->unit);
    double a = said->value * (said_scale > 0 ? said_scale : 1);
    double b = there->value * (there_scale > 0 ? there_scale : 1);
    gboolean units =
        said->unit[0] != '\0' && there->unit[0] != '\0' && said_scale == 0 && there_scale == 0;
    if (units && strcmp(said->unit, there->unit) != 0) return FALSE;
    if (is_close(a, b)) return TRUE;
    /* 92 % of something is what 0.92 of it is */
    if (strcmp(said->unit, "%") == 0 && there->unit[0] == '\0' && is_close(a, 100 * b)) return TRUE;
    if (there->decimals <= said->decimals && said_scale == there_scale) return FALSE;
    double step = pow(10, -(double)said->decimals) * (said_scale > 0 ? said_scale : 1);
    return fabs(a - b) <= 0.5 * step * (1 + 1e-9);
}

gboolean
pipelines_numbers_supported(const char *claim, const char *quote, char **missing)
{
    g_autoptr(GArray) said = read_numbers(claim);
    g_autoptr(GArray) there = read_numbers(quote);
    for (guint i = 0; i < said->len; i++) {
        const number *n = &g_array_index(said, number, i);
        gboolean ok = FALSE;
        for (guint j = 0; j < there->len && !ok; j++)
            ok = agrees(n, &g_array_index(there, number, j));
        if (ok) continue;
        if (missing != NULL) *missing = g_strndup(n->at, n->len);
        return FALSE;
    }
    return TRUE;
}
