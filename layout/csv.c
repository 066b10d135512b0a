/* Tables as comma-separated values: RFC 4180, UTF-8 without a byte order mark, CRLF at line ends.
 *
 * Every row has a field for every column. A cell over several rows or columns stands in the first of its places; the
 * others are empty, so that no value is there twice. A text that a spreadsheet would take for a formula ("=1+1", but no
 * number: "-0.5") gets an apostrophe in front: papers come from strangers. */
#include "layout/writers.h"

#include <string.h>

static gboolean
looks_like_formula(const char *text)
{
    if (text[0] == '\0' || strchr("=@+-\t", text[0]) == NULL) return FALSE;
    if (text[0] != '+' && text[0] != '-') return TRUE;
    /* a number, a percentage, a lone dash */
    return text[1 + strspn(text + 1, "0123456789.,%eE +-*()\xC2\xA0\xB1")] != '\0';
}

static void
append_field(GString *out, const char *text)
{
    const gboolean formula = looks_like_formula(text);
    if (!formula && strpbrk(text, ",\"\r\n") == NULL && text[0] != ' ' &&
        (text[0] == '\0' || text[strlen(text) - 1] != ' ')) {
        g_string_append(out, text);
        return;
    }
    g_string_append(out, formula ? "\"'" : "\"");
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '"') g_string_append_c(out, '"');
        g_string_append_c(out, *p);
    }
    g_string_append_c(out, '"');
}

static void
append_table(GString *out, const lode_document *document, const layout_table *table)
{
    const layout_cell *cells = document->cells + table->first_cell;
    guint next = 0;
    for (guint row = 0; row < table->n_rows; row++) {
        for (guint col = 0; col < table->n_cols; col++) {
            if (col > 0) g_string_append_c(out, ',');
            if (next == table->n_cells || cells[next].row != row || cells[next].col != col)
                continue;
            append_field(out, cells[next++].text);
        }
        g_string_append(out, "\r\n");
        layout_document_pass(document, row);
    }
}

char *
layout_table_to_csv(const lode_document *document, guint index)
{
    g_assert(index < document->n_tables);
    GString *out = g_string_new(NULL);
    append_table(out, document, &document->tables[index]);
    return g_string_free(out, FALSE);
}

char *
layout_document_to_csv(const lode_document *document, const layout_write_options *options)
{
    (void)options;
    GString *out = g_string_new(NULL);
    for (guint i = 0; i < document->n_tables; i++) {
        if (i > 0) g_string_append(out, "\r\n");
        append_table(out, document, &document->tables[i]);
    }
    return g_string_free(out, FALSE);
}

char *
layout_table_file_name(const lode_document *document, guint index)
{
    const layout_block *block = &document->blocks[document->tables[index].block];
    if (block->n_boxes == 0) return g_strdup_printf("table-%u.csv", index + 1);
    const int page = document->boxes[block->first_box].page;
    guint nth = 0;
    for (guint i = index + 1; i-- > 0;) {
        const layout_block *other = &document->blocks[document->tables[i].block];
        if (other->n_boxes > 0 && document->boxes[other->first_box].page == page) nth++;
    }
    return g_strdup_printf("page-%d-table-%u.csv", page + 1, nth);
}
