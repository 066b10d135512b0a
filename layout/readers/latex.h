/* Between the files that read LaTeX source. Private to layout.
 *
 * A reader pulls tokens from a stack of texts: the file, what \input puts on it, what macros expand to. It runs
 * twice over the document: the first time for the numbers that labels stand for, the second time for good. */
#ifndef LODE_LAYOUT_READERS_LATEX_H
#define LODE_LAYOUT_READERS_LATEX_H

#include "layout/readers/pen.h"
#include "layout/readers/readers.h"

G_BEGIN_DECLS

typedef struct {
    guint n_args;
    char *first; /* of an optional first argument; NULL where it is not optional */
    char *body;
    char *end; /* of an environment's; else NULL */
} tex_macro;

typedef enum {
    TEX_END,
    TEX_TEXT, /* a run of characters without a meaning of their own */
    TEX_SPACE,
    TEX_PAR, /* an empty line */
    TEX_COMMAND,
    TEX_OPEN,
    TEX_CLOSE,
    TEX_MATH, /* $ */
    TEX_AND   /* & */
} tex_kind;

typedef struct {
    tex_kind kind;
    const char *text; /* of TEX_TEXT; valid until the next token */
    gsize len;
    char name[64]; /* of TEX_COMMAND, cut */
} tex_token;

/* A \begin that waits for its \end. */
typedef struct {
    char *name;
    const tex_macro *macro; /* of a user's environment */
    guint style;
    layout_block_type type;
    char *option; /* of a list: how its items are labelled; NULL */
} tex_environment;

/* What a float collects: figure, table and their like. */
typedef struct tex_float {
    const char *kind; /* "Figure", "Table", "Algorithm" */
    char *caption, *number;
    GPtrArray *grids;    /* layout_pen_grid * */
    GPtrArray *pictures; /* char *: as \includegraphics names them */
    guint inner;         /* depth of sub-figures */
} tex_float;

typedef struct {
    const layout_source *source;
    layout_pen pen;
    GHashTable *pictures; /* see layout_reader; NULL where nobody wants them */
    gboolean final;       /* the second time */
    GError *failed;       /* nothing more is read */

    GArray *frames; /* of latex_input.c */
    guint base;     /* frames below belong to an outer run */
    guint depth;    /* of runs */
    gsize n_pushed; /* bytes that macros and files put on the stack so far */
    GHashTable *macros, *user_environments; /* name -> tex_macro */
    GHashTable *flags;                      /* \newif: name -> TRUE, FALSE */
    GHashTable *theorems;                   /* environment -> its title */
    GHashTable *shared;                     /* theorem's environment -> whose counter it uses */
    GHashTable *files;                      /* filecontents: name -> text */
    GHashTable *labels;                     /* label -> number, kept between the runs */
    GHashTable *kinds;                      /* label -> "Figure", "Section" */

    GArray *environments; /* tex_environment */
    GArray *styles;       /* guint: of open groups */
    guint flat;           /* depth of text that must be no block: cells, titles */
    tex_float *open;      /* the float in hand; NULL */
    GPtrArray *notes;     /* char *: footnotes of the paragraph in hand, as they stand */
    guint first_note;     /* number of the first of them */
    layout_block_type type;
    int list_depth;
    guint items[8]; /* counters of nested lists */
    char *marker;   /* of the item whose text comes next */
    gboolean in_item;

    GHashTable *counters; /* name -> value */
    guint section[6];
    gboolean chapters, appendix, roman, in_document, ended;
    char *current, *current_kind; /* what \label names */
    char *title;
    GPtrArray *authors; /* char *: as they stand */
    gboolean front_done;
    guint n_pictures;
    GString *number; /* of the formula in hand */

    /* the bibliography: latex_cite.c */
    GHashTable *cited;     /* key -> order of its first call, from 1 */
    GHashTable *cite_text; /* key -> "Li et al.\n2023" or its number, kept between the runs */
    GHashTable
        *all_cited; /* the first reading's cited, in the second; bib_files and bib_style too */
    gboolean author_year, bibliography_done;
    gboolean cite_numbers; /* a package's option says so, whatever the style's name */
    gboolean bib_waits, bib_written;
    char *bib_files; /* names with commas between */
    char *bib_style; /* as named; biblatex' style and sorting */
} tex_reader;

