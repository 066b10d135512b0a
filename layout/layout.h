/* layout: pages of primitives -> one document: typed blocks in reading order -> Markdown, JSON.
 *
 * The document is what everything downstream consumes. It lives in flat arrays that refer to each other by
 * index; its text in one string store. One owner, one free; immutable once made, so any number of threads
 * may read it. The same file gives the same document, whatever the number of threads.
 *
 * Space: as parse.h: PDF points, origin at the top left of the page, y downwards. */
#ifndef LODE_LAYOUT_LAYOUT_H
#define LODE_LAYOUT_LAYOUT_H

#include <glib.h>
#include <stdint.h>

G_BEGIN_DECLS

#define LAYOUT_ERROR (layout_error_quark())
GQuark layout_error_quark(void);

typedef enum {
    LAYOUT_ERROR_IO,
    LAYOUT_ERROR_FORMAT, /* not a readable document */
    LAYOUT_ERROR_PASSWORD,
    LAYOUT_ERROR_LIMIT,
    LAYOUT_ERROR_CANCELLED
} layout_error_code;

#define LAYOUT_NONE (-1) /* an index that points nowhere */

typedef struct {
    float x0, y0, x1, y1;
} layout_rect;

typedef struct {
    int page; /* 0-based */
    layout_rect rect;
} layout_box;

typedef enum {
    LAYOUT_BLOCK_TITLE,
    LAYOUT_BLOCK_AUTHOR,
    LAYOUT_BLOCK_ABSTRACT,
    LAYOUT_BLOCK_HEADING,
    LAYOUT_BLOCK_PARAGRAPH,
    LAYOUT_BLOCK_LIST_ITEM,
    LAYOUT_BLOCK_TABLE,
    LAYOUT_BLOCK_FIGURE,
    LAYOUT_BLOCK_FORMULA,
    LAYOUT_BLOCK_CODE,
    LAYOUT_BLOCK_CAPTION,
    LAYOUT_BLOCK_FOOTNOTE,
    LAYOUT_BLOCK_REFERENCE, /* one bibliography entry */
    LAYOUT_BLOCK_HEADER,    /* running header: kept, left out of the text */
    LAYOUT_BLOCK_FOOTER,
    LAYOUT_BLOCK_PAGE_NUMBER,
    LAYOUT_BLOCK_WATERMARK, /* also margin stamps and line numbers */
    LAYOUT_N_BLOCK_TYPES
} layout_block_type;

const char *layout_block_type_name(
    layout_block_type type); /* "title", "author", "list_item", ... */
/* FALSE when name is none of them. */
gboolean layout_block_type_from_name(const char *name, layout_block_type *type);
/* Running headers, footers, page numbers, watermarks. */
gboolean layout_block_type_is_furniture(layout_block_type type);

typedef enum {
    LAYOUT_SPAN_BOLD = 1 << 0,
    LAYOUT_SPAN_ITALIC = 1 << 1,
    LAYOUT_SPAN_SUPERSCRIPT = 1 << 2,
    LAYOUT_SPAN_SUBSCRIPT = 1 << 3,
    LAYOUT_SPAN_MONO = 1 << 4,
    LAYOUT_SPAN_LINK = 1 << 5,     /* target holds the URI, or "#page=N" */
    LAYOUT_SPAN_MATH = 1 << 6,     /* target holds the LaTeX where known */
    LAYOUT_SPAN_DOUBTFUL = 1 << 7, /* read in pixels that were hardly legible */
    LAYOUT_SPAN_STRUCK = 1 << 8    /* a line through it: taken back by its author */
} layout_span_flags;

/* A styled stretch of a block's text; text outside any span is plain. Sorted, not overlapping. */
typedef struct {
    uint32_t start, len; /* bytes into the block's text, on character borders */
    guint flags;         /* layout_span_flags */
    const char *target;  /* NULL where it has no meaning */
} layout_span;

/* One printed line of a block: where a stretch of its text stands. In reading order; covers the text
 * except for what joining added or removed between lines. */
