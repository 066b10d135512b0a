/* Which captions, and notes of tables, belong to which figure or table: both sides may say so, writers want one answer. */
#include "layout/writers.h"

static gboolean
holds_captions(layout_block_type type)
{
    return type == LAYOUT_BLOCK_FIGURE || type == LAYOUT_BLOCK_TABLE;
}

void
layout_captions_init(layout_captions *captions, const lode_document *d)
{
    const guint n = MAX(d->n_blocks, 1);
    captions->owner = g_new(int, n);
    captions->first = g_new(int, n);
    captions->next = g_new(int, n);
    for (guint b = 0; b < d->n_blocks; b++)
        captions->owner[b] = captions->first[b] = captions->next[b] = LAYOUT_NONE;
    for (guint i = 0; i < d->n_tables; i++) {
        layout_document_pass(d, i);
        if (d->tables[i].caption != LAYOUT_NONE)
            captions->owner[d->tables[i].caption] = d->tables[i].block;
    }
    for (guint i = 0; i < d->n_figures; i++) {
        layout_document_pass(d, i);
        if (d->figures[i].caption != LAYOUT_NONE)
            captions->owner[d->figures[i].caption] = d->figures[i].block;
    }
    /* from the end, so that each list comes out in reading order */
    for (guint b = d->n_blocks; b-- > 0;) {
        layout_document_pass(d, b);
        const layout_block *block = &d->blocks[b];
        const gboolean note = block->type == LAYOUT_BLOCK_FOOTNOTE &&
                              block->parent != LAYOUT_NONE &&
                              d->blocks[block->parent].type == LAYOUT_BLOCK_TABLE;
        if (block->type != LAYOUT_BLOCK_CAPTION && !note) continue;
        if (block->parent != LAYOUT_NONE && holds_captions(d->blocks[block->parent].type))
            captions->owner[b] = block->parent;
        const int owner = captions->owner[b];
        if (owner == LAYOUT_NONE) continue;
        captions->next[b] = captions->first[owner];
        captions->first[owner] = (int)b;
    }
}

void
layout_captions_clear(layout_captions *captions)
{
    g_clear_pointer(&captions->owner, g_free);
    g_clear_pointer(&captions->first, g_free);
    g_clear_pointer(&captions->next, g_free);
}
