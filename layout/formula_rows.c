/* A collection of items -> LaTeX: what is set under and over operators are their limits, tall delimiters around
 * several baselines hold a matrix, the rest are rows, each a line of symbols with their scripts. */
#include "layout/formula.h"

#include <math.h>
#include <string.h>

#define MAX_DEPTH     24
#define MAX_OPERATORS 100 /* of one collection that may have limits */
#define MAX_PASSES    40  /* to find all of a limit, from its middle outwards */

static char *collection_latex(formula_builder *b, GArray *items);

char *
formula_part_latex(formula_builder *b, GArray *part)
{
    if (b->depth >= MAX_DEPTH) {
        b->n_doubts++;
        return g_strdup("");
    }
    b->depth++;
    char *latex = collection_latex(b, part);
    b->depth--;
    return latex;
}

static float
line_size(const GArray *items)
{
    float size = 0, any = 0;
    for (guint i = 0; i < items->len; i++) {
        const formula_item *item = formula_at(items, i);
        if (!formula_is_there(item)) continue;
        any = MAX(any, item->size);
        if (!formula_is_large(item)) size = MAX(size, item->size);
    }
    return size > 0 ? size : any;
}

/* In running text a sum's term may be a fraction, all of it small: where nothing else stands on the line, the
 * operator's font tells its size. */
float
formula_whole_size(const formula_builder *b, const GArray *items)
{
    const float size = line_size(items);
    float large = 0, axis = 0;
    for (guint i = 0; i < items->len && b->depth == 1; i++) {
        const formula_item *item = formula_at(items, i);
        if (!formula_is_there(item)) continue;
        axis = MAX(axis, item->axis);
        if (item->kind == FORMULA_OPERATOR) large = MAX(large, item->size);
    }
    if (axis <= 0 || large <= size) return size;
    for (guint i = 0; i < items->len; i++) {
        const formula_item *item = formula_at(items, i);
        const float off = item->baseline - 0.25F * item->size - axis;
        if (formula_is_there(item) && item->axis <= 0 && !formula_is_large(item) &&
            fabsf(off) < 0.1F * item->size)
            return size;
    }
    return large;
}

/* ---- limits ---- */

/* Of the functions "lim" and "max" have limits, "cos" has scripts. */
static gboolean
is_function_with_limits(const formula_item *item)
{
    static const char *const without[] = {"\\log", "\\ln",  "\\exp",  "\\sin",  "\\cos",  "\\tan",
                                          "\\dim", "\\ker", "\\tanh", "\\sinh", "\\cosh", "\\mod"};
    if (item->kind != FORMULA_FUNCTION || item->latex == NULL) return FALSE;
    for (guint i = 0; i < G_N_ELEMENTS(without); i++)
        if (strcmp(item->latex, without[i]) == 0) return FALSE;
    return TRUE;
}

static gboolean
takes_limits(const formula_item *item)
{
    return formula_is_there(item) && !item->scripted &&
           (item->kind == FORMULA_OPERATOR || is_function_with_limits(item) ||
            item->kind == FORMULA_TEXT || item->kind == FORMULA_RELATION || item->labelled);
}

/* "arg max", "lim sup" are one operator. */
static void
functions_join(formula_builder *b, GArray *items)
{
    for (guint i = 0; i + 1 < items->len; i++) {
        formula_item *first = formula_at(items, i);
        if (first->kind != FORMULA_FUNCTION || first->latex == NULL ||
            (strcmp(first->latex, "\\arg") != 0 && strcmp(first->latex, "\\lim") != 0))
            continue;
        for (guint k = i + 1; k < items->len; k++) {
            formula_item *second = formula_at(items, k);
            if (second->kind != FORMULA_FUNCTION ||
                fabsf(second->baseline - first->baseline) > 0.1F * first->size ||
                second->x0 - first->x1 > 0.5F * first->size)
                continue;
            const gboolean limit = strcmp(first->latex, "\\lim") == 0;
            const gboolean named = limit && (strcmp(second->latex, "\\sup") == 0 ||
                                             strcmp(second->latex, "\\inf") == 0);
            g_autofree char *latex =
                g_strconcat(first->latex, second->latex + (named ? 1 : 0), NULL);
            first->latex = formula_keep(b, latex);
            first->x1 = second->x1;
            second->kind = FORMULA_GONE;
            break;
        }
    }
}