typedef struct {
    uint32_t start, len;
    layout_box box;
} layout_line;

typedef struct {
    layout_block_type type;
    int level;          /* headings: 1.. ; list items: nesting depth 1.. ; else 0 */
    const char *text;   /* UTF-8, NFC, NUL-terminated, never NULL; hyphenation repaired, one line */
    uint32_t text_len;  /* bytes */
    const char *marker; /* list items: "-", "1.", "(a)"; references: "[12]"; NULL where none */
    guint first_box, n_boxes; /* a block continued in the next column or page has several */
    guint first_span, n_spans;
    guint first_line, n_lines;
    gboolean
        run_in; /* a heading that begins the line of the paragraph behind it and has no bookmark:
                           Markdown keeps it there, as bold or italic words */
    int parent; /* caption -> its figure or table, footnote -> its caller or table; LAYOUT_NONE */
    int item;   /* index into tables, figures, formulas, references by type; LAYOUT_NONE */
    float font_size_pt; /* most of its glyphs */
    float confidence;   /* 0..1, 1 for native text without doubt */
} layout_block;

typedef struct {
    guint row, col, row_span, col_span; /* 0-based, spans >= 1 */
    gboolean header;
    const char *text;
    layout_box box;
    gboolean doubtful; /* has words as LAYOUT_SPAN_DOUBTFUL */
    guint n_mark; /* bytes at the end of text that are raised marks of the table's notes: "187b" */
    const char *image;   /* a picture in it, as a figure's; NULL where none */
    layout_rect picture; /* where that is, on the page of box; nothing where there is none */
} layout_cell;

/* How the cells of a column stand in it. */
typedef enum {
    LAYOUT_ALIGN_NONE = '-', /* not known */
    LAYOUT_ALIGN_LEFT = 'l',
    LAYOUT_ALIGN_CENTER = 'c',
    LAYOUT_ALIGN_RIGHT = 'r',
    LAYOUT_ALIGN_DECIMAL = 'd' /* decimal points under each other */
} layout_align;

typedef struct {
    int block;   /* its LAYOUT_BLOCK_TABLE */
    int caption; /* block, LAYOUT_NONE */
    guint n_rows, n_cols, n_header_rows;
    const char *align;         /* a layout_align for each column; NULL: none is known */
    guint first_cell, n_cells; /* row-major by (row, col); every grid place is covered once */
    const char *
        image; /* file name for layout_document_write_images, NULL where there is nothing to render; of the
                  second part of a table that goes on it is the same with "-2" before the suffix, ... */
} layout_table;

/* One part of a figure made of several. */
typedef struct {
    layout_box box;
    const char *label; /* "a" of "(a)", NULL where none is printed */
} layout_panel;

typedef struct {
    int block;
    int caption;
    layout_box box;
    gboolean vector;   /* drawn with paths rather than pixels */
    const char *label; /* "Figure 3", NULL where none */
    const char
        *inner_text;   /* words inside the region, not part of the running text; NULL where none */
    const char *image; /* as a table's */
    const char
        *svg; /* file name of the same as vector art; NULL where it is not, or too intricate */
    guint first_panel, n_panels; /* in reading order; none where the figure is one piece */
} layout_figure;

typedef struct {
    int block;
    const char *latex;  /* NULL where it is not known: the block's text is the glyphs as Unicode */
    const char *number; /* "(3)" -> "3", NULL where none */
    float confidence;   /* 0 to 1: how far the LaTeX is to be trusted */
    const char *image;  /* as a table's */
} layout_formula;

/* Below this confidence a formula's picture says more than its LaTeX. */
#define LAYOUT_FORMULA_SURE 0.7F

typedef enum {
    LAYOUT_REFERENCE_OTHER, /* nothing says what it is: a report on a web page, a preprint, software */
    LAYOUT_REFERENCE_ARTICLE,
    LAYOUT_REFERENCE_CONFERENCE,
    LAYOUT_REFERENCE_CHAPTER, /* of a book with another title */
    LAYOUT_REFERENCE_BOOK,
    LAYOUT_REFERENCE_THESIS, /* doctoral */
    LAYOUT_REFERENCE_MASTERS_THESIS,
    LAYOUT_REFERENCE_REPORT,
    LAYOUT_N_REFERENCE_KINDS
} layout_reference_kind;

