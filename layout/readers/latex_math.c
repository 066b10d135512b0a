/* Mathematics: kept as LaTeX, with the document's own macros expanded, without labels and comments. */
#include "layout/readers/latex.h"

#include <string.h>

#define MAX_ROUNDS 12
#define MAX_MATH   ((gsize)1 << 20)

gboolean
tex_is_math_environment(const char *name)
{
    static const char *const names[] = {"equation", "align",   "gather",       "multline",
                                        "eqnarray", "flalign", "displaymath",  "alignat",
                                        "dmath",    "math",    "IEEEeqnarray", "subequations"};
    gsize n = strlen(name);
    if (n > 0 && name[n - 1] == '*') n--;
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
        if (strlen(names[i]) == n && memcmp(names[i], name, n) == 0) return TRUE;
    return FALSE;
}

/* ---- macros ---- */

/* One round over text: every call of a user's macro becomes its body. changed: was there one? */
static char *
expand_once(tex_reader *r, const char *text, gboolean *changed)
{
    const guint base = r->base;
    GString *out = g_string_new(NULL);
    r->base = r->frames->len;
    tex_push(r, g_strdup(text), NULL, "a formula");
    tex_token token;
    for (tex_next(r, &token); token.kind != TEX_END && out->len < MAX_MATH; tex_next(r, &token)) {
        const char *name = token.name;
        switch (token.kind) {
        case TEX_TEXT:
            g_string_append_len(out, token.text, (gssize)token.len);
            break;
        case TEX_SPACE:
        case TEX_PAR:
            g_string_append_c(out, ' ');
            break;
        case TEX_OPEN:
        case TEX_CLOSE:
            g_string_append_c(out, token.kind == TEX_OPEN ? '{' : '}');
            break;
        case TEX_MATH:
        case TEX_AND:
            g_string_append_c(out, token.kind == TEX_MATH ? '$' : '&');
            break;
        default:
            if (g_str_has_prefix(name, TEX_BUILT_IN)) name += strlen(TEX_BUILT_IN);
            const tex_macro *macro =
                name == token.name ? g_hash_table_lookup(r->macros, name) : NULL;
            if (macro != NULL) {
                g_autofree char *body = tex_call(r, macro, macro->body);
                g_string_append_printf(out, "%s", body);
                /* "\x y" with \x for "\alpha" */
                if (body[0] != '\0' && g_ascii_isalpha(body[strlen(body) - 1]))
                    g_string_append_c(out, ' ');
                *changed = TRUE;
            } else {
                g_string_append_printf(out, "\\%s", name);
                if (g_ascii_isalpha(name[0])) g_string_append_c(out, ' ');
            }
        }
    }
    g_array_set_size(r->frames, r->base);
    r->base = base;
    return g_string_free(out, FALSE);
}

/* Takes \name{...} out of text, at most one; its argument, NULL where there is none. */
static char *
cut_command(GString *text, const char *command)
{
    for (char *at = text->str; (at = strstr(at, command)) != NULL; at++) {
        const char *p = at + strlen(command);
        if (g_ascii_isalpha(*p)) continue;
        while (*p == ' ' || *p == '*')
            p++;
        if (*p != '{') continue;
        guint depth = 0;
        const char *end = p;
        for (; *end != '\0'; end++) {
            if (*end == '\\' && end[1] != '\0')
                end++;
            else if (*end == '{')
                depth++;
            else if (*end == '}' && --depth == 0)
                break;
        }
        if (*end == '\0') return NULL;
        char *argument = g_strndup(p + 1, (gsize)(end - p - 1));
        g_string_erase(text, at - text->str, end + 1 - at);
        return argument;
    }
    return NULL;
}

static gboolean
cut_word(GString *text, const char *word)
{
    const gsize n = strlen(word);
    gboolean found = FALSE;
    for (char *at = text->str; (at = strstr(at, word)) != NULL;) {
        if (g_ascii_isalpha(at[n])) {
            at++;
            continue;
        }
        const gssize offset = at - text->str;
        g_string_erase(text, offset, (gssize)n);
        at = text->str + offset;
        found = TRUE;
    }
    return found;
}

