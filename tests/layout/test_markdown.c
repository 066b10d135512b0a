/* The Markdown writer: what each block becomes, and that text stays text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "layout/document.h"
#include "sample_document.h"

#include <string.h>

static void
check_text(const char *text, const layout_span *spans, guint n_spans, const char *expected)
{
    g_autofree char *markdown = sample_markdown(LAYOUT_BLOCK_PARAGRAPH, text, spans, n_spans);
    assert_string_equal(markdown, expected);
}

static void
check_one_span(const char *text, const char *part, guint flags, const char *target,
               const char *expected)
{
    const layout_span span = sample_span(text, part, flags, target);
    check_text(text, &span, 1, expected);
}

static void
whole_document_comes_out_in_order(void **state)
{
    (void)state;
    g_autoptr(lode_document) document = sample_document();
    g_autofree char *markdown = layout_document_to_markdown(document, NULL);
    static const char expected[] =
        "# A Título\n\nAnn Writer and Bo Reader\n\n## Abstract\n\nWe did things.\n\n## 1 "
        "Introduction\n\n"
        "We bought[^1] a **very good** foam at 10⁻³ and $E = mc^2$, see "
        "[the site](https://example.org/a_b).\n\n"
        "- first\n- second\n  1. one\n  2. two\n     - (a) deep\n- third\n\n"
        "````\nif (a) {\n    b(\"```\");\n}\n````\n\n"
        "[^1]: Bought in a shop.\n\n\\* Nobody calls this one.\n\n"
        "## References\n\n[1] A. Writer. A title. 2020.\n\n[2] B. Writer. Another. 2021.\n\n"
        "Table 1: Plain & simple.\n\n| Foam | X |\n| --- | --- |\n| RC-4 | 87.3 |\n\n"
        "<table>\n<tr><th rowspan=\"2\">a&lt;b</th><th colspan=\"2\">&quot;wide&quot;</th></tr>\n"
        "<tr><td>c</td><td>d<br />e</td></tr>\n</table>\n\n"
        "![Figure 1](images/page-2-figure-1.png)\n\nFigure 1: A curve.\n\n"
        "$$E = mc^2 \\tag{1}$$\n\n∑ a * b\n";
    assert_string_equal(markdown, expected);
}

static void
furniture_and_page_breaks_come_when_asked_for(void **state)
{
    (void)state;
    g_autoptr(lode_document) document = sample_document();
    layout_write_options options = layout_write_options_default();
    options.page_breaks = options.furniture = TRUE;
    options.image_dir = "my pics";
    g_autofree char *markdown = layout_document_to_markdown(document, &options);
    assert_true(g_str_has_prefix(markdown, "<!-- page 1 -->\n\n# A T"));
    assert_non_null(strstr(markdown, "\n\n<!-- page 2 -->\n\n## References"));
    assert_null(strstr(strstr(markdown, "<!-- page 2 -->") + 1, "<!-- page"));
    assert_non_null(strstr(markdown, "\n\nRunning header\n"));
    assert_non_null(strstr(markdown, "![Figure 1](<my pics/page-2-figure-1.png>)"));
}

static void
emphasis_never_cuts_a_word(void **state)
{
    (void)state;
    check_one_span("the x-axis is long", "x", LAYOUT_SPAN_ITALIC, NULL, "the x-axis is long");
    check_one_span("the Method works", "Metho", LAYOUT_SPAN_BOLD, NULL, "the **Method** works");
    check_one_span("see (in vitro), then", "in vitro", LAYOUT_SPAN_ITALIC, NULL,
                   "see (*in vitro*), then");
    check_one_span("in Nature, 3", "Nature", LAYOUT_SPAN_ITALIC, NULL, "in *Nature*, 3");
    check_one_span("in Nature, 34(2), 3", "Nature, 34", LAYOUT_SPAN_ITALIC, NULL,
                   "in *Nature, 34*(2), 3");
    check_one_span("so: (very!) good", "(very!)", LAYOUT_SPAN_BOLD, NULL, "so: **(very!)** good");
    check_one_span("bold  and plain", "bold ", LAYOUT_SPAN_BOLD, NULL, "**bold** and plain");
}

static void
adjacent_spans_are_one_emphasis(void **state)
{
    (void)state;
    const char *text = "a big – deal and more";
    const layout_span spans[] = {
        sample_span(text, "big", LAYOUT_SPAN_BOLD, NULL),
        sample_span(text, "deal", LAYOUT_SPAN_BOLD, NULL),
        sample_span(text, "more", LAYOUT_SPAN_BOLD | LAYOUT_SPAN_ITALIC, NULL)};
    check_text(text, spans, 3, "a **big – deal** and ***more***");
}

static void
typeface_of_a_whole_paragraph_is_no_emphasis(void **state)
{
    (void)state;
    const char *text = "Let all of these many words of the theorem be set in italics and one plain";
    check_one_span(text, "Let all of these many words of the theorem be set in italics",
                   LAYOUT_SPAN_ITALIC, NULL, text);
}

static void
text_that_looks_like_markup_is_escaped(void **state)
{
    (void)state;
    check_text("a *b* c", NULL, 0, "a \\*b\\* c");
    check_text("say _so_ now", NULL, 0, "say \\_so\\_ now");
    check_text("use `ls` here", NULL, 0, "use \\`ls\\` here");
    check_text("from $5 to $6", NULL, 0, "from $5 to $6");
    check_text("from 5$ to 6$", NULL, 0, "from 5\\$ to 6\\$");
    check_text("an <em>x</em> tag", NULL, 0, "an \\<em>x\\</em> tag");
    check_text("AT&amp;T", NULL, 0, "AT\\&amp;T");
    check_text("[1](a)", NULL, 0, "[1\\](a)");
    check_text("~~gone~~", NULL, 0, "\\~\\~gone\\~\\~");
    check_text("C:\\_x \\alpha", NULL, 0, "C:\\\\_x \\alpha");
}

static void
harmless_signs_stay_as_they_are(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "2 * 3 * 4",
        "snake_case_name and other_name",
        "p* < 0.05",
        "a < b and c > d",
        "costs $5",
        "[12] and [3, 4]",
        "R&D and AT&T",
        "about ~3 and ~5",
        "https://e.org/a_b_c~d",
        "x | y",
        "#hashtag",
        "1.5 times",
    };
    for (guint i = 0; i < G_N_ELEMENTS(texts); i++)
        check_text(texts[i], NULL, 0, texts[i]);
}

static void
block_starts_are_escaped(void **state)
{
    (void)state;
    check_text("# of samples", NULL, 0, "\\# of samples");
    check_text("- minus", NULL, 0, "\\- minus");
    check_text("2020. A year", NULL, 0, "2020\\. A year");
    check_text("3) third", NULL, 0, "3\\) third");
    check_text("> 5 apples", NULL, 0, "\\> 5 apples");
    check_text("---", NULL, 0, "\\---");
    check_text("[x]: y", NULL, 0, "\\[x]: y");
    check_text("<b", NULL, 0, "\\<b");
}

static void
code_and_links_keep_their_content(void **state)
{
    (void)state;
    check_one_span("call f_x(*p) now", "f_x(*p)", LAYOUT_SPAN_MONO, NULL, "call `f_x(*p)` now");
    check_one_span("a `tick` b", "`tick`", LAYOUT_SPAN_MONO, NULL, "a `` `tick` `` b");
    check_one_span("at e.org now", "e.org", LAYOUT_SPAN_LINK, "https://e.org/(x)",
                   "at [e.org](<https://e.org/(x)>) now");
    check_one_span("at https://e.org/a_b now", "https://e.org/a_b", LAYOUT_SPAN_LINK,
                   "https://e.org/a_b", "at https://e.org/a_b now");
    check_one_span("at https: //e.org now", "https: //e.org", LAYOUT_SPAN_LINK, "https://e.org",
                   "at https://e.org now");
    check_one_span("under CC BY 4.0. And", "CC BY 4.0.", LAYOUT_SPAN_LINK, "http://e.org",
                   "under [CC BY 4.0](http://e.org). And");
    check_one_span("see Section 3", "3", LAYOUT_SPAN_LINK, "#page=4", "see Section 3");
    const char *text = "two words linked";
    const layout_span spans[] = {
        sample_span(text, "two", LAYOUT_SPAN_LINK | LAYOUT_SPAN_BOLD, "http://e.org"),
        sample_span(text, "words", LAYOUT_SPAN_LINK, "http://e.org")};
    check_text(text, spans, 2, "[two words](http://e.org) linked");
}

static void
latex_that_would_end_early_is_left_as_text(void **state)
{
    (void)state;
    check_one_span("so x + y holds", "x + y", LAYOUT_SPAN_MATH, " x+y ", "so $x+y$ holds");
    check_one_span("so x + y holds", "x + y", LAYOUT_SPAN_MATH, "x$y", "so x + y holds");
}

static void
scripts_use_unicode_where_it_has_them(void **state)
{
    (void)state;
    check_one_span("H2O", "2", LAYOUT_SPAN_SUBSCRIPT, NULL, "H₂O");
    check_one_span("mol−1", "−1", LAYOUT_SPAN_SUPERSCRIPT, NULL, "mol⁻¹");
    check_one_span("x(2)", "(2)", LAYOUT_SPAN_SUPERSCRIPT, NULL, "x⁽²⁾");
    check_one_span("Tmax", "max", LAYOUT_SPAN_SUBSCRIPT, NULL, "T<sub>max</sub>");
    check_one_span("a1,b", "1,b", LAYOUT_SPAN_SUPERSCRIPT, NULL, "a<sup>1,b</sup>");
}

static void
neighbouring_formulas_do_not_merge(void **state)
{
    (void)state;
    const layout_span spans[] = {{0, 1, LAYOUT_SPAN_MATH, "a"}, {1, 1, LAYOUT_SPAN_MATH, "b"}};
    check_text("ab", spans, 2, "$a$ $b$");
}

static char *
markdown_of_formula(float confidence, const char *latex, layout_formulas how)
{
    layout_builder *builder = sample_builder(1);
    const layout_box box = {0, {10, 10, 90, 30}};
    const layout_block block = {
        .type = LAYOUT_BLOCK_FORMULA, .text = "a*b", .parent = LAYOUT_NONE, .item = LAYOUT_NONE};
    const int index = layout_builder_add_block(builder, &block, &box, 1, NULL, 0, NULL, 0);
    const layout_formula formula = {
        .block = index, .latex = latex, .number = "2", .confidence = confidence, .image = "f.png"};
    layout_builder_add_formula(builder, &formula);
    g_autoptr(lode_document) document = layout_builder_finish(builder);
    layout_write_options options = layout_write_options_default();
    options.formulas = how;
    return layout_document_to_markdown(document, &options);
}

static void
check_formula(float confidence, const char *latex, layout_formulas how, const char *expected)
{
    g_autofree char *markdown = markdown_of_formula(confidence, latex, how);
    assert_string_equal(markdown, expected);
}

static void
formulas_show_their_picture_where_their_latex_is_not_sure(void **state)
{
    (void)state;
#define PICTURE "![Formula (2)](images/f.png)\n"
    check_formula(0.9F, "ab", LAYOUT_FORMULAS_AUTO, "$$ab \\tag{2}$$\n");
    check_formula(0.5F, "ab", LAYOUT_FORMULAS_AUTO, "$$ab \\tag{2}$$\n\n" PICTURE);
    check_formula(0.5F, "ab", LAYOUT_FORMULAS_LATEX, "$$ab \\tag{2}$$\n");
    check_formula(0.9F, "ab", LAYOUT_FORMULAS_IMAGE, PICTURE);
    check_formula(0.9F, "ab", LAYOUT_FORMULAS_BOTH, "$$ab \\tag{2}$$\n\n" PICTURE);
    /* where the LaTeX is not known the characters are all that there is */
    check_formula(0, NULL, LAYOUT_FORMULAS_AUTO, "a*b (2)\n\n" PICTURE);
    check_formula(0, NULL, LAYOUT_FORMULAS_IMAGE, "a*b (2)\n\n" PICTURE);
    check_formula(0, NULL, LAYOUT_FORMULAS_LATEX, "a*b (2)\n");
}

