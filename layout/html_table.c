/* A table as HTML: for Markdown where cells span, for pages and for content lists; and what its cells hold. */
#include "layout/writers.h"

#include <string.h>

/* May this stand between dollars without a command or a script in it: a letter, a sum, a relation? An amount, "$5", or
 * two of them may not. */
static gboolean
is_formula(const char *text, const char *open, const char *close)
{
    gboolean letter = FALSE;
    if (close == open + 1 || g_ascii_isdigit(close[1]) || g_ascii_isalpha(close[1])) return FALSE;
    if (open > text && (g_ascii_isalnum(open[-1]) || open[-1] == '$')) return FALSE;
    if (open[1] == ' ' || close[-1] == ' ' || strchr("/,;.)", open[1]) != NULL) return FALSE;
    for (const char *at = open + 1; at < close; at++) {
        letter |= g_ascii_isalpha(*at) && !g_ascii_isalpha(at[1]) && !g_ascii_isalpha(at[-1]);
        if (g_ascii_isalpha(*at) && g_ascii_isalpha(at[1]) && g_ascii_isalpha(at[-1])) return FALSE;
    }
    return letter || strpbrk(open, "<=>") < close;
}

void
layout_cell_math(const char *text, GArray *spans, GStringChunk *strings)
{
    g_array_set_size(spans, 0);
    for (const char *open = text; (open = strchr(open, '$')) != NULL;) {
        const char *close = strchr(open + 1, '$');
        if (close == NULL) return;
        g_autofree char *latex = g_strndup(open + 1, (gsize)(close - open - 1));
        /* what has a command or a script in it is no price */
        if (strpbrk(latex, "\\^_") == NULL && !is_formula(text, open, close)) {
            open++;
            continue;
        }
        const layout_span span = {(uint32_t)(open - text), (uint32_t)(close + 1 - open),
                                  LAYOUT_SPAN_MATH, g_string_chunk_insert(strings, latex)};
        g_array_append_val(spans, span);
        open = close + 1;
    }
}

static void
append_text(GString *out, const char *text, gsize len)
{
    g_autofree char *part = g_strndup(text, len);
    html_append_escaped(out, part);
}

static void
append_cell_text(GString *out, const char *text, layout_table_place place)
{
    if (place != LAYOUT_TABLE_PAGE || strchr(text, '$') == NULL) {
        html_append_escaped(out, text);
        return;
    }
    g_autoptr(GArray) spans = g_array_new(FALSE, FALSE, sizeof(layout_span));
    g_autoptr(GStringChunk) strings = g_string_chunk_new(256);
    layout_cell_math(text, spans, strings);
    gsize done = 0;
    for (guint i = 0; i < spans->len; i++) {
        const layout_span *span = &g_array_index(spans, layout_span, i);
        append_text(out, text + done, span->start - done);
        g_string_append(out, "\\(");
        html_append_escaped(out, span->target);
        g_string_append(out, "\\)");
        done = span->start + span->len;
    }
    html_append_escaped(out, text + done);
}

/* The raised marks at the end of a cell; in a page they lead to their notes. */
static void
append_marks(GString *out, const lode_document *document, const layout_table *table,
             const char *marks, layout_table_place place)
{
    const char *at = marks, *done = marks;
    g_string_append(out, "<sup>");
    for (gsize len; (len = layout_next_mark(&at)) > 0; done = at += len) {
        const int note =
            place == LAYOUT_TABLE_PAGE ? layout_cell_note(document, table, at, len) : LAYOUT_NONE;
        append_text(out, done, (gsize)(at - done));
        if (note != LAYOUT_NONE) g_string_append_printf(out, "<a href=\"#b%d\">", note);
        append_text(out, at, len);
        if (note != LAYOUT_NONE) g_string_append(out, "</a>");
    }
    html_append_escaped(out, done);
    g_string_append(out, "</sup>");
}

void
html_append_source(GString *out, const layout_write_options *options, const char *image)
{
    const char *dir = options && options->image_dir ? options->image_dir : "images";
    g_autofree char *path = *dir ? g_strconcat(dir, "/", image, NULL) : g_strdup(image);
    g_autofree char *address = g_uri_escape_string(path, "/", TRUE);
    g_string_append(out, "<img src=\"");
    html_append_escaped(out, address);
    g_string_append_c(out, '"');
}

static void
append_align(GString *out, const layout_table *table, const layout_cell *cell)
{
    if (table->align == NULL || cell->col_span > 1) return;
    const char align = table->align[cell->col];
    if (align == LAYOUT_ALIGN_NONE) return;
    g_string_append_printf(out, " style=\"text-align: %s\"",
                           align == LAYOUT_ALIGN_LEFT     ? "left"
                           : align == LAYOUT_ALIGN_CENTER ? "center"
                                                          : "right");
}

void
layout_table_to_html(GString *out, const lode_document *document, const layout_table *table,
                     layout_table_place place, const layout_write_options *options)
{
    const char *line_end = place == LAYOUT_TABLE_LINE ? "" : "\n";
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
            if (place == LAYOUT_TABLE_PAGE) append_align(out, table, cell);
            g_string_append_c(out, '>');
            const gsize len = strlen(cell->text) - cell->n_mark;
            g_autofree char *text = g_strndup(cell->text, len);
            append_cell_text(out, text, place);
            if (cell->n_mark > 0) append_marks(out, document, table, cell->text + len, place);
            if (layout_has_figure_image(options, cell->image)) {
                if (*cell->text != '\0') g_string_append(out, "<br />");
                html_append_source(out, options, cell->image);
                g_string_append(out, " alt=\"\" />");
            }
            g_string_append_printf(out, "</%s>", tag);
        }
        g_string_append_printf(out, "</tr>%s", line_end);
    }
    g_string_append_printf(out, "</table>%s", line_end);
}
