/* parse: a file on disk -> pages of primitives.
 *
 * Opens PDF (and what else MuPDF reads: XPS, EPUB, FB2, CBZ, images), and hands out, page by page, what is
 * drawn: glyph runs, vector paths, images, links, and the file's outline, metadata and structure tags. No
 * interpretation here: lines, columns and blocks are layout's.
 *
 * Space: PDF points, origin at the top left of the page as a reader sees it (page rotation and CropBox
 * applied), y downwards. MuPDF's exceptions and types stay inside this folder.
 *
 * A parse_file owns its own MuPDF context: use one per thread (one thread at a time each). A parse_page is
 * plain memory, independent of its file once loaded. */
#ifndef LODE_PARSE_PARSE_H
#define LODE_PARSE_PARSE_H

#include <glib.h>
#include <stdint.h>

G_BEGIN_DECLS

#define PARSE_ERROR (parse_error_quark())
GQuark parse_error_quark(void);

typedef enum {
    PARSE_ERROR_IO,       /* cannot be opened or read */
    PARSE_ERROR_FORMAT,   /* not a readable document */
    PARSE_ERROR_PASSWORD, /* encrypted, and the password is missing or wrong */
    PARSE_ERROR_LIMIT,    /* memory, time, pages, size */
    PARSE_ERROR_PAGE,     /* this page cannot be read; the others may */
    PARSE_ERROR_CANCELLED
} parse_error_code;

typedef struct {
    float x0, y0, x1, y1; /* x0 <= x1, y0 <= y1 */
} parse_rect;

typedef enum {
    PARSE_FONT_BOLD = 1 << 0,
    PARSE_FONT_ITALIC = 1 << 1,
    PARSE_FONT_SERIF = 1 << 2,
    PARSE_FONT_MONO = 1 << 3,
    PARSE_FONT_TYPE3 = 1 << 4,
    PARSE_FONT_SUBSTITUTE = 1 << 5, /* not embedded: drawn with another font */
    PARSE_FONT_MATH_EXTENSION =
        1 << 6 /* TeX's large delimiters and operators: they hang from their origin */
} parse_font_flags;

typedef struct {
    const char *name;          /* without the subset prefix "ABCDEF+"; owned by the page */
    guint flags;               /* parse_font_flags */
    float ascender, descender; /* in ems; descender <= 0 */
} parse_font;

typedef struct {
    uint32_t unicode; /* U+FFFD where the font has no mapping */
    int32_t gid; /* glyph index in its font, -1 for a further character of a ligature's expansion;
                         * U+FB00 to U+FB06 are expanded, and the characters share the glyph's advance */
    float x, y;  /* origin on the baseline */
    parse_rect
        box; /* advance wide, ascender to descender high, in math extension fonts as high as the ink;
                     * upright hull where rotated */
} parse_glyph;

typedef enum {
    PARSE_RUN_HIDDEN = 1 << 0,   /* render mode 3: an OCR layer, mostly */
    PARSE_RUN_VERTICAL = 1 << 1, /* vertical writing mode */
    PARSE_RUN_OFF_PAGE = 1 << 2, /* outside the crop box, or cut off by the clip: not seen */
    PARSE_RUN_CLIPPED = 1 << 3,  /* only used as a clip path */
    PARSE_RUN_STROKED = 1 << 4,
    PARSE_RUN_OCR = 1 << 5,     /* read in the pixels by parse_ocr_page() */
    PARSE_RUN_DOUBTFUL = 1 << 6 /* with PARSE_RUN_OCR: a word that was hardly legible */
} parse_run_flags;

/* Consecutive glyphs of one font, size, colour, direction and baseline, in content order. Gaps along the
 * baseline (words, columns) do not end a run. */
typedef struct {
    guint font;         /* index into fonts */
    float size_pt;      /* font size as it appears on the page */
    float dir_x, dir_y; /* unit vector along the baseline; (1, 0) upright */
    uint32_t color;     /* 0xAARRGGBB */
    guint flags;        /* parse_run_flags */
    int32_t mcid;       /* marked-content id, -1 where none */
    gboolean artifact;  /* inside an /Artifact marked-content sequence */
    guint first_glyph, n_glyphs;
    guint paint; /* drawn before every path and image whose paint is greater */
    parse_rect box;
} parse_run;

typedef enum {
    PARSE_PATH_RULE_H, /* a horizontal rule: a stroked segment or a thin filled rectangle */
    PARSE_PATH_RULE_V,
    PARSE_PATH_RECT, /* a filled or stroked upright rectangle */
    PARSE_PATH_OTHER /* anything else, known by its box */
} parse_path_kind;

typedef struct {
    parse_path_kind kind;
    gboolean stroked, filled;
    float width_pt; /* line width; thickness for rules */
    uint32_t color; /* 0xAARRGGBB */
    guint n_segments;
    gboolean opaque; /* all of box is covered, in this colour: nothing below shows through */
    guint paint;     /* order on the page; grows with what is opaque */
    parse_rect box;  /* of what is inked, clipped */
} parse_path;

