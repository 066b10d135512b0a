/* MathML -> LaTeX.
 *
 * One function per kind of element of presentation markup (MathML 3, chapter 3) appends what it says; each element
 * becomes text in which braces balance, so any nesting of them compiles. Rows are read twice: brackets that enclose
 * something tall grow. Of content markup (chapter 4) <apply> of the usual operators is written, other elements as
 * the text in them. */
#include "layout/readers/html.h"
#include "layout/readers/tex.h"

#include <string.h>

#define MAX_DEPTH 200
#define MAX_LATEX (256 * 1024)
#define MAX_REACH 200 /* elements from a bracket to the one that closes it */

typedef struct {
    guint depth;
    const char *variant; /* mathvariant in force, NULL */
} state;

static void put_node(state *s, GString *out, const xmlNode *node);

static gboolean
is_element(const xmlNode *node)
{
    return node->type == XML_ELEMENT_NODE &&
           !layout_html_is_one_of(node, " annotation annotation-xml mprescripts none ");
}

static const xmlNode *
next_element(const xmlNode *node)
{
    while (node != NULL && !is_element(node))
        node = node->next;
    return node;
}

static const xmlNode *
nth(const xmlNode *node, guint n)
{
    const xmlNode *child = next_element(node->children);
    while (child != NULL && n-- > 0)
        child = next_element(child->next);
    return child;
}

/* The LaTeX of one node; "" for NULL. Free with g_free. */
static char *
latex_of(state *s, const xmlNode *node)
{
    GString *out = g_string_new(NULL);
    if (node != NULL) put_node(s, out, node);
    layout_tex_trim(out);
    return g_string_free(out, FALSE);
}

static const char *
attribute(const xmlNode *node, const char *name)
{
    const char *value = layout_html_attribute(node, name);
    return value != NULL ? value : "";
}

/* ---- tokens ---- */

static const char *
variant_command(const char *variant, const char *text)
{
    static const char *const commands[][2] = {
        {"bold", "\\mathbf"},           {"bold-italic", "\\boldsymbol"},
        {"double-struck", "\\mathbb"},  {"script", "\\mathcal"},
        {"bold-script", "\\mathcal"},   {"fraktur", "\\mathfrak"},
        {"bold-fraktur", "\\mathfrak"}, {"sans-serif", "\\mathsf"},
        {"monospace", "\\mathtt"},      {"normal", "\\mathrm"}};
    const gboolean ascii = g_ascii_isalnum(text[0]) && g_utf8_strlen(text, -1) == 1;
    if (variant == NULL) return NULL;
    for (guint i = 0; i < G_N_ELEMENTS(commands); i++) {
        if (strcmp(commands[i][0], variant) != 0) continue;
        if (ascii) return commands[i][1];
        return strstr(variant, "bold") != NULL ? "\\boldsymbol" : NULL; /* Greek */
    }
    return NULL;
}

static void
put_identifier(state *s, GString *out, const xmlNode *node)
{
    g_autofree char *text = layout_html_text(node);
    const char *own = layout_html_attribute(node, "mathvariant");
    const char *variant = own != NULL ? own : s->variant;
    const char *command = variant_command(variant, text);
    if (layout_tex_is_function(text) || (command == NULL && !g_strcmp0(variant, "normal"))) {
        layout_tex_name(out, text);
        return;
    }
    g_autoptr(GString) inner = g_string_new(NULL);
    if (command != NULL || (variant != NULL && strstr(variant, "italic") != NULL))
        layout_tex_symbols(inner, text);
    else
        layout_tex_name(inner, text);
    layout_tex_style(out, command, inner->str);
}

static void
put_number(state *s, GString *out, const xmlNode *node)
{
    g_autofree char *text = layout_html_text(node);
    const char *own = layout_html_attribute(node, "mathvariant");
    const char *command = variant_command(own != NULL ? own : s->variant, text);
    g_autoptr(GString) inner = g_string_new(NULL);
    layout_tex_symbols(inner, text);
    layout_tex_style(out, command, inner->str);
}

static void
put_operator(GString *out, const xmlNode *node)
{
    g_autofree char *text = layout_html_text(node);
    if (layout_tex_is_function(text) || (g_ascii_isalpha(text[0]) && text[1] != '\0'))
        layout_tex_name(out, text);
    else if (strcmp(text, "\342\200\262") == 0)
        layout_tex_put(out, out->len > 0 ? "'" : "\\prime");
    else if (strcmp(text, "<=") == 0)
        layout_tex_put(out, "\\leq ");
    else if (strcmp(text, ">=") == 0)
        layout_tex_put(out, "\\geq ");
    else if (strcmp(text, "!=") == 0)
        layout_tex_put(out, "\\neq ");
    else
        layout_tex_symbols(out, text);
}

