/* The device: what MuPDF draws, as glyph runs, paths and images of the page under construction.
 *
 * Nothing is rendered. Clips are only known by their boxes, which MuPDF keeps for us (the scissor). What is
 * drawn into a soft mask is not seen by a reader and is left out; of a tiling pattern only images are kept
 * (some programs place photographs that way), the rest is one region. */
#include <math.h>
#include <string.h>

#include "parse/parse_internal.h"

typedef struct {
    fz_device super;
    parse_builder *builder;
} parse_device;

/* Type 3 glyphs that need the caller's colours are drawn where they stand, and d0/d1 mark the device with
 * one of these flags; their text then comes by ignore_text. */
#define IN_TYPE3_GLYPH (FZ_DEVFLAG_MASK | FZ_DEVFLAG_COLOR)

static parse_builder *
builder_of(fz_device *dev)
{
    return ((parse_device *)dev)->builder;
}

/* Inside a soft mask or tile. One whose content broke off is not ended by MuPDF, only popped. */
static gboolean
is_skipped(const fz_device *dev, parse_builder *builder)
{
    if (builder->mask_depth > 0 && dev->container_len < builder->mask_level)
        builder->mask_depth = 0;
    if (builder->tile_depth > 0 && dev->container_len < builder->tile_level)
        builder->tile_depth = 0;
    return builder->mask_depth > 0 || builder->tile_depth > 0;
}

/* What can be seen of the page at this point. MuPDF gives the container of a tile a box in the pattern's
 * own space, so there the one outside it counts. */
static fz_rect
visible_box(const fz_device *dev, const parse_builder *builder)
{
    int level = builder->tile_depth > 0 ? builder->tile_level - 1 : dev->container_len;
    if (level <= 0 || level > dev->container_len) return builder->bounds;
    return fz_intersect_rect(builder->bounds, dev->container[level - 1].scissor);
}

static gboolean
overlaps(const parse_rect *box, fz_rect clip)
{
    return box->x1 >= clip.x0 && box->x0 <= clip.x1 && box->y1 >= clip.y0 && box->y0 <= clip.y1;
}

/* What the text of one device call has in common. */
typedef struct {
    fz_context *ctx;
    parse_builder *builder;
    uint32_t color;
    guint flags;
    fz_rect clip;
} text_call;

/* One span: its matrix on the page and what follows from it. */
typedef struct {
    const fz_text_span *span;
    fz_matrix trm, ctm;
    guint font;
    float asc, desc, em; /* em: see parse_builder_font.type3_scale */
    gboolean upright;
} text_span;

/* Off the baseline of the run: another line, a superscript. */
static gboolean
leaves_baseline(const parse_builder *builder, const parse_run *run, const parse_glyph *glyph)
{
    const parse_glyph *last =
        &g_array_index(builder->storage->glyphs, parse_glyph, builder->storage->glyphs->len - 1);
    float across = (glyph->y - last->y) * run->dir_x - (glyph->x - last->x) * run->dir_y;
    return fabsf(across) > 0.05f * run->size_pt;
}

static void
open_run(const text_call *call, const text_span *s, const parse_glyph *glyph, guint flags)
{
    parse_builder *builder = call->builder;
    GArray *runs = builder->storage->runs;
    parse_mark mark = g_array_index(builder->marks, parse_mark, builder->marks->len - 1);
    if (builder->run_open && runs->len > 0) {
        const parse_run *last = &g_array_index(runs, parse_run, runs->len - 1);
        const fz_matrix *m = &builder->run_trm;
        if (last->font == s->font && last->color == call->color && last->flags == flags &&
            last->mcid == mark.mcid && last->artifact == mark.artifact && m->a == s->trm.a &&
            m->b == s->trm.b && m->c == s->trm.c && m->d == s->trm.d &&
            !leaves_baseline(builder, last, glyph))
            return;
    }
    float along = hypotf(s->trm.a, s->trm.b);
    float det = fabsf(s->trm.a * s->trm.d - s->trm.b * s->trm.c);
    parse_run run = {
        .font = s->font,
        .size_pt = along > 0 ? det / along * s->em : hypotf(s->trm.c, s->trm.d) * s->em,
        .dir_x = 1,
        .dir_y = 0,
        .color = call->color,
        .flags = flags,
        .mcid = mark.mcid,
        .artifact = mark.artifact,
        .first_glyph = builder->storage->glyphs->len,
        .paint = builder->paint,
        .box = {INFINITY, INFINITY, -INFINITY, -INFINITY},
    };
    float dx = s->span->wmode ? -s->trm.c : s->trm.a, dy = s->span->wmode ? -s->trm.d : s->trm.b;
    float len = hypotf(dx, dy);
    if (len > 0 && isfinite(len)) run.dir_x = dx / len, run.dir_y = dy / len;
    g_array_append_val(runs, run);
    builder->run_trm = s->trm;
    builder->run_open = TRUE;
}

