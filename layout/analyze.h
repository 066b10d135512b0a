/* What the analysis steps of layout share: pages boiled down to segments of text and graphics, and the
 * blocks in the making. Private to layout.
 *
 *   parse_page --lines.c, words.c, graphics.c--> layout_sheet       one page, compact
 *   sheets     --style.c, furniture.c-->         layout_work        what the whole document says
 *   sheet      --figures.c, tables.c-->          regions            text in them leaves the flow
 *   sheet      --columns.c, order.c-->           layout_row         printed lines in reading order
 *   rows       --paragraphs.c, headings.c, ...-> layout_para        blocks in the making
 *   paras      --compose.c, emit.c, hyphen.c-->  layout_builder
 *
 * A sheet's coordinates are those of its frame: the page turned so that most of its text runs left to
 * right. layout_sheet_to_page() turns a box back. */
#ifndef LODE_LAYOUT_ANALYZE_H
#define LODE_LAYOUT_ANALYZE_H

#include "layout/layout.h"
#include "parse/parse.h"

G_BEGIN_DECLS

/* Beyond layout_span_flags: what else a character's style may be. */
enum {
    LAYOUT_STYLE_CAPS = 1 << 16,       /* a small-capitals font */
    LAYOUT_STYLE_SYMBOL = 1 << 17,     /* math extension: glyphs hang below their origin */
    LAYOUT_STYLE_TEX_SYMBOL = 1 << 18, /* TeX's symbols: the radical sign hangs */
};

typedef struct {
    char *name;
    guint flags;      /* layout_span_flags BOLD ITALIC MONO MATH, and the above */
    guint file_flags; /* parse_font_flags that tell it from others of this name */
    gboolean
        upright; /* of mathematics, but its plain letters are those of words: variables are others */
} layout_font;

/* A word on the page: glyphs without a gap between them. */
typedef struct {
    float x0, x1;
    uint32_t start, len; /* bytes into the sheet's text */
    uint32_t n_glyphs;   /* as the page drew them: what the ledger counts */
} layout_word;

/* A glyph of a segment that holds mathematics, or may be part of a formula: for the formulas, which need to know
 * where each stands. */
typedef struct {
    float x0, x1, y;   /* origin, advance end, baseline */
    float top, bottom; /* of the ink in a math extension font, else both 0 */
    float size_pt;
    uint32_t ch;
    uint32_t start; /* byte of the sheet's text that it became */
    guint flags;    /* layout_span_flags and LAYOUT_STYLE_ */
    guint font;
} layout_mark;

/* Consecutive characters of one look; the styles of a segment cover its text without holes. */
typedef struct {
    uint32_t start, len;
    guint flags; /* layout_span_flags and LAYOUT_STYLE_ */
    guint font;  /* index into layout_work.fonts */
    float size_pt;
    int link; /* index into the sheet's links, LAYOUT_NONE */
} layout_style;

/* What a tagged file says a row is. */
typedef enum {
    LAYOUT_HINT_NONE,
    LAYOUT_HINT_PARAGRAPH,
    LAYOUT_HINT_TITLE,
    LAYOUT_HINT_HEADING, /* with a level in hint_level, 0 unknown */
    LAYOUT_HINT_CAPTION,
    LAYOUT_HINT_NOTE,
    LAYOUT_HINT_LIST_ITEM,
    LAYOUT_HINT_CODE,
    LAYOUT_HINT_CONTENTS
} layout_hint;

#define LAYOUT_MCID_ARTIFACT (-2)

typedef enum {
    LAYOUT_ROLE_TEXT, /* running text, so far */
    LAYOUT_ROLE_HEADER,
    LAYOUT_ROLE_FOOTER,
    LAYOUT_ROLE_PAGE_NUMBER,
    LAYOUT_ROLE_MARGIN, /* stamps, line numbers, watermarks */
    LAYOUT_ROLE_FIGURE, /* belongs to figures[owner] */
    LAYOUT_ROLE_TABLE   /* belongs to tables[owner] */
} layout_role;

