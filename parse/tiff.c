/* The directories of a TIFF file (TIFF 6.0, section 2): what there is to decode, before a decoder sees it.
 *
 *   II or MM, 42, offset of the first directory
 *   directory: count, count entries of 12 bytes { tag, type, count, value or its offset }, offset of the next
 *
 * MuPDF refuses the whole file when the list of directories is cut short or bites its tail. Here the list ends
 * there. BigTIFF is left out. */
#include <string.h>

#include "parse/images.h"

enum {
    TAG_SUBFILE = 254,
    TAG_WIDTH = 256,
    TAG_HEIGHT = 257,
    TAG_ORIENTATION = 274,
    TAG_SAMPLES = 277,
    TAG_X_DPI = 282,
    TAG_Y_DPI = 283,
    TAG_UNIT = 296,
    SUBFILE_REDUCED = 1,
    SUBFILE_MASK = 4,
    UNIT_CM = 3
};

typedef struct {
    const guint8 *data;
    gsize n;
    gboolean big_endian;
} tiff;

static guint32
get(const tiff *t, gsize at, guint n_bytes)
{
    guint32 value = 0;
    if (at > t->n || t->n - at < n_bytes) return 0;
    for (guint i = 0; i < n_bytes; i++)
        value = value << 8 | t->data[at + (t->big_endian ? i : n_bytes - 1 - i)];
    return value;
}

/* FALSE: not a TIFF. */
static gboolean
begin(tiff *t, const guint8 *data, gsize n)
{
    *t = (tiff){data, n, n > 0 && data[0] == 'M'};
    return n >= 8 && data[0] == data[1] && (data[0] == 'I' || data[0] == 'M') && get(t, 2, 2) == 42;
}

/* A BYTE, SHORT or LONG that stands in its entry. */
static guint32
whole(const tiff *t, gsize entry)
{
    static const guint8 bytes[] = {0, 1, 0, 2, 4};
    const guint32 type = get(t, entry + 2, 2);
    return type < G_N_ELEMENTS(bytes) ? get(t, entry + 8, bytes[type]) : 0;
}

static double
ratio(const tiff *t, gsize entry)
{
    const guint32 at = get(t, entry + 8, 4);
    const double below = get(t, (gsize)at + 4, 4);
    return get(t, entry + 2, 2) == 5 && below > 0 ? get(t, at, 4) / below : 0;
}

static void
read_entry(const tiff *t, gsize entry, parse_frame *frame, guint32 *kind, guint32 *unit)
{
    switch (get(t, entry, 2)) {
    case TAG_SUBFILE:
        *kind = whole(t, entry);
        break;
    case TAG_WIDTH:
        frame->width_px = whole(t, entry);
        break;
    case TAG_HEIGHT:
        frame->height_px = whole(t, entry);
        break;
    case TAG_SAMPLES:
        frame->n_channels = whole(t, entry);
        break;
    case TAG_X_DPI:
        frame->dpi_x = ratio(t, entry);
        break;
    case TAG_Y_DPI:
        frame->dpi_y = ratio(t, entry);
        break;
    case TAG_UNIT:
        *unit = whole(t, entry);
        break;
    case TAG_ORIENTATION: {
        const guint32 value = whole(t, entry);
        if (value >= 1 && value <= 8) frame->orientation = (int)value;
        break;
    }
    default:
        break;
    }
}

/* The directory at, and where the next one is; FALSE where it is not in the file. */
static gboolean
read_directory(const tiff *t, guint64 at, parse_frame *frame, guint32 *kind, guint64 *next)
{
    guint32 unit = 2;
    *frame = (parse_frame){.orientation = 1, .n_channels = 1, .at = at};
    *kind = 0;
    *next = 0;
    if (at < 8 || at > t->n || t->n - at < 2) return FALSE;
    const guint32 n = get(t, at, 2);
    if (n == 0 || (t->n - at - 2) / 12 < n) return FALSE;
    for (guint32 i = 0; i < n; i++)
        read_entry(t, at + 2 + (gsize)i * 12, frame, kind, &unit);
    *next = get(t, at + 2 + (gsize)n * 12, 4);
    if (unit == UNIT_CM) {
        frame->dpi_x *= 2.54;
        frame->dpi_y *= 2.54;
    }
    return TRUE;
}

GArray *
parse_tiff_frames(const guint8 *data, gsize n, gboolean *damaged)
{
    GArray *frames = g_array_new(FALSE, FALSE, sizeof(parse_frame));
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    parse_frame frame;
    guint32 kind;
    tiff t;
    *damaged = FALSE;
    if (!begin(&t, data, n)) return frames;
    for (guint64 at = get(&t, 4, 4), next = 0; at != 0; at = next) {
        guint64 *key = g_memdup2(&at, sizeof at);
        if (g_hash_table_size(seen) >= PARSE_MAX_FRAMES || !g_hash_table_add(seen, key) ||
            !read_directory(&t, at, &frame, &kind, &next)) {
            *damaged = TRUE;
            break;
        }
        const gboolean page = (kind & (SUBFILE_REDUCED | SUBFILE_MASK)) == 0 || frames->len == 0;
        if (page && frame.width_px > 0 && frame.height_px > 0) g_array_append_val(frames, frame);
    }
    return frames;
}

static void
put(const tiff *t, guint8 *data, gsize at, guint32 value)
{
    if (at > t->n || t->n - at < 4) return;
    for (guint i = 0; i < 4; i++)
        data[at + i] = (guint8)(value >> (t->big_endian ? 24 - 8 * i : 8 * i));
}

void
parse_tiff_isolate(guint8 *data, gsize n, guint64 at)
{
    tiff t;
    if (!begin(&t, data, n)) return;
    put(&t, data, 4, (guint32)at);
    put(&t, data, at + 2 + (gsize)get(&t, at, 2) * 12, 0);
}

int
parse_exif_orientation(const guint8 *data, gsize n)
{
    parse_frame frame;
    guint32 kind;
    guint64 next;
    tiff t;
    if (n >= 6 && memcmp(data, "Exif\0\0", 6) == 0) data += 6, n -= 6;
    if (!begin(&t, data, n)) return 1;
    read_directory(&t, get(&t, 4, 4), &frame, &kind, &next);
    return frame.orientation;
}
