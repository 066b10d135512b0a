/* Tokens to a tree: recursive descent in the reference's order of precedence.
 *
 *   condition  or [if or [else condition]]          compare  sum {== != < <= > >= in, not in} ...
 *   or, and, not                                     sum      concat {+ -} ...
 *   concat     product {~} ...                       product  power {* / // %} ...
 *   power      unary {**} ...                        unary    {- +} primary postfix filters */
#include "engine/jinja_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    jinja_template *t;
    const jinja_token *at; /* ends with TOKEN_END */
    GError **error;
    gboolean failed;
    unsigned nesting;
    unsigned loops; /* we are inside */
} parser;

static jinja_node *parse_condition(parser *p);
static jinja_node *parse_or(parser *p);
static jinja_node *parse_tuple(parser *p, gboolean conditions);
static jinja_node *parse_unary(parser *p, gboolean filters);
static jinja_node *parse_block(parser *p, const char *const *ends);

static jinja_node *
refuse(parser *p, const char *what, const char *which)
{
    if (!p->failed)
        g_set_error(p->error, ENGINE_ERROR, ENGINE_ERROR_UNSUPPORTED,
                    "chat template: line %u: %s%s%.40s%s", p->at->line, what, which ? " '" : "",
                    which ? which : "", which ? "'" : "");
    p->failed = TRUE;
    return NULL;
}

static jinja_node *
node_new(parser *p, jinja_node_kind kind)
{
    jinja_node *n = jinja_arena_take(&p->t->arena, sizeof *n);
    n->kind = kind;
    n->line = p->at->line;
    return n;
}

static jinja_node *
node_of(parser *p, jinja_node_kind kind, jinja_node *a, jinja_node *b)
{
    jinja_node *n = node_new(p, kind);
    n->a = a;
    n->b = b;
    return n;
}

/* Equal names become one pointer. */
static const char *
intern(parser *p, const char *name)
{
    const char *known = g_hash_table_lookup(p->t->names, name);
    if (known) return known;
    char *copy = jinja_arena_take(&p->t->arena, strlen(name) + 1);
    memcpy(copy, name, strlen(name));
    g_hash_table_add(p->t->names, copy);
    return copy;
}

static void
list_from(parser *p, jinja_node *node, const GPtrArray *items)
{
    node->n = items->len;
    node->list = jinja_arena_take(&p->t->arena, (items->len + 1) * sizeof *node->list);
    for (guint i = 0; i < items->len; i++)
        node->list[i] = items->pdata[i];
}

static gboolean
is_operator(const parser *p, const char *text)
{
    return p->at->kind == TOKEN_OPERATOR && strcmp(p->at->text, text) == 0;
}

static gboolean
is_name(const parser *p, const char *text)
{
    return p->at->kind == TOKEN_NAME && strcmp(p->at->text, text) == 0;
}

static gboolean
accept_operator(parser *p, const char *text)
{
    const gboolean is = is_operator(p, text);
    p->at += is;
    return is;
}

static gboolean
accept_name(parser *p, const char *text)
{
    const gboolean is = is_name(p, text);
    p->at += is;
    return is;
}

static gboolean
expect_operator(parser *p, const char *text)
{
    return accept_operator(p, text) || refuse(p, "missing", text) != NULL;
}

static gboolean
expect_end(parser *p, jinja_token_kind kind)
{
    if (p->at->kind != kind)
        return refuse(p, "unexpected", p->at->kind == TOKEN_END ? "end" : p->at->text) != NULL;
    p->at++;
    return TRUE;
}

static const char *
expect_identifier(parser *p)
{
    if (p->at->kind != TOKEN_NAME) {
        refuse(p, "a name is missing", NULL);
        return NULL;
    }
    return intern(p, (p->at++)->text);
}

/* ---- expressions ------------------------------------------------------------------------------ */

