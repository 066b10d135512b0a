/* Footnotes and where they are called, numbered in the order of the footnotes: for writers that link the two. */
#include "layout/writers.h"

#include <string.h>

#define NOTES_BEHIND 64 /* blocks behind a table that its notes are among */

gboolean
layout_note_key(const lode_document *d, const layout_block *note, const char **key, size_t *len,
                uint32_t *rest)
{
    *rest = 0;
    if (note->marker) {
        *key = note->marker;
        *len = strlen(note->marker);
        return *len > 0;
    }
    const layout_span *span = note->n_spans > 0 ? &d->spans[note->first_span] : NULL;
    if (span == NULL || span->start != 0 || !(span->flags & LAYOUT_SPAN_SUPERSCRIPT)) {
        /* a plain number or sign */
        *key = note->text;
        *len = strspn(note->text, "0123456789");
        if (*len == 0 && note->text_len > 0 && !g_unichar_isalnum(g_utf8_get_char(note->text)))
            *len = (size_t)(g_utf8_next_char(note->text) - note->text);
        *rest = (uint32_t)(*len + strspn(note->text + *len, " ."));
        return *len > 0;
    }
    *key = note->text;
    *len = span->len;
    while (*len > 0 && note->text[*len - 1] == ' ')
        (*len)--;
    *rest = span->len;
    while (note->text[*rest] == ' ')
        (*rest)++;
    return *len > 0;
}

gsize
layout_next_mark(const char **at)
{
    *at += strspn(*at, ", ");
    return strcspn(*at, ", ");
}

int
layout_cell_note(const lode_document *document, const layout_table *table, const char *mark,
                 gsize len)
{
    const guint from = (guint)table->block + 1, to = MIN(from + NOTES_BEHIND, document->n_blocks);
    for (guint b = from; b < to; b++) {
        const layout_block *note = &document->blocks[b];
        const char *key;
        gsize key_len;
        uint32_t rest;
        if (note->type == LAYOUT_BLOCK_FOOTNOTE && note->parent == table->block &&
            layout_note_key(document, note, &key, &key_len, &rest) && key_len == len &&
            memcmp(key, mark, len) == 0)
            return (int)b;
    }
    return LAYOUT_NONE;
}

static gint
compare_calls(gconstpointer a, gconstpointer b)
{
    const layout_note_call *x = a, *y = b;
    if (x->block != y->block) return x->block < y->block ? -1 : 1;
    return x->start < y->start ? -1 : x->start > y->start;
}

/* The raised characters in the caller's text that are this footnote's mark and not yet another's. */
static gboolean
find_call(layout_notes *notes, const lode_document *d, gboolean *taken, int caller, const char *key,
          size_t len, layout_note_call *call)
{
    const layout_block *block = &d->blocks[caller];
    for (guint i = 0; i < block->n_spans; i++) {
        const layout_span *span = &d->spans[block->first_span + i];
        if (taken[block->first_span + i] || !(span->flags & LAYOUT_SPAN_SUPERSCRIPT) ||
            span->len != len || memcmp(block->text + span->start, key, len) != 0)
            continue;
        taken[block->first_span + i] = TRUE;
        *call = (layout_note_call){caller, span->start, span->len, notes->calls->len + 1};
        return TRUE;
    }
    return FALSE;
}

void
layout_notes_init(layout_notes *notes, const lode_document *document)
{
    const lode_document *d = document;
    g_autofree gboolean *taken = g_new0(gboolean, MAX(d->n_spans, 1));
    notes->calls = g_array_new(FALSE, FALSE, sizeof(layout_note_call));
    notes->number = g_new0(guint, MAX(d->n_blocks, 1));
    for (guint b = 0; b < d->n_blocks; b++) {
        const layout_block *note = &d->blocks[b];
        layout_document_pass(d, b);
        const char *key;
        size_t len;
        uint32_t rest;
        layout_note_call call;
        if (note->type != LAYOUT_BLOCK_FOOTNOTE || note->parent == LAYOUT_NONE) continue;
        if (!layout_note_key(d, note, &key, &len, &rest) ||
            !find_call(notes, d, taken, note->parent, key, len, &call))
            continue;
        g_array_append_val(notes->calls, call);
        notes->number[b] = call.number;
    }
    g_array_sort(notes->calls, compare_calls);
}

void
layout_notes_clear(layout_notes *notes)
{
    g_array_unref(notes->calls);
    g_free(notes->number);
}

const layout_note_call *
layout_notes_calls(const layout_notes *notes, int block, guint *n)
{
    const GArray *calls = notes->calls;
    guint low = 0, high = calls->len;
    while (low < high) {
        const guint middle = low + (high - low) / 2;
        if (g_array_index(calls, layout_note_call, middle).block < block)
            low = middle + 1;
        else
            high = middle;
    }
    guint end = low;
    while (end < calls->len && g_array_index(calls, layout_note_call, end).block == block)
        end++;
    *n = end - low;
    return *n > 0 ? &g_array_index(calls, layout_note_call, low) : NULL;
}
