/* Memory and small geometry of the analysis: sheets, the work in hand, blocks in the making. */
#include "layout/analyze.h"
#include "layout/spill.h"
#include "layout/turned.h"

#include <math.h>
#include <string.h>

static void
link_clear(gpointer data)
{
    layout_link *link = data;
    g_free(link->uri);
    g_free(link->dest);
}

static void
grid_cell_clear(gpointer data)
{
    layout_grid_cell *cell = data;
    g_free(cell->text);
    g_clear_pointer(&cell->parts, g_array_unref);
}

static void
table_region_clear(gpointer data)
{
    layout_table_region *table = data;
    g_clear_pointer(&table->cells, g_array_unref);
}

layout_sheet *
layout_sheet_new(int index)
{
    layout_sheet *sheet = g_new0(layout_sheet, 1);
    sheet->index = sheet->page = index;
    sheet->text = g_string_new(NULL);
    sheet->words = g_array_new(FALSE, FALSE, sizeof(layout_word));
    sheet->styles = g_array_new(FALSE, FALSE, sizeof(layout_style));
    sheet->marks = g_array_new(FALSE, FALSE, sizeof(layout_mark));
    sheet->segs = g_array_new(FALSE, FALSE, sizeof(layout_seg));
    sheet->hrules = g_array_new(FALSE, FALSE, sizeof(layout_rule));
    sheet->vrules = g_array_new(FALSE, FALSE, sizeof(layout_rule));
    sheet->fills = g_array_new(FALSE, FALSE, sizeof(layout_fill));
    sheet->clusters = g_array_new(FALSE, FALSE, sizeof(layout_cluster));
    sheet->shapes = g_array_new(FALSE, FALSE, sizeof(layout_rect));
    sheet->pictures = g_array_new(FALSE, FALSE, sizeof(layout_rect));
    sheet->links = g_array_new(FALSE, FALSE, sizeof(layout_link));
    g_array_set_clear_func(sheet->links, link_clear);
    sheet->captions = g_array_new(FALSE, FALSE, sizeof(layout_caption_region));
    sheet->panels = g_array_new(FALSE, FALSE, sizeof(layout_panel_region));
    sheet->figures = g_array_new(FALSE, FALSE, sizeof(layout_figure_region));
    sheet->tables = g_array_new(FALSE, FALSE, sizeof(layout_table_region));
    g_array_set_clear_func(sheet->tables, table_region_clear);
    sheet->rows = g_array_new(FALSE, FALSE, sizeof(layout_row));
    sheet->row_segs = g_array_new(FALSE, FALSE, sizeof(guint));
    sheet->losses = g_array_new(FALSE, FALSE, sizeof(layout_loss));
    sheet->laid = g_array_new(FALSE, FALSE, sizeof(layout_laid));
    return sheet;
}

void
layout_sheet_free(layout_sheet *sheet)
{
    if (sheet == NULL) return;
    g_string_free(sheet->text, TRUE);
    g_array_unref(sheet->words);
    g_array_unref(sheet->styles);
    g_array_unref(sheet->marks);
    g_array_unref(sheet->segs);
    g_array_unref(sheet->hrules);
    g_array_unref(sheet->vrules);
    g_array_unref(sheet->fills);
    g_array_unref(sheet->clusters);
    g_array_unref(sheet->shapes);
    g_array_unref(sheet->pictures);
    g_array_unref(sheet->links);
    g_array_unref(sheet->captions);
    g_array_unref(sheet->panels);
    g_array_unref(sheet->figures);
    g_array_unref(sheet->tables);
    g_array_unref(sheet->rows);
    g_array_unref(sheet->row_segs);
    g_array_unref(sheet->losses);
    g_array_unref(sheet->laid);
    g_free(sheet->label);
    g_free(sheet->failure);
    g_free(sheet);
}

GArray *
layout_grid_cells_new(void)
{
    GArray *cells = g_array_new(FALSE, TRUE, sizeof(layout_grid_cell));
    g_array_set_clear_func(cells, grid_cell_clear);
    return cells;
}

layout_work *
layout_work_new(void)
{
    layout_work *work = g_new0(layout_work, 1);
    work->sheets = g_ptr_array_new_with_free_func((GDestroyNotify)layout_sheet_free);
    work->residency = layout_residency_new();
    work->paras = g_ptr_array_new_with_free_func((GDestroyNotify)layout_para_free);
    work->authors = g_ptr_array_new_with_free_func(g_free);
    work->fonts = layout_fonts_new();
    work->font_ids = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    work->link_uses = g_array_new(FALSE, FALSE, sizeof(layout_link_use));
    work->vocabulary = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    work->body_pt = 10;
    work->leading_pt = 12;
    return work;
}

