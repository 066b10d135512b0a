/* The pictures of a document, cut out of rendered pages: figures, and what tables and formulas ask for. */
#include "layout/layout.h"

#include "parse/parse.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#define DEFAULT_DPI 200.0
#define MIN_DPI     10.0
#define MAX_DPI     1200.0
/* Below parse's own limit of 64 megapixels: a poster is rendered coarser rather than not at all. */
#define MAX_PIXELS 48e6
/* Around a crop, so that strokes on its border keep their whole width. */
#define MARGIN_PT 2.0f

typedef struct {
    const lode_document *document;
    parse_file *file;
    const char *dir;
    double dpi;
} renderer;

/* A document read from JSON can carry any name: only one that stays in its folder will do. */
static gboolean
is_safe_name(const char *name)
{
    return name[0] != '\0' && name[0] != '.' && !strpbrk(name, "/\\") && strlen(name) < 200;
}

static gboolean
render(const renderer *r, const char *name, const layout_box *box, GError **error)
{
    const layout_page *page = &r->document->pages[box->page];
    if (!is_safe_name(name)) {
        g_set_error(error, LAYOUT_ERROR, LAYOUT_ERROR_FORMAT, "unsafe image name \"%s\"", name);
        return FALSE;
    }
    const parse_rect clip = {MAX(box->rect.x0 - MARGIN_PT, 0), MAX(box->rect.y0 - MARGIN_PT, 0),
                             MIN(box->rect.x1 + MARGIN_PT, page->width_pt),
                             MIN(box->rect.y1 + MARGIN_PT, page->height_pt)};
    if (!(clip.x1 > clip.x0 && clip.y1 > clip.y0)) {
        g_set_error(error, LAYOUT_ERROR, LAYOUT_ERROR_FORMAT, "page %d: %s lies outside the page",
                    box->page + 1, name);
        return FALSE;
    }
    const double square_inches =
        (double)(clip.x1 - clip.x0) * (double)(clip.y1 - clip.y0) / (72.0 * 72.0);
    const double dpi = MIN(r->dpi, MAX(sqrt(MAX_PIXELS / square_inches), 1.0));
    g_autoptr(GBytes) png = parse_file_render_png(r->file, box->page, &clip, dpi, error);
    if (!png) {
        g_prefix_error(error, "page %d: %s: ", box->page + 1, name);
        return FALSE;
    }
    gsize len = 0;
    gconstpointer data = g_bytes_get_data(png, &len);
    g_autofree char *path = g_build_filename(r->dir, name, NULL);
    return layout_write_file_atomic(path, data, len, error);
}

/* The first box of a block; a table that goes on over the page is shown by its beginning. */
static gboolean
render_block(const renderer *r, const char *name, int block, GError **error)
{
    const layout_block *b = &r->document->blocks[block];
    if (!name || b->n_boxes == 0) return TRUE;
    return render(r, name, &r->document->boxes[b->first_box], error);
}

gboolean
layout_document_write_images(const lode_document *document, const char *path, const char *password,
                             const char *dir, double dpi, GError **error)
{
    guint n = 0;
    for (guint i = 0; i < document->n_figures; i++)
        n += document->figures[i].image ? 1 : 0;
    for (guint i = 0; i < document->n_tables; i++)
        n += document->tables[i].image ? 1 : 0;
    for (guint i = 0; i < document->n_formulas; i++)
        n += document->formulas[i].image ? 1 : 0;
    if (n == 0) return TRUE;

    if (g_mkdir_with_parents(dir, 0777) != 0) {
        g_autofree char *shown = g_filename_display_name(dir);
        g_set_error(error, LAYOUT_ERROR, LAYOUT_ERROR_IO, "%s: cannot be made: %s", shown,
                    g_strerror(errno));
        return FALSE;
    }
    const parse_options options = {.password = password};
    g_autoptr(parse_file) file = parse_file_open(path, &options, error);
    if (!file) return FALSE;
    if ((guint)parse_file_n_pages(file) < document->n_pages) {
        g_set_error(error, LAYOUT_ERROR, LAYOUT_ERROR_FORMAT,
                    "%s: has fewer pages than the document", parse_file_name(file));
        return FALSE;
    }
    const renderer r = {document, file, dir, dpi > 0 ? CLAMP(dpi, MIN_DPI, MAX_DPI) : DEFAULT_DPI};
    for (guint i = 0; i < document->n_figures; i++) {
        const layout_figure *figure = &document->figures[i];
        if (figure->image && !render(&r, figure->image, &figure->box, error)) return FALSE;
    }
    for (guint i = 0; i < document->n_tables; i++) {
        if (!render_block(&r, document->tables[i].image, document->tables[i].block, error))
            return FALSE;
    }
    for (guint i = 0; i < document->n_formulas; i++) {
        if (!render_block(&r, document->formulas[i].image, document->formulas[i].block, error))
            return FALSE;
    }
    return TRUE;
}