static jinja_node *
parse_arguments(parser *p, jinja_node *call)
{
    g_autoptr(GPtrArray) items = g_ptr_array_new();
    while (!p->failed && !accept_operator(p, ")")) {
        if (items->len > 0 && !expect_operator(p, ",")) return NULL;
        if (accept_operator(p, ")")) break;
        if (is_operator(p, "*") || is_operator(p, "**"))
            return refuse(p, "arguments from a list are not supported", NULL);
        jinja_node *value;
        if (p->at->kind == TOKEN_NAME && p->at[1].kind == TOKEN_OPERATOR &&
            strcmp(p->at[1].text, "=") == 0) {
            value = node_new(p, NODE_KEYWORD);
            value->text = intern(p, p->at->text);
            p->at += 2;
            value->a = parse_condition(p);
        } else {
            value = parse_condition(p);
        }
        g_ptr_array_add(items, value);
    }
    list_from(p, call, items);
    return call;
}

static jinja_node *
parse_literal(parser *p)
{
    const jinja_token *token = p->at++;
    jinja_node *n = node_new(p, NODE_CONST);
    n->line = token->line;
    if (token->kind == TOKEN_STRING) {
        g_autoptr(GString) text = g_string_new_len(token->text, (gssize)token->len);
        while (p->at->kind == TOKEN_STRING) {
            g_string_append_len(text, p->at->text, (gssize)p->at->len);
            p->at++;
        }
        char *copy = jinja_arena_take(&p->t->arena, text->len + 1);
        memcpy(copy, text->str, text->len);
        n->value = jinja_string(copy, text->len);
    } else if (token->kind == TOKEN_INT) {
        errno = 0;
        n->value = jinja_int(g_ascii_strtoll(token->text, NULL, 10));
        if (errno) return refuse(p, "number too large", token->text);
    } else {
        n->value = jinja_float(g_ascii_strtod(token->text, NULL));
    }
    return n;
}

static jinja_node *
parse_name(parser *p)
{
    static const struct {
        const char *name;
        jinja_kind kind;
        gboolean value;
    } constants[] = {{"true", JINJA_BOOL, TRUE},   {"True", JINJA_BOOL, TRUE},
                     {"false", JINJA_BOOL, FALSE}, {"False", JINJA_BOOL, FALSE},
                     {"none", JINJA_NONE, FALSE},  {"None", JINJA_NONE, FALSE}};
    for (size_t i = 0; i < G_N_ELEMENTS(constants); i++) {
        if (!accept_name(p, constants[i].name)) continue;
        jinja_node *n = node_new(p, NODE_CONST);
        n->value = constants[i].kind == JINJA_NONE ? jinja_none() : jinja_bool(constants[i].value);
        return n;
    }
    jinja_node *n = node_new(p, NODE_NAME);
    n->text = expect_identifier(p);
    return n;
}

static jinja_node *
parse_list(parser *p)
{
    g_autoptr(GPtrArray) items = g_ptr_array_new();
    jinja_node *n = node_new(p, NODE_LIST);
    while (!p->failed && !accept_operator(p, "]")) {
        if (items->len > 0 && !expect_operator(p, ",")) return NULL;
        if (accept_operator(p, "]")) break;
        g_ptr_array_add(items, parse_condition(p));
    }
    list_from(p, n, items);
    return n;
}

static jinja_node *
parse_dict(parser *p)
{
    g_autoptr(GPtrArray) items = g_ptr_array_new();
    jinja_node *n = node_new(p, NODE_DICT);
    while (!p->failed && !accept_operator(p, "}")) {
        if (items->len > 0 && !expect_operator(p, ",")) return NULL;
        if (accept_operator(p, "}")) break;
        g_ptr_array_add(items, parse_condition(p));
        if (!expect_operator(p, ":")) return NULL;
        g_ptr_array_add(items, parse_condition(p));
    }
    list_from(p, n, items);
    return n;
}

