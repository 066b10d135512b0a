/* What Tesseract left unread.
 *
 * Its layout analysis drops what it takes for noise: a narrow column of a table, the number before a heading, a dash
 * that stands for an empty cell, the number of the page. Ink of the size of letters that no word covers is gathered
 * into pieces of lines, to be read by themselves. */
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

/* The median height of symbols in pixels, 0 without any. */
static float
usual_height(const parse_ocr_text *text)
{
    g_autoptr(GArray) heights = g_array_sized_new(FALSE, FALSE, sizeof(float), text->symbols->len);
    for (guint i = 0; i < text->symbols->len; i++) {
        const parse_ocr_symbol *symbol = &g_array_index(text->symbols, parse_ocr_symbol, i);
        const float height = (float)(symbol->y1 - symbol->y0);
        g_array_append_val(heights, height);
    }
    return parse_ocr_median(heights);
}

/* The ink outside words, pictures and rules. */
static PIX *
unread_ink(const parse_ocr_image *image, const parse_ocr_text *text)
{
    PIX *rest = pixCopy(NULL, image->binary);
    if (rest == NULL) return NULL;
    for (guint i = 0; i < text->words->len; i++) {
        const parse_ocr_word *word = &g_array_index(text->words, parse_ocr_word, i);
        parse_ocr_paint(rest, word->x0 - GROW_PX, word->y0 - GROW_PX, word->x1 + GROW_PX,
                        word->y1 + GROW_PX, FALSE);
    }
    for (guint i = 0; i < text->pictures->len; i++) {
        const parse_rect *r = &g_array_index(text->pictures, parse_rect, i);
        parse_ocr_paint(rest, (int)r->x0, (int)r->y0, (int)r->x1, (int)r->y1, FALSE);
    }
    return rest;
}

/* Has it the size of a letter, or of a dash? */
static gboolean
is_character(int w, int h, float usual)
{
    const float wide = (float)w, high = (float)h;
    const gboolean letter =
        high >= LETTER_LOW * usual && high <= LETTER_HIGH * usual && wide <= LETTER_WIDE * usual;
    const gboolean dash = high <= DASH_THICK * usual && wide >= DASH_SHORT * usual &&
                          wide <= DASH_LONG * usual && wide > 2 * high;
    return letter || dash;
}

/* From a piece to the nearest word of its row, less than 0 where they overlap. */
static float
gap_in_row(const parse_ocr_text *text, const parse_rect *piece)
{
    float least = G_MAXFLOAT;
    const float middle = 0.5F * (piece->y0 + piece->y1);
    for (guint i = 0; i < text->words->len; i++) {
        const parse_ocr_word *word = &g_array_index(text->words, parse_ocr_word, i);
        if (middle < (float)word->y0 || middle > (float)word->y1) continue;
        const float gap = MAX((float)word->x0 - piece->x1, piece->x0 - (float)word->x1);
        least = MIN(least, gap);
    }
    return least;
}

/* In the head or the foot, over or under all words, as numbers of pages are? */
static gboolean
is_outside(const parse_ocr_text *text, const parse_rect *piece)
{
    parse_rect words = {G_MAXFLOAT, G_MAXFLOAT, -G_MAXFLOAT, -G_MAXFLOAT};
    for (guint i = 0; i < text->words->len; i++) {
        const parse_ocr_word *word = &g_array_index(text->words, parse_ocr_word, i);
        words = (parse_rect){MIN(words.x0, (float)word->x0), MIN(words.y0, (float)word->y0),
                             MAX(words.x1, (float)word->x1), MAX(words.y1, (float)word->y1)};
    }
    return piece->x0 >= words.x0 && piece->x1 <= words.x1 &&
           (piece->y1 < words.y0 || piece->y0 > words.y1);
}

/* Single characters are read only outside the text or beside words, and not within a line: there the line's reading has
 * them, although the boxes of its words may not. */
static gboolean
is_worth_reading(const parse_ocr_text *text, const parse_rect *piece, float usual)
{
    if (piece->y1 - piece->y0 > PIECE_HIGH * usual) return FALSE;
    if (piece->y1 - piece->y0 >= LETTER_LOW * usual && is_outside(text, piece)) return TRUE;
    const float gap = gap_in_row(text, piece);
    if (gap < APART * usual) return FALSE;
    return gap < BESIDE * usual || piece->x1 - piece->x0 >= WORD_WIDE * usual;
}

/* Letters and dashes of rest, as black boxes. */
static PIX *
letters_draw(PIX *rest, float usual)
{
    BOXA *boxes = pixConnCompBB(rest, 8);
    PIX *drawn = pixCreate(pixGetWidth(rest), pixGetHeight(rest), 1);
    const int n = boxes ? boxaGetCount(boxes) : 0;
    for (int i = 0; drawn != NULL && i < n && n <= MAX_COMPONENTS; i++) {
        l_int32 x, y, w, h;
        if (boxaGetBoxGeometry(boxes, i, &x, &y, &w, &h) == 0 && is_character(w, h, usual))
            parse_ocr_paint(drawn, x, y, x + w, y + h, TRUE);
    }
    boxaDestroy(&boxes);
    return drawn;
}

GArray *
parse_ocr_missed_find(const parse_ocr_image *image, const parse_ocr_text *text)
{
    GArray *pieces = g_array_new(FALSE, FALSE, sizeof(parse_rect));
    const float usual = usual_height(text);
    PIX *rest = usual > 0 ? unread_ink(image, text) : NULL;
    PIX *drawn = rest ? letters_draw(rest, usual) : NULL;
    PIX *joined = drawn ? pixCloseSafeBrick(NULL, drawn, (int)(GAP * usual), 1) : NULL;
    BOXA *boxes = joined ? pixConnCompBB(joined, 8) : NULL;
    const int n = boxes ? boxaGetCount(boxes) : 0;
    const float margin = (float)(MARGIN_PT * image->dpi / 72);
    for (int i = 0; i < n && n <= MAX_PIECES; i++) {
        l_int32 x, y, w, h;
        if (boxaGetBoxGeometry(boxes, i, &x, &y, &w, &h) != 0) continue;
        parse_rect piece = {(float)x, (float)y, (float)(x + w), (float)(y + h)};
        if (!is_worth_reading(text, &piece, usual)) continue;
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