static void
headings_have_levels_and_no_emphasis(void **state)
{
    (void)state;
    layout_builder *builder = sample_builder(1);
    const char *text = "Bold C #";
    for (int level = 0; level < 9; level += 4) {
        const layout_span span = {0, 4, LAYOUT_SPAN_BOLD, NULL};
        const layout_block block = {
            .type = LAYOUT_BLOCK_HEADING, .level = level, .text = text, .parent = LAYOUT_NONE};
        layout_builder_add_block(builder, &block, NULL, 0, &span, 1, NULL, 0);
    }
    g_autoptr(lode_document) document = layout_builder_finish(builder);
    g_autofree char *markdown = layout_document_to_markdown(document, NULL);
    assert_string_equal(markdown, "# Bold C \\#\n\n#### Bold C \\#\n\n###### Bold C \\#\n");
}

static void
numbered_lists_that_start_again_stay_two_lists(void **state)
{
    (void)state;
    layout_builder *builder = sample_builder(1);
    static const char *const markers[] = {"1.", "2.", "1.", "5)", "(i)"};
    for (guint i = 0; i < G_N_ELEMENTS(markers); i++) {
        const layout_block block = {.type = LAYOUT_BLOCK_LIST_ITEM,
                                    .level = 1,
                                    .marker = markers[i],
                                    .text = "item",
                                    .parent = LAYOUT_NONE};
        layout_builder_add_block(builder, &block, NULL, 0, NULL, 0, NULL, 0);
    }
    g_autoptr(lode_document) document = layout_builder_finish(builder);
    g_autofree char *markdown = layout_document_to_markdown(document, NULL);
    assert_string_equal(
        markdown, "1. item\n2. item\n\n<!-- -->\n\n1. item\n\n<!-- -->\n\n5) item\n- (i) item\n");
}