/* Part of a printed line without a wide gap: what stands on one baseline with its sub- and superscripts. */
typedef struct {
    layout_rect box; /* advance wide, roughly ascender to descender high */
    float baseline, size_pt;
    uint32_t start, len; /* bytes into the sheet's text */
    guint first_word, n_words;
    guint first_style, n_styles;
    guint n_chars; /* without spaces */
    guint flags;   /* BOLD ITALIC MONO CAPS when most characters are; MATH when any is */
    guint font;    /* of most characters */
    float math;    /* share of characters set in math fonts */
    float script;  /* share of characters set as sub- or superscript */
    guint turn;    /* quarter turns against the frame; 0 upright */
    layout_role role;
    int owner;
    guint n_taken; /* by blocks: 1 once emitted */
    int code;    /* which algorithm of the sheet this is a step of, from 1; negative: its caption */
    int caption; /* index into the sheet's captions, LAYOUT_NONE */
    int32_t mcid; /* marked content of its first glyph, -1 none, LAYOUT_MCID_ARTIFACT */
    int tag;      /* the structure element it belongs to: index into work->tags, LAYOUT_NONE */
    uint32_t nth; /* place of its first glyph in the page's content */
} layout_seg;

typedef struct {
    float x0, x1, y0, y1; /* ink */
    float width_pt;
} layout_rule;

/* A filled or outlined rectangle. */
typedef struct {
    layout_rect box;
    uint32_t color; /* 0xAARRGGBB */
    gboolean outline;
} layout_fill;

/* Graphics that touch or nearly touch, by their box. */
typedef struct {
    layout_rect box;
    guint n_images, n_curves, n_rects, n_rules; /* what it is made of */
    float image_area;
} layout_cluster;

typedef struct {
    layout_rect box;
    char *uri;            /* "http..." or "#page=N" */
    char *dest;           /* name of the destination, NULL where none */
    int dest_page;        /* 0-based, -1 for an external link */
    float dest_x, dest_y; /* on that page, not in a frame; NAN where unspecified */
} layout_link;

/* A stretch of a block's text that an internal link covers. */
typedef struct {
    int block;
    uint32_t start, len;
    gboolean cite; /* named as links to bibliography entries are */
    int page;
    float x, y;
} layout_link_use;

typedef enum {
    LAYOUT_CAPTION_NONE,
    LAYOUT_CAPTION_FIGURE,
    LAYOUT_CAPTION_TABLE,
    LAYOUT_CAPTION_OTHER
} layout_caption_kind;

/* A whole caption; its segments name it. */
typedef struct {
    layout_rect box;
    layout_caption_kind kind;
    guint seg; /* that starts it */
    guint n_lines;
    float size_pt;
} layout_caption_region;

typedef struct {
    layout_rect box;
    char label[8]; /* "a"; empty where none */
} layout_panel_region;

typedef struct {
    layout_rect box;
    int caption; /* index into the sheet's captions, LAYOUT_NONE */
    gboolean vector;
    guint first_panel, n_panels; /* into the sheet's panels */
    int block;                   /* once emitted */
} layout_figure_region;

/* Where a piece of a cell's text stands in that of its sheet. */
typedef struct {
    guint seg;
    uint32_t start, len;
    gboolean line; /* begins a printed line */
} layout_cell_part;

typedef struct {
    guint row, col, row_span, col_span;
    gboolean header;
    layout_align align; /* of its column, where it is a part of that and no heading */
    char *text;         /* its printed lines, a line feed between them */
    guint n_raised;     /* bytes at the end of text, and of its last part, that are superscripts */
    GArray *parts; /* layout_cell_part: what text is made of; NULL in a table without mathematics */
    layout_rect box;
    layout_rect picture; /* drawn in it; empty where nothing is */
    guint n_glyphs;
} layout_grid_cell;

