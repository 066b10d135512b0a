/* Pages made by hand for the tests of layout's analysis: text at positions, rules, images. */
#ifndef LODE_TESTS_LAYOUT_PAGE_MAKER_H
#define LODE_TESTS_LAYOUT_PAGE_MAKER_H

#include "layout/analyze.h"

typedef enum {
    MAKER_ROMAN,
    MAKER_BOLD,
    MAKER_ITALIC,
    MAKER_MATH,
    MAKER_MONO,
    MAKER_N_FONTS
} maker_font;

typedef struct {
    parse_page page;
    GArray *glyphs, *runs, *paths, *images;
} page_maker;

page_maker *page_maker_new(float width_pt, float height_pt);
void page_maker_free(page_maker *maker);

/* One run of text with its baseline at (x, y). Every glyph is half an em wide; a space in text becomes a gap
 * of 0.3 em without a glyph, as TeX writes it. Returns the x where the text ends. */
float page_maker_text(page_maker *maker, maker_font font, float size_pt, float x, float y,
                      const char *text);
/* The same with glyphs that stand extra_em further apart. */
float page_maker_spaced(page_maker *maker, maker_font font, float size_pt, float x, float y,
                        const char *text, float extra_em);
void page_maker_rule_h(page_maker *maker, float x0, float x1, float y);
void page_maker_rule_v(page_maker *maker, float x, float y0, float y1);
/* A filled rectangle; color: 0xAARRGGBB. */
void page_maker_fill(page_maker *maker, float x0, float y0, float x1, float y1, uint32_t color);
void page_maker_image(page_maker *maker, float x0, float y0, float x1, float y1);
/* The page as it is now; lives as long as the maker. */
const parse_page *page_maker_page(page_maker *maker);

/* Analyse these pages as one document, and let go of them. */
lode_document *page_maker_document(page_maker **makers, guint n);
/* The first block of this type whose text starts with prefix; NULL where there is none. */
const layout_block *document_find(const lode_document *document, layout_block_type type,
                                  const char *prefix);

#endif