/* Blanks as TeX needs them: one between a command and a letter, none else beside signs. */
static char *
tidy(const char *text)
{
    GString *out = g_string_new(NULL);
    for (const char *p = text; *p != '\0'; p++) {
        if (!g_ascii_isspace(*p)) {
            g_string_append_c(out, *p);
            continue;
        }
        if (out->len > 0 && out->str[out->len - 1] != ' ') g_string_append_c(out, ' ');
    }
    /* "\alpha {" and "\alpha ^" need none */
    GString *made = g_string_new(NULL);
    for (const char *p = out->str; *p != '\0'; p++) {
        if (*p == ' ' && p[1] != '\0' && strchr("{}^_\\&,.;:()[]|=<>/'", p[1]) != NULL &&
            made->len > 0 && g_ascii_isalpha(made->str[made->len - 1])) {
            const char *word = made->str + made->len - 1;
            while (word > made->str && g_ascii_isalpha(*word))
                word--;
            if (*word == '\\') continue;
        }
        g_string_append_c(made, *p);
    }
    g_string_free(out, TRUE);
    return g_strstrip(g_string_free(made, FALSE));
}

char *
tex_math(tex_reader *r, const char *raw)
{
    g_autofree char *text = g_strdup(raw);
    for (guint round = 0; round < MAX_ROUNDS && r->failed == NULL; round++) {
        gboolean changed = FALSE;
        char *next = expand_once(r, text, &changed);
        g_free(text);
        text = next;
        if (!changed) break;
    }
    return tidy(text);
}

/* ---- inline ---- */

/* "3.5" and "-2 %" are text. */
static gboolean
is_plain_number(const char *latex)
{
    return *latex != '\0' && latex[strspn(latex, "0123456789.,+- ")] == '\0' &&
           strpbrk(latex, "0123456789") != NULL;
}

void
tex_inline_math(tex_reader *r, const char *raw)
{
    g_autofree char *latex = tex_math(r, raw);
    g_autoptr(GString) text = g_string_new(latex);
    char *label;
    while ((label = cut_command(text, "\\label")) != NULL)
        g_free(label);
    if (is_plain_number(text->str))
        layout_pen_text(&r->pen, text->str, -1);
    else
        layout_pen_math(&r->pen, text->str, NULL);
}

/* To the next "$", or "$$": "\$" and dollars inside of braces (\text{$x$}) do not end it. */
static char *
until_dollar(tex_reader *r, gboolean twice)
{
    GString *out = g_string_new(NULL);
    guint depth = 0;
    tex_token token;
    for (tex_next(r, &token); token.kind != TEX_END; tex_next(r, &token)) {
        if (token.kind == TEX_MATH && depth == 0) {
            if (twice) tex_take(r, '$');
            return g_string_free(out, FALSE);
        }
        if (token.kind == TEX_PAR && !twice) break; /* a dollar that nobody closed */
        if (token.kind == TEX_TEXT) g_string_append_len(out, token.text, (gssize)token.len);
        if (token.kind == TEX_SPACE || token.kind == TEX_PAR) g_string_append_c(out, ' ');
        if (token.kind == TEX_OPEN) depth++;
        if (token.kind == TEX_CLOSE && depth > 0) depth--;
        if (token.kind == TEX_OPEN || token.kind == TEX_CLOSE)
            g_string_append_c(out, token.kind == TEX_OPEN ? '{' : '}');
        if (token.kind == TEX_MATH) g_string_append_c(out, '$');
        if (token.kind == TEX_AND) g_string_append_c(out, '&');
        if (token.kind == TEX_COMMAND) {
            g_string_append_printf(out, "\\%s", token.name);
            if (g_ascii_isalpha(token.name[0])) g_string_append_c(out, ' ');
        }
    }
    return g_string_free(out, FALSE);
}

void
tex_dollar(tex_reader *r)
{
    /* "$$" has nothing in between */
    const gboolean twice = r->flat == 0 && tex_take(r, '$');
    g_autofree char *raw = until_dollar(r, twice);
    if (!r->in_document) return;
    if (twice)
        tex_display(r, NULL, raw);
    else
        tex_inline_math(r, raw);
}

/* ---- displayed ---- */

/* Does the environment number each of its rows? */
static gboolean
numbers_rows(const char *environment)
{
    return g_str_has_prefix(environment, "align") || g_str_has_prefix(environment, "gather") ||
           g_str_has_prefix(environment, "eqnarray") || g_str_has_prefix(environment, "flalign") ||
           g_str_has_prefix(environment, "IEEEeqnarray");
}

static void
add_number(tex_reader *r, const char *number)
{
    if (r->number->len > 0) g_string_append(r->number, ", ");
    g_string_append(r->number, number);
}

