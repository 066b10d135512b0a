/* Conditions by recursive descent into a flat array of nodes:
 *
 *     or   = and {"or" and}        and = not {"and" not}
 *     not  = "not" not | "(" or ")" | field operator value
 *
 * They are evaluated here, row by row, and not by SQL: text compares folded (no case, no accents), which
 * SQLite cannot do, and nothing of what a user writes ever reaches a statement. */
#include "retrieval/where.h"

#include <string.h>

typedef enum { NODE_OR, NODE_AND, NODE_NOT, NODE_COMPARE } node_kind;
typedef enum { EQUAL, NOT_EQUAL, LESS, AT_MOST, GREATER, AT_LEAST, CONTAINS } operator_kind;
typedef enum {
    FIELD_YEAR,
    FIELD_PAGE,
    FIELD_AUTHOR,
    FIELD_TITLE,
    FIELD_VENUE,
    FIELD_DOI,
    FIELD_ARXIV,
    FIELD_DOCUMENT,
    FIELD_SECTION,
    FIELD_TYPE,
    N_FIELDS
} field_kind;

static const char *const field_names[N_FIELDS] = {"year", "page",  "author",   "title",   "venue",
                                                  "doi",  "arxiv", "document", "section", "type"};
static const char *const operator_names[] = {"=", "!=", "<", "<=", ">", ">=", "~"};

typedef struct {
    node_kind kind;
    int left, right; /* nodes */
    field_kind field;
    operator_kind op;
    int number;
    char *text; /* folded */
} node;

struct retrieval_where {
    GArray *nodes;
    int root;
};

typedef struct {
    const char *text, *at;
    const char *begin; /* of the token that was read last */
    GArray *nodes;
    int depth;
    GError **error;
} parser;

enum { MAX_DEPTH = 64, MAX_NODES = 1000 };

/* ---- folding ---- */

/* Without case, accents and compatibility forms. Free with g_free. */
static char *
fold(const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    g_autofree char *split = g_utf8_normalize(valid, -1, G_NORMALIZE_NFKD);
    GString *bare = g_string_new(NULL);
    for (const char *p = split; *p; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);
        if (!g_unichar_ismark(c)) g_string_append_unichar(bare, c);
    }
    char *folded = g_utf8_casefold(bare->str, (gssize)bare->len);
    g_string_free(bare, TRUE);
    return g_strstrip(folded);
}

/* ---- reading ---- */

static int
fail(parser *p, const char *at, const char *reason)
{
    if (p->error && !*p->error)
        g_set_error(p->error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_WHERE,
                    "condition \"%.*s<here>%s\": %s", (int)(at - p->text), p->text, at, reason);
    return -1;
}

static void
skip_spaces(parser *p)
{
    while (g_ascii_isspace(*p->at))
        p->at++;
    p->begin = p->at;
}

static gboolean
is_word_end(char c)
{
    return c == '\0' || g_ascii_isspace(c) || strchr("()=!<>~\"'", c) != NULL;
}

static size_t
word_length(const char *text)
{
    size_t n = 0;
    while (!is_word_end(text[n]))
        n++;
    return n;
}

static gboolean
take_keyword(parser *p, const char *keyword)
{
    skip_spaces(p);
    const size_t n = word_length(p->at);
    if (n != strlen(keyword) || g_ascii_strncasecmp(p->at, keyword, n) != 0) return FALSE;
    p->at += n;
    return TRUE;
}

static int
add_node(parser *p, const node *new_node)
{
    if (p->nodes->len >= MAX_NODES) return fail(p, p->at, "too long");
    g_array_append_vals(p->nodes, new_node, 1);
    return (int)p->nodes->len - 1;
}

static gboolean
read_field(parser *p, field_kind *field)
{
    skip_spaces(p);
    const size_t n = word_length(p->at);
    for (int i = 0; i < N_FIELDS; i++) {
        if (strlen(field_names[i]) != n || g_ascii_strncasecmp(field_names[i], p->at, n) != 0)
            continue;
        *field = (field_kind)i;
        p->at += n;
        return TRUE;
    }
    fail(p, p->at,
         n > 0 ? "no such field; there are year, page, author, title, venue, doi, arxiv, document, "
                 "section and type"
               : "a field is expected (year, author, type, ...)");
    return FALSE;
}

