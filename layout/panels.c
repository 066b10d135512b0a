/* The parts of one figure: "(a)", "(b)" by their labels, else by the gaps between what is drawn.
 *
 * Boxes close to each other are one part. Where labels a, b, ... are printed, each part goes to the nearest
 * label; a picture that is one piece behind several labels is not cut. */
#include "layout/analyze.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PARTS    64
#define MAX_LABELS   16
#define JOIN_GAP_PT  5.0F
#define MIN_PANEL_PT 30.0F
#define LEAST_SHARE  0.15F /* of the largest part, without labels */
#define LABEL_REACH  60.0F

typedef struct {
    layout_rect box;
    char name;
    gboolean used;
    layout_rect panel;
} panel_label;

static float
area_of(layout_rect r)
{
    return MAX(0, r.x1 - r.x0) * MAX(0, r.y1 - r.y0);
}

/* How far apart; 0 where they touch. */
static float
distance(layout_rect a, layout_rect b)
{
    float dx = MAX(0, -layout_overlap_1d(a.x0, a.x1, b.x0, b.x1));
    float dy = MAX(0, -layout_overlap_1d(a.y0, a.y1, b.y0, b.y1));
    return sqrtf(dx * dx + dy * dy);
}

static guint
parts_join(layout_rect *parts, guint n)
{
    gboolean changed = TRUE;
    while (changed) {
        changed = FALSE;
        for (guint i = 0; i < n; i++)
            for (guint k = i + 1; k < n;) {
                if (distance(parts[i], parts[k]) > JOIN_GAP_PT) {
                    k++;
                    continue;
                }
                parts[i] = layout_rect_join(parts[i], parts[k]);
                parts[k] = parts[--n];
                changed = TRUE;
            }
    }
    return n;
}

/* "(a)", "a)", "(b) Purity", "A": the letter in lower case, 0 where there is none. */
static char
label_of(const char *text, gsize len)
{
    gsize i = 0;
    gboolean open = len > 0 && text[0] == '(';
    if (open) i++;
    if (i >= len || !g_ascii_isalpha(text[i])) return 0;
    char name = g_ascii_tolower(text[i++]);
    if (i < len && text[i] == ')') return name;
    if (!open && i == len && g_ascii_isupper(text[0])) return name;
    return 0;
}

/* The labels among figure index's text, in alphabetical order from a; how many. */
static guint
labels_find(const layout_sheet *sheet, guint index, panel_label *labels)
{
    guint n = 0;
    for (guint i = 0; i < sheet->segs->len && n < MAX_LABELS; i++) {
        const layout_seg *seg = layout_sheet_seg(sheet, i);
        if (seg->role != LAYOUT_ROLE_FIGURE || seg->owner != (int)index || seg->turn != 0) continue;
        char name = label_of(sheet->text->str + seg->start, seg->len);
        if (name == 0) continue;
        gboolean known = FALSE;
        for (guint k = 0; k < n; k++)
            known = known || labels[k].name == name;
        if (!known) labels[n++] = (panel_label){.box = seg->box, .name = name};
    }
    for (guint i = 1; i < n; i++)
        for (guint k = i; k > 0 && labels[k].name < labels[k - 1].name; k--) {
            panel_label t = labels[k];
            labels[k] = labels[k - 1];
            labels[k - 1] = t;
        }
    for (guint i = 0; i < n; i++)
        if (labels[i].name != (char)('a' + i)) return i;
    return n;
}

static void
panel_add(layout_sheet *sheet, layout_figure_region *figure, layout_rect box, char name)
{
    layout_panel_region panel = {.box = box, .label = {name, '\0'}};
    if (figure->n_panels++ == 0) figure->first_panel = sheet->panels->len;
    g_array_append_val(sheet->panels, panel);
}

