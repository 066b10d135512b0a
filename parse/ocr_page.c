/* What was recognised, as primitives of a page.
 *
 * Pixels of the upright, straight image become points of the page as it lies in the file, which may be turned
 * against it: the runs then have that direction, as text drawn sideways has. */
#include "parse/ocr_internal.h"

#include <math.h>

#define ASCENDER       0.75F
#define DESCENDER      (-0.25F)
#define NOISE          0.05F /* confidence of a word below which a short one is a speck */
#define NOISE_SYMBOLS  3
#define SCRIPT_RISE_EM 0.2F  /* of the lower edge above the baseline */
#define SCRIPT_HIGH_EM 0.55F /* a raised figure is no higher */
#define SCRIPT_SIZE    0.7F
#define JOINED_EM      0.6F /* between Chinese characters, which fill most of an em */

enum { FONT_REGULAR, FONT_BOLD, N_FONTS };

parse_page *
parse_page_copy(const parse_page *page, gboolean with_content)
{
    parse_page *copy = parse_page_new(page->index);
    parse_storage *storage = copy->storage;
    copy->width_pt = page->width_pt;
    copy->height_pt = page->height_pt;
    copy->rotation = page->rotation;
    if (page->label) copy->label = parse_string(storage->strings, page->label);
    for (guint i = 0; i < page->n_links; i++) {
        parse_link link = page->links[i];
        link.uri = parse_string(storage->strings, link.uri);
        link.dest = parse_string(storage->strings, link.dest);
        g_array_append_val(storage->links, link);
    }
    if (!with_content) return copy;
    for (guint i = 0; i < page->n_fonts; i++) {
        parse_font font = page->fonts[i];
        font.name = parse_string(storage->strings, font.name);
        g_array_append_val(storage->fonts, font);
    }
    if (page->n_glyphs) g_array_append_vals(storage->glyphs, page->glyphs, page->n_glyphs);
    if (page->n_runs) g_array_append_vals(storage->runs, page->runs, page->n_runs);
    if (page->n_paths) g_array_append_vals(storage->paths, page->paths, page->n_paths);
    if (page->n_images) g_array_append_vals(storage->images, page->images, page->n_images);
    copy->n_masked = page->n_masked;
    copy->n_unplaced = page->n_unplaced;
    copy->n_unmapped = page->n_unmapped;
    copy->truncated = page->truncated;
    return copy;
}

void
parse_unskew(float width_pt, float height_pt, float skew, float *x, float *y)
{
    const float cx = 0.5F * width_pt, cy = 0.5F * height_pt;
    const float c = cosf(skew), s = sinf(skew), u = *x - cx, v = *y - cy;
    *x = cx + u * c + v * s;
    *y = cy - u * s + v * c;
}

/* ---- pixels -> points ---- */

typedef struct {
    const parse_ocr_image *image;
    parse_storage *storage;
    float scale; /* points per pixel */
    float page_width, page_height;
    guint first_font, paint;
} placing;

/* A point of the upright image -> the page. The image was turned clockwise. */
static fz_point
place_point(const placing *p, float u, float v)
{
    const float x = u * p->scale, y = v * p->scale;
    switch (p->image->turn) {
    case 1:
        return (fz_point){y, p->page_height - x};
    case 2:
        return (fz_point){p->page_width - x, p->page_height - y};
    case 3:
        return (fz_point){p->page_width - y, x};
    default:
        return (fz_point){x + p->image->x0, y + p->image->y0};
    }
}

static parse_rect
place_rect(const placing *p, float u0, float v0, float u1, float v1)
{
    const fz_point a = place_point(p, u0, v0), b = place_point(p, u1, v1);
    return (parse_rect){MIN(a.x, b.x), MIN(a.y, b.y), MAX(a.x, b.x), MAX(a.y, b.y)};
}

static void
rect_include(parse_rect *box, parse_rect more)
{
    box->x0 = MIN(box->x0, more.x0);
    box->y0 = MIN(box->y0, more.y0);
    box->x1 = MAX(box->x1, more.x1);
    box->y1 = MAX(box->y1, more.y1);
}

/* ---- text ---- */

/* How characters are set: on the line, or raised. */
typedef struct {
    float baseline, em; /* pixels */
} setting;

static gboolean
is_raised(const parse_ocr_line *line, float baseline, const parse_ocr_symbol *symbol)
{
    const float rise = baseline - (float)symbol->y1;
    const float height = (float)(symbol->y1 - symbol->y0);
    return (g_unichar_isdigit(symbol->unicode) || symbol->unicode == '*' ||
            symbol->unicode == ',') &&
           rise > SCRIPT_RISE_EM * line->em && height < SCRIPT_HIGH_EM * line->em;
}

