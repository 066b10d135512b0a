/* A table over papers; see table.h. */
#include "pipelines/table.h"

#include <string.h>

#include "pipelines/evidence.h"
#include "pipelines/writer.h"

typedef struct {
    lode_answer *answer;
    guint citation; /* of it, that the cell rests on */
    char *text;
} cell;

typedef struct {
    char *path, *work, *title;
    GPtrArray *cells; /* of cell, NULL: empty */
} row;

struct pipelines_table {
    GPtrArray *columns; /* of char * */
    GPtrArray *rows;    /* of row */
};

static void
cell_free(gpointer data)
{
    cell *c = data;
    if (c == NULL) return;
    lode_answer_free(c->answer);
    g_free(c->text);
    g_free(c);
}

static void
row_free(gpointer data)
{
    row *r = data;
    g_free(r->path);
    g_free(r->work);
    g_free(r->title);
    g_ptr_array_unref(r->cells);
    g_free(r);
}

void
pipelines_table_free(pipelines_table *table)
{
    if (table == NULL) return;
    g_ptr_array_unref(table->columns);
    g_ptr_array_unref(table->rows);
    g_free(table);
}

/* ---- making ---- */

static GPtrArray *
read_columns(const char *columns, GError **error)
{
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(g_free);
    g_auto(GStrv) parts = g_strsplit(columns, ",", -1);
    for (char **part = parts; *part != NULL; part++)
        if (g_strstrip(*part)[0] != '\0') g_ptr_array_add(list, g_strdup(*part));
    if (list->len > 0 && list->len <= PIPELINES_MAX_COLUMNS) return g_steal_pointer(&list);
    g_set_error(error, PIPELINES_ERROR, LODE_ERROR_ARGUMENT,
                "a table has from 1 to %d columns, separated by commas", PIPELINES_MAX_COLUMNS);
    return NULL;
}

/* Paths of the papers that get a row. */
static GPtrArray *
find_papers(const pipelines_ask_context *context, const char *question,
            const lode_ask_options *options, GError **error)
{
    g_autoptr(GPtrArray) papers = g_ptr_array_new_with_free_func(g_free);
    if (question[0] == '\0') {
        g_auto(GStrv) paths = retrieval_library_list(context->library, error);
        if (paths == NULL) return NULL;
        for (char **path = paths; *path != NULL && papers->len < PIPELINES_MAX_ROWS; path++)
            g_ptr_array_add(papers, g_strdup(*path));
        return g_steal_pointer(&papers);
    }
    retrieval_search_options search = retrieval_search_options_default();
    search.n_results = PIPELINES_MAX_ROWS;
    search.max_per_document = 1;
    search.where = options->where;
    g_autoptr(GPtrArray) hits =
        retrieval_library_search(context->library, question, &search, error);
    if (hits == NULL) return NULL;
    for (guint i = 0; i < hits->len; i++)
        g_ptr_array_add(papers, g_strdup(((const retrieval_hit *)hits->pdata[i])->path));
    return g_steal_pointer(&papers);
}

/* A name with both kinds of quotation marks cannot be written in a condition. */
static char *
only_this(const char *path, const char *where)
{
    char mark = strchr(path, '"') == NULL ? '"' : '\'';
    if (where == NULL) return g_strdup_printf("document = %c%s%c", mark, path, mark);
    return g_strdup_printf("document = %c%s%c and (%s)", mark, path, mark, where);
}

/* The stretch of a quote that answers, if it names the column and gives its value; g_free, else NULL. */
static char *
read_value(const lode_answer *answer, guint citation, const char *column)
{
    const pipelines_citation *c = &g_array_index(answer->citations, pipelines_citation, citation);
    const retrieval_hit *hit = answer->hits->pdata[c->passage];
    const pipelines_cell *place = &g_array_index(answer->cells, pipelines_cell, citation);
    /* a whole row: which of its cells? */
    if (hit->type == LAYOUT_BLOCK_TABLE && place->row == 0) return NULL;
    const pipelines_quote core = evidence_trim(hit, &c->quote, answer->question);
    const pipelines_quote *stretches[] = {&core, &c->quote};
    for (guint i = 0; i < G_N_ELEMENTS(stretches); i++) {
        const char *text = hit->text + stretches[i]->start;
        if (pipelines_column_is_answered(column, text, stretches[i]->len, place))
            return g_strndup(text, stretches[i]->len);
    }
    return NULL;
}

