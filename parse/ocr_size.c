/* Font sizes and weights of recognised text.
 *
 * Tesseract's LSTM engine tells characters and boxes. How large a font is shows in the boxes of its letters: capitals,
 * ascenders and digits are some 0.69 em high in nearly every text face, small letters 0.45. How bold it is shows in
 * the mean thickness of its strokes: the pixels of a word over the number of runs they make along its rows. */
#include "parse/ocr_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TALL_EM     0.69F
#define SMALL_EM    0.45F
#define DEEP_EM     0.66F /* of small letters with a descender */
#define MIN_LETTERS 3
#define SAME_SIZE   0.08F /* relative: lines of one font differ by so much */
#define BOLD_RATIO  1.28F
#define STEP_PT     0.5F

/* Height of a character in em, 0 where it varies from face to face. */
static float
height_em(uint32_t ch)
{
    if (ch < 128 && ch > 32) {
        if ((ch >= 'A' && ch <= 'Z' && ch != 'J' && ch != 'Q') || (ch >= '0' && ch <= '9') ||
            strchr("bdfhkl", (int)ch) != NULL)
            return TALL_EM;
        if (strchr("acemnorsuvwxz", (int)ch) != NULL) return SMALL_EM;
        if (strchr("gpqy", (int)ch) != NULL) return DEEP_EM;
        return 0;
    }
    /* a Chinese character fills its em */
    if ((ch >= 0x4E00 && ch <= 0x9FFF) || (ch >= 0xAC00 && ch <= 0xD7A3)) return 0.92F;
    return 0;
}

static int
compare_float(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static float
median_of(GArray *values)
{
    if (values->len == 0) return 0;
    qsort(values->data, values->len, sizeof(float), compare_float);
    return g_array_index(values, float, values->len / 2);
}

static void
line_measure(const parse_ocr_text *text, parse_ocr_line *line, GArray *ems)
{
    g_array_set_size(ems, 0);
    for (guint w = 0; w < line->n_words; w++) {
        const parse_ocr_word *word =
            &g_array_index(text->words, parse_ocr_word, line->first_word + w);
        for (guint i = 0; i < word->n_symbols; i++) {
            const parse_ocr_symbol *symbol =
                &g_array_index(text->symbols, parse_ocr_symbol, word->first_symbol + i);
            const float em = height_em(symbol->unicode);
            if (em <= 0) continue;
            const float size = (float)(symbol->y1 - symbol->y0) / em;
            g_array_append_val(ems, size);
        }
    }
    line->em = ems->len >= MIN_LETTERS ? median_of(ems) : 0;
}

typedef struct {
    float em;
    guint line, weight;
} sized;

static int
compare_sized(gconstpointer a, gconstpointer b)
{
    const sized *x = a, *y = b;
    if (x->em != y->em) return x->em < y->em ? -1 : 1;
    return (x->line > y->line) - (x->line < y->line);
}

/* Lines of nearly one size get the same: their mean, by letters, on a grid of half points. */
static void
sizes_group(parse_ocr_text *text, double dpi)
{
    g_autoptr(GArray) sizes = g_array_new(FALSE, FALSE, sizeof(sized));
    for (guint i = 0; i < text->lines->len; i++) {
        const parse_ocr_line *line = &g_array_index(text->lines, parse_ocr_line, i);
        if (line->em <= 0) continue;
        sized s = {line->em, i, 0};
        for (guint w = 0; w < line->n_words; w++)
            s.weight += g_array_index(text->words, parse_ocr_word, line->first_word + w).n_symbols;
        g_array_append_val(sizes, s);
    }
    g_array_sort(sizes, compare_sized);
    for (guint i = 0, end = 0; i < sizes->len; i = end) {
        const float first = g_array_index(sizes, sized, i).em;
        double sum = 0, n = 0;
        for (end = i; end < sizes->len; end++) {
            const sized *s = &g_array_index(sizes, sized, end);
            if (s->em > first * (1 + SAME_SIZE)) break;
            sum += (double)s->em * s->weight;
            n += s->weight;
        }
        const double step = STEP_PT * dpi / 72;
        const float em = (float)(MAX(round(sum / n / step), 4) * step);
        for (guint k = i; k < end; k++)
            g_array_index(text->lines, parse_ocr_line, g_array_index(sizes, sized, k).line).em = em;
    }
}

/* Lines without a letter that tells: as the one before. */
static void
sizes_fill(parse_ocr_text *text, double dpi)
{
    float last = 0;
    for (guint i = 0; i < text->lines->len && last <= 0; i++)
        last = g_array_index(text->lines, parse_ocr_line, i).em;
    for (guint i = 0; i < text->lines->len; i++) {
        parse_ocr_line *line = &g_array_index(text->lines, parse_ocr_line, i);
        if (line->em <= 0) {
            const float height = (float)(line->y1 - line->y0) / TALL_EM;
            line->em = last > 0 ? MIN(last, 1.5F * height) : height;
            line->em = MAX(line->em, (float)(4 * STEP_PT * dpi / 72));
        }
        last = line->em;
    }
}

/* ---- weight ---- */

static float
stroke_of(PIX *binary, const parse_ocr_word *word, float em)
{
    const int width = pixGetWidth(binary), height = pixGetHeight(binary);
    const int x0 = CLAMP(word->x0, 0, width), x1 = CLAMP(word->x1, 0, width);
    const int y0 = CLAMP(word->y0, 0, height), y1 = CLAMP(word->y1, 0, height);
    const int longest = MAX((int)(0.3F * em), 2); /* a bar, not a stem */
    l_uint32 *data = pixGetData(binary);
    const int words = pixGetWpl(binary);
    guint64 sum = 0, n = 0;
    for (int y = y0; y < y1; y++) {
        l_uint32 *line = data + (size_t)y * (size_t)words;
        int run = 0;
        for (int x = x0; x <= x1; x++) {
            if (x < x1 && GET_DATA_BIT(line, x)) {
                run++;
                continue;
            }
            if (run > 0 && run <= longest) {
                sum += (guint64)run;
                n++;
            }
            run = 0;
        }
    }
    return n >= 4 ? (float)sum / (float)n : 0;
}

static void
weights_measure(parse_ocr_text *text, const parse_ocr_image *image)
{
    g_autoptr(GArray) ratios = g_array_new(FALSE, FALSE, sizeof(float));
    for (guint i = 0; i < text->words->len; i++) {
        parse_ocr_word *word = &g_array_index(text->words, parse_ocr_word, i);
        const float em = g_array_index(text->lines, parse_ocr_line, word->line).em;
        word->stroke = stroke_of(image->binary, word, em);
        const float ratio = word->stroke / em;
        for (guint k = 0; k < word->n_symbols && word->stroke > 0; k++)
            g_array_append_val(ratios, ratio);
    }
    const float usual = median_of(ratios);
    if (usual <= 0) return;
    for (guint i = 0; i < text->words->len; i++) {
        parse_ocr_word *word = &g_array_index(text->words, parse_ocr_word, i);
        const float em = g_array_index(text->lines, parse_ocr_line, word->line).em;
        word->bold = word->n_symbols >= 2 && word->stroke > BOLD_RATIO * usual * em;
    }
}

void
parse_ocr_measure(parse_ocr_text *text, const parse_ocr_image *image)
{
    g_autoptr(GArray) ems = g_array_new(FALSE, FALSE, sizeof(float));
    for (guint i = 0; i < text->lines->len; i++)
        line_measure(text, &g_array_index(text->lines, parse_ocr_line, i), ems);
    sizes_group(text, image->dpi);
    sizes_fill(text, image->dpi);
    weights_measure(text, image);
}
