/* Image files as documents: each frame is a page, its picture drawn on all of it.
 *
 * MuPDF opens pictures as documents by itself, but sizes their pages by whatever resolution the file states,
 * gives up a TIFF whole for one bad directory, knows no orientation in it, and has no WebP. So the document is our
 * own, with MuPDF's decoders behind it where they do, and pixels.c's where not. Only the headers are read on
 * opening; the latest picture stays decoded, as a page is first read and then rendered. */
#include <string.h>

#include "parse/images.h"

#define MAX_PIXELS (256u << 20) /* A0 at 400 dpi */

struct parse_images {
    fz_document super;
    parse_file *file;
    GBytes *bytes;
    const guint8 *data;
    gsize n_bytes;
    const char *mime; /* static */
    GArray *frames;   /* parse_frame */
    fz_image *image;  /* of frame image_index, NULL none */
    int image_index;
    gboolean image_upright; /* its decoder has turned it */
};

typedef struct {
    fz_page super;
    fz_image *image;
    fz_matrix to_page;
    fz_rect bounds;
} images_page;

static const parse_frame *
frame_at(const parse_images *images, int index)
{
    return &g_array_index(images->frames, parse_frame, (guint)index);
}

static gboolean
is_mime(const parse_images *images, const char *mime)
{
    return strcmp(images->mime, mime) == 0;
}

/* ---- geometry ---- */

void
parse_images_size(const parse_images *images, int index, float *width_pt, float *height_pt)
{
    const parse_frame *f = frame_at(images, index);
    if (f->orientation >= 5) /* on its side */
        parse_paper_size(f->height_px, f->width_px, f->dpi_y, f->dpi_x, width_pt, height_pt);
    else
        parse_paper_size(f->width_px, f->height_px, f->dpi_x, f->dpi_y, width_pt, height_pt);
}

/* Where Exif's orientation takes the unit square, y downwards. */
static fz_matrix
upright(int orientation)
{
    static const fz_matrix by_orientation[] = {
        {1, 0, 0, 1, 0, 0}, {-1, 0, 0, 1, 1, 0}, {-1, 0, 0, -1, 1, 1}, {1, 0, 0, -1, 0, 1},
        {0, 1, 1, 0, 0, 0}, {0, 1, -1, 0, 1, 0}, {0, -1, -1, 0, 1, 1}, {0, -1, 1, 0, 0, 1},
    };
    return by_orientation[orientation >= 1 && orientation <= 8 ? orientation - 1 : 0];
}

/* ---- pictures ---- */

static void
check_size(fz_context *ctx, const parse_images *images, const parse_frame *f)
{
    const guint64 pixels = (guint64)f->width_px * f->height_px;
    if (f->width_px > G_MAXINT16 * 4 || f->height_px > G_MAXINT16 * 4 || pixels > MAX_PIXELS)
        fz_throw(ctx, FZ_ERROR_MEMORY, "%u x %u pixels are too many", f->width_px, f->height_px);
    /* decoders beside MuPDF do not count what they take */
    if (pixels > images->file->options.memory_limit / 8)
        fz_throw(ctx, FZ_ERROR_MEMORY, "%u x %u pixels need more memory than allowed", f->width_px,
                 f->height_px);
}

static fz_image *
image_from_pixmap(fz_context *ctx, fz_pixmap *pixmap)
{
    fz_image *image = NULL;
    fz_var(image);
    fz_try(ctx) image = fz_new_image_from_pixmap(ctx, pixmap, NULL);
    fz_always(ctx) fz_drop_pixmap(ctx, pixmap);
    fz_catch(ctx) fz_rethrow(ctx);
    return image;
}

/* MuPDF goes on where data ends, but not where a directory says that there is more than the file has, and walks
 * all directories first, the damaged ones too. So it gets a copy whose list has one, with white behind it. */
