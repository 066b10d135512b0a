/* Reading the notation of engine/grammar.h. White space, line ends among it, only separates: a name that ::= stands
 * behind begins a rule. */
#include "engine/grammar.h"

#include <string.h>

enum { MAX_NESTING = 100 };

typedef struct {
    const char *start, *p;
    grammar_build *build;
    GHashTable *rules; /* name -> rule + 1 */
    guint nesting;
    GError **error;
} reader;

static gboolean
fail(reader *r, const char *what)
{
    guint line = 1;
    const char *begin = r->start;
    for (const char *s = r->start; s < r->p; s++)
        if (*s == '\n') line++, begin = s + 1;
    if (r->error && !*r->error)
        g_set_error(r->error, ENGINE_ERROR, ENGINE_ERROR_FORMAT, "grammar: line %u, column %ld: %s",
                    line, (long)(r->p - begin) + 1, what);
    return FALSE;
}

static void
skip_blank(reader *r)
{
    for (;;) {
        while (*r->p == ' ' || *r->p == '\t' || *r->p == '\n' || *r->p == '\r')
            r->p++;
        if (*r->p != '#') return;
        while (*r->p && *r->p != '\n')
            r->p++;
    }
}

static size_t
name_length(const char *s)
{
    size_t n = 0;
    while (g_ascii_isalnum(s[n]) || s[n] == '_' || s[n] == '-')
        n++;
    return n;
}

/* Is this name the head of a rule? */
static gboolean
at_head(const reader *r)
{
    const size_t n = name_length(r->p);
    const char *s = r->p + n;
    while (*s == ' ' || *s == '\t')
        s++;
    return n > 0 && strncmp(s, "::=", 3) == 0;
}

/* The number of the rule whose name stands here [n]. */
static uint32_t
rule_named(reader *r, size_t n)
{
    g_autofree char *name = g_strndup(r->p, n);
    gpointer known = g_hash_table_lookup(r->rules, name);
    if (!known) {
        known = GUINT_TO_POINTER(grammar_rule(r->build, name) + 1);
        g_hash_table_insert(r->rules, g_steal_pointer(&name), known);
    }
    return GPOINTER_TO_UINT(known) - 1;
}

static gboolean
read_hex(reader *r, size_t n, uint32_t *out)
{
    *out = 0;
    for (size_t i = 0; i < n; i++, r->p++) {
        const int digit = g_ascii_xdigit_value(*r->p);
        if (digit < 0) return fail(r, "a hexadecimal digit is missing");
        *out = *out * 16 + (uint32_t)digit;
    }
    return TRUE;
}

/* One character, perhaps escaped. *byte: it was \xHH, a byte in a text and a character in a class. */
static gboolean
read_character(reader *r, uint32_t *out, gboolean *byte)
{
    *byte = FALSE;
    if (*r->p != '\\') {
        const gunichar c = g_utf8_get_char(r->p);
        r->p = g_utf8_next_char(r->p);
        *out = c;
        return TRUE;
    }
    const char escape = r->p[1];
    if (escape == '\0') return fail(r, "the text ends behind a backslash");
    r->p += 2;
    switch (escape) {
    case 'n':
        *out = '\n';
        return TRUE;
    case 'r':
        *out = '\r';
        return TRUE;
    case 't':
        *out = '\t';
        return TRUE;
    case 'x':
        *byte = TRUE;
        return read_hex(r, 2, out);
    case 'u':
        if (!read_hex(r, 4, out)) return FALSE;
        break;
    case 'U':
        if (!read_hex(r, 8, out)) return FALSE;
        break;
    case '\\':
    case '"':
    case ']':
    case '[':
    case '^':
    case '-':
        *out = (uint32_t)escape;
        return TRUE;
    default:
        r->p -= 2;
        return fail(r, "this escape is unknown");
    }
    return g_unichar_validate(*out) || fail(r, "this is no character");
}

static gboolean
read_text(reader *r, grammar_node *out)
{
    g_autoptr(GString) bytes = g_string_new(NULL);
    for (r->p++; *r->p != '"';) {
        uint32_t c = 0;
        gboolean byte = FALSE;
        if (*r->p == '\0' || *r->p == '\n') return fail(r, "the text is not closed");
        if (!read_character(r, &c, &byte)) return FALSE;
        if (byte)
            g_string_append_c(bytes, (char)c);
        else
            g_string_append_unichar(bytes, c);
    }
    r->p++;
    *out = grammar_text(r->build, bytes->str, bytes->len);
    return TRUE;
}

static gboolean
read_class(reader *r, grammar_node *out)
{
    g_autoptr(GArray) ranges = g_array_new(FALSE, FALSE, sizeof(grammar_range));
    const gboolean negated = r->p[1] == '^';
    gboolean byte = FALSE;
    for (r->p += negated ? 2 : 1; *r->p != ']';) {
        grammar_range range;
        if (*r->p == '\0' || *r->p == '\n') return fail(r, "the class is not closed");
        if (!read_character(r, &range.first, &byte)) return FALSE;
        range.last = range.first;
        if (*r->p == '-' && r->p[1] != ']' && r->p[1] != '\0') {
            r->p++;
            if (!read_character(r, &range.last, &byte)) return FALSE;
            if (range.last < range.first) return fail(r, "the range ends before it begins");
        }
        g_array_append_val(ranges, range);
    }
    r->p++;
    *out =
        grammar_class(r->build, (const grammar_range *)(void *)ranges->data, ranges->len, negated);
    return TRUE;
}

