/* OCR, inside: the picture of a page, and what is read in it. Private to parse/ocr*.c.
 *
 *   page --ocr_image.c--> picture    rendered gray, turned upright, put straight, cleaned
 *   picture --ocr_clean.c--> picture  without frames, screens, shadows, specks and the back of the sheet
 *   picture --ocr.c--> words         Tesseract's
 *   picture, words --ocr_size.c-->   font sizes and weights, which Tesseract's LSTM engine does not tell
 *   picture --ocr_shapes.c-->        rules and pictures
 *   words --ocr_raised.c-->          raised figures, to be read once more
 *   rules --ocr_cells.c-->           fields of tables, which are read one by one
 *   all of it --ocr_page.c--> parse_page */
#ifndef LODE_PARSE_OCR_INTERNAL_H
#define LODE_PARSE_OCR_INTERNAL_H

#include "parse/parse_internal.h"

#include <leptonica/allheaders.h>

#define PARSE_OCR_DOUBTFUL 0.6F /* confidence of a word below which it is marked */

/* An image of (part of) a page, as Tesseract gets it. */
typedef struct {
    PIX *gray;   /* 8 bits per pixel: upright, straight, clean */
    PIX *binary; /* the same, black is 1: for what is measured in pixels */
    double dpi;
    guint turn;          /* quarter turns clockwise that made the page upright */
    float skew;          /* radians clockwise that then made it straight */
    gboolean turn_known; /* FALSE: too few letters to tell upright from upside down */
    float width, height; /* points, upright */
    float x0, y0;        /* of the upright image's upper left corner, in points */
} parse_ocr_image;

/* One character; boxes are pixels of the image. */
typedef struct {
    uint32_t unicode;
    int x0, y0, x1, y1;
} parse_ocr_symbol;

typedef struct {
    guint first_symbol, n_symbols;
    int x0, y0, x1, y1;
    float confidence; /* 0 to 1 */
    guint line;
    float baseline; /* pixels: the line's, unless it clearly stands on another */
    float stroke;   /* mean thickness of its strokes in pixels, 0 unknown */
    float weight;   /* its strokes against the page's usual ones, for its size */
    gboolean bold;
} parse_ocr_word;

typedef struct {
    guint first_word, n_words;
    int x0, y0, x1, y1;
    float baseline; /* pixels, at the middle of the line */
    float em;       /* font size in pixels, 0 where no letter tells */
} parse_ocr_line;

/* All that was recognised in an image, in Tesseract's order. */
typedef struct {
    GArray *symbols;  /* parse_ocr_symbol */
    GArray *words;    /* parse_ocr_word */
    GArray *lines;    /* parse_ocr_line */
    GArray *rules;    /* parse_path, pixels */
    GArray *pictures; /* parse_rect, pixels */
    gboolean cut;     /* the time was up: more stands on the page */
} parse_ocr_text;

/* ---- ocr_data.c ---- */
/* Without a wish: English, else the first that is installed and no helper of Tesseract's; free with g_free. */
char *parse_ocr_languages_default(const char *data_path);

/* "tesseract-ocr-chi-sim" for "chi_sim"; free with g_free. */
char *parse_ocr_package(const char *language);

/* ---- ocr_script.c ---- */
/* The script of an image as Tesseract names it, "Latin", "Cyrillic"; NULL where that cannot be told; *sure: FALSE where it
 * is hardly more than a guess. Free with g_free. */
char *parse_ocr_script_find(const char *data_path, const parse_ocr_image *image, gboolean *sure);
/* The languages installed for a script that was guessed, before those that are usual: "chi_sim+eng". Free with g_free. */
char *parse_ocr_languages_of_guess(const char *data_path, const char *script, const char *usual);
/* The languages installed for a script, "eng+deu"; NULL: none. Free with g_free. */
char *parse_ocr_languages_of_script(const char *data_path, const char *script);
/* The language that most of a script's pages are in, installed or not. Free with g_free. */
char *parse_ocr_script_language(const char *script);

/* ---- ocr_image.c ---- */
/* region NULL: all of the page, turned and straightened; else only that part of it, as it is. NULL and error where it
 * cannot be rendered. */