/* The symbols [from, end) of a word are raised figures, as the mark of a note or a reference is; nothing but closing
 * marks follows them. */
static void
raised_find(const parse_ocr_text *text, const parse_ocr_word *word, guint *from, guint *end)
{
    const parse_ocr_line *line = &g_array_index(text->lines, parse_ocr_line, word->line);
    const parse_ocr_symbol *symbols =
        &g_array_index(text->symbols, parse_ocr_symbol, word->first_symbol);
    *end = word->n_symbols;
    while (*end > 1 && parse_ocr_closes(symbols[*end - 1].unicode) &&
           !is_raised(line, word->baseline, &symbols[*end - 1]))
        (*end)--;
    *from = *end;
    while (*from > 0 && is_raised(line, word->baseline, &symbols[*from - 1]))
        (*from)--;
}

static void
run_start(placing *p, const parse_ocr_word *word, const setting *s)
{
    static const float direction[4][2] = {{1, 0}, {0, -1}, {-1, 0}, {0, 1}};
    guint flags = PARSE_RUN_OCR;
    if (word->confidence < PARSE_OCR_DOUBTFUL) flags |= PARSE_RUN_DOUBTFUL;
    parse_run run = {.font = p->first_font + (word->bold ? FONT_BOLD : FONT_REGULAR),
                     .size_pt = s->em * p->scale,
                     .dir_x = direction[p->image->turn][0],
                     .dir_y = direction[p->image->turn][1],
                     .color = 0xFF000000,
                     .flags = flags,
                     .mcid = -1,
                     .first_glyph = p->storage->glyphs->len,
                     .paint = p->paint,
                     .box = {INFINITY, INFINITY, -INFINITY, -INFINITY}};
    g_array_append_val(p->storage->runs, run);
}

/* x1: where the character ends and the next one begins. */
static void
glyph_add(placing *p, uint32_t unicode, float x0, float x1, const setting *s)
{
    const fz_point origin = place_point(p, x0, s->baseline);
    parse_glyph glyph = {.unicode = unicode, .gid = -1, .x = origin.x, .y = origin.y};
    glyph.box = place_rect(p, x0, s->baseline - ASCENDER * s->em, MAX(x1, x0 + 1),
                           s->baseline - DESCENDER * s->em);
    g_array_append_val(p->storage->glyphs, glyph);
    parse_run *run = &g_array_index(p->storage->runs, parse_run, p->storage->runs->len - 1);
    run->n_glyphs++;
    rect_include(&run->box, glyph.box);
}

/* Of the scripts that have no blanks between words: Han, kana and their marks. */
static gboolean
is_unspaced(uint32_t ch)
{
    return (ch >= 0x2E80 && ch < 0xA000) || (ch >= 0xF900 && ch < 0xFB00) ||
           (ch >= 0xFE30 && ch < 0xFE50) || (ch >= 0xFF00 && ch < 0xFF66) ||
           (ch >= 0x20000 && ch < 0x32000);
}

/* Does the next word go on without a blank? Tesseract parts Chinese into words, or what it takes for such. */
static gboolean
is_joined(const parse_ocr_text *text, const parse_ocr_word *word)
{
    const parse_ocr_word *next = word + 1;
    const parse_ocr_line *line = &g_array_index(text->lines, parse_ocr_line, word->line);
    if (word + 1 >= (const parse_ocr_word *)(gpointer)text->words->data + text->words->len ||
        next->line != word->line || word->n_symbols == 0 || next->n_symbols == 0)
        return FALSE;
    const parse_ocr_symbol *last =
        &g_array_index(text->symbols, parse_ocr_symbol, word->first_symbol + word->n_symbols - 1);
    const parse_ocr_symbol *first =
        &g_array_index(text->symbols, parse_ocr_symbol, next->first_symbol);
    const float em = MAX(line->em, (float)(last->x1 - last->x0));
    return is_unspaced(last->unicode) && is_unspaced(first->unicode) && first->x0 > last->x0 &&
           (float)(first->x0 - last->x1) < JOINED_EM * em;
}

static void
word_add(placing *p, const parse_ocr_text *text, const parse_ocr_word *word)
{
    const parse_ocr_line *line = &g_array_index(text->lines, parse_ocr_line, word->line);
    guint from, end;
    raised_find(text, word, &from, &end);
    /* of the first: a comma between raised figures hangs below them */
    const float foot =
        from < end
            ? (float)g_array_index(text->symbols, parse_ocr_symbol, word->first_symbol + from).y1
            : 0;
    for (guint i = 0; i < word->n_symbols; i++) {
        const parse_ocr_symbol *symbol =
            &g_array_index(text->symbols, parse_ocr_symbol, word->first_symbol + i);
        const gboolean raised = i >= from && i < end;
        const setting s = {raised ? foot : word->baseline,
                           raised ? SCRIPT_SIZE * line->em : line->em};
        if (i == 0 || (from < end && (i == from || i == end))) run_start(p, word, &s);
        const parse_ocr_symbol *next =
            i + 1 < word->n_symbols ? symbol + 1
            : is_joined(text, word)
                ? &g_array_index(text->symbols, parse_ocr_symbol, word[1].first_symbol)
                : NULL;
        const float x1 = (float)(next != NULL ? MAX(next->x0, symbol->x0 + 1) : symbol->x1);
        glyph_add(p, symbol->unicode, (float)symbol->x0, x1, &s);
    }
}

