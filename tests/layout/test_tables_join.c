/* Tables that go on in the next column or on the next page, on pages made by hand. */
#include "page_maker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#define STEP 12

static const float at[3] = {155, 240, 320};
static const char *const head[3] = {"Model", "Recall", "Precision"};

static void
row_put(page_maker *maker, float dx, float y, const char *const cells[3])
{
    for (guint c = 0; c < 3; c++)
        if (cells[c] != NULL) page_maker_text(maker, MAKER_ROMAN, 9, at[c] + dx, y, cells[c]);
}

/* A table between rules from y on, n rows below its header (NULL: none), numbered from first; returns where it ends.
 * middle FALSE: nothing stands in the second column. */
static float
table_put(page_maker *maker, float dx, float y, const char *const header[3], guint first, guint n,
          gboolean middle)
{
    page_maker_rule_h(maker, 150 + dx, 400 + dx, y);
    y += STEP;
    if (header != NULL) {
        row_put(maker, dx, y, header);
        page_maker_rule_h(maker, 150 + dx, 400 + dx, y + 4);
        y += STEP;
    }
    for (guint i = first; i < first + n; i++, y += STEP) {
        g_autofree char *name = g_strdup_printf("model%c", (char)('a' + i % 26));
        g_autofree char *a = g_strdup_printf("0.%u", 100 + i),
                        *b = g_strdup_printf("0.%u", 300 + i);
        row_put(maker, dx, y, (const char *const[3]){name, middle ? a : NULL, b});
    }
    page_maker_rule_h(maker, 150 + dx, 400 + dx, y - STEP + 4);
    return y - STEP + 4;
}

static void
prose_put(page_maker *maker, float y, guint n)
{
    for (guint i = 0; i < n; i++, y += STEP)
        page_maker_text(
            maker, MAKER_ROMAN, 10, 72, y,
            "every letter of this line is half an em wide and sentences go on over several lines");
}

/* Two pages: prose and a table down to the bottom of the first, a table on top of the second and prose. */
typedef struct {
    const char *caption, *second_caption, *remark, *between;
    const char *const *second_header;
    float dx; /* of the second page */
    gboolean second_has_middle;
} pages;

static lode_document *
pages_read(const pages *p)
{
    page_maker *makers[2] = {page_maker_new(612, 792), page_maker_new(612, 792)};
    prose_put(makers[0], 90, 14);
    if (p->caption != NULL) page_maker_text(makers[0], MAKER_ROMAN, 9, 150, 290, p->caption);
    const float end = table_put(makers[0], 0, 300, head, 0, 33, TRUE);
    if (p->remark != NULL) page_maker_text(makers[0], MAKER_ROMAN, 9, 290, end + 14, p->remark);
    float y = 84;
    if (p->between != NULL) {
        for (guint i = 0; i < 3; i++, y += STEP)
            page_maker_text(makers[1], MAKER_ROMAN, 10, 72, y, p->between);
        y += STEP;
    }
    if (p->second_caption != NULL) {
        page_maker_text(makers[1], MAKER_ROMAN, 9, 150 + p->dx, y, p->second_caption);
        y += 10;
    }
    y = table_put(makers[1], p->dx, y, p->second_header, 33, 10, p->second_has_middle);
    prose_put(makers[1], y + 40, 20);
    return page_maker_document(makers, 2);
}

static const layout_cell *
cell_at(const lode_document *document, const layout_table *table, guint row, guint col)
{
    for (guint i = 0; i < table->n_cells; i++) {
        const layout_cell *cell = &document->cells[table->first_cell + i];
        if (cell->row == row && cell->col == col) return cell;
    }
    return NULL;
}

static void
assert_balanced(const lode_document *document)
{
    for (guint i = 0; i < document->n_pages; i++)
        assert_true(layout_ledger_balances(&document->pages[i].ledger));
}

/* One table of the header and 43 rows, on both pages, whose cells know where they are. */
static void
assert_one_table(const lode_document *document)
{
    assert_int_equal(document->n_tables, 1);
    const layout_table *table = &document->tables[0];
    const layout_block *block = &document->blocks[table->block];
    assert_int_equal(table->n_rows, 44);
    assert_int_equal(table->n_cols, 3);
    assert_int_equal(table->n_header_rows, 1);
    assert_int_equal(block->n_boxes, 2);
    const layout_box *boxes = &document->boxes[block->first_box];
    assert_int_equal(boxes[0].page, 0);
    assert_int_equal(boxes[1].page, 1);
    const layout_cell *last = cell_at(document, table, 43, 2);
    assert_non_null(last);
    assert_string_equal(last->text, "0.342");
    assert_int_equal(last->box.page, 1);
    assert_true(last->box.rect.y1 <= boxes[1].rect.y1 + 1);
    assert_int_equal(cell_at(document, table, 33, 0)->box.page, 0);
    assert_int_equal(cell_at(document, table, 34, 0)->box.page, 1);
    assert_false(cell_at(document, table, 34, 0)->header);
    assert_balanced(document);
}

