/* Office Math Markup -> LaTeX (ISO/IEC 29500-1, 22.1).
 *
 * Its elements say what they are (a fraction, a sum with limits, brackets with what they hold), so each becomes one
 * LaTeX structure. Text of runs is characters, often Mathematical Alphanumeric Symbols, that are written one by one. */
#include "layout/readers/html.h"
#include "layout/readers/tex.h"

#include <string.h>

#define MAX_DEPTH 200
#define MAX_LATEX (256 * 1024)

typedef struct {
    guint depth;
    gboolean in_array; /* an "&" aligns */
    gboolean in_name;  /* of a function: letters make a word */
    char *number;      /* NULL: none so far */
} state;

static void put_children(state *s, GString *out, const xmlNode *node);
static void put_node(state *s, GString *out, const xmlNode *node);

static const xmlNode *
child(const xmlNode *node, const char *name)
{
    for (const xmlNode *n = node != NULL ? node->children : NULL; n != NULL; n = n->next)
        if (layout_html_is(n, name)) return n;
    return NULL;
}

/* The value of <m:NAME m:val="..."/> in the element's properties; NULL where absent, "" without a value. */
static const char *
property(const xmlNode *node, const char *properties, const char *name)
{
    const xmlNode *found = child(child(node, properties), name);
    if (found == NULL) return NULL;
    const char *value = layout_html_attribute(found, "val");
    return value != NULL ? value : "";
}

static gboolean
is_on(const char *value)
{
    return value != NULL && strcmp(value, "0") != 0 && strcmp(value, "off") != 0 &&
           strcmp(value, "false") != 0;
}

/* The LaTeX below node; "" for NULL. Free with g_free. */
static char *
inner(state *s, const xmlNode *node)
{
    GString *out = g_string_new(NULL);
    if (node != NULL) put_children(s, out, node);
    layout_tex_trim(out);
    return g_string_free(out, FALSE);
}

static char *
inner_of(state *s, const xmlNode *node, const char *name)
{
    return inner(s, child(node, name));
}

static gunichar
first_char(const char *text, gunichar otherwise)
{
    return text != NULL && *text != '\0' ? g_utf8_get_char(text) : otherwise;
}

/* ---- runs ---- */

static char *
run_text(const xmlNode *run)
{
    GString *text = g_string_new(NULL);
    for (const xmlNode *t = run->children; t != NULL; t = t->next) {
        if (!layout_html_is(t, "t")) continue;
        for (const xmlNode *n = t->children; n != NULL; n = n->next)
            if (n->content != NULL) g_string_append(text, (const char *)n->content);
    }
    g_autofree char *raw = g_string_free(text, FALSE);
    char *normal = g_utf8_normalize(raw, -1, G_NORMALIZE_NFC);
    return normal != NULL ? normal : g_utf8_make_valid(raw, -1);
}

static gboolean
is_letters(const char *text)
{
    if (g_utf8_strlen(text, -1) < 2) return FALSE;
    for (const char *p = text; *p != '\0'; p = g_utf8_next_char(p))
        if (!g_unichar_isalpha(g_utf8_get_char(p))) return FALSE;
    return TRUE;
}

/* Letters and what stands between them; of letters those that make a function's name are its command. */
static void
put_upright(GString *out, const char *text, const char *command)
{
    for (const char *p = text; *p != '\0';) {
        const char *end = p;
        while (g_unichar_isalpha(g_utf8_get_char(end)))
            end = g_utf8_next_char(end);
        if (end == p) {
            end = g_utf8_next_char(p);
            g_autofree char *one = g_strndup(p, (gsize)(end - p));
            layout_tex_symbols(out, one);
        } else {
            g_autofree char *word = g_strndup(p, (gsize)(end - p));
            if (command == NULL && (layout_tex_is_function(word) || is_letters(word))) {
                layout_tex_name(out, word);
            } else {
                g_autoptr(GString) letters = g_string_new(NULL);
                layout_tex_symbols(letters, word);
                const char *style = command;
                if (style == NULL && g_ascii_isalpha(word[0])) style = "\\mathrm";
                if (style != NULL && (guchar)word[0] >= 0x80)
                    style = strcmp(style, "\\mathrm") == 0 ? NULL : "\\boldsymbol";
                layout_tex_style(out, style, letters->str);
            }
        }
        p = end;
    }
}

