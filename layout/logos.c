/* TeX's logos are letters set up and down: L(a)T(e)X. Nobody types them so. */
#include "layout/flow.h"

#include <string.h>

/* The index of a span of these flags that covers exactly the letter at start; spans->len where there is none. */
static guint
span_on(const GArray *spans, guint from, uint32_t start, guint flag)
{
    for (guint i = from; i < spans->len; i++) {
        const layout_span *span = &g_array_index(spans, layout_span, i);
        if (span->start > start) break;
        if (span->start == start && span->len == 1 && (span->flags & flag)) return i;
    }
    return spans->len;
}

/* Makes the letter plain again; a span that says nothing else goes away. */
static void
letter_lower(GString *text, GArray *spans, guint index, guint flag)
{
    layout_span *span = &g_array_index(spans, layout_span, index);
    text->str[span->start] = g_ascii_tolower(text->str[span->start]);
    span->flags &= ~flag;
    if (span->flags == 0) g_array_remove_index(spans, index);
}

/* Stretches that now look alike and touch become one. */
static void
spans_merge(GArray *spans)
{
    guint kept = 0;
    for (guint i = 0; i < spans->len; i++) {
        layout_span span = g_array_index(spans, layout_span, i);
        layout_span *last = kept > 0 ? &g_array_index(spans, layout_span, kept - 1) : NULL;
        if (last != NULL && last->flags == span.flags && last->target == span.target &&
            last->start + last->len == span.start)
            last->len += span.len;
        else
            g_array_index(spans, layout_span, kept++) = span;
    }
    g_array_set_size(spans, kept);
}

void
layout_logos_mend(GString *text, GArray *spans)
{
    guint from = 0;
    gboolean mended = FALSE;
    for (char *at = text->str; (at = strstr(at, "TEX")) != NULL; at += 3) {
        uint32_t e = (uint32_t)(at - text->str) + 1;
        while (from < spans->len && g_array_index(spans, layout_span, from).start + 2 < e)
            from++;
        guint lowered = span_on(spans, from, e, LAYOUT_SPAN_SUBSCRIPT);
        if (lowered == spans->len) continue;
        letter_lower(text, spans, lowered, LAYOUT_SPAN_SUBSCRIPT);
        mended = TRUE;
        if (e < 3 || at[-1] != 'A' || at[-2] != 'L') continue;
        guint raised = span_on(spans, from, e - 2, LAYOUT_SPAN_SUPERSCRIPT);
        if (raised < spans->len) letter_lower(text, spans, raised, LAYOUT_SPAN_SUPERSCRIPT);
    }
    if (mended) spans_merge(spans);
}
