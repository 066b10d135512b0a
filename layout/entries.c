/* Where the entries of a bibliography begin.
 *
 * The paragraph builder hands over a bibliography as one block per printed line. Only the whole of it says how
 * its entries are told apart:
 *
 *   [1] A. Author. Title     1. A. Author     Author, A. (2001). A     [Aut01] A. Author.   Author A.
 *       goes on here.           goes on           title that goes on   goes on                title
 *   [2] B. Author. ...       2. B. Author     Buthor, B. (2003). An    [But03] B. Author.   Buthor B.
 *
 * markers that count up; labels in brackets; hanging indents; indented first lines; wider gaps; or else lines that
 * end early before something that looks like authors. A marker that does not count up is text: "[12] extends"
 * may well begin a line. */
#include "layout/flow.h"

#include <math.h>
#include <string.h>

#define MAX_ENTRY_ROWS 60 /* an entry with more printed lines is none */

typedef enum { MARKER_NONE, MARKER_BRACKET, MARKER_PAREN, MARKER_NUMBER, MARKER_LABEL } marker_kind;

typedef struct {
    layout_para *para;
    layout_row row; /* a copy: its sheet may be put away */
    guint sheet;
    char *text;
    marker_kind kind;
    guint value;      /* of a marker that counts */
    gsize marker_len; /* bytes, with the blank behind it */
    float left;       /* where flush lines of its column begin */
    gboolean first_of_region;
    gboolean starts;
} entry_row;

static void
entry_row_clear(gpointer data)
{
    g_free(((entry_row *)data)->text);
}

/* "[Abc98]", "[AB+12]", "[Smith(2001)]": letters, and digits or a name */
static gboolean
is_label(const char *text, gsize len)
{
    if (len < 2 || len > 40) return FALSE;
    guint letters = 0, digits = 0;
    for (gsize i = 0; i < len; i++) {
        if (g_ascii_isdigit(text[i]))
            digits++;
        else if (g_ascii_isalpha(text[i]) || (guchar)text[i] >= 0x80)
            letters++;
        else if (strchr("+-'() .,:&*", text[i]) == NULL)
            return FALSE;
    }
    return letters > 0 && (digits >= 2 || letters >= 3);
}

static marker_kind
find_marker(const char *text, guint *value, gsize *len)
{
    const char open = text[0];
    if (open == '[' || open == '(') {
        const char close = open == '[' ? ']' : ')';
        const char *end = strchr(text, close);
        if (end == NULL || end - text < 2 || end - text > 42) return MARKER_NONE;
        const gsize inner = (gsize)(end - text) - 1;
        const gsize digits = strspn(text + 1, "0123456789");
        *len = inner + 2 + strspn(end + 1, " ");
        if (digits == inner && digits <= 4) {
            *value = (guint)strtoul(text + 1, NULL, 10);
            return open == '[' ? MARKER_BRACKET : MARKER_PAREN;
        }
        return open == '[' && is_label(text + 1, inner) ? MARKER_LABEL : MARKER_NONE;
    }
    const gsize digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 3) return MARKER_NONE;
    const gsize dot = text[digits] == '.' || text[digits] == ')' ? 1 : 0;
    if (text[digits + dot] != ' ' && text[digits + dot] != '\0') {
        /* "1.Author": the gap may be too small to be a blank */
        if (dot == 0 || !g_unichar_isupper(g_utf8_get_char(text + digits + dot)))
            return MARKER_NONE;
    }
    *value = (guint)strtoul(text, NULL, 10);
    *len = digits + dot + strspn(text + digits + dot, " ");
    return MARKER_NUMBER;
}

gsize
layout_reference_marker(const char *text, char **marker)
{
    guint value = 0;
    gsize len = 0;
    if (find_marker(text, &value, &len) == MARKER_NONE) return 0;
    if (marker != NULL) *marker = g_strchomp(g_strndup(text, len));
    return len;
}

/* ---- numbered entries ---- */

/* Marks the rows that count up in this kind of marker; how many they are. */
static guint
mark_counted(GArray *rows, marker_kind kind, gboolean mark)
{
    guint n = 0, expected = 0;
    float right =
        0; /* where the text behind the first marker begins is not known; its left edge is */
    for (guint i = 0; i < rows->len; i++) {
        entry_row *r = &g_array_index(rows, entry_row, i);
        if (r->kind != kind) continue;
        const gboolean first = n == 0;
        /* labels are set flush left or flush right: two digits' width apart at most */
        if (!first && r->row.box.x0 - r->left > right + 2.2F * r->row.size_pt) continue;
        if (first ? i > 2 : r->value < expected || r->value > expected + 2) continue;
        if (first) right = MAX(0, r->row.box.x0 - r->left);
        expected = r->value + 1;
        n++;
        if (mark) r->starts = TRUE;
    }
    return n;
}