/* ---- rows and brackets ---- */

static char *
operator_text(const xmlNode *node)
{
    return layout_html_is(node, "mo") ? layout_html_text(node) : NULL;
}

/* '(' for what opens, ')' for what closes, '|' for what does either, 0 for neither. */
static char
bracket_kind(const xmlNode *node)
{
    g_autofree char *text = operator_text(node);
    if (text == NULL || *text == '\0') return 0;
    const char *form = attribute(node, "form"), *fence = attribute(node, "fence");
    if (strstr("( [ { \342\237\250 \342\214\210 \342\214\212 \342\214\251", text) != NULL &&
        strcmp(text, " ") != 0)
        return '(';
    if (strstr(") ] } \342\237\251 \342\214\211 \342\214\213 \342\214\252", text) != NULL)
        return ')';
    if (strcmp(text, "|") == 0 || strcmp(text, "\342\200\226") == 0 ||
        strcmp(text, "\342\210\243") == 0 || strcmp(text, "\342\210\245") == 0) {
        if (strcmp(form, "prefix") == 0) return '(';
        if (strcmp(form, "postfix") == 0) return ')';
        return strcmp(fence, "true") == 0 ? '|' : 0;
    }
    return 0;
}

/* The bracket that closes the one at from; NULL: none in this row. */
static const xmlNode *
find_close(const xmlNode *from)
{
    int depth = 0, left = MAX_REACH;
    const gboolean bar = bracket_kind(from) == '|';
    for (const xmlNode *n = next_element(from->next); n != NULL && left-- > 0;
         n = next_element(n->next)) {
        const char kind = bracket_kind(n);
        if (bar && kind == '|' && depth == 0) return n;
        if (kind == '(') depth++;
        if (kind == ')' && depth-- == 0) return bar ? NULL : n;
    }
    return NULL;
}

static void put_row(state *s, GString *out, const xmlNode *from, const xmlNode *end);

static void
put_bracket(state *s, GString *out, const xmlNode **at, const xmlNode *end)
{
    const xmlNode *open = *at, *close = find_close(open);
    g_autofree char *left = operator_text(open);
    g_autofree char *right = close != NULL ? operator_text(close) : g_strdup("");
    const xmlNode *inner = next_element(open->next);
    /* a brace before a table's rows has no other side */
    if (close == NULL && !(inner != NULL && next_element(inner->next) == end &&
                           strstr("{[(", left) != NULL && s->depth < MAX_DEPTH)) {
        put_operator(out, open);
        return;
    }
    g_autoptr(GString) body = g_string_new(NULL);
    s->depth++;
    put_row(s, body, inner, close != NULL ? close : end);
    s->depth--;
    layout_tex_trim(body);
    if (close == NULL && !layout_tex_is_tall(body->str)) {
        put_operator(out, open);
        layout_tex_put(out, body->str);
    } else {
        layout_tex_fence(out, left, body->str, right);
    }
    *at = close != NULL ? close : NULL;
}

static void
put_row(state *s, GString *out, const xmlNode *from, const xmlNode *end)
{
    for (const xmlNode *n = next_element(from); n != NULL && n != end;) {
        if (out->len > MAX_LATEX) return;
        const char kind = s->depth < MAX_DEPTH ? bracket_kind(n) : 0;
        if (kind == '(' || kind == '|') {
            put_bracket(s, out, &n, end);
            if (n == NULL) return;
        } else {
            put_node(s, out, n);
        }
        n = next_element(n->next);
    }
}

static void
put_children(state *s, GString *out, const xmlNode *node)
{
    if (next_element(node->children) != NULL) {
        put_row(s, out, node->children, NULL);
        return;
    }
    g_autofree char *text = layout_html_text(node);
    layout_tex_symbols(out, text);
}

/* ---- fractions, radicals ---- */

static gboolean
is_zero(const char *thickness)
{
    return *thickness != '\0' && g_ascii_strtod(thickness, NULL) == 0 &&
           (g_ascii_isdigit(*thickness) || *thickness == '.');
}

