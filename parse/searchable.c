/* A copy of a document with the words of its pictures as text that is not seen but found, selected and copied.
 *
 * The words stand in front of a page's own content stream, where the graphics state is still the page's first,
 * whatever the rest leaves behind; text of render mode 3 marks nothing (ISO 32000-1, 9.3.6). Their font has one
 * empty glyph, half an em wide: a code is the character itself (characters beyond the first plane get codes of
 * the private use area), ToUnicode says so, and each word is stretched to the width it has in the picture.
 *
 *   << /Type /Page /Contents [ours theirs...] /Resources << /Font << /LodeOCR font ... >> ... >> >>
 *   font: Type 0, Identity-H -> CIDFontType2, DW 500, every CID the same glyph -> TrueType of that glyph
 *
 * Pictures become pages that hold them: JPEG and JPEG 2000 as they are, two colours as Group 4, the rest
 * deflated. */
#include <math.h>
#include <string.h>

#include "parse/images.h"

#define FONT_NAME "LodeOCR"
#define GLYPH_EM  0.5f
#define N_CODES   65536
#define FIRST_SPARE                                                                                \
    0xE000u /* codes of the private use area stand for what has no code of its own */
#define END_SPARE    0xF900u
#define MAX_SPACE_EM 4.0f /* a gap between words that is one space */
#define SAME_LINE_EM 0.5f

typedef struct {
    pdf_document *pdf;
    pdf_obj *font;
    GArray *spare;     /* gunichar behind each spare code */
    GHashTable *coded; /* gunichar -> spare code */
} layer;

/* ---- the font ---- */

static void
put_u16(GByteArray *out, guint value)
{
    const guint8 bytes[] = {(guint8)(value >> 8), (guint8)value};
    g_byte_array_append(out, bytes, 2);
}

static void
put_u32(GByteArray *out, guint32 value)
{
    put_u16(out, value >> 16);
    put_u16(out, value & 0xFFFF);
}

static void
put_words(GByteArray *out, const guint16 *words, gsize n)
{
    for (gsize i = 0; i < n; i++)
        put_u16(out, words[i]);
}

static guint32
table_sum(const guint8 *data, gsize n)
{
    guint32 sum = 0;
    for (gsize i = 0; i < n; i++)
        sum += (guint32)data[i] << (24 - 8 * (i % 4));
    return sum;
}

/* TrueType of two glyphs without outlines, what a CIDFontType2 must have (OpenType 1.9; ISO 32000-1, 9.9). */
static GByteArray *
make_truetype(void)
{
    static const guint16 head[] = {1, 0, 1, 0, 0, 0, 0x5F0F, 0x3CF5, 3, 1000, 0, 0, 0, 0,
                                   0, 0, 0, 0, 0, 0, 500,    1000,   0, 8,    2, 0, 0};
    static const guint16 hhea[] = {1, 0, 800, 0xFF38, 0, 500, 0, 0, 500, 1, 0, 0, 0, 0, 0, 0, 0, 1};
    static const guint16 maxp[] = {1, 0, 2, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0};
    static const guint16 hmtx[] = {500, 0, 0};
    static const guint16 loca[] = {0, 0, 0};
    static const guint16 glyf[] = {0, 0};
    static const struct {
        const char *tag;
        const guint16 *words;
        gsize n;
    } tables[] = {{"glyf", glyf, G_N_ELEMENTS(glyf)}, {"head", head, G_N_ELEMENTS(head)},
                  {"hhea", hhea, G_N_ELEMENTS(hhea)}, {"hmtx", hmtx, G_N_ELEMENTS(hmtx)},
                  {"loca", loca, G_N_ELEMENTS(loca)}, {"maxp", maxp, G_N_ELEMENTS(maxp)}};
    const guint n = G_N_ELEMENTS(tables);
    GByteArray *out = g_byte_array_new(), *body = g_byte_array_new();
    put_u32(out, 0x00010000);
    put_u16(out, n);
    put_u16(out, 64), put_u16(out, 2), put_u16(out, n * 16 - 64); /* a binary search over n */
    for (guint i = 0; i < n; i++) {
        const guint at = body->len;
        put_words(body, tables[i].words, tables[i].n);
        const guint length = body->len - at;
        g_byte_array_append(out, (const guint8 *)tables[i].tag, 4);
        put_u32(out, table_sum(body->data + at, length));
        put_u32(out, 12 + 16 * n + at);
        put_u32(out, length);
        while (body->len % 4 != 0)
            g_byte_array_append(body, (const guint8 *)"", 1);
    }
    g_byte_array_append(out, body->data, body->len);
    g_byte_array_unref(body);
    return out;
}

