/* Which text of a page a reader sees. Private to layout. */
#ifndef LODE_LAYOUT_HIDDEN_H
#define LODE_LAYOUT_HIDDEN_H

#include "layout/analyze.h"

G_BEGIN_DECLS

enum {
    LAYOUT_SEEN = -1,
    LAYOUT_SEEN_IN_PART = -2 /* layout_hidden_glyph() tells for each glyph */
};

typedef struct layout_hidden layout_hidden;

/* Lends page. */
layout_hidden *layout_hidden_new(const parse_page *page);
void layout_hidden_free(layout_hidden *hidden);
/* LAYOUT_SEEN, LAYOUT_SEEN_IN_PART, or why not: a layout_discard_reason. */
int layout_hidden_run(const layout_hidden *hidden, const parse_run *run);
int layout_hidden_glyph(const layout_hidden *hidden, const parse_run *run,
                        const parse_glyph *glyph);
/* Native text, or the text layer of a scan. */
layout_text_source layout_hidden_source(const layout_hidden *hidden);
/* Is text that is not seen what the page says, the text layer of a scan? Is run of such a layer? */
gboolean layout_hidden_has_layer(const layout_hidden *hidden);
gboolean layout_hidden_is_layer(const layout_hidden *hidden, const parse_run *run);

/* ---- hidden_repeats.c ---- */

/* [n_glyphs]: 1 for those of a text layer that say again what stands at their place, be it seen or of another layer.
 * NULL: there are none. Free with g_free. */
guint8 *layout_hidden_repeats(const layout_hidden *hidden, const parse_page *page);

G_END_DECLS
#endif
