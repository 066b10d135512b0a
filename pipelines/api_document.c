/* lode.h: status, documents. A thin face over layout: checks arguments, turns errors, hands on. */
#include "pipelines/internal.h"

#include <string.h>

/* Options of an older program are shorter than ours: what is missing keeps its default. */
#define FILL_OPTIONS(filled, given)                                                                \
    G_STMT_START                                                                                   \
    {                                                                                              \
        if ((given) != NULL)                                                                       \
            memcpy(&(filled), (given), MIN((given)->struct_size, sizeof(filled)));                 \
        (filled).struct_size = sizeof(filled);                                                     \
    }                                                                                              \
    G_STMT_END

const char *
lode_version(void)
{
    return LODE_VERSION;
}

const char *
lode_status_name(lode_status status)
{
    static const char *const names[] = {
        "no error",
        "wrong argument",
        "input or output failed",
        "wrong format",
        "wrong password",
        "limit reached",
        "unsupported",
        "not found",
        "busy",
        "made with another embedder",
        "interrupted",
        "network failed",
        "internal fault",
    };
    return (guint)status < G_N_ELEMENTS(names) ? names[status] : "unknown status";
}

void
lode_free(void *memory)
{
    g_free(memory);
}

lode_convert_options
lode_convert_options_default(void)
{
    return (lode_convert_options){.struct_size = sizeof(lode_convert_options), .n_threads = 1};
}

lode_status
lode_convert_file(const char *path, const lode_convert_options *options, lode_document **out,
                  lode_error *error)
{
    if (out == NULL || path == NULL)
        return pipelines_fail_argument(error, "path and out must not be NULL");
    *out = NULL;
    lode_convert_options filled = lode_convert_options_default();
    FILL_OPTIONS(filled, options);
    GError *failure = NULL;
    g_autoptr(GArray) pages = NULL;
    if (filled.pages != NULL) {
        pages = pipelines_pages_parse(filled.pages, &failure);
        if (pages == NULL) return pipelines_fail(error, failure);
    }
    layout_ocr_mode ocr;
    if (!pipelines_ocr_mode_parse(filled.ocr, &ocr))
        return pipelines_fail_argument(error, "ocr must be auto, off or force");
    layout_options inner = {
        .password = filled.password,
        .ocr = ocr,
        .ocr_languages = filled.ocr_languages,
        .n_threads = (unsigned)CLAMP(filled.n_threads, 1, 1024),
        .ranges = pages != NULL ? (const layout_page_range *)(void *)pages->data : NULL,
        .n_ranges = pages != NULL ? pages->len : 0,
        .memory_limit = filled.memory,
        .page_seconds = filled.page_seconds,
        .keep_hidden = filled.keep_hidden_text != 0,
        .cancel = filled.cancel,
        .progress = filled.progress,
        .user_data = filled.user_data,
    };
    *out = layout_document_open(path, &inner, &failure);
    return *out != NULL ? LODE_OK : pipelines_fail(error, failure);
}

lode_status
lode_document_from_json(const char *json, size_t len, lode_document **out, lode_error *error)
{
    if (out == NULL || json == NULL)
        return pipelines_fail_argument(error, "json and out must not be NULL");
    GError *failure = NULL;
    *out = layout_document_from_json(json, len, &failure);
    return *out != NULL ? LODE_OK : pipelines_fail(error, failure);
}

/* ---- metadata ---- */

const char *
lode_document_title(const lode_document *document)
{
    return document->meta.title;
}

size_t
lode_document_n_authors(const lode_document *document)
{
    return document->meta.authors != NULL ? g_strv_length((char **)document->meta.authors) : 0;
}

const char *
lode_document_author(const lode_document *document, size_t index)
{
    return index < lode_document_n_authors(document) ? document->meta.authors[index] : NULL;
}

const char *
lode_document_abstract(const lode_document *document)
{
    return document->meta.abstract;
}

const char *
lode_document_doi(const lode_document *document)
{
    return document->meta.doi;
}

const char *
lode_document_arxiv(const lode_document *document)
{
    return document->meta.arxiv;
}