/* "other", "article", "conference", "chapter", "book", "thesis", "masters_thesis", "report". */
const char *layout_reference_kind_name(layout_reference_kind kind);

/* One author. family is never NULL; given is NULL for an organisation and for who has only one name.
 * As printed: initials stay initials; "van", "de la" and the like stand in the family name. */
typedef struct {
    const char *family, *given;
} layout_name;

/* A bibliography entry. Whatever could not be read off it is NULL. */
typedef struct {
    int block;
    const char *key; /* "12" of "[12]", NULL where unnumbered */
    layout_reference_kind kind;
    const char *authors; /* as printed */
    guint first_name, n_names;
    gboolean et_al;                     /* the printed list of authors is cut short */
    const char *title, *venue;          /* venue: the journal, proceedings or book it appeared in */
    const char *publisher;              /* also a thesis' school and a report's institution */
    const char *volume, *issue, *pages; /* pages: "12--34" printed any way is "12-34" */
    const char *year;                   /* four digits */
    const char *doi, *arxiv, *url;
} layout_reference;

/* A stretch of a block's text that calls a bibliography entry: "12" in "[11, 12]", "Li et al., 2023" in a
 * bracket, a raised "4". Where one stretch calls several ("3-5", raised or not), there is one of these for
 * each. Sorted by block, start, reference. */
typedef struct {
    int block;
    uint32_t start, len; /* bytes into the block's text, on character borders */
    int reference;       /* index */
} layout_citation;

typedef enum {
    LAYOUT_TEXT_NATIVE,
    LAYOUT_TEXT_OCR,
    LAYOUT_TEXT_MIXED,
    LAYOUT_TEXT_NONE
} layout_text_source;

/* Why a glyph is in no block. */
typedef enum {
    LAYOUT_DISCARD_SPACE,     /* a blank: only counted */
    LAYOUT_DISCARD_CONTROL,   /* a character without ink or width of its own: only counted */
    LAYOUT_DISCARD_REPEATED,  /* again at the same place: a cheap bold, a shadow, a second text layer */
    LAYOUT_DISCARD_INVISIBLE, /* drawn with no ink: render mode 3, a clip that nothing shows through,
                                * alpha 0; or into a mask or a pattern's tile, then only counted. The
                                * text layer of a scan is kept */
    LAYOUT_DISCARD_BACKGROUND, /* in the colour of what is behind it */
    LAYOUT_DISCARD_TINY,       /* too small to be read */
    LAYOUT_DISCARD_OFF_PAGE,   /* outside the page, or cut off by the clip */
    LAYOUT_DISCARD_COVERED,    /* painted over later */
    LAYOUT_DISCARD_LOST,       /* a fault of the analysis: taken from the page and put nowhere */
    LAYOUT_N_DISCARD_REASONS
} layout_discard_reason;

const char *layout_discard_reason_name(
    layout_discard_reason reason); /* "space", "off_page", ...; static */
/* FALSE when name is none of them. */
gboolean layout_discard_reason_from_name(const char *name, layout_discard_reason *reason);
/* Text that somebody wrote but no reader sees: invisible, background, tiny, off_page, covered. */
gboolean layout_discard_reason_is_hidden(layout_discard_reason reason);

/* Where the glyphs of a page went. A glyph is one character as the file draws it; a ligature counts as the
 * letters it stands for, a letter and its accent as two. */
typedef struct {
    guint n_glyphs;    /* drawn on the page */
    guint n_text;      /* in blocks, apart from those: */
    guint n_table;     /* in cells of tables */
    guint n_figure;    /* in inner_text of figures */
    guint n_furniture; /* in running headers, footers, page numbers, watermarks */
    guint n_discarded[LAYOUT_N_DISCARD_REASONS];
} layout_ledger;

