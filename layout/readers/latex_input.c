/* Where a LaTeX reader's tokens come from: the stack of texts, arguments, macros, \input.
 *
 * Category codes are those of LaTeX and never change. A macro's call puts its body with the arguments filled in on
 * the stack. All of it is bounded: how deep the stack is, and how many bytes are put on it in all, so that
 * \def\x{\x\x} ends with an error rather than never. */
#include "layout/readers/latex.h"

#include <string.h>

#define MAX_FRAMES      200
#define MAX_INPUT_DEPTH 16
#define MAX_PUSHED      ((gsize)64 << 20)
#define MAX_FILE        ((gsize)64 << 20)
#define MAX_ARGS        9

typedef struct {
    char *text; /* owned */
    const char *at, *end;
    char *file; /* NULL: a macro */
} frame;

static void
frame_clear(gpointer data)
{
    frame *f = data;
    g_free(f->text);
    g_free(f->file);
}

static void
macro_free(gpointer data)
{
    tex_macro *macro = data;
    g_free(macro->first);
    g_free(macro->body);
    g_free(macro->end);
    g_free(macro);
}

void
tex_input_init(tex_reader *r)
{
    r->frames = g_array_new(FALSE, TRUE, sizeof(frame));
    g_array_set_clear_func(r->frames, frame_clear);
    r->macros = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, macro_free);
    r->user_environments = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, macro_free);
    r->flags = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    r->files = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
}

void
tex_input_clear(tex_reader *r)
{
    g_array_unref(r->frames);
    g_hash_table_unref(r->macros);
    g_hash_table_unref(r->user_environments);
    g_hash_table_unref(r->flags);
    g_hash_table_unref(r->files);
}

void
tex_warn(tex_reader *r, const char *format, ...)
{
    if (!r->final) return;
    va_list args;
    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);
    layout_builder_add_warning(r->pen.builder, LAYOUT_NONE, message);
}

gboolean
tex_push(tex_reader *r, char *text, const char *file, const char *what)
{
    const gsize len = strlen(text);
    r->n_pushed += len + 16;
    if (r->failed != NULL || r->frames->len >= MAX_FRAMES || r->n_pushed > MAX_PUSHED) {
        if (r->failed == NULL)
            r->failed =
                g_error_new(LAYOUT_ERROR, LAYOUT_ERROR_LIMIT, "%s: expands without end", what);
        g_free(text);
        return FALSE;
    }
    const frame f = {text, text, text + len, g_strdup(file)};
    g_array_append_val(r->frames, f);
    return TRUE;
}

/* The topmost text that is not at its end; NULL where the run's are. */
static frame *
top(tex_reader *r)
{
    while (r->frames->len > r->base) {
        frame *f = &g_array_index(r->frames, frame, r->frames->len - 1);
        if (f->at < f->end && r->failed == NULL && !r->ended) return f;
        g_array_set_size(r->frames, r->frames->len - 1);
    }
    return NULL;
}

/* Behind a comment: its line, and the blanks that the next one begins with. */
static void
skip_comment(frame *f)
{
    const char *eol = memchr(f->at, '\n', (gsize)(f->end - f->at));
    f->at = eol != NULL ? eol + 1 : f->end;
    while (f->at < f->end && (*f->at == ' ' || *f->at == '\t'))
        f->at++;
}

static void
take_command(frame *f, tex_token *token)
{
    const char *name = ++f->at;
    while (f->at < f->end && (g_ascii_isalpha(*f->at) || *f->at == '@'))
        f->at++;
    if (f->at == name && f->at < f->end) f->at = g_utf8_next_char(f->at);
    const gsize n = MIN((gsize)(f->at - name), sizeof token->name - 1);
    memcpy(token->name, name, n);
    token->name[n] = '\0';
    token->kind = TEX_COMMAND;
    if (f->at > name && g_ascii_isalpha(f->at[-1])) {
        while (f->at < f->end && (*f->at == ' ' || *f->at == '\t'))
            f->at++;
        /* one line end is a blank, two are a paragraph */
        if (f->at < f->end && *f->at == '\n') {
            const char *p = f->at + 1;
            while (p < f->end && (*p == ' ' || *p == '\t'))
                p++;
            if (p >= f->end || *p != '\n') f->at = p;
        }
    }
}