static jinja_node *
parse_primary(parser *p)
{
    if (p->at->kind == TOKEN_STRING || p->at->kind == TOKEN_INT || p->at->kind == TOKEN_FLOAT)
        return parse_literal(p);
    if (p->at->kind == TOKEN_NAME) return parse_name(p);
    if (accept_operator(p, "[")) return parse_list(p);
    if (accept_operator(p, "{")) return parse_dict(p);
    if (!accept_operator(p, "(")) return refuse(p, "unexpected", p->at->text);
    if (accept_operator(p, ")")) return node_new(p, NODE_TUPLE);
    jinja_node *inner = parse_tuple(p, TRUE);
    return expect_operator(p, ")") ? inner : NULL;
}

static jinja_node *
parse_subscript(parser *p, jinja_node *of)
{
    jinja_node *part[3] = {NULL, NULL, NULL};
    size_t n_colons = 0;
    while (!p->failed && !is_operator(p, "]")) {
        if (accept_operator(p, ":")) {
            if (++n_colons > 2) return refuse(p, "unexpected", ":");
        } else if (part[n_colons]) {
            return refuse(p, "missing", "]");
        } else {
            part[n_colons] = parse_condition(p);
        }
    }
    if (!expect_operator(p, "]")) return NULL;
    if (n_colons == 0 && !part[0]) return refuse(p, "an index is missing", NULL);
    jinja_node *n = node_of(p, n_colons > 0 ? NODE_SLICE : NODE_INDEX, of, part[0]);
    n->c = part[1];
    n->d = part[2];
    return n;
}

static jinja_node *
parse_attribute(parser *p, jinja_node *of)
{
    if (p->at->kind == TOKEN_INT) {
        jinja_node *n = node_of(p, NODE_INDEX, of, NULL);
        n->b = parse_literal(p);
        return n;
    }
    jinja_node *n = node_of(p, NODE_ATTRIBUTE, of, NULL);
    n->text = expect_identifier(p);
    return n;
}

static jinja_node *
parse_postfix(parser *p, jinja_node *n)
{
    while (!p->failed) {
        if (accept_operator(p, "."))
            n = parse_attribute(p, n);
        else if (accept_operator(p, "["))
            n = parse_subscript(p, n);
        else if (accept_operator(p, "("))
            n = parse_arguments(p, node_of(p, NODE_CALL, n, NULL));
        else
            break;
    }
    return n;
}

/* A filter's or test's name, and which it is: `find` gives its place, -1 for none, and `unknown` begins the error. */
static jinja_node *
parse_named(parser *p, jinja_node_kind kind, jinja_node *of, int (*find)(const char *name),
            const char *unknown)
{
    jinja_node *n = node_of(p, kind, of, NULL);
    n->text = expect_identifier(p);
    if (p->failed) return NULL;
    const int index = find(n->text);
    if (index < 0) return refuse(p, unknown, n->text);
    n->index = (size_t)index;
    return n;
}

static jinja_node *
parse_filter(parser *p, jinja_node *of)
{
    jinja_node *n = parse_named(p, NODE_FILTER, of, jinja_find_filter, "no such filter:");
    return n && accept_operator(p, "(") ? parse_arguments(p, n) : n;
}

/* An argument without brackets: "is divisibleby 3". */
static gboolean
starts_argument(const parser *p)
{
    static const char *const never[] = {"else", "or", "and", "is", "if", "not", "in"};
    for (size_t i = 0; i < G_N_ELEMENTS(never); i++)
        if (is_name(p, never[i])) return FALSE;
    return p->at->kind == TOKEN_NAME || p->at->kind == TOKEN_STRING || p->at->kind == TOKEN_INT ||
           p->at->kind == TOKEN_FLOAT || is_operator(p, "[") || is_operator(p, "{");
}

