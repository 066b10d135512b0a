/* Algorithms: printed between rules, with a caption of their own between the first two of them.
 *
 *   ------------------------------   top rule
 *   Algorithm 3 Sorting eggs         caption
 *   ------------------------------
 *   1: for each egg do               steps, indented
 *   ------------------------------   bottom rule, of the same width
 *
 * They are found before tables are, which rules of one width look like. */
#include "layout/flow.h"

#include <math.h>
#include <string.h>

#define NEAR_PT 3

static gboolean
is_algorithm_label(const char *text, gsize len)
{
    static const char *const words[] = {"Algorithm", "ALGORITHM", "Procedure", "Listing"};
    for (guint i = 0; i < G_N_ELEMENTS(words); i++) {
        gsize n = strlen(words[i]);
        if (len > n + 1 && memcmp(text, words[i], n) == 0 && text[n] == ' ' &&
            g_ascii_isdigit(text[n + 1]))
            return TRUE;
    }
    return FALSE;
}

/* The next rule below y, as wide as like and not further down than limit; NULL where there is none. */
static const layout_rule *
rule_below(const layout_sheet *sheet, const layout_rule *like, float y, float limit)
{
    for (guint i = 0; i < sheet->hrules->len; i++) {
        const layout_rule *rule = &g_array_index(sheet->hrules, layout_rule, i);
        if (rule->y0 > limit) break;
        if (rule->y0 > y && fabsf(rule->x0 - like->x0) < NEAR_PT &&
            fabsf(rule->x1 - like->x1) < NEAR_PT)
            return rule;
    }
    return NULL;
}

/* The rule right above a caption. */
static const layout_rule *
rule_above(const layout_sheet *sheet, const layout_seg *seg)
{
    for (guint i = 0; i < sheet->hrules->len; i++) {
        const layout_rule *rule = &g_array_index(sheet->hrules, layout_rule, i);
        if (rule->y0 > seg->box.y0 + 0.5F * seg->size_pt) break;
        if (rule->y0 > seg->box.y0 - seg->size_pt && rule->x0 < seg->box.x0 + NEAR_PT &&
            rule->x0 > seg->box.x0 - 3 * seg->size_pt && rule->x1 > seg->box.x1 - NEAR_PT)
            return rule;
    }
    return NULL;
}

void
layout_code_find(layout_sheet *sheet)
{
    int id = 0;
    for (guint i = 0; i < sheet->segs->len && sheet->hrules->len >= 3; i++) {
        const layout_seg *seg = layout_sheet_seg(sheet, i);
        if (seg->turn != 0 || seg->role != LAYOUT_ROLE_TEXT || seg->code != 0 ||
            !is_algorithm_label(sheet->text->str + seg->start, seg->len))
            continue;
        const layout_rule *top = rule_above(sheet, seg);
        if (top == NULL) continue;
        float size = MAX(seg->size_pt, 4);
        const layout_rule *middle = rule_below(sheet, top, top->y1 + 2, seg->box.y1 + 3.5F * size);
        const layout_rule *bottom =
            middle != NULL ? rule_below(sheet, top, middle->y1 + size, sheet->height) : NULL;
        if (bottom == NULL) continue;
        id++;
        for (guint k = 0; k < sheet->segs->len; k++) {
            layout_seg *inner = layout_sheet_seg(sheet, k);
            float x = 0.5F * (inner->box.x0 + inner->box.x1);
            float y = inner->baseline - 0.3F * inner->size_pt;
            if (inner->turn != 0 || inner->role != LAYOUT_ROLE_TEXT || x < top->x0 || x > top->x1 ||
                y < top->y0 || y > bottom->y1)
                continue;
            inner->code = y < middle->y0 ? -id : id;
        }
    }
}
