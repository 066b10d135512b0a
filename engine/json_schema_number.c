/* Numbers between bounds, digit by digit.
 *
 * Which digits may stand at a place depends on whether those before it are still those of the lower bound, of the
 * upper one, of both or of neither; that is all the state there is. */
#include "engine/json_schema.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { DIGITS = 15 };

/* Digits of a bound behind the point, without zeros at the end; whole part without zeros in front. */
typedef struct {
    char whole[32], fraction[32];
    gboolean strict; /* the bound itself is out */
} decimal;

static grammar_node
digits(schema_reader *r, uint32_t min, uint32_t max)
{
    return grammar_repeat(r->build, r->digit, min, max);
}

static grammar_node
digit_class(schema_reader *r, int from, int to)
{
    const grammar_range range = {(uint32_t)('0' + from), (uint32_t)('0' + to)};
    return grammar_class(r->build, &range, 1, FALSE);
}

/* The rest of a whole number from digit i on, of the same length as both bounds; NULL: no bound any more. */
static grammar_node
same_length(schema_reader *r, const char *low, const char *high, size_t left)
{
    grammar_node nodes[3];
    size_t n = 0;

    if (left == 0) return grammar_empty(r->build);
    if (!low && !high) return digits(r, (uint32_t)left, (uint32_t)left);
    const int from = low ? *low - '0' : 0, to = high ? *high - '0' : 9;
    if (from == to && low && high)
        return schema_seq(r, 2, digit_class(r, from, to),
                          same_length(r, low + 1, high + 1, left - 1));
    const int inner_from = low ? from + 1 : from, inner_to = high ? to - 1 : to;
    if (low)
        nodes[n++] =
            schema_seq(r, 2, digit_class(r, from, from), same_length(r, low + 1, NULL, left - 1));
    if (inner_from <= inner_to)
        nodes[n++] = schema_seq(r, 2, digit_class(r, inner_from, inner_to),
                                same_length(r, NULL, NULL, left - 1));
    if (high)
        nodes[n++] =
            schema_seq(r, 2, digit_class(r, to, to), same_length(r, NULL, high + 1, left - 1));
    return grammar_alt(r->build, nodes, n);
}

/* Whole numbers from low to high, both at least 0; dead when there are none. */
static grammar_node
natural(schema_reader *r, int64_t low, int64_t high)
{
    grammar_node nodes[20];
    size_t n = 0;
    int64_t first = 0, last = 9;

    for (size_t length = 1; length <= 19 && first <= high; length++) {
        char a[24], b[24];
        const int64_t from = MAX(low, first), to = MIN(high, last);
        if (from <= to) {
            g_snprintf(a, sizeof a, "%" G_GINT64_FORMAT, from);
            g_snprintf(b, sizeof b, "%" G_GINT64_FORMAT, to);
            nodes[n++] = same_length(r, a, b, length);
        }
        if (length == 18) break;
        first = last + 1;
        last = last * 10 + 9;
    }
    return n > 0 ? grammar_alt(r->build, nodes, n) : r->dead;
}

static grammar_node
whole_between(schema_reader *r, int64_t low, int64_t high)
{
    const grammar_node minus = schema_text(r, "-");
    grammar_node nodes[2];
    size_t n = 0;
    if (low < 0) nodes[n++] = schema_seq(r, 2, minus, natural(r, MAX(-high, 1), -low));
    if (high >= 0) nodes[n++] = natural(r, MAX(low, 0), high);
    return n > 0 ? grammar_alt(r->build, nodes, n) : r->dead;
}

/* ---- fractions -------------------------------------------------------------------------------- */

static gboolean
only_zeros(const char *s)
{
    return s[strspn(s, "0")] == '\0';
}

static int
digit_at(const char *s, size_t i)
{
    return i < strlen(s) ? s[i] - '0' : 0;
}

/* May the number end before digit i, its digits so far being those of the bounds given? */
static gboolean
may_end(const decimal *low, const decimal *high, size_t i)
{
    const char *rest_low = low ? low->fraction + MIN(i, strlen(low->fraction)) : "";
    const char *rest_high = high ? high->fraction + MIN(i, strlen(high->fraction)) : "";
    if (low && (!only_zeros(rest_low) || low->strict)) return FALSE;
    return !high || !only_zeros(rest_high) || !high->strict;
}

