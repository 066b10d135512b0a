#include "page_maker.h"

#include <string.h>

static const parse_font fonts[MAKER_N_FONTS] = {
    {"CMR10", 0, 0.75F, -0.25F},
    {"CMBX10", PARSE_FONT_BOLD, 0.75F, -0.25F},
    {"CMTI10", PARSE_FONT_ITALIC, 0.75F, -0.25F},
    {"CMMI10", 0, 0.75F, -0.25F},
    {"CMTT10", PARSE_FONT_MONO, 0.75F, -0.25F},
};

page_maker *
page_maker_new(float width_pt, float height_pt)
{
    page_maker *maker = g_new0(page_maker, 1);
    maker->page.width_pt = width_pt;
    maker->page.height_pt = height_pt;
    maker->glyphs = g_array_new(FALSE, TRUE, sizeof(parse_glyph));
    maker->runs = g_array_new(FALSE, TRUE, sizeof(parse_run));
    maker->paths = g_array_new(FALSE, TRUE, sizeof(parse_path));
    maker->images = g_array_new(FALSE, TRUE, sizeof(parse_image));
    return maker;
}

void
page_maker_free(page_maker *maker)
{
    if (maker == NULL) return;
    g_array_unref(maker->glyphs);
    g_array_unref(maker->runs);
    g_array_unref(maker->paths);
    g_array_unref(maker->images);
    g_free(maker);
}

float
page_maker_spaced(page_maker *maker, maker_font font, float size_pt, float x, float y,
                  const char *text, float extra_em)
{
    float start = x;
    parse_run run = {.font = font,
                     .size_pt = size_pt,
                     .dir_x = 1,
                     .color = 0xFF000000,
                     .mcid = -1,
                     .first_glyph = maker->glyphs->len};
    for (const char *at = text; *at != '\0'; at = g_utf8_next_char(at)) {
        gunichar ch = g_utf8_get_char(at);
        if (ch == ' ') {
            x += (0.3F + 2 * extra_em) * size_pt;
            continue;
        }
        parse_glyph glyph = {
            .unicode = ch,
            .gid = 1,
            .x = x,
            .y = y,
            .box = {x, y - 0.75F * size_pt, x + 0.5F * size_pt, y + 0.25F * size_pt}};
        g_array_append_val(maker->glyphs, glyph);
        x += (0.5F + extra_em) * size_pt;
    }
    run.n_glyphs = maker->glyphs->len - run.first_glyph;
    run.box = (parse_rect){start, y - 0.75F * size_pt, x, y + 0.25F * size_pt};
    g_array_append_val(maker->runs, run);
    return x;
}

float
page_maker_text(page_maker *maker, maker_font font, float size_pt, float x, float y,
                const char *text)
{
    return page_maker_spaced(maker, font, size_pt, x, y, text, 0);
}

void
page_maker_rule_h(page_maker *maker, float x0, float x1, float y)
{
    parse_path path = {.kind = PARSE_PATH_RULE_H,
                       .stroked = TRUE,
                       .width_pt = 0.5F,
                       .color = 0xFF000000,
                       .n_segments = 1,
                       .box = {x0, y - 0.25F, x1, y + 0.25F}};
    g_array_append_val(maker->paths, path);
}

void
page_maker_rule_v(page_maker *maker, float x, float y0, float y1)
{
    parse_path path = {.kind = PARSE_PATH_RULE_V,
                       .stroked = TRUE,
                       .width_pt = 0.5F,
                       .color = 0xFF000000,
                       .n_segments = 1,
                       .box = {x - 0.25F, y0, x + 0.25F, y1}};
    g_array_append_val(maker->paths, path);
}

void
page_maker_fill(page_maker *maker, float x0, float y0, float x1, float y1, uint32_t color)
{
    parse_path path = {
        .kind = PARSE_PATH_RECT, .color = color, .n_segments = 4, .box = {x0, y0, x1, y1}};
    g_array_append_val(maker->paths, path);
}

void
page_maker_image(page_maker *maker, float x0, float y0, float x1, float y1)
{
    parse_image image = {.box = {x0, y0, x1, y1}, .width_px = 100, .height_px = 100};
    g_array_append_val(maker->images, image);
}

const parse_page *
page_maker_page(page_maker *maker)
{
    parse_page *page = &maker->page;
    page->fonts = fonts;
    page->n_fonts = MAKER_N_FONTS;
    page->glyphs = (parse_glyph *)maker->glyphs->data;
    page->n_glyphs = maker->glyphs->len;
    page->runs = (parse_run *)maker->runs->data;
    page->n_runs = maker->runs->len;
    page->paths = (parse_path *)maker->paths->data;
    page->n_paths = maker->paths->len;
    page->images = (parse_image *)maker->images->data;
    page->n_images = maker->images->len;
    return page;
}

lode_document *
page_maker_document(page_maker **makers, guint n)
{
    g_autoptr(layout_work) work = layout_work_new();
    for (guint i = 0; i < n; i++) {
        makers[i]->page.index = (int)i;
        layout_sheet_take(work, page_maker_page(makers[i]));
        page_maker_free(makers[i]);
    }
    return layout_analyze(work, layout_builder_new(), NULL);
}

const layout_block *
document_find(const lode_document *document, layout_block_type type, const char *prefix)
{
    for (guint i = 0; i < document->n_blocks; i++)
        if (document->blocks[i].type == type && g_str_has_prefix(document->blocks[i].text, prefix))
            return &document->blocks[i];
    return NULL;
}