static void
append_glyph(const text_call *call, const text_span *s, const parse_glyph *glyph)
{
    guint flags = call->flags;
    if (!overlaps(&glyph->box, call->clip)) flags |= PARSE_RUN_OFF_PAGE;
    open_run(call, s, glyph, flags);
    parse_storage *storage = call->builder->storage;
    g_array_append_vals(storage->glyphs, glyph, 1);
    parse_run *run = &g_array_index(storage->runs, parse_run, storage->runs->len - 1);
    run->n_glyphs++;
    run->box.x0 = MIN(run->box.x0, glyph->box.x0);
    run->box.y0 = MIN(run->box.y0, glyph->box.y0);
    run->box.x1 = MAX(run->box.x1, glyph->box.x1);
    run->box.y1 = MAX(run->box.y1, glyph->box.y1);
}

/* Characters that no text holds stand for "not mapped"; MuPDF itself gives U+FFFD or nothing. */
static uint32_t
clean_unicode(int ucs, gboolean *unmapped)
{
    if (ucs >= 0x20 && ucs < 0x7f) return (uint32_t)ucs;
    if (ucs == '\t' || ucs == '\n' || ucs == '\r') return ' ';
    if (ucs < 0xa0 || ucs > 0x10ffff || (ucs >= 0xd800 && ucs < 0xe000) ||
        (ucs & 0xfffe) == 0xfffe || (ucs >= 0xfdd0 && ucs < 0xfdf0) || ucs == 0xfffd) {
        *unmapped = TRUE;
        return 0xfffd;
    }
    return (uint32_t)ucs;
}

/* The letters of U+FB00 to U+FB06, NULL for others. */
static const char *
ligature_letters(uint32_t unicode)
{
    static const char letters[][4] = {"ff", "fi", "fl", "ffi", "ffl", "st", "st"};
    return unicode >= 0xfb00 && unicode <= 0xfb06 ? letters[unicode - 0xfb00] : NULL;
}

/* What the font itself knows of a glyph that the document has no character for. */
static uint32_t
recover(const text_call *call, guint font_index, int gid)
{
    parse_builder_font *font = &g_array_index(call->builder->fonts, parse_builder_font, font_index);
    gpointer known = NULL;
    if (!font->recovered) font->recovered = g_hash_table_new(NULL, NULL);
    if (g_hash_table_lookup_extended(font->recovered, GINT_TO_POINTER(gid), NULL, &known))
        return GPOINTER_TO_UINT(known);
    gboolean unmapped = FALSE;
    uint32_t unicode = parse_unicode_recover(call->ctx, font->font, gid);
    if (unicode) unicode = clean_unicode((int)unicode, &unmapped);
    if (unmapped) unicode = 0;
    g_hash_table_insert(font->recovered, GINT_TO_POINTER(gid), GUINT_TO_POINTER(unicode));
    return unicode;
}