static void
put_fraction(state *s, GString *out, const xmlNode *node)
{
    g_autofree char *over = latex_of(s, nth(node, 0)), *under = latex_of(s, nth(node, 1));
    if (strcmp(attribute(node, "bevelled"), "true") == 0) {
        layout_tex_group(out, over);
        g_string_append_c(out, '/');
        layout_tex_group(out, under);
        return;
    }
    layout_tex_put(out,
                   is_zero(attribute(node, "linethickness")) ? "\\genfrac{}{}{0pt}{}" : "\\frac");
    layout_tex_group(out, over);
    layout_tex_group(out, under);
}

static void
put_root(state *s, GString *out, const xmlNode *node)
{
    g_autofree char *base = latex_of(s, nth(node, 0)), *index = latex_of(s, nth(node, 1));
    layout_tex_put(out, "\\sqrt");
    if (*index != '\0') {
        g_string_append(out, "[{"); /* a bracket in it would end it */
        g_string_append(out, index);
        g_string_append(out, "}]");
    }
    layout_tex_group(out, base);
}

/* ---- scripts ---- */

/* The one character that an element shows; 0: none or several. */
static gunichar
mark_of(const xmlNode *node)
{
    while (node != NULL && layout_html_is_one_of(node, " mrow mstyle ") && nth(node, 0) != NULL &&
           nth(node, 1) == NULL)
        node = nth(node, 0);
    if (!layout_html_is_one_of(node, " mo mi mtext ")) return 0;
    g_autofree char *text = layout_html_text(node);
    return g_utf8_strlen(text, -1) == 1 ? g_utf8_get_char(text) : 0;
}

/* "\xrightarrow" for an arrow that stretches below or above its label, NULL. */
static const char *
long_arrow(const xmlNode *base)
{
    switch (mark_of(base)) {
    case 0x2192:
    case 0x27F6:
        return "\\xrightarrow";
    case 0x2190:
    case 0x27F5:
        return "\\xleftarrow";
    default:
        return NULL;
    }
}

static void
put_over(state *s, GString *out, const xmlNode *base, const xmlNode *under, const xmlNode *over)
{
    g_autofree char *body = latex_of(s, base);
    const gboolean wide = !layout_tex_is_single(body);
    const char *above = over != NULL ? layout_tex_accent(mark_of(over), FALSE, wide) : NULL;
    const char *below = under != NULL ? layout_tex_accent(mark_of(under), TRUE, wide) : NULL;
    const gboolean limits = layout_tex_has_limits(body);

    if (limits && !g_str_has_prefix(body, "\\under") && !g_str_has_prefix(body, "\\over"))
        above = below = NULL;
    if (above != NULL || below != NULL) {
        g_autoptr(GString) inner = g_string_new(NULL);
        for (int i = 0; i < 2; i++) {
            const char *accent = i == 0 ? above : below;
            if (accent == NULL) continue;
            g_string_truncate(inner, 0);
            layout_tex_put(inner, accent);
            layout_tex_group(inner, body);
            g_free(body);
            body = g_strdup(inner->str);
        }
    }
    g_autofree char *low = below == NULL ? latex_of(s, under) : g_strdup("");
    g_autofree char *high = above == NULL ? latex_of(s, over) : g_strdup("");
    const char *arrow = *low != '\0' || *high != '\0' ? long_arrow(base) : NULL;
    if (arrow != NULL) {
        layout_tex_put(out, arrow);
        if (*low != '\0') g_string_append_printf(out, "[{%s}]", low);
        layout_tex_group(out, high);
    } else if (*low == '\0' && *high == '\0') {
        layout_tex_put(out, body);
    } else {
        layout_tex_limits(out, body, low, high);
    }
}

static void
put_scripts(state *s, GString *out, const xmlNode *base, const xmlNode *sub, const xmlNode *sup)
{
    g_autofree char *body = latex_of(s, base);
    g_autofree char *low = sub != NULL ? latex_of(s, sub) : NULL;
    g_autofree char *high = sup != NULL ? latex_of(s, sup) : NULL;
    layout_tex_scripts(out, body, low, high);
}