const char *
lode_document_year(const lode_document *document)
{
    return document->meta.year;
}

const char *
lode_document_source_name(const lode_document *document)
{
    return document->meta.source_name;
}

const char *
lode_document_source_sha256(const lode_document *document)
{
    return document->meta.source_sha256;
}

/* ---- pages ---- */

static const layout_page *
page_at(const lode_document *document, size_t index)
{
    return index < document->n_pages ? &document->pages[index] : NULL;
}

size_t
lode_document_n_pages(const lode_document *document)
{
    return document->n_pages;
}

double
lode_document_page_width(const lode_document *document, size_t page_index)
{
    const layout_page *page = page_at(document, page_index);
    return page != NULL ? (double)page->width_pt : 0;
}

double
lode_document_page_height(const lode_document *document, size_t page_index)
{
    const layout_page *page = page_at(document, page_index);
    return page != NULL ? (double)page->height_pt : 0;
}

const char *
lode_document_page_label(const lode_document *document, size_t page_index)
{
    const layout_page *page = page_at(document, page_index);
    return page != NULL ? page->label : NULL;
}

const char *
lode_document_page_failure(const lode_document *document, size_t page_index)
{
    const layout_page *page = page_at(document, page_index);
    return page != NULL ? page->failure : NULL;
}

/* ---- warnings ---- */

size_t
lode_document_n_warnings(const lode_document *document)
{
    return document->n_warnings;
}

const char *
lode_document_warning(const lode_document *document, size_t index)
{
    return index < document->n_warnings ? document->warnings[index].message : NULL;
}

int
lode_document_warning_page(const lode_document *document, size_t index)
{
    return index < document->n_warnings ? document->warnings[index].page + 1 : 0;
}

/* ---- the ledger ---- */

size_t
lode_document_page_glyphs(const lode_document *document, int page, const char *place)
{
    if (place == NULL || page < 1 || (guint)page > document->n_pages) return 0;
    const layout_ledger *ledger = &document->pages[page - 1].ledger;
    const struct {
        const char *name;
        guint n;
    } places[] = {{"drawn", ledger->n_glyphs},
                  {"text", ledger->n_text},
                  {"table", ledger->n_table},
                  {"figure", ledger->n_figure},
                  {"furniture", ledger->n_furniture}};
    for (size_t i = 0; i < G_N_ELEMENTS(places); i++)
        if (strcmp(place, places[i].name) == 0) return places[i].n;
    layout_discard_reason reason;
    return layout_discard_reason_from_name(place, &reason) ? ledger->n_discarded[reason] : 0;
}

int
lode_document_page_balances(const lode_document *document, int page)
{
    return page >= 1 && (guint)page <= document->n_pages &&
           layout_ledger_balances(&document->pages[page - 1].ledger);
}

size_t
lode_document_n_discarded(const lode_document *document)
{
    return document->n_discards;
}

const char *
lode_document_discarded_text(const lode_document *document, size_t index)
{
    return index < document->n_discards ? document->discards[index].text : NULL;
}

const char *
lode_document_discarded_reason(const lode_document *document, size_t index)
{
    return index < document->n_discards
               ? layout_discard_reason_name(document->discards[index].reason)
               : NULL;
}

int
lode_document_discarded_page(const lode_document *document, size_t index)
{
    return index < document->n_discards ? document->discards[index].box.page + 1 : 0;
}

/* ---- blocks ---- */

static const layout_block *
block_at(const lode_document *document, size_t index)
{
    return index < document->n_blocks ? &document->blocks[index] : NULL;
}

size_t
lode_document_n_blocks(const lode_document *document)
{
    return document->n_blocks;
}

const char *
lode_document_block_type(const lode_document *document, size_t block)
{
    const layout_block *b = block_at(document, block);
    return b != NULL ? layout_block_type_name(b->type) : NULL;
}

int
lode_document_block_level(const lode_document *document, size_t block)
{
    const layout_block *b = block_at(document, block);
    return b != NULL ? b->level : 0;
}

const char *
lode_document_block_text(const lode_document *document, size_t block)
{
    const layout_block *b = block_at(document, block);
    return b != NULL ? b->text : NULL;
}

