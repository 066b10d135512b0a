/* Shared by the files that read HTML. What other modules use of them is declared in layout.h:
 * layout_html_to_utf8, layout_html_is, layout_html_attribute, layout_html_text, layout_html_clean. */
#ifndef LODE_LAYOUT_READERS_HTML_H
#define LODE_LAYOUT_READERS_HTML_H

#include <glib.h>
#include <libxml/tree.h>

#include "layout/document.h"

/* ---- html_encoding.c ---- */

/* As layout_html_to_utf8, for plain text: without a mark in front, control characters but NUL kept. */
GString *layout_text_to_utf8(const char *bytes, size_t len, const char *charset);

/* ---- html_tree.c ---- */

/* Parse; NULL with the error set. Refuses what libxml2 would need forever for, and changes in utf8 what it
 * would need long for. cut: the page was too deep or had too many elements and was read only so far.
 * Free with xmlFreeDoc. */
xmlDoc *layout_html_tree_parse(GString *utf8, gboolean *cut, GError **error);

/* Is the element's name one of the words of list? list: " a b c ", a blank on both sides. */
gboolean layout_html_is_one_of(const xmlNode *node, const char *list);
/* Append text with blanks collapsed to one; nothing at the start of out or after a blank. Drops what is
 * invisible: zero-width and tag characters, soft hyphens, bidirectional controls. Returns bytes added. */
gsize layout_html_append_collapsed(GString *out, const char *text);
/* NFC, with a limit on marks per letter. Free with g_free. */
char *layout_html_normalize(const char *text);

/* ---- html_main.c ---- */

/* Removes from the tree what is hidden or not content, and returns the element that holds the main text
 * (never NULL for a document with a root). */
xmlNode *layout_html_main_find(xmlDoc *document);
/* Removes the same, but for what only looks like boilerplate, and returns the body. */
xmlNode *layout_html_whole(xmlDoc *document);

/* ---- html_meta.c ---- */

typedef struct {
    char *title, *site, *year, *date, *doi, *arxiv, *abstract, *language, *generator;
    GPtrArray *authors; /* of char * */
    char *article_body; /* of JSON-LD: what the page itself says its text is */
} layout_html_meta;

void layout_html_meta_clear(layout_html_meta *meta);
/* Reads <head>, <title> and JSON-LD. Before layout_html_main_find, which removes scripts. */
void layout_html_meta_read(xmlDoc *document, layout_html_meta *meta);

/* ---- html.c ---- */

/* Fills the document's metadata; strings are copied. */
void layout_html_meta_write(layout_builder *builder, const layout_html_meta *meta);

/* ---- html_blocks.c ---- */

/* What differs between a web page, a file and a chapter. */
typedef struct {
    const char *base_url; /* of relative links; NULL */
    const char *title;    /* written as the title, and its heading is not repeated; NULL */
    const char *body;     /* the page's own words, where its tree has hardly any; NULL */
    int level;            /* added to those of headings */
    /* The image name of an <img>'s src, lent; NULL: not to be had. NULL: pictures are not looked for. */
    const char *(*picture)(const char *src, void *user_data);
    void *user_data;
} layout_html_emission;

/* Append the blocks of main to builder, which has its page already. Returns the number of characters. */
gsize layout_html_blocks_emit(layout_builder *builder, const xmlNode *main_node,
                              const layout_html_emission *how);

/* The picture of a data: URI; NULL where it is none. Free with g_bytes_unref. */
GBytes *layout_html_data_uri(const char *src);

#endif