static void
take_space(frame *f, tex_token *token)
{
    guint n_lines = 0;
    for (; f->at < f->end && g_ascii_isspace(*f->at); f->at++)
        n_lines += *f->at == '\n' ? 1 : 0;
    token->kind = n_lines > 1 ? TEX_PAR : TEX_SPACE;
}

void
tex_next(tex_reader *r, tex_token *token)
{
    frame *f;
    *token = (tex_token){.kind = TEX_END};
    while ((f = top(r)) != NULL && *f->at == '%')
        skip_comment(f);
    if (f == NULL) return;
    const char ch = *f->at;
    if (ch == '\\') {
        take_command(f, token);
    } else if (g_ascii_isspace(ch)) {
        take_space(f, token);
    } else if (strchr("{}$&", ch) != NULL) {
        f->at++;
        token->kind = ch == '{' ? TEX_OPEN : ch == '}' ? TEX_CLOSE : ch == '$' ? TEX_MATH : TEX_AND;
    } else {
        token->kind = TEX_TEXT;
        token->text = f->at;
        while (f->at < f->end && strchr("\\{}$&% \t\r\n", *f->at) == NULL)
            f->at++;
        if (f->at == token->text) f->at++; /* a NUL, which strchr finds */
        token->len = (gsize)(f->at - token->text);
    }
}

/* ---- arguments ---- */

void
tex_skip_blanks(tex_reader *r)
{
    frame *f;
    while ((f = top(r)) != NULL) {
        if (*f->at == '%')
            skip_comment(f);
        else if (g_ascii_isspace(*f->at))
            f->at++;
        else
            return;
    }
}

gboolean
tex_take(tex_reader *r, char sign)
{
    frame *f = top(r);
    const char *before = f != NULL ? f->at : NULL;
    tex_skip_blanks(r);
    frame *now = top(r);
    if (now != NULL && *now->at == sign) {
        now->at++;
        return TRUE;
    }
    if (now == f && f != NULL) f->at = before;
    return FALSE;
}

/* To the bracket that closes the one before f->at; without it, to the end. */
static char *
take_balanced(frame *f, char close)
{
    const char *start = f->at;
    guint depth = 0;
    for (; f->at < f->end; f->at++) {
        const char ch = *f->at;
        if (ch == '\\') {
            if (f->at + 1 < f->end) f->at++;
        } else if (ch == '%') {
            const char *eol = memchr(f->at, '\n', (gsize)(f->end - f->at));
            if (eol == NULL) break;
            f->at = eol;
        } else if (ch == close && depth == 0) {
            return g_strndup(start, (gsize)(f->at++ - start));
        } else if (ch == '{') {
            depth++;
        } else if (ch == '}' && depth > 0) {
            depth--;
        } else if (ch == '}') { /* "[" that no "]" closes */
            break;
        }
    }
    f->at = MIN(f->at, f->end);
    return g_strndup(start, (gsize)(f->at - start));
}

char *
tex_argument(tex_reader *r)
{
    tex_skip_blanks(r);
    frame *f = top(r);
    if (f == NULL || *f->at == '}') return NULL;
    if (*f->at == '{') {
        f->at++;
        return take_balanced(f, '}');
    }
    const char *start = f->at;
    if (*f->at == '\\') {
        tex_token token;
        take_command(f, &token);
        return g_strdup_printf("\\%s", token.name);
    }
    f->at = g_utf8_next_char(f->at);
    return g_strndup(start, (gsize)(f->at - start));
}

char *
tex_optional(tex_reader *r)
{
    if (!tex_take(r, '[')) return NULL;
    frame *f = top(r);
    return f != NULL ? take_balanced(f, ']') : g_strdup("");
}