static void
footnote_marks_are_bound_once_each(void **state)
{
    (void)state;
    layout_builder *builder = sample_builder(1);
    const char *text = "one1 two1 three2";
    const layout_span spans[] = {{3, 1, LAYOUT_SPAN_SUPERSCRIPT, NULL},
                                 {8, 1, LAYOUT_SPAN_SUPERSCRIPT, NULL},
                                 {15, 1, LAYOUT_SPAN_SUPERSCRIPT, NULL}};
    const layout_block caller = {
        .type = LAYOUT_BLOCK_PARAGRAPH, .text = text, .parent = LAYOUT_NONE};
    layout_builder_add_block(builder, &caller, NULL, 0, spans, 3, NULL, 0);
    for (guint i = 0; i < 3; i++) {
        const layout_block note = {
            .type = LAYOUT_BLOCK_FOOTNOTE, .text = "Note.", .marker = "1", .parent = 0};
        layout_builder_add_block(builder, &note, NULL, 0, NULL, 0, NULL, 0);
    }
    g_autoptr(lode_document) document = layout_builder_finish(builder);
    g_autofree char *markdown = layout_document_to_markdown(document, NULL);
    assert_string_equal(markdown,
                        "one[^1] two[^2] three²\n\n[^1]: Note.\n\n[^2]: Note.\n\n1 Note.\n");
}

