/* A page as bytes and back, for a store of recognised pages (parse_ocr_store).
 *
 *   magic, size of each kind of item, numbers of the page, label,
 *   then for fonts, glyphs, runs, paths, images, links: how many, and the items as they are in memory;
 *   their strings behind them, each as its length + 1 and its bytes, or 0 for none
 *
 * Only the machine that wrote it reads it again, and only the same build: the sizes are in front, and the key says
 * what made the page. Still nothing in it is believed: every count is checked, and so is what refers to what. */
#include <string.h>

#include "parse/parse_internal.h"

#define MAGIC 0x3145504Cu /* "LPE1" */

static const guint32 sizes[] = {MAGIC,
                                sizeof(parse_font),
                                sizeof(parse_glyph),
                                sizeof(parse_run),
                                sizeof(parse_path),
                                sizeof(parse_image),
                                sizeof(parse_link)};

/* ---- out ---- */

static void
put(GByteArray *out, const void *data, gsize n)
{
    if (n > 0) g_byte_array_append(out, data, (guint)n);
}

static void
put_u32(GByteArray *out, guint32 value)
{
    put(out, &value, sizeof value);
}

static void
put_items(GByteArray *out, const void *items, guint n, gsize size)
{
    put_u32(out, n);
    put(out, items, n * size);
}

static void
put_string(GByteArray *out, const char *text)
{
    const gsize n = text ? strlen(text) : 0;
    put_u32(out, text ? (guint32)n + 1 : 0);
    put(out, text, n);
}

/* The numbers of a page: what it has besides its items. */
static void
put_page(GByteArray *out, const parse_page *page)
{
    parse_page plain = *page; /* no pointers go out */
    plain.label = NULL, plain.fonts = NULL, plain.glyphs = NULL, plain.runs = NULL;
    plain.paths = NULL, plain.images = NULL, plain.links = NULL, plain.storage = NULL;
    put(out, &plain, sizeof plain);
}

GBytes *
parse_page_pack(const parse_page *page)
{
    GByteArray *out = g_byte_array_new();
    put(out, sizes, sizeof sizes);
    put_page(out, page);
    put_items(out, page->fonts, page->n_fonts, sizeof *page->fonts);
    put_items(out, page->glyphs, page->n_glyphs, sizeof *page->glyphs);
    put_items(out, page->runs, page->n_runs, sizeof *page->runs);
    put_items(out, page->paths, page->n_paths, sizeof *page->paths);
    put_items(out, page->images, page->n_images, sizeof *page->images);
    put_items(out, page->links, page->n_links, sizeof *page->links);
    put_string(out, page->label);
    for (guint i = 0; i < page->n_fonts; i++)
        put_string(out, page->fonts[i].name);
    for (guint i = 0; i < page->n_links; i++) {
        put_string(out, page->links[i].uri);
        put_string(out, page->links[i].dest);
    }
    return g_byte_array_free_to_bytes(out);
}

/* ---- in ---- */

typedef struct {
    const guint8 *data;
    gsize left;
    gboolean bad; /* it ended early; all further reads give nothing */
} source;

static const void *
take(source *s, gsize n)
{
    const void *at = s->data;
    if (s->bad || n > s->left) {
        s->bad = TRUE;
        return NULL;
    }
    s->data += n;
    s->left -= n;
    return at;
}

static guint32
take_u32(source *s)
{
    guint32 value = 0;
    const void *at = take(s, sizeof value);
    if (at) memcpy(&value, at, sizeof value);
    return value;
}

static void
take_items(source *s, GArray *items)
{
    const guint32 n = take_u32(s);
    const gsize size = g_array_get_element_size(items);
    if (n > s->left / size) s->bad = TRUE;
    const void *at = take(s, n * size);
    if (at && n > 0) g_array_append_vals(items, at, n);
}

static const char *
take_string(source *s, GStringChunk *strings)
{
    const guint32 n = take_u32(s);
    const char *at = n > 0 ? take(s, n - 1) : NULL;
    if (!at) return NULL;
    if (!g_utf8_validate(at, (gssize)n - 1, NULL)) s->bad = TRUE;
    return g_string_chunk_insert_len(strings, at, (gssize)n - 1);
}

static gboolean
is_sound(const parse_storage *storage)
{
    for (guint i = 0; i < storage->runs->len; i++) {
        const parse_run *run = &g_array_index(storage->runs, parse_run, i);
        if (run->font >= storage->fonts->len || run->first_glyph > storage->glyphs->len ||
            run->n_glyphs > storage->glyphs->len - run->first_glyph)
            return FALSE;
    }
    return TRUE;
}

static void
take_strings(source *s, parse_page *page)
{
    parse_storage *storage = page->storage;
    page->label = take_string(s, storage->strings);
    for (guint i = 0; i < storage->fonts->len; i++) {
        const char *name = take_string(s, storage->strings);
        g_array_index(storage->fonts, parse_font, i).name = name ? name : "";
    }
    for (guint i = 0; i < storage->links->len; i++) {
        parse_link *link = &g_array_index(storage->links, parse_link, i);
        link->uri = take_string(s, storage->strings);
        link->dest = take_string(s, storage->strings);
    }
}

parse_page *
parse_page_unpack(GBytes *bytes, int index)
{
    source s = {0};
    s.data = g_bytes_get_data(bytes, &s.left);
    const void *head = take(&s, sizeof sizes);
    if (!head || memcmp(head, sizes, sizeof sizes) != 0) return NULL;
    const void *numbers = take(&s, sizeof(parse_page));
    if (!numbers) return NULL;
    g_autoptr(parse_page) page = parse_page_new(index);
    parse_storage *storage = page->storage;
    memcpy(page, numbers, sizeof *page);
    page->storage = storage;
    page->index = index;
    take_items(&s, storage->fonts);
    take_items(&s, storage->glyphs);
    take_items(&s, storage->runs);
    take_items(&s, storage->paths);
    take_items(&s, storage->images);
    take_items(&s, storage->links);
    take_strings(&s, page);
    if (s.bad || s.left > 0 || !is_sound(storage)) return NULL;
    parse_page_publish(page);
    return g_steal_pointer(&page);
}
