/* Font sizes and weights of recognised text.
 *
 * Tesseract's LSTM engine tells characters and boxes. How large a font is shows in the boxes of its letters: capitals,
 * ascenders and digits are some 0.69 em high in nearly every text face, small letters 0.45. How bold it is shows in
 * the mean thickness of its strokes: the pixels of a word over the number of runs they make along its rows. */
#include "parse/ocr_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TALL_EM          0.69F
#define SMALL_EM         0.45F
#define DEEP_EM          0.66F /* of small letters with a descender */
#define CAPS_QUANTILE    0.85  /* in small capitals only the initials are as high as capitals */
#define MIN_LETTERS      3
#define SAME_SIZE        0.07F /* relative: lines of one font differ by so much from their mean */
#define MAX_GROUPED      2000  /* lines */
#define OTHER_LINE_EM    0.25F
#define BOLD_RATIO       1.22F
#define BOLD_SHORT_RATIO 1.28F
#define LIGHT_RATIO      1.12F
#define MANY             4 /* letters, which tell the weight more surely */
#define STEP_PT          0.5F
#define EN_DASH_EM       0.40F
#define LONG_HYPHEN_EM   0.55F
#define EM_DASH_EM       0.75F
#define DISC_FILL        0.66F /* a disc fills pi/4 of its box */

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
quantile_of(GArray *values, double share)
{
    if (values->len == 0) return 0;
    qsort(values->data, values->len, sizeof(float), compare_float);
    return g_array_index(values, float, (guint)(share * values->len));
}

float
parse_ocr_median(GArray *values)
{
    return quantile_of(values, 0.5);
}

/* Does a character stand on the baseline? */
static gboolean
sits(uint32_t ch)
{
    return ch < 128 && g_ascii_isalnum((char)ch) && strchr("gjpqyQJ", (int)ch) == NULL;
}

/* ---- ink ---- */

static gboolean
row_has_ink(PIX *binary, int y, int x0, int x1)
{
    const l_uint32 *line = pixGetData(binary) + (size_t)y * (size_t)pixGetWpl(binary);
    for (int x = x0; x < x1; x++)
        if (GET_DATA_BIT(line, x)) return TRUE;
    return FALSE;
}

/* Tesseract gives some symbols the height of their line. */
static void
symbol_shrink(parse_ocr_symbol *symbol, PIX *binary)
{
    const int x0 = CLAMP(symbol->x0, 0, pixGetWidth(binary));
    const int x1 = CLAMP(symbol->x1, x0, pixGetWidth(binary));
    int y0 = CLAMP(symbol->y0, 0, pixGetHeight(binary));
    int y1 = CLAMP(symbol->y1, y0, pixGetHeight(binary));
    while (y0 < y1 && !row_has_ink(binary, y0, x0, x1))
        y0++;
    while (y1 > y0 && !row_has_ink(binary, y1 - 1, x0, x1))
        y1--;
    if (y1 <= y0) return;
    symbol->y0 = y0;
    symbol->y1 = y1;
}

/* The median of where letters stand, of words [first, first + n); fallback where none tells. */
static float
baseline_of(const parse_ocr_text *text, guint first, guint n, guint least, float fallback,
            GArray *feet)
{
    g_array_set_size(feet, 0);
    for (guint w = first; w < first + n; w++) {
        const parse_ocr_word *word = &g_array_index(text->words, parse_ocr_word, w);
        for (guint i = 0; i < word->n_symbols; i++) {
            const parse_ocr_symbol *symbol =
                &g_array_index(text->symbols, parse_ocr_symbol, word->first_symbol + i);
            const float foot = (float)symbol->y1;
            if (sits(symbol->unicode)) g_array_append_val(feet, foot);
        }
    }
    return feet->len >= least ? parse_ocr_median(feet) : fallback;
}

