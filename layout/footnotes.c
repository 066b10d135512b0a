/* Footnotes: which blocks are some, how they go on on the next page, and where in the text each is called.
 *
 * A call is a raised number, letter or sign behind a word; a note begins with the same mark. On one page
 * calls and notes come in the same order, so each note takes the first call with its mark that is still
 * free. A raised number behind a digit or a formula's letter is an exponent. */
#include "layout/flow.h"

#include <math.h>
#include <string.h>

#define MAX_MARK 8 /* bytes */

static gboolean
is_sign(gunichar ch)
{
    return ch == '*' || ch == 0x2217 || ch == 0x2020 || ch == 0x2021 || ch == 0xA7 || ch == 0xB6 ||
           ch == 0x2016;
}

static const layout_style *
first_style(const layout_sheet *sheet, const layout_row *row)
{
    const layout_seg *seg =
        layout_sheet_seg(sheet, g_array_index(sheet->row_segs, guint, row->first_seg));
    return seg->n_styles > 0 ? layout_sheet_style(sheet, seg->first_style) : NULL;
}

/* ---- which blocks ---- */

static gboolean
starts_with_mark(const layout_work *work, const layout_para *para, const char *text)
{
    const layout_place *place = &g_array_index(para->places, layout_place, 0);
    const layout_sheet *sheet = layout_work_sheet(work, place->sheet);
    const layout_style *style = first_style(sheet, layout_sheet_row(sheet, place->row));
    return (style != NULL && (style->flags & LAYOUT_SPAN_SUPERSCRIPT)) ||
           is_sign(g_utf8_get_char(text));
}

/* Is there a short rule closely above this row, at its column's left? */
static gboolean
under_rule(const layout_sheet *sheet, const layout_row *row)
{
    for (guint i = 0; i < sheet->hrules->len; i++) {
        const layout_rule *rule = &g_array_index(sheet->hrules, layout_rule, i);
        if (rule->y0 > row->box.y0 + 3) break;
        float width = rule->x1 - rule->x0;
        if (rule->y0 > row->box.y0 - 14 && width > 25 &&
            width < 0.75F * (row->col_x1 - row->col_x0) && fabsf(rule->x0 - row->col_x0) < 6)
            return TRUE;
    }
    return FALSE;
}

void
layout_footnotes_mark(layout_work *work)
{
    for (guint i = 0; i < work->paras->len; i++) {
        layout_para *para = layout_work_para(work, i);
        layout_work_release(work);
        if (!layout_para_is_text(para) || para->contents) continue;
        const layout_sheet *sheet = layout_work_sheet(work, para->sheet);
        const layout_row *row = layout_para_row(work, para, 0);
        if (row->size_pt > 0.94F * work->body_pt || row->box.y0 < 0.3F * sheet->height) continue;
        g_autofree char *text = layout_para_short_text(work, para);
        const layout_para *before = i > 0 ? layout_work_para(work, i - 1) : NULL;
        gboolean follows = before != NULL && before->type == LAYOUT_BLOCK_FOOTNOTE &&
                           before->sheet == para->sheet &&
                           layout_para_row(work, before, 0)->region == row->region;
        if (under_rule(sheet, row) || follows ||
            (starts_with_mark(work, para, text) && row->box.y0 > 0.5F * sheet->height))
            para->type = LAYOUT_BLOCK_FOOTNOTE;
    }
}

/* ---- notes that go on ---- */

static gboolean
note_goes_on(const layout_work *work, const layout_para *note, const layout_para *next)
{
    const layout_place *last = &g_array_index(note->places, layout_place, note->places->len - 1);
    if (next->sheet != last->sheet + 1) return FALSE;
    g_autofree char *begin = layout_para_row_text(work, next, 0);
    if (starts_with_mark(work, next, begin) || g_ascii_isdigit(begin[0])) return FALSE;
    g_autofree char *end = layout_para_row_text(work, note, note->places->len - 1);
    return !layout_text_ends_sentence(end, strlen(end)) ||
           g_unichar_islower(g_utf8_get_char(begin));
}

void
layout_footnotes_join(layout_work *work)
{
    layout_para *open = NULL; /* the last note so far */
    for (guint i = 0; i < work->paras->len; i++) {
        layout_para *para = layout_work_para(work, i);
        layout_work_release(work);
        if (para->type != LAYOUT_BLOCK_FOOTNOTE || para->places->len == 0) continue;
        if (open != NULL && note_goes_on(work, open, para)) {
            layout_para_take_places(open, para);
        } else {
            open = para;
        }
    }
    layout_paras_drop_empty(work);
}

/* ---- notes of tables ---- */

#define NOTE_GAP_LINES 2.5F /* between a table and its first note */
#define MAX_NOTES      12   /* of one table */