static const char *
script_command(const char *script)
{
    static const char *const commands[][2] = {{"double-struck", "\\mathbb"},
                                              {"script", "\\mathcal"},
                                              {"fraktur", "\\mathfrak"},
                                              {"sans-serif", "\\mathsf"},
                                              {"monospace", "\\mathtt"}};
    for (guint i = 0; script != NULL && i < G_N_ELEMENTS(commands); i++)
        if (strcmp(commands[i][0], script) == 0) return commands[i][1];
    return NULL;
}

static void
put_piece(state *s, GString *out, const xmlNode *run, const char *text)
{
    const char *style = property(run, "rPr", "sty");
    const char *command = script_command(property(run, "rPr", "scr"));
    if (command == NULL && style != NULL && strcmp(style, "b") == 0) command = "\\mathbf";
    if (command == NULL && style != NULL && strcmp(style, "bi") == 0) command = "\\boldsymbol";
    const gboolean upright =
        s->in_name || command != NULL || (style != NULL && strcmp(style, "p") == 0);
    if (is_on(property(run, "rPr", "nor")))
        layout_tex_text(out, text);
    else if (upright || layout_tex_is_function(text))
        put_upright(out, text, command);
    else
        layout_tex_symbols(out, text);
}

/* "E=mc^2#(3)": Word's way of numbering */
static gboolean
take_number(state *s, char *text)
{
    char *hash = strchr(text, '#');
    if (hash == NULL || s->number != NULL) return FALSE;
    char *number = hash + 1;
    const gsize len = strlen(number);
    if (len >= 3 && number[0] == '(' && number[len - 1] == ')')
        s->number = g_strndup(number + 1, len - 2);
    else
        s->number = g_strdup(number);
    *hash = '\0';
    return TRUE;
}

static void
put_run(state *s, GString *out, const xmlNode *run)
{
    g_autofree char *text = run_text(run);
    if (s->in_array) take_number(s, text);
    g_auto(GStrv) pieces = g_strsplit(text, s->in_array ? "&" : "\n", -1);
    for (char **piece = pieces; *piece != NULL; piece++) {
        if (piece != pieces) g_string_append(out, s->in_array ? " & " : " ");
        if (**piece != '\0') put_piece(s, out, run, *piece);
    }
}

/* ---- structures ---- */

static void
put_fraction(state *s, GString *out, const xmlNode *node)
{
    const char *type = property(node, "fPr", "type");
    g_autofree char *over = inner_of(s, node, "num"), *under = inner_of(s, node, "den");
    if (type != NULL && (strcmp(type, "lin") == 0 || strcmp(type, "skw") == 0)) {
        layout_tex_group(out, over);
        g_string_append_c(out, '/');
        layout_tex_group(out, under);
        return;
    }
    layout_tex_put(out,
                   type != NULL && strcmp(type, "noBar") == 0 ? "\\genfrac{}{}{0pt}{}" : "\\frac");
    layout_tex_group(out, over);
    layout_tex_group(out, under);
}

static void
put_radical(state *s, GString *out, const xmlNode *node)
{
    g_autofree char *index = inner_of(s, node, "deg"), *base = inner_of(s, node, "e");
    layout_tex_put(out, "\\sqrt");
    if (*index != '\0' && !is_on(property(node, "radPr", "degHide")))
        g_string_append_printf(out, "[{%s}]", index);
    layout_tex_group(out, base);
}

static void
put_scripts(state *s, GString *out, const xmlNode *node)
{
    g_autofree char *base = inner_of(s, node, "e");
    g_autofree char *sub = inner_of(s, node, "sub"), *sup = inner_of(s, node, "sup");
    if (layout_html_is(node, "sPre")) {
        layout_tex_scripts(out, "", sub, sup);
        layout_tex_put(out, base);
    } else {
        layout_tex_scripts(out, base, sub, sup);
    }
}

static void
put_nary(state *s, GString *out, const xmlNode *node)
{
    g_autoptr(GString) sign = g_string_new(NULL);
    const char *mark = property(node, "naryPr", "chr");
    const char *where = property(node, "naryPr", "limLoc");
    g_autofree char *sub = inner_of(s, node, "sub"), *sup = inner_of(s, node, "sup");
    g_autofree char *body = inner_of(s, node, "e");

    layout_tex_symbols(sign, mark != NULL && *mark != '\0' ? mark : "\342\210\253");
    layout_tex_trim(sign);
    if (is_on(property(node, "naryPr", "subHide"))) sub[0] = '\0';
    if (is_on(property(node, "naryPr", "supHide"))) sup[0] = '\0';
    if (where != NULL && strcmp(where, "undOvr") == 0 && (*sub != '\0' || *sup != '\0'))
        layout_tex_limits(out, sign->str, sub, sup);
    else
        layout_tex_scripts(out, sign->str, sub, sup);
    if (g_ascii_isalpha(body[0]) && g_ascii_isalpha(out->str[out->len - 1]))
        g_string_append_c(out, ' ');
    layout_tex_put(out, body);
}