parse_ocr_image *parse_ocr_image_new(parse_file *file, const parse_page *page,
                                     const parse_rect *region, GError **error);
void parse_ocr_image_free(parse_ocr_image *image);
/* Turn it by so many quarters more. */
void parse_ocr_image_turn(parse_ocr_image *image, guint quarters);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(parse_ocr_image, parse_ocr_image_free)

/* made takes the place of *pix, unless it could not be made. */
void parse_ocr_pix_replace(PIX **pix, PIX *made);
/* Black is 1, by one threshold for all of it (Otsu's); NULL where there is no memory. */
PIX *parse_ocr_binary(PIX *gray);
/* Sets all bits of a rectangle, one pixel at least, or clears them: set is white in gray images and black in binary
 * ones. */
void parse_ocr_paint(PIX *pix, int x0, int y0, int x1, int y1, gboolean set);
/* The binary image, halved until it has less than so many dots per inch; factor: a pixel of it is so many wide. NULL
 * where there is no memory. */
PIX *parse_ocr_reduced(const parse_ocr_image *image, double dpi, int *factor);

/* ---- ocr_clean.c ---- */
/* Takes out what scanners, copiers and cameras add. */
void parse_ocr_image_clean(parse_ocr_image *image);

/* ---- ocr_size.c ---- */
/* Shrinks the boxes of symbols to their ink; fills in em of lines, and baseline, stroke and bold of words. */
void parse_ocr_measure(parse_ocr_text *text, const parse_ocr_image *image);
/* Of floats, the upper one of two; 0 where there are none. Sorts them. */
float parse_ocr_median(GArray *values);

/* ---- ocr_shapes.c ---- */
/* Appends rules (parse_path) and pictures (parse_rect), in pixels. */
void parse_ocr_shapes_find(const parse_ocr_image *image, GArray *rules, GArray *pictures);
/* Boxes that touch or nearly do become one, until none do. */
void parse_ocr_pictures_join(GArray *pictures, double dpi);

/* ---- ocr_cells.c ---- */
/* Paints rules white. */
void parse_ocr_rules_erase(parse_ocr_image *image, const GArray *rules);
/* The box of what is black in part, with a little margin inside it; FALSE where nothing is. */
gboolean parse_ocr_ink(const parse_ocr_image *image, const parse_rect *part, parse_rect *ink);
/* The fields (parse_rect, pixels) of the grids that rules make up; free with g_array_unref. */
GArray *parse_ocr_fields_find(const parse_ocr_image *image, const GArray *rules);

/* ---- ocr_drawings.c ---- */
/* Appends to the pictures of text what is drawn on the page in lines, once its words are known. */
void parse_ocr_drawings_find(const parse_ocr_image *image, parse_ocr_text *text);

/* ---- ocr_missed.c ---- */
/* Parts of the image (parse_rect, pixels), each a piece of a line, whose ink no word covers; g_array_unref. */
GArray *parse_ocr_missed_find(const parse_ocr_image *image, const parse_ocr_text *text);

/* ---- ocr_raised.c ---- */
typedef struct {
    guint word, from, end; /* its symbols [from, end) are raised */
    parse_rect box;        /* pixels */
} parse_ocr_raised;

/* May it stand behind raised figures, on the line? */
gboolean parse_ocr_closes(uint32_t ch);
/* Parts of words that are raised and were not read as figures (parse_ocr_raised), once sizes are measured;
 * g_array_unref. */
GArray *parse_ocr_raised_find(const parse_ocr_text *text);
/* They are these figures (ASCII, not empty). */
void parse_ocr_raised_put(parse_ocr_text *text, const parse_ocr_raised *raised,
                          const char *figures);

/* ---- ocr_page.c ---- */
/* A page of its own that has page's index, size, label, rotation and links; with_content: and what is drawn on it. */
parse_page *parse_page_copy(const parse_page *page, gboolean with_content);
/* Appends what was recognised to a page made by parse_page_copy(). */
void parse_ocr_page_add(parse_page *page, const parse_ocr_image *image, const parse_ocr_text *text);

/* ocr_data.c: tells the language data from any other; g_free. */
char *parse_ocr_data_sum(const char *data_path, const char *languages);

#endif
