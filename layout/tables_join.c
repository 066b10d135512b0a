/* Tables that go on in the next column or on the next page become one.
 *
 * A table goes on where nothing but furniture, notes and "continued" stands between its parts, at the bottom of
 * one page and the top of the next, and its columns stand where they stood; or where a caption says so. One that
 * has a caption or a header of its own is another table, however alike. The head's block then has a place for
 * each further part, the row that holds it, and table_emit() reads them one after the other: a table of a thousand
 * pages is never in memory whole.
 *
 * What is printed again over a part, its header and "Table 3 (continued)", becomes furniture: kept, but out of
 * the text. */
#include "layout/document.h"
#include "layout/flow.h"
#include "layout/tables_parts.h"

#include <string.h>

#define PAGES_BETWEEN 2 /* at most, where a caption says that a table goes on */
#define HEADS_KEPT    8 /* that such a caption may mean */

typedef struct {
    guint para;
    guint sheet, row; /* of its last part */
    int table;
    guint n_rows;       /* of all parts */
    gboolean announced; /* "Continued on next page" stood below the last part */
} head;

typedef struct {
    layout_work *work;
    int *caption_of;  /* [n paras] the para that is its caption, LAYOUT_NONE */
    GArray *heads;    /* head, the latest last */
    gboolean blocked; /* text stands behind the latest */
    GArray *remarks;  /* guint: paras behind it that say that it goes on */
    GArray *rest;     /* layout_place: rows of blocks before that go on behind a float */
    GArray *map;
} joiner;

static layout_table_region *
region_of(const layout_work *work, guint sheet, int table)
{
    return &g_array_index(layout_work_sheet(work, sheet)->tables, layout_table_region, table);
}

/* ---- what is said ---- */

/* A block that says nothing but that a table goes on. */
static gboolean
is_remark(const layout_work *work, const layout_para *para)
{
    if (para->places->len == 0 || para->places->len > 2 || para->figure >= 0 || para->table >= 0)
        return FALSE;
    g_autofree char *text = layout_para_short_text(work, para);
    g_strstrip(text);
    return layout_text_is_continued(text, strlen(text));
}

/* The words of a caption behind its label and "(continued)", without blanks; g_free. continued: was that there? */
static char *
caption_words(const layout_work *work, const layout_para *caption, gboolean *continued)
{
    g_autofree char *text = layout_para_short_text(work, caption);
    gsize label = 0, len = strlen(text);
    layout_caption_match(text, len, &label, NULL);
    gsize at = label;
    const gsize remark = layout_continued_match(text + at, len - at);
    *continued = remark > 0 || layout_text_is_continued(text, len);
    at = *continued && remark == 0 ? len : at + remark;
    GString *words = g_string_new(NULL);
    for (const char *c = text + at; *c != '\0'; c = g_utf8_next_char(c)) {
        const gunichar ch = g_utf8_get_char(c);
        if (g_unichar_isalnum(ch)) g_string_append_unichar(words, g_unichar_tolower(ch));
    }
    /* "Table 3: Yields (cont.)" */
    const char *open = strrchr(text + at, '(');
    if (open != NULL && layout_text_is_continued(open, strlen(open))) {
        *continued = TRUE;
        for (const char *c = open; *c != '\0'; c = g_utf8_next_char(c))
            if (g_unichar_isalnum(g_utf8_get_char(c)) && words->len > 0)
                g_string_truncate(words,
                                  (gsize)(g_utf8_prev_char(words->str + words->len) - words->str));
    }
    return g_string_free(words, FALSE);
}

static gboolean
same_label(const layout_para *a, const layout_para *b)
{
    if (a->marker == NULL || b->marker == NULL || a->marker[0] == '\0') return FALSE;
    g_autofree char *x = g_utf8_casefold(a->marker, -1), *y = g_utf8_casefold(b->marker, -1);
    return strcmp(x, y) == 0;
}

