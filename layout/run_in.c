/* Headings that start the line of their paragraph: "Data. We asked forty ...".
 *
 * Bold or italic words at a paragraph's start, and plain text behind them, are a heading when the outline
 * says so, when they are numbered, or when they stand apart from the text by more than the blanks of the
 * line do, as typesetters set them. Labels of theorems and the like look the same and are none; other
 * words that merely stand out stay where they are. */
#include "layout/flow.h"

#include <string.h>

#define MAX_LEAD_WORDS 12

static const char *const labels[] = {"theorem",
                                     "lemma",
                                     "proposition",
                                     "corollary",
                                     "definition",
                                     "remark",
                                     "remarks",
                                     "example",
                                     "examples",
                                     "proof",
                                     "claim",
                                     "conjecture",
                                     "assumption",
                                     "fact",
                                     "observation",
                                     "hypothesis",
                                     "property",
                                     "problem",
                                     "question",
                                     "exercise",
                                     "case",
                                     "notation",
                                     "axiom",
                                     "algorithm",
                                     "figure",
                                     "fig",
                                     "table",
                                     "note",
                                     "criterion",
                                     "condition",
                                     "construction",
                                     "solution",
                                     "step",
                                     "equation",
                                     "keywords",
                                     "key",
                                     "index",
                                     "abstract",
                                     "procedure",
                                     "listing",
                                     "scheme",
                                     "input",
                                     "output",
                                     "require",
                                     "ensure",
                                     "satz",
                                     "beweis",
                                     "korollar",
                                     "bemerkung",
                                     "beispiel",
                                     "th\u00E9or\u00E8me",
                                     "preuve",
                                     "d\u00E9finition"};

gboolean
layout_text_is_label(const char *text)
{
    gsize len = 0;
    while (text[len] != '\0' && strchr(" .:,0123456789(", text[len]) == NULL)
        len++;
    g_autofree char *lower = g_utf8_strdown(text, (gssize)len);
    for (guint i = 0; i < G_N_ELEMENTS(labels); i++)
        if (strcmp(lower, labels[i]) == 0) return TRUE;
    return FALSE;
}

typedef struct {
    guint seg;     /* in the row, of the last word */
    guint n_words; /* of that segment */
    float gap;     /* between the last word and the text behind it */
    float blank;   /* usual blank in the rest of the row */
    guint mark;    /* BOLD or ITALIC, 0 where only the font tells it from the text */
    gboolean dash; /* the text behind begins with one, which was taken along */
    GString *text;
} lead;

static const layout_seg *
seg_of(const layout_sheet *sheet, const layout_row *row, guint i)
{
    return layout_sheet_seg(sheet, g_array_index(sheet->row_segs, guint, row->first_seg + i));
}

/* The style of a word; style walks along. */
static const layout_style *
style_at(const layout_sheet *sheet, const layout_seg *seg, uint32_t at, guint *style)
{
    while (*style + 1 < seg->first_style + seg->n_styles &&
           layout_sheet_style(sheet, *style)->start + layout_sheet_style(sheet, *style)->len <= at)
        (*style)++;
    return layout_sheet_style(sheet, *style);
}

static gboolean
is_dash(const char *text, gsize len)
{
    gunichar ch = g_utf8_get_char(text);
    return len > 0 && (gsize)(g_utf8_next_char(text) - text) == len &&
           (ch == 0x2013 || ch == 0x2014 || ch == 0x2212 || ch == '-');
}

/* The words of a row that stand out, from its start; FALSE where there are none, or only such. */
static gboolean
lead_find(const layout_sheet *sheet, const layout_row *row, guint body_font, lead *found)
{
    guint font = 0, n = 0, blanks = 0;
    gboolean inside = TRUE;
    const layout_word *last = NULL;
    *found = (lead){.text = found->text};
    for (guint i = 0; i < row->n_segs; i++) {
        const layout_seg *seg = seg_of(sheet, row, i);
        guint style = seg->first_style;
        for (guint k = 0; k < seg->n_words; k++) {
            const layout_word *word = layout_sheet_word(sheet, seg->first_word + k);
            if (seg->n_styles == 0) return FALSE;
            const layout_style *look = style_at(sheet, seg, word->start, &style);
            const char *text = sheet->text->str + word->start;
            if (last == NULL) {
                font = look->font;
                found->mark = look->flags & LAYOUT_SPAN_BOLD ? LAYOUT_SPAN_BOLD
                                                             : look->flags & LAYOUT_SPAN_ITALIC;
                if (found->mark == 0 && font == body_font) return FALSE;
            }
            if (inside &&
                (found->mark != 0 ? (look->flags & found->mark) != 0 : look->font == font)) {
                if (++n > MAX_LEAD_WORDS) return FALSE;
                if (found->text->len > 0) g_string_append_c(found->text, ' ');
                g_string_append_len(found->text, text, word->len);
                found->seg = i;
                found->n_words = k + 1;
            } else if (inside && !found->dash && is_dash(text, word->len)) {
                found->dash = TRUE;
                found->seg = i;
                found->n_words = k + 1;
            } else if (inside) {
                inside = FALSE;
                found->gap = word->x0 - last->x1;
            } else {
                found->blank += word->x0 - last->x1;
                blanks++;
            }
            last = word;
        }
    }
    if (blanks > 0) found->blank /= (float)blanks;
    return !inside;
}

