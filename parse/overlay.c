/* A copy of a PDF with boxes and labels drawn over its pages.
 *
 * What is drawn on a page is the appearance of one annotation (ISO 32000-1, 12.5.5), not part of the page's content:
 * a content stream that leaves its graphics state unbalanced, as many do, then cannot move it, and content,
 * rotation and boxes of the page stay as they are. The appearance is written in the coordinates of parse.h; its
 * matrix takes them to those of the page.
 *
 *   page /Annots [... << /Subtype /Stamp /Rect R /AP << /N << /BBox [0 0 w h] /Matrix M  stream >> >> >>]
 *
 * The file is written anew, with its encryption, in one pass to a descriptor. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "parse/parse_internal.h"

#define LABEL_PT   6.0f
#define LABEL_WIDE 0.56f /* of a character of Helvetica in ems, on average */

/* ---- the drawing ---- */

static float
component(uint32_t color, guint shift)
{
    return (float)((color >> shift) & 0xFF) / 255;
}

static void
append_color(fz_context *ctx, fz_buffer *out, uint32_t color, const char *operator)
{
    fz_append_printf(ctx, out, "%g %g %g %s\n", (double)component(color, 16),
                     (double)component(color, 8), (double)component(color, 0), operator);
}

/* Printable ASCII of text as a PDF string. */
static void
append_string(fz_context *ctx, fz_buffer *out, const char *text)
{
    fz_append_byte(ctx, out, '(');
    for (const char *p = text; *p; p++) {
        if (*p == '(' || *p == ')' || *p == '\\') fz_append_byte(ctx, out, '\\');
        fz_append_byte(ctx, out, *p >= 0x20 && *p < 0x7F ? *p : '?');
    }
    fz_append_byte(ctx, out, ')');
}

/* The label's tag stands on the box, or inside where the page ends above it. */
static void
append_mark(fz_context *ctx, fz_buffer *out, const parse_overlay_mark *mark, float page_width)
{
    const parse_rect b = mark->box;
    const double w = (double)(b.x1 - b.x0), h = (double)(b.y1 - b.y0);
    append_color(ctx, out, mark->color, "rg");
    append_color(ctx, out, mark->color, "RG");
    fz_append_printf(ctx, out, "/Light gs %g %g %g %g re f\n", (double)b.x0, (double)b.y0, w, h);
    fz_append_printf(ctx, out, "/Solid gs 0.6 w %g %g %g %g re S\n", (double)b.x0, (double)b.y0, w,
                     h);
    const float wide = (float)strlen(mark->label) * LABEL_PT * LABEL_WIDE + 2, high = LABEL_PT + 1;
    const float x = MAX(MIN(b.x0, page_width - wide), 0), y = b.y0 >= high ? b.y0 - high : b.y0;
    fz_append_printf(ctx, out, "%g %g %g %g re f\n1 g BT /F %g Tf 1 0 0 -1 %g %g Tm ", (double)x,
                     (double)y, (double)wide, (double)high, (double)LABEL_PT, (double)(x + 1),
                     (double)(y + high - 1.8f));
    append_string(ctx, out, mark->label);
    fz_append_string(ctx, out, " Tj ET\n");
}

static pdf_obj *
new_gstate(fz_context *ctx, pdf_document *pdf, double alpha)
{
    pdf_obj *state = pdf_new_dict(ctx, pdf, 2);
    pdf_dict_put_real(ctx, state, PDF_NAME(ca), alpha);
    pdf_dict_put_real(ctx, state, PDF_NAME(CA), alpha);
    return state;
}

static void
put_resources(fz_context *ctx, pdf_document *pdf, pdf_obj *form)
{
    pdf_obj *resources = pdf_dict_put_dict(ctx, form, PDF_NAME(Resources), 2);
    pdf_obj *states = pdf_dict_put_dict(ctx, resources, PDF_NAME(ExtGState), 2);
    pdf_dict_puts_drop(ctx, states, "Light", new_gstate(ctx, pdf, 0.2));
    pdf_dict_puts_drop(ctx, states, "Solid", new_gstate(ctx, pdf, 0.9));
    pdf_obj *fonts = pdf_dict_put_dict(ctx, resources, PDF_NAME(Font), 1);
    pdf_obj *font = pdf_dict_puts_dict(ctx, fonts, "F", 3);
    pdf_dict_put(ctx, font, PDF_NAME(Type), PDF_NAME(Font));
    pdf_dict_put(ctx, font, PDF_NAME(Subtype), PDF_NAME(Type1));
    pdf_dict_put_name(ctx, font, PDF_NAME(BaseFont), "Helvetica");
}