/* A new stream object of these bytes, deflated on writing. */
static pdf_obj *
add_bytes(fz_context *ctx, pdf_document *pdf, GByteArray *bytes)
{
    fz_buffer *buffer = NULL;
    pdf_obj *stream = NULL;
    fz_var(buffer);
    fz_var(stream);
    fz_try(ctx)
    {
        buffer = fz_new_buffer_from_copied_data(ctx, bytes->data, bytes->len);
        stream = pdf_add_stream(ctx, pdf, buffer, NULL, 0);
        pdf_dict_put_int(ctx, stream, PDF_NAME(Length1), (int)bytes->len);
    }
    fz_always(ctx)
    {
        fz_drop_buffer(ctx, buffer);
        g_byte_array_unref(bytes);
    }
    fz_catch(ctx) fz_rethrow(ctx);
    return stream;
}

static GByteArray *
make_cid_map(void)
{
    GByteArray *map = g_byte_array_sized_new(2 * N_CODES);
    for (guint i = 0; i < N_CODES; i++)
        put_u16(map, 1);
    return map;
}

static void
put_descendant(fz_context *ctx, layer *l)
{
    pdf_obj *list = pdf_dict_put_array(ctx, l->font, PDF_NAME(DescendantFonts), 1);
    pdf_obj *font = pdf_array_push_dict(ctx, list, 8);
    pdf_dict_put(ctx, font, PDF_NAME(Type), PDF_NAME(Font));
    pdf_dict_put(ctx, font, PDF_NAME(Subtype), PDF_NAME(CIDFontType2));
    pdf_dict_put_name(ctx, font, PDF_NAME(BaseFont), FONT_NAME);
    pdf_obj *info = pdf_dict_put_dict(ctx, font, PDF_NAME(CIDSystemInfo), 3);
    pdf_dict_put_string(ctx, info, PDF_NAME(Registry), "Adobe", 5);
    pdf_dict_put_string(ctx, info, PDF_NAME(Ordering), "Identity", 8);
    pdf_dict_put_int(ctx, info, PDF_NAME(Supplement), 0);
    pdf_dict_put_int(ctx, font, PDF_NAME(DW), (int)(1000 * GLYPH_EM));
    pdf_dict_put_drop(ctx, font, PDF_NAME(CIDToGIDMap), add_bytes(ctx, l->pdf, make_cid_map()));
    pdf_obj *descriptor = pdf_dict_put_dict(ctx, font, PDF_NAME(FontDescriptor), 11);
    pdf_dict_put(ctx, descriptor, PDF_NAME(Type), PDF_NAME(FontDescriptor));
    pdf_dict_put_name(ctx, descriptor, PDF_NAME(FontName), FONT_NAME);
    pdf_dict_put_int(ctx, descriptor, PDF_NAME(Flags), 4); /* symbolic */
    pdf_dict_put_rect(ctx, descriptor, PDF_NAME(FontBBox), (fz_rect){0, 0, 500, 1000});
    pdf_dict_put_int(ctx, descriptor, PDF_NAME(ItalicAngle), 0);
    pdf_dict_put_int(ctx, descriptor, PDF_NAME(Ascent), 800);
    pdf_dict_put_int(ctx, descriptor, PDF_NAME(Descent), -200);
    pdf_dict_put_int(ctx, descriptor, PDF_NAME(CapHeight), 700);
    pdf_dict_put_int(ctx, descriptor, PDF_NAME(StemV), 80);
    pdf_dict_put_drop(ctx, descriptor, PDF_NAME(FontFile2),
                      add_bytes(ctx, l->pdf, make_truetype()));
}

