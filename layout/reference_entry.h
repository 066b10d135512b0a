/* Between the files that read the parts of one bibliography entry. Private to layout. */
#ifndef LODE_LAYOUT_REFERENCE_ENTRY_H
#define LODE_LAYOUT_REFERENCE_ENTRY_H

#include "layout/flow.h"

G_BEGIN_DECLS

/* Stands for each byte that is not to be read again: identifiers and their labels. */
#define REFERENCE_MASK '\x01'

/* An entry that is being read, and what is known of it so far. */
typedef struct {
    layout_builder *builder;
    char *text; /* with identifiers and their labels overwritten by REFERENCE_MASK */
    gsize len;
    guint8 *style; /* layout_span_flags of each byte */
    layout_reference *out;
    gsize title_start, title_end;
    gboolean title_italic;
    gboolean in;       /* "In" stood before the venue */
    gboolean editors;  /* and editors behind it */
    gboolean preprint; /* an arXiv id stands for the venue */
    gsize venue_start, venue_end;
} reference_entry;

/* What reference_pattern() finds. */
enum {
    REFERENCE_MASK_URL,
    REFERENCE_MASK_DOI,
    REFERENCE_MASK_ARXIV,
    REFERENCE_MASK_LABEL,
    REFERENCE_MASK_VISIT,
    REFERENCE_MASK_NUMBER,
    REFERENCE_N_MASKS,
    REFERENCE_FIND_EDITORS = REFERENCE_N_MASKS,
    REFERENCE_FIND_SHORT, /* no title: "Nature, 521, 436" */
    REFERENCE_FIND_THESIS,
    REFERENCE_FIND_REPORT,
    REFERENCE_N_FIXED,
    REFERENCE_N_NUMBERS = 12 /* ways to write volume, issue and pages, behind the fixed patterns */
};

/* ---- reference_parse.c ---- */
/* The compiled pattern: one of the above, or REFERENCE_N_FIXED + i of REFERENCE_N_NUMBERS. The table's. */
GRegex *reference_pattern(guint index);
/* Is the character among signs? NUL never is. */
gboolean reference_is_one_of(gunichar sign, const char *signs);
/* Where the first character from at on begins that is no space, no mask and none of signs. */
gsize reference_skip(const reference_entry *e, gsize at, const char *signs);
/* text[from, to) without what is not part of a title or name at its ends; NULL where nothing is left. */
const char *reference_copy_trimmed(const reference_entry *e, gsize from, gsize to);
/* Do four digits, and no more, that can be a year (1800 to 2049) begin here? */
gboolean reference_is_year(const char *at);
/* A stretch of italics (or bold) with at least three letters or digits, from `from` on; short gaps of other signs
 * do not end it. */
gboolean reference_next_run(const reference_entry *e, gsize from, guint8 flag, gsize *start,
                            gsize *end);

/* ---- reference_title.c ---- */
/* Does the full stop at stop end an abbreviation? text: where the part begins. */
gboolean reference_is_abbreviation(const char *text, const char *stop);
/* Sets the title; returns where the rest begins. */
gsize reference_take_title(reference_entry *e, gsize from, char separator);
/* "Nature 521, 436 (2015)" right behind the authors: there is no title. */
gboolean reference_has_no_title(const reference_entry *e, gsize at, gsize *venue_end);

/* ---- reference_venue.c ---- */
/* Finds the venue behind the title, which ended at `at`. */
void reference_take_venue(reference_entry *e, gsize at);
/* "Nature, 521" -> "Nature" and the volume; also a year in front or behind. */
void reference_set_venue(reference_entry *e, gsize from, gsize to);
/* Finds volume, issue and pages behind `from`, and a year that stands among them. */
void reference_take_numbers(reference_entry *e, gsize from);
/* What kind of work this is, by its venue and the words behind `from`. */
layout_reference_kind reference_guess_kind(const reference_entry *e, gsize from);
/* Finds the publisher or school behind `from`, as the kind has it. */
void reference_take_publisher(reference_entry *e, gsize from);

G_END_DECLS
#endif
