/* What looks like a table and is none: text in frames and columns, bibliographies, programs, plots. */
#include "layout/flow.h"
#include "layout/tables.h"

#include <math.h>
#include <string.h>

static float
width_of(layout_rect r)
{
    return r.x1 - r.x0;
}

guint
layout_table_filled(const layout_table_region *table)
{
    guint n = 0;
    for (guint i = 0; i < table->cells->len; i++) {
        const layout_grid_cell *cell = &g_array_index(table->cells, layout_grid_cell, i);
        n += *cell->text != '\0' || cell->picture.x1 > cell->picture.x0 ? 1 : 0;
    }
    return n;
}

gboolean
layout_table_is_prose(const layout_sheet *sheet, const GArray *segs,
                      const layout_table_region *table)
{
    guint chars = 0;
    for (guint i = 0; i < segs->len; i++)
        chars += layout_sheet_seg(sheet, g_array_index(segs, guint, i))->n_chars;
    guint cells = MAX(1, layout_table_filled(table));
    return table->n_cols == 2 && table->n_rows <= 3 && chars / cells > 160;
}

gboolean
layout_table_is_bibliography(const layout_table_region *table)
{
    guint labels = 0, others = 0, chars = 0;
    if (table->n_cols > 3) return FALSE;
    for (guint i = 0; i < table->cells->len; i++) {
        const layout_grid_cell *cell = &g_array_index(table->cells, layout_grid_cell, i);
        chars += (guint)strlen(cell->text);
        if (cell->col > 0 || *cell->text == '\0') continue;
        if (*cell->text == '[' && layout_reference_marker(cell->text, NULL) > 0)
            labels++;
        else
            others++;
    }
    return labels >= 2 && labels > 2 * others && chars > 60 * labels;
}

gboolean
layout_table_has_caption(const layout_sheet *sheet, layout_rect box)
{
    for (guint i = 0; i < sheet->captions->len; i++) {
        const layout_caption_region *c = &g_array_index(sheet->captions, layout_caption_region, i);
        if (c->kind == LAYOUT_CAPTION_TABLE && c->box.y0 < box.y1 + 40 && c->box.y1 > box.y0 - 40)
            return TRUE;
    }
    return FALSE;
}

/* What is drawn in box. covered: the share of it that drawings with curves and images lie
 * under; legend: that drawings larger than it lie under. */
static layout_cluster
drawn_in(const layout_sheet *sheet, layout_rect box, float *covered, float *legend)
{
    layout_cluster all = {.box = box};
    float area = width_of(box) * (box.y1 - box.y0), under = 0;
    for (guint i = 0; i < sheet->clusters->len; i++) {
        const layout_cluster *c = &g_array_index(sheet->clusters, layout_cluster, i);
        float shared = layout_rect_overlap(c->box, box);
        float least = MIN(width_of(c->box) * (c->box.y1 - c->box.y0), area);
        float whole = MAX(1, width_of(c->box) * (c->box.y1 - c->box.y0));
        gboolean curved = c->n_curves >= 10 && 2 * c->n_curves > c->n_rules + c->n_rects;
        if (shared > 0) under += curved ? shared : shared * MIN(1, c->image_area / whole);
        /* a legend lies in a drawing that reaches further than it */
        gboolean larger = whole > 1.3F * shared && c->n_curves + c->n_rects + c->n_rules >= 12;
        if (shared > 0 && larger) *legend += shared / MAX(area, 1);
        if (shared <= 0 || shared < 0.5F * least) continue;
        all.n_curves += c->n_curves;
        all.n_rects += c->n_rects;
        all.n_rules += c->n_rules;
        all.n_images += c->n_images;
        all.image_area += c->image_area;
    }
    *covered = area > 0 ? under / area : 0;
    return all;
}

gboolean
layout_table_is_drawing(const layout_sheet *sheet, layout_rect box)
{
    float figure = G_MAXFLOAT, table = G_MAXFLOAT, covered = 0, legend = 0;
    for (guint i = 0; i < sheet->captions->len; i++) {
        const layout_caption_region *c = &g_array_index(sheet->captions, layout_caption_region, i);
        if (layout_overlap_1d(c->box.x0, c->box.x1, box.x0, box.x1) <= 0) continue;
        float below = c->box.y0 - box.y1, above = box.y0 - c->box.y1;
        float gap = MAX(MAX(below, above), 0);
        if (c->kind == LAYOUT_CAPTION_TABLE && gap < 40) table = MIN(table, gap);
        if (c->kind == LAYOUT_CAPTION_FIGURE && below > -6 && gap < 260) figure = MIN(figure, gap);
    }
    if (table < G_MAXFLOAT && table <= figure + 10) return FALSE;
    layout_cluster d = drawn_in(sheet, box, &covered, &legend);
    if (figure < G_MAXFLOAT && legend > 0.6F) return TRUE;
    if (figure < 60 && (d.n_curves > 0 || d.n_images > 0 || d.n_rects >= 6)) return TRUE;
    return (d.n_curves >= 10 && 2 * d.n_curves > d.n_rules + d.n_rects) || covered > 0.7F;
}