long
lode_document_block_parent(const lode_document *document, size_t block)
{
    const layout_block *b = block_at(document, block);
    return b != NULL ? b->parent : -1;
}

size_t
lode_document_block_n_boxes(const lode_document *document, size_t block)
{
    const layout_block *b = block_at(document, block);
    return b != NULL ? b->n_boxes : 0;
}

lode_box
lode_document_block_box(const lode_document *document, size_t block, size_t index)
{
    const layout_block *b = block_at(document, block);
    if (b == NULL || index >= b->n_boxes) return (lode_box){0};
    return pipelines_box(&document->boxes[b->first_box + index]);
}

/* The index-th span in doubt of a block, and how many there are; NULL where there are not so many. */
static const layout_span *
doubtful_at(const lode_document *document, size_t block, size_t index, size_t *n)
{
    const layout_block *b = block_at(document, block);
    const layout_span *found = NULL;
    *n = 0;
    for (guint i = 0; b != NULL && i < b->n_spans; i++) {
        const layout_span *span = &document->spans[b->first_span + i];
        if (!(span->flags & LAYOUT_SPAN_DOUBTFUL)) continue;
        if (*n == index) found = span;
        (*n)++;
    }
    return found;
}

size_t
lode_document_block_n_doubtful(const lode_document *document, size_t block)
{
    size_t n;
    doubtful_at(document, block, 0, &n);
    return n;
}

size_t
lode_document_block_doubtful(const lode_document *document, size_t block, size_t index, size_t *len)
{
    size_t n;
    const layout_span *span = doubtful_at(document, block, index, &n);
    if (len != NULL) *len = span != NULL ? span->len : 0;
    return span != NULL ? span->start : 0;
}

/* ---- tables ---- */

static const layout_table *
table_at(const lode_document *document, size_t table)
{
    return document != NULL && table < document->n_tables ? &document->tables[table] : NULL;
}

/* A cell of zeros where there is none. */
static const layout_cell *
cell_at(const lode_document *document, size_t table, size_t cell)
{
    static const layout_cell none = {0};
    const layout_table *t = table_at(document, table);
    return t != NULL && cell < t->n_cells ? &document->cells[t->first_cell + cell] : &none;
}

size_t
lode_document_n_tables(const lode_document *document)
{
    return document != NULL ? document->n_tables : 0;
}

long
lode_document_table_block(const lode_document *document, size_t table)
{
    const layout_table *t = table_at(document, table);
    return t != NULL ? t->block : -1;
}

size_t
lode_document_table_n_rows(const lode_document *document, size_t table)
{
    const layout_table *t = table_at(document, table);
    return t != NULL ? t->n_rows : 0;
}

size_t
lode_document_table_n_columns(const lode_document *document, size_t table)
{
    const layout_table *t = table_at(document, table);
    return t != NULL ? t->n_cols : 0;
}

size_t
lode_document_table_n_header_rows(const lode_document *document, size_t table)
{
    const layout_table *t = table_at(document, table);
    return t != NULL ? t->n_header_rows : 0;
}

const char *
lode_document_table_column_align(const lode_document *document, size_t table, size_t column)
{
    const layout_table *t = table_at(document, table);
    if (t == NULL || column >= t->n_cols) return NULL;
    switch (t->align != NULL ? t->align[column] : LAYOUT_ALIGN_NONE) {
    case LAYOUT_ALIGN_LEFT:
        return "left";
    case LAYOUT_ALIGN_CENTER:
        return "center";
    case LAYOUT_ALIGN_RIGHT:
        return "right";
    case LAYOUT_ALIGN_DECIMAL:
        return "decimal";
    default:
        return "none";
    }
}

size_t
lode_document_table_n_cells(const lode_document *document, size_t table)
{
    const layout_table *t = table_at(document, table);
    return t != NULL ? t->n_cells : 0;
}

size_t
lode_document_table_cell_at(const lode_document *document, size_t table, size_t row, size_t column)
{
    const size_t n = lode_document_table_n_cells(document, table);
    for (size_t i = 0; i < n; i++) {
        const layout_cell *cell = cell_at(document, table, i);
        if (cell->row > row) break;
        if (row - cell->row < cell->row_span && column >= cell->col &&
            column - cell->col < cell->col_span)
            return i;
    }
    return n;
}

