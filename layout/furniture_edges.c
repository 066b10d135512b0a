/* Headers and footers that stand on one page only, known by their looks.
 *
 * What repeats is found by furniture.c. A single page, a first page with the journal's banner, a cover sheet of a
 * repository prove nothing by repetition; there the rows at the top and bottom edge are looked at one by one, from
 * the edge inwards. Rows that white space or a rule separates from what follows form a group; a group is
 * furniture when every row of it shows what furniture shows: a page number, an address, volume and issue, a
 * copyright or download notice, words spread over the whole width, or print much smaller than the text. Rows set
 * larger than the text, and notes that begin with their mark, end the search. */
#include "layout/analyze.h"

#include <math.h>
#include <string.h>

#define ZONE_SHARE   0.125F /* of the page's height, from an edge */
#define NUMBER_SHARE 0.20F  /* for a bare page number further out than all text */
#define MAX_ROWS     8
#define MAX_GROUP    4
#define MAX_ROW_SEGS 16

typedef struct {
    guint segs[MAX_ROW_SEGS];
    guint n_segs;
    float y0, y1, x0, x1; /* hull */
    float ink;            /* sum of the segments' widths */
    float size_pt, baseline;
    gboolean overfull; /* more segments than kept */
} edge_row;

typedef struct {
    const layout_work *work;
    layout_sheet *sheet;
    gboolean bottom;
    edge_row rows[MAX_ROWS];
    guint n_rows;
} edge;

static void
row_add(edge_row *row, const layout_sheet *sheet, guint index)
{
    const layout_seg *seg = layout_sheet_seg(sheet, index);
    gboolean first = row->n_segs == 0;
    row->y0 = first ? seg->box.y0 : MIN(row->y0, seg->box.y0);
    row->y1 = first ? seg->box.y1 : MAX(row->y1, seg->box.y1);
    row->x0 = first ? seg->box.x0 : MIN(row->x0, seg->box.x0);
    row->x1 = first ? seg->box.x1 : MAX(row->x1, seg->box.x1);
    row->size_pt = MAX(row->size_pt, seg->size_pt);
    row->ink += seg->box.x1 - seg->box.x0;
    row->baseline = seg->baseline;
    if (row->n_segs < MAX_ROW_SEGS)
        row->segs[row->n_segs++] = index;
    else
        row->overfull = TRUE;
}

/* The rows nearest to the edge, the outermost first; one more than may be furniture, to measure the gap. */
static void
rows_collect(edge *e, const guint *order, guint n)
{
    e->n_rows = 0;
    for (guint k = 0; k < n; k++) {
        guint i = order[e->bottom ? n - 1 - k : k];
        const layout_seg *seg = layout_sheet_seg(e->sheet, i);
        edge_row *row = e->n_rows > 0 ? &e->rows[e->n_rows - 1] : NULL;
        if (row == NULL || fabsf(row->baseline - seg->baseline) > 0.45F * MAX(seg->size_pt, 4)) {
            if (e->n_rows == MAX_ROWS) return;
            row = &e->rows[e->n_rows++];
            memset(row, 0, sizeof *row);
        }
        row_add(row, e->sheet, i);
    }
}

static float
edge_distance(const edge *e, const edge_row *row)
{
    return e->bottom ? e->sheet->height - row->baseline : row->baseline;
}

/* White space between a row and the next one inwards; G_MAXFLOAT for the last. */
static float
gap_behind(const edge *e, guint r)
{
    if (r + 1 >= e->n_rows) return G_MAXFLOAT;
    const edge_row *row = &e->rows[r], *next = &e->rows[r + 1];
    return e->bottom ? row->y0 - next->y1 : next->y0 - row->y1;
}