static void
bars_in_cells_do_not_end_them(void **state)
{
    (void)state;
    layout_builder *b = sample_builder(1);
    const int block = sample_add(b, LAYOUT_BLOCK_TABLE, "", 0, 50);
    const layout_box box = {0, {60, 50, 540, 60}};
    const layout_cell cells[] = {{0, 0, 1, 1, TRUE, "|x|", .box = box},
                                 {0, 1, 1, 1, TRUE, "y", .box = box},
                                 {1, 0, 1, 1, FALSE, "a || b", .box = box},
                                 {1, 1, 1, 1, FALSE, "", .box = box}};
    const layout_table table = {
        .block = block, .caption = LAYOUT_NONE, .n_rows = 2, .n_cols = 2, .n_header_rows = 1};
    layout_builder_add_table(b, &table, cells, 4);
    g_autoptr(lode_document) d = layout_builder_finish(b);
    g_autofree char *markdown = layout_document_to_markdown(d, NULL);
    assert_string_equal(markdown, "| \\|x\\| | y |\n| --- | --- |\n| a \\|\\| b |  |\n");
}

/* A document that is one table, of two rows and columns. */
static lode_document *
table_of(const layout_cell *cells, guint n)
{
    layout_builder *b = sample_builder(1);
    const int block = sample_add(b, LAYOUT_BLOCK_TABLE, "", 0, 50);
    const layout_table table = {
        .block = block, .caption = LAYOUT_NONE, .n_rows = 2, .n_cols = 2, .n_header_rows = 1};
    layout_builder_add_table(b, &table, cells, n);
    return layout_builder_finish(b);
}

