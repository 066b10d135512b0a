/* Strings: characters inside quotes, lengths, formats. */
#include "engine/json_schema.h"

#include <string.h>

static grammar_node
literal(grammar_build *b, const char *text)
{
    return grammar_text(b, text, strlen(text));
}

static grammar_node
one_of(grammar_build *b, const char *set)
{
    grammar_range ranges[32];
    size_t n = 0;
    for (; *set && n < G_N_ELEMENTS(ranges); set++)
        ranges[n++] = (grammar_range){(uint8_t)*set, (uint8_t)*set};
    return grammar_class(b, ranges, n, FALSE);
}

static gboolean
is_inside(const grammar_range *ranges, size_t n, uint32_t c)
{
    for (size_t i = 0; i < n; i++)
        if (c >= ranges[i].first && c <= ranges[i].last) return TRUE;
    return FALSE;
}

/* Characters that JSON does not take as they are, each in its one short spelling. NUL is left out: it has no place
 * in the strings of C, whose parsers refuse it. */
grammar_node
schema_character(grammar_build *b, const grammar_range *ranges, size_t n, gboolean negated)
{
    static const char shorts[] = "\b\f\n\r\t\"\\", names[] = "bfnrt\"\\";
    g_autoptr(GArray) plain = g_array_new(FALSE, FALSE, sizeof(grammar_range));
    g_autoptr(GArray) nodes = g_array_new(FALSE, FALSE, sizeof(grammar_node));
    const grammar_range quoted[] = {{0, 0x1F}, {'"', '"'}, {'\\', '\\'}};
    char letters[8] = "";
    size_t n_letters = 0;

    /* the class without those: everything else negated, or cut out of each range */
    if (negated) {
        g_array_append_vals(plain, ranges, (guint)n);
        g_array_append_vals(plain, quoted, G_N_ELEMENTS(quoted));
    }
    for (size_t i = 0; i < n && !negated; i++) {
        uint32_t at = MAX(ranges[i].first, 0x20);
        for (size_t k = 1; k < G_N_ELEMENTS(quoted); k++) {
            if (quoted[k].first < at || quoted[k].first > ranges[i].last) continue;
            const grammar_range before = {at, quoted[k].first - 1};
            if (before.first <= before.last) g_array_append_val(plain, before);
            at = quoted[k].first + 1;
        }
        const grammar_range rest = {at, ranges[i].last};
        if (rest.first <= rest.last) g_array_append_val(plain, rest);
    }
    grammar_node node =
        grammar_class(b, (const grammar_range *)(void *)plain->data, plain->len, negated);
    if (negated || plain->len > 0) g_array_append_val(nodes, node);
    for (size_t i = 0; shorts[i]; i++)
        if (is_inside(ranges, n, (uint8_t)shorts[i]) != negated) letters[n_letters++] = names[i];
    letters[n_letters] = '\0';
    if (n_letters > 0) {
        node = grammar_seq(b, (const grammar_node[]){literal(b, "\\"), one_of(b, letters)}, 2);
        g_array_append_val(nodes, node);
    }
    for (uint32_t c = 1; c < 0x20 && !negated; c++) {
        char text[8];
        if (strchr(shorts, (int)c) || !is_inside(ranges, n, c)) continue;
        g_snprintf(text, sizeof text, "\\u%04x", c);
        node = literal(b, text);
        g_array_append_val(nodes, node);
    }
    return nodes->len > 0 ? grammar_alt(b, (const grammar_node *)(void *)nodes->data, nodes->len)
                          : grammar_class(b, NULL, 0, FALSE);
}

/* Any character in any spelling, but for NUL and halves of surrogate pairs; a pair is one character. No spelling is
 * the beginning of another one, so a matcher may count them. */
