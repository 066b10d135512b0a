/* A first letter as high as several lines goes back to its word.
 *
 *      |TTT| he keeper of the light ...      its own baseline is that of the last line beside it, so it would
 *      | T | hours for thirty years ...      be read in the middle of the paragraph's third line
 *      | T | and never missed a night
 *      They were found in a barrel ...
 *
 * The lines beside it reach to its left edge, as their paragraph does. A raised initial, on the first line's
 * own baseline, is the same with one line. */
#include "layout/analyze.h"

#include <math.h>
#include <string.h>

#define MAX_DROPS  16 /* on one page */
#define LEAST_SIZE 1.7F
#define MAX_LINES  8

/* The letter of a segment that may be one, after an opening quotation mark; 0 where it is none. */
static gunichar
initial_of(const layout_sheet *sheet, const layout_seg *seg)
{
    if (seg->turn != 0 || seg->role != LAYOUT_ROLE_TEXT || seg->n_chars > 2 || seg->n_words != 1)
        return 0;
    const char *text = sheet->text->str + seg->start;
    gunichar last = g_utf8_get_char(g_utf8_prev_char(text + seg->len));
    if (!g_unichar_isupper(last)) return 0;
    return seg->n_chars == 1 || !g_unichar_isalnum(g_utf8_get_char(text)) ? last : 0;
}

static gboolean
stands_beside(const layout_seg *cap, const layout_seg *line)
{
    if (line->turn != 0 || line->role != LAYOUT_ROLE_TEXT || line->n_chars < 6) return FALSE;
    if (cap->size_pt < LEAST_SIZE * line->size_pt) return FALSE;
    float gap = line->box.x0 - cap->box.x1;
    float top = cap->baseline - 0.75F * cap->size_pt;
    return gap > -0.3F * line->size_pt && gap < 1.2F * line->size_pt && line->baseline > top &&
           line->baseline < cap->baseline + 0.15F * line->size_pt;
}

typedef struct {
    guint lines[MAX_LINES];
    guint n, first; /* first: of lines, the topmost */
} beside;

static gboolean
lines_find(const layout_sheet *sheet, const layout_seg *cap, beside *b)
{
    b->n = 0;
    for (guint i = 0; i < sheet->segs->len && b->n < MAX_LINES; i++) {
        const layout_seg *line = layout_sheet_seg(sheet, i);
        if (line == cap || !stands_beside(cap, line)) continue;
        b->lines[b->n] = i;
        if (b->n == 0 || line->baseline < layout_sheet_seg(sheet, b->lines[b->first])->baseline)
            b->first = b->n;
        b->n++;
    }
    if (b->n == 0) return FALSE;
    const layout_seg *first = layout_sheet_seg(sheet, b->lines[b->first]);
    if (b->n == 1) return fabsf(first->baseline - cap->baseline) < 0.15F * first->size_pt;
    /* its top is that of the first line's capitals */
    float top = cap->baseline - 0.7F * cap->size_pt, line = first->baseline - 0.7F * first->size_pt;
    return fabsf(top - line) < 0.7F * first->size_pt;
}

/* Writes the line anew, with the letter in front of its first word. */
static void
letter_join(layout_sheet *sheet, const layout_seg *cap, layout_seg *line)
{
    const layout_word letter = *layout_sheet_word(sheet, cap->first_word);
    gboolean apart = line->box.x0 - cap->box.x1 > 0.22F * line->size_pt;
    GString *text = sheet->text;
    g_string_append_c(text, '\n');
    uint32_t start = (uint32_t)text->len;
    g_string_append_len(text, text->str + cap->start, cap->len);
    if (apart) g_string_append_c(text, ' ');
    uint32_t shift = (uint32_t)text->len - line->start;
    g_string_append_len(text, text->str + line->start, line->len);

    guint first_word = sheet->words->len, first_style = sheet->styles->len;
    layout_word alone = letter;
    alone.start = start;
    if (apart) g_array_append_val(sheet->words, alone);
    for (guint i = line->first_word; i < line->first_word + line->n_words; i++) {
        layout_word word = *layout_sheet_word(sheet, i);
        word.start += shift;
        if (i == line->first_word && !apart) {
            word.len += word.start - start;
            word.start = start;
            word.x0 = MIN(word.x0, letter.x0);
            word.n_glyphs += letter.n_glyphs;
        }
        g_array_append_val(sheet->words, word);
    }
    for (guint i = line->first_style; i < line->first_style + line->n_styles; i++) {
        layout_style style = *layout_sheet_style(sheet, i);
        style.start += shift;
        if (i == line->first_style) {
            style.len += style.start - start;
            style.start = start;
        }
        g_array_append_val(sheet->styles, style);
    }
    line->start = start;
    line->len = (uint32_t)text->len - start;
    line->first_word = first_word;
    line->n_words = sheet->words->len - first_word;
    line->first_style = first_style;
    line->n_chars += cap->n_chars;
}

void
layout_dropcaps_join(layout_sheet *sheet)
{
    guint joined[MAX_DROPS], n = 0;
    for (guint i = 0, tries = 0; i < sheet->segs->len && n < MAX_DROPS && tries < 4 * MAX_DROPS;
         i++) {
        const layout_seg *cap = layout_sheet_seg(sheet, i);
        beside b = {0};
        if (initial_of(sheet, cap) == 0) continue;
        tries++;
        if (!lines_find(sheet, cap, &b)) continue;
        letter_join(sheet, cap, layout_sheet_seg(sheet, b.lines[b.first]));
        for (guint k = 0; k < b.n; k++) {
            layout_seg *line = layout_sheet_seg(sheet, b.lines[k]);
            line->box.x0 = MIN(line->box.x0, cap->box.x0);
        }
        joined[n++] = i;
    }
    while (n > 0)
        g_array_remove_index(sheet->segs, joined[--n]);
}