/* Digit i and those behind it; low and high are those bounds that all before it agree with. */
static grammar_node
fraction(schema_reader *r, const decimal *low, const decimal *high, size_t i)
{
    grammar_node nodes[4];
    size_t n = 0;
    const size_t left = i < DIGITS ? DIGITS - i : 0;

    if (left == 0) return may_end(low, high, i) ? grammar_empty(r->build) : r->dead;
    if (!low && !high) return digits(r, 0, (uint32_t)left);
    if (may_end(low, high, i)) nodes[n++] = grammar_empty(r->build);
    const int from = low ? digit_at(low->fraction, i) : 0;
    const int to = high ? digit_at(high->fraction, i) : 9;
    if (low && high && from == to) {
        nodes[n++] = schema_seq(r, 2, digit_class(r, from, to), fraction(r, low, high, i + 1));
        return grammar_alt(r->build, nodes, n);
    }
    if (from > to) return n > 0 ? nodes[0] : r->dead;
    const int inner_from = low ? from + 1 : from, inner_to = high ? to - 1 : to;
    if (low)
        nodes[n++] = schema_seq(r, 2, digit_class(r, from, from), fraction(r, low, NULL, i + 1));
    if (inner_from <= inner_to)
        nodes[n++] =
            schema_seq(r, 2, digit_class(r, inner_from, inner_to), fraction(r, NULL, NULL, i + 1));
    if (high) nodes[n++] = schema_seq(r, 2, digit_class(r, to, to), fraction(r, NULL, high, i + 1));
    return grammar_alt(r->build, nodes, n);
}

/* ".digits" or nothing. */
static grammar_node
tail(schema_reader *r, const decimal *low, const decimal *high)
{
    /* at least one digit behind the point: the first one, then what follows it */
    grammar_node nodes[11];
    size_t n = 0;
    for (int d = 0; d <= 9; d++) {
        const int from = low ? digit_at(low->fraction, 0) : 0;
        const int to = high ? digit_at(high->fraction, 0) : 9;
        if (d < from || d > to) continue;
        nodes[n++] = schema_seq(
            r, 3, schema_text(r, "."), digit_class(r, d, d),
            fraction(r, low && d == from ? low : NULL, high && d == to ? high : NULL, 1));
    }
    if (may_end(low, high, 0)) nodes[n++] = grammar_empty(r->build);
    return n > 0 ? grammar_alt(r->build, nodes, n) : r->dead;
}

/* Numbers from low to high, both at least 0; high NULL: no bound. */
static grammar_node
magnitude(schema_reader *r, const decimal *low, const decimal *high)
{
    const int64_t most = 999999999999999;
    const int64_t a = g_ascii_strtoll(low->whole, NULL, 10);
    const int64_t b = high ? g_ascii_strtoll(high->whole, NULL, 10) : most;
    const int64_t inner = high ? b - 1 : b;
    grammar_node nodes[3];
    size_t n = 0;

    if (a > b) return r->dead;
    if (high && a == b) return schema_seq(r, 2, schema_text(r, low->whole), tail(r, low, high));
    nodes[n++] = schema_seq(r, 2, schema_text(r, low->whole), tail(r, low, NULL));
    if (a + 1 <= inner)
        nodes[n++] = schema_seq(r, 2, natural(r, a + 1, inner), tail(r, NULL, NULL));
    if (high) nodes[n++] = schema_seq(r, 2, schema_text(r, high->whole), tail(r, NULL, high));
    return grammar_alt(r->build, nodes, n);
}

/* |value| as digits, FALSE where 15 of them do not hold it. */
static gboolean
to_decimal(double value, gboolean strict, decimal *out)
{
    char text[64];
    const double size = fabs(value);
    *out = (decimal){.strict = strict};
    if (!(size < 1e15)) return FALSE;
    for (int places = 0; places <= DIGITS; places++) {
        g_snprintf(text, sizeof text, "%.*f", places, size);
        if (g_ascii_strtod(text, NULL) == size) break;
        if (places == DIGITS) return FALSE;
    }
    char *point = strchr(text, '.');
    if (point) {
        *point = '\0';
        g_strlcpy(out->fraction, point + 1, sizeof out->fraction);
        for (size_t n = strlen(out->fraction); n > 0 && out->fraction[n - 1] == '0'; n--)
            out->fraction[n - 1] = '\0';
    }
    g_strlcpy(out->whole, text, sizeof out->whole);
    return TRUE;
}

/* ---- keywords --------------------------------------------------------------------------------- */

typedef struct {
    double value;
    gboolean given, strict;
} bound;

