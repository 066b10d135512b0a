/* The source of a document as a PDF whose scanned pages can be searched: what was read in their pixels lies on them,
 * unseen. Recognised pages come from the store that the document was read with; without one they are read again. */
#include "layout/document.h"
#include "layout/scan.h"

#include "parse/parse.h"

typedef struct {
    const lode_document *document;
    const layout_options *options;
    parse_file *target; /* that is written */
    parse_file *source; /* the same file, that is read */
    parse_ocr *ocr;     /* NULL until a page needs it */
} search_layer;

/* NULL without an error: a page that is left as it is. */
static parse_page *
words_of(int index, gpointer user_data, GError **error)
{
    search_layer *s = user_data;
    const gboolean force = s->options->ocr == LAYOUT_OCR_FORCE;
    if ((guint)index >= s->document->n_pages) return NULL;
    const layout_page *page = &s->document->pages[index];
    if (page->source == LAYOUT_TEXT_NATIVE || page->skipped || page->failure != NULL) return NULL;
    g_autoptr(parse_page) primitives = parse_file_load_page(s->source, index, NULL);
    if (primitives == NULL) return NULL;
    layout_scan scan;
    layout_scan_judge(primitives, &scan);
    if (scan.verdict == LAYOUT_SCAN_NONE && !force) return NULL;
    if (s->ocr == NULL) {
        const parse_ocr_options how = {.languages = s->options->ocr_languages,
                                       .store = s->options->ocr_store,
                                       .cancel = s->options->cancel};
        s->ocr = parse_ocr_new(&how, error);
        if (s->ocr == NULL) return NULL;
    }
    g_autoptr(GError) cause = NULL;
    parse_page *words = layout_scan_recognize(&scan, force, s->ocr, s->source, primitives, &cause);
    /* the document says what else could not be recognised */
    if (g_error_matches(cause, PARSE_ERROR, PARSE_ERROR_CANCELLED))
        g_propagate_error(error, g_steal_pointer(&cause));
    return words;
}

static gboolean
write_to(int fd, gpointer user_data, GError **error)
{
    search_layer *s = user_data;
    g_autoptr(GError) cause = NULL;
    if (parse_file_write_searchable(s->target, words_of, s, fd, &cause)) return TRUE;
    const layout_error_code code = cause->code == PARSE_ERROR_IO          ? LAYOUT_ERROR_IO
                                   : cause->code == PARSE_ERROR_CANCELLED ? LAYOUT_ERROR_CANCELLED
                                                                          : LAYOUT_ERROR_FORMAT;
    g_set_error_literal(error, LAYOUT_ERROR, (gint)code, cause->message);
    return FALSE;
}

gboolean
layout_document_write_searchable(const lode_document *document, const char *source,
                                 const layout_options *options, const char *path, GError **error)
{
    const parse_options limits = {.password = options->password,
                                  .memory_limit = options->memory_limit,
                                  .page_seconds = options->page_seconds};
    g_autoptr(GError) cause = NULL;
    g_autoptr(parse_file) target = parse_file_open(source, &limits, &cause);
    g_autoptr(parse_file) second = target ? parse_file_open(source, &limits, &cause) : NULL;
    if (second == NULL) {
        g_set_error_literal(error, LAYOUT_ERROR, LAYOUT_ERROR_FORMAT, cause->message);
        return FALSE;
    }
    search_layer s = {document, options, target, second, NULL};
    const gboolean good = layout_write_file_by(path, write_to, &s, error);
    parse_ocr_free(s.ocr);
    return good;
}