typedef struct {
    parse_rect box;            /* on the page, clipped */
    guint width_px, height_px; /* of the source image */
    gboolean mask;             /* a stencil, drawn in the fill colour */
    gboolean opaque;           /* nothing below its box shows through */
    guint paint;               /* as a path's */
    guint index;               /* n-th image drawn on the page, for messages */
} parse_image;

typedef struct {
    parse_rect box;
    const char *uri;      /* NULL for an internal link */
    const char *dest;     /* name of the destination where the file has one, else NULL */
    int dest_page;        /* 0-based, -1 for an external link */
    float dest_x, dest_y; /* on dest_page; NAN where unspecified */
} parse_link;

typedef struct {
    int index;         /* 0-based */
    const char *label; /* printed page label from /PageLabels, NULL where none */
    float width_pt, height_pt;
    int rotation; /* 0, 90, 180, 270: already applied */
    const parse_font *fonts;
    guint n_fonts;
    const parse_glyph *glyphs;
    guint n_glyphs;
    const parse_run *runs;
    guint n_runs;
    const parse_path *paths;
    guint n_paths;
    const parse_image *images;
    guint n_images;
    const parse_link *links;
    guint n_links;
    guint n_masked;     /* glyphs drawn into a soft mask or a tile of a pattern; not in glyphs */
    guint n_unplaced;   /* glyphs drawn nowhere: at infinity, or so far away; not in glyphs */
    guint n_unmapped;   /* glyphs without a Unicode mapping, in the file or in the font itself */
    gboolean truncated; /* a limit was reached: more was drawn than kept */
    float skew;         /* radians by which a scan was straightened: parse_unskew() */
    void *storage;      /* private */
} parse_page;

/* One node of the structure tree (tagged PDF), pre-order: elements, and below them a leaf for each piece of
 * marked content on a page, which repeats its element's role. */
typedef struct {
    const char *role; /* standard type after the role map: "H1", "P", "Table", "Figure", ... */
    const char *alt;  /* alternate text, NULL where none */
    int parent;       /* index, -1 for a root */
    int page;         /* 0-based, -1 unknown; of its marked content */
    int32_t mcid;     /* for a leaf, else -1 */
} parse_tag;

typedef struct {
    const char *title; /* UTF-8 */
    int level;         /* 1-based */
    int page;          /* 0-based, -1 where it leads elsewhere */
    float x, y;        /* on that page; NAN where unspecified */
} parse_outline_item;

typedef struct {
    const char *format; /* "PDF 1.5", "EPUB", ... */
    const char *title, *author, *subject, *keywords, *creator, *producer; /* NULL where absent */
    const char *created, *modified;       /* as the file writes them, e.g. "D:20240131120000Z" */
    const char *xmp;                      /* the XMP packet, NULL where absent */
    const char *language;                 /* BCP 47 from the catalog, NULL where absent */
    gboolean encrypted, tagged, repaired; /* repaired: MuPDF had to rebuild the file's structure */
} parse_metadata;

typedef struct {
    const char *password;  /* NULL: none */
    uint64_t memory_limit; /* bytes MuPDF may hold at once for this file; 0 = 1 GiB */
    guint max_pages;       /* refuse more; 0 = 20000 */
    guint max_glyphs;      /* per page, then truncated; 0 = 1000000 */
    guint max_paths;       /* per page, then truncated; 0 = 200000 */
    double page_seconds;   /* wall clock per page; 0 = 30, negative = no limit */
} parse_options;

typedef struct parse_file parse_file;

/* path: file name as the system spells it; messages show it as UTF-8. options NULL: defaults.
 * A file that had to be repaired opens, with metadata->repaired and a warning. */
parse_file *parse_file_open(const char *path, const parse_options *options, GError **error);
/* The same from bytes that outlive the file; name is for messages and for archives. */
parse_file *parse_file_open_memory(const void *data, size_t size, const char *name,
                                   const parse_options *options, GError **error);
void parse_file_free(parse_file *file); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(parse_file, parse_file_free)

const char *parse_file_name(const parse_file *file); /* display name: basename, UTF-8 */
int parse_file_n_pages(const parse_file *file);
const parse_metadata *parse_file_metadata(const parse_file *file);
const parse_outline_item *parse_file_outline(const parse_file *file,
                                             guint *n); /* NULL and 0 where none */
/* The structure tree; loaded at the first call, NULL and 0 where the file is not tagged. */
const parse_tag *parse_file_tags(parse_file *file, guint *n);
#define PARSE_MAX_WARNINGS 200
/* MuPDF's warnings so far, PARSE_MAX_WARNINGS at most, one per element, repeated ones folded; lives as long
 * as the file. */
const char *const *parse_file_warnings(const parse_file *file, guint *n);

/* Page index 0-based. The page outlives the file. PARSE_ERROR_PAGE or _LIMIT: go on with the next one. */
parse_page *parse_file_load_page(parse_file *file, int index, GError **error);
void parse_page_free(parse_page *page); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(parse_page, parse_page_free)

/* No page will be loaded for a while: let go of all that can be read again. */
void parse_file_rest(parse_file *file);

