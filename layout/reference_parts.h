/* Between the files that read bibliography entries. Private to layout. */
#ifndef LODE_LAYOUT_REFERENCE_PARTS_H
#define LODE_LAYOUT_REFERENCE_PARTS_H

#include "layout/flow.h"

G_BEGIN_DECLS

/* The authors that text [len] begins with, appended to names (layout_name, strings in builder). style: one byte per
 * byte of text, of layout_span_flags. et_al: set where the list says that it is cut short. Returns the bytes they
 * take, 0 where there are none. */
gsize layout_names_parse(layout_builder *builder, const char *text, gsize len, const guint8 *style,
                         GArray *names, gboolean *et_al);

G_END_DECLS
#endif
