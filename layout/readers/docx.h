/* Shared by the files that read Word documents. Private to layout. */
#ifndef LODE_LAYOUT_READERS_DOCX_H
#define LODE_LAYOUT_READERS_DOCX_H

#include "layout/readers/html.h"
#include "layout/readers/package.h"
#include "layout/readers/pen.h"
#include "layout/readers/xml.h"

G_BEGIN_DECLS

/* ---- docx_styles.c ---- */

typedef enum {
    DOCX_BODY,
    DOCX_TITLE,
    DOCX_AUTHOR,
    DOCX_ABSTRACT,
    DOCX_HEADING,
    DOCX_CAPTION,
    DOCX_CODE,
    DOCX_REFERENCE,
    DOCX_CONTENTS, /* a line of a table of contents: left out */
    DOCX_LIST      /* a list by its name, where no numbering says so */
} docx_role;

/* What a style says with all it is based on. */
typedef struct {
    docx_role role;
    int level;          /* of a heading, 1.. */
    int num_id, ilvl;   /* numbering; num_id 0: none */
    guint flags;        /* layout_span_flags of its runs */
    gboolean is_hidden; /* its text is not shown */
} docx_style;

typedef struct docx_styles docx_styles;
docx_styles *docx_styles_read(const layout_package *package, const char *styles_part,
                              const char *numbering_part);
void docx_styles_free(docx_styles *styles);
/* Of an id; NULL: the default paragraph style. */
docx_style docx_styles_lookup(docx_styles *styles, const char *id);
/* What is printed before the next paragraph of this list: "1.2", "-" for bullets; NULL where nothing is. Counts on.
 * Free with g_free. */
char *docx_styles_count(docx_styles *styles, int num_id, int ilvl);
/* Adds what run properties (<w:rPr>) say to flags. */
guint docx_run_flags(const xmlNode *properties, guint flags, gboolean *is_hidden);
/* Is a toggle such as <w:b/> on? absent: the value where it is not there. */
gboolean docx_is_on(const xmlNode *properties, const char *name, gboolean absent);
/* w:val of the named child; NULL. Lent. */
const char *docx_value(const xmlNode *node, const char *name);

/* ---- docx_runs.c ---- */

typedef struct {
    char *instruction;
    gboolean in_result;
    gboolean skipped; /* a table of contents, an index */
    guint style;      /* before it */
    const char *target;
} docx_field;

typedef struct {
    const char *image, *inner_text; /* from the pen's strings, NULL */
    const char *chart;              /* its part, likewise */
    float width_pt, height_pt;
} docx_picture;

typedef struct {
    layout_package *package;
    layout_pen pen;
    layout_builder *builder;
    GHashTable *pictures, *relations; /* relations: of the part being read */
    docx_styles *styles;
    xmlDoc *footnotes, *endnotes;
    GHashTable *footnote_relations, *endnote_relations;
    gboolean keep_hidden, has_pages;
    int n_pages;
    float page_width, page_height;
    GArray *fields;        /* docx_field: open ones, outer first */
    guint n_skipped;       /* of those, skipped */
    GArray *waiting;       /* docx_picture: of the open paragraph */
    GPtrArray *boxes;      /* const xmlNode *: text boxes of the open paragraph */
    GPtrArray *notes;      /* const xmlNode *: notes called in it */
    GString *hidden;       /* of the open paragraph */
    gboolean has_sequence; /* the open paragraph numbers a caption */
    GHashTable *taken;     /* captions that stand with their figure or table */
    const xmlNode *held;   /* a caption for the table or figure that comes next */
    gboolean has_title, in_references;
    gsize prefix; /* bytes of the open paragraph that were printed before it: its number */
    guint depth, n_comments, n_deleted, n_notes, n_charts; /* n_charts: left out */
} docx;

/* The inline content of a paragraph into the pen. */
void docx_inline(docx *d, const xmlNode *paragraph, guint flags);
void docx_fields_clear(docx *d);
/* A page ends here. */
void docx_page_break(docx *d);
/* Is the paragraph one formula and nothing else? */
const xmlNode *docx_only_formula(const xmlNode *paragraph);
/* Does it hold a picture or a chart? */
gboolean docx_has_picture(const xmlNode *node);
/* Does it number something ("Figure 1") by a SEQ field? */
gboolean docx_has_sequence(const xmlNode *node, guint depth);

G_END_DECLS
#endif