typedef struct {
    layout_rect box;
    guint n_rows, n_cols, n_header_rows;
    GArray *cells; /* layout_grid_cell, row-major */
    float confidence;
} layout_table_region;

/* A printed line within its column: one or more segments from left to right. */
typedef struct {
    layout_rect box;
    float baseline, size_pt;
    guint first_seg, n_segs; /* into the sheet's row_segs */
    float col_x0, col_x1;    /* its column */
    float right;             /* where lines end around here: col_x1, or less in an indented block */
    guint region;            /* column region on this sheet, counted in reading order */
    guint flags;             /* as a segment's */
    gboolean bold_start, bold_end; /* its first and last characters, mathematics aside */
    guint font;
    guint n_chars;
    float math;
    int figure, table; /* a float that stands here instead of text: index, else LAYOUT_NONE */
    guint formula;     /* which displayed formula of the sheet this is a part of, from 1; 0 none */
    layout_hint hint;  /* NONE unless the file's tags are to be trusted */
    int hint_level;
} layout_row;

/* Text that goes into no block. */
typedef struct {
    layout_discard_reason reason;
    layout_rect box;     /* of the page, not the frame */
    float x, y, size_pt; /* of the last glyph */
    guint n_glyphs;
    uint32_t start, len; /* bytes into the sheet's text */
} layout_loss;

/* A region whose text lay on its side, and was laid upright (turned.c). */
typedef struct {
    guint frame_turn;     /* quarter turns of the page to the frame that both boxes are in */
    guint quarters;       /* that it was turned by, clockwise */
    layout_rect from, to; /* where it is on the paper, and where it is read */
    float scale;          /* of to: 1 where it fits */
} layout_laid;

/* A page with more rules of a kind than this, or more rectangles, is a drawing: no tables are looked for, and
 * its rectangles are no cells. */
#define LAYOUT_MAX_RULES  6000
#define LAYOUT_MAX_FILLS  3000
#define LAYOUT_MAX_SHAPES 400
/* A page with more images than this is one that was cut into pieces. */
#define LAYOUT_MAX_PICTURES 1000

/* One page, or one of the two that were scanned side by side (spread.c): they share a page of the file. A new member
 * that holds a pointer must be known to residency.c. */
typedef struct {
    int index;                     /* among the sheets of its work */
    int page;                      /* page index in the file */
    gboolean second;               /* of the same page as the sheet before */
    float width, height;           /* of the frame */
    guint turn;                    /* the frame is the page turned by this many quarters */
    float page_width, page_height; /* of its part of the page, which is all of it mostly */
    layout_rect
        whole; /* where the file's page lies for that part: from (0, 0) where it is all of it */
    float
        skew; /* parse_page's: the page was straightened about its centre, which layout_sheet_to_page() undoes */
    gboolean recognized; /* its text was read in pixels by parse, there was none in the file */
    int rotation;
    char *label, *failure;
    gboolean skipped; /* not asked for */
    layout_text_source source;
    GString *text;
    GArray *words;  /* layout_word */
    GArray *styles; /* layout_style */
    GArray *marks;  /* layout_mark, in the order of the text */
    GArray *segs;   /* layout_seg */
    GArray *hrules; /* layout_rule, sorted by y then x */
    GArray *
        vrules; /* layout_rule, sorted by x then y; of more than LAYOUT_MAX_RULES one too many is kept */
    GArray *
        fills; /* layout_fill that may be table cells or frames; none of more than LAYOUT_MAX_FILLS */
    GArray *clusters;       /* layout_cluster */
    GArray *shapes;         /* layout_rect of paths with curves, as large as boxes of text; at most
                               LAYOUT_MAX_SHAPES */
    GArray *pictures;       /* layout_rect of images; none of more than LAYOUT_MAX_PICTURES */
    GArray *links;          /* layout_link */
    GArray *captions;       /* layout_caption_region */
    GArray *panels;         /* layout_panel_region */
    GArray *figures;        /* layout_figure_region */
    GArray *tables;         /* layout_table_region */
    GArray *rows;           /* layout_row, in reading order */
    GArray *row_segs;       /* guint: indices into segs */
    float text_x0, text_x1; /* left and right edge of most text */
    float order_confidence; /* 0..1: how far different views of the order agree */
    layout_ledger ledger;   /* glyphs drawn and discarded; blocks add theirs as they are emitted */
    GArray *losses;         /* layout_loss: blanks are only counted */
    GArray *laid;           /* layout_laid */
    guint64 used;           /* residency.c */
} layout_sheet;

