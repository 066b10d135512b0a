/* Rows in reading order -> paragraphs, formulas, code, list items, the lines of bibliographies.
 *
 * A row starts a new block when its look changes, the distance to the row above is wider than lines stand
 * apart here, it is indented, it carries a marker, or the row above ended early: when its first word would
 * have fitted there, the line break was meant. */
#include "layout/analyze.h"
#include "layout/flow.h"

#include <math.h>
#include <string.h>

typedef struct {
    layout_work *work;
    guint s;
    layout_sheet *sheet;
    layout_para *open;
    const layout_row *prev; /* last row of open, on this sheet */
    float gap;              /* distance of lines in open, 0 unknown */
    float left;             /* left edge of open's rows but the first */
    guint n_rows;           /* of open, in this region */
    int caption;            /* of this sheet: the one that open is, LAYOUT_NONE */
    gboolean references;
    gboolean contents;   /* in a table of contents */
    float reference_gap; /* least distance of lines in the bibliography, 0 unknown */
    int algorithm;       /* as a segment's code */
} flow;

static const layout_seg *
row_seg(const layout_sheet *sheet, const layout_row *row, guint i)
{
    return layout_sheet_seg(sheet, g_array_index(sheet->row_segs, guint, row->first_seg + i));
}

/* ---- breaks ---- */

/* Would the first word of next have fitted at the end of row? */
static gboolean
ended_early(const flow *f, const layout_row *row, const layout_row *next)
{
    const layout_seg *seg = row_seg(f->sheet, next, 0);
    if (seg->n_words == 0) return FALSE;
    const layout_word *word = layout_sheet_word(f->sheet, seg->first_word);
    float room = row->right - row->box.x1;
    return room > (word->x1 - word->x0) + 0.9F * row->size_pt;
}

static gboolean
ends_sentence(const char *text, gsize len)
{
    while (len > 0 && (strchr(")]\"'", text[len - 1]) != NULL))
        len--;
    if (len >= 3 && memcmp(text + len - 3, "\xE2\x80\x9D", 3) == 0) len -= 3;
    if (len == 0) return TRUE;
    if (strchr(".!?:;", text[len - 1]) != NULL) return TRUE;
    return len >= 3 && (memcmp(text + len - 3, "\xE3\x80\x82", 3) == 0 ||
                        memcmp(text + len - 3, "\xEF\xBC\x9A", 3) == 0 ||
                        memcmp(text + len - 3, "\xEF\xBC\x9B", 3) == 0);
}

gboolean
layout_text_ends_sentence(const char *text, gsize len)
{
    return ends_sentence(text, len);
}

static gboolean
same_look(const layout_row *a, const layout_row *b)
{
    float limit = 0.07F * MAX(a->size_pt, b->size_pt) + 0.3F;
    if (a->n_chars > 3 && b->n_chars > 3 && fabsf(a->size_pt - b->size_pt) > limit) return FALSE;
    /* Bold that starts a line and ends within it leads into the paragraph. */
    if (a->bold_end != b->bold_start && ((a->flags ^ b->flags) & LAYOUT_SPAN_BOLD) &&
        a->n_chars > 2 && b->n_chars > 2)
        return FALSE;
    /* Small capitals or all italic on one side only: a heading beside text. */
    return ((a->flags ^ b->flags) & LAYOUT_STYLE_CAPS) == 0 || a->n_chars < 3 || b->n_chars < 3;
}