/* A note below a table that layout did not take for one yet. */
static gboolean
is_note(const layout_work *work, const layout_para *para)
{
    return para->places->len > 0 && para->type == LAYOUT_BLOCK_PARAGRAPH &&
           layout_table_note_starts(work, para);
}

/* ---- deciding ---- */

typedef struct {
    layout_parts_fit fit;
    guint n_repeated;        /* rows of the head's header over the part */
    gboolean said;           /* that it goes on */
    gboolean labelled;       /* with the head's number */
    gboolean remark;         /* in the part's first row */
    gboolean caption_spoken; /* all that the caption says is said already */
} evidence;

static gboolean
is_evident(const evidence *e)
{
    return e->said || e->labelled || e->n_repeated > 0;
}

static float
first_row_height(const layout_table_region *table)
{
    const layout_grid_cell *cell = &g_array_index(table->cells, layout_grid_cell, 0);
    return cell->box.y1 - cell->box.y0;
}

/* How far down text reaches on the page of h and on those around it. */
static float
text_bottom(const layout_work *work, const head *h)
{
    float bottom = 0;
    for (guint s = h->sheet > 0 ? h->sheet - 1 : 0; s <= h->sheet + 1 && s < work->sheets->len;
         s++) {
        const layout_sheet *sheet = layout_work_sheet(work, s);
        for (guint i = 0; i < sheet->segs->len; i++) {
            const layout_seg *seg = layout_sheet_seg(sheet, i);
            if (seg->role == LAYOUT_ROLE_TEXT || seg->role == LAYOUT_ROLE_TABLE)
                bottom = MAX(bottom, seg->box.y1);
        }
    }
    return bottom;
}

/* May the table at the end of one page go on at the start of the next, by where the two stand? */
static gboolean
is_placed(const joiner *j, const head *h, const layout_para *para, const evidence *e)
{
    const layout_sheet *above = layout_work_sheet(j->work, h->sheet);
    const layout_sheet *sheet = layout_work_sheet(j->work, para->sheet);
    const layout_table_region *a = &g_array_index(above->tables, layout_table_region, h->table);
    const layout_table_region *b = &g_array_index(sheet->tables, layout_table_region, para->table);
    const float below = above->height - a->box.y1;
    if (above->turn != sheet->turn) return FALSE;
    if (h->sheet == para->sheet) /* the next column */
        return is_evident(e) && j->work->two_columns && b->box.x0 > a->box.x1 - 1 &&
               b->box.y0 < a->box.y1 && below < 0.2F * sheet->height;
    if (e->said || e->labelled) return TRUE;
    /* a row that did not fit may have left room */
    const float room = text_bottom(j->work, h) - a->box.y1;
    const float row = 1.5F * first_row_height(b);
    return below < (e->n_repeated > 0 ? 0.5F : 0.35F) * above->height + row &&
           room < (e->n_repeated > 0 ? 0.3F : 0.06F) * above->height + row &&
           b->box.y0 < 0.35F * sheet->height;
}

/* What the caption of a table says about h. FALSE: that it is another table. */
static gboolean
caption_weigh(const joiner *j, const head *h, guint index, evidence *e)
{
    const int caption = j->caption_of[index], above = j->caption_of[h->para];
    const layout_para *para = layout_work_para(j->work, index),
                      *first = layout_work_para(j->work, h->para);
    e->caption_spoken = TRUE;
    if (caption < 0) return TRUE;
    gboolean continued = FALSE, ignored = FALSE;
    g_autofree char *words =
        caption_words(j->work, layout_work_para(j->work, (guint)caption), &continued);
    g_autofree char *before =
        above < 0 ? g_strdup("")
                  : caption_words(j->work, layout_work_para(j->work, (guint)above), &ignored);
    e->labelled = same_label(first, para);
    e->said = e->said || continued;
    e->caption_spoken = words[0] == '\0' || g_str_has_prefix(before, words);
    if (continued) return e->labelled || first->marker == NULL || first->marker[0] == '\0';
    return e->labelled && e->caption_spoken;
}