static gboolean
read_number(reader *r, uint32_t *out)
{
    uint64_t n = 0;
    const char *start = r->p;
    for (; g_ascii_isdigit(*r->p); r->p++)
        n = MIN(n * 10 + (uint64_t)(*r->p - '0'), (uint64_t)UINT32_MAX);
    if (r->p == start) return fail(r, "a number is missing");
    if (n >= GRAMMAR_UNLIMITED) return fail(r, "this number is too large");
    *out = (uint32_t)n;
    return TRUE;
}

/* {n} {n,} {m,n} {,n} */
static gboolean
read_braces(reader *r, uint32_t *min, uint32_t *max)
{
    r->p++;
    *min = 0;
    if (*r->p != ',' && !read_number(r, min)) return FALSE;
    *max = *min;
    if (*r->p == ',') {
        r->p++;
        *max = GRAMMAR_UNLIMITED;
        if (*r->p != '}' && !read_number(r, max)) return FALSE;
    }
    if (*r->p != '}') return fail(r, "the repetition is not closed");
    r->p++;
    return *min <= *max || fail(r, "the repetition ends before it begins");
}

static gboolean
read_repeats(reader *r, grammar_node *node)
{
    for (;;) {
        uint32_t min = 0, max = GRAMMAR_UNLIMITED;
        if (*r->p == '*')
            r->p++;
        else if (*r->p == '+')
            r->p++, min = 1;
        else if (*r->p == '?')
            r->p++, max = 1;
        else if (*r->p != '{')
            return TRUE;
        else if (!read_braces(r, &min, &max))
            return FALSE;
        *node = grammar_repeat(r->build, *node, min, max);
    }
}

static gboolean read_alternatives(reader *r, grammar_node *out);

static gboolean
read_item(reader *r, grammar_node *out)
{
    const size_t n = name_length(r->p);
    if (*r->p == '"') return read_text(r, out);
    if (*r->p == '[') return read_class(r, out);
    if (*r->p == '.') {
        r->p++;
        *out = grammar_class(r->build, NULL, 0, TRUE);
        return TRUE;
    }
    if (*r->p == '(') {
        if (r->nesting++ >= MAX_NESTING) return fail(r, "the groups are nested too deeply");
        r->p++;
        if (!read_alternatives(r, out)) return FALSE;
        if (*r->p != ')') return fail(r, "the group is not closed");
        r->p++;
        r->nesting--;
        return TRUE;
    }
    if (n == 0) return fail(r, "a text, a class, a group or a name is missing");
    *out = grammar_ref(r->build, rule_named(r, n));
    r->p += n;
    return TRUE;
}

static gboolean
read_sequence(reader *r, grammar_node *out)
{
    g_autoptr(GArray) nodes = g_array_new(FALSE, FALSE, sizeof(grammar_node));
    for (skip_blank(r); *r->p && *r->p != '|' && *r->p != ')' && !at_head(r); skip_blank(r)) {
        grammar_node node;
        if (!read_item(r, &node)) return FALSE;
        if (!read_repeats(r, &node)) return FALSE;
        g_array_append_val(nodes, node);
        if (grammar_is_full(r->build)) break;
    }
    *out = nodes->len > 0
               ? grammar_seq(r->build, (const grammar_node *)(void *)nodes->data, nodes->len)
               : grammar_empty(r->build);
    return TRUE;
}

static gboolean
read_alternatives(reader *r, grammar_node *out)
{
    g_autoptr(GArray) nodes = g_array_new(FALSE, FALSE, sizeof(grammar_node));
    for (;;) {
        grammar_node node;
        if (!read_sequence(r, &node)) return FALSE;
        g_array_append_val(nodes, node);
        if (*r->p != '|' || grammar_is_full(r->build)) break;
        r->p++;
    }
    *out = grammar_alt(r->build, (const grammar_node *)(void *)nodes->data, nodes->len);
    return TRUE;
}

static gboolean
read_rules(reader *r, GHashTable *defined)
{
    for (skip_blank(r); *r->p && !grammar_is_full(r->build); skip_blank(r)) {
        if (!at_head(r)) return fail(r, "a rule, NAME ::=, is missing");
        const size_t n = name_length(r->p);
        const uint32_t rule = rule_named(r, n);
        grammar_node body;
        if (!g_hash_table_add(defined, GUINT_TO_POINTER(rule + 1)))
            return fail(r, "this rule is there already");
        r->p = strstr(r->p + n, "::=") + 3;
        if (!read_alternatives(r, &body)) return FALSE;
        if (*r->p == ')') return fail(r, "this group was not opened");
        grammar_define(r->build, rule, body);
    }
    return TRUE;
}

grammar_program *
grammar_program_parse(const char *text, GError **error)
{
    g_autoptr(grammar_build) build = grammar_build_new();
    g_autoptr(GHashTable) rules = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GHashTable) defined = g_hash_table_new(NULL, NULL);
    g_autoptr(GError) cause = NULL;
    reader r = {.start = text, .p = text, .build = build, .rules = rules, .error = &cause};

    if (!g_utf8_validate(text, -1, NULL)) {
        g_set_error_literal(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT, "grammar: it is not UTF-8");
        return NULL;
    }
    if (!read_rules(&r, defined)) {
        g_propagate_error(error, g_steal_pointer(&cause));
        return NULL;
    }
    const gpointer root = g_hash_table_lookup(rules, "root");
    if (!root && !grammar_is_full(build)) {
        g_set_error_literal(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT,
                            "grammar: there is no rule root");
        return NULL;
    }
    return grammar_build_finish(build, root ? GPOINTER_TO_UINT(root) - 1 : 0, error);
}
