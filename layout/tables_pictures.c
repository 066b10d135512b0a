/* Pictures in the cells of a table: photographs of what a row is about, flags, marks that are images. They take part in
 * the grid as pieces without text. */
#include "layout/tables_grid.h"

#include <math.h>

#define MIN_SIDE_PT 7.0F
/* More of the table than this is not in a cell of it. */
#define MAX_SHARE 0.4F

/* May picture stand in a cell of the table in box? */
static gboolean
fits(layout_rect picture, layout_rect box)
{
    const float width = picture.x1 - picture.x0, height = picture.y1 - picture.y0;
    return width >= MIN_SIDE_PT && height >= MIN_SIDE_PT &&
           width * height <= MAX_SHARE * (box.x1 - box.x0) * (box.y1 - box.y0) &&
           picture.x0 > box.x0 - 3 && picture.x1 < box.x1 + 3 && picture.y0 > box.y0 - 3 &&
           picture.y1 < box.y1 + 3;
}

/* Does another picture stand beside this one, the own-th? */
static gboolean
has_neighbour(const layout_grid *g, guint own)
{
    const layout_rect box = g_array_index(g->sheet->pictures, layout_rect, own);
    const float middle = 0.5F * (box.y0 + box.y1);
    for (guint i = 0; i < g->sheet->pictures->len; i++) {
        const layout_rect other = g_array_index(g->sheet->pictures, layout_rect, i);
        if (i != own && other.y0 < middle && other.y1 > middle && fits(other, g->box) &&
            layout_overlap_1d(other.x0, other.x1, box.x0, box.x1) <= 0)
            return TRUE;
    }
    return FALSE;
}

/* The line of text that p, a picture, stands beside: of those that it reaches over the one nearest to its middle, else
 * the line that it makes with other pictures. FALSE: it stands alone, or text is in it and it is a ground. */
static gboolean
line_find(const layout_grid *g, guint n_text, layout_piece *p)
{
    const layout_rect box = g_array_index(g->sheet->pictures, layout_rect, p->picture - 1);
    const float middle = 0.5F * (box.y0 + box.y1);
    float nearest = G_MAXFLOAT;
    p->baseline = middle + 0.3F * p->size;
    for (guint i = 0; i < n_text; i++) {
        const layout_piece *text = layout_grid_piece(g, i);
        const float x = 0.5F * (text->x0 + text->x1), y = text->baseline - 0.3F * text->size;
        if (y < box.y0 - 2 || y > box.y1 + 0.5F * text->size) continue;
        if (x > box.x0 && x < box.x1 && y > box.y0 && y < box.y1) return FALSE;
        if (fabsf(y - middle) >= nearest) continue;
        nearest = fabsf(y - middle);
        p->baseline = text->baseline;
    }
    return nearest < G_MAXFLOAT || has_neighbour(g, p->picture - 1);
}

guint
layout_table_pictures(const layout_sheet *sheet, layout_rect box)
{
    guint n = 0;
    for (guint i = 0; i < sheet->pictures->len; i++)
        n += fits(g_array_index(sheet->pictures, layout_rect, i), box) ? 1 : 0;
    return n;
}

void
layout_grid_pictures(layout_grid *g)
{
    const guint n_text = g->pieces->len;
    for (guint i = 0; i < g->sheet->pictures->len && n_text > 0; i++) {
        const layout_rect box = g_array_index(g->sheet->pictures, layout_rect, i);
        layout_piece p = *layout_grid_piece(g, 0);
        if (!fits(box, g->box)) continue;
        p.size = g->size;
        p.x0 = box.x0;
        p.x1 = p.first_x1 = box.x1;
        p.len = 0;
        p.flags = 0;
        p.picture = i + 1;
        if (line_find(g, n_text, &p)) g_array_append_val(g->pieces, p);
    }
}
