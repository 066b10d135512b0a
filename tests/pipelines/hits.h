/* Passages made by hand. */
#ifndef LODE_TESTS_HITS_H
#define LODE_TESTS_HITS_H

#include "retrieval/retrieval.h"

/* hits: of retrieval_hit, freed by retrieval_hit_free. */
static inline void
add_hit(GPtrArray *hits, const char *path, const char *title, const char *text)
{
    retrieval_hit *hit = g_new0(retrieval_hit, 1);
    hit->path = g_strdup(path);
    hit->title = g_strdup(title);
    hit->section = g_strdup("");
    hit->text = g_strdup(text);
    hit->sha256 = g_strdup("00");
    hit->boxes = g_array_new(FALSE, FALSE, sizeof(layout_box));
    hit->places = g_array_new(FALSE, FALSE, sizeof(retrieval_place));
    g_ptr_array_add(hits, hit);
}

#endif
