/* Whole documents made by hand: columns, furniture, headings, captions, tables, and what must hold on all. */
#include "page_maker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#define LEADING 12

static const char *const prose[] = {
    "the quick brown fox jumps over lazy dogs",
    "while seven wizards boxed and five more quacked",
    "every letter of this line is half an em wide",
    "so that columns end where they should end up",
    "and sentences go on over several long lines",
    "until the paragraph has said what it wanted to",
};

/* n lines of prose at size 10 from (x, y) down, each cut at width; returns the next baseline. */
static float
lines_put(page_maker *maker, float x, float y, float width, guint n, guint first)
{
    for (guint i = 0; i < n; i++) {
        g_autoptr(GString) line = g_string_new(NULL);
        for (guint k = 0; (float)line->len * 5 < width; k++) {
            if (k > 0) g_string_append_c(line, ' ');
            g_string_append(line, prose[(first + i + k) % G_N_ELEMENTS(prose)]);
        }
        /* as many glyphs as fit; spaces are 0.3 em, the rest 0.5 em */
        float used = 0;
        gsize len = 0;
        while (len < line->len && used + 5 <= width)
            used += line->str[len++] == ' ' ? 3 : 5;
        while (len > 0 && line->str[len - 1] == ' ')
            len--;
        g_string_truncate(line, len);
        page_maker_text(maker, MAKER_ROMAN, 10, x, y, line->str);
        y += LEADING;
    }
    return y;
}

static void
full_width_text_cuts_columns_into_bands(void **state)
{
    (void)state;
    page_maker *maker = page_maker_new(612, 792);
    page_maker_text(maker, MAKER_BOLD, 17, 120, 80, "A Title Across Both of the Columns");
    page_maker_text(maker, MAKER_ROMAN, 10, 54, 140, "leftfirst");
    lines_put(maker, 54, 152, 240, 40, 0);
    page_maker_text(maker, MAKER_ROMAN, 10, 318, 140, "rightfirst");
    lines_put(maker, 318, 152, 240, 40, 3);
    lode_document *document = page_maker_document(&maker, 1);
    assert_non_null(document_find(document, LAYOUT_BLOCK_TITLE, "A Title Across"));
    int left = -1, right = -1, title = -1;
    for (guint i = 0; i < document->n_blocks; i++) {
        if (strstr(document->blocks[i].text, "leftfirst")) left = (int)i;
        if (strstr(document->blocks[i].text, "rightfirst")) right = (int)i;
        if (document->blocks[i].type == LAYOUT_BLOCK_TITLE) title = (int)i;
    }
    assert_true(title >= 0 && title < left && left < right);
    lode_document_free(document);
}

/* Names with a picture and a raised number behind each: the last number, far to the right, comes first by height. */
static void
raised_marks_stay_behind_their_names(void **state)
{
    (void)state;
    page_maker *maker = page_maker_new(612, 792);
    page_maker_text(maker, MAKER_BOLD, 17, 72, 80, "A Title With Several Words");
    page_maker_text(maker, MAKER_BOLD, 10, 72, 120, "Anna Bellini");
    page_maker_text(maker, MAKER_ROMAN, 8, 138, 116.0F, "1");
    page_maker_text(maker, MAKER_BOLD, 10, 147, 120, "and Carl Dean");
    page_maker_text(maker, MAKER_ROMAN, 8, 226, 116.0F, "2,3");
    lines_put(maker, 72, 160, 460, 30, 0);
    lode_document *document = page_maker_document(&maker, 1);
    const layout_block *names = NULL;
    for (guint i = 0; i < document->n_blocks && names == NULL; i++)
        if (strstr(document->blocks[i].text, "Bellini") != NULL) names = &document->blocks[i];
    assert_non_null(names);
    const char *one = strchr(names->text, '1'), *carl = strstr(names->text, "Carl"),
               *two = strstr(names->text, "2,3");
    assert_true(one != NULL && carl != NULL && two != NULL && one < carl && carl < two);
    lode_document_free(document);
}