/* Does a text begin as what is said below a table: "* p < 0.05", "a Of whom ...", "Note: ...", "Source: ..."? */
gboolean
layout_table_note_starts(const layout_work *work, const layout_para *para)
{
    static const char *const words[] = {"Note",   "Source", "Abbreviation", "Legend",
                                        "Quelle", "Anm",    "Remark"};
    g_autofree char *text = layout_para_row_text(work, para, 0);
    if (starts_with_mark(work, para, text)) return TRUE;
    for (guint i = 0; i < G_N_ELEMENTS(words); i++)
        if (g_ascii_strncasecmp(text, words[i], strlen(words[i])) == 0 &&
            strcspn(text, ":.") <= strlen(words[i]) + 2)
            return TRUE;
    return FALSE;
}

/* The last part of a table: where it stands. */
static const layout_table_region *
last_part(const layout_work *work, const layout_para *table, guint *sheet)
{
    *sheet = table->sheet;
    int index = table->table;
    if (table->places->len > 0) {
        const layout_place *place =
            &g_array_index(table->places, layout_place, table->places->len - 1);
        *sheet = place->sheet;
        index = layout_sheet_row(layout_work_sheet(work, place->sheet), place->row)->table;
    }
    return &g_array_index(layout_work_sheet(work, *sheet)->tables, layout_table_region, index);
}

/* Those that stand closely under the table, one after the other, become footnotes of it. */
static void
notes_take(layout_work *work, guint index)
{
    guint sheet;
    const layout_rect box = last_part(work, layout_work_para(work, index), &sheet)->box;
    float bottom = box.y1;
    guint taken = 0;
    for (guint i = index + 1; i < work->paras->len && taken < MAX_NOTES; i++) {
        layout_para *para = layout_work_para(work, i);
        if (para->type == LAYOUT_BLOCK_CAPTION && para->parent == (int)index) {
            const layout_row *row = layout_para_row(work, para, para->places->len - 1);
            if (para->sheet == sheet && row->box.y0 > bottom) bottom = row->box.y1;
            continue;
        }
        if (para->places->len == 0 || para->sheet != sheet || para->parent >= 0) return;
        const layout_row *first = layout_para_row(work, para, 0);
        /* a star looks like a bullet */
        const gboolean item = para->type == LAYOUT_BLOCK_LIST_ITEM && !para->contents &&
                              first->size_pt < 0.97F * work->body_pt;
        if (!item && para->type != LAYOUT_BLOCK_PARAGRAPH && para->type != LAYOUT_BLOCK_FOOTNOTE)
            return;
        const layout_row *last = layout_para_row(work, para, para->places->len - 1);
        const float gap = first->box.y0 - bottom;
        if (gap < -0.5F * first->size_pt || gap > NOTE_GAP_LINES * first->size_pt ||
            first->box.x0 < box.x0 - 12 || first->box.x0 > box.x1 ||
            first->size_pt > 1.02F * work->body_pt || !layout_table_note_starts(work, para))
            return;
        para->type = LAYOUT_BLOCK_FOOTNOTE;
        para->level = 0;
        para->parent = (int)index;
        bottom = last->box.y1;
        taken++;
    }
}

void
layout_footnotes_of_tables(layout_work *work)
{
    for (guint i = 0; i < work->paras->len; i++) {
        layout_work_release(work);
        if (layout_work_para(work, i)->table >= 0) notes_take(work, i);
    }
}

/* ---- calls ---- */

typedef struct {
    guint sheet, para;
    char mark[MAX_MARK];
    gboolean taken;
} note_call;

/* The mark itself, when text is one: "12", "a", "*", a dagger; without blanks and brackets around it. */
static gboolean
mark_copy(const char *text, gsize len, char *mark)
{
    while (len > 0 && strchr(" ([", text[0]) != NULL) {
        text++;
        len--;
    }
    while (len > 0 && strchr(" )].", text[len - 1]) != NULL)
        len--;
    if (len == 0 || len >= MAX_MARK) return FALSE;
    gsize digits = 0, letters = 0, signs = 0, n = 0;
    for (const char *at = text; at < text + len; at = g_utf8_next_char(at)) {
        gunichar ch = g_utf8_get_char(at);
        digits += g_ascii_isdigit(*at);
        letters += g_ascii_isalpha(*at);
        signs += is_sign(ch) ? 1 : 0;
        n++;
    }
    if (!(digits == n && n <= 3) && !(letters == 1 && n == 1) && signs != n) return FALSE;
    memcpy(mark, text, len);
    mark[len] = '\0';
    return TRUE;
}

/* May something raised behind this style be a call, rather than an exponent? */
static gboolean
is_word_end(const layout_sheet *sheet, const layout_seg *seg, guint k)
{
    if (k == seg->first_style) return FALSE;
    const layout_style *before = layout_sheet_style(sheet, k - 1);
    if (before->flags & LAYOUT_SPAN_MATH) return FALSE;
    const char *text = sheet->text->str + before->start;
    gsize len = before->len;
    while (len > 0 && text[len - 1] == ' ')
        len--;
    return len > 0 && !g_ascii_isdigit(text[len - 1]);
}