static parse_rect
glyph_box(const text_span *s, float x, float y, float adv)
{
    const fz_matrix *m = &s->trm;
    if (s->upright) return (parse_rect){x, y + s->asc * m->d, x + adv * m->a, y + s->desc * m->d};
    const float px[4] = {s->asc * m->c, s->desc * m->c, adv * m->a + s->asc * m->c,
                         adv * m->a + s->desc * m->c};
    const float py[4] = {s->asc * m->d, s->desc * m->d, adv * m->b + s->asc * m->d,
                         adv * m->b + s->desc * m->d};
    parse_rect box = {x + px[0], y + py[0], x + px[0], y + py[0]};
    for (int i = 1; i < 4; i++) {
        box.x0 = fminf(box.x0, x + px[i]), box.x1 = fmaxf(box.x1, x + px[i]);
        box.y0 = fminf(box.y0, y + py[i]), box.y1 = fmaxf(box.y1, y + py[i]);
    }
    return box;
}

static gboolean
is_rtl(uint32_t ch)
{
    return (ch >= 0x590 && ch <= 0x8ff) || (ch >= 0xfb1d && ch <= 0xfdff) ||
           (ch >= 0xfe70 && ch <= 0xfefc);
}

/* One glyph and the n characters it stands for: they share its advance evenly. */
static void
add_cluster(const text_call *call, const text_span *s, const fz_text_item *item, float adv,
            const uint32_t *unicode, guint n)
{
    fz_point p = fz_transform_point_xy(item->x, item->y, s->ctm);
    if (!isfinite(p.x) || !isfinite(p.y) || fabsf(p.x) > 1e7f || fabsf(p.y) > 1e7f) {
        call->builder->page->n_unplaced += n;
        return;
    }
    parse_builder *builder = call->builder;
    if (builder->storage->glyphs->len + n > builder->file->options.max_glyphs) {
        parse_builder_stop(builder);
        return;
    }
    float part = adv / (float)n;
    gboolean leftwards = n > 1 && is_rtl(unicode[0]); /* the first letter stands at the right */
    for (guint i = 0; i < n; i++) {
        float shift = part * (float)(leftwards ? n - 1 - i : i);
        parse_glyph glyph = {
            .unicode = unicode[i],
            .gid = i == 0 ? item->gid : -1,
            .x = p.x + shift * s->trm.a,
            .y = p.y + shift * s->trm.b,
        };
        glyph.box = glyph_box(s, glyph.x, glyph.y, part);
        append_glyph(call, s, &glyph);
    }
}

/* The span as it is for one glyph of a font whose ascender and descender say nothing about it. */
static text_span
span_of_ink(const text_call *call, const text_span *s, int gid)
{
    text_span one = *s;
    const fz_rect ink = fz_bound_glyph(call->ctx, s->span->font, gid, fz_identity);
    if (ink.y1 > ink.y0 && ink.y1 < 5 * s->em && ink.y0 > -5 * s->em)
        one.asc = ink.y1, one.desc = ink.y0;
    return one;
}

/* Does it come in sizes, as delimiters and operators of mathematics do? */
static gboolean
is_stretchy(uint32_t ch)
{
    if (ch < 0x80) return ch && strchr("()[]{}|/\\", (int)ch) != NULL;
    return ch == 0x2016 || ch == 0x220f || ch == 0x2210 || ch == 0x2211 || ch == 0x221a ||
           ch == 0x2223 || ch == 0x2225 || (ch >= 0x222b && ch <= 0x2233) ||
           (ch >= 0x22c0 && ch <= 0x22c3) || (ch >= 0x2308 && ch <= 0x230b) || ch == 0x2329 ||
           ch == 0x232a || (ch >= 0x239b && ch <= 0x23b3) || ch == 0x23de || ch == 0x23df ||
           ch == 0x23d0 || (ch >= 0x27e6 && ch <= 0x27eb) || (ch >= 0x2a00 && ch <= 0x2a06) ||
           (ch >= 0xf8e5 && ch <= 0xf8fe);
}

/* Combining marks. */
static gboolean
is_accent(uint32_t ch)
{
    return (ch >= 0x300 && ch < 0x370) || (ch >= 0x20d0 && ch < 0x20f1);
}

/* Ink of more than a line's height, or far off the axis: a sign of a large size. OpenType fonts of mathematics and
 * those of STIX have them among their letters. */