static fz_pixmap *
rescue_tiff(fz_context *ctx, const parse_images *images, const parse_frame *f)
{
    const gsize n = images->n_bytes, padding = (gsize)f->width_px * f->height_px * 4;
    guint8 *copy = fz_malloc(ctx, n + padding);
    fz_pixmap *pixmap = NULL;
    fz_var(pixmap);
    fz_try(ctx)
    {
        memcpy(copy, images->data, n);
        memset(copy + n, 0xFF, padding);
        parse_tiff_isolate(copy, n, f->at);
        pixmap = fz_load_tiff_subimage(ctx, copy, n + padding, 0);
    }
    fz_always(ctx) fz_free(ctx, copy);
    fz_catch(ctx) fz_rethrow(ctx);
    return pixmap;
}

static G_GNUC_NO_INLINE fz_pixmap *
decode_tiff(fz_context *ctx, const parse_images *images, int index, gboolean *is_upright)
{
    const parse_frame *f = frame_at(images, index);
    fz_pixmap *pixmap = NULL;
    fz_var(pixmap);
    *is_upright = TRUE;
    fz_try(ctx) pixmap = parse_pixels_tiff(ctx, images->data, images->n_bytes, f->at);
    fz_catch(ctx)
    {
        *is_upright = FALSE;
        pixmap = rescue_tiff(ctx, images, f);
        fz_warn(ctx, "page %d: the picture is damaged; what is left of it is used", index + 1);
    }
    return pixmap;
}

static fz_image *
load_buffer(fz_context *ctx, const parse_images *images)
{
    fz_buffer *buffer = NULL;
    fz_image *image = NULL;
    fz_var(buffer);
    fz_var(image);
    fz_try(ctx)
    {
        buffer = fz_new_buffer_from_shared_data(ctx, images->data, images->n_bytes);
        image = fz_new_image_from_buffer(ctx, buffer);
    }
    fz_always(ctx) fz_drop_buffer(ctx, buffer);
    fz_catch(ctx) fz_rethrow(ctx);
    return image;
}

static fz_image *
load_picture(fz_context *ctx, const parse_images *images, int index, gboolean *is_upright)
{
    *is_upright = FALSE;
    if (is_mime(images, "image/tiff"))
        return image_from_pixmap(ctx, decode_tiff(ctx, images, index, is_upright));
    if (is_mime(images, "image/webp"))
        return image_from_pixmap(ctx, parse_pixels_webp(ctx, images->data, images->n_bytes));
    if (is_mime(images, "image/x-portable-anymap"))
        return image_from_pixmap(ctx,
                                 fz_load_pnm_subimage(ctx, images->data, images->n_bytes, index));
    if (is_mime(images, "image/x-jb2"))
        return image_from_pixmap(ctx,
                                 fz_load_jbig2_subimage(ctx, images->data, images->n_bytes, index));
    return load_buffer(ctx, images);
}

fz_image *
parse_images_load(fz_context *ctx, parse_images *images, int index, fz_matrix *to_page)
{
    const parse_frame *f = frame_at(images, index);
    float w, h;
    if (!images->image || images->image_index != index) {
        gboolean is_upright = FALSE;
        fz_drop_image(ctx, images->image);
        images->image = NULL;
        check_size(ctx, images, f);
        images->image = load_picture(ctx, images, index, &is_upright);
        images->image_index = index;
        images->image_upright = is_upright;
    }
    parse_images_size(images, index, &w, &h);
    *to_page = fz_post_scale(upright(images->image_upright ? 1 : f->orientation), w, h);
    return fz_keep_image(ctx, images->image);
}

/* ---- headers ---- */

/* MuPDF numbers orientations its own way. */
static int
exif_orientation(fz_context *ctx, fz_image *image)
{
    static const int exif[] = {1, 1, 8, 3, 6, 2, 5, 4, 7};
    const guint own = fz_image_orientation(ctx, image);
    return own < G_N_ELEMENTS(exif) ? exif[own] : 1;
}

