/* A table as HTML: for Markdown where cells span, and for content lists. */
#include "layout/writers.h"

void
layout_table_to_html(GString *out, const lode_document *document, const layout_table *table,
                     gboolean one_line)
{
    const char *line_end = one_line ? "" : "\n";
    g_string_append_printf(out, "<table>%s", line_end);
    guint i = 0;
    for (guint row = 0; row < table->n_rows; row++) {
        g_string_append(out, "<tr>");
        for (; i < table->n_cells; i++) {
            const layout_cell *cell = &document->cells[table->first_cell + i];
            if (cell->row != row) break;
            const char *tag = cell->header || row < table->n_header_rows ? "th" : "td";
            g_string_append_printf(out, "<%s", tag);
            if (cell->row_span > 1) g_string_append_printf(out, " rowspan=\"%u\"", cell->row_span);
            if (cell->col_span > 1) g_string_append_printf(out, " colspan=\"%u\"", cell->col_span);
            g_string_append_c(out, '>');
            html_append_escaped(out, cell->text);
            g_string_append_printf(out, "</%s>", tag);
        }
        g_string_append_printf(out, "</tr>%s", line_end);
    }
    g_string_append_printf(out, "</table>%s", line_end);
}