static void
baselines_measure(parse_ocr_text *text, GArray *feet)
{
    for (guint i = 0; i < text->lines->len; i++) {
        parse_ocr_line *line = &g_array_index(text->lines, parse_ocr_line, i);
        line->baseline =
            baseline_of(text, line->first_word, line->n_words, MIN_LETTERS, line->baseline, feet);
        for (guint w = line->first_word; w < line->first_word + line->n_words; w++) {
            parse_ocr_word *word = &g_array_index(text->words, parse_ocr_word, w);
            word->baseline = baseline_of(text, w, 1, 2, line->baseline, feet);
            if (fabsf(word->baseline - line->baseline) <= OTHER_LINE_EM * line->em)
                word->baseline = line->baseline;
        }
    }
}

/* ---- sizes ---- */

/* The sizes that the letters of words at least so sure speak for; TRUE: small letters are among them. */
static gboolean
line_sizes(const parse_ocr_text *text, const parse_ocr_line *line, float least, GArray *ems)
{
    gboolean small = FALSE;
    g_array_set_size(ems, 0);
    for (guint w = 0; w < line->n_words; w++) {
        const parse_ocr_word *word =
            &g_array_index(text->words, parse_ocr_word, line->first_word + w);
        if (word->confidence < least) continue;
        for (guint i = 0; i < word->n_symbols; i++) {
            const parse_ocr_symbol *symbol =
                &g_array_index(text->symbols, parse_ocr_symbol, word->first_symbol + i);
            const float em = height_em(symbol->unicode);
            if (em <= 0) continue;
            small = small || g_unichar_islower(symbol->unicode);
            const float size = (float)(symbol->y1 - symbol->y0) / em;
            g_array_append_val(ems, size);
        }
    }
    return small;
}

static void
line_measure(const parse_ocr_text *text, parse_ocr_line *line, float least, GArray *ems)
{
    const gboolean small = line_sizes(text, line, least, ems);
    line->em = ems->len >= MIN_LETTERS ? quantile_of(ems, small ? 0.5 : CAPS_QUANTILE) : 0;
}

/* Where no word was surely read there may be no letters at all, but a piece of a formula or a drawing: such a line is
 * taken to be no larger than the largest that was read. */
static void
lines_measure(parse_ocr_text *text, GArray *ems)
{
    float largest = 0;
    for (guint i = 0; i < text->lines->len; i++) {
        parse_ocr_line *line = &g_array_index(text->lines, parse_ocr_line, i);
        line_measure(text, line, PARSE_OCR_DOUBTFUL, ems);
        largest = MAX(largest, line->em);
    }
    for (guint i = 0; i < text->lines->len; i++) {
        parse_ocr_line *line = &g_array_index(text->lines, parse_ocr_line, i);
        if (line->em > 0) continue;
        line_measure(text, line, 0, ems);
        if (largest > 0 && line->em > largest) line->em = 0;
    }
}

typedef struct {
    float em;
    guint line, weight; /* letters */
} sized;

/* How many letters are set in a size near em. */
static guint64
weight_near(const GArray *sizes, float em)
{
    guint64 sum = 0;
    for (guint i = 0; i < sizes->len; i++) {
        const sized *s = &g_array_index(sizes, sized, i);
        if (fabsf(s->em - em) <= SAME_SIZE * em) sum += s->weight;
    }
    return sum;
}

/* Lines of nearly one size get the same: the mean of those around the size that most letters are near to, then of the
 * rest likewise; on a grid of half points. */
