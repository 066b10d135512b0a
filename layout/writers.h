/* Private to layout: what the writers of Markdown, JSON and content lists share. */
#ifndef LODE_LAYOUT_WRITERS_H
#define LODE_LAYOUT_WRITERS_H

#include "layout/document.h"

G_BEGIN_DECLS

/* A writer appends to text and calls layout_sink_step() where a block is done: what is there may then be handed
 * on, but for the last byte. */
typedef struct {
    GString *text;
    gsize n_before; /* bytes handed on already */
    const lode_document *document;
    layout_write_fn write; /* NULL: all is kept in text */
    void *user_data;
    guint n_touched; /* blocks in memory, about */
    gboolean failed;
} layout_sink;

void layout_sink_init(layout_sink *sink, const lode_document *document, layout_write_fn write,
                      void *user_data);
/* n_blocks: over how much of the document that lay which was written since the step before. */
void layout_sink_step(layout_sink *sink, guint n_blocks);
/* Hands on the rest; FALSE when write did not take it all. */
gboolean layout_sink_end(layout_sink *sink);
/* The whole text of a sink without a function; g_free. */
char *layout_sink_take(layout_sink *sink);

typedef enum {
    MARKDOWN_NO_EMPHASIS = 1 << 0 /* headings: bold is their typeface, not an emphasis */
} markdown_inline_flags;

/* A stretch of a block's text that calls footnote number. */
typedef struct {
    int block;
    uint32_t start, len;
    guint number;
} layout_note_call;

/* Append text [len] as CommonMark inlines, with its spans, on one line. What would read as markup is
 * escaped, and nothing else. calls [n_calls]: sorted, within text. */
void markdown_inline(GString *out, const char *text, uint32_t len, const layout_span *spans,
                     guint n_spans, const layout_note_call *calls, guint n_calls, guint flags);

/* A marker that CommonMark knows: "3." and "3)"; its number. */
gboolean markdown_is_ordered_marker(const char *marker, guint *number);
/* None, or one sign that is neither letter nor digit: "-", "•". Others ("(a)", "ii") are part of the text. */
gboolean markdown_is_bullet(const char *marker);

/* Put a backslash into out from position start on, if what was appended there would begin a list, a
 * heading, a quote, a rule, a fence or a link definition. */
void markdown_escape_block_start(GString *out, gsize start);

/* The mathematics that cells hold between dollars, as spans (layout_span) over the dollars, LaTeX kept in strings. */
void layout_cell_math(const char *text, GArray *spans, GStringChunk *strings);

typedef enum {
    LAYOUT_TABLE_MARKDOWN, /* a line per row, nothing but structure */
    LAYOUT_TABLE_LINE,     /* all in one line */
    LAYOUT_TABLE_PAGE      /* in a page of HTML: with alignment, and \\(...\\) for mathematics */
} layout_table_place;

/* Append the table as HTML: <table>, spans as attributes, <th> in header rows. options: for the pictures in cells, NULL
 * as lode_write_options_default(). */
void layout_table_to_html(GString *out, const lode_document *document, const layout_table *table,
                          layout_table_place place, const layout_write_options *options);

/* An image's tag in HTML up to its alternative text: <img src="images/NAME". */
void html_append_source(GString *out, const layout_write_options *options, const char *image);

/* For each block: the figure's or table's block that a caption or a table's note stands with, and the list of those that
 * a figure or table has, in reading order; LAYOUT_NONE where none. */
typedef struct {
    int *owner; /* [n_blocks] by caption */
    int *first; /* [n_blocks] by figure or table */
    int *next;  /* [n_blocks] by caption */
} layout_captions;

void layout_captions_init(layout_captions *captions, const lode_document *document);
void layout_captions_clear(layout_captions *captions);

/* Footnotes that are called, numbered from 1, and their calls. */
typedef struct {
    GArray *calls; /* layout_note_call, by block and place */
    guint *number; /* [n_blocks] of a footnote that is called, else 0 */
} layout_notes;

void layout_notes_init(layout_notes *notes, const lode_document *document);
void layout_notes_clear(layout_notes *notes);
/* Those inside one block, by place; NULL where there are none. */
const layout_note_call *layout_notes_calls(const layout_notes *notes, int block, guint *n);
/* "1" of a footnote that begins with a raised "1" or has that marker, and where its text goes on. */
gboolean layout_note_key(const lode_document *d, const layout_block *note, const char **key,
                         size_t *len, uint32_t *rest);
/* Goes to the next of the raised marks of a cell, which commas and blanks part, from at on: its length, 0 at the end. */
gsize layout_next_mark(const char **at);
/* The footnote of a table that mark [len], raised in one of its cells, calls: its block, LAYOUT_NONE where there is none. */
int layout_cell_note(const lode_document *document, const layout_table *table, const char *mark,
                     gsize len);

/* To hundredths of a point, as our JSON has lengths: every writer gives the same numbers for a document before and
 * after its way through JSON. */
double layout_hundredths(float value);

/* Does the output have a file of this name beside it? */
gboolean layout_has_figure_image(const layout_write_options *options, const char *image);
gboolean layout_has_crop(const layout_write_options *options, const char *image);
/* The picture of a formula that the output has, NULL where it has none. options NULL: all. */
const char *layout_formula_picture(const layout_write_options *options,
                                   const layout_formula *formula);
/* The same for where only these two are known. */
const char *layout_formula_crop(const layout_formula *formula, layout_images images,
                                layout_formulas formulas);
/* Its LaTeX, NULL where that is not known or the picture stands for it. */
const char *layout_formula_shown(const layout_write_options *options,
                                 const layout_formula *formula);

/* One key per reference, see layout_document_to_bibtex; NULL-terminated, free with g_strfreev. */
char **layout_reference_keys(const lode_document *document);

/* Append text [start, end) as raised or lowered characters of Unicode; FALSE, and nothing, where not all have
 * one. */
gboolean layout_append_script(GString *out, const char *text, uint32_t start, uint32_t end,
                              gboolean up);
/* An address that a reader may follow: http, https, ftp, mailto. */
gboolean layout_link_is_safe(const char *target);

/* Append text with & < > and, in attributes, quotes as entities; line ends become <br>. */
void html_append_escaped(GString *out, const char *text);

G_END_DECLS
#endif