/* The gap to the next word of the line, as a character of this word's run. */
static void
space_add(placing *p, const parse_ocr_text *text, const parse_ocr_word *word)
{
    const parse_ocr_line *line = &g_array_index(text->lines, parse_ocr_line, word->line);
    const setting s = {word->baseline, line->em};
    const float x1 = MIN((float)word[1].x0, (float)word->x1 + line->em);
    glyph_add(p, ' ', (float)word->x1, x1, &s);
}

static void
fonts_add(placing *p)
{
    static const struct {
        const char *name;
        guint flags;
    } fonts[N_FONTS] = {{"OCR", PARSE_FONT_SERIF},
                        {"OCR-Bold", PARSE_FONT_SERIF | PARSE_FONT_BOLD}};
    p->first_font = p->storage->fonts->len;
    for (guint i = 0; i < N_FONTS; i++) {
        const parse_font font = {.name = fonts[i].name,
                                 .flags = fonts[i].flags,
                                 .ascender = ASCENDER,
                                 .descender = DESCENDER};
        g_array_append_val(p->storage->fonts, font);
    }
}

/* ---- drawings ---- */

static void
path_add(placing *p, parse_path path)
{
    path.box = place_rect(p, path.box.x0, path.box.y0, path.box.x1, path.box.y1);
    path.paint = p->paint;
    if (p->image->turn % 2 == 1)
        path.kind = path.kind == PARSE_PATH_RULE_H ? PARSE_PATH_RULE_V : PARSE_PATH_RULE_H;
    g_array_append_val(p->storage->paths, path);
}

static void
picture_add(placing *p, parse_rect box)
{
    parse_image image = {.box = place_rect(p, box.x0, box.y0, box.x1, box.y1),
                         .width_px = (guint)MAX(box.x1 - box.x0, 1),
                         .height_px = (guint)MAX(box.y1 - box.y0, 1),
                         .paint = p->paint,
                         .index = p->storage->images->len};
    g_array_append_val(p->storage->images, image);
}

static gboolean
holds(parse_rect box, float x, float y)
{
    return x >= box.x0 && x <= box.x1 && y >= box.y0 && y <= box.y1;
}

/* Is this rule a part of a picture? */
static gboolean
in_picture(const parse_ocr_text *text, parse_rect box)
{
    for (guint i = 0; i < text->pictures->len; i++)
        if (holds(g_array_index(text->pictures, parse_rect, i), 0.5F * (box.x0 + box.x1),
                  0.5F * (box.y0 + box.y1)))
            return TRUE;
    return FALSE;
}

void
parse_ocr_page_add(parse_page *page, const parse_ocr_image *image, const parse_ocr_text *text)
{
    placing p = {.image = image,
                 .storage = page->storage,
                 .scale = (float)(72 / image->dpi),
                 .page_width = page->width_pt,
                 .page_height = page->height_pt};
    for (guint i = 0; i < p.storage->paths->len; i++)
        p.paint = MAX(p.paint, g_array_index(p.storage->paths, parse_path, i).paint + 1);
    for (guint i = 0; i < p.storage->images->len; i++)
        p.paint = MAX(p.paint, g_array_index(p.storage->images, parse_image, i).paint + 1);
    page->skew = image->skew;
    fonts_add(&p);
    for (guint i = 0; i < text->words->len; i++) {
        const parse_ocr_word *word = &g_array_index(text->words, parse_ocr_word, i);
        if (word->confidence < NOISE && word->n_symbols <= NOISE_SYMBOLS) continue;
        word_add(&p, text, word);
        if (i + 1 < text->words->len && word[1].line == word->line && word[1].x0 > word->x1 &&
            !is_joined(text, word))
            space_add(&p, text, word);
    }
    for (guint i = 0; i < text->rules->len; i++) {
        const parse_path *path = &g_array_index(text->rules, parse_path, i);
        if (!in_picture(text, path->box)) path_add(&p, *path);
    }
    for (guint i = 0; i < text->pictures->len; i++)
        picture_add(&p, g_array_index(text->pictures, parse_rect, i));
}