static jinja_node *
parse_test(parser *p, jinja_node *of)
{
    const gboolean negate = accept_name(p, "not");
    jinja_node *n = parse_named(p, NODE_TEST, of, jinja_find_test, "no such test:");
    if (!n) return NULL;
    if (accept_operator(p, "(")) {
        n = parse_arguments(p, n);
    } else if (starts_argument(p)) {
        g_autoptr(GPtrArray) items = g_ptr_array_new();
        g_ptr_array_add(items, parse_postfix(p, parse_primary(p)));
        list_from(p, n, items);
    }
    return negate ? node_of(p, NODE_NOT, n, NULL) : n;
}

static jinja_node *
parse_filters(parser *p, jinja_node *n)
{
    while (!p->failed) {
        if (accept_operator(p, "|"))
            n = parse_filter(p, n);
        else if (accept_name(p, "is"))
            n = parse_test(p, n);
        else if (accept_operator(p, "("))
            n = parse_arguments(p, node_of(p, NODE_CALL, n, NULL));
        else
            break;
    }
    return n;
}

static jinja_node *
parse_unary(parser *p, gboolean filters)
{
    if (p->failed || ++p->nesting > JINJA_MAX_NESTING) return refuse(p, "nested too deep", NULL);
    jinja_node *n;
    if (accept_operator(p, "-"))
        n = node_of(p, NODE_NEGATIVE, parse_unary(p, FALSE), NULL);
    else if (accept_operator(p, "+"))
        n = node_of(p, NODE_POSITIVE, parse_unary(p, FALSE), NULL);
    else
        n = parse_primary(p);
    n = parse_postfix(p, n);
    if (filters) n = parse_filters(p, n);
    p->nesting--;
    return p->failed ? NULL : n;
}

/* Levels of operators that associate to the left, the loosest first. */
static jinja_node *
parse_binary(parser *p, size_t level)
{
    static const char *const operators[][5] = {
        {"+", "-", NULL}, {"~", NULL}, {"*", "/", "//", "%", NULL}, {"**", NULL}};
    if (level == G_N_ELEMENTS(operators)) return parse_unary(p, TRUE);
    jinja_node *left = parse_binary(p, level + 1);
    for (size_t i = 0; !p->failed && operators[level][i];) {
        if (!accept_operator(p, operators[level][i])) {
            i++;
            continue;
        }
        jinja_node *n = node_of(p, NODE_BINARY, left, NULL);
        n->text = operators[level][i];
        n->b = parse_binary(p, level + 1);
        left = n;
        i = 0;
    }
    return left;
}

static const char *
accept_comparison(parser *p)
{
    static const char *const operators[] = {"==", "!=", "<", "<=", ">", ">="};
    for (size_t i = 0; i < G_N_ELEMENTS(operators); i++)
        if (accept_operator(p, operators[i])) return operators[i];
    if (accept_name(p, "in")) return "in";
    if (is_name(p, "not") && p->at[1].kind == TOKEN_NAME && strcmp(p->at[1].text, "in") == 0) {
        p->at += 2;
        return "not in";
    }
    return NULL;
}

static jinja_node *
parse_compare(parser *p)
{
    jinja_node *left = parse_binary(p, 0);
    g_autoptr(GPtrArray) steps = g_ptr_array_new();
    for (const char *op; !p->failed && (op = accept_comparison(p)) != NULL;) {
        jinja_node *step = node_new(p, NODE_BINARY);
        step->text = op;
        step->b = parse_binary(p, 0);
        g_ptr_array_add(steps, step);
    }
    if (steps->len == 0) return left;
    jinja_node *n = node_of(p, NODE_COMPARE, left, NULL);
    list_from(p, n, steps);
    return n;
}

static jinja_node *
parse_not(parser *p)
{
    size_t n_not = 0;
    while (accept_name(p, "not"))
        n_not++;
    jinja_node *n = parse_compare(p);
    if (n_not == 0) return n;
    n = node_of(p, NODE_NOT, n, NULL);
    return n_not % 2 == 1 ? n : node_of(p, NODE_NOT, n, NULL);
}