/* The first row of para becomes two: the lead, as a row of its own, and what is left. */
static guint
row_split(layout_sheet *sheet, guint index, const lead *found)
{
    layout_row front = *layout_sheet_row(sheet, index);
    guint first = sheet->row_segs->len;
    guint whole = found->seg; /* segments that belong to the lead as they are */
    const layout_seg *cut = seg_of(sheet, &front, found->seg);
    guint part = G_MAXUINT;
    if (found->n_words == cut->n_words)
        whole++;
    else
        part = layout_seg_split(sheet,
                                g_array_index(sheet->row_segs, guint, front.first_seg + found->seg),
                                found->n_words);
    for (guint i = 0; i < whole; i++) {
        guint seg = g_array_index(sheet->row_segs, guint, front.first_seg + i);
        g_array_append_val(sheet->row_segs, seg);
    }
    if (part != G_MAXUINT) g_array_append_val(sheet->row_segs, part);
    layout_row *rest = layout_sheet_row(sheet, index);
    rest->first_seg += whole;
    rest->n_segs -= whole;
    front.first_seg = first;
    front.n_segs = sheet->row_segs->len - first;
    front.n_chars = 0;
    for (guint i = 0; i < front.n_segs; i++) {
        const layout_seg *seg = seg_of(sheet, &front, i);
        front.box.x1 = seg->box.x1;
        front.n_chars += seg->n_chars;
        front.font = seg->font;
    }
    rest->box.x0 = seg_of(sheet, rest, 0)->box.x0;
    rest->n_chars -= MIN(rest->n_chars, front.n_chars);
    rest->bold_start = FALSE;
    rest->flags &= ~(guint)(LAYOUT_SPAN_BOLD | LAYOUT_SPAN_ITALIC);
    front.flags = found->mark;
    front.bold_start = front.bold_end = found->mark == LAYOUT_SPAN_BOLD;
    g_array_append_val(sheet->rows, front);
    return sheet->rows->len - 1;
}

static gboolean
is_heading(const lead *found, const layout_row *row, int outline)
{
    const char *text = found->text->str;
    gsize len = found->text->len;
    layout_heading_form form = layout_heading_parse(text);
    gunichar first = g_utf8_get_char(text + form.number_len);
    if (len < 3 || !(g_unichar_isupper(first) || g_unichar_isdigit(first) || first > 0x2E80))
        return FALSE;
    if (layout_text_is_label(text + form.number_len)) return FALSE;
    if (outline > 0) return TRUE;
    if (found->mark == 0) return FALSE;
    gboolean closed = strchr(".:", text[len - 1]) != NULL || found->dash;
    if (form.numbered && closed && form.kind != LAYOUT_NUMBER_UPPER) return TRUE;
    return found->gap > 0.7F * row->size_pt && found->gap > 1.7F * found->blank &&
           (found->mark == LAYOUT_SPAN_BOLD || closed);
}

void
layout_run_in_mark(layout_work *work, const layout_outline *outline)
{
    g_autoptr(GString) text = g_string_new(NULL);
    GPtrArray *paras = g_ptr_array_sized_new(work->paras->len + 16);
    for (guint i = 0; i < work->paras->len; i++) {
        layout_para *para = layout_work_para(work, i);
        layout_work_release(work);
        if (para->type == LAYOUT_BLOCK_PARAGRAPH && para->places->len > 0 && !para->contents) {
            layout_place *place = &g_array_index(para->places, layout_place, 0);
            layout_sheet *sheet = layout_work_sheet(work, place->sheet);
            const layout_row *row = layout_sheet_row(sheet, place->row);
            lead found = {.text = text};
            g_string_truncate(text, 0);
            int level = 0;
            if (lead_find(sheet, row, work->body_font, &found))
                level = layout_outline_level(outline, text->str, sheet->page);
            if (found.gap != 0 && is_heading(&found, row, level)) {
                layout_para *heading = layout_para_new(work, LAYOUT_BLOCK_HEADING, para->sheet);
                layout_para_add_place(heading, place->sheet, row_split(sheet, place->row, &found));
                heading->run_in = TRUE;
                heading->outline = level;
                g_ptr_array_add(paras, heading);
            }
        }
        g_ptr_array_add(paras, para);
    }
    /* the same blocks, with the new ones between them */
    g_ptr_array_set_free_func(paras, (GDestroyNotify)layout_para_free);
    g_ptr_array_set_free_func(work->paras, NULL);
    g_ptr_array_unref(work->paras);
    work->paras = paras;
}
