/* What Tesseract left unread.
 *
 * Its layout analysis drops what it takes for noise: a narrow column of a table, the number before a heading, a dash
 * that stands for an empty cell. Ink of the size of letters that no word covers is gathered into pieces of lines,
 * to be read by themselves. */
#include "parse/ocr_internal.h"

#define LETTER_LOW     0.55F /* heights in those of the page's usual letters */
#define LETTER_HIGH    3.0F
#define LETTER_WIDE    4.0F
#define DASH_SHORT     0.4F
#define DASH_LONG      3.0F
#define DASH_THICK     0.4F
#define GAP            2 /* between the letters of a piece, in heights */
#define PIECE_HIGH     4.5F
#define MAX_PIECES     200 /* more is a drawing */
#define MAX_COMPONENTS 20000
#define GROW_PX        2
#define BESIDE         40.0F /* heights: a lone character stands so near to a word of its row */
#define APART          0.8F  /* and by so much from any */
#define WORD_WIDE      2.0F
#define MARGIN_PT      3.0

static int
compare_int(const void *a, const void *b)
{
    const int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

/* The median height of symbols in pixels, 0 without any. */
static int
usual_height(const parse_ocr_text *text)
{
    g_autoptr(GArray) heights = g_array_sized_new(FALSE, FALSE, sizeof(int), text->symbols->len);
    for (guint i = 0; i < text->symbols->len; i++) {
        const parse_ocr_symbol *symbol = &g_array_index(text->symbols, parse_ocr_symbol, i);
        const int height = symbol->y1 - symbol->y0;
        g_array_append_val(heights, height);
    }
    if (heights->len == 0) return 0;
    qsort(heights->data, heights->len, sizeof(int), compare_int);
    return g_array_index(heights, int, heights->len / 2);
}

static void
clear(PIX *pix, int x0, int y0, int x1, int y1)
{
    BOX *box = boxCreate(x0, y0, MAX(x1 - x0, 1), MAX(y1 - y0, 1));
    if (box != NULL) pixClearInRect(pix, box);
    boxDestroy(&box);
}

/* The ink outside words, pictures and rules. */
static PIX *
unread_ink(const parse_ocr_image *image, const parse_ocr_text *text)
{
    PIX *rest = pixCopy(NULL, image->binary);
    if (rest == NULL) return NULL;
    for (guint i = 0; i < text->words->len; i++) {
        const parse_ocr_word *word = &g_array_index(text->words, parse_ocr_word, i);
        clear(rest, word->x0 - GROW_PX, word->y0 - GROW_PX, word->x1 + GROW_PX, word->y1 + GROW_PX);
    }
    for (guint i = 0; i < text->pictures->len; i++) {
        const parse_rect *r = &g_array_index(text->pictures, parse_rect, i);
        clear(rest, (int)r->x0, (int)r->y0, (int)r->x1, (int)r->y1);
    }
    return rest;
}

typedef enum { NO_LETTER, LETTER, DASH } ink_kind;

static ink_kind
kind_of(int w, int h, float usual)
{
    const float wide = (float)w, high = (float)h;
    if (high >= LETTER_LOW * usual && high <= LETTER_HIGH * usual && wide <= LETTER_WIDE * usual)
        return LETTER;
    if (high <= DASH_THICK * usual && wide >= DASH_SHORT * usual && wide <= DASH_LONG * usual &&
        wide > 2 * high)
        return DASH;
    return NO_LETTER;
}

/* Where a piece stands in its row. */
typedef struct {
    gboolean beside; /* of a word, not too far away */
    float gap;       /* to the nearest word */
} row_place;

static row_place
place_in_row(const parse_ocr_text *text, const parse_rect *piece, float reach)
{
    row_place place = {FALSE, G_MAXFLOAT};
    const float middle = 0.5F * (piece->y0 + piece->y1);
    for (guint i = 0; i < text->words->len; i++) {
        const parse_ocr_word *word = &g_array_index(text->words, parse_ocr_word, i);
        if (middle < (float)word->y0 || middle > (float)word->y1) continue;
        const float gap = MAX((float)word->x0 - piece->x1, piece->x0 - (float)word->x1);
        place.gap = MIN(place.gap, gap);
    }
    place.beside = place.gap < reach;
    return place;
}

/* Single characters are read only beside words, and not within a line: there the line's reading has them, although the
 * boxes of its words may not. */
static gboolean
is_worth_reading(const parse_ocr_text *text, const parse_rect *piece, float usual)
{
    if (piece->y1 - piece->y0 > PIECE_HIGH * usual) return FALSE;
    const row_place place = place_in_row(text, piece, BESIDE * usual);
    if (place.gap < APART * usual) return FALSE;
    return place.beside || piece->x1 - piece->x0 >= WORD_WIDE * usual;
}

/* Letters and dashes of rest, as black boxes; *n_letters and *n_dashes are counted. */
static PIX *
letters_draw(PIX *rest, float usual)
{
    BOXA *boxes = pixConnCompBB(rest, 8);
    PIX *drawn = pixCreate(pixGetWidth(rest), pixGetHeight(rest), 1);
    const int n = boxes ? boxaGetCount(boxes) : 0;
    for (int i = 0; drawn != NULL && i < n && n <= MAX_COMPONENTS; i++) {
        l_int32 x, y, w, h;
        if (boxaGetBoxGeometry(boxes, i, &x, &y, &w, &h) != 0) continue;
        if (kind_of(w, h, usual) == NO_LETTER) continue;
        BOX *box = boxaGetBox(boxes, i, L_CLONE);
        if (box != NULL) pixSetInRect(drawn, box);
        boxDestroy(&box);
    }
    boxaDestroy(&boxes);
    return drawn;
}

GArray *
parse_ocr_missed_find(const parse_ocr_image *image, const parse_ocr_text *text)
{
    GArray *pieces = g_array_new(FALSE, FALSE, sizeof(parse_rect));
    const int usual = usual_height(text);
    PIX *rest = usual > 0 ? unread_ink(image, text) : NULL;
    PIX *drawn = rest ? letters_draw(rest, (float)usual) : NULL;
    PIX *joined = drawn ? pixCloseSafeBrick(NULL, drawn, GAP * usual, 1) : NULL;
    BOXA *boxes = joined ? pixConnCompBB(joined, 8) : NULL;
    const int n = boxes ? boxaGetCount(boxes) : 0;
    const float margin = (float)(MARGIN_PT * image->dpi / 72);
    for (int i = 0; i < n && n <= MAX_PIECES; i++) {
        l_int32 x, y, w, h;
        if (boxaGetBoxGeometry(boxes, i, &x, &y, &w, &h) != 0) continue;
        parse_rect piece = {(float)x, (float)y, (float)(x + w), (float)(y + h)};
        if (!is_worth_reading(text, &piece, (float)usual)) continue;
        piece = (parse_rect){MAX(piece.x0 - margin, 0), MAX(piece.y0 - margin, 0),
                             MIN(piece.x1 + margin, (float)pixGetWidth(image->binary)),
                             MIN(piece.y1 + margin, (float)pixGetHeight(image->binary))};
        g_array_append_val(pieces, piece);
    }
    boxaDestroy(&boxes);
    pixDestroy(&joined);
    pixDestroy(&drawn);
    pixDestroy(&rest);
    return pieces;
}