/* Brackets around several things with separators between them. */
static void
put_delimited(state *s, GString *out, const xmlNode *node)
{
    const char *open = property(node, "dPr", "begChr"), *close = property(node, "dPr", "endChr");
    const char *between = property(node, "dPr", "sepChr");
    g_autoptr(GString) body = g_string_new(NULL);
    guint n = 0;

    for (const xmlNode *e = node->children; e != NULL; e = e->next) {
        if (!layout_html_is(e, "e")) continue;
        if (n++ > 0) layout_tex_symbols(body, between != NULL ? between : "|");
        g_autofree char *part = inner(s, e);
        layout_tex_put(body, part);
    }
    layout_tex_trim(body);
    const gboolean cases =
        open != NULL && strcmp(open, "{") == 0 && close != NULL && *close == '\0';
    const gsize len = strlen("\\begin{aligned}");
    if (cases && g_str_has_prefix(body->str, "\\begin{aligned}") &&
        g_str_has_suffix(body->str, "\\end{aligned}") &&
        strstr(body->str + len, "\\begin{") == NULL) {
        g_string_append_printf(out, "\\left\\{\\begin{aligned}%s\\right.", body->str + len);
        return;
    }
    layout_tex_fence(out, open != NULL ? open : "(", body->str, close != NULL ? close : ")");
}

static void
put_function(state *s, GString *out, const xmlNode *node)
{
    const gboolean outer = s->in_name;
    s->in_name = TRUE;
    g_autofree char *name = inner_of(s, node, "fName");
    s->in_name = outer;
    g_autofree char *body = inner_of(s, node, "e");
    layout_tex_put(out, name);
    layout_tex_put(out, body);
}

static void
put_accent(state *s, GString *out, const xmlNode *node, const char *properties, gunichar mark,
           gboolean under)
{
    g_autofree char *base = inner_of(s, node, "e");
    const char *chr = property(node, properties, "chr");
    mark = first_char(chr, mark);
    const char *command = layout_tex_accent(mark, under, !layout_tex_is_single(base));
    if (command != NULL) {
        layout_tex_put(out, command);
        layout_tex_group(out, base);
        return;
    }
    g_autoptr(GString) sign = g_string_new(NULL);
    char text[8] = {0};
    g_unichar_to_utf8(mark, text);
    layout_tex_symbols(sign, text);
    layout_tex_limits(out, base, under ? sign->str : NULL, under ? NULL : sign->str);
}

static void
put_group_mark(state *s, GString *out, const xmlNode *node)
{
    const char *position = property(node, "groupChrPr", "pos");
    const gboolean top = position != NULL && strcmp(position, "top") == 0;
    put_accent(s, out, node, "groupChrPr", 0x23DF, !top);
}

static void
put_bar(state *s, GString *out, const xmlNode *node)
{
    const char *position = property(node, "barPr", "pos");
    put_accent(s, out, node, "barPr", 0x305, position == NULL || strcmp(position, "top") != 0);
}

static void
put_limit(state *s, GString *out, const xmlNode *node)
{
    const gboolean low = layout_html_is(node, "limLow"), named = s->in_name;
    g_autofree char *base = inner_of(s, node, "e");
    s->in_name = FALSE; /* the limit of a function is no part of its name */
    g_autofree char *limit = inner_of(s, node, "lim");
    s->in_name = named;
    layout_tex_limits(out, base, low ? limit : NULL, low ? NULL : limit);
}

static void
put_row_text(GString *rows, const char *text)
{
    if (text[0] == '[') g_string_append(rows, "{}"); /* "\\[" would take it for a length */
    g_string_append(rows, text);
}