/* Line ends and spans need HTML; there "<" and "&" are escaped and no bar is. */
static void
cells_that_gfm_cannot_hold_are_html(void **state)
{
    (void)state;
    const layout_box box = {0, {60, 50, 540, 60}};
    const layout_cell spans[] = {{0, 0, 1, 2, TRUE, "a < b & c|d", .box = box},
                                 {1, 0, 1, 1, FALSE, "1", .box = box},
                                 {1, 1, 1, 1, FALSE, "2", .box = box}};
    const layout_cell lines[] = {{0, 0, 1, 1, TRUE, "x", .box = box},
                                 {0, 1, 1, 1, TRUE, "y", .box = box},
                                 {1, 0, 1, 1, FALSE, "first\nsecond", .box = box},
                                 {1, 1, 1, 1, FALSE, "2", .box = box}};
    g_autoptr(lode_document) d = table_of(spans, 3), e = table_of(lines, 4);
    g_autofree char *spanned = layout_document_to_markdown(d, NULL);
    assert_string_equal(spanned, "<table>\n<tr><th colspan=\"2\">a &lt; b &amp; c|d</th></tr>\n"
                                 "<tr><td>1</td><td>2</td></tr>\n</table>\n");
    g_autofree char *broken = layout_document_to_markdown(e, NULL);
    assert_non_null(strstr(broken, "<td>first<br />second</td>"));
}

static void
pictures_in_cells_are_shown_there(void **state)
{
    (void)state;
    const layout_box box = {0, {60, 50, 540, 60}};
    const layout_rect picture = {60, 51, 70, 59};
    const layout_cell plain[] = {{0, 0, 1, 1, TRUE, "x", .box = box},
                                 {0, 1, 1, 1, TRUE, "y", .box = box},
                                 {1, 0, 1, 1, FALSE, "", .box = box, .picture = picture},
                                 {1, 1, 1, 1, FALSE, "2", .box = box}};
    const layout_cell spans[] = {
        {0, 0, 1, 2, TRUE, "x", .box = box, .image = "leaf 1.png", .picture = picture},
        {1, 0, 1, 1, FALSE, "1", .box = box},
        {1, 1, 1, 1, FALSE, "2", .box = box}};
    layout_builder *b = sample_builder(1);
    const layout_table table = {.block = sample_add(b, LAYOUT_BLOCK_TABLE, "", 0, 50),
                                .caption = LAYOUT_NONE,
                                .n_rows = 2,
                                .n_cols = 2,
                                .n_header_rows = 1};
    layout_builder_add_table(b, &table, plain, 4);
    layout_builder_name_images(b);
    g_autoptr(lode_document) d = layout_builder_finish(b), e = table_of(spans, 3);
    g_autofree char *shown = layout_document_to_markdown(d, NULL),
                    *spanned = layout_document_to_markdown(e, NULL),
                    *json = layout_document_to_json(d);
    assert_non_null(strstr(shown, "\n| ![](images/page-1-picture-1.png) | 2 |\n"));
    assert_non_null(strstr(spanned, "x<br /><img src=\"images/leaf%201.png\" alt=\"\" /></th>"));
    assert_non_null(strstr(json, "\"picture\": [0, 60, 51, 70, 59], "
                                 "\"image\": \"page-1-picture-1.png\"}"));
    g_autoptr(GError) error = NULL;
    g_autoptr(lode_document) again = layout_document_from_json(json, strlen(json), &error);
    assert_null(error);
    g_autofree char *same = layout_document_to_json(again);
    assert_string_equal(same, json);
    layout_write_options without = layout_write_options_default();
    without.images = LAYOUT_IMAGES_NONE;
    g_autofree char *bare = layout_document_to_markdown(d, &without);
    assert_non_null(strstr(bare, "\n|  | 2 |\n"));
}