char *
tex_name_argument(tex_reader *r)
{
    char *name = tex_argument(r);
    return name != NULL ? g_strstrip(name) : g_strdup("");
}

static gboolean
stands_here(const frame *f, const char *word)
{
    const gsize n = strlen(word);
    return (gsize)(f->end - f->at) >= n && memcmp(f->at, word, n) == 0;
}

/* Does a user's macro that ends the environment ("\ee") stand at f->at? Its length, else 0. */
static gsize
alias_len(const tex_reader *r, const frame *f, const char *end)
{
    gsize n = 1;
    while (f->at + n < f->end && g_ascii_isalpha(f->at[n]))
        n++;
    if (n < 2 || n > 32) return 0;
    char name[32];
    memcpy(name, f->at + 1, n - 1);
    name[n - 1] = '\0';
    const tex_macro *macro = g_hash_table_lookup(r->macros, name);
    return macro != NULL && macro->n_args == 0 && strstr(macro->body, end) != NULL ? n : 0;
}

char *
tex_environment_body(tex_reader *r, const char *name, gboolean verbatim)
{
    g_autofree char *begin = g_strdup_printf("\\begin{%s}", name),
                    *end = g_strdup_printf("\\end{%s}", name);
    frame *f = top(r);
    if (f == NULL) return g_strdup("");
    const char *start = f->at;
    guint depth = 0;
    for (; f->at < f->end; f->at++) {
        if (*f->at == '%' && !verbatim) {
            const char *eol = memchr(f->at, '\n', (gsize)(f->end - f->at));
            if (eol == NULL) break;
            f->at = eol;
            continue;
        }
        if (*f->at != '\\') continue;
        gsize alias = 0;
        if (stands_here(f, end) || (!verbatim && (alias = alias_len(r, f, end)) > 0)) {
            if (depth == 0) {
                char *body = g_strndup(start, (gsize)(f->at - start));
                f->at += alias > 0 ? alias : strlen(end);
                return body;
            }
            depth--;
        } else if (!verbatim && stands_here(f, begin)) {
            depth++;
        } else if (!verbatim && f->at + 1 < f->end) {
            f->at++;
        }
    }
    f->at = f->end;
    return g_strndup(start, (gsize)(f->end - start));
}

void
tex_skip_condition(tex_reader *r, gboolean until_else)
{
    guint depth = 0;
    for (tex_token token;;) {
        tex_next(r, &token);
        if (token.kind == TEX_END) return;
        if (token.kind != TEX_COMMAND) continue;
        if (strcmp(token.name, "fi") == 0) {
            if (depth-- == 0) return;
        } else if (strcmp(token.name, "else") == 0) {
            if (depth == 0 && until_else) return;
        } else if (g_str_has_prefix(token.name, "if") && strcmp(token.name, "iff") != 0 &&
                   !g_str_has_prefix(token.name, "ifthen") &&
                   !g_str_has_prefix(token.name, "ifdef") &&
                   !g_str_has_prefix(token.name, "ifstr")) {
            depth++;
        }
    }
}

/* ---- files ---- */

static gboolean
is_open(const tex_reader *r, const char *name, guint *depth)
{
    *depth = 0;
    for (guint i = 0; i < r->frames->len; i++) {
        const frame *f = &g_array_index(r->frames, frame, i);
        if (f->file == NULL) continue;
        ++*depth;
        if (strcmp(f->file, name) == 0) return TRUE;
    }
    return FALSE;
}