/* Pairs of scripts behind the base, then behind <mprescripts/> those before it. */
static void
put_multiscripts(state *s, GString *out, const xmlNode *node)
{
    const xmlNode *base = NULL;
    g_autoptr(GString) before = g_string_new(NULL), behind = g_string_new(NULL);
    GString *into = behind;
    guint n = 0;

    for (const xmlNode *c = node->children; c != NULL; c = c->next) {
        if (c->type != XML_ELEMENT_NODE) continue;
        if (layout_html_is(c, "mprescripts")) {
            into = before;
            n = 0;
        } else if (base == NULL) {
            base = c;
        } else {
            const gboolean none = layout_html_is(c, "none");
            g_autofree char *script = none ? g_strdup("") : latex_of(s, c);
            if (n++ % 2 == 0 && into->len > 0) g_string_append(into, "{}");
            if (*script == '\0') continue;
            g_string_append_c(into, n % 2 == 1 ? '_' : '^');
            layout_tex_group(into, script);
        }
    }
    g_autofree char *body = latex_of(s, base);
    if (before->len > 0) g_string_append_printf(out, "{}%s", before->str);
    if (behind->len == 0)
        layout_tex_put(out, body);
    else
        layout_tex_group(out, body);
    g_string_append(out, behind->str);
}

/* ---- tables ---- */

static void
put_table(state *s, GString *out, const xmlNode *node)
{
    g_autoptr(GString) rows = g_string_new(NULL);
    guint n_cols = 1, n_rows = 0;

    for (const xmlNode *row = nth(node, 0); row != NULL; row = next_element(row->next)) {
        guint n = 0;
        if (n_rows++ > 0) g_string_append(rows, " \\\\ ");
        const xmlNode *cell = nth(row, 0);
        if (layout_html_is(row, "mlabeledtr") && cell != NULL) cell = next_element(cell->next);
        for (; cell != NULL; cell = next_element(cell->next)) {
            g_autofree char *text = latex_of(s, cell);
            if (n++ > 0) g_string_append(rows, " & ");
            if (text[0] == '[') g_string_append(rows, "{}"); /* "\\[" would take it for a length */
            g_string_append(rows, text);
        }
        n_cols = MAX(n_cols, n);
    }
    const char *align = attribute(node, "columnalign");
    const gboolean aligned = g_str_has_prefix(align, "right left");
    /* a matrix has 10 columns and no more */
    if (aligned)
        g_string_append_printf(out, "\\begin{aligned}%s\\end{aligned}", rows->str);
    else if (n_cols <= 10)
        g_string_append_printf(out, "\\begin{matrix}%s\\end{matrix}", rows->str);
    else {
        g_autofree char *columns = g_strnfill(MIN(n_cols, 200), 'c');
        g_string_append_printf(out, "\\begin{array}{%s}%s\\end{array}", columns, rows->str);
    }
}

static void
put_fenced(state *s, GString *out, const xmlNode *node)
{
    const char *open = layout_html_attribute(node, "open");
    const char *close = layout_html_attribute(node, "close");
    const char *separators = layout_html_attribute(node, "separators");
    g_autoptr(GString) body = g_string_new(NULL);
    g_autofree char *marks = layout_html_clean(separators != NULL ? separators : ",");
    const char *mark = marks;

    for (const xmlNode *n = nth(node, 0); n != NULL; n = next_element(n->next)) {
        if (body->len > 0 && mark != NULL && *mark != '\0') {
            g_autofree char *one = g_strndup(mark, (gsize)(g_utf8_next_char(mark) - mark));
            layout_tex_symbols(body, one);
            if (*g_utf8_next_char(mark) != '\0')
                mark = g_utf8_next_char(mark); /* the last repeats */
        }
        put_node(s, body, n);
    }
    layout_tex_fence(out, open != NULL ? open : "(", body->str, close != NULL ? close : ")");
}

static void
put_enclosed(state *s, GString *out, const xmlNode *node)
{
    static const char *const commands[][2] = {{"radical", "\\sqrt"},
                                              {"box", "\\boxed"},
                                              {"roundedbox", "\\boxed"},
                                              {"top", "\\overline"},
                                              {"bottom", "\\underline"}};
    const char *notation = attribute(node, "notation");
    g_autoptr(GString) body = g_string_new(NULL);
    put_children(s, body, node);
    for (guint i = 0; i < G_N_ELEMENTS(commands); i++) {
        if (strstr(notation, commands[i][0]) == NULL) continue;
        layout_tex_style(out, commands[i][1], body->str);
        return;
    }
    layout_tex_put(out, body->str);
}

/* ---- content markup ---- */

