/* Tables of contents and lists of figures: which rows are their entries.
 *
 * An entry ends in a page number at the right edge, behind a row of dots or, under a heading that announces
 * a list of contents, behind a gap. */
#include "layout/flow.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MIN_DOTS 4

gboolean
layout_contents_heading(const char *text)
{
    static const char *const names[] = {"contents",
                                        "table of contents",
                                        "list of figures",
                                        "list of tables",
                                        "list of algorithms",
                                        "list of listings",
                                        "inhaltsverzeichnis",
                                        "inhalt",
                                        "abbildungsverzeichnis",
                                        "tabellenverzeichnis",
                                        "table des mati\u00E8res",
                                        "\u76EE\u5F55",
                                        "\u76EE\u6B21"};
    if (strlen(text) > 40) return FALSE;
    g_autofree char *lower = g_utf8_strdown(text, -1);
    for (guint i = 0; i < G_N_ELEMENTS(names); i++)
        if (strcmp(lower, names[i]) == 0) return TRUE;
    return FALSE;
}

static gboolean
is_dot(gunichar ch)
{
    return ch == '.' || ch == 0x2026 || ch == 0xB7 || ch == 0x2024;
}

gsize
layout_contents_leader(const char *text, gsize len, gsize *leader_len)
{
    const char *end = text + len, *start = NULL;
    guint dots = 0;
    for (const char *at = text; at < end; at = g_utf8_next_char(at)) {
        gunichar ch = g_utf8_get_char(at);
        if (is_dot(ch)) {
            if (dots == 0) start = at;
            dots += ch == 0x2026 ? 3 : 1;
        } else if (ch != ' ') {
            if (dots >= MIN_DOTS) {
                *leader_len = (gsize)(at - start);
                return (gsize)(start - text);
            }
            dots = 0;
        }
    }
    *leader_len = dots >= MIN_DOTS ? (gsize)(end - start) : 0;
    return dots >= MIN_DOTS ? (gsize)(start - text) : len;
}

/* "12", "xiv", "A-3": a page's label. */
static gboolean
is_page_label(const char *text, gsize len)
{
    if (len == 0 || len > 6) return FALSE;
    gsize digits = 0, roman = 0;
    for (gsize i = 0; i < len; i++) {
        digits += g_ascii_isdigit(text[i]);
        roman += strchr("ivxlc", text[i]) != NULL;
    }
    return digits == len ? len <= 4
                         : roman == len || (digits > 0 && digits + 2 >= len &&
                                            (g_ascii_isupper(text[0]) || text[0] == 'S'));
}

/* The page's label at the end of a segment, where dots may be stuck to it; NULL: something else. */
static const char *
label_at_end(const layout_sheet *sheet, const layout_seg *seg, gsize *len)
{
    if (seg->n_words == 0) return NULL;
    const layout_word *page = layout_sheet_word(sheet, seg->first_word + seg->n_words - 1);
    const char *label = sheet->text->str + page->start;
    *len = page->len;
    while (*len > 0 && is_dot((guchar)label[0])) { /* "....12" is one word */
        label++;
        --*len;
    }
    return is_page_label(label, *len) ? label : NULL;
}

/* How far the last word of a segment of several stands from the one before. */
static float
last_gap(const layout_sheet *sheet, const layout_seg *seg)
{
    const guint last = seg->first_word + seg->n_words - 1;
    return layout_sheet_word(sheet, last)->x0 - layout_sheet_word(sheet, last - 1)->x1;
}

gboolean
layout_contents_entry(const layout_sheet *sheet, const layout_row *row, gboolean announced)
{
    if (row->n_segs == 0) return FALSE;
    const layout_seg *last = layout_sheet_seg(
        sheet, g_array_index(sheet->row_segs, guint, row->first_seg + row->n_segs - 1));
    gsize len = 0;
    if (row->box.x1 < row->right - 4 * row->size_pt || label_at_end(sheet, last, &len) == NULL)
        return FALSE;
    g_autofree char *text = layout_row_text(sheet, row);
    gsize leader_len = 0;
    layout_contents_leader(text, strlen(text), &leader_len);
    if (leader_len > 0) return TRUE;
    if (!announced || strlen(text) < len + 3) return FALSE;
    if (last->n_words == 1) return row->n_segs > 1;
    /* a title may leave no gap */
    return last_gap(sheet, last) > row->size_pt ||
           (layout_heading_parse(text).numbered && row->box.x1 > row->right - 1);
}

/* "3", "2.1", "A.2" alone, or with the title behind it. */
static gboolean
is_section_number(const char *text)
{
    if (layout_heading_parse(text).numbered) return TRUE;
    g_autofree char *with_title = g_strconcat(text, " Title", NULL);
    return strlen(text) < 9 && layout_heading_parse(with_title).numbered;
}

gboolean
layout_contents_in(const layout_sheet *sheet, layout_rect box)
{
    guint leaders = 0, rows = 0, numbered = 0, labels = 0;
    float width = box.x1 - box.x0, last_y = -1;
    long last = 0;
    for (guint i = 0; i < sheet->segs->len; i++) {
        const layout_seg *seg = layout_sheet_seg(sheet, i);
        float middle = 0.5F * (seg->box.y0 + seg->box.y1);
        if (seg->turn != 0 || seg->role != LAYOUT_ROLE_TEXT || middle < box.y0 || middle > box.y1 ||
            seg->box.x0 < box.x0 - 3 || seg->box.x1 > box.x1 + 3)
            continue;
        g_autofree char *text = g_strndup(sheet->text->str + seg->start, seg->len);
        gsize leader_len = 0;
        layout_contents_leader(text, seg->len, &leader_len);
        leaders += leader_len > 0;
        rows += fabsf(seg->baseline - last_y) > 3;
        last_y = seg->baseline;
        if (seg->box.x0 < box.x0 + 0.5F * width) {
            numbered += is_section_number(text) ? 1 : 0;
        } else if (seg->box.x1 > box.x1 - 0.1F * width && is_page_label(text, seg->len)) {
            long page = strtol(text, NULL, 10);
            if (page < last) return FALSE;
            last = page;
            labels++;
        } else if (leader_len == 0) {
            return FALSE;
        }
    }
    return labels + leaders >= 3 &&
           (leaders * 2 > rows || (labels * 10 >= rows * 8 && numbered * 10 >= labels * 7));
}

