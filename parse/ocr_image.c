/* The picture of a page for OCR.
 *
 * A page that is one scanned image is rendered at that image's own resolution, so that its pixels come through as
 * they are; coarse ones are enlarged afterwards, smoothly, because Tesseract's networks were trained on letters some
 * thirty pixels high. Which way is up is told by the ascenders of the letters, which stick out of their lines more
 * often than descenders do; the skew is the turn that makes the sums of black along the lines vary most. Both are
 * Leptonica's (pixOrientDetect, pixFindSkew: Bloomberg, Kopec, Dasari, "Measuring document image skew and
 * orientation", SPIE 2422, 1995). */
#include "parse/ocr_internal.h"

#include <math.h>
#include <string.h>

#define USUAL_DPI       300.0
#define LEAST_DPI       70.0
#define MOST_DPI        450.0 /* finer scans are read at this */
#define ENLARGE_DPI     250.0 /* coarser ones are enlarged */
#define MAX_PIXELS      (40.0 * 1000 * 1000)
#define SCAN_SHARE      0.3 /* of the page: an image that sets the resolution */
#define SKEW_SWEEP      10.0F
#define SKEW_LEAST      0.04F /* degrees: less is not seen in the text */
#define SKEW_CONFIDENCE 2.5F
#define UPRIGHT_PRIOR   2.0F
#define TURN_SURE       8.0F
#define MIN_LETTERS     40 /* ascenders and descenders, to tell which way is up */

typedef struct {
    float scale;
    int width, height;
} gray_request;

/* ---- rendering ---- */

static fz_buffer *
render_gray(fz_context *ctx, parse_file *file, int index, const fz_rect *part, fz_cookie *cookie,
            const void *user_data)
{
    gray_request *request = (gray_request *)user_data;
    fz_buffer *samples = NULL;
    fz_var(samples);
    fz_pixmap *pixmap = parse_draw_page(ctx, file, index, part, fz_device_gray(ctx),
                                        fz_scale(request->scale, request->scale), cookie);
    fz_try(ctx)
    {
        request->width = pixmap->w;
        request->height = pixmap->h;
        samples = fz_new_buffer(ctx, (size_t)pixmap->w * (size_t)pixmap->h);
        for (int y = 0; y < pixmap->h; y++)
            fz_append_data(ctx, samples, pixmap->samples + (ptrdiff_t)y * pixmap->stride,
                           (size_t)pixmap->w);
    }
    fz_always(ctx) fz_drop_pixmap(ctx, pixmap);
    fz_catch(ctx)
    {
        fz_drop_buffer(ctx, samples);
        fz_rethrow(ctx);
    }
    return samples;
}

/* Leptonica keeps pixels in 32-bit words, the first in the highest byte. */
static PIX *
pix_from_gray(const uint8_t *samples, int width, int height)
{
    PIX *pix = pixCreateNoInit(width, height, 8);
    if (pix == NULL) return NULL;
    const int words = pixGetWpl(pix);
    l_uint32 *data = pixGetData(pix);
    for (int y = 0; y < height; y++) {
        const uint8_t *from = samples + (size_t)y * (size_t)width;
        l_uint32 *line = data + (size_t)y * (size_t)words;
        for (int x = 0; x < width; x++)
            SET_DATA_BYTE(line, x, from[x]);
    }
    return pix;
}

static float
rect_area(parse_rect r)
{
    return MAX(r.x1 - r.x0, 0) * MAX(r.y1 - r.y0, 0);
}

/* Pixels per inch of the image that (most of) region is, USUAL_DPI where it is none. */
static double
native_dpi(const parse_page *page, parse_rect region)
{
    double dpi = USUAL_DPI;
    float most = (float)SCAN_SHARE * rect_area(region);
    for (guint i = 0; i < page->n_images; i++) {
        const parse_image *image = &page->images[i];
        parse_rect part = {MAX(image->box.x0, region.x0), MAX(image->box.y0, region.y0),
                           MIN(image->box.x1, region.x1), MIN(image->box.y1, region.y1)};
        const float w = image->box.x1 - image->box.x0, h = image->box.y1 - image->box.y0;
        if (rect_area(part) <= most || w < 1 || h < 1) continue;
        most = rect_area(part);
        /* an image may lie on its side in a page that is turned */
        const double longer = MAX(image->width_px, image->height_px);
        dpi = 72.0 * longer / MAX(w, h);
    }
    return CLAMP(dpi, LEAST_DPI, MOST_DPI);
}

