/* EMF ([MS-EMF], [MS-EMFPLUS]) and WMF ([MS-WMF]): a list of drawing commands, each with its size.
 *
 * They are not drawn here. Two things in them matter to a reader and are kept: a bitmap that fills the picture, which
 * is what screenshots and pasted photographs are, and the words of a drawing.
 *
 *   EMF   u32 type, u32 bytes, ...     offsets count from the record's start
 *   WMF   u32 words, u16 function, ... a DIB (bitmap header, colours, pixels) stands at the record's end
 *   EMF+  in EMF's comments: u16 type, u16 flags, u32 bytes, u32 bytes of data, ...
 *
 * Every record is looked at only within its own bytes. Text in glyph numbers or in fonts of signs (the Symbol font of
 * formulas) says nothing without its font and is left out. */
#include "layout/readers/metafile.h"

#include <string.h>

#include "parse/parse.h"

#define MAX_TEXT    65536
#define MAX_SIDE    32767
#define MAX_HANDLES 4096
#define FONT_PLAIN  1
#define FONT_SIGNS  2
#define MAX_PIXELS  ((guint64)64 << 20)

typedef struct {
    const guchar *data;
    gsize len;
} bytes_view;

typedef struct {
    GString *text, *plus_text; /* of EMF, of the EMF+ that says the same again */
    double frame;              /* area of the whole in device units; 0 where unknown */
    guint64 best;              /* pixels of the bitmap that is kept */
    bytes_view header, pixels; /* its DIB; or */
    bytes_view file;           /* its PNG, JPEG or GIF */
    gint64 end_x, end_y;       /* where the text before ends; G_MININT64: unknown */
    guchar
        fonts[MAX_HANDLES]; /* of EMF, by handle: FONT_PLAIN, FONT_SIGNS; 0 for what is no font */
    guchar font;            /* the one in use */
    guint n_plus_drawn;     /* what EMF+ draws besides bitmaps */
    guint64 plus_best;      /* as best, of plus_file */
    bytes_view plus_file;   /* of EMF+ */
} metafile;

static guint
u16(bytes_view v, gsize at)
{
    return at + 2 <= v.len ? (guint)v.data[at] | (guint)v.data[at + 1] << 8 : 0;
}

static guint32
u32(bytes_view v, gsize at)
{
    return at + 4 <= v.len ? u16(v, at) | (guint32)u16(v, at + 2) << 16 : 0;
}

static gint32
i32(bytes_view v, gsize at)
{
    return (gint32)u32(v, at);
}

/* len bytes from at; empty where they are not all there. */
static bytes_view
part_of(bytes_view v, gsize at, gsize len)
{
    if (at > v.len || len > v.len - at) return (bytes_view){NULL, 0};
    return (bytes_view){v.data + at, len};
}

/* ---- bitmaps ---- */

static gsize
colours_len(bytes_view dib)
{
    const guint32 size = u32(dib, 0), bits = size == 12 ? u16(dib, 10) : u16(dib, 14);
    if (size == 12) return bits <= 8 ? ((gsize)1 << bits) * 3 : 0;
    const guint32 used = u32(dib, 32), compression = u32(dib, 16);
    gsize n =
        bits <= 8 && bits > 0 && (used == 0 || used > 256) ? (gsize)1 << bits : MIN(used, 256);
    if (size == 40 && compression == 3) n += 3; /* masks */
    return n * 4;
}

/* Are the pixels of a DIB all there? n: their number. */
static gboolean
is_whole(bytes_view header, bytes_view pixels, guint64 *n)
{
    const guint32 size = u32(header, 0), compression = size > 12 ? u32(header, 16) : 0;
    const gint64 width = size == 12 ? (gint64)u16(header, 4) : i32(header, 4);
    const gint64 height = size == 12 ? (gint64)u16(header, 6) : ABS((gint64)i32(header, 8));
    const guint bits = size == 12 ? u16(header, 10) : u16(header, 14);
    if ((size != 12 && (size < 40 || size > 256)) || size > header.len) return FALSE;
    if (width <= 0 || height <= 0 || width > MAX_SIDE || height > MAX_SIDE) return FALSE;
    *n = (guint64)width * (guint64)height;
    if (*n > MAX_PIXELS || pixels.len == 0) return FALSE;
    /* runs of up to 255 pixels in two bytes; a file in it has its own header */
    if (compression == 1 || compression == 2) return (guint64)pixels.len * 128 >= *n;
    if (compression != 0 && compression != 3) return compression == 4 || compression == 5;
    if (bits != 1 && bits != 4 && bits != 8 && bits != 16 && bits != 24 && bits != 32) return FALSE;
    return pixels.len >= (guint64)((width * bits + 31) / 32 * 4) * (guint64)height;
}

