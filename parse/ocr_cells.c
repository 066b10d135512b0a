/* Ruled tables in the pixels of a page.
 *
 * Tesseract reads lines, and takes what stands beside each other in a table for one line even where the cells are
 * set at different heights; and it reads rules as letters. So rules are taken out of the image, and the white
 * fields between them, where they make up a grid, are read one by one. */
#include "parse/ocr_internal.h"

#include <string.h>

#define MIN_FIELDS    4    /* of a grid; less is a frame */
#define MAX_FIELDS    2000 /* on a page */
#define FIELD_MIN_PT  5.0  /* the shorter side */
#define FIELD_SHARE   0.25 /* of the page: a larger field holds text in columns, not a cell */
#define RULE_SLACK_PX 2
#define MIN_INK_PT    1.5 /* less is dust */
#define MARGIN_PT     3.0 /* Tesseract reads better with white around */

static gboolean
is_ink(PIX *binary, int x, int y)
{
    if (x < 0 || y < 0 || x >= pixGetWidth(binary) || y >= pixGetHeight(binary)) return FALSE;
    const l_uint32 *line = pixGetData(binary) + (size_t)y * (size_t)pixGetWpl(binary);
    return GET_DATA_BIT(line, x) != 0;
}

static void
blank(parse_ocr_image *image, int x0, int y0, int x1, int y1)
{
    parse_ocr_paint(image->gray, x0, y0, x1, y1, TRUE);
    parse_ocr_paint(image->binary, x0, y0, x1, y1, FALSE);
}

gboolean
parse_ocr_ink(const parse_ocr_image *image, const parse_rect *part, parse_rect *ink)
{
    BOX *box = boxCreate((int)part->x0, (int)part->y0, MAX((int)(part->x1 - part->x0), 1),
                         MAX((int)(part->y1 - part->y0), 1));
    BOX *inner = NULL;
    l_int32 x = 0, y = 0, w = 0, h = 0;
    if (box != NULL) pixClipBoxToForeground(image->binary, box, NULL, &inner);
    const gboolean some = inner != NULL && boxGetGeometry(inner, &x, &y, &w, &h) == 0;
    const int least = (int)(MIN_INK_PT * image->dpi / 72),
              margin = (int)(MARGIN_PT * image->dpi / 72);
    boxDestroy(&inner);
    boxDestroy(&box);
    if (!some || MAX(w, h) < least) return FALSE;
    *ink = (parse_rect){MAX((float)(x - margin), part->x0), MAX((float)(y - margin), part->y0),
                        MIN((float)(x + w + margin), part->x1),
                        MIN((float)(y + h + margin), part->y1)};
    return TRUE;
}

/* Column by column (row by row for a vertical one), sparing where a letter crosses or touches it. */
static void
rule_erase(parse_ocr_image *image, const parse_path *rule)
{
    const int x0 = (int)rule->box.x0 - RULE_SLACK_PX, x1 = (int)rule->box.x1 + RULE_SLACK_PX;
    const int y0 = (int)rule->box.y0 - RULE_SLACK_PX, y1 = (int)rule->box.y1 + RULE_SLACK_PX;
    const gboolean across = rule->kind == PARSE_PATH_RULE_H;
    const int from = across ? x0 : y0, to = across ? x1 : y1;
    for (int start = from, at = from; at <= to; at++) {
        const gboolean touched =
            at == to ||
            (across ? is_ink(image->binary, at, y0 - 1) || is_ink(image->binary, at, y1)
                    : is_ink(image->binary, x0 - 1, at) || is_ink(image->binary, x1, at));
        if (!touched) continue;
        if (at > start && across) blank(image, start, y0, at, y1);
        if (at > start && !across) blank(image, x0, start, x1, at);
        start = at + 1;
    }
}

void
parse_ocr_rules_erase(parse_ocr_image *image, const GArray *rules)
{
    for (guint i = 0; i < rules->len; i++)
        rule_erase(image, &g_array_index(rules, parse_path, i));
}

/* ---- fields ---- */

/* The rules alone, black, a little longer and thicker than they are, that corners meet. */
static PIX *
rules_draw(const parse_ocr_image *image, const GArray *rules)
{
    PIX *drawn = pixCreate(pixGetWidth(image->binary), pixGetHeight(image->binary), 1);
    const int reach = (int)(image->dpi / 50);
    for (guint i = 0; drawn != NULL && i < rules->len; i++) {
        const parse_path *rule = &g_array_index(rules, parse_path, i);
        const gboolean across = rule->kind == PARSE_PATH_RULE_H;
        const int dx = across ? reach : 1, dy = across ? 1 : reach;
        parse_ocr_paint(drawn, (int)rule->box.x0 - dx, (int)rule->box.y0 - dy,
                        (int)rule->box.x1 + dx, (int)rule->box.y1 + dy, TRUE);
    }
    return drawn;
}

/* White components of the part of drawn inside grid, which do not reach its edge. */
static void
grid_read(PIX *drawn, BOX *grid, double dpi, double page_area, GArray *fields)
{
    PIX *part = pixClipRectangle(drawn, grid, NULL);
    PIX *white = part ? pixInvert(NULL, part) : NULL;
    BOXA *boxes = white ? pixConnCompBB(white, 4) : NULL;
    l_int32 gx, gy, gw, gh;
    boxGetGeometry(grid, &gx, &gy, &gw, &gh);
    const guint before = fields->len;
    const int n = boxes ? boxaGetCount(boxes) : 0, least = (int)(FIELD_MIN_PT * dpi / 72);
    for (int i = 0; i < n && fields->len < MAX_FIELDS; i++) {
        l_int32 x, y, w, h;
        if (boxaGetBoxGeometry(boxes, i, &x, &y, &w, &h) != 0 || w < least || h < least) continue;
        if (x == 0 || y == 0 || x + w >= gw || y + h >= gh) continue;
        if ((double)w * h > FIELD_SHARE * page_area) continue;
        const parse_rect field = {(float)(gx + x), (float)(gy + y), (float)(gx + x + w),
                                  (float)(gy + y + h)};
        g_array_append_val(fields, field);
    }
    if (fields->len - before < MIN_FIELDS) g_array_set_size(fields, before);
    boxaDestroy(&boxes);
    pixDestroy(&white);
    pixDestroy(&part);
}

GArray *
parse_ocr_fields_find(const parse_ocr_image *image, const GArray *rules)
{
    GArray *fields = g_array_new(FALSE, FALSE, sizeof(parse_rect));
    if (rules->len < 4) return fields;
    PIX *drawn = rules_draw(image, rules);
    BOXA *grids = drawn ? pixConnCompBB(drawn, 8) : NULL;
    const double area = (double)pixGetWidth(image->binary) * pixGetHeight(image->binary);
    const int n = grids ? boxaGetCount(grids) : 0;
    for (int i = 0; i < n; i++) {
        BOX *grid = boxaGetBox(grids, i, L_CLONE);
        if (grid != NULL) grid_read(drawn, grid, image->dpi, area, fields);
        boxDestroy(&grid);
    }
    boxaDestroy(&grids);
    pixDestroy(&drawn);
    return fields;
}
