/* How far the LaTeX of a displayed formula is to be trusted, from what it says.
 *
 * A display is nearly always a statement: it has a relation, its brackets close, it neither starts nor ends with an
 * operator. What breaks these rules is a piece of a formula whose other rows went elsewhere, or text that was taken for
 * one. On the displays of 21 papers (203, 13 of them with less than half of their LaTeX right) the likeness to the
 * authors' source was .92 with a relation and .28 without, .90 with closed brackets and .50 without; each factor below
 * is of that order. Rank correlation with the likeness .47; of formulas below LAYOUT_FORMULA_SURE, one in twenty, the
 * mean likeness was .34, of the others .92. */
#include "layout/formula.h"

#include <string.h>

typedef enum {
    MEANS_OPERAND,
    MEANS_RELATION,
    MEANS_BINARY,
    MEANS_OPEN,
    MEANS_CLOSE,
    MEANS_PUNCTUATION,
    MEANS_LINE, /* a rule over or under something */
    MEANS_SIZED,
    MEANS_NOTHING
} meaning;

static gboolean
is_one_of(const char *const *names, const char *name, gsize len)
{
    for (; *names != NULL; names++)
        if (strlen(*names) == len && memcmp(*names, name, len) == 0) return TRUE;
    return FALSE;
}

static meaning
command_means(const char *name, gsize len)
{
    static const char *const relations[] = {
        "leq",      "geq",      "neq",      "sim",      "simeq",      "approx",    "cong",
        "equiv",    "propto",   "in",       "ni",       "notin",      "subset",    "subseteq",
        "supset",   "supseteq", "to",       "mapsto",   "longmapsto", "triangleq", "ll",
        "gg",       "perp",     "mid",      "models",   "vdash",      "prec",      "succ",
        "preceq",   "succeq",   "leqslant", "geqslant", "lesssim",    "gtrsim",    "doteq",
        "parallel", "asymp",    "coloneqq", "le",       "ge",         "not",       NULL};
    static const char *const binaries[] = {"pm",  "mp",    "cdot",   "times", "cup",
                                           "cap", "oplus", "otimes", "wedge", "vee",
                                           "div", "circ",  NULL};
    static const char *const opens[] = {"langle", "lceil", "lfloor", NULL};
    static const char *const closes[] = {"rangle", "rceil", "rfloor", NULL};
    static const char *const lines[] = {"overline", "underline", NULL};
    static const char *const sizes[] = {"big", "Big", "bigg", "Bigg", NULL};
    static const char *const nothing[] = {"left", "right", "quad", "qquad", "begin", "end", NULL};
    if (is_one_of(relations, name, len)) return MEANS_RELATION;
    if (len > 5 && (g_str_has_prefix(name + len - 5, "arrow"))) return MEANS_RELATION;
    if (is_one_of(binaries, name, len)) return MEANS_BINARY;
    if (is_one_of(opens, name, len)) return MEANS_OPEN;
    if (is_one_of(closes, name, len)) return MEANS_CLOSE;
    if (is_one_of(lines, name, len)) return MEANS_LINE;
    if (is_one_of(sizes, name, len)) return MEANS_SIZED;
    return is_one_of(nothing, name, len) ? MEANS_NOTHING : MEANS_OPERAND;
}

/* What stands at *at, and moves *at behind it. */
static meaning
means_next(const char **at)
{
    const char *p = *at;
    if (*p == '\\') {
        gsize len = 0;
        while (g_ascii_isalpha(p[1 + len]))
            len++;
        *at = p + 1 + MAX(len, p[1] != '\0' ? 1 : 0);
        if (len == 0) return p[1] == '{' ? MEANS_OPEN : p[1] == '}' ? MEANS_CLOSE : MEANS_NOTHING;
        const gboolean environment = (len == 5 && memcmp(p + 1, "begin", 5) == 0) ||
                                     (len == 3 && memcmp(p + 1, "end", 3) == 0);
        if (environment && **at == '{') {
            const char *close = strchr(*at, '}');
            if (close != NULL) *at = close + 1;
        }
        return command_means(p + 1, len);
    }
    *at = g_utf8_next_char(p);
    if (strchr("=<>", *p) != NULL) return MEANS_RELATION;
    if (strchr("+-*", *p) != NULL) return MEANS_BINARY;
    if (strchr("([", *p) != NULL) return MEANS_OPEN;
    if (strchr(")]", *p) != NULL) return MEANS_CLOSE;
    if (strchr(",;.:", *p) != NULL) return MEANS_PUNCTUATION;
    return strchr("{}^_& ~", *p) != NULL ? MEANS_NOTHING : MEANS_OPERAND;
}

/* How many characters of LaTeX a line is over or under: long ones are bars of fractions that lost a side. */
static gboolean
is_long_line(const char *at)
{
    int depth = 0;
    gsize len = 0;
    for (; *at != '\0'; at++, len++) {
        depth += *at == '{' ? 1 : *at == '}' ? -1 : 0;
        if (depth <= 0) break;
    }
    return len > 20;
}

float
layout_formula_trust(const char *latex)
{
    meaning first = MEANS_NOTHING, last = MEANS_NOTHING;
    int open = 0;
    guint n_marks = 0, n_relations = 0, n_sized = 0, n_long = 0;
    for (const char *at = latex; *at != '\0';) {
        const gboolean lower = *at == '-';
        const meaning next = means_next(&at);
        if (next == MEANS_NOTHING) continue;
        n_marks++;
        n_relations += next == MEANS_RELATION ? 1 : 0;
        n_sized += next == MEANS_SIZED ? 1 : 0;
        n_long += next == MEANS_LINE && is_long_line(at) ? 1 : 0;
        open += next == MEANS_OPEN ? 1 : next == MEANS_CLOSE ? -1 : 0;
        if (first == MEANS_NOTHING) first = lower ? MEANS_OPERAND : next;
        if (next != MEANS_PUNCTUATION) last = next;
    }
    float trust = 1;
    if (n_relations == 0) trust *= n_marks < 6 ? 0.25F : 0.4F;
    if (first == MEANS_BINARY || first == MEANS_PUNCTUATION || first == MEANS_CLOSE) trust *= 0.4F;
    if (last == MEANS_BINARY || last == MEANS_RELATION || last == MEANS_OPEN) trust *= 0.5F;

    if (open != 0) trust *= ABS(open) == 1 ? 0.6F : 0.5F;
    if (n_sized % 2 != 0) trust *= 0.7F; /* a large bracket without its partner */
    if (n_long > 0) trust *= 0.5F;
    /* much can go wrong in what is long, and in grids, whose rows are divided by their distance */
    if (strstr(latex, "matrix}") != NULL || strstr(latex, "{cases}") != NULL) trust *= 0.9F;
    return trust * (1 - 0.15F * (float)MIN(strlen(latex), 300) / 300);
}
