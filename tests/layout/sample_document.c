#include "sample_document.h"

#include <string.h>

layout_builder *
sample_builder(int n_pages)
{
    layout_builder *builder = layout_builder_new();
    for (int i = 0; i < n_pages; i++) {
        layout_page page = {.width_pt = 600, .height_pt = 800, .source = LAYOUT_TEXT_NATIVE};
        layout_builder_add_page(builder, &page);
    }
    return builder;
}

static layout_box
box_at(int page, float y)
{
    return (layout_box){page, {60, y, 540, y + 12.25f}};
}

static int
add_spans(layout_builder *builder, const layout_block *template, int page, float y,
          const layout_span *spans, guint n_spans)
{
    const layout_box box = box_at(page, y);
    const layout_line line = {0, (uint32_t)strlen(template->text), box};
    layout_block block = *template;
    block.font_size_pt = 10;
    block.confidence = 1;
    return layout_builder_add_block(builder, &block, &box, 1, spans, n_spans, &line, 1);
}

int
sample_add(layout_builder *builder, layout_block_type type, const char *text, int page, float y)
{
    const layout_block block = {.type = type, .text = text, .parent = LAYOUT_NONE};
    return add_spans(builder, &block, page, y, NULL, 0);
}

layout_span
sample_span(const char *text, const char *part, guint flags, const char *target)
{
    const char *at = strstr(text, part);
    g_assert(at);
    return (layout_span){(uint32_t)(at - text), (uint32_t)strlen(part), flags, target};
}

char *
sample_markdown(layout_block_type type, const char *text, const layout_span *spans, guint n_spans)
{
    layout_builder *builder = sample_builder(1);
    const layout_block block = {.type = type, .text = text, .parent = LAYOUT_NONE};
    add_spans(builder, &block, 0, 50, spans, n_spans);
    g_autoptr(lode_document) document = layout_builder_finish(builder);
    return g_strchomp(layout_document_to_markdown(document, NULL));
}