static jinja_node *
parse_and(parser *p)
{
    jinja_node *left = parse_not(p);
    while (!p->failed && accept_name(p, "and"))
        left = node_of(p, NODE_AND, left, parse_not(p));
    return left;
}

static jinja_node *
parse_or(parser *p)
{
    jinja_node *left = parse_and(p);
    while (!p->failed && accept_name(p, "or"))
        left = node_of(p, NODE_OR, left, parse_and(p));
    return left;
}

static jinja_node *
parse_condition(parser *p)
{
    if (p->failed || ++p->nesting > JINJA_MAX_NESTING) return refuse(p, "nested too deep", NULL);
    jinja_node *value = parse_or(p);
    while (!p->failed && accept_name(p, "if")) {
        jinja_node *n = node_of(p, NODE_CONDITION, value, NULL);
        n->b = parse_or(p);
        if (accept_name(p, "else")) n->c = parse_condition(p);
        value = n;
    }
    p->nesting--;
    return p->failed ? NULL : value;
}

/* One expression, or several with commas. */
static jinja_node *
parse_tuple(parser *p, gboolean conditions)
{
    jinja_node *(*parse)(parser *) = conditions ? parse_condition : parse_or;
    jinja_node *first = parse(p);
    if (p->failed || !is_operator(p, ",")) return first;
    g_autoptr(GPtrArray) items = g_ptr_array_new();
    g_ptr_array_add(items, first);
    while (!p->failed && accept_operator(p, ",")) {
        if (is_operator(p, ")") || p->at->kind == TOKEN_BLOCK_END || p->at->kind == TOKEN_PRINT_END)
            break;
        g_ptr_array_add(items, parse(p));
    }
    jinja_node *n = node_new(p, NODE_TUPLE);
    list_from(p, n, items);
    return n;
}

/* ---- statements ------------------------------------------------------------------------------- */

/* NAME, NAME.attribute, or names with commas and brackets. */
static jinja_node *
parse_target(parser *p)
{
    g_autoptr(GPtrArray) items = g_ptr_array_new();
    const gboolean bracket = accept_operator(p, "(");
    do {
        jinja_node *n = node_new(p, NODE_NAME);
        n->text = expect_identifier(p);
        if (p->failed) return NULL;
        g_ptr_array_add(items, n);
    } while (accept_operator(p, ","));
    if (bracket && !expect_operator(p, ")")) return NULL;
    if (items->len == 1 && !bracket && accept_operator(p, "."))
        return parse_attribute(p, items->pdata[0]);
    if (items->len == 1) return items->pdata[0];
    jinja_node *n = node_new(p, NODE_TUPLE);
    list_from(p, n, items);
    return n;
}

/* The token behind "{%" that ended a block; past it and its "%}". */
static gboolean
end_tag(parser *p, const char *name)
{
    if (!accept_name(p, name)) return refuse(p, "missing", name) != NULL;
    if (p->at->kind == TOKEN_NAME && strcmp(name, "endmacro") == 0)
        p->at++; /* may repeat its name */
    return expect_end(p, TOKEN_BLOCK_END);
}

static jinja_node *
parse_if(parser *p)
{
    static const char *const ends[] = {"elif", "else", "endif", NULL};
    static const char *const last[] = {"endif", NULL};
    jinja_node *first = NULL, **to = &first;
    do { /* a chain, not a recursion: there may be many */
        jinja_node *n = node_new(p, NODE_IF);
        *to = n;
        to = &n->c;
        n->a = parse_tuple(p, TRUE);
        if (p->failed || !expect_end(p, TOKEN_BLOCK_END)) return NULL;
        n->b = parse_block(p, ends);
    } while (!p->failed && accept_name(p, "elif"));
    if (!p->failed && accept_name(p, "else")) {
        if (!expect_end(p, TOKEN_BLOCK_END)) return NULL;
        *to = parse_block(p, last);
    }
    return !p->failed && end_tag(p, "endif") ? first : NULL;
}