/* Is every glyph in one place, and none lost? */
gboolean layout_ledger_balances(const layout_ledger *ledger);

/* A stretch of text that is in no block. */
typedef struct {
    layout_discard_reason reason;
    layout_box box;
    guint n_glyphs;
    const char *text;
} layout_discard;

typedef struct {
    float width_pt, height_pt;
    int rotation;
    int turn; /* degrees clockwise by which the page's text must be turned to stand upright: 0, 90, 180, 270 */
    const char *label; /* printed page label, NULL where none */
    layout_text_source source;
    const char *failure; /* NULL, or why this page is empty */
    gboolean skipped;    /* not asked for: nothing is known of it but that it stands here */
    float
        order_confidence; /* 0..1, how far the reading order agrees with the file's tags or drawing order;
                             * 0 unknown */
    layout_ledger ledger;
} layout_page;

typedef struct {
    int page; /* 0-based, LAYOUT_NONE for the whole file */
    const char *message;
} layout_warning;

typedef struct {
    const char *source_name;                                      /* base name of the file, UTF-8 */
    const char *source_sha256;                                    /* hex, of the file's bytes */
    const char *format;                                           /* "PDF 1.5" */
    const char *title, *abstract, *doi, *arxiv, *language, *year; /* NULL where not found */
    const char *const *authors; /* NULL-terminated, may be empty */
    const char *producer;
} layout_metadata;

typedef struct lode_document {
    layout_metadata meta;
    layout_page *pages; /* by the page's index in the file, up to the last one read */
    guint n_pages;
    layout_block *blocks;
    guint n_blocks; /* reading order; furniture at its page's end */
    layout_box *boxes;
    guint n_boxes;
    layout_span *spans;
    guint n_spans;
    layout_line *lines;
    guint n_lines;
    layout_table *tables;
    guint n_tables;
    layout_cell *cells;
    guint n_cells;
    layout_figure *figures;
    guint n_figures;
    layout_panel *panels;
    guint n_panels;
    layout_formula *formulas;
    guint n_formulas;
    layout_reference *references;
    guint n_references;
    layout_name *names; /* of the references' authors */
    guint n_names;
    layout_citation *citations;
    guint n_citations;
    layout_discard *discards; /* by page */
    guint n_discards;
    layout_warning *warnings;
    guint n_warnings;
    GStringChunk *text;         /* owns the strings of meta */
    struct layout_spill *spill; /* owns all others, and the arrays */
} lode_document;

void lode_document_free(lode_document *document); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(lode_document, lode_document_free)

typedef struct {
    int first, last; /* page numbers, 1-based, inclusive; last 0: to the end */
} layout_page_range;

typedef enum {
    LAYOUT_OCR_AUTO,  /* pages, and pictures on pages, whose text is only in their pixels */
    LAYOUT_OCR_OFF,   /* never: such pages are empty */
    LAYOUT_OCR_FORCE, /* every page, whatever text it has */
} layout_ocr_mode;

typedef struct {
    const char *password;            /* NULL: none */
    const layout_page_range *ranges; /* pages to read, in any order; NULL with n_ranges 0: all */
    guint n_ranges;
    uint64_t memory_limit; /* bytes for one file in MuPDF; 0 = parse's default */
    double page_seconds;   /* 0 = parse's default */
    unsigned n_threads;    /* that read pages; 0 or 1: none but the caller's. Same result for any */
    gboolean keep_hidden;  /* take text that no reader sees for text; default FALSE */
    layout_ocr_mode ocr;   /* default AUTO */
    const char *ocr_languages; /* parse_ocr_options'; NULL: by the script of each page */
    const struct parse_ocr_store *ocr_store; /* of parse/parse.h; NULL: none */
    const int *cancel;                       /* may be NULL; *cancel != 0 stops between pages */
    void (*progress)(int page, int n_pages, void *user_data); /* may be NULL */
    void *user_data;
} layout_options;

/* Parse and analyse one file. A page that fails is kept empty with its reason in pages[i].failure and a
 * warning; the file fails only when nothing of it can be read. Thread-safe. */