static void
calls_of_row(const layout_sheet *sheet, guint index, guint para, GArray *calls)
{
    const layout_row *row = layout_sheet_row(sheet, index);
    for (guint i = 0; i < row->n_segs; i++) {
        const layout_seg *seg =
            layout_sheet_seg(sheet, g_array_index(sheet->row_segs, guint, row->first_seg + i));
        for (guint k = seg->first_style; k < seg->first_style + seg->n_styles; k++) {
            const layout_style *style = layout_sheet_style(sheet, k);
            if (!(style->flags & LAYOUT_SPAN_SUPERSCRIPT) || !is_word_end(sheet, seg, k)) continue;
            note_call call = {.sheet = (guint)sheet->index, .para = para};
            /* several at one place are divided by commas */
            const char *at = sheet->text->str + style->start, *end = at + style->len;
            while (at < end) {
                const char *comma = memchr(at, ',', (gsize)(end - at));
                const char *stop = comma != NULL ? comma : end;
                if (mark_copy(at, (gsize)(stop - at), call.mark)) g_array_append_val(calls, call);
                at = stop + 1;
            }
        }
    }
}

static gboolean
may_call(layout_block_type type)
{
    return type == LAYOUT_BLOCK_PARAGRAPH || type == LAYOUT_BLOCK_LIST_ITEM ||
           type == LAYOUT_BLOCK_ABSTRACT || type == LAYOUT_BLOCK_HEADING ||
           type == LAYOUT_BLOCK_TITLE || type == LAYOUT_BLOCK_AUTHOR ||
           type == LAYOUT_BLOCK_CAPTION;
}

/* The calls of the document, in the order of its blocks. */
static GArray *
calls_find(layout_work *work)
{
    GArray *calls = g_array_new(FALSE, TRUE, sizeof(note_call));
    for (guint i = 0; i < work->paras->len; i++) {
        const layout_para *para = layout_work_para(work, i);
        layout_work_release(work);
        if (!may_call(para->type)) continue;
        for (guint p = 0; p < para->places->len; p++) {
            const layout_place *place = &g_array_index(para->places, layout_place, p);
            calls_of_row(layout_work_sheet(work, place->sheet), place->row, i, calls);
        }
    }
    return calls;
}

/* The mark a note begins with. */
static gboolean
note_mark(const layout_work *work, const layout_para *note, char *mark)
{
    const layout_place *place = &g_array_index(note->places, layout_place, 0);
    const layout_sheet *sheet = layout_work_sheet(work, place->sheet);
    const layout_row *row = layout_sheet_row(sheet, place->row);
    const layout_style *style = first_style(sheet, row);
    if (style != NULL && (style->flags & LAYOUT_SPAN_SUPERSCRIPT))
        return mark_copy(sheet->text->str + style->start, style->len, mark);
    g_autofree char *text = layout_row_text(sheet, row);
    gsize len = strspn(text, "0123456789");
    while (len == 0 && is_sign(g_utf8_get_char(text)))
        len = (gsize)(g_utf8_next_char(text) - text);
    return len > 0 && len < strlen(text) && mark_copy(text, len, mark);
}

char **
layout_footnotes_marks(const layout_work *work, guint index)
{
    g_autoptr(GStrvBuilder) marks = g_strv_builder_new();
    for (guint i = index + 1; i < work->paras->len && i <= index + 4 * MAX_NOTES; i++) {
        const layout_para *note = layout_work_para(work, i);
        char mark[MAX_MARK];
        if (note->type == LAYOUT_BLOCK_FOOTNOTE && note->parent == (int)index &&
            note->places->len > 0 && note_mark(work, note, mark))
            g_strv_builder_add(marks, mark);
    }
    return g_strv_builder_end(marks);
}

static int
compare_call(gconstpointer a, gconstpointer b)
{
    const note_call *x = a, *y = b;
    if (x->sheet != y->sheet) return x->sheet < y->sheet ? -1 : 1;
    return (x->para > y->para) - (x->para < y->para);
}

void
layout_footnotes_bind(layout_work *work)
{
    g_autoptr(GArray) calls = calls_find(work);
    g_array_sort(calls, compare_call); /* stable enough: equal ones have equal blocks */
    for (guint i = 0; i < work->paras->len && calls->len > 0; i++) {
        layout_para *note = layout_work_para(work, i);
        layout_work_release(work);
        char mark[MAX_MARK];
        if (note->type != LAYOUT_BLOCK_FOOTNOTE || note->parent >= 0 || note->places->len == 0 ||
            !note_mark(work, note, mark))
            continue;
        guint low = 0, high = calls->len;
        while (low < high) {
            guint middle = low + (high - low) / 2;
            if (g_array_index(calls, note_call, middle).sheet < note->sheet)
                low = middle + 1;
            else
                high = middle;
        }
        for (; low < calls->len; low++) {
            note_call *call = &g_array_index(calls, note_call, low);
            if (call->sheet != note->sheet) break;
            if (call->taken || strcmp(call->mark, mark) != 0) continue;
            call->taken = TRUE;
            note->parent = (int)call->para;
            break;
        }
    }
}