static gboolean
read_bound(schema_reader *r, const json_t *schema, const char *key, const char *strict_key,
           double sign, bound *out)
{
    const json_t *plain = json_object_get(schema, key),
                 *strict = json_object_get(schema, strict_key);
    *out = (bound){0.0, FALSE, FALSE};
    if (plain && !json_is_number(plain))
        return schema_fail(r, ENGINE_ERROR_FORMAT, "%s is not a number", key);
    if (plain) *out = (bound){json_number_value(plain), TRUE, FALSE};
    if (json_is_boolean(strict)) { /* until draft 4 */
        out->strict = json_is_true(strict);
        return TRUE;
    }
    if (!strict) return TRUE;
    if (!json_is_number(strict))
        return schema_fail(r, ENGINE_ERROR_FORMAT, "%s is not a number", strict_key);
    const double value = json_number_value(strict);
    if (!out->given || sign * value >= sign * out->value) *out = (bound){value, TRUE, TRUE};
    return TRUE;
}

static gboolean
read_integer(schema_reader *r, const bound *low, const bound *high, grammar_node *out)
{
    const double limit = 1e17;
    int64_t from = -999999999999999, to = 999999999999999;
    if ((low->given && fabs(low->value) > limit) || (high->given && fabs(high->value) > limit))
        return schema_fail(r, ENGINE_ERROR_UNSUPPORTED, "a bound has more than 17 digits");
    if (low->given) {
        from = (int64_t)ceil(low->value);
        if (low->strict && (double)from == low->value) from++;
        to = MAX(to, from);
    }
    if (high->given) {
        to = (int64_t)floor(high->value);
        if (high->strict && (double)to == high->value) to--;
        if (!low->given) from = MIN(from, to);
    }
    *out = from <= to ? whole_between(r, from, to) : r->dead;
    return TRUE;
}

static gboolean
read_real(schema_reader *r, const bound *low, const bound *high, grammar_node *out)
{
    const decimal zero = {.whole = "0"};
    const decimal positive = {.whole = "0", .strict = TRUE};
    decimal a, b;
    grammar_node nodes[2];
    size_t n = 0;

    if ((low->given && !to_decimal(low->value, low->strict, &a)) ||
        (high->given && !to_decimal(high->value, high->strict, &b)))
        return schema_fail(r, ENGINE_ERROR_UNSUPPORTED, "a bound has more than 15 digits");
    if (low->given && high->given && low->value > high->value) {
        *out = r->dead;
        return TRUE;
    }
    if (!low->given || low->value < 0.0) {
        /* -x is at least low: x is at most |low| */
        const decimal *nearest = high->given && high->value < 0.0 ? &b : &positive;
        nodes[n++] =
            schema_seq(r, 2, schema_text(r, "-"), magnitude(r, nearest, low->given ? &a : NULL));
    }
    if (!high->given || high->value >= 0.0)
        nodes[n++] =
            magnitude(r, low->given && low->value >= 0.0 ? &a : &zero, high->given ? &b : NULL);
    *out = n > 0 ? grammar_alt(r->build, nodes, n) : r->dead;
    return TRUE;
}

/* -?(0|[1-9]digits), with a fraction and an exponent. */
static grammar_node
any_number(schema_reader *r)
{
    const grammar_range signs[] = {{'+', '+'}, {'-', '-'}}, e[] = {{'e', 'e'}, {'E', 'E'}};
    const grammar_node point = schema_seq(r, 2, schema_text(r, "."), digits(r, 1, DIGITS));
    const grammar_node exponent = schema_seq(
        r, 3, grammar_class(r->build, e, 2, FALSE),
        grammar_repeat(r->build, grammar_class(r->build, signs, 2, FALSE), 0, 1), digits(r, 1, 2));
    const grammar_node whole =
        schema_alt(r, 2, schema_text(r, "0"),
                   schema_seq(r, 2, digit_class(r, 1, 9), digits(r, 0, DIGITS - 1)));
    return schema_seq(r, 4, grammar_repeat(r->build, schema_text(r, "-"), 0, 1), whole,
                      grammar_repeat(r->build, point, 0, 1),
                      grammar_repeat(r->build, exponent, 0, 1));
}

gboolean
schema_number(schema_reader *r, const json_t *schema, gboolean integer, grammar_node *out)
{
    const json_t *multiple = json_object_get(schema, "multipleOf");
    bound low, high;

    if (multiple && json_number_value(multiple) != 1.0)
        return schema_fail(r, ENGINE_ERROR_UNSUPPORTED, "multipleOf other than 1 is not supported");
    if (multiple) integer = TRUE;
    if (!read_bound(r, schema, "minimum", "exclusiveMinimum", 1.0, &low) ||
        !read_bound(r, schema, "maximum", "exclusiveMaximum", -1.0, &high))
        return FALSE;
    gboolean good = TRUE;
    if (integer)
        good = read_integer(r, &low, &high, out);
    else if (low.given || high.given)
        good = read_real(r, &low, &high, out);
    else
        *out = any_number(r);
    if (good) *out = schema_as_rule(r, "number", *out);
    return good;
}