/* May item be part of what is set over (or under) op? */
static gboolean
in_limit_zone(const formula_item *item, const formula_item *op, gboolean over)
{
    float em = op->size;
    if (!formula_is_there(item) || item == op || item->size > FORMULA_SCRIPT * em) return FALSE;
    float middle = 0.5F * (item->y0 + item->y1);
    return over ? middle < op->y0 + 0.1F * em && item->y1 > op->y0 - 0.9F * em
                : middle > op->y1 - 0.1F * em && item->y0 < op->y1 + 0.9F * em;
}

/* Is another operator nearer, on the same line? */
static gboolean
is_nearer_to_another(const GArray *items, const GArray *operators, guint op_index, float x)
{
    const formula_item *op = formula_at(items, op_index);
    for (guint k = 0; k < operators->len; k++) {
        const guint i = g_array_index(operators, guint, k);
        const formula_item *other = formula_at(items, i);
        if (i == op_index || !takes_limits(other) || other->kind == FORMULA_RELATION ||
            (other->kind == FORMULA_TEXT && op->kind != FORMULA_TEXT) ||
            other->size < 0.9F * op->size ||
            fabsf(other->baseline - op->baseline) > 0.6F * op->size)
            continue;
        if (fabsf(formula_middle(other) - x) < fabsf(formula_middle(op) - x)) return TRUE;
    }
    return FALSE;
}

/* Is it in a script at the right of an integral on the line above or below, such as "a(t)"? */
static gboolean
is_script_of_another(const GArray *items, const GArray *operators, const formula_item *op,
                     const formula_item *item)
{
    const float middle = 0.5F * (item->y0 + item->y1), em = op->size;
    for (guint k = 0; k < operators->len; k++) {
        const formula_item *other = formula_at(items, g_array_index(operators, guint, k));
        if (other->kind == FORMULA_OPERATOR && !other->scripted &&
            fabsf(other->baseline - op->baseline) > 0.6F * em && middle > other->y0 - 0.1F * em &&
            middle < other->y1 + 0.1F * em && item->x0 > formula_middle(other) &&
            item->x0 < other->x1 + 2 * em)
            return TRUE;
    }
    return FALSE;
}

/* Limits of an operator on one side, NULL: there are none. They are centred on it. */
static char *
limit_take(formula_builder *b, GArray *items, const GArray *operators, guint op_index,
           gboolean over)
{
    const formula_item op = *formula_at(items, op_index);
    g_autofree guint8 *taken = g_new0(guint8, items->len);
    float x0 = op.x0, x1 = op.x1, left = G_MAXFLOAT, right = -G_MAXFLOAT;
    float top = G_MAXFLOAT, bottom = -G_MAXFLOAT;
    gboolean first = TRUE;
    gboolean grown = TRUE;
    for (guint pass = 0; grown && pass < MAX_PASSES; pass++) {
        grown = FALSE;
        for (guint i = 0; i < items->len; i++) {
            const formula_item *item = formula_at(items, i);
            /* of several lines: amidst what is found already */
            const gboolean beside = !first && formula_is_there(item) &&
                                    item->size <= FORMULA_SCRIPT * op.size && item->y0 < bottom &&
                                    item->y1 > top && item->x0 >= left && item->x1 <= right;
            if (taken[i] || i == op_index || (!beside && !in_limit_zone(item, &op, over))) continue;
            float reach = first ? 0 : 0.5F * item->size;
            if (item->x1 < x0 - reach || item->x0 > x1 + reach) continue;
            if (is_nearer_to_another(items, operators, op_index, formula_middle(item)) ||
                is_script_of_another(items, operators, &op, item))
                continue;
            taken[i] = 1;
            left = MIN(left, item->x0);
            right = MAX(right, item->x1);
            top = MIN(top, item->y0);
            bottom = MAX(bottom, item->y1);
            grown = TRUE;
        }
        if (grown) {
            x0 = left;
            x1 = right;
            first = FALSE;
        }
    }
    if (left > right) return NULL;
    float off = fabsf(0.5F * (left + right) - formula_middle(&op));
    if (off > 0.45F * op.size) return NULL;
    if (op.kind == FORMULA_RELATION && off > 0.2F * op.size) return NULL;
    g_autoptr(GArray) part = g_array_new(FALSE, FALSE, sizeof(formula_item));
    for (guint i = 0; i < items->len; i++) {
        if (!taken[i]) continue;
        formula_item *item = formula_at(items, i);
        g_array_append_vals(part, item, 1);
        item->kind = FORMULA_GONE;
    }
    formula_item *kept = formula_at(items, op_index);
    kept->x0 = MIN(kept->x0, left);
    kept->x1 = MAX(kept->x1, right);
    return formula_part_latex(b, part);
}