/* A rule over most of the text's width between row r and the next one. */
static gboolean
rule_behind(const edge *e, guint r)
{
    if (r + 1 >= e->n_rows) return FALSE;
    const edge_row *row = &e->rows[r], *next = &e->rows[r + 1];
    float y0 = e->bottom ? next->baseline : row->baseline;
    float y1 = e->bottom ? row->y0 + 3 : next->y0 + 3;
    float width = MAX(e->sheet->text_x1 - e->sheet->text_x0, 0.4F * e->sheet->width);
    for (guint i = 0; i < e->sheet->hrules->len; i++) {
        const layout_rule *rule = &g_array_index(e->sheet->hrules, layout_rule, i);
        if (rule->y0 > y1) break;
        if (rule->y0 > y0 && rule->x1 - rule->x0 > 0.8F * width) return TRUE;
    }
    return FALSE;
}

/* ---- what a row says ---- */

static const char *
seg_text(const edge *e, guint index, gsize *len)
{
    const layout_seg *seg = layout_sheet_seg(e->sheet, index);
    *len = seg->len;
    return e->sheet->text->str + seg->start;
}

static char *
row_text(const edge *e, const edge_row *row)
{
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < row->n_segs; i++) {
        gsize len;
        const char *part = seg_text(e, row->segs[i], &len);
        if (text->len > 0) g_string_append_c(text, ' ');
        g_string_append_len(text, part, (gssize)MIN(len, 400));
    }
    char *lower = g_utf8_strdown(text->str, -1);
    g_string_free(text, TRUE);
    return lower;
}

static gboolean
has_any(const char *text, const char *const *words, gsize n)
{
    for (gsize i = 0; i < n; i++)
        if (strstr(text, words[i]) != NULL) return TRUE;
    return FALSE;
}

/* Notices of a library, a publisher or a preprint server: no author writes these into the text's margin. */
static gboolean
says_notice(const char *text)
{
    static const char *const words[] = {"downloaded from",
                                        "download date",
                                        "downloaded on",
                                        "downloaded by",
                                        "all rights reserved",
                                        "published by",
                                        "\xC2\xA9",
                                        "copyright",
                                        "licensed under",
                                        "authorized licensed",
                                        "preprint submitted",
                                        "under review as",
                                        "this article is protected",
                                        "provided by the library"};
    return has_any(text, words, G_N_ELEMENTS(words));
}

static gboolean
says_journal(const char *text)
{
    static const char *const words[] = {
        "volume ", "vol. ",   "vol ",     "issue ",         "issn",       "doi:",       "doi.org",
        "www.",    "http://", "https://", "proceedings of", "journal of", "revision: ", "rev. "};
    return has_any(text, words, G_N_ELEMENTS(words));
}

/* Is nothing else of the row within three ems of segment i? The number of a section stands close to its title. */
static gboolean
stands_apart(const edge *e, const edge_row *row, guint i)
{
    const layout_seg *seg = layout_sheet_seg(e->sheet, row->segs[i]);
    for (guint k = 0; k < row->n_segs; k++) {
        const layout_seg *other = layout_sheet_seg(e->sheet, row->segs[k]);
        if (k != i && layout_overlap_1d(seg->box.x0, seg->box.x1, other->box.x0, other->box.x1) >
                          -3 * row->size_pt)
            return FALSE;
    }
    return TRUE;
}

/* A segment that begins, ends or halves the row, and is a page number. */
static gboolean
has_page_number(const edge *e, const edge_row *row)
{
    for (guint i = 0; i < row->n_segs; i++) {
        const layout_seg *seg = layout_sheet_seg(e->sheet, row->segs[i]);
        gsize len;
        const char *text = seg_text(e, row->segs[i], &len);
        if (!layout_is_page_number(text, len) || (text[0] == '(' && row->n_segs > 1)) continue;
        if (!stands_apart(e, row, i)) continue;
        gboolean outer = seg->box.x0 < row->x0 + 1 || seg->box.x1 > row->x1 - 1;
        float middle = 0.5F * (seg->box.x0 + seg->box.x1);
        if (outer || fabsf(middle - 0.5F * e->sheet->width) < 0.06F * e->sheet->width) return TRUE;
    }
    return FALSE;
}