static gboolean
read_operator(parser *p, field_kind field, operator_kind *op)
{
    int best = -1;
    skip_spaces(p);
    for (int i = 0; i < (int)G_N_ELEMENTS(operator_names); i++) {
        if (!g_str_has_prefix(p->at, operator_names[i])) continue;
        if (best < 0 || strlen(operator_names[i]) > strlen(operator_names[best])) best = i;
    }
    if (best < 0) {
        fail(p, p->at, "one of = != < <= > >= ~ is expected");
        return FALSE;
    }
    *op = (operator_kind)best;
    const gboolean is_number = field == FIELD_YEAR || field == FIELD_PAGE;
    if (is_number ? *op == CONTAINS : *op >= LESS && *op <= AT_LEAST) {
        fail(p, p->at, is_number ? "~ is for text" : "only year and page have an order");
        return FALSE;
    }
    p->at += strlen(operator_names[best]);
    return TRUE;
}

/* A word or a quoted text; NULL on failure. */
static char *
read_value(parser *p)
{
    skip_spaces(p);
    const char quote = *p->at;
    if (quote == '"' || quote == '\'') {
        const char *end = strchr(p->at + 1, quote);
        if (!end) {
            fail(p, p->at, "this quote is not closed");
            return NULL;
        }
        char *value = g_strndup(p->at + 1, (size_t)(end - p->at - 1));
        p->at = end + 1;
        return value;
    }
    const size_t n = word_length(p->at);
    if (n == 0) {
        fail(p, p->at, "a value is expected");
        return NULL;
    }
    char *value = g_strndup(p->at, n);
    p->at += n;
    return value;
}

static int
read_comparison(parser *p)
{
    node compare = {.kind = NODE_COMPARE};
    if (!read_field(p, &compare.field) || !read_operator(p, compare.field, &compare.op)) return -1;
    g_autofree char *value = read_value(p);
    if (!value) return -1;
    if (compare.field == FIELD_YEAR || compare.field == FIELD_PAGE) {
        gint64 number = 0;
        if (!g_ascii_string_to_signed(value, 10, 0, G_MAXINT32, &number, NULL))
            return fail(p, p->begin, "a number is expected");
        compare.number = (int)number;
    }
    layout_block_type type;
    compare.text = fold(value);
    if (compare.field == FIELD_TYPE && !layout_block_type_from_name(compare.text, &type)) {
        g_free(compare.text);
        return fail(p, p->begin,
                    "no such type; there are title, author, abstract, heading, paragraph, "
                    "list_item, table, figure, formula, code, caption and footnote");
    }
    const int index = add_node(p, &compare);
    if (index < 0) g_free(compare.text);
    return index;
}

static int read_or(parser *p);

static int
read_not(parser *p)
{
    if (p->depth >= MAX_DEPTH) return fail(p, p->at, "nested too deeply");
    int result = -1;
    p->depth++;
    if (take_keyword(p, "not")) {
        node inner = {.kind = NODE_NOT, .left = read_not(p)};
        if (inner.left >= 0) result = add_node(p, &inner);
    } else if (skip_spaces(p), *p->at == '(') {
        const char *bracket = p->at++;
        result = read_or(p);
        skip_spaces(p);
        if (result >= 0 && *p->at != ')')
            result = *p->at ? fail(p, p->at, "\"and\", \"or\" or a closing bracket is expected")
                            : fail(p, bracket, "this bracket is not closed");
        else if (result >= 0)
            p->at++;
    } else {
        result = read_comparison(p);
    }
    p->depth--;
    return result;
}

static int
read_and(parser *p)
{
    int left = read_not(p);
    while (left >= 0 && take_keyword(p, "and")) {
        node both = {.kind = NODE_AND, .left = left, .right = read_not(p)};
        left = both.right >= 0 ? add_node(p, &both) : -1;
    }
    return left;
}

static int
read_or(parser *p)
{
    int left = read_and(p);
    while (left >= 0 && take_keyword(p, "or")) {
        node either = {.kind = NODE_OR, .left = left, .right = read_and(p)};
        left = either.right >= 0 ? add_node(p, &either) : -1;
    }
    return left;
}

static void
node_clear(gpointer data)
{
    g_free(((node *)data)->text);
}

retrieval_where *
retrieval_where_parse(const char *expression, GError **error)
{
    g_autoptr(retrieval_where) where = g_new0(retrieval_where, 1);
    GError *failure = NULL;
    where->nodes = g_array_new(FALSE, FALSE, sizeof(node));
    g_array_set_clear_func(where->nodes, node_clear);
    g_autofree char *valid = g_utf8_make_valid(expression, -1);
    parser p = {.text = valid, .at = valid, .nodes = where->nodes, .error = &failure};
    where->root = read_or(&p);
    skip_spaces(&p);
    if (where->root >= 0 && *p.at) fail(&p, p.at, "\"and\" or \"or\" is expected");
    if (!failure) return g_steal_pointer(&where);
    g_propagate_error(error, failure);
    return NULL;
}

gboolean
retrieval_where_check(const char *expression, GError **error)
{
    g_autoptr(retrieval_where) where = retrieval_where_parse(expression, error);
    return where != NULL;
}

