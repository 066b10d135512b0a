/* <table> -> a grid that every place of is covered once.
 *
 * The column of a cell is the first that no cell above reaches into (HTML Living Standard, 4.9.12, without
 * its overlaps: a span ends where the next cell begins). Rows are of unequal length in real pages; the
 * missing places become empty cells. Tables that only arrange a page are recognised and read as text. */
#include "layout/readers/html_emit.h"
#include "layout/readers/pen.h"

#include <string.h>

#define MAX_COLS  1000
#define MAX_AREA  200000
#define MAX_PROSE 2000 /* characters in one cell: no data, an arrangement */

typedef struct {
    GArray *cells; /* of layout_cell; text owned by texts */
    GPtrArray *texts;
    guint n_rows, n_cols, n_header_rows;
    guint *busy; /* [MAX_COLS] first row where the column is free */
    gboolean only_headers_so_far, has_header, nested, prose;
} grid;

static void
grid_clear(grid *g)
{
    g_array_unref(g->cells);
    g_ptr_array_unref(g->texts);
    g_free(g->busy);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(grid, grid_clear)

static guint
span_of(const xmlNode *cell, const char *name, guint max)
{
    const char *value = layout_html_attribute(cell, name);
    guint64 n = value ? g_ascii_strtoull(value, NULL, 10) : 1;
    return (guint)CLAMP(n, 1, max);
}

static gboolean
contains_table(const xmlNode *node)
{
    for (const xmlNode *n = node->children; n; n = n->next)
        if (n->type == XML_ELEMENT_NODE && (layout_html_is(n, "table") || contains_table(n)))
            return TRUE;
    return FALSE;
}

static void
take_cell(grid *g, const xmlNode *node, guint row, guint *col, gboolean in_head)
{
    while (*col < MAX_COLS && g->busy[*col] > row)
        (*col)++;
    if (*col >= MAX_COLS) return;
    guint want = span_of(node, "colspan", MAX_COLS - *col), wide = 1;
    while (wide < want && g->busy[*col + wide] <= row)
        wide++;
    guint tall = span_of(node, "rowspan", 65534);
    char *text = layout_html_text(node);
    layout_cell cell = {.row = row,
                        .col = *col,
                        .row_span = tall,
                        .col_span = wide,
                        .header = in_head || layout_html_is(node, "th"),
                        .text = text};
    g_ptr_array_add(g->texts, text);
    for (guint i = 0; i < wide; i++)
        g->busy[*col + i] = row + tall;
    *col += wide;
    g->n_cols = MAX(g->n_cols, *col);
    if (cell.header)
        g->has_header = TRUE;
    else
        g->only_headers_so_far = FALSE;
    if (strlen(text) > MAX_PROSE) g->prose = TRUE;
    if (contains_table(node)) g->nested = TRUE;
    g_array_append_val(g->cells, cell);
}

static gboolean
take_rows(grid *g, const xmlNode *node, gboolean in_head)
{
    for (const xmlNode *n = node->children; n; n = n->next) {
        if (layout_html_is_one_of(n, " thead tbody tfoot ")) {
            if (!take_rows(g, n, layout_html_is(n, "thead"))) return FALSE;
            continue;
        }
        if (!layout_html_is(n, "tr")) continue;
        guint col = 0, before = g->cells->len;
        for (const xmlNode *c = n->children; c; c = c->next)
            if (layout_html_is_one_of(c, " td th ")) take_cell(g, c, g->n_rows, &col, in_head);
        if (g->cells->len == before) continue; /* a row without cells */
        g->n_rows++;
        if (g->only_headers_so_far) g->n_header_rows = g->n_rows;
        if ((guint64)g->n_rows * MAX(g->n_cols, 1) > MAX_AREA) return FALSE;
    }
    return TRUE;
}

static const xmlNode *
find_caption(const xmlNode *table)
{
    for (const xmlNode *n = table->children; n; n = n->next)
        if (layout_html_is(n, "caption")) return n;
    return NULL;
}

static gboolean
is_data(const grid *g, const xmlNode *table)
{
    const char *role = layout_html_attribute(table, "role"),
               *class = layout_html_attribute(table, "class");

    /* LaTeXML lays out numbered equations in tables */
    if (class && (strstr(class, "ltx_equation") || strstr(class, "ltx_eqn"))) return FALSE;
    if (role && (g_str_equal(role, "presentation") || g_str_equal(role, "none"))) return FALSE;
    if (g->nested || g->prose || g->n_cols < 2) return FALSE;
    if (g->n_rows < 2 && !g->has_header) return FALSE;
    return TRUE;
}

/* The cells' words in order, so that a table is found by what stands in it. */
static char *
plain_text(const GArray *cells)
{
    GString *out = g_string_new(NULL);
    for (guint i = 0; i < cells->len; i++) {
        const layout_cell *c = &g_array_index(cells, layout_cell, i);
        if (!*c->text) continue;
        if (out->len > 0) g_string_append_c(out, ' ');
        g_string_append(out, c->text);
    }
    return g_string_free(out, FALSE);
}

gboolean
layout_html_emit_table(layout_html_emitter *e, const xmlNode *table, const xmlNode *caption)
{
    g_auto(grid) g = {.cells = g_array_new(FALSE, FALSE, sizeof(layout_cell)),
                      .texts = g_ptr_array_new_with_free_func(g_free),
                      .busy = g_new0(guint, MAX_COLS),
                      .only_headers_so_far = TRUE};

    if (!take_rows(&g, table, FALSE) || !is_data(&g, table)) return FALSE;
    g_autoptr(GArray) cells = layout_cells_cover(g.cells, g.n_rows, g.n_cols);
    g_autofree char *text = plain_text(cells);
    if (!*text) return TRUE; /* an empty grid: nothing to write, nothing to read otherwise */
    layout_html_emit_headings(e);
    layout_block block = {.type = LAYOUT_BLOCK_TABLE,
                          .text = text,
                          .text_len = (uint32_t)strlen(text),
                          .parent = LAYOUT_NONE,
                          .item = LAYOUT_NONE,
                          .confidence = 1};
    int index = layout_builder_add_block(e->builder, &block, NULL, 0, NULL, 0, NULL, 0);
    e->chars += block.text_len;
    const xmlNode *own = find_caption(table);
    layout_table made = {.block = index,
                         .caption = layout_html_emit_caption(e, own ? own : caption, index),
                         .n_rows = g.n_rows,
                         .n_cols = g.n_cols,
                         .n_header_rows =
                             layout_cells_header_rows(cells, g.n_rows, g.n_header_rows)};
    layout_builder_add_table(e->builder, &made, (const layout_cell *)(gpointer)cells->data,
                             cells->len);
    return TRUE;
}
