/* Mathematics in running text: which stretches of it are formulas.
 *
 *   text --> tokens          numbers, words, letters of math fonts, operators, brackets, commas
 *   tokens --seeds-->        what only mathematics has: its fonts, its operators
 *   seeds --growth-->        operands of operators, arguments of functions, scripts, the brackets around them
 *   runs of tokens --> spans
 *
 * The parts of a formula in a text font - digits, brackets, upright names - are told by what they touch: TeX sets
 * blanks beside relations and binary operators, and none between a function and its bracket (The TeXbook, chapter 18).
 * Charges of ions, powers of units and numbers of notes are scripts of words and stay text. */
#include "layout/mathtext.h"
#include "layout/mathtokens.h"

#include <string.h>

#define MAX_GROUP    64  /* tokens between brackets */
#define MAX_ROUNDS   5   /* of growth */
#define MAX_BRACKETS 128 /* open at once */

/* ---- brackets ---- */

/* Finds which brackets are a pair; those of half-open intervals differ. */
static void
brackets_match(const math_text *m)
{
    guint open[MAX_BRACKETS], depth = 0;
    for (guint i = 0; i < m->tokens->len; i++) {
        math_token *t = math_token_at(m, i);

        if (t->kind == TOKEN_OPEN && depth < MAX_BRACKETS) open[depth++] = i;
        if (t->kind != TOKEN_CLOSE || depth == 0) continue;
        const guint from = open[--depth];
        if (i - from > MAX_GROUP) continue;
        const gboolean round =
            math_token_at(m, from)->ch == '(' || math_token_at(m, from)->ch == '[';
        if (round != (t->ch == ')' || t->ch == ']')) continue;
        t->partner = (int)from;
        math_token_at(m, from)->partner = (int)i;
    }
}

/* ---- growth ---- */

/* A letter, or bold capitals: a product of matrices. */
static gboolean
is_name(const math_text *m, const math_token *t)
{
    if (t == NULL || t->kind != TOKEN_WORD || math_is_script(t)) return FALSE;
    if (t->letters == 1) return TRUE;
    if (t->letters > 3 || !(t->flags & LAYOUT_SPAN_BOLD)) return FALSE;
    for (guint i = t->start; i < t->end; i++)
        if (!g_ascii_isupper(m->text[i])) return FALSE;
    return TRUE;
}

static gboolean
touches(const math_token *next)
{
    return next != NULL && !next->space;
}

typedef struct {
    gboolean like;    /* nothing in it is only text's */
    gboolean math;    /* some of it is mathematics by now */
    gboolean listed;  /* commas divide it */
    gboolean related; /* it has a relation */
    guint words;
} content;

/* What stands between brackets. */
static content
content_of(const math_text *m, guint from, guint to)
{
    content c = {.like = from < to};
    guint depth = 0;
    for (guint i = from; i < to; i++) {
        const math_token *t = math_token_at(m, i), *next = math_token_at(m, i + 1);
        depth += t->kind == TOKEN_OPEN ? 1 : 0;
        depth -= t->kind == TOKEN_CLOSE && depth > 0 ? 1 : 0;
        c.math |= t->math && t->kind != TOKEN_RELATION;
        c.listed |= t->kind == TOKEN_COMMA && depth == 0;
        c.related |= t->kind == TOKEN_RELATION && depth == 0;
        if (t->math || math_is_script(t)) continue;
        const math_token *last = math_token_at(m, i - 1);
        const gboolean range =
            t->kind == TOKEN_DOT && ((touches(next) && next->kind == TOKEN_DOT) ||
                                     (!t->space && last != NULL && last->kind == TOKEN_DOT));
        if (t->kind == TOKEN_BREAK || t->kind == TOKEN_MONO || (t->kind == TOKEN_DOT && !range))
            c.like = FALSE;
        if (t->kind == TOKEN_WORD && t->letters > 1 && !t->function &&
            !(i + 1 < to && touches(next) && (next->kind == TOKEN_OPEN || math_is_script(next))))
            c.words++;
    }
    return c;
}

/* Is the bracket at i, opening or closing, one of a pair around mathematics? */
static gboolean
is_group(const math_text *m, guint i)
{
    const math_token *t = math_token_at(m, i);
    if (t == NULL || t->partner < 0) return FALSE;
    const guint other = (guint)t->partner;
    const content c = content_of(m, MIN(i, other) + 1, MAX(i, other));
    return c.like && c.math && c.words == 0;
}