gboolean
layout_table_is_program(layout_work *work, const layout_sheet *sheet, const GArray *segs,
                        const layout_table_rules *rules, gboolean captioned)
{
    guint mono = 0;
    gboolean typed = layout_work_font(work, work->body_font)->flags & LAYOUT_SPAN_MONO;
    for (guint i = 0; i < segs->len; i++) {
        const layout_seg *seg = layout_sheet_seg(sheet, g_array_index(segs, guint, i));
        const char *text = sheet->text->str + seg->start;
        if (layout_caption_match(text, seg->len, NULL, NULL) == LAYOUT_CAPTION_OTHER) return TRUE;
        mono += seg->flags & LAYOUT_SPAN_MONO ? 1 : 0;
    }
    return !typed && !captioned && rules->vertical->len < 3 && mono * 5 >= segs->len * 4;
}

static int
compare_left(gconstpointer a, gconstpointer b, gpointer data)
{
    const layout_sheet *sheet = data;
    guint i = *(const guint *)a, k = *(const guint *)b;
    float x = layout_sheet_seg(sheet, i)->box.x0, y = layout_sheet_seg(sheet, k)->box.x0;
    if (x != y) return x < y ? -1 : 1;
    return (i > k) - (i < k);
}

gboolean
layout_table_is_columns(const layout_sheet *sheet, GArray *segs)
{
    guint columns = 0, held = 0, words = 0;
    g_array_sort_with_data(segs, compare_left, (gpointer)sheet);
    for (guint from = 0, to; from < segs->len; from = to) {
        const layout_seg *first = layout_sheet_seg(sheet, g_array_index(segs, guint, from));
        float right = first->box.x1;
        guint full = 0;
        for (to = from; to < segs->len; to++) {
            const layout_seg *seg = layout_sheet_seg(sheet, g_array_index(segs, guint, to));
            if (seg->box.x0 > first->box.x0 + 2) break;
            right = MAX(right, seg->box.x1);
        }
        for (guint i = from; i < to; i++) {
            const layout_seg *seg = layout_sheet_seg(sheet, g_array_index(segs, guint, i));
            full += seg->box.x1 > right - 2.5F ? 1 : 0;
            words += seg->n_words;
        }
        if (to - from < 5 || full * 2 <= to - from) continue;
        columns++;
        held += to - from;
    }
    return columns >= 2 && held * 10 >= segs->len * 7 && words >= 3 * segs->len;
}

gboolean
layout_table_has_columns(const layout_table_region *table)
{
    guint first = 0;
    gboolean found = FALSE;
    for (guint i = 0; i < table->cells->len; i++) {
        const layout_grid_cell *cell = &g_array_index(table->cells, layout_grid_cell, i);
        if (*cell->text == '\0') continue;
        if (found && cell->col != first) return TRUE;
        first = cell->col;
        found = TRUE;
    }
    return FALSE;
}

gboolean
layout_table_is_stretched(const layout_table_region *table)
{
    guint row = 0, divided = 0, full = 0, words = 0;
    for (guint i = 0; i < table->cells->len; i++) {
        const layout_grid_cell *cell = &g_array_index(table->cells, layout_grid_cell, i);
        if (*cell->text == '\0') continue;
        if (cell->col == 0 && cell->col_span == table->n_cols) {
            full++;
            words += strchr(cell->text, ' ') != NULL ? 1 : 0;
            continue;
        }
        if (divided > 0 && cell->row != row) return FALSE;
        if (strpbrk(cell->text, " \n") != NULL) return FALSE;
        row = cell->row;
        divided++;
    }
    return divided >= 3 && full > 0 && words == full;
}

gboolean
layout_table_is_legend(const layout_sheet *sheet, const GArray *segs, layout_rect box)
{
    layout_rect text = layout_sheet_seg(sheet, g_array_index(segs, guint, 0))->box;
    for (guint i = 1; i < segs->len; i++)
        text = layout_rect_join(text, layout_sheet_seg(sheet, g_array_index(segs, guint, i))->box);
    return width_of(text) < 0.5F * width_of(box) && text.y1 - text.y0 < 0.5F * (box.y1 - box.y0);
}