void
tex_include(tex_reader *r, const char *name)
{
    static const char *const endings[] = {".tex", "", ".ltx"};
    g_autoptr(GError) error = NULL;
    for (gsize i = 0; i < G_N_ELEMENTS(endings); i++) {
        const char *own = g_hash_table_lookup(r->files, name);
        if (*endings[i] != '\0' && g_str_has_suffix(name, endings[i])) continue;
        g_autofree char *file =
            g_strconcat(name[0] == '.' && name[1] == '/' ? name + 2 : name, endings[i], NULL);
        guint depth;
        if (is_open(r, file, &depth)) {
            tex_warn(r, "\\input{%s}: this file is being read already: a cycle, not followed",
                     name);
            return;
        }
        if (depth >= MAX_INPUT_DEPTH) {
            tex_warn(r, "\\input{%s}: files that include files more than %d deep, not followed",
                     name, MAX_INPUT_DEPTH);
            return;
        }
        if (own != NULL) {
            tex_push(r, g_strdup(own), file, name);
            return;
        }
        g_autoptr(GBytes) bytes =
            layout_source_beside(r->source, file, MAX_FILE, error == NULL ? &error : NULL);
        if (bytes == NULL) continue;
        gsize len = 0;
        const char *data = g_bytes_get_data(bytes, &len);
        tex_push(r, g_utf8_make_valid(data != NULL ? data : "", (gssize)len), file, name);
        return;
    }
    tex_warn(r, "\\input{%s}: not read: %s", name, error != NULL ? error->message : "not found");
}

/* ---- macros ---- */

static char *
bare_name(char *name)
{
    g_strstrip(name);
    if (*name == '\\') memmove(name, name + 1, strlen(name));
    return g_strstrip(name);
}

static void
macro_add(GHashTable *table, char *name, guint n_args, char *first, char *body, char *end)
{
    tex_macro *macro = g_new0(tex_macro, 1);
    macro->n_args = MIN(n_args, MAX_ARGS);
    macro->first = first;
    macro->body = body != NULL ? body : g_strdup("");
    macro->end = end;
    g_hash_table_replace(table, name, macro);
}

/* LaTeX's own that documents redefine for looks alone: numbers and names that are made here. */
static gboolean
keeps_its_meaning(const char *name)
{
    static const char *const kept[] = {
        "begin",     "end",      "item",  "section",      "subsection",
        "cite",      "ref",      "label", "caption",      "par",
        "maketitle", "footnote", "input", "thefootnote",  "title",
        "author",    "abstract", "and",   "arraystretch", "baselinestretch"};
    if (g_str_has_prefix(name, "the") && strlen(name) > 4) return TRUE;
    for (gsize i = 0; i < G_N_ELEMENTS(kept); i++)
        if (strcmp(name, kept[i]) == 0) return TRUE;
    return FALSE;
}

static void
define(tex_reader *r, char *name, guint n_args, char *first, char *body, gboolean again)
{
    bare_name(name);
    if (*name == '\0' || keeps_its_meaning(name) ||
        (!again && g_hash_table_contains(r->macros, name))) {
        g_free(name), g_free(first), g_free(body);
        return;
    }
    macro_add(r->macros, name, n_args, first, body, NULL);
}

/* \def\name#1#2{body}; a delimited parameter text is beyond us: the macro is then none. */
static void
define_plain(tex_reader *r)
{
    g_autofree char *name = tex_argument(r);
    if (name == NULL) return;
    g_autoptr(GString) parameters = g_string_new(NULL);
    frame *f;
    while ((f = top(r)) != NULL && *f->at != '{' && parameters->len < 200)
        g_string_append_c(parameters, *f->at++);
    g_autofree char *body = tex_argument(r);
    guint n_args = 0;
    gboolean simple = body != NULL;
    for (const char *p = parameters->str; *p != '\0'; p++) {
        if (*p == '#' && g_ascii_isdigit(p[1]))
            n_args++, p++;
        else if (!g_ascii_isspace(*p))
            simple = FALSE;
    }
    if (simple) define(r, g_steal_pointer(&name), n_args, NULL, g_steal_pointer(&body), TRUE);
}