const char *
lode_document_cell_text(const lode_document *document, size_t table, size_t cell)
{
    return cell_at(document, table, cell)->text;
}

lode_box
lode_document_cell_box(const lode_document *document, size_t table, size_t cell)
{
    const layout_cell *c = cell_at(document, table, cell);
    return c->text != NULL ? pipelines_box(&c->box) : (lode_box){0};
}

size_t
lode_document_cell_row(const lode_document *document, size_t table, size_t cell)
{
    return cell_at(document, table, cell)->row;
}

size_t
lode_document_cell_column(const lode_document *document, size_t table, size_t cell)
{
    return cell_at(document, table, cell)->col;
}

size_t
lode_document_cell_row_span(const lode_document *document, size_t table, size_t cell)
{
    return cell_at(document, table, cell)->row_span;
}

size_t
lode_document_cell_column_span(const lode_document *document, size_t table, size_t cell)
{
    return cell_at(document, table, cell)->col_span;
}

int
lode_document_cell_is_header(const lode_document *document, size_t table, size_t cell)
{
    return cell_at(document, table, cell)->header;
}

int
lode_document_cell_is_doubtful(const lode_document *document, size_t table, size_t cell)
{
    return cell_at(document, table, cell)->doubtful;
}

char *
lode_document_table_to_csv(const lode_document *document, size_t table)
{
    return table_at(document, table) != NULL ? layout_table_to_csv(document, (guint)table) : NULL;
}

/* ---- writers ---- */

char *
lode_document_to_format(const lode_document *document, unsigned format)
{
    const pipelines_format *found = pipelines_format_by_flag(format);
    if (document == NULL || found == NULL || found->write == NULL) return NULL;
    const layout_write_options options = layout_write_options_default();
    return found->write(document, &options);
}

char *
lode_document_to_markdown(const lode_document *document)
{
    return lode_document_to_format(document, LODE_FORMAT_MARKDOWN);
}

char *
lode_document_to_json(const lode_document *document)
{
    return lode_document_to_format(document, LODE_FORMAT_JSON);
}

char *
lode_document_to_content_list(const lode_document *document)
{
    return lode_document_to_format(document, LODE_FORMAT_CONTENT_LIST);
}

lode_save_options
lode_save_options_default(void)
{
    return (lode_save_options){.struct_size = sizeof(lode_save_options),
                               .formats = LODE_FORMAT_DEFAULT,
                               .images = LODE_IMAGES_ALL,
                               .dpi = 200};
}

lode_status
lode_document_save(const lode_document *document, const char *path, const char *dir,
                   const char *stem, const lode_save_options *options, lode_error *error)
{
    if (document == NULL || dir == NULL)
        return pipelines_fail_argument(error, "document and dir must not be NULL");
    lode_save_options filled = lode_save_options_default();
    FILL_OPTIONS(filled, options);
    if (filled.images < LODE_IMAGES_NONE || filled.images > LODE_IMAGES_ALL)
        return pipelines_fail_argument(error, "images must be one of LODE_IMAGES_*");
    if (filled.formulas < LODE_FORMULAS_AUTO || filled.formulas > LODE_FORMULAS_BOTH)
        return pipelines_fail_argument(error, "formulas must be one of LODE_FORMULAS_*");
    pipelines_output_options output = {
        .formats = filled.formats,
        .images = (layout_images)filled.images,
        .formulas = (layout_formulas)filled.formulas,
        .page_breaks = filled.page_breaks != 0,
        .dpi = filled.dpi,
    };
    g_autofree char *own_stem = pipelines_stem(stem != NULL   ? stem
                                               : path != NULL ? path
                                                              : document->meta.source_name);
    GError *failure = NULL;
    if (pipelines_write_document(document, path, filled.password, dir,
                                 stem != NULL ? stem : own_stem, &output, NULL, &failure))
        return LODE_OK;
    return pipelines_fail(error, failure);
}
