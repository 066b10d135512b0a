/* Rules and pictures in the pixels of a scanned page.
 *
 * Long thin stretches of black are what remains of a page opened with a long thin brick; each connected component of
 * it is a rule. A component of the whole page that is large both ways, once rules are taken out, is no letter: it is
 * (a part of) a drawing. Halftones are found by Leptonica (pixGenHalftoneMask). All of it is done on an image of
 * about 150 dpi. */
#include "parse/ocr_internal.h"

#include <math.h>

#define SHAPES_DPI     150.0
#define RULE_MIN_IN    0.3  /* shorter ones are dashes and the bars of letters */
#define RULE_MAX_PT    5.0F /* thicker ones are bars */
#define PICTURE_MIN_IN 0.55 /* the shorter side of a drawing's part */
#define MAX_SHAPES     4000
#define NEAR_IN        0.08 /* parts of one picture */

static void
rules_add(PIX *opened, gboolean horizontal, double scale, double dpi, GArray *paths)
{
    BOXA *boxes = pixConnCompBB(opened, 8);
    const int n = MIN(boxaGetCount(boxes), MAX_SHAPES);
    for (int i = 0; i < n; i++) {
        l_int32 x, y, w, h;
        if (boxaGetBoxGeometry(boxes, i, &x, &y, &w, &h) != 0) continue;
        const double thin = (horizontal ? h : w) * scale, length = (horizontal ? w : h) * scale;
        if (thin * 72 / dpi > RULE_MAX_PT || length < 6 * thin) continue;
        parse_path rule = {.kind = horizontal ? PARSE_PATH_RULE_H : PARSE_PATH_RULE_V,
                           .filled = TRUE,
                           .width_pt = (float)(thin * 72 / dpi),
                           .color = 0xFF000000,
                           .n_segments = 1,
                           .opaque = TRUE,
                           .box = {(float)(x * scale), (float)(y * scale), (float)((x + w) * scale),
                                   (float)((y + h) * scale)}};
        g_array_append_val(paths, rule);
    }
    boxaDestroy(&boxes);
}

static gboolean
near(parse_rect a, parse_rect b, float reach)
{
    return a.x0 < b.x1 + reach && b.x0 < a.x1 + reach && a.y0 < b.y1 + reach && b.y0 < a.y1 + reach;
}

void
parse_ocr_pictures_join(GArray *pictures, double dpi)
{
    const float reach = (float)(NEAR_IN * dpi);
    for (gboolean again = TRUE; again;) {
        again = FALSE;
        for (guint i = 0; i < pictures->len; i++) {
            parse_rect *a = &g_array_index(pictures, parse_rect, i);
            for (guint k = pictures->len - 1; k > i; k--) {
                const parse_rect b = g_array_index(pictures, parse_rect, k);
                if (!near(*a, b, reach)) continue;
                *a = (parse_rect){MIN(a->x0, b.x0), MIN(a->y0, b.y0), MAX(a->x1, b.x1),
                                  MAX(a->y1, b.y1)};
                g_array_remove_index_fast(pictures, k);
                again = TRUE;
            }
        }
    }
}

/* Boxes of the components of mask that are at least so large both ways. */
static void
pictures_add(PIX *mask, int least, double scale, GArray *pictures)
{
    BOXA *boxes = mask ? pixConnCompBB(mask, 8) : NULL;
    const int n = boxes ? boxaGetCount(boxes) : 0;
    for (int i = 0; i < n && pictures->len < MAX_SHAPES; i++) {
        l_int32 x, y, w, h;
        if (boxaGetBoxGeometry(boxes, i, &x, &y, &w, &h) != 0 || w < least || h < least) continue;
        const parse_rect box = {(float)(x * scale), (float)(y * scale), (float)((x + w) * scale),
                                (float)((y + h) * scale)};
        g_array_append_val(pictures, box);
    }
    boxaDestroy(&boxes);
}

/* In this order, that a build without one of the masks frees the rest. */
static void
shapes_read(PIX *page, double scale, double dpi, GArray *pictures, GArray *paths)
{
    const double local_dpi = dpi / scale;
    const int length = MAX((int)(RULE_MIN_IN * local_dpi), 8);
    const int least = MAX((int)(PICTURE_MIN_IN * local_dpi), 8);
    l_int32 has_halftone = 0;
    PIX *halftone = pixGenHalftoneMask(page, NULL, &has_halftone, 0);
    if (has_halftone) pictures_add(halftone, least, scale, pictures);
    PIX *rest = halftone && has_halftone ? pixSubtract(NULL, page, halftone) : pixClone(page);
    PIX *across = pixOpenBrick(NULL, rest, length, 1);
    PIX *down = pixOpenBrick(NULL, rest, 1, length);
    if (rest && across && down) {
        rules_add(across, TRUE, scale, dpi, paths);
        rules_add(down, FALSE, scale, dpi, paths);
        PIX *both = pixOr(NULL, across, down);
        PIX *thick = both ? pixDilateBrick(NULL, both, 3, 3) : NULL;
        PIX *drawn = thick ? pixSubtract(NULL, rest, thick) : NULL;
        pictures_add(drawn, least, scale, pictures);
        pixDestroy(&drawn);
        pixDestroy(&thick);
        pixDestroy(&both);
    }
    pixDestroy(&down);
    pixDestroy(&across);
    pixDestroy(&rest);
    pixDestroy(&halftone);
}

void
parse_ocr_shapes_find(const parse_ocr_image *image, GArray *rules, GArray *pictures)
{
    int factor;
    PIX *page = parse_ocr_reduced(image, 2 * SHAPES_DPI - 60, &factor);
    if (page != NULL) shapes_read(page, factor, image->dpi, pictures, rules);
    pixDestroy(&page);
    parse_ocr_pictures_join(pictures, image->dpi);
}