/* A new form XObject; to_page: from the coordinates of the marks to the page's own. */
static pdf_obj *
new_appearance(fz_context *ctx, pdf_document *pdf, const parse_overlay_page *page, fz_rect bounds,
               fz_matrix to_page)
{
    fz_buffer *content = NULL;
    pdf_obj *form = NULL, *result = NULL;
    fz_var(content);
    fz_var(result);
    fz_var(form);
    fz_try(ctx)
    {
        content = fz_new_buffer(ctx, 4096);
        for (guint i = 0; i < page->n_marks; i++)
            append_mark(ctx, content, &page->marks[i], bounds.x1);
        form = pdf_new_dict(ctx, pdf, 6);
        pdf_dict_put(ctx, form, PDF_NAME(Type), PDF_NAME(XObject));
        pdf_dict_put(ctx, form, PDF_NAME(Subtype), PDF_NAME(Form));
        pdf_dict_put_rect(ctx, form, PDF_NAME(BBox), bounds);
        pdf_dict_put_matrix(ctx, form, PDF_NAME(Matrix), to_page);
        put_resources(ctx, pdf, form);
        result = pdf_add_stream(ctx, pdf, content, form, 0);
    }
    fz_always(ctx)
    {
        pdf_drop_obj(ctx, form);
        fz_drop_buffer(ctx, content);
    }
    fz_catch(ctx) fz_rethrow(ctx);
    return result;
}

/* ---- the page ---- */

fz_matrix
parse_points_to_pdf(fz_context *ctx, fz_page *page, fz_rect *bounds)
{
    fz_rect mediabox;
    fz_matrix ctm;
    pdf_page_transform(ctx, pdf_page_from_fz_page(ctx, page), &mediabox, &ctm);
    const fz_rect box = fz_bound_page(ctx, page);
    if (bounds != NULL) *bounds = (fz_rect){0, 0, box.x1 - box.x0, box.y1 - box.y0};
    return fz_concat(fz_translate(box.x0, box.y0), fz_invert_matrix(ctm));
}

/* A list of annotations of the page's own: what was there may be shared, or no array at all. */
static void
put_annotation(fz_context *ctx, pdf_document *pdf, pdf_obj *page, pdf_obj *annotation)
{
    pdf_obj *old = pdf_dict_get(ctx, page, PDF_NAME(Annots));
    const int n = pdf_is_array(ctx, old) ? pdf_array_len(ctx, old) : 0;
    pdf_obj *list = pdf_new_array(ctx, pdf, n + 1);
    fz_try(ctx)
    {
        for (int i = 0; i < n; i++)
            pdf_array_push(ctx, list, pdf_array_get(ctx, old, i));
        pdf_array_push(ctx, list, annotation);
        pdf_dict_put(ctx, page, PDF_NAME(Annots), list);
    }
    fz_always(ctx) pdf_drop_obj(ctx, list);
    fz_catch(ctx) fz_rethrow(ctx);
}

static void
draw_page(fz_context *ctx, parse_file *file, const parse_overlay_page *marks)
{
    fz_page *page = NULL;
    pdf_obj *form = NULL, *dict = NULL, *annotation = NULL;
    fz_var(page);
    fz_var(form);
    fz_var(dict);
    fz_var(annotation);
    fz_try(ctx)
    {
        page = fz_load_page(ctx, file->doc, marks->page);
        fz_rect bounds;
        const fz_matrix to_page = parse_points_to_pdf(ctx, page, &bounds);
        form = new_appearance(ctx, file->pdf, marks, bounds, to_page);
        dict = pdf_new_dict(ctx, file->pdf, 6);
        pdf_dict_put(ctx, dict, PDF_NAME(Type), PDF_NAME(Annot));
        pdf_dict_put(ctx, dict, PDF_NAME(Subtype), PDF_NAME(Stamp));
        pdf_dict_put_rect(ctx, dict, PDF_NAME(Rect), fz_transform_rect(bounds, to_page));
        pdf_dict_put_int(ctx, dict, PDF_NAME(F), 4 | 64 | 128); /* print, read only, locked */
        pdf_dict_put(ctx, pdf_dict_put_dict(ctx, dict, PDF_NAME(AP), 1), PDF_NAME(N), form);
        annotation = pdf_add_object(ctx, file->pdf, dict);
        put_annotation(ctx, file->pdf, pdf_page_from_fz_page(ctx, page)->obj, annotation);
    }
    fz_always(ctx)
    {
        pdf_drop_obj(ctx, annotation);
        pdf_drop_obj(ctx, dict);
        pdf_drop_obj(ctx, form);
        fz_drop_page(ctx, page);
    }
    fz_catch(ctx) fz_rethrow(ctx);
}