/* Render part of a page (clip NULL: all of it) at dpi to PNG, RGB on white, turned clockwise by quarters (0 .. 3). At
 * most 64 megapixels, else PARSE_ERROR_LIMIT. Free with g_bytes_unref. Same bytes for the same input. */
GBytes *parse_file_render_png(parse_file *file, int index, const parse_rect *clip, guint quarters,
                              double dpi, GError **error);

/* The same as SVG: width and height are points, text is outlines, what lies beside clip is left out. More than
 * max_bytes (0 = 4 MiB): PARSE_ERROR_LIMIT. */
GBytes *parse_file_render_svg(parse_file *file, int index, const parse_rect *clip, guint quarters,
                              gsize max_bytes, GError **error);

typedef struct {
    parse_rect box;
    uint32_t color;    /* 0xRRGGBB */
    const char *label; /* ASCII; other characters show as "?" */
} parse_overlay_mark;

typedef struct {
    int page; /* 0-based */
    const parse_overlay_mark *marks;
    guint n_marks;
} parse_overlay_page;

/* Write a copy of the PDF to fd, with the marks of pages [n] drawn over them: a translucent box with its label on
 * its upper left corner. Content, rotation, boxes and encryption stay. PARSE_ERROR_IO: fd cannot be written;
 * other codes: this file cannot be copied so (not a PDF, too damaged), and what fd has is of no use. Changes the
 * file in memory: load no pages from it afterwards. */
gboolean parse_file_write_overlay(parse_file *file, const parse_overlay_page *pages, guint n,
                                  int fd, GError **error);

/* The words of a page, for the caller to free: those of its runs that are PARSE_RUN_OCR count. NULL: the page stays
 * as it is. error: ends the writing. */
typedef parse_page *(*parse_words_fn)(int index, gpointer user_data, GError **error);

/* Write a copy of the document to fd, a PDF, with those words as text that is not seen but can be searched, selected
 * and copied. Pages of a PDF keep what they have, pictures become pages that hold them. Calls words for each page
 * in turn; it must not use this file. Else as parse_file_write_overlay(). */
gboolean parse_file_write_searchable(parse_file *file, parse_words_fn words, gpointer user_data,
                                     int fd, GError **error);

/* ---- OCR ----
 *
 * Tesseract's LSTM engine (https://github.com/tesseract-ocr/tesseract, capi.h) over an image of the page that
 * Leptonica has turned upright, straightened and cleaned. Results depend on the page, the options and the
 * installed language data alone. */

typedef struct parse_ocr parse_ocr;

/* Words that were recognised before, so that a run that was killed need not read them again. Called from the
 * thread of the parse_ocr; several of them may share one store. */
typedef struct parse_ocr_store {
    GBytes *(*get)(const char *key, gpointer user_data); /* NULL: not there; the caller unrefs */
    void (*put)(const char *key, GBytes *page, gpointer user_data);
    gpointer user_data;
} parse_ocr_store;

typedef struct {
    const char
        *languages; /* as Tesseract names them, "eng+deu"; NULL: by the script of the page, among
                            * those installed */
    const parse_ocr_store *store; /* NULL: none; must outlive the parse_ocr */
    const int *cancel;            /* NULL: never; *cancel != 0 ends recognition between words */
} parse_ocr_options;

/* One per thread; loading the language data takes a tenth of a second, so keep it. options NULL: defaults.
 * PARSE_ERROR_IO: a language is not installed (the message names the package that brings it). */
parse_ocr *parse_ocr_new(const parse_ocr_options *options, GError **error);
void parse_ocr_free(parse_ocr *ocr); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(parse_ocr, parse_ocr_free)

/* What the pixels of a page say. n_regions 0: all of it is recognised, and the result holds nothing else than
 * that: runs (PARSE_RUN_OCR) word by word from line to line, rules as paths, pictures as images. Else: what page
 * holds, and after it the words inside regions [n_regions]. page is file's, loaded; label, size, rotation and
 * links are taken over from it. Where the page was scanned askew, everything is put straight about its centre, and
 * skew says by how much. Text that stands upside down or sideways has runs of that direction.
 * PARSE_ERROR_PAGE, _LIMIT (too large, or too slow), _CANCELLED. */
parse_page *parse_ocr_page(parse_ocr *ocr, parse_file *file, const parse_page *page,
                           const parse_rect *regions, guint n_regions, GError **error);

/* Where the language data is: TESSDATA_PREFIX, else where packages put it; NULL: nowhere. Free with g_free. */
char *parse_ocr_data_path(void);
/* Names of the languages there, "deu", "eng", sorted; NULL-terminated; free with g_strfreev. */
char **parse_ocr_languages(const char *data_path);
/* Is each of "eng+deu" there? PARSE_ERROR_IO: no, and which package brings it. */
gboolean parse_ocr_languages_check(const char *languages, GError **error);

/* A place of a page that was straightened by skew -> where it is in the file's page. */
void parse_unskew(float width_pt, float height_pt, float skew, float *x, float *y);

/* The version of Tesseract, "5.3.0", for lode doctor. Static. */
const char *parse_tesseract_version(void);

/* The version of MuPDF, "1.21.1", for lode doctor. Static. */
const char *parse_mupdf_version(void);

G_END_DECLS
#endif
