/* parse, inside: image files as documents, each frame a page. */
#ifndef LODE_PARSE_IMAGES_H
#define LODE_PARSE_IMAGES_H

#include "parse/parse_internal.h"

/* One picture of a file, before any of its pixels is decoded. */
typedef struct {
    guint width_px, height_px; /* as stored; orientation may exchange them */
    double dpi_x, dpi_y;       /* as the file says, of what is stored; 0 unknown */
    int orientation;           /* Exif's, 1 to 8; 1 is upright */
    guint n_channels;          /* as stored */
    guint64 at;                /* TIFF: of its directory; else 0 */
} parse_frame;

/* images.c: a document whose pages are the frames of an image file. mime is parse_sniff()'s. data is kept.
 * Throws. */
fz_document *parse_images_open(fz_context *ctx, parse_file *file, const char *mime, GBytes *data);
/* The document of an image file, NULL for any other. */
typedef struct parse_images parse_images;
parse_images *parse_images_of(parse_file *file);
/* The picture of page index, decoded when it is needed, and the matrix that takes the unit square with y downwards
 * to the page, in points. Dropped by the caller. Throws. */
fz_image *parse_images_load(fz_context *ctx, parse_images *images, int index, fz_matrix *to_page);
/* Size of page index in points. */
void parse_images_size(const parse_images *images, int index, float *width_pt, float *height_pt);

/* paper.c: the size of the page that a picture of so many pixels, seen upright, is of.
 *
 * A resolution of 72 to 1200 dpi is believed where it makes a page of 0.1 to 48 inches (A0); one of
 * 96 or less, which programs write when they know none, only where the page is then no longer than 14 inches
 * (Legal). Without one the picture is taken for a whole sheet, A4 or Letter by its proportions, upright or
 * on its side, and scaled to fit, but never to less than 72 dpi. */
void parse_paper_size(guint width_px, guint height_px, double dpi_x, double dpi_y, float *width_pt,
                      float *height_pt);

/* tiff.c: TIFF 6.0, and Exif, which is written in it. */
#define PARSE_MAX_FRAMES 100000
/* The pages of a TIFF, in their order; thumbnails and masks are left out. *damaged: the list of directories is
 * cut short or bites its tail. Array of parse_frame; free with g_array_unref. */
GArray *parse_tiff_frames(const guint8 *data, gsize n, gboolean *damaged);
/* Makes the directory at the only one, in place. */
void parse_tiff_isolate(guint8 *data, gsize n, guint64 at);
/* The orientation that an Exif block tells; 1 where it does not. */
int parse_exif_orientation(const guint8 *data, gsize n);

/* pixels.c: what MuPDF cannot decode, through Leptonica. Width and height are checked before. Throws. */
fz_pixmap *parse_pixels_tiff(fz_context *ctx, const guint8 *data, gsize n, guint64 at);
fz_pixmap *parse_pixels_webp(fz_context *ctx, const guint8 *data, gsize n);
/* FALSE: not a WebP file, or not one of a single picture. */
gboolean parse_pixels_webp_header(const guint8 *data, gsize n, parse_frame *frame);

#endif
