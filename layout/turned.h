/* Text that lies on its side on a page of upright text. */
#ifndef LODE_LAYOUT_TURNED_H
#define LODE_LAYOUT_TURNED_H

#include "layout/analyze.h"

G_BEGIN_DECLS

/* A page with such text laid upright, and what that is made of. */
typedef struct {
    GArray *laid; /* layout_laid */
    parse_page page;
    parse_glyph *glyphs;
    parse_run *runs;
    parse_path *paths;
    parse_link *links;
} layout_turned;

/* The page with its turned tables and paragraphs laid upright in their places, owned by out; or page itself, where
 * there are none. out is valid as long as page is; free with layout_turned_clear. */
const parse_page *layout_turned_lay(const parse_page *page, layout_turned *out);
void layout_turned_clear(layout_turned *out);

/* Where on its page of that size a box is that was laid so; another box stays. laid: layout_laid. */
layout_rect layout_turned_undo(const GArray *laid, layout_rect box, float width, float height);

G_END_DECLS

#endif