/* ---- plots ---- */

#define MAX_STEPS 64

typedef struct {
    double at[MAX_STEPS];
    guint n;
    gboolean other; /* something that is no number */
} steps;

/* The numbers of a cell, such as "1,000" and "20%". */
static void
steps_read(steps *s, const char *text)
{
    for (const char *at = text; *at != '\0';) {
        gsize len = strcspn(at, " \n");
        char number[32];
        gsize n = 0;
        gboolean minus =
            g_str_has_prefix(at, "\xE2\x88\x92") || g_str_has_prefix(at, "\xE2\x80\x93");
        if (minus) number[n++] = '-';
        for (gsize i = minus ? 3 : 0; i < len && n + 1 < sizeof number; i++)
            if (at[i] != ',' && at[i] != '$' && !(at[i] == '%' && i + 1 == len))
                number[n++] = at[i];
        number[n] = '\0';
        char *end = number;
        double value = g_ascii_strtod(number, &end);
        if (len > 0 && (end == number || *end != '\0' || !isfinite(value)))
            s->other = TRUE;
        else if (len > 0 && s->n < MAX_STEPS)
            s->at[s->n++] = value;
        at += len;
        at += *at != '\0' ? 1 : 0;
    }
}

/* Steps of one size, at least so many: of an axis upwards on the page if down, else to the right. */
static gboolean
is_axis(const steps *s, guint least, gboolean down)
{
    if (s->n < least) return FALSE;
    double step = s->at[1] - s->at[0], slack = 0.02 * fabs(step);
    if (down ? step >= 0 : step <= 0) return FALSE;
    gboolean years = fabs(step) <= 1 && s->at[0] > 1800 && s->at[0] < 2100;
    for (guint i = 2; i < s->n; i++)
        if (fabs(s->at[i] - s->at[i - 1] - step) > slack) return FALSE;
    return !years;
}

/* Do the steps of an axis stand right below box? */
static gboolean
is_axis_below(const layout_sheet *sheet, layout_rect box)
{
    steps s = {0};
    float baseline = G_MAXFLOAT, x1 = -G_MAXFLOAT;
    gboolean sorted = TRUE;
    for (guint pass = 0; pass < 2; pass++)
        for (guint i = 0; i < sheet->segs->len; i++) {
            const layout_seg *seg = layout_sheet_seg(sheet, i);
            const float middle = seg->baseline - 0.3F * seg->size_pt;
            if (seg->turn != 0 || middle < box.y1 || middle > box.y1 + 2.5F * seg->size_pt ||
                seg->box.x0 < box.x0 - 2 * seg->size_pt || seg->box.x1 > box.x1 + 2 * seg->size_pt)
                continue;
            if (pass == 0) {
                baseline = MIN(baseline, seg->baseline);
            } else if (seg->baseline < baseline + 0.4F * seg->size_pt) {
                g_autofree char *text = g_strndup(sheet->text->str + seg->start, seg->len);
                sorted = sorted && seg->box.x0 > x1;
                x1 = seg->box.x1;
                steps_read(&s, text);
            }
        }
    return sorted && !s.other && is_axis(&s, 5, FALSE);
}

gboolean
layout_table_is_plot(const layout_sheet *sheet, const layout_table_region *table)
{
    if (is_axis_below(sheet, table->box)) return TRUE;
    guint axes = 0, held = 0, filled = layout_table_filled(table);
    for (guint c = 0; c < table->n_cols; c++) {
        steps s = {0};
        guint cells = 0;
        for (guint i = 0; i < table->cells->len; i++) {
            const layout_grid_cell *cell = &g_array_index(table->cells, layout_grid_cell, i);
            if (cell->col != c || *cell->text == '\0') continue;
            cells++;
            steps_read(&s, cell->text);
        }
        if (s.other || !is_axis(&s, 4, TRUE)) continue;
        axes++;
        held += cells;
    }
    /* beside its axis a plot is mostly empty */
    if (axes > 0 && 2 * (filled - held) <= table->n_rows * (table->n_cols - axes)) return TRUE;
    for (guint r = table->n_rows / 2; r < table->n_rows; r++) {
        steps s = {0};
        for (guint i = 0; i < table->cells->len; i++) {
            const layout_grid_cell *cell = &g_array_index(table->cells, layout_grid_cell, i);
            if (cell->row == r) steps_read(&s, cell->text);
        }
        if (!s.other && is_axis(&s, 5, FALSE)) return TRUE;
    }
    return FALSE;
}