/* The font, but for what its codes mean, which is known at the end. */
static void
add_font(fz_context *ctx, layer *l)
{
    l->font = pdf_add_new_dict(ctx, l->pdf, 6);
    pdf_dict_put(ctx, l->font, PDF_NAME(Type), PDF_NAME(Font));
    pdf_dict_put(ctx, l->font, PDF_NAME(Subtype), PDF_NAME(Type0));
    pdf_dict_put_name(ctx, l->font, PDF_NAME(BaseFont), FONT_NAME);
    pdf_dict_put(ctx, l->font, PDF_NAME(Encoding), PDF_NAME(Identity_H));
    put_descendant(ctx, l);
}

static void
append_ranges(GString *out)
{
    guint left = 256;
    for (guint high = 0; high < 256; high++, left--) {
        if (high % 100 == 0)
            g_string_append_printf(out, "%s%u beginbfrange\n", high ? "endbfrange\n" : "",
                                   MIN(left, 100));
        g_string_append_printf(out, "<%02X00> <%02XFF> <%02X00>\n", high, high, high);
    }
    g_string_append(out, "endbfrange\n");
}

static void
append_spares(const layer *l, GString *out)
{
    for (guint i = 0; i < l->spare->len; i++) {
        const gunichar ch = g_array_index(l->spare, gunichar, i);
        if (i % 100 == 0)
            g_string_append_printf(out, "%s%u beginbfchar\n", i ? "endbfchar\n" : "",
                                   MIN(l->spare->len - i, 100));
        g_string_append_printf(out, "<%04X> <", FIRST_SPARE + i);
        if (ch >= 0x10000)
            g_string_append_printf(out, "%04X%04X>\n", 0xD800 + ((ch - 0x10000) >> 10),
                                   0xDC00 + ((ch - 0x10000) & 0x3FF));
        else
            g_string_append_printf(out, "%04X>\n", ch);
    }
    if (l->spare->len > 0) g_string_append(out, "endbfchar\n");
}

static void
put_unicode_map(fz_context *ctx, layer *l)
{
    GString *text =
        g_string_new("/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n"
                     "/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 "
                     ">> def\n/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n"
                     "1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange\n");
    append_ranges(text);
    append_spares(l, text);
    g_string_append(text, "endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n");
    GByteArray *bytes = g_byte_array_new();
    g_byte_array_append(bytes, (const guint8 *)text->str, (guint)text->len);
    g_string_free(text, TRUE);
    pdf_dict_put_drop(ctx, l->font, PDF_NAME(ToUnicode), add_bytes(ctx, l->pdf, bytes));
}

static guint
code_of(layer *l, gunichar ch)
{
    if (ch < FIRST_SPARE || (ch >= END_SPARE && ch < N_CODES)) return ch ? ch : 0xFFFD;
    guint code = GPOINTER_TO_UINT(g_hash_table_lookup(l->coded, GUINT_TO_POINTER(ch)));
    if (code != 0) return code;
    if (l->spare->len >= END_SPARE - FIRST_SPARE) return 0xFFFD;
    code = FIRST_SPARE + l->spare->len;
    g_array_append_val(l->spare, ch);
    g_hash_table_insert(l->coded, GUINT_TO_POINTER(ch), GUINT_TO_POINTER(code));
    return code;
}

/* ---- the words ---- */

/* A piece of a run on its line, in the page as it lies in the file. */
typedef struct {
    float x, y;         /* where it begins, on the baseline */
    float dir_x, dir_y; /* unit */
    float length, size;
} stretch;

/* Where the piece of run whose box this is lies; FALSE where it is nowhere. On a page scanned askew words climb or sink
 * from one to the next, but each stays level, about its middle: readers cut words on a slope to pieces. */
static gboolean
stretch_find(const parse_page *page, const parse_run *run, const parse_glyph *first, parse_rect box,
             stretch *s)
{
    const float length =
        fabsf(run->dir_x) * (box.x1 - box.x0) + fabsf(run->dir_y) * (box.y1 - box.y0);
    float x = first->x, y = first->y;
    float end_x = x + run->dir_x * length, end_y = y + run->dir_y * length;
    if (page->skew != 0) {
        parse_unskew(page->width_pt, page->height_pt, page->skew, &x, &y);
        parse_unskew(page->width_pt, page->height_pt, page->skew, &end_x, &end_y);
    }
    if (!isfinite(x + y + end_x + end_y) || !(length > 0.01f) || !(run->size_pt > 0.1f))
        return FALSE;
    *s =
        (stretch){.dir_x = run->dir_x, .dir_y = run->dir_y, .length = length, .size = run->size_pt};
    s->x = 0.5f * (x + end_x - run->dir_x * length);
    s->y = 0.5f * (y + end_y - run->dir_y * length);
    return TRUE;
}