static page_maker *
page_with_furniture(guint number)
{
    page_maker *maker = page_maker_new(612, 792);
    char text[32];
    page_maker_text(maker, MAKER_ROMAN, 8, 72, 40, "A RUNNING TITLE");
    lines_put(maker, 72, 90, 460, 50, number);
    g_snprintf(text, sizeof text, "%u", number);
    page_maker_text(maker, MAKER_ROMAN, 9, 300, 760, text);
    return maker;
}

static void
repeated_lines_are_furniture_but_kept(void **state)
{
    (void)state;
    page_maker *makers[3];
    for (guint i = 0; i < 3; i++)
        makers[i] = page_with_furniture(i + 7);
    lode_document *document = page_maker_document(makers, 3);
    guint headers = 0, numbers = 0;
    for (guint i = 0; i < document->n_blocks; i++) {
        const layout_block *block = &document->blocks[i];
        headers += block->type == LAYOUT_BLOCK_HEADER ? 1 : 0;
        numbers += block->type == LAYOUT_BLOCK_PAGE_NUMBER ? 1 : 0;
        if (!layout_block_type_is_furniture(block->type))
            assert_null(strstr(block->text, "RUNNING"));
    }
    assert_int_equal(headers, 3);
    assert_int_equal(numbers, 3);
    assert_non_null(document_find(document, LAYOUT_BLOCK_PAGE_NUMBER, "8"));
    lode_document_free(document);
}

static void
the_title_of_one_page_is_no_header(void **state)
{
    (void)state;
    page_maker *maker = page_maker_new(612, 792);
    page_maker_text(maker, MAKER_ROMAN, 10, 72, 40, "This first line stays where it is");
    lines_put(maker, 72, 90, 460, 40, 0);
    lode_document *document = page_maker_document(&maker, 1);
    for (guint i = 0; i < document->n_blocks; i++)
        assert_false(layout_block_type_is_furniture(document->blocks[i].type));
    lode_document_free(document);
}

/* Six lines of prose from y on; returns where the next ones may begin. */
static float
put_prose(page_maker *maker, float y)
{
    for (guint i = 0; i < 6; i++, y += 12)
        page_maker_text(maker, MAKER_ROMAN, 10, 72, y,
                        "we can see that this is the text of a paper with many of the small words");
    return y + 12;
}

static void
large_text_under_prose_is_no_title(void **state)
{
    (void)state;
    for (guint before = 0; before < 2; before++) {
        page_maker *maker = page_maker_new(612, 792);
        float y = 72;
        if (before) y = put_prose(maker, put_prose(maker, y));
        page_maker_text(maker, MAKER_BOLD, 14, 72, y + 12, "Plan of Evaluation");
        page_maker_text(maker, MAKER_ROMAN, 10, 72, y + 36, "For all of it, we report:");
        put_prose(maker, put_prose(maker, y + 60));
        lode_document *document = page_maker_document(&maker, 1);
        assert_true((document_find(document, LAYOUT_BLOCK_TITLE, "Plan") == NULL) == before);
        assert_true((document_find(document, LAYOUT_BLOCK_HEADING, "Plan") != NULL) == before);
        assert_true((document_find(document, LAYOUT_BLOCK_AUTHOR, "For") == NULL) == before);
        lode_document_free(document);
    }
}