void
layout_work_free(layout_work *work)
{
    if (work == NULL) return;
    g_ptr_array_unref(work->sheets);
    for (guint i = 0; i < work->paras->len; i++)
        layout_para_free(layout_work_para(work, i));
    g_ptr_array_set_free_func(work->paras, NULL);
    g_ptr_array_unref(work->paras);
    layout_residency_free(work->residency);
    g_ptr_array_unref(work->authors);
    if (work->captions != NULL) g_array_unref(work->captions);
    g_array_unref(work->fonts);
    g_hash_table_unref(work->font_ids);
    g_array_unref(work->link_uses);
    g_hash_table_unref(work->vocabulary);
    g_free(work);
}

layout_para *
layout_para_new(layout_work *work, layout_block_type type, guint sheet)
{
    layout_para *para = layout_spill_alloc(layout_work_spill(work), sizeof *para);
    *para = (layout_para){
        .type = type, .sheet = sheet, .spill = layout_work_spill(work), .confidence = 1};
    para->figure = para->table = para->parent = para->block = LAYOUT_NONE;
    return para;
}

static void
places_append(layout_para *para, const layout_place *places, guint n)
{
    layout_places *all = para->places;
    g_assert(n <= G_MAXUINT / 4 - all->len);
    if (all->len + n > all->room) {
        guint room = MAX(2 * all->room, all->len + n + 2);
        all->data = layout_spill_grow(para->spill, all->data, all->len * sizeof *places,
                                      room * sizeof *places);
        all->room = room;
    }
    memcpy(all->data + all->len, places, n * sizeof *places);
    all->len += n;
}

void
layout_para_add_place(layout_para *para, guint sheet, guint row)
{
    layout_place place = {sheet, row};
    places_append(para, &place, 1);
}

void
layout_para_take_places(layout_para *to, layout_para *from)
{
    if (from->places->len > 0) places_append(to, from->places->data, from->places->len);
    from->places->len = 0;
}

void
layout_para_free(layout_para *para)
{
    if (para == NULL) return;
    g_free(para->text);
    g_free(para->marker);
    g_free(para->number);
}

layout_rect
layout_rect_turn(layout_rect box, guint turn, float width, float height)
{
    switch (turn & 3) {
    case 1: /* text runs up the page: the page's left edge becomes the top */
        return (layout_rect){height - box.y1, box.x0, height - box.y0, box.x1};
    case 2:
        return (layout_rect){width - box.x1, height - box.y1, width - box.x0, height - box.y0};
    case 3: /* text runs down the page */
        return (layout_rect){box.y0, width - box.x1, box.y1, width - box.x0};
    default:
        return box;
    }
}

layout_rect
layout_rect_unturn(layout_rect box, guint turn, float width, float height)
{
    switch (turn & 3) {
    case 1:
        return (layout_rect){box.y0, height - box.x1, box.y1, height - box.x0};
    case 2:
        return (layout_rect){width - box.x1, height - box.y1, width - box.x0, height - box.y0};
    case 3:
        return (layout_rect){width - box.y1, box.x0, width - box.y0, box.x1};
    default:
        return box;
    }
}

/* The upright hull of what the box is on the page as it was scanned. */
static layout_rect
rect_unskew(layout_rect box, float width, float height, float skew)
{
    layout_rect hull = {INFINITY, INFINITY, -INFINITY, -INFINITY};
    for (guint corner = 0; corner < 4; corner++) {
        float x = corner & 1 ? box.x1 : box.x0, y = corner & 2 ? box.y1 : box.y0;
        parse_unskew(width, height, skew, &x, &y);
        hull = layout_rect_join(hull, (layout_rect){x, y, x, y});
    }
    return hull;
}

layout_rect
layout_sheet_to_page(const layout_sheet *sheet, layout_rect box)
{
    const float w = sheet->whole.x1 - sheet->whole.x0, h = sheet->whole.y1 - sheet->whole.y0;
    layout_rect r = layout_rect_unturn(box, sheet->turn, sheet->page_width, sheet->page_height);
    r = layout_turned_undo(sheet->laid, r, sheet->page_width, sheet->page_height);
    r = (layout_rect){r.x0 - sheet->whole.x0, r.y0 - sheet->whole.y0, r.x1 - sheet->whole.x0,
                      r.y1 - sheet->whole.y0};
    if (sheet->skew != 0) r = rect_unskew(r, w, h, sheet->skew);
    r.x0 = CLAMP(r.x0, 0, w);
    r.x1 = CLAMP(r.x1, r.x0, w);
    r.y0 = CLAMP(r.y0, 0, h);
    r.y1 = CLAMP(r.y1, r.y0, h);
    return r;
}

layout_rect
layout_rect_join(layout_rect a, layout_rect b)
{
    return (layout_rect){MIN(a.x0, b.x0), MIN(a.y0, b.y0), MAX(a.x1, b.x1), MAX(a.y1, b.y1)};
}

