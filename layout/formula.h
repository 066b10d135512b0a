/* Displayed formulas: LaTeX from where glyphs and rules stand. Private to layout.
 *
 *   marks --formula_items.c--> items     letters, words, operators, delimiters put together, accents
 *   items --formula.c--> items           what rules and radicals hold together becomes one item, inner ones first
 *   items --formula_rows.c--> LaTeX      limits of operators, matrices, rows
 *   items --formula_line.c--> LaTeX      the symbols of a row and their scripts
 *
 * An item is a box on the page with the LaTeX that it stands for. Each step takes a collection of items and
 * makes fewer of them, so a structure is found where all inside it is one item already. */
#ifndef LODE_LAYOUT_FORMULA_H
#define LODE_LAYOUT_FORMULA_H

#include "layout/analyze.h"

G_BEGIN_DECLS

typedef enum {
    FORMULA_ORDINARY,
    FORMULA_DIGIT,
    FORMULA_OPERATOR, /* large, with limits */
    FORMULA_FUNCTION, /* "max", "lim" */
    FORMULA_RELATION,
    FORMULA_BINARY,
    FORMULA_OPEN,
    FORMULA_CLOSE,
    FORMULA_PUNCTUATION,
    FORMULA_TEXT, /* a word in a text font */
    FORMULA_ACCENT,
    FORMULA_RADICAL,
    FORMULA_BRACE_OVER,
    FORMULA_BRACE_UNDER,
    FORMULA_GONE /* part of another item by now */
} formula_kind;

typedef struct {
    float x0, x1, y0, y1; /* ink, or what such characters usually cover */
    float baseline, size; /* size: of its largest letters */
    float axis;           /* where the bar of a fraction is, 0: it is none */
    formula_kind kind;
    gunichar ch;       /* of a single character, else 0 */
    guint font, flags; /* of a single character */
    const char *latex; /* owned by the builder; NULL: nothing to write */
    gboolean tall;     /* a delimiter or operator of more than a line's height */
    gboolean scripted; /* its LaTeX ends in a script */
    gboolean atom;     /* one symbol, or a group with its own braces */
    gboolean labelled; /* a brace over or under it: what stands beyond is its label */
} formula_item;

typedef struct {
    GStringChunk *strings;
    GArray *rules; /* layout_rule: those that no item holds */
    guint n_glyphs, n_unknown;
    guint n_doubts; /* things that stand where nothing explains them */
    guint depth;
} formula_builder;

#define formula_at(items, i) (&g_array_index(items, formula_item, i))

static inline float
formula_middle(const formula_item *item)
{
    return 0.5F * (item->x0 + item->x1);
}

/* A script is smaller than that, in sizes of its line. */
#define FORMULA_SCRIPT 0.87F

static inline gboolean
formula_is_there(const formula_item *item)
{
    return item->kind != FORMULA_GONE;
}

/* Is it of the large things whose size says nothing about the line's? */
static inline gboolean
formula_is_large(const formula_item *item)
{
    return item->tall || item->kind == FORMULA_OPERATOR;
}

/* ---- formula_items.c ---- */
/* Appends marks [n] as items (formula_item), sorted by x0. */
void formula_items_make(formula_builder *b, const layout_work *work, const layout_mark *marks,
                        guint n, GArray *items);
int formula_compare_x(gconstpointer a, gconstpointer b);
/* A copy of text that lives as long as the builder. */
const char *formula_keep(formula_builder *b, const char *text);
/* Appends LaTeX to LaTeX, with a blank where a command would run into a letter. */
void formula_put(GString *out, const char *latex);

/* ---- formula_line.c ---- */
/* Appends a row: items sorted by x0, on one baseline or scripts. aligned: a & before its first relation. */
void formula_line_put(formula_builder *b, GString *out, const GArray *items, gboolean aligned);

/* ---- formula_rows.c ---- */
/* The LaTeX of items within others, such as scripts; "" where they are nested too deep. Free with g_free. */
char *formula_part_latex(formula_builder *b, GArray *part);
/* The size of the line that these are. */
float formula_whole_size(const formula_builder *b, const GArray *items);
/* What these items say. Takes them: they are GONE afterwards. Free with g_free. */
char *formula_latex_of(formula_builder *b, GArray *items);

/* ---- formula.c ---- */
/* A displayed formula of n marks and the horizontal rules among them, sorted by y. *confidence: 0 to 1. NULL
 * where there is nothing to write; free with g_free. */
char *layout_formula_build(const layout_work *work, const layout_mark *marks, guint n,
                           const layout_rule *rules, guint n_rules, float *confidence);

/* ---- formula_trust.c ---- */
/* How far the LaTeX of a display may be trusted for what it says, over 0 up to 1. */
float layout_formula_trust(const char *latex);

G_END_DECLS
#endif