static gboolean
is_large(const text_span *one, uint32_t ch, gboolean math_font)
{
    const float height = one->asc - one->desc, middle = 0.5f * (one->asc + one->desc);
    if (ch == 0x23de || ch == 0x23df) return TRUE;
    /* a piece that a longer bar is made of */
    if (math_font && (ch == '|' || ch == 0x2016 || ch == 0x2223 || ch == 0x2225) &&
        height < 0.75f * one->em)
        return TRUE;
    return height > 1.25f * one->em || fabsf(middle - 0.25f * one->em) > 0.4f * one->em;
}

#define MAX_CLUSTER 32

static void
add_span_items(const text_call *call, const text_span *s)
{
    const fz_text_span *span = s->span;
    const parse_builder_font *font =
        &g_array_index(call->builder->fonts, parse_builder_font, s->font);
    const gboolean hangs = font->hangs, tex_italic = font->tex_italic;
    const gboolean substitute = fz_font_flags(span->font)->ft_substitute || !s->upright;
    uint32_t unicode[MAX_CLUSTER];
    for (int i = 0; i < span->len && !call->builder->page->truncated;) {
        const fz_text_item *item = &span->items[i++];
        /* -1 in ucs: a further glyph of one character, drawn but not text */
        if (item->ucs == -1 || item->gid < 0) continue;
        gboolean unmapped = FALSE;
        guint n = 1;
        unicode[0] = clean_unicode(item->ucs, &unmapped);
        while (i < span->len && span->items[i].gid < 0) {
            if (n < MAX_CLUSTER) unicode[n++] = clean_unicode(span->items[i].ucs, &unmapped);
            i++;
        }
        if (font->tex.font && (font->tex.sure || unmapped || item->ucs == item->gid)) {
            /* names such as "a65" and "AE" (dvips's code 14) are taken for what they do not mean */
            uint32_t known = parse_tex_character(&font->tex, item->gid);
            if (known) unicode[0] = known, n = 1, unmapped = FALSE;
        } else if (unmapped && n == 1) {
            uint32_t known = recover(call, s->font, item->gid);
            if (known) unicode[0] = known, unmapped = FALSE;
        }
        if (font->math && n == 1 && unicode[0] >= 0xe22d && unicode[0] < 0xe22d + 26) {
            /* where the fonts of STIX have calligraphic capitals */
            const char name[] = {(char)('A' + (unicode[0] - 0xe22d)), 'c', 'a', 'l', '\0'};
            unicode[0] = parse_unicode_from_name(name);
        }
        if (tex_italic && n == 1 && (unicode[0] == 0x3c6 || unicode[0] == 0x3d5)) {
            uint32_t phi = parse_unicode_phi(call->ctx, span->font, item->gid);
            if (phi) unicode[0] = phi;
        }
        const char *letters = n == 1 ? ligature_letters(unicode[0]) : NULL;
        for (n = letters ? 0 : n; letters && *letters; letters++)
            unicode[n++] = (uint32_t)*letters;
        float adv = fz_advance_glyph(call->ctx, span->font, item->gid, 0);
        if (!isfinite(adv) || adv < 0 || adv > 1000) adv = 0;
        if (unmapped) call->builder->page->n_unmapped++;
        fz_text_item moved = *item;
        if (font->math && n == 1 && is_accent(unicode[0]) && adv < 0.01f) {
            /* drawn before its letter, the ink left of the origin */
            const fz_rect ink = fz_bound_glyph(call->ctx, span->font, item->gid, fz_identity);
            if (ink.x1 > ink.x0 && ink.x1 - ink.x0 < 3 * s->em) {
                moved.x += ink.x0 * span->trm.a;
                adv = ink.x1 - ink.x0;
                item = &moved;
            }
        }
        const gboolean stretchy = !substitute && n == 1 && is_stretchy(unicode[0]);
        text_span one = *s;
        if (hangs || stretchy) one = span_of_ink(call, s, item->gid);
        if (stretchy && !hangs && is_large(&one, unicode[0], font->math)) {
            one.font = parse_builder_large_font(call->ctx, call->builder, s->font);
            font = &g_array_index(call->builder->fonts, parse_builder_font, s->font);
            add_cluster(call, &one, item, adv, unicode, n);
        } else if (hangs) {
            add_cluster(call, &one, item, adv, unicode, n);
        } else {
            add_cluster(call, s, item, adv, unicode, n);
        }
    }
}

