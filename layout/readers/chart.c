/* Charts (DrawingML charts, ISO/IEC 29500-1, 21.2) -> the table behind them.
 *
 * A chart keeps the values that it was drawn from, whatever became of the workbook they came from:
 *
 *   chartSpace > chart > title, plotArea > barChart .. > ser > tx    name
 *                                 |                        > cat    labels (xVal of scatter charts)
 *                                 |                        > val    values (yVal; bubbleSize)
 *                                 > catAx, valAx ..        > title
 *
 * Series that share their labels share the column of labels; others bring their own. Labels of several levels are a
 * column for each, outer ones repeated. Numbers are printed by the format that the chart has for them. What a chart
 * does without numbers (trend lines, error bars, colours) is left out. */
#include "layout/readers/chart.h"
#include "layout/readers/html.h"
#include "layout/readers/xlsx.h"
#include "layout/readers/xml.h"

#include <string.h>

#define MAX_COLUMNS 400
#define MAX_LEVELS  8
#define MAX_POINTS  1000000 /* of all series */

typedef struct {
    GHashTable *points; /* index of a row -> text */
    char *name, *axis;  /* printed above it; NULL */
    gboolean is_label;
    gboolean goes_on; /* the second column of a series: its name stands above both */
} column;

typedef struct {
    GPtrArray *columns; /* column */
    GHashTable *rows;   /* indices that any column has */
    char *labels;       /* of the series before, as one text */
    guint n_points;
    gboolean date1904, cut;
} chart;

static void
column_free(gpointer data)
{
    column *c = data;
    g_hash_table_unref(c->points);
    g_free(c->name);
    g_free(c->axis);
    g_free(c);
}

static const char *
value_of(const xmlNode *node)
{
    return node != NULL ? layout_html_attribute(node, "val") : NULL;
}

/* ---- texts ---- */

static char *
filled(char *text)
{
    if (text != NULL && *text == '\0') g_clear_pointer(&text, g_free);
    return text;
}

/* <c:tx> holds rich text, a reference with its cache, or a value; NULL where nothing is in it. */
static char *
text_of(const xmlNode *tx)
{
    const xmlNode *rich = layout_xml_child(tx, "rich");
    if (rich == NULL) {
        const xmlNode *cache = layout_xml_child(layout_xml_child(tx, "strRef"), "strCache");
        const xmlNode *point = layout_xml_child(cache, "pt");
        return filled(layout_xml_clean_text(layout_xml_child(point != NULL ? point : tx, "v")));
    }
    g_autoptr(GString) out = g_string_new(NULL);
    for (const xmlNode *p = rich->children; p != NULL; p = p->next) {
        if (!layout_xml_is(p, "p")) continue;
        if (out->len > 0) g_string_append_c(out, ' ');
        g_autofree char *line = layout_xml_clean_text(p);
        g_string_append(out, line);
    }
    return filled(g_strdup(out->str));
}

static char *
title_of(const xmlNode *node)
{
    return text_of(layout_xml_child(layout_xml_child(node, "title"), "tx"));
}

/* ---- points ---- */

/* A number as the chart prints it; what is none ("#N/A") as it stands. */
static char *
number_text(const chart *c, const char *text, const char *code)
{
    char *end = NULL;
    const double value = g_ascii_strtod(text, &end);
    if (end == text || *end != '\0') return g_strdup(text);
    return layout_xlsx_number(value, code, c->date1904);
}

static void
take_points(chart *c, column *into, const xmlNode *cache, gboolean numbers)
{
    g_autofree char *code = layout_xml_clean_text(layout_xml_child(cache, "formatCode"));
    for (const xmlNode *pt = cache->children; pt != NULL; pt = pt->next) {
        const char *idx = layout_xml_is(pt, "pt") ? layout_html_attribute(pt, "idx") : NULL;
        char *end = NULL;
        const guint64 row = idx != NULL ? g_ascii_strtoull(idx, &end, 10) : 0;
        if (idx == NULL || end == idx || row >= G_MAXINT) continue;
        if (c->n_points >= MAX_POINTS) {
            c->cut = TRUE;
            return;
        }
        g_autofree char *text = layout_xml_clean_text(layout_xml_child(pt, "v"));
        const char *own = layout_html_attribute(pt, "formatCode");
        if (*text == '\0' || g_hash_table_contains(into->points, GUINT_TO_POINTER(row))) continue;
        g_hash_table_insert(into->points, GUINT_TO_POINTER(row),
                            numbers ? number_text(c, text, own != NULL ? own : code)
                                    : g_steal_pointer(&text));
        g_hash_table_add(c->rows, GUINT_TO_POINTER(row));
        c->n_points++;
    }
}

