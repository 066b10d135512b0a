/* Private to layout. */
#ifndef LODE_LAYOUT_READING_H
#define LODE_LAYOUT_READING_H

#include "layout/analyze.h"

G_BEGIN_DECLS

/* The pages of a file, as options say, become the sheets of work; warnings go to builder. file is path's,
 * open, and used by one of the reading threads until this returns. Error is a LAYOUT_ERROR. */
gboolean layout_pages_read(layout_work *work, layout_builder *builder, parse_file *file,
                           const char *path, const layout_options *options, GError **error);

/* What parse is told of these options. */
parse_options layout_parse_options(const layout_options *options);
/* PARSE_ERROR as LAYOUT_ERROR. */
void layout_set_parse_error(GError **error, const GError *cause);

G_END_DECLS
#endif