grammar_node
schema_any_character(grammar_build *b)
{
    static const grammar_range quoted[] = {{0, 0x1F}, {'"', '"'}, {'\\', '\\'}};
    const grammar_node hex = one_of(b, "0123456789abcdefABCDEF");
    const grammar_node nonzero = one_of(b, "123456789abcdefABCDEF");
    const grammar_node high =
        grammar_seq(b,
                    (const grammar_node[]){one_of(b, "89abAB"), hex, hex, literal(b, "\\u"),
                                           one_of(b, "dD"), one_of(b, "cdefCDEF"), hex, hex},
                    8);
    const grammar_node low =
        grammar_seq(b, (const grammar_node[]){one_of(b, "01234567"), hex, hex}, 3);
    const grammar_node d =
        grammar_seq(b,
                    (const grammar_node[]){one_of(b, "dD"),
                                           grammar_alt(b, (const grammar_node[]){high, low}, 2)},
                    2);
    grammar_node zeros = literal(b, "0");
    zeros = grammar_seq(b, (const grammar_node[]){zeros, nonzero}, 2);
    for (int left = 1; left <= 2; left++) { /* 000x, 00xx, 0xxx with x not 0 */
        const grammar_node more = grammar_seq(
            b,
            (const grammar_node[]){nonzero, grammar_repeat(b, hex, (uint32_t)left, (uint32_t)left)},
            2);
        zeros = grammar_seq(
            b,
            (const grammar_node[]){literal(b, "0"),
                                   grammar_alt(b, (const grammar_node[]){zeros, more}, 2)},
            2);
    }
    const grammar_node other =
        grammar_seq(b, (const grammar_node[]){one_of(b, "123456789abcefABCEF"), hex, hex, hex}, 4);
    const grammar_node unit = grammar_seq(
        b,
        (const grammar_node[]){literal(b, "u"),
                               grammar_alt(b, (const grammar_node[]){d, zeros, other}, 3)},
        2);
    const grammar_node escape =
        grammar_seq(b,
                    (const grammar_node[]){
                        literal(b, "\\"),
                        grammar_alt(b, (const grammar_node[]){one_of(b, "bfnrt\"\\/"), unit}, 2)},
                    2);
    return grammar_alt(
        b, (const grammar_node[]){grammar_class(b, quoted, G_N_ELEMENTS(quoted), TRUE), escape}, 2);
}

/* ---- keys ------------------------------------------------------------------------------------- */

/* Names that begin with the same `at` bytes, and differ behind them: characters that lead to none of them end the
 * comparison. Keys are written without escapes, so a name has one spelling. */
static grammar_node
other_than(schema_reader *r, GPtrArray *names, size_t at)
{
    const grammar_range quoted[] = {{0, 0x1F}, {'"', '"'}, {'\\', '\\'}};
    g_autoptr(GArray) nodes = g_array_new(FALSE, FALSE, sizeof(grammar_node));
    g_autoptr(GArray) taken = g_array_new(FALSE, FALSE, sizeof(grammar_range));
    gboolean ends_here = FALSE;
    grammar_node node;

    g_array_append_vals(taken, quoted, G_N_ELEMENTS(quoted));
    const grammar_node any = grammar_class(r->build, quoted, G_N_ELEMENTS(quoted), TRUE);
    for (guint i = 0; i < names->len; i++) {
        const char *name = (const char *)names->pdata[i] + at;
        if (*name == '\0') {
            ends_here = TRUE;
            continue;
        }
        const gunichar c = g_utf8_get_char(name);
        const grammar_range own = {c, c};
        if (is_inside((const grammar_range *)(void *)taken->data, taken->len, c)) continue;
        g_array_append_val(taken, own);
        g_autoptr(GPtrArray) same = g_ptr_array_new();
        for (guint k = i; k < names->len; k++) {
            const char *other = (const char *)names->pdata[k] + at;
            if (*other && g_utf8_get_char(other) == c) g_ptr_array_add(same, names->pdata[k]);
        }
        const size_t len = (size_t)(g_utf8_next_char(name) - name);
        const grammar_node rest = other_than(r, same, at + len);
        node = schema_seq(r, 2, grammar_text(r->build, name, len), rest);
        g_array_append_val(nodes, node);
    }
    const grammar_node free =
        grammar_class(r->build, (const grammar_range *)(void *)taken->data, taken->len, TRUE);
    node = schema_seq(r, 2, free, grammar_repeat(r->build, any, 0, GRAMMAR_UNLIMITED));
    g_array_append_val(nodes, node);
    if (!ends_here) {
        node = grammar_empty(r->build);
        g_array_append_val(nodes, node);
    }
    /* a rule for each: long names nest no deeper than short ones */
    return schema_as_rule(
        r, "key", grammar_alt(r->build, (const grammar_node *)(void *)nodes->data, nodes->len));
}

grammar_node
schema_other_key(schema_reader *r, const char *const *names, size_t n)
{
    g_autoptr(GPtrArray) list = g_ptr_array_new();
    for (size_t i = 0; i < n; i++)
        if (g_utf8_strlen(names[i], -1) <= 200) g_ptr_array_add(list, (gpointer)names[i]);
    const grammar_node quote = schema_text(r, "\"");
    if (list->len < n) return r->dead; /* nobody has such names; then no further ones are written */
    return schema_seq(r, 3, quote, other_than(r, list, 0), quote);
}