static column *
add_column(chart *c, gboolean is_label)
{
    column *new = g_new0(column, 1);
    new->points = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    new->is_label = is_label;
    g_ptr_array_add(c->columns, new);
    return new;
}

static int
by_index(gconstpointer a, gconstpointer b)
{
    const guint x = *(const guint *)a, y = *(const guint *)b;
    return (x > y) - (x < y);
}

/* The keys in order, guint; free with g_array_unref. */
static GArray *
sorted(GHashTable *table)
{
    GArray *out = g_array_new(FALSE, FALSE, sizeof(guint));
    GHashTableIter iter;
    gpointer key;
    g_hash_table_iter_init(&iter, table);
    while (g_hash_table_iter_next(&iter, &key, NULL)) {
        const guint row = GPOINTER_TO_UINT(key);
        g_array_append_val(out, row);
    }
    g_array_sort(out, by_index);
    return out;
}

/* A label of an outer level stands for the rows until the next one. */
static void
repeat_labels(column *outer, const GHashTable *inner)
{
    g_autoptr(GArray) rows = sorted((GHashTable *)inner);
    const char *last = NULL;
    for (guint i = 0; i < rows->len; i++) {
        const gpointer row = GUINT_TO_POINTER(g_array_index(rows, guint, i));
        const char *own = g_hash_table_lookup(outer->points, row);
        if (own == NULL && last != NULL)
            g_hash_table_insert(outer->points, row, g_strdup(last));
        else
            last = own;
    }
}

/* ---- labels ---- */

/* The cache below <c:cat>, <c:val> and their like; numbers: are they such? */
static const xmlNode *
cache_of(const xmlNode *source, gboolean *numbers)
{
    static const struct {
        const char *ref, *cache;
        gboolean numbers;
    } kinds[] = {{"numRef", "numCache", TRUE},
                 {"strRef", "strCache", FALSE},
                 {"numLit", NULL, TRUE},
                 {"strLit", NULL, FALSE},
                 {"multiLvlStrRef", "multiLvlStrCache", FALSE}};
    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
        const xmlNode *ref = layout_xml_child(source, kinds[i].ref);
        if (ref == NULL) continue;
        *numbers = kinds[i].numbers;
        return kinds[i].cache != NULL ? layout_xml_child(ref, kinds[i].cache) : ref;
    }
    return NULL;
}

static char *
labels_key(const chart *c, guint first)
{
    g_autoptr(GString) key = g_string_new(NULL);
    for (guint i = first; i < c->columns->len; i++) {
        const column *labels = c->columns->pdata[i];
        g_autoptr(GArray) rows = sorted(labels->points);
        g_string_append_printf(key, "%s\n", labels->name != NULL ? labels->name : "");
        for (guint k = 0; k < rows->len; k++) {
            const guint row = g_array_index(rows, guint, k);
            const char *text = g_hash_table_lookup(labels->points, GUINT_TO_POINTER(row));
            g_string_append_printf(key, "%u %s\n", row, text);
        }
    }
    return g_strdup(key->str);
}