static void
add_lists(layout_builder *b)
{
    static const struct {
        int level;
        const char *marker, *text;
    } items[] = {
        {1, "•", "first"}, {1, "•", "second"}, {2, "1.", "one"},
        {2, "2.", "two"},  {3, "(a)", "deep"}, {1, "•", "third"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(items); i++) {
        const layout_block item = {.type = LAYOUT_BLOCK_LIST_ITEM,
                                   .level = items[i].level,
                                   .marker = items[i].marker,
                                   .text = items[i].text,
                                   .parent = LAYOUT_NONE};
        add_spans(b, &item, 0, 300 + 14 * (float)i, NULL, 0);
    }
}

static layout_cell
make_cell(guint row, guint col, guint row_span, guint col_span, const char *text)
{
    return (layout_cell){.row = row,
                         .col = col,
                         .row_span = row_span,
                         .col_span = col_span,
                         .header = row == 0,
                         .text = text,
                         .box = box_at(1, 200 + 12 * (float)row)};
}

static void
add_tables(layout_builder *b)
{
    const int caption = sample_add(b, LAYOUT_BLOCK_CAPTION, "Table 1: Plain & simple.", 1, 180);
    const int plain = sample_add(b, LAYOUT_BLOCK_TABLE, "", 1, 200);
    layout_builder_block(b, caption)->parent = plain;
    const layout_cell cells[] = {make_cell(0, 0, 1, 1, "Foam"), make_cell(0, 1, 1, 1, "X"),
                                 make_cell(1, 0, 1, 1, "RC-4"), make_cell(1, 1, 1, 1, "87.3")};
    const layout_table table = {
        .block = plain, .caption = caption, .n_rows = 2, .n_cols = 2, .n_header_rows = 1};
    layout_builder_add_table(b, &table, cells, 4);

    const int merged = sample_add(b, LAYOUT_BLOCK_TABLE, "", 1, 260);
    const layout_cell spanning[] = {make_cell(0, 0, 2, 1, "a<b"), make_cell(0, 1, 1, 2, "\"wide\""),
                                    make_cell(1, 1, 1, 1, "c"), make_cell(1, 2, 1, 1, "d\ne")};
    const layout_table second = {.block = merged,
                                 .caption = LAYOUT_NONE,
                                 .n_rows = 2,
                                 .n_cols = 3,
                                 .n_header_rows = 1,
                                 .image = "page-2-table-1.png"};
    layout_builder_add_table(b, &second, spanning, 4);
}

static void
add_figure_and_formulas(layout_builder *b)
{
    const int figure = sample_add(b, LAYOUT_BLOCK_FIGURE, "", 1, 300);
    const int caption = sample_add(b, LAYOUT_BLOCK_CAPTION, "Figure 1: A curve.", 1, 420);
    layout_builder_block(b, caption)->parent = figure;
    const layout_figure f = {.block = figure,
                             .caption = caption,
                             .box = {1, {100, 300, 500, 418.5f}},
                             .vector = TRUE,
                             .label = "Figure 1",
                             .inner_text = "0 50 100",
                             .image = "page-2-figure-1.png",
                             .svg = "page-2-figure-1.svg"};
    const layout_panel panels[] = {{{1, {100, 300, 290, 418.5f}}, "a"},
                                   {{1, {310, 300, 500, 418.5f}}, NULL}};
    layout_builder_add_figure(b, &f, panels, 2);

    const int known = sample_add(b, LAYOUT_BLOCK_FORMULA, "E = mc2", 1, 450);
    const layout_formula with = {
        .block = known, .latex = "E = mc^2", .number = "1", .confidence = 0.875f};
    layout_builder_add_formula(b, &with);
    const int unknown = sample_add(b, LAYOUT_BLOCK_FORMULA, "∑ a * b", 1, 470);
    const layout_formula without = {.block = unknown, .confidence = 0.25f};
    layout_builder_add_formula(b, &without);
}

static void
add_notes_and_references(layout_builder *b, int caller)
{
    const char *text = "1 Bought in a shop.";
    const layout_span mark = {0, 1, LAYOUT_SPAN_SUPERSCRIPT, NULL};
    const layout_block note = {.type = LAYOUT_BLOCK_FOOTNOTE, .text = text, .parent = caller};
    add_spans(b, &note, 0, 700, &mark, 1);
    sample_add(b, LAYOUT_BLOCK_FOOTNOTE, "* Nobody calls this one.", 0, 715);

    const layout_block heading = {
        .type = LAYOUT_BLOCK_HEADING, .level = 1, .text = "References", .parent = LAYOUT_NONE};
    add_spans(b, &heading, 1, 500, NULL, 0);
    const layout_block entry = {.type = LAYOUT_BLOCK_REFERENCE,
                                .text = "A. Writer. A title. 2020.",
                                .marker = "[1]",
                                .parent = LAYOUT_NONE};
    const int block = add_spans(b, &entry, 1, 520, NULL, 0);
    const layout_reference reference = {.block = block,
                                        .key = "1",
                                        .authors = "A. Writer",
                                        .title = "A title",
                                        .kind = LAYOUT_REFERENCE_ARTICLE,
                                        .et_al = TRUE,
                                        .venue = "Annals of #1 & Co_",
                                        .volume = "7",
                                        .issue = "2",
                                        .pages = "3-14",
                                        .year = "2020",
                                        .doi = "10.5555/x\"y",
                                        .url = "https://example.org/\\"};
    const layout_name names[] = {{"Writer", "A."}, {"The {Guild} & Co", NULL}};
    layout_builder_add_reference(b, &reference, names, G_N_ELEMENTS(names));
    const layout_citation citation = {.block = caller, .start = 0, .len = 1, .reference = 0};
    layout_builder_add_citation(b, &citation);
    const layout_block next = {.type = LAYOUT_BLOCK_REFERENCE,
                               .text = "B. Writer. Another. 2021.",
                               .marker = "[2]",
                               .parent = LAYOUT_NONE};
    add_spans(b, &next, 1, 535, NULL, 0);
}

lode_document *
sample_document(void)
{
    layout_builder *b = sample_builder(2);
    layout_metadata *meta = layout_builder_meta(b);
    meta->source_name = layout_builder_copy(b, "sample.pdf", -1);
    meta->source_sha256 = layout_builder_copy(b, "00ff", -1);
    meta->format = layout_builder_copy(b, "PDF 1.5", -1);
    meta->title = layout_builder_copy(b, "A Título", -1);
    meta->year = layout_builder_copy(b, "2020", -1);
    const char *const authors[] = {"Ann Writer", "Bo \"B\" Reader"};
    layout_builder_set_authors(b, authors, 2);

    sample_add(b, LAYOUT_BLOCK_TITLE, "A Título", 0, 50);
    sample_add(b, LAYOUT_BLOCK_AUTHOR, "Ann Writer and Bo Reader", 0, 80);
    sample_add(b, LAYOUT_BLOCK_ABSTRACT, "Abstract—We did things.", 0, 100);
    const layout_block heading = {
        .type = LAYOUT_BLOCK_HEADING, .level = 1, .text = "1 Introduction", .parent = LAYOUT_NONE};
    add_spans(b, &heading, 0, 150, NULL, 0);

    const char *text = "We bought1 a very good foam at 10−3 and E = m c2, see the site.";
    layout_span spans[] = {
        sample_span(text, "1", LAYOUT_SPAN_SUPERSCRIPT, NULL),
        sample_span(text, "very", LAYOUT_SPAN_BOLD, NULL),
        sample_span(text, "good", LAYOUT_SPAN_BOLD, NULL),
        sample_span(text, "−3", LAYOUT_SPAN_SUPERSCRIPT, NULL),
        sample_span(text, "E = m c2", LAYOUT_SPAN_MATH, "E = mc^2"),
        sample_span(text, "the site", LAYOUT_SPAN_LINK, "https://example.org/a_b")};
    const layout_block paragraph = {
        .type = LAYOUT_BLOCK_PARAGRAPH, .text = text, .parent = LAYOUT_NONE};
    const int caller = add_spans(b, &paragraph, 0, 170, spans, G_N_ELEMENTS(spans));
    add_lists(b);
    sample_add(b, LAYOUT_BLOCK_CODE, "if (a) {\n    b(\"```\");\n}", 0, 500);
    add_notes_and_references(b, caller);
    add_tables(b);
    add_figure_and_formulas(b);
    sample_add(b, LAYOUT_BLOCK_HEADER, "Running header", 1, 20);
    sample_add(b, LAYOUT_BLOCK_PAGE_NUMBER, "2", 1, 780);
    const layout_discard discard = {.reason = LAYOUT_DISCARD_OFF_PAGE,
                                    .box = {1, {-40, 60, -4, 72}},
                                    .n_glyphs = 4,
                                    .text = "crop"};
    layout_builder_add_discard(b, &discard);
    layout_builder_page(b, 1)->ledger = (layout_ledger){
        .n_glyphs = 40, .n_text = 30, .n_table = 2, .n_figure = 1, .n_furniture = 1};
    layout_builder_page(b, 1)->ledger.n_discarded[LAYOUT_DISCARD_SPACE] = 2;
    layout_builder_page(b, 1)->ledger.n_discarded[LAYOUT_DISCARD_OFF_PAGE] = 4;
    layout_builder_add_warning(b, 1, "a font has no Unicode map");
    layout_builder_add_warning(b, LAYOUT_NONE, "repaired");
    return layout_builder_finish(b);
}