lode_document *layout_document_open(const char *path, const layout_options *options,
                                    GError **error);

/* ---- archives ----
 *
 * "papers.zip!/dir/one.pdf" is a path like others to all functions here that read a document: a member of an archive (ZIP,
 * tar, also compressed), or the one file in "one.pdf.gz!/one.pdf". Archives in archives are entered once. An archive
 * of LaTeX source is one document under its own path. */

/* The paths of the documents in the archive at path: char *, free with g_ptr_array_unref. NULL without an error: it is
 * no archive, or one that is a document itself. LAYOUT_ERROR_PASSWORD: it is encrypted; LAYOUT_ERROR_LIMIT: a
 * decompression bomb, or too many files. */
GPtrArray *layout_archive_members(const char *path, GError **error);
/* The file that a member's path begins with; NULL for a path of no member. Free with g_free. */
char *layout_archive_of(const char *path);

/* ---- HTML ---- */

/* Main text of an HTML page as a document of one page: title, headings, paragraphs, lists, tables, code,
 * formulas, figures' captions, references, links; navigation, other boilerplate and hidden text left out.
 * html [len]; charset: the transport's, NULL: from <meta>, else UTF-8, else windows-1252. url: base of
 * relative links, may be NULL.
 *
 * The page is of nominal size (612 x 792) and blocks have no boxes. A CODE block keeps its line ends. Up to
 * 8 MiB; LAYOUT_ERROR_LIMIT beyond. LAYOUT_ERROR_FORMAT: not HTML, or nothing readable in it. Parsing loads
 * nothing and runs nothing. Thread-safe. */
lode_document *layout_document_from_html(const char *html, size_t len, const char *charset,
                                         const char *url, GError **error);

/* What that reader asks of libxml2's trees, for other readers of markup. */
struct _xmlNode;

/* html [len] as UTF-8 behind a byte order mark, without NUL and other characters that XML forbids. Its
 * encoding: byte order mark, then charset (may be NULL), then <meta>, then UTF-8 if it is that, then
 * windows-1252. Never fails: what cannot be read becomes U+FFFD. Free with g_string_free. */
GString *layout_html_to_utf8(const char *html, size_t len, const char *charset);
/* Is it an element of that name? node may be NULL. */
gboolean layout_html_is(const struct _xmlNode *node, const char *name);
/* The attribute's value, lent; NULL where absent. */
const char *layout_html_attribute(const struct _xmlNode *node, const char *name);
/* All text below node, blanks collapsed and trimmed. Free with g_free. */
char *layout_html_text(const struct _xmlNode *node);
/* text may be NULL; collapsed and trimmed; NULL when nothing is left. Free with g_free. */
char *layout_html_clean(const char *text);

const char *layout_libxml_version(void); /* "2.9.14", for lode doctor; static */

/* ---- making a document: for the readers of this and other modules ----
 *
 * Append-only; strings are copied into the document, so callers may pass their own memory. Indices returned
 * are those of the finished document's arrays. One thread at a time. */

typedef struct layout_builder layout_builder;

layout_builder *layout_builder_new(void);
void layout_builder_free(layout_builder *builder); /* an unfinished one; NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(layout_builder, layout_builder_free)

/* Fill in before finishing. Strings assigned here must come from layout_builder_copy, and the author list
 * from layout_builder_set_authors. */
layout_metadata *layout_builder_meta(layout_builder *builder);
void layout_builder_set_authors(layout_builder *builder, const char *const *names, size_t n);
/* A copy of text that lives as long as the document; len -1: NUL-terminated. NULL gives NULL. */
const char *layout_builder_copy(layout_builder *builder, const char *text, gssize len);

int layout_builder_add_page(layout_builder *builder, const layout_page *page);
/* first_* and n_* of block are set from the arrays given here, each of which may be NULL with 0; item is
 * set by the functions below. text NULL: ""; text_len 0: strlen(text). Boxes at NaN, infinite or inside out
 * are tidied, here and below: a damaged file can place things so. */