static const char *
operator_name(formula_builder *b, const formula_item *op)
{
    if (op->kind != FORMULA_TEXT) return op->latex;
    const char *brace = strchr(op->latex, '{');
    g_autofree char *latex = g_strdup_printf("\\operatorname*%s", brace);
    return formula_keep(b, latex);
}

static void
limits_reduce(formula_builder *b, GArray *items)
{
    functions_join(b, items);
    g_autoptr(GArray) operators = g_array_new(FALSE, FALSE, sizeof(guint));
    for (guint i = 0; i < items->len && operators->len < MAX_OPERATORS; i++)
        if (takes_limits(formula_at(items, i))) g_array_append_val(operators, i);
    for (guint k = 0; k < operators->len; k++) {
        const guint i = g_array_index(operators, guint, k);
        if (!takes_limits(formula_at(items, i))) continue;
        g_autofree char *under = limit_take(b, items, operators, i, FALSE);
        g_autofree char *over = limit_take(b, items, operators, i, TRUE);
        if (under == NULL && over == NULL) continue;
        formula_item *op = formula_at(items, i);
        g_autoptr(GString) latex = g_string_new(NULL);
        if (op->kind == FORMULA_RELATION) {
            g_string_printf(latex, over != NULL ? "\\overset{%s}{%s}" : "\\underset{%s}{%s}",
                            over != NULL ? over : under, op->latex);
        } else {
            formula_put(latex, operator_name(b, op));
            if (under != NULL) g_string_append_printf(latex, "_{%s}", under);
            if (over != NULL) g_string_append_printf(latex, "^{%s}", over);
            op->scripted = TRUE;
            if (op->kind == FORMULA_TEXT) op->kind = FORMULA_FUNCTION;
        }
        op->latex = formula_keep(b, latex->str);
        op->ch = 0;
    }
}

/* ---- rows ---- */

typedef struct {
    float baseline;
    guint n;
} row;

static int
compare_row(gconstpointer a, gconstpointer b)
{
    float x = ((const row *)a)->baseline, y = ((const row *)b)->baseline;
    return (x > y) - (x < y);
}

/* The baselines that full-sized items of a collection stand on. */
static GArray *
rows_find(const GArray *items, float em)
{
    GArray *rows = g_array_new(FALSE, FALSE, sizeof(row));
    for (guint i = 0; i < items->len; i++) {
        const formula_item *item = formula_at(items, i);
        if (!formula_is_there(item) || item->size < FORMULA_SCRIPT * em || formula_is_large(item))
            continue;
        row one = {item->baseline, 1};
        g_array_append_val(rows, one);
    }
    /* none: operators, or all that there is */
    for (guint pass = 0; rows->len == 0 && pass < 2; pass++) {
        for (guint i = 0; i < items->len; i++) {
            const formula_item *item = formula_at(items, i);
            row one = {item->baseline, 1};
            const gboolean large =
                item->kind == FORMULA_OPERATOR && item->size >= FORMULA_SCRIPT * em;
            if (formula_is_there(item) && (pass == 1 || large)) g_array_append_val(rows, one);
        }
    }
    g_array_sort(rows, compare_row);
    guint kept = 0;
    for (guint i = 0; i < rows->len; i++) {
        row one = g_array_index(rows, row, i);
        row *last = kept > 0 ? &g_array_index(rows, row, kept - 1) : NULL;
        if (last != NULL && one.baseline - last->baseline < 0.55F * em) {
            last->baseline =
                (last->baseline * (float)last->n + one.baseline) / (float)(last->n + 1);
            last->n++;
        } else {
            g_array_index(rows, row, kept++) = one;
        }
    }
    g_array_set_size(rows, kept);
    return rows;
}

