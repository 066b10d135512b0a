/* What the two writers of MinerU's formats share. */
#include "layout/mineru.h"

#include <string.h>

json_t *
mineru_string(const char *text)
{
    json_t *string = json_string(text);
    if (string) return string;
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    return json_string(valid);
}

layout_rect
mineru_union(layout_rect a, layout_rect b)
{
    return (layout_rect){MIN(a.x0, b.x0), MIN(a.y0, b.y0), MAX(a.x1, b.x1), MAX(a.y1, b.y1)};
}

static void
append_text(GString *out, const lode_document *d, const layout_block *block, uint32_t from,
            uint32_t to)
{
    uint32_t at = from;
    for (guint i = 0; i < block->n_spans; i++) {
        const layout_span *span = &d->spans[block->first_span + i];
        if (!(span->flags & LAYOUT_SPAN_MATH) || !span->target || !*span->target) continue;
        if (span->start < at || span->start >= to) continue;
        g_string_append_len(out, block->text + at, span->start - at);
        g_string_append_printf(out, "$%s$", span->target);
        at = span->start + span->len;
    }
    if (at < to) g_string_append_len(out, block->text + at, to - at);
}

json_t *
mineru_text(const lode_document *d, const layout_block *block, uint32_t from, uint32_t to)
{
    g_autoptr(GString) out = g_string_sized_new(to - from + 16);
    append_text(out, d, block, from, to);
    return mineru_string(out->str);
}

json_t *
mineru_marked_text(const lode_document *d, const layout_block *block)
{
    g_autoptr(GString) out = g_string_sized_new(block->text_len + 16);
    if (block->marker && !g_str_has_prefix(block->text, block->marker))
        g_string_append_printf(out, "%s ", block->marker);
    append_text(out, d, block, 0, block->text_len);
    return mineru_string(out->str);
}