/* One bitmap, drawn over this area in device units (0: unknown). */
static void
take_dib(metafile *m, bytes_view header, bytes_view pixels, double area)
{
    guint64 n = 0;
    if (!is_whole(header, pixels, &n) || n <= m->best) return;
    if (m->frame > 0 && area > 0 && area * 2 < m->frame) return;
    const guint32 compression = u32(header, 0) > 12 ? u32(header, 16) : 0;
    m->best = n;
    m->header = header;
    m->pixels = pixels;
    m->file = compression == 4 || compression == 5 ? pixels : (bytes_view){NULL, 0};
}

/* A DIB in one piece. */
static void
take_packed(metafile *m, bytes_view dib, double area)
{
    const gsize header = u32(dib, 0) + colours_len(dib);
    if (u32(dib, 0) > 256 || header >= dib.len) return;
    take_dib(m, part_of(dib, 0, header), part_of(dib, header, dib.len - header), area);
}

/* As a file of one page, drawn pixel by pixel; NULL where it cannot be read. */
static GBytes *
draw(const metafile *m)
{
    g_autoptr(GByteArray) bmp = g_byte_array_new();
    const guint32 offset = 14 + (guint32)m->header.len, size = offset + (guint32)m->pixels.len;
    const guchar head[14] = {'B',
                             'M',
                             (guchar)size,
                             (guchar)(size >> 8),
                             (guchar)(size >> 16),
                             (guchar)(size >> 24),
                             0,
                             0,
                             0,
                             0,
                             (guchar)offset,
                             (guchar)(offset >> 8),
                             (guchar)(offset >> 16),
                             (guchar)(offset >> 24)};
    g_byte_array_append(bmp, head, sizeof head);
    g_byte_array_append(bmp, m->header.data, (guint)m->header.len);
    g_byte_array_append(bmp, m->pixels.data, (guint)m->pixels.len);
    g_autoptr(parse_file) file = parse_file_open_memory(bmp->data, bmp->len, "picture", NULL, NULL);
    g_autoptr(parse_page) page = file != NULL ? parse_file_load_page(file, 0, NULL) : NULL;
    const bytes_view h = m->header;
    const double width = u32(h, 0) == 12 ? (double)u16(h, 4) : (double)i32(h, 4);
    if (page == NULL || !(page->width_pt > 0)) return NULL;
    return parse_file_render_png(file, 0, NULL, 0, width * 72.0 / (double)page->width_pt, NULL);
}

/* ---- words ---- */

/* x, y: where they begin; G_MININT64: unknown. */
static void
take_words(metafile *m, GString *into, char *words, gint64 x, gint64 y)
{
    if (words == NULL) return;
    const gboolean joined =
        x != G_MININT64 && y == m->end_y && m->end_x != G_MININT64 && ABS(x - m->end_x) <= 1;
    if (into->len > 0 && !joined) g_string_append_c(into, ' ');
    if (into->len + strlen(words) <= MAX_TEXT) g_string_append(into, words);
    g_free(words);
}

static char *
utf16_words(bytes_view v)
{
    return v.len > 0 ? g_convert((const char *)v.data, (gssize)v.len, "UTF-8", "UTF-16LE", NULL,
                                 NULL, NULL)
                     : NULL;
}

static char *
latin_words(bytes_view v)
{
    return v.len > 0 ? g_convert((const char *)v.data, (gssize)v.len, "UTF-8", "WINDOWS-1252", NULL,
                                 NULL, NULL)
                     : NULL;
}

/* ---- EMF+ ---- */

/* An image object: version, kind 1 (bitmap), width, height, stride, format, 1 (a file), the file. */
static void
take_plus_image(metafile *m, bytes_view object)
{
    const gint64 width = i32(object, 8), height = i32(object, 12);
    if (u32(object, 4) != 1 || u32(object, 24) != 1 || object.len <= 28) return;
    const bytes_view file = part_of(object, 28, object.len - 28);
    /* the size is that of the file where it is not said */
    const guint64 n = width > 0 && height > 0 && width <= MAX_SIDE && height <= MAX_SIDE
                          ? (guint64)width * (guint64)height
                          : 1;
    if (n <= m->plus_best) return;
    m->plus_best = n;
    m->plus_file = file;
}

