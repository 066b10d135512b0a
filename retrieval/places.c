/* The places of a chunk as one string of bytes, for there is one for every chunk and most of its numbers are near
 * the ones before:
 *
 *     n, then for each: start, len, block, block_start, page, x0, y0, width, height
 *
 * In a table's cell block_start is minus its row, and its column follows.
 * Numbers are little-endian base 128, seven bits a byte, zigzag coded (0, -1, 1, -2, ...) as differences from
 * what the number before lets expect. Coordinates are in sixteenths of a point. */
#include "retrieval/places.h"

#include <math.h>

#include "retrieval/numbers.h"

static const double grid = 16.0;

static int64_t
to_grid(float value)
{
    return isfinite(value) ? llrint(CLAMP((double)value, -1e6, 1e6) * grid) : 0;
}

static float
from_grid(int64_t value)
{
    return (float)((double)value / grid);
}

layout_box
retrieval_box_on_grid(const layout_box *box)
{
    const layout_rect *r = &box->rect;
    return (layout_box){box->page,
                        {from_grid(to_grid(r->x0)), from_grid(to_grid(r->y0)),
                         from_grid(to_grid(r->x1)), from_grid(to_grid(r->y1))}};
}

/* A place in whole numbers, and what the next one is expected to be. */
typedef struct {
    int64_t start, len, block, block_start, page, x, y, width, height; /* block_start: or -row */
} grid_place;

/* The next line of the same block goes on where this one ends. */
static void
expect_next(grid_place *place)
{
    place->start += place->len;
    if (place->block_start >= 0) place->block_start += place->len;
}

GBytes *
retrieval_pack_places(const GArray *places)
{
    GByteArray *bytes = g_byte_array_new();
    grid_place last = {0};
    retrieval_put_number(bytes, places->len);
    for (guint i = 0; i < places->len; i++) {
        const retrieval_place *p = &g_array_index(places, retrieval_place, i);
        const layout_rect *r = &p->box.rect;
        grid_place now = {.start = p->start,
                          .len = p->len,
                          .block = p->block,
                          .block_start = p->row > 0 ? -(int64_t)p->row : p->block_start,
                          .page = p->box.page,
                          .x = to_grid(r->x0),
                          .y = to_grid(r->y0)};
        now.width = to_grid(r->x1) - now.x;
        now.height = to_grid(r->y1) - now.y;
        retrieval_put_number(bytes, now.start - last.start);
        retrieval_put_number(bytes, now.len);
        retrieval_put_number(bytes, now.block - last.block);
        retrieval_put_number(bytes, now.block_start - last.block_start);
        if (now.block_start < 0) retrieval_put_number(bytes, p->col);
        retrieval_put_number(bytes, now.page - last.page);
        retrieval_put_number(bytes, now.x - last.x);
        retrieval_put_number(bytes, now.y - last.y);
        retrieval_put_number(bytes, now.width - last.width);
        retrieval_put_number(bytes, now.height - last.height);
        last = now;
        expect_next(&last);
    }
    return g_byte_array_free_to_bytes(bytes);
}

gboolean
retrieval_unpack_places(const void *bytes, size_t n_bytes, GArray *places)
{
    enum { FAR = 1 << 28 };
    retrieval_number_reader r = {bytes, (const guint8 *)bytes + (bytes ? n_bytes : 0),
                                 bytes == NULL};
    grid_place now = {0};
    for (int64_t n = retrieval_get_number(&r); n > 0 && !r.failed; n--) {
        now.start = retrieval_get_number_in(&r, now.start, 0, G_MAXINT32);
        now.len = retrieval_get_number_in(&r, 0, 0, G_MAXINT32);
        now.block = retrieval_get_number_in(&r, now.block, LAYOUT_NONE, G_MAXINT32);
        now.block_start = retrieval_get_number_in(&r, now.block_start, -G_MAXINT32, G_MAXINT32);
        const int64_t col = now.block_start < 0 ? retrieval_get_number_in(&r, 0, 1, G_MAXINT32) : 0;
        now.page = retrieval_get_number_in(&r, now.page, 0, G_MAXINT32);
        now.x = retrieval_get_number_in(&r, now.x, -FAR, FAR);
        now.y = retrieval_get_number_in(&r, now.y, -FAR, FAR);
        now.width = retrieval_get_number_in(&r, now.width, -FAR, FAR);
        now.height = retrieval_get_number_in(&r, now.height, -FAR, FAR);
        if (r.failed) return FALSE;
        retrieval_place place = {(uint32_t)now.start,
                                 (uint32_t)now.len,
                                 (int)now.block,
                                 (uint32_t)MAX(now.block_start, 0),
                                 {(int)now.page,
                                  {from_grid(now.x), from_grid(now.y), from_grid(now.x + now.width),
                                   from_grid(now.y + now.height)}},
                                 (uint32_t)MAX(-now.block_start, 0),
                                 (uint32_t)col};
        g_array_append_val(places, place);
        expect_next(&now);
    }
    return !r.failed;
}