static gboolean
panels_by_label(layout_sheet *sheet, layout_figure_region *figure, guint index,
                const layout_rect *parts, guint n)
{
    panel_label labels[MAX_LABELS];
    guint n_labels = labels_find(sheet, index, labels), with = 0;
    if (n_labels < 2 || n < n_labels) return FALSE;
    for (guint i = 0; i < n; i++) {
        guint best = 0;
        float least = G_MAXFLOAT;
        for (guint k = 0; k < n_labels; k++) {
            float cost = distance(parts[i], labels[k].box);
            /* of two as near: the one it stands above, or whose line begins at its left */
            cost += 0.02F * fabsf(parts[i].x0 + parts[i].x1 - labels[k].box.x0 - labels[k].box.x1);
            if (cost < least) best = k;
            least = MIN(least, cost);
        }
        panel_label *label = &labels[best];
        if (least > LABEL_REACH + 0.02F * (figure->box.x1 - figure->box.x0) &&
            area_of(parts[i]) < 0.05F * area_of(figure->box))
            continue;
        label->panel = label->used ? layout_rect_join(label->panel, parts[i]) : parts[i];
        label->used = TRUE;
    }
    for (guint k = 0; k < n_labels; k++)
        with += labels[k].used ? 1 : 0;
    if (with < n_labels) return FALSE;
    for (guint k = 0; k < n_labels; k++)
        panel_add(sheet, figure, layout_rect_join(labels[k].panel, labels[k].box), labels[k].name);
    return TRUE;
}

static int
compare_reading(gconstpointer a, gconstpointer b)
{
    const layout_rect *x = a, *y = b;
    if (x->y0 != y->y0) return x->y0 < y->y0 ? -1 : 1;
    return (x->x0 > y->x0) - (x->x0 < y->x0);
}

/* Rows from top to bottom, each from left to right. */
static void
reading_sort(layout_rect *boxes, guint n)
{
    qsort(boxes, n, sizeof *boxes, compare_reading);
    for (guint from = 0; from < n;) {
        guint to = from + 1;
        float bottom = boxes[from].y1;
        while (to < n && boxes[to].y0 < 0.5F * (boxes[from].y0 + bottom))
            to++;
        for (guint i = from + 1; i < to; i++)
            for (guint k = i; k > from && boxes[k].x0 < boxes[k - 1].x0; k--) {
                layout_rect t = boxes[k];
                boxes[k] = boxes[k - 1];
                boxes[k - 1] = t;
            }
        from = to;
    }
}

static void
panels_by_gap(layout_sheet *sheet, layout_figure_region *figure, layout_rect *parts, guint n)
{
    float largest = 0;
    guint kept = 0;
    for (guint i = 0; i < n; i++)
        largest = MAX(largest, area_of(parts[i]));
    for (guint i = 0; i < n; i++) {
        gboolean small =
            parts[i].x1 - parts[i].x0 < MIN_PANEL_PT || parts[i].y1 - parts[i].y0 < MIN_PANEL_PT;
        if (!small && area_of(parts[i]) >= LEAST_SHARE * largest) parts[kept++] = parts[i];
    }
    if (kept < 2) return;
    reading_sort(parts, kept);
    for (guint i = 0; i < kept; i++)
        panel_add(sheet, figure, parts[i], '\0');
}

/* Labels of axes belong to the panel they stand at. */
static void
panels_take_text(layout_sheet *sheet, const layout_figure_region *figure, guint index)
{
    for (guint i = 0; i < sheet->segs->len; i++) {
        const layout_seg *seg = layout_sheet_seg(sheet, i);
        if (seg->role != LAYOUT_ROLE_FIGURE || seg->owner != (int)index) continue;
        layout_panel_region *best = NULL;
        float least = 20;
        for (guint k = 0; k < figure->n_panels; k++) {
            layout_panel_region *panel =
                &g_array_index(sheet->panels, layout_panel_region, figure->first_panel + k);
            float d = distance(panel->box, seg->box);
            if (d < least) best = panel;
            least = MIN(least, d);
        }
        /* a title over all of them is nobody's */
        if (best != NULL && seg->box.x1 - seg->box.x0 < 1.2F * (best->box.x1 - best->box.x0))
            best->box = layout_rect_join(best->box, seg->box);
    }
}

void
layout_panels_find(layout_sheet *sheet, guint index, const layout_rect *parts, guint n_parts)
{
    layout_figure_region *figure = &g_array_index(sheet->figures, layout_figure_region, index);
    layout_rect joined[MAX_PARTS];
    if (n_parts < 2 || n_parts > MAX_PARTS) return;
    memcpy(joined, parts, n_parts * sizeof *parts);
    guint n = parts_join(joined, n_parts);
    if (n < 2) return;
    if (!panels_by_label(sheet, figure, index, joined, n)) panels_by_gap(sheet, figure, joined, n);
    if (figure->n_panels > 0) panels_take_text(sheet, figure, index);
}