static void
read_plus(metafile *m, bytes_view v)
{
    for (gsize at = 0; v.len - at >= 12;) {
        const guint type = u16(v, at), flags = u16(v, at + 2);
        const guint32 size = u32(v, at + 4), len = u32(v, at + 8);
        if (size < 12 || size > v.len - at || len > size - 12) return;
        const bytes_view data = part_of(v, at + 12, len);
        if (type == 0x4008 && (flags & 0x8000) == 0 && (flags >> 8 & 0x7F) == 5)
            take_plus_image(m, data);
        else if (type == 0x401C && u32(data, 8) <= len / 2)
            take_words(m, m->plus_text, utf16_words(part_of(data, 28, (gsize)u32(data, 8) * 2)),
                       G_MININT64, G_MININT64);
        if (type >= 0x400A && type <= 0x401C && type != 0x401A && type != 0x401B) m->n_plus_drawn++;
        at += size;
    }
}

/* ---- EMF ---- */

static double
area_of(bytes_view v, gsize at)
{
    const double w = (double)i32(v, at + 8) - i32(v, at),
                 h = (double)i32(v, at + 12) - i32(v, at + 4);
    return w > 0 && h > 0 ? w * h : 0;
}

/* EMR_EXTTEXTOUTA and W. */
static void
take_text(metafile *m, bytes_view v, gboolean wide)
{
    const guint32 n = u32(v, 44), offset = u32(v, 48), options = u32(v, 52), steps = u32(v, 72);
    const gint64 x = i32(v, 36), y = i32(v, 40);
    if ((options & 0x10) != 0 || n == 0 || n > v.len || m->font == FONT_SIGNS) return;
    const bytes_view words = part_of(v, offset, (gsize)n * (wide ? 2 : 1));
    take_words(m, m->text, wide ? utf16_words(words) : latin_words(words), x, y);
    const bytes_view dx = part_of(v, steps, (gsize)n * 4);
    m->end_y = y;
    m->end_x = steps != 0 && dx.len > 0 ? x : G_MININT64;
    for (guint32 i = 0; dx.len > 0 && steps != 0 && i < n; i++)
        m->end_x += u32(dx, (gsize)i * 4);
}

/* EMR_SMALLTEXTOUT: without steps, its rectangle only where it has one. */
static void
take_small_text(metafile *m, bytes_view v)
{
    const guint32 n = u32(v, 16), options = u32(v, 20);
    const gsize at = (options & 0x100) != 0 ? 36 : 52;
    const gboolean narrow = (options & 0x200) != 0;
    if ((options & 0x10) != 0 || n > v.len || m->font == FONT_SIGNS) return;
    const bytes_view words = part_of(v, at, (gsize)n * (narrow ? 1 : 2));
    take_words(m, m->text, narrow ? latin_words(words) : utf16_words(words), G_MININT64,
               G_MININT64);
}

static void
read_emf_record(metafile *m, guint32 type, bytes_view v)
{
    const guint32 handle = u32(v, 8);
    gsize dib = 0;
    switch (type) {
    case 37: /* EMR_SELECTOBJECT */
        if (handle < MAX_HANDLES && m->fonts[handle] != 0) m->font = m->fonts[handle];
        return;
    case 40: /* EMR_DELETEOBJECT */
        if (handle < MAX_HANDLES) m->fonts[handle] = 0;
        return;
    case 82: /* EMR_EXTCREATEFONTINDIRECTW: charset 2 is SYMBOL_CHARSET */
        if (handle < MAX_HANDLES && v.len > 35)
            m->fonts[handle] = v.data[35] == 2 ? FONT_SIGNS : FONT_PLAIN;
        return;
    case 70: /* EMR_COMMENT */
        if (v.len >= 16 && memcmp(v.data + 12, "EMF+", 4) == 0)
            read_plus(m, part_of(v, 16, v.len - 16));
        return;
    case 76:  /* EMR_BITBLT */
    case 77:  /* EMR_STRETCHBLT */
    case 114: /* EMR_ALPHABLEND */
        dib = 84;
        break;
    case 80: /* EMR_SETDIBITSTODEVICE */
    case 81: /* EMR_STRETCHDIBITS */
        dib = 48;
        break;
    case 83: /* EMR_EXTTEXTOUTA */
    case 84: /* EMR_EXTTEXTOUTW */
        take_text(m, v, type == 84);
        return;
    case 108: /* EMR_SMALLTEXTOUT */
        take_small_text(m, v);
        return;
    default:
        return;
    }
    take_dib(m, part_of(v, u32(v, dib), u32(v, dib + 4)),
             part_of(v, u32(v, dib + 8), u32(v, dib + 12)), area_of(v, 8));
}

