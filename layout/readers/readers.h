/* Readers of what is not paper: one table of formats, found by content. Private to layout.
 *
 * layout_document_open asks layout_reader_find first; what no reader here claims (PDF, XPS, pictures, and
 * bytes that nobody knows) goes to parse, which also says what an unknown file seems to be.
 *
 * To add a format: a file readers/NAME.c with its sniff and its read, two prototypes below, a row in
 * readers.c. A document made here has one page of nominal size without boxes, as a web page has: add it with
 * layout_reader_add_page. */
#ifndef LODE_LAYOUT_READERS_READERS_H
#define LODE_LAYOUT_READERS_READERS_H

#include "layout/document.h"

G_BEGIN_DECLS

/* The bytes of one input, and its name. Lent to a reader for the time of the call. */
typedef struct {
    const char *path; /* of the file on disk; NULL where the bytes come from elsewhere */
    const char *name; /* for messages and for ties: base name, or "papers.zip!/a/b.docx"; UTF-8 */
    const guchar *data;
    gsize len; /* there is no NUL behind them */
    GHashTable
        *members; /* of the archive the bytes come from: name -> GBytes; NULL: files on disk */
    const char *member; /* the input's own name among them; NULL without members */
} layout_source;

/* How sure a sniff is. The surest wins; between equals the one whose extensions have the name's, then the
 * first of the table. */
typedef enum {
    LAYOUT_SNIFF_NO,
    LAYOUT_SNIFF_WEAK,   /* nothing speaks against it: plain text */
    LAYOUT_SNIFF_LIKELY, /* by what is usual in such files */
    LAYOUT_SNIFF_SURE    /* by a signature, a root element, the names of a container's parts */
} layout_sniff;

typedef struct {
    const char *name; /* "JATS XML": meta.format begins with it unless the reader sets its own */
    const char *mime; /* "application/jats+xml" */
    const char *extensions; /* lower case, a blank on both sides of each: " xml nxml " */
    layout_sniff (*sniff)(const layout_source *source);
    /* Fills builder: its page, blocks and metadata (source_name, source_sha256 and format are set by the
     * caller where the reader leaves them). pictures: NULL, or to be filled with what the figures' image
     * names stand for (char * by g_strdup -> GBytes of a file of that name's kind); a reader called twice
     * gives the same names. FALSE: error is LAYOUT_ERROR and does not name the file. */
    gboolean (*read)(const layout_source *source, const layout_options *options,
                     layout_builder *builder, GHashTable *pictures, GError **error);
} layout_reader;

/* ---- readers.c ---- */
/* Whose the bytes are; NULL: none of ours. */
const layout_reader *layout_reader_find(const layout_source *source);
/* One page of nominal size, for a reader's document. Its index is 0. */
void layout_reader_add_page(layout_builder *builder);
/* A file beside the input ("figures/a.png", "../" and absolute names are refused), of at most max bytes. NULL
 * with the error set; LAYOUT_ERROR_IO: there is none. Free with g_bytes_unref. */
GBytes *layout_source_beside(const layout_source *source, const char *relative, gsize max,
                             GError **error);
/* The document of one input; options as for layout_document_open. */
lode_document *layout_reader_run(const layout_reader *reader, const layout_source *source,
                                 const layout_options *options, GError **error);
struct layout_input;
/* layout_document_open for inputs that a reader claims; path: what input was opened by. claimed FALSE: none does, and
 * there is no error. */
lode_document *layout_readers_open(struct layout_input *input, const char *path,
                                   const layout_options *options, gboolean *claimed,
                                   GError **error);
/* The pictures of such an input: image name -> GBytes. NULL: none claims it (claimed FALSE, no error), or it cannot be
 * read. */
GHashTable *layout_readers_pictures(struct layout_input *input, const char *path, gboolean *claimed,
                                    GError **error);

/* ---- sniff.c: what the sniffs look at ---- */
#define LAYOUT_SNIFF_BYTES 65536 /* of the start: enough for every sniff */

gboolean layout_source_starts(const layout_source *source, const char *magic, gsize len);
/* Has the name this extension ("md", without dot, any case)? */
gboolean layout_source_has_extension(const layout_source *source, const char *extensions);
/* The start of the input as UTF-8 without NUL, at most LAYOUT_SNIFF_BYTES; UTF-16 is decoded. NULL: these bytes are
 * no text. Free with g_free. */
char *layout_source_head(const layout_source *source);
/* The name of an XML document's root element, without its prefix; NULL: it is not XML. namespace_uri: of that element,
 * NULL or freed with g_free. */
char *layout_source_xml_root(const layout_source *source, char **namespace_uri);
/* Does the ZIP archive list a member that begins with prefix? FALSE for what is no ZIP archive. */
gboolean layout_source_zip_lists(const layout_source *source, const char *prefix);
/* The content of a stored first member "mimetype" (ODF, EPUB), compared. */
gboolean layout_source_zip_mimetype(const layout_source *source, const char *mime);

/* ---- the formats ---- */
layout_sniff layout_latex_sniff(const layout_source *source);
gboolean layout_latex_read(const layout_source *source, const layout_options *options,
                           layout_builder *builder, GHashTable *pictures, GError **error);
layout_sniff layout_markdown_sniff(const layout_source *source);
gboolean layout_markdown_read(const layout_source *source, const layout_options *options,
                              layout_builder *builder, GHashTable *pictures, GError **error);
layout_sniff layout_jats_sniff(const layout_source *source);
gboolean layout_jats_read(const layout_source *source, const layout_options *options,
                          layout_builder *builder, GHashTable *pictures, GError **error);
layout_sniff layout_text_sniff(const layout_source *source);
gboolean layout_text_read(const layout_source *source, const layout_options *options,
                          layout_builder *builder, GHashTable *pictures, GError **error);

layout_sniff layout_docx_sniff(const layout_source *source);
gboolean layout_docx_read(const layout_source *source, const layout_options *options,
                          layout_builder *builder, GHashTable *pictures, GError **error);

layout_sniff layout_xlsx_sniff(const layout_source *source);
gboolean layout_xlsx_read(const layout_source *source, const layout_options *options,
                          layout_builder *builder, GHashTable *pictures, GError **error);
layout_sniff layout_pptx_sniff(const layout_source *source);
gboolean layout_pptx_read(const layout_source *source, const layout_options *options,
                          layout_builder *builder, GHashTable *pictures, GError **error);
layout_sniff layout_odt_sniff(const layout_source *source);
gboolean layout_odt_read(const layout_source *source, const layout_options *options,
                         layout_builder *builder, GHashTable *pictures, GError **error);
layout_sniff layout_epub_sniff(const layout_source *source);
gboolean layout_epub_read(const layout_source *source, const layout_options *options,
                          layout_builder *builder, GHashTable *pictures, GError **error);
layout_sniff layout_html_sniff(const layout_source *source);
gboolean layout_html_read(const layout_source *source, const layout_options *options,
                          layout_builder *builder, GHashTable *pictures, GError **error);

G_END_DECLS
#endif