static void
sizes_group(parse_ocr_text *text, double dpi)
{
    const double step = STEP_PT * dpi / 72;
    g_autoptr(GArray) sizes = g_array_new(FALSE, FALSE, sizeof(sized));
    for (guint i = 0; i < text->lines->len && i < MAX_GROUPED; i++) {
        const parse_ocr_line *line = &g_array_index(text->lines, parse_ocr_line, i);
        sized s = {line->em, i, 0};
        for (guint w = 0; w < line->n_words; w++)
            s.weight += g_array_index(text->words, parse_ocr_word, line->first_word + w).n_symbols;
        if (line->em > 0) g_array_append_val(sizes, s);
    }
    while (sizes->len > 0) {
        float center = 0;
        guint64 most = 0;
        for (guint i = 0; i < sizes->len; i++) {
            const float em = g_array_index(sizes, sized, i).em;
            const guint64 weight = weight_near(sizes, em);
            if (weight <= most) continue;
            most = weight;
            center = em;
        }
        double sum = 0, n = 0;
        for (guint i = 0; i < sizes->len; i++) {
            const sized *s = &g_array_index(sizes, sized, i);
            if (fabsf(s->em - center) > SAME_SIZE * center) continue;
            sum += (double)s->em * s->weight;
            n += s->weight;
        }
        const float em = (float)(MAX(round(sum / n / step), 4) * step);
        for (guint i = sizes->len; i-- > 0;) {
            const sized s = g_array_index(sizes, sized, i);
            if (fabsf(s.em - center) > SAME_SIZE * center) continue;
            g_array_index(text->lines, parse_ocr_line, s.line).em = em;
            g_array_remove_index_fast(sizes, i);
        }
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

static guint
count_letters(const parse_ocr_text *text, const parse_ocr_word *word)
{
    guint n = 0;
    for (guint i = 0; i < word->n_symbols; i++)
        n += (guint)g_unichar_isalpha(
            g_array_index(text->symbols, parse_ocr_symbol, word->first_symbol + i).unicode);
    return n;
}

static uint32_t
last_character(const parse_ocr_text *text, const parse_ocr_word *word)
{
    const guint last = word->first_symbol + word->n_symbols - 1;
    return word->n_symbols > 0 ? g_array_index(text->symbols, parse_ocr_symbol, last).unicode : 0;
}

static void
weigh(const parse_ocr_text *text, const parse_ocr_word *word, float *sum, guint *letters)
{
    const guint n = count_letters(text, word);
    *sum += word->weight * (float)n;
    *letters += n;
}

/* How many words in front of the line are a heading that its paragraph runs on from: "Data. We asked for-". Each of the
 * few words behind the full stop is too short to tell its weight, but they do together, with what the last of them goes
 * on to in the next line. All of them where there is no such end. */
static guint
words_of_lead(const parse_ocr_text *text, guint index)
{
    const parse_ocr_line *line = &g_array_index(text->lines, parse_ocr_line, index);
    const parse_ocr_word *words = &g_array_index(text->words, parse_ocr_word, line->first_word);
    guint lead = line->n_words, n = 0;
    float sum = 0;
    while (lead > 0) {
        const uint32_t last = last_character(text, &words[lead - 1]);
        if (lead < line->n_words && last < 128 && last != 0 && strchr(".:?!", (int)last) != NULL)
            break;
        lead--;
        if (words[lead].bold) return line->n_words;
        weigh(text, &words[lead], &sum, &n);
    }
    if (lead == 0 || !words[lead - 1].bold) return line->n_words;
    if (index + 1 < text->lines->len && last_character(text, &words[line->n_words - 1]) == '-') {
        const parse_ocr_line *next = line + 1;
        if (next->n_words > 0)
            weigh(text, &g_array_index(text->words, parse_ocr_word, next->first_word), &sum, &n);
    }
    return n >= MANY && sum < LIGHT_RATIO * (float)n ? lead : line->n_words;
}

/* A word or two of another weight among words of a line that agree were measured wrongly. Figures and marks tell
 * less than letters do. */
static void
weights_smooth(parse_ocr_text *text)
{
    for (guint i = 0; i < text->lines->len; i++) {
        const parse_ocr_line *line = &g_array_index(text->lines, parse_ocr_line, i);
        parse_ocr_word *words = &g_array_index(text->words, parse_ocr_word, line->first_word);
        const guint n_words = words_of_lead(text, i);
        guint n_bold = 0, n_light = 0, n = 0;
        for (guint w = 0; w < n_words; w++) {
            const guint letters = count_letters(text, &words[w]);
            n += letters;
            if (words[w].bold) n_bold += letters;
            if (letters >= MANY && words[w].weight < LIGHT_RATIO) n_light += letters;
        }
        const gboolean all = n_light == 0 ? 2 * n_bold > n : 8 * n_bold > 7 * n;
        for (guint w = 0; w < n_words; w++)
            if (all) words[w].bold = TRUE;
        for (guint w = 1; w + 1 < n_words; w++)
            if (words[w - 1].bold == words[w + 1].bold) words[w].bold = words[w - 1].bold;
    }
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
    const float usual = parse_ocr_median(ratios);
    if (usual <= 0) return;
    for (guint i = 0; i < text->words->len; i++) {
        parse_ocr_word *word = &g_array_index(text->words, parse_ocr_word, i);
        const float em = g_array_index(text->lines, parse_ocr_line, word->line).em;
        word->weight = word->stroke / (usual * em);
        word->bold = word->n_symbols >= 2 &&
                     word->weight > (word->n_symbols >= MANY ? BOLD_RATIO : BOLD_SHORT_RATIO);
    }
    weights_smooth(text);
}

/* ---- characters that only their shape tells apart ---- */

static gboolean
is_dash(uint32_t ch)
{
    return ch == '-' || (ch >= 0x2010 && ch <= 0x2015) || ch == 0x2212;
}

/* Is there no ink in row y between x0 and x1? */
static gboolean
row_is_white(PIX *binary, int y, int x0, int x1)
{
    return y < 0 || y >= pixGetHeight(binary) || !row_has_ink(binary, y, x0, x1);
}

/* The length in em of the bar that is a dash, 0 where none is found: the box of a symbol may reach into its
 * neighbours, a bar with white above and below it does not. */
static float
dash_length(const parse_ocr_symbol *symbol, float baseline, float em, PIX *binary)
{
    const int reach = (int)(0.2F * em), thick = (int)(0.12F * em) + 1;
    const int x0 = MAX(symbol->x0 - reach, 0), x1 = MIN(symbol->x1 + reach, pixGetWidth(binary));
    const int top = MAX((int)(baseline - 0.48F * em), 0);
    const int bottom = MIN((int)(baseline - 0.12F * em), pixGetHeight(binary));
    int longest = 0;
    for (int y = top; y < bottom; y++) {
        const l_uint32 *line = pixGetData(binary) + (size_t)y * (size_t)pixGetWpl(binary);
        for (int x = x0, start = -1; x <= x1; x++) {
            const gboolean black = x < x1 && GET_DATA_BIT(line, x);
            if (black && start < 0) start = x;
            if (black || start < 0) continue;
            if (x - start > longest && row_is_white(binary, y - thick, start, x) &&
                row_is_white(binary, y + thick, start, x))
                longest = x - start;
            start = -1;
        }
    }
    return (float)longest / em;
}

/* A hyphen is a quarter to a third of an em wide, an en dash half of one, an em dash a whole; a minus sign in front of
 * a number is as long as a plus. Between small letters, and at the end of a line, a hyphen is by far the likeliest. */
static void
dash_tell(parse_ocr_text *text, const parse_ocr_word *word, guint i, float em, PIX *binary)
{
    parse_ocr_symbol *symbol =
        &g_array_index(text->symbols, parse_ocr_symbol, word->first_symbol + i);
    const gboolean last = i + 1 == word->n_symbols;
    const uint32_t before = i > 0 ? symbol[-1].unicode : 0, after = last ? 0 : symbol[1].unicode;
    const float width = dash_length(symbol, word->baseline, em, binary);
    if (width <= 0) return;
    const gboolean inside = g_unichar_isalpha(before) && (last || g_unichar_islower(after));
    const gboolean sign = before == 0 || before == '(' || before == '=';
    if (width < (inside ? LONG_HYPHEN_EM : EN_DASH_EM))
        symbol->unicode = '-';
    else if (sign && g_unichar_isdigit(after) && width < EM_DASH_EM)
        symbol->unicode = 0x2212;
    else
        symbol->unicode = width < EM_DASH_EM && !inside ? 0x2013 : 0x2014;
}

/* Black pixels of a box over all. */
static float
fill_of(PIX *binary, const parse_ocr_symbol *symbol)
{
    const int width = pixGetWidth(binary), height = pixGetHeight(binary);
    int n = 0, black = 0;
    for (int y = MAX(symbol->y0, 0); y < MIN(symbol->y1, height); y++) {
        const l_uint32 *line = pixGetData(binary) + (size_t)y * (size_t)pixGetWpl(binary);
        for (int x = MAX(symbol->x0, 0); x < MIN(symbol->x1, width); x++, n++)
            black += GET_DATA_BIT(line, x) != 0;
    }
    return n > 0 ? (float)black / (float)n : 0;
}

/* A disc that floats above the baseline at the start of a line: Tesseract reads "+", "e" or a guillemet in it. */
static void
bullet_tell(parse_ocr_text *text, const parse_ocr_line *line, const parse_ocr_image *image)
{
    if (line->n_words < 2) return;
    const parse_ocr_word *word = &g_array_index(text->words, parse_ocr_word, line->first_word);
    parse_ocr_symbol *symbol = &g_array_index(text->symbols, parse_ocr_symbol, word->first_symbol);
    const float w = (float)(symbol->x1 - symbol->x0), h = (float)(symbol->y1 - symbol->y0);
    const float rise = line->baseline - (float)symbol->y1;
    if (word->n_symbols != 1 || is_dash(symbol->unicode) || h < 0.15F * line->em ||
        h > 0.45F * line->em || w < 0.75F * h || w > 1.35F * h)
        return;
    if (rise < 0.05F * line->em || rise > 0.35F * line->em) return;
    if (fill_of(image->binary, symbol) > DISC_FILL) symbol->unicode = 0x2022;
}

static void
shapes_tell(parse_ocr_text *text, const parse_ocr_image *image)
{
    for (guint i = 0; i < text->lines->len; i++)
        bullet_tell(text, &g_array_index(text->lines, parse_ocr_line, i), image);
    for (guint w = 0; w < text->words->len; w++) {
        const parse_ocr_word *word = &g_array_index(text->words, parse_ocr_word, w);
        const float em = g_array_index(text->lines, parse_ocr_line, word->line).em;
        for (guint i = 0; i < word->n_symbols; i++)
            if (is_dash(
                    g_array_index(text->symbols, parse_ocr_symbol, word->first_symbol + i).unicode))
                dash_tell(text, word, i, em, image->binary);
    }
}

/* Boxes of neighbours that overlap would change places in a line that is sorted from left to right. */
static void
symbols_order(parse_ocr_text *text)
{
    for (guint w = 0; w < text->words->len; w++) {
        const parse_ocr_word *word = &g_array_index(text->words, parse_ocr_word, w);
        parse_ocr_symbol *symbols =
            &g_array_index(text->symbols, parse_ocr_symbol, word->first_symbol);
        for (guint i = 1; i < word->n_symbols; i++) {
            symbols[i].x0 = MAX(symbols[i].x0, symbols[i - 1].x0 + 1);
            symbols[i].x1 = MAX(symbols[i].x1, symbols[i].x0 + 1);
        }
    }
}

void
parse_ocr_measure(parse_ocr_text *text, const parse_ocr_image *image)
{
    g_autoptr(GArray) values = g_array_new(FALSE, FALSE, sizeof(float));
    for (guint i = 0; i < text->symbols->len; i++)
        symbol_shrink(&g_array_index(text->symbols, parse_ocr_symbol, i), image->binary);
    lines_measure(text, values);
    sizes_group(text, image->dpi);
    sizes_fill(text, image->dpi);
    baselines_measure(text, values);
    weights_measure(text, image);
    shapes_tell(text, image);
    symbols_order(text);
}