/* The columns of a series' labels, unless they are those of the series before it. */
static void
take_labels(chart *c, const xmlNode *source, const char *axis)
{
    gboolean numbers = FALSE;
    const xmlNode *cache = source != NULL ? cache_of(source, &numbers) : NULL;
    const guint first = c->columns->len;
    const xmlNode *levels[MAX_LEVELS];
    guint n = 0;
    if (cache == NULL) return;
    for (const xmlNode *l = cache->children; l != NULL && n < MAX_LEVELS; l = l->next)
        if (layout_xml_is(l, "lvl")) levels[n++] = l;
    if (n == 0) levels[n++] = cache;
    while (n-- > 0) /* the innermost comes first in the file */
        take_points(c, add_column(c, TRUE), levels[n], numbers);
    const column *inner = c->columns->pdata[c->columns->len - 1];
    for (guint i = first; i + 1 < c->columns->len; i++)
        repeat_labels(c->columns->pdata[i], inner->points);
    ((column *)c->columns->pdata[c->columns->len - 1])->name = g_strdup(axis);
    g_autofree char *key = labels_key(c, first);
    if (g_strcmp0(key, c->labels) == 0) {
        g_ptr_array_set_size(c->columns, (int)first);
    } else {
        g_free(c->labels);
        c->labels = g_steal_pointer(&key);
    }
}

/* ---- series ---- */

static void
take_values(chart *c, const xmlNode *source, char *name, char *axis, gboolean goes_on)
{
    gboolean numbers = FALSE;
    const xmlNode *cache = source != NULL ? cache_of(source, &numbers) : NULL;
    column *values = add_column(c, FALSE);
    values->name = name;
    values->axis = axis;
    values->goes_on = goes_on;
    if (cache != NULL) take_points(c, values, cache, numbers);
}

static void
take_series(chart *c, const xmlNode *ser, const char *label_axis, const char *value_axis)
{
    const xmlNode *labels = layout_xml_child(ser, "cat"), *values = layout_xml_child(ser, "val");
    const xmlNode *sizes = layout_xml_child(ser, "bubbleSize");
    if (c->columns->len >= MAX_COLUMNS) {
        c->cut = TRUE;
        return;
    }
    take_labels(c, labels != NULL ? labels : layout_xml_child(ser, "xVal"), label_axis);
    take_values(c, values != NULL ? values : layout_xml_child(ser, "yVal"),
                text_of(layout_xml_child(ser, "tx")), g_strdup(value_axis), FALSE);
    if (sizes != NULL) take_values(c, sizes, NULL, NULL, TRUE);
}

/* The axis of plot (a chart's kind, such as <c:barChart>) for its labels or its values: of two alike, as in scatter
 * charts, the labels' comes first. */
static char *
axis_title(const xmlNode *area, const xmlNode *plot, gboolean of_labels)
{
    const xmlNode *found = NULL;
    for (const xmlNode *id = plot->children; id != NULL; id = id->next) {
        const char *wanted = layout_xml_is(id, "axId") ? value_of(id) : NULL;
        for (const xmlNode *a = wanted != NULL ? area->children : NULL; a != NULL; a = a->next) {
            if (!layout_xml_is_one_of(a, " catAx dateAx serAx valAx ")) continue;
            if (g_strcmp0(value_of(layout_xml_child(a, "axId")), wanted) != 0) continue;
            const gboolean labels = !layout_xml_is(a, "valAx");
            if (of_labels ? found == NULL || (labels && layout_xml_is(found, "valAx")) : !labels)
                found = a;
        }
    }
    return found != NULL ? title_of(found) : NULL;
}

static void
take_plots(chart *c, const xmlNode *area)
{
    for (const xmlNode *plot = area->children; plot != NULL; plot = plot->next) {
        if (layout_xml_child(plot, "ser") == NULL) continue;
        g_autofree char *labels = axis_title(area, plot, TRUE);
        g_autofree char *values = axis_title(area, plot, FALSE);
        for (const xmlNode *s = plot->children; s != NULL; s = s->next)
            if (layout_xml_is(s, "ser")) take_series(c, s, labels, values);
    }
}

/* ---- the table ---- */

static guint
run_of(const chart *c, guint at, gboolean axes)
{
    const column *first = c->columns->pdata[at];
    guint n = 1;
    for (; at + n < c->columns->len; n++) {
        const column *next = c->columns->pdata[at + n];
        if (next->is_label) break;
        if (!next->goes_on && (!axes || g_strcmp0(next->axis, first->axis) != 0)) break;
    }
    return n;
}

