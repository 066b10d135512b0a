/* A chunk's row as bytes:
 *
 *     flags, then what they say is there: the type's name; first block, last block less that, first page, last page less
 *     that; the page's label; the calls; and always: places
 *
 * Flags are the lower four bits of a byte. Over them stands 2 n + o of the places, which then is not written there, or 15
 * where it is. A string is its length, then its bytes. Most chunks are paragraphs whose blocks and pages are those of their places:
 * then there are the flags and the places alone. */
#include "retrieval/about.h"

#include <string.h>

#include "retrieval/numbers.h"

enum {
    HAS_TYPE = 1,
    HAS_RANGES = 2,
    HAS_LABEL = 4,
    HAS_CALLS = 8,
    HEAD_SHIFT = 4,
    HEAD_BEHIND = 15 /* the number of places does not fit over the flags */
};

typedef struct {
    int first_block, last_block, first_page, last_page;
} ranges;

void
retrieval_about_clear(retrieval_about *about)
{
    g_free(about->page_label);
    if (about->calls) g_bytes_unref(about->calls);
    if (about->places) g_array_unref(about->places);
    *about = (retrieval_about){0};
}

/* Of the places; zeros where there are none. */
static ranges
ranges_of(const GArray *places)
{
    ranges r = {0};
    for (guint i = 0; places && i < places->len; i++) {
        const retrieval_place *p = &g_array_index(places, retrieval_place, i);
        if (i == 0) r = (ranges){p->block, p->block, p->box.page, p->box.page};
        r.first_block = MIN(r.first_block, p->block);
        r.last_block = MAX(r.last_block, p->block);
        r.first_page = MIN(r.first_page, p->box.page);
        r.last_page = MAX(r.last_page, p->box.page);
    }
    return r;
}

static void
put_string(GByteArray *bytes, const void *data, size_t len)
{
    retrieval_put_number(bytes, (int64_t)len);
    g_byte_array_append(bytes, data, (guint)len);
}

GBytes *
retrieval_pack_about(const retrieval_about *about, const retrieval_frame *frame, size_t text_len)
{
    const ranges r = ranges_of(about->places);
    GByteArray *bytes = g_byte_array_new();
    guint8 flags = 0;
    if (about->type != LAYOUT_BLOCK_PARAGRAPH) flags |= HAS_TYPE;
    if (about->first_block != r.first_block || about->last_block != r.last_block ||
        about->first_page != r.first_page || about->last_page != r.last_page)
        flags |= HAS_RANGES;
    if (about->page_label) flags |= HAS_LABEL;
    if (about->calls) flags |= HAS_CALLS;
    g_autoptr(GBytes) places = retrieval_pack_places(about->places, frame, text_len);
    gsize size = 0;
    const guint8 *packed = g_bytes_get_data(places, &size);
    /* a zigzag coded number below 15 is one byte, twice as large */
    const guint8 head = packed[0] < 2 * HEAD_BEHIND ? packed[0] / 2 : HEAD_BEHIND;
    flags |= (guint8)(head << HEAD_SHIFT);
    g_byte_array_append(bytes, &flags, 1);
    if (flags & HAS_TYPE) {
        const char *name = layout_block_type_name(about->type);
        put_string(bytes, name, strlen(name));
    }
    if (flags & HAS_RANGES) {
        retrieval_put_number(bytes, about->first_block);
        retrieval_put_number(bytes, (int64_t)about->last_block - about->first_block);
        retrieval_put_number(bytes, about->first_page);
        retrieval_put_number(bytes, (int64_t)about->last_page - about->first_page);
    }
    if (flags & HAS_LABEL) put_string(bytes, about->page_label, strlen(about->page_label));
    if (flags & HAS_CALLS) {
        gsize n_calls = 0;
        const void *calls = g_bytes_get_data(about->calls, &n_calls);
        put_string(bytes, calls, n_calls);
    }
    const guint from = head < HEAD_BEHIND ? 1 : 0;
    g_byte_array_append(bytes, packed + from, (guint)size - from);
    return g_byte_array_free_to_bytes(bytes);
}

/* A string's bytes, lent, and their number; NULL where it is not all there. */
static const char *
get_string(retrieval_number_reader *r, size_t *len)
{
    const int64_t n = retrieval_get_number_in(r, 0, 0, G_MAXINT32);
    if (r->failed || n > r->end - r->at) {
        r->failed = TRUE;
        return NULL;
    }
    const char *text = (const char *)r->at;
    r->at += n;
    *len = (size_t)n;
    return text;
}

static void
read_type(retrieval_number_reader *r, retrieval_about *about)
{
    size_t len;
    const char *text = get_string(r, &len);
    if (!text) return;
    g_autofree char *name = g_strndup(text, len);
    if (!layout_block_type_from_name(name, &about->type)) about->type = LAYOUT_BLOCK_PARAGRAPH;
}

static void
read_ranges(retrieval_number_reader *r, retrieval_about *about)
{
    about->first_block = (int)retrieval_get_number_in(r, 0, LAYOUT_NONE, G_MAXINT32);
    about->last_block =
        (int)retrieval_get_number_in(r, about->first_block, LAYOUT_NONE, G_MAXINT32);
    about->first_page = (int)retrieval_get_number_in(r, 0, 0, G_MAXINT32);
    about->last_page = (int)retrieval_get_number_in(r, about->first_page, 0, G_MAXINT32);
}

static void
read_label(retrieval_number_reader *r, retrieval_about *about)
{
    size_t len;
    const char *text = get_string(r, &len);
    if (text) about->page_label = g_utf8_make_valid(text, (gssize)len);
}

static void
read_calls(retrieval_number_reader *r, retrieval_about *about)
{
    size_t len;
    const char *bytes = get_string(r, &len);
    if (bytes) about->calls = g_bytes_new(bytes, len);
}

gboolean
retrieval_unpack_about(const void *bytes, size_t n_bytes, const retrieval_frame *frame,
                       size_t text_len, retrieval_about *about)
{
    about->type = LAYOUT_BLOCK_PARAGRAPH;
    about->places = g_array_new(FALSE, FALSE, sizeof(retrieval_place));
    if (!bytes || n_bytes == 0) return FALSE;
    retrieval_number_reader r = {bytes, (const guint8 *)bytes + n_bytes, FALSE};
    const guint8 flags = *r.at++;
    if (flags & HAS_TYPE) read_type(&r, about);
    if (flags & HAS_RANGES) read_ranges(&r, about);
    if (flags & HAS_LABEL) read_label(&r, about);
    if (flags & HAS_CALLS) read_calls(&r, about);
    const int64_t head = flags >> HEAD_SHIFT;
    const gboolean done = !r.failed && retrieval_unpack_counted_places(
                                           head < HEAD_BEHIND ? &head : NULL, r.at,
                                           (size_t)(r.end - r.at), frame, text_len, about->places);
    if (flags & HAS_RANGES) return done;
    const ranges of = ranges_of(about->places);
    about->first_block = of.first_block;
    about->last_block = of.last_block;
    about->first_page = of.first_page;
    about->last_page = of.last_page;
    return done;
}

gboolean
retrieval_read_about(sqlite3_stmt *row, int column, size_t text_len, retrieval_about *about)
{
    const void *bytes = sqlite3_column_blob(row, column + 1);
    const retrieval_frame frame =
        retrieval_unpack_frame(bytes, (size_t)sqlite3_column_bytes(row, column + 1));
    bytes = sqlite3_column_blob(row, column);
    return retrieval_unpack_about(bytes, (size_t)sqlite3_column_bytes(row, column), &frame,
                                  text_len, about);
}
