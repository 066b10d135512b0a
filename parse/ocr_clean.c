/* What scanners, copiers and cameras add to a page, taken out again before it is read.
 *
 *   frame and holes  black that reaches the edge of the image, discs beside the text: painted white
 *   screen           the dots of a printed tint: averaged over their own distance, which leaves an even gray
 *   shadow           paper that is not evenly white: divided by its local brightness (Leptonica's pixBackgroundNorm)
 *   specks           pixels by ones and twos all over the page: median of nine
 *   back of sheet    faint text, if it is mirrored (pixMirrorDetect) or, being plenty, does not look upright either:
 *                    painted white
 *
 * Each is measured first, and done only where it is found: a clean page stays as it is, to the bit. */
#include "parse/ocr_internal.h"

#include <math.h>

#define FRAME_SHARE   0.01 /* of the image: black at its edge that is more than letters cut off */
#define FRAME_BLACK   64
#define HOLE_MIN_IN   0.12
#define HOLE_MAX_IN   0.45
#define HOLE_FILL     0.7   /* a disc fills pi/4 of its box */
#define HOLE_EDGE     0.15  /* of the width, from the left or right edge */
#define DOT_IN        0.016 /* a dot of a screen is no larger */
#define MIN_DOTS      4000
#define DOTS_RATIO    6 /* dots to larger components */
#define DOT_TILE_PX   64
#define PAPER_TILE_PX 16 /* larger than the strokes of letters */
#define EVEN_PAPER    0.85F
#define SPECK_DPI     250
#define MIN_SPECKS    1000
#define SPECK_SHARE   0.03  /* of the black pixels */
#define FAINT_SHARE   0.004 /* of the image: faint marks that may be the back of the sheet */
#define FAINT_MUCH    0.02
#define MIRROR_DOUBT  1.0F
#define MIN_MIRRORED  50 /* parts of letters that tell whether text is mirrored */
#define MIRROR_SURE   4.0F

static void
gray_replace(parse_ocr_image *image, PIX *gray)
{
    if (gray == NULL) return;
    parse_ocr_pix_replace(&image->gray, gray);
    parse_ocr_pix_replace(&image->binary, parse_ocr_binary(gray));
}

/* Paints what mask has white, and a little around it. */
static void
paint_white(parse_ocr_image *image, PIX *mask)
{
    PIX *wide = mask ? pixDilateBrick(NULL, mask, 5, 5) : NULL;
    if (wide != NULL) {
        pixSetMasked(image->gray, wide, 255);
        parse_ocr_pix_replace(&image->binary, parse_ocr_binary(image->gray));
    }
    pixDestroy(&wide);
}

/* ---- frame and holes ---- */

static void
frame_remove(parse_ocr_image *image)
{
    /* a shadow at the edge is dark, a frame is black */
    PIX *black = pixThresholdToBinary(image->gray, FRAME_BLACK);
    PIX *inner = black ? pixRemoveBorderConnComps(black, 8) : NULL;
    PIX *frame = inner ? pixXor(NULL, black, inner) : NULL;
    l_int32 n = 0;
    if (frame != NULL) pixCountPixels(frame, &n, NULL);
    const double all = (double)pixGetWidth(image->binary) * pixGetHeight(image->binary);
    if (n > FRAME_SHARE * all) paint_white(image, frame);
    pixDestroy(&frame);
    pixDestroy(&inner);
    pixDestroy(&black);
}

static gboolean
is_hole(PIX *binary, BOX *box, double dpi)
{
    l_int32 x, y, w, h, n = 0;
    if (boxGetGeometry(box, &x, &y, &w, &h) != 0) return FALSE;
    const int wide = pixGetWidth(binary);
    if (w < HOLE_MIN_IN * dpi || w > HOLE_MAX_IN * dpi || h < HOLE_MIN_IN * dpi ||
        h > HOLE_MAX_IN * dpi || abs(w - h) > 0.25 * MAX(w, h))
        return FALSE;
    if (x > HOLE_EDGE * wide && x + w < (1 - HOLE_EDGE) * wide) return FALSE;
    PIX *part = pixClipRectangle(binary, box, NULL);
    if (part != NULL) pixCountPixels(part, &n, NULL);
    pixDestroy(&part);
    return n > HOLE_FILL * w * h;
}