static const char *
infix_of(const xmlNode *operator)
{
    static const char *const signs[][2] = {{"plus", "+"},
                                           {"minus", "-"},
                                           {"times", ""},
                                           {"eq", "="},
                                           {"neq", "\\neq "},
                                           {"lt", "<"},
                                           {"gt", ">"},
                                           {"leq", "\\leq "},
                                           {"geq", "\\geq "},
                                           {"in", "\\in "},
                                           {"notin", "\\notin "},
                                           {"subset", "\\subseteq "},
                                           {"union", "\\cup "},
                                           {"intersect", "\\cap "},
                                           {"and", "\\wedge "},
                                           {"or", "\\vee "},
                                           {"approx", "\\approx "},
                                           {"equivalent", "\\equiv "},
                                           {"implies", "\\Rightarrow "}};
    for (guint i = 0; i < G_N_ELEMENTS(signs); i++)
        if (layout_html_is(operator, signs[i][0])) return signs[i][1];
    return NULL;
}

static void
put_apply(state *s, GString *out, const xmlNode *node)
{
    const xmlNode *operator= nth(node, 0), *first = nth(node, 1), *second = nth(node, 2);
    const char *infix = operator!= NULL ? infix_of(operator) : NULL;

    if (operator== NULL) return;
    if (infix != NULL) {
        const gboolean sum = layout_html_is_one_of(operator, " plus minus ");
        if (first != NULL && second == NULL) layout_tex_put(out, infix);
        for (const xmlNode *n = first; n != NULL; n = next_element(n->next)) {
            g_autofree char *part = latex_of(s, n);
            const xmlNode *inner = layout_html_is(n, "apply") ? nth(n, 0) : NULL;
            const gboolean loose =
                inner != NULL && (layout_html_is(inner, "plus") || layout_html_is(inner, "minus"));
            if (n != first) layout_tex_put(out, infix);
            if (loose && (!sum || n != first) && infix[0] != '=')
                layout_tex_fence(out, "(", part, ")");
            else
                layout_tex_put(out, part);
        }
        return;
    }
    g_autofree char *a = latex_of(s, first), *b = latex_of(s, second);
    if (layout_html_is(operator, "divide")) {
        layout_tex_put(out, "\\frac");
        layout_tex_group(out, a);
        layout_tex_group(out, b);
    } else if (layout_html_is(operator, "power")) {
        layout_tex_scripts(out, a, NULL, b);
    } else if (layout_html_is(operator, "root")) {
        layout_tex_put(out, "\\sqrt");
        layout_tex_group(out, second != NULL ? b : a);
    } else {
        g_autofree char *name = latex_of(s, operator);
        if (*name == '\0') layout_tex_name(out, (const char *)operator->name);
        layout_tex_put(out, name);
        g_autoptr(GString) arguments = g_string_new(NULL);
        for (const xmlNode *n = first; n != NULL; n = next_element(n->next)) {
            g_autofree char *part = latex_of(s, n);
            if (n != first) g_string_append_c(arguments, ',');
            layout_tex_put(arguments, part);
        }
        layout_tex_fence(out, "(", arguments->str, ")");
    }
}

/* ---- dispatch ---- */

static void
put_space(GString *out, const xmlNode *node)
{
    const char *width = attribute(node, "width");
    const double em = g_ascii_strtod(width, NULL);
    if (strstr(width, "em") == NULL) return;
    if (em >= 1.5)
        layout_tex_put(out, "\\qquad ");
    else if (em >= 0.8)
        layout_tex_put(out, "\\quad ");
    else if (em >= 0.15)
        layout_tex_put(out, "\\,");
}

static void
put_styled(state *s, GString *out, const xmlNode *node)
{
    const char *outer = s->variant, *own = layout_html_attribute(node, "mathvariant");
    if (own != NULL) s->variant = own;
    put_children(s, out, node);
    s->variant = outer;
}

static void
put_text(GString *out, const xmlNode *node)
{
    g_autofree char *raw = (char *)NULL;
    GString *all = g_string_new(NULL);
    for (const xmlNode *n = node->children; n != NULL; n = n->next)
        if (n->type == XML_TEXT_NODE && n->content != NULL)
            g_string_append(all, (const char *)n->content);
    raw = g_string_free(all, FALSE);
    /* blanks around it are part of what it says; elsewhere they are not */
    const gboolean before = g_str_has_prefix(raw, "\302\240") || g_str_has_prefix(raw, " ");
    const gboolean behind = g_str_has_suffix(raw, "\302\240") || g_str_has_suffix(raw, " ");
    g_autofree char *text = layout_html_text(node);
    if (*text == '\0') {
        if (before) layout_tex_put(out, "\\;");
        return;
    }
    g_autofree char *full = g_strconcat(before ? " " : "", text, behind ? " " : "", NULL);
    layout_tex_text(out, full);
}

