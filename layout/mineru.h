/* Private to layout: what the two writers of MinerU's formats share. */
#ifndef LODE_LAYOUT_MINERU_H
#define LODE_LAYOUT_MINERU_H

#include "layout/writers.h"

#include <jansson.h>

G_BEGIN_DECLS

/* New string; what is not UTF-8 is replaced. */
json_t *mineru_string(const char *text);
/* Bytes from..to of the block's text with inline formulas as $...$; a formula that begins inside is whole. */
json_t *mineru_text(const lode_document *d, const layout_block *block, uint32_t from, uint32_t to);
/* The whole text, the printed marker in front where the text has it not. */
json_t *mineru_marked_text(const lode_document *d, const layout_block *block);
layout_rect mineru_union(layout_rect a, layout_rect b);

G_END_DECLS
#endif