static jinja_node *
parse_for(parser *p)
{
    static const char *const ends[] = {"else", "endfor", NULL};
    static const char *const last[] = {"endfor", NULL};
    jinja_node *n = node_of(p, NODE_FOR, parse_target(p), NULL);
    if (p->failed || n->a->kind == NODE_ATTRIBUTE || !accept_name(p, "in"))
        return refuse(p, "missing", "in");
    n->b = parse_tuple(p, FALSE);
    if (!p->failed && accept_name(p, "if")) n->c = parse_condition(p);
    if (is_name(p, "recursive")) return refuse(p, "recursive loops are not supported", NULL);
    if (p->failed || !expect_end(p, TOKEN_BLOCK_END)) return NULL;
    p->loops++;
    n->d = parse_block(p, ends);
    p->loops--;
    if (!p->failed && accept_name(p, "else")) {
        if (!expect_end(p, TOKEN_BLOCK_END)) return NULL;
        n->e = parse_block(p, last);
    }
    return !p->failed && end_tag(p, "endfor") ? n : NULL;
}

static jinja_node *
parse_set(parser *p)
{
    static const char *const ends[] = {"endset", NULL};
    jinja_node *n = node_of(p, NODE_SET, parse_target(p), NULL);
    if (p->failed) return NULL;
    if (accept_operator(p, "=")) {
        n->b = parse_tuple(p, TRUE);
        return !p->failed && expect_end(p, TOKEN_BLOCK_END) ? n : NULL;
    }
    n->kind = NODE_SET_TEXT;
    if (is_operator(p, "|")) n->c = parse_filters(p, node_new(p, NODE_HOLE));
    if (p->failed || !expect_end(p, TOKEN_BLOCK_END)) return NULL;
    n->b = parse_block(p, ends);
    return !p->failed && end_tag(p, "endset") ? n : NULL;
}

static jinja_node *
parse_macro(parser *p)
{
    static const char *const ends[] = {"endmacro", NULL};
    g_autoptr(GPtrArray) items = g_ptr_array_new();
    jinja_node *n = node_new(p, NODE_MACRO);
    n->text = expect_identifier(p);
    if (p->failed || !expect_operator(p, "(")) return NULL;
    while (!p->failed && !accept_operator(p, ")")) {
        if (items->len > 0 && !expect_operator(p, ",")) return NULL;
        jinja_node *parameter = node_new(p, NODE_KEYWORD);
        parameter->text = expect_identifier(p);
        if (!p->failed && accept_operator(p, "=")) parameter->a = parse_condition(p);
        g_ptr_array_add(items, parameter);
    }
    if (p->failed || !expect_end(p, TOKEN_BLOCK_END)) return NULL;
    list_from(p, n, items);
    const unsigned loops = p->loops;
    p->loops = 0;
    n->b = parse_block(p, ends);
    p->loops = loops;
    return !p->failed && end_tag(p, "endmacro") ? n : NULL;
}

static jinja_node *
parse_filter_block(parser *p)
{
    static const char *const ends[] = {"endfilter", NULL};
    jinja_node *n = node_new(p, NODE_FILTERED);
    n->c = parse_filters(p, parse_filter(p, node_new(p, NODE_HOLE)));
    if (p->failed || !expect_end(p, TOKEN_BLOCK_END)) return NULL;
    n->b = parse_block(p, ends);
    return !p->failed && end_tag(p, "endfilter") ? n : NULL;
}

/* {% generation %} marks what a model is trained on; for us it is its content. */
static jinja_node *
parse_generation(parser *p)
{
    static const char *const ends[] = {"endgeneration", NULL};
    if (!expect_end(p, TOKEN_BLOCK_END)) return NULL;
    jinja_node *n = parse_block(p, ends);
    return !p->failed && end_tag(p, "endgeneration") ? n : NULL;
}

