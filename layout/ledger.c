/* Loss accounting: every glyph of a page is in one place.
 *
 *   lines.c   glyphs of the page -> words, or a reason why not     n_glyphs = in words + discarded
 *   emit.c    words -> blocks, cells, figures, furniture           each adds what it took
 *   here      n_glyphs = text + table + figure + furniture + discarded, or something was lost
 *
 * The two ends are counted apart: the first from what the file draws, the last from what blocks were made
 * of. A segment that no block took is written down as lost, with its text, so that even a fault of ours
 * loses nothing silently; one that two blocks took makes the sum too large. */
#include "layout/analyze.h"
#include "layout/turned.h"

#include <math.h>
#include <string.h>

/* By layout_discard_reason; part of the JSON schema, so names are never changed. */
static const char *const reason_names[LAYOUT_N_DISCARD_REASONS] = {
    "space", "control",  "repeated", "invisible", "background",
    "tiny",  "off_page", "covered",  "lost",
};

const char *
layout_discard_reason_name(layout_discard_reason reason)
{
    g_assert((guint)reason < LAYOUT_N_DISCARD_REASONS);
    return reason_names[reason];
}

gboolean
layout_discard_reason_from_name(const char *name, layout_discard_reason *reason)
{
    for (guint i = 0; i < LAYOUT_N_DISCARD_REASONS; i++) {
        if (strcmp(name, reason_names[i]) != 0) continue;
        *reason = (layout_discard_reason)i;
        return TRUE;
    }
    return FALSE;
}

gboolean
layout_discard_reason_is_hidden(layout_discard_reason reason)
{
    return reason >= LAYOUT_DISCARD_INVISIBLE && reason <= LAYOUT_DISCARD_COVERED;
}

gboolean
layout_ledger_balances(const layout_ledger *ledger)
{
    guint64 sum = (guint64)ledger->n_text + ledger->n_table + ledger->n_figure;
    sum += ledger->n_furniture;
    for (guint i = 0; i < LAYOUT_N_DISCARD_REASONS; i++)
        sum += ledger->n_discarded[i];
    return sum == ledger->n_glyphs && ledger->n_discarded[LAYOUT_DISCARD_LOST] == 0;
}

/* Does a glyph at x, y go on where the last one of loss stands: on its line, or on the next one? */
static gboolean
goes_on(const layout_loss *loss, float x, float y, float size_pt)
{
    float reach = 3 * MAX(MAX(loss->size_pt, size_pt), 1);
    layout_rect box = loss->box;
    return fabsf(y - loss->y) < reach && x > box.x0 - reach && x < box.x1 + reach;
}

static void
loss_append(layout_loss *loss, GString *text, const parse_glyph *glyph, float size_pt,
            gboolean space)
{
    gboolean apart = fabsf(glyph->y - loss->y) > 0.5F * size_pt ||
                     fabsf(glyph->x - loss->x) > 2.5F * MAX(size_pt, 1);
    if ((space || apart) && loss->n_glyphs > 0) g_string_append_c(text, ' ');
    g_string_append_unichar(text, glyph->unicode);
    layout_rect box = {glyph->box.x0, glyph->box.y0, glyph->box.x1, glyph->box.y1};
    loss->box = loss->n_glyphs == 0 ? box : layout_rect_join(loss->box, box);
    loss->x = glyph->x;
    loss->y = glyph->y;
    loss->size_pt = size_pt;
    loss->n_glyphs++;
    loss->len = (uint32_t)text->len - loss->start;
}

void
layout_ledger_discard(layout_sheet *sheet, layout_discard_reason reason, const parse_glyph *glyph,
                      float size_pt, gboolean space)
{
    GArray *losses = sheet->losses;
    sheet->ledger.n_discarded[reason]++;
    if (reason == LAYOUT_DISCARD_SPACE || reason == LAYOUT_DISCARD_CONTROL) return;
    layout_loss *last =
        losses->len > 0 ? &g_array_index(losses, layout_loss, losses->len - 1) : NULL;
    if (last == NULL || last->reason != reason || !goes_on(last, glyph->x, glyph->y, size_pt)) {
        layout_loss next = {.reason = reason,
                            .start = (uint32_t)sheet->text->len,
                            .x = glyph->x,
                            .y = glyph->y,
                            .size_pt = size_pt};
        g_array_append_val(losses, next);
        last = &g_array_index(losses, layout_loss, losses->len - 1);
    }
    loss_append(last, sheet->text, glyph, size_pt, space);
}

