/* A file -> a document: pages are read one at a time and boiled down, then the whole is analysed.
 *
 * Only one parse_page is alive at any time; what is kept of it (a layout_sheet) is a small multiple of its
 * text. The order of the steps is in analyze.h. */
#include "layout/document.h"
#include "layout/flow.h"

#include <string.h>

layout_sheet *
layout_sheet_take(layout_work *work, const parse_page *page)
{
    layout_work_release(work);
    layout_sheet *sheet = layout_sheet_new((int)work->sheets->len);
    sheet->label = g_strdup(page->label);
    layout_lines_find(work, sheet, page);
    layout_graphics_find(sheet, page);
    layout_work_add_sheet(work, sheet);
    return sheet;
}

lode_document *
layout_analyze(layout_work *work, layout_builder *builder, GError **error)
{
    layout_style_measure(work);
    layout_furniture_mark(work);
    layout_hyphen_learn(work);
    layout_order_measure(work);
    layout_captions_find(work);
    for (guint s = 0; s < work->sheets->len; s++) {
        layout_sheet *sheet = layout_work_sheet(work, s);
        layout_captions_take(work, sheet);
        layout_tables_find(work, sheet);
        layout_figures_find(work, sheet);
        layout_order_rows(work, sheet);
        layout_work_release(work);
    }
    layout_paragraphs_build(work);
    layout_entries_split(work);
    layout_classify(work);
    layout_join(work);
    layout_headings_level(work);
    layout_lists_level(work);
    layout_captions_bind(work);
    layout_floats_place(work);
    layout_emit(work, builder);
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

static void
set_from_parse(GError **error, const GError *cause)
{
    g_set_error_literal(error, LAYOUT_ERROR, code_of(cause), cause->message);
}

static layout_sheet *
page_empty(layout_work *work)
{
    layout_sheet *sheet = layout_sheet_new((int)work->sheets->len);
    /* Letter size: nothing is known of this page but that it exists. */
    sheet->page_width = sheet->width = 612;
    sheet->page_height = sheet->height = 792;
    sheet->source = LAYOUT_TEXT_NONE;
    layout_work_add_sheet(work, sheet);
    return sheet;
}

/* [n], by page index; NULL with n_wanted 0 where the ranges name no page that the file has. */
static gboolean *
pages_wanted(const layout_options *options, layout_builder *builder, int n, int *n_wanted)
{
    const layout_page_range all = {1, 0};
    const gboolean some = options != NULL && options->n_ranges > 0;
    const layout_page_range *ranges = some ? options->ranges : &all;
    g_autofree gboolean *wanted = g_new0(gboolean, (gsize)n);
    *n_wanted = 0;
    for (guint r = 0; r < (some ? options->n_ranges : 1); r++) {
        const int last = ranges[r].last > 0 ? MIN(ranges[r].last, n) : n;
        if (ranges[r].first > n) {
            g_autofree char *message =
                g_strdup_printf("no page %d, the file has %d", ranges[r].first, n);
            layout_builder_add_warning(builder, LAYOUT_NONE, message);
        }
        for (int i = MAX(ranges[r].first, 1) - 1; i < last; i++) {
            if (!wanted[i]) (*n_wanted)++;
            wanted[i] = TRUE;
        }
    }
    return *n_wanted > 0 ? g_steal_pointer(&wanted) : NULL;
}

static gboolean
pages_read(layout_work *work, layout_builder *builder, parse_file *file,
           const layout_options *options, GError **error)
{
    int n = parse_file_n_pages(file), n_wanted = 0, n_read = 0;
    g_autofree gboolean *wanted = pages_wanted(options, builder, n, &n_wanted);
    int n_failed = 0;
    if (n_wanted == 0) {
        g_set_error(error, LAYOUT_ERROR, LAYOUT_ERROR_FORMAT, "%s: no page %d, the file has %d",
                    parse_file_name(file), options->ranges[0].first, n);
        return FALSE;
    }
    g_autoptr(GError) first_failure = NULL;
    for (int i = 0; n_read < n_wanted; i++) {
        /* Page indices are those of the file: pages skipped are there, but empty. */
        if (!wanted[i]) {
            page_empty(work)->skipped = TRUE;
            continue;
        }
        if (options != NULL && options->cancel != NULL &&
            __atomic_load_n(options->cancel, __ATOMIC_RELAXED)) {
            g_set_error(error, LAYOUT_ERROR, LAYOUT_ERROR_CANCELLED, "%s: cancelled at page %d",
                        parse_file_name(file), i + 1);
            return FALSE;
        }
        g_autoptr(GError) cause = NULL;
        g_autoptr(parse_page) page = parse_file_load_page(file, i, &cause);
        if (page == NULL) {
            page_empty(work)->failure = g_strdup(cause->message);
            n_failed++;
            if (first_failure == NULL) first_failure = g_steal_pointer(&cause);
        } else {
            layout_sheet_take(work, page);
            if (page->truncated) {
                g_autofree char *message =
                    g_strdup_printf("page %d: more was drawn than is kept", i + 1);
                layout_builder_add_warning(builder, i, message);
            }
        }
        n_read++;
        if (options != NULL && options->progress != NULL)
            options->progress(n_read, n_wanted, options->user_data);
    }
    if (n_failed == n_wanted) {
        set_from_parse(error, first_failure);
        return FALSE;
    }
    return TRUE;
}

static void
source_describe(lode_document *document, const char *path, const parse_file *file)
{
    g_autofree char *hash = layout_file_sha256(path, NULL);
    document->meta.source_name = g_string_chunk_insert(document->text, parse_file_name(file));
    if (hash != NULL) document->meta.source_sha256 = g_string_chunk_insert(document->text, hash);
}

lode_document *
layout_document_open(const char *path, const layout_options *options, GError **error)
{
    g_autoptr(GError) cause = NULL;
    parse_options limits = {0};
    if (options != NULL) {
        limits.password = options->password;
        limits.memory_limit = options->memory_limit;
        limits.page_seconds = options->page_seconds;
    }
    g_autoptr(parse_file) file = parse_file_open(path, &limits, &cause);
    if (file == NULL) {
        set_from_parse(error, cause);
        return NULL;
    }
    g_autoptr(layout_work) work = layout_work_new();
    g_autoptr(layout_builder) builder = layout_builder_new();
    work->meta = parse_file_metadata(file);
    work->outline = parse_file_outline(file, &work->n_outline);
    if (!pages_read(work, builder, file, options, error)) return NULL;

    guint n_warnings = 0;
    const char *const *warnings = parse_file_warnings(file, &n_warnings);
    for (guint i = 0; i < n_warnings; i++)
        layout_builder_add_warning(builder, LAYOUT_NONE, warnings[i]);
    lode_document *document = layout_analyze(work, g_steal_pointer(&builder), error);
    if (document == NULL) {
        g_prefix_error(error, "%s: ", parse_file_name(file));
        return NULL;
    }
    source_describe(document, path, file);
    return document;
}