/* One printed row by sheet and index. */
typedef struct {
    guint sheet, row;
} layout_place;

/* Read like a GArray: len, g_array_index(). */
typedef struct {
    layout_place *data;
    guint len, room;
} layout_places;

/* A block in the making. It and its places lie in the spill of the work they were made for. */
typedef struct {
    layout_block_type type;
    int level;
    int outline;        /* level of the bookmark that leads here, 0 none */
    gboolean contents;  /* an entry of a table of contents */
    gboolean algorithm; /* code that floats, with a caption of its own */
    gboolean run_in;    /* a heading that starts the line of the paragraph behind it */
    layout_places places
        [1]; /* in reading order; none for figures; of tables where the parts behind the first stand */
    struct layout_spill *spill;
    guint sheet;       /* where it starts */
    int figure, table; /* on that sheet, LAYOUT_NONE */
    char *text;        /* once composed */
    char *marker;
    char *number; /* formulas */
    int parent;   /* para index, LAYOUT_NONE */
    int block;    /* once emitted */
    float skip;   /* bytes of the first row's text that are the marker */
    float confidence;
    gboolean open;  /* may go on in the next column or page */
    gboolean moved; /* a float read elsewhere than where it stands */
} layout_para;

typedef struct layout_residency layout_residency;

typedef struct {
    GPtrArray *sheets; /* layout_sheet, or NULL while it is put away: ask layout_work_sheet() */
    guint n_pages;     /* of the file that they are of */
    layout_residency *residency;
    GArray *fonts; /* layout_font */
    GHashTable *font_ids;
    GPtrArray *paras;       /* layout_para: ask layout_work_para() */
    GPtrArray *authors;     /* char *: names as printed */
    GArray *captions;       /* what starts one, captions.c; NULL until found */
    gboolean bibliography;  /* its heading was seen on a sheet so far; tables.c */
    GArray *link_uses;      /* layout_link_use, by block and start; once emitted */
    GHashTable *vocabulary; /* lower-case words of the document, GUINT counts */
    const parse_metadata *meta;
    const parse_outline_item *outline;
    guint n_outline;
    const parse_tag *tags; /* the file's */
    guint n_tags;
    gboolean tagged; /* the tags cover the text and may be trusted */
    float body_pt;   /* font size of most of the text */
    guint body_font;
    float leading_pt;     /* baseline distance of most of the text */
    gboolean keep_hidden; /* text that no reader sees goes with the rest */
    gboolean two_columns; /* most pages have a gutter, near gutter_x of the frame */
    float gutter_x;
} layout_work;

#define layout_sheet_seg(s, i)   (&g_array_index((s)->segs, layout_seg, (i)))
#define layout_sheet_row(s, i)   (&g_array_index((s)->rows, layout_row, (i)))
#define layout_sheet_word(s, i)  (&g_array_index((s)->words, layout_word, (i)))
#define layout_sheet_style(s, i) (&g_array_index((s)->styles, layout_style, (i)))

