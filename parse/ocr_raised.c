/* Raised figures at the ends of words: marks of notes and calls of references.
 *
 * They are half as high as the letters that Tesseract's networks were trained on, and on a coarse scan come out as
 * quotation marks, degrees and exclamation marks. Where the ink at the end of a word stands above the baseline and is
 * higher than a quotation mark is, what was read and is no figure is read again by itself, larger and as figures only. */
#include "parse/ocr_internal.h"

#include <string.h>

#define RISE_EM  0.2F  /* of the lower edge above the baseline */
#define LOW_EM   0.33F /* quotation marks and degrees are lower */
#define HIGH_EM  0.55F
#define MAX_LONG 8
#define MAX_READ 100 /* on a page: more are something else */

static gboolean
stands_raised(const parse_ocr_word *word, const parse_ocr_symbol *symbol, float em)
{
    const float rise = word->baseline - (float)symbol->y1;
    const float height = (float)(symbol->y1 - symbol->y0);
    return rise > RISE_EM * em && height > LOW_EM * em && height < HIGH_EM * em;
}

/* Signs that are raised by themselves. */
static gboolean
is_mark(uint32_t ch)
{
    return ch == '*' || ch == 0x2020 || ch == 0x2021 || ch == 0xA7;
}

/* Is it a figure, or what stands between two? */
static gboolean
is_figure(uint32_t ch)
{
    return (ch >= '0' && ch <= '9') || ch == ',' || ch == '-' || ch == 0x2013;
}

gboolean
parse_ocr_closes(uint32_t ch)
{
    return ch == '.' || ch == ',' || ch == ';' || ch == ':' || ch == ')' || ch == ']';
}

/* The symbols [from, end) of a word that are raised, with nothing but closing marks behind them; FALSE: none are. */
static gboolean
range_find(const parse_ocr_text *text, const parse_ocr_word *word, guint *from, guint *end)
{
    const float em = g_array_index(text->lines, parse_ocr_line, word->line).em;
    const parse_ocr_symbol *symbols =
        &g_array_index(text->symbols, parse_ocr_symbol, word->first_symbol);
    *end = word->n_symbols;
    while (*end > 1 && parse_ocr_closes(symbols[*end - 1].unicode) &&
           !stands_raised(word, &symbols[*end - 1], em))
        (*end)--;
    *from = *end;
    while (*from > 0 && stands_raised(word, &symbols[*from - 1], em))
        (*from)--;
    return *from < *end;
}

/* Must the raised symbols of a word be read again? */
static gboolean
is_misread(const parse_ocr_symbol *symbols, guint n)
{
    guint n_others = 0, n_marks = 0;
    for (guint i = 0; i < n; i++) {
        n_marks += is_mark(symbols[i].unicode) ? 1 : 0;
        n_others += is_figure(symbols[i].unicode) ? 0 : 1;
    }
    return n <= MAX_LONG && n_others > 0 && n_marks < n;
}

GArray *
parse_ocr_raised_find(const parse_ocr_text *text)
{
    GArray *found = g_array_new(FALSE, FALSE, sizeof(parse_ocr_raised));
    for (guint w = 0; w < text->words->len && found->len <= MAX_READ; w++) {
        const parse_ocr_word *word = &g_array_index(text->words, parse_ocr_word, w);
        const parse_ocr_symbol *symbols =
            &g_array_index(text->symbols, parse_ocr_symbol, word->first_symbol);
        parse_ocr_raised one = {.word = w, .box = {G_MAXFLOAT, G_MAXFLOAT, 0, 0}};
        /* a sign before them stands on the line: else all of the word is raised, or its baseline wrong */
        if (!range_find(text, word, &one.from, &one.end) || one.from == 0 ||
            !is_misread(&symbols[one.from], one.end - one.from))
            continue;
        for (guint i = one.from; i < one.end; i++) {
            one.box.x0 = MIN(one.box.x0, (float)symbols[i].x0);
            one.box.y0 = MIN(one.box.y0, (float)symbols[i].y0);
            one.box.x1 = MAX(one.box.x1, (float)symbols[i].x1);
            one.box.y1 = MAX(one.box.y1, (float)symbols[i].y1);
        }
        g_array_append_val(found, one);
    }
    if (found->len > MAX_READ) g_array_set_size(found, 0);
    return found;
}

void
parse_ocr_raised_put(parse_ocr_text *text, const parse_ocr_raised *raised, const char *figures)
{
    parse_ocr_word *word = &g_array_index(text->words, parse_ocr_word, raised->word);
    const guint n = (guint)strlen(figures), first = text->symbols->len;
    const float width = (raised->box.x1 - raised->box.x0) / (float)n;
    /* the words' symbols need not stand in the order of the words */
    for (guint i = 0; i < raised->from; i++) {
        const parse_ocr_symbol symbol =
            g_array_index(text->symbols, parse_ocr_symbol, word->first_symbol + i);
        g_array_append_val(text->symbols, symbol);
    }
    for (guint i = 0; i < n; i++) {
        const parse_ocr_symbol symbol = {.unicode = (uint32_t)figures[i],
                                         .x0 = (int)(raised->box.x0 + width * (float)i),
                                         .y0 = (int)raised->box.y0,
                                         .x1 = (int)(raised->box.x0 + width * (float)(i + 1)),
                                         .y1 = (int)raised->box.y1};
        g_array_append_val(text->symbols, symbol);
    }
    for (guint i = raised->end; i < word->n_symbols; i++) {
        const parse_ocr_symbol symbol =
            g_array_index(text->symbols, parse_ocr_symbol, word->first_symbol + i);
        g_array_append_val(text->symbols, symbol);
    }
    word->n_symbols = text->symbols->len - first;
    word->first_symbol = first;
}
