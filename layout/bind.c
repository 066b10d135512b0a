/* Captions and the figures and tables they belong to: the nearest on the same page that is not taken. */
#include "layout/flow.h"

#include <math.h>
#include <string.h>

typedef struct {
    float cost;
    guint caption, owner;
} bond;

static int
compare_bond(gconstpointer a, gconstpointer b)
{
    const bond *x = a, *y = b;
    if (x->cost != y->cost) return x->cost < y->cost ? -1 : 1;
    if (x->caption != y->caption) return x->caption < y->caption ? -1 : 1;
    return (x->owner > y->owner) - (x->owner < y->owner);
}

static layout_rect
para_box(const layout_work *work, const layout_para *para)
{
    const layout_sheet *sheet = layout_work_sheet(work, para->sheet);
    if (para->figure >= 0)
        return g_array_index(sheet->figures, layout_figure_region, para->figure).box;
    if (para->table >= 0) return g_array_index(sheet->tables, layout_table_region, para->table).box;
    layout_rect box = layout_para_row(work, para, 0)->box;
    for (guint i = 1; i < para->places->len; i++)
        if (g_array_index(para->places, layout_place, i).sheet == para->sheet)
            box = layout_rect_join(box, layout_para_row(work, para, i)->box);
    return box;
}

/* Which of its sheet's captions this block is. */
static int
caption_of(const layout_work *work, const layout_para *para)
{
    const layout_sheet *sheet = layout_work_sheet(work, para->sheet);
    guint first = layout_para_row(work, para, 0)->first_seg;
    return layout_sheet_seg(sheet, g_array_index(sheet->row_segs, guint, first))->caption;
}

/* Figures were made for their captions; tables, and figures that stand alone, go to the nearest. */
static float
bond_cost(const layout_work *work, const layout_para *caption, const layout_para *owner)
{
    const layout_sheet *sheet = layout_work_sheet(work, caption->sheet);
    int index = caption_of(work, caption);
    layout_caption_kind kind = LAYOUT_CAPTION_OTHER;
    if (index >= 0) kind = g_array_index(sheet->captions, layout_caption_region, index).kind;
    if (owner->figure >= 0) {
        int own = g_array_index(sheet->figures, layout_figure_region, owner->figure).caption;
        if (own != LAYOUT_NONE) return own == index ? 0 : G_MAXFLOAT;
    }
    layout_rect c = para_box(work, caption), o = para_box(work, owner);
    float across = layout_overlap_1d(c.x0, c.x1, o.x0, o.x1);
    float down = c.y0 > o.y1 ? c.y0 - o.y1 : o.y0 > c.y1 ? o.y0 - c.y1 : 0;
    float cost = down;
    if (across <= 0) cost += 60 - across;
    gboolean table = owner->table >= 0;
    if (!table) cost += 40;
    if ((kind == LAYOUT_CAPTION_TABLE) != table) cost += down > 40 ? 250 : 120;
    /* Captions stand below figures and above tables, mostly. */
    if (table ? c.y0 > o.y1 : o.y0 > c.y1) cost += 12;
    return cost;
}

void
layout_captions_bind(layout_work *work)
{
    g_autoptr(GArray) bonds = g_array_new(FALSE, FALSE, sizeof(bond));
    for (guint i = 0; i < work->paras->len; i++) {
        const layout_para *caption = layout_work_para(work, i);
        layout_work_release(work);
        if (caption->type != LAYOUT_BLOCK_CAPTION || caption->places->len == 0) continue;
        /* A page's blocks are neighbours in the list. */
        for (guint k = i > 60 ? i - 60 : 0; k < work->paras->len && k < i + 60; k++) {
            const layout_para *owner = layout_work_para(work, k);
            if (owner->sheet != caption->sheet || (owner->figure < 0 && owner->table < 0)) continue;
            bond one = {bond_cost(work, caption, owner), i, k};
            if (one.cost < 250) g_array_append_val(bonds, one);
        }
    }
    g_array_sort(bonds, compare_bond);
    g_autofree guint8 *taken = g_new0(guint8, work->paras->len + 1);
    for (guint i = 0; i < bonds->len; i++) {
        const bond *b = &g_array_index(bonds, bond, i);
        if (taken[b->caption] || taken[b->owner]) continue;
        taken[b->caption] = taken[b->owner] = 1;
        layout_work_release(work);
        layout_para *caption = layout_work_para(work, b->caption),
                    *owner = layout_work_para(work, b->owner);
        caption->parent = (int)b->owner;
        g_autofree char *text = layout_para_row_text(work, caption, 0);
        gsize len = 0;
        layout_caption_match(text, strlen(text), &len, NULL);
        g_free(owner->marker);
        owner->marker = g_strndup(text, len);
    }
}