static void
numbers_give_headings_their_level(void **state)
{
    (void)state;
    page_maker *maker = page_maker_new(612, 792);
    page_maker_text(maker, MAKER_BOLD, 12, 72, 80, "2 Methods");
    float y = lines_put(maker, 72, 104, 460, 6, 0);
    page_maker_text(maker, MAKER_BOLD, 10, 72, y + 14, "2.1 Data and models");
    y = lines_put(maker, 72, y + 34, 460, 6, 2);
    page_maker_text(maker, MAKER_BOLD, 12, 72, y + 16, "References");
    page_maker_text(maker, MAKER_ROMAN, 10, 72, y + 40,
                    "[1] A. Author. A title of a work. A Journal, 2020.");
    page_maker_text(maker, MAKER_ROMAN, 10, 72, y + 52,
                    "[2] B. Author. Another title. doi:10.1000/xyz123, 2021.");
    lode_document *document = page_maker_document(&maker, 1);
    const layout_block *methods = document_find(document, LAYOUT_BLOCK_HEADING, "2 Methods");
    const layout_block *data = document_find(document, LAYOUT_BLOCK_HEADING, "2.1 Data");
    assert_non_null(methods);
    assert_non_null(data);
    assert_int_equal(methods->level, 1);
    assert_int_equal(data->level, 2);
    assert_non_null(document_find(document, LAYOUT_BLOCK_HEADING, "References"));
    assert_int_equal(document->n_references, 2);
    assert_string_equal(document->references[0].key, "1");
    assert_string_equal(document->references[0].year, "2020");
    assert_string_equal(document->references[1].doi, "10.1000/xyz123");
    lode_document_free(document);
}

/* Once, the blank between marker and text was cut from the text instead: half of its first character. */
static void
a_marker_set_apart_is_cut_whole(void **state)
{
    (void)state;
    page_maker *maker = page_maker_new(612, 792);
    float y = lines_put(maker, 72, 80, 460, 8, 0);
    page_maker_text(maker, MAKER_BOLD, 12, 72, y + 16, "References");
    static const char *const entries[] = {"“Alpha,” A Journal, 2020.", "“Beta,” A Journal, 2021.",
                                          "“Gamma,” A Journal, 2022."};
    for (guint i = 0; i < G_N_ELEMENTS(entries); i++) {
        g_autofree char *marker = g_strdup_printf("[%u]", i + 1);
        float at = y + 40 + 12 * (float)i;
        page_maker_text(maker, MAKER_ROMAN, 10, 72, at, marker);
        page_maker_text(maker, MAKER_ROMAN, 10, 110, at, entries[i]);
    }
    lode_document *document = page_maker_document(&maker, 1);
    assert_non_null(document);
    assert_int_equal(document->n_references, G_N_ELEMENTS(entries));
    for (guint i = 0; i < document->n_references; i++)
        assert_string_equal(document->blocks[document->references[i].block].text, entries[i]);
    lode_document_free(document);
}

static void
bold_that_leads_into_a_sentence_is_no_heading(void **state)
{
    (void)state;
    page_maker *maker = page_maker_new(612, 792);
    float y = lines_put(maker, 72, 90, 460, 8, 0);
    float x = page_maker_text(maker, MAKER_BOLD, 10, 72, y + 8, "Data sets.");
    page_maker_text(maker, MAKER_ROMAN, 10, x + 3, y + 8,
                    "we used the quick brown fox and its lazy dogs for this");
    lines_put(maker, 72, y + 20, 460, 3, 1);
    lode_document *document = page_maker_document(&maker, 1);
    assert_null(document_find(document, LAYOUT_BLOCK_HEADING, "Data"));
    const layout_block *block =
        document_find(document, LAYOUT_BLOCK_PARAGRAPH, "Data sets. we used");
    assert_non_null(block);
    assert_true(block->n_spans >= 1);
    assert_true(document->spans[block->first_span].flags & LAYOUT_SPAN_BOLD);
    lode_document_free(document);
}