static void
mark(const math_text *m, guint from, guint to)
{
    for (guint i = from; i < to; i++)
        math_token_at(m, i)->math = TRUE;
}

/* Braces and angles of math fonts: all between them is a set, a tuple or a mean, words included. */
static void
sets_grow(const math_text *m)
{
    for (guint i = 0; i < m->tokens->len; i++) {
        const math_token *t = math_token_at(m, i);
        if (t->kind != TOKEN_OPEN || t->partner < 0 || !t->math || t->ch == '(' || t->ch == '[')
            continue;
        const guint to = (guint)t->partner;
        gboolean clean = math_token_at(m, to)->math;
        for (guint k = i + 1; k < to && clean; k++) {
            const math_token *inner = math_token_at(m, k);
            clean = inner->kind != TOKEN_BREAK && inner->kind != TOKEN_DOT &&
                    !(inner->kind == TOKEN_MONO && t->ch == '{');
        }
        /* braces of a file that is shown: "{B}ayesian" */
        const math_token *behind = math_token_at(m, to + 1);
        if (t->ch == '{' && touches(behind) && behind->kind == TOKEN_WORD &&
            !math_is_script(behind))
            clean = math_token_at(m, i)->math = math_token_at(m, to)->math = FALSE;
        if (clean) mark(m, i, to + 1);
    }
}

/* The first token behind i that is no script of it. */
static const math_token *
behind_scripts(const math_text *m, guint i)
{
    guint k = i + 1;
    while (k < m->tokens->len && math_is_script(math_token_at(m, k)) &&
           touches(math_token_at(m, k)))
        k++;
    return math_token_at(m, k);
}

/* A bracket and what it holds. */
static gboolean
group_grow(const math_text *m, guint i)
{
    const math_token *t = math_token_at(m, i);
    math_token *before = i > 0 ? math_token_at(m, i - 1) : NULL;
    if (t->partner < 0) return FALSE;
    const guint to = (guint)t->partner;
    const math_token *behind = math_token_at(m, to + 1), *after = behind_scripts(m, to);
    const content c = content_of(m, i + 1, to);
    if (!c.like) return FALSE;
    const gboolean followed = math_is_operator(after) && after->math;
    const gboolean called =
        before != NULL && !math_is_operator(before) && (touches(t) || before->function);
    if (called && before->kind == TOKEN_OPEN && !before->math) return FALSE; /* the outer decides */
    if (called && before->math && before->kind != TOKEN_COMMA) {
        /* "P(user)", "M[PC + 1]": the name of an event, of a register */
        if (c.words > 1 || (c.words == 1 && c.listed)) return FALSE;
        if (c.words == 1 && to > i + 2 && !math_is_operator(math_token_at(m, i + 2))) return FALSE;
    } else if (called && before->kind == TOKEN_WORD && !math_is_script(before)) {
        const gboolean name = c.words == 1 && to == i + 2 && followed && before->letters == 1;
        if (!name && (c.words > 0 || !(c.math || (followed && before->letters == 1)))) return FALSE;
        before->math = TRUE;
    } else {
        const gboolean letter = to == i + 2 && math_is_letter(math_token_at(m, i + 1)) &&
                                !math_is_styled(math_token_at(m, i + 1));
        const gboolean operand = math_is_operator(before) && before->math && !letter;
        const gboolean script = touches(behind) && (math_is_script(behind) || behind->ch == '!');
        const gboolean indicator = called && before->kind == TOKEN_NUMBER && c.math && c.related;
        if (c.words > 0 ||
            !(operand || indicator || (script && (c.math || (followed && behind != after))) ||
              (c.math && followed) || (c.math && c.listed && !c.related)))
            return FALSE;
        if (called && before->kind == TOKEN_NUMBER && !math_is_script(before)) before->math = TRUE;
    }
    mark(m, i, to + 1);
    return TRUE;
}