float
layout_rect_overlap(layout_rect a, layout_rect b)
{
    float w = layout_overlap_1d(a.x0, a.x1, b.x0, b.x1);
    float h = layout_overlap_1d(a.y0, a.y1, b.y0, b.y1);
    return w > 0 && h > 0 ? w * h : 0;
}

int
layout_compare_float(gconstpointer a, gconstpointer b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

int
layout_seg_compare(gconstpointer a, gconstpointer b, gpointer data)
{
    const layout_sheet *sheet = data;
    guint i = *(const guint *)a, j = *(const guint *)b;
    const layout_seg *x = layout_sheet_seg(sheet, i), *y = layout_sheet_seg(sheet, j);
    if (x->baseline != y->baseline) return x->baseline < y->baseline ? -1 : 1;
    if (x->box.x0 != y->box.x0) return x->box.x0 < y->box.x0 ? -1 : 1;
    return (i > j) - (i < j);
}

guint
layout_seg_split(layout_sheet *sheet, guint index, guint n_words)
{
    layout_seg front = *layout_sheet_seg(sheet, index);
    g_assert(n_words > 0 && n_words < front.n_words);
    const layout_word *last = layout_sheet_word(sheet, front.first_word + n_words - 1);
    const layout_word *next = last + 1;
    uint32_t end = last->start + last->len, begin = next->start;
    guint first_style = front.first_style, n_styles = front.n_styles;
    front.len = end - front.start;
    front.box.x1 = last->x1;
    front.n_words = n_words;
    front.first_style = sheet->styles->len;
    front.n_styles = 0;
    front.n_chars =
        (guint)g_utf8_strlen(sheet->text->str + front.start, (gssize)front.len) - (n_words - 1);

    layout_seg *rest = layout_sheet_seg(sheet, index);
    rest->len = rest->start + rest->len - begin;
    rest->start = begin;
    rest->first_word += n_words;
    rest->n_words -= n_words;
    rest->box.x0 = next->x0;
    rest->n_chars -= MIN(rest->n_chars, front.n_chars);
    for (guint i = first_style; i < first_style + n_styles; i++) {
        layout_style style = *layout_sheet_style(sheet, i);
        uint32_t stop = style.start + style.len;
        if (style.start < end) {
            layout_style part = style;
            part.len = MIN(stop, end) - style.start;
            g_array_append_val(sheet->styles, part);
            front.n_styles++;
        }
        rest = layout_sheet_seg(sheet, index);
        if (stop <= begin) {
            rest->first_style++;
            rest->n_styles--;
        } else if (style.start < begin) {
            layout_style *kept = layout_sheet_style(sheet, i);
            kept->len = stop - begin;
            kept->start = begin;
        }
    }
    /* what is left may be set larger than what was cut off */
    float size = 0;
    rest = layout_sheet_seg(sheet, index);
    uint32_t most = 0;
    for (guint i = rest->first_style; i < rest->first_style + rest->n_styles; i++) {
        const layout_style *style = layout_sheet_style(sheet, i);
        size = MAX(size, style->size_pt);
        if (style->len <= most) continue;
        most = style->len;
        rest->font = style->font;
        rest->flags = (rest->flags & LAYOUT_SPAN_MATH) |
                      (style->flags & (LAYOUT_SPAN_BOLD | LAYOUT_SPAN_ITALIC | LAYOUT_SPAN_MONO |
                                       LAYOUT_STYLE_CAPS));
    }
    if (size > 0) rest->size_pt = size;
    g_array_append_val(sheet->segs, front);
    return sheet->segs->len - 1;
}

guint
layout_sheet_marks(const layout_sheet *sheet, const layout_seg *seg, guint *n)
{
    guint lo = 0, hi = sheet->marks->len;
    while (lo < hi) {
        guint mid = lo + (hi - lo) / 2;
        if (g_array_index(sheet->marks, layout_mark, mid).start < seg->start)
            lo = mid + 1;
        else
            hi = mid;
    }
    const guint first = lo;
    while (lo < sheet->marks->len &&
           g_array_index(sheet->marks, layout_mark, lo).start < seg->start + seg->len)
        lo++;
    *n = lo - first;
    return first;
}

char *
layout_row_text(const layout_sheet *sheet, const layout_row *row)
{
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < row->n_segs; i++) {
        guint index = g_array_index(sheet->row_segs, guint, row->first_seg + i);
        const layout_seg *seg = layout_sheet_seg(sheet, index);
        if (text->len > 0) g_string_append_c(text, ' ');
        g_string_append_len(text, sheet->text->str + seg->start, seg->len);
    }
    return g_string_free(text, FALSE);
}