static void
sentences_in_bold_are_headings_only_where_none_is_numbered(void **state)
{
    static const char *const numbers[] = {"1 ", "2 ", "3 ", "4 "}, *const none[] = {"", "", "", ""};
    static const char *const names[] = {"Lakes", "Rivers", "Gauges", "Boats"};
    (void)state;
    for (guint numbered = 0; numbered < 2; numbered++) {
        page_maker *maker = page_maker_new(612, 792);
        float y = 60;
        for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
            g_autofree char *text = g_strconcat((numbered ? numbers : none)[i], names[i], NULL);
            page_maker_text(maker, MAKER_BOLD, 12, 72, y + 16, text);
            y = lines_put(maker, 72, y + 40, 460, 4, i);
        }
        page_maker_text(maker, MAKER_BOLD, 10, 72, y + 14, "What was found.");
        lines_put(maker, 72, y + 38, 460, 4, 3);
        lode_document *document = page_maker_document(&maker, 1);
        assert_non_null(
            document_find(document, LAYOUT_BLOCK_HEADING, numbered ? "1 Lakes" : "Lakes"));
        assert_int_equal(document_find(document, LAYOUT_BLOCK_HEADING, "What was") == NULL,
                         numbered);
        lode_document_free(document);
    }
}

static void
a_caption_stays_with_its_figure(void **state)
{
    (void)state;
    page_maker *maker = page_maker_new(612, 792);
    float y = lines_put(maker, 72, 90, 460, 8, 0);
    page_maker_image(maker, 150, y + 10, 450, y + 160);
    page_maker_text(maker, MAKER_ROMAN, 7, 200, y + 80, "axis label");
    page_maker_text(maker, MAKER_ROMAN, 9, 150, y + 180, "Figure 1: What the image shows.");
    lines_put(maker, 72, y + 210, 460, 8, 2);
    lode_document *document = page_maker_document(&maker, 1);
    assert_int_equal(document->n_figures, 1);
    assert_string_equal(document->figures[0].label, "Figure 1");
    assert_string_equal(document->figures[0].inner_text, "axis label");
    assert_false(document->figures[0].vector);
    const layout_block *caption = document_find(document, LAYOUT_BLOCK_CAPTION, "Figure 1:");
    assert_non_null(caption);
    assert_int_equal(caption->parent, document->figures[0].block);
    for (guint i = 0; i < document->n_blocks; i++)
        assert_null(strstr(document->blocks[i].text, "axis label"));
    lode_document_free(document);
}

static void
a_paragraph_goes_on_behind_a_figure_and_in_the_next_page(void **state)
{
    (void)state;
    page_maker *makers[2] = {page_maker_new(612, 792), page_maker_new(612, 792)};
    lines_put(makers[0], 72, 90, 460, 40, 0);
    lines_put(makers[0], 72, 570, 400, 1, 0);
    page_maker_text(makers[0], MAKER_ROMAN, 10, 72 + 403, 570, "and contin-");
    page_maker_text(
        makers[1], MAKER_ROMAN, 10, 72, 90,
        "ues on the next one so that both of them make a single paragraph of one document");
    lines_put(makers[1], 72, 102, 460, 20, 1);
    lode_document *document = page_maker_document(makers, 2);
    guint n = 0;
    for (guint i = 0; i < document->n_blocks; i++) {
        const layout_block *block = &document->blocks[i];
        if (strstr(block->text, "and continues on the next one") == NULL) continue;
        n++;
        assert_int_equal(block->n_boxes, 2);
        assert_int_equal(document->boxes[block->first_box].page, 0);
        assert_int_equal(document->boxes[block->first_box + 1].page, 1);
    }
    assert_int_equal(n, 1);
    lode_document_free(document);
}

