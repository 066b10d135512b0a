/* The pictures of a document, cut out of rendered pages: figures, and what tables and formulas ask for.
 * Vector art comes as SVG as well. */
#include "layout/readers/readers.h"
#include "layout/readers/archive.h"
#include "layout/writers.h"
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

/* An SVG beyond this is a drawing that no viewer enjoys: a map, a scatter plot of a million points. */
#define MAX_SVG_BYTES (4 * 1024 * 1024)

typedef struct {
    const lode_document *document;
    parse_file *file;
    const char *dir;
    double dpi;
    const layout_image_options *options;
} renderer;

layout_image_options
layout_image_options_default(void)
{
    return (layout_image_options){.which = LAYOUT_IMAGES_ALL};
}

/* A document read from JSON can carry any name: only one that stays in its folder will do. */
static gboolean
is_safe_name(const char *name)
{
    return name[0] != '\0' && name[0] != '.' && !strpbrk(name, "/\\") && strlen(name) < 200;
}

/* Room around a picture, less where other blocks stand close. */
static void
clip_widen(const renderer *r, const layout_box *box, parse_rect *clip)
{
    const lode_document *d = r->document;
    const layout_rect own = box->rect;
    parse_rect room = {own.x0 - MARGIN_PT, own.y0 - MARGIN_PT, own.x1 + MARGIN_PT,
                       own.y1 + MARGIN_PT};
    for (guint i = 0; i < d->n_boxes; i++) {
        const layout_rect b = d->boxes[i].rect;
        if (d->boxes[i].page != box->page || b.x1 <= room.x0 || b.x0 >= room.x1 ||
            b.y1 <= room.y0 || b.y0 >= room.y1)
            continue;
        if (b.y0 >= own.y1 - 1) room.y1 = MAX(own.y1 - 1, MIN(room.y1, b.y0));
        if (b.y1 <= own.y0 + 1) room.y0 = MIN(own.y0 + 1, MAX(room.y0, b.y1));
        if (b.x0 >= own.x1) room.x1 = MIN(room.x1, b.x0);
        if (b.x1 <= own.x0) room.x0 = MAX(room.x0, b.x1);
    }
    const layout_page *page = &d->pages[box->page];
    *clip = (parse_rect){MAX(room.x0, 0), MAX(room.y0, 0), MIN(room.x1, page->width_pt),
                         MIN(room.y1, page->height_pt)};
}

/* The part of the page that the picture name shows. */
static gboolean
clip_find(const renderer *r, const char *name, const layout_box *box, parse_rect *clip,
          GError **error)
{
    if (!is_safe_name(name)) {
        g_set_error(error, LAYOUT_ERROR, LAYOUT_ERROR_FORMAT, "unsafe image name \"%s\"", name);
        return FALSE;
    }
    clip_widen(r, box, clip);
    if (clip->x1 > clip->x0 && clip->y1 > clip->y0) return TRUE;
    g_set_error(error, LAYOUT_ERROR, LAYOUT_ERROR_FORMAT, "page %d: %s lies outside the page",
                box->page + 1, name);
    return FALSE;
}

/* A page whose text stands on its side or on its head: its pictures are cut out upright. */
static guint
quarters_of(const renderer *r, const layout_box *box)
{
    return (guint)(r->document->pages[box->page].turn / 90) & 3;
}

static gboolean
write_bytes(const renderer *r, const char *name, GBytes *bytes, GError **error)
{
    gsize len = 0;
    gconstpointer data = g_bytes_get_data(bytes, &len);
    g_autofree char *path = g_build_filename(r->dir, name, NULL);
    return layout_write_file_atomic(path, data, len, error);
}

static gboolean
render(const renderer *r, const char *name, const layout_box *box, GError **error)
{
    parse_rect clip;
    if (!clip_find(r, name, box, &clip, error)) return FALSE;
    const double square_inches =
        (double)(clip.x1 - clip.x0) * (double)(clip.y1 - clip.y0) / (72.0 * 72.0);
    const double dpi = MIN(r->dpi, MAX(sqrt(MAX_PIXELS / square_inches), 1.0));
    g_autoptr(GBytes) png =
        parse_file_render_png(r->file, box->page, &clip, quarters_of(r, box), dpi, error);
    if (!png) {
        g_prefix_error(error, "page %d: %s: ", box->page + 1, name);
        return FALSE;
    }
    return write_bytes(r, name, png, error);
}

/* The picture is there as PNG already: an SVG that cannot be made is worth a warning, not an error. */
static gboolean
render_svg(const renderer *r, const char *name, const layout_box *box, GError **error)
{
    parse_rect clip;
    if (!clip_find(r, name, box, &clip, error)) return FALSE;
    g_autoptr(GError) cause = NULL;
    g_autoptr(GBytes) svg = parse_file_render_svg(r->file, box->page, &clip, quarters_of(r, box),
                                                  MAX_SVG_BYTES, &cause);
    if (svg) return write_bytes(r, name, svg, error);
    if (r->options->warn) {
        g_autofree char *message =
            g_strdup_printf("page %d: %s: not written: %s", box->page + 1, name, cause->message);
        r->options->warn(box->page, message, r->options->user_data);
    }
    return TRUE;
}

/* The first box of a block. */
static gboolean
render_block(const renderer *r, const char *name, int block, GError **error)
{
    const layout_block *b = &r->document->blocks[block];
    if (!name || b->n_boxes == 0) return TRUE;
    return render(r, name, &r->document->boxes[b->first_box], error);
}