/* The row that an item is of: a script's is that of what it is attached to. */
static guint
row_of(const GArray *items, const GArray *rows, guint index, float em)
{
    const formula_item *item = formula_at(items, index);
    float y = item->baseline;
    if (item->size < FORMULA_SCRIPT * em || formula_is_large(item)) {
        float nearest = 0.6F * em;
        for (guint i = 0; i < items->len && !formula_is_large(item); i++) {
            const formula_item *host = formula_at(items, i);
            float middle = 0.5F * (item->y0 + item->y1);
            /* a superscript's middle is about half an em over the baseline, a subscript's on it; those of integrals and
             * tall brackets stand at their ends */
            const gboolean large = formula_is_large(host);
            const float up = fabsf(middle - (large ? host->y0 : host->baseline - 0.55F * em));
            const float down = fabsf(middle - (large ? host->y1 : host->baseline));
            const float gap = fabsf(item->x0 - host->x1) + 0.5F * MIN(up, down);
            if (i == index || !formula_is_there(host) || host->size < FORMULA_SCRIPT * em ||
                host->x0 > item->x0 || gap > nearest)
                continue;
            const float reach = (large ? 0.1F : 0.45F) * em;
            if (middle < host->y0 - reach || middle > host->y1 + reach) continue;
            nearest = gap;
            y = host->baseline;
        }
    }
    guint best = 0;
    for (guint r = 1; r < rows->len; r++)
        if (fabsf(g_array_index(rows, row, r).baseline - y) <
            fabsf(g_array_index(rows, row, best).baseline - y))
            best = r;
    return best;
}

/* ---- matrices ---- */

static const formula_item *
closing_of(const GArray *items, const formula_item *open)
{
    const formula_item *best = NULL;
    guint depth = 0;
    for (guint i = 0; i < items->len; i++) {
        const formula_item *item = formula_at(items, i);
        if (!formula_is_there(item) || !item->tall || item->x0 < open->x1) continue;
        float middle = 0.5F * (item->y0 + item->y1 - open->y0 - open->y1);
        float ratio = (item->y1 - item->y0) / (open->y1 - open->y0);
        if (fabsf(middle) > 0.35F * open->size || ratio < 0.7F || ratio > 1.4F) continue;
        if (item->kind == FORMULA_OPEN) depth++;
        if (item->kind != FORMULA_CLOSE) continue;
        if (depth-- > 0) continue;
        best = item;
        break;
    }
    return best;
}

typedef struct {
    float x0, x1;
} extent;

static int
compare_extent(gconstpointer a, gconstpointer b)
{
    const extent *x = a, *y = b;
    if (x->x0 != y->x0) return x->x0 < y->x0 ? -1 : 1;
    return (x->x1 > y->x1) - (x->x1 < y->x1);
}

/* Where columns end: rivers of blank that run down all rows. x: middles of the rivers. */
static GArray *
columns_find(const GArray *items, float em)
{
    g_autoptr(GArray) extents = g_array_new(FALSE, FALSE, sizeof(extent));
    for (guint i = 0; i < items->len; i++) {
        const formula_item *item = formula_at(items, i);
        extent one = {item->x0, item->x1};
        if (formula_is_there(item)) g_array_append_val(extents, one);
    }
    g_array_sort(extents, compare_extent);
    GArray *cuts = g_array_new(FALSE, FALSE, sizeof(float));
    float end = extents->len > 0 ? g_array_index(extents, extent, 0).x1 : 0;
    for (guint i = 1; i < extents->len; i++) {
        const extent *one = &g_array_index(extents, extent, i);
        if (one->x0 - end > 0.7F * em) {
            float cut = 0.5F * (one->x0 + end);
            g_array_append_val(cuts, cut);
        }
        end = MAX(end, one->x1);
    }
    return cuts;
}

static const char *
environment_of(gunichar open, gunichar close)
{
    if (open == '(' && close == ')') return "pmatrix";
    if (open == '[' && close == ']') return "bmatrix";
    if (open == '|' && close == '|') return "vmatrix";
    if (open == '{' && close == '}') return "Bmatrix";
    return open == '{' && close == 0 ? "cases" : "matrix";
}