static void
a_table_over_two_pages_is_one_and_its_repeated_header_goes(void **state)
{
    (void)state;
    g_autoptr(lode_document) document = pages_read(
        &(pages){.caption = "Table 1: Scores.", .second_header = head, .second_has_middle = TRUE});
    assert_one_table(document);
    /* it is kept, out of the text */
    assert_non_null(document_find(document, LAYOUT_BLOCK_HEADER, "Model Recall Precision"));
}

static void
a_header_need_not_be_repeated(void **state)
{
    (void)state;
    g_autoptr(lode_document) document =
        pages_read(&(pages){.caption = "Table 1: Scores.", .second_has_middle = TRUE});
    assert_one_table(document);
}

/* A rule below the first row makes no header of it. */
static void
a_row_of_numbers_is_no_header(void **state)
{
    (void)state;
    static const char *const row[3] = {"modelx", "0.132", "0.332"};
    g_autoptr(lode_document) document = pages_read(
        &(pages){.caption = "Table 1: Scores.", .second_header = row, .second_has_middle = TRUE});
    assert_int_equal(document->n_tables, 1);
    const layout_table *table = &document->tables[0];
    assert_int_equal(table->n_rows, 45);
    assert_string_equal(cell_at(document, table, 34, 0)->text, "modelx");
    assert_false(cell_at(document, table, 34, 0)->header);
}

static void
margins_may_change_sides(void **state)
{
    (void)state;
    g_autoptr(lode_document) document = pages_read(&(pages){
        .caption = "Table 1: Scores.", .second_header = head, .dx = 30, .second_has_middle = TRUE});
    assert_one_table(document);
}

static void
a_continued_caption_joins_the_first(void **state)
{
    (void)state;
    static const char *const captions[] = {
        "Table 1 (continued)", "Table 1: Scores (cont.)", "Table 1. Cont'd",
        "TABLE 1 - continued from previous page", "Table 1 (Fortsetzung)"};
    for (guint i = 0; i < G_N_ELEMENTS(captions); i++) {
        g_autoptr(lode_document) document = pages_read(&(pages){.caption = "Table 1: Scores.",
                                                                .second_caption = captions[i],
                                                                .second_header = head,
                                                                .second_has_middle = TRUE});
        assert_one_table(document);
        guint n = 0;
        for (guint b = 0; b < document->n_blocks; b++)
            n += document->blocks[b].type == LAYOUT_BLOCK_CAPTION ? 1 : 0;
        assert_int_equal(n, 1);
        assert_non_null(document_find(document, LAYOUT_BLOCK_HEADER, captions[i]));
    }
}

static void
a_continued_caption_joins_over_text_between(void **state)
{
    (void)state;
    g_autoptr(lode_document) document = pages_read(
        &(pages){.caption = "Table 1: Scores.",
                 .between = "quite some words about other things stand on top of the page",
                 .second_caption = "Table 1 (continued)",
                 .second_header = head,
                 .second_has_middle = TRUE});
    assert_one_table(document);
}

static void
continued_on_next_page_is_no_text(void **state)
{
    (void)state;
    g_autoptr(lode_document) document = pages_read(&(pages){.caption = "Table 1: Scores.",
                                                            .remark = "Continued on next page",
                                                            .second_header = head,
                                                            .second_has_middle = TRUE});
    assert_one_table(document);
    assert_null(document_find(document, LAYOUT_BLOCK_PARAGRAPH, "Continued"));
}

static void
a_column_that_is_empty_on_one_page_stays(void **state)
{
    (void)state;
    page_maker *makers[2] = {page_maker_new(612, 792), page_maker_new(612, 792)};
    static const float x[4] = {155, 240, 320, 380};
    for (guint p = 0; p < 2; p++) {
        float y = p == 0 ? 300 : 84;
        if (p == 0) prose_put(makers[0], 90, 16);
        page_maker_text(makers[p], MAKER_ROMAN, 9, 150, y - 8,
                        p == 0 ? "Table 1: Scores." : "Table 1 (continued)");
        page_maker_rule_h(makers[p], 150, 430, y);
        y += STEP;
        for (guint r = 0; r < 33; r++, y += STEP)
            for (guint c = 0; c < 4; c++)
                if (c != 2 || p == 0)
                    page_maker_text(makers[p], MAKER_ROMAN, 9, x[c], y, c == 0 ? "model" : "0.125");
        page_maker_rule_h(makers[p], 150, 430, y - STEP + 4);
    }
    g_autoptr(lode_document) document = page_maker_document(makers, 2);
    assert_int_equal(document->n_tables, 1);
    const layout_table *table = &document->tables[0];
    assert_int_equal(table->n_cols, 4);
    assert_int_equal(table->n_rows, 66);
    assert_string_equal(cell_at(document, table, 40, 2)->text, "");
    assert_string_equal(cell_at(document, table, 40, 3)->text, "0.125");
    assert_balanced(document);
}

static void
another_number_is_another_table(void **state)
{
    (void)state;
    g_autoptr(lode_document) document = pages_read(&(pages){.caption = "Table 1: Scores.",
                                                            .second_caption = "Table 2: Scores.",
                                                            .second_header = head,
                                                            .second_has_middle = TRUE});
    assert_int_equal(document->n_tables, 2);
    assert_balanced(document);
}

