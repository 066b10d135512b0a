/* Between the steps that turn rows into blocks. Private to layout. */
#ifndef LODE_LAYOUT_FLOW_H
#define LODE_LAYOUT_FLOW_H

#include "layout/analyze.h"

G_BEGIN_DECLS

/* ---- displays.c ---- */
/* "(3)", "(A.1)", "(2b)" */
gboolean layout_equation_number(const char *text, gsize len);
/* Does a row begin at the left margin with an equation's number, or hold nothing else? */
gboolean layout_row_number_left(const layout_sheet *sheet, const layout_row *row);
/* Numbers the displayed formulas of a sheet in its rows. */
void layout_displays_find(const layout_work *work, layout_sheet *sheet);
/* Does text end in . ! ? : ; apart from closing quotes and brackets? */
gboolean layout_text_ends_sentence(const char *text, gsize len);

/* Forgets blocks that merging left without rows. */
void layout_paras_drop_empty(layout_work *work);
/* classify.c: title, authors, abstract, headings, footnotes */
void layout_classify(layout_work *work);
/* front.c: title and authors, whose names go into work; and, once headings are known, the abstract */
void layout_front_authors(layout_work *work);
void layout_front_abstract(layout_work *work);
/* ---- outline.c ---- */
typedef struct layout_outline layout_outline;
layout_outline *layout_outline_new(const layout_work *work); /* lives no longer than work */
void layout_outline_free(layout_outline *outline);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(layout_outline, layout_outline_free)
/* The level of the bookmark that leads to this heading on this page of the file, 0 where there is none. */
int layout_outline_level(const layout_outline *outline, const char *text, int page);

/* ---- run_in.c ---- */
/* Cuts headings off the paragraphs they lead into. */
void layout_run_in_mark(layout_work *work, const layout_outline *outline);
/* Does text begin like the label of a theorem, a proof, an example ...? */
gboolean layout_text_is_label(const char *text);

/* ---- contents.c: tables of contents ---- */
/* "Contents", "List of Figures" */
gboolean layout_contents_heading(const char *text);
/* Where a row of dots begins in text and how long it is with its blanks; len and 0 where there is none. */
gsize layout_contents_leader(const char *text, gsize len, gsize *leader_len);
/* Does this row end in a page number at the right edge? announced: below such a heading, where dots are not
 * needed. */
gboolean layout_contents_entry(const layout_sheet *sheet, const layout_row *row,
                               gboolean announced);
/* Do entries fill this part of the sheet, before there are rows? */
gboolean layout_contents_in(const layout_sheet *sheet, layout_rect box);
/* Before there are rows: where the entries stand below each heading of such a list. by_y [n]: upright segments of text,
 * from top to bottom; appends layout_rects to boxes. */
void layout_contents_announced(const layout_sheet *sheet, const guint *by_y, guint n,
                               GArray *boxes);

/* ---- footnotes.c ---- */
void layout_footnotes_mark(layout_work *work);
/* Notes that go on on the next page become one. */
void layout_footnotes_join(layout_work *work);
/* What stands under tables and speaks of them. After layout_tables_join. */
void layout_footnotes_of_tables(layout_work *work);
/* The marks of the notes under the table that is the index-th para, such as "a" and "*", NULL-terminated; free with
 * g_strfreev. */
char **layout_footnotes_marks(const layout_work *work, guint index);
/* Does a text begin as such a note does? */
gboolean layout_table_note_starts(const layout_work *work, const layout_para *para);
/* Sets the parent of each note to the block that calls it. */
void layout_footnotes_bind(layout_work *work);

/* join.c: paragraphs that go on in the next column or page, or behind a float */
void layout_join(layout_work *work);
/* tables_join.c: tables that go on in the next column or on the next page; captions must be bound. The places of a
 * table's block are then the rows that its further parts stand in. */
void layout_tables_join(layout_work *work);
/* floats.c: figures and tables to the paragraphs that call them; captions must be bound */
void layout_floats_place(layout_work *work);

/* logos.c: "LATEX" set as a logo becomes "LaTeX"; text and its layout_span, whose offsets stay */
void layout_logos_mend(GString *text, GArray *spans);

static inline const layout_row *
layout_para_row(const layout_work *work, const layout_para *para, guint i)
{
    const layout_place *place = &g_array_index(para->places, layout_place, i);
    return layout_sheet_row(layout_work_sheet(work, place->sheet), place->row);
}

/* The text of row i of para; free with g_free. */
char *layout_para_row_text(const layout_work *work, const layout_para *para, guint i);
/* The rows of a block as one text, cut after some hundred bytes; free with g_free. */
char *layout_para_short_text(const layout_work *work, const layout_para *para);
guint layout_para_chars(const layout_work *work, const layout_para *para);
/* A paragraph or list item that has rows. */
gboolean layout_para_is_text(const layout_para *para);

G_END_DECLS
#endif