/* ---- below a heading, before there are rows ---- */

#define LEAST_ENTRIES 3
#define BROKEN_LINES  2 /* of a title, before the one with its page */
#define FAR_EM        4 /* from one line to the next */
#define RAGGED_PT     6.0F

/* Segments first .. first + n - 1 of by_y, on one baseline. */
typedef struct {
    guint first, n;
    layout_rect box;
    float baseline, size_pt;
} printed_line;

static printed_line
line_at(const layout_sheet *sheet, const guint *by_y, guint n, guint first)
{
    const layout_seg *seg = layout_sheet_seg(sheet, by_y[first]);
    printed_line line = {first, 1, seg->box, seg->baseline, seg->size_pt};
    for (; first + line.n < n; line.n++) {
        seg = layout_sheet_seg(sheet, by_y[first + line.n]);
        if (seg->baseline > line.baseline + 0.3F * line.size_pt) break;
        line.box = layout_rect_join(line.box, seg->box);
    }
    return line;
}

/* The page that a line ends with, 0 where its label is no number; -1: it is no entry. */
static long
line_page(const layout_sheet *sheet, const guint *by_y, const printed_line *line)
{
    const layout_seg *last = layout_sheet_seg(sheet, by_y[line->first]);
    for (guint i = 1; i < line->n; i++) {
        const layout_seg *seg = layout_sheet_seg(sheet, by_y[line->first + i]);
        if (seg->box.x1 > last->box.x1) last = seg;
    }
    gsize len = 0, leader_len = 0;
    const char *label = label_at_end(sheet, last, &len);
    if (label == NULL) return -1;
    layout_contents_leader(sheet->text->str + last->start, last->len, &leader_len);
    if (leader_len == 0 &&
        (last->n_words == 1 ? line->n == 1 : last_gap(sheet, last) < last->size_pt))
        return -1;
    return g_ascii_isdigit(*label) ? strtol(label, NULL, 10) : 0;
}

/* Entries of two columns side by side: numbers of sections stand within a fourth of the lines. */
static gboolean
stand_side_by_side(const layout_sheet *sheet, const guint *by_y, guint n, layout_rect box)
{
    const float from = 0.7F * box.x0 + 0.3F * box.x1;
    guint segs = 0, lines = 0;
    float baseline = -1;
    for (guint i = 0; i < n; i++) {
        const layout_seg *seg = layout_sheet_seg(sheet, by_y[i]);
        lines += seg->baseline > baseline + 0.3F * seg->size_pt ? 1 : 0;
        baseline = seg->baseline;
        for (guint w = seg->first_word; w < seg->first_word + seg->n_words; w++) {
            const layout_word *word = layout_sheet_word(sheet, w);
            g_autofree char *text = g_strndup(sheet->text->str + word->start, word->len);
            const gboolean apart = w == seg->first_word || strchr(text, '.') != NULL;
            if (word->x0 < from || word->x1 > box.x1 - 2 * seg->size_pt || !apart ||
                !is_section_number(text))
                continue;
            segs++;
            break;
        }
    }
    return segs * 4 >= lines;
}

/* Lines from `from` on, up to the first that is no entry and is not followed by one: pages never count down. Returns
 * where it ends. */
static guint
announced_read(const layout_sheet *sheet, const guint *by_y, guint n, guint from, GArray *boxes)
{
    layout_rect box = {0};
    guint entries = 0, broken = 0, end = from;
    long page = 0;
    float baseline = -1, right = G_MAXFLOAT;
    for (guint at = from; at < n && broken <= BROKEN_LINES;) {
        const printed_line line = line_at(sheet, by_y, n, at);
        if (baseline >= 0 && line.baseline - baseline > FAR_EM * line.size_pt) break;
        const long next = line_page(sheet, by_y, &line);
        if (next > 0 && next < page) break;
        baseline = line.baseline;
        at += line.n;
        broken = next < 0 ? broken + 1 : 0;
        if (next < 0) continue;
        page = MAX(page, next);
        box = entries == 0 ? line.box : layout_rect_join(box, line.box);
        right = MIN(right, line.box.x1);
        entries++;
        end = at;
    }
    /* pages that stand right behind the titles, or in columns, are read as what they look like */
    if (entries >= LEAST_ENTRIES && box.x1 - right < RAGGED_PT &&
        !stand_side_by_side(sheet, by_y + from, end - from, box))
        g_array_append_val(boxes, box);
    return end;
}

void
layout_contents_announced(const layout_sheet *sheet, const guint *by_y, guint n, GArray *boxes)
{
    for (guint at = 0; at < n;) {
        const printed_line line = line_at(sheet, by_y, n, at);
        const layout_seg *seg = layout_sheet_seg(sheet, by_y[at]);
        g_autofree char *text = g_strndup(sheet->text->str + seg->start, seg->len);
        at += line.n;
        if (line.n == 1 && layout_contents_heading(text))
            at = announced_read(sheet, by_y, n, at, boxes);
    }
}
