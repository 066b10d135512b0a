/* Paragraphs that go on: in the next column, on the next page, behind a figure. */
#include "layout/flow.h"

#include <math.h>
#include <string.h>

#define MAX_SKIP 24

static gboolean
may_join(layout_block_type type)
{
    return type == LAYOUT_BLOCK_PARAGRAPH || type == LAYOUT_BLOCK_LIST_ITEM ||
           type == LAYOUT_BLOCK_ABSTRACT || type == LAYOUT_BLOCK_FOOTNOTE;
}

static gboolean
may_skip(const layout_para *para)
{
    layout_block_type type = para->type;
    return para->algorithm || type == LAYOUT_BLOCK_FIGURE || type == LAYOUT_BLOCK_TABLE ||
           type == LAYOUT_BLOCK_CAPTION || type == LAYOUT_BLOCK_FOOTNOTE ||
           layout_block_type_is_furniture(type);
}

static gboolean
same_place(const layout_para *a, const layout_para *b)
{
    const layout_place *x = &g_array_index(a->places, layout_place, a->places->len - 1);
    const layout_place *y = &g_array_index(b->places, layout_place, 0);
    return x->sheet == y->sheet;
}

/* Does b continue a? skipped: floats or notes stood between. */
static gboolean
continues(const layout_work *work, const layout_para *a, const layout_para *b, gboolean skipped)
{
    const layout_row *last = layout_para_row(work, a, a->places->len - 1);
    const layout_row *first = layout_para_row(work, b, 0);
    if (!skipped && same_place(a, b) && last->region == first->region) return FALSE;
    if (fabsf(last->size_pt - first->size_pt) > 0.06F * last->size_pt + 0.2F) return FALSE;
    if (last->bold_end != first->bold_start && ((last->flags ^ first->flags) & LAYOUT_SPAN_BOLD))
        return FALSE;
    g_autofree char *end = layout_para_row_text(work, a, a->places->len - 1);
    g_autofree char *begin = layout_para_row_text(work, b, 0);
    gsize len = strlen(end);
    if (len == 0 || begin[0] == '\0') return FALSE;
    gunichar ch = g_utf8_get_char(begin);
    gboolean full = last->box.x1 > last->right - 1.8F * last->size_pt;
    gboolean hyphen = end[len - 1] == '-' || g_str_has_suffix(end, "\xC2\xAD") ||
                      g_str_has_suffix(end, "\xE2\x80\x90");
    if (hyphen && full && g_unichar_isalpha(ch)) return TRUE;
    if (layout_text_ends_sentence(end, len)) return FALSE;
    if (g_unichar_islower(ch)) return full || end[len - 1] == ',';
    if (!full) return FALSE;
    float indent = first->box.x0 - first->col_x0;
    return indent < 0.5F * first->size_pt && end[len - 1] != ':';
}

void
layout_join(layout_work *work)
{
    for (guint i = 0; i < work->paras->len; i++) {
        layout_para *para = layout_work_para(work, i);
        layout_work_release(work);
        if (!may_join(para->type) || para->places->len == 0) continue;
        gboolean skipped = FALSE;
        for (guint k = i + 1, n = 0; k < work->paras->len && n < MAX_SKIP; k++, n++) {
            layout_para *next = layout_work_para(work, k);
            gboolean mate =
                next->type == LAYOUT_BLOCK_PARAGRAPH ||
                (para->type == LAYOUT_BLOCK_FOOTNOTE && next->type == LAYOUT_BLOCK_FOOTNOTE);
            if (next->places->len == 0 && next->figure < 0 && next->table < 0) continue;
            if (mate && next->places->len > 0 && continues(work, para, next, skipped)) {
                layout_para_take_places(para, next);
                skipped = FALSE;
                continue;
            }
            if (!may_skip(next)) break;
            skipped = TRUE;
        }
    }
    layout_paras_drop_empty(work);
}