static void
put_element(state *s, GString *out, const xmlNode *node)
{
    if (layout_html_is_one_of(node, " mi ci csymbol "))
        put_identifier(s, out, node);
    else if (layout_html_is_one_of(node, " mn cn "))
        put_number(s, out, node);
    else if (layout_html_is(node, "mo"))
        put_operator(out, node);
    else if (layout_html_is_one_of(node, " mtext ms "))
        put_text(out, node);
    else if (layout_html_is(node, "mspace"))
        put_space(out, node);
    else if (layout_html_is(node, "mfrac"))
        put_fraction(s, out, node);
    else if (layout_html_is(node, "msqrt")) {
        g_autoptr(GString) body = g_string_new(NULL);
        put_children(s, body, node);
        layout_tex_put(out, "\\sqrt");
        layout_tex_group(out, body->str);
    } else if (layout_html_is(node, "mroot"))
        put_root(s, out, node);
    else if (layout_html_is(node, "msub"))
        put_scripts(s, out, nth(node, 0), nth(node, 1), NULL);
    else if (layout_html_is(node, "msup"))
        put_scripts(s, out, nth(node, 0), NULL, nth(node, 1));
    else if (layout_html_is(node, "msubsup"))
        put_scripts(s, out, nth(node, 0), nth(node, 1), nth(node, 2));
    else if (layout_html_is(node, "munder"))
        put_over(s, out, nth(node, 0), nth(node, 1), NULL);
    else if (layout_html_is(node, "mover"))
        put_over(s, out, nth(node, 0), NULL, nth(node, 1));
    else if (layout_html_is(node, "munderover"))
        put_over(s, out, nth(node, 0), nth(node, 1), nth(node, 2));
    else if (layout_html_is(node, "mmultiscripts"))
        put_multiscripts(s, out, node);
    else if (layout_html_is(node, "mtable"))
        put_table(s, out, node);
    else if (layout_html_is(node, "mfenced"))
        put_fenced(s, out, node);
    else if (layout_html_is(node, "menclose"))
        put_enclosed(s, out, node);
    else if (layout_html_is(node, "mphantom")) {
        g_autoptr(GString) body = g_string_new(NULL);
        put_children(s, body, node);
        layout_tex_style(out, "\\phantom", body->str);
    } else if (layout_html_is_one_of(node, " maction semantics ")) {
        if (nth(node, 0) != NULL) put_node(s, out, nth(node, 0));
    } else if (layout_html_is(node, "apply"))
        put_apply(s, out, node);
    else if (layout_html_is(node, "pi"))
        layout_tex_put(out, "\\pi ");
    else if (layout_html_is(node, "infinity"))
        layout_tex_put(out, "\\infty ");
    else
        put_styled(s, out, node);
}

static void
put_node(state *s, GString *out, const xmlNode *node)
{
    if (node->type != XML_ELEMENT_NODE || s->depth >= MAX_DEPTH || out->len > MAX_LATEX) return;
    s->depth++;
    put_element(s, out, node);
    s->depth--;
}

/* ---- annotations ---- */

static const xmlNode *
find_annotation(const xmlNode *node, guint depth)
{
    for (const xmlNode *n = depth < MAX_DEPTH ? node->children : NULL; n != NULL; n = n->next) {
        if (n->type != XML_ELEMENT_NODE) continue;
        const char *encoding =
            layout_html_is(n, "annotation") ? layout_html_attribute(n, "encoding") : NULL;
        if (encoding != NULL && (strcmp(encoding, "application/x-tex") == 0 ||
                                 strcmp(encoding, "LaTeX") == 0 || strcmp(encoding, "TeX") == 0))
            return n;
        const xmlNode *found = find_annotation(n, depth + 1);
        if (found != NULL) return found;
    }
    return NULL;
}

char *
layout_mathml_annotation(const xmlNode *math)
{
    const xmlNode *annotation = find_annotation(math, 0);
    const xmlNode *text = annotation != NULL ? annotation->children : NULL;
    while (text != NULL && text->content == NULL)
        text = text->next;
    return text != NULL ? layout_html_clean((const char *)text->content) : NULL;
}

char *
layout_mathml_to_latex(const xmlNode *math)
{
    char *annotation = layout_mathml_annotation(math);
    if (annotation != NULL) return annotation;
    state s = {0};
    GString *out = g_string_new(NULL);
    put_children(&s, out, math);
    layout_tex_trim(out);
    char *latex = g_string_free(out, FALSE);
    if (*latex == '\0' || strlen(latex) > MAX_LATEX) g_clear_pointer(&latex, g_free);
    return latex;
}
