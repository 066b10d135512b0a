/* The places of a chunk as one string of bytes, for there is one for every chunk and most of its numbers are what the
 * lines before lead to expect: a paragraph's next line goes on where the last one ended, as far below it as that was
 * below the one before.
 *
 *     2 n + o, then for each of n places: which numbers differ (a byte), len, those that differ
 *
 * Bits, from the lowest: start, block, block_start, page, x0, y0, width, height. A number that differs is kept as its
 * difference to what was expected, of the first place by the document's frame. In a table's cell block_start is minus its
 * row, and its column follows. The last place mostly ends where the text does: then o is 0 and it has no len. Numbers are
 * little-endian base 128, seven bits a byte, zigzag coded (0, -1, 1, -2, ...). Coordinates are in sixteenths of a point.
 *
 * Schema 6 knew no frame and gave every place its len behind -1 - n; before, all nine numbers of every place stood there,
 * after n. Both are still read. */
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

/* A place in whole numbers: those that may differ, by their bits, and its length. */
enum { START, BLOCK, BLOCK_START, PAGE, X, Y, WIDTH, HEIGHT, N_NUMBERS };

typedef struct {
    int64_t v[N_NUMBERS]; /* BLOCK_START: or -row */
    int64_t len;
} grid_place;

enum { FAR = 1 << 28 }; /* of a coordinate */
static const int64_t lowest[N_NUMBERS] = {0, LAYOUT_NONE, -G_MAXINT32, 0, -FAR, -FAR, -FAR, -FAR};
static const int64_t highest[N_NUMBERS] = {G_MAXINT32, G_MAXINT32, G_MAXINT32, G_MAXINT32,
                                           FAR,        FAR,        FAR,        FAR};

/* What was seen last, and the two steps that are expected again: from the end of a line to the start of the next, and
 * from line to line down the page. */
typedef struct {
    grid_place last;
    int64_t gap, pitch;
} expectation;

/* block_start follows start and block: it is expected when those of the place are known. */
static int64_t
expected(const expectation *e, const grid_place *now, int number)
{
    const int64_t *last = e->last.v;
    switch (number) {
    case START:
        return MIN(last[START] + e->last.len + e->gap, G_MAXINT32);
    case BLOCK_START:
        if (now->v[BLOCK] != last[BLOCK]) return 0;
        if (last[BLOCK_START] < 0) return last[BLOCK_START];
        return MIN(last[BLOCK_START] + now->v[START] - last[START], G_MAXINT32);
    case Y:
        return CLAMP(last[Y] + e->pitch, -FAR, FAR);
    default:
        return last[number];
    }
}

static void
learn(expectation *e, const grid_place *now)
{
    e->gap = now->v[START] - e->last.v[START] - e->last.len;
    e->pitch = now->v[Y] - e->last.v[Y];
    e->last = *now;
}

static grid_place
to_numbers(const retrieval_place *p)
{
    const layout_rect *r = &p->box.rect;
    const int64_t x = to_grid(r->x0), y = to_grid(r->y0);
    return (grid_place){.v = {[START] = p->start,
                              [BLOCK] = p->block,
                              [BLOCK_START] = p->row > 0 ? -(int64_t)p->row : p->block_start,
                              [PAGE] = p->box.page,
                              [X] = x,
                              [Y] = y,
                              [WIDTH] = to_grid(r->x1) - x,
                              [HEIGHT] = to_grid(r->y1) - y},
                        .len = p->len};
}

static void
append_place(GArray *places, const grid_place *now, int64_t col)
{
    const int64_t *v = now->v;
    const retrieval_place place = {(uint32_t)v[START],
                                   (uint32_t)now->len,
                                   (int)v[BLOCK],
                                   (uint32_t)MAX(v[BLOCK_START], 0),
                                   {(int)v[PAGE],
                                    {from_grid(v[X]), from_grid(v[Y]), from_grid(v[X] + v[WIDTH]),
                                     from_grid(v[Y] + v[HEIGHT])}},
                                   (uint32_t)MAX(-v[BLOCK_START], 0),
                                   (uint32_t)col};
    g_array_append_val(places, place);
}

