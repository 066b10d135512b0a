/* JATS tables: XHTML's (table, tr, td) and OASIS' (tgroup, row, entry with named columns). */
#include "layout/readers/jats.h"

#include <string.h>

#define MAX_SPAN 1000

static guint
number_of(const xmlNode *node, const char *attribute, guint otherwise)
{
    g_autofree char *text = layout_xml_attribute(node, attribute);
    if (text == NULL || !g_ascii_isdigit(*text)) return otherwise;
    return (guint)MIN(g_ascii_strtoull(text, NULL, 10), MAX_SPAN);
}

/* The place of a column's name among the tgroup's colspecs, 0 where there is none. */
static guint
column_of(const xmlNode *group, const xmlNode *entry, const char *attribute)
{
    g_autofree char *name = layout_xml_attribute(entry, attribute);
    guint n = 0;
    for (const xmlNode *c = group != NULL ? group->children : NULL; name != NULL && c != NULL;
         c = c->next) {
        if (!layout_xml_is(c, "colspec")) continue;
        g_autofree char *own = layout_xml_attribute(c, "colname");
        n = number_of(c, "colnum", n + 1);
        if (own != NULL && strcmp(own, name) == 0) return n;
    }
    return 0;
}

static void
take_row(layout_pen_grid *grid, const xmlNode *row, const xmlNode *group, gboolean head)
{
    if (!layout_pen_grid_row(grid, head)) return;
    for (const xmlNode *c = row->children; c != NULL; c = c->next) {
        if (!layout_xml_is_one_of(c, " td th entry ")) continue;
        g_autofree char *text = jats_flat_text(c);
        guint rows = number_of(c, "rowspan", 1), cols = number_of(c, "colspan", 1);
        if (layout_xml_is(c, "entry")) {
            const guint first = column_of(group, c, "namest"),
                        last = column_of(group, c, "nameend");
            rows = number_of(c, "morerows", 0) + 1;
            cols = first > 0 && last >= first ? last - first + 1 : 1;
        }
        layout_pen_grid_cell(grid, rows, MAX(cols, 1), layout_xml_is(c, "th"), text);
    }
}

/* Are all cells of the row <th>? */
static gboolean
is_head_row(const xmlNode *row)
{
    guint n_heads = 0;
    for (const xmlNode *c = row->children; c != NULL; c = c->next) {
        if (layout_xml_is_one_of(c, " td entry ")) return FALSE;
        n_heads += layout_xml_is(c, "th") ? 1 : 0;
    }
    return n_heads > 0;
}

static void
take_rows(layout_pen_grid *grid, const xmlNode *node, const xmlNode *group, gboolean head)
{
    for (const xmlNode *n = node->children; n != NULL; n = n->next) {
        if (layout_xml_is_one_of(n, " tr row "))
            take_row(grid, n, group, head || is_head_row(n));
        else if (layout_xml_is(n, "tgroup"))
            take_rows(grid, n, n, FALSE);
        else if (layout_xml_is_one_of(n, " thead tbody tfoot "))
            take_rows(grid, n, group, layout_xml_is(n, "thead"));
    }
}

static void
write_foot(jats_reader *r, const xmlNode *foot)
{
    const layout_block_type outer = r->paragraph;
    r->paragraph = LAYOUT_BLOCK_FOOTNOTE;
    jats_blocks(r, foot, 1);
    r->paragraph = outer;
}

void
jats_table_wrap(jats_reader *r, const xmlNode *wrap)
{
    gboolean first = TRUE;
    /* the caption is what was written: it goes with the first table */
    for (const xmlNode *n = layout_xml_find(wrap, "table"); n != NULL; n = n->next) {
        if (!layout_xml_is(n, "table")) continue;
        g_autoptr(layout_pen_grid) grid = layout_pen_grid_new();
        take_rows(grid, n, NULL, FALSE);
        if (layout_pen_grid_write(grid, &r->pen) != LAYOUT_NONE) first = FALSE;
    }
    if (first) /* a picture of a table, mostly */
        layout_pen_figure(&r->pen, NULL, NULL, NULL);
    for (const xmlNode *n = wrap->children; n != NULL; n = n->next)
        if (layout_xml_is(n, "table-wrap-foot")) write_foot(r, n);
}
