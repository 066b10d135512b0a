/* Containers of parts: the ZIP archives that OOXML, OpenDocument and EPUB files are. Private to layout. */
#ifndef LODE_LAYOUT_READERS_PACKAGE_H
#define LODE_LAYOUT_READERS_PACKAGE_H

#include <libxml/tree.h>

#include "layout/readers/readers.h"

G_BEGIN_DECLS

typedef struct layout_package layout_package;

/* All parts unpacked, within limits: 20,000 of them, 512 MiB together, 256 MiB each, and no more than 200 times what the
 * file has where that is over 64 MiB; LAYOUT_ERROR_LIMIT beyond. What of a damaged archive can be read is there. */
layout_package *layout_package_open(const layout_source *source, GError **error);
/* One without parts, for the names of pictures. */
layout_package *layout_package_new(void);
void layout_package_free(layout_package *package);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(layout_package, layout_package_free)

/* A part by its name, without "/" in front; lent, NULL where there is none. Names are compared without case, as OPC
 * does. */
GBytes *layout_package_part(const layout_package *package, const char *name);
/* The tree of a part. Nothing is loaded for it; one that declares entities is refused, deeper nesting than 256 too.
 * Free with xmlFreeDoc. NULL with the error set (LAYOUT_ERROR_IO: there is no such part). */
xmlDoc *layout_package_xml(const layout_package *package, const char *name, GError **error);

/* "../media/a.png" seen from "word/document.xml" -> "media/a.png"; NULL where it leaves the archive. g_free */
char *layout_package_resolve(const char *from, const char *target);

/* ---- relationships (ISO/IEC 29500-2, clause 9) ---- */

typedef struct {
    char *type;   /* its last part: "image", "hyperlink", "slide" */
    char *target; /* a part's name, or a URI where external */
    gboolean external;
} layout_relation;

/* id -> layout_relation of the part; empty where it has none. Free with g_hash_table_unref. */
GHashTable *layout_package_relations(const layout_package *package, const char *part);
/* The first target of that type among them; NULL. Lent. */
const char *layout_relations_find(GHashTable *relations, const char *type);
/* The value of an id that is a part in the archive: its target; NULL. Lent. */
const char *layout_relations_part(GHashTable *relations, const char *id);

/* ---- pictures ---- */

/* The image name of a part ("figure-1.png", by order of first use), which goes into pictures where that is not NULL.
 * NULL for what is missing, or no picture that programs show: of metafiles (EMF, WMF) only those that hold one bitmap are
 * shown, as that bitmap. Lent. */
const char *layout_package_picture(layout_package *package, const char *part, GHashTable *pictures);
/* The same of bytes in a file beside. key: what tells it from others. */
const char *layout_package_picture_of(layout_package *package, const char *key, GBytes *bytes,
                                      GHashTable *pictures);
/* What a picture that was asked for says, beside what its alternative text (NULL) does: the words of metafiles. NULL:
 * nothing. Free with g_free. */
char *layout_package_picture_words(const layout_package *package, const char *part,
                                   const char *alternative);
/* Says how many pictures were asked for but are of no kind that programs show, and whether the archive is damaged. */
void layout_package_warn(const layout_package *package, layout_builder *builder);
/* ".png" by the first bytes; NULL for what programs do not show. */
const char *layout_picture_extension(GBytes *bytes);

/* ---- captions ---- */

/* "Figure 3: ..." -> "Figure 3"; NULL where a caption does not begin so. g_free */
char *layout_caption_label(const char *text);

/* ---- metadata ---- */

/* docProps/core.xml and app.xml of OOXML into the document's metadata. */
void layout_package_read_properties(const layout_package *package, layout_builder *builder);
/* "2021-03-05T..." -> "2021"; NULL. g_free */
char *layout_year_of(const char *date);
/* "en-US" -> "en"; NULL for what is no language tag. g_free */
char *layout_language_of(const char *tag);

G_END_DECLS
#endif