int layout_builder_add_block(layout_builder *builder, const layout_block *block,
                             const layout_box *boxes, guint n_boxes, const layout_span *spans,
                             guint n_spans, const layout_line *lines, guint n_lines);
/* These set blocks[x->block].item to their own index. */
int layout_builder_add_table(layout_builder *builder, const layout_table *table,
                             const layout_cell *cells, guint n_cells);
int layout_builder_add_figure(layout_builder *builder, const layout_figure *figure,
                              const layout_panel *panels, guint n_panels);
int layout_builder_add_formula(layout_builder *builder, const layout_formula *formula);
/* first_name and n_names are set from the array given here, which may be NULL with 0. */
int layout_builder_add_reference(layout_builder *builder, const layout_reference *reference,
                                 const layout_name *names, guint n_names);
/* In the order of layout_citation; block and reference must have been added. */
void layout_builder_add_citation(layout_builder *builder, const layout_citation *citation);
void layout_builder_add_discard(layout_builder *builder, const layout_discard *discard);
void layout_builder_add_warning(layout_builder *builder, int page, const char *message);
/* Writable until finished: the index must have been returned by layout_builder_add_block. */
layout_block *layout_builder_block(layout_builder *builder, int index);
layout_page *layout_builder_page(layout_builder *builder, int index);

/* Checks the invariants (indices in range, spans sorted and on character borders, boxes ordered, every
 * grid place of a table covered once) and aborts with a message where one is broken: that is a mistake of
 * the caller, never of a file. Hands over the document and frees the builder. */
lode_document *layout_builder_finish(layout_builder *builder);

/* ---- writers: same document, same bytes ---- */

typedef enum {
    LAYOUT_IMAGES_NONE,
    LAYOUT_IMAGES_FIGURES,
    LAYOUT_IMAGES_ALL /* crops of tables and formulas too */
} layout_images;

typedef enum {
    LAYOUT_FORMULAS_AUTO,  /* LaTeX, and beside it the picture where it is not sure or not known */
    LAYOUT_FORMULAS_LATEX, /* no pictures */
    LAYOUT_FORMULAS_IMAGE, /* the picture instead of LaTeX where texts can show one */
    LAYOUT_FORMULAS_BOTH   /* both for every formula */
} layout_formulas;

/* For every writer; each looks at what concerns it. */
typedef struct {
    gboolean page_breaks;  /* "<!-- page N -->" before each page's first block; default FALSE */
    gboolean furniture;    /* keep running headers, footers, page numbers; default FALSE */
    const char *image_dir; /* prefix of image links; NULL: "images" */
    layout_images
        images; /* image files that exist beside the output: others are not named; default ALL */
    layout_formulas formulas; /* how they are shown; pictures only with images ALL; default AUTO */
} layout_write_options;

layout_write_options layout_write_options_default(void);

/* Takes the next piece of a text: not NUL-terminated, may end inside a character. FALSE: it could not be taken,
 * and no more comes. Texts that are handed on piece by piece take no memory that grows with the document. */
typedef gboolean (*layout_write_fn)(const char *data, size_t len, void *user_data);

/* CommonMark with GFM tables (HTML tables where cells span), $$...$$ formulas. options NULL: defaults.
 * Free with g_free. */
char *layout_document_to_markdown(const lode_document *document,
                                  const layout_write_options *options);

/* Bytes from start to before end. */
typedef struct {
    gsize start, end;
} layout_range;

/* The same, and where in it each block stands: ranges [n_blocks], NULL or the caller's; 0 to 0 for a block
 * that is not written (furniture, a figure without an image). A range takes the block's markup along ("## ",
 * "- ", "$$") but no line end. Ranges do not overlap; what lies between them is blank or a comment. Captions and
 * footnotes may stand elsewhere than their place in reading order. */
char *layout_document_to_markdown_ranges(const lode_document *document,
                                         const layout_write_options *options, layout_range *ranges);