static void
put_matrix(state *s, GString *out, const xmlNode *node)
{
    g_autoptr(GString) rows = g_string_new(NULL);
    guint n_rows = 0, n_cols = 1;
    for (const xmlNode *row = node->children; row != NULL; row = row->next) {
        if (!layout_html_is(row, "mr")) continue;
        guint n = 0;
        if (n_rows++ > 0) g_string_append(rows, " \\\\ ");
        for (const xmlNode *e = row->children; e != NULL; e = e->next) {
            if (!layout_html_is(e, "e")) continue;
            g_autofree char *cell = inner(s, e);
            if (n++ > 0) g_string_append(rows, " & ");
            put_row_text(rows, cell);
        }
        n_cols = MAX(n_cols, n);
    }
    if (n_cols <= 10) { /* a matrix has no more */
        g_string_append_printf(out, "\\begin{matrix}%s\\end{matrix}", rows->str);
        return;
    }
    g_autofree char *columns = g_strnfill(MIN(n_cols, 200), 'c');
    g_string_append_printf(out, "\\begin{array}{%s}%s\\end{array}", columns, rows->str);
}

static void
put_array(state *s, GString *out, const xmlNode *node)
{
    g_autoptr(GString) rows = g_string_new(NULL);
    const gboolean outer = s->in_array;
    guint n = 0;
    for (const xmlNode *e = node->children; e != NULL; e = e->next) {
        if (!layout_html_is(e, "e")) continue;
        s->in_array = TRUE;
        g_autofree char *row = inner(s, e);
        if (n++ > 0) g_string_append(rows, " \\\\ ");
        put_row_text(rows, row);
    }
    s->in_array = outer;
    if (n == 1 && strstr(rows->str, " & ") == NULL)
        layout_tex_put(out, rows->str);
    else
        g_string_append_printf(out, "\\begin{aligned}%s\\end{aligned}", rows->str);
}

/* ---- dispatch ---- */

static void
put_structure(state *s, GString *out, const xmlNode *node)
{
    if (layout_html_is(node, "f"))
        put_fraction(s, out, node);
    else if (layout_html_is(node, "rad"))
        put_radical(s, out, node);
    else if (layout_html_is_one_of(node, " sSub sSup sSubSup sPre "))
        put_scripts(s, out, node);
    else if (layout_html_is(node, "nary"))
        put_nary(s, out, node);
    else if (layout_html_is(node, "d"))
        put_delimited(s, out, node);
    else if (layout_html_is(node, "func"))
        put_function(s, out, node);
    else if (layout_html_is_one_of(node, " limLow limUpp "))
        put_limit(s, out, node);
    else if (layout_html_is(node, "acc"))
        put_accent(s, out, node, "accPr", 0x302, FALSE);
    else if (layout_html_is(node, "bar"))
        put_bar(s, out, node);
    else if (layout_html_is(node, "groupChr"))
        put_group_mark(s, out, node);
    else if (layout_html_is(node, "m"))
        put_matrix(s, out, node);
    else if (layout_html_is(node, "borderBox")) {
        g_autofree char *body = inner_of(s, node, "e");
        layout_tex_style(out, "\\boxed", body);
    } else {
        put_children(s, out, node);
    }
}

static void
put_node(state *s, GString *out, const xmlNode *node)
{
    if (node->type != XML_ELEMENT_NODE || s->depth >= MAX_DEPTH || out->len > MAX_LATEX) return;
    if (g_str_has_suffix((const char *)node->name, "Pr") || layout_html_is(node, "del")) return;
    s->depth++;
    if (layout_html_is(node, "r")) {
        put_run(s, out, node);
    } else if (layout_html_is(node, "eqArr")) {
        put_array(s, out, node);
    } else {
        /* an "&" aligns the rows of the array itself, not what stands in a fraction there */
        const gboolean outer = s->in_array;
        if (!layout_html_is_one_of(node, " box ins sdt sdtContent smartTag ")) s->in_array = FALSE;
        put_structure(s, out, node);
        s->in_array = outer;
    }
    s->depth--;
}

static void
put_children(state *s, GString *out, const xmlNode *node)
{
    for (const xmlNode *n = node->children; n != NULL; n = n->next)
        put_node(s, out, n);
}

char *
layout_omml_to_latex(const xmlNode *math, char **number)
{
    state s = {0};
    GString *out = g_string_new(NULL);
    put_children(&s, out, math);
    layout_tex_trim(out);
    char *latex = g_string_free(out, FALSE);
    if (number != NULL)
        *number = g_steal_pointer(&s.number);
    else
        g_free(s.number);
    if (*latex == '\0' || strlen(latex) > MAX_LATEX) g_clear_pointer(&latex, g_free);
    return latex;
}