/* n codes over the length of s. */
static void
append_codes(fz_context *ctx, fz_buffer *out, const stretch *s, fz_matrix to_page,
             const guint *codes, guint n)
{
    const fz_matrix upright = {s->dir_x, s->dir_y, s->dir_y, -s->dir_x, s->x, s->y};
    const fz_matrix m = fz_concat(upright, to_page);
    const float percent = 100 * s->length / ((float)n * GLYPH_EM * s->size);
    fz_append_printf(ctx, out, "/" FONT_NAME " %g Tf %g Tz %g %g %g %g %g %g Tm <", s->size,
                     percent, m.a, m.b, m.c, m.d, m.e, m.f);
    for (guint i = 0; i < n; i++)
        fz_append_printf(ctx, out, "%04x", codes[i]);
    fz_append_string(ctx, out, "> Tj\n");
}

/* The blank between two words of a line, so that nobody has to guess it. */
static void
append_space(fz_context *ctx, fz_buffer *out, const stretch *left, const stretch *right,
             fz_matrix to_page)
{
    static const guint space[] = {' '};
    const float x = left->x + left->dir_x * left->length, y = left->y + left->dir_y * left->length;
    const float along = (right->x - x) * left->dir_x + (right->y - y) * left->dir_y;
    const float across = (right->y - y) * left->dir_x - (right->x - x) * left->dir_y;
    const float em = MAX(left->size, right->size);
    if (!(along > 0.02f * em && along < MAX_SPACE_EM * em) || fabsf(across) > SAME_LINE_EM * em ||
        left->dir_x * right->dir_x + left->dir_y * right->dir_y < 0.99f)
        return;
    const stretch gap = {x, y, left->dir_x, left->dir_y, along, left->size};
    append_codes(ctx, out, &gap, to_page, space, 1);
}

/* Are its characters in the order of reading, from right to left? In PDF they stand as they are seen. */
static gboolean
runs_backwards(const parse_run *run, const parse_glyph *glyphs)
{
    const parse_glyph *first = &glyphs[0], *last = &glyphs[run->n_glyphs - 1];
    return (last->x - first->x) * run->dir_x + (last->y - first->y) * run->dir_y < 0;
}

/* *last: the run before, of length 0 where there is none; this one's from then on. */
static void
append_run(fz_context *ctx, fz_buffer *out, layer *l, const parse_page *page, const parse_run *run,
           fz_matrix to_page, stretch *last)
{
    const guint n = run->n_glyphs;
    const parse_glyph *glyphs = page->glyphs + run->first_glyph;
    stretch s;
    if (n == 0) return;
    guint *codes = g_new(guint, n);
    const gboolean backwards = runs_backwards(run, glyphs);
    for (guint i = 0; i < n; i++)
        codes[i] = code_of(l, glyphs[backwards ? n - 1 - i : i].unicode);
    const gboolean found = stretch_find(page, run, &glyphs[backwards ? n - 1 : 0], run->box, &s);
    fz_try(ctx)
    {
        if (found && last->length > 0) append_space(ctx, out, last, &s, to_page);
        if (found) append_codes(ctx, out, &s, to_page, codes, n);
    }
    fz_always(ctx) g_free(codes);
    fz_catch(ctx) fz_rethrow(ctx);
    if (found) *last = s;
}

/* What OCR read on the page; NULL where that is nothing. */
static fz_buffer *
new_text(fz_context *ctx, layer *l, const parse_page *page, fz_matrix to_page)
{
    fz_buffer *out = fz_new_buffer(ctx, 4096);
    stretch last = {0};
    fz_try(ctx)
    {
        fz_append_string(ctx, out, "q BT 3 Tr\n");
        for (guint i = 0; i < page->n_runs; i++) {
            const parse_run *run = &page->runs[i];
            if (run->flags & PARSE_RUN_OCR) append_run(ctx, out, l, page, run, to_page, &last);
        }
        fz_append_string(ctx, out, "ET Q\n");
    }
    fz_catch(ctx)
    {
        fz_drop_buffer(ctx, out);
        fz_rethrow(ctx);
    }
    if (last.length > 0) return out;
    fz_drop_buffer(ctx, out);
    return NULL;
}