/* A cell of the answer's first claim, or, of quotes that no model has read, the first that says what the column asks;
 * NULL: it stays empty. Takes the answer. */
static cell *
new_cell(lode_answer *answer, gboolean by_words, const char *column)
{
    g_autoptr(lode_answer) owned = answer;
    const guint n = answer->status == LODE_ANSWER_INSUFFICIENT ? 0 : answer->claims->len;
    for (guint i = 0; i < (by_words ? n : MIN(n, 1)); i++) {
        const pipelines_claim *claim = answer->claims->pdata[i];
        if (!claim->supported || claim->citations->len == 0) continue;
        const guint citation = g_array_index(claim->citations, guint, 0);
        g_autofree char *text =
            by_words ? read_value(answer, citation, column) : g_strdup(answer->short_answer);
        if (text == NULL) continue;
        cell *c = g_new0(cell, 1);
        c->answer = g_steal_pointer(&owned);
        c->citation = citation;
        c->text = g_steal_pointer(&text);
        return c;
    }
    return NULL;
}

static gboolean
fill_cell(const pipelines_ask_context *context, row *r, const char *column,
          const lode_ask_options *options, GError **error)
{
    lode_ask_options own = *options;
    g_autofree char *where = only_this(r->path, options->where);
    own.where = where;
    own.strict = 1;
    own.record = 0;
    g_autofree char *question = g_strdup_printf("What is the %s?", column);
    lode_answer *answer = pipelines_ask(context, question, &own, error);
    if (answer == NULL) return FALSE;
    /* its options point at strings of ours */
    answer->options.where = NULL;
    const gboolean by_words = answer->extractive || context->writer->is_small;
    g_ptr_array_add(r->cells, new_cell(answer, by_words, column));
    return TRUE;
}

static gboolean
add_row(pipelines_table *table, const pipelines_ask_context *context, const char *path,
        const lode_ask_options *options, GError **error)
{
    row *r = g_new0(row, 1);
    r->path = g_strdup(path);
    r->cells = g_ptr_array_new_with_free_func(cell_free);
    g_ptr_array_add(table->rows, r);
    g_autoptr(retrieval_metadata) about =
        retrieval_library_get_metadata(context->library, path, error);
    if (about == NULL) return FALSE;
    g_autofree char *name = g_filename_display_basename(path);
    r->title = g_strdup(about->title != NULL ? about->title : name);
    const retrieval_hit hit = {.title = r->title, .authors = about->authors, .year = about->year};
    r->work = pipelines_work_name(&hit);
    for (guint i = 0; i < table->columns->len; i++)
        if (!fill_cell(context, r, table->columns->pdata[i], options, error)) return FALSE;
    return TRUE;
}

pipelines_table *
pipelines_table_make(const pipelines_ask_context *context, const char *columns,
                     const char *question, const lode_ask_options *options, GError **error)
{
    g_autoptr(pipelines_table) table = g_new0(pipelines_table, 1);
    table->rows = g_ptr_array_new_with_free_func(row_free);
    table->columns = read_columns(columns, error);
    if (table->columns == NULL) {
        table->columns = g_ptr_array_new();
        return NULL;
    }
    lode_ask_options filled = pipelines_ask_options(options);
    g_autoptr(GPtrArray) papers = find_papers(context, question, &filled, error);
    if (papers == NULL) return NULL;
    for (guint i = 0; i < papers->len; i++)
        if (!add_row(table, context, papers->pdata[i], &filled, error)) return NULL;
    return g_steal_pointer(&table);
}

guint
pipelines_table_n_filled(const pipelines_table *table)
{
    guint n = 0;
    for (guint i = 0; i < table->rows->len; i++) {
        const GPtrArray *cells = ((const row *)table->rows->pdata[i])->cells;
        for (guint j = 0; j < cells->len; j++)
            if (cells->pdata[j] != NULL) n++;
    }
    return n;
}

/* ---- writing ---- */