/* ---- sheet.c ---- */
layout_sheet *layout_sheet_new(int index);
void layout_sheet_free(layout_sheet *sheet);
layout_work *layout_work_new(void);
void layout_work_free(layout_work *work);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(layout_work, layout_work_free)
/* An array of layout_grid_cell that frees their text. */
GArray *layout_grid_cells_new(void);
/* Not in work->paras yet, but gone with work. */
layout_para *layout_para_new(layout_work *work, layout_block_type type, guint sheet);
void layout_para_add_place(layout_para *para, guint sheet, guint row);
/* All places of from go behind those of to. */
void layout_para_take_places(layout_para *to, layout_para *from);
void layout_para_free(layout_para *para);
/* From the frame of a sheet to its page, clamped to the page. */
layout_rect layout_sheet_to_page(const layout_sheet *sheet, layout_rect box);
/* A box of the page after quarter turns: (x, y) -> frame. */
layout_rect layout_rect_turn(layout_rect box, guint turn, float page_width, float page_height);
/* And back. */
layout_rect layout_rect_unturn(layout_rect box, guint turn, float page_width, float page_height);
layout_rect layout_rect_join(layout_rect a, layout_rect b);
float layout_rect_overlap(layout_rect a, layout_rect b); /* area */
static inline float
layout_overlap_1d(float a0, float a1, float b0, float b1)
{
    return MIN(a1, b1) - MAX(a0, b0);
}
/* For sorting floats, and indices of a sheet's segments (the sheet as user data) by baseline, then from the left. */
int layout_compare_float(gconstpointer a, gconstpointer b);
/* layout_rule by y0, x0, x1, and by x0, y0, y1. */
int layout_compare_hrule(gconstpointer a, gconstpointer b);
int layout_compare_vrule(gconstpointer a, gconstpointer b);
int layout_seg_compare(gconstpointer a, gconstpointer b, gpointer sheet);
/* Cut a segment in two behind its first n_words (fewer than it has): they become a new segment, whose
 * index is returned; index keeps the rest. */
guint layout_seg_split(layout_sheet *sheet, guint index, guint n_words);
/* Where the marks of a segment begin, and how many it has. */
guint layout_sheet_marks(const layout_sheet *sheet, const layout_seg *seg, guint *n);
/* The text of a row with a space between its segments; free with g_free. */
char *layout_row_text(const layout_sheet *sheet, const layout_row *row);

/* ---- residency.c: only some sheets of a long document are in memory ---- */
/* Where blocks in the making lie. */
struct layout_spill *layout_work_spill(const layout_work *work);
layout_residency *layout_residency_new(void);
void layout_residency_free(layout_residency *residency);
/* Appends sheet, and gives it its index; owned by work. */
void layout_work_add_sheet(layout_work *work, layout_sheet *sheet);
/* As if none had been added, and no font interned. */
void layout_work_forget_sheets(layout_work *work);
/* Valid until the next layout_work_release(), which may put it away. */
layout_sheet *layout_work_sheet(const layout_work *work, guint index);
/* Puts away sheets that were not asked for lately. For the outermost loop of a pass over sheets or blocks,
 * where no pointer into a sheet, its rows or segments is held from one turn to the next. */
void layout_work_release(const layout_work *work);
/* A block in the making. Pointers stay good; only their memory leaves when blocks elsewhere are asked for, so a
 * pass over all of them goes through here. */
layout_para *layout_work_para(const layout_work *work, guint index);
/* How many sheets may stay, for tests; at least 1. */
void layout_work_set_window(layout_work *work, guint n_sheets);

/* ---- fonts.c ---- */
guint layout_font_intern(layout_work *work, const parse_font *font);
/* An array of layout_font that frees their names; a copy of font appended to it. */
GArray *layout_fonts_new(void);
void layout_font_copy(GArray *fonts, const layout_font *font);
/* The number of a font that was interned in another work. */
guint layout_font_adopt(layout_work *work, const layout_font *font);
#define layout_work_font(w, i) (&g_array_index((w)->fonts, layout_font, (i)))

/* ---- lines.c: glyphs -> segments; fills words, styles, segs and the frame of sheet ---- */
void layout_lines_find(layout_work *work, layout_sheet *sheet, const parse_page *page);

/* ---- ledger.c: every glyph of a page is in one place ---- */
/* Counts a glyph that goes into no block, and keeps what it says. space: a blank stood before it. */
void layout_ledger_discard(layout_sheet *sheet, layout_discard_reason reason,
                           const parse_glyph *glyph, float size_pt, gboolean space);