/* A table that goes on in another column or page: a picture of each part, "page-3-table-1.png", "page-3-table-1-2.png",
 * "page-3-table-1-3.png". */
static gboolean
render_parts(const renderer *r, const layout_table *table, GError **error)
{
    const layout_block *b = &r->document->blocks[table->block];
    if (!render_block(r, table->image, table->block, error)) return FALSE;
    for (guint i = 1; table->image && i < b->n_boxes; i++) {
        const char *suffix = strrchr(table->image, '.');
        const int len = (int)(suffix ? suffix - table->image : (gssize)strlen(table->image));
        g_autofree char *name =
            g_strdup_printf("%.*s-%u%s", len, table->image, i + 1, suffix ? suffix : "");
        if (!render(r, name, &r->document->boxes[b->first_box + i], error)) return FALSE;
    }
    return TRUE;
}

gboolean
layout_document_has_images(const lode_document *document, layout_images which,
                           layout_formulas formulas)
{
    if (which == LAYOUT_IMAGES_NONE) return FALSE;
    for (guint i = 0; i < document->n_figures; i++)
        if (document->figures[i].image) return TRUE;
    for (guint i = 0; i < document->n_cells; i++)
        if (document->cells[i].image) return TRUE;
    if (which == LAYOUT_IMAGES_FIGURES) return FALSE;
    for (guint i = 0; i < document->n_tables; i++)
        if (document->tables[i].image) return TRUE;
    for (guint i = 0; i < document->n_formulas; i++)
        if (layout_formula_crop(&document->formulas[i], which, formulas)) return TRUE;
    return FALSE;
}

static gboolean
figures_write(const renderer *r, GError **error)
{
    for (guint i = 0; i < r->document->n_figures; i++) {
        const layout_figure *figure = &r->document->figures[i];
        if (figure->image && !render(r, figure->image, &figure->box, error)) return FALSE;
        if (figure->svg && !r->options->no_svg && !render_svg(r, figure->svg, &figure->box, error))
            return FALSE;
    }
    for (guint i = 0; i < r->document->n_cells; i++) {
        const layout_cell *cell = &r->document->cells[i];
        const layout_box box = {cell->box.page, cell->picture};
        if (cell->image && !render(r, cell->image, &box, error)) return FALSE;
    }
    return TRUE;
}

/* Pictures that the source holds as files, as they are. */
static gboolean
pictures_write(const renderer *r, GHashTable *pictures, GError **error)
{
    for (guint i = 0; i < r->document->n_figures; i++) {
        const char *name = r->document->figures[i].image;
        GBytes *bytes = name && is_safe_name(name) ? g_hash_table_lookup(pictures, name) : NULL;
        if (bytes && !write_bytes(r, name, bytes, error)) return FALSE;
        if (!name || bytes) continue;
        g_set_error(error, LAYOUT_ERROR, LAYOUT_ERROR_FORMAT, "the source has no picture \"%.60s\"",
                    name);
        return FALSE;
    }
    return TRUE;
}

gboolean
layout_document_write_images(const lode_document *document, const char *path, const char *password,
                             const char *dir, const layout_image_options *options, GError **error)
{
    const layout_image_options defaults = layout_image_options_default();
    if (!options) options = &defaults;
    if (!layout_document_has_images(document, options->which, options->formulas)) return TRUE;

    if (g_mkdir_with_parents(dir, 0777) != 0) {
        g_autofree char *shown = g_filename_display_name(dir);
        g_set_error(error, LAYOUT_ERROR, LAYOUT_ERROR_IO, "%s: cannot be made: %s", shown,
                    g_strerror(errno));
        return FALSE;
    }
    gboolean claimed = FALSE;
    g_autoptr(layout_input) input = layout_input_open(path, error);
    if (!input) return FALSE;
    g_autoptr(GHashTable) pictures = layout_readers_pictures(input, path, &claimed, error);
    if (claimed) {
        const renderer copier = {.document = document, .dir = dir, .options = options};
        return pictures && pictures_write(&copier, pictures, error);
    }
    const parse_options opening = {.password = password};
    g_autoptr(parse_file) file = parse_file_open(input->local_path, &opening, error);
    if (!file) return FALSE;
    if ((guint)parse_file_n_pages(file) < document->n_pages) {
        g_set_error(error, LAYOUT_ERROR, LAYOUT_ERROR_FORMAT,
                    "%s: has fewer pages than the document", parse_file_name(file));
        return FALSE;
    }
    const double dpi = options->dpi > 0 ? CLAMP(options->dpi, MIN_DPI, MAX_DPI) : DEFAULT_DPI;
    const renderer r = {document, file, dir, dpi, options};
    if (!figures_write(&r, error)) return FALSE;
    if (options->which != LAYOUT_IMAGES_ALL) return TRUE;
    for (guint i = 0; i < document->n_tables; i++) {
        if (!render_parts(&r, &document->tables[i], error)) return FALSE;
    }
    for (guint i = 0; i < document->n_formulas; i++) {
        const layout_formula *formula = &document->formulas[i];
        const char *name = layout_formula_crop(formula, options->which, options->formulas);
        if (!render_block(&r, name, formula->block, error)) return FALSE;
    }
    return TRUE;
}
