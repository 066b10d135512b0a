/* Shared by the files that read OpenDocument texts. Private to layout. */
#ifndef LODE_LAYOUT_READERS_ODT_H
#define LODE_LAYOUT_READERS_ODT_H

#include "layout/readers/html.h"
#include "layout/readers/package.h"
#include "layout/readers/pen.h"
#include "layout/readers/xml.h"

G_BEGIN_DECLS

/* ---- odt_styles.c ---- */

typedef enum {
    ODT_BODY,
    ODT_TITLE,
    ODT_HEADING,
    ODT_CAPTION,
    ODT_CODE,
    ODT_CONTENTS,
    ODT_REFERENCE,
    ODT_ABSTRACT,
    ODT_AUTHOR
} odt_role;

typedef struct {
    odt_role role;
    guint flags, mask; /* layout_span_flags: their values, and which of them are set here */
    gboolean is_hidden;
} odt_style;

typedef struct odt_styles odt_styles;
/* content: stays the caller's. */
odt_styles *odt_styles_read(const layout_package *package, xmlDoc *content);
void odt_styles_free(odt_styles *styles);
odt_style odt_styles_lookup(odt_styles *styles, const char *name);
/* What is printed before the nth item (1..) of a list at that level (1..); "-" for bullets. Free with g_free. */
char *odt_list_marker(odt_styles *styles, const char *list_style, int level, int n);
/* "1.2" before a heading of that level; NULL where headings have no numbers. Counts on. Free with g_free. */
char *odt_heading_number(odt_styles *styles, int level);
/* Of pages in points. FALSE: not said. */
gboolean odt_page_size(odt_styles *styles, float *width, float *height);

G_END_DECLS
#endif