/* Labels of drawings and rows of formulas look scattered, too. */
static gboolean
is_drawn_or_math(const edge *e, const edge_row *row)
{
    for (guint i = 0; i < row->n_segs; i++)
        if (layout_sheet_seg(e->sheet, row->segs[i])->flags & LAYOUT_SPAN_MATH) return TRUE;
    for (guint i = 0; i < e->sheet->clusters->len; i++) {
        const layout_cluster *c = &g_array_index(e->sheet->clusters, layout_cluster, i);
        float height = c->box.y1 - c->box.y0;
        if (height > 3 * row->size_pt && height < 0.7F * e->sheet->height &&
            layout_overlap_1d(c->box.y0 - 4, c->box.y1 + 4, row->y0, row->y1) > 0 &&
            layout_overlap_1d(c->box.x0 - 4, c->box.x1 + 4, row->x0, row->x1) > 0)
            return TRUE;
    }
    return FALSE;
}

/* Two or three short texts, flush left, centred, flush right; on the only page, where no repetition can prove a
 * header. The rows of a table are as far from each other as the last one from those above. */
static gboolean
is_spread(const edge *e, const edge_row *row, float gap, float gap_inside)
{
    if (row->n_segs < 2 || row->n_segs > 4 || e->work->n_pages > 1) return FALSE;
    if (gap < 1.4F * gap_inside) return FALSE;
    for (guint i = 0; i < row->n_segs; i++) {
        gsize len;
        const char *text = seg_text(e, row->segs[i], &len);
        if (layout_caption_match(text, len, NULL, NULL) != LAYOUT_CAPTION_NONE) return FALSE;
    }
    float width = row->x1 - row->x0;
    if (width < 0.55F * e->sheet->width || row->ink > 0.75F * width) return FALSE;
    return (width - row->ink) / (float)(row->n_segs - 1) > 4 * row->size_pt;
}

/* "* Corresponding author", "1 See http://...": the marks of footnotes. */
static gboolean
starts_note(const edge *e, const edge_row *row)
{
    guint first = row->segs[0];
    for (guint i = 1; i < row->n_segs; i++)
        if (layout_sheet_seg(e->sheet, row->segs[i])->box.x0 <
            layout_sheet_seg(e->sheet, first)->box.x0)
            first = row->segs[i];
    const layout_seg *seg = layout_sheet_seg(e->sheet, first);
    if (seg->len == 0) return FALSE;
    guint flags = seg->n_styles > 0 ? layout_sheet_style(e->sheet, seg->first_style)->flags : 0;
    gunichar ch = g_utf8_get_char(e->sheet->text->str + seg->start);
    return (flags & LAYOUT_SPAN_SUPERSCRIPT) || ch == '*' || ch == 0x2020 || ch == 0x2021 ||
           ch == 0xA7 || ch == 0xB6 || ch == 0x2217;
}

/* Somebody scanned this one page: where its paper ends is not known, and its header may be all that tells where it is
 * from. */
static gboolean
is_lone_scan(const edge *e)
{
    return e->work->n_pages == 1 && e->sheet->recognized;
}

/* Does this row look like furniture, with such a gap behind its group, and such a one behind the next row? */
static gboolean
row_is_furniture(const edge *e, const edge_row *row, float gap, float gap_inside, gboolean rule)
{
    float body = e->work->body_pt, leading = MAX(e->work->leading_pt, body);
    if (row->overfull || row->size_pt > 1.45F * body || starts_note(e, row)) return FALSE;
    if (is_lone_scan(e)) return row->n_segs == 1 && has_page_number(e, row);
    gboolean loose = is_drawn_or_math(e, row);
    if (has_page_number(e, row) &&
        (row->n_segs == 1 || (!loose && row->ink < 0.8F * (row->x1 - row->x0))))
        return TRUE;
    if (edge_distance(e, row) > ZONE_SHARE * e->sheet->height) return FALSE;
    if (!loose && is_spread(e, row, gap, gap_inside)) return TRUE;
    if (row->size_pt > 1.12F * body) return FALSE;
    g_autofree char *text = row_text(e, row);
    if (strlen(text) > 200) return FALSE;
    if (says_notice(text)) return TRUE;
    gboolean small = row->size_pt<0.93F * body, apart = gap> 1.6F * leading || rule;
    if (says_journal(text)) return small || apart;
    if (row->x1 - row->x0 > 0.6F * e->sheet->width) return FALSE;
    return row->size_pt < 0.8F * body && apart && !loose &&
           edge_distance(e, row) < 0.08F * e->sheet->height;
}