/* Glyphs of the words that start within these bytes of the sheet's text. */
guint layout_ledger_count(const layout_sheet *sheet, uint32_t start, uint32_t len);
/* Writes down what was discarded on a sheet whose blocks are all emitted; segments that no block took are
 * among it, as lost. */
void layout_ledger_close(const layout_work *work, const layout_sheet *sheet,
                         layout_builder *builder);
/* U+FFFD in text: glyphs whose font has no Unicode map. */
guint layout_count_unreadable(const char *text, gsize len);

/* ---- dropcap.c: first letters several lines high ---- */
void layout_dropcaps_join(layout_sheet *sheet);

/* How many quarters the page must be turned for this run to be upright (lines.c). */
guint layout_run_turn(const parse_run *run);

/* ---- words.c: the glyphs of one segment -> text ---- */
/* Of Hebrew, Arabic and the scripts beside them, presentation forms too. */
gboolean layout_is_rtl(gunichar ch);
typedef struct {
    float x, x1, y;    /* origin and advance end on the frame's axes, baseline */
    float top, bottom; /* LAYOUT_STYLE_SYMBOL: of the ink */
    float size_pt;
    uint32_t ch;
    guint font;     /* document font */
    guint flags;    /* style flags with SUPERSCRIPT and SUBSCRIPT */
    gboolean space; /* a space glyph stood before it */
    int32_t mcid;   /* as a segment's */
    uint32_t nth;   /* place in the page's content */
} layout_glyph;
/* The combining mark for an accent that is drawn as a character of its own; 0 for other characters. */
gunichar layout_combining_mark(gunichar accent);
/* Appends one segment made of glyphs in reading order. */
void layout_words_append(layout_work *work, layout_sheet *sheet, const layout_glyph *const *glyphs,
                         guint n, float baseline, float size_pt, guint turn);

/* ---- graphics.c: paths and images -> rules and clusters ---- */
void layout_graphics_find(layout_sheet *sheet, const parse_page *page);

/* ---- style.c: what is body text in this document ---- */
void layout_style_measure(layout_work *work);

/* ---- furniture.c ---- */
void layout_furniture_mark(layout_work *work);
/* "12", "- 12 -", "Page 3 of 10", "xii" */
gboolean layout_is_page_number(const char *text, gsize len);
/* ---- furniture_edges.c: headers and footers of one page, by their looks ---- */
void layout_furniture_edges_mark(const layout_work *work, layout_sheet *sheet);

/* ---- caption_match.c ---- */
/* Does text start like a caption ("Figure 3:")? label_len: bytes of "Figure 3"; strong: a separator or
 * nothing follows, so that it is no sentence about a figure. Both may be NULL. */
layout_caption_kind layout_caption_match(const char *text, gsize len, gsize *label_len,
                                         gboolean *strong);

/* The bytes of "(continued)", ": Fortsetzung", "- cont'd from previous page" at the start of text, with the signs
 * around them; 0 where there is no such remark. */
gsize layout_continued_match(const char *text, gsize len);
/* Is such a remark all of it, perhaps with a label: "Table 3 (continued)", "Continued on next page"? */
gboolean layout_text_is_continued(const char *text, gsize len);

/* ---- captions.c: before tables and figures ---- */
/* What starts a caption anywhere in the document. */
void layout_captions_find(layout_work *work);
/* Fills the captions of sheet, whole, and sets caption of their segments. */
void layout_captions_take(const layout_work *work, layout_sheet *sheet);

/* ---- code.c: marks the segments of algorithms that stand between rules ---- */
void layout_code_find(layout_sheet *sheet);