/* ---- formats ---------------------------------------------------------------------------------- */

#define DAYS                                                                                       \
    "([0-9]{2}(0[48]|[2468][048]|[13579][26])-02-29|"                                              \
    "[0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|"       \
    "02-(0[1-9]|1[0-9]|2[0-8])))"
#define TIME                                                                                       \
    "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,6})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9]" \
    ")"
#define LABEL "[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?"
#define BYTE  "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"

static const struct {
    const char *name, *pattern;
} FORMATS[] = {
    {"date", "^" DAYS "$"},
    {"time", "^" TIME "$"},
    {"date-time", "^" DAYS "T" TIME "$"},
    {"uuid", "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"},
    {"email", "^[a-z0-9]([a-z0-9_+-]{0,30})(\\.[a-z0-9_+-]{1,20}){0,3}@" LABEL "(\\." LABEL
              "){0,3}\\.[a-z]{2,10}$"},
    {"hostname", "^" LABEL "(\\." LABEL "){0,5}$"},
    {"ipv4", "^" BYTE "\\." BYTE "\\." BYTE "\\." BYTE "$"},
    {"uri",
     "^https?://" LABEL "(\\." LABEL "){0,4}(:[1-9][0-9]{1,3})?(/[A-Za-z0-9._~-]{0,60}){0,10}"
     "(\\?[A-Za-z0-9._~=&-]{1,200})?(#[A-Za-z0-9._~-]{1,100})?$"},
};

static const char *
format_pattern(const char *name)
{
    if (strcmp(name, "url") == 0) name = "uri";
    for (size_t i = 0; i < G_N_ELEMENTS(FORMATS); i++)
        if (strcmp(FORMATS[i].name, name) == 0) return FORMATS[i].pattern;
    return NULL;
}

/* ---- the keyword's meaning -------------------------------------------------------------------- */

static gboolean
read_pattern(schema_reader *r, const char *pattern, uint32_t *min, uint32_t *max, grammar_node *out)
{
    g_autoptr(GError) cause = NULL;
    return json_schema_pattern(r->build, pattern, out, min, max, &cause) ||
           schema_fail(r, (engine_error_code)cause->code, "%s", cause->message);
}

gboolean
schema_pattern_text(schema_reader *r, const char *pattern, grammar_node *out)
{
    uint32_t min = 0, max = GRAMMAR_UNLIMITED;
    return read_pattern(r, pattern, &min, &max, out);
}

gboolean
schema_combine(schema_reader *r, GArray *all, GArray *none, grammar_node *out, gboolean *is_empty)
{
    return grammar_combine(r->build, (const grammar_node *)(void *)all->data, all->len,
                           (const grammar_node *)(void *)none->data, none->len, out, is_empty) ||
           schema_fail(r, ENGINE_ERROR_LIMIT, "its patterns and lengths together are too large");
}

static gboolean
append_patterns(schema_reader *r, const json_t *list, GArray *out)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *pattern = json_string_value(json_array_get(list, i));
        grammar_node node;
        if (!pattern) return schema_fail(r, ENGINE_ERROR_FORMAT, "pattern is not a string");
        if (!schema_pattern_text(r, pattern, &node)) return FALSE;
        g_array_append_val(out, node);
    }
    return TRUE;
}

/* Strings that the schema refuses by name. */
static gboolean
append_refused(schema_reader *r, const json_t *values, GArray *out)
{
    g_autoptr(GArray) nodes = g_array_new(FALSE, FALSE, sizeof(grammar_node));
    for (size_t i = 0; i < json_array_size(values); i++) {
        if (!json_is_string(json_array_get(values, i))) continue;
        const char *text = json_string_value(json_array_get(values, i));
        g_autoptr(GArray) letters = g_array_new(FALSE, FALSE, sizeof(grammar_node));
        for (const char *p = text; *p; p = g_utf8_next_char(p)) {
            const gunichar c = g_utf8_get_char(p);
            const grammar_node letter =
                schema_character(r->build, &(grammar_range){c, c}, 1, FALSE);
            g_array_append_val(letters, letter);
        }
        const grammar_node node =
            grammar_seq(r->build, (const grammar_node *)(void *)letters->data, letters->len);
        g_array_append_val(nodes, node);
    }
    if (nodes->len == 0) return TRUE;
    const grammar_node any =
        grammar_alt(r->build, (const grammar_node *)(void *)nodes->data, nodes->len);
    g_array_append_val(out, any);
    return TRUE;
}

