/* Template source to tokens.
 *
 * White space goes as the reference's lexer has it with trim_blocks and lstrip_blocks on: the newline behind
 * a block or comment, and blanks between the start of a line and a block or comment, are not text; a minus
 * inside a mark eats all white space on its side, a plus none. */
#include "engine/jinja_impl.h"

#include <string.h>

typedef struct {
    const char *at, *end;
    uint32_t line;
    jinja_arena *arena;
    GArray *tokens;
    GError **error;
    gboolean line_start; /* the text to come starts a line */
} lexer;

static gboolean
refuse(const lexer *x, const char *what)
{
    g_set_error(x->error, ENGINE_ERROR, ENGINE_ERROR_UNSUPPORTED, "chat template: line %u: %s",
                x->line, what);
    return FALSE;
}

static void
advance(lexer *x, size_t n)
{
    for (; n > 0; n--)
        if (*x->at++ == '\n') x->line++;
}

static gboolean
starts(const lexer *x, const char *mark)
{
    const size_t n = strlen(mark);
    return (size_t)(x->end - x->at) >= n && memcmp(x->at, mark, n) == 0;
}

static void
push(lexer *x, jinja_token_kind kind, const char *text, size_t len)
{
    const jinja_token token = {kind, x->line, text, len};
    g_array_append_val(x->tokens, token);
}

static void
push_copy(lexer *x, jinja_token_kind kind, const char *text, size_t len)
{
    char *copy = jinja_arena_take(x->arena, len + 1);
    memcpy(copy, text, len);
    push(x, kind, copy, len);
}

/* ---- inside a mark ---------------------------------------------------------------------------- */

/* A string's escapes are Python's; those it does not know stay as they are. */
static size_t
unescape(const char *s, size_t n, GString *out)
{
    static const char plain[] = "n\nt\tr\rf\fb\bv\va\a\\\\''\"\"";
    const char c = s[1];
    for (size_t i = 0; plain[i]; i += 2) {
        if (plain[i] != c) continue;
        g_string_append_c(out, plain[i + 1]);
        return 2;
    }
    if (c == '\n') return 2;
    const size_t n_hex = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    gunichar cp = 0;
    size_t i = 2;
    if (n_hex > 0)
        for (; i < n && i < 2 + n_hex && g_ascii_isxdigit(s[i]); i++)
            cp = cp << 4 | (gunichar)g_ascii_xdigit_value(s[i]);
    else
        for (i = 1; i < n && i < 4 && s[i] >= '0' && s[i] <= '7'; i++)
            cp = cp << 3 | (gunichar)(s[i] - '0');
    const gboolean whole = n_hex > 0 ? i == 2 + n_hex : i > 1;
    if (!whole || !g_unichar_validate(cp)) {
        g_string_append_c(out, '\\');
        return 1;
    }
    g_string_append_unichar(out, cp);
    return i;
}

static gboolean
lex_string(lexer *x)
{
    const char quote = *x->at, *s = x->at + 1, *stop = s;
    while (stop < x->end && *stop != quote)
        stop += *stop == '\\' && stop + 1 < x->end ? 2 : 1;
    if (stop >= x->end) return refuse(x, "a string has no end");
    g_autoptr(GString) text = g_string_new(NULL);
    for (const char *p = s; p < stop;) {
        if (*p == '\\' && p + 1 < stop)
            p += unescape(p, (size_t)(stop - p), text);
        else
            g_string_append_c(text, *p++);
    }
    push_copy(x, TOKEN_STRING, text->str, text->len);
    advance(x, (size_t)(stop + 1 - x->at));
    return TRUE;
}