static gboolean
list_item_starts(const flow *f, const layout_row *row, const char *text)
{
    g_autofree char *marker = NULL;
    if (layout_list_marker(text, &marker) == 0) return FALSE;
    if (marker[0] == '-') {
        gunichar first = g_utf8_get_char(text);
        /* A dash may just continue the sentence. */
        if (first != '-' && first != 0x2013 && first != 0x2014 && first != 0x2212 && first != '*')
            return TRUE;
        if (f->open == NULL || f->prev == NULL || ended_early(f, f->prev, row)) return TRUE;
        if (f->open->type == LAYOUT_BLOCK_LIST_ITEM &&
            (f->n_rows == 1 || row->box.x0 < f->left - 2))
            return TRUE;
        return row->box.x0 > (f->n_rows > 1 ? f->left : f->prev->box.x0) + 2;
    }
    if (f->prev == NULL || f->open == NULL) return TRUE;
    if (row->box.x0 > row->col_x0 + 0.4F * row->size_pt && fabsf(row->box.x0 - f->left) > 2)
        return TRUE;
    if (f->open->type == LAYOUT_BLOCK_LIST_ITEM && (f->n_rows == 1 || row->box.x0 < f->left - 2))
        return TRUE;
    return ended_early(f, f->prev, row);
}

/* Set like a heading: all bold, or larger than the body. */
static gboolean
headed(const flow *f, const layout_row *row)
{
    return ((row->flags & LAYOUT_SPAN_BOLD) && row->bold_start && row->bold_end) ||
           row->size_pt > 1.15F * f->work->body_pt;
}

/* Does a small row begin with a raised mark, as footnotes do? */
static gboolean
starts_raised(const flow *f, const layout_row *row)
{
    const layout_seg *seg = row_seg(f->sheet, row, 0);
    return row->size_pt < 0.94F * f->work->body_pt && seg->n_styles > 0 && seg->n_chars > 3 &&
           (layout_sheet_style(f->sheet, seg->first_style)->flags & LAYOUT_SPAN_SUPERSCRIPT);
}

/* Does row end within a word that text goes on with? */
static gboolean
cut_in_word(const flow *f, const layout_row *row, const char *text)
{
    const layout_seg *seg = row_seg(f->sheet, row, row->n_segs - 1);
    const char *end = f->sheet->text->str + seg->start + seg->len;
    return seg->len > 2 && end[-1] == '-' && g_ascii_isalpha(end[-2]) &&
           g_unichar_islower(g_utf8_get_char(text));
}

/* Where the text behind a list item's marker starts. */
static float
item_text_x0(const layout_sheet *sheet, const layout_row *row)
{
    const layout_seg *seg = row_seg(sheet, row, 0);
    if (seg->n_words > 1) return layout_sheet_word(sheet, seg->first_word + 1)->x0;
    return row->n_segs > 1 ? row_seg(sheet, row, 1)->box.x0 : row->box.x0;
}

/* Does row begin a new block below open's last row, in the same region? */
static gboolean
breaks(flow *f, const layout_row *row, const char *text)
{
    const layout_row *prev = f->prev;
    layout_block_type type = f->open->type;
    float size = MAX(row->size_pt, 4);
    float step = row->baseline - prev->baseline;
    if (f->references && type == LAYOUT_BLOCK_REFERENCE) return TRUE; /* see entries.c */
    if (!same_look(prev, row)) return TRUE;

    float usual =
        f->gap > 0 ? f->gap : MAX(1.2F * size, f->work->leading_pt * size / f->work->body_pt);
    if (step > 1.32F * usual + 0.5F || step < -2) return TRUE;
    if (f->gap > 0 && step > 1.14F * f->gap + 1 && f->n_rows >= 2 &&
        (row->flags & LAYOUT_SPAN_MATH) == 0 &&
        (ended_early(f, prev, row) || row->box.x0 > f->left + 0.6F * size))
        return TRUE;
    if (list_item_starts(f, row, text)) return TRUE;
    if (cut_in_word(f, prev, text)) return FALSE;
    if (starts_raised(f, row) && type == LAYOUT_BLOCK_PARAGRAPH) return TRUE;

    gboolean full = !ended_early(f, prev, row);
    /* Headings are broken where it looks good. */
    if (f->n_rows < 3 && type == LAYOUT_BLOCK_PARAGRAPH && headed(f, prev) && headed(f, row) &&
        !layout_heading_parse(text).numbered)
        return FALSE;
    float middle = 0.5F * (row->box.x0 + row->box.x1), above = 0.5F * (prev->box.x0 + prev->box.x1);
    gboolean centred = fabsf(middle - above) < 1.5F && fabsf(row->box.x0 - prev->box.x0) > 3;
    if (centred) return FALSE;
    if (type == LAYOUT_BLOCK_LIST_ITEM) {
        const layout_place *first = &g_array_index(f->open->places, layout_place, 0);
        const layout_row *start =
            layout_sheet_row(layout_work_sheet(f->work, first->sheet), first->row);
        /* the second line stands under the text, or under the marker: else it is the next paragraph's first */
        if (f->n_rows == 1)
            return row->box.x0 < start->box.x0 - 2 ||
                   (!full && row->box.x0 < item_text_x0(f->sheet, start) - 2);
        if (row->box.x0 < f->left - 0.6F * size) return TRUE;
        return row->box.x0 > f->left + 0.7F * size && !full;
    }
    if (f->n_rows == 1) {
        /* The second row is where the first one was, or left of it: fine. Right of it: a new
         * paragraph's indent, unless the block hangs. */
        if (row->box.x0 > prev->box.x0 + 0.7F * size) {
            g_autofree char *ended = layout_row_text(f->sheet, prev);
            return !full || ends_sentence(ended, strlen(ended));
        }
        return !full && row->box.x0 >= prev->box.x0 - 0.3F * size;
    }
    if (row->box.x0 > f->left + 0.7F * size) return TRUE;
    if (row->box.x0 < f->left - 0.7F * size) return TRUE;
    return !full;
}

