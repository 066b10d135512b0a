/* Regular expressions (ECMA-262's, as JSON Schema has them) to nodes.
 *
 * Read are characters, classes, groups, alternatives, repetitions and the usual escapes. ^ and $ stand at the ends of
 * the whole expression's alternatives; where one is missing, anything may stand there, for JSON Schema searches.
 * Look-around, back references, \b and \p are refused. */
#include "engine/json_schema.h"

#include <string.h>

enum { MAX_GROUPS = 60 };

/* A node and how many characters it matches. */
typedef struct {
    grammar_node node;
    uint64_t min, max; /* max >= GRAMMAR_UNLIMITED: no bound */
} piece;

typedef struct {
    grammar_build *build;
    const char *p;
    guint nesting;
    uint32_t min, max; /* what the whole is to keep, if it is one repeated character */
    GError **error;
} pattern_reader;

static gboolean
fail(pattern_reader *r, engine_error_code code, const char *what)
{
    if (!*r->error) g_set_error(r->error, ENGINE_ERROR, (gint)code, "pattern: %s", what);
    return FALSE;
}

static uint64_t
bounded(uint64_t n)
{
    return MIN(n, (uint64_t)GRAMMAR_UNLIMITED);
}

/* ---- characters ------------------------------------------------------------------------------- */

static const grammar_range DIGITS[] = {{'0', '9'}};
static const grammar_range WORDS[] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
static const grammar_range SPACES[] = {
    {'\t', '\r'},     {' ', ' '},       {0xA0, 0xA0},     {0x1680, 0x1680}, {0x2000, 0x200A},
    {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}, {0xFEFF, 0xFEFF}};
static const grammar_range LINE_ENDS[] = {{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}};

/* Behind a backslash: \d and its like into ranges. */
static gboolean
class_escape(char c, const grammar_range **ranges, size_t *n, gboolean *negated)
{
    *negated = g_ascii_isupper(c);
    switch (g_ascii_tolower(c)) {
    case 'd':
        *ranges = DIGITS, *n = G_N_ELEMENTS(DIGITS);
        return TRUE;
    case 'w':
        *ranges = WORDS, *n = G_N_ELEMENTS(WORDS);
        return TRUE;
    case 's':
        *ranges = SPACES, *n = G_N_ELEMENTS(SPACES);
        return TRUE;
    default:
        return FALSE;
    }
}

static gboolean
read_hex(pattern_reader *r, size_t n, uint32_t *out)
{
    *out = 0;
    for (size_t i = 0; i < n; i++, r->p++) {
        const int digit = g_ascii_xdigit_value(*r->p);
        if (digit < 0) return fail(r, ENGINE_ERROR_FORMAT, "a hexadecimal digit is missing");
        *out = *out * 16 + (uint32_t)digit;
    }
    return TRUE;
}

/* One character, perhaps escaped; not \d and its like. */
static gboolean
read_character(pattern_reader *r, uint32_t *out)
{
    static const char letters[] = "tnrfv", meant[] = "\t\n\r\f\v";
    if (*r->p != '\\') {
        *out = g_utf8_get_char(r->p);
        r->p = g_utf8_next_char(r->p);
        return TRUE;
    }
    const char c = r->p[1];
    const char *letter = c ? strchr(letters, c) : NULL;
    if (c == '\0') return fail(r, ENGINE_ERROR_FORMAT, "it ends behind a backslash");
    if (!letter && c != 'x' && c != 'u' && (g_ascii_isalnum(c) || (c & 0x80)))
        return fail(r, ENGINE_ERROR_UNSUPPORTED, "an escape that is not supported");
    r->p += 2;
    if (c == 'x' || c == 'u') return read_hex(r, c == 'x' ? 2 : 4, out);
    *out = (uint32_t)(letter ? meant[letter - letters] : c);
    return TRUE;
}