static void
add_text(fz_context *ctx, fz_device *dev, const fz_text *text, fz_matrix ctm, uint32_t color,
         guint flags)
{
    parse_builder *builder = builder_of(dev);
    if (is_skipped(dev, builder)) {
        for (const fz_text_span *span = text->head; span; span = span->next)
            builder->page->n_masked += (guint)MAX(span->len, 0);
        return;
    }
    text_call call = {ctx, builder, color, flags, visible_box(dev, builder)};
    builder->last_text_run = builder->storage->runs->len;
    for (const fz_text_span *span = text->head; span; span = span->next) {
        text_span s = {.span = span, .ctm = ctm};
        fz_matrix trm = span->trm;
        trm.e = trm.f = 0;
        s.trm = fz_concat(trm, ctm);
        s.font = parse_builder_add_font(ctx, builder, span->font, hypotf(s.trm.a, s.trm.b));
        const parse_builder_font *font = &g_array_index(builder->fonts, parse_builder_font, s.font);
        s.em = font->type3_scale;
        s.asc = font->ascender * s.em;
        s.desc = font->descender * s.em;
        s.upright = s.trm.b == 0 && s.trm.c == 0 && s.trm.a > 0 && s.trm.d < 0;
        call.flags = flags | (span->wmode ? PARSE_RUN_VERTICAL : 0);
        add_span_items(&call, &s);
    }
}

/* Fill, stroke and clip of one text object come one after the other with the same pointer. */
static gboolean
is_repeated(fz_context *ctx, parse_builder *builder, const fz_text *text, guint flag)
{
    if (builder->last_text == text) {
        GArray *runs = builder->storage->runs;
        if (flag == PARSE_RUN_STROKED)
            for (guint i = builder->last_text_run; i < runs->len; i++)
                g_array_index(runs, parse_run, i).flags |= flag;
        builder->run_open = FALSE;
        return TRUE;
    }
    fz_drop_text(ctx, builder->last_text);
    builder->last_text = fz_keep_text(ctx, text);
    return FALSE;
}

static void
device_fill_text(fz_context *ctx, fz_device *dev, const fz_text *text, fz_matrix ctm,
                 fz_colorspace *cs, const float *color, float alpha, fz_color_params params)
{
    dev->flags &= ~IN_TYPE3_GLYPH;
    if (is_repeated(ctx, builder_of(dev), text, 0)) return;
    add_text(ctx, dev, text, ctm, parse_color(ctx, cs, color, alpha, params), 0);
}

static void
device_stroke_text(fz_context *ctx, fz_device *dev, const fz_text *text,
                   const fz_stroke_state *stroke, fz_matrix ctm, fz_colorspace *cs,
                   const float *color, float alpha, fz_color_params params)
{
    (void)stroke;
    if (is_repeated(ctx, builder_of(dev), text, PARSE_RUN_STROKED)) return;
    add_text(ctx, dev, text, ctm, parse_color(ctx, cs, color, alpha, params), PARSE_RUN_STROKED);
}

/* Something is painted. TRUE: through a text clip, so what is painted is text; MuPDF draws text filled with
 * a pattern or shading that way. */
static gboolean
paints_text(parse_builder *builder, uint32_t color)
{
    if (builder->text_clip_depth == 0 || builder->mask_depth > 0) return FALSE;
    GArray *runs = builder->storage->runs;
    for (guint i = builder->text_clip_first;
         !builder->text_clip_painted && i < builder->text_clip_end; i++) {
        parse_run *run = &g_array_index(runs, parse_run, i);
        run->flags &= ~(guint)PARSE_RUN_CLIPPED;
        run->color = color;
    }
    builder->text_clip_painted = TRUE;
    return TRUE;
}