/* Up to two rows: titles of axes over the values that they measure, and names of series. */
static void
put_head(const chart *c, layout_pen_grid *grid)
{
    gboolean axes = FALSE, names = FALSE, labels = FALSE;
    for (guint i = 0; i < c->columns->len; i++) {
        const column *col = c->columns->pdata[i];
        axes |= !col->is_label && col->axis != NULL;
        names |= !col->is_label && col->name != NULL;
        labels |= col->is_label && col->name != NULL;
    }
    if (!axes && !names && !labels) return;
    for (int row = axes ? 0 : 1; row < (names || !axes ? 2 : 1); row++) {
        if (!layout_pen_grid_row(grid, TRUE)) return;
        const gboolean first = row == 0 || !axes;
        for (guint i = 0; i < c->columns->len;) {
            const column *col = c->columns->pdata[i];
            const char *text = row == 0 && !col->is_label ? col->axis : col->name;
            const guint n = col->is_label ? 1 : run_of(c, i, row == 0);
            if (!col->is_label || first)
                layout_pen_grid_cell(grid, col->is_label && axes && names ? 2 : 1, n, TRUE,
                                     text != NULL ? text : "");
            i += n;
        }
    }
}

static void
put_rows(chart *c, layout_pen_grid *grid)
{
    g_autoptr(GArray) rows = sorted(c->rows);
    for (guint r = 0; r < rows->len; r++) {
        if (!layout_pen_grid_row(grid, FALSE)) {
            c->cut = TRUE;
            return;
        }
        for (guint i = 0; i < c->columns->len; i++) {
            const column *col = c->columns->pdata[i];
            const char *text =
                g_hash_table_lookup(col->points, GUINT_TO_POINTER(g_array_index(rows, guint, r)));
            if (!layout_pen_grid_cell(grid, 1, 1, FALSE, text != NULL ? text : "")) break;
        }
    }
}

/* A title without text of its own is the name of the only series. */
static char *
caption_of(const chart *c, const xmlNode *node)
{
    const xmlNode *title = layout_xml_child(node, "title");
    char *text = title_of(node);
    guint n = 0;
    const column *only = NULL;
    for (guint i = 0; i < c->columns->len; i++) {
        const column *col = c->columns->pdata[i];
        if (!col->is_label && !col->goes_on) only = col, n++;
    }
    return text == NULL && title != NULL && n == 1 ? g_strdup(only->name) : text;
}

int
layout_chart_write(const layout_package *package, const char *part, layout_pen *pen)
{
    xmlDoc *tree = layout_package_xml(package, part, NULL);
    const xmlNode *space = tree != NULL ? xmlDocGetRootElement(tree) : NULL;
    const xmlNode *node = layout_xml_child(space, "chart"),
                  *area = layout_xml_child(node, "plotArea");
    int block = LAYOUT_NONE;
    if (area != NULL) {
        const char *epoch = value_of(layout_xml_child(space, "date1904"));
        chart c = {.columns = g_ptr_array_new_with_free_func(column_free),
                   .rows = g_hash_table_new(NULL, NULL),
                   .date1904 = epoch != NULL && strcmp(epoch, "0") != 0};
        g_autoptr(layout_pen_grid) grid = layout_pen_grid_new();
        take_plots(&c, area);
        put_head(&c, grid);
        put_rows(&c, grid);
        g_autofree char *caption = caption_of(&c, node);
        if (g_hash_table_size(c.rows) > 0) {
            if (caption != NULL) layout_pen_text(pen, caption, -1);
            block = layout_pen_grid_write(grid, pen);
        }
        if (c.cut)
            layout_builder_add_warning(pen->builder, LAYOUT_NONE,
                                       "a chart has more series or points than are read "
                                       "(400 columns, 1,000,000 points, 2,000,000 cells)");
        g_ptr_array_unref(c.columns);
        g_hash_table_unref(c.rows);
        g_free(c.labels);
    }
    if (tree != NULL) xmlFreeDoc(tree);
    return block;
}