static gboolean
mark_numbered(GArray *rows)
{
    static const marker_kind kinds[] = {MARKER_BRACKET, MARKER_NUMBER, MARKER_PAREN};
    for (guint k = 0; k < G_N_ELEMENTS(kinds); k++) {
        const guint n = mark_counted(rows, kinds[k], FALSE);
        if (n == 0 || (n == 1 && rows->len > 6) || n * MAX_ENTRY_ROWS < rows->len) continue;
        mark_counted(rows, kinds[k], TRUE);
        return TRUE;
    }
    return FALSE;
}

static gboolean
mark_labelled(GArray *rows)
{
    guint n = 0;
    for (guint i = 0; i < rows->len; i++)
        n += g_array_index(rows, entry_row, i).kind == MARKER_LABEL ? 1 : 0;
    if (n < 2 || n * 12 < rows->len || g_array_index(rows, entry_row, 0).kind != MARKER_LABEL)
        return FALSE;
    for (guint i = 0; i < rows->len; i++) {
        entry_row *r = &g_array_index(rows, entry_row, i);
        r->starts = r->kind == MARKER_LABEL && r->row.box.x0 < r->left + 1.5F * r->row.size_pt;
    }
    return TRUE;
}

/* ---- entries told apart by where their lines begin ---- */

/* The left edge of each column's text: its leftmost row here, or that of another column of the bibliography that
 * stands a hanging indent further left, for a column that only finishes an entry. */
static void
find_lefts(GArray *rows)
{
    for (guint i = 0; i < rows->len;) {
        const entry_row *first = &g_array_index(rows, entry_row, i);
        float left = first->row.box.x0;
        guint end = i;
        for (; end < rows->len; end++) {
            const entry_row *r = &g_array_index(rows, entry_row, end);
            if (r->sheet != first->sheet || r->row.region != first->row.region) break;
            left = MIN(left, r->row.box.x0);
        }
        for (guint k = i; k < end; k++) {
            g_array_index(rows, entry_row, k).left = left;
            g_array_index(rows, entry_row, k).first_of_region = k == i;
        }
        i = end;
    }
    for (guint i = 0; i < rows->len; i++) {
        entry_row *r = &g_array_index(rows, entry_row, i);
        if (!r->first_of_region) {
            r->left = r[-1].left;
            continue;
        }
        float best = r->left;
        /* a few columns tell what the others look like */
        for (guint k = i > 2000 ? i - 2000 : 0; k < MIN(rows->len, i + 2000); k++) {
            const entry_row *other = &g_array_index(rows, entry_row, k);
            if (!other->first_of_region || other->sheet == r->sheet) continue;
            const float by = r->left - other->row.col_x0;
            if (fabsf(other->row.col_x0 - r->row.col_x0) < 3 && by > 4 && by < 40 &&
                other->left < best - 3)
                best = other->left;
        }
        r->left = best;
    }
}

static gboolean
is_flush(const entry_row *r)
{
    return r->row.box.x0 < r->left + 3;
}

static gboolean
ends_like_an_entry(const entry_row *r)
{
    const gsize len = strlen(r->text);
    return len == 0 || layout_text_ends_sentence(r->text, len) || g_ascii_isdigit(r->text[len - 1]);
}

/* Did the line end before its right margin? */
static gboolean
ended_early(const entry_row *r)
{
    return r->row.right - r->row.box.x1 > 2.5F * r->row.size_pt;
}

static gboolean
starts_like_an_entry(const entry_row *r)
{
    const gunichar ch = g_utf8_get_char(r->text);
    return g_unichar_isupper(ch) || g_unichar_istitle(ch) || ch == '"' || ch == 0x201C ||
           (g_unichar_isalpha(ch) && !g_unichar_islower(ch)) || g_str_has_prefix(r->text, "van ") ||
           g_str_has_prefix(r->text, "von ") || g_str_has_prefix(r->text, "de ");
}

