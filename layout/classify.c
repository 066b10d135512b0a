/* What each block is: title, authors, abstract, headings. */
#include "layout/flow.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MIN_NUMBERED 4

char *
layout_para_row_text(const layout_work *work, const layout_para *para, guint i)
{
    const layout_place *place = &g_array_index(para->places, layout_place, i);
    const layout_sheet *sheet = layout_work_sheet(work, place->sheet);
    return layout_row_text(sheet, layout_sheet_row(sheet, place->row));
}

/* The rows of a short block as one text. */
char *
layout_para_short_text(const layout_work *work, const layout_para *para)
{
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < para->places->len && text->len < 600; i++) {
        g_autofree char *row = layout_para_row_text(work, para, i);
        if (text->len > 0) g_string_append_c(text, ' ');
        g_string_append(text, row);
    }
    return g_string_free(text, FALSE);
}

guint
layout_para_chars(const layout_work *work, const layout_para *para)
{
    guint n = 0;
    for (guint i = 0; i < para->places->len; i++)
        n += layout_para_row(work, para, i)->n_chars;
    return n;
}

gboolean
layout_para_is_text(const layout_para *para)
{
    return para->places->len > 0 &&
           (para->type == LAYOUT_BLOCK_PARAGRAPH || para->type == LAYOUT_BLOCK_LIST_ITEM);
}

/* Blocks left without rows by merging. */
void
layout_paras_drop_empty(layout_work *work)
{
    guint kept = 0;
    for (guint i = 0; i < work->paras->len; i++) {
        layout_para *para = layout_work_para(work, i);
        gboolean empty = para->places->len == 0 && para->figure < 0 && para->table < 0;
        if (empty)
            layout_para_free(para);
        else
            work->paras->pdata[kept++] = para;
    }
    /* shrink without freeing what was moved down */
    g_ptr_array_set_free_func(work->paras, NULL);
    g_ptr_array_set_size(work->paras, (gint)kept);
    g_ptr_array_set_free_func(work->paras, (GDestroyNotify)layout_para_free);
}

/* ---- headings ---- */

static guint
count_words(const char *text)
{
    guint n = 0;
    for (const char *at = text; *at != '\0'; at++)
        n += at[0] != ' ' && (at == text || at[-1] == ' ');
    return n;
}

static gboolean
has_letters(const char *text)
{
    guint n = 0;
    for (const char *at = text; *at != '\0'; at = g_utf8_next_char(at)) {
        gunichar ch = g_utf8_get_char(at);
        if (ch > 0x2E80 && g_unichar_isalpha(ch)) return TRUE;
        if (g_unichar_isalpha(ch)) n++;
    }
    return n >= 3;
}

/* More than one sentence, the last of them closed: "... a proposal. We use ... ." */
static gboolean
is_several_sentences(const char *text, gsize len)
{
    if (len < 3 || text[len - 1] != '.') return FALSE;
    for (gsize i = 1; i + 2 < len; i++)
        if (text[i] == '.' && text[i + 1] == ' ' && g_ascii_isupper(text[i + 2]) &&
            (g_ascii_islower(text[i - 1]) || text[i - 1] == ')'))
            return TRUE;
    return FALSE;
}

static gboolean
stands_apart(const layout_work *work, const layout_para *para, guint index)
{
    const layout_row *row = layout_para_row(work, para, 0);
    if (index == 0) return TRUE;
    const layout_para *before = layout_work_para(work, index - 1);
    if (before->places->len == 0) return TRUE;
    guint last = before->places->len - 1;
    const layout_row *above = layout_para_row(work, before, last);
    if (g_array_index(before->places, layout_place, last).sheet != para->sheet ||
        above->region != row->region)
        return TRUE;
    return row->baseline - above->baseline > 1.18F * MAX(work->leading_pt, 1.1F * row->size_pt);
}

/* A label in a narrow column beside a wide one; on a page of figures every column is narrow. */
static gboolean
in_margin_column(const layout_sheet *sheet, const layout_row *row)
{
    float least = 0.3F * sheet->width;
    if (row->col_x1 - row->col_x0 >= least) return FALSE;
    for (guint i = 0; i < sheet->rows->len; i++) {
        const layout_row *other = layout_sheet_row(sheet, i);
        if (other->n_segs > 0 && other->col_x1 - other->col_x0 >= least) return TRUE;
    }
    return FALSE;
}

