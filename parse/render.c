/* Rendering (a part of) a page to PNG. */
#include <math.h>

#include "parse/parse_internal.h"

#define MAX_PIXELS (64.0 * 1024 * 1024)

typedef struct {
    double dpi;
    guint quarters;
} png_request;

/* The pixels that clip covers; throws where there are none or too many. */
static fz_irect
pixel_box(fz_context *ctx, fz_rect clip, fz_matrix to_pixels)
{
    const fz_rect box = fz_transform_rect(clip, to_pixels);
    double w = (double)box.x1 - box.x0, h = (double)box.y1 - box.y0;
    if (!(w > 0 && h > 0)) fz_throw(ctx, FZ_ERROR_GENERIC, "nothing of the page to render");
    if (!(w * h <= MAX_PIXELS && w <= 100000 && h <= 100000))
        fz_throw(ctx, FZ_ERROR_MEMORY, "%.0f x %.0f pixels are too many to render", w, h);
    return fz_round_rect(box);
}

fz_pixmap *
parse_draw_page(fz_context *ctx, parse_file *file, int index, const fz_rect *part,
                fz_colorspace *colors, fz_matrix to_pixels, fz_cookie *cookie)
{
    fz_page *page = NULL;
    fz_pixmap *pixmap = NULL;
    fz_device *dev = NULL;
    fz_var(page);
    fz_var(pixmap);
    fz_var(dev);
    fz_try(ctx)
    {
        page = fz_load_page(ctx, file->doc, index);
        fz_rect bounds = fz_bound_page(ctx, page);
        fz_rect whole = {0, 0, bounds.x1 - bounds.x0, bounds.y1 - bounds.y0};
        fz_rect clip = part ? fz_intersect_rect(*part, whole) : whole;
        fz_irect box = pixel_box(ctx, clip, to_pixels);
        fz_matrix ctm = fz_concat(fz_translate(-bounds.x0, -bounds.y0), to_pixels);
        pixmap = fz_new_pixmap_with_bbox(ctx, colors, box, NULL, 0);
        fz_clear_pixmap_with_value(ctx, pixmap, 255);
        dev = fz_new_draw_device(ctx, fz_identity, pixmap);
        fz_run_page(ctx, page, dev, ctm, cookie);
        fz_close_device(ctx, dev);
    }
    fz_always(ctx)
    {
        fz_drop_device(ctx, dev);
        fz_drop_page(ctx, page);
    }
    fz_catch(ctx)
    {
        fz_drop_pixmap(ctx, pixmap);
        fz_rethrow(ctx);
    }
    return pixmap;
}

static fz_buffer *
render_page(fz_context *ctx, parse_file *file, int index, const fz_rect *part, fz_cookie *cookie,
            const void *user_data)
{
    const png_request *request = user_data;
    const float scale = (float)(request->dpi / 72);
    const fz_matrix turned =
        fz_concat(fz_scale(scale, scale), fz_rotate(90 * (float)request->quarters));
    fz_buffer *png = NULL;
    fz_var(png);
    fz_pixmap *pixmap = parse_draw_page(ctx, file, index, part, fz_device_rgb(ctx), turned, cookie);
    fz_try(ctx)
    {
        fz_set_pixmap_resolution(ctx, pixmap, (int)lroundf(scale * 72), (int)lroundf(scale * 72));
        png = fz_new_buffer_from_pixmap_as_png(ctx, pixmap, fz_default_color_params);
    }
    fz_always(ctx) fz_drop_pixmap(ctx, pixmap);
    fz_catch(ctx) fz_rethrow(ctx);
    return png;
}

GBytes *
parse_render_guarded(parse_file *file, int index, const parse_rect *clip, parse_render_fn render,
                     const void *user_data, GError **error)
{
    fz_context *ctx = file->ctx;
    if (index < 0 || index >= file->n_pages) {
        g_set_error(error, PARSE_ERROR, PARSE_ERROR_PAGE, "%s: there is no page %d", file->name,
                    index + 1);
        return NULL;
    }
    fz_rect part = clip ? (fz_rect){clip->x0, clip->y0, clip->x1, clip->y1} : fz_infinite_rect;
    fz_cookie cookie = {0};
    fz_buffer *buffer = NULL;
    GBytes *bytes = NULL;
    fz_var(buffer);
    fz_var(bytes);
    parse_guard_arm(&file->guard, &cookie, file->options.page_seconds);
    fz_try(ctx)
    {
        buffer = render(ctx, file, index, clip ? &part : NULL, &cookie, user_data);
        bytes = g_bytes_new(buffer->data, buffer->len);
    }
    fz_always(ctx) fz_drop_buffer(ctx, buffer);
    fz_catch(ctx) g_set_error(error, PARSE_ERROR, (gint)parse_error_from_mupdf(ctx),
                              "%s: page %d: %s", file->name, index + 1, fz_caught_message(ctx));
    if (parse_guard_disarm(&file->guard) && bytes) {
        g_clear_pointer(&bytes, g_bytes_unref);
        g_set_error(error, PARSE_ERROR, PARSE_ERROR_LIMIT, "%s: page %d: took longer than %g s",
                    file->name, index + 1, file->options.page_seconds);
    }
    return bytes;
}

GBytes *
parse_file_render_png(parse_file *file, int index, const parse_rect *clip, guint quarters,
                      double dpi, GError **error)
{
    if (index >= 0 && index < file->n_pages && !(dpi >= 1 && dpi <= 4800)) {
        g_set_error(error, PARSE_ERROR, PARSE_ERROR_LIMIT, "%s: cannot render at %g dpi",
                    file->name, dpi);
        return NULL;
    }
    const png_request request = {dpi, quarters & 3};
    return parse_render_guarded(file, index, clip, render_page, &request, error);
}
