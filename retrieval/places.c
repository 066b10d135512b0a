/* The places of a chunk as one string of bytes, for there is one for every chunk and most of its numbers are near
 * the ones before:
 *
 *     n, then for each: start, len, block, block_start, page, x0, y0, width, height
 *
 * Numbers are little-endian base 128, seven bits a byte, zigzag coded (0, -1, 1, -2, ...) as differences from
 * what the number before lets expect. Coordinates are in sixteenths of a point. */
#include "retrieval/places.h"

#include <math.h>

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

static void
put(GByteArray *bytes, int64_t value)
{
    uint64_t rest = ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
    do {
        guint8 byte = (guint8)(rest & 0x7f);
        rest >>= 7;
        if (rest) byte |= 0x80;
        g_byte_array_append(bytes, &byte, 1);
    } while (rest);
}

typedef struct {
    const guint8 *at, *end;
    gboolean failed;
} reader;

static int64_t
get(reader *r)
{
    uint64_t value = 0;
    for (int shift = 0; shift < 64 && r->at < r->end; shift += 7) {
        const guint8 byte = *r->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
    }
    r->failed = TRUE;
    return 0;
}

static int64_t
get_in(reader *r, int64_t expected, int64_t low, int64_t high)
{
    const int64_t difference = get(r);
    if (difference < low - expected || difference > high - expected) {
        r->failed = TRUE;
        return low;
    }
    return expected + difference;
}

/* A place in whole numbers, and what the next one is expected to be. */
typedef struct {
    int64_t start, len, block, block_start, page, x, y, width, height;
} grid_place;

/* The next line of the same block goes on where this one ends. */
static void
expect_next(grid_place *place)
{
    place->start += place->len;
    place->block_start += place->len;
}

GBytes *
retrieval_pack_places(const GArray *places)
{
    GByteArray *bytes = g_byte_array_new();
    grid_place last = {0};
    put(bytes, places->len);
    for (guint i = 0; i < places->len; i++) {
        const retrieval_place *p = &g_array_index(places, retrieval_place, i);
        const layout_rect *r = &p->box.rect;
        grid_place now = {.start = p->start,
                          .len = p->len,
                          .block = p->block,
                          .block_start = p->block_start,
                          .page = p->box.page,
                          .x = to_grid(r->x0),
                          .y = to_grid(r->y0)};
        now.width = to_grid(r->x1) - now.x;
        now.height = to_grid(r->y1) - now.y;
        put(bytes, now.start - last.start);
        put(bytes, now.len);
        put(bytes, now.block - last.block);
        put(bytes, now.block_start - last.block_start);
        put(bytes, now.page - last.page);
        put(bytes, now.x - last.x);
        put(bytes, now.y - last.y);
        put(bytes, now.width - last.width);
        put(bytes, now.height - last.height);
        last = now;
        expect_next(&last);
    }
    return g_byte_array_free_to_bytes(bytes);
}

gboolean
retrieval_unpack_places(const void *bytes, size_t n_bytes, GArray *places)
{
    enum { FAR = 1 << 28 };
    reader r = {bytes, (const guint8 *)bytes + (bytes ? n_bytes : 0), bytes == NULL};
    grid_place now = {0};
    for (int64_t n = get(&r); n > 0 && !r.failed; n--) {
        now.start = get_in(&r, now.start, 0, G_MAXINT32);
        now.len = get_in(&r, 0, 0, G_MAXINT32);
        now.block = get_in(&r, now.block, LAYOUT_NONE, G_MAXINT32);
        now.block_start = get_in(&r, now.block_start, 0, G_MAXINT32);
        now.page = get_in(&r, now.page, 0, G_MAXINT32);
        now.x = get_in(&r, now.x, -FAR, FAR);
        now.y = get_in(&r, now.y, -FAR, FAR);
        now.width = get_in(&r, now.width, -FAR, FAR);
        now.height = get_in(&r, now.height, -FAR, FAR);
        if (r.failed) return FALSE;
        retrieval_place place = {(uint32_t)now.start,
                                 (uint32_t)now.len,
                                 (int)now.block,
                                 (uint32_t)now.block_start,
                                 {(int)now.page,
                                  {from_grid(now.x), from_grid(now.y), from_grid(now.x + now.width),
                                   from_grid(now.y + now.height)}}};
        g_array_append_val(places, place);
        expect_next(&now);
    }
    return !r.failed;
}