/* ---- building ---- */

static void
para_close(flow *f)
{
    f->open = NULL;
    f->prev = NULL;
    f->n_rows = 0;
    f->gap = 0;
}

static void
para_begin(flow *f, layout_block_type type)
{
    para_close(f);
    f->open = layout_para_new(f->work, type, f->s);
    g_ptr_array_add(f->work->paras, f->open);
}

static void
para_add(flow *f, guint index)
{
    const layout_row *row = layout_sheet_row(f->sheet, index);
    layout_para_add_place(f->open, f->s, index);
    if (f->n_rows == 0) {
        f->left = row->box.x0;
    } else {
        float step = row->baseline - f->prev->baseline;
        if (step > 0.5F * row->size_pt) f->gap = f->gap > 0 ? MIN(f->gap, step) : step;
        f->left = f->n_rows == 1 ? row->box.x0 : MIN(f->left, row->box.x0);
    }
    f->n_rows++;
    f->prev = row;
}

static void
float_add(flow *f, const layout_row *row)
{
    para_begin(f, row->figure >= 0 ? LAYOUT_BLOCK_FIGURE : LAYOUT_BLOCK_TABLE);
    f->open->figure = row->figure;
    f->open->table = row->table;
    para_close(f);
}

/* Captions are known as a whole before reading order is: their rows are those of one block. */
static void
caption_add(flow *f, guint index, int caption)
{
    if (f->caption != caption) {
        para_begin(f, LAYOUT_BLOCK_CAPTION);
        f->caption = caption;
    }
    para_add(f, index);
}

static void
caption_end(flow *f)
{
    if (f->caption == LAYOUT_NONE) return;
    para_close(f);
    f->caption = LAYOUT_NONE;
}

static layout_block_type
type_at_start(flow *f, const layout_row *row, const char *text)
{
    if (f->references) return LAYOUT_BLOCK_REFERENCE;
    if ((row->flags & LAYOUT_SPAN_MONO) && row->n_chars > 1) return LAYOUT_BLOCK_CODE;
    if (layout_list_marker(text, NULL) > 0 && list_item_starts(f, row, text)) {
        layout_heading_form form = layout_heading_parse(text);
        /* an item's bold lead goes over into plain text, a heading does not */
        gboolean bold = (row->flags & LAYOUT_SPAN_BOLD) && row->bold_end;
        gboolean heading = form.numbered && form.kind != LAYOUT_NUMBER_LOWER &&
                           (bold || (row->flags & LAYOUT_STYLE_CAPS));
        if (!heading) return LAYOUT_BLOCK_LIST_ITEM;
    }
    return LAYOUT_BLOCK_PARAGRAPH;
}