static void
booktabs_rules_make_a_table(void **state)
{
    (void)state;
    page_maker *maker = page_maker_new(612, 792);
    lines_put(maker, 72, 90, 460, 8, 0);
    page_maker_text(maker, MAKER_ROMAN, 9, 150, 215, "Table 2: Scores.");
    page_maker_rule_h(maker, 150, 400, 224);
    static const char *const cells[4][3] = {{"Model", "Recall", "Precision"},
                                            {"first", "0.91", "0.80"},
                                            {"second", "0.72", ""},
                                            {"third", "0.55", "0.61"}};
    static const float x[3] = {155, 240, 320};
    for (guint r = 0; r < 4; r++) {
        for (guint c = 0; c < 3; c++)
            if (cells[r][c][0] != '\0')
                page_maker_text(maker, MAKER_ROMAN, 9, x[c], 236 + 12 * (float)r, cells[r][c]);
        if (r == 0) page_maker_rule_h(maker, 150, 400, 240);
    }
    page_maker_rule_h(maker, 150, 400, 278);
    lines_put(maker, 72, 320, 460, 8, 2);
    lode_document *document = page_maker_document(&maker, 1);
    assert_int_equal(document->n_tables, 1);
    const layout_table *table = &document->tables[0];
    assert_int_equal(table->n_rows, 4);
    assert_int_equal(table->n_cols, 3);
    assert_int_equal(table->n_header_rows, 1);
    assert_int_equal(table->n_cells, 12);
    for (guint i = 0; i < 12; i++)
        assert_string_equal(document->cells[table->first_cell + i].text, cells[i / 3][i % 3]);
    const layout_block *caption = document_find(document, LAYOUT_BLOCK_CAPTION, "Table 2");
    assert_non_null(caption);
    assert_int_equal(caption->parent, table->block);
    lode_document_free(document);
}

static void
a_ruled_table_joins_cells_without_a_border(void **state)
{
    (void)state;
    page_maker *maker = page_maker_new(612, 792);
    /* two columns under one wide cell */
    page_maker_rule_h(maker, 100, 400, 100);
    page_maker_rule_h(maker, 100, 400, 120);
    page_maker_rule_h(maker, 100, 400, 140);
    page_maker_rule_h(maker, 100, 400, 160);
    page_maker_rule_v(maker, 100, 100, 160);
    page_maker_rule_v(maker, 250, 120, 160);
    page_maker_rule_v(maker, 400, 100, 160);
    page_maker_text(maker, MAKER_ROMAN, 10, 110, 114, "all of it");
    page_maker_text(maker, MAKER_ROMAN, 10, 110, 134, "one");
    page_maker_text(maker, MAKER_ROMAN, 10, 260, 134, "two");
    page_maker_text(maker, MAKER_ROMAN, 10, 110, 154, "three");
    page_maker_text(maker, MAKER_ROMAN, 10, 260, 154, "four");
    lines_put(maker, 72, 220, 460, 12, 0);
    lode_document *document = page_maker_document(&maker, 1);
    assert_int_equal(document->n_tables, 1);
    const layout_cell *cells = document->cells + document->tables[0].first_cell;
    assert_int_equal(document->tables[0].n_cells, 5);
    assert_int_equal(cells[0].col_span, 2);
    assert_string_equal(cells[0].text, "all of it");
    assert_string_equal(cells[4].text, "four");
    lode_document_free(document);
}

static void
formulas_stand_apart_with_their_number(void **state)
{
    (void)state;
    page_maker *maker = page_maker_new(612, 792);
    float y = lines_put(maker, 72, 90, 460, 6, 0) + 10;
    page_maker_text(maker, MAKER_MATH, 10, 250, y, "a = b + c");
    page_maker_text(maker, MAKER_ROMAN, 10, 515, y, "(4)");
    lines_put(maker, 72, y + 24, 460, 6, 2);
    lode_document *document = page_maker_document(&maker, 1);
    assert_int_equal(document->n_formulas, 1);
    assert_string_equal(document->formulas[0].number, "4");
    assert_string_equal(document->formulas[0].latex, "a=b+c");
    lode_document_free(document);
}