/* The same, handed on; FALSE when write failed. */
gboolean layout_document_write_markdown(const lode_document *document,
                                        const layout_write_options *options, layout_range *ranges,
                                        layout_write_fn write, void *user_data);

/* lode's own JSON, schema "lode-document", version 2: the whole document, boxes on everything. Two spaces
 * of indentation, keys in a fixed order, newline at the end. Free with g_free. */
char *layout_document_to_json(const lode_document *document);

/* The same for people and programs beside the Markdown that layout_document_to_markdown makes with the same
 * options: "markdown" says with which, and each block carries its range of it. Names no image that options
 * say is not there. Reading it drops the ranges. */
char *layout_document_to_traced_json(const lode_document *document,
                                     const layout_write_options *options);

gboolean layout_document_write_traced_json(const lode_document *document,
                                           const layout_write_options *options,
                                           layout_write_fn write, void *user_data);

/* The inverse: what layout_document_to_json wrote becomes the same document. Foreign bytes: checked. */
lode_document *layout_document_from_json(const char *json, size_t len, GError **error);

/* MinerU's content list, version 1 (flat array, boxes 0..1000). options NULL: defaults. Free with g_free. */
char *layout_document_to_content_list(const lode_document *document,
                                      const layout_write_options *options);

gboolean layout_document_write_content_list(const lode_document *document,
                                            const layout_write_options *options,
                                            layout_write_fn write, void *user_data);

/* MinerU's middle file (pages, blocks, lines, spans, boxes in points). options NULL: defaults. g_free. */
char *layout_document_to_middle(const lode_document *document, const layout_write_options *options);

/* One HTML page, valid XML as well, without scripts or other files than the images options speak of: nested
 * sections, lists, figures and tables with their captions, footnotes and bibliography linked with their
 * call-outs, LaTeX in \(...\) and \[...\]. Each block has id "bN" by its index, data-page (page numbers) and
 * data-box ("x0 y0 x1 y1" in points, one per page of data-page, "; " between). options NULL: defaults. g_free. */
char *layout_document_to_html(const lode_document *document, const layout_write_options *options);

/* Text alone: one paragraph per line, an empty line between, tables with aligned columns. options NULL:
 * defaults. g_free. */
char *layout_document_to_text(const lode_document *document, const layout_write_options *options);

/* One table as comma-separated values (RFC 4180): UTF-8, CRLF at line ends, a field for every column in every row. A cell
 * over several rows or columns stands in the first of its places, the others are empty. A text that a spreadsheet
 * would take for a formula, numbers apart, gets an apostrophe in front. index < n_tables. g_free. */
char *layout_table_to_csv(const lode_document *document, guint index);
/* All of them, an empty line between two. options: none matter. g_free. */
char *layout_document_to_csv(const lode_document *document, const layout_write_options *options);
/* "page-3-table-1.csv": unique in the document, and its crop's name but for the ending. g_free. */
char *layout_table_file_name(const lode_document *document, guint index);

/* The bibliography as BibTeX: one entry per reference, in their order, UTF-8, special characters escaped and
 * capitals of titles protected. Keys are family name, year and first word of the title in ASCII
 * ("vaswani2017attention", then "...b"), unique in the file and the same from run to run. The entry as printed
 * is kept in the field "note" only where no title could be read. The paper itself is not among them. "" for a
 * document without references. Free with g_free. */
char *layout_document_to_bibtex(const lode_document *document);

/* The same as CSL JSON (an array of items, two spaces of indentation, newline at the end): ids are BibTeX's keys. "[]" for
 * a document without references. Free with g_free. */
char *layout_document_to_csl(const lode_document *document);

/* ---- BibTeX files ---- */

#define LAYOUT_BIBTEX_MAX_BYTES   (64u << 20) /* that a file's @strings expand to */
#define LAYOUT_BIBTEX_MAX_ENTRIES (1u << 20)

/* One entry as it stands. Lent for the time of a call. */
typedef struct {
    const char *kind;   /* "article": in lower case, without its @ */
    const char *key;    /* "li2023"; "" where there is none */
    GHashTable *fields; /* lower-case name -> TeX; of several with one name the first */
} layout_bibtex_entry;

