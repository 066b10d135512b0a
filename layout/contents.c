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

gboolean
layout_contents_entry(const layout_sheet *sheet, const layout_row *row, gboolean announced)
{
    if (row->n_segs == 0) return FALSE;
    const layout_seg *last = layout_sheet_seg(
        sheet, g_array_index(sheet->row_segs, guint, row->first_seg + row->n_segs - 1));
    if (last->n_words == 0 || row->box.x1 < row->right - 4 * row->size_pt) return FALSE;
    const layout_word *page = layout_sheet_word(sheet, last->first_word + last->n_words - 1);
    const char *label = sheet->text->str + page->start;
    gsize len = page->len;
    while (len > 0 && is_dot((guchar)label[0])) { /* "....12" is one word */
        label++;
        len--;
    }
    if (!is_page_label(label, len)) return FALSE;
    g_autofree char *text = layout_row_text(sheet, row);
    gsize leader_len = 0;
    layout_contents_leader(text, strlen(text), &leader_len);
    if (leader_len > 0) return TRUE;
    if (!announced || strlen(text) < len + 3) return FALSE;
    if (last->n_words == 1) return row->n_segs > 1;
    return page->x0 - layout_sheet_word(sheet, last->first_word + last->n_words - 2)->x1 >
           row->size_pt;
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
