/* A file -> a document: pages are read and boiled down (reading.c), then the whole is analysed. The order of
 * the steps is in analyze.h. */
#include "layout/document.h"
#include "layout/flow.h"
#include "layout/readers/archive.h"
#include "layout/reading.h"
#include "layout/turned.h"

#include <string.h>

layout_sheet *
layout_sheet_boil(layout_work *fonts, const parse_page *page)
{
    layout_sheet *sheet = layout_sheet_new(page->index);
    sheet->label = g_strdup(page->label);
    layout_turned turned;
    const parse_page *laid = layout_turned_lay(page, &turned);
    layout_lines_find(fonts, sheet, laid);
    layout_graphics_find(sheet, laid);
    g_array_append_vals(sheet->laid, turned.laid->data, turned.laid->len);
    layout_turned_clear(&turned);
    return sheet;
}

layout_sheet *
layout_sheet_take(layout_work *work, const parse_page *page)
{
    layout_work_release(work);
    layout_sheet *sheet = layout_sheet_boil(work, page);
    layout_work_add_sheet(work, sheet);
    return sheet;
}

lode_document *
layout_analyze(layout_work *work, layout_builder *builder, GError **error)
{
    layout_style_measure(work);
    layout_tags_apply(work);
    layout_furniture_mark(work);
    layout_hyphen_learn(work);
    layout_order_measure(work);
    layout_captions_find(work);
    for (guint s = 0; s < work->sheets->len; s++) {
        layout_sheet *sheet = layout_work_sheet(work, s);
        layout_captions_take(work, sheet);
        layout_code_find(sheet);
        layout_tables_find(work, sheet);
        layout_figures_find(work, sheet);
        layout_order_rows(work, sheet);
        layout_tags_order(work, sheet);
        layout_work_release(work);
    }
    layout_paragraphs_build(work);
    layout_entries_split(work);
    layout_classify(work);
    layout_tags_classify(work);
    layout_join(work);
    layout_footnotes_join(work);
    layout_headings_level(work);
    layout_lists_level(work);
    layout_contents_level(work);
    layout_captions_bind(work);
    layout_tables_join(work);
    layout_footnotes_of_tables(work);
    layout_footnotes_bind(work);
    layout_floats_place(work);
    layout_emit(work, builder);
    layout_citations_find(work, builder);
    layout_builder_name_images(builder);
    /* A page is foreign bytes: a promise it talks us into breaking is this file's error, not the end of
     * the program that linked us. */
    g_autoptr(lode_document) document = layout_builder_take(builder);
    if (!layout_document_check(document, error)) {
        g_prefix_error(error, "a fault in the analysis: ");
        return NULL;
    }
    layout_metadata_find(work, document);
    return g_steal_pointer(&document);
}

/* ---- reading ---- */

static layout_error_code
code_of(const GError *error)
{
    if (error->domain != PARSE_ERROR) return LAYOUT_ERROR_FORMAT;
    switch (error->code) {
    case PARSE_ERROR_IO:
        return LAYOUT_ERROR_IO;
    case PARSE_ERROR_PASSWORD:
        return LAYOUT_ERROR_PASSWORD;
    case PARSE_ERROR_LIMIT:
        return LAYOUT_ERROR_LIMIT;
    case PARSE_ERROR_CANCELLED:
        return LAYOUT_ERROR_CANCELLED;
    default:
        return LAYOUT_ERROR_FORMAT;
    }
}

void
layout_set_parse_error(GError **error, const GError *cause)
{
    g_set_error_literal(error, LAYOUT_ERROR, (gint)code_of(cause), cause->message);
}

parse_options
layout_parse_options(const layout_options *options)
{
    return (parse_options){.password = options->password,
                           .memory_limit = options->memory_limit,
                           .page_seconds = options->page_seconds};
}

static void
source_describe(lode_document *document, const char *path, const parse_file *file)
{
    g_autofree char *hash = layout_file_sha256(path, NULL);
    document->meta.source_name = g_string_chunk_insert(document->text, parse_file_name(file));
    if (hash != NULL) document->meta.source_sha256 = g_string_chunk_insert(document->text, hash);
}

/* A paper or a picture of one. */
static lode_document *
pages_open(const char *path, const layout_options *options, GError **error)
{
    g_autoptr(GError) cause = NULL;
    parse_options limits = layout_parse_options(options);
    g_autoptr(parse_file) file = parse_file_open(path, &limits, &cause);
    if (file == NULL) {
        layout_set_parse_error(error, cause);
        return NULL;
    }
    g_autoptr(layout_work) work = layout_work_new();
    g_autoptr(layout_builder) builder = layout_builder_new();
    work->meta = parse_file_metadata(file);
    work->outline = parse_file_outline(file, &work->n_outline);
    if (!layout_pages_read(work, builder, file, path, options, error)) return NULL;
    if (work->meta->tagged) work->tags = parse_file_tags(file, &work->n_tags);
    parse_file_rest(file);
    lode_document *document = layout_analyze(work, g_steal_pointer(&builder), error);
    if (document == NULL) {
        g_prefix_error(error, "%s: ", parse_file_name(file));
        return NULL;
    }
    source_describe(document, path, file);
    return document;
}

/* What parse says of a member's bytes names the file that they were put into. */
static void
rename_error(GError *error, const layout_input *input)
{
    g_autofree char *base = g_path_get_basename(input->local_path);
    g_autofree char *prefix = g_strconcat(base, ": ", NULL);
    if (error == NULL || input->fd < 0 || !g_str_has_prefix(error->message, prefix)) return;
    char *message = g_strconcat(input->name, ": ", error->message + strlen(prefix), NULL);
    g_free(error->message);
    error->message = message;
}

lode_document *
layout_document_open(const char *path, const layout_options *options, GError **error)
{
    const layout_options none = {0};
    if (options == NULL) options = &none;
    g_autoptr(layout_input) input = layout_input_open(path, error);
    if (input == NULL) return NULL;
    gboolean claimed = FALSE;
    lode_document *document = layout_readers_open(input, path, options, &claimed, error);
    if (claimed) return document;
    GError *cause = NULL;
    document = pages_open(input->local_path, options, &cause);
    rename_error(cause, input);
    if (cause != NULL) g_propagate_error(error, cause);
    if (document != NULL && input->fd >= 0)
        document->meta.source_name = g_string_chunk_insert(document->text, input->name);
    return document;
}