/* soft: something else than an upright rectangle. */
static void
clip_begin(fz_device *dev, gboolean soft)
{
    parse_builder *builder = builder_of(dev);
    builder->clip_depth++;
    if (soft && builder->soft_clip_depth == 0) builder->soft_clip_depth = builder->clip_depth;
}

static void
device_clip_text(fz_context *ctx, fz_device *dev, const fz_text *text, fz_matrix ctm,
                 fz_rect scissor)
{
    (void)scissor;
    parse_builder *builder = builder_of(dev);
    clip_begin(dev, TRUE);
    if (is_repeated(ctx, builder, text, 0)) return;
    guint first = builder->storage->runs->len;
    builder->run_open = FALSE;
    add_text(ctx, dev, text, ctm, 0xff000000u, PARSE_RUN_CLIPPED);
    builder->run_open = FALSE;
    /* several strings may make up one clip; a clip within that clip adds to it */
    if (builder->text_clip_depth == 0) {
        builder->text_clip_depth = builder->clip_depth;
        builder->text_clip_first = first;
    }
    builder->text_clip_painted = FALSE;
    builder->text_clip_end = builder->storage->runs->len;
}

static void
device_clip_path(fz_context *ctx, fz_device *dev, const fz_path *path, int even_odd, fz_matrix ctm,
                 fz_rect scissor)
{
    (void)even_odd, (void)scissor;
    clip_begin(dev, !parse_path_is_box(ctx, path, ctm));
}

static void
device_clip_stroke_path(fz_context *ctx, fz_device *dev, const fz_path *path,
                        const fz_stroke_state *stroke, fz_matrix ctm, fz_rect scissor)
{
    (void)ctx, (void)path, (void)stroke, (void)ctm, (void)scissor;
    clip_begin(dev, TRUE);
}

static void
device_clip_image_mask(fz_context *ctx, fz_device *dev, fz_image *image, fz_matrix ctm,
                       fz_rect scissor)
{
    (void)ctx, (void)image, (void)ctm, (void)scissor;
    clip_begin(dev, TRUE);
}

static void
device_pop_clip(fz_context *ctx, fz_device *dev)
{
    (void)ctx;
    parse_builder *builder = builder_of(dev);
    if (builder->clip_depth > 0) builder->clip_depth--;
    if (builder->clip_depth < builder->text_clip_depth) builder->text_clip_depth = 0;
    if (builder->clip_depth < builder->soft_clip_depth) builder->soft_clip_depth = 0;
}

static void
device_clip_stroke_text(fz_context *ctx, fz_device *dev, const fz_text *text,
                        const fz_stroke_state *stroke, fz_matrix ctm, fz_rect scissor)
{
    (void)stroke;
    device_clip_text(ctx, dev, text, ctm, scissor);
}

static void
device_ignore_text(fz_context *ctx, fz_device *dev, const fz_text *text, fz_matrix ctm)
{
    dev->flags &= ~IN_TYPE3_GLYPH;
    if (is_repeated(ctx, builder_of(dev), text, 0)) return;
    /* a Type 3 glyph that cannot be cached has just been drawn by its own operators */
    const fz_text_span *span = text->head;
    gboolean drawn = span && span->len > 0 && fz_font_t3_procs(ctx, span->font) &&
                     span->items[0].gid >= 0 && span->items[0].gid < 256 &&
                     !fz_glyph_cacheable(ctx, span->font, span->items[0].gid);
    add_text(ctx, dev, text, ctm, 0xff000000u, drawn ? 0 : PARSE_RUN_HIDDEN);
}

static void
device_fill_path(fz_context *ctx, fz_device *dev, const fz_path *path, int even_odd, fz_matrix ctm,
                 fz_colorspace *cs, const float *color, float alpha, fz_color_params params)
{
    (void)even_odd;
    parse_builder *builder = builder_of(dev);
    if (is_skipped(dev, builder) || dev->flags & IN_TYPE3_GLYPH) return;
    fz_rect clip = visible_box(dev, builder);
    uint32_t argb = parse_color(ctx, cs, color, alpha, params);
    if (paints_text(builder, argb)) return;
    parse_builder_fill_path(ctx, builder, path, ctm, clip, argb);
}

