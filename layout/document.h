/* Private to layout: what the makers of documents share. */
#ifndef LODE_LAYOUT_DOCUMENT_H
#define LODE_LAYOUT_DOCUMENT_H

#include "layout/layout.h"

G_BEGIN_DECLS

#define LAYOUT_MAX_TABLE_ROWS 1000000
#define LAYOUT_MAX_TABLE_COLS 16384

/* Every promise that layout.h makes about a document's indices, ranges and order, checked in one place:
 * layout_builder_finish asserts it, the JSON reader turns it into an error. FALSE: error is
 * LAYOUT_ERROR_FORMAT and names the offender ("blocks[3]: span 2 overlaps its predecessor"). */
gboolean layout_document_check(const lode_document *document, GError **error);

/* The order of citations: by block, start, reference; a GCompareFunc on layout_citation. */
int layout_citation_compare(gconstpointer a, gconstpointer b);

/* Let go of the memory of what was added so far, or of the whole document, until it is touched again; nothing
 * moves. Cheap for a short document. For loops over a long one: once per page or so. */
void layout_builder_rest(layout_builder *builder);
void layout_document_rest(const lode_document *document);
/* The same in each turn of a loop over one of a document's arrays that writes nothing: now and then. i counts its
 * elements, up or down, or more where they lie blocks apart. */
static inline void
layout_document_pass(const lode_document *document, guint i)
{
    if (i % 64 == 0) layout_document_rest(document);
}

/* Does the text begin with its title, so that headings stand one level lower? */
gboolean layout_document_has_title(const lode_document *document);

/* The builder's blocks, boxes, spans, formulas, references and names as a document to read: lent, valid until
 * something is added; it can be put to rest. */
void layout_builder_view(const layout_builder *builder, lode_document *view);

/* layout_builder_add_table in steps, for a table whose cells are never in memory all at once: begin with those of its
 * first rows, add the others, and end with the table. No other table may come between. */
void layout_builder_begin_table(layout_builder *builder, const layout_cell *cells, guint n_cells);
void layout_builder_add_cells(layout_builder *builder, const layout_cell *cells, guint n_cells);
int layout_builder_end_table(layout_builder *builder, const layout_table *table);

/* layout_builder_finish without the check: for bytes that are not ours. Frees the builder. */
lode_document *layout_builder_take(layout_builder *builder);

/* Writes a file's content to fd; FALSE: error is set. */
typedef gboolean (*layout_file_writer)(int fd, gpointer user_data, GError **error);
/* As layout_write_file_atomic, of what write writes. */
gboolean layout_write_file_by(const char *path, layout_file_writer write, gpointer user_data,
                              GError **error);

/* Give every figure and table its image name, for documents whose source can be rendered. Names are
 * deterministic and safe as file names. */
void layout_builder_name_images(layout_builder *builder);

G_END_DECLS
#endif