static gboolean
is_heading(const layout_work *work, const layout_outline *outline, layout_para *para, guint index)
{
    guint rows = para->places->len;
    const layout_row *row = layout_para_row(work, para, 0);
    if (rows > 4) return FALSE;
    g_autofree char *text = layout_para_short_text(work, para);
    gsize len = strlen(text);
    if (len > 250 || !has_letters(text)) return FALSE;
    layout_heading_form form = layout_heading_parse(text);

    gboolean bold = (row->flags & LAYOUT_SPAN_BOLD) != 0;
    const layout_row *last = layout_para_row(work, para, rows - 1);
    if (bold && !last->bold_end) return FALSE; /* leads into a paragraph */
    gboolean italic = (row->flags & LAYOUT_SPAN_ITALIC) != 0;
    gboolean larger = row->size_pt > 1.07F * work->body_pt + 0.2F;
    gboolean caps =
        (row->flags & LAYOUT_STYLE_CAPS) != 0 || layout_text_is_upper(text + form.number_len);
    gboolean apart = stands_apart(work, para, index);
    gboolean distinct = bold || larger || caps;
    if (row->size_pt < 0.85F * work->body_pt) return FALSE;
    if (in_margin_column(layout_work_sheet(work, para->sheet), row)) return FALSE;

    para->outline = layout_outline_level(outline, text, layout_work_sheet(work, para->sheet)->page);
    if (para->outline > 0 && (distinct || apart || form.numbered)) return TRUE;
    para->outline = 0;
    if (rows > 3) return FALSE;
    char end = text[len - 1];
    if (end == ',' || end == ';' || (end == ':' && !bold)) return FALSE;
    if (end == '.' && !form.numbered && !(bold && count_words(text) <= 8)) return FALSE;
    if (!larger && is_several_sentences(text + form.number_len, len - form.number_len))
        return FALSE;
    if (form.numbered && (distinct || (italic && apart)) && count_words(text) <= 25) return TRUE;
    if (form.known && (distinct || apart) && rows == 1) return TRUE;
    /* The outline knows the document's headings: others need to look like them beyond doubt. */
    guint words = count_words(text);
    if (words > 16 || rows > 2) return FALSE;
    gunichar first = g_utf8_get_char(text);
    if (g_unichar_islower(first) || (!g_unichar_isalnum(first) && first < 0x2E80) ||
        first == 0xFFFD)
        return FALSE;
    if (larger && (bold || caps || row->size_pt > 1.15F * work->body_pt)) return TRUE;
    if (bold && apart) return TRUE;
    if (caps && apart && words <= 10) return TRUE;
    return FALSE;
}

typedef struct {
    float size_pt;
    guint flags;
} look;

static look
look_of(const layout_work *work, const layout_para *para)
{
    const layout_row *row = layout_para_row(work, para, 0);
    return (look){row->size_pt,
                  row->flags & (LAYOUT_SPAN_BOLD | LAYOUT_SPAN_ITALIC | LAYOUT_STYLE_CAPS)};
}

/* An outline that knows the headings knows them all: what it does not list and is set unlike everything it
 * lists, without a number or a usual title, is the title of a box or a line that stands out. */
static void
unlisted_drop(layout_work *work, guint n_listed)
{
    g_autoptr(GArray) looks = g_array_new(FALSE, FALSE, sizeof(look));
    if (n_listed < 4 || n_listed * 2 < work->n_outline) return;
    for (guint pass = 0; pass < 2; pass++) {
        for (guint i = 0; i < work->paras->len; i++) {
            layout_para *para = layout_work_para(work, i);
            layout_work_release(work);
            if (para->type != LAYOUT_BLOCK_HEADING || para->places->len == 0) continue;
            if ((pass == 0) != (para->outline > 0)) continue;
            look own = look_of(work, para);
            gboolean known = FALSE;
            for (guint k = 0; k < looks->len && !known; k++) {
                const look *other = &g_array_index(looks, look, k);
                known = fabsf(other->size_pt - own.size_pt) < 0.6F && other->flags == own.flags;
            }
            if (pass == 0 && !known && looks->len < 64) g_array_append_val(looks, own);
            if (pass == 0 || known) continue;
            g_autofree char *text = layout_para_short_text(work, para);
            layout_heading_form form = layout_heading_parse(text);
            if (!form.numbered && !form.known) para->type = LAYOUT_BLOCK_PARAGRAPH;
        }
    }
}

/* Where headings are numbered, a bold line of the text's own size that ends in a full stop is a sentence that stands
 * out ("Contributions."), as run-in headings without a paragraph behind them do. */
static void
sentences_drop(layout_work *work)
{
    g_autoptr(GArray) sentences = g_array_new(FALSE, FALSE, sizeof(guint));
    guint n_numbered = 0, n_headings = 0;
    for (guint i = 0; i < work->paras->len; i++) {
        const layout_para *para = layout_work_para(work, i);
        layout_work_release(work);
        if (para->type != LAYOUT_BLOCK_HEADING || para->places->len == 0) continue;
        g_autofree char *text = layout_para_short_text(work, para);
        const layout_heading_form form = layout_heading_parse(text);
        const layout_row *row = layout_para_row(work, para, 0);
        n_headings++;
        n_numbered += form.numbered ? 1 : 0;
        if (!form.numbered && !form.known && para->outline == 0 && g_str_has_suffix(text, ".") &&
            row->size_pt <= 1.07F * work->body_pt + 0.2F)
            g_array_append_val(sentences, i);
    }
    if (n_numbered < MIN_NUMBERED || 2 * n_numbered < n_headings - sentences->len) return;
    for (guint k = 0; k < sentences->len; k++)
        layout_work_para(work, g_array_index(sentences, guint, k))->type = LAYOUT_BLOCK_PARAGRAPH;
}

static void
headings_mark(layout_work *work, const layout_outline *outline)
{
    gboolean front = FALSE;
    guint n_listed = 0;
    for (guint i = 0; i < work->paras->len && !front; i++) {
        front = layout_work_para(work, i)->type == LAYOUT_BLOCK_TITLE;
    }
    for (guint i = 0; i < work->paras->len; i++) {
        layout_para *para = layout_work_para(work, i);
        layout_work_release(work);
        if (para->type == LAYOUT_BLOCK_TITLE) front = FALSE;
        if (!layout_para_is_text(para) || para->contents || front) continue;
        if (!is_heading(work, outline, para, i)) continue;
        para->type = LAYOUT_BLOCK_HEADING;
        n_listed += para->outline > 0 ? 1 : 0;
    }
    unlisted_drop(work, n_listed);
    sentences_drop(work);
}

void
layout_classify(layout_work *work)
{
    layout_footnotes_mark(work);
    layout_front_authors(work);
    g_autoptr(layout_outline) outline = layout_outline_new(work);
    headings_mark(work, outline);
    layout_front_abstract(work);
    layout_run_in_mark(work, outline);
}