static void
device_stroke_path(fz_context *ctx, fz_device *dev, const fz_path *path,
                   const fz_stroke_state *stroke, fz_matrix ctm, fz_colorspace *cs,
                   const float *color, float alpha, fz_color_params params)
{
    parse_builder *builder = builder_of(dev);
    if (is_skipped(dev, builder) || dev->flags & IN_TYPE3_GLYPH) return;
    fz_rect clip = visible_box(dev, builder);
    parse_builder_stroke_path(ctx, builder, path, stroke, ctm, clip,
                              parse_color(ctx, cs, color, alpha, params));
}

static void
device_fill_shade(fz_context *ctx, fz_device *dev, fz_shade *shade, fz_matrix ctm, float alpha,
                  fz_color_params params)
{
    (void)params;
    parse_builder *builder = builder_of(dev);
    if (is_skipped(dev, builder) || dev->flags & IN_TYPE3_GLYPH) return;
    fz_rect clip = visible_box(dev, builder);
    uint32_t gray = parse_color(ctx, NULL, NULL, alpha, fz_default_color_params) | 0x808080u;
    if (paints_text(builder, gray)) return;
    parse_builder_add_region(ctx, builder, fz_bound_shade(ctx, shade, ctm), clip, gray);
}

static void
add_image(fz_device *dev, const fz_image *image, fz_matrix ctm, float alpha, gboolean mask)
{
    parse_builder *builder = builder_of(dev);
    /* unlike text, images are kept in tiles */
    if (is_skipped(dev, builder) && builder->mask_depth > 0) return;
    if (dev->flags & IN_TYPE3_GLYPH) return;
    GArray *images = builder->storage->images;
    if (paints_text(builder, 0xff808080u)) return;
    fz_rect clip = visible_box(dev, builder);
    fz_rect box = fz_intersect_rect(fz_transform_rect(fz_unit_rect, ctm), clip);
    builder->run_open = FALSE;
    if (!fz_is_valid_rect(box) || !(box.x1 > box.x0 && box.y1 > box.y0)) return;
    if (images->len >= builder->file->options.max_paths) {
        parse_builder_stop(builder);
        return;
    }
    parse_image added = {
        .box = {box.x0, box.y0, box.x1, box.y1},
        .width_px = (guint)MAX(image->w, 0),
        .height_px = (guint)MAX(image->h, 0),
        .mask = mask,
        .index = images->len,
        .opaque = !mask && !image->mask && !image->use_colorkey && alpha >= 1 &&
                  ((ctm.b == 0 && ctm.c == 0) || (ctm.a == 0 && ctm.d == 0)) &&
                  parse_builder_is_opaque(builder, 0xff000000u),
    };
    added.paint = ++builder->paint;
    g_array_append_val(images, added);
}

static void
device_fill_image(fz_context *ctx, fz_device *dev, fz_image *image, fz_matrix ctm, float alpha,
                  fz_color_params params)
{
    (void)ctx, (void)params;
    add_image(dev, image, ctm, alpha, FALSE);
}

static void
device_fill_image_mask(fz_context *ctx, fz_device *dev, fz_image *image, fz_matrix ctm,
                       fz_colorspace *cs, const float *color, float alpha, fz_color_params params)
{
    parse_builder *builder = builder_of(dev);
    const gboolean upright = ctm.b == 0 && ctm.c == 0;
    if (image->w != 1 || image->h != 1 || !upright || is_skipped(dev, builder) ||
        dev->flags & IN_TYPE3_GLYPH || builder->text_clip_depth > 0) {
        add_image(dev, image, ctm, alpha, TRUE);
        return;
    }
    /* one pixel, stretched: how dvips draws rules */
    fz_path *path = fz_new_path(ctx);
    fz_try(ctx)
    {
        fz_rectto(ctx, path, 0, 0, 1, 1);
        parse_builder_fill_path(ctx, builder, path, ctm, visible_box(dev, builder),
                                parse_color(ctx, cs, color, alpha, params));
    }
    fz_always(ctx) fz_drop_path(ctx, path);
    fz_catch(ctx) fz_rethrow(ctx);
}