/* \NewDocumentCommand{\name}{m o}{body}: mandatory arguments, and an optional one in front. */
static void
define_document_command(tex_reader *r)
{
    char *name = tex_argument(r);
    g_autofree char *arguments = tex_name_argument(r);
    char *body = tex_argument(r), *first = NULL;
    guint n_args = 0;
    for (const char *p = arguments; *p != '\0'; p++) {
        if (*p == '{') {
            const char *close = strchr(p, '}');
            if (close == NULL) break;
            if (n_args == 1 && first != NULL) {
                g_free(first);
                first = g_strndup(p + 1, (gsize)(close - p - 1));
            }
            p = close;
        } else if (strchr("mOo", *p) != NULL) {
            n_args++;
            if (*p != 'm' && n_args == 1) first = g_strdup("");
        }
    }
    if (name != NULL) {
        define(r, name, n_args, first, body, TRUE);
        return;
    }
    g_free(first), g_free(body);
}

static void
define_command(tex_reader *r, gboolean again)
{
    tex_take(r, '*');
    char *name = tex_argument(r);
    g_autofree char *n_args = tex_optional(r);
    char *first = n_args != NULL ? tex_optional(r) : NULL, *body = tex_argument(r);
    if (name != NULL) {
        define(r, name, n_args != NULL ? (guint)g_ascii_strtoull(n_args, NULL, 10) : 0, first, body,
               again);
        return;
    }
    g_free(first), g_free(body);
}

static void
define_environment(tex_reader *r)
{
    tex_take(r, '*');
    char *name = tex_name_argument(r);
    g_autofree char *n_args = tex_optional(r);
    char *first = n_args != NULL ? tex_optional(r) : NULL;
    char *body = tex_argument(r), *end = tex_argument(r);
    macro_add(r->user_environments, name,
              n_args != NULL ? (guint)g_ascii_strtoull(n_args, NULL, 10) : 0, first, body,
              end != NULL ? end : g_strdup(""));
}

static void
define_let(tex_reader *r)
{
    char *name = tex_argument(r);
    tex_take(r, '=');
    g_autofree char *other = tex_argument(r);
    if (name == NULL || other == NULL) {
        g_free(name);
        return;
    }
    g_autofree char *target = bare_name(g_strdup(other));
    const tex_macro *macro = g_hash_table_lookup(r->macros, target);
    if (macro != NULL)
        define(r, name, macro->n_args, g_strdup(macro->first), g_strdup(macro->body), TRUE);
    else if (strcmp(bare_name(name), target) != 0)
        define(r, name, 0, NULL, g_strdup_printf("\\" TEX_BUILT_IN "%s", target), TRUE);
    else
        g_free(name);
}

static void
define_theorem(tex_reader *r)
{
    tex_take(r, '*');
    char *name = tex_name_argument(r);
    char *shared = tex_optional(r);
    char *title = tex_argument(r);
    g_free(tex_optional(r));
    if (shared != NULL) g_hash_table_replace(r->shared, g_strdup(name), shared);
    g_hash_table_replace(r->theorems, name, title != NULL ? title : g_strdup(""));
}

gboolean
tex_define(tex_reader *r, const char *command)
{
    if (strcmp(command, "newcommand") == 0 || strcmp(command, "renewcommand") == 0 ||
        strcmp(command, "DeclareRobustCommand") == 0) {
        define_command(r, TRUE);
    } else if (strcmp(command, "providecommand") == 0) {
        define_command(r, FALSE);
    } else if (strcmp(command, "def") == 0 || strcmp(command, "gdef") == 0 ||
               strcmp(command, "edef") == 0 || strcmp(command, "xdef") == 0) {
        define_plain(r);
    } else if (strcmp(command, "NewDocumentCommand") == 0 ||
               strcmp(command, "RenewDocumentCommand") == 0) {
        define_document_command(r);
    } else if (strcmp(command, "let") == 0) {
        define_let(r);
    } else if (strcmp(command, "DeclareMathOperator") == 0) {
        const gboolean star = tex_take(r, '*');
        char *name = tex_argument(r);
        g_autofree char *text = tex_argument(r);
        if (name != NULL)
            define(r, name, 0, NULL,
                   g_strdup_printf("\\operatorname%s{%s}", star ? "*" : "", text ? text : ""),
                   TRUE);
    } else if (strcmp(command, "newenvironment") == 0 || strcmp(command, "renewenvironment") == 0) {
        define_environment(r);
    } else if (strcmp(command, "newtheorem") == 0) {
        define_theorem(r);
    } else if (strcmp(command, "newif") == 0) {
        char *name = tex_name_argument(r);
        g_hash_table_replace(r->flags, bare_name(name), GINT_TO_POINTER(FALSE));
    } else {
        return FALSE;
    }
    return TRUE;
}