/* ---- figures.c, tables.c: regions; mark their segments ---- */
void layout_tables_find(layout_work *work, layout_sheet *sheet);
void layout_figures_find(layout_work *work, layout_sheet *sheet);
/* ---- prose.c: running text, by segment ---- */
typedef struct {
    int *chain; /* by segment: the paragraph it is of, LAYOUT_NONE where it is no running text */
    layout_rect *hull; /* by paragraph */
} layout_prose;
/* After captions and tables. Clear with layout_prose_clear. */
void layout_prose_find(const layout_work *work, const layout_sheet *sheet, layout_prose *prose);
void layout_prose_clear(layout_prose *prose);
/* ---- panels.c: the parts of figure index, which is made of these boxes; appends to the sheet's panels ---- */
void layout_panels_find(layout_sheet *sheet, guint index, const layout_rect *parts, guint n_parts);
/* ---- columns.c ---- */
typedef struct {
    layout_rect box;
    int seg, figure, table; /* one of them, the others LAYOUT_NONE */
    float baseline, size_pt;
    guint n_words;
    guint card_row; /* instead of them a row of cards, from 1; 0: none */
} layout_item;
typedef struct {
    float x;        /* middle of the gutter */
    float x0, x1;   /* its edges */
    float support;  /* height of rows with text on both sides, points */
    float crossing; /* height of rows across it */
} layout_gutter;
/* The best vertical cut through these items; FALSE when there is none worth looking at. */
gboolean layout_gutter_find(const layout_item *items, guint n, layout_gutter *gutter);
/* Is what stands on both sides running text, rather than the cells of a table? */
gboolean layout_gutter_parts_text(const layout_item *items, guint n, float x);

/* ---- tags.c: what the structure tree of a tagged file says ---- */
/* Ties segments to structure elements, decides work->tagged and takes artifacts out of the text. */
void layout_tags_apply(layout_work *work);
/* Once rows are in geometric order: sheet->order_confidence, how well that agrees with the tags or else with the
 * order in which the file draws; for tagged files the tags' order where it differs and makes sense, and hints. */
void layout_tags_order(const layout_work *work, layout_sheet *sheet);
/* Headings, notes and captions that only the tags know. */
void layout_tags_classify(layout_work *work);

/* ---- rows.c ---- */
/* For qsort: from top to bottom, then from left to right. */
int layout_item_compare(gconstpointer a, gconstpointer b);
/* Appends the rows that items make up, all of column region; sorts items. */
void layout_rows_append(layout_sheet *sheet, layout_item *items, guint n, float col_x0,
                        float col_x1, guint region);

/* ---- order.c ---- */
/* The document's usual gutter, from all sheets; fills work->gutter_x. */
void layout_order_measure(layout_work *work);
/* Fills rows and row_segs of sheet. */
void layout_order_rows(layout_work *work, layout_sheet *sheet);

/* ---- paragraphs.c ---- */
void layout_paragraphs_build(layout_work *work);
/* ---- headings.c ---- */
typedef enum {
    LAYOUT_NUMBER_NONE,
    LAYOUT_NUMBER_PART,     /* "Part II" */
    LAYOUT_NUMBER_CHAPTER,  /* "Chapter 3" */
    LAYOUT_NUMBER_APPENDIX, /* "Appendix B" */
    LAYOUT_NUMBER_ARABIC,   /* "2", "2.1." */
    LAYOUT_NUMBER_ROMAN,    /* "IV." */
    LAYOUT_NUMBER_UPPER,    /* "A.", "A.2" */
    LAYOUT_NUMBER_LOWER,    /* "b)" */
    LAYOUT_NUMBER_HAN,      /* the Chinese numerals */
    LAYOUT_N_NUMBERS
} layout_number_kind;
typedef struct {
    gboolean numbered;
    layout_number_kind kind; /* a single I, V or X counts as roman here */
    guint depth;             /* of the number: "2.1" 2 */
    guint value;             /* of its first part: 2, "IV" 4, "C" 3 */
    gsize number_len;        /* bytes of number and the space behind it */
    gboolean known;          /* "Abstract", "References" ... */
} layout_heading_form;
layout_heading_form layout_heading_parse(const char *text);
gboolean layout_heading_is_references(const char *text);
gboolean layout_heading_is_abstract(const char *text, gsize *len);
/* Are all letters capitals, and at least four of them? */
gboolean layout_text_is_upper(const char *text);
/* ---- levels.c: gives every heading its level ---- */
void layout_headings_level(layout_work *work);
/* The nesting of entries of tables of contents. */
void layout_contents_level(layout_work *work);