/* Does the table of block index go on with h? adjacent: nothing stands between; noted: but notes. */
static gboolean
goes_on(joiner *j, const head *h, guint index, gboolean adjacent, gboolean noted, evidence *e)
{
    const layout_para *para = layout_work_para(j->work, index);
    const layout_para *first = layout_work_para(j->work, h->para);
    *e = (evidence){.said = adjacent && (h->announced || j->remarks->len > 0)};
    if (!caption_weigh(j, h, index, e)) return FALSE;
    if (!adjacent && (!e->said || !e->labelled || para->sheet - h->sheet > PAGES_BETWEEN))
        return FALSE;
    const layout_table_region *part = region_of(j->work, para->sheet, para->table);
    e->remark = layout_parts_has_remark(part, FALSE);
    e->said = e->said || e->remark;
    e->n_repeated = layout_parts_repeated(region_of(j->work, first->sheet, first->table), part,
                                          e->remark ? 1 : 0);
    if (noted && !is_evident(e)) return FALSE;
    if (adjacent && para->sheet - h->sheet <= 1 && !is_placed(j, h, para, e)) return FALSE;
    const layout_sheet *sheet = layout_work_sheet(j->work, para->sheet);
    if (!is_evident(e) && layout_parts_has_header(sheet, para->table)) return FALSE;
    e->fit = layout_parts_compare(layout_work_sheet(j->work, h->sheet), h->table, sheet,
                                  para->table, !is_evident(e), j->map);
    if (e->fit == LAYOUT_PARTS_DIFFER || (e->fit != LAYOUT_PARTS_SAME && !is_evident(e)))
        return FALSE;
    /* the parts before would have to be widened, too */
    if (e->fit == LAYOUT_PARTS_WIDER && first->places->len > 0) return FALSE;
    return h->n_rows <= LAYOUT_MAX_TABLE_ROWS - part->n_rows;
}

/* The row of its sheet where a table stands. */
static gboolean
row_of(const layout_sheet *sheet, int table, guint *row)
{
    for (guint i = 0; i < sheet->rows->len; i++) {
        if (layout_sheet_row(sheet, i)->table != table) continue;
        *row = i;
        return TRUE;
    }
    return FALSE;
}

/* Remembers the rows of a text that goes on elsewhere than in the next row: a table may stand before them. */
static void
rest_add(joiner *j, const layout_para *para)
{
    const guint n = para->places->len;
    if (n == 0) return;
    const layout_place *first = &g_array_index(para->places, layout_place, 0),
                       *last = first + n - 1;
    if (first->sheet != last->sheet || last->row - first->row + 1 != n)
        g_array_append_vals(j->rest, first, n);
}

/* Forgets those on pages before. */
static void
rest_drop(joiner *j, guint sheet)
{
    guint kept = 0;
    for (guint i = 0; i < j->rest->len; i++) {
        const layout_place place = g_array_index(j->rest, layout_place, i);
        if (place.sheet >= sheet) g_array_index(j->rest, layout_place, kept++) = place;
    }
    g_array_set_size(j->rest, kept);
}

/* Does such a text stand between h and this row? */
static gboolean
rest_between(const joiner *j, const head *h, guint sheet, guint row)
{
    for (guint i = 0; i < j->rest->len; i++) {
        const layout_place *p = &g_array_index(j->rest, layout_place, i);
        if ((p->sheet > h->sheet || (p->sheet == h->sheet && p->row > h->row)) &&
            (p->sheet < sheet || (p->sheet == sheet && p->row < row)))
            return TRUE;
    }
    return FALSE;
}

/* ---- making them one ---- */