static void
lex_number(lexer *x)
{
    const char *s = x->at;
    gboolean real = FALSE;
    while (s < x->end && (g_ascii_isdigit(*s) || *s == '_'))
        s++;
    if (s + 1 < x->end && *s == '.' && g_ascii_isdigit(s[1])) {
        real = TRUE;
        for (s++; s < x->end && g_ascii_isdigit(*s);)
            s++;
    }
    if (s + 1 < x->end && (*s == 'e' || *s == 'E')) {
        const char *e = s + 1 + (s[1] == '-' || s[1] == '+');
        if (e < x->end && g_ascii_isdigit(*e)) {
            real = TRUE;
            for (s = e; s < x->end && g_ascii_isdigit(*s);)
                s++;
        }
    }
    g_autoptr(GString) text = g_string_new_len(x->at, s - x->at);
    g_string_replace(text, "_", "", 0);
    push_copy(x, real ? TOKEN_FLOAT : TOKEN_INT, text->str, text->len);
    advance(x, (size_t)(s - x->at));
}

static gboolean
lex_operator(lexer *x)
{
    static const char *const known[] = {"**", "//", "==", "!=", "<=", ">=", "+", "-", "*",
                                        "/",  "%",  "~",  "<",  ">",  "=",  ".", ",", ":",
                                        "|",  "(",  ")",  "[",  "]",  "{",  "}"};
    for (size_t i = 0; i < G_N_ELEMENTS(known); i++) {
        if (!starts(x, known[i])) continue;
        push(x, TOKEN_OPERATOR, known[i], strlen(known[i]));
        advance(x, strlen(known[i]));
        return TRUE;
    }
    return refuse(x, "a character has no meaning here");
}

static gboolean
lex_one(lexer *x)
{
    const char c = *x->at;
    if (c == '\'' || c == '"') return lex_string(x);
    if (g_ascii_isdigit(c)) {
        lex_number(x);
        return TRUE;
    }
    if (!g_ascii_isalpha(c) && c != '_') return lex_operator(x);
    size_t n = 1;
    while (x->at + n < x->end && (g_ascii_isalnum(x->at[n]) || x->at[n] == '_'))
        n++;
    push_copy(x, TOKEN_NAME, x->at, n);
    advance(x, n);
    return TRUE;
}

/* Behind the end of a mark: its newline, or all white space. */
static void
after_mark(lexer *x, char sign, gboolean trim)
{
    const char *from = x->at;
    if (sign == '-')
        while (x->at < x->end && g_ascii_isspace(*x->at))
            advance(x, 1);
    else if (trim && sign != '+' && x->at < x->end && *x->at == '\n')
        advance(x, 1);
    x->line_start = x->at > from && x->at[-1] == '\n';
}

/* The tokens up to and with the closing mark, "%}" or "}}". */
static gboolean
lex_mark(lexer *x, const char *close)
{
    const gboolean block = close[0] == '%';
    int depth = 0;
    push(x, block ? TOKEN_BLOCK_BEGIN : TOKEN_PRINT_BEGIN, "", 0);
    for (;;) {
        while (x->at < x->end && g_ascii_isspace(*x->at))
            advance(x, 1);
        if (x->at == x->end) return refuse(x, "a block or expression has no end");
        const char sign = *x->at == '-' || (*x->at == '+' && block) ? *x->at : '\0';
        const char *rest = x->at + (sign != '\0');
        if (depth == 0 && x->end - rest >= 2 && memcmp(rest, close, 2) == 0) {
            push(x, block ? TOKEN_BLOCK_END : TOKEN_PRINT_END, "", 0);
            advance(x, (size_t)(rest + 2 - x->at));
            after_mark(x, sign, block);
            return TRUE;
        }
        depth += strchr("([{", *x->at) != NULL;
        depth -= strchr(")]}", *x->at) != NULL;
        if (!lex_one(x)) return FALSE;
    }
}

/* ---- between marks ---------------------------------------------------------------------------- */