/* "a" calls the note under the table, "b" none. */
static void
marks_in_cells_are_raised_and_lead_to_their_notes(void **state)
{
    (void)state;
    layout_builder *b = sample_builder(1);
    const int block = sample_add(b, LAYOUT_BLOCK_TABLE, "", 0, 50);
    const layout_box box = {0, {60, 50, 540, 60}};
    const layout_cell cells[] = {{0, 0, 1, 1, TRUE, "x", .box = box},
                                 {0, 1, 1, 1, TRUE, "y", .box = box},
                                 {1, 0, 1, 1, FALSE, "187a, b", .box = box, .n_mark = 4},
                                 {1, 1, 1, 1, FALSE, "2", .box = box}};
    const layout_table table = {
        .block = block, .caption = LAYOUT_NONE, .n_rows = 2, .n_cols = 2, .n_header_rows = 1};
    layout_builder_add_table(b, &table, cells, 4);
    const layout_block note = {
        .type = LAYOUT_BLOCK_FOOTNOTE, .text = "Picked early.", .marker = "a", .parent = block};
    layout_builder_add_block(b, &note, NULL, 0, NULL, 0, NULL, 0);
    g_autoptr(lode_document) d = layout_builder_finish(b);
    g_autofree char *markdown = layout_document_to_markdown(d, NULL),
                    *html = layout_document_to_html(d, NULL), *json = layout_document_to_json(d);
    assert_non_null(strstr(markdown, "| 187<sup>a, b</sup> | 2 |"));
    assert_non_null(strstr(html, "187<sup><a href=\"#b1\">a</a>, b</sup>"));
    assert_non_null(strstr(json, "\"mark\": 4, \"notes\": [1]"));
    g_autoptr(GError) error = NULL;
    g_autoptr(lode_document) again = layout_document_from_json(json, strlen(json), &error);
    assert_null(error);
    g_autofree char *same = layout_document_to_json(again);
    assert_string_equal(same, json);
}

static void
csv_quotes_what_it_must_and_repeats_no_span(void **state)
{
    (void)state;
    const layout_box box = {0, {60, 50, 540, 60}};
    const layout_cell spans[] = {{0, 0, 1, 2, TRUE, "a \"b\", c", .box = box},
                                 {1, 0, 1, 1, FALSE, "-0.5 %", .box = box},
                                 {1, 1, 1, 1, FALSE, "=1+1", .box = box}};
    const layout_cell lines[] = {{0, 0, 2, 1, TRUE, "x\ny", .box = box},
                                 {0, 1, 1, 1, TRUE, "", .box = box},
                                 {1, 1, 1, 1, FALSE, "+x", .box = box}};
    g_autoptr(lode_document) d = table_of(spans, 3), e = table_of(lines, 3);
    g_autofree char *first = layout_table_to_csv(d, 0);
    assert_string_equal(first, "\"a \"\"b\"\", c\",\r\n-0.5 %,\"'=1+1\"\r\n");
    g_autofree char *second = layout_table_to_csv(e, 0);
    assert_string_equal(second, "\"x\ny\",\r\n,\"'+x\"\r\n");
    g_autofree char *name = layout_table_file_name(e, 0);
    assert_string_equal(name, "page-1-table-1.csv");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bars_in_cells_do_not_end_them),
        cmocka_unit_test(cells_that_gfm_cannot_hold_are_html),
        cmocka_unit_test(pictures_in_cells_are_shown_there),
        cmocka_unit_test(marks_in_cells_are_raised_and_lead_to_their_notes),
        cmocka_unit_test(csv_quotes_what_it_must_and_repeats_no_span),
        cmocka_unit_test(whole_document_comes_out_in_order),
        cmocka_unit_test(furniture_and_page_breaks_come_when_asked_for),
        cmocka_unit_test(emphasis_never_cuts_a_word),
        cmocka_unit_test(adjacent_spans_are_one_emphasis),
        cmocka_unit_test(typeface_of_a_whole_paragraph_is_no_emphasis),
        cmocka_unit_test(text_that_looks_like_markup_is_escaped),
        cmocka_unit_test(harmless_signs_stay_as_they_are),
        cmocka_unit_test(block_starts_are_escaped),
        cmocka_unit_test(code_and_links_keep_their_content),
        cmocka_unit_test(latex_that_would_end_early_is_left_as_text),
        cmocka_unit_test(scripts_use_unicode_where_it_has_them),
        cmocka_unit_test(neighbouring_formulas_do_not_merge),
        cmocka_unit_test(formulas_show_their_picture_where_their_latex_is_not_sure),
        cmocka_unit_test(headings_have_levels_and_no_emphasis),
        cmocka_unit_test(numbered_lists_that_start_again_stay_two_lists),
        cmocka_unit_test(footnote_marks_are_bound_once_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