/* [...] */
static gboolean
read_class(pattern_reader *r, piece *out)
{
    g_autoptr(GArray) ranges = g_array_new(FALSE, FALSE, sizeof(grammar_range));
    const gboolean negated = r->p[1] == '^';

    for (r->p += negated ? 2 : 1; *r->p != ']';) {
        const grammar_range *known;
        size_t n;
        gboolean complement;
        grammar_range range;
        if (*r->p == '\0') return fail(r, ENGINE_ERROR_FORMAT, "a class is not closed");
        if (*r->p == '\\' && class_escape(r->p[1], &known, &n, &complement)) {
            if (complement)
                return fail(r, ENGINE_ERROR_UNSUPPORTED, "\\D, \\W or \\S inside a class");
            g_array_append_vals(ranges, known, (guint)n);
            r->p += 2;
            continue;
        }
        if (!read_character(r, &range.first)) return FALSE;
        range.last = range.first;
        if (*r->p == '-' && r->p[1] != ']' && r->p[1] != '\0') {
            r->p++;
            if (!read_character(r, &range.last)) return FALSE;
            if (range.last < range.first)
                return fail(r, ENGINE_ERROR_FORMAT, "a range ends before it begins");
        }
        g_array_append_val(ranges, range);
    }
    r->p++;
    *out = (piece){schema_character(r->build, (const grammar_range *)(void *)ranges->data,
                                    ranges->len, negated),
                   1, 1};
    return TRUE;
}

/* ---- structure -------------------------------------------------------------------------------- */

static gboolean read_alternatives(pattern_reader *r, gboolean top, piece *out);

static gboolean
read_group(pattern_reader *r, piece *out)
{
    if (r->nesting++ >= MAX_GROUPS)
        return fail(r, ENGINE_ERROR_LIMIT, "its groups are nested too deeply");
    r->p++;
    if (r->p[0] == '?') {
        if (r->p[1] != ':')
            return fail(r, ENGINE_ERROR_UNSUPPORTED, "look-around and named groups");
        r->p += 2;
    }
    if (!read_alternatives(r, FALSE, out)) return FALSE;
    if (*r->p != ')') return fail(r, ENGINE_ERROR_FORMAT, "a group is not closed");
    r->p++;
    r->nesting--;
    return TRUE;
}

/* *simple: one character, of whatever class. */
static gboolean
read_atom(pattern_reader *r, piece *out, gboolean *simple)
{
    const grammar_range *known;
    size_t n;
    gboolean negated;
    uint32_t c;

    *simple = *r->p != '(';
    if (*r->p == '(') return read_group(r, out);
    if (*r->p == '[') return read_class(r, out);
    if (*r->p == '.') {
        r->p++;
        *out = (piece){schema_character(r->build, LINE_ENDS, G_N_ELEMENTS(LINE_ENDS), TRUE), 1, 1};
        return TRUE;
    }
    if (*r->p == '^' || *r->p == '$')
        return fail(r, ENGINE_ERROR_UNSUPPORTED, "^ and $ other than at its ends");
    if (*r->p == '*' || *r->p == '+' || *r->p == '?')
        return fail(r, ENGINE_ERROR_FORMAT, "there is nothing to repeat");
    if (*r->p == '\\' && class_escape(r->p[1], &known, &n, &negated)) {
        r->p += 2;
        *out = (piece){schema_character(r->build, known, n, negated), 1, 1};
        return TRUE;
    }
    if (!read_character(r, &c)) return FALSE;
    *out = (piece){schema_character(r->build, &(grammar_range){c, c}, 1, FALSE), 1, 1};
    return TRUE;
}

/* {n} {n,} {n,m}; FALSE without error where the brace is an ordinary character. */
static gboolean
read_braces(pattern_reader *r, uint32_t *min, uint32_t *max)
{
    char *end = NULL;
    if (!g_ascii_isdigit(r->p[1])) return FALSE;
    const guint64 least = g_ascii_strtoull(r->p + 1, &end, 10);
    guint64 most = least;
    if (*end == ',') {
        most = GRAMMAR_UNLIMITED;
        end++;
        if (g_ascii_isdigit(*end)) {
            most = g_ascii_strtoull(end, &end, 10);
            most = MIN(most, (guint64)1000000000);
        }
    }
    if (*end != '}') return FALSE;
    r->p = end + 1;
    *min = (uint32_t)MIN(least, (guint64)1000000000);
    *max = (uint32_t)MIN(most, (guint64)GRAMMAR_UNLIMITED);
    return TRUE;
}

