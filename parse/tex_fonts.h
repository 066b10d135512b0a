/* Widths and encodings of TeX's own fonts, for bitmaps of them that come without names. Private to parse. */
#ifndef LODE_PARSE_TEX_FONTS_H
#define LODE_PARSE_TEX_FONTS_H

#include <glib.h>
#include <stdint.h>

G_BEGIN_DECLS

/* Kinds of encoding, in the order of parse_tex_characters. */
typedef enum {
    TEX_OT1,
    TEX_TYPEWRITER,
    TEX_OML,
    TEX_OMS,
    TEX_OMX,
    TEX_MSA,
    TEX_MSB,
    TEX_FRAKTUR,
    TEX_SCRIPT,
    TEX_EULER,
    TEX_EULER_EXTENSION,
    TEX_RSFS,
    TEX_LASY,
    TEX_WASY,
    TEX_STMARY,
    TEX_N_KINDS
} parse_tex_kind;

typedef struct {
    char name[10];
    uint8_t kind;      /* parse_tex_kind */
    uint8_t design_pt; /* design size */
    uint8_t first, n;  /* codes that have widths */
    uint16_t at;       /* of first, in parse_tex_widths */
} parse_tex_font;

/* ---- tex_fonts_data.c ---- */
extern const parse_tex_font parse_tex_fonts[];
extern const guint parse_n_tex_fonts;
extern const uint16_t parse_tex_widths[]; /* thousandths of the design size; 0: no character */
extern const uint16_t parse_tex_characters[][128];

/* ---- tex_fonts.c ---- */
typedef struct {
    const parse_tex_font *font; /* NULL: none of TeX's */
    gboolean t1;                /* codes are those of the T1 encoding */
    float em;                   /* of the TeX font, in ems of the matrix */
    gboolean sure;              /* enough widths to doubt what the file itself says of its codes */
} parse_tex_match;

/* Whose widths are these? widths [256]: in ems of the font's matrix, below 0 where it has no character; pixel: one
 * unit of its glyphs in such ems; size_pt: one of these ems on the page; tex_file: the file says that TeX made it, so
 * that fewer characters may decide. Fonts of the same widths, such as a slanted one, cannot be told apart. */
parse_tex_match parse_tex_font_match(const float *widths, float pixel, float size_pt,
                                     gboolean tex_file);
/* The character of a code (0 to 255) in a matched font, 0 where there is none. */
uint32_t parse_tex_character(const parse_tex_match *match, int code);

G_END_DECLS
#endif
