/* Private to layout: the parts of the HTML writer. */
#ifndef LODE_LAYOUT_HTML_H
#define LODE_LAYOUT_HTML_H

#include "layout/writers.h"

G_BEGIN_DECLS

/* Append bytes from..to of a block's text with its spans, citations and calls of footnotes as elements. */
void html_inline(GString *out, const lode_document *document, guint block, uint32_t from,
                 uint32_t to, const layout_note_call *calls, guint n_calls);
/* As html_append_escaped, line ends kept. */
void html_append_preformatted(GString *out, const char *text);

G_END_DECLS
#endif