/* pages.c may have replaced a page tree by one with nodes that are not objects of their own: in a file they
 * must be. */
void
parse_pages_settle(fz_context *ctx, pdf_document *pdf)
{
    pdf_obj *root = pdf_dict_getp(ctx, pdf_trailer(ctx, pdf), "Root/Pages");
    pdf_obj *kids = pdf_dict_get(ctx, root, PDF_NAME(Kids));
    const int n = pdf_array_len(ctx, kids);
    for (int i = 0; i < n; i++) {
        pdf_obj *node = pdf_array_get(ctx, kids, i);
        if (pdf_is_indirect(ctx, node) || !pdf_is_dict(ctx, node)) continue;
        pdf_dict_put(ctx, node, PDF_NAME(Parent), root);
        pdf_array_put_drop(ctx, kids, i, pdf_add_object(ctx, pdf, node));
    }
}

/* ---- writing ---- */

typedef struct {
    int fd;
    int64_t written;
    gboolean failed;
} sink;

static void
sink_write(fz_context *ctx, void *state, const void *data, size_t n)
{
    sink *s = state;
    for (const char *p = data; n > 0;) {
        const ssize_t done = write(s->fd, p, n);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) {
            s->failed = TRUE;
            fz_throw(ctx, FZ_ERROR_GENERIC, "cannot be written: %s", g_strerror(errno));
        }
        p += done;
        n -= (size_t)done;
        s->written += done;
    }
}

static int64_t
sink_tell(fz_context *ctx, void *state)
{
    (void)ctx;
    return ((sink *)state)->written;
}

void
parse_pdf_write(fz_context *ctx, pdf_document *pdf, int fd, gboolean *unwritable)
{
    sink s = {.fd = fd};
    fz_output *out = NULL;
    fz_var(out);
    fz_try(ctx)
    {
        pdf_write_options options = {.do_compress = 1, .dont_regenerate_id = 1};
        out = fz_new_output(ctx, 1 << 16, &s, sink_write, NULL, NULL);
        out->tell = sink_tell;
        pdf_write_document(ctx, pdf, out, &options);
        fz_close_output(ctx, out);
    }
    fz_always(ctx)
    {
        *unwritable = s.failed;
        fz_drop_output(ctx, out);
    }
    fz_catch(ctx) fz_rethrow(ctx);
}

gboolean
parse_file_write_overlay(parse_file *file, const parse_overlay_page *pages, guint n, int fd,
                         GError **error)
{
    fz_context *ctx = file->ctx;
    gboolean unwritable = FALSE;
    volatile gboolean good = TRUE;
    if (!file->pdf) {
        g_set_error(error, PARSE_ERROR, PARSE_ERROR_FORMAT, "%s: not a PDF", file->name);
        return FALSE;
    }
    fz_try(ctx)
    {
        parse_pages_settle(ctx, file->pdf);
        for (guint i = 0; i < n; i++) {
            if (pages[i].page < 0 || pages[i].page >= file->n_pages)
                fz_throw(ctx, FZ_ERROR_GENERIC, "there is no page %d", pages[i].page + 1);
            draw_page(ctx, file, &pages[i]);
        }
        parse_pdf_write(ctx, file->pdf, fd, &unwritable);
    }
    fz_catch(ctx)
    {
        parse_error_code code = unwritable ? PARSE_ERROR_IO : PARSE_ERROR_FORMAT;
        good = FALSE;
        g_set_error(error, PARSE_ERROR, (gint)code, "%s: %s", file->name, fz_caught_message(ctx));
    }
    return good;
}