/* What a schema says of strings, the lengths aside. */
typedef struct {
    const char *first;  /* its pattern or its format's, NULL: none */
    const json_t *more; /* patterns */
    const json_t *refused_patterns, *refused_values;
    const char *format; /* the format's pattern beside a pattern */
    uint32_t min, max;
} string_rules;

static gboolean
read_rules(schema_reader *r, const json_t *schema, string_rules *out)
{
    const json_t *pattern = json_object_get(schema, "pattern");
    const json_t *format = json_object_get(schema, "format");

    *out = (string_rules){.more = json_object_get(schema, SCHEMA_PATTERNS),
                          .refused_patterns = json_object_get(schema, SCHEMA_NOT_PATTERN),
                          .refused_values = json_object_get(schema, SCHEMA_NOT_ENUM),
                          .max = GRAMMAR_UNLIMITED};
    if (!schema_count(r, schema, "minLength", &out->min) ||
        !schema_count(r, schema, "maxLength", &out->max))
        return FALSE;
    if (pattern && !json_is_string(pattern))
        return schema_fail(r, ENGINE_ERROR_FORMAT, "pattern is not a string");
    if (format) {
        out->format = json_is_string(format) ? format_pattern(json_string_value(format)) : NULL;
        if (!out->format)
            return schema_fail(r, ENGINE_ERROR_UNSUPPORTED, "the format %.40s is not supported",
                               json_is_string(format) ? json_string_value(format) : "");
    }
    out->first = pattern ? json_string_value(pattern) : NULL;
    if (!out->first) {
        out->first = out->format;
        out->format = NULL;
    }
    return TRUE;
}

/* All of the rules at once; lengths: those that no operand keeps already. */
static gboolean
combine_rules(schema_reader *r, const string_rules *rules, gboolean keep_lengths, grammar_node *out)
{
    g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(grammar_node));
    g_autoptr(GArray) none = g_array_new(FALSE, FALSE, sizeof(grammar_node));
    grammar_node node = grammar_repeat(r->build, schema_character(r->build, NULL, 0, TRUE),
                                       keep_lengths ? rules->min : 0,
                                       keep_lengths ? rules->max : GRAMMAR_UNLIMITED);
    gboolean is_empty;

    g_array_append_val(all, node);
    if (rules->first) {
        if (!schema_pattern_text(r, rules->first, &node)) return FALSE;
        g_array_append_val(all, node);
    }
    if (rules->format) {
        if (!schema_pattern_text(r, rules->format, &node)) return FALSE;
        g_array_append_val(all, node);
    }
    return append_patterns(r, rules->more, all) &&
           append_patterns(r, rules->refused_patterns, none) &&
           append_refused(r, rules->refused_values, none) &&
           schema_combine(r, all, none, out, &is_empty);
}

gboolean
schema_string_text(schema_reader *r, const json_t *schema, grammar_node *out)
{
    string_rules rules;
    if (!read_rules(r, schema, &rules)) return FALSE;
    if (rules.min > rules.max) {
        *out = r->dead;
        return TRUE;
    }
    return combine_rules(r, &rules, TRUE, out);
}

static gboolean
refuses_strings(const string_rules *rules)
{
    for (size_t i = 0; i < json_array_size(rules->refused_values); i++)
        if (json_is_string(json_array_get(rules->refused_values, i))) return TRUE;
    return rules->refused_patterns != NULL;
}

gboolean
schema_string(schema_reader *r, const json_t *schema, grammar_node *out)
{
    string_rules rules;
    grammar_node text;

    if (!read_rules(r, schema, &rules)) return FALSE;
    if (rules.min > rules.max) {
        *out = r->dead;
        return TRUE;
    }
    const gboolean one = rules.first && !rules.format && !rules.more && !refuses_strings(&rules);
    if (one) {
        uint32_t least = rules.min, most = rules.max;
        if (!read_pattern(r, rules.first, &least, &most, &text)) return FALSE;
        if ((least < rules.min || most > rules.max) && !combine_rules(r, &rules, TRUE, &text))
            return FALSE;
    } else if (rules.first || rules.more || refuses_strings(&rules)) {
        const gboolean lengths = rules.min > 0 || rules.max != GRAMMAR_UNLIMITED;
        if (!combine_rules(r, &rules, lengths, &text)) return FALSE;
    } else {
        text = grammar_repeat(r->build, r->character, rules.min, rules.max);
    }
    const grammar_node quote = schema_text(r, "\"");
    *out = schema_seq(r, 3, quote, text, quote);
    if (rules.min == 0 && rules.max == GRAMMAR_UNLIMITED) *out = schema_as_rule(r, "string", *out);
    return TRUE;
}