static void
add_image(parse_images *images, fz_context *ctx, fz_image *image)
{
    const parse_frame f = {.width_px = (guint)image->w,
                           .height_px = (guint)image->h,
                           .dpi_x = image->xres,
                           .dpi_y = image->yres,
                           .orientation = exif_orientation(ctx, image),
                           .n_channels = image->n};
    g_array_append_val(images->frames, f);
}

/* A PNG that ends early: the chunk that is cut gets the length it has, and the end is put to it. */
static gboolean
mend_png(parse_images *images)
{
    static const guint8 end[] = {0, 0, 0, 0, 'I', 'E', 'N', 'D', 0xAE, 0x42, 0x60, 0x82};
    gsize at = 8;
    for (;;) {
        if (images->n_bytes - at < 12) return FALSE;
        const guint8 *p = images->data + at;
        const gsize size = (gsize)p[0] << 24 | (gsize)p[1] << 16 | (gsize)p[2] << 8 | p[3];
        if (memcmp(p + 4, "IEND", 4) == 0) return FALSE;
        if (size > images->n_bytes - at - 12) break;
        at += size + 12;
    }
    if (memcmp(images->data + at + 4, "IDAT", 4) != 0) return FALSE;
    const gsize kept = images->n_bytes - at - 8;
    GByteArray *mended = g_byte_array_new();
    g_byte_array_append(mended, images->data, (guint)images->n_bytes);
    for (guint i = 0; i < 4; i++)
        mended->data[at + i] = (guint8)(kept >> (24 - 8 * i));
    g_byte_array_append(mended, (const guint8 *)"\0\0\0\0", 4); /* nobody checks its sum */
    g_byte_array_append(mended, end, sizeof end);
    g_bytes_unref(images->bytes);
    images->bytes = g_byte_array_free_to_bytes(mended);
    images->data = g_bytes_get_data(images->bytes, &images->n_bytes);
    return TRUE;
}

static void
read_single(fz_context *ctx, parse_images *images)
{
    fz_image *image = NULL;
    fz_var(image);
    if (is_mime(images, "image/png") && images->n_bytes < G_MAXINT && mend_png(images))
        fz_warn(ctx, "the picture is cut short; what is there is used");
    fz_try(ctx)
    {
        image = load_buffer(ctx, images);
        add_image(images, ctx, image);
    }
    fz_always(ctx) fz_drop_image(ctx, image);
    fz_catch(ctx) fz_rethrow(ctx);
}

/* Few are of several pictures; those decode on the way, one at a time. */
static void
read_several(fz_context *ctx, parse_images *images,
             int (*count)(fz_context *, const unsigned char *, size_t),
             fz_pixmap *(*load)(fz_context *, const unsigned char *, size_t, int))
{
    const int n = MIN(count(ctx, images->data, images->n_bytes), PARSE_MAX_FRAMES);
    for (int i = 0; i < n && (guint)i <= images->file->options.max_pages; i++) {
        fz_image *image = image_from_pixmap(ctx, load(ctx, images->data, images->n_bytes, i));
        add_image(images, ctx, image);
        fz_drop_image(ctx, image);
    }
}

static void
read_headers(fz_context *ctx, parse_images *images)
{
    parse_frame frame;
    if (is_mime(images, "image/tiff")) {
        gboolean damaged = FALSE;
        g_array_unref(images->frames);
        images->frames = parse_tiff_frames(images->data, images->n_bytes, &damaged);
        if (damaged && images->frames->len > 0)
            fz_warn(ctx, "the list of its pages is damaged; %u are left", images->frames->len);
    } else if (is_mime(images, "image/webp")) {
        if (!parse_pixels_webp_header(images->data, images->n_bytes, &frame))
            fz_throw(ctx, FZ_ERROR_GENERIC, "damaged, or an animation");
        g_array_append_val(images->frames, frame);
    } else if (is_mime(images, "image/x-portable-anymap")) {
        read_several(ctx, images, fz_load_pnm_subimage_count, fz_load_pnm_subimage);
    } else if (is_mime(images, "image/x-jb2")) {
        read_several(ctx, images, fz_load_jbig2_subimage_count, fz_load_jbig2_subimage);
    } else {
        read_single(ctx, images);
    }
    if (images->frames->len == 0) fz_throw(ctx, FZ_ERROR_GENERIC, "it has no pictures");
}