/* Text up to stop, before a mark with this sign; strip: one that lstrip_blocks is about. */
static void
push_text(lexer *x, const char *stop, char sign, gboolean strip)
{
    const char *from = x->at, *end = stop;
    if (sign == '-') {
        while (end > from && g_ascii_isspace(end[-1]))
            end--;
    } else if (strip && sign != '+') {
        const char *p = end;
        while (p > from && p[-1] != '\n' && g_ascii_isspace(p[-1]))
            p--;
        if (p > from ? p[-1] == '\n' : x->line_start) end = p;
    }
    if (end > from) push(x, TOKEN_TEXT, from, (size_t)(end - from));
    advance(x, (size_t)(stop - from));
}

static gboolean
skip_comment(lexer *x)
{
    const char *stop = memmem(x->at, (size_t)(x->end - x->at), "#}", 2);
    if (!stop) return refuse(x, "a comment has no end");
    const char before = stop > x->at ? stop[-1] : '\0';
    advance(x, (size_t)(stop + 2 - x->at));
    after_mark(x, before == '-' || before == '+' ? before : '\0', TRUE);
    return TRUE;
}

/* {% NAME %} at x->at, which is behind "{%" and its sign: behind its end and the end's sign, else NULL. */
static const char *
simple_tag(const lexer *x, const char *s, const char *name, char *sign)
{
    const size_t n = strlen(name);
    while (s < x->end && g_ascii_isspace(*s))
        s++;
    if ((size_t)(x->end - s) < n || memcmp(s, name, n) != 0) return NULL;
    for (s += n; s < x->end && g_ascii_isspace(*s);)
        s++;
    *sign = '\0';
    if (s < x->end && (*s == '-' || *s == '+')) *sign = *s++;
    return x->end - s >= 2 && memcmp(s, "%}", 2) == 0 ? s + 2 : NULL;
}

/* Text as it stands up to {% endraw %}; x->at is behind {% raw %}. */
static gboolean
lex_raw(lexer *x)
{
    for (const char *s = x->at; (s = memmem(s, (size_t)(x->end - s), "{%", 2)) != NULL; s += 2) {
        char sign = '\0', close_sign = '\0';
        const char *inner = s + 2;
        if (inner < x->end && (*inner == '-' || *inner == '+')) sign = *inner++;
        const char *stop = simple_tag(x, inner, "endraw", &close_sign);
        if (!stop) continue;
        push_text(x, s, sign, TRUE);
        advance(x, (size_t)(stop - x->at));
        after_mark(x, close_sign, TRUE);
        return TRUE;
    }
    return refuse(x, "raw has no endraw");
}

static gboolean
lex_next(lexer *x)
{
    const char *s = x->at;
    while ((s = memchr(s, '{', (size_t)(x->end - s))) != NULL &&
           !(s + 1 < x->end && strchr("{%#", s[1]) && s[1]))
        s++;
    if (!s) {
        push_text(x, x->end, '\0', FALSE);
        return TRUE;
    }
    const char kind = s[1];
    const char sign = s + 2 < x->end && (s[2] == '-' || s[2] == '+') ? s[2] : '\0';
    push_text(x, s, sign, kind != '{');
    advance(x, 2 + (sign != '\0'));
    if (kind == '#') return skip_comment(x);
    if (kind == '{') return lex_mark(x, "}}");
    char close_sign = '\0';
    const char *raw = simple_tag(x, x->at, "raw", &close_sign);
    if (!raw) return lex_mark(x, "%}");
    advance(x, (size_t)(raw - x->at));
    after_mark(x, close_sign, TRUE);
    return lex_raw(x);
}

gboolean
jinja_lex(const char *source, size_t len, jinja_arena *arena, GArray *tokens, GError **error)
{
    lexer x = {source, source + len, 1, arena, tokens, error, TRUE};
    if (len > 0 && source[len - 1] == '\n') x.end--; /* keep_trailing_newline is off */
    while (x.at < x.end)
        if (!lex_next(&x)) return FALSE;
    push(&x, TOKEN_END, "", 0);
    return TRUE;
}