/* One row's labels, tag and number; row without them. */
static void
number_row(tex_reader *r, GString *row, gboolean numbered)
{
    g_autofree char *tag = cut_command(row, "\\tag");
    const gboolean none = cut_word(row, "\\nonumber") | cut_word(row, "\\notag");
    g_autofree char *number = NULL;
    if (tag != NULL)
        number = tex_flat(r, tag);
    else if (numbered && !none && row->str[strspn(row->str, " &")] != '\0')
        number = tex_step(r, "equation");
    if (number != NULL) {
        add_number(r, number);
        tex_set_current(r, "Equation", number);
    }
    char *label;
    while ((label = cut_command(row, "\\label")) != NULL) {
        if (number != NULL) tex_label(r, label);
        g_free(label);
    }
}

/* Splits at the "\\" of the outermost level. */
static GPtrArray *
split_rows(const char *text)
{
    GPtrArray *rows = g_ptr_array_new_with_free_func(g_free);
    const char *start = text;
    int depth = 0;
    for (const char *p = text; *p != '\0'; p++) {
        if (g_str_has_prefix(p, "\\begin") || *p == '{') depth++;
        if (g_str_has_prefix(p, "\\end{") || g_str_has_prefix(p, "\\end ") || *p == '}') depth--;
        if (*p != '\\' || p[1] == '\0') continue;
        if (p[1] == '\\' && depth <= 0) {
            g_ptr_array_add(rows, g_strndup(start, (gsize)(p - start)));
            p += 2;
            if (*p == '*') p++;
            if (*p == '[' && strchr(p, ']') != NULL) p = strchr(p, ']') + 1;
            start = p--;
            continue;
        }
        if (!g_ascii_isalpha(p[1])) p++;
    }
    g_ptr_array_add(rows, g_strdup(start));
    return rows;
}

static void
drop_inner(GString *text, const char *name)
{
    static const char *const forms[] = {"\\begin{%s}", "\\end{%s}",    "\\begin{%s*}",
                                        "\\end{%s*}",  "\\begin {%s}", "\\end {%s}"};
    for (gsize i = 0; i < G_N_ELEMENTS(forms); i++) {
        g_autoptr(GString) word = g_string_new(NULL);
        const char *mark = strstr(forms[i], "%s");
        g_string_append_len(word, forms[i], mark - forms[i]);
        g_string_append(word, name);
        g_string_append(word, mark + 2);
        for (char *at; (at = strstr(text->str, word->str)) != NULL;)
            g_string_erase(text, at - text->str, (gssize)word->len);
    }
}

/* \begin{subequations} is a frame around others. */
static gboolean
run_frame(tex_reader *r, const char *environment, const char *raw)
{
    if (!g_str_has_prefix(environment, "subequations")) return FALSE;
    tex_run(r, raw);
    return TRUE;
}

void
tex_display(tex_reader *r, const char *environment, const char *raw)
{
    if (environment == NULL) environment = "displaymath";
    if (run_frame(r, environment, raw)) return;
    g_autofree char *latex = tex_math(r, raw);
    const gboolean numbered = !g_str_has_suffix(environment, "*") &&
                              !g_str_has_prefix(environment, "displaymath") &&
                              strcmp(environment, "math") != 0;
    g_autoptr(GString) whole = g_string_new(NULL);
    g_string_truncate(r->number, 0);
    if (numbers_rows(environment)) {
        g_autoptr(GPtrArray) rows = split_rows(latex);
        guint n_rows = 0;
        for (guint i = 0; i < rows->len; i++) {
            g_autoptr(GString) row = g_string_new(rows->pdata[i]);
            number_row(r, row, numbered);
            if (row->str[strspn(row->str, " ")] == '\0') continue;
            if (n_rows++ > 0) g_string_append(whole, " \\\\ ");
            g_string_append(whole, row->str);
        }
        g_autofree char *body = g_strstrip(g_strdup(whole->str));
        if (n_rows > 1 || strchr(body, '&') != NULL)
            g_string_printf(whole, "\\begin{aligned} %s \\end{aligned}", body);
    } else {
        g_string_assign(whole, latex);
        number_row(r, whole, numbered);
        if (g_str_has_prefix(environment, "multline")) drop_inner(whole, "multline");
    }
    if (r->flat > 0) {
        layout_pen_math(&r->pen, whole->str, NULL);
        return;
    }
    tex_end_block(r);
    layout_pen_formula(&r->pen, whole->str, r->number->len > 0 ? r->number->str : NULL);
}
