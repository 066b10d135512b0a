/* How the cells of a column stand in it: to the left, in the middle, to the right, or by their decimal points.
 *
 * What the cells have in common says so: their left ends, their middles, their right ends, or where their points
 * are stand under each other, the rest does not. Where all are of one width, all of these do, and only the heading
 * can tell; where that says nothing either, nothing is said. */
#include "layout/tables_grid.h"

#include <math.h>
#include <string.h>

#define SLACK_EM     0.25F
#define LEAST_SHARE  0.75F /* of the cells that must stand under each other */
#define NEARLY_EQUAL 0.1F  /* shares that differ by less say the same */

enum { KEY_LEFT, KEY_CENTER, KEY_RIGHT, KEY_POINT, N_KEYS };

/* The stretches of text that stand in one column. */
typedef struct {
    GArray *keys[N_KEYS]; /* float, one per stretch; points only of those that have one */
    guint n_points;
} column;

/* Where the point of a number stands, or would: behind its last digit. FALSE: it begins with no number. has: it has
 * one. In most fonts digits are of one width and points half as wide (but minus signs half as wide again). */
static gboolean
point_of(const layout_grid *g, const layout_piece *p, float *x, gboolean *has)
{
    const char *text = g->sheet->text->str + p->start, *end = text + p->len;
    float units = 0, before = 0;
    guint digits = 0;
    *has = FALSE;
    for (const char *at = text; at < end && *at != ' '; at = g_utf8_next_char(at)) {
        const gunichar ch = g_utf8_get_char(at);
        const gboolean point = ch == '.' && digits > 0 && at + 1 < end && g_ascii_isdigit(at[1]);
        if (point && !*has) {
            *has = TRUE;
            before = units;
        }
        if (digits == 0 && g_unichar_isalpha(ch)) return FALSE;
        digits += g_unichar_isdigit(ch) ? 1 : 0;
        units += ch == '.' || ch == ',' ? 0.5F : ch == 0x2212 ? 1.5F : 1.0F;
        if (g_unichar_isdigit(ch) && !*has) before = units;
    }
    if (digits == 0) return FALSE;
    *x = p->x0 + (p->first_x1 - p->x0) * before / units;
    return TRUE;
}

static void
keys_add(const layout_grid *g, column *c, const layout_piece *p, float x1)
{
    const float keys[] = {p->x0, 0.5F * (p->x0 + x1), x1};
    for (guint k = 0; k < G_N_ELEMENTS(keys); k++)
        g_array_append_val(c->keys[k], keys[k]);
    float point;
    gboolean has;
    if (!point_of(g, p, &point, &has)) return;
    g_array_append_val(c->keys[KEY_POINT], point);
    c->n_points += has ? 1 : 0;
}

/* What stands in column col, in the header or below it. */
static void
keys_find(const layout_grid *g, guint col, gboolean header, column *c)
{
    for (guint k = 0; k < N_KEYS; k++)
        g_array_set_size(c->keys[k], 0);
    c->n_points = 0;
    for (guint i = 0; i < g->pieces->len; i++) {
        const layout_piece *p = layout_grid_piece(g, i);
        if (p->col0 != col || p->col1 != col || layout_grid_band(g, p->row)->header != header)
            continue;
        /* pieces of one cell on one line: the order is that of the cells */
        float x1 = p->x1;
        for (; i + 1 < g->pieces->len; i++) {
            const layout_piece *next = layout_grid_piece(g, i + 1);
            if (next->row != p->row || next->col0 != col ||
                fabsf(next->baseline - p->baseline) > 0.4F * p->size)
                break;
            x1 = MAX(x1, next->x1);
        }
        keys_add(g, c, p, x1);
    }
}

/* How many of these values lie closest together, and the middle of those. Sorts them. */
static guint
most_within(GArray *values, float slack, float *middle)
{
    guint best = 0;
    g_array_sort(values, layout_compare_float);
    for (guint from = 0, to = 0; from < values->len; from++) {
        const float first = g_array_index(values, float, from);
        while (to < values->len && g_array_index(values, float, to) - first <= slack)
            to++;
        if (to - from <= best) continue;
        best = to - from;
        *middle = 0.5F * (first + g_array_index(values, float, to - 1));
    }
    return best;
}

static guint
count(const gboolean *may)
{
    guint n = 0;
    for (guint k = 0; k < N_KEYS; k++)
        n += may[k] ? 1 : 0;
    return n;
}

/* What the heading of a column has in common with its cells too. */
static void
ask_heading(const layout_grid *g, guint col, column *c, const float *middle, gboolean *may)
{
    gboolean agrees[N_KEYS] = {FALSE};
    keys_find(g, col, TRUE, c);
    for (guint k = 0; k < KEY_POINT; k++)
        for (guint i = 0; i < c->keys[k]->len && may[k]; i++)
            agrees[k] |=
                fabsf(g_array_index(c->keys[k], float, i) - middle[k]) < SLACK_EM * g->size;
    if (count(agrees) == 1) memcpy(may, agrees, sizeof agrees);
}

static layout_align
column_align(const layout_grid *g, guint col, column *c)
{
    float share[N_KEYS], middle[N_KEYS] = {0}, best = 0;
    gboolean may[N_KEYS];
    keys_find(g, col, FALSE, c);
    const guint n = c->keys[KEY_LEFT]->len;
    if (n < 2) return LAYOUT_ALIGN_NONE;
    if (2 * c->n_points < n) g_array_set_size(c->keys[KEY_POINT], 0);
    for (guint k = 0; k < N_KEYS; k++) {
        share[k] = (float)most_within(c->keys[k], SLACK_EM * g->size, &middle[k]) / (float)n;
        best = MAX(best, share[k]);
    }
    if (best < LEAST_SHARE) return LAYOUT_ALIGN_NONE;
    for (guint k = 0; k < N_KEYS; k++)
        may[k] = share[k] > best - NEARLY_EQUAL;
    /* as many digits behind all points, or before */
    if (may[KEY_LEFT] || may[KEY_RIGHT])
        may[KEY_POINT] = FALSE;
    else if (may[KEY_POINT])
        may[KEY_CENTER] = FALSE;
    if (count(may) > 1) ask_heading(g, col, c, middle, may);
    if (count(may) > 1) return col == 0 && may[KEY_LEFT] ? LAYOUT_ALIGN_LEFT : LAYOUT_ALIGN_NONE;
    return may[KEY_LEFT]     ? LAYOUT_ALIGN_LEFT
           : may[KEY_CENTER] ? LAYOUT_ALIGN_CENTER
           : may[KEY_RIGHT]  ? LAYOUT_ALIGN_RIGHT
                             : LAYOUT_ALIGN_DECIMAL;
}

void
layout_grid_align(const layout_grid *g, layout_table_region *table)
{
    const guint n = g->cuts->len + 1;
    g_autofree layout_align *align = g_new(layout_align, n);
    column c = {.n_points = 0};
    for (guint k = 0; k < N_KEYS; k++)
        c.keys[k] = g_array_new(FALSE, FALSE, sizeof(float));
    for (guint col = 0; col < n; col++)
        align[col] = column_align(g, col, &c);
    for (guint i = 0; i < table->cells->len; i++) {
        layout_grid_cell *cell = &g_array_index(table->cells, layout_grid_cell, i);
        if (cell->col_span == 1) cell->align = align[cell->col];
    }
    for (guint k = 0; k < N_KEYS; k++)
        g_array_unref(c.keys[k]);
}