/* Charges, powers of units and notes: digits and signs raised behind a word, or a list of numbers. */
static gboolean
is_of_word(const math_text *m, guint i, guint to)
{
    const math_token *base = i > 0 ? math_token_at(m, i - 1) : NULL;
    gboolean plain = TRUE, listed = FALSE;
    for (guint k = i; k < to; k++) {
        const math_token *t = math_token_at(m, k);
        listed |= t->kind == TOKEN_COMMA && !(t->flags & LAYOUT_SPAN_MATH);
        plain &= t->kind == TOKEN_NUMBER || t->kind == TOKEN_COMMA || t->ch == '+' ||
                 t->ch == 0x2212 || t->kind == TOKEN_DOT;
    }
    if (!plain || base == NULL || math_token_at(m, i)->space) return FALSE;
    if (listed && (math_token_at(m, i)->flags & LAYOUT_SPAN_SUPERSCRIPT)) return TRUE;
    guint host = i - 1;
    while (host > 0 && math_is_script(math_token_at(m, host)) && touches(math_token_at(m, host)))
        host--;
    const math_token *h = math_token_at(m, host);
    if (h->kind == TOKEN_CLOSE && h->partner >= 0 && !h->math) {
        /* "(NH4)2+", but "(a + b)2" */
        const content c = content_of(m, (guint)h->partner + 1, host);
        const math_token *after = behind_scripts(m, host);
        return !c.like || c.words > 0 || (!c.math && !(math_is_operator(after) && after->math));
    }
    return h->kind == TOKEN_WORD && !h->math && !(h->letters == 1 && math_is_styled(h));
}

/* Scripts of one level from i on: where they end. */
static guint
scripts_end(const math_text *m, guint i)
{
    const guint level = math_token_at(m, i)->flags & MATH_SCRIPTS;
    guint to = i + 1;
    while (to < m->tokens->len && (math_token_at(m, to)->flags & MATH_SCRIPTS) == level &&
           touches(math_token_at(m, to)))
        to++;
    return to;
}

static void
scripts_settle(const math_text *m)
{
    for (guint i = 0; i < m->tokens->len;) {
        if (!math_is_script(math_token_at(m, i))) {
            i++;
            continue;
        }
        const guint to = scripts_end(m, i);
        if (is_of_word(m, i, to))
            for (guint k = i; k < to; k++)
                math_token_at(m, k)->math = FALSE;
        i = to;
    }
}

/* Scripts of what is mathematics are so too; of an italic letter they make mathematics of it. */
static gboolean
script_grow(const math_text *m, guint i)
{
    math_token *base = i > 0 ? math_token_at(m, i - 1) : NULL;
    if (base == NULL || math_token_at(m, i)->space) return FALSE;
    const guint to = scripts_end(m, i);
    gboolean math = FALSE, words = FALSE;
    for (guint k = i; k < to; k++) {
        math |= math_token_at(m, k)->math;
        words |=
            math_token_at(m, k)->kind == TOKEN_WORD || math_token_at(m, k)->kind == TOKEN_SYMBOL;
        if (math_token_at(m, k)->kind == TOKEN_BREAK || math_token_at(m, k)->kind == TOKEN_MONO)
            return FALSE;
    }
    if (is_of_word(m, i, to)) return FALSE;
    const gboolean letter = math_is_letter(base);
    if (base->math || (letter && (math || words) && math_is_styled(base)) ||
        (letter && math && !(math_token_at(m, i)->flags & LAYOUT_SPAN_SUPERSCRIPT))) {
        /* two digits behind a bracket call a note */
        const math_token *after = math_token_at(m, to);
        const gboolean note = base->kind == TOKEN_CLOSE && to == i + 1 && !math &&
                              math_token_at(m, i)->kind == TOKEN_NUMBER &&
                              math_token_at(m, i)->end - math_token_at(m, i)->start > 1 &&
                              !(math_is_operator(after) && after->math);
        if (note) return FALSE;
        base->math = TRUE;
        mark(m, i, to);
        return TRUE;
    }
    if (base->kind == TOKEN_NUMBER && math && !math_is_script(base)) {
        base->math = TRUE;
        mark(m, i, to);
        return TRUE;
    }
    return FALSE;
}

/* Does this begin, or end, an operand? */
static gboolean
may_be_operand(const math_text *m, guint i)
{
    const math_token *t = math_token_at(m, i);
    if (t == NULL) return FALSE;
    return (t->math && !math_is_operator(t) && t->kind != TOKEN_COMMA) || t->kind == TOKEN_NUMBER ||
           is_name(m, t) || t->function || is_group(m, i);
}

static gboolean
is_even(const math_token *t, const math_token *next)
{
    return next != NULL && t->space == next->space;
}

static gboolean
is_arrow(const math_token *t)
{
    return t->kind == TOKEN_RELATION && ((t->ch >= 0x2190 && t->ch <= 0x21FF) || t->ch >= 0x27F5);
}

