/* Private to layout: inline formulas out of spans. */
#ifndef LODE_LAYOUT_MARKDOWN_MATH_H
#define LODE_LAYOUT_MARKDOWN_MATH_H

#include "layout/layout.h"

G_BEGIN_DECLS

/* LaTeX of the formula that begins with span `first`, or NULL where there is none or it cannot be told. On
 * success [*start, *end) are its bytes, not before `from`, and *next is the first span after it. */
char *markdown_math(const char *text, uint32_t len, uint32_t from, const layout_span *spans,
                    guint n_spans, guint first, uint32_t *start, uint32_t *end, guint *next);

G_END_DECLS
#endif