static void
read_emf(metafile *m, bytes_view v)
{
    m->frame = area_of(v, 8);
    for (gsize at = 0; v.len - at >= 8;) {
        const guint32 type = u32(v, at), size = u32(v, at + 4);
        if (size < 8 || size > v.len - at || type == 14) return; /* EMR_EOF */
        read_emf_record(m, type, part_of(v, at, size));
        at += size;
    }
}

/* ---- WMF ---- */

static double
extent_of(bytes_view v, gsize at)
{
    return ABS((double)(gint16)u16(v, at) * (double)(gint16)u16(v, at + 2));
}

/* The DIB of a record that draws one. */
static void
read_wmf_bitmap(metafile *m, guint function, bytes_view v)
{
    static const struct {
        guint function;
        gsize dib, extent;            /* extent: of the height and width that it is drawn with */
    } records[] = {{0x0940, 22, 14},  /* META_DIBBITBLT */
                   {0x0B41, 26, 18},  /* META_DIBSTRETCHBLT */
                   {0x0D33, 24, 16},  /* META_SETDIBTODEV */
                   {0x0F43, 28, 20}}; /* META_STRETCHDIB */
    for (guint i = 0; i < G_N_ELEMENTS(records); i++) {
        const gsize at = records[i].dib;
        if (records[i].function == function && at < v.len)
            take_packed(m, part_of(v, at, v.len - at), extent_of(v, records[i].extent));
    }
}

static void
read_wmf_record(metafile *m, guint function, bytes_view v)
{
    switch (function) {
    case 0x020C: /* META_SETWINDOWEXT */
        m->frame = extent_of(v, 6);
        break;
    case 0x02FB: /* META_CREATEFONTINDIRECT; which one is in use later is not followed */
        if (v.len > 19 && v.data[19] > 1) m->font = FONT_SIGNS;
        break;
    case 0x0521: /* META_TEXTOUT */
        take_words(m, m->text, latin_words(part_of(v, 8, u16(v, 6))), G_MININT64, G_MININT64);
        break;
    case 0x0A32: /* META_EXTTEXTOUT: behind its rectangle, where it has one */
        if ((u16(v, 12) & 0x10) == 0)
            take_words(m, m->text,
                       latin_words(part_of(v, (u16(v, 12) & 6) != 0 ? 22 : 14, u16(v, 10))),
                       G_MININT64, G_MININT64);
        break;
    default:
        read_wmf_bitmap(m, function, v);
    }
}

static void
read_wmf(metafile *m, bytes_view v, gsize at)
{
    while (v.len - at >= 6) {
        const guint32 words = u32(v, at);
        if (words < 3 || words > (v.len - at) / 2) return;
        read_wmf_record(m, u16(v, at + 4), part_of(v, at, (gsize)words * 2));
        at += (gsize)words * 2;
    }
}

/* ---- the whole ---- */

/* Where the records of a WMF begin, behind its header and the one that makes it placeable; 0: it is none. */
static gsize
wmf_start(bytes_view v)
{
    const gsize at = u32(v, 0) == 0x9AC6CDD7 ? 22 : 0;
    const guint type = u16(v, at), version = u16(v, at + 4);
    const gboolean known =
        (type == 1 || type == 2) && u16(v, at + 2) == 9 && (version == 0x100 || version == 0x300);
    return known && v.len > at + 18 ? at + 18 : 0;
}

gboolean
layout_metafile_read(GBytes *bytes, GBytes **picture, char **text)
{
    metafile m = {.end_x = G_MININT64, .end_y = G_MININT64};
    bytes_view v = {NULL, 0};
    v.data = g_bytes_get_data(bytes, &v.len);
    *picture = NULL;
    *text = NULL;
    const gboolean emf = v.len >= 88 && u32(v, 0) == 1 && memcmp(v.data + 40, " EMF", 4) == 0;
    const gsize wmf = wmf_start(v);
    if (!emf && wmf == 0) return FALSE;
    m.text = g_string_new(NULL);
    m.plus_text = g_string_new(NULL);
    if (emf)
        read_emf(&m, v);
    else
        read_wmf(&m, v, wmf);
    if (m.text->len == 0) g_string_append(m.text, m.plus_text->str);
    if (m.text->len > 0 && (emf || m.font != FONT_SIGNS)) *text = g_strdup(m.text->str);
    /* a page with nothing but a bitmap on a background */
    if (m.best == 0 && m.n_plus_drawn <= 1) m.file = m.plus_file;
    if (m.file.len > 0)
        *picture = g_bytes_new(m.file.data, m.file.len);
    else if (m.best > 0)
        *picture = draw(&m);
    g_string_free(m.text, TRUE);
    g_string_free(m.plus_text, TRUE);
    return TRUE;
}
