/* tabular and its like -> cells with spans. Rules are looked at only where the first one below a row says that what
 * stands above it is the table's head. */
#include "layout/readers/latex.h"

#include <string.h>

typedef struct {
    tex_reader *r;
    layout_pen_grid *grid;
    GArray *held; /* guint per column: rows that a \multirow above still fills */
    guint n_rows;
    gboolean has_head;
} table;

/* ---- pieces of the source ---- */

/* The length of the group "{...}" at text, 0 where there is none; blanks in front count. */
static gsize
group_len(const char *text, char open, char close)
{
    const char *p = text + strspn(text, " \t\n");
    if (*p != open) return 0;
    guint depth = 0;
    for (; *p != '\0'; p++) {
        if (*p == '\\' && p[1] != '\0')
            p++;
        else if (*p == open)
            depth++;
        else if (*p == close && --depth == 0)
            return (gsize)(p + 1 - text);
    }
    return 0;
}

/* The inside of the group that text [len] ends in. */
static char *
group_text(const char *text, gsize len)
{
    const char *open = text + strspn(text, " \t\n");
    return len > 0 ? g_strndup(open + 1, (gsize)(text + len - 1 - (open + 1))) : g_strdup("");
}

/* Does \name stand at p, and not a longer word? */
static gboolean
is_command(const char *p, const char *name)
{
    const gsize n = strlen(name);
    return *p == '\\' && strncmp(p + 1, name, n) == 0 && !g_ascii_isalpha(p[1 + n]);
}

/* Bytes of a rule or another command between rows at p, 0 where there is none. */
static gsize
rule_len(const char *p)
{
    static const char *const names[] = {
        "hline",          "toprule",   "midrule",       "bottomrule",   "cline",
        "cmidrule",       "Xhline",    "hhline",        "addlinespace", "specialrule",
        "noalign",        "endhead",   "endfirsthead",  "endfoot",      "endlastfoot",
        "arrayrulecolor", "rowcolor",  "hdashline",     "cdashline",    "morecmidrules",
        "vspace",         "centering", "tabularnewline"};
    if (*p != '\\') return 0;
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        if (!is_command(p, names[i])) continue;
        const char *at = p + 1 + strlen(names[i]);
        gsize n;
        if ((n = group_len(at, '(', ')')) > 0) at += n;
        if ((n = group_len(at, '[', ']')) > 0) at += n;
        if ((n = group_len(at, '(', ')')) > 0) at += n;
        const guint most = strcmp(names[i], "specialrule") == 0 ? 3 : 1;
        const gboolean takes = strcmp(names[i], "hline") != 0 && !strstr(names[i], "end") &&
                               strcmp(names[i], "centering") != 0;
        for (guint k = 0; takes && k < most && (n = group_len(at, '{', '}')) > 0; k++)
            at += n;
        return (gsize)(at - p);
    }
    return 0;
}

/* ---- cells ---- */

typedef struct {
    char *text;
    guint cols, rows;
} cell;

/* \multicolumn{2}{c}{...}, \multirow{3}{*}{...}: takes the outer one off; FALSE where there is none. */
static gboolean
unwrap(GString *raw, cell *c)
{
    const char *p = raw->str + strspn(raw->str, " \t\n{");
    const gboolean column = is_command(p, "multicolumn");
    if (!column && !is_command(p, "multirow") && !is_command(p, "multirowcell")) return FALSE;
    const gboolean inner = p > raw->str && memchr(raw->str, '{', (gsize)(p - raw->str)) != NULL;
    p += strcspn(p, "{[ ");
    gsize n;
    if ((n = group_len(p, '[', ']')) > 0) p += n;
    if ((n = group_len(p, '{', '}')) == 0) return FALSE;
    g_autofree char *count = group_text(p, n);
    p += n;
    if ((n = group_len(p, '[', ']')) > 0) p += n;
    if ((n = group_len(p, '{', '}')) > 0)
        p += n;
    else if (*(p += strspn(p, " ")) == '*')
        p++;
    if ((n = group_len(p, '[', ']')) > 0) p += n;
    if ((n = group_len(p, '{', '}')) == 0) return FALSE;
    g_autofree char *text = group_text(p, n);
    const long value = labs(strtol(count, NULL, 10));
    if (column)
        c->cols = (guint)CLAMP(value, 1, 1000);
    else
        c->rows = (guint)CLAMP(value, 1, 10000);
    g_autofree char *rest = g_strdup(p + n);
    if (inner && strrchr(rest, '}') != NULL) *strrchr(rest, '}') = ' ';
    g_string_printf(raw, "%s%s", text, rest);
    return TRUE;
}

static void
read_cell(table *t, const char *raw, cell *c)
{
    g_autoptr(GString) text = g_string_new(raw);
    *c = (cell){NULL, 1, 1};
    for (guint i = 0; i < 3 && unwrap(text, c); i++) {
    }
    c->text = tex_flat(t->r, text->str);
}