guint
layout_ledger_count(const layout_sheet *sheet, uint32_t start, uint32_t len)
{
    guint lo = 0, hi = sheet->words->len, n = 0;
    while (lo < hi) {
        guint mid = lo + (hi - lo) / 2;
        if (layout_sheet_word(sheet, mid)->start < start)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (; lo < sheet->words->len; lo++) {
        const layout_word *word = layout_sheet_word(sheet, lo);
        if (word->start - start >= len) break;
        n += word->n_glyphs;
    }
    return n;
}

/* A segment that no block took: a fault, but nothing of the file vanishes. */
static void
lost_add(const layout_sheet *sheet, const layout_seg *seg, layout_builder *builder)
{
    g_autofree char *text = g_strndup(sheet->text->str + seg->start, seg->len);
    layout_discard discard = {.reason = LAYOUT_DISCARD_LOST,
                              .box = {sheet->page, layout_sheet_to_page(sheet, seg->box)},
                              .n_glyphs = layout_ledger_count(sheet, seg->start, seg->len),
                              .text = text};
    layout_builder_page(builder, sheet->page)->ledger.n_discarded[LAYOUT_DISCARD_LOST] +=
        discard.n_glyphs;
    layout_builder_add_discard(builder, &discard);
}

/* Text that no reader sees is worth a word: somebody meant it for machines. What the page cut off is not. */
static void
hidden_warn(const layout_sheet *sheet, layout_builder *builder)
{
    g_autoptr(GString) message = g_string_new("hidden text left out:");
    gsize empty = message->len;
    for (guint i = 0; i < LAYOUT_N_DISCARD_REASONS; i++) {
        guint n = sheet->ledger.n_discarded[i];
        if (n == 0 || i == LAYOUT_DISCARD_OFF_PAGE ||
            !layout_discard_reason_is_hidden((layout_discard_reason)i))
            continue;
        g_string_append_printf(message, "%s %u characters %s", message->len > empty ? "," : "", n,
                               reason_names[i]);
    }
    if (message->len > empty) layout_builder_add_warning(builder, sheet->page, message->str);
}

guint
layout_count_unreadable(const char *text, gsize len)
{
    guint n = 0;
    const char *end = text + len;
    while ((text = memchr(text, 0xEF, (gsize)(end - text))) != NULL && end - text >= 3) {
        n += memcmp(text, "\xEF\xBF\xBD", 3) == 0 ? 1 : 0;
        text++;
    }
    return n;
}

#define MAX_FONTS_NAMED 8

/* Fonts that do not say what their glyphs mean: a few strange signs are one thing, lines of them another. */
static void
unreadable_warn(const layout_work *work, const layout_sheet *sheet, layout_builder *builder)
{
    if (layout_count_unreadable(sheet->text->str, sheet->text->len) < 5) return;
    g_autofree guint *counts = g_new0(guint, work->fonts->len);
    for (guint i = 0; i < sheet->styles->len; i++) {
        const layout_style *style = layout_sheet_style(sheet, i);
        if (style->font < work->fonts->len)
            counts[style->font] +=
                layout_count_unreadable(sheet->text->str + style->start, style->len);
    }
    for (guint f = 0, n = 0; f < work->fonts->len && n < MAX_FONTS_NAMED; f++) {
        if (counts[f] < 5) continue;
        const char *name = layout_work_font(work, f)->name;
        g_autofree char *message =
            g_strdup_printf("font %s: %u characters have no Unicode map and cannot be read",
                            *name != '\0' ? name : "without a name", counts[f]);
        layout_builder_add_warning(builder, sheet->page, message);
        n++;
    }
}

void
layout_ledger_close(const layout_work *work, const layout_sheet *sheet, layout_builder *builder)
{
    for (guint i = 0; i < sheet->losses->len; i++) {
        const layout_loss *loss = &g_array_index(sheet->losses, layout_loss, i);
        g_autofree char *text = g_strndup(sheet->text->str + loss->start, loss->len);
        const float dx = sheet->whole.x0, dy = sheet->whole.y0;
        const layout_rect lost =
            layout_turned_undo(sheet->laid, loss->box, sheet->page_width, sheet->page_height);
        const layout_rect box = {lost.x0 - dx, lost.y0 - dy, lost.x1 - dx, lost.y1 - dy};
        layout_discard discard = {.reason = loss->reason,
                                  .box = {sheet->page, box},
                                  .n_glyphs = loss->n_glyphs,
                                  .text = text};
        layout_builder_add_discard(builder, &discard);
    }
    hidden_warn(sheet, builder);
    unreadable_warn(work, sheet, builder);
    for (guint i = 0; i < sheet->segs->len; i++)
        if (layout_sheet_seg(sheet, i)->n_taken == 0)
            lost_add(sheet, layout_sheet_seg(sheet, i), builder);
}