/* ---- frames ---- */

static int
compare_numbers(gconstpointer a, gconstpointer b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int64_t
middle_of(GArray *numbers)
{
    g_array_sort(numbers, compare_numbers);
    return numbers->len > 0 ? g_array_index(numbers, int64_t, numbers->len / 2) : 0;
}

retrieval_frame
retrieval_frame_of(const GPtrArray *lists)
{
    enum { N = HEIGHT - X + 1 };
    GArray *numbers[N];
    for (int k = 0; k < N; k++)
        numbers[k] = g_array_new(FALSE, FALSE, sizeof(int64_t));
    for (guint i = 0; i < lists->len; i++) {
        const GArray *places = lists->pdata[i];
        if (!places || places->len == 0) continue;
        const grid_place first = to_numbers(&g_array_index(places, retrieval_place, 0));
        for (int k = 0; k < N; k++)
            g_array_append_val(numbers[k], first.v[X + k]);
    }
    const retrieval_frame frame = {middle_of(numbers[0]), middle_of(numbers[1]),
                                   middle_of(numbers[2]), middle_of(numbers[3])};
    for (int k = 0; k < N; k++)
        g_array_unref(numbers[k]);
    return frame;
}

GBytes *
retrieval_pack_frame(const retrieval_frame *frame)
{
    GByteArray *bytes = g_byte_array_new();
    const int64_t numbers[] = {frame->x, frame->y, frame->width, frame->height};
    for (gsize i = 0; i < G_N_ELEMENTS(numbers); i++)
        retrieval_put_number(bytes, numbers[i]);
    return g_byte_array_free_to_bytes(bytes);
}

retrieval_frame
retrieval_unpack_frame(const void *bytes, size_t n_bytes)
{
    retrieval_number_reader r = {bytes, (const guint8 *)bytes + (bytes ? n_bytes : 0),
                                 bytes == NULL};
    int64_t v[4];
    for (gsize i = 0; i < G_N_ELEMENTS(v); i++)
        v[i] = retrieval_get_number_in(&r, 0, -FAR, FAR);
    return r.failed ? (retrieval_frame){0} : (retrieval_frame){v[0], v[1], v[2], v[3]};
}

static expectation
expect_frame(const retrieval_frame *frame)
{
    expectation e = {0};
    if (!frame) return e;
    e.last.v[X] = frame->x;
    e.last.v[Y] = frame->y;
    e.last.v[WIDTH] = frame->width;
    e.last.v[HEIGHT] = frame->height;
    return e;
}

/* ---- places ---- */

GBytes *
retrieval_pack_places(const GArray *places, const retrieval_frame *frame, size_t text_len)
{
    GByteArray *bytes = g_byte_array_new();
    expectation e = expect_frame(frame);
    const guint n = places ? places->len : 0;
    const retrieval_place *last = n > 0 ? &g_array_index(places, retrieval_place, n - 1) : NULL;
    const gboolean is_open = last && (uint64_t)last->start + last->len != text_len;
    retrieval_put_number(bytes, frame ? (int64_t)n * 2 + is_open : -1 - (int64_t)n);
    for (guint i = 0; i < n; i++) {
        const retrieval_place *p = &g_array_index(places, retrieval_place, i);
        const grid_place now = to_numbers(p);
        guint8 differ = 0;
        for (int k = 0; k < N_NUMBERS; k++)
            if (now.v[k] != expected(&e, &now, k)) differ |= (guint8)(1 << k);
        g_byte_array_append(bytes, &differ, 1);
        if (!frame || is_open || p != last) retrieval_put_number(bytes, now.len);
        for (int k = 0; k < N_NUMBERS; k++)
            if (differ >> k & 1) retrieval_put_number(bytes, now.v[k] - expected(&e, &now, k));
        if (now.v[BLOCK_START] < 0) retrieval_put_number(bytes, p->col);
        learn(&e, &now);
    }
    return g_byte_array_free_to_bytes(bytes);
}

static int64_t
read_column(retrieval_number_reader *r, const grid_place *now)
{
    return now->v[BLOCK_START] < 0 ? retrieval_get_number_in(r, 0, 1, G_MAXINT32) : 0;
}

/* n places, every number of each. */
static void
unpack_all(retrieval_number_reader *r, int64_t n, GArray *places)
{
    grid_place now = {0};
    for (; n > 0; n--) {
        int64_t col = 0;
        for (int k = 0; k < N_NUMBERS; k++) {
            now.v[k] = retrieval_get_number_in(r, now.v[k], lowest[k], highest[k]);
            if (k == START) now.len = retrieval_get_number_in(r, 0, 0, G_MAXINT32);
            if (k == BLOCK_START) col = read_column(r, &now);
        }
        if (r->failed) return;
        append_place(places, &now, col);
        now.v[START] += now.len;
        if (now.v[BLOCK_START] >= 0) now.v[BLOCK_START] += now.len;
    }
}

/* The numbers of a place that is not all told. ends: it has no len of its own, for the text ends with it. */
static gboolean
unpack_place(retrieval_number_reader *r, expectation *e, const size_t *ends, GArray *places)
{
    if (r->at == r->end) return FALSE;
    const guint8 differ = *r->at++;
    grid_place now = {.len = ends ? 0 : retrieval_get_number_in(r, 0, 0, G_MAXINT32)};
    for (int k = 0; k < N_NUMBERS; k++) {
        const int64_t likely = expected(e, &now, k);
        now.v[k] = differ >> k & 1 ? retrieval_get_number_in(r, likely, lowest[k], highest[k])
                                   : CLAMP(likely, lowest[k], highest[k]);
    }
    const int64_t col = read_column(r, &now);
    if (r->failed || (ends && (uint64_t)now.v[START] > *ends)) return FALSE;
    if (ends) now.len = MIN((int64_t)*ends - now.v[START], G_MAXINT32);
    append_place(places, &now, col);
    learn(e, &now);
    return TRUE;
}

/* As many as a head of today says. */
static gboolean
unpack_framed(retrieval_number_reader *r, int64_t head, const retrieval_frame *frame,
              size_t text_len, GArray *places)
{
    expectation e = expect_frame(frame);
    if (r->failed || head < 0) return FALSE;
    for (int64_t n = head / 2; n > 0; n--)
        if (!unpack_place(r, &e, head % 2 == 0 && n == 1 ? &text_len : NULL, places)) return FALSE;
    return TRUE;
}

gboolean
retrieval_unpack_counted_places(const int64_t *head, const void *bytes, size_t n_bytes,
                                const retrieval_frame *frame, size_t text_len, GArray *places)
{
    retrieval_number_reader r = {bytes, (const guint8 *)bytes + (bytes ? n_bytes : 0),
                                 bytes == NULL};
    return unpack_framed(&r, head ? *head : retrieval_get_number(&r), frame, text_len, places);
}

gboolean
retrieval_unpack_places(const void *bytes, size_t n_bytes, const retrieval_frame *frame,
                        size_t text_len, GArray *places)
{
    if (frame)
        return retrieval_unpack_counted_places(NULL, bytes, n_bytes, frame, text_len, places);
    retrieval_number_reader r = {bytes, (const guint8 *)bytes + (bytes ? n_bytes : 0),
                                 bytes == NULL};
    expectation e = {0};
    const int64_t head = retrieval_get_number(&r);
    if (head >= 0) unpack_all(&r, head, places);
    for (int64_t n = head < 0 ? -1 - head : 0; n > 0; n--)
        if (!unpack_place(&r, &e, NULL, places)) return FALSE;
    return !r.failed;
}