static void
holes_remove(parse_ocr_image *image)
{
    BOXA *boxes = pixConnCompBB(image->binary, 8);
    const int n = boxes ? boxaGetCount(boxes) : 0;
    gboolean some = FALSE;
    for (int i = 0; i < n; i++) {
        BOX *box = boxaGetBox(boxes, i, L_CLONE);
        if (box != NULL && is_hole(image->binary, box, image->dpi)) {
            BOX *wide = boxAdjustSides(NULL, box, -3, 3, -3, 3);
            if (wide != NULL) pixSetInRect(image->gray, wide);
            boxDestroy(&wide);
            some = TRUE;
        }
        boxDestroy(&box);
    }
    boxaDestroy(&boxes);
    if (some) parse_ocr_pix_replace(&image->binary, parse_ocr_binary(image->gray));
}

/* ---- screen ---- */

/* Dirt is no larger, in pixels: in coarse scans, two are the dot of an i. */
static int
speck_size(const parse_ocr_image *image)
{
    return image->dpi >= SPECK_DPI ? 2 : 1;
}

static int
compare_int(const void *a, const void *b)
{
    const int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

/* The distance between dots in pixels, from how many stand in a tile; 0 where there is no screen. */
static double
screen_period(const parse_ocr_image *image)
{
    const int columns = pixGetWidth(image->binary) / DOT_TILE_PX + 1;
    const int rows = pixGetHeight(image->binary) / DOT_TILE_PX + 1;
    const int dot = MAX((int)(DOT_IN * image->dpi), 2);
    g_autofree int *tiles = g_new0(int, (gsize)columns *(gsize)rows);
    BOXA *boxes = pixConnCompBB(image->binary, 4);
    const int n = boxes ? boxaGetCount(boxes) : 0;
    int n_dots = 0, n_specks = 0;
    for (int i = 0; i < n; i++) {
        l_int32 x, y, w, h;
        if (boxaGetBoxGeometry(boxes, i, &x, &y, &w, &h) != 0 || w > dot || h > dot) continue;
        tiles[y / DOT_TILE_PX * columns + x / DOT_TILE_PX]++;
        n_dots++;
        if (w <= speck_size(image) && h <= speck_size(image)) n_specks++;
    }
    boxaDestroy(&boxes);
    if (n_dots < MIN_DOTS || n_dots < DOTS_RATIO * (n - n_dots) || 2 * n_specks > n_dots) return 0;
    int used = 0;
    for (int i = 0; i < columns * rows; i++)
        if (tiles[i] > 4) tiles[used++] = tiles[i];
    if (used == 0) return 0;
    qsort(tiles, (size_t)used, sizeof *tiles, compare_int);
    /* tiles with text in them have fewer */
    return DOT_TILE_PX / sqrt(tiles[used * 9 / 10]);
}

/* The mean over a square as wide as the dots are apart is the same wherever it lies. */
static void
screen_remove(parse_ocr_image *image)
{
    const int period = (int)(screen_period(image) + 0.5);
    if (period < 3 || period > 24) return;
    L_KERNEL *across = makeFlatKernel(1, period, 0, period / 2);
    L_KERNEL *down = makeFlatKernel(period, 1, period / 2, 0);
    if (across != NULL && down != NULL)
        gray_replace(image, pixConvolveSep(image->gray, across, down, 8, 1));
    kernelDestroy(&across);
    kernelDestroy(&down);
}

/* ---- shadow, specks ---- */

/* Gray fields behind text go with it. */
static void
flatten(parse_ocr_image *image)
{
    PIX *paper = pixScaleGrayMinMax(image->gray, PAPER_TILE_PX, PAPER_TILE_PX, L_CHOOSE_MAX);
    NUMA *counts = paper ? pixGetGrayHistogram(paper, 1) : NULL;
    float dark = 255, light = 255;
    if (counts != NULL) {
        numaHistogramGetValFromRank(counts, 0.1F, &dark);
        numaHistogramGetValFromRank(counts, 0.9F, &light);
    }
    numaDestroy(&counts);
    pixDestroy(&paper);
    if (dark < EVEN_PAPER * light)
        gray_replace(image, pixBackgroundNormSimple(image->gray, NULL, NULL));
}

static void
despeckle(parse_ocr_image *image)
{
    const int size = speck_size(image);
    PIX *large =
        pixSelectBySize(image->binary, size, size, 8, L_SELECT_IF_EITHER, L_SELECT_IF_GT, NULL);
    PIX *specks = large ? pixXor(NULL, image->binary, large) : NULL;
    l_int32 n_specks = 0, n_black = 0;
    if (specks != NULL) {
        pixCountPixels(specks, &n_specks, NULL);
        pixCountPixels(large, &n_black, NULL);
    }
    pixDestroy(&specks);
    pixDestroy(&large);
    if (n_specks >= MIN_SPECKS && n_specks >= SPECK_SHARE * n_black)
        gray_replace(image, pixMedianFilter(image->gray, 3, 3));
}

/* ---- the back of the sheet ---- */

/* Brightness of the ink and of the paper. */
static gboolean
levels_find(const parse_ocr_image *image, float *ink, float *paper)
{
    NUMA *counts = pixGetGrayHistogramMasked(image->gray, image->binary, 0, 0, 2);
    NUMA *all = pixGetGrayHistogram(image->gray, 4);
    const gboolean ok = counts && all && numaHistogramGetValFromRank(counts, 0.3F, ink) == 0 &&
                        numaHistogramGetValFromRank(all, 0.7F, paper) == 0 && *paper > *ink + 60;
    numaDestroy(&counts);
    numaDestroy(&all);
    return ok;
}

static void
back_remove(parse_ocr_image *image)
{
    float ink = 0, paper = 255;
    if (!levels_find(image, &ink, &paper)) return;
    const int dark_below = (int)(ink + 0.5F * (paper - ink));
    const int faint_below = (int)(ink + 0.88F * (paper - ink));
    PIX *dark = pixThresholdToBinary(image->gray, dark_below);
    PIX *around = dark ? pixDilateBrick(NULL, dark, 5, 5) : NULL;
    PIX *marks = pixThresholdToBinary(image->gray, faint_below);
    PIX *faint = marks && around ? pixSubtract(NULL, marks, around) : NULL;
    const double all = (double)pixGetWidth(image->gray) * pixGetHeight(image->gray);
    l_int32 n = 0;
    float mirrored = 0;
    if (faint != NULL) pixCountPixels(faint, &n, NULL);
    PIX *coarse = NULL;
    if (n > FAINT_SHARE * all) {
        coarse = image->dpi > 200 ? pixReduceRankBinary2(faint, 2, NULL) : pixClone(faint);
        if (coarse != NULL) pixMirrorDetect(coarse, &mirrored, MIN_MIRRORED, 0);
    }
    /* so much faint print would tell that it is not mirrored, were it the text itself */
    if (mirrored < -MIRROR_SURE || (n > FAINT_MUCH * all && mirrored < MIRROR_DOUBT)) {
        PIX *light = pixInvert(NULL, dark);
        if (light != NULL) pixSetMasked(image->gray, light, 255);
        pixDestroy(&light);
        parse_ocr_pix_replace(&image->binary, parse_ocr_binary(image->gray));
    }
    pixDestroy(&coarse);
    pixDestroy(&faint);
    pixDestroy(&marks);
    pixDestroy(&around);
    pixDestroy(&dark);
}

void
parse_ocr_image_clean(parse_ocr_image *image)
{
    frame_remove(image);
    holes_remove(image);
    screen_remove(image);
    flatten(image);
    despeckle(image);
    back_remove(image);
}
