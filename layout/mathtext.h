/* Mathematics as LaTeX. Private to layout. */
#ifndef LODE_LAYOUT_MATHTEXT_H
#define LODE_LAYOUT_MATHTEXT_H

#include "layout/analyze.h"

G_BEGIN_DECLS

/* Appends text as LaTeX. flags: one per byte, layout_span_flags; scripts become ^{} and _{}. */
void layout_math_latex(GString *out, const char *text, gsize len, const guint32 *flags);

/* Rewrites the spans (layout_span) of a block's text: stretches of mathematics become one span each, with
 * their LaTeX, kept in strings, as target. */
void layout_math_spans(const char *text, gsize len, GArray *spans, GStringChunk *strings);

typedef struct {
    float x0, x1, baseline, size;
    const char *text;
    gsize len;
    const guint32 *flags; /* one per byte */
} layout_math_word;

/* One line of a displayed formula from its words and the rules among them. */
void layout_math_display(GString *out, const layout_math_word *words, guint n,
                         const layout_rule *rules, guint n_rules);

G_END_DECLS
#endif