static void
device_begin_mask(fz_context *ctx, fz_device *dev, fz_rect area, int luminosity, fz_colorspace *cs,
                  const float *color, fz_color_params params)
{
    (void)ctx, (void)area, (void)luminosity, (void)cs, (void)color, (void)params;
    parse_builder *builder = builder_of(dev);
    if (builder->mask_depth++ == 0) builder->mask_level = dev->container_len;
}

static void
device_end_mask(fz_context *ctx, fz_device *dev)
{
    (void)ctx;
    parse_builder *builder = builder_of(dev);
    if (builder->mask_depth > 0)
        builder->mask_depth--; /* what it masks is a clip now, ended by pop_clip */
    clip_begin(dev, TRUE);
}

static void
device_begin_group(fz_context *ctx, fz_device *dev, fz_rect area, fz_colorspace *cs, int isolated,
                   int knockout, int blendmode, float alpha)
{
    (void)ctx, (void)area, (void)cs, (void)isolated, (void)knockout;
    parse_builder *builder = builder_of(dev);
    builder->group_depth++;
    gboolean soft = blendmode != FZ_BLEND_NORMAL || alpha < 1;
    if (soft && builder->soft_group_depth == 0) builder->soft_group_depth = builder->group_depth;
}

static void
device_end_group(fz_context *ctx, fz_device *dev)
{
    (void)ctx;
    parse_builder *builder = builder_of(dev);
    if (builder->group_depth > 0) builder->group_depth--;
    if (builder->group_depth < builder->soft_group_depth) builder->soft_group_depth = 0;
}

static int
device_begin_tile(fz_context *ctx, fz_device *dev, fz_rect area, fz_rect view, float xstep,
                  float ystep, fz_matrix ctm, int id)
{
    (void)view, (void)xstep, (void)ystep, (void)id;
    parse_builder *builder = builder_of(dev);
    gboolean skipped = is_skipped(dev, builder);
    if (builder->tile_depth++ == 0) builder->tile_level = dev->container_len;
    if (!skipped && !paints_text(builder, 0xff808080u))
        parse_builder_add_region(ctx, builder, fz_transform_rect(area, ctm),
                                 visible_box(dev, builder), 0xff808080u);
    return 0;
}

static void
device_end_tile(fz_context *ctx, fz_device *dev)
{
    (void)ctx;
    parse_builder *builder = builder_of(dev);
    if (builder->tile_depth > 0) builder->tile_depth--;
}

static void
device_drop(fz_context *ctx, fz_device *dev)
{
    parse_builder *builder = builder_of(dev);
    fz_drop_text(ctx, builder->last_text);
    fz_drop_path(ctx, builder->last_path);
    builder->last_text = NULL;
    builder->last_path = NULL;
}

fz_device *
parse_device_new(fz_context *ctx, parse_builder *builder)
{
    parse_device *dev = fz_new_derived_device(ctx, parse_device);
    dev->builder = builder;
    dev->super.drop_device = device_drop;
    dev->super.fill_text = device_fill_text;
    dev->super.stroke_text = device_stroke_text;
    dev->super.clip_path = device_clip_path;
    dev->super.clip_stroke_path = device_clip_stroke_path;
    dev->super.clip_image_mask = device_clip_image_mask;
    dev->super.pop_clip = device_pop_clip;
    dev->super.clip_text = device_clip_text;
    dev->super.clip_stroke_text = device_clip_stroke_text;
    dev->super.ignore_text = device_ignore_text;
    dev->super.fill_path = device_fill_path;
    dev->super.stroke_path = device_stroke_path;
    dev->super.fill_shade = device_fill_shade;
    dev->super.fill_image = device_fill_image;
    dev->super.fill_image_mask = device_fill_image_mask;
    dev->super.begin_mask = device_begin_mask;
    dev->super.end_mask = device_end_mask;
    dev->super.begin_group = device_begin_group;
    dev->super.end_group = device_end_group;
    dev->super.begin_tile = device_begin_tile;
    dev->super.end_tile = device_end_tile;
    return &dev->super;
}