static gboolean
number_grow(const math_token *last, const math_token *t, const math_token *next)
{
    if (last != NULL && touches(t) && last->kind == TOKEN_WORD && !math_is_script(last))
        return FALSE;
    /* "3H2": so many molecules */
    if (touches(next) && next->kind == TOKEN_WORD && !next->math && !math_is_styled(next) &&
        !next->function && (last == NULL || last->kind != TOKEN_RELATION || is_arrow(last)))
        return FALSE;
    if (next != NULL && next->math) {
        if (math_is_operator(next) && next->space) return TRUE;
        if (touches(next) && next->kind != TOKEN_CLOSE && next->kind != TOKEN_COMMA) return TRUE;
    }
    if (last == NULL || !last->math) return FALSE;
    /* TeX sets a blank behind a relation: without one the number is not in the formula, "$<$5" */
    if (last->kind == TOKEN_RELATION && last->space && touches(t)) return FALSE;
    if (math_is_operator(last) || last->kind == TOKEN_SLASH) return TRUE;
    if (last->kind == TOKEN_COMMA) return TRUE;
    return touches(t) && last->kind != TOKEN_CLOSE;
}

static gboolean
letter_grow(const math_token *last, const math_token *t, const math_token *next)
{
    const gboolean before = last != NULL && last->math, behind = next != NULL && next->math;
    if (before && last->kind == TOKEN_RELATION && last->space && touches(t)) return FALSE;
    const gboolean amount = last != NULL && last->kind == TOKEN_NUMBER && !math_is_styled(t);
    if (before && touches(t) && last->kind != TOKEN_COMMA && last->kind != TOKEN_SLASH && !amount)
        return TRUE;
    /* but the unit in "12 m^-2" is text */
    if (behind && touches(next) && (!math_is_script(next) || math_is_styled(t)) &&
        next->kind != TOKEN_CLOSE)
        return TRUE;
    /* an arrow in a reaction has elements beside it */
    if (!math_is_styled(t) && ((before && is_arrow(last)) || (behind && is_arrow(next))))
        return FALSE;
    return (before && math_is_operator(last)) ||
           (behind && math_is_operator(next) && next->ch != 0x2212 && next->space);
}

static gboolean
comma_grow(const math_text *m, guint i)
{
    const math_token *last = i > 0 ? math_token_at(m, i - 1) : NULL, *t = math_token_at(m, i),
                     *next = math_token_at(m, i + 1);
    if (last == NULL || next == NULL || !last->math) return FALSE;
    if (next->kind == TOKEN_DOTS && next->math) return TRUE;
    if (last->kind == TOKEN_DOTS && may_be_operand(m, i + 1)) return TRUE;
    if (!(t->flags & LAYOUT_SPAN_MATH)) return FALSE;
    return next->math || next->kind == TOKEN_NUMBER;
}

/* A sign of the text font between what may be its operands. */
static gboolean
operator_grow(const math_text *m, guint i)
{
    const math_token *last = i > 0 ? math_token_at(m, i - 1) : NULL, *t = math_token_at(m, i),
                     *next = math_token_at(m, i + 1);
    if (last == NULL || next == NULL || !(last->math || next->math) || !may_be_operand(m, i - 1))
        return FALSE;
    /* "a += b" */
    if (t->kind == TOKEN_BINARY && next->kind == TOKEN_RELATION && !next->space) return next->math;
    if (!may_be_operand(m, i + 1) || !is_even(t, next)) return FALSE;
    if (t->kind != TOKEN_SLASH) return TRUE;
    /* a list of figures, "1.2 ± 0.1/2.3 ± 0.2", is several */
    return !t->space && !(last->kind == TOKEN_NUMBER && next->kind == TOKEN_NUMBER);
}