static void
another_header_is_another_table(void **state)
{
    (void)state;
    static const char *const other[3] = {"Corpus", "Words", "Pages"};
    g_autoptr(lode_document) document = pages_read(
        &(pages){.caption = "Table 1: Scores.", .second_header = other, .second_has_middle = TRUE});
    assert_int_equal(document->n_tables, 2);
}

static void
text_between_keeps_tables_apart(void **state)
{
    (void)state;
    g_autoptr(lode_document) document = pages_read(
        &(pages){.caption = "Table 1: Scores.",
                 .between = "quite some words about other things stand on top of the page",
                 .second_header = head,
                 .second_has_middle = TRUE});
    assert_int_equal(document->n_tables, 2);
}

static void
other_columns_keep_tables_apart(void **state)
{
    (void)state;
    page_maker *makers[2] = {page_maker_new(612, 792), page_maker_new(612, 792)};
    prose_put(makers[0], 90, 14);
    table_put(makers[0], 0, 300, NULL, 0, 33, TRUE);
    page_maker_rule_h(makers[1], 150, 400, 84);
    for (guint i = 0; i < 10; i++)
        for (guint c = 0; c < 4; c++)
            page_maker_text(makers[1], MAKER_ROMAN, 9, 155 + 62 * (float)c, 96 + STEP * (float)i,
                            "0.71");
    page_maker_rule_h(makers[1], 150, 400, 84 + 10 * STEP + 4);
    prose_put(makers[1], 300, 20);
    g_autoptr(lode_document) document = page_maker_document(makers, 2);
    assert_int_equal(document->n_tables, 2);
}

/* Beyond the window of pages that are in memory. */
static void
a_table_over_forty_pages_is_one(void **state)
{
    (void)state;
    enum { PAGES = 40 };
    page_maker *makers[PAGES];
    for (guint p = 0; p < PAGES; p++) {
        makers[p] = page_maker_new(612, 792);
        if (p == 0) page_maker_text(makers[p], MAKER_ROMAN, 9, 150, 70, "Table 1: Scores.");
        table_put(makers[p], 0, p == 0 ? 80 : 140, head, p, p == 0 ? 52 : 47, TRUE);
    }
    g_autoptr(lode_document) document = page_maker_document(makers, PAGES);
    assert_int_equal(document->n_tables, 1);
    const layout_table *table = &document->tables[0];
    assert_int_equal(document->blocks[table->block].n_boxes, PAGES);
    assert_int_equal(table->n_rows, 1 + 52 + (PAGES - 1) * 47);
    for (guint i = 1; i < table->n_cells; i++) {
        const layout_cell *cell = &document->cells[table->first_cell + i];
        assert_true(cell->box.page >= cell[-1].box.page);
    }
    assert_balanced(document);
}

static void
remarks_are_told_from_words(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        gboolean whole;
        gsize used;
    } cases[] = {
        {" (continued)", TRUE, 12},
        {": continued", TRUE, 11},
        {" (cont\xE2\x80\x99"
         "d)",
         TRUE, 11},
        {" \xE2\x80\x93 continued from previous page", TRUE, 33},
        {" (continued). Scores", FALSE, 14},
        {" continued to rise", FALSE, 0},
        {". Suite of programs", FALSE, 0},
        {" (suite)", TRUE, 8},
        {" contains", FALSE, 0},
        {" (continued", FALSE, 0},
        {"", FALSE, 0},
    };
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        const gsize len = strlen(cases[i].text);
        assert_int_equal(layout_continued_match(cases[i].text, len), cases[i].used);
        g_autofree char *labelled = g_strconcat("Table 3", cases[i].text, NULL);
        assert_int_equal(layout_text_is_continued(labelled, strlen(labelled)), cases[i].whole);
    }
    assert_true(layout_text_is_continued("Continued on next page", 22));
    assert_true(layout_text_is_continued("(Table 3 continued)", 19));
    assert_false(layout_text_is_continued("Table 3", 7));
    assert_false(layout_text_is_continued("Continued growth was seen", 25));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_over_two_pages_is_one_and_its_repeated_header_goes),
        cmocka_unit_test(a_header_need_not_be_repeated),
        cmocka_unit_test(a_row_of_numbers_is_no_header),
        cmocka_unit_test(margins_may_change_sides),
        cmocka_unit_test(a_continued_caption_joins_the_first),
        cmocka_unit_test(a_continued_caption_joins_over_text_between),
        cmocka_unit_test(continued_on_next_page_is_no_text),
        cmocka_unit_test(a_column_that_is_empty_on_one_page_stays),
        cmocka_unit_test(another_number_is_another_table),
        cmocka_unit_test(another_header_is_another_table),
        cmocka_unit_test(text_between_keeps_tables_apart),
        cmocka_unit_test(other_columns_keep_tables_apart),
        cmocka_unit_test(a_table_over_forty_pages_is_one),
        cmocka_unit_test(remarks_are_told_from_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