/* The usual and the wider distance of lines within columns; FALSE where there is but one. */
static gboolean
find_gap(GArray *rows, float *limit)
{
    g_autoptr(GArray) steps = g_array_new(FALSE, FALSE, sizeof(float));
    for (guint i = 1; i < rows->len; i++) {
        const entry_row *r = &g_array_index(rows, entry_row, i);
        if (r->first_of_region) continue;
        const float step = r->row.baseline - r[-1].row.baseline;
        if (step > 0.5F * r->row.size_pt && step < 6 * r->row.size_pt)
            g_array_append_val(steps, step);
    }
    if (steps->len < 3) return FALSE;
    float low = G_MAXFLOAT;
    for (guint i = 0; i < steps->len; i++)
        low = MIN(low, g_array_index(steps, float, i));
    guint near = 0, wide = 0;
    for (guint i = 0; i < steps->len; i++) {
        near += g_array_index(steps, float, i) < 1.08F * low ? 1 : 0;
        wide += g_array_index(steps, float, i) > 1.15F * low ? 1 : 0;
    }
    *limit = 1.12F * low;
    return wide >= 2 && near >= 2 && near + wide >= steps->len * 8 / 10;
}

static void
mark_by_place(GArray *rows)
{
    guint flush = 0, inside = 0;
    for (guint i = 0; i < rows->len; i++) {
        if (is_flush(&g_array_index(rows, entry_row, i)))
            flush++;
        else
            inside++;
    }
    /* behind a line that ends early stands an entry's first line */
    guint flush_starts = 0, inside_starts = 0;
    for (guint i = 1; i < rows->len; i++) {
        const entry_row *r = &g_array_index(rows, entry_row, i);
        if (r->first_of_region || !ended_early(r - 1) || !ends_like_an_entry(r - 1)) continue;
        if (is_flush(r))
            flush_starts++;
        else
            inside_starts++;
    }
    const gboolean first_inside = inside_starts == flush_starts
                                      ? !is_flush(&g_array_index(rows, entry_row, 0))
                                      : inside_starts > flush_starts;
    const gboolean indented = inside * 8 >= rows->len && inside >= 2;
    float gap = 0;
    const gboolean gaps = find_gap(rows, &gap);
    for (guint i = 0; i < rows->len; i++) {
        entry_row *r = &g_array_index(rows, entry_row, i);
        if (i == 0) {
            r->starts = TRUE;
        } else if (indented && !first_inside) {
            r->starts = is_flush(r);
            /* a column whose lines are all flush may only finish an entry */
            if (r->first_of_region && r->starts)
                r->starts = ends_like_an_entry(r - 1) || starts_like_an_entry(r);
        } else if (indented && first_inside && flush > 0) {
            r->starts = !is_flush(r);
        } else if (r->first_of_region || !gaps) {
            r->starts = ends_like_an_entry(r - 1) && ended_early(r - 1) && starts_like_an_entry(r);
        } else {
            r->starts = r->row.baseline - r[-1].row.baseline > gap;
        }
    }
}

/* ---- a bibliography ---- */

/* ---- what stands below a bibliography's lines ---- */

typedef struct {
    layout_para *para; /* a note whose lines may go on, NULL none */
    guint sheet, region;
    float size_pt;
} open_note;

/* Under a short rule at its column's left edge, and set smaller: a footnote. */
static gboolean
starts_note(const layout_work *work, const layout_sheet *sheet, const layout_row *row)
{
    if (row->size_pt > 0.94F * work->body_pt) return FALSE;
    for (guint i = 0; i < sheet->hrules->len; i++) {
        const layout_rule *rule = &g_array_index(sheet->hrules, layout_rule, i);
        if (rule->y0 > row->box.y0 + 3) break;
        const float width = rule->x1 - rule->x0;
        if (rule->y0 > row->box.y0 - 14 && width > 25 &&
            width < 0.75F * (row->col_x1 - row->col_x0) && fabsf(rule->x0 - row->col_x0) < 6)
            return TRUE;
    }
    return FALSE;
}

/* Takes a line that is none of an entry's: a page number, a footnote's. */
static gboolean
take_other(layout_work *work, layout_para *para, open_note *note)
{
    const layout_place *place = &g_array_index(para->places, layout_place, 0);
    const layout_sheet *sheet = layout_work_sheet(work, place->sheet);
    const layout_row *row = layout_sheet_row(sheet, place->row);
    if (row->n_chars <= 4 && row->box.x0 > row->col_x0 + 5 * row->size_pt &&
        row->box.y0 > 0.8F * sheet->height) {
        g_autofree char *text = layout_row_text(sheet, row);
        if (text[0] != '\0' && strspn(text, "0123456789") == strlen(text)) {
            para->type = LAYOUT_BLOCK_PAGE_NUMBER;
            return TRUE;
        }
    }
    if (note->para != NULL && note->sheet == place->sheet && note->region == row->region &&
        row->size_pt < note->size_pt + 0.3F && !starts_note(work, sheet, row)) {
        layout_para_take_places(note->para, para);
        return TRUE;
    }
    note->para = NULL;
    if (!starts_note(work, sheet, row)) return FALSE;
    para->type = LAYOUT_BLOCK_PARAGRAPH;
    *note = (open_note){para, place->sheet, row->region, row->size_pt};
    return TRUE;
}