char *
tex_call(tex_reader *r, const tex_macro *macro, const char *body)
{
    char *args[MAX_ARGS] = {NULL};
    guint n = 0;
    if (macro->first != NULL && macro->n_args > 0) {
        args[0] = tex_optional(r);
        if (args[0] == NULL) args[0] = g_strdup(macro->first);
        n = 1;
    }
    for (; n < macro->n_args; n++)
        args[n] = tex_argument(r);
    GString *out = g_string_new(NULL);
    for (const char *p = body; *p != '\0'; p++) {
        if (*p == '#' && p[1] == '#') {
            g_string_append_c(out, '#');
            p++;
        } else if (*p == '#' && p[1] >= '1' && p[1] <= '9') {
            const char *arg = args[p[1] - '1'];
            if (arg != NULL && out->len + strlen(arg) < MAX_PUSHED) g_string_append(out, arg);
            p++;
        } else {
            g_string_append_c(out, *p);
        }
    }
    for (guint i = 0; i < MAX_ARGS; i++)
        g_free(args[i]);
    return g_string_free(out, FALSE);
}

gboolean
tex_expand(tex_reader *r, const char *name)
{
    const tex_macro *macro = g_hash_table_lookup(r->macros, name);
    if (macro == NULL) return FALSE;
    g_autofree char *what = g_strdup_printf("\\%s", name);
    char *text = tex_call(r, macro, macro->body);
    tex_push(r, text, NULL, what);
    return TRUE;
}

/* ---- conditions ---- */

gboolean
tex_condition(tex_reader *r, const char *name)
{
    if (strcmp(name, "fi") == 0) return TRUE;
    if (strcmp(name, "else") == 0) {
        tex_skip_condition(r, FALSE);
        return TRUE;
    }
    if (g_str_has_suffix(name, "true") || g_str_has_suffix(name, "false")) {
        const gboolean value = g_str_has_suffix(name, "true");
        g_autofree char *flag =
            g_strdup_printf("if%.*s", (int)strlen(name) - (value ? 4 : 5), name);
        if (!g_hash_table_contains(r->flags, flag)) return FALSE;
        g_hash_table_replace(r->flags, g_steal_pointer(&flag), GINT_TO_POINTER(value));
        return TRUE;
    }
    if (strcmp(name, "ifdefempty") == 0 || strcmp(name, "ifstrempty") == 0 ||
        strcmp(name, "ifthenelse") == 0 || strcmp(name, "ifdef") == 0) {
        g_autofree char *what = tex_name_argument(r), *yes = tex_argument(r), *no = tex_argument(r);
        const tex_macro *macro = g_hash_table_lookup(r->macros, *what == '\\' ? what + 1 : what);
        const gboolean empty =
            *what == '\\' ? macro == NULL || *macro->body == '\0' : *what == '\0';
        const gboolean holds = strcmp(name, "ifdef") == 0 ? macro != NULL : empty;
        const char *taken = holds ? yes : no;
        if (taken != NULL) tex_push(r, g_strdup(taken), NULL, name);
        return TRUE;
    }
    if (!g_str_has_prefix(name, "if") || strcmp(name, "iff") == 0) return FALSE;
    const gboolean holds =
        strcmp(name, "iftrue") == 0 || GPOINTER_TO_INT(g_hash_table_lookup(r->flags, name));
    if (!holds) tex_skip_condition(r, TRUE);
    return TRUE;
}