/* The lines of a block leave the text. */
static void
to_furniture(layout_work *work, layout_para *para, layout_role role)
{
    for (guint i = 0; i < para->places->len; i++) {
        const layout_place *place = &g_array_index(para->places, layout_place, i);
        layout_sheet *sheet = layout_work_sheet(work, place->sheet);
        const layout_row *row = layout_sheet_row(sheet, place->row);
        for (guint s = 0; s < row->n_segs; s++)
            layout_sheet_seg(sheet, g_array_index(sheet->row_segs, guint, row->first_seg + s))
                ->role = role;
    }
    para->places->len = 0;
    para->parent = LAYOUT_NONE;
}

static void
caption_take(joiner *j, const head *h, guint index, const evidence *e)
{
    const int caption = j->caption_of[index];
    if (caption < 0) return;
    layout_para *para = layout_work_para(j->work, (guint)caption);
    layout_para *first = layout_work_para(j->work, h->para);
    if (e->caption_spoken && j->caption_of[h->para] >= 0) {
        to_furniture(j->work, para, LAYOUT_ROLE_HEADER);
        return;
    }
    para->parent = (int)h->para;
    if (j->caption_of[h->para] >= 0) return;
    j->caption_of[h->para] = caption;
    g_free(first->marker);
    first->marker = g_strdup(layout_work_para(j->work, index)->marker);
}

/* The rows that are printed again, and those that only say that it goes on. */
static void
rows_trim(joiner *j, head *h, const layout_para *para, const evidence *e)
{
    layout_sheet *above = layout_work_sheet(j->work, h->sheet);
    const layout_table_region *before = region_of(j->work, h->sheet, h->table);
    if (layout_parts_has_remark(before, TRUE) &&
        layout_parts_drop_rows(above, h->table, before->n_rows - 1, 1))
        h->n_rows--;
    layout_sheet *sheet = layout_work_sheet(j->work, para->sheet);
    layout_parts_drop_rows(sheet, para->table, 0, (e->remark ? 1 : 0) + e->n_repeated);
    layout_table_region *part = region_of(j->work, para->sheet, para->table);
    for (guint i = 0; i < part->cells->len; i++)
        g_array_index(part->cells, layout_grid_cell, i).header = FALSE;
    part->n_header_rows = 0;
}

static void
take(joiner *j, head *h, guint index, guint row, const evidence *e)
{
    layout_para *para = layout_work_para(j->work, index);
    layout_para *first = layout_work_para(j->work, h->para);
    layout_table_region *part = region_of(j->work, para->sheet, para->table);
    const guint *map = (const guint *)(gconstpointer)j->map->data;
    rows_trim(j, h, para, e);
    if (e->fit == LAYOUT_PARTS_WIDER)
        layout_parts_widen(region_of(j->work, first->sheet, first->table), map, part->n_cols);
    else if (e->fit == LAYOUT_PARTS_NARROWER)
        layout_parts_widen(part, map, region_of(j->work, h->sheet, h->table)->n_cols);
    caption_take(j, h, index, e);
    for (guint i = 0; i < j->remarks->len; i++)
        to_furniture(j->work, layout_work_para(j->work, g_array_index(j->remarks, guint, i)),
                     LAYOUT_ROLE_HEADER);
    layout_para_add_place(first, para->sheet, row);
    h->n_rows += part->n_rows;
    h->sheet = para->sheet;
    h->row = row;
    h->table = para->table;
    h->announced = layout_parts_has_remark(part, TRUE);
    para->table = LAYOUT_NONE;
}

/* The table that this one goes on with, NULL: it is a new one. */
static head *
head_for(joiner *j, guint index, guint row, gboolean noted, evidence *e)
{
    const guint sheet = layout_work_para(j->work, index)->sheet;
    for (guint i = j->heads->len; i-- > 0;) {
        head *h = &g_array_index(j->heads, head, i);
        const gboolean adjacent =
            i + 1 == j->heads->len && !j->blocked && !rest_between(j, h, sheet, row);
        if (goes_on(j, h, index, adjacent, noted, e)) return h;
    }
    return NULL;
}