static void
take_row(layout_work *work, GArray *rows, layout_para *para)
{
    const layout_place *place = &g_array_index(para->places, layout_place, 0);
    const layout_sheet *sheet = layout_work_sheet(work, place->sheet);
    entry_row r = {
        .para = para, .row = *layout_sheet_row(sheet, place->row), .sheet = place->sheet};
    r.text = layout_row_text(sheet, &r.row);
    r.kind = find_marker(r.text, &r.value, &r.marker_len);
    g_array_append_val(rows, r);
}

static void
split(GArray *rows)
{
    if (rows->len == 0) return;
    find_lefts(rows);
    const gboolean marked = mark_numbered(rows) || mark_labelled(rows);
    if (!marked) mark_by_place(rows);
    layout_para *entry = NULL;
    for (guint i = 0; i < rows->len; i++) {
        entry_row *r = &g_array_index(rows, entry_row, i);
        if (entry == NULL || r->starts) {
            entry = r->para;
            if (!marked || !r->starts) continue;
            g_free(entry->marker);
            entry->marker = g_strchomp(g_strndup(r->text, r->marker_len));
            entry->skip = (float)r->marker_len;
            continue;
        }
        layout_para_take_places(entry, r->para);
    }
    g_array_set_size(rows, 0);
}

void
layout_entries_split(layout_work *work)
{
    g_autoptr(GArray) rows = g_array_new(FALSE, FALSE, sizeof(entry_row));
    g_array_set_clear_func(rows, entry_row_clear);
    open_note note = {0};
    for (guint i = 0; i < work->paras->len; i++) {
        layout_para *para = layout_work_para(work, i);
        if (para->type == LAYOUT_BLOCK_REFERENCE && para->places->len == 1) {
            if (!take_other(work, para, &note)) take_row(work, rows, para);
        } else if (para->type == LAYOUT_BLOCK_HEADING)
            split(rows);
        layout_work_release(work);
    }
    split(rows);
    layout_paras_drop_empty(work);
}

/* ---- a bibliography without a heading ---- */

/* From this row on: "[1]", "[2]", "[3]", "[4]" at one left edge and close together? */
static gboolean
counts_on(const layout_work *work, guint s, guint i)
{
    const layout_row *first = layout_sheet_row(layout_work_sheet(work, s), i);
    guint expected = 1, since = 0, markers = 0;
    for (; s < work->sheets->len; s++, i = 0) {
        const layout_sheet *sheet = layout_work_sheet(work, s);
        for (; i < sheet->rows->len; i++) {
            const layout_row *row = layout_sheet_row(sheet, i);
            if (row->n_segs == 0) continue;
            if (++since > 14) return FALSE;
            const layout_seg *seg =
                layout_sheet_seg(sheet, g_array_index(sheet->row_segs, guint, row->first_seg));
            if (sheet->text->str[seg->start] != '[') continue;
            g_autofree char *text = layout_row_text(sheet, row);
            guint value = 0;
            gsize len = 0;
            if (find_marker(text, &value, &len) != MARKER_BRACKET || value != expected) continue;
            const float in = row->box.x0 - row->col_x0, was = first->box.x0 - first->col_x0;
            if (fabsf(in - was) > 1.2F * row->size_pt) return FALSE;
            expected++;
            since = 0;
            if (++markers == 4) return TRUE;
        }
    }
    return FALSE;
}

gboolean
layout_bibliography_starts(const layout_work *work, guint s, guint index)
{
    const layout_sheet *sheet = layout_work_sheet(work, s);
    const layout_row *row = layout_sheet_row(sheet, index);
    if (row->n_segs == 0) return FALSE;
    const layout_seg *seg =
        layout_sheet_seg(sheet, g_array_index(sheet->row_segs, guint, row->first_seg));
    if (strncmp(sheet->text->str + seg->start, "[1]", 3) != 0) return FALSE;
    return counts_on(work, s, index);
}