/* Headings end a bibliography: set like one, and either numbered, "Appendix ..." or all capitals. */
static gboolean
ends_references(const flow *f, const layout_row *row, const char *text)
{
    layout_heading_form form = layout_heading_parse(text);
    gboolean distinct = (row->flags & (LAYOUT_SPAN_BOLD | LAYOUT_STYLE_CAPS)) ||
                        row->size_pt > 1.12F * f->work->body_pt;
    if (!distinct || strlen(text) > 120) return FALSE;
    if (text[0] == '[' && layout_reference_marker(text, NULL) > 0) return FALSE;
    if (f->prev != NULL && row->region == f->prev->region &&
        row->baseline - f->prev->baseline < MAX(1.2F * f->reference_gap, 1.5F * row->size_pt))
        return FALSE;
    /* the next article on the page starts with its title */
    return form.numbered || form.known || (row->flags & LAYOUT_SPAN_BOLD) ||
           row->size_pt > 1.4F * f->work->body_pt;
}

/* Is this row the first part of an entry whose page number stands one or two rows below? */
static gboolean
contents_goes_on(const flow *f, guint index)
{
    const layout_row *row = layout_sheet_row(f->sheet, index);
    for (guint i = index + 1; i < f->sheet->rows->len && i < index + 3; i++) {
        const layout_row *next = layout_sheet_row(f->sheet, i);
        if (next->n_segs == 0 || next->region != row->region || next->box.x0 < row->box.x0 - 1 ||
            next->baseline - row->baseline > 1.6F * f->work->leading_pt * (float)(i - index))
            return FALSE;
        g_autofree char *text = layout_row_text(f->sheet, next);
        if (layout_heading_parse(text).numbered) return FALSE;
        if (layout_contents_entry(f->sheet, next, TRUE)) return TRUE;
    }
    return FALSE;
}

/* Rows of a table of contents: one item each, or several where a long title is broken. */
static gboolean
contents_take(flow *f, const layout_row *row, guint index, const char *text)
{
    gboolean entry = !f->references && layout_contents_entry(f->sheet, row, f->contents);
    if (!entry && !f->contents) {
        if (f->references || !layout_contents_heading(text)) return FALSE;
        para_begin(f, LAYOUT_BLOCK_PARAGRAPH);
        para_add(f, index);
        para_close(f);
        f->contents = TRUE;
        return TRUE;
    }
    if (!entry && !contents_goes_on(f, index)) {
        gboolean list = layout_contents_heading(text); /* one list follows the other */
        f->contents = FALSE;
        para_close(f);
        return list ? contents_take(f, row, index, text) : FALSE;
    }
    f->contents = TRUE;
    if (f->open == NULL || !f->open->contents) {
        para_begin(f, LAYOUT_BLOCK_LIST_ITEM);
        f->open->contents = TRUE;
    }
    para_add(f, index);
    if (entry) para_close(f);
    return TRUE;
}

/* The steps of an algorithm are one block of code, behind its caption. */
static gboolean
algorithm_take(flow *f, const layout_row *row, guint index)
{
    int code = row_seg(f->sheet, row, 0)->code;
    if (code != f->algorithm) para_close(f);
    f->algorithm = code;
    if (code == 0) return FALSE;
    if (f->open == NULL) para_begin(f, code < 0 ? LAYOUT_BLOCK_CAPTION : LAYOUT_BLOCK_CODE);
    f->open->algorithm = TRUE;
    para_add(f, index);
    return TRUE;
}