/* ---- lists.c ---- */
/* The length in bytes of a list marker with the space behind it, 0 where there is none. */
gsize layout_list_marker(const char *text, char **marker);
/* A bullet that text [len], NUL-terminated or not, begins with, and the blank behind it: their bytes, 0 for none. */
gsize layout_list_bullet(const char *text, gsize len);
/* Does text [len] begin with the number, or the letter, behind the one that last [last_len] begins with? */
gboolean layout_list_goes_on(const char *last, gsize last_len, const char *text, gsize len);

/* How deep list items are nested, from their indentation. */
void layout_lists_level(layout_work *work);

/* Chinese and Japanese: written without blanks. */
gboolean layout_is_ideograph(gunichar ch);

/* ---- hyphen.c ---- */
void layout_hyphen_learn(layout_work *work);
/* Should "left-" + "right" at a line end become one word without its hyphen? */
gboolean layout_hyphen_drops(const layout_work *work, const char *left, gsize left_len,
                             const char *right, gsize right_len);

/* ---- bind.c: captions to their figures and tables, footnotes to where they are called ---- */
void layout_captions_bind(layout_work *work);

/* ---- entries.c: the lines of bibliographies -> entries; called behind the paragraph builder ---- */
void layout_entries_split(layout_work *work);
/* Does a bibliography that has no heading begin at this row of sheet s? */
gboolean layout_bibliography_starts(const layout_work *work, guint s, guint index);
/* The length of "[12] ", "(12) ", "12. " or "[Abc98] " at the start of an entry, 0 where there is none. marker may
 * be NULL. */
gsize layout_reference_marker(const char *text, char **marker);

/* ---- reference_parse.c ---- */
/* The fields of the entry text, whose marker ("[12]" or NULL) is not part of it. spans: of text. names: layout_name,
 * appended. Strings are the builder's. */
void layout_reference_parse(layout_builder *builder, const char *text, const layout_span *spans,
                            guint n_spans, const char *marker, layout_reference *out,
                            GArray *names);

/* ---- citations.c: where the text calls the bibliography; behind layout_emit ---- */
void layout_citations_find(const layout_work *work, layout_builder *builder);

/* ---- references.c ---- */
/* Where a DOI, arXiv id or web address starts in text, and its length; NULL where there is none. */
const char *layout_find_doi(const char *text, gsize *len);
const char *layout_find_arxiv(const char *text, gsize *len);
const char *layout_find_url(const char *text, gsize *len);

/* ---- emit.c ---- */
void layout_emit(layout_work *work, layout_builder *builder);
/* ---- metadata.c: fills document->meta ---- */
void layout_metadata_find(layout_work *work, lode_document *document);

/* ---- analyze.c: everything between pages and document. Sheets must be in work; takes the builder. ---- */
lode_document *layout_analyze(layout_work *work, layout_builder *builder, GError **error);
/* One page -> a sheet that is nobody's yet. Pages of a document are boiled down by several threads at once, each
 * with a work of its own: only its fonts may be used and changed here, and what is found out about the page
 * goes into the sheet. */
layout_sheet *layout_sheet_boil(layout_work *fonts, const parse_page *page);
/* ---- spread.c ---- */
/* The same for a page whose scan may show two pages side by side: then sheets[1] is the one that is read second, else
 * it is NULL. */
void layout_spread_boil(layout_work *fonts, const parse_page *page, layout_sheet *sheets[2]);
/* The same as layout_sheet_boil, appended to work. */
layout_sheet *layout_sheet_take(layout_work *work, const parse_page *page);

G_END_DECLS
#endif