/* ---- latex_input.c ---- */
void tex_input_init(tex_reader *r);
void tex_input_clear(tex_reader *r);
/* Puts text on the stack; what: for the message when there is too much. FALSE: failed is set. */
gboolean tex_push(tex_reader *r, char *text, const char *file, const char *what);
void tex_next(tex_reader *r, tex_token *token);
void tex_skip_blanks(tex_reader *r);
/* Is this the next character, behind blanks that are then gone? */
gboolean tex_take(tex_reader *r, char sign);
/* The next argument as it stands, without its braces; NULL where there is none. Free with g_free. */
char *tex_argument(tex_reader *r);
/* "[...]"; NULL where there is none. Free with g_free. */
char *tex_optional(tex_reader *r);
/* An argument that is a name: trimmed; "" where there is none. */
char *tex_name_argument(tex_reader *r);
/* What stands before \end{name}, which is taken, too. Free with g_free. */
char *tex_environment_body(tex_reader *r, const char *name, gboolean verbatim);
/* \if..., \else, \fi, and what sets a condition. FALSE: command is none of them. */
gboolean tex_condition(tex_reader *r, const char *command);
/* Behind the next \else (where it counts) or \fi of this condition. */
void tex_skip_condition(tex_reader *r, gboolean until_else);
/* \input{name}: puts the file on the stack, or warns. */
void tex_include(tex_reader *r, const char *name);
/* \newcommand and the like, whose name is command. FALSE: it is none. */
gboolean tex_define(tex_reader *r, const char *command);
/* Puts on the stack what a user's macro expands to. FALSE: there is none of that name. */
gboolean tex_expand(tex_reader *r, const char *name);
/* The body of a macro with its arguments, which are taken from the stack. Free with g_free. */
char *tex_call(tex_reader *r, const tex_macro *macro, const char *body);
void tex_warn(tex_reader *r, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* ---- latex.c ---- */
/* Reads text as if it stood here, in a group of its own. */
void tex_run(tex_reader *r, const char *text);
/* Its plain text, formulas as "$...$". Free with g_free. */
char *tex_flat(tex_reader *r, const char *text);
/* Ends the paragraph or item in hand; its footnotes follow. */
void tex_end_block(tex_reader *r);
void tex_heading(tex_reader *r, const char *title, int level);
/* Title and authors, once. */
void tex_front(tex_reader *r);
/* "3", "2.3" in a class with chapters: the counter, one more. */
char *tex_step(tex_reader *r, const char *counter);
void tex_set_current(tex_reader *r, const char *kind, const char *number);
void tex_label(tex_reader *r, const char *label);

/* ---- latex_commands.c ---- */
/* In front of a command's name: LaTeX's own, whatever the document made of it since (\let\old\emph). */
#define TEX_BUILT_IN "lode@"
void tex_command(tex_reader *r, const char *name);

/* ---- latex_references.c ---- */
/* \ref and its like, links, footnotes, units, \verb. FALSE: command is none of them. */
gboolean tex_reference(tex_reader *r, const char *command);

/* ---- latex_environments.c ---- */
void tex_begin(tex_reader *r, const char *name);
void tex_end(tex_reader *r, const char *name);
void tex_caption(tex_reader *r, const char *text);
/* \includegraphics */
void tex_picture(tex_reader *r, const char *name);

/* ---- latex_labels.c ---- */
/* The printed label of the nth item of the innermost list, by its option ("label=(\alph*)", "(i)", NULL) and by how many
 * numbered lists it stands in; NULL: it is not numbered. g_free */
char *tex_item_label(tex_reader *r, guint n);
/* The number of its first item. */
guint tex_list_start(const char *option);

/* ---- latex_table.c ---- */
layout_pen_grid *tex_table(tex_reader *r, const char *environment, const char *body);

/* ---- latex_math.c ---- */
/* Mathematics as it stands -> LaTeX without the document's own macros; labels and tags go into the reader. Free with
 * g_free. */
char *tex_math(tex_reader *r, const char *raw);
/* Behind "$": to the next, inline or, behind "$$", displayed. */
void tex_dollar(tex_reader *r);
void tex_inline_math(tex_reader *r, const char *raw);
/* environment: "equation", "align*"; NULL: \[ \]. */
void tex_display(tex_reader *r, const char *environment, const char *raw);
gboolean tex_is_math_environment(const char *name);

/* ---- latex_cite.c ---- */
/* \cite and its like. FALSE: command is none of them. */
gboolean tex_cite(tex_reader *r, const char *command);
void tex_thebibliography(tex_reader *r, const char *body);
/* \bibliography, \printbibliography: from the .bbl beside the document, else from the .bib files. */
void tex_bibliography(tex_reader *r);
/* The heading. */
void tex_begin_bibliography(tex_reader *r);
/* The text of a file beside the document or in it, UTF-8; NULL where there is none. Free with g_free. */
char *tex_load_beside(tex_reader *r, const char *name);
/* Call-outs of entries that are nowhere get numbers in the order of their first call. */
void tex_number_calls(tex_reader *r);

/* ---- latex_bib.c ---- */
/* The bibliography from .bib files; calls: key -> order of its first call; "*" among them: all entries. FALSE: nothing was
 * written. */
gboolean tex_bib_entries(tex_reader *r, GHashTable *calls);
/* Commands that say where the bibliography comes from and how it looks. FALSE: it is none. */
gboolean tex_bib_command(tex_reader *r, const char *name);

G_END_DECLS
#endif