/* ---- pages of a PDF ---- */

/* Resources of the page's own: what was there may be inherited, or shared. */
static void
put_font(fz_context *ctx, layer *l, pdf_obj *page)
{
    pdf_obj *old = pdf_dict_get_inheritable(ctx, page, PDF_NAME(Resources));
    pdf_obj *resources = NULL, *fonts = NULL;
    fz_var(resources);
    fz_var(fonts);
    fz_try(ctx)
    {
        resources = pdf_is_dict(ctx, old) ? pdf_copy_dict(ctx, old) : pdf_new_dict(ctx, l->pdf, 1);
        pdf_obj *old_fonts = pdf_dict_get(ctx, resources, PDF_NAME(Font));
        fonts = pdf_is_dict(ctx, old_fonts) ? pdf_copy_dict(ctx, old_fonts)
                                            : pdf_new_dict(ctx, l->pdf, 1);
        pdf_dict_puts(ctx, fonts, FONT_NAME, l->font);
        pdf_dict_put(ctx, resources, PDF_NAME(Font), fonts);
        pdf_dict_put(ctx, page, PDF_NAME(Resources), resources);
    }
    fz_always(ctx)
    {
        pdf_drop_obj(ctx, resources);
        pdf_drop_obj(ctx, fonts);
    }
    fz_catch(ctx) fz_rethrow(ctx);
}

static void
put_contents(fz_context *ctx, layer *l, pdf_obj *page, fz_buffer *text)
{
    pdf_obj *old = pdf_dict_get(ctx, page, PDF_NAME(Contents));
    const int n = pdf_is_array(ctx, old) ? pdf_array_len(ctx, old) : 0;
    pdf_obj *list = pdf_new_array(ctx, l->pdf, n + 2);
    fz_try(ctx)
    {
        pdf_array_push_drop(ctx, list, pdf_add_stream(ctx, l->pdf, text, NULL, 0));
        for (int i = 0; i < n; i++)
            pdf_array_push(ctx, list, pdf_array_get(ctx, old, i));
        if (n == 0 && pdf_is_stream(ctx, old)) pdf_array_push(ctx, list, old);
        pdf_dict_put(ctx, page, PDF_NAME(Contents), list);
    }
    fz_always(ctx) pdf_drop_obj(ctx, list);
    fz_catch(ctx) fz_rethrow(ctx);
}

static void
put_words_on_page(fz_context *ctx, layer *l, parse_file *file, const parse_page *words)
{
    fz_page *page = NULL;
    fz_buffer *text = NULL;
    fz_var(page);
    fz_var(text);
    fz_try(ctx)
    {
        page = fz_load_page(ctx, file->doc, words->index);
        pdf_page *pdf = pdf_page_from_fz_page(ctx, page);
        const fz_matrix to_page = parse_points_to_pdf(ctx, page, NULL);
        text = new_text(ctx, l, words, to_page);
        if (text) {
            put_font(ctx, l, pdf->obj);
            put_contents(ctx, l, pdf->obj, text);
        }
    }
    fz_always(ctx)
    {
        fz_drop_buffer(ctx, text);
        fz_drop_page(ctx, page);
    }
    fz_catch(ctx) fz_rethrow(ctx);
}

/* ---- pictures ---- */

static gboolean
is_bilevel(const guint8 *p, gsize n)
{
    for (gsize i = 0; i < n; i++)
        if (p[i] != 0 && p[i] != 255) return FALSE;
    return TRUE;
}

static fz_buffer *
compress_bilevel(fz_context *ctx, fz_pixmap *pixmap)
{
    const int w = fz_pixmap_width(ctx, pixmap), h = fz_pixmap_height(ctx, pixmap);
    const gsize row = ((gsize)w + 7) / 8;
    guint8 *bits = fz_calloc(ctx, (size_t)h, row);
    fz_buffer *result = NULL;
    fz_var(result);
    fz_try(ctx)
    {
        for (int y = 0; y < h; y++) {
            const guint8 *in = pixmap->samples + (ptrdiff_t)y * pixmap->stride;
            for (int x = 0; x < w; x++)
                if (in[x] == 0) bits[(gsize)y * row + (gsize)x / 8] |= (guint8)(0x80 >> (x % 8));
        }
        result = fz_compress_ccitt_fax_g4(ctx, bits, w, h);
    }
    fz_always(ctx) fz_free(ctx, bits);
    fz_catch(ctx) fz_rethrow(ctx);
    return result;
}

