/* (A part of) a page as SVG, for vector art: text as outlines, so that no font is needed to show it.
 *
 * The page becomes a display list first. Running that with a scissor leaves out what lies beside the part,
 * which a viewport alone would only hide. Ids count from 1 in each file: the same bytes each time. */
#include "parse/parse_internal.h"

typedef struct {
    gsize max_bytes;
    guint quarters;
} svg_request;

typedef struct {
    fz_buffer *buffer;
    gsize max_bytes;
} sink;

static void
sink_write(fz_context *ctx, void *state, const void *data, size_t n)
{
    sink *s = state;
    if (n > s->max_bytes || s->buffer->len > s->max_bytes - n)
        fz_throw(ctx, FZ_ERROR_MEMORY, "more than %zu bytes of SVG", (size_t)s->max_bytes);
    fz_append_data(ctx, s->buffer, data, n);
}

static void
run_page(fz_context *ctx, fz_page *page, fz_output *out, const fz_rect *part, guint quarters,
         fz_cookie *cookie)
{
    fz_display_list *list = NULL;
    fz_device *dev = NULL;
    fz_var(list);
    fz_var(dev);
    fz_try(ctx)
    {
        fz_rect bounds = fz_bound_page(ctx, page);
        fz_rect clip =
            part ? fz_intersect_rect(fz_translate_rect(*part, bounds.x0, bounds.y0), bounds)
                 : bounds;
        if (!(clip.x1 > clip.x0 && clip.y1 > clip.y0))
            fz_throw(ctx, FZ_ERROR_GENERIC, "nothing of the page to render");
        const fz_matrix turn = fz_rotate(90 * (float)quarters);
        const fz_rect turned = fz_transform_rect(clip, turn);
        fz_matrix ctm = fz_concat(turn, fz_translate(-turned.x0, -turned.y0));
        fz_rect view = {0, 0, turned.x1 - turned.x0, turned.y1 - turned.y0};
        list = fz_new_display_list(ctx, bounds);
        dev = fz_new_list_device(ctx, list);
        fz_run_page(ctx, page, dev, fz_identity, cookie);
        fz_close_device(ctx, dev);
        fz_drop_device(ctx, dev);
        dev = NULL;
        dev = fz_new_svg_device(ctx, out, view.x1, view.y1, FZ_SVG_TEXT_AS_PATH, 1);
        fz_run_display_list(ctx, list, dev, ctm, view, cookie);
        fz_close_device(ctx, dev);
    }
    fz_always(ctx)
    {
        fz_drop_device(ctx, dev);
        fz_drop_display_list(ctx, list);
    }
    fz_catch(ctx) fz_rethrow(ctx);
}

static fz_buffer *
render_page(fz_context *ctx, parse_file *file, int index, const fz_rect *part, fz_cookie *cookie,
            const void *user_data)
{
    const svg_request *request = user_data;
    sink s = {fz_new_buffer(ctx, 64 * 1024), request->max_bytes};
    fz_page *page = NULL;
    fz_output *out = NULL;
    fz_var(page);
    fz_var(out);
    fz_try(ctx)
    {
        page = fz_load_page(ctx, file->doc, index);
        out = fz_new_output(ctx, 0, &s, sink_write, NULL, NULL);
        run_page(ctx, page, out, part, request->quarters, cookie);
        fz_close_output(ctx, out);
    }
    fz_always(ctx)
    {
        fz_drop_output(ctx, out);
        fz_drop_page(ctx, page);
    }
    fz_catch(ctx)
    {
        fz_drop_buffer(ctx, s.buffer);
        fz_rethrow(ctx);
    }
    return s.buffer;
}

GBytes *
parse_file_render_svg(parse_file *file, int index, const parse_rect *clip, guint quarters,
                      gsize max_bytes, GError **error)
{
    const svg_request request = {max_bytes > 0 ? max_bytes : 4 * 1024 * 1024, quarters & 3};
    return parse_render_guarded(file, index, clip, render_page, &request, error);
}