json_t *
pipelines_table_to_json(const pipelines_table *table)
{
    json_t *columns = json_array(), *rows = json_array();
    for (guint i = 0; i < table->columns->len; i++)
        json_array_append_new(columns, json_string(table->columns->pdata[i]));
    for (guint i = 0; i < table->rows->len; i++) {
        const row *r = table->rows->pdata[i];
        json_t *cells = json_array();
        for (guint j = 0; j < r->cells->len; j++) {
            const cell *c = r->cells->pdata[j];
            json_array_append_new(
                cells, c == NULL ? json_null()
                                 : json_pack("{s:s, s:o}", "text", c->text, "citation",
                                             pipelines_evidence_to_json(c->answer, c->citation)));
        }
        json_t *item = json_object();
        json_object_set_new(item, "work", json_string(r->work));
        json_object_set_new(item, "title", json_string(r->title));
        json_object_set_new(item, "path", pipelines_json_path(r->path));
        json_object_set_new(item, "cells", cells);
        json_array_append_new(rows, item);
    }
    return json_pack("{s:s, s:i, s:o, s:o}", "schema", "lode-table", "version", 1, "columns",
                     columns, "rows", rows);
}

/* One line, with "|" escaped. */
static void
append_markdown(GString *out, const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '|') g_string_append_c(out, '\\');
        g_string_append_c(out, *p == '\n' || *p == '\r' ? ' ' : *p);
    }
}

char *
pipelines_table_to_markdown(const pipelines_table *table)
{
    GString *out = g_string_new("| Paper |");
    g_autoptr(GString) sources = g_string_new(NULL);
    guint number = 0;
    for (guint i = 0; i < table->columns->len; i++) {
        g_string_append_c(out, ' ');
        append_markdown(out, table->columns->pdata[i]);
        g_string_append(out, " |");
    }
    g_string_append(out, "\n|---|");
    for (guint i = 0; i < table->columns->len; i++)
        g_string_append(out, "---|");
    for (guint i = 0; i < table->rows->len; i++) {
        const row *r = table->rows->pdata[i];
        g_string_append(out, "\n| ");
        append_markdown(out, r->work);
        g_string_append(out, " |");
        for (guint j = 0; j < r->cells->len; j++) {
            const cell *c = r->cells->pdata[j];
            g_string_append_c(out, ' ');
            if (c != NULL) {
                append_markdown(out, c->text);
                g_string_append_printf(out, " [%u] ", ++number);
                g_string_append_printf(sources, "%u. %s, p. %d: \"", number, r->work,
                                       lode_citation_page_number(c->answer, c->citation));
                append_markdown(sources, lode_citation_quote(c->answer, c->citation));
                g_string_append(sources, "\"\n");
            }
            g_string_append_c(out, '|');
        }
    }
    g_string_append_c(out, '\n');
    if (number > 0) g_string_append_printf(out, "\nSources\n\n%s", sources->str);
    return g_string_free(out, FALSE);
}

/* A text that a spreadsheet would take for a formula gets an apostrophe in front. */
static void
append_csv(GString *out, const char *text, gboolean first)
{
    if (!first) g_string_append_c(out, ',');
    g_string_append_c(out, '"');
    if (text[0] != '\0' && strchr("=+-@\t", text[0]) != NULL) g_string_append_c(out, '\'');
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '"') g_string_append_c(out, '"');
        g_string_append_c(out, *p);
    }
    g_string_append_c(out, '"');
}

char *
pipelines_table_to_csv(const pipelines_table *table)
{
    GString *out = g_string_new(NULL);
    append_csv(out, "Paper", TRUE);
    for (guint i = 0; i < table->columns->len; i++) {
        g_autofree char *source = g_strconcat(table->columns->pdata[i], " (source)", NULL);
        append_csv(out, table->columns->pdata[i], FALSE);
        append_csv(out, source, FALSE);
    }
    g_string_append(out, "\r\n");
    for (guint i = 0; i < table->rows->len; i++) {
        const row *r = table->rows->pdata[i];
        append_csv(out, r->work, TRUE);
        for (guint j = 0; j < r->cells->len; j++) {
            const cell *c = r->cells->pdata[j];
            if (c == NULL) {
                g_string_append(out, ",\"\",\"\"");
                continue;
            }
            g_autofree char *source =
                g_strdup_printf("p. %d: %s", lode_citation_page_number(c->answer, c->citation),
                                lode_citation_quote(c->answer, c->citation));
            append_csv(out, c->text, FALSE);
            append_csv(out, source, FALSE);
        }
        g_string_append(out, "\r\n");
    }
    return g_string_free(out, FALSE);
}
