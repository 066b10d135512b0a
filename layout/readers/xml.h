/* XML from foreign hands. Private to layout. */
#ifndef LODE_LAYOUT_READERS_XML_H
#define LODE_LAYOUT_READERS_XML_H

#include <glib.h>
#include <libxml/tree.h>

G_BEGIN_DECLS

/* The tree of data [len]; nothing is loaded from anywhere. Refused: documents that declare entities (bombs, files to be
 * read), elements more than some hundred deep, texts of more than 10 MB. What an external DTD would have defined
 * (&nbsp;) stays an entity reference: see layout_xml_entity. cut: the end is missing or damaged, and what stands
 * before it was kept; may be NULL, then such a document is refused. NULL: error is LAYOUT_ERROR_FORMAT. Free with
 * xmlFreeDoc. */
xmlDoc *layout_xml_parse(const guchar *data, gsize len, gboolean *cut, GError **error);
/* An element of that local name? */
gboolean layout_xml_is(const xmlNode *node, const char *name);
/* Is the element's local name one of the words of list, " a b c "? */
gboolean layout_xml_is_one_of(const xmlNode *node, const char *list);
/* The first child element of that name; NULL. */
const xmlNode *layout_xml_child(const xmlNode *node, const char *name);
/* The first element of that name below node, in document order; NULL. */
const xmlNode *layout_xml_find(const xmlNode *node, const char *name);
/* The attribute of that local name in any namespace; NULL. Free with g_free. */
char *layout_xml_attribute(const xmlNode *node, const char *name);
/* All text below node, as it stands. Free with g_free. */
char *layout_xml_text(const xmlNode *node);
/* The same with blanks collapsed and trimmed; node may be NULL: "". */
char *layout_xml_clean_text(const xmlNode *node);
/* The characters of an entity reference's node, "" where HTML knows none. UTF-8 in buffer [8]. */
const char *layout_xml_entity(const xmlNode *reference, char *buffer);

G_END_DECLS
#endif