/* A row of typewriter type within a paragraph: the rest of an address, or what a long name leaves over. */
static gboolean
runs_on(const flow *f, const layout_row *row, const char *text)
{
    const layout_block_type type = f->open->type;
    if (type != LAYOUT_BLOCK_PARAGRAPH && type != LAYOUT_BLOCK_LIST_ITEM &&
        type != LAYOUT_BLOCK_FOOTNOTE)
        return FALSE;
    if (ended_early(f, f->prev, row)) return FALSE;
    const layout_seg *above = row_seg(f->sheet, f->prev, f->prev->n_segs - 1);
    const layout_seg *seg = row_seg(f->sheet, row, row->n_segs - 1);
    if (above->n_styles == 0 || seg->n_styles == 0) return FALSE;
    const guint before =
        layout_sheet_style(f->sheet, above->first_style + above->n_styles - 1)->flags;
    const guint end = layout_sheet_style(f->sheet, seg->first_style + seg->n_styles - 1)->flags;
    if (!(before & LAYOUT_SPAN_MONO)) return FALSE;
    return strchr(text, ' ') == NULL || !(end & LAYOUT_SPAN_MONO);
}

static void
row_take(flow *f, guint index)
{
    const layout_row *row = layout_sheet_row(f->sheet, index);
    int caption = row->n_segs > 0 ? row_seg(f->sheet, row, 0)->caption : LAYOUT_NONE;
    if (caption != LAYOUT_NONE) {
        caption_add(f, index, caption);
        return;
    }
    caption_end(f);
    if (row->n_segs == 0) {
        float_add(f, row);
        return;
    }
    g_autofree char *text = layout_row_text(f->sheet, row);
    if (algorithm_take(f, row, index)) return;
    if (contents_take(f, row, index, text)) return;
    if (f->references && ends_references(f, row, text)) {
        f->references = FALSE;
        para_close(f);
    } else if (!f->references && layout_bibliography_starts(f->work, f->s, index)) {
        f->references = TRUE;
        f->reference_gap = 0;
        para_close(f);
    }
    gboolean same = f->open != NULL && f->prev != NULL && f->prev->region == row->region;
    float step = same ? row->baseline - f->prev->baseline : 0;
    if (!f->references && row->formula > 0) {
        if (!same || f->open->type != LAYOUT_BLOCK_FORMULA || f->prev->formula != row->formula)
            para_begin(f, LAYOUT_BLOCK_FORMULA);
        para_add(f, index);
        return;
    }
    if ((row->flags & LAYOUT_SPAN_MONO) && !f->references && row->n_chars > 1 &&
        !(same && runs_on(f, row, text))) {
        if (!same || f->open->type != LAYOUT_BLOCK_CODE || step > 2.6F * row->size_pt)
            para_begin(f, LAYOUT_BLOCK_CODE);
        para_add(f, index);
        return;
    }
    gboolean fresh = !same || f->open->type == LAYOUT_BLOCK_FORMULA ||
                     f->open->type == LAYOUT_BLOCK_CODE || breaks(f, row, text);
    if (fresh) {
        layout_block_type type = type_at_start(f, row, text);
        para_begin(f, type);
    } else if (!same) {
        f->n_rows = 0;
        f->gap = 0;
    }
    if (f->references && step > 0.5F * row->size_pt)
        f->reference_gap = f->reference_gap > 0 ? MIN(f->reference_gap, step) : step;
    para_add(f, index);
    if (f->n_rows == 1 && fresh && layout_heading_is_references(text) && (f->s > 0 || index > 3)) {
        f->references = TRUE;
        f->reference_gap = 0;
        f->open->type = LAYOUT_BLOCK_HEADING;
        para_close(f);
    }
}

void
layout_paragraphs_build(layout_work *work)
{
    flow f = {.work = work, .caption = LAYOUT_NONE};
    for (guint s = 0; s < work->sheets->len; s++) {
        caption_end(&f);
        f.s = s;
        f.sheet = layout_work_sheet(work, s);
        if (!f.references) para_close(&f);
        layout_displays_find(work, f.sheet);
        for (guint i = 0; i < f.sheet->rows->len; i++)
            row_take(&f, i);
        f.prev = NULL;
        layout_work_release(work);
    }
}
