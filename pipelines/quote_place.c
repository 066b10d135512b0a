/* A stretch of a passage -> where it stands on the page. */
#include <string.h>

#include "pipelines/quote.h"

/* A printed line cut to the share of its characters in [start, end): letters are about equally wide. */
static layout_box
cut_box(const retrieval_place *place, const char *text, size_t start, size_t end)
{
    layout_box box = place->box;
    /* where the words stand in a cell is not known: it is shown whole */
    if (place->row > 0) return box;
    size_t from = MAX(start, place->start), to = MIN(end, (size_t)place->start + place->len);
    glong all = g_utf8_strlen(text + place->start, (gssize)place->len);
    glong before = g_utf8_strlen(text + place->start, (gssize)(from - place->start));
    glong until = g_utf8_strlen(text + place->start, (gssize)(to - place->start));
    if (all <= 0) return box;
    float width = box.rect.x1 - box.rect.x0, x0 = box.rect.x0;
    box.rect.x0 = x0 + width * (float)before / (float)all;
    box.rect.x1 = x0 + width * (float)until / (float)all;
    return box;
}

static gboolean
holds(const retrieval_place *place, size_t n_text, size_t start, size_t end)
{
    return place->start <= n_text && place->len <= n_text - place->start && place->start < end &&
           place->start + place->len > start;
}

GArray *
pipelines_quote_boxes(const retrieval_hit *hit, size_t start, size_t len)
{
    GArray *boxes = g_array_new(FALSE, FALSE, sizeof(layout_box));
    size_t n_text = strlen(hit->text), end = start + len;
    for (guint i = 0; hit->places != NULL && i < hit->places->len; i++) {
        const retrieval_place *place = &g_array_index(hit->places, retrieval_place, i);
        if (!holds(place, n_text, start, end)) continue;
        /* several places for one stretch are parts of a block without lines: no line to cut */
        gboolean alone = place->len < n_text;
        layout_box box = alone ? cut_box(place, hit->text, start, end) : place->box;
        g_array_append_val(boxes, box);
    }
    return boxes;
}

pipelines_location
pipelines_quote_location(const retrieval_hit *hit, size_t start, size_t len)
{
    pipelines_location at = {.page = hit->first_page,
                             .block = LAYOUT_NONE,
                             .last_page = hit->first_page,
                             .last_block = LAYOUT_NONE};
    size_t n_text = strlen(hit->text), end = start + len;
    gboolean any = FALSE;
    for (guint i = 0; hit->places != NULL && i < hit->places->len; i++) {
        const retrieval_place *place = &g_array_index(hit->places, retrieval_place, i);
        if (!holds(place, n_text, start, end)) continue;
        size_t skipped = start > place->start ? start - place->start : 0;
        size_t stop = MIN(end, (size_t)place->start + place->len);
        if (!any) {
            at.page = place->box.page;
            at.block = place->block;
            at.block_start = place->block_start + (uint32_t)skipped;
        }
        any = TRUE;
        at.last_page = place->box.page;
        at.last_block = place->block;
        if (place->block == at.block)
            at.block_len = place->block_start + (uint32_t)(stop - place->start) - at.block_start;
    }
    return at;
}
