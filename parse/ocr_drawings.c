/* Drawings among the text of a scanned page.
 *
 * A diagram or a plot drawn in lines is many small parts, none of which is as large as a picture. What tells it is ink
 * that is no rule, larger than a letter, and was not read: where several such parts stand close together, with rules
 * and labels between them but without running text, they are one drawing. Done on an image of about 75 dpi. */
#include "parse/ocr_internal.h"

#define DRAWINGS_DPI  75.0
#define REACH_IN      0.2  /* between the parts of a drawing */
#define PART_IN       0.14 /* larger than a letter */
#define LEAST_IN      0.7  /* of a drawing, both ways */
#define MIN_PARTS     3
#define MAX_PARTS     20000
#define READ_SURELY   0.6F
#define MIN_LETTERS   3    /* a shorter word is a label */
#define MOST_READ     0.25 /* of a drawing's box, covered by words */
#define MOST_OF_SHEET 0.8  /* larger than that is no drawing but a sheet that could not be read */

/* A rectangle of the image in one reduced by scale. */
static void
fill(PIX *pix, double scale, float x0, float y0, float x1, float y1, gboolean black)
{
    parse_ocr_paint(pix, (int)((double)x0 * scale), (int)((double)y0 * scale),
                    (int)((double)x1 * scale + 0.999), (int)((double)y1 * scale + 0.999), black);
}

static gboolean
is_sure(const parse_ocr_word *word)
{
    return word->confidence >= READ_SURELY;
}

static double
common_area(const parse_rect *a, const parse_rect *b)
{
    const double w = (double)(MIN(a->x1, b->x1) - MAX(a->x0, b->x0));
    const double h = (double)(MIN(a->y1, b->y1) - MAX(a->y0, b->y0));
    return w > 0 && h > 0 ? w * h : 0;
}

/* The part of box that words cover. */
static double
read_area(const parse_ocr_text *text, const parse_rect *box)
{
    double sum = 0;
    for (guint i = 0; i < text->words->len; i++) {
        const parse_ocr_word *word = &g_array_index(text->words, parse_ocr_word, i);
        const parse_rect place = {(float)word->x0, (float)word->y0, (float)word->x1,
                                  (float)word->y1};
        if (is_sure(word) && word->n_symbols >= MIN_LETTERS) sum += common_area(&place, box);
    }
    return sum;
}

/* Is box a drawing? The signs of a table that cannot be read are small beside its words. */
static gboolean
is_drawing(const parse_ocr_text *text, const GArray *parts, const parse_rect *box)
{
    double drawn = 0;
    guint n = 0;
    for (guint i = 0; i < parts->len; i++) {
        const double area = common_area(&g_array_index(parts, parse_rect, i), box);
        n += area > 0 ? 1 : 0;
        drawn += area;
    }
    const double read = read_area(text, box);
    return n >= MIN_PARTS && drawn > read &&
           read < MOST_READ * (double)(box->x1 - box->x0) * (double)(box->y1 - box->y0);
}

/* The boxes of the components of pix, in pixels of the image; smaller ones than least (either way) are left out. */
static GArray *
components(PIX *pix, double scale, double least)
{
    GArray *found = g_array_new(FALSE, FALSE, sizeof(parse_rect));
    BOXA *boxes = pix ? pixConnCompBB(pix, 8) : NULL;
    const int n = boxes ? MIN(boxaGetCount(boxes), MAX_PARTS) : 0;
    for (int i = 0; i < n; i++) {
        l_int32 x, y, w, h;
        if (boxaGetBoxGeometry(boxes, i, &x, &y, &w, &h) != 0 || MAX(w, h) < least) continue;
        const parse_rect box = {(float)(x / scale), (float)(y / scale), (float)((x + w) / scale),
                                (float)((y + h) / scale)};
        g_array_append_val(found, box);
    }
    boxaDestroy(&boxes);
    return found;
}

static void
shrink(GArray *boxes, float by)
{
    for (guint i = 0; i < boxes->len; i++) {
        parse_rect *box = &g_array_index(boxes, parse_rect, i);
        *box = (parse_rect){box->x0 + by, box->y0 + by, box->x1 - by, box->y1 - by};
    }
}

static void
drawings_add(const parse_ocr_image *image, const GArray *parts, const GArray *clusters,
             parse_ocr_text *text)
{
    const float least = (float)(LEAST_IN * image->dpi);
    const double sheet = (double)pixGetWidth(image->binary) * pixGetHeight(image->binary);
    for (guint i = 0; i < clusters->len; i++) {
        const parse_rect *box = &g_array_index(clusters, parse_rect, i);
        const float w = box->x1 - box->x0, h = box->y1 - box->y0;
        if (w < least || h < least || (double)w * (double)h > MOST_OF_SHEET * sheet ||
            !is_drawing(text, parts, box))
            continue;
        g_array_append_val(text->pictures, *box);
    }
}

void
parse_ocr_drawings_find(const parse_ocr_image *image, parse_ocr_text *text)
{
    int factor;
    PIX *ink = parse_ocr_reduced(image, 2 * DRAWINGS_DPI - 30, &factor);
    PIX *rest = ink ? pixCopy(NULL, ink) : NULL;
    pixDestroy(&ink);
    if (rest == NULL) return;
    const double scale = 1.0 / factor, dpi = image->dpi / factor;
    for (guint i = 0; i < text->words->len; i++) {
        const parse_ocr_word *word = &g_array_index(text->words, parse_ocr_word, i);
        if (is_sure(word))
            fill(rest, scale, (float)word->x0, (float)word->y0, (float)word->x1, (float)word->y1,
                 FALSE);
    }
    g_autoptr(GArray) parts = components(rest, scale, PART_IN * dpi);
    if (parts->len >= MIN_PARTS) {
        for (guint i = 0; i < text->rules->len; i++) {
            const parse_rect *r = &g_array_index(text->rules, parse_path, i).box;
            fill(rest, scale, r->x0, r->y0, r->x1, r->y1, TRUE);
        }
        const int reach = MAX((int)(REACH_IN * dpi), 1);
        PIX *joined = pixDilateBrick(NULL, rest, reach, reach);
        g_autoptr(GArray) clusters = components(joined, scale, LEAST_IN * dpi);
        shrink(clusters, (float)(0.5 * reach / scale));
        pixDestroy(&joined);
        drawings_add(image, parts, clusters, text);
        parse_ocr_pictures_join(text->pictures, image->dpi);
    }
    pixDestroy(&rest);
}