static gboolean
read_quantifier(pattern_reader *r, uint32_t *min, uint32_t *max)
{
    *min = 0;
    *max = GRAMMAR_UNLIMITED;
    if (*r->p == '*')
        r->p++;
    else if (*r->p == '+')
        r->p++, *min = 1;
    else if (*r->p == '?')
        r->p++, *max = 1;
    else if (*r->p != '{' || !read_braces(r, min, max))
        return FALSE;
    if (*r->p == '?') r->p++; /* how greedy it is makes no difference to what it matches */
    return TRUE;
}

/* The whole expression is one character, repeated: then lengths can be kept by the repetition. */
static void
keep_length(const pattern_reader *r, uint32_t *min, uint32_t *max)
{
    *min = MAX(*min, r->min);
    *max = MIN(*max, r->max);
}

static gboolean
read_sequence(pattern_reader *r, gboolean top, piece *out)
{
    g_autoptr(GArray) nodes = g_array_new(FALSE, FALSE, sizeof(grammar_node));
    piece total = {0, 0, 0};
    const gboolean anchored = top && *r->p == '^';
    gboolean closed = FALSE;
    const grammar_node anything =
        grammar_repeat(r->build, schema_character(r->build, NULL, 0, TRUE), 0, GRAMMAR_UNLIMITED);

    if (anchored) r->p++;
    if (top && !anchored) g_array_append_val(nodes, anything);
    const char *const first = r->p;
    while (*r->p && *r->p != '|' && *r->p != ')') {
        piece next;
        uint32_t min = 1, max = 1;
        gboolean simple;
        if (top && *r->p == '$' && (r->p[1] == '\0' || r->p[1] == '|')) {
            r->p++;
            closed = TRUE;
            break;
        }
        const char *const start = r->p;
        if (!read_atom(r, &next, &simple)) return FALSE;
        if (read_quantifier(r, &min, &max)) {
            if (min > max)
                return fail(r, ENGINE_ERROR_FORMAT, "a repetition ends before it begins");
            if (simple && anchored && start == first && strcmp(r->p, "$") == 0)
                keep_length(r, &min, &max);
            next.node = min > max ? grammar_class(r->build, NULL, 0, FALSE)
                                  : grammar_repeat(r->build, next.node, min, max);
            next.max = next.max == 0              ? 0
                       : max == GRAMMAR_UNLIMITED ? GRAMMAR_UNLIMITED
                                                  : bounded(next.max * max);
            next.min = bounded(next.min * min);
        }
        g_array_append_val(nodes, next.node);
        total.min = bounded(total.min + next.min);
        total.max = bounded(total.max + next.max);
        if (grammar_is_full(r->build)) return fail(r, ENGINE_ERROR_LIMIT, "it is too large");
    }
    if (top && !closed) g_array_append_val(nodes, anything);
    if (top && !(anchored && closed)) total.max = GRAMMAR_UNLIMITED;
    total.node = nodes->len > 0
                     ? grammar_seq(r->build, (const grammar_node *)(void *)nodes->data, nodes->len)
                     : grammar_empty(r->build);
    *out = total;
    return TRUE;
}

static gboolean
read_alternatives(pattern_reader *r, gboolean top, piece *out)
{
    g_autoptr(GArray) nodes = g_array_new(FALSE, FALSE, sizeof(grammar_node));
    piece total = {0, GRAMMAR_UNLIMITED, 0};
    for (;;) {
        piece next;
        if (!read_sequence(r, top, &next)) return FALSE;
        g_array_append_val(nodes, next.node);
        total.min = MIN(total.min, next.min);
        total.max = MAX(total.max, next.max);
        if (*r->p != '|') break;
        r->p++;
    }
    total.node = grammar_alt(r->build, (const grammar_node *)(void *)nodes->data, nodes->len);
    *out = total;
    return TRUE;
}

gboolean
json_schema_pattern(grammar_build *build, const char *pattern, grammar_node *out, uint32_t *min,
                    uint32_t *max, GError **error)
{
    GError *cause = NULL;
    pattern_reader r = {.build = build, .p = pattern, .min = *min, .max = *max, .error = &cause};
    piece whole = {0, 0, 0};
    if (read_alternatives(&r, TRUE, &whole) && *r.p)
        fail(&r, ENGINE_ERROR_FORMAT, "a group is closed that was not opened");
    if (cause) {
        g_propagate_error(error, cause);
        return FALSE;
    }
    *out = whole.node;
    *min = (uint32_t)whole.min;
    *max = (uint32_t)whole.max;
    return TRUE;
}
