/* One row per paper, one column per thing that is asked of each, a source in every cell. */
#ifndef LODE_PIPELINES_TABLE_H
#define LODE_PIPELINES_TABLE_H

#include "pipelines/answer.h"
#include "pipelines/quote.h"

G_BEGIN_DECLS

typedef struct pipelines_table pipelines_table;

/* columns: "data set, model size, accuracy". question: only papers that speak of it, the best first; "": all, in the
 * order of their paths, at most PIPELINES_MAX_ROWS. Each cell is an answer of its own from that paper alone; it stays
 * empty where there is no verified quote, and, where no model reads, where the quote does not name the column with a value
 * for it. LODE_ERROR_ARGUMENT: no columns, or too many. */
enum { PIPELINES_MAX_ROWS = 200, PIPELINES_MAX_COLUMNS = 20 };
pipelines_table *pipelines_table_make(const pipelines_ask_context *context, const char *columns,
                                      const char *question, const lode_ask_options *options,
                                      GError **error);
void pipelines_table_free(pipelines_table *table); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(pipelines_table, pipelines_table_free)

guint pipelines_table_n_filled(const pipelines_table *table); /* cells */
json_t *pipelines_table_to_json(const pipelines_table *table);
/* With the sources below it, each with its quote; g_free. */
char *pipelines_table_to_markdown(const pipelines_table *table);
/* RFC 4180; a cell's source follows in a column of its own. g_free. */
char *pipelines_table_to_csv(const pipelines_table *table);

/* column.c: does text [len], UTF-8, name the column and give a value for it? cell: what names it in a table, as
 * pipelines_cell_read; NULL or without a row: it stands in no cell. */
gboolean pipelines_column_is_answered(const char *column, const char *text, size_t len,
                                      const pipelines_cell *cell);

G_END_DECLS
#endif