static PIX *
gray_load(parse_file *file, const parse_page *page, const parse_rect *region, double *dpi,
          GError **error)
{
    const parse_rect whole = {0, 0, page->width_pt, page->height_pt};
    const parse_rect part = region ? *region : whole;
    *dpi = native_dpi(page, part);
    const double inches = (double)rect_area(part) / (72.0 * 72.0);
    if (inches * *dpi * *dpi > MAX_PIXELS) *dpi = sqrt(MAX_PIXELS / inches);
    gray_request request = {.scale = (float)(*dpi / 72)};
    g_autoptr(GBytes) samples =
        parse_render_guarded(file, page->index, region, render_gray, &request, error);
    if (samples == NULL) return NULL;
    PIX *gray = NULL;
    if (request.width >= 8 && request.height >= 8 &&
        g_bytes_get_size(samples) == (gsize)request.width * (gsize)request.height)
        gray = pix_from_gray(g_bytes_get_data(samples, NULL), request.width, request.height);
    if (gray == NULL)
        g_set_error(error, PARSE_ERROR, PARSE_ERROR_PAGE, "%s: page %d: nothing to recognise",
                    file->name, page->index + 1);
    return gray;
}

/* ---- up and straight ---- */

void
parse_ocr_pix_replace(PIX **pix, PIX *made)
{
    if (made == NULL) return;
    pixDestroy(pix);
    *pix = made;
}

PIX *
parse_ocr_binary(PIX *gray)
{
    PIX *binary = NULL;
    const int tile = MAX(pixGetWidth(gray), pixGetHeight(gray));
    if (pixOtsuAdaptiveThreshold(gray, tile, tile, 0, 0, 0.1F, NULL, &binary) != 0) return NULL;
    return binary;
}

void
parse_ocr_paint(PIX *pix, int x0, int y0, int x1, int y1, gboolean set)
{
    BOX *box = boxCreate(x0, y0, MAX(x1 - x0, 1), MAX(y1 - y0, 1));
    if (box == NULL) return;
    if (set)
        pixSetInRect(pix, box);
    else
        pixClearInRect(pix, box);
    boxDestroy(&box);
}

PIX *
parse_ocr_reduced(const parse_ocr_image *image, double dpi, int *factor)
{
    PIX *pix = pixClone(image->binary);
    for (*factor = 1; pix != NULL && image->dpi / *factor >= dpi; *factor *= 2) {
        PIX *half = pixReduceRankBinary2(pix, 1, NULL);
        pixDestroy(&pix);
        pix = half;
    }
    return pix;
}

/* Are there straighter lines when the page is laid on its side? */
static gboolean
lies_sideways(PIX *binary)
{
    float degrees = 0, confidence = 0;
    if (pixFindSkewOrthogonalRange(binary, &degrees, &confidence, 4, 2, SKEW_SWEEP, 1.0F, 0.01F,
                                   UPRIGHT_PRIOR) != 0)
        return FALSE;
    return fabsf(degrees) > 45;
}

/* Ascenders that speak for two directions, as those of letters in drawings do: lines tell which of both it is. Returns
 * whether they are sure of it. */
static gboolean
turn_of_lines(PIX *binary, float up, float left, guint *quarters)
{
    const gboolean sideways = lies_sideways(binary);
    const float sure = sideways ? left : up;
    const gboolean turned = sure <= -TURN_SURE;
    *quarters = (sideways ? 1U : 0U) + (turned ? 2U : 0U);
    return fabsf(sure) >= TURN_SURE;
}

