/* The source of a document with its blocks drawn over it: what was read as what, in which order. */
#include "layout/readers/archive.h"
#include "layout/document.h"

#include "parse/parse.h"

/* By layout_block_type. Text in blues and greens, what floats in warm colours, furniture grey. */
static const uint32_t colors[LAYOUT_N_BLOCK_TYPES] = {
    [LAYOUT_BLOCK_TITLE] = 0xC2185B,     [LAYOUT_BLOCK_AUTHOR] = 0x8E24AA,
    [LAYOUT_BLOCK_ABSTRACT] = 0x00838F,  [LAYOUT_BLOCK_HEADING] = 0xD32F2F,
    [LAYOUT_BLOCK_PARAGRAPH] = 0x1565C0, [LAYOUT_BLOCK_LIST_ITEM] = 0x2E7D32,
    [LAYOUT_BLOCK_TABLE] = 0xEF6C00,     [LAYOUT_BLOCK_FIGURE] = 0xF9A825,
    [LAYOUT_BLOCK_FORMULA] = 0x5D4037,   [LAYOUT_BLOCK_CODE] = 0x37474F,
    [LAYOUT_BLOCK_CAPTION] = 0xAF5C00,   [LAYOUT_BLOCK_FOOTNOTE] = 0x558B2F,
    [LAYOUT_BLOCK_REFERENCE] = 0x283593, [LAYOUT_BLOCK_HEADER] = 0x757575,
    [LAYOUT_BLOCK_FOOTER] = 0x757575,    [LAYOUT_BLOCK_PAGE_NUMBER] = 0x757575,
    [LAYOUT_BLOCK_WATERMARK] = 0x9E9E9E,
};

/* The marks of all pages, page after page; *pages [*n] borrows them. Free both with g_free. */
static parse_overlay_mark *
make_marks(const lode_document *d, GStringChunk *labels, parse_overlay_page **pages, guint *n)
{
    parse_overlay_mark *marks = g_new(parse_overlay_mark, MAX(d->n_boxes, 1)), *next = marks;
    g_autofree guint *count = g_new0(guint, d->n_pages + 1);
    g_autofree parse_overlay_mark **place = g_new0(parse_overlay_mark *, d->n_pages + 1);
    *pages = g_new0(parse_overlay_page, d->n_pages + 1);
    *n = 0;
    for (guint i = 0; i < d->n_boxes; i++) {
        layout_document_pass(d, i);
        count[d->boxes[i].page]++;
    }
    for (guint p = 0; p < d->n_pages; p++) {
        place[p] = next;
        if (count[p] > 0) (*pages)[(*n)++] = (parse_overlay_page){(int)p, next, count[p]};
        next += count[p];
    }
    for (guint b = 0; b < d->n_blocks; b++) {
        const layout_block *block = &d->blocks[b];
        layout_document_pass(d, b);
        g_autofree char *label = g_strdup_printf("%u %s", b, layout_block_type_name(block->type));
        const char *kept = block->n_boxes > 0 ? g_string_chunk_insert(labels, label) : NULL;
        for (guint i = 0; i < block->n_boxes; i++) {
            const layout_box *box = &d->boxes[block->first_box + i];
            *place[box->page]++ =
                (parse_overlay_mark){{box->rect.x0, box->rect.y0, box->rect.x1, box->rect.y1},
                                     colors[block->type],
                                     kept};
        }
    }
    return marks;
}

typedef struct {
    const lode_document *document;
    parse_file *file;
} drawing;

static gboolean
write_to(int fd, gpointer user_data, GError **error)
{
    const drawing *d = user_data;
    g_autoptr(GError) cause = NULL;
    g_autoptr(GStringChunk) labels = g_string_chunk_new(4096);
    g_autofree parse_overlay_page *pages = NULL;
    guint n = 0;
    g_autofree parse_overlay_mark *marks = make_marks(d->document, labels, &pages, &n);
    if (parse_file_write_overlay(d->file, pages, n, fd, &cause)) return TRUE;
    g_set_error_literal(error, LAYOUT_ERROR,
                        cause->code == PARSE_ERROR_IO ? LAYOUT_ERROR_IO : LAYOUT_ERROR_FORMAT,
                        cause->message);
    return FALSE;
}

gboolean
layout_document_write_overlay(const lode_document *document, const char *source,
                              const char *password, const char *path, GError **error)
{
    const parse_options options = {.password = password};
    g_autoptr(GError) cause = NULL;
    g_autoptr(layout_input) input = layout_input_open(source, error);
    if (!input) return FALSE;
    g_autoptr(parse_file) file = parse_file_open(input->local_path, &options, &cause);
    if (!file) {
        g_set_error_literal(error, LAYOUT_ERROR, LAYOUT_ERROR_FORMAT, cause->message);
        return FALSE;
    }
    drawing d = {document, file};
    return layout_write_file_by(path, write_to, &d, error);
}