static jinja_node *
parse_statement(parser *p)
{
    if (accept_name(p, "if")) return parse_if(p);
    if (accept_name(p, "for")) return parse_for(p);
    if (accept_name(p, "set")) return parse_set(p);
    if (accept_name(p, "macro")) return parse_macro(p);
    if (accept_name(p, "filter")) return parse_filter_block(p);
    if (accept_name(p, "generation")) return parse_generation(p);
    const gboolean leave = is_name(p, "break");
    if (leave || is_name(p, "continue")) {
        if (p->loops == 0) return refuse(p, "outside of a loop:", p->at->text);
        p->at++;
        jinja_node *n = node_new(p, leave ? NODE_BREAK : NODE_CONTINUE);
        return expect_end(p, TOKEN_BLOCK_END) ? n : NULL;
    }
    return refuse(p, "no such statement:", p->at->kind == TOKEN_NAME ? p->at->text : "");
}

static gboolean
is_any(const parser *p, const char *const *names)
{
    for (; names && *names; names++)
        if (is_name(p, *names)) return TRUE;
    return FALSE;
}

/* Statements up to "{%" and one of ends, which is left to the caller; ends NULL: up to the end. */
static jinja_node *
parse_block(parser *p, const char *const *ends)
{
    g_autoptr(GPtrArray) items = g_ptr_array_new();
    jinja_node *block = node_new(p, NODE_BLOCK);
    if (p->failed || ++p->nesting > JINJA_MAX_NESTING) return refuse(p, "nested too deep", NULL);
    while (!p->failed && p->at->kind != TOKEN_END) {
        const jinja_token *token = p->at++;
        jinja_node *n;
        if (token->kind == TOKEN_TEXT) {
            n = node_new(p, NODE_TEXT);
            n->text = token->text;
            n->len = token->len;
        } else if (token->kind == TOKEN_PRINT_BEGIN) {
            n = node_of(p, NODE_PRINT, parse_tuple(p, TRUE), NULL);
            if (!p->failed) expect_end(p, TOKEN_PRINT_END);
        } else if (is_any(p, ends)) {
            break;
        } else {
            n = parse_statement(p);
        }
        g_ptr_array_add(items, n);
    }
    if (!p->failed && p->at->kind == TOKEN_END && ends) return refuse(p, "missing", ends[0]);
    list_from(p, block, items);
    p->nesting--;
    return block;
}

/* ---- templates -------------------------------------------------------------------------------- */

static char *
unify_newlines(const char *s, size_t len, size_t *n_out)
{
    GString *out = g_string_sized_new(len);
    for (size_t i = 0; i < len; i++) {
        if (s[i] == '\r' && i + 1 < len && s[i + 1] == '\n') continue;
        g_string_append_c(out, s[i] == '\r' ? '\n' : s[i]);
    }
    *n_out = out->len;
    return g_string_free(out, FALSE);
}

jinja_template *
jinja_parse(const char *source, size_t len, GError **error)
{
    if (len > JINJA_MAX_SOURCE) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_LIMIT, "chat template: of %zu bytes", len);
        return NULL;
    }
    g_autoptr(jinja_template) t = g_new0(jinja_template, 1);
    g_autofree char *owned = NULL;
    size_t n = 0;
    const char *good = unicode_repair(source, len, &owned, &n);
    t->source = unify_newlines(good, n, &n);
    jinja_arena_init(&t->arena);
    t->names = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GArray) tokens = g_array_new(FALSE, FALSE, sizeof(jinja_token));
    if (!jinja_lex(t->source, n, &t->arena, tokens, error)) return NULL;
    parser p = {t, (const jinja_token *)(const void *)tokens->data, error, FALSE, 0, 0};
    t->root = parse_block(&p, NULL);
    return p.failed ? NULL : g_steal_pointer(&t);
}

void
jinja_free(jinja_template *t)
{
    if (!t) return;
    jinja_arena_clear(&t->arena);
    if (t->names) g_hash_table_unref(t->names);
    g_free(t->source);
    g_free(t);
}
