/* Running text cut into what formulas are made of. Private to layout. */
#ifndef LODE_LAYOUT_MATHTOKENS_H
#define LODE_LAYOUT_MATHTOKENS_H

#include "layout/analyze.h"

G_BEGIN_DECLS

enum {
    TOKEN_BREAK, /* what no formula has */
    TOKEN_MONO,  /* typewriter type: only within braces of mathematics */
    TOKEN_WORD,
    TOKEN_NUMBER,
    TOKEN_SYMBOL, /* a character of mathematics that is none of the following */
    TOKEN_RELATION,
    TOKEN_BINARY,
    TOKEN_SLASH,
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_BAR,
    TOKEN_COMMA,
    TOKEN_COLON,
    TOKEN_DOT,
    TOKEN_DOTS,
    TOKEN_PRIME
};

#define MATH_SCRIPTS (LAYOUT_SPAN_SUPERSCRIPT | LAYOUT_SPAN_SUBSCRIPT)

typedef struct {
    guint start, end; /* bytes */
    guint flags;      /* of its first character */
    gunichar ch;      /* its first character */
    guint8 kind;
    gboolean space;    /* a blank stands before it */
    gboolean math;     /* by now */
    gboolean function; /* a WORD such as "log" */
    guint letters;     /* of a WORD */
    int partner;       /* of a bracket: index, LAYOUT_NONE */
} math_token;

typedef struct {
    const char *text;
    const guint32 *flags;
    GArray *tokens;
} math_text;

static inline math_token *
math_token_at(const math_text *m, guint i)
{
    return i < m->tokens->len ? &g_array_index(m->tokens, math_token, i) : NULL;
}

static inline gboolean
math_is_operator(const math_token *t)
{
    return t != NULL && (t->kind == TOKEN_RELATION || t->kind == TOKEN_BINARY);
}

static inline gboolean
math_is_script(const math_token *t)
{
    return t != NULL && (t->flags & MATH_SCRIPTS) != 0;
}

/* One letter of a text font. */
static inline gboolean
math_is_letter(const math_token *t)
{
    return t != NULL && t->kind == TOKEN_WORD && t->letters == 1 && !math_is_script(t);
}

static inline gboolean
math_is_styled(const math_token *t)
{
    return (t->flags & (LAYOUT_SPAN_BOLD | LAYOUT_SPAN_ITALIC)) != 0;
}

/* ---- mathtokens.c ---- */
/* Appends the tokens of a text of len bytes; those are mathematics by now that only mathematics has. */
void layout_math_tokens_find(math_text *m, gsize len);

G_END_DECLS
#endif