static void
line_numbers_leave_the_text(void **state)
{
    (void)state;
    page_maker *maker = page_maker_new(612, 792);
    lines_put(maker, 72, 90, 460, 30, 0);
    for (guint i = 0; i < 30; i++) {
        char number[12];
        g_snprintf(number, sizeof number, "%u", i + 10);
        page_maker_text(maker, MAKER_ROMAN, 6, 60, 90 + LEADING * (float)i, number);
    }
    lode_document *document = page_maker_document(&maker, 1);
    for (guint i = 0; i < document->n_blocks; i++)
        if (document->blocks[i].type != LAYOUT_BLOCK_WATERMARK)
            assert_null(strpbrk(document->blocks[i].text, "0123456789"));
    assert_non_null(document_find(document, LAYOUT_BLOCK_WATERMARK, "10 11 12"));
    lode_document_free(document);
}

/* What must hold on every page: all text is somewhere, boxes lie on the page, lines cover the text. */
static void
nothing_is_lost_and_boxes_lie_on_the_page(void **state)
{
    (void)state;
    page_maker *maker = page_maker_new(400, 400);
    char word[8];
    for (guint i = 0; i < 150; i++) {
        g_snprintf(word, sizeof word, "w%03u", i);
        page_maker_text(maker, (maker_font)(i % MAKER_N_FONTS), (float)(6 + i % 7),
                        (float)(i * 37 % 390), (float)(10 + i * 53 % 400), word);
    }
    lode_document *document = page_maker_document(&maker, 1);
    g_autoptr(GString) all = g_string_new(NULL);
    for (guint i = 0; i < document->n_blocks; i++) {
        const layout_block *block = &document->blocks[i];
        for (const char *at = block->text; *at != '\0'; at++)
            if (*at != ' ' && *at != '\n') g_string_append_c(all, *at);
        for (guint k = block->first_box; k < block->first_box + block->n_boxes; k++) {
            layout_rect r = document->boxes[k].rect;
            assert_true(r.x0 >= 0 && r.y0 >= 0 && r.x1 <= 400 && r.y1 <= 400);
        }
        uint32_t covered = 0;
        for (guint k = block->first_line; k < block->first_line + block->n_lines; k++)
            covered += document->lines[k].len;
        if (block->n_lines > 0) assert_true(covered + block->n_lines > block->text_len);
    }
    guint digits = 0;
    for (gsize i = 0; i < all->len; i++)
        digits += g_ascii_isdigit(all->str[i]) ? 1 : 0;
    assert_int_equal(digits, 450);
    lode_document_free(document);
}

static void
the_same_pages_make_the_same_bytes(void **state)
{
    (void)state;
    char *texts[2];
    for (guint i = 0; i < 2; i++) {
        page_maker *makers[2] = {page_with_furniture(1), page_with_furniture(2)};
        lode_document *document = page_maker_document(makers, 2);
        texts[i] = layout_document_to_json(document);
        lode_document_free(document);
    }
    assert_string_equal(texts[0], texts[1]);
    g_free(texts[0]);
    g_free(texts[1]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_width_text_cuts_columns_into_bands),
        cmocka_unit_test(raised_marks_stay_behind_their_names),
        cmocka_unit_test(repeated_lines_are_furniture_but_kept),
        cmocka_unit_test(the_title_of_one_page_is_no_header),
        cmocka_unit_test(large_text_under_prose_is_no_title),
        cmocka_unit_test(numbers_give_headings_their_level),
        cmocka_unit_test(a_marker_set_apart_is_cut_whole),
        cmocka_unit_test(bold_that_leads_into_a_sentence_is_no_heading),
        cmocka_unit_test(sentences_in_bold_are_headings_only_where_none_is_numbered),
        cmocka_unit_test(a_caption_stays_with_its_figure),
        cmocka_unit_test(a_paragraph_goes_on_behind_a_figure_and_in_the_next_page),
        cmocka_unit_test(booktabs_rules_make_a_table),
        cmocka_unit_test(a_ruled_table_joins_cells_without_a_border),
        cmocka_unit_test(formulas_stand_apart_with_their_number),
        cmocka_unit_test(line_numbers_leave_the_text),
        cmocka_unit_test(nothing_is_lost_and_boxes_lie_on_the_page),
        cmocka_unit_test(the_same_pages_make_the_same_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