/* Two rows in parentheses, further apart (1.36 em; The TeXbook, appendix G, rule 15) than those of a matrix. */
static gboolean
is_binomial(const GArray *rows, float em, gunichar open, gunichar close)
{
    if (rows->len != 2 || open != '(' || close != ')') return FALSE;
    const float apart =
        fabsf(g_array_index(rows, row, 1).baseline - g_array_index(rows, row, 0).baseline);
    return apart > 1.3F * em && apart < 1.5F * em;
}

/* The cells of a collection of several rows. */
static char *
grid_latex(formula_builder *b, GArray *content, const GArray *rows, float em, gunichar open,
           gunichar close)
{
    g_autoptr(GArray) cuts = columns_find(content, em);
    const char *environment = environment_of(open, close);
    const gboolean binomial = cuts->len == 0 && is_binomial(rows, em, open, close);
    g_autoptr(GString) out = g_string_new(binomial ? "\\binom{" : NULL);
    if (!binomial) g_string_append_printf(out, "\\begin{%s}", environment);
    g_autofree guint *row_index = g_new(guint, content->len + 1);
    for (guint i = 0; i < content->len; i++)
        row_index[i] = row_of(content, rows, i, em);
    for (guint r = 0; r < rows->len; r++) {
        g_string_append(out, binomial ? (r > 0 ? "}{" : "") : r > 0 ? " \\\\ " : " ");
        for (guint c = 0; c <= cuts->len; c++) {
            float from = c > 0 ? g_array_index(cuts, float, c - 1) : -G_MAXFLOAT;
            float to = c < cuts->len ? g_array_index(cuts, float, c) : G_MAXFLOAT;
            g_autoptr(GArray) cell = g_array_new(FALSE, FALSE, sizeof(formula_item));
            for (guint i = 0; i < content->len; i++) {
                const formula_item *item = formula_at(content, i);
                float middle = formula_middle(item);
                if (row_index[i] == r && middle > from && middle < to)
                    g_array_append_vals(cell, item, 1);
            }
            if (c > 0) g_string_append(out, " & ");
            if (cell->len == 0) continue;
            g_autofree char *latex = formula_part_latex(b, cell);
            g_string_append(out, latex);
        }
    }
    if (binomial)
        g_string_append_c(out, '}');
    else
        g_string_append_printf(out, " \\end{%s}", environment);
    return g_string_free(g_steal_pointer(&out), FALSE);
}

/* A delimiter of more than one line's height, and what it and its partner hold, become one item if that is
 * several rows. */
static gboolean
grid_reduce(formula_builder *b, GArray *items, guint index)
{
    const formula_item open = *formula_at(items, index);
    const formula_item *partner = closing_of(items, &open);
    if (partner == NULL && open.ch != '{') return FALSE;
    const formula_item close = partner != NULL ? *partner : (formula_item){.x0 = G_MAXFLOAT};
    const float slack = 0.25F * open.size;
    g_autoptr(GArray) content = g_array_new(FALSE, FALSE, sizeof(formula_item));
    g_autoptr(GArray) indices = g_array_new(FALSE, FALSE, sizeof(guint));
    formula_item hull = open;
    for (guint i = 0; i < items->len; i++) {
        const formula_item *item = formula_at(items, i);
        float middle = 0.5F * (item->y0 + item->y1);
        if (!formula_is_there(item) || i == index || item->x0 < open.x0 + 0.3F * slack ||
            formula_middle(item) < open.x1 - slack || formula_middle(item) > close.x0 ||
            middle < open.y0 - slack || middle > open.y1 + slack)
            continue;
        if (partner != NULL && item->x0 == close.x0 && item->ch == close.ch && item->tall) continue;
        g_array_append_vals(content, item, 1);
        g_array_append_val(indices, i);
        hull.x1 = MAX(hull.x1, item->x1);
    }
    if (content->len < 2) return FALSE;
    float em = line_size(content);
    g_autoptr(GArray) rows = rows_find(content, em);
    if (rows->len < 2 || rows->len > 40) return FALSE;
    g_autofree char *latex = grid_latex(b, content, rows, em, open.ch, close.ch);
    for (guint k = 0; k < indices->len; k++)
        formula_at(items, g_array_index(indices, guint, k))->kind = FORMULA_GONE;
    for (guint i = 0; i < items->len && partner != NULL; i++) {
        formula_item *item = formula_at(items, i);
        if (item->tall && item->x0 == close.x0 && item->ch == close.ch &&
            item->kind == FORMULA_CLOSE)
            item->kind = FORMULA_GONE;
    }
    hull.x1 = MAX(hull.x1, partner != NULL ? close.x1 : hull.x1);
    hull.kind = FORMULA_ORDINARY;
    hull.ch = 0;
    hull.size = em;
    hull.baseline = 0.5F * (open.y0 + open.y1) + 0.25F * em;
    hull.latex = formula_keep(b, latex);
    /* scripts at its upper right corner are to be told from those of a letter */
    hull.tall = TRUE;
    *formula_at(items, index) = hull;
    return TRUE;
}