static gboolean
token_grow(const math_text *m, guint i)
{
    const math_token *last = i > 0 ? math_token_at(m, i - 1) : NULL,
                     *next = math_token_at(m, i + 1);
    math_token *t = math_token_at(m, i);
    if (math_is_script(t)) return script_grow(m, i);
    gboolean take = FALSE;
    switch (t->kind) {
    case TOKEN_NUMBER:
        take = number_grow(last, t, next);
        break;
    case TOKEN_WORD:
        if (t->function)
            take = (next != NULL && next->math && (!math_is_operator(next) || next->space)) ||
                   (last != NULL && last->math && math_is_operator(last));
        else if (is_name(m, t))
            take = letter_grow(last, t, next);
        break;
    case TOKEN_OPEN:
        return group_grow(m, i);
    case TOKEN_RELATION:
    case TOKEN_BINARY:
    case TOKEN_SLASH:
        take = operator_grow(m, i);
        break;
    case TOKEN_DOT:
        take = (t->flags & LAYOUT_SPAN_MATH) && last != NULL && last->math && !t->space &&
               touches(next) && next->math;
        break;
    case TOKEN_COMMA:
        take = comma_grow(m, i);
        break;
    case TOKEN_COLON:
        take = last != NULL && last->math && next != NULL && next->math &&
               ((t->space && next->space) || next->ch == '=');
        break;
    case TOKEN_PRIME:
        take = last != NULL && last->math && !t->space &&
               (t->ch != '!' || last->kind == TOKEN_CLOSE ||
                (next != NULL && next->math && (!next->space || math_is_operator(next))));
        break;
    case TOKEN_BAR:
        take = (last != NULL && last->math && !t->space) || (touches(next) && next->math);
        break;
    default:
        break;
    }
    t->math = take;
    return take;
}

/* A bold or italic letter alone among words of another look names a vector or a variable, unless it labels a panel:
 * alone in brackets, or where a sentence starts. "E. coli" is no product. */
static void
names_seed(const math_text *m)
{
    for (guint i = 1; i < m->tokens->len; i++) {
        math_token *t = math_token_at(m, i);
        const math_token *last = math_token_at(m, i - 1), *next = math_token_at(m, i + 1);
        if (t->math || !math_is_letter(t) || !math_is_styled(t) || touches(t)) continue;
        const guint style = t->flags & (LAYOUT_SPAN_BOLD | LAYOUT_SPAN_ITALIC);
        const gboolean upright = !(style & LAYOUT_SPAN_ITALIC);
        if ((upright && !g_unichar_isupper(t->ch)) || last->kind == TOKEN_DOT ||
            last->kind == TOKEN_BREAK || last->kind == TOKEN_COLON)
            continue;
        if ((last->kind == TOKEN_WORD && (last->flags & style) != 0) ||
            (next != NULL && next->kind == TOKEN_WORD && (next->flags & style) != 0))
            continue;
        const math_token *behind = math_token_at(m, i + 2);
        const gboolean abbreviated =
            next != NULL && next->kind == TOKEN_DOT && !next->space && behind != NULL &&
            (!behind->space || g_unichar_islower(behind->ch) || (behind->flags & style) != 0);
        if (abbreviated || (touches(next) && next->kind == TOKEN_WORD && !math_is_script(next)))
            continue;
        t->math = TRUE;
    }
}

static void
grow(const math_text *m)
{
    names_seed(m);
    scripts_settle(m);
    sets_grow(m);
    gboolean grown = TRUE;
    for (guint round = 0; grown && round < MAX_ROUNDS; round++) {
        grown = FALSE;
        for (guint i = 0; i < m->tokens->len; i++)
            if (!math_token_at(m, i)->math) grown |= token_grow(m, i);
        for (guint i = m->tokens->len; i-- > 0;)
            if (!math_token_at(m, i)->math) grown |= token_grow(m, i);
    }
}

/* ---- spans ---- */

/* "<" beside an address, a minus or a sign of a text font alone are no mathematics. */
static gboolean
is_something(const math_text *m, guint from, guint to)
{
    gboolean operand = FALSE, math = FALSE;
    for (guint i = from; i < to; i++) {
        const math_token *t = math_token_at(m, i);
        operand |= !math_is_operator(t) && t->kind != TOKEN_COMMA && t->kind != TOKEN_BAR &&
                   t->kind != TOKEN_SLASH && t->kind != TOKEN_OPEN && t->kind != TOKEN_CLOSE &&
                   t->ch != '\\';
        math |= (t->flags & LAYOUT_SPAN_MATH) != 0 || (t->ch & ~0x7FU) != 0 ||
                (t->kind == TOKEN_WORD && math_is_styled(t));
    }
    if (operand) return math || to > from + 1;
    const math_token *first = math_token_at(m, from), *behind = math_token_at(m, to);
    const gboolean angle = first->ch == '<' || first->ch == '>';
    const gboolean address =
        angle && ((touches(behind) && behind->kind != TOKEN_NUMBER) ||
                  (touches(first) && from > 0 && math_token_at(m, from - 1)->kind != TOKEN_OPEN));
    return math && !address && first->kind != TOKEN_OPEN && first->kind != TOKEN_CLOSE &&
           first->ch != '\\';
}