typedef void (*layout_bibtex_visit)(const layout_bibtex_entry *entry, gpointer user_data);

/* Show visit each entry of text [len], UTF-8 without zero bytes, in their order; name stands in messages.
 *
 * BibTeX as in Patashnik, "BibTeXing" (1988): @string, @preamble and @comment, # between values, values in braces or
 * quotes, entries in braces or parentheses, month names; also % comments between entries. A @string that was never
 * given is empty. What a crossref leads to is the caller's. FALSE: error is LAYOUT_ERROR_FORMAT and names file, line
 * and column (a character's, from 1); the entries in front of the place were shown. Thread-safe. */
gboolean layout_bibtex_read(const char *name, const char *text, size_t len,
                            layout_bibtex_visit visit, gpointer user_data, GError **error);

/* A person's name, each part TeX. */
typedef struct {
    char *last;   /* "von Last"; the whole name where no comma divides it */
    char *first;  /* NULL: not told apart */
    char *junior; /* NULL */
} layout_bibtex_name;

/* The names of an author field, "Last, First and First Last and ..." ("others" is one of them): layout_bibtex_name *, owned
 * by the array. Thread-safe. */
GPtrArray *layout_bibtex_people(const char *tex);

typedef struct {
    layout_images which;
    double dpi;               /* 10..1200, 0 = 200 */
    gboolean no_svg;          /* PNG alone; default FALSE: vector art comes as SVG as well */
    layout_formulas formulas; /* which of them are cut out, as the texts show them; default AUTO */
    /* What could not be written though nothing failed: an SVG beyond its limit. page 0-based. May be NULL. */
    void (*warn)(int page, const char *message, void *user_data);
    void *user_data;
} layout_image_options;

/* { LAYOUT_IMAGES_ALL } and zeros. */
layout_image_options layout_image_options_default(void);
/* Is there anything that layout_document_write_images would write? */
gboolean layout_document_has_images(const lode_document *document, layout_images which,
                                    layout_formulas formulas);

/* Render the figures (and crops of tables) of the document from its source file into dir: PNG, and beside it
 * SVG (at most 4 MiB each, text as outlines) where the figure names one. File names are those the document
 * carries; dir is made where needed. path: the source. options NULL: defaults. Files are written atomically,
 * the same bytes each time. Stops at the first error. */
gboolean layout_document_write_images(const lode_document *document, const char *path,
                                      const char *password, const char *dir,
                                      const layout_image_options *options, GError **error);

/* Write to path a copy of the PDF source with every block drawn over its page: a translucent box per place, one
 * colour per type, labelled with the block's index and type. Atomic. LAYOUT_ERROR_IO: path cannot be written;
 * LAYOUT_ERROR_FORMAT: this source cannot be drawn on (not a PDF, too damaged). */
gboolean layout_document_write_overlay(const lode_document *document, const char *source,
                                       const char *password, const char *path, GError **error);

/* Write to path the source as a PDF with what OCR read on its pages as text that is not seen: a PDF with all it has,
 * pictures as pages. options: those that the document was read with. Atomic. Errors as above, and
 * LAYOUT_ERROR_CANCELLED. */
gboolean layout_document_write_searchable(const lode_document *document, const char *source,
                                          const layout_options *options, const char *path,
                                          GError **error);

/* SHA-256 of a file's bytes as lower-case hex; free with g_free. */
char *layout_file_sha256(const char *path, GError **error);

/* Write a file so that path holds either its old content or all of the new one, also after a crash
 * (temporary name in the same folder, fsync, rename). On error the temporary file is gone.
 * LAYOUT_ERROR_IO. Thread-safe. */
gboolean layout_write_file_atomic(const char *path, const void *data, size_t len, GError **error);
/* All of data to a file or pipe, whatever interrupts it. FALSE: errno says why. */
gboolean layout_write_all(int fd, const void *data, size_t len);

G_END_DECLS
#endif