/* Two tall bars of one height with several rows between them open and close a determinant. */
static void
bars_pair(GArray *items)
{
    for (guint i = 0; i < items->len; i++) {
        formula_item *open = formula_at(items, i);
        if (!formula_is_there(open) || !open->tall || open->ch != '|' ||
            open->kind != FORMULA_ORDINARY)
            continue;
        g_autoptr(GArray) between = g_array_new(FALSE, FALSE, sizeof(formula_item));
        for (guint k = i + 1; k < items->len; k++) {
            formula_item *item = formula_at(items, k);
            if (!formula_is_there(item)) continue;
            if (item->ch != '|' || !item->tall || fabsf(item->y0 - open->y0) > 0.1F * open->size) {
                g_array_append_vals(between, item, 1);
                continue;
            }
            if (between->len < 2) break;
            g_autoptr(GArray) rows = rows_find(between, line_size(between));
            if (rows->len > 1) {
                open->kind = FORMULA_OPEN;
                item->kind = FORMULA_CLOSE;
            }
            break;
        }
    }
}

static void
grids_reduce(formula_builder *b, GArray *items)
{
    bars_pair(items);
    /* inner ones first */
    for (guint n = 0; n < items->len; n++) {
        int lowest = LAYOUT_NONE;
        for (guint i = 0; i < items->len; i++) {
            const formula_item *item = formula_at(items, i);
            if (item->kind != FORMULA_OPEN || !item->tall || item->atom == FALSE ||
                item->y1 - item->y0 < 1.5F * item->size)
                continue;
            if (lowest < 0 ||
                item->y1 - item->y0 < formula_at(items, lowest)->y1 - formula_at(items, lowest)->y0)
                lowest = (int)i;
        }
        if (lowest < 0) return;
        if (!grid_reduce(b, items, (guint)lowest)) formula_at(items, lowest)->atom = FALSE;
    }
}

/* ---- collections ---- */

static char *
collection_latex(formula_builder *b, GArray *items)
{
    g_array_sort(items, formula_compare_x);
    limits_reduce(b, items);
    grids_reduce(b, items);
    for (guint i = items->len; i-- > 0;)
        if (!formula_is_there(formula_at(items, i))) g_array_remove_index(items, i);
    if (items->len == 0) return g_strdup("");
    g_array_sort(items, formula_compare_x);
    const float em = formula_whole_size(b, items);
    g_autoptr(GArray) rows = rows_find(items, em);
    g_autofree guint *of = g_new(guint, items->len);
    for (guint i = 0; i < items->len; i++)
        of[i] = row_of(items, rows, i, em);
    g_autoptr(GString) out = g_string_new(NULL);
    guint n_rows = 0;
    for (guint r = 0; r < rows->len; r++) {
        g_autoptr(GArray) part = g_array_new(FALSE, FALSE, sizeof(formula_item));
        for (guint i = 0; i < items->len; i++)
            if (of[i] == r) g_array_append_vals(part, formula_at(items, i), 1);
        if (part->len == 0) continue;
        if (n_rows++ > 0) g_string_append(out, " \\\\ ");
        formula_line_put(b, out, part, rows->len > 1 && b->depth == 1);
    }
    if (n_rows > 1) {
        g_string_prepend(out, b->depth == 1 ? "\\begin{aligned} " : "\\begin{gathered} ");
        g_string_append(out, b->depth == 1 ? " \\end{aligned}" : " \\end{gathered}");
    }
    return g_string_free(g_steal_pointer(&out), FALSE);
}

char *
formula_latex_of(formula_builder *b, GArray *items)
{
    return formula_part_latex(b, items);
}