/* The next run of tokens that are mathematics from i on; FALSE: there is none. */
static gboolean
run_next(const math_text *m, guint i, guint *from, guint *to)
{
    for (; i < m->tokens->len; i = *to) {
        while (i < m->tokens->len && !math_token_at(m, i)->math)
            i++;
        *from = *to = i;
        while (*to < m->tokens->len && math_token_at(m, *to)->math)
            (*to)++;
        guint a = *from, z = *to;
        while (a < z && math_token_at(m, a)->kind == TOKEN_COMMA)
            a++;
        while (z > a && (math_token_at(m, z - 1)->kind == TOKEN_COMMA ||
                         math_token_at(m, z - 1)->kind == TOKEN_DOT))
            z--;
        /* "<" of an address behind a formula */
        if (z - a > 1 && math_token_at(m, z - 1)->ch == '<' && math_token_at(m, z - 1)->space &&
            touches(math_token_at(m, z)) && math_token_at(m, z)->kind == TOKEN_WORD)
            z--;
        if (a < z && is_something(m, a, z)) {
            *from = a;
            *to = z;
            return TRUE;
        }
        if (*to == i) break;
    }
    return FALSE;
}

/* Appends the spans from *next on that start before from, cut where what is done ends and where from begins. */
static void
spans_copy(const GArray *spans, guint *next, gsize done, gsize from, gsize end, GArray *out)
{
    for (; *next < spans->len; (*next)++) {
        const layout_span *s = &g_array_index(spans, layout_span, *next);
        if (s->start >= from) break;
        const gsize a = MAX((gsize)s->start, done), z = MIN((gsize)s->start + s->len, from);
        if (a < z) {
            layout_span cut = {(uint32_t)a, (uint32_t)(z - a), s->flags & ~(guint)LAYOUT_SPAN_MATH,
                               s->target};
            if (cut.flags != 0) g_array_append_val(out, cut);
        }
        if (s->start + s->len > end) break; /* goes on behind */
    }
}

static gboolean
has_math(const GArray *spans)
{
    for (guint i = 0; i < spans->len; i++)
        if (g_array_index(spans, layout_span, i).flags & LAYOUT_SPAN_MATH) return TRUE;
    return FALSE;
}

void
layout_math_spans(const char *text, gsize len, GArray *spans, GStringChunk *strings,
                  layout_math_reader reader, gpointer data)
{
    if (len == 0 || len > G_MAXUINT32 || !has_math(spans)) return;
    g_autofree guint32 *flags = g_new0(guint32, len + 1);
    for (guint i = 0; i < spans->len; i++) {
        const layout_span *s = &g_array_index(spans, layout_span, i);
        for (uint32_t k = s->start; k < s->start + s->len; k++)
            flags[k] = s->flags;
    }
    g_autoptr(GArray) tokens = g_array_new(FALSE, FALSE, sizeof(math_token));
    math_text m = {text, flags, tokens};
    layout_math_tokens_find(&m, len);
    brackets_match(&m);
    grow(&m);

    g_autoptr(GArray) out = g_array_new(FALSE, TRUE, sizeof(layout_span));
    g_autoptr(GString) latex = g_string_new(NULL);
    guint next = 0;
    gsize done = 0;
    for (guint i = 0, a, z; run_next(&m, i, &a, &z); i = z) {
        const gsize from = math_token_at(&m, a)->start, end = math_token_at(&m, z - 1)->end;
        spans_copy(spans, &next, done, from, end, out);
        g_string_truncate(latex, 0);
        g_autofree char *read = reader != NULL ? reader(from, end, data) : NULL;
        if (read != NULL)
            g_string_assign(latex, read);
        else
            layout_math_latex(latex, text + from, end - from, flags + from);
        layout_span math = {(uint32_t)from, (uint32_t)(end - from), LAYOUT_SPAN_MATH, NULL};
        g_strstrip(latex->str);
        if (latex->str[0] != '\0') math.target = g_string_chunk_insert(strings, latex->str);
        g_array_append_val(out, math);
        while (next < spans->len) {
            const layout_span *s = &g_array_index(spans, layout_span, next);
            if ((gsize)s->start + s->len > end) break;
            next++;
        }
        done = end;
    }
    spans_copy(spans, &next, done, len, len, out);
    g_array_set_size(spans, 0);
    g_array_append_vals(spans, out->data, out->len);
}