static void
table_meet(joiner *j, guint index, gboolean noted)
{
    const layout_para *para = layout_work_para(j->work, index);
    const layout_table_region *region = region_of(j->work, para->sheet, para->table);
    evidence e;
    guint row = 0;
    const gboolean stands = region->n_rows > 0 && region->cells->len > 0 &&
                            row_of(layout_work_sheet(j->work, para->sheet), para->table, &row);
    head *h = stands ? head_for(j, index, row, noted, &e) : NULL;
    if (h != NULL) {
        take(j, h, index, row, &e);
        /* now it is the latest */
        head moved = *h;
        g_array_remove_index(j->heads, (guint)(h - (head *)(gpointer)j->heads->data));
        g_array_append_val(j->heads, moved);
    } else {
        head fresh = {.para = index,
                      .sheet = para->sheet,
                      .row = row,
                      .table = para->table,
                      .n_rows = region->n_rows,
                      .announced = layout_parts_has_remark(region, TRUE)};
        if (j->heads->len == HEADS_KEPT) g_array_remove_index(j->heads, 0);
        g_array_append_val(j->heads, fresh);
    }
    rest_drop(j, para->sheet);
    j->blocked = FALSE;
    g_array_set_size(j->remarks, 0);
}

/* Blocks that were taken go; parents follow. */
static void
paras_drop(layout_work *work)
{
    const guint n = work->paras->len;
    g_autofree int *now = g_new(int, n + 1);
    int kept = 0;
    for (guint i = 0; i < n; i++) {
        const layout_para *para = layout_work_para(work, i);
        now[i] =
            para->places->len > 0 || para->figure >= 0 || para->table >= 0 ? kept++ : LAYOUT_NONE;
    }
    if ((guint)kept == n) return;
    for (guint i = 0; i < n; i++) {
        layout_para *para = layout_work_para(work, i);
        if (para->parent >= 0) para->parent = now[para->parent];
    }
    layout_paras_drop_empty(work);
}

void
layout_tables_join(layout_work *work)
{
    joiner j = {.work = work,
                .caption_of = g_new(int, work->paras->len + 1),
                .heads = g_array_new(FALSE, FALSE, sizeof(head)),
                .remarks = g_array_new(FALSE, FALSE, sizeof(guint)),
                .rest = g_array_new(FALSE, FALSE, sizeof(layout_place)),
                .map = g_array_new(FALSE, TRUE, sizeof(guint))};
    guint n_tables = 0;
    gboolean noted = FALSE;
    for (guint i = 0; i < work->paras->len; i++) {
        j.caption_of[i] = LAYOUT_NONE;
        n_tables += layout_work_para(work, i)->table >= 0 ? 1 : 0;
    }
    for (guint i = 0; n_tables > 1 && i < work->paras->len; i++) {
        const layout_para *para = layout_work_para(work, i);
        if (para->type == LAYOUT_BLOCK_CAPTION && para->parent >= 0)
            j.caption_of[para->parent] = (int)i;
    }
    for (guint i = 0; n_tables > 1 && i < work->paras->len; i++) {
        const layout_para *para = layout_work_para(work, i);
        layout_work_release(work);
        if (para->table >= 0) {
            table_meet(&j, i, noted);
            noted = FALSE;
            continue;
        }
        if (para->type == LAYOUT_BLOCK_FOOTNOTE || layout_block_type_is_furniture(para->type) ||
            (para->type == LAYOUT_BLOCK_CAPTION && para->parent >= 0))
            continue;
        rest_add(&j, para);
        if (j.blocked) continue;
        if (is_remark(work, para)) {
            g_array_append_val(j.remarks, i);
        } else if (is_note(work, para)) {
            noted = TRUE;
        } else {
            j.blocked = TRUE;
            g_array_set_size(j.remarks, 0);
        }
    }
    paras_drop(work);
    g_free(j.caption_of);
    g_array_unref(j.heads);
    g_array_unref(j.remarks);
    g_array_unref(j.rest);
    g_array_unref(j.map);
}