/* Which way is up? Returns whether that could be told; if not, the lines at least are horizontal then. */
static gboolean
turn_find(PIX *binary, double dpi, guint *quarters)
{
    *quarters = 0;
    PIX *coarse = NULL;
    /* its hit-miss patterns are drawn for letters of 150 to 300 dpi */
    if (dpi > 200) coarse = pixReduceRankBinary2(binary, 2, NULL);
    float up = 0, left = 0;
    l_int32 orientation = L_TEXT_ORIENT_UNKNOWN;
    if (pixOrientDetect(coarse ? coarse : binary, &up, &left, MIN_LETTERS, 0) == 0)
        makeOrientDecision(up, left, 0, 0, &orientation, 0);
    pixDestroy(&coarse);
    switch (orientation) {
    case L_TEXT_ORIENT_UP:
        return TRUE;
    case L_TEXT_ORIENT_LEFT:
        *quarters = 1;
        return TRUE;
    case L_TEXT_ORIENT_DOWN:
        *quarters = 2;
        return TRUE;
    case L_TEXT_ORIENT_RIGHT:
        *quarters = 3;
        return TRUE;
    default:
        return turn_of_lines(binary, up, left, quarters);
    }
}

void
parse_ocr_image_turn(parse_ocr_image *image, guint quarters)
{
    if (quarters % 4 == 0) return;
    parse_ocr_pix_replace(&image->gray, pixRotateOrth(image->gray, (l_int32)(quarters % 4)));
    parse_ocr_pix_replace(&image->binary, pixRotateOrth(image->binary, (l_int32)(quarters % 4)));
    image->turn = (image->turn + quarters) % 4;
    if (quarters % 2 == 1) {
        const float width = image->width;
        image->width = image->height;
        image->height = width;
    }
}

static void
straighten(parse_ocr_image *image)
{
    float degrees = 0, confidence = 0;
    if (pixFindSkewSweepAndSearch(image->binary, &degrees, &confidence, 4, 2, SKEW_SWEEP, 1.0F,
                                  0.01F) != 0 ||
        confidence < SKEW_CONFIDENCE || fabsf(degrees) < SKEW_LEAST)
        return;
    const float radians = degrees * (float)(G_PI / 180);
    PIX *gray = pixRotate(image->gray, radians, L_ROTATE_AREA_MAP, L_BRING_IN_WHITE, 0, 0);
    if (gray == NULL) return;
    parse_ocr_pix_replace(&image->gray, gray);
    parse_ocr_pix_replace(&image->binary, parse_ocr_binary(gray));
    image->skew = radians;
}

/* ---- all of it ---- */

void
parse_ocr_image_free(parse_ocr_image *image)
{
    if (image == NULL) return;
    pixDestroy(&image->gray);
    pixDestroy(&image->binary);
    g_free(image);
}

static void
enlarge(parse_ocr_image *image)
{
    if (image->dpi >= ENLARGE_DPI) return;
    const float factor = (float)MIN(USUAL_DPI / image->dpi, 4);
    PIX *larger = pixScaleGrayLI(image->gray, factor, factor);
    if (larger == NULL) return;
    image->dpi *= pixGetWidth(larger) / (double)pixGetWidth(image->gray);
    parse_ocr_pix_replace(&image->gray, larger);
    parse_ocr_pix_replace(&image->binary, parse_ocr_binary(larger));
}

parse_ocr_image *
parse_ocr_image_new(parse_file *file, const parse_page *page, const parse_rect *region,
                    GError **error)
{
    g_autoptr(parse_ocr_image) image = g_new0(parse_ocr_image, 1);
    image->gray = gray_load(file, page, region, &image->dpi, error);
    if (image->gray == NULL) return NULL;
    image->binary = parse_ocr_binary(image->gray);
    if (image->binary == NULL) {
        g_set_error(error, PARSE_ERROR, PARSE_ERROR_PAGE, "%s: page %d: nothing to recognise",
                    file->name, page->index + 1);
        return NULL;
    }
    image->width = (float)(pixGetWidth(image->gray) * 72 / image->dpi);
    image->height = (float)(pixGetHeight(image->gray) * 72 / image->dpi);
    image->turn_known = region != NULL;
    if (region != NULL) {
        /* MuPDF rounds outwards to whole pixels */
        image->x0 = (float)(floor((double)region->x0 * image->dpi / 72) * 72 / image->dpi);
        image->y0 = (float)(floor((double)region->y0 * image->dpi / 72) * 72 / image->dpi);
    } else {
        guint quarters = 0;
        parse_ocr_image_clean(image);
        image->turn_known = turn_find(image->binary, image->dpi, &quarters);
        parse_ocr_image_turn(image, quarters);
        straighten(image);
    }
    enlarge(image);
    return g_steal_pointer(&image);
}