/* ---- what MuPDF calls ---- */

static fz_rect
bound_page(fz_context *ctx, fz_page *page)
{
    (void)ctx;
    return ((images_page *)page)->bounds;
}

static void
run_page(fz_context *ctx, fz_page *page, fz_device *dev, fz_matrix ctm, fz_cookie *cookie)
{
    images_page *p = (images_page *)page;
    (void)cookie;
    fz_fill_image(ctx, dev, p->image, fz_concat(p->to_page, ctm), 1, fz_default_color_params);
}

static void
drop_page(fz_context *ctx, fz_page *page)
{
    fz_drop_image(ctx, ((images_page *)page)->image);
}

static fz_page *
load_page(fz_context *ctx, fz_document *doc, int chapter, int index)
{
    parse_images *images = (parse_images *)doc;
    images_page *page = NULL;
    (void)chapter;
    if (index < 0 || (guint)index >= images->frames->len)
        fz_throw(ctx, FZ_ERROR_GENERIC, "there is no page %d", index + 1);
    fz_var(page);
    fz_try(ctx)
    {
        page = fz_new_derived_page(ctx, images_page, doc);
        page->super.bound_page = bound_page;
        page->super.run_page_contents = run_page;
        page->super.drop_page = drop_page;
        parse_images_size(images, index, &page->bounds.x1, &page->bounds.y1);
        page->image = parse_images_load(ctx, images, index, &page->to_page);
    }
    fz_catch(ctx)
    {
        fz_drop_page(ctx, &page->super);
        fz_rethrow(ctx);
    }
    return &page->super;
}

static int
count_pages(fz_context *ctx, fz_document *doc, int chapter)
{
    (void)ctx;
    (void)chapter;
    return (int)((parse_images *)doc)->frames->len;
}

static int
lookup_metadata(fz_context *ctx, fz_document *doc, const char *key, char *buffer, int size)
{
    (void)ctx;
    if (strcmp(key, FZ_META_FORMAT) != 0) return -1;
    g_autofree char *name = g_ascii_strup(strchr(((parse_images *)doc)->mime, '/') + 1, -1);
    return (int)g_strlcpy(buffer, g_str_has_prefix(name, "X-") ? name + 2 : name, (gsize)size) + 1;
}

static void
drop_document(fz_context *ctx, fz_document *doc)
{
    parse_images *images = (parse_images *)doc;
    fz_drop_image(ctx, images->image);
    if (images->frames) g_array_unref(images->frames);
    if (images->bytes) g_bytes_unref(images->bytes);
}

fz_document *
parse_images_open(fz_context *ctx, parse_file *file, const char *mime, GBytes *data)
{
    parse_images *images = fz_new_derived_document(ctx, parse_images);
    images->super.drop_document = drop_document;
    images->super.count_pages = count_pages;
    images->super.load_page = load_page;
    images->super.lookup_metadata = lookup_metadata;
    images->file = file;
    images->mime = mime;
    images->frames = g_array_new(FALSE, FALSE, sizeof(parse_frame));
    images->bytes = g_bytes_ref(data);
    images->data = g_bytes_get_data(data, &images->n_bytes);
    fz_try(ctx) read_headers(ctx, images);
    fz_catch(ctx)
    {
        fz_drop_document(ctx, &images->super);
        fz_rethrow(ctx);
    }
    return &images->super;
}

parse_images *
parse_images_of(parse_file *file)
{
    return file->doc && file->doc->load_page == load_page ? (parse_images *)file->doc : NULL;
}
