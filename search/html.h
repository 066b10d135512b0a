/* Shared by the files that read HTML. */
#ifndef LODE_SEARCH_HTML_H
#define LODE_SEARCH_HTML_H

#include <glib.h>
#include <libxml/tree.h>

#include "search/search.h"

/* ---- html_encoding.c ---- */

/* html [len] as UTF-8 behind a byte order mark, without NUL and other characters that XML forbids. Its
 * encoding: byte order mark, then charset (may be NULL), then <meta>, then UTF-8 if it is that, then
 * windows-1252. Never fails: what cannot be read becomes U+FFFD. Free with g_string_free. */
GString *html_to_utf8(const char *html, size_t len, const char *charset);

/* ---- html_tree.c ---- */

/* Parse; NULL with the error set. Refuses what libxml2 would need forever for, and changes in utf8 what it
 * would need long for. cut: the page was too deep or had too many elements and was read only so far.
 * Free with xmlFreeDoc. */
xmlDoc *html_tree_parse(GString *utf8, gboolean *cut, GError **error);

gboolean html_is(const xmlNode *node, const char *name); /* an element of that name */
/* Is the element's name one of the words of list? list: " a b c ", a blank on both sides. */
gboolean html_is_one_of(const xmlNode *node, const char *list);
/* The attribute's value, lent; NULL where absent. */
const char *html_attribute(const xmlNode *node, const char *name);
/* All text below node, blanks collapsed and trimmed. Free with g_free. */
char *html_text(const xmlNode *node);
/* Append text with blanks collapsed to one; nothing at the start of out or after a blank. Drops what is
 * invisible: zero-width and tag characters, soft hyphens, bidirectional controls. Returns bytes added. */
gsize html_append_collapsed(GString *out, const char *text);
/* NFC, with a limit on marks per letter. Free with g_free. */
char *html_normalize(const char *text);
/* text may be NULL; collapsed and trimmed; NULL when nothing is left. Free with g_free. */
char *html_clean(const char *text);

/* ---- html_main.c ---- */

/* Removes from the tree what is hidden or not content, and returns the element that holds the main text
 * (never NULL for a document with a root). */
xmlNode *html_main_find(xmlDoc *document);

/* ---- html_meta.c ---- */

typedef struct {
    char *title, *site, *year, *date, *doi, *arxiv, *abstract, *language, *generator;
    GPtrArray *authors; /* of char * */
    char *article_body; /* of JSON-LD: what the page itself says its text is */
} html_meta;

void html_meta_clear(html_meta *meta);
/* Reads <head>, <title> and JSON-LD. Before html_main_find, which removes scripts. */
void html_meta_read(xmlDoc *document, html_meta *meta);

/* ---- html_blocks.c ---- */

/* Append the blocks of main to builder, which has its page already. Returns the number of characters. */
gsize html_blocks_emit(layout_builder *builder, const xmlNode *main_node, const html_meta *meta,
                       const char *base_url);

#endif