static fz_buffer *
compress_samples(fz_context *ctx, fz_pixmap *pixmap)
{
    const gsize n = (gsize)pixmap->h * (gsize)pixmap->stride;
    size_t length = 0;
    guint8 *data = fz_new_deflated_data(ctx, &length, pixmap->samples, n, FZ_DEFLATE_DEFAULT);
    fz_buffer *buffer = NULL;
    fz_try(ctx) buffer = fz_new_buffer_from_data(ctx, data, length);
    fz_catch(ctx)
    {
        fz_free(ctx, data);
        fz_rethrow(ctx);
    }
    return buffer;
}

/* Compressed here and not on writing: until then the PDF holds all its pages. Gray or RGB on white. */
static fz_image *
compress_image(fz_context *ctx, fz_image *image)
{
    fz_pixmap *pixmap = NULL, *flat = NULL;
    fz_compressed_buffer *compressed = NULL;
    fz_image *result = NULL;
    fz_var(pixmap);
    fz_var(flat);
    fz_var(compressed);
    fz_var(result);
    fz_try(ctx)
    {
        pixmap = fz_get_unscaled_pixmap_from_image(ctx, image);
        const gboolean gray = fz_colorspace_is_gray(ctx, pixmap->colorspace);
        flat = fz_convert_pixmap(ctx, pixmap, gray ? fz_device_gray(ctx) : fz_device_rgb(ctx), NULL,
                                 NULL, fz_default_color_params, 0);
        const gboolean bilevel =
            gray && flat->n == 1 && is_bilevel(flat->samples, (gsize)flat->h * (gsize)flat->stride);
        compressed = fz_malloc_struct(ctx, fz_compressed_buffer);
        if (bilevel) {
            compressed->buffer = compress_bilevel(ctx, flat);
            compressed->params.type = FZ_IMAGE_FAX;
            compressed->params.u.fax.columns = flat->w;
            compressed->params.u.fax.rows = flat->h;
            compressed->params.u.fax.k = -1;
            compressed->params.u.fax.end_of_block = 1;
        } else {
            compressed->buffer = compress_samples(ctx, flat);
            compressed->params.type = FZ_IMAGE_FLATE;
            compressed->params.u.flate.predictor = 1;
            compressed->params.u.flate.columns = flat->w;
            compressed->params.u.flate.colors = flat->n;
            compressed->params.u.flate.bpc = 8;
        }
        fz_compressed_buffer *given = compressed;
        compressed = NULL; /* the call takes it, even where it throws */
        result = fz_new_image_from_compressed_buffer(ctx, flat->w, flat->h, bilevel ? 1 : 8,
                                                     flat->colorspace, image->xres, image->yres, 0,
                                                     0, NULL, NULL, given, NULL);
    }
    fz_always(ctx)
    {
        fz_drop_compressed_buffer(ctx, compressed);
        fz_drop_pixmap(ctx, flat);
        fz_drop_pixmap(ctx, pixmap);
    }
    fz_catch(ctx) fz_rethrow(ctx);
    return result;
}

/* Is it in a form that PDF knows? */
static gboolean
is_portable(fz_context *ctx, fz_image *image)
{
    const fz_compressed_buffer *compressed = fz_compressed_image_buffer(ctx, image);
    return compressed != NULL && image->mask == NULL &&
           (compressed->params.type == FZ_IMAGE_JPEG || compressed->params.type == FZ_IMAGE_JPX);
}