static void
group_mark(edge *e, guint from, guint to)
{
    for (guint r = from; r < to; r++) {
        for (guint i = 0; i < e->rows[r].n_segs; i++) {
            layout_seg *seg = layout_sheet_seg(e->sheet, e->rows[r].segs[i]);
            gboolean number = layout_is_page_number(e->sheet->text->str + seg->start, seg->len);
            seg->role = number      ? LAYOUT_ROLE_PAGE_NUMBER
                        : e->bottom ? LAYOUT_ROLE_FOOTER
                                    : LAYOUT_ROLE_HEADER;
        }
    }
}

/* A row of nothing but this page's own number; on short pages it stands far from the edge. */
static gboolean
is_own_number(const edge *e, const edge_row *row)
{
    const layout_seg *seg = layout_sheet_seg(e->sheet, row->segs[0]);
    if (row->n_segs > 1 || seg->len > 6 || row->size_pt > 1.45F * e->work->body_pt) return FALSE;
    g_autofree char *text = g_strndup(e->sheet->text->str + seg->start, seg->len);
    if (e->sheet->label != NULL && strcmp(text, e->sheet->label) == 0) return TRUE;
    g_autofree char *number = g_strdup_printf("%d", e->sheet->page + 1);
    return strcmp(text, number) == 0;
}

/* Group by group from the edge inwards, as long as they are furniture. */
static void
edge_mark(edge *e)
{
    float leading = MAX(e->work->leading_pt, e->work->body_pt);
    for (guint from = 0; from < e->n_rows;) {
        guint to = from;
        gboolean rule = FALSE, wide = FALSE;
        float gap = 0;
        for (; to < e->n_rows && !rule && !wide; to++) {
            gap = gap_behind(e, to);
            rule = gap > 0 && rule_behind(e, to);
            wide = gap > 0.75F * leading;
        }
        if (to - from > MAX_GROUP || (!rule && !wide) || to == e->n_rows) return;
        if (from == 0 && to == 1 && e->bottom && gap > leading && is_own_number(e, &e->rows[0])) {
            group_mark(e, 0, 1);
            from = 1;
            continue;
        }
        for (guint r = from; r < to; r++) {
            if (edge_distance(e, &e->rows[r]) > NUMBER_SHARE * e->sheet->height) return;
            float inside = to + 1 < e->n_rows ? MAX(gap_behind(e, to), 0) : 0;
            if (!row_is_furniture(e, &e->rows[r], gap, inside, rule)) return;
        }
        group_mark(e, from, to);
        from = to;
    }
}

void
layout_furniture_edges_mark(const layout_work *work, layout_sheet *sheet)
{
    g_autofree guint *order = g_new(guint, sheet->segs->len + 1);
    guint n = 0;
    for (guint i = 0; i < sheet->segs->len; i++) {
        const layout_seg *seg = layout_sheet_seg(sheet, i);
        if (seg->turn == 0 && seg->role == LAYOUT_ROLE_TEXT) order[n++] = i;
    }
    if (n < 3) return;
    g_qsort_with_data(order, (gint)n, sizeof(guint), layout_seg_compare, sheet);
    edge e = {.work = work, .sheet = sheet};
    rows_collect(&e, order, n);
    edge_mark(&e);
    e.bottom = TRUE;
    rows_collect(&e, order, n);
    edge_mark(&e);
}