void
retrieval_where_free(retrieval_where *where)
{
    if (!where) return;
    g_array_unref(where->nodes);
    g_free(where);
}

gboolean
retrieval_where_needs_chunks(const retrieval_where *where)
{
    for (guint i = 0; i < where->nodes->len; i++) {
        const node *n = &g_array_index(where->nodes, node, i);
        if (n->kind == NODE_COMPARE &&
            (n->field == FIELD_PAGE || n->field == FIELD_SECTION || n->field == FIELD_TYPE))
            return TRUE;
    }
    return FALSE;
}

/* ---- evaluating ---- */

static gboolean
number_holds(const node *n, int value)
{
    if (value == 0) return FALSE;
    switch (n->op) {
    case EQUAL:
        return value == n->number;
    case NOT_EQUAL:
        return value != n->number;
    case LESS:
        return value < n->number;
    case AT_MOST:
        return value <= n->number;
    case GREATER:
        return value > n->number;
    default:
        return value >= n->number;
    }
}

/* "3.2 Training" is also "Training". */
static const char *
without_number(const char *heading)
{
    const char *p = heading;
    while (*p && (g_ascii_isdigit(*p) || *p == '.'))
        p++;
    while (p > heading && *p == ' ')
        p++;
    return p;
}

/* Whether one of the parts that separator divides text [folded] into is the wanted one: a whole name or its end
 * ("garcia" of "maria garcia"), a heading with or without its number. */
static gboolean
some_part_is(const char *text, const char *separator, gboolean is_name, const char *wanted)
{
    g_auto(GStrv) parts = g_strsplit(text, separator, -1);
    for (char **part = parts; *part; part++) {
        g_strstrip(*part);
        if (strcmp(*part, wanted) == 0) return TRUE;
        if (!is_name && strcmp(without_number(*part), wanted) == 0) return TRUE;
        if (!is_name || !*wanted || !g_str_has_suffix(*part, wanted)) continue;
        if (*(*part + strlen(*part) - strlen(wanted) - 1) == ' ') return TRUE;
    }
    return FALSE;
}

/* /home/me/Smith2020.pdf is also Smith2020.pdf and Smith2020. */
static gboolean
document_is(const char *path, const char *wanted)
{
    const char *base = strrchr(path, '/');
    base = base ? base + 1 : path;
    const char *dot = strrchr(base, '.');
    const size_t stem = dot ? (size_t)(dot - base) : strlen(base);
    return strcmp(path, wanted) == 0 || strcmp(base, wanted) == 0 ||
           (strlen(wanted) == stem && memcmp(base, wanted, stem) == 0);
}

static gboolean
text_holds(const node *n, const char *value)
{
    if (!value || !*value) return FALSE;
    g_autofree char *folded = fold(value);
    if (n->op == CONTAINS) return strstr(folded, n->text) != NULL;
    gboolean is_equal;
    if (n->field == FIELD_AUTHOR)
        is_equal = some_part_is(folded, "\n", TRUE, n->text);
    else if (n->field == FIELD_SECTION)
        is_equal = strcmp(folded, n->text) == 0 || some_part_is(folded, " > ", FALSE, n->text);
    else if (n->field == FIELD_DOCUMENT)
        is_equal = document_is(folded, n->text);
    else
        is_equal = strcmp(folded, n->text) == 0;
    return is_equal == (n->op == EQUAL);
}

static const char *
field_text(const retrieval_where_row *row, field_kind field)
{
    switch (field) {
    case FIELD_AUTHOR:
        return row->authors;
    case FIELD_TITLE:
        return row->title;
    case FIELD_VENUE:
        return row->venue;
    case FIELD_DOI:
        return row->doi;
    case FIELD_ARXIV:
        return row->arxiv;
    case FIELD_DOCUMENT:
        return row->path;
    case FIELD_SECTION:
        return row->section;
    case FIELD_TYPE:
        return row->type;
    default:
        return NULL;
    }
}

static gboolean
node_holds(const retrieval_where *where, int index, const retrieval_where_row *row)
{
    const node *n = &g_array_index(where->nodes, node, index);
    switch (n->kind) {
    case NODE_OR:
        return node_holds(where, n->left, row) || node_holds(where, n->right, row);
    case NODE_AND:
        return node_holds(where, n->left, row) && node_holds(where, n->right, row);
    case NODE_NOT:
        return !node_holds(where, n->left, row);
    default:
        break;
    }
    if (n->field == FIELD_YEAR) return number_holds(n, row->year);
    if (n->field == FIELD_PAGE) return number_holds(n, row->page);
    return text_holds(n, field_text(row, n->field));
}

gboolean
retrieval_where_holds(const retrieval_where *where, const retrieval_where_row *row)
{
    return node_holds(where, where->root, row);
}