static void
add_picture_page(fz_context *ctx, layer *l, parse_images *images, int index,
                 const parse_page *words)
{
    fz_image *image = NULL, *packed = NULL;
    fz_buffer *text = NULL, *content = NULL;
    pdf_obj *resources = NULL, *page = NULL;
    float w, h;
    parse_images_size(images, index, &w, &h);
    fz_var(image);
    fz_var(packed);
    fz_var(text);
    fz_var(content);
    fz_var(resources);
    fz_var(page);
    fz_try(ctx)
    {
        fz_matrix m;
        const fz_matrix to_page = {1, 0, 0, -1, 0, h};
        image = parse_images_load(ctx, images, index, &m);
        packed = is_portable(ctx, image) ? fz_keep_image(ctx, image) : compress_image(ctx, image);
        m = fz_concat(fz_concat((fz_matrix){1, 0, 0, -1, 0, 1}, m), to_page); /* PDF's y goes up */
        content = fz_new_buffer(ctx, 256);
        text = words ? new_text(ctx, l, words, to_page) : NULL;
        if (text) fz_append_buffer(ctx, content, text);
        fz_append_printf(ctx, content, "q %g %g %g %g %g %g cm /Im Do Q\n", m.a, m.b, m.c, m.d, m.e,
                         m.f);
        resources = pdf_new_dict(ctx, l->pdf, 2);
        pdf_dict_puts_drop(ctx, pdf_dict_put_dict(ctx, resources, PDF_NAME(XObject), 1), "Im",
                           pdf_add_image(ctx, l->pdf, packed));
        pdf_dict_puts(ctx, pdf_dict_put_dict(ctx, resources, PDF_NAME(Font), 1), FONT_NAME,
                      l->font);
        page = pdf_add_page(ctx, l->pdf, (fz_rect){0, 0, w, h}, 0, resources, content);
        pdf_insert_page(ctx, l->pdf, -1, page);
    }
    fz_always(ctx)
    {
        pdf_drop_obj(ctx, page);
        pdf_drop_obj(ctx, resources);
        fz_drop_buffer(ctx, content);
        fz_drop_buffer(ctx, text);
        fz_drop_image(ctx, packed);
        fz_drop_image(ctx, image);
    }
    fz_catch(ctx) fz_rethrow(ctx);
}

/* ---- the document ---- */

static G_GNUC_NO_INLINE void
add_page(fz_context *ctx, layer *l, parse_file *file, parse_page *words, int index)
{
    parse_images *images = parse_images_of(file);
    fz_try(ctx)
    {
        if (images)
            add_picture_page(ctx, l, images, index, words);
        else if (words)
            put_words_on_page(ctx, l, file, words);
    }
    fz_always(ctx) parse_page_free(words);
    fz_catch(ctx) fz_rethrow(ctx);
}

gboolean
parse_file_write_searchable(parse_file *file, parse_words_fn words, gpointer user_data, int fd,
                            GError **error)
{
    fz_context *ctx = file->ctx;
    layer l = {.pdf = file->pdf, .spare = g_array_new(FALSE, FALSE, sizeof(gunichar))};
    gboolean unwritable = FALSE;
    GError *cause = NULL;
    volatile gboolean good = TRUE;
    l.coded = g_hash_table_new(NULL, NULL);
    fz_try(ctx)
    {
        if (l.pdf)
            parse_pages_settle(ctx, l.pdf);
        else if (parse_images_of(file))
            l.pdf = pdf_create_document(ctx);
        else
            fz_throw(ctx, FZ_ERROR_GENERIC, "neither a PDF nor pictures");
        add_font(ctx, &l);
        for (int i = 0; i < file->n_pages; i++) {
            parse_page *page = words(i, user_data, &cause);
            if (cause) fz_throw(ctx, FZ_ERROR_GENERIC, "%s", cause->message);
            add_page(ctx, &l, file, page, i);
        }
        put_unicode_map(ctx, &l);
        parse_pdf_write(ctx, l.pdf, fd, &unwritable);
    }
    fz_always(ctx)
    {
        pdf_drop_obj(ctx, l.font);
        if (l.pdf != file->pdf) pdf_drop_document(ctx, l.pdf);
    }
    fz_catch(ctx)
    {
        const parse_error_code code = unwritable ? PARSE_ERROR_IO : PARSE_ERROR_FORMAT;
        good = FALSE;
        if (cause)
            g_propagate_error(error, g_steal_pointer(&cause));
        else
            g_set_error(error, PARSE_ERROR, (gint)code, "%s: %s", file->name,
                        fz_caught_message(ctx));
    }
    g_array_unref(l.spare);
    g_hash_table_unref(l.coded);
    return good;
}
