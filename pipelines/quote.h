/* Does a text quote another? The last word on every citation: deterministic, and without any model. */
#ifndef LODE_PIPELINES_QUOTE_H
#define LODE_PIPELINES_QUOTE_H

#include <glib.h>

#include "retrieval/retrieval.h"

G_BEGIN_DECLS

typedef enum {
    PIPELINES_MATCH_NONE,
    PIPELINES_MATCH_EXACT, /* byte for byte */
    PIPELINES_MATCH_NORMALISED, /* but for hyphenation, ligatures, quotes, dashes, white space, markup of formulas */
    PIPELINES_MATCH_FUZZY /* a letter here and there; every number, unit, negation and name the same */
} pipelines_match;

const char *pipelines_match_name(pipelines_match match); /* "unverified", "exact", ... */

typedef struct {
    pipelines_match match;
    double score;      /* 1; less where the match is fuzzy; 0 for none */
    size_t start, len; /* bytes of the source, on character borders */
} pipelines_alignment;

/* Find quote in source: the first place of the best kind of match. A place that cuts a word or a number in two is
 * none; one that begins right behind a negation is widened to it ("not"). White space around the quote is ignored.
 * Both are UTF-8 of any length; quotes of more than PIPELINES_MAX_FUZZY characters, and any in a source as
 * long as a book, only match exactly or normalised.
 *
 * Fuzzy is Sellers' approximate search ("The theory and computation of evolutionary distances", 1980) with Ukkonen's
 * cut-off, at a similarity of PIPELINES_MIN_SIMILARITY or more. */
#define PIPELINES_MAX_FUZZY      4000
#define PIPELINES_MIN_SIMILARITY 0.92
pipelines_alignment pipelines_align_quote(const char *quote, const char *source);

/* The text in the form that decides whether a match is normalised. g_free. */
char *pipelines_normalise(const char *text);

/* Is every number of the claim in the quote, with the same unit where both name one? A quote's number may be
 * rounded to the decimals the claim states; "three" is 3, "10,000" is 10000. Digits inside names (H1N1, COVID-19) and
 * between brackets ([2]) are no numbers. missing (may be NULL) receives the first that is not, g_free. */
gboolean pipelines_numbers_supported(const char *claim, const char *quote, char **missing);

/* Boxes of text [start, start + len) of a passage: GArray of layout_box, one per printed line, the first and last cut
 * to their share of the characters; empty where the passage has no places. */
GArray *pipelines_quote_boxes(const retrieval_hit *hit, size_t start, size_t len);

/* The cell of a table that a stretch of a passage is. */
typedef struct {
    uint32_t row, col; /* where it begins, from 1; rows of the header count */
    char *
        row_header; /* the first cell of its row, behind the heading of rows that it is one of; NULL where none */
    char *col_header; /* NULL where none */
} pipelines_cell;
/* FALSE: it is not (in) one cell. Clear the cell in either case. */
gboolean pipelines_cell_read(const retrieval_hit *hit, size_t start, size_t len,
                             pipelines_cell *cell);
void pipelines_cell_clear(pipelines_cell *cell);

/* Where the stretch begins: its page (0-based), block and bytes in that block's text. block is LAYOUT_NONE where it
 * is not known; a stretch that goes on in other blocks has the bytes of the first. */
typedef struct {
    int page, block;
    uint32_t block_start, block_len;
    int last_page, last_block;
} pipelines_location;
pipelines_location pipelines_quote_location(const retrieval_hit *hit, size_t start, size_t len);

G_END_DECLS
#endif