/* Bytes of raw that say something. */
static gboolean
is_blank(const char *raw)
{
    for (const char *p = raw; *p != '\0'; p++) {
        const gsize rule = rule_len(p);
        if (rule > 0)
            p += rule - 1;
        else if (!g_ascii_isspace(*p))
            return FALSE;
    }
    return TRUE;
}

static void
take_row(table *t, GPtrArray *raws)
{
    if (raws->len == 1 && is_blank(raws->pdata[0])) return;
    layout_pen_grid_row(t->grid, FALSE);
    t->n_rows++;
    guint col = 0;
    for (guint i = 0; i < raws->len; i++) {
        cell c;
        read_cell(t, raws->pdata[i], &c);
        if (t->held->len < col + c.cols + 1) g_array_set_size(t->held, col + c.cols + 1);
        guint *held = &g_array_index(t->held, guint, col);
        if (*held > 0 && *c.text == '\0') { /* the empty cells below a \multirow are its own */
            for (guint k = 0; k < c.cols; k++)
                if (held[k] > 0) held[k]--;
        } else {
            layout_pen_grid_cell(t->grid, c.rows, c.cols, FALSE, c.text);
            for (guint k = 0; k < c.cols; k++)
                held[k] = c.rows - 1;
        }
        col += c.cols;
        g_free(c.text);
    }
}

/* ---- rows ---- */

static void
end_cell(GPtrArray *cells, GString *text)
{
    g_ptr_array_add(cells, g_strdup(text->str));
    g_string_truncate(text, 0);
}

static void
read_rows(table *t, const char *body)
{
    g_autoptr(GPtrArray) cells = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GString) text = g_string_new(NULL);
    int depth = 0;
    for (const char *p = body; *p != '\0'; p++) {
        gsize rule = 0;
        if (*p == '%') {
            p += strcspn(p, "\n");
            if (*p == '\0') break;
            continue;
        }
        if (depth <= 0 && (is_command(p, "tabularnewline") || (p[0] == '\\' && p[1] == '\\'))) {
            p += p[1] == '\\' ? 2 : strlen("\\tabularnewline");
            if (*p == '*') p++;
            const gsize n = group_len(p, '[', ']');
            p += n;
            end_cell(cells, text);
            take_row(t, cells);
            g_ptr_array_set_size(cells, 0);
            p--;
            continue;
        }
        if (depth <= 0 && (rule = rule_len(p)) > 0) {
            const gboolean between = is_command(p, "midrule") || is_command(p, "hline") ||
                                     is_command(p, "endhead") || is_command(p, "endfirsthead");
            if (between && !t->has_head && t->n_rows > 0 && cells->len == 0) {
                layout_pen_grid_head(t->grid);
                t->has_head = TRUE;
            }
            p += rule - 1;
            continue;
        }
        if (*p == '\\') {
            if (g_str_has_prefix(p, "\\begin{")) depth++;
            if (g_str_has_prefix(p, "\\end{")) depth--;
            g_string_append_c(text, *p);
            if (p[1] != '\0' && !g_ascii_isalpha(p[1])) g_string_append_c(text, *++p);
            continue;
        }
        if (*p == '&' && depth <= 0) {
            end_cell(cells, text);
            continue;
        }
        depth += *p == '{' ? 1 : *p == '}' ? -1 : 0;
        g_string_append_c(text, *p);
    }
    end_cell(cells, text);
    take_row(t, cells);
}

/* Behind the arguments of \begin{tabular}: place, width, columns. */
static const char *
skip_arguments(const char *environment, const char *body)
{
    gsize n;
    if (strcmp(environment, "tabular*") == 0 || g_str_has_prefix(environment, "tabularx") ||
        strcmp(environment, "tabulary") == 0)
        body += group_len(body, '{', '}');
    if ((n = group_len(body, '[', ']')) > 0) body += n;
    return body + group_len(body, '{', '}');
}

layout_pen_grid *
tex_table(tex_reader *r, const char *environment, const char *body)
{
    table t = {.r = r, .grid = layout_pen_grid_new()};
    t.held = g_array_new(FALSE, TRUE, sizeof(guint));
    g_autofree char *made = NULL;
    const char *data = strstr(body, "\\startdata");
    if (g_str_has_prefix(environment, "deluxetable") && data != NULL) {
        /* AASTeX: \tablehead{\colhead{a} & ...} \startdata ... \enddata */
        const char *head = strstr(body, "\\tablehead");
        g_autofree char *names =
            head != NULL ? group_text(head + 10, group_len(head + 10, '{', '}')) : g_strdup("");
        const char *end = strstr(data, "\\enddata");
        const char *start = data + strlen("\\startdata");
        made = g_strdup_printf("%s\\\\\\hline %.*s", names,
                               (int)(end != NULL ? end - start : (gssize)strlen(start)), start);
        body = made;
    } else {
        body = skip_arguments(environment, body);
    }
    read_rows(&t, body);
    g_array_unref(t.held);
    return t.grid;
}
