/* Private to layout: the words of the JSON schema that its writer and its reader must agree on. */
#ifndef LODE_LAYOUT_JSON_NAMES_H
#define LODE_LAYOUT_JSON_NAMES_H

#include "layout/layout.h"

G_BEGIN_DECLS

#define LAYOUT_JSON_SCHEMA   "lode-document"
#define LAYOUT_JSON_VERSION  2
#define LAYOUT_JSON_N_STYLES 9
#define LAYOUT_JSON_N_PLACES 4

/* Bit i of layout_span_flags. */
extern const char *const layout_json_styles[LAYOUT_JSON_N_STYLES];
/* By layout_text_source. */
extern const char *const layout_json_sources[LAYOUT_TEXT_NONE + 1];
/* Where a page's glyphs went, and the count in a ledger that goes by that name. */
extern const char *const layout_json_places[LAYOUT_JSON_N_PLACES];
guint *layout_json_place(layout_ledger *ledger, guint place);

G_END_DECLS
#endif
